//! Parameter Store.

use base::Secret;
use runtime::Page;
use runtime::parameters::{
    Decryption, Depth, Existing, Parameter, ParameterFilter, ParameterMetadata, ParameterPolicy, ParameterPut,
    ParameterType, ParameterVersion, ParametersByPath, Tier, TierWish,
};

use super::page;
use crate::error::Error;
use crate::operation::{Call, Fault, Operation};
use crate::shape::{ANY_TEXT, Shape, list, optional, pattern, required, sensitive, text};
use crate::value::Input;
use crate::write::Writer;

pub(super) const PUT: Operation = Operation {
    name: "PutParameter",
    input: &[
        required("Name", NAME),
        optional("Description", text(0, 1024)),
        required("Value", sensitive(1, usize::MAX)),
        optional("Type", Shape::Enum(&["String", "StringList", "SecureString"])),
        optional("KeyId", pattern(1, 256, "^([a-zA-Z0-9:/_-]+)$", is_key_id)),
        optional("Overwrite", Shape::Boolean),
        optional("AllowedPattern", text(0, 1024)),
        optional("Tags", TAGS),
        optional("Tier", Shape::Enum(&["Standard", "Advanced", "Intelligent-Tiering"])),
        optional("Policies", text(1, 4096)),
        optional("DataType", text(0, 128)),
    ],
    run: |call| Box::pin(put(call)),
};

pub(super) const GET: Operation = Operation {
    name: "GetParameter",
    input: &[required("Name", NAME), optional("WithDecryption", Shape::Boolean)],
    run: |call| Box::pin(get(call)),
};

pub(super) const GET_MANY: Operation = Operation {
    name: "GetParameters",
    input: &[required("Names", NAMES), optional("WithDecryption", Shape::Boolean)],
    run: |call| Box::pin(get_many(call)),
};

pub(super) const GET_BY_PATH: Operation = Operation {
    name: "GetParametersByPath",
    input: &[
        required("Path", NAME),
        optional("Recursive", Shape::Boolean),
        optional("ParameterFilters", FILTERS),
        optional("WithDecryption", Shape::Boolean),
        optional("MaxResults", Shape::Integer { min: 1, max: PATH_PAGE_MAX }),
        optional("NextToken", ANY_TEXT),
    ],
    run: |call| Box::pin(get_by_path(call)),
};

pub(super) const DELETE: Operation =
    Operation { name: "DeleteParameter", input: &[required("Name", NAME)], run: |call| Box::pin(delete(call)) };

pub(super) const DELETE_MANY: Operation =
    Operation { name: "DeleteParameters", input: &[required("Names", NAMES)], run: |call| Box::pin(delete_many(call)) };

pub(super) const DESCRIBE: Operation = Operation {
    name: "DescribeParameters",
    input: &[
        optional("Filters", list(&OLD_FILTER, 0, usize::MAX)),
        optional("ParameterFilters", FILTERS),
        optional("MaxResults", Shape::Integer { min: 1, max: 50 }),
        optional("NextToken", ANY_TEXT),
        optional("Shared", Shape::Boolean),
    ],
    run: |call| Box::pin(describe(call)),
};

pub(super) const HISTORY: Operation = Operation {
    name: "GetParameterHistory",
    input: &[
        required("Name", NAME),
        optional("WithDecryption", Shape::Boolean),
        optional("MaxResults", Shape::Integer { min: 1, max: 50 }),
        optional("NextToken", ANY_TEXT),
    ],
    run: |call| Box::pin(history(call)),
};

pub(super) const LABEL: Operation = Operation {
    name: "LabelParameterVersion",
    input: &[required("Name", NAME), optional("ParameterVersion", VERSION), required("Labels", LABELS)],
    run: |call| Box::pin(label(call)),
};

pub(super) const UNLABEL: Operation = Operation {
    name: "UnlabelParameterVersion",
    input: &[required("Name", NAME), required("ParameterVersion", VERSION), required("Labels", LABELS)],
    run: |call| Box::pin(unlabel(call)),
};

