//! Passwords and certificates on a real Kafka: every way in archives everything, every refusal says which it is and soon,
//! and no secret is to be seen anywhere.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use super::{ASSIGNED, point};
use crate::support::digest::all_files;
use crate::support::folder::Folder;
use crate::support::kafka::Kafka;
use crate::support::produce::Record;
use crate::support::run::{Diurnal, Ran, diurnal};
use crate::support::secure::{
    ELSEWHERE, EXPIRED, KEY_PASSWORD, MUTUAL, OPEN, PASSWORD, PASSWORDS, SECRET, USER, certificate, shared,
};
use crate::support::topic::Topic;

/// A refused run may take so long, far below the 60 s that `--timeout` is by default.
const SOON: Duration = Duration::from_secs(15);

/// Messages of a topic.
const MESSAGES: i64 = 50;

/// `librdkafka` says everything that it knows, its configuration too.
const TALKATIVE: [&str; 3] = ["-v", "-X", "debug=all"];

/// A topic of two partitions with [`MESSAGES`].
fn topic(kafka: &'static Kafka) -> Topic<'static> {
    let topic = kafka.topic("secure", 2, &[]);
    let records: Vec<_> = (0..MESSAGES).map(|n| Record::new((n % 2) as i32, point(n))).collect();
    topic.send(&records);
    topic
}

/// `diurnal archive` at one of the secure listeners, with these properties in a file.
fn archive(folder: &Folder, kafka: &Kafka, listener: &str, topic: &str, properties: &[(&str, &str)]) -> Diurnal {
    let line = |(name, value): &(&str, &str)| format!("{name}={value}\n");
    let file = folder.write("client.properties", properties.iter().map(line).collect::<String>());
    diurnal(folder, "archive")
        .args(["--brokers", &kafka.brokers_at(listener), "--topic", topic])
        .args(["-X", "broker.address.family=v4"])
        .args([OsStr::new("-F"), file.as_os_str()])
}

/// Properties that name a file among the certificates.
fn file(kafka: &Kafka, name: &str) -> String {
    certificate(kafka, name).display().to_string()
}

/// Properties of a user with this password.
fn login<'a>(authority: &'a str, mechanism: &'a str, user: &'a str, password: &'a str) -> [(&'a str, &'a str); 5] {
    [
        ("security.protocol", "SASL_SSL"),
        ("ssl.ca.location", authority),
        ("sasl.mechanism", mechanism),
        ("sasl.username", user),
        ("sasl.password", password),
    ]
}

/// Fails unless the run archived every message once.
#[track_caller]
fn expect_all(run: Diurnal, way: &str) {
    let report = run.report(0);
    assert_eq!(report["points"], MESSAGES, "{way}: {report:#}");
    let sum = |name: &str| -> i64 {
        let rows = report["partitions"].as_array().expect("a report lists partitions");
        rows.iter().map(|row| row[name].as_i64().expect("a number")).sum()
    };
    assert_eq!((sum("messages"), sum("lost")), (MESSAGES, 0), "{way}: {report:#}");
}

/// Fails unless the run was refused soon, with these words, and shows no secret.
#[track_caller]
fn expect_refused(run: Diurnal, folder: &Folder, words: &str) -> Ran {
    let ran = run.run().expect_code(1).expect_said(words).expect_said("hint: ");
    assert!(ran.elapsed < SOON, "{words}: {:?}", ran.elapsed);
    expect_no_secret(&ran, folder);
    ran
}

/// Fails where a secret stands in what the run said, in its steps or in any file of an archive.
#[track_caller]
fn expect_no_secret(ran: &Ran, folder: &Folder) {
    for said in [&ran.stdout, &ran.stderr, &ran.steps.join("\n")] {
        let line = said.lines().find(|line| line.contains(SECRET));
        assert_eq!(line, None, "a secret is shown");
    }
    for path in all_files(&folder.archive()).keys() {
        let bytes = fs::read(folder.archive().join(path)).expect("it was listed");
        let found = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
        assert!(!found, "a secret is in {path}");
    }
}

#[test]
fn every_mechanism_archives_every_message() {
    let Some(kafka) = shared() else { return };
    let (folder, topic, authority) = (Folder::new(), topic(kafka), file(kafka, "authority.crt"));
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let way = login(&authority, mechanism, USER, PASSWORD);
        let run = archive(&folder, kafka, PASSWORDS, topic.name(), &way);
        expect_all(run.args(["--archive", mechanism]), mechanism);
    }
    let mut way = login(&authority, "SCRAM-SHA-256", USER, PASSWORD);
    way[0].1 = "SASL_PLAINTEXT";
    let run = archive(&folder, kafka, OPEN, topic.name(), &way);
    expect_all(run.args(["--archive", "open"]), "in the clear");
}

