//! What the page says is what was sent.

use serde_json::{Value, json};

use super::fleet::{DAYS, Fleet, START};
use super::{data_in, import, numbers, report, series_of};
use crate::support::folder::Folder;
use crate::support::long;
use crate::support::run::diurnal;

/// 2020-06-19T12:00:00Z.
const NOON: i64 = 1_592_568_000;

#[test]
fn a_month_of_a_small_fleet_is_a_page_below_a_megabyte_and_a_half_that_keeps_every_extreme() {
    let fleet = Fleet {
        hosts: 10,
        interval: if long() { 30 } else { 300 },
        seed: 7,
    };
    let sent = fleet.sent();
    let folder = Folder::new();
    import(&folder, sent.by_day.concat());
    let (said, page) = report(&folder, &[]);
    assert!(page.len() < 1_500_000, "{} bytes", page.len());
    assert_eq!(said["bytes"], page.len());
    assert_eq!((&said["plots"], &said["series"]), (&json!(2), &json!(20)));
    assert_eq!(said["points"], sent.samples);
    let buckets = said["buckets"].as_u64().expect("a count");
    assert!(
        buckets * 10 < sent.samples,
        "{buckets} buckets of {} values",
        sent.samples
    );

    let data = data_in(&page);
    assert_eq!(sent.extremes.len(), 20);
    for ((field, host), (least, greatest)) in &sent.extremes {
        let series = series_of(&data, field, host);
        let told = [&series["least"][0], &series["greatest"][0]].map(|value| value.as_f64().expect("a number"));
        // They also are where one looks: in the plot.
        let least_drawn = numbers(&series["lo"]).into_iter().fold(f64::INFINITY, f64::min);
        let greatest_drawn = numbers(&series["hi"]).into_iter().fold(f64::NEG_INFINITY, f64::max);
        assert_eq!(told, [least_drawn, greatest_drawn], "{field} of {host}");
        // As text, because serde_json reads floats to the last bit but one.
        for value in [least, greatest] {
            assert!(page.contains(&format!("[{value},")), "{field} of {host}: no {value}");
            let in_list = [format!("[{value},"), format!(",{value},"), format!(",{value}]")];
            let places: usize = in_list.iter().map(|place| page.matches(place).count()).sum();
            assert!(places >= 2, "{field} of {host}: {value} is not drawn");
        }
    }
}

#[test]
fn every_bucket_has_the_extremes_and_the_mean_of_its_own_values() {
    let folder = Folder::new();
    // A sample a second for an hour: buckets of five seconds.
    let value = |second: i64| (second * 7_919 % 3_600) as f64 / 4.0;
    let lines: Vec<String> = (0..3_600)
        .map(|second| format!("m,host=a v={} {}000000000\n", value(second), NOON + second))
        .collect();
    import(&folder, lines.concat());
    let (_, page) = report(&folder, &["--field", "m.v"]);
    let data = data_in(&page);
    assert_eq!(data["plots"][0]["width"], 5);
    let series = series_of(&data, "m.v", "a");
    let (lo, hi, mid) = (numbers(&series["lo"]), numbers(&series["hi"]), numbers(&series["mid"]));
    assert_eq!((lo.len(), hi.len(), mid.len()), (720, 720, 720));
    assert_eq!(series["counts"], json!([5, 720]));
    for bucket in 0..720 {
        let values: Vec<f64> = (0..5).map(|at| value(bucket * 5 + at)).collect();
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = values.iter().copied().fold(0.0, f64::max);
        let mean = values.iter().sum::<f64>() / 5.0;
        let place = bucket as usize;
        assert_eq!((lo[place], hi[place]), (least, greatest), "bucket {bucket}");
        assert!(
            (mid[place] - mean).abs() < 0.005,
            "bucket {bucket}: {} {mean}",
            mid[place]
        );
    }
}

