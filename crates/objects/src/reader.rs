//! The items of a source, one by one.
//!
//! **Invariant:** the same source gives the same items in the same order as long as its objects stay the same; so a
//! [`Cursor`] is only a number.

use std::collections::VecDeque;
use std::sync::Arc;

use base::Json;
use bytes::Bytes;

use crate::compression::Expander;
use crate::failure::Failure;
use crate::format::{Decoded, Decoder, More, Out};
use crate::source::{BucketName, Csv, Dataset, Delimiter, Format, Header, ObjectName, Prefix, Source};
use crate::store::{Body, Buckets, Listed, Listing};

/// Bytes of an inventory's manifest.
const MANIFEST_BYTES_MAX: usize = 64 * 1024 * 1024;

/// An item, with what the context object says of it (`Map.Item`).
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The first is 0.
    pub index: u64,
    pub value: Json,
    /// Its name, when the items are the members of an object.
    pub key: Option<Arc<str>>,
    /// `S3://bucket/key`, or `S3://bucket` for what is known of an object.
    pub source: Arc<str>,
}

/// How many items were taken: a later reader goes on behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor(pub u64);

/// Reads a source.
pub struct Reader {
    items: Items,
    items_max: u64,
    taken: u64,
    health: Health,
}

/// Whether a reader can go on: none goes on behind a gap.
enum Health {
    Good,
    /// The next item was asked for and not waited for. What was underway is lost.
    Asked,
    Failed(Failure),
}

impl Reader {
    /// Begins to read. What cannot be read at all shows here or with the first item.
    pub async fn open(buckets: &Buckets, source: &Source) -> Result<Reader, Failure> {
        let items = Items::open(buckets, &source.dataset).await?;
        Ok(Reader { items, items_max: source.items_max.map_or(u64::MAX, u64::from), taken: 0, health: Health::Good })
    }

    /// Begins behind the items that were taken: it reads them again and lets them fall.
    pub async fn resume(buckets: &Buckets, source: &Source, cursor: Cursor) -> Result<Reader, Failure> {
        let mut reader = Reader::open(buckets, source).await?;
        while reader.taken < cursor.0 && reader.next().await?.is_some() {}
        Ok(reader)
    }

    /// The next item; nothing at the end. After a failure the same failure comes again; after a call that was dropped before
    /// it ended, one that says so: [`resume`](Self::resume) then.
    pub async fn next(&mut self) -> Result<Option<Item>, Failure> {
        match &self.health {
            Health::Good if self.taken == self.items_max => return Ok(None),
            Health::Good => self.health = Health::Asked,
            Health::Asked => return Err(Failure::reader("Reading was interrupted")),
            Health::Failed(failure) => return Err(failure.clone()),
        }
        let next = self.items.next().await;
        self.health = next.as_ref().err().map_or(Health::Good, |failure| Health::Failed(failure.clone()));
        let Some((item, source)) = next? else { return Ok(None) };
        let index = self.taken;
        self.taken += 1;
        Ok(Some(Item { index, value: item.value, key: item.key, source }))
    }

    /// Where to [`resume`](Self::resume) for the item that comes next.
    pub fn cursor(&self) -> Cursor {
        Cursor(self.taken)
    }
}

enum Items {
    Object(Object),
    Listing { listing: Listing, page: VecDeque<Listed>, source: Arc<str> },
    Objects(Box<Objects>),
}

