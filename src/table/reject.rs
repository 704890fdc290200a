//! A line that can't be archived, with everything that is needed to drive it again.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::lineproto::{Precision, Reason};
use crate::source::{Origin, TopicIdentity};

/// A line that can't be archived: kept word for word with its origin and the reason.
#[derive(Clone, Debug, PartialEq)]
pub struct RejectedLine {
    /// Where the line was found.
    pub origin: Origin,
    /// The stable name of what is wrong with it.
    pub reason: Reason,
    /// 1-based byte of the line where the problem is; `None` where the line as a whole is the problem.
    pub byte: Option<usize>,
    /// Measurement, column, its type and the value, where the reason concerns one column.
    pub detail: Option<String>,
    /// Measurement and column that the reason concerns, to tell kinds of rejects apart.
    pub place: Option<(String, String)>,
    /// The unit in which the line's time was to be read.
    pub precision: Precision,
    /// The time a line without one would have got, nanoseconds since 1970-01-01 UTC.
    pub default_time: Option<i64>,
    /// The line as it was sent, without its end of line.
    pub line: Vec<u8>,
    /// The bytes that it had, where it was too long to be held and `line` is but its beginning.
    pub cut_from: Option<u64>,
}

/// How a reject is stored, one JSON object a line of `rejects/*.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RejectedText {
    /// The Kafka cluster's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<String>,
    /// The topic's id, where the broker has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic_id: Option<String>,
    /// The topic's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Partition number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<i32>,
    /// The path of an imported file, `-` for standard input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Kafka offset of the message, or byte offset in the file.
    pub offset: u64,
    /// The Kafka record's timestamp in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_ms: Option<i64>,
    /// Why it was rejected.
    pub reason: Reason,
    /// 1-based byte of the line where the problem is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byte: Option<usize>,
    /// Column, type and value, or what else there is to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Measurement and column that the reason concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<(String, String)>,
    /// The unit in which the line's time was to be read.
    pub precision: Precision,
    /// The time a line without one would have got, nanoseconds since 1970-01-01 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_time: Option<i64>,
    /// The line, where it is UTF-8; exactly one of `line` and `line_base64` is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// The line in Base64 (RFC 4648, padded), where it is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line_base64: Option<String>,
    /// The bytes that the line had, where it was too long to be held and only its beginning is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_from: Option<u64>,
}

impl RejectedLine {
    /// The stored form.
    pub fn to_text(&self) -> RejectedText {
        let (line, line_base64) = text_or_base64(&self.line);
        let mut text = RejectedText {
            cluster_id: None,
            topic_id: None,
            topic: None,
            partition: None,
            path: None,
            offset: 0,
            timestamp_ms: None,
            reason: self.reason,
            byte: self.byte,
            detail: self.detail.clone(),
            place: self.place.clone(),
            precision: self.precision,
            default_time: self.default_time,
            line,
            line_base64,
            cut_from: self.cut_from,
        };
        match &self.origin {
            Origin::Kafka {
                topic,
                partition,
                offset,
                timestamp_ms,
            } => {
                text.cluster_id = Some(topic.cluster_id.clone());
                text.topic_id = topic.topic_id.clone();
                text.topic = Some(topic.topic.clone());
                text.partition = Some(*partition);
                text.offset = u64::try_from(*offset).unwrap_or_default();
                text.timestamp_ms = *timestamp_ms;
            }
            Origin::File { path, offset } => {
                text.path = Some(path.to_string());
                text.offset = *offset;
            }
        }
        text
    }
}

impl RejectedText {
    /// `topic[partition]`, or the file's path.
    pub fn source(&self) -> String {
        match (&self.topic, self.partition, &self.path) {
            (Some(topic), Some(partition), _) => format!("{topic}[{partition}]"),
            (_, _, path) => path.clone().unwrap_or_default(),
        }
    }

