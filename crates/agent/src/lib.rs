//! The agent: runs on a host, connects out to a server, runs what it is offered, at most once.
//!
//! ```text
//!  server ◄──WebSocket──► run ──messages──► session ──actions──► run ──► journal (DATA/attempts)
//!                          │                                              ▲
//!                          └── spawns ──► supervisor ── runs ──► script   │
//!                                             └── starting, exit.json ────┘
//! ```
//!
//! **Invariant:** an attempt begins at most once. To begin is to create the file `starting`, which only one
//! process can; it is on disk before the script runs, and nobody ever removes it alone.
//!
//! **Invariant:** what is told is on disk. What cannot be known is told as `Agent.Indeterminate`.
//!
//! **Invariant:** a registered agent says nothing to a server that has not shown the key that it knows, and takes no offer
//! that the server has not signed.
//!
//! **Unix only.** What depends on the host stands in [`host`], [`journal`], [`cgroup`], `program` and `exec`, and what
//! decides ([`session`], [`streams`], [`fetching`], `steps`, `judge`) knows nothing of it. There is no Windows service
//! here and none was tried: it needs those five with job objects, impersonation and its own files, and a service's entry.
//!
//! **It does not know** state machines or schedules, listens on nothing, and offers the server no files.
//!
//! In reading order: [`journal`] (what is on disk), [`session`] (what follows from a message), [`streams`] (what of the
//! scripts' output the server has), [`fetching`] (what steps download), [`policy`] (what the host allows), [`supervisor`] (the process that runs one attempt) with `steps` (which step is
//! next), `program` (one program), `exec` (as whom, within which limits), [`cgroup`], [`spool`] (what it writes),
//! `judge` (what it comes to), [`download`] and `local_document`; [`enrolment`] (who this agent is to a server), [`tls`] (the way there),
//! [`link`] (the connection), `keyring` (which key proves it), [`mod@run`] (the loop that acts), [`doctor`] (what it needs
//! of its host), [`host`] (facts about
//! this machine).

pub mod journal;
pub mod session;
pub mod streams;
pub mod fetching;
pub mod policy;
pub mod supervisor;
mod steps;
mod program;
mod exec;
pub mod cgroup;
pub mod spool;
mod judge;
pub mod download;
mod local_document;
pub mod enrolment;
pub mod tls;
pub mod link;
mod keyring;
pub mod run;
pub mod doctor;
pub mod host;

pub use enrolment::{Enrol, EnrolError, Enrolled, register};
pub use exec::{EXEC, exec};
pub use keyring::KEY_AGE_MAX_DEFAULT;
pub use run::{Config, Error, run};
pub use supervisor::supervise;
