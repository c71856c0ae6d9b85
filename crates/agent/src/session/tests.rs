//! Scripts: what happens in, what is done out. `@5` moves the clock to second 5.

use std::collections::BTreeSet;
use std::fmt::Write;

use api::agent::{Content, OutputTaken, Settings, Welcome};
use document::Stream;
use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(script: &str, expect: Expect) {
    check_recovered([], script, expect);
}

#[track_caller]
fn check_recovered<const N: usize>(recovered: [Recovered; N], script: &str, expect: Expect) {
    let (mut session, mut now, mut out) = (Session::new(2, recovered), Timestamp(0), String::new());
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        writeln!(out, "{line}").expect("a string takes text");
        let input = match line.strip_prefix('@') {
            Some(seconds) => {
                now = Timestamp(0).plus_seconds(seconds.parse().expect("seconds"));
                Input::Ticked
            }
            None => parse(line, now),
        };
        for action in session.handle(input, now) {
            writeln!(out, "  > {}", action_text(&action)).expect("a string takes text");
        }
        while let Some(piece) = session.next_output(now) {
            let end = if piece.end { " end" } else { "" };
            let to = piece.offset + piece.bytes as u64;
            writeln!(out, "  > output {} {:?} {}..{to}{end}", piece.attempt, piece.stream, piece.offset)
                .expect("a string takes text");
        }
    }
    expect.assert_eq(&out);
}

fn parse(line: &str, now: Timestamp) -> Input {
    let words: Vec<&str> = line.split(' ').collect();
    let attempt = || words[1].to_owned();
    match words[0] {
        "connected" => Input::Connected,
        "disconnected" => Input::Disconnected,
        // The server's clock is 1000 seconds ahead.
        "welcome" => {
            let server_time = now.plus_seconds(1000);
            Input::Said(ToAgent::Welcome(Welcome {
                server_time,
                lost_after_seconds: 60,
                ping_seconds: 10,
                settings: Default::default(),
            }))
        }
        "refused" => Input::Said(ToAgent::Refused { code: "NotAllowed".to_owned(), message: String::new() }),
        "offer" => Input::Said(ToAgent::Offer(offer(words[1]))),
        "downloads" => Input::Said(ToAgent::Offer(downloads(words[1]))),
        "prepared" => Input::Prepared { attempt: attempt() },
        "content-kept" => Input::ContentKept { attempt: attempt(), bytes: words[2].parse().expect("bytes") },
        "content" => Input::Said(ToAgent::Content(read_content(&words))),
        "go" => Input::Said(ToAgent::Go { attempt: attempt() }),
        "cancel" => Input::Said(ToAgent::Cancel { attempt: attempt() }),
        "acknowledged" => Input::Said(ToAgent::Acknowledged { attempt: attempt() }),
        "kept" => Input::Kept { attempt: attempt() },
        "not-kept" => Input::NotKept { attempt: attempt(), cause: "disk full".to_owned() },
        "not-allowed" => Input::NotAllowed { attempt: attempt(), cause: "policy".to_owned() },
        "allowed" => Input::Allowed(words[1].parse().ok()),
        "began" => Input::Began { attempt: attempt(), at: now },
        "gone" => Input::Gone { attempt: attempt(), began: words[2] == "began", words: "no such file".to_owned() },
        "finished" => Input::Finished { attempt: attempt(), written: read_written(&words[2..]) },
        "wrote" => Input::Wrote { attempt: attempt(), written: read_written(&words[2..]) },
        "taken" => Input::Said(ToAgent::OutputTaken(OutputTaken {
            attempt: attempt(),
            step: 0,
            stream: read_stream(words[2]),
            offset: words[3].parse().expect("an offset"),
            done: words.get(4) == Some(&"done"),
        })),
        "drain" => Input::Drain(true),
        "resume" => Input::Drain(false),
        "settings" => Input::Said(ToAgent::Settings(Settings {
            concurrency_max: words[1].parse().ok(),
            draining: words.get(2) == Some(&"draining"),
        })),
        other => panic!("no such input: {other}"),
    }
}

/// An offer whose first and third step download.
fn downloads(attempt: &str) -> Offer {
    let source = document::Source::S3 { bucket: "b".to_owned(), key: "k/".to_owned() };
    let download = document::Action::Download(document::Download { source, destination: String::new() });
    let mut offer = offer(attempt);
    offer.plan.steps.insert(0, document::Step::new("first", download.clone()));
    offer.plan.steps.push(document::Step::new("third", download));
    offer
}

