//! AWS Signature Version 4: signs requests and verifies signed ones.
//!
//! The signature binds the method, path, query, the signed headers and the hash of the body to an access key, a
//! day, a region and a service (`AWS General Reference, Signature Version 4`).
//!
//! **It does not know** where secrets are kept, what time it is, or what a request means.
//!
//! **Invariant:** no IO, no clock. An unknown access key costs what a known one does, and signatures are compared
//! in constant time.
//!
//! In reading order: the parts of a request, [`scope`] (what `Authorization` says), [`sign()`], [`verify()`],
//! [`canonical`] (the text that is signed), [`time`].

pub mod scope;
mod sign;
mod verify;
mod canonical;
pub mod time;

pub use scope::{Scope, credential_scope};
pub use sign::{Keys, sign};
pub use time::Time;
pub use verify::{Refusal, Verified, verify};

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// The only algorithm there is here.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The parts of an HTTP request that are signed, as they stand on the wire.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub method: &'a str,
    /// Percent-encoded, without the query.
    pub path: &'a str,
    /// What follows the `?`; empty when there is none.
    pub query: &'a str,
    /// In any case and order. Must hold `host`.
    pub headers: &'a [(&'a str, &'a str)],
}

/// The SHA-256 of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyHash([u8; 32]);

impl BodyHash {
    pub fn of(body: &[u8]) -> BodyHash {
        BodyHash(Sha256::digest(body).into())
    }
}

/// Lower-case hexadecimal.
impl fmt::Display for BodyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// A secret access key. Its text never shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The HMAC of `text` under the key that `secret` has on that day, in that region, for that service.
fn signature(secret: &Secret, scope: &Scope<'_>, text: &str) -> Hmac<Sha256> {
    let day = authenticate(format!("AWS4{}", secret.0).as_bytes(), scope.date);
    let region = authenticate(&day, scope.region);
    let service = authenticate(&region, scope.service);
    let key = authenticate(&service, scope::TERMINATOR);
    keyed(&key, text)
}

fn authenticate(key: &[u8], text: &str) -> [u8; 32] {
    keyed(key, text).finalize().into_bytes().into()
}

fn keyed(key: &[u8], text: &str) -> Hmac<Sha256> {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    hmac.update(text.as_bytes());
    hmac
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)] as char);
        text.push(DIGITS[usize::from(byte & 15)] as char);
    }
    text
}

#[cfg(test)]
mod tests;
