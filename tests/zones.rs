//! Days in time zones, end to end: days of 23 and 25 hours, offsets of three quarters of an hour, a day that a zone skipped,
//! and the ends of time itself.
//!
//! The days of [`DAYS`] are written down here as the zones' own authorities proclaimed them, so that nothing of the program is
//! compared with itself.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, NaiveDate, Offset as _, TimeZone as _, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};

use crate::support::digest::day_files;
use crate::support::duckdb::DuckDb;
use crate::support::folder::Folder;
use crate::support::kafka::Kafka;
use crate::support::lines::{Random, file_of};
use crate::support::long;
use crate::support::produce::Record;
use crate::support::run::{Ran, diurnal};

/// Seed of the order of lines.
const SEED: u64 = 20_111_230;

/// Between two lines of a day: what divides every offset that is used today.
const STEP_MINUTES: i64 = 15;

/// A day of a zone, its first instant and the first one after it in UTC, and the days around it.
struct Known {
    zone: &'static str,
    days: [&'static str; 3],
    start: &'static str,
    end: &'static str,
    hours: i64,
}

const DAYS: &[Known] = &[
    Known {
        zone: "America/New_York",
        days: ["2024-03-09", "2024-03-10", "2024-03-11"],
        start: "2024-03-10T05:00:00Z",
        end: "2024-03-11T04:00:00Z",
        hours: 23,
    },
    Known {
        zone: "America/New_York",
        days: ["2024-11-02", "2024-11-03", "2024-11-04"],
        start: "2024-11-03T04:00:00Z",
        end: "2024-11-04T05:00:00Z",
        hours: 25,
    },
    Known {
        zone: "Europe/Berlin",
        days: ["2024-03-30", "2024-03-31", "2024-04-01"],
        start: "2024-03-30T23:00:00Z",
        end: "2024-03-31T22:00:00Z",
        hours: 23,
    },
    Known {
        zone: "Europe/Berlin",
        days: ["2024-10-26", "2024-10-27", "2024-10-28"],
        start: "2024-10-26T22:00:00Z",
        end: "2024-10-27T23:00:00Z",
        hours: 25,
    },
    // +05:45
    Known {
        zone: "Asia/Kathmandu",
        days: ["2024-06-18", "2024-06-19", "2024-06-20"],
        start: "2024-06-18T18:15:00Z",
        end: "2024-06-19T18:15:00Z",
        hours: 24,
    },
    // +08:45
    Known {
        zone: "Australia/Eucla",
        days: ["2024-06-18", "2024-06-19", "2024-06-20"],
        start: "2024-06-18T15:15:00Z",
        end: "2024-06-19T15:15:00Z",
        hours: 24,
    },
    // From +13:45 to +12:45, and back.
    Known {
        zone: "Pacific/Chatham",
        days: ["2024-04-06", "2024-04-07", "2024-04-08"],
        start: "2024-04-06T10:15:00Z",
        end: "2024-04-07T11:15:00Z",
        hours: 25,
    },
    Known {
        zone: "Pacific/Chatham",
        days: ["2024-09-28", "2024-09-29", "2024-09-30"],
        start: "2024-09-28T11:15:00Z",
        end: "2024-09-29T10:15:00Z",
        hours: 23,
    },
    // Samoa went over the date line: Thursday the 29th was followed by Saturday the 31st.
    Known {
        zone: "Pacific/Apia",
        days: ["2011-12-29", "2011-12-31", "2012-01-01"],
        start: "2011-12-30T10:00:00Z",
        end: "2011-12-31T10:00:00Z",
        hours: 24,
    },
];

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().expect("an RFC 3339 time")
}

fn nanoseconds(time: DateTime<Utc>) -> i64 {
    time.timestamp_nanos_opt().expect("a time of our days")
}

/// A line of `m` at this time, which stands in its value too.
fn line(time: DateTime<Utc>) -> String {
    let time = nanoseconds(time);
    format!("m,host=a v={time}i {time}")
}

/// As the CSV files have it.
fn text(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%S%.9fZ").to_string()
}

