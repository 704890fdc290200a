//! A metric as it is put into Telegraf, and as it is looked for afterwards.

use serde_json::{Value as Json, json};

use crate::lineproto::reference::{Outcome, Value};

/// What its key starts with makes a field unsigned, as `telegraf.star` says.
pub const UNSIGNED: &str = "u:";

/// One metric; as sent its tags and fields are in any order.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    pub measurement: String,
    pub tags: Vec<(String, String)>,
    pub fields: Vec<(String, Value)>,
    /// In nanoseconds.
    pub time: i64,
}

impl Metric {
    /// A metric at time 0 with nothing in it.
    pub fn new(measurement: impl Into<String>) -> Self {
        Self {
            measurement: measurement.into(),
            tags: Vec::new(),
            fields: Vec::new(),
            time: 0,
        }
    }

    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.push((key.into(), value.into()));
        self
    }

    pub fn field(mut self, key: impl Into<String>, value: Value) -> Self {
        let key = key.into();
        let unsigned = matches!(value, Value::Uint(_));
        assert_eq!(key.starts_with(UNSIGNED), unsigned, "a test's own mistake: {key:?}");
        self.fields.push((key, value));
        self
    }

    pub fn int(self, key: impl Into<String>, value: i64) -> Self {
        self.field(key, Value::Int(value))
    }

    pub fn float(self, key: impl Into<String>, value: f64) -> Self {
        self.field(key, Value::Float(value.to_bits()))
    }

    pub fn string(self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.field(key, Value::String(value.into()))
    }

    pub fn at(mut self, time: i64) -> Self {
        self.time = time;
        self
    }

    /// As `telegraf.star` wants it.
    pub fn to_json(&self) -> Json {
        let typed = |value: &Value| match value {
            Value::Float(bits) => ("float", format!("{:?}", f64::from_bits(*bits))),
            Value::Int(int) => ("int", int.to_string()),
            Value::Uint(uint) => ("uint", uint.to_string()),
            Value::Boolean(boolean) => ("boolean", boolean.to_string()),
            Value::String(text) => ("string", text.clone()),
        };
        let fields: Vec<Json> = self
            .fields
            .iter()
            .map(|(key, value)| {
                let (kind, text) = typed(value);
                json!([key, kind, text])
            })
            .collect();
        json!({"measurement": self.measurement, "tags": self.tags, "fields": fields, "time": self.time})
    }

    /// With its tags and fields in bytewise order of their keys.
    pub fn sorted(mut self) -> Self {
        self.tags.sort();
        self.fields.sort_by(|(a, _), (b, _)| a.cmp(b));
        self
    }
}

/// What diurnal read, as a metric; rejects stay what they are.
pub fn read(outcome: &Outcome) -> Result<Metric, &Outcome> {
    match outcome {
        Outcome::Line {
            measurement,
            tags,
            fields,
            time,
            ..
        } => Ok(Metric {
            measurement: measurement.clone(),
            tags: tags.clone(),
            fields: fields.clone(),
            time: time.expect("Telegraf sends a time"),
        }),
        Outcome::Reject { .. } => Err(outcome),
    }
}
