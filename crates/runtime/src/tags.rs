//! Tags of whatever has some: key and value, each key once, in the order in which the keys came.

use crate::configuration::valid_tags;
use crate::refusal::Refusal;

pub(crate) type Tags = Vec<(String, String)>;

/// Tags that a resource may have; `too_many` is how its kind refuses more.
pub(crate) fn checked(tags: Tags, too_many: impl Into<Refusal>) -> Result<Tags, Refusal> {
    valid_tags("", tags).map_err(|refusal| match refusal {
        Refusal::TooManyTags(_) => too_many.into(),
        other => other,
    })
}

/// `tags` with `added`: a key that is there already keeps its place and gets the new value.
pub(crate) fn with(tags: &[(String, String)], added: Tags) -> Tags {
    let mut all = tags.to_vec();
    for (key, value) in added {
        match all.iter_mut().find(|(known, _)| *known == key) {
            Some(tag) => tag.1 = value,
            None => all.push((key, value)),
        }
    }
    all
}

/// `tags` without these keys.
pub(crate) fn without(tags: &[(String, String)], keys: &[String]) -> Tags {
    tags.iter().filter(|(key, _)| !keys.contains(key)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(text: &str) -> Tags {
        text.split_whitespace()
            .filter_map(|tag| tag.split_once('='))
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect()
    }

    #[test]
    fn a_key_is_there_once_and_keeps_its_place() {
        assert_eq!(with(&tags("a=1 b=2"), tags("a=3 c=4 c=5")), tags("a=3 b=2 c=5"));
        assert_eq!(without(&tags("a=1 b=2 c=3"), &["a".to_owned(), "x".to_owned()]), tags("b=2 c=3"));
    }
}
