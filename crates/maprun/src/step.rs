//! Deciding: what a command means for a run right now.

use std::collections::BTreeSet;

use engine::{Failure, MapRunOutcome, TaskId};

use crate::message::{Command, Effect, Env, Event, Fate, Outcome, Read, Refusal, Step, Surveyed, Told, Update};
use crate::run::{Run, Stage};
use crate::{WINDOW_BYTES_MAX, WINDOW_CHILDREN_MAX};

/// Decides what `command` means for `run`, and applies what follows. Refusal leaves no trace.
pub fn step(run: &mut Run, command: Command, env: Env) -> Result<Step, Refusal> {
    let (wanted, surveyed) = (run.wants(), run.surveys());
    let mut cx = Cx { run, env, step: Step::default() };
    match (&cx.run.stage, command) {
        (Stage::New, Command::Begin(begin)) => cx.record(Event::Begun { at: env.now, begin }),
        (_, Command::Begin(_)) => return Err(Refusal::AlreadyBegun),
        (Stage::New, _) => return Err(Refusal::NotBegun),
        (_, Command::Read(read)) => cx.read(read)?,
        (_, Command::ReadFailed { from, failure }) => cx.read_failed(from, failure)?,
        (_, Command::Told { children }) => cx.told(children),
        (_, Command::Update(update)) => cx.update(update)?,
        (_, Command::Stop { task } | Command::Gathered { task, .. } | Command::Notified { task })
            if !cx.is_for(task) =>
        {
            return Err(Refusal::NotWanted);
        }
        (_, Command::Stop { .. }) => cx.stop()?,
        (_, Command::Gathered { outcome, written, .. }) => cx.gathered(outcome, written)?,
        (Stage::Ended { told: false, .. }, Command::Notified { .. }) => cx.record(Event::Notified { at: env.now }),
        (_, Command::Notified { .. }) => return Err(Refusal::NotWanted),
        (_, Command::Redrive { task }) if cx.has_been_for(task) => (),
        (Stage::Ended { told: true, .. }, Command::Redrive { task }) => {
            cx.record(Event::Redriven { at: env.now, task });
        }
        (_, Command::Redrive { .. }) => return Err(Refusal::NotYet),
        (_, Command::Surveyed(surveyed)) => cx.surveyed(surveyed)?,
    }
    cx.settle();
    let wants = cx.run.wants();
    if wants != wanted {
        cx.step.effects.extend(wants.map(|from| Effect::Read { from }));
    }
    let surveys = cx.run.surveys();
    if surveys != surveyed {
        cx.step.effects.extend(surveys);
    }
    Ok(cx.step)
}

/// The decision in progress. What may be refused is refused before anything is recorded.
struct Cx<'a> {
    run: &'a mut Run,
    env: Env,
    step: Step,
}

