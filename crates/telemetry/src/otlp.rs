//! Spans as OTLP's JSON (`opentelemetry-proto, trace/v1`, in the JSON mapping of `OTLP/HTTP`): ids in hexadecimal, times
//! in nanoseconds as text.

use base::Timestamp;
use serde_json::{Value, json};

use crate::span::{Note, Span};

/// `Span.SpanKind`: an operation within a service.
const KIND_INTERNAL: u8 = 1;

/// `Status.StatusCode`
const STATUS_OK: u8 = 1;
const STATUS_ERROR: u8 = 2;

/// The body of an export request.
pub fn encode<'a>(spans: impl IntoIterator<Item = &'a Span>) -> Vec<u8> {
    let spans: Vec<Value> = spans.into_iter().map(span).collect();
    let resource = attributes(&[("service.name", "dandori".to_owned()), ("service.version", version())]);
    let body = json!({"resourceSpans": [{
        "resource": {"attributes": resource},
        "scopeSpans": [{"scope": {"name": "dandori", "version": version()}, "spans": spans}],
    }]});
    body.to_string().into_bytes()
}

fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

fn span(span: &Span) -> Value {
    let status = match &span.failure {
        Some(why) => json!({"code": STATUS_ERROR, "message": why}),
        None => json!({"code": STATUS_OK}),
    };
    let mut value = json!({
        "traceId": format!("{:032x}", span.trace),
        "spanId": format!("{:016x}", span.id),
        "name": span.name,
        "kind": KIND_INTERNAL,
        "startTimeUnixNano": nanos(span.begin),
        "endTimeUnixNano": nanos(span.end),
        "attributes": attributes(&span.attributes),
        "status": status,
    });
    if let Some(parent) = span.parent {
        value["parentSpanId"] = format!("{parent:016x}").into();
    }
    if !span.notes.is_empty() {
        value["events"] = span.notes.iter().map(note).collect();
    }
    value
}

fn note(note: &Note) -> Value {
    json!({"timeUnixNano": nanos(note.at), "name": note.name, "attributes": attributes(&note.attributes)})
}

fn attributes(attributes: &[(&'static str, String)]) -> Value {
    attributes.iter().map(|(key, text)| json!({"key": key, "value": {"stringValue": text}})).collect()
}

fn nanos(at: Timestamp) -> String {
    (i128::from(at.0.max(0)) * 1_000_000).to_string()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_span_as_json() {
        let span = Span {
            trace: 0x5759_e988_bd86_2e3f_e1be_46a9_9427_2793,
            id: 7,
            parent: Some(6),
            name: "S".to_owned(),
            begin: Timestamp(1_551_225_271_984),
            end: Timestamp(1_551_225_271_985),
            attributes: vec![("aws.step_functions.state.name", "S".to_owned())],
            notes: vec![Note { at: Timestamp(1), name: "exception", attributes: vec![] }],
            failure: Some("E: \"c\"".to_owned()),
        };
        let text = String::from_utf8(encode([&span])).expect("UTF-8");
        expect![[r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"dandori"}},{"key":"service.version","value":{"stringValue":"0.1.0"}}]},"scopeSpans":[{"scope":{"name":"dandori","version":"0.1.0"},"spans":[{"traceId":"5759e988bd862e3fe1be46a994272793","spanId":"0000000000000007","name":"S","kind":1,"startTimeUnixNano":"1551225271984000000","endTimeUnixNano":"1551225271985000000","attributes":[{"key":"aws.step_functions.state.name","value":{"stringValue":"S"}}],"status":{"code":2,"message":"E: \"c\""},"parentSpanId":"0000000000000006","events":[{"timeUnixNano":"1000000","name":"exception","attributes":[]}]}]}]}]}"#]].assert_eq(&text);
    }
}
