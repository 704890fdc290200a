//! librdkafka's own properties: which ones the user may set, from where, and which ones are secrets.

use std::ffi::OsString;
use std::path::Path;

use rdkafka::error::KafkaError;

use crate::error::{Error, Result};
use crate::nearest::nearest;

/// Environment variables of this prefix set properties: `DIURNAL_KAFKA_SASL_PASSWORD` is `sasl.password`.
pub const ENVIRONMENT_PREFIX: &str = "DIURNAL_KAFKA_";
/// Properties that diurnal sets itself, with the reason: another value would break a guarantee.
const FIXED: &[(&str, &str)] = &[
    ("bootstrap.servers", "use --brokers"),
    ("metadata.broker.list", "use --brokers"),
    ("group.id", "use --group"),
    (
        "enable.auto.commit",
        "group offsets are committed after the ledger, never before it",
    ),
    (
        "auto.commit.enable",
        "group offsets are committed after the ledger, never before it",
    ),
    (
        "enable.auto.offset.store",
        "group offsets are committed after the ledger, never before it",
    ),
    (
        "auto.offset.reset",
        "offsets come from the ledger; a silent jump would hide a loss",
    ),
    (
        "enable.partition.eof",
        "the end of a partition is part of the stop rule",
    ),
    (
        "isolation.level",
        "messages of aborted or open transactions are not archived",
    ),
    ("allow.auto.create.topics", "reading must not make topics"),
    ("log.queue", "log lines go through diurnal's own output"),
];

/// Properties whose value is a secret, and those that name or hold a key.
const SECRET: &[&str] = &[
    "sasl.password",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "sasl.oauthbearer.assertion.private.key.pem",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
    "ssl_key",
];

/// Common properties, to guess what a misspelt one was meant to be.
const COMMON: &[&str] = &[
    "broker.address.family",
    "check.crcs",
    "client.id",
    "client.rack",
    "debug",
    "fetch.max.bytes",
    "fetch.message.max.bytes",
    "fetch.min.bytes",
    "fetch.wait.max.ms",
    "max.partition.fetch.bytes",
    "queued.max.messages.kbytes",
    "receive.message.max.bytes",
    "sasl.kerberos.service.name",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.password",
    "sasl.username",
    "security.protocol",
    "socket.timeout.ms",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.endpoint.identification.algorithm",
    "ssl.key.location",
    "ssl.key.password",
];

/// Where all of them stand.
const ALL_PROPERTIES: &str = "CONFIGURATION.md of librdkafka 2.12 has all properties and their values";

/// Whether a property's value must not be shown.
pub fn is_secret(name: &str) -> bool {
    SECRET.contains(&name)
}

/// The variable that sets a property: `sasl.password` -> `DIURNAL_KAFKA_SASL_PASSWORD`.
pub fn environment_name(property: &str) -> String {
    let name = property.replace('.', "_").to_ascii_uppercase();
    format!("{ENVIRONMENT_PREFIX}{name}")
}

/// Properties set by the environment, sorted by name. They go between those of a file and those of `-X`.
///
/// Underscores stand for dots, which is unambiguous: no property that a text can set has an underscore but the `ssl_*`
/// ones, whose dotted forms do the same.
///
/// # Errors
/// A usage error where such a variable is not UTF-8; others may be anything.
pub fn from_environment(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for (name, value) in variables {
        let shown = name.to_string_lossy();
        let Some(property) = shown.strip_prefix(ENVIRONMENT_PREFIX) else {
            continue;
        };
        let Ok(value) = value.into_string() else {
            return Err(Error::usage(&shown, "is not UTF-8").hint("a file for -F has to be as well"));
        };
        found.push((property.to_ascii_lowercase().replace('_', "."), value));
    }
    found.sort();
    Ok(found)
}

/// A property as `-X` takes it: `property=value`.
///
/// # Errors
/// A usage error without the text, which may be a secret.
pub fn parse_property(argument: &str) -> Result<(String, String)> {
    match argument.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.trim().to_owned())),
        _ => {
            Err(Error::usage("-X", "is not of the form property=value")
                .hint("for example -X security.protocol=sasl_ssl"))
        }
    }
}

/// Properties of a file, as `kcat -F` and librdkafka's examples write them: `property=value`, `#` starts a comment line.
///
/// # Errors
/// The file can't be read (a failure), or a line is no property (a usage error that names the line by its number).
pub fn read_properties(path: &Path) -> Result<Vec<(String, String)>> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, "read it", &error))?;
    parse_properties(&text).map_err(|line| {
        Error::usage(
            format_args!("{}:{line}", path.display()),
            "is not of the form property=value",
        )
        .hint("a comment line starts with #")
    })
}

/// The number of the first line that is no property is the error.
fn parse_properties(text: &str) -> Result<Vec<(String, String)>, usize> {
    let mut properties = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        properties.push(parse_property(line).map_err(|_| index + 1)?);
    }
    Ok(properties)
}

