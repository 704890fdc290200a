//! The page in a real Chromium: clicked, dragged, typed at, touched, and photographed.

use super::fleet::Fleet;
use super::{hostile, import, report};
use crate::support::browser::Browser;
use crate::support::folder::Folder;

#[test]
fn a_person_can_choose_zoom_and_read_with_mouse_keyboard_and_finger() {
    let Some(browser) = Browser::get() else { return };
    let folder = Folder::new();
    let fleet = Fleet {
        hosts: 6,
        interval: 600,
        seed: 5,
    };
    import(&folder, fleet.sent().by_day.concat());
    report(&folder, &[]);
    browser.expect("use_page.py", &folder.join("report.html"), &["whole"]);
}

#[test]
fn hostile_names_are_shown_as_text_and_run_nothing() {
    let Some(browser) = Browser::get() else { return };
    let folder = Folder::new();
    import(&folder, hostile::lines());
    report(&folder, &["--field", &hostile::field()]);
    browser.expect("use_page.py", &folder.join("report.html"), &["hostile"]);
}

#[test]
fn a_page_of_nothing_is_a_page() {
    let Some(browser) = Browser::get() else { return };
    let folder = Folder::new();
    import(&folder, "");
    report(&folder, &[]);
    browser.expect("use_page.py", &folder.join("report.html"), &["empty"]);
}
