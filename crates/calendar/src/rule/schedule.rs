//! A net's schedule: its rules on its calendar, and what comes of them on each day.
//!
//! The order is fixed: anchor → shift → offset → exclusion → validity → merge → times.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::anchor::{Nominal, nominal_dates};
use super::definition::{Exclude, Merge, Rule, RuleError, RuleId, SLOTS_MAX};
use super::moves::{Moved, offset, shifted};
use crate::clock::Clock;
use crate::date::{DATE_MAX, DAYS_MAX, Days, plus};
use crate::definition::is_name;
use crate::shelf::{Business, Shelf, ShelfError, State};
use crate::zone::Zone;

/// How many rules a net has, how long a schedule's text is, and of how many dates one may ask at a time.
pub const RULES_MAX: usize = 144;
pub const SCHEDULE_BYTES_MAX: usize = 1 << 20;
pub const NEXT_MAX: usize = 1_000;
/// By how many days the last clock of a business day is beyond its date: 71:59 after a day that starts at 23:59.
const CLOCK_DAYS_MAX: i32 = 4;

/// A schedule as its text has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScheduleDefinition {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    pub net: String,
    pub calendar: String,
    /// Instead of the calendar's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<Zone>,
    pub rules: Vec<Rule>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    Schedule,
}

/// Why a schedule is refused.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    #[error("a schedule's text has at most {SCHEDULE_BYTES_MAX} bytes")]
    TooLong,
    #[error("read the schedule")]
    Json(#[source] serde_json::Error),
    #[error("a net's name has 1 to 128 characters and no control characters")]
    Name,
    #[error("a net has at most {RULES_MAX} rules")]
    TooMany,
    #[error("there are two rules {rule}")]
    SameRule { rule: RuleId },
    #[error(transparent)]
    Rule(#[from] RuleError),
    #[error(transparent)]
    Calendar(#[from] ShelfError),
}

/// A schedule with the calendars that it needs.
#[derive(Debug, Clone)]
pub struct Schedule {
    pub net: String,
    pub calendar: Arc<Business>,
    pub zone: Zone,
    pub rules: Vec<Rule>,
    others: BTreeMap<String, Arc<Business>>,
}

/// Whether a net is planned on a business date: for rules that do not run then. Whoever asks knows the other nets.
pub type Planned<'a> = &'a dyn Fn(&str, Date) -> bool;

/// What comes of one or more nominal dates of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    pub rule: RuleId,
    /// The business date; where there is none, the last date that was sure.
    pub date: Date,
    pub outcome: Outcome,
    /// How each of its nominal dates came here, in their order: at least one.
    pub trails: Vec<Trail>,
}

impl Occurrence {
    /// The nominal dates: its identity, whatever happens to calendars.
    pub fn nominal(&self) -> impl Iterator<Item = Date> {
        self.trails.iter().map(|trail| trail.nominal)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Planned {
        slots: Vec<Slot>,
    },
    /// `CALENDAR_HORIZON`: this day is unknown, and the answer needs it.
    Held {
        unknown: Date,
    },
    NotGenerated {
        reason: Reason,
    },
}

/// Why nothing runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    ShiftExhausted,
    CancelledByRule,
    OffsetExhausted,
    Excluded(Excluded),
    /// Outside of the rule's validity: no entry of a plan, only an explanation.
    NotValid,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Excluded {
    Calendar(String),
    Date,
    NetPlanned(String),
    Suspended { to: Date },
}

/// A start that is planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    pub number: u32,
    /// None where only something else starts it.
    pub at: Option<(Clock, Timestamp)>,
    /// The rule of the slot that starts the net at the same instant and comes before this one: there is one run, and it
    /// is that one's.
    pub merged_into: Option<RuleId>,
}

/// How one nominal date came to its business date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trail {
    pub nominal: Date,
    pub state: State,
    /// Where the shift led, if it came that far.
    pub shifted: Option<Date>,
    /// The days that the offset counted.
    pub counted: Vec<Date>,
}

impl ScheduleDefinition {
    /// Reads a schedule's JSON.
    pub fn parse(text: &str) -> Result<ScheduleDefinition, ScheduleError> {
        if text.len() > SCHEDULE_BYTES_MAX {
            return Err(ScheduleError::TooLong);
        }
        serde_json::from_str(text).map_err(ScheduleError::Json)
    }

