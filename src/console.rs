//! Everything that a person sees while diurnal runs. Standard output belongs to `--json` and to tables that were asked for. Whatever is in
//! names, lines and what brokers say, nothing that drives a terminal gets through here.

mod progress;

use std::io::Write as _;

pub use self::progress::{PartitionAhead, Progress, Reading, Work};

use crate::error::Error;
use crate::report::{RunReport, harmless, run_summary, to_json};

/// Hands librdkafka's own lines to standard error; installed with `-v` only.
struct BrokerLog;

impl log::Log for BrokerLog {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("librdkafka")
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let said = record.args().to_string();
            let said = harmless(&said);
            progress::above_the_bar(|| drop(writeln!(std::io::stderr().lock(), "diurnal: librdkafka: {said}")));
        }
    }

    fn flush(&self) {}
}

/// Owns standard error and standard output.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    /// `--json`: standard output belongs to one object.
    pub json: bool,
    /// `-q`
    pub quiet: bool,
    /// `-v`
    pub verbose: bool,
    /// Say nothing but warnings and errors: another voice tells what happens.
    pub muted: bool,
}

impl Console {
    /// Says nothing but warnings and errors: what a program begins with that has its own voice.
    pub const SILENT: Self = Self {
        json: false,
        quiet: true,
        verbose: false,
        muted: true,
    };

    /// With `-v`, shows what librdkafka logs as well.
    pub fn show_broker_log(&self) {
        // It fails only where a program that uses the library has a logger of its own; then that one gets the lines.
        if self.verbose && log::set_logger(&BrokerLog).is_ok() {
            log::set_max_level(log::LevelFilter::Debug);
        }
    }

    /// What shows how far the work has come: on a terminal only, and not where nothing or JSON is to be printed.
    pub fn progress(&self) -> Progress {
        Progress::new(!self.json && !self.quiet && !self.muted)
    }

    /// Something that a person should know, but that does not stop the run.
    pub fn warning(&self, warning: &Error) {
        self.message("warning", warning);
    }

    /// Why the run failed or is incomplete.
    pub fn error(&self, error: &Error) {
        self.message("error", error);
    }

    /// What is being done; with `-v` only.
    pub fn detail(&self, text: impl std::fmt::Display) {
        if self.verbose {
            self.line(format_args!("diurnal: {text}"));
        }
    }

    /// Something that is printed unless `-q` was given.
    pub fn note(&self, text: impl std::fmt::Display) {
        if !self.quiet && !self.muted {
            self.line(format_args!("{text}"));
        }
    }

    /// Something that `-q` does not silence.
    pub fn always(&self, text: impl std::fmt::Display) {
        if !self.muted {
            self.line(format_args!("{text}"));
        }
    }

    /// The end of a run: a summary for people, or one JSON object for programs.
    pub fn finish(&self, report: &RunReport) {
        if self.json {
            self.print_json(report);
        } else if !self.quiet {
            self.line(format_args!("{}", run_summary(report).trim_end()));
        }
    }

    /// One JSON object on standard output.
    pub fn print_json(&self, value: &impl serde::Serialize) {
        let mut text = to_json(value);
        text.push(b'\n');
        self.print_file(&text);
    }

    /// Text that was asked for, on standard output.
    pub fn print(&self, text: impl std::fmt::Display) {
        self.print_file(harmless(&text.to_string()).as_bytes());
    }

    /// Bytes for another program, on standard output as they are.
    pub fn print_file(&self, bytes: &[u8]) {
        match std::io::stdout().lock().write_all(bytes) {
            // A reader that went away (`diurnal status | head`) is no failure of ours.
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                self.warning(&Error::new(
                    "standard output",
                    format_args!("cannot be written: {error}"),
                ));
            }
            _ => {}
        }
    }

    fn message(&self, kind: &str, error: &Error) {
        self.line(format_args!("diurnal: {kind}: {error}"));
        if let Some(hint) = error.advice() {
            self.line(format_args!("  hint: {hint}"));
        }
    }

    fn line(&self, text: std::fmt::Arguments<'_>) {
        // Nothing can be said about a standard error that can't be written to, and the archive matters more.
        let text = text.to_string();
        progress::above_the_bar(|| drop(writeln!(std::io::stderr().lock(), "{}", harmless(&text))));
    }
}
