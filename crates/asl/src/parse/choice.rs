//! Choice: its rules and their 39 comparison operators.

use base::Json;

use super::at::At;
use super::fields::{self, Language};
use super::jsonata::Sees;
use super::read::Fields;
use super::report::Report;
use super::states::{output, timestamp};
use super::{Parser, block, variables, warnings};
use crate::diagnostic::Diagnostic;
use crate::tree::{Choice, ChoiceRule, Compare, Domain, JsonKind, Operand, Order, Test, When};

/// Rules inside rules.
const TEST_DEPTH_MAX: usize = 50;

const BOOLEANS: [&str; 3] = ["And", "Or", "Not"];

pub(super) fn choice<'a>(p: &mut Parser<'a>, fields: Fields<'a, '_>) -> Option<Choice> {
    let rules = rules(p, fields);
    let default = if fields.has("Default") { Some(block::target(p, fields, "Default")) } else { None };
    let default = match default {
        Some(named) => Some(named?),
        None => None,
    };
    Some(Choice { rules: rules?, default })
}

fn rules<'a>(p: &mut Parser<'a>, fields: Fields<'a, '_>) -> Option<Vec<ChoiceRule>> {
    let Some(items) = fields.array_nonempty("Choices", &mut p.report) else {
        p.scope.unclear();
        return None;
    };
    let at = fields.at.key("Choices");
    let read = |(index, item)| {
        let at = at.index(index);
        match Fields::of(item, &at, fields.language, &mut p.report) {
            Some(fields) => rule(p, fields),
            None => {
                p.scope.unclear();
                None
            }
        }
    };
    Some(items.iter().enumerate().filter_map(read).collect())
}

fn rule<'a>(p: &mut Parser<'a>, fields: Fields<'a, '_>) -> Option<ChoiceRule> {
    fields::RULE.check_required(fields, &mut p.report);
    fields.string("Comment", &mut p.report);
    let when = match fields.language {
        Language::JsonPath => Rule { fields, shape: &fields::RULE, depth: 1 }.test(&mut p.report).map(When::Test),
        Language::Jsonata => condition(fields, &mut p.report),
    };
    let assign = variables::assign(p, fields, Sees::Input);
    let next = block::target(p, fields, "Next");
    Some(ChoiceRule { when: when?, assign, next: next? })
}

fn condition(fields: Fields, report: &mut Report) -> Option<When> {
    for name in fields.object.keys() {
        match Operator::parse(name) {
            Some(_) => fields::wrong_language(name, fields, Language::JsonPath, report),
            None => fields::RULE.check_field(name, fields, report),
        }
    }
    if !fields.has("Condition") {
        report.schema(fields.at, "These fields are required: [Condition]");
    }
    let condition = fields.jsonata("Condition", Sees::Input, report);
    let output = output(fields, Sees::Input, report);
    Some(When::Condition { condition: condition?, output: output? })
}

/// A rule of a Choice, or one nested in it.
struct Rule<'a, 's> {
    fields: Fields<'a, 's>,
    shape: &'static fields::Shape,
    depth: usize,
}

impl Rule<'_, '_> {
    fn test(&self, report: &mut Report) -> Option<Test> {
        let operator = self.operator(report)?;
        match operator {
            "And" => self.tests("And", report).map(Test::And),
            "Or" => self.tests("Or", report).map(Test::Or),
            "Not" => self.not(report),
            name => self.comparison(name, report),
        }
    }

    /// The one operator; reports every other field that should not be there.
    fn operator(&self, report: &mut Report) -> Option<&str> {
        let Fields { object, at, .. } = self.fields;
        let mut operators = Vec::new();
        for name in object.keys() {
            if BOOLEANS.contains(&&**name) || Operator::parse(name).is_some() {
                operators.push(&**name);
            } else {
                self.shape.check_field(name, self.fields, report);
            }
        }
        match operators[..] {
            [operator] => Some(operator),
            [] => {
                report.schema(at, "A comparison operator is required");
                None
            }
            _ => {
                report.schema(at, format!("Only one of these fields is allowed: [{}]", operators.join(", ")));
                None
            }
        }
    }

    fn tests(&self, name: &str, report: &mut Report) -> Option<Vec<Test>> {
        self.no_variable(name, report);
        let items = self.fields.array_nonempty(name, report)?;
        let at = self.fields.at.key(name);
        let read = |(index, item)| self.nested(item, &at.index(index), report);
        Some(items.iter().enumerate().filter_map(read).collect())
    }

    fn not(&self, report: &mut Report) -> Option<Test> {
        self.no_variable("Not", report);
        let test = self.nested(self.fields.get("Not")?, &self.fields.at.key("Not"), report)?;
        Some(Test::Not(Box::new(test)))
    }

