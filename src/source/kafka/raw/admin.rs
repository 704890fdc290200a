//! Requests of librdkafka's admin interface: topic ids, high watermarks, group offsets.
//!
//! Each is sent with a queue of its own, to which the answer comes, and has librdkafka's own time-out. Requests copy
//! their arguments. What an answer points to belongs to it; everything is copied before the answer is dropped.

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char, c_int};
use std::marker::PhantomData;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka_sys as sys;

use super::Queue;
use crate::source::kafka::client::Consumer;

/// How much longer than librdkafka's own time-out an answer is waited for.
const GRACE: Duration = Duration::from_millis(100);

/// One topic as its cluster describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    /// The topic's name.
    pub name: String,
    /// Its id in base64; `None` where the broker knows no topic ids.
    pub id: Option<String>,
    /// The name of the error that came instead of an id, such as `UNKNOWN_TOPIC_OR_PART`.
    pub error: Option<String>,
}

/// Asks one broker to describe topics, in any order.
///
/// Any broker can answer; asking the one that just answered avoids a wait for the controller, which the embedded broker
/// doesn't have.
///
/// # Errors
/// The text of the failure, which may be a time-out.
pub fn describe_topics(
    client: &Arc<Consumer>,
    names: &[&str],
    broker: i32,
    wait: Duration,
) -> Result<Vec<TopicDescription>, String> {
    let names: Vec<CString> = names
        .iter()
        .map(|&name| CString::new(name).map_err(|error| error.to_string()))
        .collect::<Result<_, _>>()?;
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let options = AdminOptions::new(
        client,
        sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
        Some(broker),
        wait,
    );
    let queue = Queue::new(client);
    // SAFETY: `pointers` are C strings that outlive the call; the collection copies them and is destroyed once. The
    // request copies collection and options.
    unsafe {
        let topics = sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        sys::rd_kafka_DescribeTopics(client.client().native_ptr(), topics, options.ptr, queue.ptr.as_ptr());
        sys::rd_kafka_TopicCollection_destroy(topics);
    }
    let answer = Answer::wait(&queue, wait)?;
    // SAFETY: the event lives until `answer` is dropped and owns everything that is reached from it; the accessors
    // return null or a pointer to as many elements as they say. All strings are copied before that.
    unsafe {
        let result = sys::rd_kafka_event_DescribeTopics_result(answer.ptr);
        if result.is_null() {
            return Err(answer.error());
        }
        let mut count = 0;
        let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if topics.is_null() || count == 0 {
            return Err(answer.error());
        }
        Ok(std::slice::from_raw_parts(topics, count)
            .iter()
            .map(|&topic| describe(topic))
            .collect())
    }
}

/// Copies one description.
///
/// # Safety
/// `topic` points to a live description.
unsafe fn describe(topic: *const sys::rd_kafka_TopicDescription_t) -> TopicDescription {
    // SAFETY: the caller keeps the description alive; name, id and error belong to it.
    unsafe {
        let error = sys::rd_kafka_TopicDescription_error(topic);
        let id = sys::rd_kafka_TopicDescription_topic_id(topic);
        let known = !id.is_null()
            && (sys::rd_kafka_Uuid_most_significant_bits(id) != 0
                || sys::rd_kafka_Uuid_least_significant_bits(id) != 0);
        TopicDescription {
            name: text(sys::rd_kafka_TopicDescription_name(topic)),
            // Kafka's own tools write ids in the URL-safe alphabet.
            id: known.then(|| {
                text(sys::rd_kafka_Uuid_base64str(id))
                    .replace('+', "-")
                    .replace('/', "_")
            }),
            error: (!error.is_null()).then(|| text(sys::rd_kafka_error_name(error))),
        }
    }
}

/// A partition's high watermark, and the epoch of the leader that told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HighWatermark {
    /// The offset after the last record of any kind.
    pub offset: i64,
    /// How many leaders came before; `None` where the broker counts none.
    pub epoch: Option<i32>,
}

