//! Adding up commits, and what does not balance.

use super::super::record::Merged;
use super::*;

fn range(first: i64, next: i64, messages: u64) -> SourceRange {
    SourceRange {
        cluster_id: "c".into(),
        topic_id: Some("t".into()),
        topic: "metrics".into(),
        partition: 3,
        first,
        next,
        messages,
        gaps: 0,
        lost: 0,
        again: 0,
        last: None,
        epoch: None,
    }
}

fn commit(id: u64, sources: Vec<SourceRange>) -> Commit {
    Commit {
        id,
        sources,
        ..Commit::default()
    }
}

#[test]
fn the_last_range_of_a_partition_counts() {
    let mut state = State::default();
    state.apply(commit(1, vec![range(0, 10, 10)]));
    state.apply(commit(2, vec![range(10, 12, 2)]));
    assert_eq!(state.sources.values().collect::<Vec<_>>(), [&range(10, 12, 2)]);
    assert_eq!(state.commits, 2);
}

#[test]
fn a_topic_that_was_made_again_is_another_source() {
    let mut state = State::default();
    state.apply(commit(1, vec![range(0, 10, 10)]));
    let again = SourceRange {
        topic_id: Some("u".into()),
        ..range(0, 5, 5)
    };
    assert_eq!(state.imbalances(&commit(2, vec![again.clone()])), Vec::<String>::new());
    state.apply(commit(2, vec![again]));
    assert_eq!(state.sources.len(), 2);
}

#[test]
fn a_range_goes_back_only_if_it_says_how_far() {
    let mut state = State::default();
    state.apply(commit(1, vec![range(0, 10, 10)]));
    let back = |first, again| SourceRange {
        again,
        ..range(first, 12, (12 - first) as u64)
    };
    assert_eq!(
        state.imbalances(&commit(2, vec![back(7, 3)])),
        Vec::<String>::new(),
        "the log was cut at 7"
    );
    for (wrong, what) in [(back(7, 0), "overlap"), (back(7, 2), "overlap"), (back(7, 4), "hole")] {
        let found = state.imbalances(&commit(2, vec![wrong]));
        assert!(found.iter().any(|problem| problem.contains(what)), "{found:?}");
    }
    // However short it is, the next one goes on at its end.
    state.apply(commit(
        2,
        vec![SourceRange {
            again: 3,
            ..range(7, 8, 1)
        }],
    ));
    assert_eq!(
        state.imbalances(&commit(3, vec![range(8, 12, 4)])),
        Vec::<String>::new()
    );
    let read: Vec<_> = state.read.values().flat_map(ReadRanges::iter).cloned().collect();
    assert_eq!(read, [range(0, 10, 10)]);

    let nobody = SourceRange {
        partition: 9,
        ..back(7, 3)
    };
    assert_eq!(state.imbalances(&commit(3, vec![nobody])).len(), 1);
}

#[test]
fn what_is_removed_is_what_the_days_lose() {
    let file = |extension: &str| {
        Some(DayFileEntry {
            path: format!("m/2020-06-19.{extension}"),
            bytes: 1,
            rest: String::new(),
            replaced: None,
        })
    };
    let day = |parquet, csv| DayEntry {
        measurement: "m".into(),
        day: "2020-06-19".into(),
        rows: 0,
        first: 0,
        last: 0,
        encoder: 1,
        leaves: Vec::new(),
        parquet,
        csv,
    };
    let mut state = State::default();
    state.apply(Commit {
        days: vec![day(file("parquet"), file("csv"))],
        ..commit(1, vec![])
    });
    let removal = |days: Vec<DayEntry>, removed: &[&str]| Commit {
        days,
        removed: removed.iter().map(|path| path.to_string()).collect(),
        ..commit(2, vec![])
    };
    let (parquet, csv) = ("m/2020-06-19.parquet", "m/2020-06-19.csv");
    for right in [
        removal(vec![day(file("parquet"), None)], &[csv]),
        removal(vec![day(None, None)], &[csv, parquet]),
        removal(vec![day(file("parquet"), file("csv"))], &[]),
    ] {
        assert_eq!(state.imbalances(&right), Vec::<String>::new());
    }
    for (wrong, what) in [
        (removal(vec![day(file("parquet"), None)], &[]), "not removed"),
        (removal(vec![day(None, None)], &[csv]), "not removed"),
        (
            removal(vec![day(file("parquet"), file("csv"))], &[csv]),
            "removed and kept",
        ),
        (removal(vec![], &[csv]), "not told"),
        (removal(vec![], &["m/2020-06-20.csv"]), "no record"),
    ] {
        assert!(
            state.imbalances(&wrong).iter().any(|found| found.contains(what)),
            "{what}"
        );
    }
    state.apply(removal(vec![day(None, None)], &[csv, parquet]));
    assert_eq!((state.paths().count(), state.pruned_days().count()), (0, 1));
}

#[test]
fn rejects_are_driven_again_once() {
    let path = "_diurnal/rejects/000001.jsonl";
    let retried = |lines: &[(u64, u64)]| Commit {
        retried: vec![Retried {
            path: path.into(),
            lines: lines.to_vec(),
        }],
        ..commit(2, vec![])
    };
    let mut state = State::default();
    state.apply(Commit {
        files: vec![FileEntry {
            path: path.into(),
            bytes: 1,
            hash: String::new(),
        }],
        ..commit(1, vec![])
    });
    let first = retried(&[(2, 4), (7, 7)]);
    assert_eq!(state.imbalances(&first), Vec::<String>::new());
    state.apply(first);
    let were: Vec<u64> = (0..9).filter(|line| state.was_retried(path, *line)).collect();
    assert_eq!(were, [2, 3, 4, 7]);
    assert_eq!(state.imbalances(&retried(&[(1, 1), (5, 6)])), Vec::<String>::new());
    for again in [(1, 2), (4, 4), (3, 9), (6, 5)] {
        assert_eq!(state.imbalances(&retried(&[again])).len(), 1, "{again:?}");
    }
}

