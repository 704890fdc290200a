//! `diurnal completions`: what a shell needs to complete commands, flags and their values.

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};
use serde::Serialize;

use crate::cli::{Cli, CompletionsArgs, ShellName};
use crate::console::Console;
use crate::error::Result;

/// What `diurnal completions --json` prints.
#[derive(Serialize)]
struct CompletionsReport {
    command: &'static str,
    shell: String,
    script: String,
}

pub(super) fn run(console: Console, args: &CompletionsArgs) -> Result<u8> {
    let shell = match args.shell {
        ShellName::Bash => Shell::Bash,
        ShellName::Zsh => Shell::Zsh,
        ShellName::Fish => Shell::Fish,
    };
    let mut cli = Cli::command();
    let name = cli.get_name().to_owned();
    let mut script = Vec::new();
    generate(shell, &mut cli, name, &mut script);
    if console.json {
        console.print_json(&CompletionsReport {
            command: "completions",
            shell: shell.to_string(),
            script: String::from_utf8_lossy(&script).into_owned(),
        });
    } else {
        console.print_file(&script);
    }
    Ok(0)
}
