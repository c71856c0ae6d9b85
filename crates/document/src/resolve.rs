//! From a document and what is given to a plan: one step after the other, documents that it runs among them.

use std::collections::{BTreeMap, BTreeSet};

use base::Json;
use base::json::Object;

use crate::content::Format;
use crate::document::{Document, Operand, StepText, platform_name};
use crate::fill::Inputs;
use crate::inputs::{ActionKind, Shared};
use crate::job;
use crate::parameter::text_of;
use crate::plan::{Action, Download, LocalDocument, NextStep, Plan, Platform, Program, Script, Source, Step};
use crate::shell::Dialect;
use crate::template::{From, Template};
use crate::values::{Context, Refusal, Scope, invalid};

/// How deep documents run documents. The agent of AWS allows three.
pub const DOCUMENT_DEPTH_MAX: u32 = 3;

/// Steps of a plan, those of the documents that it runs among them.
const PLAN_STEPS_MAX: usize = 200;

/// Bytes of a plan: what it costs to keep and to send.
const PLAN_BYTES_MAX: usize = 1 << 20;

/// What a document needs and the context does not have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wants {
    /// Of the Parameter Store: `/a/b`, `name:3`.
    pub ssm: BTreeSet<String>,
    /// Documents, by name and version (`$DEFAULT` where none is said).
    pub documents: BTreeSet<(String, String)>,
}

impl Wants {
    pub fn is_empty(&self) -> bool {
        self.ssm.is_empty() && self.documents.is_empty()
    }
}

#[derive(Default)]
struct Gathered {
    wants: Wants,
    /// Documents that were looked at.
    visits: usize,
}

type Given = BTreeMap<String, Vec<String>>;

impl Document {
    /// What [`resolve`](Document::resolve) would look for in `cx` and not find. To be asked again with what was found,
    /// until it wants nothing: what a document runs may come from the Parameter Store, and want more itself.
    pub fn wants(&self, given: &Given, cx: &Context) -> Result<Wants, Refusal> {
        let mut gathered = Gathered::default();
        self.gather(given, From::Given, cx, &mut vec![], &mut gathered)?;
        Ok(gathered.wants)
    }

    /// What it asks the Parameter Store for, without the documents that it runs.
    pub fn ssm_references(&self, given: &Given) -> Vec<String> {
        self.store_names(given, From::Given).into_iter().collect()
    }

    /// The documents that it runs or brings, as far as `cx` has what their names need.
    pub fn documents(&self, given: &Given, cx: &Context) -> Result<Vec<(String, String)>, Refusal> {
        let cx = Context { documents: BTreeMap::new(), ..cx.clone() };
        Ok(self.wants(given, &cx)?.documents.into_iter().collect())
    }

    /// Whether everything that is given fits what is declared.
    pub fn check(&self, given: &Given, cx: &Context) -> Result<(), Refusal> {
        Scope::bind(self, given, From::Given, cx).map(drop)
    }

    /// The plan: every parameter filled in, nothing left to look up.
    pub fn resolve(&self, given: &Given, cx: &Context) -> Result<Plan, Refusal> {
        let mut plan = Plan { steps: self.steps(given, From::Given, cx, &mut vec![cx.name.clone()])? };
        let retries = |step: &Step| matches!(&step.action, Action::Job(job) if job.retry.is_some());
        if plan.steps.len() > 1 && plan.steps.iter().any(retries) {
            return Err(invalid("a job is tried again only where it is the document's one step"));
        }
        name_what_was_brought(&mut plan.steps);
        Ok(plan)
    }

    fn steps(&self, given: &Given, from: From, cx: &Context, chain: &mut Vec<String>) -> Result<Vec<Step>, Refusal> {
        let scope = Scope::bind(self, given, from, cx)?;
        let mut steps = vec![];
        for step in &self.steps {
            let is_last = step.name == self.steps[self.steps.len() - 1].name;
            scope.step(step, is_last, chain, &mut steps)?;
            check_size(&steps)?;
        }
        Ok(steps)
    }

