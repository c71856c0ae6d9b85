//! Aliases of state machines.

use runtime::aliases::{AliasCreate, AliasUpdate, Routing, StateMachineAlias};

use super::page;
use crate::operation::{Call, Fault};
use crate::value::Input;
use crate::write::Writer;

pub(super) async fn create(mut call: Call<'_>) -> Result<(), Fault> {
    let alias = call.runtime.alias_create(call.caller, decode_create(&mut call.input)).await?;
    encode_summary(call.out, &alias);
    Ok(())
}

pub(super) async fn update(mut call: Call<'_>) -> Result<(), Fault> {
    let alias = call.runtime.alias_update(call.caller, decode_update(&mut call.input)).await?;
    call.out.time("updateDate", alias.updated);
    Ok(())
}

pub(super) async fn describe(mut call: Call<'_>) -> Result<(), Fault> {
    let alias = call.runtime.alias(call.caller, &call.input.required("stateMachineAliasArn")).await?;
    encode(call.out, &alias);
    Ok(())
}

pub(super) async fn delete(mut call: Call<'_>) -> Result<(), Fault> {
    Ok(call.runtime.alias_delete(call.caller, &call.input.required("stateMachineAliasArn")).await?)
}

pub(super) async fn list(mut call: Call<'_>) -> Result<(), Fault> {
    let page = page(&mut call.input);
    let listed = call.runtime.alias_list(call.caller, &call.input.required("stateMachineArn"), page).await?;
    call.out.list("stateMachineAliases", &listed.items, encode_summary);
    call.out.text_if("nextToken", listed.next.as_deref());
    Ok(())
}

fn decode_create(input: &mut Input<'_>) -> AliasCreate {
    AliasCreate {
        name: input.required("name"),
        description: input.text("description"),
        routing: decode_routing(input).unwrap_or_default(),
    }
}

fn decode_update(input: &mut Input<'_>) -> AliasUpdate {
    AliasUpdate {
        arn: input.required("stateMachineAliasArn"),
        description: input.text("description"),
        routing: decode_routing(input),
    }
}

/// None where nothing is given: the shape refuses a list without items.
fn decode_routing(input: &mut Input<'_>) -> Option<Vec<Routing>> {
    let items = input.inputs("routingConfiguration").into_iter().map(|mut route| Routing {
        version_arn: route.required("stateMachineVersionArn"),
        weight: route.integer("weight").and_then(|weight| u8::try_from(weight).ok()).unwrap_or_default(),
    });
    let items: Vec<Routing> = items.collect();
    (!items.is_empty()).then_some(items)
}

fn encode(out: &mut Writer, alias: &StateMachineAlias) {
    out.text("stateMachineAliasArn", &alias.arn);
    out.text("name", &alias.name);
    out.text_if("description", alias.description.as_deref());
    out.list("routingConfiguration", &alias.routing, |out, route| {
        out.text("stateMachineVersionArn", &route.version_arn);
        out.integer("weight", i64::from(route.weight));
    });
    out.time("creationDate", alias.created);
    out.time("updateDate", alias.updated);
}

fn encode_summary(out: &mut Writer, alias: &StateMachineAlias) {
    out.text("stateMachineAliasArn", &alias.arn);
    out.time("creationDate", alias.created);
}

#[cfg(test)]
mod tests {
    use base::Timestamp;
    use expect_test::{Expect, expect};

    use super::*;
    use crate::sfn::SERVICE;
    use crate::tests::{input, text, told};

    fn check_create(body: &str, expect: Expect) {
        let operation = SERVICE.operation("CreateStateMachineAlias").expect("an operation");
        let create = input(operation, body).map(|mut input| decode_create(&mut input));
        expect.assert_eq(&create.map_or_else(told, |create| format!("{create:?}")));
    }

    fn check_update(body: &str, expect: Expect) {
        let operation = SERVICE.operation("UpdateStateMachineAlias").expect("an operation");
        let update = input(operation, body).map(|mut input| decode_update(&mut input));
        expect.assert_eq(&update.map_or_else(told, |update| format!("{update:?}")));
    }

