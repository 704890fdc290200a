//! What the ledger and the reject files say for a report: sizes, what came late, what was rejected.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use chrono::DateTime;

use super::super::stored_rejects::each_stored;
use crate::calendar::{Day, Zone};
use crate::error::Result;
use crate::report::html::{DayFacts, Facts, MeasurementFacts, RejectFacts, shown};
use crate::store::Archive;
use crate::store::record::{Commit, DayEntry};

/// Days that are listed, the last ones.
const MOST_DAYS: usize = 366;

/// Measurements that are listed, the largest ones.
const MOST_MEASUREMENTS: usize = 200;

/// Columns that are named for a reason of rejects.
const MOST_PLACES: usize = 3;

/// Commands that bring rows; others write days anew that are there already.
const BRINGING: [&str; 4] = ["archive", "import", "merge", "rejects"];

/// What is said of the days of `time`, and of the archive as a whole.
///
/// # Errors
/// A ledger or a reject file that is damaged.
pub fn facts(archive: &Archive, time: &Range<i64>, zone: Zone, notes: Vec<String>) -> Result<Facts> {
    let state = archive.state();
    let mut arrivals = Arrivals::new(zone);
    archive.each_commit(|commit| {
        arrivals.add(&commit);
        Ok(())
    })?;
    let entries: Vec<&DayEntry> = state
        .days
        .values()
        .filter(|day| day.has_file() && day.first < time.end && day.last >= time.start)
        .collect();
    let (days, days_left_out) = days(&entries, arrivals.days, time, zone)?;
    let (measurements, measurements_left_out) = measurements(&entries);
    Ok(Facts {
        archive: archive.dir().display().to_string(),
        timezone: archive.settings().timezone.clone(),
        commits: state.commits,
        at: arrivals.at,
        lines: state.totals.lines,
        points: state.totals.points,
        folded: state.totals.folded,
        conflicts: state.totals.conflicts,
        rejected: state.totals.rejected,
        days,
        days_left_out,
        measurements,
        measurements_left_out,
        rejects: rejects(archive)?,
        notes,
    })
}

/// When the rows of each day came, commit by commit.
struct Arrivals {
    zone: Zone,
    /// When the last commit was made.
    at: Option<String>,
    /// Rows and last time of each measurement and day so far.
    so_far: HashMap<(String, String), (u64, i64)>,
    /// The last day of each measurement so far.
    last_day: HashMap<String, String>,
    days: HashMap<String, Arrived>,
}

/// When the rows of a day came, all measurements together.
#[derive(Clone, Copy, Debug, Default)]
struct Arrived {
    late: u64,
    /// Sum over the rows that came in order of the nanoseconds from their times to the commit, and how many rows those are.
    lag: f64,
    in_order: u64,
    /// Nanoseconds from the day's end to the last commit that brought rows.
    ended_after: Option<i128>,
}

impl Arrivals {
    fn new(zone: Zone) -> Self {
        Self {
            zone,
            at: None,
            so_far: HashMap::new(),
            last_day: HashMap::new(),
            days: HashMap::new(),
        }
    }

    fn add(&mut self, commit: &Commit) {
        self.at.clone_from(&commit.at);
        let at = commit
            .at
            .as_deref()
            .and_then(|at| DateTime::parse_from_rfc3339(at).ok());
        let at = at.and_then(|at| at.timestamp_nanos_opt()).map(i128::from);
        let brings = BRINGING.contains(&commit.command.as_str());
        for entry in &commit.days {
            let key = (entry.measurement.clone(), entry.day.clone());
            let before = self.so_far.insert(key, (entry.rows, entry.last));
            let new = entry.rows.saturating_sub(before.map_or(0, |(rows, _)| rows));
            if brings && new > 0 {
                self.count(entry, new, before.map(|(_, last)| last), at);
            }
        }
        // Only then: the days of one commit came together.
        for entry in &commit.days {
            let last = self.last_day.entry(entry.measurement.clone()).or_default();
            if *last < entry.day {
                last.clone_from(&entry.day);
            }
        }
    }

