//! Whole numbers by picture: `$formatInteger(2026, "I")`. (XPath F&O 3.1, section 4.6)

use super::super::error::{Error, Outcome, quoted};
use super::super::text;
use super::super::value::Value;
use super::Given;

const FEW: [&str; 20] = [
    "Zero",
    "One",
    "Two",
    "Three",
    "Four",
    "Five",
    "Six",
    "Seven",
    "Eight",
    "Nine",
    "Ten",
    "Eleven",
    "Twelve",
    "Thirteen",
    "Fourteen",
    "Fifteen",
    "Sixteen",
    "Seventeen",
    "Eighteen",
    "Nineteen",
];
const ORDINALS: [&str; 20] = [
    "Zeroth",
    "First",
    "Second",
    "Third",
    "Fourth",
    "Fifth",
    "Sixth",
    "Seventh",
    "Eighth",
    "Ninth",
    "Tenth",
    "Eleventh",
    "Twelfth",
    "Thirteenth",
    "Fourteenth",
    "Fifteenth",
    "Sixteenth",
    "Seventeenth",
    "Eighteenth",
    "Nineteenth",
];
const DECADES: [&str; 9] = ["Twenty", "Thirty", "Forty", "Fifty", "Sixty", "Seventy", "Eighty", "Ninety", "Hundred"];
const MAGNITUDES: [&str; 4] = ["Thousand", "Million", "Billion", "Trillion"];
const NUMERALS: [(u64, &str); 13] = [
    (1000, "m"),
    (900, "cm"),
    (500, "d"),
    (400, "cd"),
    (100, "c"),
    (90, "xc"),
    (50, "l"),
    (40, "xl"),
    (10, "x"),
    (9, "ix"),
    (5, "v"),
    (4, "iv"),
    (1, "i"),
];
/// The zeros of the scripts that have digits of their own.
const ZEROS: [u32; 37] = [
    0x30, 0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0DE6,
    0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40,
    0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10,
];

/// What a picture says.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    primary: Primary,
    case: Case,
    ordinal: bool,
}

#[derive(Debug, Clone)]
enum Primary {
    Letters,
    Roman,
    Words,
    Decimal(Decimal),
    /// A sequence of signs that nobody knows.
    Sequence(String),
}

#[derive(Debug, Clone)]
struct Decimal {
    zero: u32,
    mandatory: usize,
    optional: usize,
    separators: Separators,
}

#[derive(Debug, Clone)]
enum Separators {
    Regular {
        every: usize,
        sign: char,
    },
    /// Places from the right, in rising order.
    At(Vec<(usize, char)>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Upper,
    Lower,
    Title,
}

/// Digits that a picture may ask for, so that a number stays a number.
const DIGITS_MAX: usize = 1_000;

pub(super) fn format_integer(given: &Given<'_, '_>) -> Outcome<Value> {
    let (Some(number), Some(picture)) = (given.number(0), given.text(1)) else { return Ok(Value::Undefined) };
    given.budget().scan(picture.len())?;
    given.make(Picture::parse(picture)?.format(number.floor())?)
}

pub(super) fn parse_integer(given: &Given<'_, '_>) -> Outcome<Value> {
    let (Some(text), Some(picture)) = (given.text(0), given.text(1)) else { return Ok(Value::Undefined) };
    given.budget().scan(text.len() + picture.len())?;
    let picture = Picture::parse(picture)?;
    picture.pattern(None)?;
    Ok(picture.read(text).map_or(Value::Undefined, Value::number))
}

impl Picture {
    pub(super) fn parse(text: &str) -> Outcome<Picture> {
        let (primary, modifier) = text.rsplit_once(';').unwrap_or((text, ""));
        let ordinal = modifier.starts_with('o');
        let (primary, case) = match primary {
            "A" => (Primary::Letters, Case::Upper),
            "a" => (Primary::Letters, Case::Lower),
            "I" => (Primary::Roman, Case::Upper),
            "i" => (Primary::Roman, Case::Lower),
            "W" => (Primary::Words, Case::Upper),
            "Ww" => (Primary::Words, Case::Title),
            "w" => (Primary::Words, Case::Lower),
            other => (decimal(other)?, Case::Lower),
        };
        Ok(Picture { primary, case, ordinal })
    }

