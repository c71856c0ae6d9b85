use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::testing::{World, json, outcomes, shown};

/// What each path gives over the input.
fn check(input: &str, paths: &str, expected: Expect) {
    let world = World::new(input);
    expected.assert_eq(&outcomes(paths, |path| shown(Path::parse(path), |path| path.eval(&world))));
}

/// The bookstore of Jayway's documentation.
const STORE: &str = r#"{
    "store": {
        "book": [
            {"category": "reference", "author": "Nigel Rees", "title": "Sayings of the Century", "price": 8.95},
            {"category": "fiction", "author": "Evelyn Waugh", "title": "Sword of Honour", "price": 12.99},
            {"category": "fiction", "author": "Herman Melville", "title": "Moby Dick", "isbn": "0-553-21311-3", "price": 8.99},
            {"category": "fiction", "author": "J. R. R. Tolkien", "title": "The Lord of the Rings", "isbn": "0-395-19395-8", "price": 22.99}
        ],
        "bicycle": {"color": "red", "price": 19.95}
    },
    "expensive": 10
}"#;

#[test]
fn the_bookstore() {
    check(
        STORE,
        r"
        $.store.book[*].author
        $..author
        $.store.bicycle.*
        $.store..price
        $..book[2].title
        $..book[-2].title
        $..book[0,1].title
        $..book[:2].title
        $..book[1:2].title
        $..book[-2:].title
        $..book[2:].title
        $..book[?(@.isbn)].title
        $.store.book[?(@.price < 10)].title
        $..book[?(@.price <= $['expensive'])].title
        $..book[?(@.author =~ /.*REES/i)].title
        $..book.length()
        $.store.book.size()
        $..price.sum()
        $.store.bicycle.keys()
        $..book[?(@.category in ['reference'] || @.price > 20)].price
        $..book[?(@.category == 'fiction' && !(@.isbn))].title
        ",
        expect![[r#"
            $.store.book[*].author
              ["Nigel Rees","Evelyn Waugh","Herman Melville","J. R. R. Tolkien"]
            $..author
              ["Nigel Rees","Evelyn Waugh","Herman Melville","J. R. R. Tolkien"]
            $.store.bicycle.*
              ["red",19.95]
            $.store..price
              [8.95,12.99,8.99,22.99,19.95]
            $..book[2].title
              ["Moby Dick"]
            $..book[-2].title
              ["Moby Dick"]
            $..book[0,1].title
              ["Sayings of the Century","Sword of Honour"]
            $..book[:2].title
              ["Sayings of the Century","Sword of Honour"]
            $..book[1:2].title
              ["Sword of Honour"]
            $..book[-2:].title
              ["Moby Dick","The Lord of the Rings"]
            $..book[2:].title
              ["Moby Dick","The Lord of the Rings"]
            $..book[?(@.isbn)].title
              ["Moby Dick","The Lord of the Rings"]
            $.store.book[?(@.price < 10)].title
              ["Sayings of the Century","Moby Dick"]
            $..book[?(@.price <= $['expensive'])].title
              ["Sayings of the Century","Moby Dick"]
            $..book[?(@.author =~ /.*REES/i)].title
              ["Sayings of the Century"]
            $..book.length()
              4
            $.store.book.size()
              4
            $..price.sum()
              73.87
            $.store.bicycle.keys()
              ["color","price"]
            $..book[?(@.category in ['reference'] || @.price > 20)].price
              [8.95,22.99]
            $..book[?(@.category == 'fiction' && !(@.isbn))].title
              ["Sword of Honour"]
        "#]],
    );
}

#[test]
fn names() {
    check(
        r#"{"k-d":1,"あ":2,"a b":3,"x.y":4,"it's":5,"say \"x\"":6,"T\\\"":7,"a":{"@t":8,"b:c":9},"":10,"_1":11,"1":12,"length":13}"#,
        r#"
        $.k-d
        $.あ
        $['a b']
        $["a b"]
        $['x.y']
        $['it\'s']
        $["it's"]
        $['say "x"']
        $['T\"']
        $.a.@t
        $.a.b:c
        $['']
        $._1
        $.1
        $.length
        $['1','_1','gone']
        $['a']['@t','b:c']
        $['a','_1']['@t','b:c']
        "#,
        expect![[r#"
            $.k-d
              1
            $.あ
              2
            $['a b']
              3
            $["a b"]
              3
            $['x.y']
              4
            $['it\'s']
              5
            $["it's"]
              5
            $['say "x"']
              6
            $['T\"']
              7
            $.a.@t
              8
            $.a.b:c
              9
            $['']
              10
            $._1
              11
            $.1
              12
            $.length
              13
            $['1','_1','gone']
              {"1":12,"_1":11}
            $['a']['@t','b:c']
              {"@t":8,"b:c":9}
            $['a','_1']['@t','b:c']
              [{"@t":8,"b:c":9}]
        "#]],
    );
}

#[test]
fn roots() {
    check(
        r#"{"a":1}"#,
        "
        $
        $$.Execution.Name
        $$['Execution'].Input.n[1]
        $$.State
        $limit
        $order.id
        $order.lines[*].sku
        $名前
        $gone
        $gone.a
        $order.gone
        $$.Execution.Gone
        ",
        expect![[r#"
            $
              {"a":1}
            $$.Execution.Name
              "night-1"
            $$['Execution'].Input.n[1]
              2
            $$.State
              {"Name":"S"}
            $limit
              2
            $order.id
              7
            $order.lines[*].sku
              ["a","b"]
            $名前
              "é"
            $gone
              Missing: The variable '$gone' has no value
            $gone.a
              Missing: The variable '$gone' has no value
            $order.gone
              Missing: No results for path: $['gone']
            $$.Execution.Gone
              Missing: No results for path: $['Execution']['Gone']
        "#]],
    );
}

#[test]
fn a_definite_path_finds_or_fails() {
    check(
        r#"{"a":{"b":[1,[2]],"s":"x","n":null},"e":[]}"#,
        "
        $.a.b[0]
        $.a.b[-1][0]
        $.a.n
        $.X
        $.a.X
        $.no.such.result.path
        $.a.b[7]
        $.a.b[-7]
        $.a.b[1][0].c
        $.a.s.t
        $.a.s[0]
        $.a.n[0]
        $.a.n.x
        $.a.b.x
        $.a.b[0][0]
        $.a[0]
        $.X.length()
        ",
        expect![[r#"
            $.a.b[0]
              1
            $.a.b[-1][0]
              2
            $.a.n
              null
            $.X
              Missing: No results for path: $['X']
            $.a.X
              Missing: No results for path: $['a']['X']
            $.no.such.result.path
              Missing: Missing property in path $['no']
            $.a.b[7]
              Missing: No results for path: $['a']['b'][7]
            $.a.b[-7]
              Missing: No results for path: $['a']['b'][-7]
            $.a.b[1][0].c
              Missing: Expected to find an object with property ['c'] in path $['a']['b'][1][0] but found 'java.lang.Integer'. This is not a json object according to the JsonProvider: 'com.jayway.jsonpath.spi.json.JsonSmartJsonProvider'.
            $.a.s.t
              Missing: Expected to find an object with property ['t'] in path $['a']['s'] but found 'java.lang.String'. This is not a json object according to the JsonProvider: 'com.jayway.jsonpath.spi.json.JsonSmartJsonProvider'.
            $.a.s[0]
              Missing: Filter: [0] can only be applied to arrays. Current context is: x
            $.a.n[0]
              Missing: The path $['a']['n'] is null
            $.a.n.x
              Missing: Expected to find an object with property ['x'] in path $['a']['n'] but found 'null'. This is not a json object according to the JsonProvider: 'com.jayway.jsonpath.spi.json.JsonSmartJsonProvider'.
            $.a.b.x
              Missing: Expected to find an object with property ['x'] in path $['a']['b'] but found 'java.util.ArrayList'. This is not a json object according to the JsonProvider: 'com.jayway.jsonpath.spi.json.JsonSmartJsonProvider'.
            $.a.b[0][0]
              Missing: Filter: [0] can only be applied to arrays. Current context is: 1
            $.a[0]
              Missing: Filter: [0] can only be applied to arrays. Current context is: {b=[1, [2]], s=x, n=null}
            $.X.length()
              Missing: Missing property in path $['X']
        "#]],
    );
}

#[test]
fn an_indefinite_path_gives_an_array() {
    check(
        r#"{"a":[1,2,3],"o":{"x":{"y":1},"z":2}}"#,
        "
        $.gone[*]
        $.gone.deeper[1:]
        $.gone[1:5].value
        $..gone
        $.a[1:]
        $.a[:1]
        $.a[-2:]
        $.a[:-1]
        $.a[1:9]
        $.a[5:]
        $.a[0,2,9]
        $.a[*].x
        $.o.*
        $.o.*.y
        $.o..y
        $..*
        $..[0]
        $.a[?(@ > 1)]
        $.o.z[*]
        $.o[0:1]
        $.o[?(@.z == 2)].x
        $.o.z[?(@ == 2)]
        ",
        expect![[r#"
            $.gone[*]
              []
            $.gone.deeper[1:]
              []
            $.gone[1:5].value
              []
            $..gone
              []
            $.a[1:]
              [2,3]
            $.a[:1]
              [1]
            $.a[-2:]
              [2,3]
            $.a[:-1]
              [1,2]
            $.a[1:9]
              [2,3]
            $.a[5:]
              []
            $.a[0,2,9]
              [1,3]
            $.a[*].x
              []
            $.o.*
              [{"y":1},2]
            $.o.*.y
              [1]
            $.o..y
              [1]
            $..*
              [[1,2,3],{"x":{"y":1},"z":2},1,2,3,{"y":1},2,1]
            $..[0]
              [1]
            $.a[?(@ > 1)]
              [2,3]
            $.o.z[*]
              []
            $.o[0:1]
              []
            $.o[?(@.z == 2)].x
              [{"y":1}]
            $.o.z[?(@ == 2)]
              Other: Filter: [?] can not be applied to primitives. Current context is: 2
        "#]],
    );
}

#[test]
fn filters() {
    check(
        r#"{"min":2,"l":[{"a":1,"s":"one"},{"a":2,"s":"two","t":[1,2],"z":null},{"a":"2","f":false,"e":[]},{"b":{"c":3}},5,"x",null]}"#,
        r#"
        $.l[?(@.a)].a
        $.l[?(@.z)].a
        $.l[?(@.f)].a
        $.l[?(!@.a)]
        $.l[?(@.a == 2)].a
        $.l[?(@.a === 2)].a
        $.l[?(@.a == '2')].a
        $.l[?(@.a != 1)].a
        $.l[?(@.a >= 1 && @.a <= 1)].a
        $.l[?(@.a > $.min)].a
        $.l[?(@.a < $limit)].a
        $.l[?(@.a == $$.Execution.Input.n[0])].a
        $.l[?(@.s == 'one' || @.s == "two")].a
        $.l[?((@.a == 1 || @.a == 2) && @.t)].a
        $.l[?(@.b.c > 2)]
        $.l[?(@['s'] == 'two')].a
        $.l[?(@.s in ['two', 'three'])].a
        $.l[?(@.s nin ['two', 'three'])].s
        $.l[?('t' in @.t)]
        $.l[?(@.t contains 2)].a
        $.l[?(@.s contains 'w')].a
        $.l[?(@.t subsetof [1,2,3])].a
        $.l[?(@.t anyof [2,9])].a
        $.l[?(@.t noneof [8,9])].a
        $.l[?(@.t all [1])].a
        $.l[?(@.s size 3)].s
        $.l[?(@.e empty true)].a
        $.l[?(@.t empty false)].a
        $.l[?(@.z == null)].a
        $.l[?(@.f == false)].a
        $.l[?(@.s =~ /T.*/i)].s
        $.l[?(@.s =~ /w/)].s
        $.l[?(@.s =~ /o|t\/|t../)].s
        $.l[?(@ == 5)]
        $.l[?(@.t.length() == 2)].a
        $.l[?(@.a==1&&@.s=='one')].a
        $.l[?( @.t == [1,2] )].a
        $.l[?(@.b == {"c":3})]
        $.l[?(2 == @.a)].a
        "#,
        expect![[r#"
            $.l[?(@.a)].a
              [1,2,"2"]
            $.l[?(@.z)].a
              [2]
            $.l[?(@.f)].a
              ["2"]
            $.l[?(!@.a)]
              [{"b":{"c":3}},5,"x",null]
            $.l[?(@.a == 2)].a
              [2,"2"]
            $.l[?(@.a === 2)].a
              [2,"2"]
            $.l[?(@.a == '2')].a
              [2,"2"]
            $.l[?(@.a != 1)].a
              [2,"2"]
            $.l[?(@.a >= 1 && @.a <= 1)].a
              [1]
            $.l[?(@.a > $.min)].a
              []
            $.l[?(@.a < $limit)].a
              [1]
            $.l[?(@.a == $$.Execution.Input.n[0])].a
              [1]
            $.l[?(@.s == 'one' || @.s == "two")].a
              [1,2]
            $.l[?((@.a == 1 || @.a == 2) && @.t)].a
              [2]
            $.l[?(@.b.c > 2)]
              [{"b":{"c":3}}]
            $.l[?(@['s'] == 'two')].a
              [2]
            $.l[?(@.s in ['two', 'three'])].a
              [2]
            $.l[?(@.s nin ['two', 'three'])].s
              ["one"]
            $.l[?('t' in @.t)]
              []
            $.l[?(@.t contains 2)].a
              [2]
            $.l[?(@.s contains 'w')].a
              [2]
            $.l[?(@.t subsetof [1,2,3])].a
              [2]
            $.l[?(@.t anyof [2,9])].a
              [2]
            $.l[?(@.t noneof [8,9])].a
              [2]
            $.l[?(@.t all [1])].a
              [2]
            $.l[?(@.s size 3)].s
              ["one","two"]
            $.l[?(@.e empty true)].a
              ["2"]
            $.l[?(@.t empty false)].a
              [2]
            $.l[?(@.z == null)].a
              [2]
            $.l[?(@.f == false)].a
              ["2"]
            $.l[?(@.s =~ /T.*/i)].s
              ["two"]
            $.l[?(@.s =~ /w/)].s
              []
            $.l[?(@.s =~ /o|t\/|t../)].s
              ["two"]
            $.l[?(@ == 5)]
              [5]
            $.l[?(@.t.length() == 2)].a
              [2]
            $.l[?(@.a==1&&@.s=='one')].a
              [1]
            $.l[?( @.t == [1,2] )].a
              [2]
            $.l[?(@.b == {"c":3})]
              [{"b":{"c":3}}]
            $.l[?(2 == @.a)].a
              [2,"2"]
        "#]],
    );
}

#[test]
fn functions() {
    check(
        r#"{"n":[1,2,3.5],"s":["a","b"],"o":{"x":1,"y":2},"e":[],"t":"text"}"#,
        "
        $.n.length()
        $.o.length()
        $.t.length()
        $.length()
        $.n.min()
        $.n.max()
        $.n.avg()
        $.n.sum()
        $.n.stddev()
        $.n.sum(1, $.o.x, $.n)
        $.e.sum()
        $.s.sum()
        $.o.keys()
        $.n.keys()
        $.n.first()
        $.n.last()
        $.n.index(1)
        $.n.index(-1)
        $.n.index(9)
        $.e.first()
        $.s.concat('-', $.t)
        $.s.append('c')
        $.n[*].sum()
        $.o.*.max()
        ",
        expect![[r#"
            $.n.length()
              3
            $.o.length()
              2
            $.t.length()
              null
            $.length()
              5
            $.n.min()
              1.0
            $.n.max()
              3.5
            $.n.avg()
              2.1666666666666665
            $.n.sum()
              6.5
            $.n.stddev()
              1.027402333828163
            $.n.sum(1, $.o.x, $.n)
              15.0
            $.e.sum()
              Other: Aggregation function attempted to calculate value using empty array
            $.s.sum()
              Other: Aggregation function attempted to calculate value using empty array
            $.o.keys()
              ["x","y"]
            $.n.keys()
              null
            $.n.first()
              1
            $.n.last()
              3.5
            $.n.index(1)
              2
            $.n.index(-1)
              3.5
            $.n.index(9)
              Other: Target index:9 larger than object count:3
            $.e.first()
              Other: Aggregation function attempted to calculate value using empty array
            $.s.concat('-', $.t)
              "ab-text"
            $.s.append('c')
              ["a","b","c"]
            $.n[*].sum()
              6.5
            $.o.*.max()
              2.0
        "#]],
    );
}

#[test]
fn what_is_not_a_path() {
    check(
        "{}",
        "
        a
        @.a
        $.
        $..
        $.a.
        $.a b
        $[
        $[]
        $['a
        $['a'
        $['a' 'b']
        $[a]
        $[0
        $[1:2:3]
        $[:]
        $[99999999999]
        $[0,]
        $.a]
        $.a)
        $.a,b
        $1
        $.a.nope()
        $.a.length(1)
        $.a.length().b
        $.a[?(@.b]
        $.a[?@.b]
        $.a[?()]
        $.a[?(@.b == )]
        $.a[?(@.b == x)]
        $.a[?(@.b =~ /(/)]
        $.a[?(@.b =~ /a/q)]
        $.a[?(@.b =~ /(?=a)/)]
        $.a[?(1)]
        ",
        expect![[r#"
            a
              syntax error at 0: a path starts with '$'
            @.a
              syntax error at 0: a path starts with '$'
            $.
              syntax error at 2: a path must not end with a '.' or '..'
            $..
              syntax error at 3: a path must not end with a '.' or '..'
            $.a.
              syntax error at 4: a path must not end with a '.' or '..'
            $.a b
              syntax error at 3: unexpected ' ' in a path
            $[
              syntax error at 2: after '[' comes a quoted name, an index, ':', '*' or '?('
            $[]
              syntax error at 2: after '[' comes a quoted name, an index, ':', '*' or '?('
            $['a
              syntax error at 4: a quoted name is not closed
            $['a'
              syntax error at 5: expected ']'
            $['a' 'b']
              syntax error at 6: expected ']'
            $[a]
              syntax error at 2: after '[' comes a quoted name, an index, ':', '*' or '?('
            $[0
              syntax error at 3: expected ']'
            $[1:2:3]
              syntax error at 5: expected ']'
            $[:]
              syntax error at 3: a slice has a start or an end
            $[99999999999]
              syntax error at 2: '99999999999' is not an index
            $[0,]
              syntax error at 4: expected an index
            $.a]
              syntax error at 3: unexpected ']' in a path
            $.a)
              syntax error at 3: unexpected ')' in a path
            $.a,b
              syntax error at 3: unexpected ',' in a path
            $1
              syntax error at 2: a variable's name does not begin with a digit
            $.a.nope()
              syntax error at 4: there is no function 'nope()' in paths
            $.a.length(1)
              syntax error at 4: the function 'length()' does not take 1 arguments
            $.a.length().b
              syntax error at 12: unexpected '.' in a path
            $.a[?(@.b]
              syntax error at 9: expected ')'
            $.a[?@.b]
              syntax error at 5: expected '('
            $.a[?()]
              syntax error at 6: '' is not a value in a filter
            $.a[?(@.b == )]
              syntax error at 13: '' is not a value in a filter
            $.a[?(@.b == x)]
              syntax error at 13: 'x' is not a value in a filter
            $.a[?(@.b =~ /(/)]
              syntax error at 13: '/(/' is not a regular expression: found open group without closing ')'
            $.a[?(@.b =~ /a/q)]
              syntax error at 13: there is no flag 'q' of regular expressions
            $.a[?(@.b =~ /(?=a)/)]
              syntax error at 13: '/(?=a)/' is not a regular expression: look-around is not supported
            $.a[?(1)]
              syntax error at 7: expected an operator in a filter
        "#]],
    );
}

#[test]
fn depth_and_work_have_an_end() {
    let deep_filter = format!("$[?({}@.a{})]", "(".repeat(10_000), ")".repeat(10_000));
    let deep_not = format!("$[?({}@.a)]", "!".repeat(100_000));
    let deep_list = format!("$[?(@ == {})]", "[".repeat(100_000));
    let deep_query = "$[?(@".repeat(100_000);
    let long = format!("${}", ".a".repeat(10_000));
    for path in [&deep_filter, &deep_not, &deep_list, &deep_query, &long] {
        assert!(Path::parse(path).is_err());
    }
    let numbers = Json::array((0..40_000).map(|n| Json::from(n as i64))).to_string();
    let text = Json::from("ab".repeat(60_000)).to_string();
    let world = World::new(&format!(r#"{{"l":{numbers},"m":{numbers},"t":{text}}}"#));
    for path in [
        "$.l[?($.l[?($.l[?(@ > 0)])])]",
        "$.l[?($.l == $.m)]",
        "$.l[?(@ in $.m)]",
        "$.l[?($.l subsetof $.m)]",
        "$.l[?($.l.sum() > 1)]",
        "$.l[?($.t =~ /(a|b)*c/)]",
        "$.l[?($.t contains 'ac')]",
    ] {
        let failure = Path::parse(path).expect("a path").eval(&world).expect_err("too much work");
        assert_eq!(failure.message, "The path looks at more than 4000000 values", "{path}");
    }
    assert!(Path::parse("$[?(@ =~ /((a{100}){100}){100}/)]").is_err());
}

#[test]
fn a_definite_path_shares_what_it_finds() {
    let world = World::new(r#"{"a":{"b":{"c":1}}}"#);
    let found = Path::parse("$.a.b").expect("a path").eval(&world).expect("found");
    assert!(found.same(world.input().get("a").and_then(|a| a.get("b")).expect("there")));
}

/// Sets `"NEW"` at each path.
fn check_set(input: &str, paths: &str, expected: Expect) {
    let set = |path: ReferencePath| path.set(&json(input), Json::from("NEW"));
    expected.assert_eq(&outcomes(paths, |path| shown(ReferencePath::parse(path), set)));
}

#[test]
fn a_reference_path_sets() {
    check_set(
        r#"{"a":{"b":1},"l":[1,{"x":2}],"s":"t","n":null}"#,
        "
        $
        $.a
        $.a.b
        $.a.c
        $.new
        $.new.deep.er
        $['x.y']['z']
        $.l[0]
        $.l[-1]
        $.l[1].x
        $.l[1].y.z
        $.l[2]
        $.l.x
        $.s.x
        $.n.x
        $.new[0]
        $.a[0]
        $$.a
        $order.id
        ",
        expect![[r#"
            $
              "NEW"
            $.a
              {"a":"NEW","l":[1,{"x":2}],"s":"t","n":null}
            $.a.b
              {"a":{"b":"NEW"},"l":[1,{"x":2}],"s":"t","n":null}
            $.a.c
              {"a":{"b":1,"c":"NEW"},"l":[1,{"x":2}],"s":"t","n":null}
            $.new
              {"a":{"b":1},"l":[1,{"x":2}],"s":"t","n":null,"new":"NEW"}
            $.new.deep.er
              {"a":{"b":1},"l":[1,{"x":2}],"s":"t","n":null,"new":{"deep":{"er":"NEW"}}}
            $['x.y']['z']
              {"a":{"b":1},"l":[1,{"x":2}],"s":"t","n":null,"x.y":{"z":"NEW"}}
            $.l[0]
              {"a":{"b":1},"l":["NEW",{"x":2}],"s":"t","n":null}
            $.l[-1]
              {"a":{"b":1},"l":[1,"NEW"],"s":"t","n":null}
            $.l[1].x
              {"a":{"b":1},"l":[1,{"x":"NEW"}],"s":"t","n":null}
            $.l[1].y.z
              {"a":{"b":1},"l":[1,{"x":2,"y":{"z":"NEW"}}],"s":"t","n":null}
            $.l[2]
              Other: Unable to apply ReferencePath $.l[2] to input {"a":{"b":1},"l":[1,{"x":2}],"s":"t","n":null}
            $.l.x
              Other: Unable to apply ReferencePath $.l.x to input {"a":{"b":1},"l":[1,{"x":2}],"s":"t","n":null}
            $.s.x
              Other: Unable to apply ReferencePath $.s.x to input {"a":{"b":1},"l":[1,{"x":2}],"s":"t","n":null}
            $.n.x
              Other: Unable to apply ReferencePath $.n.x to input {"a":{"b":1},"l":[1,{"x":2}],"s":"t","n":null}
            $.new[0]
              Other: Unable to apply ReferencePath $.new[0] to input {"a":{"b":1},"l":[1,{"x":2}],"s":"t","n":null}
            $.a[0]
              Other: Unable to apply ReferencePath $.a[0] to input {"a":{"b":1},"l":[1,{"x":2}],"s":"t","n":null}
            $$.a
              Other: Unable to apply ReferencePath $$.a to input {"a":{"b":1},"l":[1,{"x":2}],"s":"t","n":null}
            $order.id
              Other: Unable to apply ReferencePath $order.id to input {"a":{"b":1},"l":[1,{"x":2}],"s":"t","n":null}
        "#]],
    );
    check_set(
        "[1]",
        "$.a\n$[0]",
        expect![[r#"
        $.a
          Other: Unable to apply ReferencePath $.a to input [1]
        $[0]
          ["NEW"]
    "#]],
    );
    check_set(
        "\"text\"",
        "$.a\n$",
        expect![[r#"
        $.a
          Other: Unable to apply ReferencePath $.a to input "text"
        $
          "NEW"
    "#]],
    );
}

#[test]
fn a_reference_path_names_a_single_place() {
    check_set(
        "{}",
        "
        $.a[*]
        $..a
        $.a[0,1]
        $['a','b']
        $.a[1:]
        $.a[?(@.b)]
        $.a.length()
        $.a:b
        $.@a
        $.a?
        $.a*
        $['a:b']
        a
        ",
        expect![[r#"
            $.a[*]
              syntax error at 0: '$.a[*]' must name a single place: it may not use '@', ',', ':', '?', '*', '..' or functions
            $..a
              syntax error at 0: '$..a' must name a single place: it may not use '@', ',', ':', '?', '*', '..' or functions
            $.a[0,1]
              syntax error at 0: '$.a[0,1]' must name a single place: it may not use '@', ',', ':', '?', '*', '..' or functions
            $['a','b']
              syntax error at 0: '$['a','b']' must name a single place: it may not use '@', ',', ':', '?', '*', '..' or functions
            $.a[1:]
              syntax error at 0: '$.a[1:]' must name a single place: it may not use '@', ',', ':', '?', '*', '..' or functions
            $.a[?(@.b)]
              syntax error at 0: '$.a[?(@.b)]' must name a single place: it may not use '@', ',', ':', '?', '*', '..' or functions
            $.a.length()
              syntax error at 0: '$.a.length()' must name a single place: it may not use '@', ',', ':', '?', '*', '..' or functions
            $.a:b
              syntax error at 0: '$.a:b' must name a single place: it may not use '@', ',', ':', '?', '*', '..' or functions
            $.@a
              syntax error at 0: '$.@a' must name a single place: it may not use '@', ',', ':', '?', '*', '..' or functions
            $.a?
              syntax error at 0: '$.a?' must name a single place: it may not use '@', ',', ':', '?', '*', '..' or functions
            $.a*
              syntax error at 0: '$.a*' must name a single place: it may not use '@', ',', ':', '?', '*', '..' or functions
            $['a:b']
              {"a:b":"NEW"}
            a
              syntax error at 0: a path starts with '$'
        "#]],
    );
}

prop_compose! {
    fn step()(step in prop_oneof![Just(".a"), Just(".b-c"), Just("['x y']"), Just(".あ"), Just("[0]"), Just("[1]"), Just("[-1]")]) -> &'static str {
        step
    }
}

fn document() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![Just(Json::Null), any::<i64>().prop_map(Json::from), "[a-z]{0,3}".prop_map(Json::from)];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Json::array),
            prop::collection::vec((prop_oneof![Just("a"), Just("b-c"), Just("x y"), Just("あ")], inner), 0..3)
                .prop_map(Json::object),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_is_a_path_or_is_refused(text in "\\PC*") {
        let _ = Path::parse(&text);
        let _ = Path::parse(&format!("${text}"));
    }

    #[test]
    fn what_is_nearly_a_path_is_evaluated(tail in r#"(\.a|\.\.|\[0\]|\[\*\]|\[1:\]|\[\?\(|@|==|=~|/a/|'|"|&&|\|\||!|\(|\)|\]|\[|,|:|-|\$|length\(\)| |in|é){0,14}"#, document in document()) {
        if let Ok(path) = Path::parse(&format!("${tail}")) {
            let world = World::new(&document.to_string());
            let _ = path.eval(&world);
        }
    }

    #[test]
    fn what_was_set_is_found(steps in prop::collection::vec(step(), 0..4), document in document()) {
        let path = ReferencePath::parse(&format!("${}", steps.concat())).expect("a reference path");
        if let Ok(set) = path.set(&document, Json::from("NEW")) {
            let world = World::new(&set.to_string());
            prop_assert_eq!(path.eval(&world), Ok(Json::from("NEW")));
        }
    }

    #[test]
    fn setting_twice_is_setting_once(steps in prop::collection::vec(step(), 0..4), document in document()) {
        let path = ReferencePath::parse(&format!("${}", steps.concat())).expect("a reference path");
        if let Ok(once) = path.set(&document, Json::from(1_i64)) {
            prop_assert_eq!(path.set(&once, Json::from(1_i64)), Ok(once));
        }
    }

    #[test]
    fn what_is_found_can_be_set(steps in prop::collection::vec(step(), 0..4), document in document()) {
        let path = ReferencePath::parse(&format!("${}", steps.concat())).expect("a reference path");
        let world = World::new(&document.to_string());
        if let Ok(found) = path.eval(&world) {
            prop_assert_eq!(path.set(world.input(), found), Ok(document));
        }
    }
}
