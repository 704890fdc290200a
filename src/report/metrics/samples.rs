//! One line of the text format, written and read back.

use std::fmt::{self, Write as _};

/// A value of a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The metric's name.
    pub name: String,
    /// Labels as they stand between the braces.
    pub labels: String,
    /// The value.
    pub value: f64,
}

impl Sample {
    pub fn new(name: &str, labels: String, value: f64) -> Self {
        Self {
            name: name.to_owned(),
            labels,
            value,
        }
    }

    /// Reads what [`fmt::Display`] wrote; `None` for comments and everything else.
    pub fn parse(line: &str) -> Option<Self> {
        let (name, rest) = line.split_once('{')?;
        let (labels, value) = rest.rsplit_once("} ")?;
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        is_name.then_some(())?;
        Some(Self::new(name, labels.to_owned(), value.parse().ok()?))
    }

    /// Whether its labels are these, perhaps followed by others.
    pub fn begins_with(&self, labels: &str) -> bool {
        let rest = self.labels.strip_prefix(labels);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(','))
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{{{}}} {}", self.name, self.labels, self.value)
    }
}

/// Labels as they stand between the braces. Backslash, quote and line feed are escaped, as the format asks for; other characters, whoever
/// chose them, stay.
pub fn labelled(labels: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in labels {
        let comma = if text.is_empty() { "" } else { "," };
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        // Writing to a String cannot fail.
        let _ = write!(text, "{comma}{name}=\"{escaped}\"");
    }
    text
}
