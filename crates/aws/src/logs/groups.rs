//! Log groups and their tags.

use base::Json;
use runtime::logs::{LogGroup, LogGroupCreate, LogGroupFilter};

use super::{invalid, named, page};
use crate::error::Error;
use crate::operation::{Call, Fault};
use crate::value::Input;
use crate::write::Writer;

pub(super) async fn create(mut call: Call<'_>) -> Result<(), Fault> {
    let create = LogGroupCreate {
        name: call.input.required("logGroupName"),
        class: call.input.text("logGroupClass"),
        tags: given_tags(&mut call.input),
    };
    Ok(call.runtime.log_group_create(call.caller, create).await?)
}

pub(super) async fn delete(mut call: Call<'_>) -> Result<(), Fault> {
    Ok(call.runtime.log_group_delete(call.caller, &call.input.required("logGroupName")).await?)
}

pub(super) async fn describe(mut call: Call<'_>) -> Result<(), Fault> {
    let page = page(&mut call.input, 50);
    let filter = LogGroupFilter {
        prefix: call.input.text("logGroupNamePrefix"),
        part: call.input.text("logGroupNamePattern").filter(|part| !part.is_empty()),
    };
    if filter.prefix.is_some() && filter.part.is_some() {
        return Err(invalid(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters. Please provide only one.",
        )
        .into());
    }
    let listed = call.runtime.log_group_list(call.caller, filter, page).await?;
    call.out.list("logGroups", &listed.items, encode);
    call.out.text_if("nextToken", listed.next.as_deref());
    Ok(())
}

/// `PutRetentionPolicy`, and `DeleteRetentionPolicy`, which names no days.
pub(super) async fn retain(mut call: Call<'_>) -> Result<(), Fault> {
    let name = call.input.required("logGroupName");
    let days = call.input.integer("retentionInDays").map(|days| u32::try_from(days).unwrap_or(u32::MAX));
    Ok(call.runtime.log_group_retain(call.caller, &name, days).await?)
}

pub(super) async fn tag(mut call: Call<'_>) -> Result<(), Fault> {
    let name = tagged(&mut call.input)?;
    let tags = given_tags(&mut call.input);
    Ok(call.runtime.log_group_tag(call.caller, &name, tags).await?)
}

pub(super) async fn untag(mut call: Call<'_>) -> Result<(), Fault> {
    let name = tagged(&mut call.input)?;
    let keys = call.input.texts("tagKeys").or_else(|| call.input.texts("tags")).unwrap_or_default();
    Ok(call.runtime.log_group_untag(call.caller, &name, keys).await?)
}

pub(super) async fn tags(mut call: Call<'_>) -> Result<(), Fault> {
    let name = tagged(&mut call.input)?;
    let tags = call.runtime.log_group_tags(call.caller, &name).await?;
    call.out.texts_by_key("tags", tags.iter().map(|(key, value)| (&**key, &**value)));
    Ok(())
}

/// The group that `resourceArn` or `logGroupName` means.
fn tagged(input: &mut Input<'_>) -> Result<String, Error> {
    match input.text("resourceArn") {
        Some(arn) => named(&arn).ok_or_else(|| invalid(format!("Invalid resource ARN: {arn}"))),
        None => Ok(input.required("logGroupName")),
    }
}

fn given_tags(input: &mut Input<'_>) -> Vec<(String, String)> {
    let tags = input.json("tags");
    let tags = tags.as_ref().and_then(Json::as_object).into_iter().flatten();
    tags.map(|(key, value)| (key.to_string(), value.as_str().unwrap_or_default().to_owned())).collect()
}

fn encode(out: &mut Writer, group: &LogGroup) {
    out.text("logGroupName", &group.name);
    out.integer("creationTime", group.created.0);
    if let Some(days) = group.retention_days {
        out.integer("retentionInDays", i64::from(days));
    }
    out.integer("metricFilterCount", 0);
    out.text("arn", &format!("{}:*", group.arn));
    out.integer("storedBytes", i64::try_from(group.stored_bytes).unwrap_or(i64::MAX));
    out.text("logGroupClass", &group.class);
    out.text("logGroupArn", &group.arn);
}
