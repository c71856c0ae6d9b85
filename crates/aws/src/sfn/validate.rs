//! A definition, checked and not kept.

use asl::{Diagnostic, MachineKind, Severity};

use super::DEFINITION_OR_NOTHING;
use crate::operation::{Call, Fault};
use crate::shape::{Member, Shape, optional, required};
use crate::write::Writer;

pub(super) const MEMBERS: &[Member] = &[
    required("definition", DEFINITION_OR_NOTHING),
    optional("type", Shape::Enum(&["STANDARD", "EXPRESS"])),
    optional("severity", Shape::Enum(&["ERROR", "WARNING"])),
    optional("maxResults", Shape::Integer { min: 0, max: FINDINGS_MAX }),
];

/// The default of `maxResults`, too.
const FINDINGS_MAX: i64 = 100;

/// Always an answer: what is wrong with the definition is in it.
pub(super) async fn validate(mut call: Call<'_>) -> Result<(), Fault> {
    let kind = match call.input.text("type").as_deref() {
        Some("EXPRESS") => MachineKind::Express,
        Some(_) | None => MachineKind::Standard,
    };
    let lowest = match call.input.text("severity").as_deref() {
        Some("WARNING") => Severity::Warning,
        Some(_) | None => Severity::Error,
    };
    let max = call.input.integer("maxResults").filter(|&max| max > 0).unwrap_or(FINDINGS_MAX);
    let parsed = asl::parse(&call.input.required("definition"), kind);
    let shown = |found: &&Diagnostic| lowest == Severity::Warning || found.severity == Severity::Error;
    let shown: Vec<&Diagnostic> = parsed.diagnostics.iter().filter(shown).collect();
    let max = usize::try_from(max).unwrap_or(usize::MAX);
    call.out.text("result", if parsed.machine.is_some() { "OK" } else { "FAIL" });
    call.out.list("diagnostics", shown.iter().take(max), |out, found| encode(out, found));
    call.out.boolean("truncated", shown.len() > max);
    Ok(())
}

fn encode(out: &mut Writer, diagnostic: &Diagnostic) {
    let Diagnostic { severity, code, message, location } = diagnostic;
    let severity = match severity {
        Severity::Error => "ERROR",
        Severity::Warning => "WARNING",
    };
    out.text("severity", severity);
    out.text("code", code);
    out.text("message", message);
    out.text_if("location", location.as_deref());
}
