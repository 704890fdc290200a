//! What a person sees on a terminal while a run goes on, and that it is nowhere else.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::support::folder::Folder;
use crate::support::lines;
use crate::support::run::diurnal;
use crate::support::wait_for;

/// A terminal of 80 columns and 24 rows, and all that it was sent.
struct Terminal {
    reader: JoinHandle<()>,
    sent: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    /// A terminal, and the end of it that a program writes to.
    fn open() -> (Self, OwnedFd) {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal can be opened");
        grantpt(&master).expect("a terminal can be used");
        unlockpt(&master).expect("a terminal can be used");
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&master, size).expect("a terminal has a size");
        let name = ptsname(&master, Vec::new()).expect("a terminal has a name");
        let path = name.to_string_lossy().into_owned();
        let program = OpenOptions::new().read(true).write(true).open(path);
        let sent = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&sent);
        let mut master = File::from(master);
        let reader = std::thread::spawn(move || {
            let mut piece = [0; 4096];
            // An error is the end: nobody has the other side any more.
            while let Ok(got @ 1..) = master.read(&mut piece) {
                kept.lock().expect("no thread panics with it").extend(&piece[..got]);
            }
        });
        (Self { reader, sent }, program.expect("a terminal can be opened").into())
    }

    /// What it was sent so far.
    fn text(&self) -> String {
        let sent = self.sent.lock().expect("no thread panics with it");
        String::from_utf8_lossy(&sent).into_owned()
    }

    /// All of it, once the program is gone.
    fn end(self) -> String {
        let Self { reader, sent } = self;
        reader.join().expect("reading ends");
        let sent = sent.lock().expect("no thread panics with it");
        String::from_utf8_lossy(&sent).into_owned()
    }
}

/// An import from a pipe, which goes on until the pipe is closed, on a terminal.
fn import(folder: &Folder, flags: &[&str], terminal: OwnedFd) -> (Child, File) {
    let pipe = folder.join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo");
    let child = Command::new(env!("CARGO_BIN_EXE_diurnal"))
        .args(["import", "pipe"])
        .args(flags)
        .current_dir(folder.path())
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(terminal)
        .spawn()
        .expect("the binary was built and can be run");
    let mut writer = OpenOptions::new().write(true).open(&pipe).expect("the run reads it");
    let text = lines::file_of(&lines::telegraf(1, 20_000));
    writer.write_all(text.as_bytes()).expect("the run reads it");
    (child, writer)
}

#[test]
fn a_run_on_a_terminal_shows_how_far_it_is_and_leaves_its_summary_alone() {
    let folder = Folder::new();
    let (terminal, program) = Terminal::open();
    let (mut child, writer) = import(&folder, &[], program);
    // The pipe is open: the run can't be done.
    wait_for("the progress", || terminal.text().contains("lines, ").then_some(()));
    assert!(terminal.text().contains("reading"), "{}", terminal.text());
    drop(writer);
    assert!(child.wait().is_ok_and(|status| status.success()));
    let sent = terminal.end();
    let (progress, summary) = sent.split_at(sent.find("20,000 lines: ").expect("a summary"));
    assert!(progress.contains("\u{1b}[2K"), "it was not wiped out: {progress:?}");
    assert!(!summary.contains('\u{1b}'), "{summary:?}");
    assert!(summary.contains("20,000 new points"), "{summary:?}");
}

#[test]
fn a_quiet_run_and_one_with_json_show_nothing_on_a_terminal() {
    for flag in ["-q", "--json"] {
        let folder = Folder::new();
        let (terminal, program) = Terminal::open();
        let (mut child, writer) = import(&folder, &[flag], program);
        drop(writer);
        assert!(child.wait().is_ok_and(|status| status.success()));
        assert_eq!(terminal.end(), "", "{flag}");
    }
}

#[test]
fn a_run_whose_messages_go_to_a_file_writes_lines_alone() {
    let folder = Folder::new();
    folder.write("lines.txt", lines::file_of(&lines::telegraf(1, 2_000)));
    let import = diurnal(&folder, "import").arg("lines.txt").env("TERM", "xterm");
    let ran = import.run().expect_code(0);
    assert!(!ran.stderr.contains(['\u{1b}', '\r']), "{:?}", ran.stderr);
    assert!(ran.stderr.starts_with("2,000 lines: "), "{:?}", ran.stderr);
}

/// What a command prints on a terminal, line by line.
fn shown(folder: &Folder, words: &[&str]) -> Vec<String> {
    let (terminal, program) = Terminal::open();
    let other = program.try_clone().expect("a terminal has two streams");
    let done = Command::new(env!("CARGO_BIN_EXE_diurnal"))
        .args(words)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(program)
        .stderr(other)
        .status();
    assert!(done.is_ok_and(|status| status.success()), "{words:?}");
    // Every line ends in a carriage return as well there.
    terminal.end().lines().map(|line| line.trim_end().to_owned()).collect()
}

#[test]
fn tables_of_rejects_and_of_what_is_pruned_are_no_wider_than_the_terminal() {
    let folder = Folder::new();
    let name = "telegraf.eu-central.production.frankfurt-and-amsterdam.gateway.requests";
    let field = "http_response_time_of_the_slowest_percent";
    let mut text = String::new();
    for n in 0..30 {
        text += &format!("{name},host=a {field}={n}i 159260400000000000{}\n", n % 10);
        text += &format!("{name},host=a {field}=\"slow\" 159260400000000000{}\n", n % 10);
    }
    let file = "lines-of-the-collector-in-frankfurt-and-amsterdam.txt";
    folder.write(file, text);
    diurnal(&folder, "import").arg(file).run();
    for words in [&["rejects"][..], &["prune", "--csv-older-than", "1d", "--dry-run"][..]] {
        let lines = shown(&folder, words);
        let is_shortened = |line: &String| line.contains("telegra") && line.contains("…");
        assert!(lines.iter().any(is_shortened), "{lines:#?}");
        let wide: Vec<&String> = lines.iter().filter(|line| line.chars().count() > 80).collect();
        assert!(wide.is_empty(), "{words:?}: {wide:#?}");
        // A file or a program gets the names whole.
        let ran = diurnal(&folder, words[0]).args(&words[1..]).run().expect_code(0);
        assert!((ran.stdout + &ran.stderr).contains(name), "{words:?}");
    }
}