#[test]
fn samples_that_got_lost_are_missing_on_their_days() {
    let fleet = Fleet {
        hosts: 4,
        interval: 600,
        seed: 11,
    };
    let sent = fleet.sent();
    let folder = Folder::new();
    import(&folder, sent.by_day.concat());
    let (said, page) = report(&folder, &[]);
    let data = data_in(&page);
    let days = data["days"].as_array().expect("days");
    assert_eq!(days.len() as i64, DAYS);
    let lost: u64 = sent.lost.values().sum();
    assert!(lost > 20, "the seed loses too little: {lost}");
    assert_eq!(said["missing"], lost);
    for day in days {
        let name = day["day"].as_str().expect("a day");
        let expected = sent.lost.get(name).copied().unwrap_or_default();
        assert_eq!(day["missing"], expected, "{name}");
        assert_eq!(
            day["samples"].as_u64().expect("a count") + expected,
            4 * 2 * 144,
            "{name}"
        );
    }
    assert_eq!(series_of(&data, "cpu.busy", "web-01")["interval"], 600);
}

#[test]
fn late_rows_conflicts_folded_lines_and_rejects_are_told() {
    let folder = Folder::new();
    let line = |host: &str, value: u32, second: i64| format!("m,host={host} v={value} {}000000000\n", NOON + second);
    let day = |day: i64| {
        (0..100)
            .map(move |at| line("a", 1, day * 86_400 + at * 10))
            .collect::<String>()
    };
    import(&folder, day(0));
    import(&folder, day(1));
    // Three late ones, one that was there, and one that says otherwise.
    let late: String = [5, 15, 25].iter().map(|second| line("a", 7, *second)).collect();
    import(
        &folder,
        late + &line("a", 1, 0) + &line("a", 9, 10) + "m,host=a v= 1\nm,host=a v=\"x\" 1592568000000000000\n",
    );
    let (_, page) = report(&folder, &["--field", "m.v"]);
    let data = data_in(&page);
    let series = series_of(&data, "m.v", "a");
    assert_eq!(series["conflicts"], 1);
    assert_eq!(series["samples"], 203);
    let facts = &data["facts"];
    let counts = ["lines", "points", "folded", "conflicts", "rejected"].map(|key| facts[key].as_u64().expect(key));
    assert_eq!(counts, [207, 203, 2, 1, 2]);
    let rejects = facts["rejects"].as_array().expect("rejects");
    let reasons: Vec<&str> = rejects
        .iter()
        .map(|one| one["reason"].as_str().expect("a reason"))
        .collect();
    assert_eq!(reasons, ["empty_value", "type_mismatch"]);
    assert_eq!(rejects[1]["places"], json!(["m.v"]));
    // The conflict is a row more as well.
    assert_eq!(data["days"][0]["late"], 4);
    assert_eq!(data["days"][1]["late"], 0);
    assert!(data["days"][0]["lag"].as_f64().is_some_and(|lag| lag > 86_400.0));
}

#[test]
fn the_same_archive_and_flags_make_the_same_page() {
    let folder = Folder::new();
    import(
        &folder,
        "cpu,cpu=cpu-total,host=a usage_idle=5 1592568000000000000\nm v=1 1592568000000000000\n",
    );
    let (_, one) = report(&folder, &["-o", "one.html"]);
    let (_, two) = report(&folder, &["-o", "two.html"]);
    assert_eq!(one, two);
    let (_, other) = report(&folder, &["-o", "two.html", "--field", "m.v"]);
    assert_ne!(one, other);
}

#[test]
fn parquet_csv_and_both_make_the_same_plots() {
    let fleet = Fleet {
        hosts: 2,
        interval: 3_600,
        seed: 3,
    };
    let lines = fleet.sent().by_day.concat();
    let plots: Vec<Value> = ["parquet", "csv", "parquet,csv"]
        .map(|formats| {
            let folder = Folder::new();
            diurnal(&folder, "import")
                .args(["--formats", formats, "-"])
                .stdin(lines.clone())
                .run()
                .expect_code(0);
            let (_, page) = report(&folder, &[]);
            let data = data_in(&page);
            let has = |format: &str| data["days"][0][format].is_u64();
            assert_eq!(
                (has("parquet"), has("csv")),
                (formats.contains("parquet"), formats.contains("csv"))
            );
            data["plots"].clone()
        })
        .into();
    assert_eq!(plots[0], plots[1]);
    assert_eq!(plots[0], plots[2]);
}

