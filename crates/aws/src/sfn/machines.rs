//! State machines and their tags.

use asl::MachineKind;
use base::Json;
use runtime::machines::{
    MachineStatus, Publish, StateMachine, StateMachineCreate, StateMachineSummary, StateMachineUpdate,
};

use super::{metadata_only, page};
use crate::error::Error;
use crate::operation::{Call, Fault};
use crate::value::Input;
use crate::write::Writer;

pub(super) async fn create(mut call: Call<'_>) -> Result<(), Fault> {
    let create = decode_create(&mut call.input)?;
    let machine = call.runtime.state_machine_create(call.caller, create).await?;
    call.out.text("stateMachineArn", &machine.arn);
    call.out.time("creationDate", machine.created);
    call.out.text_if("stateMachineVersionArn", machine.published.as_deref());
    Ok(())
}

pub(super) async fn update(mut call: Call<'_>) -> Result<(), Fault> {
    let update = decode_update(&mut call.input)?;
    let machine = call.runtime.state_machine_update(call.caller, update).await?;
    call.out.time("updateDate", machine.updated);
    call.out.text_if("revisionId", machine.revision.as_deref());
    call.out.text_if("stateMachineVersionArn", machine.published.as_deref());
    Ok(())
}

pub(super) async fn describe(mut call: Call<'_>) -> Result<(), Fault> {
    let machine = call.runtime.state_machine(call.caller, &call.input.required("stateMachineArn")).await?;
    encode(call.out, &machine, metadata_only(&mut call.input));
    Ok(())
}

pub(super) async fn describe_for_execution(mut call: Call<'_>) -> Result<(), Fault> {
    let machine = call.runtime.state_machine_for_execution(call.caller, &call.input.required("executionArn")).await?;
    encode_for_execution(call.out, &machine, metadata_only(&mut call.input));
    Ok(())
}

pub(super) async fn delete(mut call: Call<'_>) -> Result<(), Fault> {
    Ok(call.runtime.state_machine_delete(call.caller, &call.input.required("stateMachineArn")).await?)
}

pub(super) async fn list(mut call: Call<'_>) -> Result<(), Fault> {
    let listed = call.runtime.state_machine_list(call.caller, page(&mut call.input)).await?;
    call.out.list("stateMachines", &listed.items, encode_summary);
    call.out.text_if("nextToken", listed.next.as_deref());
    Ok(())
}

pub(super) async fn tags(mut call: Call<'_>) -> Result<(), Fault> {
    let tags = call.runtime.tags(call.caller, &call.input.required("resourceArn")).await?;
    call.out.list("tags", &tags, |out, (key, value)| {
        out.text("key", key);
        out.text("value", value);
    });
    Ok(())
}

pub(super) async fn tag(mut call: Call<'_>) -> Result<(), Fault> {
    let tags = decode_tags(&mut call.input);
    Ok(call.runtime.tag(call.caller, &call.input.required("resourceArn"), tags).await?)
}

pub(super) async fn untag(mut call: Call<'_>) -> Result<(), Fault> {
    let keys = call.input.texts("tagKeys").unwrap_or_default();
    Ok(call.runtime.untag(call.caller, &call.input.required("resourceArn"), keys).await?)
}

fn decode_create(input: &mut Input<'_>) -> Result<StateMachineCreate, Error> {
    Ok(StateMachineCreate {
        publish: decode_publish(input)?,
        name: input.required("name"),
        definition: input.required("definition"),
        role_arn: input.required("roleArn"),
        kind: kind(input.text("type").as_deref()),
        logging: input.json("loggingConfiguration"),
        tracing: input.json("tracingConfiguration"),
        encryption: input.json("encryptionConfiguration"),
        tags: decode_tags(input),
    })
}

