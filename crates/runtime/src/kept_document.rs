//! A document of Systems Manager as a value: its versions, which of them is the default, its tags, and with whom it is
//! shared. What a version says is not here but in the event that brought it; the crate `document` understands it.
//!
//! **Invariant:** a version's number is used once, and the default is a version that is there.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{Timestamp, limits};
use serde::{Deserialize, Serialize};

use crate::tags::{self, Tags};

/// As of its latest event.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeptDocument {
    /// None before its creation and after its deletion.
    pub(crate) now: Option<Arc<Registered>>,
    pub(crate) seq: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Registered {
    pub(crate) name: Arc<str>,
    pub(crate) arn: Arc<str>,
    pub(crate) document_type: DocumentType,
    pub(crate) created: Timestamp,
    /// By number, ascending; never empty.
    pub(crate) versions: Vec<Version>,
    pub(crate) default: u64,
    /// The highest number that was ever given.
    pub(crate) last: u64,
    pub(crate) tags: Tags,
    /// By account, or `all`.
    pub(crate) shares: BTreeMap<String, SharedVersion>,
}

/// One version, without its text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) number: u64,
    pub(crate) created: Timestamp,
    /// The event that holds its text.
    pub(crate) place: u64,
    pub(crate) about: About,
}

/// What is known of a version's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct About {
    /// The client's word for the version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target_type: Option<String>,
    pub(crate) format: DocumentFormat,
    pub(crate) sha256: String,
    pub(crate) schema: String,
    pub(crate) platforms: Vec<String>,
}

/// What documents are for. Others of AWS's types come as variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DocumentType {
    Command,
}

impl DocumentType {
    pub fn name(self) -> &'static str {
        match self {
            DocumentType::Command => "Command",
        }
    }
}

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum DocumentFormat {
    #[default]
    Json,
    Yaml,
    Text,
}

impl DocumentFormat {
    /// As AWS writes it.
    pub fn name(self) -> &'static str {
        match self {
            DocumentFormat::Json => "JSON",
            DocumentFormat::Yaml => "YAML",
            DocumentFormat::Text => "TEXT",
        }
    }

    pub fn parse(text: &str) -> Option<DocumentFormat> {
        [DocumentFormat::Json, DocumentFormat::Yaml, DocumentFormat::Text].into_iter().find(|one| one.name() == text)
    }
}

/// Which version others may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum SharedVersion {
    #[default]
    Default,
    Latest,
    All,
}

impl SharedVersion {
    /// As AWS writes it.
    pub fn name(self) -> &'static str {
        match self {
            SharedVersion::Default => "$DEFAULT",
            SharedVersion::Latest => "$LATEST",
            SharedVersion::All => "$ALL",
        }
    }

    pub fn parse(text: &str) -> Option<SharedVersion> {
        [SharedVersion::Default, SharedVersion::Latest, SharedVersion::All].into_iter().find(|one| one.name() == text)
    }
}

/// The account that stands for all.
pub(crate) const EVERYBODY: &str = "all";

/// Which version is meant. Nothing said: the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VersionChoice {
    /// `$DEFAULT`, `$LATEST` or a number.
    pub version: Option<String>,
    /// The client's word for it. Where both are given, both have to lead to it.
    pub name: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) enum Command {
    Create {
        name: Arc<str>,
        arn: Arc<str>,
        document_type: DocumentType,
        draft: Box<Draft>,
        tags: Tags,
    },
    /// `base`: the version that the client takes for the latest.
    Update {
        base: Option<String>,
        draft: Box<Draft>,
    },
    SetDefault(u64),
    Delete,
    DeleteVersion(VersionChoice),
    /// Who is in both is removed (`ModifyDocumentPermission`, AccountIdsToRemove).
    Share {
        added: Vec<String>,
        version: SharedVersion,
        removed: Vec<String>,
    },
    Tag(Tags),
    Untag(Vec<String>),
}

/// A version in the making.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) about: About,
    pub(crate) text: Arc<str>,
}

