//! The points of a case: measurements with their columns, and lines of points that meet, agree and contradict each other.

use diurnal::lineproto::Precision;

use crate::support::lines::Random;

/// An archive's zone, and instants (seconds) around which something happens to its days: midnights, changes of the clock, a day that
/// was skipped.
pub const ZONES: [(&str, &[i64]); 5] = [
    ("UTC", &[1_592_611_200, 1_583_020_800]),
    ("Asia/Kathmandu", &[1_592_590_500, 1_592_611_200]),
    (
        "Europe/Berlin",
        &[1_585_436_400, 1_585_443_600, 1_603_576_800, 1_603_587_600],
    ),
    ("Pacific/Chatham", &[1_585_995_300, 1_586_008_800]),
    ("Pacific/Apia", &[1_325_239_200]),
];

/// 2020-01-01T12:00:00Z, a day of which there are no other points.
const FIRST: i64 = 1_577_880_000_000_000_000;

const NAMES: [&str; 5] = ["declared one", "learned", "n,2", "Ünï=1", "_x.y"];
const TAGS: [&str; 4] = ["host", "rack", "zone id", "Ä"];
const TAG_VALUES: [&str; 6] = ["a", "b c", "ä", "=,", "A", "a\u{1F600}"];
const FIELDS: [&str; 8] = ["value", "load", "count", "ok", "select", "a,b=c", "Ö ö", "time"];
/// Columns that need other names than their keys, by what a commit saw before: a tag's key, and some that differ by case alone.
const CLASHES: [&str; 4] = ["host", "Value", "Extra", "extra"];
const TYPES: [&str; 5] = ["float", "int", "uint", "boolean", "string"];

const FLOATS: [&str; 12] = [
    "0",
    "-0",
    "1.5",
    "-1e300",
    "3",
    "5e-324",
    "-1.7976931348623157e308",
    "0.1",
    "1e21",
    "123456789.123456789",
    "-0.000001",
    "9007199254740993",
];
const INTS: [&str; 5] = ["0i", "-9223372036854775808i", "9223372036854775807i", "7i", "-1i"];
const UINTS: [&str; 4] = ["0u", "18446744073709551615u", "7u", "9223372036854775808u"];
const BOOLEANS: [&str; 4] = ["t", "false", "TRUE", "F"];
const STRINGS: [&str; 10] = [
    "\"\"",
    "\"a,\\\"b\\\"\"",
    "\"x\ny\"",
    "\"=SUM(A1)\"",
    "\"\r\"",
    "\" \"",
    "\"null\"",
    "\"ä\u{1F600}\"",
    "\"C:\\\\x\"",
    "\"a string that is longer than the others, so that it is none that is kept where it stands\"",
];

/// The lines that there may be.
pub struct Points {
    pub measurements: Vec<Measurement>,
    /// Whether an archive gets [`Points::first`] before all others. If not, its lines settle no type or name in another way than those of
    /// any other archive would.
    pub is_settled: bool,
    pub precision: Precision,
    /// Nanoseconds.
    times: Vec<i64>,
    is_micro: bool,
}

pub struct Measurement {
    name: &'static str,
    tags: Vec<&'static str>,
    fields: Vec<Field>,
    /// The text of its schema file, if it has one.
    pub declared: Option<String>,
}

struct Field {
    key: &'static str,
    ty: &'static str,
    is_declared: bool,
}

/// A line, and the point that it is of, unless it is to be rejected.
pub struct Line {
    pub text: String,
    pub point: Option<Point>,
}

/// Measurement, tags in order, time.
pub type Point = (usize, Vec<(&'static str, &'static str)>, i64);

