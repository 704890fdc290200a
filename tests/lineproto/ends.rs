//! Where lines end, above all the rejected ones: what stands in a string is never taken for a line, and a quote that never
//! closes costs one line.

use std::time::{Duration, Instant};

use diurnal::lineproto::{Limits, Parser, Precision, whole_lines};

use super::outcomes;
use super::reference::Outcome;

/// The input, and the lines that it falls into: `+` good, `-` rejected.
type Row = (&'static [u8], &'static [(char, &'static [u8])]);

#[rustfmt::skip]
const TABLE: &[Row] = &[
    // Lines follow each other, comments and blank lines between them.
    (b"a f=1\nb f=2\n", &[('+', b"a f=1"), ('+', b"b f=2")]),
    (b"a f=1\r\n\n#x\n  \r\nb f=2", &[('+', b"a f=1"), ('+', b"b f=2")]),
    // A string holds line ends, in good lines and bad ones.
    (b"a f=\"1\n2\" 5\nb f=2\n", &[('+', b"a f=\"1\n2\" 5"), ('+', b"b f=2")]),
    (b"a f=\"1\nx f=1\n2\"z\nb f=2\n", &[('-', b"a f=\"1\nx f=1\n2\"z"), ('+', b"b f=2")]),
    (b"a f=x,g=\"1\nx f=1\n2\"\nb f=2\n", &[('-', b"a f=x,g=\"1\nx f=1\n2\""), ('+', b"b f=2")]),
    (b"a,t= f=\"1\nx f=1\"\nb f=2\n", &[('-', b"a,t= f=\"1\nx f=1\""), ('+', b"b f=2")]),
    (b"a, t=u,f=\"1\nx f=1\"\nb f=2\n", &[('-', b"a, t=u,f=\"1\nx f=1\""), ('+', b"b f=2")]),
    (b"a\t f=\"1\nx f=1\"\nb f=2\n", &[('-', b"a\t f=\"1\nx f=1\""), ('+', b"b f=2")]),
    (b"a f=1,f=2,g=\"1\nx f=1\" 5\nb f=2\n", &[('-', b"a f=1,f=2,g=\"1\nx f=1\" 5"), ('+', b"b f=2")]),
    (b"a f=\"\\\"\nx f=1\\\\\"\nb f=2\n", &[('+', b"a f=\"\\\"\nx f=1\\\\\""), ('+', b"b f=2")]),
    (b"a f=\"\xff\nx f=1\"\nb f=2\n", &[('-', b"a f=\"\xff\nx f=1\""), ('+', b"b f=2")]),
    (b"a f=\"1\nx\" +5\nb f=2\n", &[('-', b"a f=\"1\nx\" +5"), ('+', b"b f=2")]),
    // Quotes that open no string: in the head, in a key, inside a value, after an escaped =, in a comment.
    (b"a,t=\"1 f=1\nb f=\"2\"\n", &[('+', b"a,t=\"1 f=1"), ('+', b"b f=\"2\"")]),
    (b"a,t=\"1\nb f=\"2\"\n", &[('-', b"a,t=\"1"), ('+', b"b f=\"2\"")]),
    (b"a \"f=1\nb f=\"2\"\n", &[('+', b"a \"f=1"), ('+', b"b f=\"2\"")]),
    (b"a f=1\"\nb f=\"2\"\n", &[('-', b"a f=1\""), ('+', b"b f=\"2\"")]),
    (b"a f\\=\"1\nb f=\"2\"\n", &[('-', b"a f\\=\"1"), ('+', b"b f=\"2\"")]),
    (b"# f=\"1\nb f=\"2\"\n", &[('+', b"b f=\"2\"")]),
    (b"a f=1 5 \"\nb f=\"2\"\n", &[('-', b"a f=1 5 \""), ('+', b"b f=\"2\"")]),
    // A quote that never closes: the line ends at its first LF, and the next lines are read as lines.
    (b"a f=\"1\nb f=2\nc f=3\n", &[('-', b"a f=\"1"), ('+', b"b f=2"), ('+', b"c f=3")]),
    (b"a f=\"1\r\nb f=2\r\n", &[('-', b"a f=\"1"), ('+', b"b f=2")]),
    (b"a f=\"1", &[('-', b"a f=\"1")]),
    (b"a f=\"1\\\"\nb f=2\n", &[('-', b"a f=\"1\\\""), ('+', b"b f=2")]),
    (b"a f=\"1\nb f=2\\", &[('-', b"a f=\"1"), ('-', b"b f=2\\")]),
    (b"a f=x,g=\"1\nb f=2\n", &[('-', b"a f=x,g=\"1"), ('+', b"b f=2")]),
    (b"a f=\"1\n2\",g=\"3\nb f=2\n", &[('-', b"a f=\"1"), ('-', b"2\",g=\"3"), ('+', b"b f=2")]),
    // A closing quote may be one that the next line would open with.
    (b"a f=\"1\nb f=\"2\"\nc f=3\n", &[('-', b"a f=\"1\nb f=\"2\""), ('+', b"c f=3")]),
    (b"a f=\"1\nb,t=\"u f=\"2\nc f=\"3\n4\" 5\nd f=\"", &[
        ('-', b"a f=\"1\nb,t=\"u f=\"2\nc f=\"3"), ('-', b"4\" 5"), ('-', b"d f=\""),
    ]),
];

fn fates(input: &[u8], limits: Limits) -> Vec<(char, Vec<u8>)> {
    outcomes(input, Precision::Ns, limits)
        .into_iter()
        .map(|outcome| match outcome {
            Outcome::Line { raw, .. } => ('+', raw),
            Outcome::Reject { line, .. } => ('-', line),
        })
        .collect()
}

fn owned(fates: &[(char, &[u8])]) -> Vec<(char, Vec<u8>)> {
    fates.iter().map(|&(fate, line)| (fate, line.to_vec())).collect()
}

#[test]
fn lines_end_where_the_table_says() {
    for &(input, expected) in TABLE {
        assert_eq!(
            fates(input, Limits::default()),
            owned(expected),
            "{}",
            input.escape_ascii()
        );
    }
}

#[test]
fn a_quote_is_followed_as_far_as_a_line_may_reach_and_no_further() {
    let line = b"a f=\"1\nb f=2\"";
    let input = [line, &b"\nc f=3\n"[..]].concat();
    let limits = |line_bytes| Limits {
        line_bytes,
        ..Limits::default()
    };
    let closed: &[(char, &[u8])] = &[('+', line), ('+', b"c f=3")];
    let open: &[(char, &[u8])] = &[('-', b"a f=\"1"), ('-', b"b f=2\""), ('+', b"c f=3")];
    assert_eq!(fates(&input, limits(line.len())), owned(closed));
    assert_eq!(fates(&input, limits(line.len() - 1)), owned(open));
}

#[test]
fn a_backslash_at_the_end_of_one_lines_reach_still_escapes_a_quote_of_the_next_line() {
    let limits = Limits {
        line_bytes: 20,
        ..Limits::default()
    };
    let (open, good) = (b"a f=\"", b"b g=\"\",h=\"\nxx\\\"\n\"");
    let input = [&open[..], b"\n", good, b"\nc f=1\n"].concat();
    assert!(input[..limits.line_bytes].ends_with(b"\\"));
    let expected: &[(char, &[u8])] = &[('-', open), ('+', good), ('+', b"c f=1")];
    assert_eq!(fates(&input, limits), owned(expected));
}

#[test]
fn a_line_that_is_too_long_ends_at_its_next_lf() {
    let limits = Limits {
        line_bytes: 8,
        ..Limits::default()
    };
    let expected: &[(char, &[u8])] = &[('-', b"a f=1,g=\"2"), ('-', b"b\""), ('+', b"c f=1")];
    assert_eq!(fates(b"a f=1,g=\"2\nb\"\nc f=1\n", limits), owned(expected));
    let expected: &[(char, &[u8])] = &[('-', b"a f=\"\n\",g=\"2"), ('-', b"b\""), ('+', b"c f=1")];
    assert_eq!(fates(b"a f=\"\n\",g=\"2\nb\"\nc f=1\n", limits), owned(expected));
}

#[test]
fn whole_lines_are_cut_after_a_line_end_that_no_later_byte_can_take_back() {
    let whole = |block: &[u8]| whole_lines(block, Limits::default());
    assert_eq!(whole(b""), 0);
    assert_eq!(whole(b"a f=1"), 0);
    assert_eq!(whole(b"a f=1\n"), 6);
    assert_eq!(whole(b"a f=1\nb f"), 6);
    assert_eq!(whole(b"a f=\"1\nb f=2\n"), 0);
    assert_eq!(whole(b"a f=\"1\nb f=2\"\nc"), 14);
    assert_eq!(whole(b"a f=1\n\n# \"\nb f=\"\n"), 11);
    assert_eq!(whole(b"a,t=\" f=1\nb,t=\""), 10);
}

#[test]
fn whole_lines_knows_a_quote_that_never_closes_once_the_block_is_longer_than_a_line_may_be() {
    let limits = Limits {
        line_bytes: 19,
        ..Limits::default()
    };
    assert_eq!(whole_lines(b"a f=\"1\nb f=2\nc f=3", limits), 0);
    assert_eq!(whole_lines(b"a f=\"1\nb f=2\nc f=3\n", limits), 19);
}

/// Lines that all open a string which the next one closes and opens again: that it never closes shows only at the end.
/// Following each line by itself would read some 900 GB here, so the bound is far from both.
#[test]
fn quotes_that_never_close_cost_no_more_than_their_bytes() {
    let line = b"m a=\"\",b=\"\n";
    let input = line.repeat(400_000);
    let start = Instant::now();
    let mut parser = Parser::new(Precision::Ns, Limits::default());
    let mut lines = parser.lines(&input);
    let mut rejects = 0;
    while let Some(line) = lines.next() {
        assert_eq!(line.unwrap_err().line, b"m a=\"\",b=\"");
        rejects += 1;
    }
    assert_eq!(rejects, 400_000);
    assert_eq!(whole_lines(&input, Limits::default()), 0);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}
