//! How far long work has come, on a terminal: what is read, what is left of each partition, then sorting, encoding and the commit. It is
//! gone when the work is done; where standard error is no terminal there is nothing of it.

use std::fmt;
use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::report::{bytes, escaped, grouped};

/// From one picture to the next.
const TICK: Duration = Duration::from_millis(125);

/// Partitions with a line of their own: those with the most left.
const SHOWN_PARTITIONS: usize = 6;

/// Characters of a partition's name that are shown.
const SHOWN_NAME: usize = 40;

/// The bar of the work that is going on, if there is one: other lines are printed above it.
static ON_SCREEN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// What a command shows of its progress; nothing where nobody looks.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    shown: bool,
}

/// A partition that is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionAhead {
    /// `topic[number]`
    pub name: String,
    /// The offset to be read next.
    pub next: i64,
    /// The offset behind the last one to be read.
    pub end: i64,
}

/// One piece of work that is shown until it is dropped.
#[derive(Debug)]
pub struct Work {
    bar: ProgressBar,
}

/// Messages or lines being read, shown until it is dropped.
#[derive(Debug)]
pub struct Reading {
    work: Work,
    counts: Arc<ReadCounts>,
}

#[derive(Debug)]
struct ReadCounts {
    since: Instant,
    what: &'static str,
    read: AtomicU64,
    bytes: AtomicU64,
    partitions: Vec<(PartitionAhead, AtomicI64)>,
}

impl Progress {
    /// Shows itself if standard error is a terminal.
    pub(super) fn new(wanted: bool) -> Self {
        Self {
            shown: wanted && std::io::stderr().is_terminal(),
        }
    }

    /// Work of which nothing is known but that it goes on.
    pub fn wait(&self, what: impl Into<String>) -> Work {
        self.show(None, "{msg} {elapsed}", what.into())
    }

    /// So many rows that are encoded, or checked.
    pub fn rows(&self, what: impl Into<String>, rows: u64) -> Work {
        let template = "{msg}  [{bar:24}] {percent:>3}%{left}\n  {counted} of {all} rows";
        self.show(Some(rows), template, what.into())
    }

    /// Bytes of files that are read, if it is known how many they are.
    pub fn files(&self, all: Option<u64>) -> Reading {
        self.read("lines", Vec::new(), all)
    }

    /// Partitions that are read.
    pub fn partitions(&self, ahead: Vec<PartitionAhead>) -> Reading {
        let all = ahead
            .iter()
            .map(|partition| partition.end.abs_diff(partition.next))
            .sum();
        self.read("messages", ahead, Some(all))
    }

    fn read(&self, what: &'static str, ahead: Vec<PartitionAhead>, all: Option<u64>) -> Reading {
        let counts = Arc::new(ReadCounts {
            since: Instant::now(),
            what,
            read: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            partitions: ahead
                .into_iter()
                .map(|partition| {
                    let next = AtomicI64::new(partition.next);
                    (partition, next)
                })
                .collect(),
        });
        let template = match all {
            Some(_) => "{msg}  [{bar:24}] {percent:>3}%{left}\n{read}",
            None => "{msg} {elapsed}\n{read}",
        };
        let told = Arc::clone(&counts);
        let tell = move |_: &ProgressState, out: &mut dyn fmt::Write| {
            let _ = write!(out, "{told}");
        };
        let style = style(template).with_key("read", tell);
        Reading {
            work: self.show_styled(all, style, "reading".to_owned()),
            counts,
        }
    }

    fn show(&self, all: Option<u64>, template: &str, what: String) -> Work {
        self.show_styled(all, style(template), what)
    }

