//! Slots of agent groups: how runs get them from the groups' semaphores, and give them back.
//!
//! **Invariant:** a run asks again for what it is owed after any restart, and a semaphore answers again what it has
//! answered: no slot is lost, and none is given twice.

use std::time::Duration;

use base::{Caller, Id};

use crate::dispatch::World;
use crate::refusal::Refusal;
use crate::semaphore::{Command, Holder, Told};
use crate::shard::Ask;
use crate::{Runtime, keys};

/// Before a semaphore that could not be asked is asked again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

impl Runtime {
    /// How many jobs run in a group at a time from now on; no limit when none. What runs goes on.
    pub async fn slots_set(&self, caller: &Caller, group: &str, capacity: Option<u32>) -> Result<(), Refusal> {
        let ask = Ask::Semaphore(Command::Resize { capacity });
        match self.ask(keys::slots(caller, group), ask).await {
            Ok(_) => Ok(()),
            Err(refused) => Err(refused.into()),
        }
    }
}

impl World {
    /// Asks for a slot. As many are there as the group has now.
    pub(crate) fn acquire_slot(&self, run: Id, caller: &Caller, place: u32, group: &str) {
        let (world, caller, group) = (self.clone(), caller.clone(), group.to_owned());
        let asked = self.spawn(async move |runtime, _| {
            let directory = runtime.directory(&caller).await.ok()?;
            let capacity = directory.groups.get(&*group).and_then(|group| group.concurrency_max);
            let ask = Ask::Semaphore(Command::Acquire { holder: holder(run, place), capacity });
            runtime.inner.world.ask(keys::slots(&caller, &group), ask).await.ok()
        });
        tokio::spawn(async move {
            // None of it when the server ends.
            if matches!(asked.await, Ok(Some(None))) {
                world.ask_again(vec![(run, Ask::Resume)], AGAIN_AFTER);
            }
        });
    }

    pub(crate) fn release_slot(&self, run: Id, caller: &Caller, place: u32, group: &str) {
        let ask = Ask::Semaphore(Command::Release { holder: holder(run, place) });
        self.tell(keys::slots(caller, group), ask);
    }

    /// Tells a run what its semaphore has decided.
    pub(crate) fn tell_holder(&self, told: Told) {
        let (Told::Granted(whose) | Told::Released(whose)) = &told;
        let Some((run, place)) = run_and_place(whose) else { return };
        let command = match told {
            Told::Granted(_) => fleet::Command::SlotGranted { place },
            Told::Released(_) => fleet::Command::SlotReleased { place },
        };
        self.tell(run, Ask::Run(command));
    }
}

fn holder(run: Id, place: u32) -> Holder {
    Holder(format!("run/{run}/{place}").into())
}

fn run_and_place(holder: &Holder) -> Option<(Id, u32)> {
    let (run, place) = holder.0.strip_prefix("run/")?.split_once('/')?;
    Some((Id(u128::from_str_radix(run, 16).ok()?), place.parse().ok()?))
}
