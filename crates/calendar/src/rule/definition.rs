//! A schedule rule as it is written and kept.

use std::collections::BTreeSet;

use jiff::civil::{Date, Weekday};
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::cron;
use crate::date::{DATE_MAX, DATE_MIN, WeekdayName};
use crate::ical::Recur;

/// How far a shift may go, how many days an offset may search or span, and with both how far a run can be from its
/// nominal date.
pub const SHIFT_DAYS_MAX: u32 = 31;
pub const OFFSET_DAYS_MAX: u32 = 62;
pub const REACH_DAYS_MAX: i32 = (2 * SHIFT_DAYS_MAX + OFFSET_DAYS_MAX) as i32;
/// How many dates and exclusions a rule has, and how many times a day all rules of a net have: one for each minute.
pub const RULE_DATES_MAX: usize = 4_000;
pub const EXCLUDES_MAX: usize = 16;
pub const SLOTS_MAX: usize = 24 * 60;

/// A rule's number; of two that start a net at the same instant, the lower one counts.
pub type RuleId = u16;

/// When a net runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    pub id: RuleId,
    pub anchor: Anchor,
    #[serde(default)]
    pub on_closed: OnClosed,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<Offset>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Exclude>,
    #[serde(default, skip_serializing_if = "Validity::is_always")]
    pub valid: Validity,
    #[serde(default)]
    pub merge: Merge,
    #[serde(default, skip_serializing_if = "Times::is_none")]
    pub times: Times,
    #[serde(default)]
    pub missed: Missed,
    #[serde(default)]
    pub overlap: Overlap,
}

/// Which dates a rule names, before anything moves them: the nominal dates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "AnchorText", into = "AnchorText")]
pub struct Anchor {
    pub kind: AnchorKind,
    /// Only in these months; none stands for all.
    pub months: BTreeSet<i8>,
    /// Where it is not said, such a month is skipped.
    pub missing_day: Option<MissingDay>,
    pub period: Period,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnchorKind {
    /// A day of the calendar month.
    Day(i8),
    /// So many days before the last of the period.
    DayFromEnd(i8),
    /// The nth day of the period (相対日).
    OpDay(i8),
    OpenDay(Nth),
    ClosedDay(Nth),
    Weekday(NthWeekday, Weekday),
    Every {
        n: u16,
        unit: Unit,
        from: Date,
    },
    Dates(BTreeSet<Date>),
    Each(Each),
    Cron(cron::Days),
    Rrule {
        rule: Box<Recur>,
        from: Date,
    },
}

/// The nth from the beginning, or so many before the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nth {
    FromStart(u8),
    FromEnd(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NthWeekday {
    Every,
    Nth(u8),
    Last,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Unit {
    Day,
    Week,
    Month,
    Year,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Each {
    OpenDay,
    ClosedDay,
    Day,
}

/// What happens in a month that has no such day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MissingDay {
    Skip,
    Last,
}

/// Whose months what is counted within a month is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Period {
    #[default]
    OperationalMonth,
    CalendarMonth,
}

/// What happens when the nominal date is closed (休日シフト).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OnClosed {
    #[serde(default)]
    pub shift: Shift,
    /// How many days it may move at most (振り替え猶予日数).
    #[serde(default = "shift_days")]
    pub max_shift: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Shift {
    #[default]
    None,
    Cancel,
    Before,
    After,
    /// The nearer of the two; before, where both are as near.
    Nearest,
    /// Before, but after where that would leave the month.
    BeforeWithinMonth,
    AfterWithinMonth,
}

/// Days counted from the date that the shift gave (起算).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Offset {
    Open {
        open_days: i32,
        #[serde(default = "offset_days")]
        search_days: u32,
    },
    Calendar {
        calendar_days: i32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        re_shift: Option<ReShift>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ReShift {
    Before,
    After,
}

/// Business dates on which a rule does not run (排他); it is not moved because of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields, untagged)]
pub enum Exclude {
    /// The days on which another calendar is open: a calendar as a set of days, as when calendars are combined.
    Calendar {
        calendar: String,
    },
    Dates {
        dates: BTreeSet<Date>,
    },
    /// The days on which another net is planned.
    NetPlanned {
        net_planned: String,
    },
    /// The whole rule is suspended from one day through another.
    Suspended {
        suspended: Suspended,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suspended {
    pub from: Date,
    pub to: Date,
}

/// From which business date until which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validity {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
}

/// What happens to several nominal dates of one rule that come to the same business date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Merge {
    #[default]
    SameDate,
    Each,
}

/// At which times of its business date a rule runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Times {
    At(BTreeSet<Clock>),
    Every(EveryMinutes),
    /// Whenever something else starts it (時刻なし).
    #[default]
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EveryMinutes {
    pub every_minutes: u32,
    pub from: Clock,
    /// The last time that may be one.
    pub to: Clock,
}

/// What happens to a slot that passed while nothing could start. Decided elsewhere; kept with the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Missed {
    #[serde(default)]
    pub policy: MissedPolicy,
    /// How long after its time a run may still begin, as `+02:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Clock>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MissedPolicy {
    #[default]
    RunLate,
    Skip,
    Last,
    All,
    Hold,
}

/// What happens when the run before has not ended. Decided elsewhere; kept with the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Overlap {
    Skip,
    #[default]
    Wait,
    Parallel,
    CancelRunning,
}

fn shift_days() -> u32 {
    SHIFT_DAYS_MAX
}

fn offset_days() -> u32 {
    OFFSET_DAYS_MAX
}

/// Why a rule is refused when it is saved, with the code of the lint that speaks of it where there is one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    #[error("rule {rule}: maxShift is 0 to {SHIFT_DAYS_MAX} (L1)")]
    MaxShift { rule: RuleId },
    #[error("rule {rule}: an offset is at most {OFFSET_DAYS_MAX} days, and searches no more")]
    Offset { rule: RuleId },
    #[error("rule {rule}: {count} dates or times are too many")]
    TooMany { rule: RuleId, count: usize },
    #[error("rule {rule}: {date} is not within {DATE_MIN} and {DATE_MAX}")]
    Date { rule: RuleId, date: Date },
    #[error("rule {rule}: it ends on {until}, before it begins on {from} (L2)")]
    Validity { rule: RuleId, from: Date, until: Date },
    #[error("rule {rule}: the times go from {from} to {to}, by at least a minute")]
    Times { rule: RuleId, from: Clock, to: Clock },
}

