//! JSONata: what stands between `{%` and `%}`, and the templates made of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use base::{Json, Object};
use jsonata_core::ast::{AstNode, BinaryOp, PathStep, Stage};
use jsonata_core::evaluator::{Context, Evaluator, EvaluatorError, EvaluatorOptions};
use jsonata_core::value::JValue;

use crate::{Scope, SyntaxError};

/// One expression, compiled.
#[derive(Debug, Clone)]
pub struct Expression {
    text: Arc<str>,
    tree: Arc<AstNode>,
    references: Arc<References>,
}

/// What an expression refers to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// Variables, without their `$`, without `states` and what the expression binds itself.
    pub variables: BTreeSet<Arc<str>>,
    /// Members of `$states`: `input`, `result`, `errorOutput`, `context`; any other name that stands there.
    pub states: BTreeSet<Arc<str>>,
    /// What it looks for where nothing is: field names and `$` outside any path or predicate; `$$` anywhere.
    pub top_level: BTreeSet<Arc<str>>,
}

/// JSON in which a text `{% … %}` is an expression.
#[derive(Debug, Clone)]
pub struct Template {
    source: Json,
    node: Arc<Node>,
}

/// A text that should be an expression and is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadExpression {
    /// From the template's top; an array's item adds its index to the key, as in `list[0]`.
    pub at: Vec<String>,
    pub message: String,
}

/// Why there is no value: the text of a `States.QueryEvaluationError`'s cause, without the words in front that name
/// the state, and the field that it belongs to, as `Output/list[0]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub text: String,
    pub location: Option<String>,
}

/// What a field's value has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    String,
    Number,
    Boolean,
    Array,
    Object,
}

#[derive(Debug)]
enum Node {
    Constant(Json),
    Object(Vec<(Arc<str>, Node)>),
    Array(Vec<Node>),
    Expression(Expression),
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::Number => "number",
            Kind::Boolean => "boolean",
            Kind::Array => "array",
            Kind::Object => "object",
        }
    }

    /// As JSONata calls it.
    pub fn name_of(value: &Json) -> &'static str {
        match value {
            Json::Null => "null",
            Json::Bool(_) => "boolean",
            Json::Number(_) => "number",
            Json::String(_) => "string",
            Json::Array(_) => "array",
            Json::Object(_) => "object",
        }
    }
}

/// The text between `{%` and `%}`, if that is what the whole text is.
pub fn expression_in(text: &str) -> Option<&str> {
    text.strip_prefix("{%")?.strip_suffix("%}").map(str::trim)
}

impl Expression {
    /// `text` is what stands between `{%` and `%}`.
    pub fn parse(text: &str) -> Result<Expression, SyntaxError> {
        let tree =
            jsonata_core::parser::parse(text).map_err(|error| SyntaxError { message: error.to_string(), at: 0 })?;
        let references = references(&tree);
        Ok(Expression { text: text.into(), tree: Arc::new(tree), references: Arc::new(references) })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn references(&self) -> &References {
        &self.references
    }

    fn eval(&self, field: &str, scope: &dyn Scope) -> Result<Json, Fault> {
        let fault = |what: String| Fault {
            text: format!("The JSONata expression '{}' specified for the field '{field}' {what}", self.text),
            location: Some(field.to_owned()),
        };
        let mut context = Context::new();
        context.bind("states".to_owned(), self.states(scope));
        for name in &self.references.variables {
            if let Some(value) = scope.variable(name) {
                context.bind(name.to_string(), to_value(value));
            }
        }
        let options = EvaluatorOptions { timeout_ms: Some(1_000), ..EvaluatorOptions::default() };
        let mut evaluator = Evaluator::with_options(context, options);
        match evaluator.evaluate(&self.tree, &JValue::Undefined) {
            Ok(JValue::Undefined) => Err(fault("returned nothing (undefined).".to_owned())),
            Ok(value) => from_value(&value).ok_or_else(|| fault("returned an unsupported result type.".to_owned())),
            Err(error) => Err(fault(format!("threw an error during evaluation. {}", message(&error)))),
        }
    }

    fn states(&self, scope: &dyn Scope) -> JValue {
        let wanted = &self.references.states;
        let mut states = vec![("input", Some(scope.input())), ("result", scope.result())];
        states.push(("errorOutput", scope.error_output()));
        if wanted.contains("context") {
            states.push(("context", Some(scope.context())));
        }
        let members = states.into_iter().filter_map(|(key, value)| Some((key.to_owned(), to_value(value?))));
        JValue::object(members.collect())
    }
}

fn message(error: &EvaluatorError) -> String {
    error.message().to_owned()
}

fn references(tree: &AstNode) -> References {
    let mut search = Search::default();
    search.node(tree, Here::Top);
    let Search { mut found, bound } = search;
    found.variables.retain(|name| !bound.contains(name));
    found
}

/// What `$` is where a node stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Here {
    /// Nothing.
    Top,
    /// An item of a path.
    Item,
}

