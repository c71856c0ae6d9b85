//! Maps in distributed mode as stories: commands in, facts and effects out.

use base::{Json, Timestamp};
use expect_test::{Expect, expect};

use super::*;
use crate::tests::{check, command, machine};
use crate::{Command, Effect, Execution, Limits, step};

const ITEM_PROCESSOR: &str = r#""ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},
    "StartAt":"One","States":{"One":{"Type":"Pass","End":true}}}"#;

fn check_distributed(fields: &str, script: &str, expect: Expect) {
    let definition = format!(
        r#"{{"StartAt":"Each","States":{{"Each":{{"Type":"Map",{fields}{ITEM_PROCESSOR},"Next":"Done"}},"Done":{{"Type":"Succeed"}}}}}}"#
    );
    check(&definition, script, expect);
}

#[test]
fn a_distributed_map_waits_for_its_run() {
    check_distributed(
        "",
        "start [1,2]\nended 0 ok [1,2]\nended 0 ok [1]",
        expect![[r#"
            start [1,2]
              1<0 ExecutionStarted [1,2]
              2<0 MapStateEntered(Each) [1,2]
              3<2 MapStateStarted(2)
              4<3 MapRunStarted arn:aws:states:us-east-1:111111111111:mapRun:net/14b45640-59d2-4b62-aa36-7d7d4814a0a0:00000000-0000-7db2-9f8d-d73ea4fa79c9 task 0 {"state":"Each","entered":2,"processor":1,"source":{"Items":[1,2]}}
              > start the Map run of task 0
            ended 0 ok [1,2]
              5<4 MapRunSucceeded
              6<5 MapStateSucceeded
              7<5 MapStateExited(Each) [1,2]
              8<7 SucceedStateEntered(Done) [1,2]
              9<8 SucceedStateExited(Done) [1,2]
              10<9 ExecutionSucceeded [1,2]
              > ended
            ended 0 ok [1]
              refused: execution is not running
        "#]],
    );
}

#[test]
fn a_run_that_fails_fails_its_state() {
    check_distributed(
        r#""ItemsPath":"$.of","#,
        "start {\"of\":[7]}\nended 0 States.ExceedToleratedFailureThreshold The specified tolerated failure threshold was exceeded",
        expect![[r#"
            start {"of":[7]}
              1<0 ExecutionStarted {"of":[7]}
              2<0 MapStateEntered(Each) {"of":[7]}
              3<2 MapStateStarted(1)
              4<3 MapRunStarted arn:aws:states:us-east-1:111111111111:mapRun:net/14b45640-59d2-4b62-aa36-7d7d4814a0a0:00000000-0000-7db2-9f8d-d73ea4fa79c9 task 0 {"state":"Each","entered":2,"processor":1,"source":{"Items":[7]}}
              > start the Map run of task 0
            ended 0 States.ExceedToleratedFailureThreshold The specified tolerated failure threshold was exceeded
              5<4 MapRunFailed States.ExceedToleratedFailureThreshold: The specified tolerated failure threshold was exceeded
              6<5 MapStateFailed
              7<6 ExecutionFailed States.ExceedToleratedFailureThreshold: The specified tolerated failure threshold was exceeded
              > ended
        "#]],
    );
}

#[test]
fn a_retry_starts_another_run_and_a_catch_goes_on() {
    check_distributed(
        r#""Retry":[{"ErrorEquals":["States.ItemReaderFailed"],"MaxAttempts":1}],"Catch":[{"ErrorEquals":["States.ALL"],"Next":"Done"}],"#,
        "start [1]\nended 0 States.ItemReaderFailed no\nfire 0\nended 0 ok []\nended 1 States.ItemReaderFailed no",
        expect![[r#"
            start [1]
              1<0 ExecutionStarted [1]
              2<0 MapStateEntered(Each) [1]
              3<2 MapStateStarted(1)
              4<3 MapRunStarted arn:aws:states:us-east-1:111111111111:mapRun:net/14b45640-59d2-4b62-aa36-7d7d4814a0a0:00000000-0000-7db2-9f8d-d73ea4fa79c9 task 0 {"state":"Each","entered":2,"processor":1,"source":{"Items":[1]}}
              > start the Map run of task 0
            ended 0 States.ItemReaderFailed no
              5<4 MapRunFailed States.ItemReaderFailed: no
              . RetryScheduled by 0 timer 0 at 2000
              > set timer 0 at 2000
            fire 0
              6<5 MapStateStarted(1)
              7<6 MapRunStarted arn:aws:states:us-east-1:111111111111:mapRun:net/14b45640-59d2-4b62-aa36-7d7d4814a0a0:00000000-07d0-7987-97f6-afa8599eb534 task 1 {"state":"Each","entered":2,"processor":1,"source":{"Items":[1]}}
              > start the Map run of task 1
            ended 0 ok []
              refused: task-0 is not outstanding
            ended 1 States.ItemReaderFailed no
              8<7 MapRunFailed States.ItemReaderFailed: no
              9<8 MapStateFailed
              10<9 MapStateExited(Each) {"Error":"States.ItemReaderFailed","Cause":"no"}
              11<10 SucceedStateEntered(Done) {"Error":"States.ItemReaderFailed","Cause":"no"}
              12<11 SucceedStateExited(Done) {"Error":"States.ItemReaderFailed","Cause":"no"}
              13<12 ExecutionSucceeded {"Error":"States.ItemReaderFailed","Cause":"no"}
              > ended
        "#]],
    );
}

#[test]
fn results_that_are_too_large_fail_the_state_and_not_the_run() {
    check_distributed(
        "",
        "start [1]\nended 0 large",
        expect![[r#"
            start [1]
              1<0 ExecutionStarted [1]
              2<0 MapStateEntered(Each) [1]
              3<2 MapStateStarted(1)
              4<3 MapRunStarted arn:aws:states:us-east-1:111111111111:mapRun:net/14b45640-59d2-4b62-aa36-7d7d4814a0a0:00000000-0000-7db2-9f8d-d73ea4fa79c9 task 0 {"state":"Each","entered":2,"processor":1,"source":{"Items":[1]}}
              > start the Map run of task 0
            ended 0 large
              5<4 MapRunSucceeded
              6<5 MapStateSucceeded
              7<5 ExecutionFailed States.DataLimitExceeded: The state/task 'Each' returned a result with a size exceeding the maximum number of bytes service limit.
              > ended
        "#]],
    );
}

#[test]
fn an_execution_that_is_stopped_stops_its_run() {
    check_distributed(
        "",
        "start [1]\nstop",
        expect![[r#"
            start [1]
              1<0 ExecutionStarted [1]
              2<0 MapStateEntered(Each) [1]
              3<2 MapStateStarted(1)
              4<3 MapRunStarted arn:aws:states:us-east-1:111111111111:mapRun:net/14b45640-59d2-4b62-aa36-7d7d4814a0a0:00000000-0000-7db2-9f8d-d73ea4fa79c9 task 0 {"state":"Each","entered":2,"processor":1,"source":{"Items":[1]}}
              > start the Map run of task 0
            stop
              5<0 ExecutionAborted Operator: enough
              > stop the Map run of task 0
              > ended
        "#]],
    );
    let parallel = format!(
        r#"{{"StartAt":"P","States":{{"P":{{"Type":"Parallel","End":true,"Branches":[
            {{"StartAt":"Each","States":{{"Each":{{"Type":"Map",{ITEM_PROCESSOR},"End":true}}}}}},
            {{"StartAt":"W","States":{{"W":{{"Type":"Wait","Seconds":1,"Next":"No"}},"No":{{"Type":"Fail","Error":"E"}}}}}}]}}}}}}"#
    );
    check(
        &parallel,
        "start [1]\nfire 0",
        expect![[r#"
            start [1]
              1<0 ExecutionStarted [1]
              2<0 ParallelStateEntered(P) [1]
              3<2 ParallelStateStarted
              4<3 MapStateEntered(Each) [1]
              5<4 MapStateStarted(1)
              6<5 MapRunStarted arn:aws:states:us-east-1:111111111111:mapRun:net/ba130cfb-ccb9-408a-acc8-45c3130556bd:00000000-0000-7db2-9f8d-d73ea4fa79c9 task 0 {"block":1,"state":"Each","entered":4,"processor":2,"source":{"Items":[1]}}
              7<3 WaitStateEntered(W) [1]
              . WaitStarted timer 0 at 1000
              > start the Map run of task 0
              > set timer 0 at 1000
            fire 0
              8<7 WaitStateExited(W) [1]
              9<8 FailStateEntered(No) [1]
              . FrameEnded
              10<9 MapRunAborted
              11<9 MapStateAborted(Each)
              . FrameEnded
              12<9 ParallelStateFailed
              13<12 ExecutionFailed E: -
              > stop the Map run of task 0
              > ended
        "#]],
    );
}

#[test]
fn a_redrive_goes_on_with_the_run() {
    check_distributed(
        "",
        "start [1]\nended 0 States.ExceedToleratedFailureThreshold\nredrive\nended 0 ok [1]\nstop\nredrive\nended 2 ok [1]",
        expect![[r#"
            start [1]
              1<0 ExecutionStarted [1]
              2<0 MapStateEntered(Each) [1]
              3<2 MapStateStarted(1)
              4<3 MapRunStarted arn:aws:states:us-east-1:111111111111:mapRun:net/14b45640-59d2-4b62-aa36-7d7d4814a0a0:00000000-0000-7db2-9f8d-d73ea4fa79c9 task 0 {"state":"Each","entered":2,"processor":1,"source":{"Items":[1]}}
              > start the Map run of task 0
            ended 0 States.ExceedToleratedFailureThreshold
              5<4 MapRunFailed States.ExceedToleratedFailureThreshold: 
              6<5 MapStateFailed
              7<6 ExecutionFailed States.ExceedToleratedFailureThreshold: 
              > ended
            redrive
              8<7 ExecutionRedriven 1
              9<8 MapRunRedriven 1 arn:aws:states:us-east-1:111111111111:mapRun:net/14b45640-59d2-4b62-aa36-7d7d4814a0a0:00000000-0000-7db2-9f8d-d73ea4fa79c9 task 1
              > redrive the Map run for task 1
            ended 0 ok [1]
              refused: task-0 is not outstanding
            stop
              10<0 ExecutionAborted Operator: enough
              > stop the Map run of task 1
              > ended
            redrive
              11<10 ExecutionRedriven 2
              12<11 MapRunRedriven 2 arn:aws:states:us-east-1:111111111111:mapRun:net/14b45640-59d2-4b62-aa36-7d7d4814a0a0:00000000-0000-7db2-9f8d-d73ea4fa79c9 task 2
              > redrive the Map run for task 2
            ended 2 ok [1]
              13<12 MapRunSucceeded
              14<13 MapStateSucceeded
              15<13 MapStateExited(Each) [1]
              16<15 SucceedStateEntered(Done) [1]
              17<16 SucceedStateExited(Done) [1]
              18<17 ExecutionSucceeded [1]
              > ended
        "#]],
    );
    // What the state itself could not make of its items or its results is begun anew.
    check_distributed(
        "",
        "start [1]\nended 0 States.Runtime\nredrive",
        expect![[r#"
        start [1]
          1<0 ExecutionStarted [1]
          2<0 MapStateEntered(Each) [1]
          3<2 MapStateStarted(1)
          4<3 MapRunStarted arn:aws:states:us-east-1:111111111111:mapRun:net/14b45640-59d2-4b62-aa36-7d7d4814a0a0:00000000-0000-7db2-9f8d-d73ea4fa79c9 task 0 {"state":"Each","entered":2,"processor":1,"source":{"Items":[1]}}
          > start the Map run of task 0
        ended 0 States.Runtime
          5<4 MapRunFailed States.Runtime: 
          6<5 MapStateFailed
          7<6 ExecutionFailed States.Runtime: 
          > ended
        redrive
          8<7 ExecutionRedriven 1
          9<8 MapStateStarted(1)
          10<9 MapRunStarted arn:aws:states:us-east-1:111111111111:mapRun:net/14b45640-59d2-4b62-aa36-7d7d4814a0a0:00000000-07d0-7987-97f6-afa8599eb534 task 1 {"state":"Each","entered":2,"processor":1,"source":{"Items":[1]}}
          > start the Map run of task 1
    "#]],
    );
    check_distributed(
        "",
        "start [1]\nended 0 large\nredrive",
        expect![[r#"
        start [1]
          1<0 ExecutionStarted [1]
          2<0 MapStateEntered(Each) [1]
          3<2 MapStateStarted(1)
          4<3 MapRunStarted arn:aws:states:us-east-1:111111111111:mapRun:net/14b45640-59d2-4b62-aa36-7d7d4814a0a0:00000000-0000-7db2-9f8d-d73ea4fa79c9 task 0 {"state":"Each","entered":2,"processor":1,"source":{"Items":[1]}}
          > start the Map run of task 0
        ended 0 large
          5<4 MapRunSucceeded
          6<5 MapStateSucceeded
          7<5 ExecutionFailed States.DataLimitExceeded: The state/task 'Each' returned a result with a size exceeding the maximum number of bytes service limit.
          > ended
        redrive
          8<7 ExecutionRedriven 1
          9<8 MapStateStarted(1)
          10<9 MapRunStarted arn:aws:states:us-east-1:111111111111:mapRun:net/14b45640-59d2-4b62-aa36-7d7d4814a0a0:00000000-07d0-7987-97f6-afa8599eb534 task 1 {"state":"Each","entered":2,"processor":1,"source":{"Items":[1]}}
          > start the Map run of task 1
    "#]],
    );
}

#[test]
fn a_run_is_redriven_in_its_branch() {
    let parallel = format!(
        r#"{{"StartAt":"P","States":{{"P":{{"Type":"Parallel","End":true,"Branches":[
            {{"StartAt":"Each","States":{{"Each":{{"Type":"Map",{ITEM_PROCESSOR},"End":true}}}}}},
            {{"StartAt":"W","States":{{"W":{{"Type":"Wait","Seconds":1,"Next":"No"}},"No":{{"Type":"Fail","Error":"E"}}}}}}]}}}}}}"#
    );
    check(
        &parallel,
        "start [1]\nfire 0\nredrive",
        expect![[r#"
        start [1]
          1<0 ExecutionStarted [1]
          2<0 ParallelStateEntered(P) [1]
          3<2 ParallelStateStarted
          4<3 MapStateEntered(Each) [1]
          5<4 MapStateStarted(1)
          6<5 MapRunStarted arn:aws:states:us-east-1:111111111111:mapRun:net/ba130cfb-ccb9-408a-acc8-45c3130556bd:00000000-0000-7db2-9f8d-d73ea4fa79c9 task 0 {"block":1,"state":"Each","entered":4,"processor":2,"source":{"Items":[1]}}
          7<3 WaitStateEntered(W) [1]
          . WaitStarted timer 0 at 1000
          > start the Map run of task 0
          > set timer 0 at 1000
        fire 0
          8<7 WaitStateExited(W) [1]
          9<8 FailStateEntered(No) [1]
          . FrameEnded
          10<9 MapRunAborted
          11<9 MapStateAborted(Each)
          . FrameEnded
          12<9 ParallelStateFailed
          13<12 ExecutionFailed E: -
          > stop the Map run of task 0
          > ended
        redrive
          14<13 ExecutionRedriven 1
          15<14 MapRunRedriven 1 arn:aws:states:us-east-1:111111111111:mapRun:net/ba130cfb-ccb9-408a-acc8-45c3130556bd:00000000-0000-7db2-9f8d-d73ea4fa79c9 task 1
          . FrameEnded
          16<14 MapRunAborted
          17<14 MapStateAborted(Each)
          . FrameEnded
          18<14 ParallelStateFailed
          19<18 ExecutionFailed E: -
          > ended
    "#]],
    );
}

#[test]
fn a_run_is_redriven_so_often_and_no_more() {
    let definition =
        format!(r#"{{"StartAt":"Each","States":{{"Each":{{"Type":"Map",{ITEM_PROCESSOR},"End":true}}}}}}"#);
    let machine = machine(&definition);
    let mut execution = Execution::default();
    let env = Env { now: Timestamp(0), entropy: 1, limits: Limits::default(), activities: &crate::EveryActivity };
    let mut ask = |command: crate::Command| step(&machine, &mut execution, command, env).map(drop);
    ask(command("start [1]", &Execution::default())).expect("it starts");
    for task in 0..=crate::MAP_RUN_REDRIVES_MAX {
        let failure = Failure::named("States.ExceedToleratedFailureThreshold");
        ask(crate::Command::MapRunEnded { task: crate::TaskId(task), outcome: MapRunOutcome::Failed { failure } })
            .expect("it ends");
        let wrong = crate::Command::Redrive { token: None, nth: Some(task) };
        assert_eq!(ask(wrong), Err(crate::Refusal::NotRedrivable));
        let redriven = ask(crate::Command::Redrive { token: None, nth: Some(task + 1) });
        assert_eq!(redriven.is_ok(), task < crate::MAP_RUN_REDRIVES_MAX, "the {}th", task + 1);
    }
}

#[test]
fn an_item_becomes_what_its_child_gets() {
    let definition = format!(
        r#"{{"StartAt":"Each","States":{{"Each":{{"Type":"Map","ItemsPath":"$.of",
            "ItemSelector":{{"value.$":"$$.Map.Item.Value","at.$":"$$.Map.Item.Index","from.$":"$$.Map.Item.Source","with.$":"$.with","by.$":"$$.Execution.Name"}},{ITEM_PROCESSOR},"End":true}}}}}}"#
    );
    let machine = machine(&definition);
    let mut execution = Execution::default();
    let env = Env { now: Timestamp(0), entropy: 1, limits: Limits::default(), activities: &crate::EveryActivity };
    let start = command(r#"start {"of":["a","b"],"with":3}"#, &execution);
    let step = step(&machine, &mut execution, start, env).expect("it starts");
    let [Effect::StartMapRun { plan, .. }] = &step.effects[..] else { panic!("{:?}", step.effects) };
    let item = |value: &str| {
        let value = Json::from(value);
        let item = MapItem { index: 1, key: None, value: &value, source: "STATE_DATA" };
        let limits = Limits { payload_bytes_max: 90, ..Limits::default() };
        match child_input(&machine, plan, &item, Env { limits, ..env }) {
            Ok(input) => input.to_string(),
            Err(failure) => format!("{failure:?}"),
        }
    };
    expect![[r#"{"value":"b","at":1,"from":"STATE_DATA","with":3,"by":"run"}"#]].assert_eq(&item("b"));
    expect![[r#"Failure { error: Some("States.DataLimitExceeded"), cause: Some("The state/task 'Each' returned a result with a size exceeding the maximum number of bytes service limit.") }"#]].assert_eq(&item(&"b".repeat(50)));
}

#[test]
fn the_members_of_an_object_are_items() {
    check_distributed(
        "",
        "start {\"a\":1,\"b\":[2]}",
        expect![[r#"
        start {"a":1,"b":[2]}
          1<0 ExecutionStarted {"a":1,"b":[2]}
          2<0 MapStateEntered(Each) {"a":1,"b":[2]}
          3<2 MapStateStarted(2)
          4<3 MapRunStarted arn:aws:states:us-east-1:111111111111:mapRun:net/14b45640-59d2-4b62-aa36-7d7d4814a0a0:00000000-0000-7db2-9f8d-d73ea4fa79c9 task 0 {"state":"Each","entered":2,"processor":1,"source":{"Items":{"a":1,"b":[2]}}}
          > start the Map run of task 0
    "#]],
    );
    let items = Json::parse(r#"{"a":1,"b":[2]}"#).expect("JSON");
    let whole: Vec<String> = (0..)
        .zip(members(&items))
        .map(|(index, (key, value))| super::whole(&MapItem { index, key, value, source: "STATE_DATA" }).to_string())
        .collect();
    assert_eq!(whole, [r#"{"Key":"a","Value":1}"#, r#"{"Key":"b","Value":[2]}"#]);
}

#[test]
fn a_child_has_the_time_of_its_kind_and_not_the_machines() {
    let definition = format!(
        r#"{{"StartAt":"Each","TimeoutSeconds":7,"States":{{"Each":{{"Type":"Map",{}
            "End":true}}}}}}"#,
        ITEM_PROCESSOR.replace(r#""Type":"Pass""#, r#""Type":"Wait","Seconds":1000"#) + ","
    );
    let machine = machine(&definition);
    let times = |block: u32, express: bool| {
        let Command::Start(mut start) = command("start []", &Execution::default()) else { unreachable!("it starts") };
        start.block = BlockId(block);
        start.identity.express = express;
        let env = Env { now: Timestamp(0), entropy: 1, limits: Limits::default(), activities: &crate::EveryActivity };
        let mut execution = Execution::default();
        let step = step(&machine, &mut execution, Command::Start(start), env).expect("it starts");
        let times = step.effects.iter().filter_map(|effect| match effect {
            Effect::SetTimer(alarm) => Some(alarm.due.0 / 1000),
            _ => None,
        });
        times.collect::<Vec<_>>()
    };
    assert_eq!((times(0, false), times(1, false), times(1, true)), (vec![7], vec![1000], vec![300, 1000]));
}
