//! Input that is meant to hurt. Each case makes a given number of bytes, a little more where the last line needs it.

use std::fmt::Write as _;

use diurnal::simulate::Random;

/// How the bytes are given to diurnal.
#[derive(Clone, Copy, Debug)]
pub enum Feed {
    /// In blocks of whole lines, as from a file.
    Blocks,
    /// In messages of so many bytes.
    Messages(usize),
}

/// One kind of hostile input.
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// What it looks like.
    pub about: &'static str,
    /// Bytes of its smallest size; the largest has 16 times as many.
    pub unit: usize,
    pub feed: Feed,
    pub make: fn(usize) -> Vec<u8>,
}

/// Enough for a few milliseconds, and 16 times as many still fit one line.
const UNIT: usize = 256 << 10;

/// For what is about the reach of quotes, 16 MiB by default: the largest size has twice as many.
const FAR: usize = 2 << 20;

/// For what needs far more memory than it has bytes.
const TINY: usize = 8 << 10;

const fn case(name: &'static str, about: &'static str, make: fn(usize) -> Vec<u8>) -> Case {
    Case {
        name,
        about,
        unit: UNIT,
        feed: Feed::Blocks,
        make,
    }
}

/// All cases.
pub const CASES: &[Case] = &[
    // Much that is new.
    case("measurements", "each line its own measurement", |bytes| {
        lines(bytes, |n, line| write!(line, "m{n} v=1 {TIME}"))
    }),
    case("series", "each line its own series", |bytes| {
        lines(bytes, |n, line| write!(line, "cpu,host=h{n} usage_idle=1 {TIME}"))
    }),
    case(
        "alike-series",
        "series that differ in the middle of a long tag only",
        |bytes| {
            lines(bytes, |n, line| {
                write!(line, "cpu,host=the_same{n:08}the_same usage_idle=1 {TIME}")
            })
        },
    ),
    case("tag-keys", "each line its own tag key", |bytes| {
        lines(bytes, |n, line| write!(line, "m,t{n}=x v=1 {TIME}"))
    }),
    case(
        "tag-orders",
        "one series, 20 tags in another order each line",
        |bytes| {
            let mut random = Random::new(5);
            let mut tags: Vec<String> = (0..20).map(|tag| format!(",tag{tag}=value")).collect();
            lines(bytes, |_, line| {
                random.shuffle(&mut tags);
                write!(line, "m{} v=1 {TIME}", tags.concat())
            })
        },
    ),
    case("many-tags", "1,000 tags a line, all values new", |bytes| {
        lines(bytes, |n, line| {
            line.push('m');
            (0..1_000).try_for_each(|tag| write!(line, ",t{tag}={n}"))?;
            write!(line, " v=1 {TIME}")
        })
    }),
    Case {
        unit: TINY,
        ..case("field-keys", "each line two field keys of its own", |bytes| {
            lines(bytes, |n, line| write!(line, "m f{n}=1,g{n}=2 {TIME}"))
        })
    },
    Case {
        unit: 8 * TINY,
        ..case("wide-field-keys", "each line 1,000 field keys of its own", |bytes| {
            lines(bytes, |n, line| {
                fields(line, 1_000, |field, line| write!(line, "f{n}_{field}=1"))
            })
        })
    },
    Case {
        unit: 4 * TINY,
        ..case("sparse", "one field a line, of 1,000 keys in turn", |bytes| {
            lines(bytes, |n, line| write!(line, "m f{}=1 {TIME}", n % 1_000))
        })
    },
    // Keys that look alike, and many of them.
    case(
        "alike-keys-60",
        "60 keys a line that share length, first and last 8 bytes",
        |bytes| lines(bytes, |_, line| alike_keys(line, 60)),
    ),
    case("alike-keys-8000", "8,000 of them a line", |bytes| {
        lines(bytes, |_, line| alike_keys(line, 8_000))
    }),
    case("many-fields", "16,000 fields a line", |bytes| {
        lines(bytes, |_, line| {
            fields(line, 16_000, |n, line| write!(line, "f{n}={n}"))
        })
    }),
    case("too-many-fields", "one line of new fields, past the limit", |bytes| {
        one_line("m ", bytes, |n| format!("f{n}=1,"))
    }),
    case(
        "after-many-fields",
        "66 fields a line, after a line of 16,000",
        |bytes| {
            lines(bytes, |n, line| {
                fields(line, if n == 0 { 16_000 } else { 66 }, |n, line| write!(line, "f{n}=1"))
            })
        },
    ),
    case("repeated-key", "the 63rd of 63 keys 10,000 times", |bytes| {
        lines(bytes, |_, line| {
            fields(line, 10_000, |n, line| write!(line, "key{}=1", n.min(62)))
        })
    }),
    // One line without end.
    case("endless-digits", "one line, a float of nothing but digits", |bytes| {
        one_line("m v=0.", bytes, |_| "7182818284".to_owned())
    }),
    case("endless-zeros", "one line, an integer of zeros", |bytes| {
        one_line("m v=", bytes, |_| "0".repeat(64))
    }),
    case("endless-name", "one line, a name", |bytes| {
        one_line("", bytes, |_| "measure".to_owned())
    }),
    case("endless-escapes", "one line, a name of escaped spaces", |bytes| {
        one_line("", bytes, |_| "\\ ".to_owned())
    }),
    case("endless-spaces", "one line, spaces after the measurement", |bytes| {
        one_line("m", bytes, |_| " ".repeat(64))
    }),
    case("endless-string", "one line, a string that closes", |bytes| {
        let mut text = one_line("m v=\"", bytes, |_| "text, ".to_owned());
        text.extend_from_slice(b"\" 1\n");
        text
    }),
    Case {
        unit: FAR,
        ..case(
            "open-string",
            "one string that never closes, without a line end",
            |bytes| one_line("m v=\"", bytes, |_| "text, ".to_owned()),
        )
    },
    Case {
        unit: FAR,
        ..case(
            "open-string-lines",
            "one string that never closes, over many lines",
            |bytes| one_line("m v=\"", bytes, |_| "m v=1 1\n".to_owned()),
        )
    },
    // Quotes and backslashes.
    Case {
        unit: FAR,
        ..case(
            "open-quotes",
            "every line leaves a string open, over all lines after it",
            |bytes| lines(bytes, |_, line| write!(line, "m v=\"a\",w=\"b")),
        )
    },
    Case {
        unit: FAR,
        ..case(
            "open-quotes-escaped",
            "the same with escaped quotes in between",
            |bytes| lines(bytes, |_, line| write!(line, "m v=\"\\\"\\\"\\\\\" w=\"\\\"\\\\\\\"")),
        )
    },
    case(
        "quote-a-line",
        "each line opens a string that the next one closes",
        |bytes| lines(bytes, |_, line| write!(line, "m v=\"a")),
    ),
    case("stray-quotes", "lines of quotes that open nothing", |bytes| {
        lines(bytes, |_, line| {
            line.push_str("m ");
            (0..200).try_for_each(|_| write!(line, "\""))
        })
    }),
    case("escaped-quotes", "strings of nothing but escaped quotes", |bytes| {
        lines(bytes, |_, line| write!(line, "m v=\"{}\" {TIME}", "\\\"".repeat(200)))
    }),
    case("backslash-strings", "strings of nothing but backslashes", |bytes| {
        lines(bytes, |_, line| write!(line, "m v=\"{}\" {TIME}", "\\".repeat(400)))
    }),
    case("backslashes", "lines of nothing but backslashes", |bytes| {
        lines(bytes, |_, line| write!(line, "{}", "\\".repeat(400)))
    }),
    case(
        "escaped-tags",
        "tags of escaped delimiters, each line a new one",
        |bytes| {
            lines(bytes, |n, line| {
                write!(line, "m,t={}{n} v=1 {TIME}", "\\ \\,\\=".repeat(30))
            })
        },
    ),
    // Bad lines.
    case("good-bad", "a good line, a bad one, and again", |bytes| {
        lines(bytes, |n, line| match n % 2 {
            0 => write!(line, "cpu,host=a usage_idle=97.5,usage_user=2.5 {TIME}"),
            _ => write!(line, "cpu,host=a usage_idle=97.5,usage_user=,usage_system=1 {TIME}"),
        })
    }),
    case("bad-at-the-end", "250 fields and a time that is none", |bytes| {
        lines(bytes, |_, line| {
            fields(line, 250, |n, line| write!(line, "f{n}=1"))?;
            write!(line, "x")
        })
    }),
    case("short-bad", "bad lines of one byte", |bytes| {
        lines(bytes, |_, line| write!(line, "x"))
    }),
    case("commas", "lines of nothing but commas", |bytes| {
        lines(bytes, |_, line| write!(line, "{}", ",".repeat(100)))
    }),
    case("equals", "lines of nothing but equals signs", |bytes| {
        lines(bytes, |_, line| write!(line, "{}", "=".repeat(100)))
    }),
    case("crs", "lines of nothing but carriage returns", |bytes| {
        lines(bytes, |_, line| write!(line, "{}", "\r".repeat(100)))
    }),
    case("types", "one field of all five types in turn", |bytes| {
        lines(bytes, |n, line| {
            write!(line, "m f={} {TIME}", ["1", "1i", "1u", "t", "\"1\""][n % 5])
        })
    }),
    case("misfits", "strings for a column of floats", |bytes| {
        lines(bytes, |_, line| write!(line, "cpu,host=a usage_idle=\"x\" {TIME}"))
    }),
    case("not-utf8", "lines whose last byte is no UTF-8", |bytes| {
        let mut text = lines(bytes, |_, line| write!(line, "m v=\"{}~\" 1", "größe ".repeat(20)));
        text.iter_mut()
            .filter(|byte| **byte == b'~')
            .for_each(|byte| *byte = 0xff);
        text
    }),
    // Numbers.
    case(
        "hard-floats",
        "25 digits close to the middle of two floats, any exponent",
        |bytes| hard_floats(bytes, ""),
    ),
    case("long-hard-floats", "the same with 675 more digits", |bytes| {
        hard_floats(bytes, &format!("{}1", "0".repeat(674)))
    }),
    // Next to nothing.
    case("short-good", "the shortest lines that are good", |bytes| {
        lines(bytes, |_, line| write!(line, "m v=1 1"))
    }),
    case("booleans", "one boolean a line", |bytes| {
        lines(bytes, |_, line| write!(line, "m v=t {TIME}"))
    }),
    case("short-and-long", "lines of 9 bytes and of 100 kB in turn", |bytes| {
        lines(bytes, |n, line| match n % 2_000 {
            0 => write!(line, "m v=\"{}\" 1", "x".repeat(100_000)),
            _ => write!(line, "m w=1 1"),
        })
    }),
    case("blank-lines", "line ends only", |bytes| vec![b'\n'; bytes]),
    case("blank-crlf", "line ends of two bytes only", |bytes| {
        b"\r\n".repeat(bytes / 2)
    }),
    case("spaces", "lines of spaces", |bytes| {
        lines(bytes, |_, line| write!(line, "{}", " ".repeat(100)))
    }),
    case("comments", "comments of one byte", |bytes| b"#\n".repeat(bytes / 2)),
    case("quoted-comments", "comments with quotes", |bytes| {
        lines(bytes, |_, line| write!(line, "# m v=\"a\" w=\""))
    }),
    Case {
        feed: Feed::Messages(1),
        ..case("messages-of-1", "bad messages of one byte", |bytes| vec![b'x'; bytes])
    },
    Case {
        feed: Feed::Messages(1),
        ..case("blank-messages", "messages that are a line end", |bytes| {
            vec![b'\n'; bytes]
        })
    },
    Case {
        feed: Feed::Messages(8),
        ..case("short-messages", "the shortest good messages", |bytes| {
            b"m v=1 1\n".repeat(bytes / 8)
        })
    },
];

