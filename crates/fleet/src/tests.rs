//! Scripts: lines of commands in, events and effects out.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

use base::{Id, Timestamp};
use document::{Action, Job, Judgement, Limits, Plan, Program, Ranges, Retry, Verdict};
use expect_test::{Expect, expect};
use proptest::prelude::*;

use crate::{
    Announcement, AttemptId, AttemptState, Command, CommandId, CommandStatus, Effect, Ended, Env, Event, FailureCode,
    InstanceId, InvocationStatus, Notification, NotificationEvent, Outcome, Per, Place, Rate, Refusal, Run, Script,
    Send, Target, Waiter, limits, step,
};

/// Plays `script` and shows everything that came of it. `@120` moves the clock to second 120.
///
/// Checks after every line what must hold for any script; see [`Play::check`].
#[track_caller]
fn check(script: &str, expect: Expect) {
    let (mut play, mut out) = (Play::default(), String::new());
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        writeln!(out, "{line}").expect("a string takes text");
        if let Some(seconds) = line.strip_prefix('@') {
            play.now = Timestamp(0).plus_seconds(seconds.parse().expect("seconds"));
            continue;
        }
        if line == "show" {
            out.push_str(&play.show());
            continue;
        }
        match play.step(parse(line)) {
            Err(refusal) => writeln!(out, "  refused: {refusal}").expect("a string takes text"),
            Ok(step) => {
                step.events
                    .iter()
                    .for_each(|event| writeln!(out, "  + {}", event_text(event)).expect("a string takes text"));
                step.effects
                    .iter()
                    .for_each(|effect| writeln!(out, "  > {}", effect_text(effect)).expect("a string takes text"));
            }
        }
    }
    expect.assert_eq(&out);
}

#[derive(Default)]
struct Play {
    run: Run,
    history: Vec<Event>,
    now: Timestamp,
    accepted: BTreeSet<AttemptId>,
    /// Attempts that were told to go.
    gone: BTreeSet<AttemptId>,
    withdrawn: BTreeSet<AttemptId>,
    granted: BTreeSet<u32>,
}

impl Play {
    fn step(&mut self, command: Command) -> Result<crate::Step, Refusal> {
        let before = self.run.clone();
        let told = told_attempt(&command);
        match step(&mut self.run, command, Env { now: self.now }) {
            Err(refusal) => {
                assert_eq!(self.run, before, "refusal leaves no trace");
                Err(refusal)
            }
            Ok(step) => {
                self.accepted.extend(told);
                self.history.extend(step.events.iter().cloned());
                self.check_events(before.clone(), &step.events);
                self.check(&before.outstanding(), &step.effects);
                Ok(step)
            }
        }
    }

    /// What holds for any events: which of them may follow which.
    fn check_events(&mut self, mut run: Run, events: &[Event]) {
        for event in events {
            match event {
                Event::Withdrawn { instance, .. } => {
                    let attempt = run.attempt_at(instance).expect("what is withdrawn was offered").clone();
                    assert!(!self.gone.contains(&attempt), "{attempt} is withdrawn and may have begun");
                    self.withdrawn.insert(attempt);
                }
                Event::SlotGranted { place, .. } => drop(self.granted.insert(*place)),
                Event::Offered { instance, attempt, .. } => {
                    let place = run.place_of(instance).expect("it is there");
                    let invocation = run.at(place).expect("it is there");
                    let first = invocation.attempt().is_none() && invocation.offers == 0;
                    assert!(
                        !first || run.counts().error <= run.errors_max(),
                        "{attempt} is sent after too many errors"
                    );
                    assert!(!self.withdrawn.contains(attempt), "{attempt} was withdrawn");
                    let limited = run.wanted(place).is_some_and(|wanted| wanted.limited);
                    assert!(!limited || self.granted.contains(&place), "{attempt} is offered without a slot");
                }
                _ => (),
            }
            run.apply(event);
        }
        assert!(run.index.taken <= run.concurrency_max(), "more at a time than MaxConcurrency");
    }

    /// What holds for any script, after every line.
    fn check(&mut self, owed_before: &[Effect], effects: &[Effect]) {
        assert_eq!(Run::replay(&self.history), self.run, "replay is live");
        let stored = serde_json::to_string(&self.run).expect("written");
        assert_eq!(serde_json::from_str::<Run>(&stored).expect("read"), self.run, "what follows is found again");
        let owed = self.run.outstanding();
        for effect in &owed {
            assert!(
                owed_before.contains(effect) || effects.contains(effect),
                "{effect:?} is owed and was not asked for"
            );
        }
        for effect in effects {
            let ended = |attempt: &AttemptId| !owed.iter().any(|owed| owed_attempt(owed) == Some(attempt));
            let held = match effect {
                Effect::Acknowledge { .. } | Effect::ClearTimer { .. } => true,
                Effect::Cancel { attempt, .. } => owed.contains(effect) || ended(attempt),
                Effect::Offer { .. }
                | Effect::Go { .. }
                | Effect::SetTimer { .. }
                | Effect::Notify { .. }
                | Effect::AcquireSlot { .. }
                | Effect::Announce { .. }
                | Effect::DeliverOutput { .. } => owed.contains(effect),
                Effect::ReleaseSlot { place, .. } => {
                    let slot = self.run.at(*place).and_then(|invocation| invocation.slot);
                    owed.contains(effect) || slot.is_none()
                }
            };
            assert!(held, "{effect:?} was asked for and is not owed: {owed:?}");
            if let Effect::Go { attempt, .. } = effect {
                assert!(self.accepted.contains(attempt), "{attempt} may go without having been accepted");
                assert!(!self.withdrawn.contains(attempt), "{attempt} may go and was withdrawn");
                self.gone.insert(attempt.clone());
            }
        }
        let told = |effect: &Effect| !matches!(effect, Effect::SetTimer { .. });
        assert_eq!(self.run.owes(), !self.run.is_terminal() && self.run.sent().is_some() || owed.iter().any(told));
        if self.run.is_terminal() {
            let told = |effect: &Effect| {
                matches!(
                    effect,
                    Effect::Notify { .. }
                        | Effect::DeliverOutput { .. }
                        | Effect::ReleaseSlot { .. }
                        | Effect::Announce { .. }
                )
            };
            assert!(owed.iter().all(told), "an ended run owes {owed:?}");
            assert!(self.run.status().is_terminal());
        } else if self.run.sent().is_some() {
            let awake =
                owed.iter().any(|effect| matches!(effect, Effect::SetTimer { .. } | Effect::AcquireSlot { .. }));
            assert!(awake, "an open run always has something that wakes it");
            let mut asking = self.run.invocations().iter().filter(|it| it.stage == crate::Stage::AwaitingSlot);
            let woken = |alarm: crate::run::Alarm| owed.contains(&alarm.set());
            assert!(
                asking.all(|it| it.alarm().is_some_and(woken)),
                "whoever awaits a slot is woken when its time ends"
            );
        }
    }

    fn show(&self) -> String {
        let counts = self.run.counts();
        let status = self.run.status();
        let mut out = format!(
            "  command {}/{} target {} completed {} errors {} undelivered {}\n",
            status.status(),
            status.details(),
            counts.target,
            counts.completed,
            counts.error,
            counts.delivery_timed_out
        );
        for invocation in self.run.invocations() {
            let status = invocation.status();
            write!(
                out,
                "  {} {}/{} code {}",
                invocation.instance,
                status.status(),
                status.details(),
                invocation.response_code()
            )
            .expect("text");
            if let Some(failure) = invocation.outcome().and_then(Outcome::failure) {
                write!(out, " {}: {}", failure.code, failure.cause).expect("text");
            }
            for earlier in invocation.attempts() {
                write!(out, " (earlier: {} {:?})", earlier.attempt, earlier.outcome.ended).expect("text");
            }
            out.push_str(if invocation.is_pending_indeterminate() { " (unheard of)\n" } else { "\n" });
        }
        out
    }
}

/// The attempt whose agent said that it accepted, in whatever words.
fn told_attempt(command: &Command) -> Option<AttemptId> {
    match command {
        Command::AgentAccepted { attempt }
        | Command::AgentStarted { attempt }
        | Command::AgentReported { attempt, state: AttemptState::Accepted | AttemptState::Running } => {
            Some(attempt.clone())
        }
        _ => None,
    }
}

fn owed_attempt(effect: &Effect) -> Option<&AttemptId> {
    match effect {
        Effect::Offer { attempt, .. } | Effect::Go { attempt, .. } | Effect::Cancel { attempt, .. } => Some(attempt),
        Effect::Acknowledge { .. }
        | Effect::SetTimer { .. }
        | Effect::ClearTimer { .. }
        | Effect::Notify { .. }
        | Effect::AcquireSlot { .. }
        | Effect::ReleaseSlot { .. }
        | Effect::Announce { .. }
        | Effect::DeliverOutput { .. } => None,
    }
}

fn instance(name: &str) -> InstanceId {
    InstanceId::from(name)
}

/// `a`, or `a.2` for another than the first.
fn attempt(name: &str) -> AttemptId {
    let (name, number) = name.split_once('.').unwrap_or((name, "1"));
    AttemptId::new(&CommandId::from("c"), &instance(name), number.parse().expect("a number"))
}

