//! What librdkafka says by itself: log lines and errors.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

/// What librdkafka told us last.
#[derive(Debug, Default)]
struct Heard {
    error: Option<String>,
    refused: Option<String>,
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

    /// The broker's refusal of the credentials, once.
    pub fn take_refusal(&self) -> Option<String> {
        self.heard().refused.take()
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
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
        let mut heard = self.heard();
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Authentication) {
            heard.refused = Some(reason.to_owned());
        }
        // "All brokers are down" says less than the error of the broker that came before it.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) || heard.error.is_none() {
            heard.error = Some(reason.to_owned());
        }
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
        assert_eq!(context.take_refusal(), None);
        error(RDKafkaErrorCode::Authentication, "SASL PLAIN: invalid credentials");
        assert!(context.take_refusal().is_some());
        assert_eq!(context.take_refusal(), None);
    }
}
