//! `ListObjectsV2`

use base::Timestamp;
use hyper::Method;
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::client::{Ask, unreadable};
use super::{Bucket, StoreError};
use crate::store::{self, Listed, PageAsk, PageFrom};

pub struct Listing {
    bucket: Bucket,
    prefix: String,
    next: Next,
}

/// Which page comes next.
enum Next {
    First,
    /// Where S3 said to go on.
    Token(String),
    None,
}

impl Listing {
    pub(super) fn new(bucket: Bucket, prefix: &str) -> Listing {
        Listing { bucket, prefix: prefix.to_owned(), next: Next::First }
    }

    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Listed>>, StoreError> {
        let token = match &self.next {
            Next::First => None,
            Next::Token(token) => Some(("continuation-token", token.clone())),
            Next::None => return Ok(None),
        };
        // Encoded, since XML cannot hold every key.
        let mut query = vec![("list-type", "2".to_owned()), ("encoding-type", "url".to_owned())];
        query.push(("prefix", self.prefix.clone()));
        query.extend(token);
        let page = read(&self.bucket, query).await?;
        self.next = match (page.is_truncated, page.next_continuation_token) {
            (true, Some(token)) => Next::Token(token),
            (true, None) => return Err(unreadable("a page of the listing does not say where the next one is")),
            (false, _) => Next::None,
        };
        let is_encoded = page.encoding_type.as_deref() == Some("url");
        page.contents.into_iter().map(|object| object.listed(is_encoded)).collect::<Result<_, _>>().map(Some)
    }
}

/// One page, of either operation.
pub(super) async fn page(bucket: &Bucket, ask: &PageAsk) -> Result<store::Page, StoreError> {
    let mut query = vec![("encoding-type", "url".to_owned()), ("prefix", ask.prefix.clone())];
    let mut add = |name, value: Option<String>| query.extend(value.map(|value| (name, value)));
    add("delimiter", ask.delimiter.clone());
    add("max-keys", ask.max.map(|max| max.to_string()));
    match &ask.from {
        PageFrom::Marker(marker) => add("marker", marker.clone()),
        PageFrom::Token { token, start_after } => {
            add("list-type", Some("2".to_owned()));
            add("continuation-token", token.clone());
            add("start-after", start_after.clone());
        }
    }
    read(bucket, query).await?.page()
}

async fn read(bucket: &Bucket, query: Vec<(&str, String)>) -> Result<Page, StoreError> {
    let ask = Ask { query, ..bucket.ask(Method::GET, "") };
    let text = bucket.s3.text(&ask).await?;
    quick_xml::de::from_str(&text).map_err(|error| unreadable(&error.to_string()))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(default)]
    contents: Vec<Contents>,
    #[serde(default)]
    common_prefixes: Vec<CommonPrefix>,
    #[serde(default)]
    is_truncated: bool,
    next_continuation_token: Option<String>,
    /// Of `ListObjects`, with a delimiter.
    next_marker: Option<String>,
    encoding_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CommonPrefix {
    prefix: String,
}

impl Page {
    fn page(self) -> Result<store::Page, StoreError> {
        let is_encoded = self.encoding_type.as_deref() == Some("url");
        let plain = |key: String| if is_encoded { decode(&key) } else { Ok(key) };
        let objects = self.contents.into_iter().map(|object| object.listed(is_encoded));
        let prefixes = self.common_prefixes.into_iter().map(|common| plain(common.prefix));
        Ok(store::Page {
            objects: objects.collect::<Result<_, _>>()?,
            prefixes: prefixes.collect::<Result<_, _>>()?,
            is_truncated: self.is_truncated,
            // A token is no key.
            next: match (self.next_continuation_token, self.next_marker) {
                (Some(token), _) => Some(token),
                (None, marker) => marker.filter(|marker| !marker.is_empty()).map(plain).transpose()?,
            },
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Contents {
    key: String,
    last_modified: String,
    #[serde(rename = "ETag", default)]
    etag: String,
    size: u64,
    storage_class: Option<String>,
}

impl Contents {
    fn listed(self, is_encoded: bool) -> Result<Listed, StoreError> {
        let modified = Timestamp::parse_rfc3339(&self.last_modified);
        Ok(Listed {
            key: if is_encoded { decode(&self.key)? } else { self.key },
            etag: self.etag,
            size: self.size,
            modified: modified.ok_or_else(|| unreadable("a listing has an object without its time"))?,
            storage_class: self.storage_class.unwrap_or_else(|| "STANDARD".to_owned()),
        })
    }
}

/// As S3 encodes: a plus is a space.
fn decode(key: &str) -> Result<String, StoreError> {
    let key = key.replace('+', " ");
    match percent_decode_str(&key).decode_utf8() {
        Ok(key) => Ok(key.into_owned()),
        Err(_) => Err(unreadable("a listing has a key that is not UTF-8")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_as_s3_writes_it() {
        let page: Page = quick_xml::de::from_str(
            r#"<?xml version="1.0" encoding="UTF-8"?>
            <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix/>
            <NextContinuationToken>abc=</NextContinuationToken><KeyCount>2</KeyCount><MaxKeys>2</MaxKeys>
            <EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>
            <Contents><Key>a+b%2Bc/%E3%81%82</Key><LastModified>2009-10-12T17:50:30.000Z</LastModified>
            <ETag>&quot;fba9dede5f27731c9771645a39863328&quot;</ETag><Size>434234</Size>
            <StorageClass>GLACIER</StorageClass></Contents>
            <Contents><Key>z</Key><LastModified>2009-10-12T17:50:30.000Z</LastModified><ETag>&quot;1&quot;</ETag>
            <Size>0</Size></Contents></ListBucketResult>"#,
        )
        .expect("a page");
        assert_eq!(page.next_continuation_token.as_deref(), Some("abc="));
        let listed = page.contents.into_iter().map(|object| object.listed(true));
        let listed = listed.collect::<Result<Vec<_>, _>>().expect("objects");
        let object = |key: &str, etag: &str, size, class: &str| Listed {
            key: key.to_owned(),
            etag: etag.to_owned(),
            size,
            modified: Timestamp(1_255_369_830_000),
            storage_class: class.to_owned(),
        };
        assert_eq!(
            listed,
            [
                object("a b+c/あ", "\"fba9dede5f27731c9771645a39863328\"", 434_234, "GLACIER"),
                object("z", "\"1\"", 0, "STANDARD")
            ]
        );
    }
}
