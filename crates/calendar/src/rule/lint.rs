//! What is doubtful in a schedule, by the codes L1 to L12: looked for when it is saved, and each day for the time ahead.
//!
//! A finding is data; whoever shows it has the words.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::anchor::period;
use super::definition::{AnchorKind, Period, Rule, RuleId, Unit};
use super::schedule::{Occurrence, Outcome, Planned, Reason, Schedule, starts};
use crate::clock::Clock;
use crate::date::{Days, Month};

/// How many months ahead is looked, and how many dates one finding shows.
pub const LINT_MONTHS: i32 = 13;
pub const FINDING_DATES_MAX: usize = 400;

/// The codes, as they are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    L1,
    L2,
    L3,
    L4,
    L5,
    L6,
    L7,
    L8,
    L9,
    L10,
    L11,
    L12,
}

/// Something doubtful, with the dates that show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub rule: Option<RuleId>,
    pub doubt: Doubt,
    /// At most [`FINDING_DATES_MAX`] of them.
    pub dates: Vec<Date>,
    /// How many further dates there are.
    pub more: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// L1: the shift may not go as far as it would have to on these nominal dates.
    ShiftTooShort { max_shift: u32, longest_closed: Option<Days> },
    /// L2: nothing runs in all the days that were looked at, of which the first is shown.
    NeverFires,
    /// L2: in the months that begin on these days there is no such day.
    NothingInMonth,
    /// L3: several nominal dates come to these business dates.
    Merged,
    /// L4: the runs of these nominal dates lie in another month.
    LeavesMonth,
    /// L5: the next business day has begun by then.
    ClockAfterDay { clock: Clock },
    /// L6: the calendar ends.
    HorizonNear { calendar: String },
    /// L7: the months that begin on these days are too short, and the rule does not say what happens then.
    MissingDay,
    /// L8: it waits for a net that is planned on none of its days.
    NeverTogether { waits_for: String },
    /// L9: nets that wait for each other.
    WaitCycle { way: Vec<String> },
    /// L10: what usually takes so long ends too late.
    EndsLate { end_by: Clock },
    /// L11: it counts in calendar months, where the calendar has operational ones.
    CalendarMonth,
    /// L12: another rule, or another time of this one, starts the net at the same instant.
    SameInstant { other: RuleId },
}

impl Doubt {
    pub fn code(&self) -> Code {
        match self {
            Doubt::ShiftTooShort { .. } => Code::L1,
            Doubt::NeverFires | Doubt::NothingInMonth => Code::L2,
            Doubt::Merged => Code::L3,
            Doubt::LeavesMonth => Code::L4,
            Doubt::ClockAfterDay { .. } => Code::L5,
            Doubt::HorizonNear { .. } => Code::L6,
            Doubt::MissingDay => Code::L7,
            Doubt::NeverTogether { .. } => Code::L8,
            Doubt::WaitCycle { .. } => Code::L9,
            Doubt::EndsLate { .. } => Code::L10,
            Doubt::CalendarMonth => Code::L11,
            Doubt::SameInstant { .. } => Code::L12,
        }
    }
}

/// The days from `today` that are looked at: thirteen months.
pub fn ahead(today: Date) -> Days {
    let last = Month::of(today).plus(LINT_MONTHS);
    Days::new(today, last.day_or_last(today.day()))
}

/// Everything doubtful in a schedule within `days`, by rule and code.
pub fn lint(schedule: &Schedule, days: Days, planned: Planned<'_>) -> Vec<Finding> {
    let all = schedule.project(days, planned);
    let mut findings = horizons(schedule, days);
    for rule in &schedule.rules {
        let own: Vec<&Occurrence> = all.iter().filter(|occurrence| occurrence.rule == rule.id).collect();
        findings.extend(of_rule(schedule, rule, &own, days));
    }
    findings
}

