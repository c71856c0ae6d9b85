//! Notifications of commands' statuses: the port through which they leave, and how often that is tried.
//!
//! **Invariant:** a run is told that something was announced when that is so, or when it is given up. Until then it owes
//! the announcement, through any restart: who hears of it hears at least once.

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base::{Caller, Id, Timestamp};
use tokio::sync::Semaphore;

use crate::dispatch::World;
use crate::shard::Ask;

/// One status of a command, or of a command on one instance, for whom its [`fleet::Notification`] names.
#[derive(Debug, Clone)]
pub struct Notice {
    /// Whose command it is.
    pub caller: Caller,
    pub send: fleet::Send,
    pub requested: Timestamp,
    pub expires_after: Timestamp,
    pub announcement: fleet::Announcement,
}

/// What became of a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announced {
    Done,
    /// It will not be different the next time.
    Refused(String),
    /// Nobody was reached, or nobody had room for it.
    Again(String),
}

pub type Announcing<'a> = Pin<Box<dyn Future<Output = Announced> + Send + 'a>>;

/// Whoever publishes notices. Implemented at the edge.
pub trait Announcer: std::fmt::Debug + Send + Sync + 'static {
    fn announce<'a>(&'a self, notice: &'a Notice) -> Announcing<'a>;
}

/// Before a notice is tried a second time; twice as long before each further one.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// How long a notice is tried.
const GIVEN_UP_AFTER_SECONDS: i64 = 24 * 3_600;

/// Notices on their way at a time.
const ON_THEIR_WAY_MAX: usize = 50;

/// Notices that are being announced.
#[derive(Debug)]
pub(crate) struct Announcements {
    /// A run and a number of its own.
    pending: Mutex<HashSet<(Id, u64)>>,
    room: Semaphore,
}

impl Default for Announcements {
    fn default() -> Announcements {
        Announcements { pending: Mutex::default(), room: Semaphore::new(ON_THEIR_WAY_MAX) }
    }
}

impl Announcements {
    /// Whether nobody is at it already.
    fn begin(&self, key: (Id, u64)) -> bool {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).insert(key)
    }

    fn end(&self, key: (Id, u64)) {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
    }
}

impl World {
    /// Announces a status, however often it takes, and tells the run.
    pub(crate) fn announce(&self, id: Id, caller: &Caller, run: &fleet::Run, announcement: fleet::Announcement) {
        let number = announcement.number;
        let Some((send, requested)) = run.sent() else { return };
        if !self.announcements.begin((id, number)) {
            return;
        }
        let notice = Notice {
            caller: caller.clone(),
            send: send.clone(),
            requested,
            expires_after: run.expires_after().unwrap_or(requested),
            announcement,
        };
        let world = self.clone();
        tokio::spawn(async move {
            world.deliver(&notice).await;
            world.announcements.end((id, number));
            world.tell(id, Ask::Run(fleet::Command::Announced { number }));
        });
    }

    /// Until it is there, or is given up.
    async fn deliver(&self, notice: &Notice) {
        let Some(announcer) = &self.announcer else {
            tracing::warn!(command = %notice.send.command, "a notification was not published: this server has no Amazon SNS");
            return;
        };
        let end = notice.announcement.at.plus_seconds(GIVEN_UP_AFTER_SECONDS);
        let mut pause = PAUSE_MIN;
        loop {
            let answer = {
                let _room = self.announcements.room.acquire().await;
                announcer.announce(notice).await
            };
            let why = match answer {
                Announced::Done => return,
                Announced::Refused(why) => {
                    tracing::warn!(command = %notice.send.command, why, "a notification was refused");
                    return;
                }
                Announced::Again(why) => why,
            };
            if self.now() >= end {
                tracing::warn!(command = %notice.send.command, why, "a notification was given up");
                return;
            }
            tracing::debug!(command = %notice.send.command, why, "a notification is tried again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}
