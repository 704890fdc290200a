//! Line protocol -> Arrow record batches in one call, for programs that want the tables and no archive: [`record_batches`] from memory,
//! [`read`] from files and streams on many threads, [`day`] with the files of a day that an archive would have.

pub mod day;
pub mod read;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use rayon::prelude::*;

use crate::error::Result;
use crate::format::TimeUnit;
use crate::order::{DayColumns, Slice, SortedRun, entries_of};
use crate::source::Origin;
use crate::store::record::Counts;
use crate::table::settle::{Settled, settle};
use crate::table::{CollectSettings, Collector, RejectedLine};

/// What [`record_batches`] made of some lines.
#[derive(Debug)]
pub struct Batches {
    /// By measurement: all of its points, sorted by time and then by the tag columns. The columns are those of a day file:
    /// `time`, tags, fields; the declared ones of the measurement and those that occur.
    pub tables: BTreeMap<String, RecordBatch>,
    /// The lines that are in no table. An [`Origin::File`] without a path says at which byte of the input they start.
    pub rejects: Vec<RejectedLine>,
    /// `lines = points + folded + rejected`.
    pub counts: Counts,
}

/// Parses lines and gives one sorted table for each measurement, as an archive that was given the same lines would hold them:
/// lines of one point are one row, and the order of the lines decides nothing.
///
/// `lines` are line protocol as in a file or a Kafka message. `default_time` is what a line without time gets, in nanoseconds
/// since 1970-01-01 UTC; without it such a line is a reject.
///
/// The lines are parsed on this thread; [`read::read_tables`] does it on many, and reads files. For messages of your own take the stages
/// by themselves: a [`Collector`] a thread, [`settle`], [`SortedRun::merge`].
///
/// # Errors
/// More text in one string column than an Arrow array can hold, 2 GiB. Lines that are no good are no error but
/// [`Batches::rejects`].
///
/// ```
/// use arrow::array::AsArray as _;
/// use arrow::datatypes::Float64Type;
/// use diurnal::batches::record_batches;
/// use diurnal::table::CollectSettings;
///
/// let lines = b"room,name=hall humidity=41.5 1592568010000000000\n\
///               room,name=hall temperature=20.5 1592568000000000000\n\
///               room,name=hall temperature=warm 1592568020000000000\n\
///               room,name=hall humidity=41.0 1592568000000000000\n";
/// let batches = record_batches(lines, None, CollectSettings::default())?;
///
/// // Two points: the second and the fourth line are of one series and time.
/// let rooms = &batches.tables["room"];
/// let names: Vec<String> = rooms.schema().fields().iter().map(|field| field.name().clone()).collect();
/// assert_eq!(names, ["time", "name", "humidity", "temperature"]);
/// assert_eq!(rooms.column(2).as_primitive::<Float64Type>().values(), &[41.0, 41.5]);
///
/// // The third line says no number.
/// assert_eq!(batches.rejects[0].reason.as_str(), "bad_number");
/// assert_eq!(batches.rejects[0].byte, Some(28));
/// # Ok::<(), diurnal::error::Error>(())
/// ```
pub fn record_batches(lines: &[u8], default_time: Option<i64>, settings: CollectSettings) -> Result<Batches> {
    let time_unit = settings.time_unit;
    let path: Arc<str> = Arc::from("");
    let mut collector = Collector::new(settings);
    collector.push(lines, default_time, |at| Origin::File {
        path: Arc::clone(&path),
        offset: at as u64,
    });
    let settled = settle(vec![collector.finish()]);
    let Tables {
        tables,
        rejects,
        counts,
    } = sorted(settled, time_unit, |rows| std::iter::once(0..rows).collect())?;
    let whole = |(name, mut table): (String, Table)| Some((name, table.batches.pop()?));
    Ok(Batches {
        tables: tables.into_iter().filter_map(whole).collect(),
        rejects,
        counts,
    })
}

/// The rows of one measurement.
#[derive(Clone, Debug)]
pub struct Table {
    /// The columns, `time` first, with what is known of them in their metadata; the measurement's name in that of the whole.
    pub schema: SchemaRef,
    /// The rows in their order. A tag has the same dictionary in all of them.
    pub batches: Vec<RecordBatch>,
}

/// What became of some lines.
#[derive(Debug)]
pub struct Tables {
    /// By measurement, each with one row at least.
    pub tables: BTreeMap<String, Table>,
    /// The lines that are in no table.
    pub rejects: Vec<RejectedLine>,
    /// `lines = points + folded + rejected`.
    pub counts: Counts,
}

/// Sorts and folds the rows of each table; `cut` says which rows of so many become one record batch.
fn sorted(settled: Settled, time_unit: TimeUnit, cut: fn(usize) -> Vec<Range<usize>>) -> Result<Tables> {
    let done: Vec<_> = settled
        .tables
        .into_par_iter()
        .map(|table| {
            let entries = entries_of(&table)?;
            let columns = DayColumns::new(&table, &[], &entries, time_unit);
            // Without files there is nothing to divide into days: one run holds them all.
            let run = SortedRun::merge(&table, None, entries, &columns, Slice::all())?;
            let made = table_of(&run, &cut(run.rows()))?;
            Ok((table.schema.measurement.clone(), made, run.counts()))
        })
        .collect::<Result<_>>()?;
    let mut tables = BTreeMap::new();
    let mut counts = Counts {
        lines: settled.lines,
        rejected: settled.rejects.len() as u64,
        ..Counts::default()
    };
    for (measurement, table, found) in done {
        counts.points += found.points;
        counts.folded += found.folded;
        counts.conflicts += found.conflicts;
        if found.points > 0 {
            tables.insert(measurement, table);
        }
    }
    Ok(Tables {
        tables,
        rejects: settled.rejects,
        counts,
    })
}