const NAME: Shape = text(1, 2048);
const NAMES: Shape = list(&NAME, 1, 10);
const VERSION: Shape = Shape::Integer { min: i64::MIN, max: i64::MAX };
const LABELS: Shape = list(&text(1, 100), 1, 10);
const TAG: Shape = Shape::Record {
    name: "Tag",
    members: &[required("Key", TAG_KEY), required("Value", pattern(0, 256, TAGGABLE, is_taggable))],
};
pub(super) const TAGS: Shape = list(&TAG, 0, 1000);
pub(super) const TAG_KEY: Shape = pattern(1, 128, TAGGABLE, is_taggable);
const TAGGABLE: &str = r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$";
const FILTERS: Shape = list(&FILTER, 0, usize::MAX);
const FILTER: Shape = Shape::Structure(&[
    required("Key", pattern(1, 132, "tag:.+|Name|Type|KeyId|Path|Label|Tier|DataType", is_filter_key)),
    optional("Option", text(1, 10)),
    optional("Values", list(&text(1, 1024), 1, 50)),
]);
const OLD_FILTER: Shape = Shape::Structure(&[
    required("Key", Shape::Enum(&["Name", "Type", "KeyId"])),
    required("Values", list(&text(1, 1024), 1, 50)),
]);

const PATH_PAGE_MAX: i64 = 10;

async fn put(mut call: Call<'_>) -> Result<(), Fault> {
    let (version, tier) = call.runtime.parameter_put(call.caller, decode_put(&mut call.input)).await?;
    call.out.integer("Version", number(version));
    call.out.text("Tier", tier.name());
    Ok(())
}

async fn get(mut call: Call<'_>) -> Result<(), Fault> {
    let decryption = decryption(&mut call.input);
    let parameter = call.runtime.parameter(call.caller, &call.input.required("Name"), decryption).await?;
    call.out.object("Parameter", |out| encode(out, &parameter));
    Ok(())
}

async fn get_many(mut call: Call<'_>) -> Result<(), Fault> {
    let (names, decryption) = (call.input.texts("Names").unwrap_or_default(), decryption(&mut call.input));
    let found = call.runtime.parameters(call.caller, &names, decryption).await?;
    call.out.list("Parameters", &found.valid, encode);
    call.out.texts("InvalidParameters", found.invalid.iter().map(String::as_str));
    Ok(())
}

async fn get_by_path(mut call: Call<'_>) -> Result<(), Fault> {
    let by_path = ParametersByPath {
        path: call.input.required("Path"),
        depth: if call.input.boolean("Recursive") == Some(true) { Depth::Recursive } else { Depth::OneLevel },
        filters: filters(&mut call.input, "ParameterFilters"),
        decryption: decryption(&mut call.input),
    };
    let Page { limit, token } = page(&mut call.input);
    let page = Page { limit: limit.min(PATH_PAGE_MAX as u32), token };
    let found = call.runtime.parameters_by_path(call.caller, by_path, page).await?;
    call.out.list("Parameters", &found.items, encode);
    call.out.text_if("NextToken", found.next.as_deref());
    Ok(())
}

async fn delete(mut call: Call<'_>) -> Result<(), Fault> {
    Ok(call.runtime.parameter_delete(call.caller, &call.input.required("Name")).await?)
}

async fn delete_many(mut call: Call<'_>) -> Result<(), Fault> {
    let names = call.input.texts("Names").unwrap_or_default();
    let deleted = call.runtime.parameters_delete(call.caller, &names).await?;
    call.out.texts("DeletedParameters", deleted.valid.iter().map(String::as_str));
    call.out.texts("InvalidParameters", deleted.invalid.iter().map(String::as_str));
    Ok(())
}

