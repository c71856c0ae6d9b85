//! Lists of holidays in the form of the Cabinet Office's `syukujitsu.csv`: a line with headings, then `2026/1/1,元日`.

use jiff::civil::Date;

/// How long a list may be.
pub const CSV_BYTES_MAX: usize = 1 << 20;

/// A list cannot be read. A line that cannot is never left out: it could be the holiday that matters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CsvError {
    #[error("a list of holidays has at most {CSV_BYTES_MAX} bytes")]
    TooLong,
    #[error("line {line} is not a date and a name, as in 2026/1/1,元日")]
    Line { line: usize },
    #[error("line {line} has a second name for {date}")]
    Twice { line: usize, date: Date },
}

/// The holidays of a list, in its order. The text is UTF-8: whoever has Shift_JIS decodes it first.
pub(super) fn parse(text: &str) -> Result<Vec<(Date, String)>, CsvError> {
    if text.len() > CSV_BYTES_MAX {
        return Err(CsvError::TooLong);
    }
    let mut seen = std::collections::BTreeSet::new();
    let mut holidays = vec![];
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let (line, number) = (line.trim(), index + 1);
        match holiday(line) {
            Some((date, _)) if !seen.insert(date) => return Err(CsvError::Twice { line: number, date }),
            Some(holiday) => holidays.push(holiday),
            None if line.is_empty() || is_heading(line, index) => {}
            None => return Err(CsvError::Line { line: number }),
        }
    }
    Ok(holidays)
}

fn is_heading(line: &str, index: usize) -> bool {
    index == 0 && !line.starts_with(|first: char| first.is_ascii_digit())
}

fn holiday(line: &str) -> Option<(Date, String)> {
    let (date, name) = line.split_once(',')?;
    let name = name.trim().trim_matches('"');
    let mut parts = date.trim().trim_matches('"').split(['/', '-']);
    let mut number = |digits: usize| -> Option<i16> {
        let part = parts.next()?;
        (part.len() <= digits && !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| part.parse().ok())?
    };
    let (year, month, day) = (number(4)?, number(2)?, number(2)?);
    let whole = parts.next().is_none() && !name.is_empty() && name.len() <= 200 && !name.contains(',');
    let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    whole.then(|| (date, name.to_owned()))
}