/// The high watermarks of partitions, for as many as the brokers answer.
///
/// Unlike every other question this one is not answered at read_committed, so that the difference from the last stable
/// offset is what an open transaction holds back.
///
/// # Errors
/// The text of the failure, which may be a time-out.
pub fn high_watermarks(
    client: &Arc<Consumer>,
    partitions: &[(&str, i32)],
    wait: Duration,
) -> Result<HashMap<(String, i32), HighWatermark>, String> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for &(topic, partition) in partitions {
        list.add_partition_offset(topic, partition, Offset::End)
            .map_err(|error| error.to_string())?;
    }
    let options = AdminOptions::new(
        client,
        sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS,
        None,
        wait,
    );
    let queue = Queue::new(client);
    // SAFETY: list, options and queue are live; the request copies the first two. The options' isolation level is left
    // at its default, read_uncommitted.
    unsafe {
        sys::rd_kafka_ListOffsets(
            client.client().native_ptr(),
            list.ptr(),
            options.ptr,
            queue.ptr.as_ptr(),
        );
    }
    let answer = Answer::wait(&queue, wait)?;
    let mut found = HashMap::new();
    // SAFETY: as in `describe_topics`.
    unsafe {
        let result = sys::rd_kafka_event_ListOffsets_result(answer.ptr);
        if result.is_null() {
            return Err(answer.error());
        }
        let mut count = 0;
        let infos = sys::rd_kafka_ListOffsets_result_infos(result, &raw mut count);
        if infos.is_null() || count == 0 {
            return Err(answer.error());
        }
        for &info in std::slice::from_raw_parts(infos, count) {
            let of = sys::rd_kafka_ListOffsetsResultInfo_topic_partition(info);
            if error_code(of).is_none() {
                let epoch = sys::rd_kafka_topic_partition_get_leader_epoch(of);
                let watermark = HighWatermark {
                    offset: (*of).offset,
                    epoch: (epoch >= 0).then_some(epoch),
                };
                found.insert((text((*of).topic), (*of).partition), watermark);
            }
        }
    }
    Ok(found)
}

/// Commits offsets for a group that has no live member, and says which partitions were refused.
///
/// This is the request behind `kafka-consumer-groups --reset-offsets`. Unlike `rd_kafka_commit` it tells its outcome
/// without a wait that has no end, and a refusal leaves the consumer's assignment alone.
///
/// # Errors
/// The text of the failure, which may be a time-out.
pub fn commit_group_offsets(
    client: &Arc<Consumer>,
    group: &str,
    offsets: &TopicPartitionList,
    wait: Duration,
) -> Result<(), String> {
    let group = CString::new(group).map_err(|error| error.to_string())?;
    let options = AdminOptions::new(
        client,
        sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS,
        None,
        wait,
    );
    let queue = Queue::new(client);
    // SAFETY: group and offsets outlive the call that copies them; the one-element array lives through the request,
    // which copies it, and its element is destroyed once.
    unsafe {
        let mut change = sys::rd_kafka_AlterConsumerGroupOffsets_new(group.as_ptr(), offsets.ptr());
        sys::rd_kafka_AlterConsumerGroupOffsets(
            client.client().native_ptr(),
            &raw mut change,
            1,
            options.ptr,
            queue.ptr.as_ptr(),
        );
        sys::rd_kafka_AlterConsumerGroupOffsets_destroy(change);
    }
    let answer = Answer::wait(&queue, wait)?;
    // SAFETY: as in `describe_topics`.
    unsafe {
        let result = sys::rd_kafka_event_AlterConsumerGroupOffsets_result(answer.ptr);
        if result.is_null() {
            return Err(answer.error());
        }
        let mut count = 0;
        let groups = sys::rd_kafka_AlterConsumerGroupOffsets_result_groups(result, &raw mut count);
        if groups.is_null() || count == 0 {
            return Err(answer.error());
        }
        for &group in std::slice::from_raw_parts(groups, count) {
            let error = sys::rd_kafka_group_result_error(group);
            if !error.is_null() {
                return Err(text(sys::rd_kafka_error_string(error)));
            }
            let partitions = sys::rd_kafka_group_result_partitions(group);
            if partitions.is_null() {
                continue;
            }
            let elements = usize::try_from((*partitions).cnt).unwrap_or(0);
            for index in 0..elements {
                let partition = (*partitions).elems.add(index);
                if let Some(code) = error_code(partition) {
                    return Err(code_text(code));
                }
            }
        }
    }
    Ok(())
}