impl Known {
    /// The times of the day and of 24 hours before and after it, in no order: one every quarter of an hour, and the last
    /// nanosecond of the day before and of the day.
    fn times(&self) -> Vec<DateTime<Utc>> {
        let (start, end) = (instant(self.start), instant(self.end));
        let last = Duration::nanoseconds(1);
        let mut times = vec![start - last, end - last];
        let mut time = start - Duration::hours(24);
        while time < end + Duration::hours(24) {
            times.push(time);
            time += Duration::minutes(STEP_MINUTES);
        }
        Random::new(SEED).shuffle(&mut times);
        times
    }
}

fn import(folder: &Folder, zone: &str, flags: &[&str], lines: &[String]) -> Ran {
    diurnal(folder, "import")
        .args(["--timezone", zone, "--json", "-"])
        .args(flags)
        .stdin(file_of(lines))
        .run()
}

/// The days that a measurement has files of, each with the lines of its CSV file behind the header.
fn days(folder: &Folder) -> BTreeMap<String, Vec<String>> {
    let mut days = BTreeMap::new();
    for path in day_files(&folder.archive()).into_keys() {
        let name = path.strip_prefix("m/").expect("m is the only measurement");
        let (day, kind) = name.rsplit_once('.').expect("a file of a day");
        if kind == "csv" {
            let csv = std::fs::read_to_string(folder.join("archive").join(&path)).expect("a day file");
            let rows = csv.lines().skip(1).map(str::to_owned).collect();
            days.insert(day.to_owned(), rows);
        } else {
            let csv = folder.join("archive/m").join(format!("{day}.csv"));
            assert!(kind == "parquet" && csv.exists(), "{path}");
        }
    }
    days
}

#[test]
fn each_day_has_the_rows_of_its_zone_from_its_first_instant_to_its_last() {
    for known in DAYS {
        let folder = Folder::new();
        let lines: Vec<_> = known.times().into_iter().map(line).collect();
        import(&folder, known.zone, &[], &lines).expect_code(0);
        let found = days(&folder);
        assert_eq!(found.keys().collect::<Vec<_>>(), known.days, "{}", known.zone);
        let (start, end) = (instant(known.start), instant(known.end));
        assert_eq!(end - start, Duration::hours(known.hours));
        let last = Duration::nanoseconds(1);
        // A day around it has 24 hours, here from its beginning on.
        let expected = [
            (start - Duration::hours(24), start - last, 24 * 60 / STEP_MINUTES + 1),
            (start, end - last, known.hours * 60 / STEP_MINUTES + 1),
            (
                end,
                end + Duration::hours(24) - Duration::minutes(STEP_MINUTES),
                24 * 60 / STEP_MINUTES,
            ),
        ];
        for (rows, (first, last, count)) in found.values().zip(expected) {
            let name = format!("{} {}", known.zone, known.days[1]);
            assert_eq!(rows.len() as i64, count, "{name}");
            assert!(rows.is_sorted(), "{name}");
            assert!(rows[0].starts_with(&text(first)), "{name}: {}", rows[0]);
            let row = rows.last().expect("it has rows");
            assert!(row.starts_with(&text(last)), "{name}: {row}");
        }
        diurnal(&folder, "verify").run().expect_code(0);
    }
}

#[test]
fn late_lines_go_into_the_days_of_the_zone() {
    for known in DAYS {
        let (whole, parts) = (Folder::new(), Folder::new());
        let lines: Vec<_> = known.times().into_iter().map(line).collect();
        import(&whole, known.zone, &[], &lines).expect_code(0);
        let (early, late) = lines.split_at(lines.len() / 2);
        import(&parts, known.zone, &[], early).expect_code(0);
        // The archive knows its zone.
        let report = diurnal(&parts, "import").arg("-").stdin(file_of(late)).report(0);
        assert_eq!(report["points"].as_u64(), Some(late.len() as u64));
        assert_eq!(
            day_files(&whole.archive()),
            day_files(&parts.archive()),
            "{}",
            known.zone
        );
        import(&parts, "UTC", &[], early).expect_code(2);
    }
}

