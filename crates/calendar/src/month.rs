//! Operational months (運用月): months that begin on a base day (基準日), as a business closes its books.

use serde::{Deserialize, Serialize};

use crate::date::{Date, Days, Month, plus};

/// When months begin, and after which calendar month each is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, try_from = "Text")]
pub struct OperationalMonths {
    base_day: i8,
    label: Label,
}

/// After which calendar month an operational month is called (月区分): that in which it begins, or the one after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Label {
    #[default]
    This,
    Next,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Text {
    base_day: i8,
    #[serde(default)]
    label: Label,
}

impl TryFrom<Text> for OperationalMonths {
    type Error = String;

    fn try_from(text: Text) -> Result<OperationalMonths, String> {
        OperationalMonths::new(text.base_day, text.label)
            .ok_or_else(|| format!("baseDay is 1 to 31, not {}", text.base_day))
    }
}

impl Default for OperationalMonths {
    fn default() -> OperationalMonths {
        OperationalMonths::CALENDAR
    }
}

impl OperationalMonths {
    /// The months of the calendar.
    pub const CALENDAR: OperationalMonths = OperationalMonths { base_day: 1, label: Label::This };

    /// Months that begin on the day `base_day`, or on the last of a month that is shorter.
    pub fn new(base_day: i8, label: Label) -> Option<OperationalMonths> {
        (1..=31).contains(&base_day).then_some(OperationalMonths { base_day, label })
    }

    pub fn are_of_the_calendar(self) -> bool {
        self == OperationalMonths::CALENDAR
    }

    /// The operational month in which `date` lies.
    pub fn of(self, date: Date) -> Month {
        let calendar = Month::of(date);
        let begun = if date >= calendar.day_or_last(self.base_day) { calendar } else { calendar.plus(-1) };
        match self.label {
            Label::This => begun,
            Label::Next => begun.plus(1),
        }
    }

    /// The days of an operational month.
    pub fn days(self, month: Month) -> Days {
        let begun = match self.label {
            Label::This => month,
            Label::Next => month.plus(-1),
        };
        let next = begun.plus(1).day_or_last(self.base_day);
        Days { from: begun.day_or_last(self.base_day), to: plus(next, -1) }
    }
}
