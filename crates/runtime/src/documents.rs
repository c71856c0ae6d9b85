//! Use cases about documents of Systems Manager: what commands run, under names and in versions.
//!
//! A document is looked for among those that come with Dandori (`AWS-RunShellScript`), then among the caller's own; by its
//! ARN it may be another account's, if its owner shares it. Lists are read from rows, a page at a time; a version's text is
//! read from the event that brought it, and understood once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use base::{Arn, Caller, Id, Timestamp, limits};
use bytes::Bytes;
use document::owned::{self, Owned};
use serde::{Deserialize, Serialize};
use store::{Direction, IndexKey, IndexRow, Seq, Store};

use crate::kept_document::{self, About, Command, Draft, EVERYBODY, Event, Registered, Shared, Version};
use crate::page::{Page, Paged};
use crate::parameters::TagChange;
use crate::refusal::{CommandRefusal, DocumentRefusal, Refusal};
use crate::shard::{Ask, Refused, Reply};
use crate::value::{Value, What};
use crate::{Runtime, keys, tags, token};

pub use crate::kept_document::{DocumentFormat, DocumentType, SharedVersion, VersionChoice};

mod filter;
mod texts;

pub use filter::DocumentFilter;
pub(crate) use texts::Texts;

/// `CreateDocument`
#[derive(Debug, Clone)]
pub struct DocumentCreate {
    pub name: String,
    pub document_type: DocumentType,
    pub content: DocumentContent,
    pub tags: Vec<(String, String)>,
}

/// What `CreateDocument` and `UpdateDocument` say of a version.
#[derive(Debug, Clone, Default)]
pub struct DocumentContent {
    pub text: String,
    pub format: DocumentFormat,
    pub version_name: Option<String>,
    pub display_name: Option<String>,
    pub target_type: Option<String>,
}

/// One version of a document, and where it stands among the others.
#[derive(Debug, Clone)]
pub struct DocumentDescription {
    pub name: String,
    pub owner: String,
    pub document_type: DocumentType,
    pub created: Timestamp,
    pub version: u64,
    pub latest: u64,
    pub default: u64,
    pub version_name: Option<String>,
    pub display_name: Option<String>,
    pub target_type: Option<String>,
    pub format: DocumentFormat,
    pub sha256: String,
    pub tags: Vec<(String, String)>,
    pub document: Arc<document::Document>,
}

/// One version of a document with its text.
#[derive(Debug, Clone)]
pub struct DocumentText {
    pub description: DocumentDescription,
    /// The form of `text`, which may be another than the version was given in.
    pub format: DocumentFormat,
    pub text: String,
}

/// What the list tells of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentLine {
    pub name: String,
    pub owner: String,
    pub document_type: DocumentType,
    pub created: Timestamp,
    pub version: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_type: Option<String>,
    pub format: DocumentFormat,
    pub schema: String,
    pub platforms: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<(String, String)>,
}

/// What `ListDocumentVersions` tells of a version.
#[derive(Debug, Clone)]
pub struct DocumentVersion {
    pub name: String,
    pub version: u64,
    pub version_name: Option<String>,
    pub display_name: Option<String>,
    pub created: Timestamp,
    pub is_default: bool,
    pub format: DocumentFormat,
}

/// Whom a document is shared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentShare {
    /// Or `all`.
    pub account: String,
    pub version: SharedVersion,
}

/// `ModifyDocumentPermission`
#[derive(Debug, Clone, Default)]
pub struct DocumentShareChange {
    pub added: Vec<String>,
    pub version: SharedVersion,
    pub removed: Vec<String>,
}

/// A version of a document that a command may run.
#[derive(Debug, Clone)]
pub struct DocumentFound {
    pub name: String,
    pub version: u64,
    pub text: Arc<str>,
    pub format: document::Format,
    pub document: Arc<document::Document>,
}

/// A document with all that it needs.
#[derive(Debug, Clone)]
pub struct DocumentPlan {
    pub found: DocumentFound,
    pub plan: document::Plan,
}

/// Prefixes of names that are not for users, in any case (`CreateDocument`, Name; the hyphen belongs to them).
const RESERVED: [&str; 7] = ["aws-", "amazon-", "amzn-", "awsec2-", "awsconfigremediation-", "awssupport-", "dandori-"];

