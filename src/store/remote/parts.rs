//! Large objects under a condition: S3 completes an upload of parts under one, as it takes a whole object, but object_store passes none on.
//!
//! So the header is added on the way out. A signature of version 4 need not cover it: only `host` and `x-amz-*` have to be signed
//! ([AWS, "Create a signed request"](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html)).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};

use super::bucket::Condition;

/// Under which conditions uploads are to be completed, by the key of the object in the bucket.
#[derive(Clone, Debug, Default)]
pub(super) struct Completions(Arc<Mutex<HashMap<String, Condition>>>);

impl Completions {
    /// The condition for the upload to this key, until [`Completions::forget`].
    pub fn expect(&self, key: &str, condition: &Condition) {
        let mut expected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        expected.insert(key.to_owned(), condition.clone());
    }

    pub fn forget(&self, key: &str) {
        let mut expected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        expected.remove(key);
    }

    /// The header of the request that completes an upload.
    fn header(&self, path: &str) -> Option<(&'static str, String)> {
        let path = percent_encoding::percent_decode_str(path).decode_utf8().ok()?;
        let expected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The bucket may stand before the key, or in the name of the host.
        let of_key = |key: &String| {
            path.strip_suffix(key.as_str())
                .is_some_and(|before| before.ends_with('/'))
        };
        let longest = expected.keys().filter(|key| of_key(key)).max_by_key(|key| key.len())?;
        Some(match expected.get(longest)? {
            Condition::Absent => ("if-none-match", "*".to_owned()),
            Condition::Is(version) => ("if-match", version.e_tag.clone()?),
        })
    }
}

impl HttpConnector for Completions {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Conditional {
            client: ReqwestConnector::default().connect(options)?,
            completions: self.clone(),
        }))
    }
}

/// A client that adds the conditions.
#[derive(Debug)]
struct Conditional {
    client: HttpClient,
    completions: Completions,
}

#[async_trait]
impl HttpService for Conditional {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let uri = request.uri();
        let completes = request.method().as_str() == "POST"
            && uri
                .query()
                .is_some_and(|query| query.split('&').any(|pair| pair.starts_with("uploadId=")));
        if completes && let Some((name, value)) = self.completions.header(uri.path()) {
            // Never without it: that would overwrite whatever is there.
            let value = value
                .parse()
                .map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
            request.headers_mut().insert(name, value);
        }
        self.client.execute(request).await
    }
}
