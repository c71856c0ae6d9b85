//! Following an execution: its states with their times, as they move.
//!
//! What is shown is a pure function of the events: [`screen`] for a terminal, [`Transcript`] for a pipe. The loop
//! only feeds them.
//!
//! Ctrl-C detaches; it never stops the execution.

use std::time::Duration;

use api::{Event, ExecutionSummary, Progress, StateProgress, StateStatus};
use base::{Json, Timestamp};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

use crate::args::{Follow, Format};
use crate::client::{Client, Message};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::ids::execution_path;
use crate::output::Out;
use crate::table::{Look, Table, Tone, clean, cut, state_key, width};
use crate::time::duration;
use crate::words::{Column, Say};

const REDRAW_INTERVAL: Duration = Duration::from_millis(100);
const TICK: Duration = Duration::from_secs(1);
/// How long a lost server is looked for.
const LOST_TIME_MAX: Duration = Duration::from_secs(120);
const RECONNECT_INTERVAL: Duration = Duration::from_millis(500);
const PENDING_EVENTS_MAX: usize = 256;
/// How much is told of a failure.
const REASON_COLUMNS_MAX: usize = 400;
const REASON_INVOCATIONS_MAX: usize = 3;
const REASON_LINES_MAX: usize = 5;

/// What is being followed.
#[derive(Debug, Clone)]
pub struct Title {
    pub definition: String,
    pub name: String,
    pub arn: String,
}

impl Title {
    pub fn of(summary: &ExecutionSummary) -> Title {
        Title { definition: summary.definition.clone(), name: summary.name.clone(), arn: summary.arn.clone() }
    }

    /// The short form that means no other execution: names are unique within a definition only.
    pub fn id(&self) -> String {
        format!("{}:{}", self.definition, self.name)
    }
}

/// How it is shown while it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    Screen,
    Lines,
    /// Each event as JSON.
    Events,
    Nothing,
}

impl Show {
    pub fn of(out: &Out) -> Show {
        match out.format {
            Format::Table if out.terminal => Show::Screen,
            Format::Table | Format::Tsv => Show::Lines,
            Format::Json | Format::Jsonl => Show::Events,
        }
    }
}

