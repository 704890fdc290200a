//! What differs from run to run, taken out of what is compared: times, speeds, ids, dates of today.

use std::sync::LazyLock;

use regex::Regex;

/// What is replaced, by what. In order: a later one meets what the ones before have left.
static MASKS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        // Lines of a table are as wide as what stands in it.
        (r"[─┄]+", "─"),
        (r"\b[\d,.]+ (lines|messages|rows)/s", "N $1/s"),
        (r"\b[\d,.]+ [kMG]?B/s", "N B/s"),
        (r"\b\d[\d,.]* ?(ns|µs|us|ms|s|min|h|d)\b", "T"),
        // librdkafka tells how often it has tried.
        (
            r" ?\(after T in state \w+(, \d+ identical error\(s\) suppressed)?\)",
            "",
        ),
        (r#""elapsed_s":[\d.e-]+"#, r#""elapsed_s":T"#),
        (r"\bmockCluster\w+", "CLUSTER"),
        // Ids of Kafka are 16 bytes in base64.
        (r"(^|[\s\x22(])[A-Za-z0-9_-]{22}($|[\s\x22),])", "${1}ID${2}"),
        // A plain consumer gets partitions in whatever order, so how many lines come late differs.
        (r"\b[\d,]+ of them \([\d.]+%\)", "N of them (P%)"),
        (r"\bprocess \d+", "process N"),
        (r"\([0-9a-f]{7,}[^)]*\)", "(COMMIT)"),
        (r"\b[0-9a-f]{64}\b", "HASH"),
        // Days of the simulation are in June 2020; all others are those of whoever runs it.
        (
            r"\b20(2[1-9]|[3-9]\d)-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?Z?)?",
            "DATE",
        ),
        // Spaces last, for tables are aligned by what was masked.
        (r"\s+", " "),
    ]
    .into_iter()
    .map(|(pattern, by)| (Regex::new(pattern).expect("it is a regular expression"), by))
    .collect()
});

/// A line as it is compared.
pub fn masked(line: &str) -> String {
    let text = MASKS.iter().fold(line.to_owned(), |text, (pattern, by)| {
        pattern.replace_all(&text, *by).into_owned()
    });
    text.trim().to_owned()
}

/// The first difference between what a page shows and what was printed; a line `...` stands for any number of lines.
pub fn difference(expected: &[String], printed: &str) -> Option<String> {
    let lines = |text: &mut dyn Iterator<Item = &str>| -> Vec<String> {
        text.map(masked).filter(|line| !line.is_empty()).collect()
    };
    let shown = lines(&mut expected.iter().map(String::as_str));
    let printed = lines(&mut printed.lines());
    match is_like(&shown, &printed) {
        true => None,
        false => {
            let same = shown.iter().zip(&printed).take_while(|(a, b)| a == b).count();
            let at = |lines: &[String]| lines.get(same).cloned().unwrap_or_else(|| "nothing more".to_owned());
            Some(format!("  shown:   {}\n  printed: {}", at(&shown), at(&printed)))
        }
    }
}

fn is_like(shown: &[String], printed: &[String]) -> bool {
    match shown {
        [] => printed.is_empty(),
        [dots, rest @ ..] if dots == "..." => (0..=printed.len()).any(|skipped| is_like(rest, &printed[skipped..])),
        [line, rest @ ..] => printed.first() == Some(line) && is_like(rest, &printed[1..]),
    }
}

#[test]
fn what_differs_from_run_to_run_is_masked_and_nothing_else() {
    let lines = [
        ("198.0 kB in 0.18 s, 2,904 lines/s", "198.0 kB in T, N lines/s"),
        (
            "  t[0]   17259  21nrVFMpQmmoFuFDzkw3fQ  mockCluster8000128000",
            "t[0] 17259 ID CLUSTER",
        ),
        ("  cpu  2020-06-19  21,600", "cpu 2020-06-19 21,600"),
        ("  cpu  2026-11-23   396", "cpu DATE 396"),
        ("│ 2026-11-23 18:40:00 │ web-01 │", "│ DATE │ web-01 │"),
    ];
    for (line, expected) in lines {
        assert_eq!(masked(line), expected);
    }
}

#[test]
fn another_number_another_word_and_a_line_more_are_differences() {
    let shown = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(difference(&shown("a  1\nb"), "a 1\n\nb\n"), None);
    assert_eq!(difference(&shown("a\n...\nd"), "a\nb\nc\nd\n"), None);
    assert!(difference(&shown("a 1"), "a 2\n").is_some());
    assert!(difference(&shown("a"), "a\nb\n").is_some());
    assert!(difference(&shown("a\n...\nd"), "a\nb\nc\n").is_some());
}
