//! Enrolment: activations, and the one request that a host makes before it is an instance.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use api::agent::{Register, RegisterAnswer};
use api::{Activation, ActivationCreate, ActivationCreated, Code, Page};
use axum::extract::State as Extracted;
use axum::{Extension, Json};
use base::Timestamp;
use identity::{PublicKey, Statement};
use runtime::Refusal;
use runtime::activations::ActivationFilter;
use runtime::refusal::EnrolmentRefusal;

use crate::State;
use crate::extract::{Asked, Body, Name, Paging, Who};
use crate::gate::Peer;
use crate::refusal::{Answer, Refused};

/// The role that is recorded when nobody names one.
const ROLE_DEFAULT: &str = "dandori";

/// Wrong codes that one address may show in a while, and addresses that are kept in mind. With a code of 120 bits this
/// is against noise more than against luck.
const GUESSES_MAX: u32 = 20;
const GUESSES_FORGOTTEN_AFTER: Duration = Duration::from_secs(60);
const GUESSERS_MAX: usize = 10_000;

pub(crate) async fn list(
    state: Extracted<State>,
    Who(caller): Who,
    Asked(paging): Asked<Paging>,
) -> Answer<Page<Activation>> {
    let paged = state.runtime.activation_list(&caller, ActivationFilter::default(), paging.page()).await?;
    Ok(Json(crate::wire::page(paged, shown)))
}

pub(crate) async fn create(
    state: Extracted<State>,
    Who(caller): Who,
    Body(create): Body<ActivationCreate>,
) -> Answer<ActivationCreated> {
    let expires = create.expires_in_seconds.map(|seconds| {
        let ms = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000);
        Timestamp(state.runtime.now().0.saturating_add(ms))
    });
    let tags = create.tags.iter().map(|tag| {
        let (key, value) = tag.split_once('=').unwrap_or((tag, ""));
        (key.to_owned(), value.to_owned())
    });
    let wanted = runtime::activations::ActivationCreate {
        iam_role: create.iam_role.unwrap_or_else(|| ROLE_DEFAULT.to_owned()),
        description: create.description,
        default_instance_name: create.name,
        registration_limit: create.registrations,
        expires,
        tags: tags.collect(),
        metadata: vec![],
    };
    let created = state.runtime.activation_create(&caller, wanted).await?;
    Ok(Json(ActivationCreated {
        id: created.activation_id,
        code: created.code,
        server_key: state.identity.public().fingerprint(),
        expires: created.expires,
    }))
}

pub(crate) async fn remove(state: Extracted<State>, Who(caller): Who, Name(id): Name) -> Answer<serde_json::Value> {
    state.runtime.activation_delete(&caller, &id).await?;
    Ok(Json(serde_json::json!({})))
}

/// A host registers. It has nothing but an activation's code, so that is all that it is asked for.
pub(crate) async fn register(
    state: Extracted<State>,
    peer: Option<Extension<Peer>>,
    Body(register): Body<Register>,
) -> Answer<RegisterAnswer> {
    let address = peer.map(|Extension(peer)| peer.0.ip().to_canonical());
    if address.is_some_and(|address| !state.guesses.may_guess(address)) {
        return Err(
            api::Error::new(Code::TooMany, "too many wrong codes came from there; try again in a minute").into()
        );
    }
    let agent = PublicKey::parse(&register.public_key)
        .map_err(|error| Refused::from(api::Error::new(Code::Malformed, format!("the public key is {error}"))))?;
    let registered = state.runtime.agent_register(register).await;
    if let Err(Refusal::Enrolment(EnrolmentRefusal::ActivationUnknown)) = &registered {
        tracing::warn!(peer = ?address, "a host came with a code that is not one");
        address.into_iter().for_each(|address| state.guesses.count(address));
    }
    let registered = registered?;
    let statement = Statement::Registration {
        agent,
        instance_id: &registered.instance_id,
        account: &registered.account,
        region: &registered.region,
    };
    let signature = state.identity.sign(&statement);
    Ok(Json(RegisterAnswer { server_key: state.identity.public().to_string(), signature, registered }))
}

fn shown(activation: runtime::activations::Activation) -> Activation {
    Activation {
        id: activation.activation_id,
        name: activation.default_instance_name,
        description: activation.description,
        registrations: activation.registrations,
        registrations_max: activation.registration_limit,
        expired: activation.expired,
        expires: activation.expires,
        created: activation.created,
    }
}

/// Wrong codes, by where they came from.
#[derive(Default)]
pub(crate) struct Guesses {
    counted: Mutex<HashMap<IpAddr, (Instant, u32)>>,
}

impl Guesses {
    fn may_guess(&self, address: IpAddr) -> bool {
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        match counted.get(&address) {
            Some((since, count)) => *count < GUESSES_MAX || since.elapsed() > GUESSES_FORGOTTEN_AFTER,
            None => {
                counted.len() < GUESSERS_MAX
                    || counted.values().any(|(since, _)| since.elapsed() > GUESSES_FORGOTTEN_AFTER)
            }
        }
    }

    fn count(&self, address: IpAddr) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.len() >= GUESSERS_MAX {
            counted.retain(|_, (since, _)| since.elapsed() <= GUESSES_FORGOTTEN_AFTER);
        }
        let (since, count) = counted.entry(address).or_insert((Instant::now(), 0));
        if since.elapsed() > GUESSES_FORGOTTEN_AFTER {
            (*since, *count) = (Instant::now(), 0);
        }
        *count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_guesses_too_often_has_to_wait() {
        let guesses = Guesses::default();
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        for _ in 0..GUESSES_MAX {
            assert!(guesses.may_guess(one));
            guesses.count(one);
        }
        assert!(!guesses.may_guess(one) && guesses.may_guess(other));
    }
}
