//! From an address to its store: credentials and endpoint come from the environment.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::store::place::Address;

/// How long a request may take that sends or brings a whole day file.
const REQUEST_TIMEOUT: &str = "600s";

/// The store of a bucket, with credentials and endpoint from the environment.
pub(super) fn connect(address: Address<'_>) -> Result<Arc<dyn object_store::ObjectStore>> {
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
        Error::usage(
            address.url,
            format_args!("the environment does not say how to reach it: {error}"),
        )
        .hint("docs/how-to/object-stores.md lists the variables")
    };
    let timeout = ClientConfigKey::Timeout;
    Ok(match address.scheme {
        "gs" => {
            let mut builder = GoogleCloudStorageBuilder::from_env()
                .with_bucket_name(address.bucket)
                .with_retry(retry);
            let key = GoogleConfigKey::Client(timeout);
            if builder.get_config_value(&key).is_none() {
                builder = builder.with_config(key, REQUEST_TIMEOUT);
            }
            Arc::new(builder.build().map_err(failed)?)
        }
        "az" => {
            let mut builder = MicrosoftAzureBuilder::from_env()
                .with_container_name(address.bucket)
                .with_retry(retry);
            let key = AzureConfigKey::Client(timeout);
            if builder.get_config_value(&key).is_none() {
                builder = builder.with_config(key, REQUEST_TIMEOUT);
            }
            Arc::new(builder.build().map_err(failed)?)
        }
        #[cfg(test)]
        "memory" => super::testing::store(address.bucket),
        _ => {
            let mut builder = AmazonS3Builder::from_env()
                .with_bucket_name(address.bucket)
                .with_retry(retry);
            let key = AmazonS3ConfigKey::Client(timeout);
            if builder.get_config_value(&key).is_none() {
                builder = builder.with_config(key, REQUEST_TIMEOUT);
            }
            Arc::new(builder.build().map_err(failed)?)
        }
    })
}
