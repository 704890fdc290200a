//! `examples/kafka-local/kafka.sh` as somebody uses it who has no Kafka.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::path_of;
use crate::support::folder::Folder;
use crate::support::kafka::Kafka;
use crate::support::run::diurnal;
use crate::support::wait_for;

/// A Kafka that the script keeps in a folder, removed in the end.
struct Local<'a> {
    folder: &'a Folder,
    home: PathBuf,
    port: u16,
}

impl<'a> Local<'a> {
    /// With the jars that the other tests use, so that Maven is not asked twice.
    fn new(folder: &'a Folder, kafka: &Kafka) -> Self {
        let home = folder.join("kafka");
        std::fs::create_dir(&home).expect("a folder can be made");
        std::os::unix::fs::symlink(kafka.jars_folder(), home.join("jars")).expect("a link can be made");
        Self {
            folder,
            home,
            port: two_free_ports(),
        }
    }

    fn brokers(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// Runs the script and gives its exit code and what it printed.
    fn run(&self, arguments: &[&str]) -> (i32, String) {
        // The broker that it starts keeps no pipe of ours open: its output goes elsewhere.
        let ran = Command::new(path_of("kafka-local/kafka.sh"))
            .args(arguments)
            .env("KAFKA_LOCAL_HOME", &self.home)
            .env("KAFKA_LOCAL_PORT", self.port.to_string())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .expect("the script can be run");
        let printed = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
        (ran.status.code().expect("no signal ends it"), printed)
    }

    #[track_caller]
    fn succeeds(&self, arguments: &[&str], says: &str) {
        let (code, printed) = self.run(arguments);
        assert!(code == 0 && printed.contains(says), "{arguments:?}: {code}: {printed}");
    }
}

impl Drop for Local<'_> {
    fn drop(&mut self) {
        let (code, printed) = self.run(&["remove"]);
        if !std::thread::panicking() {
            assert_eq!(code, 0, "{printed}");
            assert!(!self.home.exists(), "something is left in {}", self.home.display());
        }
    }
}

/// The first of two ports in a row that nobody listens at.
fn two_free_ports() -> u16 {
    let at = |port| TcpListener::bind(("127.0.0.1", port)).ok();
    let pair = || {
        let first = at(0)?.local_addr().ok()?.port();
        let _first = at(first)?;
        at(first.checked_add(1)?).map(|_| first)
    };
    (0..100).find_map(|_| pair()).expect("two free ports in a row")
}

#[test]
fn the_local_kafka_starts_takes_lines_and_keeps_them_over_a_stop() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let local = Local::new(&folder, kafka);
    assert_eq!(local.run(&["status"]), (3, "it does not run\n".to_owned()));
    local.succeeds(&["start"], &format!("at {}", local.brokers()));
    local.succeeds(&["start"], "it runs already");
    local.succeeds(&["topic", "metrics", "2"], "Created topic metrics");
    local.succeeds(&["topics"], "metrics\n");
    let lines: String = (0..3).map(super::point).collect();
    let file = folder.write("metrics.lp", lines);
    local.succeeds(&["send", "metrics", file.to_str().expect("UTF-8")], "");
    // Old lines, which a broker with Kafka's own retention would delete: they are there after it was stopped, too.
    local.succeeds(&["stop"], "it is stopped");
    assert_eq!(local.run(&["status"]).0, 3);
    local.succeeds(&["start"], &local.brokers());

    let archive = || {
        let run = diurnal(&folder, "archive").args(["--brokers", &local.brokers(), "--topic", "metrics"]);
        run.arg("-F").arg(path_of("systemd/kafka.properties")).report(0)
    };
    let report = archive();
    assert_eq!(report["points"], 3, "{report}");
    // A broker that has had no group yet may be too slow for the first run's offsets, which are for people only.
    wait_for("the group's offsets", || {
        let shown = local.run(&["lag", "diurnal"]).1;
        if !shown.contains("metrics") {
            archive();
        }
        shown.contains("metrics").then_some(())
    });
    local.succeeds(&["tool", "kafka-get-offsets", "--topic", "metrics"], "metrics:0:");
}

#[test]
fn the_local_kafka_says_what_it_takes_and_refuses_what_it_does_not_know() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let local = Local::new(&folder, kafka);
    let (code, usage) = local.run(&["--help"]);
    assert_eq!(code, 0);
    let (code, refused) = local.run(&["begin"]);
    assert_eq!((code, refused), (2, usage));
    local.succeeds(&["stop"], "it does not run");
    let (code, said) = local.run(&["tool", "kafka-acls"]);
    assert!(code == 1 && said.contains("kafka-acls is none of its tools"), "{said}");
    // Somebody else's port.
    let _taken = TcpListener::bind(("127.0.0.1", local.port)).expect("it is free");
    let (code, said) = local.run(&["start"]);
    assert!(
        code == 1 && said.contains("KAFKA_LOCAL_PORT chooses another port"),
        "{said}"
    );
}
