//! The parser and the reference agree on random bytes: lines, values, rejects, reasons, columns and extents.

use std::collections::HashSet;

use diurnal::lineproto::{Head, Limits, Parser, Precision};
use proptest::prelude::*;

use super::compare::{check_every_byte, outcomes_in_blocks, outcomes_trusting};
use super::outcomes;
use super::reference::{self, Outcome};

/// Bytes that mean something, each about as likely as the others.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop::sample::select(b",,,===   \"\"\"\\\\\n\n\n\r##0123459ab_iuteE.-+\t\x0b\x0c\0\x7f".as_slice());
    prop::collection::vec(byte, 0..120)
}

/// Pieces that make good lines more likely, and their mistakes.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(
        [
            "cpu",
            "m",
            ",",
            ",",
            ",host=",
            ",t=a",
            " ",
            " ",
            " ",
            "a=",
            "b=",
            "=",
            "f=1",
            "g=2i",
            "\"",
            "\"",
            "\"text\"",
            "\\",
            "\\\\",
            "\\\"",
            "\\,",
            "\\ ",
            "\\=",
            "\n",
            "\n",
            "\n",
            "\r\n",
            "\r",
            "1",
            "-1",
            "1.5",
            "3u",
            "t",
            "True",
            "1e5",
            "1e999",
            "9223372036854775808",
            "9223372036854775807",
            "NaN",
            "+Inf",
            "#",
            "# no line \"",
            "\t",
            "\u{b}",
            "\u{c}",
            "\0",
            "é",
            "m a=\"",
            "m,t=u f=1 2\n",
            ",f=1",
            ",f=1.0",
            ",f=\"1\"",
            ",f=NaN",
            ",f=9223372036854775808i",
            ",f=99999999999999999999u",
            ",f=-1u",
            "m a=1,b=\"x\ny\",c=t -5\n",
        ]
        .as_slice(),
    );
    let broken = prop::collection::vec(any::<u8>(), 1..3);
    let piece = prop_oneof![60 => piece.prop_map(|text| text.as_bytes().to_vec()), 1 => broken];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Lines that are good but for one changed byte, now and then.
