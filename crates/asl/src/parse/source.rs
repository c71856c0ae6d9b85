//! How AWS's JSON parser (Jackson) names the text in which it found an error.

use base::jackson::ParseError;

/// Characters, as UTF-16 counts them, that are shown of a source.
const SHOWN_MAX: usize = 500;

/// Returns `[Source: (String)"not a definition"; line: 1, column: 4]`.
pub(super) fn describe(text: &str, error: &ParseError) -> String {
    let (shown, left) = shorten(text);
    let shown: String = shown.chars().map(escape).collect();
    let truncated = if left == 0 { String::new() } else { format!("[truncated {left} chars]") };
    format!("[Source: (String)\"{shown}\"{truncated}; line: {}, column: {}]", error.line, error.column)
}

/// The part of the text that is shown, and how many characters are not.
fn shorten(text: &str) -> (&str, usize) {
    let mut units = 0;
    for (at, character) in text.char_indices() {
        if units + character.len_utf16() > SHOWN_MAX {
            return (&text[..at], text[at..].chars().map(char::len_utf16).sum());
        }
        units += character.len_utf16();
    }
    (text, 0)
}

fn escape(character: char) -> String {
    if character.is_control() && !matches!(character, '\r' | '\n') {
        return format!("\\u{:04X}", u32::from(character));
    }
    character.to_string()
}
