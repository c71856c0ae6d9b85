//! What parameters and their labels are called (`Parameter Store, parameter name requirements and constraints`).

use std::sync::Arc;

use base::{Arn, Caller, limits};

use crate::refusal::{ParameterRefusal, Refusal};

/// A parameter's name as it was written. Two that differ in a leading slash only have one ARN, and are one parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name(Arc<str>);

/// A parameter, and which version of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) name: Name,
    pub(crate) selector: Option<Selector>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selector {
    Version(u64),
    Label(String),
}

const MISNAMED: &str = "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a path, it can consist of \
                        sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 \
                        symbols .-_";
const NO_PATH: &str = "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash \"/\". \
                       It can't be prefixed with \\\"aws\\\" or \\\"ssm\\\" (case-insensitive). It must use only letters, numbers, or the \
                       following symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. All sub-paths, if \
                       specified, must use the forward slash symbol \"/\". Valid example: /get/parameters2-/by1./path0_.";

impl Name {
    /// A name that a parameter may be given.
    pub(crate) fn of_new(caller: &Caller, text: &str) -> Result<Name, Refusal> {
        let text = text.trim();
        let name = Name::of_own(text)?;
        if text.contains('/') && !text.starts_with('/') {
            return Err(Refusal::Validation("Parameter name must be a fully qualified name.".to_owned()));
        }
        if name.key().split('/').count() > limits::PARAMETER_LEVELS_MAX {
            return Err(ParameterRefusal::TooManyLevels.into());
        }
        let chars = name.arn(caller).chars().count();
        if chars > limits::PARAMETER_ARN_CHARS_MAX {
            return Err(Refusal::Validation(format!(
                "The parameter's ARN has {chars} characters; it may have {}.",
                limits::PARAMETER_ARN_CHARS_MAX
            )));
        }
        Ok(name)
    }

    /// A name of one of the account's own parameters, to change it.
    pub(crate) fn of_own(text: &str) -> Result<Name, Refusal> {
        let text = text.trim();
        if begins_with(text.strip_prefix('/').unwrap_or(text), "aws") {
            return Err(ParameterRefusal::Reserved(text.to_owned()).into());
        }
        Name::read(text)
    }

    /// The name in a row of ours.
    pub(crate) fn of_row(name: &Arc<str>) -> Name {
        Name(name.clone())
    }

    /// A name to read by.
    fn read(text: &str) -> Result<Name, Refusal> {
        let own = text.strip_prefix('/').unwrap_or(text);
        if begins_with(own, "ssm") || !own.split('/').all(is_word) {
            return Err(Refusal::Validation(MISNAMED.to_owned()));
        }
        Ok(Name(text.into()))
    }

    pub(crate) fn as_text(&self) -> &Arc<str> {
        &self.0
    }

    /// What tells it from others: the name without its leading slash.
    pub(crate) fn key(&self) -> &str {
        key_of(&self.0)
    }

    pub(crate) fn arn(&self, caller: &Caller) -> String {
        base::arn::parameter(caller, &self.0)
    }
}

/// A name without its leading slash.
pub(crate) fn key_of(name: &str) -> &str {
    name.strip_prefix('/').unwrap_or(name)
}

impl Reference {
    /// Reads `name`, `name:version`, `name:label`, or an ARN with the same at its end. Another's ARN leads to nothing.
    pub(crate) fn parse(caller: &Caller, text: &str) -> Result<Reference, Refusal> {
        let text = text.trim();
        match Arn::parse(text) {
            None => Reference::of_name(text),
            Some(arn) => {
                let name = arn.resource.strip_prefix("parameter/").filter(|_| arn.service == "ssm");
                let name = name.ok_or_else(|| Refusal::Validation(MISNAMED.to_owned()))?;
                let own = arn.account == &*caller.account.0 && arn.region == &*caller.region.0;
                let slash = if name.contains('/') { "/" } else { "" };
                let reference = Reference::of_name(&format!("{slash}{name}"))?;
                own.then_some(reference).ok_or(ParameterRefusal::NotFound.into())
            }
        }
    }

    fn of_name(text: &str) -> Result<Reference, Refusal> {
        let (name, selector) = match text.split_once(':') {
            Some((name, selector)) => (name, Some(Selector::parse(selector)?)),
            None => (text, None),
        };
        if name.contains('/') && !name.starts_with('/') {
            return Err(Refusal::Validation(MISNAMED.to_owned()));
        }
        Ok(Reference { name: Name::read(name)?, selector })
    }
}

impl Selector {
    fn parse(text: &str) -> Result<Selector, Refusal> {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(version) if is_number => Ok(Selector::Version(version)),
            _ if is_number || is_word(text) => Ok(Selector::Label(text.to_owned())),
            _ => Err(Refusal::Validation(MISNAMED.to_owned())),
        }
    }
}

/// A hierarchy, without its leading and its trailing slash: empty for all parameters.
pub(crate) fn path(text: &str) -> Result<String, Refusal> {
    let no_path = || Refusal::Validation(NO_PATH.to_owned());
    let path = text.trim().strip_prefix('/').ok_or_else(no_path)?;
    if path.is_empty() {
        return Ok(String::new());
    }
    let path = path.strip_suffix('/').unwrap_or(path);
    path.split('/').all(is_word).then(|| path.to_owned()).ok_or_else(no_path)
}

