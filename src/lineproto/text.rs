//! Names and strings as they stand in a line, escapes and all.

use std::borrow::Cow;

/// A piece of a line that is a name or a string, borrowed and still escaped.
///
/// Of names (measurement, keys, tag values) equal raw bytes mean equal names and unequal ones unequal names, because a
/// delimiter in a name is always written with its backslash and nothing else is; so they can be hashed and compared
/// as they stand. Strings can be written in several ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Text<'a> {
    raw: &'a [u8],
    escapes: Escapes,
}

/// Which bytes a backslash stands before to be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Escapes {
    /// None occurs: the text is as it reads.
    None,
    /// Comma and space.
    Measurement,
    /// Comma, equals sign and space: in tag keys, tag values and field keys.
    Key,
    /// Quote and backslash.
    String,
}

impl Escapes {
    fn contains(self, byte: u8) -> bool {
        match self {
            Self::None => false,
            Self::Measurement => matches!(byte, b',' | b' '),
            Self::Key => matches!(byte, b',' | b'=' | b' '),
            Self::String => matches!(byte, b'"' | b'\\'),
        }
    }
}

impl<'a> Text<'a> {
    /// `raw` with the `escapes` of its place, if it is `escaped` at all.
    #[inline(always)]
    pub(super) fn new(raw: &'a [u8], escaped: bool, escapes: Escapes) -> Self {
        let escapes = if escaped { escapes } else { Escapes::None };
        Self { raw, escapes }
    }

    /// A text without escapes.
    #[cfg(test)]
    pub(crate) fn plain(text: &'a str) -> Self {
        Self::new(text.as_bytes(), false, Escapes::None)
    }

    /// The bytes as they stand in the line, without a string's quotes; always UTF-8.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Whether the text holds no escape sequence, so that [`Text::raw`] is what it says.
    pub fn is_plain(&self) -> bool {
        self.escapes == Escapes::None
    }

    /// What the text says. Borrowed where it is plain.
    pub fn unescape(&self) -> Cow<'a, str> {
        let mut rest = std::str::from_utf8(self.raw).expect("lines that are not UTF-8 are rejected before");
        if self.is_plain() {
            return Cow::Borrowed(rest);
        }
        let mut said = String::with_capacity(rest.len());
        while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
            let (before, from) = rest.split_at(at);
            said.push_str(before);
            let after = &from[1..];
            match after.as_bytes().first() {
                Some(&byte) if self.escapes.contains(byte) => {
                    said.push(char::from(byte));
                    rest = &after[1..];
                }
                _ => {
                    said.push('\\');
                    rest = after;
                }
            }
        }
        said.push_str(rest);
        Cow::Owned(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(raw: &str, escapes: Escapes) -> String {
        Text::new(raw.as_bytes(), true, escapes).unescape().into_owned()
    }

    #[test]
    fn a_measurement_drops_the_backslash_before_comma_and_space_only() {
        assert_eq!(said(r"a\,b\ c\=d\\e\n", Escapes::Measurement), r"a,b c\=d\\e\n");
    }

    #[test]
    fn a_key_drops_the_backslash_before_the_equals_sign_too() {
        assert_eq!(said(r"a\,b\ c\=d\\e\n", Escapes::Key), r"a,b c=d\\e\n");
    }

    #[test]
    fn backslashes_of_a_name_are_not_paired() {
        assert_eq!(said(r"a\\ b\\\,c", Escapes::Key), r"a\ b\\,c");
    }

    #[test]
    fn backslashes_of_a_string_are_paired() {
        assert_eq!(said(r#"a\\\"b\\n\n\, \\"#, Escapes::String), r#"a\"b\n\n\, \"#);
    }

    #[test]
    fn what_is_plain_is_borrowed() {
        let text = Text::new(br"C:\temp", false, Escapes::Key);
        assert!(text.is_plain());
        assert!(matches!(text.unescape(), Cow::Borrowed(r"C:\temp")));
    }
}