impl Items {
    async fn open(buckets: &Buckets, dataset: &Dataset) -> Result<Items, Failure> {
        match dataset {
            Dataset::Object { object, format } => Object::open(buckets, object, format).await.map(Items::Object),
            Dataset::Listing(prefix) => Ok(Items::Listing {
                listing: listing(buckets, prefix)?,
                page: VecDeque::new(),
                source: format!("S3://{}", prefix.bucket.name).into(),
            }),
            Dataset::Loaded { prefix, format } => {
                let names = Names::Listing {
                    bucket: prefix.bucket.clone(),
                    listing: listing(buckets, prefix)?,
                    page: VecDeque::new(),
                };
                Ok(Items::objects(buckets, names, format.clone()))
            }
            Dataset::Inventory(manifest) => {
                let (names, format) = inventory(buckets, manifest).await?;
                Ok(Items::objects(buckets, Names::Given(names), format))
            }
            Dataset::Athena { manifest, format } => {
                let header = Header::Given(vec![LOCATION.to_owned()]);
                let lines = Format::Csv(Csv { delimiter: Delimiter::Comma, header });
                let manifest = Object::open(buckets, manifest, &lines).await?;
                Ok(Items::objects(buckets, Names::Locations(Box::new(manifest)), format.clone()))
            }
        }
    }

    fn objects(buckets: &Buckets, names: Names, format: Format) -> Items {
        Items::Objects(Box::new(Objects { buckets: buckets.clone(), names, format, object: None }))
    }

    async fn next(&mut self) -> Result<Option<(Decoded, Arc<str>)>, Failure> {
        match self {
            Items::Object(object) => {
                let item = object.next().await.map_err(Failure::reader)?;
                Ok(item.map(|item| (item, object.source.clone())))
            }
            Items::Listing { listing, page, source } => {
                Ok(next_listed(listing, page).await?.map(|object| (listed(object).into(), source.clone())))
            }
            Items::Objects(objects) => objects.next().await,
        }
    }
}

fn listing(buckets: &Buckets, prefix: &Prefix) -> Result<Listing, Failure> {
    let bucket = buckets.bucket(&prefix.bucket).map_err(|error| Failure::unread(&error))?;
    Ok(bucket.list(&prefix.prefix))
}

async fn next_listed(listing: &mut Listing, page: &mut VecDeque<Listed>) -> Result<Option<Listed>, Failure> {
    while page.is_empty() {
        match listing.next().await.map_err(|error| Failure::unread(&error))? {
            Some(next) => page.extend(next),
            None => return Ok(None),
        }
    }
    Ok(page.pop_front())
}

/// In the form and the order recorded on AWS.
fn listed(object: Listed) -> Json {
    Json::object([
        ("Etag", Json::from(object.etag)),
        ("LastModified", Json::from(object.modified.0.div_euclid(1000))),
        ("Key", Json::from(object.key)),
        ("Size", Json::from(object.size)),
        ("StorageClass", Json::from(object.storage_class)),
    ])
}

/// The items in one object.
struct Object {
    source: Arc<str>,
    items: ObjectItems,
}

enum ObjectItems {
    Stream(Box<Stream>),
    #[cfg(feature = "parquet")]
    Parquet(crate::format::parquet::Rows),
}

/// Items that come with their bytes.
struct Stream {
    body: Body,
    /// What came and is not yet decoded.
    chunk: Bytes,
    expander: Expander,
    decoder: Decoder,
    /// A piece of the object after expansion, and how much of it is decoded.
    text: Vec<u8>,
    decoded: usize,
    /// What comes after `text`.
    after: After,
    /// Items that are decoded.
    out: Out,
    state: State,
}

/// Bytes that are decoded before their items are taken: an item of many columns may stand for a byte.
const DECODED_AT_ONCE: usize = 256;

enum After {
    More,
    End,
    Fault(String),
}

enum State {
    Reading,
    /// There are no more items than those in `out`.
    Ended,
    /// What comes after the items in `out` is no item.
    Faulty(String),
}

impl Object {
    async fn open(buckets: &Buckets, object: &ObjectName, format: &Format) -> Result<Object, Failure> {
        let source = format!("S3://{}/{}", object.bucket.name, object.key).into();
        #[cfg(feature = "parquet")]
        if *format == Format::Parquet {
            let rows = crate::format::parquet::Rows::open(body(buckets, object).await?).await;
            return Ok(Object { source, items: ObjectItems::Parquet(rows.map_err(Failure::reader)?) });
        }
        let decoder = Decoder::new(format).map_err(Failure::reader)?;
        let stream = Stream {
            body: body(buckets, object).await?,
            chunk: Bytes::new(),
            expander: Expander::new(),
            decoder,
            text: vec![],
            decoded: 0,
            after: After::More,
            out: Out::new(),
            state: State::Reading,
        };
        Ok(Object { source, items: ObjectItems::Stream(Box::new(stream)) })
    }

