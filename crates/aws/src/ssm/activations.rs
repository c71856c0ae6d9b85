//! Hybrid activations: with which hosts become managed instances.

use base::Timestamp;
use runtime::activations::{Activation, ActivationCreate, ActivationFilter, ActivationKey};

use super::page;
use crate::operation::{Call, Fault};
use crate::value::Input;
use crate::write::Writer;

pub(super) async fn create(mut call: Call<'_>) -> Result<(), Fault> {
    let wanted = decode(&mut call.input);
    let created = call.runtime.activation_create(call.caller, wanted).await?;
    call.out.text("ActivationId", &created.activation_id);
    call.out.text("ActivationCode", &created.code);
    Ok(())
}

pub(super) async fn describe(mut call: Call<'_>) -> Result<(), Fault> {
    let by = call.input.inputs("Filters").into_iter().filter_map(|mut filter| {
        let key = match filter.text("FilterKey").as_deref() {
            Some("ActivationIds") => ActivationKey::ActivationIds,
            Some("DefaultInstanceName") => ActivationKey::DefaultInstanceName,
            Some("IamRole") => ActivationKey::IamRole,
            // The request fits its shape: one without a key filters nothing.
            _ => return None,
        };
        Some((key, filter.texts("FilterValues").unwrap_or_default()))
    });
    let filter = ActivationFilter { by: by.collect() };
    let page = page(&mut call.input);
    let found = call.runtime.activation_list(call.caller, filter, page).await?;
    call.out.list("ActivationList", &found.items, encode);
    call.out.text_if("NextToken", found.next.as_deref());
    Ok(())
}

pub(super) async fn delete(mut call: Call<'_>) -> Result<(), Fault> {
    let activation_id = call.input.required("ActivationId");
    Ok(call.runtime.activation_delete(call.caller, &activation_id).await?)
}

fn decode(input: &mut Input<'_>) -> ActivationCreate {
    let mut pairs = |name: &str| -> Vec<(String, String)> {
        input.inputs(name).into_iter().map(|mut pair| (pair.required("Key"), pair.required("Value"))).collect()
    };
    let (tags, metadata) = (pairs("Tags"), pairs("RegistrationMetadata"));
    ActivationCreate {
        iam_role: input.required("IamRole"),
        description: input.text("Description"),
        default_instance_name: input.text("DefaultInstanceName"),
        registration_limit: input.integer("RegistrationLimit").and_then(|limit| u32::try_from(limit).ok()),
        expires: input.integer("ExpirationDate").map(|seconds| Timestamp(seconds.saturating_mul(1_000))),
        tags,
        metadata,
    }
}

fn encode(out: &mut Writer, activation: &Activation) {
    out.text("ActivationId", &activation.activation_id);
    out.text_if("Description", activation.description.as_deref());
    out.text_if("DefaultInstanceName", activation.default_instance_name.as_deref());
    out.text("IamRole", &activation.iam_role);
    out.integer("RegistrationLimit", i64::from(activation.registration_limit));
    out.integer("RegistrationsCount", i64::from(activation.registrations));
    out.time("ExpirationDate", activation.expires);
    out.boolean("Expired", activation.expired);
    out.time("CreatedDate", activation.created);
    out.list("Tags", &activation.tags, |out, (key, value)| {
        out.text("Key", key);
        out.text("Value", value);
    });
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::ssm::SERVICE;
    use crate::tests::{input, text, told};

    #[test]
    fn an_activation_is_asked_for() {
        let read = |body: &str| {
            let operation = SERVICE.operation("CreateActivation").expect("an operation");
            input(operation, body).map_or_else(told, |mut input| format!("{:?}", decode(&mut input)))
        };
        expect![[r#"ActivationCreate { iam_role: "service-role/ssm", description: None, default_instance_name: Some("夜間 web-1"), registration_limit: Some(10), expires: Some(Timestamp(1795402800000)), tags: [("Role", "web")], metadata: [("k", "v")] }"#]].assert_eq(&read(
            r#"{"IamRole":"service-role/ssm","RegistrationLimit":10,"ExpirationDate":1795402800.5,"DefaultInstanceName":"夜間 web-1","Tags":[{"Key":"Role","Value":"web"}],"RegistrationMetadata":[{"Key":"k","Value":"v"}]}"#,
        ));
        expect![[r#"400 ValidationException: 3 validation errors detected: Value 'a*b' at 'defaultInstanceName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$; Value null at 'iamRole' failed to satisfy constraint: Member must not be null; Value '1001' at 'registrationLimit' failed to satisfy constraint: Member must have value less than or equal to 1000"#]].assert_eq(&read(r#"{"RegistrationLimit":1001,"DefaultInstanceName":"a*b"}"#));
    }

    #[test]
    fn an_activation_is_shown() {
        let activation = Activation {
            activation_id: "0d3a0b3e-0000-4000-8000-000000000001".into(),
            iam_role: "r".into(),
            description: None,
            default_instance_name: Some("web".into()),
            registration_limit: 3,
            registrations: 1,
            expires: Timestamp(1_551_225_271_984),
            expired: true,
            created: Timestamp(1_551_225_271_000),
            tags: vec![("Role".into(), "web".into())],
        };
        expect![[r#"{"ActivationId":"0d3a0b3e-0000-4000-8000-000000000001","DefaultInstanceName":"web","IamRole":"r","RegistrationLimit":3,"RegistrationsCount":1,"ExpirationDate":1551225271.984,"Expired":true,"CreatedDate":1551225271.000,"Tags":[{"Key":"Role","Value":"web"}]}"#]].assert_eq(&text(|out| encode(out, &activation)));
    }
}
