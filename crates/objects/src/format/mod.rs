//! From bytes to items: each format takes chunks as they come, cut anywhere.
//!
//! **Invariant:** what comes out does not depend on where the bytes were cut, and a decoder holds no more than one
//! item.

pub(crate) mod json;
pub(crate) mod lines;
pub(crate) mod csv;
#[cfg(feature = "parquet")]
pub(crate) mod parquet;

use std::collections::VecDeque;
use std::sync::Arc;

use base::Json;

use crate::source::Format;

/// The bytes that one item may have in its object (Developer Guide, "Quotas": 8 MB).
pub const ITEM_BYTES_MAX: usize = 8 * 1024 * 1024;

/// An item as its format gives it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Decoded {
    pub(crate) value: Json,
    /// Its name, when the items are the members of an object.
    pub(crate) key: Option<Arc<str>>,
}

impl From<Json> for Decoded {
    fn from(value: Json) -> Decoded {
        Decoded { value, key: None }
    }
}

/// Where decoded items go.
pub(crate) type Out = VecDeque<Decoded>;

/// Why bytes are not what their format says: the cause of a failure.
pub(crate) type Fault = String;

/// Whether more bytes can give more items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum More {
    Yes,
    No,
}

/// Turns the bytes of one object into items.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// How many bytes of [`MARK`] the object began with; all of them also when it began otherwise.
    mark: usize,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Json(json::Items),
    Lines(lines::Lines),
    Csv(csv::Rows),
}

/// Parquet cannot be decoded from the front; where it is read, that is done by another way.
const NO_PARQUET: &str =
    "This server does not read Parquet files: it was built without them. Use CSV, JSON or JSON Lines";

/// UTF-8's byte order mark, which spreadsheets like to write.
const MARK: &[u8] = b"\xEF\xBB\xBF";

impl Decoder {
    pub(crate) fn new(format: &Format) -> Result<Decoder, Fault> {
        let kind = match format {
            Format::Json { pointer } => Kind::Json(json::Items::new(pointer)),
            Format::JsonLines => Kind::Lines(lines::Lines::default()),
            Format::Csv(csv) => Kind::Csv(csv::Rows::new(csv)?),
            Format::Parquet => return Err(NO_PARQUET.to_owned()),
        };
        Ok(Decoder { mark: 0, kind })
    }

    /// Decodes the next bytes. Items before a fault are in `out`.
    pub(crate) fn push(&mut self, mut bytes: &[u8], out: &mut Out) -> Result<More, Fault> {
        while self.mark < MARK.len() && !bytes.is_empty() {
            if bytes[0] == MARK[self.mark] {
                self.mark += 1;
                bytes = &bytes[1..];
            } else {
                self.no_mark(out)?;
            }
        }
        self.kind.push(bytes, out)
    }

    /// There are no more bytes.
    pub(crate) fn finish(&mut self, out: &mut Out) -> Result<(), Fault> {
        if self.mark < MARK.len() {
            self.no_mark(out)?;
        }
        match &mut self.kind {
            Kind::Json(items) => items.finish(),
            Kind::Lines(lines) => lines.finish(out),
            Kind::Csv(rows) => rows.finish(out),
        }
    }

    /// What looked like a mark was none.
    fn no_mark(&mut self, out: &mut Out) -> Result<More, Fault> {
        let seen = std::mem::replace(&mut self.mark, MARK.len());
        self.kind.push(&MARK[..seen], out)
    }
}

impl Kind {
    fn push(&mut self, bytes: &[u8], out: &mut Out) -> Result<More, Fault> {
        match self {
            Kind::Json(items) => items.push(bytes, out),
            Kind::Lines(lines) => lines.push(bytes, out).map(|()| More::Yes),
            Kind::Csv(rows) => rows.push(bytes, out).map(|()| More::Yes),
        }
    }
}

fn too_large(what: &str, number: u64) -> Fault {
    format!("{what} {number} is larger than {ITEM_BYTES_MAX} bytes")
}

/// The value that `text` holds.
fn parse(text: &[u8], what: &str, number: u64) -> Result<Json, Fault> {
    let text = std::str::from_utf8(text).map_err(|_| format!("{what} {number} is not UTF-8"))?;
    Json::parse(text).map_err(|error| format!("{what} {number} is not JSON: {error}"))
}

#[cfg(test)]
mod tests;
