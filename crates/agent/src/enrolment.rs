//! Enrolment: how a host becomes an instance, and how its agent keeps and changes its key.
//!
//! **Invariant:** the key is made here and stays here: nobody is sent it.
//!
//! **Invariant:** `identity.json` is replaced whole: at every moment it holds the key that the server knows, or both of
//! the two that it may know.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use api::agent::{Register, RegisterAnswer};
use base::Timestamp;
use identity::{KeyPair, PublicKey, Statement};
use serde::{Deserialize, Serialize};

use crate::host;
use crate::journal::{Identity, Journal};
use crate::link::Address;
use crate::tls::{self, Trust};

/// What the agent knows since it registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    pub server_url: String,
    pub account: String,
    pub region: String,
    /// The server's: nobody else is spoken with.
    pub server_key: String,
    pub trust: Trust,
    /// What people call this agent.
    #[serde(default)]
    pub name: Option<String>,
    pub key: Secret,
    pub key_since: Timestamp,
    /// The key after this one, until the server has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_key: Option<Secret>,
}

/// A private key as text. Never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    pub fn of(pair: &KeyPair) -> Secret {
        Secret(pair.pkcs8().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// None when the file was tampered with.
    pub fn pair(&self) -> Option<KeyPair> {
        let bytes: Option<Vec<u8>> =
            (0..self.0.len()).step_by(2).map(|at| u8::from_str_radix(self.0.get(at..at + 2)?, 16).ok()).collect();
        KeyPair::from_pkcs8(&bytes?).ok()
    }
}

/// What an operator types on a host.
#[derive(Debug, Clone)]
pub struct Enrol {
    pub server_url: String,
    pub activation_id: String,
    pub activation_code: String,
    /// The fingerprint of the server's key, where the operator knows it.
    pub server_key: Option<String>,
    /// Certificates of the authority that vouches for the server, in PEM.
    pub ca: Option<String>,
    pub region: Option<String>,
    pub name: Option<String>,
    pub data_dir: PathBuf,
    /// Whether to become another instance where this one is one already.
    pub force: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    pub instance_id: String,
    pub account: String,
    pub region: String,
    /// The fingerprint of the server's key.
    pub server_key: String,
}

/// Why a host did not register.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    #[error("use the server's address {url:?}: {reason}")]
    ServerUrl { url: String, reason: &'static str },
    #[error("register {}: it is registered as {instance_id}; --force makes it another instance", data.display())]
    Registered { instance_id: String, data: PathBuf },
    #[error("open the agent's directory {}", data.display())]
    Data { data: PathBuf, source: io::Error },
    #[error("reach {url}")]
    Reach { url: String, source: io::Error },
    #[error("trust the server: its key is {found}, not {wanted}")]
    OtherServer { wanted: String, found: String },
    #[error("trust the server: what it answers is not signed with its key")]
    Unsigned,
    #[error("register: the activation is of the region {found}, not {wanted}")]
    OtherRegion { wanted: String, found: String },
    /// In the server's own words.
    #[error("register: {0}")]
    Refused(String),
}

/// The file that asks a running agent for a new key.
pub const ROTATE_REQUEST: &str = "rotate-key";

