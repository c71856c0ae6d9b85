//! Parallel and Map: states that hold blocks.

use super::block::Sight;
use super::fields::{self, Language, Shape};
use super::jsonata::Sees;
use super::read::Fields;
use super::report::Report;
use super::states::{result_path, then};
use super::{Parser, block, distributed, retry, task};
use crate::tree::{BlockId, Concurrency, Items, MachineKind, Map, MapMode, Parallel, Payload};

pub(super) fn parallel<'a>(p: &mut Parser<'a>, fields: Fields<'a, '_>) -> Option<Parallel> {
    let branches = branches(p, fields);
    let parameters = task::arguments(fields, &mut p.report);
    let result_selector = fields.template("ResultSelector", &mut p.report);
    let result_path = result_path(fields, &mut p.report);
    let retry = retry::retry(fields, &mut p.report);
    let catch = retry::catch(p, fields);
    let then = then(p, fields);
    Some(Parallel { branches: branches?, parameters, result_selector, result_path, retry, catch, then: then? })
}

pub(super) fn map<'a>(p: &mut Parser<'a>, fields: Fields<'a, '_>) -> Option<Map> {
    let (processor, mode) = processor(p, fields);
    let items = items(fields, &mut p.report);
    let item_selector = item_selector(fields, &mut p.report);
    let concurrency = concurrency(fields, &mut p.report);
    let tolerated = distributed::tolerated(fields, &mut p.report);
    let result_selector = fields.template("ResultSelector", &mut p.report);
    let result_path = result_path(fields, &mut p.report);
    let retry = retry::retry(fields, &mut p.report);
    let catch = retry::catch(p, fields);
    let then = then(p, fields);
    Some(Map {
        processor: processor?,
        mode,
        items: items?,
        item_selector,
        concurrency,
        tolerated,
        result_selector,
        result_path,
        retry,
        catch,
        then: then?,
    })
}

fn branches<'a>(p: &mut Parser<'a>, fields: Fields<'a, '_>) -> Option<Vec<BlockId>> {
    let items = fields.array_nonempty("Branches", &mut p.report)?;
    let at = fields.at.key("Branches");
    let read = |(index, item)| {
        let at = at.index(index);
        let fields = Fields::of(item, &at, p.language, &mut p.report)?;
        inner_block(p, fields, &fields::BRANCH, p.scope.kind, Sight::Outer)
    };
    // First all of them, so that each is reported on.
    let branches: Vec<Option<BlockId>> = items.iter().enumerate().map(read).collect();
    branches.into_iter().collect()
}

/// `ItemProcessor`, or `Iterator` as it was once called; and how it is executed.
fn processor<'a>(p: &mut Parser<'a>, map: Fields<'a, '_>) -> (Option<BlockId>, MapMode) {
    let name = match (map.has("ItemProcessor"), map.has("Iterator")) {
        (false, false) => {
            p.report.schema(map.at, "These fields are required: [ItemProcessor]");
            None
        }
        _ => map.at_most_one(&["ItemProcessor", "Iterator"], &mut p.report),
    };
    let Some((name, json)) = name.and_then(|name| Some((name, map.get(name)?))) else {
        return (None, MapMode::Inline);
    };
    let at = map.at.key(name);
    let Some(fields) = Fields::of(json, &at, p.language, &mut p.report) else {
        return (None, MapMode::Inline);
    };
    let mode = distributed::mode(p, map, fields);
    let (kind, sight) = match mode {
        MapMode::Inline => (p.scope.kind, Sight::Outer),
        MapMode::Distributed(ref distributed) => (distributed.children, Sight::Own),
    };
    (inner_block(p, fields, &fields::PROCESSOR, kind, sight), mode)
}

fn inner_block<'a>(
    p: &mut Parser<'a>,
    fields: Fields<'a, '_>,
    shape: &Shape,
    kind: MachineKind,
    sight: Sight,
) -> Option<BlockId> {
    shape.check(fields, &mut p.report);
    fields.string("Comment", &mut p.report);
    block::block(p, fields, kind, sight)
}

fn items(fields: Fields, report: &mut Report) -> Option<Items> {
    match fields.language {
        Language::JsonPath => Some(Items::JsonPath(fields.reference_path("ItemsPath", report))),
        Language::Jsonata if !fields.has("Items") => Some(Items::Jsonata(None)),
        Language::Jsonata => {
            let is_object = fields.get("Items").is_some_and(|items| items.as_object().is_some());
            if !is_object && !fields.is_expression("Items") {
                fields.array("Items", report)?;
            }
            fields.jsonata("Items", Sees::Input, report).map(|items| Items::Jsonata(Some(items)))
        }
    }
}

fn item_selector(fields: Fields, report: &mut Report) -> Option<Payload> {
    let name = fields.at_most_one(&["ItemSelector", "Parameters"], report)?;
    fields.payload(name, Sees::Input, report)
}

fn concurrency(fields: Fields, report: &mut Report) -> Concurrency {
    let concurrency = match fields.at_most_one(&["MaxConcurrency", "MaxConcurrencyPath"], report) {
        Some(name) if fields.is_expression(name) => fields.jsonata(name, Sees::Input, report).map(Concurrency::Jsonata),
        Some("MaxConcurrency") => fields.integer("MaxConcurrency", 0..=u64::MAX, report).map(Concurrency::Literal),
        Some(_) => fields.reference_path("MaxConcurrencyPath", report).map(Concurrency::Path),
        None => None,
    };
    concurrency.unwrap_or(Concurrency::Literal(0))
}
