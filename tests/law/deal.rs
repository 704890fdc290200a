//! Makes a case from a seed: first what there is to archive, then how it is dealt out.

use diurnal::format::{Formats, TimeUnit};
use diurnal::order::{LEAF_CELLS, LeafSize};

use super::case::{Case, Merge, Message, Partition, Run, Span, Step};
use super::common::Budget;
use super::disk::{Kill, Operation};
use super::points::{Line, Points, ZONES};
use crate::support::lines::Random;

/// What decides where a message comes to.
#[derive(Clone, Copy)]
enum Split {
    /// The measurement, as with agents on their own machines.
    Measurement,
    /// Its time: one archive ends about where the next one begins.
    Time,
    /// Nothing.
    Chance,
}

/// The parts of partitions and files that an archive gets.
#[derive(Default)]
struct Share {
    spans: Vec<Span>,
    imports: Vec<usize>,
}

pub fn case(seed: u64) -> Case {
    let random = &mut Random::new(seed);
    let (timezone, centres) = random.one_of(&ZONES);
    let time_unit = if random.one_in(4) { TimeUnit::Us } else { TimeUnit::Ns };
    let points = Points::new(random, centres, time_unit == TimeUnit::Us);
    // Parquet takes the most time.
    const BOTH: (bool, bool) = (true, true);
    const CSV: (bool, bool) = (false, true);
    let (parquet, csv) = random.one_of(&[BOTH, BOTH, (true, false), CSV, CSV, CSV]);
    let mut case = Case {
        seed,
        timezone,
        time_unit,
        precision: points.precision,
        formats: Formats { parquet, csv },
        leaf_size: LeafSize {
            rows: random.one_of(&[1, 2, 4, 4, 4, 8, 16]),
            cells: random.one_of(&[LEAF_CELLS, LEAF_CELLS, 20, 50]),
        },
        workers: random.one_of(&[1, 1, 1, 3]),
        schemas: points
            .measurements
            .iter()
            .filter_map(|one| one.declared.clone())
            .collect(),
        messages: Vec::new(),
        first: Vec::new(),
        partitions: Vec::new(),
        archives: Vec::new(),
        merges: Vec::new(),
        late: Vec::new(),
    };
    let split = random.one_of(&[Split::Measurement, Split::Time, Split::Chance]);
    messages(random, &points, split, &mut case);
    let archives = random.one_of(&[1, 2, 2, 3]);
    let shares = shares(random, split, archives, &case);
    case.archives = shares.iter().map(|share| runs(random, &case, share, true)).collect();
    case.merges = merges(random, archives);
    // Each partition goes on behind what was read of it.
    let mut rest = Share::default();
    for (partition, Partition { log, .. }) in case.partitions.iter().enumerate() {
        let read = shares.iter().flat_map(|share| &share.spans);
        let read = read.filter(|span| span.partition == partition).map(|span| span.to);
        let from = read.max().unwrap_or(0);
        if from < log.len() {
            rest.spans.push(Span {
                partition,
                from,
                to: log.len(),
            });
        }
    }
    let imports: Vec<usize> = (0..case.messages.len())
        .filter(|number| !case.first.contains(number))
        .collect();
    if random.one_in(2) && !imports.is_empty() {
        rest.imports = (0..random.within(1..=4)).map(|_| random.one_of(&imports)).collect();
        rest.imports.retain(|number| case.messages[*number].place.is_none());
    }
    if !rest.spans.is_empty() || !rest.imports.is_empty() {
        case.late = runs(random, &case, &rest, false);
    }
    case
}

