//! The national holidays as the law has them (国民の祝日に関する法律), to propose years that nobody has published.
//!
//! **It does not know** what parliament will decide: an extra holiday, a day moved for once. So what comes from here is a
//! proposal, and counts only when someone has approved it.

use std::collections::BTreeMap;

use jiff::civil::{Date, Weekday};

use crate::date::plus;

/// The years for which the law of today and the formula of the equinoxes hold.
pub const YEAR_MIN: i16 = 2022;
pub const YEAR_MAX: i16 = 2099;

enum When {
    Day(i8),
    Monday(i8),
    SpringEquinox,
    AutumnEquinox,
}

const LAW: &[(i8, When, &str)] = &[
    (1, When::Day(1), "元日"),
    (1, When::Monday(2), "成人の日"),
    (2, When::Day(11), "建国記念の日"),
    (2, When::Day(23), "天皇誕生日"),
    (3, When::SpringEquinox, "春分の日"),
    (4, When::Day(29), "昭和の日"),
    (5, When::Day(3), "憲法記念日"),
    (5, When::Day(4), "みどりの日"),
    (5, When::Day(5), "こどもの日"),
    (7, When::Monday(3), "海の日"),
    (8, When::Day(11), "山の日"),
    (9, When::Monday(3), "敬老の日"),
    (9, When::AutumnEquinox, "秋分の日"),
    (10, When::Monday(2), "スポーツの日"),
    (11, When::Day(3), "文化の日"),
    (11, When::Day(23), "勤労感謝の日"),
];

/// What the Cabinet Office calls a day that is free because of those beside it.
const FREE: &str = "休日";

/// The holidays of `year` by the law; nothing outside the years for which it can be said.
pub fn holidays(year: i16) -> Option<BTreeMap<Date, String>> {
    if !(YEAR_MIN..=YEAR_MAX).contains(&year) {
        return None;
    }
    let national: BTreeMap<Date, String> =
        LAW.iter().map(|(month, when, name)| (day(year, *month, when), (*name).to_owned())).collect();
    let mut all = national.clone();
    for date in national.keys() {
        if date.weekday() == Weekday::Sunday {
            all.insert(substitute(*date, &national), FREE.to_owned());
        }
    }
    // Article 3, paragraph 3: a day between two national holidays, where it is none itself (国民の休日).
    for date in national.keys() {
        let between = plus(*date, 1);
        if !all.contains_key(&between) && national.contains_key(&plus(*date, 2)) {
            all.insert(between, FREE.to_owned());
        }
    }
    Some(all)
}

/// Article 3, paragraph 2: the next day that is not a national holiday (振替休日).
fn substitute(sunday: Date, national: &BTreeMap<Date, String>) -> Date {
    let mut date = plus(sunday, 1);
    while national.contains_key(&date) {
        date = plus(date, 1);
    }
    date
}

fn day(year: i16, month: i8, when: &When) -> Date {
    let date = |day| Date::new(year, month, day).expect("each day of the law is in its month");
    match when {
        When::Day(day) => date(*day),
        When::Monday(nth) => {
            let first = date(1);
            let to_monday = (8 - first.weekday().to_monday_one_offset()) % 7;
            date(1 + to_monday + 7 * (nth - 1))
        }
        When::SpringEquinox => date(equinox(year, 20.8431)),
        When::AutumnEquinox => date(equinox(year, 23.2488)),
    }
}

/// The day of an equinox by the usual approximation, which holds until 2099. The almanac's word comes each February for
/// the year after.
fn equinox(year: i16, day_1980: f64) -> i8 {
    let years = f64::from(year - 1980);
    (day_1980 + 0.242194 * years - (years / 4.0).floor()) as i8
}
