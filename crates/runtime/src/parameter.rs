//! A parameter as a value: its versions, their labels, its tags.
//!
//! **Invariant:** the text of a `SecureString` is sealed as soon as it is decided: no event and no state holds it plain.

pub(crate) mod name;
pub(crate) mod filter;
pub(crate) mod policy;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use base::{Secret, Timestamp, limits};
use serde::{Deserialize, Serialize};

use crate::refusal::{ParameterRefusal, Refusal};
use crate::secrets::{Closed, Place, Sealed, Vault};
use crate::tags::{self, Tags};

use policy::Expiration;

/// The only type of data that there is: it is not looked at.
pub(crate) const DATA_TYPE: &str = "text";

/// What seals where nothing else is named. There is no KMS: the name is kept and told.
const KEY_ID_DEFAULT: &str = "alias/aws/ssm";

/// A pattern, compiled, takes no more than this: with the length of a value it bounds what matching costs.
const PATTERN_BYTES_MAX: usize = 64 * 1024;

/// The alarm that an expiration sets.
pub(crate) const EXPIRY: u64 = 1;

/// As of its latest event.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Parameter {
    /// None before its creation and after its deletion.
    pub(crate) now: Option<Arc<Registered>>,
    pub(crate) seq: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Registered {
    pub(crate) name: Arc<str>,
    pub(crate) arn: Arc<str>,
    pub(crate) tags: Tags,
    pub(crate) latest: Version,
    /// The oldest first.
    #[serde(default)]
    pub(crate) earlier: VecDeque<Version>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) number: u64,
    pub(crate) at: Timestamp,
    pub(crate) kept: Kept,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pattern: Option<Arc<str>>,
    pub(crate) tier: Tier,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expiration: Option<Expiration>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) labels: Vec<Arc<str>>,
}

/// A value as it is kept, by its type.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Kept {
    String(Arc<str>),
    StringList(Arc<str>),
    SecureString { sealed: Sealed, key_id: Arc<str> },
}

/// `ParameterType`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    String,
    StringList,
    SecureString,
}

/// `ParameterTier`, as it is assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tier {
    Standard,
    Advanced,
}

/// `ParameterTier`, as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TierWish {
    This(Tier),
    /// The advanced tier where the standard one does not do.
    Intelligent,
}

#[derive(Debug, Clone)]
pub(crate) enum Command {
    Put(Box<Put>),
    Delete,
    Label {
        /// The latest where none is named.
        version: Option<u64>,
        labels: Vec<Arc<str>>,
    },
    Unlabel {
        version: u64,
        labels: Vec<Arc<str>>,
    },
    Tag(Tags),
    Untag(Vec<String>),
    /// An alarm went off.
    Expire,
}

/// A new version; what is none stays as it is.
#[derive(Debug, Clone)]
pub(crate) struct Put {
    pub(crate) name: Arc<str>,
    pub(crate) arn: Arc<str>,
    pub(crate) mode: Mode,
    pub(crate) value: Secret,
    pub(crate) kind: Option<Kind>,
    pub(crate) key_id: Option<Arc<str>>,
    /// Empty: none.
    pub(crate) description: Option<Arc<str>>,
    /// Empty: none.
    pub(crate) pattern: Option<Arc<str>>,
    pub(crate) tier: Option<TierWish>,
    /// Some of none takes away what there is.
    pub(crate) expiration: Option<Option<Expiration>>,
    /// The tier in which a place is held for it.
    pub(crate) place: Option<Tier>,
}

/// Whether there may be such a parameter already.
#[derive(Debug, Clone)]
pub(crate) enum Mode {
    Create { tags: Tags },
    Overwrite,
}

/// Stored: add to it, never alter it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Event {
    Created { name: Arc<str>, arn: Arc<str>, tags: Tags, version: Box<Version> },
    Overwritten { version: Box<Version> },
    Labelled { version: u64, labels: Vec<Arc<str>> },
    Unlabelled { version: u64, labels: Vec<Arc<str>> },
    Tagged { tags: Tags },
    Deleted { at: Timestamp },
    Expired { at: Timestamp },
}

/// Why nothing came of a command.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It needs a place in this tier that is held for it.
    NeedsPlace(Tier),
    For(Refusal),
}

impl<R: Into<Refusal>> From<R> for Refused {
    fn from(refusal: R) -> Refused {
        Refused::For(refusal.into())
    }
}

/// What a decision needs besides: the time, and what seals (with chance of its own).
pub(crate) struct Env<'a> {
    pub(crate) now: Timestamp,
    pub(crate) vault: &'a Vault,
}

