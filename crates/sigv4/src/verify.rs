//! Verifying.

use hmac::Mac;

use crate::canonical::text_to_sign;
use crate::scope::{BadFields, Fields, parse_credential};
use crate::{BodyHash, Request, Scope, Secret, Time};

/// What a signature proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    pub access_key: String,
    pub region: String,
    pub service: String,
}

/// Why a request is not believed. The texts are AWS's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("Missing Authentication Token")]
    MissingAuthenticationToken,
    #[error("{0}")]
    IncompleteSignature(String),
    /// No such access key. Also what a wrong signature under an unknown key is told.
    #[error("The security token included in the request is invalid.")]
    UnrecognizedClient,
    #[error("{0}")]
    InvalidSignature(String),
}

impl Refusal {
    /// AWS's name of this error in its JSON protocols.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::MissingAuthenticationToken => "MissingAuthenticationTokenException",
            Refusal::IncompleteSignature(_) => "IncompleteSignatureException",
            Refusal::UnrecognizedClient => "UnrecognizedClientException",
            Refusal::InvalidSignature(_) => "InvalidSignatureException",
        }
    }

    fn mismatch() -> Refusal {
        Refusal::InvalidSignature(MISMATCH.to_owned())
    }
}

const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. \
    Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";

/// Says who signed the request. `body` is the hash of the bytes that came; `skew_minutes` is how far the request's
/// time may be from `now`.
pub fn verify(
    request: &Request<'_>,
    body: &BodyHash,
    lookup: impl Fn(&str) -> Option<Secret>,
    now: Time,
    skew_minutes: i64,
) -> Result<Verified, Refusal> {
    refuse_other_kinds(request, body)?;
    let authorization = one(request, "authorization")?.ok_or(Refusal::MissingAuthenticationToken)?;
    let claim = Claim::parse(request, authorization)?;
    check_signed_headers(request, &claim)?;
    check_time(claim.date, &claim.scope, now, skew_minutes)?;

    // An unknown key is checked against a secret that nobody has, so that asking for keys tells nothing by time.
    let known = lookup(claim.scope.access_key);
    let nobody = Secret::new("/".repeat(40));
    let text = text_to_sign(request, &claim.signed, body, &claim.scope, claim.date);
    let right =
        crate::signature(known.as_ref().unwrap_or(&nobody), &claim.scope, &text).verify_slice(&claim.signature).is_ok();
    match (known, right) {
        (None, _) => Err(Refusal::UnrecognizedClient),
        (Some(_), false) => Err(Refusal::mismatch()),
        (Some(_), true) => Ok(Verified {
            access_key: claim.scope.access_key.to_owned(),
            region: claim.scope.region.to_owned(),
            service: claim.scope.service.to_owned(),
        }),
    }
}

/// What the request claims about its signature.
struct Claim<'a> {
    scope: Scope<'a>,
    signed: Vec<&'a str>,
    signature: [u8; 32],
    date: &'a str,
}

impl<'a> Claim<'a> {
    fn parse(request: &Request<'a>, authorization: &'a str) -> Result<Claim<'a>, Refusal> {
        let fields = Fields::parse(authorization).map_err(|bad| match bad {
            BadFields::Algorithm => {
                incomplete(format!("Unsupported AWS 'algorithm': '{}'.", authorization.split(' ').next().unwrap_or("")))
            }
            BadFields::Field => incomplete(format!(
                "Invalid key=value pair (missing equal-sign) in Authorization header: '{authorization}'."
            )),
        })?;
        let date = one(request, "x-amz-date")?;
        let (Some(credential), Some(signed), Some(signature), Some(date)) =
            (fields.credential, fields.signed_headers, fields.signature, date)
        else {
            return Err(incomplete(missing(&fields, date, authorization)));
        };
        let scope = parse_credential(credential).ok_or_else(|| bad_credential(credential))?;
        Ok(Claim {
            scope,
            signed: signed.split(';').collect(),
            signature: unhex(signature).ok_or_else(Refusal::mismatch)?,
            date,
        })
    }

    fn signs(&self, name: &str) -> bool {
        self.signed.contains(&name)
    }
}

