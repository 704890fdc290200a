//! Which topics are meant: exact names and regular expressions against what the cluster has.

use std::collections::BTreeSet;

use regex::Regex;

use crate::error::{Error, Result};
use crate::nearest::nearest;

/// A topic pattern of the user's, compiled.
#[derive(Debug)]
pub enum Pattern {
    /// The topic of exactly this name.
    Name(String),
    /// Every topic that this matches. Names that start with `__` are Kafka's own; they are meant only by a pattern that
    /// starts with `^__`.
    Matching(Regex),
}

/// Reads the `--topic` arguments.
///
/// # Errors
/// A usage error for an empty name or a regular expression that is none.
pub fn parse_patterns(topics: &[String]) -> Result<Vec<Pattern>> {
    topics
        .iter()
        .map(|topic| {
            if topic.is_empty() {
                return Err(Error::usage("--topic", "is empty"));
            }
            if !topic.starts_with('^') {
                return Ok(Pattern::Name(topic.clone()));
            }
            Regex::new(topic).map(Pattern::Matching).map_err(|error| {
                Error::usage(format_args!("--topic {topic}"), last_line(&error))
                    .hint("a topic that starts with ^ is read as a regular expression")
            })
        })
        .collect()
}

/// What the patterns select.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Topics of the cluster, each once, sorted.
    pub found: BTreeSet<String>,
    /// Exact names that the cluster doesn't have.
    pub missing: Vec<String>,
    /// Regular expressions that match nothing.
    pub unmatched: Vec<String>,
}

/// Applies the patterns to the topics of the cluster.
pub fn select<'a>(patterns: &[Pattern], existing: impl Iterator<Item = &'a str> + Clone) -> Selection {
    let mut selection = Selection::default();
    for pattern in patterns {
        match pattern {
            Pattern::Name(name) if existing.clone().any(|topic| topic == name) => {
                selection.found.insert(name.clone());
            }
            Pattern::Name(name) => selection.missing.push(name.clone()),
            Pattern::Matching(regex) => {
                let internal_too = regex.as_str().starts_with("^__");
                let matching: Vec<&str> = existing
                    .clone()
                    .filter(|topic| (internal_too || !topic.starts_with("__")) && regex.is_match(topic))
                    .collect();
                if matching.is_empty() {
                    selection.unmatched.push(regex.as_str().to_owned());
                }
                selection.found.extend(matching.into_iter().map(str::to_owned));
            }
        }
    }
    selection
}

/// The error for a topic that isn't there, with the one that was perhaps meant.
pub fn unknown_topic<'a>(name: &str, existing: impl Iterator<Item = &'a str> + Clone) -> Error {
    let error = Error::new(format_args!("topic {name}"), "the cluster has no such topic");
    if let Some(meant) = nearest(name, existing.clone()) {
        return error.hint(format_args!("did you mean {meant}?"));
    }
    let some: Vec<&str> = existing.filter(|topic| !topic.starts_with("__")).take(5).collect();
    if some.is_empty() {
        error.hint("it has no topics that this user may see; check the brokers and the access rights")
    } else {
        error.hint(format_args!("it has {} and perhaps more", some.join(", ")))
    }
}

/// The regex crate draws the pattern over several lines and says the cause on the last.
fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    text.lines()
        .last()
        .unwrap_or_default()
        .trim_start_matches("error: ")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTER: [&str; 4] = ["__consumer_offsets", "metrics.cpu", "metrics.mem", "logs"];

    fn selected(topics: &[&str]) -> Selection {
        let topics: Vec<String> = topics.iter().map(|&topic| topic.to_owned()).collect();
        select(&parse_patterns(&topics).unwrap(), CLUSTER.into_iter())
    }

    #[test]
    fn names_and_expressions_select_each_topic_once() {
        let selection = selected(&["metrics.cpu", r"^metrics\."]);
        assert_eq!(selection.found.len(), 2);
        assert!(selection.missing.is_empty() && selection.unmatched.is_empty());
    }

    #[test]
    fn topics_of_kafka_itself_are_not_meant_by_a_wide_expression() {
        assert_eq!(selected(&["^.*"]).found.len(), 3);
        assert_eq!(selected(&["^__"]).found.len(), 1);
    }

    #[test]
    fn what_is_not_there_is_said() {
        let selection = selected(&["metrics.cpus", "^nothing"]);
        assert_eq!(selection.missing, ["metrics.cpus"]);
        assert_eq!(selection.unmatched, ["^nothing"]);
    }

    #[test]
    fn a_misspelt_topic_is_answered_with_the_nearest_one() {
        let error = unknown_topic("Metric.cpu", CLUSTER.into_iter());
        assert_eq!(error.advice(), Some("did you mean metrics.cpu?"));
        let error = unknown_topic("zzz", CLUSTER.into_iter());
        assert_eq!(
            error.advice(),
            Some("it has metrics.cpu, metrics.mem, logs and perhaps more")
        );
    }

    #[test]
    fn a_broken_expression_is_wrong_usage() {
        let error = parse_patterns(&["^(".to_owned()]).unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Usage);
        assert!(error.to_string().contains("unclosed group"), "{error}");
    }
}
