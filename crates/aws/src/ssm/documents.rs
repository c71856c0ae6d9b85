//! Documents: what commands run.

use document::ParameterType;
use runtime::Page;
use runtime::documents::{
    DocumentContent, DocumentCreate, DocumentDescription, DocumentFilter, DocumentFormat, DocumentLine, DocumentShare,
    DocumentShareChange, DocumentText, DocumentType, DocumentVersion, SharedVersion, VersionChoice,
};

use super::{is_document, is_version, page, parameters};
use crate::error::Error;
use crate::operation::{Call, Fault, Operation};
use crate::shape::{ANY_TEXT, Shape, list, optional, pattern, required, text};
use crate::value::Input;
use crate::write::Writer;

pub(super) const CREATE: Operation = Operation {
    name: "CreateDocument",
    input: &[
        required("Content", CONTENT),
        optional("Requires", list(&REQUIRES, 1, usize::MAX)),
        optional("Attachments", ATTACHMENTS),
        required("Name", NAME),
        optional("DisplayName", DISPLAY_NAME),
        optional("VersionName", VERSION_NAME),
        optional("DocumentType", Shape::Enum(TYPES)),
        optional("DocumentFormat", FORMAT),
        optional("TargetType", TARGET_TYPE),
        optional("Tags", parameters::TAGS),
    ],
    run: |call| Box::pin(create(call)),
};

pub(super) const UPDATE: Operation = Operation {
    name: "UpdateDocument",
    input: &[
        required("Content", CONTENT),
        optional("Attachments", ATTACHMENTS),
        required("Name", NAME),
        optional("DisplayName", DISPLAY_NAME),
        optional("VersionName", VERSION_NAME),
        optional("DocumentVersion", VERSION),
        optional("DocumentFormat", FORMAT),
        optional("TargetType", TARGET_TYPE),
    ],
    run: |call| Box::pin(update(call)),
};

pub(super) const SET_DEFAULT: Operation = Operation {
    name: "UpdateDocumentDefaultVersion",
    input: &[
        required("Name", NAME),
        required("DocumentVersion", pattern(0, usize::MAX, "(^[1-9][0-9]*$)", is_version_number)),
    ],
    run: |call| Box::pin(set_default(call)),
};

pub(super) const DESCRIBE: Operation = Operation {
    name: "DescribeDocument",
    input: &[
        required("Name", NAME_OR_ARN),
        optional("DocumentVersion", VERSION),
        optional("VersionName", VERSION_NAME),
    ],
    run: |call| Box::pin(describe(call)),
};

pub(super) const GET: Operation = Operation {
    name: "GetDocument",
    input: &[
        required("Name", NAME_OR_ARN),
        optional("VersionName", VERSION_NAME),
        optional("DocumentVersion", VERSION),
        optional("DocumentFormat", FORMAT),
    ],
    run: |call| Box::pin(get(call)),
};

pub(super) const LIST: Operation = Operation {
    name: "ListDocuments",
    input: &[
        optional("DocumentFilterList", list(&OLD_FILTER, 1, usize::MAX)),
        optional("Filters", list(&FILTER, 0, 6)),
        optional("MaxResults", Shape::Integer { min: 1, max: 50 }),
        optional("NextToken", ANY_TEXT),
    ],
    run: |call| Box::pin(list_documents(call)),
};

pub(super) const LIST_VERSIONS: Operation = Operation {
    name: "ListDocumentVersions",
    input: &[
        required("Name", NAME_OR_ARN),
        optional("MaxResults", Shape::Integer { min: 1, max: 50 }),
        optional("NextToken", ANY_TEXT),
    ],
    run: |call| Box::pin(list_versions(call)),
};

pub(super) const DELETE: Operation = Operation {
    name: "DeleteDocument",
    input: &[
        required("Name", NAME),
        optional("DocumentVersion", VERSION),
        optional("VersionName", VERSION_NAME),
        optional("Force", Shape::Boolean),
    ],
    run: |call| Box::pin(delete(call)),
};

pub(super) const SHARE: Operation = Operation {
    name: "ModifyDocumentPermission",
    input: &[
        required("Name", NAME),
        required("PermissionType", PERMISSION),
        optional("AccountIdsToAdd", ACCOUNTS),
        optional("AccountIdsToRemove", ACCOUNTS),
        optional(
            "SharedDocumentVersion",
            pattern(0, 8, "([$]LATEST|[$]DEFAULT|[$]ALL)", |text| SharedVersion::parse(text).is_some()),
        ),
    ],
    run: |call| Box::pin(share(call)),
};

pub(super) const SHARES: Operation = Operation {
    name: "DescribeDocumentPermission",
    input: &[
        required("Name", NAME),
        required("PermissionType", PERMISSION),
        optional("MaxResults", Shape::Integer { min: 1, max: 200 }),
        optional("NextToken", ANY_TEXT),
    ],
    run: |call| Box::pin(shares(call)),
};

