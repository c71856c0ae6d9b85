//! Instants are RFC 3339 texts in UTC with milliseconds: `2026-11-23T03:00:00.000Z`.

use base::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

pub fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(at)
}

pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
    Timestamp::parse_rfc3339(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is not an instant in RFC 3339")))
}

/// The same where there may be none.
pub mod option {
    use super::*;

    pub fn serialize<S: Serializer>(at: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => to.collect_str(at),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
        #[derive(Deserialize)]
        struct Present(#[serde(with = "super")] Timestamp);
        Ok(Option::<Present>::deserialize(from)?.map(|present| present.0))
    }
}
