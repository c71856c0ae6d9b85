//! CSV as Step Functions reads it (Developer Guide, "How Step Functions parses input CSV files").
//!
//! Every value is a string. Quotation marks around a field keep delimiters and line ends in it; two of them stand for
//! one. A backslash escapes a backslash, a quotation mark or the delimiter, and is dropped before anything else. A row
//! that is too short is filled with empty strings, and what is too much in a row is left out.

use std::collections::HashSet;
use std::sync::Arc;

use base::Json;

use super::{Fault, ITEM_BYTES_MAX, Out, too_large};
use crate::source::{Csv, Header};

/// The bytes that a header may have ("up to 10 KiB").
const HEADER_BYTES_MAX: usize = 10 * 1024;

#[derive(Debug)]
pub(crate) struct Rows {
    delimiter: u8,
    /// The columns, when they are known.
    columns: Option<Columns>,
    /// The fields of the row so far.
    fields: Vec<String>,
    field: Vec<u8>,
    place: Place,
    /// Bytes of the row so far, as they stand in the file.
    bytes: usize,
    /// Rows behind us, the header among them.
    rows: u64,
}

/// Where in a row the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the beginning of a row, before any byte of it.
    Row,
    /// The line ended with a carriage return: a line feed still belongs to it.
    Return,
    /// At the beginning of a field; there may have been spaces.
    Field,
    /// In a field without quotation marks around it.
    Plain,
    /// There, after a quotation mark, which is one of two, or stands for itself.
    PlainQuote,
    /// Between quotation marks.
    Quoted,
    /// After a quotation mark there: the end, or the first of two.
    Quote,
    /// After a backslash; `quoted` if it stands between quotation marks.
    Backslash { quoted: bool },
}

impl Rows {
    pub(crate) fn new(csv: &Csv) -> Result<Rows, Fault> {
        let columns = match &csv.header {
            Header::FirstRow => None,
            Header::Given(names) => Some(columns(names.iter().map(|name| name.as_str().into()).collect())?),
        };
        Ok(Rows {
            delimiter: csv.delimiter.byte(),
            columns,
            fields: vec![],
            field: vec![],
            place: Place::Row,
            bytes: 0,
            rows: 0,
        })
    }

    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut Out) -> Result<(), Fault> {
        for &byte in bytes {
            self.byte(byte, out)?;
        }
        Ok(())
    }

    pub(crate) fn finish(&mut self, out: &mut Out) -> Result<(), Fault> {
        match self.place {
            Place::Row | Place::Return => Ok(()),
            Place::Quoted | Place::Backslash { quoted: true } => {
                Err(format!("Row {} ends within quotation marks", self.rows + 1))
            }
            Place::Field | Place::Plain | Place::PlainQuote | Place::Quote | Place::Backslash { quoted: false } => {
                self.end_row(out)
            }
        }
    }

    fn byte(&mut self, byte: u8, out: &mut Out) -> Result<(), Fault> {
        if self.place == Place::Return {
            self.place = Place::Row;
            if byte == b'\n' {
                return Ok(());
            }
        }
        self.bytes += 1;
        if self.bytes > ITEM_BYTES_MAX {
            return Err(too_large("Row", self.rows + 1));
        }
        if self.columns.is_none() && self.bytes > HEADER_BYTES_MAX {
            return Err(format!("The CSV header is larger than {HEADER_BYTES_MAX} bytes"));
        }
        match (self.place, byte) {
            (Place::Backslash { quoted }, byte) if byte == b'\\' || byte == b'"' || byte == self.delimiter => {
                self.keep(byte, if quoted { Place::Quoted } else { Place::Plain });
                Ok(())
            }
            (Place::Backslash { quoted }, byte) => {
                self.place = if quoted { Place::Quoted } else { Place::Plain };
                self.plain_byte(byte, out)
            }
            (_, byte) => self.plain_byte(byte, out),
        }
    }

    fn plain_byte(&mut self, byte: u8, out: &mut Out) -> Result<(), Fault> {
        match (self.place, byte) {
            (Place::Quoted, b'"') => self.place = Place::Quote,
            (Place::Quoted, b'\\') => self.place = Place::Backslash { quoted: true },
            (Place::Quoted, byte) => self.field.push(byte),
            (Place::Quote, b'"') => self.keep(b'"', Place::Quoted),
            (Place::PlainQuote, b'"') => self.place = Place::Plain,
            (_, b'\\') => self.place = Place::Backslash { quoted: false },
            (_, byte) if byte == self.delimiter => self.end_field(),
            (_, b'\n') => return self.end_row(out),
            (_, b'\r') => {
                self.end_row(out)?;
                self.place = Place::Return;
            }
            (Place::Row | Place::Field, b'"') => {
                // Spaces before the quotation marks are none of the field's.
                self.field.clear();
                self.place = Place::Quoted;
            }
            (Place::Row | Place::Field, b' ' | b'\t') => self.keep(byte, Place::Field),
            (Place::Plain, b'"') => self.keep(byte, Place::PlainQuote),
            (_, byte) => self.keep(byte, Place::Plain),
        }
        Ok(())
    }

    fn keep(&mut self, byte: u8, place: Place) {
        self.field.push(byte);
        self.place = place;
    }

    /// What is not UTF-8 is shown as such instead of failing the file.
    fn end_field(&mut self) {
        self.fields.push(String::from_utf8_lossy(&self.field).into_owned());
        self.field.clear();
        self.place = Place::Field;
    }

    fn end_row(&mut self, out: &mut Out) -> Result<(), Fault> {
        self.end_field();
        (self.place, self.bytes) = (Place::Row, 0);
        self.rows += 1;
        let mut fields = std::mem::take(&mut self.fields);
        match &self.columns {
            None => self.columns = Some(columns(fields.into_iter().map(Arc::from).collect())?),
            Some(columns) => {
                let mut field = |at: usize| fields.get_mut(at).map(std::mem::take).unwrap_or_default();
                out.push_back(
                    Json::object(columns.iter().map(|(at, name)| (name.clone(), Json::from(field(*at))))).into(),
                );
            }
        }
        Ok(())
    }
}

/// Where each column stands in a row, and its name; in the order of an item's members.
type Columns = Vec<(usize, Arc<str>)>;

fn columns(names: Vec<Arc<str>>) -> Result<Columns, Fault> {
    let mut seen = HashSet::new();
    if !names.iter().all(|name| seen.insert(name.clone())) {
        // AWS's text.
        return Err("CSV headers cannot contain duplicates.".to_owned());
    }
    let slots = slots(names.len());
    let mut columns: Columns = names.into_iter().enumerate().collect();
    columns.sort_by_key(|(_, name)| slot(name, slots));
    Ok(columns)
}

/// How many slots Java's `HashMap` has for so many keys. AWS keeps a row in one, and its order is the members' order
/// (recorded: the columns `0`, `True` and `{}` come out as `0`, `{}`, `True`).
fn slots(keys: usize) -> u32 {
    let mut slots = 16;
    while keys > slots as usize / 4 * 3 {
        slots *= 2;
    }
    slots
}

/// The slot of a key: the hash of Java's `String`, its upper half folded into the lower.
fn slot(name: &str, slots: u32) -> u32 {
    let hash = name.encode_utf16().fold(0_u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(unit.into()));
    (hash ^ hash >> 16) & (slots - 1)
}
