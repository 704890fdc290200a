//! The form of a line, cuts at any byte, and every flipped bit.

use super::*;
use crate::store::disk::RealDisk;
use crate::store::record::Counts;

fn ledger(commits: u64) -> (Vec<u8>, End) {
    let mut end = End::default();
    let mut bytes = Vec::new();
    for id in 1..=commits {
        let commit = Commit {
            id,
            command: "import \"ü\"".into(),
            counts: Counts {
                lines: id,
                points: id,
                ..Counts::default()
            },
            ..Commit::default()
        };
        let (line, next) = end.line(&commit).unwrap();
        bytes.extend_from_slice(&line);
        end = next;
    }
    (bytes, end)
}

fn read(bytes: &[u8]) -> Result<(Vec<u64>, End, Tail)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    std::fs::write(&path, bytes).unwrap();
    let mut ids = Vec::new();
    let (end, tail) = scan(&RealDisk, &path, Before::Nothing, |record| {
        match record {
            Record::Commit(commit) => ids.push(commit.id),
            Record::State(_) => panic!("a state in the first segment"),
        }
        Ok(())
    })?;
    Ok((ids, end, tail))
}

#[test]
fn a_line_has_the_documented_form() {
    let (line, _) = End::default()
        .line(&Commit {
            id: 1,
            command: "x".into(),
            ..Commit::default()
        })
        .unwrap();
    let json = r#"{"id":1,"command":"x","sources":[],"days":[],"files":[],"counts":{"lines":0,"points":0,"folded":0,"conflicts":0,"rejected":0}}"#;
    let crc = crc32c::crc32c(format!("{NO_LINE}{json}").as_bytes());
    let expected = format!(
        "{{\"len\":{},\"crc32c\":\"{crc:08x}\",\"prev\":\"{NO_LINE}\",\"commit\":{json}}}\n",
        json.len()
    );
    assert_eq!(String::from_utf8(line).unwrap(), expected);
}

#[test]
fn what_was_written_is_read_back_with_its_end() {
    for commits in [0, 1, 3] {
        let (bytes, end) = ledger(commits);
        assert_eq!(read(&bytes).unwrap(), ((1..=commits).collect(), end, Tail::Clean));
    }
}

#[test]
fn a_cut_at_any_byte_leaves_the_whole_lines_and_a_bad_tail() {
    let (bytes, _) = ledger(3);
    for cut in 0..bytes.len() {
        let kept = &bytes[..cut];
        let whole = kept.iter().filter(|byte| **byte == b'\n').count() as u64;
        let good = kept.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (ids, end, tail) = read(kept).unwrap();
        assert_eq!(ids, (1..=whole).collect::<Vec<_>>());
        assert_eq!(end.bytes, good as u64);
        match tail {
            Tail::Clean => assert_eq!(cut, good),
            Tail::Bad { bytes, .. } => assert_eq!(bytes, (cut - good) as u64),
        }
    }
}

#[test]
fn every_flipped_bit_is_found() {
    let (bytes, _) = ledger(3);
    let last_line = bytes[..bytes.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap()
        + 1;
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            match read(&flipped) {
                Err(_) => {}
                // Only the last line may pass for a torn one: the staging folder decides that.
                Ok((ids, end, Tail::Bad { .. })) => {
                    assert!(at >= last_line - 1 && ids.len() <= 2, "byte {at}, bit {bit}");
                    assert!(end.bytes <= last_line as u64);
                }
                Ok((_, _, Tail::Clean)) => panic!("byte {at}, bit {bit}: believed"),
            }
        }
    }
}

#[test]
fn lines_lost_doubled_or_swapped_are_found() {
    let (bytes, _) = ledger(3);
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    for order in [&[1, 2][..], &[0, 2], &[0, 0, 1], &[1, 0, 2], &[0, 1, 2, 2]] {
        let mixed: Vec<u8> = order.iter().flat_map(|line| lines[*line]).copied().collect();
        assert!(read(&mixed).is_err(), "{order:?}");
    }
}

#[test]
fn an_id_out_of_turn_is_found() {
    let (line, _) = End::default()
        .line(&Commit {
            id: 2,
            ..Commit::default()
        })
        .unwrap();
    assert!(read(&line).unwrap_err().to_string().contains("commit 2, not 1"));
}
