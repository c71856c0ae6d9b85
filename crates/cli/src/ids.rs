//! From what was typed to the one execution that it means.

use api::{Code, ExecutionSummary, Page};

use crate::client::{Client, encoded};
use crate::fault::Fault;
use crate::lang::Lang;
use crate::words::Say;

/// How far back a name or a prefix is looked for.
const SEARCHED_MAX: u32 = api::PAGE_MAX;
const CANDIDATES_MAX: usize = 5;

/// A short form of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Short<'a> {
    Arn(&'a str),
    Last,
    LastFailed,
    /// A name, `DEFINITION:NAME`, or the beginning of either.
    Name(&'a str),
}

impl<'a> Short<'a> {
    pub fn parse(text: &'a str) -> Short<'a> {
        match text {
            "@last" => Short::Last,
            "@last-failed" => Short::LastFailed,
            arn if arn.starts_with("arn:") => Short::Arn(arn),
            name => Short::Name(name),
        }
    }
}

/// The ARN of the execution that `text` means.
pub async fn execution(client: &Client, text: &str, lang: Lang) -> Result<String, Fault> {
    let list = async |query: &str| {
        client.get::<Page<ExecutionSummary>>(&format!("/executions?{query}")).await.map(|page| page.items)
    };
    let found = match Short::parse(text) {
        Short::Arn(arn) => return Ok(arn.to_owned()),
        Short::Last => list("limit=1").await?,
        Short::LastFailed => {
            let mut ended = list("limit=1&status=failed").await?;
            ended.extend(list("limit=1&status=timed_out").await?);
            ended.sort_by_key(|execution| std::cmp::Reverse(execution.stopped));
            ended.truncate(1);
            ended
        }
        Short::Name(name) => {
            let all = list(&format!("limit={SEARCHED_MAX}")).await?;
            meant(&all, name).into_iter().cloned().collect()
        }
    };
    match found.as_slice() {
        [] => Err(Fault::new(Code::ExecutionNotFound, text, "")),
        [one] => Ok(one.arn.clone()),
        several => Err(ambiguous(text, several, lang)),
    }
}

/// Those that have this very name; else those whose name begins so.
fn meant<'a>(all: &'a [ExecutionSummary], name: &str) -> Vec<&'a ExecutionSummary> {
    let is = |execution: &ExecutionSummary, fits: fn(&str, &str) -> bool| {
        fits(&execution.name, name) || fits(&format!("{}:{}", execution.definition, execution.name), name)
    };
    let exact: Vec<_> = all.iter().filter(|execution| is(execution, |text, name| text == name)).collect();
    if exact.is_empty() {
        all.iter().filter(|execution| is(execution, |text, name| text.starts_with(name))).collect()
    } else {
        exact
    }
}

fn ambiguous(text: &str, several: &[ExecutionSummary], lang: Lang) -> Fault {
    let mut names: Vec<String> = several
        .iter()
        .take(CANDIDATES_MAX)
        .map(|execution| format!("{}:{}", execution.definition, execution.name))
        .collect();
    names.extend((several.len() > CANDIDATES_MAX).then(|| "...".to_owned()));
    Fault::new(Code::Ambiguous, text, Say::Candidates { list: &names.join(", ") }.text(lang))
}

/// Where an execution lies on the wire.
pub fn execution_path(arn: &str) -> String {
    format!("/executions/{}", encoded(arn))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Timestamp;

    fn names(text: &str) -> Vec<String> {
        let all = ["net:night-1", "net:night-12", "net:x", "other:x"].map(|text| {
            let (definition, name) = text.split_once(':').expect("a colon");
            ExecutionSummary {
                arn: text.to_owned(),
                name: name.to_owned(),
                definition: definition.to_owned(),
                definition_arn: String::new(),
                status: api::Status::Running,
                started: Timestamp(0),
                stopped: None,
            }
        });
        meant(&all, text).into_iter().map(|execution| execution.arn.clone()).collect()
    }

    #[test]
    fn a_whole_name_wins_over_a_prefix() {
        assert_eq!(names("night-1"), ["net:night-1"]);
        assert_eq!(names("night"), ["net:night-1", "net:night-12"]);
        assert_eq!(names("x"), ["net:x", "other:x"]);
        assert_eq!(names("net:x"), ["net:x"]);
        assert_eq!(names("other:"), ["other:x"]);
        assert!(names("nobody").is_empty());
    }

    #[test]
    fn short_forms() {
        assert_eq!(Short::parse("@last"), Short::Last);
        assert_eq!(Short::parse("@last-failed"), Short::LastFailed);
        assert_eq!(Short::parse("arn:aws:x"), Short::Arn("arn:aws:x"));
        assert_eq!(Short::parse("night"), Short::Name("night"));
    }
}