/// A partition's error, `None` for success.
///
/// # Safety
/// `partition` points to a live element.
unsafe fn error_code(partition: *const sys::rd_kafka_topic_partition_t) -> Option<c_int> {
    // SAFETY: the caller keeps the element alive. The field is a C `int`; it is read as one, since its value may be none
    // of the enum's.
    let code = unsafe { (&raw const (*partition).err).cast::<c_int>().read() };
    (code != 0).then_some(code)
}

/// What a code means, also one that the library doesn't know.
fn code_text(code: c_int) -> String {
    match sys::rd_kafka_resp_err_t::try_from(code) {
        Ok(known) => RDKafkaErrorCode::from(known).to_string(),
        Err(_) => format!("error {code} of the broker"),
    }
}

/// Copies a C string; null becomes the empty string.
///
/// # Safety
/// `string` is null or points to a C string.
unsafe fn text(string: *const c_char) -> String {
    if string.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(string) }.to_string_lossy().into_owned()
}

/// Options of an admin request.
struct AdminOptions {
    ptr: *mut sys::rd_kafka_AdminOptions_t,
}

impl AdminOptions {
    fn new(client: &Arc<Consumer>, operation: sys::rd_kafka_admin_op_t, broker: Option<i32>, wait: Duration) -> Self {
        let wait = c_int::try_from(wait.as_millis()).unwrap_or(c_int::MAX);
        // SAFETY: the client is live; options are allocated by an allocator that aborts instead of returning null. The
        // setters take a null error buffer of length 0 and refuse a value out of range by leaving the default.
        unsafe {
            let ptr = sys::rd_kafka_AdminOptions_new(client.client().native_ptr(), operation);
            sys::rd_kafka_AdminOptions_set_request_timeout(ptr, wait, ptr::null_mut(), 0);
            if let Some(broker) = broker {
                sys::rd_kafka_AdminOptions_set_broker(ptr, broker, ptr::null_mut(), 0);
            }
            Self { ptr }
        }
    }
}

impl Drop for AdminOptions {
    fn drop(&mut self) {
        // SAFETY: made by `new`, destroyed once; requests keep a copy.
        unsafe { sys::rd_kafka_AdminOptions_destroy(self.ptr) };
    }
}

/// The event that answers an admin request.
struct Answer<'q> {
    ptr: *mut sys::rd_kafka_event_t,
    queue: PhantomData<&'q Queue>,
}

impl<'q> Answer<'q> {
    /// Waits for the answer; librdkafka's own time-out comes as one, this wait is a little longer.
    fn wait(queue: &'q Queue, wait: Duration) -> Result<Self, String> {
        let wait = c_int::try_from((wait + GRACE).as_millis()).unwrap_or(c_int::MAX);
        // SAFETY: the queue is live; the event is null or ours until it is destroyed.
        let ptr = unsafe { sys::rd_kafka_queue_poll(queue.ptr.as_ptr(), wait) };
        if ptr.is_null() {
            return Err("no answer in time".to_owned());
        }
        Ok(Self {
            ptr,
            queue: PhantomData,
        })
    }

    fn error(&self) -> String {
        // SAFETY: the event is live; the text belongs to it and is copied.
        unsafe { text(sys::rd_kafka_event_error_string(self.ptr)) }
    }
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        // SAFETY: returned by `rd_kafka_queue_poll`, destroyed once.
        unsafe { sys::rd_kafka_event_destroy(self.ptr) };
    }
}
