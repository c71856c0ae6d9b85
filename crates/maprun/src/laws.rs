//! What holds for any run, whatever the world does with what it is asked: does it late, twice, in another order, or
//! (after a crash) not at all before it is asked again.

use std::collections::{BTreeMap, BTreeSet};

use base::{Json, Timestamp};
use engine::{Failure, MapRunOutcome, TaskId};
use proptest::prelude::*;

use crate::message::{Command, Effect, Env, Event, Fate, Found, Input, Limits, Read, Surveyed, Told, Update};
use crate::run::{Run, Status};
use crate::step;
use crate::tests::begin;

/// What one item of the plan is, and how its child will end: at first, and once it is redriven.
#[derive(Debug, Clone, Copy)]
struct Item {
    fate: Fate,
    again: Fate,
    in_batch: u32,
}

/// A child that there is.
#[derive(Debug, Clone)]
struct Child {
    input: Json,
    life: u64,
    end: Option<Fate>,
}

impl Child {
    fn told(&self, index: u32) -> Told {
        Told { index, life: self.life, fate: self.end.unwrap_or(Fate::Running) }
    }
}

/// The world around one run: what is asked of it and not yet done, and the children that there are.
struct World {
    items: Vec<Item>,
    /// How many children one read gives at most.
    page: usize,
    run: Run,
    history: Vec<Event>,
    /// Each with the task for which it is asked.
    todo: Vec<(TaskId, Effect)>,
    /// Each child that was ever started.
    children: BTreeMap<u32, Child>,
    /// What was told to the task that waited.
    ends: Vec<(TaskId, MapRunOutcome)>,
    limits: Limits,
    stopped: bool,
}

impl World {
    fn ask(&mut self, command: Command) {
        let before = self.run.clone();
        let env = Env { now: Timestamp(self.history.len() as i64), limits: self.limits };
        match step(&mut self.run, command, env) {
            Err(_) => assert_eq!(self.run, before, "a refusal leaves no trace"),
            Ok(step) => {
                let text = serde_json::to_vec(&step.events).expect("events have a text");
                let stored: Vec<Event> = serde_json::from_slice(&text).expect("what was stored");
                self.history.extend(stored);
                self.owe(step.effects);
            }
        }
        assert_eq!(Run::replay(&self.history), self.run, "replay differs from live");
        let snapshot = serde_json::to_vec(&self.run).expect("a run has a text");
        assert_eq!(serde_json::from_slice::<Run>(&snapshot).expect("a snapshot"), self.run);
        self.check_counts();
    }

    fn check_counts(&self) {
        let (executions, items) = (self.run.executions(), self.run.items());
        let read: u64 = self.items.iter().map(|item| u64::from(item.in_batch)).sum();
        assert!(items.total() <= read && executions.total() <= self.items.len() as u64);
        assert_eq!(executions.running, self.run.active() as u64);
        // Whoever succeeded is not redriven.
        let succeeded = self.children.values().filter(|child| child.end == Some(Fate::Succeeded)).count();
        assert!(executions.succeeded <= succeeded as u64, "{executions:?} of {succeeded}");
        let most = match self.run.concurrency() {
            0 => self.limits.children_max,
            some => some.min(self.limits.children_max),
        };
        // A limit that was lowered holds for those that come.
        let lowered = self.history.iter().any(|event| matches!(event, Event::Updated { .. }));
        assert!(lowered || executions.running <= most, "{} run of {most}", executions.running);
    }

