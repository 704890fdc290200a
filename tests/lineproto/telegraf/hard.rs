//! The metrics that are hard to write or to read: awkward texts in every place of a line, extreme numbers, large metrics, names
//! that mean something elsewhere.

use super::metric::Metric;
use crate::lineproto::reference::Value;

/// 2020-06-19T12:00:00Z in nanoseconds, the time of the first one; each has a time of its own.
pub const START: i64 = 1_592_568_000_000_000_000;

/// What separates, quotes, escapes or ends something in line protocol.
const DELIMITERS: [&str; 8] = [",", " ", "=", "\"", "\\", "#", "\n", "\r\n"];

/// Where a delimiter stands: `_` is it, the rest stands around it.
const AROUND: [&str; 12] = [
    "_", "a_b", "_b", "a_", r"a\_b", r"a\\_b", r"a\\\_b", r"\_", r"\\_", r"a_\b", "a__b", r"a_\",
];

/// Texts that are read as something else by a reader that is not careful.
const WORDS: [&str; 49] = [
    // Every delimiter, with and without backslashes.
    r#"a,b c=d"e\f#g"#,
    r#"a\,b\ c\=d\"e\\f\#g"#,
    r#"a\\,b\\ c\\=d\\"e\\\f, ="\,\ \=\""#,
    // Unicode: composed and combining, right to left, marks and separators without width, four bytes, the ends of ranges.
    "größe",
    "e\u{301}",
    "\u{301}",
    "مرحبا",
    "\u{202e}abc\u{202c}",
    "\u{200f}",
    "a\u{200d}b",
    "\u{feff}a",
    "a\u{2028}b\u{2029}",
    "\u{85}",
    "\u{a0}",
    "\u{3000}",
    "日本語",
    "🔥",
    "👩\u{200d}👩\u{200d}👧",
    "\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}",
    "\u{fffd}",
    // Values.
    "1",
    "1i",
    "1u",
    "t",
    "false",
    "NaN",
    "null",
    "-0",
    r#""quoted""#,
    r#"\"quoted\""#,
    // Lines, parts of them and more than one.
    "m,t=a f=1 5",
    "m f=\"a\nb\" 5\nm f=1",
    "# comment",
    "a\nb f=1i 1\n",
    "=\"",
    "a=\"b",
    ",t=a",
    " f=1",
    r"\\\\",
    r"\\\\ ",
    r"\n\t\r",
    r"C:\dir\file",
    // Files, SQL and spreadsheets.
    "..",
    "../../x",
    ".hidden",
    "_diurnal",
    "%2F",
    "a/b",
    "'; drop table cpu; --",
];

/// Names that mean something to SQL or to diurnal.
const RESERVED: [&str; 14] = [
    "select",
    "from",
    "where",
    "order",
    "group",
    "table",
    "null",
    "true",
    "user",
    "end",
    "row",
    "value",
    "exclude",
    "timestamp",
];

/// Floats whose text is long, short or at the edge of what there is.
const FLOATS: [f64; 34] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    100.0,
    0.1,
    0.1 + 0.2,
    1.0 / 3.0,
    99.39879759519037,
    123_456_789.123_456_78,
    -123_456_789.123_456_78,
    9_007_199_254_740_991.0,
    9_007_199_254_740_992.0,
    9_007_199_254_740_994.0,
    1e15,
    1e16,
    1e17,
    1e21,
    1e22,
    1e23,
    8.41e21,
    1e100,
    1e-7,
    1e-300,
    5e-324,
    -5e-324,
    2.225_073_858_507_201e-308,
    f64::MIN_POSITIVE,
    f64::EPSILON,
    f64::MAX,
    f64::MIN,
    1.797_693_134_862_315_5e308,
    9_223_372_036_854_775_808.0,
    18_446_744_073_709_551_616.0,
];

/// All of them. The type of a field follows from measurement and key, so that one archive holds them all.
pub fn metrics() -> Vec<Metric> {
    let mut metrics = Vec::new();
    for text in texts() {
        metrics.extend(in_every_place(&text));
    }
    metrics.extend(numbers());
    metrics.extend(large());
    metrics.extend(names());
    metrics.extend(dropped());
    for (metric, time) in metrics.iter_mut().zip(START..) {
        metric.time = time;
    }
    // Times that the parser takes like any other.
    for time in [0, -1, 1, i64::MIN, i64::MIN + 1, i64::MAX] {
        metrics.push(Metric::new("times").int("f", 1).at(time));
    }
    metrics
}

fn texts() -> Vec<String> {
    let around = |delimiter: &str| AROUND.map(|around| around.replace('_', delimiter));
    let mut texts: Vec<String> = DELIMITERS.into_iter().flat_map(around).collect();
    texts.extend(WORDS.map(str::to_owned));
    texts.extend((0..0x20).chain([0x7f]).map(|byte| format!("a{}b", char::from(byte))));
    texts.extend(["\0", "\t", "\r", "\x0b", "\x0c"].map(str::to_owned));
    texts.push(String::new());
    texts.sort();
    texts.dedup();
    texts
}

