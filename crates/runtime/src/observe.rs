//! Who hears of what executions recorded, once it is durable: metrics and logs.
//!
//! **Invariant:** whoever observes changes nothing and holds nobody up.

use std::sync::Arc;

use base::Timestamp;
use engine::Event;

use crate::dispatch::World;
use crate::logs::delivery::{Logged, Logging};

/// What one step of an execution recorded. Whatever executes, Standard or Express, says it with
/// [`World::observe`].
pub(crate) struct Recorded {
    pub(crate) execution_arn: Arc<str>,
    pub(crate) machine_arn: Arc<str>,
    pub(crate) started: Timestamp,
    /// How often it was redriven.
    pub(crate) redrives: u64,
    pub(crate) logging: Option<Arc<Logging>>,
    pub(crate) events: Arc<Vec<Event>>,
    /// About how many bytes the events have.
    pub(crate) bytes: usize,
}

impl World {
    /// Tells those who watch. Called after the commit, in the order of the commits.
    pub(crate) fn observe(&self, recorded: Recorded) {
        let Recorded { execution_arn, machine_arn, started, redrives, logging, events, bytes } = recorded;
        self.metrics.count(&machine_arn, started, &events);
        if let Some(logging) = logging {
            self.logs.log(Logged { logging, execution_arn, redrives, events, bytes });
        }
    }
}
