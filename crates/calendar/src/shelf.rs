//! All calendars and feeds that there are, and a calendar with everything that it names: [`Business`].

use std::collections::BTreeMap;
use std::sync::Arc;

use base::Timestamp;
use jiff::civil::Date;

use crate::clock::{Clock, business_date};
use crate::date::{Days, Month, YearDay, plus};
use crate::definition::{Combine, Definition, DefinitionError};
use crate::holiday::{Feed, Says};
use crate::month::OperationalMonths;
use crate::zone::Zone;

/// How deep calendars name one another, and of how many a calendar is made, counting each as often as it is named.
pub const DEPTH_MAX: usize = 16;
pub const PARTS_MAX: usize = 256;
/// How far an open day may be from a start that nobody planned.
const UNPLANNED_DAYS_MAX: u32 = 62;

/// Calendars and feeds by their names.
#[derive(Debug, Clone, Default)]
pub struct Shelf {
    calendars: BTreeMap<String, (u32, Arc<Definition>)>,
    feeds: BTreeMap<String, Arc<Feed>>,
}

/// Why a calendar cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    #[error("there is no calendar {name:?}")]
    NoCalendar { name: String },
    #[error("there is no feed {name:?}")]
    NoFeed { name: String },
    #[error("calendar {name:?} is made of itself: {}", .way.join(" → "))]
    Cycle { name: String, way: Vec<String> },
    #[error("calendar {name:?} is made of more than {PARTS_MAX} others, or of others more than {DEPTH_MAX} deep")]
    TooDeep { name: String },
    #[error("calendar {name:?} and those it builds on say nothing of the days of the week")]
    NoWeek { name: String },
}

/// Whether a business is open on a day. Unknown is not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Open,
    Closed,
    Unknown,
}

/// A day, and what made it so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    pub state: State,
    pub because: Because,
}

/// What made a day open, closed or unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Because {
    /// An exact date of this calendar.
    Date { calendar: String },
    /// A day of each year.
    Yearly { calendar: String },
    /// A holiday of a feed.
    Holiday { feed: String, name: String },
    /// A day of the week.
    Weekly { calendar: String },
    /// Other calendars: the one that decided.
    Combined { calendar: String },
    /// The calendar ends before.
    Horizon { through: Date },
    /// Nobody has approved this year of the feed.
    Unapproved { feed: String, year: i16 },
}

/// A calendar with all that it names: a total function from dates to [`State`].
#[derive(Debug, Clone)]
pub struct Business {
    pub name: String,
    pub version: u32,
    pub zone: Zone,
    pub day_start: Clock,
    pub months: OperationalMonths,
    horizon: Option<Date>,
    rule: Rule,
}

#[derive(Debug, Clone)]
enum Rule {
    /// The calendar, its base, that one's base …
    Layers {
        chain: Vec<Arc<Definition>>,
        feeds: Vec<Arc<Feed>>,
    },
    Union(Vec<Arc<Business>>),
    Intersect(Vec<Arc<Business>>),
    Minus(Vec<Arc<Business>>),
    Offset {
        of: Arc<Business>,
        days: i32,
    },
}

impl Shelf {
    /// Puts a calendar there, instead of an earlier version of it.
    pub fn put(&mut self, version: u32, definition: Definition) -> Result<(), ShelfError> {
        definition.check()?;
        self.calendars.insert(definition.name.clone(), (version, Arc::new(definition)));
        Ok(())
    }

    pub fn put_feed(&mut self, feed: Feed) {
        self.feeds.insert(feed.name.clone(), Arc::new(feed));
    }

    pub fn feed(&self, name: &str) -> Option<&Feed> {
        self.feeds.get(name).map(Arc::as_ref)
    }

    /// The calendar `name`, with everything that it names.
    pub fn calendar(&self, name: &str) -> Result<Arc<Business>, ShelfError> {
        Resolve { shelf: self, way: vec![], parts: 0 }.calendar(name)
    }

