//! A fleet command: one SendCommand across instances, as a value.
//!
//! [`step`] decides, [`Run::apply`] remembers, and nothing here performs.
//!
//! ```text
//! Command ──► step(run, command, env) ──► Step { events, effects }
//! ```
//!
//! **It does not know** sockets, agents' addresses, stores or state machines. Who waits for a command is a
//! [`Waiter`], and an agent is an [`InstanceId`].
//!
//! **Invariant:** an attempt begins at most once. [`Effect::Go`] names only an attempt that its agent accepted;
//! after it, no other attempt of that invocation is made before that one has ended. What nobody can know ends as
//! `Agent.Indeterminate`, or as `Agent.Lost` where the agent is still unheard of.
//!
//! **Invariant:** an offer that was withdrawn, because another candidate is asked, is never told to go.
//!
//! **Invariant:** no IO, no clock, no randomness. Time comes in through [`Env`] and leaves in events, so a
//! replay needs neither.
//!
//! **Invariant:** an effect is never the only trace of a decision: [`Run::outstanding`] rebuilds all that is
//! still owed. What is *not* owed is an answer to someone who will ask again: [`Effect::Acknowledge`], and
//! [`Effect::Cancel`] for an attempt whose invocation has ended.
//!
//! In reading order: [`limits`], [`document`] (what to run), [`rate`] (on how many at a time), [`message`]
//! (commands, events, effects), [`status`] (in AWS's words), [`run`] (the value), [`step()`] (the rules),
//! [`output`] (what AWS shows of an output) and [`plugin`] (of each step), [`destination`] (where else it goes).

pub mod limits;
pub mod document;
pub mod rate;
pub mod message;
pub mod status;
pub mod run;
mod step;
pub mod output;
pub mod plugin;
pub mod destination;

pub use ::document::{Plan, Script, Verdict};
pub use message::{
    Announcement, AttemptId, AttemptState, Command, CommandId, Destinations, Effect, Ended, Event, Failure,
    FailureCode, InstanceId, Notification, NotificationEvent, Outcome, Per, Place, Refusal, Send, StepEnded,
    StepOutcome, Target, Waiter,
};
pub use plugin::Plugin;
pub use rate::Rate;
pub use run::{Alarm, Attempt, Counts, Delivery, Invocation, Run, Stage};
pub use status::{CommandStatus, InvocationStatus, Tally};
pub use step::{Env, Step, step};

#[cfg(test)]
mod tests;