/// Stored: add to it, never alter it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Event {
    Created {
        at: Timestamp,
        name: Arc<str>,
        arn: Arc<str>,
        document_type: DocumentType,
        about: About,
        text: Arc<str>,
        tags: Tags,
    },
    Updated {
        at: Timestamp,
        number: u64,
        about: About,
        text: Arc<str>,
    },
    DefaultSet {
        at: Timestamp,
        number: u64,
    },
    VersionDeleted {
        at: Timestamp,
        number: u64,
    },
    Deleted {
        at: Timestamp,
    },
    Shared {
        at: Timestamp,
        shares: BTreeMap<String, SharedVersion>,
    },
    Tagged {
        tags: Tags,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    DoesNotExist,
    AlreadyExists,
    NoSuchVersion,
    NotTheLatest,
    SameContent,
    VersionNameTaken,
    TooManyVersions,
    /// Documents of schema 1.2 have one version (`Systems Manager User Guide`, schema versions).
    OneVersionOnly,
    DefaultVersion,
    StillShared,
    SharedWithTooMany,
    TooManyTags,
}

/// Decides what `command` means. No event: it is so already.
pub(crate) fn decide(document: &KeptDocument, command: Command, now: Timestamp) -> Result<Option<Event>, Refusal> {
    match (document.now.as_deref(), command) {
        (None, Command::Create { name, arn, document_type, draft, tags }) => {
            let Draft { about, text } = *draft;
            Ok(Some(Event::Created { at: now, name, arn, document_type, about, text, tags }))
        }
        (Some(_), Command::Create { .. }) => Err(Refusal::AlreadyExists),
        (Some(registered), Command::Update { base, draft }) => update(registered, base, *draft, now).map(Some),
        (Some(registered), Command::SetDefault(number)) => set_default(registered, number, now),
        (Some(registered), Command::Delete) if !registered.shares.is_empty() => Err(Refusal::StillShared),
        (Some(_), Command::Delete) => Ok(Some(Event::Deleted { at: now })),
        (Some(registered), Command::DeleteVersion(choice)) => delete_version(registered, &choice, now).map(Some),
        (Some(registered), Command::Share { added, version, removed }) => {
            share(registered, added, version, &removed, now)
        }
        (Some(registered), Command::Tag(added)) => retagged(registered, tags::with(&registered.tags, added)),
        (Some(registered), Command::Untag(keys)) => retagged(registered, tags::without(&registered.tags, &keys)),
        (
            None,
            Command::Update { .. }
            | Command::SetDefault(_)
            | Command::Delete
            | Command::DeleteVersion(_)
            | Command::Share { .. }
            | Command::Tag(_)
            | Command::Untag(_),
        ) => Err(Refusal::DoesNotExist),
    }
}

fn update(registered: &Registered, base: Option<String>, draft: Draft, now: Timestamp) -> Result<Event, Refusal> {
    let latest = registered.latest();
    if let Some(base) = base {
        let based = registered.numbered(&base).ok_or(Refusal::NoSuchVersion)?;
        if based.number != latest.number {
            return Err(Refusal::NotTheLatest);
        }
    }
    let Draft { mut about, text } = draft;
    if registered.document_type == DocumentType::Command && latest.about.schema.starts_with("1.") {
        return Err(Refusal::OneVersionOnly);
    }
    if latest.about.sha256 == about.sha256 {
        return Err(Refusal::SameContent);
    }
    if about.name.is_some() && registered.versions.iter().any(|version| version.about.name == about.name) {
        return Err(Refusal::VersionNameTaken);
    }
    if registered.versions.len() >= limits::DOCUMENT_VERSIONS_MAX {
        return Err(Refusal::TooManyVersions);
    }
    // What is not said stays as it was (`UpdateDocument`, DisplayName).
    about.display_name = about.display_name.or_else(|| latest.about.display_name.clone());
    about.target_type = about.target_type.or_else(|| latest.about.target_type.clone());
    Ok(Event::Updated { at: now, number: registered.last + 1, about, text })
}

fn set_default(registered: &Registered, number: u64, now: Timestamp) -> Result<Option<Event>, Refusal> {
    if !registered.versions.iter().any(|version| version.number == number) {
        return Err(Refusal::NoSuchVersion);
    }
    Ok((registered.default != number).then_some(Event::DefaultSet { at: now, number }))
}

fn delete_version(registered: &Registered, choice: &VersionChoice, now: Timestamp) -> Result<Event, Refusal> {
    let number = registered.find(choice).ok_or(Refusal::NoSuchVersion)?.number;
    if number == registered.default {
        return Err(Refusal::DefaultVersion);
    }
    Ok(Event::VersionDeleted { at: now, number })
}

