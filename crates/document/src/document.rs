//! A Command document, checked: every action, input and reference in it is known.

use std::collections::BTreeSet;

use base::Json;
use base::json::Object;

use crate::content::{self, ContentError, Format, Place};
use crate::inputs::{ActionKind, Shared, check_inputs, check_references};
use crate::parameter::Parameter;
use crate::plan::{NextStep, Platform};
use crate::template::{From, Template};

/// Steps of one document.
const STEPS_MAX: usize = 100;

/// Parameters of one document. AWS: 200 in a document.
const PARAMETERS_MAX: usize = 200;

/// A document that can be run, once its parameters have values.
#[derive(Debug, Clone)]
pub struct Document {
    pub(crate) schema: Schema,
    pub(crate) description: Option<String>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) steps: Vec<StepText>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    V1_2,
    V2_0,
    V2_2,
}

/// A step as the document writes it.
#[derive(Debug, Clone)]
pub(crate) struct StepText {
    pub(crate) name: String,
    pub(crate) action: ActionKind,
    pub(crate) precondition: Option<[Operand; 2]>,
    pub(crate) shared: Shared,
    /// Each known to the action, of a type that fits, with references that are declared.
    pub(crate) inputs: Object,
}

/// One side of a precondition's `StringEquals`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operand {
    PlatformType,
    Text(Template),
}

impl Schema {
    pub fn name(self) -> &'static str {
        match self {
            Schema::V1_2 => "1.2",
            Schema::V2_0 => "2.0",
            Schema::V2_2 => "2.2",
        }
    }
}

impl Document {
    /// The document that `text` says, or why it is none.
    pub fn parse(text: &str, format: Format) -> Result<Document, ContentError> {
        let json = content::read(text, format)?;
        let root = Place::Root;
        let Some(members) = json.as_object() else {
            return Err(ContentError::new(&root, "a document has to be an object"));
        };
        let schema = schema(members)?;
        known_fields(members, schema.fields(), &root, "of the document")?;
        let description = optional_text(members, "description", &root)?;
        let parameters = parameters(members, &root)?;
        let steps = match schema {
            Schema::V1_2 => runtime_config(members, &parameters, &root)?,
            Schema::V2_0 | Schema::V2_2 => main_steps(members, schema, &parameters, &root)?,
        };
        if steps.len() > STEPS_MAX {
            return Err(ContentError::new(&root, format!("a document may have {STEPS_MAX} steps")));
        }
        Ok(Document { schema, description, parameters, steps })
    }

    pub fn schema(&self) -> Schema {
        self.schema
    }

    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// In the document's order, as `DescribeDocument` lists them.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The platforms on which some step would run: `Windows`, `Linux`, `MacOS`.
    pub fn platform_types(&self) -> Vec<&'static str> {
        let all = [Platform::Windows, Platform::Linux, Platform::MacOS];
        let some = |platform: &Platform| self.steps.iter().any(|step| step.may_run_on(*platform));
        all.into_iter().filter(some).map(platform_name).collect()
    }

    /// The steps' names, as results call their plugins; those of documents that it runs are not among them.
    pub fn step_names(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().map(|step| step.name.as_str())
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }
}

pub(crate) fn platform_name(platform: Platform) -> &'static str {
    match platform {
        Platform::Linux => "Linux",
        Platform::Windows => "Windows",
        Platform::MacOS => "MacOS",
    }
}

impl StepText {
    fn may_run_on(&self, platform: Platform) -> bool {
        let asked = match &self.precondition {
            Some([Operand::PlatformType, Operand::Text(text)] | [Operand::Text(text), Operand::PlatformType]) => text,
            _ => return self.action.platforms().contains(&platform),
        };
        // A parameter may say any of them.
        asked.parameters().next().is_some() || asked.literal().as_deref() == Some(platform_name(platform))
    }
}

impl Schema {
    fn fields(self) -> &'static [&'static str] {
        match self {
            Schema::V1_2 => &["schemaVersion", "description", "parameters", "runtimeConfig"],
            Schema::V2_0 | Schema::V2_2 => &["schemaVersion", "description", "parameters", "mainSteps"],
        }
    }
}

/// YAML has `2.2` as a number where it is not quoted.
fn schema(members: &Object) -> Result<Schema, ContentError> {
    let version = match members.get("schemaVersion") {
        None => return Err(ContentError::new(&Place::Root, "schemaVersion is missing")),
        Some(Json::Number(number)) => format!("{:.1}", number.as_f64().unwrap_or_default()),
        Some(Json::String(text)) => text.to_string(),
        Some(other) => other.to_string(),
    };
    let all = [Schema::V1_2, Schema::V2_0, Schema::V2_2];
    all.into_iter().find(|schema| schema.name() == version).ok_or(ContentError::SchemaVersion(version))
}

