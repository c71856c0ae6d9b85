//! What may happen to a parameter by itself (`Parameter Store, parameter policies`).
//!
//! A parameter that expires is deleted. The policies that only notify are refused: there is nobody yet whom they could tell.

use std::sync::Arc;

use base::{Json, Timestamp, limits};
use serde::{Deserialize, Serialize};

use crate::refusal::ParameterRefusal;

/// At that time the parameter is deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Expiration {
    pub(crate) at: Timestamp,
    /// As it was given.
    pub(crate) text: Arc<str>,
}

/// Reads the policies of a request: a JSON array; one with an empty policy takes away what there is.
pub(crate) fn parse(text: &str, now: Timestamp) -> Result<Option<Expiration>, ParameterRefusal> {
    let json = Json::parse(text).ok();
    let policies = json.as_ref().and_then(Json::as_array);
    let policies = policies.ok_or_else(|| attribute("The policies are not a JSON array of policies."))?;
    if policies.len() > limits::PARAMETER_POLICIES_MAX {
        return Err(ParameterRefusal::TooManyPolicies);
    }
    let mut found = None;
    for policy in policies.iter().filter(|policy| policy.as_object().is_none_or(|members| !members.is_empty())) {
        let expiration = expiration(policy, now)?;
        if found.replace(expiration).is_some() {
            return Err(ParameterRefusal::IncompatiblePolicy);
        }
    }
    Ok(found)
}

fn expiration(policy: &Json, now: Timestamp) -> Result<Expiration, ParameterRefusal> {
    match policy.get("Type").and_then(Json::as_str) {
        Some("Expiration") => (),
        Some(kind @ ("ExpirationNotification" | "NoChangeNotification")) => {
            return Err(ParameterRefusal::InvalidPolicyType(format!(
                "The policy type {kind} is not available in this version of Dandori: there is nobody whom it could notify."
            )));
        }
        _ => {
            return Err(ParameterRefusal::InvalidPolicyType(
                "The policy type isn't supported. Parameter Store supports the following policy types: Expiration, \
                 ExpirationNotification, and NoChangeNotification."
                    .to_owned(),
            ));
        }
    }
    if policy.get("Version").and_then(Json::as_str) != Some("1.0") {
        return Err(attribute("The Version of a policy must be 1.0."));
    }
    let at = policy.get("Attributes").and_then(|attributes| attributes.get("Timestamp")).and_then(Json::as_str);
    let at = at.and_then(Timestamp::parse_rfc3339);
    let at =
        at.ok_or_else(|| attribute("The Timestamp of an Expiration must be a time such as 2018-12-02T21:34:33.000Z."))?;
    if at <= now {
        return Err(attribute("The Timestamp of an Expiration must be in the future."));
    }
    Ok(Expiration { at, text: policy.to_string().into() })
}

fn attribute(why: &str) -> ParameterRefusal {
    ParameterRefusal::InvalidPolicyAttribute(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiration_is_kept_and_the_rest_is_refused() {
        let read = |text: &str| match parse(text, Timestamp(1_000)) {
            Ok(found) => format!("{:?}", found.map(|expiration| expiration.at.0)),
            Err(refusal) => format!("{refusal:?}").split(['(', ' ']).next().unwrap_or_default().to_owned(),
        };
        let expires =
            |at: &str| format!(r#"{{"Type":"Expiration","Version":"1.0","Attributes":{{"Timestamp":"{at}"}}}}"#);
        let later = expires("2018-12-02T21:34:33.000Z");
        for (text, expected) in [
            ("[]", "None"),
            ("[{}]", "None"),
            (&*format!("[{later}]"), "Some(1543786473000)"),
            (&*format!("[{}]", expires("2019-11-01T22:13:48.87+10:30")), "Some(1572608628870)"),
            (&*format!("[{later},{later}]"), "IncompatiblePolicy"),
            (&*format!("[{}]", ["{}"; 11].join(",")), "TooManyPolicies"),
            (&*format!("[{}]", expires("1970-01-01T00:00:01Z")), "InvalidPolicyAttribute"),
            (&*format!("[{}]", expires("tomorrow")), "InvalidPolicyAttribute"),
            (r#"[{"Type":"Expiration","Version":"2.0"}]"#, "InvalidPolicyAttribute"),
            (r#"[{"Type":"NoChangeNotification","Version":"1.0"}]"#, "InvalidPolicyType"),
            (r#"[{"Type":"Dance"}]"#, "InvalidPolicyType"),
            ("[1]", "InvalidPolicyType"),
            ("{}", "InvalidPolicyAttribute"),
            ("x", "InvalidPolicyAttribute"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
