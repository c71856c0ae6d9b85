use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::pointer::Pointer;
use crate::source::{Csv, Delimiter, Header};

/// The items that `chunks` give, one on each line, and the fault at the end if there is one.
fn decode<'a>(format: &Format, chunks: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut out = Out::new();
    let fault = decode_into(format, chunks, &mut out).err();
    let items = out.into_iter().map(|item| match item.key {
        None => format!("{}\n", item.value),
        Some(key) => format!("{key}: {}\n", item.value),
    });
    items.chain(fault.map(|fault| format!("FAULT {fault}"))).collect()
}

fn decode_into<'a>(format: &Format, chunks: impl IntoIterator<Item = &'a [u8]>, out: &mut Out) -> Result<(), Fault> {
    let mut decoder = Decoder::new(format)?;
    for chunk in chunks {
        decoder.push(chunk, out)?;
    }
    decoder.finish(out)
}

fn check(format: Format, text: &str, expected: Expect) {
    expected.assert_eq(&decode(&format, [text.as_bytes()]));
}

fn json(pointer: &str) -> Format {
    Format::Json { pointer: Pointer::parse(pointer).expect("a pointer") }
}

fn csv(delimiter: Delimiter, header: Header) -> Format {
    Format::Csv(Csv { delimiter, header })
}

fn first_row() -> Format {
    csv(Delimiter::Comma, Header::FirstRow)
}

fn given(names: &[&str]) -> Format {
    csv(Delimiter::Comma, Header::Given(names.iter().map(|name| (*name).to_owned()).collect()))
}

