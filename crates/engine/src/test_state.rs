//! One state put to the test (`TestState`): what it makes of an input, without an execution around it.
//!
//! [`begin`] goes as far as it can: to the end, or to where time has to pass or a task has to be done. What was
//! [seen](Inspection) on the way is told with the outcome. A mock stands for the work of a Task, a Parallel or a
//! Map: what they would do is never done here.
//!
//! **Invariant:** nothing is retried and nothing is entered: the outcome says what would come next.
//!
//! **It does not know** AWS's models: whether a mocked result is one that the service can give is asked before.

use asl::{
    Body, Catcher, Choice, Fail, Flow, Map, MapMode, Name, Parallel, Pass, Pattern, Payload, Resource, ResultPath,
    State, Task, Then, Wait,
};
use base::{Json, Timestamp, limits};
use expr::Template;

use crate::choice::{self, Chosen};
use crate::data::{self, Fault};
use crate::event::Failure;
use crate::map_run::{self, MapItem};
use crate::quantity;
use crate::scope::Chance;
use crate::step::{ErrorNames, QUERY_ERROR, delay_seconds, within_limit};

/// A state, and everything that it may look at.
#[derive(Debug, Clone)]
pub struct Test {
    pub state: State,
    pub input: Json,
    /// The context object.
    pub context: Json,
    /// An object: variables by name.
    pub variables: Json,
    /// What the work gives, instead of being done.
    pub mock: Option<Result<Json, Failure>>,
    /// How often the retrier that applies was used already.
    pub retries: u32,
    /// How many of a Map's iterations failed.
    pub failed_iterations: Option<u64>,
    /// What a Map's `ItemReader` read, if the test says so.
    pub read: Option<Json>,
    pub payload_bytes_max: usize,
}

/// What comes next.
#[derive(Debug)]
pub enum Next<'a> {
    Over(Box<Tested>),
    /// A Wait: [`Trial::wait_over`] then.
    Wait {
        trial: Box<Trial<'a>>,
        due: Timestamp,
    },
    /// A Task: [`Trial::task_over`] once it is done.
    Call {
        trial: Box<Trial<'a>>,
        call: Call,
    },
}

/// The task to be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub resource: Resource,
    pub parameters: Json,
    pub credentials: Option<Json>,
    pub timeout_seconds: Option<u64>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Tested {
    pub outcome: Outcome,
    pub seen: Inspection,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Succeeded {
        output: Json,
        next: Option<Name>,
    },
    Failed {
        failure: Failure,
    },
    /// A retrier would try it again.
    Retriable {
        failure: Failure,
    },
    Caught {
        failure: Failure,
        output: Json,
        next: Name,
    },
}

/// What the state's data was on its way, as far as it came. Which of it there is differs with the state's type and
/// language as it was recorded on AWS.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inspection {
    pub input: Json,
    pub after_arguments: Option<Json>,
    pub after_input_path: Option<Json>,
    pub after_parameters: Option<Json>,
    pub after_items_path: Option<Json>,
    /// The input of every iteration.
    pub after_item_selector: Option<Json>,
    pub max_concurrency: Option<u64>,
    pub tolerated_failure_count: Option<u64>,
    pub tolerated_failure_percentage: Option<f64>,
    pub result: Option<Json>,
    pub after_result_selector: Option<Json>,
    pub after_result_path: Option<Json>,
    pub variables: Option<Json>,
    pub catch_index: Option<u32>,
    pub retry_index: Option<u32>,
    pub retry_backoff_seconds: Option<u64>,
}

/// A test under way.
#[derive(Debug)]
pub struct Trial<'a> {
    test: &'a Test,
    seen: Inspection,
    chance: Chance,
    /// When it began: what expressions take for the present.
    now: Timestamp,
}

/// Why a test is not begun, in AWS's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The state is of a kind that is not run for a test.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The test contradicts itself or its state.
    #[error("{0}")]
    Invalid(String),
}

