//! S3 as tasks reach it, `aws-sdk:s3:getObject` and its like: at the configured endpoint, or in folders.
//!
//! Results have the members that AWS's SDK for Java gives, and failures its names and words. A list that is empty is
//! left out, as one that an answer does not have (recorded: a DynamoDB query without `LastEvaluatedKey`).
//!
//! **It does not know** whose a bucket is: buckets are the server's, as for Maps.

use std::future::Future;
use std::pin::Pin;

use asl::Resource;
use base::limits::PAYLOAD_BYTES_MAX;
use base::{Json, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use engine::Failure;
use objects::failure::StoreError;
use objects::source::BucketName;
use objects::store::PAGE_MAX;
use objects::{Body, Bucket, Buckets, Headers, Page, PageAsk, PageFrom};

use crate::shape::{self, ANY_TEXT, Member, Shape, optional, required};
use crate::tasks::{json, not_started};
use crate::value::Input;
use crate::write::{Style, Writer, capitalized};

/// One of S3's operations.
#[derive(Debug)]
pub(crate) struct Operation {
    name: &'static str,
    input: &'static [Member],
    run: for<'a> fn(Call<'a>) -> Running<'a>,
}

struct Call<'a> {
    /// As it was given.
    name: &'a str,
    bucket: Bucket,
    input: Input<'a>,
    out: &'a mut Writer,
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send + 'a>>;

const OPERATIONS: &[Operation] = &[
    Operation { name: "GetObject", input: OBJECT_NAME, run: |call| Box::pin(get_object(call)) },
    Operation { name: "HeadObject", input: OBJECT_NAME, run: |call| Box::pin(head_object(call)) },
    Operation { name: "DeleteObject", input: OBJECT_NAME, run: |call| Box::pin(delete_object(call)) },
    Operation { name: "PutObject", input: PUT_OBJECT, run: |call| Box::pin(put_object(call)) },
    Operation { name: "ListObjects", input: LIST_OBJECTS, run: |call| Box::pin(list_objects(call)) },
    Operation { name: "ListObjectsV2", input: LIST_OBJECTS_V2, run: |call| Box::pin(list_objects_v2(call)) },
];

const BUCKET: Member = required("Bucket", ANY_TEXT);
const KEY: Member = required("Key", ANY_TEXT);
const OWNER: Member = optional("ExpectedBucketOwner", ANY_TEXT);

const OBJECT_NAME: &[Member] = &[BUCKET, KEY, optional("VersionId", ANY_TEXT), OWNER];

const PUT_OBJECT: &[Member] = &[
    BUCKET,
    KEY,
    optional("Body", ANY_TEXT),
    optional("Metadata", Shape::Map(&ANY_TEXT)),
    OWNER,
    optional("ACL", ANY_TEXT),
    optional("CacheControl", ANY_TEXT),
    optional("ContentDisposition", ANY_TEXT),
    optional("ContentEncoding", ANY_TEXT),
    optional("ContentLanguage", ANY_TEXT),
    optional("ContentType", ANY_TEXT),
    optional("SSEKMSKeyId", ANY_TEXT),
    optional("ServerSideEncryption", ANY_TEXT),
    optional("StorageClass", ANY_TEXT),
    optional("Tagging", ANY_TEXT),
];

/// Where S3 takes what is kept beside an object's bytes.
const PUT_HEADERS: &[(&str, &str)] = &[
    ("ACL", "x-amz-acl"),
    ("CacheControl", "cache-control"),
    ("ContentDisposition", "content-disposition"),
    ("ContentEncoding", "content-encoding"),
    ("ContentLanguage", "content-language"),
    ("ContentType", "content-type"),
    ("SSEKMSKeyId", "x-amz-server-side-encryption-aws-kms-key-id"),
    ("ServerSideEncryption", "x-amz-server-side-encryption"),
    ("StorageClass", "x-amz-storage-class"),
    ("Tagging", "x-amz-tagging"),
];

const METADATA: &str = "x-amz-meta-";

const LIST_OBJECTS: &[Member] = &[
    BUCKET,
    optional("Prefix", ANY_TEXT),
    optional("Delimiter", ANY_TEXT),
    optional("MaxKeys", COUNT),
    optional("Marker", ANY_TEXT),
    OWNER,
];

const LIST_OBJECTS_V2: &[Member] = &[
    BUCKET,
    optional("Prefix", ANY_TEXT),
    optional("Delimiter", ANY_TEXT),
    optional("MaxKeys", COUNT),
    optional("ContinuationToken", ANY_TEXT),
    optional("StartAfter", ANY_TEXT),
    OWNER,
];