/// Follows an execution to its end, to the time given, or to Ctrl-C.
pub async fn follow(client: &Client, out: &Out, title: &Title, follow: &Follow, show: Show) -> Result<Exit, Fault> {
    let mut feed = Feed::start(client.clone(), title);
    let mut viewer =
        Viewer { out, title, show, progress: Progress::default(), transcript: Transcript::default(), drawn: 0 };
    let deadline = follow.timeout.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    if show == Show::Lines && out.format == Format::Tsv {
        out.data(&Change::header().tabbed(out.look.headers))?;
    }
    loop {
        tokio::select! {
            news = feed.next() => match news {
                Some(News::Event(event)) => viewer.event(&event)?,
                Some(News::Lost) => viewer.lost(),
                Some(News::Fault(fault)) => return Err(fault),
                None => return viewer.end(follow),
            },
            () = sleep(TICK) => {}
            _ = &mut interrupted => return Ok(viewer.detached()),
            () = until(deadline) => return Ok(viewer.timed_out()),
        }
        // What has come at once is shown at once.
        let pause = Instant::now() + REDRAW_INTERVAL;
        while let Ok(Some(News::Event(event))) = timeout_at(pause, feed.next_event()).await {
            viewer.event(&event)?;
        }
        viewer.draw()?;
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

enum News {
    Event(Box<Event>),
    Lost,
    Fault(Fault),
}

/// The execution's events, across lost connections. Ends after the last.
struct Feed {
    news: mpsc::Receiver<News>,
    /// Taken from the channel, but no event: left for [`Feed::next`].
    kept: Option<Option<News>>,
}

impl Feed {
    fn start(client: Client, title: &Title) -> Feed {
        let (sender, news) = mpsc::channel(PENDING_EVENTS_MAX);
        let path = format!("{}/events?follow=true", execution_path(&title.arn));
        tokio::spawn(async move {
            if let Err(fault) = pump(&client, &path, &sender).await {
                let _ = sender.send(News::Fault(fault)).await;
            }
        });
        Feed { news, kept: None }
    }

    async fn next(&mut self) -> Option<News> {
        match self.kept.take() {
            Some(kept) => kept,
            None => self.news.recv().await,
        }
    }

    /// The next, if it is an event.
    async fn next_event(&mut self) -> Option<News> {
        if self.kept.is_some() {
            return std::future::pending().await;
        }
        match self.news.recv().await {
            Some(News::Event(event)) => Some(News::Event(event)),
            other => {
                self.kept = Some(other);
                None
            }
        }
    }
}

/// Sends what the server tells until the execution has ended, beginning again where a connection was lost.
async fn pump(client: &Client, path: &str, sender: &mpsc::Sender<News>) -> Result<(), Fault> {
    let mut last: Option<String> = None;
    let mut lost: Option<Instant> = None;
    loop {
        match client.stream(path, last.as_deref()).await {
            Ok(mut stream) => {
                while let Some(message) = stream.next().await {
                    lost = None;
                    last = message.id.clone().or(last);
                    match read(&message)? {
                        Told::Event(event) => {
                            if sender.send(News::Event(event)).await.is_err() {
                                return Ok(());
                            }
                        }
                        Told::End => return Ok(()),
                        Told::Else => {}
                    }
                }
            }
            Err(fault) => give_up(fault, lost)?,
        }
        if lost.is_none() && sender.send(News::Lost).await.is_err() {
            return Ok(());
        }
        lost = lost.or(Some(Instant::now()));
        sleep(RECONNECT_INTERVAL).await;
    }
}

/// Gives the fault back when trying again is no use: it came at once, it will not pass, or it has lasted.
fn give_up(fault: Fault, lost: Option<Instant>) -> Result<(), Fault> {
    let passes = fault.exit() == Exit::Unreachable;
    match lost {
        Some(since) if passes && since.elapsed() < LOST_TIME_MAX => Ok(()),
        _ => Err(fault),
    }
}

enum Told {
    Event(Box<Event>),
    End,
    Else,
}

fn read(message: &Message) -> Result<Told, Fault> {
    let strange = |error: serde_json::Error| Fault::new(api::Code::AnswerStrange, "", error.to_string());
    match message.kind.as_str() {
        "event" => serde_json::from_str(&message.data).map(|event| Told::Event(Box::new(event))).map_err(strange),
        "error" => Err(serde_json::from_str::<api::Error>(&message.data).map_err(strange)?.into()),
        "end" => Ok(Told::End),
        _ => Ok(Told::Else),
    }
}

/// What has been seen, and what of it has been shown.
struct Viewer<'a> {
    out: &'a Out,
    title: &'a Title,
    show: Show,
    progress: Progress,
    transcript: Transcript,
    /// Lines on the screen that the next drawing replaces.
    drawn: usize,
}

impl Viewer<'_> {
    fn event(&mut self, event: &Event) -> Result<(), Fault> {
        self.progress.apply(event);
        match self.show {
            Show::Screen | Show::Nothing => Ok(()),
            Show::Events => self.out.json_line(event),
            Show::Lines => {
                let changes = self.transcript.changes(&self.progress, event.at);
                changes.iter().try_for_each(|change| self.out.data(&self.line(change)))
            }
        }
    }

    fn line(&self, change: &Change) -> String {
        match self.out.format {
            Format::Tsv => change.tabbed(),
            Format::Table | Format::Json | Format::Jsonl => change.shown(&self.out.look),
        }
    }

    fn lost(&mut self) {
        // The message stays; the drawing begins anew below it.
        self.drawn = 0;
        self.out.message(&self.out.say(Say::Reconnecting));
    }

    fn draw(&mut self) -> Result<(), Fault> {
        if self.show != Show::Screen {
            return Ok(());
        }
        let size = terminal_size::terminal_size();
        let (columns, rows) = size.map_or((80, 24), |(terminal_size::Width(columns), terminal_size::Height(rows))| {
            (columns.into(), rows.into())
        });
        let lines = screen(&self.progress, self.title, now(), Size { columns, rows }, &self.out.look);
        let mut text = match self.drawn {
            0 => String::new(),
            up => format!("\x1b[{up}A"),
        };
        for line in &lines {
            text.push_str(&format!("\r\x1b[2K{line}\n"));
        }
        text.push_str("\x1b[J");
        self.drawn = lines.len();
        self.out.data(&text)
    }

    fn end(mut self, follow: &Follow) -> Result<Exit, Fault> {
        self.draw()?;
        let Some((status, at)) = self.progress.ended else {
            // The stream ended before the execution: the server says so only when it must.
            return Ok(self.detached());
        };
        let took = duration(at.0 - self.progress.started.unwrap_or(at).0);
        if matches!(self.show, Show::Screen | Show::Lines) {
            let tone = Tone::of_status(status);
            self.out.message(
                &self
                    .out
                    .look
                    .paint(tone, &format!("{} {}", tone.symbol(), self.out.say(Say::Ended { status, took: &took }))),
            );
        }
        for line in reasons(self.progress.error.as_deref(), self.progress.cause.as_deref()) {
            self.out.message(&format!("  {line}"));
        }
        let exit = match Exit::of_status(status) {
            Exit::Ok if follow.warn_exit && self.progress.warned() => Exit::Warning,
            exit => exit,
        };
        if exit == Exit::ExecutionFailed {
            self.out.message(&self.out.say(Say::HowToSeeHistory { id: &self.title.id() }));
        }
        Ok(exit)
    }

    fn detached(&self) -> Exit {
        let (name, id) = (&self.title.name, &self.title.id());
        for say in [Say::Detached { name }, Say::HowToWatch { id }, Say::HowToStop { id }] {
            self.out.message(&self.out.say(say));
        }
        Exit::Interrupted
    }

    fn timed_out(&self) -> Exit {
        self.out.message(&self.out.say(Say::TimedOutWatching { name: &self.title.name }));
        Exit::StillRunning
    }
}