fn decode_update(input: &mut Input<'_>) -> Result<StateMachineUpdate, Error> {
    Ok(StateMachineUpdate {
        publish: decode_publish(input)?,
        arn: input.required("stateMachineArn"),
        definition: input.text("definition"),
        role_arn: input.text("roleArn"),
        logging: input.json("loggingConfiguration"),
        tracing: input.json("tracingConfiguration"),
        encryption: input.json("encryptionConfiguration"),
    })
}

fn decode_publish(input: &mut Input<'_>) -> Result<Option<Publish>, Error> {
    match (input.boolean("publish").unwrap_or(false), input.text("versionDescription")) {
        (true, description) => Ok(Some(Publish { description })),
        (false, Some(_)) => Err(Error::validation("Version description can only be set when publish is true")),
        (false, None) => Ok(None),
    }
}

pub(super) fn decode_tags(input: &mut Input<'_>) -> Vec<(String, String)> {
    let tags = input.inputs("tags").into_iter();
    tags.map(|mut tag| (tag.required("key"), tag.text("value").unwrap_or_default())).collect()
}

fn kind(text: Option<&str>) -> MachineKind {
    match text {
        Some("EXPRESS") => MachineKind::Express,
        _ => MachineKind::Standard,
    }
}

fn kind_name(kind: MachineKind) -> &'static str {
    match kind {
        MachineKind::Standard => "STANDARD",
        MachineKind::Express => "EXPRESS",
    }
}

fn status_name(status: MachineStatus) -> &'static str {
    match status {
        MachineStatus::Active => "ACTIVE",
        MachineStatus::Deleting => "DELETING",
    }
}

fn encode(out: &mut Writer, machine: &StateMachine, metadata_only: bool) {
    out.text("stateMachineArn", &machine.arn);
    out.text("name", &machine.name);
    out.text("status", status_name(machine.status));
    out.text("definition", definition(machine, metadata_only));
    out.text("roleArn", &machine.role_arn);
    out.text("type", kind_name(machine.kind));
    out.time("creationDate", machine.created);
    encode_configurations(out, machine);
    out.text_if("label", machine.label.as_deref());
    out.text_if("revisionId", machine.revision.as_deref());
    out.text_if("description", machine.description.as_deref());
    if !metadata_only {
        encode_references(out, machine);
    }
}

fn encode_for_execution(out: &mut Writer, machine: &StateMachine, metadata_only: bool) {
    out.text("stateMachineArn", &machine.arn);
    out.text("name", &machine.name);
    out.text("definition", definition(machine, metadata_only));
    out.text("roleArn", &machine.role_arn);
    out.time("updateDate", machine.updated);
    encode_configurations(out, machine);
    out.text_if("mapRunArn", machine.map_run_arn.as_deref());
    out.text_if("label", machine.label.as_deref());
    out.text_if("revisionId", machine.revision.as_deref());
    if !metadata_only {
        encode_references(out, machine);
    }
}

/// "If called with `includedData = METADATA_ONLY`, the returned definition will be `{}`" (`DescribeStateMachine`). Clients in
/// typed languages count on a definition.
fn definition(machine: &StateMachine, metadata_only: bool) -> &str {
    if metadata_only { "{}" } else { &machine.definition }
}

fn encode_references(out: &mut Writer, machine: &StateMachine) {
    if !machine.variable_references.is_empty() {
        let references = machine.variable_references.iter();
        out.map(
            "variableReferences",
            references.map(|(state, variables)| (&**state, variables.iter().map(|variable| &**variable))),
        );
    }
}

