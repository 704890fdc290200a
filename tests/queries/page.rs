//! `docs/QUERIES.md`: every command and every script of it is run, and what stands under it has to be what it prints, with
//! `DIURNAL_WRITE_PAGES=1` it is made so. Queries that are shown are those of the files.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::dataframes::interpreter;
use super::fleet::{COMMITTED_S, DEMO_S, three_weeks};
use super::query;
use crate::support::duckdb::DuckDb;
use crate::support::folder::Folder;
use crate::support::root;

/// How the lines of blocks begin that are run, or made of files.
const CONSOLE: &str = "```console";
const PYTHON: &str = "```python";
const TEXT: &str = "```text";
const SQL: &str = "```sql";
const END: &str = "```";

#[test]
fn the_page_of_queries_shows_what_its_commands_print() {
    let Some(duckdb) = DuckDb::get() else { return };
    let Some(python) = interpreter() else { return };
    let folder = Folder::new();
    // The checkout, as a reader has it.
    std::os::unix::fs::symlink(root().join("queries"), folder.join("queries")).expect("a link can be made");
    for week in 1..=3 {
        folder.write(&format!("week-{week}.lp"), three_weeks::lines(week).join("\n") + "\n");
    }
    let mut session = Session {
        place: folder.path().to_owned(),
        duckdb: duckdb.interpreter().with_file_name(""),
        python,
        commands: 0,
    };
    let path = root().join("docs/QUERIES.md");
    let page = fs::read_to_string(&path).expect("the page");
    let renewed = session.renewed(&page);
    assert!(session.commands >= 30, "only {} commands were found", session.commands);
    if std::env::var("DIURNAL_WRITE_PAGES").as_deref() == Ok("1") {
        fs::write(&path, renewed).expect("the page can be written");
        return;
    }
    for (number, (found, expected)) in (1..).zip(page.lines().zip(renewed.lines())) {
        assert_eq!(
            found, expected,
            "docs/QUERIES.md, line {number}: DIURNAL_WRITE_PAGES=1 renews what the commands print"
        );
    }
    assert_eq!(page, renewed, "docs/QUERIES.md ends elsewhere");
}

#[test]
fn the_page_of_queries_shows_every_query_that_there_is() {
    let page = fs::read_to_string(root().join("docs/QUERIES.md")).expect("the page");
    for entry in fs::read_dir(root().join("queries")).expect("the folder of queries") {
        let name = entry.expect("an entry").file_name().into_string().expect("it is UTF-8");
        let link = format!("(../queries/{name})");
        assert!(page.contains(&link), "docs/QUERIES.md has no link {link}");
        assert!(
            page.contains(&format!("queries/{name}\n")),
            "docs/QUERIES.md does not run {name}"
        );
    }
}

/// A reader at a shell, who goes through the page from top to bottom.
struct Session {
    place: PathBuf,
    /// Where `duckdb` is.
    duckdb: PathBuf,
    /// A Python that has pandas and Polars.
    python: PathBuf,
    commands: usize,
}

