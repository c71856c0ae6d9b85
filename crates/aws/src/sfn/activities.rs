//! Activities, and the workers that ask for their tasks.

use runtime::activities::{Activity, ActivityCreate};

use super::machines::decode_tags;
use super::page;
use crate::operation::{Call, Fault};
use crate::write::Writer;

pub(super) async fn create(mut call: Call<'_>) -> Result<(), Fault> {
    let create = ActivityCreate {
        name: call.input.required("name"),
        encryption: call.input.json("encryptionConfiguration"),
        tags: decode_tags(&mut call.input),
    };
    let activity = call.runtime.activity_create(call.caller, create).await?;
    call.out.text("activityArn", &activity.arn);
    call.out.time("creationDate", activity.created);
    Ok(())
}

pub(super) async fn describe(mut call: Call<'_>) -> Result<(), Fault> {
    let activity = call.runtime.activity(call.caller, &call.input.required("activityArn")).await?;
    encode(call.out, &activity);
    match &activity.encryption {
        Some(encryption) => call.out.structure("encryptionConfiguration", encryption),
        None => call.out.object("encryptionConfiguration", |out| out.text("type", "AWS_OWNED_KEY")),
    }
    Ok(())
}

pub(super) async fn delete(mut call: Call<'_>) -> Result<(), Fault> {
    Ok(call.runtime.activity_delete(call.caller, &call.input.required("activityArn")).await?)
}

pub(super) async fn list(mut call: Call<'_>) -> Result<(), Fault> {
    let listed = call.runtime.activity_list(call.caller, page(&mut call.input)).await?;
    call.out.list("activities", &listed.items, encode);
    call.out.text_if("nextToken", listed.next.as_deref());
    Ok(())
}

/// No task in time is an empty answer.
pub(super) async fn task(mut call: Call<'_>) -> Result<(), Fault> {
    let worker = call.input.text("workerName");
    let task = call.runtime.activity_task(call.caller, &call.input.required("activityArn"), worker).await?;
    if let Some(task) = task {
        call.out.text("taskToken", &task.token);
        call.out.text("input", &task.input.to_string());
    }
    Ok(())
}

fn encode(out: &mut Writer, activity: &Activity) {
    out.text("activityArn", &activity.arn);
    out.text("name", &activity.name);
    out.time("creationDate", activity.created);
}
