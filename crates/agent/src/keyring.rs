//! The keyring of a running agent: which key proves it, and how the next takes its place.
//!
//! **Invariant:** a key is forgotten only when the server has taken the one after it. Until then both are tried in turn.

use std::io;
use std::time::Duration;

use api::agent::{Credentials, Proof, RotateKey};
use base::Timestamp;
use identity::{KeyPair, Statement};

use crate::enrolment::Secret;
use crate::journal::{Identity, Journal};
use crate::link::Met;

/// How long a key is used before the agent makes another.
pub const KEY_AGE_MAX_DEFAULT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Who the agent is, and what it can show for it.
#[derive(Debug)]
pub(crate) struct Keyring {
    identity: Identity,
    /// Drawn at this start.
    life: String,
    /// The agent that never registered comes on behalf of this account and region.
    on_behalf: Option<(String, String)>,
    /// Whether the next key is shown in place of the present one.
    shows_next: bool,
}

impl Keyring {
    pub(crate) fn new(identity: Identity, life: String, on_behalf: Option<(String, String)>) -> Keyring {
        Keyring { identity, life, on_behalf, shows_next: false }
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What goes into a hello of this connection.
    pub(crate) fn credentials(&self, met: Option<&Met>) -> Option<Credentials> {
        let Some(registration) = &self.identity.registration else {
            let (account, region) = self.on_behalf.clone()?;
            return Some(Credentials { account, region, life: self.life.clone(), proof: None });
        };
        let (account, region) = (registration.account.clone(), registration.region.clone());
        let proof = met.and_then(|met| {
            let key = self.shown()?;
            let statement = Statement::Hello {
                session: met.session,
                server: met.server,
                instance_id: &self.identity.instance_id,
                account: &account,
                region: &region,
                incarnation: self.identity.incarnation,
            };
            Some(Proof { key: key.public().to_string(), signature: key.sign(&statement) })
        });
        Some(Credentials { account, region, life: self.life.clone(), proof })
    }

    fn shown(&self) -> Option<KeyPair> {
        let registration = self.identity.registration.as_ref()?;
        let next = registration.next_key.as_ref().filter(|_| self.shows_next);
        next.unwrap_or(&registration.key).pair()
    }

    /// The server takes no agent with what was shown: it may know the other key.
    pub(crate) fn refused(&mut self) {
        let has_next = self.identity.registration.as_ref().is_some_and(|registration| registration.next_key.is_some());
        self.shows_next = has_next && !self.shows_next;
    }

    /// The server has let us in with what was shown.
    pub(crate) fn welcomed(&mut self, journal: &Journal, now: Timestamp) -> io::Result<()> {
        if self.shows_next { self.promote(journal, now) } else { Ok(()) }
    }

    /// The server has taken this key.
    pub(crate) fn rotated(&mut self, public_key: &str, journal: &Journal, now: Timestamp) -> io::Result<()> {
        let next = self.identity.registration.as_ref().and_then(|registration| registration.next_key.as_ref()?.pair());
        match next.is_some_and(|next| next.public().to_string() == public_key) {
            true => self.promote(journal, now),
            false => Ok(()),
        }
    }

    fn promote(&mut self, journal: &Journal, now: Timestamp) -> io::Result<()> {
        let mut identity = self.identity.clone();
        if let Some(registration) = &mut identity.registration
            && let Some(next) = registration.next_key.take()
        {
            (registration.key, registration.key_since) = (next, now);
        }
        journal.keep_identity(&identity)?;
        (self.identity, self.shows_next) = (identity, false);
        journal.rotation_ended()?;
        tracing::info!("this agent has a new key");
        Ok(())
    }

    /// Makes the next key where it is time for one, or was asked for.
    pub(crate) fn prepare(&mut self, journal: &Journal, now: Timestamp, age_max: Duration) -> io::Result<()> {
        let Some(registration) = &self.identity.registration else { return Ok(()) };
        let age = now.0.saturating_sub(registration.key_since.0);
        let old = u128::try_from(age).is_ok_and(|age| age > age_max.as_millis());
        if registration.next_key.is_some() || !(old || journal.rotation_requested()) {
            return Ok(());
        }
        let mut identity = self.identity.clone();
        if let Some(registration) = &mut identity.registration {
            registration.next_key = Some(Secret::of(&KeyPair::generate()));
        }
        journal.keep_identity(&identity)?;
        self.identity = identity;
        Ok(())
    }

    /// What names the next key, where there is one.
    pub(crate) fn rotation(&self, met: &Met) -> Option<RotateKey> {
        let registration = self.identity.registration.as_ref().filter(|_| !self.shows_next)?;
        let (key, next) = (registration.key.pair()?, registration.next_key.as_ref()?.pair()?);
        let statement =
            Statement::Rotation { session: met.session, instance_id: &self.identity.instance_id, next: next.public() };
        Some(RotateKey {
            key: key.public().to_string(),
            next: next.public().to_string(),
            signature: key.sign(&statement),
        })
    }
}
