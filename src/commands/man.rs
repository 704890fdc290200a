//! `diurnal man`: manual pages, a page for each command, from what `--help` says.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use serde::Serialize;

use crate::cli::{Cli, ManArgs};
use crate::console::Console;
use crate::error::{Error, Result};
use crate::report::counted;
use crate::version::DAY;

/// What `diurnal man --json` prints.
#[derive(Serialize)]
struct ManReport {
    command: &'static str,
    pages: Vec<Page>,
}

/// A page of the manual.
#[derive(Serialize)]
struct Page {
    /// `diurnal-archive.1`
    name: String,
    /// The file that was written; `None` without `--output`.
    file: Option<String>,
    roff: String,
}

pub(super) fn run(console: Console, args: &ManArgs) -> Result<u8> {
    // `diurnal help` is the help of the others.
    let mut cli = Cli::command().disable_help_subcommand(true);
    cli.build();
    let mut pages = Vec::new();
    write_pages(&cli, None, &mut pages)?;
    match &args.output {
        Some(folder) => {
            write_files(folder, &mut pages)?;
            console.note(format_args!(
                "{} written to {}",
                counted(pages.len() as u64, "page"),
                folder.display()
            ));
        }
        None => pages.truncate(1),
    }
    if console.json {
        console.print_json(&ManReport { command: "man", pages });
    } else if args.output.is_none() {
        pages.iter().for_each(|page| console.print_file(page.roff.as_bytes()));
    }
    Ok(0)
}

/// The page of a command, then those of the commands below it.
fn write_pages(command: &Command, above: Option<&str>, pages: &mut Vec<Page>) -> Result<()> {
    // In a buffer no write fails.
    let roff =
        page(command, above).map_err(|error| Error::new("man", format_args!("{}: {error}", command.get_name())))?;
    let name = name_of(command);
    pages.push(Page {
        name: format!("{name}.1"),
        file: None,
        roff,
    });
    let below = command.get_subcommands();
    below
        .into_iter()
        .try_for_each(|below| write_pages(below, Some(name), pages))
}

/// `diurnal-schema-set`
fn name_of(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn page(command: &Command, above: Option<&str>) -> std::io::Result<String> {
    let mut text = Vec::new();
    // clap_mangen leaves out a day that is not known, and what follows it takes its place.
    let number = env!("CARGO_PKG_VERSION");
    writeln!(
        text,
        ".TH {} 1 \"{DAY}\" \"diurnal {number}\" diurnal",
        name_of(command)
    )?;
    let man = Man::new(command.clone());
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    let mut rest = Roff::new();
    write_after_help(command, &mut rest);
    if let Some(above) = above {
        rest.control("SH", ["SEE ALSO"]);
        rest.text([bold(above), roman("(1)")]);
    }
    rest.to_writer(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    // clap_mangen puts two breaks and an empty line before the values of an option; the readers of pages call that a mistake.
    Ok(text.replace(".br\n\n.br\n", ".br\n"))
}

/// What `--help` has below the options: blocks with an empty line between them, of which the examples keep their lines.
fn write_after_help(command: &Command, roff: &mut Roff) {
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let mut heading = "";
    for block in after.split("\n\n").filter(|block| !block.is_empty()) {
        let (first, rest) = block.split_once('\n').unwrap_or((block, ""));
        if first.starts_with("Example") {
            roff.control("SH", ["EXAMPLES"]);
            roff.control("nf", []);
            for line in rest.lines() {
                roff.text([roman(line.trim_start())]);
            }
            roff.control("fi", []);
            continue;
        }
        let (section, text) = match block.split_once("Exit codes: ") {
            Some((_, codes)) => ("EXIT STATUS", codes),
            None => ("NOTES", block),
        };
        match section == heading {
            true => roff.control("PP", []),
            false => roff.control("SH", [section]),
        };
        heading = section;
        roff.text([roman(text)]);
    }
}

/// Writes the pages, over those of an earlier version: they are nobody's own.
fn write_files(folder: &Path, pages: &mut [Page]) -> Result<()> {
    fs::create_dir_all(folder).map_err(|error| Error::io(folder, "make the folder", &error))?;
    for page in pages {
        let file = folder.join(&page.name);
        fs::write(&file, &page.roff).map_err(|error| Error::io(&file, "write it", &error))?;
        page.file = Some(file.display().to_string());
    }
    Ok(())
}
