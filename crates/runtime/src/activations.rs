//! Use cases of enrolment: activations, and hosts that register with one.

use api::agent::{Register, Registered};
use base::{Caller, Timestamp, limits};
use bytes::Bytes;
use store::{Direction, IndexKey, IndexRow};

use crate::activation::{self, Given, Terms};
use crate::page::{Page, Paged};
use crate::refusal::{EnrolmentRefusal, Refusal};
use crate::shard::{Ask, Refused, Reply};
use crate::tags::{self, Tags};
use crate::{Runtime, clock, instance, keys, token};

/// `CreateActivation`.
#[derive(Debug, Clone, Default)]
pub struct ActivationCreate {
    pub iam_role: String,
    pub description: Option<String>,
    pub default_instance_name: Option<String>,
    /// 1 when not given.
    pub registration_limit: Option<u32>,
    /// In a day when not given.
    pub expires: Option<Timestamp>,
    pub tags: Vec<(String, String)>,
    pub metadata: Vec<(String, String)>,
}

/// What an operator takes to a host. The code is told this once.
#[derive(Clone, PartialEq, Eq)]
pub struct ActivationCreated {
    pub activation_id: String,
    pub code: String,
    pub expires: Timestamp,
}

/// As `DescribeActivations` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activation {
    pub activation_id: String,
    pub iam_role: String,
    pub description: Option<String>,
    pub default_instance_name: Option<String>,
    pub registration_limit: u32,
    pub registrations: u32,
    pub expires: Timestamp,
    pub expired: bool,
    pub created: Timestamp,
    pub tags: Vec<(String, String)>,
}

