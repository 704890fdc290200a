//! What the page holds, in the form in which its script reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::Serialize;

use super::Rendered;
use super::label::{Labels, shown};
use super::number::{Number, rounded};
use super::plot::{At, FinishedPlot, FinishedSeries};
use crate::calendar::{Day, Zone};
use crate::report::to_json;

/// Bytes that the plots may take: what is left of the page's one and a half megabytes is for the rest of it.
const PLOT_BYTES: usize = 1_100_000;

/// Buckets below which series are left out instead of made coarser.
const LEAST_BUCKETS: usize = 60;

/// What an archive says of itself beside its rows.
#[derive(Debug, Serialize)]
pub struct Facts {
    /// Its folder as it was given.
    pub archive: String,
    /// The zone of its days.
    pub timezone: String,
    /// Id of its last commit, and when that was made.
    pub commits: u64,
    /// RFC 3339, where the ledger has it.
    pub at: Option<String>,
    /// Of all commits.
    pub lines: u64,
    /// Of all commits.
    pub points: u64,
    /// Of all commits.
    pub folded: u64,
    /// Of all commits.
    pub conflicts: u64,
    /// Of all commits.
    pub rejected: u64,
    /// The days of the report in order, those without files too.
    #[serde(skip)]
    pub days: Vec<DayFacts>,
    /// Days of the report that come before them and are not listed.
    pub days_left_out: u64,
    /// The measurements of the report, the largest first.
    pub measurements: Vec<MeasurementFacts>,
    /// Measurements that are not listed.
    pub measurements_left_out: u64,
    /// Rejects by reason, the most first.
    pub rejects: Vec<RejectFacts>,
    /// Sentences that a reader has to know.
    pub notes: Vec<String>,
}

impl DayFacts {
    /// A day of which nothing is known.
    pub fn none(day: Day) -> Self {
        Self {
            day,
            rows: 0,
            parquet: None,
            csv: None,
            late: 0,
            lag: None,
            ended_after: None,
        }
    }
}

/// What the ledger says of a day, all measurements together.
#[derive(Clone, Debug, PartialEq)]
pub struct DayFacts {
    /// The day.
    pub day: Day,
    /// Rows, and bytes by format.
    pub rows: u64,
    /// `None` where no file is of that format.
    pub parquet: Option<u64>,
    /// `None` where no file is of that format.
    pub csv: Option<u64>,
    /// Rows that came when later ones of their measurement were there.
    pub late: u64,
    /// Seconds from a row's time to its commit, about, over the rows that came in order; `None` where the ledger has no times.
    pub lag: Option<f64>,
    /// Seconds from the end of the day to the last commit that brought rows.
    pub ended_after: Option<f64>,
}

/// The files of a measurement in the report's days.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MeasurementFacts {
    /// Its name.
    pub name: String,
    /// Days with a file.
    pub days: u64,
    /// Rows.
    pub rows: u64,
    /// Bytes of the Parquet files, if there are any.
    pub parquet: Option<u64>,
    /// Bytes of the CSV files, if there are any.
    pub csv: Option<u64>,
}

/// The stored rejects of one reason, of the whole archive.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RejectFacts {
    /// Its stable name.
    pub reason: String,
    /// Lines that wait.
    pub waiting: u64,
    /// Lines that were archived when they were driven again.
    pub retried: u64,
    /// Columns that most of them concern.
    pub places: Vec<String>,
}

impl Facts {
    /// What the page is called.
    pub fn title(&self) -> String {
        format!("diurnal report: {}", shown(&self.archive))
    }
}

#[derive(Serialize)]
struct PageData<'a> {
    facts: &'a Facts,
    /// From, until, in seconds since 1970-01-01 UTC.
    time: [Number; 2],
    hosts: Vec<&'a str>,
    plots: &'a [PlotData],
    days: Vec<DayData>,
}

