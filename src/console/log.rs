//! `--log-format json`: each message on standard error is one JSON object on a line, for what collects logs.

use chrono::{SecondsFormat, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::report::to_json;

/// How messages on standard error are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object a line, for programs
    Json,
}

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Why the run failed or is incomplete.
    Error,
    /// What a person should know; also all that `-q` does not silence.
    Warning,
    /// What was done.
    Info,
    /// What is being done: with `-v` only.
    Debug,
}

impl From<log::Level> for Level {
    fn from(level: log::Level) -> Self {
        match level {
            log::Level::Error => Self::Error,
            log::Level::Warn => Self::Warning,
            log::Level::Info => Self::Info,
            log::Level::Debug | log::Level::Trace => Self::Debug,
        }
    }
}

/// What belongs to a message, by name, such as `topic` and `partition`.
pub type Fields = Map<String, Value>;

#[derive(Serialize)]
struct Entry<'a> {
    time: String,
    level: Level,
    message: &'a str,
    #[serde(flatten)]
    fields: &'a Fields,
}

/// A message as one line. A field can't be called as the three that every message has.
pub fn entry(level: Level, message: &str, fields: &Fields) -> String {
    let entry = Entry {
        time: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
        level,
        message: message.trim_end(),
        fields,
    };
    String::from_utf8_lossy(&to_json(&entry)).into_owned()
}

/// An error's parts.
pub fn parts(error: &Error) -> Fields {
    let mut fields = Fields::new();
    fields.insert("object".to_owned(), error.object().into());
    fields.insert("cause".to_owned(), error.cause().into());
    if let Some(hint) = error.advice() {
        fields.insert("hint".to_owned(), hint.into());
    }
    fields
}

/// The key-value pairs of a record of the `log` crate.
pub fn pairs(record: &log::Record<'_>) -> Fields {
    struct Take(Fields);
    impl<'kvs> log::kv::VisitSource<'kvs> for Take {
        fn visit_pair(&mut self, key: log::kv::Key<'kvs>, value: log::kv::Value<'kvs>) -> Result<(), log::kv::Error> {
            let number = value.to_i64().map(Value::from);
            let value = number.unwrap_or_else(|| value.to_string().into());
            self.0.insert(key.to_string(), value);
            Ok(())
        }
    }
    let mut take = Take(Fields::new());
    // Taking never fails.
    let _ = record.key_values().visit(&mut take);
    take.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Value {
        serde_json::from_str(line).unwrap()
    }

    #[test]
    fn an_error_has_its_parts_and_a_time() {
        let error = Error::new("topic\u{1b}[2J", "is gone").hint("look");
        let line = entry(Level::Error, &error.to_string(), &parts(&error));
        assert!(line.starts_with("{\"time\":\"2"), "{line}");
        assert!(!line.contains(['\u{1b}', '\n']), "{line}");
        let entry = read(&line);
        assert_eq!(entry["level"], "error");
        assert_eq!(entry["message"], "topic\u{1b}[2J: is gone");
        assert_eq!(
            (&entry["object"], &entry["cause"], &entry["hint"]),
            (&"topic\u{1b}[2J".into(), &"is gone".into(), &"look".into())
        );
        let time = entry["time"].as_str().unwrap();
        assert!(time.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(time).is_ok());
    }

    #[test]
    fn lines_of_the_log_crate_keep_their_numbers_as_numbers() {
        let pair = [
            ("topic", log::kv::Value::from("t")),
            ("partition", log::kv::Value::from(3)),
        ];
        let record = log::Record::builder().key_values(&pair).build();
        let entry = read(&entry(log::Level::Warn.into(), "slow", &pairs(&record)));
        assert_eq!((&entry["topic"], &entry["partition"]), (&"t".into(), &3.into()));
        assert_eq!(
            (&entry["level"], &entry["message"]),
            (&"warning".into(), &"slow".into())
        );
    }
}