async fn describe(mut call: Call<'_>) -> Result<(), Fault> {
    let (old, new) = (filters(&mut call.input, "Filters"), filters(&mut call.input, "ParameterFilters"));
    if !old.is_empty() && !new.is_empty() {
        return Err(Error::validation("You can use either Filters or ParameterFilters in a single request.").into());
    }
    let page = page(&mut call.input);
    // No other account shares any.
    if call.input.boolean("Shared") == Some(true) {
        call.out.list("Parameters", [], |_, ()| {});
        return Ok(());
    }
    let found = call.runtime.parameter_list(call.caller, [old, new].concat(), page).await?;
    call.out.list("Parameters", &found.items, encode_metadata);
    call.out.text_if("NextToken", found.next.as_deref());
    Ok(())
}

async fn history(mut call: Call<'_>) -> Result<(), Fault> {
    let (decryption, page) = (decryption(&mut call.input), page(&mut call.input));
    let name = call.input.required("Name");
    let found = call.runtime.parameter_history(call.caller, &name, decryption, page).await?;
    call.out.list("Parameters", &found.items, encode_version);
    call.out.text_if("NextToken", found.next.as_deref());
    Ok(())
}

async fn label(mut call: Call<'_>) -> Result<(), Fault> {
    let (name, version) = (call.input.required("Name"), version(&mut call.input));
    let labels = call.input.texts("Labels").unwrap_or_default();
    let labelled = call.runtime.parameter_label(call.caller, &name, version, labels).await?;
    call.out.texts("InvalidLabels", labelled.invalid.iter().map(String::as_str));
    call.out.integer("ParameterVersion", number(labelled.version));
    Ok(())
}

async fn unlabel(mut call: Call<'_>) -> Result<(), Fault> {
    let (name, version) = (call.input.required("Name"), version(&mut call.input).unwrap_or_default());
    let labels = call.input.texts("Labels").unwrap_or_default();
    let unlabelled = call.runtime.parameter_unlabel(call.caller, &name, version, labels).await?;
    call.out.texts("RemovedLabels", unlabelled.labels.iter().map(String::as_str));
    call.out.texts("InvalidLabels", unlabelled.invalid.iter().map(String::as_str));
    Ok(())
}

fn decode_put(input: &mut Input<'_>) -> ParameterPut {
    let named = |name: String| ParameterType::ALL.into_iter().find(|one| one.name() == name);
    let wish = |name: String| match &*name {
        "Standard" => TierWish::This(Tier::Standard),
        "Advanced" => TierWish::This(Tier::Advanced),
        _ => TierWish::Intelligent,
    };
    let tags = input.inputs("Tags").into_iter().map(|mut tag| (tag.required("Key"), tag.required("Value")));
    ParameterPut {
        tags: tags.collect(),
        name: input.required("Name"),
        value: Secret::new(input.required("Value")),
        parameter_type: input.text("Type").and_then(named),
        key_id: input.text("KeyId"),
        description: input.text("Description"),
        allowed_pattern: input.text("AllowedPattern"),
        tier: input.text("Tier").map(wish),
        policies: input.text("Policies"),
        data_type: input.text("DataType"),
        existing: if input.boolean("Overwrite") == Some(true) { Existing::Overwrite } else { Existing::Refuse },
    }
}

fn decryption(input: &mut Input<'_>) -> Decryption {
    if input.boolean("WithDecryption") == Some(true) { Decryption::Plain } else { Decryption::Sealed }
}

fn filters(input: &mut Input<'_>, member: &str) -> Vec<ParameterFilter> {
    let filters = input.inputs(member).into_iter().map(|mut filter| ParameterFilter {
        key: filter.required("Key"),
        option: filter.text("Option"),
        values: filter.texts("Values").unwrap_or_default(),
    });
    filters.collect()
}

/// No version has a number that is less than one.
fn version(input: &mut Input<'_>) -> Option<u64> {
    input.integer("ParameterVersion").map(|version| u64::try_from(version).unwrap_or(0))
}

