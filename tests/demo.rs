//! `diurnal demo`: what a newcomer runs first, with no Kafka at hand.

use crate::support::digest::day_files;
use crate::support::duckdb::DuckDb;
use crate::support::folder::Folder;
use crate::support::run::diurnal;

#[test]
fn the_demo_leaves_a_good_archive_and_says_what_happened() {
    let folder = Folder::new();
    let ran = diurnal(&folder, "demo")
        .args(["--archive", "archive"])
        .run()
        .expect_code(0);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    for word in ["out of order", "duckdb", "reject"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    diurnal(&folder, "verify").run().expect_code(0);
    assert!(!folder.join("report.html").exists(), "nobody asked for it");
    if let Some(duckdb) = DuckDb::get() {
        let counts = duckdb.check_archive(&folder.archive(), &[]);
        for measurement in ["cpu", "mem"] {
            let days = counts[measurement].as_object().expect("it is archived");
            assert!(days.len() >= 2, "{measurement} crosses midnight: {days:?}");
        }
    }
}

#[test]
fn a_demo_replaces_the_last_one_and_no_other_archive() {
    let folder = Folder::new();
    let demo = |archive: &str| {
        let flags = ["--archive", archive, "--hours", "1", "--hosts", "1"];
        diurnal(&folder, "demo").args(flags).run()
    };
    let import = |archive: &str| {
        let lines = "m v=1 1592568000000000000\n";
        diurnal(&folder, "import")
            .args(["--archive", archive, "-"])
            .stdin(lines)
            .run()
            .expect_code(0);
    };
    demo("try.1").expect_code(0);
    demo("try.1").expect_code(0);

    // An archive beside a demo's, and one that took lines after the demo, are somebody's.
    import("try.2");
    demo("try.2").expect_code(2).expect_said("try.2");
    import("try.1");
    demo("try.1").expect_code(2).expect_said("try.1");
    for archive in ["try.1", "try.2"] {
        assert!(folder.join(archive).join("m/2020-06-19.csv").exists(), "{archive}");
    }
}

#[test]
fn a_demo_that_keeps_the_last_one_changes_nothing_or_adds_what_is_new() {
    let folder = Folder::new();
    let demo = |hours: &str| {
        let demo = diurnal(&folder, "demo").args(["--archive", "archive", "--hosts", "2", "--keep", "--hours", hours]);
        demo.report(0)
    };
    let first = demo("1");
    let points = first["points"].as_u64().expect("a number");
    assert_eq!(first["points"], 1_440);
    let files = day_files(&folder.archive());
    let again = demo("1");
    assert_eq!(
        (&again["points"], again["folded"].as_u64()),
        (&0.into(), Some(points + 40))
    );
    assert_eq!(day_files(&folder.archive()), files);

    // Other lines of the same hosts and hours among them: their points have two values each.
    let more = demo("2");
    assert!(more["points"].as_u64() > Some(0), "{more}");
    diurnal(&folder, "verify").run().expect_code(0);
}

#[test]
fn a_demo_makes_a_page_of_plots_where_it_is_asked_for() {
    let folder = Folder::new();
    let flags = ["--archive", "show/archive", "--hours", "2", "--hosts", "3", "--report"];
    let ran = diurnal(&folder, "demo").args(flags).run().expect_code(0);
    assert!(ran.stdout.contains("show/report.html"), "{}", ran.stdout);
    let page = std::fs::read_to_string(folder.join("show/report.html")).expect("a page");
    assert!(
        page.contains("web-03") && page.ends_with("</html>\n"),
        "it is not whole"
    );
}
