//! Instants and how they are written.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Later by `seconds`; stays at the end of time instead of wrapping.
    pub fn plus_seconds(self, seconds: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// Seconds since the epoch with a fraction, as AWS's JSON protocols write time.
    pub fn epoch_seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// As HTTP's `Date` has it: `Tue, 26 Feb 2019 23:54:31 GMT`.
    pub fn to_http_date(self) -> String {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(instant) => instant.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
            Err(_) => self.to_string(),
        }
    }

    /// Reads what HTTP's `Last-Modified` has.
    pub fn parse_http_date(text: &str) -> Option<Timestamp> {
        let instant = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        Some(Timestamp(instant.as_millisecond()))
    }

    /// Reads an instant in RFC 3339 as the States Language wants it: with a `T` and an offset or `Z`.
    /// A fraction finer than a millisecond is rounded up, so that a wait is never early.
    pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
        let bytes = text.as_bytes();
        let shaped = bytes.len() >= 20
            && bytes[10] == b'T'
            && bytes[4] == b'-'
            && bytes[7] == b'-'
            && bytes[13] == b':'
            && bytes[16] == b':';
        if !shaped {
            return None;
        }
        let instant: jiff::Timestamp = text.parse().ok()?;
        let nanos = instant.as_nanosecond();
        i64::try_from(nanos.div_euclid(1_000_000) + i128::from(nanos.rem_euclid(1_000_000) > 0)).ok().map(Timestamp)
    }
}

/// ISO 8601 with milliseconds and `Z`, as in the context object.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(instant) => write!(f, "{instant:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_with_milliseconds() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp(1_551_225_271_984).to_string(), "2019-02-26T23:54:31.984Z");
        assert_eq!(Timestamp(1_551_225_271_984).to_http_date(), "Tue, 26 Feb 2019 23:54:31 GMT");
        assert_eq!(Timestamp::parse_http_date("Tue, 26 Feb 2019 23:54:31 GMT"), Some(Timestamp(1_551_225_271_000)));
        assert_eq!(Timestamp::parse_http_date("26 Feb"), None);
    }

    #[test]
    fn reads_offsets_and_fractions() {
        assert_eq!(Timestamp::parse_rfc3339("1970-01-01T09:00:00+09:00"), Some(Timestamp(0)));
        assert_eq!(Timestamp::parse_rfc3339("1970-01-01T00:00:00.0001Z"), Some(Timestamp(1)));
    }

    #[test]
    fn refuses_what_is_not_rfc3339() {
        for text in ["2016-12-05 21:29:29Z", "2016-12-05T21:29:29", "2016-13-05T21:29:29Z", "", "05-12-2016T21:29:29Z"]
        {
            assert_eq!(Timestamp::parse_rfc3339(text), None, "{text}");
        }
    }
}
