//! Which documents a list is to show (`DocumentKeyValuesFilter`).

use super::{AMAZON, DANDORI, DocumentLine};
use crate::refusal::{DocumentRefusal, Refusal};

/// All of its conditions have to hold; of a condition's values, one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DocumentFilter {
    owner: Option<Owner>,
    conditions: Vec<(Key, Vec<String>)>,
}

/// Whose documents are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Caller,
    Amazon,
    Private,
    Public,
    ThirdParty,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    /// Values are beginnings.
    Name,
    PlatformTypes,
    DocumentType,
    TargetType,
    /// Values stand anywhere in the names or in a tag.
    SearchKeyword,
    Tag(String),
}

/// Where documents are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Own,
    Owned(By),
    Private,
    Public,
}

/// Whose document it is that comes with Dandori.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Amazon,
    Dandori,
}

impl By {
    pub(super) fn name(self) -> &'static str {
        match self {
            By::Amazon => AMAZON,
            By::Dandori => DANDORI,
        }
    }
}

impl DocumentFilter {
    /// From keys and values as clients give them.
    pub fn new(given: impl IntoIterator<Item = (String, Vec<String>)>) -> Result<DocumentFilter, Refusal> {
        let mut filter = DocumentFilter::default();
        for (key, values) in given {
            let key = match &*key {
                "Owner" => {
                    filter.owner = Some(owner(&values, filter.owner)?);
                    continue;
                }
                "Name" => Key::Name,
                "PlatformTypes" => Key::PlatformTypes,
                "DocumentType" => Key::DocumentType,
                "TargetType" => Key::TargetType,
                "SearchKeyword" => Key::SearchKeyword,
                other => match other.strip_prefix("tag:") {
                    Some(tag) => Key::Tag(tag.to_owned()),
                    None => return Err(invalid(format!("The filter key {other} is not valid."))),
                },
            };
            filter.conditions.push((key, values));
        }
        let tags = filter.conditions.iter().filter(|(key, _)| matches!(key, Key::Tag(_))).count();
        match tags {
            0 | 1 => Ok(filter),
            _ => Err(invalid("Documents can be filtered by a single tag key only.".to_owned())),
        }
    }

    pub(super) fn has(&self, line: &DocumentLine) -> bool {
        self.conditions.iter().all(|(key, values)| values.iter().any(|value| key.holds(line, value)))
    }

    /// The lists to look at, in their order. What is shared with everybody is shown to whoever asks for that.
    pub(super) fn stages(&self) -> &'static [List] {
        match self.owner {
            None => &[List::Own, List::Owned(By::Amazon), List::Owned(By::Dandori), List::Private],
            Some(Owner::Caller) => &[List::Own],
            Some(Owner::Amazon) => &[List::Owned(By::Amazon)],
            Some(Owner::Private) => &[List::Private],
            Some(Owner::Public) => &[List::Public],
            Some(Owner::ThirdParty) => &[List::Owned(By::Dandori)],
        }
    }
}

impl Key {
    fn holds(&self, line: &DocumentLine, value: &str) -> bool {
        match self {
            Key::Name => line.name.starts_with(value),
            Key::PlatformTypes => line.platforms.iter().any(|platform| platform == value),
            Key::DocumentType => line.document_type.name() == value,
            Key::TargetType => line.target_type.as_deref() == Some(value),
            Key::SearchKeyword => {
                let word = value.to_lowercase();
                let tags = line.tags.iter().flat_map(|(key, value)| [key, value]);
                let texts = [&line.name].into_iter().chain(&line.display_name).chain(&line.version_name).chain(tags);
                texts.into_iter().any(|text| text.to_lowercase().contains(&word))
            }
            Key::Tag(key) => line.tags.iter().any(|tag| tag.0 == *key && tag.1 == value),
        }
    }
}

fn owner(values: &[String], before: Option<Owner>) -> Result<Owner, Refusal> {
    let (None, [value]) = (before, values) else {
        return Err(invalid("Only one Owner can be specified in a request.".to_owned()));
    };
    match value.as_str() {
        "Self" => Ok(Owner::Caller),
        "Amazon" => Ok(Owner::Amazon),
        "Private" => Ok(Owner::Private),
        "Public" => Ok(Owner::Public),
        "ThirdParty" => Ok(Owner::ThirdParty),
        other => Err(invalid(format!("The filter value {other} is not valid for the key Owner."))),
    }
}

