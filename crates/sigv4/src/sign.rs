//! Signing.

use crate::canonical::text_to_sign;
use crate::{ALGORITHM, BodyHash, Request, Scope, Secret, Time, hex};
use hmac::Mac;

/// What signs.
#[derive(Debug, Clone, Copy)]
pub struct Keys<'a> {
    pub access_key: &'a str,
    pub secret: &'a Secret,
    pub session_token: Option<&'a str>,
}

/// Headers that proxies and clients change on the way.
const UNSIGNED: [&str; 6] =
    ["authorization", "connection", "expect", "transfer-encoding", "user-agent", "x-amzn-trace-id"];

/// Returns the headers to add to the request: its time, its session token if it has one, and its signature.
/// All headers that the request has are signed, but for those that change on the way.
pub fn sign(
    request: &Request<'_>,
    body: &BodyHash,
    keys: &Keys<'_>,
    region: &str,
    service: &str,
    now: Time,
) -> Vec<(&'static str, String)> {
    let date = now.to_string();
    let mut headers = request.headers.to_vec();
    headers.push(("x-amz-date", &date));
    if let Some(token) = keys.session_token {
        headers.push(("x-amz-security-token", token));
    }

    let mut names: Vec<String> = headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.retain(|name| !UNSIGNED.contains(&name.as_str()));
    names.sort();
    names.dedup();
    let signed: Vec<&str> = names.iter().map(String::as_str).collect();

    let scope = Scope { access_key: keys.access_key, date: &date[..8], region, service };
    let text = text_to_sign(&Request { headers: &headers, ..*request }, &signed, body, &scope, &date);
    let signature = hex(&crate::signature(keys.secret, &scope, &text).finalize().into_bytes());
    let authorization = format!(
        "{ALGORITHM} Credential={}/{}, SignedHeaders={}, Signature={signature}",
        keys.access_key,
        scope.text(),
        signed.join(";")
    );

    let mut added = vec![("x-amz-date", date)];
    added.extend(keys.session_token.map(|token| ("x-amz-security-token", token.to_owned())));
    added.push(("authorization", authorization));
    added
}
