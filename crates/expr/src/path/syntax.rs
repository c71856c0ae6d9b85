//! What a path is made of.

use std::sync::Arc;

use base::Json;

use super::function::Function;

/// A whole path: where it starts, the way down, and perhaps a function of what was found there.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) root: Root,
    pub(super) steps: Vec<Step>,
    pub(super) call: Option<Call>,
    /// Whether a name written after a dot has a character that reference paths may not have.
    pub(super) odd_name: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Root {
    /// `$`: the input; in a filter the document that is searched.
    Document,
    /// `$$`
    Context,
    /// `$name`
    Variable(Arc<str>),
    /// `@`: what a filter looks at.
    Current,
}

#[derive(Debug)]
pub(super) enum Step {
    /// `.name`, `['name']`
    Name(Arc<str>),
    /// `['a','b']`: at the end one object with these members, before it each member.
    Names(Vec<Arc<str>>),
    /// `[n]`; negative counts from the end.
    Index(i64),
    /// `[0,2]`
    Indexes(Vec<i64>),
    /// `[1:3]`
    Slice(Slice),
    /// `*`
    Each,
    /// `..`: this value and everything in it.
    Descend,
    /// `[?(…)]`
    Filter(Filter),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Slice {
    From(i64),
    To(i64),
    Between(i64, i64),
}

/// `.length()`
#[derive(Debug)]
pub(super) struct Call {
    pub(super) function: &'static Function,
    pub(super) arguments: Vec<Operand>,
}

#[derive(Debug)]
pub(super) enum Filter {
    Or(Vec<Filter>),
    And(Vec<Filter>),
    Not(Box<Filter>),
    /// A path alone: true when it finds something, be it `null` or `false`.
    Exists(Query),
    Compare(Operand, Operator, Operand),
    Matches(Operand, Pattern),
}

#[derive(Debug)]
pub(super) enum Operand {
    Value(Json),
    Path(Query),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
    SubsetOf,
    AnyOf,
    NoneOf,
    All,
    Contains,
    Size,
    Empty,
}

/// Every operator but `=~` as it is written; where one begins like another, the longer comes first.
pub(super) const OPERATORS: &[(&str, Operator)] = &[
    ("===", Operator::Equal),
    ("!==", Operator::Unequal),
    ("==", Operator::Equal),
    ("!=", Operator::Unequal),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("<", Operator::Less),
    (">", Operator::Greater),
    ("in", Operator::In),
    ("nin", Operator::NotIn),
    ("subsetof", Operator::SubsetOf),
    ("anyof", Operator::AnyOf),
    ("noneof", Operator::NoneOf),
    ("all", Operator::All),
    ("contains", Operator::Contains),
    ("size", Operator::Size),
    ("empty", Operator::Empty),
];

/// A compiled `/…/i`. Matches in linear time, and always the whole text.
#[derive(Debug)]
pub(super) struct Pattern(pub(super) regex_lite::Regex);

impl Query {
    /// Whether it gives one bare value: names and single indexes, at the end also several names.
    pub(super) fn is_single(&self) -> bool {
        match self.steps.split_last() {
            Some((Step::Names(_), way)) => way.iter().all(Step::is_single),
            _ => self.steps.iter().all(Step::is_single),
        }
    }

    /// Whether it names exactly one place.
    pub(super) fn is_place(&self) -> bool {
        self.call.is_none() && self.steps.iter().all(Step::is_single)
    }
}

impl Step {
    pub(super) fn is_single(&self) -> bool {
        match self {
            Step::Name(_) | Step::Index(_) => true,
            Step::Names(_) | Step::Indexes(_) | Step::Slice(_) | Step::Each | Step::Descend | Step::Filter(_) => false,
        }
    }
}