/// All times are seconds since 1970-01-01 UTC, all spans seconds.
#[derive(Serialize)]
struct PlotData {
    name: String,
    unit: Option<String>,
    about: Option<String>,
    common: Vec<String>,
    left_out: u64,
    left_out_more: bool,
    start: Number,
    width: Number,
    buckets: usize,
    /// How far the zone's clock is ahead of UTC.
    offset: Number,
    series: Vec<SeriesData>,
}

#[derive(Serialize)]
struct SeriesData {
    host: String,
    rest: String,
    interval: Option<Number>,
    longest: Number,
    samples: u64,
    missing: u64,
    conflicts: u64,
    first: Number,
    last: Number,
    /// Value and time.
    least: [Number; 2],
    greatest: [Number; 2],
    mean: Number,
    /// The bucket that the lists begin with.
    skip: usize,
    lo: Vec<Option<Number>>,
    hi: Vec<Option<Number>>,
    mid: Vec<Option<Number>>,
    /// Values in each bucket: count, and how many buckets in a row have it.
    counts: Vec<u64>,
}

#[derive(Serialize)]
struct DayData {
    day: String,
    start: Number,
    rows: u64,
    parquet: Option<u64>,
    csv: Option<u64>,
    late: u64,
    lag: Option<Number>,
    ended_after: Option<Number>,
    /// Of all series of all plots.
    samples: u64,
    missing: u64,
}

/// The page's data as JSON, and what of it is in numbers; `html` is left empty.
pub(super) fn page_data(
    facts: &Facts,
    mut plots: Vec<FinishedPlot>,
    time: &Range<i64>,
    zone: Zone,
) -> (Vec<u8>, Rendered) {
    let data = fitting(&mut plots, time);
    let hosts: BTreeSet<&str> = data
        .iter()
        .flat_map(|plot| &plot.series)
        .map(|s| s.host.as_str())
        .collect();
    let series = plots.iter().map(|plot| plot.series.len() as u64).sum();
    let left_out = plots.iter().map(|plot| plot.left_out).sum();
    let values = plots
        .iter()
        .flat_map(|plot| &plot.series)
        .map(|series| series.series.values)
        .sum();
    let buckets = data
        .iter()
        .flat_map(|plot| &plot.series)
        .map(|series| series.mid.iter().flatten().count() as u64);
    let buckets = buckets.sum();
    let totals = plots
        .iter()
        .flat_map(|plot| &plot.series)
        .map(|series| series.completeness.totals());
    let missing = totals.fold(0_u64, |sum, (_, missing)| sum.saturating_add(missing));
    let json = to_json(&PageData {
        facts,
        time: [seconds(i128::from(time.start)), seconds(i128::from(time.end))],
        hosts: hosts.into_iter().collect(),
        plots: &data,
        days: days(facts, &plots, zone),
    });
    let rendered = Rendered {
        html: Vec::new(),
        plots: plots.len(),
        series,
        left_out,
        values,
        buckets,
        missing,
    };
    (json, rendered)
}

/// The plots in buckets so wide, and with so few series, that they fit.
fn fitting(plots: &mut [FinishedPlot], time: &Range<i64>) -> Vec<PlotData> {
    loop {
        let data: Vec<PlotData> = plots.iter().map(plot_data).collect();
        if to_json(&data).len() <= PLOT_BYTES {
            return data;
        }
        let most = plots.iter().map(|plot| plot.series.len()).max().unwrap_or_default();
        let coarsest = plots.iter().any(|plot| plot.grid.wider(time).buckets < LEAST_BUCKETS);
        match coarsest {
            false => plots.iter_mut().for_each(|plot| plot.widen(time)),
            true if most > 1 => plots.iter_mut().for_each(|plot| plot.keep_first(most / 2)),
            true => return data,
        }
    }
}

