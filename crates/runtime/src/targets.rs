//! Where a command goes: its targets are resolved once, when it is sent.

use std::collections::BTreeSet;

use base::Caller;
use document::Action;
use fleet::{InstanceId, Place, Plan, Target};

use crate::Runtime;
use crate::documents::DocumentPlan;
use crate::refusal::{AgentRefusal, CommandRefusal, Refusal};

/// Those that documents name.
const PLATFORMS: [&str; 3] = ["Windows", "Linux", "MacOS"];

impl Runtime {
    /// A place on each instance that all targets name (`SendCommand`, Targets), and one on a member of each agent group of
    /// which one is wanted. The document is for the platform of each instance that is named (UnsupportedPlatformType);
    /// others that it is not for have a place, and it says so.
    pub(crate) async fn command_places(
        &self,
        caller: &Caller,
        instance_ids: &[String],
        targets: &[Target],
        planned: &DocumentPlan,
    ) -> Result<Vec<Place>, Refusal> {
        let mut places: Vec<Place> = match targets {
            [] => {
                let named = self.named_instances(caller, instance_ids).await?;
                self.check_platforms(caller, &named, &planned.found.document.platform_types()).await?;
                named.into_iter().map(Place::on).collect()
            }
            targets => self.targeted(caller, targets).await?,
        };
        if is_not_for_windows(&planned.plan) {
            for place in &mut places {
                place.unfit = match &*place.candidates {
                    [only] => self.instance(caller, &only.0).await.is_ok_and(|found| found.platform_type == "Windows"),
                    _ => false,
                };
            }
        }
        Ok(places)
    }

    async fn targeted(&self, caller: &Caller, targets: &[Target]) -> Result<Vec<Place>, Refusal> {
        let mut places = None;
        for target in targets {
            let Some(found) = self.target_places(caller, target).await? else { continue };
            places = Some(match places {
                None => found,
                Some(before) => in_both(before, found),
            });
        }
        Ok(on_distinct(places.unwrap_or_default()))
    }

    /// None when the target leaves every instance in.
    async fn target_places(&self, caller: &Caller, target: &Target) -> Result<Option<Vec<Place>>, Refusal> {
        let on = |instances: Vec<InstanceId>| Some(instances.into_iter().map(Place::on).collect());
        let (key, values) = (&*target.key, &target.values);
        match key {
            // All that there is are managed instances.
            "resource-groups:ResourceTypeFilters" => return Ok(None),
            "InstanceIds" | "instanceids" => return Ok(on(self.named_instances(caller, values).await?)),
            _ => (),
        }
        match self.places_by_target(caller, key, values).await {
            // A group of nobody is a target of nobody.
            Err(Refusal::Agent(AgentRefusal::TakesNoJobs(_))) if key == "resource-groups:Name" => Ok(Some(vec![])),
            Err(refusal) => Err(refusal),
            // A name means one instance, as its id does.
            Ok(Some(places)) if key == "dandori:Agent" => {
                let firsts = places.iter().filter_map(|place| place.candidates.first());
                let named: Vec<String> = firsts.map(|instance| instance.0.to_string()).collect();
                self.named_instances(caller, &named).await?;
                Ok(Some(places))
            }
            Ok(Some(places)) => Ok(Some(places)),
            Ok(None) => {
                let mut found = vec![];
                for instance_id in self.instances_by_target(caller, key, values).await? {
                    if self.takes_commands(caller, &instance_id).await? {
                        found.push(InstanceId::from(&*instance_id));
                    }
                }
                Ok(on(found))
            }
        }
    }

    /// What is not known of an instance's platform is not held against it.
    async fn check_platforms(&self, caller: &Caller, named: &[InstanceId], fit: &[&str]) -> Result<(), Refusal> {
        for instance in named {
            let platform = self.instance(caller, &instance.0).await?.platform_type;
            if PLATFORMS.contains(&&*platform) && !fit.contains(&&*platform) {
                let instance = instance.to_string();
                return Err(CommandRefusal::UnsupportedPlatformType { instance, platform }.into());
            }
        }
        Ok(())
    }

