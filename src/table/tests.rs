//! Names and types follow from the set of lines, whoever saw which first; a line that does not fit is kept word for word.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int64Type};
use proptest::prelude::*;

use super::settle::{Settled, settle};
use super::{CollectSettings, Collector, RejectedLine, Room, SettledTable};
use crate::format::{TimeRange, TimeUnit};
use crate::lineproto::{Instructions, Limits, Precision, Reason};
use crate::source::Origin;
use crate::table::schema::{ColumnKind, ColumnOrigin, ColumnType, MeasurementSchema};

fn settings(known: &[&MeasurementSchema]) -> CollectSettings {
    CollectSettings {
        precision: Precision::Ns,
        limits: Limits::default(),
        instructions: Instructions::best(),
        time_range: TimeRange {
            first: i64::MIN,
            last: i64::MAX,
        },
        time_unit: TimeUnit::Ns,
        measurement_fits: |name| name.len() < 20,
        pruned: Arc::default(),
        room: Room::default(),
        schemas: Arc::new(
            known
                .iter()
                .map(|schema| (schema.measurement.clone(), Arc::new((*schema).clone())))
                .collect::<BTreeMap<_, _>>(),
        ),
    }
}

/// Settles lines, each group of them seen by a collector of its own.
fn settled(known: &[&MeasurementSchema], groups: &[Vec<&str>]) -> Settled {
    let collected = groups.iter().map(|lines| {
        let mut collector = Collector::new(settings(known));
        for line in lines {
            collector.push(line.as_bytes(), None, |at| Origin::File {
                path: "test".into(),
                offset: at as u64,
            });
        }
        collector.finish()
    });
    settle(collected.collect())
}

/// Name and type of each column.
fn columns(schema: &MeasurementSchema) -> Vec<(&str, ColumnType)> {
    schema
        .columns
        .iter()
        .map(|column| (column.name.as_str(), column.ty))
        .collect()
}

fn rejected(settled: &Settled) -> Vec<(&str, Reason)> {
    settled
        .rejects
        .iter()
        .map(|reject| (std::str::from_utf8(&reject.line).expect("text"), reject.reason))
        .collect()
}

