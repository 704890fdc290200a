//! `--help` of each command, on a terminal of 80 columns.

use super::Seen;
use crate::support::folder::Folder;

const COMMANDS: &[&str] = &[
    "archive",
    "import",
    "verify",
    "status",
    "schema",
    "schema show",
    "schema export",
    "schema set",
    "rejects",
    "merge",
    "prune",
    "backup",
    "report",
    "demo",
    "completions",
    "man",
];

const COLUMNS: usize = 80;

#[test]
fn every_help_fits_eighty_columns() {
    for command in [""].iter().chain(COMMANDS) {
        let folder = Folder::new();
        let mut seen = Seen::in_folder(&folder);
        let typed = format!("{command} --help");
        let ran = seen.run_as(typed.trim_start(), |run| run.env("COLUMNS", COLUMNS.to_string()));
        // Only what clap itself says of the usage is not broken.
        let too_long = |line: &&str| line.chars().count() > COLUMNS && !line.starts_with("Usage: ");
        assert_eq!(ran.stdout.lines().find(too_long), None, "diurnal {typed}");
        let name = match *command {
            "" => "help".to_owned(),
            command => format!("help_{}", command.replace(' ', "_")),
        };
        seen.expect(&name);
    }
}
