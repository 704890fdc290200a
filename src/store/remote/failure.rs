//! What object stores say when they fail, in words for people: never a URL with its query, never a header, so no secret.

use std::error::Error as _;

use object_store::Error as StoreError;

use crate::error::Error;

/// Whether there is no object of that name. A bucket that is not there is another matter.
pub(super) fn is_absent(error: &StoreError) -> bool {
    let of_bucket = |code: String| ["NoSuchBucket", "ContainerNotFound"].contains(&code.as_str());
    matches!(error, StoreError::NotFound { .. }) && !code(&whole(error)).is_some_and(of_bucket)
}

/// Whether a condition did not hold.
pub(super) fn is_refused(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::AlreadyExists { .. } | StoreError::Precondition { .. } | StoreError::NotModified { .. }
    )
}

/// Whether the store certainly did not do what it was asked for.
pub(super) fn is_definite(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::NotFound { .. }
            | StoreError::PermissionDenied { .. }
            | StoreError::Unauthenticated { .. }
            | StoreError::NotImplemented { .. }
            | StoreError::NotSupported { .. }
            | StoreError::InvalidPath { .. }
            | StoreError::UnknownConfigurationKey { .. }
    )
}

/// The error as a person should read it. `object` begins with the scheme of its address.
pub(super) fn told(object: &str, doing: &str, error: &StoreError) -> Error {
    let text = whole(error);
    let variables = Variables::of(object);
    let (cause, hint) = match code(&text) {
        Some(code) => {
            let message = between(&text, "<Message>", "</Message>").unwrap_or_default();
            // Azure's goes on with numbers that mean something to its makers alone.
            let message = message.lines().next().unwrap_or_default();
            (format!("{code}: {message}"), hint_of_code(&code, &variables))
        }
        None => (plain(error), hint_of(error, &text, &variables)),
    };
    let cause = without_secrets(cause.trim_end_matches([':', ' ']));
    let told = Error::new(object, format_args!("cannot {doing}: {cause}"));
    match hint {
        Some(hint) => told.hint(hint),
        None => told,
    }
}

/// What to set for a store, as its hints name it.
struct Variables {
    credentials: &'static str,
    endpoint: &'static str,
    without_tls: &'static str,
}

impl Variables {
    fn of(address: &str) -> Self {
        match address.split_once(':').map(|(scheme, _)| scheme) {
            Some("gs") => Self {
                credentials: "GOOGLE_SERVICE_ACCOUNT or GOOGLE_SERVICE_ACCOUNT_KEY",
                endpoint: "GOOGLE_BASE_URL; without it Google itself is meant",
                without_tls: "GOOGLE_ALLOW_HTTP=true",
            },
            Some("az") => Self {
                credentials: "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or AZURE_STORAGE_SAS_TOKEN",
                endpoint: "AZURE_STORAGE_ENDPOINT; without it Azure itself is meant",
                without_tls: "AZURE_ALLOW_HTTP=true",
            },
            _ => Self {
                credentials: "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN",
                endpoint: "AWS_ENDPOINT_URL, AWS_REGION; without an endpoint AWS itself is meant",
                without_tls: "AWS_ALLOW_HTTP=true",
            },
        }
    }

    fn to_check(&self) -> String {
        format!("check the credentials in the environment: {}", self.credentials)
    }
}

/// A text in which no value of the environment stands that only its owner may know.
pub(super) fn without_secrets(text: &str) -> String {
    const STORES: [&str; 3] = ["AWS_", "GOOGLE_", "AZURE_"];
    const SECRETS: [&str; 6] = ["KEY", "SECRET", "TOKEN", "SAS", "PASSWORD", "CREDENTIAL"];
    let secrets = std::env::vars_os().filter_map(|(name, value)| {
        let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
        let is_secret =
            STORES.iter().any(|store| name.starts_with(store)) && SECRETS.iter().any(|word| name.contains(word));
        // A shorter one would be found everywhere.
        (is_secret && value.len() >= LEAST_SECRET).then_some(value)
    });
    secrets.fold(text.to_owned(), |text, secret| text.replace(&secret, "***"))
}

