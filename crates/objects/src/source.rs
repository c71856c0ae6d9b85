//! What a Map reads: a plain value, made from the evaluated fields of an `ItemReader`.
//!
//! The rules are the Developer Guide's, "ItemReader (Map)". A text in quotation marks is AWS's own, recorded; the
//! others are ours.

use std::num::NonZeroU64;

use base::{Json, Object as Members};

use crate::Failure;
use crate::pointer::Pointer;

/// Where the items come from, and how many at most.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    pub dataset: Dataset,
    /// `MaxItems`; all of them when there is none.
    pub items_max: Option<NonZeroU64>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Dataset {
    /// The items in one object.
    Object { object: ObjectName, format: Format },
    /// What is known of each object under a prefix.
    Listing(Prefix),
    /// The items in each object under a prefix: `Transformation` `LOAD_AND_FLATTEN`.
    Loaded { prefix: Prefix, format: Format },
    /// The rows of an S3 inventory, by its `manifest.json`: `ManifestType` `S3_INVENTORY`.
    Inventory(ObjectName),
    /// The items in each object that an Athena manifest names: `ManifestType` `ATHENA_DATA`.
    Athena { manifest: ObjectName, format: Format },
}

/// One object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectName {
    pub bucket: BucketName,
    pub key: String,
    /// `VersionId`; the present one when there is none.
    pub version: Option<String>,
}

/// All objects of a bucket whose keys begin with `prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    pub bucket: BucketName,
    pub prefix: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketName {
    pub name: String,
    /// `ExpectedBucketOwner`: the account that S3 is asked to check.
    pub owner: Option<String>,
}

impl BucketName {
    pub fn new(name: impl Into<String>) -> BucketName {
        BucketName { name: name.into(), owner: None }
    }
}

/// How the items lie in an object. Each may be compressed with GZIP or ZSTD.
#[derive(Debug, Clone, PartialEq)]
pub enum Format {
    /// An array, or an object whose members are the items; `ItemsPointer` says where in the document.
    Json {
        pointer: Pointer,
    },
    /// One JSON value on each line.
    JsonLines,
    Csv(Csv),
    Parquet,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Csv {
    pub delimiter: Delimiter,
    pub header: Header,
}

/// `CSVDelimiter`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delimiter {
    Comma,
    Pipe,
    Semicolon,
    Space,
    Tab,
}

impl Delimiter {
    pub(crate) fn byte(self) -> u8 {
        match self {
            Delimiter::Comma => b',',
            Delimiter::Pipe => b'|',
            Delimiter::Semicolon => b';',
            Delimiter::Space => b' ',
            Delimiter::Tab => b'\t',
        }
    }
}

/// `CSVHeaderLocation`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Header {
    FirstRow,
    Given(Vec<String>),
}

/// The evaluated fields of an `ItemReader`.
#[derive(Debug, Clone, Copy)]
pub struct ItemReader<'a> {
    pub call: Call,
    /// `Parameters` or `Arguments`.
    pub arguments: &'a Json,
    /// `ReaderConfig`; null when there is none. Its own `MaxItems` is not looked at.
    pub config: &'a Json,
    /// `MaxItems`, or what its path or expression gave.
    pub items_max: Option<i64>,
}

/// An `ItemReader`'s `Resource`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// `arn:aws:states:::s3:getObject`
    GetObject,
    /// `arn:aws:states:::s3:listObjectsV2`
    ListObjects,
}

impl Source {
    /// Returns what `reader` reads, or why it reads nothing.
    pub fn of(reader: &ItemReader<'_>) -> Result<Source, Failure> {
        let items_max = items_max(reader.items_max)?;
        let config = Config(reader.config.as_object());
        let dataset = match (reader.call, config.flag("Transformation")?, config.flag("ManifestType")?) {
            (Call::ListObjects, Some("LOAD_AND_FLATTEN"), None) => {
                Dataset::Loaded { prefix: prefix(reader.arguments)?, format: config.format()? }
            }
            (Call::ListObjects, Some("NONE") | None, None) => Dataset::Listing(prefix(reader.arguments)?),
            (Call::GetObject, Some("NONE") | None, manifest) => object_dataset(reader.arguments, &config, manifest)?,
            (Call::GetObject | Call::ListObjects, Some(other), _) => {
                return Err(unsupported("Transformation", other));
            }
            (Call::ListObjects, None, Some(other)) => return Err(unsupported("ManifestType", other)),
        };
        Ok(Source { dataset, items_max })
    }
}

fn object_dataset(arguments: &Json, config: &Config<'_>, manifest: Option<&str>) -> Result<Dataset, Failure> {
    let object = object(arguments)?;
    match (manifest, config.flag("InputType")?) {
        (Some("S3_INVENTORY"), None | Some("MANIFEST")) => Ok(Dataset::Inventory(object)),
        (Some("S3_INVENTORY"), Some(other)) => Err(unsupported("InputType", other)),
        // What `MANIFEST` meant before there were types of manifests.
        (None, Some("MANIFEST")) => Ok(Dataset::Inventory(object)),
        (Some("ATHENA_DATA"), _) => Ok(Dataset::Athena { manifest: object, format: config.format()? }),
        (Some(other), _) => Err(unsupported("ManifestType", other)),
        (None, _) => Ok(Dataset::Object { object, format: config.format()? }),
    }
}

