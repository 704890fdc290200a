//! Debian's cron runs the line of `examples/cron/crontab` with its own environment.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::example;
use crate::support::folder::Folder;
use crate::support::kafka::Kafka;
use crate::support::produce::Record;
use crate::support::run::diurnal;
use crate::support::{installed, root, skip, wait_up_to};

/// cron starts its jobs when the minute changes.
const A_MINUTE_AND_THE_JOB: Duration = Duration::from_secs(120);

#[test]
fn cron_archives_by_the_example_with_its_bare_environment_and_mails_what_fails_only() {
    let Some(kafka) = Kafka::shared() else { return };
    if !installed("cron", "cron") || !may_mount() {
        return;
    }
    let folder = Folder::new();
    let topic = kafka.topic("by-cron", 2, &[]);
    let lines = |from: i64| [from, from + 1].map(|n| Record::new((n % 2) as i32, super::point(n)));
    topic.send(&lines(0));

    let program = Path::new(env!("CARGO_BIN_EXE_diurnal"));
    let programs = program.parent().expect("it is in a folder").display().to_string();
    let archive = folder.archive().display().to_string();
    let mut crontab = example(
        "cron/crontab",
        &[
            (
                "\n30 0 * * *  diurnal archive -q\n",
                1,
                "\n* * * * *  diurnal archive -q\n",
            ),
            ("/usr/local/bin:", 1, &format!("{programs}:")),
            ("/srv/metrics/archive", 1, &archive),
            ("localhost:9092", 1, &kafka.brokers()),
            ("my-computer-metric", 1, topic.name()),
        ],
    );
    crontab.push_str("* * * * *  diurnal verify -q --archive /nowhere\n");
    let crontab = folder.write("crontab", crontab);
    let mails = folder.join("mails");
    let cron = Cron::start(&crontab, &mails);

    let mail = wait_up_to(A_MINUTE_AND_THE_JOB, "cron's mail about the job that fails", || {
        let text = fs::read_to_string(&mails).unwrap_or_default();
        text.contains("there is no archive here").then_some(text)
    });
    // Once the lock is free, the job that works is over.
    let report = wait_up_to(A_MINUTE_AND_THE_JOB, "the end of the job that works", || {
        let there = folder.join("archive/_diurnal/ledger-000001.jsonl").exists();
        let run = there.then(|| archive_again(&folder, kafka, topic.name()))?;
        (run["exit_code"] == 0).then_some(run)
    });
    drop(cron);
    assert_eq!(report["lines"], 0, "cron's run archived all: {report}");
    let status = diurnal(&folder, "status").arg("--json").run().expect_code(0).json();
    assert_eq!(status["totals"]["points"], 2, "{status}");

    assert!(mail.contains("To: ops@example.org"), "{mail}");
    assert!(mail.contains("diurnal verify -q --archive /nowhere"), "{mail}");
    let mails = fs::read_to_string(&mails).expect("it was there");
    assert!(
        !mails.contains("diurnal archive -q"),
        "a good run prints nothing: {mails}"
    );
}

/// The report of a run by hand, of whatever exit code.
fn archive_again(folder: &Folder, kafka: &Kafka, topic: &str) -> serde_json::Value {
    let run = diurnal(folder, "archive").args(["--json", "--brokers", &kafka.brokers(), "--topic", topic]);
    run.run().json()
}

/// Whether a process may have a file system of its own.
fn may_mount() -> bool {
    let tried = Command::new("unshare")
        .args(["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"])
        .output();
    let may = tried.is_ok_and(|ran| ran.status.success());
    if !may {
        skip("cron's folders can't be set aside here (root with CAP_SYS_ADMIN can mount something over them)");
    }
    may
}

/// A cron with one crontab, until it is dropped or the test ends otherwise.
struct Cron(Child);

impl Cron {
    fn start(crontab: &Path, mails: &Path) -> Self {
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare", "--mount", "bash"])
            .arg(root().join("tests/support/cron.sh"))
            .args([crontab, mails])
            .stdin(Stdio::null())
            .spawn();
        Self(child.expect("setpriv can be run"))
    }
}

impl Drop for Cron {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
