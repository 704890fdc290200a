//! Runs at the same time, and a run that sleeps while others go on.

use super::{LINES, SEED, expect_whole, local};
use crate::support::bucket::Server;
use crate::support::digest::day_files_and_schemas;
use crate::support::folder::Folder;
use crate::support::lines;
use crate::support::long;

#[test]
fn of_runs_that_race_one_commits_and_the_others_say_so_until_all_is_there() {
    let Some(server) = Server::start() else { return };
    race(&server, if long() { 60 } else { 12 });
}

/// So many rounds of two runs each, at the same time.
pub fn race(server: &Server, rounds: usize) {
    let all = lines::telegraf(SEED, LINES);
    let folder = Folder::new();
    let parts: Vec<&[String]> = all.chunks(LINES.div_ceil(2 * rounds)).collect();
    let mut lost = 0;
    for (round, pair) in parts.chunks(2).enumerate() {
        let mut left: Vec<String> = pair
            .iter()
            .enumerate()
            .map(|(at, part)| {
                let name = format!("{round}-{at}.txt");
                folder.write(&name, lines::file_of(part));
                name
            })
            .collect();
        while !left.is_empty() {
            let racing = left.len();
            let start = |name: &String| server.diurnal(&folder, "import", "a").arg(name).start();
            let running: Vec<_> = left.iter().map(start).collect();
            let ended: Vec<_> = running.into_iter().map(|run| run.wait()).collect();
            let mut again = Vec::new();
            for (name, ran) in left.into_iter().zip(ended) {
                match ran.status.code() {
                    Some(0) => {}
                    Some(4) => {
                        ran.expect_said("another run made commit").expect_said(&server.url("a"));
                        lost += 1;
                        again.push(name);
                    }
                    code => panic!("{name} ended with {code:?}: {}", ran.stderr),
                }
            }
            assert!(again.len() < racing, "somebody wins each race");
            left = again;
        }
    }
    assert!(lost > 0, "no two runs met in {rounds} rounds");
    expect_whole(server, &folder, "a", &local(lines::file_of(&all)));
    let status = server.diurnal(&folder, "status", "a").report(0);
    assert_eq!(status["totals"]["points"], LINES, "{status}");
}

#[test]
fn a_publisher_that_slept_overwrites_nothing_newer() {
    let Some(server) = Server::start() else { return };
    sleep_over_a_commit(&server);
}

/// A run sleeps in the middle of its commit, and another one completes it and makes the next.
pub fn sleep_over_a_commit(server: &Server) {
    let all = lines::telegraf(SEED, LINES);
    let folder = Folder::new();
    for (name, part) in ["1.txt", "2.txt", "3.txt"].iter().zip(all.chunks(LINES.div_ceil(3))) {
        folder.write(name, lines::file_of(part));
    }
    let import = |name: &str| server.diurnal(&folder, "import", "a").arg(name);
    import("1.txt").run().expect_code(0);
    // Its commit stands; it is about to write the first of its files to its key.
    let mut asleep = import("2.txt").pause_at("bucket-publish").start();
    asleep.wait_for_step("bucket-recorded");
    asleep.wait_for_step("bucket-publish");
    // Who reads meanwhile sees all of it.
    let status = server.diurnal(&folder, "status", "a").report(0);
    assert_eq!(status["totals"]["points"], 2 * LINES.div_ceil(3) as u64, "{status}");
    server.diurnal(&folder, "verify", "a").run().expect_code(0);
    import("3.txt").run().expect_code(0);
    let now = day_files_and_schemas(&server.files("a"));
    assert_eq!(now, local(lines::file_of(&all)));
    asleep.resume();
    asleep.wait().expect_code(0);
    expect_whole(server, &folder, "a", &now);
}

#[test]
fn a_run_that_slept_before_its_commit_loses_it_and_nothing_else() {
    let Some(server) = Server::start() else { return };
    let all = lines::telegraf(SEED, 600);
    let folder = Folder::new();
    folder.write("1.txt", lines::file_of(&all[..300]));
    folder.write("2.txt", lines::file_of(&all[300..]));
    let import = |name: &str| server.diurnal(&folder, "import", "a").arg(name);
    let mut asleep = import("1.txt").pause_at("bucket-record").start();
    asleep.wait_for_step("bucket-record");
    import("2.txt").run().expect_code(0);
    asleep.resume();
    asleep
        .wait()
        .expect_code(4)
        .expect_said("another run made commit 1 meanwhile");
    import("1.txt").run().expect_code(0);
    expect_whole(&server, &folder, "a", &local(lines::file_of(&all)));
}