fn plot_data(plot: &FinishedPlot) -> PlotData {
    let labels = Labels::new(plot.series.iter().map(|series| &series.tags));
    let names = labels.hosts.into_iter().zip(labels.rest);
    PlotData {
        name: shown(&plot.field.name),
        unit: plot.field.unit.as_deref().map(shown),
        about: plot.field.about.as_deref().map(shown),
        common: labels.common,
        left_out: plot.left_out,
        left_out_more: plot.left_out_more,
        start: seconds(plot.grid.start),
        width: seconds(plot.grid.width),
        buckets: plot.grid.buckets,
        offset: seconds(i128::from(plot.grid.offset)),
        series: plot
            .series
            .iter()
            .zip(names)
            .map(|(series, (host, rest))| series_data(series, host, rest))
            .collect(),
    }
}

fn series_data(of: &FinishedSeries, host: String, rest: String) -> SeriesData {
    let FinishedSeries {
        series, completeness, ..
    } = of;
    let (least, greatest) = (series.least.0, series.greatest.0);
    let span = greatest - least;
    // The extremes of the series stand in the plot as they are.
    let extreme = |value: f64| match value == least || value == greatest {
        true => Number(value),
        false => Number(rounded(value, span)),
    };
    let at = |(value, time): At| [Number(value), seconds(i128::from(time))];
    let (skip, buckets) = series.buckets.filled();
    let of_buckets = |figure: &dyn Fn(&super::buckets::Bucket) -> Number| {
        buckets
            .iter()
            .map(|bucket| (bucket.count > 0).then(|| figure(bucket)))
            .collect()
    };
    let mut counts: Vec<u64> = Vec::new();
    for bucket in buckets {
        match counts.last_chunk_mut::<2>() {
            Some([count, times]) if *count == bucket.count => *times += 1,
            _ => counts.extend([bucket.count, 1]),
        }
    }
    let (samples, missing) = completeness.totals();
    SeriesData {
        host,
        rest,
        interval: completeness.interval.map(span_seconds),
        longest: span_seconds(completeness.longest),
        samples,
        missing,
        conflicts: series.conflicts,
        first: seconds(i128::from(series.time.0)),
        last: seconds(i128::from(series.time.1)),
        least: at(series.least),
        greatest: at(series.greatest),
        mean: Number(rounded(series.mean, span)),
        skip,
        lo: of_buckets(&|bucket| extreme(bucket.least)),
        hi: of_buckets(&|bucket| extreme(bucket.greatest)),
        mid: of_buckets(&|bucket| Number(rounded(bucket.mean, span))),
        counts,
    }
}

fn days(facts: &Facts, plots: &[FinishedPlot], zone: Zone) -> Vec<DayData> {
    let mut samples: BTreeMap<Day, (u64, u64)> = BTreeMap::new();
    for completeness in plots
        .iter()
        .flat_map(|plot| &plot.series)
        .map(|series| &series.completeness)
    {
        for (day, count) in &completeness.samples {
            samples.entry(*day).or_default().0 += count;
        }
        for (day, count) in &completeness.missing {
            let sum = &mut samples.entry(*day).or_default().1;
            *sum = sum.saturating_add(*count);
        }
    }
    facts
        .days
        .iter()
        .map(|day| {
            let (found, missing) = samples.get(&day.day).copied().unwrap_or_default();
            DayData {
                day: day.day.to_string(),
                start: seconds(zone.bounds(day.day).0),
                rows: day.rows,
                parquet: day.parquet,
                csv: day.csv,
                late: day.late,
                lag: day.lag.map(|lag| Number(rounded(lag, 0.0))),
                ended_after: day.ended_after.map(Number),
                samples: found,
                missing,
            }
        })
        .collect()
}

/// A span of nanoseconds as seconds.
fn span_seconds(nanoseconds: u64) -> Number {
    Number(rounded(nanoseconds as f64 / 1e9, 0.0))
}

/// Nanoseconds as seconds, to the millisecond: what a plot's axis holds.
fn seconds(nanoseconds: i128) -> Number {
    Number(nanoseconds.div_euclid(1_000_000) as f64 / 1e3)
}