/// `a,b|c`: a place on `a`, and one on `b` or else on `c`.
fn places(text: &str) -> Vec<Place> {
    let names = text.split(',').filter(|name| !name.is_empty());
    names.map(|name| Place { candidates: name.split('|').map(instance).collect(), ..Place::on(instance("")) }).collect()
}

/// A job that is tried again after exit codes up to 9: `TIMES:INTERVAL`.
fn retrying(text: &str) -> Plan {
    let (times, interval) = text.split_once(':').expect("times and interval");
    let retry = Retry {
        codes: Ranges(vec![(1, 9)]),
        times: times.parse().expect("a number"),
        interval_seconds: interval.parse().expect("seconds"),
    };
    job(|job| job.retry = Some(retry))
}

fn job(change: impl FnOnce(&mut Job)) -> Plan {
    let mut job = Job {
        program: Program::File("/bin/true".to_owned()),
        arguments: vec![],
        user: None,
        working_directory: String::new(),
        environment: vec![],
        secrets: vec![],
        stdin: None,
        execution_timeout_seconds: 600,
        limits: Limits::default(),
        judgement: Judgement::default(),
        retry: None,
        lost_after_seconds: None,
    };
    change(&mut job);
    Plan { steps: vec![document::Step::new("job", Action::Job(Box::new(job)))] }
}

const WAITER: Waiter = Waiter { execution: Id(7), task: 3 };

/// `send a,b concurrency=1 errors=0 timeout=60 waiter`; `accept a`; `finish a 3`; `finish a Agent.TimedOut`; ...
fn parse(line: &str) -> Command {
    let words: Vec<&str> = line.split(' ').collect();
    let word = |at: usize| words.get(at).copied().unwrap_or_default();
    let list = |text: &str| text.split(',').filter(|name| !name.is_empty()).map(instance).collect();
    match words[0] {
        "send" => Command::Send(Box::new(words[2..].iter().fold(send(places(words[1])), |mut send, option| {
            match option.split_once('=').unwrap_or((option, "")) {
                ("concurrency", rate) => send.max_concurrency = Rate::parse_concurrency(rate).expect("a rate"),
                ("errors", rate) => send.max_errors = Rate::parse_errors(rate).expect("a rate"),
                ("timeout", seconds) => send.timeout_seconds = seconds.parse().expect("seconds"),
                ("waiter", _) => send.waiter = Some(WAITER),
                ("retry", retry) => send.plan = Arc::new(retrying(retry)),
                ("patience", seconds) => {
                    let seconds = seconds.parse().expect("seconds");
                    send.plan = Arc::new(job(|job| job.lost_after_seconds = Some(seconds)));
                }
                ("targeted", _) => send.targets = vec![Target { key: "tag:a".to_owned(), values: vec![] }],
                ("limited", _) => send.places.iter_mut().for_each(|place| {
                    (place.group, place.limited) = (Some("g".into()), true);
                }),
                ("unfit", at) => send.places[at.parse::<usize>().expect("a number")].unfit = true,
                ("notify", per) => {
                    let per = if per == "Command" { Per::Command } else { Per::Invocation };
                    let events = vec![NotificationEvent::All];
                    send.notification = Some(Notification { arn: "arn".to_owned(), events, per });
                }
                ("bucket", name) => send.destinations.bucket = name.to_owned(),
                (other, _) => panic!("no such option: {other}"),
            }
            send
        }))),
        "accept" => Command::AgentAccepted { attempt: attempt(word(1)) },
        "start" => Command::AgentStarted { attempt: attempt(word(1)) },
        "finish" => Command::AgentFinished { attempt: attempt(word(1)), outcome: outcome(word(2)) },
        "report" => Command::AgentReported { attempt: attempt(word(1)), state: state(word(2)) },
        "lost" => Command::AgentLost { instance: instance(word(1)) },
        "deregister" => Command::Deregistered { instance: instance(word(1)) },
        "fire" => Command::Fire { timer: word(1).parse().expect("a timer") },
        "cancel" => Command::Cancel { instances: list(word(1)) },
        "notified" => Command::Notified { waiter: WAITER },
        "hinder" => {
            let failure = outcome("Agent.StartFailed").failure().expect("it failed");
            Command::Hindered { attempt: attempt(word(1)), failure }
        }
        "grant" => Command::SlotGranted { place: word(1).parse().expect("a place") },
        "released" => Command::SlotReleased { place: word(1).parse().expect("a place") },
        "announced" => Command::Announced { number: word(1).parse().expect("a number") },
        "delivered" => Command::OutputDelivered {
            instance: instance(word(1)),
            problem: Some(word(2).to_owned()).filter(|problem| !problem.is_empty()),
        },
        other => panic!("no such command: {other}"),
    }
}

fn send(places: Vec<Place>) -> Send {
    let alone = places.iter().all(|place| place.candidates.len() == 1);
    let instances = places.iter().filter(|_| alone).map(|place| place.candidates[0].clone()).collect();
    let script = Script {
        text: "true\n".to_owned(),
        working_directory: String::new(),
        execution_timeout_seconds: 600,
        environment: vec![],
    };
    Send { timeout_seconds: 60, places, ..Send::new(CommandId::from("c"), instances, crate::Plan::shell(script)) }
}

fn outcome(word: &str) -> Outcome {
    match word.parse() {
        Ok(code) => Outcome {
            started_at: Some(Timestamp(1)),
            finished_at: Some(Timestamp(2)),
            ..Outcome::of(Ended::ExitCode(code))
        },
        Err(_) => Outcome::failed(FailureCode::parse(word), "because"),
    }
}

fn state(word: &str) -> AttemptState {
    match word {
        "never" => AttemptState::NeverStarted,
        "accepted" => AttemptState::Accepted,
        "running" => AttemptState::Running,
        "finished" => AttemptState::Finished,
        "indeterminate" => AttemptState::Indeterminate,
        "unknown" => AttemptState::Unknown,
        other => panic!("no such state: {other}"),
    }
}

fn event_text(event: &Event) -> String {
    let ended = |outcome: &Arc<Outcome>| match &outcome.ended {
        Ended::ExitCode(code) => format!("exit {code}"),
        Ended::Failure(failure) => format!("{} ({})", failure.code, failure.cause),
    };
    let alarm = |timer: &u64, due: &Timestamp| format!("timer {timer} at {}", due.0 / 1000);
    match event {
        Event::Sent { send, .. } => format!("sent {} to {}", send.command, send.places.len()),
        Event::Offered { instance, attempt, timer, due, .. } => {
            format!("offered {instance} as {attempt}, {}", alarm(timer, due))
        }
        Event::Accepted { instance, timer, due, .. } => format!("accepted {instance}, {}", alarm(timer, due)),
        Event::Started { instance, timer, due, .. } => format!("started {instance}, {}", alarm(timer, due)),
        Event::Returned { instance, timer, due, .. } => format!("returned {instance}, {}", alarm(timer, due)),
        Event::Lost { instance, .. } => format!("lost {instance}"),
        Event::Found { instance, .. } => format!("found {instance}"),
        Event::CancelRequested { instance, .. } => format!("cancel requested {instance}"),
        Event::CancelRequestedWhole { .. } => "cancel requested".to_owned(),
        Event::Finished { instance, decider, outcome, .. } => {
            format!("finished {instance} by {decider:?}: {}", ended(outcome))
        }
        Event::ReportedLate { instance, outcome, .. } => format!("reported late {instance}: {}", ended(outcome)),
        Event::Ended { status, .. } => format!("ended {status:?}"),
        Event::Notified { .. } => "notified".to_owned(),
        Event::Withdrawn { instance, next, .. } => format!("withdrawn {instance}, next {next}"),
        Event::AttemptEnded { instance, outcome, timer, due, .. } => {
            format!("attempt ended {instance}: {}, {}", ended(outcome), alarm(timer, due))
        }
        Event::SlotAsked { place, alarm: until, .. } => {
            let until = until.map(|until| format!(", {}", alarm(&until.timer, &until.due)));
            format!("slot asked {place}{}", until.unwrap_or_default())
        }
        Event::SlotGranted { place, .. } => format!("slot granted {place}"),
        Event::SlotReleased { place, .. } => format!("slot released {place}"),
        Event::StatusReached { announcement } => format!("reached {}", announced(announcement)),
        Event::Announced { number, .. } => format!("announced {number}"),
        Event::OutputDelivered { instance, problem, .. } => format!("output delivered {instance}: {problem:?}"),
    }
}

fn announced(announcement: &Announcement) -> String {
    let whose = announcement.instance.as_ref().map_or("command", |instance| &instance.0);
    format!("{} {whose} {}/{}", announcement.number, announcement.status, announcement.details)
}

fn effect_text(effect: &Effect) -> String {
    match effect {
        Effect::Offer { instance, attempt, expires_at, .. } => {
            format!("offer {instance} {attempt} until {}", expires_at.0 / 1000)
        }
        Effect::Go { attempt, .. } => format!("go {attempt}"),
        Effect::Cancel { attempt, .. } => format!("cancel {attempt}"),
        Effect::Acknowledge { attempt, .. } => format!("acknowledge {attempt}"),
        Effect::SetTimer { timer, due } => format!("set timer {timer} at {}", due.0 / 1000),
        Effect::ClearTimer { timer, .. } => format!("clear timer {timer}"),
        Effect::Notify { waiter } => format!("notify task {}", waiter.task),
        Effect::AcquireSlot { place, group } => format!("acquire slot {place} of {group}"),
        Effect::ReleaseSlot { place, group } => format!("release slot {place} of {group}"),
        Effect::Announce { announcement } => format!("announce {}", announced(announcement)),
        Effect::DeliverOutput { attempt, .. } => format!("deliver output {attempt}"),
    }
}