const CONTENT: Shape = text(1, usize::MAX);
const NAME: Shape = pattern(0, usize::MAX, r"^[a-zA-Z0-9_\-.]{3,128}$", |text| is_word(text, 3));
const NAME_OR_ARN: Shape = pattern(0, usize::MAX, r"^[a-zA-Z0-9_\-.:/]{3,128}$", is_document);
const VERSION: Shape = pattern(0, usize::MAX, "([$]LATEST|[$]DEFAULT|^[1-9][0-9]*$)", is_version);
const VERSION_NAME: Shape = pattern(0, usize::MAX, r"^[a-zA-Z0-9_\-.]{1,128}$", |text| is_word(text, 1));
const DISPLAY_NAME: Shape = pattern(0, 1024, r"^[\w\.\-\:\/ ]*$", |text| has_only(text, b"_.-:/ "));
const TARGET_TYPE: Shape =
    pattern(0, 200, r"^\/[\w\.\-\:\/]*$", |text| text.starts_with('/') && has_only(text, b"_.-:/"));
const FORMAT: Shape = Shape::Enum(&["YAML", "JSON", "TEXT"]);
const PERMISSION: Shape = Shape::Enum(&["Share"]);
const ACCOUNTS: Shape = list(&pattern(0, usize::MAX, "(?i)all|[0-9]{12}", is_account), 0, 20);
const TYPES: &[&str] = &[
    "Command",
    "Policy",
    "Automation",
    "Session",
    "Package",
    "ApplicationConfiguration",
    "ApplicationConfigurationSchema",
    "DeploymentStrategy",
    "ChangeCalendar",
    "Automation.ChangeTemplate",
    "ProblemAnalysis",
    "ProblemAnalysisTemplate",
    "CloudFormation",
    "ConformancePackTemplate",
    "QuickSetup",
    "ManualApprovalPolicy",
    "AutoApprovalPolicy",
];
const REQUIRES: Shape = Shape::Structure(&[
    required("Name", NAME_OR_ARN),
    optional("Version", VERSION),
    optional("RequireType", pattern(0, 128, r"^[a-zA-Z0-9_\-.]{1,128}$", |text| is_word(text, 1))),
    optional("VersionName", VERSION_NAME),
]);
const ATTACHMENTS: Shape = list(
    &Shape::Structure(&[
        optional("Key", Shape::Enum(&["SourceUrl", "S3FileUrl", "AttachmentReference"])),
        optional("Values", list(&text(1, 1024), 1, 1)),
        optional("Name", pattern(0, usize::MAX, r"^[a-zA-Z0-9_\-.]{3,128}$", |text| is_word(text, 3))),
    ]),
    0,
    20,
);
const OLD_FILTER: Shape = Shape::Structure(&[
    required("key", Shape::Enum(&["Name", "Owner", "PlatformTypes", "DocumentType"])),
    required("value", text(1, usize::MAX)),
]);
const FILTER: Shape =
    Shape::Structure(&[optional("Key", text(1, 128)), optional("Values", list(&text(1, 256), 0, usize::MAX))]);

/// Accounts of one page where nobody says how many (`AccountIdList`: 20 at most).
const SHARES_PAGE: u32 = 20;

fn is_word(text: &str, min: usize) -> bool {
    (min..=128).contains(&text.len()) && has_only(text, b"_-.")
}

fn has_only(text: &str, signs: &[u8]) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || signs.contains(&byte))
}

fn is_version_number(text: &str) -> bool {
    !text.starts_with('$') && is_version(text)
}