/// Whether a version may have this label (`LabelParameterVersion`).
pub(crate) fn is_label(text: &str) -> bool {
    let reserved = begins_with(text, "aws") || begins_with(text, "ssm");
    is_word(text) && !reserved && !text.starts_with(|first: char| first.is_ascii_digit())
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

fn begins_with(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn caller() -> Caller {
        Caller::new("111111111111", "us-east-1")
    }

    fn check(rule: impl Fn(&str) -> Result<String, Refusal>, given: &[&str], expect: Expect) {
        let told = given.iter().map(|given| match rule(given) {
            Ok(told) => format!("{given}: {told}\n"),
            Err(refusal) => format!("{given}: refused, {}\n", refusal.to_string().chars().take(40).collect::<String>()),
        });
        expect.assert_eq(&told.collect::<String>());
    }

    #[test]
    fn a_name_is_a_word_or_a_path() {
        let levels = |count: usize| "/l".repeat(count);
        check(
            |text| Name::of_new(&caller(), text).map(|name| name.arn(&caller())),
            &[
                "a",
                "/a",
                " a.b-c_D9 ",
                "/net/night/db",
                "net/night",
                "/net//night",
                "/net/",
                "/",
                "a b",
                "部署",
                "a:1",
                "ssm-a",
                "/SSM/a",
                "awsome",
                "/aws/a",
                "/a/aws",
                &levels(15),
                &levels(16),
            ],
            expect![[r#"
                a: arn:aws:ssm:us-east-1:111111111111:parameter/a
                /a: arn:aws:ssm:us-east-1:111111111111:parameter/a
                 a.b-c_D9 : arn:aws:ssm:us-east-1:111111111111:parameter/a.b-c_D9
                /net/night/db: arn:aws:ssm:us-east-1:111111111111:parameter/net/night/db
                net/night: refused, Parameter name must be a fully qualified
                /net//night: refused, Parameter name: can't be prefixed with "
                /net/: refused, Parameter name: can't be prefixed with "
                /: refused, Parameter name: can't be prefixed with "
                a b: refused, Parameter name: can't be prefixed with "
                部署: refused, Parameter name: can't be prefixed with "
                a:1: refused, Parameter name: can't be prefixed with "
                ssm-a: refused, Parameter name: can't be prefixed with "
                /SSM/a: refused, Parameter name: can't be prefixed with "
                awsome: refused, No access to reserved parameter name: aw
                /aws/a: refused, No access to reserved parameter name: /a
                /a/aws: arn:aws:ssm:us-east-1:111111111111:parameter/a/aws
                /l/l/l/l/l/l/l/l/l/l/l/l/l/l/l: arn:aws:ssm:us-east-1:111111111111:parameter/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l
                /l/l/l/l/l/l/l/l/l/l/l/l/l/l/l/l: refused, A hierarchy can have a maximum of 15 lev
            "#]],
        );
    }

    #[test]
    fn an_arn_has_an_end() {
        let fits = |count: usize| Name::of_new(&caller(), &"n".repeat(count)).is_ok();
        assert_eq!((fits(966), fits(967)), (true, false));
    }

    #[test]
    fn a_reference_names_a_version_too() {
        check(
            |text| {
                Reference::parse(&caller(), text)
                    .map(|reference| format!("{} {:?}", reference.name.key(), reference.selector))
            },
            &[
                "a",
                "/net/a:3",
                "/net/a:prod",
                "/net/a:0123456789012345678901234",
                "a:",
                "a:b:c",
                "net/a",
                "/aws/service/x",
                "arn:aws:ssm:us-east-1:111111111111:parameter/net/a:prod",
                "arn:aws:ssm:us-east-1:111111111111:parameter/a",
                "arn:aws:ssm:us-east-1:222222222222:parameter/a",
                "arn:aws:ssm:us-west-2:111111111111:parameter/a",
                "arn:aws:s3:::bucket",
            ],
            expect![[r#"
                a: a None
                /net/a:3: net/a Some(Version(3))
                /net/a:prod: net/a Some(Label("prod"))
                /net/a:0123456789012345678901234: net/a Some(Label("0123456789012345678901234"))
                a:: refused, Parameter name: can't be prefixed with "
                a:b:c: refused, Parameter name: can't be prefixed with "
                net/a: refused, Parameter name: can't be prefixed with "
                /aws/service/x: aws/service/x None
                arn:aws:ssm:us-east-1:111111111111:parameter/net/a:prod: net/a Some(Label("prod"))
                arn:aws:ssm:us-east-1:111111111111:parameter/a: a None
                arn:aws:ssm:us-east-1:222222222222:parameter/a: refused, the parameter does not exist
                arn:aws:ssm:us-west-2:111111111111:parameter/a: refused, the parameter does not exist
                arn:aws:s3:::bucket: refused, Parameter name: can't be prefixed with "
            "#]],
        );
    }

    #[test]
    fn a_path_begins_with_a_slash() {
        check(
            |text| path(text).map(|path| format!("'{path}'")),
            &["/", "/net", "/net/night/", "net", "", "//", "/a b"],
            expect![[r#"
                /: ''
                /net: 'net'
                /net/night/: 'net/night'
                net: refused, The parameter doesn't meet the parameter
                : refused, The parameter doesn't meet the parameter
                //: refused, The parameter doesn't meet the parameter
                /a b: refused, The parameter doesn't meet the parameter
            "#]],
        );
    }

    #[test]
    fn labels_are_words_of_the_users_own() {
        let labels = ["prod", "v1.0-a_b", "1st", "Aws", "ssm.x", "a b", "", "本番"];
        assert_eq!(labels.map(is_label), [true, true, false, false, false, false, false, false]);
    }
}
