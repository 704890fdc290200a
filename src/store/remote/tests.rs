//! The protocol on a store in memory: who races, who is late, what lies around.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::record::RECORDS;
use super::testing::{self, Fault, Faulty};
use crate::error::Kind;
use crate::store::record::{Commit, Counts, FileEntry};
use crate::store::{Archive, Requested, Store, check_files};

fn bucket() -> (PathBuf, Arc<Faulty>) {
    let name = testing::fresh();
    (PathBuf::from(format!("memory://{name}/deep/a")), testing::store(&name))
}

fn open(address: &Path) -> Store {
    Store::open(address, &Requested::default()).unwrap()
}

/// A commit of a schema file with this text, which is as good as any file here.
fn write(store: &Store, text: &str) -> crate::error::Result<()> {
    use std::io::Write as _;
    let staging = store.begin("import")?;
    let mut file = staging.file("_diurnal/schema/m.toml")?;
    file.write_all(text.as_bytes()).unwrap();
    let written = file.finish()?;
    let commit = Commit {
        id: staging.id(),
        command: "import".into(),
        files: vec![FileEntry {
            path: "_diurnal/schema/m.toml".into(),
            bytes: written.bytes,
            hash: written.hash.unwrap(),
        }],
        counts: Counts::default(),
        ..Commit::default()
    };
    staging.commit(commit)
}

fn text_of(address: &Path) -> String {
    let archive = Archive::read(address).unwrap();
    std::fs::read_to_string(archive.locate("_diurnal/schema/m.toml").unwrap()).unwrap()
}

#[test]
fn of_two_runs_that_opened_the_same_archive_one_commits() {
    let (address, store) = bucket();
    let (one, other) = (open(&address), open(&address));
    write(&one, "one").unwrap();
    let refused = write(&other, "other").unwrap_err();
    assert_eq!(refused.kind(), Kind::Locked, "{refused}");
    assert!(refused.to_string().starts_with("memory://"), "{refused}");
    assert!(write(&other, "other").is_err(), "the run ends there");
    assert_eq!(text_of(&address), "one");
    let debris = store.content().into_keys().filter(|key| key.contains("/staging/"));
    assert_eq!(debris.count(), 0);
    write(&open(&address), "other").unwrap();
    assert_eq!(text_of(&address), "other");
}

#[test]
fn a_ledger_of_several_segments_is_read_from_its_last() {
    let (address, store) = bucket();
    let run = open(&address);
    let many = 2 * RECORDS + 3;
    for number in 1..=many {
        write(&run, &number.to_string()).unwrap();
        if number % RECORDS < 2 {
            let archive = Archive::read(&address).unwrap();
            assert_eq!(archive.state().commits, number);
            assert_eq!(archive.state(), &*run.state());
            assert_eq!(check_files(&archive), Vec::new());
            assert_eq!(open(&address).state().commits, number);
        }
    }
    assert_eq!(text_of(&address), many.to_string());
    let mut ids = Vec::new();
    let archive = Archive::read(&address).unwrap();
    let each = |commit: Commit| {
        ids.push(commit.id);
        Ok(())
    };
    archive.each_commit(each).unwrap();
    assert_eq!(ids, Vec::from_iter(1..=many));

    // An earlier record that is gone, and one that is another.
    let content = store.content();
    let mut without = content.clone();
    without.remove("deep/a/_diurnal/ledger/000002.jsonl").unwrap();
    store.restore(&without);
    let gone = Archive::read(&address).unwrap_err();
    assert!(gone.to_string().contains("000002.jsonl"), "{gone}");
    for commit in [2, RECORDS + 1, many] {
        let key = format!("deep/a/_diurnal/ledger/{commit:06}.jsonl");
        let mut changed = content.clone();
        let record = changed.get_mut(&key).unwrap();
        let middle = record.len() / 3;
        record[middle] ^= 1;
        store.restore(&changed);
        let found = Archive::read(&address).map(|archive| check_files(&archive));
        assert!(found.is_err() || found.is_ok_and(|found| !found.is_empty()), "{key}");
    }
}

#[test]
fn a_record_whose_answer_is_lost_is_read_back() {
    for fault in [Fault::LosesAnswer, Fault::Fails] {
        let (address, store) = bucket();
        let run = open(&address);
        store.order(None);
        write(&run, "one").unwrap();
        let log = store.log();
        let at = 1 + log.iter().position(|call| call.contains("/ledger/")).unwrap();
        store.order(Some((at, fault)));
        write(&run, "two").unwrap();
        assert!(store.log()[at - 1].contains("/ledger/000002"), "{:?}", store.log());
        store.order(None);
        assert_eq!(text_of(&address), "two");
        assert_eq!(open(&address).state().commits, 2);
    }
}

#[test]
fn what_is_staged_by_a_run_that_may_live_stays() {
    let (address, store) = bucket();
    write(&open(&address), "one").unwrap();
    let staged = |commit: u64| format!("deep/a/_diurnal/staging/other/{commit:06}/000001-m.toml.staged");
    for commit in [1, 2, 9] {
        store.plant(&staged(commit), b"x");
    }
    let run = open(&address);
    assert_eq!(run.recovery().discarded, 1);
    let left: Vec<String> = store
        .content()
        .into_keys()
        .filter(|key| key.contains("/staging/"))
        .collect();
    assert_eq!(left, [staged(2), staged(9)]);
    assert_eq!(check_files(&Archive::read(&address).unwrap()), Vec::new());
}

#[test]
fn settings_that_are_gone_and_flags_that_disagree_are_told() {
    let (address, store) = bucket();
    write(&open(&address), "one").unwrap();
    let other = Requested {
        timezone: Some("Europe/Berlin".into()),
        ..Requested::default()
    };
    assert_eq!(Store::open(&address, &other).unwrap_err().kind(), Kind::Usage);
    let mut content = store.content();
    content.remove("deep/a/_diurnal/archive.toml").unwrap();
    store.restore(&content);
    let gone = Store::open(&address, &Requested::default()).unwrap_err();
    assert!(gone.to_string().contains("archive.toml: is gone"), "{gone}");
    assert!(gone.to_string().starts_with("memory://"), "{gone}");
}

#[test]
fn an_object_in_the_way_stops_a_commit_before_it_is_made() {
    let (address, store) = bucket();
    let run = open(&address);
    store.plant("deep/a/_diurnal/schema/m.toml", b"foreign");
    let refused = write(&run, "one").unwrap_err();
    assert!(refused.to_string().contains("is in the way"), "{refused}");
    assert_eq!(open(&address).state().commits, 0);
}

#[test]
fn a_dry_run_changes_nothing() {
    let (address, store) = bucket();
    let dry = Store::dry_run(&address, &Requested::default()).unwrap();
    write(&dry, "one").unwrap();
    assert!(store.content().is_empty());
    assert!(!dry.has_moved_on().unwrap());
    write(&open(&address), "one").unwrap();
    assert!(dry.has_moved_on().unwrap());
    let before = store.content();
    let dry = Store::dry_run(&address, &Requested::default()).unwrap();
    write(&dry, "two").unwrap();
    assert_eq!(store.content(), before);
}