fn is_account(text: &str) -> bool {
    text.eq_ignore_ascii_case("all") || text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

async fn create(mut call: Call<'_>) -> Result<(), Fault> {
    let create = decode_create(&mut call.input)?;
    let created = call.runtime.document_create(call.caller, create).await?;
    call.out.object("DocumentDescription", |out| encode(out, &created));
    Ok(())
}

async fn update(mut call: Call<'_>) -> Result<(), Fault> {
    refuse_more(&mut call.input)?;
    let (name, base) = (call.input.required("Name"), call.input.text("DocumentVersion"));
    let content = decode_content(&mut call.input);
    let updated = call.runtime.document_update(call.caller, &name, base, content).await?;
    call.out.object("DocumentDescription", |out| encode(out, &updated));
    Ok(())
}

async fn set_default(mut call: Call<'_>) -> Result<(), Fault> {
    let (name, version) = (call.input.required("Name"), call.input.required("DocumentVersion"));
    // A number that is too large names none.
    let number = version.parse().unwrap_or(u64::MAX);
    let version_name = call.runtime.document_set_default(call.caller, &name, number).await?;
    call.out.object("Description", |out| {
        out.text("Name", &name);
        out.text("DefaultVersion", &version);
        out.text_if("DefaultVersionName", version_name.as_deref());
    });
    Ok(())
}

async fn describe(mut call: Call<'_>) -> Result<(), Fault> {
    let (name, choice) = (call.input.required("Name"), decode_choice(&mut call.input));
    let described = call.runtime.document_describe(call.caller, &name, &choice).await?;
    call.out.object("Document", |out| encode(out, &described));
    Ok(())
}

async fn get(mut call: Call<'_>) -> Result<(), Fault> {
    let (name, choice) = (call.input.required("Name"), decode_choice(&mut call.input));
    let format = decode_format(&mut call.input);
    let text = call.runtime.document_text(call.caller, &name, &choice, Some(format)).await?;
    encode_text(call.out, &text);
    Ok(())
}

async fn list_documents(mut call: Call<'_>) -> Result<(), Fault> {
    let filter = decode_filter(&mut call.input)?;
    let page = page(&mut call.input);
    let found = call.runtime.document_list(call.caller, &filter, page).await?;
    call.out.list("DocumentIdentifiers", &found.items, encode_line);
    call.out.text_if("NextToken", found.next.as_deref());
    Ok(())
}

async fn list_versions(mut call: Call<'_>) -> Result<(), Fault> {
    let (name, page) = (call.input.required("Name"), page(&mut call.input));
    let found = call.runtime.document_versions(call.caller, &name, page).await?;
    call.out.list("DocumentVersions", &found.items, encode_version);
    call.out.text_if("NextToken", found.next.as_deref());
    Ok(())
}

async fn delete(mut call: Call<'_>) -> Result<(), Fault> {
    let (name, choice) = (call.input.required("Name"), decode_choice(&mut call.input));
    if choice == VersionChoice::default() {
        return Ok(call.runtime.document_delete(call.caller, &name).await?);
    }
    Ok(call.runtime.document_delete_version(call.caller, &name, choice).await?)
}

async fn share(mut call: Call<'_>) -> Result<(), Fault> {
    let input = &mut call.input;
    let change = DocumentShareChange {
        added: input.texts("AccountIdsToAdd").unwrap_or_default(),
        version: input.text("SharedDocumentVersion").and_then(|text| SharedVersion::parse(&text)).unwrap_or_default(),
        removed: input.texts("AccountIdsToRemove").unwrap_or_default(),
    };
    Ok(call.runtime.document_share(call.caller, &input.required("Name"), change).await?)
}

async fn shares(mut call: Call<'_>) -> Result<(), Fault> {
    let limit = call.input.integer("MaxResults").and_then(|limit| u32::try_from(limit).ok());
    let page = Page { limit: limit.unwrap_or(SHARES_PAGE), ..page(&mut call.input) };
    let found = call.runtime.document_shares(call.caller, &call.input.required("Name"), page).await?;
    call.out.texts("AccountIds", found.items.iter().map(|share| share.account.as_str()));
    call.out.list("AccountSharingInfoList", &found.items, encode_share);
    call.out.text_if("NextToken", found.next.as_deref());
    Ok(())
}

fn decode_create(input: &mut Input<'_>) -> Result<DocumentCreate, Error> {
    refuse_more(input)?;
    let document_type = match input.text("DocumentType").as_deref() {
        None | Some("Command") => DocumentType::Command,
        Some(other) => {
            let text = format!("Documents of the type {other} are not available in this version of Dandori.");
            return Err(Error::validation(text));
        }
    };
    Ok(DocumentCreate {
        name: input.required("Name"),
        document_type,
        content: decode_content(input),
        tags: decode_tags(input, "Tags"),
    })
}

/// What would be left out is refused rather than forgotten.
fn refuse_more(input: &mut Input<'_>) -> Result<(), Error> {
    const LATER: &str = "is not available in this version of Dandori.";
    for member in ["Requires", "Attachments"] {
        if !input.inputs(member).is_empty() {
            return Err(Error::validation(format!("{member} {LATER}")));
        }
    }
    Ok(())
}

fn decode_content(input: &mut Input<'_>) -> DocumentContent {
    DocumentContent {
        text: input.required("Content"),
        format: decode_format(input),
        version_name: input.text("VersionName"),
        display_name: input.text("DisplayName"),
        target_type: input.text("TargetType"),
    }
}

fn decode_format(input: &mut Input<'_>) -> DocumentFormat {
    input.text("DocumentFormat").and_then(|text| DocumentFormat::parse(&text)).unwrap_or_default()
}

fn decode_choice(input: &mut Input<'_>) -> VersionChoice {
    VersionChoice { version: input.text("DocumentVersion"), name: input.text("VersionName") }
}

pub(super) fn decode_tags(input: &mut Input<'_>, member: &str) -> Vec<(String, String)> {
    let tags = input.inputs(member).into_iter();
    tags.map(|mut tag| (tag.required("Key"), tag.required("Value"))).collect()
}

fn decode_filter(input: &mut Input<'_>) -> Result<DocumentFilter, Fault> {
    let old = input.inputs("DocumentFilterList").into_iter();
    let old: Vec<_> = old.map(|mut filter| (filter.required("key"), vec![filter.required("value")])).collect();
    let new = input.inputs("Filters").into_iter();
    let new = new.map(|mut filter| (filter.required("Key"), filter.texts("Values").unwrap_or_default()));
    Ok(DocumentFilter::new(old.into_iter().chain(new))?)
}

/// AWS's `DocumentDescription`.
fn encode(out: &mut Writer, described: &DocumentDescription) {
    out.text("Hash", &described.sha256);
    out.text("HashType", "Sha256");
    out.text("Name", &described.name);
    out.text_if("DisplayName", described.display_name.as_deref());
    out.text_if("VersionName", described.version_name.as_deref());
    out.text("Owner", &described.owner);
    out.time("CreatedDate", described.created);
    out.text("Status", ACTIVE);
    out.text("DocumentVersion", &described.version.to_string());
    out.text_if("Description", described.document.description());
    out.list("Parameters", described.document.parameters(), |out, parameter| {
        out.text("Name", &parameter.name);
        out.text("Type", parameter_type(parameter.kind));
        out.text_if("Description", parameter.description.as_deref());
        out.text_if("DefaultValue", parameter.default_text().as_deref());
    });
    out.texts("PlatformTypes", described.document.platform_types());
    out.text("DocumentType", described.document_type.name());
    out.text("SchemaVersion", described.document.schema().name());
    out.text("LatestVersion", &described.latest.to_string());
    out.text("DefaultVersion", &described.default.to_string());
    out.text("DocumentFormat", described.format.name());
    out.text_if("TargetType", described.target_type.as_deref());
    encode_tags(out, "Tags", &described.tags);
}

/// A document is of use as soon as it is there.
const ACTIVE: &str = "Active";

/// The API knows two (`DocumentParameter`, Type): what is one value is a `String` to it.
fn parameter_type(kind: ParameterType) -> &'static str {
    match kind {
        ParameterType::StringList | ParameterType::MapList => "StringList",
        ParameterType::String | ParameterType::Boolean | ParameterType::Integer | ParameterType::StringMap => "String",
    }
}

