//! The one place with `unsafe`: the calls of librdkafka that rdkafka has no wrapper for.
//!
//! Here: a queue that partition queues are forwarded to and that is drained in batches, which halves the CPU time per
//! message against polling one message at a time. In [`admin`]: questions to the cluster. In [`certificate`]: what is wrong
//! with a certificate.
//!
//! Rules that the blocks below rely on:
//! - A [`Queue`] holds an `Arc` of its client, so that the client outlives every queue and every message.
//! - librdkafka is thread-safe; a queue is locked inside. A [`Batch`] borrows its queue mutably.
//! - `rd_kafka_resp_err_t` is a Rust enum, but a broker newer than the library can send a code that it lacks. Reading
//!   such a value as the enum is undefined, so codes that come from a broker are read as plain integers.

#![allow(unsafe_code)]

pub mod admin;
pub mod certificate;

use std::ffi::{CStr, CString, c_int};
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka_sys as sys;

use super::client::Consumer;

/// Messages taken from a queue at once.
pub const BATCH_MESSAGES: usize = 1000;

/// Says of which leader epoch the offset of a partition in this list is; no matter where the list doesn't have it.
pub fn set_leader_epoch(list: &mut TopicPartitionList, topic: &str, partition: i32, epoch: i32) {
    let Ok(topic) = CString::new(topic) else {
        return;
    };
    // SAFETY: the list is live and ours alone, `topic` is a C string that lives through the call. The element is null or belongs to
    // the list, whose memory for the epoch librdkafka makes itself.
    unsafe {
        let element = sys::rd_kafka_topic_partition_list_find(list.ptr(), topic.as_ptr(), partition);
        if !element.is_null() {
            sys::rd_kafka_topic_partition_set_leader_epoch(element, epoch);
        }
    }
}

/// A queue of librdkafka's that one consumer thread drains.
pub struct Queue {
    ptr: NonNull<sys::rd_kafka_queue_t>,
    /// Messages handed out by the last batch; empty between batches.
    messages: Vec<*mut sys::rd_kafka_message_t>,
    client: Arc<Consumer>,
}

// SAFETY: `ptr` is a handle to a queue that librdkafka guards with its own lock, and `messages` belong to no thread.
unsafe impl Send for Queue {}

impl Queue {
    /// An empty queue of this client.
    pub fn new(client: &Arc<Consumer>) -> Self {
        // SAFETY: the client's handle is live. The function allocates with `rd_calloc`, which aborts instead of
        // returning null.
        let ptr = unsafe { sys::rd_kafka_queue_new(client.client().native_ptr()) };
        Self {
            ptr: NonNull::new(ptr).expect("librdkafka aborts when it is out of memory"),
            messages: Vec::with_capacity(BATCH_MESSAGES),
            client: Arc::clone(client),
        }
    }

    /// Sends what is fetched for a partition to this queue, including what waits in the partition's own queue already.
    ///
    /// Done before the partition is assigned, none of its messages reaches the consumer's queue: the flag that this
    /// call sets keeps librdkafka from forwarding it there. Stopping a partition takes the forwarding away, so it is
    /// renewed after each new assignment. Returns whether librdkafka knows the partition.
    pub fn collect(&self, topic: &str, partition: i32) -> bool {
        let Ok(topic) = CString::new(topic) else {
            return false;
        };
        // SAFETY: client and queue are live, `topic` is a C string that lives through the call; the partition's queue
        // is a new reference that is given back once, after its last use.
        unsafe {
            let source =
                sys::rd_kafka_queue_get_partition(self.client.client().native_ptr(), topic.as_ptr(), partition);
            if source.is_null() {
                return false;
            }
            sys::rd_kafka_queue_forward(source, self.ptr.as_ptr());
            sys::rd_kafka_queue_destroy(source);
        }
        true
    }

