//! The actions and what each takes: one table, by which documents are checked and filled.

use base::Json;
use base::json::Object;

use crate::content::{ContentError, Place};
use crate::document::Schema;
use crate::parameter::{Parameter, ParameterType};
use crate::plan::{NextStep, Platform};
use crate::template::{From, Piece, Template};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ActionKind {
    Shell,
    PowerShell,
    Download,
    Document,
    Job,
}

/// What every action takes besides its own inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Shared {
    pub(crate) on_failure: NextStep,
    pub(crate) on_success: NextStep,
    pub(crate) finally: bool,
}

/// What an input may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A text; numbers and truth values count by how they are written.
    Text,
    /// A text or a list of lines, which is run.
    Script,
    /// A list of texts.
    List,
    /// An object, or a text that has one in JSON.
    Map,
}

type Input = (&'static str, Kind, bool);

const REQUIRED: bool = true;
const OPTIONAL: bool = false;

const SCRIPT: &[Input] = &[
    ("runCommand", Kind::Script, REQUIRED),
    ("workingDirectory", Kind::Text, OPTIONAL),
    ("timeoutSeconds", Kind::Text, OPTIONAL),
];

const DOWNLOAD: &[Input] = &[
    ("sourceType", Kind::Text, REQUIRED),
    ("sourceInfo", Kind::Map, REQUIRED),
    ("destinationPath", Kind::Text, OPTIONAL),
];

const DOCUMENT: &[Input] = &[
    ("documentType", Kind::Text, REQUIRED),
    ("documentPath", Kind::Text, REQUIRED),
    ("documentParameters", Kind::Map, OPTIONAL),
];

const JOB: &[Input] = &[
    ("script", Kind::Script, OPTIONAL),
    ("program", Kind::Text, OPTIONAL),
    ("commandLine", Kind::Text, OPTIONAL),
    ("arguments", Kind::List, OPTIONAL),
    ("user", Kind::Text, OPTIONAL),
    ("workingDirectory", Kind::Text, OPTIONAL),
    ("environment", Kind::Map, OPTIONAL),
    ("secrets", Kind::Map, OPTIONAL),
    ("stdin", Kind::Text, OPTIONAL),
    ("timeoutSeconds", Kind::Text, OPTIONAL),
    ("normal", Kind::Text, OPTIONAL),
    ("warning", Kind::Text, OPTIONAL),
    ("alwaysNormal", Kind::Text, OPTIONAL),
    ("abnormalIfFileMissing", Kind::List, OPTIONAL),
    ("abnormalIfFileNotModified", Kind::List, OPTIONAL),
    ("warningIfOutput", Kind::List, OPTIONAL),
    ("abnormalIfOutput", Kind::List, OPTIONAL),
    ("cpuSeconds", Kind::Text, OPTIONAL),
    ("cpuPercent", Kind::Text, OPTIONAL),
    ("memoryMiB", Kind::Text, OPTIONAL),
    ("processes", Kind::Text, OPTIONAL),
    ("retryCodes", Kind::Text, OPTIONAL),
    ("retryTimes", Kind::Text, OPTIONAL),
    ("retryIntervalSeconds", Kind::Text, OPTIONAL),
    ("lostAfterSeconds", Kind::Text, OPTIONAL),
];

impl ActionKind {
    const ALL: [(&'static str, ActionKind); 5] = [
        ("aws:runShellScript", ActionKind::Shell),
        ("aws:runPowerShellScript", ActionKind::PowerShell),
        ("aws:downloadContent", ActionKind::Download),
        ("aws:runDocument", ActionKind::Document),
        ("dandori:runJob", ActionKind::Job),
    ];

    pub(crate) fn parse(name: &str, schema: Schema, place: &Place<'_>) -> Result<ActionKind, ContentError> {
        let Some((_, action)) = ActionKind::ALL.into_iter().find(|(known, _)| *known == name) else {
            let all = ActionKind::ALL.map(|(known, _)| known).join(", ");
            return Err(ContentError::new(place, format!("action {name} is not one of those that are run: {all}")));
        };
        match (action, schema) {
            (ActionKind::Job, Schema::V1_2 | Schema::V2_0) => {
                Err(ContentError::new(place, format!("action {name} takes schemaVersion 2.2")))
            }
            (ActionKind::Download | ActionKind::Document, Schema::V1_2) => {
                Err(ContentError::new(place, format!("action {name} takes schemaVersion 2.0 or later")))
            }
            _ => Ok(action),
        }
    }

    /// Where a step without a precondition runs.
    pub(crate) fn platforms(self) -> &'static [Platform] {
        match self {
            ActionKind::Shell => &[Platform::Linux, Platform::MacOS],
            ActionKind::PowerShell | ActionKind::Download | ActionKind::Document | ActionKind::Job => {
                &[Platform::Windows, Platform::Linux, Platform::MacOS]
            }
        }
    }

    fn inputs(self) -> &'static [Input] {
        match self {
            ActionKind::Shell | ActionKind::PowerShell => SCRIPT,
            ActionKind::Download => DOWNLOAD,
            ActionKind::Document => DOCUMENT,
            ActionKind::Job => JOB,
        }
    }
}