/// Makes this host an instance of the server's.
pub async fn register(enrol: Enrol) -> Result<Enrolled, EnrolError> {
    let address = Address::parse(&enrol.server_url)
        .map_err(|reason| EnrolError::ServerUrl { url: enrol.server_url.clone(), reason })?;
    let on_disk = |source| EnrolError::Data { data: enrol.data_dir.clone(), source };
    let before: Option<Identity> = crate::journal::read_json(&enrol.data_dir.join("identity.json")).map_err(on_disk)?;
    if let Some(Identity { instance_id, registration: Some(_), .. }) = before
        && !enrol.force
    {
        return Err(EnrolError::Registered { instance_id, data: enrol.data_dir.clone() });
    }
    let (journal, _lock) = Journal::open(&enrol.data_dir, String::new()).map_err(on_disk)?;
    // Who asks again with the same key becomes the same instance: an answer that was lost costs no registration.
    let pair = pending_key(&enrol.data_dir, &enrol.activation_id).map_err(on_disk)?;
    let trust = trust(&enrol);
    let answer = ask(&address, &trust, &enrol, &pair).await?;
    let server = check(&answer, &enrol, &pair)?;
    let registered = answer.registered;
    let registration = Registration {
        server_url: enrol.server_url.clone(),
        account: registered.account.clone(),
        region: registered.region.clone(),
        server_key: answer.server_key.clone(),
        trust,
        name: enrol.name.clone(),
        key: Secret::of(&pair),
        key_since: host::now(),
        next_key: None,
    };
    let identity =
        Identity { instance_id: registered.instance_id.clone(), incarnation: 0, registration: Some(registration) };
    journal.keep_identity(&identity).map_err(on_disk)?;
    let _left = fs::remove_file(pending_path(&enrol.data_dir));
    Ok(Enrolled {
        instance_id: registered.instance_id,
        account: registered.account,
        region: registered.region,
        server_key: server.fingerprint(),
    })
}

fn trust(enrol: &Enrol) -> Trust {
    match (&enrol.ca, &enrol.server_key) {
        (Some(ca), _) => Trust::Authority(ca.clone()),
        (None, Some(fingerprint)) => Trust::Key(fingerprint.clone()),
        (None, None) => Trust::System,
    }
}

/// The facts about this host that a server is told when it registers, with the key that it will prove itself by.
pub fn facts(pair: &KeyPair, name: Option<&str>) -> Register {
    let (platform_name, platform_version) = host::platform();
    Register {
        activation_id: String::new(),
        activation_code: String::new(),
        public_key: pair.public().to_string(),
        machine: host::machine(),
        name: name.map_or_else(host::computer_name, str::to_owned),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        platform_type: "Linux".to_owned(),
        platform_name,
        platform_version,
        computer_name: host::computer_name(),
    }
}

async fn ask(address: &Address, trust: &Trust, enrol: &Enrol, pair: &KeyPair) -> Result<RegisterAnswer, EnrolError> {
    let register = Register {
        activation_id: enrol.activation_id.clone(),
        activation_code: enrol.activation_code.clone(),
        ..facts(pair, enrol.name.as_deref())
    };
    let body = serde_json::to_vec(&register).expect("a wire type has a text");
    let reached = tls::post(address, trust, api::agent::REGISTER_PATH, body).await;
    let (ok, body) = reached.map_err(|source| EnrolError::Reach { url: enrol.server_url.clone(), source })?;
    let strange = || EnrolError::Refused("what the server answers is no answer: is it a Dandori server?".to_owned());
    match ok {
        true => serde_json::from_slice(&body).map_err(|_| strange()),
        false => {
            let error: api::Error = serde_json::from_slice(&body).map_err(|_| strange())?;
            Err(EnrolError::Refused(error.message))
        }
    }
}

/// The server's key, when it is the one that was expected and has signed.
fn check(answer: &RegisterAnswer, enrol: &Enrol, pair: &KeyPair) -> Result<PublicKey, EnrolError> {
    let server = PublicKey::parse(&answer.server_key).map_err(|_| EnrolError::Unsigned)?;
    if let Some(wanted) = enrol.server_key.as_ref().filter(|wanted| **wanted != server.fingerprint()) {
        return Err(EnrolError::OtherServer { wanted: wanted.clone(), found: server.fingerprint() });
    }
    let registered = &answer.registered;
    let statement = Statement::Registration {
        agent: pair.public(),
        instance_id: &registered.instance_id,
        account: &registered.account,
        region: &registered.region,
    };
    if !server.verifies(&statement, &answer.signature) {
        return Err(EnrolError::Unsigned);
    }
    match enrol.region.as_ref().filter(|wanted| **wanted != registered.region) {
        Some(wanted) => Err(EnrolError::OtherRegion { wanted: wanted.clone(), found: registered.region.clone() }),
        None => Ok(server),
    }
}