fn number(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

fn encode(out: &mut Writer, parameter: &Parameter) {
    out.text("Name", &parameter.name);
    out.text("Type", parameter.parameter_type.name());
    out.text("Value", parameter.value.expose());
    out.integer("Version", number(parameter.version));
    out.text_if("Selector", parameter.selector.as_deref());
    out.time("LastModifiedDate", parameter.modified);
    out.text("ARN", &parameter.arn);
    out.text("DataType", parameter.data_type);
}

fn encode_metadata(out: &mut Writer, metadata: &ParameterMetadata) {
    out.text("Name", &metadata.name);
    out.text("ARN", &metadata.arn);
    encode_common(out, metadata);
}

fn encode_version(out: &mut Writer, version: &ParameterVersion) {
    out.text("Name", &version.metadata.name);
    out.text("Value", version.value.expose());
    out.texts("Labels", version.labels.iter().map(String::as_str));
    encode_common(out, &version.metadata);
}

fn encode_common(out: &mut Writer, metadata: &ParameterMetadata) {
    out.text("Type", metadata.parameter_type.name());
    out.text_if("KeyId", metadata.key_id.as_deref());
    out.time("LastModifiedDate", metadata.modified);
    out.text("LastModifiedUser", &metadata.modified_by);
    out.text_if("Description", metadata.description.as_deref());
    out.text_if("AllowedPattern", metadata.allowed_pattern.as_deref());
    out.integer("Version", number(metadata.version));
    out.text("Tier", metadata.tier.name());
    out.list("Policies", &metadata.policies, encode_policy);
    out.text("DataType", metadata.data_type);
}

fn encode_policy(out: &mut Writer, policy: &ParameterPolicy) {
    out.text("PolicyText", &policy.text);
    out.text("PolicyType", policy.policy_type);
    out.text("PolicyStatus", policy.status);
}

fn is_key_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/_-".contains(&byte))
}

fn is_taggable(text: &str) -> bool {
    text.chars().all(|char| char.is_alphanumeric() || char == ' ' || "_.:/=+-@".contains(char))
}

fn is_filter_key(text: &str) -> bool {
    let tag = text.strip_prefix("tag:").is_some_and(|key| !key.is_empty());
    tag || ["Name", "Type", "KeyId", "Path", "Label", "Tier", "DataType"].contains(&text)
}

#[cfg(test)]
mod tests {
    use base::Timestamp;
    use expect_test::{Expect, expect};

    use super::*;
    use crate::ssm::SERVICE;
    use crate::tests::{input, text, told};

    fn check_put(body: &str, expect: Expect) {
        let operation = SERVICE.operation("PutParameter").expect("an operation");
        let put = input(operation, body).map(|mut input| decode_put(&mut input));
        expect.assert_eq(&put.map_or_else(told, |put| format!("{put:?}")));
    }

