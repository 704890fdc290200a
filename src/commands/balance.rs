//! What has to balance before a commit: every line and every offset is accounted for.

use crate::error::{Error, Result};
use crate::store::record::{Counts, SourceRange};

/// Messages are counted at the parser and gaps at the queue: a message that got lost in between shows here.
pub fn check_offsets(range: &SourceRange) -> Result<()> {
    let all = u64::try_from(range.next - range.first).ok();
    if all == Some(range.messages + range.gaps + range.lost) {
        return Ok(());
    }
    Err(Error::new(
        format_args!("{}[{}]", range.topic, range.partition),
        format_args!(
            "offsets {} to {} do not balance: {} messages, {} gaps, {} lost; nothing of this step was committed",
            range.first, range.next, range.messages, range.gaps, range.lost
        ),
    )
    .hint("this is a bug in diurnal; the archive is as it was before, and Kafka still has the messages"))
}

/// Each line is a point, part of one, or rejected.
pub fn check_lines(counts: &Counts) -> Result<()> {
    if counts.lines == counts.points + counts.folded + counts.rejected {
        return Ok(());
    }
    Err(Error::new(
        "the lines of this run",
        format_args!(
            "do not balance: {} lines, {} points, {} folded, {} rejected; nothing of this step was committed",
            counts.lines, counts.points, counts.folded, counts.rejected
        ),
    )
    .hint("this is a bug in diurnal; the archive is as it was before"))
}