/// Who is told to own what comes with Dandori.
const AMAZON: &str = "Amazon";
const DANDORI: &str = "Dandori";

/// When the documents that come with Dandori were made, as far as anybody is told.
const OWNED_SINCE: Timestamp = Timestamp(1_500_000_000_000);

/// How often it is looked up what a document wants; each level of documents in documents takes two.
const ROUNDS_MAX: u32 = 2 * (document::DOCUMENT_DEPTH_MAX + 1);

/// Rows read at a time.
const ROWS_AT_A_TIME: u32 = 100;

/// The document's rows follow the document: one in its owner's list, one for each account that it is shared with.
pub(crate) fn index(before: Option<&Registered>, after: Option<&Registered>, step: &mut store::Step) {
    let (before, after) = (before.map(rows).unwrap_or_default(), after.map(rows).unwrap_or_default());
    let gone = before.keys().filter(|at| !after.contains_key(at));
    step.index_deleted.extend(gone.map(|(list, key)| IndexKey { list: list.clone(), key: key.clone() }));
    let new = after.iter().filter(|(at, value)| before.get(at) != Some(value));
    step.index_put.extend(new.map(|((list, key), value)| IndexRow {
        at: IndexKey { list: list.clone(), key: key.clone() },
        value: value.clone(),
    }));
}

/// Rows by their list and key.
fn rows(registered: &Registered) -> BTreeMap<(Bytes, Bytes), Bytes> {
    let caller = crate::value::caller_of(&registered.arn);
    let row = |version| {
        let line = line(registered, version);
        Bytes::from(serde_json::to_vec(&line).expect("a row has a text"))
    };
    let own = (keys::documents(&caller), Bytes::copy_from_slice(registered.name.as_bytes()));
    let mut rows = BTreeMap::from([(own, row(registered.default_version()))]);
    for (account, shared) in &registered.shares {
        let list = match account.as_str() {
            EVERYBODY => keys::documents_public(&caller.region),
            account => keys::documents_shared(account, &caller.region),
        };
        let version = match shared {
            SharedVersion::Latest => registered.latest(),
            SharedVersion::Default | SharedVersion::All => registered.default_version(),
        };
        rows.insert((list, Bytes::copy_from_slice(registered.arn.as_bytes())), row(version));
    }
    rows
}

fn line(registered: &Registered, version: &Version) -> DocumentLine {
    let About { name, display_name, target_type, format, schema, platforms, sha256: _ } = version.about.clone();
    DocumentLine {
        name: registered.name.to_string(),
        owner: crate::value::caller_of(&registered.arn).account.to_string(),
        document_type: registered.document_type,
        created: version.created,
        version: version.number,
        version_name: name,
        display_name,
        target_type,
        format,
        schema,
        platforms,
        tags: registered.tags.clone(),
    }
}

fn line_of_owned(owned: &Owned) -> DocumentLine {
    DocumentLine {
        name: owned.name.to_owned(),
        owner: owner(owned).to_owned(),
        document_type: DocumentType::Command,
        created: OWNED_SINCE,
        version: 1,
        version_name: None,
        display_name: None,
        target_type: None,
        format: DocumentFormat::Json,
        schema: owned.document.schema().name().to_owned(),
        platforms: platforms(&owned.document),
        tags: vec![],
    }
}

fn owner(owned: &Owned) -> &'static str {
    if owned.name.starts_with("Dandori-") { DANDORI } else { AMAZON }
}

/// Where a name or an ARN leads.
enum Lead<'a> {
    Owned(&'static Owned),
    Own(&'a str),
    /// Of another account in the caller's region.
    Of(&'a str),
}

fn lead<'a>(caller: &Caller, text: &'a str) -> Option<Lead<'a>> {
    if !text.starts_with("arn:") {
        return Some(owned::find(text).map_or(Lead::Own(text), Lead::Owned));
    }
    let arn = Arn::parse(text).filter(|arn| arn.service == "ssm" && arn.region == &*caller.region.0)?;
    let name = arn.resource.strip_prefix("document/")?;
    match arn.account {
        "" => owned::find(name).map(Lead::Owned),
        account if account == &*caller.account.0 => Some(Lead::Own(name)),
        _ => Some(Lead::Of(text)),
    }
}

