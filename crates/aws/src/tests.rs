//! What the tests of this crate share.

use std::collections::BTreeMap;

use base::Timestamp;
use fleet::message::{Decider, Event};
use fleet::{AttemptId, CommandId, Ended, FailureCode, InstanceId, Outcome, Plan, Run, Script, Send};

use crate::error::Error;
use crate::operation::Operation;
use crate::shape;
use crate::value::{Input, Value};
use crate::write::{Style, Writer};

/// A body as a handler gets it: read and checked.
pub(crate) fn input<'a>(operation: &Operation, body: &'a str) -> Result<Input<'a>, Error> {
    match serde_json::from_str(body).expect("a test's body is JSON") {
        Value::Object(members) => shape::check(operation.input, &members).map(|()| Input::new(members)),
        _ => panic!("a test's body is an object"),
    }
}

pub(crate) fn told(error: Error) -> String {
    format!("{} {}: {}", error.status, error.code, error.message.unwrap_or_default())
}

pub(crate) fn text(write: impl FnOnce(&mut Writer)) -> String {
    let mut out = Writer::new(Style::Client);
    write(&mut out);
    String::from_utf8(out.finish()).expect("JSON is UTF-8")
}

const SENT: Timestamp = Timestamp(1_551_225_271_984);

fn instance(number: u32) -> InstanceId {
    InstanceId(format!("mi-0000000000000000{number}").into())
}

fn sent(instances: u32, commands: &str) -> Event {
    let script = Script {
        text: commands.to_owned(),
        working_directory: String::new(),
        execution_timeout_seconds: 3600,
        environment: vec![],
    };
    let mut send = Send::new(
        CommandId::from("0d3a0b3e-0000-4000-8000-000000000001"),
        (1..=instances).map(instance).collect(),
        Plan::shell(script),
    );
    send.parameters = BTreeMap::from([("commands".to_owned(), vec![commands.to_owned()])]);
    Event::Sent { at: SENT, send: Box::new(send) }
}

fn finished(number: u32, outcome: Outcome) -> Event {
    Event::Finished {
        at: SENT.plus_seconds(2),
        instance: instance(number),
        decider: Decider::Agent,
        outcome: outcome.into(),
    }
}

/// Sent to two instances, begun on the second.
pub(crate) fn running_run() -> Run {
    let attempt = AttemptId::new(&CommandId::from("0d3a0b3e-0000-4000-8000-000000000001"), &instance(2), 1);
    Run::replay(&[
        sent(2, "ls"),
        Event::Offered { at: SENT, instance: instance(2), attempt, timer: 1, due: SENT.plus_seconds(60), until: None },
        Event::Accepted { at: SENT, instance: instance(2), timer: 2, due: SENT.plus_seconds(60) },
    ])
}

/// Succeeded, exited with 3, was never begun.
pub(crate) fn failed_run() -> Run {
    let ran = |code: i64| Outcome {
        started_at: Some(SENT),
        finished_at: Some(Timestamp(SENT.0 + 20)),
        stdout: "out\n".to_owned(),
        ..Outcome::of(Ended::ExitCode(code))
    };
    Run::replay(&[
        sent(3, "ls"),
        finished(1, ran(0)),
        finished(2, Outcome { stderr: "err\n".to_owned(), ..ran(3) }),
        finished(3, Outcome::failed(FailureCode::Terminated, "too many others failed")),
        Event::Ended { at: SENT.plus_seconds(2), status: fleet::CommandStatus::Failed },
    ])
}

/// One instance for each word: where it stands, the code that its script exited with, or the error that it ended with.
/// `errors=N` is `MaxErrors`, `whole` a command that was cancelled on all of them, `over` one with too many targets.
pub(crate) fn told_run(text: &str) -> Run {
    let (options, words): (Vec<&str>, Vec<&str>) =
        text.split_whitespace().partition(|word| word.contains('=') || ["whole", "over"].contains(word));
    let count = u32::try_from(words.len()).expect("few");
    let mut first = sent(count, "ls");
    if let Event::Sent { send, .. } = &mut first {
        send.rate_exceeded = options.contains(&"over");
        let errors = options.iter().find_map(|option| option.strip_prefix("errors="));
        send.max_errors = fleet::Rate::parse_errors(errors.unwrap_or("0")).expect("a rate");
    }
    let stands = (1..=count).zip(words).flat_map(|(number, word)| stands_as(number, word));
    let whole = options.contains(&"whole").then_some(Event::CancelRequestedWhole { at: SENT });
    Run::replay(&[first].into_iter().chain(stands).chain(whole).collect::<Vec<Event>>())
}

