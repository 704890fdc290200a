//! Days of every length in real zones, and times as people type them.

use proptest::prelude::*;

use super::*;

const HOUR: i128 = 3600 * NS_PER_SECOND as i128;

fn zone(name: &str) -> Zone {
    name.parse().unwrap()
}

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn instant(text: &str) -> i64 {
    parse_instant(text, 0).unwrap()
}

fn length(zone: Zone, text: &str) -> i128 {
    let (first, end) = zone.bounds(day(text));
    end - first
}

#[test]
fn the_day_turns_at_midnight_utc_unless_a_zone_is_given() {
    assert_eq!(
        Zone::Utc.day_of(instant("2020-06-19T23:59:59.999999999Z")),
        day("2020-06-19")
    );
    assert_eq!(Zone::Utc.day_of(instant("2020-06-20")), day("2020-06-20"));
    assert_eq!(Zone::Utc.day_of(-1), day("1969-12-31"));
    // Summer time, two hours ahead of UTC.
    let berlin = zone("Europe/Berlin");
    assert_eq!(
        berlin.day_of(instant("2020-06-19T21:59:59.999999999Z")),
        day("2020-06-19")
    );
    assert_eq!(berlin.day_of(instant("2020-06-19T22:00:00Z")), day("2020-06-20"));
}

#[test]
fn days_have_23_25_and_other_hours_where_clocks_are_changed() {
    assert_eq!(length(zone("Europe/Berlin"), "2020-03-29"), 23 * HOUR);
    assert_eq!(length(zone("Europe/Berlin"), "2020-10-25"), 25 * HOUR);
    assert_eq!(length(zone("Australia/Lord_Howe"), "2020-04-05"), 24 * HOUR + HOUR / 2);
    assert_eq!(length(zone("Asia/Kathmandu"), "2020-06-19"), 24 * HOUR);
    assert_eq!(
        zone("Asia/Kathmandu").bounds(day("2020-06-19")).0,
        i128::from(instant("2020-06-18T18:15:00Z"))
    );
    // Nepal put its clocks from +05:30 to +05:45 at midnight: 1986 began at 00:15.
    assert_eq!(
        zone("Asia/Kathmandu").bounds(day("1986-01-01")).0,
        i128::from(instant("1985-12-31T18:30:00Z"))
    );
}

#[test]
fn a_skipped_day_is_empty_and_a_day_without_midnight_begins_behind_the_gap() {
    // Samoa went over the date line: 29 December was followed by 31 December.
    let apia = zone("Pacific/Apia");
    let jump = instant("2011-12-30T10:00:00Z");
    assert_eq!(apia.bounds(day("2011-12-30")), (i128::from(jump), i128::from(jump)));
    assert_eq!(apia.day_of(jump - 1), day("2011-12-29"));
    assert_eq!(apia.day_of(jump), day("2011-12-31"));
    // Brazil's summer time began at midnight: the first time of 4 November 2018 was 01:00.
    let brazil = zone("America/Sao_Paulo");
    let jump = instant("2018-11-04T03:00:00Z");
    assert_eq!(brazil.bounds(day("2018-11-04")).0, i128::from(jump));
    assert_eq!(
        (brazil.day_of(jump - 1), brazil.day_of(jump)),
        (day("2018-11-03"), day("2018-11-04"))
    );
}

#[test]
fn a_day_that_began_stays_the_day_when_the_clock_is_put_back_over_midnight() {
    // Newfoundland put its clocks back at 00:01 to 23:01 of the day before.
    let newfoundland = zone("America/St_Johns");
    let start = instant("2006-10-29T02:30:00Z");
    assert_eq!(newfoundland.bounds(day("2006-10-29")).0, i128::from(start));
    for minutes in [0, 1, 2, 59, 60, 61] {
        assert_eq!(
            newfoundland.day_of(start + minutes * 60 * NS_PER_SECOND),
            day("2006-10-29"),
            "{minutes}"
        );
    }
    assert_eq!(newfoundland.day_of(start - 1), day("2006-10-28"));
    assert_eq!(length(newfoundland, "2006-10-29"), 25 * HOUR);
}

#[test]
fn the_first_and_last_times_have_days_that_reach_beyond_i64() {
    for zone in [Zone::Utc, zone("Pacific/Kiritimati"), zone("America/Juneau")] {
        for time in [i64::MIN, i64::MAX] {
            let (first, end) = zone.bounds(zone.day_of(time));
            assert!(first <= i128::from(time) && i128::from(time) < end, "{zone}");
            assert_eq!(DayFinder::new(zone).day_of(time), zone.day_of(time));
        }
    }
    assert_eq!(Zone::Utc.day_of(i64::MIN).to_string(), "1677-09-21");
    assert_eq!(Zone::Utc.day_of(i64::MAX).to_string(), "2262-04-11");
    assert!(Zone::Utc.bounds(day("1677-09-21")).0 < i128::from(i64::MIN));
}