/// Why an execution ended, on few lines. A command's whole answer comes down to what its scripts said last.
pub fn reasons(error: Option<&str>, cause: Option<&str>) -> Vec<String> {
    let answer = cause.and_then(|cause| Json::parse(cause).ok());
    let invocations = answer.as_ref().and_then(|answer| answer.get("CommandInvocations")).and_then(Json::as_array);
    let Some(invocations) = invocations else {
        let texts = [error, cause].into_iter().flatten();
        return texts.map(|text| cut(&clean(text), REASON_COLUMNS_MAX)).collect();
    };
    let mut lines: Vec<String> = error.map(clean).into_iter().collect();
    let is_unsuccessful = |invocation: &&Json| invocation.get("Status").and_then(Json::as_str) != Some("Success");
    for invocation in invocations.iter().filter(is_unsuccessful).take(REASON_INVOCATIONS_MAX) {
        let text = |key| invocation.get(key).and_then(Json::as_str).unwrap_or("");
        let cause = if text("Cause").is_empty() { text("StatusDetails") } else { text("Cause") };
        lines.push(clean(&format!("{}: {cause}", text("InstanceId"))));
        let said: Vec<&str> = text("StandardErrorContent").lines().collect();
        let last = said.iter().skip(said.len().saturating_sub(REASON_LINES_MAX));
        lines.extend(last.map(|line| cut(&format!("| {}", clean(line)), REASON_COLUMNS_MAX)));
    }
    lines
}

pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// One state's new status.
#[derive(Debug, Clone)]
pub struct Change {
    at: Timestamp,
    state: StateProgress,
}

impl Change {
    fn length(&self) -> i64 {
        self.at.0 - self.state.entered.0
    }

    /// What the columns of [`Change::tabbed`] are.
    fn header() -> Table {
        Table::new([Column::Time, Column::Status, Column::State, Column::Duration, Column::Attempt, Column::Error])
    }

    fn tabbed(&self) -> String {
        let StateProgress { status, path, attempt, error, .. } = &self.state;
        let seconds = self.length();
        format!(
            "{}\t{}\t{}\t{}.{:03}\t{attempt}\t{}\n",
            self.at,
            state_key(*status),
            clean(path),
            seconds / 1000,
            seconds.rem_euclid(1000),
            clean(error.as_deref().unwrap_or_default())
        )
    }

