//! Types the commands of a page into one bash, in order, as its reader does, and compares what is printed with what the page shows.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::mask::difference;
use super::page::{Block, Page};
use super::world;
use crate::support::duckdb::DuckDb;
use crate::support::folder::Folder;
use crate::support::kafka::Kafka;
use crate::support::root;

/// A page ends within this, or hangs: the slowest have Kafka's own tools, seconds each.
const PAGE_LIMIT_S: &str = "240";

/// How pages name the broker.
const BROKERS: &str = "localhost:9092";

/// Parts of the repository that commands name by their path in it, for a page is read in a clone.
const PARTS: [&str; 5] = ["docs", "examples", "queries", "schemas", "tests"];

/// Kafka's own tools: the names that they have in its `bin/`, and their classes.
const TOOLS: [(&str, &str); 6] = [
    ("kafka-topics.sh", "org.apache.kafka.tools.TopicCommand"),
    ("kafka-configs.sh", "kafka.admin.ConfigCommand"),
    (
        "kafka-consumer-groups.sh",
        "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    ),
    ("kafka-console-producer.sh", "org.apache.kafka.tools.ConsoleProducer"),
    ("kafka-delete-records.sh", "org.apache.kafka.tools.DeleteRecordsCommand"),
    ("kafka-get-offsets.sh", "org.apache.kafka.tools.GetOffsetShell"),
];

/// `cargo run --release -- ...` of a page is the binary that the tests were built with.
const CARGO: &str = "[ \"$1 $2 $3\" = 'run --release --' ] || { echo \"no such cargo here: $*\" >&2; exit 1; }\nshift 3\nexec diurnal \"$@\"\n";

/// Plays a page in a fresh folder; skips it, with a message, where this machine lacks what it needs.
pub fn play(page: &Page) {
    let Some(duckdb) = DuckDb::get() else { return };
    let kafka = match page.worlds.iter().any(|world| world == "kafka") {
        true => match Kafka::own() {
            Some(kafka) => Some(kafka),
            None => return,
        },
        false => None,
    };
    let folder = Folder::new();
    let bin = folder.join("bin");
    write_programs(&bin, &duckdb.command_line(), kafka.as_ref());
    for part in PARTS {
        symlink(root().join(part), folder.join(part)).expect("a link can be made");
    }
    for world in &page.worlds {
        world::prepare(world, &folder, kafka.as_ref());
    }
    Session {
        page,
        folder: &folder,
        brokers: kafka.as_ref().map(Kafka::brokers),
    }
    .run(&bin);
}

/// The programs that the commands call, before those of the machine.
fn write_programs(bin: &Path, duckdb: &Path, kafka: Option<&Kafka>) {
    let write = |name: &str, script: &str| {
        let path = bin.join(name);
        fs::write(&path, format!("#!/bin/bash\n{script}")).expect("a test can write into its folder");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its own file");
    };
    fs::create_dir(bin).expect("a folder can be made");
    symlink(env!("CARGO_BIN_EXE_diurnal"), bin.join("diurnal")).expect("a link can be made");
    symlink(duckdb, bin.join("duckdb")).expect("a link can be made");
    write("cargo", CARGO);
    for (name, class) in TOOLS {
        if let Some(kafka) = kafka {
            let java = kafka.tool_command(class);
            let words = java.get_args().map(|word| format!("'{}'", word.display()));
            let words: Vec<String> = words.collect();
            write(name, &format!("exec java {} \"$@\"\n", words.join(" ")));
        }
    }
}

/// One bash that goes through a page.
struct Session<'a> {
    page: &'a Page,
    folder: &'a Folder,
    brokers: Option<String>,
}

impl Session<'_> {
    fn run(&self, bin: &Path) {
        let script = self.folder.write("page.sh", self.script());
        let path = std::env::var("PATH").unwrap_or_default();
        let mut bash = Command::new("timeout");
        bash.arg(PAGE_LIMIT_S).arg("bash").arg(script);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("DIURNAL_") {
                bash.env_remove(name);
            }
        }
        let ran = bash
            .env("PATH", format!("{}:{path}", bin.display()))
            .env("HOME", self.folder.path())
            .env("LC_ALL", "C.UTF-8")
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .expect("bash can be run");
        self.check(&String::from_utf8_lossy(&ran.stderr));
    }

    /// All commands, each with a file for what it prints and one for its exit code; an exit code that was not expected is the end.
    fn script(&self) -> String {
        let mut script = String::new();
        for (at, block) in self.blocks() {
            if !block.setup.is_empty() {
                script += &format!(
                    "{{ {}\n}} >{} 2>&1\n",
                    self.real(&block.setup),
                    self.output(at, 999).display()
                );
            }
            for (number, command) in block.commands.iter().enumerate() {
                let output = self.output(at, number);
                script += &format!(
                    "{{ {}\n}} >{} 2>&1 </dev/null\ncode=$?; echo $code >{}; [ $code = {} ] || exit 1\n",
                    self.real(&command.text),
                    output.display(),
                    output.with_extension("code").display(),
                    expected_exit(block, number)
                );
            }
        }
        script
    }

    fn check(&self, bash_said: &str) {
        let mut differences = Vec::new();
        for (at, block) in self.blocks() {
            for (number, command) in block.commands.iter().enumerate() {
                let output = self.output(at, number);
                let printed = self.shown(&fs::read_to_string(&output).unwrap_or_default());
                let code = fs::read_to_string(output.with_extension("code")).unwrap_or_default();
                let place = format!("{}:{}: $ {}", self.page.path, command.line, command.text);
                assert_eq!(
                    code.trim(),
                    expected_exit(block, number).to_string(),
                    "exit code of {place}\n{printed}\n{bash_said}"
                );
                if command.expected.is_empty() {
                    continue;
                }
                if let Some(difference) = difference(&command.expected, &printed) {
                    let whole = format!("{place}\n{difference}\n--- all of it\n{printed}");
                    differences.push((command, printed, whole));
                }
            }
        }
        if std::env::var_os("DIURNAL_WRITE_PAGES").is_some() {
            // From the end, so that the lines before keep their numbers.
            for (command, printed, _) in differences.iter().rev() {
                self.page.show(command, printed);
            }
        }
        let differences: Vec<&str> = differences.iter().map(|(_, _, whole)| whole.as_str()).collect();
        assert!(differences.is_empty(), "{}", differences.join("\n"));
    }

    /// The blocks that are run, with their places.
    fn blocks(&self) -> impl Iterator<Item = (usize, &Block)> {
        let blocks = self.page.blocks.iter().enumerate();
        blocks.filter(|(_, block)| block.not_run.is_none())
    }

    fn output(&self, block: usize, command: usize) -> PathBuf {
        self.folder.join(&format!("printed-{block:03}-{command:03}.txt"))
    }

    /// What a page shows as what is there.
    fn real(&self, text: &str) -> String {
        match &self.brokers {
            Some(brokers) => text.replace(BROKERS, brokers),
            None => text.to_owned(),
        }
    }

    /// And back.
    fn shown(&self, printed: &str) -> String {
        let text = printed.replace(&self.folder.path().display().to_string(), "/clone");
        match &self.brokers {
            Some(brokers) => text.replace(brokers, BROKERS),
            None => text,
        }
    }
}

/// 0, but for the last command of a block that says otherwise.
fn expected_exit(block: &Block, number: usize) -> i32 {
    match number + 1 == block.commands.len() {
        true => block.exit,
        false => 0,
    }
}