#[derive(Default)]
struct Search {
    found: References,
    /// What the expression binds itself, anywhere.
    bound: BTreeSet<Arc<str>>,
}

impl Search {
    fn node(&mut self, node: &AstNode, context: Here) {
        match node {
            AstNode::Name(name) => self.named(name, context),
            AstNode::Variable(name) if name.is_empty() => self.named("$", context),
            AstNode::Variable(name) if name == "$" => self.named("$$", Here::Top),
            AstNode::ParentVariable(_) => self.named("$$", Here::Top),
            AstNode::Variable(name) if name != "states" => {
                self.found.variables.insert(name.as_str().into());
            }
            AstNode::Path { steps } => self.path(steps, context),
            AstNode::Binary { op, lhs, rhs } => {
                if let (BinaryOp::ColonEqual, AstNode::Variable(name)) = (op, &**lhs) {
                    self.bound.insert(name.as_str().into());
                }
                self.node(lhs, context);
                self.node(rhs, context);
            }
            AstNode::Unary { operand, .. } => self.node(operand, context),
            AstNode::Function { args, .. }
            | AstNode::Array(args)
            | AstNode::ArrayGroup(args)
            | AstNode::Block(args) => {
                args.iter().for_each(|node| self.node(node, context));
            }
            AstNode::Call { procedure, args } => {
                self.node(procedure, context);
                args.iter().for_each(|node| self.node(node, context));
            }
            AstNode::Lambda { params, body, .. } => {
                self.bound.extend(params.iter().map(|name| Arc::from(name.as_str())));
                self.node(body, context);
            }
            AstNode::Object(pairs) => self.pairs(pairs, context),
            AstNode::ObjectTransform { input, pattern } => {
                self.node(input, context);
                self.pairs(pattern, Here::Item);
            }
            AstNode::Conditional { condition, then_branch, else_branch } => {
                self.node(condition, context);
                self.node(then_branch, context);
                else_branch.iter().for_each(|node| self.node(node, context));
            }
            AstNode::FunctionApplication(inner) => self.node(inner, context),
            AstNode::Sort { input, terms } => {
                self.node(input, context);
                terms.iter().for_each(|(term, _)| self.node(term, Here::Item));
            }
            AstNode::Transform { location, update, delete } => {
                self.node(location, Here::Item);
                self.node(update, Here::Item);
                delete.iter().for_each(|node| self.node(node, Here::Item));
            }
            AstNode::Variable(_)
            | AstNode::String(_)
            | AstNode::Number(_)
            | AstNode::Boolean(_)
            | AstNode::Null
            | AstNode::Undefined
            | AstNode::Placeholder
            | AstNode::Regex { .. }
            | AstNode::Wildcard
            | AstNode::Descendant
            | AstNode::Parent(_) => {}
        }
    }

    fn named(&mut self, name: &str, context: Here) {
        if context == Here::Top {
            self.found.top_level.insert(name.into());
        }
    }

    /// The first step is looked for where the path stands, the others in what the one before gave.
    fn path(&mut self, steps: &[PathStep], context: Here) {
        let at_states =
            steps.first().is_some_and(|step| matches!(&step.node, AstNode::Variable(name) if name == "states"));
        if let (true, Some(AstNode::Name(member))) = (at_states, steps.get(1).map(|step| &step.node)) {
            self.found.states.insert(member.as_str().into());
        }
        for (index, step) in steps.iter().enumerate() {
            self.node(&step.node, if index == 0 { context } else { Here::Item });
            self.bound.extend(step.focus.iter().chain(&step.index_var).map(|name| Arc::from(name.as_str())));
            for stage in &step.stages {
                match stage {
                    Stage::Filter(filter) => self.node(filter, Here::Item),
                    Stage::Index(name) => {
                        self.bound.insert(name.as_str().into());
                    }
                    Stage::KeepArray => {}
                }
            }
        }
    }

    fn pairs(&mut self, pairs: &[(AstNode, AstNode)], context: Here) {
        for (key, value) in pairs {
            self.node(key, context);
            self.node(value, context);
        }
    }
}

