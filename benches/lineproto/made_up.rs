//! Lines that Telegraf sends as well, though not its cpu and mem inputs: very wide ones, and ones that are mostly text.

use std::collections::BTreeSet;

use diurnal::simulate::Random;

/// 2020-06-19T12:00:00Z, in milliseconds.
const FIRST_MS: u64 = 1_592_568_000_000;

/// Fields of a wide line.
const WIDE_FIELDS: usize = 200;

/// What a field of a wide line holds.
#[derive(Clone, Copy)]
enum Kind {
    Float,
    Share,
    Counter,
    Small,
    Boolean,
    Text,
}

/// Lines of 200 fields of all types in random order, as the inputs of databases and of network devices send them.
pub fn wide(bytes: usize) -> String {
    let mut random = Random::new(2);
    let mut fields: Vec<(String, Kind)> = wide_keys(&mut random)
        .into_iter()
        .map(|key| {
            let kind = match random.below(100) {
                0..25 => Kind::Float,
                25..45 => Kind::Share,
                45..70 => Kind::Counter,
                70..90 => Kind::Small,
                90..96 => Kind::Boolean,
                _ => Kind::Text,
            };
            (key, kind)
        })
        .collect();
    let mut text = String::with_capacity(bytes + bytes / 8);
    for number in 0u64.. {
        if text.len() >= bytes {
            break;
        }
        random.shuffle(&mut fields);
        let values: Vec<String> = fields
            .iter()
            .map(|(key, kind)| format!("{key}={}", value(*kind, number, &mut random)))
            .collect();
        let time = FIRST_MS + number * 100 + random.below(20_000);
        let line = format!(
            "database,host=db-{:02},port=3306 {} {time}000000\n",
            number % 20,
            values.join(",")
        );
        text.push_str(&line);
    }
    text
}

fn wide_keys(random: &mut Random) -> BTreeSet<String> {
    const GROUPS: [&str; 12] = [
        "innodb", "com", "handler", "threads", "binlog", "table", "qcache", "key", "ssl", "sort", "perf", "slave",
    ];
    const THINGS: [&str; 14] = [
        "buffer_pool",
        "pages",
        "log",
        "row_lock",
        "cache",
        "opened",
        "blocks",
        "data",
        "reads",
        "rnd",
        "select",
        "update",
        "files",
        "connections",
    ];
    const MEASURES: [&str; 12] = [
        "total", "bytes", "waits", "time_avg", "created", "written", "free", "misc", "used", "hits", "misses", "max",
    ];
    let mut keys = BTreeSet::new();
    let mut pick = |words: &[&'static str]| words[random.below(words.len() as u64) as usize];
    while keys.len() < WIDE_FIELDS {
        keys.insert(format!("{}_{}_{}", pick(&GROUPS), pick(&THINGS), pick(&MEASURES)));
    }
    keys
}

fn value(kind: Kind, number: u64, random: &mut Random) -> String {
    match kind {
        Kind::Float => (random.below(10_000_000) as f64 / 1_000.0).to_string(),
        Kind::Share => (100.0 * random.below(9_973) as f64 / 9_973.0).to_string(),
        Kind::Counter => format!("{}i", number * 1_000_003 + random.below(1 << 40)),
        Kind::Small => {
            let end = 1 + random.below(1_000);
            format!("{}i", random.below(end))
        }
        Kind::Boolean => (random.below(2) == 0).to_string(),
        Kind::Text => {
            const TEXTS: [&str; 6] = ["ON", "OFF", "Primary", "Sync running", "8.0.36-log", "no, not yet"];
            format!("\"{}\"", TEXTS[random.below(6) as usize])
        }
    }
}

/// Lines of `inputs.syslog`: a message of 60 to 400 bytes, a few numbers.
pub fn strings(bytes: usize) -> String {
    const APPS: [&str; 6] = ["nginx", "postgres", "kernel", "sshd", "checkout", "java"];
    let mut random = Random::new(3);
    let mut text = String::with_capacity(bytes + bytes / 8);
    for number in 0u64.. {
        if text.len() >= bytes {
            break;
        }
        let time = FIRST_MS + number * 10 + random.below(20_000);
        let app = APPS[random.below(6) as usize];
        let mut fields = [
            format!("message=\"{}\"", message(&mut random)),
            format!("procid=\"{}\"", random.below(60_000)),
            format!("severity_code={}i", random.below(8)),
            format!("facility_code={}i", random.below(24)),
            format!("timestamp={time}000000i"),
            "version=1i".to_owned(),
        ];
        random.shuffle(&mut fields);
        let host = random.below(40);
        let line = format!(
            "syslog,appname={app},facility=daemon,host=web-{host:02},severity=info {} {time}000000\n",
            fields.join(",")
        );
        text.push_str(&line);
    }
    text
}

/// A log message as it stands in a quoted string: words with commas and equals signs, and in a part of the messages quotes and
/// backslashes, which are escaped, letters beyond ASCII, or several rows of a stack trace.
fn message(random: &mut Random) -> String {
    const PLAIN: [&str; 16] = [
        "connection",
        "from",
        "10.0.3.17",
        "port=51422",
        "closed,",
        "status=200",
        "GET",
        "/api/v1/orders?id=77&full=true",
        "took",
        "12.5ms,",
        "user=anna",
        "retry",
        "in",
        "session",
        "opened;",
        "[warn]",
    ];
    const QUOTED: [&str; 4] = [
        "\\\"not found\\\"",
        "msg=\\\"timed out\\\",",
        "{\\\"id\\\":",
        "\\\"GET / HTTP/1.1\\\"",
    ];
    const PATHS: [&str; 3] = ["C:\\\\Windows\\\\Temp\\\\a.log", "\\\\d+\\\\.\\\\w*", "DOMAIN\\\\svc"];
    const FOREIGN: [&str; 5] = ["Größe überschritten:", "naïve", "接続が切れました", "→", "файл"];
    const TRACE: [&str; 3] = [
        "\n\tat com.shop.Order.place(Order.java:117)",
        "\n\tat com.shop.Main.run(Main.java:9)",
        "\nCaused by: java.io.IOException: broken pipe",
    ];
    let special: &[&str] = match random.below(100) {
        0..20 => &QUOTED,
        20..30 => &PATHS,
        30..40 => &FOREIGN,
        40..45 => &TRACE,
        _ => &PLAIN,
    };
    let length = 60 + random.below(300) as usize;
    let mut message = String::new();
    while message.len() < length {
        let words = if random.below(4) == 0 { special } else { &PLAIN };
        if !message.is_empty() {
            message.push(' ');
        }
        message.push_str(words[random.below(words.len() as u64) as usize]);
    }
    message
}
