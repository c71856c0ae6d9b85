//! `GetCallerIdentity`, which every tool of AWS calls to learn whether its credentials work.

use base::Caller;

use crate::error::Error;

/// As in a signature's scope.
pub(crate) const NAME: &str = "sts";

/// Answers in the query protocol.
pub(crate) fn answer(action: &str, caller: &Caller, request_id: &str) -> Result<Vec<u8>, Error> {
    match action {
        "GetCallerIdentity" => Ok(caller_identity(caller, request_id).into_bytes()),
        action => Err(Error::new("InvalidAction", format!("Could not find operation {action} for version 2011-06-15"))),
    }
}

fn caller_identity(caller: &Caller, request_id: &str) -> String {
    let account = &caller.account;
    format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n\
         \x20 <GetCallerIdentityResult>\n\
         \x20   <Arn>arn:aws:iam::{account}:root</Arn>\n\
         \x20   <UserId>{account}</UserId>\n\
         \x20   <Account>{account}</Account>\n\
         \x20 </GetCallerIdentityResult>\n\
         \x20 <ResponseMetadata>\n\
         \x20   <RequestId>{request_id}</RequestId>\n\
         \x20 </ResponseMetadata>\n\
         </GetCallerIdentityResponse>\n"
    )
}

/// The query protocol forbids where the JSON protocols find a request bad.
pub(crate) fn status(error: &Error) -> u16 {
    match code(error) {
        "InvalidClientTokenId" | "SignatureDoesNotMatch" | "MissingAuthenticationToken" => 403,
        _ => error.status,
    }
}

pub(crate) fn error(error: &Error, request_id: &str) -> Vec<u8> {
    let code = code(error);
    let message = escaped(error.message.as_deref().unwrap_or(""));
    let text = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n\
         \x20 <Error>\n\
         \x20   <Type>Sender</Type>\n\
         \x20   <Code>{code}</Code>\n\
         \x20   <Message>{message}</Message>\n\
         \x20 </Error>\n\
         \x20 <RequestId>{request_id}</RequestId>\n\
         </ErrorResponse>\n"
    );
    text.into_bytes()
}

/// The query protocol calls some errors otherwise than the JSON protocols do.
fn code(error: &Error) -> &str {
    match &*error.code {
        "UnrecognizedClientException" => "InvalidClientTokenId",
        "InvalidSignatureException" => "SignatureDoesNotMatch",
        "MissingAuthenticationTokenException" => "MissingAuthenticationToken",
        "IncompleteSignatureException" => "IncompleteSignature",
        code => code,
    }
}

fn escaped(text: &str) -> String {
    let kept = text.chars().filter(|char| !char.is_control() || matches!(char, '\t' | '\n' | '\r'));
    let mut escaped = String::with_capacity(text.len());
    for char in kept {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            char => escaped.push(char),
        }
    }
    escaped
}
