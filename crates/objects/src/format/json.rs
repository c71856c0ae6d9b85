//! JSON: the elements of an array, or the members of an object, found in a document of any size.
//!
//! The document is scanned byte by byte; only the text of the present item is kept, and only items are parsed. What
//! stands before the place that the pointer names is skipped with no more care than finding its end takes; what comes
//! after the items is not read.

use std::sync::Arc;

use base::Json;

use super::{Decoded, Fault, ITEM_BYTES_MAX, More, Out, parse, too_large};
use crate::pointer::Pointer;

/// AWS's text for a value that is neither array nor object.
const NOT_ITERABLE: &str = "Attempting to map over non-iterable node.";

#[derive(Debug)]
pub(crate) struct Items {
    pointer: Pointer,
    /// How much of the pointer has been followed.
    followed: usize,
    state: State,
    /// The array or object that we are in: on the way to the items, or the one that has them.
    within: Within,
    /// The name of the member that is being read.
    name: Arc<str>,
    scan: Scan,
    /// A name or an item, as far as it has come.
    text: Vec<u8>,
    /// Elements or members of `within` that are behind us.
    index: u64,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The value at the place that has been followed so far.
    Place,
    /// An element, a name, or the end. `first`: no comma stands before.
    Entry {
        first: bool,
    },
    /// The rest of a name.
    Name,
    Colon,
    /// The beginning of the value of an element or a member.
    Value,
    /// The rest of that value.
    Rest,
    /// A comma or the end.
    Comma,
    /// Nothing: all items are read.
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Array,
    Object,
}

impl Within {
    fn end(self) -> u8 {
        match self {
            Within::Array => b']',
            Within::Object => b'}',
        }
    }
}

impl Items {
    pub(crate) fn new(pointer: &Pointer) -> Items {
        Items {
            pointer: pointer.clone(),
            followed: 0,
            state: State::Place,
            within: Within::Array,
            name: "".into(),
            scan: Scan::default(),
            text: vec![],
            index: 0,
        }
    }

    pub(crate) fn push(&mut self, mut bytes: &[u8], out: &mut Out) -> Result<More, Fault> {
        while !bytes.is_empty() && self.state != State::Done {
            let taken = match self.state {
                State::Name | State::Rest => self.rest(bytes, out)?,
                _ if is_space(bytes[0]) => 1,
                _ => self.token(bytes[0])?,
            };
            bytes = &bytes[taken..];
        }
        Ok(if self.state == State::Done { More::No } else { More::Yes })
    }

    pub(crate) fn finish(&mut self) -> Result<(), Fault> {
        match self.state {
            State::Done => Ok(()),
            _ => Err("The JSON document ends before its items do".to_owned()),
        }
    }

    /// Takes a byte that is no space, between the values; gives 0 when the next state shall look at it again.
    fn token(&mut self, byte: u8) -> Result<usize, Fault> {
        match (self.state, byte) {
            (State::Place, b'[' | b'{') => {
                self.within = if byte == b'[' { Within::Array } else { Within::Object };
                (self.index, self.state) = (0, State::Entry { first: true });
                Ok(1)
            }
            (State::Place, b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') if self.is_there() => {
                Err(NOT_ITERABLE.to_owned())
            }
            (State::Entry { first: true } | State::Comma, byte) if byte == self.within.end() => {
                if !self.is_there() {
                    return Err(self.not_there());
                }
                self.state = State::Done;
                Ok(1)
            }
            (State::Entry { .. }, b'"') if self.within == Within::Object => {
                self.begin(State::Name);
                Ok(0)
            }
            (State::Entry { .. }, _) if self.within == Within::Array => {
                self.state = State::Value;
                Ok(0)
            }
            (State::Colon, b':') => {
                self.state = State::Value;
                Ok(1)
            }
            (State::Value, _) if self.is_wanted() => {
                self.followed += 1;
                self.state = State::Place;
                Ok(0)
            }
            (State::Value, b',' | b':' | b']' | b'}') => Err(self.unexpected(byte)),
            (State::Value, _) => {
                self.begin(State::Rest);
                Ok(0)
            }
            (State::Comma, b',') => {
                self.index += 1;
                self.state = State::Entry { first: false };
                Ok(1)
            }
            _ if self.is_there() => Err(self.unexpected(byte)),
            (State::Place, _) => Err(self.not_there()),
            _ => Err(self.unexpected(byte)),
        }
    }

