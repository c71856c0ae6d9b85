use expect_test::{Expect, expect};

use super::*;

fn check(call: Call, arguments: &str, config: &str, items_max: Option<i64>, expected: Expect) {
    let arguments = Json::parse(arguments).expect("JSON");
    let config = Json::parse(config).expect("JSON");
    let reader = ItemReader { call, arguments: &arguments, config: &config, items_max };
    let text = match Source::of(&reader) {
        Ok(source) => format!("{source:?}"),
        Err(failure) => failure.to_string(),
    };
    expected.assert_eq(&text);
}

#[test]
fn each_kind_of_reader() {
    let object = r#"{"Bucket":"b","Key":"k"}"#;
    check(
        Call::GetObject,
        object,
        r#"{"InputType":"JSON","ItemsPointer":"/a/0"}"#,
        Some(0),
        expect![[
            r#"Source { dataset: Object { object: ObjectName { bucket: BucketName { name: "b", owner: None }, key: "k", version: None }, format: Json { pointer: Pointer { tokens: ["a", "0"] } } }, items_max: None }"#
        ]],
    );
    check(
        Call::GetObject,
        object,
        r#"{"InputType":"JSONL"}"#,
        Some(2),
        expect![[
            r#"Source { dataset: Object { object: ObjectName { bucket: BucketName { name: "b", owner: None }, key: "k", version: None }, format: JsonLines }, items_max: Some(2) }"#
        ]],
    );
    check(
        Call::GetObject,
        object,
        r#"{"InputType":"CSV","CSVHeaderLocation":"GIVEN","CSVHeaders":["a"],"CSVDelimiter":"TAB"}"#,
        None,
        expect![[
            r#"Source { dataset: Object { object: ObjectName { bucket: BucketName { name: "b", owner: None }, key: "k", version: None }, format: Csv(Csv { delimiter: Tab, header: Given(["a"]) }) }, items_max: None }"#
        ]],
    );
    check(
        Call::GetObject,
        object,
        r#"{"InputType":"MANIFEST"}"#,
        None,
        expect![[
            r#"Source { dataset: Inventory(ObjectName { bucket: BucketName { name: "b", owner: None }, key: "k", version: None }), items_max: None }"#
        ]],
    );
    check(
        Call::GetObject,
        object,
        r#"{"ManifestType":"S3_INVENTORY"}"#,
        None,
        expect![[
            r#"Source { dataset: Inventory(ObjectName { bucket: BucketName { name: "b", owner: None }, key: "k", version: None }), items_max: None }"#
        ]],
    );
    check(
        Call::GetObject,
        object,
        r#"{"ManifestType":"ATHENA_DATA","InputType":"PARQUET"}"#,
        None,
        expect![[
            r#"Source { dataset: Athena { manifest: ObjectName { bucket: BucketName { name: "b", owner: None }, key: "k", version: None }, format: Parquet }, items_max: None }"#
        ]],
    );
    check(
        Call::ListObjects,
        r#"{"Bucket":"b"}"#,
        "null",
        None,
        expect![[
            r#"Source { dataset: Listing(Prefix { bucket: BucketName { name: "b", owner: None }, prefix: "" }), items_max: None }"#
        ]],
    );
    check(
        Call::ListObjects,
        r#"{"Bucket":"b","Prefix":"p/","ExpectedBucketOwner":"111111111111"}"#,
        r#"{"Transformation":"LOAD_AND_FLATTEN","InputType":"JSONL"}"#,
        None,
        expect![[
            r#"Source { dataset: Loaded { prefix: Prefix { bucket: BucketName { name: "b", owner: Some("111111111111") }, prefix: "p/" }, format: JsonLines }, items_max: None }"#
        ]],
    );
}

#[test]
fn what_cannot_be_read_says_why() {
    let object = r#"{"Bucket":"b","Key":"k"}"#;
    check(
        Call::GetObject,
        object,
        r#"{"InputType":"JSON"}"#,
        Some(-1),
        expect!["States.ItemReaderFailed: field MaxItems must be positive"],
    );
    check(
        Call::GetObject,
        r#"{"Bucket":"b"}"#,
        r#"{"InputType":"JSON"}"#,
        None,
        expect!["States.ItemReaderFailed: The field 'Key' is required but was missing"],
    );
    check(
        Call::GetObject,
        r#"{"Bucket":1,"Key":"k"}"#,
        r#"{"InputType":"JSON"}"#,
        None,
        expect!["States.ItemReaderFailed: The value for the field 'Bucket' must be a STRING"],
    );
    check(
        Call::GetObject,
        object,
        "null",
        None,
        expect!["States.ItemReaderFailed: The field 'InputType' is required but was missing"],
    );
    check(
        Call::GetObject,
        object,
        r#"{"InputType":"XML"}"#,
        None,
        expect!["States.ItemReaderFailed: The value 'XML' for the field 'InputType' is not supported here"],
    );
    check(
        Call::GetObject,
        object,
        r#"{"InputType":"CSV"}"#,
        None,
        expect!["States.ItemReaderFailed: The field 'CSVHeaderLocation' is required but was missing"],
    );
    check(
        Call::GetObject,
        object,
        r#"{"InputType":"JSON","ItemsPointer":"a"}"#,
        None,
        expect![[r#"States.ItemReaderFailed: ItemsPointer "a" is not a JSON Pointer"#]],
    );
    check(
        Call::GetObject,
        object,
        r#"{"InputType":"CSV","ManifestType":"S3_INVENTORY"}"#,
        None,
        expect!["States.ItemReaderFailed: The value 'CSV' for the field 'InputType' is not supported here"],
    );
    check(
        Call::GetObject,
        object,
        r#"{"Transformation":"LOAD_AND_FLATTEN","InputType":"CSV"}"#,
        None,
        expect![
            "States.ItemReaderFailed: The value 'LOAD_AND_FLATTEN' for the field 'Transformation' is not supported here"
        ],
    );
}
