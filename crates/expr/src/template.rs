//! Payload templates: JSON in which a key ending in `.$` has a path or a call as its value.

use std::sync::Arc;

use base::{Json, Object};

use crate::intrinsic::Intrinsic;
use crate::{Failure, FailureKind, Path, Scope, SyntaxError};

/// A compiled template.
#[derive(Debug, Clone)]
pub struct Template {
    source: Json,
    node: Arc<Node>,
}

/// A member whose value is neither a path nor a call. `field` is the key with its `.$`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadField {
    pub field: String,
    /// The keys from the template's top to the object that holds `field`; an array's item adds its
    /// index to the key, as in `list[0]`.
    pub at: Vec<String>,
}

/// What stands where a value is computed: a path, or a call.
#[derive(Debug, Clone)]
pub enum Expression {
    Path(Path),
    Call(Intrinsic),
}

#[derive(Debug)]
enum Node {
    /// Nothing in it is computed: shared with the source.
    Constant(Json),
    Object(Vec<(Arc<str>, Node)>),
    Array(Vec<Node>),
    /// `field` is the key with its `.$`.
    Computed {
        field: Arc<str>,
        expression: Expression,
    },
}

impl Template {
    pub fn parse(source: &Json) -> Result<Template, Vec<BadField>> {
        let mut compiler = Compiler { at: Vec::new(), bad: Vec::new() };
        let node = compiler.node(source);
        if !compiler.bad.is_empty() {
            return Err(compiler.bad);
        }
        Ok(Template { source: source.clone(), node: Arc::new(node) })
    }

    pub fn source(&self) -> &Json {
        &self.source
    }

    /// The expressions in it, in the order of the text.
    pub fn expressions(&self) -> Vec<&Expression> {
        let mut expressions = Vec::new();
        self.node.expressions(&mut expressions);
        expressions
    }

    /// A path that finds nothing fails with
    /// `The JSONPath '$.x' specified for the field 'key.$' could not be found in the input '<json>'`.
    pub fn eval(&self, scope: &dyn Scope) -> Result<Json, Failure> {
        self.node.eval(scope)
    }
}

/// What `path` finds, for the field named `field`; when it finds nothing, the failure speaks as a
/// template's does. (`ErrorPath`, `CausePath`)
pub fn eval_field(path: &Path, field: &str, scope: &dyn Scope) -> Result<Json, Failure> {
    path.eval(scope).map_err(|failure| match failure.kind {
        FailureKind::Missing => {
            let (path, input) = (path.text(), scope.input());
            let message = format!(
                "The JSONPath '{path}' specified for the field '{field}' could not be found in the input '{input}'"
            );
            Failure { kind: FailureKind::Missing, message }
        }
        FailureKind::Intrinsic | FailureKind::Other => failure,
    })
}

impl Expression {
    /// A text that begins with `$` is a path, any other must be a call.
    pub fn parse(text: &str) -> Result<Expression, SyntaxError> {
        if text.starts_with('$') {
            Path::parse(text).map(Expression::Path)
        } else {
            Intrinsic::parse(text).map(Expression::Call)
        }
    }

    pub fn text(&self) -> &str {
        match self {
            Expression::Path(path) => path.text(),
            Expression::Call(call) => call.text(),
        }
    }

    /// The paths in it.
    pub fn paths(&self) -> Vec<&Path> {
        match self {
            Expression::Path(path) => vec![path],
            Expression::Call(call) => call.paths(),
        }
    }

    /// The value for the field named `field`, as in [`eval_field`].
    pub fn eval_field(&self, field: &str, scope: &dyn Scope) -> Result<Json, Failure> {
        match self {
            Expression::Path(path) => eval_field(path, field, scope),
            Expression::Call(call) => call.eval(scope),
        }
    }
}

struct Compiler {
    at: Vec<String>,
    bad: Vec<BadField>,
}

/// Recursion is as deep as the source, which came from a text and is therefore shallow.
impl Compiler {
    fn node(&mut self, source: &Json) -> Node {
        match source {
            Json::Object(members) => self.object(source, members),
            Json::Array(items) => self.array(source, items),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => Node::Constant(source.clone()),
        }
    }