fn almost_good() -> impl Strategy<Value = Vec<u8>> {
    let name = "[a-c#\"é]([a-c\"#é]|\\\\[ ,=\\\\]){0,3}[a-c]";
    let value = "-?[0-9]{1,3}i|[0-9]{1,3}u|-?[0-9]{1,3}(\\.[0-9]{0,3})?(e-?[0-9]{1,3})?|t|FALSE|\"([a-c,= \n\ré]|\\\\[\"\\\\n]){0,5}\"";
    let tags = prop::collection::vec((name, name), 0..4);
    let fields = prop::collection::vec((name, value), 1..5);
    let time = prop::option::of(any::<i64>());
    let line = ("[a-c]([=a-c\"]|\\\\[ ,]){0,3}", tags, fields, time, "( {0,2})\r?\n").prop_map(
        |(measurement, tags, fields, time, end)| {
            let mut line = measurement;
            for (key, value) in tags {
                line.push_str(&format!(",{key}={value}"));
            }
            let fields: Vec<String> = fields
                .into_iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            line.push(' ');
            line.push_str(&fields.join(","));
            if let Some(time) = time {
                line.push_str(&format!(" {time}"));
            }
            line.push_str(&end);
            line.into_bytes()
        },
    );
    let change = prop::option::of((any::<prop::sample::Index>(), any::<u8>()));
    (prop::collection::vec(line, 1..4), change).prop_map(|(lines, change)| {
        let mut bytes = lines.concat();
        if let Some((index, byte)) = change {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

fn input() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![bytes(), pieces(), almost_good()]
}

fn limits() -> impl Strategy<Value = Limits> {
    let small = (1usize..60, 0usize..3, 1usize..4).prop_map(|(line_bytes, tags, fields)| Limits {
        line_bytes,
        tags,
        fields,
    });
    prop_oneof![2 => Just(Limits::default()), 1 => small]
}

fn precision() -> impl Strategy<Value = Precision> {
    prop::sample::select([Precision::Ns, Precision::Us, Precision::Ms, Precision::S].as_slice())
}

fn shown(input: &[u8]) -> String {
    input.escape_ascii().to_string()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn the_parser_agrees_with_the_reference(input in input(), precision in precision(), limits in limits()) {
        let expected = reference::parse(&input, precision.nanoseconds(), limits);
        prop_assert_eq!(outcomes(&input, precision, limits), expected, "{}", shown(&input));
    }

    #[test]
    fn every_byte_is_in_a_line_a_reject_a_comment_or_a_line_end(input in input(), limits in limits()) {
        check_every_byte(&input, &outcomes(&input, Precision::Ns, limits));
    }

    #[test]
    fn blocks_of_whole_lines_parse_as_the_whole_input_does(input in input(), limits in limits(), block in 1usize..40) {
        let apart = outcomes_in_blocks(&mut Parser::new(Precision::Ns, limits), &input, limits, block);
        prop_assert_eq!(apart, outcomes(&input, Precision::Ns, limits), "{}", shown(&input));
    }

    #[test]
    fn trusting_known_heads_changes_nothing(input in input(), limits in limits()) {
        let mut parser = Parser::new(Precision::Ns, limits);
        let mut known = HashSet::new();
        for _ in 0..2 {
            let found = outcomes_trusting(&mut parser, &input, &mut known);
            prop_assert_eq!(found, outcomes(&input, Precision::Ns, limits), "{}", shown(&input));
        }
    }

    #[test]
    fn a_reject_alone_is_the_same_reject(input in input(), limits in limits()) {
        for outcome in outcomes(&input, Precision::Ns, limits) {
            let Outcome::Reject { line, reason, column, .. } = outcome else { continue };
            // With a line end, as a CR at its own end would otherwise be one.
            let input = [&line[..], b"\r\n"].concat();
            let again = Outcome::Reject { offset: 0, line, reason, column };
            prop_assert_eq!(outcomes(&input, Precision::Ns, limits), vec![again], "{}", shown(&input));
        }
    }

    #[test]
    fn a_head_by_itself_is_the_head_of_its_line(input in input()) {
        let without_lf = input.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let head = [b"m", without_lf].concat();
        let line = [&head[..], b" f=1\n"].concat();
        let parsed = Head::parse(&head);
        match &outcomes(&line, Precision::Ns, Limits::default())[..] {
            [Outcome::Line { measurement, head: bytes, .. }] if *bytes == head => {
                let parsed = parsed.expect("a good head");
                prop_assert_eq!(parsed.measurement.unescape(), measurement.as_str());
            }
            _ => prop_assert!(parsed.is_err() || head.ends_with(b"\\"), "{}", shown(&head)),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// The parser looks at 16 KiB at a time: lines lie across the ends of these stretches, and some are longer.
    #[test]
    fn long_input_is_parsed_as_the_reference_does(
        pieces in prop::collection::vec((input(), 1usize..400), 1..12),
        lines in prop::collection::vec(long_line(), 0..4),
        at_front: bool,
    ) {
        let mut input: Vec<u8> = pieces.iter().flat_map(|(piece, times)| piece.repeat(*times)).collect();
        let lines = lines.concat();
        if at_front {
            input.splice(0..0, lines);
        } else {
            input.extend(lines);
        }
        let expected = reference::parse(&input, 1, Limits::default());
        let found = outcomes(&input, Precision::Ns, Limits::default());
        prop_assert!(found == expected, "{}", shown(&input));
    }
}

/// A line around the size of a stretch, good or not.
fn long_line() -> impl Strategy<Value = Vec<u8>> {
    let middle = prop_oneof![
        Just("9".repeat(20)),
        Just("x".repeat(30)),
        Just(" ".to_owned()),
        Just("\n".to_owned()),
        Just("\\\"".to_owned()),
        Just("é".to_owned()),
        Just("\",b=\"".to_owned()),
        Just("1,b=2".to_owned()),
    ];
    let end = prop_oneof![Just("\" 5\n"), Just("\"\n"), Just("\n"), Just(" 5\r\n"), Just("")];
    let start = prop_oneof![Just("m a=\""), Just("m,t="), Just("m a="), Just("m a=1,"), Just("#")];
    (start, prop::collection::vec(middle, 1..4), 100usize..6_000, end).prop_map(|(start, middle, times, end)| {
        let pattern: String = middle.concat();
        format!("{start}{}{end}", pattern.repeat(times)).into_bytes()
    })
}
