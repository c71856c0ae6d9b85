//! What follows from a message: the agent's side of the protocol, without a socket, a disk or a process.
//!
//! [`Session::handle`] takes what happened and gives what to do, in order. Whoever does it says how it went.
//!
//! **Invariant:** an attempt is begun ([`Action::Begin`]) at most once, after [`Input::Kept`] and a `Go`.
//!
//! **Invariant:** at most `concurrency_max` attempts are accepted and unfinished; more wait as offers, which the
//! server makes again, so that they need no disk.
//!
//! **Invariant:** an attempt is forgotten when the server needs nothing more of it: neither its result nor its output.

use std::collections::{BTreeMap, VecDeque};

use api::agent::{
    AttemptReport, AttemptState, Content, Failure, Finished, FromAgent, Offer, Settings, ToAgent, failure,
};
use base::Timestamp;

use crate::fetching::{Fetching, Next};
use crate::journal::Written;
use crate::streams::{Piece, Streams};

/// Offers that wait for a worker. The server repeats those that are dropped, when the agent connects again: it does that
/// when it has worked off all that it has.
pub const OFFERS_MAX: usize = 1_000;

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    Connected,
    Disconnected,
    Said(ToAgent),
    /// There is a place on disk for what the offer's steps download.
    Prepared {
        attempt: String,
    },
    /// A part of it is on disk: so many bytes.
    ContentKept {
        attempt: String,
        bytes: u64,
    },
    /// The offer is on disk.
    Kept {
        attempt: String,
    },
    /// The offer could not be kept, and nothing is left of it.
    NotKept {
        attempt: String,
        cause: String,
    },
    /// The host's own rules do not allow it, and nothing is left of it.
    NotAllowed {
        attempt: String,
        cause: String,
    },
    /// `starting` is on disk.
    Began {
        attempt: String,
        at: Timestamp,
    },
    /// The supervisor is gone, and left no result.
    Gone {
        attempt: String,
        began: bool,
        words: String,
    },
    /// A result is on disk, and so much output.
    Finished {
        attempt: String,
        written: Vec<Written>,
    },
    /// A running attempt has written more.
    Wrote {
        attempt: String,
        written: Vec<Written>,
    },
    /// A part of an output that was to be said cannot be read.
    Unreadable(Piece),
    /// Whether the host's own people want it to take nothing new.
    Drain(bool),
    /// How many attempts at a time the host's own rules allow.
    Allowed(Option<usize>),
    /// Time has passed.
    Ticked,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Say hello, with these attempts.
    Hello(Vec<AttemptReport>),
    Say(FromAgent),
    /// Read the result of this attempt and say it.
    SayResult {
        attempt: String,
    },
    /// Make a place for what the offer's steps download; answered with `Prepared` or `NotKept`.
    Prepare(Offer),
    /// Put a part of it on disk; answered with `ContentKept` or `NotKept`.
    KeepContent(Content),
    /// Put the offer on disk; answered with `Kept` or `NotKept`.
    Keep(Offer),
    /// Start a supervisor; answered with `Began`, then `Finished` or `Gone`.
    Begin {
        attempt: String,
    },
    /// Tell the supervisor to end the script.
    Kill {
        attempt: String,
    },
    /// Write a result that says this; answered with `Finished`, or with `Began` when it runs after all and is
    /// killed instead.
    Conclude {
        attempt: String,
        failure: Failure,
    },
    /// Remove it from the disk; answered with `Began` when it runs after all and is killed instead.
    Forget {
        attempt: String,
    },
    /// The connection is of no use: close it.
    Close,
}

/// What the journal knew of an attempt when the agent started.
#[derive(Debug, Clone, PartialEq)]
pub enum Recovered {
    Accepted(Offer),
    Running(Offer, Timestamp),
    Finished(Offer, Vec<Written>),
}

