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
            let message =
                format!("The JSONPath '{path}' specified for the field '{field}' could not be found in the input '{input}'");
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
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {
                Node::Constant(source.clone())
            }
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