impl Rule {
    /// A rule that runs on the dates of `anchor`, wherever the business is open or not.
    pub fn new(id: RuleId, kind: AnchorKind) -> Rule {
        Rule {
            id,
            anchor: Anchor::new(kind),
            on_closed: OnClosed::default(),
            offset: None,
            exclude: vec![],
            valid: Validity::default(),
            merge: Merge::default(),
            times: Times::None,
            missed: Missed::default(),
            overlap: Overlap::default(),
        }
    }

    /// Whether it stays within what a rule may say.
    pub fn check(&self) -> Result<(), RuleError> {
        let rule = self.id;
        if self.on_closed.max_shift > SHIFT_DAYS_MAX {
            return Err(RuleError::MaxShift { rule });
        }
        let (days, search) = match self.offset {
            Some(Offset::Open { open_days, search_days }) => (open_days, search_days),
            Some(Offset::Calendar { calendar_days, .. }) => (calendar_days, 0),
            None => (0, 0),
        };
        if days.unsigned_abs() > OFFSET_DAYS_MAX || search > OFFSET_DAYS_MAX {
            return Err(RuleError::Offset { rule });
        }
        if self.exclude.len() > EXCLUDES_MAX {
            return Err(RuleError::TooMany { rule, count: self.exclude.len() });
        }
        if let (Some(from), Some(until)) = (self.valid.from, self.valid.until)
            && until < from
        {
            return Err(RuleError::Validity { rule, from, until });
        }
        self.check_dates()?;
        self.times.check(rule)
    }

    fn check_dates(&self) -> Result<(), RuleError> {
        let rule = self.id;
        let none = BTreeSet::new();
        let own = match &self.anchor.kind {
            AnchorKind::Dates(dates) => dates,
            _ => &none,
        };
        let excluded = self.exclude.iter().flat_map(|exclude| match exclude {
            Exclude::Dates { dates } => dates.iter(),
            Exclude::Calendar { .. } | Exclude::NetPlanned { .. } | Exclude::Suspended { .. } => none.iter(),
        });
        let begins = match &self.anchor.kind {
            AnchorKind::Every { from, .. } | AnchorKind::Rrule { from, .. } => Some(from),
            _ => None,
        };
        let dates: Vec<&Date> = own.iter().chain(excluded).chain(begins).collect();
        if dates.len() > RULE_DATES_MAX {
            return Err(RuleError::TooMany { rule, count: dates.len() });
        }
        match dates.into_iter().find(|date| !(DATE_MIN..=DATE_MAX).contains(*date)) {
            Some(date) => Err(RuleError::Date { rule, date: *date }),
            None => Ok(()),
        }
    }