    /// The line, ready to be driven again.
    ///
    /// # Errors
    /// Neither `line` nor a `line_base64` that is Base64 is there, or no origin.
    pub fn into_rejected(self) -> Result<RejectedLine> {
        use base64::Engine as _;
        let broken = |what: &str| {
            Error::new(
                self.source(),
                format_args!("a stored reject at offset {} {what}", self.offset),
            )
        };
        let line = match (&self.line, &self.line_base64) {
            (Some(line), _) => line.clone().into_bytes(),
            (None, Some(text)) => base64::engine::general_purpose::STANDARD
                .decode(text)
                .map_err(|error| broken(&format!("is no Base64: {error}")))?,
            (None, None) => return Err(broken("has no line")),
        };
        let origin = match (&self.topic, self.partition, &self.path) {
            (Some(topic), Some(partition), _) => Origin::Kafka {
                topic: Arc::new(TopicIdentity {
                    cluster_id: self.cluster_id.clone().unwrap_or_default(),
                    topic_id: self.topic_id.clone(),
                    topic: topic.clone(),
                }),
                partition,
                offset: i64::try_from(self.offset).map_err(|_| broken("has no offset of Kafka's"))?,
                timestamp_ms: self.timestamp_ms,
            },
            (_, _, Some(path)) => Origin::File {
                path: Arc::from(path.as_str()),
                offset: self.offset,
            },
            _ => return Err(broken("has no origin")),
        };
        Ok(RejectedLine {
            origin,
            reason: self.reason,
            byte: self.byte,
            detail: self.detail,
            place: self.place,
            precision: self.precision,
            default_time: self.default_time,
            line,
            cut_from: self.cut_from,
        })
    }
}

/// Bytes as text where they are UTF-8, else in Base64.
pub fn text_or_base64(bytes: &[u8]) -> (Option<String>, Option<String>) {
    use base64::Engine as _;
    match std::str::from_utf8(bytes) {
        Ok(text) => (Some(text.to_owned()), None),
        Err(_) => (None, Some(base64::engine::general_purpose::STANDARD.encode(bytes))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_comes_back_as_it_was() {
        let topic = TopicIdentity {
            cluster_id: "cluster".to_owned(),
            topic_id: Some("id".to_owned()),
            topic: "t".to_owned(),
        };
        let origins = [
            Origin::Kafka {
                topic: Arc::new(topic),
                partition: 3,
                offset: 17,
                timestamp_ms: Some(-5),
            },
            Origin::File {
                path: Arc::from("-"),
                offset: 0,
            },
        ];
        for origin in origins {
            for line in [&b"m v=\"high\\\"\n\" 1"[..], b"\xff\x00"] {
                let reject = RejectedLine {
                    origin: origin.clone(),
                    reason: Reason::TypeMismatch,
                    byte: None,
                    detail: Some("m.v is float".to_owned()),
                    place: Some(("m".to_owned(), "v".to_owned())),
                    precision: Precision::Ms,
                    default_time: Some(7),
                    line: line.to_vec(),
                    cut_from: Some(7_000_000_000),
                };
                let json = serde_json::to_string(&reject.to_text()).unwrap();
                let text: RejectedText = serde_json::from_str(&json).unwrap();
                assert_eq!(text.into_rejected(), Ok(reject));
            }
        }
    }

    #[test]
    fn a_stored_reject_without_line_or_origin_is_an_error_that_names_it() {
        for json in [
            r#"{"path":"a.lp","offset":3,"reason":"bad_number","precision":"ns"}"#,
            r#"{"path":"a.lp","offset":3,"reason":"bad_number","precision":"ns","line_base64":"?"}"#,
            r#"{"offset":3,"reason":"bad_number","precision":"ns","line":"m"}"#,
        ] {
            let text: RejectedText = serde_json::from_str(json).unwrap();
            assert!(
                text.into_rejected().unwrap_err().to_string().contains("offset 3"),
                "{json}"
            );
        }
    }
}