    fn count(&mut self, entry: &DayEntry, new: u64, last_before: Option<i64>, at: Option<i128>) {
        let arrived = self.days.entry(entry.day.clone()).or_default();
        let begun_later = self
            .last_day
            .get(&entry.measurement)
            .is_some_and(|last| *last > entry.day);
        let is_late = begun_later || last_before.is_some_and(|last| entry.last <= last);
        if is_late {
            arrived.late += new;
        }
        let Some(at) = at else {
            return;
        };
        if let Ok(day) = entry.day.parse::<Day>() {
            let after = at - self.zone.bounds(day).1;
            arrived.ended_after = Some(arrived.ended_after.map_or(after, |before| before.max(after)));
        }
        // The new rows lie behind what was there, evenly, so that their middle stands for them.
        let from = last_before.unwrap_or(entry.first);
        if !is_late && entry.last > from {
            let middle = (i128::from(from) + i128::from(entry.last)) / 2;
            arrived.lag += (at - middle) as f64 * new as f64;
            arrived.in_order += new;
        }
    }
}

/// Every day of the report, those without a file too: they are what one looks for.
fn days(
    entries: &[&DayEntry],
    arrived: HashMap<String, Arrived>,
    time: &Range<i64>,
    zone: Zone,
) -> Result<(Vec<DayFacts>, u64)> {
    let mut by_day: BTreeMap<Day, DayFacts> = BTreeMap::new();
    if time.is_empty() {
        return Ok((Vec::new(), 0));
    }
    let mut left_out = 0;
    let last = zone.day_of(time.end - 1);
    let mut day = zone.day_of(time.start);
    while day <= last {
        by_day.insert(day, DayFacts::none(day));
        if by_day.len() > MOST_DAYS {
            by_day.pop_first();
            left_out += 1;
        }
        day = day.next();
    }
    for entry in entries {
        if let Some(facts) = by_day.get_mut(&entry.day.parse()?) {
            facts.rows += entry.rows;
            add(&mut facts.parquet, entry.parquet.as_ref().map(|file| file.bytes));
            add(&mut facts.csv, entry.csv.as_ref().map(|file| file.bytes));
        }
    }
    for (day, arrived) in arrived {
        if let Some(facts) = by_day.get_mut(&day.parse()?) {
            let seconds = |nanoseconds: f64| (nanoseconds / 1e9).round();
            facts.late = arrived.late;
            facts.lag = (arrived.in_order > 0).then(|| seconds(arrived.lag / arrived.in_order as f64));
            facts.ended_after = arrived.ended_after.map(|after| seconds(after as f64));
        }
    }
    Ok((by_day.into_values().collect(), left_out))
}

fn measurements(entries: &[&DayEntry]) -> (Vec<MeasurementFacts>, u64) {
    let mut by_name: BTreeMap<&str, MeasurementFacts> = BTreeMap::new();
    for entry in entries {
        let facts = by_name.entry(&entry.measurement).or_insert_with(|| MeasurementFacts {
            name: shown(&entry.measurement),
            days: 0,
            rows: 0,
            parquet: None,
            csv: None,
        });
        facts.days += 1;
        facts.rows += entry.rows;
        add(&mut facts.parquet, entry.parquet.as_ref().map(|file| file.bytes));
        add(&mut facts.csv, entry.csv.as_ref().map(|file| file.bytes));
    }
    let mut all: Vec<MeasurementFacts> = by_name.into_values().collect();
    let bytes = |facts: &MeasurementFacts| facts.parquet.unwrap_or_default() + facts.csv.unwrap_or_default();
    all.sort_by_key(|facts| std::cmp::Reverse(bytes(facts)));
    let left_out = all.len().saturating_sub(MOST_MEASUREMENTS) as u64;
    all.truncate(MOST_MEASUREMENTS);
    (all, left_out)
}

fn add(sum: &mut Option<u64>, bytes: Option<u64>) {
    if let Some(bytes) = bytes {
        *sum.get_or_insert(0) += bytes;
    }
}