fn share(
    registered: &Registered,
    added: Vec<String>,
    version: SharedVersion,
    removed: &[String],
    now: Timestamp,
) -> Result<Option<Event>, Refusal> {
    let mut shares = registered.shares.clone();
    shares.extend(added.into_iter().map(|account| (account, version)));
    shares.retain(|account, _| !removed.contains(account));
    let accounts = shares.keys().filter(|account| *account != EVERYBODY).count();
    if accounts > limits::DOCUMENT_SHARES_MAX {
        return Err(Refusal::SharedWithTooMany);
    }
    Ok((shares != registered.shares).then_some(Event::Shared { at: now, shares }))
}

fn retagged(registered: &Registered, tags: Tags) -> Result<Option<Event>, Refusal> {
    if tags.len() > limits::TAGS_MAX {
        return Err(Refusal::TooManyTags);
    }
    Ok((tags != registered.tags).then_some(Event::Tagged { tags }))
}

impl KeptDocument {
    /// Folds one event in.
    pub(crate) fn apply(&mut self, event: &Event) {
        let place = self.seq;
        self.seq += 1;
        match event {
            Event::Created { at, name, arn, document_type, about, text: _, tags } => {
                let first = Version { number: 1, created: *at, place, about: about.clone() };
                self.now = Some(Arc::new(Registered {
                    name: name.clone(),
                    arn: arn.clone(),
                    document_type: *document_type,
                    created: *at,
                    versions: vec![first],
                    default: 1,
                    last: 1,
                    tags: tags.clone(),
                    shares: BTreeMap::new(),
                }));
            }
            Event::Updated { at, number, about, text: _ } => {
                let version = Version { number: *number, created: *at, place, about: about.clone() };
                self.change(|now| {
                    now.last = version.number;
                    now.versions.push(version);
                });
            }
            Event::DefaultSet { number, .. } => self.change(|now| now.default = *number),
            Event::VersionDeleted { number, .. } => {
                self.change(|now| now.versions.retain(|version| version.number != *number));
            }
            Event::Deleted { .. } => self.now = None,
            Event::Shared { shares, .. } => self.change(|now| now.shares.clone_from(shares)),
            Event::Tagged { tags } => self.change(|now| now.tags.clone_from(tags)),
        }
    }

    fn change(&mut self, change: impl FnOnce(&mut Registered)) {
        if let Some(now) = &mut self.now {
            change(Arc::make_mut(now));
        }
    }
}

impl Event {
    /// The text of a version that it brought.
    pub(crate) fn text(self) -> Option<Arc<str>> {
        match self {
            Event::Created { text, .. } | Event::Updated { text, .. } => Some(text),
            Event::DefaultSet { .. }
            | Event::VersionDeleted { .. }
            | Event::Deleted { .. }
            | Event::Shared { .. }
            | Event::Tagged { .. } => None,
        }
    }
}

impl Registered {
    pub(crate) fn latest(&self) -> &Version {
        self.versions.last().expect("a document has a version: the default is never deleted alone")
    }

    pub(crate) fn default_version(&self) -> &Version {
        let default = self.versions.iter().find(|version| version.number == self.default);
        default.expect("the default is a version that is there")
    }

    /// The version that is meant.
    pub(crate) fn find(&self, choice: &VersionChoice) -> Option<&Version> {
        let named = |name: &String| self.versions.iter().find(|version| version.about.name.as_ref() == Some(name));
        match (&choice.version, &choice.name) {
            (None, None) => Some(self.default_version()),
            (Some(version), None) => self.numbered(version),
            (None, Some(name)) => named(name),
            (Some(version), Some(name)) => {
                named(name).filter(|named| self.numbered(version).is_some_and(|version| version.number == named.number))
            }
        }
    }

    fn numbered(&self, version: &str) -> Option<&Version> {
        match version {
            "$DEFAULT" => Some(self.default_version()),
            "$LATEST" => Some(self.latest()),
            number => {
                let number: u64 = number.parse().ok()?;
                self.versions.iter().find(|version| version.number == number)
            }
        }
    }

