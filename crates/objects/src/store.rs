//! The door to objects, and where each bucket is.
//!
//! A bucket is a folder that the configuration names, or else a bucket of the configured S3 endpoint.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use base::Timestamp;
use bytes::Bytes;

use crate::failure::StoreError;
use crate::folder::{self, Folder};
use crate::s3::{self, Endpoint, EndpointError, S3};
use crate::source::BucketName;

/// Where buckets are. Clones share connections.
#[derive(Debug, Clone, Default)]
pub struct Buckets {
    folders: BTreeMap<String, Folder>,
    endpoint: Option<Arc<S3>>,
}

impl Buckets {
    /// There are none.
    pub fn none() -> Buckets {
        Buckets::default()
    }

    /// The bucket `name` is the folder at `path`, which must exist.
    pub fn with_folder(mut self, name: impl Into<String>, path: &Path) -> Result<Buckets, std::io::Error> {
        let name = name.into();
        self.folders.insert(name.clone(), Folder::open(name, path)?);
        Ok(self)
    }

    /// All buckets that are no folder are at `endpoint`.
    pub fn with_endpoint(mut self, endpoint: Endpoint) -> Result<Buckets, EndpointError> {
        self.endpoint = Some(Arc::new(S3::new(endpoint)?));
        Ok(self)
    }

    /// The bucket of that name. Whether an endpoint has it shows when it is used.
    pub fn bucket(&self, bucket: &BucketName) -> Result<Bucket, StoreError> {
        if let Some(folder) = self.folders.get(&bucket.name) {
            return Ok(Bucket::Folder(folder.clone()));
        }
        match &self.endpoint {
            Some(s3) => Ok(Bucket::S3(s3::Bucket::new(s3.clone(), bucket)?)),
            None => Err(StoreError::NoPlace { bucket: bucket.name.clone() }),
        }
    }
}

/// A bucket, wherever it is.
#[derive(Debug, Clone)]
pub enum Bucket {
    Folder(Folder),
    S3(s3::Bucket),
}

/// What a listing says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub key: String,
    /// With its quotation marks. A folder makes it from size and time: it changes when the object does.
    pub etag: String,
    pub size: u64,
    pub modified: Timestamp,
    pub storage_class: String,
}

impl Bucket {
    /// The object's bytes, from `version` or the present one.
    pub async fn get(&self, key: &str, version: Option<&str>) -> Result<Body, StoreError> {
        match self {
            Bucket::Folder(folder) => folder.get(key, version).await.map(Body::Folder),
            Bucket::S3(bucket) => bucket.get(key, version).await.map(|body| Body::S3(Box::new(body))),
        }
    }

    /// Writes a small object as a whole.
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StoreError> {
        match self {
            Bucket::Folder(folder) => {
                let mut upload = folder.upload(key).await?;
                upload.write(&bytes).await?;
                upload.finish().await
            }
            Bucket::S3(bucket) => bucket.put(key, bytes).await,
        }
    }

    /// Begins an object of any size. Nobody sees it before [`Upload::finish`].
    pub async fn upload(&self, key: &str) -> Result<Upload, StoreError> {
        match self {
            Bucket::Folder(folder) => folder.upload(key).await.map(Upload::Folder),
            Bucket::S3(bucket) => Ok(Upload::S3(bucket.upload(key))),
        }
    }

    /// The objects whose keys begin with `prefix`, in the order of their keys' bytes.
    pub fn list(&self, prefix: &str) -> Listing {
        match self {
            Bucket::Folder(folder) => Listing::Folder(folder.list(prefix)),
            Bucket::S3(bucket) => Listing::S3(bucket.list(prefix)),
        }
    }
}

/// An object's bytes, chunk by chunk.
pub enum Body {
    Folder(folder::Body),
    S3(Box<s3::Body>),
}

impl Body {
    /// The next chunk; nothing at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        match self {
            Body::Folder(body) => body.next().await,
            Body::S3(body) => body.next().await,
        }
    }
}

/// An object that is being written. Dropping it leaves nothing that a listing shows.
pub enum Upload {
    Folder(folder::Upload),
    S3(s3::Upload),
}

impl Upload {
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        match self {
            Upload::Folder(upload) => upload.write(bytes).await,
            Upload::S3(upload) => upload.write(bytes).await,
        }
    }

    pub async fn finish(self) -> Result<(), StoreError> {
        match self {
            Upload::Folder(upload) => upload.finish().await,
            Upload::S3(upload) => upload.finish().await,
        }
    }

    /// Takes back what was written.
    pub async fn abort(self) {
        match self {
            Upload::Folder(upload) => drop(upload),
            Upload::S3(upload) => upload.abort().await,
        }
    }
}

/// A listing, page by page.
pub enum Listing {
    Folder(folder::Listing),
    S3(s3::Listing),
}

impl Listing {
    /// The next page, which may be empty; nothing at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<Listed>>, StoreError> {
        match self {
            Listing::Folder(listing) => listing.next().await,
            Listing::S3(listing) => listing.next().await,
        }
    }
}