    fn shown(&self, look: &Look) -> String {
        let mut line =
            format!("{}  {}  {}", look.clock.time(self.at), word(&self.state, look), clean(&self.state.path));
        if self.length() > 0 {
            line += &format!("  {}", duration(self.length()));
        }
        for note in notes(&self.state, look) {
            line += &format!("  {note}");
        }
        line + "\n"
    }
}

/// Which changes have been told.
#[derive(Debug, Default)]
pub struct Transcript {
    told: Vec<(StateStatus, u32)>,
    /// States that may still change.
    open: Vec<usize>,
}

impl Transcript {
    /// What has changed since the last call.
    pub fn changes(&mut self, progress: &Progress, at: Timestamp) -> Vec<Change> {
        let mut changes = vec![];
        for index in self.told.len()..progress.states.len() {
            let state = &progress.states[index];
            self.told.push((state.status, state.attempt));
            self.open.push(index);
            changes.push(Change { at, state: state.clone() });
        }
        let told = &mut self.told;
        self.open.retain(|&index| {
            let state = &progress.states[index];
            // The first attempt began with the state; only another is news.
            let news = told[index].0 != state.status || (told[index].1 != state.attempt && state.attempt > 1);
            if news {
                changes.push(Change { at, state: state.clone() });
            }
            told[index] = (state.status, state.attempt);
            state.left.is_none()
        });
        changes
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub columns: usize,
    pub rows: usize,
}

/// The lines that show an execution, at most so many and so wide.
pub fn screen(progress: &Progress, title: &Title, now: Timestamp, size: Size, look: &Look) -> Vec<String> {
    // One line is the title, and one is where the cursor stands.
    let room = size.rows.saturating_sub(2).max(1);
    let order = tree(&progress.states);
    let shown = chosen(&progress.states, &order, room);
    let mut lines = vec![headline(progress, title, now, size.columns, look)];
    lines.extend(picture(&progress.states, &shown, now, size.columns, look));
    if shown.len() < order.len() {
        lines.push(format!("  {}", look.say(Say::Hidden { count: order.len() - shown.len() })));
    }
    lines
}

/// Every state on a line of its own, however many and however wide.
pub fn whole(states: &[StateProgress], now: Timestamp, look: &Look) -> String {
    picture(states, &tree(states), now, usize::MAX, look).into_iter().map(|line| line + "\n").collect()
}

fn picture(states: &[StateProgress], shown: &[usize], now: Timestamp, columns: usize, look: &Look) -> Vec<String> {
    let rows: Vec<Row> = shown.iter().map(|&index| Row::of(&states[index], now, look)).collect();
    let widest = |part: fn(&Row) -> usize| rows.iter().map(part).max().unwrap_or(0);
    let (word_width, name_width) = (widest(|row| width(&row.word)), widest(|row| width(&row.name)).min(columns / 2));
    let line = |row: &Row| {
        let name = cut(&row.name, name_width);
        let (word_gap, name_gap) = (" ".repeat(word_width - width(&row.word)), " ".repeat(name_width - width(&name)));
        let plain = format!("  {}{word_gap}  {name}{name_gap}  {}", row.word, row.rest);
        // Cut first and coloured then: a colour has no width.
        let plain = cut(plain.trim_end(), columns);
        plain.replacen(&row.word, &look.paint(row.tone, &row.word), 1)
    };
    rows.iter().map(line).collect()
}

fn headline(progress: &Progress, title: &Title, now: Timestamp, columns: usize, look: &Look) -> String {
    let (status, end) = progress.ended.map_or((api::Status::Running, now), |(status, at)| (status, at));
    let tone = Tone::of_status(status);
    let word = format!("{} {}", tone.symbol(), look.say(Say::Status(status)));
    let took = duration(end.0 - progress.started.unwrap_or(end).0);
    let line = cut(&format!("{word}  {took}  {} / {}", clean(&title.definition), clean(&title.name)), columns);
    line.replacen(&word, &look.paint(tone, &word), 1)
}

struct Row {
    word: String,
    tone: Tone,
    name: String,
    rest: String,
}

impl Row {
    fn of(state: &StateProgress, now: Timestamp, look: &Look) -> Row {
        let took = duration(state.left.unwrap_or(now).0 - state.entered.0);
        let mut rest = format!("{}  {took:>6}", look.clock.time(state.entered));
        for note in notes(state, look) {
            rest += &format!("  {note}");
        }
        Row {
            word: word(state, look),
            tone: Tone::of_state(state.status),
            name: format!("{}{}", "  ".repeat(state.depth as usize), clean(&state.name)),
            rest,
        }
    }
}

fn word(state: &StateProgress, look: &Look) -> String {
    format!("{} {}", Tone::of_state(state.status).symbol(), look.say(Say::State(state.status)))
}

/// What else there is to say about a state: until when it waits, which attempt it is, what failed.
fn notes(state: &StateProgress, look: &Look) -> Vec<String> {
    let mut notes = vec![];
    if let (StateStatus::Waiting, Some(due)) = (state.status, state.due) {
        notes.push(look.say(Say::Until { time: &look.clock.time(due) }));
    }
    if state.attempt > 1 {
        notes.push(look.say(Say::Attempt { number: state.attempt }));
    }
    // What an attempt that runs now came after is in the history.
    notes.extend(state.error.as_deref().filter(|_| state.status != StateStatus::Running).map(clean));
    notes
}

/// The states in the order in which people read them: each Parallel and Map before what lies in it, branch by
/// branch.
fn tree(states: &[StateProgress]) -> Vec<usize> {
    let mut children: Vec<Vec<usize>> = vec![vec![]; states.len()];
    let mut stack = vec![];
    for (index, state) in states.iter().enumerate() {
        match state.parent {
            Some(parent) if parent < index => children[parent].push(index),
            _ => stack.push(index),
        }
    }
    for list in &mut children {
        list.sort_by_key(|&index| (states[index].frame, index));
    }
    stack.reverse();
    let mut order = Vec::with_capacity(states.len());
    while let Some(index) = stack.pop() {
        order.push(index);
        stack.extend(children[index].iter().rev());
    }
    order
}

/// At most `room` of the states, in order: those that fail and those that run first, then the latest.
fn chosen(states: &[StateProgress], order: &[usize], room: usize) -> Vec<usize> {
    if order.len() <= room {
        return order.to_vec();
    }
    let urgency = |status| match status {
        StateStatus::Failed => 0,
        StateStatus::Running | StateStatus::Waiting => 1,
        StateStatus::Warning => 2,
        StateStatus::Succeeded | StateStatus::Stopped => 3,
    };
    let mut wanted: Vec<usize> = order.to_vec();
    wanted.sort_by_key(|&index| {
        (urgency(states[index].status), std::cmp::Reverse(states[index].entered), std::cmp::Reverse(index))
    });
    // One line says how many are missing.
    wanted.truncate(room.saturating_sub(1));
    let mut keep = vec![false; states.len()];
    for index in wanted {
        keep[index] = true;
    }
    order.iter().copied().filter(|&index| keep[index]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::Lang;
    use crate::time::Clock;
    use api::execution::{Detail, Frames};
    use expect_test::{Expect, expect};

    /// The job net of the demo, as far as `until` seconds after its start. `SECOND FRAME TYPE [STATE] [FIRST+COUNT] [!ERROR]`.
    const NET: &str = "
        0 0 ExecutionStarted
        0 0 TaskStateEntered Webサーバー停止
        0 0 TaskScheduled
        2 0 TaskSucceeded
        2 0 TaskStateExited Webサーバー停止
        2 0 TaskStateEntered Stop-DB
        2 0 TaskScheduled
        3 0 TaskFailed !Agent.Killed
        3 0 RetryScheduled ~5
        5 0 TaskScheduled
        6 0 TaskSucceeded
        6 0 TaskStateExited Stop-DB
        6 0 ParallelStateEntered 両方
        6 0 ParallelStateStarted 1+2
        6 1 TaskStateEntered web
        6 1 TaskScheduled
        6 2 TaskStateEntered db
        6 2 TaskScheduled
        70 2 TaskFailed !ExitCode
        70 2 TaskStateAborted db
        70 1 TaskStateAborted web
        70 0 ParallelStateFailed
        70 0 ExecutionFailed !ExitCode";

    fn event(line: &str) -> Event {
        let words: Vec<&str> = line.split(' ').collect();
        let mut event = Event {
            id: 1,
            at: second(words[0].parse().expect("a second")),
            kind: words[2].to_owned(),
            frame: words[1].parse().expect("a frame"),
            state: None,
            detail: Detail::default(),
        };
        for word in &words[3..] {
            if let Some((first, count)) = word.split_once('+') {
                event.detail.frames =
                    Some(Frames { first: first.parse().expect("a frame"), count: count.parse().expect("a count") });
            } else if let Some(error) = word.strip_prefix('!') {
                event.detail.error = Some(error.to_owned());
            } else if let Some(due) = word.strip_prefix('~') {
                event.detail.due = Some(second(due.parse().expect("a second")));
            } else {
                event.state = Some((*word).to_owned());
            }
        }
        event
    }

    fn events(until: i64) -> Vec<Event> {
        NET.lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(event)
            .filter(|event| event.at <= second(until))
            .collect()
    }

    fn second(number: i64) -> Timestamp {
        Timestamp(1_795_402_800_000 + number * 1000)
    }

    fn look(lang: Lang) -> Look {
        Look { lang, colour: false, headers: true, clock: Clock::utc() }
    }

    fn check_screen(at: i64, lang: Lang, size: (usize, usize), expected: Expect) {
        let title = Title { definition: "backup-net".into(), name: "夜間-1".into(), arn: String::new() };
        let size = Size { columns: size.0, rows: size.1 };
        let lines = screen(&Progress::of(&events(at)), &title, second(at), size, &look(lang));
        assert!(lines.len() < size.rows, "taller than the terminal");
        assert!(lines.iter().all(|line| width(line) <= size.columns), "wider than the terminal");
        expected.assert_eq(&(lines.join("\n") + "\n"));
    }

    fn check_transcript(header: &str, lines: impl Fn(&Change) -> String, expected: Expect) {
        let (mut progress, mut transcript, mut text) = (Progress::default(), Transcript::default(), header.to_owned());
        for event in events(99) {
            progress.apply(&event);
            text.extend(transcript.changes(&progress, event.at).iter().map(&lines));
        }
        expected.assert_eq(&text);
    }

    #[test]
    fn the_screen_shows_states_with_their_times() {
        check_screen(
            4,
            Lang::En,
            (80, 24),
            expect![[r#"
            ▸ Running  4.0s  backup-net / 夜間-1
              ✓ Succeeded  Webサーバー停止  03:00:00    2.0s
              ◌ Waiting    Stop-DB          03:00:02    2.0s  until 03:00:05  Agent.Killed
        "#]],
        );
        check_screen(
            41,
            Lang::Ja,
            (80, 24),
            expect![[r#"
            ▸ 実行中  41s  backup-net / 夜間-1
              ✓ 正常終了  Webサーバー停止  03:00:00    2.0s
              ✓ 正常終了  Stop-DB          03:00:02    4.0s  試行 2
              ▸ 実行中    両方             03:00:06     35s
              ▸ 実行中      web            03:00:06     35s
              ▸ 実行中      db             03:00:06     35s
        "#]],
        );
        check_screen(
            99,
            Lang::En,
            (80, 24),
            expect![[r#"
            ✗ Failed  1m10s  backup-net / 夜間-1
              ✓ Succeeded  Webサーバー停止  03:00:00    2.0s
              ✓ Succeeded  Stop-DB          03:00:02    4.0s  attempt 2
              ✗ Failed     両方             03:00:06   1m04s  ExitCode
              ▪ Stopped      web            03:00:06   1m04s
              ✗ Failed       db             03:00:06   1m04s  ExitCode
        "#]],
        );
    }

    #[test]
    fn a_small_terminal_keeps_what_matters() {
        check_screen(
            41,
            Lang::Ja,
            (32, 5),
            expect![[r#"
            ▸ 実行中  41s  backup-net / 夜..
              ▸ 実行中    web  03:00:06   ..
              ▸ 実行中    db   03:00:06   ..
              ほか 3 件
        "#]],
        );
    }

    #[test]
    fn a_pipe_gets_one_line_for_each_change() {
        check_transcript(
            &Change::header().tabbed(true),
            Change::tabbed,
            expect![[r#"
            at	status	state	seconds	attempt	error
            2026-11-23T03:00:00.000Z	running	Webサーバー停止	0.000	0	
            2026-11-23T03:00:02.000Z	succeeded	Webサーバー停止	2.000	1	
            2026-11-23T03:00:02.000Z	running	Stop-DB	0.000	0	
            2026-11-23T03:00:03.000Z	failed	Stop-DB	1.000	1	Agent.Killed
            2026-11-23T03:00:03.000Z	waiting	Stop-DB	1.000	1	Agent.Killed
            2026-11-23T03:00:05.000Z	running	Stop-DB	3.000	2	Agent.Killed
            2026-11-23T03:00:06.000Z	succeeded	Stop-DB	4.000	2	
            2026-11-23T03:00:06.000Z	running	両方	0.000	0	
            2026-11-23T03:00:06.000Z	running	両方/0/web	0.000	0	
            2026-11-23T03:00:06.000Z	running	両方/1/db	0.000	0	
            2026-11-23T03:01:10.000Z	failed	両方/1/db	64.000	1	ExitCode
            2026-11-23T03:01:10.000Z	stopped	両方/0/web	64.000	1	
            2026-11-23T03:01:10.000Z	failed	両方	64.000	1	
        "#]],
        );
        check_transcript(
            "",
            |change| change.shown(&look(Lang::Ja)),
            expect![[r#"
            03:00:00  ▸ 実行中  Webサーバー停止
            03:00:02  ✓ 正常終了  Webサーバー停止  2.0s
            03:00:02  ▸ 実行中  Stop-DB
            03:00:03  ✗ 異常終了  Stop-DB  1.0s  Agent.Killed
            03:00:03  ◌ 待機  Stop-DB  1.0s  03:00:05 まで  Agent.Killed
            03:00:05  ▸ 実行中  Stop-DB  3.0s  試行 2
            03:00:06  ✓ 正常終了  Stop-DB  4.0s  試行 2
            03:00:06  ▸ 実行中  両方
            03:00:06  ▸ 実行中  両方/0/web
            03:00:06  ▸ 実行中  両方/1/db
            03:01:10  ✗ 異常終了  両方/1/db  1m04s  ExitCode
            03:01:10  ▪ 中断  両方/0/web  1m04s
            03:01:10  ✗ 異常終了  両方  1m04s
        "#]],
        );
    }

    #[test]
    fn a_failed_command_is_told_by_what_its_script_said_last() {
        let cause = r#"{"Command":{"Status":"Failed"},"CommandInvocations":[
            {"InstanceId":"mi-1","Status":"Success","Cause":""},
            {"InstanceId":"mi-2","Status":"Failed","Cause":"script exited with 1","StandardErrorContent":"a\nb\nc\nd\ne\nディスクがいっぱいです\n"}]}"#;
        expect![[r#"
            Agent.ExitCode
            mi-2: script exited with 1
            | b
            | c
            | d
            | e
            | ディスクがいっぱいです
        "#]]
        .assert_eq(&(reasons(Some("Agent.ExitCode"), Some(cause)).join("\n") + "\n"));
        assert_eq!(reasons(Some("My.Error"), Some("because")), ["My.Error", "because"]);
        assert_eq!(reasons(None, Some("x\x1b[2J")), ["x\u{fffd}[2J"]);
        assert!(reasons(None, None).is_empty());
    }

    #[test]
    fn only_what_passes_is_waited_for() {
        let lost = Some(Instant::now());
        let fault = |code| Fault::new(code, "", "");
        assert!(give_up(fault(api::Code::Unreachable), lost).is_ok());
        assert!(give_up(fault(api::Code::Unreachable), None).is_err());
        assert!(give_up(fault(api::Code::ExecutionNotFound), lost).is_err());
    }
}
