//! Which fields each object of a definition may have, and in which query language.
//!
//! **A new field starts here**: a line in its state's table, then a read in the state's own file.

use super::read::Fields;
use super::report::Report;
use crate::tree::StateKind;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    JsonPath,
    Jsonata,
}

/// The fields of one kind of object.
pub(super) struct Shape {
    pub(super) required: &'static [&'static str],
    groups: &'static [&'static [Field]],
}

#[derive(Clone, Copy)]
pub(super) struct Field {
    name: &'static str,
    allowed: Allowed,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Allowed {
    Both,
    Only(Language),
}

const fn both(name: &'static str) -> Field {
    Field { name, allowed: Allowed::Both }
}

const fn path(name: &'static str) -> Field {
    Field { name, allowed: Allowed::Only(Language::JsonPath) }
}

const fn jsonata(name: &'static str) -> Field {
    Field { name, allowed: Allowed::Only(Language::Jsonata) }
}

/// Returns the fields of a state of this kind.
pub(super) fn of_state(kind: StateKind) -> &'static Shape {
    match kind {
        StateKind::Pass => &PASS,
        StateKind::Task => &TASK,
        StateKind::Choice => &CHOICE,
        StateKind::Wait => &WAIT,
        StateKind::Succeed => &SUCCEED,
        StateKind::Fail => &FAIL,
        StateKind::Parallel => &PARALLEL,
        StateKind::Map => &MAP,
    }
}

pub(super) static MACHINE: Shape = Shape {
    required: &["States", "StartAt"],
    groups: &[&[
        both("States"),
        both("StartAt"),
        both("Comment"),
        both("Version"),
        both("TimeoutSeconds"),
        both("QueryLanguage"),
    ]],
};

/// A Parallel's branch.
pub(super) static BRANCH: Shape =
    Shape { required: &["States", "StartAt"], groups: &[&[both("States"), both("StartAt"), both("Comment")]] };

/// A Map's `ItemProcessor` or `Iterator`.
pub(super) static PROCESSOR: Shape = Shape {
    required: &["States", "StartAt"],
    groups: &[&[both("States"), both("StartAt"), both("Comment"), both("ProcessorConfig")]],
};

pub(super) static PROCESSOR_CONFIG: Shape = Shape { required: &[], groups: &[&[both("Mode"), both("ExecutionType")]] };

const STATE: &[Field] = &[both("Type"), both("Comment"), both("QueryLanguage")];
const THEN: &[Field] = &[both("Next"), both("End")];
const IN_OUT: &[Field] = &[path("InputPath"), path("OutputPath"), jsonata("Output")];
const RESULT: &[Field] = &[path("ResultSelector"), path("ResultPath")];
const ASSIGN: &[Field] = &[both("Assign")];
const RETRY_CATCH: &[Field] = &[both("Retry"), both("Catch")];

static PASS: Shape = Shape {
    required: &["Type"],
    groups: &[STATE, THEN, IN_OUT, ASSIGN, &[path("Parameters"), path("Result"), path("ResultPath")]],
};

static TASK: Shape = Shape {
    required: &["Type", "Resource"],
    groups: &[
        STATE,
        THEN,
        IN_OUT,
        RESULT,
        ASSIGN,
        RETRY_CATCH,
        &[
            both("Resource"),
            path("Parameters"),
            jsonata("Arguments"),
            both("Credentials"),
            both("TimeoutSeconds"),
            path("TimeoutSecondsPath"),
            both("HeartbeatSeconds"),
            path("HeartbeatSecondsPath"),
        ],
    ],
};

static CHOICE: Shape =
    Shape { required: &["Type", "Choices"], groups: &[STATE, IN_OUT, ASSIGN, &[both("Choices"), both("Default")]] };

static WAIT: Shape = Shape {
    required: &["Type"],
    groups: &[
        STATE,
        THEN,
        IN_OUT,
        ASSIGN,
        &[both("Seconds"), path("SecondsPath"), both("Timestamp"), path("TimestampPath")],
    ],
};

static SUCCEED: Shape = Shape { required: &["Type"], groups: &[STATE, IN_OUT] };

static FAIL: Shape = Shape {
    required: &["Type"],
    groups: &[STATE, &[both("Error"), path("ErrorPath"), both("Cause"), path("CausePath")]],
};

static PARALLEL: Shape = Shape {
    required: &["Type", "Branches"],
    groups: &[
        STATE,
        THEN,
        IN_OUT,
        RESULT,
        ASSIGN,
        RETRY_CATCH,
        &[both("Branches"), path("Parameters"), jsonata("Arguments")],
    ],
};