/// A parameter's row in the list of its account: what the lists tell of it, and what they are filtered by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) name: Arc<str>,
    pub(crate) kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key_id: Option<Arc<str>>,
    pub(crate) modified: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pattern: Option<Arc<str>>,
    pub(crate) version: u64,
    pub(crate) tier: Tier,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expiration: Option<Expiration>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) labels: Vec<(Arc<str>, u64)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Tags,
}

/// Decides what `command` means. No event: it is so already.
pub(crate) fn decide(parameter: &Parameter, command: Command, env: Env<'_>) -> Result<Option<Event>, Refused> {
    match (parameter.now.as_deref(), command) {
        (None, Command::Put(put)) => create(*put, env).map(Some),
        (Some(now), Command::Put(put)) => overwrite(now, *put, env).map(Some),
        (None, Command::Expire) => Ok(None),
        (
            None,
            Command::Delete | Command::Label { .. } | Command::Unlabel { .. } | Command::Tag(_) | Command::Untag(_),
        ) => Err(ParameterRefusal::NotFound.into()),
        (Some(_), Command::Delete) => Ok(Some(Event::Deleted { at: env.now })),
        (Some(now), Command::Label { version, labels }) => label(now, version, labels),
        (Some(now), Command::Unlabel { version, labels }) => {
            let version = now.version(version)?;
            let labels: Vec<_> = labels.into_iter().filter(|label| version.labels.contains(label)).collect();
            Ok((!labels.is_empty()).then_some(Event::Unlabelled { version: version.number, labels }))
        }
        (Some(now), Command::Tag(added)) => retagged(now, tags::with(&now.tags, added)),
        (Some(now), Command::Untag(keys)) => retagged(now, tags::without(&now.tags, &keys)),
        (Some(now), Command::Expire) => {
            let expired = now.latest.expiration.as_ref().is_some_and(|expiration| expiration.at <= env.now);
            Ok(expired.then_some(Event::Expired { at: env.now }))
        }
    }
}

fn create(put: Put, env: Env<'_>) -> Result<Event, Refused> {
    let kind = put.kind.ok_or_else(|| invalid("A parameter type is required when you create a parameter."))?;
    let version = version(&put, kind, None, env)?;
    let tags = match put.mode {
        Mode::Create { tags } => tags,
        Mode::Overwrite => Tags::new(),
    };
    Ok(Event::Created { name: put.name, arn: put.arn, tags, version: Box::new(version) })
}

fn overwrite(now: &Registered, put: Put, env: Env<'_>) -> Result<Event, Refused> {
    if matches!(put.mode, Mode::Create { .. }) {
        return Err(ParameterRefusal::AlreadyExists.into());
    }
    let was = now.latest.kept.kind();
    let kind = put.kind.unwrap_or(was);
    if kind != was {
        return Err(ParameterRefusal::TypeMismatch { was: was.name(), wanted: kind.name() }.into());
    }
    if let Some(oldest) = now.earlier.front()
        && now.versions().count() >= limits::PARAMETER_VERSIONS_MAX
        && !oldest.labels.is_empty()
    {
        return Err(ParameterRefusal::TooManyVersions { name: put.name.to_string(), oldest: oldest.number }.into());
    }
    Ok(Event::Overwritten { version: Box::new(version(&put, kind, Some(now), env)?) })
}

/// The version that `put` makes of what there is `now`.
fn version(put: &Put, kind: Kind, now: Option<&Registered>, env: Env<'_>) -> Result<Version, Refused> {
    let latest = now.map(|now| &now.latest);
    let number = latest.map_or(1, |latest| latest.number + 1);
    let expiration = match &put.expiration {
        Some(given) => given.clone(),
        None => latest.and_then(|latest| latest.expiration.clone()),
    };
    let tier = tier(put, latest.map(|latest| latest.tier), expiration.is_some())?;
    let pattern = given(&put.pattern, latest.and_then(|latest| latest.pattern.as_ref()));
    check_value(put.value.expose(), pattern.as_deref())?;
    if kind != Kind::SecureString && put.key_id.is_some() {
        return Err(invalid("KeyId is required for SecureString type parameter only.").into());
    }
    if latest.is_none_or(|latest| latest.tier != tier) && put.place != Some(tier) {
        return Err(Refused::NeedsPlace(tier));
    }
    let kept = match kind {
        Kind::String => Kept::String(put.value.expose().into()),
        Kind::StringList => Kept::StringList(put.value.expose().into()),
        Kind::SecureString => {
            let before = latest.and_then(|latest| latest.kept.key_id());
            let key_id = put.key_id.as_ref().or(before).cloned().unwrap_or_else(|| KEY_ID_DEFAULT.into());
            let arn = now.map_or(&put.arn, |now| &now.arn);
            Kept::SecureString { sealed: env.vault.seal(Place { arn, version: number }, &put.value), key_id }
        }
    };
    let description = given(&put.description, latest.and_then(|latest| latest.description.as_ref()));
    Ok(Version { number, at: env.now, kept, description, pattern, tier, expiration, labels: vec![] })
}

