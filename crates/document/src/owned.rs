//! The documents that are always there, owned by us as AWS owns its own.

use std::sync::LazyLock;

use crate::{Document, Format};

/// A document that nobody can change.
#[derive(Debug)]
pub struct Owned {
    pub name: &'static str,
    /// JSON.
    pub text: &'static str,
    pub document: Document,
}

/// All of them, by name.
pub fn all() -> &'static [Owned] {
    static ALL: LazyLock<Vec<Owned>> = LazyLock::new(|| TEXTS.iter().map(|(name, text)| parsed(name, text)).collect());
    &ALL
}

/// The document of this name, or of this ARN: `arn:aws:ssm:us-east-1::document/AWS-RunShellScript`.
pub fn find(name: &str) -> Option<&'static Owned> {
    let bare = match name.split_once(":document/") {
        Some((arn, bare)) if arn.starts_with("arn:") => bare,
        Some(_) => return None,
        None => name,
    };
    all().iter().find(|owned| owned.name == bare)
}

const TEXTS: &[(&str, &str)] = &[
    ("AWS-RunDocument", include_str!("owned/AWS-RunDocument.json")),
    ("AWS-RunPowerShellScript", include_str!("owned/AWS-RunPowerShellScript.json")),
    ("AWS-RunRemoteScript", include_str!("owned/AWS-RunRemoteScript.json")),
    ("AWS-RunShellScript", include_str!("owned/AWS-RunShellScript.json")),
    ("Dandori-RunJob", include_str!("owned/Dandori-RunJob.json")),
];

fn parsed(name: &'static str, text: &'static str) -> Owned {
    let document = Document::parse(text, Format::Json).expect("the tests parse each of them");
    Owned { name, text, document }
}