#[test]
fn duckdb_reads_the_days_of_every_zone_with_one_glob() {
    let Some(duckdb) = DuckDb::get() else { return };
    for known in DAYS {
        let folder = Folder::new();
        let lines: Vec<_> = known.times().into_iter().map(line).collect();
        import(&folder, known.zone, &[], &lines).expect_code(0);
        let parquet = "read_parquet('archive/m/*.parquet', union_by_name = true, filename = true)";
        let csv = "read_csv('archive/m/*.csv', union_by_name = true, filename = true, header = true, delim = ',', quote = '\"',
                            escape = '\"', allow_quoted_nulls = false, types = {'time': 'TIMESTAMP_NS', 'v': 'BIGINT'})";
        for source in [parquet, csv] {
            let sql = format!(
                "select parse_filename(filename, true) as day, count(*) as rows, min(v) as first, max(v) as last,
                        bool_and(epoch_ns(time) = v) as right_time
                 from {source} group by all order by day"
            );
            let rows = duckdb.query(folder.path(), &sql);
            let day = rows[1].clone();
            let expected = json!({
                "day": known.days[1],
                "rows": known.hours * 60 / STEP_MINUTES + 1,
                "first": nanoseconds(instant(known.start)),
                "last": nanoseconds(instant(known.end)) - 1,
                "right_time": true,
            });
            assert_eq!(day, expected, "{}", known.zone);
            assert_eq!(rows.len(), 3, "{rows:?}");
            assert!(rows.iter().all(|row| row["right_time"] == true), "{rows:?}");
        }
    }
}

#[test]
fn kafka_and_import_agree_on_the_days_of_a_zone() {
    use crate::support::embedded::Embedded;
    let broker = Embedded::start();
    for (number, known) in DAYS.iter().enumerate() {
        let topic = format!("zone-{number}");
        broker.create_topic(&topic, 3);
        let lines: Vec<_> = known.times().into_iter().map(line).collect();
        let records: Vec<_> = lines
            .iter()
            .enumerate()
            .map(|(n, line)| Record::new((n % 3) as i32, line))
            .collect();
        broker.send(&topic, &records);
        let (kafka, file) = (Folder::new(), Folder::new());
        diurnal(&kafka, "archive")
            .args([
                "--brokers",
                &broker.brokers(),
                "--topic",
                &topic,
                "--timezone",
                known.zone,
            ])
            .run()
            .expect_code(0);
        import(&file, known.zone, &[], &lines).expect_code(0);
        assert_eq!(
            day_files(&kafka.archive()),
            day_files(&file.archive()),
            "{}",
            known.zone
        );
    }
}

/// Zones that do something rare, for the short run; the long one takes all.
const RARE: &[&str] = &[
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Havana",
    "America/Nuuk",
    "America/Santiago",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Asia/Tehran",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
    "Pacific/Marquesas",
];

/// Where a zone's clocks were changed in 2021 to 2024: the latest two such hours.
fn changes(zone: Tz) -> Vec<DateTime<Utc>> {
    let offset = |time: DateTime<Utc>| zone.offset_from_utc_datetime(&time.naive_utc()).fix();
    let hours = (0..4 * 366 * 24).map(|hour| instant("2021-01-01T00:00:00Z") + Duration::hours(hour));
    let mut found: Vec<_> = hours
        .filter(|&hour| offset(hour) != offset(hour + Duration::hours(1)))
        .collect();
    found.split_off(found.len().saturating_sub(2))
}

