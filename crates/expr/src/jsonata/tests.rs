use expect_test::{Expect, expect};

use super::*;
use crate::testing::{World, json, outcomes};

/// What each expression gives as the field `Output`, over the input.
fn check(input: &str, expressions: &str, expected: Expect) {
    let world = World::new(input);
    let outcome = |text: &str| match Expression::parse(text) {
        Ok(expression) => match expression.eval("Output", &world) {
            Ok(value) => value.to_string(),
            Err(fault) => {
                let head = format!("The JSONata expression '{text}' specified for the field 'Output' ");
                fault.text.strip_prefix(&head).expect("every fault begins alike").to_owned()
            }
        },
        Err(error) => format!("syntax error at {}: {}", error.at, error.message),
    };
    expected.assert_eq(&outcomes(expressions, outcome));
}

#[test]
fn states_and_variables() {
    check(
        r#"{"n":3,"list":[{"a":1},{"a":2}],"one":[7],"null":null,"big":9007199254740993,"z":{"b":1,"a":2}}"#,
        r"
        $states.input.n + 1
        $states.input.list.a
        $states.input.list[a = 2]
        $states.input.one
        $states.input.one[]
        $states.input.null
        $states.input.big
        $states.input.z
        $states.context.Execution.Name
        $states.input.none
        $states.result
        $keys($states)
        $limit * 2
        $order.lines.sku
        $名前
        phone
        $
        $$
        ",
        expect![[r#"
            $states.input.n + 1
              4
            $states.input.list.a
              [1,2]
            $states.input.list[a = 2]
              {"a":2}
            $states.input.one
              [7]
            $states.input.one[]
              [7]
            $states.input.null
              syntax error at 14: S0213: The literal value null cannot be used as a step within a path expression
            $states.input.big
              9007199254740993
            $states.input.z
              {"b":1,"a":2}
            $states.context.Execution.Name
              "night-1"
            $states.input.none
              returned nothing (undefined).
            $states.result
              returned nothing (undefined).
            $keys($states)
              ["input","context"]
            $limit * 2
              4
            $order.lines.sku
              ["a","b"]
            $名前
              "é"
            phone
              returned nothing (undefined).
            $
              returned nothing (undefined).
            $$
              returned nothing (undefined).
        "#]],
    );
}

#[test]
fn functions_of_aws() {
    check(
        "{}",
        r#"
        $partition([1,2,3,4,5], 2)
        $partition([1,2,3], 2.9)
        $partition([1,2], 0)
        $range(1, 9, 2)
        $range(5, 1, -2)
        $range(1, 3, 1)
        $range(1, 3, 0)
        $hash('input data', 'SHA-1')
        $hash({'a': 1}, 'MD5')
        $hash('x', 'CRC')
        $random(42)
        $random() < 1
        $uuid()
        $uuid()
        $parse('{"a":[1,2.50]}')
        $parse('[1,')
        $now()
        $millis()
        $now() = $now()
        $eval('1')
        $map([1,2], $partition([1,2,3], ?))
        "#,
        expect![[r#"
            $partition([1,2,3,4,5], 2)
              [[1,2],[3,4],[5]]
            $partition([1,2,3], 2.9)
              [[1,2],[3]]
            $partition([1,2], 0)
              threw an error during evaluation. The chunk size of the partition function must be positive. It was given 0
            $range(1, 9, 2)
              [1,3,5,7,9]
            $range(5, 1, -2)
              [5,3,1]
            $range(1, 3, 1)
              [1,2,3]
            $range(1, 3, 0)
              threw an error during evaluation. The step of the range function must not be 0
            $hash('input data', 'SHA-1')
              "aaff4a450a104cd177d28d18d74485e8cae074b7"
            $hash({'a': 1}, 'MD5')
              "bb6cb5c68df4652941caf652a366f2d8"
            $hash('x', 'CRC')
              threw an error during evaluation. "CRC" is not one of MD5, SHA-1, SHA-256, SHA-384, SHA-512
            $random(42)
              0.7275636800328681
            $random() < 1
              true
            $uuid()
              "00000000-0000-4002-8000-000000000003"
            $uuid()
              "00000000-0000-4004-8000-000000000005"
            $parse('{"a":[1,2.50]}')
              {"a":[1,2.5]}
            $parse('[1,')
              threw an error during evaluation. Unable to parse JSON: Unexpected end-of-input within/between Array entries
            $now()
              "2019-02-26T23:54:31.984Z"
            $millis()
              1551225271984
            $now() = $now()
              true
            $eval('1')
              threw an error during evaluation. T1006: Attempted to invoke a non-function
            $map([1,2], $partition([1,2,3], ?))
              [[[1],[2],[3]],[[1,2],[3]]]
        "#]],
    );
}

#[test]
fn numbers_and_texts() {
    check(
        "{}",
        r#"
        1e3
        1.50
        0.1 + 0.2
        9007199254740992 + 1
        9223372036854775807 + 1
        1 / 0
        -(1 / 0)
        [1 / 0]
        10 / 4
        10 / 5
        5 % 3
        $string(1 / 3)
        'a' & 1 & null & [1, 'b']
        $sum([0.1, 0.2])
        $round(2.5)
        $substring('あいう', 1, 1)
        $contains('abc', /B/i)
        $replace('a/b', /\//, '-')
        $match('ab', /[\w\d]/)[1].index
        $formatNumber(1234.5, '#,##0.00')
        $fromMillis(0, '[Y]-[M01]-[D01]')
        $toMillis('2017-11-07T15:07:54.972Z')
        {'b': 1, 'a': [], 'c': null}
        "#,
        expect![[r#"
            1e3
              1000
            1.50
              1.5
            0.1 + 0.2
              0.30000000000000004
            9007199254740992 + 1
              9007199254740993
            9223372036854775807 + 1
              9.223372036854776e+18
            1 / 0
              "Infinity"
            -(1 / 0)
              threw an error during evaluation. D1001: Number out of range: null
            [1 / 0]
              ["Infinity"]
            10 / 4
              2.5
            10 / 5
              2
            5 % 3
              2
            $string(1 / 3)
              "0.333333333333333"
            'a' & 1 & null & [1, 'b']
              "a1null[1,\"b\"]"
            $sum([0.1, 0.2])
              0.30000000000000004
            $round(2.5)
              2
            $substring('あいう', 1, 1)
              "い"
            $contains('abc', /B/i)
              true
            $replace('a/b', /\//, '-')
              "a-b"
            $match('ab', /[\w\d]/)[1].index
              1
            $formatNumber(1234.5, '#,##0.00')
              "1,234.50"
            $fromMillis(0, '[Y]-[M01]-[D01]')
              "1970-01-01"
            $toMillis('2017-11-07T15:07:54.972Z')
              1510067274972
            {'b': 1, 'a': [], 'c': null}
              {"b":1,"a":[],"c":null}
        "#]],
    );
}

#[test]
fn what_goes_wrong_is_said_as_aws_says_it() {
    check(
        "{}",
        r#"
        $doesNotExist
        $randomSeeded(1)
        $fn := function($x){$x}
        [function($x){$x}]
        {'f': $sum}
        'a' + 1
        1 + 'a'
        1 < 'a'
        $sum('a')
        $sum(['a'])
        $substring(1)
        sum(1)
        -'a'
        {1: 2}
        [1..'a']
        $error('my words')
        $error()
        $assert(false, 'why')
        $number('x')
        $toMillis('x')
        $sqrt(-1)
        $single([1,2])
        "#,
        expect![[r#"
            $doesNotExist
              returned nothing (undefined).
            $randomSeeded(1)
              threw an error during evaluation. T1006: Attempted to invoke a non-function
            $fn := function($x){$x}
              returned an unsupported result type.
            [function($x){$x}]
              returned an unsupported result type.
            {'f': $sum}
              returned an unsupported result type.
            'a' + 1
              threw an error during evaluation. T2001: The left side of the "+" operator must evaluate to a number
            1 + 'a'
              threw an error during evaluation. T2002: The right side of the "+" operator must evaluate to a number
            1 < 'a'
              threw an error during evaluation. T2009: The values 1 and "a" either side of operator "<" must be of the same data type
            $sum('a')
              threw an error during evaluation. T0412: Argument 1 of function "sum" must be an array of "numbers"
            $sum(['a'])
              threw an error during evaluation. T0412: Argument 1 of function "sum" must be an array of "numbers"
            $substring(1)
              returned nothing (undefined).
            sum(1)
              threw an error during evaluation. T1005: Attempted to invoke a non-function. Did you mean $sum?
            -'a'
              threw an error during evaluation. D1002: Cannot negate a non-numeric value: "a"
            {1: 2}
              threw an error during evaluation. T1003: Key in object structure must evaluate to a string; got: 1
            [1..'a']
              threw an error during evaluation. T2004: The right side of the range operator (..) must evaluate to an integer
            $error('my words')
              threw an error during evaluation. D3137: my words
            $error()
              threw an error during evaluation. D3137: $error() function evaluated
            $assert(false, 'why')
              threw an error during evaluation. D3141: why
            $number('x')
              threw an error during evaluation. D3030: Unable to cast value to a number: "x"
            $toMillis('x')
              threw an error during evaluation. D3110: The argument of the toMillis function must be an ISO 8601 formatted timestamp. Given "x"
            $sqrt(-1)
              threw an error during evaluation. D3060: The sqrt function cannot be applied to a negative number: -1
            $single([1,2])
              threw an error during evaluation. D3138: The $single() function expected exactly 1 matching result.  Instead it matched more.
        "#]],
    );
}

#[test]
fn what_is_no_expression_is_refused() {
    check(
        "{}",
        r#"
        1 +
        (1
        [1, 2
        'a
        $a ?? 1
        $a ?: 1
        1 := 2
        a.1
        /(/
        /(?=a)/
        1 2
        )
        "#,
        expect![[r#"
            1 +
              syntax error at 3: S0207: Unexpected end of expression
            (1
              syntax error at 2: S0203: Expected ")" before end of expression
            [1, 2
              syntax error at 5: S0203: Expected "]" before end of expression
            'a
              syntax error at 2: S0101: String literal must be terminated by a matching quote
            $a ?? 1
              syntax error at 3: S0204: Unknown operator: "??"
            $a ?: 1
              syntax error at 3: S0204: Unknown operator: "?:"
            1 := 2
              syntax error at 0: S0212: The left side of := must be a variable name (start with $)
            a.1
              syntax error at 2: S0213: The literal value 1 cannot be used as a step within a path expression
            /(/
              syntax error at 3: S0302: No terminating / in regular expression
            /(?=a)/
              syntax error at 1: S0303: Invalid regular expression: "look-around is not supported"
            1 2
              syntax error at 2: S0201: Syntax error: "2"
            )
              syntax error at 0: S0211: The symbol ")" cannot be used as a unary operator
        "#]],
    );
}

#[test]
fn a_value_of_another_kind_is_named() {
    let world = World::new("{}");
    for (source, text) in [
        (
            "1",
            "'1' specified for the field 'Items' returned an unexpected result type. Expected 'array', but was 'number' for value: 1",
        ),
        (
            "'string'",
            "''string'' specified for the field 'Items' returned an unexpected result type. Expected 'array', but was 'string' for value: \"string\"",
        ),
        (
            "{'foo': 'bar'}",
            "'{'foo': 'bar'}' specified for the field 'Items' returned an unexpected result type. Expected 'array', but was 'object' for value: {\"foo\":\"bar\"}",
        ),
    ] {
        let template = Template::parse(&Json::from(format!("{{% {source} %}}"))).expect("an expression");
        let fault = template.eval_as("Items", Kind::Array, &world).expect_err("no array");
        assert_eq!(fault.text, format!("The JSONata expression {text}"));
        assert_eq!(fault.location.as_deref(), Some("Items"));
    }
}

#[test]
fn what_is_not_changed_is_shared() {
    let world = World::new(r#"{"a":{"b":[1,2]}}"#);
    let expression = Expression::parse("{'x': $states.input.a}").expect("an expression");
    let value = expression.eval("Output", &world).expect("a value");
    let original = crate::Scope::input(&world).get("a").expect("there");
    assert!(value.get("x").expect("there").same(original));
    assert!(json("1") == Expression::parse("1").expect("one").eval("Output", &world).expect("one"));
}
