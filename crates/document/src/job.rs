//! `dandori:runJob`: a job as schedulers know it.

use base::Json;

use crate::fill::Inputs;
use crate::parameter::{PATTERN_BYTES_MAX, text_of};
use crate::plan::{Job, Judgement, JudgementRule, Limits, Program, Ranges, Retry, Secret, Stream, Variable, Verdict};
use crate::shell::{Dialect, Part};
use crate::values::{Refusal, invalid};

/// JP1's largest exit code.
const CODE_MAX: i64 = 4_294_967_295;
const CODE_MIN: i64 = -2_147_483_648;

/// Ranges in one list.
const RANGES_MAX: usize = 100;

/// JP1's largest number of further attempts.
const RETRY_TIMES_MAX: u64 = 12;

/// A day between attempts, or without a word from an agent.
const SECONDS_MAX: u64 = 86_400;

const NUMBER_MAX: u64 = 1 << 40;

pub(crate) fn resolve(inputs: &Inputs<'_>) -> Result<Job, Refusal> {
    let (program, arguments) = program(inputs)?;
    let mut environment = environment(inputs)?;
    environment.extend(inputs.variables()?);
    let limit = |name: &str, max: u64| inputs.number(name, 1, max);
    Ok(Job {
        program,
        arguments,
        user: inputs.text("user")?,
        working_directory: inputs.text("workingDirectory")?.unwrap_or_default(),
        environment,
        secrets: secrets(inputs)?,
        stdin: inputs.text("stdin")?,
        execution_timeout_seconds: inputs.timeout_seconds()?,
        limits: Limits {
            cpu_seconds: limit("cpuSeconds", NUMBER_MAX)?,
            cpu_percent: limit("cpuPercent", 1_000_000)?.and_then(|number| u32::try_from(number).ok()),
            memory_mib: limit("memoryMiB", NUMBER_MAX)?,
            processes: limit("processes", NUMBER_MAX)?,
        },
        judgement: judgement(inputs)?,
        retry: retry(inputs)?,
        lost_after_seconds: limit("lostAfterSeconds", SECONDS_MAX)?.and_then(|number| u32::try_from(number).ok()),
    })
}

fn program(inputs: &Inputs<'_>) -> Result<(Program, Vec<String>), Refusal> {
    let name = &inputs.step.name;
    let script = inputs.script("script", Dialect::Posix)?;
    let (file, line) = (inputs.text("program")?, inputs.parts_of("commandLine")?);
    let mut arguments = inputs.list("arguments")?;
    match (script, file, line) {
        (Some(script), None, None) => Ok((Program::Script(script), arguments)),
        (None, Some(file), None) => Ok((Program::File(file), arguments)),
        (None, None, Some(line)) => {
            let mut words = words(&line).map_err(|why| invalid(format!("commandLine of step {name} {why}")))?;
            let file = words.remove(0);
            words.append(&mut arguments);
            Ok((Program::File(file), words))
        }
        _ => Err(invalid(format!("step {name} takes one of script, program and commandLine"))),
    }
}

/// A line's words as a shell would split them, with its quotes and without anything being expanded. Data is part of
/// the word in which it stands, whatever is in it.
fn words(line: &[Part]) -> Result<Vec<String>, &'static str> {
    let mut splitter = Splitter::default();
    for part in line {
        match part {
            Part::Script(text) => text.chars().for_each(|char| splitter.feed(char)),
            Part::Data { text, .. } | Part::Variable { text, .. } => splitter.data(text),
        }
    }
    let words = splitter.words()?;
    if words.first().is_none_or(String::is_empty) { Err("names no program") } else { Ok(words) }
}

#[derive(Default)]
struct Splitter {
    words: Vec<String>,
    /// None between words: an empty one is a word too.
    word: Option<String>,
    quote: Option<char>,
    escaped: bool,
}

impl Splitter {
    fn feed(&mut self, char: char) {
        if std::mem::take(&mut self.escaped) {
            let word = self.word.get_or_insert_default();
            if self.quote.is_some() && !matches!(char, '"' | '\\' | '$' | '`') {
                word.push('\\');
            }
            word.push(char);
            return;
        }
        match (self.quote, char) {
            (Some(open), _) if open == char => self.quote = None,
            (Some('"') | None, '\\') => self.escaped = true,
            (None, '\'' | '"') => {
                self.quote = Some(char);
                self.word.get_or_insert_default();
            }
            (None, ' ' | '\t' | '\n') => self.words.extend(self.word.take()),
            (Some(_) | None, _) => self.word.get_or_insert_default().push(char),
        }
    }

    fn data(&mut self, text: &str) {
        self.escaped = false;
        self.word.get_or_insert_default().push_str(text);
    }