/// A version that is there, and what is known of it.
struct Found {
    registered: Arc<Registered>,
    version: Version,
    /// As the caller calls it.
    name: String,
}

/// What a look-up leads to.
enum Read {
    Owned(&'static Owned),
    Kept(Box<Found>),
}

impl Runtime {
    /// Creates a document; its text is understood, or refused.
    pub async fn document_create(
        &self,
        caller: &Caller,
        create: DocumentCreate,
    ) -> Result<DocumentDescription, Refusal> {
        let DocumentCreate { name, document_type, content, tags } = create;
        let lower = name.to_lowercase();
        if RESERVED.iter().any(|reserved| lower.starts_with(reserved)) {
            return Err(Refusal::Validation(format!("Invalid document name {name}")));
        }
        let draft = draft(document_type, content)?;
        let tags = tags::checked(tags, DocumentRefusal::TooManyTags)?;
        let place = self.inner.documents.admit(self.store(), caller).await?;
        if place.is_none() && self.document_read(&base::arn::document(caller, &name)).await?.is_none() {
            return Err(DocumentRefusal::TooManyDocuments(self.inner.documents.max()).into());
        }
        let arn: Arc<str> = base::arn::document(caller, &name).into();
        let command = Command::Create { name: name.as_str().into(), arn, document_type, draft: Box::new(draft), tags };
        let registered = self.document_change(caller, &name, command).await?;
        drop(place);
        self.described(found(registered, &VersionChoice::default(), &name)?).await
    }

    /// Adds a version. `base` is the version that the client takes for the latest.
    pub async fn document_update(
        &self,
        caller: &Caller,
        name: &str,
        base: Option<String>,
        content: DocumentContent,
    ) -> Result<DocumentDescription, Refusal> {
        let document_type = self.document_own(caller, name).await?.document_type;
        let command = Command::Update { base, draft: Box::new(draft(document_type, content)?) };
        let registered = self.document_change(caller, name, command).await?;
        let latest = VersionChoice { version: Some("$LATEST".to_owned()), name: None };
        self.described(found(registered, &latest, name)?).await
    }

    /// Creates a document; where it is there, adds a version, and makes it the default. The latest version again changes
    /// only what is the default.
    pub async fn document_put(
        &self,
        caller: &Caller,
        name: &str,
        content: DocumentContent,
    ) -> Result<DocumentText, Refusal> {
        let create = DocumentCreate {
            name: name.to_owned(),
            document_type: DocumentType::Command,
            content: content.clone(),
            tags: vec![],
        };
        // Of two that put at once, one creates and the other updates.
        let put = match self.document_create(caller, create).await {
            Err(Refusal::Document(DocumentRefusal::AlreadyExists(_))) => {
                self.document_update(caller, name, None, content).await
            }
            created => created,
        };
        match put {
            Ok(_) | Err(Refusal::Document(DocumentRefusal::SameContent)) => (),
            Err(refusal) => return Err(refusal),
        }
        let latest = VersionChoice { version: Some("$LATEST".to_owned()), name: None };
        let version = self.document_describe(caller, name, &latest).await?.version;
        self.document_set_default(caller, name, version).await?;
        let version = VersionChoice { version: Some(version.to_string()), name: None };
        self.document_text(caller, name, &version, None).await
    }

    /// Makes another version the default; the answer is that version's name, if it has one.
    pub async fn document_set_default(
        &self,
        caller: &Caller,
        name: &str,
        version: u64,
    ) -> Result<Option<String>, Refusal> {
        let registered = self.document_change(caller, name, Command::SetDefault(version)).await?;
        Ok(registered.default_version().about.name.clone())
    }

    pub async fn document_describe(
        &self,
        caller: &Caller,
        name: &str,
        choice: &VersionChoice,
    ) -> Result<DocumentDescription, Refusal> {
        self.described(self.document_find(caller, name, choice).await?).await
    }

