//! What is to become of a metric on its way through Telegraf's serializer and diurnal's parser: each rule that alters, drops or
//! rejects something, as narrow as it is. Everything else has to come back as it was sent.

use diurnal::lineproto::Reason;

use super::metric::Metric;
use crate::lineproto::reference::Value;

/// What has to become of a metric.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It is read, and this is what it says.
    Read(Metric),
    /// Its line is rejected for one of these reasons.
    Rejected(Vec<Reason>),
    /// Its line is a comment to diurnal.
    Comment,
    /// Telegraf does not write it.
    NotWritten,
}

/// How unsigned integers are written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unsigned {
    /// `5u`, with `influx_uint_support`.
    AsTheyAre,
    /// `5i`, Telegraf's default.
    AsIntegers,
}

/// The fate of a metric. Two kinds of names are not for this function, as what follows them changes its meaning: a measurement
/// or a field key that ends in a backslash.
pub fn fate(sent: &Metric, unsigned: Unsigned) -> Fate {
    assert!(!sent.measurement.ends_with('\\'), "{sent:?}");
    assert!(!sent.fields.iter().any(|(key, _)| key.ends_with('\\')), "{sent:?}");
    let mut written = Metric {
        measurement: spelled(&sent.measurement),
        tags: written_tags(&sent.tags),
        fields: written_fields(&sent.fields, unsigned),
        time: sent.time,
    };
    // Telegraf: a metric needs a name and a field.
    if written.measurement.is_empty() || written.fields.is_empty() {
        return Fate::NotWritten;
    }
    // Telegraf does not escape it, and a line that starts with it is a comment.
    if written.measurement.starts_with('#') {
        return Fate::Comment;
    }
    let reasons: Vec<Reason> = [vertical_tab(&written), repeated_key(&mut written)]
        .into_iter()
        .flatten()
        .collect();
    if reasons.is_empty() {
        Fate::Read(written)
    } else {
        Fate::Rejected(reasons)
    }
}

/// Telegraf: line protocol has no way to write these in a name, so they become a backslash and a letter, and stay it.
fn spelled(name: &str) -> String {
    name.replace('\t', r"\t")
        .replace('\n', r"\n")
        .replace('\x0c', r"\f")
        .replace('\r', r"\r")
}

/// Telegraf: tags are sorted by key; backslashes at the end of a key or value would escape what follows, so they are cut off;
/// a tag that is then without key or value is left out.
fn written_tags(tags: &[(String, String)]) -> Vec<(String, String)> {
    let mut tags = tags.to_vec();
    tags.sort();
    let written = |text: &str| spelled(text.trim_end_matches('\\'));
    tags.iter()
        .map(|(key, value)| (written(key), written(value)))
        .filter(|(key, value)| !key.is_empty() && !value.is_empty())
        .collect()
}

/// Telegraf: fields without a key are left out, and so are NaN and the infinities.
fn written_fields(fields: &[(String, Value)], unsigned: Unsigned) -> Vec<(String, Value)> {
    fields
        .iter()
        .filter(|(key, _)| !key.is_empty())
        .filter(|(_, value)| !matches!(value, Value::Float(bits) if !f64::from_bits(*bits).is_finite()))
        .map(|(key, value)| (spelled(key), written_value(value, unsigned)))
        .collect()
}

/// Telegraf: unsigned integers are written as signed ones unless told otherwise, cut to their range.
fn written_value(value: &Value, unsigned: Unsigned) -> Value {
    match (value, unsigned) {
        (&Value::Uint(uint), Unsigned::AsIntegers) => Value::Int(i64::try_from(uint).unwrap_or(i64::MAX)),
        (value, _) => value.clone(),
    }
}

/// diurnal: a vertical tab in a name is a reject. It is the one control byte that Telegraf lets through as it is and diurnal
/// does not take.
fn vertical_tab(written: &Metric) -> Option<Reason> {
    let tags = written.tags.iter().flat_map(|(key, value)| [key, value]);
    let keys = written.fields.iter().map(|(key, _)| key);
    [&written.measurement]
        .into_iter()
        .chain(tags)
        .chain(keys)
        .any(|name| name.contains('\x0b'))
        .then_some(Reason::ControlByte)
}

/// diurnal: a key twice in a line is a reject, unless with the same value: then it is one. Telegraf writes two keys of a
/// metric as the same one where they differ in a backslash at their end, or by a tab and the text `\t`.
fn repeated_key(written: &mut Metric) -> Option<Reason> {
    let tags = repeated(&mut written.tags);
    let fields = repeated(&mut written.fields);
    (tags || fields).then_some(Reason::DuplicateKey)
}

/// Takes out what is there twice; tells whether a key is left twice.
fn repeated<V: Clone + PartialEq>(pairs: &mut Vec<(String, V)>) -> bool {
    let mut once: Vec<(String, V)> = Vec::with_capacity(pairs.len());
    for pair in pairs.drain(..) {
        if !once.contains(&pair) {
            once.push(pair);
        }
    }
    *pairs = once;
    let mut keys: Vec<&String> = pairs.iter().map(|(key, _)| key).collect();
    keys.sort();
    keys.windows(2).any(|two| two[0] == two[1])
}