/// Begins a test at `now`; `seed` is everything random in it.
pub fn begin(test: &Test, now: Timestamp, seed: u64) -> Result<Next<'_>, Refusal> {
    check(test)?;
    let variables = test.variables.as_object().is_some_and(|variables| !variables.is_empty());
    let seen = Inspection {
        input: test.input.clone(),
        variables: variables.then(|| test.variables.clone()),
        ..Inspection::default()
    };
    let mut trial = Trial { test, seen, chance: Chance::new(seed), now };
    Ok(match trial.work(now) {
        Ok(Work::Over(outcome)) => trial.over(outcome),
        Ok(Work::Wait { due }) => Next::Wait { trial: Box::new(trial), due },
        Ok(Work::Call(call)) => Next::Call { trial: Box::new(trial), call },
        Err(Stop(failure)) => {
            let outcome = trial.fail(failure);
            trial.over(outcome)
        }
    })
}

/// Whether the state's type, its mock and what is said about its failures go together.
fn check(test: &Test) -> Result<(), Refusal> {
    let invalid = |why: &str| Err(Refusal::Invalid(why.to_owned()));
    match (&test.state.body, &test.mock) {
        (_, None) if test.failed_iterations.is_some() => {
            invalid("TestState does not support MapIterationFailureCount when a mock is not specified.")
        }
        (Body::Parallel(_) | Body::Map(_), None) => Err(Refusal::Unsupported(UNMOCKED)),
        (Body::Task(task), None) if !answers_at_once(&task.resource) => Err(Refusal::Unsupported(LONG_RUNNING)),
        (_, None) | (Body::Task(_), Some(_)) | (Body::Parallel(_) | Body::Map(_), Some(Err(_))) => Ok(()),
        (Body::Parallel(parallel), Some(Ok(result))) => match result.as_array() {
            None => invalid("Mocked result must be an array."),
            Some(results) if results.len() != parallel.branches.len() => {
                invalid("Mocked result must contain the same number of items as number of Parallel branches.")
            }
            Some(_) => Ok(()),
        },
        // What a Map gives whose results are written elsewhere is where they are.
        (Body::Map(map), Some(Ok(result))) if writes(map) => match result {
            Json::Object(_) => Ok(()),
            _ => invalid("Mocked result must be a JSON object."),
        },
        (Body::Map(_), Some(Ok(result))) => match result.as_array() {
            None => invalid("Mocked result must be an array."),
            Some(results) if test.failed_iterations.is_some_and(|failed| failed > results.len() as u64) => {
                invalid("Map iteration failure count must be less than or equal to the number of Map iterations")
            }
            Some(_) => Ok(()),
        },
        (Body::Pass(_) | Body::Choice(_) | Body::Wait(_) | Body::Succeed | Body::Fail(_), Some(_)) => {
            invalid(&format!("State type '{}' is not supported when a mock is specified", test.state.kind().name()))
        }
    }
}

fn writes(map: &Map) -> bool {
    matches!(&map.mode, MapMode::Distributed(distributed) if distributed.writer.is_some())
}

const UNMOCKED: &str = "TestState API does not support Map or Parallel states. Supported state types include: [Task, Wait, Pass, Succeed, Fail, Choice]";

/// AWS refuses these as well; its words are not known.
const LONG_RUNNING: &str = "TestState API does not support activities and the service integration patterns '.sync' and '.waitForTaskToken' when a mock is not specified";

fn answers_at_once(resource: &Resource) -> bool {
    match resource {
        Resource::Service { pattern, .. } => *pattern == Pattern::RequestResponse,
        Resource::Lambda { .. } => true,
        Resource::Activity { .. } => false,
    }
}

/// How far the state comes by itself.
enum Work {
    Over(Outcome),
    Wait { due: Timestamp },
    Call(Call),
}

/// The state failed.
struct Stop(Failure);

impl From<Fault> for Stop {
    /// A test's causes do not name the state.
    fn from(fault: Fault) -> Stop {
        Stop(match fault {
            Fault::Runtime(text) => Failure::new("States.Runtime", text),
            Fault::Query { text, location: _ } => Failure::new(QUERY_ERROR, text),
        })
    }
}

