//! How a shard steps log groups and streams.

use base::Id;
use bytes::Bytes;
use store::{IndexKey, IndexRow};

use super::{group, stream};
use crate::keys;
use crate::shard::{Refused, Reply, Shard, Turn};
use crate::value::{self, What};

impl Shard {
    pub(crate) fn step_log_group(
        &mut self,
        id: Id,
        command: group::Command,
        turn: &mut Turn,
    ) -> Result<Reply, Refused> {
        if self.what(id).is_none() {
            self.insert(id, What::LogGroup(group::Group::default()));
        }
        let now = self.now();
        let Some(What::LogGroup(group)) = self.what(id) else { return Err(Refused::Missing) };
        let first = group.seq;
        let before = group.now.clone();
        let event = group::decide(group, command, now).map_err(Refused::Log)?;
        if let Some(event) = event {
            group.apply(&event);
            let after = group.now.clone();
            let rows = |step: &mut store::Step| index(before.as_ref(), after.as_ref(), step);
            self.keep(id, value::chunk(first, &[event]), rows, turn);
        }
        Ok(Reply::Done)
    }

    pub(crate) fn step_log_stream(
        &mut self,
        id: Id,
        command: stream::Command,
        turn: &mut Turn,
    ) -> Result<Reply, Refused> {
        if self.what(id).is_none() {
            self.insert(id, What::LogStream(Box::default()));
        }
        let now = self.now();
        let Some(What::LogStream(stream)) = self.what(id) else { return Err(Refused::Missing) };
        let first = stream.seq;
        let before = stream.now.clone();
        let facts = stream::decide(stream, command, now).map_err(Refused::Log)?;
        if !facts.is_empty() {
            facts.iter().for_each(|fact| stream.apply(fact));
            let after = stream.now.clone();
            let rows = |step: &mut store::Step| stream::index(id, before.as_ref(), after.as_ref(), &facts, step);
            self.keep(id, stream::chunks(first, &facts), rows, turn);
        }
        Ok(Reply::Done)
    }
}

/// The group's row follows the group.
fn index(before: Option<&group::Registered>, after: Option<&group::Registered>, step: &mut store::Step) {
    let at = |group: &group::Registered| IndexKey {
        list: keys::log_groups(&value::caller_of(&group.arn)),
        key: Bytes::copy_from_slice(group.name.as_bytes()),
    };
    match (before, after) {
        (Some(gone), None) => step.index_deleted.push(at(gone)),
        (_, Some(now)) => {
            let value = serde_json::to_vec(now).expect("a group has a text").into();
            step.index_put.push(IndexRow { at: at(now), value });
        }
        (None, None) => (),
    }
}
