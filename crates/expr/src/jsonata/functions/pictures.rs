//! Numbers by picture: `$formatNumber(1234.5, "#,##0.00")`. (XPath F&O 3.1, section 4.7)

use super::super::error::{Error, Outcome};
use super::super::text;
use super::super::value::Value;
use super::Given;
use super::integers::gcd;
use super::numbers::rounded;

/// The signs that a picture is made of; options may change them.
struct Signs {
    decimal: String,
    grouping: String,
    exponent: String,
    minus: String,
    percent: String,
    per_mille: String,
    zero: char,
    digit: String,
    pattern: String,
}

impl Signs {
    fn of(options: &Value) -> Signs {
        let option = |name: &str, default: &str| {
            match options {
                Value::Object(object) => object.get(name).and_then(|value| value.as_text().map(ToString::to_string)),
                _ => None,
            }
            .unwrap_or_else(|| default.to_owned())
        };
        Signs {
            decimal: option("decimal-separator", "."),
            grouping: option("grouping-separator", ","),
            exponent: option("exponent-separator", "e"),
            minus: option("minus-sign", "-"),
            percent: option("percent", "%"),
            per_mille: option("per-mille", "\u{2030}"),
            zero: option("zero-digit", "0").chars().next().unwrap_or('0'),
            digit: option("digit", "#"),
            pattern: option("pattern-separator", ";"),
        }
    }

    fn is_digit(&self, sign: char) -> bool {
        (u32::from(self.zero)..u32::from(self.zero) + 10).contains(&u32::from(sign))
    }

    fn is(&self, name: &str, sign: char) -> bool {
        let mut signs = name.chars();
        signs.next() == Some(sign) && signs.next().is_none()
    }

    fn is_active(&self, sign: char) -> bool {
        self.is_digit(sign)
            || [&self.decimal, &self.exponent, &self.grouping, &self.digit, &self.pattern]
                .into_iter()
                .any(|name| self.is(name, sign))
    }

    fn own_digits(&self, text: &str) -> String {
        let own = |sign: char| match sign.to_digit(10) {
            Some(digit) => char::from_u32(u32::from(self.zero) + digit).unwrap_or(sign),
            None => sign,
        };
        text.chars().map(own).collect()
    }
}

/// One half of a picture, taken apart.
struct Parts<'p> {
    picture: &'p str,
    prefix: &'p str,
    suffix: &'p str,
    active: &'p str,
    mantissa: &'p str,
    exponent: Option<&'p str>,
    integer: &'p str,
    fraction: &'p str,
}

/// Signs of a picture; more say nothing that a number has.
const PICTURE_BYTES_MAX: usize = 1_000;

pub(super) fn format_number(given: &Given<'_, '_>) -> Outcome<Value> {
    let (Some(number), Some(picture)) = (given.number(0), given.text(1)) else { return Ok(Value::Undefined) };
    if picture.len() > PICTURE_BYTES_MAX {
        return Err(Error::memory());
    }
    given.budget().step(picture.len())?;
    let signs = Signs::of(given.value(2));
    let pictures: Vec<&str> = match signs.pattern.is_empty() {
        true => vec![picture],
        false => picture.split(&*signs.pattern).collect(),
    };
    if pictures.len() > 2 {
        return Err(Error::plain("D3080"));
    }
    let mut parts = Vec::with_capacity(2);
    for picture in pictures {
        parts.push(split(&signs, picture)?);
    }
    for part in &parts {
        check(&signs, part)?;
    }
    let (part, prefix) = match (&*parts, number >= 0.0) {
        ([part, ..], true) => (part, part.prefix.to_owned()),
        ([_, part], false) => (part, part.prefix.to_owned()),
        ([part, ..], false) => (part, format!("{}{}", signs.minus, part.prefix)),
        ([], _) => return Ok(Value::Undefined),
    };
    let body = write(&signs, part, number);
    given.make(format!("{prefix}{body}{}", part.suffix))
}

fn split<'p>(signs: &Signs, picture: &'p str) -> Outcome<Parts<'p>> {
    let counts = |(_, sign): &(usize, char)| signs.is_active(*sign) && !signs.is(&signs.exponent, *sign);
    let first = picture.char_indices().find(counts);
    let last = picture.char_indices().rev().find(counts);
    let (Some((start, _)), Some((last, sign))) = (first, last) else { return Err(Error::plain("D3085")) };
    let end = last + sign.len_utf8();
    let active = &picture[start..end];
    let (mantissa, exponent) = match active.find(&*signs.exponent) {
        Some(at) if !signs.exponent.is_empty() => (&active[..at], Some(&active[at + signs.exponent.len()..])),
        _ => (active, None),
    };
    let suffix = &picture[end..];
    let (integer, fraction) = match mantissa.split_once(&*signs.decimal) {
        Some(halves) => halves,
        None => (mantissa, suffix),
    };
    Ok(Parts { picture, prefix: &picture[..start], suffix, active, mantissa, exponent, integer, fraction })
}