    fn words(mut self) -> Result<Vec<String>, &'static str> {
        match (self.quote, self.escaped) {
            (Some(_), _) => Err("ends within quotes"),
            (None, true) => Err("ends with a backslash"),
            (None, false) => {
                self.words.extend(self.word);
                Ok(self.words)
            }
        }
    }
}

fn environment(inputs: &Inputs<'_>) -> Result<Vec<Variable>, Refusal> {
    let members = inputs.map("environment")?;
    let variable = |(name, value): (&_, &Json)| Ok(Variable { name: variable_name(name)?, value: text_of(value) });
    members.iter().map(|(name, value)| variable((name, value))).collect()
}

fn secrets(inputs: &Inputs<'_>) -> Result<Vec<Secret>, Refusal> {
    let members = inputs.map("secrets")?;
    let secret = |name: &str, value: &Json| match value.as_str().filter(|text| !text.is_empty()) {
        Some(parameter) => Ok(Secret { name: variable_name(name)?, parameter: parameter.to_owned() }),
        None => Err(invalid(format!("the secret {name} has to name a parameter of the Parameter Store"))),
    };
    members.iter().map(|(name, value)| secret(name, value)).collect()
}

fn variable_name(name: &str) -> Result<String, Refusal> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_one = !name.is_empty() && name.bytes().all(word) && !name.as_bytes()[0].is_ascii_digit();
    if is_one { Ok(name.to_owned()) } else { Err(invalid(format!("{name:?} is no name of an environment variable"))) }
}

fn judgement(inputs: &Inputs<'_>) -> Result<Judgement, Refusal> {
    let mut judgement = Judgement::default();
    if let Some(normal) = ranges(inputs, "normal")? {
        judgement.normal = normal;
    }
    if inputs.flag("alwaysNormal")? {
        judgement.normal = Ranges(vec![(CODE_MIN, CODE_MAX)]);
    }
    judgement.warning = ranges(inputs, "warning")?.unwrap_or_default();
    for path in inputs.list("abnormalIfFileMissing")? {
        judgement.rules.push(JudgementRule::FileMissing { path, verdict: Verdict::Abnormal });
    }
    for path in inputs.list("abnormalIfFileNotModified")? {
        judgement.rules.push(JudgementRule::FileNotModified { path, verdict: Verdict::Abnormal });
    }
    for (name, verdict) in [("warningIfOutput", Verdict::Warning), ("abnormalIfOutput", Verdict::Abnormal)] {
        for pattern in inputs.list(name)? {
            if let Err(error) = regex_lite::RegexBuilder::new(&pattern).size_limit(PATTERN_BYTES_MAX).build() {
                return Err(invalid(format!(
                    "{name} of step {} is not a regular expression: {error}",
                    inputs.step.name
                )));
            }
            for stream in [Stream::Stdout, Stream::Stderr] {
                judgement.rules.push(JudgementRule::Output { stream, pattern: pattern.clone(), verdict });
            }
        }
    }
    Ok(judgement)
}

fn retry(inputs: &Inputs<'_>) -> Result<Option<Retry>, Refusal> {
    let codes = ranges(inputs, "retryCodes")?;
    let times = inputs.number("retryTimes", 1, RETRY_TIMES_MAX)?;
    let interval = inputs.number("retryIntervalSeconds", 0, SECONDS_MAX)?;
    match (codes, times) {
        (Some(codes), times) => Ok(Some(Retry {
            codes,
            times: times.and_then(|times| u32::try_from(times).ok()).unwrap_or(1),
            interval_seconds: interval.and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or(0),
        })),
        (None, None) => Ok(None),
        (None, Some(_)) => Err(invalid(format!("retryTimes of step {} needs retryCodes", inputs.step.name))),
    }
}

fn ranges(inputs: &Inputs<'_>, name: &str) -> Result<Option<Ranges>, Refusal> {
    let Some(text) = inputs.text(name)? else { return Ok(None) };
    let fail = || {
        let step = &inputs.step.name;
        invalid(format!("{name} of step {step} has to be exit codes and ranges of them, such as 0,3-7: {text}"))
    };
    let ranges: Vec<_> = text.split(',').map(|part| range(part.trim())).collect::<Option<_>>().ok_or_else(fail)?;
    if ranges.len() > RANGES_MAX { Err(fail()) } else { Ok(Some(Ranges(ranges))) }
}

/// `3`, `-1`, `3-7`, `-5--1`.
fn range(text: &str) -> Option<(i64, i64)> {
    let code = |text: &str| text.trim().parse::<i64>().ok().filter(|code| (CODE_MIN..=CODE_MAX).contains(code));
    // The first character may be a sign.
    let dash = text.char_indices().skip(1).find(|(_, char)| *char == '-').map(|(at, _)| at);
    let (first, last) = match dash {
        Some(at) => (code(&text[..at])?, code(&text[at + 1..])?),
        None => (code(text)?, code(text)?),
    };
    (first <= last).then_some((first, last))
}
