//! Whether a day's new files can fit at all, before the first byte of them is written.

use super::merge::Job;
use crate::error::Result;
use crate::format::Formats;
use crate::report::escaped;

/// Refuses a day whose new files surely need more than the disk has.
///
/// # Errors
/// They need more than is free.
pub(super) fn ensure_room(job: Job<'_>) -> Result<()> {
    let what = format!("{} {}", escaped(&job.new.schema().measurement), job.day);
    job.staging.ensure_room(&what, surely_needed(job))
}

/// Bytes that the day's files will have at least.
///
/// Text only grows: no row goes, no value becomes shorter. Of a Parquet file no more is sure than the leaves that are copied: rows that
/// are added may compress better than those before.
fn surely_needed(job: Job<'_>) -> u64 {
    let (Some(old), Formats { parquet, csv }) = (job.old, job.context.formats) else {
        return 0;
    };
    // Another encoder may write less than the one before.
    if job.plan.widening.is_none() {
        return 0;
    }
    let leaves = old.leaves();
    // Of a day that several tasks write, its parts are some of all.
    let here = job.plan.parts.iter().flat_map(|part| &leaves[part.leaves.clone()]);
    let text = here.filter_map(|leaf| leaf.csv.as_ref());
    let kept = job.plan.parts.iter().filter(|part| job.plan.is_kept(part));
    let kept = kept.flat_map(|part| &leaves[part.leaves.clone()]);
    let copied = kept.filter_map(|leaf| leaf.parquet.as_ref());
    let text: u64 = text.map(|piece| piece.bytes).sum();
    let copied: u64 = copied.map(|piece| piece.bytes).sum();
    u64::from(csv) * text + u64::from(parquet) * copied
}
