//! Lines to files and back: an archive is made of the input, and what its files hold is compared with the law.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use diurnal::cli::{Cli, Command, Global};
use diurnal::commands::Archiver;
use diurnal::console::Console;
use diurnal::console::LogFormat;
use diurnal::encode::{CsvDay, ParquetDay};
use diurnal::format::{Formats, TimeRange, TimeUnit};
use diurnal::lineproto::{Limits, whole_lines};
use diurnal::order::LeafSize;
use diurnal::settings::{IngestSettings, InputLimits};
use diurnal::store::settings::DEFAULT_TIME_RANGE;
use diurnal::store::{Archive, Requested};
use diurnal::table::schema::MeasurementSchema;
use diurnal::table::{Collected, RejectedText, schema_file};

use super::columns::origin;
use super::days::{Counts, DayFile, Points};
use super::input::{Choices, Message, commits, shown};
use super::model::{Model, Reject, Settings};
use super::rows::leaf_rows;

/// The most commits of an input, but for one that repeats the first.
const MOST_COMMITS: usize = 3;

/// A time for lines that have none.
const NOON: i64 = 1_592_568_000_000_000_000;

/// Zones without summer time, and how many hours their clocks are ahead of UTC.
const ZONES: [(&str, i128); 3] = [("UTC", 0), ("Etc/GMT-14", 14), ("Etc/GMT+12", -12)];

const FORMATS: [Formats; 3] = [
    Formats {
        parquet: true,
        csv: true,
    },
    Formats {
        parquet: true,
        csv: false,
    },
    Formats {
        parquet: false,
        csv: true,
    },
];

/// Where archives are made: in memory if there is a place, because syncing to a disk is most of what an import waits for.
static FOLDER: LazyLock<&Path> = LazyLock::new(|| {
    let in_memory = Path::new("/dev/shm");
    if in_memory.is_dir() {
        in_memory
    } else {
        Box::leak(std::env::temp_dir().into_boxed_path())
    }
});

/// How an input is imported.
struct Import<'a> {
    settings: Settings,
    zone: (&'static str, i128),
    formats: Formats,
    time_range: Option<TimeRange>,
    /// Rows of a leaf at most.
    leaf_rows: usize,
    /// As many as threads would have.
    collectors: usize,
    /// Bytes that are read from a file at once.
    block: usize,
    /// Whether each commit is a run of its own.
    apart: bool,
    commits: Vec<Vec<Message<'a>>>,
}

/// Checks one input: 11 choices (precision, time for lines without one, time range, time unit, zone, formats, rows of a leaf,
/// collectors, block, one run or several, whether the first commit comes again), then the files of up to three commits.
///
/// # Panics
/// If the archive does not hold what the law says.
pub fn check(input: &[u8]) {
    let mut choices = Choices::new(input);
    let precision = choices.precision();
    let default_time = choices.one_of(&[None, Some(NOON)]);
    let time_range = choices.one_of(&[Some(TimeRange::ALL), None]);
    let time_unit = choices.one_of(&[TimeUnit::Ns, TimeUnit::Us]);
    let mut import = Import {
        settings: Settings {
            precision,
            default_time,
            time_range: time_range.unwrap_or(DEFAULT_TIME_RANGE),
            time_unit,
            limits: Limits::default(),
            measurement_fits: fits_a_folder,
        },
        time_range,
        zone: choices.one_of(&ZONES),
        formats: choices.one_of(&FORMATS),
        leaf_rows: choices.one_of(&[4, 1, 2, 1_000]),
        collectors: 1 + choices.below(2),
        block: 1 + choices.below(64),
        apart: choices.below(2) == 1,
        commits: Vec::new(),
    };
    let again = choices.below(2) == 1;
    import.commits = commits(choices.rest(), MOST_COMMITS);
    if again {
        import.commits.push(import.commits[0].clone());
    }

    let folder = tempfile::Builder::new().prefix("diurnal-fuzz-").tempdir_in(*FOLDER);
    let folder = folder.expect("a folder for the archive");
    let archive = folder.path().join("archive");
    let expected = import.run(&archive);
    import.check_archive(&archive, &expected);
    assert_eq!(verify(&archive), 0, "verify complains: {}", import.shown());
}

