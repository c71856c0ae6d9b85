//! Schedule rules: on which days a net runs, and why.

mod definition;
mod anchor;
mod moves;
mod schedule;
mod explain;
pub mod lint;

pub use definition::{
    Anchor, AnchorKind, EXCLUDES_MAX, Each, EveryMinutes, Exclude, Merge, Missed, MissedPolicy, MissingDay, Nth,
    NthWeekday, OFFSET_DAYS_MAX, Offset, OnClosed, Overlap, Period, REACH_DAYS_MAX, RULE_DATES_MAX, ReShift, Rule,
    RuleError, RuleId, SHIFT_DAYS_MAX, SLOTS_MAX, Shift, Suspended, Times, Unit, Validity,
};
pub use explain::{Explanation, RuleExplanation};
pub use schedule::{
    Excluded, Kind, NEXT_MAX, Occurrence, Outcome, Planned, RULES_MAX, Reason, SCHEDULE_BYTES_MAX, Schedule,
    ScheduleDefinition, ScheduleError, Slot, Trail,
};