/// Bytes of the shortest value that is looked for.
const LEAST_SECRET: usize = 6;

fn hint_of_code(code: &str, variables: &Variables) -> Option<String> {
    let hint = match code {
        "NoSuchBucket" | "ContainerNotFound" => "make the bucket first, or correct its name in --archive",
        "AccessDenied" | "AccountProblem" | "AllAccessDisabled" | "AuthorizationPermissionMismatch" => MAY_NOT,
        "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "ExpiredToken"
        | "InvalidToken"
        | "AuthenticationFailed"
        | "AuthorizationFailure" => {
            return Some(variables.to_check());
        }
        "RequestTimeTooSkewed" => "this machine's clock is wrong: set it, best by NTP",
        "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
            "the bucket is in another region: set AWS_REGION"
        }
        "NotImplemented" => {
            "diurnal needs conditional writes (If-None-Match and If-Match), which this server does not have"
        }
        "SlowDown" | "ServiceUnavailable" | "InternalError" | "ServerBusy" => {
            "the store is busy or out of order; run again later"
        }
        "EntityTooLarge" => "the day file is too large for this store",
        _ => return None,
    };
    Some(hint.to_owned())
}

const MAY_NOT: &str =
    "these credentials may not do that: diurnal lists, reads, writes and deletes objects below the archive's prefix";

fn hint_of(error: &StoreError, text: &str, variables: &Variables) -> Option<String> {
    let lower = text.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let set_credentials = format!("set credentials in the environment: {}", variables.credentials);
    Some(match error {
        StoreError::PermissionDenied { .. } => MAY_NOT.to_owned(),
        StoreError::Unauthenticated { .. } => variables.to_check(),
        _ if has(&["builder error", "url scheme is not allowed", "allow_http"]) => {
            format!("an endpoint without TLS is used with {} only", variables.without_tls)
        }
        _ if has(&["certificate", "tls", "invalid peer"]) => {
            "the endpoint's certificate is not trusted here: add its authority to the system's".to_owned()
        }
        _ if has(&["dns", "lookup", "name or service not known"]) => {
            format!("the endpoint's name is unknown: check {}", variables.endpoint)
        }
        // Where none are set, those of the machine's role are asked for, at addresses that only machines of a cloud know.
        _ if has(&["169.254.", "metadata.google.internal"]) => set_credentials,
        _ if has(&["connect", "timed out", "timeout", "error sending request"]) => {
            format!("check that the endpoint can be reached: {}", variables.endpoint)
        }
        _ if has(&["credential"]) => set_credentials,
        _ => return None,
    })
}

/// An error and all that it comes from, for looking into.
fn whole(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += " | ";
        text += &error.to_string();
        cause = error.source();
    }
    text
}

/// What the innermost error says, with what makes sense of it.
fn plain(error: &StoreError) -> String {
    let mut texts = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        texts.push(error.to_string());
        cause = error.source();
    }
    let status = texts
        .iter()
        .find_map(|text| between(text, "non-2xx status code: ", ":"));
    if let Some(status) = status {
        return format!("the store answers {status}");
    }
    // The outer ones tell the method, the address and the number of tries.
    let inner = texts.pop().unwrap_or_default();
    match (error.source().is_none(), inner.is_empty()) {
        (_, true) => "the store can't be reached".to_owned(),
        _ => inner,
    }
}

/// The `Code` of the XML that S3 and its likes answer with.
fn code(text: &str) -> Option<String> {
    let code = between(text, "<Code>", "</Code>")?;
    let is_word = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_word.then_some(code)
}

fn between(text: &str, from: &str, to: &str) -> Option<String> {
    let rest = &text[text.find(from)? + from.len()..];
    Some(rest[..rest.find(to)?].to_owned())
}