/// What the archive must hold in the end.
#[derive(Default)]
struct Expected {
    points: Points,
    schemas: BTreeMap<String, MeasurementSchema>,
    rejects: Vec<Reject>,
}

impl Import<'_> {
    /// Makes the archive; each commit's counts are checked on the way.
    fn run(&self, archive: &Path) -> Expected {
        let mut model = Model::new(self.settings, schema_file::builtin().clone());
        let mut expected = Expected::default();
        let runs: Vec<&[Vec<Message<'_>>]> = match self.apart {
            true => self.commits.chunks(1).collect(),
            false => vec![&self.commits],
        };
        for run in runs {
            let mut archiver = Archiver::open("import", self.ingest_settings(archive), Console::SILENT)
                .expect("an archive")
                .with_leaf_size(LeafSize {
                    rows: self.leaf_rows,
                    ..LeafSize::default()
                });
            let mut counts = Counts::default();
            let (mut lines, mut rejected) = (0, 0);
            for commit in run {
                archiver
                    .commit(self.collect(&archiver, commit), Vec::new(), Vec::new())
                    .expect("a commit");
                let settled = model.settle(commit);
                lines += settled.lines;
                rejected += settled.rejects.len() as u64;
                for reject in settled.rejects {
                    // A line that comes again is kept once.
                    let same = |kept: &Reject| {
                        (kept.offset, &kept.line, kept.reason) == (reject.offset, &reject.line, reject.reason)
                    };
                    if !expected.rejects.iter().any(same) {
                        expected.rejects.push(reject);
                    }
                }
                for (name, table) in settled.tables {
                    let added = expected.points.add(&name, &table.rows);
                    counts.points += added.points;
                    counts.folded += added.folded;
                    counts.conflicts += added.conflicts;
                    expected.schemas.insert(name, table.schema);
                }
            }
            let report = archiver.finish();
            let found = Counts {
                points: report.points,
                folded: report.folded,
                conflicts: report.conflicts,
            };
            let found = (report.lines, report.rejected, found);
            assert_eq!(found, (lines, rejected, counts), "{}", self.shown());
        }
        expected.rejects.sort();
        expected
    }

    /// Reads each file in blocks of whole lines, as an import does; each block goes to the next collector.
    fn collect(&self, archiver: &Archiver, files: &[Message<'_>]) -> Vec<Collected> {
        let mut collectors: Vec<_> = (0..self.collectors).map(|_| archiver.collector()).collect();
        let mut turn = 0;
        let mut push = |block: Message<'_>| {
            collectors[turn % self.collectors].push(block.bytes, self.settings.default_time, origin(&block));
            turn += 1;
        };
        for file in files {
            let (mut start, mut end) = (0, 0);
            while end < file.bytes.len() {
                end = file.bytes.len().min(end + self.block);
                let cut = match end == file.bytes.len() {
                    true => end - start,
                    false => whole_lines(&file.bytes[start..end], self.settings.limits),
                };
                if cut > 0 {
                    push(Message {
                        start: file.start + start,
                        bytes: &file.bytes[start..start + cut],
                    });
                }
                start += cut;
            }
        }
        collectors.into_iter().map(|collector| collector.finish()).collect()
    }

    fn ingest_settings(&self, archive: &Path) -> IngestSettings {
        IngestSettings {
            requested: Requested {
                timezone: Some(self.zone.0.to_owned()),
                time_unit: Some(self.settings.time_unit),
                time_range: self.time_range,
                formats: Some(self.formats),
            },
            threads: self.collectors,
            precision: self.settings.precision,
            default_time: self.settings.default_time,
            limits: InputLimits {
                line: self.settings.limits,
                ..InputLimits::default()
            },
            ..IngestSettings::one_commit(archive)
        }
    }

    /// Days, rows, schemas and rejects are those that were to be expected, in each format.
    fn check_archive(&self, folder: &Path, expected: &Expected) {
        let archive = Archive::read(folder).expect("an archive to read");
        let days = expected.points.day_files(&expected.schemas, self.zone.1);
        let found: Vec<_> = archive.state().days.keys().collect();
        assert_eq!(found, days.keys().collect::<Vec<_>>(), "{}", self.shown());
        for (name, day) in &days {
            let entry = &archive.state().days[name];
            let rows = entry.leaves.iter().map(|leaf| leaf.rows);
            assert_eq!(entry.rows, rows.clone().sum::<u64>());
            assert!(rows.max() <= Some(self.leaf_rows as u64), "{entry:?}");
            let formats = (entry.parquet.is_some(), entry.csv.is_some());
            assert_eq!(formats, (self.formats.parquet, self.formats.csv), "{entry:?}");
            if let Some(file) = &entry.parquet {
                let found = read_parquet(&archive.locate(&file.path).expect("a local file"));
                assert_eq!(found, *day, "{}: {}", file.path, self.shown());
            }
            if let Some(file) = &entry.csv {
                let schema = &expected.schemas[&name.0];
                let found = read_csv(
                    &archive.locate(&file.path).expect("a local file"),
                    schema,
                    self.settings.time_unit,
                );
                assert_eq!(found, *day, "{}: {}", file.path, self.shown());
            }
        }
        let mut schemas = BTreeMap::new();
        let mut rejects = Vec::new();
        for path in archive.state().files.keys() {
            let text = fs::read_to_string(archive.locate(path).expect("a local file")).expect("a file of the archive");
            if path.ends_with(".toml") {
                let schema = schema_file::parse(&text, Path::new(path)).expect("a schema");
                schemas.insert(schema.measurement.clone(), schema);
            } else {
                rejects.extend(text.lines().map(reject));
            }
        }
        rejects.sort();
        assert_eq!(schemas, expected.schemas, "{}", self.shown());
        assert_eq!(rejects, expected.rejects, "{}", self.shown());
    }

    /// What was imported, for the message of a failure.
    fn shown(&self) -> String {
        let commit = |commit: &Vec<Message<'_>>| {
            let files: Vec<String> = commit.iter().map(|file| shown(file.bytes)).collect();
            files.join(" | ")
        };
        let commits: Vec<String> = self.commits.iter().map(commit).collect();
        format!(
            "{:?}, {:?}, {:?}: {}",
            self.settings,
            self.zone,
            self.formats,
            commits.join("\n")
        )
    }
}