    /// Does what was asked: `at` chooses which.
    fn act(&mut self, at: usize) {
        if self.todo.is_empty() {
            return;
        }
        let (task, effect) = self.todo.swap_remove(at % self.todo.len());
        match effect {
            Effect::Read { from } => {
                let done = self.items.iter().scan(0u64, |sum, item| {
                    *sum += u64::from(item.in_batch);
                    Some(*sum)
                });
                let first = done.take_while(|sum| *sum <= from).count();
                let until = (first + self.page).min(self.items.len());
                let children = (first..until).map(|at| self.input(at)).collect();
                self.ask(Command::Read(Read { from, children, end: until == self.items.len() }));
            }
            Effect::Start { index, input } => {
                let new = Child { input: input.input.clone(), life: 0, end: None };
                let child = self.children.entry(index).or_insert(new);
                assert_eq!(child.input, input.input, "a child has one input");
                self.tell(index);
            }
            Effect::Redrive { index, life } => {
                let child = self.children.get_mut(&index).expect("only who was there is redriven");
                assert!(child.life + 1 >= life, "one life after the other");
                if let (Some(end), true) = (child.end, child.life < life) {
                    assert_ne!(end, Fate::Succeeded, "whoever succeeded is not redriven");
                    (child.life, child.end) = (life, None);
                }
                self.tell(index);
            }
            Effect::Survey { from, until } => {
                let until = until.min(from + self.page as u32);
                let ended = |child: &Child| child.end.filter(|end| *end != Fate::Succeeded);
                let found = self.children.range(from..until).filter_map(|(index, child)| {
                    let fate = ended(child)?;
                    let items = self.items[*index as usize].in_batch;
                    Some(Found { index: *index, items, life: child.life, fate, is_final: index % 19 == 18 })
                });
                self.ask(Command::Surveyed(Surveyed { from, until, found: found.collect() }));
            }
            Effect::Stop { index } => {
                if let Some(child @ Child { end: None, .. }) = self.children.get_mut(&index) {
                    child.end = Some(Fate::Aborted);
                    self.tell(index);
                }
            }
            Effect::Ask { index } => {
                // Nobody says "missing" who may still be starting it, nor "as before" who may be redriving it.
                let asking = |effect: &Effect| matches!(effect, Effect::Start { index: at, .. } | Effect::Redrive { index: at, .. } if *at == index);
                if !self.todo.iter().any(|(_, effect)| asking(effect)) {
                    self.tell(index);
                }
            }
            Effect::Gather { .. } => {
                let outputs = self.children.keys().map(|index| Json::from(u64::from(*index)));
                let outcome = MapRunOutcome::Succeeded { output: Json::array(outputs) };
                self.ask(Command::Gathered { task, outcome, written: 0 });
            }
            Effect::AskParent if self.stopped || task != self.task() => self.ask(Command::Stop { task }),
            Effect::AskParent => (),
            Effect::Notify { outcome } => {
                self.ends.push((task, outcome));
                self.ask(Command::Notified { task });
            }
        }
    }

    fn owe(&mut self, effects: Vec<Effect>) {
        let task = self.task();
        self.todo.extend(effects.into_iter().map(|effect| (task, effect)));
    }

    fn task(&self) -> TaskId {
        self.run.begin().expect("it has begun").task
    }

    /// Tells how a child stands now.
    fn tell(&mut self, index: u32) {
        let missing = Told { index, life: 0, fate: Fate::Missing };
        let told = self.children.get(&index).map_or(missing, |child| child.told(index));
        self.ask(Command::Told { children: vec![told] });
    }

    fn input(&self, at: usize) -> Input {
        Input { input: Json::from(format!("item {at}")), items: self.items[at].in_batch }
    }

    /// A child ends by itself; the run hears of it, or not.
    fn end(&mut self, at: usize, heard: bool) {
        let running = self.children.iter().filter(|(_, child)| child.end.is_none());
        let running: Vec<u32> = running.map(|(index, _)| *index).collect();
        if let Some(index) = running.get(at % running.len().max(1)).copied() {
            let item = self.items[index as usize];
            let child = self.children.get_mut(&index).expect("it runs");
            child.end = Some(if child.life == 0 { item.fate } else { item.again });
            if heard {
                self.tell(index);
            }
        }
    }

    /// The execution is redriven, if it may be; what the run was asked for before may still come.
    fn redrive(&mut self) {
        let task = TaskId(self.task().0 + 1);
        let before = self.run.redrive_count();
        self.ask(Command::Redrive { task });
        if self.run.redrive_count() > before {
            self.stopped = false;
            self.ask(Command::Redrive { task });
        }
    }

    /// From here on the world does what it is asked.
    fn rest(&mut self) {
        for round in 0..10_000 {
            if self.run.is_over() {
                return;
            }
            if self.todo.is_empty() {
                self.crash();
            }
            self.act(round);
            self.end(round, true);
        }
        panic!("it ends: {:?}", self.run);
    }