#[test]
fn in_every_zone_the_file_of_a_time_is_the_date_on_its_clocks() {
    let all = chrono_tz::TZ_VARIANTS.iter().copied();
    let zones: Vec<Tz> = all.filter(|zone| long() || RARE.contains(&zone.name())).collect();
    assert!(zones.len() >= RARE.len(), "{}", zones.len());
    for zone in zones {
        let mut around = changes(zone);
        around.push(instant("2024-06-19T00:00:00Z"));
        let mut expected: BTreeMap<String, usize> = BTreeMap::new();
        let mut lines = Vec::new();
        for middle in around {
            for step in -30 * 4..30 * 4 {
                let time = middle + Duration::minutes(step * STEP_MINUTES);
                let date: NaiveDate = time.with_timezone(&zone).date_naive();
                *expected.entry(date.to_string()).or_default() += 1;
                lines.push(line(time));
            }
        }
        let folder = Folder::new();
        import(&folder, zone.name(), &["--formats", "csv"], &lines).expect_code(0);
        let mut found = BTreeMap::new();
        for path in day_files(&folder.archive()).into_keys() {
            let csv = std::fs::read_to_string(folder.join("archive").join(&path)).expect("a day file");
            let day = path.trim_start_matches("m/").trim_end_matches(".csv").to_owned();
            found.insert(day, csv.lines().count() - 1);
        }
        assert_eq!(found, expected, "{zone}");
        diurnal(&folder, "verify").run().expect_code(0);
    }
}

/// The first and last nanoseconds that 64 bits hold, and the days on which they fall, by the clock of the zone at that time:
/// before 1880 that is the sun's.
const ENDS: &[(&str, &str, &str)] = &[
    ("UTC", "1677-09-21", "2262-04-11"),
    // -10:29:20, then +14
    ("Pacific/Kiritimati", "1677-09-20", "2262-04-12"),
    // +15:02:19, then -9 or -8
    ("America/Juneau", "1677-09-21", "2262-04-11"),
];

fn at(times: &[i64]) -> Vec<String> {
    times.iter().map(|time| format!("m,host=a v={time}i {time}")).collect()
}

#[test]
fn the_first_and_the_last_nanosecond_are_archived_where_the_range_takes_all_times() {
    for &(zone, first, last) in ENDS {
        let folder = Folder::new();
        let times = [i64::MAX, i64::MAX - 1, 0, i64::MIN + 1, i64::MIN];
        let report = import(&folder, zone, &["--time-range", ".."], &at(&times))
            .expect_code(0)
            .json();
        assert_eq!(report["points"], 5);
        let found = days(&folder);
        assert_eq!(found.keys().next().map(String::as_str), Some(first), "{zone}");
        assert_eq!(found.keys().next_back().map(String::as_str), Some(last), "{zone}");
        assert_eq!(
            found[first],
            [
                format!("1677-09-21T00:12:43.145224192Z,a,{}", i64::MIN),
                format!("1677-09-21T00:12:43.145224193Z,a,{}", i64::MIN + 1)
            ]
        );
        assert_eq!(
            found[last],
            [
                format!("2262-04-11T23:47:16.854775806Z,a,{}", i64::MAX - 1),
                format!("2262-04-11T23:47:16.854775807Z,a,{}", i64::MAX)
            ]
        );
        diurnal(&folder, "verify").run().expect_code(0);
        // They are merged with as any other day.
        let again = diurnal(&folder, "import")
            .arg("-")
            .stdin(file_of(&at(&[i64::MIN + 2, i64::MIN, i64::MAX - 2, i64::MAX])))
            .report(0);
        assert_eq!((&again["points"], &again["folded"]), (&json!(2), &json!(2)));
        diurnal(&folder, "verify").run().expect_code(0);
        diurnal(&folder, "status").run().expect_code(0);
    }
}

#[test]
fn duckdb_reads_all_times_but_those_that_it_has_other_uses_for() {
    let Some(duckdb) = DuckDb::get() else { return };
    let folder = Folder::new();
    // DuckDB's own infinities are i64::MAX and -i64::MAX; of 1677-09-21 it reads no text.
    let times = [i64::MIN + 86_400_000_000_000, -1, 0, i64::MAX - 1];
    import(&folder, "UTC", &["--time-range", ".."], &at(&times)).expect_code(0);
    for source in [
        "'archive/m/*.parquet'",
        "read_csv('archive/m/*.csv', union_by_name = true, types = {'time': 'TIMESTAMP_NS', 'v': 'BIGINT'})",
    ] {
        let sql = format!("select v, epoch_ns(time) as time from {source} order by v");
        let rows = duckdb.query(folder.path(), &sql);
        let expected: Vec<Value> = times.iter().map(|time| json!({"v": time, "time": time})).collect();
        assert_eq!(rows, expected, "{source}");
    }
}

