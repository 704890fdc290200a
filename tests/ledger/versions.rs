//! What other versions of diurnal wrote: day files of another encoder are taken and made anew when they are touched, an archive of
//! another format is left alone.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use diurnal::commands::{Archiver, LeafCounts};
use diurnal::console::Console;
use diurnal::format::Formats;
use diurnal::order::{LEAF_CELLS, LeafSize};
use diurnal::settings::IngestSettings;
use diurnal::source::Origin;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use serde_json::{Value, json};

use crate::law::settings;
use crate::support::digest::{all_files, day_files, day_files_and_schemas};
use crate::support::duckdb::DuckDb;
use crate::support::folder::Folder;
use crate::support::ledger::change_last_commit;
use crate::support::run::diurnal;

const FIRST: &str = "other v=1i 1592517600000000000\n";
const DAY: &str = "m,host=a v=1.5,n=1i,s=\"x\" 1592604000000000000\nm,host=b v=2.5,n=2i 1592604001000000000\n\
    m v=-0,n=3i,s=\"\" 1592604002000000000\n";
const LATE: &str = "m,host=a v=7.25,n=9i 1592604000500000000\n";
const PARQUET: &str = "m/2020-06-19.parquet";
const CSV: &str = "m/2020-06-19.csv";

fn import(folder: &Folder, lines: &str) {
    diurnal(folder, "import").arg("-").stdin(lines).run().expect_code(0);
}

/// Imports with leaves of few rows; gives how many were written, and how.
fn import_in_leaves(folder: &Folder, lines: &str) -> LeafCounts {
    const LEAF_SIZE: LeafSize = LeafSize {
        rows: 1,
        cells: LEAF_CELLS,
    };
    let settings = IngestSettings {
        schemas: None,
        ..settings(&folder.archive(), Path::new(""), Formats::default(), "UTC")
    };
    let mut archiver = Archiver::open("import", settings, Console::SILENT)
        .expect("an archive")
        .with_leaf_size(LEAF_SIZE);
    let mut collector = archiver.collector();
    collector.push(lines.as_bytes(), None, |at| Origin::File {
        path: "test".into(),
        offset: at as u64,
    });
    let collected = vec![collector.finish()];
    archiver.commit(collected, Vec::new(), Vec::new()).expect("a commit");
    archiver.leaves()
}

fn verified(folder: &Folder) {
    diurnal(folder, "verify").run().expect_code(0);
}

/// An archive whose day is of another encoder: Parquet without compression, CSV with one more digit, on record as such.
fn of_encoder(version: u32) -> Folder {
    let folder = Folder::new();
    import(&folder, FIRST);
    import(&folder, DAY);
    rewrite(&folder, version);
    folder
}

/// Makes the day of the last commit one of another encoder.
fn rewrite(folder: &Folder, version: u32) {
    let (parquet, csv) = (folder.archive().join(PARQUET), folder.archive().join(CSV));
    let groups = write_parquet(&parquet, version);
    let text = fs::read_to_string(&csv).expect("a day file").replace("1.5\n", "1.50\n");
    fs::write(&csv, &text).expect("a test can write into its folder");
    // A line is a row, and a row group's rows are lines.
    let mut ends = text.match_indices('\n').map(|(at, _)| at + 1);
    let mut from = ends.next().expect("a header");
    let mut lines = |rows: usize| {
        let to = ends.nth(rows - 1).expect("a line for each row");
        std::mem::replace(&mut from, to)..to
    };
    change_last_commit(folder, |commit| {
        let mut commit: Value = serde_json::from_str(commit).expect("JSON");
        let day = &mut commit["days"][0];
        day["encoder"] = json!(version);
        let (in_parquet, rows): (Vec<_>, Vec<_>) = groups.into_iter().unzip();
        let in_csv: Vec<_> = rows.into_iter().map(&mut lines).collect();
        for (format, path, pieces) in [("parquet", &parquet, in_parquet), ("csv", &csv, in_csv)] {
            let bytes = fs::read(path).expect("a day file");
            let hash = |bytes: &[u8]| json!(blake3::hash(bytes).to_hex().to_string());
            for (leaf, piece) in pieces.iter().enumerate() {
                day["leaves"][leaf][format] =
                    json!({"offset": piece.start, "bytes": piece.len(), "hash": hash(&bytes[piece.clone()])});
            }
            let (first, last) = (&pieces[0], &pieces[pieces.len() - 1]);
            day[format]["bytes"] = json!(bytes.len());
            day[format]["rest"] = hash(&[&bytes[..first.start], &bytes[last.end..]].concat());
        }
        commit.to_string()
    });
}

