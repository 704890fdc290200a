//! What errors of a partition mean, and what can be done about them while a run goes on.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;

use super::client::Client;
use crate::error::Error;

/// How long a question about watermarks may take while a partition waits for the answer.
const WATERMARK_PATIENCE: Duration = Duration::from_secs(5);
/// How long a log may end below its frozen end before it counts as cut: a new leader can be behind for a moment.
const CUT_PATIENCE: Duration = Duration::from_secs(5);
/// How often the end of such a log is asked for.
const CUT_RHYTHM: Duration = Duration::from_millis(500);
/// How often a fetch may be refused at an offset that exists before the partition is given up.
pub const MOST_RESTARTS: u32 = 5;

/// What an error that came out of a partition's queue means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The end of the log.
    EndOfLog,
    /// The offset to be fetched is not in the log.
    OutOfRange,
    /// What is stored at this offset can't be read; librdkafka would try for ever.
    Unreadable,
    /// The topic or partition doesn't exist any more.
    Gone,
    /// This user may not read the topic.
    Forbidden,
    /// Anything else, which librdkafka deals with itself.
    Passing,
}

/// Sorts an error code of librdkafka's.
pub fn fault(code: i32) -> Fault {
    use RDKafkaRespErr::*;
    let is = |known: RDKafkaRespErr| known as i32 == code;
    if is(RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        Fault::EndOfLog
    } else if is(RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) {
        Fault::OutOfRange
    } else if [
        RD_KAFKA_RESP_ERR__BAD_MSG,
        RD_KAFKA_RESP_ERR__BAD_COMPRESSION,
        RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED,
        RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
    ]
    .into_iter()
    .any(is)
    {
        Fault::Unreadable
    } else if [
        RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION,
        RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
        RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
        RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID,
    ]
    .into_iter()
    .any(is)
    {
        Fault::Gone
    } else if is(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
        Fault::Forbidden
    } else {
        Fault::Passing
    }
}

/// Why an offset is out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// Retention or a deletion of records moved the log start to this offset.
    Overtaken(i64),
    /// The log ends below the frozen end.
    Cut(i64),
    /// It is in range now: a leader that was behind.
    Within,
}

/// Compares an offset that couldn't be fetched with the log as it is now.
pub fn compare(failed: i64, end: i64, low: i64, stable_end: i64) -> Range {
    if low > failed {
        Range::Overtaken(low)
    } else if stable_end < end {
        Range::Cut(stable_end)
    } else {
        Range::Within
    }
}

/// Asks for the watermarks and compares.
///
/// # Errors
/// librdkafka's text.
pub fn ask(client: &Client, topic: &str, partition: i32, failed: i64, end: i64) -> Result<Range, String> {
    let (low, stable_end) = client.watermarks(topic, partition, WATERMARK_PATIENCE)?;
    Ok(compare(failed, end, low, stable_end))
}

/// Starts a partition anew at an offset; `seek` fails after an offset was out of range.
pub fn restart(client: &Client, topic: &str, partition: i32, at: i64) -> KafkaResult<()> {
    let mut list = TopicPartitionList::with_capacity(1);
    list.add_partition_offset(topic, partition, Offset::Offset(at))?;
    client.consumer().incremental_unassign(&list)?;
    client.consumer().incremental_assign(&list)
}

/// Watches a log that ended below its frozen end.
#[derive(Clone, Copy, Debug)]
pub struct Shortfall {
    since: Instant,
    asked: Instant,
}

/// What to think of such a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspicion {
    /// Too early to say.
    Waiting,
    /// The log reaches the frozen end again.
    Cleared,
    /// It was cut: it ends here.
    Confirmed(i64),
}

impl Shortfall {
    /// The end of the log was seen below the frozen end now.
    pub fn seen(now: Instant) -> Self {
        Self { since: now, asked: now }
    }

    /// Looks again, when it is time.
    pub fn look(&mut self, client: &Client, topic: &str, partition: i32, end: i64) -> Suspicion {
        if self.asked.elapsed() < CUT_RHYTHM {
            return Suspicion::Waiting;
        }
        let answer = client.watermarks(topic, partition, WATERMARK_PATIENCE);
        self.asked = Instant::now();
        match answer {
            Ok((_, stable_end)) if stable_end >= end => Suspicion::Cleared,
            Ok((_, stable_end)) if self.since.elapsed() >= CUT_PATIENCE => Suspicion::Confirmed(stable_end),
            // A broker that doesn't answer is the business of the time-out.
            _ => Suspicion::Waiting,
        }
    }
}

/// The refusal of a partition whose log ends before an offset that was there.
pub fn cut_error(topic: &str, partition: i32, end: i64, was: i64) -> Error {
    Error::new(
        format_args!("topic {topic}, partition {partition}"),
        format_args!("its log ends at offset {end}, but reached {was} before: it was cut"),
    )
    .hint(
        "an unclean leader election or a restored broker can do that, or a topic made again where topics have no id; \
         the other partitions go on",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_sorted_by_what_can_be_done() {
        assert_eq!(fault(-191), Fault::EndOfLog);
        assert_eq!(fault(-140), Fault::OutOfRange);
        assert_eq!(fault(-199), Fault::Unreadable);
        assert_eq!(fault(-198), Fault::Unreadable);
        assert_eq!(fault(-170), Fault::Unreadable);
        assert_eq!(fault(3), Fault::Gone);
        assert_eq!(fault(100), Fault::Gone);
        assert_eq!(fault(29), Fault::Forbidden);
        // REQUEST_TIMED_OUT, INVALID_MSG, and a code from a broker that is newer than the library.
        for code in [7, 2, 30_000] {
            assert_eq!(fault(code), Fault::Passing, "{code}");
        }
    }

    #[test]
    fn an_offset_out_of_range_is_overtaken_cut_or_back() {
        assert_eq!(compare(5, 10, 8, 20), Range::Overtaken(8));
        assert_eq!(compare(5, 10, 12, 20), Range::Overtaken(12));
        assert_eq!(compare(5, 10, 0, 3), Range::Cut(3));
        assert_eq!(compare(5, 10, 0, 9), Range::Cut(9));
        assert_eq!(compare(5, 10, 0, 10), Range::Within);
    }
}
