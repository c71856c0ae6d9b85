//! Use cases about logs: groups, streams, and the events in them (`CloudWatch Logs API Reference`).
//!
//! What executions log comes by [`delivery`].
//!
//! A group and a stream are values; log events are a stream's facts, and are read from its chunks. What
//! keeps them in order of time is in [`read`], which of them are meant in [`pattern`].

pub(crate) mod group;
pub(crate) mod stream;
pub(crate) mod delivery;
mod steps;
mod read;
mod pattern;

use std::collections::BTreeSet;
use std::sync::Arc;

use base::{Caller, Id, Timestamp};
use bytes::Bytes;
use store::{Direction, IndexRow};

use crate::page::{Page, Paged};
use crate::refusal::{LogRefusal, Refusal};
use crate::shard::Ask;
use crate::{Runtime, keys, token};
pub use delivery::{LogAbout, LogForm, LogLevel};
use group::Group;
use pattern::Pattern;
use read::{Next, Place, Range, Reader, Wanted};
use stream::{Home, Line};

/// What CloudWatch Logs counts for an event beside its message.
pub(crate) const EVENT_BYTES: usize = 26;

/// One `PutLogEvents`, and one answer with events.
const BATCH_BYTES_MAX: usize = 1_048_576;
const BATCH_EVENTS_MAX: usize = 10_000;

/// A message.
const MESSAGE_BYTES_MAX: usize = 1_048_576 - EVENT_BYTES;

const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// How far ahead of the clock an event's time may be, and how far back.
const TOO_NEW_MS: i64 = 2 * HOUR_MS;
const TOO_OLD_MS: i64 = 14 * DAY_MS;

/// Events that one page of `FilterLogEvents` looks at: it may find none of them, and still there is a next page.
const LOOKED_AT_MAX: usize = 100_000;

/// Streams whose sizes are added up for a group's.
const STREAMS_ADDED_MAX: u32 = 1_000;

