//! Which parameters are wanted (`ParameterStringFilter`).
//!
//! Filters are joined by *and*, the values of one filter by *or*.

use super::name::{key_of, path};
use super::{Kind, Line, Tier};
use crate::refusal::{ParameterRefusal, Refusal};

/// One of the values of one property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    of: Property,
    how: How,
    values: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Property {
    Name,
    Type,
    KeyId,
    Path,
    Label,
    Tier,
    DataType,
    Tag(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Equals,
    BeginsWith,
    Contains,
    /// All that is below.
    Recursive,
    /// What is below, and not further down.
    OneLevel,
}

/// For which operation a filter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    Describe,
    Path,
}

/// How far below a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    OneLevel,
    Recursive,
}

/// A filter as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParameterFilter {
    pub key: String,
    pub option: Option<String>,
    pub values: Vec<String>,
}

/// Which rows of the list may be wanted at all: those whose keys begin so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) prefix: String,
    /// Not those with a slash after the prefix.
    pub(crate) one_level: bool,
}

impl Filter {
    pub(crate) fn parse(filter: ParameterFilter, operation: For) -> Result<Filter, Refusal> {
        let ParameterFilter { key, option, mut values } = filter;
        let of = property(&key, operation)?;
        let how = how(&of, option.as_deref())?;
        if values.is_empty() && !matches!(of, Property::Tag(_)) {
            return Err(Refusal::Validation(format!(
                "The following filter values are missing : null for filter key {key}"
            )));
        }
        match of {
            Property::Type => check(&values, &Kind::ALL.map(Kind::name))?,
            Property::Tier => check(&values, &[Tier::Standard.name(), Tier::Advanced.name(), "Intelligent-Tiering"])?,
            Property::Path => {
                for value in &mut values {
                    *value = path(value)?;
                }
            }
            Property::Name | Property::KeyId | Property::Label | Property::DataType | Property::Tag(_) => (),
        }
        Ok(Filter { of, how, values })
    }

    /// What is below the path.
    pub(crate) fn below(path: String, depth: Depth) -> Filter {
        let how = match depth {
            Depth::OneLevel => How::OneLevel,
            Depth::Recursive => How::Recursive,
        };
        Filter { of: Property::Path, how, values: vec![path] }
    }

    pub(crate) fn has(&self, line: &Line) -> bool {
        match &self.of {
            Property::Name => self.any(|value| self.names(key_of(&line.name), value)),
            Property::Type => self.any(|value| self.matches(line.kind.name(), value)),
            Property::KeyId => line.key_id.as_deref().is_some_and(|id| self.any(|value| self.matches(id, value))),
            Property::Path => self.any(|path| self.holds(path, key_of(&line.name))),
            Property::Label => self.any(|value| line.labels.iter().any(|(label, _)| **label == *value)),
            Property::Tier => self.any(|value| self.matches(line.tier.name(), value)),
            Property::DataType => self.any(|value| self.matches(super::DATA_TYPE, value)),
            Property::Tag(key) => line.tags.iter().any(|(tag, value)| {
                tag == key && (self.values.is_empty() || self.any(|wanted| self.matches(value, wanted)))
            }),
        }
    }

    /// The version that is wanted of a parameter, where that is not the latest: the one with the label.
    pub(crate) fn version(&self, line: &Line) -> Option<u64> {
        let labelled = line.labels.iter().find(|(label, _)| self.values.iter().any(|value| **value == **label));
        labelled.filter(|_| self.of == Property::Label).map(|(_, version)| *version)
    }

    /// The part of the list outside of which it has nothing.
    pub(crate) fn range(&self) -> Option<Range> {
        let [value] = &*self.values else { return None };
        let key = key_of(value).to_owned();
        match (&self.of, self.how) {
            (Property::Name, How::Equals | How::BeginsWith) => Some(Range { prefix: key, one_level: false }),
            (Property::Path, how) => {
                let prefix = if value.is_empty() { String::new() } else { format!("{value}/") };
                Some(Range { prefix, one_level: how == How::OneLevel })
            }
            _ => None,
        }
    }

    fn any(&self, matches: impl FnMut(&String) -> bool) -> bool {
        self.values.iter().any(matches)
    }

    fn matches(&self, text: &str, value: &str) -> bool {
        match self.how {
            How::BeginsWith => text.starts_with(value),
            How::Contains => text.contains(value),
            How::Equals | How::Recursive | How::OneLevel => text == value,
        }
    }

    /// A name is the same with its leading slash and without it.
    fn names(&self, key: &str, value: &str) -> bool {
        match self.how {
            How::Contains => format!("/{key}").contains(value),
            How::Equals | How::BeginsWith | How::Recursive | How::OneLevel => self.matches(key, key_of(value)),
        }
    }

    fn holds(&self, path: &str, key: &str) -> bool {
        let below =
            if path.is_empty() { Some(key) } else { key.strip_prefix(path).and_then(|rest| rest.strip_prefix('/')) };
        below.is_some_and(|below| self.how == How::Recursive || !below.contains('/'))
    }
}

fn property(key: &str, operation: For) -> Result<Property, ParameterRefusal> {
    let property = match key {
        "Name" => Property::Name,
        "Type" => Property::Type,
        "KeyId" => Property::KeyId,
        "Path" => Property::Path,
        "Label" => Property::Label,
        "Tier" => Property::Tier,
        "DataType" => Property::DataType,
        _ => Property::Tag(key.strip_prefix("tag:").unwrap_or(key).to_owned()),
    };
    let (usable, valid) = match operation {
        For::Describe => (property != Property::Label, "Path, Name, Type, KeyId, Tier, DataType, tag"),
        For::Path => (matches!(property, Property::Type | Property::KeyId | Property::Label), "Type, KeyId, Label"),
    };
    usable.then_some(property).ok_or_else(|| {
        ParameterRefusal::InvalidFilterKey(format!(
            "The following filter key is not valid: {key}. Valid filter keys include: [{valid}]."
        ))
    })
}

