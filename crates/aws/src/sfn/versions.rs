//! Versions of state machines.

use runtime::versions::{VersionPublish, VersionSummary};

use super::page;
use crate::operation::{Call, Fault};
use crate::value::Input;
use crate::write::Writer;

pub(super) async fn publish(mut call: Call<'_>) -> Result<(), Fault> {
    let published = call.runtime.version_publish(call.caller, decode_publish(&mut call.input)).await?;
    encode_summary(call.out, &published);
    Ok(())
}

pub(super) async fn list(mut call: Call<'_>) -> Result<(), Fault> {
    let page = page(&mut call.input);
    let listed = call.runtime.version_list(call.caller, &call.input.required("stateMachineArn"), page).await?;
    call.out.list("stateMachineVersions", &listed.items, encode_summary);
    call.out.text_if("nextToken", listed.next.as_deref());
    Ok(())
}

pub(super) async fn delete(mut call: Call<'_>) -> Result<(), Fault> {
    Ok(call.runtime.version_delete(call.caller, &call.input.required("stateMachineVersionArn")).await?)
}

fn decode_publish(input: &mut Input<'_>) -> VersionPublish {
    VersionPublish {
        machine_arn: input.required("stateMachineArn"),
        revision: input.text("revisionId"),
        description: input.text("description"),
    }
}

fn encode_summary(out: &mut Writer, version: &VersionSummary) {
    out.text("stateMachineVersionArn", &version.arn);
    out.time("creationDate", version.created);
}

#[cfg(test)]
mod tests {
    use base::Timestamp;
    use expect_test::{Expect, expect};

    use super::*;
    use crate::sfn::SERVICE;
    use crate::tests::{input, text, told};

    fn check_publish(body: &str, expect: Expect) {
        let operation = SERVICE.operation("PublishStateMachineVersion").expect("an operation");
        let publish = input(operation, body).map(|mut input| decode_publish(&mut input));
        expect.assert_eq(&publish.map_or_else(told, |publish| format!("{publish:?}")));
    }

    #[test]
    fn a_wish_to_publish_is_read_from_the_wire() {
        check_publish(
            r#"{"stateMachineArn":"m","revisionId":"INITIAL","description":"first"}"#,
            expect![[r#"VersionPublish { machine_arn: "m", revision: Some("INITIAL"), description: Some("first") }"#]],
        );
        check_publish(
            r#"{"stateMachineArn":"m"}"#,
            expect![[r#"VersionPublish { machine_arn: "m", revision: None, description: None }"#]],
        );
        check_publish(
            &format!(r#"{{"description":"{}"}}"#, "d".repeat(257)),
            expect![
                "400 ValidationException: 2 validation errors detected: Value null at 'stateMachineArn' failed to satisfy constraint: Member must not be null; Value at 'description' failed to satisfy constraint: Member must have length less than or equal to 256"
            ],
        );
    }

    #[test]
    fn a_version_is_shown() {
        let version = VersionSummary { arn: "m:7".into(), created: Timestamp(1_551_225_271_984) };
        expect![[r#"{"stateMachineVersionArn":"m:7","creationDate":1551225271.984}"#]]
            .assert_eq(&text(|out| encode_summary(out, &version)));
    }
}
