//! Offers on their way to agents: with the values of their secrets, which are looked up at the last moment and kept
//! nowhere.

use std::sync::Arc;
use std::time::Duration;

use api::agent::{self, Variable};
use base::{Caller, Id, Timestamp};
use document::{Action, Secret};
use fleet::{AttemptId, InstanceId, Plan};

use crate::Runtime;
use crate::dispatch::World;
use crate::refusal::Refusal;
use crate::shard::Ask;

/// Before secrets that could not be looked up are looked up again.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// One offer that a run owes.
pub(crate) struct Offering {
    pub(crate) run: Id,
    pub(crate) document: String,
    pub(crate) instance: InstanceId,
    pub(crate) attempt: AttemptId,
    pub(crate) plan: Arc<Plan>,
    pub(crate) expires_at: Timestamp,
}

impl World {
    pub(crate) fn offer(&self, caller: &Caller, offering: Offering) {
        if self.hub.is_deregistered(caller, &offering.instance) {
            let deregistered = fleet::Command::Deregistered { instance: offering.instance };
            return self.tell(offering.run, Ask::Run(deregistered));
        }
        // Whoever has been lost since before this was sent: it is told when it is back.
        if self.hub.is_lost(caller, &offering.instance) {
            let lost = fleet::Command::AgentLost { instance: offering.instance };
            return self.tell(offering.run, Ask::Run(lost));
        }
        let secrets: Vec<Secret> = secrets(&offering.plan).cloned().collect();
        if secrets.is_empty() {
            return self.send_offer(caller, offering, vec![]);
        }
        let (world, caller) = (self.clone(), caller.clone());
        drop(self.spawn(async move |runtime, _| match look_up(&runtime, &caller, &secrets).await {
            Ok(values) => world.send_offer(&caller, offering, values),
            Err(Missing::Parameter(failure)) => {
                let command = fleet::Command::Hindered { attempt: offering.attempt, failure };
                world.tell(offering.run, Ask::Run(command));
            }
            Err(Missing::Unknown) => {
                let remind = Ask::Remind { instance: offering.instance };
                world.ask_again(vec![(offering.run, remind)], AGAIN_AFTER);
            }
        }));
    }

    fn send_offer(&self, caller: &Caller, offering: Offering, secrets: Vec<Variable>) {
        let offer = agent::Offer {
            attempt: offering.attempt.to_string(),
            document: offering.document,
            plan: (*offering.plan).clone(),
            secrets,
            expires_at: offering.expires_at,
        };
        self.hub.offer(caller, &offering.instance, offering.run, offer);
    }

    /// An attempt waits at its agent no more: what was held back for it is offered.
    pub(crate) fn offer_settled(&self, caller: &Caller, instance: &InstanceId, attempt: &str) {
        for run in self.hub.settled(caller, instance, attempt) {
            self.tell(run, Ask::Remind { instance: instance.clone() });
        }
    }
}

enum Missing {
    /// It will not be different the next time.
    Parameter(fleet::Failure),
    Unknown,
}

fn secrets(plan: &Plan) -> impl Iterator<Item = &Secret> {
    plan.steps.iter().flat_map(|step| match &step.action {
        Action::Job(job) => &job.secrets[..],
        Action::Shell(_) | Action::PowerShell(_) | Action::Download(_) | Action::Document(_) => &[],
    })
}

async fn look_up(runtime: &Runtime, caller: &Caller, secrets: &[Secret]) -> Result<Vec<Variable>, Missing> {
    let mut values = vec![];
    for secret in secrets {
        let value = runtime.parameter_secret(caller, &secret.parameter).await.map_err(|refusal| match refusal {
            Refusal::Internal(_) | Refusal::Unknown | Refusal::Full => Missing::Unknown,
            refusal => Missing::Parameter(fleet::Failure {
                code: fleet::FailureCode::StartFailed,
                cause: format!("parameter {} of variable {}: {refusal}", secret.parameter, secret.name),
                exit_code: None,
            }),
        })?;
        values.push(Variable { name: secret.name.clone(), value: value.expose().to_owned() });
    }
    Ok(values)
}