    /// How many digits there must be, at least; nothing for what is no decimal picture.
    pub(super) fn mandatory(&self) -> Option<usize> {
        match &self.primary {
            Primary::Decimal(decimal) => Some(decimal.mandatory),
            _ => None,
        }
    }

    pub(super) fn optional(&self) -> usize {
        match &self.primary {
            Primary::Decimal(decimal) => decimal.optional,
            _ => 0,
        }
    }

    pub(super) fn set_mandatory(&mut self, digits: usize) {
        if let Primary::Decimal(decimal) = &mut self.primary {
            decimal.mandatory = digits.min(DIGITS_MAX);
        }
    }

    /// The separator of a regular grouping.
    pub(super) fn regular_separator(&self) -> Option<char> {
        match &self.primary {
            Primary::Decimal(Decimal { separators: Separators::Regular { sign, .. }, .. }) => Some(*sign),
            _ => None,
        }
    }

    pub(super) fn format(&self, number: f64) -> Outcome<String> {
        let positive = number.abs();
        let text = match &self.primary {
            Primary::Letters => letters(positive, if self.case == Case::Upper { b'A' } else { b'a' }),
            Primary::Roman => cased(roman(positive)?, self.case),
            // Beyond what a float says exactly, words would say more than the number does.
            Primary::Words if positive > 1e18 => return Err(Error::memory()),
            Primary::Words => cased(words(positive, self.ordinal), self.case),
            Primary::Decimal(decimal) => self.digits(decimal, positive),
            Primary::Sequence(sequence) => return Err(Error::of_value("D3130", quoted(sequence))),
        };
        Ok(if number < 0.0 { format!("-{text}") } else { text })
    }

    fn digits(&self, decimal: &Decimal, number: f64) -> String {
        let plain = text::number(number);
        let missing = decimal.mandatory.saturating_sub(plain.chars().count());
        let mut signs: Vec<char> = std::iter::repeat_n('0', missing).chain(plain.chars()).collect();
        if decimal.zero != 0x30 {
            for sign in &mut signs {
                *sign = char::from_u32(u32::from(*sign) + decimal.zero - 0x30).unwrap_or(*sign);
            }
        }
        match &decimal.separators {
            Separators::Regular { every, sign } => {
                let count = signs.len().saturating_sub(1) / every;
                for group in (1..=count).rev() {
                    signs.insert(signs.len() - group * every, *sign);
                }
            }
            Separators::At(places) => {
                for (place, sign) in places.iter().rev() {
                    let at = signs.len().saturating_sub(*place);
                    signs.insert(at, *sign);
                }
            }
        }
        if self.ordinal {
            let suffix = match (signs.len().checked_sub(2).map(|at| signs[at]), signs.last()) {
                (Some('1'), _) => "th",
                (_, Some('1')) => "st",
                (_, Some('2')) => "nd",
                (_, Some('3')) => "rd",
                (_, _) => "th",
            };
            signs.extend(suffix.chars());
        }
        signs.into_iter().collect()
    }

    /// The regular expression of the texts that it reads; `digits` of them where that is fixed.
    pub(super) fn pattern(&self, digits: Option<usize>) -> Outcome<String> {
        let upper = self.case == Case::Upper;
        Ok(match &self.primary {
            Primary::Letters => if upper { "[A-Z]+" } else { "[a-z]+" }.to_owned(),
            Primary::Roman => if upper { "[MDCLXVI]+" } else { "[mdclxvi]+" }.to_owned(),
            Primary::Words => {
                let mut words: Vec<&str> = word_values().map(|(word, _)| word).collect();
                // The longer first, so that none is cut short.
                words.sort_by_key(|word| std::cmp::Reverse(word.len()));
                let words: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
                format!("(?:{}|[a-z]+ieth|hundredth|[a-z]+th|and|[\\-, ])+", words.join("|"))
            }
            Primary::Decimal(decimal) => {
                let count = match digits.map(|digits| digits.min(DIGITS_MAX)) {
                    Some(digits) if digits > 0 && decimal.optional == 0 => format!("{{{digits}}}"),
                    Some(digits) if digits > 0 => {
                        format!("{{{},{digits}}}", digits.saturating_sub(decimal.optional))
                    }
                    _ => "+".to_owned(),
                };
                let ordinal = if self.ordinal { "(?:th|st|nd|rd)" } else { "" };
                format!("[0-9]{count}{ordinal}")
            }
            Primary::Sequence(sequence) => return Err(Error::of_value("D3130", quoted(sequence))),
        })
    }