impl From<String> for Stop {
    fn from(text: String) -> Stop {
        Stop::from(Fault::Runtime(text))
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        Stop(failure)
    }
}

impl<'a> Trial<'a> {
    /// The time that a Wait waits for has come, or the test's own is over.
    pub fn wait_over(mut self, outcome: Result<(), Failure>) -> Tested {
        let outcome = match (outcome, &self.test.state.body) {
            (Ok(()), Body::Wait(wait)) => self.waited(wait),
            (Ok(()), _) => unreachable!("only a Wait waits"),
            (Err(failure), _) => Err(Stop(failure)),
        };
        self.end(outcome)
    }

    /// The task is done.
    pub fn task_over(mut self, outcome: Result<Json, Failure>) -> Tested {
        let outcome = match (outcome, &self.test.state.body) {
            (Ok(result), Body::Task(task)) => self.task_result(task, result),
            (Ok(_), _) => unreachable!("only a Task calls"),
            (Err(failure), _) => Err(Stop(failure)),
        };
        self.end(outcome)
    }

    fn end(mut self, outcome: Result<Outcome, Stop>) -> Tested {
        let outcome = outcome.unwrap_or_else(|Stop(failure)| self.fail(failure));
        Tested { outcome, seen: self.seen }
    }

    fn over(self, outcome: Outcome) -> Next<'a> {
        Next::Over(Box::new(Tested { outcome, seen: self.seen }))
    }

    fn work(&mut self, now: Timestamp) -> Result<Work, Stop> {
        let test = self.test;
        match &test.state.body {
            Body::Pass(pass) => self.pass(pass).map(Work::Over),
            Body::Succeed => self.succeed().map(Work::Over),
            Body::Choice(choice) => self.choose(choice).map(Work::Over),
            Body::Fail(fail) => self.fail_state(fail).map(Work::Over),
            Body::Wait(wait) => self.wait(wait, now),
            Body::Task(task) => self.task(task),
            Body::Parallel(parallel) => self.parallel(parallel).map(Work::Over),
            Body::Map(map) => self.map(map).map(Work::Over),
        }
    }

    fn pass(&mut self, pass: &Pass) -> Result<Outcome, Stop> {
        let result = match &pass.result {
            Some(result) => {
                self.seen.result = Some(result.clone());
                result.clone()
            }
            None => {
                let input = self.effective_input()?;
                let filled = data::fill(pass.parameters.as_ref(), &self.view(&input))?;
                self.see(|seen| seen.after_parameters = Some(filled.clone()));
                filled
            }
        };
        let view = self.view(&result);
        self.exit(None, &pass.result_path, &view, result, &pass.then)
    }

    fn succeed(&mut self) -> Result<Outcome, Stop> {
        let input = self.effective_input()?;
        self.leave(&self.view(&input), input, &Then::End)
    }

    fn choose(&mut self, rules: &Choice) -> Result<Outcome, Stop> {
        let input = self.effective_input()?;
        let view = self.view(&input);
        let chosen: Chosen = choice::choose(rules, &view)?
            .ok_or("Failed to transition out of the state. The state does not point to a next state.".to_owned())?;
        let then = Then::Next(chosen.next().clone());
        self.assign(chosen.assign(&self.test.state), &chosen.place("Assign"), &view)?;
        match chosen.rule_output() {
            Some(Some(output)) => self.left(data::evaluate(output, &chosen.place("Output"), &view)?, &then),
            Some(None) => self.left(input, &then),
            None => self.leave(&view, input, &then),
        }
    }

    fn fail_state(&mut self, fail: &Fail) -> Result<Outcome, Stop> {
        let input = self.effective_input()?;
        let view = self.view(&input);
        let text = |text: &Option<asl::FailText>, field| {
            text.as_ref().map(|text| data::fail_text(text, field, &view)).transpose()
        };
        let failure = Failure { error: text(&fail.error, "Error")?, cause: text(&fail.cause, "Cause")? };
        Err(Stop(failure))
    }

    fn wait(&mut self, wait: &Wait, now: Timestamp) -> Result<Work, Stop> {
        let input = self.effective_input()?;
        let due = data::wait_until(&wait.until, now, &self.view(&input))?;
        if due > now { Ok(Work::Wait { due }) } else { self.waited(wait).map(Work::Over) }
    }

    fn waited(&mut self, wait: &Wait) -> Result<Outcome, Stop> {
        let input = self.effective_input()?;
        let view = self.view(&input);
        self.assign(self.test.state.assign.as_ref(), "Assign", &view)?;
        self.leave(&view, input, &wait.then)
    }

    fn task(&mut self, task: &Task) -> Result<Work, Stop> {
        let input = self.effective_input()?;
        let view = self.view(&input);
        let timeout_seconds = task.timeout.as_ref().map(|it| data::seconds(it, "TimeoutSeconds", &view)).transpose()?;
        task.heartbeat.as_ref().map(|it| data::seconds(it, "HeartbeatSeconds", &view)).transpose()?;
        let parameters = data::payload(task.parameters.as_ref(), "Arguments", &view)?;
        let credentials = task.credentials.as_ref();
        let credentials = credentials.map(|it| data::payload(Some(it), "Credentials", &view)).transpose()?;
        match self.test.state.flow {
            Flow::JsonPath { .. } => self.seen.after_parameters = Some(parameters.clone()),
            Flow::Jsonata { .. } => self.seen.after_arguments = Some(parameters.clone()),
        }
        match &self.test.mock {
            Some(outcome) => self.task_result(task, outcome.clone()?).map(Work::Over),
            None => Ok(Work::Call(Call { resource: task.resource.clone(), parameters, credentials, timeout_seconds })),
        }
    }

    fn task_result(&mut self, task: &Task, result: Json) -> Result<Outcome, Stop> {
        self.seen.result = Some(result.clone());
        let view = self.result_view(&result);
        self.exit(task.result_selector.as_ref(), &task.result_path, &view, result, &task.then)
    }

    /// AWS tells nothing of what goes into the branches of a mocked Parallel.
    fn parallel(&mut self, parallel: &Parallel) -> Result<Outcome, Stop> {
        let result = self.mocked()?;
        let view = self.result_view(&result);
        self.exit(parallel.result_selector.as_ref(), &parallel.result_path, &view, result, &parallel.then)
    }

    fn map(&mut self, map: &Map) -> Result<Outcome, Stop> {
        let input = self.effective_input()?;
        let view = self.view(&input);
        self.seen.max_concurrency = Some(quantity::concurrency(&map.concurrency, &view)?);
        self.seen.tolerated_failure_count = quantity::tolerated_count(&map.tolerated, &view)?;
        self.seen.tolerated_failure_percentage = quantity::tolerated_percentage(&map.tolerated, &view)?;
        let items = self.items(map, &view)?;
        if let Some(selector) = &map.item_selector {
            let inputs = (0..).zip(map_run::members(&items)).map(|(index, (key, value))| {
                let item = MapItem { index, key, value, source: "STATE_DATA" };
                data::payload(Some(selector), "ItemSelector", &self.view_of_item(&input, &item))
            });
            let inputs = inputs.collect::<Result<Vec<Json>, Fault>>()?;
            self.seen.after_item_selector = Some(Json::array(inputs));
        }
        let result = self.mocked()?;
        self.tolerate(result.as_array().unwrap_or_default().len())?;
        let view = self.result_view(&result);
        self.exit(map.result_selector.as_ref(), &map.result_path, &view, result, &map.then)
    }

    /// What the Map iterates over. What a reader reads is only known if the test says it.
    fn items(&mut self, map: &Map, view: &View<'_>) -> Result<Json, Stop> {
        let reads = matches!(&map.mode, MapMode::Distributed(distributed) if distributed.reader.is_some());
        if reads {
            return Ok(self.test.read.clone().unwrap_or_else(|| Json::array([])));
        }
        let items = match &map.mode {
            MapMode::Inline => data::items(&map.items, view)?,
            MapMode::Distributed(_) => data::items_or_members(&map.items, view)?,
        };
        self.see(|seen| seen.after_items_path = Some(items.clone()));
        Ok(items)
    }

    /// More failed iterations than the Map tolerates are its failure. One that does not say what it tolerates is not
    /// judged (recorded on AWS).
    fn tolerate(&self, iterations: usize) -> Result<(), Stop> {
        let Some(failed) = self.test.failed_iterations else { return Ok(()) };
        let share = failed as f64 * 100.0 / (iterations.max(1) as f64);
        let too_many = self.seen.tolerated_failure_count.is_some_and(|count| failed > count)
            || self.seen.tolerated_failure_percentage.is_some_and(|percentage| share > percentage);
        match too_many {
            true => Err(Stop(Failure::new(
                "States.ExceedToleratedFailureThreshold",
                "The specified tolerated failure threshold was exceeded",
            ))),
            false => Ok(()),
        }
    }

    fn mocked(&self) -> Result<Json, Stop> {
        match &self.test.mock {
            Some(outcome) => Ok(outcome.clone()?),
            None => unreachable!("a test of a Parallel or a Map has a mock"),
        }
    }
}

