//! What can't be done, and what is said then: the object, the cause, what to do, and never a secret.

use crate::support::bucket::{BUCKET, SECRET, Server};
use crate::support::folder::Folder;
use crate::support::run::{Ran, diurnal};

#[track_caller]
fn expect_no_secret(ran: &Ran) {
    assert!(
        !ran.stderr.contains(SECRET) && !ran.stdout.contains(SECRET),
        "{}",
        ran.stderr
    );
}

#[test]
fn errors_name_the_object_the_cause_and_what_to_do() {
    let Some(server) = Server::start() else { return };
    let folder = Folder::new();
    folder.write("lines.txt", "m v=1 1592611190000000000\n");
    let import = |address: &str| {
        let run = diurnal(&folder, "import").args(["--archive", address, "lines.txt"]);
        server.allow(run)
    };
    let no_bucket = import("s3://nowhere/a").run().expect_code(1);
    no_bucket
        .expect_said("s3://nowhere/a")
        .expect_said("NoSuchBucket")
        .expect_said("make the bucket first");

    let stranger = import(&server.url("a"))
        .env("AWS_SECRET_ACCESS_KEY", "not-the-key")
        .run()
        .expect_code(1);
    expect_no_secret(&stranger);
    stranger
        .expect_said("SignatureDoesNotMatch")
        .expect_said("AWS_SECRET_ACCESS_KEY");

    let nobody = import(&server.url("a"))
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .run()
        .expect_code(1);
    expect_no_secret(&nobody);
    nobody.expect_said(&server.url("a")).expect_said("AWS_ENDPOINT_URL");

    let plain = import(&server.url("a"))
        .env("AWS_ALLOW_HTTP", "false")
        .run()
        .expect_code(1);
    plain.expect_said("AWS_ALLOW_HTTP");

    let none = server.diurnal(&folder, "status", "nothing").run().expect_code(1);
    none.expect_said(&server.url("nothing"))
        .expect_said("there is no archive here");
    assert!(
        std::fs::read_dir(server.files("")).is_ok_and(|mut entries| entries
            .all(|entry| { entry.expect("an entry").file_name().to_string_lossy().starts_with('.') })),
        "nothing is left in {BUCKET}"
    );
}

#[test]
fn what_a_bucket_is_not_for_is_wrong_usage() {
    let folder = Folder::new();
    folder.write("lines.txt", "m v=1 1592611190000000000\n");
    for address in ["http://x/y", "s3://", "s3://b/x//y", "s3://b/../y", "file://host/x"] {
        let ran = diurnal(&folder, "import")
            .args(["--archive", address, "lines.txt"])
            .run()
            .expect_code(2);
        ran.expect_said(address);
    }
    diurnal(&folder, "import").arg("lines.txt").run().expect_code(0);
    let ran = diurnal(&folder, "backup").arg("s3://b/copy").run().expect_code(2);
    ran.expect_said("diurnal merge --archive s3://");
    let ran = diurnal(&folder, "demo")
        .args(["--archive", "s3://b/demo"])
        .run()
        .expect_code(2);
    ran.expect_said("files of this machine");
    let merge = ["--archive", "s3://b/x", "s3://b/x/y"];
    diurnal(&folder, "merge")
        .args(merge)
        .run()
        .expect_code(2)
        .expect_said("inside of the other");
}

#[test]
fn a_file_that_nobody_recorded_is_found_and_a_changed_one_is_not_replaced() {
    let Some(server) = Server::start() else { return };
    let folder = Folder::new();
    folder.write("lines.txt", "m v=1 1592611190000000000\n");
    folder.write("more.txt", "m v=2 1592611190000000001\n");
    let import = |file: &str| server.diurnal(&folder, "import", "a").arg(file);
    import("lines.txt").run().expect_code(0);
    let stray = server.files("a/m/notes.txt");
    std::fs::write(&stray, "x").expect("a file");
    let found = server.diurnal(&folder, "verify", "a").run().expect_code(1);
    found.expect_said("m/notes.txt").expect_said("is on no record");
    std::fs::remove_file(&stray).expect("it is there");

    let csv = server.files("a/m/2020-06-19.csv");
    let whole = std::fs::read(&csv).expect("a file");
    std::fs::write(&csv, &whole[1..]).expect("a file");
    server
        .diurnal(&folder, "verify", "a")
        .run()
        .expect_code(1)
        .expect_said("m/2020-06-19.csv");
    let refused = import("more.txt").run().expect_code(1);
    refused.expect_said(&server.url("a/m/2020-06-19.csv"));
    std::fs::write(&csv, &whole).expect("a file");
    import("more.txt").run().expect_code(0);
    server.diurnal(&folder, "verify", "a").run().expect_code(0);
}
