//! The canonical request and the text to sign.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use crate::{ALGORITHM, BodyHash, Request, Scope};

/// Returns the text that is signed. `signed` is in lower case and sorted.
pub(crate) fn text_to_sign(
    request: &Request<'_>,
    signed: &[&str],
    body: &BodyHash,
    scope: &Scope<'_>,
    date: &str,
) -> String {
    let canonical = canonical_request(request, signed, body, scope.service);
    format!("{ALGORITHM}\n{date}\n{}\n{}", scope.text(), crate::hex(&Sha256::digest(canonical.as_bytes())))
}

fn canonical_request(request: &Request<'_>, signed: &[&str], body: &BodyHash, service: &str) -> String {
    let mut text = String::with_capacity(512);
    for line in [request.method, &path(request.path, service), &query(request.query)] {
        text.push_str(line);
        text.push('\n');
    }
    for name in signed {
        text.push_str(name);
        text.push(':');
        text.push_str(&header(request.headers, name));
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&signed.join(";"));
    text.push('\n');
    text.push_str(&body.to_string());
    text
}

/// S3 signs a path as it stands; every other service takes out `.`, `..` and doubled slashes, and encodes what is
/// on the wire once more.
fn path<'a>(path: &'a str, service: &str) -> Cow<'a, str> {
    match path {
        "" => "/".into(),
        "/" => path.into(),
        _ if service == "s3" => path.into(),
        _ => encode(&without_dots(path), b"/").into(),
    }
}

fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    let slash = if path.ends_with('/') && !kept.is_empty() { "/" } else { "" };
    format!("/{}{slash}", kept.join("/"))
}

/// Sorted by name and value. What is escaped needlessly, or not enough, is escaped as the rules say.
fn query(query: &str) -> String {
    if query.is_empty() {
        return String::new();
    }
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (encode_again(name), encode_again(value)))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

fn encode_again(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let byte = match (first, after) {
            (b'%', [high, low, after @ ..]) => match (nibble(*high), nibble(*low)) {
                (Some(high), Some(low)) => {
                    rest = after;
                    high << 4 | low
                }
                _ => b'%',
            },
            (b'+', _) => b' ',
            (byte, _) => *byte,
        };
        bytes.push(byte);
    }
    encode_bytes(&bytes, b"")
}

fn nibble(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

fn encode(text: &str, kept: &[u8]) -> String {
    encode_bytes(text.as_bytes(), kept)
}

fn encode_bytes(bytes: &[u8], kept: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(*byte as char),
            byte if kept.contains(byte) => text.push(*byte as char),
            byte => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

/// The values of all headers of that name, trimmed, with runs of blanks made one.
fn header(headers: &[(&str, &str)], name: &str) -> String {
    let values = headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
    let values: Vec<String> =
        values.map(|(_, value)| value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")).collect();
    values.join(",")
}
