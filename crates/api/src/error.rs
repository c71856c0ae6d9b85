//! What a person sees when something is wrong: a code that never changes, what, and the next step.

use serde::{Deserialize, Serialize};

/// The body of every answer that is not a success.
///
/// ```
/// let error = api::Error::new(api::Code::ExecutionNotFound, "there is no execution night-1").about("night-1");
/// assert_eq!(
///     serde_json::to_string(&error)?,
///     r#"{"code":"DN0301","message":"there is no execution night-1","subject":"night-1"}"#
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    pub code: Code,
    /// What went wrong, in English. A reader that knows the code may say it in its own words.
    pub message: String,
    /// What to do next, in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The one thing that it is about: a name, an ARN, a parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Findings, one line each: what is wrong with a definition, and where.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
}

impl Error {
    pub fn new(code: Code, message: impl Into<String>) -> Error {
        Error { code, message: message.into(), hint: None, subject: None, findings: vec![] }
    }

    pub fn about(mut self, subject: impl Into<String>) -> Error {
        self.subject = Some(subject.into());
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Error {
        self.hint = Some(hint.into());
        self
    }

    pub fn findings(mut self, findings: Vec<String>) -> Error {
        self.findings = findings;
        self
    }
}

/// What kind of thing went wrong: who must act follows from [`Class`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// The request makes no sense, whatever the server holds.
    Malformed,
    /// Who asks is not known, or may not.
    Permission,
    NotFound,
    /// It does not fit with what is there.
    Conflict,
    /// What was given does not hold: a definition, a name, an input.
    Invalid,
    /// The server cannot take it now. Asking again later may help.
    Unavailable,
    /// The server could not be reached, or did not answer in time.
    Unreachable,
    /// The machinery failed.
    Internal,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $class:ident;)*) => {
        /// Every error that a person can meet has one, with a page of its own in the manual. Never reused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// `DN` and four digits.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)* }
            }

            pub fn class(self) -> Class {
                match self { $(Code::$name => Class::$class,)* }
            }
        }
    };
}

codes! {
    /// The request is not what this route reads.
    Malformed = "DN0101", Malformed;
    /// There is no such route: what was asked is newer than the server, or it is not one of ours.
    NoSuchRoute = "DN0102", Unreachable;
    /// The route has no such method.
    NoSuchMethod = "DN0103", Malformed;
    /// The body is longer than the route takes.
    TooLarge = "DN0104", Invalid;
    /// The request did not arrive in time.
    TooSlow = "DN0105", Unreachable;
    /// A command was typed wrongly.
    Usage = "DN0106", Malformed;
    /// A file named on the command line could not be read.
    FileUnreadable = "DN0107", Invalid;
    /// A table of tests is not what it has to be.
    TableInvalid = "DN0108", Invalid;

    /// The signature is missing, or is not that of a key known here.
    Unauthenticated = "DN0201", Permission;
    /// The caller is known and may not do this.
    NotPermitted = "DN0202", Permission;

    ExecutionNotFound = "DN0301", NotFound;
    DefinitionNotFound = "DN0302", NotFound;
    InstanceNotFound = "DN0303", NotFound;
    CommandNotFound = "DN0304", NotFound;
    DocumentNotFound = "DN0312", NotFound;
    /// A short form of an id fits several.
    Ambiguous = "DN0305", Malformed;
    /// There is none, or its code is another.
    ActivationNotFound = "DN0311", NotFound;

    AgentGroupNotFound = "DN0321", NotFound;
    AgentNameNotFound = "DN0322", NotFound;

    ExecutionExists = "DN0401", Conflict;
    DefinitionExists = "DN0402", Conflict;
    DefinitionDeleting = "DN0403", Conflict;
    ExecutionNotRunning = "DN0404", Conflict;
    ExecutionNotRedrivable = "DN0405", Conflict;
    /// It has expired, or as many hosts as it was for have used it.
    ActivationOver = "DN0411", Conflict;

    /// A name means one thing: an agent or a group of agents.
    AgentNameTaken = "DN0421", Conflict;
    /// A group has it for a member.
    AgentNameInUse = "DN0422", Conflict;
    /// Its restriction refuses new jobs, or those of all members of a group do.
    AgentTakesNoJobs = "DN0423", Conflict;

    DefinitionInvalid = "DN0501", Invalid;
    InputInvalid = "DN0502", Invalid;
    NameInvalid = "DN0503", Invalid;
    ArnInvalid = "DN0504", Invalid;
    TokenInvalid = "DN0505", Invalid;
    /// Another value that does not hold.
    ValueInvalid = "DN0506", Invalid;
    DocumentInvalid = "DN0512", Invalid;

    /// The store is full: new work is refused, old work goes on.
    StoreFull = "DN0601", Unavailable;
    /// Nobody can say whether it happened.
    Unknown = "DN0602", Unavailable;
    TooMany = "DN0603", Unavailable;
    Internal = "DN0604", Internal;

    Unreachable = "DN0701", Unreachable;
    TimedOut = "DN0702", Unreachable;
    /// What came back is not what this wire says.
    AnswerStrange = "DN0703", Unreachable;
    /// The address of the server makes no sense.
    UrlInvalid = "DN0704", Malformed;
}

impl Code {
    pub fn parse(text: &str) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.as_str() == text)
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

/// A code of a later version reads as [`Code::Internal`]: its message says what it is.
impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Code, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        Ok(Code::parse(&text).unwrap_or(Code::Internal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_shaped_alike_and_used_once() {
        let mut texts: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert!(texts.iter().all(|text| text.len() == 6 && text.starts_with("DN")), "{texts:?}");
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), Code::ALL.len());
        assert!(Code::ALL.iter().all(|&code| Code::parse(code.as_str()) == Some(code)));
    }

    #[test]
    fn an_error_of_a_later_version_keeps_its_message() {
        let error: Error = serde_json::from_str(r#"{"code":"DN9999","message":"new","mood":1}"#).expect("an error");
        assert_eq!(error, Error::new(Code::Internal, "new"));
    }
}
