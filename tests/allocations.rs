//! Lines become columns without an allocation for any of them: memory is taken by the chunk.

use diurnal::simulate::Simulation;
use diurnal::source::Origin;
use diurnal::table::{CollectSettings, Collector};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// 2020-06-19 00:00 UTC.
const FIRST_S: i64 = 1_592_524_800;

/// Rows of a chunk (`CHUNK_ROWS`): columns get room for as many at once.
const CHUNK_ROWS: usize = 1 << 16;

/// What a new chunk may take for each measurement: its columns' next memory, and what describes those that are full.
const MOST_A_CHUNK: u64 = 100;

/// Good lines of cpu and mem, of each more than a chunk.
fn lines() -> Vec<String> {
    let simulation = Simulation {
        hosts: 50,
        first_s: FIRST_S,
        end_s: FIRST_S + 15_000,
        seed: 3,
    };
    let sent = simulation.traffic(1).sent.into_iter().map(|sent| sent.line);
    sent.filter(|line| !line.contains("=,")).collect()
}

fn origin(at: usize) -> Origin {
    Origin::File {
        path: "lines".into(),
        offset: at as u64,
    }
}

/// Allocations while the lines are pushed, one by one as messages come, or joined as a block of a file.
fn allocations(collector: &mut Collector, lines: &[String], as_messages: bool) -> u64 {
    let block = lines.concat();
    let before = dhat::HeapStats::get().total_blocks;
    match as_messages {
        true => lines
            .iter()
            .for_each(|line| collector.push(line.as_bytes(), Some(1), origin)),
        false => collector.push(block.as_bytes(), None, origin),
    }
    dhat::HeapStats::get().total_blocks - before
}

#[test]
fn a_line_is_no_allocation() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let lines = lines();
    assert!(lines.len() > 2 * CHUNK_ROWS, "{}", lines.len());
    let (warm, rest) = lines.split_at(20_000);
    let (within, beyond) = rest.split_at(80_000);
    for as_messages in [false, true] {
        let mut collector = Collector::new(CollectSettings::default());
        let first = allocations(&mut collector, warm, as_messages);
        let steady = allocations(&mut collector, within, as_messages);
        let next_chunks = allocations(&mut collector, beyond, as_messages);
        println!(
            "as messages: {as_messages}: {first} for the first lines, {steady} for the next 80,000, {next_chunks} for new chunks"
        );
        assert!(first > 0, "nothing is counted");
        assert_eq!(steady, 0, "as messages: {as_messages}");
        assert!(
            next_chunks <= 2 * MOST_A_CHUNK,
            "as messages: {as_messages}: {next_chunks}"
        );
    }
}
