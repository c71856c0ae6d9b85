//! Map in distributed mode: its iterations are executions of their own, its items may come from a bucket.

use std::sync::Arc;

use base::{Json, limits};

use super::Parser;
use super::fields::{self, Language};
use super::jsonata::Sees;
use super::read::Fields;
use super::report::Report;
use super::task;
use crate::resource::is_banned;
use crate::tree::{
    Distributed, ItemBatcher, ItemReader, MachineKind, MapMode, Quantity, ReadFrom, ResultWriter, Tolerated,
};

/// A Map's `Label`, in characters.
const LABEL_CHARS_MAX: usize = 40;

/// `MaxItems`: what one Map run may read.
const ITEMS_MAX: u64 = 100_000_000;

/// The fields that only a Map in distributed mode has.
const ONLY_DISTRIBUTED: [&str; 4] = ["Label", "ItemReader", "ItemBatcher", "ResultWriter"];

/// What the `ProcessorConfig` of `processor` and the fields of its `map` say.
pub(super) fn mode<'a>(p: &mut Parser<'a>, map: Fields<'a, '_>, processor: Fields<'a, '_>) -> MapMode {
    match children(p, processor) {
        None => {
            for name in ONLY_DISTRIBUTED.into_iter().filter(|name| map.has(name)) {
                let message = format!("Field '{name}' is only supported for a Map state with 'DISTRIBUTED' mode");
                p.report.schema(map.at, message);
            }
            MapMode::Inline
        }
        Some(children) => {
            let label = label(p, map);
            let reader = reader(map, &mut p.report);
            let batcher = batcher(map, &mut p.report);
            let writer = writer(map, &mut p.report);
            MapMode::Distributed(Box::new(Distributed { children, label, reader, batcher, writer }))
        }
    }
}

/// `ToleratedFailureCount` and `ToleratedFailurePercentage`, which stand in both modes.
pub(super) fn tolerated(fields: Fields, report: &mut Report) -> Tolerated {
    let names = ["ToleratedFailureCount", "ToleratedFailureCountPath"];
    let count = quantity(fields, names, Range::Whole(0..=u64::MAX), report);
    let names = ["ToleratedFailurePercentage", "ToleratedFailurePercentagePath"];
    let percentage = quantity(fields, names, Range::Percent, report);
    Tolerated { count, percentage }
}

/// What kind of executions the iterations are; none in inline mode.
fn children(p: &mut Parser, processor: Fields) -> Option<MachineKind> {
    let at = processor.at.key("ProcessorConfig");
    let config = Fields::of(processor.get("ProcessorConfig")?, &at, p.language, &mut p.report)?;
    fields::PROCESSOR_CONFIG.check(config, &mut p.report);
    let words = [("STANDARD", MachineKind::Standard), ("EXPRESS", MachineKind::Express)];
    let children = config.word("ExecutionType", &words, &mut p.report).unwrap_or(MachineKind::Standard);
    let words = [("INLINE", false), ("DISTRIBUTED", true)];
    if !config.word("Mode", &words, &mut p.report).unwrap_or(false) {
        return None;
    }
    if !config.has("ExecutionType") {
        p.report.schema(&at, "These fields are required: [ExecutionType]");
    }
    if p.scope.kind == MachineKind::Express {
        p.report.schema(&at.key("Mode"), "Express state machine does not support Map state with 'DISTRIBUTED' mode");
    }
    Some(children)
}

fn label(p: &mut Parser, map: Fields) -> Option<Arc<str>> {
    let label = map.string("Label", &mut p.report)?;
    let at = map.at.key("Label");
    if label.is_empty() {
        p.report.schema(&at, "Label cannot be empty");
    }
    if label.chars().count() > LABEL_CHARS_MAX {
        p.report.schema(&at, format!("Label cannot exceed {LABEL_CHARS_MAX} characters"));
    }
    if let Some(banned) = label.chars().find(|&character| is_banned(character)) {
        p.report.schema(&at, format!("Label contains invalid character: '{}'", banned.escape_default()));
    }
    if !p.labels.insert(Arc::clone(label)) {
        p.report.schema(&at, format!("Label must be unique in the state machine: '{label}'"));
    }
    Some(Arc::clone(label))
}

