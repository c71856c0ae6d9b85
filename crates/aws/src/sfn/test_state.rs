//! One state, tested.

use base::Json;
use engine::Failure;
use engine::test_state::{Inspection, Outcome, Tested};
use runtime::test_state::{StateMock, StateTest, StateTestRefusal};

use super::mocks::{self, Mode};
use super::{ARN, DATA, DEFINITION};
use crate::error::Error;
use crate::operation::{Call, Fault};
use crate::shape::{Member, Shape, optional, required, sensitive};
use crate::value::Input;
use crate::write::Writer;

pub(super) const MEMBERS: &[Member] = &[
    required("definition", DEFINITION),
    optional("roleArn", ARN),
    optional("input", DATA),
    optional("inspectionLevel", Shape::Enum(&["INFO", "DEBUG", "TRACE"])),
    optional("revealSecrets", Shape::Boolean),
    optional("variables", DATA),
    optional("stateName", STATE_NAME),
    optional("mock", Shape::Structure(MOCK)),
    optional("context", DATA),
    optional("stateConfiguration", Shape::Structure(CONFIGURATION)),
];

const MOCK: &[Member] = &[
    optional("result", DATA),
    optional(
        "errorOutput",
        Shape::Structure(&[optional("error", sensitive(0, 256)), optional("cause", sensitive(0, 32_768))]),
    ),
    optional("fieldValidationMode", Shape::Enum(&["STRICT", "PRESENT", "NONE"])),
];

const CONFIGURATION: &[Member] = &[
    optional("retrierRetryCount", COUNT),
    optional("errorCausedByState", STATE_NAME),
    optional("mapIterationFailureCount", COUNT),
    optional("mapItemReaderData", DATA),
];

const STATE_NAME: Shape = sensitive(1, 80);
const COUNT: Shape = Shape::Integer { min: 0, max: i32::MAX as i64 };

pub(super) async fn test_state(mut call: Call<'_>) -> Result<(), Fault> {
    let inspects = matches!(call.input.text("inspectionLevel").as_deref(), Some("DEBUG" | "TRACE"));
    let (test, mode) = decode(&mut call.input);
    if let Some(result) = test.mock.as_ref().and_then(|mock| mock.result.as_deref()) {
        mocks::check(&test.definition, test.state_name.as_deref(), mode, result).map_err(Error::validation)?;
    }
    let tested = call.runtime.state_test(call.caller, test).await.map_err(fault)?;
    encode(call.out, &tested);
    if inspects {
        call.out.object("inspectionData", |out| encode_inspection(out, &tested.seen));
    }
    Ok(())
}

fn decode(input: &mut Input<'_>) -> (StateTest, Mode) {
    let mut configuration = input.input("stateConfiguration").unwrap_or_default();
    let count = |number: Option<i64>| number.and_then(|number| u32::try_from(number).ok());
    let mut mock = input.input("mock");
    let mode = Mode::of(mock.as_mut().and_then(|mock| mock.text("fieldValidationMode")).as_deref());
    let test = StateTest {
        definition: input.required("definition"),
        state_name: input.text("stateName"),
        role_arn: input.text("roleArn"),
        input: input.text("input"),
        context: input.text("context"),
        variables: input.text("variables"),
        mock: mock.map(decode_mock),
        reveal_secrets: input.boolean("revealSecrets").unwrap_or(false),
        retrier_retry_count: count(configuration.integer("retrierRetryCount")).unwrap_or(0),
        error_caused_by: configuration.text("errorCausedByState"),
        map_iteration_failure_count: count(configuration.integer("mapIterationFailureCount")).map(u64::from),
        map_item_reader_data: configuration.text("mapItemReaderData"),
    };
    (test, mode)
}

fn decode_mock(mut mock: Input<'_>) -> StateMock {
    let failure = mock.input("errorOutput").map(|mut output| Failure {
        error: output.text("error").map(Into::into),
        cause: output.text("cause").map(Into::into),
    });
    StateMock { result: mock.text("result"), failure }
}

fn fault(refusal: StateTestRefusal) -> Fault {
    match refusal {
        StateTestRefusal::Refusal(refusal) => refusal.into(),
        StateTestRefusal::Unsupported(why) => Error::new("InvalidDefinition", why).into(),
    }
}

fn encode(out: &mut Writer, tested: &Tested) {
    let (status, failure, output, next) = match &tested.outcome {
        Outcome::Succeeded { output, next } => ("SUCCEEDED", None, Some(output), next.as_deref()),
        Outcome::Failed { failure } => ("FAILED", Some(failure), None, None),
        Outcome::Retriable { failure } => ("RETRIABLE", Some(failure), None, None),
        Outcome::Caught { failure, output, next } => ("CAUGHT_ERROR", Some(failure), Some(output), Some(&**next)),
    };
    encode_data(out, "output", output);
    out.text_if("error", failure.and_then(|failure| failure.error.as_deref()));
    out.text_if("cause", failure.and_then(|failure| failure.cause.as_deref()));
    out.text_if("nextState", next);
    out.text("status", status);
}

fn encode_inspection(out: &mut Writer, seen: &Inspection) {
    let Inspection {
        input,
        after_arguments,
        after_input_path,
        after_parameters,
        after_items_path,
        after_item_selector,
        max_concurrency,
        tolerated_failure_count,
        tolerated_failure_percentage,
        result,
        after_result_selector,
        after_result_path,
        variables,
        catch_index,
        retry_index,
        retry_backoff_seconds,
    } = seen;
    encode_data(out, "input", Some(input));
    encode_data(out, "afterArguments", after_arguments.as_ref());
    encode_data(out, "afterInputPath", after_input_path.as_ref());
    encode_data(out, "afterParameters", after_parameters.as_ref());
    encode_data(out, "afterItemsPath", after_items_path.as_ref());
    encode_data(out, "afterItemSelector", after_item_selector.as_ref());
    encode_number(out, "maxConcurrency", *max_concurrency);
    encode_number(out, "toleratedFailureCount", *tolerated_failure_count);
    if let Some(percentage) = tolerated_failure_percentage {
        out.structure("toleratedFailurePercentage", &Json::from(*percentage));
    }
    encode_data(out, "result", result.as_ref());
    encode_data(out, "afterResultSelector", after_result_selector.as_ref());
    encode_data(out, "afterResultPath", after_result_path.as_ref());
    encode_data(out, "variables", variables.as_ref());
    if catch_index.is_some() || retry_index.is_some() {
        out.object("errorDetails", |out| {
            encode_number(out, "catchIndex", catch_index.map(u64::from));
            encode_number(out, "retryIndex", retry_index.map(u64::from));
            encode_number(out, "retryBackoffIntervalSeconds", *retry_backoff_seconds);
        });
    }
}

fn encode_number(out: &mut Writer, name: &str, number: Option<u64>) {
    if let Some(number) = number {
        out.integer(name, i64::try_from(number).unwrap_or(i64::MAX));
    }
}

fn encode_data(out: &mut Writer, name: &str, data: Option<&Json>) {
    if let Some(data) = data {
        let mut text = String::new();
        put_spaced(&mut text, data);
        out.text(name, &text);
    }
}

/// JSON as AWS writes it here and nowhere else: with a space after each comma and colon.
fn put_spaced(out: &mut String, json: &Json) {
    match json {
        Json::Object(members) => {
            out.push('{');
            for (index, (key, value)) in members.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                put_spaced(out, &Json::String(key.clone()));
                out.push_str(": ");
                put_spaced(out, value);
            }
            out.push('}');
        }
        Json::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                put_spaced(out, item);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}