    fn begin(&mut self, state: State) {
        self.text.clear();
        self.scan = Scan::default();
        self.state = state;
    }

    /// Takes what belongs to the name or value that has begun.
    fn rest(&mut self, bytes: &[u8], out: &mut Out) -> Result<usize, Fault> {
        let (taken, ended) = self.scan.run(bytes);
        if self.state == State::Name || self.is_there() {
            if self.text.len() + taken > ITEM_BYTES_MAX {
                return Err(too_large("Item", self.index));
            }
            self.text.extend_from_slice(&bytes[..taken]);
        }
        if ended {
            self.ended(out)?;
        }
        Ok(taken)
    }

    fn ended(&mut self, out: &mut Out) -> Result<(), Fault> {
        if self.state == State::Name {
            self.name = parse(&self.text, "The name of item", self.index)?.as_str().unwrap_or_default().into();
            self.state = State::Colon;
            return Ok(());
        }
        self.state = State::Comma;
        if self.is_there() {
            let value = parse(&self.text, "Item", self.index)?;
            out.push_back(match self.within {
                Within::Array => value.into(),
                Within::Object => member(self.name.clone(), value),
            });
        }
        Ok(())
    }

    /// Whether the place that the pointer names has been reached.
    fn is_there(&self) -> bool {
        self.followed == self.pointer.tokens.len()
    }

    /// Whether the value that comes is on the way to that place.
    fn is_wanted(&self) -> bool {
        match (self.pointer.tokens.get(self.followed), self.within) {
            (None, _) => false,
            (Some(token), Within::Object) => **token == *self.name,
            (Some(token), Within::Array) => *token == self.index.to_string(),
        }
    }

    fn not_there(&self) -> Fault {
        format!("ItemsPointer \"{}\" points to nothing in the JSON document", self.pointer)
    }

    fn unexpected(&self, byte: u8) -> Fault {
        format!("The JSON document is not valid near item {}: unexpected '{}'", self.index, byte.escape_ascii())
    }
}

/// `{"Key":…,"Value":…}`
fn member(name: Arc<str>, value: Json) -> Decoded {
    Decoded { value: Json::object([("Key", Json::String(name.clone())), ("Value", value)]), key: Some(name) }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Finds the end of one value, and checks nothing else.
#[derive(Debug, Default)]
struct Scan {
    /// Arrays and objects that are open.
    depth: u64,
    in_string: bool,
    /// A backslash stands before.
    is_escaped: bool,
    /// In a number or a word, which ends where something else begins.
    in_word: bool,
}

impl Scan {
    /// Returns how many of `bytes` belong to the value, and whether it ends with them.
    fn run(&mut self, bytes: &[u8]) -> (usize, bool) {
        for (at, &byte) in bytes.iter().enumerate() {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' if self.in_string => self.is_escaped = true,
                b'"' if self.in_string => {
                    self.in_string = false;
                    if self.depth == 0 {
                        return (at + 1, true);
                    }
                }
                _ if self.in_string => {}
                b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' | b']' | b'}' | b'"' | b'[' | b'{' if self.in_word => {
                    return (at, true);
                }
                b'"' => self.in_string = true,
                b'[' | b'{' => self.depth += 1,
                b']' | b'}' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return (at + 1, true);
                    }
                }
                _ if self.depth == 0 => self.in_word = true,
                _ => {}
            }
        }
        (bytes.len(), false)
    }
}
