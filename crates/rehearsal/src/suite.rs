//! What a table of tests says.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use base::{Json, Object, Timestamp};

/// A table: state machines with their cases.
#[derive(Debug, Clone, PartialEq)]
pub struct Suite {
    pub machines: Vec<MachineCases>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct MachineCases {
    pub name: Arc<str>,
    /// The definition's file, relative to the table's; when not given, whoever reads the table has to know.
    pub definition: Option<Arc<str>>,
    pub cases: Vec<Case>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    pub name: Arc<str>,
    /// `{}` when not given.
    pub input: Json,
    pub starts_at: Timestamp,
    /// What each state's task answers, by the state's name.
    pub mocks: BTreeMap<Arc<str>, Mock>,
    pub expect: Expect,
}

/// A task's answers, by the number of the call: the first is 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mock {
    answers: Vec<(RangeInclusive<u64>, Outcome)>,
}

/// One answer, and how long the task takes to give it.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    pub result: Result<Json, engine::Failure>,
    pub after_ms: i64,
}

/// What has to come of it; what is not given may be anything.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expect {
    /// `SUCCEEDED`, `FAILED`, `TIMED_OUT`. Without any expectation the execution has to succeed.
    pub status: Option<Arc<str>>,
    pub output: Option<Json>,
    pub error: Option<Arc<str>>,
    pub cause: Option<Arc<str>>,
    /// The states of the machine itself, in the order in which they were entered.
    pub path: Option<Vec<Arc<str>>>,
    /// How often each of these states called its task.
    pub calls: BTreeMap<Arc<str>, u64>,
    /// What each of these states gave its task the first time.
    pub parameters: BTreeMap<Arc<str>, Json>,
    /// From start to end, in seconds of the virtual clock.
    pub seconds: Option<f64>,
}