    /// A version's text, in the form that is asked for, or in that in which it was given.
    pub async fn document_text(
        &self,
        caller: &Caller,
        name: &str,
        choice: &VersionChoice,
        format: Option<DocumentFormat>,
    ) -> Result<DocumentText, Refusal> {
        let read = self.document_find(caller, name, choice).await?;
        let given = match &read {
            Read::Owned(owned) => owned.text.to_owned(),
            Read::Kept(found) => self.understood(found).await?.text.to_string(),
        };
        let description = self.described(read).await?;
        let (text, format) = texts::written(&given, description.format, format.unwrap_or(description.format))?;
        Ok(DocumentText { description, format, text })
    }

    /// Those of the caller, by name, then those that come with Dandori, then those that are shared with the caller.
    pub async fn document_list(
        &self,
        caller: &Caller,
        filter: &DocumentFilter,
        page: Page,
    ) -> Result<Paged<DocumentLine>, Refusal> {
        let question = format!("documents {} {} {filter:?}", caller.account, caller.region);
        let now = self.inner.world.now();
        let after = page.token.map(|token| token::read(&question, &token, now)).transpose()?;
        let (mut stage, mut after) = match after.as_deref().and_then(<[u8]>::split_first) {
            Some((stage, after)) => (usize::from(*stage), Some(Bytes::copy_from_slice(after))),
            None => (0, None),
        };
        let stages = filter.stages();
        // One more than is shown tells whether there is a further page.
        let wanted = page.limit as usize + 1;
        let mut found: Vec<(Vec<u8>, DocumentLine)> = vec![];
        while found.len() < wanted
            && let Some(list) = stages.get(stage)
        {
            let rows = self.document_rows(caller, *list, after.take()).await?;
            match rows.last() {
                Some((last, _)) if rows.len() == ROWS_AT_A_TIME as usize => after = Some(last.clone()),
                _ => stage += 1,
            }
            let at = stages.iter().position(|one| one == list).expect("the list is one of them");
            let place = |key: &Bytes| [&[u8::try_from(at).expect("there are few lists")], &**key].concat();
            found.extend(rows.into_iter().filter(|(_, line)| filter.has(line)).map(|(key, line)| (place(&key), line)));
        }
        let next = (found.len() >= wanted).then(|| &found[wanted - 2].0);
        let next = next.map(|place| token::write(&question, place, now));
        let items = found.into_iter().take(page.limit as usize).map(|(_, line)| line).collect();
        Ok(Paged { items, next })
    }

    /// A page of one of the lists, with the keys of its rows.
    async fn document_rows(
        &self,
        caller: &Caller,
        list: filter::List,
        after: Option<Bytes>,
    ) -> Result<Vec<(Bytes, DocumentLine)>, Refusal> {
        let list = match list {
            filter::List::Owned(of) => {
                let after = after.as_deref().unwrap_or_default();
                let lines = owned::all().iter().map(line_of_owned).filter(|line| line.owner == of.name());
                let mut lines: Vec<_> = lines.map(|line| (Bytes::from(line.name.clone()), line)).collect();
                lines.sort_by(|one, other| one.0.cmp(&other.0));
                return Ok(lines.into_iter().filter(|(key, _)| **key > *after).collect());
            }
            filter::List::Own => keys::documents(caller),
            filter::List::Private => keys::documents_shared(&caller.account.0, &caller.region),
            filter::List::Public => keys::documents_public(&caller.region),
        };
        let rows = self.store().index(list, after, Direction::Forward, ROWS_AT_A_TIME).await?;
        let rows = rows.into_iter().map(|row| {
            let line: DocumentLine = serde_json::from_slice(&row.value).map_err(Refusal::internal)?;
            Ok((row.at.key, line))
        });
        rows.collect()
    }