    #[test]
    fn an_alias_is_read_from_the_wire() {
        check_create(
            r#"{"name":"PROD","description":"","routingConfiguration":[{"stateMachineVersionArn":"m:1","weight":70},{"weight":30,"stateMachineVersionArn":"m:2"}]}"#,
            expect![[
                r#"AliasCreate { name: "PROD", description: Some(""), routing: [Routing { version_arn: "m:1", weight: 70 }, Routing { version_arn: "m:2", weight: 30 }] }"#
            ]],
        );
        check_update(
            r#"{"stateMachineAliasArn":"m:PROD"}"#,
            expect![[r#"AliasUpdate { arn: "m:PROD", description: None, routing: None }"#]],
        );
        check_update(
            r#"{"stateMachineAliasArn":"m:PROD","description":"d","routingConfiguration":[{"stateMachineVersionArn":"m:1","weight":100}]}"#,
            expect![[
                r#"AliasUpdate { arn: "m:PROD", description: Some("d"), routing: Some([Routing { version_arn: "m:1", weight: 100 }]) }"#
            ]],
        );
    }

    #[test]
    fn what_cannot_be_an_alias_is_refused() {
        let named = |name: &str| {
            format!(r#"{{"name":"{name}","routingConfiguration":[{{"stateMachineVersionArn":"m:1","weight":100}}]}}"#)
        };
        let operation = SERVICE.operation("CreateStateMachineAlias").expect("an operation");
        for good in ["1a", "v1.2", "-", "_1", "PROD"] {
            assert!(input(operation, &named(good)).is_ok(), "{good}");
        }
        check_create(
            &named("123"),
            expect![[
                r#"400 ValidationException: 1 validation error detected: Value '123' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$"#
            ]],
        );
        check_create(
            &named("INVALID ALIAS"),
            expect![[
                r#"400 ValidationException: 1 validation error detected: Value 'INVALID ALIAS' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$"#
            ]],
        );
        check_create(
            &named("é"),
            expect![[
                r#"400 ValidationException: 1 validation error detected: Value 'é' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$"#
            ]],
        );
        check_create(
            &named(&"A".repeat(81)),
            expect![
                "400 ValidationException: 1 validation error detected: Value 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' at 'name' failed to satisfy constraint: Member must have length less than or equal to 80"
            ],
        );
        check_create(
            &named(""),
            expect![[
                r#"400 ValidationException: 2 validation errors detected: Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1; Value '' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$"#
            ]],
        );
        check_create(
            r#"{"name":"PROD","routingConfiguration":[]}"#,
            expect![
                "400 ValidationException: 1 validation error detected: Value '[]' at 'routingConfiguration' failed to satisfy constraint: Member must have length greater than or equal to 1"
            ],
        );
        check_create(
            r#"{"name":"PROD","routingConfiguration":[{"stateMachineVersionArn":"m:1","weight":101},{"stateMachineVersionArn":"m:2","weight":-1}]}"#,
            expect![
                "400 ValidationException: 2 validation errors detected: Value '101' at 'routingConfiguration.1.member.weight' failed to satisfy constraint: Member must have value less than or equal to 100; Value '-1' at 'routingConfiguration.2.member.weight' failed to satisfy constraint: Member must have value greater than or equal to 0"
            ],
        );
        check_create(
            r#"{"name":"PROD","routingConfiguration":[{"stateMachineVersionArn":"m:1","weight":50},{"weight":30,"stateMachineVersionArn":"m:2"},{"stateMachineVersionArn":"m:3"}]}"#,
            expect![
                "400 ValidationException: 2 validation errors detected: Value '[RoutingConfigurationListItem(stateMachineVersionArn=m:1, weight=50), RoutingConfigurationListItem(stateMachineVersionArn=m:2, weight=30), RoutingConfigurationListItem(stateMachineVersionArn=m:3)]' at 'routingConfiguration' failed to satisfy constraint: Member must have length less than or equal to 2; Value null at 'routingConfiguration.3.member.weight' failed to satisfy constraint: Member must not be null"
            ],
        );
        check_create(
            "{}",
            expect![
                "400 ValidationException: 2 validation errors detected: Value null at 'name' failed to satisfy constraint: Member must not be null; Value null at 'routingConfiguration' failed to satisfy constraint: Member must not be null"
            ],
        );
    }

    #[test]
    fn an_alias_is_shown() {
        let alias = StateMachineAlias {
            arn: "m:PROD".into(),
            name: "PROD".into(),
            description: None,
            routing: vec![
                Routing { version_arn: "m:1".into(), weight: 70 },
                Routing { version_arn: "m:2".into(), weight: 30 },
            ],
            created: Timestamp(1_551_225_271_984),
            updated: Timestamp(1_551_225_272_000),
        };
        expect![[r#"{"stateMachineAliasArn":"m:PROD","name":"PROD","routingConfiguration":[{"stateMachineVersionArn":"m:1","weight":70},{"stateMachineVersionArn":"m:2","weight":30}],"creationDate":1551225271.984,"updateDate":1551225272.000}"#]].assert_eq(&text(|out| encode(out, &alias)));
        let described = StateMachineAlias { description: Some(String::new()), routing: vec![], ..alias };
        expect![[r#"{"stateMachineAliasArn":"m:PROD","name":"PROD","description":"","routingConfiguration":[],"creationDate":1551225271.984,"updateDate":1551225272.000}"#]].assert_eq(&text(|out| encode(out, &described)));
        expect![[r#"{"stateMachineAliasArn":"m:PROD","creationDate":1551225271.984}"#]]
            .assert_eq(&text(|out| encode_summary(out, &described)));
    }
}
