//! `docs/reference/commands.md` is written from the command line itself, so that it can't be wrong.
//!
//! `DIURNAL_WRITE_REFERENCE=1 cargo test --test integration the_reference_of_the_commands` writes it anew.

use std::fs;

use clap::{Command, CommandFactory as _};
use diurnal::cli::Cli;

use crate::support::root;

const PAGE: &str = "docs/reference/commands.md";

/// So wide is a line of the page.
const WIDTH: usize = 120;

const HEAD: &str = "# Commands, flags and variables

What `--help` says of each command, and below it each variable of the environment with its flag. Written from the program by a test, which
fails where this page says something else; the manual pages (`diurnal man`) have the same text.
";

#[test]
fn the_reference_of_the_commands_is_what_help_says() {
    let page = page();
    assert!(
        page.contains("## diurnal schema set"),
        "the commands were not all found"
    );
    let path = root().join(PAGE);
    if std::env::var_os("DIURNAL_WRITE_REFERENCE").is_some() {
        fs::write(&path, &page).expect("the page can be written");
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    let different = there.lines().zip(page.lines()).find(|(there, now)| there != now);
    assert!(
        there == page,
        "{PAGE} is not what --help says: {different:?}\nrenew it: DIURNAL_WRITE_REFERENCE=1 cargo test --test integration the_reference_of_the_commands"
    );
}

fn page() -> String {
    let cli = Cli::command().disable_help_subcommand(true).term_width(WIDTH);
    let mut cli = without_values(cli);
    cli.build();
    let mut page = HEAD.to_owned();
    write_command(&mut cli.clone(), "diurnal", &mut page);
    page += "\n## Variables of the environment\n\nA flag wins over its variable. `DIURNAL_KAFKA_NAME` is a property of librdkafka: \
             `DIURNAL_KAFKA_SASL_PASSWORD` is `sasl.password`.\n\n| variable | flag | of |\n|---|---|---|\n";
    for (variable, flag, commands) in variables(&cli) {
        page += &format!("| `{variable}` | `{flag}` | {} |\n", commands.join(", "));
    }
    page
}

/// Without the values that the variables have where this runs.
fn without_values(command: Command) -> Command {
    command
        .mut_args(|argument| argument.hide_env_values(true))
        .mut_subcommands(without_values)
}

fn write_command(command: &mut Command, name: &str, page: &mut String) {
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    *page += &format!("\n## {name}\n\n```text\n{}\n```\n", lines.join("\n").trim_end());
    let below: Vec<Command> = command.get_subcommands().cloned().collect();
    for mut below in below {
        let name = format!("{name} {}", below.get_name());
        write_command(&mut below, &name, page);
    }
}

/// Each variable, its flag, and the commands that take it.
fn variables(cli: &Command) -> Vec<(String, String, Vec<String>)> {
    let mut found: Vec<(String, String, Vec<String>)> = Vec::new();
    collect(cli, "", &mut found);
    assert!(found.len() > 20, "the command line was not read right: {found:?}");
    found.sort();
    found
}

fn collect(command: &Command, name: &str, found: &mut Vec<(String, String, Vec<String>)>) {
    for argument in command.get_arguments() {
        let Some(variable) = argument.get_env() else { continue };
        let flag = match (argument.get_long(), argument.get_short()) {
            (Some(long), _) => format!("--{long}"),
            (None, Some(short)) => format!("-{short}"),
            (None, None) => continue,
        };
        let variable = variable.to_string_lossy().into_owned();
        // Flags of every command are found at each of them.
        let of = match argument.is_global_set() {
            true => "every command".to_owned(),
            false => format!("`{name}`"),
        };
        match found.iter_mut().find(|(known, ..)| *known == variable) {
            Some((.., commands)) if commands.contains(&of) => {}
            Some((.., commands)) => commands.push(of),
            None => found.push((variable, flag, vec![of])),
        }
    }
    for below in command.get_subcommands() {
        collect(below, format!("{name} {}", below.get_name()).trim(), found);
    }
}