static MAP: Shape = Shape {
    required: &["Type"],
    groups: &[
        STATE,
        THEN,
        IN_OUT,
        RESULT,
        ASSIGN,
        RETRY_CATCH,
        &[
            both("ItemProcessor"),
            both("Iterator"),
            both("ItemSelector"),
            path("Parameters"),
            path("ItemsPath"),
            jsonata("Items"),
            both("MaxConcurrency"),
            path("MaxConcurrencyPath"),
            both("ItemReader"),
            both("ItemBatcher"),
            both("ResultWriter"),
            both("Label"),
            both("ToleratedFailureCount"),
            path("ToleratedFailureCountPath"),
            both("ToleratedFailurePercentage"),
            path("ToleratedFailurePercentagePath"),
        ],
    ],
};

pub(super) static ITEM_READER: Shape = Shape {
    required: &["Resource"],
    groups: &[&[both("Resource"), both("ReaderConfig"), path("Parameters"), jsonata("Arguments")]],
};

pub(super) static READER_CONFIG: Shape = Shape {
    required: &[],
    groups: &[&[
        both("InputType"),
        both("Transformation"),
        both("ManifestType"),
        both("CSVDelimiter"),
        both("CSVHeaderLocation"),
        both("CSVHeaders"),
        both("ItemsPointer"),
        both("MaxItems"),
        path("MaxItemsPath"),
    ]],
};

pub(super) static ITEM_BATCHER: Shape = Shape {
    required: &[],
    groups: &[&[
        both("MaxItemsPerBatch"),
        path("MaxItemsPerBatchPath"),
        both("MaxInputBytesPerBatch"),
        path("MaxInputBytesPerBatchPath"),
        both("BatchInput"),
    ]],
};

pub(super) static RESULT_WRITER: Shape = Shape {
    required: &[],
    groups: &[&[both("Resource"), both("WriterConfig"), path("Parameters"), jsonata("Arguments")]],
};

pub(super) static WRITER_CONFIG: Shape =
    Shape { required: &[], groups: &[&[both("OutputType"), both("Transformation")]] };

/// An element of `Choices`. The operators are in `choice.rs`.
pub(super) static RULE: Shape = Shape {
    required: &["Next"],
    groups: &[ASSIGN, RULE_TEST, &[both("Next"), both("Comment"), jsonata("Condition"), jsonata("Output")]],
};

/// A rule inside `And`, `Or` or `Not`.
pub(super) static NESTED_RULE: Shape = Shape { required: &[], groups: &[RULE_TEST, &[both("Comment")]] };

const RULE_TEST: &[Field] = &[path("Variable"), path("And"), path("Or"), path("Not")];

pub(super) static RETRIER: Shape = Shape {
    required: &["ErrorEquals"],
    groups: &[&[
        both("ErrorEquals"),
        both("Comment"),
        both("IntervalSeconds"),
        both("MaxAttempts"),
        both("BackoffRate"),
        both("MaxDelaySeconds"),
        both("JitterStrategy"),
    ]],
};

pub(super) static CATCHER: Shape = Shape {
    required: &["ErrorEquals", "Next"],
    groups: &[ASSIGN, &[both("ErrorEquals"), both("Next"), both("Comment"), path("ResultPath"), jsonata("Output")]],
};

impl Shape {
    /// Reports every missing and every misplaced field of an object.
    pub(super) fn check(&self, fields: Fields, report: &mut Report) {
        self.check_required(fields, report);
        for name in fields.object.keys() {
            self.check_field(name, fields, report);
        }
    }

    pub(super) fn check_required(&self, fields: Fields, report: &mut Report) {
        let missing: Vec<&str> = self.required.iter().copied().filter(|name| !fields.has(name)).collect();
        if !missing.is_empty() {
            report.schema(fields.at, format!("These fields are required: [{}]", missing.join(", ")));
        }
    }

    pub(super) fn check_field(&self, name: &str, fields: Fields, report: &mut Report) {
        let field = self.groups.iter().copied().flatten().find(|field| field.name == name);
        match field.map(|field| field.allowed) {
            None => report.schema(fields.at, format!("Field '{name}' is not supported")),
            Some(Allowed::Only(only)) if only != fields.language => wrong_language(name, fields, only, report),
            Some(Allowed::Only(_) | Allowed::Both) => {}
        }
    }
}

/// Reports a field that only the other language has.
pub(super) fn wrong_language(name: &str, fields: Fields, only: Language, report: &mut Report) {
    let (is, only) = (fields.language.name(), only.name());
    let message = format!(
        "The QueryLanguage is set to '{is}', but field '{name}' is only supported for the '{only}' QueryLanguage"
    );
    report.schema(fields.at, message);
}

impl Language {
    pub(super) fn name(self) -> &'static str {
        match self {
            Language::JsonPath => "JSONPath",
            Language::Jsonata => "JSONata",
        }
    }
}