// The way of the data, and what is seen of it.
impl<'a> Trial<'a> {
    /// `InputPath` of the input.
    fn effective_input(&mut self) -> Result<Json, Stop> {
        let raw = &self.test.input;
        match &self.test.state.flow {
            Flow::JsonPath { input, .. } => {
                let selected = data::select(input, &self.view(raw))?;
                self.seen.after_input_path = Some(selected.clone());
                Ok(selected)
            }
            Flow::Jsonata { .. } => Ok(raw.clone()),
        }
    }

    /// `Assign`; `ResultSelector`, `ResultPath`, `OutputPath`, or `Output`.
    fn exit(
        &mut self,
        selector: Option<&Template>,
        path: &ResultPath,
        view: &View<'_>,
        result: Json,
        then: &Then,
    ) -> Result<Outcome, Stop> {
        self.assign(self.test.state.assign.as_ref(), "Assign", view)?;
        let selected = data::fill(selector, &self.view(&result))?;
        self.see(|seen| seen.after_result_selector = Some(selected.clone()));
        let placed = data::place(path, &self.test.input, selected)?;
        self.see(|seen| seen.after_result_path = Some(placed.clone()));
        self.leave(view, placed, then)
    }

    fn leave(&self, view: &View<'_>, placed: Json, then: &Then) -> Result<Outcome, Stop> {
        let output = match &self.test.state.flow {
            Flow::JsonPath { output, .. } => data::select(output, &self.view(&placed))?,
            Flow::Jsonata { output: Some(output) } => data::evaluate(output, "Output", view)?,
            Flow::Jsonata { output: None } => placed,
        };
        self.left(output, then)
    }