/// What was given, else what there was; an empty text takes away.
fn given(given: &Option<Arc<str>>, before: Option<&Arc<str>>) -> Option<Arc<str>> {
    given.as_ref().or(before).filter(|text| !text.is_empty()).cloned()
}

/// "You can change a standard parameter to an advanced parameter any time. But you can't revert" (`PutParameter`, Tier).
fn tier(put: &Put, now: Option<Tier>, has_policies: bool) -> Result<Tier, Refusal> {
    let long = put.value.expose().len() > limits::STANDARD_VALUE_BYTES_MAX;
    let tier = match (put.tier, now) {
        (Some(TierWish::This(Tier::Standard)), Some(Tier::Advanced)) => {
            return Err(invalid(
                "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to \
                 the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard \
                 parameter.",
            ));
        }
        (None | Some(TierWish::Intelligent), Some(Tier::Advanced)) => Tier::Advanced,
        (Some(TierWish::Intelligent), Some(Tier::Standard) | None) if long || has_policies => Tier::Advanced,
        (None | Some(TierWish::Intelligent), Some(Tier::Standard) | None) => Tier::Standard,
        (Some(TierWish::This(tier)), _) => tier,
    };
    match tier {
        Tier::Standard if has_policies => Err(invalid(
            "Parameter policies are available for parameters that use the advanced-parameter tier. To use them, upgrade the parameter \
             to the advanced-parameter tier.",
        )),
        Tier::Standard if long => Err(invalid(
            "Standard tier parameters support a maximum parameter value of 4096 characters. To create a larger parameter value, upgrade \
             the parameter to use the advanced-parameter tier. For more information, see \
             https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html",
        )),
        Tier::Advanced if put.value.expose().len() > limits::ADVANCED_VALUE_BYTES_MAX => {
            Err(invalid("Advanced tier parameters support a maximum parameter value of 8192 characters."))
        }
        tier => Ok(tier),
    }
}

/// No refusal tells the value.
fn check_value(value: &str, pattern: Option<&str>) -> Result<(), Refusal> {
    let nests = value.split_once("{{").is_some_and(|(_, rest)| rest.contains("}}"));
    if nests {
        return Err(invalid("Parameter value can't nest another parameter. Do not use \"{{}}\" in the value."));
    }
    let Some(pattern) = pattern else { return Ok(()) };
    let compile = |text: &str| {
        regex_lite::RegexBuilder::new(text).size_limit(PATTERN_BYTES_MAX).build().map_err(|error| {
            ParameterRefusal::InvalidAllowedPattern(format!(
                "The request does not meet the regular expression requirement: {error}"
            ))
        })
    };
    // By itself first: what is joined to it could make a valid pattern of one that is not.
    compile(pattern)?;
    let whole = compile(&format!("^(?:{pattern})$"))?;
    if whole.is_match(value) { Ok(()) } else { Err(ParameterRefusal::PatternMismatch(pattern.to_owned()).into()) }
}

fn label(now: &Registered, version: Option<u64>, labels: Vec<Arc<str>>) -> Result<Option<Event>, Refused> {
    let version = version.map_or(Ok(&now.latest), |number| now.version(number))?;
    let mut added: Vec<Arc<str>> = vec![];
    for label in labels {
        if !version.labels.contains(&label) && !added.contains(&label) {
            added.push(label);
        }
    }
    if version.labels.len() + added.len() > limits::PARAMETER_LABELS_MAX {
        return Err(ParameterRefusal::TooManyLabels.into());
    }
    Ok((!added.is_empty()).then_some(Event::Labelled { version: version.number, labels: added }))
}

fn retagged(now: &Registered, tags: Tags) -> Result<Option<Event>, Refused> {
    if tags.len() > limits::TAGS_MAX {
        return Err(ParameterRefusal::TooManyTags.into());
    }
    Ok((tags != now.tags).then_some(Event::Tagged { tags }))
}

fn invalid(why: &str) -> Refusal {
    Refusal::Validation(why.to_owned())
}

