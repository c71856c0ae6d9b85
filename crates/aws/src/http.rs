//! Requests and responses, whatever carries them.

use bytes::Bytes;

/// One HTTP request, its body complete.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    pub method: &'a str,
    /// As on the wire: percent-encoded, without the query.
    pub path: &'a str,
    pub query: &'a str,
    /// As they came, repeated ones too.
    pub headers: Vec<(&'a str, &'a str)>,
    pub body: Bytes,
    pub peer_is_loopback: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
}

impl<'a> Request<'a> {
    /// The first header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }
}