    /// Whether it is registered, and not suspended: nobody could say which of two hosts is meant.
    async fn takes_commands(&self, caller: &Caller, instance_id: &str) -> Result<bool, Refusal> {
        match self.instance(caller, instance_id).await {
            Ok(instance) => Ok(!instance.suspended),
            Err(Refusal::Command(CommandRefusal::InvalidInstanceId(_))) => Ok(false),
            Err(refusal) => Err(refusal),
        }
    }

    /// Every instance that is named must be registered and take commands.
    async fn named_instances(&self, caller: &Caller, named: &[String]) -> Result<Vec<InstanceId>, Refusal> {
        let mut missing = vec![];
        for instance_id in named {
            if !self.takes_commands(caller, instance_id).await? {
                missing.push(instance_id.clone());
            }
        }
        match missing.is_empty() {
            true => Ok(named.iter().map(|instance_id| InstanceId::from(&**instance_id)).collect()),
            false => Err(CommandRefusal::InvalidInstanceId(missing).into()),
        }
    }
}

/// What both name. Where one member of a group is wanted, it is one of those that the other names.
fn in_both(first: Vec<Place>, second: Vec<Place>) -> Vec<Place> {
    let chooses = |places: &[Place]| places.iter().any(|place| place.candidates.len() > 1);
    let (places, other) = if chooses(&second) { (second, first) } else { (first, second) };
    let named: BTreeSet<InstanceId> = other.into_iter().flat_map(|place| place.candidates).collect();
    let kept = places.into_iter().map(|mut place| {
        place.candidates.retain(|candidate| named.contains(candidate));
        place
    });
    kept.filter(|place| !place.candidates.is_empty()).collect()
}

/// A command is on an instance once: a place begins on a candidate that no other is on, and goes where there is none.
fn on_distinct(places: Vec<Place>) -> Vec<Place> {
    let mut taken = BTreeSet::new();
    let placed = places.into_iter().filter_map(|mut place| {
        let first = place.candidates.iter().position(|candidate| !taken.contains(candidate))?;
        place.candidates.rotate_left(first);
        taken.insert(place.candidates.first()?.clone());
        Some(place)
    });
    placed.collect()
}

/// Whether all it does is shell scripts, and none says for which platform.
fn is_not_for_windows(plan: &Plan) -> bool {
    let shell = |step: &document::Step| matches!(step.action, Action::Shell(_)) && step.platform.is_none();
    !plan.steps.is_empty() && plan.steps.iter().all(shell)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a|b c`: a place on `a` or `b`, and one on `c`.
    fn places(text: &str) -> Vec<Place> {
        let place = |names: &str| Place {
            candidates: names.split('|').map(InstanceId::from).collect(),
            ..Place::on(InstanceId::from(""))
        };
        text.split_whitespace().map(place).collect()
    }

    fn text(places: Vec<Place>) -> String {
        let names = |place: Place| place.candidates.iter().map(|one| one.0.to_string()).collect::<Vec<_>>().join("|");
        places.into_iter().map(names).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn several_targets_name_what_all_name() {
        let both = |first: &str, second: &str| text(in_both(places(first), places(second)));
        assert_eq!(both("a b c", "c a"), "a c");
        assert_eq!(both("a b", "c"), "");
        assert_eq!(both("a|b|c", "c b"), "b|c");
        assert_eq!(both("c b", "a|b|c"), "b|c");
    }

    #[test]
    fn a_command_is_on_an_instance_once() {
        assert_eq!(text(on_distinct(places("a b a"))), "a b");
        assert_eq!(text(on_distinct(places("a a|b a|b|c a|b"))), "a b|a c|a|b");
    }
}