/// What a retention may be, in days (`PutRetentionPolicy`).
const RETENTION_DAYS: [u32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// `CreateLogGroup`.
#[derive(Debug, Clone)]
pub struct LogGroupCreate {
    pub name: String,
    /// `STANDARD` when not given.
    pub class: Option<String>,
    pub tags: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
pub struct LogGroup {
    pub name: String,
    /// Without the `:*` that means its streams.
    pub arn: String,
    pub class: String,
    pub created: Timestamp,
    pub retention_days: Option<u32>,
    pub stored_bytes: u64,
}

/// Which groups are wanted, by name; all when nothing is given.
#[derive(Debug, Clone, Default)]
pub struct LogGroupFilter {
    pub prefix: Option<String>,
    /// A part of the name, whatever its case.
    pub part: Option<String>,
}

#[derive(Debug, Clone)]
pub struct LogStream {
    pub name: String,
    pub arn: String,
    pub created: Timestamp,
    /// None while nothing was logged.
    pub span: Option<LogSpan>,
}

/// Times of a stream's first and last event, and when the latest came.
#[derive(Debug, Clone, Copy)]
pub struct LogSpan {
    pub first: Timestamp,
    pub last: Timestamp,
    pub ingested: Timestamp,
}

/// Which streams of a group are wanted, and in which order.
#[derive(Debug, Clone, Default)]
pub struct LogStreamFilter {
    pub prefix: Option<String>,
    pub by_time: bool,
    pub descending: bool,
}

/// An event as it comes.
#[derive(Debug, Clone)]
pub struct LogLine {
    pub at: Timestamp,
    pub message: String,
}

/// Which events of a batch were not taken, as `RejectedLogEventsInfo` tells it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rejected {
    /// From this one on.
    pub too_new_from: Option<usize>,
    /// Those before this one.
    pub too_old_until: Option<usize>,
    pub expired_until: Option<usize>,
}

/// An event as it is shown.
#[derive(Debug, Clone)]
pub struct LogEvent {
    pub id: String,
    pub stream: Arc<str>,
    pub at: Timestamp,
    pub ingested: Timestamp,
    pub message: Arc<str>,
}

/// `GetLogEvents`: a window onto one stream.
#[derive(Debug, Clone, Default)]
pub struct LogWindow {
    /// Included.
    pub from: Option<Timestamp>,
    /// Left out.
    pub until: Option<Timestamp>,
    pub limit: Option<u32>,
    pub token: Option<String>,
    pub from_head: bool,
}

/// Ascending events of a stream, and how to go on either way. At an end the token is the one that was given.
#[derive(Debug, Clone)]
pub struct LogPage {
    pub events: Vec<LogEvent>,
    pub forward: String,
    pub backward: String,
}

/// `FilterLogEvents`: which events of a group.
#[derive(Debug, Clone, Default)]
pub struct LogFilter {
    pub streams: Option<Vec<String>>,
    pub prefix: Option<String>,
    /// Both included.
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub pattern: Option<String>,
}

// Groups.
impl Runtime {
    pub async fn log_group_create(&self, caller: &Caller, create: LogGroupCreate) -> Result<(), Refusal> {
        let arn = group::arn(caller, &create.name);
        let class = create.class.unwrap_or_else(|| "STANDARD".to_owned());
        let command = group::Command::Create {
            name: create.name.into(),
            arn: arn.as_str().into(),
            class: class.into(),
            tags: create.tags,
        };
        self.log_group_ask(&arn, command).await
    }

    /// Deletes a group and everything in it.
    pub async fn log_group_delete(&self, caller: &Caller, name: &str) -> Result<(), Refusal> {
        self.log_group_ask(&group::arn(caller, name), group::Command::Delete).await
    }

    /// Keeps events for so many days; for ever when none are given.
    pub async fn log_group_retain(&self, caller: &Caller, name: &str, days: Option<u32>) -> Result<(), Refusal> {
        if days.is_some_and(|days| !RETENTION_DAYS.contains(&days)) {
            let all = RETENTION_DAYS.map(|days| days.to_string()).join(", ");
            return Err(invalid(format!(
                "1 validation error detected: Value '{}' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: [{all}]",
                days.unwrap_or_default()
            )));
        }
        self.log_group_ask(&group::arn(caller, name), group::Command::Retain(days)).await
    }

    pub async fn log_group_tag(&self, caller: &Caller, name: &str, tags: Vec<(String, String)>) -> Result<(), Refusal> {
        self.log_group_ask(&group::arn(caller, name), group::Command::Tag(tags)).await
    }

    pub async fn log_group_untag(&self, caller: &Caller, name: &str, keys: Vec<String>) -> Result<(), Refusal> {
        self.log_group_ask(&group::arn(caller, name), group::Command::Untag(keys)).await
    }

    pub async fn log_group_tags(&self, caller: &Caller, name: &str) -> Result<Vec<(String, String)>, Refusal> {
        Ok(self.log_group(caller, name).await?.tags)
    }

    /// By name, ascending.
    pub async fn log_group_list(
        &self,
        caller: &Caller,
        filter: LogGroupFilter,
        page: Page,
    ) -> Result<Paged<LogGroup>, Refusal> {
        let part = filter.part.map(|part| part.to_lowercase());
        let question = format!("log groups {} {} {:?} {part:?}", caller.account, caller.region, filter.prefix);
        let wanted = |row: &IndexRow| {
            let name = String::from_utf8_lossy(&row.at.key).to_lowercase();
            part.as_ref().is_none_or(|part| name.contains(part))
        };
        let list = Listing { list: keys::log_groups(caller), prefix: filter.prefix, direction: Direction::Forward };
        let (rows, next) = self.log_rows(&question, list, page, wanted).await?;
        let mut items = vec![];
        for row in rows {
            let group: group::Registered = serde_json::from_slice(&row.value).map_err(Refusal::internal)?;
            let stored_bytes = self.stored_bytes(&group).await?;
            items.push(LogGroup {
                name: group.name.to_string(),
                arn: group.arn.to_string(),
                class: group.class.to_string(),
                created: group.created,
                retention_days: group.retention_days,
                stored_bytes,
            });
        }
        Ok(Paged { items, next })
    }

    /// As AWS's, the number is an estimate: beyond so many streams the rest is left out.
    async fn stored_bytes(&self, group: &group::Registered) -> Result<u64, Refusal> {
        let list = keys::log_streams(&group.life().to_string());
        let rows = self.store().index(list, None, Direction::Forward, STREAMS_ADDED_MAX).await?;
        let streams = rows.iter().map(|row| serde_json::from_slice::<stream::Registered>(&row.value));
        streams.map(|stream| Ok(stream.map_err(Refusal::internal)?.bytes)).sum()
    }

    pub(crate) async fn log_group(&self, caller: &Caller, name: &str) -> Result<group::Registered, Refusal> {
        let head = self.store().head(keys::log_group(&group::arn(caller, name))).await?;
        let group = match head {
            Some(head) => serde_json::from_slice::<Group>(&head.header).map_err(Refusal::internal)?.now,
            None => None,
        };
        group.ok_or(LogRefusal::GroupMissing.into())
    }

    async fn log_group_ask(&self, arn: &str, command: group::Command) -> Result<(), Refusal> {
        self.ask(keys::log_group(arn), Ask::LogGroup(command)).await?;
        Ok(())
    }
}

// Streams.
impl Runtime {
    pub async fn log_stream_create(&self, caller: &Caller, group: &str, name: &str) -> Result<(), Refusal> {
        let home = Home::new(self.log_group(caller, group).await?.life(), name);
        self.ask(home.id(), Ask::LogStream(stream::Command::Create(home))).await?;
        Ok(())
    }

    pub async fn log_stream_delete(&self, caller: &Caller, group: &str, name: &str) -> Result<(), Refusal> {
        let home = Home::new(self.log_group(caller, group).await?.life(), name);
        self.ask(home.id(), Ask::LogStream(stream::Command::Delete)).await?;
        Ok(())
    }

    pub async fn log_stream_list(
        &self,
        caller: &Caller,
        group: &str,
        filter: LogStreamFilter,
        page: Page,
    ) -> Result<Paged<LogStream>, Refusal> {
        let group = self.log_group(caller, group).await?;
        let life = group.life().to_string();
        let list = match (filter.by_time, &filter.prefix) {
            (true, Some(_)) => {
                return Err(invalid("Cannot order by LastEventTime with a logStreamNamePrefix.".to_owned()));
            }
            (true, None) => keys::log_streams_by_time(&life),
            (false, _) => keys::log_streams(&life),
        };
        let direction = if filter.descending { Direction::Backward } else { Direction::Forward };
        let question = format!("log streams {life} {} {} {:?}", filter.by_time, filter.descending, filter.prefix);
        let list = Listing { list, prefix: filter.prefix, direction };
        let (rows, next) = self.log_rows(&question, list, page, |_| true).await?;
        let items = rows.iter().map(|row| {
            let stream: stream::Registered = serde_json::from_slice(&row.value).map_err(Refusal::internal)?;
            Ok(LogStream {
                arn: format!("{}:log-stream:{}", group.arn, stream.home.name),
                name: stream.home.name.to_string(),
                created: stream.created,
                span: stream.span.map(|span| LogSpan { first: span.first, last: span.last, ingested: span.ingested }),
            })
        });
        Ok(Paged { items: items.collect::<Result<_, Refusal>>()?, next })
    }

    /// A page of a list: rows whose key begins with the prefix and that are `wanted`.
    async fn log_rows(
        &self,
        question: &str,
        list: Listing,
        page: Page,
        wanted: impl Fn(&IndexRow) -> bool,
    ) -> Result<(Vec<IndexRow>, Option<String>), Refusal> {
        let now = self.inner.world.now();
        let mut after = match &page.token {
            Some(token) => Some(Bytes::from(token::read(question, token, now)?)),
            None => list.begin(),
        };
        let mut found: Vec<IndexRow> = vec![];
        loop {
            let rows = self.store().index(list.list.clone(), after.clone(), list.direction, page.limit + 1).await?;
            let last = rows.last().map(|row| row.at.key.clone());
            for row in rows {
                if !list.prefix.as_ref().is_none_or(|prefix| row.at.key.starts_with(prefix.as_bytes())) {
                    return Ok((found, None));
                }
                if !wanted(&row) {
                    continue;
                }
                if found.len() == page.limit as usize {
                    let next = found.last().map(|row| token::write(question, &row.at.key, now));
                    return Ok((found, next));
                }
                found.push(row);
            }
            match last {
                Some(last) => after = Some(last),
                None => return Ok((found, None)),
            }
        }
    }
}

/// A list in which names stand, and which of them are wanted.
struct Listing {
    list: Bytes,
    prefix: Option<String>,
    direction: Direction,
}

impl Listing {
    /// Where to begin, so that the first row is the first with the prefix. Keys are UTF-8, in which no byte is 0xff.
    fn begin(&self) -> Option<Bytes> {
        let mut key = self.prefix.as_ref().filter(|prefix| !prefix.is_empty())?.as_bytes().to_vec();
        if self.direction == Direction::Forward {
            let last = key.pop()?;
            key.push(last.saturating_sub(1));
        }
        key.push(0xff);
        Some(key.into())
    }
}

// Events.
impl Runtime {
    /// Adds events to a stream; those that are too new or too old are left out, and named.
    pub async fn log_events_put(
        &self,
        caller: &Caller,
        group: &str,
        stream: &str,
        lines: Vec<LogLine>,
    ) -> Result<Rejected, Refusal> {
        check_batch(&lines)?;
        let group = self.log_group(caller, group).await?;
        let home = Home::new(group.life(), stream);
        let now = self.inner.world.now();
        let (rejected, taken) = rejected(&lines, now, group.shown_since(now));
        let lines: Vec<Line> = lines
            .into_iter()
            .take(taken.end)
            .skip(taken.start)
            .map(|line| Line { at: line.at, message: line.message.into() })
            .collect();
        if lines.is_empty() {
            self.log_stream(&home).await?;
            return Ok(rejected);
        }
        self.ask(home.id(), Ask::LogStream(stream::Command::Put(lines))).await?;
        Ok(rejected)
    }

    /// Events of one stream, by time.
    pub async fn log_events_get(
        &self,
        caller: &Caller,
        group: &str,
        stream: &str,
        window: LogWindow,
    ) -> Result<LogPage, Refusal> {
        let group = self.log_group(caller, group).await?;
        let home = Home::new(group.life(), stream);
        let (id, born) = (home.id(), self.log_stream(&home).await?.born);
        let given = window.token.as_deref().map(|token| Cursor::read(token, id)).transpose()?;
        let direction = match &given {
            Some(cursor) => cursor.direction,
            None if window.from_head => Direction::Forward,
            None => Direction::Backward,
        };
        let from = window.from.unwrap_or(Timestamp(0)).max(group.shown_since(self.inner.world.now()));
        let (mut after, mut before) = (Place::before(from), Place::before(window.until.unwrap_or(Timestamp(i64::MAX))));
        let list = match direction {
            Direction::Forward => keys::log_events_by_begin(id, born),
            Direction::Backward => keys::log_events_by_end(id, born),
        };
        match &given {
            Some(Cursor { direction: Direction::Forward, place }) => after = after.max(*place),
            Some(Cursor { direction: Direction::Backward, place }) => before = before.min(*place),
            None => (),
        }
        let mut reader = Reader::new(self.store(), Range { list, after, before, direction }, Wanted::default());
        let (mut events, mut room) = (vec![], Room::new(window.limit));
        while let Next::Event(place, found) = reader.next().await? {
            if !room.takes(&found.message) {
                break;
            }
            events.push((place, shown(place, found)));
        }
        if direction == Direction::Backward {
            events.reverse();
        }
        // Where nothing was found, both ways go on from where this one began.
        let here = given.as_ref().map_or(after, |cursor| cursor.place);
        let (first, last) = match (events.first(), events.last()) {
            (Some((first, _)), Some((last, _))) => (*first, *last),
            _ => (here, here),
        };
        Ok(LogPage {
            forward: Cursor { direction: Direction::Forward, place: last }.write(),
            backward: Cursor { direction: Direction::Backward, place: first }.write(),
            events: events.into_iter().map(|(_, event)| event).collect(),
        })
    }

    /// Events of a group's streams together, by time.
    pub async fn log_events_filter(
        &self,
        caller: &Caller,
        group: &str,
        filter: LogFilter,
        page: Page,
    ) -> Result<Paged<LogEvent>, Refusal> {
        if filter.streams.is_some() && filter.prefix.is_some() {
            return Err(invalid("LogStreamNames and LogStreamNamePrefix may not be specified together.".to_owned()));
        }
        let group = self.log_group(caller, group).await?;
        let life = group.life();
        let now = self.inner.world.now();
        let question = format!("log events {life} {filter:?}");
        let pattern = Pattern::parse(filter.pattern.as_deref().unwrap_or("")).map_err(invalid)?;
        let from = filter.from.unwrap_or(Timestamp(0)).max(group.shown_since(now));
        let until = filter.until.map_or(Timestamp(i64::MAX), |until| Timestamp(until.0.saturating_add(1)));
        let mut after = Place::before(from);
        if let Some(token) = &page.token {
            let place = Place::of_key(&token::read(&question, token, now)?).ok_or(Refusal::InvalidToken)?;
            after = after.max(place);
        }
        let streams = filter.streams.as_ref();
        for name in streams.into_iter().flatten() {
            self.log_stream(&Home::new(life, name)).await?;
        }
        let wanted = Wanted {
            streams: streams.map(|names| names.iter().map(|name| name.as_str().into()).collect::<BTreeSet<_>>()),
            prefix: filter.prefix,
            ..Wanted::default()
        };
        let range = Range {
            list: keys::log_events_of_group(&life.to_string()),
            after,
            before: Place::before(until),
            direction: Direction::Forward,
        };
        let mut reader = Reader::new(self.store(), range, wanted);
        let (mut items, mut room, mut looked_at) = (vec![], Room::new(Some(page.limit)), 0);
        let mut last = after;
        let stopped = loop {
            match reader.next().await? {
                Next::End => break None,
                Next::Tired(place) => break Some(place.max(last)),
                Next::Event(..) if looked_at == LOOKED_AT_MAX => break Some(last),
                Next::Event(place, found) => {
                    looked_at += 1;
                    if pattern.matches(&found.message) {
                        if !room.takes(&found.message) {
                            break Some(last);
                        }
                        items.push(shown(place, found));
                    }
                    last = place;
                }
            }
        };
        let next = stopped.map(|place| token::write(&question, &place.key(), now));
        Ok(Paged { items, next })
    }

    async fn log_stream(&self, home: &Home) -> Result<stream::Registered, Refusal> {
        read::stream_at(self.store(), home.id()).await?.ok_or(LogRefusal::StreamMissing.into())
    }
}

fn invalid(why: String) -> Refusal {
    LogRefusal::InvalidParameter(why).into()
}

/// How much of an answer is left: events and bytes. The first event always has a place.
struct Room {
    events: usize,
    bytes: usize,
    begun: bool,
}

impl Room {
    fn new(limit: Option<u32>) -> Room {
        let events = limit.map_or(BATCH_EVENTS_MAX, |limit| limit as usize).min(BATCH_EVENTS_MAX);
        Room { events, bytes: BATCH_BYTES_MAX, begun: false }
    }

    fn takes(&mut self, message: &str) -> bool {
        let weight = message.len() + EVENT_BYTES;
        if self.events == 0 || (self.begun && weight > self.bytes) {
            return false;
        }
        self.begun = true;
        self.events -= 1;
        self.bytes = self.bytes.saturating_sub(weight);
        true
    }
}

fn shown(place: Place, found: read::Found) -> LogEvent {
    // 56 digits, as AWS's: events sort by them within a stream.
    let stream = place.stream.0 % 10_u128.pow(24);
    LogEvent {
        id: format!("{:016}{stream:024}{:016}", place.at.0, place.seq),
        stream: found.stream,
        at: place.at,
        ingested: found.ingested,
        message: found.message,
    }
}

/// A place in a stream and a way to go from it: `f/` or `b/`, 56 digits and `/s`.
#[derive(Debug, PartialEq)]
struct Cursor {
    direction: Direction,
    place: Place,
}

impl Cursor {
    fn write(&self) -> String {
        let way = match self.direction {
            Direction::Forward => 'f',
            Direction::Backward => 'b',
        };
        // Whether it stands before all of its instant, or at one of its events.
        let within = u8::from(self.place.stream != Id(0));
        format!("{way}/{within}{:019}{:036}/s", self.place.at.0.max(0), self.place.seq)
    }

    fn read(token: &str, stream: Id) -> Result<Cursor, Refusal> {
        let read = || {
            let digits = token.get(2..58).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
            let direction = match (token.get(..2)?, token.get(58..)?) {
                ("f/", "/s") => Direction::Forward,
                ("b/", "/s") => Direction::Backward,
                _ => return None,
            };
            let stream = if digits.starts_with('1') { stream } else { Id(0) };
            let at = Timestamp(digits[1..20].parse().ok()?);
            Some(Cursor { direction, place: Place { at, stream, seq: digits[20..].parse().ok()? } })
        };
        read().ok_or_else(|| invalid("The specified nextToken is invalid.".to_owned()))
    }
}

/// What CloudWatch Logs asks of a batch (`PutLogEvents`).
fn check_batch(lines: &[LogLine]) -> Result<(), Refusal> {
    let too_large = lines.iter().find(|line| line.message.len() > MESSAGE_BYTES_MAX);
    if let Some(line) = too_large {
        return Err(invalid(format!(
            "Log event too large: {} bytes exceeds limit of {BATCH_BYTES_MAX}",
            line.message.len() + EVENT_BYTES
        )));
    }
    if lines.windows(2).any(|pair| pair[0].at > pair[1].at) {
        return Err(invalid("Log events in a single PutLogEvents request must be in chronological order.".to_owned()));
    }
    let bytes: usize = lines.iter().map(|line| line.message.len() + EVENT_BYTES).sum();
    if bytes > BATCH_BYTES_MAX {
        return Err(invalid(format!("Upload too large: {bytes} bytes exceeds limit of {BATCH_BYTES_MAX}")));
    }
    match (lines.first(), lines.last()) {
        (Some(first), Some(last)) if last.at.0.saturating_sub(first.at.0) > DAY_MS => Err(invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.".to_owned(),
        )),
        _ => Ok(()),
    }
}