impl Points {
    pub fn new(random: &mut Random, centres: &[i64], unit_is_micro: bool) -> Self {
        let is_settled = random.one_in(2);
        let precision = if random.one_in(4) { Precision::Us } else { Precision::Ns };
        let mut names = NAMES;
        random.shuffle(&mut names);
        let count = random.one_of(&[1, 1, 2, 3]);
        let is_micro = unit_is_micro || precision == Precision::Us;
        let times = (0..random.within(2..=24)).map(|_| instant(random, centres, is_micro));
        Self {
            times: times.collect(),
            measurements: names[..count]
                .iter()
                .map(|name| Measurement::new(random, name, is_settled))
                .collect(),
            is_settled,
            precision,
            is_micro: unit_is_micro,
        }
    }

    /// One line of each measurement with all of its columns: they settle types and names in the same way in every archive.
    pub fn first(&self) -> Vec<Line> {
        let line = |(number, measurement): (usize, &Measurement)| {
            let tags: Vec<_> = measurement.tags.iter().map(|key| (*key, "a")).collect();
            let fields = measurement.fields.iter().map(|field| (field.key, some_value(field.ty)));
            self.line(number, tags, &fields.collect::<Vec<_>>(), FIRST, true)
        };
        self.measurements.iter().enumerate().map(line).collect()
    }

    /// A time at which there are points, in milliseconds: what a Kafka message may have.
    pub fn millisecond(&self, random: &mut Random) -> i64 {
        random.one_of(&self.times).div_euclid(1_000_000)
    }

    /// A line of a point. Without a time, if there is one for lines that have none.
    pub fn any(&self, random: &mut Random, default_ms: Option<i64>) -> Line {
        let number = random.within(0..=self.measurements.len() - 1);
        let measurement = &self.measurements[number];
        let tags = measurement.tags.iter().filter_map(|key| {
            let value = random.one_of(&TAG_VALUES[..2 + key.len() % 5]);
            (!random.one_in(4)).then_some((*key, value))
        });
        let mut tags: Vec<_> = tags.collect();
        random.shuffle(&mut tags);
        let mut fields: Vec<&Field> = measurement.fields.iter().collect();
        random.shuffle(&mut fields);
        fields.truncate(random.within(1..=3));
        let may_differ = |field: &Field| self.is_settled || field.is_declared;
        let mut values: Vec<(&str, &str)> = fields
            .iter()
            .map(|field| (field.key, value(random, field.ty, may_differ(field))))
            .collect();
        let (time, has_time) = match default_ms.filter(|_| random.one_in(2)) {
            Some(time) => (time * 1_000_000, false),
            None => (random.one_of(&self.times), true),
        };
        if !random.one_in(24) {
            return self.line(number, tags, &values, time, has_time);
        }
        // One that is to be rejected.
        let mut line = self.line(number, tags.clone(), &values, time, has_time);
        match random.below(4) {
            0 if self.is_micro && self.precision == Precision::Ns => {
                line = self.line(number, tags, &values, time | 1, true);
            }
            1 => line = self.line(number, tags, &[("value", "")], time, has_time),
            2 => line = self.line(number, tags, &values, -FIRST, true),
            _ => match fields.iter().position(|field| may_differ(field)) {
                Some(place) => {
                    values[place].1 = wrong_value(fields[place].ty);
                    line = self.line(number, tags, &values, time, has_time);
                }
                None => line.text = "a\\ line,of=no kind".to_owned(),
            },
        }
        line.point = None;
        line
    }

    fn line(
        &self,
        number: usize,
        mut tags: Vec<(&'static str, &'static str)>,
        fields: &[(&str, &str)],
        time: i64,
        has_time: bool,
    ) -> Line {
        let mut text = escaped(self.measurements[number].name, ", ");
        for (key, value) in &tags {
            text += &format!(",{}={}", escaped(key, ",= "), escaped(value, ",= "));
        }
        for (place, (key, value)) in fields.iter().enumerate() {
            text += if place == 0 { " " } else { "," };
            text += &format!("{}={value}", escaped(key, ",= "));
        }
        if has_time {
            text += &format!(" {}", time / self.precision.nanoseconds());
        }
        tags.sort_unstable();
        Line {
            text,
            point: Some((number, tags, time)),
        }
    }
}

