//! Who hears of what executions recorded, once it is durable: metrics, logs, and whoever traces those that ended.
//!
//! **Invariant:** whoever observes changes nothing and holds nobody up.

use std::sync::Arc;

use base::Timestamp;
use engine::Event;

use tokio::sync::mpsc;

use crate::dispatch::World;
use crate::logs::delivery::{Logged, Logging};
use crate::page::Page;
use crate::refusal::Refusal;
use crate::{Runtime, value};

/// Executions that have ended and wait to be traced.
const ENDED_MAX: usize = 4_096;

/// Events that are handed on rather than read again.
const ENDED_BYTES_MAX: usize = 16 * 1024;

/// An execution that has ended.
#[derive(Debug, Clone)]
pub struct Ended {
    pub execution_arn: Arc<str>,
    pub trace_header: Option<String>,
    /// All of its events, where one step made them and they are few.
    events: Option<Arc<Vec<Event>>>,
}

impl Runtime {
    /// Every execution that ends from now on, as far as the receiver keeps up. For one receiver: a second hears nothing.
    pub fn ends(&self) -> mpsc::Receiver<Ended> {
        let (sender, receiver) = mpsc::channel(ENDED_MAX);
        let _another = self.inner.world.ends.set(sender);
        receiver
    }

    /// The whole history of an execution that has ended.
    pub async fn execution_events(&self, ended: &Ended) -> Result<Arc<Vec<Event>>, Refusal> {
        const PAGE: u32 = 1_000;
        if let Some(events) = &ended.events {
            return Ok(events.clone());
        }
        let caller = value::caller_of(&ended.execution_arn);
        let (mut events, mut token) = (vec![], None);
        loop {
            let page = Page { limit: PAGE, token };
            let page = self.execution_history(&caller, &ended.execution_arn, false, page).await?;
            events.extend(page.items);
            token = page.next;
            if token.is_none() {
                return Ok(Arc::new(events));
            }
        }
    }

    /// Counts spans that a collector took, or did not.
    pub fn count_spans(&self, count: usize, taken: bool) {
        self.inner.world.metrics.count_spans(count, taken);
    }
}

/// What one step of an execution recorded. Whatever executes, Standard or Express, says it with
/// [`World::observe`].
pub(crate) struct Recorded {
    pub(crate) execution_arn: Arc<str>,
    pub(crate) machine_arn: Arc<str>,
    pub(crate) started: Timestamp,
    /// How often it was redriven.
    pub(crate) redrives: u64,
    pub(crate) logging: Option<Arc<Logging>>,
    pub(crate) trace_header: Option<String>,
    pub(crate) events: Arc<Vec<Event>>,
    /// About how many bytes the events have.
    pub(crate) bytes: usize,
}

impl World {
    /// Tells those who watch. Called after the commit, in the order of the commits.
    pub(crate) fn observe(&self, recorded: Recorded) {
        let Recorded { execution_arn, machine_arn, started, redrives, logging, trace_header, events, bytes } = recorded;
        self.metrics.count(&machine_arn, started, &events);
        if let Some(ends) = self.ends.get()
            && events.last().is_some_and(|event| event.fact.ends_execution())
        {
            let whole = bytes <= ENDED_BYTES_MAX && events.first().is_some_and(|event| event.id == 1);
            let events = whole.then(|| events.clone());
            let ended = Ended { execution_arn: execution_arn.clone(), trace_header, events };
            if ends.try_send(ended).is_err() {
                self.metrics.count_untraced();
            }
        }
        if let Some(logging) = logging {
            self.logs.log(Logged { logging, execution_arn, redrives, events, bytes });
        }
    }
}