    /// Newest first.
    pub async fn document_versions(
        &self,
        caller: &Caller,
        name: &str,
        page: Page,
    ) -> Result<Paged<DocumentVersion>, Refusal> {
        let (all, question) = match self.document_find(caller, name, &VersionChoice::default()).await? {
            Read::Owned(owned) => (vec![version_of_owned(owned)], owned.name.to_owned()),
            Read::Kept(found) => {
                let Found { registered, version, name } = *found;
                let is_own = crate::value::caller_of(&registered.arn).account == caller.account;
                let all = is_own || registered.is_all_shared(&caller.account.0);
                let visible = |one: &&Version| all || one.number == version.number;
                let versions = registered.versions.iter().rev().filter(visible);
                let shown = versions.map(|version| shown_version(&name, &registered, version)).collect();
                (shown, registered.arn.to_string())
            }
        };
        let question = format!("document versions {question}");
        let now = self.inner.world.now();
        let before = page.token.map(|token| token::read(&question, &token, now)).transpose()?;
        let before = before.and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
        let mut left = all.into_iter().filter(|version| before.is_none_or(|before| version.version < before));
        let items: Vec<DocumentVersion> = left.by_ref().take(page.limit as usize).collect();
        let last = items.last().filter(|_| left.next().is_some());
        let next = last.map(|last| token::write(&question, &last.version.to_be_bytes(), now));
        Ok(Paged { items, next })
    }

    /// Deletes the whole document.
    pub async fn document_delete(&self, caller: &Caller, name: &str) -> Result<(), Refusal> {
        self.document_ask(caller, name, Command::Delete).await.map(drop)
    }

    /// Deletes one version.
    pub async fn document_delete_version(
        &self,
        caller: &Caller,
        name: &str,
        choice: VersionChoice,
    ) -> Result<(), Refusal> {
        let missing = || CommandRefusal::InvalidDocument(name.to_owned()).into();
        match self.document_ask(caller, name, Command::DeleteVersion(choice)).await {
            Ok(_) => Ok(()),
            // `DeleteDocument` knows no other error for it.
            Err(Refusal::Command(CommandRefusal::InvalidDocumentVersion(_))) => Err(missing()),
            Err(refusal) => Err(refusal),
        }
    }

    /// Shares a document with other accounts, or no longer.
    pub async fn document_share(
        &self,
        caller: &Caller,
        name: &str,
        change: DocumentShareChange,
    ) -> Result<(), Refusal> {
        if change.added.is_empty() && change.removed.is_empty() {
            return Err(Refusal::Validation(
                "You must specify a value for AccountIdsToAdd or for AccountIdsToRemove.".to_owned(),
            ));
        }
        let account = |text: &String| if text.eq_ignore_ascii_case(EVERYBODY) { EVERYBODY } else { text }.to_owned();
        let added: Vec<String> = change.added.iter().map(account).collect();
        let removed: Vec<String> = change.removed.iter().map(account).collect();
        let public = |accounts: &[String]| accounts.iter().any(|account| account == EVERYBODY);
        if public(&added) && !public(&removed) {
            self.may_be_public(caller, name).await?;
        }
        let command = Command::Share { added, version: change.version, removed };
        self.document_ask(caller, name, command).await.map(drop)
    }

    /// Refuses another public document where the account has as many as it may have. Two at one instant are not told apart.
    async fn may_be_public(&self, caller: &Caller, name: &str) -> Result<(), Refusal> {
        let (mine, this) = (base::arn::document(caller, ""), base::arn::document(caller, name));
        let list = keys::documents_public(&caller.region);
        let limit = limits::PUBLIC_DOCUMENTS_MAX as u32 + 1;
        let rows = self.store().index(list, Some(Bytes::from(mine.clone())), Direction::Forward, limit).await?;
        let others = rows.iter().filter(|row| row.at.key.starts_with(mine.as_bytes()) && row.at.key != this.as_bytes());
        match others.count() < limits::PUBLIC_DOCUMENTS_MAX {
            true => Ok(()),
            false => Err(DocumentRefusal::SharedWithTooMany.into()),
        }
    }

    /// Whom a document is shared with, by account.
    pub async fn document_shares(
        &self,
        caller: &Caller,
        name: &str,
        page: Page,
    ) -> Result<Paged<DocumentShare>, Refusal> {
        let registered = self.document_own(caller, name).await?;
        let question = format!("document permissions {}", registered.arn);
        let now = self.inner.world.now();
        let after = page.token.map(|token| token::read(&question, &token, now)).transpose()?.unwrap_or_default();
        let mut left = registered.shares.iter().filter(|(account, _)| account.as_bytes() > &*after);
        let share = |(account, version): (&String, &SharedVersion)| DocumentShare {
            account: account.clone(),
            version: *version,
        };
        let items: Vec<DocumentShare> = left.by_ref().take(page.limit as usize).map(share).collect();
        let last = items.last().filter(|_| left.next().is_some());
        let next = last.map(|last| token::write(&question, last.account.as_bytes(), now));
        Ok(Paged { items, next })
    }

