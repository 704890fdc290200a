//! Links between pages: each leads to a file that is there, and to a heading that the file has.

use std::fs;
use std::path::Path;

use super::page::every_page;
use crate::support::root;

#[test]
fn every_link_of_a_page_leads_to_a_file_and_a_heading_that_are_there() {
    let mut followed = 0;
    for page in every_page() {
        let path = root().join(&page.path);
        let text = fs::read_to_string(&path).expect("the page can be read");
        let folder = path.parent().expect("a page has a folder");
        for link in links(&text) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            if file.contains(':') {
                continue;
            }
            followed += 1;
            let target = if file.is_empty() {
                path.clone()
            } else {
                folder.join(file)
            };
            assert!(target.exists(), "{}: {link} leads nowhere", page.path);
            assert!(
                heading.is_empty() || headings(&target).iter().any(|known| known == heading),
                "{}: {link}: no such heading",
                page.path
            );
        }
    }
    assert!(followed > 60, "the pages were not read right: {followed} links");
}

/// What stands in `](...)` outside of code.
fn links(text: &str) -> Vec<&str> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if !inside {
            let pieces = line.split("](").skip(1);
            found.extend(pieces.filter_map(|piece| Some(piece.split_once(')')?.0)));
        }
    }
    found
}

/// The headings of a page as links name them: lower case, words joined by hyphens, other signs left out.
fn headings(page: &Path) -> Vec<String> {
    let text = fs::read_to_string(page).unwrap_or_else(|e| panic!("{}: {e}", page.display()));
    let lines = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| -> String {
        let name = line.trim_start_matches('#').trim().to_lowercase();
        let kept = name
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    lines.map(anchor).collect()
}
