//! Time zones by their names, from the database that is compiled in.

use std::fmt;

use base::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};

/// A time zone of the IANA database.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

/// There is no time zone of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone {0:?}")]
pub struct UnknownZone(pub String);

impl Zone {
    pub fn utc() -> Zone {
        Zone { name: "UTC".to_owned(), rules: TimeZone::UTC }
    }

    /// The zone `name`, as `Asia/Tokyo`.
    pub fn named(name: &str) -> Result<Zone, UnknownZone> {
        let unknown = || UnknownZone(name.chars().take(64).collect());
        if name == "Etc/Unknown" || name.len() > 64 {
            return Err(unknown());
        }
        let rules = TimeZoneDatabase::bundled().get(name).map_err(|_| unknown())?;
        if rules.is_unknown() {
            return Err(unknown());
        }
        Ok(Zone { name: rules.iana_name().unwrap_or(name).to_owned(), rules })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a clock on the wall shows at `instant`.
    pub fn local(&self, instant: Timestamp) -> DateTime {
        self.rules.to_datetime(jiff_instant(instant))
    }

    /// When a clock on the wall shows `local`: the first time where it does twice, nothing where it never does.
    pub fn if_shown(&self, local: DateTime) -> Option<Timestamp> {
        let ambiguous = self.rules.to_ambiguous_timestamp(local);
        match ambiguous.offset() {
            jiff::tz::AmbiguousOffset::Gap { .. } => None,
            _ => ambiguous.earlier().ok().map(ours),
        }
    }

    /// When a clock on the wall shows `local`: the first time where it does twice; where it never does, the moment at
    /// which it jumps over it. Never twice, never zero times.
    pub fn shown_or_jumped(&self, local: DateTime) -> Timestamp {
        let ambiguous = self.rules.to_ambiguous_timestamp(local);
        let gap = matches!(ambiguous.offset(), jiff::tz::AmbiguousOffset::Gap { .. });
        match ambiguous.earlier() {
            Ok(before) if gap => match self.rules.following(before).next() {
                Some(jump) => ours(jump.timestamp()),
                None => ours(before),
            },
            Ok(instant) => ours(instant),
            // Only at the ends of time, where an offset leads beyond them.
            Err(_) if local.year() > 0 => ours(jiff::Timestamp::MAX),
            Err(_) => ours(jiff::Timestamp::MIN),
        }
    }
}

/// Seconds matter here and milliseconds do not: a local time is whole seconds.
fn ours(instant: jiff::Timestamp) -> Timestamp {
    Timestamp(instant.as_millisecond())
}

fn jiff_instant(instant: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(instant.0).unwrap_or(if instant.0 > 0 {
        jiff::Timestamp::MAX
    } else {
        jiff::Timestamp::MIN
    })
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl TryFrom<String> for Zone {
    type Error = UnknownZone;

    fn try_from(name: String) -> Result<Zone, UnknownZone> {
        Zone::named(&name)
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> String {
        zone.name
    }
}