/// Which activations are wanted: those for which each of these has one of its values.
#[derive(Debug, Clone, Default)]
pub struct ActivationFilter {
    pub by: Vec<(ActivationKey, Vec<String>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActivationKey {
    ActivationIds,
    DefaultInstanceName,
    IamRole,
}

/// How long an activation may be used when nothing is said, and at most (`CreateActivation`, ExpirationDate).
const EXPIRES_AFTER_MS: i64 = 24 * 60 * 60 * 1000;
const EXPIRES_AFTER_MS_MAX: i64 = 30 * EXPIRES_AFTER_MS;

/// `CreateActivation`, RegistrationLimit.
pub const REGISTRATION_LIMIT_MAX: u32 = 1_000;

/// `CreateActivation`, Response: a code has 20 to 250 characters.
const CODE_CHARS: usize = 20;
const CODE_ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-";

/// Characters of what a host says about itself, each.
const CARD_CHARS_MAX: usize = 256;

/// Rows read at a time.
const ROWS: u32 = 500;

impl std::fmt::Debug for ActivationCreated {
    /// The code is a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ActivationCreated").field("activation_id", &self.activation_id).finish_non_exhaustive()
    }
}

impl ActivationFilter {
    fn has(&self, activation: &Activation) -> bool {
        self.by.iter().all(|(key, values)| {
            let value = match key {
                ActivationKey::ActivationIds => Some(&activation.activation_id),
                ActivationKey::DefaultInstanceName => activation.default_instance_name.as_ref(),
                ActivationKey::IamRole => Some(&activation.iam_role),
            };
            value.is_some_and(|value| values.contains(value))
        })
    }
}

/// An activation's row follows the activation.
pub(crate) fn index(before: Option<&Given>, now: Option<&Given>, step: &mut store::Step) {
    let at = |given: &Given| {
        let caller = Caller::new(&given.terms.account, &given.terms.region);
        let id = keys::activation(&given.terms.activation_id);
        IndexKey { list: keys::activations(&caller), key: keys::newest_first(given.created, id) }
    };
    match (before, now) {
        (_, Some(given)) => {
            let activation = shown(given);
            let row = Row {
                terms: Terms { code_hash: String::new(), ..given.terms.clone() },
                created: given.created,
                registrations: activation.registrations,
            };
            let value = serde_json::to_vec(&row).expect("a row has a text").into();
            step.index_put.push(IndexRow { at: at(given), value });
        }
        (Some(given), None) => step.index_deleted.push(at(given)),
        (None, None) => (),
    }
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Row {
    terms: Terms,
    created: Timestamp,
    registrations: u32,
}

fn shown(given: &Given) -> Activation {
    let registrations = u32::try_from(given.registered.len()).unwrap_or(u32::MAX);
    activation(given.terms.clone(), given.created, registrations)
}

fn activation(terms: Terms, created: Timestamp, registrations: u32) -> Activation {
    Activation {
        activation_id: terms.activation_id,
        iam_role: terms.iam_role,
        description: terms.description,
        default_instance_name: terms.default_instance_name,
        registration_limit: terms.registration_limit,
        registrations,
        expires: terms.expires,
        expired: false,
        created,
        tags: terms.tags,
    }
}

impl Runtime {
    /// Makes an activation, and tells its code this once.
    pub async fn activation_create(
        &self,
        caller: &Caller,
        create: ActivationCreate,
    ) -> Result<ActivationCreated, Refusal> {
        let now = self.inner.world.now();
        let expires = create.expires.unwrap_or(Timestamp(now.0 + EXPIRES_AFTER_MS));
        if !(now.0 < expires.0 && expires.0 <= now.0 + EXPIRES_AFTER_MS_MAX) {
            let why = "ExpirationDate must be in the future, and at most 30 days from now";
            return Err(Refusal::Validation(why.to_owned()));
        }
        let registration_limit = create.registration_limit.unwrap_or(1);
        if !(1..=REGISTRATION_LIMIT_MAX).contains(&registration_limit) {
            return Err(Refusal::Validation(format!("RegistrationLimit must be 1 to {REGISTRATION_LIMIT_MAX}")));
        }
        let tags = tags::with(&[], create.tags);
        if tags.len() > limits::TAGS_MAX {
            return Err(Refusal::Validation(format!("an instance may have {} tags", limits::TAGS_MAX)));
        }
        let (activation_id, code) = (clock::uuid(), made_up_code());
        let terms = Terms {
            activation_id: activation_id.clone(),
            account: caller.account.to_string(),
            region: caller.region.to_string(),
            code_hash: identity::digest(code.as_bytes()),
            iam_role: create.iam_role,
            description: create.description,
            default_instance_name: create.default_instance_name.filter(|name| !name.is_empty()),
            registration_limit,
            expires,
            tags,
            metadata: create.metadata,
        };
        let ask = Ask::Activation(activation::Command::Create(Box::new(terms)));
        self.ask(keys::activation(&activation_id), ask).await?;
        Ok(ActivationCreated { activation_id, code, expires })
    }

    /// Newest first.
    pub async fn activation_list(
        &self,
        caller: &Caller,
        filter: ActivationFilter,
        page: Page,
    ) -> Result<Paged<Activation>, Refusal> {
        let question = format!("activations {} {} {filter:?}", caller.account, caller.region);
        let now = self.inner.world.now();
        let mut after = page.token.map(|token| token::read(&question, &token, now)).transpose()?.map(Bytes::from);
        let mut items = vec![];
        loop {
            let rows = self.store().index(keys::activations(caller), after.clone(), Direction::Forward, ROWS).await?;
            let last = rows.len() < ROWS as usize;
            for row in rows {
                if items.len() == page.limit as usize {
                    let next = after.as_ref().map(|key| token::write(&question, key, now));
                    return Ok(Paged { items, next });
                }
                after = Some(row.at.key.clone());
                let Row { terms, created, registrations } =
                    serde_json::from_slice(&row.value).map_err(Refusal::internal)?;
                let expired = terms.expires <= now;
                let activation = Activation { expired, ..activation(terms, created, registrations) };
                if filter.has(&activation) {
                    items.push(activation);
                }
            }
            if last {
                return Ok(Paged { items, next: None });
            }
        }
    }

    /// Nobody registers with it any more. Who has registered stays.
    pub async fn activation_delete(&self, caller: &Caller, activation_id: &str) -> Result<(), Refusal> {
        let mine = ActivationFilter { by: vec![(ActivationKey::ActivationIds, vec![activation_id.to_owned()])] };
        let page = Page { limit: 1, token: None };
        if self.activation_list(caller, mine, page).await?.items.is_empty() {
            return Err(EnrolmentRefusal::ActivationUnknown.into());
        }
        match self.ask(keys::activation(activation_id), Ask::Activation(activation::Command::Delete)).await {
            Ok(_) => Ok(()),
            Err(refused) => Err(refused.into()),
        }
    }

    /// A host comes with a code: from now on it is an instance, and whoever has its key is that instance. Registering
    /// again with the same key gives the same instance.
    pub async fn agent_register(&self, register: Register) -> Result<Registered, Refusal> {
        identity::PublicKey::parse(&register.public_key)
            .map_err(|error| Refusal::Validation(format!("the public key is {error}")))?;
        let id = keys::activation(&register.activation_id);
        let command = activation::Command::Register {
            code_hash: identity::digest(register.activation_code.as_bytes()),
            registered: activation::Registered {
                key: register.public_key.clone(),
                instance_id: api::agent::made_up_instance_id(clock::entropy(), clock::entropy()),
            },
        };
        // What is not there is as wrong as a wrong code, and takes as long.
        let given = match self.ask(id, Ask::Activation(command)).await {
            Ok(Reply::Activation(Some(given))) => given,
            Ok(_) => return Err(Refusal::Unknown),
            Err(refused) => return Err(refused.into()),
        };
        let terms = &given.terms;
        let instance_id = given.instance_of(&register.public_key).ok_or(Refusal::Unknown)?.to_owned();
        let caller = Caller::new(&terms.account, &terms.region);
        let now = self.inner.world.now();
        let registration = instance::Registration {
            key: register.public_key.clone(),
            activation_id: Some(terms.activation_id.clone()),
            iam_role: Some(terms.iam_role.clone()),
            name: terms.default_instance_name.clone(),
            at: now,
            key_since: now,
            machine: short(&register.machine),
        };
        let tags = terms.tags.clone();
        self.instance_register(&caller, card(&instance_id, &register), registration, tags).await?;
        tracing::info!(instance = %instance_id, account = %caller.account, region = %caller.region, "a host registered");
        Ok(Registered { instance_id, account: terms.account.clone(), region: terms.region.clone() })
    }

    /// The agent inside this server, which needs no activation: it is registered by whoever runs the server.
    pub async fn agent_register_inside(
        &self,
        caller: &Caller,
        instance_id: &str,
        register: Register,
    ) -> Result<Registered, Refusal> {
        let now = self.inner.world.now();
        let registration = instance::Registration {
            key: register.public_key.clone(),
            activation_id: None,
            iam_role: None,
            name: None,
            at: now,
            key_since: now,
            machine: short(&register.machine),
        };
        self.instance_register(caller, card(instance_id, &register), registration, vec![]).await?;
        let (account, region) = (caller.account.to_string(), caller.region.to_string());
        Ok(Registered { instance_id: instance_id.to_owned(), account, region })
    }

    async fn instance_register(
        &self,
        caller: &Caller,
        card: instance::Card,
        registration: instance::Registration,
        tags: Tags,
    ) -> Result<(), Refusal> {
        let id = keys::instance(caller, &card.instance_id);
        let command = instance::Command::Register { card, registration, tags };
        let ask = Ask::Instance { caller: caller.clone(), command: Box::new(command) };
        match self.ask(id, ask).await {
            Ok(_) => Ok(()),
            Err(Refused::Instance(refusal)) => {
                tracing::warn!(%id, ?refusal, "a host was not registered");
                Err(EnrolmentRefusal::ActivationUnknown.into())
            }
            Err(refused) => Err(refused.into()),
        }
    }
}

fn card(instance_id: &str, register: &Register) -> instance::Card {
    instance::Card {
        instance_id: instance_id.to_owned(),
        name: short(&register.name),
        computer_name: short(&register.computer_name),
        agent_version: short(&register.agent_version),
        platform_type: platform_type(&register.platform_type),
        platform_name: short(&register.platform_name),
        platform_version: short(&register.platform_version),
        ip_address: String::new(),
        incarnation: 0,
        life: String::new(),
    }
}

/// As Systems Manager knows platforms.
pub(crate) fn platform_type(said: &str) -> String {
    let known = ["Windows", "Linux", "MacOS"].into_iter().find(|known| *known == said);
    known.unwrap_or("Linux").to_owned()
}

/// What a host says of itself, no longer than it need be.
pub(crate) fn short(text: &str) -> String {
    text.chars().take(CARD_CHARS_MAX).collect()
}

/// 120 bits by chance.
fn made_up_code() -> String {
    let bits = u128::from(clock::entropy()) << 64 | u128::from(clock::entropy());
    (0..CODE_CHARS).map(|at| char::from(CODE_ALPHABET[(bits >> (6 * at)) as usize % CODE_ALPHABET.len()])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_twenty_characters_of_chance() {
        let codes: std::collections::BTreeSet<_> = (0..100).map(|_| made_up_code()).collect();
        assert_eq!(codes.len(), 100);
        assert!(
            codes.iter().all(|code| code.len() == CODE_CHARS && code.bytes().all(|byte| CODE_ALPHABET.contains(&byte)))
        );
    }
}