const COUNT: Shape = Shape::Integer { min: 0, max: i32::MAX as i64 };

/// Errors that the SDK has a class for; it calls every other one `S3Exception`.
const MODELLED: &[&str] = &[
    "BucketAlreadyExists",
    "BucketAlreadyOwnedByYou",
    "EncryptionTypeMismatch",
    "InvalidObjectState",
    "InvalidRequest",
    "InvalidWriteOffset",
    "NoSuchBucket",
    "NoSuchKey",
    "NoSuchUpload",
    "ObjectAlreadyInActiveTierError",
    "ObjectNotInActiveTierError",
    "TooManyParts",
];

/// The operation that a task's resource names, if it is one of these.
pub(crate) fn operation(resource: &Resource) -> Option<&'static Operation> {
    match resource {
        Resource::Service { service, action, .. } if &**service == "aws-sdk:s3" => {
            let name = capitalized(action);
            OPERATIONS.iter().find(|operation| operation.name == name)
        }
        _ => None,
    }
}

/// Performs it. Doing so twice is doing it once.
pub(crate) async fn perform(buckets: &Buckets, operation: &Operation, parameters: &Json) -> Result<Json, Failure> {
    let unfit = |why: String| not_started(parameters, &why);
    let given = shape::from_task(operation.input, &with_json_body(parameters)).map_err(unfit)?;
    let checked = shape::check(operation.input, &given);
    checked.map_err(|error| unfit(error.message.unwrap_or_default()))?;
    let mut input = Input::new(given);
    let name = BucketName { name: input.required("Bucket"), owner: input.text("ExpectedBucketOwner") };
    let mut out = Writer::new(Style::Task);
    let done = async {
        let bucket = buckets.bucket(&name)?;
        (operation.run)(Call { name: &name.name, bucket, input, out: &mut out }).await
    };
    done.await.map_err(|error| failed(&error))?;
    Ok(json(out))
}

/// What a task puts into an object is JSON, whatever it is: a text has quotation marks around it (recorded).
fn with_json_body(parameters: &Json) -> Json {
    let Some(members) = parameters.as_object() else { return parameters.clone() };
    Json::object(members.iter().map(|(name, value)| match (&**name, value) {
        ("Body", value) if *value != Json::Null => (name.clone(), Json::from(value.to_string())),
        _ => (name.clone(), value.clone()),
    }))
}

fn failed(error: &StoreError) -> Failure {
    let class = match error.code() {
        Some(code) if MODELLED.contains(&code) => format!("{code}Exception"),
        Some(_) => "S3Exception".to_owned(),
        None => "SdkClientException".to_owned(),
    };
    Failure::new(&format!("S3.{class}"), error.to_string())
}

async fn get_object(mut call: Call<'_>) -> Result<(), StoreError> {
    let (key, version) = (call.input.required("Key"), call.input.text("VersionId"));
    let mut body = call.bucket.get(&key, version.as_deref()).await?;
    let bytes = read(&mut body).await?;
    encode_object(call.out, body.headers());
    match std::str::from_utf8(&bytes) {
        Ok(text) => call.out.text("Body", text),
        Err(_) => call.out.text("Body", &STANDARD.encode(&bytes)),
    }
    Ok(())
}

/// The object's bytes, or so many of them that no state can have them as its result.
async fn read(body: &mut Body) -> Result<Vec<u8>, StoreError> {
    let mut bytes = vec![];
    while let Some(chunk) = body.next().await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > PAYLOAD_BYTES_MAX {
            break;
        }
    }
    Ok(bytes)
}

async fn head_object(mut call: Call<'_>) -> Result<(), StoreError> {
    let (key, version) = (call.input.required("Key"), call.input.text("VersionId"));
    let headers = call.bucket.head(&key, version.as_deref()).await?;
    encode_object(call.out, &headers);
    Ok(())
}

async fn delete_object(mut call: Call<'_>) -> Result<(), StoreError> {
    let (key, version) = (call.input.required("Key"), call.input.text("VersionId"));
    let headers = call.bucket.delete(&key, version.as_deref()).await?;
    encode_headers(call.out, DELETED, &headers);
    Ok(())
}

async fn put_object(mut call: Call<'_>) -> Result<(), StoreError> {
    let (key, body) = (call.input.required("Key"), call.input.text("Body").unwrap_or_default());
    let mut headers: Vec<(String, String)> = vec![];
    for (member, header) in PUT_HEADERS {
        headers.extend(call.input.text(member).map(|value| ((*header).to_owned(), value)));
    }
    headers.extend(call.input.pairs("Metadata").map(|(name, value)| (format!("{METADATA}{name}"), value)));
    let headers = headers.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let headers = call.bucket.put_with(&key, Bytes::from(body), headers).await?;
    encode_headers(call.out, WRITTEN, &headers);
    Ok(())
}

