//! A run killed at any moment leaves an archive that the next run completes or ignores, never one between.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::support::digest::{Tree, all_files, assert_no_debris, day_files, day_files_and_schemas};
use crate::support::folder::{Folder, copy};
use crate::support::lines::{self, Random};
use crate::support::long;
use crate::support::run::{Diurnal, Ran, diurnal};

/// A line that is rejected, so that a reject file is part of the commit.
const BAD: &str = "m,host= v=1i 1592604000000000000\n";

/// What the archive holds before the run that is killed: points of the evening.
fn earlier() -> String {
    lines::file_of(&lines::telegraf(1, 600))
}

/// What the killed run brings: late points for the same day, a new day, a new measurement, a reject.
fn later() -> String {
    let mut text = lines::file_of(&lines::telegraf(2, 4_600)[300..]);
    text.push_str("other,host=a v=1i 1592604000000000000\n");
    text.push_str(BAD);
    text
}

/// A run that meets the reject ends with 3, one that finds it on record already with 0.
fn expect_done(ran: Ran) -> Ran {
    let code = if ran.status.code() == Some(0) { 0 } else { 3 };
    ran.expect_code(code)
}

fn import(folder: &Folder) -> Diurnal {
    // So few that the ledger of an archive with a commit goes on in another segment.
    diurnal(folder, "import")
        .arg("later.txt")
        .env("DIURNAL_SEGMENT_BYTES", "1")
}

/// A folder whose archive holds the earlier points.
fn prepared(base: &Path) -> Folder {
    let folder = Folder::new();
    folder.write("later.txt", later());
    if base.exists() {
        copy(base, &folder.archive());
    }
    folder
}

/// The archive before the run that is killed, and its day files after it in an undisturbed run.
struct Undisturbed {
    base: Folder,
    before: Tree,
    after: Tree,
    steps: Vec<String>,
}

impl Undisturbed {
    /// With `start` false the killed run is the archive's first.
    fn new(with_earlier: bool) -> Self {
        let base = Folder::new();
        if with_earlier {
            base.write("earlier.txt", earlier());
            diurnal(&base, "import").arg("earlier.txt").run().expect_code(0);
        }
        let before = if with_earlier {
            day_files(&base.archive())
        } else {
            Tree::new()
        };
        let folder = prepared(&base.archive());
        let ran = import(&folder).run().expect_code(3);
        Self {
            before,
            after: day_files_and_schemas(&folder.archive()),
            steps: ran.steps,
            base,
        }
    }

    /// What a reader finds after a kill: each day file whole, old or new.
    fn expect_whole(&self, archive: &Path, killed_at: &str) {
        if !archive.exists() {
            return;
        }
        for (path, hash) in all_files(archive) {
            if !path.starts_with("_diurnal/") {
                let whole = [&self.before, &self.after]
                    .iter()
                    .any(|tree| tree.get(&path) == Some(&hash));
                assert!(whole, "{path} is neither old nor new after a kill at {killed_at}");
            }
        }
    }

    /// The archive after the rerun: as if nothing had happened.
    fn expect_equal(&self, folder: &Folder, killed_at: &str) {
        assert_eq!(
            day_files_and_schemas(&folder.archive()),
            self.after,
            "after a kill at {killed_at}"
        );
        assert_no_debris(&folder.archive());
        diurnal(folder, "verify").run().expect_code(0);
    }
}

/// Each step of a log with its number of times: the arguments of `DIURNAL_FAILPOINT`.
fn occurrences(steps: &[String]) -> Vec<String> {
    let mut seen = BTreeMap::new();
    let numbered = steps.iter().map(|step| {
        let times = seen.entry(step).or_insert(0);
        *times += 1;
        format!("{step}:{times}")
    });
    numbered.collect()
}

/// Kills a run at every step that it comes through, each time on a fresh archive, and reruns it. Gives the steps that
/// the reruns came through and an undisturbed run doesn't: recovery.
fn kill_at_every_step(undisturbed: &Undisturbed) -> BTreeMap<String, String> {
    let plain: BTreeSet<_> = undisturbed.steps.iter().collect();
    let mut recovery = BTreeMap::new();
    for failpoint in occurrences(&undisturbed.steps) {
        let folder = prepared(&undisturbed.base.archive());
        let ran = import(&folder).fail_at(&failpoint).run();
        assert!(ran.was_killed(), "{failpoint}: {}", ran.stderr);
        undisturbed.expect_whole(&folder.archive(), &failpoint);
        let rerun = expect_done(import(&folder).run());
        undisturbed.expect_equal(&folder, &failpoint);
        for step in occurrences(&rerun.steps) {
            let name = step.split(':').next().unwrap_or_default().to_owned();
            if !plain.contains(&name) {
                recovery.entry(step).or_insert_with(|| failpoint.clone());
            }
        }
    }
    recovery
}