    fn store_names(&self, given: &Given, from: From) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let mut add = |text: &str, from| names.extend(Template::parse(text, from).store().map(str::to_owned));
        given.values().flatten().for_each(|value| add(value, from));
        for parameter in self.parameters.iter().filter(|one| given.get(&one.name).is_none_or(Vec::is_empty)) {
            parameter.default.iter().for_each(|default| texts(default, &mut |text| add(text, From::Given)));
        }
        for step in &self.steps {
            step.inputs.values().for_each(|input| texts(input, &mut |text| add(text, From::Document)));
        }
        let operands = self.steps.iter().filter_map(|step| step.precondition.as_ref()).flatten();
        let operands = operands.filter_map(|operand| match operand {
            Operand::Text(template) => Some(template),
            Operand::PlatformType => None,
        });
        names.extend(operands.flat_map(Template::store).map(str::to_owned));
        names
    }

    /// Adds what this document wants, and what those want that it runs.
    fn gather(
        &self,
        given: &Given,
        from: From,
        cx: &Context,
        chain: &mut Vec<String>,
        gathered: &mut Gathered,
    ) -> Result<(), Refusal> {
        gathered.visits += 1;
        if gathered.visits > PLAN_STEPS_MAX {
            return Err(invalid(format!("the document runs more than {PLAN_STEPS_MAX} documents")));
        }
        let mut names = self.store_names(given, from);
        names.retain(|name| !cx.ssm.contains_key(name));
        if !names.is_empty() {
            gathered.wants.ssm.extend(names);
            return Ok(());
        }
        let scope = Scope::bind(self, given, from, cx)?;
        for step in &self.steps {
            let inputs = Inputs { scope: &scope, step };
            let named = match step.action {
                ActionKind::Document => inputs.stored_document()?,
                ActionKind::Download => inputs.brought_document()?,
                ActionKind::Shell | ActionKind::PowerShell | ActionKind::Job => None,
            };
            let Some(named) = named else { continue };
            if !cx.documents.contains_key(&named) {
                gathered.wants.documents.insert(named);
            } else if step.action == ActionKind::Document {
                let (child, cx) = inputs.child(&named, chain)?;
                chain.push(named.0);
                child.gather(&inputs.child_parameters()?, From::Filled, &cx, chain, gathered)?;
                chain.pop();
            }
        }
        Ok(())
    }
}

/// Looked at after every step, so that nothing large comes together.
fn check_size(steps: &[Step]) -> Result<(), Refusal> {
    if steps.len() > PLAN_STEPS_MAX {
        return Err(invalid(format!("the document runs more than {PLAN_STEPS_MAX} steps")));
    }
    if steps.iter().map(Step::bytes).sum::<usize>() > PLAN_BYTES_MAX {
        return Err(invalid(format!("the document with its parameters holds more than {PLAN_BYTES_MAX} bytes")));
    }
    Ok(())
}

/// A bare name is looked for where programs are; one that an earlier step has brought to the job's own directory means
/// that file, as in AWS-RunRemoteScript, whose commands have that directory in their PATH.
fn name_what_was_brought(steps: &mut [Step]) {
    let mut brought: Vec<(String, String)> = vec![];
    for step in steps {
        match &mut step.action {
            Action::Download(download) => {
                let path = match &download.source {
                    Source::S3 { key, .. } => key,
                    Source::Local { path } => path,
                    Source::Document { file, .. } => file,
                };
                let file = path.rsplit('/').next().unwrap_or(path);
                brought.push((download.destination.clone(), file.to_owned()));
            }
            Action::Job(job) => {
                let here = |name: &str| brought.iter().any(|(at, file)| *at == job.working_directory && file == name);
                if let Program::File(name) = &mut job.program
                    && here(name)
                {
                    *name = format!("./{name}");
                }
            }
            Action::Shell(_) | Action::PowerShell(_) | Action::Document(_) => {}
        }
    }
}

