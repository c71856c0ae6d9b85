//! Use cases about parameters (Parameter Store): values under names in a hierarchy, some of them secret.
//!
//! Lists are read from rows, a page at a time; values are read from the store, one by one, and opened at the last moment.

use std::collections::BTreeMap;

use base::{Caller, Secret, Timestamp};
use bytes::Bytes;
use futures_util::future::join_all;
use store::{Direction, IndexKey, IndexRow, Timer};

use crate::page::{Page, Paged};
use crate::parameter::filter::{Filter, For, Range};
use crate::parameter::name::{self, Name, Reference, Selector};
use crate::parameter::{self, Command, EXPIRY, Kept, Line, Mode, Put, Refused, Registered, Version, policy};
use crate::quota::Quota;
use crate::refusal::{CommandRefusal, ParameterRefusal, Refusal};
use crate::shard::{self, Ask, ParameterChange, Reply};
use crate::value::{Value, What};
use crate::{Runtime, keys, tags, token};

pub use crate::parameter::filter::{Depth, ParameterFilter};
pub use crate::parameter::{Kind as ParameterType, Tier, TierWish};

/// `PutParameter`
#[derive(Debug, Clone)]
pub struct ParameterPut {
    pub name: String,
    pub value: Secret,
    pub parameter_type: Option<ParameterType>,
    pub key_id: Option<String>,
    pub description: Option<String>,
    pub allowed_pattern: Option<String>,
    pub tier: Option<TierWish>,
    /// A JSON array.
    pub policies: Option<String>,
    pub data_type: Option<String>,
    pub existing: Existing,
    pub tags: Vec<(String, String)>,
}

/// What becomes of a parameter that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    Refuse,
    Overwrite,
}

/// How the value of a `SecureString` is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decryption {
    Plain,
    /// As it is kept: of no use to anybody.
    Sealed,
}

/// A version of a parameter with its value.
#[derive(Debug, Clone)]
pub struct Parameter {
    pub name: String,
    pub arn: String,
    pub parameter_type: ParameterType,
    pub value: Secret,
    pub version: u64,
    /// How the version was asked for: `:3`, `:prod`.
    pub selector: Option<String>,
    pub modified: Timestamp,
    pub data_type: &'static str,
}

/// What the lists tell of a parameter.
#[derive(Debug, Clone)]
pub struct ParameterMetadata {
    pub name: String,
    pub arn: String,
    pub parameter_type: ParameterType,
    pub key_id: Option<String>,
    pub modified: Timestamp,
    pub modified_by: String,
    pub description: Option<String>,
    pub allowed_pattern: Option<String>,
    pub version: u64,
    pub tier: Tier,
    pub policies: Vec<ParameterPolicy>,
    pub data_type: &'static str,
}

/// `ParameterInlinePolicy`; one that has done its work is gone with its parameter.
#[derive(Debug, Clone)]
pub struct ParameterPolicy {
    pub text: String,
    pub policy_type: &'static str,
    pub status: &'static str,
}

/// One entry of a parameter's history.
#[derive(Debug, Clone)]
pub struct ParameterVersion {
    pub metadata: ParameterMetadata,
    pub value: Secret,
    pub labels: Vec<String>,
}

/// `GetParametersByPath`
#[derive(Debug, Clone)]
pub struct ParametersByPath {
    pub path: String,
    pub depth: Depth,
    pub filters: Vec<ParameterFilter>,
    pub decryption: Decryption,
}

/// What `GetParameters` and `DeleteParameters` found, and the names that lead to nothing.
#[derive(Debug, Clone)]
pub struct Sorted<T> {
    pub valid: Vec<T>,
    pub invalid: Vec<String>,
}

/// What became of labels.
#[derive(Debug, Clone)]
pub struct Labelled {
    pub version: u64,
    pub labels: Vec<String>,
    pub invalid: Vec<String>,
}

/// What is to become of a resource's tags.
#[derive(Debug, Clone)]
pub enum TagChange {
    Add(Vec<(String, String)>),
    Remove(Vec<String>),
}

/// Rows read at a time, and looked at for one page: beyond it the page ends, and its token goes on ("Request results are
/// returned on a best-effort basis").
const ROWS_AT_A_TIME: u32 = 100;
const ROWS_MAX: usize = 2_000;

