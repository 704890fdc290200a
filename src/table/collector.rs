//! What one consumer thread holds: lines parsed into rows, per measurement, until the next commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::collected::{Collected, Map};
use super::heads::Heads;
use super::open_table::{NoRow, OpenTable, TABLE_BYTES};
use super::pruned::PrunedDays;
use super::reject::RejectedLine;
use super::room::Room;
use super::schema::MeasurementSchema;
use super::schema_file;
use super::values::Misfit;
use crate::format::{TimeRange, TimeUnit};
use crate::lineproto::{Head, Instructions, KEPT_OF_LONG_LINE, Limits, Line, Parser, Precision, Reason};
use crate::source::Origin;

/// Bytes that a series takes for itself and for each of its tags, beside their text, if each value is new: as a string, and in the maps
/// that number values and series.
const TAG_BYTES: usize = 120;

/// What every collector of a run goes by.
#[derive(Clone, Debug)]
pub struct CollectSettings {
    /// The unit of the times in lines.
    pub precision: Precision,
    /// Limits on one line.
    pub limits: Limits,
    /// What the parser uses of the processor.
    pub instructions: Instructions,
    /// Times outside are rejects.
    pub time_range: TimeRange,
    /// With microseconds, a time that is no whole one is a reject.
    pub time_unit: TimeUnit,
    /// Whether a measurement's name can be a folder's.
    pub measurement_fits: fn(&str) -> bool,
    /// Days of which the archive has no file left: their lines are rejects.
    pub pruned: Arc<PrunedDays>,
    /// How many new measurements and columns find a place once the commit is settled.
    pub room: Room,
    /// Columns that are settled: those of the archive, and declared ones of measurements that it does not know yet.
    pub schemas: Arc<BTreeMap<String, Arc<MeasurementSchema>>>,
}

/// For tables without an archive: nanoseconds, any time, any name, and the declared columns of Telegraf's common
/// measurements.
impl Default for CollectSettings {
    fn default() -> Self {
        let builtin = schema_file::builtin().iter();
        Self {
            precision: Precision::default(),
            limits: Limits::default(),
            instructions: Instructions::best(),
            time_range: TimeRange::ALL,
            time_unit: TimeUnit::default(),
            measurement_fits: |_| true,
            pruned: Arc::default(),
            room: Room::default(),
            schemas: Arc::new(
                builtin
                    .map(|(name, schema)| (name.clone(), Arc::new(schema.clone())))
                    .collect(),
            ),
        }
    }
}

/// Parses messages and keeps their lines as typed rows.
#[derive(Debug)]
pub struct Collector {
    settings: CollectSettings,
    parser: Parser,
    rows: Rows,
}

#[derive(Debug, Default)]
struct Rows {
    /// Raw bytes up to the first space -> table and series: one look-up instead of parsing the tags again.
    heads: Heads,
    by_name: Map<String, u32>,
    tables: Vec<OpenTable>,
    rejects: Vec<RejectedLine>,
    lines: u64,
    bytes: usize,
}

impl Collector {
    /// A collector that holds nothing yet.
    pub fn new(settings: CollectSettings) -> Self {
        Self {
            parser: Parser::with_instructions(settings.precision, settings.limits, settings.instructions),
            settings,
            rows: Rows::default(),
        }
    }

    /// Takes the lines of a message, or of a block of whole lines of a file.
    ///
    /// `default_time` is what a line without time gets, in nanoseconds since 1970-01-01 UTC; `origin` says where the line that
    /// starts at the given byte of `payload` came from, and is asked for lines that must be kept only.
    pub fn push(&mut self, payload: &[u8], default_time: Option<i64>, origin: impl Fn(usize) -> Origin) {
        self.push_up_to(usize::MAX, payload, default_time, origin);
    }

    /// As [`Collector::push`], until more than `most_bytes` are held. Gives the bytes of `payload` that were taken: all of them, or up to
    /// the end of a line.
    pub(crate) fn push_up_to(
        &mut self,
        most_bytes: usize,
        payload: &[u8],
        default_time: Option<i64>,
        origin: impl Fn(usize) -> Origin,
    ) -> usize {
        let Self { settings, parser, rows } = self;
        let mut lines = parser.lines(payload);
        let mut taken = 0;
        loop {
            if rows.bytes > most_bytes {
                return taken;
            }
            let mut head = None;
            let next = lines.next_trusting(|bytes| {
                head = rows.heads.find(bytes);
                head.is_some()
            });
            let Some(mut line) = next else {
                return payload.len();
            };
            rows.lines += 1;
            taken = match &line {
                Ok(good) => good.offset() + good.raw().len(),
                Err(bad) => bad.offset + bad.line.len(),
            };
            let reject = |line: &Line<'_, '_>, misfit: Misfit| RejectedLine {
                origin: origin(line.offset()),
                reason: misfit.reason,
                byte: None,
                detail: misfit.detail,
                place: misfit.place,
                precision: settings.precision,
                default_time,
                line: line.raw().to_vec(),
                cut_from: None,
            };
            if let Ok(good) = &line {
                if rows.add(settings, good, head, default_time, &origin).is_ok() {
                    continue;
                }
                // A key that stands in the line twice is told before anything that its table has against it.
                line = lines.again();
            }
            let rejected = match line {
                Ok(good) => match rows.add(settings, &good, head, default_time, &origin) {
                    Ok(()) => continue,
                    Err(NoRow::Misfit(misfit)) => reject(&good, misfit),
                    Err(NoRow::Repeats) => unreachable!("a line that was parsed again has each key once"),
                },
                Err(bad) => {
                    let found_at = origin(bad.offset);
                    let kept = match (bad.reason, &found_at) {
                        (Reason::LineTooLong, Origin::File { .. }) => bad.line.len().min(KEPT_OF_LONG_LINE),
                        _ => bad.line.len(),
                    };
                    let reject = RejectedLine {
                        origin: found_at,
                        reason: bad.reason,
                        byte: Some(bad.column),
                        detail: None,
                        place: None,
                        precision: settings.precision,
                        default_time,
                        line: bad.line[..kept].to_vec(),
                        cut_from: None,
                    };
                    match kept < bad.line.len() {
                        true => cut(reject, bad.line.len() as u64),
                        false => reject,
                    }
                }
            };
            rows.reject(rejected);
        }
    }