fn messages(random: &mut Random, points: &Points, split: Split, case: &mut Case) {
    for number in 0..random.within(0..=3) {
        let (topic, topic_id) = random.one_of(&[("t", Some("id")), ("u", None)]);
        case.partitions.push(Partition {
            topic,
            topic_id,
            number: number as i32,
            log: Vec::new(),
            end: random.below(100) as i64,
        });
    }
    let most = if random.one_in(8) { 100 } else { 30 };
    let mut made: Vec<Message> = Vec::new();
    for _ in 0..random.within(3..=most) {
        let is_kafka = !case.partitions.is_empty() && !random.one_in(3);
        let timestamp_ms = (is_kafka && random.one_in(4)).then(|| points.millisecond(random));
        let count = random.one_of(&[1, 1, 1, 2, 3]);
        let lines: Vec<Line> = (0..count).map(|_| points.any(random, timestamp_ms)).collect();
        let mut message = Message::of(&lines);
        message.timestamp_ms = timestamp_ms;
        message.place = is_kafka.then_some((0, 0));
        made.push(message);
    }
    if matches!(split, Split::Time) {
        made.sort_by_key(Message::time);
    }
    for mut message in made {
        if message.place.is_some() {
            let number = match split {
                Split::Measurement => message.measurement() % case.partitions.len(),
                _ => random.within(0..=case.partitions.len() - 1),
            };
            let partition = &mut case.partitions[number];
            // Transactions and compaction leave gaps.
            let offset = partition.end + if random.one_in(5) { random.below(4) as i64 } else { 0 };
            partition.log.push((case.messages.len(), offset));
            partition.end = offset + 1 + i64::from(random.one_in(8));
            message.place = Some((number, offset));
        }
        case.messages.push(message);
    }
    if points.is_settled {
        let first = points.first().into_iter().map(|line| Message::of(&[line]));
        case.first = (case.messages.len()..).take(points.measurements.len()).collect();
        case.messages.extend(first);
    }
}

impl Message {
    fn of(lines: &[Line]) -> Self {
        let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        Self {
            // A comment and a blank line are no lines.
            text: texts.join("\n# comment\n\n"),
            place: None,
            timestamp_ms: None,
            lines: lines.len() as u64,
            rejected: lines.iter().filter(|line| line.point.is_none()).count() as u64,
            points: lines.iter().filter_map(|line| line.point.clone()).collect(),
        }
    }

    fn time(&self) -> i64 {
        self.points.first().map_or(0, |(_, _, time)| *time)
    }

    fn measurement(&self) -> usize {
        self.points.first().map_or(0, |(measurement, _, _)| *measurement)
    }
}

/// Deals everything out to archives. A partition is read by one or two of them, which may both have read a part of it; its end may be
/// left for later.
fn shares(random: &mut Random, split: Split, archives: usize, case: &Case) -> Vec<Share> {
    let mut shares: Vec<Share> = (0..archives).map(|_| Share::default()).collect();
    for (partition, Partition { log, .. }) in case.partitions.iter().enumerate() {
        let read = if random.one_in(3) {
            random.within(0..=log.len())
        } else {
            log.len()
        };
        let (one, other) = (random.within(0..=archives - 1), random.within(0..=archives - 1));
        let to = if one == other { read } else { random.within(0..=read) };
        shares[one].spans.push(Span { partition, from: 0, to });
        if one != other {
            let from = if random.one_in(2) { to } else { random.within(0..=to) };
            shares[other].spans.push(Span {
                partition,
                from,
                to: read,
            });
        }
    }
    let count = case.messages.len();
    for (number, message) in case.messages.iter().enumerate() {
        if message.place.is_some() || case.first.contains(&number) {
            continue;
        }
        let place = match split {
            Split::Measurement => message.measurement() % archives,
            Split::Time => number * archives / count,
            Split::Chance => random.within(0..=archives - 1),
        };
        shares[place].imports.push(number);
        if random.one_in(6) {
            shares[random.within(0..=archives - 1)].imports.push(number);
        }
    }
    for share in &mut shares {
        share.spans.retain(|span| span.from < span.to);
    }
    shares
}