/// A time as Telegraf sends it.
const TIME: u64 = 1_592_568_000_000_000_000;

/// Numbered lines until there are enough bytes.
fn lines(bytes: usize, mut write_line: impl FnMut(usize, &mut String) -> std::fmt::Result) -> Vec<u8> {
    let mut text = String::with_capacity(bytes + bytes / 8);
    for number in 0.. {
        if text.len() >= bytes {
            break;
        }
        write_line(number, &mut text).expect("a string takes everything");
        text.push('\n');
    }
    text.into_bytes()
}

/// One line: a start, then pieces until there are enough bytes.
fn one_line(start: &str, bytes: usize, piece: impl Fn(usize) -> String) -> Vec<u8> {
    let mut text = start.to_owned();
    for number in 0.. {
        if text.len() >= bytes {
            break;
        }
        text.push_str(&piece(number));
    }
    text.into_bytes()
}

fn fields(
    line: &mut String,
    count: usize,
    write_field: impl Fn(usize, &mut String) -> std::fmt::Result,
) -> std::fmt::Result {
    line.push('m');
    for number in 0..count {
        line.push(if number == 0 { ' ' } else { ',' });
        write_field(number, line)?;
    }
    write!(line, " {TIME}")
}

fn alike_keys(line: &mut String, count: usize) -> std::fmt::Result {
    fields(line, count, |n, line| write!(line, "usage_of{n:04}_percent=1"))
}