    async fn next(&mut self) -> Result<Option<Decoded>, String> {
        match &mut self.items {
            ObjectItems::Stream(stream) => stream.next().await,
            #[cfg(feature = "parquet")]
            ObjectItems::Parquet(rows) => Ok(rows.next().await?.map(Decoded::from)),
        }
    }
}

impl Stream {
    async fn next(&mut self) -> Result<Option<Decoded>, String> {
        loop {
            if let Some(item) = self.out.pop_front() {
                return Ok(Some(item));
            }
            match &self.state {
                State::Reading => {}
                State::Ended => return Ok(None),
                State::Faulty(fault) => return Err(fault.clone()),
            }
            if self.decoded < self.text.len() {
                self.decode();
                continue;
            }
            match &self.after {
                After::More if !self.chunk.is_empty() => self.expand(),
                After::More => match self.body.next().await.map_err(|error| error.to_string())? {
                    Some(chunk) => self.chunk = chunk,
                    None => self.expand_rest(),
                },
                After::End => {
                    self.state = match self.decoder.finish(&mut self.out) {
                        Ok(()) => State::Ended,
                        Err(fault) => State::Faulty(fault),
                    }
                }
                After::Fault(fault) => self.state = State::Faulty(fault.clone()),
            }
        }
    }

    /// Expands as much of the chunk as is good for memory.
    fn expand(&mut self) {
        let piece = self.chunk.split_to(self.expander.bytes_max().min(self.chunk.len()));
        self.begin_text();
        let expanded = self.expander.push(&piece, &mut self.text);
        self.after = expanded.map_or_else(|error| broken(&error), |()| After::More);
    }

    fn expand_rest(&mut self) {
        self.begin_text();
        let expanded = self.expander.finish(&mut self.text);
        self.after = expanded.map_or_else(|error| broken(&error), |()| After::End);
    }

    fn begin_text(&mut self) {
        self.text.clear();
        self.decoded = 0;
    }

    fn decode(&mut self) {
        let end = self.text.len().min(self.decoded + DECODED_AT_ONCE);
        let pushed = self.decoder.push(&self.text[self.decoded..end], &mut self.out);
        self.decoded = end;
        match pushed {
            Ok(More::Yes) => (),
            Ok(More::No) => self.state = State::Ended,
            Err(fault) => self.state = State::Faulty(fault),
        }
    }
}

/// What was expanded before the fault is decoded all the same.
fn broken(error: &std::io::Error) -> After {
    After::Fault(format!("The compressed object is broken: {error}"))
}

async fn body(buckets: &Buckets, object: &ObjectName) -> Result<Body, Failure> {
    let bucket = buckets.bucket(&object.bucket).map_err(|error| Failure::unread(&error))?;
    bucket.get(&object.key, object.version.as_deref()).await.map_err(|error| Failure::unread(&error))
}

/// The items in one object after the other.
struct Objects {
    buckets: Buckets,
    names: Names,
    format: Format,
    object: Option<Object>,
}

/// Which objects.
enum Names {
    Given(VecDeque<ObjectName>),
    Listing {
        bucket: BucketName,
        listing: Listing,
        page: VecDeque<Listed>,
    },
    /// `s3://bucket/key` on each line of an object.
    Locations(Box<Object>),
}

const LOCATION: &str = "location";

impl Objects {
    async fn next(&mut self) -> Result<Option<(Decoded, Arc<str>)>, Failure> {
        loop {
            if let Some(object) = &mut self.object {
                let source = object.source.clone();
                let item = object.next().await.map_err(|fault| Failure::reader(format!("{fault} ({source})")))?;
                if let Some(item) = item {
                    return Ok(Some((item, source)));
                }
            }
            let Some(name) = self.names.next().await? else { return Ok(None) };
            let object = Object::open(&self.buckets, &name, &self.format).await;
            self.object = Some(object.map_err(|failure| Failure {
                cause: format!("{} (S3://{}/{})", failure.cause, name.bucket.name, name.key),
                ..failure
            })?);
        }
    }
}

