//! What OpenSSL has against a broker's certificate: librdkafka's own error is the same for all of it.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::{Client, ClientContext};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaType;
use rdkafka_sys as sys;

/// How long the connection is waited for between two looks at what was found.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The first thing that was wrong with a broker's certificate or with one that vouches for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The broker that sent it, `host:port`.
    pub broker: String,
    /// OpenSSL's `X509_V_ERR_...`.
    pub code: i32,
    /// 0 for the broker's own certificate, else how far above it.
    pub depth: i32,
}

/// Connects once more, as `config` says, only to see which check fails. `None` when none did in time.
///
/// The callback that tells it replaces librdkafka's own check, so the client that reads goes without it.
pub fn examine(config: &ClientConfig, patience: Duration) -> Option<Finding> {
    let native = config.create_native_config().ok()?;
    // SAFETY: the configuration is live and not used yet. Where librdkafka is built without TLS the call does nothing.
    unsafe { sys::rd_kafka_conf_set_ssl_cert_verify_cb(native.ptr(), Some(verify)) };
    let client = Client::new(config, native, RDKafkaType::RD_KAFKA_CONSUMER, Probe::default()).ok()?;
    let start = Instant::now();
    while client.context().finding().is_none() && start.elapsed() < patience {
        if client.fetch_metadata(None, LOOK_AGAIN).is_ok() {
            break;
        }
    }
    client.context().finding()
}

/// Keeps what was found and says nothing.
#[derive(Debug, Default)]
struct Probe(Mutex<Option<Finding>>);

impl Probe {
    fn finding(&self) -> Option<Finding> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for Probe {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}
    fn error(&self, _: KafkaError, _: &str) {}
}

/// Is asked about each certificate of the chain; agrees with OpenSSL, and takes down where that refuses.
unsafe extern "C" fn verify(
    _client: *mut sys::rd_kafka_t,
    broker: *const c_char,
    _broker_id: i32,
    error: *mut c_int,
    depth: c_int,
    _certificate: *const c_char,
    _size: usize,
    _text: *mut c_char,
    _text_size: usize,
    opaque: *mut c_void,
) -> c_int {
    // SAFETY: librdkafka passes a C string, a pointer to OpenSSL's code, and as `opaque` what `Client::new` set: the
    // client's own context, which outlives librdkafka's threads.
    let (broker, code, probe) = unsafe { (CStr::from_ptr(broker), ptr::read(error), &*opaque.cast::<Probe>()) };
    if code == 0 {
        return 1;
    }
    let mut finding = probe.0.lock().unwrap_or_else(PoisonError::into_inner);
    finding.get_or_insert_with(|| Finding {
        broker: broker.to_string_lossy().into_owned(),
        code,
        depth,
    });
    0
}