    fn definition(&self, name: &str) -> Result<&(u32, Arc<Definition>), ShelfError> {
        self.calendars.get(name).ok_or_else(|| ShelfError::NoCalendar { name: name.to_owned() })
    }
}

struct Resolve<'a> {
    shelf: &'a Shelf,
    way: Vec<String>,
    parts: usize,
}

impl Resolve<'_> {
    fn calendar(&mut self, name: &str) -> Result<Arc<Business>, ShelfError> {
        self.enter(name)?;
        let (version, definition) = self.shelf.definition(name)?;
        let business = match &definition.combine {
            Some(combine) => self.combined(*version, definition, combine)?,
            None => self.layers(*version, definition)?,
        };
        self.way.pop();
        Ok(Arc::new(business))
    }

    fn enter(&mut self, name: &str) -> Result<(), ShelfError> {
        let cycle = self.way.iter().any(|on_way| on_way == name);
        self.way.push(name.to_owned());
        self.parts += 1;
        let first = self.way[0].clone();
        match () {
            () if cycle => Err(ShelfError::Cycle { name: first, way: self.way.clone() }),
            () if self.way.len() > DEPTH_MAX || self.parts > PARTS_MAX => Err(ShelfError::TooDeep { name: first }),
            () => Ok(()),
        }
    }

    fn layers(&mut self, version: u32, definition: &Arc<Definition>) -> Result<Business, ShelfError> {
        let mut chain = vec![definition.clone()];
        let before = self.way.len();
        while let Some(base) = chain.last().and_then(|last| last.base.clone()) {
            self.enter(&base)?;
            let (_, base) = self.shelf.definition(&base)?;
            if base.combine.is_some() {
                return Err(DefinitionError::CombinedAndOwn.into());
            }
            chain.push(base.clone());
        }
        self.way.truncate(before);
        if chain.iter().all(|definition| definition.weekly.is_none()) {
            return Err(ShelfError::NoWeek { name: definition.name.clone() });
        }
        let feeds: Vec<_> = chain
            .iter()
            .flat_map(|definition| &definition.include)
            .map(|name| self.shelf.feeds.get(name).cloned().ok_or_else(|| ShelfError::NoFeed { name: name.clone() }))
            .collect::<Result<_, _>>()?;
        let own = chain.iter().filter_map(|definition| definition.valid_through);
        let horizon = own.chain(feeds.iter().map(|feed| feed.horizon().unwrap_or(crate::date::DATE_MIN))).min();
        let months = chain.iter().find_map(|definition| definition.operational_month).unwrap_or_default();
        Ok(Business { horizon, months, ..Business::of(version, definition, Rule::Layers { chain, feeds }) })
    }

    fn combined(&mut self, version: u32, own: &Arc<Definition>, combine: &Combine) -> Result<Business, ShelfError> {
        let mut all = |names: &[String]| names.iter().map(|name| self.calendar(name)).collect::<Result<Vec<_>, _>>();
        let rule = match combine {
            Combine::Union(names) => Rule::Union(all(names)?),
            Combine::Intersect(names) => Rule::Intersect(all(names)?),
            Combine::Minus(names) => Rule::Minus(all(names)?),
            Combine::Offset { of, days } => Rule::Offset { of: self.calendar(of)?, days: *days },
        };
        Ok(Business { horizon: own.valid_through, ..Business::of(version, own, rule) })
    }
}

impl Business {
    fn of(version: u32, definition: &Definition, rule: Rule) -> Business {
        Business {
            name: definition.name.clone(),
            version,
            zone: definition.time_zone.clone(),
            day_start: definition.day_start,
            months: definition.operational_month.unwrap_or_default(),
            horizon: definition.valid_through,
            rule,
        }
    }