    /// Waits up to `wait` and takes what has arrived by then, at most [`BATCH_MESSAGES`].
    pub fn next_batch(&mut self, wait: Duration) -> Batch<'_> {
        self.give_back();
        let wait = c_int::try_from(wait.as_millis()).unwrap_or(c_int::MAX);
        // SAFETY: the buffer has room for `BATCH_MESSAGES` pointers, and librdkafka writes as many as it returns, each
        // to a message that is ours until it is destroyed.
        unsafe {
            let taken =
                sys::rd_kafka_consume_batch_queue(self.ptr.as_ptr(), wait, self.messages.as_mut_ptr(), BATCH_MESSAGES);
            self.messages.set_len(usize::try_from(taken).unwrap_or(0));
        }
        Batch { queue: self }
    }

    fn give_back(&mut self) {
        for message in self.messages.drain(..) {
            // SAFETY: each pointer came from `rd_kafka_consume_batch_queue` and leaves the vector here, so it is
            // destroyed once.
            unsafe { sys::rd_kafka_message_destroy(message) };
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.give_back();
        // SAFETY: the queue was made by `new`, is destroyed once, and the client is still live.
        unsafe { sys::rd_kafka_queue_destroy(self.ptr.as_ptr()) };
    }
}

/// What one call took from a [`Queue`]; given back to librdkafka when dropped.
pub struct Batch<'q> {
    queue: &'q mut Queue,
}

impl Batch<'_> {
    /// Messages and errors in the order in which they arrived.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.queue.messages.iter().filter_map(|&message| {
            NonNull::new(message).map(|message| Entry {
                message,
                batch: PhantomData,
            })
        })
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.queue.messages.len()
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.queue.give_back();
    }
}

/// A message, or an error in place of one.
#[derive(Clone, Copy)]
pub struct Entry<'b> {
    message: NonNull<sys::rd_kafka_message_t>,
    batch: PhantomData<&'b ()>,
}

impl<'b> Entry<'b> {
    /// The error code, `None` for a message.
    pub fn error(&self) -> Option<i32> {
        // SAFETY: the message lives as long as its batch. The field is a C `int`; it is read as one, since its value
        // may be none of the enum's.
        let code = unsafe { (&raw const (*self.message.as_ptr()).err).cast::<c_int>().read() };
        (code != 0).then_some(code)
    }

    /// The topic's address: equal for two entries of one batch exactly when they are of the same topic.
    pub fn topic_address(&self) -> usize {
        // SAFETY: as above; the pointer is only compared.
        unsafe { (*self.message.as_ptr()).rkt as usize }
    }

    /// The topic's name; empty for an error that is about none.
    pub fn topic(&self) -> &'b str {
        // SAFETY: the message keeps its topic alive, and the topic its name.
        unsafe {
            let topic = (*self.message.as_ptr()).rkt;
            if topic.is_null() {
                return "";
            }
            CStr::from_ptr(sys::rd_kafka_topic_name(topic))
                .to_str()
                .unwrap_or_default()
        }
    }

    /// Partition number.
    pub fn partition(&self) -> i32 {
        // SAFETY: the message lives as long as its batch.
        unsafe { (*self.message.as_ptr()).partition }
    }

    /// Offset of the message, or the one that the error is about.
    pub fn offset(&self) -> i64 {
        // SAFETY: the message lives as long as its batch.
        unsafe { (*self.message.as_ptr()).offset }
    }

    /// The record's time in milliseconds since 1970-01-01 UTC, where it has one.
    pub fn timestamp_ms(&self) -> Option<i64> {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message lives as long as its batch; `kind` is written by librdkafka with one of its own values.
        let time = unsafe { sys::rd_kafka_message_timestamp(self.message.as_ptr(), &raw mut kind) };
        (kind != sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE && time >= 0).then_some(time)
    }

    /// The message's value, empty for null; for an error its text.
    pub fn payload(&self) -> &'b [u8] {
        // SAFETY: `payload` points to `len` bytes that librdkafka doesn't change while the message lives.
        unsafe {
            let message = self.message.as_ptr();
            let (start, len) = ((*message).payload, (*message).len);
            if start.is_null() || len == 0 {
                return &[];
            }
            std::slice::from_raw_parts(start.cast::<u8>(), len)
        }
    }
}