/// Decimals so close to the point halfway between two floats that 19 digits, which fit a word, do not say which one is meant: the
/// quick ways of reading a float all give up.
fn hard_floats(bytes: usize, more_digits: &str) -> Vec<u8> {
    let mut random = Random::new(4);
    let mut halfway = || loop {
        let float = f64::from_bits(random.bits() >> 1);
        if float.is_normal()
            && let Some(text) = halfway_to_next(float, more_digits)
        {
            return text;
        }
    };
    let some: Vec<String> = (0..1_000).map(|_| halfway()).collect();
    lines(bytes, |n, line| {
        let value = |index: usize| &some[(4 * n + index) % some.len()];
        write!(
            line,
            "m a={},b={},c={},d={} {TIME}",
            value(0),
            value(1),
            value(2),
            value(3)
        )
    })
}

/// The first 25 digits of the number in the middle of a positive float and the next one, where their exponents are the same, then
/// more digits.
fn halfway_to_next(float: f64, more_digits: &str) -> Option<String> {
    // 30 digits of both; their sum fits 128 bits.
    let (below, above) = (format!("{float:.29e}"), format!("{:.29e}", float.next_up()));
    let (below, exponent) = below.split_once('e')?;
    let (above, other) = above.split_once('e')?;
    let digits = |text: &str| text.replace('.', "").parse::<u128>().ok();
    let middle = ((digits(below)? + digits(above)?) / 2).to_string();
    let (first, rest) = middle.split_at(1);
    (exponent == other).then(|| format!("{first}.{}{more_digits}e{exponent}", &rest[..24]))
}
