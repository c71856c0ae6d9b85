//! `MaxConcurrency` and `MaxErrors`: a number, or a part of the targets.

use std::fmt;

use serde::{Deserialize, Serialize};

/// As AWS writes it: `7` or `10%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rate {
    Number(u32),
    /// 0 to 100.
    Percent(u8),
}

impl Rate {
    /// AWS's default of `MaxConcurrency`.
    pub const CONCURRENCY_DEFAULT: Rate = Rate::Number(50);
    /// AWS's default of `MaxErrors`.
    pub const ERRORS_DEFAULT: Rate = Rate::Number(0);

    /// Reads a `MaxConcurrency`: `^([1-9][0-9]*|[1-9][0-9]%|[1-9]%|100%)$`, of 1 to 7 characters.
    pub fn parse_concurrency(text: &str) -> Option<Rate> {
        match Rate::parse_errors(text)? {
            Rate::Number(0) | Rate::Percent(0) => None,
            rate => Some(rate),
        }
    }

    /// Reads a `MaxErrors`: `^([1-9][0-9]*|[0]|[1-9][0-9]%|[0-9]%|100%)$`, of 1 to 7 characters.
    pub fn parse_errors(text: &str) -> Option<Rate> {
        let digits = text.strip_suffix('%').unwrap_or(text);
        let plain = digits == "0" || !digits.starts_with('0');
        let number: u32 = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
        match (plain && text.len() <= 7, digits.len() < text.len()) {
            (false, _) => None,
            (true, false) => Some(Rate::Number(number)),
            (true, true) => u8::try_from(number).ok().filter(|percent| *percent <= 100).map(Rate::Percent),
        }
    }

    /// At how many of `targets` to be at a time: always one at least.
    pub fn concurrency(self, targets: usize) -> usize {
        self.of(targets).max(1)
    }

    /// How many errors are let pass: one more and nothing further is sent.
    pub fn errors(self, targets: usize) -> usize {
        self.of(targets)
    }

    fn of(self, targets: usize) -> usize {
        match self {
            Rate::Number(number) => number as usize,
            Rate::Percent(percent) => targets * usize::from(percent) / 100,
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rate::Number(number) => write!(f, "{number}"),
            Rate::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_aws_reads() {
        for text in ["1", "50", "9999999", "1%", "10%", "99%", "100%"] {
            assert_eq!(Rate::parse_concurrency(text).expect(text).to_string(), text);
            assert_eq!(Rate::parse_errors(text).expect(text).to_string(), text);
        }
        for text in ["0", "0%"] {
            assert_eq!(Rate::parse_concurrency(text), None, "{text}");
            assert_eq!(Rate::parse_errors(text).expect(text).to_string(), text);
        }
        for text in ["", "%", "-1", "+1", "01", "00", "01%", "101%", "1.5", "1 %", "10%%", "12345678", "１"] {
            assert_eq!(Rate::parse_concurrency(text), None, "{text}");
            assert_eq!(Rate::parse_errors(text), None, "{text}");
        }
    }

    #[test]
    fn a_percentage_is_of_the_targets_rounded_down() {
        assert_eq!(Rate::Percent(10).errors(50), 5);
        assert_eq!(Rate::Percent(10).errors(9), 0);
        assert_eq!(Rate::Percent(10).concurrency(9), 1);
        assert_eq!(Rate::Percent(100).concurrency(9), 9);
    }
}