    pub(super) fn read(&self, text: &str) -> Option<f64> {
        match &self.primary {
            Primary::Letters => {
                let first = if self.case == Case::Upper { 'A' } else { 'a' };
                Some(
                    text.chars().fold(0.0, |sum, sign| {
                        26.0 * sum + f64::from(u32::from(sign)) - f64::from(u32::from(first)) + 1.0
                    }),
                )
            }
            Primary::Roman => from_roman(&text.to_uppercase()),
            Primary::Words => from_words(&text.to_lowercase()),
            Primary::Decimal(decimal) => {
                let text = match text.char_indices().rev().nth(1) {
                    Some((at, _)) if self.ordinal => &text[..at],
                    _ => text,
                };
                let is_separator = |sign: char| match &decimal.separators {
                    Separators::Regular { .. } => sign == ',',
                    Separators::At(places) => places.iter().any(|(_, separator)| *separator == sign),
                };
                let digits = text.chars().filter(|sign| !is_separator(*sign));
                let digits: String = digits
                    .filter_map(|sign| char::from_u32(u32::from(sign).wrapping_sub(decimal.zero).wrapping_add(0x30)))
                    .collect();
                let digits = digits.trim_start();
                let (sign, digits) = match digits.strip_prefix('-') {
                    Some(digits) => (-1.0, digits),
                    None => (1.0, digits),
                };
                let digits =
                    &digits[..digits.len() - digits.trim_start_matches(|sign: char| sign.is_ascii_digit()).len()];
                digits.parse::<f64>().ok().map(|number| sign * number)
            }
            Primary::Sequence(_) => None,
        }
    }
}

fn decimal(picture: &str) -> Outcome<Primary> {
    let (mut zero, mut mandatory, mut optional, mut place) = (None, 0, 0, 0);
    let mut separators = Vec::new();
    for sign in picture.chars().rev() {
        let code = u32::from(sign);
        if let Some(group) = ZEROS.into_iter().find(|zero| (*zero..=zero + 9).contains(&code)) {
            mandatory += 1;
            place += 1;
            if *zero.get_or_insert(group) != group {
                return Err(Error::plain("D3131"));
            }
        } else if sign == '#' {
            optional += 1;
            place += 1;
        } else {
            separators.push((place, sign));
        }
    }
    let Some(zero) = zero else { return Ok(Primary::Sequence(picture.to_owned())) };
    let separators = match regular(&separators) {
        Some((every, sign)) => Separators::Regular { every, sign },
        None => Separators::At(separators),
    };
    Ok(Primary::Decimal(Decimal { zero, mandatory: mandatory.min(DIGITS_MAX), optional, separators }))
}

/// The same sign at every multiple of one width.
fn regular(separators: &[(usize, char)]) -> Option<(usize, char)> {
    let (_, sign) = *separators.first()?;
    let every = separators.iter().map(|(place, _)| *place).reduce(gcd)?;
    let all_there = (1..=separators.len()).all(|index| separators.iter().any(|(place, _)| *place == index * every));
    (every > 0 && all_there && separators.iter().all(|(_, other)| *other == sign)).then_some((every, sign))
}

pub(super) fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

pub(super) fn cased(text: String, case: Case) -> String {
    match case {
        Case::Upper => text.to_uppercase(),
        Case::Lower => text.to_lowercase(),
        Case::Title => text,
    }
}

fn letters(mut number: f64, first: u8) -> String {
    let mut signs = Vec::new();
    while number > 0.0 && signs.len() < DIGITS_MAX {
        signs.push(char::from(first + ((number - 1.0) % 26.0) as u8));
        number = ((number - 1.0) / 26.0).floor();
    }
    signs.into_iter().rev().collect()
}

fn roman(number: f64) -> Outcome<String> {
    // One sign for each thousand: beyond this nobody reads it.
    if number > 1_000_000.0 {
        return Err(Error::memory());
    }
    let mut rest = number as u64;
    let mut text = String::new();
    for (value, numeral) in NUMERALS {
        while rest >= value {
            text.push_str(numeral);
            rest -= value;
        }
    }
    Ok(text)
}

fn from_roman(text: &str) -> Option<f64> {
    let (mut sum, mut most) = (0.0, 1.0);
    for sign in text.chars().rev() {
        let value = match sign {
            'M' => 1000.0,
            'D' => 500.0,
            'C' => 100.0,
            'L' => 50.0,
            'X' => 10.0,
            'V' => 5.0,
            'I' => 1.0,
            _ => return None,
        };
        if value < most {
            sum -= value;
        } else {
            most = value;
            sum += value;
        }
    }
    Some(sum)
}

fn words(number: f64, ordinal: bool) -> String {
    let mut text = String::new();
    spell(&mut text, number, false, ordinal);
    text
}

fn spell(text: &mut String, number: f64, follows: bool, ordinal: bool) {
    let last = |text: &mut String, rest: f64, and: bool| {
        if rest > 0.0 {
            spell(text, rest, and, ordinal);
        } else if ordinal {
            text.push_str("th");
        }
    };
    if number < 20.0 {
        text.push_str(if follows { " and " } else { "" });
        text.push_str(if ordinal { ORDINALS } else { FEW }[number as usize]);
    } else if number < 100.0 {
        text.push_str(if follows { " and " } else { "" });
        text.push_str(DECADES[(number / 10.0) as usize - 2]);
        let rest = number % 10.0;
        if rest > 0.0 {
            text.push('-');
            spell(text, rest, false, ordinal);
        } else if ordinal {
            text.pop();
            text.push_str("ieth");
        }
    } else if number < 1000.0 {
        text.push_str(if follows { ", " } else { "" });
        text.push_str(FEW[(number / 100.0) as usize]);
        text.push_str(" Hundred");
        last(text, number % 100.0, true);
    } else {
        let magnitude = ((number.log10() / 3.0).floor() as usize).clamp(1, MAGNITUDES.len());
        let factor = 1000f64.powi(magnitude as i32);
        let many = (number / factor).floor();
        text.push_str(if follows { ", " } else { "" });
        spell(text, many, false, false);
        text.push(' ');
        text.push_str(MAGNITUDES[magnitude - 1]);
        last(text, number - many * factor, true);
    }
}

fn word_values() -> impl Iterator<Item = (&'static str, f64)> {
    let small = FEW.into_iter().enumerate().chain(ORDINALS.into_iter().enumerate());
    let small = small.map(|(value, word)| (word, value as f64));
    let decades = DECADES.into_iter().enumerate().map(|(index, word)| (word, 10.0 * (index as f64 + 2.0)));
    let magnitudes = MAGNITUDES.into_iter().enumerate();
    small.chain(decades).chain(magnitudes.map(|(index, word)| (word, 1000f64.powi(index as i32 + 1))))
}

/// Also as an ordinal: `twentieth`, `hundredth`, `millionth`.
fn word_value(word: &str) -> Option<f64> {
    let known = |word: &str| word_values().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, value)| value);
    known(word)
        .or_else(|| known(&format!("{}y", word.strip_suffix("ieth")?)))
        .or_else(|| known(word.strip_suffix("th")?).filter(|value| *value >= 100.0))
}

fn from_words(text: &str) -> Option<f64> {
    let text = text.replace(", ", " ").replace(" and ", " ");
    let mut segments = vec![0.0];
    for word in text.split([' ', '-', '\t', '\n', '\\']) {
        let value = word_value(word)?;
        let mut top = segments.pop().unwrap_or_default();
        if value < 100.0 {
            if top >= 1000.0 {
                segments.push(top);
                top = 0.0;
            }
            segments.push(top + value);
        } else {
            segments.push(top * value);
        }
    }
    Some(segments.into_iter().sum())
}