fn how(of: &Property, option: Option<&str>) -> Result<How, ParameterRefusal> {
    let invalid = |option: &str, valid: &str| {
        Err(ParameterRefusal::InvalidFilterOption(format!(
            "The following filter option is not valid: {option}. Valid options include: [{valid}]."
        )))
    };
    match (of, option) {
        (Property::Path, None | Some("OneLevel")) => Ok(How::OneLevel),
        (Property::Path, Some("Recursive")) => Ok(How::Recursive),
        (Property::Path, Some(other)) => invalid(other, "Recursive, OneLevel"),
        (_, None | Some("Equals")) => Ok(How::Equals),
        (Property::Label, Some(other)) => invalid(other, "Equals"),
        (_, Some("BeginsWith")) => Ok(How::BeginsWith),
        (Property::Name, Some("Contains")) => Ok(How::Contains),
        (Property::Name, Some(other)) => invalid(other, "BeginsWith, Contains, Equals"),
        (_, Some(other)) => invalid(other, "BeginsWith, Equals"),
    }
}

fn check(values: &[String], valid: &[&str]) -> Result<(), ParameterRefusal> {
    match values.iter().find(|value| !valid.contains(&value.as_str())) {
        None => Ok(()),
        Some(value) => Err(ParameterRefusal::InvalidFilterValue(format!(
            "The following filter value is not valid: {value}. Valid values include: [{}].",
            valid.join(", ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use base::Timestamp;

    use super::*;

    fn filter(text: &str) -> ParameterFilter {
        let mut words = text.split(' ');
        let key = words.next().unwrap_or_default().to_owned();
        let option = words.next().filter(|option| *option != "-").map(str::to_owned);
        ParameterFilter { key, option, values: words.map(str::to_owned).collect() }
    }

    fn line(name: &str) -> Line {
        Line {
            name: name.into(),
            kind: Kind::SecureString,
            key_id: Some("alias/aws/ssm".into()),
            modified: Timestamp(0),
            description: None,
            pattern: None,
            version: 2,
            tier: Tier::Standard,
            expiration: None,
            labels: vec![("prod".into(), 1)],
            tags: vec![("Team".to_owned(), "web".to_owned())],
        }
    }

    #[test]
    fn parameters_are_found_by_what_they_are() {
        for (text, found) in [
            ("Name - /net/a", true),
            ("Name Equals net/a", true),
            ("Name - net", false),
            ("Name BeginsWith /ne x", true),
            ("Name BeginsWith et", false),
            ("Name Contains /ne", true),
            ("Name Contains t/a", true),
            ("Name Contains /et", false),
            ("Path - /net", true),
            ("Path OneLevel /", false),
            ("Path Recursive /", true),
            ("Path Recursive /ne", false),
            ("Type - String SecureString", true),
            ("Type BeginsWith String", false),
            ("KeyId BeginsWith alias/", true),
            ("Tier - Advanced", false),
            ("DataType - text", true),
            ("tag:Team -", true),
            ("tag:Team - web", true),
            ("tag:Team BeginsWith x", false),
            ("tag:Role -", false),
        ] {
            let filter = Filter::parse(filter(text), For::Describe).expect(text);
            assert_eq!(filter.has(&line("/net/a")), found, "{text}");
            let range = filter.range().unwrap_or_default();
            let within = key_of("/net/a").strip_prefix(&range.prefix);
            let within = within.is_some_and(|rest| !(range.one_level && rest.contains('/')));
            assert!(within || !found, "{text} is found outside of its range");
        }
    }

    #[test]
    fn a_label_tells_the_version() {
        let labelled = Filter::parse(filter("Label Equals test prod"), For::Path).expect("valid");
        assert_eq!((labelled.has(&line("/a")), labelled.version(&line("/a"))), (true, Some(1)));
        let other = Filter::parse(filter("Label Equals test"), For::Path).expect("valid");
        assert_eq!((other.has(&line("/a")), other.version(&line("/a"))), (false, None));
    }

    #[test]
    fn each_operation_has_filters_of_its_own() {
        let refused = |text: &str, operation| match Filter::parse(filter(text), operation) {
            Ok(_) => "valid".to_owned(),
            Err(refusal) => refusal.to_string(),
        };
        assert_eq!(
            refused("Label - a", For::Describe),
            "The following filter key is not valid: Label. Valid filter keys include: [Path, Name, Type, KeyId, Tier, DataType, tag]."
        );
        for text in ["Name - a", "Path - /", "Tier - Standard", "DataType - text", "tag:a - b"] {
            assert!(refused(text, For::Path).ends_with("include: [Type, KeyId, Label]."), "{text}");
        }
        assert_eq!(
            refused("Label BeginsWith a", For::Path),
            "The following filter option is not valid: BeginsWith. Valid options include: [Equals]."
        );
        assert_eq!(
            refused("Path Equals /", For::Describe),
            "The following filter option is not valid: Equals. Valid options include: [Recursive, OneLevel]."
        );
        assert_eq!(
            refused("Type Contains S", For::Describe),
            "The following filter option is not valid: Contains. Valid options include: [BeginsWith, Equals]."
        );
        assert_eq!(
            refused("Type - Text", For::Describe),
            "The following filter value is not valid: Text. Valid values include: [String, StringList, SecureString]."
        );
        assert_eq!(
            refused("Name -", For::Describe),
            "The following filter values are missing : null for filter key Name"
        );
        assert!(refused("Path - net", For::Describe).starts_with("The parameter doesn't meet"));
    }
}