/// One agent's side of the conversation.
#[derive(Debug)]
pub struct Session {
    /// The agent's own number.
    concurrency_max: usize,
    settings: Settings,
    /// The host's own people want nothing new.
    drains: bool,
    /// The number that the host's own rules allow.
    allowed: Option<usize>,
    /// Between `Welcome` and the end of the connection.
    welcomed: bool,
    /// How far the server's clock is ahead of ours.
    ahead_ms: i64,
    /// Wait for a worker.
    offers: VecDeque<Offer>,
    /// Whether one was dropped in this connection, because too many wait.
    dropped: bool,
    attempts: BTreeMap<String, Attempt>,
    streams: Streams,
}

/// An attempt that is on disk, or is being put there.
#[derive(Debug, Clone, PartialEq)]
enum Attempt {
    /// What its steps download is being fetched. Nothing is promised.
    Fetching(Box<Fetching>),
    /// On its way to the disk. What came meanwhile is done when it is there.
    Keeping {
        offer: Offer,
        then: Then,
    },
    Accepted {
        expires_at: Timestamp,
    },
    /// A supervisor was started.
    Begun {
        started_at: Option<Timestamp>,
        cancelled: bool,
    },
    /// Its result is being written.
    Concluding,
    Finished {
        /// The server needs no more than its output.
        acknowledged: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Then {
    Accept,
    Cancel,
    Forget,
}

impl Session {
    pub fn new(concurrency_max: usize, recovered: impl IntoIterator<Item = Recovered>) -> Session {
        let mut streams = Streams::default();
        let attempts = recovered.into_iter().map(|recovered| match recovered {
            Recovered::Accepted(offer) => (offer.attempt, Attempt::Accepted { expires_at: offer.expires_at }),
            Recovered::Running(offer, at) => (offer.attempt, Attempt::Begun { started_at: Some(at), cancelled: false }),
            Recovered::Finished(offer, written) => {
                streams.written(&offer.attempt, &written);
                (offer.attempt, Attempt::Finished { acknowledged: false })
            }
        });
        let attempts = attempts.collect();
        Session {
            concurrency_max: concurrency_max.max(1),
            settings: Settings::default(),
            drains: false,
            allowed: None,
            welcomed: false,
            ahead_ms: 0,
            offers: VecDeque::new(),
            dropped: false,
            attempts,
            streams,
        }
    }

    /// Decides what follows from `input`. `now` is a clock of this host that nobody sets.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Vec<Action> {
        let mut actions = vec![];
        match input {
            Input::Connected => actions.push(Action::Hello(self.reports())),
            Input::Disconnected => {
                self.welcomed = false;
                // The server still owes these, and makes them again.
                self.offers.clear();
                self.dropped = false;
                self.stop_fetching(|_| true, &mut actions);
            }
            Input::Said(message) => self.said(message, now, &mut actions),
            Input::Prepared { attempt } => self.prepared(&attempt, &mut actions),
            Input::ContentKept { attempt, bytes } => self.content_kept(attempt, bytes, &mut actions),
            Input::Kept { attempt } => self.kept(attempt, &mut actions),
            Input::NotKept { attempt, cause } => self.not_taken(attempt, failure::UNDELIVERABLE, cause, &mut actions),
            Input::NotAllowed { attempt, cause } => {
                self.not_taken(attempt, failure::ACCESS_DENIED, cause, &mut actions)
            }
            Input::Began { attempt, at } => self.began(attempt, at, &mut actions),
            Input::Gone { attempt, began, words } => self.gone(attempt, began, words, &mut actions),
            Input::Finished { attempt, written } => {
                self.streams.written(&attempt, &written);
                self.attempts.insert(attempt.clone(), Attempt::Finished { acknowledged: false });
                self.say_result(attempt, &mut actions);
            }
            Input::Wrote { attempt, written } => self.wrote(&attempt, &written),
            Input::Unreadable(piece) => self.streams.unreadable(&piece),
            Input::Drain(drains) => self.drains = drains,
            Input::Allowed(concurrency_max) => self.allowed = concurrency_max,
            Input::Ticked => (),
        }
        self.expire(now, &mut actions);
        self.forget_done(now, &mut actions);
        self.take_offers(&mut actions);
        if !self.welcomed {
            actions.retain(|action| !matches!(action, Action::Say(_)));
        }
        actions
    }

    /// When [`Input::Ticked`] is next of use.
    pub fn wakes_at(&self) -> Option<Timestamp> {
        let expires_at = self.attempts.values().filter_map(|attempt| match attempt {
            Attempt::Accepted { expires_at } => Some(*expires_at),
            Attempt::Fetching(fetching) => Some(fetching.offer().expires_at),
            Attempt::Keeping { .. } | Attempt::Begun { .. } | Attempt::Concluding | Attempt::Finished { .. } => None,
        });
        let expires_at = expires_at.chain(self.offers.iter().map(|offer| offer.expires_at)).min();
        let here = expires_at.map(|at| Timestamp(at.0.saturating_sub(self.ahead_ms)));
        here.into_iter().chain(self.streams.wakes_at().filter(|_| self.welcomed)).min()
    }

    /// Whether nothing new is taken.
    pub fn is_draining(&self) -> bool {
        self.drains || self.settings.draining
    }

    /// How far the server's clock is ahead of the one that the session is given.
    pub fn ahead_ms(&self) -> i64 {
        self.ahead_ms
    }

    /// The next part of an output to say, taken as said. To be asked when there is nothing else to say.
    pub fn next_output(&mut self, now: Timestamp) -> Option<Piece> {
        if self.welcomed { self.streams.next(now) } else { None }
    }

    pub fn has_output(&self, now: Timestamp) -> bool {
        self.welcomed && self.streams.has_more(now)
    }

    /// Attempts that may be writing, while there is somebody to tell: to be looked at for [`Input::Wrote`].
    pub fn writing(&self) -> Vec<String> {
        let running = |attempt: &Attempt| matches!(attempt, Attempt::Begun { started_at: Some(_), .. });
        let running = self.attempts.iter().filter(|(_, attempt)| self.welcomed && running(attempt));
        running.map(|(attempt, _)| attempt.clone()).collect()
    }

    /// How many attempts are accepted and have not ended.
    pub fn busy(&self) -> usize {
        self.attempts.values().filter(|attempt| !matches!(attempt, Attempt::Finished { .. })).count()
    }

    /// Whether the server has let us in, in this connection.
    pub fn is_welcome(&self) -> bool {
        self.welcomed
    }

    fn said(&mut self, message: ToAgent, now: Timestamp, actions: &mut Vec<Action>) {
        match message {
            ToAgent::Welcome(welcome) => {
                self.welcomed = true;
                self.ahead_ms = welcome.server_time.0.saturating_sub(now.0);
                self.settings = welcome.settings;
                self.streams.connected();
                let finished = self.attempts.iter().filter(|(_, attempt)| matches!(attempt, Attempt::Finished { .. }));
                actions.extend(finished.map(|(attempt, _)| Action::SayResult { attempt: attempt.clone() }));
            }
            ToAgent::Refused { .. } => actions.push(Action::Close),
            ToAgent::Offer(offer) => self.offered(offer, actions),
            ToAgent::Go { attempt } => self.go(attempt, actions),
            ToAgent::Cancel { attempt } => self.cancel(attempt, actions),
            ToAgent::Acknowledged { attempt } => self.acknowledged(attempt, actions),
            ToAgent::OutputTaken(taken) => self.streams.taken(taken, now),
            ToAgent::Settings(settings) => self.settings = settings,
            ToAgent::Content(content) => self.content(content, actions),
            // Whoever carries messages has dealt with what they are about the connection itself.
            ToAgent::Challenge(_)
            | ToAgent::Signed(_)
            | ToAgent::KeyRotated { .. }
            | ToAgent::Pong
            | ToAgent::Unknown => (),
        }
    }

    fn offered(&mut self, offer: Offer, actions: &mut Vec<Action>) {
        let waits = self.offers.iter().any(|waiting| waiting.attempt == offer.attempt);
        match self.attempts.get(&offer.attempt) {
            None if waits => (),
            None if self.offers.len() >= OFFERS_MAX => self.dropped = true,
            None => self.offers.push_back(offer),
            Some(Attempt::Fetching(_) | Attempt::Keeping { .. } | Attempt::Concluding) => (),
            Some(Attempt::Accepted { .. }) => actions.push(say_accepted(offer.attempt)),
            Some(Attempt::Begun { started_at, .. }) => {
                actions.extend(started_at.map(|at| say_started(offer.attempt, at)))
            }
            Some(Attempt::Finished { .. }) => self.say_result(offer.attempt, actions),
        }
    }

    fn go(&mut self, attempt: String, actions: &mut Vec<Action>) {
        match self.attempts.get(&attempt) {
            Some(Attempt::Accepted { .. }) => {
                self.attempts.insert(attempt.clone(), Attempt::Begun { started_at: None, cancelled: false });
                actions.push(Action::Begin { attempt });
            }
            Some(Attempt::Begun { started_at, .. }) => actions.extend(started_at.map(|at| say_started(attempt, at))),
            Some(Attempt::Finished { .. }) => self.say_result(attempt, actions),
            // It was never accepted, or it is about to be told how it ended.
            None | Some(Attempt::Fetching(_) | Attempt::Keeping { .. } | Attempt::Concluding) => (),
        }
    }

    fn cancel(&mut self, attempt: String, actions: &mut Vec<Action>) {
        self.offers.retain(|offer| offer.attempt != attempt);
        self.stop_fetching(|offer| offer.attempt == attempt, actions);
        match self.attempts.get_mut(&attempt) {
            Some(Attempt::Keeping { then, .. }) => *then = Then::Cancel,
            Some(Attempt::Accepted { .. }) => self.conclude(attempt, cancelled_before(), actions),
            Some(Attempt::Begun { cancelled, .. }) => {
                *cancelled = true;
                actions.push(Action::Kill { attempt });
            }
            Some(Attempt::Finished { .. }) => self.say_result(attempt, actions),
            None | Some(Attempt::Fetching(_) | Attempt::Concluding) => (),
        }
    }

    fn acknowledged(&mut self, attempt: String, actions: &mut Vec<Action>) {
        self.offers.retain(|offer| offer.attempt != attempt);
        self.stop_fetching(|offer| offer.attempt == attempt, actions);
        match self.attempts.get_mut(&attempt) {
            Some(Attempt::Keeping { then, .. }) => *then = Then::Forget,
            Some(Attempt::Finished { acknowledged }) => *acknowledged = true,
            Some(Attempt::Accepted { .. }) => self.forget(attempt, actions),
            // Its end is still to be told, and to be acknowledged.
            None | Some(Attempt::Fetching(_) | Attempt::Begun { .. } | Attempt::Concluding) => (),
        }
    }

    /// Lets go of what is not here yet. Nothing was promised: the server offers it again if it wants to.
    fn stop_fetching(&mut self, which: impl Fn(&Offer) -> bool, actions: &mut Vec<Action>) {
        let stops = |stands: &Attempt| matches!(stands, Attempt::Fetching(fetching) if which(fetching.offer()));
        let stopped: Vec<String> =
            self.attempts.iter().filter(|(_, stands)| stops(stands)).map(|(attempt, _)| attempt.clone()).collect();
        for attempt in stopped {
            self.forget(attempt, actions);
        }
    }

    fn prepared(&mut self, attempt: &str, actions: &mut Vec<Action>) {
        if let Some(Attempt::Fetching(fetching)) = self.attempts.get(attempt) {
            actions.push(Action::Say(FromAgent::Fetch(fetching.wanted())));
        }
    }

    fn content(&mut self, content: Content, actions: &mut Vec<Action>) {
        match self.attempts.get_mut(&content.attempt) {
            Some(Attempt::Fetching(fetching)) if fetching.awaits(&content) => {
                actions.push(Action::KeepContent(fetching.take(content)));
            }
            // Asked for in another connection, or no longer wanted.
            _ => (),
        }
    }

    fn content_kept(&mut self, attempt: String, bytes: u64, actions: &mut Vec<Action>) {
        let Some(Attempt::Fetching(fetching)) = self.attempts.get_mut(&attempt) else { return };
        match fetching.kept(bytes) {
            Next::Nothing => (),
            Next::Fetch(wanted) => actions.push(Action::Say(FromAgent::Fetch(wanted))),
            Next::Complete => {
                let offer = fetching.offer().clone();
                actions.push(Action::Keep(offer.clone()));
                self.attempts.insert(attempt, Attempt::Keeping { offer, then: Then::Accept });
            }
        }
    }

    fn kept(&mut self, attempt: String, actions: &mut Vec<Action>) {
        let Some(Attempt::Keeping { offer, then }) = self.attempts.get(&attempt).cloned() else { return };
        self.attempts.insert(attempt.clone(), Attempt::Accepted { expires_at: offer.expires_at });
        match then {
            Then::Accept => actions.push(say_accepted(attempt)),
            Then::Cancel => self.conclude(attempt, cancelled_before(), actions),
            Then::Forget => self.acknowledged(attempt, actions),
        }
    }

    /// It never began and is nowhere on disk: this may be told without being kept.
    fn not_taken(&mut self, attempt: String, code: &str, cause: String, actions: &mut Vec<Action>) {
        // Of what was let go of meanwhile nothing need be said.
        if self.attempts.remove(&attempt).is_none() {
            return;
        }
        actions.push(Action::Forget { attempt: attempt.clone() });
        actions.push(Action::Say(FromAgent::Finished(Finished {
            attempt,
            ended: api::agent::Ended::Failure(because(code, cause)),
            stdout: String::new(),
            stderr: String::new(),
            stdout_truncated: false,
            stderr_truncated: false,
            started_at: None,
            finished_at: None,
            verdict: Default::default(),
            steps: vec![],
        })));
    }

    fn began(&mut self, attempt: String, at: Timestamp, actions: &mut Vec<Action>) {
        match self.attempts.get_mut(&attempt) {
            Some(Attempt::Begun { started_at, .. }) => *started_at = Some(at),
            // It was to end before it began, and a supervisor that an earlier agent started was faster.
            None | Some(Attempt::Concluding) => {
                self.attempts.insert(attempt.clone(), Attempt::Begun { started_at: Some(at), cancelled: true });
            }
            Some(
                Attempt::Fetching(_) | Attempt::Keeping { .. } | Attempt::Accepted { .. } | Attempt::Finished { .. },
            ) => return,
        }
        actions.push(say_started(attempt, at));
    }

    fn gone(&mut self, attempt: String, began: bool, words: String, actions: &mut Vec<Action>) {
        let cancelled = matches!(self.attempts.get(&attempt), Some(Attempt::Begun { cancelled: true, .. }));
        let failure = match (began, cancelled) {
            (true, _) => because(
                failure::INDETERMINATE,
                "the process that ran the script is gone, and left no result".to_owned(),
            ),
            (false, true) => cancelled_before(),
            (false, false) => because(failure::START_FAILED, format!("supervisor did not start: {words}")),
        };
        self.conclude(attempt, failure, actions);
    }

    fn conclude(&mut self, attempt: String, failure: Failure, actions: &mut Vec<Action>) {
        self.attempts.insert(attempt.clone(), Attempt::Concluding);
        actions.push(Action::Conclude { attempt, failure });
    }

    /// What has not begun by the time that the offer names never will.
    fn expire(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let server_now = Timestamp(now.0.saturating_add(self.ahead_ms));
        self.offers.retain(|offer| offer.expires_at > server_now);
        self.stop_fetching(|offer| offer.expires_at <= server_now, actions);
        let expired =
            |attempt: &Attempt| matches!(attempt, Attempt::Accepted { expires_at } if *expires_at <= server_now);
        let expired: Vec<String> =
            self.attempts.iter().filter(|(_, attempt)| expired(attempt)).map(|(id, _)| id.clone()).collect();
        for attempt in expired {
            self.conclude(
                attempt,
                because(failure::DELIVERY_TIMED_OUT, "it was not told to begin in time".to_owned()),
                actions,
            );
        }
    }

    fn wrote(&mut self, attempt: &str, written: &[Written]) {
        // A look that took longer than the attempt is of no use any more.
        if matches!(self.attempts.get(attempt), Some(Attempt::Begun { .. })) {
            self.streams.written(attempt, written);
        }
    }

    /// Lets go of what the server needs no more.
    fn forget_done(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let done = |(attempt, stands): &(&String, &Attempt)| {
            **stands == Attempt::Finished { acknowledged: true } && self.streams.is_done(attempt, now)
        };
        let done: Vec<String> = self.attempts.iter().filter(done).map(|(attempt, _)| attempt.clone()).collect();
        for attempt in done {
            self.forget(attempt, actions);
        }
    }

    fn forget(&mut self, attempt: String, actions: &mut Vec<Action>) {
        self.attempts.remove(&attempt);
        self.streams.forget(&attempt);
        actions.push(Action::Forget { attempt });
    }

    /// What people of the server and of the host allow.
    fn workers(&self) -> usize {
        let asked = self.settings.concurrency_max.map_or(usize::MAX, |asked| asked as usize);
        let allowed = self.allowed.unwrap_or(usize::MAX);
        if self.is_draining() { 0 } else { self.concurrency_max.min(asked).min(allowed) }
    }

    fn take_offers(&mut self, actions: &mut Vec<Action>) {
        // The server makes what was dropped again, in a new connection.
        if self.dropped && self.offers.is_empty() {
            self.dropped = false;
            actions.push(Action::Close);
        }
        while self.busy() < self.workers() {
            let Some(offer) = self.offers.pop_front() else { break };
            match Fetching::of(&offer) {
                Some(fetching) => {
                    self.attempts.insert(offer.attempt.clone(), Attempt::Fetching(Box::new(fetching)));
                    actions.push(Action::Prepare(offer));
                }
                None => {
                    let keeping = Attempt::Keeping { offer: offer.clone(), then: Then::Accept };
                    self.attempts.insert(offer.attempt.clone(), keeping);
                    actions.push(Action::Keep(offer));
                }
            }
        }
    }

    fn say_result(&self, attempt: String, actions: &mut Vec<Action>) {
        if self.welcomed {
            actions.push(Action::SayResult { attempt });
        }
    }

    /// What is on disk. An attempt on its way there is not: the server offers it again.
    fn reports(&self) -> Vec<AttemptReport> {
        let state = |attempt: &Attempt| match attempt {
            Attempt::Fetching(_) | Attempt::Keeping { .. } => None,
            Attempt::Accepted { .. } | Attempt::Begun { started_at: None, .. } | Attempt::Concluding => {
                Some(AttemptState::Accepted)
            }
            Attempt::Begun { started_at: Some(_), .. } => Some(AttemptState::Running),
            Attempt::Finished { .. } => Some(AttemptState::Finished),
        };
        let report = |(attempt, stands): (&String, &Attempt)| {
            Some(AttemptReport { attempt: attempt.clone(), state: state(stands)? })
        };
        self.attempts.iter().filter_map(report).collect()
    }
}

fn say_accepted(attempt: String) -> Action {
    Action::Say(FromAgent::Accepted { attempt })
}

fn say_started(attempt: String, started_at: Timestamp) -> Action {
    Action::Say(FromAgent::Started { attempt, started_at })
}

fn cancelled_before() -> Failure {
    because(failure::CANCELLED, "cancelled before it began".to_owned())
}

fn because(code: &str, message: String) -> Failure {
    Failure { code: code.to_owned(), message, exit_code: None }
}

#[cfg(test)]
mod tests;