    /// How far a run can be from its nominal date.
    pub fn reach(&self) -> i32 {
        let shift = match self.on_closed.shift {
            Shift::None | Shift::Cancel => 0,
            Shift::Before | Shift::After | Shift::Nearest | Shift::BeforeWithinMonth | Shift::AfterWithinMonth => {
                self.on_closed.max_shift
            }
        };
        let offset = match self.offset {
            None => 0,
            Some(Offset::Open { search_days, .. }) => search_days,
            Some(Offset::Calendar { calendar_days, re_shift: None }) => calendar_days.unsigned_abs(),
            Some(Offset::Calendar { calendar_days, re_shift: Some(_) }) => {
                calendar_days.unsigned_abs() + self.on_closed.max_shift
            }
        };
        ((shift + offset) as i32).min(REACH_DAYS_MAX)
    }
}

impl Times {
    pub fn is_none(&self) -> bool {
        *self == Times::None
    }

    fn check(&self, rule: RuleId) -> Result<(), RuleError> {
        match self {
            Times::At(clocks) if clocks.len() > SLOTS_MAX => Err(RuleError::TooMany { rule, count: clocks.len() }),
            Times::Every(EveryMinutes { every_minutes, from, to })
                if *every_minutes == 0
                    || to < from
                    || from.to_string().starts_with('+') != to.to_string().starts_with('+') =>
            {
                Err(RuleError::Times { rule, from: *from, to: *to })
            }
            Times::At(_) | Times::Every(_) | Times::None => Ok(()),
        }
    }

    /// The clocks in their order; none where the rule has no time.
    pub fn clocks(&self) -> Vec<Clock> {
        match self {
            Times::At(clocks) => clocks.iter().copied().collect(),
            Times::Every(EveryMinutes { every_minutes, from, to }) => {
                let seconds = every_minutes.saturating_mul(60).max(60);
                let steps = (to.seconds().saturating_sub(from.seconds()) / seconds) as usize;
                (0..=steps.min(SLOTS_MAX)).map(|step| from.later(step as u32 * seconds)).collect()
            }
            Times::None => vec![],
        }
    }
}

impl Validity {
    pub fn is_always(&self) -> bool {
        self.from.is_none() && self.until.is_none()
    }

    pub fn contains(self, date: Date) -> bool {
        self.from.is_none_or(|from| date >= from) && self.until.is_none_or(|until| date <= until)
    }
}

impl Default for OnClosed {
    fn default() -> OnClosed {
        OnClosed { shift: Shift::None, max_shift: SHIFT_DAYS_MAX }
    }
}

impl Anchor {
    pub fn new(kind: AnchorKind) -> Anchor {
        Anchor { kind, months: BTreeSet::new(), missing_day: None, period: Period::OperationalMonth }
    }

    /// Whether it counts within months, so that it matters whose they are.
    pub fn counts_within_months(&self) -> bool {
        match self.kind {
            AnchorKind::DayFromEnd(_) | AnchorKind::OpDay(_) | AnchorKind::OpenDay(_) | AnchorKind::ClosedDay(_) => {
                true
            }
            AnchorKind::Weekday(nth, _) => nth != NthWeekday::Every,
            AnchorKind::Day(_) | AnchorKind::Every { .. } | AnchorKind::Dates(_) | AnchorKind::Each(_) => false,
            AnchorKind::Cron(_) | AnchorKind::Rrule { .. } => false,
        }
    }
}

/// An anchor as it is written: one of its kinds, by its key.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AnchorText {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    day: Option<Count>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    op_day: Option<Count>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open_day: Option<Count>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    closed_day: Option<Count>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weekday: Option<WeekdayText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    every: Option<EveryText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dates: Option<BTreeSet<Date>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    each: Option<Each>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cron: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rrule: Option<RruleText>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    months: BTreeSet<i8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    missing_day: Option<MissingDay>,
    #[serde(default)]
    period: Period,
}