#[test]
fn a_client_certificate_archives_every_message() {
    let Some(kafka) = shared() else { return };
    let (folder, topic, authority) = (Folder::new(), topic(kafka), file(kafka, "authority.crt"));
    let [certificate, key, locked] = ["client.crt", "client.key", "client.locked.key"].map(|name| file(kafka, name));
    let tls = [("security.protocol", "SSL"), ("ssl.ca.location", authority.as_str())];
    let with = |key: &[(&'static str, &str)]| {
        let of_client = [&tls[..], &[("ssl.certificate.location", certificate.as_str())], key].concat();
        archive(&folder, kafka, MUTUAL, topic.name(), &of_client)
    };
    let run = with(&[("ssl.key.location", &key)]).args(["--archive", "key"]);
    expect_all(run, "a key");
    let run = with(&[("ssl.key.location", &locked), ("ssl.key.password", KEY_PASSWORD)]);
    expect_all(run.args(["--archive", "locked"]), "a key with a password");
    // Text of several lines goes through the environment only.
    let text = |name: &str| fs::read_to_string(file(kafka, name)).expect("it was made");
    let run = archive(&folder, kafka, MUTUAL, topic.name(), &tls)
        .env("DIURNAL_KAFKA_SSL_CERTIFICATE_PEM", text("client.crt"))
        .env("DIURNAL_KAFKA_SSL_KEY_PEM", text("client.key"));
    expect_all(run.args(["--archive", "text"]), "a key as text");
}

#[test]
fn wrong_passwords_and_unknown_users_are_refused() {
    let Some(kafka) = shared() else { return };
    let (folder, authority) = (Folder::new(), file(kafka, "authority.crt"));
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        for (user, password) in [(USER, "hunter2-but-wrong"), ("bob", PASSWORD)] {
            let way = login(&authority, mechanism, user, password);
            let run = archive(&folder, kafka, PASSWORDS, "t", &way);
            expect_refused(run, &folder, "refuses the credentials: ").expect_said("sasl.password");
        }
    }
    let mut way = login(&authority, "SCRAM-SHA-512", USER, PASSWORD);
    way[0].1 = "SASL_PLAINTEXT";
    let run = archive(&folder, kafka, OPEN, "t", &way);
    expect_refused(run, &folder, "refuses the credentials: ").expect_said("PLAIN,SCRAM-SHA-256");
}

#[test]
fn a_bad_certificate_of_a_broker_is_refused_with_what_is_bad_about_it() {
    let Some(kafka) = shared() else { return };
    let folder = Folder::new();
    for (listener, authority, words) in [
        (EXPIRED, "authority.crt", "its certificate has expired"),
        (ELSEWHERE, "authority.crt", "its certificate is for another host name"),
        (
            MUTUAL,
            "stranger.crt",
            "is signed by an authority that is not trusted here",
        ),
    ] {
        let authority = file(kafka, authority);
        let way = [("security.protocol", "SSL"), ("ssl.ca.location", &authority)];
        let run = archive(&folder, kafka, listener, "t", &way);
        expect_refused(run, &folder, words).expect_said(&format!("broker {}: ", kafka.brokers_at(listener)));
    }
    // The check of the name can be given up, knowingly; expiry and authority can't.
    let (topic, authority) = (topic(kafka), file(kafka, "authority.crt"));
    let way = [
        ("security.protocol", "SSL"),
        ("ssl.ca.location", &authority),
        ("ssl.endpoint.identification.algorithm", "none"),
    ];
    expect_all(
        archive(&folder, kafka, ELSEWHERE, topic.name(), &way),
        "no check of the name",
    );
}

#[test]
fn a_missing_client_certificate_is_told_from_a_bad_one() {
    let Some(kafka) = shared() else { return };
    let (folder, authority) = (Folder::new(), file(kafka, "authority.crt"));
    let tls = [("security.protocol", "SSL"), ("ssl.ca.location", authority.as_str())];
    let run = archive(&folder, kafka, MUTUAL, "t", &tls);
    expect_refused(run, &folder, "wants a client certificate, and none is given");
    for name in ["old-client", "strange-client"] {
        let [certificate, key] = ["crt", "key"].map(|end| file(kafka, &format!("{name}.{end}")));
        let of_client = [
            ("ssl.certificate.location", certificate.as_str()),
            ("ssl.key.location", &key),
        ];
        let run = archive(&folder, kafka, MUTUAL, "t", &[tls, of_client].concat());
        expect_refused(run, &folder, "refuses the client certificate");
    }
}

