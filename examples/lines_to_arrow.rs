//! Line protocol -> Arrow record batches: parses a file, or lines of its own, and shows the tables.
//!
//!     cargo run --example lines_to_arrow
//!     cargo run --example lines_to_arrow -- metrics.lp
//!
//! The tables are what an archive that was given the same lines would hold: one for each measurement, sorted by time and
//! tags, lines of one point in one row, columns with types and units.

use std::process::ExitCode;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::compute::{max, min, sum};
use arrow::datatypes::{DataType, Float64Type};
use diurnal::batches::{Batches, record_batches};
use diurnal::error::{Error, Result};
use diurnal::report::escaped;
use diurnal::source::Origin;
use diurnal::table::CollectSettings;

/// Two agents, out of order; the fields of one `system` point on two lines; one line without a value.
const LINES: &str = "\
cpu,cpu=cpu-total,host=web-02 usage_user=7.5,usage_idle=91 1592568010000000000
cpu,cpu=cpu-total,host=web-01 usage_user=3.25,usage_idle=96.5 1592568010000000000
system,host=web-01 load1=0.42,n_cpus=4i 1592568000000000000
cpu,cpu=cpu-total,host=web-01 usage_user=,usage_idle=97 1592568005000000000
cpu,cpu=cpu-total,host=web-01 usage_user=2,usage_idle=97.5 1592568000000000000
system,host=web-01 uptime=86400i 1592568000000000000
";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lines_to_arrow: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let lines = match std::env::args_os().nth(1) {
        Some(path) => std::fs::read(&path).map_err(|error| Error::io(path.as_ref(), "read it", &error))?,
        None => LINES.into(),
    };
    let batches = record_batches(&lines, None, CollectSettings::default())?;
    for (measurement, table) in &batches.tables {
        println!("{} ({} rows)", escaped(measurement), table.num_rows());
        show_columns(table);
    }
    show_rejects(&batches);
    Ok(())
}

/// Each column that has a value: its name, Arrow type and unit, and what the floats come to.
fn show_columns(table: &RecordBatch) {
    let schema = table.schema();
    for (field, column) in schema.fields().iter().zip(table.columns()) {
        if column.null_count() == column.len() {
            continue;
        }
        let unit = field.metadata().get("unit").map_or("", String::as_str);
        let figures = match field.data_type() {
            DataType::Float64 => figures(table, field.name()),
            _ => String::new(),
        };
        let line = format!(
            "  {:<12} {:<24} {unit:<8} {figures}",
            field.name(),
            field.data_type().to_string()
        );
        println!("{}", line.trim_end());
    }
}

fn figures(table: &RecordBatch, name: &str) -> String {
    let Some(floats) = table
        .column_by_name(name)
        .and_then(|column| column.as_primitive_opt::<Float64Type>())
    else {
        return String::new();
    };
    let (Some(least), Some(most), Some(total)) = (min(floats), max(floats), sum(floats)) else {
        return String::new();
    };
    let mean = total / (floats.len() - floats.null_count()) as f64;
    format!("{least} to {most}, mean {mean:.2}")
}

fn show_rejects(batches: &Batches) {
    let counts = batches.counts;
    println!(
        "{} lines: {} points, {} folded, {} rejected",
        counts.lines, counts.points, counts.folded, counts.rejected
    );
    for reject in &batches.rejects {
        if let Origin::File { offset, .. } = &reject.origin {
            let line = String::from_utf8_lossy(&reject.line);
            println!("rejected at byte {offset}: {}: {}", reject.reason, escaped(&line));
        }
    }
}
