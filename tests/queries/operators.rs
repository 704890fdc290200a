//! What operators ask of the points: each answer is computed from the lines once more, without DuckDB.

use std::collections::BTreeMap;

use super::fleet::{
    Point, answer, archive_demo, archive_three_weeks, demo_points, expect_rounded, fleet_points, grouped, mean, number,
    quantile, straight_line, texts,
};
use super::query;
use crate::support::duckdb::DuckDb;
use crate::support::folder::Folder;

const DAY_NS: f64 = 86_400e9;

/// The demo's archive, or nothing where there is no DuckDB.
fn demo() -> Option<(&'static DuckDb, Folder)> {
    let duckdb = DuckDb::get()?;
    let folder = Folder::new();
    archive_demo(&folder, "archive");
    Some((duckdb, folder))
}

fn three_weeks() -> Option<(&'static DuckDb, Folder)> {
    let duckdb = DuckDb::get()?;
    let folder = Folder::new();
    archive_three_weeks(&folder, "archive");
    Some((duckdb, folder))
}

fn host(point: &Point) -> String {
    point.host.clone()
}

#[test]
fn the_busiest_hosts_come_first_with_their_percentiles() {
    let Some((duckdb, folder)) = demo() else { return };
    let mut hosts: Vec<_> = grouped(&demo_points("cpu"), host, Point::busy).into_iter().collect();
    hosts.sort_by(|(_, left), (_, right)| mean(right).total_cmp(&mean(left)));
    let rows = answer(duckdb, &folder, "top-hosts.sql");
    assert_eq!(
        texts(&rows, "host"),
        hosts.iter().map(|(host, _)| host.as_str()).collect::<Vec<_>>()
    );
    for (row, (_, busy)) in rows.iter().zip(&hosts) {
        let high = busy.iter().filter(|busy| **busy > 80.0).count();
        assert!(high > 0, "nothing to count: {row}");
        expect_rounded(
            row,
            2,
            &[
                ("samples", busy.len() as f64),
                ("mean_percent", mean(busy)),
                ("median_percent", quantile(busy, 0.5)),
                ("p95_percent", quantile(busy, 0.95)),
                ("busiest_percent", quantile(busy, 1.0)),
                ("share_high_percent", 100.0 * high as f64 / busy.len() as f64),
            ],
        );
    }
}

#[test]
fn a_host_by_the_hour_is_the_mean_of_its_samples() {
    let Some((duckdb, folder)) = demo() else { return };
    let hours = grouped(&demo_points("cpu"), |point| (point.hour(), host(point)), Point::busy);
    let rows = answer(duckdb, &folder, "cpu-by-hour.sql");
    assert_eq!((rows.len(), hours.len()), (5 * 24, 5 * 24));
    for (row, ((_, host), busy)) in rows.iter().zip(&hours) {
        assert_eq!(row["host"], host.as_str());
        expect_rounded(
            row,
            2,
            &[
                ("samples", 360.0),
                ("mean_percent", mean(busy)),
                ("busiest_percent", quantile(busy, 1.0)),
            ],
        );
    }
}

#[test]
fn the_busiest_minutes_are_those_of_all_hosts_together() {
    let Some((duckdb, folder)) = demo() else { return };
    let minute = |point: &Point| point.time.div_euclid(60_000_000_000);
    let by_host = grouped(&demo_points("cpu"), |point| (minute(point), host(point)), Point::busy);
    let mut minutes: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for ((minute, _), busy) in by_host {
        minutes.entry(minute).or_default().push(mean(&busy));
    }
    let mut means: Vec<f64> = minutes.values().map(|hosts| mean(hosts)).collect();
    means.sort_by(|left, right| right.total_cmp(left));
    let rows = answer(duckdb, &folder, "busiest-minutes.sql");
    assert_eq!(rows.len(), 20);
    for (row, mean) in rows.iter().zip(&means) {
        expect_rounded(row, 2, &[("mean_percent", *mean)]);
        assert!(number(row, "busiest_percent") >= *mean - 0.01, "{row}");
    }
}

#[test]
fn the_least_memory_of_each_host_and_its_time_are_found() {
    let Some((duckdb, folder)) = demo() else { return };
    let percent = |point: &Point| (point.fields["available_percent"], point.time);
    let hosts = grouped(&demo_points("mem"), host, percent);
    let mut had_low = false;
    // By default nobody is low in a demo.
    for low_percent in [10.0, 62.0] {
        let sql = query("memory-pressure.sql").replace("= 10.0", &format!("= {low_percent:.1}"));
        let rows = duckdb.query(folder.path(), &sql);
        assert_eq!(rows.len(), hosts.len());
        for row in &rows {
            let samples = &hosts[row["host"].as_str().expect("a host")];
            let least = samples.iter().map(|(percent, _)| *percent).fold(f64::MAX, f64::min);
            expect_rounded(row, 2, &[("least_available_percent", least)]);
            // Each sample holds for the ten seconds to the next one, the last one for a minute.
            let low = samples.iter().filter(|(percent, _)| *percent < low_percent).count() as f64 * 10.0;
            let last = if samples[samples.len() - 1].0 < low_percent {
                50.0
            } else {
                0.0
            };
            expect_rounded(row, 1, &[("minutes_low", (low + last) / 60.0)]);
            had_low |= low > 0.0;
        }
    }
    assert!(had_low, "nothing was counted");
}

