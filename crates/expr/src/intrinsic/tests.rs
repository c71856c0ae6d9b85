use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::testing::{World, json, outcomes, shown};

/// What each call gives over the input, less the words in which every failure names the call.
fn check(input: &str, calls: &str, expected: Expect) {
    let outcome = |call: &str| {
        let shown = shown(Intrinsic::parse(call), |intrinsic| intrinsic.eval(&World::new(input)));
        shown.replace(&format!("The function '{call}' had the following error: "), "")
    };
    expected.assert_eq(&outcomes(calls, outcome));
}

#[test]
fn recorded_of_aws() {
    let mut call = None;
    for line in include_str!("recorded.txt").lines().filter(|line| !line.starts_with('#')) {
        match line.trim().split_once(" => ") {
            None => call = json(line).as_str().map(|text| Intrinsic::parse(text).expect("AWS took it")),
            Some((input, output)) => {
                let call = call.as_ref().expect("the call stands first");
                assert_eq!(call.eval(&World::new(input)), Ok(json(output)), "{call:?} of {input}");
            }
        }
    }
}

#[test]
fn arrays() {
    check(
        r#"{"l":[1,2,3,1,{"a":1,"b":[]},{"b":[],"a":1},1.0,"1",null,null],"o":{}}"#,
        "
        States.Array(1, 'a', null, true, -1.5, $.o, States.Array())
        States.ArrayPartition($.l, 4)
        States.ArrayPartition($.l, 4.9)
        States.ArrayPartition($.l, 0)
        States.ArrayPartition($.l, 0.9)
        States.ArrayPartition($.l, '4')
        States.ArrayPartition($.o, 4)
        States.ArrayContains($.l, 2)
        States.ArrayContains($.l, 2.0)
        States.ArrayContains($.l, '2')
        States.ArrayRange(1, 9, 2)
        States.ArrayRange(1, 9, 2.4)
        States.ArrayRange(9, 1, -4)
        States.ArrayRange(1, 9, -1)
        States.ArrayRange(5, 5, 1)
        States.ArrayRange(1, 9, 0)
        States.ArrayRange(1, 1001, 1)
        States.ArrayRange(-2147483648, 2147483647, 1)
        States.ArrayRange(0, 2147483648, 1)
        States.ArrayLength(States.ArrayRange(1, 1000, 1))
        States.ArrayGetItem($.l, 0)
        States.ArrayGetItem($.l, 10)
        States.ArrayGetItem($.l, -1)
        States.ArrayGetItem($.l, null)
        States.ArrayLength($.l)
        States.ArrayLength($.l[2:4])
        States.ArrayLength('text')
        States.ArrayUnique($.l)
        ",
        expect![[r#"
            States.Array(1, 'a', null, true, -1.5, $.o, States.Array())
              [1,"a",null,true,-1.5,{},[]]
            States.ArrayPartition($.l, 4)
              [[1,2,3,1],[{"a":1,"b":[]},{"b":[],"a":1},1.0,"1"],[null,null]]
            States.ArrayPartition($.l, 4.9)
              [[1,2,3,1],[{"a":1,"b":[]},{"b":[],"a":1},1.0,"1"],[null,null]]
            States.ArrayPartition($.l, 0)
              Intrinsic: Argument 2 must be a positive integer
            States.ArrayPartition($.l, 0.9)
              Intrinsic: Argument 2 must be a positive integer
            States.ArrayPartition($.l, '4')
              Intrinsic: Argument 2 must be a number, but was a string
            States.ArrayPartition($.o, 4)
              Intrinsic: Argument 1 must be an array, but was an object
            States.ArrayContains($.l, 2)
              true
            States.ArrayContains($.l, 2.0)
              false
            States.ArrayContains($.l, '2')
              false
            States.ArrayRange(1, 9, 2)
              [1,3,5,7,9]
            States.ArrayRange(1, 9, 2.4)
              [1,3,5,7,9]
            States.ArrayRange(9, 1, -4)
              [9,5,1]
            States.ArrayRange(1, 9, -1)
              []
            States.ArrayRange(5, 5, 1)
              [5]
            States.ArrayRange(1, 9, 0)
              Intrinsic: Argument 3 must not be zero
            States.ArrayRange(1, 1001, 1)
              Intrinsic: The range has 1001 items, which is more than 1000
            States.ArrayRange(-2147483648, 2147483647, 1)
              Intrinsic: The range has 4294967296 items, which is more than 1000
            States.ArrayRange(0, 2147483648, 1)
              Intrinsic: Argument 2 is 2147483648, which is not from -2147483648 to 2147483647
            States.ArrayLength(States.ArrayRange(1, 1000, 1))
              1000
            States.ArrayGetItem($.l, 0)
              1
            States.ArrayGetItem($.l, 10)
              Intrinsic: The index 10 is not in the array, which has 10 items
            States.ArrayGetItem($.l, -1)
              Intrinsic: The index -1 is not in the array, which has 10 items
            States.ArrayGetItem($.l, null)
              Intrinsic: Argument 2 must be a number, but was null
            States.ArrayLength($.l)
              10
            States.ArrayLength($.l[2:4])
              2
            States.ArrayLength('text')
              Intrinsic: Argument 1 must be an array, but was a string
            States.ArrayUnique($.l)
              [1,2,3,{"a":1,"b":[]},1.0,"1",null]
        "#]],
    );
}

#[test]
fn encodings() {
    check(
        r#"{"utf":"é😀","object":{"b":1,"a":[true,null]}}"#,
        "
        States.Base64Encode($.utf)
        States.Base64Decode('w6nwn5iA')
        States.Base64Decode('YWI')
        States.Base64Decode('YWI=')
        States.Base64Decode('/w==')
        States.Base64Decode('!')
        States.Base64Encode(1)
        States.Hash('', 'MD5')
        States.Hash($.object, 'MD5')
        States.Hash(States.JsonToString($.object), 'MD5')
        States.Hash('a', 'SHA-3')
        States.Hash('a', 'sha-1')
        States.Hash('a', 1)
        States.UUID()
        ",
        expect![[r#"
            States.Base64Encode($.utf)
              "w6nwn5iA"
            States.Base64Decode('w6nwn5iA')
              "é😀"
            States.Base64Decode('YWI')
              "ab"
            States.Base64Decode('YWI=')
              "ab"
            States.Base64Decode('/w==')
              "�"
            States.Base64Decode('!')
              Intrinsic: Argument 1 is not valid Base64
            States.Base64Encode(1)
              Intrinsic: Argument 1 must be a string, but was a number
            States.Hash('', 'MD5')
              "d41d8cd98f00b204e9800998ecf8427e"
            States.Hash($.object, 'MD5')
              "7bc1cd277f55af561c6967e193f41dc5"
            States.Hash(States.JsonToString($.object), 'MD5')
              "7bc1cd277f55af561c6967e193f41dc5"
            States.Hash('a', 'SHA-3')
              Intrinsic: 'SHA-3' is not one of MD5, SHA-1, SHA-256, SHA-384, SHA-512
            States.Hash('a', 'sha-1')
              Intrinsic: 'sha-1' is not one of MD5, SHA-1, SHA-256, SHA-384, SHA-512
            States.Hash('a', 1)
              Intrinsic: Argument 2 must be a string, but was a number
            States.UUID()
              "00000000-0000-4001-8000-000000000002"
        "#]],
    );
}

#[test]
fn encodings_take_ten_thousand_characters() {
    let (fits, too_long) = (format!("\"{}\"", "é".repeat(10_000)), format!("\"{}\"", "é".repeat(10_001)));
    for call in ["States.Base64Encode($)", "States.Hash($, 'MD5')"] {
        let call = Intrinsic::parse(call).expect("valid");
        assert!(call.eval(&World::new(&fits)).is_ok());
        assert!(call.eval(&World::new(&too_long)).is_err());
    }
}

#[test]
fn json_values() {
    check(
        r#"{"a":{"x":1,"y":{"z":1}},"b":{"y":{"w":2},"v":null},"text":"{\"k\": [1, 2]}","bad":"{'k': 1}"}"#,
        "
        States.JsonMerge($.a, $.b, false)
        States.JsonMerge($.a, $.b, true)
        States.JsonMerge($.a, $.b, 'false')
        States.JsonMerge($.a, $.text, false)
        States.StringToJson($.text)
        States.StringToJson($.bad)
        States.StringToJson($.a)
        States.StringToJson('true')
        States.JsonToString($.a)
        States.JsonToString('a')
        ",
        expect![[r#"
            States.JsonMerge($.a, $.b, false)
              {"x":1,"y":{"w":2},"v":null}
            States.JsonMerge($.a, $.b, true)
              Intrinsic: Argument 3 must be false: only shallow merging is supported
            States.JsonMerge($.a, $.b, 'false')
              Intrinsic: Argument 3 must be a boolean, but was a string
            States.JsonMerge($.a, $.text, false)
              Intrinsic: Argument 2 must be an object, but was a string
            States.StringToJson($.text)
              {"k":[1,2]}
            States.StringToJson($.bad)
              Intrinsic: Unexpected character (''' (code 39)): was expecting double-quote to start field name
            States.StringToJson($.a)
              Intrinsic: Argument 1 must be a string, but was an object
            States.StringToJson('true')
              true
            States.JsonToString($.a)
              "{\"x\":1,\"y\":{\"z\":1}}"
            States.JsonToString('a')
              "\"a\""
        "#]],
    );
}

#[test]
fn numbers() {
    check(
        r#"{"a":111,"b":-1,"f":1.5}"#,
        "
        States.MathAdd($.a, $.b)
        States.MathAdd(1.49, 1.5)
        States.MathAdd(-1.5, -1.51)
        States.MathAdd(-0.5, 0.49)
        States.MathAdd(2147483647, 0)
        States.MathAdd(2147483647, 1)
        States.MathAdd(2147483648, -1)
        States.MathAdd(-2147483648, -1)
        States.MathAdd('1', 1)
        States.MathAdd(1e3, 1)
        States.MathRandom(0, 999, 3)
        States.MathRandom(0, 999, 3)
        States.MathRandom(0, 999)
        States.MathRandom(5, 6)
        States.MathRandom(12.5, 44.51)
        States.MathRandom(-99999, -9999)
        States.MathRandom(-2147483648, 2147483647)
        States.MathRandom(1, 1)
        States.MathRandom(2, 1)
        ",
        expect![[r#"
            States.MathAdd($.a, $.b)
              110
            States.MathAdd(1.49, 1.5)
              3
            States.MathAdd(-1.5, -1.51)
              -3
            States.MathAdd(-0.5, 0.49)
              0
            States.MathAdd(2147483647, 0)
              2147483647
            States.MathAdd(2147483647, 1)
              Intrinsic: The sum 2147483648 is not from -2147483648 to 2147483647
            States.MathAdd(2147483648, -1)
              Intrinsic: Argument 1 is 2147483648, which is not from -2147483648 to 2147483647
            States.MathAdd(-2147483648, -1)
              Intrinsic: The sum -2147483649 is not from -2147483648 to 2147483647
            States.MathAdd('1', 1)
              Intrinsic: Argument 1 must be a number, but was a string
            States.MathAdd(1e3, 1)
              1001
            States.MathRandom(0, 999, 3)
              239
            States.MathRandom(0, 999, 3)
              239
            States.MathRandom(0, 999)
              105
            States.MathRandom(5, 6)
              5
            States.MathRandom(12.5, 44.51)
              36
            States.MathRandom(-99999, -9999)
              -61014
            States.MathRandom(-2147483648, 2147483647)
              -1155869325
            States.MathRandom(1, 1)
              Intrinsic: Argument 1 must be less than argument 2
            States.MathRandom(2, 1)
              Intrinsic: Argument 1 must be less than argument 2
        "#]],
    );
}

#[test]
fn texts() {
    check(
        r#"{"name":"Anna","t":"{} and {}","n":1e21,"l":["a",{"b":"c d"}]}"#,
        r"
        States.Format('Hello, my name is {}.', $.name)
        States.Format('{}{}{}', 1, 'a', null)
        States.Format('{}', 12345678.9)
        States.Format('{} {}', $.n, $.l)
        States.Format('no holes')
        States.Format('\{{}\} \{\} \'{}\' \\', 1, 2)
        States.Format('{ {} }', 1)
        States.Format('{{}}', 1)
        States.Format($.t, 'one', 'two')
        States.Format($.t, 'one')
        States.Format('{}')
        States.Format('{}', 1, 2)
        States.Format('text', 1)
        States.Format(1)
        States.StringSplit('1,2,,3', ',')
        States.StringSplit('This.is+a,test=string', '.+,=')
        States.StringSplit('text', '')
        States.StringSplit('', ',')
        States.StringSplit('a|b', 1)
        States.StringToJson('{\'k\': 1}')
        ",
        expect![[r#"
            States.Format('Hello, my name is {}.', $.name)
              "Hello, my name is Anna."
            States.Format('{}{}{}', 1, 'a', null)
              "1anull"
            States.Format('{}', 12345678.9)
              "1.23456789E7"
            States.Format('{} {}', $.n, $.l)
              "1.0E21 [a, {b=c d}]"
            States.Format('no holes')
              "no holes"
            States.Format('\{{}\} \{\} \'{}\' \\', 1, 2)
              "{1} {} '2' \\"
            States.Format('{ {} }', 1)
              "{ 1 }"
            States.Format('{{}}', 1)
              "{1}"
            States.Format($.t, 'one', 'two')
              "one and two"
            States.Format($.t, 'one')
              Intrinsic: The number of {} in the template is 2, but the number of values is 1
            States.Format('{}')
              syntax error at 0: The number of {} in the template is 1, but the number of values is 0
            States.Format('{}', 1, 2)
              syntax error at 0: The number of {} in the template is 1, but the number of values is 2
            States.Format('text', 1)
              syntax error at 0: The number of {} in the template is 0, but the number of values is 1
            States.Format(1)
              Intrinsic: Argument 1 must be a string, but was a number
            States.StringSplit('1,2,,3', ',')
              ["1","2","3"]
            States.StringSplit('This.is+a,test=string', '.+,=')
              ["This","is","a","test","string"]
            States.StringSplit('text', '')
              ["text"]
            States.StringSplit('', ',')
              []
            States.StringSplit('a|b', 1)
              Intrinsic: Argument 2 must be a string, but was a number
            States.StringToJson('{\'k\': 1}')
              Intrinsic: Unexpected character (''' (code 39)): was expecting double-quote to start field name
        "#]],
    );
}

#[test]
fn nesting_and_spaces() {
    check(
        r#"{"arn":"arn:aws:images/base.x/1","l":[[3,4]],"k, )":{"(":5}}"#,
        "
        States.ArrayGetItem(States.StringSplit(States.ArrayGetItem(States.StringSplit($.arn, '/'), 1), '.'), 0)
        States.Array( $.l[0] ,  $.l[0][1],$['k, )']['('] )
        States.Array ($.l[?(@[0] == 3)], $.l.length(), $$.State.Name, $limit)
        States.Array($.gone[*])
        ",
        expect![[r#"
            States.ArrayGetItem(States.StringSplit(States.ArrayGetItem(States.StringSplit($.arn, '/'), 1), '.'), 0)
              "base"
            States.Array( $.l[0] ,  $.l[0][1],$['k, )']['('] )
              [[3,4],4,5]
            States.Array ($.l[?(@[0] == 3)], $.l.length(), $$.State.Name, $limit)
              [[[3,4]],1,"S",2]
            States.Array($.gone[*])
              [[]]
        "#]],
    );
}

#[test]
fn a_path_that_finds_nothing_is_named() {
    let call = Intrinsic::parse("States.Format('{}', States.JsonToString($.gone.x))").expect("valid");
    let failure = call.eval(&World::new(r#"{"a":1}"#)).expect_err("missing");
    assert_eq!(failure.kind, FailureKind::Missing);
    expect![[r#"The function 'States.Format('{}', States.JsonToString($.gone.x))' had the following error: The JsonPath argument for the field '$.gone.x' could not be found in the input '{"a":1}'"#]]
        .assert_eq(&failure.message);
}

#[test]
fn what_is_not_a_call() {
    check(
        "{}",
        r#"
        States.Nope()
        Array()
        states.Array()
        States.Array
        States.Array(
        States.Array(1
        States.Array(1,
        States.Array(1,)
        States.Array(,)
        States.Array(1 2)
        States.Array()x
        States.Array("a")
        States.Array('a)
        States.Array('a\n')
        States.Array('\"a\"')
        States.Array('a\
        States.Array(01)
        States.Array(tru)
        States.Array({})
        States.Array($.a b)
        States.Array($.a[)
        States.UUID(1)
        States.ArrayGetItem($)
        States.ArrayRange(1, 2)
        States.Format()
        States.Array(States.Nope())
        $.a
        "#,
        expect![[r#"
            States.Nope()
              syntax error at 0: 'States.Nope' is not an intrinsic function
            Array()
              syntax error at 0: 'Array' is not an intrinsic function
            states.Array()
              syntax error at 0: 'states.Array' is not an intrinsic function
            States.Array
              syntax error at 12: expected '('
            States.Array(
              syntax error at 13: expected a path, a text in single quotes, a number, true, false, null or a function
            States.Array(1
              syntax error at 14: expected ','
            States.Array(1,
              syntax error at 15: expected a path, a text in single quotes, a number, true, false, null or a function
            States.Array(1,)
              syntax error at 15: expected a path, a text in single quotes, a number, true, false, null or a function
            States.Array(,)
              syntax error at 13: expected a path, a text in single quotes, a number, true, false, null or a function
            States.Array(1 2)
              syntax error at 15: expected ','
            States.Array()x
              syntax error at 14: unexpected text after the closing ')'
            States.Array("a")
              syntax error at 13: expected a path, a text in single quotes, a number, true, false, null or a function
            States.Array('a)
              syntax error at 13: a text is not closed
            States.Array('a\n')
              syntax error at 17: '\n' is not an escape sequence
            States.Array('\"a\"')
              syntax error at 16: '\"' is not an escape sequence
            States.Array('a\
              syntax error at 13: a text is not closed
            States.Array(01)
              syntax error at 13: '01' is not a value
            States.Array(tru)
              syntax error at 13: 'tru' is not a value
            States.Array({})
              syntax error at 13: expected a path, a text in single quotes, a number, true, false, null or a function
            States.Array($.a b)
              syntax error at 16: unexpected ' ' in a path
            States.Array($.a[)
              syntax error at 17: after '[' comes a quoted name, an index, ':', '*' or '?('
            States.UUID(1)
              syntax error at 0: the function 'States.UUID' does not take 1 arguments
            States.ArrayGetItem($)
              syntax error at 0: the function 'States.ArrayGetItem' does not take 1 arguments
            States.ArrayRange(1, 2)
              syntax error at 0: the function 'States.ArrayRange' does not take 2 arguments
            States.Format()
              syntax error at 0: the function 'States.Format' does not take 0 arguments
            States.Array(States.Nope())
              syntax error at 13: 'States.Nope' is not an intrinsic function
            $.a
              syntax error at 0: '' is not an intrinsic function
        "#]],
    );
}

#[test]
fn calls_nest_ten_deep() {
    let nested = |depth: usize| format!("{}{}", "States.Array(".repeat(depth), ")".repeat(depth));
    assert!(Intrinsic::parse(&nested(10)).is_ok());
    assert!(Intrinsic::parse(&nested(11)).is_err());
    assert!(Intrinsic::parse(&nested(100_000)).is_err());
}

#[test]
fn a_text_does_not_grow_without_end() {
    let call = format!("States.Format('{}'{})", "{}".repeat(100), ", $".repeat(100));
    let failure = Intrinsic::parse(&call).expect("valid").eval(&World::new(&format!("\"{}\"", "x".repeat(200_000))));
    assert!(failure.expect_err("too long").message.ends_with("The text has more than 1048576 bytes"));
}

#[test]
fn chance_comes_from_the_scope() {
    let (world, uuid) = (World::new("{}"), Intrinsic::parse("States.UUID()").expect("valid"));
    let (first, second) = (uuid.eval(&world), uuid.eval(&world));
    assert_ne!(first, second);
    assert_eq!(uuid.eval(&World::new("{}")), first);
}

proptest! {
    #[test]
    fn any_text_is_a_call_or_is_refused(text in "\\PC*") {
        let _ = Intrinsic::parse(&text);
        let _ = Intrinsic::parse(&format!("States.Format({text}"));
    }

    #[test]
    fn what_is_nearly_a_call_is_evaluated(
        name in prop::sample::select(vec!["Format", "Array", "ArrayPartition", "ArrayRange", "MathAdd", "MathRandom", "StringSplit", "Hash"]),
        arguments in r#"('[a{}\\']{0,4}'|[0-9.e\-]{1,12}|\$|\$\.a|\$\.b|null|States\.UUID\(\)|,|, | ){0,9}"#,
    ) {
        if let Ok(call) = Intrinsic::parse(&format!("States.{name}({arguments})")) {
            let _ = call.eval(&World::new(r#"{"a":[1,"{}",-0.5],"b":99999999999}"#));
        }
    }

    #[test]
    fn random_stays_in_its_range(start in any::<i32>(), end in any::<i32>(), seed in any::<i32>()) {
        let drawn = Intrinsic::parse(&format!("States.MathRandom({start}, {end}, {seed})")).expect("valid").eval(&World::new("{}"));
        match drawn {
            Ok(number) => prop_assert!(number.as_i64().is_some_and(|number| (i64::from(start)..i64::from(end)).contains(&number))),
            Err(_) => prop_assert!(start >= end),
        }
    }

    #[test]
    fn a_quoted_text_comes_back(text in "\\PC*") {
        let quoted = text.replace('\\', r"\\").replace('\'', r"\'").replace('{', r"\{").replace('}', r"\}");
        for call in [format!("States.Format('{quoted}')"), format!("States.StringSplit('{quoted}', '')")] {
            let value = Intrinsic::parse(&call).expect("escaped").eval(&World::new("{}")).expect("a text");
            let value = value.as_array().map_or(value.clone(), |items| items.first().cloned().unwrap_or(Json::from("")));
            prop_assert_eq!(value.as_str(), Some(text.as_str()));
        }
    }
}