pub(super) fn encode_tags(out: &mut Writer, member: &str, tags: &[(String, String)]) {
    out.list(member, tags, |out, (key, value)| {
        out.text("Key", key);
        out.text("Value", value);
    });
}

/// The answer of `GetDocument`.
fn encode_text(out: &mut Writer, text: &DocumentText) {
    let described = &text.description;
    out.text("Name", &described.name);
    out.time("CreatedDate", described.created);
    out.text_if("DisplayName", described.display_name.as_deref());
    out.text_if("VersionName", described.version_name.as_deref());
    out.text("DocumentVersion", &described.version.to_string());
    out.text("Status", ACTIVE);
    out.text("Content", &text.text);
    out.text("DocumentType", described.document_type.name());
    out.text("DocumentFormat", text.format.name());
    out.list("AttachmentsContent", [(); 0], |_, ()| {});
}

/// AWS's `DocumentIdentifier`.
fn encode_line(out: &mut Writer, line: &DocumentLine) {
    out.text("Name", &line.name);
    out.time("CreatedDate", line.created);
    out.text_if("DisplayName", line.display_name.as_deref());
    out.text("Owner", &line.owner);
    out.text_if("VersionName", line.version_name.as_deref());
    out.texts("PlatformTypes", line.platforms.iter().map(String::as_str));
    out.text("DocumentVersion", &line.version.to_string());
    out.text("DocumentType", line.document_type.name());
    out.text("SchemaVersion", &line.schema);
    out.text("DocumentFormat", line.format.name());
    out.text_if("TargetType", line.target_type.as_deref());
    encode_tags(out, "Tags", &line.tags);
}

/// AWS's `DocumentVersionInfo`.
fn encode_version(out: &mut Writer, version: &DocumentVersion) {
    out.text("Name", &version.name);
    out.text_if("DisplayName", version.display_name.as_deref());
    out.text("DocumentVersion", &version.version.to_string());
    out.text_if("VersionName", version.version_name.as_deref());
    out.time("CreatedDate", version.created);
    out.boolean("IsDefaultVersion", version.is_default);
    out.text("DocumentFormat", version.format.name());
    out.text("Status", ACTIVE);
}

fn encode_share(out: &mut Writer, share: &DocumentShare) {
    out.text("AccountId", &share.account);
    out.text("SharedDocumentVersion", share.version.name());
}