/// How often a change is tried again while others change the parameter's tier.
const TRIES_MAX: usize = 5;

/// The parameter's rows follow the parameter, and so does the alarm of its expiration.
pub(crate) fn index(before: Option<&Registered>, after: Option<&Registered>, step: &mut store::Step) {
    let at = |registered: &Registered| {
        let caller = crate::value::caller_of(&registered.arn);
        let key = Bytes::copy_from_slice(name::key_of(&registered.name).as_bytes());
        let list = |list| IndexKey { list, key: key.clone() };
        (list(keys::parameters(&caller)), list(keys::parameters_of(&caller, registered.latest.tier)))
    };
    let alarm = |registered: Option<&Registered>| {
        let expiration = registered.and_then(|registered| registered.latest.expiration.as_ref());
        expiration.map(|expiration| Timer { due: expiration.at, timer: EXPIRY })
    };
    if let Some((row, counted)) = before.map(at) {
        step.index_deleted.extend([row, counted]);
    }
    if let Some(after) = after {
        let (row, counted) = at(after);
        let line = serde_json::to_vec(&after.line()).expect("a line has a text");
        step.index_put.push(IndexRow { at: row, value: line.into() });
        step.index_put.push(IndexRow { at: counted, value: Bytes::new() });
    }
    let (was, is) = (alarm(before), alarm(after));
    if was != is {
        step.timers_cleared.extend(was.filter(|was| !step.timers_cleared.contains(was)));
        step.timers_set.extend(is);
    }
}

impl Runtime {
    /// Puts a version of a parameter; tells its number and tier.
    pub async fn parameter_put(&self, caller: &Caller, put: ParameterPut) -> Result<(u64, Tier), Refusal> {
        let mut put = checked(caller, put, self.inner.world.now())?;
        let id = keys::parameter(&put.arn);
        let mut held = None;
        for _ in 0..TRIES_MAX {
            put.place = held.as_ref().map(|(tier, _place)| *tier);
            let wanted = match self.ask(id, Ask::Parameter(Command::Put(Box::new(put.clone())))).await {
                Err(shard::Refused::Parameter(Refused::NeedsPlace(tier))) => tier,
                answer => {
                    let latest = changed(answer)?.after.ok_or(Refusal::Unknown)?;
                    return Ok((latest.latest.number, latest.latest.tier));
                }
            };
            drop(held.take());
            let quota = self.parameter_quota(wanted);
            match quota.admit(self.store(), caller).await? {
                Some(place) => held = Some((wanted, place)),
                None if put.tier == Some(TierWish::Intelligent) && wanted == Tier::Standard => {
                    put.tier = Some(TierWish::This(Tier::Advanced));
                }
                None => return Err(ParameterRefusal::LimitExceeded { tier: wanted, max: quota.max() }.into()),
            }
        }
        Err(ParameterRefusal::TooManyUpdates.into())
    }

    fn parameter_quota(&self, tier: Tier) -> &Quota {
        match tier {
            Tier::Standard => &self.inner.standard_parameters,
            Tier::Advanced => &self.inner.advanced_parameters,
        }
    }

    /// A parameter, by `name`, `name:version`, `name:label` or its ARN.
    pub async fn parameter(&self, caller: &Caller, name: &str, decryption: Decryption) -> Result<Parameter, Refusal> {
        let reference = Reference::parse(caller, name)?;
        let registered = self.parameter_read(caller, &reference.name).await?;
        self.shown(&registered, reference.selector.as_ref(), decryption)
    }

    /// Several at once, in the order of their names; each once.
    pub async fn parameters(
        &self,
        caller: &Caller,
        names: &[String],
        decryption: Decryption,
    ) -> Result<Sorted<Parameter>, Refusal> {
        let mut names: Vec<&String> = names.iter().collect();
        names.sort();
        names.dedup();
        let found = join_all(names.iter().map(|name| self.parameter(caller, name, decryption))).await;
        sorted(names, found)
    }

