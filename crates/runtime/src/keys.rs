//! How values are named, and where their index rows stand.
//!
//! Account and region are part of every name and every list: there is no way to look at another's values.

use base::{Caller, Id, RegionName, Timestamp};
use bytes::Bytes;

use crate::parameter::Tier;
use crate::value::HeadStatus;

pub(crate) fn machine(arn: &str) -> Id {
    Id::of("machine", arn)
}

/// An execution whose name begins with a time (a UUID of version 7, as we make names up) has an identity that begins
/// with it as well: what is made together is kept together, and adding it is cheap.
pub(crate) fn execution(arn: &str) -> Id {
    timed(Id::of("execution", arn), arn)
}

/// Begins with its time as well.
pub(crate) fn map_run(arn: &str) -> Id {
    timed(Id::of("map run", arn), arn)
}

fn timed(id: Id, arn: &str) -> Id {
    match arn.rsplit(':').next().and_then(time_of) {
        Some(millis) => Id(u128::from(millis) << 80 | id.0 >> 48),
        None => id,
    }
}

/// The 48 bits of time of a UUID of version 7.
fn time_of(name: &str) -> Option<u64> {
    let bytes = name.as_bytes();
    let is_uuid = bytes.len() == 36 && [8, 13, 18, 23].iter().all(|at| bytes[*at] == b'-') && bytes[14] == b'7';
    if !is_uuid || !name.is_ascii() {
        return None;
    }
    Some(u64::from_str_radix(&name[..8], 16).ok()? << 16 | u64::from_str_radix(&name[9..13], 16).ok()?)
}

pub(crate) fn activity(arn: &str) -> Id {
    Id::of("activity", arn)
}

pub(crate) fn run(caller: &Caller, command_id: &str) -> Id {
    Id::of("command", &format!("{}/{}/{command_id}", caller.account, caller.region))
}

/// The semaphore of an agent group.
pub(crate) fn slots(caller: &Caller, group: &str) -> Id {
    Id::of("slots", &format!("{}/{}/{group}", caller.account, caller.region))
}

pub(crate) fn instance(caller: &Caller, instance_id: &str) -> Id {
    Id::of("instance", &format!("{}/{}/{instance_id}", caller.account, caller.region))
}

/// Its id was drawn by chance, and a host that registers has nothing else: whose it is stands in the activation.
pub(crate) fn activation(activation_id: &str) -> Id {
    Id::of("activation", activation_id)
}

/// What is laid down about the agents of an account and region.
pub(crate) fn directory(caller: &Caller) -> Id {
    Id::of("directory", &format!("{}/{}", caller.account, caller.region))
}

/// A key that sorts the newest first, and tells two of one instant apart.
pub(crate) fn newest_first(at: Timestamp, id: Id) -> Bytes {
    let mut key = Vec::with_capacity(24);
    key.extend((i64::MAX - at.0).to_be_bytes());
    key.extend(id.to_bytes());
    key.into()
}

/// The instant that a [`newest_first`] key was made of.
pub(crate) fn instant_of(key: &[u8]) -> Timestamp {
    let bytes = key.get(..8).and_then(|bytes| bytes.try_into().ok()).unwrap_or([0; 8]);
    Timestamp(i64::MAX - i64::from_be_bytes(bytes))
}

/// The identity at the end of a [`newest_first`] key.
pub(crate) fn id_of(key: &[u8]) -> Option<Id> {
    Some(Id::from_bytes(key.get(8..24)?.try_into().ok()?))
}

/// State machines, by name.
pub(crate) fn machines(caller: &Caller) -> Bytes {
    scoped("m", caller)
}

/// Activities, by name.
pub(crate) fn activities(caller: &Caller) -> Bytes {
    scoped("a", caller)
}

/// Activities of all accounts, by ARN: what a starting server reads.
pub(crate) fn all_activities() -> Bytes {
    Bytes::from_static(b"A")
}

/// Executions of the account with one status, newest first.
pub(crate) fn executions(caller: &Caller, status: HeadStatus) -> Bytes {
    with_status(scoped("x", caller), status)
}

/// Executions of one machine, version or alias with one status, newest first.
pub(crate) fn executions_of(machine_arn: &str, status: HeadStatus) -> Bytes {
    let mut list = b"y".to_vec();
    list.extend(machine(machine_arn).to_bytes());
    with_status(list.into(), status)
}

/// Every list that an execution with this status stands in: `of` are the ARNs that it can be asked for by.
pub(crate) fn execution_lists<'a>(
    caller: &Caller,
    of: impl Iterator<Item = &'a str>,
    status: HeadStatus,
) -> impl Iterator<Item = Bytes> {
    std::iter::once(executions(caller, status)).chain(of.map(move |arn| executions_of(arn, status)))
}

/// A Map run's children with one status.
pub(crate) fn children_of(map_run_arn: &str, status: HeadStatus) -> Bytes {
    let mut list = b"z".to_vec();
    list.extend(map_run(map_run_arn).to_bytes());
    with_status(list.into(), status)
}

/// Map runs that an execution has started, newest first.
pub(crate) fn map_runs_of(execution_arn: &str) -> Bytes {
    let mut list = b"w".to_vec();
    list.extend(execution(execution_arn).to_bytes());
    list.into()
}

