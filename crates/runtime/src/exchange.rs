//! Where activities' tasks wait for workers, and workers for tasks. In memory only: a task that waits is owed by its
//! execution, and comes here again when a server starts.
//!
//! **Invariant:** a task that is here may be handed out twice (after a doubt about a commit); its execution lets one
//! worker have it. What is handed to a worker that has gone comes back.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use base::{Arn, Id};
use engine::{Activities, TaskId};
use tokio::sync::oneshot;

/// Workers that may wait for one activity's tasks (Service quotas, "pollers").
pub(crate) const WORKERS_MAX: usize = 1_000;

/// A task that waits for a worker.
pub(crate) type Waiting = (Id, TaskId);

#[derive(Debug, Default)]
pub(crate) struct Exchange {
    existing: RwLock<HashSet<Arc<str>>>,
    lines: Mutex<HashMap<Arc<str>, Line>>,
}

/// One activity's tasks and workers. One of the two sides is empty.
#[derive(Debug, Default)]
struct Line {
    /// In the order in which they came.
    tasks: BTreeMap<u64, Waiting>,
    places: HashMap<Waiting, u64>,
    next: u64,
    workers: VecDeque<oneshot::Sender<Handed>>,
    /// Workers that ask, or wait, now.
    asking: usize,
}

/// A task on its way to a worker. If the worker is not there any more, it comes back to the line.
#[derive(Debug)]
pub(crate) struct Handed {
    exchange: Arc<Exchange>,
    arn: Arc<str>,
    task: Option<Waiting>,
}

/// What a worker that asks is given.
pub(crate) enum Turn {
    Now(Handed),
    Later(oneshot::Receiver<Handed>),
}

/// A worker's place among those that ask.
#[derive(Debug)]
pub(crate) struct Asking {
    exchange: Arc<Exchange>,
    arn: Arc<str>,
}

impl Exchange {
    /// That an activity was created or deleted. Tasks that wait for one that was deleted wait on.
    pub(crate) fn note(&self, arn: &Arc<str>, exists: bool) {
        let mut existing = self.existing.write().unwrap_or_else(PoisonError::into_inner);
        match exists {
            true => existing.insert(arn.clone()),
            false => existing.remove(arn),
        };
    }

    pub(crate) fn exists(&self, arn: &str) -> bool {
        self.existing.read().unwrap_or_else(PoisonError::into_inner).contains(arn)
    }

    /// A task begins to wait; one that waits already stays where it is.
    pub(crate) fn offer(self: &Arc<Self>, arn: &Arc<str>, task: Waiting) {
        let mut lines = self.lines();
        let line = lines.entry(arn.clone()).or_default();
        if line.places.contains_key(&task) {
            return;
        }
        let mut handed = Handed { exchange: self.clone(), arn: arn.clone(), task: Some(task) };
        while let Some(worker) = line.workers.pop_front() {
            match worker.send(handed) {
                Ok(()) => return,
                Err(back) => handed = back,
            }
        }
        handed.task = None;
        let place = line.next;
        line.next += 1;
        line.tasks.insert(place, task);
        line.places.insert(task, place);
    }

    /// Nobody waits for this task's outcome any more.
    pub(crate) fn withdraw(&self, arn: &str, task: Waiting) {
        let mut lines = self.lines();
        let Some(line) = lines.get_mut(arn) else { return };
        if let Some(place) = line.places.remove(&task) {
            line.tasks.remove(&place);
        }
        if line.is_idle() {
            lines.remove(arn);
        }
    }