#[test]
fn the_elements_of_an_array() {
    check(
        json(""),
        r#" [1, "a,]\"[", {"b":[{}]} ,null,[] ] what comes after is not read"#,
        expect![[r#"
        1
        "a,]\"["
        {"b":[{}]}
        null
        []
    "#]],
    );
    check(json(""), "[]", expect![""]);
    check(
        json(""),
        "\u{feff}[true]",
        expect![[r#"
        true
    "#]],
    );
}

#[test]
fn the_members_of_an_object() {
    check(
        json(""),
        r#"{"a": 1, "b\n\"": [2]}"#,
        expect![[r#"
        a: {"Key":"a","Value":1}
        b
        ": {"Key":"b\n\"","Value":[2]}
    "#]],
    );
    check(json(""), "{}", expect![""]);
}

#[test]
fn items_deep_in_a_document() {
    let document = r#"{"x":[9,{"y":[8]}],"a/b":[{"no":1},{"items":[7,"]"]}, "z"], "last": {"k":1}}"#;
    check(
        json("/a~1b/1/items"),
        document,
        expect![[r#"
        7
        "]"
    "#]],
    );
    check(
        json("/x/1"),
        document,
        expect![[r#"
        y: {"Key":"y","Value":[8]}
    "#]],
    );
    check(
        json("/last"),
        document,
        expect![[r#"
        k: {"Key":"k","Value":1}
    "#]],
    );
    check(json("/a~1b/2"), document, expect!["FAULT Attempting to map over non-iterable node."]);
    check(
        json("/a~1b/3"),
        document,
        expect![[r#"FAULT ItemsPointer "/a~1b/3" points to nothing in the JSON document"#]],
    );
    check(json("/none"), document, expect![[r#"FAULT ItemsPointer "/none" points to nothing in the JSON document"#]]);
    check(json("/x/0/y"), document, expect![[r#"FAULT ItemsPointer "/x/0/y" points to nothing in the JSON document"#]]);
}

#[test]
fn what_cannot_be_iterated() {
    check(json(""), "\"text\"", expect!["FAULT Attempting to map over non-iterable node."]);
    check(json(""), "5", expect!["FAULT Attempting to map over non-iterable node."]);
    check(json(""), "null", expect!["FAULT Attempting to map over non-iterable node."]);
}

#[test]
fn what_is_no_json() {
    check(json(""), "", expect!["FAULT The JSON document ends before its items do"]);
    check(json(""), "hello", expect!["FAULT The JSON document is not valid near item 0: unexpected 'h'"]);
    check(json(""), "<a/>", expect!["FAULT The JSON document is not valid near item 0: unexpected '<'"]);
    check(
        json(""),
        "[1,2",
        expect![[r#"
        1
        FAULT The JSON document ends before its items do"#]],
    );
    check(
        json(""),
        "[1,tru]",
        expect![[r#"
        1
        FAULT Item 1 is not JSON: Unrecognized token 'tru': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"#]],
    );
    check(
        json(""),
        "[1,]",
        expect![[r#"
        1
        FAULT The JSON document is not valid near item 1: unexpected ']'"#]],
    );
    check(json(""), "[,1]", expect!["FAULT The JSON document is not valid near item 0: unexpected ','"]);
    check(
        json(""),
        "[1 2]",
        expect![[r#"
        1
        FAULT The JSON document is not valid near item 0: unexpected '2'"#]],
    );
    check(
        json(""),
        "[1}",
        expect![[r#"
        1
        FAULT The JSON document is not valid near item 0: unexpected '}'"#]],
    );
    check(
        json(""),
        "[[1}]",
        expect![[
            r#"FAULT Item 0 is not JSON: Unexpected close marker '}': expected ']' (for Array starting at [Source: (String)"[1}"; line: 1, column: 1])"#
        ]],
    );
    check(json(""), r#"{"a" 1}"#, expect!["FAULT The JSON document is not valid near item 0: unexpected '1'"]);
    check(
        json(""),
        r#"{"a":1,}"#,
        expect![[r#"
        a: {"Key":"a","Value":1}
        FAULT The JSON document is not valid near item 1: unexpected '}'"#]],
    );
    check(json(""), r#"{1:1}"#, expect!["FAULT The JSON document is not valid near item 0: unexpected '1'"]);
    check(json(""), r#"{"a":}"#, expect!["FAULT The JSON document is not valid near item 0: unexpected '}'"]);
    check(json("/b"), r#"{"a":,"b":[1]}"#, expect!["FAULT The JSON document is not valid near item 0: unexpected ','"]);
}

#[test]
fn an_item_on_each_line() {
    check(
        Format::JsonLines,
        "{\"a\":1}\r\n\n  \n[2]\n3",
        expect![[r#"
        {"a":1}
        [2]
        3
    "#]],
    );
    check(Format::JsonLines, "", expect![""]);
    check(
        Format::JsonLines,
        "1\n{\n2",
        expect![[r#"
        1
        FAULT Line 2 is not JSON: Unexpected end-of-input: expected close marker for Object (start marker at [Source: (String)"{"; line: 1, column: 1])"#]],
    );
}

#[test]
fn rows_with_names_from_the_first() {
    check(
        first_row(),
        "Col1,Col2\nValue1,Value2\r\nValue3,Value4\rValue5,Value6",
        expect![[r#"
        {"Col1":"Value1","Col2":"Value2"}
        {"Col1":"Value3","Col2":"Value4"}
        {"Col1":"Value5","Col2":"Value6"}
    "#]],
    );
    check(
        first_row(),
        "\u{feff}a\n1\n",
        expect![[r#"
        {"a":"1"}
    "#]],
    );
    check(first_row(), "a,b\n", expect![""]);
    check(first_row(), "", expect![""]);
}

#[test]
fn rows_with_given_names() {
    let rows = "Value1,Value2,Value3\nValue4,Value5,Value6\n,,,\ntrue,1,'HelloWorld'\nNull,None,\n   \n";
    check(
        given(&["H1", "H2", "H3"]),
        rows,
        expect![[r#"
        {"H1":"Value1","H2":"Value2","H3":"Value3"}
        {"H1":"Value4","H2":"Value5","H3":"Value6"}
        {"H1":"","H2":"","H3":""}
        {"H1":"true","H2":"1","H3":"'HelloWorld'"}
        {"H1":"Null","H2":"None","H3":""}
        {"H1":"   ","H2":"","H3":""}
    "#]],
    );
    check(
        given(&["H1"]),
        rows,
        expect![[r#"
        {"H1":"Value1"}
        {"H1":"Value4"}
        {"H1":""}
        {"H1":"true"}
        {"H1":"Null"}
        {"H1":"   "}
    "#]],
    );
}

#[test]
fn empty_lines_are_rows_of_empty_strings() {
    check(
        first_row(),
        "a,b\n\n1,2\n\n",
        expect![[r#"
        {"a":"","b":""}
        {"a":"1","b":"2"}
        {"a":"","b":""}
    "#]],
    );
}

/// The row is the one in the Developer Guide.
#[test]
fn quotation_marks() {
    check(
        given(&["a", "b", "c", "d", "e"]),
        "abc,123,\"This string contains commas, a double quotation marks (\"\"), and a newline (\n)\",{\"\"MyKey\"\":\"\"MyValue\"\"},\"[1,2,3]\"",
        expect![[r#"
            {"a":"abc","b":"123","c":"This string contains commas, a double quotation marks (\"), and a newline (\n)","d":"{\"MyKey\":\"MyValue\"}","e":"[1,2,3]"}
        "#]],
    );
    check(
        given(&["a", "b"]),
        "\"\",\"\"\"\"\n  \"x\" ,\"y\"z\n5\" pipe,6\"\n",
        expect![[r#"
        {"a":"","b":"\""}
        {"a":"x ","b":"yz"}
        {"a":"5\" pipe","b":"6\""}
    "#]],
    );
    check(given(&["a"]), "\"never closed\n1\n", expect!["FAULT Row 1 ends within quotation marks"]);
}

#[test]
fn backslashes() {
    check(
        first_row(),
        "path,size\nC:\\\\Program Files\\\\MyApp.exe,6534512\n",
        expect![[r#"
        {"path":"C:\\Program Files\\MyApp.exe","size":"6534512"}
    "#]],
    );
    check(
        given(&["a", "b"]),
        "x\\,y,\\q\\\"\n\"in \\\"quotes\\\", too\",\"\\n\"\n\\",
        expect![[r#"
        {"a":"x,y","b":"q\""}
        {"a":"in \"quotes\", too","b":"n"}
        {"a":"","b":""}
    "#]],
    );
}

#[test]
fn other_delimiters() {
    let names = || Header::Given(vec!["a".to_owned(), "b".to_owned()]);
    check(
        csv(Delimiter::Pipe, names()),
        "1,2|3\\|4\n",
        expect![[r#"
        {"a":"1,2","b":"3|4"}
    "#]],
    );
    check(
        csv(Delimiter::Semicolon, names()),
        "1;2\n",
        expect![[r#"
        {"a":"1","b":"2"}
    "#]],
    );
    check(
        csv(Delimiter::Space, names()),
        "1 2\n",
        expect![[r#"
        {"a":"1","b":"2"}
    "#]],
    );
    check(
        csv(Delimiter::Tab, names()),
        "1\t2\n",
        expect![[r#"
        {"a":"1","b":"2"}
    "#]],
    );
}

#[test]
fn headers_cannot_contain_duplicates() {
    check(given(&["H1", "H1"]), "1,2\n", expect!["FAULT CSV headers cannot contain duplicates."]);
    check(first_row(), "a,a\n1,2\n", expect!["FAULT CSV headers cannot contain duplicates."]);
}

#[test]
fn an_item_has_an_end() {
    let fits = format!("[\"{}\"]", "x".repeat(ITEM_BYTES_MAX - 2));
    assert!(!decode(&json(""), [fits.as_bytes()]).contains("FAULT"));
    let large = format!("[\"{}\"]", "x".repeat(ITEM_BYTES_MAX - 1));
    check(json(""), &large, expect!["FAULT Item 0 is larger than 8388608 bytes"]);
    check(Format::JsonLines, &large, expect!["FAULT Line 1 is larger than 8388608 bytes"]);
    check(given(&["a"]), &large, expect!["FAULT Row 1 is larger than 8388608 bytes"]);
    check(first_row(), &"x".repeat(10_241), expect!["FAULT The CSV header is larger than 10240 bytes"]);
}

/// Text that is often nearly right.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "\"",
        "\\",
        "\n",
        "\r",
        " ",
        "a",
        "1",
        "true",
        "null",
        "\"a\"",
        "\"a\":",
        "[1,2]",
        "{\"a\":[1]}",
        "é",
        "\u{feff}",
        ";",
        "x,y",
    ]);
    let likely = prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat().into_bytes());
    prop_oneof![4 => likely, 1 => prop::collection::vec(any::<u8>(), 0..60)]
}

fn formats() -> impl Strategy<Value = Format> {
    prop_oneof![
        Just(json("")),
        Just(json("/a")),
        Just(json("/0/a")),
        Just(Format::JsonLines),
        Just(first_row()),
        Just(given(&["a", "b"])),
        Just(csv(Delimiter::Semicolon, Header::FirstRow)),
    ]
}

/// `bytes` in pieces of these lengths, over and over.
fn cut<'a>(mut bytes: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let mut chunks = vec![];
    for length in lengths.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (chunk, rest) = bytes.split_at((*length).min(bytes.len()));
        chunks.push(chunk);
        bytes = rest;
    }
    chunks
}

proptest! {
    #[test]
    fn where_bytes_are_cut_changes_nothing(
        format in formats(),
        bytes in texts(),
        lengths in prop::collection::vec(1usize..7, 1..5),
    ) {
        let whole = decode(&format, [bytes.as_slice()]);
        prop_assert_eq!(whole, decode(&format, cut(&bytes, &lengths)));
    }

    /// Whatever an array holds comes out of it.
    #[test]
    fn arrays_come_out_as_they_went_in(texts in prop::collection::vec(".*", 0..8), lengths in prop::collection::vec(1usize..7, 1..5)) {
        let items: Vec<Json> = texts.into_iter().map(|text| Json::object([("k", Json::array([Json::from(text)]))])).collect();
        let document = Json::array(items.clone()).to_string();
        let mut out = Out::new();
        decode_into(&json(""), cut(document.as_bytes(), &lengths), &mut out).expect("an array");
        prop_assert_eq!(out.into_iter().map(|item| item.value).collect::<Vec<_>>(), items);
    }
}
