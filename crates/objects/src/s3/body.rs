//! An object's bytes, over as many connections as it takes.

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Method, Response};
use tokio::time::timeout;

use super::client::{Ask, CHUNK_TIMEOUT, chain, unreachable, unreadable};
use super::{Bucket, StoreError};
use crate::store::Headers;

/// How often a body may break off in a row before it is given up.
const BREAKS_MAX: u32 = 5;

pub struct Body {
    bucket: Bucket,
    key: String,
    version: Option<String>,
    /// What S3 says of it; the ETag shows that its rest is not another one's.
    headers: Headers,
    /// Bytes that were given out.
    offset: u64,
    /// Bytes of the whole object, when the store says so.
    length: Option<u64>,
    /// Nothing after a break.
    rest: Option<Incoming>,
    /// Without a byte between them.
    breaks: u32,
}

impl Body {
    pub(super) async fn open(bucket: Bucket, key: &str, version: Option<&str>) -> Result<Body, StoreError> {
        let mut body = Body {
            bucket,
            key: key.to_owned(),
            version: version.map(str::to_owned),
            headers: Headers::default(),
            offset: 0,
            length: None,
            rest: None,
            breaks: 0,
        };
        let response = body.ask().await?;
        body.headers = headers(&response);
        body.length = body.headers.get("content-length").and_then(|text| text.parse().ok());
        body.rest = Some(response.into_body());
        Ok(body)
    }

    pub(crate) fn headers(&self) -> &Headers {
        &self.headers
    }

    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        loop {
            let rest = match self.rest.take() {
                Some(rest) => rest,
                None => again(self.ask_rest().await?)?,
            };
            let rest = self.rest.insert(rest);
            let error = match timeout(CHUNK_TIMEOUT, rest.frame()).await {
                Err(_) => unreachable("the object's bytes stopped coming"),
                Ok(Some(Err(error))) => unreadable(&chain(&error)),
                Ok(None) if self.length.is_none_or(|length| self.offset >= length) => return Ok(None),
                Ok(None) => unreadable("it ended too early"),
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => {
                        self.offset += data.len() as u64;
                        self.breaks = 0;
                        return Ok(Some(data));
                    }
                    _ => continue,
                },
            };
            self.broke(error)?;
        }
    }

    fn broke(&mut self, error: StoreError) -> Result<(), StoreError> {
        self.rest = None;
        self.breaks += 1;
        // Without a name for what it was, the rest might be another object's.
        if self.breaks > BREAKS_MAX || self.headers.get("etag").is_none() { Err(error) } else { Ok(()) }
    }

    async fn ask(&self) -> Result<Response<Incoming>, StoreError> {
        self.bucket.s3.send(&self.whole()).await
    }

    async fn ask_rest(&self) -> Result<Response<Incoming>, StoreError> {
        let mut ask = self.whole();
        ask.headers.push(("range", format!("bytes={}-", self.offset)));
        ask.headers.extend(self.headers.get("etag").map(|etag| ("if-match", etag.to_owned())));
        self.bucket.s3.send(&ask).await
    }

    fn whole(&self) -> Ask<'_> {
        Ask { query: super::version_of(self.version.as_deref()), ..self.bucket.ask(Method::GET, &self.key) }
    }
}

/// The rest of an object, which must be only that.
fn again(response: Response<Incoming>) -> Result<Incoming, StoreError> {
    match response.status().as_u16() {
        206 => Ok(response.into_body()),
        _ => Err(unreadable("the object broke off, and the store does not give its rest")),
    }
}

/// Those that are text.
pub(super) fn headers(response: &Response<Incoming>) -> Headers {
    let headers = response.headers().iter();
    Headers::new(headers.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned()))))
}