#[test]
fn integers_become_floats_where_a_float_came_and_inexact_ones_are_rejected() {
    let lines = ["m v=1i 1", "m v=9007199254740993i 2", "m v=-9007199254740992i 3"];
    let found = settled(&[], &[lines.to_vec(), vec!["m v=0.5 4"]]);
    let table = &found.tables[0];
    assert_eq!(columns(&table.schema), [("v", ColumnType::Float)]);
    assert_eq!(rejected(&found), [("m v=9007199254740993i 2", Reason::TypeMismatch)]);
    let detail = found.rejects[0].detail.as_deref().expect("a detail");
    assert_eq!(detail, "m.v is float, the line has the int 9007199254740993i");
    let values: Vec<f64> = table
        .batches
        .iter()
        .flat_map(|batch| {
            let array = batch.columns[0].as_ref().expect("values").as_primitive::<Float64Type>();
            let rows = (0..array.len()).filter(|row| !batch.removed.contains(row));
            rows.map(|row| array.value(row)).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(values, [1.0, -9_007_199_254_740_992.0, 0.5]);
}

#[test]
fn int_and_uint_cross_where_the_value_is_in_range() {
    let found = settled(&[], &[vec!["m v=1i 1", "m v=2u 2", "m v=9223372036854775808u 3"]]);
    assert_eq!(columns(&found.tables[0].schema), [("v", ColumnType::Int)]);
    assert_eq!(rejected(&found), [("m v=9223372036854775808u 3", Reason::TypeMismatch)]);
    let array = found.tables[0].batches[0].columns[0]
        .as_ref()
        .expect("values")
        .as_primitive::<Int64Type>();
    assert_eq!((array.value(0), array.value(1)), (1, 2));
}

#[test]
fn booleans_give_way_to_numbers_and_strings_to_booleans() {
    let found = settled(&[], &[vec!["m v=\"t\" 1"], vec!["m v=t 2"]]);
    assert_eq!(columns(&found.tables[0].schema), [("v", ColumnType::Boolean)]);
    assert_eq!(rejected(&found), [("m v=\"t\" 1", Reason::TypeMismatch)]);
    let found = settled(&[], &[vec!["m v=t 1"], vec!["m v=1u 2"]]);
    assert_eq!(columns(&found.tables[0].schema), [("v", ColumnType::Uint)]);
}

#[test]
fn a_line_that_does_not_fit_a_settled_column_leaves_nothing_behind() {
    let found = settled(&[], &[vec!["m,host=a v=1i 1"]]);
    let known = (*found.tables[0].schema).clone();
    let found = settled(&[&known], &[vec!["m,rack=r v=\"x\",new=1 1", "m,host=a v=2u 2"]]);
    assert_eq!(*found.tables[0].schema, known, "neither its tag nor its other field");
    assert_eq!(rejected(&found), [("m,rack=r v=\"x\",new=1 1", Reason::TypeMismatch)]);
    let all_rejected = settled(&[&known], &[vec!["m v=t 1"]]);
    assert!(all_rejected.tables.is_empty());
}

/// What a commit saw settles its columns, or the same lines would meet others when they come again.
#[test]
fn a_line_whose_type_lost_late_leaves_no_tag_behind_but_the_types_of_its_fields() {
    let found = settled(&[], &[vec!["m,rack=r v=\"x\",new=\"y\" 1", "m,host=a v=2 2"]]);
    assert_eq!(
        columns(&found.tables[0].schema),
        [
            ("host", ColumnType::String),
            ("new", ColumnType::String),
            ("v", ColumnType::Float)
        ]
    );
    assert_eq!(found.rejects.len(), 1);
}

#[test]
fn names_that_clash_are_given_by_the_set_of_keys() {
    let lines = vec!["m,host=a host=1,Host=2,time=3 1", "m,time=x HOST=4 2"];
    let mut backwards = lines.clone();
    backwards.reverse();
    for groups in [
        vec![lines.clone()],
        vec![backwards],
        lines.iter().map(|line| vec![*line]).collect(),
    ] {
        let found = settled(&[], &groups);
        let names: Vec<(&str, &str)> = found.tables[0]
            .schema
            .columns
            .iter()
            .map(|column| (column.name.as_str(), column.key.as_str()))
            .collect();
        let expected = [
            ("host", "host"),
            ("time_tag", "time"),
            ("HOST_field", "HOST"),
            ("Host_field2", "Host"),
            ("host_field3", "host"),
            ("time_field", "time"),
        ];
        assert_eq!(names, expected);
        assert!(
            found.tables[0]
                .schema
                .columns
                .iter()
                .all(|column| column.origin == ColumnOrigin::Learned)
        );
    }
}

#[test]
fn limits_on_names_and_times_reject_the_line_alone() {
    let long = format!("{} v=1 1", "m".repeat(20));
    let found = settled(&[], &[vec![&long, "m v=1", "m v=1 1"]]);
    assert_eq!(
        rejected(&found),
        [(long.as_str(), Reason::NameTooLong), ("m v=1", Reason::NoTime)]
    );
    assert_eq!(found.tables.len(), 1);
}

/// What must not depend on who saw which line.
#[derive(Debug, PartialEq)]
struct Outcome {
    schemas: Vec<MeasurementSchema>,
    rejects: Vec<(Vec<u8>, Reason, Option<String>)>,
    /// Rows of each table.
    rows: Vec<usize>,
}

fn outcome(settled: &Settled) -> Outcome {
    let reject = |reject: &RejectedLine| (reject.line.clone(), reject.reason, reject.detail.clone());
    let mut rejects: Vec<_> = settled.rejects.iter().map(reject).collect();
    rejects.sort();
    let rows = |table: &SettledTable| {
        table
            .batches
            .iter()
            .map(|batch| batch.times.len() - batch.removed.len())
            .sum()
    };
    Outcome {
        schemas: settled.tables.iter().map(|table| (*table.schema).clone()).collect(),
        rejects,
        rows: settled.tables.iter().map(rows).collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn schema_rejects_and_rows_do_not_depend_on_who_saw_which_line(
        (lines, order, groups) in prop::collection::vec(
            (
                prop_oneof![Just("m"), Just("m,a=1"), Just("m,A=1"), Just("n,b=x")],
                prop::collection::btree_map(
                    prop_oneof![Just("v"), Just("V"), Just("w"), Just("a")],
                    prop_oneof![
                        Just("1"), Just("1i"), Just("9007199254740993i"), Just("2u"), Just("18446744073709551615u"), Just("t"), Just("\"s\"")
                    ],
                    1..4,
                ),
            ),
            1..20,
        ).prop_flat_map(|lines| {
            let numbers: Vec<usize> = (0..lines.len()).collect();
            (Just(lines), Just(numbers).prop_shuffle(), 1..5usize)
        })
    ) {
        let lines: Vec<String> = lines
            .into_iter()
            .map(|(head, fields)| {
                let fields: Vec<String> = fields.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
                format!("{head} {} 7", fields.join(","))
            })
            .collect();
        let at_once = settled(&[], &[lines.iter().map(String::as_str).collect()]);
        let mut split = vec![Vec::new(); groups];
        for (place, number) in order.into_iter().enumerate() {
            split[place % groups].push(lines[number].as_str());
        }
        let apart = settled(&[], &split);
        prop_assert_eq!(outcome(&at_once), outcome(&apart));
        let kept: usize = outcome(&at_once).rows.iter().sum();
        prop_assert_eq!(kept + at_once.rejects.len(), lines.len());
    }
}

#[test]
fn a_key_that_stands_twice_in_a_line_is_one_or_rejects_it_before_anything_else_does() {
    let known = MeasurementSchema {
        measurement: "m".to_owned(),
        ..MeasurementSchema::default()
    };
    let first = settled(&[&known], &[vec!["m v=0.5,s=\"x\" 1"]]);
    let lines = vec![
        "m v=1.5,s=\"a\",v=1.5 2",
        "m v=1.5,s=\"b\",v=2.5 3",
        // The second value of `v` has another type and the string does not fit: that it stands twice comes first.
        "m s=1i,v=1.5,v=1i 4",
        "m,t=a v=1,v=2 5",
        "m v=3.5,s=\"c\" 6",
    ];
    let found = settled(&[&first.tables[0].schema], &[lines]);
    assert_eq!(
        rejected(&found),
        [
            ("m v=1.5,s=\"b\",v=2.5 3", Reason::DuplicateKey),
            ("m s=1i,v=1.5,v=1i 4", Reason::DuplicateKey),
            ("m,t=a v=1,v=2 5", Reason::DuplicateKey),
        ]
    );
    let table = &found.tables[0];
    assert_eq!(
        columns(&table.schema),
        columns(&first.tables[0].schema),
        "no tag of a rejected line"
    );
    let rows: usize = table.batches.iter().map(|batch| batch.times.len()).sum();
    assert_eq!(rows, 2);
    let at = table.schema.column_of("v", ColumnKind::Field).unwrap();
    let values = table.batches[0].columns[at].as_ref().unwrap();
    let values = values.as_primitive::<Float64Type>();
    assert_eq!((values.value(0), values.value(1), values.null_count()), (1.5, 3.5, 0));
}

#[test]
fn a_line_that_fits_no_more_leaves_no_value_behind() {
    let first = settled(&[], &[vec!["m a=1i,b=t,c=\"x\" 1"]]);
    // What comes before the misfit, also in columns that are new, is taken back.
    let lines = vec![
        "m new=1,a=2i,b=f,a2=1i,b2=\"gone\",a=2i,c=5i 2",
        "m a=3i 3",
        "m c=\"z\",b=t 4",
    ];
    let found = settled(&[&first.tables[0].schema], &[lines]);
    assert_eq!(found.rejects.len(), 1);
    assert_eq!(
        found.rejects[0].detail.as_deref(),
        Some("m.c is string, the line has the int 5i")
    );
    let table = &found.tables[0];
    assert_eq!(columns(&table.schema), columns(&first.tables[0].schema));
    let batch = &table.batches[0];
    assert_eq!(batch.times, [3, 4]);
    for column in &batch.columns {
        assert_eq!(
            column.as_ref().map(|column| (column.len(), column.null_count())),
            Some((2, 1))
        );
    }
}