/// 0 is as good as none; recorded on AWS.
fn items_max(given: Option<i64>) -> Result<Option<NonZeroU64>, Failure> {
    match given {
        None => Ok(None),
        Some(number) => match u64::try_from(number) {
            Ok(number) => Ok(NonZeroU64::new(number)),
            // AWS's text.
            Err(_) => Err(Failure::reader("field MaxItems must be positive")),
        },
    }
}

fn object(arguments: &Json) -> Result<ObjectName, Failure> {
    let key = argument(arguments, "Key")?.filter(|key| !key.is_empty()).ok_or_else(|| missing("Key"))?;
    Ok(ObjectName { bucket: bucket(arguments)?, key, version: argument(arguments, "VersionId")? })
}

fn prefix(arguments: &Json) -> Result<Prefix, Failure> {
    Ok(Prefix { bucket: bucket(arguments)?, prefix: argument(arguments, "Prefix")?.unwrap_or_default() })
}

fn bucket(arguments: &Json) -> Result<BucketName, Failure> {
    let name = argument(arguments, "Bucket")?.filter(|name| !name.is_empty()).ok_or_else(|| missing("Bucket"))?;
    Ok(BucketName { name, owner: argument(arguments, "ExpectedBucketOwner")? })
}

fn argument(arguments: &Json, name: &str) -> Result<Option<String>, Failure> {
    match arguments.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text.to_string())),
        Some(_) => Err(not_a(name, "STRING")),
    }
}

fn missing(name: &str) -> Failure {
    Failure::reader(format!("The field '{name}' is required but was missing"))
}

fn not_a(name: &str, kind: &str) -> Failure {
    Failure::reader(format!("The value for the field '{name}' must be a {kind}"))
}

fn unsupported(field: &str, value: &str) -> Failure {
    Failure::reader(format!("The value '{value}' for the field '{field}' is not supported here"))
}

/// A `ReaderConfig`.
struct Config<'a>(Option<&'a Members>);

impl<'a> Config<'a> {
    fn get(&self, name: &str) -> Option<&'a Json> {
        self.0?.get(name).filter(|value| !value.is_null())
    }

    fn flag(&self, name: &str) -> Result<Option<&'a str>, Failure> {
        self.get(name).map(|value| value.as_str().ok_or_else(|| not_a(name, "STRING"))).transpose()
    }

    fn format(&self) -> Result<Format, Failure> {
        match self.flag("InputType")?.ok_or_else(|| missing("InputType"))? {
            "JSON" => Ok(Format::Json { pointer: self.pointer()? }),
            "JSONL" => Ok(Format::JsonLines),
            "CSV" => Ok(Format::Csv(Csv { delimiter: self.delimiter()?, header: self.header()? })),
            "PARQUET" => Ok(Format::Parquet),
            other => Err(unsupported("InputType", other)),
        }
    }

    fn pointer(&self) -> Result<Pointer, Failure> {
        let text = self.flag("ItemsPointer")?.unwrap_or_default();
        Pointer::parse(text).ok_or_else(|| Failure::reader(format!("ItemsPointer \"{text}\" is not a JSON Pointer")))
    }

    fn delimiter(&self) -> Result<Delimiter, Failure> {
        match self.flag("CSVDelimiter")? {
            None | Some("COMMA") => Ok(Delimiter::Comma),
            Some("PIPE") => Ok(Delimiter::Pipe),
            Some("SEMICOLON") => Ok(Delimiter::Semicolon),
            Some("SPACE") => Ok(Delimiter::Space),
            Some("TAB") => Ok(Delimiter::Tab),
            Some(other) => Err(unsupported("CSVDelimiter", other)),
        }
    }

    fn header(&self) -> Result<Header, Failure> {
        match self.flag("CSVHeaderLocation")? {
            Some("FIRST_ROW") => Ok(Header::FirstRow),
            Some("GIVEN") => Ok(Header::Given(self.headers()?)),
            Some(other) => Err(unsupported("CSVHeaderLocation", other)),
            None => Err(missing("CSVHeaderLocation")),
        }
    }

    fn headers(&self) -> Result<Vec<String>, Failure> {
        let names = self.get("CSVHeaders").ok_or_else(|| missing("CSVHeaders"))?;
        let names = names.as_array().ok_or_else(|| not_a("CSVHeaders", "ARRAY"))?;
        let names: Option<Vec<String>> = names.iter().map(|name| name.as_str().map(str::to_owned)).collect();
        names.ok_or_else(|| not_a("CSVHeaders", "ARRAY of STRING"))
    }
}

#[cfg(test)]
mod tests;
