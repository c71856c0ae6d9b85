//! An S3 endpoint: Amazon's, or any that speaks as it does.
//!
//! Why not `object_store`: its listings have no storage class and its paths cannot name every key, and it brings chrono and
//! a second cryptography library. What we need of S3 are ten requests.
//!
//! **Invariant:** what failed for a passing reason is asked again, a few times; a body that breaks off goes on where it
//! broke, and only if the object is still the same.

mod client;
mod body;
mod upload;
mod list;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use hyper::Method;

pub use body::Body;
pub(crate) use client::S3;
pub use list::Listing;
pub use upload::Upload;

use crate::failure::StoreError;
use crate::source::BucketName;
use crate::store::{Headers, Page, PageAsk};
use client::Ask;

/// Where S3 is, and as whom we come.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// `https://s3.ap-northeast-1.amazonaws.com`, `http://127.0.0.1:9000`
    pub url: String,
    pub region: String,
    /// Without keys nothing is signed: for buckets that all may read.
    pub keys: Option<Keys>,
    pub addressing: Addressing,
}

impl Endpoint {
    /// Amazon's own, in that region.
    pub fn amazon(region: impl Into<String>, keys: Keys) -> Endpoint {
        let region = region.into();
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        Endpoint {
            url: format!("https://s3.{region}.{suffix}"),
            region,
            keys: Some(keys),
            addressing: Addressing::Host,
        }
    }
}

#[derive(Debug, Clone)]
pub struct Keys {
    pub access_key: String,
    pub secret: sigv4::Secret,
    pub session_token: Option<String>,
}

/// Where the bucket's name stands in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressing {
    /// In the path, as most stores other than Amazon's want it.
    Path,
    /// In the host's name. A bucket with a dot in its name stands in the path all the same: no certificate fits it.
    Host,
}

/// Why an endpoint cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    #[error("use \"{url}\" as an S3 endpoint: it is no http:// or https:// URL")]
    Url { url: String },
    #[error("load this host's certificate authorities")]
    Authorities(#[source] std::io::Error),
}

/// A bucket at an endpoint.
#[derive(Clone)]
pub struct Bucket {
    s3: Arc<S3>,
    name: Arc<str>,
    owner: Option<Arc<str>>,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Bucket {
    pub(crate) fn new(s3: Arc<S3>, bucket: &BucketName) -> Result<Bucket, StoreError> {
        let name = &bucket.name;
        let is_name = (3..=63).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
            && !name.starts_with('.');
        match is_name {
            true => Ok(Bucket { s3, name: name.as_str().into(), owner: bucket.owner.as_deref().map(Arc::from) }),
            false => Err(StoreError::refused("InvalidBucketName", 400, "The specified bucket is not valid.")),
        }
    }

    pub(crate) async fn get(&self, key: &str, version: Option<&str>) -> Result<Body, StoreError> {
        Body::open(self.clone(), key, version).await
    }

    pub(crate) async fn head(&self, key: &str, version: Option<&str>) -> Result<Headers, StoreError> {
        self.headers(Ask { query: version_of(version), ..self.ask(Method::HEAD, key) }).await
    }

    pub(crate) async fn put(
        &self,
        key: &str,
        bytes: Bytes,
        headers: Vec<(&str, String)>,
    ) -> Result<Headers, StoreError> {
        let mut ask = Ask { body: bytes, ..self.ask(Method::PUT, key) };
        ask.headers.extend(headers);
        self.headers(ask).await
    }

    pub(crate) async fn delete(&self, key: &str, version: Option<&str>) -> Result<Headers, StoreError> {
        self.headers(Ask { query: version_of(version), ..self.ask(Method::DELETE, key) }).await
    }

    pub(crate) async fn page(&self, ask: &PageAsk) -> Result<Page, StoreError> {
        list::page(self, ask).await
    }

    async fn headers(&self, ask: Ask<'_>) -> Result<Headers, StoreError> {
        self.s3.send(&ask).await.map(|response| body::headers(&response))
    }

    pub(crate) fn upload(&self, key: &str) -> Upload {
        Upload::new(self.clone(), key)
    }

    pub(crate) fn list(&self, prefix: &str) -> Listing {
        Listing::new(self.clone(), prefix)
    }

    fn ask<'a>(&'a self, method: Method, key: &'a str) -> Ask<'a> {
        let owner = self.owner.iter().map(|owner| ("x-amz-expected-bucket-owner", owner.to_string()));
        Ask { method, bucket: &self.name, key, query: vec![], headers: owner.collect(), body: Bytes::new() }
    }
}

fn version_of(version: Option<&str>) -> Vec<(&'static str, String)> {
    version.map(|version| ("versionId", version.to_owned())).into_iter().collect()
}