/// Writes a day file's rows anew as another encoder might; where its row groups are, and how many rows they have.
fn write_parquet(path: &Path, version: u32) -> Vec<(Range<usize>, usize)> {
    let open =
        || ParquetRecordBatchReaderBuilder::try_new(fs::File::open(path).expect("a day file")).expect("it is Parquet");
    let reader = open();
    let metadata = reader
        .metadata()
        .file_metadata()
        .key_value_metadata()
        .expect("metadata");
    let measurement = metadata
        .iter()
        .find(|pair| pair.key == "diurnal.measurement")
        .expect("its name");
    let properties = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_created_by(format!("diurnal version {version} (build encoder-{version})"))
        .set_key_value_metadata(Some(vec![KeyValue::clone(measurement)]))
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, reader.schema().clone(), Some(properties)).expect("a writer");
    for group in 0..reader.metadata().num_row_groups() {
        for rows in open().with_row_groups(vec![group]).build().expect("a reader") {
            writer.write(&rows.expect("rows")).expect("it can be written");
        }
        writer.flush().expect("it can be written");
    }
    let written = writer.close().expect("it can be written");
    fs::write(path, bytes).expect("a test can write into its folder");
    let groups = written.row_groups().iter().map(|group| {
        let start = group.column(0).byte_range().0;
        let end = group
            .columns()
            .iter()
            .map(|column| column.byte_range())
            .map(|(at, bytes)| at + bytes)
            .max();
        (
            start as usize..end.expect("columns") as usize,
            group.num_rows() as usize,
        )
    });
    groups.collect()
}

fn fresh(lines: &[&str]) -> Folder {
    let folder = Folder::new();
    import(&folder, FIRST);
    import(&folder, &lines.concat());
    folder
}

#[test]
fn a_day_of_another_encoder_is_left_alone_until_it_is_touched_and_then_written_whole() {
    for version in [1, 3] {
        let folder = of_encoder(version);
        let foreign = day_files(&folder.archive());
        for path in [PARQUET, CSV] {
            assert_ne!(
                foreign[path],
                day_files(&fresh(&[DAY]).archive())[path],
                "{path} is another encoder's"
            );
        }
        verified(&folder);
        // Lines for other days and other measurements.
        import(
            &folder,
            "m,host=a v=1 1592690400000000000\nother v=2i 1592604000000000000\n",
        );
        let after = day_files(&folder.archive());
        for path in [PARQUET, CSV] {
            assert_eq!(after[path], foreign[path]);
        }
        verified(&folder);
        if let Some(duckdb) = DuckDb::get() {
            duckdb.check_archive(&folder.archive(), &[]);
        }
        diurnal(&folder, "backup").arg("copy").run().expect_code(0);
        diurnal(&folder, "verify")
            .args(["--archive", "copy"])
            .run()
            .expect_code(0);

        import(&folder, LATE);
        let (found, expected) = (day_files(&folder.archive()), day_files(&fresh(&[DAY, LATE]).archive()));
        for path in [PARQUET, CSV] {
            assert_eq!(found[path], expected[path], "{path}");
        }
        verified(&folder);
    }
}

