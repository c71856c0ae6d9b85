//! States in JSONata. This version cannot run them, and says so once, where the language is chosen.
//! What can be said without reading an expression is still said: fields, transitions, inner blocks.

use base::Json;

use super::at::At;
use super::fields::{self, Language, Shape};
use super::read::Fields;
use super::states::then;
use super::{Parser, block, nested, task};
use crate::tree::StateKind;

/// Follows where a state leads, after its fields were checked.
pub(super) fn state<'a>(p: &mut Parser<'a>, kind: StateKind, fields: Fields<'a, '_>) {
    match kind {
        StateKind::Pass | StateKind::Wait => leads_on(p, fields),
        StateKind::Task => {
            task::resource(p.scope.kind, fields, &mut p.report);
            task::check_role(fields, &mut p.report);
            leads_on(p, fields);
        }
        StateKind::Choice => choice(p, fields),
        StateKind::Succeed | StateKind::Fail => p.scope.ends(),
        StateKind::Parallel => {
            nested::branches(p, fields);
            leads_on(p, fields);
        }
        StateKind::Map => {
            nested::processor(p, fields);
            leads_on(p, fields);
        }
    }
}

fn leads_on<'a>(p: &mut Parser<'a>, fields: Fields<'a, '_>) {
    let at = fields.at.key("Catch");
    if let Some(items) = fields.array("Catch", &mut p.report) {
        next_of_each(p, items, &at, &fields::CATCHER);
    }
    then(p, fields);
}

fn choice<'a>(p: &mut Parser<'a>, fields: Fields<'a, '_>) {
    let at = fields.at.key("Choices");
    match fields.array_nonempty("Choices", &mut p.report) {
        Some(items) => next_of_each(p, items, &at, &fields::RULE),
        None => p.scope.unclear(),
    }
    if fields.has("Default") {
        block::target(p, fields, "Default");
    }
}

fn next_of_each<'a>(p: &mut Parser<'a>, items: &'a [Json], at: &At, shape: &Shape) {
    for (index, item) in items.iter().enumerate() {
        let at = at.index(index);
        let Some(fields) = Fields::of(item, &at, &mut p.report) else {
            p.scope.unclear();
            continue;
        };
        shape.check(fields.object, fields.at, Language::Jsonata, &mut p.report);
        block::target(p, fields, "Next");
    }
}