    /// The server dies and comes again.
    fn crash(&mut self) {
        self.todo.clear();
        self.owe(self.run.outstanding());
    }
}

#[derive(Debug, Clone, Copy)]
enum Happening {
    Act(usize),
    End(usize),
    EndUnheard(usize),
    Crash,
    Twice,
    Update(u64),
    Redrive,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        12 => any::<usize>().prop_map(Happening::Act),
        8 => any::<usize>().prop_map(Happening::End),
        1 => any::<usize>().prop_map(Happening::EndUnheard),
        1 => Just(Happening::Crash),
        1 => Just(Happening::Twice),
        1 => (0..5u64).prop_map(Happening::Update),
        1 => Just(Happening::Redrive),
    ]
}

fn item() -> impl Strategy<Value = Item> {
    let fate = || {
        prop_oneof![
            20 => Just(Fate::Succeeded),
            1 => Just(Fate::Failed),
            1 => Just(Fate::TimedOut),
            1 => Just(Fate::Aborted),
        ]
    };
    (fate(), fate(), 1..4u32).prop_map(|(fate, again, in_batch)| Item { fate, again, in_batch })
}

proptest! {
    #[test]
    fn every_item_is_one_child_whatever_the_world_does(
        items in prop::collection::vec(item(), 0..40),
        page in 1..9usize,
        concurrency in 0..6u64,
        children_max in 1..9u64,
        tolerated in prop_oneof![Just(None), Just(Some(3)), Just(Some(1_000))],
        percentage in prop_oneof![Just(None), Just(Some(20.0)), Just(Some(100.0))],
        happenings in prop::collection::vec(happening(), 0..200),
        redrives in 0..3usize,
        stop in prop_oneof![3 => Just(None), 1 => (0..200usize).prop_map(Some)],
    ) {
        let limits = Limits { children_max };
        let (run, history, children) = (Run::default(), vec![], BTreeMap::new());
        let mut world = World {
            items, page, run, history, todo: vec![], children, ends: vec![], limits, stopped: false,
        };
        let mut plan = begin();
        plan.plan.concurrency = concurrency;
        plan.plan.tolerated_count = tolerated;
        plan.plan.tolerated_percentage = percentage;
        world.ask(Command::Begin(Box::new(plan)));
        for (at, happening) in happenings.into_iter().enumerate() {
            if stop == Some(at) {
                world.stopped = true;
                world.ask(Command::Stop { task: world.task() });
            }
            match happening {
                Happening::Act(at) => world.act(at),
                Happening::End(at) => world.end(at, true),
                Happening::EndUnheard(at) => world.end(at, false),
                Happening::Crash => world.crash(),
                Happening::Twice => world.owe(world.run.outstanding()),
                Happening::Redrive => world.redrive(),
                Happening::Update(concurrency) => {
                    world.ask(Command::Update(Update { concurrency: Some(concurrency), ..Update::default() }));
                }
            }
        }
        world.rest();
        for _ in 0..redrives {
            if world.run.status() != Status::Succeeded {
                world.redrive();
                world.rest();
            }
        }
        prop_assert!(world.run.outstanding().is_empty(), "the finished owe nothing");
        let ended = world.history.iter().filter(|event| matches!(event, Event::Ended { .. })).count() as u64;
        prop_assert_eq!(ended, world.run.redrive_count() + 1);
        let executions = world.run.executions();
        prop_assert_eq!(executions.running, 0);
        let started: BTreeSet<u32> = world.children.keys().copied().collect();
        match world.run.status() {
            Status::Succeeded => {
                prop_assert_eq!(started.len(), world.items.len());
                prop_assert_eq!(executions.pending_redrive, 0);
                prop_assert_eq!((executions.pending, executions.total()), (0, world.items.len() as u64));
                prop_assert_eq!(world.run.items().total(), world.items.iter().map(|item| u64::from(item.in_batch)).sum::<u64>());
            }
            Status::Failed => prop_assert!(executions.unsuccessful() > 0),
            Status::Aborted => prop_assert!(world.stopped && !world.ends.iter().any(|(task, _)| *task == world.task())),
            Status::Running => prop_assert!(false, "it is over"),
        }
        // All who told a task told it the same.
        prop_assert!(world.ends.windows(2).all(|pair| pair[0].0 != pair[1].0 || pair[0] == pair[1]));
        prop_assert!(started.iter().copied().eq(0..started.len() as u32) || world.run.status() != Status::Succeeded);
    }
}