impl Names {
    async fn next(&mut self) -> Result<Option<ObjectName>, Failure> {
        match self {
            Names::Given(names) => Ok(names.pop_front()),
            Names::Listing { bucket, listing, page } => {
                while let Some(object) = next_listed(listing, page).await? {
                    // What consoles make to show an empty folder.
                    if !(object.size == 0 && object.key.ends_with('/')) {
                        return Ok(Some(ObjectName { bucket: bucket.clone(), key: object.key, version: None }));
                    }
                }
                Ok(None)
            }
            Names::Locations(lines) => match lines.next().await.map_err(Failure::reader)? {
                None => Ok(None),
                Some(line) => location(line.value.get(LOCATION).and_then(Json::as_str).unwrap_or_default()).map(Some),
            },
        }
    }
}

/// `s3://bucket/key`
fn location(text: &str) -> Result<ObjectName, Failure> {
    let rest = text.strip_prefix("s3://").or_else(|| text.strip_prefix("S3://"));
    match rest.and_then(|rest| rest.split_once('/')) {
        Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() => {
            Ok(ObjectName { bucket: BucketName::new(bucket), key: key.to_owned(), version: None })
        }
        _ => Err(Failure::reader(format!("The manifest names \"{text}\", which is no s3://bucket/key"))),
    }
}

/// The files that an inventory's `manifest.json` names, and how rows lie in them (S3 User Guide, "Inventory manifest").
async fn inventory(buckets: &Buckets, manifest: &ObjectName) -> Result<(VecDeque<ObjectName>, Format), Failure> {
    let mut text = vec![];
    let mut body = body(buckets, manifest).await?;
    while let Some(chunk) = body.next().await.map_err(|error| Failure::unread(&error))? {
        text.extend_from_slice(&chunk);
        if text.len() > MANIFEST_BYTES_MAX {
            return Err(Failure::reader(format!("The manifest is larger than {MANIFEST_BYTES_MAX} bytes")));
        }
    }
    let json = std::str::from_utf8(&text).map_err(|error| not_a_manifest(&error.to_string()))?;
    let json = Json::parse(json).map_err(|error| not_a_manifest(&error.to_string()))?;
    inventory_files(&json, manifest)
}

fn inventory_files(json: &Json, manifest: &ObjectName) -> Result<(VecDeque<ObjectName>, Format), Failure> {
    let text = |json: &Json, name: &str| {
        let text = json.get(name).and_then(Json::as_str).map(str::to_owned);
        text.ok_or_else(|| not_a_manifest(&format!("{name} is missing")))
    };
    let format = text(json, "fileFormat")?;
    if format != "CSV" {
        return Err(Failure::reader(format!("The inventory is in {format}; only CSV inventories can be read")));
    }
    let bucket = text(json, "destinationBucket")?;
    let bucket = BucketName {
        name: bucket.strip_prefix("arn:aws:s3:::").unwrap_or(&bucket).to_owned(),
        owner: manifest.bucket.owner.clone(),
    };
    let columns = text(json, "fileSchema")?.split(',').map(|column| column.trim().to_owned()).collect();
    let files = json.get("files").and_then(Json::as_array).ok_or_else(|| not_a_manifest("files is missing"))?;
    let name = |file| Ok(ObjectName { bucket: bucket.clone(), key: text(file, "key")?, version: None });
    let names = files.iter().map(name).collect::<Result<_, Failure>>()?;
    Ok((names, Format::Csv(Csv { delimiter: Delimiter::Comma, header: Header::Given(columns) })))
}

fn not_a_manifest(reason: &str) -> Failure {
    Failure::reader(format!("The object is not the manifest of an S3 inventory: {reason}"))
}

#[cfg(test)]
mod tests;
