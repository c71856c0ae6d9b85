//! Who asks: the one rule for every door of a server.
//!
//! While the server has no keys, anybody on this host is who they say, and nobody else is let in. With keys, a request
//! is believed by its signature alone.

use base::Caller;

use crate::face::Config;
use crate::http::Request;

/// Who asks when nothing says so.
const ACCOUNT_DEFAULT: &str = "000000000000";
const REGION_DEFAULT: &str = "us-east-1";
const REGION_CHARS_MAX: usize = 32;

/// Why nobody can say who asks.
#[derive(Debug)]
pub enum Stranger {
    /// There are no keys, and the request comes from another host.
    FromElsewhere,
    /// The signature's scope names no region.
    Region(String),
    Signature(sigv4::Refusal),
}

/// Returns on whose behalf a request comes, and the service that its signature was verified for, if it was.
pub fn caller(config: &Config, request: &Request<'_>) -> Result<(Caller, Option<String>), Stranger> {
    let (account, region, service) = match config.keys.is_empty() {
        true => {
            let (account, region) = unverified(request)?;
            (account, region, None)
        }
        false => verified(config, request)?,
    };
    // Both become part of every ARN.
    let plain = (1..=REGION_CHARS_MAX).contains(&region.len())
        && region.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if !plain {
        return Err(Stranger::Region(region));
    }
    Ok((Caller::new(&account, &region), service))
}

fn unverified(request: &Request<'_>) -> Result<(String, String), Stranger> {
    if !request.peer_is_loopback {
        return Err(Stranger::FromElsewhere);
    }
    let Some(scope) = request.header("authorization").and_then(sigv4::credential_scope) else {
        return Ok((ACCOUNT_DEFAULT.to_owned(), REGION_DEFAULT.to_owned()));
    };
    let names_account = scope.access_key.len() == 12 && scope.access_key.bytes().all(|byte| byte.is_ascii_digit());
    let account = if names_account { scope.access_key } else { ACCOUNT_DEFAULT };
    Ok((account.to_owned(), scope.region.to_owned()))
}

fn verified(config: &Config, request: &Request<'_>) -> Result<(String, String, Option<String>), Stranger> {
    let signed =
        sigv4::Request { method: request.method, path: request.path, query: request.query, headers: &request.headers };
    let lookup = |key: &str| config.keys.get(key).map(|key| key.secret.clone());
    let now = sigv4::Time((config.clock)().0.div_euclid(1000));
    let body = sigv4::BodyHash::of(&request.body);
    let verified = sigv4::verify(&signed, &body, lookup, now, config.skew_minutes).map_err(Stranger::Signature)?;
    match config.keys.get(&verified.access_key) {
        Some(key) => Ok((key.account.clone(), verified.region, Some(verified.service))),
        None => Err(Stranger::Signature(sigv4::Refusal::UnrecognizedClient)),
    }
}
