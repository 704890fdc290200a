//! What `--help` says of each command and option: examples that are true, the default, the unit, and the variable that sets it too.

use clap::{Arg, Command, CommandFactory as _, Parser as _};
use regex::Regex;

use crate::cli::Cli;

/// Options that no variable of the environment sets, and why.
const TYPED_ONLY: &[(&str, &str)] = &[
    ("--json", "who reads standard output says how"),
    (
        "--dry-run",
        "a variable that is forgotten would keep every run from writing",
    ),
    ("--replay", "done once, on purpose"),
    ("--follow", "how long the process stays is for whoever starts it"),
    ("--every", "goes with --follow"),
    ("--accept-recreated", "consent to one topic, once"),
    ("-X", "DIURNAL_KAFKA_SASL_PASSWORD and its like set each property"),
    ("--retry", "done once, on purpose"),
    ("--limit", "of one look"),
    ("--days", "of one look"),
    ("--measurement", "a part of the column's name"),
    ("--output", "of one copy"),
    ("--csv-older-than", "what is removed has to be typed"),
    ("--parquet-older-than", "what is removed has to be typed"),
    ("--rejects-older-than", "what is removed has to be typed"),
    ("report --from", "of one look"),
    ("report --until", "of one look"),
    ("report --field", "of one look"),
    ("--hosts", "of one demo"),
    ("--hours", "of one demo"),
    ("--seed", "of one demo"),
    ("--keep", "of one demo"),
    ("--report", "of one demo"),
];

/// Values that are names, places or words, which have no unit.
const NO_UNIT: &[&str] = &[
    "COLUMN",
    "DEST",
    "DIR",
    "FILE",
    "FORMAT",
    "FORMATS",
    "HOST:PORT",
    "MEASUREMENT",
    "MEASUREMENT.COLUMN",
    "MEASUREMENT.FIELD",
    "NAME",
    "OTHER",
    "PROPERTY=VALUE",
    "SHELL",
    "TOPIC",
    "TYPE",
    "UNIT",
    "ZONE",
];

/// Values with units, each with what its help, or its default, has to show.
const UNITS: &[(&str, &str)] = &[
    ("AGE", r"\d(ms|s|m|h|d|w)\b"),
    ("BYTES", r"\d(B|kB|MB|KiB|MiB|GiB)\b"),
    ("DURATION", r"\d(ms|s|m|h|d|w)\b"),
    ("FROM..TO", r"\d{4}-\d\d-\d\d\.\.\d{4}-\d\d-\d\d"),
    ("FROM..UNTIL", r"\d{4}-\d\d-\d\d\.\.|-\d+[hd]\.\."),
    ("LINES", "lines"),
    ("PARTITIONS", r"\d-\d,\d.*\d-"),
    ("N", r"^(At most )?[A-Z][a-z]+( [a-z]+)*s\b"),
    ("N|P%", r"^[A-Z][a-z]+( [a-z]+)*s\b.*\d%"),
    ("START", r"\d{4}-\d\d-\d\d.*-\d+[hd]\b"),
    ("TIME", r"\d{4}-\d\d-\d\d"),
];

/// Numbers that count nothing.
const NO_COUNTS: &[&str] = &["--seed"];

/// Every command that can be typed, with the words that it takes, `diurnal help` aside.
fn commands() -> Vec<(String, Command)> {
    fn collect(command: &Command, words: &str, into: &mut Vec<(String, Command)>) {
        into.push((words.to_owned(), command.clone()));
        for below in command.get_subcommands() {
            collect(below, &format!("{words} {}", below.get_name()), into);
        }
    }
    let mut cli = Cli::command().disable_help_subcommand(true);
    cli.build();
    let mut found = Vec::new();
    collect(&cli, "diurnal", &mut found);
    assert!(found.len() > 10, "the commands were not read right");
    found
}

/// All options of all commands but `--help` and `--version`, each with where it stands.
fn options() -> Vec<(String, Arg)> {
    let mut found = Vec::new();
    for (words, command) in commands() {
        let options = command.get_arguments().filter(|option| !is_help(option));
        found.extend(options.map(|option| (format!("{words} {}", name(option)), option.clone())));
    }
    assert!(found.len() > 50, "the options were not read right");
    found
}

fn is_help(option: &Arg) -> bool {
    ["help", "version"].contains(&option.get_id().as_str())
}

/// `--topic`, `-X`, or the name of an argument without a flag.
fn name(option: &Arg) -> String {
    match (option.get_long(), option.get_short()) {
        (Some(long), _) => format!("--{long}"),
        (None, Some(short)) => format!("-{short}"),
        (None, None) => option.get_id().to_string(),
    }
}

fn takes_value(option: &Arg) -> bool {
    option.get_action().takes_values()
}

fn help(option: &Arg) -> String {
    let help = option.get_long_help().or_else(|| option.get_help());
    help.map(ToString::to_string).unwrap_or_default()
}