impl Session {
    /// The page with what its commands print now.
    fn renewed(&mut self, page: &str) -> String {
        let mut renewed = String::new();
        let mut lines = page.lines();
        // What the last script has printed, until the block is met where it belongs.
        let mut printed: Option<String> = None;
        while let Some(line) = lines.next() {
            writeln!(renewed, "{line}").expect("a string takes everything");
            if ![CONSOLE, PYTHON, TEXT, SQL].contains(&line) {
                continue;
            }
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != END).collect();
            let text = match line {
                CONSOLE => self.console(&block),
                PYTHON => {
                    printed = Some(self.script(&block.join("\n")));
                    block.join("\n")
                }
                TEXT => printed.take().unwrap_or_else(|| self.file_of(&block)),
                _ => shown(&block),
            };
            writeln!(renewed, "{}\n{END}", text.trim_end()).expect("a string takes everything");
        }
        assert_eq!(printed, None, "a script has no block of text for what it prints");
        renewed
    }

    /// The commands of a block, each with what it prints.
    fn console(&mut self, block: &[&str]) -> String {
        let mut text = String::new();
        let mut lines = block.iter().copied().peekable();
        while let Some(line) = lines.next() {
            // What an earlier run has printed.
            let Some(first) = line.strip_prefix("$ ") else { continue };
            let mut command = first.to_owned();
            // It goes on until its quotes are closed.
            while command.matches('"').count() % 2 == 1 {
                command.push('\n');
                command += lines
                    .next()
                    .unwrap_or_else(|| panic!("a quote is not closed: {command}"));
            }
            writeln!(text, "$ {command}").expect("a string takes everything");
            text += &self.command(&command);
        }
        text
    }

    fn command(&mut self, command: &str) -> String {
        self.commands += 1;
        if let Some(folder) = command.strip_prefix("cd ") {
            self.place = fs::canonicalize(self.place.join(folder)).unwrap_or_else(|e| panic!("{command}: {e}"));
            return String::new();
        }
        let diurnal = Path::new(env!("CARGO_BIN_EXE_diurnal"))
            .parent()
            .expect("it is in a folder");
        let path = format!(
            "{}:{}:{}",
            diurnal.display(),
            self.duckdb.display(),
            std::env::var("PATH").unwrap_or_default()
        );
        let mut shell = Command::new("bash");
        shell.args(["-c", &format!("exec 2>&1; {command}")]).env("PATH", path);
        if let Some(at) = clock(command) {
            shell.env("DIURNAL_CLOCK", at.to_string());
        }
        // The weeks have rejects.
        let codes: &[i32] = if command.starts_with("diurnal import") {
            &[0, 3]
        } else {
            &[0]
        };
        self.run(shell, command, codes)
    }

    fn script(&mut self, script: &str) -> String {
        self.commands += 1;
        let mut python = Command::new(&self.python);
        python.args(["-c", script]);
        self.run(python, script, &[0])
    }

    fn run(&self, mut command: Command, what: &str, codes: &[i32]) -> String {
        for (name, _) in std::env::vars_os() {
            let is_ours = name.to_string_lossy().starts_with("DIURNAL_");
            if is_ours && !command.get_envs().any(|(set, _)| set == name) {
                command.env_remove(name);
            }
        }
        let Output { status, stdout, stderr } = command
            .current_dir(&self.place)
            .output()
            .unwrap_or_else(|e| panic!("{what}: {e}"));
        let printed = String::from_utf8_lossy(&stdout).into_owned();
        let is_good = status.code().is_some_and(|code| codes.contains(&code));
        assert!(
            is_good,
            "{what}\n{status}\n{printed}{}",
            String::from_utf8_lossy(&stderr)
        );
        // Tables end in blanks, which no page should.
        printed.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }

    /// A block of text that no script has printed is a file that the page tells to write: its first line names it.
    fn file_of(&self, block: &[&str]) -> String {
        let (name, content) = block.split_first().expect("a block has lines");
        let name = name
            .strip_prefix("# ")
            .unwrap_or_else(|| panic!("no script prints this: {name}"));
        fs::write(self.place.join(name), content.join("\n") + "\n").expect("a test can write into its folder");
        block.join("\n")
    }
}

/// When a command of the page makes its commit: the ledger has the time, and a page that is made again should be the same.
fn clock(command: &str) -> Option<i64> {
    if command.starts_with("diurnal demo") {
        return Some(DEMO_S);
    }
    let week = (1..)
        .zip(COMMITTED_S)
        .find(|(week, _)| command.contains(&format!("week-{week}.lp")));
    week.map(|(_, at)| at)
}

/// The query that a block shows: its first line names the file, whose comment on its use the page has no need of.
fn shown(block: &[&str]) -> String {
    let first = block.first().expect("a block has lines");
    let Some(name) = first.strip_prefix("-- queries/") else {
        panic!("a block of SQL that is no file is not run: {first}");
    };
    let text = query(name);
    let head_ends = text
        .find("\n\n")
        .unwrap_or_else(|| panic!("{name} begins with a comment"));
    format!("{first}\n{}", text[head_ends..].trim())
}