#[test]
fn a_demo_misses_no_sample() {
    let Some((duckdb, folder)) = demo() else { return };
    assert_eq!(answer(duckdb, &folder, "missing-samples.sql").len(), 0);
}

#[test]
fn percentiles_by_day_are_those_of_the_days_samples() {
    let Some((duckdb, folder)) = three_weeks() else { return };
    let points = fleet_points("cpu");
    let days = grouped(&points, Point::day, Point::busy);
    let of_hosts = grouped(&points, |point| (point.day(), host(point)), Point::busy);
    let rows = answer(duckdb, &folder, "percentiles-by-day.sql");
    assert_eq!((rows.len(), days.len()), (21, 21));
    for (row, (day, busy)) in rows.iter().zip(&days) {
        let mut worst = ("", f64::MIN);
        for ((of_day, host), busy) in &of_hosts {
            let p95 = quantile(busy, 0.95);
            if of_day == day && p95 > worst.1 {
                worst = (host, p95);
            }
        }
        assert_eq!(row["worst_host"], worst.0, "{row}");
        expect_rounded(
            row,
            2,
            &[
                ("samples", busy.len() as f64),
                ("p50", quantile(busy, 0.5)),
                ("p95", quantile(busy, 0.95)),
                ("p99", quantile(busy, 0.99)),
                ("its_p95", worst.1),
            ],
        );
    }
}

#[test]
fn a_leak_is_told_from_memory_that_comes_and_goes() {
    let Some((duckdb, folder)) = three_weeks() else { return };
    let used = |point: &Point| (point.time as f64 / DAY_NS, point.fields["used"]);
    let hosts = grouped(&fleet_points("mem"), host, used);
    let rows = answer(duckdb, &folder, "memory-growth.sql");
    assert_eq!(rows.len(), 5);
    for row in &rows {
        let samples = &hosts[row["host"].as_str().expect("a host")];
        let (slope, fit) = straight_line(samples);
        expect_rounded(row, 1, &[("mib_a_day", slope / 1_048_576.0)]);
        expect_rounded(row, 3, &[("fit", fit)]);
        assert_eq!(row["days_left"].is_null(), fit < 0.5, "{row}");
    }
    assert_eq!(rows[0]["host"], "db-01");
    let memory = 32.0 * f64::from(1 << 30);
    let samples = &hosts["db-01"];
    let left = (memory - samples.last().expect("it has samples").1) / straight_line(samples).0;
    expect_rounded(&rows[0], 1, &[("days_left", left)]);
}

#[test]
fn a_disk_is_full_where_the_line_of_its_last_week_ends() {
    let Some((duckdb, folder)) = three_weeks() else { return };
    let points = fleet_points("disk");
    let last = points.last().expect("there are points").time;
    let used = |point: &Point| (point.time, point.fields["used"], point.fields["free"]);
    let hosts = grouped(&points, host, used);
    let rows = answer(duckdb, &folder, "disk-full.sql");
    // The one that is gone has no sample in the last week.
    assert_eq!(texts(&rows, "host"), ["db-01", "web-03", "web-01", "web-02"]);
    for row in &rows {
        let samples = &hosts[row["host"].as_str().expect("a host")];
        let week: Vec<(f64, f64)> = samples
            .iter()
            .filter(|(time, _, _)| *time > last - 7 * 86_400_000_000_000)
            .map(|(time, used, _)| (*time as f64 / DAY_NS, *used))
            .collect();
        let (slope, _) = straight_line(&week);
        let (_, used, free) = samples.last().expect("it has samples");
        expect_rounded(row, 2, &[("gib_a_day", slope / f64::from(1 << 30))]);
        expect_rounded(
            row,
            1,
            &[
                ("days_left", free / slope),
                ("used_percent", 100.0 * used / (used + free)),
            ],
        );
    }
    assert_eq!(rows[0]["full_on"], "2020-06-25");
}