fn to_value(json: &Json) -> JValue {
    match json {
        Json::Null => JValue::Null,
        Json::Bool(value) => JValue::Bool(*value),
        Json::Number(number) => JValue::Number(number.as_f64().unwrap_or(f64::NAN)),
        Json::String(text) => JValue::string(&**text),
        Json::Array(items) => JValue::array(items.iter().map(to_value).collect()),
        Json::Object(members) => {
            JValue::object(members.iter().map(|(key, value)| (key.to_string(), to_value(value))).collect())
        }
    }
}

fn from_value(value: &JValue) -> Option<Json> {
    Some(match value {
        JValue::Null => Json::Null,
        JValue::Bool(value) => Json::Bool(*value),
        JValue::Number(number) if number.fract() == 0.0 && number.abs() < 9.0e15 => Json::from(*number as i64),
        JValue::Number(number) => Json::from(*number),
        JValue::String(text) => Json::from(&**text),
        JValue::Array(items) => Json::array(items.iter().map(from_value).collect::<Option<Vec<Json>>>()?),
        JValue::Object(members) => {
            let mut object = Object::with_capacity(members.len());
            for (key, value) in members.iter() {
                object.insert(key.as_str().into(), from_value(value)?);
            }
            Json::Object(Arc::new(object))
        }
        JValue::Undefined | JValue::Lambda(_) | JValue::Builtin { .. } | JValue::Regex { .. } => return None,
    })
}

impl Template {
    pub fn parse(source: &Json) -> Result<Template, Vec<BadExpression>> {
        let mut compiler = Compiler { at: vec![], bad: vec![] };
        let node = compiler.node(source);
        match compiler.bad.is_empty() {
            true => Ok(Template { source: source.clone(), node: Arc::new(node) }),
            false => Err(compiler.bad),
        }
    }

    pub fn source(&self) -> &Json {
        &self.source
    }

    /// The value, where there is no expression in it.
    pub fn constant(&self) -> Option<&Json> {
        match &*self.node {
            Node::Constant(value) => Some(value),
            Node::Object(_) | Node::Array(_) | Node::Expression(_) => None,
        }
    }

    /// The expressions in it, each with its place (as `/a/b[0]`), in the order of the text.
    pub fn expressions(&self) -> Vec<(String, &Expression)> {
        let mut found = vec![];
        self.node.expressions("", &mut found);
        found
    }

    /// The value for the field named `field`: `Output`, `Assign`, …
    pub fn eval(&self, field: &str, scope: &dyn Scope) -> Result<Json, Fault> {
        self.node.eval(field, scope)
    }

    /// The value, which has to be of this kind.
    pub fn eval_as(&self, field: &str, expected: Kind, scope: &dyn Scope) -> Result<Json, Fault> {
        let value = self.eval(field, scope)?;
        let was = Kind::name_of(&value);
        if was == expected.name() {
            return Ok(value);
        }
        let of = match &*self.node {
            Node::Expression(expression) => {
                format!("The JSONata expression '{}' specified for the field '{field}' returned", expression.text)
            }
            Node::Constant(_) | Node::Object(_) | Node::Array(_) => {
                format!("The value of the field '{field}' has")
            }
        };
        let article =
            if matches!(&*self.node, Node::Expression(_)) { "an unexpected result type" } else { "an unexpected type" };
        Err(Fault {
            text: format!("{of} {article}. Expected '{}', but was '{was}' for value: {value}", expected.name()),
            location: Some(field.to_owned()),
        })
    }
}

struct Compiler {
    at: Vec<String>,
    bad: Vec<BadExpression>,
}

impl Compiler {
    fn node(&mut self, source: &Json) -> Node {
        match source {
            Json::String(text) => match expression_in(text).map(Expression::parse) {
                None => Node::Constant(source.clone()),
                Some(Ok(expression)) => Node::Expression(expression),
                Some(Err(error)) => {
                    self.bad.push(BadExpression { at: self.at.clone(), message: error.message });
                    Node::Constant(Json::Null)
                }
            },
            Json::Object(members) => {
                let mut nodes = Vec::with_capacity(members.len());
                for (key, value) in members.iter() {
                    self.at.push(key.to_string());
                    nodes.push((key.clone(), self.node(value)));
                    self.at.pop();
                }
                let constant = nodes.iter().all(|(_, node)| matches!(node, Node::Constant(_)));
                if constant { Node::Constant(source.clone()) } else { Node::Object(nodes) }
            }
            Json::Array(items) => {
                let key = self.at.pop();
                let mut nodes = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    self.at.push(format!("{}[{index}]", key.as_deref().unwrap_or_default()));
                    nodes.push(self.node(item));
                    self.at.pop();
                }
                self.at.extend(key);
                let constant = nodes.iter().all(|node| matches!(node, Node::Constant(_)));
                if constant { Node::Constant(source.clone()) } else { Node::Array(nodes) }
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => Node::Constant(source.clone()),
        }
    }
}