fn stands_as(number: u32, word: &str) -> Vec<Event> {
    let (instance, timer, due) = (instance(number), u64::from(number), SENT.plus_seconds(60));
    let attempt = AttemptId::new(&CommandId::from("0d3a0b3e-0000-4000-8000-000000000001"), &instance, 1);
    let offered = Event::Offered { at: SENT, instance: instance.clone(), attempt, timer, due, until: None };
    let accepted = Event::Accepted { at: SENT, instance: instance.clone(), timer: timer + 10, due };
    match word {
        "queued" => vec![],
        "offered" => vec![offered],
        "unheard" => vec![offered, Event::Lost { at: SENT, instance, alarm: None }],
        "begun" => vec![offered, accepted],
        "cancelling" => vec![offered, accepted, Event::CancelRequested { at: SENT, instance }],
        word => {
            let failed = || Outcome::failed(FailureCode::parse(word), "why");
            let outcome = word.parse().map_or_else(|_| failed(), |code| Outcome::of(Ended::ExitCode(code)));
            vec![offered, finished(number, outcome)]
        }
    }
}

/// On so many instances, with so much output and so long a script; all end alike.
pub(crate) fn large_run(instances: u32, output: &str, commands: &str, code: i64) -> Run {
    let outcome = Outcome {
        stdout: output.to_owned(),
        stderr: output.to_owned(),
        started_at: Some(SENT),
        ..Outcome::of(Ended::ExitCode(code))
    };
    let mut events = vec![sent(instances, commands)];
    events.extend((1..=instances).map(|number| finished(number, outcome.clone())));
    Run::replay(&events)
}

/// Each outcome on an instance of its own.
pub(crate) fn ended_run(outcomes: impl IntoIterator<Item = Outcome>, max_errors: &str) -> Run {
    let outcomes: Vec<Outcome> = outcomes.into_iter().collect();
    let instance = |number: usize| InstanceId(format!("mi-{number:017x}").into());
    let instances = (0..outcomes.len()).map(instance).collect();
    let mut send = Send::new(CommandId::from("c"), instances, Plan::default());
    send.max_errors = fleet::Rate::parse_errors(max_errors).expect("a rate");
    send.targets = vec![fleet::Target { key: "tag-key".to_owned(), values: vec!["web".to_owned()] }];
    let finished = outcomes.into_iter().enumerate().map(|(number, outcome)| Event::Finished {
        at: SENT.plus_seconds(2),
        instance: instance(number),
        decider: Decider::Agent,
        outcome: outcome.into(),
    });
    let events: Vec<Event> = [Event::Sent { at: SENT, send: Box::new(send) }].into_iter().chain(finished).collect();
    Run::replay(&events)
}

/// By tag, with everything that can be asked for, in three steps: one succeeded with a warning, one was skipped, one
/// failed.
pub(crate) fn whole_run() -> Run {
    let script = |text: &str| Script {
        text: text.to_owned(),
        working_directory: String::new(),
        execution_timeout_seconds: 60,
        environment: vec![],
    };
    let names = ["fetch", "install", "check"];
    let steps = names.map(|name| document::Step::new(name, document::Action::Shell(script(name))));
    let mut send = Send::new(
        CommandId::from("0d3a0b3e-0000-4000-8000-000000000002"),
        vec![instance(1)],
        Plan { steps: steps.into() },
    );
    send.document_name = "Nightly".to_owned();
    send.document_version = "3".to_owned();
    send.comment = "night".to_owned();
    send.targets = vec![fleet::Target { key: "tag:role".to_owned(), values: vec!["web".to_owned()] }];
    send.destinations = fleet::Destinations {
        bucket: "logs".to_owned(),
        key_prefix: "night".to_owned(),
        region: String::new(),
        log_group: Some("/aws/ssm/Nightly".to_owned()),
    };
    send.notification = Some(fleet::Notification {
        arn: "arn:aws:sns:us-east-1:000000000000:night".to_owned(),
        events: vec![fleet::NotificationEvent::Success, fleet::NotificationEvent::Failed],
        per: fleet::Per::Invocation,
    });
    send.service_role = "arn:aws:iam::000000000000:role/sns".to_owned();
    let step = |name: &str, ended, verdict, stdout: &str| fleet::StepOutcome {
        name: name.to_owned(),
        ended,
        verdict,
        stdout: stdout.to_owned(),
        stderr: String::new(),
        stdout_truncated: false,
        stderr_truncated: false,
        started_at: Some(SENT),
        finished_at: Some(SENT.plus_seconds(1)),
    };
    let missing = fleet::Failure {
        code: FailureCode::ContentMissing,
        cause: "there is no such file".to_owned(),
        exit_code: None,
    };
    let steps = vec![
        step("fetch", fleet::StepEnded::ExitCode(0), fleet::Verdict::Warning, "fetched\n"),
        step("install", fleet::StepEnded::Skipped("Step execution skipped".to_owned()), fleet::Verdict::Normal, ""),
        step("check", fleet::StepEnded::Failure(missing.clone()), fleet::Verdict::Abnormal, ""),
    ];
    let outcome = Outcome {
        stdout: "fetched\n".to_owned(),
        started_at: Some(SENT),
        finished_at: Some(SENT.plus_seconds(2)),
        verdict: fleet::Verdict::Abnormal,
        steps,
        ..Outcome::of(Ended::Failure(missing))
    };
    Run::replay(&[
        Event::Sent { at: SENT, send: Box::new(send) },
        finished(1, outcome),
        Event::Ended { at: SENT.plus_seconds(2), status: fleet::CommandStatus::Failed },
    ])
}
