//! Objects of any size, part by part.

use bytes::Bytes;
use hyper::Method;
use serde::Deserialize;

use super::client::{Ask, Said, unreadable};
use super::{Bucket, StoreError};

/// The bytes of a part. S3 takes 10,000 parts of an object, and none but the last may be below 5 MiB.
const PART: usize = 8 * 1024 * 1024;

/// An object that is being written: nothing is sent before there is a part of it.
pub struct Upload {
    bucket: Bucket,
    key: String,
    /// S3's name for it, once it has begun.
    id: Option<String>,
    /// The ETags of the parts that were sent.
    parts: Vec<String>,
    /// The part that is being filled.
    part: Vec<u8>,
}

impl Upload {
    pub(super) fn new(bucket: Bucket, key: &str) -> Upload {
        Upload { bucket, key: key.to_owned(), id: None, parts: vec![], part: vec![] }
    }

    pub(crate) async fn write(&mut self, mut bytes: &[u8]) -> Result<(), StoreError> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(PART - self.part.len()));
            self.part.extend_from_slice(now);
            bytes = later;
            if self.part.len() == PART {
                self.send_part().await?;
            }
        }
        Ok(())
    }

    pub(crate) async fn finish(mut self) -> Result<(), StoreError> {
        if self.id.is_none() {
            let bytes = std::mem::take(&mut self.part).into();
            return self.bucket.put(&self.key, bytes, vec![]).await.map(drop);
        }
        let done = self.complete().await;
        if done.is_err() {
            self.abort().await;
        }
        done
    }

    /// What cannot be aborted costs until the bucket's lifecycle takes it away; nobody sees it.
    pub(crate) async fn abort(self) {
        if let Some(id) = self.id {
            let ask = Ask { query: vec![("uploadId", id)], ..self.bucket.ask(Method::DELETE, &self.key) };
            let _ = self.bucket.s3.send(&ask).await;
        }
    }

    async fn send_part(&mut self) -> Result<(), StoreError> {
        let id = match &self.id {
            Some(id) => id.clone(),
            None => self.id.insert(self.begin().await?).clone(),
        };
        let query = vec![("partNumber", (self.parts.len() + 1).to_string()), ("uploadId", id)];
        let body = Bytes::from(std::mem::take(&mut self.part));
        let ask = Ask { query, body, ..self.bucket.ask(Method::PUT, &self.key) };
        let response = self.bucket.s3.send(&ask).await?;
        let etag = response.headers().get("etag").and_then(|etag| etag.to_str().ok());
        let etag = etag.ok_or_else(|| unreadable("a part has no ETag"))?.to_owned();
        self.parts.push(etag);
        Ok(())
    }

    async fn begin(&self) -> Result<String, StoreError> {
        let ask = Ask { query: vec![("uploads", String::new())], ..self.bucket.ask(Method::POST, &self.key) };
        let text = self.bucket.s3.text(&ask).await?;
        let begun: Begun = quick_xml::de::from_str(&text).map_err(|error| unreadable(&error.to_string()))?;
        Ok(begun.upload_id)
    }

    async fn complete(&mut self) -> Result<(), StoreError> {
        if !self.part.is_empty() {
            self.send_part().await?;
        }
        let id = self.id.clone().unwrap_or_default();
        let body = Bytes::from(completion(&self.parts));
        let ask = Ask { query: vec![("uploadId", id)], body, ..self.bucket.ask(Method::POST, &self.key) };
        let text = self.bucket.s3.text(&ask).await?;
        // S3 begins to answer before it knows: an answer of success may hold an error.
        match quick_xml::de::from_str::<Said>(&text) {
            Ok(Said { code: Some(code), message }) => {
                Err(StoreError::refused(&code, 200, &message.unwrap_or_default()))
            }
            Ok(Said { code: None, .. }) | Err(_) => Ok(()),
        }
    }
}

fn completion(etags: &[String]) -> String {
    let parts = etags.iter().enumerate().map(|(at, etag)| {
        let etag = quick_xml::escape::escape(etag.as_str());
        format!("<Part><PartNumber>{}</PartNumber><ETag>{etag}</ETag></Part>", at + 1)
    });
    format!("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", parts.collect::<String>())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Begun {
    upload_id: String,
}
