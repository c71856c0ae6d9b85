//! Moments by picture: `$fromMillis(0, "[Y]-[M01]-[D01]")`. (XPath F&O 3.1, section 9.8)

use std::collections::BTreeMap;

use regex_lite::RegexBuilder;

use super::super::error::{Error, Outcome, quoted};
use super::super::text;
use super::super::value::Value;
use super::Given;
use super::integers::{Case, Picture, cased};
use crate::limits::JSONATA_PATTERN_BYTES_MAX;

const DAY: i64 = 86_400_000;
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// JavaScript's moments reach so far from 1970.
const MILLIS_MAX: f64 = 8.64e15;

/// Bytes of a picture. It becomes a regular expression, which is dear.
const PICTURE_BYTES_MAX: usize = 512;

pub(super) fn now(given: &Given<'_, '_>) -> Outcome<Value> {
    write(given, given.run.world.now().0 as f64, 0)
}

pub(super) fn millis(given: &Given<'_, '_>) -> Outcome<Value> {
    Ok(Value::number(given.run.world.now().0 as f64))
}

pub(super) fn from_millis(given: &Given<'_, '_>) -> Outcome<Value> {
    match given.number(0) {
        Some(millis) => write(given, millis, 1),
        None => Ok(Value::Undefined),
    }
}

pub(super) fn to_millis(given: &Given<'_, '_>) -> Outcome<Value> {
    let Some(text) = given.text(0) else { return Ok(Value::Undefined) };
    given.budget().scan(text.len())?;
    match given.text(1) {
        None => match read_iso(text) {
            Some(millis) => Ok(Value::number(millis)),
            None => Err(Error::of_value("D3110", quoted(text))),
        },
        Some(picture) => {
            given.budget().step(8 * (text.len() + picture.len()))?;
            let millis = read(text, &parse(picture)?, given.run.world.now().0)?;
            Ok(millis.map_or(Value::Undefined, Value::number))
        }
    }
}

/// The moment with the picture and the time zone of the arguments from `first` on.
fn write(given: &Given<'_, '_>, millis: f64, first: usize) -> Outcome<Value> {
    let picture = given.text(first).map_or("[Y0001]-[M01]-[D01]T[H01]:[m01]:[s01].[f001][Z01:01t]", |text| text);
    let offset = given.text(first + 1).map_or(0, |zone| leading_integer(zone).unwrap_or_default() as i64);
    let offset = (offset.div_euclid(100), offset % 100);
    let parts = parse(picture)?;
    given.budget().step(4 * parts.len())?;
    let local = millis.trunc() + (60 * offset.0 + offset.1) as f64 * 60_000.0;
    if local.is_nan() || local.abs() > MILLIS_MAX {
        return Err(Error::of_value("D1001", text::number(millis)));
    }
    let moment = Moment(local as i64);
    let mut text = String::new();
    for part in &parts {
        match part {
            Part::Literal(literal) => text.push_str(literal),
            Part::Marker(marker) => text.push_str(&marker.write(moment, offset)?),
        }
    }
    given.make(text)
}

fn leading_integer(text: &str) -> Option<f64> {
    let text = text.trim_start();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = &digits[..digits.len() - digits.trim_start_matches(|sign: char| sign.is_ascii_digit()).len()];
    digits.parse::<f64>().ok().map(|number| sign * number)
}

// The calendar.

/// Milliseconds since 1970, without a zone.
#[derive(Clone, Copy)]
struct Moment(i64);

/// Days since 1970 of a date in the Gregorian calendar; months beyond a year's run on.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = (year + (month - 1).div_euclid(12), (month - 1).rem_euclid(12) + 1);
    // Years begin in March, so that the leap day is the last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