fn texts(json: &Json, with: &mut dyn FnMut(&str)) {
    match json {
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
        Json::String(text) => with(text),
        Json::Array(items) => items.iter().for_each(|item| texts(item, with)),
        Json::Object(members) => members.values().for_each(|value| texts(value, with)),
    }
}

/// Whether a step runs at all.
enum Condition {
    Always,
    On(Platform),
    Never,
}

impl Scope<'_> {
    fn step(
        &self,
        step: &StepText,
        is_last: bool,
        chain: &mut Vec<String>,
        steps: &mut Vec<Step>,
    ) -> Result<(), Refusal> {
        let inputs = Inputs { scope: self, step };
        let action = match step.action {
            ActionKind::Shell => Action::Shell(inputs.shell_script(Dialect::Posix)?),
            ActionKind::PowerShell => Action::PowerShell(inputs.shell_script(Dialect::PowerShell)?),
            ActionKind::Job => Action::Job(Box::new(job::resolve(&inputs)?)),
            ActionKind::Download => Action::Download(inputs.download()?),
            ActionKind::Document => match inputs.stored_document()? {
                None => Action::Document(inputs.local_document(chain.len() as u32)?),
                Some(named) => return self.inline(step, &named, is_last, chain, steps),
            },
        };
        let (platform, never) = match self.condition(step)? {
            Condition::Always => (None, false),
            Condition::On(platform) => (Some(platform), false),
            Condition::Never => (None, true),
        };
        let shared = step.shared;
        steps.push(Step {
            name: step.name.clone(),
            platform,
            never,
            on_failure: shared.on_failure,
            on_success: shared.on_success,
            finally: shared.finally,
            action,
        });
        Ok(())
    }

    fn condition(&self, step: &StepText) -> Result<Condition, Refusal> {
        let text = |operand: &Operand| match operand {
            Operand::PlatformType => Ok(None),
            Operand::Text(template) => self.expand(template).map(Some),
        };
        let Some([left, right]) = &step.precondition else { return Ok(Condition::Always) };
        Ok(match (text(left)?, text(right)?) {
            (Some(left), Some(right)) if left == right => Condition::Always,
            (Some(_), Some(_)) | (None, None) => Condition::Never,
            (Some(text), None) | (None, Some(text)) => {
                let all = [Platform::Linux, Platform::Windows, Platform::MacOS];
                let named = all.into_iter().find(|platform| platform_name(*platform) == text);
                named.map_or(Condition::Never, Condition::On)
            }
        })
    }

    /// The steps of a stored document in place of the step that runs it, each named after both.
    fn inline(
        &self,
        step: &StepText,
        named: &(String, String),
        is_last: bool,
        chain: &mut Vec<String>,
        steps: &mut Vec<Step>,
    ) -> Result<(), Refusal> {
        let inputs = Inputs { scope: self, step };
        let (child, cx) = inputs.child(named, chain)?;
        chain.push(named.0.clone());
        let mut inner = child.steps(&inputs.child_parameters()?, From::Filled, &cx, chain)?;
        chain.pop();
        let condition = self.condition(step)?;
        self.check_exits(step, named, is_last, &inner)?;
        for step_inside in &mut inner {
            step_inside.name = format!("{}.{}", step.name, step_inside.name);
            match (&condition, step_inside.platform) {
                (Condition::Always, _) => {}
                (Condition::On(platform), None) => step_inside.platform = Some(*platform),
                (Condition::On(platform), Some(inside)) if *platform == inside => {}
                (Condition::On(_), Some(_)) | (Condition::Never, _) => step_inside.never = true,
            }
            if step.shared.exits() {
                step_inside.on_failure = step.shared.on_failure;
                step_inside.on_success = step.shared.on_success;
            }
            step_inside.finally = step.shared.finally || (is_last && step_inside.finally);
        }
        steps.append(&mut inner);
        Ok(())
    }

    /// A plan is one row of steps, so that an exit ends all of it. Where it would end only the document that has it, or
    /// where what several steps come to would decide, it is refused.
    fn check_exits(
        &self,
        step: &StepText,
        (name, _): &(String, String),
        is_last: bool,
        inner: &[Step],
    ) -> Result<(), Refusal> {
        let exits = inner.iter().any(|step| step.on_failure != NextStep::Next || step.on_success != NextStep::Next);
        let why = match step.shared {
            shared if shared.exits() && inner.len() > 1 => "of several steps: onFailure and onSuccess stand in those",
            shared if exits && (!is_last || shared.finally || shared.exits()) => {
                "which may exit: that is for the last step, where it is no finallyStep"
            }
            _ => return Ok(()),
        };
        Err(invalid(format!("step {} runs document {name}, {why}", step.name)))
    }
}