impl Node {
    fn eval(&self, field: &str, scope: &dyn Scope) -> Result<Json, Fault> {
        match self {
            Node::Constant(value) => Ok(value.clone()),
            Node::Expression(expression) => expression.eval(field, scope),
            Node::Object(nodes) => {
                let mut members = Object::with_capacity(nodes.len());
                for (key, node) in nodes {
                    members.insert(key.clone(), node.eval(&format!("{field}/{key}"), scope)?);
                }
                Ok(Json::Object(Arc::new(members)))
            }
            Node::Array(nodes) => {
                let items =
                    nodes.iter().enumerate().map(|(index, node)| node.eval(&format!("{field}[{index}]"), scope));
                Ok(Json::Array(Arc::new(items.collect::<Result<_, _>>()?)))
            }
        }
    }

    fn expressions<'a>(&'a self, at: &str, found: &mut Vec<(String, &'a Expression)>) {
        match self {
            Node::Constant(_) => (),
            Node::Expression(expression) => found.push((at.to_owned(), expression)),
            Node::Object(nodes) => {
                nodes.iter().for_each(|(key, node)| node.expressions(&format!("{at}/{key}"), found));
            }
            Node::Array(nodes) => {
                nodes.iter().enumerate().for_each(|(index, node)| node.expressions(&format!("{at}[{index}]"), found));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::testing::{World, json};

    #[test]
    fn expressions_are_found_at_any_depth() {
        let template = Template::parse(&json(r#"{"a":["{% $states.input.n + 1 %}","{% x"],"b":"{% $limit %}"}"#));
        let value = template.expect("valid").eval("Output", &World::new(r#"{"n":1}"#)).expect("a value");
        assert_eq!(value.to_string(), r#"{"a":[2,"{% x"],"b":2}"#);
    }

    #[test]
    fn a_fault_names_its_field() {
        let template = Template::parse(&json(r#"{"a":["{% $states.input.m %}"]}"#)).expect("valid");
        let fault = template.eval("Output", &World::new("{}")).expect_err("nothing there");
        assert_eq!(fault.location.as_deref(), Some("Output/a[0]"));
        assert_eq!(
            fault.text,
            "The JSONata expression '$states.input.m ' specified for the field 'Output/a[0]' returned nothing (undefined)."
                .replace("m '", "m'")
        );
    }

    fn refers(text: &str, expected: Expect) {
        let expression = Expression::parse(text).expect("an expression");
        let References { variables, states, top_level } = expression.references();
        expected.assert_eq(&format!("variables {variables:?} states {states:?} top level {top_level:?}"));
    }

    #[test]
    fn what_an_expression_refers_to() {
        refers(
            "$states.input.result + $x.y[z = $w] & phone",
            expect![[r#"variables {"w", "x"} states {"input"} top level {"phone"}"#]],
        );
        refers("$states.result.{'a': b, 'c': $.d}", expect![[r#"variables {} states {"result"} top level {}"#]]);
        refers(
            "($a := $b; $map($c, function($v) { $v.n + m }))",
            expect![[r#"variables {"b", "c"} states {} top level {"m"}"#]],
        );
        refers("$sum(price)", expect![[r#"variables {} states {} top level {"price"}"#]]);
        refers("$", expect![[r#"variables {} states {} top level {"$"}"#]]);
        refers("$$.a", expect![[r#"variables {} states {} top level {"$$"}"#]]);
        refers("$states.input.items[$.n > 1]", expect![[r#"variables {} states {"input"} top level {}"#]]);
        refers("$count($states.result[$ = 1])", expect![[r#"variables {} states {"result"} top level {}"#]]);
        refers("$states.input^(>price).name", expect![[r#"variables {} states {"input"} top level {}"#]]);
        refers("$states.input{a: b}", expect![[r#"variables {} states {"input"} top level {}"#]]);
        refers("{'a': b}", expect![[r#"variables {} states {} top level {"b"}"#]]);
        refers("$states.input ~> $f", expect![[r#"variables {"f"} states {"input"} top level {}"#]]);
        refers("$states", expect!["variables {} states {} top level {}"]);
    }
}