    /// Takes a line that is longer than a line may be, of which only the beginning is at hand.
    pub fn push_long_line(&mut self, start: &[u8], bytes: u64, default_time: Option<i64>, origin: Origin) {
        let reject = RejectedLine {
            origin,
            reason: Reason::LineTooLong,
            byte: Some(self.settings.limits.line_bytes + 1),
            detail: None,
            place: None,
            precision: self.settings.precision,
            default_time,
            line: start[..start.len().min(KEPT_OF_LONG_LINE)].to_vec(),
            cut_from: None,
        };
        self.rows.lines += 1;
        self.rows.reject(cut(reject, bytes));
    }

    /// Lines held, rejected ones included.
    pub fn lines(&self) -> u64 {
        self.rows.lines
    }

    /// Bytes of memory held, estimated from what was appended.
    pub fn bytes(&self) -> usize {
        self.rows.bytes
    }

    /// Everything that was collected; then it holds nothing, and may go on.
    pub fn take(&mut self) -> Collected {
        std::mem::take(&mut self.rows).finish(self.settings.room)
    }

    /// Everything that was collected.
    pub fn finish(self) -> Collected {
        self.rows.finish(self.settings.room)
    }
}

/// The reject of a line that is not kept to its end.
fn cut(reject: RejectedLine, bytes: u64) -> RejectedLine {
    RejectedLine {
        detail: Some(format!(
            "the line has {bytes} bytes; its first {} are kept",
            reject.line.len()
        )),
        cut_from: Some(bytes),
        ..reject
    }
}

impl Rows {
    fn finish(self, room: Room) -> Collected {
        Collected {
            tables: self.tables.into_iter().map(OpenTable::finish).collect(),
            rejects: self.rejects,
            lines: self.lines,
            room,
        }
    }

    fn reject(&mut self, line: RejectedLine) {
        self.bytes += Collected::bytes_of(&line);
        self.rejects.push(line);
    }

    /// Appends a line as a row, or says why it can't be one; then nothing was appended. `head` are the numbers of its table
    /// and series, if they are known.
    #[inline]
    fn add(
        &mut self,
        settings: &CollectSettings,
        line: &Line<'_, '_>,
        head: Option<(u32, u32)>,
        default_time: Option<i64>,
        origin: impl FnOnce(usize) -> Origin,
    ) -> Result<(), NoRow> {
        let time = row_time(settings, line.time().or(default_time)).map_err(NoRow::Misfit)?;
        let (table_number, series) = match head {
            Some(numbers) => numbers,
            None => self.number_head(settings, line).map_err(NoRow::Misfit)?,
        };
        let table = &mut self.tables[table_number as usize];
        if settings.pruned.may_hold(time) && settings.pruned.holds(table.measurement(), time) {
            return Err(NoRow::Misfit(Reason::DayPruned.into()));
        }
        if table.begin_row(line)? || table.keeps_series(series) {
            self.bytes += table.keep_line(line.raw(), origin(line.offset()), default_time, settings.precision);
        }
        self.bytes += table.finish_row(time, series, line.slots().len());
        Ok(())
    }

    /// The table and series of a head that is new to this collector.
    fn number_head(&mut self, settings: &CollectSettings, line: &Line<'_, '_>) -> Result<(u32, u32), Misfit> {
        let head: Head<'_> = line.head();
        let name = head.measurement.unescape();
        let table_number = match self.by_name.get(name.as_ref()) {
            Some(&number) => number,
            None => {
                if !(settings.measurement_fits)(&name) {
                    return Err(Reason::NameTooLong.into());
                }
                let number = u32::try_from(self.tables.len()).expect("measurements are bounded by memory long before");
                self.tables.push(OpenTable::new(
                    name.to_string(),
                    settings.schemas.get(name.as_ref()).cloned(),
                    settings.room.is_bounded(),
                ));
                self.bytes += TABLE_BYTES + 2 * name.len();
                self.by_name.insert(name.into_owned(), number);
                number
            }
        };
        let series = self.tables[table_number as usize].number_series(&head);
        self.bytes += self.heads.add(line.head_bytes(), (table_number, series));
        self.bytes += line.head_bytes().len() + (1 + head.tags.len()) * TAG_BYTES;
        Ok((table_number, series))
    }
}

/// The row's time, checked against what the archive takes.
fn row_time(settings: &CollectSettings, time: Option<i64>) -> Result<i64, Misfit> {
    let time = time.ok_or(Reason::NoTime)?;
    if time < settings.time_range.first || time > settings.time_range.last {
        return Err(Misfit {
            detail: Some(format!(
                "time {time} ns is outside the archive's range; is --precision right?"
            )),
            ..Reason::TimeOutOfRange.into()
        });
    }
    if settings.time_unit == TimeUnit::Us && time % 1_000 != 0 {
        return Err(Reason::TimeNotWholeMicrosecond.into());
    }
    Ok(time)
}