/// The runs by which an archive gets its share.
fn runs(random: &mut Random, case: &Case, share: &Share, is_new: bool) -> Vec<Run> {
    let mut runs = Vec::new();
    if is_new && !case.first.is_empty() {
        runs.push(run(random, vec![(Vec::new(), case.first.clone())], case));
    }
    let mut steps: Vec<Vec<(Vec<Span>, Vec<usize>)>> = (0..random.one_of(&[1, 1, 2, 3]))
        .map(|_| vec![(Vec::new(), Vec::new()); random.one_of(&[1, 1, 2])])
        .collect();
    let count = steps.iter().flatten().count();
    for span in &share.spans {
        let mut cuts: Vec<usize> = (1..count).map(|_| random.within(span.from..=span.to)).collect();
        cuts.extend([span.from, span.to]);
        cuts.sort_unstable();
        for ((spans, _), cut) in steps.iter_mut().flatten().zip(cuts.windows(2)) {
            let span = Span {
                from: cut[0],
                to: cut[1],
                ..*span
            };
            if span.from < span.to {
                spans.push(span);
            }
        }
    }
    for &number in &share.imports {
        let times = if random.one_in(5) { 2 } else { 1 };
        for _ in 0..times {
            let place = random.within(0..=count - 1);
            if let Some((_, imports)) = steps.iter_mut().flatten().nth(place) {
                imports.push(number);
            }
        }
    }
    let mut read: Vec<Span> = Vec::new();
    let mut imported: Vec<usize> = Vec::new();
    for steps in steps {
        read.extend(steps.iter().flat_map(|(spans, _)| spans));
        imported.extend(steps.iter().flat_map(|(_, imports)| imports));
        runs.push(run(random, steps, case));
        if random.one_in(5) && read.len() + imported.len() > 0 {
            let mut again = (Vec::new(), Vec::new());
            if !read.is_empty() {
                let span = random.one_of(&read);
                let from = random.within(span.from..=span.to - 1);
                again.0.push(Span { from, ..span });
            }
            again.1.extend(imported.iter().filter(|_| random.one_in(2)));
            runs.push(Run {
                is_replay: true,
                ..run(random, vec![again], case)
            });
        }
    }
    runs
}

fn run(random: &mut Random, steps: Vec<(Vec<Span>, Vec<usize>)>, case: &Case) -> Run {
    let steps = steps.into_iter().map(|(spans, imports)| {
        let logs = spans
            .iter()
            .flat_map(|span| &case.partitions[span.partition].log[span.from..span.to]);
        let mut messages: Vec<usize> = logs.map(|(message, _)| *message).chain(imports).collect();
        random.shuffle(&mut messages);
        let mut threads = vec![Vec::new(); random.within(1..=4)];
        for message in messages {
            let thread = random.within(0..=threads.len() - 1);
            threads[thread].push(message);
        }
        Step { threads, spans }
    });
    Run {
        steps: steps.collect(),
        budget: budget(random),
        is_replay: false,
        kills: kills(random),
        is_left: random.one_in(2),
        again: random.one_in(2),
    }
}

/// A tree of merges that ends with one archive.
fn merges(random: &mut Random, archives: usize) -> Vec<Merge> {
    let mut left: Vec<usize> = (0..archives).collect();
    let mut made = archives;
    let mut merges = Vec::new();
    while left.len() > 1 || (merges.len() < 3 && random.one_in(6)) {
        random.shuffle(&mut left);
        let into = match left.len() > 1 && !random.one_in(3) {
            true => left.remove(0),
            false => {
                made += 1;
                made - 1
            }
        };
        let others: Vec<usize> = left.drain(..random.within(1..=left.len().min(2))).collect();
        left.push(into);
        merges.push(Merge {
            into,
            others,
            memory: memory(random),
            kills: kills(random),
            again: random.one_in(5),
        });
    }
    merges
}

fn memory(random: &mut Random) -> u64 {
    match random.below(3) {
        0 => 1 + random.below(1_000),
        1 => 1_000 + random.below(19_000),
        _ => u64::MAX,
    }
}

/// Mostly too little.
fn budget(random: &mut Random) -> Budget {
    Budget {
        held: if random.one_in(4) {
            usize::MAX
        } else {
            random.within(1..=2_000)
        },
        block: match random.below(3) {
            0 => random.within(1..=100),
            1 => random.within(100..=1_000),
            _ => usize::MAX,
        },
        memory: memory(random),
    }
}

/// None mostly; else mostly one.
fn kills(random: &mut Random) -> Vec<Kill> {
    let mut kills = Vec::new();
    while kills.len() < 3 && random.one_in(3) {
        let (aim, most) = random.one_of(&[
            (Operation::Any, 12),
            (Operation::Any, 100),
            (Operation::Spill, 4),
            (Operation::Stage, 6),
            (Operation::Record, 4),
            (Operation::Rename, 8),
            (Operation::Remove, 12),
        ]);
        kills.push(Kill {
            aim,
            number: 1 + random.below(most) as u32,
            part: random.below(256) as u8,
        });
    }
    kills
}
