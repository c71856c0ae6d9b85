//! What a state machine may be given besides its definition: a role, configurations, tags. The words are AWS's.

use base::{Arn, Json, limits};

use crate::refusal::Refusal;

/// `CreateStateMachine` and `UpdateStateMachine`, roleArn: an ARN of a role, whose account is told by its digits.
pub(crate) fn valid_role(text: &str) -> Result<(), Refusal> {
    let is_role = |arn: Arn<'_>| {
        let account = !arn.account.is_empty() && arn.account.bytes().all(|byte| byte.is_ascii_digit());
        let name = arn.resource.strip_prefix("role/").is_some_and(|name| !name.is_empty());
        arn.service == "iam" && arn.region.is_empty() && account && name
    };
    if Arn::parse(text).is_some_and(is_role) { Ok(()) } else { Err(Refusal::InvalidRoleArn(text.to_owned())) }
}

/// The log group of `CreateStateMachine`, loggingConfiguration.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LogDestination<'a> {
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    pub(crate) group: &'a str,
}

/// One destination where something is logged, and none or one where nothing is. Whether there is such a log group is for
/// whoever keeps them.
pub(crate) fn log_destination(logging: &Json) -> Result<Option<LogDestination<'_>>, Refusal> {
    let refused = |why: &str| Err(Refusal::InvalidLoggingConfiguration(why.to_owned()));
    let level = logging.get("level").and_then(Json::as_str).unwrap_or("OFF");
    match logging.get("destinations").and_then(Json::as_array).unwrap_or_default() {
        [] if level == "OFF" => Ok(None),
        [destination] => {
            let group = destination.get("cloudWatchLogsLogGroup").and_then(|group| group.get("logGroupArn"));
            let arn = group.and_then(Json::as_str).and_then(Arn::parse).filter(|arn| arn.service == "logs");
            match arn.as_ref().map(|arn| (arn, arn.resource_parts())) {
                Some((arn, ("log-group", group))) if !group.is_empty() => match group.strip_suffix(":*") {
                    Some(group) => Ok(Some(LogDestination { account: arn.account, region: arn.region, group })),
                    None => refused("Log Group ARN must be provided with '*' qualifier."),
                },
                _ => Err(no_log_destination()),
            }
        }
        _ => refused("Must specify exactly one Log Destination."),
    }
}

pub(crate) fn no_log_destination() -> Refusal {
    Refusal::InvalidLoggingConfiguration("Log Destination not found.".to_owned())
}

/// "enabled has not been set to true or false" (`InvalidTracingConfiguration`).
pub(crate) fn valid_tracing(tracing: &Json) -> Result<(), Refusal> {
    match tracing.get("enabled") {
        Some(Json::Bool(_)) => Ok(()),
        _ => Err(Refusal::InvalidTracingConfiguration("enabled must be set to true or false.".to_owned())),
    }
}

/// A key of the customer's is named if, and only if, one is to be used (`InvalidEncryptionConfiguration`).
pub(crate) fn valid_encryption(encryption: &Json) -> Result<(), Refusal> {
    let refused = |why: &str| Err(Refusal::InvalidEncryptionConfiguration(why.to_owned()));
    let customers = encryption.get("type").and_then(Json::as_str) == Some("CUSTOMER_MANAGED_KMS_KEY");
    let given = |key: &str| encryption.get(key).is_some_and(|value| *value != Json::Null);
    match (customers, given("kmsKeyId")) {
        (true, false) => refused("kmsKeyId must be specified when type is CUSTOMER_MANAGED_KMS_KEY."),
        (false, true) => refused("kmsKeyId must not be specified when type is AWS_OWNED_KEY."),
        (false, false) if given("kmsDataKeyReusePeriodSeconds") => {
            refused("kmsDataKeyReusePeriodSeconds must not be specified when type is AWS_OWNED_KEY.")
        }
        (true, true) | (false, false) => Ok(()),
    }
}