    /// What `Assign` gives is seen with the variables that were given.
    fn assign(&mut self, assign: Option<&Payload>, field: &str, view: &View<'_>) -> Result<(), Stop> {
        let Some(assign) = assign else { return Ok(()) };
        let made = data::payload(Some(assign), field, view)?;
        let made = within_limit(made, &self.test.state.name, limits::ASSIGN_BYTES_MAX)?;
        let all = [&self.test.variables, &made].into_iter().filter_map(Json::as_object).flatten();
        let all = Json::object(all.map(|(name, value)| (name.clone(), value.clone())));
        self.seen.variables = all.as_object().is_some_and(|all| !all.is_empty()).then_some(all);
        Ok(())
    }

    fn left(&self, output: Json, then: &Then) -> Result<Outcome, Stop> {
        let output = within_limit(output, &self.test.state.name, self.test.payload_bytes_max)?;
        let next = match then {
            Then::Next(name) => Some(name.clone()),
            Then::End => None,
        };
        Ok(Outcome::Succeeded { output, next })
    }

    /// Retry, else catch, else the end. What an execution does next is only told.
    fn fail(&mut self, failure: Failure) -> Outcome {
        let (retriers, catchers) = (self.test.state.retriers(), self.test.state.catchers());
        let names = ErrorNames { error: failure.error.as_deref(), also: None };
        if let Some((index, retrier)) =
            (0..).zip(retriers).find(|(_, retrier)| names.are_in_retry(&retrier.error_equals))
        {
            self.seen.retry_index = Some(index);
            if let Some(seconds) = delay_seconds(retrier, self.test.retries) {
                self.seen.retry_backoff_seconds = Some(seconds.ceil() as u64);
                return Outcome::Retriable { failure };
            }
        }
        let Some((index, catcher)) = (0..).zip(catchers).find(|(_, catcher)| names.are_in_catch(&catcher.error_equals))
        else {
            return Outcome::Failed { failure };
        };
        self.seen.catch_index = Some(index);
        match self.catch(index, catcher, &failure) {
            Ok(output) => Outcome::Caught { output, next: catcher.next.clone(), failure },
            Err(Stop(failure)) => Outcome::Failed { failure },
        }
    }

