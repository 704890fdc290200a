//! Whoever reads a day file while runs replace it reads a whole one, the old or the new.

use std::fs::{self, File};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use diurnal::encode::ParquetDay;

use crate::support::folder::Folder;
use crate::support::run::diurnal;

/// Runs, each with so many new lines for the same day.
const RUNS: usize = 25;
const LINES: usize = 400;

/// Lines of run `run`: they fall between those of the others.
fn lines(run: usize) -> String {
    let time = |n: usize| 1_592_568_000_000_000_000 + (n * RUNS + run) as i64 * 1_000_000_000;
    (0..LINES).map(|n| format!("m,host=a v={n}i {}\n", time(n))).collect()
}

fn rows_of_parquet(path: &Path) -> usize {
    let file = File::open(path).expect("a path always holds a file");
    let day = ParquetDay::open(file, path).expect("it is whole");
    day.into_leaves()
        .map(|leaf| leaf.expect("it is whole").times.len())
        .sum()
}

fn rows_of_csv(path: &Path) -> usize {
    let text = fs::read_to_string(path).expect("a path always holds a file");
    assert!(text.starts_with("time,") && text.ends_with('\n'), "it is not whole");
    text.lines().count() - 1
}

#[test]
fn a_reader_meets_whole_files_alone_while_runs_replace_them() {
    let folder = Folder::new();
    let import = |run: usize| {
        let import = diurnal(&folder, "import").arg("-").stdin(lines(run));
        import.run().expect_code(0);
    };
    import(0);
    let done = AtomicBool::new(false);
    let read = |name: &str, rows: fn(&Path) -> usize| {
        let path = folder.archive().join("m").join(name);
        let (mut reads, mut seen) = (0, vec![LINES]);
        while !done.load(Ordering::Relaxed) {
            let rows = rows(&path);
            assert_eq!(rows % LINES, 0, "{name} has {rows} rows");
            assert!(rows >= seen[seen.len() - 1], "{name} had {seen:?} rows, then {rows}");
            if rows > seen[seen.len() - 1] {
                seen.push(rows);
            }
            reads += 1;
        }
        (reads, seen.len())
    };
    std::thread::scope(|scope| {
        let readers = [
            scope.spawn(|| read("2020-06-19.parquet", rows_of_parquet)),
            scope.spawn(|| read("2020-06-19.csv", rows_of_csv)),
        ];
        (1..RUNS).for_each(import);
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            let (reads, states) = reader.join().expect("every read is good");
            println!("{reads} reads over {RUNS} runs met {states} states of the file, each whole");
            assert!(states > 2, "nothing was replaced while it was read");
        }
    });
}
