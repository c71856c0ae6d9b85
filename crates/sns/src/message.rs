//! What Run Command tells a topic (User Guide, "Example Amazon SNS notifications for AWS Systems Manager").

use base::Timestamp;
use runtime::announce::Notice;
use serde::Serialize;

/// A message with its subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub subject: String,
    /// JSON.
    pub text: String,
}

/// A command's status.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OfCommand<'a> {
    command_id: &'a str,
    document_name: &'a str,
    /// Those that were named one by one; none where the command names them by tags.
    instance_ids: Vec<&'a str>,
    requested_date_time: String,
    expires_after: String,
    output_s3_bucket_name: &'a str,
    output_s3_key_prefix: &'a str,
    status: &'a str,
    event_time: String,
}

/// An invocation's status.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OfInvocation<'a> {
    command_id: &'a str,
    document_name: &'a str,
    instance_id: &'a str,
    requested_date_time: String,
    status: &'a str,
    /// Not in the guide's examples, and in what AWS publishes.
    detailed_status: &'a str,
    event_time: String,
}

pub fn of(notice: &Notice) -> Message {
    let (send, announcement) = (&notice.send, &notice.announcement);
    let text = match &announcement.instance {
        None => serde_json::to_string(&OfCommand {
            command_id: &send.command.0,
            document_name: &send.document_name,
            instance_ids: match send.targets.is_empty() {
                true => send.instances.iter().map(|instance| &*instance.0).collect(),
                false => vec![],
            },
            requested_date_time: time(notice.requested),
            expires_after: time(notice.expires_after),
            output_s3_bucket_name: &send.destinations.bucket,
            output_s3_key_prefix: &send.destinations.key_prefix,
            status: &announcement.status,
            event_time: time(announcement.at),
        }),
        Some(instance) => serde_json::to_string(&OfInvocation {
            command_id: &send.command.0,
            document_name: &send.document_name,
            instance_id: &instance.0,
            requested_date_time: time(notice.requested),
            status: &announcement.status,
            detailed_status: &announcement.details,
            event_time: time(announcement.at),
        }),
    };
    let subject = format!("EC2 Run Command Notification {}", notice.caller.region.0);
    Message { subject, text: text.expect("texts are JSON") }
}

/// `2019-04-25T17:57:09.17Z`: without zeros at the end.
fn time(time: Timestamp) -> String {
    let text = time.to_string();
    match text.strip_suffix('Z').and_then(|text| text.split_once('.')) {
        Some((seconds, fraction)) => match fraction.trim_end_matches('0') {
            "" => format!("{seconds}Z"),
            fraction => format!("{seconds}.{fraction}Z"),
        },
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use base::Caller;
    use expect_test::{Expect, expect};
    use fleet::{Announcement, CommandId, InstanceId, Plan, Send, Target};

    use super::*;

    fn check(instance: Option<&str>, targets: Vec<Target>, expect: Expect) {
        let mut send = Send::new(CommandId::from("c"), vec![InstanceId::from("mi-1")], Plan::default());
        send.targets = targets;
        send.destinations.bucket = "logs".to_owned();
        let at = |millis: i64| Timestamp(1_556_215_029_000 + millis);
        let notice = Notice {
            caller: Caller::new("000000000000", "eu-west-1"),
            send,
            requested: at(170),
            expires_after: at(0),
            announcement: Announcement {
                number: 1,
                at: at(236),
                instance: instance.map(InstanceId::from),
                status: "TimedOut".to_owned(),
                details: "ExecutionTimedOut".to_owned(),
            },
        };
        let message = of(&notice);
        expect.assert_eq(&format!("{}: {}", message.subject, message.text));
    }

    #[test]
    fn messages_are_those_of_aws() {
        let target = Target { key: "tag:a".to_owned(), values: vec![] };
        check(
            None,
            vec![],
            expect![[
                r#"EC2 Run Command Notification eu-west-1: {"commandId":"c","documentName":"AWS-RunShellScript","instanceIds":["mi-1"],"requestedDateTime":"2019-04-25T17:57:09.17Z","expiresAfter":"2019-04-25T17:57:09Z","outputS3BucketName":"logs","outputS3KeyPrefix":"","status":"TimedOut","eventTime":"2019-04-25T17:57:09.236Z"}"#
            ]],
        );
        check(
            None,
            vec![target],
            expect![[
                r#"EC2 Run Command Notification eu-west-1: {"commandId":"c","documentName":"AWS-RunShellScript","instanceIds":[],"requestedDateTime":"2019-04-25T17:57:09.17Z","expiresAfter":"2019-04-25T17:57:09Z","outputS3BucketName":"logs","outputS3KeyPrefix":"","status":"TimedOut","eventTime":"2019-04-25T17:57:09.236Z"}"#
            ]],
        );
        check(
            Some("mi-1"),
            vec![],
            expect![[
                r#"EC2 Run Command Notification eu-west-1: {"commandId":"c","documentName":"AWS-RunShellScript","instanceId":"mi-1","requestedDateTime":"2019-04-25T17:57:09.17Z","status":"TimedOut","detailedStatus":"ExecutionTimedOut","eventTime":"2019-04-25T17:57:09.236Z"}"#
            ]],
        );
    }
}