fn defaults(option: &Arg) -> String {
    let values = option.get_default_values().iter();
    values
        .map(|value| value.to_string_lossy())
        .collect::<Vec<_>>()
        .join(",")
}

/// The examples below the help of a command, a line each.
fn examples(command: &Command) -> Vec<String> {
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let mut blocks = after.split("\n\n");
    let block = blocks.find(|block| block.starts_with("Example")).unwrap_or_default();
    block.lines().skip(1).map(|line| line.trim().to_owned()).collect()
}

/// Each `diurnal ...` of a line of shell, as the words that it takes.
fn invocations(line: &str) -> Vec<Vec<String>> {
    let unquoted = Regex::new(r"\$\([^)]*\)")
        .unwrap()
        .replace_all(line, "SUBSTITUTED")
        .into_owned();
    let (mut words, mut word, mut inside) = (vec![Vec::new()], String::new(), false);
    for character in unquoted.chars().chain([' ']) {
        match character {
            '\'' | '"' => inside = !inside,
            ' ' if !inside => match std::mem::take(&mut word).as_str() {
                "" => {}
                "|" | "&&" | ">" => words.push(Vec::new()),
                whole => words.last_mut().unwrap().push(whole.to_owned()),
            },
            other => word.push(other),
        }
    }
    words.retain(|words| words.first().is_some_and(|first| first == "diurnal"));
    words
}

#[test]
fn every_help_has_examples_and_each_of_them_is_understood() {
    for (words, command) in commands() {
        let examples = examples(&command);
        assert!(!examples.is_empty(), "`{words} --help` has no example");
        for example in examples {
            let typed = invocations(&example);
            assert!(!typed.is_empty(), "`{words} --help`: {example:?} runs no diurnal");
            for typed in typed {
                if let Err(error) = Cli::try_parse_from(&typed) {
                    panic!("`{words} --help`: {example:?}: {error}");
                }
            }
            let shown = words == "diurnal" || example.contains(&words);
            assert!(shown, "`{words} --help`: {example:?} is of another command");
        }
    }
}

/// clap breaks longer ones, and what was broken can't be copied.
#[test]
fn every_example_stands_on_one_line_of_80_columns() {
    for (words, command) in commands() {
        for example in examples(&command) {
            // It is indented by two.
            assert!(example.chars().count() <= 78, "`{words} --help`: {example}");
        }
    }
}

#[test]
fn every_option_with_a_value_says_its_default_or_what_happens_without_it() {
    let silent = |option: &Arg| {
        let help = help(option);
        let said = help.contains("[default: ") || help.to_lowercase().contains("without it");
        !(option.is_required_set() || !defaults(option).is_empty() || said)
    };
    let all = options().into_iter().filter(|(_, option)| takes_value(option));
    let silent: Vec<String> = all
        .filter(|(_, option)| silent(option))
        .map(|(place, _)| place)
        .collect();
    assert_eq!(silent, [""; 0]);
}

#[test]
fn every_option_with_a_value_says_its_unit() {
    let mut silent = Vec::new();
    for (place, option) in options().iter().filter(|(_, option)| takes_value(option)) {
        let names = option.get_value_names().expect("an option with a value names it");
        let [value] = names else {
            panic!("{place} takes several values: {names:?}");
        };
        if NO_UNIT.contains(&value.as_str()) || NO_COUNTS.contains(&name(option).as_str()) {
            continue;
        }
        let known = UNITS.iter().find(|(name, _)| name == value);
        let (_, shown) = known.unwrap_or_else(|| panic!("{place}: say above what the unit of {value} is"));
        let help = format!("{} {}", help(option), defaults(option));
        if !Regex::new(shown).unwrap().is_match(&help) {
            silent.push(format!("{place} {value}: {help}"));
        }
    }
    assert_eq!(silent, [""; 0]);
}

#[test]
fn every_setting_has_a_flag_and_a_variable_of_the_same_name() {
    for (place, option) in options().iter().filter(|(_, option)| !option.is_positional()) {
        let reason = TYPED_ONLY.iter().find(|(typed, _)| is_named(typed, place, option));
        match (option.get_env(), reason) {
            (Some(variable), None) => {
                // Of a flag without a long name the variable has the name that the help gives it.
                if let Some(long) = option.get_long() {
                    let same = format!("DIURNAL_{}", long.to_uppercase().replace('-', "_"));
                    assert_eq!(variable.to_str(), Some(same.as_str()), "{place}");
                }
            }
            (None, Some(_)) => {}
            (Some(_), Some((_, reason))) => panic!("{place} has a variable, although it is only typed: {reason}"),
            (None, None) => panic!("{place} has no variable, and no reason for that is given above"),
        }
    }
    let options = options();
    for (typed, _) in TYPED_ONLY {
        let is_there = options.iter().any(|(place, option)| is_named(typed, place, option));
        assert!(is_there, "there is no {typed}");
    }
}

/// Whether `--days` or `report --from` is this option.
fn is_named(typed: &str, place: &str, option: &Arg) -> bool {
    name(option) == typed || place.strip_prefix("diurnal ") == Some(typed)
}