    /// What is below a path, by name.
    pub async fn parameters_by_path(
        &self,
        caller: &Caller,
        by_path: ParametersByPath,
        page: Page,
    ) -> Result<Paged<Parameter>, Refusal> {
        let question =
            format!("parameters of {} {} {:?} {:?}", caller.account, caller.region, by_path, by_path.filters);
        let path = name::path(&by_path.path)?;
        let mut filters = vec![Filter::below(path, by_path.depth)];
        for filter in by_path.filters {
            filters.push(Filter::parse(filter, For::Path)?);
        }
        let lines = self.parameter_lines(caller, &filters, page, &question).await?;
        let values = lines.items.iter().map(async |line| {
            let name = Name::of_row(&line.name);
            let registered = match self.parameter_read(caller, &name).await {
                Err(Refusal::Parameter(ParameterRefusal::NotFound)) => return Ok(None),
                read => read?,
            };
            let selector = filters.iter().find_map(|filter| filter.version(line)).map(Selector::Version);
            self.shown(&registered, selector.as_ref(), by_path.decryption).map(Some)
        });
        // What was deleted meanwhile is not there; the selector is told only to who asked by one.
        let found: Vec<Option<Parameter>> = join_all(values).await.into_iter().collect::<Result<_, Refusal>>()?;
        let items = found.into_iter().flatten().map(|parameter| Parameter { selector: None, ..parameter });
        Ok(Paged { items: items.collect(), next: lines.next })
    }

    /// What there is, by name, without values.
    pub async fn parameter_list(
        &self,
        caller: &Caller,
        filters: Vec<ParameterFilter>,
        page: Page,
    ) -> Result<Paged<ParameterMetadata>, Refusal> {
        let question = format!("parameters {} {} {filters:?}", caller.account, caller.region);
        let filters = filters.into_iter().map(|filter| Filter::parse(filter, For::Describe));
        let filters = filters.collect::<Result<Vec<_>, Refusal>>()?;
        let lines = self.parameter_lines(caller, &filters, page, &question).await?;
        Ok(lines.map(|line| of_line(caller, line)))
    }

    /// The versions that are kept, the oldest first.
    pub async fn parameter_history(
        &self,
        caller: &Caller,
        name: &str,
        decryption: Decryption,
        page: Page,
    ) -> Result<Paged<ParameterVersion>, Refusal> {
        let reference = Reference::parse(caller, name)?;
        let question = format!("history of {}", reference.name.arn(caller));
        let now = self.inner.world.now();
        let after = page.token.map(|token| token::read(&question, &token, now)).transpose()?;
        let after = after.map(|bytes| bytes.try_into().map(u64::from_be_bytes).map_err(|_| Refusal::InvalidToken));
        let after = after.transpose()?.unwrap_or(0);
        let registered = self.parameter_read(caller, &reference.name).await?;
        let mut versions = registered.versions().filter(|version| version.number > after);
        let shown: Vec<&Version> = versions.by_ref().take(page.limit as usize).collect();
        let last = shown.last().filter(|_| versions.next().is_some());
        let next = last.map(|last| token::write(&question, &last.number.to_be_bytes(), now));
        let items = shown.iter().map(|version| {
            Ok(ParameterVersion {
                metadata: of_line(caller, registered.line_of(version)),
                value: self.text(&registered, version, decryption)?,
                labels: version.labels.iter().map(|label| label.to_string()).collect(),
            })
        });
        Ok(Paged { items: items.collect::<Result<_, Refusal>>()?, next })
    }

    pub async fn parameter_delete(&self, caller: &Caller, name: &str) -> Result<(), Refusal> {
        let name = Name::of_own(name)?;
        self.parameter_ask(caller, &name, Command::Delete).await.map(drop)
    }

    pub async fn parameters_delete(&self, caller: &Caller, names: &[String]) -> Result<Sorted<String>, Refusal> {
        let mut names: Vec<&String> = names.iter().collect();
        names.sort();
        names.dedup();
        let delete = async |name: &String| self.parameter_delete(caller, name).await.map(|()| name.clone());
        let deleted = join_all(names.iter().map(|name| delete(name))).await;
        sorted(names, deleted)
    }

    /// Attaches labels to a version (the latest, if none is named); takes them from the version that had them.
    pub async fn parameter_label(
        &self,
        caller: &Caller,
        name: &str,
        version: Option<u64>,
        labels: Vec<String>,
    ) -> Result<Labelled, Refusal> {
        let name = Name::of_own(name)?;
        let (labels, invalid): (Vec<_>, Vec<_>) = labels.into_iter().partition(|label| name::is_label(label));
        let command = Command::Label { version, labels: labels.iter().map(|label| label.as_str().into()).collect() };
        let after = self.parameter_ask(caller, &name, command).await?.after.ok_or(Refusal::Unknown)?;
        Ok(Labelled { version: version.unwrap_or(after.latest.number), labels, invalid })
    }