/// `5`, `end`, `end-2`
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Count {
    Number(u8),
    Text(String),
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WeekdayText {
    day: WeekdayName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nth: Option<Count>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EveryText {
    n: u16,
    unit: Unit,
    from: Date,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RruleText {
    rule: String,
    from: Date,
}

impl Count {
    fn nth(&self, max: u8) -> Result<Nth, String> {
        let wrong = || format!("a count is 1 to {max}, end, or end-1 to end-{}", max - 1);
        match self {
            Count::Number(n) if (1..=max).contains(n) => Ok(Nth::FromStart(*n)),
            Count::Text(text) if text == "end" => Ok(Nth::FromEnd(0)),
            Count::Text(text) => {
                let back: Option<u8> = text.strip_prefix("end-").and_then(|back| back.parse().ok());
                back.filter(|back| *back < max).map(Nth::FromEnd).ok_or_else(wrong)
            }
            Count::Number(_) => Err(wrong()),
        }
    }

    fn of(nth: Nth) -> Count {
        match nth {
            Nth::FromStart(n) => Count::Number(n),
            Nth::FromEnd(0) => Count::Text("end".to_owned()),
            Nth::FromEnd(back) => Count::Text(format!("end-{back}")),
        }
    }
}

/// The most days that a period has: 31, and of an operational month with a base day late in a month a few more.
const PERIOD_DAYS_MAX: u8 = 35;

impl TryFrom<AnchorText> for Anchor {
    type Error = String;

    fn try_from(text: AnchorText) -> Result<Anchor, String> {
        let mut kinds: Vec<AnchorKind> = vec![];
        if let Some(count) = &text.day {
            kinds.push(match count.nth(31)? {
                Nth::FromStart(day) => AnchorKind::Day(day as i8),
                Nth::FromEnd(back) => AnchorKind::DayFromEnd(back as i8),
            });
        }
        if let Some(count) = &text.op_day {
            kinds.push(match count.nth(PERIOD_DAYS_MAX)? {
                Nth::FromStart(day) => AnchorKind::OpDay(day as i8),
                Nth::FromEnd(back) => AnchorKind::DayFromEnd(back as i8),
            });
        }
        if let Some(count) = &text.open_day {
            kinds.push(AnchorKind::OpenDay(count.nth(PERIOD_DAYS_MAX)?));
        }
        if let Some(count) = &text.closed_day {
            kinds.push(AnchorKind::ClosedDay(count.nth(PERIOD_DAYS_MAX)?));
        }
        if let Some(WeekdayText { day, nth }) = &text.weekday {
            let nth = match nth {
                None => NthWeekday::Every,
                Some(Count::Number(n)) if (1..=5).contains(n) => NthWeekday::Nth(*n),
                Some(Count::Text(last)) if last == "last" => NthWeekday::Last,
                Some(_) => return Err("nth is 1 to 5, or last".to_owned()),
            };
            kinds.push(AnchorKind::Weekday(nth, day.0));
        }
        if let Some(EveryText { n, unit, from }) = text.every {
            if !(1..=1000).contains(&n) {
                return Err("n is 1 to 1000".to_owned());
            }
            kinds.push(AnchorKind::Every { n, unit, from });
        }
        kinds.extend(text.dates.map(AnchorKind::Dates));
        kinds.extend(text.each.map(AnchorKind::Each));
        if let Some(text) = &text.cron {
            let days = cron::Days::parse(text);
            kinds.push(AnchorKind::Cron(
                days.ok_or("cron is day-of-month, month, day-of-week and year: the times stand apart")?,
            ));
        }
        if let Some(RruleText { rule, from }) = &text.rrule {
            let rule = Recur::parse(rule).map_err(|error| error.to_string())?.beginning(*from);
            kinds.push(AnchorKind::Rrule { rule: Box::new(rule), from: *from });
        }
        if let Some(month) = text.months.iter().find(|month| !(1..=12).contains(*month)) {
            return Err(format!("there is no month {month}"));
        }
        let one = kinds.len() == 1;
        let kind = kinds.pop().filter(|_| one).ok_or(
            "an anchor is exactly one of day, opDay, openDay, closedDay, weekday, every, dates, each, cron and rrule",
        )?;
        Ok(Anchor { kind, months: text.months, missing_day: text.missing_day, period: text.period })
    }
}

impl From<Anchor> for AnchorText {
    fn from(anchor: Anchor) -> AnchorText {
        let mut text = AnchorText {
            months: anchor.months,
            missing_day: anchor.missing_day,
            period: anchor.period,
            ..AnchorText::default()
        };
        match anchor.kind {
            AnchorKind::Day(day) => text.day = Some(Count::Number(day as u8)),
            AnchorKind::DayFromEnd(back) => text.day = Some(Count::of(Nth::FromEnd(back as u8))),
            AnchorKind::OpDay(day) => text.op_day = Some(Count::Number(day as u8)),
            AnchorKind::OpenDay(nth) => text.open_day = Some(Count::of(nth)),
            AnchorKind::ClosedDay(nth) => text.closed_day = Some(Count::of(nth)),
            AnchorKind::Weekday(nth, day) => {
                let nth = match nth {
                    NthWeekday::Every => None,
                    NthWeekday::Nth(nth) => Some(Count::Number(nth)),
                    NthWeekday::Last => Some(Count::Text("last".to_owned())),
                };
                text.weekday = Some(WeekdayText { day: WeekdayName(day), nth });
            }
            AnchorKind::Every { n, unit, from } => text.every = Some(EveryText { n, unit, from }),
            AnchorKind::Dates(dates) => text.dates = Some(dates),
            AnchorKind::Each(each) => text.each = Some(each),
            AnchorKind::Cron(days) => text.cron = Some(days.to_string()),
            AnchorKind::Rrule { rule, from } => text.rrule = Some(RruleText { rule: rule.to_string(), from }),
        }
        text
    }
}
