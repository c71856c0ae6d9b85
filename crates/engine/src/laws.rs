//! What holds for any machine and any commands, tried on random ones.
//!
//! `tests::play` checks it after every line: replay equals live, what is asked is owed, the finished owe nothing, a
//! refusal leaves no trace, ids are dense. `PROPTEST_CASES` says how often.

use proptest::prelude::*;

use crate::Limits;
use crate::tests::{play, shown};

/// A tree of states, before it has names.
#[derive(Debug, Clone)]
enum Shape {
    Pass,
    /// Keeps its input as a variable of its own.
    Assign,
    /// The same with expressions, which sometimes give nothing.
    Query,
    QueryTask {
        catches: bool,
    },
    QueryMap {
        processor: Vec<Shape>,
        catches: bool,
    },
    Wait(u8),
    Succeed,
    Fail,
    Task {
        handlers: String,
    },
    /// Leads back to the first state of its block when the input asks for it.
    Choice,
    Parallel {
        branches: Vec<Vec<Shape>>,
        handlers: String,
    },
    Map {
        processor: Vec<Shape>,
        concurrency: u8,
        handlers: String,
    },
    Distributed {
        handlers: String,
    },
}

fn handlers() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just(r#""Retry":[{"ErrorEquals":["E"],"MaxAttempts":1}],"#.to_owned()),
        Just(r#""Catch":[{"ErrorEquals":["States.ALL"],"Next":"LAST"}],"#.to_owned()),
        Just(
            r#""Retry":[{"ErrorEquals":["States.ALL"],"MaxAttempts":2,"JitterStrategy":"FULL"}],"Catch":[{"ErrorEquals":["States.TaskFailed"],"ResultPath":"$.e","Next":"LAST"}],"#
                .to_owned()
        ),
    ]
}

fn task_handlers() -> impl Strategy<Value = String> {
    (
        handlers(),
        prop_oneof![Just(""), Just(r#""TimeoutSeconds":9,"#), Just(r#""TimeoutSeconds":9,"HeartbeatSeconds":3,"#)],
    )
        .prop_map(|(handlers, times)| format!("{times}{handlers}"))
}

fn shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        Just(Shape::Pass),
        Just(Shape::Assign),
        Just(Shape::Query),
        any::<bool>().prop_map(|catches| Shape::QueryTask { catches }),
        (0..3u8).prop_map(Shape::Wait),
        Just(Shape::Succeed),
        Just(Shape::Fail),
        Just(Shape::Choice),
        handlers().prop_map(|handlers| Shape::Distributed { handlers }),
        task_handlers().prop_map(|handlers| Shape::Task { handlers }),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        let block = prop::collection::vec(inner, 1..3);
        prop_oneof![
            (prop::collection::vec(block.clone(), 1..4), handlers())
                .prop_map(|(branches, handlers)| Shape::Parallel { branches, handlers }),
            (block.clone(), any::<bool>()).prop_map(|(processor, catches)| Shape::QueryMap { processor, catches }),
            (block, 0..3u8, handlers()).prop_map(|(processor, concurrency, handlers)| Shape::Map {
                processor,
                concurrency,
                handlers
            }),
        ]
    })
}

