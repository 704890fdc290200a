//! What librdkafka says by itself: log lines and errors.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use super::refusal::Refusal;

/// The facility of the log lines that tell why a connection is given up.
const FAILED: &str = "FAIL";

/// What librdkafka told us last.
#[derive(Debug, Default)]
struct Heard {
    error: Option<String>,
    refusal: Option<Refusal>,
    /// Whether there was a moment without any broker.
    all_down: bool,
}

impl Heard {
    fn hear(&mut self, code: Option<RDKafkaErrorCode>, text: &str) {
        if let Some(refusal) = Refusal::of(code, text) {
            self.refusal = Some(refusal);
        }
        if code == Some(RDKafkaErrorCode::AllBrokersDown) {
            self.all_down = true;
            // It says less than the error of the broker that came before it.
            if self.error.is_some() {
                return;
            }
        }
        self.error = Some(plain(text).to_owned());
    }
}

/// An error without what only says how librdkafka came to it: `(after 3ms in state CONNECT, 1 identical error(s) suppressed)`.
fn plain(text: &str) -> &str {
    match text.rsplit_once(" (after ") {
        Some((plain, rest)) if rest.contains("ms in state ") && rest.ends_with(')') => plain,
        _ => text,
    }
}

/// Receives librdkafka's events.
#[derive(Debug)]
pub struct Context {
    log: bool,
    heard: Mutex<Heard>,
}

impl Context {
    /// Says nothing unless `log` is set; errors are kept in any case.
    pub fn new(log: bool) -> Self {
        Self {
            log,
            heard: Mutex::default(),
        }
    }

    /// The last error heard.
    pub fn last_error(&self) -> Option<String> {
        self.heard().error.clone()
    }

    /// Keeps an error that came another way.
    pub fn note_error(&self, text: String) {
        self.heard().error = Some(text);
    }

    /// What stands against every connection, as far as is known: a bad certificate of one broker says nothing of the others.
    pub fn refusal(&self) -> Option<Refusal> {
        let heard = self.heard();
        let decides = |refusal: &Refusal| refusal.is_final() || heard.all_down;
        heard.refusal.clone().filter(decides)
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // "[thrd:NAME]: TEXT". Errors proper come as events too; with `debug` each comes a second time, longer.
        let is_first = facility == FAILED && !matches!(level, RDKafkaLogLevel::Debug);
        if let Some((_, text)) = message.split_once("]: ").filter(|_| is_first) {
            self.heard().hear(None, text);
        }
        if !self.log {
            return;
        }
        let level = match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                log::Level::Error
            }
            RDKafkaLogLevel::Warning => log::Level::Warn,
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => log::Level::Info,
            RDKafkaLogLevel::Debug => log::Level::Debug,
        };
        log::log!(target: "librdkafka", level, "{facility}: {message}");
    }

    fn stats_raw(&self, _: &[u8]) {}

    fn error(&self, error: KafkaError, reason: &str) {
        log::debug!(target: "librdkafka", "{error}: {reason}");
        self.heard().hear(error.rdkafka_error_code(), reason);
    }
}

impl ConsumerContext for Context {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_a_broker_outlives_the_news_that_all_are_down() {
        let context = Context::new(false);
        let error = |code, text: &str| context.error(KafkaError::Global(code), text);
        error(RDKafkaErrorCode::AllBrokersDown, "1/1 brokers are down");
        error(RDKafkaErrorCode::BrokerTransportFailure, "connection refused");
        error(RDKafkaErrorCode::AllBrokersDown, "1/1 brokers are down");
        assert_eq!(context.last_error().as_deref(), Some("connection refused"));
        assert_eq!(context.refusal(), None);
    }

    #[test]
    fn how_librdkafka_came_to_an_error_is_left_out() {
        let refused = "b:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused";
        for how in [
            "(after 0ms in state CONNECT, 1 identical error(s) suppressed)",
            "(after 3ms in state APIVERSION_QUERY)",
        ] {
            assert_eq!(plain(&format!("{refused} {how}")), refused);
        }
        let other = "the log was cut (after offset 7)";
        assert_eq!(plain(other), other);
    }

    #[test]
    fn credentials_are_refused_for_all_brokers_and_certificates_for_one() {
        let error = |context: &Context, code, text: &str| context.error(KafkaError::Global(code), text);
        let context = Context::new(false);
        error(
            &context,
            RDKafkaErrorCode::Authentication,
            "SASL PLAIN: invalid credentials",
        );
        assert!(context.refusal().is_some());

        let context = Context::new(false);
        error(&context, RDKafkaErrorCode::SSL, "b:1: certificate verify failed");
        assert_eq!(context.refusal(), None, "another broker may have a good one");
        error(&context, RDKafkaErrorCode::AllBrokersDown, "2/2 brokers are down");
        assert!(context.refusal().is_some());
    }

    #[test]
    fn a_connection_that_is_closed_tells_why_in_a_log_line() {
        let context = Context::new(false);
        let line = "[thrd:ssl://b:1/bootstrap]: ssl://b:1/bootstrap: SSL alert number 116";
        context.log(RDKafkaLogLevel::Info, "FAIL", line);
        assert_eq!(
            context.last_error().as_deref(),
            Some("ssl://b:1/bootstrap: SSL alert number 116")
        );
        context.log(RDKafkaLogLevel::Info, "REQTMOUT", "[thrd:b]: b: timed out");
        context.error(
            KafkaError::Global(RDKafkaErrorCode::AllBrokersDown),
            "1/1 brokers are down",
        );
        assert!(context.refusal().is_some());
    }
}