impl Cx<'_> {
    fn read(&mut self, read: Read) -> Result<(), Refusal> {
        let Read { from, children, end } = read;
        // What was asked for twice may come twice; and what gives nothing and does not end would be asked for ever.
        if self.run.wants() != Some(from) || (children.is_empty() && !end) {
            return Err(Refusal::NotWanted);
        }
        self.record(Event::Read { at: self.env.now, children, end });
        Ok(())
    }

    fn read_failed(&mut self, from: u64, failure: Failure) -> Result<(), Refusal> {
        if self.run.wants() != Some(from) {
            return Err(Refusal::NotWanted);
        }
        self.give_up(Some(failure));
        Ok(())
    }

    /// Whether `task` is what waits for the run now.
    fn is_for(&self, task: TaskId) -> bool {
        self.run.begin.as_ref().is_some_and(|begin| begin.task == task)
    }

    /// Tasks that come later have higher numbers.
    fn has_been_for(&self, task: TaskId) -> bool {
        self.run.begin.as_ref().is_some_and(|begin| begin.task >= task)
    }

    fn surveyed(&mut self, surveyed: Surveyed) -> Result<(), Refusal> {
        let Surveyed { from, until, mut found } = surveyed;
        match self.run.surveys() {
            Some(Effect::Survey { from: wanted, until: end }) if wanted == from && from < until && until <= end => (),
            _ => return Err(Refusal::NotWanted),
        }
        found.retain(|child| (from..until).contains(&child.index) && !self.run.missing.contains_key(&child.index));
        found.retain(|child| !matches!(child.fate, Fate::Succeeded | Fate::Missing));
        found.dedup_by_key(|child| child.index);
        found.truncate(usize::try_from(self.run.unfound()).unwrap_or(usize::MAX));
        self.record(Event::Surveyed { at: self.env.now, until, found });
        Ok(())
    }

    fn told(&mut self, mut children: Vec<Told>) {
        let stopping = self.run.stage != Stage::Running;
        let mut seen = BTreeSet::new();
        let run = &*self.run;
        let mut late = vec![];
        children.retain(|told| {
            let Told { index, life, fate } = *told;
            if stopping && fate == Fate::Running {
                late.push(Effect::Stop { index });
            }
            // Of what is being stopped nobody is redriven any more.
            let unchanged = stopping && run.is_as_before(told);
            let present = run.life(index) == life;
            let asked = present && run.asked.contains_key(&index);
            let redriven = present && run.redrives.asked.contains_key(&index);
            let news = match fate {
                Fate::Running => asked || redriven,
                // While the run goes on, what is missing is only not yet there.
                Fate::Missing => asked && stopping,
                Fate::Succeeded | Fate::Failed | Fate::TimedOut | Fate::Aborted => {
                    asked || redriven || unchanged || present && run.running.contains_key(&index)
                }
            };
            news && seen.insert((index, fate == Fate::Running))
        });
        // Two ends of one child in one command: the first counts.
        let mut ended = BTreeSet::new();
        children.retain(|told| told.fate == Fate::Running || ended.insert(told.index));
        let children: Vec<(u32, Fate)> = children.into_iter().map(|told| (told.index, told.fate)).collect();
        if !children.is_empty() {
            self.record(Event::Told { at: self.env.now, children });
        }
        self.step.effects.extend(late);
    }

    fn update(&mut self, update: Update) -> Result<(), Refusal> {
        if self.run.stage != Stage::Running {
            return Err(Refusal::Over);
        }
        self.record(Event::Updated { at: self.env.now, update });
        Ok(())
    }

    fn stop(&mut self) -> Result<(), Refusal> {
        match self.run.stage {
            Stage::Running | Stage::Gathering { .. } => {
                self.give_up(None);
                Ok(())
            }
            Stage::New | Stage::Stopping { .. } | Stage::Ended { .. } => Err(Refusal::NotWanted),
        }
    }

    /// Nothing more is started. What was asked to start is stopped once it is known to be there.
    fn give_up(&mut self, failure: Option<Failure>) {
        self.record(Event::GaveUp { at: self.env.now, failure });
        let stops = self.run.running.keys().map(|index| Effect::Stop { index: *index });
        self.step.effects.extend(stops);
    }

    fn gathered(&mut self, outcome: MapRunOutcome, written: u64) -> Result<(), Refusal> {
        let Stage::Gathering { failure } = &self.run.stage else { return Err(Refusal::NotWanted) };
        let outcome = match (failure.clone(), outcome) {
            (Some(failure), _) | (None, MapRunOutcome::Failed { failure }) => Outcome::Failed { failure },
            (None, MapRunOutcome::Succeeded { output }) => Outcome::Succeeded { output },
            (None, MapRunOutcome::TooLarge) => Outcome::TooLarge,
        };
        self.end(outcome, written);
        Ok(())
    }

    /// What follows from how things stand now.
    fn settle(&mut self) {
        if self.run.stage == Stage::Running && self.is_beyond_tolerance() {
            let cause = "The specified tolerated failure threshold was exceeded";
            self.give_up(Some(Failure::new("States.ExceedToleratedFailureThreshold", cause)));
        }
        if self.run.stage == Stage::Running {
            self.start_again();
            self.start();
        }
        let done = self.run.active() == 0;
        match &self.run.stage {
            Stage::Running if done && self.run.has_asked_all() => self.gather(),
            Stage::Stopping { failure: Some(failure) } if done => match self.writes() {
                true => self.gather(),
                false => self.end(Outcome::Failed { failure: failure.clone() }, 0),
            },
            Stage::Stopping { failure: None } if done => self.end(Outcome::Aborted, 0),
            Stage::New | Stage::Running | Stage::Stopping { .. } | Stage::Gathering { .. } | Stage::Ended { .. } => (),
        }
    }

    /// Whether more have failed than may ("Setting failure thresholds", Developer Guide): a number, a share of all
    /// items, or none at all where neither is given. The share is known once all items are.
    fn is_beyond_tolerance(&self) -> bool {
        let items = self.run.items();
        let (failed, total) = (items.unsuccessful(), items.total());
        let beyond_share = |percentage: f64| self.run.read && failed as f64 * 100.0 > percentage * total as f64;
        match (self.run.tolerated_count(), self.run.tolerated_percentage()) {
            (None, None) => failed > 0,
            (Some(count), None) => failed > count,
            (None, Some(percentage)) => beyond_share(percentage),
            (Some(count), Some(percentage)) => failed > count || beyond_share(percentage),
        }
    }

    /// How many children may be asked now to start or to go on.
    fn room(&self) -> usize {
        let most = self.env.limits.children_max.max(1);
        let most = if self.run.concurrency() == 0 { most } else { self.run.concurrency().min(most) };
        let free = usize::try_from(most).unwrap_or(usize::MAX).saturating_sub(self.run.active());
        let unanswered = self.run.asked.len() + self.run.redrives.asked.len();
        free.min(WINDOW_CHILDREN_MAX.saturating_sub(unanswered))
    }

    /// Who never started is started once everybody was looked at: whoever is not found then is still missing.
    fn start_again(&mut self) {
        let room = self.room();
        let redrive: Vec<u32> = self.run.redrives.found.keys().take(room).copied().collect();
        let missing = self.run.missing.keys().filter(|_| self.run.redrives.survey.is_none());
        let start: Vec<u32> = missing.take(room - redrive.len()).copied().collect();
        if start.is_empty() && redrive.is_empty() {
            return;
        }
        self.record(Event::AskedAgain { at: self.env.now, start: start.clone(), redrive: redrive.clone() });
        let starts = start.iter().filter_map(|index| Some((*index, self.run.asked.get(index)?.clone())));
        self.step.effects.extend(starts.map(|(index, input)| Effect::Start { index, input }));
        let redrives = redrive.iter().filter_map(|index| Some((*index, self.run.redrives.asked.get(index)?.life)));
        self.step.effects.extend(redrives.map(|(index, life)| Effect::Redrive { index, life }));
    }

    fn start(&mut self) {
        // Who is missing comes first, so that they never become more than are asked for at a time.
        let room = if self.run.missing.is_empty() { self.room() } else { 0 };
        let mut bytes = self.run.asked_bytes;
        let fits = |child: &&crate::Input| {
            let first = bytes == 0;
            bytes += child.input.text_len();
            first || bytes <= WINDOW_BYTES_MAX
        };
        let count = self.run.window.iter().take(room).take_while(fits).count();
        if count == 0 {
            return;
        }
        let first = self.run.next;
        let until = first + u32::try_from(count).expect("a window has fewer children than that");
        self.record(Event::Asked { at: self.env.now, until });
        let starts = self.run.asked.range(first..);
        self.step.effects.extend(starts.map(|(index, input)| Effect::Start { index: *index, input: input.clone() }));
    }

    fn gather(&mut self) {
        self.record(Event::Gathering { at: self.env.now });
        self.step.effects.push(Effect::Gather { children: self.run.next });
    }

    fn end(&mut self, outcome: Outcome, written: u64) {
        self.step.effects.extend(outcome.notify());
        self.record(Event::Ended { at: self.env.now, outcome, written });
    }

    /// Whether results go to a bucket, where those of a run that failed are wanted as well.
    fn writes(&self) -> bool {
        let plan = self.run.begin.as_ref().map(|begin| &begin.plan);
        plan.and_then(|plan| plan.writing.as_ref()).is_some_and(|writing| writing.arguments.is_some())
    }

    fn record(&mut self, event: Event) {
        self.run.apply(&event);
        self.step.events.push(event);
    }
}