/// `content a 0/1+20 file last`: what has so much before it in the file 1 of step 0.
fn read_content(words: &[&str]) -> Content {
    let numbers: Vec<u64> = words[2].split(['/', '+']).map(|number| number.parse().expect("a number")).collect();
    Content {
        attempt: words[1].to_owned(),
        step: numbers[0] as u32,
        file: numbers[1] as u32,
        name: "name".to_owned(),
        offset: numbers[2],
        data: if words.contains(&"empty") { String::new() } else { "AAAA".to_owned() },
        file_end: words.contains(&"file"),
        last: words.contains(&"last"),
        failure: words.contains(&"fails").then(|| because(failure::CONTENT_MISSING, "no such object".to_owned())),
    }
}

/// `out:10` has 10 bytes, `out:10.` has ended.
fn read_written(words: &[&str]) -> Vec<Written> {
    let read = |word: &&str| {
        let (stream, bytes) = word.split_once(':')?;
        let ended = bytes.ends_with('.').then_some(false);
        let bytes = bytes.trim_end_matches('.').parse().expect("bytes");
        Some(Written { step: 0, stream: read_stream(stream), bytes, ended })
    };
    words.iter().filter_map(read).collect()
}

fn read_stream(word: &str) -> Stream {
    if word == "out" { Stream::Stdout } else { Stream::Stderr }
}

fn offer(attempt: &str) -> Offer {
    Offer {
        attempt: attempt.to_owned(),
        document: "AWS-RunShellScript".to_owned(),
        plan: document::Plan::shell(document::Script {
            text: "true\n".to_owned(),
            working_directory: String::new(),
            execution_timeout_seconds: 600,
            environment: vec![],
        }),
        secrets: vec![],
        expires_at: Timestamp(0).plus_seconds(1060),
    }
}

fn action_text(action: &Action) -> String {
    match action {
        Action::Hello(reports) => {
            let reports: Vec<String> =
                reports.iter().map(|report| format!("{} {:?}", report.attempt, report.state)).collect();
            format!("hello [{}]", reports.join(", "))
        }
        Action::Say(FromAgent::Accepted { attempt }) => format!("say accepted {attempt}"),
        Action::Say(FromAgent::Started { attempt, .. }) => format!("say started {attempt}"),
        Action::Say(FromAgent::Fetch(fetch)) => {
            format!("say fetch {} {}/{}+{}", fetch.attempt, fetch.step, fetch.file, fetch.offset)
        }
        Action::Say(other) => format!("say {other:?}"),
        Action::SayResult { attempt } => format!("say result {attempt}"),
        Action::Prepare(offer) => format!("prepare {}", offer.attempt),
        Action::KeepContent(content) => {
            let failure = content.failure.as_ref().map_or("", |failure| &failure.message);
            format!("keep content {} {}/{}+{} {failure}", content.attempt, content.step, content.file, content.offset)
        }
        Action::Keep(offer) => format!("keep {}", offer.attempt),
        Action::Begin { attempt } => format!("begin {attempt}"),
        Action::Kill { attempt } => format!("kill {attempt}"),
        Action::Conclude { attempt, failure } => format!("conclude {attempt} {}: {}", failure.code, failure.message),
        Action::Forget { attempt } => format!("forget {attempt}"),
        Action::Close => "close".to_owned(),
    }
}

