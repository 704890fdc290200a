//! The command line holds together, and every flag that a page shows is one.

mod help;

use std::fs;
use std::path::Path;

use clap::CommandFactory as _;

use super::*;

/// Flags of other programs that the pages show.
const FLAGS_OF_OTHERS: &[&str] = &[
    "--bench",
    "--bootstrap-server",
    "--check",
    "--collector",
    "--config",
    "--create",
    "--create-home",
    "--delete",
    "--describe",
    "--example",
    "--exclude",
    "--failed",
    "--help",
    "--home-dir",
    "--if-not-exists",
    "--lines",
    "--locked",
    "--no-pager",
    "--now",
    "--offset-json-file",
    "--open",
    "--path",
    "--release",
    "--rm",
    "--shell",
    "--strip-debug",
    "--system",
    "--test",
    "--unit",
    "--version",
    "--work",
];

fn flags() -> Vec<String> {
    fn collect(command: &clap::Command, into: &mut Vec<String>) {
        let longs = command.get_arguments().filter_map(|argument| argument.get_long());
        into.extend(longs.map(|long| format!("--{long}")));
        command.get_subcommands().for_each(|below| collect(below, into));
    }
    let mut flags = Vec::new();
    collect(&Cli::command(), &mut flags);
    flags
}

/// README.md, all pages below docs/ but the one that is written from the flags, and what examples show.
fn pages() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<PathBuf> = [
        "README.md",
        "examples/cron/crontab",
        "examples/cron/nightly.sh",
        "examples/systemd/diurnal.service",
    ]
    .iter()
    .map(|path| root.join(path))
    .collect();
    let mut folders = vec![root.join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") && !path.ends_with("commands.md") {
                paths.push(path);
            }
        }
    }
    let read = |path: &PathBuf| fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    paths.iter().map(read).collect()
}

#[test]
fn the_commands_hold_together() {
    Cli::command().debug_assert();
}

#[test]
fn an_age_is_a_value_although_it_begins_like_a_flag() {
    let typed = "diurnal archive --brokers b:9092 --topic t --from -7d --until -1h".split(' ');
    let Command::Archive(args) = Cli::parse_from(typed).command else {
        panic!("another command");
    };
    assert_eq!((args.from.as_str(), args.until.as_deref()), ("-7d", Some("-1h")));
    let typed = "diurnal archive --brokers b:9092 --topic t --replay -7d..-1h".split(' ');
    let Command::Archive(args) = Cli::parse_from(typed).command else {
        panic!("another command");
    };
    assert_eq!(args.replay.as_deref(), Some("-7d..-1h"));
    let typed = "diurnal import --default-time -1d metrics.lp".split(' ');
    let Command::Import(args) = Cli::parse_from(typed).command else {
        panic!("another command");
    };
    assert_eq!(args.default_time.as_deref(), Some("-1d"));
}

#[test]
fn a_replay_and_a_schedule_go_with_no_flag_that_would_mean_something_else() {
    let refused = |flags: &str| {
        let typed = format!("diurnal archive --brokers b:9092 --topic t {flags}");
        let error = Cli::try_parse_from(typed.split(' ')).expect_err(flags);
        assert_eq!(error.exit_code(), 2, "{flags}");
    };
    refused("--replay .. --from earliest");
    refused("--replay .. --until now");
    refused("--replay .. --follow");
    refused("--follow --dry-run");
    refused("--every 1h");
    let typed = "diurnal archive --brokers b:9092 --topic t --replay .. --dry-run --accept-recreated t";
    Cli::try_parse_from(typed.split(' ')).unwrap();
    let typed = "diurnal archive --brokers b:9092 --topic t --follow --from -1d --until -1h";
    Cli::try_parse_from(typed.split(' ')).unwrap();
}

#[test]
fn the_pages_name_no_flag_that_does_not_exist() {
    let pages = pages();
    let flags = flags();
    let words = pages
        .iter()
        .flat_map(|page| page.split(|c: char| !(c.is_ascii_lowercase() || c == '-')));
    let named: Vec<&str> = words
        .filter(|word| word.len() > 2 && word.starts_with("--") && !word.starts_with("---"))
        .collect();
    let known = |word: &str| FLAGS_OF_OTHERS.contains(&word) || flags.iter().any(|flag| flag == word);
    let unknown: Vec<&str> = named.iter().copied().filter(|word| !known(word)).collect();
    assert_eq!(unknown, [""; 0]);
    assert!(named.len() > 20, "the pages were not read right: {named:?}");
}

#[test]
fn the_readme_shows_every_command() {
    for command in Cli::command().get_subcommands() {
        let shown = format!("diurnal {}", command.get_name());
        assert!(include_str!("../../README.md").contains(&shown), "{shown}");
    }
}
