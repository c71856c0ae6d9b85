//! Task.

use base::{Json, limits};

use super::at::At;
use super::fields::Language;
use super::jsonata::Sees;
use super::read::Fields;
use super::report::Report;
use super::states::{result_path, then};
use super::{Parser, retry};
use crate::resource::{Pattern, Resource};
use crate::tree::{MachineKind, Payload, Seconds, Task};

pub(super) fn task<'a>(p: &mut Parser<'a>, fields: Fields<'a, '_>) -> Option<Task> {
    let resource = resource(p.scope.kind, fields, &mut p.report);
    let parameters = arguments(fields, &mut p.report);
    let credentials = credentials(fields, &mut p.report);
    let timeout = seconds(fields, ["TimeoutSeconds", "TimeoutSecondsPath"], &mut p.report);
    let heartbeat = seconds(fields, ["HeartbeatSeconds", "HeartbeatSecondsPath"], &mut p.report);
    check_heartbeat(fields, timeout.as_ref(), heartbeat.as_ref(), &mut p.report);
    let result_selector = fields.template("ResultSelector", &mut p.report);
    let result_path = result_path(fields, &mut p.report);
    let retry = retry::retry(fields, &mut p.report);
    let catch = retry::catch(p, fields);
    let then = then(p, fields);
    Some(Task {
        resource: resource?,
        parameters,
        credentials,
        timeout,
        heartbeat,
        result_selector,
        result_path,
        retry,
        catch,
        then: then?,
    })
}

/// The task's target, if what executes it can do that.
fn resource(kind: MachineKind, fields: Fields, report: &mut Report) -> Option<Resource> {
    let text = fields.string("Resource", report)?;
    let at = fields.at.key("Resource");
    let Some(resource) = Resource::parse(text) else {
        not_recognized(text, &at, report);
        return None;
    };
    match (kind, long_running(&resource)) {
        (MachineKind::Express, Some(what)) => {
            report.schema(&at, format!("Express state machine does not support {what}"));
            None
        }
        (MachineKind::Express | MachineKind::Standard, _) => Some(resource),
    }
}

pub(super) fn not_recognized(text: &str, at: &At, report: &mut Report) {
    let message = format!(
        "The resource provided {text} is not recognized. The value is not a valid resource ARN, \
         or the resource is not available in this region."
    );
    report.schema(at, message);
}

/// What an Express execution is too short-lived for, in AWS's words (with its spaces).
fn long_running(resource: &Resource) -> Option<&'static str> {
    match resource {
        Resource::Service { pattern: Pattern::WaitForTaskToken, .. } => {
            Some("'.waitForTaskToken' service integration ")
        }
        Resource::Service { pattern: Pattern::Sync | Pattern::Sync2, .. } => Some("'.sync' service integration"),
        Resource::Activity { .. } => Some("Activity ARN"),
        Resource::Service { pattern: Pattern::RequestResponse, .. } | Resource::Lambda { .. } => None,
    }
}

/// `Parameters`, which JSONata calls `Arguments`.
pub(super) fn arguments(fields: Fields, report: &mut Report) -> Option<Payload> {
    fields.payload(arguments_name(fields.language), Sees::Input, report)
}

pub(super) fn arguments_name(language: Language) -> &'static str {
    match language {
        Language::JsonPath => "Parameters",
        Language::Jsonata => "Arguments",
    }
}

/// `Credentials` name a role.
fn credentials(fields: Fields, report: &mut Report) -> Option<Payload> {
    let credentials = fields.get("Credentials").and_then(Json::as_object);
    if credentials
        .is_some_and(|credentials| !credentials.contains_key("RoleArn") && !credentials.contains_key("RoleArn.$"))
    {
        report.schema(&fields.at.key("Credentials"), "The field 'RoleArn' is required but was missing");
    }
    fields.payload("Credentials", Sees::Input, report)
}

fn seconds(fields: Fields, [literal, path]: [&'static str; 2], report: &mut Report) -> Option<Seconds> {
    let name = fields.at_most_one(&[literal, path], report)?;
    if fields.is_expression(name) {
        return fields.jsonata(name, Sees::Input, report).map(Seconds::Jsonata);
    }
    if name == literal {
        return fields.integer(name, 1..=limits::TIMEOUT_SECONDS_MAX, report).map(Seconds::Literal);
    }
    fields.reference_path(name, report).map(Seconds::Path)
}

fn check_heartbeat(fields: Fields, timeout: Option<&Seconds>, heartbeat: Option<&Seconds>, report: &mut Report) {
    if let (Some(Seconds::Literal(timeout)), Some(Seconds::Literal(heartbeat))) = (timeout, heartbeat)
        && heartbeat >= timeout
    {
        report.schema(fields.at, "The value for the field 'HeartbeatSeconds' must be less than 'TimeoutSeconds'");
    }
}
