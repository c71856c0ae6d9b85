//! Log streams.

use runtime::logs::{LogStream, LogStreamFilter};

use super::{group, page};
use crate::operation::{Call, Fault};
use crate::write::Writer;

pub(super) async fn create(mut call: Call<'_>) -> Result<(), Fault> {
    let (group, name) = (call.input.required("logGroupName"), call.input.required("logStreamName"));
    Ok(call.runtime.log_stream_create(call.caller, &group, &name).await?)
}

pub(super) async fn delete(mut call: Call<'_>) -> Result<(), Fault> {
    let (group, name) = (call.input.required("logGroupName"), call.input.required("logStreamName"));
    Ok(call.runtime.log_stream_delete(call.caller, &group, &name).await?)
}

pub(super) async fn describe(mut call: Call<'_>) -> Result<(), Fault> {
    let group = group(&mut call.input)?;
    let page = page(&mut call.input, 50);
    let filter = LogStreamFilter {
        prefix: call.input.text("logStreamNamePrefix"),
        by_time: call.input.text("orderBy").as_deref() == Some("LastEventTime"),
        descending: call.input.boolean("descending").unwrap_or(false),
    };
    let listed = call.runtime.log_stream_list(call.caller, &group, filter, page).await?;
    call.out.list("logStreams", &listed.items, encode);
    call.out.text_if("nextToken", listed.next.as_deref());
    Ok(())
}

fn encode(out: &mut Writer, stream: &LogStream) {
    out.text("logStreamName", &stream.name);
    out.integer("creationTime", stream.created.0);
    if let Some(span) = stream.span {
        out.integer("firstEventTimestamp", span.first.0);
        out.integer("lastEventTimestamp", span.last.0);
        out.integer("lastIngestionTime", span.ingested.0);
    }
    out.text("uploadSequenceToken", super::events::SEQUENCE_TOKEN);
    out.text("arn", &stream.arn);
    // Always 0 since June 2019 (`LogStream`, storedBytes).
    out.integer("storedBytes", 0);
}