    pub async fn document_tags(&self, caller: &Caller, name: &str) -> Result<Vec<(String, String)>, Refusal> {
        let registered = self.document_own(caller, name).await.map_err(not_a_resource)?;
        Ok(registered.tags.clone())
    }

    /// Adds or removes tags.
    pub async fn document_tag(&self, caller: &Caller, name: &str, change: TagChange) -> Result<(), Refusal> {
        let command = match change {
            TagChange::Add(tags) => Command::Tag(tags::checked(tags, DocumentRefusal::TooManyTags)?),
            TagChange::Remove(keys) => Command::Untag(keys),
        };
        self.document_ask(caller, name, command).await.map(drop).map_err(not_a_resource)
    }

    /// The version of a document that a command may run: by name or ARN, and by `$DEFAULT`, `$LATEST` or its number.
    pub async fn document(&self, caller: &Caller, name: &str, version: Option<&str>) -> Result<DocumentFound, Refusal> {
        let version = version.filter(|version| !version.is_empty()).map(str::to_owned);
        match self.document_find(caller, name, &VersionChoice { version, name: None }).await? {
            Read::Owned(owned) => Ok(DocumentFound {
                name: owned.name.to_owned(),
                version: 1,
                text: owned.text.into(),
                format: document::Format::Json,
                document: Arc::new(owned.document.clone()),
            }),
            Read::Kept(found) => {
                let format = texts::of_document(found.version.about.format);
                let format = format.ok_or_else(|| CommandRefusal::InvalidDocument(name.to_owned()))?;
                let understood = self.understood(&found).await?;
                Ok(DocumentFound {
                    name: found.name.clone(),
                    version: found.version.number,
                    text: understood.text.clone(),
                    format,
                    document: understood.document.clone(),
                })
            }
        }
    }

    /// A document with its parameters filled in. What it refers to in Parameter Store, and the documents that it runs, are
    /// looked up on the caller's behalf.
    pub async fn document_plan(
        &self,
        caller: &Caller,
        name: &str,
        version: Option<&str>,
        given: &BTreeMap<String, Vec<String>>,
    ) -> Result<DocumentPlan, Refusal> {
        let found = self.document(caller, name, version).await?;
        let mut cx = document::Context {
            name: found.name.clone(),
            now: self.inner.world.now(),
            region: caller.region.to_string(),
            ..document::Context::default()
        };
        // What is found may want more itself: a document another one, or a parameter.
        for _ in 0..ROUNDS_MAX {
            let wants = found.document.wants(given, &cx).map_err(unplanned)?;
            if wants.is_empty() {
                break;
            }
            let names: Vec<String> = wants.ssm.into_iter().collect();
            cx.ssm.extend(self.parameter_texts(caller, &names).await?);
            for (name, version) in wants.documents {
                let inner = self.document(caller, &name, Some(&version)).await?;
                cx.documents.insert((name, version), (inner.text.to_string(), inner.format));
            }
        }
        let plan = found.document.resolve(given, &cx).map_err(unplanned)?;
        Ok(DocumentPlan { found, plan })
    }

    async fn document_find(&self, caller: &Caller, name: &str, choice: &VersionChoice) -> Result<Read, Refusal> {
        let missing = || Refusal::from(CommandRefusal::InvalidDocument(name.to_owned()));
        match lead(caller, name).ok_or_else(missing)? {
            Lead::Owned(owned) => match (choice.version.as_deref(), &choice.name) {
                (None | Some("$DEFAULT" | "$LATEST" | "1"), None) => Ok(Read::Owned(owned)),
                _ => Err(no_version(choice)),
            },
            Lead::Own(own) => found(self.document_own(caller, own).await?, choice, own),
            Lead::Of(arn) => {
                let registered = self.document_read(arn).await?.ok_or_else(missing)?;
                let version = match registered.find_shared(&caller.account.0, choice) {
                    // Who is not let in learns nothing of it.
                    Shared::Not => return Err(missing()),
                    Shared::With(version) => version.cloned().ok_or_else(|| no_version(choice))?,
                };
                Ok(Read::Kept(Box::new(Found { registered, version, name: arn.to_owned() })))
            }
        }
    }

