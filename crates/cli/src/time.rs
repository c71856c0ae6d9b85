//! Moments and durations, as people read them.

use base::Timestamp;
use jiff::tz::TimeZone;

/// Shows moments in one time zone.
#[derive(Debug, Clone)]
pub struct Clock {
    zone: TimeZone,
}

impl Clock {
    /// This host's own zone.
    pub fn local() -> Clock {
        Clock { zone: TimeZone::system() }
    }

    #[cfg(test)]
    pub fn utc() -> Clock {
        Clock { zone: TimeZone::UTC }
    }

    /// `2026-11-23 03:00:00`
    pub fn date_and_time(&self, at: Timestamp) -> String {
        self.write(at, "%Y-%m-%d %H:%M:%S")
    }

    /// `03:00:00`
    pub fn time(&self, at: Timestamp) -> String {
        self.write(at, "%H:%M:%S")
    }

    fn write(&self, at: Timestamp, form: &str) -> String {
        match jiff::Timestamp::from_millisecond(at.0) {
            Ok(instant) => instant.to_zoned_datetime(self.zone.clone()).strftime(form).to_string(),
            Err(_) => at.to_string(),
        }
    }
}

/// As short as it stays clear: `0.9s`, `41s`, `4m12s`, `1h03m`, `2d04h`.
pub fn duration(millis: i64) -> String {
    let seconds = millis.max(0) / 1000;
    match seconds {
        0..10 => format!("{}.{}s", seconds, millis.max(0) % 1000 / 100),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let texts = [-5, 940, 9_999, 41_000, 252_000, 3_780_000, 187_200_000].map(duration);
        assert_eq!(texts, ["0.0s", "0.9s", "9.9s", "41s", "4m12s", "1h03m", "2d04h"]);
    }
}