#[test]
fn integers_unsigned_ones_and_floats_are_numbers() {
    let folder = Folder::new();
    import(&folder, "m i=-3i,u=18446744073709551615u,f=0.5 1592568000000000000\n");
    let (_, page) = report(&folder, &["--field", "m.i", "--field", "m.u", "--field", "m.f"]);
    let data = data_in(&page);
    let value = |field: &str| {
        series_of(&data, field, "all")["greatest"][0]
            .as_f64()
            .expect("a number")
    };
    assert_eq!(
        [value("m.i"), value("m.u"), value("m.f")],
        [-3.0, 18_446_744_073_709_551_615.0, 0.5]
    );
}

#[test]
fn from_and_until_choose_the_time_and_ages_count_from_the_archives_end() {
    let folder = Folder::new();
    let lines: String = (0..10)
        .map(|day| format!("m,host=a v={day} {}000000000\n", NOON + day * 86_400))
        .collect();
    import(&folder, lines);
    let shown = |flags: &[&str]| {
        let (said, page) = report(&folder, &[flags, &["--field", "m.v"]].concat());
        let data = data_in(&page);
        assert_eq!(said["points"], numbers(&series_of(&data, "m.v", "a")["mid"]).len());
        numbers(&series_of(&data, "m.v", "a")["mid"])
    };
    assert_eq!(shown(&[]), (0..10).map(f64::from).collect::<Vec<_>>());
    assert_eq!(shown(&["--from", "2020-06-27"]), [8.0, 9.0]);
    assert_eq!(shown(&["--until", "2020-06-20T12:00:00Z"]), [0.0]);
    assert_eq!(shown(&["--from", "-3d", "--until", "-1d"]), [7.0, 8.0]);
}

#[test]
fn a_fleet_that_is_too_large_is_shown_in_part_and_says_so() {
    let folder = Folder::new();
    let hosts = 150;
    let lines: String = (0..720 * hosts)
        .map(|at| {
            let (hour, host) = (at / hosts, at % hosts);
            let value = (at * 7_919 % 100_003) as f64 / 1_003.0;
            format!("m,host=h{host:03} v={value} {}000000000\n", START + hour * 3_600)
        })
        .collect();
    import(&folder, lines);
    let ran = diurnal(&folder, "report").args(["--field", "m.v"]).run().expect_code(0);
    assert!(ran.stderr.contains("50 series left out"), "{}", ran.stderr);
    let page = super::page_at(&folder.join("report.html"));
    assert!(page.len() < 1_500_000, "{} bytes", page.len());
    let data = data_in(&page);
    let plot = &data["plots"][0];
    assert_eq!(
        (plot["left_out"].as_u64(), plot["series"].as_array().map(Vec::len)),
        (Some(50), Some(100))
    );
    assert_eq!(
        (&plot["series"][0]["host"], &plot["series"][99]["host"]),
        (&json!("h000"), &json!("h099"))
    );
    // Made coarser to fit, with the same extremes.
    assert_eq!(plot["series"][0]["samples"], 720);
}

#[test]
fn an_archive_of_other_things_shows_their_first_numbers_and_says_so() {
    let folder = Folder::new();
    import(&folder, "room,host=a label=\"x\",temp=20.5 1592568000000000000\n");
    let (_, page) = report(&folder, &[]);
    let data = data_in(&page);
    assert_eq!(data["plots"][0]["name"], "room.temp");
    assert!(
        data["facts"]["notes"][0]
            .as_str()
            .is_some_and(|note| note.contains("--field"))
    );
}

#[test]
fn days_are_those_of_the_archives_zone() {
    let folder = Folder::new();
    // 23:30 UTC is the next day in Berlin.
    diurnal(&folder, "import")
        .args(["--timezone", "Europe/Berlin", "-"])
        .stdin("m,host=a v=1 1592609400000000000\n")
        .run()
        .expect_code(0);
    let (_, page) = report(&folder, &["--field", "m.v"]);
    let data = data_in(&page);
    assert_eq!(data["days"][0]["day"], "2020-06-20");
    assert_eq!(data["plots"][0]["offset"], 7_200);
}