/// The last rule that is broken names the error, as in the reference.
fn check(signs: &Signs, part: &Parts<'_>) -> Outcome<()> {
    let many = |sign: &str| !sign.is_empty() && part.picture.matches(sign).count() > 1;
    let has = |sign: &str| !sign.is_empty() && part.picture.contains(sign);
    let mut error = None;
    let mut rule = |broken: bool, code: &'static str| {
        if broken {
            error = Some(code);
        }
    };
    rule(many(&signs.decimal), "D3081");
    rule(many(&signs.percent), "D3082");
    rule(many(&signs.per_mille), "D3083");
    rule(has(&signs.percent) && has(&signs.per_mille), "D3084");
    rule(!part.mantissa.chars().any(|sign| signs.is_digit(sign) || signs.is(&signs.digit, sign)), "D3085");
    rule(!part.active.chars().all(|sign| signs.is_active(sign)), "D3086");
    match part.picture.find(&*signs.decimal) {
        Some(at) => {
            let before = part.picture[..at].ends_with(&*signs.grouping);
            let after = part.picture[at + signs.decimal.len()..].starts_with(&*signs.grouping);
            rule(before || after, "D3087");
        }
        None => rule(part.integer.ends_with(&*signs.grouping), "D3088"),
    }
    rule(has(&signs.grouping.repeat(2)), "D3089");
    if let Some(at) = part.integer.find(&*signs.digit) {
        rule(part.integer[..at].chars().any(|sign| signs.is_digit(sign)), "D3090");
    }
    if let Some(at) = part.fraction.rfind(&*signs.digit) {
        rule(part.fraction[at..].chars().any(|sign| signs.is_digit(sign)), "D3091");
    }
    if let Some(exponent) = part.exponent {
        rule(!exponent.is_empty() && (has(&signs.percent) || has(&signs.per_mille)), "D3092");
        rule(exponent.is_empty() || !exponent.chars().all(|sign| signs.is_digit(sign)), "D3093");
    }
    error.map_or(Ok(()), |code| Err(Error::plain(code)))
}

/// Places of the grouping separators, counted in digits from the decimal separator.
fn groupings(signs: &Signs, part: &str, to_left: bool) -> Vec<usize> {
    let digits =
        |text: &str| text.chars().filter(|sign| signs.is_digit(*sign) || signs.is(&signs.digit, *sign)).count();
    let places = part.match_indices(&*signs.grouping);
    places.map(|(at, _)| digits(if to_left { &part[..at] } else { &part[at..] })).collect()
}

fn regular(places: &[usize]) -> usize {
    let Some(every) = places.iter().copied().reduce(gcd) else { return 0 };
    if (1..=places.len()).all(|index| places.contains(&(index * every))) { every } else { 0 }
}

fn write(signs: &Signs, part: &Parts<'_>, number: f64) -> String {
    let digits = |text: &str| text.chars().filter(|sign| signs.is_digit(*sign)).count();
    let optional = |text: &str| text.chars().filter(|sign| signs.is(&signs.digit, *sign)).count();
    let scaling = digits(part.integer);
    let mut integer_min = scaling;
    let mut fraction_min = digits(part.fraction);
    let mut fraction_max = fraction_min + optional(part.fraction);
    if integer_min == 0 && fraction_max == 0 {
        if part.exponent.is_some() {
            (fraction_min, fraction_max) = (1, 1);
        } else {
            integer_min = 1;
        }
    }
    if part.exponent.is_some() && integer_min == 0 && part.integer.contains(&*signs.digit) {
        integer_min = 1;
    }
    if integer_min == 0 && fraction_min == 0 {
        fraction_min = 1;
    }
    let exponent_min = part.exponent.map_or(0, digits);

    let mut mantissa = number;
    if part.picture.contains(&*signs.percent) {
        mantissa *= 100.0;
    } else if part.picture.contains(&*signs.per_mille) {
        mantissa *= 1000.0;
    }
    let mut exponent = None;
    if exponent_min > 0 {
        let mut power = 0;
        let (most, least) = (10f64.powi(scaling as i32), 10f64.powi(scaling as i32 - 1));
        // Zero has no first digit to look for.
        while mantissa != 0.0 && mantissa.abs() < least {
            mantissa *= 10.0;
            power -= 1;
        }
        while mantissa.abs() > most && mantissa.is_finite() {
            mantissa /= 10.0;
            power += 1;
        }
        exponent = Some(power);
    }

    let fixed = format!("{:.*}", fraction_max, rounded(mantissa, fraction_max as f64).abs());
    let (whole, fraction) = fixed.split_once('.').unwrap_or((&fixed, ""));
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let mut whole: Vec<char> = signs.own_digits(&format!("{whole:0>integer_min$}")).chars().collect();
    let mut fraction: Vec<char> = signs.own_digits(&format!("{fraction:0<fraction_min$}")).chars().collect();

    let places = groupings(signs, part.integer, false);
    let len = whole.len();
    let every = regular(&places);
    let cuts: Vec<usize> = match every {
        0 => places,
        every => (1..=len.saturating_sub(1) / every).map(|group| group * every).collect(),
    };
    let mut grouped: Vec<String> = whole.drain(..).map(String::from).collect();
    for cut in cuts.iter().filter(|cut| **cut <= len) {
        grouped[len - cut].insert_str(0, &signs.grouping);
    }
    let mut text: String = grouped.concat();

    let fraction_places = groupings(signs, part.fraction, true);
    if !fraction.is_empty() {
        text.push_str(&signs.decimal);
        for (index, sign) in fraction.drain(..).enumerate() {
            if fraction_places.contains(&index) {
                text.push_str(&signs.grouping);
            }
            text.push(sign);
        }
    }
    if let Some(power) = exponent {
        text.push_str(&signs.exponent);
        if power < 0 {
            text.push_str(&signs.minus);
        }
        let power = text::number(f64::from(power).abs());
        text.push_str(&signs.own_digits(&format!("{power:0>exponent_min$}")));
    }
    text
}
