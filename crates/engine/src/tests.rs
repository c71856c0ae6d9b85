//! Executions as stories: commands in, facts and effects out.
//!
//! After every line: a replay of the packed events gives the same execution, so does its snapshot; every
//! effect asked for is still owed; and what has ended owes nothing.

use asl::{Machine, MachineKind};
use base::{Json, Timestamp};
use expect_test::{Expect, expect};

use crate::pack;
use crate::{
    Alarm, Command, Effect, Env, Event, Execution, Fact, Failure, Identity, Kind, Limits, Start, TaskId, TimerId, step,
};

#[track_caller]
pub(crate) fn check(definition: &str, script: &str, expect: Expect) {
    expect.assert_eq(&play(definition, script, Limits::default()));
}

/// The facts that AWS would show, when each pause is ended before the next command.
pub(crate) fn shown(definition: &str, script: &str, limits: Limits) -> Vec<String> {
    let machine = machine(definition);
    let (mut execution, mut shown) = (Execution::default(), vec![]);
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut next = Some(command(line, &execution));
        while let Some(command) = next.take() {
            let env = Env { now: Timestamp(0), entropy: 0, limits, activities: &Existing };
            let Ok(step) = step(&machine, &mut execution, command, env) else { break };
            next = step.events.iter().find_map(|event| match &event.fact {
                Fact::StepPaused { alarm, .. } => Some(Command::Fire { timer: alarm.timer }),
                _ => None,
            });
            shown.extend(step.events.iter().filter(|event| event.is_aws()).map(show));
        }
    }
    shown
}

/// Plays `script`, one command a line, a second apart, and shows everything that came of it.
pub(crate) fn play(definition: &str, script: &str, limits: Limits) -> String {
    let machine = machine(definition);
    let (mut execution, mut history, mut out) = (Execution::default(), Vec::<Event>::new(), String::new());
    for (at, line) in script.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        out += &format!("{line}\n");
        let env = Env { now: Timestamp(at as i64 * 1000), entropy: at as u64, limits, activities: &Existing };
        let before = execution.clone();
        match step(&machine, &mut execution, command(line, &before), env) {
            Err(refusal) => {
                out += &format!("  refused: {refusal}\n");
                assert_eq!(execution, before, "a refusal leaves no trace");
            }
            Ok(step) => {
                step.events.iter().for_each(|event| out += &format!("  {}\n", show(event)));
                step.effects.iter().for_each(|effect| out += &format!("  > {}\n", show_effect(effect)));
                let owed = execution.outstanding();
                let asked = |effect: &&Effect| {
                    matches!(
                        effect,
                        Effect::RunTask { .. }
                            | Effect::StartMapRun { .. }
                            | Effect::RedriveMapRun { .. }
                            | Effect::SetTimer(_)
                    )
                };
                assert!(step.effects.iter().filter(asked).all(|effect| owed.contains(effect)), "asked and not owed");
                history.extend(pack::decode(&pack::encode(&step.events)).expect("what was packed"));
            }
        }
        assert_eq!(Execution::replay(&history), execution, "replay differs from live after {line}");
        assert_eq!(pack::decode_snapshot(&pack::encode_snapshot(&execution)).expect("a snapshot"), execution);
        assert!(!execution.has_ended() || execution.outstanding().is_empty(), "the finished owe nothing");
        let waits = execution.awaits_tasks() || !execution.timers.is_empty();
        assert!(*execution.status() != crate::Status::Running || waits, "what runs waits for something, after {line}");
        let ids: Vec<u64> = history.iter().filter(|event| event.is_aws()).map(|event| event.id).collect();
        assert!(ids.iter().copied().eq(1..=ids.len() as u64), "ids are dense");
    }
    out
}

pub(crate) fn machine(definition: &str) -> Machine {
    let parsed = asl::parse(definition, MachineKind::Standard);
    parsed.machine.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics))
}

/// Activities that are not called `gone`.
#[derive(Debug)]
struct Existing;

impl crate::Activities for Existing {
    fn exist(&self, arn: &str) -> bool {
        !arn.ends_with(":gone")
    }
}

fn token_of(execution: &Execution, task: TaskId) -> std::sync::Arc<str> {
    execution.task_of_worker(task).map_or_else(|| "none".into(), |(token, _)| token)
}