#[test]
fn a_locked_key_with_a_wrong_password_is_wrong_usage() {
    let Some(kafka) = shared() else { return };
    let folder = Folder::new();
    let [authority, certificate, key] =
        ["authority.crt", "client.crt", "client.locked.key"].map(|name| file(kafka, name));
    let way = [
        ("security.protocol", "SSL"),
        ("ssl.ca.location", authority.as_str()),
        ("ssl.certificate.location", &certificate),
        ("ssl.key.location", &key),
        ("ssl.key.password", "hunter2-but-wrong"),
    ];
    let run = archive(&folder, kafka, MUTUAL, "t", &way).args(TALKATIVE);
    let ran = run.run().expect_code(2).expect_said("ssl.key.location");
    expect_no_secret(&ran, &folder);
}

#[test]
fn a_wrong_protocol_is_said_when_the_time_is_up() {
    let Some(kafka) = shared() else { return };
    let (folder, authority) = (Folder::new(), file(kafka, "authority.crt"));
    let run = archive(&folder, kafka, MUTUAL, "t", &[]).args(["--timeout", "3s"]);
    expect_refused(run, &folder, "security.protocol");
    let mut way = login(&authority, "PLAIN", USER, PASSWORD);
    way[0].1 = "SASL_SSL";
    let run = archive(&folder, kafka, OPEN, "t", &way).args(["--timeout", "3s"]);
    expect_refused(run, &folder, "connecting to a PLAINTEXT broker listener?");
}

#[test]
fn no_secret_is_to_be_seen_anywhere() {
    let Some(kafka) = shared() else { return };
    let (folder, topic, authority) = (Folder::new(), topic(kafka), file(kafka, "authority.crt"));
    // From a file, from the environment, from the command line.
    let secrets = |door: &str, mechanism: &str| {
        let way = login(&authority, mechanism, USER, PASSWORD);
        let in_file = if door == "file" { &way[..] } else { &way[..4] };
        let run = archive(&folder, kafka, PASSWORDS, topic.name(), in_file)
            .args(TALKATIVE)
            .arg("--json");
        match door {
            "file" => run,
            "environment" => run.env("DIURNAL_KAFKA_SASL_PASSWORD", PASSWORD),
            _ => run.args(["-X", &format!("sasl.password={PASSWORD}")]),
        }
    };
    for door in ["file", "environment", "command line"] {
        for mechanism in ["PLAIN", "SCRAM-SHA-512"] {
            let mut run = secrets(door, mechanism).pause_at(ASSIGNED).start();
            run.wait_for_step(ASSIGNED);
            let listed = fs::read(Path::new("/proc").join(run.pid().to_string()).join("cmdline")).unwrap_or_default();
            run.resume();
            let ran = run.wait().expect_code(0);
            assert!(
                ran.stderr.contains("sasl.mechanism"),
                "librdkafka says nothing: {}",
                ran.stderr
            );
            expect_no_secret(&ran, &folder);
            let warns = ran
                .stderr
                .contains("warning: -X sasl.password: everyone on this machine can see it");
            assert_eq!(warns, door == "command line", "{door}: {}", ran.stderr);
            if door != "command line" {
                assert!(
                    !String::from_utf8_lossy(&listed).contains(SECRET),
                    "{door}: ps shows it"
                );
            }
        }
    }
    // Refused, and with a report of it.
    let way = login(&authority, "PLAIN", USER, "hunter2-but-wrong");
    let run = archive(&folder, kafka, PASSWORDS, "t", &way)
        .args(TALKATIVE)
        .arg("--json");
    let ran = expect_refused(run, &folder, "refuses the credentials: ");
    assert_eq!(ran.json()["outcome"], "failed");
}

#[test]
fn an_environment_that_is_not_text_is_said_where_it_matters() {
    let folder = Folder::new();
    let noise = OsStr::from_bytes(b"\xff");
    let run = || diurnal(&folder, "archive").args(["--brokers", "127.0.0.1:1", "--topic", "t", "--timeout", "100ms"]);
    run()
        .env("NOISE", noise)
        .run()
        .expect_code(1)
        .expect_said("no broker answered");
    run()
        .env("DIURNAL_KAFKA_SASL_PASSWORD", noise)
        .run()
        .expect_code(2)
        .expect_said("DIURNAL_KAFKA_SASL_PASSWORD: is not UTF-8");
}
