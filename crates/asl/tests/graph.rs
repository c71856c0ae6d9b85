//! How states hang together, and where findings stand in the text.

use asl::{Machine, MachineKind, locate};
use expect_test::{Expect, expect};

const NET: &str = r#"{"StartAt":"Pick","States":{
  "Pick":{"Type":"Choice","Choices":[{"Variable":"$.a","IsNull":true,"Next":"Fan"},{"Variable":"$.b","IsNull":true,"Next":"Each"}],"Default":"Fan"},
  "Fan":{"Type":"Parallel","Next":"Each","Catch":[{"ErrorEquals":["States.ALL"],"Next":"Done"}],"Branches":[
    {"StartAt":"B0","States":{"B0":{"Type":"Succeed"}}},
    {"StartAt":"B1","States":{"B1":{"Type":"Map","End":true,"Iterator":{"StartAt":"I","States":{"I":{"Type":"Pass","End":true}}}}}}]},
  "Each":{"Type":"Map","Next":"Done","ItemProcessor":{"StartAt":"J","States":{"J":{"Type":"Pass","End":true}}}},
  "Done":{"Type":"Succeed"}}}"#;

fn net() -> Machine {
    asl::parse(NET, MachineKind::Standard).machine.expect("valid")
}

#[test]
fn every_state_has_its_block_and_its_ways() {
    let machine = net();
    let line = |(block, state): (asl::BlockId, &asl::State)| {
        let ways: Vec<String> = state.ways().iter().map(|way| format!("{} by {:?}", way.to, way.via)).collect();
        format!("{}/States/{} -> {}", machine.block(block).location, state.name, ways.join(", "))
    };
    let lines: Vec<String> = machine.states().map(line).collect();
    expect![[r#"
        /States/Done -> 
        /States/Each -> Done by Next
        /States/Fan -> Each by Next, Done by Catch(0)
        /States/Pick -> Fan by Rule(0), Each by Rule(1), Fan by Default
        /States/Fan/Branches[0]/States/B0 -> 
        /States/Fan/Branches[1]/States/B1 -> 
        /States/Fan/Branches[1]/States/B1/Iterator/States/I -> 
        /States/Each/ItemProcessor/States/J -> "#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn every_state_knows_what_leads_to_it() {
    let machine = net();
    let predecessors = machine.block(Machine::ROOT).predecessors();
    let lines: Vec<String> = predecessors.iter().map(|(name, from)| format!("{name} <- {from:?}")).collect();
    expect![[r#"
        Done <- [("Each", Next), ("Fan", Catch(0))]
        Each <- [("Fan", Next), ("Pick", Rule(1))]
        Fan <- [("Pick", Rule(0)), ("Pick", Default)]"#]]
    .assert_eq(&lines.join("\n"));
}

/// The findings of a text, each where it stands.
fn check(text: &str, expected: Expect) {
    let diagnostics = asl::parse(text, MachineKind::Standard).diagnostics;
    let places = locate(text, &diagnostics);
    let line = |(found, place): (&asl::Diagnostic, &asl::Place)| {
        let rest: String =
            text.lines().nth(place.line - 1).unwrap_or_default().chars().skip(place.column - 1).take(12).collect();
        format!("{}:{} {rest} | {}", place.line, place.column, found.location.as_deref().unwrap_or("none"))
    };
    let lines: Vec<String> = diagnostics.iter().zip(&places).map(line).collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn a_finding_has_a_line_and_a_column() {
    check(
        "{\n  \"StartAt\": \"日本\",\n  \"States\": {\n    \"日本\": {\"Type\": \"Choice\", \"Choices\": [\n      {\"Next\": \"A\"}, 1\n    ]},\n    \"A\": {\"Type\": \"Pass\", \"Next\": \"B\"}, \"A\": {\"Type\": \"Pass\", \"Next\": \"B\"}\n  }\n}",
        expect![[r#"
            7:41 "A": {"Type" | /States/A
            5:7 {"Next": "A" | /States/日本/Choices[0]
            5:22 1 | /States/日本/Choices[1]
            7:63 "Next": "B"} | /States/A/Next"#]],
    );
    check("{}", expect!["1:1 {} | /"]);
    check(
        "{\n \"a\": nul}",
        expect![[r#"
        2:10 } | [Source: (String)"{
         "a": nul}"; line: 2, column: 10]"#]],
    );
    check("", expect!["1:1  | none"]);
}

#[test]
fn odd_keys_have_places_too() {
    check(
        r#"{"StartAt":"a/b[0]","States":{"a/b[0]":{"Type":"Pass","Next":"x"},"q\"\\":{"Type":"None"},"a":{"Comment":",{[\"","b[0]":1,"Type":"Wait"}}}"#,
        expect![[r#"
            1:55 "Next":"x"}, | /States/a/b[0]/Next
            1:76 "Type":"None | /States/q"\/Type
            1:91 "a":{"Commen | /States/a
            1:91 "a":{"Commen | /States/a
            1:91 "a":{"Commen | /States/a"#]],
    );
}