/// `resource` is what they are for. Of two with one key, the latter counts.
pub(crate) fn valid_tags(resource: &str, tags: Vec<(String, String)>) -> Result<Vec<(String, String)>, Refusal> {
    for (key, value) in &tags {
        let reserved = key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"));
        if key.is_empty() || reserved || !key.chars().chain(value.chars()).all(taggable) {
            return Err(Refusal::Validation(format!("Invalid tag: '{key}' = '{value}'")));
        }
    }
    let valid = crate::tags::with(&[], tags);
    if valid.len() > limits::TAGS_MAX { Err(Refusal::TooManyTags(resource.to_owned())) } else { Ok(valid) }
}

/// "Unicode letters, digits, white space, or these symbols: _ . : / = + - @" (`TagResource`).
fn taggable(char: char) -> bool {
    char.is_alphanumeric() || char.is_whitespace() || "_.:/=+-@".contains(char)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(rule: impl Fn(&str) -> Result<(), Refusal>, given: &[&str], expect: Expect) {
        let told = given.iter().map(|given| match rule(given) {
            Ok(()) => format!("{given}: fine\n"),
            Err(refusal) => format!("{given}: {refusal}\n"),
        });
        expect.assert_eq(&told.collect::<String>());
    }

    fn json(rule: impl Fn(&Json) -> Result<(), Refusal>) -> impl Fn(&str) -> Result<(), Refusal> {
        move |text| rule(&Json::parse(text).expect("a test's JSON"))
    }

    #[test]
    fn a_role_is_an_arn_of_a_role() {
        check(
            valid_role,
            &[
                "arn:aws:iam::111111111111:role/service-role/r",
                "arn:aws-cn:iam::111111111111:role/r",
                "arn:aws:iam::111111111111:role/",
                "arn:aws:iam::aws:policy/AWSBatchFullAccess",
                "arn:aws:iam:us-east-1:111111111111:role/r",
                "r",
            ],
            expect![[r#"
                arn:aws:iam::111111111111:role/service-role/r: fine
                arn:aws-cn:iam::111111111111:role/r: fine
                arn:aws:iam::111111111111:role/: not the ARN of a role: arn:aws:iam::111111111111:role/
                arn:aws:iam::aws:policy/AWSBatchFullAccess: not the ARN of a role: arn:aws:iam::aws:policy/AWSBatchFullAccess
                arn:aws:iam:us-east-1:111111111111:role/r: not the ARN of a role: arn:aws:iam:us-east-1:111111111111:role/r
                r: not the ARN of a role: r
            "#]],
        );
    }

    #[test]
    fn what_is_logged_is_logged_to_one_place() {
        let to = |arn: &str| {
            format!(r#"{{"level":"ALL","destinations":[{{"cloudWatchLogsLogGroup":{{"logGroupArn":"{arn}"}}}}]}}"#)
        };
        check(
            json(|logging| log_destination(logging).map(drop)),
            &[
                "{}",
                r#"{"level":"OFF","destinations":[]}"#,
                &to("arn:aws:logs:us-east-1:111111111111:log-group:/states/net:*"),
                &to("arn:aws:logs:us-east-1:111111111111:log-group:/states/net"),
                &to("arn:aws:sns:us-east-1:111111111111:topic"),
                r#"{"level":"ALL"}"#,
                r#"{"level":"OFF","destinations":[{},{}]}"#,
                r#"{"destinations":[{}]}"#,
            ],
            expect![[r#"
                {}: fine
                {"level":"OFF","destinations":[]}: fine
                {"level":"ALL","destinations":[{"cloudWatchLogsLogGroup":{"logGroupArn":"arn:aws:logs:us-east-1:111111111111:log-group:/states/net:*"}}]}: fine
                {"level":"ALL","destinations":[{"cloudWatchLogsLogGroup":{"logGroupArn":"arn:aws:logs:us-east-1:111111111111:log-group:/states/net"}}]}: invalid logging configuration: Log Group ARN must be provided with '*' qualifier.
                {"level":"ALL","destinations":[{"cloudWatchLogsLogGroup":{"logGroupArn":"arn:aws:sns:us-east-1:111111111111:topic"}}]}: invalid logging configuration: Log Destination not found.
                {"level":"ALL"}: invalid logging configuration: Must specify exactly one Log Destination.
                {"level":"OFF","destinations":[{},{}]}: invalid logging configuration: Must specify exactly one Log Destination.
                {"destinations":[{}]}: invalid logging configuration: Log Destination not found.
            "#]],
        );
    }

    #[test]
    fn a_log_destination_names_a_group() {
        let text = r#"{"level":"ALL","destinations":[{"cloudWatchLogsLogGroup":{"logGroupArn":"arn:aws:logs:us-east-1:111111111111:log-group:/states/net:*"}}]}"#;
        let logging = Json::parse(text).expect("JSON");
        let destination = log_destination(&logging).expect("valid");
        let expected = LogDestination { account: "111111111111", region: "us-east-1", group: "/states/net" };
        assert_eq!(destination, Some(expected));
    }

    #[test]
    fn tracing_is_on_or_off() {
        check(
            json(valid_tracing),
            &[r#"{"enabled":true}"#, "{}"],
            expect![[r#"
                {"enabled":true}: fine
                {}: invalid tracing configuration: enabled must be set to true or false.
            "#]],
        );
    }

    #[test]
    fn a_key_is_named_where_one_is_used() {
        check(
            json(valid_encryption),
            &[
                r#"{"type":"AWS_OWNED_KEY"}"#,
                r#"{"type":"CUSTOMER_MANAGED_KMS_KEY","kmsKeyId":"k","kmsDataKeyReusePeriodSeconds":60}"#,
                r#"{"type":"CUSTOMER_MANAGED_KMS_KEY","kmsKeyId":null}"#,
                r#"{"type":"AWS_OWNED_KEY","kmsKeyId":"k"}"#,
                r#"{"type":"AWS_OWNED_KEY","kmsDataKeyReusePeriodSeconds":60}"#,
            ],
            expect![[r#"
                {"type":"AWS_OWNED_KEY"}: fine
                {"type":"CUSTOMER_MANAGED_KMS_KEY","kmsKeyId":"k","kmsDataKeyReusePeriodSeconds":60}: fine
                {"type":"CUSTOMER_MANAGED_KMS_KEY","kmsKeyId":null}: invalid encryption configuration: kmsKeyId must be specified when type is CUSTOMER_MANAGED_KMS_KEY.
                {"type":"AWS_OWNED_KEY","kmsKeyId":"k"}: invalid encryption configuration: kmsKeyId must not be specified when type is AWS_OWNED_KEY.
                {"type":"AWS_OWNED_KEY","kmsDataKeyReusePeriodSeconds":60}: invalid encryption configuration: kmsDataKeyReusePeriodSeconds must not be specified when type is AWS_OWNED_KEY.
            "#]],
        );
    }

    #[test]
    fn tags_are_words_of_the_users_own() {
        let tag = |text: &str| {
            let (key, value) = text.split_once('|').expect("a key and a value");
            valid_tags("a", vec![(key.to_owned(), value.to_owned())]).map(drop)
        };
        check(
            tag,
            &["team|web 1", "部署|", "a.b:/=+-@_|x", "|x", "aws:net|x", "AWS:net|x", "a|<b>"],
            expect![[r#"
                team|web 1: fine
                部署|: fine
                a.b:/=+-@_|x: fine
                |x: Invalid tag: '' = 'x'
                aws:net|x: Invalid tag: 'aws:net' = 'x'
                AWS:net|x: Invalid tag: 'AWS:net' = 'x'
                a|<b>: Invalid tag: 'a' = '<b>'
            "#]],
        );
        let twice = vec![("a".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())];
        assert_eq!(valid_tags("a", twice).expect("valid"), [("a".to_owned(), "2".to_owned())]);
        let many = |count: usize| (0..count).map(|number| (number.to_string(), String::new())).collect();
        assert!(valid_tags("a", many(limits::TAGS_MAX)).is_ok());
        assert!(matches!(valid_tags("a", many(limits::TAGS_MAX + 1)), Err(Refusal::TooManyTags(_))));
    }
}