fn parameters(members: &Object, root: &Place<'_>) -> Result<Vec<Parameter>, ContentError> {
    let place = root.member("parameters");
    let Some(declared) = members.get("parameters") else { return Ok(vec![]) };
    let Some(declared) = declared.as_object() else {
        return Err(ContentError::new(&place, "parameters has to be an object"));
    };
    if declared.len() > PARAMETERS_MAX {
        return Err(ContentError::new(&place, format!("a document may have {PARAMETERS_MAX} parameters")));
    }
    declared.iter().map(|(name, json)| Parameter::parse(name, json, &place.member(name))).collect()
}

/// Schema 1.2: each plugin by its name, with one or several sets of properties. Results have the plugin's name.
fn runtime_config(members: &Object, parameters: &[Parameter], root: &Place<'_>) -> Result<Vec<StepText>, ContentError> {
    let place = root.member("runtimeConfig");
    let Some(plugins) = members.get("runtimeConfig").and_then(Json::as_object).filter(|all| !all.is_empty()) else {
        return Err(ContentError::new(&place, "runtimeConfig has to be an object with plugins"));
    };
    let mut steps = vec![];
    for (plugin, config) in plugins.iter() {
        let place = place.member(plugin);
        let action = ActionKind::parse(plugin, Schema::V1_2, &place)?;
        let Some(config) = config.as_object() else {
            return Err(ContentError::new(&place, "a plugin has to be an object with properties"));
        };
        known_fields(config, &["properties"], &place, "of a plugin")?;
        let place = place.member("properties");
        let sets = match config.get("properties") {
            Some(Json::Array(sets)) if !sets.is_empty() => sets.to_vec(),
            Some(set @ Json::Object(_)) => vec![set.clone()],
            _ => return Err(ContentError::new(&place, "properties has to be an object or a list of objects")),
        };
        for (nth, set) in sets.iter().enumerate() {
            let place = place.item(nth);
            let Some(set) = set.as_object() else {
                return Err(ContentError::new(&place, "properties has to be an object or a list of objects"));
            };
            let name = if nth == 0 { plugin.to_string() } else { format!("{plugin}.{nth}") };
            steps.push(plugin_step(name, action, set, parameters, &place)?);
        }
    }
    Ok(steps)
}

fn plugin_step(
    name: String,
    action: ActionKind,
    set: &Object,
    parameters: &[Parameter],
    place: &Place<'_>,
) -> Result<StepText, ContentError> {
    optional_text(set, "id", place)?;
    let mut inputs = set.clone();
    inputs.shift_remove("id");
    check_inputs(action, &inputs, parameters, place)?;
    Ok(StepText { name, action, precondition: None, shared: Shared::default(), inputs })
}

fn main_steps(
    members: &Object,
    schema: Schema,
    parameters: &[Parameter],
    root: &Place<'_>,
) -> Result<Vec<StepText>, ContentError> {
    let place = root.member("mainSteps");
    let Some(list) = members.get("mainSteps").and_then(Json::as_array).filter(|list| !list.is_empty()) else {
        return Err(ContentError::new(&place, "mainSteps has to be a list of steps"));
    };
    let (mut names, mut steps) = (BTreeSet::new(), vec![]);
    for (nth, json) in list.iter().enumerate() {
        let place = place.item(nth);
        let step = step(json, schema, parameters, &place)?;
        if !names.insert(step.name.clone()) {
            return Err(ContentError::new(&place.member("name"), format!("there are two steps named {}", step.name)));
        }
        if step.shared.finally && nth + 1 < list.len() {
            return Err(ContentError::new(&place.member("inputs"), "only the last step may be the finallyStep"));
        }
        steps.push(step);
    }
    Ok(steps)
}