    /// The version that is meant by somebody of another account, if it is shared with them.
    pub(crate) fn find_shared(&self, account: &str, choice: &VersionChoice) -> Shared<'_> {
        let Some(shared) = self.shares.get(account).or_else(|| self.shares.get(EVERYBODY)) else { return Shared::Not };
        let found = match (shared, choice.version.as_deref(), &choice.name) {
            (SharedVersion::Latest, None, None) => Some(self.latest()),
            _ => self.find(choice),
        };
        let visible = |version: &&Version| match shared {
            SharedVersion::Default => version.number == self.default,
            SharedVersion::Latest => version.number == self.latest().number,
            SharedVersion::All => true,
        };
        Shared::With(found.filter(visible))
    }

    /// Who may see every version of it, beside its owner.
    pub(crate) fn is_all_shared(&self, account: &str) -> bool {
        let shared = self.shares.get(account).or_else(|| self.shares.get(EVERYBODY));
        shared == Some(&SharedVersion::All)
    }
}

/// What somebody of another account finds.
#[derive(Debug, PartialEq)]
pub(crate) enum Shared<'a> {
    Not,
    /// The document is shared; the version that was asked for may not be.
    With(Option<&'a Version>),
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use expect_test::{Expect, expect};

    use super::*;

    fn draft(text: &str) -> Box<Draft> {
        let (text, name) = text.split_once(" as ").map_or((text, None), |(text, name)| (text, Some(name.to_owned())));
        let about = About {
            name,
            display_name: None,
            target_type: None,
            format: DocumentFormat::Json,
            sha256: text.to_owned(),
            schema: if text == "old" { "1.2" } else { "2.2" }.to_owned(),
            platforms: vec![],
        };
        Box::new(Draft { about, text: text.into() })
    }

    fn choice(words: &str) -> VersionChoice {
        let mut choice = VersionChoice::default();
        for word in words.split_whitespace() {
            match word.strip_prefix('@') {
                Some(name) => choice.name = Some(name.to_owned()),
                None => choice.version = Some(word.to_owned()),
            }
        }
        choice
    }

    fn command(line: &str) -> Command {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let accounts = |sign: char| {
            rest.split_whitespace().filter_map(move |word| word.strip_prefix(sign)).map(str::to_owned).collect()
        };
        match word {
            "create" => Command::Create {
                name: "d".into(),
                arn: "arn".into(),
                document_type: DocumentType::Command,
                draft: draft(rest),
                tags: vec![],
            },
            "update" => match rest.split_once(" on ") {
                Some((text, base)) => Command::Update { base: Some(base.to_owned()), draft: draft(text) },
                None => Command::Update { base: None, draft: draft(rest) },
            },
            "default" => Command::SetDefault(rest.parse().expect("a number")),
            "delete" if rest.is_empty() => Command::Delete,
            "delete" => Command::DeleteVersion(choice(rest)),
            "share" => Command::Share { added: accounts('+'), version: SharedVersion::Default, removed: accounts('-') },
            "share-latest" => {
                Command::Share { added: accounts('+'), version: SharedVersion::Latest, removed: accounts('-') }
            }
            "untag" => Command::Untag(vec![rest.to_owned()]),
            other => panic!("{other} is no command"),
        }
    }

    fn told(document: &KeptDocument) -> String {
        let Some(now) = &document.now else { return "gone".to_owned() };
        let version = |version: &Version| {
            let mark = if version.number == now.default { "*" } else { "" };
            let name = version.about.name.as_deref().map(|name| format!("@{name}")).unwrap_or_default();
            format!("{}{mark}{name}={}", version.number, version.about.sha256)
        };
        let versions: Vec<String> = now.versions.iter().map(version).collect();
        let shares: Vec<String> =
            now.shares.iter().map(|(account, version)| format!(" {account}:{}", version.name())).collect();
        format!("{}{}", versions.join(" "), shares.join(""))
    }

    /// Carries out each line, and tells what the document is then, or why not.
    fn check(lines: &str, expect: Expect) {
        let mut document = KeptDocument::default();
        let mut out = String::new();
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let result = match decide(&document, command(line), Timestamp(document.seq as i64)) {
                Ok(Some(event)) => {
                    document.apply(&event);
                    told(&document)
                }
                Ok(None) => "no change".to_owned(),
                Err(refusal) => format!("{refusal:?}"),
            };
            writeln!(out, "{line}: {result}").expect("a text takes all");
        }
        expect.assert_eq(&out);
    }

    #[test]
    fn versions_follow_one_another() {
        check(
            "untag x
             create a
             create a
             update a
             update b as two
             update c as two
             update c on 1
             update c on $DEFAULT
             update c on 9
             update c on $LATEST
             default 3
             default 3
             default 9
             update a on 3
             create b",
            expect![[r#"
                untag x: DoesNotExist
                create a: 1*=a
                create a: AlreadyExists
                update a: SameContent
                update b as two: 1*=a 2@two=b
                update c as two: VersionNameTaken
                update c on 1: NotTheLatest
                update c on $DEFAULT: NotTheLatest
                update c on 9: NoSuchVersion
                update c on $LATEST: 1*=a 2@two=b 3=c
                default 3: 1=a 2@two=b 3*=c
                default 3: no change
                default 9: NoSuchVersion
                update a on 3: 1=a 2@two=b 3*=c 4=a
                create b: AlreadyExists
            "#]],
        );
    }

    #[test]
    fn a_number_is_used_once_and_the_default_stays() {
        check(
            "create a as one
             delete 1
             delete @one
             delete $LATEST
             update b as two
             delete 1 @two
             delete 2 @two
             delete 2
             update c
             delete
             update d
             create e",
            expect![[r#"
                create a as one: 1*@one=a
                delete 1: DefaultVersion
                delete @one: DefaultVersion
                delete $LATEST: DefaultVersion
                update b as two: 1*@one=a 2@two=b
                delete 1 @two: NoSuchVersion
                delete 2 @two: 1*@one=a
                delete 2: NoSuchVersion
                update c: 1*@one=a 3=c
                delete: gone
                update d: DoesNotExist
                create e: 1*=e
            "#]],
        );
    }

    #[test]
    fn what_is_shared_is_not_deleted() {
        check(
            "create a
             share +111111111111 +all
             share +111111111111
             share-latest +222222222222 +333333333333 -333333333333
             delete
             share -all -111111111111 -222222222222
             delete",
            expect![[r#"
                create a: 1*=a
                share +111111111111 +all: 1*=a 111111111111:$DEFAULT all:$DEFAULT
                share +111111111111: no change
                share-latest +222222222222 +333333333333 -333333333333: 1*=a 111111111111:$DEFAULT 222222222222:$LATEST all:$DEFAULT
                delete: StillShared
                share -all -111111111111 -222222222222: 1*=a
                delete: gone
            "#]],
        );
    }

    #[test]
    fn a_document_of_the_old_schema_has_one_version() {
        check(
            "create old\nupdate new",
            expect![[r#"
            create old: 1*=old
            update new: OneVersionOnly
        "#]],
        );
    }

    fn made(lines: &str) -> KeptDocument {
        let mut document = KeptDocument::default();
        for line in lines.lines() {
            if let Some(event) = decide(&document, command(line), Timestamp(0)).expect("accepted") {
                document.apply(&event);
            }
        }
        document
    }

    #[test]
    fn others_see_what_is_shared_with_them() {
        let document = made("create a\nupdate b\nshare +111111111111\nshare-latest +222222222222");
        let now = document.now.expect("there");
        let seen = |account: &str, words: &str| match now.find_shared(account, &choice(words)) {
            Shared::Not => "not shared".to_owned(),
            Shared::With(version) => version.map_or("none".to_owned(), |version| version.number.to_string()),
        };
        assert_eq!(seen("333333333333", ""), "not shared");
        assert_eq!(
            ["", "$LATEST", "2", "1", "$DEFAULT"].map(|words| seen("111111111111", words)),
            ["1", "none", "none", "1", "1"]
        );
        assert_eq!(["", "$LATEST", "2", "1"].map(|words| seen("222222222222", words)), ["2", "2", "2", "none"]);
    }

    #[test]
    fn versions_and_accounts_have_an_end() {
        let mut lines = "create 0".to_owned();
        (1..limits::DOCUMENT_VERSIONS_MAX).for_each(|number| write!(lines, "\nupdate {number}").expect("a text"));
        let full = made(&lines);
        assert_eq!(decide(&full, command("update x"), Timestamp(0)), Err(Refusal::TooManyVersions));
        let accounts: String = (0..=limits::DOCUMENT_SHARES_MAX).map(|number| format!(" +{number:012}")).collect();
        assert_eq!(decide(&full, command(&format!("share{accounts}")), Timestamp(0)), Err(Refusal::SharedWithTooMany));
        let tags = (0..=limits::TAGS_MAX).map(|number| (number.to_string(), String::new())).collect();
        assert_eq!(decide(&full, Command::Tag(tags), Timestamp(0)), Err(Refusal::TooManyTags));
    }
}