/// Commands of the account, newest first.
pub(crate) fn runs(caller: &Caller) -> Bytes {
    scoped("c", caller)
}

/// Commands to one instance, newest first.
pub(crate) fn runs_of(caller: &Caller, instance_id: &str) -> Bytes {
    let mut list = scoped("d", caller).to_vec();
    list.push(b'/');
    list.extend(instance_id.as_bytes());
    list.into()
}

/// Managed instances, by instance id.
pub(crate) fn instances(caller: &Caller) -> Bytes {
    scoped("i", caller)
}

/// A document, by its ARN.
pub(crate) fn document(arn: &str) -> Id {
    Id::of("document", arn)
}

/// Documents of the account, by name.
pub(crate) fn documents(caller: &Caller) -> Bytes {
    scoped("do", caller)
}

/// Documents of others that are shared with the account, by ARN.
pub(crate) fn documents_shared(account: &str, region: &RegionName) -> Bytes {
    format!("ds/{account}/{region}").into()
}

/// Documents of the region that are shared with all, by ARN.
pub(crate) fn documents_public(region: &RegionName) -> Bytes {
    format!("dp/{region}").into()
}

/// A parameter, by its ARN.
pub(crate) fn parameter(arn: &str) -> Id {
    Id::of("parameter", arn)
}

/// Parameters, by name without a leading slash.
pub(crate) fn parameters(caller: &Caller) -> Bytes {
    scoped("p", caller)
}

/// The same, of one tier: what is counted.
pub(crate) fn parameters_of(caller: &Caller, tier: Tier) -> Bytes {
    match tier {
        Tier::Standard => scoped("ps", caller),
        Tier::Advanced => scoped("pa", caller),
    }
}

/// Managed instances that have a tag with this key, by the tag's value and the instance id: see [`by_value`].
pub(crate) fn instances_by_tag(caller: &Caller, key: &str) -> Bytes {
    let mut list = scoped("it", caller).to_vec();
    list.push(b'/');
    list.extend(key.as_bytes());
    list.into()
}

/// A key in a list by value: the value, a byte that no text ends with, and the rest.
pub(crate) fn by_value(value: &str, rest: &str) -> Bytes {
    let mut key = value.as_bytes().to_vec();
    key.push(0);
    key.extend(rest.as_bytes());
    key.into()
}

/// Activations, newest first.
pub(crate) fn activations(caller: &Caller) -> Bytes {
    scoped("v", caller)
}

/// A log group, by its ARN without `:*`.
pub(crate) fn log_group(arn: &str) -> Id {
    Id::of("log group", arn)
}

/// Log groups, by name.
pub(crate) fn log_groups(caller: &Caller) -> Bytes {
    scoped("lg", caller)
}

/// Streams of a group (by its life), by name.
pub(crate) fn log_streams(group: &str) -> Bytes {
    format!("ls/{group}").into()
}

/// Streams of a group, by the time of their last event.
pub(crate) fn log_streams_by_time(group: &str) -> Bytes {
    format!("lt/{group}").into()
}

/// Chunks of all streams of a group, by the time of their first event.
pub(crate) fn log_events_of_group(group: &str) -> Bytes {
    format!("le/{group}").into()
}

/// Chunks of a stream that began at `born`, by the time of their first event.
pub(crate) fn log_events_by_begin(stream: Id, born: u64) -> Bytes {
    format!("lb/{stream}/{born}").into()
}

/// The same, by the time of their last event.
pub(crate) fn log_events_by_end(stream: Id, born: u64) -> Bytes {
    format!("lz/{stream}/{born}").into()
}

fn scoped(list: &str, caller: &Caller) -> Bytes {
    format!("{list}/{}/{}", caller.account, caller.region).into()
}

fn with_status(list: Bytes, status: HeadStatus) -> Bytes {
    let mut list = list.to_vec();
    list.push(match status {
        HeadStatus::Running => b'R',
        HeadStatus::Succeeded => b'S',
        HeadStatus::Failed => b'F',
        HeadStatus::TimedOut => b'T',
        HeadStatus::Aborted => b'A',
    });
    list.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executions_made_together_are_neighbours() {
        let arn = |name: &str| format!("arn:aws:states:us-east-1:111111111111:execution:net:{name}");
        let early = crate::clock::uuid_of_now(Timestamp(1_700_000_000_000));
        let late = crate::clock::uuid_of_now(Timestamp(1_700_000_000_001));
        assert!(execution(&arn(&early)) < execution(&arn(&late)));
        assert_ne!(execution(&arn(&early)), execution(&arn(&crate::clock::uuid_of_now(Timestamp(1_700_000_000_000)))));
        assert_eq!(execution(&arn("night")), Id::of("execution", &arn("night")));
    }

    #[test]
    fn later_sorts_first_and_can_be_read_back() {
        let (early, late) = (newest_first(Timestamp(1), Id(5)), newest_first(Timestamp(2), Id(4)));
        assert!(late < early);
        assert_eq!((instant_of(&late), id_of(&late)), (Timestamp(2), Some(Id(4))));
    }
}