fn step(json: &Json, schema: Schema, parameters: &[Parameter], place: &Place<'_>) -> Result<StepText, ContentError> {
    let Some(members) = json.as_object() else { return Err(ContentError::new(place, "a step has to be an object")) };
    let fields = ["action", "name", "description", "precondition", "inputs"];
    let fields = if schema == Schema::V2_2 { &fields[..] } else { &["action", "name", "inputs"] };
    known_fields(members, fields, place, "of a step")?;
    let action = required_text(members, "action", place)?;
    let action = ActionKind::parse(&action, schema, &place.member("action"))?;
    let name = required_text(members, "name", place)?;
    if !is_step_name(&name) {
        let message = format!("the step's name {name:?} does not match ^[a-zA-Z0-9_-]{{3,128}}$");
        return Err(ContentError::new(&place.member("name"), message));
    }
    optional_text(members, "description", place)?;
    let precondition = match members.get("precondition") {
        None => None,
        Some(json) => Some(precondition(json, parameters, &place.member("precondition"))?),
    };
    let place = place.member("inputs");
    let mut inputs = match members.get("inputs") {
        None => Object::new(),
        Some(Json::Object(inputs)) => (**inputs).clone(),
        Some(_) => return Err(ContentError::new(&place, "inputs has to be an object")),
    };
    let shared = Shared::take(&mut inputs, &place)?;
    check_inputs(action, &inputs, parameters, &place)?;
    Ok(StepText { name, action, precondition, shared, inputs })
}

/// AWS's own documents have names of three characters and more.
fn is_step_name(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (3..=128).contains(&name.len()) && name.bytes().all(word)
}

/// `{"StringEquals": ["platformType", "Linux"]}`, or with parameters.
fn precondition(json: &Json, parameters: &[Parameter], place: &Place<'_>) -> Result<[Operand; 2], ContentError> {
    let fail = |message: &str| Err(ContentError::new(place, message));
    let operands =
        json.as_object().filter(|members| members.len() == 1).and_then(|members| members.get("StringEquals"));
    let Some([left, right]) = operands.and_then(Json::as_array) else {
        return fail("a precondition has to be StringEquals with two texts");
    };
    let (Some(left), Some(right)) = (left.as_str(), right.as_str()) else {
        return fail("a precondition has to be StringEquals with two texts");
    };
    check_references(&left.into(), parameters, place)?;
    check_references(&right.into(), parameters, place)?;
    let operands = [left, right].map(|text| match text {
        "platformType" => Operand::PlatformType,
        text => Operand::Text(Template::parse(text, From::Document)),
    });
    match &operands {
        [Operand::PlatformType, Operand::PlatformType] => fail("platformType may stand on one side"),
        [Operand::Text(left), Operand::Text(right)] if left.literal().is_some() && right.literal().is_some() => {
            fail("one of the two texts has to be platformType or to have a parameter")
        }
        _ => Ok(operands),
    }
}

pub(crate) fn known_fields(
    members: &Object,
    known: &[&str],
    place: &Place<'_>,
    whose: &str,
) -> Result<(), ContentError> {
    match members.keys().find(|key| !known.contains(&&***key)) {
        Some(unknown) => Err(ContentError::new(&place.member(unknown), format!("unknown field {unknown} {whose}"))),
        None => Ok(()),
    }
}

fn optional_text(members: &Object, key: &str, place: &Place<'_>) -> Result<Option<String>, ContentError> {
    match members.get(key) {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(text.to_string())),
        Some(_) => Err(ContentError::new(&place.member(key), format!("{key} has to be a text"))),
    }
}

fn required_text(members: &Object, key: &str, place: &Place<'_>) -> Result<String, ContentError> {
    optional_text(members, key, place)?.ok_or_else(|| ContentError::new(place, format!("{key} is missing")))
}

impl Shared {
    /// The inputs that every action takes (SSM Agent 3.0.502 and later).
    fn take(inputs: &mut Object, place: &Place<'_>) -> Result<Shared, ContentError> {
        let mut choice = |key: &str, all: &[(&str, NextStep)]| match inputs.shift_remove(key) {
            None => Ok(NextStep::Next),
            Some(value) => match all.iter().find(|(name, _)| value.as_str() == Some(name)) {
                Some((_, next)) => Ok(*next),
                None => {
                    let names: Vec<_> = all.iter().map(|(name, _)| *name).collect();
                    let message = format!("{key} has to be {}", names.join(" or "));
                    Err(ContentError::new(&place.member(key), message))
                }
            },
        };
        let on_failure =
            choice("onFailure", &[("exit", NextStep::Exit), ("successAndExit", NextStep::SuccessAndExit)])?;
        let on_success = choice("onSuccess", &[("exit", NextStep::Exit)])?;
        let finally = match inputs.shift_remove("finallyStep") {
            None | Some(Json::Bool(false)) => false,
            Some(Json::Bool(true)) => true,
            Some(Json::String(text)) if matches!(&*text, "true" | "false") => &*text == "true",
            Some(_) => {
                return Err(ContentError::new(&place.member("finallyStep"), "finallyStep has to be true or false"));
            }
        };
        Ok(Shared { on_failure, on_success, finally })
    }
}