/// Each input is one that the action takes, of a type that fits, with references that are declared.
pub(crate) fn check_inputs(
    action: ActionKind,
    inputs: &Object,
    parameters: &[Parameter],
    place: &Place<'_>,
) -> Result<(), ContentError> {
    for (key, value) in inputs {
        let place = place.member(key);
        let Some((_, kind, _)) = action.inputs().iter().find(|(known, ..)| *known == &**key) else {
            return Err(ContentError::new(&place, format!("unknown input {key}")));
        };
        check_references(value, parameters, &place)?;
        if !kind.takes(value, parameters) {
            return Err(ContentError::new(&place, format!("{key} has to be {}", kind.words())));
        }
    }
    let missing = |(key, _, required): &&Input| *required && !inputs.contains_key(*key);
    if let Some((key, ..)) = action.inputs().iter().find(missing) {
        return Err(ContentError::new(place, format!("input {key} is missing")));
    }
    let one = ["script", "program", "commandLine"].iter().filter(|key| inputs.contains_key(**key)).count();
    if action == ActionKind::Job && one == 0 {
        return Err(ContentError::new(place, "one of the inputs script, program and commandLine is needed"));
    }
    Ok(())
}

/// Every parameter that any text in `json` refers to is declared.
pub(crate) fn check_references(json: &Json, parameters: &[Parameter], place: &Place<'_>) -> Result<(), ContentError> {
    match json {
        Json::Null | Json::Bool(_) | Json::Number(_) => Ok(()),
        Json::String(text) => {
            let template = Template::parse(text, From::Document);
            let declared = |name: &str| parameters.iter().any(|parameter| parameter.name == name);
            match template.parameters().find(|name| !declared(name)) {
                Some(name) => Err(ContentError::new(place, format!("Parameter \"{name}\" is not declared"))),
                None => Ok(()),
            }
        }
        Json::Array(items) => {
            items.iter().enumerate().try_for_each(|(nth, item)| check_references(item, parameters, &place.item(nth)))
        }
        Json::Object(members) => {
            members.iter().try_for_each(|(key, value)| check_references(value, parameters, &place.member(key)))
        }
    }
}

impl Kind {
    fn words(self) -> &'static str {
        match self {
            Kind::Text => "a text, or a parameter of the type String, Integer or Boolean",
            Kind::Script => "a text or a list of texts, or a parameter of the type String or StringList",
            Kind::List => "a list of texts, or a parameter of the type StringList or String",
            Kind::Map => "an object, or a parameter of the type StringMap or String",
        }
    }

    fn takes(self, value: &Json, parameters: &[Parameter]) -> bool {
        if let Some(kind) = whole_parameter(value, parameters) {
            return self.takes_type(kind);
        }
        match self {
            Kind::Text => matches!(value, Json::String(_) | Json::Number(_) | Json::Bool(_)),
            Kind::Script | Kind::List => match value {
                Json::String(_) => true,
                Json::Array(items) => items.iter().all(|item| {
                    item.as_str().is_some()
                        && whole_parameter(item, parameters).is_none_or(|kind| self.takes_type(kind))
                }),
                _ => false,
            },
            Kind::Map => matches!(value, Json::String(_) | Json::Object(_)),
        }
    }

    /// AWS: "To use a parameter for a plugin input, the parameter type must match the accepted type."
    fn takes_type(self, kind: ParameterType) -> bool {
        match self {
            Kind::Text => matches!(kind, ParameterType::String | ParameterType::Integer | ParameterType::Boolean),
            Kind::Script | Kind::List => matches!(kind, ParameterType::String | ParameterType::StringList),
            Kind::Map => matches!(kind, ParameterType::StringMap | ParameterType::String),
        }
    }
}

/// The type of the parameter that is all that `value` says.
fn whole_parameter(value: &Json, parameters: &[Parameter]) -> Option<ParameterType> {
    let template = Template::parse(value.as_str()?, From::Document);
    let Some(Piece::Parameter(name)) = template.whole() else { return None };
    Some(parameters.iter().find(|parameter| parameter.name == *name)?.kind)
}