#[test]
fn holes_overlaps_and_sums_that_do_not_fit_are_named() {
    let mut state = State::default();
    state.apply(commit(1, vec![range(0, 10, 10)]));
    for (next, problems) in [
        (commit(2, vec![range(10, 12, 2)]), vec![]),
        (commit(2, vec![range(11, 12, 1)]), vec!["hole"]),
        (commit(2, vec![range(9, 12, 3)]), vec!["overlap"]),
        (commit(2, vec![range(10, 12, 1)]), vec!["messages"]),
        (commit(2, vec![range(10, i64::MIN, u64::MAX)]), vec!["messages"]),
        (commit(2, vec![range(10, 10, 0), range(10, 10, 0)]), vec!["twice"]),
        (
            Commit {
                counts: Counts {
                    lines: 5,
                    points: 2,
                    folded: 1,
                    conflicts: 9,
                    rejected: 1,
                    rejected_again: 0,
                },
                ..commit(2, vec![])
            },
            vec!["5 lines"],
        ),
        (
            Commit {
                counts: Counts {
                    lines: 1,
                    rejected: 1,
                    rejected_again: 2,
                    ..Counts::default()
                },
                ..commit(2, vec![])
            },
            vec!["rejected again"],
        ),
        (
            Commit {
                retried: vec![Retried {
                    path: "_diurnal/rejects/000009.jsonl".into(),
                    lines: vec![(1, 1)],
                }],
                ..commit(2, vec![])
            },
            vec!["no record"],
        ),
    ] {
        let found = state.imbalances(&next);
        assert_eq!(found.len(), problems.len(), "{found:?}");
        assert!(
            found.iter().zip(&problems).all(|(found, what)| found.contains(what)),
            "{found:?}"
        );
    }
}

#[test]
fn what_a_replay_read_moves_nothing_and_balances_too() {
    let mut state = State::default();
    state.apply(commit(1, vec![range(0, 10, 10)]));
    let replay = |ranges| Commit {
        replayed: ranges,
        ..commit(2, Vec::new())
    };
    // Read before, not read yet, of a hole: all the same.
    for replayed in [range(0, 10, 10), range(3, 5, 2), range(20, 30, 10)] {
        assert_eq!(state.imbalances(&replay(vec![replayed])), [""; 0]);
    }
    let found = state.imbalances(&replay(vec![range(0, 10, 9)]));
    assert!(found[0].contains("offsets 0 to 10 are not 9 messages"), "{found:?}");
    state.apply(replay(vec![range(20, 30, 10)]));
    assert_eq!(state.sources.values().collect::<Vec<_>>(), [&range(0, 10, 10)]);
}

#[test]
fn merged_ranges_move_next_and_may_overlap_but_leave_no_hole() {
    let merging = |id: u64, ranges: Vec<SourceRange>| Commit {
        merged: vec![Merged {
            archive: "other".into(),
            commits: 1,
            sources: ranges,
        }],
        ..commit(id, vec![])
    };
    let mut state = State::default();
    state.apply(commit(1, vec![range(50, 100, 50)]));
    let good = merging(2, vec![range(0, 60, 60), range(90, 150, 60)]);
    assert_eq!(state.imbalances(&good), Vec::<String>::new());
    let hole = merging(2, vec![range(0, 60, 60), range(110, 150, 40)]);
    assert_eq!(
        state.imbalances(&hole),
        ["topic metrics partition 3, merged: a hole, nobody read the offsets 100 to 110"]
    );
    let short = merging(2, vec![range(90, 150, 59)]);
    assert!(state.imbalances(&short)[0].contains("are not 59 messages"));
    state.apply(good);
    assert_eq!(
        state.sources.values().map(|range| range.next).collect::<Vec<_>>(),
        [150]
    );
    assert_eq!(
        state.imbalances(&commit(3, vec![range(150, 160, 10)])),
        Vec::<String>::new()
    );
    assert!(state.imbalances(&commit(3, vec![range(100, 160, 60)]))[0].contains("overlap"));
    assert_eq!(
        State::from(Snapshot::from(&state)),
        state,
        "as a segment of the ledger tells it"
    );
    // What ends before is kept as read, and moves nothing.
    state.apply(merging(3, vec![range(0, 20, 20)]));
    assert_eq!(
        state.sources.values().map(|range| range.next).collect::<Vec<_>>(),
        [150]
    );
}

#[test]
fn rejects_may_come_already_driven_again_with_the_file_that_holds_them() {
    let path = "_diurnal/rejects/000001.jsonl";
    let bringing = Commit {
        files: vec![FileEntry {
            path: path.into(),
            bytes: 1,
            hash: String::new(),
        }],
        retried: vec![Retried {
            path: path.into(),
            lines: vec![(1, 2)],
        }],
        ..commit(1, vec![])
    };
    let mut state = State::default();
    assert_eq!(state.imbalances(&bringing), Vec::<String>::new());
    state.apply(bringing);
    assert!(state.was_retried(path, 2) && !state.was_retried(path, 3));
}