    /// A worker comes; none when there are too many.
    pub(crate) fn enter(self: &Arc<Self>, arn: &Arc<str>) -> Option<Asking> {
        let mut lines = self.lines();
        let line = lines.entry(arn.clone()).or_default();
        if line.asking >= WORKERS_MAX {
            return None;
        }
        line.asking += 1;
        Some(Asking { exchange: self.clone(), arn: arn.clone() })
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<Arc<str>, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn is_idle(&self) -> bool {
        self.tasks.is_empty() && self.asking == 0
    }
}

impl Asking {
    /// The task that has waited longest, or a place to wait for the next.
    pub(crate) fn turn(&self) -> Turn {
        let mut lines = self.exchange.lines();
        let line = lines.entry(self.arn.clone()).or_default();
        if let Some((_, task)) = line.tasks.pop_first() {
            line.places.remove(&task);
            return Turn::Now(Handed { exchange: self.exchange.clone(), arn: self.arn.clone(), task: Some(task) });
        }
        // Those that left without a task are still in the queue.
        if line.workers.len() > 2 * line.asking {
            line.workers.retain(|worker| !worker.is_closed());
        }
        let (sender, receiver) = oneshot::channel();
        line.workers.push_back(sender);
        Turn::Later(receiver)
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        let mut lines = self.exchange.lines();
        let Some(line) = lines.get_mut(&self.arn) else { return };
        line.asking = line.asking.saturating_sub(1);
        if line.is_idle() {
            lines.remove(&self.arn);
        }
    }
}

impl Handed {
    /// From here on the worker's request is under way: the execution decides whose the task is.
    pub(crate) fn accept(mut self) -> Waiting {
        self.task.take().expect("a task is accepted once")
    }
}

impl Drop for Handed {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            self.exchange.offer(&self.arn, task);
        }
    }
}

/// The activities that an execution may name: those of its own account and region.
#[derive(Debug)]
pub(crate) struct ActivitiesOf<'a> {
    pub(crate) exchange: &'a Exchange,
    pub(crate) execution_arn: &'a str,
}

impl Activities for ActivitiesOf<'_> {
    fn exist(&self, arn: &str) -> bool {
        let whose = |arn| Arn::parse(arn).map(|arn| (arn.region.to_owned(), arn.account.to_owned()));
        whose(arn) == whose(self.execution_arn) && self.exchange.exists(arn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arn() -> Arc<str> {
        "arn:aws:states:us-east-1:111111111111:activity:work".into()
    }

    fn task(number: u64) -> Waiting {
        (Id(1), TaskId(number))
    }

    #[tokio::test]
    async fn tasks_are_handed_out_in_order_and_what_nobody_received_comes_back() {
        let (exchange, arn) = (Arc::new(Exchange::default()), arn());
        for number in [0, 1, 1, 2] {
            exchange.offer(&arn, task(number));
        }
        exchange.withdraw(&arn, task(1));
        let worker = exchange.enter(&arn).expect("room");
        let Turn::Now(handed) = worker.turn() else { panic!("a task waits") };
        assert_eq!(handed.task, Some(task(0)));
        drop(handed);
        let mut order = vec![];
        while let Turn::Now(handed) = worker.turn() {
            order.push(handed.accept().1.0);
        }
        assert_eq!(order, [2, 0]);
    }

    #[tokio::test]
    async fn a_worker_that_has_gone_loses_no_task() {
        let (exchange, arn) = (Arc::new(Exchange::default()), arn());
        let (gone, goes, stays) = (exchange.enter(&arn), exchange.enter(&arn), exchange.enter(&arn));
        let turn = |worker: &Option<Asking>| match worker.as_ref().expect("room").turn() {
            Turn::Later(receiver) => receiver,
            Turn::Now(_) => panic!("no task waits"),
        };
        drop(turn(&gone));
        let receives_and_goes = turn(&goes);
        let receives = turn(&stays);
        exchange.offer(&arn, task(7));
        drop(receives_and_goes);
        assert_eq!(receives.await.expect("handed on").accept(), task(7));
        drop((gone, goes, stays));
        assert!(exchange.lines().is_empty(), "nothing is kept of an idle activity");
    }

    #[test]
    fn workers_have_an_end() {
        let (exchange, arn) = (Arc::new(Exchange::default()), arn());
        let workers: Vec<_> = (0..WORKERS_MAX).map(|_| exchange.enter(&arn).expect("room")).collect();
        assert!(exchange.enter(&arn).is_none());
        drop(workers);
        assert!(exchange.enter(&arn).is_some());
    }
}