/// What becomes of different lines: the reason of each, `None` where it is archived.
fn reasons(flags: &[&str], lines: &[String]) -> Vec<Option<String>> {
    let folder = Folder::new();
    let report = import(&folder, "UTC", flags, lines).json();
    let mut found = vec![None; lines.len()];
    for reject in report["rejects"].as_array().expect("rejects") {
        let number = lines.iter().position(|line| reject["line"] == line.as_str());
        let reason = reject["reason"].as_str().expect("a reason").to_owned();
        found[number.expect("it is one of ours")] = Some(reason);
    }
    let rejected = found.iter().flatten().count();
    assert_eq!(report["rejected"].as_u64(), Some(rejected as u64), "{report:#}");
    assert_eq!(
        report["points"].as_u64(),
        Some((lines.len() - rejected) as u64),
        "{report:#}"
    );
    diurnal(&folder, "verify").run().expect_code(0);
    found
}

#[test]
fn times_beyond_the_ends_are_rejects_with_a_reason_in_every_precision() {
    for (precision, per_unit) in [("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000)] {
        let (first, last) = (i128::from(i64::MIN) / per_unit, i128::from(i64::MAX) / per_unit);
        let times = [first, last, first - 1, last + 1, i128::from(i64::MAX) + 2, 1 << 80];
        let lines: Vec<_> = times.iter().map(|time| format!("m,host=a v=1i {time}")).collect();
        let found = reasons(&["--precision", precision, "--time-range", ".."], &lines);
        let overflow = || Some("time_overflow".to_owned());
        assert_eq!(
            found,
            [None, None, overflow(), overflow(), overflow(), overflow()],
            "{precision}"
        );
        // Without the range that takes all, the ends are rejected for what they are most likely.
        let found = reasons(&["--precision", precision], &lines[..2]);
        let outside = || Some("time_out_of_range".to_owned());
        assert_eq!(found, [outside(), outside()], "{precision}");
    }
}

#[test]
fn an_archive_of_microseconds_takes_the_whole_ones_up_to_the_ends() {
    let folder = Folder::new();
    let whole = [i64::MIN / 1_000 * 1_000, i64::MAX / 1_000 * 1_000];
    let lines = at(&[whole[0], whole[1], i64::MIN, i64::MAX]);
    let found = reasons(&["--time-unit", "us", "--time-range", ".."], &lines);
    let part = || Some("time_not_whole_microsecond".to_owned());
    assert_eq!(found, [None, None, part(), part()]);
    import(
        &folder,
        "UTC",
        &["--time-unit", "us", "--time-range", ".."],
        &lines[..2],
    )
    .expect_code(0);
    let found = days(&folder);
    assert_eq!(
        found["1677-09-21"],
        [format!("1677-09-21T00:12:43.145225000Z,a,{}", whole[0])]
    );
    assert_eq!(
        found["2262-04-11"],
        [format!("2262-04-11T23:47:16.854775000Z,a,{}", whole[1])]
    );
}

#[test]
fn the_record_time_that_a_line_takes_may_be_the_last_one_and_no_later() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("last-times", 1, &[]);
    let last_ms = i64::MAX / 1_000_000;
    let record = |host: &str, time| Record::new(0, format!("m,host={host} v=1i\n")).at(time);
    topic.send(&[record("a", last_ms), record("b", last_ms + 1), record("c", i64::MAX)]);
    let report = diurnal(&folder, "archive")
        .args([
            "--brokers",
            &kafka.brokers(),
            "--topic",
            topic.name(),
            "--time-range",
            "..",
        ])
        .report(3);
    assert_eq!((&report["points"], &report["rejected"]), (&json!(1), &json!(2)));
    let rejects = report["rejects"].as_array().expect("rejects");
    assert!(
        rejects.iter().all(|reject| reject["reason"] == "no_time"),
        "{rejects:?}"
    );
    assert_eq!(days(&folder)["2262-04-11"], ["2262-04-11T23:47:16.854000000Z,a,1"]);
    diurnal(&folder, "verify").run().expect_code(0);
}
