//! The page of `diurnal report`: one file that holds everything it shows, and asks nobody for anything.
//!
//! [`Plot`]s take the values of an archive row by row, [`Facts`] are what its ledger says, and [`render`] makes one HTML file of both.
//! What it shows follows from the archive alone: there is no clock in it.

mod buckets;
mod data;
mod grid;
mod label;
mod number;
mod page;
mod plot;
mod rhythm;

use std::ops::Range;

use crate::calendar::Zone;

pub use self::data::{DayFacts, Facts, MeasurementFacts, RejectFacts};
pub use self::grid::Grid;
pub use self::label::{HOST, shown};
pub use self::plot::{Field, FinishedPlot, MOST_SERIES, Plot, SeriesTags};

/// A page, and what it shows in numbers.
#[derive(Debug)]
pub struct Rendered {
    /// The file.
    pub html: Vec<u8>,
    /// Plots in it.
    pub plots: usize,
    /// Series of all plots.
    pub series: u64,
    /// Series that there was no room for.
    pub left_out: u64,
    /// Values that they were made of.
    pub values: u64,
    /// Buckets with least, greatest and mean that became of these.
    pub buckets: u64,
    /// Samples that are missing in these series.
    pub missing: u64,
}

/// Makes the page of these plots and facts about `time`, nanoseconds since 1970-01-01 UTC.
pub fn render(facts: &Facts, plots: Vec<FinishedPlot>, time: &Range<i64>, zone: Zone) -> Rendered {
    let (data, mut rendered) = data::page_data(facts, plots, time, zone);
    rendered.html = page::page(&facts.title(), &data);
    rendered
}