/// What to tell the user about secrets among the properties of `-X`, one line for each.
pub fn exposed_secrets(typed: &[(String, String)]) -> Vec<Error> {
    typed
        .iter()
        .filter(|(name, _)| is_secret(name))
        .map(|(name, _)| {
            Error::new(
                format_args!("-X {name}"),
                "everyone on this machine can see it in the list of processes",
            )
            .hint(format_args!(
                "put it into a file for -F, or into the environment as {}",
                environment_name(name)
            ))
        })
        .collect()
}

pub(super) fn refuse_fixed(name: &str) -> Result<()> {
    // librdkafka takes topic properties with a prefix too.
    let plain = name.strip_prefix("topic.").unwrap_or(name);
    match FIXED.iter().find(|(fixed, _)| *fixed == plain) {
        Some((_, reason)) => {
            Err(Error::usage(format_args!("Kafka property {name}"), "is fixed by diurnal").hint(reason))
        }
        None => Ok(()),
    }
}

/// Says what is wrong with a property. librdkafka's text can quote the value, so a secret's error is told without it.
pub(super) fn property_error(name: &str, error: &KafkaError) -> Error {
    use rdkafka::types::RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN;
    match error {
        KafkaError::ClientConfig(RD_KAFKA_CONF_UNKNOWN, ..) => {
            let unknown = Error::usage(
                format_args!("Kafka property {name}"),
                "librdkafka knows no such property",
            );
            match nearest(name, COMMON.iter().copied()) {
                Some(meant) => unknown.hint(format_args!("did you mean {meant}?")),
                None => unknown.hint(ALL_PROPERTIES),
            }
        }
        KafkaError::ClientConfig(_, text, ..) if !is_secret(name) => {
            Error::usage(format_args!("Kafka property {name}"), text).hint(ALL_PROPERTIES)
        }
        _ => Error::usage(format_args!("Kafka property {name}"), "librdkafka refuses its value").hint(ALL_PROPERTIES),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::source::kafka::KafkaSettings;

    fn settings(properties: &[(&str, &str)]) -> KafkaSettings {
        KafkaSettings {
            properties: properties
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            ..KafkaSettings::new("localhost:9092", vec!["t".to_owned()])
        }
    }

    #[test]
    fn properties_that_diurnal_fixes_are_refused() {
        for (name, _) in FIXED {
            let error = settings(&[(name, "x")]).check().unwrap_err();
            assert_eq!(error.kind(), Kind::Usage, "{name}");
            assert!(error.to_string().contains("is fixed by diurnal"), "{error}");
        }
        assert!(settings(&[("topic.auto.offset.reset", "latest")]).check().is_err());
    }

    #[test]
    fn an_unknown_property_is_a_usage_error_with_a_guess() {
        let error = settings(&[("sasl.mechanizm", "PLAIN")]).check().unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.to_string().contains("sasl.mechanizm"), "{error}");
        assert_eq!(error.advice(), Some("did you mean sasl.mechanism?"));
    }

    #[test]
    fn a_wrong_value_is_named_unless_it_is_a_secret() {
        let error = settings(&[("security.protocol", "hunter2")]).check().unwrap_err();
        assert!(error.to_string().contains("hunter2"), "{error}");
        for secret in SECRET {
            let all = settings(&[(secret, "hunter2")]);
            assert!(!format!("{all:?}").contains("hunter2"), "{secret}");
            if let Err(error) = all.check() {
                assert!(!format!("{error} {:?}", error.advice()).contains("hunter2"), "{secret}");
            }
        }
    }

    #[test]
    fn properties_files_have_comments_and_blank_lines() {
        let text = "# a comment\n\n sasl.password = a=b \nsecurity.protocol=plaintext\n";
        assert_eq!(
            parse_properties(text),
            Ok(vec![
                ("sasl.password".to_owned(), "a=b".to_owned()),
                ("security.protocol".to_owned(), "plaintext".to_owned()),
            ])
        );
        assert_eq!(parse_properties("a=b\nno property\n"), Err(2));
        assert_eq!(parse_properties("=b\n"), Err(1));
    }

    #[test]
    fn the_environment_is_a_door_for_secrets() {
        assert_eq!(environment_name("sasl.password"), "DIURNAL_KAFKA_SASL_PASSWORD");
        let variables = [
            ("DIURNAL_KAFKA_SASL_PASSWORD", "x"),
            ("PATH", "/bin"),
            ("DIURNAL_KAFKA_DEBUG", "all"),
        ]
        .map(|(name, value)| (name.into(), value.into()));
        assert_eq!(
            from_environment(variables).unwrap(),
            vec![
                ("debug".to_owned(), "all".to_owned()),
                ("sasl.password".to_owned(), "x".to_owned()),
            ]
        );
    }

    #[test]
    fn a_secret_on_the_command_line_is_warned_about_without_showing_it() {
        let typed = [parse_property("sasl.password=hunter2").unwrap()];
        let warnings = exposed_secrets(&typed);
        assert_eq!(warnings.len(), 1);
        let text = format!("{} {:?}", warnings[0], warnings[0].advice());
        assert!(
            text.contains("DIURNAL_KAFKA_SASL_PASSWORD") && !text.contains("hunter2"),
            "{text}"
        );
    }
}