impl Parameter {
    /// Folds one event in.
    pub(crate) fn apply(&mut self, event: &Event) {
        self.seq += 1;
        if let Event::Created { name, arn, tags, version } = event {
            self.now = Some(Arc::new(Registered {
                name: name.clone(),
                arn: arn.clone(),
                tags: tags.clone(),
                latest: (**version).clone(),
                earlier: VecDeque::new(),
            }));
        }
        let Some(now) = self.now.as_mut().map(Arc::make_mut) else { return };
        match event {
            Event::Created { .. } => (),
            Event::Overwritten { version } => {
                let before = std::mem::replace(&mut now.latest, (**version).clone());
                now.earlier.push_back(before);
                if now.earlier.len() >= limits::PARAMETER_VERSIONS_MAX {
                    now.earlier.pop_front();
                }
            }
            Event::Labelled { version, labels } => now.versions_mut().for_each(|one| {
                one.labels.retain(|label| !labels.contains(label));
                if one.number == *version {
                    one.labels.extend(labels.iter().cloned());
                }
            }),
            Event::Unlabelled { version, labels } => now
                .versions_mut()
                .filter(|one| one.number == *version)
                .for_each(|one| one.labels.retain(|label| !labels.contains(label))),
            Event::Tagged { tags } => now.tags = tags.clone(),
            Event::Deleted { .. } | Event::Expired { .. } => self.now = None,
        }
    }
}

impl Registered {
    /// The oldest first.
    pub(crate) fn versions(&self) -> impl Iterator<Item = &Version> {
        self.earlier.iter().chain([&self.latest])
    }

    fn versions_mut(&mut self) -> impl Iterator<Item = &mut Version> {
        self.earlier.iter_mut().chain([&mut self.latest])
    }

    pub(crate) fn version(&self, number: u64) -> Result<&Version, ParameterRefusal> {
        self.versions()
            .find(|version| version.number == number)
            .ok_or_else(|| ParameterRefusal::VersionNotFound { version: number, name: self.name.to_string() })
    }

    pub(crate) fn labelled(&self, label: &str) -> Result<&Version, ParameterRefusal> {
        let found = self.versions().find(|version| version.labels.iter().any(|one| **one == *label));
        found.ok_or_else(|| ParameterRefusal::LabelNotFound { label: label.to_owned(), name: self.name.to_string() })
    }

    /// The text of one of its versions; of a `SecureString` as it was before it was sealed.
    pub(crate) fn open(&self, version: &Version, vault: &Vault) -> Result<Secret, ParameterRefusal> {
        let Kept::SecureString { sealed, .. } = &version.kept else {
            return Ok(Secret::new(version.kept.shown().clone()));
        };
        let why = |closed| match closed {
            Closed::OtherKey => "it was encrypted with another master key than this server's",
            Closed::Damaged => "what is stored is damaged",
        };
        let closed = |closed| ParameterRefusal::InvalidKeyId {
            version: version.number,
            name: self.name.to_string(),
            why: why(closed),
        };
        vault.open(Place { arn: &self.arn, version: version.number }, sealed).map_err(closed)
    }

    pub(crate) fn line(&self) -> Line {
        self.line_of(&self.latest)
    }

    /// The same as if this version were the latest.
    pub(crate) fn line_of(&self, version: &Version) -> Line {
        let labels = self.versions().flat_map(|one| one.labels.iter().map(|label| (label.clone(), one.number)));
        Line {
            name: self.name.clone(),
            kind: version.kept.kind(),
            key_id: version.kept.key_id().cloned(),
            modified: version.at,
            description: version.description.clone(),
            pattern: version.pattern.clone(),
            version: version.number,
            tier: version.tier,
            expiration: version.expiration.clone(),
            labels: labels.collect(),
            tags: self.tags.clone(),
        }
    }
}

impl Kept {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Kept::String(_) => Kind::String,
            Kept::StringList(_) => Kind::StringList,
            Kept::SecureString { .. } => Kind::SecureString,
        }
    }

    pub(crate) fn key_id(&self) -> Option<&Arc<str>> {
        match self {
            Kept::SecureString { key_id, .. } => Some(key_id),
            Kept::String(_) | Kept::StringList(_) => None,
        }
    }

    /// What is shown without decryption: a secret as it is sealed.
    pub(crate) fn shown(&self) -> &Arc<str> {
        match self {
            Kept::String(text) | Kept::StringList(text) => text,
            Kept::SecureString { sealed, .. } => sealed.text(),
        }
    }
}

/// No value is printed, of whatever type: people put secrets where they should not.
impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(..)", self.kind().name())
    }
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::String, Kind::StringList, Kind::SecureString];

    pub fn name(self) -> &'static str {
        match self {
            Kind::String => "String",
            Kind::StringList => "StringList",
            Kind::SecureString => "SecureString",
        }
    }
}

impl Tier {
    pub fn name(self) -> &'static str {
        match self {
            Tier::Standard => "Standard",
            Tier::Advanced => "Advanced",
        }
    }
}

#[cfg(test)]
mod tests;