#[test]
fn happy_path() {
    check(
        "
        connected
        welcome
        offer a
        kept a
        go a
        began a
        finished a
        acknowledged a
        ",
        expect![[r#"
            connected
              > hello []
            welcome
            offer a
              > keep a
            kept a
              > say accepted a
            go a
              > begin a
            began a
              > say started a
            finished a
              > say result a
            acknowledged a
              > forget a
        "#]],
    );
}

#[test]
fn what_is_said_twice_is_done_once() {
    check(
        "
        connected
        welcome
        offer a
        offer a
        kept a
        offer a
        go a
        go a
        began a
        go a
        offer a
        finished a
        go a
        offer a
        acknowledged a
        acknowledged a
        go a
        cancel a
        ",
        expect![[r#"
            connected
              > hello []
            welcome
            offer a
              > keep a
            offer a
            kept a
              > say accepted a
            offer a
              > say accepted a
            go a
              > begin a
            go a
            began a
              > say started a
            go a
              > say started a
            offer a
              > say started a
            finished a
              > say result a
            go a
              > say result a
            offer a
              > say result a
            acknowledged a
              > forget a
            acknowledged a
            go a
            cancel a
        "#]],
    );
}

#[test]
fn two_work_and_the_third_waits() {
    check(
        "
        connected
        welcome
        offer a
        offer b
        offer c
        kept a
        kept b
        go a
        began a
        finished a
        kept c
        ",
        expect![[r#"
            connected
              > hello []
            welcome
            offer a
              > keep a
            offer b
              > keep b
            offer c
            kept a
              > say accepted a
            kept b
              > say accepted b
            go a
              > begin a
            began a
              > say started a
            finished a
              > say result a
              > keep c
            kept c
              > say accepted c
        "#]],
    );
}

#[test]
fn a_result_is_said_until_it_is_acknowledged() {
    check(
        "
        connected
        welcome
        offer a
        kept a
        go a
        began a
        disconnected
        finished a
        connected
        welcome
        disconnected
        connected
        welcome
        acknowledged a
        disconnected
        connected
        welcome
        ",
        expect![[r#"
            connected
              > hello []
            welcome
            offer a
              > keep a
            kept a
              > say accepted a
            go a
              > begin a
            began a
              > say started a
            disconnected
            finished a
            connected
              > hello [a Finished]
            welcome
              > say result a
            disconnected
            connected
              > hello [a Finished]
            welcome
              > say result a
            acknowledged a
              > forget a
            disconnected
            connected
              > hello []
            welcome
        "#]],
    );
}

#[test]
fn what_a_broken_connection_swallowed_is_reported() {
    check(
        "
        connected
        welcome
        offer a
        disconnected
        kept a
        connected
        welcome
        go a
        disconnected
        connected
        welcome
        go a
        began a
        offer b
        offer c
        disconnected
        kept b
        connected
        ",
        expect![[r#"
            connected
              > hello []
            welcome
            offer a
              > keep a
            disconnected
            kept a
            connected
              > hello [a Accepted]
            welcome
            go a
              > begin a
            disconnected
            connected
              > hello [a Accepted]
            welcome
            go a
            began a
              > say started a
            offer b
              > keep b
            offer c
            disconnected
            kept b
            connected
              > hello [a Running, b Accepted]
        "#]],
    );
}

#[test]
fn cancel_ends_whatever_stands() {
    check(
        "
        connected
        welcome
        offer a
        cancel a
        kept a
        finished a
        offer b
        kept b
        cancel b
        cancel b
        finished b
        offer c
        kept c
        go c
        began c
        cancel c
        finished c
        cancel c
        ",
        expect![[r#"
            connected
              > hello []
            welcome
            offer a
              > keep a
            cancel a
            kept a
              > conclude a Agent.Cancelled: cancelled before it began
            finished a
              > say result a
            offer b
              > keep b
            kept b
              > say accepted b
            cancel b
              > conclude b Agent.Cancelled: cancelled before it began
            cancel b
            finished b
              > say result b
            offer c
              > keep c
            kept c
              > say accepted c
            go c
              > begin c
            began c
              > say started c
            cancel c
              > kill c
            finished c
              > say result c
            cancel c
              > say result c
        "#]],
    );
}

#[test]
fn what_was_never_told_to_begin_expires() {
    check(
        "
        connected
        welcome
        offer a
        offer b
        offer c
        kept a
        kept b
        go b
        began b
        @59
        @60
        go a
        finished a
        ",
        expect![[r#"
            connected
              > hello []
            welcome
            offer a
              > keep a
            offer b
              > keep b
            offer c
            kept a
              > say accepted a
            kept b
              > say accepted b
            go b
              > begin b
            began b
              > say started b
            @59
            @60
              > conclude a Agent.DeliveryTimedOut: it was not told to begin in time
            go a
            finished a
              > say result a
        "#]],
    );
}

#[test]
fn a_supervisor_that_is_gone_leaves_a_named_failure() {
    check(
        "
        connected
        welcome
        offer a
        kept a
        go a
        gone a not
        finished a
        offer b
        kept b
        go b
        began b
        gone b began
        finished b
        offer c
        kept c
        go c
        cancel c
        gone c not
        ",
        expect![[r#"
            connected
              > hello []
            welcome
            offer a
              > keep a
            kept a
              > say accepted a
            go a
              > begin a
            gone a not
              > conclude a Agent.StartFailed: supervisor did not start: no such file
            finished a
              > say result a
            offer b
              > keep b
            kept b
              > say accepted b
            go b
              > begin b
            began b
              > say started b
            gone b began
              > conclude b Agent.Indeterminate: the process that ran the script is gone, and left no result
            finished b
              > say result b
            offer c
              > keep c
            kept c
              > say accepted c
            go c
              > begin c
            cancel c
              > kill c
            gone c not
              > conclude c Agent.Cancelled: cancelled before it began
        "#]],
    );
}

#[test]
fn what_cannot_be_kept_is_undeliverable() {
    check(
        "
        connected
        welcome
        offer a
        not-kept a
        acknowledged a
        ",
        expect![[r#"
            connected
              > hello []
            welcome
            offer a
              > keep a
            not-kept a
              > forget a
              > say Finished(Finished { attempt: "a", ended: Failure(Failure { code: "Agent.Undeliverable", message: "disk full", exit_code: None }), stdout: "", stderr: "", stdout_truncated: false, stderr_truncated: false, started_at: None, finished_at: None, verdict: Normal, steps: [] })
            acknowledged a
        "#]],
    );
}

#[test]
fn what_is_no_longer_wanted_is_forgotten() {
    check(
        "
        connected
        welcome
        offer a
        acknowledged a
        kept a
        offer b
        kept b
        acknowledged b
        offer c
        kept c
        go c
        began c
        acknowledged c
        finished c
        ",
        expect![[r#"
            connected
              > hello []
            welcome
            offer a
              > keep a
            acknowledged a
            kept a
              > forget a
            offer b
              > keep b
            kept b
              > say accepted b
            acknowledged b
              > forget b
            offer c
              > keep c
            kept c
              > say accepted c
            go c
              > begin c
            began c
              > say started c
            acknowledged c
            finished c
              > say result c
        "#]],
    );
}

#[test]
fn a_started_agent_tells_what_it_left() {
    check_recovered(
        [
            Recovered::Accepted(offer("a")),
            Recovered::Running(offer("b"), Timestamp(5)),
            Recovered::Finished(offer("c"), vec![]),
        ],
        "
        connected
        welcome
        go a
        go b
        acknowledged c
        ",
        expect![[r#"
            connected
              > hello [a Accepted, b Running, c Finished]
            welcome
              > say result c
            go a
              > begin a
            go b
              > say started b
            acknowledged c
              > forget c
        "#]],
    );
}

#[test]
fn a_refused_agent_leaves() {
    check(
        "
        connected
        refused
        ",
        expect![[r#"
            connected
              > hello []
            refused
              > close
        "#]],
    );
}

#[test]
fn output_follows_in_turn_and_no_further_than_it_is_taken() {
    check(
        "
        connected
        welcome
        offer a
        kept a
        go a
        began a
        wrote a out:300000
        taken a out 65536
        taken a out 131072
        wrote a out:300000 err:5
        taken a err 5
        finished a out:300000. err:5.
        taken a out 262144
        taken a out 300000
        taken a out 300000 done
        acknowledged a
        taken a err 5 done
        ",
        expect![[r#"
            connected
              > hello []
            welcome
            offer a
              > keep a
            kept a
              > say accepted a
            go a
              > begin a
            began a
              > say started a
            wrote a out:300000
              > output a Stdout 0..65536
            taken a out 65536
              > output a Stdout 65536..131072
              > output a Stdout 131072..196608
              > output a Stdout 196608..262144
              > output a Stdout 262144..300000
            taken a out 131072
            wrote a out:300000 err:5
              > output a Stderr 0..5
            taken a err 5
            finished a out:300000. err:5.
              > say result a
              > output a Stdout 300000..300000 end
              > output a Stderr 5..5 end
            taken a out 262144
            taken a out 300000
            taken a out 300000 done
            acknowledged a
            taken a err 5 done
              > forget a
        "#]],
    );
}

#[test]
fn after_a_broken_connection_the_server_says_what_it_has() {
    check_recovered(
        [Recovered::Finished(
            offer("a"),
            vec![Written { step: 0, stream: Stream::Stdout, bytes: 200_000, ended: Some(false) }],
        )],
        "
        connected
        welcome
        taken a out 150000
        disconnected
        connected
        welcome
        acknowledged a
        taken a out 100000
        taken a out 165536
        taken a out 200000 done
        ",
        expect![[r#"
            connected
              > hello [a Finished]
            welcome
              > say result a
              > output a Stdout 0..65536
            taken a out 150000
              > output a Stdout 150000..200000 end
            disconnected
            connected
              > hello [a Finished]
            welcome
              > say result a
              > output a Stdout 150000..200000 end
            acknowledged a
            taken a out 100000
              > output a Stdout 100000..165536
              > output a Stdout 165536..200000 end
            taken a out 165536
            taken a out 200000 done
              > forget a
        "#]],
    );
}

#[test]
fn what_is_not_taken_is_said_again_after_a_pause() {
    check(
        "
        connected
        welcome
        offer a
        kept a
        go a
        began a
        wrote a out:10
        taken a out 0
        @1
        taken a out 10
        finished a out:10.
        taken a out 10
        @2
        taken a out 10 done
        acknowledged a
        ",
        expect![[r#"
            connected
              > hello []
            welcome
            offer a
              > keep a
            kept a
              > say accepted a
            go a
              > begin a
            began a
              > say started a
            wrote a out:10
              > output a Stdout 0..10
            taken a out 0
            @1
              > output a Stdout 0..10
            taken a out 10
            finished a out:10.
              > say result a
              > output a Stdout 10..10 end
            taken a out 10
            @2
              > output a Stdout 10..10 end
            taken a out 10 done
            acknowledged a
              > forget a
        "#]],
    );
}

#[test]
fn a_server_that_takes_no_output_is_not_waited_for() {
    check(
        "
        connected
        welcome
        offer a
        kept a
        go a
        began a
        finished a out:10. err:0.
        acknowledged a
        @29
        @30
        ",
        expect![[r#"
            connected
              > hello []
            welcome
            offer a
              > keep a
            kept a
              > say accepted a
            go a
              > begin a
            began a
              > say started a
            finished a out:10. err:0.
              > say result a
              > output a Stdout 0..10 end
              > output a Stderr 0..0 end
            acknowledged a
            @29
            @30
              > forget a
        "#]],
    );
}

#[test]
fn who_drains_goes_on_with_what_it_has() {
    check(
        "
        connected
        welcome
        offer a
        kept a
        drain
        offer b
        go a
        began a
        finished a
        resume
        settings 1
        offer c
        settings 5 draining
        kept b
        cancel b
        finished b
        settings none
        ",
        expect![[r#"
            connected
              > hello []
            welcome
            offer a
              > keep a
            kept a
              > say accepted a
            drain
            offer b
            go a
              > begin a
            began a
              > say started a
            finished a
              > say result a
            resume
              > keep b
            settings 1
            offer c
            settings 5 draining
            kept b
              > say accepted b
            cancel b
              > conclude b Agent.Cancelled: cancelled before it began
            finished b
              > say result b
            settings none
              > keep c
        "#]],
    );
}

#[test]
fn offers_beyond_the_queue_are_made_again_in_another_connection() {
    let mut session = Session::new(1, []);
    let mut handle = |line: &str| {
        let actions = session.handle(parse(line, Timestamp(0)), Timestamp(0));
        actions.iter().map(action_text).collect::<Vec<_>>()
    };
    handle("connected");
    handle("welcome");
    handle("offer running");
    (0..=OFFERS_MAX).for_each(|at| assert!(handle(&format!("offer {at}")).is_empty()));
    let mut last = vec![];
    handle("kept running");
    handle("cancel running");
    let mut next = "running".to_owned();
    for at in 0..OFFERS_MAX {
        assert!(last.is_empty());
        last = handle(&format!("finished {next}"));
        next = at.to_string();
        assert_eq!(last.pop(), Some(format!("keep {next}")));
        last.retain(|action| !action.starts_with("say"));
        let more = [format!("kept {next}"), format!("cancel {next}")];
        last.extend(more.iter().flat_map(|line| handle(line)).filter(|action| action == "close"));
    }
    assert_eq!(last, ["close"]);
}

#[test]
fn what_steps_download_is_here_before_an_attempt_is_accepted() {
    check(
        "
        connected
        welcome
        downloads a
        offer b
        offer c
        downloads a
        prepared a
        content a 0/0+0
        content a 0/0+0
        content-kept a 3
        content a 0/0+3 file
        content-kept a 3
        content a 0/1+0 file last
        content-kept a 3
        content a 0/1+0 file last
        content a 2/0+0 fails
        content-kept a 0
        kept a
        go a
        ",
        expect![[r#"
            connected
              > hello []
            welcome
            downloads a
              > prepare a
            offer b
              > keep b
            offer c
            downloads a
            prepared a
              > say fetch a 0/0+0
            content a 0/0+0
              > keep content a 0/0+0 
            content a 0/0+0
            content-kept a 3
              > say fetch a 0/0+3
            content a 0/0+3 file
              > keep content a 0/0+3 
            content-kept a 3
              > say fetch a 0/1+0
            content a 0/1+0 file last
              > keep content a 0/1+0 
            content-kept a 3
              > say fetch a 2/0+0
            content a 0/1+0 file last
            content a 2/0+0 fails
              > keep content a 2/0+0 no such object
            content-kept a 0
              > keep a
            kept a
              > say accepted a
            go a
              > begin a
        "#]],
    );
}

#[test]
fn what_is_not_here_yet_is_let_go() {
    check(
        "
        connected
        welcome
        downloads a
        prepared a
        content a 0/0+0
        disconnected
        content-kept a 3
        connected
        welcome
        downloads a
        prepared a
        cancel a
        content a 0/0+0
        downloads b
        acknowledged b
        prepared b
        downloads c
        prepared c
        content c 0/0+0 empty
        content-kept c 0
        @60
        ",
        expect![[r#"
            connected
              > hello []
            welcome
            downloads a
              > prepare a
            prepared a
              > say fetch a 0/0+0
            content a 0/0+0
              > keep content a 0/0+0 
            disconnected
              > forget a
            content-kept a 3
            connected
              > hello []
            welcome
            downloads a
              > prepare a
            prepared a
              > say fetch a 0/0+0
            cancel a
              > forget a
            content a 0/0+0
            downloads b
              > prepare b
            acknowledged b
              > forget b
            prepared b
            downloads c
              > prepare c
            prepared c
              > say fetch c 0/0+0
            content c 0/0+0 empty
              > keep content c 0/0+0 content does not come
            content-kept c 0
              > say fetch c 2/0+0
            @60
              > forget c
        "#]],
    );
}

fn any_line() -> impl Strategy<Value = String> {
    let attempts = || prop::sample::select(vec!["a", "b", "c", "d"]);
    let said = prop::sample::select(vec!["offer", "go", "cancel", "acknowledged"]);
    prop_oneof![
        6 => (said, attempts()).prop_map(|(said, attempt)| format!("{said} {attempt}")),
        1 => Just("disconnected".to_owned()),
        1 => (0..100_u32).prop_map(|seconds| format!("@{seconds}")),
    ]
}

proptest! {
    /// The world answers at some time, in the order in which it was asked.
    #[test]
    fn no_order_of_messages_begins_an_attempt_twice(
        lines in prop::collection::vec((any_line(), any::<bool>()), 0..80),
        ends in prop::collection::vec(any::<bool>(), 80),
    ) {
        let mut session = Session::new(2, []);
        let (mut owed, mut begun, mut now) = (VecDeque::new(), BTreeSet::new(), Timestamp(0));
        let mut ends = ends.into_iter().cycle();
        let mut inputs: VecDeque<String> = ["connected", "welcome"].map(str::to_owned).into();
        for (line, world_answers) in lines {
            let reconnects = line == "disconnected";
            inputs.push_back(line);
            if reconnects {
                inputs.extend(["connected", "welcome"].map(str::to_owned));
            }
            if world_answers {
                inputs.extend(owed.pop_front());
            }
            while let Some(line) = inputs.pop_front() {
                let input = match line.strip_prefix('@') {
                    Some(seconds) => {
                        now = Timestamp(0).plus_seconds(seconds.parse().expect("seconds"));
                        Input::Ticked
                    }
                    None => parse(&line, now),
                };
                for action in session.handle(input, now) {
                    match action {
                        Action::Keep(offer) => owed.push_back(format!("kept {}", offer.attempt)),
                        Action::Begin { attempt } => {
                            prop_assert!(begun.insert(attempt.clone()), "{} begins twice", attempt);
                            owed.push_back(format!("began {attempt}"));
                            let end = if ends.next().expect("a cycle") { "finished" } else { "gone" };
                            owed.push_back(format!("{end} {attempt} began"));
                        }
                        Action::Conclude { attempt, .. } => owed.push_back(format!("finished {attempt}")),
                        // What the server no longer wants it may not offer again; this test's does.
                        Action::Forget { attempt } => { begun.remove(&attempt); }
                        Action::Hello(_)
                        | Action::Say(_)
                        | Action::SayResult { .. }
                        | Action::Prepare(_)
                        | Action::KeepContent(_)
                        | Action::Kill { .. }
                        | Action::Close => (),
                    }
                }
                prop_assert!(session.busy() <= 2);
            }
        }
    }
}