fn invalid(why: String) -> Refusal {
    DocumentRefusal::InvalidFilterKey(why).into()
}

#[cfg(test)]
mod tests {
    use base::Timestamp;
    use expect_test::{Expect, expect};

    use super::*;
    use crate::documents::{DocumentFormat, DocumentType};

    fn line() -> DocumentLine {
        DocumentLine {
            name: "Backup-Database".to_owned(),
            owner: "111111111111".to_owned(),
            document_type: DocumentType::Command,
            created: Timestamp(0),
            version: 1,
            version_name: None,
            display_name: Some("Nightly backup".to_owned()),
            target_type: Some("/AWS::EC2::Instance".to_owned()),
            format: DocumentFormat::Json,
            schema: "2.2".to_owned(),
            platforms: vec!["Linux".to_owned()],
            tags: vec![("team".to_owned(), "storage".to_owned())],
        }
    }

    /// Filters as `Key=value,value Key=value`, and whether they find the document.
    fn check(given: &[&str], expect: Expect) {
        let told = given.iter().map(|given| {
            let filters = given.split_whitespace().filter_map(|filter| filter.split_once('='));
            let filters = filters.map(|(key, values)| (key.to_owned(), values.split(',').map(str::to_owned).collect()));
            let told = match DocumentFilter::new(filters) {
                Ok(filter) => format!("{} in {:?}", filter.has(&line()), filter.stages()),
                Err(refusal) => refusal.to_string(),
            };
            format!("{given}: {told}\n")
        });
        expect.assert_eq(&told.collect::<String>());
    }

    #[test]
    fn documents_are_found_by_what_they_are() {
        check(
            &[
                "",
                "Owner=Self",
                "Owner=Self Name=Back",
                "Name=backup",
                "Name=X,Backup-",
                "PlatformTypes=Windows",
                "PlatformTypes=Windows,Linux DocumentType=Command",
                "DocumentType=Automation",
                "TargetType=/AWS::EC2::Instance",
                "SearchKeyword=NIGHTLY",
                "SearchKeyword=storage tag:team=storage",
                "tag:team=web,db",
            ],
            expect![[r#"
                : true in [Own, Owned(Amazon), Owned(Dandori), Private]
                Owner=Self: true in [Own]
                Owner=Self Name=Back: true in [Own]
                Name=backup: false in [Own, Owned(Amazon), Owned(Dandori), Private]
                Name=X,Backup-: true in [Own, Owned(Amazon), Owned(Dandori), Private]
                PlatformTypes=Windows: false in [Own, Owned(Amazon), Owned(Dandori), Private]
                PlatformTypes=Windows,Linux DocumentType=Command: true in [Own, Owned(Amazon), Owned(Dandori), Private]
                DocumentType=Automation: false in [Own, Owned(Amazon), Owned(Dandori), Private]
                TargetType=/AWS::EC2::Instance: true in [Own, Owned(Amazon), Owned(Dandori), Private]
                SearchKeyword=NIGHTLY: true in [Own, Owned(Amazon), Owned(Dandori), Private]
                SearchKeyword=storage tag:team=storage: true in [Own, Owned(Amazon), Owned(Dandori), Private]
                tag:team=web,db: false in [Own, Owned(Amazon), Owned(Dandori), Private]
            "#]],
        );
        check(
            &["Owner=Me", "Owner=Self,Amazon", "Owner=Self Owner=Amazon", "Colour=red", "tag:a=1 tag:b=2"],
            expect![[r#"
                Owner=Me: The filter value Me is not valid for the key Owner.
                Owner=Self,Amazon: Only one Owner can be specified in a request.
                Owner=Self Owner=Amazon: Only one Owner can be specified in a request.
                Colour=red: The filter key Colour is not valid.
                tag:a=1 tag:b=2: Documents can be filtered by a single tag key only.
            "#]],
        );
    }
}