fn of_rule(schedule: &Schedule, rule: &Rule, own: &[&Occurrence], days: Days) -> Vec<Finding> {
    let mut found = vec![];
    let mut doubt = |doubt: Doubt, dates: Vec<Date>| {
        if !dates.is_empty() {
            found.push(finding(Some(rule.id), doubt, dates));
        }
    };
    let exhausted = Outcome::NotGenerated { reason: Reason::ShiftExhausted };
    let lost = own.iter().filter(|occurrence| occurrence.outcome == exhausted).map(|occurrence| occurrence.date);
    let longest_closed = schedule.calendar.longest_closed(days);
    doubt(Doubt::ShiftTooShort { max_shift: rule.on_closed.max_shift, longest_closed }, lost.collect());

    let may_run = own.iter().any(|occurrence| !matches!(occurrence.outcome, Outcome::NotGenerated { .. }));
    doubt(Doubt::NeverFires, if may_run { vec![] } else { vec![days.from] });
    doubt(Doubt::NothingInMonth, empty_months(schedule, rule, own, days));
    doubt(Doubt::Merged, runs(own).filter(|run| run.trails.len() > 1).map(|run| run.date).collect());
    doubt(Doubt::LeavesMonth, leaving(schedule, rule, own));
    let late = rule.times.clocks().into_iter().find(|clock| clock.is_after_the_day(schedule.calendar.day_start));
    if let Some(clock) = late {
        doubt(Doubt::ClockAfterDay { clock }, vec![runs(own).next().map_or(days.from, |run| run.date)]);
    }
    doubt(Doubt::MissingDay, short_months(rule, days));
    let two_months = rule.anchor.period == Period::CalendarMonth && !schedule.calendar.months.are_of_the_calendar();
    if two_months && rule.anchor.counts_within_months() {
        doubt(Doubt::CalendarMonth, vec![days.from]);
    }
    for (other, dates) in same_instants(own) {
        doubt(Doubt::SameInstant { other }, dates);
    }
    found
}

fn finding(rule: Option<RuleId>, doubt: Doubt, mut dates: Vec<Date>) -> Finding {
    let more = dates.len().saturating_sub(FINDING_DATES_MAX);
    dates.truncate(FINDING_DATES_MAX);
    Finding { rule, doubt, dates, more }
}

fn runs<'a>(own: &'a [&Occurrence]) -> impl Iterator<Item = &'a Occurrence> {
    own.iter().copied().filter(|occurrence| matches!(occurrence.outcome, Outcome::Planned { .. }))
}

/// L6, for the calendar and each that excludes.
fn horizons(schedule: &Schedule, days: Days) -> Vec<Finding> {
    let near = schedule.calendars().filter_map(|calendar| {
        let through = calendar.horizon().filter(|through| *through < days.to)?;
        Some(finding(None, Doubt::HorizonNear { calendar: calendar.name.clone() }, vec![through]))
    });
    near.collect()
}

/// The whole months within `days` in which a rule that counts open or closed days names nothing.
fn empty_months(schedule: &Schedule, rule: &Rule, own: &[&Occurrence], days: Days) -> Vec<Date> {
    if !matches!(rule.anchor.kind, AnchorKind::OpenDay(_) | AnchorKind::ClosedDay(_)) {
        return vec![];
    }
    let whose = period(&rule.anchor, &schedule.calendar);
    let named: BTreeSet<Month> =
        own.iter().flat_map(|occurrence| occurrence.nominal()).map(|date| whose.of(date)).collect();
    let (first, last) = (whose.of(days.from), whose.of(days.to));
    let months = (0..=first.until(last)).map(|number| first.plus(number));
    let wanted = months.filter(|month| rule.anchor.months.is_empty() || rule.anchor.months.contains(&month.month));
    let empty = wanted.filter(|month| !named.contains(month)).map(|month| whose.days(month));
    let inner = days.widened(-rule.reach());
    empty.filter(|month| inner.contains(month.from) && inner.contains(month.to)).map(|month| month.from).collect()
}

/// L4: the nominal dates whose runs lie in another month.
fn leaving(schedule: &Schedule, rule: &Rule, own: &[&Occurrence]) -> Vec<Date> {
    let whose = period(&rule.anchor, &schedule.calendar);
    let pairs = runs(own).flat_map(|run| run.nominal().map(move |nominal| (nominal, run.date)));
    pairs.filter(|(nominal, date)| whose.of(*nominal) != whose.of(*date)).map(|(nominal, _)| nominal).collect()
}

/// L7: the months within `days` that have no such day.
fn short_months(rule: &Rule, days: Days) -> Vec<Date> {
    let day = match &rule.anchor.kind {
        AnchorKind::Day(day) => *day,
        AnchorKind::Every { unit: Unit::Month | Unit::Year, from, .. } => from.day(),
        _ => return vec![],
    };
    if rule.anchor.missing_day.is_some() {
        return vec![];
    }
    let (first, last) = (Month::of(days.from), Month::of(days.to));
    let months = (0..=first.until(last)).map(|number| first.plus(number));
    let wanted = months.filter(|month| rule.anchor.months.is_empty() || rule.anchor.months.contains(&month.month));
    wanted.filter(|month| month.last_day() < day).map(|month| month.day_or_last(1)).collect()
}

/// L12: the dates on which another rule, or an earlier slot of this one, starts at the same instant.
fn same_instants(own: &[&Occurrence]) -> BTreeMap<RuleId, Vec<Date>> {
    let mut same: BTreeMap<RuleId, Vec<Date>> = BTreeMap::new();
    for run in runs(own) {
        let Outcome::Planned { slots } = &run.outcome else { continue };
        let others: BTreeSet<RuleId> = slots.iter().filter_map(|slot| slot.merged_into).collect();
        for other in others {
            same.entry(other).or_default().push(run.date);
        }
    }
    same
}

