//! Retry and Catch.

use std::sync::Arc;

use base::{Json, limits};

use super::at::At;
use super::fields::{self, Language};
use super::jsonata::Sees;
use super::read::{Fields, expected};
use super::report::Report;
use super::states::result_path;
use super::{Parser, block, variables};
use crate::tree::{CatchOutput, Catcher, Jitter, ResultPath, Retrier};

/// 366 days.
const MAX_DELAY_SECONDS_MAX: u64 = 31_622_400;

const ALL: &str = "States.ALL";

pub(super) fn retry(fields: Fields, report: &mut Report) -> Vec<Retrier> {
    let Some(items) = fields.array("Retry", report) else {
        return Vec::new();
    };
    let at = fields.at.key("Retry");
    let read = |(index, item)| {
        let at = at.index(index);
        let fields = Fields::of(item, &at, fields.language, report)?;
        retrier(fields, Place { last: index + 1 == items.len() }, report)
    };
    items.iter().enumerate().filter_map(read).collect()
}

pub(super) fn catch<'a>(p: &mut Parser<'a>, fields: Fields<'a, '_>) -> Vec<Catcher> {
    if !fields.has("Catch") {
        return Vec::new();
    }
    let Some(items) = fields.array("Catch", &mut p.report) else {
        p.scope.unclear();
        return Vec::new();
    };
    let at = fields.at.key("Catch");
    let read = |(index, item)| {
        let at = at.index(index);
        match Fields::of(item, &at, fields.language, &mut p.report) {
            Some(fields) => catcher(p, fields, Place { last: index + 1 == items.len() }),
            None => {
                p.scope.unclear();
                None
            }
        }
    };
    items.iter().enumerate().filter_map(read).collect()
}

/// Where in its list something stands.
#[derive(Clone, Copy)]
struct Place {
    last: bool,
}

fn retrier(fields: Fields, place: Place, report: &mut Report) -> Option<Retrier> {
    fields::RETRIER.check(fields, report);
    fields.string("Comment", report);
    let seconds_max = limits::TIMEOUT_SECONDS_MAX;
    let error_equals = error_equals(fields, place, report);
    let interval_seconds = fields.integer("IntervalSeconds", 1..=seconds_max, report).unwrap_or(1);
    let max_attempts = fields.integer("MaxAttempts", 0..=seconds_max, report).unwrap_or(3);
    let backoff_rate = fields.number_at_least("BackoffRate", 1.0, report).unwrap_or(2.0);
    let max_delay_seconds = fields.integer("MaxDelaySeconds", 1..=MAX_DELAY_SECONDS_MAX, report);
    let jitter = fields.word("JitterStrategy", &[("FULL", Jitter::Full), ("NONE", Jitter::None)], report);
    let jitter = jitter.unwrap_or(Jitter::None);
    Some(Retrier {
        error_equals: error_equals?,
        interval_seconds,
        max_attempts,
        backoff_rate,
        max_delay_seconds,
        jitter,
    })
}

fn catcher<'a>(p: &mut Parser<'a>, fields: Fields<'a, '_>, place: Place) -> Option<Catcher> {
    fields::CATCHER.check(fields, &mut p.report);
    fields.string("Comment", &mut p.report);
    let error_equals = error_equals(fields, place, &mut p.report);
    let next = block::target(p, fields, "Next");
    let output = catch_output(fields, &mut p.report);
    let assign = variables::assign(p, fields, Sees::Error);
    Some(Catcher { error_equals: error_equals?, next: next?, output: output?, assign })
}

fn catch_output(fields: Fields, report: &mut Report) -> Option<CatchOutput> {
    match fields.language {
        Language::Jsonata if fields.has("Output") => {
            fields.jsonata("Output", Sees::Error, report).map(CatchOutput::Output)
        }
        Language::Jsonata => Some(CatchOutput::ResultPath(ResultPath::Replace)),
        Language::JsonPath => Some(CatchOutput::ResultPath(result_path(fields, report))),
    }
}

fn error_equals(fields: Fields, place: Place, report: &mut Report) -> Option<Vec<Arc<str>>> {
    let items = fields.array_nonempty("ErrorEquals", report)?;
    let at = fields.at.key("ErrorEquals");
    let names: Vec<Arc<str>> =
        items.iter().enumerate().filter_map(|(index, item)| error_name(item, &at.index(index), report)).collect();
    check_all(&names, place, &at, report);
    Some(names)
}

fn error_name(item: &Json, at: &At, report: &mut Report) -> Option<Arc<str>> {
    match item {
        Json::String(name) => Some(Arc::clone(name)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => {
            report.schema(at, expected("STRING"));
            None
        }
    }
}

/// `States.ALL` stands alone, and nothing comes after it.
fn check_all(names: &[Arc<str>], place: Place, at: &At, report: &mut Report) {
    if names.iter().all(|name| &**name != ALL) {
        return;
    }
    if names.len() > 1 {
        report.schema(at, format!("'{ALL}' must appear alone in 'ErrorEquals'"));
    }
    if !place.last {
        report.schema(at, format!("'{ALL}' must be in the last element of the list"));
    }
}
