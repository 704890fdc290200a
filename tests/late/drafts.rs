//! Made-up lines for days that get late data.

use diurnal::order::{LEAF_CELLS, LeafSize};
use proptest::prelude::*;

pub const SECOND: i64 = 1_000_000_000;
pub const HOUR: i64 = 3_600 * SECOND;
/// 2020-06-19 00:00 UTC.
pub const DAY: i64 = 1_592_524_800 * SECOND;

/// A line to be: new, or one that has to do with a line before it.
#[derive(Clone, Debug)]
pub struct Draft {
    what: What,
    head: &'static str,
    fields: Vec<&'static str>,
    time: i64,
    /// Which of the lines before it.
    pick: usize,
}

#[derive(Clone, Copy, Debug)]
enum What {
    New,
    Repeated,
    /// Of the same point, with other fields.
    SamePoint,
    /// At the same time, of another series.
    SameTime,
    /// A nanosecond before or after.
    NextTo(i64),
}

const HEADS: [&str; 9] = [
    "declared\\ one",
    "declared\\ one,host=a",
    "declared\\ one,host=b\\ c,zone=x",
    "declared\\ one,zone=x",
    "declared\\ one,host=ä",
    "learned",
    "learned,host=\\=\\,",
    "learned,host=ä,rack=1",
    "learned,host=ö",
];

/// Lines that bring all the columns that most lines have, so that days soon have the columns that they keep.
pub const ALL_COLUMNS: [&str; 2] = [
    "declared\\ one,host=a,zone=x f=1,i=1i,u=1u,b=t,s=\"x\"",
    "learned,host=a,rack=1 f=1,i=1i,u=1u,b=t,s=\"x\"",
];

fn draft() -> impl Strategy<Value = Draft> {
    let field = prop_oneof![
        12 => prop_oneof![Just("f=0"), Just("f=-0"), Just("f=1.5"), Just("f=-1e300"), Just("f=3")],
        12 => prop_oneof![Just("i=0i"), Just("i=-9223372036854775808i"), Just("i=7i")],
        12 => prop_oneof![Just("u=0u"), Just("u=18446744073709551615u")],
        12 => prop_oneof![Just("b=t"), Just("b=false")],
        12 => prop_oneof![Just("s=\"\""), Just("s=\"a,\\\"b\\\"\""), Just("s=\"x\ny\""), Just("s=\"=SUM(A1)\"")],
        1 => prop_oneof![Just("Extra=1"), Just("extra=2")],
    ];
    let fields = prop::collection::vec(field, 1..4).prop_map(|mut fields| {
        // One value a key: the same key twice with two values would be a reject.
        fields.sort_unstable();
        fields.dedup_by_key(|field| field.split('=').next());
        fields
    });
    // The steps of the division, times around them, and crowds at one instant and just beside it.
    let step = prop::sample::select(vec![12 * HOUR, 6 * HOUR, HOUR, HOUR / 2, HOUR / 12, HOUR / 60]);
    let time = prop_oneof![
        4 => (step, 0i64..48, -1i64..2).prop_map(|(step, k, near)| DAY + k * step % (24 * HOUR) + near),
        4 => (0i64..24 * HOUR).prop_map(|time| DAY + time),
        3 => Just(DAY + 7 * HOUR),
        2 => (0i64..6).prop_map(|near| DAY + 7 * HOUR + near),
        1 => (0i64..40).prop_map(|second| DAY + 23 * HOUR + second * SECOND),
    ];
    let what = prop_oneof![
        6 => Just(What::New),
        3 => Just(What::Repeated),
        3 => Just(What::SamePoint),
        3 => Just(What::SameTime),
        1 => prop_oneof![Just(What::NextTo(1)), Just(What::NextTo(-1))],
    ];
    (what, prop::sample::select(HEADS.to_vec()), fields, time, any::<usize>()).prop_map(
        |(what, head, fields, time, pick)| Draft {
            what,
            head,
            fields,
            time,
            pick,
        },
    )
}

/// The lines of some drafts; `known` are those before them.
pub fn written(drafts: &[Draft], known: &mut Vec<(String, String, i64)>) -> String {
    let mut text = String::new();
    for draft in drafts {
        let mut line = (draft.head.to_owned(), draft.fields.join(","), draft.time);
        if let Some((head, fields, time)) = known.get(draft.pick % known.len().max(1)) {
            match draft.what {
                What::New => {}
                What::Repeated => line = (head.clone(), fields.clone(), *time),
                What::SamePoint => (line.0, line.2) = (head.clone(), *time),
                What::SameTime => line.2 = *time,
                What::NextTo(by) => line.2 = time + by,
            }
        }
        text.push_str(&format!("{} {} {}\n", line.0, line.1, line.2));
        known.push(line);
    }
    text
}

/// What a day begins with, and what comes late, commit by commit.
pub fn runs() -> impl Strategy<Value = (bool, Vec<Vec<Draft>>)> {
    let run = prop_oneof![
        2 => prop::collection::vec(draft(), 1..2),
        3 => prop::collection::vec(draft(), 1..8),
    ];
    let begin = prop_oneof![
        1 => prop::collection::vec(draft(), 0..4),
        4 => prop::collection::vec(draft(), 20..90),
    ];
    (any::<bool>(), begin, prop::collection::vec(run, 1..6)).prop_map(|(all_columns, begin, mut runs)| {
        runs.insert(0, begin);
        (all_columns, runs)
    })
}

/// Small leaves; in some archives a column more makes them smaller.
pub fn leaf_size() -> impl Strategy<Value = LeafSize> {
    let rows = prop::sample::select(vec![1usize, 2, 3, 4, 8, 32]);
    let cells = prop_oneof![Just(LEAF_CELLS), 16usize..80];
    (rows, cells).prop_map(|(rows, cells)| LeafSize { rows, cells })
}
