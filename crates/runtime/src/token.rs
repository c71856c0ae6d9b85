//! Pagination tokens: opaque to the client, tied to the question that they continue.

use base::{Id, Timestamp};

use crate::refusal::Refusal;

/// How long a token may be used, in milliseconds (`ListExecutions`, nextToken: 24 hours).
const VALID_MS: i64 = 24 * 60 * 60 * 1000;

/// A token that continues `question` (whatever tells one list from another) after `place`.
pub(crate) fn write(question: &str, place: &[u8], now: Timestamp) -> String {
    let mut bytes = now.0.to_be_bytes().to_vec();
    bytes.extend(place);
    let seal = seal(question, &bytes);
    bytes.extend(seal);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The place after which `token` continues.
pub(crate) fn read(question: &str, token: &str, now: Timestamp) -> Result<Vec<u8>, Refusal> {
    let bytes = unhex(token).ok_or(Refusal::InvalidToken)?;
    let (body, end) = bytes.split_last_chunk::<16>().ok_or(Refusal::InvalidToken)?;
    let (at, place) = body.split_first_chunk::<8>().ok_or(Refusal::InvalidToken)?;
    let age = now.0.saturating_sub(i64::from_be_bytes(*at));
    if seal(question, body) != *end || age > VALID_MS {
        return Err(Refusal::InvalidToken);
    }
    Ok(place.to_vec())
}

/// Not a secret: it keeps a token from being used with another question by mistake.
fn seal(question: &str, body: &[u8]) -> [u8; 16] {
    let body: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
    Id::of("token", &format!("{question}/{body}")).to_bytes()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_continues_its_own_question() {
        let token = write("list a", b"place", Timestamp(1000));
        assert_eq!(read("list a", &token, Timestamp(2000)).expect("valid"), b"place");
        assert!(read("list b", &token, Timestamp(2000)).is_err());
        assert!(read("list a", &token, Timestamp(1001 + VALID_MS)).is_err());
        for garbage in ["", "zz", "あ", "00", &token[2..]] {
            assert!(read("list a", garbage, Timestamp(2000)).is_err(), "{garbage}");
        }
    }
}