#[test]
fn an_output_is_owed_until_it_is_delivered_or_cannot_be() {
    check(
        "
        send a,b,c bucket=night concurrency=2
        delivered a
        accept a
        finish a 0
        cancel b,c
        delivered b
        delivered a AccessDenied
        delivered a
        delivered d
        ",
        expect![[r#"
            send a,b,c bucket=night concurrency=2
              + sent c to 3
              + offered a as c.a.1, timer 0 at 60
              + offered b as c.b.1, timer 1 at 60
              > offer a c.a.1 until 60
              > set timer 0 at 60
              > offer b c.b.1 until 60
              > set timer 1 at 60
            delivered a
            accept a
              + accepted a, timer 2 at 780
              > go c.a.1
              > clear timer 0
              > set timer 2 at 780
            finish a 0
              + finished a by Agent: exit 0
              + offered c as c.c.1, timer 3 at 60
              > clear timer 2
              > deliver output c.a.1
              > acknowledge c.a.1
              > offer c c.c.1 until 60
              > set timer 3 at 60
            cancel b,c
              + finished b by Server: Agent.Cancelled (cancelled before it began)
              + finished c by Server: Agent.Cancelled (cancelled before it began)
              + ended Incomplete
              > clear timer 1
              > deliver output c.b.1
              > acknowledge c.b.1
              > clear timer 3
              > deliver output c.c.1
              > acknowledge c.c.1
            delivered b
              + output delivered b: None
            delivered a AccessDenied
              + output delivered a: Some("AccessDenied")
            delivered a
            delivered d
              refused: instance d is not part of this command
        "#]],
    );
}

#[test]
fn happy_path() {
    check(
        "
        send a waiter
        show
        @1
        accept a
        @2
        start a
        show
        @3
        finish a 0
        show
        notified
        ",
        expect![[r#"
            send a waiter
              + sent c to 1
              + offered a as c.a.1, timer 0 at 60
              > offer a c.a.1 until 60
              > set timer 0 at 60
            show
              command Pending/Pending target 1 completed 0 errors 0 undelivered 0
              a Pending/Pending code -1
            @1
            accept a
              + accepted a, timer 1 at 780
              > go c.a.1
              > clear timer 0
              > set timer 1 at 780
            @2
            start a
              + started a, timer 2 at 722
              > clear timer 1
              > set timer 2 at 722
            show
              command InProgress/InProgress target 1 completed 0 errors 0 undelivered 0
              a InProgress/InProgress code -1
            @3
            finish a 0
              + finished a by Agent: exit 0
              + ended Success
              > clear timer 2
              > acknowledge c.a.1
              > notify task 3
            show
              command Success/Success target 1 completed 1 errors 0 undelivered 0
              a Success/Success code 0
            notified
              + notified
        "#]],
    );
}

#[test]
fn everything_may_be_said_twice() {
    check(
        "
        send a waiter
        send a
        accept a
        accept a
        start a
        start a
        accept a
        finish a 3
        finish a 3
        start a
        accept a
        notified
        notified
        show
        ",
        expect![[r#"
            send a waiter
              + sent c to 1
              + offered a as c.a.1, timer 0 at 60
              > offer a c.a.1 until 60
              > set timer 0 at 60
            send a
              refused: command has already been sent
            accept a
              + accepted a, timer 1 at 780
              > go c.a.1
              > clear timer 0
              > set timer 1 at 780
            accept a
              > go c.a.1
            start a
              + started a, timer 2 at 720
              > clear timer 1
              > set timer 2 at 720
            start a
            accept a
            finish a 3
              + finished a by Agent: exit 3
              + ended Failed
              > clear timer 2
              > acknowledge c.a.1
              > notify task 3
            finish a 3
              > acknowledge c.a.1
            start a
              > cancel c.a.1
            accept a
              > acknowledge c.a.1
            notified
              + notified
            notified
            show
              command Failed/Failed target 1 completed 1 errors 1 undelivered 0
              a Failed/Failed code 3 Agent.ExitCode: script exited with 3
        "#]],
    );
}

#[test]
fn what_nobody_accepts_times_out_undelivered() {
    check(
        "
        send a
        lost a
        lost a
        show
        @60
        fire 0
        show
        @61
        accept a
        report a accepted
        report a running
        finish a 0
        show
        ",
        expect![[r#"
            send a
              + sent c to 1
              + offered a as c.a.1, timer 0 at 60
              > offer a c.a.1 until 60
              > set timer 0 at 60
            lost a
              + lost a
            lost a
            show
              command Pending/Delayed target 1 completed 0 errors 0 undelivered 0
              a Delayed/Delayed code -1
            @60
            fire 0
              + finished a by Server: Agent.DeliveryTimedOut (agent did not accept it in time)
              + ended DeliveryTimedOut
              > clear timer 0
              > acknowledge c.a.1
            show
              command TimedOut/DeliveryTimedOut target 1 completed 1 errors 0 undelivered 1
              a TimedOut/DeliveryTimedOut code -1 Agent.DeliveryTimedOut: agent did not accept it in time
            @61
            accept a
              > acknowledge c.a.1
            report a accepted
              > acknowledge c.a.1
            report a running
              > cancel c.a.1
            finish a 0
              + reported late a: exit 0
              > acknowledge c.a.1
            show
              command TimedOut/DeliveryTimedOut target 1 completed 1 errors 0 undelivered 1
              a TimedOut/DeliveryTimedOut code -1 Agent.DeliveryTimedOut: agent did not accept it in time
        "#]],
    );
}

#[test]
fn a_returned_agent_is_asked_and_told_again() {
    check(
        "
        send a
        lost a
        report a unknown
        accept a
        lost a
        show
        report a accepted
        start a
        lost a
        report a running
        report a finished
        finish a 0
        report a finished
        ",
        expect![[r#"
            send a
              + sent c to 1
              + offered a as c.a.1, timer 0 at 60
              > offer a c.a.1 until 60
              > set timer 0 at 60
            lost a
              + lost a
            report a unknown
              + found a
              > offer a c.a.1 until 60
            accept a
              + accepted a, timer 1 at 780
              > go c.a.1
              > clear timer 0
              > set timer 1 at 780
            lost a
              + lost a
            show
              command InProgress/InProgress target 1 completed 0 errors 0 undelivered 0
              a InProgress/InProgress code -1 (unheard of)
            report a accepted
              + found a
              > go c.a.1
            start a
              + started a, timer 2 at 720
              > clear timer 1
              > set timer 2 at 720
            lost a
              + lost a
            report a running
              + found a
            report a finished
            finish a 0
              + finished a by Agent: exit 0
              + ended Success
              > clear timer 2
              > acknowledge c.a.1
            report a finished
        "#]],
    );
}

#[test]
fn what_a_deregistered_instance_has_not_begun_ends() {
    check(
        "
        send a,b,c concurrency=2
        accept b
        deregister c
        deregister b
        deregister a
        deregister a
        show
        ",
        expect![[r#"
            send a,b,c concurrency=2
              + sent c to 3
              + offered a as c.a.1, timer 0 at 60
              + offered b as c.b.1, timer 1 at 60
              > offer a c.a.1 until 60
              > set timer 0 at 60
              > offer b c.b.1 until 60
              > set timer 1 at 60
            accept b
              + accepted b, timer 2 at 780
              > go c.b.1
              > clear timer 1
              > set timer 2 at 780
            deregister c
              + finished c by Server: Agent.Undeliverable (instance was deregistered before it began)
            deregister b
              + lost b
            deregister a
              + finished a by Server: Agent.Undeliverable (instance was deregistered before it began)
              > clear timer 0
            deregister a
            show
              command InProgress/InProgress target 3 completed 2 errors 0 undelivered 0
              a Failed/Undeliverable code -1 Agent.Undeliverable: instance was deregistered before it began
              b InProgress/InProgress code -1 (unheard of)
              c Failed/Undeliverable code -1 Agent.Undeliverable: instance was deregistered before it began
        "#]],
    );
    check(
        "
        send a|b
        deregister a
        deregister b
        show
        ",
        expect![[r#"
            send a|b
              + sent c to 1
              + offered a as c.a.1, timer 0 at 30
              > offer a c.a.1 until 60
              > set timer 0 at 30
            deregister a
              + withdrawn a, next b
              + offered b as c.b.2, timer 1 at 30
              > acknowledge c.a.1
              > clear timer 0
              > offer b c.b.2 until 60
              > set timer 1 at 30
            deregister b
              + lost b
            show
              command Pending/Delayed target 1 completed 0 errors 0 undelivered 0
              b Delayed/Delayed code -1
        "#]],
    );
}

#[test]
fn a_lost_agent_ends_at_the_backstop_and_its_late_word_is_kept() {
    check(
        "
        send a
        accept a
        start a
        @60
        lost a
        show
        @720
        fire 0
        fire 2
        show
        @800
        report a running
        finish a 0
        finish a 0
        show
        ",
        expect![[r#"
            send a
              + sent c to 1
              + offered a as c.a.1, timer 0 at 60
              > offer a c.a.1 until 60
              > set timer 0 at 60
            accept a
              + accepted a, timer 1 at 780
              > go c.a.1
              > clear timer 0
              > set timer 1 at 780
            start a
              + started a, timer 2 at 720
              > clear timer 1
              > set timer 2 at 720
            @60
            lost a
              + lost a
            show
              command InProgress/InProgress target 1 completed 0 errors 0 undelivered 0
              a InProgress/InProgress code -1 (unheard of)
            @720
            fire 0
              refused: timer 0 is not outstanding
            fire 2
              + finished a by Server: Agent.Lost (agent has been unheard of since 1970-01-01T00:01:00.000Z)
              + ended Failed
              > clear timer 2
              > cancel c.a.1
            show
              command Failed/Failed target 1 completed 1 errors 1 undelivered 0
              a Failed/Failed code -1 Agent.Lost: agent has been unheard of since 1970-01-01T00:01:00.000Z
            @800
            report a running
              > cancel c.a.1
            finish a 0
              + reported late a: exit 0
              > acknowledge c.a.1
            finish a 0
              > acknowledge c.a.1
            show
              command Failed/Failed target 1 completed 1 errors 1 undelivered 0
              a Failed/Failed code -1 Agent.Lost: agent has been unheard of since 1970-01-01T00:01:00.000Z
        "#]],
    );
}

#[test]
fn a_late_result_counts_while_nothing_is_decided() {
    check(
        "
        send a
        accept a
        start a
        lost a
        @700
        finish a 0
        show
        ",
        expect![[r#"
            send a
              + sent c to 1
              + offered a as c.a.1, timer 0 at 60
              > offer a c.a.1 until 60
              > set timer 0 at 60
            accept a
              + accepted a, timer 1 at 780
              > go c.a.1
              > clear timer 0
              > set timer 1 at 780
            start a
              + started a, timer 2 at 720
              > clear timer 1
              > set timer 2 at 720
            lost a
              + lost a
            @700
            finish a 0
              + finished a by Agent: exit 0
              + ended Success
              > clear timer 2
              > acknowledge c.a.1
            show
              command Success/Success target 1 completed 1 errors 0 undelivered 0
              a Success/Success code 0
        "#]],
    );
}

#[test]
fn what_nobody_can_know_is_indeterminate() {
    check(
        "
        send a,b,c errors=9
        accept a
        accept b
        start b
        report a unknown
        report b indeterminate
        finish c Agent.Indeterminate
        show
        ",
        expect![[r#"
            send a,b,c errors=9
              + sent c to 3
              + offered a as c.a.1, timer 0 at 60
              + offered b as c.b.1, timer 1 at 60
              + offered c as c.c.1, timer 2 at 60
              > offer a c.a.1 until 60
              > set timer 0 at 60
              > offer b c.b.1 until 60
              > set timer 1 at 60
              > offer c c.c.1 until 60
              > set timer 2 at 60
            accept a
              + accepted a, timer 3 at 780
              > go c.a.1
              > clear timer 0
              > set timer 3 at 780
            accept b
              + accepted b, timer 4 at 780
              > go c.b.1
              > clear timer 1
              > set timer 4 at 780
            start b
              + started b, timer 5 at 720
              > clear timer 4
              > set timer 5 at 720
            report a unknown
              + finished a by Server: Agent.Indeterminate (agent no longer knows this attempt)
              > clear timer 3
            report b indeterminate
              + finished b by Server: Agent.Indeterminate (agent cannot tell whether it ran to its end)
              > clear timer 5
              > acknowledge c.b.1
            finish c Agent.Indeterminate
              + finished c by Agent: Agent.Indeterminate (because)
              + ended Incomplete
              > clear timer 2
              > acknowledge c.c.1
            show
              command Failed/Incomplete target 3 completed 3 errors 3 undelivered 0
              a Failed/Failed code -1 Agent.Indeterminate: agent no longer knows this attempt
              b Failed/Failed code -1 Agent.Indeterminate: agent cannot tell whether it ran to its end
              c Failed/Failed code -1 Agent.Indeterminate: because
        "#]],
    );
}

#[test]
fn what_never_began_is_offered_again_as_the_same_attempt() {
    check(
        "
        send a
        accept a
        report a never
        accept a
        cancel
        report a never
        show
        ",
        expect![[r#"
            send a
              + sent c to 1
              + offered a as c.a.1, timer 0 at 60
              > offer a c.a.1 until 60
              > set timer 0 at 60
            accept a
              + accepted a, timer 1 at 780
              > go c.a.1
              > clear timer 0
              > set timer 1 at 780
            report a never
              + returned a, timer 2 at 60
              > clear timer 1
              > set timer 2 at 60
              > offer a c.a.1 until 60
            accept a
              + accepted a, timer 3 at 780
              > go c.a.1
              > clear timer 2
              > set timer 3 at 780
            cancel
              + cancel requested
              + cancel requested a
              > cancel c.a.1
            report a never
              + finished a by Server: Agent.Cancelled (cancelled before it began)
              + ended Cancelled
              > clear timer 3
            show
              command Cancelled/Cancelled target 1 completed 1 errors 0 undelivered 0
              a Cancelled/Cancelled code -1 Agent.Cancelled: cancelled before it began
        "#]],
    );
}

#[test]
fn concurrency_is_respected_and_errors_stop_the_rest() {
    check(
        "
        send a,b,c,d concurrency=2 errors=1
        accept a
        start a
        finish a 1
        show
        finish b Agent.TimedOut
        accept c
        finish c 0
        show
        ",
        expect![[r#"
            send a,b,c,d concurrency=2 errors=1
              + sent c to 4
              + offered a as c.a.1, timer 0 at 60
              + offered b as c.b.1, timer 1 at 60
              > offer a c.a.1 until 60
              > set timer 0 at 60
              > offer b c.b.1 until 60
              > set timer 1 at 60
            accept a
              + accepted a, timer 2 at 780
              > go c.a.1
              > clear timer 0
              > set timer 2 at 780
            start a
              + started a, timer 3 at 720
              > clear timer 2
              > set timer 3 at 720
            finish a 1
              + finished a by Agent: exit 1
              + offered c as c.c.1, timer 4 at 60
              > clear timer 3
              > acknowledge c.a.1
              > offer c c.c.1 until 60
              > set timer 4 at 60
            show
              command InProgress/InProgress target 4 completed 1 errors 1 undelivered 0
              a Failed/Failed code 1 Agent.ExitCode: script exited with 1
              b Pending/Pending code -1
              c Pending/Pending code -1
              d Pending/Pending code -1
            finish b Agent.TimedOut
              + finished b by Agent: Agent.TimedOut (because)
              + finished d by Server: Agent.Terminated (too many other instances failed)
              > clear timer 1
              > acknowledge c.b.1
            accept c
              + accepted c, timer 5 at 780
              > go c.c.1
              > clear timer 4
              > set timer 5 at 780
            finish c 0
              + finished c by Agent: exit 0
              + ended Failed
              > clear timer 5
              > acknowledge c.c.1
            show
              command Failed/Failed target 4 completed 4 errors 2 undelivered 0
              a Failed/Failed code 1 Agent.ExitCode: script exited with 1
              b TimedOut/ExecutionTimedOut code -1 Agent.TimedOut: because
              c Success/Success code 0
              d Cancelled/Terminated code -1 Agent.Terminated: too many other instances failed
        "#]],
    );
}

#[test]
fn undelivered_is_no_error() {
    check(
        "
        send a,b,c concurrency=1 errors=0
        finish a Agent.Undeliverable
        fire 1
        finish c 0
        show
        ",
        expect![[r#"
            send a,b,c concurrency=1 errors=0
              + sent c to 3
              + offered a as c.a.1, timer 0 at 60
              > offer a c.a.1 until 60
              > set timer 0 at 60
            finish a Agent.Undeliverable
              + finished a by Agent: Agent.Undeliverable (because)
              + offered b as c.b.1, timer 1 at 60
              > clear timer 0
              > acknowledge c.a.1
              > offer b c.b.1 until 60
              > set timer 1 at 60
            fire 1
              + finished b by Server: Agent.DeliveryTimedOut (agent did not accept it in time)
              + offered c as c.c.1, timer 2 at 60
              > clear timer 1
              > acknowledge c.b.1
              > offer c c.c.1 until 60
              > set timer 2 at 60
            finish c 0
              + finished c by Agent: exit 0
              + ended DeliveryTimedOut
              > clear timer 2
              > acknowledge c.c.1
            show
              command TimedOut/DeliveryTimedOut target 3 completed 3 errors 0 undelivered 1
              a Failed/Undeliverable code -1 Agent.Undeliverable: because
              b TimedOut/DeliveryTimedOut code -1 Agent.DeliveryTimedOut: agent did not accept it in time
              c Success/Success code 0
        "#]],
    );
}

#[test]
fn cancel_ends_what_has_not_begun_and_asks_what_has() {
    check(
        "
        send a,b,c concurrency=2 waiter
        accept a
        start a
        cancel
        show
        cancel
        accept a
        lost a
        report a running
        finish a Agent.Cancelled
        show
        ",
        expect![[r#"
            send a,b,c concurrency=2 waiter
              + sent c to 3
              + offered a as c.a.1, timer 0 at 60
              + offered b as c.b.1, timer 1 at 60
              > offer a c.a.1 until 60
              > set timer 0 at 60
              > offer b c.b.1 until 60
              > set timer 1 at 60
            accept a
              + accepted a, timer 2 at 780
              > go c.a.1
              > clear timer 0
              > set timer 2 at 780
            start a
              + started a, timer 3 at 720
              > clear timer 2
              > set timer 3 at 720
            cancel
              + cancel requested
              + cancel requested a
              + finished b by Server: Agent.Cancelled (cancelled before it began)
              + finished c by Server: Agent.Cancelled (cancelled before it was sent)
              > cancel c.a.1
              > clear timer 1
              > acknowledge c.b.1
            show
              command Cancelling/Cancelling target 3 completed 2 errors 0 undelivered 0
              a Cancelling/Cancelling code -1
              b Cancelled/Cancelled code -1 Agent.Cancelled: cancelled before it began
              c Cancelled/Cancelled code -1 Agent.Cancelled: cancelled before it was sent
            cancel
            accept a
              > cancel c.a.1
            lost a
              + lost a
            report a running
              + found a
              > cancel c.a.1
            finish a Agent.Cancelled
              + finished a by Agent: Agent.Cancelled (because)
              + ended Cancelled
              > clear timer 3
              > acknowledge c.a.1
              > notify task 3
            show
              command Cancelled/Cancelled target 3 completed 3 errors 0 undelivered 0
              a Cancelled/Cancelled code -1 Agent.Cancelled: because
              b Cancelled/Cancelled code -1 Agent.Cancelled: cancelled before it began
              c Cancelled/Cancelled code -1 Agent.Cancelled: cancelled before it was sent
        "#]],
    );
}

#[test]
fn a_result_before_the_cancel_is_the_result() {
    check(
        "
        send a,b errors=9
        accept a
        accept b
        cancel a
        finish a 0
        finish b Agent.Cancelled
        show
        ",
        expect![[r#"
            send a,b errors=9
              + sent c to 2
              + offered a as c.a.1, timer 0 at 60
              + offered b as c.b.1, timer 1 at 60
              > offer a c.a.1 until 60
              > set timer 0 at 60
              > offer b c.b.1 until 60
              > set timer 1 at 60
            accept a
              + accepted a, timer 2 at 780
              > go c.a.1
              > clear timer 0
              > set timer 2 at 780
            accept b
              + accepted b, timer 3 at 780
              > go c.b.1
              > clear timer 1
              > set timer 3 at 780
            cancel a
              + cancel requested a
              > cancel c.a.1
            finish a 0
              + finished a by Agent: exit 0
              > clear timer 2
              > acknowledge c.a.1
            finish b Agent.Cancelled
              + finished b by Agent: Agent.Cancelled (because)
              + ended Incomplete
              > clear timer 3
              > acknowledge c.b.1
            show
              command Failed/Incomplete target 2 completed 2 errors 0 undelivered 0
              a Success/Success code 0
              b Cancelled/Cancelled code -1 Agent.Cancelled: because
        "#]],
    );
}

#[test]
fn refusals_leave_no_trace() {
    check(
        "
        accept a
        send ,
        send a,a
        send a timeout=29
        send a,b concurrency=1
        accept b
        accept x
        lost x
        cancel x
        cancel a,a
        fire 9
        notified
        ",
        expect![[r#"
            accept a
              refused: command has not been sent
            send ,
              refused: no instance is named
            send a,a
              refused: instance a is named twice
            send a timeout=29
              refused: TimeoutSeconds is 29, and 30 to 2592000 are allowed
            send a,b concurrency=1
              + sent c to 2
              + offered a as c.a.1, timer 0 at 60
              > offer a c.a.1 until 60
              > set timer 0 at 60
            accept b
              refused: attempt c.b.1 is not outstanding
            accept x
              refused: attempt c.x.1 is not outstanding
            lost x
              refused: instance x is not part of this command
            cancel x
              refused: instance x is not part of this command
            cancel a,a
              refused: instance a is named twice
            fire 9
              refused: timer 9 is not outstanding
            notified
              refused: waiter is not this command's
        "#]],
    );
}

#[test]
fn a_stored_history_is_still_read() {
    let text = include_str!("../tests/history-1.json");
    let history: Vec<Event> = serde_json::from_str(text).expect("a history");
    let run = Run::replay(&history);
    assert_eq!(
        run.invocations().iter().map(|invocation| invocation.status()).collect::<Vec<_>>(),
        [InvocationStatus::Failed]
    );
    let written = serde_json::to_string(&history).expect("written");
    assert_eq!(serde_json::from_str::<Vec<Event>>(&written).expect("read"), history);
    let snapshot = serde_json::to_string(&run).expect("written");
    assert_eq!(serde_json::from_str::<Run>(&snapshot).expect("read"), run);
}

#[test]
fn fifty_instances_are_the_end() {
    let names = |count: usize| (0..count).map(|at| instance(&format!("i{at}"))).collect::<Vec<_>>();
    let try_send = |count: usize| {
        let places = names(count).into_iter().map(Place::on).collect();
        step(&mut Run::default(), Command::Send(Box::new(send(places))), Env { now: Timestamp(0) })
    };
    assert!(try_send(50).is_ok());
    assert_eq!(try_send(51), Err(Refusal::TooManyInstances { count: 51 }));
}

#[test]
fn an_attempt_tells_whose_it_is() {
    let attempt = AttemptId::new(&CommandId::from("c"), &instance("host.example"), 1);
    assert_eq!(attempt.to_string(), "c.host.example.1");
    assert_eq!(attempt.parts(), Some((CommandId::from("c"), instance("host.example"))));
    assert_eq!(AttemptId::from("c").parts(), None);
}

#[test]
fn a_retry_is_another_attempt_and_the_last_ones_outcome_counts() {
    check(
        "
        send a retry=2:30 waiter
        accept a
        @5
        finish a 3
        show
        finish a 3
        accept a
        report a running
        @35
        fire 2
        accept a
        start a
        accept a.2
        @40
        finish a.2 10
        show
        ",
        expect![[r#"
            send a retry=2:30 waiter
              + sent c to 1
              + offered a as c.a.1, timer 0 at 60
              > offer a c.a.1 until 60
              > set timer 0 at 60
            accept a
              + accepted a, timer 1 at 780
              > go c.a.1
              > clear timer 0
              > set timer 1 at 780
            @5
            finish a 3
              + attempt ended a: exit 3, timer 2 at 35
              > clear timer 1
              > set timer 2 at 35
              > acknowledge c.a.1
            show
              command InProgress/InProgress target 1 completed 0 errors 0 undelivered 0
              a InProgress/InProgress code -1 (earlier: c.a.1 ExitCode(3))
            finish a 3
              > acknowledge c.a.1
            accept a
              > acknowledge c.a.1
            report a running
              > cancel c.a.1
            @35
            fire 2
              + offered a as c.a.2, timer 3 at 95
              > offer a c.a.2 until 95
              > set timer 3 at 95
              > clear timer 2
            accept a
              > acknowledge c.a.1
            start a
              > cancel c.a.1
            accept a.2
              + accepted a, timer 4 at 815
              > go c.a.2
              > clear timer 3
              > set timer 4 at 815
            @40
            finish a.2 10
              + finished a by Agent: exit 10
              + ended Failed
              > clear timer 4
              > acknowledge c.a.2
              > notify task 3
            show
              command Failed/Failed target 1 completed 1 errors 1 undelivered 0
              a Failed/Failed code 10 Agent.ExitCode: script exited with 10 (earlier: c.a.1 ExitCode(3))
        "#]],
    );
}

#[test]
fn retries_end_and_so_does_waiting_for_one() {
    check(
        "
        send a,b retry=1:30 errors=5
        accept a
        accept b
        finish a 1
        finish b 1
        cancel a
        fire 5
        accept b.2
        finish b.2 1
        show
        ",
        expect![[r#"
            send a,b retry=1:30 errors=5
              + sent c to 2
              + offered a as c.a.1, timer 0 at 60
              + offered b as c.b.1, timer 1 at 60
              > offer a c.a.1 until 60
              > set timer 0 at 60
              > offer b c.b.1 until 60
              > set timer 1 at 60
            accept a
              + accepted a, timer 2 at 780
              > go c.a.1
              > clear timer 0
              > set timer 2 at 780
            accept b
              + accepted b, timer 3 at 780
              > go c.b.1
              > clear timer 1
              > set timer 3 at 780
            finish a 1
              + attempt ended a: exit 1, timer 4 at 30
              > clear timer 2
              > set timer 4 at 30
              > acknowledge c.a.1
            finish b 1
              + attempt ended b: exit 1, timer 5 at 30
              > clear timer 3
              > set timer 5 at 30
              > acknowledge c.b.1
            cancel a
              + finished a by Server: Agent.Cancelled (cancelled before it was tried again)
              > clear timer 4
            fire 5
              + offered b as c.b.2, timer 6 at 60
              > offer b c.b.2 until 60
              > set timer 6 at 60
              > clear timer 5
            accept b.2
              + accepted b, timer 7 at 780
              > go c.b.2
              > clear timer 6
              > set timer 7 at 780
            finish b.2 1
              + finished b by Agent: exit 1
              + ended Incomplete
              > clear timer 7
              > acknowledge c.b.2
            show
              command Failed/Incomplete target 2 completed 2 errors 1 undelivered 0
              a Cancelled/Cancelled code -1 Agent.Cancelled: cancelled before it was tried again (earlier: c.a.1 ExitCode(1))
              b Failed/Failed code 1 Agent.ExitCode: script exited with 1 (earlier: c.b.1 ExitCode(1))
        "#]],
    );
}

#[test]
fn only_exit_codes_are_tried_again() {
    check(
        "
        send a,b,c retry=5:30 errors=5
        accept a
        finish a Agent.Killed
        accept b
        cancel b
        finish b 1
        accept c
        finish c 0
        show
        ",
        expect![[r#"
            send a,b,c retry=5:30 errors=5
              + sent c to 3
              + offered a as c.a.1, timer 0 at 60
              + offered b as c.b.1, timer 1 at 60
              + offered c as c.c.1, timer 2 at 60
              > offer a c.a.1 until 60
              > set timer 0 at 60
              > offer b c.b.1 until 60
              > set timer 1 at 60
              > offer c c.c.1 until 60
              > set timer 2 at 60
            accept a
              + accepted a, timer 3 at 780
              > go c.a.1
              > clear timer 0
              > set timer 3 at 780
            finish a Agent.Killed
              + finished a by Agent: Agent.Killed (because)
              > clear timer 3
              > acknowledge c.a.1
            accept b
              + accepted b, timer 4 at 780
              > go c.b.1
              > clear timer 1
              > set timer 4 at 780
            cancel b
              + cancel requested b
              > cancel c.b.1
            finish b 1
              + finished b by Agent: exit 1
              > clear timer 4
              > acknowledge c.b.1
            accept c
              + accepted c, timer 5 at 780
              > go c.c.1
              > clear timer 2
              > set timer 5 at 780
            finish c 0
              + finished c by Agent: exit 0
              + ended Incomplete
              > clear timer 5
              > acknowledge c.c.1
            show
              command Failed/Incomplete target 3 completed 3 errors 2 undelivered 0
              a Failed/Failed code -1 Agent.Killed: because
              b Failed/Failed code 1 Agent.ExitCode: script exited with 1
              c Success/Success code 0
        "#]],
    );
}

#[test]
fn an_offer_that_nobody_takes_goes_to_the_next_candidate() {
    check(
        "
        send a|b|c
        @30
        fire 0
        accept a
        @60
        lost b
        show
        @61
        accept b.2
        fire 2
        ",
        expect![[r#"
            send a|b|c
              + sent c to 1
              + offered a as c.a.1, timer 0 at 30
              > offer a c.a.1 until 60
              > set timer 0 at 30
            @30
            fire 0
              + withdrawn a, next b
              + offered b as c.b.2, timer 1 at 60
              > acknowledge c.a.1
              > clear timer 0
              > offer b c.b.2 until 60
              > set timer 1 at 60
            accept a
              > acknowledge c.a.1
            @60
            lost b
              + withdrawn b, next c
              + offered c as c.c.3, timer 2 at 60
              > acknowledge c.b.2
              > clear timer 1
              > offer c c.c.3 until 60
              > set timer 2 at 60
            show
              command Pending/Pending target 1 completed 0 errors 0 undelivered 0
              c Pending/Pending code -1
            @61
            accept b.2
              > acknowledge c.b.2
            fire 2
              + finished c by Server: Agent.DeliveryTimedOut (agent did not accept it in time)
              + ended DeliveryTimedOut
              > clear timer 2
              > acknowledge c.c.3
        "#]],
    );
    check(
        "
        send a|b timeout=600
        lost a
        accept a
        report a accepted
        accept b.2
        lost b
        report a running
        report b.2 never
        lost b
        accept b.2
        finish b.2 0
        show
        ",
        expect![[r#"
            send a|b timeout=600
              + sent c to 1
              + offered a as c.a.1, timer 0 at 30
              > offer a c.a.1 until 600
              > set timer 0 at 30
            lost a
              + withdrawn a, next b
              + offered b as c.b.2, timer 1 at 30
              > acknowledge c.a.1
              > clear timer 0
              > offer b c.b.2 until 600
              > set timer 1 at 30
            accept a
              > acknowledge c.a.1
            report a accepted
              > acknowledge c.a.1
            accept b.2
              + accepted b, timer 2 at 1320
              > go c.b.2
              > clear timer 1
              > set timer 2 at 1320
            lost b
              + lost b
            report a running
              > cancel c.a.1
            report b.2 never
              + returned b, timer 3 at 600
              > clear timer 2
              > set timer 3 at 600
              > offer b c.b.2 until 600
            lost b
              + lost b
            accept b.2
              + accepted b, timer 4 at 1320
              > go c.b.2
              > clear timer 3
              > set timer 4 at 1320
            finish b.2 0
              + finished b by Agent: exit 0
              + ended Success
              > clear timer 4
              > acknowledge c.b.2
            show
              command Success/Success target 1 completed 1 errors 0 undelivered 0
              b Success/Success code 0
        "#]],
    );
}

#[test]
fn members_that_the_command_is_on_already_are_passed_over() {
    check(
        "
        send a|b|c,b|c|a,d timeout=600
        lost a
        @30
        fire 1
        @60
        fire 3
        cancel b
        cancel a
        show
        ",
        expect![[r#"
            send a|b|c,b|c|a,d timeout=600
              + sent c to 3
              + offered a as c.a.1, timer 0 at 30
              + offered b as c.b.1, timer 1 at 30
              + offered d as c.d.1, timer 2 at 600
              > offer a c.a.1 until 600
              > set timer 0 at 30
              > offer b c.b.1 until 600
              > set timer 1 at 30
              > offer d c.d.1 until 600
              > set timer 2 at 600
            lost a
              + withdrawn a, next c
              + offered c as c.c.2, timer 3 at 30
              > acknowledge c.a.1
              > clear timer 0
              > offer c c.c.2 until 600
              > set timer 3 at 30
            @30
            fire 1
              + withdrawn b, next a
              + offered a as c.a.3, timer 4 at 60
              > acknowledge c.b.1
              > clear timer 1
              > offer a c.a.3 until 600
              > set timer 4 at 60
            @60
            fire 3
              + withdrawn c, next b
              + offered b as c.b.4, timer 5 at 90
              > acknowledge c.c.2
              > clear timer 3
              > offer b c.b.4 until 600
              > set timer 5 at 90
            cancel b
              + finished b by Server: Agent.Cancelled (cancelled before it began)
              > clear timer 5
              > acknowledge c.b.4
            cancel a
              + finished a by Server: Agent.Cancelled (cancelled before it began)
              > clear timer 4
              > acknowledge c.a.3
            show
              command InProgress/InProgress target 3 completed 2 errors 0 undelivered 0
              b Cancelled/Cancelled code -1 Agent.Cancelled: cancelled before it began
              a Cancelled/Cancelled code -1 Agent.Cancelled: cancelled before it began
              d Pending/Pending code -1
        "#]],
    );
}

#[test]
fn a_limited_place_is_offered_when_it_has_a_slot() {
    check(
        "
        send a,b,c limited concurrency=2 timeout=60
        grant 0
        grant 0
        accept a
        finish a 0
        released 0
        grant 0
        show
        cancel
        released 1
        grant 1
        released 2
        show
        ",
        expect![[r#"
            send a,b,c limited concurrency=2 timeout=60
              + sent c to 3
              + slot asked 0, timer 0 at 60
              + slot asked 1, timer 1 at 60
              > acquire slot 0 of g
              > set timer 0 at 60
              > acquire slot 1 of g
              > set timer 1 at 60
            grant 0
              + slot granted 0
              + offered a as c.a.1, timer 2 at 60
              > offer a c.a.1 until 60
              > set timer 2 at 60
              > clear timer 0
            grant 0
            accept a
              + accepted a, timer 3 at 780
              > go c.a.1
              > clear timer 2
              > set timer 3 at 780
            finish a 0
              + finished a by Agent: exit 0
              + slot asked 2, timer 4 at 60
              > clear timer 3
              > release slot 0 of g
              > acknowledge c.a.1
              > acquire slot 2 of g
              > set timer 4 at 60
            released 0
              + slot released 0
            grant 0
              > release slot 0 of g
            show
              command InProgress/InProgress target 3 completed 1 errors 0 undelivered 0
              a Success/Success code 0
              b Pending/Pending code -1
              c Pending/Pending code -1
            cancel
              + cancel requested
              + finished b by Server: Agent.Cancelled (cancelled before it was sent)
              + finished c by Server: Agent.Cancelled (cancelled before it was sent)
              + ended Cancelled
              > clear timer 1
              > release slot 1 of g
              > clear timer 4
              > release slot 2 of g
            released 1
              + slot released 1
            grant 1
              > release slot 1 of g
            released 2
              + slot released 2
            show
              command Cancelled/Cancelled target 3 completed 3 errors 0 undelivered 0
              a Success/Success code 0
              b Cancelled/Cancelled code -1 Agent.Cancelled: cancelled before it was sent
              c Cancelled/Cancelled code -1 Agent.Cancelled: cancelled before it was sent
        "#]],
    );
}

#[test]
fn a_place_that_gets_no_slot_in_time_was_not_delivered() {
    check(
        "
        send a,b,c limited concurrency=3 timeout=60
        @59
        grant 0
        @60
        fire 1
        grant 2
        fire 3
        grant 1
        released 1
        show
        ",
        expect![[r#"
            send a,b,c limited concurrency=3 timeout=60
              + sent c to 3
              + slot asked 0, timer 0 at 60
              + slot asked 1, timer 1 at 60
              + slot asked 2, timer 2 at 60
              > acquire slot 0 of g
              > set timer 0 at 60
              > acquire slot 1 of g
              > set timer 1 at 60
              > acquire slot 2 of g
              > set timer 2 at 60
            @59
            grant 0
              + slot granted 0
              + offered a as c.a.1, timer 3 at 60
              > offer a c.a.1 until 60
              > set timer 3 at 60
              > clear timer 0
            @60
            fire 1
              + finished b by Server: Agent.DeliveryTimedOut (its group had no free slot in time)
              > clear timer 1
              > release slot 1 of g
            grant 2
              + slot granted 2
              + finished c by Server: Agent.DeliveryTimedOut (its group had no free slot in time)
              > clear timer 2
              > release slot 2 of g
            fire 3
              + finished a by Server: Agent.DeliveryTimedOut (agent did not accept it in time)
              + ended DeliveryTimedOut
              > clear timer 3
              > release slot 0 of g
              > acknowledge c.a.1
            grant 1
              > release slot 1 of g
            released 1
              + slot released 1
            show
              command TimedOut/DeliveryTimedOut target 3 completed 3 errors 0 undelivered 3
              a TimedOut/DeliveryTimedOut code -1 Agent.DeliveryTimedOut: agent did not accept it in time
              b TimedOut/DeliveryTimedOut code -1 Agent.DeliveryTimedOut: its group had no free slot in time
              c TimedOut/DeliveryTimedOut code -1 Agent.DeliveryTimedOut: its group had no free slot in time
        "#]],
    );
}

#[test]
fn what_cannot_be_offered_fails_unless_it_may_have_begun() {
    check(
        "
        send a,b errors=1
        hinder a
        accept b
        hinder b
        accept a
        ",
        expect![[r#"
            send a,b errors=1
              + sent c to 2
              + offered a as c.a.1, timer 0 at 60
              + offered b as c.b.1, timer 1 at 60
              > offer a c.a.1 until 60
              > set timer 0 at 60
              > offer b c.b.1 until 60
              > set timer 1 at 60
            hinder a
              + finished a by Server: Agent.StartFailed (because)
              > clear timer 0
              > acknowledge c.a.1
            accept b
              + accepted b, timer 2 at 780
              > go c.b.1
              > clear timer 1
              > set timer 2 at 780
            hinder b
            accept a
              > acknowledge c.a.1
        "#]],
    );
}

#[test]
fn where_all_candidates_are_lost_the_clock_alone_asks() {
    check(
        "
        send a|b timeout=600
        lost a
        lost b
        @30
        fire 1
        lost a
        ",
        expect![[r#"
            send a|b timeout=600
              + sent c to 1
              + offered a as c.a.1, timer 0 at 30
              > offer a c.a.1 until 600
              > set timer 0 at 30
            lost a
              + withdrawn a, next b
              + offered b as c.b.2, timer 1 at 30
              > acknowledge c.a.1
              > clear timer 0
              > offer b c.b.2 until 600
              > set timer 1 at 30
            lost b
              + lost b
            @30
            fire 1
              + withdrawn b, next a
              + offered a as c.a.3, timer 2 at 90
              > acknowledge c.b.2
              > clear timer 1
              > offer a c.a.3 until 600
              > set timer 2 at 90
            lost a
              + lost a
        "#]],
    );
}

#[test]
fn patience_with_a_lost_agent_may_end_before_the_backstop() {
    check(
        "
        send a,b patience=100
        accept a
        accept b
        @10
        lost a
        lost b
        @50
        report a running
        show
        @110
        fire 5
        show
        finish b 0
        @800
        fire 6
        show
        ",
        expect![[r#"
            send a,b patience=100
              + sent c to 2
              + offered a as c.a.1, timer 0 at 60
              + offered b as c.b.1, timer 1 at 60
              > offer a c.a.1 until 60
              > set timer 0 at 60
              > offer b c.b.1 until 60
              > set timer 1 at 60
            accept a
              + accepted a, timer 2 at 780
              > go c.a.1
              > clear timer 0
              > set timer 2 at 780
            accept b
              + accepted b, timer 3 at 780
              > go c.b.1
              > clear timer 1
              > set timer 3 at 780
            @10
            lost a
              + lost a
              > clear timer 2
              > set timer 4 at 110
            lost b
              + lost b
              > clear timer 3
              > set timer 5 at 110
            @50
            report a running
              + started a, timer 6 at 770
              > clear timer 4
              > set timer 6 at 770
            show
              command InProgress/InProgress target 2 completed 0 errors 0 undelivered 0
              a InProgress/InProgress code -1
              b InProgress/InProgress code -1 (unheard of)
            @110
            fire 5
              + finished b by Server: Agent.Lost (agent has been unheard of since 1970-01-01T00:00:10.000Z)
              > clear timer 5
              > cancel c.b.1
            show
              command InProgress/InProgress target 2 completed 1 errors 1 undelivered 0
              a InProgress/InProgress code -1
              b Failed/Failed code -1 Agent.Lost: agent has been unheard of since 1970-01-01T00:00:10.000Z
            finish b 0
              + reported late b: exit 0
              > acknowledge c.b.1
            @800
            fire 6
              + finished a by Server: Agent.Indeterminate (agent did not tell how it ended)
              + ended Failed
              > clear timer 6
              > cancel c.a.1
            show
              command Failed/Failed target 2 completed 2 errors 2 undelivered 0
              a Failed/Failed code -1 Agent.Indeterminate: agent did not tell how it ended
              b Failed/Failed code -1 Agent.Lost: agent has been unheard of since 1970-01-01T00:00:10.000Z
        "#]],
    );
}

#[test]
fn what_is_asked_for_is_announced_once_each() {
    check(
        "
        send a,b notify=Invocation errors=1
        accept a
        start a
        announced 0
        announced 0
        finish a 0
        cancel b
        announced 1
        ",
        expect![[r#"
            send a,b notify=Invocation errors=1
              + sent c to 2
              + offered a as c.a.1, timer 0 at 60
              + offered b as c.b.1, timer 1 at 60
              > offer a c.a.1 until 60
              > set timer 0 at 60
              > offer b c.b.1 until 60
              > set timer 1 at 60
            accept a
              + accepted a, timer 2 at 780
              + reached 0 a InProgress/InProgress
              > go c.a.1
              > clear timer 0
              > set timer 2 at 780
              > announce 0 a InProgress/InProgress
            start a
              + started a, timer 3 at 720
              > clear timer 2
              > set timer 3 at 720
            announced 0
              + announced 0
            announced 0
            finish a 0
              + finished a by Agent: exit 0
              + reached 1 a Success/Success
              > clear timer 3
              > acknowledge c.a.1
              > announce 1 a Success/Success
            cancel b
              + finished b by Server: Agent.Cancelled (cancelled before it began)
              + ended Incomplete
              + reached 2 b Cancelled/Cancelled
              > clear timer 1
              > acknowledge c.b.1
              > announce 2 b Cancelled/Cancelled
            announced 1
              + announced 1
        "#]],
    );
    check(
        "
        send a,b notify=Command errors=1
        accept a
        finish a 1
        accept b
        finish b 0
        ",
        expect![[r#"
            send a,b notify=Command errors=1
              + sent c to 2
              + offered a as c.a.1, timer 0 at 60
              + offered b as c.b.1, timer 1 at 60
              > offer a c.a.1 until 60
              > set timer 0 at 60
              > offer b c.b.1 until 60
              > set timer 1 at 60
            accept a
              + accepted a, timer 2 at 780
              + reached 0 command InProgress/InProgress
              > go c.a.1
              > clear timer 0
              > set timer 2 at 780
              > announce 0 command InProgress/InProgress
            finish a 1
              + finished a by Agent: exit 1
              > clear timer 2
              > acknowledge c.a.1
            accept b
              + accepted b, timer 3 at 780
              > go c.b.1
              > clear timer 1
              > set timer 3 at 780
            finish b 0
              + finished b by Agent: exit 0
              + ended Failed
              + reached 1 command Failed/Failed
              > clear timer 3
              > acknowledge c.b.1
              > announce 1 command Failed/Failed
        "#]],
    );
}

#[test]
fn what_is_for_another_platform_is_not_sent() {
    check(
        "
        send a,b unfit=0 concurrency=1
        accept a
        accept b
        finish b 0
        show
        ",
        expect![[r#"
            send a,b unfit=0 concurrency=1
              + sent c to 2
              + finished a by Server: Agent.InvalidPlatform (document is for another platform)
              + offered b as c.b.1, timer 0 at 60
              > offer b c.b.1 until 60
              > set timer 0 at 60
            accept a
              refused: attempt c.a.1 is not outstanding
            accept b
              + accepted b, timer 1 at 780
              > go c.b.1
              > clear timer 0
              > set timer 1 at 780
            finish b 0
              + finished b by Agent: exit 0
              + ended Success
              > clear timer 1
              > acknowledge c.b.1
            show
              command Success/Success target 2 completed 2 errors 0 undelivered 0
              a Failed/InvalidPlatform code -1 Agent.InvalidPlatform: document is for another platform
              b Success/Success code 0
        "#]],
    );
}

#[test]
fn a_command_to_nobody_is_there() {
    check(
        "
        send , targeted waiter
        show
        ",
        expect![[r#"
            send , targeted waiter
              + sent c to 0
              + ended NoInstancesInTag
              > notify task 3
            show
              command Success/NoInstancesInTag target 0 completed 0 errors 0 undelivered 0
        "#]],
    );
}

#[test]
fn a_command_to_more_than_may_be_goes_to_nobody() {
    let many = |count: usize| (0..count).map(|at| Place::on(instance(&format!("i{at}")))).collect::<Vec<_>>();
    let sent = |count: usize| {
        let mut run = Run::default();
        let targets = vec![Target { key: "tag:a".to_owned(), values: vec![] }];
        let send = Send { places: many(count), instances: vec![], targets, ..send(vec![]) };
        let step = step(&mut run, Command::Send(Box::new(send)), Env { now: Timestamp(0) }).expect("it is sent");
        (run.status(), step.effects.len())
    };
    assert_eq!(sent(limits::PLACES_MAX), (CommandStatus::Pending, 100));
    assert_eq!(sent(limits::PLACES_MAX + 1), (CommandStatus::RateExceeded, 0));
}

#[test]
fn a_job_is_judged_by_its_plan_and_a_script_by_its_code() {
    let ended = |plan: Plan, told: Verdict, code: i64| {
        let mut run = Run::default();
        let send = Send { plan: Arc::new(plan), ..send(places("a")) };
        let outcome = Outcome { verdict: told, ..Outcome::of(Ended::ExitCode(code)) };
        let commands = [
            Command::Send(Box::new(send)),
            Command::AgentAccepted { attempt: attempt("a") },
            Command::AgentFinished { attempt: attempt("a"), outcome },
        ];
        for command in commands {
            step(&mut run, command, Env { now: Timestamp(0) }).expect("it is taken");
        }
        let invocation = run.invocations()[0].clone();
        (invocation.status(), invocation.outcome().map(|outcome| outcome.verdict))
    };
    let judging = || {
        let judgement = Judgement { normal: Ranges(vec![(0, 3)]), warning: Ranges(vec![(4, 7)]), rules: vec![] };
        job(|job| job.judgement = judgement)
    };
    let shell = || (*send(vec![]).plan).clone();
    for (plan, told, code, status, verdict) in [
        (shell(), Verdict::Normal, 0, InvocationStatus::Success, Verdict::Normal),
        (shell(), Verdict::Normal, 3, InvocationStatus::Failed, Verdict::Abnormal),
        (judging(), Verdict::Normal, 3, InvocationStatus::Success, Verdict::Normal),
        (judging(), Verdict::Normal, 4, InvocationStatus::Success, Verdict::Warning),
        (judging(), Verdict::Normal, 8, InvocationStatus::Failed, Verdict::Abnormal),
        (judging(), Verdict::Abnormal, 0, InvocationStatus::Failed, Verdict::Abnormal),
    ] {
        assert_eq!(ended(plan, told, code), (status, Some(verdict)), "{told:?} {code}");
    }
}

/// What one message costs does not grow with the command: what it touches is counted, not how long it takes.
#[test]
fn a_message_touches_one_invocation_of_ten_thousand() {
    let many = (0..10_000).map(|at| Place::on(instance(&format!("i{at}")))).collect();
    let targets = vec![Target { key: "tag:a".to_owned(), values: vec![] }];
    let send = Send { instances: vec![], targets, ..send(many) };
    let mut run = Run::default();
    let mut act = |command: Command| {
        let before = crate::run::looked_at();
        let step = step(&mut run, command, Env { now: Timestamp(0) }).expect("it is taken");
        (crate::run::looked_at() - before, step.events.len())
    };
    act(Command::Send(Box::new(send)));
    for at in 0..10_000 {
        let attempt = attempt(&format!("i{at}"));
        let outcome = Outcome::of(Ended::ExitCode(0));
        let (accepting, _) = act(Command::AgentAccepted { attempt: attempt.clone() });
        let (starting, _) = act(Command::AgentStarted { attempt: attempt.clone() });
        let (finishing, events) = act(Command::AgentFinished { attempt, outcome });
        assert!(accepting + starting + finishing < 100, "{accepting} {starting} {finishing}");
        assert!(events <= 3);
    }
    assert_eq!((run.status(), run.counts().completed), (CommandStatus::Success, 10_000));
}

fn any_line() -> impl Strategy<Value = String> {
    let name = || prop::sample::select(vec!["a", "b", "c", "d", "e"]);
    let attempt = || (name(), 1..4_u32).prop_map(|(name, number)| format!("{name}.{number}"));
    let list = prop::collection::vec(name(), 0..3).prop_map(|names| names.join(","));
    let ends = prop::sample::select(vec![
        "0",
        "1",
        "1",
        "Agent.TimedOut",
        "Agent.Cancelled",
        "Agent.Indeterminate",
        "Agent.Undeliverable",
    ]);
    let states = prop::sample::select(vec!["never", "accepted", "running", "finished", "indeterminate", "unknown"]);
    prop_oneof![
        8 => attempt().prop_map(|attempt| format!("accept {attempt}")),
        4 => attempt().prop_map(|attempt| format!("start {attempt}")),
        6 => (attempt(), ends).prop_map(|(attempt, end)| format!("finish {attempt} {end}")),
        4 => (attempt(), states).prop_map(|(attempt, state)| format!("report {attempt} {state}")),
        3 => name().prop_map(|name| format!("lost {name}")),
        1 => attempt().prop_map(|attempt| format!("hinder {attempt}")),
        6 => (0..20_u64).prop_map(|timer| format!("fire {timer}")),
        4 => (0..4_u32).prop_map(|place| format!("grant {place}")),
        2 => (0..4_u32).prop_map(|place| format!("released {place}")),
        1 => (0..9_u32).prop_map(|number| format!("announced {number}")),
        1 => list.prop_map(|list| format!("cancel {list}")),
        1 => Just("notified".to_owned()),
    ]
}

/// What a command may be sent with: where to, and how.
fn any_send() -> impl Strategy<Value = String> {
    let places = prop::sample::select(vec!["a,b,c,d", "a|b|c,b|c|a,d,e", "a|b,c|d,e|a|b"]);
    let plan = prop::sample::select(vec!["", " retry=1:30", " retry=2:0", " patience=20"]);
    let more = prop::sample::select(vec!["", " limited", " notify=Command", " limited notify=Invocation", " bucket=b"]);
    (places, 1..4_u32, 0..3_u32, plan, more).prop_map(|(places, concurrency, errors, plan, more)| {
        format!("send {places} concurrency={concurrency} errors={errors} waiter targeted{plan}{more}")
    })
}

proptest! {
    #[test]
    fn no_order_of_commands_breaks_a_run(send in any_send(), lines in prop::collection::vec(any_line(), 0..60), granting: bool) {
        let mut play = Play::default();
        play.step(parse(&send)).expect("a fresh run is sent");
        for (at, line) in lines.iter().enumerate() {
            play.now = Timestamp(0).plus_seconds(at as i64);
            let _refused = play.step(parse(line));
        }
        // Whatever went before, its timers alone bring it to an end, whether its group grants slots or not.
        for _ in 0..400 {
            let owed = play.run.outstanding();
            let slot = owed.iter().find_map(|effect| match effect {
                Effect::AcquireSlot { place, .. } if granting => Some((play.now, Command::SlotGranted { place: *place })),
                Effect::ReleaseSlot { place, .. } => Some((play.now, Command::SlotReleased { place: *place })),
                _ => None,
            });
            let next = slot.or_else(|| owed.iter().find_map(|effect| match effect {
                Effect::SetTimer { timer, due } => Some((*due, Command::Fire { timer: *timer })),
                _ => None,
            }));
            let Some((due, command)) = next else { break };
            play.now = play.now.max(due);
            play.step(command).expect("what is owed may come");
        }
        prop_assert!(play.run.is_terminal());
        let ends = play.history.iter().filter(|event| matches!(event, Event::Finished { .. })).count();
        prop_assert_eq!(ends, play.run.invocations().len(), "each invocation ends once");
        let mut begun = BTreeSet::new();
        let mut run = Run::default();
        for event in &play.history {
            if let Event::AttemptEnded { instance, .. } | Event::Finished { instance, .. } = event
                && let Some(attempt) = run.attempt_at(instance)
            {
                prop_assert!(begun.insert(attempt.clone()), "each attempt ends once");
            }
            run.apply(event);
        }
        let stored = serde_json::to_string(&play.history).expect("written");
        prop_assert_eq!(serde_json::from_str::<Vec<Event>>(&stored).expect("read"), play.history);
    }
}