impl Shared {
    fn exits(self) -> bool {
        self.on_failure != NextStep::Next || self.on_success != NextStep::Next
    }
}

/// How long a script may run, in seconds.
const TIMEOUT_SECONDS_DEFAULT: u64 = 3_600;
const TIMEOUT_SECONDS_MAX: u64 = 172_800;

/// Where an own document is, when no version is said.
const DEFAULT_VERSION: &str = "$DEFAULT";

impl Inputs<'_> {
    pub(crate) fn timeout_seconds(&self) -> Result<u32, Refusal> {
        let seconds = self.number("timeoutSeconds", 1, TIMEOUT_SECONDS_MAX)?.unwrap_or(TIMEOUT_SECONDS_DEFAULT);
        Ok(u32::try_from(seconds).unwrap_or(u32::MAX))
    }

    fn shell_script(&self, dialect: Dialect) -> Result<Script, Refusal> {
        Ok(Script {
            text: self.script("runCommand", dialect)?.unwrap_or_default(),
            working_directory: self.text("workingDirectory")?.unwrap_or_default(),
            execution_timeout_seconds: self.timeout_seconds()?,
            environment: self.variables()?,
        })
    }

    fn download(&self) -> Result<Download, Refusal> {
        let destination = self.text("destinationPath")?.unwrap_or_default();
        let kind = self.needed("sourceType")?;
        let info = self.map("sourceInfo")?;
        let path = |key: &str| {
            let found = info.get(key).and_then(Json::as_str).filter(|text| !text.is_empty());
            found
                .map(str::to_owned)
                .ok_or_else(|| invalid(format!("sourceInfo of step {} has no {key}", self.step.name)))
        };
        let source = match kind.as_str() {
            "S3" => s3(&path("path")?)?,
            "LocalPath" => Source::Local { path: path("path")? },
            "SSMDocument" => self.document_source()?,
            "GitHub" | "Git" | "HTTP" => {
                return Err(invalid(format!("sourceType {kind} is not supported: use S3, SSMDocument or LocalPath")));
            }
            other => return Err(invalid(format!("sourceType {other} is not one of S3, SSMDocument, LocalPath"))),
        };
        Ok(Download { source, destination })
    }

    fn document_source(&self) -> Result<Source, Refusal> {
        let named = self.brought_document()?.ok_or_else(|| invalid("sourceInfo has no name"))?;
        let found = self.scope.cx.documents.get(&named);
        let (text, format) = found.ok_or_else(|| Refusal::InvalidDocument { name: named.0.clone() })?;
        let extension = match format {
            Format::Json => "json",
            Format::Yaml => "yaml",
        };
        let name = named.0.rsplit('/').next().unwrap_or(&named.0);
        Ok(Source::Document { file: format!("{name}.{extension}"), text: text.clone() })
    }

    /// The document that `aws:downloadContent` brings.
    pub(crate) fn brought_document(&self) -> Result<Option<(String, String)>, Refusal> {
        if self.needed("sourceType")? != "SSMDocument" {
            return Ok(None);
        }
        let info = self.map("sourceInfo")?;
        Ok(info.get("name").and_then(Json::as_str).map(named))
    }

    /// The document that `aws:runDocument` runs, where it is not a file on the host.
    pub(crate) fn stored_document(&self) -> Result<Option<(String, String)>, Refusal> {
        match self.needed("documentType")?.as_str() {
            "SSMDocument" => Ok(Some(named(&self.needed("documentPath")?))),
            "LocalPath" => Ok(None),
            other => Err(invalid(format!("documentType {other} is not one of SSMDocument, LocalPath"))),
        }
    }

    pub(crate) fn child(&self, named: &(String, String), chain: &[String]) -> Result<(Document, Context), Refusal> {
        let (name, _) = named;
        if chain.contains(name) {
            return Err(invalid(format!("document {name} runs itself")));
        }
        if chain.len() > DOCUMENT_DEPTH_MAX as usize {
            return Err(invalid(format!("documents may run documents {DOCUMENT_DEPTH_MAX} levels deep")));
        }
        let found = self.scope.cx.documents.get(named);
        let (text, format) = found.ok_or_else(|| Refusal::InvalidDocument { name: name.clone() })?;
        let child = Document::parse(text, *format)
            .map_err(|error| Refusal::InvalidDocumentContent { name: name.clone(), error })?;
        Ok((child, Context { name: name.clone(), ..self.scope.cx.clone() }))
    }

    /// As the wire has parameters: lists of texts.
    pub(crate) fn child_parameters(&self) -> Result<Given, Refusal> {
        let texts = |json: &Json| match json {
            Json::Array(items) => items.iter().map(text_of).collect(),
            json => vec![text_of(json)],
        };
        let parameters = self.map("documentParameters")?;
        Ok(parameters.iter().map(|(name, json)| (name.to_string(), texts(json))).collect())
    }

    fn local_document(&self, depth: u32) -> Result<LocalDocument, Refusal> {
        let parameters = self.map("documentParameters")?;
        let parameters = if parameters.is_empty() { String::new() } else { object_text(parameters) };
        Ok(LocalDocument { path: self.needed("documentPath")?, parameters, depth })
    }
}