    fn catch(&mut self, index: u32, catcher: &Catcher, failure: &Failure) -> Result<Json, Stop> {
        let error = data::error_output(failure);
        let view = match &self.test.state.flow {
            Flow::JsonPath { .. } => self.view(&error),
            Flow::Jsonata { .. } => View { error_output: Some(error.clone()), ..self.view(&self.test.input) },
        };
        self.assign(catcher.assign.as_ref(), &format!("Catch[{index}]/Assign"), &view)?;
        let output = data::caught(&catcher.output, &format!("Catch[{index}]/Output"), &self.test.input, error, &view)?;
        Ok(within_limit(output, &self.test.state.name, self.test.payload_bytes_max)?)
    }

    /// What AWS tells of a JSONPath state only.
    fn see(&mut self, see: impl FnOnce(&mut Inspection)) {
        match self.test.state.flow {
            Flow::JsonPath { .. } => see(&mut self.seen),
            Flow::Jsonata { .. } => (),
        }
    }

    fn view(&self, input: &Json) -> View<'a> {
        View {
            input: input.clone(),
            result: None,
            error_output: None,
            context: self.test.context.clone(),
            variables: &self.test.variables,
            chance: Chance::new(self.chance.next()),
            now: self.now,
        }
    }

    /// What the state sees once its work has given `result`.
    fn result_view(&self, result: &Json) -> View<'a> {
        match &self.test.state.flow {
            Flow::JsonPath { .. } => self.view(result),
            Flow::Jsonata { .. } => View { result: Some(result.clone()), ..self.view(&self.test.input) },
        }
    }

    /// The view of one iteration's item.
    fn view_of_item(&self, input: &Json, item: &MapItem<'_>) -> View<'a> {
        View { context: map_run::with_item(&self.test.context, item), ..self.view(input) }
    }
}

/// What expressions see.
struct View<'a> {
    input: Json,
    result: Option<Json>,
    error_output: Option<Json>,
    context: Json,
    variables: &'a Json,
    chance: Chance,
    now: Timestamp,
}

impl expr::Scope for View<'_> {
    fn input(&self) -> &Json {
        &self.input
    }

    fn context(&self) -> &Json {
        &self.context
    }

    fn variable(&self, name: &str) -> Option<&Json> {
        self.variables.get(name)
    }

    fn chance(&self) -> u64 {
        self.chance.next()
    }

    fn result(&self) -> Option<&Json> {
        self.result.as_ref()
    }

    fn error_output(&self) -> Option<&Json> {
        self.error_output.as_ref()
    }

    fn now(&self) -> Timestamp {
        self.now
    }
}

#[cfg(test)]
mod tests;