/// As they came, and with AWS's defaults for what was not said.
fn encode_configurations(out: &mut Writer, machine: &StateMachine) {
    let given = |json: &Option<Json>, key: &str| json.as_ref().and_then(|json| json.get(key)).cloned();
    out.object("loggingConfiguration", |out| {
        out.structure("level", &given(&machine.logging, "level").unwrap_or_else(|| "OFF".into()));
        out.structure(
            "includeExecutionData",
            &given(&machine.logging, "includeExecutionData").unwrap_or(Json::Bool(false)),
        );
        if let Some(destinations) = given(&machine.logging, "destinations") {
            out.structure("destinations", &destinations);
        }
    });
    out.object("tracingConfiguration", |out| {
        out.structure("enabled", &given(&machine.tracing, "enabled").unwrap_or(Json::Bool(false)))
    });
    out.object("encryptionConfiguration", |out| {
        let kind = given(&machine.encryption, "type").unwrap_or_else(|| OWN_KEY.into());
        let customers = kind.as_str() != Some(OWN_KEY);
        if let Some(key) = given(&machine.encryption, "kmsKeyId") {
            out.structure("kmsKeyId", &key);
        }
        let period = given(&machine.encryption, "kmsDataKeyReusePeriodSeconds");
        if let Some(period) = period.or_else(|| customers.then(|| KEY_REUSE_SECONDS.into())) {
            out.structure("kmsDataKeyReusePeriodSeconds", &period);
        }
        out.structure("type", &kind);
    });
}

const OWN_KEY: &str = "AWS_OWNED_KEY";

/// `EncryptionConfiguration`, kmsDataKeyReusePeriodSeconds.
const KEY_REUSE_SECONDS: i64 = 300;

