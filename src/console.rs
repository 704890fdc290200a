//! Everything that a person sees while diurnal runs. Standard output belongs to `--json` and to tables that were asked for. Whatever is in
//! names, lines and what brokers say, nothing that drives a terminal gets through here.

mod log;
mod progress;

use std::io::Write as _;

use serde_json::Value;

pub use self::log::LogFormat;
use self::log::{Fields, Level, entry, pairs, parts};
pub use self::progress::{PartitionAhead, Progress, Reading, Work};

use crate::error::Error;
use crate::report::{RunReport, columns_of, harmless, run_summary, to_json};

/// Hands the lines of the `log` crate to standard error, librdkafka's own and ours of what happens inside; installed with `-v` only.
struct DetailLog(Console);

impl ::log::Log for DetailLog {
    fn enabled(&self, metadata: &::log::Metadata<'_>) -> bool {
        ["librdkafka", "diurnal"]
            .iter()
            .any(|ours| metadata.target().starts_with(ours))
    }

    fn log(&self, record: &::log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let mut fields = pairs(record);
        let said = record.args().to_string();
        let said = match record.target() {
            "librdkafka" => {
                fields.insert("source".to_owned(), "librdkafka".into());
                format!("librdkafka: {said}")
            }
            _ => said,
        };
        self.0
            .say(record.level().into(), format_args!("diurnal: {said}"), &said, &fields);
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
    /// `--log-format`: how messages on standard error are written.
    pub log_format: LogFormat,
}

impl Console {
    /// Says nothing but warnings and errors: what a program begins with that has its own voice.
    pub const SILENT: Self = Self {
        json: false,
        quiet: true,
        verbose: false,
        muted: true,
        log_format: LogFormat::Text,
    };

    /// With `-v`, shows what happens inside as well, librdkafka's log lines among it.
    pub fn show_details(&self) {
        // It fails only where a program that uses the library has a logger of its own; then that one gets the lines.
        if self.verbose && ::log::set_boxed_logger(Box::new(DetailLog(*self))).is_ok() {
            ::log::set_max_level(::log::LevelFilter::Debug);
        }
    }

    /// What shows how far the work has come: on a terminal only, and not where nothing or JSON is to be printed.
    pub fn progress(&self) -> Progress {
        Progress::new(!self.json && !self.quiet && !self.muted && self.log_format == LogFormat::Text)
    }

    /// Something that a person should know, but that does not stop the run.
    pub fn warning(&self, warning: &Error) {
        self.message(Level::Warning, "warning", warning);
    }

    /// Why the run failed or is incomplete.
    pub fn error(&self, error: &Error) {
        self.message(Level::Error, "error", error);
    }

    /// What is being done; with `-v` only.
    pub fn detail(&self, text: impl std::fmt::Display) {
        self.detail_of(text, []);
    }

    /// The same, with what a program wants to find in it by name.
    pub fn detail_of<const N: usize>(&self, text: impl std::fmt::Display, fields: [(&str, Value); N]) {
        if self.verbose {
            let fields = fields.map(|(name, value)| (name.to_owned(), value));
            self.say(
                Level::Debug,
                format_args!("diurnal: {text}"),
                &text,
                &fields.into_iter().collect(),
            );
        }
    }

    /// Something that is printed unless `-q` was given.
    pub fn note(&self, text: impl std::fmt::Display) {
        if !self.quiet && !self.muted {
            self.say(Level::Info, format_args!("{text}"), &text, &Fields::new());
        }
    }

    /// The end of what was asked for, which `-q` does not silence, as it is no good one.
    pub fn always(&self, text: impl std::fmt::Display) {
        if !self.muted {
            self.say(Level::Warning, format_args!("{text}"), &text, &Fields::new());
        }
    }

    /// Something that happened, and that `-q` does not silence.
    pub fn remark(&self, text: impl std::fmt::Display) {
        if !self.muted {
            self.say(Level::Warning, format_args!("diurnal: {text}"), &text, &Fields::new());
        }
    }

    /// The end of a run: a summary for people, or one JSON object for programs.
    pub fn finish(&self, report: &RunReport) {
        if self.json {
            self.print_json(report);
        } else if !self.quiet {
            let summary = run_summary(report, columns_of(std::io::stderr()));
            let mut fields = Fields::new();
            if self.log_format == LogFormat::Json {
                fields.insert("report".to_owned(), to_value(report));
            }
            self.say(
                Level::Info,
                format_args!("{}", summary.trim_end()),
                &summary.lines().next().unwrap_or_default(),
                &fields,
            );
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

    fn message(&self, level: Level, kind: &str, error: &Error) {
        let hint = match error.advice() {
            Some(hint) => format!("\n  hint: {hint}"),
            None => String::new(),
        };
        self.say(
            level,
            format_args!("diurnal: {kind}: {error}{hint}"),
            error,
            &parts(error),
        );
    }

    /// A message: the text of it for people, or the same for programs.
    fn say(&self, level: Level, text: std::fmt::Arguments<'_>, message: &dyn std::fmt::Display, fields: &Fields) {
        let line = match self.log_format {
            LogFormat::Text => harmless(&text.to_string()).into_owned(),
            LogFormat::Json => entry(level, &message.to_string(), fields),
        };
        // Nothing can be said about a standard error that can't be written to, and the archive matters more.
        progress::above_the_bar(|| drop(writeln!(std::io::stderr().lock(), "{line}")));
    }
}

fn to_value(report: &RunReport) -> Value {
    serde_json::to_value(report).expect("a report holds strings and numbers only")
}
