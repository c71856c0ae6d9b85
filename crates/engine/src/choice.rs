//! Which way a Choice state goes.
//!
//! A comparison between values of different types is false, never a failure; a variable that is not there is a
//! failure, except for `IsPresent` (States Language, "Data-test expression"; recorded on AWS).

use std::cmp::Ordering;

use asl::{Choice, ChoiceRule, Compare, Domain, JsonKind, Jsonata, Name, Operand, Order, Payload, State, Test, When};
use base::{Json, Timestamp};
use expr::{Path, Scope};

use crate::data::{self, Fault};

/// Where a Choice leads.
pub(crate) enum Chosen<'a> {
    Rule { index: usize, rule: &'a ChoiceRule },
    Default(&'a Name),
}

impl<'a> Chosen<'a> {
    pub(crate) fn next(&self) -> &'a Name {
        match self {
            Chosen::Rule { rule, .. } => &rule.next,
            Chosen::Default(name) => name,
        }
    }

    /// What a rule in JSONata says of the output, maybe nothing; none where the state says it.
    pub(crate) fn rule_output(&self) -> Option<Option<&'a Jsonata>> {
        match self {
            Chosen::Rule { rule: ChoiceRule { when: When::Condition { output, .. }, .. }, .. } => Some(output.as_ref()),
            Chosen::Rule { rule: ChoiceRule { when: When::Test(_), .. }, .. } | Chosen::Default(_) => None,
        }
    }

    /// The rule's `Assign`, or the state's.
    pub(crate) fn assign(&self, state: &'a State) -> Option<&'a Payload> {
        match self {
            Chosen::Rule { rule, .. } => rule.assign.as_ref(),
            Chosen::Default(_) => state.assign.as_ref(),
        }
    }

    /// Where a field stands that both a rule and the state may have.
    pub(crate) fn place(&self, field: &str) -> String {
        match self {
            Chosen::Rule { index, .. } => format!("Choices[{index}]/{field}"),
            Chosen::Default(_) => field.to_owned(),
        }
    }
}

/// The first rule that holds, else the default, if there is one.
pub(crate) fn choose<'a>(choice: &'a Choice, scope: &dyn Scope) -> Result<Option<Chosen<'a>>, Fault> {
    for (index, rule) in choice.rules.iter().enumerate() {
        let holds = match &rule.when {
            When::Test(test) => holds(test, scope)?,
            When::Condition { condition, .. } => data::condition(condition, index, scope)?,
        };
        if holds {
            return Ok(Some(Chosen::Rule { index, rule }));
        }
    }
    Ok(choice.default.as_ref().map(Chosen::Default))
}

fn holds(test: &Test, scope: &dyn Scope) -> Result<bool, String> {
    Ok(match test {
        Test::And(tests) => {
            for test in tests {
                if !holds(test, scope)? {
                    return Ok(false);
                }
            }
            true
        }
        Test::Or(tests) => {
            for test in tests {
                if holds(test, scope)? {
                    return Ok(true);
                }
            }
            false
        }
        Test::Not(test) => !holds(test, scope)?,
        Test::IsPresent { variable, expected } => variable.eval(scope).is_ok() == *expected,
        Test::Is { variable, kind, expected } => is(*kind, &value(variable, scope)?) == *expected,
        Test::Compare { variable, operator, with } => {
            let left = value(variable, scope)?;
            match with {
                Operand::Literal(right) => compares(*operator, &left, right),
                Operand::Path(path) => compares(*operator, &left, &value(path, scope)?),
            }
        }
        Test::Matches { variable, pattern } => {
            value(variable, scope)?.as_str().is_some_and(|text| matches_pattern(text, pattern))
        }
    })
}

fn value(path: &Path, scope: &dyn Scope) -> Result<Json, String> {
    path.eval(scope).map_err(|_| {
        format!("Invalid path '{}': The choice state's condition path references an invalid value.", path.text())
    })
}

fn is(kind: JsonKind, value: &Json) -> bool {
    match kind {
        JsonKind::Null => value.is_null(),
        JsonKind::Numeric => matches!(value, Json::Number(_)),
        JsonKind::String => matches!(value, Json::String(_)),
        JsonKind::Boolean => matches!(value, Json::Bool(_)),
        JsonKind::Timestamp => timestamp(value).is_some(),
    }
}

fn compares(operator: Compare, left: &Json, right: &Json) -> bool {
    let ordering = match operator.domain {
        Domain::String => left.as_str().zip(right.as_str()).map(|(left, right)| left.cmp(right)),
        Domain::Numeric => numeric(left, right),
        Domain::Boolean => left.as_bool().zip(right.as_bool()).map(|(left, right)| left.cmp(&right)),
        Domain::Timestamp => timestamp(left).zip(timestamp(right)).map(|(left, right)| left.cmp(&right)),
    };
    ordering.is_some_and(|ordering| operator.order.accepts(ordering))
}

/// Integers are compared exactly, anything else as doubles.
fn numeric(left: &Json, right: &Json) -> Option<Ordering> {
    match (left.as_i64(), right.as_i64()) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

fn timestamp(value: &Json) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(value.as_str()?)
}

trait Accepts {
    fn accepts(self, ordering: Ordering) -> bool;
}

impl Accepts for Order {
    fn accepts(self, ordering: Ordering) -> bool {
        match self {
            Order::Equal => ordering.is_eq(),
            Order::Less => ordering.is_lt(),
            Order::Greater => ordering.is_gt(),
            Order::LessEqual => ordering.is_le(),
            Order::GreaterEqual => ordering.is_ge(),
        }
    }
}

/// `*` matches any run of characters, `\*` a star, `\\` a backslash. Linear in text times stars: a star that
/// fails is only ever widened by the last one seen.
fn matches_pattern(text: &str, pattern: &str) -> bool {
    let tokens = tokens(pattern);
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut token) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while at < text.len() {
        match tokens.get(token) {
            Some(None) => {
                retry = Some((at, token + 1));
                token += 1;
            }
            Some(Some(wanted)) if *wanted == text[at] => {
                at += 1;
                token += 1;
            }
            _ => match retry {
                Some((from, after)) => {
                    retry = Some((from + 1, after));
                    (at, token) = (from + 1, after);
                }
                None => return false,
            },
        }
    }
    tokens[token..].iter().all(Option::is_none)
}

/// A pattern's characters; none stands for a star.
fn tokens(pattern: &str) -> Vec<Option<char>> {
    let mut tokens = vec![];
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        match char {
            '*' => tokens.push(None),
            '\\' => tokens.push(Some(chars.next().unwrap_or('\\'))),
            _ => tokens.push(Some(char)),
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::matches_pattern;

    #[test]
    fn stars_match_runs() {
        for (text, pattern, expected) in [
            ("log-1.txt", "log-*.txt", true),
            ("log-1.text", "log-*.txt", false),
            ("", "*", true),
            ("abab", "*ab", true),
            ("a*b", r"a\*b", true),
            ("axb", r"a\*b", false),
            ("あい", "*い", true),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "*a*a*a*a*a*c", false),
        ] {
            assert_eq!(matches_pattern(text, pattern), expected, "{text} ~ {pattern}");
        }
    }
}