async fn list_objects(mut call: Call<'_>) -> Result<(), StoreError> {
    let marker = call.input.text("Marker");
    let ask = page_ask(&mut call.input, PageFrom::Marker(marker.clone()));
    let page = call.bucket.page(&ask).await?;
    encode_page(call.out, call.name, &ask, &page);
    call.out.text("Marker", marker.as_deref().unwrap_or_default());
    call.out.text_if("NextMarker", page.next.as_deref());
    Ok(())
}

async fn list_objects_v2(mut call: Call<'_>) -> Result<(), StoreError> {
    let (token, start_after) = (call.input.text("ContinuationToken"), call.input.text("StartAfter"));
    let from = PageFrom::Token { token: token.clone(), start_after: start_after.clone() };
    let ask = page_ask(&mut call.input, from);
    let page = call.bucket.page(&ask).await?;
    encode_page(call.out, call.name, &ask, &page);
    let count = page.objects.len() + page.prefixes.len();
    call.out.integer("KeyCount", i64::try_from(count).unwrap_or(i64::MAX));
    call.out.text_if("ContinuationToken", token.as_deref());
    call.out.text_if("NextContinuationToken", page.next.as_deref());
    call.out.text_if("StartAfter", start_after.as_deref());
    Ok(())
}

fn page_ask(input: &mut Input<'_>, from: PageFrom) -> PageAsk {
    PageAsk {
        prefix: input.text("Prefix").unwrap_or_default(),
        delimiter: input.text("Delimiter"),
        max: input.integer("MaxKeys").and_then(|max| usize::try_from(max).ok()),
        from,
    }
}

fn encode_page(out: &mut Writer, name: &str, ask: &PageAsk, page: &Page) {
    let max = ask.max.unwrap_or(PAGE_MAX).min(PAGE_MAX);
    out.boolean("IsTruncated", page.is_truncated);
    if !page.objects.is_empty() {
        out.list("Contents", &page.objects, |out, object| {
            out.text("Key", &object.key);
            out.time("LastModified", object.modified);
            out.text("ETag", &object.etag);
            out.integer("Size", i64::try_from(object.size).unwrap_or(i64::MAX));
            out.text("StorageClass", &object.storage_class);
        });
    }
    out.text("Name", name);
    out.text("Prefix", &ask.prefix);
    out.text_if("Delimiter", ask.delimiter.as_deref());
    out.integer("MaxKeys", i64::try_from(max).unwrap_or(i64::MAX));
    if !page.prefixes.is_empty() {
        out.list("CommonPrefixes", &page.prefixes, |out, prefix| out.text("Prefix", prefix));
    }
}

fn encode_object(out: &mut Writer, headers: &Headers) {
    encode_headers(out, OBJECT, headers);
    out.texts_by_key("Metadata", headers.below(METADATA));
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Integer,
    Boolean,
    Time,
}

/// A member, the header that has it, and what it is. What cannot be read as that is left out.
type Known = (&'static str, &'static str, Kind);

fn encode_headers(out: &mut Writer, known: &[Known], headers: &Headers) {
    for (member, header, kind) in known {
        let Some(text) = headers.get(header) else { continue };
        match kind {
            Kind::Text => out.text(member, text),
            Kind::Integer => {
                if let Ok(number) = text.parse() {
                    out.integer(member, number);
                }
            }
            Kind::Boolean => out.boolean(member, text == "true"),
            Kind::Time => out.time_if(member, Timestamp::parse_http_date(text)),
        }
    }
}

