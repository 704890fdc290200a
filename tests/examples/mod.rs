//! What stands in `examples/` is run as its first lines say: by a real cron, by systemd's own checks, on a Kafka that a script starts.

mod cron;
mod kafka_local;
mod systemd;

use std::path::PathBuf;

use crate::support::root;

/// A file of `examples/`, with words of it replaced, each of which has to stand there so often.
fn example(name: &str, replacements: &[(&str, usize, &str)]) -> String {
    let path = path_of(name);
    let mut text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    for (words, times, others) in replacements {
        assert_eq!(text.matches(words).count(), *times, "{words:?} in {name}");
        text = text.replace(words, others);
    }
    text
}

fn path_of(name: &str) -> PathBuf {
    root().join("examples").join(name)
}

/// A line of measurement `m` that is point `n` of its series.
fn point(n: i64) -> String {
    format!("m,host=a v={n}i {}\n", n * 1_000_000_000 + 1_600_000_000_000_000_000)
}
