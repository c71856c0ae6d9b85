//! Who asks, and what is meant.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::time::Timestamp;

/// The identity of one durable value, derived from its name: the first 16 bytes of the name's SHA-256.
///
/// Starting the same named execution twice therefore meets itself, with no lock and no index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Id(pub u128);

impl Id {
    /// `kind` keeps values of different kinds apart even where their names are equal.
    pub fn of(kind: &str, name: &str) -> Id {
        let mut hash = Sha256::new();
        hash.update(kind.as_bytes());
        hash.update([0]);
        hash.update(name.as_bytes());
        let digest = hash.finalize();
        let mut first = [0; 16];
        first.copy_from_slice(&digest[..16]);
        Id(u128::from_be_bytes(first))
    }

    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    pub fn from_bytes(bytes: [u8; 16]) -> Id {
        Id(u128::from_be_bytes(bytes))
    }

    /// Written as a UUID of version 7 (RFC 9562): 48 bits of time, then 74 of these. Names made at one time are
    /// neighbours in the store, which makes them cheap to add.
    pub fn to_uuid_at(self, at: Timestamp) -> String {
        let millis = u128::from(at.0.unsigned_abs() & 0xffff_ffff_ffff);
        let (high, low) = (self.0 >> 62 & 0xfff, self.0 & (!0 >> 66));
        hyphenated(millis << 80 | 0x7 << 76 | high << 64 | 0x2 << 62 | low)
    }

    /// Written as a version 4 UUID, for names that AWS would make up.
    pub fn to_uuid(self) -> String {
        let version = (self.0 & !(0xf << 76)) | (0x4 << 76);
        let variant = (version & !(0x3 << 62)) | (0x2 << 62);
        hyphenated(variant)
    }
}

fn hyphenated(bits: u128) -> String {
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// An AWS account: 12 digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(pub Arc<str>);

/// An AWS region, as in `us-east-1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RegionName(pub Arc<str>);

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for RegionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// On whose behalf something is asked: the account of the access key and the region of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub account: AccountId,
    pub region: RegionName,
}

impl Caller {
    pub fn new(account: &str, region: &str) -> Caller {
        Caller { account: AccountId(account.into()), region: RegionName(region.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_depends_on_kind_and_name() {
        assert_eq!(Id::of("execution", "a"), Id::of("execution", "a"));
        assert_ne!(Id::of("execution", "a"), Id::of("machine", "a"));
        let id = Id::of("execution", "a");
        assert_eq!(Id::from_bytes(id.to_bytes()), id);
        assert_eq!(Id(0).to_uuid(), "00000000-0000-4000-8000-000000000000");
        assert_eq!(Id(u128::MAX).to_uuid(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
