//! The documentation: each command that a page shows is run, in order, in a fresh folder, and prints what the page shows.
//!
//! A page shows commands in fences that begin with ```` ```console ````, after `$ `. Comments before a fence say what differs:
//!
//! | comment | means |
//! |---|---|
//! | `<!-- world: demo, kafka, files -->` | what is there before the page's first command, see `world.rs`; anywhere in the page |
//! | `<!-- not run: REASON -->` | the block is not run |
//! | `<!-- exit: 3 -->` | exit code of its last command; all others end with 0 |
//! | `<!-- setup: COMMAND -->` | is run before it: what a reader would have, and the page does not show |
//!
//! Where a page shows what a command prints, that is compared line by line: times, speeds, ids and dates of today aside (`mask.rs`), and a line
//! `...` stands for any number of lines. `DIURNAL_WRITE_PAGES=1 cargo test --test integration does_what_it_shows` fails just so, but has the pages
//! show what was printed: look at the difference before it is committed.

mod links;
mod mask;
mod page;
mod play;
mod reference;
mod world;

use page::{Page, every_page};
use play::play;

use crate::support::root;

#[test]
fn every_command_of_every_page_is_run_or_says_why_not() {
    let pages = every_page();
    let blocks: usize = pages.iter().map(|page| page.blocks.len()).sum();
    assert!(
        pages.len() > 10 && blocks > 40,
        "the pages were not read right: {blocks} blocks"
    );
    for page in pages {
        let path = &page.path;
        assert_eq!(page.strays, [""; 0], "{path}: commands outside of ```console");
        for block in &page.blocks {
            let place = format!("{path}:{}", block.line);
            assert_eq!(block.unknown, [""; 0], "{place}");
            assert!(!block.commands.is_empty(), "{place}: no command");
            assert_ne!(block.not_run.as_deref(), Some(""), "{place}: why is it not run?");
        }
        let played = include_str!("mod.rs").contains(&format!("play(&Page::read(\"{path}\"))"));
        assert_eq!(played, page.runs(), "{path}: whether a test here plays it");
    }
}

#[test]
fn the_recorded_session_is_what_the_program_prints() {
    let session = std::fs::read_to_string(root().join("docs/demo.svg")).expect("docs/demo.svg can be read");
    play(&Page::recorded("docs/demo.svg", &session));
}

#[test]
fn the_readme_does_what_it_shows() {
    play(&Page::read("README.md"));
}

#[test]
fn the_tutorial_does_what_it_shows() {
    play(&Page::read("docs/tutorial.md"));
}

#[test]
fn the_page_on_installing_does_what_it_shows() {
    play(&Page::read("docs/how-to/install.md"));
}

#[test]
fn the_page_on_replays_does_what_it_shows() {
    play(&Page::read("docs/how-to/replay.md"));
}

#[test]
fn the_page_on_changes_of_the_schema_does_what_it_shows() {
    play(&Page::read("docs/how-to/schema-change.md"));
}

#[test]
fn the_page_on_moving_an_archive_does_what_it_shows() {
    play(&Page::read("docs/how-to/moving-an-archive.md"));
}

#[test]
fn the_page_on_scaling_does_what_it_shows() {
    play(&Page::read("docs/SCALING.md"));
}

#[test]
fn the_page_on_exit_codes_does_what_it_shows() {
    play(&Page::read("docs/how-to/exit-codes.md"));
}

#[test]
fn the_page_on_the_law_does_what_it_shows() {
    play(&Page::read("docs/explanation/the-law.md"));
}

#[test]
fn the_page_on_the_commit_does_what_it_shows() {
    play(&Page::read("docs/explanation/the-commit.md"));
}
