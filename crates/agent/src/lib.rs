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
//! **It does not know** state machines or schedules, listens on nothing, and offers the server no files.
//!
//! In reading order: [`journal`] (what is on disk), [`session`] (what follows from a message), [`supervisor`]
//! (the process that runs one script), [`link`] (the connection), [`mod@run`] (the loop that acts), [`host`]
//! (facts about this machine).

pub mod journal;
pub mod session;
pub mod supervisor;
pub mod link;
pub mod run;
pub mod host;

pub use link::{Handshake, Sign};
pub use run::{Config, Error, run};
pub use supervisor::supervise;
