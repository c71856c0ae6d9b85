//! Who is who between a server and its agents: a key pair on each side, and the texts that they sign.
//!
//! ```text
//! agent                                                       server
//!   connects, with a nonce of its own                     ──►
//!                    ◄── Challenge { nonce, key, signature over both nonces }
//!   (is that the key that I know? only then:)
//!   Hello { …, proof: signature over both nonces and who it is }  ──►
//! ```
//!
//! **Invariant:** what is signed for one purpose is of no use for another: each text begins with its purpose, and every
//! part with its length.
//!
//! **Invariant:** no clock is involved: a nonce that was drawn for this connection makes a signature of this connection.
//!
//! **It does not know** where keys are kept, nor what an instance is.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::digest::{SHA256, digest as hashed};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

/// A key pair for Ed25519 (RFC 8032).
pub struct KeyPair {
    pair: Ed25519KeyPair,
    document: Vec<u8>,
}

/// The half of a key pair that everybody may know.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

/// What was drawn for one connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Nonce([u8; 32]);

/// The two nonces of one connection: signatures over them are of this connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    pub agent: Nonce,
    pub server: Nonce,
}

/// What can be signed.
#[derive(Debug, Clone, Copy)]
pub enum Statement<'a> {
    /// By the server: I am here, in this connection.
    Challenge { session: Session },
    /// By an agent: I am this instance, in this connection with this server.
    Hello {
        session: Session,
        server: PublicKey,
        instance_id: &'a str,
        account: &'a str,
        region: &'a str,
        incarnation: u64,
    },
    /// By an agent's present key: this one comes after me.
    Rotation { session: Session, instance_id: &'a str, next: PublicKey },
    /// By the server: this message is for this instance, the so many-th that was signed in this connection.
    Message { session: Session, instance_id: &'a str, number: u64, text: &'a str },
    /// By the server: whoever has this key is this instance.
    Registration { agent: PublicKey, instance_id: &'a str, account: &'a str, region: &'a str },
}

/// No key has this form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAKey;

impl fmt::Display for NotAKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a key of Ed25519")
    }
}

impl std::error::Error for NotAKey {}

impl KeyPair {
    /// Draws a new one.
    pub fn generate() -> KeyPair {
        let document =
            Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("the operating system gives random bits");
        KeyPair::from_pkcs8(document.as_ref()).expect("a key that was just made is one")
    }

    /// Reads what [`KeyPair::pkcs8`] gave.
    pub fn from_pkcs8(document: &[u8]) -> Result<KeyPair, NotAKey> {
        let pair = Ed25519KeyPair::from_pkcs8(document).map_err(|_| NotAKey)?;
        Ok(KeyPair { pair, document: document.to_vec() })
    }

    /// The secret, as it is kept (RFC 8410).
    pub fn pkcs8(&self) -> &[u8] {
        &self.document
    }

    pub fn public(&self) -> PublicKey {
        let bytes = self.pair.public_key().as_ref();
        PublicKey(bytes.try_into().expect("a public key of Ed25519 has 32 bytes"))
    }

    /// The signature as text.
    pub fn sign(&self, statement: &Statement<'_>) -> String {
        BASE64.encode(self.pair.sign(&statement.bytes()))
    }
}

/// A secret is never printed.
impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyPair").field(&self.public()).finish()
    }
}

/// What stands before the 32 bytes of a public key in its `SubjectPublicKeyInfo` (RFC 8410).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

impl PublicKey {
    /// Reads the text that [`PublicKey`] is shown as.
    pub fn parse(text: &str) -> Result<PublicKey, NotAKey> {
        Ok(PublicKey(bytes_of(text).ok_or(NotAKey)?))
    }

    /// As certificates hold it.
    pub fn spki(&self) -> Vec<u8> {
        [SPKI.as_slice(), &self.0].concat()
    }

    /// What people compare: `sha256:` and the hash of [`PublicKey::spki`].
    pub fn fingerprint(&self) -> String {
        fingerprint_of(&self.spki())
    }

    /// Whether this key's owner said so.
    pub fn verifies(&self, statement: &Statement<'_>, signature: &str) -> bool {
        let Ok(signature) = BASE64.decode(signature) else { return false };
        UnparsedPublicKey::new(&ED25519, &self.0).verify(&statement.bytes(), &signature).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fingerprint())
    }
}

impl Nonce {
    pub fn draw() -> Nonce {
        let mut bytes = [0; 32];
        SystemRandom::new().fill(&mut bytes).expect("the operating system gives random bits");
        Nonce(bytes)
    }