/// The rows of a run as record batches, one a range.
fn table_of(run: &SortedRun<'_>, ranges: &[Range<usize>]) -> Result<Table> {
    let parts = run.parts(ranges)?;
    let batches = parts
        .par_iter()
        .map(|part| part.record_batch())
        .collect::<Result<Vec<_>>>()?;
    Ok(Table {
        schema: run.schema().arrow(),
        batches,
    })
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array as _, AsArray as _};
    use arrow::datatypes::{DataType, Int32Type, Int64Type, TimestampMicrosecondType, TimestampNanosecondType};
    use proptest::prelude::*;

    use super::*;

    fn batches(lines: &str) -> Batches {
        record_batches(lines.as_bytes(), None, CollectSettings::default()).unwrap()
    }

    fn times(batch: &RecordBatch) -> Vec<i64> {
        batch
            .column(0)
            .as_primitive::<TimestampNanosecondType>()
            .values()
            .to_vec()
    }

    #[test]
    fn days_of_one_measurement_are_one_table_in_order_of_time_then_tags() {
        let day = 86_400_000_000_000_i64;
        let lines = format!(
            "m,host=b v=1i {day}\nm,host=a v=2i {day}\nm v=3i {day}\nm,host=a v=4i {}\nm,host=a v=5i -1\n",
            3 * day
        );
        let found = batches(&lines);
        let table = &found.tables["m"];
        assert_eq!(times(table), [-1, day, day, day, 3 * day]);
        assert_eq!(
            table.column_by_name("v").unwrap().as_primitive::<Int64Type>().values(),
            &[5, 3, 2, 1, 4]
        );
        let hosts = table.column(1).as_dictionary::<Int32Type>();
        assert_eq!(hosts.keys().null_count(), 1);
        assert!(hosts.is_null(1));
    }

    #[test]
    fn lines_of_one_point_are_one_row_and_the_counts_balance() {
        let found = batches("m a=1 5\nm b=2 5\nm a=1 5\nm a=3 5\nbroken\n");
        let table = &found.tables["m"];
        // `a` was given two values: both are kept.
        assert_eq!(times(table), [5, 5]);
        assert_eq!(table.column_by_name("b").unwrap().null_count(), 1);
        let expected = Counts {
            lines: 5,
            points: 1,
            folded: 3,
            conflicts: 1,
            rejected: 1,
            rejected_again: 0,
        };
        assert_eq!(found.counts, expected);
        assert_eq!(found.rejects[0].line, b"broken");
        let Origin::File { offset, .. } = &found.rejects[0].origin else {
            panic!("{:?}", found.rejects[0].origin);
        };
        assert_eq!(*offset, 32);
    }

    #[test]
    fn declared_columns_have_their_units_and_are_there_even_when_they_do_not_occur() {
        let found = batches("cpu,host=a,cpu=cpu0 usage_idle=99i 1\n");
        let schema = found.tables["cpu"].schema();
        let idle = schema.field_with_name("usage_idle").unwrap();
        assert_eq!(idle.data_type(), &DataType::Float64);
        assert_eq!(idle.metadata()["unit"], "percent");
        assert!(schema.field_with_name("usage_steal").is_ok());
    }

    #[test]
    fn microseconds_and_a_time_for_lines_without_one_are_taken_as_asked() {
        let settings = CollectSettings {
            time_unit: TimeUnit::Us,
            ..CollectSettings::default()
        };
        let found = record_batches(b"m a=1\nm a=2 7000\nm a=3 7001\n", Some(9_000), settings).unwrap();
        let times = found.tables["m"]
            .column(0)
            .as_primitive::<TimestampMicrosecondType>()
            .values()
            .to_vec();
        assert_eq!(times, [7, 9]);
        assert_eq!(found.rejects.len(), 1);
    }

    #[test]
    fn no_lines_give_no_tables() {
        let found = batches("\n# nothing\n");
        assert!(found.tables.is_empty());
        assert_eq!(found.counts, Counts::default());
    }

    proptest! {
        #[test]
        fn the_order_of_the_lines_decides_nothing(
            lines in prop::collection::vec((0..3u8, 0..3u8, 0..4i64, 0..3u8), 1..30)
                .prop_flat_map(|lines| (Just(lines.clone()), Just(lines).prop_shuffle())),
        ) {
            let text = |lines: &[(u8, u8, i64, u8)]| -> String {
                lines.iter().map(|(m, host, time, value)| format!("m{m},host=h{host} v{value}={value},w={value} {time}\n")).collect()
            };
            let (one, other) = (batches(&text(&lines.0)), batches(&text(&lines.1)));
            prop_assert_eq!(one.tables, other.tables);
            prop_assert_eq!(one.counts, other.counts);
        }
    }
}