/// The block's text; names are unique in the whole machine. The last state is one that `Catch` may lead to.
fn block(shapes: &[Shape], names: &mut u32) -> String {
    let mine: Vec<String> = shapes
        .iter()
        .map(|_| {
            *names += 1;
            format!("S{names}")
        })
        .collect();
    *names += 1;
    let last = format!("L{names}");
    let mut states = vec![];
    for (at, shape) in shapes.iter().enumerate() {
        let next = mine.get(at + 1).unwrap_or(&last);
        let body = state(shape, &mine[0], &mine[at], next, names).replace("LAST", &last);
        states.push(format!(r#""{}":{body}"#, mine[at]));
    }
    // Whatever ends early must not make the rest unreachable: each is named by this choice.
    let rules: Vec<String> = mine
        .iter()
        .map(|name| format!(r#"{{"Variable":"$.never","StringEquals":"{name}","Next":"{name}"}}"#))
        .collect();
    *names += 1;
    let (first, door) = (&mine[0], format!("D{names}"));
    states.push(format!(
        r#""{door}":{{"Type":"Choice","Choices":[{{"And":[{{"Variable":"$","IsNull":true}},{{"Variable":"$","IsNumeric":true}}],"Next":"{last}"}},{}],"Default":"{first}"}}"#,
        rules.iter().map(|rule| rule.replace(r#""Variable":"$.never","StringEquals""#, r#""Variable":"$","StringEquals""#)).collect::<Vec<_>>().join(",")
    ));
    states.push(format!(r#""{last}":{{"Type":"Pass","End":true}}"#));
    format!(r#"{{"StartAt":"{door}","States":{{{}}}}}"#, states.join(","))
}

fn state(shape: &Shape, first: &str, name: &str, next: &str, names: &mut u32) -> String {
    let resource = |names: u32| match names % 3 {
        0 => "arn:aws:states:::aws-sdk:sfn:startExecution.waitForTaskToken",
        1 => "arn:aws:states:us-east-1:111111111111:activity:work",
        _ => "arn:aws:states:::ssm:sendCommand.sync",
    };
    let caught = |catches: bool| match catches {
        true => {
            r#""Retry":[{"ErrorEquals":["States.QueryEvaluationError"],"MaxAttempts":1}],"Catch":[{"ErrorEquals":["States.ALL"],"Assign":{"NAMEe":"{% $states.errorOutput %}"},"Output":"{% $states.input %}","Next":"LAST"}],"#
        }
        false => "",
    };
    match shape {
        Shape::Assign => format!(r#"{{"Type":"Pass","Assign":{{"{name}v.$":"$","{name}n":[1]}},"Next":"{next}"}}"#),
        Shape::Query => format!(
            r#"{{"QueryLanguage":"JSONata","Type":"Pass","Assign":{{"{name}w":"{{% $exists(${name}v) ? ${name}v : $states.context.State.Name %}}"}},"Output":"{{% $states.input.i = 2 ? $gone : $states.input %}}","Next":"{next}"}}"#
        ),
        Shape::QueryTask { catches } => format!(
            r#"{{"QueryLanguage":"JSONata","Type":"Task","Resource":"{}",{}"Arguments":"{{% $states.input %}}","Assign":{{"{name}r":"{{% $states.result.r %}}"}},"Output":"{{% $states.result.r % 3 = 0 ? $gone : $states.input %}}","Next":"{next}"}}"#,
            resource(*names),
            caught(*catches).replace("NAME", name)
        ),
        Shape::QueryMap { processor, catches } => format!(
            r#"{{"QueryLanguage":"JSONata","Type":"Map",{}"Items":"{{% $states.context.Execution.Input.items %}}","ItemSelector":{{"i":"{{% $states.context.Map.Item.Index %}}"}},"Assign":{{"{name}c":"{{% $count($states.result) %}}"}},"Output":"{{% $states.input %}}","ItemProcessor":{},"Next":"{next}"}}"#,
            caught(*catches).replace("NAME", name),
            block(processor, names)
        ),
        Shape::Pass => format!(r#"{{"Type":"Pass","Next":"{next}"}}"#),
        Shape::Wait(seconds) => format!(r#"{{"Type":"Wait","Seconds":{seconds},"Next":"{next}"}}"#),
        Shape::Succeed => r#"{"Type":"Succeed"}"#.to_owned(),
        Shape::Fail => r#"{"Type":"Fail","Error":"E","Cause":"c"}"#.to_owned(),
        Shape::Task { handlers } => {
            format!(
                r#"{{"Type":"Task","Resource":"{}",{handlers}"ResultPath":null,"Next":"{next}"}}"#,
                resource(*names)
            )
        }
        Shape::Choice => format!(
            r#"{{"Type":"Choice","Choices":[{{"Variable":"$.again","IsPresent":true,"Next":"{first}"}}],"Default":"{next}"}}"#
        ),
        Shape::Parallel { branches, handlers } => {
            let branches: Vec<String> = branches.iter().map(|branch| block(branch, names)).collect();
            format!(
                r#"{{"Type":"Parallel",{handlers}"ResultPath":null,"Branches":[{}],"Next":"{next}"}}"#,
                branches.join(",")
            )
        }
        Shape::Distributed { handlers } => {
            *names += 1;
            format!(
                r#"{{"Type":"Map",{handlers}"InputPath":"$$.Execution.Input.items","ResultPath":null,"ItemProcessor":{{"ProcessorConfig":{{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"}},"StartAt":"I{names}","States":{{"I{names}":{{"Type":"Pass","End":true}}}}}},"Next":"{next}"}}"#
            )
        }
        Shape::Map { processor, concurrency, handlers } => format!(
            r#"{{"Type":"Map",{handlers}"MaxConcurrency":{concurrency},"Parameters":{{"i.$":"$$.Map.Item.Index","again.$":"$$.Execution.Input.items"}},"InputPath":"$$.Execution.Input.items","ResultPath":null,"ItemProcessor":{},"Next":"{next}"}}"#,
            block(processor, names)
        ),
    }
}

fn command() -> impl Strategy<Value = String> {
    // Small numbers, so that most of them name something.
    let number = 0..12u8;
    prop_oneof![
        4 => number.clone().prop_map(|n| format!("ok {n} {{\"r\":{n}}}")),
        3 => number.clone().prop_map(|n| format!("fail {n} E why")),
        1 => number.clone().prop_map(|n| format!("fail {n} Agent.Indeterminate who knows")),
        2 => number.clone().prop_map(|n| format!("submit {n} {{}}")),
        2 => number.clone().prop_map(|n| format!("beat {n}")),
        1 => number.clone().prop_map(|n| format!("job {n} {{}}")),
        3 => number.clone().prop_map(|n| format!("take {n} w")),
        2 => number.clone().prop_map(|n| format!("answer {n} {{}}")),
        1 => number.clone().prop_map(|n| format!("deny {n} E why")),
        2 => number.clone().prop_map(|n| format!("ended {n} ok [{n}]")),
        1 => number.clone().prop_map(|n| format!("ended {n} E why")),
        1 => number.clone().prop_map(|n| format!("ended {n} large")),
        5 => number.prop_map(|n| format!("fire {n}")),
        1 => Just("stop".to_owned()),
        3 => Just("redrive".to_owned()),
    ]
}

fn outcome() -> impl Strategy<Value = String> {
    let number = 0..12u8;
    prop_oneof![
        3 => number.clone().prop_map(|n| format!("ok {n} {{\"r\":{n}}}")),
        1 => number.clone().prop_map(|n| format!("fail {n} E why")),
        1 => number.prop_map(|n| format!("submit {n} {{}}")),
    ]
}

proptest! {
    #[test]
    fn a_step_that_pauses_writes_the_same_history(
        shapes in prop::collection::vec(shape(), 1..4),
        outcomes in prop::collection::vec(outcome(), 0..20),
        items in prop_oneof![Just("[]"), Just("[1,2,3,4]"), Just("7")],
        step_states_max in 1..9u64,
    ) {
        let definition = block(&shapes, &mut 0);
        let script = format!("start {{\"items\":{items}}}\n{}", outcomes.join("\n"));
        let limits = Limits { history_events_max: 200, ..Limits::default() };
        let paused = shown(&definition, &script, Limits { step_states_max, ..limits });
        prop_assert_eq!(paused, shown(&definition, &script, limits));
    }

    #[test]
    fn any_commands_on_any_machine_keep_the_laws(
        shapes in prop::collection::vec(shape(), 1..4),
        commands in prop::collection::vec(command(), 0..30),
        items in prop_oneof![Just("[]"), Just("[1]"), Just("[1,2,3,4]"), Just("7")],
        history_events_max in prop_oneof![Just(25_000u64), Just(40), Just(12)],
        step_states_max in prop_oneof![Just(1_000u64), 1..6u64],
    ) {
        let definition = block(&shapes, &mut 0);
        let script = format!("start {{\"items\":{items}}}\n{}", commands.join("\n"));
        let limits = Limits { history_events_max, step_states_max, ..Limits::default() };
        // The same commands come to the same end.
        prop_assert_eq!(play(&definition, &script, limits), play(&definition, &script, limits));
    }
}
