//! What the series of a plot are called: by what tells them apart, and no more.

use std::collections::{BTreeMap, BTreeSet};

use super::plot::SeriesTags;
use crate::report::escaped;

/// The tag that names the machine, as Telegraf calls it.
pub const HOST: &str = "host";

/// Characters of a name that are shown.
const SHOWN_CHARACTERS: usize = 80;

/// The names of a plot's series.
#[derive(Debug, PartialEq, Eq)]
pub struct Labels {
    /// What all series have in common, host aside: `cpu=cpu-total`.
    pub common: Vec<String>,
    /// For each series its host, or what stands for it where there is none.
    pub hosts: Vec<String>,
    /// For each series the tags that tell it apart from others of its host; empty where its host does.
    pub rest: Vec<String>,
}

impl Labels {
    /// Names for these series.
    pub fn new<'a>(series: impl Iterator<Item = &'a SeriesTags> + Clone) -> Self {
        let all = series.clone().count();
        let mut seen: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for (name, value) in series.clone().flat_map(|tags| &tags.0) {
            *seen.entry((name, value)).or_default() += 1;
        }
        let is_common =
            |name: &str, value: &str| name != HOST && all > 0 && seen.get(&(name, value)).copied() == Some(all);
        let common: BTreeSet<(&str, &str)> = seen
            .keys()
            .copied()
            .filter(|(name, value)| is_common(name, value))
            .collect();
        let host_of = |tags: &SeriesTags| {
            tags.0
                .iter()
                .find(|(name, _)| name == HOST)
                .map(|(_, value)| value.clone())
        };
        let rest_of = |tags: &SeriesTags| {
            let rest = tags
                .0
                .iter()
                .filter(|(name, value)| name != HOST && !is_common(name, value));
            rest.map(|(name, value)| pair(name, value))
                .collect::<Vec<_>>()
                .join(" ")
        };
        let (mut hosts, mut rests) = (Vec::new(), Vec::new());
        for tags in series {
            let rest = rest_of(tags);
            match host_of(tags) {
                Some(host) => {
                    hosts.push(shown(&host));
                    rests.push(rest);
                }
                // Without a host the other tags are what one chooses by.
                None => {
                    let name = if rest.is_empty() { "all".to_owned() } else { rest };
                    hosts.push(name);
                    rests.push(String::new());
                }
            }
        }
        Self {
            common: common.into_iter().map(|(name, value)| pair(name, value)).collect(),
            hosts,
            rest: rests,
        }
    }
}

fn pair(name: &str, value: &str) -> String {
    format!("{}={}", shown(name), shown(value))
}

/// Somebody's text as it is safe to show, and not too long.
pub fn shown(text: &str) -> String {
    let mut shown: String = escaped(&text.chars().take(SHOWN_CHARACTERS).collect::<String>());
    if text.chars().nth(SHOWN_CHARACTERS).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> SeriesTags {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        SeriesTags(pairs.iter().map(owned).collect())
    }

    #[test]
    fn series_are_called_by_what_tells_them_apart() {
        let series = [
            tags(&[("host", "a"), ("cpu", "cpu-total")]),
            tags(&[("host", "b"), ("cpu", "cpu-total")]),
        ];
        let labels = Labels::new(series.iter());
        assert_eq!(labels.common, ["cpu=cpu-total"]);
        assert_eq!(
            (labels.hosts, labels.rest),
            (vec!["a".into(), "b".into()], vec![String::new(); 2])
        );

        let series = [
            tags(&[("host", "a"), ("device", "sda"), ("fstype", "ext4")]),
            tags(&[("host", "a"), ("device", "sdb"), ("fstype", "ext4")]),
        ];
        let labels = Labels::new(series.iter());
        assert_eq!(labels.common, ["fstype=ext4"]);
        assert_eq!(labels.rest, ["device=sda", "device=sdb"]);
    }

    #[test]
    fn series_without_a_host_are_chosen_by_their_tags_and_one_without_any_is_all() {
        let series = [tags(&[("room", "attic")]), tags(&[("room", "cellar")])];
        assert_eq!(Labels::new(series.iter()).hosts, ["room=attic", "room=cellar"]);
        assert_eq!(Labels::new([tags(&[])].iter()).hosts, ["all"]);
    }

    #[test]
    fn a_name_is_shown_without_its_harm_and_cut() {
        assert_eq!(shown("a\u{202e}b\u{7}"), "a\\u{202e}b\\u{7}");
        let long = "x".repeat(1_000_000);
        assert_eq!(shown(&long), "x".repeat(80) + "…");
    }
}