const OBJECT: &[Known] = &[
    ("DeleteMarker", "x-amz-delete-marker", Kind::Boolean),
    ("AcceptRanges", "accept-ranges", Kind::Text),
    ("Expiration", "x-amz-expiration", Kind::Text),
    ("Restore", "x-amz-restore", Kind::Text),
    ("ArchiveStatus", "x-amz-archive-status", Kind::Text),
    ("LastModified", "last-modified", Kind::Time),
    ("ContentLength", "content-length", Kind::Integer),
    ("ETag", "etag", Kind::Text),
    ("MissingMeta", "x-amz-missing-meta", Kind::Integer),
    ("VersionId", "x-amz-version-id", Kind::Text),
    ("CacheControl", "cache-control", Kind::Text),
    ("ContentDisposition", "content-disposition", Kind::Text),
    ("ContentEncoding", "content-encoding", Kind::Text),
    ("ContentLanguage", "content-language", Kind::Text),
    ("ContentType", "content-type", Kind::Text),
    ("WebsiteRedirectLocation", "x-amz-website-redirect-location", Kind::Text),
    ("ServerSideEncryption", "x-amz-server-side-encryption", Kind::Text),
    ("SSEKMSKeyId", "x-amz-server-side-encryption-aws-kms-key-id", Kind::Text),
    ("BucketKeyEnabled", "x-amz-server-side-encryption-bucket-key-enabled", Kind::Boolean),
    ("StorageClass", "x-amz-storage-class", Kind::Text),
    ("ReplicationStatus", "x-amz-replication-status", Kind::Text),
    ("PartsCount", "x-amz-mp-parts-count", Kind::Integer),
    ("TagCount", "x-amz-tagging-count", Kind::Integer),
    ("ObjectLockMode", "x-amz-object-lock-mode", Kind::Text),
    ("ObjectLockLegalHoldStatus", "x-amz-object-lock-legal-hold", Kind::Text),
];

const WRITTEN: &[Known] = &[
    ("Expiration", "x-amz-expiration", Kind::Text),
    ("ETag", "etag", Kind::Text),
    ("ChecksumCRC32", "x-amz-checksum-crc32", Kind::Text),
    ("ChecksumCRC64NVME", "x-amz-checksum-crc64nvme", Kind::Text),
    ("ChecksumType", "x-amz-checksum-type", Kind::Text),
    ("ServerSideEncryption", "x-amz-server-side-encryption", Kind::Text),
    ("VersionId", "x-amz-version-id", Kind::Text),
    ("SSEKMSKeyId", "x-amz-server-side-encryption-aws-kms-key-id", Kind::Text),
    ("BucketKeyEnabled", "x-amz-server-side-encryption-bucket-key-enabled", Kind::Boolean),
];

