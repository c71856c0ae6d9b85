//! JSON with expressions in it.

use std::sync::Arc;

use base::{Json, Object};

use super::{Expression, Fault, expression_in};
use crate::Scope;

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
        self.expect(self.eval(field, scope)?, field, expected)
    }

    /// `value`, which this gave, where it is of this kind.
    pub fn expect(&self, value: Json, field: &str, expected: Kind) -> Result<Json, Fault> {
        let was = Kind::name_of(&value);
        if was == expected.name() {
            return Ok(value);
        }
        let of = match &*self.node {
            Node::Expression(expression) => {
                format!("The JSONata expression '{}' specified for the field '{field}' returned", expression.text())
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
}
