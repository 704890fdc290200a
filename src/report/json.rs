//! JSON in which every character can be seen: those that drive a terminal, change the direction of text or show nothing are escaped.
//! It reads back as the same text.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use super::text::is_hidden;

/// A value as one line of JSON.
///
/// # Panics
/// For values that JSON does not have, such as maps whose keys are no strings.
pub fn to_json(value: &impl Serialize) -> Vec<u8> {
    let mut text = Vec::new();
    value
        .serialize(&mut Serializer::with_formatter(&mut text, Visible))
        .expect("reports and rejects hold strings and numbers only");
    text
}

struct Visible;

impl Formatter for Visible {
    /// JSON itself asks for what is below the space to be escaped; RFC 8259, section 7, allows it for all others.
    fn write_string_fragment<W: ?Sized + Write>(&mut self, to: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, hidden)) = rest.char_indices().find(|(_, c)| is_hidden(*c)) {
            to.write_all(&rest.as_bytes()[..at])?;
            for unit in hidden.encode_utf16(&mut [0; 2]) {
                write!(to, "\\u{unit:04x}")?;
            }
            rest = &rest[at + hidden.len_utf8()..];
        }
        to.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_seen_is_escaped_and_reads_back_as_it_was() {
        let text = "a\u{1b}[2J\u{7f}\u{85}\u{9b}31m\u{202e}\u{2066}\u{200b}\u{feff}\u{e0041}\"\\ä→😀";
        let json = String::from_utf8(to_json(&text)).unwrap();
        assert_eq!(
            json,
            "\"a\\u001b[2J\\u007f\\u0085\\u009b31m\\u202e\\u2066\\u200b\\ufeff\\udb40\\udc41\\\"\\\\ä→😀\""
        );
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