fn object_text(members: Object) -> String {
    Json::Object(members.into()).to_string()
}

/// `name`, `name:version`, or an ARN with or without a version.
fn named(text: &str) -> (String, String) {
    let version = |version: &str| !version.is_empty() && (version.starts_with('$') || version.parse::<u64>().is_ok());
    match text.rsplit_once(':') {
        Some((name, number)) if version(number) => (name.to_owned(), number.to_owned()),
        _ => (text.to_owned(), DEFAULT_VERSION.to_owned()),
    }
}

/// The bucket and key of an address: `s3://bucket/key`, `https://s3.REGION.amazonaws.com/bucket/key`,
/// `https://bucket.s3.REGION.amazonaws.com/key`.
fn s3(address: &str) -> Result<Source, Refusal> {
    let fail = || invalid(format!("sourceInfo has no address of an object in S3: {address}"));
    let found = |bucket: &str, key: &str| {
        let both = !bucket.is_empty() && !key.is_empty();
        let key = percent_decoded(key).filter(|_| both).ok_or_else(fail)?;
        Ok(Source::S3 { bucket: bucket.to_owned(), key })
    };
    if let Some(rest) = address.strip_prefix("s3://") {
        let (bucket, key) = rest.split_once('/').ok_or_else(fail)?;
        return found(bucket, key);
    }
    let rest = address.strip_prefix("https://").ok_or_else(fail)?;
    let (host, path) = rest.split_once('/').ok_or_else(fail)?;
    let host =
        host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn")).ok_or_else(fail)?;
    if host == "s3" || host.starts_with("s3.") || host.starts_with("s3-") {
        let (bucket, key) = path.split_once('/').ok_or_else(fail)?;
        return found(bucket, key);
    }
    let at =
        host.rfind(".s3.").or_else(|| host.rfind(".s3-")).or_else(|| host.ends_with(".s3").then(|| host.len() - 3));
    found(&host[..at.ok_or_else(fail)?], path)
}

fn percent_decoded(text: &str) -> Option<String> {
    let (mut bytes, mut decoded) = (text.bytes(), vec![]);
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || (bytes.next()? as char).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        decoded.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(decoded).ok().filter(|text| !text.contains('\0'))
}
