//! What expressions see: input, context object, chance.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;

use base::{Json, Timestamp};

use crate::event::Kind;
use crate::execution::{Doing, Execution, Frame, Place, Visit};
use crate::id::FrameId;

/// One evaluation's view. The context object is made only when an expression asks for it.
pub(crate) struct View<'a> {
    /// `$`, or `$states.input`.
    input: Json,
    /// `$states.result`.
    result: Option<Json>,
    /// `$states.errorOutput`.
    error_output: Option<Json>,
    context: OnceCell<Json>,
    execution: &'a Execution,
    frame: FrameId,
    /// The item that is about to be iterated over, while `ItemSelector` is evaluated.
    item: Option<(u64, Json)>,
    /// The token of the task that is about to be scheduled.
    token: Option<Arc<str>>,
    chance: &'a Chance,
    now: Timestamp,
    /// Steps of JSONata expressions, counted for whoever looks on, and how many there may be.
    work: Option<(&'a Cell<u64>, u64)>,
}

/// Random bits from one seed (splitmix64). What they decide is recorded in events.
#[derive(Debug)]
pub(crate) struct Chance(Cell<u64>);

impl Chance {
    pub(crate) fn new(seed: u64) -> Chance {
        Chance(Cell::new(seed))
    }

    pub(crate) fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Uniform in `0.0..1.0`.
    pub(crate) fn fraction(&self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

impl<'a> View<'a> {
    pub(crate) fn new(
        execution: &'a Execution,
        frame: FrameId,
        input: Json,
        chance: &'a Chance,
        now: Timestamp,
    ) -> View<'a> {
        let context = OnceCell::new();
        View {
            input,
            result: None,
            error_output: None,
            context,
            execution,
            frame,
            item: None,
            token: None,
            chance,
            now,
            work: None,
        }
    }

    pub(crate) fn counted(self, work: &'a Cell<u64>, end: u64) -> View<'a> {
        View { work: Some((work, end)), ..self }
    }

    pub(crate) fn with_result(self, result: Json) -> View<'a> {
        View { result: Some(result), ..self }
    }

    pub(crate) fn with_error_output(self, error_output: Json) -> View<'a> {
        View { error_output: Some(error_output), ..self }
    }

    pub(crate) fn with_item(self, index: u64, value: Json) -> View<'a> {
        View { item: Some((index, value)), ..self }
    }

    pub(crate) fn with_token(self, token: Option<Arc<str>>) -> View<'a> {
        View { token, ..self }
    }
}

impl expr::Scope for View<'_> {
    fn input(&self) -> &Json {
        &self.input
    }

    fn context(&self) -> &Json {
        self.context.get_or_init(|| context(self.execution, self.frame, self.item.clone(), self.token.clone()))
    }

    fn variable(&self, name: &str) -> Option<&Json> {
        self.execution.variable(self.frame, name)
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

    fn spend(&self, steps: u64) {
        if let Some((work, _)) = self.work {
            work.set(work.get().saturating_add(steps));
        }
    }

    fn steps_left(&self) -> u64 {
        self.work.map_or(u64::MAX, |(work, end)| end.saturating_sub(work.get()))
    }

    fn now(&self) -> Timestamp {
        self.now
    }
}

/// The context object (`$$`) of the state that `frame` is in.
fn context(execution: &Execution, frame: FrameId, item: Option<(u64, Json)>, token: Option<Arc<str>>) -> Json {
    let identity = &execution.identity;
    let redrives = (!identity.express).then(|| ("RedriveCount", Json::from(execution.redrives.count)));
    let own = [
        ("Id", identity.execution_arn.clone().into()),
        ("Input", execution.input.clone()),
        ("Name", identity.name.clone().into()),
        ("RoleArn", identity.role_arn.clone().into()),
        ("StartTime", execution.started.to_string().into()),
    ];
    let mut members = vec![
        ("Execution", Json::object(own.into_iter().chain(redrives))),
        (
            "StateMachine",
            Json::object([
                ("Id", Json::from(identity.machine_arn.clone())),
                ("Name", identity.machine_name.clone().into()),
            ]),
        ),
    ];
    if let Some(visit) = &execution.frame(frame).visit {
        members.push(("State", state(visit)));
    }
    if let Some(token) = token {
        members.push(("Task", Json::object([("Token", Json::from(token))])));
    }
    if let Some((index, value)) = item.or_else(|| item_of(execution, frame)) {
        let item = Json::object([("Index", Json::from(index)), ("Value", value), ("Source", Json::from("STATE_DATA"))]);
        members.push(("Map", Json::object([("Item", item)])));
    }
    Json::object(members)
}

fn state(visit: &Visit) -> Json {
    let mut members =
        vec![("EnteredTime", visit.entered_at.to_string().into()), ("Name", Json::from(visit.name.clone()))];
    match visit.kind {
        Kind::Task | Kind::Parallel | Kind::Map => {
            let retries: u64 = visit.retries.values().map(|count| u64::from(*count)).sum();
            members.push(("RetryCount", Json::from(retries)));
        }
        Kind::Pass | Kind::Choice | Kind::Wait | Kind::Succeed | Kind::Fail => (),
    }
    Json::object(members)
}

/// The item of the nearest iteration around `frame`.
fn item_of(execution: &Execution, frame: FrameId) -> Option<(u64, Json)> {
    let mut frame: &Frame = execution.frame(frame);
    loop {
        match frame.place {
            Place::Machine => return None,
            Place::Branch { of, .. } => frame = execution.frame(of),
            Place::Iteration { of, index } => {
                let Doing::Iterations(iterations) = &execution.visit(of).doing else { return None };
                let value = iterations.items.as_array()?.get(usize::try_from(index).ok()?)?;
                return Some((index, value.clone()));
            }
        }
    }
}
