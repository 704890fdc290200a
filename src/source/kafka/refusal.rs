//! Why a broker and diurnal will not have each other: credentials and certificates, told so that a person can act on it.
//!
//! librdkafka tries again for ever, whatever the reason; of these no attempt gets better, so they end the wait.

use std::time::Duration;

use rdkafka::types::RDKafkaErrorCode;

use super::raw::certificate::{self, Finding};
use super::settings::KafkaSettings;
use crate::error::{Error, Result};

/// How long the second connection may take that finds out what is wrong with a certificate.
const EXAMINATION: Duration = Duration::from_secs(5);

/// The alerts (RFC 8446, section 6.2) that are about a client's certificate: bad, unsupported, revoked, expired, unknown,
/// of an unknown authority, missing.
const CERTIFICATE_ALERTS: [u32; 7] = [42, 43, 44, 45, 46, 48, 116];

/// The properties that give a client certificate.
const CLIENT_CERTIFICATE: [&str; 4] = [
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.keystore.location",
    "ssl_certificate",
];

/// What stands against a connection, with librdkafka's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The broker refuses the user, the password or the mechanism.
    Credentials(String),
    /// The broker's certificate failed a check.
    BrokerCertificate(String),
    /// The broker refuses our certificate, or that we have none.
    ClientCertificate(String),
}

impl Refusal {
    /// Tells a refusal from errors that may pass, such as those of a broker that starts.
    pub fn of(code: Option<RDKafkaErrorCode>, text: &str) -> Option<Self> {
        if code == Some(RDKafkaErrorCode::Authentication) {
            Some(Self::Credentials(text.to_owned()))
        } else if text.contains("certificate verify failed") {
            Some(Self::BrokerCertificate(text.to_owned()))
        } else if alert(text).is_some_and(|number| CERTIFICATE_ALERTS.contains(&number)) {
            Some(Self::ClientCertificate(text.to_owned()))
        } else {
            None
        }
    }

    /// Whether one broker speaks for all. Certificates are each broker's own.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Credentials(_))
    }

    /// The error that ends the run.
    ///
    /// # Errors
    /// As [`KafkaSettings::check`].
    pub fn into_error(self, settings: &KafkaSettings) -> Result<Error> {
        let brokers = settings.brokers.trim();
        Ok(match self {
            Self::Credentials(text) => Error::new(brokers, format_args!("refuses the credentials: {text}")).hint(
                "check sasl.username, sasl.password, sasl.mechanism and security.protocol; brokers do not tell a wrong \
                 password from an unknown user",
            ),
            Self::BrokerCertificate(text) => match certificate::examine(&settings.client_config()?, EXAMINATION) {
                Some(finding) => certificate_error(&finding),
                None => Error::new(brokers, text).hint("check ssl.ca.location and the broker's certificate"),
            },
            Self::ClientCertificate(text) if has_certificate(settings) => {
                Error::new(brokers, format_args!("refuses the client certificate: {text}"))
                    .hint("check that it has not expired and that the broker trusts the authority that signed it")
            }
            Self::ClientCertificate(text) => Error::new(
                brokers,
                format_args!("wants a client certificate, and none is given: {text}"),
            )
            .hint("ssl.certificate.location and ssl.key.location name its files"),
        })
    }
}

/// The number in `...: SSL alert number 42`, as OpenSSL says it.
fn alert(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once("SSL alert number ")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

fn has_certificate(settings: &KafkaSettings) -> bool {
    let given = |(name, value): &(String, String)| CLIENT_CERTIFICATE.contains(&name.as_str()) && !value.is_empty();
    settings.properties.iter().any(given)
}

/// OpenSSL's code (`x509_vfy.h`) in words.
fn certificate_error(finding: &Finding) -> Error {
    let whose = match finding.depth {
        0 => "its certificate",
        _ => "the certificate of an authority that signed its own",
    };
    let (cause, hint) = match finding.code {
        9 => (
            "is not valid yet",
            "check the clock of this machine, and the certificate's dates",
        ),
        10 => (
            "has expired",
            "renew it on the broker; check the clock of this machine as well",
        ),
        18 => (
            "is signed by itself, and not trusted here",
            "ssl.ca.location can name a file with that very certificate",
        ),
        2 | 19 | 20 | 21 => (
            "is signed by an authority that is not trusted here",
            "ssl.ca.location names the file with the authority's certificate",
        ),
        23 => ("was revoked", "renew it on the broker"),
        62 | 64 => (
            "is for another host name",
            "give --brokers a name that is in the certificate (subjectAltName); brokers advertise theirs by \
             advertised.listeners",
        ),
        code => {
            return Error::new(
                format_args!("broker {}", finding.broker),
                format_args!("{whose} fails OpenSSL's check {code}"),
            )
            .hint("man X509_STORE_CTX_get_error (3ssl) and x509_vfy.h say which that is");
        }
    };
    Error::new(
        format_args!("broker {}", finding.broker),
        format_args!("{whose} {cause}"),
    )
    .hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNVERIFIED: &str = "ssl://b:1/bootstrap: SSL handshake failed: error:0A000086:SSL \
                              routines::certificate verify failed";
    const ALERT: &str = "ssl://b:1/bootstrap: SSL error: error:0A000412:SSL routines::ssl/tls alert bad certificate: \
                         SSL alert number 42 (after 3ms in state APIVERSION_QUERY)";

    #[test]
    fn refusals_are_told_from_what_may_pass() {
        let of = |code, text: &str| Refusal::of(Some(code), text);
        assert!(of(RDKafkaErrorCode::Authentication, "no").is_some_and(|refusal| refusal.is_final()));
        assert_eq!(
            of(RDKafkaErrorCode::SSL, UNVERIFIED),
            Some(Refusal::BrokerCertificate(UNVERIFIED.to_owned()))
        );
        assert_eq!(
            Refusal::of(None, ALERT),
            Some(Refusal::ClientCertificate(ALERT.to_owned()))
        );
        // An internal error of the broker, and a handshake cut short.
        let internal = ALERT.replace("42", "80");
        for passing in [internal.as_str(), "Connection refused", "SSL alert number "] {
            assert_eq!(of(RDKafkaErrorCode::BrokerTransportFailure, passing), None, "{passing}");
        }
    }

    #[test]
    fn a_missing_client_certificate_is_told_from_a_refused_one() {
        let mut settings = KafkaSettings::new("b:1", vec!["t".to_owned()]);
        let error = |settings: &KafkaSettings| {
            let refusal = Refusal::ClientCertificate(ALERT.to_owned());
            refusal.into_error(settings).unwrap().to_string()
        };
        assert!(
            error(&settings).starts_with("b:1: wants a client certificate"),
            "{}",
            error(&settings)
        );
        settings
            .properties
            .push(("ssl.keystore.location".to_owned(), "me.p12".to_owned()));
        assert!(
            error(&settings).starts_with("b:1: refuses the client certificate"),
            "{}",
            error(&settings)
        );
    }

    #[test]
    fn every_check_of_a_certificate_has_its_own_words() {
        let words = |code, depth| {
            let error = certificate_error(&Finding {
                broker: "b:1".to_owned(),
                code,
                depth,
            });
            assert!(error.advice().is_some(), "{code}");
            error.to_string()
        };
        assert_eq!(words(10, 0), "broker b:1: its certificate has expired");
        assert_eq!(
            words(10, 1),
            "broker b:1: the certificate of an authority that signed its own has expired"
        );
        assert_eq!(words(62, 0), "broker b:1: its certificate is for another host name");
        assert_eq!(words(26, 0), "broker b:1: its certificate fails OpenSSL's check 26");
    }
}
