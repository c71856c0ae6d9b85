//! What is kept secret on the disk: sealed with AES-256-GCM, under a key of its account.
//!
//! There is one master key. From it each account's key is derived (HKDF-SHA256), and what is sealed is tied to its place:
//! the ARN and the version are authenticated with it, so that a sealed text that was put elsewhere does not open.
//!
//! **Invariant:** nothing that holds a plain text or a key can be printed.

use std::fmt;
use std::sync::Arc;

use base::{Arn, Secret};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use serde::{Deserialize, Serialize};

/// From which all keys are derived: whoever has it, and the store, can read every secret.
#[derive(Clone)]
pub struct MasterKey([u8; MASTER_KEY_BYTES]);

const MASTER_KEY_BYTES: usize = 32;

/// Keeps keys for one purpose apart from those for another.
const PURPOSE: &[u8] = b"dandori secrets";

/// The form of sealed texts: this byte, the master key's name, the nonce, the encrypted text with its tag.
const FORM: u8 = 1;
const KEY_NAME_BYTES: usize = 4;

/// A secret as it is kept: in base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Sealed(Arc<str>);

/// Where a sealed text belongs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) arn: &'a str,
    pub(crate) version: u64,
}

/// Why a sealed text did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    OtherKey,
    Damaged,
}

/// Seals and opens.
pub(crate) struct Vault {
    prk: Prk,
    /// Tells this master key from another; says nothing about it.
    key_name: [u8; KEY_NAME_BYTES],
}

impl MasterKey {
    pub fn random() -> MasterKey {
        let mut bytes = [0; MASTER_KEY_BYTES];
        fill(&mut bytes);
        MasterKey(bytes)
    }

    /// Reads what [`MasterKey::to_text`] wrote.
    pub fn parse(text: &str) -> Option<MasterKey> {
        let bytes = STANDARD.decode(text.trim()).ok()?;
        Some(MasterKey(bytes.try_into().ok()?))
    }

    pub fn to_text(&self) -> Secret {
        Secret::new(STANDARD.encode(self.0))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(..)")
    }
}

impl Vault {
    pub(crate) fn new(master: &MasterKey) -> Vault {
        let prk = Salt::new(HKDF_SHA256, PURPOSE).extract(&master.0);
        let mut key_name = [0; KEY_NAME_BYTES];
        prk.expand(&[b"name"], Length(KEY_NAME_BYTES))
            .and_then(|name| name.fill(&mut key_name))
            .expect("HKDF gives so few bytes");
        Vault { prk, key_name }
    }

    pub(crate) fn seal(&self, place: Place<'_>, text: &Secret) -> Sealed {
        let mut nonce = [0; NONCE_LEN];
        fill(&mut nonce);
        let mut sealed = text.expose().as_bytes().to_vec();
        self.key_of(place)
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), place.authenticated(), &mut sealed)
            .expect("a text of this length can be sealed");
        let mut bytes = vec![FORM];
        bytes.extend(self.key_name);
        bytes.extend(nonce);
        bytes.extend(sealed);
        Sealed(STANDARD.encode(bytes).into())
    }

    pub(crate) fn open(&self, place: Place<'_>, sealed: &Sealed) -> Result<Secret, Closed> {
        let bytes = STANDARD.decode(&*sealed.0).map_err(|_| Closed::Damaged)?;
        let (&form, rest) = bytes.split_first().ok_or(Closed::Damaged)?;
        let (key_name, rest) = rest.split_first_chunk::<KEY_NAME_BYTES>().ok_or(Closed::Damaged)?;
        let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>().ok_or(Closed::Damaged)?;
        if form != FORM {
            return Err(Closed::Damaged);
        }
        if *key_name != self.key_name {
            return Err(Closed::OtherKey);
        }
        let mut text = text.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.key_of(place).open_in_place(nonce, place.authenticated(), &mut text);
        let opened = opened.map_err(|_| Closed::Damaged)?;
        std::str::from_utf8(opened).map(Secret::new).map_err(|_| Closed::Damaged)
    }

    fn key_of(&self, place: Place<'_>) -> LessSafeKey {
        let account = Arn::parse(place.arn).map_or("", |arn| arn.account);
        let info = [b"account ", account.as_bytes()];
        let key = self.prk.expand(&info, &AES_256_GCM).expect("HKDF gives a key's bytes");
        LessSafeKey::new(UnboundKey::from(key))
    }
}

impl Sealed {
    pub(crate) fn text(&self) -> &Arc<str> {
        &self.0
    }
}

impl Place<'_> {
    fn authenticated(&self) -> Aad<Vec<u8>> {
        // No version holds a line's end: no two places are one text.
        Aad::from(format!("{}\n{}", self.version, self.arn).into_bytes())
    }
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system gives random bits");
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place<'_> = Place { arn: "arn:aws:ssm:us-east-1:111111111111:parameter/a", version: 1 };

    #[test]
    fn what_was_sealed_opens_in_its_place_only() {
        let vault = Vault::new(&MasterKey::random());
        let sealed = vault.seal(HERE, &Secret::new("canary"));
        assert_eq!(vault.open(HERE, &sealed), Ok(Secret::new("canary")));
        let elsewhere = [
            Place { version: 2, ..HERE },
            Place { arn: "arn:aws:ssm:us-east-1:111111111111:parameter/b", ..HERE },
            Place { arn: "arn:aws:ssm:us-west-2:111111111111:parameter/a", ..HERE },
            Place { arn: "arn:aws:ssm:us-east-1:222222222222:parameter/a", ..HERE },
        ];
        for place in elsewhere {
            assert_eq!(vault.open(place, &sealed), Err(Closed::Damaged), "{place:?}");
        }
    }

    #[test]
    fn the_same_text_is_sealed_otherwise_each_time() {
        let vault = Vault::new(&MasterKey::random());
        let text = Secret::new("canary");
        assert_ne!(vault.seal(HERE, &text), vault.seal(HERE, &text));
    }

    #[test]
    fn another_key_and_damage_are_told_apart() {
        let vault = Vault::new(&MasterKey::random());
        let sealed = vault.seal(HERE, &Secret::new("canary"));
        assert_eq!(Vault::new(&MasterKey::random()).open(HERE, &sealed), Err(Closed::OtherKey));
        for at in 0..sealed.0.len() {
            let mut text = sealed.0.to_string().into_bytes();
            text[at] = if text[at] == b'A' { b'B' } else { b'A' };
            let text = String::from_utf8(text).expect("ASCII");
            assert!(vault.open(HERE, &Sealed(text.as_str().into())).is_err(), "{at}");
            assert!(vault.open(HERE, &Sealed(sealed.0[..at].into())).is_err(), "{at}");
        }
    }

    #[test]
    fn a_master_key_is_written_and_read() {
        let key = MasterKey::random();
        let vault = Vault::new(&key);
        let sealed = vault.seal(HERE, &Secret::new("canary"));
        let read = MasterKey::parse(&format!("{}\n", key.to_text().expose())).expect("a key");
        assert_eq!(Vault::new(&read).open(HERE, &sealed), Ok(Secret::new("canary")));
        for garbage in ["", "AAAA", "!", &"A".repeat(64)] {
            assert!(MasterKey::parse(garbage).is_none(), "{garbage}");
        }
    }

    #[test]
    fn no_key_is_printed() {
        let key = MasterKey::random();
        assert_eq!(format!("{key:?} {:?}", Vault::new(&key)), "MasterKey(..) Vault(..)");
    }
}
