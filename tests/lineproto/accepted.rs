//! The conformance table: lines that each rule of the line-protocol page accepts, and what they say.

use diurnal::lineproto::{Limits, Precision};

use super::reference::{Outcome, Value};
use super::{one, outcomes};

/// `(rule, line, measurement, tags, fields, time)`
type Row = (
    &'static str,
    &'static [u8],
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [(&'static str, V)],
    Option<i64>,
);

/// A value as the table writes it.
#[derive(Clone, Copy)]
enum V {
    Float(f64),
    Int(i64),
    Uint(u64),
    True,
    False,
    Str(&'static str),
}

use V::{False, Float, Int, Str, True, Uint};

const ONE: &[(&str, V)] = &[("f", Float(1.0))];

#[rustfmt::skip]
const TABLE: &[Row] = &[
    ("point", b"m f=1", "m", &[], ONE, None),
    ("point", b"m f=1 5", "m", &[], ONE, Some(5)),
    ("point", b"m,t=a f=1 5", "m", &[("t", "a")], ONE, Some(5)),
    ("point", b"m,b=1,a=2 g=2i,f=1 5", "m", &[("b", "1"), ("a", "2")], &[("g", Int(2)), ("f", Float(1.0))], Some(5)),
    ("point: what Telegraf sends", b"cpu,cpu=cpu0,host=web-01 usage_idle=99.39879759519037,usage_user=0,n=4i 1795422486000000000\n",
        "cpu", &[("cpu", "cpu0"), ("host", "web-01")],
        &[("usage_idle", Float(99.39879759519037)), ("usage_user", Float(0.0)), ("n", Int(4))], Some(1795422486000000000)),

    ("EOL: LF", b"m f=1 5\n", "m", &[], ONE, Some(5)),
    ("EOL: CRLF", b"m f=1 5\r\n", "m", &[], ONE, Some(5)),
    ("EOL: CRLF after a string", b"m f=\"a\"\r\n", "m", &[], &[("f", Str("a"))], None),
    ("EOL: CR at the end of input", b"m f=1 5\r", "m", &[], ONE, Some(5)),
    ("spaces before", b"   m f=1", "m", &[], ONE, None),
    ("spaces between", b"m   f=1   5", "m", &[], ONE, Some(5)),
    ("spaces after the time", b"m f=1 5   \n", "m", &[], ONE, Some(5)),
    ("spaces after the fields", b"m f=1   \r\n", "m", &[], ONE, None),

    ("measurement: escaped comma and space", br"a\,b\ c f=1", "a,b c", &[], ONE, None),
    ("measurement: = is ordinary", b"a=b f=1", "a=b", &[], ONE, None),
    ("measurement: \\= stays", br"a\=b f=1", r"a\=b", &[], ONE, None),
    ("measurement: a backslash is literal", br"a\b\\c\n f=1", r"a\b\\c\n", &[], ONE, None),
    ("measurement: \\\\ before a space escapes it", br"a\\ b f=1", r"a\ b", &[], ONE, None),
    ("measurement: \\\\ before a comma escapes it", br"a\\,b=c f=1", r"a\,b=c", &[], ONE, None),
    ("measurement: an escaped space comes first", br"\ m f=1", " m", &[], ONE, None),
    ("measurement: quotes", b"\"m\" f=1", "\"m\"", &[], ONE, None),
    ("measurement: a quote after =", b"m=\"a f=1", "m=\"a", &[], ONE, None),
    ("measurement: # inside", b"m#1 f=1", "m#1", &[], ONE, None),
    ("measurement: \\# is no comment", br"\#m f=1", r"\#m", &[], ONE, None),
    ("measurement: UTF-8", "größe f=1".as_bytes(), "größe", &[], ONE, None),
    ("measurement: called time", b"time f=1", "time", &[], ONE, None),

    ("tag: escapes in key and value", br"m,a\,b\=c\ d=e\,f\=g\ h f=1", "m", &[("a,b=c d", "e,f=g h")], ONE, None),
    ("tag: a backslash is literal", br"m,a\b=C:\dir\\x f=1", "m", &[(r"a\b", r"C:\dir\\x")], ONE, None),
    ("tag: \\\\ before a delimiter escapes it", br"m,a\\=b=c\\,d\\ e f=1", "m", &[(r"a\=b", r"c\,d\ e")], ONE, None),
    ("tag: three backslashes", br"m,t=a\\\ b f=1", "m", &[("t", r"a\\ b")], ONE, None),
    ("tag: an escaped space after the comma", br"m,\ t=a f=1", "m", &[(" t", "a")], ONE, None),
    ("tag: an escaped comma after the comma", br"m,\,=\, f=1", "m", &[(",", ",")], ONE, None),
    ("tag: an escaped = comes first", br"m,\==\= f=1", "m", &[("=", "=")], ONE, None),
    ("tag: quotes are ordinary", b"m,\"t\"=\"a\" f=1", "m", &[("\"t\"", "\"a\"")], ONE, None),
    ("tag: a quote that never closes", b"m,t=\"a f=1", "m", &[("t", "\"a")], ONE, None),
    ("tag: # inside", b"m,#t=#a f=1", "m", &[("#t", "#a")], ONE, None),
    ("tag: UTF-8", "m,ключ=значение,🔥=é f=1".as_bytes(), "m", &[("ключ", "значение"), ("🔥", "é")], ONE, None),
    ("tag: the same twice is one", b"m,t=a,u=b,t=a f=1", "m", &[("t", "a"), ("u", "b")], ONE, None),
    ("tag: the same escaped tag twice is one", br"m,a\ b=c\,d,a\ b=c\,d f=1", "m", &[("a b", "c,d")], ONE, None),
    ("tag: keys differ by case", b"m,t=a,T=b f=1", "m", &[("t", "a"), ("T", "b")], ONE, None),

    ("field: escapes in the key", br"m a\,b\=c\ d=1", "m", &[], &[("a,b=c d", Float(1.0))], None),
    ("field: a backslash in the key is literal", br"m a\b\\c=1", "m", &[], &[(r"a\b\\c", Float(1.0))], None),
    ("field: \\\\ before = escapes it", br"m a\\=b=1", "m", &[], &[(r"a\=b", Float(1.0))], None),
    ("field: an escaped = before a quote opens no string", br#"m a\="b=1"#, "m", &[], &[("a=\"b", Float(1.0))], None),
    ("field: quotes in the key", b"m \"a\"=1", "m", &[], &[("\"a\"", Float(1.0))], None),
    ("field: # in the key", b"m #a=1", "m", &[], &[("#a", Float(1.0))], None),
    ("field: an escaped space starts the key", br"m \ a=1", "m", &[], &[(" a", Float(1.0))], None),
    ("field: UTF-8", "m °C=1".as_bytes(), "m", &[], &[("°C", Float(1.0))], None),
    ("field: the same twice is one", b"m f=1,g=2i,f=1", "m", &[], &[("f", Float(1.0)), ("g", Int(2))], None),
    ("field: the same value in other digits", b"m f=1,f=1.0,f=10e-1", "m", &[], ONE, None),
    ("field: the same string in other escapes", br#"m f="\n",f="\\n""#, "m", &[], &[("f", Str(r"\n"))], None),
    ("field: the same boolean in other words", b"m f=t,f=TRUE", "m", &[], &[("f", True)], None),
    ("field: a tag and a field of one name", b"m,f=a f=1", "m", &[("f", "a")], ONE, None),
    ("field: called time", b"m time=1", "m", &[], &[("time", Float(1.0))], None),

    ("int", b"m a=0i,b=-0i,c=42i,d=-42i", "m", &[], &[("a", Int(0)), ("b", Int(0)), ("c", Int(42)), ("d", Int(-42))], None),
    ("int: both ends", b"m a=9223372036854775807i,b=-9223372036854775808i", "m", &[], &[("a", Int(i64::MAX)), ("b", Int(i64::MIN))], None),
    ("int: leading zeros", b"m a=007i,b=-0000000000000000000000000000000000000001i", "m", &[], &[("a", Int(7)), ("b", Int(-1))], None),
    ("uint", b"m a=0u,b=18446744073709551615u,c=0000000000000000000000000000000000000001u", "m", &[],
        &[("a", Uint(0)), ("b", Uint(u64::MAX)), ("c", Uint(1))], None),
    ("float: without a dot", b"m a=100,b=-100,c=007", "m", &[], &[("a", Float(100.0)), ("b", Float(-100.0)), ("c", Float(7.0))], None),
    ("float: dots at the ends", b"m a=1.,b=.5,c=-1.,d=-.5", "m", &[],
        &[("a", Float(1.0)), ("b", Float(0.5)), ("c", Float(-1.0)), ("d", Float(-0.5))], None),
    ("float: exponents", b"m a=1e3,b=1E3,c=1e+3,d=1e-3,e=1.e1,f=.5e1,g=-1.5E-2", "m", &[],
        &[("a", Float(1e3)), ("b", Float(1e3)), ("c", Float(1e3)), ("d", Float(1e-3)), ("e", Float(10.0)), ("f", Float(5.0)), ("g", Float(-0.015))], None),
    ("float: minus zero", b"m a=-0,b=-0.0", "m", &[], &[("a", Float(-0.0)), ("b", Float(-0.0))], None),
    ("float: the largest", b"m a=1.7976931348623157e308", "m", &[], &[("a", Float(f64::MAX))], None),
    ("float: the smallest, and below", b"m a=5e-324,b=1e-400", "m", &[], &[("a", Float(5e-324)), ("b", Float(0.0))], None),
    ("float: more digits than it holds", b"m a=0.1000000000000000055511151231257827,b=123456789012345678901234567890", "m", &[],
        &[("a", Float(0.1)), ("b", Float(123456789012345678901234567890.0))], None),
    ("bool: true", b"m a=t,b=T,c=true,d=True,e=TRUE", "m", &[], &[("a", True), ("b", True), ("c", True), ("d", True), ("e", True)], None),
    ("bool: false", b"m a=f,b=F,c=false,d=False,e=FALSE", "m", &[],
        &[("a", False), ("b", False), ("c", False), ("d", False), ("e", False)], None),

    ("string", br#"m a="text",b="""#, "m", &[], &[("a", Str("text")), ("b", Str(""))], None),
    ("string: escapes", br#"m a="say \"hi\" C:\\dir""#, "m", &[], &[("a", Str(r#"say "hi" C:\dir"#))], None),
    ("string: other backslashes stay", br#"m a="\n\t\,\ \=""#, "m", &[], &[("a", Str(r"\n\t\,\ \="))], None),
    ("string: \\\\ before the closing quote", br#"m a="C:\\",b=1"#, "m", &[], &[("a", Str(r"C:\")), ("b", Float(1.0))], None),
    ("string: delimiters", b"m a=\"x, y=z \",b=1 5", "m", &[], &[("a", Str("x, y=z ")), ("b", Float(1.0))], Some(5)),
    ("string: raw LF, CR, tab and NUL", b"m a=\"1\n2\r3\r\n4\t5\x006\x0b\x0c\" 5\n", "m", &[],
        &[("a", Str("1\n2\r3\r\n4\t5\x006\x0b\x0c"))], Some(5)),
    ("string: looks like lines", b"m a=\"\nm b=1 1\n# no comment\n\n\" 5\n", "m", &[], &[("a", Str("\nm b=1 1\n# no comment\n\n"))], Some(5)),
    ("string: a raw CR before its end", b"m a=\"x\r\"\r\n", "m", &[], &[("a", Str("x\r"))], None),
    ("string: UTF-8", "m a=\"Größe 5 µm 🔥\"".as_bytes(), "m", &[], &[("a", Str("Größe 5 µm 🔥"))], None),
    ("string: =\" inside", br#"m a="b=\"c\"",d="e""#, "m", &[], &[("a", Str(r#"b="c""#)), ("d", Str("e"))], None),

    ("control bytes in names are ordinary", b"m\x00\x01,\x7ft\x1b=\x08a f\x1f=1", "m\0\x01", &[("\x7ft\x1b", "\x08a")], &[("f\x1f", Float(1.0))], None),

    ("time: zero and minus one", b"m f=1 0", "m", &[], ONE, Some(0)),
    ("time: minus one", b"m f=1 -1", "m", &[], ONE, Some(-1)),
    ("time: the last", b"m f=1 9223372036854775807", "m", &[], ONE, Some(i64::MAX)),
    ("time: the first", b"m f=1 -9223372036854775808", "m", &[], ONE, Some(i64::MIN)),
    ("time: leading zeros", b"m f=1 -00000000000000000000000000000005", "m", &[], ONE, Some(-5)),
];

#[test]
fn every_good_line_of_the_table_says_what_the_table_says() {
    for &(rule, line, measurement, tags, fields, time) in TABLE {
        let shown = format!("{rule}: {}", line.escape_ascii());
        let Outcome::Line {
            offset,
            measurement: got_measurement,
            tags: got_tags,
            fields: got_fields,
            time: got_time,
            raw,
            ..
        } = one(line)
        else {
            panic!("{shown}: {:?}", one(line));
        };
        let tags: Vec<(String, String)> = tags
            .iter()
            .map(|&(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        let fields: Vec<(String, Value)> = fields
            .iter()
            .map(|&(key, value)| (key.to_owned(), value.into()))
            .collect();
        assert_eq!(got_measurement, measurement, "{shown}");
        assert_eq!(got_tags, tags, "{shown}");
        assert_eq!(got_fields, fields, "{shown}");
        assert_eq!(got_time, time, "{shown}");
        assert_eq!(offset, 0, "{shown}");
        let ends: [&[u8]; 4] = [b"", b"\n", b"\r", b"\r\n"];
        assert!(ends.iter().any(|end| [&raw, *end].concat() == line), "{shown}");
    }
}

impl From<V> for Value {
    fn from(value: V) -> Self {
        match value {
            Float(float) => Self::Float(float.to_bits()),
            Int(int) => Self::Int(int),
            Uint(uint) => Self::Uint(uint),
            True => Self::Boolean(true),
            False => Self::Boolean(false),
            Str(text) => Self::String(text.to_owned()),
        }
    }
}

#[test]
fn times_are_scaled_by_the_precision() {
    let time = |line: &[u8], precision| match &outcomes(line, precision, Limits::default())[..] {
        [Outcome::Line { time, .. }] => *time,
        other => panic!("{other:?}"),
    };
    assert_eq!(time(b"m f=1 -7", Precision::Ns), Some(-7));
    assert_eq!(time(b"m f=1 -7", Precision::Us), Some(-7_000));
    assert_eq!(time(b"m f=1 -7", Precision::Ms), Some(-7_000_000));
    assert_eq!(time(b"m f=1 -7", Precision::S), Some(-7_000_000_000));
    assert_eq!(time(b"m f=1 9223372036", Precision::S), Some(9_223_372_036_000_000_000));
    assert_eq!(time(b"m f=1", Precision::S), None);
}

#[test]
fn blank_lines_and_comments_are_no_lines() {
    let nothing: &[&[u8]] = &[
        b"",
        b"\n",
        b"\r\n",
        b"\r",
        b"  ",
        b"   \n",
        b"   \r\n",
        b" \n\n\r\n  \r",
        b"#",
        b"# m f=1",
        b"  # m f=1 5\n",
        b"#\r\n#\n",
        b"# a=\"\n# \"\n",
        b"# \xff\t\x0b\n",
        b"#\r#\n",
    ];
    for input in nothing {
        let got = outcomes(input, Precision::Ns, Limits::default());
        assert!(got.is_empty(), "{}: {got:?}", input.escape_ascii());
    }
}

#[test]
fn a_line_may_be_exactly_as_long_as_the_limit_and_have_as_many_tags_and_fields() {
    let line = b"m,t=a,u=b f=1,g=\"x\ny\" 5";
    let limits = Limits {
        line_bytes: line.len(),
        tags: 2,
        fields: 2,
    };
    for end in [&b""[..], b"\n", b"\r\n", b"\nm f=1\n"] {
        let input = [line, end].concat();
        let got = outcomes(&input, Precision::Ns, limits);
        assert!(matches!(&got[0], Outcome::Line { raw, .. } if raw == line), "{got:?}");
    }
}

#[test]
fn many_fields_are_read_and_repetitions_found_among_them() {
    let fields: Vec<String> = (0..500).map(|index| format!("field_{index}={index}i")).collect();
    let line = format!("m {},{}", fields.join(","), fields[400]);
    let Outcome::Line { fields: got, .. } = one(line.as_bytes()) else {
        panic!("{:?}", one(line.as_bytes()));
    };
    assert_eq!(got.len(), 500);
    assert_eq!(got[499], ("field_499".to_owned(), Value::Int(499)));
}
