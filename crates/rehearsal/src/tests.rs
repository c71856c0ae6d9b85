use expect_test::{Expect as Snapshot, expect};

use crate::{Suite, judge, run};

/// Runs every case of the table against the definition, and tells what became of each.
fn check(definition: &str, table: &str, expected: Snapshot) {
    let machine = asl::parse(definition, asl::MachineKind::Standard).machine.expect("a valid definition");
    let suite = Suite::parse(table).expect("a valid table");
    let mut text = String::new();
    for machine_cases in &suite.machines {
        for case in &machine_cases.cases {
            let performance = run(&machine, &machine_cases.name, case);
            let verdict = judge(case, &performance);
            text += &format!("{}: {:?} after {} ms", case.name, performance.ending, performance.took_ms);
            verdict.iter().for_each(|mismatch| text += &format!("\n  {mismatch:?}"));
            text += "\n";
        }
    }
    expected.assert_eq(&text);
}

const NET: &str = r#"{"StartAt":"Stop","States":{
    "Stop":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Next":"Wait",
        "Retry":[{"ErrorEquals":["Busy"],"IntervalSeconds":10,"MaxAttempts":2}],
        "Catch":[{"ErrorEquals":["Gone"],"Next":"Lost"}]},
    "Wait":{"Type":"Wait","Seconds":3600,"Next":"Done"},
    "Lost":{"Type":"Fail","Error":"Lost","Cause":"it is gone"},
    "Done":{"Type":"Succeed"}}}"#;

#[test]
fn hours_pass_at_once_and_retries_are_counted() {
    check(
        NET,
        r#"{"StateMachines":{"net":{"TestCases":{
            "good":{"Stop":"Ok"},
            "busy twice":{"Input":{"a":1},"Mocks":{"Stop":"Busy"},"Expect":{"Output":{"ok":true},"Calls":{"Stop":3},"Seconds":3635,
                "Path":["Stop","Wait","Done"],"Parameters":{"Stop":{"a":1}}}},
            "gone":{"Mocks":{"Stop":{"0":{"Throw":{"Error":"Gone"}}}},"Expect":{"Error":"Lost"}},
            "wrong":{"Mocks":{"Stop":"Ok"},"Expect":{"Status":"FAILED","Output":1,"Path":["Stop"],"Calls":{"Stop":2},"Seconds":1}},
            "busy for ever":{"Mocks":{"Stop":{"0-1":{"Throw":{"Error":"Busy"}}}}}}}},
          "MockedResponses":{"Ok":{"0":{"Return":{"ok":true}}},
            "Busy":{"0-1":{"Throw":{"Error":"Busy","Cause":"c"}},"2":{"Return":{"ok":true},"After":5}}}}"#,
        expect![[r#"
            good: Succeeded(Object({"ok": Bool(true)})) after 3600000 ms
            busy twice: Succeeded(Object({"ok": Bool(true)})) after 3635000 ms
            gone: Failed(Failure { error: Some("Lost"), cause: Some("it is gone") }) after 0 ms
            wrong: Succeeded(Object({"ok": Bool(true)})) after 3600000 ms
              Status { expected: "FAILED", was: "SUCCEEDED" }
              Output { expected: Number(Number(1)), was: Some(Object({"ok": Bool(true)})) }
              Path { expected: ["Stop"], was: ["Stop", "Wait", "Done"] }
              Calls { state: "Stop", expected: 2, was: 1 }
              Seconds { expected: 1.0, was: 3600.0 }
            busy for ever: NoAnswer { state: "Stop", call: 2 } after 30000 ms
              NoAnswer { state: "Stop", call: 2 }
        "#]],
    );
}

#[test]
fn what_a_table_says_wrongly_is_told_with_its_place() {
    let wrong = |table: &str| {
        let errors = Suite::parse(table).expect_err("a table that is wrong");
        errors.iter().map(|error| format!("{} {:?}\n", error.at, error.problem)).collect::<String>()
    };
    expect![[r#"
         NotJson("Unexpected end-of-input: expected close marker for Object (start marker at [Source: (String)\"{\"; line: 1, column: 1])")
         Expected("an object")
         Missing("StateMachines")
         Empty
        /StateMachines/m/X Unknown("X")
        /StateMachines/m/TestCases/c/A NoSuchResponse("None")
        /StateMachines/m/TestCases/d/Mocks/A/x NoCallNumber("x")
        /StateMachines/m/TestCases/d/Expect/Status Expected("SUCCEEDED, FAILED or TIMED_OUT")
        /StateMachines/m/TestCases/d/Expect/Calls/A Expected("a number of calls")
        /MockedResponses/R/0 Expected("either Return or Throw")
        /MockedResponses/R/2 Overlap("2")
        /MockedResponses/R/4/Throw/Error Expected("a text")
        /MockedResponses/R/5/After Expected("a number of seconds")
    "#]].assert_eq(&[
        wrong("{"),
        wrong("[]"),
        wrong("{}"),
        wrong(r#"{"StateMachines":{}}"#),
        wrong(r#"{"StateMachines":{"m":{"TestCases":{"c":{"A":"None"},"d":{"Mocks":{"A":{"x":{"Return":1}}},"Expect":{"Status":"OK","Calls":{"A":-1}}}},"X":1}}}"#),
        wrong(r#"{"StateMachines":{"m":{"TestCases":{"c":{}}}},"MockedResponses":{"R":{"0":{},"1-3":{"Return":1},"2":{"Return":1},"4":{"Throw":{"Error":1}},"5":{"Return":1,"After":-1}}}}"#),
    ].concat());
}

#[test]
fn a_machine_that_loops_comes_to_an_end() {
    let definition = r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"},"B":{"Type":"Choice","Choices":[
        {"Variable":"$.x","IsPresent":true,"Next":"C"}],"Default":"A"},"C":{"Type":"Succeed"}}}"#;
    check(
        definition,
        r#"{"StateMachines":{"m":{"TestCases":{"c":{"Expect":{"Error":"States.Runtime"}}}}}}"#,
        expect![[r#"
            c: Failed(Failure { error: Some("States.Runtime"), cause: Some("The execution reached the maximum number of history events (25000).") }) after 0 ms
        "#]],
    );
}
