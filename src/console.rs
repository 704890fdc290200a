//! Everything that a person sees while diurnal runs. Standard output belongs to `--json` and to tables that were asked for.

use std::io::Write as _;

use crate::error::Error;
use crate::report::{RunReport, run_summary};

/// Hands librdkafka's own lines to standard error; installed with `-v` only.
struct BrokerLog;

impl log::Log for BrokerLog {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("librdkafka")
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let _ = writeln!(std::io::stderr().lock(), "diurnal: librdkafka: {}", record.args());
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
    /// With `-v`, shows what librdkafka logs as well.
    pub fn show_broker_log(&self) {
        // It fails only where a program that uses the library has a logger of its own; then that one gets the lines.
        if self.verbose && log::set_logger(&BrokerLog).is_ok() {
            log::set_max_level(log::LevelFilter::Debug);
        }
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
        let text = serde_json::to_string(value).expect("reports hold strings and numbers only");
        self.print(format_args!("{text}\n"));
    }

    /// Text that was asked for, on standard output.
    pub fn print(&self, text: impl std::fmt::Display) {
        match write!(std::io::stdout().lock(), "{text}") {
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
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }
}