    fn object(&mut self, source: &Json, members: &Object) -> Node {
        let mut nodes: Vec<(Arc<str>, Node)> = Vec::with_capacity(members.len());
        for (key, value) in members {
            match key.strip_suffix(".$") {
                Some(name) => nodes.push((name.into(), self.computed(key, value))),
                None => {
                    self.at.push(key.to_string());
                    nodes.push((key.clone(), self.node(value)));
                    self.at.pop();
                }
            }
        }
        let is_constant = nodes.iter().all(|(_, node)| matches!(node, Node::Constant(_)));
        if is_constant { Node::Constant(source.clone()) } else { Node::Object(nodes) }
    }

    fn array(&mut self, source: &Json, items: &[Json]) -> Node {
        let key = self.at.pop();
        let mut nodes = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            self.at.push(format!("{}[{index}]", key.as_deref().unwrap_or_default()));
            nodes.push(self.node(item));
            self.at.pop();
        }
        self.at.extend(key);
        let is_constant = nodes.iter().all(|node| matches!(node, Node::Constant(_)));
        if is_constant { Node::Constant(source.clone()) } else { Node::Array(nodes) }
    }

    fn computed(&mut self, field: &Arc<str>, value: &Json) -> Node {
        match value.as_str().map(Expression::parse) {
            Some(Ok(expression)) => Node::Computed { field: field.clone(), expression },
            Some(Err(_)) | None => self.refuse(field),
        }
    }

    fn refuse(&mut self, field: &str) -> Node {
        self.bad.push(BadField { field: field.to_owned(), at: self.at.clone() });
        Node::Constant(Json::Null)
    }
}

impl Node {
    fn eval(&self, scope: &dyn Scope) -> Result<Json, Failure> {
        match self {
            Node::Constant(value) => Ok(value.clone()),
            Node::Computed { field, expression } => expression.eval_field(field, scope),
            Node::Object(nodes) => {
                let mut members = Object::with_capacity(nodes.len());
                for (key, node) in nodes {
                    members.insert(key.clone(), node.eval(scope)?);
                }
                Ok(Json::Object(Arc::new(members)))
            }
            Node::Array(nodes) => {
                let mut items = Vec::with_capacity(nodes.len());
                for node in nodes {
                    items.push(node.eval(scope)?);
                }
                Ok(Json::Array(Arc::new(items)))
            }
        }
    }

