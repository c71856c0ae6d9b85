//! Parallel and Map: states that hold blocks.

use base::Json;

use super::fields::{self, Language, Shape};
use super::read::Fields;
use super::report::Report;
use super::states::{result_path, then};
use super::{Parser, block, retry, task};
use crate::tree::{BlockId, Concurrency, Distributed, Items, MachineKind, Map, MapMode, Parallel, Payload};

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
    let processor = processor(p, fields);
    let items = items(fields, &mut p.report);
    let item_selector = item_selector(fields, &mut p.report);
    let concurrency = concurrency(fields, &mut p.report);
    let result_selector = fields.template("ResultSelector", &mut p.report);
    let result_path = result_path(fields, &mut p.report);
    let retry = retry::retry(fields, &mut p.report);
    let catch = retry::catch(p, fields);
    let then = then(p, fields);
    let (processor, mode) = processor?;
    Some(Map {
        processor,
        mode,
        items: items?,
        item_selector,
        concurrency,
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
        inner_block(p, fields, &fields::BRANCH, p.scope.kind)
    };
    // First all of them, so that each is reported on.
    let branches: Vec<Option<BlockId>> = items.iter().enumerate().map(read).collect();
    branches.into_iter().collect()
}

/// `ItemProcessor`, or `Iterator` as it was once called.
fn processor<'a>(p: &mut Parser<'a>, fields: Fields<'a, '_>) -> Option<(BlockId, MapMode)> {
    let name = match (fields.has("ItemProcessor"), fields.has("Iterator")) {
        (false, false) => {
            p.report.schema(fields.at, "These fields are required: [ItemProcessor]");
            return None;
        }
        _ => fields.at_most_one(&["ItemProcessor", "Iterator"], &mut p.report)?,
    };
    let at = fields.at.key(name);
    let fields = Fields::of(fields.get(name)?, &at, p.language, &mut p.report)?;
    let mode = mode(p, fields);
    let kind = match mode {
        MapMode::Inline => p.scope.kind,
        MapMode::Distributed(ref distributed) => distributed.children,
    };
    let block = inner_block(p, fields, &fields::PROCESSOR, kind)?;
    Some((block, mode))
}

fn inner_block<'a>(p: &mut Parser<'a>, fields: Fields<'a, '_>, shape: &Shape, kind: MachineKind) -> Option<BlockId> {
    shape.check(fields, &mut p.report);
    fields.string("Comment", &mut p.report);
    block::block(p, fields, kind)
}

fn mode(p: &mut Parser, fields: Fields) -> MapMode {
    let at = fields.at.key("ProcessorConfig");
    let Some(config) =
        fields.get("ProcessorConfig").and_then(|json: &Json| Fields::of(json, &at, p.language, &mut p.report))
    else {
        return MapMode::Inline;
    };
    fields::PROCESSOR_CONFIG.check(config, &mut p.report);
    let words = [("STANDARD", MachineKind::Standard), ("EXPRESS", MachineKind::Express)];
    let children = config.word("ExecutionType", &words, &mut p.report).unwrap_or(MachineKind::Standard);
    let words = [("INLINE", false), ("DISTRIBUTED", true)];
    if !config.word("Mode", &words, &mut p.report).unwrap_or(false) {
        return MapMode::Inline;
    }
    if p.scope.kind == MachineKind::Express {
        p.report.schema(&at.key("Mode"), "Express state machine does not support Map state with 'DISTRIBUTED' mode");
    }
    MapMode::Distributed(Box::new(Distributed {
        children,
        label: None,
        reader: None,
        batcher: None,
        writer: None,
        tolerated_count: None,
        tolerated_percentage: None,
    }))
}

fn items(fields: Fields, report: &mut Report) -> Option<Items> {
    match fields.language {
        Language::JsonPath => Some(Items::JsonPath(fields.reference_path("ItemsPath", report))),
        Language::Jsonata if !fields.has("Items") || fields.is_expression("Items", report) => {
            Some(Items::Jsonata(None))
        }
        Language::Jsonata => {
            if fields.get("Items").is_some_and(|items| items.as_object().is_some()) {
                report.not_yet(&fields.at.key("Items"), "objects as 'Items'");
                return None;
            }
            fields.array("Items", report)?;
            fields.jsonata("Items", report).map(|items| Items::Jsonata(Some(items)))
        }
    }
}

fn item_selector(fields: Fields, report: &mut Report) -> Option<Payload> {
    let name = fields.at_most_one(&["ItemSelector", "Parameters"], report)?;
    fields.payload(name, report)
}

fn concurrency(fields: Fields, report: &mut Report) -> Concurrency {
    let concurrency = match fields.at_most_one(&["MaxConcurrency", "MaxConcurrencyPath"], report) {
        Some(name) if fields.is_expression(name, report) => None,
        Some("MaxConcurrency") => fields.integer("MaxConcurrency", 0..=u64::MAX, report).map(Concurrency::Literal),
        Some(_) => fields.reference_path("MaxConcurrencyPath", report).map(Concurrency::Path),
        None => None,
    };
    concurrency.unwrap_or(Concurrency::Literal(0))
}