/// Which of `lines`, in order, are not taken, and which are.
fn rejected(lines: &[LogLine], now: Timestamp, shown_since: Timestamp) -> (Rejected, std::ops::Range<usize>) {
    let before = |at: i64| lines.partition_point(|line| line.at.0 < at);
    let until = lines.partition_point(|line| line.at.0 <= now.0.saturating_add(TOO_NEW_MS));
    let (too_old, expired) = (before(now.0 - TOO_OLD_MS), before(shown_since.0));
    let some = |end: usize| (end > 0).then_some(end);
    let rejected = Rejected {
        too_new_from: (until < lines.len()).then_some(until),
        too_old_until: some(too_old),
        expired_until: some(expired),
    };
    (rejected, too_old.max(expired)..until)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        let stream = Id(5);
        let at = Place { at: Timestamp(1_700_000_000_000), stream, seq: 42 };
        for place in [at, Place::before(Timestamp(7))] {
            for direction in [Direction::Forward, Direction::Backward] {
                let cursor = Cursor { direction, place };
                assert_eq!(Cursor::read(&cursor.write(), stream).expect("a cursor"), cursor);
            }
        }
        for garbage in ["", "f/", "x/1", "f/あ", &"f/0".repeat(30)] {
            assert!(Cursor::read(garbage, stream).is_err(), "{garbage}");
        }
    }

    #[test]
    fn what_is_out_of_time_is_named() {
        let now = Timestamp(100 * DAY_MS);
        let line = |at: i64| LogLine { at: Timestamp(at), message: String::new() };
        let lines = [line(now.0 - 20 * DAY_MS), line(now.0 - 5 * DAY_MS), line(now.0), line(now.0 + 3 * HOUR_MS)];
        let (rejected, taken) = rejected(&lines, now, Timestamp(now.0 - DAY_MS));
        assert_eq!(rejected, Rejected { too_new_from: Some(3), too_old_until: Some(1), expired_until: Some(2) });
        assert_eq!(taken, 2..3);
    }
}