    fn expressions<'a>(&'a self, expressions: &mut Vec<&'a Expression>) {
        match self {
            Node::Constant(_) => {}
            Node::Computed { expression, .. } => expressions.push(expression),
            Node::Object(nodes) => nodes.iter().for_each(|(_, node)| node.expressions(expressions)),
            Node::Array(nodes) => nodes.iter().for_each(|node| node.expressions(expressions)),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::testing::{World, json};

    /// The template over the input, or why not.
    fn check(input: &str, template: &str, expected: Expect) {
        let outcome = match Template::parse(&json(template)) {
            Ok(template) => match template.eval(&World::new(input)) {
                Ok(value) => value.to_string(),
                Err(failure) => format!("{:?}: {}", failure.kind, failure.message),
            },
            Err(bad) => bad.iter().map(|bad| format!("{} at /{}\n", bad.field, bad.at.join("/"))).collect(),
        };
        expected.assert_eq(&outcome);
    }

    #[test]
    fn paths_and_calls_are_filled_in() {
        check(
            r#"{"a":{"b":1},"l":[1,2,3]}"#,
            r#"{"k":"$.a","b.$":"$.a.b","name.$":"$$.Execution.Name","limit.$":"$limit","sum.$":"States.MathAdd($.a.b, 1)","tail.$":"$.l[1:]","o":{"all.$":"$","n":null}}"#,
            expect![[
                r#"{"k":"$.a","b":1,"name":"night-1","limit":2,"sum":2,"tail":[2,3],"o":{"all":{"a":{"b":1},"l":[1,2,3]},"n":null}}"#
            ]],
        );
    }

    #[test]
    fn objects_in_arrays_are_filled_in_too() {
        check(
            r#"{"x":1}"#,
            r#"{"l":["$.x",{"v.$":"$.x"},[{"w.$":"$.x"}]]}"#,
            expect![[r#"{"l":["$.x",{"v":1},[{"w":1}]]}"#]],
        );
    }

    #[test]
    fn what_is_not_an_object_stands_for_itself() {
        check("{}", r#""$.x""#, expect![[r#""$.x""#]]);
        check(r#"{"x":1}"#, r#"[{"v.$":"$.x"},2]"#, expect![[r#"[{"v":1},2]"#]]);
    }

    #[test]
    fn odd_keys() {
        check(
            r#"{"x":1}"#,
            r#"{".$":"$.x","a.$.$":"$.x","b.$c":"$.x","d":0,"d.$":"$.x"}"#,
            expect![[r#"{"":1,"a.$":1,"b.$c":"$.x","d":1}"#]],
        );
    }

    #[test]
    fn a_path_that_finds_nothing_names_its_field() {
        check(
            r#"{"int-literal":0}"#,
            r#"{"o":{"value.$":"$.no_such"}}"#,
            expect![[
                r#"Missing: The JSONPath '$.no_such' specified for the field 'value.$' could not be found in the input '{"int-literal":0}'"#
            ]],
        );
        check(
            r#"{"int-literal":0}"#,
            r#"{"value.$":"$$.Execution.Input.no_such"}"#,
            expect![[
                r#"Missing: The JSONPath '$$.Execution.Input.no_such' specified for the field 'value.$' could not be found in the input '{"int-literal":0}'"#
            ]],
        );
        check(
            r#"{"flagged":false}"#,
            r#"{"address.$":"$.application.address"}"#,
            expect![[
                r#"Missing: The JSONPath '$.application.address' specified for the field 'address.$' could not be found in the input '{"flagged":false}'"#
            ]],
        );
        check(
            r#"{}"#,
            r#"{"value.$":"States.JsonToString($.no_such)"}"#,
            expect![
                "Missing: The function 'States.JsonToString($.no_such)' had the following error: The JsonPath argument for the field '$.no_such' could not be found in the input '{}'"
            ],
        );
        check(
            r#"{"x":1}"#,
            r#"{"value.$":"$.x[?(@.y)]"}"#,
            expect!["Other: Filter: [?] can not be applied to primitives. Current context is: 1"],
        );
    }

    #[test]
    fn every_bad_field_is_reported() {
        check(
            "{}",
            r#"{"a.$":"text","b":{"c.$":1,"list":[0,{"d.$":"States.Nope()"},[{"e.$":"$."}]]},"f.$":"$.fine","g.$":{}}"#,
            expect![[r#"
                a.$ at /
                c.$ at /b
                d.$ at /b/list[1]
                e.$ at /b/list[2][0]
                g.$ at /
            "#]],
        );
        check(
            "{}",
            r#"[{"a.$":"$["}]"#,
            expect![[r#"
            a.$ at /[0]
        "#]],
        );
    }

    #[test]
    fn what_is_constant_is_shared() {
        let source = json(r#"{"constant":{"deep":[1,2]},"x.$":"$"}"#);
        let value = Template::parse(&source).expect("valid").eval(&World::new("{}")).expect("fits");
        let constant = |json: &Json| json.get("constant").cloned().expect("there");
        assert!(constant(&value).same(&constant(&source)));
        let all = constant(&source);
        assert!(Template::parse(&all).expect("valid").eval(&World::new("{}")).expect("fits").same(&all));
    }

    #[test]
    fn a_field_outside_a_template_fails_in_the_same_words() {
        let path = Path::parse("$.ErrorX").expect("a path");
        let failure = eval_field(&path, "ErrorPath", &World::new(r#"{"Error":"e"}"#)).expect_err("missing");
        expect![[r#"The JSONPath '$.ErrorX' specified for the field 'ErrorPath' could not be found in the input '{"Error":"e"}'"#]].assert_eq(&failure.message);
    }

    #[test]
    fn expressions_and_their_paths_are_listed() {
        let source = json(r#"{"a.$":"$x.y","b":[{"c.$":"States.Format('{} {}', $z, States.JsonToString($.w))"}]}"#);
        let template = Template::parse(&source).expect("valid");
        let paths: Vec<_> = template.expressions().into_iter().flat_map(Expression::paths).collect();
        assert_eq!(paths.iter().map(|path| path.text()).collect::<Vec<_>>(), ["$x.y", "$z", "$.w"]);
        assert_eq!(paths.iter().filter_map(|path| path.variable()).collect::<Vec<_>>(), ["x", "z"]);
    }
}