/// A key on its way: kept before it is shown, for one activation.
#[derive(Serialize, Deserialize)]
struct Pending {
    activation_id: String,
    key: Secret,
}

fn pending_path(data: &Path) -> PathBuf {
    data.join("registering.json")
}

fn pending_key(data: &Path, activation_id: &str) -> io::Result<KeyPair> {
    let path = pending_path(data);
    let kept: Option<Pending> = crate::journal::read_json(&path)?;
    let kept = kept.filter(|pending| pending.activation_id == activation_id).and_then(|pending| pending.key.pair());
    if let Some(pair) = kept {
        return Ok(pair);
    }
    let pair = KeyPair::generate();
    let pending = Pending { activation_id: activation_id.to_owned(), key: Secret::of(&pair) };
    crate::journal::replace(&path, &crate::journal::to_json(&pending)?)?;
    Ok(pair)
}

/// Registers the agent of a server in the server's own process: `admit` makes the instance known there. The identity is
/// kept in `data`, for the agent that is run next.
pub async fn register_inside<E>(
    data: &Path,
    inside: Inside,
    admit: impl AsyncFnOnce(String, Register) -> Result<(), E>,
) -> Result<(), EnrolInsideError<E>> {
    let (journal, _lock) =
        crate::run::open_journal(data, "").await.map_err(|error| EnrolInsideError::Data(io::Error::other(error)))?;
    let before = journal.identity().map_err(EnrolInsideError::Data)?;
    let (kept_id, incarnation, kept) = match before {
        Some(before) => (Some(before.instance_id), before.incarnation, before.registration),
        None => (None, 0, None),
    };
    let made_up = || api::agent::made_up_instance_id(host::random().unwrap_or(0), host::random().unwrap_or(0));
    let instance_id = kept_id.or(inside.instance_id).unwrap_or_else(made_up);
    let kept = kept.filter(|kept| (&kept.account, &kept.region) == (&inside.account, &inside.region));
    let key = kept.as_ref().and_then(|kept| kept.key.pair()).unwrap_or_else(KeyPair::generate);
    let registration = Registration {
        server_url: inside.server_url,
        account: inside.account,
        region: inside.region,
        server_key: inside.server_key.to_string(),
        trust: Trust::Key(inside.server_key.fingerprint()),
        name: inside.name.clone(),
        key: Secret::of(&key),
        key_since: kept.as_ref().map_or_else(host::now, |kept| kept.key_since),
        next_key: kept.and_then(|kept| kept.next_key),
    };
    let identity = Identity { instance_id: instance_id.clone(), incarnation, registration: Some(registration) };
    // Kept before it is shown: a key that is known and lost would shut this agent out.
    journal.keep_identity(&identity).map_err(EnrolInsideError::Data)?;
    admit(instance_id, facts(&key, inside.name.as_deref())).await.map_err(EnrolInsideError::Refused)
}

/// The agent inside a server.
#[derive(Debug, Clone)]
pub struct Inside {
    pub server_url: String,
    pub server_key: PublicKey,
    pub account: String,
    pub region: String,
    /// Made up, and kept, when none is given.
    pub instance_id: Option<String>,
    pub name: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum EnrolInsideError<E> {
    #[error("keep the agent's identity")]
    Data(#[source] io::Error),
    #[error("register the agent inside")]
    Refused(#[source] E),
}

/// Asks the agent that has this directory, now or at its next start, for a new key.
pub fn request_rotation(data: &Path) -> io::Result<()> {
    fs::write(data.join(ROTATE_REQUEST), b"")
}

/// Whether a rotation was asked for and has not ended.
pub fn rotation_requested(data: &Path) -> bool {
    data.join(ROTATE_REQUEST).exists()
}

/// Whether a registered agent has this directory.
pub fn is_registered(data: &Path) -> io::Result<bool> {
    let identity: Option<Identity> = crate::journal::read_json(&data.join("identity.json"))?;
    Ok(identity.is_some_and(|identity| identity.registration.is_some()))
}
