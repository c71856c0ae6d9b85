//! Business days and why they are: calendars, schedule rules, and AWS's own schedule expressions and change calendars.
//!
//! ```text
//! Definition, Feed ──► Shelf ──► Business: a date is open, closed or unknown, because …
//! Rule: anchor → shift → offset → exclusion → validity → merge → times ──► [Occurrence]
//! ```
//!
//! **It does not know** plans, runs or stores, and never what day it is: dates and instants come in. Time zones are
//! those of the database that is compiled in.
//!
//! **Invariant:** unknown is never open. What a calendar does not know (beyond its horizon, in a year of a feed that
//! nobody approved) holds a run and names the day; it is never counted.
//!
//! **Invariant:** an occurrence is its nominal dates. They come from the anchor alone wherever the days that it counts
//! are known, and each leads to at most one business date; asking for a stretch of days in two parts gives what asking
//! for it at once gives.
//!
//! **Invariant:** everything ends: texts, lists, recurrences, searches and answers each have a named `…_MAX`.
//!
//! In reading order: [`date`], [`zone`], [`clock`] (00:00 to 71:59), [`month`] (operational months), [`definition`] (a
//! calendar as written), [`holiday`] (feeds; Japan's national holidays), [`shelf`] (calendars with all that they name),
//! [`ical`] (iCalendar), [`change_calendar`] (of Systems Manager), [`cron`] (`cron`, `rate` and `at`), [`rule`] (schedule
//! rules: project, explain, lint).

pub mod date;
pub mod zone;
pub mod clock;
pub mod month;
pub mod definition;
pub mod holiday;
pub mod shelf;
pub mod ical;
pub mod change_calendar;
pub mod cron;
pub mod rule;

pub use change_calendar::ChangeCalendar;
pub use cron::{Dialect, Expression};
pub use definition::Definition;
pub use holiday::Feed;
pub use rule::{Schedule, ScheduleDefinition};
pub use shelf::{Business, Shelf, State};
