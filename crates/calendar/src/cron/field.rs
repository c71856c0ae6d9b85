//! One field of a cron expression: which numbers it lets through.

/// Numbers from `min` through `max`, with the names that some have.
pub(super) struct Kind {
    pub(super) min: u16,
    pub(super) max: u16,
    names: &'static [&'static str],
    /// A range may run over the end: 20-2, FRI-MON. Years do not come again.
    wraps: bool,
}

pub(super) const MINUTE: Kind = Kind { min: 0, max: 59, names: &[], wraps: true };
pub(super) const HOUR: Kind = Kind { min: 0, max: 23, names: &[], wraps: true };
pub(super) const DAY: Kind = Kind { min: 1, max: 31, names: &[], wraps: true };
pub(super) const MONTH: Kind = Kind {
    min: 1,
    max: 12,
    names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    wraps: true,
};
pub(super) const WEEKDAY: Kind =
    Kind { min: 1, max: 7, names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"], wraps: true };
pub(super) const YEAR: Kind = Kind { min: 1970, max: 2199, names: &[], wraps: false };

/// Which numbers of a kind are meant: a bit for each, from its `min`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Set {
    min: u16,
    bits: [u64; 4],
}

impl Kind {
    fn none(&self) -> Set {
        Set { min: self.min, bits: [0; 4] }
    }

    /// A number or a name.
    pub(super) fn number(&self, text: &str) -> Option<u16> {
        if let Some(place) = self.names.iter().position(|name| text.eq_ignore_ascii_case(name)) {
            return Some(self.min + place as u16);
        }
        let digits = !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.then(|| text.parse().ok()).flatten()?;
        (self.min..=self.max).contains(&number).then_some(number)
    }

    /// Reads lists of `*`, `a`, `a-b`, and each of them with `/step`.
    pub(super) fn set(&self, text: &str) -> Option<Set> {
        let mut set = self.none();
        for part in text.split(',') {
            self.part(part, &mut set)?;
        }
        Some(set)
    }

    fn part(&self, part: &str, set: &mut Set) -> Option<()> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(self.step(step)?)),
            None => (part, None),
        };
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (self.number(from)?, self.number(to)?),
            None if range == "*" => (self.min, self.max),
            // With a step, a number is where it begins.
            None => (self.number(range)?, if step.is_some() { self.max } else { self.number(range)? }),
        };
        if from > to && !self.wraps {
            return None;
        }
        let all = self.max - self.min + 1;
        let length = if from <= to { to - from } else { to + all - from };
        for offset in (0..=length).step_by(step.unwrap_or(1).into()) {
            set.insert(self.min + (from - self.min + offset) % all);
        }
        Some(())
    }

    fn step(&self, text: &str) -> Option<u16> {
        let digits = !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
        let step: u16 = digits.then(|| text.parse().ok()).flatten()?;
        (step >= 1 && step <= self.max - self.min + 1).then_some(step)
    }
}

impl Set {
    fn insert(&mut self, number: u16) {
        let place = number - self.min;
        self.bits[usize::from(place / 64)] |= 1 << (place % 64);
    }

    pub(super) fn contains(&self, number: u16) -> bool {
        let Some(place) = number.checked_sub(self.min) else { return false };
        self.bits.get(usize::from(place / 64)).is_some_and(|bits| bits >> (place % 64) & 1 == 1)
    }

    /// The numbers from `from` on, in order.
    pub(super) fn from(&self, from: u16) -> impl Iterator<Item = u16> {
        let (set, first) = (*self, from.max(self.min));
        (first..self.min + 256).filter(move |number| set.contains(*number))
    }
}