#[test]
fn no_leaf_of_another_encoder_is_copied_into_a_file_of_this_one() {
    let (of_this, of_another, expected) = (Folder::new(), Folder::new(), Folder::new());
    for folder in [&of_this, &of_another] {
        import_in_leaves(folder, FIRST);
        import_in_leaves(folder, DAY);
    }
    rewrite(&of_another, 0);
    verified(&of_another);
    let copied = import_in_leaves(&of_this, LATE);
    assert!(copied.copied > 0, "{copied:?}");
    let encoded = import_in_leaves(&of_another, LATE);
    assert_eq!(
        encoded,
        LeafCounts {
            copied: 0,
            encoded: copied.copied + copied.encoded
        }
    );
    import_in_leaves(&expected, FIRST);
    import_in_leaves(&expected, &(DAY.to_owned() + LATE));
    for folder in [&of_this, &of_another] {
        assert_eq!(day_files(&folder.archive()), day_files(&expected.archive()));
        verified(folder);
    }
}

#[test]
fn lines_that_were_there_already_touch_it_as_well() {
    let folder = of_encoder(0);
    import(&folder, DAY);
    assert_eq!(
        day_files_and_schemas(&folder.archive()),
        day_files_and_schemas(&fresh(&[DAY]).archive())
    );
    verified(&folder);
}

#[test]
fn a_type_that_is_set_makes_a_day_of_another_encoder_anew() {
    let folder = of_encoder(0);
    let set = |folder: &Folder, column: &str| {
        diurnal(folder, "schema")
            .args(["set", column, "string"])
            .run()
            .expect_code(0)
    };
    set(&folder, "m.n");
    let expected = fresh(&[DAY]);
    set(&expected, "m.n");
    assert_eq!(
        day_files_and_schemas(&folder.archive()),
        day_files_and_schemas(&expected.archive())
    );
    verified(&folder);
}

#[test]
fn damage_of_a_day_of_another_encoder_is_found() {
    let folder = of_encoder(0);
    for path in [PARQUET, CSV] {
        let path = folder.archive().join(path);
        let good = fs::read(&path).expect("a day file");
        let mut flipped = good.clone();
        flipped[good.len() / 3] ^= 1;
        fs::write(&path, flipped).expect("a test can write into its folder");
        diurnal(&folder, "verify")
            .run()
            .expect_code(1)
            .expect_said("2020-06-19");
        if path.ends_with(PARQUET) {
            diurnal(&folder, "import")
                .arg("-")
                .stdin(LATE)
                .run()
                .expect_code(1)
                .expect_said("2020-06-19");
        }
        fs::write(&path, good).expect("a test can write into its folder");
    }
    verified(&folder);
}

#[test]
fn an_archive_of_another_format_version_is_refused_by_every_command_and_not_touched() {
    let folder = fresh(&[DAY]);
    let settings: PathBuf = folder.archive().join("_diurnal/archive.toml");
    let text = fs::read_to_string(&settings).expect("settings");
    for (format, said) in [
        ("2", "use a newer diurnal"),
        ("0", "no format version"),
        ("\"1\"", "no format version"),
    ] {
        // With a right checksum, as another version would write it.
        let body = text.replace("format = 1", &format!("format = {format}"));
        let body = &body[..body.find("checksum").expect("a checksum")];
        let checksum = blake3::hash(body.as_bytes()).to_hex();
        fs::write(&settings, format!("{body}checksum = \"{checksum}\"\n")).expect("a test can write into its folder");
        let before = all_files(&folder.archive());
        for command in [
            &["import", "lines.lp"][..],
            &["import", "--dry-run", "lines.lp"],
            &["verify"],
            &["status"],
            &["schema", "show"],
            &["schema", "set", "m.v", "string"],
            &["rejects"],
            &["rejects", "--retry"],
            &["prune", "--csv-older-than", "1d"],
            &["backup", "copy"],
        ] {
            folder.write("lines.lp", LATE);
            let ran = diurnal(&folder, command[0]).args(&command[1..]).run().expect_code(1);
            assert!(
                ran.stderr.contains("archive.toml") && ran.stderr.contains(said),
                "{command:?}: {}",
                ran.stderr
            );
            assert_eq!(all_files(&folder.archive()), before, "{command:?}");
        }
        assert!(!folder.join("copy").exists());
    }
    fs::write(&settings, text).expect("a test can write into its folder");
    verified(&folder);
}
