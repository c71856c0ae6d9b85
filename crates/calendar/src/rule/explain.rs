//! Why a net runs on a day, or does not.

use std::fmt;

use jiff::civil::Date;

use super::definition::{Offset, RuleId, Shift};
use super::schedule::{Excluded, Occurrence, Outcome, Planned, Reason, Schedule, Trail, starts};
use crate::date::{Days, Month, weekday_name};
use crate::shelf::{Day, State};

/// Everything that is to be said of a net and a date. Its `Display` is the short form, in signs rather than words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    pub net: String,
    pub date: Date,
    pub day: Day,
    pub month: Month,
    pub zone: String,
    pub rules: Vec<RuleExplanation>,
}

/// What a rule has to do with a date: what comes of it on that date, and where its nominal date on that day went. Nothing
/// where it does not name the date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleExplanation {
    pub rule: RuleId,
    pub shift: Shift,
    pub offset: Option<Offset>,
    pub occurrences: Vec<Occurrence>,
}

impl Schedule {
    /// Why the net runs on `date`, or why it does not.
    pub fn explain(&self, date: Date, planned: Planned<'_>) -> Explanation {
        let reach = self.rules.iter().map(|rule| rule.reach()).max().unwrap_or(0);
        let all = self.occurrences(Days::new(date, date).widened(reach), planned);
        let touches = |occurrence: &&Occurrence| occurrence.date == date || occurrence.nominal().any(|day| day == date);
        let rules = self.rules.iter().map(|rule| RuleExplanation {
            rule: rule.id,
            shift: rule.on_closed.shift,
            offset: rule.offset,
            occurrences: all.iter().filter(|occurrence| occurrence.rule == rule.id).filter(touches).cloned().collect(),
        });
        Explanation {
            net: self.net.clone(),
            date,
            day: self.calendar.day(date),
            month: self.calendar.month(date),
            zone: self.zone.name().to_owned(),
            rules: rules.collect(),
        }
    }
}

impl State {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            State::Open => "open",
            State::Closed => "closed",
            State::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weekday = weekday_name(self.date.weekday());
        writeln!(f, "{} {} ({weekday}) {} month {}", self.net, self.date, self.day.state.name(), self.month)?;
        for rule in &self.rules {
            if rule.occurrences.is_empty() {
                writeln!(f, "rule {}: –", rule.rule)?;
            }
            for occurrence in &rule.occurrences {
                for trail in &occurrence.trails {
                    write!(f, "rule {}: ", rule.rule)?;
                    rule.trail(f, trail)?;
                    outcome(f, occurrence, &self.zone)?;
                    writeln!(f)?;
                }
            }
        }
        Ok(())
    }
}

impl RuleExplanation {
    fn trail(&self, f: &mut fmt::Formatter<'_>, trail: &Trail) -> fmt::Result {
        let nominal = trail.nominal;
        write!(f, "anchor {nominal} ({}) {}", weekday_name(nominal.weekday()), trail.state.name())?;
        match trail.shifted {
            Some(date) if date != nominal => write!(f, " → shift {}", short(date))?,
            Some(_) => write!(f, " → shift –")?,
            None => {}
        }
        let counted: Vec<String> = trail.counted.iter().map(|date| short(*date)).collect();
        match self.offset {
            Some(Offset::Open { open_days, .. }) if trail.shifted.is_some() => {
                write!(f, " → offset {open_days:+} od: {}", counted.join(", "))
            }
            Some(Offset::Calendar { calendar_days, .. }) if trail.shifted.is_some() => {
                write!(f, " → offset {calendar_days:+} d: {}", counted.join(", "))
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn outcome(f: &mut fmt::Formatter<'_>, occurrence: &Occurrence, zone: &str) -> fmt::Result {
    match &occurrence.outcome {
        Outcome::Planned { slots } => {
            write!(f, " → business {}", occurrence.date)?;
            if occurrence.trails.len() > 1 {
                write!(f, " MERGED {}", occurrence.trails.len())?;
            }
            let clocks: Vec<String> = starts(occurrence).take(5).map(|(clock, _)| clock.to_string()).collect();
            if !clocks.is_empty() {
                let more = if slots.len() > clocks.len() { " …" } else { "" };
                write!(f, " → {}{more} {zone}", clocks.join(", "))?;
            }
            match slots.iter().find_map(|slot| slot.merged_into) {
                Some(rule) => write!(f, " MERGED into rule {rule}"),
                None => Ok(()),
            }
        }
        Outcome::Held { unknown } => write!(f, " → HELD/CALENDAR_HORIZON {unknown}"),
        Outcome::NotGenerated { reason } => write!(f, " → NOT_GENERATED/{reason}"),
    }
}

fn short(date: Date) -> String {
    format!("{}/{}", date.month(), date.day())
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::ShiftExhausted => f.write_str("SHIFT_EXHAUSTED"),
            Reason::CancelledByRule => f.write_str("CANCELLED_BY_RULE"),
            Reason::OffsetExhausted => f.write_str("OFFSET_EXHAUSTED"),
            Reason::NotValid => f.write_str("NOT_VALID"),
            Reason::Excluded(Excluded::Calendar(calendar)) => write!(f, "EXCLUDED:{calendar}"),
            Reason::Excluded(Excluded::Date) => f.write_str("EXCLUDED:date"),
            Reason::Excluded(Excluded::NetPlanned(net)) => write!(f, "EXCLUDED:{net}"),
            Reason::Excluded(Excluded::Suspended { to }) => write!(f, "EXCLUDED:suspended until {to}"),
        }
    }
}