    /// Takes labels from a version; those that it does not have are invalid.
    pub async fn parameter_unlabel(
        &self,
        caller: &Caller,
        name: &str,
        version: u64,
        labels: Vec<String>,
    ) -> Result<Labelled, Refusal> {
        let name = Name::of_own(name)?;
        let command = Command::Unlabel { version, labels: labels.iter().map(|label| label.as_str().into()).collect() };
        let before = self.parameter_ask(caller, &name, command).await?.before.ok_or(Refusal::Unknown)?;
        let had = &before.version(version)?.labels;
        let (labels, invalid) = labels.into_iter().partition(|label| had.iter().any(|one| **one == **label));
        Ok(Labelled { version, labels, invalid })
    }

    pub async fn parameter_tags(&self, caller: &Caller, name: &str) -> Result<Vec<(String, String)>, Refusal> {
        Ok(self.parameter_read(caller, &Name::of_own(name)?).await?.tags.clone())
    }

    pub async fn parameter_tag(&self, caller: &Caller, name: &str, change: TagChange) -> Result<(), Refusal> {
        let name = Name::of_own(name)?;
        let command = match change {
            TagChange::Add(tags) => Command::Tag(tags::checked(tags, ParameterRefusal::TooManyTags)?),
            TagChange::Remove(keys) => Command::Untag(keys),
        };
        self.parameter_ask(caller, &name, command).await.map(drop)
    }

    /// What stands for `{{ssm:name}}` in a command: the texts of these parameters, by the names as they were given: one, or
    /// those of a StringList. A secret
    /// does not stand in a command (`SendCommand`: "Parameter Store parameters of the type SecureString are not supported").
    pub async fn parameter_texts(
        &self,
        caller: &Caller,
        names: &[String],
    ) -> Result<BTreeMap<String, Vec<String>>, Refusal> {
        let mut texts = BTreeMap::new();
        for name in names {
            let invalid = |why: &str| CommandRefusal::InvalidParameters(format!("{{{{ssm:{name}}}}}: {why}"));
            let parameter = match self.parameter(caller, name, Decryption::Sealed).await {
                Ok(parameter) => parameter,
                Err(Refusal::Parameter(ParameterRefusal::NotFound)) => {
                    return Err(invalid("there is no such parameter in Parameter Store.").into());
                }
                Err(refusal @ (Refusal::Parameter(_) | Refusal::Validation(_))) => {
                    return Err(invalid(&refusal.to_string()).into());
                }
                Err(refusal) => return Err(refusal),
            };
            if parameter.parameter_type == ParameterType::SecureString {
                return Err(invalid("a parameter of the type SecureString cannot be referenced in a command.").into());
            }
            let text = parameter.value.expose();
            let all = match parameter.parameter_type {
                ParameterType::StringList => text.split(',').map(str::to_owned).collect(),
                ParameterType::String | ParameterType::SecureString => vec![text.to_owned()],
            };
            texts.insert(name.clone(), all);
        }
        Ok(texts)
    }

    /// A parameter's text, for whoever is to have it: of a `SecureString`, too.
    pub async fn parameter_secret(&self, caller: &Caller, name: &str) -> Result<Secret, Refusal> {
        Ok(self.parameter(caller, name, Decryption::Plain).await?.value)
    }

    async fn parameter_ask(&self, caller: &Caller, name: &Name, command: Command) -> Result<ParameterChange, Refusal> {
        changed(self.ask(keys::parameter(&name.arn(caller)), Ask::Parameter(command)).await)
    }

    async fn parameter_read(&self, caller: &Caller, name: &Name) -> Result<std::sync::Arc<Registered>, Refusal> {
        let loaded = self.store().load(keys::parameter(&name.arn(caller))).await?;
        let value = loaded.map(|loaded| Value::load(&loaded)).transpose().map_err(Refusal::internal)?;
        match value.map(|value| value.what) {
            Some(What::Parameter(parameter::Parameter { now: Some(now), .. })) => Ok(now),
            _ => Err(ParameterRefusal::NotFound.into()),
        }
    }

