//! What an expression is made of, once it is parsed.

use std::sync::Arc;

use base::Number;

use super::functions::Native;
use super::regex::Pattern;
use super::signature::Signature;

pub(super) type Name = Arc<str>;

/// One node of the tree, with all that may hang on any of them.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// Byte offset into the text.
    pub(super) at: usize,
    /// Filters on the node's own value: `$x[0]`.
    pub(super) predicates: Vec<Node>,
    /// What happens to a step's value, in order.
    pub(super) stages: Vec<Stage>,
    pub(super) group: Option<Group>,
    /// `@$name`
    pub(super) focus: Option<Name>,
    /// `#$name`
    pub(super) index: Option<Name>,
    /// Under which name the step's context is kept for a `%`.
    pub(super) ancestor: Option<Ancestor>,
    /// The step makes a stream of tuples: a value with the names bound on the way.
    pub(super) tuple: bool,
    /// `[]`: a single item stays an array.
    pub(super) keep_array: bool,
    /// An array constructor at the end of a path: its arrays are not flattened.
    pub(super) cons_array: bool,
    /// A path with a `[]` in it.
    pub(super) keep_singleton: bool,
    /// The slots of `%` below that look for their place to the left. Empty once the tree is made.
    pub(super) seeking: Vec<usize>,
}

/// Where a `%` finds its value: while parsing a slot's number, then a name.
#[derive(Debug, Clone)]
pub(super) enum Ancestor {
    Slot(usize),
    Name(Name),
}

#[derive(Debug)]
pub(super) enum Stage {
    Filter(Node),
    Index(Name),
}

#[derive(Debug)]
pub(super) struct Group {
    pub(super) pairs: Vec<(Node, Node)>,
    pub(super) at: usize,
}

#[derive(Debug)]
pub(super) enum Kind {
    Path(Vec<Node>),
    Name(Name),
    Text(Name),
    Number(Number),
    Bool(bool),
    Null,
    Wildcard,
    Descendant,
    Parent(Ancestor),
    /// `$name`; the empty name is the context. `native` is what it means when nobody bound it.
    Variable {
        name: Name,
        native: Option<&'static Native>,
    },
    /// `$states.input` and its like, read without making `$states`.
    Member(Member),
    Regex(Arc<Pattern>),
    Negate(Box<Node>),
    Array(Vec<Node>),
    Object(Group),
    Binary(Operator, Box<Node>, Box<Node>),
    Bind(Name, Box<Node>),
    Apply(Box<Node>, Box<Node>),
    Condition(Box<Node>, Box<Node>, Option<Box<Node>>),
    Block(Vec<Node>),
    Call(Box<Node>, Vec<Node>),
    /// `f(?, x)`: nothing stands for what is left open.
    Partial(Box<Node>, Vec<Option<Node>>),
    Lambda(Arc<Lambda>),
    Transform(Arc<Transform>),
    Sort(Vec<SortTerm>),
}

/// The members of `$states`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Member {
    Input,
    Result,
    ErrorOutput,
    Context,
}

impl Member {
    pub const ALL: [Member; 4] = [Member::Input, Member::Result, Member::ErrorOutput, Member::Context];

    pub fn name(self) -> &'static str {
        match self {
            Member::Input => "input",
            Member::Result => "result",
            Member::ErrorOutput => "errorOutput",
            Member::Context => "context",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Concat,
    Range,
    In,
    And,
    Or,
}

impl Operator {
    pub(super) fn text(self) -> &'static str {
        match self {
            Operator::Add => "+",
            Operator::Subtract => "-",
            Operator::Multiply => "*",
            Operator::Divide => "/",
            Operator::Remainder => "%",
            Operator::Equal => "=",
            Operator::NotEqual => "!=",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
            Operator::Concat => "&",
            Operator::Range => "..",
            Operator::In => "in",
            Operator::And => "and",
            Operator::Or => "or",
        }
    }
}

#[derive(Debug)]
pub(super) struct Lambda {
    pub(super) parameters: Vec<Name>,
    pub(super) signature: Option<Signature>,
    pub(super) body: Node,
}

#[derive(Debug)]
pub(super) struct Transform {
    pub(super) pattern: Node,
    pub(super) update: Node,
    pub(super) delete: Option<Node>,
}

#[derive(Debug)]
pub(super) struct SortTerm {
    pub(super) descending: bool,
    pub(super) key: Node,
}

impl Node {
    pub(super) fn new(kind: Kind, at: usize) -> Node {
        Node {
            kind,
            at,
            predicates: Vec::new(),
            stages: Vec::new(),
            group: None,
            focus: None,
            index: None,
            ancestor: None,
            tuple: false,
            keep_array: false,
            cons_array: false,
            keep_singleton: false,
            seeking: Vec::new(),
        }
    }

    /// Nothing hangs on it but its own value.
    pub(super) fn is_bare(&self) -> bool {
        self.predicates.is_empty()
            && self.stages.is_empty()
            && self.group.is_none()
            && self.focus.is_none()
            && self.index.is_none()
            && !self.tuple
            && !self.keep_array
            && !self.cons_array
    }

    /// Calls `visit` with each node that hangs on this one.
    pub(super) fn children_mut(&mut self, visit: &mut dyn FnMut(&mut Node)) {
        match &mut self.kind {
            Kind::Path(nodes) | Kind::Array(nodes) | Kind::Block(nodes) => nodes.iter_mut().for_each(&mut *visit),
            Kind::Negate(node) | Kind::Bind(_, node) => visit(node),
            Kind::Object(group) => group.children_mut(visit),
            Kind::Binary(_, left, right) | Kind::Apply(left, right) => {
                visit(left);
                visit(right);
            }
            Kind::Condition(condition, then, otherwise) => {
                visit(condition);
                visit(then);
                otherwise.iter_mut().for_each(|node| visit(node));
            }
            Kind::Call(procedure, arguments) => {
                visit(procedure);
                arguments.iter_mut().for_each(&mut *visit);
            }
            Kind::Partial(procedure, arguments) => {
                visit(procedure);
                arguments.iter_mut().flatten().for_each(&mut *visit);
            }
            Kind::Lambda(lambda) => {
                visit(&mut Arc::get_mut(lambda).expect("a tree that is being made is not shared").body);
            }
            Kind::Transform(transform) => {
                let transform = Arc::get_mut(transform).expect("a tree that is being made is not shared");
                visit(&mut transform.pattern);
                visit(&mut transform.update);
                transform.delete.iter_mut().for_each(&mut *visit);
            }
            Kind::Sort(terms) => terms.iter_mut().for_each(|term| visit(&mut term.key)),
            Kind::Name(_)
            | Kind::Text(_)
            | Kind::Number(_)
            | Kind::Bool(_)
            | Kind::Null
            | Kind::Wildcard
            | Kind::Descendant
            | Kind::Parent(_)
            | Kind::Variable { .. }
            | Kind::Member(_)
            | Kind::Regex(_) => {}
        }
        self.predicates.iter_mut().for_each(&mut *visit);
        for stage in &mut self.stages {
            match stage {
                Stage::Filter(node) => visit(node),
                Stage::Index(_) => {}
            }
        }
        if let Some(group) = &mut self.group {
            group.children_mut(visit);
        }
    }
}

impl Group {
    fn children_mut(&mut self, visit: &mut dyn FnMut(&mut Node)) {
        for (key, value) in &mut self.pairs {
            visit(key);
            visit(value);
        }
    }
}
