//! Arguments that clap does not understand, and what `--help` and `--version` print.

use std::ffi::{OsStr, OsString};

use crate::console::{Console, LogFormat};
use crate::error::Error;

/// Says what is wrong with the arguments, or what was asked for in place of a command; gives the exit code.
pub fn not_understood(error: &clap::Error) -> u8 {
    let variable = std::env::var_os("DIURNAL_LOG_FORMAT");
    if error.use_stderr() && wants_json(std::env::args_os(), variable) {
        let console = Console {
            log_format: LogFormat::Json,
            ..Console::SILENT
        };
        console.error(&in_parts(&error.render().to_string()));
    } else {
        // Nobody is left to be told that it can't be printed.
        let _ = error.print();
    }
    u8::try_from(error.exit_code()).unwrap_or(2)
}

/// Whether messages are to be JSON, as far as arguments can say so that make no sense as a whole.
fn wants_json(arguments: impl Iterator<Item = OsString>, variable: Option<OsString>) -> bool {
    let mut wanted = variable;
    let mut is_next = false;
    for argument in arguments {
        if is_next {
            wanted = Some(argument);
            is_next = false;
        } else if let Some(value) = argument.to_str().and_then(|text| text.strip_prefix("--log-format=")) {
            wanted = Some(value.into());
        } else {
            is_next = argument == "--log-format";
        }
    }
    wanted.as_deref() == Some(OsStr::new("json"))
}

/// clap's text: the error, a tip or the values that are possible, and the usage, with blank lines between them.
fn in_parts(text: &str) -> Error {
    let on_one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut parts = text.trim().split("\n\n").map(on_one_line);
    let cause = parts.next().unwrap_or_default();
    let cause = cause.strip_prefix("error: ").unwrap_or(&cause).to_owned();
    let hints: Vec<String> = parts
        .map(|part| part.strip_prefix("tip: ").unwrap_or(&part).to_owned())
        .collect();
    Error::usage("arguments", cause).hint(hints.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    use crate::cli::Cli;

    #[test]
    fn the_last_word_on_the_format_holds_even_if_the_rest_makes_no_sense() {
        let wants = |typed: &str, variable: Option<&str>| {
            wants_json(typed.split(' ').map(OsString::from), variable.map(OsString::from))
        };
        assert!(wants("diurnal --log-format json nonsense", None));
        assert!(wants("diurnal nonsense --log-format=json", Some("text")));
        assert!(wants("diurnal nonsense", Some("json")));
        assert!(!wants("diurnal --log-format text nonsense", Some("json")));
        assert!(!wants("diurnal json --log-format", None));
    }

    #[test]
    fn what_clap_says_has_a_cause_and_a_hint() {
        let error = Cli::try_parse_from(["diurnal", "statu"]).unwrap_err();
        let error = in_parts(&error.render().to_string());
        assert_eq!(error.cause(), "unrecognized subcommand 'statu'");
        let hint = error.advice().unwrap();
        assert!(
            hint.starts_with("a similar subcommand exists: 'status'; Usage: diurnal"),
            "{hint}"
        );
    }
}
