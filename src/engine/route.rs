//! Blocks -> the tasks that need them.

use std::sync::Arc;

use arrow::array::{Array, BinaryArray, Int32Array, Int64Array, RecordBatch, StringArray};

use super::batch::{Columns, batch, present, routed_schema};
use super::plan::{Plan, Routes};
use crate::error::Result;

/// Gives each block the numbers of the units that need it, and of their tasks. One that was rejected as a whole goes nowhere, one that
/// lies across a boundary goes to both sides.
pub struct RouteTask {
    plan: Plan,
    routes: Routes,
}

impl RouteTask {
    /// Begins a task of the run that has this plan.
    ///
    /// # Errors
    /// A plan of another version.
    pub fn new(plan: &[u8]) -> Result<Self> {
        let plan = Plan::parse(plan)?;
        Ok(Self {
            routes: Routes::new(&plan)?,
            plan,
        })
    }

    /// Routes blocks; summaries among them are left out.
    ///
    /// # Errors
    /// Columns that are not those of [`parsed_schema`](super::parsed_schema).
    pub fn push(&self, parsed: &RecordBatch) -> Result<RecordBatch> {
        let columns = Columns(parsed);
        let blocks = columns.texts("block")?;
        let measurements = columns.texts("measurement")?;
        let days = columns.texts("day")?;
        let (firsts, lasts) = (columns.longs("first")?, columns.longs("last")?);
        let payloads = columns.bytes("payload")?;
        let mut routed: Vec<(usize, usize)> = Vec::new();
        for row in (0..parsed.num_rows()).filter(|row| blocks.is_valid(*row)) {
            if self.plan.removed(blocks.value(row)).is_none() {
                continue;
            }
            let measurement = present(&measurements, row, "measurement", || measurements.value(row).to_owned())?;
            let day = present(&days, row, "day", || days.value(row).to_owned())?;
            let first = present(&firsts, row, "first", || firsts.value(row))?;
            let last = present(&lasts, row, "last", || lasts.value(row))?;
            routed.extend(self.routes.of(measurement, day, first, last).map(|unit| (row, unit)));
        }
        let number = |unit: usize| i32::try_from(unit).unwrap_or(i32::MAX);
        let tasks: Int32Array = routed
            .iter()
            .map(|(_, unit)| Some(self.plan.units[*unit].task))
            .collect();
        let units: Int32Array = routed.iter().map(|(_, unit)| Some(number(*unit))).collect();
        let first: Int64Array = routed.iter().map(|(row, _)| Some(firsts.value(*row))).collect();
        let names: StringArray = routed.iter().map(|(row, _)| Some(blocks.value(*row))).collect();
        let bytes: BinaryArray = routed.iter().map(|(row, _)| Some(payloads.value(*row))).collect();
        let columns: Vec<arrow::array::ArrayRef> = vec![
            Arc::new(tasks),
            Arc::new(units),
            Arc::new(first),
            Arc::new(names),
            Arc::new(bytes),
        ];
        Ok(batch(routed_schema(), columns))
    }
}