    /// Checks it, and finds its calendars on `shelf`.
    pub fn on(&self, shelf: &Shelf) -> Result<Schedule, ScheduleError> {
        if !is_name(&self.net) {
            return Err(ScheduleError::Name);
        }
        if self.rules.len() > RULES_MAX {
            return Err(ScheduleError::TooMany);
        }
        let mut rules = self.rules.clone();
        rules.sort_by_key(|rule| rule.id);
        if let Some(pair) = rules.windows(2).find(|pair| pair[0].id == pair[1].id) {
            return Err(ScheduleError::SameRule { rule: pair[0].id });
        }
        let mut others = BTreeMap::new();
        for rule in &rules {
            rule.check()?;
            for exclude in &rule.exclude {
                if let Exclude::Calendar { calendar } = exclude {
                    others.insert(calendar.clone(), shelf.calendar(calendar)?);
                }
            }
        }
        let mut count = 0;
        for rule in &rules {
            count += rule.times.clocks().len();
            if count > SLOTS_MAX {
                return Err(RuleError::TooMany { rule: rule.id, count }.into());
            }
        }
        let calendar = shelf.calendar(&self.calendar)?;
        let zone = self.time_zone.clone().unwrap_or_else(|| calendar.zone.clone());
        Ok(Schedule { net: self.net.clone(), calendar, zone, rules, others })
    }
}

impl Schedule {
    /// Its own calendar, and those that exclude.
    pub fn calendars(&self) -> impl Iterator<Item = &Business> {
        std::iter::once(&self.calendar).chain(self.others.values()).map(Arc::as_ref)
    }

    /// Everything that comes of its rules on the dates of `days`, at most ten years of them: by date, then by rule.
    pub fn project(&self, days: Days, planned: Planned<'_>) -> Vec<Occurrence> {
        let mut all = self.occurrences(days, planned);
        all.retain(|occurrence| occurrence.outcome != Outcome::NotGenerated { reason: Reason::NotValid });
        all
    }

    /// As [`project`](Schedule::project), with what lies outside of a rule's validity.
    pub fn occurrences(&self, days: Days, planned: Planned<'_>) -> Vec<Occurrence> {
        let days = Days::new(days.from, days.to.min(plus(days.from, DAYS_MAX as i32 - 1)).min(DATE_MAX));
        // With those of the days around, which may start at the same instants: 26:00 of one day is 02:00 of the next.
        let around =
            if self.rules.iter().all(|rule| rule.times.is_none()) { days } else { days.widened(CLOCK_DAYS_MAX) };
        let mut all: Vec<Occurrence> = self.rules.iter().flat_map(|rule| self.of_rule(rule, around, planned)).collect();
        all.sort_by(|one, other| {
            (one.date, one.rule).cmp(&(other.date, other.rule)).then_with(|| one.nominal().cmp(other.nominal()))
        });
        merge_instants(&mut all);
        all.retain(|occurrence| days.contains(occurrence.date));
        all
    }

    /// The next `count` dates on which something runs or would have to be known, from `from` on; at most ten years on.
    pub fn next(&self, from: Date, count: usize, planned: Planned<'_>) -> Vec<Occurrence> {
        let count = count.min(NEXT_MAX);
        let end = plus(from, DAYS_MAX as i32 - 1).min(DATE_MAX);
        let mut found: Vec<Occurrence> = vec![];
        let (mut begin, mut length) = (from, 64);
        while begin <= end && found.len() < count {
            let days = Days::new(begin, plus(begin, length - 1).min(end));
            found.extend(self.project(days, planned));
            begin = plus(days.to, 1);
            length = (length * 2).min(732);
        }
        found.truncate(count);
        found
    }

    /// Steps 1 to 7 for one rule.
    fn of_rule(&self, rule: &Rule, days: Days, planned: Planned<'_>) -> Vec<Occurrence> {
        let around = days.widened(rule.reach());
        let nominal = nominal_dates(&rule.anchor, &self.calendar, around);
        let each = nominal.into_iter().map(|nominal| self.of_nominal(rule, nominal, planned));
        let within: Vec<Occurrence> = each.filter(|occurrence| days.contains(occurrence.date)).collect();
        merge(rule, within)
    }

    /// Steps 1 to 5, and the times, for one nominal date.
    fn of_nominal(&self, rule: &Rule, nominal: Nominal, planned: Planned<'_>) -> Occurrence {
        let state = self.calendar.state(nominal.date);
        let mut trail = Trail { nominal: nominal.date, state, shifted: None, counted: vec![] };
        let (date, outcome) = match nominal.unknown {
            Some(unknown) => (nominal.date, Outcome::Held { unknown }),
            None => self.moved(rule, &mut trail, planned),
        };
        Occurrence { rule: rule.id, date, outcome, trails: vec![trail] }
    }