    pub fn parse(text: &str) -> Option<Nonce> {
        bytes_of(text).map(Nonce)
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(self.0))
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Statement<'_> {
    fn bytes(&self) -> Vec<u8> {
        let mut out = vec![];
        let mut part = |bytes: &[u8]| {
            out.extend((bytes.len() as u64).to_be_bytes());
            out.extend(bytes);
        };
        let in_session = |part: &mut dyn FnMut(&[u8]), session: &Session| {
            part(&session.agent.0);
            part(&session.server.0);
        };
        match self {
            Statement::Challenge { session } => {
                part(b"dandori agent challenge 1");
                in_session(&mut part, session);
            }
            Statement::Hello { session, server, instance_id, account, region, incarnation } => {
                part(b"dandori agent hello 1");
                in_session(&mut part, session);
                part(&server.0);
                part(instance_id.as_bytes());
                part(account.as_bytes());
                part(region.as_bytes());
                part(&incarnation.to_be_bytes());
            }
            Statement::Rotation { session, instance_id, next } => {
                part(b"dandori agent rotation 1");
                in_session(&mut part, session);
                part(instance_id.as_bytes());
                part(&next.0);
            }
            Statement::Message { session, instance_id, number, text } => {
                part(b"dandori agent message 1");
                in_session(&mut part, session);
                part(instance_id.as_bytes());
                part(&number.to_be_bytes());
                part(text.as_bytes());
            }
            Statement::Registration { agent, instance_id, account, region } => {
                part(b"dandori agent registration 1");
                part(&agent.0);
                part(instance_id.as_bytes());
                part(account.as_bytes());
                part(region.as_bytes());
            }
        }
        out
    }
}

/// `sha256:` and the hash in hexadecimal digits.
pub fn fingerprint_of(bytes: &[u8]) -> String {
    format!("sha256:{}", digest(bytes))
}

/// SHA-256 in hexadecimal digits.
pub fn digest(bytes: &[u8]) -> String {
    hashed(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether two secrets are the same, in a time that tells nothing about where they differ.
pub fn same(one: &str, other: &str) -> bool {
    let differs = one.bytes().zip(other.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b));
    one.len() == other.len() && std::hint::black_box(differs) == 0
}

fn bytes_of(text: &str) -> Option<[u8; 32]> {
    BASE64.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session { agent: Nonce([1; 32]), server: Nonce([2; 32]) }
    }

    #[test]
    fn a_signature_is_of_one_text_and_one_key() {
        let (pair, other) = (KeyPair::generate(), KeyPair::generate());
        let session = session();
        let turned = Session { agent: session.server, server: session.agent };
        let hello = |instance_id, incarnation| Statement::Hello {
            session,
            server: other.public(),
            instance_id,
            account: "111111111111",
            region: "us-east-1",
            incarnation,
        };
        let signature = pair.sign(&hello("mi-1", 1));
        assert!(pair.public().verifies(&hello("mi-1", 1), &signature));
        assert!(!other.public().verifies(&hello("mi-1", 1), &signature));
        for statement in [hello("mi-2", 1), hello("mi-1", 2), Statement::Challenge { session }] {
            assert!(!pair.public().verifies(&statement, &signature), "{statement:?}");
        }
        let challenge = pair.sign(&Statement::Challenge { session });
        assert!(!pair.public().verifies(&Statement::Challenge { session: turned }, &challenge));
        for garbage in ["", "AAAA", "あ", &challenge[..challenge.len() - 4]] {
            assert!(!pair.public().verifies(&Statement::Challenge { session }, garbage), "{garbage}");
        }
    }

    #[test]
    fn a_key_that_is_kept_is_the_same_key() {
        let pair = KeyPair::generate();
        let again = KeyPair::from_pkcs8(pair.pkcs8()).expect("a key");
        assert_eq!(again.public(), pair.public());
        assert_eq!(PublicKey::parse(&pair.public().to_string()), Ok(pair.public()));
        assert_eq!(PublicKey::parse("AAAA"), Err(NotAKey));
        assert!(KeyPair::from_pkcs8(b"no key").is_err());
        assert_eq!(pair.public().spki().len(), 44);
        assert!(!format!("{pair:?}").contains(&BASE64.encode(pair.pkcs8())));
    }

    #[test]
    fn parts_cannot_be_shifted_into_each_other() {
        let of = |account, region| {
            Statement::Registration { agent: PublicKey([3; 32]), instance_id: "mi-1", account, region }.bytes()
        };
        assert_ne!(of("12", "3"), of("1", "23"));
    }

    #[test]
    fn secrets_are_compared_whole() {
        assert!(same("abc", "abc"));
        assert!(!same("abc", "abd") && !same("abc", "ab") && !same("", "a"));
    }
}
