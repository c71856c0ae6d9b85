//! JSONPath as AWS reads it: the dialect of Jayway's JsonPath.
//!
//! In reading order: `syntax` (what a path is made of), `parse`, `eval`, `filter`, `function`.

use std::fmt;
use std::sync::Arc;

use base::{Json, Object};

use crate::{Failure, FailureKind, Scope, SyntaxError};

mod syntax;
mod parse;
mod eval;
mod filter;
mod function;

use syntax::{Query, Root, Step};

/// A compiled path. Starts at `$` (input), `$$` (context object) or `$name` (variable).
#[derive(Clone)]
pub struct Path {
    text: Arc<str>,
    query: Arc<Query>,
}

impl Path {
    pub fn parse(text: &str) -> Result<Path, SyntaxError> {
        Ok(Path { text: text.into(), query: Arc::new(parse::query(text)?) })
    }

    /// The text it was parsed from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it names exactly one place: names and single indexes only.
    pub fn is_definite(&self) -> bool {
        self.query.is_place()
    }

    /// The variable it starts at, without the `$`; none when it starts at `$` or `$$`.
    pub fn variable(&self) -> Option<&str> {
        match &self.query.root {
            Root::Variable(name) => Some(name),
            Root::Document | Root::Context | Root::Current => None,
        }
    }

    /// The names that it goes down first, and whether it starts at the input (`$`). What comes after them is an index,
    /// a filter, a function, or nothing.
    pub fn leading_names(&self) -> (bool, Vec<&Arc<str>>) {
        let names = self.query.steps.iter().map_while(|step| match step {
            Step::Name(name) => Some(name),
            Step::Names(_)
            | Step::Index(_)
            | Step::Indexes(_)
            | Step::Slice(_)
            | Step::Each
            | Step::Descend
            | Step::Filter(_) => None,
        });
        (self.query.root == Root::Document, names.collect())
    }

    /// A definite path gives the value or a `Missing` failure; any other gives an array, maybe empty.
    /// Several names at the end, as in `$['a','b']`, give one object of those members that are there.
    /// The failure's message is Jayway's: `No results for path: $['X']`.
    pub fn eval(&self, scope: &dyn Scope) -> Result<Json, Failure> {
        eval::eval(&self.query, scope)
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Path({})", self.text)
    }
}

/// A path that names one place and can therefore be written to: `$.a.b[0]`.
#[derive(Debug, Clone)]
pub struct ReferencePath {
    path: Path,
}

impl ReferencePath {
    pub fn parse(text: &str) -> Result<ReferencePath, SyntaxError> {
        let path = Path::parse(text)?;
        if !path.is_definite() || path.query.odd_name {
            let message =
                format!("'{text}' must name a single place: it may not use '@', ',', ':', '?', '*', '..' or functions");
            return Err(SyntaxError { message, at: 0 });
        }
        Ok(ReferencePath { path })
    }

    pub fn text(&self) -> &str {
        self.path.text()
    }

    pub fn eval(&self, scope: &dyn Scope) -> Result<Json, Failure> {
        self.path.eval(scope)
    }

    /// The same place as a path that is only read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it starts at `$`: only such a path can be written to.
    pub fn starts_at_input(&self) -> bool {
        self.path.query.root == Root::Document
    }

    /// `into` with `value` at this place; missing objects on the way are made. (`ResultPath`)
    pub fn set(&self, into: &Json, value: Json) -> Result<Json, Failure> {
        let placed = if self.starts_at_input() { place(into, &self.path.query.steps, value) } else { None };
        placed.ok_or_else(|| {
            let message = format!("Unable to apply ReferencePath {} to input {into}", self.text());
            Failure { kind: FailureKind::Other, message }
        })
    }
}

/// Nothing when the way leads through something that cannot hold it: an array that is too short, a scalar.
fn place(into: &Json, steps: &[Step], value: Json) -> Option<Json> {
    let Some((step, rest)) = steps.split_first() else { return Some(value) };
    match (step, into) {
        (Step::Name(name), Json::Object(members)) => {
            let child = match members.get(name) {
                Some(child) => place(child, rest, value)?,
                None => make(rest, value)?,
            };
            let mut members: Object = (**members).clone();
            members.insert(name.clone(), child);
            Some(Json::Object(Arc::new(members)))
        }
        (Step::Index(index), Json::Array(items)) => {
            let child = place(eval::item(items, *index)?, rest, value)?;
            let len = items.len() as i64;
            let at = usize::try_from(if *index < 0 { len + index } else { *index }).ok()?;
            let mut items = (**items).clone();
            items[at] = child;
            Some(Json::Array(Arc::new(items)))
        }
        (_, _) => None,
    }
}

/// `value` inside the objects that `steps` name; there is no array to be made an item of.
fn make(steps: &[Step], value: Json) -> Option<Json> {
    steps.iter().rev().try_fold(value, |inner, step| match step {
        Step::Name(name) => Some(Json::object([(name.clone(), inner)])),
        Step::Names(_)
        | Step::Index(_)
        | Step::Indexes(_)
        | Step::Slice(_)
        | Step::Each
        | Step::Descend
        | Step::Filter(_) => None,
    })
}

#[cfg(test)]
mod tests;
