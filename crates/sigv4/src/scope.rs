//! What the header `Authorization` says, taken apart but not believed.

/// The last part of every scope.
pub(crate) const TERMINATOR: &str = "aws4_request";

/// Whose signature it claims to be, and for what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope<'a> {
    pub access_key: &'a str,
    /// As in `20150830`.
    pub date: &'a str,
    pub region: &'a str,
    pub service: &'a str,
}

impl Scope<'_> {
    /// `20150830/us-east-1/states/aws4_request`
    pub(crate) fn text(&self) -> String {
        format!("{}/{}/{}/{TERMINATOR}", self.date, self.region, self.service)
    }
}

/// Returns the scope that an `Authorization` header names, signed rightly or not: who asks when nobody checks.
pub fn credential_scope(authorization: &str) -> Option<Scope<'_>> {
    let fields = Fields::parse(authorization).ok()?;
    parse_credential(fields.credential?)
}

/// `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`
#[derive(Debug, Default)]
pub(crate) struct Fields<'a> {
    pub credential: Option<&'a str>,
    pub signed_headers: Option<&'a str>,
    pub signature: Option<&'a str>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadFields {
    Algorithm,
    /// Not of the form `Key=value`, or a key that comes twice or is not known.
    Field,
}

impl<'a> Fields<'a> {
    pub(crate) fn parse(authorization: &'a str) -> Result<Fields<'a>, BadFields> {
        let (algorithm, rest) = authorization.trim().split_once(' ').unwrap_or((authorization.trim(), ""));
        if algorithm != crate::ALGORITHM {
            return Err(BadFields::Algorithm);
        }
        let mut fields = Fields::default();
        for field in rest.split(',').map(str::trim).filter(|field| !field.is_empty()) {
            let (key, value) = field.split_once('=').ok_or(BadFields::Field)?;
            let place = match key {
                "Credential" => &mut fields.credential,
                "SignedHeaders" => &mut fields.signed_headers,
                "Signature" => &mut fields.signature,
                _ => return Err(BadFields::Field),
            };
            if place.replace(value).is_some() {
                return Err(BadFields::Field);
            }
        }
        Ok(fields)
    }
}

/// `AKIDEXAMPLE/20150830/us-east-1/states/aws4_request`
pub(crate) fn parse_credential(text: &str) -> Option<Scope<'_>> {
    let mut parts = text.split('/');
    let (access_key, date) = (parts.next()?, parts.next()?);
    let (region, service) = (parts.next()?, parts.next()?);
    let last = parts.next()?;
    (last == TERMINATOR && parts.next().is_none()).then_some(Scope { access_key, date, region, service })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scope_is_read_without_proof() {
        let text = "AWS4-HMAC-SHA256 Credential=111111111111/20150830/eu-west-1/states/aws4_request, SignedHeaders=host, Signature=00";
        let scope = Scope { access_key: "111111111111", date: "20150830", region: "eu-west-1", service: "states" };
        assert_eq!(credential_scope(text), Some(scope));
        assert_eq!(credential_scope(&text.replace(", ", ",")), Some(scope));
    }

    #[test]
    fn what_is_no_scope_gives_none() {
        for text in [
            "",
            "Basic YTpi",
            "AWS4-HMAC-SHA256",
            "AWS4-HMAC-SHA256 Credential=a/b/c/d",
            "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws5_request",
            "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request/e",
        ] {
            assert_eq!(credential_scope(text), None, "{text}");
        }
    }
}