    async fn document_own(&self, caller: &Caller, name: &str) -> Result<Arc<Registered>, Refusal> {
        let found = self.document_read(&base::arn::document(caller, name)).await?;
        found.ok_or_else(|| CommandRefusal::InvalidDocument(name.to_owned()).into())
    }

    async fn document_read(&self, arn: &str) -> Result<Option<Arc<Registered>>, Refusal> {
        let loaded = self.store().load(keys::document(arn)).await?;
        let value = loaded.map(|loaded| Value::load(&loaded)).transpose().map_err(Refusal::internal)?;
        match value.map(|value| value.what) {
            Some(What::Document(document)) => Ok(document.now),
            _ => Ok(None),
        }
    }

    /// What the document is after the command; none where it is gone.
    async fn document_ask(
        &self,
        caller: &Caller,
        name: &str,
        command: Command,
    ) -> Result<Option<Arc<Registered>>, Refusal> {
        let version = version_in(&command);
        match self.ask(keys::document(&base::arn::document(caller, name)), Ask::Document(command)).await {
            Ok(Reply::Document(now)) => Ok(now),
            Ok(_) => Err(Refusal::Unknown),
            Err(Refused::Document(refusal)) => Err(told(refusal, name, version)),
            Err(refused) => Err(refused.into()),
        }
    }

    async fn document_change(&self, caller: &Caller, name: &str, command: Command) -> Result<Arc<Registered>, Refusal> {
        self.document_ask(caller, name, command).await?.ok_or(Refusal::Unknown)
    }

    async fn described(&self, read: Read) -> Result<DocumentDescription, Refusal> {
        let found = match read {
            Read::Owned(owned) => return Ok(described_owned(owned)),
            Read::Kept(found) => found,
        };
        let document = self.understood(&found).await?.document.clone();
        let Found { registered, version, name } = *found;
        let About { name: version_name, display_name, target_type, format, sha256, .. } = version.about;
        Ok(DocumentDescription {
            name,
            owner: crate::value::caller_of(&registered.arn).account.to_string(),
            document_type: registered.document_type,
            created: version.created,
            version: version.number,
            latest: registered.latest().number,
            default: registered.default,
            version_name,
            display_name,
            target_type,
            format,
            sha256,
            tags: registered.tags.clone(),
            document,
        })
    }