fn encode_summary(out: &mut Writer, machine: &StateMachineSummary) {
    out.text("stateMachineArn", &machine.arn);
    out.text("name", &machine.name);
    out.text("type", kind_name(machine.kind));
    out.time("creationDate", machine.created);
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use base::Timestamp;
    use expect_test::{Expect, expect};

    use super::*;
    use crate::sfn::SERVICE;
    use crate::shape;
    use crate::tests::{input, text, told};

    fn check_create(body: &str, expect: Expect) {
        let operation = SERVICE.operation("CreateStateMachine").expect("an operation");
        let create = input(operation, body).and_then(|mut input| decode_create(&mut input));
        expect.assert_eq(&create.map_or_else(told, |create| format!("{create:?}")));
    }

    #[test]
    fn a_machine_is_read_from_the_wire() {
        check_create(
            r#"{"name":"night","definition":"{\"StartAt\":\"A\"}","roleArn":"arn:aws:iam::111111111111:role/r","type":"EXPRESS","tags":[{"key":"team","value":"web"},{"key":"empty"}],"loggingConfiguration":{"level":"OFF","destinations":[]},"publish":true,"versionDescription":"first","tracingConfiguration":null}"#,
            expect![[
                r#"StateMachineCreate { name: "night", definition: "{\"StartAt\":\"A\"}", role_arn: "arn:aws:iam::111111111111:role/r", kind: Express, logging: Some(Object({"level": String("OFF"), "destinations": Array([])})), tracing: None, encryption: None, tags: [("team", "web"), ("empty", "")], publish: Some(Publish { description: Some("first") }) }"#
            ]],
        );
    }

    #[test]
    fn what_cannot_be_a_machine_is_refused() {
        let with = |rest: &str| format!(r#"{{"name":"night","definition":"{{}}","roleArn":"r",{rest}}}"#);
        check_create(
            &with(r#""versionDescription":"first""#),
            expect!["400 ValidationException: Version description can only be set when publish is true"],
        );
        check_create(
            &with(r#""encryptionConfiguration":{"kmsDataKeyReusePeriodSeconds":1}"#),
            expect![
                "400 ValidationException: 2 validation errors detected: Value '1' at 'encryptionConfiguration.kmsDataKeyReusePeriodSeconds' failed to satisfy constraint: Member must have value greater than or equal to 60; Value null at 'encryptionConfiguration.type' failed to satisfy constraint: Member must not be null"
            ],
        );
        check_create(
            r#"{"name":"night"}"#,
            expect![
                "400 ValidationException: 2 validation errors detected: Value null at 'definition' failed to satisfy constraint: Member must not be null; Value null at 'roleArn' failed to satisfy constraint: Member must not be null"
            ],
        );
    }

    #[test]
    fn every_operation_of_the_api_is_known() {
        assert_eq!(SERVICE.operations.len() + SERVICE.later.len(), 37);
        assert_eq!(
            told(SERVICE.operation("Nonsense").expect_err("unknown")),
            "400 UnknownOperationException: The operation Nonsense is not known"
        );
        assert!(shape::check(SERVICE.operations[0].input, &Vec::new()).is_err());
    }

    fn machine() -> StateMachine {
        StateMachine {
            arn: "arn:aws:states:us-east-1:111111111111:stateMachine:night".into(),
            name: "night".into(),
            status: MachineStatus::Active,
            definition: "{ }".into(),
            role_arn: "arn:aws:iam::111111111111:role/r".into(),
            kind: MachineKind::Standard,
            logging: None,
            tracing: None,
            encryption: None,
            created: Timestamp(1_551_225_271_984),
            updated: Timestamp(1_551_225_272_000),
            revision: None,
            description: None,
            published: None,
            label: None,
            map_run_arn: None,
            variable_references: BTreeMap::from([("A".into(), BTreeSet::from(["x".into(), "y".into()]))]),
        }
    }

    #[test]
    fn a_machine_is_shown_with_awss_defaults() {
        expect![[r#"{"stateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:night","name":"night","status":"ACTIVE","definition":"{ }","roleArn":"arn:aws:iam::111111111111:role/r","type":"STANDARD","creationDate":1551225271.984,"loggingConfiguration":{"level":"OFF","includeExecutionData":false},"tracingConfiguration":{"enabled":false},"encryptionConfiguration":{"type":"AWS_OWNED_KEY"},"variableReferences":{"A":["x","y"]}}"#]]
            .assert_eq(&text(|out| encode(out, &machine(), false)));
        let logging =
            Json::parse(r#"{"level":"ALL","destinations":[{"cloudWatchLogsLogGroup":{"logGroupArn":"a:*"}}]}"#)
                .expect("JSON");
        let version = StateMachine {
            arn: "arn:aws:states:us-east-1:111111111111:stateMachine:night:7".into(),
            status: MachineStatus::Deleting,
            encryption: Some(Json::parse(r#"{"type":"CUSTOMER_MANAGED_KMS_KEY","kmsKeyId":"k"}"#).expect("JSON")),
            revision: Some("r1".into()),
            description: Some("first".into()),
            label: Some("each".into()),
            map_run_arn: None,
            ..machine()
        };
        expect![[r#"{"stateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:night:7","name":"night","status":"DELETING","definition":"{}","roleArn":"arn:aws:iam::111111111111:role/r","type":"STANDARD","creationDate":1551225271.984,"loggingConfiguration":{"level":"OFF","includeExecutionData":false},"tracingConfiguration":{"enabled":false},"encryptionConfiguration":{"kmsKeyId":"k","kmsDataKeyReusePeriodSeconds":300,"type":"CUSTOMER_MANAGED_KMS_KEY"},"label":"each","revisionId":"r1","description":"first"}"#]].assert_eq(&text(|out| encode(out, &version, true)));
        let updated = StateMachine { logging: Some(logging), revision: Some("r1".into()), ..machine() };
        expect![[r#"{"stateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:night","name":"night","definition":"{}","roleArn":"arn:aws:iam::111111111111:role/r","updateDate":1551225272.000,"loggingConfiguration":{"level":"ALL","includeExecutionData":false,"destinations":[{"cloudWatchLogsLogGroup":{"logGroupArn":"a:*"}}]},"tracingConfiguration":{"enabled":false},"encryptionConfiguration":{"type":"AWS_OWNED_KEY"},"revisionId":"r1"}"#]]
            .assert_eq(&text(|out| encode_for_execution(out, &updated, true)));
    }
}