/// Whether a measurement's name, percent-encoded, has 200 bytes at most.
fn fits_a_folder(name: &str) -> bool {
    let bytes = name.bytes().enumerate().map(|(at, byte)| match byte {
        b'.' | b'_' if at == 0 => 3,
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-' => 1,
        _ => 3,
    });
    bytes.sum::<usize>() <= 200
}

fn read_parquet(path: &Path) -> DayFile {
    let day = ParquetDay::open(File::open(path).expect("a file"), path).expect("a Parquet file");
    let columns = day.footer().schema().columns.clone();
    let leaves = day.into_leaves().map(|leaf| leaf.expect("a leaf"));
    let rows = leaves.flat_map(|leaf| leaf_rows(&leaf).collect::<Vec<_>>());
    DayFile {
        rows: rows.collect(),
        columns,
    }
}

fn read_csv(path: &Path, schema: &MeasurementSchema, time_unit: TimeUnit) -> DayFile {
    let reader = BufReader::new(File::open(path).expect("a file"));
    let day = CsvDay::open(reader, path, &schema.measurement, &schema.columns, time_unit).expect("a CSV file");
    let columns = day.schema().columns.clone();
    let leaves = day.map(|leaf| leaf.expect("rows"));
    let rows = leaves.flat_map(|leaf| leaf_rows(&leaf).collect::<Vec<_>>());
    DayFile {
        rows: rows.collect(),
        columns,
    }
}

/// A line of a reject file.
fn reject(json: &str) -> Reject {
    let text: RejectedText = serde_json::from_str(json).expect("a reject");
    let line = match (&text.line, &text.line_base64) {
        (Some(line), None) => line.clone().into_bytes(),
        (None, Some(base64)) => STANDARD.decode(base64).expect("base64"),
        _ => panic!("one form of the line: {json}"),
    };
    Reject {
        offset: text.offset,
        line,
        reason: text.reason.as_str(),
        byte: text.byte,
        place: text.place,
    }
}

/// `diurnal verify`: its exit code.
fn verify(archive: &Path) -> u8 {
    diurnal::commands::run(Cli {
        global: Global {
            archive: Some(archive.to_owned()),
            json: false,
            quiet: true,
            verbose: false,
            log_format: LogFormat::Text,
        },
        command: Command::Verify,
    })
}