const DELETED: &[Known] =
    &[("DeleteMarker", "x-amz-delete-marker", Kind::Boolean), ("VersionId", "x-amz-version-id", Kind::Text)];

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Performs calls on the bucket `night`, which is a folder: `putObject {…}` on each line.
    async fn check(calls: &str, expect: expect_test::Expect) {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("aws-s3-{}-{count}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("binary"), [0xff, 0]).expect("a file");
        let buckets = Buckets::none().with_folder("night", &folder).expect("a folder");
        let mut told = String::new();
        for line in calls.lines() {
            let (action, parameters) = line.trim().split_once(' ').expect("an action and its parameters");
            told += &format!("{}\n", perform_text(&buckets, action, parameters).await);
        }
        fs::remove_dir_all(&folder).expect("the folder was there");
        expect.assert_eq(&told);
    }

    async fn perform_text(buckets: &Buckets, action: &str, parameters: &str) -> String {
        let resource = Resource::parse(&format!("arn:aws:states:::aws-sdk:s3:{action}")).expect("a resource");
        let Some(operation) = operation(&resource) else { return "not known".to_owned() };
        match perform(buckets, operation, &Json::parse(parameters).expect("JSON")).await {
            Ok(result) => without_times(&result.to_string()),
            Err(Failure { error, cause }) => format!("{}: {}", error.unwrap_or_default(), cause.unwrap_or_default()),
        }
    }

    /// A folder's ETags and times follow from the clock.
    fn without_times(text: &str) -> String {
        let mut kept = String::new();
        let mut rest = text;
        while let Some((at, start)) =
            ["\"ETag\":", "\"LastModified\":"].into_iter().filter_map(|name| Some((rest.find(name)?, name.len()))).min()
        {
            let end = rest[at + start..].find([',', '}']).map_or(rest.len(), |end| at + start + end);
            kept += &rest[..at + start];
            kept += "…";
            rest = &rest[end..];
        }
        kept + rest
    }

    #[tokio::test]
    async fn objects_are_written_read_listed_and_taken_away() {
        check(
            r#"putObject {"Bucket":"night","Key":"in/a.txt","Body":"text data","Metadata":{"job":"j"}}
               putObject {"Bucket":"night","Key":"in/b.json","Body":{"n":1}}
               putObject {"Bucket":"night","Key":"zero","Body":0}
               getObject {"Bucket":"night","Key":"in/a.txt"}
               getObject {"Bucket":"night","Key":"in/b.json"}
               getObject {"Bucket":"night","Key":"zero"}
               getObject {"Bucket":"night","Key":"binary"}
               headObject {"Bucket":"night","Key":"zero"}
               listObjectsV2 {"Bucket":"night","Delimiter":"/"}
               listObjectsV2 {"Bucket":"night","Delimiter":"/","MaxKeys":2}
               listObjectsV2 {"Bucket":"night","Delimiter":"/","ContinuationToken":"in/"}
               listObjects {"Bucket":"night","Prefix":"in/","MaxKeys":1}
               listObjects {"Bucket":"night","Prefix":"none"}
               deleteObject {"Bucket":"night","Key":"zero"}
               deleteObject {"Bucket":"night","Key":"zero"}
               headObject {"Bucket":"night","Key":"zero"}"#,
            expect_test::expect![[r#"
                {"ETag":…}
                {"ETag":…}
                {"ETag":…}
                {"AcceptRanges":"bytes","LastModified":…,"ContentLength":11,"ETag":…,"ContentType":"binary/octet-stream","Metadata":{},"Body":"\"text data\""}
                {"AcceptRanges":"bytes","LastModified":…,"ContentLength":7,"ETag":…,"ContentType":"binary/octet-stream","Metadata":{},"Body":"{\"n\":1}"}
                {"AcceptRanges":"bytes","LastModified":…,"ContentLength":1,"ETag":…,"ContentType":"binary/octet-stream","Metadata":{},"Body":"0"}
                {"AcceptRanges":"bytes","LastModified":…,"ContentLength":2,"ETag":…,"ContentType":"binary/octet-stream","Metadata":{},"Body":"/wA="}
                {"AcceptRanges":"bytes","LastModified":…,"ContentLength":1,"ETag":…,"ContentType":"binary/octet-stream","Metadata":{}}
                {"IsTruncated":false,"Contents":[{"Key":"binary","LastModified":…,"ETag":…,"Size":2,"StorageClass":"STANDARD"},{"Key":"zero","LastModified":…,"ETag":…,"Size":1,"StorageClass":"STANDARD"}],"Name":"night","Prefix":"","Delimiter":"/","MaxKeys":1000,"CommonPrefixes":[{"Prefix":"in/"}],"KeyCount":3}
                {"IsTruncated":true,"Contents":[{"Key":"binary","LastModified":…,"ETag":…,"Size":2,"StorageClass":"STANDARD"}],"Name":"night","Prefix":"","Delimiter":"/","MaxKeys":2,"CommonPrefixes":[{"Prefix":"in/"}],"KeyCount":2,"NextContinuationToken":"in/"}
                {"IsTruncated":false,"Contents":[{"Key":"zero","LastModified":…,"ETag":…,"Size":1,"StorageClass":"STANDARD"}],"Name":"night","Prefix":"","Delimiter":"/","MaxKeys":1000,"KeyCount":1,"ContinuationToken":"in/"}
                {"IsTruncated":true,"Contents":[{"Key":"in/a.txt","LastModified":…,"ETag":…,"Size":11,"StorageClass":"STANDARD"}],"Name":"night","Prefix":"in/","MaxKeys":1,"Marker":""}
                {"IsTruncated":false,"Name":"night","Prefix":"none","MaxKeys":1000,"Marker":""}
                {}
                {}
                S3.NoSuchKeyException: null (Service: S3, Status Code: 404, Request ID: null)
            "#]],
        )
        .await;
    }

    #[tokio::test]
    async fn what_cannot_be_done_has_a_name() {
        check(
            r#"getObject {"Bucket":"night","Key":"none"}
               getObject {"Bucket":"night","Key":"binary","VersionId":"7"}
               getObject {"Bucket":"night"}
               getObject {"Bucket":"night","Key":"binary","Colour":"red"}
               getObject {"Bucket":"elsewhere","Key":"binary"}
               getObjectTorrent {}"#,
            expect_test::expect![[r#"
                S3.NoSuchKeyException: The specified key does not exist. (Service: S3, Status Code: 404, Request ID: null)
                S3.S3Exception: Invalid version id specified (Service: S3, Status Code: 400, Request ID: null)
                States.Runtime: The Parameters '{"Bucket":"night"}' could not be used to start the Task: [1 validation error detected: Value null at 'key' failed to satisfy constraint: Member must not be null]
                States.Runtime: The Parameters '{"Bucket":"night","Key":"binary","Colour":"red"}' could not be used to start the Task: [The field "Colour" is not supported by Step Functions]
                S3.SdkClientException: Bucket "elsewhere" has no place: it is mapped to no folder, and no S3 endpoint is configured for the others
                not known
            "#]],
        )
        .await;
    }
}