    fn shown(
        &self,
        registered: &Registered,
        selector: Option<&Selector>,
        decryption: Decryption,
    ) -> Result<Parameter, Refusal> {
        let version = match selector {
            None => &registered.latest,
            Some(Selector::Version(number)) => registered.version(*number)?,
            Some(Selector::Label(label)) => registered.labelled(label)?,
        };
        Ok(Parameter {
            name: registered.name.to_string(),
            arn: registered.arn.to_string(),
            parameter_type: version.kept.kind(),
            value: self.text(registered, version, decryption)?,
            version: version.number,
            selector: selector.map(|selector| match selector {
                Selector::Version(number) => format!(":{number}"),
                Selector::Label(label) => format!(":{label}"),
            }),
            modified: version.at,
            data_type: parameter::DATA_TYPE,
        })
    }

    fn text(&self, registered: &Registered, version: &Version, decryption: Decryption) -> Result<Secret, Refusal> {
        match (decryption, &version.kept) {
            (Decryption::Plain, Kept::SecureString { .. }) => Ok(registered.open(version, &self.inner.world.vault)?),
            (Decryption::Sealed, _) | (_, Kept::String(_) | Kept::StringList(_)) => {
                Ok(Secret::new(version.kept.shown().clone()))
            }
        }
    }

    /// A page of the rows that all `filters` have.
    async fn parameter_lines(
        &self,
        caller: &Caller,
        filters: &[Filter],
        page: Page,
        question: &str,
    ) -> Result<Paged<Line>, Refusal> {
        let now = self.inner.world.now();
        let from = page.token.map(|token| token::read(question, &token, now)).transpose()?;
        let range = filters.iter().find_map(Filter::range).unwrap_or_default();
        let mut walk = Walk::new(range, from.map(Bytes::from));
        let mut found = vec![];
        let ends = |place: Option<Bytes>| place.map(|place| token::write(question, &place, now));
        while let Some(mut place) = walk.next() {
            if walk.seen >= ROWS_MAX {
                return Ok(Paged { items: found, next: ends(place) });
            }
            let list = keys::parameters(caller);
            let rows = self.store().index(list, place.clone(), Direction::Forward, ROWS_AT_A_TIME).await?;
            for row in walk.take(rows) {
                let line: Line = serde_json::from_slice(&row.value).map_err(Refusal::internal)?;
                let wanted = filters.iter().all(|filter| filter.has(&line));
                if wanted && found.len() == page.limit as usize {
                    return Ok(Paged { items: found, next: ends(place) });
                }
                place = Some(row.at.key);
                found.extend(wanted.then_some(line));
            }
        }
        Ok(Paged { items: found, next: None })
    }
}

/// A walk along the part of the list that a range names: what is deeper than one level is stepped over, not read.
struct Walk {
    range: Range,
    after: Option<Bytes>,
    over: bool,
    seen: usize,
}

impl Walk {
    /// `from` is where the page before ended.
    fn new(range: Range, from: Option<Bytes>) -> Walk {
        // No name is less than its own prefix without the last byte; the prefix itself may be a name.
        let begin = before(&range.prefix);
        Walk { range, after: from.or(begin), over: false, seen: 0 }
    }

    /// After which row to read on; none at the end. (The inner none: from the very beginning.)
    fn next(&self) -> Option<Option<Bytes>> {
        (!self.over).then(|| self.after.clone())
    }

    /// The rows that are to be looked at.
    fn take(&mut self, rows: Vec<IndexRow>) -> Vec<IndexRow> {
        let full = rows.len() == ROWS_AT_A_TIME as usize;
        let mut taken = vec![];
        for row in rows {
            let rest = row.at.key.strip_prefix(self.range.prefix.as_bytes());
            let Some(rest) = rest else {
                self.over = true;
                return taken;
            };
            let slash = rest.iter().position(|byte| *byte == b'/').filter(|_| self.range.one_level);
            if let Some(slash) = slash {
                // All of `prefix/segment/…` stands together: the next row that counts comes after it.
                let mut beyond = row.at.key[..self.range.prefix.len() + slash + 1].to_vec();
                beyond.push(u8::MAX);
                self.after = Some(beyond.into());
                self.seen += 1;
                return taken;
            }
            self.after = Some(row.at.key.clone());
            self.seen += 1;
            taken.push(row);
        }
        self.over = !full;
        taken
    }
}

