//! The units of `examples/systemd` as systemd's own tools judge them.

use std::fs;
use std::process::{Command, Output};

use super::{example, path_of};
use crate::support::folder::Folder;
use crate::support::run::diurnal;
use crate::support::{installed, skip};

/// The exposure that `systemd-analyze security` may find, in tenths: what a program that speaks TCP can hardly do without.
const EXPOSURE: &str = "20";

/// The units in a folder, with the program that was built and the manual pages in their places.
fn units() -> Option<Folder> {
    if !installed("systemd-analyze", "systemd") {
        return None;
    }
    let folder = Folder::new();
    let program = env!("CARGO_BIN_EXE_diurnal");
    let service = example(
        "systemd/diurnal.service",
        &[("=/usr/bin/diurnal ", 1, &format!("={program} "))],
    );
    folder.write("diurnal.service", service);
    folder.write("diurnal.timer", example("systemd/diurnal.timer", &[]));
    diurnal(&folder, "man")
        .args(["-q", "--output", "man/man1"])
        .run()
        .expect_code(0);
    Some(folder)
}

fn analyze(folder: &Folder, arguments: &[&str]) -> Output {
    Command::new("systemd-analyze")
        .args(arguments)
        .current_dir(folder.path())
        .env("MANPATH", folder.join("man"))
        .env("SYSTEMD_LOG_LEVEL", "info")
        .output()
        .expect("it is installed")
}

fn all_said(ran: &Output) -> String {
    String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr)
}

#[test]
fn systemd_finds_nothing_wrong_with_the_service_and_its_timer() {
    let Some(folder) = units() else { return };
    let ran = analyze(&folder, &["verify", "./diurnal.service", "./diurnal.timer"]);
    assert!(ran.status.success() && all_said(&ran).is_empty(), "{}", all_said(&ran));
    // What it would say of a mistake.
    folder.write(
        "diurnal.timer",
        example("systemd/diurnal.timer", &[("hourly\n", 1, "hurly\n")]),
    );
    let ran = analyze(&folder, &["verify", "./diurnal.timer"]);
    assert!(all_said(&ran).contains("hurly"), "{}", all_said(&ran));
}

#[test]
fn the_service_is_open_to_little_more_than_the_network_and_its_folder() {
    let Some(folder) = units() else { return };
    let threshold = format!("--threshold={EXPOSURE}");
    let arguments = [
        "security",
        "--offline=true",
        "--no-pager",
        &threshold,
        "./diurnal.service",
    ];
    let ran = analyze(&folder, &arguments);
    let said = all_said(&ran);
    assert!(ran.status.success(), "{said}");
    let level = said.lines().find(|line| line.contains("Overall exposure level"));
    println!("{}", level.unwrap_or_else(|| panic!("{said}")));
}

#[test]
fn every_setting_of_the_environment_file_is_one_of_archive() {
    let folder = Folder::new();
    let help = diurnal(&folder, "archive").arg("--help").run().expect_code(0).stdout;
    let settings = example("systemd/diurnal.env", &[]);
    let lines = settings
        .lines()
        .filter_map(|line| line.trim_start_matches('#').split_once('='));
    let names: Vec<&str> = lines
        .map(|(name, _)| name)
        .filter(|name| name.starts_with("DIURNAL_"))
        .collect();
    assert!(names.len() >= 4, "the file was not read right: {names:?}");
    for name in names {
        assert!(help.contains(&format!("[env: {name}=")), "{name}");
    }
}

#[test]
fn the_user_of_the_service_is_made_as_the_service_names_it() {
    if !installed("systemd-sysusers", "systemd") {
        return;
    }
    if !rustix::process::geteuid().is_root() {
        return skip("users are made by root only");
    }
    let folder = Folder::new();
    fs::create_dir(folder.join("etc")).expect("a test can write into its folder");
    let made = Command::new("systemd-sysusers")
        .arg(format!("--root={}", folder.path().display()))
        .arg(path_of("systemd/diurnal.sysusers"))
        .output()
        .expect("it is installed");
    assert!(made.status.success(), "{made:?}");
    let user = fs::read_to_string(folder.join("etc/passwd")).expect("users");
    assert!(
        user.starts_with("diurnal:x:") && user.contains(":/var/lib/diurnal:"),
        "{user}"
    );
    assert!(user.trim_end().ends_with("nologin"), "{user}");
    let service = example("systemd/diurnal.service", &[]);
    assert!(service.contains("\nUser=diurnal\n") && service.contains("\nStateDirectory=diurnal\n"));
}