/// One metric for each place that takes a text. Backslashes at the end of a measurement and of a field key have a test of
/// their own.
fn in_every_place(text: &str) -> Vec<Metric> {
    let mut metrics = vec![
        Metric::new("a tag's key").tag(text, "v").tag("z", "last").int("f", 1),
        Metric::new("a tag's value").tag("k", text).tag("z", "last").int("f", 1),
        Metric::new("a string")
            .string("f", text)
            .string("in quotes", format!("\"{text}\"")),
    ];
    if !text.ends_with('\\') {
        metrics.push(Metric::new(text).int("f", 1).int("g", 2));
        metrics.push(Metric::new(text).tag("k", "v").int("f", 1));
        metrics.push(Metric::new("a field's key").int(text, 1).int("last", 2));
        metrics.push(Metric::new("a field's key").int("first", 1).int(text, 2));
        // One text everywhere, so that every delimiter meets every other.
        metrics.push(Metric::new(text).tag(text, text).string(text, text));
    }
    metrics
}

fn numbers() -> Vec<Metric> {
    let ints = [0, 1, -1, 42, i64::MIN, i64::MIN + 1, i64::MAX, i64::MAX - 1, 1 << 53];
    let uints = [0, 1, 42, i64::MAX as u64, 1 << 63, u64::MAX - 1, u64::MAX];
    let mut all = Metric::new("numbers");
    for (number, value) in FLOATS.into_iter().enumerate() {
        all = all.float(format!("float {number}"), value);
    }
    for (number, value) in ints.into_iter().enumerate() {
        all = all.int(format!("int {number}"), value);
    }
    for (number, value) in uints.into_iter().enumerate() {
        all = all.field(format!("u:{number}"), Value::Uint(value));
    }
    for boolean in [true, false] {
        all = all.field(format!("boolean {boolean}"), Value::Boolean(boolean));
    }
    let one = |value: &f64| Metric::new("float").float("f", *value);
    let alone = FLOATS.iter().map(one);
    let neighbours = (0..64).flat_map(|power| {
        let two = 2f64.powi(power * 16 - 512);
        [two.next_down(), two, two.next_up()].map(|value| one(&value))
    });
    alone.chain(neighbours).chain([all]).collect()
}

fn large() -> Vec<Metric> {
    let mut wide = Metric::new("wide");
    for index in 0..30 {
        wide = wide.tag(format!("tag, {index}"), format!("value = {index}\\"));
    }
    for index in 0..250i64 {
        wide = match index % 5 {
            0 => wide.int(format!("field, {index}"), i64::MIN + index),
            1 => wide.float(format!("field = {index}"), 1.0 / (index as f64)),
            2 => wide.string(format!("field \" {index}"), format!("a \"{index}\"\n\\")),
            3 => wide.field(format!("field \n {index}"), Value::Boolean(index % 2 == 0)),
            _ => wide.field(format!("u:{index}"), Value::Uint(u64::MAX - index as u64)),
        };
    }
    let mut long = Metric::new("long").tag("t", "ü ".repeat(5_000)).int("last", 1);
    for (key, piece) in [
        ("letters", "x"),
        ("quotes", "\""),
        ("backslashes", "\\"),
        ("mixed", "🔥\n\\\",= \0"),
    ] {
        long = long.string(key, piece.repeat(100_000 / piece.len()));
    }
    vec![wide, long]
}

fn names() -> Vec<Metric> {
    let mut reserved = Metric::new("select");
    for name in RESERVED {
        reserved = reserved.tag(name, name).string(name.to_uppercase(), name);
    }
    vec![
        reserved,
        Metric::new("time").tag("time", "a tag").int("time", 1),
        Metric::new("both").tag("same", "a tag").string("same", "a field"),
        Metric::new("cases")
            .tag("Host", "1")
            .tag("host", "2")
            .tag("Ä", "3")
            .tag("ä", "4")
            .int("Value", 1)
            .int("value", 2)
            .int("VALUE", 3)
            .int("ΣΑΣ", 4)
            .int("σας", 5),
    ]
}

/// Metrics of which Telegraf writes a part, or nothing, and those that it makes unreadable.
fn dropped() -> Vec<Metric> {
    let not_finite = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let mut metrics: Vec<Metric> = not_finite
        .into_iter()
        .flat_map(|value| {
            [
                Metric::new("not finite").float("f", value),
                Metric::new("not finite")
                    .int("first", 1)
                    .float("f", value)
                    .int("last", 2),
            ]
        })
        .collect();
    let two_tags = |first: &str, second: &str| Metric::new("twice").tag("k", first).tag("k\\", second).int("f", 1);
    metrics.extend([two_tags("a", "a"), two_tags("a", "b"), two_tags("a", "")]);
    let two_fields = |first, second| Metric::new("twice").int("a\tb", first).int(r"a\tb", second);
    metrics.extend([two_fields(1, 1), two_fields(1, 2)]);
    metrics
}
