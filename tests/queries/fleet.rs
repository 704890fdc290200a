//! Archives whose lines are known, and those lines in a form to compute with: what a query should answer, found without DuckDB.

use std::collections::BTreeMap;

use diurnal::simulate::Simulation;
use serde_json::Value;

use super::query;
use crate::support::duckdb::DuckDb;
use crate::support::folder::Folder;
use crate::support::run::diurnal;

#[path = "../../examples/three_weeks.rs"]
#[expect(dead_code, reason = "it is a program of its own as well")]
pub mod three_weeks;

/// When the weeks of the fleet are archived: half an hour past midnight after each.
pub const COMMITTED_S: [i64; 3] = [1_591_576_500, 1_592_181_300, 1_592_786_100];

/// When the demo's archive is made in tests: at the end of its lines.
pub const DEMO_S: i64 = 1_592_654_400;

/// Makes `archive` in the folder of three weeks of a fleet, one import a week.
pub fn archive_three_weeks(folder: &Folder, archive: &str) {
    for (week, at) in (1..).zip(COMMITTED_S) {
        let name = format!("week-{week}.lp");
        folder.write(&name, three_weeks::lines(week).join("\n") + "\n");
        let import = diurnal(folder, "import").args(["--archive", archive, &name]);
        // It has rejects.
        import.env("DIURNAL_CLOCK", at.to_string()).run().expect_code(3);
    }
}

/// Makes `archive` in the folder as `diurnal demo` does by default.
pub fn archive_demo(folder: &Folder, archive: &str) {
    let demo = diurnal(folder, "demo").args(["--archive", archive]);
    demo.env("DIURNAL_CLOCK", DEMO_S.to_string()).run().expect_code(0);
}

/// What a query of `queries/` answers on the folder's archive.
#[track_caller]
pub fn answer(duckdb: &DuckDb, folder: &Folder, name: &str) -> Vec<Value> {
    duckdb.query(folder.path(), &query(name))
}

/// A point of the lines that an archive takes, with the fields that are numbers.
pub struct Point {
    pub time: i64,
    pub host: String,
    pub fields: BTreeMap<String, f64>,
}

impl Point {
    /// Per cent that the processor was busy.
    pub fn busy(&self) -> f64 {
        100.0 - self.fields["usage_idle"]
    }

    /// The day of 1970-01-01 UTC and so on.
    pub fn day(&self) -> i64 {
        self.time.div_euclid(86_400_000_000_000)
    }

    pub fn hour(&self) -> i64 {
        self.time.div_euclid(3_600_000_000_000)
    }
}

/// The points of a measurement in the order of time and host; the last line of a point is left to say what its fields are.
pub fn points<'a>(lines: impl IntoIterator<Item = &'a str>, measurement: &str) -> Vec<Point> {
    let mut points: BTreeMap<(i64, String), BTreeMap<String, f64>> = BTreeMap::new();
    for line in lines {
        let Some((time, host, fields)) = parsed(line, measurement) else {
            continue;
        };
        points.entry((time, host)).or_default().extend(fields);
    }
    let point = |((time, host), fields)| Point { time, host, fields };
    points.into_iter().map(point).collect()
}

/// Time, host and fields of a line; nothing of those that become rejects. Without escapes, which these lines don't have.
fn parsed(line: &str, measurement: &str) -> Option<(i64, String, BTreeMap<String, f64>)> {
    let mut parts = line.trim_end().split(' ');
    let (series, fields, time) = (parts.next()?, parts.next()?, parts.next()?);
    let mut tags = series.split(',');
    if tags.next() != Some(measurement) {
        return None;
    }
    let host = tags.find_map(|tag| tag.strip_prefix("host="))?;
    let number = |field: &str| {
        let (name, value) = field.split_once('=')?;
        Some((name.to_owned(), value.trim_end_matches('i').parse().ok()?))
    };
    let fields = fields.split(',').map(number).collect::<Option<_>>()?;
    let time: i64 = time.parse().ok()?;
    let since_1990 = 631_152_000_000_000_000;
    (time >= since_1990).then(|| (time, host.to_owned(), fields))
}

/// The points of the fleet.
pub fn fleet_points(measurement: &str) -> Vec<Point> {
    let lines: Vec<String> = (1..=3).flat_map(three_weeks::lines).collect();
    points(lines.iter().map(String::as_str), measurement)
}

/// The points of the demo with its default flags.
pub fn demo_points(measurement: &str) -> Vec<Point> {
    let simulation = Simulation {
        hosts: 5,
        first_s: DEMO_S - 86_400,
        end_s: DEMO_S,
        seed: 20_200_619,
    };
    let traffic = simulation.traffic(5);
    points(traffic.sent.iter().map(|sent| sent.line.as_str()), measurement)
}

/// What `of` gives of the points, for each key.
pub fn grouped<K: Ord, V>(
    points: &[Point],
    key: impl Fn(&Point) -> K,
    of: impl Fn(&Point) -> V,
) -> BTreeMap<K, Vec<V>> {
    let mut groups: BTreeMap<K, Vec<V>> = BTreeMap::new();
    for point in points {
        groups.entry(key(point)).or_default().push(of(point));
    }
    groups
}

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The quantile between the two values beside it, as SQL's `quantile_cont` has it.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

/// Slope and R² of the straight line through the points (least squares).
pub fn straight_line(points: &[(f64, f64)]) -> (f64, f64) {
    let (xs, ys): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
    let (mean_x, mean_y) = (mean(&xs), mean(&ys));
    let products = |left: &dyn Fn(&(f64, f64)) -> f64, right: &dyn Fn(&(f64, f64)) -> f64| -> f64 {
        points.iter().map(|point| left(point) * right(point)).sum()
    };
    let (dx, dy) = (
        |point: &(f64, f64)| point.0 - mean_x,
        |point: &(f64, f64)| point.1 - mean_y,
    );
    let (xx, xy, yy) = (products(&dx, &dx), products(&dx, &dy), products(&dy, &dy));
    (xy / xx, xy * xy / (xx * yy))
}

/// A number of an answer, also one that Python only has as text.
#[track_caller]
pub fn number(row: &Value, column: &str) -> f64 {
    let value = &row[column];
    let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
    number.unwrap_or_else(|| panic!("{column} is no number: {row}"))
}

/// Checks numbers of an answer that the query has rounded to so many digits.
#[track_caller]
pub fn expect_rounded(row: &Value, digits: i32, expected: &[(&str, f64)]) {
    // Half a unit of the last digit, and a little for sums in another order.
    let tolerance = 0.5 * 10f64.powi(-digits) * 1.001 + 1e-9;
    for (column, expected) in expected {
        let found = number(row, column);
        assert!(
            (found - expected).abs() <= tolerance,
            "{column} is {found} instead of {expected}: {row}"
        );
    }
}

/// The text in a column of each row.
pub fn texts<'a>(rows: &'a [Value], column: &str) -> Vec<&'a str> {
    let text = |row: &'a Value| row[column].as_str().unwrap_or("no text");
    rows.iter().map(text).collect()
}