pub(crate) fn command(line: &str, execution: &Execution) -> Command {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let (number, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let task = || TaskId(number.parse().expect("a task"));
    let json = |text: &str| Json::parse(text).expect("JSON");
    match verb {
        "start" => {
            Command::Start(Start { identity: identity(), input: json(rest), text: None, block: asl::Machine::ROOT })
        }
        "ok" => Command::Complete { task: task(), outcome: Ok(json(text)) },
        "fail" => {
            let (error, cause) = text.split_once(' ').unwrap_or((text, ""));
            Command::Complete { task: task(), outcome: Err(Failure::new(error, cause)) }
        }
        "submit" => Command::Submit { task: task(), output: json(text) },
        "job" => Command::JobEnded { task: task(), outcome: Ok(json(text)) },
        "ended" => {
            let outcome = match text.split_once(' ').unwrap_or((text, "")) {
                ("ok", output) => crate::MapRunOutcome::Succeeded { output: json(output) },
                ("large", _) => crate::MapRunOutcome::TooLarge,
                (error, cause) => crate::MapRunOutcome::Failed { failure: Failure::new(error, cause) },
            };
            Command::MapRunEnded { task: task(), outcome }
        }
        "beat" => Command::Heartbeat { task: task(), token: token_of(execution, task()) },
        "answer" => Command::Answer { task: task(), token: token_of(execution, task()), outcome: Ok(json(text)) },
        "deny" => {
            let (error, cause) = text.split_once(' ').unwrap_or((text, ""));
            let outcome = Err(Failure::new(error, cause));
            Command::Answer { task: task(), token: token_of(execution, task()), outcome }
        }
        "guess" => Command::Answer { task: task(), token: text.into(), outcome: Ok(Json::Null) },
        "take" => Command::Take { task: task(), worker: Some(text.into()) },
        "fire" => Command::Fire { timer: TimerId(number.parse().expect("a timer")) },
        "redrive" => Command::Redrive { token: None, nth: None },
        "stop" => Command::Stop { failure: Failure::new("Operator", "enough") },
        other => panic!("no such command: {other}"),
    }
}

fn identity() -> Identity {
    Identity {
        execution_arn: "arn:aws:states:us-east-1:111111111111:execution:net:run".into(),
        name: "run".into(),
        machine_arn: "arn:aws:states:us-east-1:111111111111:stateMachine:net".into(),
        machine_name: "net".into(),
        role_arn: "arn:aws:iam::111111111111:role/r".into(),
        version_arn: None,
        alias_arn: None,
        definition: "d".into(),
        map_run_arn: None,
        express: false,
    }
}

/// `4<3 PassStateExited(A) {"x":1}`; facts of our own have a dot in place of the numbers.
fn show(event: &Event) -> String {
    let number = match event.is_aws() {
        true => format!("{}<{}", event.id, event.previous),
        false => ".".to_owned(),
    };
    format!("{number} {}", show_fact(&event.fact))
}

fn show_fact(fact: &Fact) -> String {
    let state = |kind: &Kind, what: &str, name: &str| format!("{}State{what}({name})", kind.name());
    let failed = |what: &str, failure: &Failure| {
        let text = |text: &Option<std::sync::Arc<str>>| text.as_deref().unwrap_or("-").to_owned();
        format!("{what} {}: {}", text(&failure.error), text(&failure.cause))
    };
    match fact {
        Fact::ExecutionStarted { input, .. } => format!("ExecutionStarted {input}"),
        Fact::ExecutionSucceeded { output } => format!("ExecutionSucceeded {output}"),
        Fact::ExecutionFailed { failure } => failed("ExecutionFailed", failure),
        Fact::ExecutionAborted { failure } => failed("ExecutionAborted", failure),
        Fact::ExecutionTimedOut { failure } => failed("ExecutionTimedOut", failure),
        Fact::ExecutionRedriven { count, .. } => format!("ExecutionRedriven {count}"),
        Fact::StateEntered { kind, name, input } => format!("{} {input}", state(kind, "Entered", name)),
        Fact::StateExited { kind, name, output, assigned } => {
            let show = |(name, value): &(std::sync::Arc<str>, Json)| format!(" ${name}={value}");
            let assigned: String = assigned.iter().flatten().map(show).collect();
            format!("{} {output}{assigned}", state(kind, "Exited", name))
        }
        Fact::StateAborted { kind, name } => state(kind, "Aborted", name),
        Fact::EvaluationFailed { state, failure, location } => {
            failed(&format!("EvaluationFailed({state}) {}", location.as_deref().unwrap_or("-")), failure)
        }
        Fact::TaskScheduled { task, parameters, .. } => format!("TaskScheduled {} {parameters}", task.0),
        Fact::TaskStarted { task, worker, .. } => {
            format!(
                "TaskStarted {}{}",
                task.0,
                worker.as_deref().map(|worker| format!(" by {worker}")).unwrap_or_default()
            )
        }
        Fact::TaskAnswered { task, outcome: Ok(output) } => format!("TaskAnswered {} {output}", task.0),
        Fact::TaskAnswered { task, outcome: Err(failure) } => failed(&format!("TaskAnswered {}", task.0), failure),
        Fact::TaskSubmitted { task, output, .. } => format!("TaskSubmitted {} {output}", task.0),
        Fact::TaskSucceeded { task, output, .. } => format!("TaskSucceeded {} {output}", task.0),
        Fact::TaskFailed { task, failure, .. } => failed(&format!("TaskFailed {}", task.0), failure),
        Fact::TaskTimedOut { task, failure, .. } => failed(&format!("TaskTimedOut {}", task.0), failure),
        Fact::MapIterationStarted { name, index, .. } => format!("MapIterationStarted({name}#{index})"),
        Fact::MapIterationSucceeded { name, index } => format!("MapIterationSucceeded({name}#{index})"),
        Fact::MapIterationFailed { name, index } => format!("MapIterationFailed({name}#{index})"),
        Fact::MapIterationAborted { name, index } => format!("MapIterationAborted({name}#{index})"),
        Fact::MapStarted { length, .. } => format!("MapStateStarted {length}"),
        Fact::ParallelStarted { .. } => "ParallelStateStarted".to_owned(),
        Fact::ParallelSucceeded => "ParallelStateSucceeded".to_owned(),
        Fact::ParallelFailed => "ParallelStateFailed".to_owned(),
        Fact::MapSucceeded => "MapStateSucceeded".to_owned(),
        Fact::MapFailed => "MapStateFailed".to_owned(),
        Fact::MapDistributed { length } => format!("MapStateStarted({length})"),
        Fact::MapRunStarted { arn, task, plan } => {
            format!("MapRunStarted {arn} task {} {}", task.0, show_plan(plan))
        }
        Fact::MapRunSucceeded { .. } => "MapRunSucceeded".to_owned(),
        Fact::MapRunFailed { failure, .. } => failed("MapRunFailed", failure),
        Fact::MapRunAborted => "MapRunAborted".to_owned(),
        Fact::MapRunRedriven { arn, count, task } => format!("MapRunRedriven {count} {arn} task {}", task.0),
        Fact::TaskHeartbeat { task, next } => format!("TaskHeartbeat {} {}", task.0, show_alarm(next)),
        Fact::WaitStarted { alarm } => format!("WaitStarted {}", show_alarm(alarm)),
        Fact::RetryScheduled { retrier, alarm } => format!("RetryScheduled by {retrier} {}", show_alarm(alarm)),
        Fact::FrameEnded { .. } => "FrameEnded".to_owned(),
        Fact::StepPaused { alarm, entering, .. } => {
            let entering: Vec<&str> = entering.iter().map(|(_, name, _)| &**name).collect();
            format!("StepPaused before {} {}", entering.join(", "), show_alarm(alarm))
        }
        Fact::StepResumed => "StepResumed".to_owned(),
    }
}

fn show_alarm(alarm: &Alarm) -> String {
    format!("timer {} at {}", alarm.timer.0, alarm.due.0)
}

fn show_effect(effect: &Effect) -> String {
    match effect {
        Effect::RunTask { task, parameters, .. } => format!("run task {} {parameters}", task.0),
        Effect::AbandonTask { task, .. } => format!("abandon task {}", task.0),
        Effect::StartMapRun { task, .. } => format!("start the Map run of task {}", task.0),
        Effect::RedriveMapRun { task, .. } => format!("redrive the Map run for task {}", task.0),
        Effect::StopMapRun { task, .. } => format!("stop the Map run of task {}", task.0),
        Effect::SetTimer(alarm) => format!("set {}", show_alarm(alarm)),
        Effect::ClearTimer(alarm) => format!("clear {}", show_alarm(alarm)),
        Effect::Ended => "ended".to_owned(),
    }
}

const SYNC: &str = "arn:aws:states:::ssm:sendCommand.sync";

fn one_task(fields: &str) -> String {
    format!(r#"{{"StartAt":"A","States":{{"A":{{"Type":"Task","Resource":"{SYNC}",{fields}"End":true}},"B":{{"Type":"Pass","End":true}}}}}}"#)
        .replace(r#","B":{"Type":"Pass","End":true}"#, if fields.contains("\"B\"") { r#","B":{"Type":"Pass","End":true}"# } else { "" })
}

#[test]
fn passes_run_in_one_step() {
    check(
        r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Result":1,"ResultPath":"$.x","Next":"B"},"B":{"Type":"Succeed"}}}"#,
        r#"start {}"#,
        expect![[r#"
            start {}
              1<0 ExecutionStarted {}
              2<0 PassStateEntered(A) {}
              3<2 PassStateExited(A) {"x":1}
              4<3 SucceedStateEntered(B) {"x":1}
              5<4 SucceedStateExited(B) {"x":1}
              6<5 ExecutionSucceeded {"x":1}
              > ended
        "#]],
    );
}

#[test]
fn a_task_runs_and_its_result_is_placed() {
    check(
        &one_task(
            r#""Parameters":{"p.$":"$.in"},"ResultSelector":{"r.$":"$.out"},"ResultPath":"$.got","OutputPath":"$.got","#,
        ),
        r#"
        start {"in":1}
        submit 0 {"job":7}
        ok 0 {"out":2}
        ok 0 {"out":3}
        "#,
        expect![[r#"
            start {"in":1}
              1<0 ExecutionStarted {"in":1}
              2<0 TaskStateEntered(A) {"in":1}
              3<2 TaskScheduled 0 {"p":1}
              4<3 TaskStarted 0
              > run task 0 {"p":1}
            submit 0 {"job":7}
              5<4 TaskSubmitted 0 {"job":7}
            ok 0 {"out":2}
              6<5 TaskSucceeded 0 {"out":2}
              7<6 TaskStateExited(A) {"r":2}
              8<7 ExecutionSucceeded {"r":2}
              > ended
            ok 0 {"out":3}
              refused: execution is not running
        "#]],
    );
}

#[test]
fn retry_then_catch() {
    check(
        &one_task(
            r#""Retry":[{"ErrorEquals":["E"],"IntervalSeconds":2,"MaxAttempts":2,"BackoffRate":3}],"Catch":[{"ErrorEquals":["States.ALL"],"ResultPath":"$.error","Next":"B"}],"#,
        ),
        r#"
        start {"k":1}
        fail 0 E first
        fail 0 E late
        fire 0
        fail 1 E second
        fire 1
        fail 2 E third
        "#,
        expect![[r#"
            start {"k":1}
              1<0 ExecutionStarted {"k":1}
              2<0 TaskStateEntered(A) {"k":1}
              3<2 TaskScheduled 0 {"k":1}
              4<3 TaskStarted 0
              > run task 0 {"k":1}
            fail 0 E first
              5<4 TaskFailed 0 E: first
              . RetryScheduled by 0 timer 0 at 3000
              > set timer 0 at 3000
            fail 0 E late
              refused: task-0 is not outstanding
            fire 0
              6<5 TaskScheduled 1 {"k":1}
              7<6 TaskStarted 1
              > run task 1 {"k":1}
            fail 1 E second
              8<7 TaskFailed 1 E: second
              . RetryScheduled by 0 timer 1 at 10000
              > set timer 1 at 10000
            fire 1
              9<8 TaskScheduled 2 {"k":1}
              10<9 TaskStarted 2
              > run task 2 {"k":1}
            fail 2 E third
              11<10 TaskFailed 2 E: third
              12<11 TaskStateExited(A) {"k":1,"error":{"Error":"E","Cause":"third"}}
              13<12 PassStateEntered(B) {"k":1,"error":{"Error":"E","Cause":"third"}}
              14<13 PassStateExited(B) {"k":1,"error":{"Error":"E","Cause":"third"}}
              15<14 ExecutionSucceeded {"k":1,"error":{"Error":"E","Cause":"third"}}
              > ended
        "#]],
    );
}

#[test]
fn a_task_times_out_and_misses_heartbeats() {
    check(
        &with_token(
            r#""TimeoutSeconds":9,"HeartbeatSeconds":3,"Catch":[{"ErrorEquals":["States.HeartbeatTimeout"],"Next":"B"}],"#,
        ),
        r#"
        start {}
        beat 0
        fire 1
        fire 2
        "#,
        expect![[r#"
            start {}
              1<0 ExecutionStarted {}
              2<0 TaskStateEntered(A) {}
              3<2 TaskScheduled 0 {}
              4<3 TaskStarted 0
              > run task 0 {}
              > set timer 0 at 9000
              > set timer 1 at 3000
            beat 0
              . TaskHeartbeat 0 timer 2 at 4000
              > clear timer 1 at 3000
              > set timer 2 at 4000
            fire 1
              refused: timer-1 is not outstanding
            fire 2
              5<4 TaskTimedOut 0 States.Timeout: -
              6<5 TaskStateExited(A) {"Error":"States.Timeout"}
              7<6 PassStateEntered(B) {"Error":"States.Timeout"}
              8<7 PassStateExited(B) {"Error":"States.Timeout"}
              9<8 ExecutionSucceeded {"Error":"States.Timeout"}
              > clear timer 0 at 9000
              > abandon task 0
              > ended
        "#]],
    );
}

#[test]
fn lost_is_retried_only_by_its_name() {
    check(
        &one_task(
            r#""Retry":[{"ErrorEquals":["Agent.Lost"],"MaxAttempts":1},{"ErrorEquals":["States.ALL"],"MaxAttempts":9}],"#,
        ),
        r#"
        start {}
        fail 0 Agent.Lost unheard of
        fire 0
        fail 1 Agent.Lost unheard of
        "#,
        expect![[r#"
            start {}
              1<0 ExecutionStarted {}
              2<0 TaskStateEntered(A) {}
              3<2 TaskScheduled 0 {}
              4<3 TaskStarted 0
              > run task 0 {}
            fail 0 Agent.Lost unheard of
              5<4 TaskFailed 0 Agent.Lost: unheard of
              . RetryScheduled by 0 timer 0 at 2000
              > set timer 0 at 2000
            fire 0
              6<5 TaskScheduled 1 {}
              7<6 TaskStarted 1
              > run task 1 {}
            fail 1 Agent.Lost unheard of
              8<7 TaskFailed 1 Agent.Lost: unheard of
              9<8 ExecutionFailed Agent.Lost: unheard of
              > ended
        "#]],
    );
    check(
        &one_task(r#""Retry":[{"ErrorEquals":["States.ALL"]}],"#),
        r#"
        start {}
        fail 0 Agent.Lost unheard of
        "#,
        expect![[r#"
            start {}
              1<0 ExecutionStarted {}
              2<0 TaskStateEntered(A) {}
              3<2 TaskScheduled 0 {}
              4<3 TaskStarted 0
              > run task 0 {}
            fail 0 Agent.Lost unheard of
              5<4 TaskFailed 0 Agent.Lost: unheard of
              6<5 ExecutionFailed Agent.Lost: unheard of
              > ended
        "#]],
    );
}

#[test]
fn indeterminate_is_not_retried_by_all() {
    check(
        &one_task(r#""Retry":[{"ErrorEquals":["States.ALL"]}],"Catch":[{"ErrorEquals":["States.ALL"],"Next":"B"}],"#),
        r#"
        start {}
        fail 0 Agent.Indeterminate nobody knows
        "#,
        expect![[r#"
            start {}
              1<0 ExecutionStarted {}
              2<0 TaskStateEntered(A) {}
              3<2 TaskScheduled 0 {}
              4<3 TaskStarted 0
              > run task 0 {}
            fail 0 Agent.Indeterminate nobody knows
              5<4 TaskFailed 0 Agent.Indeterminate: nobody knows
              6<5 TaskStateExited(A) {"Error":"Agent.Indeterminate","Cause":"nobody knows"}
              7<6 PassStateEntered(B) {"Error":"Agent.Indeterminate","Cause":"nobody knows"}
              8<7 PassStateExited(B) {"Error":"Agent.Indeterminate","Cause":"nobody knows"}
              9<8 ExecutionSucceeded {"Error":"Agent.Indeterminate","Cause":"nobody knows"}
              > ended
        "#]],
    );
}

#[test]
fn a_wait_waits_and_a_wait_of_nothing_does_not() {
    let wait = |seconds: &str| format!(r#"{{"StartAt":"W","States":{{"W":{{"Type":"Wait",{seconds},"End":true}}}}}}"#);
    check(
        &wait(r#""Seconds":5"#),
        "start {}\nfire 0\nfire 0",
        expect![[r#"
        start {}
          1<0 ExecutionStarted {}
          2<0 WaitStateEntered(W) {}
          . WaitStarted timer 0 at 5000
          > set timer 0 at 5000
        fire 0
          3<2 WaitStateExited(W) {}
          4<3 ExecutionSucceeded {}
          > ended
        fire 0
          refused: execution is not running
    "#]],
    );
    check(
        &wait(r#""Seconds":0"#),
        "start {}",
        expect![[r#"
        start {}
          1<0 ExecutionStarted {}
          2<0 WaitStateEntered(W) {}
          3<2 WaitStateExited(W) {}
          4<3 ExecutionSucceeded {}
          > ended
    "#]],
    );
    check(
        &wait(r#""SecondsPath":"$.s""#),
        r#"start {"s":-1}"#,
        expect![[r#"
        start {"s":-1}
          1<0 ExecutionStarted {"s":-1}
          2<0 WaitStateEntered(W) {"s":-1}
          3<2 ExecutionFailed States.Runtime: An error occurred while executing the state 'W' (entered at the event id #2). The SecondsPath parameter references a negative value: $.s == -1
          > ended
    "#]],
    );
    check(
        &wait(r#""TimestampPath":"$.s""#),
        r#"start {"s":"1970-01-01T00:00:07Z"}"#,
        expect![[r#"
        start {"s":"1970-01-01T00:00:07Z"}
          1<0 ExecutionStarted {"s":"1970-01-01T00:00:07Z"}
          2<0 WaitStateEntered(W) {"s":"1970-01-01T00:00:07Z"}
          . WaitStarted timer 0 at 7000
          > set timer 0 at 7000
    "#]],
    );
}

fn parallel(fields: &str) -> String {
    format!(
        r#"{{"StartAt":"P","States":{{"P":{{"Type":"Parallel",{fields}"End":true,"Branches":[
        {{"StartAt":"A","States":{{"A":{{"Type":"Task","Resource":"{SYNC}","End":true}}}}}},
        {{"StartAt":"W","States":{{"W":{{"Type":"Wait","Seconds":60,"End":true}}}}}}]}}}}}}"#
    )
}

#[test]
fn a_redrive_does_the_failed_state_again() {
    check(
        &one_task(""),
        "start {}\nredrive\nfail 0 E why\nfail 0 E late\nredrive\nok 1 7\nredrive",
        expect![[r#"
        start {}
          1<0 ExecutionStarted {}
          2<0 TaskStateEntered(A) {}
          3<2 TaskScheduled 0 {}
          4<3 TaskStarted 0
          > run task 0 {}
        redrive
          refused: execution is running or has succeeded
        fail 0 E why
          5<4 TaskFailed 0 E: why
          6<5 ExecutionFailed E: why
          > ended
        fail 0 E late
          refused: execution is not running
        redrive
          7<6 ExecutionRedriven 1
          8<7 TaskScheduled 1 {}
          9<8 TaskStarted 1
          > run task 1 {}
        ok 1 7
          10<9 TaskSucceeded 1 7
          11<10 TaskStateExited(A) 7
          12<11 ExecutionSucceeded 7
          > ended
        redrive
          refused: execution is running or has succeeded
    "#]],
    );
}

#[test]
fn a_redrive_enters_what_was_not_yet_entered() {
    let early = r#"{"StartAt":"E","States":{"E":{"Type":"Pass","QueryLanguage":"JSONata","Output":"{% $states.context.Execution.RedriveCount = 0 ? $error('not yet') : 1 %}","End":true}}}"#;
    let late = r#"{"StartAt":"L","States":{"L":{"Type":"Succeed"}}}"#;
    check(
        &format!(r#"{{"StartAt":"P","States":{{"P":{{"Type":"Parallel","Branches":[{early},{late}],"End":true}}}}}}"#),
        "start {}\nredrive",
        expect![[r#"
            start {}
              1<0 ExecutionStarted {}
              2<0 ParallelStateEntered(P) {}
              3<2 ParallelStateStarted
              4<3 PassStateEntered(E) {}
              5<3 EvaluationFailed(E) Output States.QueryEvaluationError: An error occurred while executing the state 'E' (entered at the event id #4). The JSONata expression '$states.context.Execution.RedriveCount = 0 ? $error('not yet') : 1' specified for the field 'Output' threw an error during evaluation. D3137: not yet
              . FrameEnded
              . FrameEnded
              6<5 ParallelStateFailed
              . StepPaused before L timer 0 at 0
              7<6 ExecutionFailed States.QueryEvaluationError: An error occurred while executing the state 'E' (entered at the event id #4). The JSONata expression '$states.context.Execution.RedriveCount = 0 ? $error('not yet') : 1' specified for the field 'Output' threw an error during evaluation. D3137: not yet
              > ended
            redrive
              8<7 ExecutionRedriven 1
              9<8 PassStateExited(E) 1
              . FrameEnded
              10<3 SucceedStateEntered(L) {}
              11<10 SucceedStateExited(L) {}
              . FrameEnded
              12<11 ParallelStateSucceeded
              13<11 ParallelStateExited(P) [1,{}]
              14<13 ExecutionSucceeded [1,{}]
              > ended
        "#]],
    );
}

#[test]
fn a_redrive_that_fails_again_at_once_ends_what_stood_beside_it() {
    let fails = r#"{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":1,"Next":"F"},"F":{"Type":"Fail"}}}"#;
    let task = format!(r#"{{"StartAt":"A","States":{{"A":{{"Type":"Task","Resource":"{SYNC}","End":true}}}}}}"#);
    check(
        &format!(r#"{{"StartAt":"P","States":{{"P":{{"Type":"Parallel","Branches":[{fails},{task}],"End":true}}}}}}"#),
        "start {}\nfire 0\nredrive",
        expect![[r#"
            start {}
              1<0 ExecutionStarted {}
              2<0 ParallelStateEntered(P) {}
              3<2 ParallelStateStarted
              4<3 WaitStateEntered(W) {}
              . WaitStarted timer 0 at 1000
              5<3 TaskStateEntered(A) {}
              6<5 TaskScheduled 0 {}
              7<6 TaskStarted 0
              > set timer 0 at 1000
              > run task 0 {}
            fire 0
              8<4 WaitStateExited(W) {}
              9<8 FailStateEntered(F) {}
              . FrameEnded
              10<9 TaskStateAborted(A)
              . FrameEnded
              11<9 ParallelStateFailed
              12<11 ExecutionFailed -: -
              > abandon task 0
              > ended
            redrive
              13<12 ExecutionRedriven 1
              . FrameEnded
              14<13 TaskStateAborted(A)
              . FrameEnded
              15<13 ParallelStateFailed
              16<15 ExecutionFailed -: -
              > ended
        "#]],
    );
}

#[test]
fn an_express_execution_is_redriven_as_a_whole() {
    let machine = machine(
        r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Result":1,"Next":"B"},
            "B":{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:ssm:getParameter","End":true}}}"#,
    );
    let (mut execution, mut out) = (Execution::default(), String::new());
    for line in ["start {}", "fail 0 E why", "redrive"] {
        let command = match command(line, &execution) {
            Command::Start(start) => {
                Command::Start(Start { identity: Identity { express: true, ..start.identity }, ..start })
            }
            other => other,
        };
        let env = Env { now: Timestamp(0), entropy: 1, limits: Limits::default(), activities: &crate::EveryActivity };
        let step = step(&machine, &mut execution, command, env).expect("it is decided");
        step.events.iter().for_each(|event| out += &format!("{}\n", show(event)));
    }
    expect![[r#"
        1<0 ExecutionStarted {}
        2<0 PassStateEntered(A) {}
        3<2 PassStateExited(A) 1
        4<3 TaskStateEntered(B) 1
        5<4 TaskScheduled 0 1
        6<5 TaskStarted 0
        7<6 TaskFailed 0 E: why
        8<7 ExecutionFailed E: why
        9<8 ExecutionRedriven 1
        10<9 PassStateEntered(A) {}
        11<10 PassStateExited(A) 1
        12<11 TaskStateEntered(B) 1
        13<12 TaskScheduled 1 1
        14<13 TaskStarted 1
    "#]]
    .assert_eq(&out);
}

#[test]
fn a_branch_may_give_null() {
    let played = play(&parallel(""), "start {}\nok 0 null\nfire 0", Limits::default());
    assert!(played.contains("ExecutionSucceeded [null,{}]"), "{played}");
    let map = r#"{"StartAt":"M","States":{"M":{"Type":"Map","ItemProcessor":{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"SYNC","End":true}}},"End":true}}}"#;
    let played = play(&map.replace("SYNC", SYNC), "start [1,2]\nok 1 null\nok 0 0", Limits::default());
    assert!(played.contains("ExecutionSucceeded [0,null]"), "{played}");
}

#[test]
fn a_redrive_goes_on_with_the_branches_that_had_not_succeeded() {
    check(
        &parallel(""),
        "start {}\nfire 0\nfail 0 E why\nredrive\nok 1 1",
        expect![[r#"
        start {}
          1<0 ExecutionStarted {}
          2<0 ParallelStateEntered(P) {}
          3<2 ParallelStateStarted
          4<3 TaskStateEntered(A) {}
          5<4 TaskScheduled 0 {}
          6<3 WaitStateEntered(W) {}
          . WaitStarted timer 0 at 60000
          7<5 TaskStarted 0
          > run task 0 {}
          > set timer 0 at 60000
        fire 0
          8<6 WaitStateExited(W) {}
          . FrameEnded
        fail 0 E why
          9<7 TaskFailed 0 E: why
          10<9 TaskStateAborted(A)
          . FrameEnded
          11<9 ParallelStateFailed
          12<11 ExecutionFailed E: why
          > ended
        redrive
          13<12 ExecutionRedriven 1
          14<13 TaskScheduled 1 {}
          15<14 TaskStarted 1
          > run task 1 {}
        ok 1 1
          16<15 TaskSucceeded 1 1
          17<16 TaskStateExited(A) 1
          . FrameEnded
          18<17 ParallelStateSucceeded
          19<17 ParallelStateExited(P) [1,{}]
          20<19 ExecutionSucceeded [1,{}]
          > ended
    "#]],
    );
    check(
        &parallel(""),
        "start {}\nok 0 1\nstop\nredrive\nfire 1",
        expect![[r#"
        start {}
          1<0 ExecutionStarted {}
          2<0 ParallelStateEntered(P) {}
          3<2 ParallelStateStarted
          4<3 TaskStateEntered(A) {}
          5<4 TaskScheduled 0 {}
          6<3 WaitStateEntered(W) {}
          . WaitStarted timer 0 at 60000
          7<5 TaskStarted 0
          > run task 0 {}
          > set timer 0 at 60000
        ok 0 1
          8<7 TaskSucceeded 0 1
          9<8 TaskStateExited(A) 1
          . FrameEnded
        stop
          10<0 ExecutionAborted Operator: enough
          > clear timer 0 at 60000
          > ended
        redrive
          11<10 ExecutionRedriven 1
          . WaitStarted timer 1 at 63000
          > set timer 1 at 63000
        fire 1
          12<11 WaitStateExited(W) {}
          . FrameEnded
          13<12 ParallelStateSucceeded
          14<12 ParallelStateExited(P) [1,{}]
          15<14 ExecutionSucceeded [1,{}]
          > ended
    "#]],
    );
}

#[test]
fn branches_run_and_join() {
    check(
        &parallel(""),
        "start {}\nok 0 1\nfire 0",
        expect![[r#"
        start {}
          1<0 ExecutionStarted {}
          2<0 ParallelStateEntered(P) {}
          3<2 ParallelStateStarted
          4<3 TaskStateEntered(A) {}
          5<4 TaskScheduled 0 {}
          6<3 WaitStateEntered(W) {}
          . WaitStarted timer 0 at 60000
          7<5 TaskStarted 0
          > run task 0 {}
          > set timer 0 at 60000
        ok 0 1
          8<7 TaskSucceeded 0 1
          9<8 TaskStateExited(A) 1
          . FrameEnded
        fire 0
          10<6 WaitStateExited(W) {}
          . FrameEnded
          11<10 ParallelStateSucceeded
          12<10 ParallelStateExited(P) [1,{}]
          13<12 ExecutionSucceeded [1,{}]
          > ended
    "#]],
    );
}

#[test]
fn a_failed_branch_ends_its_siblings() {
    check(
        &parallel(""),
        "start {}\nfail 0 E why\nfire 0",
        expect![[r#"
        start {}
          1<0 ExecutionStarted {}
          2<0 ParallelStateEntered(P) {}
          3<2 ParallelStateStarted
          4<3 TaskStateEntered(A) {}
          5<4 TaskScheduled 0 {}
          6<3 WaitStateEntered(W) {}
          . WaitStarted timer 0 at 60000
          7<5 TaskStarted 0
          > run task 0 {}
          > set timer 0 at 60000
        fail 0 E why
          8<7 TaskFailed 0 E: why
          9<8 TaskStateAborted(A)
          . FrameEnded
          10<8 WaitStateAborted(W)
          . FrameEnded
          11<8 ParallelStateFailed
          12<11 ExecutionFailed E: why
          > clear timer 0 at 60000
          > ended
        fire 0
          refused: execution is not running
    "#]],
    );
}

#[test]
fn a_parallel_is_retried_whole() {
    check(
        &parallel(r#""Retry":[{"ErrorEquals":["E"],"MaxAttempts":1}],"#),
        "start {}\nfail 0 E why\nfire 1\nfail 1 E again",
        expect![[r#"
            start {}
              1<0 ExecutionStarted {}
              2<0 ParallelStateEntered(P) {}
              3<2 ParallelStateStarted
              4<3 TaskStateEntered(A) {}
              5<4 TaskScheduled 0 {}
              6<3 WaitStateEntered(W) {}
              . WaitStarted timer 0 at 60000
              7<5 TaskStarted 0
              > run task 0 {}
              > set timer 0 at 60000
            fail 0 E why
              8<7 TaskFailed 0 E: why
              9<8 TaskStateAborted(A)
              . FrameEnded
              10<8 WaitStateAborted(W)
              . FrameEnded
              . RetryScheduled by 0 timer 1 at 2000
              > clear timer 0 at 60000
              > set timer 1 at 2000
            fire 1
              11<8 ParallelStateStarted
              12<11 TaskStateEntered(A) {}
              13<12 TaskScheduled 1 {}
              14<11 WaitStateEntered(W) {}
              . WaitStarted timer 2 at 62000
              15<13 TaskStarted 1
              > run task 1 {}
              > set timer 2 at 62000
            fail 1 E again
              16<15 TaskFailed 1 E: again
              17<16 TaskStateAborted(A)
              . FrameEnded
              18<16 WaitStateAborted(W)
              . FrameEnded
              19<16 ParallelStateFailed
              20<19 ExecutionFailed E: again
              > clear timer 2 at 62000
              > ended
        "#]],
    );
}

fn map(fields: &str, inner: &str) -> String {
    format!(
        r#"{{"StartAt":"M","States":{{"M":{{"Type":"Map",{fields}"End":true,"ItemProcessor":{{"StartAt":"I","States":{{"I":{{{inner},"End":true}}}}}}}}}}}}"#
    )
}

#[test]
fn a_text_may_say_how_many_iterations_run() {
    check(
        &map(r#""ItemsPath":"$.l","MaxConcurrencyPath":"$.n","#, r#""Type":"Pass""#),
        r#"start {"l":[7,8],"n":"1"}"#,
        expect![[r#"
            start {"l":[7,8],"n":"1"}
              1<0 ExecutionStarted {"l":[7,8],"n":"1"}
              2<0 MapStateEntered(M) {"l":[7,8],"n":"1"}
              3<2 MapStateStarted 2
              4<3 MapIterationStarted(M#0)
              5<4 PassStateEntered(I) 7
              6<5 PassStateExited(I) 7
              . FrameEnded
              7<6 MapIterationSucceeded(M#0)
              8<6 MapIterationStarted(M#1)
              9<8 PassStateEntered(I) 8
              10<9 PassStateExited(I) 8
              . FrameEnded
              11<10 MapIterationSucceeded(M#1)
              12<11 MapStateSucceeded
              13<11 MapStateExited(M) [7,8]
              14<13 ExecutionSucceeded [7,8]
              > ended
        "#]],
    );
    check(
        &map(r#""ItemsPath":"$.l","MaxConcurrencyPath":"$.n","#, r#""Type":"Pass""#),
        r#"start {"l":[7,8],"n":"one"}"#,
        expect![[r#"
            start {"l":[7,8],"n":"one"}
              1<0 ExecutionStarted {"l":[7,8],"n":"one"}
              2<0 MapStateEntered(M) {"l":[7,8],"n":"one"}
              3<2 ExecutionFailed States.Runtime: An error occurred while executing the state 'M' (entered at the event id #2). The MaxConcurrencyPath field refers to value "one" which is not a valid integer: $.n
              > ended
        "#]],
    );
}

#[test]
fn a_map_runs_one_by_one() {
    check(
        &map(
            r#""MaxConcurrency":1,"ItemSelector":{"v.$":"$$.Map.Item.Value","i.$":"$$.Map.Item.Index"},"#,
            r#""Type":"Pass""#,
        ),
        "start [7,8]",
        expect![[r#"
            start [7,8]
              1<0 ExecutionStarted [7,8]
              2<0 MapStateEntered(M) [7,8]
              3<2 MapStateStarted 2
              4<3 MapIterationStarted(M#0)
              5<4 PassStateEntered(I) {"v":7,"i":0}
              6<5 PassStateExited(I) {"v":7,"i":0}
              . FrameEnded
              7<6 MapIterationSucceeded(M#0)
              8<6 MapIterationStarted(M#1)
              9<8 PassStateEntered(I) {"v":8,"i":1}
              10<9 PassStateExited(I) {"v":8,"i":1}
              . FrameEnded
              11<10 MapIterationSucceeded(M#1)
              12<11 MapStateSucceeded
              13<11 MapStateExited(M) [{"v":7,"i":0},{"v":8,"i":1}]
              14<13 ExecutionSucceeded [{"v":7,"i":0},{"v":8,"i":1}]
              > ended
        "#]],
    );
}

#[test]
fn a_map_of_nothing() {
    check(
        &map("", r#""Type":"Pass""#),
        "start []",
        expect![[r#"
        start []
          1<0 ExecutionStarted []
          2<0 MapStateEntered(M) []
          3<2 MapStateStarted 0
          4<3 MapStateSucceeded
          5<3 MapStateExited(M) []
          6<5 ExecutionSucceeded []
          > ended
    "#]],
    );
    check(
        &map("", r#""Type":"Pass""#),
        "start {}",
        expect![[r#"
        start {}
          1<0 ExecutionStarted {}
          2<0 MapStateEntered(M) {}
          3<2 ExecutionFailed States.Runtime: An error occurred while executing the state 'M' (entered at the event id #2). Reference path "$" must point to array.
          > ended
    "#]],
    );
}

#[test]
fn a_failed_iteration_ends_the_others() {
    let task = format!(r#""Type":"Task","Resource":"{SYNC}""#);
    check(
        &map("", &task),
        "start [1,2,3]\nok 1 0\nfail 2 E why\nok 0 0",
        expect![[r#"
        start [1,2,3]
          1<0 ExecutionStarted [1,2,3]
          2<0 MapStateEntered(M) [1,2,3]
          3<2 MapStateStarted 3
          4<3 MapIterationStarted(M#0)
          5<3 MapIterationStarted(M#1)
          6<3 MapIterationStarted(M#2)
          7<4 TaskStateEntered(I) 1
          8<7 TaskScheduled 0 1
          9<5 TaskStateEntered(I) 2
          10<9 TaskScheduled 1 2
          11<6 TaskStateEntered(I) 3
          12<11 TaskScheduled 2 3
          13<8 TaskStarted 0
          14<10 TaskStarted 1
          15<12 TaskStarted 2
          > run task 0 1
          > run task 1 2
          > run task 2 3
        ok 1 0
          16<14 TaskSucceeded 1 0
          17<16 TaskStateExited(I) 0
          . FrameEnded
          18<17 MapIterationSucceeded(M#1)
        fail 2 E why
          19<15 TaskFailed 2 E: why
          20<19 MapIterationFailed(M#2)
          21<19 TaskStateAborted(I)
          . FrameEnded
          22<19 MapIterationAborted(M#0)
          23<19 TaskStateAborted(I)
          . FrameEnded
          24<19 MapStateFailed
          25<24 ExecutionFailed E: why
          > abandon task 0
          > ended
        ok 0 0
          refused: execution is not running
    "#]],
    );
}

#[test]
fn a_stop_ends_everything() {
    check(
        &parallel(""),
        "start {}\nstop\nstop\nok 0 1",
        expect![[r#"
        start {}
          1<0 ExecutionStarted {}
          2<0 ParallelStateEntered(P) {}
          3<2 ParallelStateStarted
          4<3 TaskStateEntered(A) {}
          5<4 TaskScheduled 0 {}
          6<3 WaitStateEntered(W) {}
          . WaitStarted timer 0 at 60000
          7<5 TaskStarted 0
          > run task 0 {}
          > set timer 0 at 60000
        stop
          8<0 ExecutionAborted Operator: enough
          > abandon task 0
          > clear timer 0 at 60000
          > ended
        stop
          refused: execution is not running
        ok 0 1
          refused: execution is not running
    "#]],
    );
}

#[test]
fn the_machine_times_out() {
    let definition = r#"{"TimeoutSeconds":3,"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":60,"End":true}}}"#;
    check(
        definition,
        "start {}\nfire 0",
        expect![[r#"
        start {}
          1<0 ExecutionStarted {}
          2<0 WaitStateEntered(W) {}
          . WaitStarted timer 1 at 60000
          > set timer 0 at 3000
          > set timer 1 at 60000
        fire 0
          3<0 ExecutionTimedOut States.Timeout: -
          > clear timer 0 at 3000
          > clear timer 1 at 60000
          > ended
    "#]],
    );
}

#[test]
fn a_choice_with_no_way_out_fails() {
    check(
        r#"{"StartAt":"C","States":{"C":{"Type":"Choice","Choices":[{"Variable":"$.x","NumericEquals":1,"Next":"D"}]},"D":{"Type":"Fail","ErrorPath":"$.e","Cause":"c"}}}"#,
        r#"start {"x":2}"#,
        expect![[r#"
            start {"x":2}
              1<0 ExecutionStarted {"x":2}
              2<0 ChoiceStateEntered(C) {"x":2}
              3<2 ExecutionFailed States.Runtime: An error occurred while executing the state 'C' (entered at the event id #2). Failed to transition out of the state. The state does not point to a next state.
              > ended
        "#]],
    );
    check(
        r#"{"StartAt":"C","States":{"C":{"Type":"Choice","Choices":[{"Variable":"$.x","NumericEquals":1,"Next":"D"}]},"D":{"Type":"Fail","ErrorPath":"$.e","Cause":"c"}}}"#,
        r#"start {"x":1.0,"e":"E"}"#,
        expect![[r#"
            start {"x":1.0,"e":"E"}
              1<0 ExecutionStarted {"x":1.0,"e":"E"}
              2<0 ChoiceStateEntered(C) {"x":1.0,"e":"E"}
              3<2 ChoiceStateExited(C) {"x":1.0,"e":"E"}
              4<3 FailStateEntered(D) {"x":1.0,"e":"E"}
              5<4 ExecutionFailed E: c
              > ended
        "#]],
    );
}

#[test]
fn a_loop_ends_at_the_history_limit() {
    let definition = r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"},"B":{"Type":"Choice","Choices":[{"Variable":"$.x","IsPresent":true,"Next":"C"}],"Default":"A"},"C":{"Type":"Succeed"}}}"#;
    let limits = Limits { history_events_max: 10, ..Limits::default() };
    expect![[r#"
        start {}
          1<0 ExecutionStarted {}
          2<0 PassStateEntered(A) {}
          3<2 PassStateExited(A) {}
          4<3 ChoiceStateEntered(B) {}
          5<4 ChoiceStateExited(B) {}
          6<5 PassStateEntered(A) {}
          7<6 PassStateExited(A) {}
          8<7 ChoiceStateEntered(B) {}
          9<8 ChoiceStateExited(B) {}
          10<9 ExecutionFailed States.Runtime: The execution reached the maximum number of history events (10).
          > ended
    "#]]
    .assert_eq(&play(definition, "start {}", limits));
}

#[test]
fn a_payload_has_an_end() {
    let limits = Limits { payload_bytes_max: 10, ..Limits::default() };
    let definition = r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Result":"0123456789","End":true}}}"#;
    expect![[r#"
        start {}
          1<0 ExecutionStarted {}
          2<0 PassStateEntered(A) {}
          3<2 ExecutionFailed States.DataLimitExceeded: The state/task 'A' returned a result with a size exceeding the maximum number of bytes service limit.
          > ended
    "#]].assert_eq(&play(definition, "start {}", limits));
}

#[test]
fn the_deepest_input_can_be_kept() {
    let deepest = format!("{}{}", "[".repeat(base::json::DEPTH_MAX), "]".repeat(base::json::DEPTH_MAX));
    let out =
        play(r#"{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}"#, &format!("start {deepest}"), Limits::default());
    assert!(out.contains("ExecutionSucceeded"), "{out}");
}

#[test]
fn a_payload_that_deepens_at_each_turn_ends() {
    let definition = r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Parameters":{"a.$":"$"},"Next":"C"},"C":{"Type":"Choice","Choices":[{"Variable":"$.x","IsPresent":true,"Next":"E"}],"Default":"A"},"E":{"Type":"Succeed"}}}"#;
    let out = play(definition, "start {}", Limits::default());
    assert!(out.contains("ExecutionFailed States.DataLimitExceeded"), "{out}");
}

fn jsonata(states: &str) -> String {
    format!(r#"{{"QueryLanguage":"JSONata","StartAt":"A","States":{{{states}}}}}"#)
}

#[test]
fn a_state_in_jsonata_gives_its_output() {
    let states = r#""A":{"Type":"Pass","Output":{"a.$":"$.x","n":[1,null]},"Next":"B"},"B":{"Type":"Pass","Next":"C"},
        "C":{"Type":"Wait","Seconds":0,"Output":"waited","Next":"D"},"D":{"Type":"Succeed"}"#;
    check(
        &jsonata(states),
        r#"start {"x":1}"#,
        expect![[r#"
        start {"x":1}
          1<0 ExecutionStarted {"x":1}
          2<0 PassStateEntered(A) {"x":1}
          3<2 PassStateExited(A) {"a.$":"$.x","n":[1,null]}
          4<3 PassStateEntered(B) {"a.$":"$.x","n":[1,null]}
          5<4 PassStateExited(B) {"a.$":"$.x","n":[1,null]}
          6<5 WaitStateEntered(C) {"a.$":"$.x","n":[1,null]}
          7<6 WaitStateExited(C) "waited"
          8<7 SucceedStateEntered(D) "waited"
          9<8 SucceedStateExited(D) "waited"
          10<9 ExecutionSucceeded "waited"
          > ended
    "#]],
    );
}

#[test]
fn a_choice_in_jsonata_takes_the_rules_output_or_the_defaults() {
    let choice = |first: &str, more: &str| {
        jsonata(&format!(
            r#""A":{{"Type":"Choice","Choices":[{{"Condition":{first},"Next":"B"}}{more}],"Default":"B","Output":"default"}},"B":{{"Type":"Succeed"}}"#
        ))
    };
    check(
        &choice("true", ""),
        "start {}",
        expect![[r#"
        start {}
          1<0 ExecutionStarted {}
          2<0 ChoiceStateEntered(A) {}
          3<2 ChoiceStateExited(A) {}
          4<3 SucceedStateEntered(B) {}
          5<4 SucceedStateExited(B) {}
          6<5 ExecutionSucceeded {}
          > ended
    "#]],
    );
    check(
        &choice("false", r#",{"Condition":true,"Output":"rule","Next":"B"}"#),
        "start {}",
        expect![[r#"
        start {}
          1<0 ExecutionStarted {}
          2<0 ChoiceStateEntered(A) {}
          3<2 ChoiceStateExited(A) "rule"
          4<3 SucceedStateEntered(B) "rule"
          5<4 SucceedStateExited(B) "rule"
          6<5 ExecutionSucceeded "rule"
          > ended
    "#]],
    );
    check(
        &choice("false", ""),
        "start {}",
        expect![[r#"
        start {}
          1<0 ExecutionStarted {}
          2<0 ChoiceStateEntered(A) {}
          3<2 ChoiceStateExited(A) "default"
          4<3 SucceedStateEntered(B) "default"
          5<4 SucceedStateExited(B) "default"
          6<5 ExecutionSucceeded "default"
          > ended
    "#]],
    );
    check(
        &choice("false", r#",{"Condition":"yes","Next":"B"}"#),
        "start {}",
        expect![[r#"
        start {}
          1<0 ExecutionStarted {}
          2<0 ChoiceStateEntered(A) {}
          3<0 EvaluationFailed(A) Choices[1]/Condition States.QueryEvaluationError: An error occurred while executing the state 'A' (entered at the event id #2). The value of the field 'Choices[1]/Condition' has an unexpected type. Expected 'boolean', but was 'string' for value: "yes"
          4<3 ExecutionFailed States.QueryEvaluationError: An error occurred while executing the state 'A' (entered at the event id #2). The value of the field 'Choices[1]/Condition' has an unexpected type. Expected 'boolean', but was 'string' for value: "yes"
          > ended
    "#]],
    );
}

#[test]
fn a_task_in_jsonata_has_arguments_and_catches_with_an_output() {
    let task = |fields: &str| {
        jsonata(&format!(r#""A":{{"Type":"Task","Resource":"{SYNC}",{fields}"End":true}},"C":{{"Type":"Succeed"}}"#))
    };
    let catch =
        r#""Catch":[{"ErrorEquals":["E"],"Output":["caught"],"Next":"C"},{"ErrorEquals":["States.ALL"],"Next":"C"}],"#;
    check(
        &task(&format!(r#""Arguments":["a"],"Output":{{"o":1}},{catch}"#)),
        "start {}\nok 0 {\"r\":1}",
        expect![[r#"
        start {}
          1<0 ExecutionStarted {}
          2<0 TaskStateEntered(A) {}
          3<2 TaskScheduled 0 ["a"]
          4<3 TaskStarted 0
          > run task 0 ["a"]
        ok 0 {"r":1}
          5<4 TaskSucceeded 0 {"r":1}
          6<5 TaskStateExited(A) {"o":1}
          7<6 ExecutionSucceeded {"o":1}
          > ended
    "#]],
    );
    check(
        &task(catch),
        "start {\"i\":1}\nfail 0 E why",
        expect![[r#"
        start {"i":1}
          1<0 ExecutionStarted {"i":1}
          2<0 TaskStateEntered(A) {"i":1}
          3<2 TaskScheduled 0 {"i":1}
          4<3 TaskStarted 0
          > run task 0 {"i":1}
        fail 0 E why
          5<4 TaskFailed 0 E: why
          6<5 TaskStateExited(A) ["caught"]
          7<6 SucceedStateEntered(C) ["caught"]
          8<7 SucceedStateExited(C) ["caught"]
          9<8 ExecutionSucceeded ["caught"]
          > ended
    "#]],
    );
    check(
        &task(catch),
        "start {\"i\":1}\nfail 0 F why",
        expect![[r#"
        start {"i":1}
          1<0 ExecutionStarted {"i":1}
          2<0 TaskStateEntered(A) {"i":1}
          3<2 TaskScheduled 0 {"i":1}
          4<3 TaskStarted 0
          > run task 0 {"i":1}
        fail 0 F why
          5<4 TaskFailed 0 F: why
          6<5 TaskStateExited(A) {"Error":"F","Cause":"why"}
          7<6 SucceedStateEntered(C) {"Error":"F","Cause":"why"}
          8<7 SucceedStateExited(C) {"Error":"F","Cause":"why"}
          9<8 ExecutionSucceeded {"Error":"F","Cause":"why"}
          > ended
    "#]],
    );
    check(
        &task(catch),
        "start {\"i\":1}\nok 0 {\"r\":1}",
        expect![[r#"
        start {"i":1}
          1<0 ExecutionStarted {"i":1}
          2<0 TaskStateEntered(A) {"i":1}
          3<2 TaskScheduled 0 {"i":1}
          4<3 TaskStarted 0
          > run task 0 {"i":1}
        ok 0 {"r":1}
          5<4 TaskSucceeded 0 {"r":1}
          6<5 TaskStateExited(A) {"r":1}
          7<6 ExecutionSucceeded {"r":1}
          > ended
    "#]],
    );
}

#[test]
fn branches_in_jsonata_get_the_arguments() {
    let states = r#""A":{"Type":"Parallel","Arguments":7,"Branches":[{"StartAt":"X","States":{"X":{"Type":"Pass","End":true}}}],"End":true}"#;
    check(
        &jsonata(states),
        "start {}",
        expect![[r#"
        start {}
          1<0 ExecutionStarted {}
          2<0 ParallelStateEntered(A) {}
          3<2 ParallelStateStarted
          4<3 PassStateEntered(X) 7
          5<4 PassStateExited(X) 7
          . FrameEnded
          6<5 ParallelStateSucceeded
          7<5 ParallelStateExited(A) [7]
          8<7 ExecutionSucceeded [7]
          > ended
    "#]],
    );
}

#[test]
fn a_map_in_jsonata_iterates_over_items_or_its_input() {
    let map = |fields: &str| {
        jsonata(&format!(
            r#""A":{{"Type":"Map",{fields}"MaxConcurrency":1,"ItemProcessor":{{"StartAt":"X","States":{{"X":{{"Type":"Pass","End":true}}}}}},"Output":"over","End":true}}"#
        ))
    };
    check(
        &map(r#""Items":[1],"ItemSelector":"same","#),
        "start {}",
        expect![[r#"
        start {}
          1<0 ExecutionStarted {}
          2<0 MapStateEntered(A) {}
          3<2 MapStateStarted 1
          4<3 MapIterationStarted(A#0)
          5<4 PassStateEntered(X) "same"
          6<5 PassStateExited(X) "same"
          . FrameEnded
          7<6 MapIterationSucceeded(A#0)
          8<7 MapStateSucceeded
          9<7 MapStateExited(A) "over"
          10<9 ExecutionSucceeded "over"
          > ended
    "#]],
    );
    check(
        &map(""),
        "start [2]",
        expect![[r#"
        start [2]
          1<0 ExecutionStarted [2]
          2<0 MapStateEntered(A) [2]
          3<2 MapStateStarted 1
          4<3 MapIterationStarted(A#0)
          5<4 PassStateEntered(X) 2
          6<5 PassStateExited(X) 2
          . FrameEnded
          7<6 MapIterationSucceeded(A#0)
          8<7 MapStateSucceeded
          9<7 MapStateExited(A) "over"
          10<9 ExecutionSucceeded "over"
          > ended
    "#]],
    );
}

/// The numbers are as recorded on AWS.
#[test]
fn what_cannot_be_evaluated_is_told_apart_and_can_be_caught() {
    let map = |catch: &str| {
        let processor = r#"{"StartAt":"X","States":{"X":{"Type":"Pass","End":true}}}"#;
        jsonata(&format!(
            r#""A":{{"Type":"Pass","Next":"M"}},"M":{{"Type":"Map",{catch}"ItemProcessor":{processor},"End":true}},"C":{{"Type":"Succeed"}}"#
        ))
    };
    let catch = r#""Catch":[{"ErrorEquals":["States.QueryEvaluationError"],"Output":"caught","Next":"C"}],"#;
    check(
        &map(catch),
        "start \"text\"",
        expect![[r#"
        start "text"
          1<0 ExecutionStarted "text"
          2<0 PassStateEntered(A) "text"
          3<2 PassStateExited(A) "text"
          4<3 MapStateEntered(M) "text"
          5<3 EvaluationFailed(M) - States.QueryEvaluationError: An error occurred while executing the state 'M' (entered at the event id #4). Map state input must be an array but was: "text"
          6<5 MapStateFailed
          7<6 MapStateExited(M) "caught"
          8<7 SucceedStateEntered(C) "caught"
          9<8 SucceedStateExited(C) "caught"
          10<9 ExecutionSucceeded "caught"
          > ended
    "#]],
    );
    let uncaught = r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"M"},"M":{"Type":"Map","QueryLanguage":"JSONata","ItemProcessor":{"StartAt":"X","States":{"X":{"Type":"Pass","End":true}}},"End":true}}}"#;
    check(
        uncaught,
        "start 1",
        expect![[r#"
        start 1
          1<0 ExecutionStarted 1
          2<0 PassStateEntered(A) 1
          3<2 PassStateExited(A) 1
          4<3 MapStateEntered(M) 1
          5<3 EvaluationFailed(M) - States.QueryEvaluationError: An error occurred while executing the state 'M' (entered at the event id #4). Map state input must be an array but was: 1
          6<5 MapStateFailed
          7<6 ExecutionFailed States.QueryEvaluationError: An error occurred while executing the state 'M' (entered at the event id #4). Map state input must be an array but was: 1
          > ended
    "#]],
    );
}

#[test]
fn a_history_of_one_event_has_an_end_all_the_same() {
    let limits = Limits { history_events_max: 1, ..Limits::default() };
    let out = play(r#"{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}"#, "start {}", limits);
    assert!(out.contains("1<0 ExecutionStarted") && out.contains("2<0 ExecutionFailed"), "{out}");
}

#[test]
fn parameters_and_caught_errors_have_an_end_too() {
    let limits = Limits { payload_bytes_max: 100, ..Limits::default() };
    let big = r#""Parameters":{"a.$":"$","b.$":"$","c.$":"$"},"#;
    let out = play(&one_task(big), r#"start "0123456789012345678901234567890123456789""#, limits);
    assert!(out.contains("ExecutionFailed States.DataLimitExceeded") && !out.contains("TaskScheduled"), "{out}");
    let catch = r#""Catch":[{"ErrorEquals":["States.ALL","States.DataLimitExceeded"],"ResultPath":"$.e","Next":"B"}],"#
        .replace("\"States.ALL\",", "");
    let cause = "x".repeat(200);
    let out = play(
        &one_task(&catch.replace("States.DataLimitExceeded", "E")),
        &format!("start {{}}\nfail 0 E {cause}"),
        limits,
    );
    assert!(out.contains("ExecutionFailed States.DataLimitExceeded"), "{out}");
    let out = play(&one_task(""), &format!("start {{}}\nfail 0 E {}", "y".repeat(40_000)), Limits::default());
    let cut = out.lines().filter(|line| line.starts_with("  ")).map(|line| line.matches('y').count()).max();
    assert_eq!(cut, Some(32_768), "the cause is cut");
}

#[test]
fn variables_are_assigned_together_and_seen_from_the_next_state() {
    check(
        r#"{"StartAt":"A","States":{
            "A":{"Type":"Pass","Result":{"n":1},"Assign":{"x.$":"$.n","y":2},"ResultPath":"$.r","Next":"Swap"},
            "Swap":{"Type":"Pass","Assign":{"x.$":"$y","y.$":"$x"},"Next":"C"},
            "C":{"Type":"Choice","Choices":[{"Variable":"$x","NumericEquals":2,"Assign":{"z":"rule"},"Next":"W"}],"Assign":{"z":"default"},"Default":"W"},
            "W":{"Type":"Wait","Seconds":0,"Assign":{},"Next":"S"},
            "S":{"Type":"Pass","Parameters":{"all.$":"States.Format('{} {} {}', $x, $y, $z)"},"End":true}}}"#,
        r#"start {}"#,
        expect![[r#"
            start {}
              1<0 ExecutionStarted {}
              2<0 PassStateEntered(A) {}
              3<2 PassStateExited(A) {"r":{"n":1}} $x=1 $y=2
              4<3 PassStateEntered(Swap) {"r":{"n":1}}
              5<4 PassStateExited(Swap) {"r":{"n":1}} $x=2 $y=1
              6<5 ChoiceStateEntered(C) {"r":{"n":1}}
              7<6 ChoiceStateExited(C) {"r":{"n":1}} $z="rule"
              8<7 WaitStateEntered(W) {"r":{"n":1}}
              9<8 WaitStateExited(W) {"r":{"n":1}}
              10<9 PassStateEntered(S) {"r":{"n":1}}
              11<10 PassStateExited(S) {"all":"2 1 rule"}
              12<11 ExecutionSucceeded {"all":"2 1 rule"}
              > ended
        "#]],
    );
}

#[test]
fn a_scope_is_forgotten_with_its_branch_and_reads_outwards() {
    check(
        r#"{"StartAt":"A","States":{
            "A":{"Type":"Pass","Assign":{"outer":1},"Next":"P"},
            "P":{"Type":"Parallel","Branches":[
                {"StartAt":"B","States":{"B":{"Type":"Pass","Assign":{"mine.$":"$outer"},"Next":"B2"},
                                         "B2":{"Type":"Pass","Parameters":{"v.$":"$mine"},"End":true}}},
                {"StartAt":"D","States":{"D":{"Type":"Pass","Assign":{"yours":"d"},"End":true}}}],
                "Assign":{"joined.$":"$[0].v"},"ResultPath":null,"Next":"M"},
            "M":{"Type":"Map","InputPath":"$.items","ItemProcessor":{"StartAt":"I","States":{
                "I":{"Type":"Pass","Assign":{"i.$":"$"},"Next":"J"},"J":{"Type":"Pass","Parameters":{"i.$":"$i","joined.$":"$joined"},"End":true}}},"Next":"E"},
            "E":{"Type":"Pass","Parameters":{"joined.$":"$joined","gone.$":"$mine"},"End":true}}}"#,
        r#"start {"items":[7,8]}"#,
        expect![[r#"
            start {"items":[7,8]}
              1<0 ExecutionStarted {"items":[7,8]}
              2<0 PassStateEntered(A) {"items":[7,8]}
              3<2 PassStateExited(A) {"items":[7,8]} $outer=1
              4<3 ParallelStateEntered(P) {"items":[7,8]}
              5<4 ParallelStateStarted
              6<5 PassStateEntered(B) {"items":[7,8]}
              7<6 PassStateExited(B) {"items":[7,8]} $mine=1
              8<7 PassStateEntered(B2) {"items":[7,8]}
              9<8 PassStateExited(B2) {"v":1}
              . FrameEnded
              10<5 PassStateEntered(D) {"items":[7,8]}
              11<10 PassStateExited(D) {"items":[7,8]} $yours="d"
              . FrameEnded
              12<11 ParallelStateSucceeded
              13<11 ParallelStateExited(P) {"items":[7,8]} $joined=1
              14<13 MapStateEntered(M) {"items":[7,8]}
              15<14 MapStateStarted 2
              16<15 MapIterationStarted(M#0)
              17<15 MapIterationStarted(M#1)
              18<16 PassStateEntered(I) 7
              19<18 PassStateExited(I) 7 $i=7
              20<19 PassStateEntered(J) 7
              21<20 PassStateExited(J) {"i":7,"joined":1}
              . FrameEnded
              22<21 MapIterationSucceeded(M#0)
              23<17 PassStateEntered(I) 8
              24<23 PassStateExited(I) 8 $i=8
              25<24 PassStateEntered(J) 8
              26<25 PassStateExited(J) {"i":8,"joined":1}
              . FrameEnded
              27<26 MapIterationSucceeded(M#1)
              28<27 MapStateSucceeded
              29<27 MapStateExited(M) [{"i":7,"joined":1},{"i":8,"joined":1}]
              30<29 PassStateEntered(E) [{"i":7,"joined":1},{"i":8,"joined":1}]
              31<30 ExecutionFailed States.Runtime: An error occurred while executing the state 'E' (entered at the event id #30). The JSONPath '$mine' specified for the field 'gone.$' could not be found in the input '[{"i":7,"joined":1},{"i":8,"joined":1}]'
              > ended
        "#]],
    );
}

#[test]
fn a_catcher_assigns_its_own() {
    check(
        &one_task(
            r#""Assign":{"v":"state's"},"Catch":[{"ErrorEquals":["States.ALL"],"Assign":{"v.$":"$.Error"},"ResultPath":null,"Next":"B"}],"#,
        )
        .replace(r#""B":{"Type":"Pass""#, r#""B":{"Type":"Pass","Parameters":{"v.$":"$v"}"#),
        r#"
        start {"in":1}
        fail 0 E why
        "#,
        expect![[r#"
            start {"in":1}
              1<0 ExecutionStarted {"in":1}
              2<0 TaskStateEntered(A) {"in":1}
              3<2 TaskScheduled 0 {"in":1}
              4<3 TaskStarted 0
              > run task 0 {"in":1}
            fail 0 E why
              5<4 TaskFailed 0 E: why
              6<5 TaskStateExited(A) {"in":1} $v="E"
              7<6 PassStateEntered(B) {"in":1}
              8<7 PassStateExited(B) {"v":"E"}
              9<8 ExecutionSucceeded {"v":"E"}
              > ended
        "#]],
    );
}

#[test]
fn variables_have_an_end() {
    let long = "x".repeat(base::limits::ASSIGN_BYTES_MAX - 7);
    let definition = |text: &str| {
        format!(r#"{{"StartAt":"A","States":{{"A":{{"Type":"Pass","Assign":{{"v":"{text}"}},"End":true}}}}}}"#)
    };
    let ends = |text: &str| play(&definition(text), "start {}", Limits::default()).contains("ExecutionSucceeded");
    // {"v":"…"}
    assert!(ends(&long[1..]));
    assert!(!ends(&long));

    // Forty of these are 10 MiB, what all may take together.
    let long = "x".repeat(base::limits::ASSIGN_BYTES_MAX - 16);
    let state = |n: u32, next: &str| format!(r#""S{n}":{{"Type":"Pass","Assign":{{"v{n}.$":"$"}},{next}}}"#);
    let states = |count: u32| {
        let states: Vec<String> = (1..=count)
            .map(|n| if n == count { state(n, r#""End":true"#) } else { state(n, &format!(r#""Next":"S{}""#, n + 1)) })
            .collect();
        format!(r#"{{"StartAt":"S1","States":{{{}}}}}"#, states.join(","))
    };
    let out = |count: u32| play(&states(count), &format!("start \"{long}\""), Limits::default());
    assert!(out(40).contains("ExecutionSucceeded"));
    assert!(out(41).contains("ExecutionFailed States.DataLimitExceeded: The state/task 'S41'"));
}

#[test]
fn a_long_step_pauses_and_the_next_goes_on() {
    let definition = format!(
        r#"{{"StartAt":"P","States":{{"P":{{"Type":"Parallel","End":true,"Branches":[
            {{"StartAt":"T","States":{{"T":{{"Type":"Task","Resource":"{SYNC}","End":true}}}}}},
            {{"StartAt":"A","States":{{"A":{{"Type":"Pass","Next":"B"}},"B":{{"Type":"Pass","Next":"C"}},"C":{{"Type":"Pass","End":true}}}}}}]}}}}}}"#
    );
    let limits = Limits { step_states_max: 3, ..Limits::default() };
    expect![[r#"
        start {}
          1<0 ExecutionStarted {}
          2<0 ParallelStateEntered(P) {}
          3<2 ParallelStateStarted
          4<3 TaskStateEntered(T) {}
          5<4 TaskScheduled 0 {}
          6<3 PassStateEntered(A) {}
          7<6 PassStateExited(A) {}
          . StepPaused before B timer 0 at 0
          > run task 0 {}
          > set timer 0 at 0
        ok 0 1
          8<5 TaskStarted 0
          9<8 TaskSucceeded 0 1
          10<9 TaskStateExited(T) 1
          . FrameEnded
        fire 0
          . StepResumed
          11<7 PassStateEntered(B) {}
          12<11 PassStateExited(B) {}
          13<12 PassStateEntered(C) {}
          14<13 PassStateExited(C) {}
          . FrameEnded
          15<14 ParallelStateSucceeded
          16<14 ParallelStateExited(P) [1,{}]
          17<16 ExecutionSucceeded [1,{}]
          > ended
        fire 0
          refused: execution is not running
    "#]]
    .assert_eq(&play(&definition, "start {}\nok 0 1\nfire 0\nfire 0", limits));
}

#[test]
fn a_step_makes_so_many_bytes_and_no_more() {
    let definition = r#"{"StartAt":"A","States":{
        "A":{"Type":"Pass","Parameters":{"v.$":"States.Format('{}{}', $.v, '0123456789')"},"Next":"C"},
        "C":{"Type":"Choice","Choices":[{"Variable":"$.never","IsPresent":true,"Next":"Z"}],"Default":"A"},
        "Z":{"Type":"Succeed"}}}"#;
    let limits = Limits { step_bytes_max: 10_000, payload_bytes_max: 6_000, ..Limits::default() };
    let machine = machine(definition);
    let mut execution = Execution::default();
    let mut next = Some(command(&format!(r#"start {{"v":"{}"}}"#, "x".repeat(5_000)), &execution));
    let mut steps = 0;
    while let Some(command) = next.take() {
        let env = Env { now: Timestamp(0), entropy: 0, limits, activities: &Existing };
        let step = step(&machine, &mut execution, command, env).expect("a pause is wanted");
        assert!(pack::encode(&step.events).len() < 10_000 + 8 * 6_000);
        next = execution.paused.as_ref().map(|paused| Command::Fire { timer: paused.alarm.timer });
        steps += 1;
    }
    assert!(steps > 10 && execution.has_ended(), "{steps}");
}

const TOKEN: &str = "arn:aws:states:::aws-sdk:sqs:sendMessage.waitForTaskToken";
const ACTIVITY: &str = "arn:aws:states:us-east-1:111111111111:activity:work";

fn with_token(fields: &str) -> String {
    one_task(fields).replace(SYNC, TOKEN)
}

fn activity(fields: &str) -> String {
    one_task(fields).replace(SYNC, ACTIVITY)
}

#[test]
fn whoever_holds_the_token_tells_the_outcome() {
    check(
        &with_token(r#""Parameters":{"has.$":"$.x"},"HeartbeatSeconds":9,"#),
        r#"
        start {"x":1}
        submit 0 {"sent":true}
        guess 0 another
        beat 0
        answer 0 {"r":2}
        answer 0 {"r":3}
        "#,
        expect![[r#"
            start {"x":1}
              1<0 ExecutionStarted {"x":1}
              2<0 TaskStateEntered(A) {"x":1}
              3<2 TaskScheduled 0 {"has":1}
              4<3 TaskStarted 0
              > run task 0 {"has":1}
              > set timer 0 at 9000
            submit 0 {"sent":true}
              5<4 TaskSubmitted 0 {"sent":true}
            guess 0 another
              refused: the token is not that of task-0
            beat 0
              . TaskHeartbeat 0 timer 1 at 12000
              > clear timer 0 at 9000
              > set timer 1 at 12000
            answer 0 {"r":2}
              6<5 TaskSucceeded 0 {"r":2}
              7<6 TaskStateExited(A) {"r":2}
              8<7 ExecutionSucceeded {"r":2}
              > clear timer 1 at 12000
              > ended
            answer 0 {"r":3}
              refused: execution is not running
        "#]],
    );
}

#[test]
fn every_attempt_has_a_token_of_its_own_and_its_parameters_can_name_it() {
    let machine =
        machine(&with_token(r#""Parameters":{"t.$":"$$.Task.Token"},"Retry":[{"ErrorEquals":["States.ALL"]}],"#));
    let mut execution = Execution::default();
    let mut tokens = vec![];
    for (at, line) in [(0, "start {}"), (1, "fail 0 E why"), (2, "fire 0")] {
        let env =
            Env { now: Timestamp(at * 1000), entropy: at as u64, limits: Limits::default(), activities: &Existing };
        let step = step(&machine, &mut execution, command(line, &Execution::default()), env).expect("accepted");
        tokens.extend(step.effects.iter().filter_map(|effect| match effect {
            Effect::RunTask { parameters, .. } => parameters.get("t").and_then(Json::as_str).map(str::to_owned),
            _ => None,
        }));
    }
    let named = |token: &str| crate::token::Token::parse(token).map(|token| token.task);
    assert_eq!(tokens.iter().map(|token| named(token)).collect::<Vec<_>>(), [Some(TaskId(0)), Some(TaskId(1))]);
    assert_eq!(execution.task_of_worker(TaskId(1)).expect("waits").0.as_ref(), tokens[1]);
}

#[test]
fn an_outcome_that_overtakes_the_call_waits_for_it() {
    check(
        &with_token(""),
        r#"
        start {}
        answer 0 {"early":true}
        answer 0 {"again":true}
        beat 0
        submit 0 {"sent":true}
        "#,
        expect![[r#"
            start {}
              1<0 ExecutionStarted {}
              2<0 TaskStateEntered(A) {}
              3<2 TaskScheduled 0 {}
              4<3 TaskStarted 0
              > run task 0 {}
            answer 0 {"early":true}
              . TaskAnswered 0 {"early":true}
            answer 0 {"again":true}
              refused: task-0 is not outstanding
            beat 0
              refused: task-0 is not outstanding
            submit 0 {"sent":true}
              5<4 TaskSubmitted 0 {"sent":true}
              6<5 TaskSucceeded 0 {"early":true}
              7<6 TaskStateExited(A) {"early":true}
              8<7 ExecutionSucceeded {"early":true}
              > ended
        "#]],
    );
    check(
        &one_task(""),
        r#"
        start {}
        job 0 {"early":true}
        job 0 {"again":true}
        submit 0 {"started":true}
        "#,
        expect![[r#"
            start {}
              1<0 ExecutionStarted {}
              2<0 TaskStateEntered(A) {}
              3<2 TaskScheduled 0 {}
              4<3 TaskStarted 0
              > run task 0 {}
            job 0 {"early":true}
              . TaskAnswered 0 {"early":true}
            job 0 {"again":true}
              refused: task-0 is not outstanding
            submit 0 {"started":true}
              5<4 TaskSubmitted 0 {"started":true}
              6<5 TaskSucceeded 0 {"early":true}
              7<6 TaskStateExited(A) {"early":true}
              8<7 ExecutionSucceeded {"early":true}
              > ended
        "#]],
    );
    check(
        &with_token(r#""TimeoutSeconds":9,"#),
        r#"
        start {}
        deny 0 E early
        fail 0 Sqs.SqsException the call failed
        "#,
        expect![[r#"
            start {}
              1<0 ExecutionStarted {}
              2<0 TaskStateEntered(A) {}
              3<2 TaskScheduled 0 {}
              4<3 TaskStarted 0
              > run task 0 {}
              > set timer 0 at 9000
            deny 0 E early
              . TaskAnswered 0 E: early
            fail 0 Sqs.SqsException the call failed
              5<4 TaskFailed 0 Sqs.SqsException: the call failed
              6<5 ExecutionFailed Sqs.SqsException: the call failed
              > clear timer 0 at 9000
              > ended
        "#]],
    );
}

#[test]
fn an_activitys_task_waits_for_a_worker_and_its_times_begin_with_it() {
    check(
        &activity(r#""TimeoutSeconds":60,"HeartbeatSeconds":10,"#),
        r#"
        start {"x":1}
        beat 0
        answer 0 1
        take 0 w-1
        take 0 w-2
        beat 0
        deny 0 E why
        "#,
        expect![[r#"
            start {"x":1}
              1<0 ExecutionStarted {"x":1}
              2<0 TaskStateEntered(A) {"x":1}
              3<2 TaskScheduled 0 {"x":1}
              > run task 0 {"x":1}
            beat 0
              refused: task-0 is not outstanding
            answer 0 1
              refused: task-0 is not outstanding
            take 0 w-1
              4<3 TaskStarted 0 by w-1
              > set timer 0 at 63000
              > set timer 1 at 13000
            take 0 w-2
              refused: task-0 is not outstanding
            beat 0
              . TaskHeartbeat 0 timer 2 at 15000
              > clear timer 1 at 13000
              > set timer 2 at 15000
            deny 0 E why
              5<4 TaskFailed 0 E: why
              6<5 ExecutionFailed E: why
              > clear timer 0 at 63000
              > clear timer 2 at 15000
              > ended
        "#]],
    );
    check(
        &activity(r#""TimeoutSeconds":60,"HeartbeatSeconds":10,"#),
        r#"
        start {"x":1}
        take 0 w-1
        fire 1
        answer 0 1
        "#,
        expect![[r#"
            start {"x":1}
              1<0 ExecutionStarted {"x":1}
              2<0 TaskStateEntered(A) {"x":1}
              3<2 TaskScheduled 0 {"x":1}
              > run task 0 {"x":1}
            take 0 w-1
              4<3 TaskStarted 0 by w-1
              > set timer 0 at 61000
              > set timer 1 at 11000
            fire 1
              5<4 TaskTimedOut 0 States.Timeout: -
              6<5 ExecutionFailed States.Timeout: -
              > clear timer 0 at 61000
              > abandon task 0
              > ended
            answer 0 1
              refused: execution is not running
        "#]],
    );
}

#[test]
fn a_task_of_an_activity_that_is_gone_is_not_scheduled() {
    check(
        &activity(r#""Catch":[{"ErrorEquals":["States.ALL"],"Next":"B"}],"#).replace(":work", ":gone"),
        "start {}",
        expect![[r#"
            start {}
              1<0 ExecutionStarted {}
              2<0 TaskStateEntered(A) {}
              3<2 ExecutionFailed States.Runtime: An error occurred while executing the state 'A' (entered at the event id #2). The activity arn:aws:states:us-east-1:111111111111:activity:gone does not exist.
              > ended
        "#]],
    );
}

#[test]
fn expressions_stand_in_every_field() {
    check(
        &jsonata(
            r#""A":{"Type":"Task","Resource":"arn:aws:states:::ssm:sendCommand.sync","Arguments":{"n":"{% $states.input.n + 1 %}"},"TimeoutSeconds":"{% $states.input.n * 60 %}",
                    "Assign":{"got":"{% $states.result.r %}","was":"{% $states.input.n %}"},"Output":{"both":"{% [$states.input.n, $states.result.r] %}"},"Next":"C"},
               "C":{"Type":"Choice","Choices":[{"Condition":"{% $got > 5 %}","Assign":{"way":"rule"},"Output":"{% $got %}","Next":"W"}],"Default":"W"},
               "W":{"Type":"Wait","Seconds":"{% $was + 2 %}","Assign":{"got":"{% $was %}","was":"{% $got %}"},"Output":{"waited":"{% $got %}"},"Next":"P"},
               "P":{"Type":"Parallel","Arguments":["{% $got %}"],"Branches":[{"StartAt":"B","States":{"B":{"Type":"Pass","Output":"{% $append($states.input, [$got, $way]) %}","End":true}}}],"Output":"{% $states.result[0] %}","Next":"M"},
               "M":{"Type":"Map","Items":"{% $states.input %}","MaxConcurrency":"{% 1 %}","ItemSelector":{"i":"{% $states.context.Map.Item.Index %}","v":"{% $states.context.Map.Item.Value %}"},
                    "ItemProcessor":{"StartAt":"I","States":{"I":{"Type":"Succeed","Output":"{% $states.input.i & ':' & $states.input.v %}"}}},"Next":"F"},
               "F":{"Type":"Fail","Error":"{% 'E' & $count($states.input) %}","Cause":"{% $join($states.input, ', ') %}"}"#,
        ),
        r#"
        start {"n":1}
        ok 0 {"r":7}
        fire 1
        "#,
        expect![[r#"
            start {"n":1}
              1<0 ExecutionStarted {"n":1}
              2<0 TaskStateEntered(A) {"n":1}
              3<2 TaskScheduled 0 {"n":2}
              4<3 TaskStarted 0
              > run task 0 {"n":2}
              > set timer 0 at 60000
            ok 0 {"r":7}
              5<4 TaskSucceeded 0 {"r":7}
              6<5 TaskStateExited(A) {"both":[1,7]} $got=7 $was=1
              7<6 ChoiceStateEntered(C) {"both":[1,7]}
              8<7 ChoiceStateExited(C) 7 $way="rule"
              9<8 WaitStateEntered(W) 7
              . WaitStarted timer 1 at 4000
              > clear timer 0 at 60000
              > set timer 1 at 4000
            fire 1
              10<9 WaitStateExited(W) {"waited":7} $got=1 $was=7
              11<10 ParallelStateEntered(P) {"waited":7}
              12<11 ParallelStateStarted
              13<12 PassStateEntered(B) [1]
              14<13 PassStateExited(B) [1,1,"rule"]
              . FrameEnded
              15<14 ParallelStateSucceeded
              16<14 ParallelStateExited(P) [1,1,"rule"]
              17<16 MapStateEntered(M) [1,1,"rule"]
              18<17 MapStateStarted 3
              19<18 MapIterationStarted(M#0)
              20<19 SucceedStateEntered(I) {"i":0,"v":1}
              21<20 SucceedStateExited(I) "0:1"
              . FrameEnded
              22<21 MapIterationSucceeded(M#0)
              23<21 MapIterationStarted(M#1)
              24<23 SucceedStateEntered(I) {"i":1,"v":1}
              25<24 SucceedStateExited(I) "1:1"
              . FrameEnded
              26<25 MapIterationSucceeded(M#1)
              27<25 MapIterationStarted(M#2)
              28<27 SucceedStateEntered(I) {"i":2,"v":"rule"}
              29<28 SucceedStateExited(I) "2:rule"
              . FrameEnded
              30<29 MapIterationSucceeded(M#2)
              31<30 MapStateSucceeded
              32<30 MapStateExited(M) ["0:1","1:1","2:rule"]
              33<32 FailStateEntered(F) ["0:1","1:1","2:rule"]
              34<33 ExecutionFailed E3: 0:1, 1:1, 2:rule
              > ended
        "#]],
    );
}

#[test]
fn what_an_expression_cannot_give_is_told_where_it_stands() {
    let failed = |states: &str| {
        let out = play(&jsonata(states), "start {\"n\":1,\"s\":\"t\"}", Limits::default());
        let failed: Vec<&str> = out.lines().filter(|line| line.contains("Failed")).map(str::trim).collect();
        failed.join("\n") + "\n"
    };
    let cases = [
        r#""A":{"Type":"Pass","Output":{"a":{"b":["{% $gone %}"]}},"End":true}"#,
        r#""A":{"Type":"Pass","Assign":{"v":"{% $states.input.gone %}"},"End":true}"#,
        r#""A":{"Type":"Choice","Choices":[{"Condition":"{% false %}","Next":"B"},{"Condition":"{% $states.input.s %}","Next":"B"}],"Default":"B"},"B":{"Type":"Succeed"}"#,
        r#""A":{"Type":"Wait","Timestamp":"{% $states.input.s %}","End":true}"#,
        r#""A":{"Type":"Wait","Seconds":"{% 1.5 %}","End":true}"#,
        r#""A":{"Type":"Map","Items":"{% $states.input %}","ItemProcessor":{"StartAt":"I","States":{"I":{"Type":"Succeed"}}},"End":true}"#,
        r#""A":{"Type":"Fail","Error":"{% 1 %}"}"#,
        r#""A":{"Type":"Pass","Output":"{% $states.input.s.($f := function($x){$x}; $f) %}","End":true}"#,
    ];
    let out: String = cases.iter().map(|states| failed(states)).collect();
    expect![[r#"
          3<0 EvaluationFailed(A) Output/a/b[0] States.QueryEvaluationError: An error occurred while executing the state 'A' (entered at the event id #2). The JSONata expression '$gone' specified for the field 'Output/a/b[0]' returned nothing (undefined).
          4<3 ExecutionFailed States.QueryEvaluationError: An error occurred while executing the state 'A' (entered at the event id #2). The JSONata expression '$gone' specified for the field 'Output/a/b[0]' returned nothing (undefined).
          3<0 EvaluationFailed(A) Assign/v States.QueryEvaluationError: An error occurred while executing the state 'A' (entered at the event id #2). The JSONata expression '$states.input.gone' specified for the field 'Assign/v' returned nothing (undefined).
          4<3 ExecutionFailed States.QueryEvaluationError: An error occurred while executing the state 'A' (entered at the event id #2). The JSONata expression '$states.input.gone' specified for the field 'Assign/v' returned nothing (undefined).
          3<0 EvaluationFailed(A) Choices[1]/Condition States.QueryEvaluationError: An error occurred while executing the state 'A' (entered at the event id #2). The JSONata expression '$states.input.s' specified for the field 'Choices[1]/Condition' returned an unexpected result type. Expected 'boolean', but was 'string' for value: "t"
          4<3 ExecutionFailed States.QueryEvaluationError: An error occurred while executing the state 'A' (entered at the event id #2). The JSONata expression '$states.input.s' specified for the field 'Choices[1]/Condition' returned an unexpected result type. Expected 'boolean', but was 'string' for value: "t"
          3<2 EvaluationFailed(A) Timestamp States.QueryEvaluationError: An error occurred while executing the state 'A' (entered at the event id #2). The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: t
          4<3 ExecutionFailed States.QueryEvaluationError: An error occurred while executing the state 'A' (entered at the event id #2). The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: t
          3<2 EvaluationFailed(A) Seconds States.QueryEvaluationError: An error occurred while executing the state 'A' (entered at the event id #2). The value of the field 'Seconds' has to be a whole number that is not negative, but was: 1.5
          4<3 ExecutionFailed States.QueryEvaluationError: An error occurred while executing the state 'A' (entered at the event id #2). The value of the field 'Seconds' has to be a whole number that is not negative, but was: 1.5
          3<0 EvaluationFailed(A) Items States.QueryEvaluationError: An error occurred while executing the state 'A' (entered at the event id #2). The JSONata expression '$states.input' specified for the field 'Items' returned an unexpected result type. Expected 'array', but was 'object' for value: {"n":1,"s":"t"}
          4<3 MapStateFailed
          5<4 ExecutionFailed States.QueryEvaluationError: An error occurred while executing the state 'A' (entered at the event id #2). The JSONata expression '$states.input' specified for the field 'Items' returned an unexpected result type. Expected 'array', but was 'object' for value: {"n":1,"s":"t"}
          3<0 EvaluationFailed(A) Error States.QueryEvaluationError: An error occurred while executing the state 'A' (entered at the event id #2). The JSONata expression '1' specified for the field 'Error' returned an unexpected result type. Expected 'string', but was 'number' for value: 1
          4<3 ExecutionFailed States.QueryEvaluationError: An error occurred while executing the state 'A' (entered at the event id #2). The JSONata expression '1' specified for the field 'Error' returned an unexpected result type. Expected 'string', but was 'number' for value: 1
          3<0 EvaluationFailed(A) Output States.QueryEvaluationError: An error occurred while executing the state 'A' (entered at the event id #2). The JSONata expression '$states.input.s.($f := function($x){$x}; $f)' specified for the field 'Output' returned an unsupported result type.
          4<3 ExecutionFailed States.QueryEvaluationError: An error occurred while executing the state 'A' (entered at the event id #2). The JSONata expression '$states.input.s.($f := function($x){$x}; $f)' specified for the field 'Output' returned an unsupported result type.
    "#]].assert_eq(&out);
}

#[test]
fn a_query_that_fails_is_retried_and_caught_and_a_catch_that_fails_is_not() {
    check(
        &jsonata(
            r#""A":{"Type":"Task","Resource":"arn:aws:states:::ssm:sendCommand.sync","Output":"{% $states.result.gone %}","Retry":[{"ErrorEquals":["States.QueryEvaluationError"],"MaxAttempts":1}],
                    "Catch":[{"ErrorEquals":["States.ALL"],"Assign":{"why":"{% $states.errorOutput.Error %}"},"Output":{"e":"{% $states.errorOutput.Error & $states.input.n %}"},"Next":"B"}],"End":true},
               "B":{"Type":"Task","Resource":"arn:aws:states:::ssm:sendCommand.sync","Arguments":"{% $why %}","Catch":[{"ErrorEquals":["States.ALL"],"Output":"{% $gone %}","Next":"B"}],"End":true}"#,
        ),
        r#"
        start {"n":1}
        ok 0 {"r":7}
        fire 0
        ok 1 {"r":7}
        fail 2 E why
        "#,
        expect![[r#"
            start {"n":1}
              1<0 ExecutionStarted {"n":1}
              2<0 TaskStateEntered(A) {"n":1}
              3<2 TaskScheduled 0 {"n":1}
              4<3 TaskStarted 0
              > run task 0 {"n":1}
            ok 0 {"r":7}
              5<4 TaskSucceeded 0 {"r":7}
              6<5 EvaluationFailed(A) Output States.QueryEvaluationError: An error occurred while executing the state 'A' (entered at the event id #2). The JSONata expression '$states.result.gone' specified for the field 'Output' returned nothing (undefined).
              . RetryScheduled by 0 timer 0 at 2000
              > set timer 0 at 2000
            fire 0
              7<6 TaskScheduled 1 {"n":1}
              8<7 TaskStarted 1
              > run task 1 {"n":1}
            ok 1 {"r":7}
              9<8 TaskSucceeded 1 {"r":7}
              10<9 EvaluationFailed(A) Output States.QueryEvaluationError: An error occurred while executing the state 'A' (entered at the event id #2). The JSONata expression '$states.result.gone' specified for the field 'Output' returned nothing (undefined).
              11<10 TaskStateExited(A) {"e":"States.QueryEvaluationError1"} $why="States.QueryEvaluationError"
              12<11 TaskStateEntered(B) {"e":"States.QueryEvaluationError1"}
              13<12 TaskScheduled 2 "States.QueryEvaluationError"
              14<13 TaskStarted 2
              > run task 2 "States.QueryEvaluationError"
            fail 2 E why
              15<14 TaskFailed 2 E: why
              16<15 EvaluationFailed(B) Catch[0]/Output States.QueryEvaluationError: An error occurred while executing the state 'B' (entered at the event id #12). The JSONata expression '$gone' specified for the field 'Catch[0]/Output' returned nothing (undefined).
              17<16 ExecutionFailed States.QueryEvaluationError: An error occurred while executing the state 'B' (entered at the event id #12). The JSONata expression '$gone' specified for the field 'Catch[0]/Output' returned nothing (undefined).
              > ended
        "#]],
    );
}

#[test]
fn the_machines_timeout_may_be_an_expression() {
    let definition = |timeout: &str| {
        jsonata(r#""A":{"Type":"Wait","Seconds":9,"End":true}"#)
            .replace(r#""StartAt""#, &format!(r#""TimeoutSeconds":"{timeout}","StartAt""#))
    };
    let out =
        play(&definition("{% $states.context.Execution.Input.t %}"), "start {\"t\":3}\nfire 0", Limits::default());
    let out = out + &play(&definition("{% $states.context.Execution.Input.gone %}"), "start {}", Limits::default());
    expect![[r#"
        start {"t":3}
          1<0 ExecutionStarted {"t":3}
          2<0 WaitStateEntered(A) {"t":3}
          . WaitStarted timer 1 at 9000
          > set timer 0 at 3000
          > set timer 1 at 9000
        fire 0
          3<0 ExecutionTimedOut States.Timeout: -
          > clear timer 0 at 3000
          > clear timer 1 at 9000
          > ended
        start {}
          1<0 ExecutionStarted {}
          2<0 ExecutionFailed States.QueryEvaluationError: The JSONata expression '$states.context.Execution.Input.gone' specified for the field 'TimeoutSeconds' returned nothing (undefined).
          > ended
    "#]].assert_eq(&out);
}

#[test]
fn a_step_of_heavy_expressions_is_short() {
    let definition = jsonata(
        r#""A":{"Type":"Pass","Output":{"n":"{% $states.input.n + $sum([1..1000]) * 0 + 1 %}"},"Next":"B"},
           "B":{"Type":"Choice","Choices":[{"Condition":"{% $states.input.n < 20 %}","Next":"A"}],"Default":"Z"},"Z":{"Type":"Succeed"}"#,
    );
    let paused = |step_work_max: u64| {
        let limits = Limits { step_work_max, ..Limits::default() };
        play(&definition, "start {\"n\":0}", limits).contains("StepPaused")
    };
    assert!(paused(1_000));
    assert!(!paused(1_000_000));
}

#[test]
fn a_state_of_many_heavy_expressions_ends() {
    let heavy = r#""{% $sum([1..1000]) %}""#;
    let definition = jsonata(&format!(r#""A":{{"Type":"Pass","Output":[{}],"End":true}}"#, [heavy; 100].join(",")));
    let ends_early = |step_work_end: u64| {
        let limits = Limits { step_work_end, ..Limits::default() };
        play(&definition, "start {}", limits).contains("Expression evaluation timeout")
    };
    assert!(ends_early(10_000));
    assert!(!ends_early(10_000_000));
}

/// What a plan says beside its defaults.
fn show_plan(plan: &crate::MapPlan) -> String {
    let text = serde_json::to_string(plan).expect("a plan has a text");
    text.replace(r#""block":0,"#, "").replace(r#","concurrency":0"#, "")
}
