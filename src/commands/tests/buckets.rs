//! The same commands on an archive in a bucket, with each of their writes failing in every way that a store and a process can.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use super::trials::{Command, Place};
use super::{FIRST, LATE, Room, archive, archiver, commit, import_of, merge, prune, set_type};
use crate::store::disk::RealDisk;
use crate::store::testing::{self, Fault, Faulty};
use crate::store::{Archive, Requested, State, Store, check_files};

const FAULTS: [Fault; 4] = [Fault::DiesBefore, Fault::DiesAfter, Fault::LosesAnswer, Fault::Fails];

/// Problems that a test that fails shows.
const SHOWN: usize = 20;

/// The objects that commits made: what is not the ledger's, nor staged.
fn made(store: &Faulty) -> BTreeMap<String, Vec<u8>> {
    let own = [
        "a/_diurnal/ledger/",
        "a/_diurnal/archive.toml",
        "a/_diurnal/staging/",
        "a/_diurnal/last-run.json",
    ];
    let mut content = store.content();
    content.retain(|key, _| !own.iter().any(|own| key.starts_with(own)));
    content
}

fn staged(store: &Faulty) -> Vec<String> {
    let content = store.content().into_keys();
    content.filter(|key| key.starts_with("a/_diurnal/staging/")).collect()
}

/// The state, but for when it was made.
fn state(address: &Path) -> State {
    let mut state = Archive::read(address).expect("an archive").state().clone();
    state.at = None;
    state
}

fn try_all(name: &str, place: Place, store: &Faulty, before: &[&Command], command: &Command) {
    let address = place.archive();
    let run = |told: &mut (dyn FnMut() + Send)| place.alone(|| command(&place, Arc::new(RealDisk), &mut || told()));
    for command in before {
        place
            .alone(|| command(&place, Arc::new(RealDisk), &mut || {}))
            .expect("a command");
    }
    let start = store.content();
    let commits = || Archive::read(&address).map_or(0, |archive| archive.state().commits);
    let known = commits();

    let mut stages = BTreeMap::from([(known, made(store))]);
    store.order(None);
    run(&mut || drop(stages.insert(commits(), made(store)))).expect("nothing goes wrong");
    let (calls, log) = (store.calls(), store.log());
    let (end, whole) = (made(store), state(&address));
    assert!(staged(store).is_empty(), "{:?}", staged(store));
    assert!(stages.len() > 1, "it makes no commit");

    let mut problems = Vec::new();
    let all = std::env::var_os("DIURNAL_TEST_LONG").is_some();
    let mut tried = 0;
    for at in 1..=calls {
        // One kind each, in turn, unless all are wanted.
        for (_, fault) in (at..).zip(FAULTS).filter(|(turn, _)| all || turn % FAULTS.len() == 0) {
            tried += 1;
            store.restore(&start);
            store.order(Some((at, fault)));
            let mut acknowledged = known;
            let mut told = || {
                store_commits(&address, &mut acknowledged);
            };
            let ended = catch_unwind(AssertUnwindSafe(|| run(&mut told)));
            store.order(None);
            let stands = || -> Result<(), String> {
                let ended = ended.map_err(|_| "it panics".to_owned())?;
                if let Err(error) = &ended
                    && !error.to_string().contains("memory://")
                {
                    return Err(format!("the error names no object: {error}"));
                }
                if let Ok(archive) = Archive::read(&address)
                    && let Some(found) = check_files(&archive).first()
                {
                    return Err(format!("before recovery: {}: {}", found.object, found.problem));
                }
                let opened =
                    Store::open(&address, &Requested::default()).map_err(|error| format!("opening: {error}"))?;
                let commits = opened.state().commits;
                drop(opened);
                if commits < acknowledged {
                    return Err(format!("commit {acknowledged} is lost: there are {commits}"));
                }
                if stages.get(&commits) != Some(&made(store)) {
                    return Err(format!("not the files of commit {commits}: {:?}", made(store).keys()));
                }
                catch_unwind(AssertUnwindSafe(|| run(&mut || {})))
                    .map_err(|_| "the next run panics")?
                    .map_err(|error| format!("the next run fails: {error}"))?;
                if state(&address) != whole {
                    return Err("the ledger says something else in the end".to_owned());
                }
                if made(store) != end {
                    return Err("files differ in the end".to_owned());
                }
                let archive = Archive::read(&address).map_err(|error| error.to_string())?;
                match check_files(&archive).first() {
                    Some(found) => Err(format!("in the end: {}: {}", found.object, found.problem)),
                    None => Ok(()),
                }
            };
            if let Err(problem) = stands() {
                problems.push(format!("{fault:?} at {at}, {}: {problem}", log[at - 1]));
            }
        }
    }
    println!("{name}: {tried} troubles tried at {calls} writes");
    let shown = &problems[..problems.len().min(SHOWN)];
    assert!(problems.is_empty(), "{name}: {} fail: {shown:#?}", problems.len());
}

/// How many commits are told to stand.
fn store_commits(address: &Path, acknowledged: &mut u64) {
    // A process that is dead tells nobody anything.
    if let Ok(archive) = Archive::read(address) {
        *acknowledged = archive.state().commits;
    }
}

fn bucket() -> (Place, Arc<Faulty>) {
    let name = testing::fresh();
    let place = Place::in_bucket(&format!("memory://{name}/a"));
    (place, testing::store(&name))
}

#[test]
fn archive_into_a_bucket_stands_any_fault_of_any_write() {
    let (place, store) = bucket();
    try_all("archive", place, &store, &[], &archive);
}

#[test]
fn an_import_of_late_lines_into_a_bucket_stands_any_fault_of_any_write() {
    let (place, store) = bucket();
    let late = import_of(LATE, Room::Little);
    try_all("import", place, &store, &[&import_of(FIRST, Room::Ample)], &late);
}

#[test]
fn merge_into_a_bucket_stands_any_fault_of_any_write() {
    let (place, store) = bucket();
    for (name, lines) in [("other-1", FIRST), ("other-2", LATE)] {
        let mut archiver = archiver(Arc::new(RealDisk), place.path(name), Room::Ample).unwrap();
        commit(&mut archiver, lines, Room::Ample, None).unwrap();
    }
    try_all("merge", place, &store, &[], &merge);
}

#[test]
fn prune_of_a_bucket_stands_any_fault_of_any_write() {
    let (place, store) = bucket();
    try_all("prune", place, &store, &[&archive], &prune);
}

#[test]
fn schema_set_in_a_bucket_stands_any_fault_of_any_write() {
    let (place, store) = bucket();
    try_all("schema set", place, &store, &[&archive], &set_type);
}