#[test]
fn a_child_that_ends_costs_the_same_in_a_run_of_any_size() {
    let mut run = Run::default();
    let env = Env { now: Timestamp(0), limits: Limits::default() };
    step(&mut run, Command::Begin(Box::new(begin())), env).expect("it begins");
    let (mut from, mut index) = (0, 0);
    for _ in 0..50 {
        let children: Vec<Input> = (0..1_000).map(|_| Input { input: Json::from("x"), items: 1 }).collect();
        let end = from == 49_000;
        step(&mut run, Command::Read(Read { from, children, end }), env).expect("it is read");
        from += 1_000;
        while run.wants().is_none() && index < from as u32 {
            step(&mut run, Command::Told { children: vec![Told { index, life: 0, fate: Fate::Succeeded }] }, env)
                .expect("it is told");
            index += 1;
        }
        let text = serde_json::to_vec(&run).expect("a run has a text");
        assert!(text.len() < 60_000, "{} bytes after {index} children", text.len());
    }
    assert_eq!((run.executions().succeeded, run.executions().total()), (50_000, 50_000));
    let failure = Failure::named("E");
    assert!(step(&mut run, Command::ReadFailed { from, failure }, env).is_err());
}

#[test]
fn a_redrive_costs_the_same_in_a_run_of_any_size() {
    // All of them are read before it is known that too many have failed: the last piece is not started.
    const CHILDREN: u32 = 100_000;
    const STARTED: u32 = 99_000;
    let piece = || vec![Input { input: Json::from("x"), items: 1 }; 1_000];
    let mut run = Run::default();
    let env = Env { now: Timestamp(0), limits: Limits::default() };
    let mut plan = begin();
    plan.plan.tolerated_percentage = Some(10.0);
    step(&mut run, Command::Begin(Box::new(plan)), env).expect("it begins");
    let told = |index: u32, life: u64| Told {
        index,
        life,
        fate: if life == 0 && index % 2 == 1 && index < STARTED { Fate::Failed } else { Fate::Succeeded },
    };
    for from in (0..CHILDREN).step_by(1_000) {
        let end = from == STARTED;
        step(&mut run, Command::Read(Read { from: u64::from(from), children: piece(), end }), env).expect("it is read");
        let children = (from..from + 1_000).map(|index| told(index, 0)).collect();
        step(&mut run, Command::Told { children }, env).expect("it is told");
    }
    assert_eq!((run.status(), run.executions().failed), (Status::Failed, u64::from(STARTED) / 2));
    step(&mut run, Command::Notified { task: TaskId(0) }, env).expect("it is told");
    let mut effects = step(&mut run, Command::Redrive { task: TaskId(1) }, env).expect("it goes on").effects;
    let mut redriven = 0;
    while let Some(effect) = effects.pop() {
        let command = match effect {
            Effect::Survey { from, until } => {
                let until = until.min(from + 1_000);
                let failed = (from..until).filter(|index| index % 2 == 1);
                let found = failed.map(|index| Found { index, items: 1, life: 0, fate: Fate::Failed, is_final: false });
                Command::Surveyed(Surveyed { from, until, found: found.collect() })
            }
            Effect::Redrive { index, life } => {
                redriven += 1;
                Command::Told { children: vec![told(index, life)] }
            }
            Effect::Read { from } => Command::Read(Read { from, children: piece(), end: true }),
            Effect::Start { index, .. } => Command::Told { children: vec![told(index, 0)] },
            Effect::Stop { .. }
            | Effect::Ask { .. }
            | Effect::Gather { .. }
            | Effect::AskParent
            | Effect::Notify { .. } => continue,
        };
        effects.extend(step(&mut run, command, env).expect("it is wanted").effects);
        if redriven % 500 == 0 {
            let text = serde_json::to_vec(&run).expect("a run has a text");
            assert!(text.len() < 200_000, "{} bytes after {redriven} children", text.len());
        }
    }
    assert_eq!((redriven, run.executions().succeeded), (STARTED / 2, u64::from(CHILDREN)));
}
