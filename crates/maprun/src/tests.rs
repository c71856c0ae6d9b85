//! Runs as stories: commands in, facts and effects out.

use base::{Json, Timestamp};
use engine::map_run::{MapSource, Writing};
use engine::{Failure, Identity, MapPlan, MapRunOutcome, TaskId};
use expect_test::{Expect, expect};

use crate::message::{Begin, Command, Env, Fate, Found, Input, Limits, Read, Surveyed, Told, Update};
use crate::run::Run;
use crate::step;

pub(crate) fn begin() -> Begin {
    Begin {
        arn: "arn:aws:states:us-east-1:111111111111:mapRun:net/each:018bcfe5-6800-7abc-8def-0123456789ab".into(),
        parent: Identity::default(),
        task: TaskId(0),
        plan: MapPlan {
            block: 0,
            state: "Each".into(),
            entered: 2,
            processor: 1,
            express: false,
            source: MapSource::Items(Json::Null),
            selecting: None,
            batching: None,
            writing: None,
            concurrency: 0,
            tolerated_count: None,
            tolerated_percentage: None,
        },
    }
}

/// `begin 2`: with so much concurrency; `read 0 a b .`: after none come two, and no more; `told 0 s 1#2 f`: child 1 in
/// its second life failed; `redrive 3`: for task 3; `found 0 5 1 f 4 f`: below 5 two have failed; and so on.
#[track_caller]
fn check(change: impl Fn(&mut Begin), script: &str, expect: Expect) {
    let (mut run, mut out) = (Run::default(), String::new());
    for (at, line) in script.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        out += &format!("{line}\n");
        let env = Env { now: Timestamp(at as i64), limits: Limits { children_max: 3 } };
        let command = command(line, &run, &change);
        match step(&mut run, command, env) {
            Err(refusal) => out += &format!("  refused: {refusal}\n"),
            Ok(step) => {
                step.events.iter().skip(usize::from(at == 0)).for_each(|event| {
                    let text = serde_json::to_string(event).expect("an event has a text");
                    out += &format!(
                        "  {}\n",
                        text.replace(&format!(r#""at":{at},"#), "").replace(&format!(r#""at":{at}"#), "")
                    );
                });
                step.effects.iter().for_each(|effect| out += &format!("  > {effect:?}\n"));
            }
        }
    }
    let (items, executions) = (run.items(), run.executions());
    out += &format!("items {items:?}\nexecutions {executions:?}\nowes {:?}\n", run.outstanding());
    expect.assert_eq(&out);
}

fn command(line: &str, run: &Run, change: impl Fn(&mut Begin)) -> Command {
    let mut words = line.split(' ');
    let verb = words.next().unwrap_or_default();
    let words: Vec<&str> = words.collect();
    let number = |word: &str| -> u64 { word.parse().expect("a number") };
    let task = || run.begin().map_or(TaskId(0), |begin| begin.task);
    match verb {
        "begin" => {
            let mut begin = begin();
            change(&mut begin);
            Command::Begin(Box::new(begin))
        }
        "read" => {
            let end = words.last() == Some(&".");
            let children = words[1..words.len() - usize::from(end)].iter();
            let child = |word: &&str| Input { input: Json::from(*word), items: word.len() as u32 };
            Command::Read(Read { from: number(words[0]), children: children.map(child).collect(), end })
        }
        "unread" => Command::ReadFailed { from: number(words[0]), failure: Failure::named("States.ItemReaderFailed") },
        "told" => {
            let fate = |word: &str| -> Fate { serde_json::from_str(&format!("\"{word}\"")).expect("a fate") };
            let told = |pair: &[&str]| {
                let (index, life) = pair[0].split_once('#').unwrap_or((pair[0], "0"));
                Told { index: number(index) as u32, life: number(life), fate: fate(pair[1]) }
            };
            Command::Told { children: words.chunks(2).map(told).collect() }
        }
        "concurrency" => Command::Update(Update { concurrency: Some(number(words[0])), ..Update::default() }),
        "stop" => Command::Stop { task: task() },
        "redrive" => Command::Redrive { task: TaskId(number(words[0])) },
        "found" => {
            let found = words[2..].chunks(2).map(|pair| Found {
                index: number(pair[0]) as u32,
                items: 1,
                life: 0,
                fate: serde_json::from_str(&format!("\"{}\"", &pair[1][..1])).expect("a fate"),
                is_final: pair[1].ends_with('!'),
            });
            let (from, until) = (number(words[0]) as u32, number(words[1]) as u32);
            Command::Surveyed(Surveyed { from, until, found: found.collect() })
        }
        "gathered" => {
            let outcome = MapRunOutcome::Succeeded { output: Json::from(words[0]) };
            Command::Gathered { task: task(), outcome, written: 0 }
        }
        "notified" => Command::Notified { task: task() },
        other => panic!("no such command: {other}"),
    }
}

#[test]
fn a_run_reads_starts_hears_and_tells() {
    check(
        |_| (),
        "begin\nread 0 a bb\nread 0 a bb\nread 3 c d .\ntold 0 s 1 r\ntold 0 s\ntold 3 s 1 s 2 s\ngathered all\nnotified\nnotified",
        expect![[r#"
            begin
              > Read { from: 0 }
            read 0 a bb
              {"Read":{"children":[{"i":"a"},{"i":"bb","n":2}]}}
              {"Asked":{"until":2}}
              > Start { index: 0, input: Input { input: String("a"), items: 1 } }
              > Start { index: 1, input: Input { input: String("bb"), items: 2 } }
              > Read { from: 3 }
            read 0 a bb
              refused: the Map run does not want that now
            read 3 c d .
              {"Read":{"children":[{"i":"c"},{"i":"d"}],"end":true}}
              {"Asked":{"until":3}}
              > Start { index: 2, input: Input { input: String("c"), items: 1 } }
            told 0 s 1 r
              {"Told":{"children":[[0,"s"],[1,"r"]]}}
              {"Asked":{"until":4}}
              > Start { index: 3, input: Input { input: String("d"), items: 1 } }
            told 0 s
            told 3 s 1 s 2 s
              {"Told":{"children":[[3,"s"],[1,"s"],[2,"s"]]}}
              {"Gathering":{}}
              > Gather { children: 4 }
            gathered all
              {"Ended":{"outcome":{"Succeeded":{"output":"all"}}}}
              > Notify { outcome: Succeeded { output: String("all") } }
            notified
              {"Notified":{}}
            notified
              refused: the Map run does not want that now
            items Counts { pending: 0, running: 0, succeeded: 5, failed: 0, timed_out: 0, aborted: 0, pending_redrive: 0, not_redrivable: 0 }
            executions Counts { pending: 0, running: 0, succeeded: 4, failed: 0, timed_out: 0, aborted: 0, pending_redrive: 0, not_redrivable: 0 }
            owes []
        "#]],
    );
}

#[test]
fn a_failure_too_many_stops_the_others() {
    check(
        |begin| begin.plan.tolerated_count = Some(1),
        "begin\nread 0 a b c d e .\ntold 0 f 1 r 2 r\ntold 3 f\ntold 1 a 2 s 4 r\ntold 4 a",
        expect![[r#"
            begin
              > Read { from: 0 }
            read 0 a b c d e .
              {"Read":{"children":[{"i":"a"},{"i":"b"},{"i":"c"},{"i":"d"},{"i":"e"}],"end":true}}
              {"Asked":{"until":3}}
              > Start { index: 0, input: Input { input: String("a"), items: 1 } }
              > Start { index: 1, input: Input { input: String("b"), items: 1 } }
              > Start { index: 2, input: Input { input: String("c"), items: 1 } }
            told 0 f 1 r 2 r
              {"Told":{"children":[[0,"f"],[1,"r"],[2,"r"]]}}
              {"Asked":{"until":4}}
              > Start { index: 3, input: Input { input: String("d"), items: 1 } }
            told 3 f
              {"Told":{"children":[[3,"f"]]}}
              {"GaveUp":{"failure":{"error":"States.ExceedToleratedFailureThreshold","cause":"The specified tolerated failure threshold was exceeded"}}}
              > Stop { index: 1 }
              > Stop { index: 2 }
            told 1 a 2 s 4 r
              {"Told":{"children":[[1,"a"],[2,"s"]]}}
              {"Ended":{"outcome":{"Failed":{"failure":{"error":"States.ExceedToleratedFailureThreshold","cause":"The specified tolerated failure threshold was exceeded"}}}}}
              > Stop { index: 4 }
              > Notify { outcome: Failed { failure: Failure { error: Some("States.ExceedToleratedFailureThreshold"), cause: Some("The specified tolerated failure threshold was exceeded") } } }
            told 4 a
            items Counts { pending: 1, running: 0, succeeded: 1, failed: 2, timed_out: 0, aborted: 1, pending_redrive: 0, not_redrivable: 0 }
            executions Counts { pending: 1, running: 0, succeeded: 1, failed: 2, timed_out: 0, aborted: 1, pending_redrive: 0, not_redrivable: 0 }
            owes [Notify { outcome: Failed { failure: Failure { error: Some("States.ExceedToleratedFailureThreshold"), cause: Some("The specified tolerated failure threshold was exceeded") } } }]
        "#]],
    );
}

#[test]
fn a_run_without_items_is_over_at_once() {
    check(
        |_| (),
        "begin\nread 0 .",
        expect![[r#"
            begin
              > Read { from: 0 }
            read 0 .
              {"Read":{"children":[],"end":true}}
              {"Gathering":{}}
              > Gather { children: 0 }
            items Counts { pending: 0, running: 0, succeeded: 0, failed: 0, timed_out: 0, aborted: 0, pending_redrive: 0, not_redrivable: 0 }
            executions Counts { pending: 0, running: 0, succeeded: 0, failed: 0, timed_out: 0, aborted: 0, pending_redrive: 0, not_redrivable: 0 }
            owes [AskParent, Gather { children: 0 }]
        "#]],
    );
}

#[test]
fn what_cannot_be_read_fails_the_run() {
    check(
        |_| (),
        "begin\nunread 0",
        expect![[r#"
            begin
              > Read { from: 0 }
            unread 0
              {"GaveUp":{"failure":{"error":"States.ItemReaderFailed"}}}
              {"Ended":{"outcome":{"Failed":{"failure":{"error":"States.ItemReaderFailed"}}}}}
              > Notify { outcome: Failed { failure: Failure { error: Some("States.ItemReaderFailed"), cause: None } } }
            items Counts { pending: 0, running: 0, succeeded: 0, failed: 0, timed_out: 0, aborted: 0, pending_redrive: 0, not_redrivable: 0 }
            executions Counts { pending: 0, running: 0, succeeded: 0, failed: 0, timed_out: 0, aborted: 0, pending_redrive: 0, not_redrivable: 0 }
            owes [Notify { outcome: Failed { failure: Failure { error: Some("States.ItemReaderFailed"), cause: None } } }]
        "#]],
    );
}

#[test]
fn nobody_waits_any_more() {
    check(
        |_| (),
        "begin\nread 0 a b .\nstop\ntold 0 m 1 r\ntold 1 a",
        expect![[r#"
            begin
              > Read { from: 0 }
            read 0 a b .
              {"Read":{"children":[{"i":"a"},{"i":"b"}],"end":true}}
              {"Asked":{"until":2}}
              > Start { index: 0, input: Input { input: String("a"), items: 1 } }
              > Start { index: 1, input: Input { input: String("b"), items: 1 } }
            stop
              {"GaveUp":{}}
            told 0 m 1 r
              {"Told":{"children":[[0,"m"],[1,"r"]]}}
              > Stop { index: 1 }
            told 1 a
              {"Told":{"children":[[1,"a"]]}}
              {"Ended":{"outcome":"Aborted"}}
            items Counts { pending: 1, running: 0, succeeded: 0, failed: 0, timed_out: 0, aborted: 1, pending_redrive: 0, not_redrivable: 0 }
            executions Counts { pending: 1, running: 0, succeeded: 0, failed: 0, timed_out: 0, aborted: 1, pending_redrive: 0, not_redrivable: 0 }
            owes []
        "#]],
    );
}

#[test]
fn concurrency_may_change_on_the_way() {
    check(
        |begin| begin.plan.concurrency = 1,
        "begin\nread 0 a b c .\nconcurrency 2\nconcurrency 0",
        expect![[r#"
            begin
              > Read { from: 0 }
            read 0 a b c .
              {"Read":{"children":[{"i":"a"},{"i":"b"},{"i":"c"}],"end":true}}
              {"Asked":{"until":1}}
              > Start { index: 0, input: Input { input: String("a"), items: 1 } }
            concurrency 2
              {"Updated":{"update":{"concurrency":2}}}
              {"Asked":{"until":2}}
              > Start { index: 1, input: Input { input: String("b"), items: 1 } }
            concurrency 0
              {"Updated":{"update":{"concurrency":0}}}
              {"Asked":{"until":3}}
              > Start { index: 2, input: Input { input: String("c"), items: 1 } }
            items Counts { pending: 0, running: 3, succeeded: 0, failed: 0, timed_out: 0, aborted: 0, pending_redrive: 0, not_redrivable: 0 }
            executions Counts { pending: 0, running: 3, succeeded: 0, failed: 0, timed_out: 0, aborted: 0, pending_redrive: 0, not_redrivable: 0 }
            owes [AskParent, Start { index: 0, input: Input { input: String("a"), items: 1 } }, Start { index: 1, input: Input { input: String("b"), items: 1 } }, Start { index: 2, input: Input { input: String("c"), items: 1 } }]
        "#]],
    );
}

#[test]
fn a_run_that_failed_writes_what_there_is() {
    check(
        |begin| begin.plan.writing = Some(Writing { arguments: Some(Json::Null), config: None }),
        "begin\nread 0 a b .\ntold 0 f 1 s\ngathered x",
        expect![[r#"
            begin
              > Read { from: 0 }
            read 0 a b .
              {"Read":{"children":[{"i":"a"},{"i":"b"}],"end":true}}
              {"Asked":{"until":2}}
              > Start { index: 0, input: Input { input: String("a"), items: 1 } }
              > Start { index: 1, input: Input { input: String("b"), items: 1 } }
            told 0 f 1 s
              {"Told":{"children":[[0,"f"],[1,"s"]]}}
              {"GaveUp":{"failure":{"error":"States.ExceedToleratedFailureThreshold","cause":"The specified tolerated failure threshold was exceeded"}}}
              {"Gathering":{}}
              > Gather { children: 2 }
            gathered x
              {"Ended":{"outcome":{"Failed":{"failure":{"error":"States.ExceedToleratedFailureThreshold","cause":"The specified tolerated failure threshold was exceeded"}}}}}
              > Notify { outcome: Failed { failure: Failure { error: Some("States.ExceedToleratedFailureThreshold"), cause: Some("The specified tolerated failure threshold was exceeded") } } }
            items Counts { pending: 0, running: 0, succeeded: 1, failed: 1, timed_out: 0, aborted: 0, pending_redrive: 0, not_redrivable: 0 }
            executions Counts { pending: 0, running: 0, succeeded: 1, failed: 1, timed_out: 0, aborted: 0, pending_redrive: 0, not_redrivable: 0 }
            owes [Notify { outcome: Failed { failure: Failure { error: Some("States.ExceedToleratedFailureThreshold"), cause: Some("The specified tolerated failure threshold was exceeded") } } }]
        "#]],
    );
}

#[test]
fn a_redrive_goes_on_with_what_did_not_succeed() {
    check(
        |begin| begin.plan.concurrency = 2,
        "begin\nread 0 a b c d e\ntold 0 s 1 r\ntold 2 f 1 r\nredrive 7\ntold 1 a\nredrive 7\nnotified\nredrive 7\nredrive 7\n\
         found 0 3 1 a 2 f\nread 3 d e .\ntold 1 a 1#1 s\ntold 2#1 s\ntold 3 s 4 s\ngathered all\nnotified",
        expect![[r#"
            begin
              > Read { from: 0 }
            read 0 a b c d e
              {"Read":{"children":[{"i":"a"},{"i":"b"},{"i":"c"},{"i":"d"},{"i":"e"}]}}
              {"Asked":{"until":2}}
              > Start { index: 0, input: Input { input: String("a"), items: 1 } }
              > Start { index: 1, input: Input { input: String("b"), items: 1 } }
              > Read { from: 5 }
            told 0 s 1 r
              {"Told":{"children":[[0,"s"],[1,"r"]]}}
              {"Asked":{"until":3}}
              > Start { index: 2, input: Input { input: String("c"), items: 1 } }
            told 2 f 1 r
              {"Told":{"children":[[2,"f"]]}}
              {"GaveUp":{"failure":{"error":"States.ExceedToleratedFailureThreshold","cause":"The specified tolerated failure threshold was exceeded"}}}
              > Stop { index: 1 }
            redrive 7
              refused: the Map run has not ended yet
            told 1 a
              {"Told":{"children":[[1,"a"]]}}
              {"Ended":{"outcome":{"Failed":{"failure":{"error":"States.ExceedToleratedFailureThreshold","cause":"The specified tolerated failure threshold was exceeded"}}}}}
              > Notify { outcome: Failed { failure: Failure { error: Some("States.ExceedToleratedFailureThreshold"), cause: Some("The specified tolerated failure threshold was exceeded") } } }
            redrive 7
              refused: the Map run has not ended yet
            notified
              {"Notified":{}}
            redrive 7
              {"Redriven":{"task":7}}
              > Read { from: 3 }
              > Survey { from: 0, until: 3 }
            redrive 7
            found 0 3 1 a 2 f
              {"Surveyed":{"until":3,"found":[{"c":1,"f":"a"},{"c":2,"f":"f"}]}}
              {"AskedAgain":{"redrive":[1,2]}}
              > Redrive { index: 1, life: 1 }
              > Redrive { index: 2, life: 1 }
            read 3 d e .
              {"Read":{"children":[{"i":"d"},{"i":"e"}],"end":true}}
            told 1 a 1#1 s
              {"Told":{"children":[[1,"s"]]}}
              {"Asked":{"until":4}}
              > Start { index: 3, input: Input { input: String("d"), items: 1 } }
            told 2#1 s
              {"Told":{"children":[[2,"s"]]}}
              {"Asked":{"until":5}}
              > Start { index: 4, input: Input { input: String("e"), items: 1 } }
            told 3 s 4 s
              {"Told":{"children":[[3,"s"],[4,"s"]]}}
              {"Gathering":{}}
              > Gather { children: 5 }
            gathered all
              {"Ended":{"outcome":{"Succeeded":{"output":"all"}}}}
              > Notify { outcome: Succeeded { output: String("all") } }
            notified
              {"Notified":{}}
            items Counts { pending: 0, running: 0, succeeded: 5, failed: 0, timed_out: 0, aborted: 0, pending_redrive: 0, not_redrivable: 0 }
            executions Counts { pending: 0, running: 0, succeeded: 5, failed: 0, timed_out: 0, aborted: 0, pending_redrive: 0, not_redrivable: 0 }
            owes []
        "#]],
    );
}

#[test]
fn what_never_started_is_started_by_a_redrive() {
    check(
        |_| (),
        "begin\nread 0 a b c d .\nstop\ntold 0 m 1 m 2 r\ntold 2 a\nredrive 1\nfound 0 3 2 a",
        expect![[r#"
            begin
              > Read { from: 0 }
            read 0 a b c d .
              {"Read":{"children":[{"i":"a"},{"i":"b"},{"i":"c"},{"i":"d"}],"end":true}}
              {"Asked":{"until":3}}
              > Start { index: 0, input: Input { input: String("a"), items: 1 } }
              > Start { index: 1, input: Input { input: String("b"), items: 1 } }
              > Start { index: 2, input: Input { input: String("c"), items: 1 } }
            stop
              {"GaveUp":{}}
            told 0 m 1 m 2 r
              {"Told":{"children":[[0,"m"],[1,"m"],[2,"r"]]}}
              > Stop { index: 2 }
            told 2 a
              {"Told":{"children":[[2,"a"]]}}
              {"Ended":{"outcome":"Aborted"}}
            redrive 1
              {"Redriven":{"task":1}}
              > Read { from: 3 }
              > Survey { from: 0, until: 3 }
            found 0 3 2 a
              {"Surveyed":{"until":3,"found":[{"c":2,"f":"a"}]}}
              {"AskedAgain":{"start":[0,1],"redrive":[2]}}
              > Start { index: 0, input: Input { input: String("a"), items: 1 } }
              > Start { index: 1, input: Input { input: String("b"), items: 1 } }
              > Redrive { index: 2, life: 1 }
            items Counts { pending: 0, running: 3, succeeded: 0, failed: 0, timed_out: 0, aborted: 0, pending_redrive: 0, not_redrivable: 0 }
            executions Counts { pending: 0, running: 3, succeeded: 0, failed: 0, timed_out: 0, aborted: 0, pending_redrive: 0, not_redrivable: 0 }
            owes [AskParent, Read { from: 3 }, Start { index: 0, input: Input { input: String("a"), items: 1 } }, Start { index: 1, input: Input { input: String("b"), items: 1 } }, Redrive { index: 2, life: 1 }]
        "#]],
    );
}

#[test]
fn what_cannot_be_redriven_has_failed_again() {
    check(
        |_| (),
        "begin\nread 0 a b .\ntold 0 f 1 f\nnotified\nredrive 1\nfound 0 2 0 f! 1 f",
        expect![[r#"
        begin
          > Read { from: 0 }
        read 0 a b .
          {"Read":{"children":[{"i":"a"},{"i":"b"}],"end":true}}
          {"Asked":{"until":2}}
          > Start { index: 0, input: Input { input: String("a"), items: 1 } }
          > Start { index: 1, input: Input { input: String("b"), items: 1 } }
        told 0 f 1 f
          {"Told":{"children":[[0,"f"],[1,"f"]]}}
          {"GaveUp":{"failure":{"error":"States.ExceedToleratedFailureThreshold","cause":"The specified tolerated failure threshold was exceeded"}}}
          {"Ended":{"outcome":{"Failed":{"failure":{"error":"States.ExceedToleratedFailureThreshold","cause":"The specified tolerated failure threshold was exceeded"}}}}}
          > Notify { outcome: Failed { failure: Failure { error: Some("States.ExceedToleratedFailureThreshold"), cause: Some("The specified tolerated failure threshold was exceeded") } } }
        notified
          {"Notified":{}}
        redrive 1
          {"Redriven":{"task":1}}
          > Survey { from: 0, until: 2 }
        found 0 2 0 f! 1 f
          {"Surveyed":{"until":2,"found":[{"c":0,"f":"f","x":true},{"c":1,"f":"f"}]}}
          {"GaveUp":{"failure":{"error":"States.ExceedToleratedFailureThreshold","cause":"The specified tolerated failure threshold was exceeded"}}}
          {"Ended":{"outcome":{"Failed":{"failure":{"error":"States.ExceedToleratedFailureThreshold","cause":"The specified tolerated failure threshold was exceeded"}}}}}
          > Notify { outcome: Failed { failure: Failure { error: Some("States.ExceedToleratedFailureThreshold"), cause: Some("The specified tolerated failure threshold was exceeded") } } }
        items Counts { pending: 0, running: 0, succeeded: 0, failed: 1, timed_out: 0, aborted: 0, pending_redrive: 1, not_redrivable: 1 }
        executions Counts { pending: 0, running: 0, succeeded: 0, failed: 1, timed_out: 0, aborted: 0, pending_redrive: 1, not_redrivable: 1 }
        owes [Notify { outcome: Failed { failure: Failure { error: Some("States.ExceedToleratedFailureThreshold"), cause: Some("The specified tolerated failure threshold was exceeded") } } }]
    "#]],
    );
}

#[test]
fn a_run_that_is_stopped_while_it_is_redriven_asks_who_went_on() {
    check(
        |_| (),
        "begin\nread 0 a b c .\ntold 0 f 1 f 2 f\nnotified\nredrive 1\nfound 0 3 0 f 1 f 2 f\ntold 0#1 r\nstop\ntold 0#1 s 1 f\ntold 2#1 r\ntold 2#1 a",
        expect![[r#"
            begin
              > Read { from: 0 }
            read 0 a b c .
              {"Read":{"children":[{"i":"a"},{"i":"b"},{"i":"c"}],"end":true}}
              {"Asked":{"until":3}}
              > Start { index: 0, input: Input { input: String("a"), items: 1 } }
              > Start { index: 1, input: Input { input: String("b"), items: 1 } }
              > Start { index: 2, input: Input { input: String("c"), items: 1 } }
            told 0 f 1 f 2 f
              {"Told":{"children":[[0,"f"],[1,"f"],[2,"f"]]}}
              {"GaveUp":{"failure":{"error":"States.ExceedToleratedFailureThreshold","cause":"The specified tolerated failure threshold was exceeded"}}}
              {"Ended":{"outcome":{"Failed":{"failure":{"error":"States.ExceedToleratedFailureThreshold","cause":"The specified tolerated failure threshold was exceeded"}}}}}
              > Notify { outcome: Failed { failure: Failure { error: Some("States.ExceedToleratedFailureThreshold"), cause: Some("The specified tolerated failure threshold was exceeded") } } }
            notified
              {"Notified":{}}
            redrive 1
              {"Redriven":{"task":1}}
              > Survey { from: 0, until: 3 }
            found 0 3 0 f 1 f 2 f
              {"Surveyed":{"until":3,"found":[{"c":0,"f":"f"},{"c":1,"f":"f"},{"c":2,"f":"f"}]}}
              {"AskedAgain":{"redrive":[0,1,2]}}
              > Redrive { index: 0, life: 1 }
              > Redrive { index: 1, life: 1 }
              > Redrive { index: 2, life: 1 }
            told 0#1 r
              {"Told":{"children":[[0,"r"]]}}
            stop
              {"GaveUp":{}}
              > Stop { index: 0 }
            told 0#1 s 1 f
              {"Told":{"children":[[0,"s"],[1,"f"]]}}
            told 2#1 r
              {"Told":{"children":[[2,"r"]]}}
              > Stop { index: 2 }
            told 2#1 a
              {"Told":{"children":[[2,"a"]]}}
              {"Ended":{"outcome":"Aborted"}}
            items Counts { pending: 0, running: 0, succeeded: 1, failed: 1, timed_out: 0, aborted: 1, pending_redrive: 0, not_redrivable: 0 }
            executions Counts { pending: 0, running: 0, succeeded: 1, failed: 1, timed_out: 0, aborted: 1, pending_redrive: 0, not_redrivable: 0 }
            owes []
        "#]],
    );
}