fn reader(map: Fields, report: &mut Report) -> Option<ItemReader> {
    let at = map.at.key("ItemReader");
    let fields = Fields::of(map.get("ItemReader")?, &at, map.language, report)?;
    fields::ITEM_READER.check(fields, report);
    let words = [("s3:getObject", ReadFrom::Object), ("s3:listObjectsV2", ReadFrom::Listing)];
    let from = resource(fields, &words, report);
    let arguments = task::arguments(fields, report);
    // In the wrong language they were reported already.
    if !fields.has("Parameters") && !fields.has("Arguments") {
        fields.any_of(&[task::arguments_name(fields.language)], report);
    }
    let (config, items_max) = match fields.get("ReaderConfig") {
        Some(json) => reader_config(json, fields, from, report),
        None => (Json::empty_object(), None),
    };
    Some(ItemReader { from: from?, arguments, config, items_max })
}

/// The configuration without its `MaxItems`, and that.
fn reader_config(json: &Json, reader: Fields, from: Option<ReadFrom>, report: &mut Report) -> (Json, Option<Quantity>) {
    let at = reader.at.key("ReaderConfig");
    let Some(fields) = Fields::of(json, &at, reader.language, report) else {
        return (Json::empty_object(), None);
    };
    fields::READER_CONFIG.check(fields, report);
    let items_max = quantity(fields, ["MaxItems", "MaxItemsPath"], Range::Whole(0..=ITEMS_MAX), report);
    let inventory = fields.word("ManifestType", &[("ATHENA_DATA", false), ("S3_INVENTORY", true)], report);
    let transformed = fields.word("Transformation", &[("NONE", false), ("LOAD_AND_FLATTEN", true)], report);
    let input = fields.word("InputType", &INPUT_TYPES, report);
    check_input_type(fields, from, inventory, transformed, report);
    check_csv(fields, input, report);
    if let Some(pointer) = fields.string("ItemsPointer", report)
        && !pointer.is_empty()
        && !pointer.starts_with('/')
    {
        report.schema(&at, "The value for the field 'ItemsPointer' must be a valid JSON Pointer");
    }
    let kept = fields.object.iter().filter(|(name, _)| !matches!(&***name, "MaxItems" | "MaxItemsPath"));
    (Json::object(kept.map(|(name, value)| (Arc::clone(name), value.clone()))), items_max)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum InputType {
    Csv,
    Other,
}

const INPUT_TYPES: [(&str, InputType); 5] = [
    ("CSV", InputType::Csv),
    ("JSON", InputType::Other),
    ("JSONL", InputType::Other),
    ("PARQUET", InputType::Other),
    ("MANIFEST", InputType::Other),
];

/// What is read says what it is, but an inventory, which is described by its own manifest, and a listing, which is
/// only read when it is loaded (Developer Guide, "ItemReader (Map)").
fn check_input_type(
    fields: Fields,
    from: Option<ReadFrom>,
    inventory: Option<bool>,
    transformed: Option<bool>,
    report: &mut Report,
) {
    let has = fields.has("InputType");
    let loads = transformed == Some(true);
    match from {
        _ if inventory == Some(true) && has => {
            report.schema(fields.at, "Field 'InputType' is not supported when 'ManifestType' is 'S3_INVENTORY'");
        }
        Some(ReadFrom::Object) if inventory != Some(true) && !has => {
            report.schema(fields.at, "These fields are required: [InputType]");
        }
        Some(ReadFrom::Listing) if loads && !has => {
            report.schema(fields.at, "These fields are required: [InputType]");
        }
        Some(ReadFrom::Object | ReadFrom::Listing) | None => {}
    }
}

fn check_csv(fields: Fields, input: Option<InputType>, report: &mut Report) {
    let words = ["COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"].map(|word| (word, ()));
    fields.word("CSVDelimiter", &words, report);
    let given = fields.word("CSVHeaderLocation", &[("FIRST_ROW", false), ("GIVEN", true)], report);
    if let Some(headers) = fields.array_nonempty("CSVHeaders", report) {
        let at = fields.at.key("CSVHeaders");
        for (index, _) in headers.iter().enumerate().filter(|(_, header)| header.as_str().is_none()) {
            report.schema(&at.index(index), super::read::expected("STRING"));
        }
    }
    match (given, fields.has("CSVHeaders")) {
        (Some(true), false) => report.schema(fields.at, "These fields are required: [CSVHeaders]"),
        (Some(false), true) => {
            report.schema(fields.at, "Field 'CSVHeaders' is not supported when 'CSVHeaderLocation' is 'FIRST_ROW'");
        }
        (Some(true), true) | (Some(false), false) | (None, _) => {}
    }
    if input.is_some_and(|input| input != InputType::Csv) {
        for name in ["CSVDelimiter", "CSVHeaderLocation", "CSVHeaders"].into_iter().filter(|name| fields.has(name)) {
            report.schema(fields.at, format!("Field '{name}' is only supported when 'InputType' is 'CSV'"));
        }
    }
}

fn batcher(map: Fields, report: &mut Report) -> Option<ItemBatcher> {
    let at = map.at.key("ItemBatcher");
    let fields = Fields::of(map.get("ItemBatcher")?, &at, map.language, report)?;
    fields::ITEM_BATCHER.check(fields, report);
    let [items, bytes] =
        [["MaxItemsPerBatch", "MaxItemsPerBatchPath"], ["MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath"]];
    match fields.language {
        Language::JsonPath => fields.any_of(&[items, bytes].concat(), report),
        Language::Jsonata => fields.any_of(&[items[0], bytes[0]], report),
    }
    let items_max = quantity(fields, items, Range::Whole(1..=u64::MAX), report);
    let bytes_max = quantity(fields, bytes, Range::Whole(1..=limits::PAYLOAD_BYTES_MAX as u64), report);
    let input = fields.payload("BatchInput", Sees::Input, report);
    Some(ItemBatcher { items_max, bytes_max, input })
}

fn writer(map: Fields, report: &mut Report) -> Option<ResultWriter> {
    let at = map.at.key("ResultWriter");
    let fields = Fields::of(map.get("ResultWriter")?, &at, map.language, report)?;
    fields::RESULT_WRITER.check(fields, report);
    resource(fields, &[("s3:putObject", ())], report);
    check_destination(fields, report);
    let arguments = task::arguments(fields, report);
    let config = fields.get("WriterConfig");
    if let Some(json) = config {
        writer_config(json, fields, report);
    }
    Some(ResultWriter { arguments, config: config.cloned() })
}

/// A destination is a resource and what it is asked; without one there is a format (Developer Guide, "ResultWriter
/// (Map)").
fn check_destination(fields: Fields, report: &mut Report) {
    let arguments = task::arguments_name(fields.language);
    match (fields.has("Resource"), fields.has(arguments)) {
        (true, false) => report.schema(fields.at, format!("These fields are required: [{arguments}]")),
        (false, true) => report.schema(fields.at, "These fields are required: [Resource]"),
        (false, false) => fields.any_of(&["Resource", "WriterConfig"], report),
        (true, true) => {}
    }
}

fn writer_config(json: &Json, writer: Fields, report: &mut Report) {
    let at = writer.at.key("WriterConfig");
    let Some(fields) = Fields::of(json, &at, writer.language, report) else { return };
    fields::WRITER_CONFIG.check(fields, report);
    fields.word("OutputType", &[("JSON", ()), ("JSONL", ())], report);
    fields.word("Transformation", &[("NONE", ()), ("COMPACT", ()), ("FLATTEN", ())], report);
}

/// The `Resource` of a reader or a writer: one of a few actions, in any partition.
fn resource<T: Copy>(fields: Fields, actions: &[(&str, T)], report: &mut Report) -> Option<T> {
    let text = fields.string("Resource", report)?;
    let arn = base::Arn::parse(text).filter(|arn| arn.service == "states" && arn.region.is_empty());
    let found = arn.and_then(|arn| actions.iter().find(|(action, _)| *action == arn.resource));
    if found.is_none() {
        task::not_recognized(text, &fields.at.key("Resource"), report);
    }
    found.map(|(_, meaning)| *meaning)
}

/// What a literal may be.
enum Range {
    Whole(std::ops::RangeInclusive<u64>),
    Percent,
}

/// A number: given, at a path, or computed.
fn quantity(fields: Fields, [literal, path]: [&'static str; 2], range: Range, report: &mut Report) -> Option<Quantity> {
    let name = fields.at_most_one(&[literal, path], report)?;
    if name == path {
        return fields.reference_path(name, report).map(Quantity::Path);
    }
    if fields.is_expression(name) {
        return fields.jsonata(name, Sees::Input, report).map(Quantity::Jsonata);
    }
    let number = match range {
        #[expect(clippy::cast_precision_loss, reason = "beyond 2^53 nobody counts")]
        Range::Whole(range) => fields.integer(name, range, report).map(|number| number as f64),
        Range::Percent => percent(fields, name, report),
    };
    number.map(Quantity::Literal)
}

fn percent(fields: Fields, name: &str, report: &mut Report) -> Option<f64> {
    let number = fields.number_at_least(name, 0.0, report)?;
    if number > 100.0 {
        report.schema(&fields.at.key(name), format!("Maximum value is {:?}", 100.0));
        return None;
    }
    Some(number)
}