impl Measurement {
    fn new(random: &mut Random, name: &'static str, is_settled: bool) -> Self {
        let mut tags = TAGS;
        random.shuffle(&mut tags);
        let tags = tags[..random.within(0..=3)].to_vec();
        let mut keys = FIELDS;
        random.shuffle(&mut keys);
        let mut keys = keys[..random.within(1..=4)].to_vec();
        let clashes = if is_settled { CLASHES.as_slice() } else { &[] };
        keys.extend(clashes.iter().filter(|_| random.one_in(3)));
        let is_declared = random.one_in(2);
        let fields: Vec<Field> = keys
            .into_iter()
            .map(|key| Field {
                key,
                ty: random.one_of(&TYPES),
                is_declared: is_declared && key != "time" && !CLASHES.contains(&key) && !random.one_in(4),
            })
            .collect();
        Self {
            declared: is_declared.then(|| schema_file(random, name, &tags, &fields)),
            name,
            tags,
            fields,
        }
    }
}

fn schema_file(random: &mut Random, name: &str, tags: &[&str], fields: &[Field]) -> String {
    let mut text = format!("measurement = {name:?}\n");
    let mut extras = |text: &mut String| {
        if random.one_in(3) {
            *text += "unit = \"percent\"\n";
        }
        if random.one_in(3) {
            *text += "description = \"What it is, \\\"more or less\\\"\"\n";
        }
    };
    for tag in tags.iter().skip(tags.len() % 2) {
        text += &format!("[[tag]]\nname = {tag:?}\n");
        extras(&mut text);
    }
    for Field { key, ty, .. } in fields.iter().filter(|field| field.is_declared) {
        text += &format!("[[field]]\nname = {key:?}\ntype = \"{ty}\"\n");
        extras(&mut text);
    }
    text
}

/// A time near one of those, from nanoseconds to days beside it.
fn instant(random: &mut Random, centres: &[i64], is_micro: bool) -> i64 {
    let centre = random.one_of(centres) * 1_000_000_000;
    let finest = if is_micro { 1_000 } else { 1 };
    const SECOND: i64 = 1_000_000_000;
    let step = random.one_of(&[finest, SECOND, SECOND, 60 * SECOND, 3_600 * SECOND, 24 * 3_600 * SECOND]);
    let steps = if step > 3_600 * SECOND { 2 } else { 12 };
    centre + (random.below(2 * steps) as i64 - steps as i64) * step
}

fn some_value(ty: &str) -> &'static str {
    match ty {
        "float" => FLOATS[2],
        "int" => INTS[3],
        "uint" => UINTS[2],
        "boolean" => BOOLEANS[0],
        _ => STRINGS[6],
    }
}

/// A value that fits a column of this type; one of another type only where the column's is settled.
fn value(random: &mut Random, ty: &str, may_differ: bool) -> &'static str {
    if may_differ && random.one_in(6) {
        match ty {
            "float" => return random.one_of(&["3i", "7u", "-9007199254740992i"]),
            "int" => return random.one_of(&["7u", "0u"]),
            "uint" => return random.one_of(&["7i", "9223372036854775807i"]),
            _ => {}
        }
    }
    random.one_of(match ty {
        "float" => FLOATS.as_slice(),
        "int" => &INTS,
        "uint" => &UINTS,
        "boolean" => &BOOLEANS,
        _ => &STRINGS,
    })
}

/// A value that does not fit.
fn wrong_value(ty: &str) -> &'static str {
    match ty {
        "float" => "9007199254740993i",
        "int" => "1.5",
        "uint" => "-1i",
        "boolean" => "\"t\"",
        _ => "1",
    }
}

fn escaped(text: &str, special: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        if special.contains(letter) {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}
