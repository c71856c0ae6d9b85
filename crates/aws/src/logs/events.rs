//! Log events: put, read back, searched.

use base::Timestamp;
use runtime::logs::{LogEvent, LogFilter, LogLine, LogWindow, Rejected};

use super::{group, page};
use crate::operation::{Call, Fault};
use crate::value::Input;
use crate::write::Writer;

/// Streams do not need them any more, but clients still expect one (`PutLogEvents`, nextSequenceToken).
pub(super) const SEQUENCE_TOKEN: &str = "49000000000000000000000000000000000000000000000000000000";

pub(super) async fn put(mut call: Call<'_>) -> Result<(), Fault> {
    let (group, stream) = (call.input.required("logGroupName"), call.input.required("logStreamName"));
    let lines = call.input.inputs("logEvents").into_iter().map(decode).collect();
    let rejected = call.runtime.log_events_put(call.caller, &group, &stream, lines).await?;
    call.out.text("nextSequenceToken", SEQUENCE_TOKEN);
    if rejected != Rejected::default() {
        call.out.object("rejectedLogEventsInfo", |out| encode_rejected(out, rejected));
    }
    Ok(())
}

pub(super) async fn get(mut call: Call<'_>) -> Result<(), Fault> {
    let group = group(&mut call.input)?;
    let stream = call.input.required("logStreamName");
    let page = page(&mut call.input, 10_000);
    let window = LogWindow {
        from: time(&mut call.input, "startTime"),
        until: time(&mut call.input, "endTime"),
        limit: Some(page.limit),
        token: page.token,
        from_head: call.input.boolean("startFromHead").unwrap_or(false),
    };
    let found = call.runtime.log_events_get(call.caller, &group, &stream, window).await?;
    call.out.list("events", &found.events, |out, event| {
        out.integer("timestamp", event.at.0);
        out.text("message", &event.message);
        out.integer("ingestionTime", event.ingested.0);
    });
    call.out.text("nextForwardToken", &found.forward);
    call.out.text("nextBackwardToken", &found.backward);
    Ok(())
}

pub(super) async fn filter(mut call: Call<'_>) -> Result<(), Fault> {
    let group = group(&mut call.input)?;
    let page = page(&mut call.input, 10_000);
    let filter = LogFilter {
        streams: call.input.texts("logStreamNames"),
        prefix: call.input.text("logStreamNamePrefix"),
        from: time(&mut call.input, "startTime"),
        until: time(&mut call.input, "endTime"),
        pattern: call.input.text("filterPattern"),
    };
    let found = call.runtime.log_events_filter(call.caller, &group, filter, page).await?;
    call.out.list("events", &found.items, encode);
    // Always empty (`FilterLogEvents`, searchedLogStreams).
    call.out.list("searchedLogStreams", [], |_, _: ()| {});
    call.out.text_if("nextToken", found.next.as_deref());
    Ok(())
}

fn time(input: &mut Input<'_>, name: &str) -> Option<Timestamp> {
    input.integer(name).map(Timestamp)
}

fn decode(mut line: Input<'_>) -> LogLine {
    LogLine { at: time(&mut line, "timestamp").unwrap_or_default(), message: line.required("message") }
}

fn encode(out: &mut Writer, event: &LogEvent) {
    out.text("logStreamName", &event.stream);
    out.integer("timestamp", event.at.0);
    out.text("message", &event.message);
    out.integer("ingestionTime", event.ingested.0);
    out.text("eventId", &event.id);
}

fn encode_rejected(out: &mut Writer, rejected: Rejected) {
    let all = [
        ("tooNewLogEventStartIndex", rejected.too_new_from),
        ("tooOldLogEventEndIndex", rejected.too_old_until),
        ("expiredLogEventEndIndex", rejected.expired_until),
    ];
    for (name, index) in all {
        if let Some(index) = index {
            out.integer(name, i64::try_from(index).unwrap_or(i64::MAX));
        }
    }
}