    /// Whether it is open on `date`.
    pub fn state(&self, date: Date) -> State {
        if self.horizon.is_some_and(|through| date > through) {
            return State::Unknown;
        }
        match &self.rule {
            Rule::Layers { chain, feeds } => layers(chain, feeds, date).0,
            Rule::Union(parts) => any_open(parts, date),
            Rule::Intersect(parts) => all_open(parts, date),
            Rule::Minus(parts) => minus(parts, date),
            Rule::Offset { of, days } => of.state(plus(date, -days)),
        }
    }

    pub fn is_open(&self, date: Date) -> bool {
        self.state(date) == State::Open
    }

    /// Whether it is open on `date`, and why.
    pub fn day(&self, date: Date) -> Day {
        if let Some(through) = self.horizon.filter(|through| date > *through) {
            return Day { state: State::Unknown, because: Because::Horizon { through } };
        }
        match &self.rule {
            Rule::Layers { chain, feeds } => {
                let (state, because) = layers(chain, feeds, date);
                Day { state, because: because.own() }
            }
            Rule::Union(parts) | Rule::Intersect(parts) | Rule::Minus(parts) => {
                let state = self.state(date);
                // The one that made it so: for a difference that can be one of those that are taken away.
                let decided = parts.iter().find(|part| part.state(date) == state).or(parts.get(1));
                let calendar = decided.map_or_else(|| self.name.clone(), |part| part.name.clone());
                Day { state, because: Because::Combined { calendar } }
            }
            Rule::Offset { of, .. } => {
                Day { state: self.state(date), because: Because::Combined { calendar: of.name.clone() } }
            }
        }
    }

    /// The last day that it knows; nothing where it never ends.
    pub fn horizon(&self) -> Option<Date> {
        let parts = match &self.rule {
            Rule::Layers { .. } => None,
            Rule::Union(parts) | Rule::Intersect(parts) | Rule::Minus(parts) => {
                parts.iter().filter_map(|part| part.horizon()).min()
            }
            Rule::Offset { of, days } => of.horizon().map(|through| plus(through, *days)),
        };
        [self.horizon, parts].into_iter().flatten().min()
    }

    /// The operational month of `date`.
    pub fn month(&self, date: Date) -> Month {
        self.months.of(date)
    }

    /// The open day after `from` (or before it, where `step` is negative), at most `days_max` days away.
    pub fn open_beyond(&self, from: Date, step: i32, days_max: u32) -> Walk {
        let mut date = from;
        for _ in 0..days_max {
            date = plus(date, step.signum());
            match self.state(date) {
                State::Open => return Walk::Open(date),
                State::Closed => {}
                State::Unknown => return Walk::Unknown(date),
            }
        }
        Walk::Nothing
    }

    /// The business date of a start that nobody planned: the day that `instant` belongs to, or the open day beside it.
    pub fn unplanned(&self, instant: Timestamp, on_closed: Unplanned) -> Walk {
        let date = business_date(instant, self.day_start, &self.zone);
        let step = match on_closed {
            Unplanned::Same => return Walk::Open(date),
            Unplanned::PreviousOpen => -1,
            Unplanned::NextOpen => 1,
        };
        match self.state(date) {
            State::Open => Walk::Open(date),
            State::Closed => self.open_beyond(date, step, UNPLANNED_DAYS_MAX),
            State::Unknown => Walk::Unknown(date),
        }
    }

    /// How many of `days` are open; the first unknown one where there is any.
    pub fn open_days(&self, days: Days) -> Result<u32, Date> {
        let mut count = 0;
        for date in days.iter() {
            match self.state(date) {
                State::Open => count += 1,
                State::Closed => {}
                State::Unknown => return Err(date),
            }
        }
        Ok(count)
    }

