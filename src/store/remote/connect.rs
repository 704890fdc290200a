//! From an address to its store: credentials and endpoint come from the environment.

use std::sync::Arc;

use super::failure;
use super::parts::Completions;
use crate::error::{Error, Result};
use crate::store::place::Address;

/// How long a request may take that sends or brings a whole day file.
const REQUEST_TIMEOUT: &str = "600s";

/// The store of a bucket, with credentials and endpoint from the environment; and what gives uploads of parts their conditions, where
/// it has such.
pub(super) fn connect(address: Address<'_>) -> Result<(Arc<dyn object_store::ObjectStore>, Option<Completions>)> {
    use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
    use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
    use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
    use object_store::{ClientConfigKey, RetryConfig};

    // It is the process's; one that was set before serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let retry = RetryConfig {
        max_retries: 5,
        retry_timeout: std::time::Duration::from_secs(120),
        ..RetryConfig::default()
    };
    let failed = |error: object_store::Error| {
        let cause = failure::without_secrets(&error.to_string());
        Error::usage(
            address.url,
            format_args!("the environment does not say how to reach it: {cause}"),
        )
        .hint("docs/how-to/object-stores.md lists the variables")
    };
    let timeout = ClientConfigKey::Timeout;
    let is_unset = |name: &str| std::env::var_os(name).is_none();
    let mut completions = None;
    let store: Arc<dyn object_store::ObjectStore> = match address.scheme {
        "gs" => {
            let mut builder = GoogleCloudStorageBuilder::from_env()
                .with_bucket_name(address.bucket)
                .with_retry(retry);
            if is_unset("GOOGLE_TIMEOUT") {
                builder = builder.with_config(GoogleConfigKey::Client(timeout), REQUEST_TIMEOUT);
            }
            Arc::new(builder.build().map_err(failed)?)
        }
        "az" => {
            let mut builder = MicrosoftAzureBuilder::from_env()
                .with_container_name(address.bucket)
                .with_retry(retry);
            if is_unset("AZURE_TIMEOUT") {
                builder = builder.with_config(AzureConfigKey::Client(timeout), REQUEST_TIMEOUT);
            }
            Arc::new(builder.build().map_err(failed)?)
        }
        #[cfg(test)]
        "memory" => super::testing::store(address.bucket),
        _ => {
            let mut builder = AmazonS3Builder::from_env()
                .with_bucket_name(address.bucket)
                .with_retry(retry);
            if is_unset("AWS_TIMEOUT") {
                builder = builder.with_config(AmazonS3ConfigKey::Client(timeout), REQUEST_TIMEOUT);
            }
            let conditions = completions.insert(Completions::default()).clone();
            Arc::new(builder.with_http_connector(conditions).build().map_err(failed)?)
        }
    };
    Ok((store, completions))
}