    fn nested(&self, json: &Json, at: &At, report: &mut Report) -> Option<Test> {
        if self.depth >= TEST_DEPTH_MAX {
            let message = format!("Choice rules are nested more than {TEST_DEPTH_MAX} levels deep");
            report.error(Diagnostic::TOO_DEEP, Some(at), message);
            return None;
        }
        let fields = Fields::of(json, at, self.fields.language, report)?;
        fields.string("Comment", report);
        Rule { fields, shape: &fields::NESTED_RULE, depth: self.depth + 1 }.test(report)
    }

    fn no_variable(&self, operator: &str, report: &mut Report) {
        if self.fields.has("Variable") {
            report.schema(self.fields.at, format!("Field 'Variable' is not supported together with '{operator}'"));
        }
    }

    fn comparison(&self, name: &str, report: &mut Report) -> Option<Test> {
        if !self.fields.has("Variable") {
            report.schema(self.fields.at, "These fields are required: [Variable]");
        }
        let variable = self.fields.path("Variable", report);
        let test = match Operator::parse(name)? {
            Operator::IsPresent => {
                let expected = self.fields.boolean(name, report);
                Test::IsPresent { variable: variable?, expected: expected? }
            }
            Operator::Is(kind) => {
                let expected = self.fields.boolean(name, report);
                Test::Is { variable: variable?, kind, expected: expected? }
            }
            Operator::Matches => {
                let pattern = self.fields.string(name, report);
                Test::Matches { variable: variable?, pattern: pattern?.to_string() }
            }
            Operator::Literal(operator) => {
                let with = self.literal(name, operator.domain, report);
                Test::Compare { variable: variable?, operator, with: Operand::Literal(with?) }
            }
            Operator::Path(operator) => {
                let with = self.fields.path(name, report);
                Test::Compare { variable: variable?, operator, with: Operand::Path(with?) }
            }
        };
        Some(test)
    }

    /// The operand, if it is of the operator's type.
    fn literal(&self, name: &str, domain: Domain, report: &mut Report) -> Option<Json> {
        let fits = match domain {
            Domain::String => {
                warnings::no_path(self.fields, name, report);
                self.fields.string(name, report).is_some()
            }
            Domain::Numeric => self.fields.number_at_least(name, f64::NEG_INFINITY, report).is_some(),
            Domain::Boolean => self.fields.boolean(name, report).is_some(),
            Domain::Timestamp => timestamp(self.fields, name, report).is_some(),
        };
        self.fields.get(name).filter(|_| fits).cloned()
    }
}

/// What an operator's name means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    IsPresent,
    Is(JsonKind),
    Matches,
    /// `NumericEquals`: with a value in the definition.
    Literal(Compare),
    /// `NumericEqualsPath`: with a value in the data.
    Path(Compare),
}

impl Operator {
    fn parse(name: &str) -> Option<Operator> {
        match name {
            "IsPresent" => Some(Operator::IsPresent),
            "IsNull" => Some(Operator::Is(JsonKind::Null)),
            "IsNumeric" => Some(Operator::Is(JsonKind::Numeric)),
            "IsString" => Some(Operator::Is(JsonKind::String)),
            "IsBoolean" => Some(Operator::Is(JsonKind::Boolean)),
            "IsTimestamp" => Some(Operator::Is(JsonKind::Timestamp)),
            "StringMatches" => Some(Operator::Matches),
            _ => match name.strip_suffix("Path") {
                Some(name) => compare(name).map(Operator::Path),
                None => compare(name).map(Operator::Literal),
            },
        }
    }
}

fn compare(name: &str) -> Option<Compare> {
    const DOMAINS: [(&str, Domain); 4] = [
        ("String", Domain::String),
        ("Numeric", Domain::Numeric),
        ("Boolean", Domain::Boolean),
        ("Timestamp", Domain::Timestamp),
    ];
    let (rest, domain) = DOMAINS.iter().find_map(|(word, domain)| Some((name.strip_prefix(word)?, *domain)))?;
    let order = match rest {
        "Equals" => Order::Equal,
        "LessThan" => Order::Less,
        "GreaterThan" => Order::Greater,
        "LessThanEquals" => Order::LessEqual,
        "GreaterThanEquals" => Order::GreaterEqual,
        _ => return None,
    };
    let ordered = domain != Domain::Boolean || order == Order::Equal;
    ordered.then_some(Compare { domain, order })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_39_operators() {
        let domains = ["String", "Numeric", "Boolean", "Timestamp"];
        let orders = ["Equals", "LessThan", "GreaterThan", "LessThanEquals", "GreaterThanEquals"];
        let compared = domains.iter().flat_map(|domain| orders.iter().map(move |order| format!("{domain}{order}")));
        let compared: Vec<String> = compared.flat_map(|name| [format!("{name}Path"), name]).collect();
        let others = ["StringMatches", "IsPresent", "IsNull", "IsNumeric", "IsString", "IsBoolean", "IsTimestamp"];
        let known = compared.iter().map(String::as_str).chain(others).filter(|name| Operator::parse(name).is_some());
        assert_eq!(known.count(), 39);
        assert_eq!(Operator::parse("StringMatchesPath"), None);
        assert_eq!(Operator::parse("BooleanLessThan"), None);
    }
}