    /// The longest run of closed days within `days`.
    pub fn longest_closed(&self, days: Days) -> Option<Days> {
        let mut longest: Option<Days> = None;
        let mut run: Option<Days> = None;
        for date in days.iter() {
            run = match (self.state(date), run) {
                (State::Closed, Some(run)) => Some(Days::new(run.from, date)),
                (State::Closed, None) => Some(Days::new(date, date)),
                (State::Open | State::Unknown, _) => None,
            };
            longest = match (longest, run) {
                (Some(longest), Some(run)) if run.count() <= longest.count() => Some(longest),
                (longest, run) => run.or(longest),
            };
        }
        longest
    }
}

/// To which day a start belongs that nobody planned, when its own is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unplanned {
    /// To its own nevertheless.
    Same,
    PreviousOpen,
    NextOpen,
}

/// What walking from day to day has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walk {
    Open(Date),
    Unknown(Date),
    Nothing,
}

/// As [`Because`], borrowed: most who ask want the state alone.
enum Layer<'a> {
    Date(&'a str),
    Yearly(&'a str),
    Holiday(&'a str, &'a str),
    Weekly(&'a str),
    Unapproved(&'a str, i16),
}

impl Layer<'_> {
    fn own(self) -> Because {
        match self {
            Layer::Date(calendar) => Because::Date { calendar: calendar.to_owned() },
            Layer::Yearly(calendar) => Because::Yearly { calendar: calendar.to_owned() },
            Layer::Holiday(feed, name) => Because::Holiday { feed: feed.to_owned(), name: name.to_owned() },
            Layer::Weekly(calendar) => Because::Weekly { calendar: calendar.to_owned() },
            Layer::Unapproved(feed, year) => Because::Unapproved { feed: feed.to_owned(), year },
        }
    }
}

/// Exact dates before days of the year, those before feeds, those before the week; at each level the calendar itself
/// before those on which it builds.
fn layers<'a>(chain: &'a [Arc<Definition>], feeds: &'a [Arc<Feed>], date: Date) -> (State, Layer<'a>) {
    let open = |open: bool| if open { State::Open } else { State::Closed };
    if let Some((says, own)) = chain.iter().find_map(|own| Some((own.dates.says(&date)?, own))) {
        return (open(says), Layer::Date(&own.name));
    }
    let day = YearDay::of(date);
    if let Some((says, own)) = chain.iter().find_map(|own| Some((own.yearly.says(&day)?, own))) {
        return (open(says), Layer::Yearly(&own.name));
    }
    for feed in feeds {
        match feed.says(date) {
            Says::Holiday(name) => return (State::Closed, Layer::Holiday(&feed.name, name)),
            Says::Unknown => return (State::Unknown, Layer::Unapproved(&feed.name, date.year())),
            Says::Nothing => {}
        }
    }
    let week = chain.iter().find_map(|own| Some((own.weekly.as_ref()?.is_open(date.weekday()), own)));
    let (says, own) = week.expect("a calendar without a week is refused when it is looked up");
    (open(says), Layer::Weekly(&own.name))
}

fn any_open(parts: &[Arc<Business>], date: Date) -> State {
    parts.iter().fold(State::Closed, |sum, part| match (sum, part.state(date)) {
        (State::Open, _) | (_, State::Open) => State::Open,
        (State::Unknown, _) | (_, State::Unknown) => State::Unknown,
        (State::Closed, State::Closed) => State::Closed,
    })
}

fn all_open(parts: &[Arc<Business>], date: Date) -> State {
    parts.iter().fold(State::Open, |sum, part| both(sum, part.state(date)))
}

fn minus(parts: &[Arc<Business>], date: Date) -> State {
    let Some((first, others)) = parts.split_first() else { return State::Unknown };
    let others = match any_open(others, date) {
        State::Open => State::Closed,
        State::Closed => State::Open,
        State::Unknown => State::Unknown,
    };
    both(first.state(date), others)
}

fn both(one: State, other: State) -> State {
    match (one, other) {
        (State::Closed, _) | (_, State::Closed) => State::Closed,
        (State::Unknown, _) | (_, State::Unknown) => State::Unknown,
        (State::Open, State::Open) => State::Open,
    }
}