/// A key after which all keys with this prefix come, and as few others as may be. None: the list's beginning.
fn before(prefix: &str) -> Option<Bytes> {
    let (last, start) = prefix.as_bytes().split_last()?;
    let mut key = start.to_vec();
    if let Some(less) = last.checked_sub(1) {
        key.extend([less, u8::MAX]);
    }
    Some(key.into())
}

/// What is asked for, checked as far as that can be done without looking.
fn checked(caller: &Caller, put: ParameterPut, now: Timestamp) -> Result<Put, Refusal> {
    let name = Name::of_new(caller, &put.name)?;
    if let Some(other) = put.data_type.filter(|data_type| !data_type.is_empty() && data_type != parameter::DATA_TYPE) {
        return Err(Refusal::Validation(format!(
            "The following data type is not supported: {other} (Data type names are all lowercase.)"
        )));
    }
    let mode = match put.existing {
        Existing::Overwrite if !put.tags.is_empty() => {
            return Err(Refusal::Validation(
                "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite \
                 flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource."
                    .to_owned(),
            ));
        }
        Existing::Overwrite => Mode::Overwrite,
        Existing::Refuse => Mode::Create { tags: tags::checked(put.tags, ParameterRefusal::TooManyTags)? },
    };
    Ok(Put {
        arn: name.arn(caller).into(),
        name: name.as_text().clone(),
        mode,
        value: put.value,
        kind: put.parameter_type,
        key_id: put.key_id.map(Into::into),
        description: put.description.map(Into::into),
        pattern: put.allowed_pattern.map(Into::into),
        tier: put.tier,
        expiration: put.policies.map(|text| policy::parse(&text, now)).transpose()?,
        place: None,
    })
}

fn changed(answer: Result<Reply, shard::Refused>) -> Result<ParameterChange, Refusal> {
    match answer? {
        Reply::Parameter(change) => Ok(*change),
        _ => Err(Refusal::Unknown),
    }
}

/// Tells those that are there from those that are not; another refusal refuses all.
fn sorted<T>(names: Vec<&String>, found: Vec<Result<T, Refusal>>) -> Result<Sorted<T>, Refusal> {
    let mut sorted = Sorted { valid: vec![], invalid: vec![] };
    for (name, found) in names.into_iter().zip(found) {
        match found {
            Ok(found) => sorted.valid.push(found),
            Err(Refusal::Parameter(
                ParameterRefusal::NotFound
                | ParameterRefusal::VersionNotFound { .. }
                | ParameterRefusal::LabelNotFound { .. },
            )) => sorted.invalid.push(name.clone()),
            Err(refusal) => return Err(refusal),
        }
    }
    Ok(sorted)
}

fn of_line(caller: &Caller, line: Line) -> ParameterMetadata {
    let text = |text: &std::sync::Arc<str>| text.to_string();
    ParameterMetadata {
        arn: base::arn::parameter(caller, &line.name),
        name: line.name.to_string(),
        parameter_type: line.kind,
        key_id: line.key_id.as_ref().map(text),
        modified: line.modified,
        // An account's only user.
        modified_by: format!("arn:aws:iam::{}:root", caller.account),
        description: line.description.as_ref().map(text),
        allowed_pattern: line.pattern.as_ref().map(text),
        version: line.version,
        tier: line.tier,
        policies: line.expiration.iter().map(of_expiration).collect(),
        data_type: parameter::DATA_TYPE,
    }
}

fn of_expiration(expiration: &policy::Expiration) -> ParameterPolicy {
    ParameterPolicy { text: expiration.text.to_string(), policy_type: "Expiration", status: "Pending" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_begins_before_what_it_looks_for() {
        let begins = |prefix: &str| before(prefix).map(|key| key.to_vec());
        assert_eq!(begins(""), None);
        assert_eq!(begins("net/"), Some(b"net.\xff".to_vec()));
        assert_eq!(begins("a\0"), Some(b"a".to_vec()));
        for prefix in ["\0", "a", "net/", "日本", "\u{10ffff}"] {
            let begin = begins(prefix).expect("a key");
            assert!(*begin < *prefix.as_bytes() && !begin.starts_with(prefix.as_bytes()), "{prefix:?}");
        }
    }
}
