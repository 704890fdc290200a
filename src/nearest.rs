//! The name that was perhaps meant, where the one that was typed is not there.

/// A name that differs in more than this share of its characters is no likely typing error.
const TYPO_SHARE: usize = 3;

/// The name that `typed` is most likely a misspelling of: the fewest characters to insert, delete, change or swap with their
/// neighbour, in upper or lower case alike.
pub fn nearest<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    let allowed = (typed.chars().count() / TYPO_SHARE).max(1);
    names
        .into_iter()
        .map(|name| (strsim::osa_distance(&typed, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_finds_what_was_meant_and_another_word_finds_nothing() {
        let names = ["usage_idle", "usage_iowait", "host", "Level"];
        for (typed, meant) in [
            ("usage_idl", Some("usage_idle")),
            ("uasge_idle", Some("usage_idle")),
            ("usage_iowiat", Some("usage_iowait")),
            ("LEVEL", Some("Level")),
            ("hots", Some("host")),
            ("h", None),
            ("temperature", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, names), meant, "{typed}");
        }
    }
}
