//! Outcomes of tasks, told by whoever holds the token.

use engine::Failure;

use crate::operation::{Call, Fault};

pub(super) async fn success(mut call: Call<'_>) -> Result<(), Fault> {
    let (token, output) = (call.input.required("taskToken"), call.input.required("output"));
    Ok(call.runtime.task_succeed(call.caller, &token, &output).await?)
}

pub(super) async fn failure(mut call: Call<'_>) -> Result<(), Fault> {
    let token = call.input.required("taskToken");
    let failure =
        Failure { error: call.input.text("error").map(Into::into), cause: call.input.text("cause").map(Into::into) };
    Ok(call.runtime.task_fail(call.caller, &token, failure).await?)
}

pub(super) async fn heartbeat(mut call: Call<'_>) -> Result<(), Fault> {
    Ok(call.runtime.task_heartbeat(call.caller, &call.input.required("taskToken")).await?)
}