    fn moved(&self, rule: &Rule, trail: &mut Trail, planned: Planned<'_>) -> (Date, Outcome) {
        let none = |reason| Outcome::NotGenerated { reason };
        let shifted = match shifted(rule, &self.calendar, trail.nominal) {
            Moved::To(date) => date,
            Moved::Unknown(unknown) => return (trail.nominal, Outcome::Held { unknown }),
            Moved::Nowhere => return (trail.nominal, none(Reason::ShiftExhausted)),
            Moved::Cancelled => return (trail.nominal, none(Reason::CancelledByRule)),
        };
        trail.shifted = Some(shifted);
        let (moved, counted) = offset(rule, &self.calendar, shifted);
        trail.counted = counted;
        let date = match moved {
            Moved::To(date) => date,
            Moved::Unknown(unknown) => return (trail.nominal, Outcome::Held { unknown }),
            Moved::Nowhere | Moved::Cancelled => return (trail.nominal, none(Reason::OffsetExhausted)),
        };
        let outcome = match self.excluded(rule, date, planned) {
            _ if !rule.valid.contains(date) => none(Reason::NotValid),
            Some(Ok(excluded)) => none(Reason::Excluded(excluded)),
            Some(Err(unknown)) => Outcome::Held { unknown },
            None => Outcome::Planned { slots: self.slots(rule, date) },
        };
        (date, outcome)
    }

    /// Step 4: what excludes the rule on `date`, or which day of another calendar would have to be known.
    fn excluded(&self, rule: &Rule, date: Date, planned: Planned<'_>) -> Option<Result<Excluded, Date>> {
        rule.exclude.iter().find_map(|exclude| match exclude {
            Exclude::Calendar { calendar } => match self.others.get(calendar)?.state(date) {
                State::Open => Some(Ok(Excluded::Calendar(calendar.clone()))),
                State::Unknown => Some(Err(date)),
                State::Closed => None,
            },
            Exclude::Dates { dates } => dates.contains(&date).then_some(Ok(Excluded::Date)),
            Exclude::NetPlanned { net_planned } => {
                planned(net_planned, date).then(|| Ok(Excluded::NetPlanned(net_planned.clone())))
            }
            Exclude::Suspended { suspended } => {
                let suspends = Days::new(suspended.from, suspended.to).contains(date);
                suspends.then_some(Ok(Excluded::Suspended { to: suspended.to }))
            }
        })
    }

    /// Step 7: the starts of a business date.
    fn slots(&self, rule: &Rule, date: Date) -> Vec<Slot> {
        let at = |clock: Clock| (clock, clock.instant(date, self.calendar.day_start, &self.zone));
        let slot = |(number, at)| Slot { number, at, merged_into: None };
        let clocks = rule.times.clocks();
        if rule.times.is_none() {
            return vec![slot((0, None))];
        }
        clocks.into_iter().enumerate().map(|(number, clock)| slot((number as u32, Some(at(clock))))).collect()
    }
}

/// Step 6 within a rule: several nominal dates that come to one business date are one run. What does not run is shown
/// for each nominal date.
fn merge(rule: &Rule, occurrences: Vec<Occurrence>) -> Vec<Occurrence> {
    if rule.merge == Merge::Each {
        return occurrences;
    }
    let mut merged: Vec<Occurrence> = vec![];
    let mut by_date: BTreeMap<Date, usize> = BTreeMap::new();
    for occurrence in occurrences {
        let runs = matches!(occurrence.outcome, Outcome::Planned { .. });
        match by_date.get(&occurrence.date) {
            Some(place) if runs => merged[*place].trails.extend(occurrence.trails),
            Some(_) => merged.push(occurrence),
            None => {
                if runs {
                    by_date.insert(occurrence.date, merged.len());
                }
                merged.push(occurrence);
            }
        }
    }
    merged
}

/// Step 6 between rules: of those that start the net at the same instant, the lowest does; of one rule's, the first.
fn merge_instants(all: &mut [Occurrence]) {
    let mut first: BTreeMap<Timestamp, (RuleId, Date, u32)> = BTreeMap::new();
    for (rule, date, slots) in all.iter_mut().filter_map(slots_of) {
        for slot in slots {
            let Some((_, instant)) = slot.at else { continue };
            let this = (rule, date, slot.number);
            let lowest = first.entry(instant).or_insert(this);
            *lowest = this.min(*lowest);
        }
    }
    for (rule, date, slots) in all.iter_mut().filter_map(slots_of) {
        for slot in slots {
            let lowest = slot.at.and_then(|(_, instant)| first.get(&instant));
            slot.merged_into = lowest.filter(|lowest| **lowest < (rule, date, slot.number)).map(|(rule, _, _)| *rule);
        }
    }
}

fn slots_of(occurrence: &mut Occurrence) -> Option<(RuleId, Date, &mut Vec<Slot>)> {
    match &mut occurrence.outcome {
        Outcome::Planned { slots } => Some((occurrence.rule, occurrence.date, slots)),
        Outcome::Held { .. } | Outcome::NotGenerated { .. } => None,
    }
}

/// The starts of an occurrence that have a time.
pub(super) fn starts(occurrence: &Occurrence) -> impl Iterator<Item = (Clock, Timestamp)> {
    let slots: &[Slot] = match &occurrence.outcome {
        Outcome::Planned { slots } => slots,
        Outcome::Held { .. } | Outcome::NotGenerated { .. } => &[],
    };
    slots.iter().filter_map(|slot| slot.at)
}