/// A net with what it waits for and how long it takes, for what shows only between nets.
#[derive(Debug, Clone)]
pub struct Net<'a> {
    pub schedule: &'a Schedule,
    pub waits: Vec<Wait>,
    /// How long a run takes, from its history.
    pub seconds: Option<u32>,
    /// By when a run has to have ended.
    pub end_by: Option<Clock>,
}

/// A net waits for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    pub net: String,
    /// Whether it is that of the same business date.
    pub same_date: bool,
}

/// L8, L9 and L10 within `days`: what shows only when nets are seen together, by net.
pub fn lint_nets(nets: &[Net<'_>], days: Days, planned: Planned<'_>) -> Vec<(String, Finding)> {
    let all: BTreeMap<&str, Vec<Occurrence>> =
        nets.iter().map(|net| (net.schedule.net.as_str(), net.schedule.project(days, planned))).collect();
    let mut found = vec![];
    for net in nets {
        let name = &net.schedule.net;
        let own = all.get(name.as_str()).map_or(&[][..], Vec::as_slice);
        let findings = never_together(net, own, &all).into_iter().chain(ends_late(net, own));
        found.extend(findings.map(|finding| (name.clone(), finding)));
    }
    found.extend(cycles(nets).into_iter().map(|way| {
        let first = way[0].clone();
        let date = all.get(first.as_str()).and_then(|own| own.first()).map_or(days.from, |run| run.date);
        (first, finding(None, Doubt::WaitCycle { way }, vec![date]))
    }));
    found
}

fn dates_of(occurrences: &[Occurrence]) -> BTreeSet<Date> {
    let may_run = |occurrence: &&Occurrence| !matches!(occurrence.outcome, Outcome::NotGenerated { .. });
    occurrences.iter().filter(may_run).map(|occurrence| occurrence.date).collect()
}

fn never_together(net: &Net<'_>, own: &[Occurrence], all: &BTreeMap<&str, Vec<Occurrence>>) -> Vec<Finding> {
    let dates = dates_of(own);
    let waits = net.waits.iter().filter(|wait| wait.same_date);
    let lonely = waits.filter(|wait| {
        let theirs = all.get(wait.net.as_str()).map_or_else(BTreeSet::new, |theirs| dates_of(theirs));
        !dates.is_empty() && dates.is_disjoint(&theirs)
    });
    lonely
        .map(|wait| {
            let doubt = Doubt::NeverTogether { waits_for: wait.net.clone() };
            finding(None, doubt, dates.iter().copied().collect())
        })
        .collect()
}

fn ends_late(net: &Net<'_>, own: &[Occurrence]) -> Option<Finding> {
    let (seconds, end_by) = (net.seconds?, net.end_by?);
    let calendar = &net.schedule.calendar;
    let late = own.iter().filter(|run| {
        let end = end_by.instant(run.date, calendar.day_start, &net.schedule.zone);
        starts(run).any(|(_, start)| start.plus_seconds(seconds.into()) > end)
    });
    let dates: Vec<Date> = late.map(|run| run.date).collect();
    (!dates.is_empty()).then(|| finding(None, Doubt::EndsLate { end_by }, dates))
}

/// Ways along waits that lead back to where they began, each once.
fn cycles(nets: &[Net<'_>]) -> Vec<Vec<String>> {
    let waits: BTreeMap<&str, Vec<&str>> = nets
        .iter()
        .map(|net| (net.schedule.net.as_str(), net.waits.iter().map(|wait| wait.net.as_str()).collect()))
        .collect();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    let mut found = vec![];
    for start in waits.keys() {
        // Depth first, with a stack of its own: a chain of waits may be long.
        let mut way: Vec<(&str, usize)> = vec![(start, 0)];
        let mut on_way: BTreeSet<&str> = BTreeSet::from([*start]);
        if done.contains(start) {
            continue;
        }
        while let Some((net, next)) = way.last_mut() {
            let waited = waits.get(net).and_then(|waits| waits.get(*next)).copied();
            *next += 1;
            match waited {
                None => {
                    done.insert(net);
                    on_way.remove(net);
                    way.pop();
                }
                Some(waited) if on_way.contains(waited) => {
                    let cycle = way.iter().map(|(net, _)| *net).skip_while(|net| *net != waited);
                    found.push(cycle.map(str::to_owned).collect());
                }
                Some(waited) if !done.contains(waited) => {
                    on_way.insert(waited);
                    way.push((waited, 0));
                }
                Some(_) => {}
            }
        }
    }
    found
}