#[test]
fn a_week_is_compared_with_the_same_hours_of_the_one_before() {
    let Some((duckdb, folder)) = three_weeks() else { return };
    let points = fleet_points("cpu");
    let hours = grouped(&points, |point| (host(point), point.hour()), Point::busy);
    let last = points.last().expect("there are points").hour();
    let mut pairs: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    for ((host, hour), busy) in &hours {
        if let Some(before) = hours.get(&(host.clone(), hour - 168))
            && *hour > last - 168
        {
            pairs.entry(host).or_default().push((mean(busy), mean(before)));
        }
    }
    let rows = answer(duckdb, &folder, "week-over-week.sql");
    // One is new in this week, one was gone before it.
    assert_eq!(texts(&rows, "host"), ["web-01", "web-02", "db-01"]);
    for row in &rows {
        let pairs = &pairs[row["host"].as_str().expect("a host")];
        let (this, before): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
        let changes: Vec<f64> = pairs.iter().map(|(this, before)| this - before).collect();
        expect_rounded(
            row,
            2,
            &[
                ("hours", 168.0),
                ("this_week_percent", mean(&this)),
                ("week_before_percent", mean(&before)),
                ("change", mean(&changes)),
                ("by_points", quantile(&changes, 1.0)),
            ],
        );
    }
    assert!(number(&rows[0], "change") > 7.0, "{rows:?}");
}

#[test]
fn a_sample_of_cpu_meets_the_newest_one_of_memory_that_is_not_younger() {
    let Some((duckdb, folder)) = three_weeks() else { return };
    let used = |point: &Point| (point.time, point.fields["used_percent"]);
    let memory = grouped(&fleet_points("mem"), host, used);
    let hosts = grouped(&fleet_points("cpu"), host, |point| (point.time, point.busy()));
    let rows = answer(duckdb, &folder, "cpu-with-memory.sql");
    assert_eq!(rows.len(), 5 * hosts.len());
    for (five, (host, samples)) in rows.chunks(5).zip(&hosts) {
        let mut busiest = samples.clone();
        busiest.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
        for (row, (time, busy)) in five.iter().zip(&busiest) {
            let of_memory = memory[host].iter().filter(|(of_memory, _)| of_memory <= time);
            let (of_memory, used) = of_memory.max_by_key(|(time, _)| *time).expect("there is one before");
            assert_eq!(row["host"], host.as_str());
            expect_rounded(row, 2, &[("busy_percent", *busy), ("memory_used_percent", *used)]);
            expect_rounded(row, 3, &[("mem_is_older_by_s", (time - of_memory) as f64 / 1e9)]);
        }
    }
    // Its agent asks for the processor later, so no time is equal.
    assert_eq!(
        (&rows[0]["host"], number(&rows[0], "mem_is_older_by_s")),
        (&"db-01".into(), 2.25)
    );
}

#[test]
fn a_counter_that_began_anew_gives_no_negative_rate() {
    let Some((duckdb, folder)) = three_weeks() else { return };
    let counters = |point: &Point| (point.time, point.fields["bytes_recv"], point.fields["bytes_sent"]);
    let hosts = grouped(&fleet_points("net"), host, counters);
    let since = |now: f64, before: f64| if now >= before { now - before } else { now };
    let rows = answer(duckdb, &folder, "network-rates.sql");
    assert_eq!(rows.len(), 5);
    for row in &rows {
        let samples = &hosts[row["host"].as_str().expect("a host")];
        let (mut received, mut sent, mut resets) = (0.0, 0.0, 0);
        for pair in samples.windows(2) {
            received += since(pair[1].1, pair[0].1);
            sent += since(pair[1].2, pair[0].2);
            resets += i64::from(pair[1].1 < pair[0].1);
        }
        let seconds = (samples[samples.len() - 1].0 - samples[0].0) as f64 / 1e9;
        expect_rounded(
            row,
            0,
            &[("received_per_s", received / seconds), ("sent_per_s", sent / seconds)],
        );
        assert_eq!(row["resets"].as_i64(), Some(resets), "{row}");
        assert_eq!(resets, i64::from(row["host"] == "web-02"), "{row}");
    }
}

#[test]
fn hosts_that_came_and_went_are_told_from_those_that_stayed() {
    let Some((duckdb, folder)) = three_weeks() else { return };
    let rows = answer(duckdb, &folder, "hosts-come-and-go.sql");
    assert_eq!(texts(&rows, "host"), ["old-01", "web-03"]);
    assert_eq!(texts(&rows, "change"), ["gone", "new"]);
    assert_eq!(
        texts(&rows, "last_seen"),
        ["2020-06-10 13:50:00", "2020-06-21 23:50:00"]
    );
    assert_eq!(
        texts(&rows, "first_seen"),
        ["2020-06-01 00:00:00", "2020-06-15 09:00:00"]
    );
}

#[test]
fn samples_that_one_host_missed_are_counted_at_its_interval() {
    let Some((duckdb, folder)) = three_weeks() else { return };
    let sql = query("missing-samples.sql").replace("interval_seconds = 10", "interval_seconds = 600");
    let rows = duckdb.query(folder.path(), &sql);
    assert_eq!(texts(&rows, "host"), ["db-01"]);
    assert_eq!(number(&rows[0], "missing_samples"), 3.0);
}