impl Moment {
    /// Year, month and day.
    fn date(self) -> (i64, i64, i64) {
        let days = self.0.div_euclid(DAY) + 719_468;
        let era = days.div_euclid(146_097);
        let day = days.rem_euclid(146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day_of_year = day - (365 * year + year / 4 - year / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year + era * 400 + i64::from(month <= 2);
        (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
    }

    fn time(self) -> i64 {
        self.0.rem_euclid(DAY)
    }

    /// From Monday, 1, to Sunday, 7.
    fn weekday(self) -> i64 {
        (self.0.div_euclid(DAY) + 3).rem_euclid(7) + 1
    }

    /// The day on which a year's or a month's first week begins: that with its first Thursday.
    fn first_week(year: i64, month: i64) -> i64 {
        let first = days_of(year, month, 1);
        let weekday = Moment(first * DAY).weekday();
        if weekday > 4 { first + 8 - weekday } else { first - (weekday - 1) }
    }

    /// Which week it is, counted from `this`, when the next count begins at `next` and the last one began at `last`.
    fn week(self, this: i64, next: i64, last: i64, most: i64) -> i64 {
        let today = self.0.div_euclid(DAY);
        let week = (today - this).div_euclid(7) + 1;
        if week > most && today >= next {
            return 1;
        }
        if week < 1 {
            return (today - last).div_euclid(7) + 1;
        }
        week
    }

    fn component(self, component: char) -> Option<i64> {
        let (year, month, day) = self.date();
        let days = self.0.div_euclid(DAY);
        let time = self.time();
        let hour = time / 3_600_000;
        Some(match component {
            'Y' => year,
            'M' => month,
            'D' => day,
            'd' => days - days_of(year, 1, 1) + 1,
            'F' => self.weekday(),
            'W' => {
                let week = |year| Moment::first_week(year, 1);
                self.week(week(year), week(year + 1), week(year - 1), 52)
            }
            'w' => {
                let week = |month| Moment::first_week(year, month);
                let week = |month: i64| match month {
                    0 => Moment::first_week(year - 1, 12),
                    13 => Moment::first_week(year + 1, 1),
                    month => week(month),
                };
                self.week(week(month), week(month + 1), week(month - 1), 4)
            }
            'X' => {
                if days < Moment::first_week(year, 1) {
                    year - 1
                } else if days >= Moment::first_week(year + 1, 1) {
                    year + 1
                } else {
                    year
                }
            }
            'x' => {
                let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
                if days < Moment::first_week(year, month) {
                    if month == 1 { 12 } else { month - 1 }
                } else if days >= Moment::first_week(next.0, next.1) {
                    next.1
                } else {
                    month
                }
            }
            'H' => hour,
            'h' => (hour + 11) % 12 + 1,
            'P' => i64::from(hour >= 12),
            'm' => time / 60_000 % 60,
            's' => time / 1_000 % 60,
            'f' => time % 1_000,
            _ => return None,
        })
    }
}

// Pictures.

enum Part {
    Literal(String),
    Marker(Marker),
}

struct Marker {
    component: char,
    names: Option<Case>,
    width_max: Option<usize>,
    /// `[Z01:01t]`: no offset is `Z`.
    zulu: bool,
    integer: Option<Picture>,
    /// Digits of a year, a month, a day: as many as are read, and a year's last ones that are written.
    digits: Option<usize>,
}

fn parse(picture: &str) -> Outcome<Vec<Part>> {
    if picture.len() > PICTURE_BYTES_MAX {
        return Err(Error::memory());
    }
    let mut parts = Vec::new();
    let mut rest = picture;
    while let Some(at) = rest.find('[') {
        literal(&rest[..at], &mut parts);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('[') {
            parts.push(Part::Literal("[".to_owned()));
            rest = after;
            continue;
        }
        let Some(end) = rest.find(']') else { return Err(Error::plain("D3135")) };
        let marker: String = rest[..end].split_whitespace().collect();
        parts.push(Part::Marker(Marker::parse(&marker)?));
        rest = &rest[end + 1..];
    }
    literal(rest, &mut parts);
    Ok(parts)
}

fn literal(text: &str, parts: &mut Vec<Part>) {
    if !text.is_empty() {
        parts.push(Part::Literal(text.replace("]]", "]")));
    }
}

fn default_presentation(component: char) -> Option<&'static str> {
    Some(match component {
        'Y' | 'M' | 'D' | 'd' | 'W' | 'w' | 'X' | 'x' | 'H' | 'h' | 'f' => "1",
        'F' | 'P' | 'C' | 'E' => "n",
        'm' | 's' => "01",
        'Z' | 'z' => "01:01",
        _ => return None,
    })
}

impl Marker {
    fn parse(marker: &str) -> Outcome<Marker> {
        let component = marker.chars().next().unwrap_or_default();
        let rest = &marker[component.len_utf8().min(marker.len())..];
        let (presentation, width) = match rest.rsplit_once(',') {
            Some((presentation, width)) => (presentation, Some(width)),
            None => (rest, None),
        };
        let (width_min, width_max) = match width.map(|width| width.split_once('-').unwrap_or((width, "*"))) {
            Some((min, max)) => {
                let width = |text| leading_integer(text).map(|width| width.clamp(0.0, 20.0) as usize);
                (width(min), width(max))
            }
            None => (None, None),
        };
        let known = default_presentation(component);
        let last = presentation.chars().last().filter(|sign| presentation.len() > 1 && "atco".contains(*sign));
        let first = match last {
            Some(_) => &presentation[..presentation.len() - 1],
            None if presentation.is_empty() => {
                known.ok_or_else(|| Error::of_value("D3132", quoted(&component.to_string())))?
            }
            None => presentation,
        };
        let names = match (first.starts_with('n'), first.starts_with("Nn"), first.starts_with('N')) {
            (true, _, _) => Some(Case::Lower),
            (_, true, _) => Some(Case::Title),
            (_, _, true) => Some(Case::Upper),
            (_, _, _) => None,
        };
        let mut made = Marker { component, names, width_max, zulu: last == Some('t'), integer: None, digits: None };
        if names.is_none() && "YMDdFWwXxHhmsf".contains(component) {
            let mut integer = Picture::parse(&last.map_or_else(|| first.to_owned(), |last| format!("{first};{last}")))?;
            if let Some(min) = width_min.filter(|min| integer.mandatory().is_some_and(|digits| digits < *min)) {
                integer.set_mandatory(min);
            }
            if "YMD".contains(component) {
                if let Some(max) = width_max {
                    made.digits = Some(max);
                    integer.set_mandatory(max);
                } else {
                    made.digits =
                        integer.mandatory().map(|digits| digits + integer.optional()).filter(|digits| *digits >= 2);
                }
            }
            made.integer = Some(integer);
        }
        if matches!(component, 'Z' | 'z') {
            made.integer = Some(Picture::parse(first)?);
        }
        Ok(made)
    }

    fn write(&self, moment: Moment, offset: (i64, i64)) -> Outcome<String> {
        match self.component {
            'Z' | 'z' => return self.write_zone(offset),
            'P' => {
                let text = if moment.component('P') == Some(1) { "pm" } else { "am" };
                return Ok(cased(
                    text.to_owned(),
                    self.names.filter(|case| *case == Case::Upper).unwrap_or(Case::Title),
                ));
            }
            'C' | 'E' => return Ok("ISO".to_owned()),
            _ => {}
        }
        let Some(mut value) = moment.component(self.component) else {
            return Err(Error::of_value("D3132", quoted(&self.component.to_string())));
        };
        if let Some(case) = self.names {
            let name = match self.component {
                'M' | 'x' => MONTHS[(value - 1).rem_euclid(12) as usize],
                'F' => DAYS[(value - 1).rem_euclid(7) as usize],
                other => return Err(Error::of_value("D3133", quoted(&other.to_string()))),
            };
            return Ok(cased(name.chars().take(self.width_max.unwrap_or(usize::MAX)).collect(), case));
        }
        if let ('Y', Some(digits)) = (self.component, self.digits) {
            value %= 10i64.saturating_pow(digits as u32);
        }
        self.integer.as_ref().map_or(Ok(String::new()), |picture| picture.format(value as f64))
    }

    fn write_zone(&self, (hours, minutes): (i64, i64)) -> Outcome<String> {
        let offset = hours * 100 + minutes;
        if offset == 0 && self.zulu {
            return Ok("Z".to_owned());
        }
        let Some(picture) = &self.integer else { return Ok(String::new()) };
        let text = if picture.regular_separator().is_some() {
            picture.format(offset as f64)?
        } else {
            match picture.mandatory() {
                Some(1 | 2) => {
                    let minutes = if minutes == 0 { String::new() } else { format!(":{minutes:02}") };
                    picture.format(hours as f64)? + &minutes
                }
                Some(3 | 4) => picture.format(offset as f64)?,
                _ => return Err(Error::plain("D3134")),
            }
        };
        let sign = if offset >= 0 { "+" } else { "" };
        let zone = if self.component == 'z' { "GMT" } else { "" };
        Ok(format!("{zone}{sign}{text}"))
    }

    /// The regular expression of the texts that it reads.
    fn pattern(&self) -> Outcome<String> {
        if matches!(self.component, 'Z' | 'z') {
            let zone = if self.component == 'z' { "GMT" } else { "" };
            let separator = self.integer.as_ref().and_then(Picture::regular_separator);
            let minutes = separator.map_or(String::new(), |sign| format!("{}[0-9]+", escaped(&sign.to_string())));
            return Ok(format!("{zone}[-+][0-9]+{minutes}"));
        }
        match (&self.integer, self.component) {
            (Some(picture), _) => picture.pattern(self.digits),
            (None, 'M' | 'x' | 'F' | 'P') => Ok("[a-zA-Z]+".to_owned()),
            (None, other) => Err(Error::of_value("D3133", quoted(&other.to_string()))),
        }
    }

    fn read(&self, text: &str) -> Option<f64> {
        if matches!(self.component, 'Z' | 'z') {
            return self.read_zone(text.strip_prefix("GMT").unwrap_or(text));
        }
        if let Some(picture) = &self.integer {
            return picture.read(text);
        }
        let names: &[&str] = match self.component {
            'P' => return Some(f64::from(u8::from(text.eq_ignore_ascii_case("pm")))),
            'F' => &DAYS,
            _ => &MONTHS,
        };
        let width = self.width_max.filter(|width| *width > 0).unwrap_or(usize::MAX);
        let place = names.iter().position(|name| name[..width.min(name.len())] == *text);
        place.map(|place| place as f64 + 1.0)
    }

    fn read_zone(&self, text: &str) -> Option<f64> {
        let (hours, minutes) = match self.integer.as_ref().and_then(Picture::regular_separator) {
            Some(separator) => text.split_once(separator)?,
            None if text.len() <= 3 => (text, "0"),
            None => text.split_at_checked(3)?,
        };
        Some(leading_integer(hours)? * 60.0 + leading_integer(minutes)?)
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for sign in text.chars() {
        if ".*+?^${}()|[]\\".contains(sign) {
            escaped.push('\\');
        }
        escaped.push(sign);
    }
    escaped
}

/// The moment that `text` says by a picture. What is missing before the first part comes from `now`, what is missing
/// after the last is the least.
fn read(text: &str, parts: &[Part], now: i64) -> Outcome<Option<f64>> {
    let mut pattern = "^".to_owned();
    for part in parts {
        let inner = match part {
            Part::Literal(literal) => escaped(literal),
            Part::Marker(marker) => marker.pattern()?,
        };
        pattern.push_str(&format!("({inner})"));
    }
    pattern.push('$');
    let built = RegexBuilder::new(&pattern).case_insensitive(true).size_limit(JSONATA_PATTERN_BYTES_MAX).build();
    let Ok(regex) = built else { return Err(Error::memory()) };
    let Some(found) = regex.captures(text) else { return Ok(None) };
    let mut known: BTreeMap<char, f64> = BTreeMap::new();
    for (index, part) in parts.iter().enumerate() {
        if let (Part::Marker(marker), Some(group)) = (part, found.get(index + 1)) {
            known.insert(marker.component, marker.read(group.as_str()).unwrap_or(f64::NAN));
        }
    }
    if known.is_empty() {
        return Ok(None);
    }
    moment(known, Moment(now)).map(Some)
}

fn moment(mut known: BTreeMap<char, f64>, now: Moment) -> Outcome<f64> {
    // A part that says 0 counts as none, as in the reference.
    let has = |components: &str, known: &BTreeMap<char, f64>| {
        components.chars().any(|component| known.get(&component).is_some_and(|value| *value != 0.0 && !value.is_nan()))
    };
    let only = |allowed: &str, all: &str, known: &BTreeMap<char, f64>| {
        has(allowed, known) && !all.chars().any(|one| !allowed.contains(one) && has(&one.to_string(), known))
    };
    const DATE: &str = "YXMxWwdD";
    let by_day_of_year = !only("YMD", DATE, &known) && only("Yd", DATE, &known);
    if only("XxwF", "YXMxWwdDF", &known) || only("XWF", "YXMxWwdDF", &known) {
        return Err(Error::plain("D3136"));
    }
    const TIME: &str = "PHhmsf";
    let half_days = !only("Hmsf", TIME, &known) && only("Phmsf", TIME, &known);
    let date = if by_day_of_year { "Yd" } else { "YMD" };
    let time = if half_days { "Phmsf" } else { "Hmsf" };
    let (mut begun, mut ended) = (false, false);
    for component in date.chars().chain(time.chars()) {
        let is_known = known.contains_key(&component);
        if is_known {
            begun = true;
            if ended {
                return Err(Error::plain("D3136"));
            }
        } else if begun {
            known.insert(component, if "MDd".contains(component) { 1.0 } else { 0.0 });
            ended = true;
        } else {
            known.insert(component, now.component(component).unwrap_or_default() as f64);
        }
    }
    let value = |component| known.get(&component).copied().unwrap_or_default();
    let whole = |component| value(component) as i64;
    if known.values().any(|value| value.is_nan() || value.abs() > 1e9) {
        return Ok(f64::NAN);
    }
    let days = if by_day_of_year {
        days_of(whole('Y'), 1, 1) + whole('d') - 1
    } else {
        days_of(whole('Y'), whole('M').max(1), whole('D'))
    };
    let hours = if half_days { value('h') % 12.0 + 12.0 * value('P') } else { value('H') };
    let seconds = hours * 3600.0 + value('m') * 60.0 + value('s');
    let zone = known.get(&'Z').or(known.get(&'z')).copied().unwrap_or_default();
    Ok(days as f64 * DAY as f64 + seconds * 1000.0 + value('f') - zone * 60_000.0)
}

/// `1970-01-01T00:00:00.000Z` and its shorter forms.
fn read_iso(text: &str) -> Option<f64> {
    let digits = |text: &str, from: usize, len: usize| -> Option<i64> {
        let part = text.get(from..from + len)?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?
    };
    let mut rest = text.get(4..)?;
    let year = digits(text, 0, 4)?;
    let (mut month, mut day, mut millis) = (1, 1, 0.0);
    if let Some(after) = rest.strip_prefix('-').filter(|after| digits(after, 0, 2).is_some()) {
        month = digits(after, 0, 2)?;
        rest = &after[2..];
        if let Some(after) = rest.strip_prefix('-').filter(|after| digits(after, 0, 2).is_some()) {
            day = digits(after, 0, 2)?;
            rest = &after[2..];
        }
    }
    if let Some(after) = rest.strip_prefix('T') {
        if after.as_bytes().get(2) != Some(&b':') || after.as_bytes().get(5) != Some(&b':') {
            return None;
        }
        let (hour, minute, second) = (digits(after, 0, 2)?, digits(after, 3, 2)?, digits(after, 6, 2)?);
        if hour > 24 || minute > 59 || second > 59 {
            return None;
        }
        millis = ((hour * 60 + minute) * 60 + second) as f64 * 1000.0;
        rest = &after[8..];
        if let Some(fraction) = rest.strip_prefix('.') {
            let len = fraction.len() - fraction.trim_start_matches(|sign: char| sign.is_ascii_digit()).len();
            millis += (format!("0.{}", &fraction[..len]).parse::<f64>().ok()? * 1000.0).trunc();
            rest = &fraction[len..];
        }
    }
    let zone = match rest {
        "" | "Z" => 0,
        zone => {
            let sign = match zone.as_bytes()[0] {
                b'+' => 1,
                b'-' => -1,
                _ => return None,
            };
            let minutes = zone.get(3..)?;
            let minutes = minutes.strip_prefix(':').unwrap_or(minutes);
            if minutes.len() != 2 {
                return None;
            }
            sign * (digits(zone, 1, 2)? * 60 + digits(minutes, 0, 2)?)
        }
    };
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    Some(days_of(year, month, day) as f64 * DAY as f64 + millis - zone as f64 * 60_000.0)
}