#[test]
fn days_of_every_zone_follow_each_other_through_all_of_its_history() {
    // 1 in 7 days of 200 years; the weeks shift, so that all zones together see every kind of day.
    for (number, &tz) in chrono_tz::TZ_VARIANTS.iter().enumerate() {
        let zone = Zone::Iana(tz);
        let mut date = NaiveDate::from_ymd_opt(1840, 1, 1 + (number % 7) as u32).unwrap();
        while date < NaiveDate::from_ymd_opt(2040, 1, 1).unwrap() {
            let (first, end) = zone.bounds(Day(date));
            assert!(first <= end, "{zone} {date}");
            assert_eq!(end, zone.bounds(Day(date).next()).0, "{zone} {date}");
            date = date + Days::new(7);
        }
    }
}

#[test]
fn names_are_read_as_they_are_shown() {
    for name in ["UTC", "Europe/Berlin", "Asia/Kathmandu"] {
        assert_eq!(zone(name).to_string(), name);
    }
    assert!("Mars/Olympus".parse::<Zone>().unwrap_err().advice().is_some());
    for text in ["2020-6-19", "2020-06-31", "20200619", "", "2020-06-19 ", "+2020-06-19"] {
        assert!(text.parse::<Day>().is_err(), "{text}");
    }
    assert_eq!(day("2020-06-19").to_string(), "2020-06-19");
}

#[test]
fn times_that_people_type_are_understood() {
    let now = instant("2020-06-19T12:00:00Z");
    let cases = [
        ("now", "2020-06-19T12:00:00Z"),
        ("-24h", "2020-06-18T12:00:00Z"),
        ("24h ago", "2020-06-18T12:00:00Z"),
        ("-1d12h", "2020-06-18T00:00:00Z"),
        ("-1w", "2020-06-12T12:00:00Z"),
        ("-90s", "2020-06-19T11:58:30Z"),
        ("5m ago", "2020-06-19T11:55:00Z"),
        (" 2020-06-19 ", "2020-06-19T00:00:00Z"),
        ("2020-06-19T14:00:00.000000001+02:00", "2020-06-19T12:00:00.000000001Z"),
    ];
    for (text, expected) in cases {
        assert_eq!(parse_instant(text, now), Ok(instant(expected)), "{text}");
    }
    assert_eq!(instant("1970-01-01T00:00:01Z"), NS_PER_SECOND);
}

#[test]
fn times_that_could_mean_several_things_are_refused_with_advice() {
    let cases = [
        ("", "not a time"),
        ("yesterday", "not a time"),
        ("1592568000000", "not a time"),
        ("24h", "not a time"),
        ("-", "not a number of"),
        ("ago", "not a number of"),
        ("-24", "not a number of"),
        ("-24x", "not a number of"),
        ("--24h", "not a number of"),
        ("-ü", "not a number of"),
        ("-99999999999h", "not a number of"),
        ("2020-06-19T12:00:00", "it has no zone"),
        ("2020-06-31T12:00:00Z", "not a time"),
        ("3000-01-01", "outside of the years"),
        ("3000-01-01T00:00:00Z", "outside of the years"),
        ("-4000000000s", "outside of the years"),
    ];
    for (text, cause) in cases {
        let error = parse_instant(text, i64::MIN + 1).unwrap_err();
        assert!(error.to_string().contains(cause), "{text}: {error}");
        assert_eq!(error.kind(), crate::error::Kind::Usage);
        assert!(error.advice().is_some());
    }
}

fn any_zone() -> impl Strategy<Value = Zone> {
    prop_oneof![
        Just(Zone::Utc),
        prop::sample::select(&chrono_tz::TZ_VARIANTS[..]).prop_map(Zone::Iana)
    ]
}

/// Times all over i64, and times within a day of the clock changes of the zones.
fn any_time() -> impl Strategy<Value = i64> {
    let of_years = instant("1840-01-01")..instant("2040-01-01");
    prop_oneof![any::<i64>(), of_years]
}

proptest! {
    #[test]
    fn every_time_lies_in_the_bounds_of_its_day_alone(zone in any_zone(), time in any_time()) {
        let day = zone.day_of(time);
        let (first, end) = zone.bounds(day);
        prop_assert!(first <= i128::from(time) && i128::from(time) < end);
        prop_assert_eq!(zone.bounds(day.previous()).1, first);
        prop_assert_eq!(zone.bounds(day.next()).0, end);
    }

    #[test]
    fn a_finder_finds_what_the_zone_says(zone in any_zone(), times in prop::collection::vec(any_time(), 1..5), steps in prop::collection::vec(-200_000i64..200_000, 20)) {
        let mut finder = DayFinder::new(zone);
        for time in times {
            for step in &steps {
                let near = time.saturating_add(step * NS_PER_SECOND);
                prop_assert_eq!(finder.day_of(near), zone.day_of(near));
            }
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "[-0-9a-zT:. ]{0,20}|\\PC{0,8}", now in any::<i64>()) {
        let _ = parse_instant(&text, now);
        let _ = text.parse::<Day>();
    }
}