/// Why a table cannot be read; `at` is a JSON pointer into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuiteError {
    pub at: String,
    pub problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Not JSON; with the parser's words.
    NotJson(String),
    Missing(&'static str),
    Unknown(String),
    /// The value is not what it has to be.
    Expected(&'static str),
    /// A name under `MockedResponses` that is not there.
    NoSuchResponse(String),
    /// A key that is not a number of a call, as `0` or `1-3`.
    NoCallNumber(String),
    /// Two answers for one call.
    Overlap(String),
    Empty,
}

/// What may be expected.
pub const EXPECTATIONS: [&str; 8] = ["Status", "Output", "Error", "Cause", "Path", "Calls", "Parameters", "Seconds"];

/// When a case begins that does not say when.
const STARTS_AT: &str = "2026-01-01T00:00:00Z";

impl Suite {
    /// Reads a table. Every mistake is found, not only the first.
    pub fn parse(text: &str) -> Result<Suite, Vec<SuiteError>> {
        let json = Json::parse(text)
            .map_err(|error| vec![SuiteError { at: String::new(), problem: Problem::NotJson(error.to_string()) }])?;
        let mut reader = Reader { responses: BTreeMap::new(), errors: vec![] };
        let suite = reader.suite(&json);
        if reader.errors.is_empty() { Ok(suite) } else { Err(reader.errors) }
    }
}

impl Mock {
    /// The answer to this call.
    pub fn answer(&self, call: u64) -> Option<&Outcome> {
        self.answers.iter().find(|(calls, _)| calls.contains(&call)).map(|(_, outcome)| outcome)
    }
}

struct Reader {
    responses: BTreeMap<Arc<str>, Mock>,
    errors: Vec<SuiteError>,
}

impl Reader {
    fn suite(&mut self, json: &Json) -> Suite {
        let mut machines = vec![];
        let Some(top) = self.object(json, "") else { return Suite { machines } };
        self.only(top, "", &["StateMachines", "MockedResponses", "Comment"]);
        for (name, response) in self.members(top, "", "MockedResponses") {
            let mock = self.mock(response, &format!("/MockedResponses/{name}"));
            self.responses.insert(name.clone(), mock);
        }
        if !top.contains_key("StateMachines") {
            self.wrong("", Problem::Missing("StateMachines"));
        }
        for (name, machine) in self.members(top, "", "StateMachines") {
            machines.extend(self.machine(name, machine));
        }
        if machines.iter().all(|machine: &MachineCases| machine.cases.is_empty()) && self.errors.is_empty() {
            self.wrong("", Problem::Empty);
        }
        Suite { machines }
    }

    fn machine(&mut self, name: &Arc<str>, json: &Json) -> Option<MachineCases> {
        let at = format!("/StateMachines/{name}");
        let machine = self.object(json, &at)?;
        self.only(machine, &at, &["Definition", "TestCases", "Comment"]);
        let definition = self.text(machine, &at, "Definition");
        let cases = self.members(machine, &at, "TestCases");
        let cases =
            cases.into_iter().filter_map(|(name, case)| self.case(name, case, &format!("{at}/TestCases/{name}")));
        let cases = cases.collect();
        Some(MachineCases { name: name.clone(), definition, cases })
    }

    fn case(&mut self, name: &Arc<str>, json: &Json, at: &str) -> Option<Case> {
        let case = self.object(json, at)?;
        let starts_at = Timestamp::parse_rfc3339(STARTS_AT).expect("a moment");
        let empty = Case {
            name: name.clone(),
            input: Json::empty_object(),
            starts_at,
            mocks: BTreeMap::new(),
            expect: Expect::default(),
        };
        // AWS's own form: each member is a state with the name of its responses.
        if !case.is_empty() && case.values().all(|value| value.as_str().is_some()) {
            return Some(Case { mocks: self.mocks(case, at), ..empty });
        }
        self.only(case, at, &["Input", "StartTime", "Mocks", "Expect", "Comment"]);
        let mocks = match case.get("Mocks").map(|mocks| self.object(mocks, &format!("{at}/Mocks"))) {
            Some(Some(mocks)) => self.mocks(mocks, &format!("{at}/Mocks")),
            Some(None) | None => BTreeMap::new(),
        };
        let starts_at = match self.text(case, at, "StartTime") {
            None => starts_at,
            Some(text) => Timestamp::parse_rfc3339(&text).unwrap_or_else(|| {
                self.wrong(&format!("{at}/StartTime"), Problem::Expected("an RFC 3339 time"));
                starts_at
            }),
        };
        let expect =
            case.get("Expect").map_or_else(Expect::default, |expect| self.expect(expect, &format!("{at}/Expect")));
        Some(Case {
            input: case.get("Input").cloned().unwrap_or(empty.input),
            starts_at,
            mocks,
            expect,
            name: empty.name,
        })
    }

    fn mocks(&mut self, states: &Object, at: &str) -> BTreeMap<Arc<str>, Mock> {
        let mut mocks = BTreeMap::new();
        for (state, response) in states {
            let at = format!("{at}/{state}");
            let mock = match response.as_str() {
                None => self.mock(response, &at),
                Some(name) => match self.responses.get(name) {
                    Some(mock) => mock.clone(),
                    None => {
                        self.wrong(&at, Problem::NoSuchResponse(name.to_owned()));
                        continue;
                    }
                },
            };
            mocks.insert(state.clone(), mock);
        }
        mocks
    }

    fn mock(&mut self, json: &Json, at: &str) -> Mock {
        let mut mock = Mock::default();
        let Some(answers) = self.object(json, at) else { return mock };
        for (calls, answer) in answers {
            let at = format!("{at}/{calls}");
            let Some(range) = range(calls) else {
                self.wrong(&at, Problem::NoCallNumber(calls.to_string()));
                continue;
            };
            let overlaps = |(known, _): &(RangeInclusive<u64>, Outcome)| {
                known.start() <= range.end() && range.start() <= known.end()
            };
            if mock.answers.iter().any(overlaps) {
                self.wrong(&at, Problem::Overlap(calls.to_string()));
                continue;
            }
            if let Some(outcome) = self.outcome(answer, &at) {
                mock.answers.push((range, outcome));
            }
        }
        mock
    }

    fn outcome(&mut self, json: &Json, at: &str) -> Option<Outcome> {
        let answer = self.object(json, at)?;
        self.only(answer, at, &["Return", "Throw", "After"]);
        let after_ms = self.milliseconds(answer, at, "After")?;
        let result = match (answer.get("Return"), answer.get("Throw")) {
            (Some(result), None) => Ok(result.clone()),
            (None, Some(failure)) => {
                let at = format!("{at}/Throw");
                let failure = self.object(failure, &at)?;
                self.only(failure, &at, &["Error", "Cause"]);
                let error = self.text(failure, &at, "Error");
                Err(engine::Failure { error, cause: self.text(failure, &at, "Cause") })
            }
            (None, None) | (Some(_), Some(_)) => {
                self.wrong(at, Problem::Expected("either Return or Throw"));
                return None;
            }
        };
        Some(Outcome { result, after_ms })
    }

    fn expect(&mut self, json: &Json, at: &str) -> Expect {
        let Some(expect) = self.object(json, at) else { return Expect::default() };
        self.only(expect, at, &EXPECTATIONS);
        let status = self.text(expect, at, "Status");
        const STATUSES: [&str; 3] = ["SUCCEEDED", "FAILED", "TIMED_OUT"];
        if status.as_ref().is_some_and(|status| !STATUSES.contains(&&**status)) {
            self.wrong(&format!("{at}/Status"), Problem::Expected("SUCCEEDED, FAILED or TIMED_OUT"));
        }
        let seconds = match expect.get("Seconds") {
            None => None,
            Some(_) => self.milliseconds(expect, at, "Seconds").map(|ms| ms as f64 / 1000.0),
        };
        Expect {
            status,
            output: expect.get("Output").cloned(),
            error: self.text(expect, at, "Error"),
            cause: self.text(expect, at, "Cause"),
            path: self.path(expect, at),
            calls: self.calls(expect, at),
            parameters: self
                .members(expect, at, "Parameters")
                .into_iter()
                .map(|(state, value)| (state.clone(), value.clone()))
                .collect(),
            seconds,
        }
    }

    fn path(&mut self, expect: &Object, at: &str) -> Option<Vec<Arc<str>>> {
        let at = format!("{at}/Path");
        let names = expect
            .get("Path")?
            .as_array()
            .map(|names| names.iter().map(|name| name.as_str().map(Arc::from)).collect::<Option<Vec<Arc<str>>>>());
        let Some(Some(names)) = names else {
            self.wrong(&at, Problem::Expected("an array of states' names"));
            return None;
        };
        Some(names)
    }

    fn calls(&mut self, expect: &Object, at: &str) -> BTreeMap<Arc<str>, u64> {
        let mut calls = BTreeMap::new();
        for (state, count) in self.members(expect, at, "Calls") {
            match count.as_i64().and_then(|count| u64::try_from(count).ok()) {
                Some(count) => drop(calls.insert(state.clone(), count)),
                None => self.wrong(&format!("{at}/Calls/{state}"), Problem::Expected("a number of calls")),
            }
        }
        calls
    }

    /// A number of seconds that may have a fraction, as milliseconds; 0 when it is not there.
    fn milliseconds(&mut self, object: &Object, at: &str, key: &'static str) -> Option<i64> {
        const SECONDS_MAX: f64 = 99_999_999.0;
        let Some(value) = object.get(key) else { return Some(0) };
        match value.as_f64().filter(|seconds| (0.0..=SECONDS_MAX).contains(seconds)) {
            Some(seconds) => Some((seconds * 1000.0).round() as i64),
            None => {
                self.wrong(&format!("{at}/{key}"), Problem::Expected("a number of seconds"));
                None
            }
        }
    }

    fn members<'j>(&mut self, object: &'j Object, at: &str, key: &'static str) -> Vec<(&'j Arc<str>, &'j Json)> {
        match object.get(key) {
            None => vec![],
            Some(value) => match self.object(value, &format!("{at}/{key}")) {
                Some(members) => members.iter().collect(),
                None => vec![],
            },
        }
    }

    fn text(&mut self, object: &Object, at: &str, key: &'static str) -> Option<Arc<str>> {
        let value = object.get(key)?;
        if value.as_str().is_none() {
            self.wrong(&format!("{at}/{key}"), Problem::Expected("a text"));
        }
        value.as_str().map(Arc::from)
    }

    fn object<'j>(&mut self, json: &'j Json, at: &str) -> Option<&'j Object> {
        if json.as_object().is_none() {
            self.wrong(at, Problem::Expected("an object"));
        }
        json.as_object()
    }

    fn only(&mut self, object: &Object, at: &str, known: &[&'static str]) {
        for key in object.keys().filter(|key| !known.contains(&&***key)) {
            self.wrong(&format!("{at}/{key}"), Problem::Unknown(key.to_string()));
        }
    }

    fn wrong(&mut self, at: &str, problem: Problem) {
        self.errors.push(SuiteError { at: at.to_owned(), problem });
    }
}

/// `0`, or `1-3`.
fn range(calls: &str) -> Option<RangeInclusive<u64>> {
    let (first, last) = calls.split_once('-').unwrap_or((calls, calls));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some(first..=last)
}