    #[test]
    fn a_parameter_is_read_from_the_wire_and_its_value_is_not_printed() {
        check_put(
            r#"{"Name":"/net/a","Value":"canary","Type":"SecureString","KeyId":"alias/k","Overwrite":false,"Tags":[{"Key":"k","Value":""}],"Tier":"Intelligent-Tiering","DataType":"text","AllowedPattern":"c.*"}"#,
            expect![[
                r#"ParameterPut { name: "/net/a", value: Secret(..), parameter_type: Some(SecureString), key_id: Some("alias/k"), description: None, allowed_pattern: Some("c.*"), tier: Some(Intelligent), policies: None, data_type: Some("text"), existing: Refuse, tags: [("k", "")] }"#
            ]],
        );
        check_put(
            r#"{"Name":"a","Value":"v","Overwrite":true,"Tier":"Advanced","Policies":"[{}]","Description":"d"}"#,
            expect![[
                r#"ParameterPut { name: "a", value: Secret(..), parameter_type: None, key_id: None, description: Some("d"), allowed_pattern: None, tier: Some(This(Advanced)), policies: Some("[{}]"), data_type: None, existing: Overwrite, tags: [] }"#
            ]],
        );
        check_put(
            r#"{"Name":"","Value":"","Type":"Text","KeyId":"k y","Tier":"Free","Tags":[{"Key":"<"}]}"#,
            expect![[
                r#"400 ValidationException: 7 validation errors detected: Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1; Value at 'value' failed to satisfy constraint: Member must have length greater than or equal to 1; Value 'Text' at 'type' failed to satisfy constraint: Member must satisfy enum value set: [String, StringList, SecureString]; Value 'k y' at 'keyId' failed to satisfy constraint: Member must satisfy regular expression pattern: ^([a-zA-Z0-9:/_-]+)$; Value '<' at 'tags.1.member.key' failed to satisfy constraint: Member must satisfy regular expression pattern: ^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$; Value null at 'tags.1.member.value' failed to satisfy constraint: Member must not be null; Value 'Free' at 'tier' failed to satisfy constraint: Member must satisfy enum value set: [Standard, Advanced, Intelligent-Tiering]"#
            ]],
        );
        check_put(
            r#"{"Name":"a","Value":["canary"]}"#,
            expect!["400 SerializationException: Start of list found where not expected."],
        );
    }

    fn metadata() -> ParameterMetadata {
        ParameterMetadata {
            name: "/net/a".into(),
            arn: "arn:aws:ssm:us-east-1:111111111111:parameter/net/a".into(),
            parameter_type: ParameterType::SecureString,
            key_id: Some("alias/aws/ssm".into()),
            modified: Timestamp(1_551_225_271_984),
            modified_by: "arn:aws:iam::111111111111:root".into(),
            description: Some("d".into()),
            allowed_pattern: Some(".*".into()),
            version: 3,
            tier: Tier::Advanced,
            policies: vec![ParameterPolicy { text: "{}".into(), policy_type: "Expiration", status: "Pending" }],
            data_type: "text",
        }
    }

    #[test]
    fn a_parameter_is_shown() {
        let parameter = Parameter {
            name: "/net/a".into(),
            arn: metadata().arn,
            parameter_type: ParameterType::String,
            value: Secret::new("v"),
            version: 3,
            selector: Some(":prod".into()),
            modified: Timestamp(1_551_225_271_984),
            data_type: "text",
        };
        expect![[r#"{"Name":"/net/a","Type":"String","Value":"v","Version":3,"Selector":":prod","LastModifiedDate":1551225271.984,"ARN":"arn:aws:ssm:us-east-1:111111111111:parameter/net/a","DataType":"text"}"#]].assert_eq(&text(|out| encode(out, &parameter)));
        expect![[r#"{"Name":"/net/a","ARN":"arn:aws:ssm:us-east-1:111111111111:parameter/net/a","Type":"SecureString","KeyId":"alias/aws/ssm","LastModifiedDate":1551225271.984,"LastModifiedUser":"arn:aws:iam::111111111111:root","Description":"d","AllowedPattern":".*","Version":3,"Tier":"Advanced","Policies":[{"PolicyText":"{}","PolicyType":"Expiration","PolicyStatus":"Pending"}],"DataType":"text"}"#]].assert_eq(&text(|out| encode_metadata(out, &metadata())));
        let version =
            ParameterVersion { metadata: metadata(), value: Secret::new("v"), labels: vec!["prod".to_owned()] };
        expect![[r#"{"Name":"/net/a","Value":"v","Labels":["prod"],"Type":"SecureString","KeyId":"alias/aws/ssm","LastModifiedDate":1551225271.984,"LastModifiedUser":"arn:aws:iam::111111111111:root","Description":"d","AllowedPattern":".*","Version":3,"Tier":"Advanced","Policies":[{"PolicyText":"{}","PolicyType":"Expiration","PolicyStatus":"Pending"}],"DataType":"text"}"#]].assert_eq(&text(|out| encode_version(out, &version)));
    }
}
