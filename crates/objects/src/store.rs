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

    /// Whether there may be a bucket of that name: all may be there where there is an endpoint.
    pub fn has(&self, name: &str) -> bool {
        self.endpoint.is_some() || self.folders.contains_key(name)
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

/// What a store says of an object besides its bytes: S3's response headers, their names in small letters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    pub(crate) fn new(headers: impl IntoIterator<Item = (String, String)>) -> Headers {
        Headers(headers.into_iter().collect())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Those whose names begin with `prefix`, which is left out.
    pub fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value.as_str())))
    }
}

/// Which page of a bucket's objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageAsk {
    pub prefix: String,
    /// What lies behind it in a key is told as one prefix.
    pub delimiter: Option<String>,
    /// How many objects and prefixes at most.
    pub max: Option<usize>,
    pub from: PageFrom,
}

/// Where a page begins, and in which of S3's two operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageFrom {
    /// `ListObjects`
    Marker(Option<String>),
    /// `ListObjectsV2`
    Token { token: Option<String>, start_after: Option<String> },
}

impl Default for PageFrom {
    fn default() -> PageFrom {
        PageFrom::Token { token: None, start_after: None }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    pub objects: Vec<Listed>,
    pub prefixes: Vec<String>,
    /// Whether there is more.
    pub is_truncated: bool,
    /// Where the next page begins; `ListObjects` says so only when there is a delimiter.
    pub next: Option<String>,
}

/// Objects and prefixes in a page, as in S3.
pub const PAGE_MAX: usize = 1000;

impl Bucket {
    /// The object's bytes, from `version` or the present one.
    pub async fn get(&self, key: &str, version: Option<&str>) -> Result<Body, StoreError> {
        match self {
            Bucket::Folder(folder) => folder.get(key, version).await.map(Body::Folder),
            Bucket::S3(bucket) => bucket.get(key, version).await.map(|body| Body::S3(Box::new(body))),
        }
    }

    /// What is known of an object.
    pub async fn head(&self, key: &str, version: Option<&str>) -> Result<Headers, StoreError> {
        let headers = match self {
            Bucket::Folder(folder) => folder.get(key, version).await.map(folder::Body::into_headers),
            Bucket::S3(bucket) => bucket.head(key, version).await,
        };
        headers.map_err(StoreError::of_head)
    }

    /// Writes a small object as a whole.
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StoreError> {
        self.put_with(key, bytes, vec![]).await.map(drop)
    }

    /// The same with request headers, which say what S3 keeps beside the bytes. A folder keeps the bytes.
    pub async fn put_with(&self, key: &str, bytes: Bytes, headers: Vec<(&str, String)>) -> Result<Headers, StoreError> {
        match self {
            Bucket::Folder(folder) => {
                let mut upload = folder.upload(key).await?;
                upload.write(&bytes).await?;
                upload.finish().await?;
                folder.get(key, None).await.map(folder::Body::into_headers)
            }
            Bucket::S3(bucket) => bucket.put(key, bytes, headers).await,
        }
    }

    /// Takes an object away; one that is not there is no error.
    pub async fn delete(&self, key: &str, version: Option<&str>) -> Result<Headers, StoreError> {
        match self {
            Bucket::Folder(folder) => folder.delete(key, version).await.map(|()| Headers::default()),
            Bucket::S3(bucket) => bucket.delete(key, version).await,
        }
    }

    /// One page of the bucket's objects.
    pub async fn page(&self, ask: &PageAsk) -> Result<Page, StoreError> {
        match self {
            Bucket::Folder(folder) => page_of(folder.list(&ask.prefix), ask).await,
            Bucket::S3(bucket) => bucket.page(ask).await,
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

    /// What the store said of the object.
    pub fn headers(&self) -> &Headers {
        match self {
            Body::Folder(body) => body.headers(),
            Body::S3(body) => body.headers(),
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

/// A page made of a listing of everything, as S3 makes one. A token is the last key or prefix of the page before.
async fn page_of(mut listing: folder::Listing, ask: &PageAsk) -> Result<Page, StoreError> {
    let max = ask.max.unwrap_or(PAGE_MAX).min(PAGE_MAX);
    let after = match &ask.from {
        PageFrom::Marker(marker) => marker.as_deref(),
        PageFrom::Token { token, start_after } => token.as_deref().or(start_after.as_deref()),
    };
    let (mut page, mut last) = (Page::default(), None);
    while let Some(objects) = listing.next().await? {
        for object in objects {
            let prefix = common_prefix(&object.key, ask);
            let name = prefix.unwrap_or(&object.key);
            if after.is_some_and(|after| *object.key <= *after || name == after) || last.as_deref() == Some(name) {
                continue;
            }
            if page.objects.len() + page.prefixes.len() == max {
                let tells = matches!(ask.from, PageFrom::Token { .. }) || ask.delimiter.is_some();
                return Ok(Page { is_truncated: max > 0, next: last.filter(|_| tells), ..page });
            }
            last = Some(name.to_owned());
            match prefix {
                Some(prefix) => page.prefixes.push(prefix.to_owned()),
                None => page.objects.push(object),
            }
        }
    }
    Ok(page)
}

/// The key as far as the first delimiter behind the prefix.
fn common_prefix<'k>(key: &'k str, ask: &PageAsk) -> Option<&'k str> {
    let delimiter = ask.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty())?;
    let at = key.strip_prefix(&ask.prefix)?.find(delimiter)?;
    key.get(..ask.prefix.len() + at + delimiter.len())
}
