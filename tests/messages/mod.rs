//! Every message that a person can see, as it is on record in `snapshots/`: a change shows in review, and has to be meant.
//!
//! `INSTA_UPDATE=always cargo test --test integration messages` writes them anew; then read what `git diff` shows.

mod arguments;
mod help;
mod kafka;
mod log_format;
mod runs;
mod trouble;

use std::fmt::Write as _;

use crate::support::folder::Folder;
use crate::support::run::{Diurnal, Ran, diurnal};

/// What is another text each time, and what stands for it in a snapshot.
const FILTERS: &[(&str, &str)] = &[
    (r"\d+\.\d\d s\b", "[time] s"),
    (r"[\d,]+ lines/s", "[speed] lines/s"),
    (r"127\.0\.0\.1:\d+", "[broker]"),
    (r"mockCluster[0-9a-f]+", "[cluster]"),
    (r"process \d+", "process [pid]"),
    (r"\(os error \d+\)", "(os error)"),
    (r"bugs.rs, line \d+", "bugs.rs, line [line]"),
    (r"(Failed to resolve '[^']*'): .*", "$1: [reason]"),
    (r"diurnal \d+\.\d+\.\d+( \([^)]*\))?", "diurnal [version]"),
    // This moment, or shortly before it; the times of all lines are years ago.
    (
        r"20(2[5-9]|[3-9]\d)-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(Z| UTC)?",
        "[now]",
    ),
    (r"\d+ s ago", "[time] ago"),
    // How much the embedded broker and its reader take out of order.
    (r"[\d,]+ of them \(\d+\.\d%\)", "[some] of them"),
];

/// A snapshot being put together: commands as they were typed, and all that came of them.
struct Seen<'f> {
    folder: &'f Folder,
    text: String,
}

impl<'f> Seen<'f> {
    fn in_folder(folder: &'f Folder) -> Self {
        Self {
            folder,
            text: String::new(),
        }
    }

    /// Types a line into a shell without quotes: words with spaces between them.
    fn run(&mut self, typed: &str) -> Ran {
        self.run_as(typed, |command| command)
    }

    /// The same, as somebody else or with something in the environment.
    fn run_as(&mut self, typed: &str, how: impl FnOnce(Diurnal) -> Diurnal) -> Ran {
        let mut words = typed.split(' ');
        let command = diurnal(self.folder, words.next().expect("a first word"));
        let ran = how(command.args(words).env("COLUMNS", "100")).run();
        self.note(typed, &ran);
        ran
    }

    fn note(&mut self, typed: &str, ran: &Ran) {
        let code = ran.status.code().expect("no signal ended it");
        let mut note = |text: std::fmt::Arguments<'_>| self.text.write_fmt(text).expect("a string can be written to");
        note(format_args!("$ diurnal {typed}\n"));
        if !ran.stdout.is_empty() {
            note(format_args!("--- standard output\n{}", ran.stdout));
        }
        if !ran.stderr.is_empty() {
            note(format_args!("--- standard error\n{}", ran.stderr));
        }
        note(format_args!("--- exit code {code}\n\n"));
    }

    /// Compares with the snapshot of this name.
    #[track_caller]
    fn expect(self, name: &str) {
        for noise in ["stack backtrace", "panicked at", "%3|", "rdkafka#"] {
            assert!(!self.text.contains(noise), "{noise}: {}", self.text);
        }
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        let folder = self.folder.path().to_string_lossy().into_owned();
        settings.add_filter(&regex::escape(&folder), "[folder]");
        for (pattern, stands_for) in FILTERS {
            settings.add_filter(pattern, *stands_for);
        }
        settings.bind(|| insta::assert_snapshot!(name, self.text));
    }
}

/// Three good lines of two measurements, one of them on the next day.
const LINES: &str = "\
cpu,host=web-01 usage_idle=97.5,usage_user=1.5 1592568000000000000
cpu,host=web-02 usage_idle=98.5,usage_user=0.5 1592654400000000000
mem,host=web-01 used=1000000i,used_percent=12.5 1592568000000000000
";