    fn show_styled(&self, all: Option<u64>, style: ProgressStyle, what: String) -> Work {
        let target = match self.shown {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(all, target)
            .with_style(style)
            .with_message(what);
        if self.shown {
            bar.enable_steady_tick(TICK);
            *ON_SCREEN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
        }
        Work { bar }
    }
}

/// Bars in plain characters: they are the same in every font, and without colours.
fn style(template: &str) -> ProgressStyle {
    let plain = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let counted = |state: &ProgressState, out: &mut dyn fmt::Write| {
        let _ = write!(out, "{}", grouped(state.pos()));
    };
    let all = |state: &ProgressState, out: &mut dyn fmt::Write| {
        let _ = write!(out, "{}", grouped(state.len().unwrap_or(0)));
    };
    // Nothing can be foretold before anything is done.
    let left = |state: &ProgressState, out: &mut dyn fmt::Write| {
        if state.pos() > 0 {
            let _ = write!(out, "  ETA {:#}", HumanDuration(state.eta()));
        }
    };
    plain
        .progress_chars("=> ")
        .with_key("left", left)
        .with_key("counted", counted)
        .with_key("all", all)
}

impl Work {
    /// So much more is done.
    pub fn add(&self, done: u64) {
        self.bar.inc(done);
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        *ON_SCREEN.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Reading {
    /// So many more messages or lines, with so many bytes.
    pub fn add(&self, read: u64, bytes: u64) {
        self.counts.read.fetch_add(read, Ordering::Relaxed);
        self.counts.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The files were read so far, in bytes as they are on disk.
    pub fn at(&self, bytes: u64) {
        self.work.bar.set_position(bytes);
    }

    /// The partition, by its place among those ahead, was read up to this offset.
    pub fn read_to(&self, partition: usize, next: i64) {
        if let Some((_, at)) = self.counts.partitions.get(partition) {
            let before = at.fetch_max(next, Ordering::Relaxed);
            self.work.add(u64::try_from(next - before).unwrap_or(0));
        }
    }
}

/// The lines below the bar.
impl fmt::Display for ReadCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let read = self.read.load(Ordering::Relaxed);
        let size = self.bytes.load(Ordering::Relaxed);
        let seconds = self.since.elapsed().as_secs_f64().max(1e-3);
        let per_second = |number: u64| (number as f64 / seconds) as u64;
        write!(
            f,
            "  {} {}, {}/s, {}/s",
            grouped(read),
            self.what,
            grouped(per_second(read)),
            bytes(per_second(size))
        )?;
        let left = |(ahead, next): &(PartitionAhead, AtomicI64)| -> u64 {
            u64::try_from(ahead.end - next.load(Ordering::Relaxed)).unwrap_or(0)
        };
        let all = self.partitions.iter().map(left).enumerate();
        let mut open: Vec<(usize, u64)> = all.filter(|(_, left)| *left > 0).collect();
        open.sort_by_key(|&(_, left)| std::cmp::Reverse(left));
        let rest = open.split_off(open.len().min(SHOWN_PARTITIONS));
        // Each keeps its place on the screen.
        open.sort_unstable();
        let mut rows: Vec<(String, String)> = open
            .iter()
            .map(|&(place, left)| (shown(&self.partitions[place].0.name), grouped(left)))
            .collect();
        if !rest.is_empty() {
            let sum = rest.iter().map(|(_, left)| left).sum();
            rows.push((format!("{} more", grouped(rest.len() as u64)), grouped(sum)));
        }
        let width =
            |of: fn(&(String, String)) -> &String| rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0);
        let (names, numbers) = (width(|row| &row.0), width(|row| &row.1));
        for (name, left) in &rows {
            write!(f, "\n  {name:names$}  {left:>numbers$} left")?;
        }
        Ok(())
    }
}

/// A name as it fits into its column, the partition's number kept.
fn shown(name: &str) -> String {
    let name = escaped(name);
    let long = name.chars().count();
    if long <= SHOWN_NAME {
        return name;
    }
    format!("…{}", name.chars().skip(long - SHOWN_NAME + 1).collect::<String>())
}

/// Prints something while no bar is in its way.
pub(super) fn above_the_bar<R>(print: impl FnOnce() -> R) -> R {
    let bar = ON_SCREEN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match bar {
        Some(bar) => bar.suspend(print),
        None => print(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ahead(number: i64, end: i64) -> PartitionAhead {
        PartitionAhead {
            name: format!("metric[{number}]"),
            next: 0,
            end,
        }
    }

    #[test]
    fn the_partitions_with_the_most_left_are_named_in_their_order_and_the_others_summed_up() {
        let ahead = (0..9).map(|number| ahead(number, 1_000 * (number + 1)));
        let reading = Progress::default().partitions(ahead.collect());
        reading.add(4_000, 0);
        // Two are done, one goes on.
        for (partition, next) in [(8, 9_000), (0, 1_000), (5, 1_500), (5, 1_200)] {
            reading.read_to(partition, next);
        }
        let told = reading.counts.to_string();
        let mut lines = told.lines();
        let first = lines.next().unwrap();
        assert!(
            first.starts_with("  4,000 messages, ") && first.ends_with(" 0 B/s"),
            "{first}"
        );
        let expected = [
            "  metric[2]  3,000 left",
            "  metric[3]  4,000 left",
            "  metric[4]  5,000 left",
            "  metric[5]  4,500 left",
            "  metric[6]  7,000 left",
            "  metric[7]  8,000 left",
            "  1 more     2,000 left",
        ];
        assert_eq!(lines.collect::<Vec<_>>(), expected);
        assert_eq!(reading.work.bar.position(), 11_500);
    }

    #[test]
    fn a_long_name_keeps_the_number_of_its_partition() {
        let name = format!("{}[17]", "t".repeat(200));
        let shown = shown(&name);
        assert_eq!(shown.chars().count(), SHOWN_NAME);
        assert!(shown.starts_with("…t") && shown.ends_with("t[17]"), "{shown}");
    }
}