/// Only whole requests with the signature in a header are taken: not those signed in the query, without their body
/// or piece by piece.
fn refuse_other_kinds(request: &Request<'_>, body: &BodyHash) -> Result<(), Refusal> {
    let presigned = request.query.split('&').any(|pair| {
        let name = pair.split('=').next().unwrap_or("");
        name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("X-Amz-"))
    });
    if presigned {
        return Err(invalid("Presigned requests are not supported: sign in the 'Authorization' header."));
    }
    match one(request, "x-amz-content-sha256")? {
        Some(hash) if hash != body.to_string() => {
            Err(invalid("The provided 'x-amz-content-sha256' header does not match what was computed."))
        }
        _ => Ok(()),
    }
}

/// What gives the request its meaning must be signed, and nothing signed may come twice.
fn check_signed_headers(request: &Request<'_>, claim: &Claim<'_>) -> Result<(), Refusal> {
    if !claim.signs("host") {
        return Err(invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."));
    }
    for name in ["x-amz-date", "x-amz-target", "content-type"] {
        if one(request, name)?.is_some() && !claim.signs(name) {
            return Err(invalid(&format!("'{name}' must be a 'SignedHeader' in the AWS Authorization.")));
        }
    }
    let sorted = claim.signed.windows(2).all(|pair| pair[0] < pair[1]);
    if !sorted {
        return Err(Refusal::mismatch());
    }
    for name in &claim.signed {
        if one(request, name)?.is_none() {
            return Err(Refusal::mismatch());
        }
    }
    Ok(())
}

fn check_time(date: &str, scope: &Scope<'_>, now: Time, skew_minutes: i64) -> Result<(), Refusal> {
    let time = Time::parse(date).ok_or_else(|| {
        incomplete(format!(
            "Date must be in ISO-8601 'basic format'. Got '{date}'. See http://en.wikipedia.org/wiki/ISO_8601"
        ))
    })?;
    if scope.date != &date[..8] {
        return Err(invalid(&format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{}', from '{date}'.",
            scope.date,
            &date[..8],
        )));
    }
    let (earliest, latest) = (now.plus_minutes(-skew_minutes), now.plus_minutes(skew_minutes));
    if time < earliest {
        return Err(invalid(&format!(
            "Signature expired: {date} is now earlier than {earliest} ({now} - {skew_minutes} min.)"
        )));
    }
    if time > latest {
        return Err(invalid(&format!(
            "Signature not yet current: {date} is still later than {latest} ({now} + {skew_minutes} min.)"
        )));
    }
    Ok(())
}

/// The header's only value. One that comes twice could mean one thing here and another behind us.
fn one<'a>(request: &Request<'a>, name: &str) -> Result<Option<&'a str>, Refusal> {
    let mut values = request.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(invalid(&format!("The header '{name}' must not be repeated."))),
    }
}

fn missing(fields: &Fields<'_>, date: Option<&str>, authorization: &str) -> String {
    let mut text = String::new();
    for (name, value) in
        [("Credential", fields.credential), ("Signature", fields.signature), ("SignedHeaders", fields.signed_headers)]
    {
        if value.is_none() {
            text.push_str(&format!("Authorization header requires '{name}' parameter. "));
        }
    }
    if date.is_none() {
        text.push_str("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ");
    }
    text.push_str("Authorization=");
    // The signature is worth nothing to whoever reads the answer, but need not stand in logs.
    text.push_str(authorization.split("Signature=").next().unwrap_or(""));
    text.trim_end_matches([' ', ',']).to_owned()
}

fn bad_credential(credential: &str) -> Refusal {
    match credential.split('/').collect::<Vec<_>>().as_slice() {
        [_, _, _, _, last] => {
            invalid(&format!("Credential should be scoped with a valid terminator: 'aws4_request', not '{last}'."))
        }
        _ => incomplete(format!(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{credential}'."
        )),
    }
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

fn digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

fn incomplete(text: String) -> Refusal {
    Refusal::IncompleteSignature(text)
}

fn invalid(text: &str) -> Refusal {
    Refusal::InvalidSignature(text.to_owned())
}