    async fn understood(&self, found: &Found) -> Result<Arc<texts::Understood>, Refusal> {
        let id = keys::document(&found.registered.arn);
        let texts = &self.inner.document_texts;
        texts.get(self.store(), id, found.version.place, found.version.about.format).await.map_err(Refusal::internal)
    }
}

fn found(registered: Arc<Registered>, choice: &VersionChoice, name: &str) -> Result<Read, Refusal> {
    let version = registered.find(choice).cloned().ok_or_else(|| no_version(choice))?;
    Ok(Read::Kept(Box::new(Found { registered, version, name: name.to_owned() })))
}

fn described_owned(owned: &'static Owned) -> DocumentDescription {
    DocumentDescription {
        name: owned.name.to_owned(),
        owner: owner(owned).to_owned(),
        document_type: DocumentType::Command,
        created: OWNED_SINCE,
        version: 1,
        latest: 1,
        default: 1,
        version_name: None,
        display_name: None,
        target_type: None,
        format: DocumentFormat::Json,
        sha256: document::sha256(owned.text),
        tags: vec![],
        document: Arc::new(owned.document.clone()),
    }
}

fn version_of_owned(owned: &Owned) -> DocumentVersion {
    DocumentVersion {
        name: owned.name.to_owned(),
        version: 1,
        version_name: None,
        display_name: None,
        created: OWNED_SINCE,
        is_default: true,
        format: DocumentFormat::Json,
    }
}

fn shown_version(name: &str, registered: &Registered, version: &Version) -> DocumentVersion {
    DocumentVersion {
        name: name.to_owned(),
        version: version.number,
        version_name: version.about.name.clone(),
        display_name: version.about.display_name.clone(),
        created: version.created,
        is_default: version.number == registered.default,
        format: version.about.format,
    }
}

/// Understands a text and says what is to be kept of it.
fn draft(document_type: DocumentType, content: DocumentContent) -> Result<Draft, Refusal> {
    if content.text.len() > limits::DOCUMENT_BYTES_MAX {
        return Err(DocumentRefusal::TooLarge.into());
    }
    let document = match document_type {
        DocumentType::Command => texts::understood(&content.text, content.format)?,
    };
    let DocumentContent { text, format, version_name, display_name, target_type } = content;
    let about = About {
        name: version_name,
        display_name,
        target_type,
        format,
        sha256: document::sha256(&text),
        schema: document.schema().name().to_owned(),
        platforms: platforms(&document),
    };
    Ok(Draft { about, text: text.into() })
}

fn no_version(choice: &VersionChoice) -> Refusal {
    CommandRefusal::InvalidDocumentVersion(shown(choice)).into()
}

/// The version that a command speaks of, for whoever asked for it.
fn version_in(command: &Command) -> String {
    match command {
        Command::Update { base, .. } => base.clone().unwrap_or_default(),
        Command::SetDefault(number) => number.to_string(),
        Command::DeleteVersion(choice) => shown(choice),
        Command::Create { .. } | Command::Delete | Command::Share { .. } | Command::Tag(_) | Command::Untag(_) => {
            String::new()
        }
    }
}

fn shown(choice: &VersionChoice) -> String {
    choice.version.as_ref().or(choice.name.as_ref()).cloned().unwrap_or_default()
}

fn told(refusal: kept_document::Refusal, name: &str, version: String) -> Refusal {
    use kept_document::Refusal as Why;
    let refusal = match refusal {
        Why::DoesNotExist => return CommandRefusal::InvalidDocument(name.to_owned()).into(),
        Why::NoSuchVersion => return CommandRefusal::InvalidDocumentVersion(version).into(),
        Why::AlreadyExists => DocumentRefusal::AlreadyExists(name.to_owned()),
        Why::NotTheLatest => DocumentRefusal::NotTheLatest(name.to_owned()),
        Why::SameContent => DocumentRefusal::SameContent,
        Why::VersionNameTaken => DocumentRefusal::VersionNameTaken,
        Why::TooManyVersions => DocumentRefusal::TooManyVersions,
        Why::OneVersionOnly => DocumentRefusal::InvalidSchemaVersion(format!(
            "Document {name} has the schema version 1.2: only documents of the schema version 2.0 or later can be updated."
        )),
        Why::DefaultVersion => DocumentRefusal::InvalidOperation("Default version of the document can't be deleted."),
        Why::StillShared => DocumentRefusal::InvalidOperation(
            "You attempted to delete a document while it is still shared. You must stop sharing the document before you can delete it.",
        ),
        Why::SharedWithTooMany => DocumentRefusal::SharedWithTooMany,
        Why::TooManyTags => DocumentRefusal::TooManyTags,
    };
    refusal.into()
}

fn unplanned(refusal: document::Refusal) -> CommandRefusal {
    use document::Refusal as Why;
    match refusal {
        Why::InvalidDocument { name } => CommandRefusal::InvalidDocument(name),
        Why::InvalidDocumentVersion { version, .. } => CommandRefusal::InvalidDocumentVersion(version),
        Why::InvalidParameters(why) => CommandRefusal::InvalidParameters(why),
        content @ Why::InvalidDocumentContent { .. } => CommandRefusal::InvalidParameters(content.to_string()),
    }
}

/// As the operations on tags tell it.
fn not_a_resource(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Command(CommandRefusal::InvalidDocument(_)) => DocumentRefusal::InvalidResourceId.into(),
        other => other,
    }
}

fn platforms(document: &document::Document) -> Vec<String> {
    document.platform_types().into_iter().map(str::to_owned).collect()
}
