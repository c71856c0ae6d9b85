//! Regular expressions: JavaScript's notation for an engine that never goes back.

use std::ops::Range;

use regex_lite::{Regex, RegexBuilder};

use super::error::{Error, Outcome, quoted};
use crate::limits::JSONATA_PATTERN_BYTES_MAX;

#[derive(Debug)]
pub(super) struct Pattern {
    source: String,
    regex: Regex,
}

pub(super) struct Match {
    pub(super) whole: Range<usize>,
    pub(super) groups: Vec<Option<Range<usize>>>,
}

impl Pattern {
    pub(super) fn parse(source: &str, flags: &str) -> Outcome<Pattern> {
        if source.is_empty() {
            return Err(Error::plain("S0301"));
        }
        let built = RegexBuilder::new(&translated(source))
            .case_insensitive(flags.contains('i'))
            .multi_line(flags.contains('m'))
            .size_limit(JSONATA_PATTERN_BYTES_MAX)
            .build();
        match built {
            Ok(regex) => Ok(Pattern { source: source.to_owned(), regex }),
            Err(error) => Err(Error::of_value("S0303", quoted(&error.to_string()))),
        }
    }

    pub(super) fn source(&self) -> &str {
        &self.source
    }

    pub(super) fn find(&self, text: &str, from: usize) -> Option<Match> {
        let found = self.regex.captures_at(text, from)?;
        let range = |index| found.get(index).map(|part| part.range());
        let groups = (1..found.len()).map(range).collect();
        range(0).map(|whole| Match { whole, groups })
    }

    /// Steps that a search through `bytes` is worth: the engine looks at each place of the pattern at each sign.
    pub(super) fn cost(&self, bytes: usize) -> usize {
        bytes.saturating_mul(self.source.len()) / 8 + 4
    }
}

/// JavaScript takes as a plain sign what others want escaped: a `[` inside of brackets, a `{` that counts nothing.
fn translated(source: &str) -> String {
    let mut text = String::with_capacity(source.len());
    let mut signs = source.chars().peekable();
    let mut in_class = false;
    while let Some(sign) = signs.next() {
        match sign {
            '\\' => match signs.next() {
                // These need no escape and must not have one.
                Some(plain) if plain == '/' || (!plain.is_ascii_alphanumeric() && !plain.is_ascii_punctuation()) => {
                    text.push(plain);
                }
                Some(escaped) => text.extend(['\\', escaped]),
                None => text.push('\\'),
            },
            '[' if in_class => text.push_str("\\["),
            '[' => {
                in_class = true;
                text.push('[');
                if signs.next_if_eq(&'^').is_some() {
                    text.push('^');
                }
            }
            ']' => {
                in_class = false;
                text.push(']');
            }
            '&' | '~' if in_class => text.extend(['\\', sign]),
            sign => text.push(sign),
        }
    }
    text
}
