//! A real Kafka behind passwords and certificates: one broker, a listener for each way in that a test tries.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::kafka::{Kafka, Setup};
use super::{runs, skip};

/// The one user.
pub const USER: &str = "alice";
/// The user's password, for every mechanism. What must not be shown anywhere starts with [`SECRET`].
pub const PASSWORD: &str = "hunter2-of-alice";
/// The password of the client's locked key.
pub const KEY_PASSWORD: &str = "hunter2-of-the-key";
/// What every password of these tests starts with.
pub const SECRET: &str = "hunter2";

/// TLS and a password.
pub const PASSWORDS: &str = "PASSWORDS";
/// A password in the clear, by PLAIN and SCRAM-SHA-256 only.
pub const OPEN: &str = "OPEN";
/// TLS and a certificate of the client.
pub const MUTUAL: &str = "MUTUAL";
/// TLS with a certificate that has expired.
pub const EXPIRED: &str = "EXPIRED";
/// TLS with a certificate for another host.
pub const ELSEWHERE: &str = "ELSEWHERE";

const LISTENERS: &[(&str, &str)] = &[
    (PASSWORDS, "SASL_SSL"),
    (OPEN, "SASL_PLAINTEXT"),
    (MUTUAL, "SSL"),
    (EXPIRED, "SSL"),
    (ELSEWHERE, "SSL"),
];

/// The broker that the security tests share; `None`, with a message, where it can't be had.
pub fn shared() -> Option<&'static Kafka> {
    static SHARED: OnceLock<Option<Kafka>> = OnceLock::new();
    if !runs("openssl", "version") {
        skip("certificates need openssl (on Debian: apt-get install openssl)");
        return None;
    }
    let scram = ["SCRAM-SHA-256", "SCRAM-SHA-512"].iter().flat_map(|mechanism| {
        [
            "--add-scram".to_owned(),
            format!("{mechanism}=[name={USER},password={PASSWORD}]"),
        ]
    });
    let setup = || Setup {
        listeners: LISTENERS,
        prepare,
        format: scram.collect(),
    };
    let kafka = SHARED.get_or_init(|| Kafka::own_with(&setup())).as_ref();
    if kafka.is_none() {
        skip("a secure Kafka needs what a plain one does");
    }
    kafka
}

/// The file of this name among the certificates, see `certificates.sh`.
pub fn certificate(kafka: &Kafka, name: &str) -> PathBuf {
    folder(kafka.folder()).join(name)
}

fn folder(broker: &Path) -> PathBuf {
    broker.join("certificates")
}

fn prepare(broker: &Path) -> String {
    let folder = folder(broker);
    std::fs::create_dir(&folder).expect("a folder can be made in the broker's own");
    let made = Command::new("bash")
        .arg(super::root().join("tests/support/certificates.sh"))
        .arg(&folder)
        .arg(KEY_PASSWORD)
        .output()
        .expect("bash can be run");
    assert!(made.status.success(), "certificates.sh: {made:?}");
    let mut lines = String::new();
    for (listener, certificate) in [
        (PASSWORDS, "good"),
        (MUTUAL, "good"),
        (EXPIRED, "expired"),
        (ELSEWHERE, "elsewhere"),
    ] {
        let prefix = format!("listener.name.{}.ssl", listener.to_lowercase());
        let (file, authority) = (folder.join(format!("{certificate}.pem")), folder.join("authority.crt"));
        lines += &format!(
            "{prefix}.keystore.type=PEM\n{prefix}.keystore.location={}\n\
             {prefix}.truststore.type=PEM\n{prefix}.truststore.location={}\n",
            file.display(),
            authority.display()
        );
    }
    let module = "org.apache.kafka.common.security";
    for (listener, mechanisms) in [
        (PASSWORDS, "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"),
        (OPEN, "PLAIN,SCRAM-SHA-256"),
    ] {
        let prefix = format!("listener.name.{}", listener.to_lowercase());
        lines += &format!(
            "{prefix}.sasl.enabled.mechanisms={mechanisms}\n\
             {prefix}.plain.sasl.jaas.config={module}.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";\n\
             {prefix}.scram-sha-256.sasl.jaas.config={module}.scram.ScramLoginModule required;\n\
             {prefix}.scram-sha-512.sasl.jaas.config={module}.scram.ScramLoginModule required;\n"
        );
    }
    lines + "listener.name.mutual.ssl.client.auth=required\n"
}