/// The lines that are kept as rejects, by reason.
fn rejects(archive: &Archive) -> Result<Vec<RejectFacts>> {
    let mut reasons: BTreeMap<&'static str, (RejectFacts, BTreeMap<String, u64>)> = BTreeMap::new();
    each_stored(archive.state(), &|target| archive.locate(target), |stored| {
        let reason = stored.text.reason.as_str();
        let (facts, places) = reasons.entry(reason).or_insert_with(|| {
            let facts = RejectFacts {
                reason: reason.to_owned(),
                waiting: 0,
                retried: 0,
                places: Vec::new(),
            };
            (facts, BTreeMap::new())
        });
        match stored.retried {
            true => facts.retried += 1,
            false => facts.waiting += 1,
        }
        if let Some((measurement, column)) = stored.text.place {
            *places.entry(format!("{measurement}.{column}")).or_default() += 1;
        }
        Ok(())
    })?;
    let mut all: Vec<RejectFacts> = reasons
        .into_values()
        .map(|(facts, places)| {
            let mut places: Vec<(String, u64)> = places.into_iter().collect();
            places.sort_by_key(|(_, lines)| std::cmp::Reverse(*lines));
            let named = places.iter().take(MOST_PLACES).map(|(place, _)| shown(place));
            RejectFacts {
                places: named.collect(),
                ..facts
            }
        })
        .collect();
    all.sort_by_key(|facts| std::cmp::Reverse(facts.waiting + facts.retried));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;
    /// 2020-06-19T00:00:00Z.
    const JUNE_19: i64 = 1_592_524_800 * S;
    const HOUR: i64 = 3_600 * S;

    /// A day of June 2020 that has so many rows since midnight to this hour.
    fn day(day: u32, rows: u64, last_hour: i64) -> DayEntry {
        let first = JUNE_19 + i64::from(day - 19) * 24 * HOUR;
        DayEntry {
            measurement: "m".to_owned(),
            day: format!("2020-06-{day}"),
            rows,
            first,
            last: first + last_hour * HOUR,
            encoder: 1,
            leaves: Vec::new(),
            parquet: None,
            csv: None,
        }
    }

    fn commit(command: &str, at: Option<&str>, days: Vec<DayEntry>) -> Commit {
        Commit {
            command: command.to_owned(),
            at: at.map(str::to_owned),
            days,
            ..Commit::default()
        }
    }

    fn arrived(commits: &[Commit]) -> HashMap<String, Arrived> {
        let mut arrivals = Arrivals::new(Zone::Utc);
        commits.iter().for_each(|commit| arrivals.add(commit));
        arrivals.days
    }

    #[test]
    fn rows_before_the_newest_of_their_day_or_behind_a_later_day_are_late() {
        let found = arrived(&[
            commit("archive", None, vec![day(19, 100, 12)]),
            // In order.
            commit("archive", None, vec![day(19, 200, 23)]),
            // The same newest row as before; the next day comes with them.
            commit("archive", None, vec![day(19, 203, 23), day(20, 50, 5)]),
            // Newer than what the day had, but a later one was begun.
            commit("archive", None, vec![day(19, 210, 24), day(20, 60, 6)]),
        ]);
        assert_eq!(found["2020-06-19"].late, 3 + 7);
        assert_eq!(found["2020-06-20"].late, 0);
    }

    #[test]
    fn days_that_are_written_anew_bring_no_rows() {
        let found = arrived(&[
            commit("import", None, vec![day(19, 100, 12), day(20, 10, 1)]),
            commit("schema", None, vec![day(19, 101, 12)]),
            commit("prune", None, vec![day(19, 101, 12)]),
        ]);
        assert_eq!(found["2020-06-19"].late, 0);
    }

    #[test]
    fn the_lag_is_from_the_middle_of_the_new_rows_to_the_commit() {
        let found = arrived(&[
            commit("archive", Some("2020-06-19T12:00:00Z"), vec![day(19, 100, 12)]),
            commit("archive", Some("2020-06-20T01:00:00Z"), vec![day(19, 300, 24)]),
        ]);
        let day = found["2020-06-19"];
        // 100 rows took 6 h in the mean, 200 rows 7 h.
        assert_eq!(day.in_order, 300);
        assert_eq!(day.lag / 300.0 / HOUR as f64, (100.0 * 6.0 + 200.0 * 7.0) / 300.0);
        assert_eq!(day.ended_after, Some(i128::from(HOUR)));
    }

    #[test]
    fn a_ledger_without_times_says_nothing_of_lag() {
        let found = arrived(&[commit("archive", None, vec![day(19, 100, 12)])]);
        assert_eq!(
            (found["2020-06-19"].in_order, found["2020-06-19"].ended_after),
            (0, None)
        );
    }
}