#[test]
fn a_run_killed_at_any_step_is_completed_or_ignored() {
    let undisturbed = Undisturbed::new(true);
    let recovery = kill_at_every_step(&undisturbed);
    assert!(!recovery.is_empty(), "no rerun had to recover: {:?}", undisturbed.steps);

    // A second kill, in the middle of recovery from the first.
    for (step, first) in &recovery {
        let folder = prepared(&undisturbed.base.archive());
        assert!(import(&folder).fail_at(first).run().was_killed(), "{first}");
        let ran = import(&folder).fail_at(step).run();
        assert!(ran.was_killed(), "{first}, then {step}: {}", ran.stderr);
        let both = format!("{first}, then {step}");
        undisturbed.expect_whole(&folder.archive(), &both);
        expect_done(import(&folder).run());
        undisturbed.expect_equal(&folder, &both);
    }
    let met: BTreeSet<_> = occurrences(&undisturbed.steps)
        .into_iter()
        .chain(recovery.into_keys())
        .map(|step| step.split(':').next().unwrap_or_default().to_owned())
        .collect();
    for step in diurnal::store::failpoint::STEPS {
        let only_in_a_new_archive = step.starts_with("open-");
        // Files are removed by `prune`, which has its own tests of kills.
        let only_in_a_prune = ["commit-removed", "recovery-removed"].contains(step);
        assert!(
            met.contains(*step) || only_in_a_new_archive || only_in_a_prune,
            "no run came through {step}"
        );
    }
}

#[test]
fn the_first_run_of_an_archive_killed_at_any_step_is_completed_or_ignored() {
    let undisturbed = Undisturbed::new(false);
    kill_at_every_step(&undisturbed);
    for step in diurnal::store::failpoint::STEPS
        .iter()
        .filter(|step| step.starts_with("open-"))
    {
        assert!(
            undisturbed.steps.iter().any(|met| met == step),
            "no run came through {step}"
        );
    }
}

/// One kill of so many must have hit after the first staged file, so that the test can't pass on early ones alone.
const ONE_IS_LATE: usize = 4;

/// The step that says that a file is staged.
const STAGED: &str = "stage-file-synced";

#[test]
fn random_kills_lose_and_double_nothing() {
    if long() {
        kill_at_random(21, 500, 20_000);
        kill_at_random(20, 20, 1_000_000);
    } else {
        kill_at_random(20, 20, 60_000);
    }
}

/// Kills runs over so many points at so many random moments; the archive that comes of it in the end is that of a calm run, each time.
fn kill_at_random(seed: u64, wanted: usize, count: usize) {
    let mut all = lines::telegraf(seed, count);
    Random::new(seed).shuffle(&mut all);
    let text = lines::file_of(&all);

    let calm = Folder::new();
    calm.write("later.txt", &text);
    let ran = import(&calm).arg("--json").run().expect_code(0);
    assert_eq!(ran.json()["points"], count);
    let expected = day_files_and_schemas(&calm.archive());

    let finish = |folder: &Folder| {
        import(folder).run().expect_code(0);
        assert_eq!(day_files_and_schemas(&folder.archive()), expected, "seed {seed}");
        assert_no_debris(&folder.archive());
        diurnal(folder, "verify").run().expect_code(0);
    };
    let mut random = Random::new(seed);
    let mut folder = Folder::new();
    folder.write("later.txt", &text);
    let (mut kills, mut late, mut whole) = (0, 0, 0);
    while kills < wanted {
        // Half of the kills anywhere, also in reruns; half of them once staging has begun, which needs something to stage.
        let after_staging = kills % 2 == 1;
        if after_staging && has_records(&folder) {
            finish(&folder);
            whole += 1;
            folder = Folder::new();
            folder.write("later.txt", &text);
        }
        let mut run = import(&folder).start();
        if after_staging {
            run.wait_for_step(STAGED);
        }
        let span = if after_staging { ran.elapsed / 4 } else { ran.elapsed };
        let moment = Duration::from_nanos(random.below(span.as_nanos().max(1) as u64));
        std::thread::sleep(moment);
        let killed = run.kill();
        if !killed.was_killed() {
            // It was quicker this time: the archive is whole, and the next run would have nothing to do.
            killed.expect_code(0);
            assert_eq!(day_files_and_schemas(&folder.archive()), expected, "seed {seed}");
            whole += 1;
            folder = Folder::new();
            folder.write("later.txt", &text);
            continue;
        }
        kills += 1;
        late += usize::from(killed.steps.iter().any(|step| step == STAGED));
        let last = killed.steps.last().map_or("before the first step", String::as_str);
        eprintln!("seed {seed}, kill {kills} after {moment:?}: {last}");
    }
    finish(&folder);
    println!(
        "{kills} runs over {count} points killed, {late} of them after the first staged file; {} archives compared with that of a calm \
         run: lost 0, doubled 0",
        whole + 1
    );
    assert!(
        late >= wanted / ONE_IS_LATE,
        "only {late} of {kills} kills hit after the first staged file"
    );
}

/// Whether a commit's record was begun, so that the next run may have nothing left to stage.
fn has_records(folder: &Folder) -> bool {
    fs::metadata(folder.archive().join("_diurnal/ledger-000001.jsonl")).is_ok_and(|ledger| ledger.len() > 0)
}
