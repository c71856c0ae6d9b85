//! Why a text is not JSON, in the words of the parser that AWS uses (Jackson).
//!
//! Clients match on these texts; see the recorded `INVALID_JSON_DESCRIPTION` diagnostics.
//!
//! A text that our own parser refused is scanned once more, in the order in which Jackson reads tokens,
//! and the first thing that Jackson would not accept is what we report.
//!
//! **Invariant:** the scan is linear, keeps its own stack and ends for every text.

use std::fmt;

use crate::json::DEPTH_MAX;

/// Why and where a text is not JSON. Lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ParseError {
    pub message: String,
    pub line: usize,
    pub column: usize,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl ParseError {
    pub(crate) fn explain(text: &str, error: &serde_json::Error) -> ParseError {
        match Scanner::new(text).document() {
            Err(found) => found,
            // What Jackson would take and we cannot hold: half of a surrogate pair, 1e999.
            Ok(()) => ParseError { message: without_place(error), line: error.line(), column: error.column() },
        }
    }

    /// Where it is in `text`, as Jackson writes it: `[Source: (String)"nul"; line: 1, column: 4]`.
    pub fn location(&self, text: &str) -> String {
        source(text, self.line, self.column)
    }
}

fn without_place(error: &serde_json::Error) -> String {
    let mut message = error.to_string();
    if let Some(place) = message.rfind(" at line ") {
        message.truncate(place);
    }
    message
}

/// Characters, as UTF-16 counts them, that are shown of a source.
const SHOWN_MAX: usize = 500;

/// Characters of a token that are shown.
const TOKEN_MAX: usize = 256;

const VALUES: &str = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

fn source(text: &str, line: usize, column: usize) -> String {
    let (mut units, mut shown) = (0, String::new());
    for char in text.chars() {
        units += char.len_utf16();
        if units > SHOWN_MAX {
            continue;
        }
        match char {
            '\r' | '\n' => shown.push(char),
            _ if char.is_control() => shown.push_str(&format!("\\u{:04X}", u32::from(char))),
            _ => shown.push(char),
        }
    }
    let truncated = match units.checked_sub(SHOWN_MAX) {
        None | Some(0) => String::new(),
        Some(left) => format!("[truncated {left} chars]"),
    };
    format!("[Source: (String)\"{shown}\"{truncated}; line: {line}, column: {column}]")
}

type Scanned<T> = Result<T, ParseError>;

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    /// Where the current line begins.
    line_start: usize,
    open: Vec<Open>,
}

/// A character's place, in bytes: the column is counted only when an error needs it.
#[derive(Clone, Copy)]
struct Place {
    line: usize,
    line_start: usize,
    at: usize,
}

/// An object or array that has begun.
struct Open {
    kind: Kind,
    start: Place,
    /// Whether something is in it, so that a comma comes next.
    filled: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Array,
    Object,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Array => "Array",
            Kind::Object => "Object",
        }
    }

    fn closer(self) -> char {
        match self {
            Kind::Array => ']',
            Kind::Object => '}',
        }
    }
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Scanner<'a> {
        Scanner { text, at: 0, line: 1, line_start: 0, open: Vec::new() }
    }

    fn document(&mut self) -> Scanned<()> {
        let mut is_complete = false;
        while let Some(first) = self.skip_space()? {
            if matches!(first, ']' | '}') {
                self.close(first)?;
            } else {
                let first = self.before_value(first)?;
                let start = self.last_place();
                // Of what follows the document only the token's beginning counts.
                let token = if is_complete && matches!(first, '"' | '[' | '{') {
                    token_type(first)
                } else {
                    self.value(first)?
                };
                if is_complete {
                    return Err(self.trailing(token, start));
                }
            }
            is_complete = self.open.is_empty();
        }
        self.end(is_complete)
    }

    fn end(&self, is_complete: bool) -> Scanned<()> {
        match self.open.last() {
            Some(open) => {
                let (kind, start) = (open.kind.name(), source(self.text, open.start.line, self.column(open.start)));
                Err(self.here(format!(
                    "Unexpected end-of-input: expected close marker for {kind} (start marker at {start})"
                )))
            }
            None if is_complete => Ok(()),
            None => Err(ParseError { message: "No content to map due to end-of-input".to_owned(), line: 1, column: 0 }),
        }
    }

    fn trailing(&self, token: &str, start: Place) -> ParseError {
        let message = format!(
            "Trailing token (of type {token}) found after value (bound as `com.fasterxml.jackson.databind.JsonNode`): \
             not allowed as per `DeserializationFeature.FAIL_ON_TRAILING_TOKENS`"
        );
        self.at_place(message, start)
    }

    fn close(&mut self, closer: char) -> Scanned<()> {
        if self.open.last().is_some_and(|open| open.kind.closer() == closer) {
            self.open.pop();
            return Ok(());
        }
        let expected = if closer == ']' { '}' } else { ']' };
        let (kind, line, column) = match self.open.last() {
            Some(open) => (open.kind.name(), open.start.line, self.column(open.start)),
            None => ("root", 1, 0),
        };
        let start = source(self.text, line, column);
        Err(self.just_before(format!(
            "Unexpected close marker '{closer}': expected '{expected}' (for {kind} starting at {start})"
        )))
    }

    /// Reads the comma, the name and the colon that are due; gives the value's first character.
    fn before_value(&mut self, first: char) -> Scanned<char> {
        let Some(open) = self.open.last_mut() else { return Ok(first) };
        let (kind, filled) = (open.kind, open.filled);
        open.filled = true;
        let first = if filled { self.comma(first, kind)? } else { first };
        match kind {
            Kind::Array => Ok(first),
            Kind::Object => self.name(first),
        }
    }

    fn comma(&mut self, found: char, kind: Kind) -> Scanned<char> {
        if found != ',' {
            return Err(self.unexpected(found, &format!("was expecting comma to separate {} entries", kind.name())));
        }
        self.entry(kind)
    }

    fn name(&mut self, first: char) -> Scanned<char> {
        if first != '"' {
            return Err(self.unexpected(first, "was expecting double-quote to start field name"));
        }
        self.string("name", " in field name")?;
        let colon = self.entry(Kind::Object)?;
        if colon != ':' {
            return Err(self.unexpected(colon, "was expecting a colon to separate field name and value"));
        }
        self.entry(Kind::Object)
    }

    /// The next character that is no space, where the text cannot be over yet.
    fn entry(&mut self, kind: Kind) -> Scanned<char> {
        match self.skip_space()? {
            Some(char) => Ok(char),
            None => Err(self.here(format!("Unexpected end-of-input within/between {} entries", kind.name()))),
        }
    }

    /// Reads a whole scalar, or the beginning of an array or object; gives Jackson's name of its type.
    fn value(&mut self, first: char) -> Scanned<&'static str> {
        match first {
            '"' => self.string("string value", ": was expecting closing quote for a string value")?,
            '[' => self.begin(Kind::Array)?,
            '{' => self.begin(Kind::Object)?,
            '-' | '0'..='9' => return self.number(first),
            't' => self.token("true")?,
            'f' => self.token("false")?,
            'n' => self.token("null")?,
            '}' => return Err(self.unexpected(first, "expected a value")),
            _ => return Err(self.odd_value(first)),
        }
        Ok(token_type(first))
    }

    fn begin(&mut self, kind: Kind) -> Scanned<()> {
        if self.open.len() >= DEPTH_MAX {
            let depth = DEPTH_MAX + 1;
            return Err(
                self.here(format!("Document nesting depth ({depth}) exceeds the maximum allowed ({DEPTH_MAX})"))
            );
        }
        self.open.push(Open { kind, start: self.last_place(), filled: false });
        Ok(())
    }

    fn odd_value(&mut self, first: char) -> ParseError {
        match first {
            'N' => self.nonstandard("NaN"),
            'I' => self.nonstandard("Infinity"),
            '+' => self.plus(),
            _ if is_identifier_start(first) => self.unrecognized(first.to_string()),
            _ => self.unexpected(first, &format!("expected a valid value {VALUES}")),
        }
    }

    fn nonstandard(&mut self, token: &str) -> ParseError {
        match self.token(token) {
            Err(unrecognized) => unrecognized,
            Ok(()) => self.here(format!(
                "Non-standard token '{token}': enable JsonParser.Feature.ALLOW_NON_NUMERIC_NUMBERS to allow"
            )),
        }
    }

    fn plus(&mut self) -> ParseError {
        match self.next() {
            None => self.here("Unexpected end-of-input in a Number value".to_owned()),
            Some(_) => self.unexpected_in_number(
                '+',
                "JSON spec does not allow numbers to have plus signs: enable \
                 `JsonReadFeature.ALLOW_LEADING_PLUS_SIGN_FOR_NUMBERS` to allow",
            ),
        }
    }

    /// The rest of a word whose first letter has been read.
    fn token(&mut self, token: &str) -> Scanned<()> {
        for (at, expected) in token.char_indices().skip(1) {
            if !self.eat(expected) {
                return Err(self.unrecognized(token[..at].to_owned()));
            }
        }
        match self.peek() {
            Some(next) if is_identifier_part(next) => Err(self.unrecognized(token.to_owned())),
            Some(_) | None => Ok(()),
        }
    }

    fn unrecognized(&mut self, read: String) -> ParseError {
        let mut token = read;
        let mut units = token.encode_utf16().count();
        while let Some(char) = self.peek().filter(|char| is_identifier_part(*char)) {
            self.at += char.len_utf8();
            token.push(char);
            units += char.len_utf16();
            if units >= TOKEN_MAX {
                token.push_str("...");
                break;
            }
        }
        self.here(format!("Unrecognized token '{token}': was expecting {VALUES}"))
    }

    /// The rest of a text whose opening quote has been read.
    fn string(&mut self, what: &str, at_end: &str) -> Scanned<()> {
        loop {
            match self.next() {
                Some('"') => return Ok(()),
                Some('\\') => self.escape()?,
                Some(char) if char < ' ' => {
                    let desc = describe(char);
                    return Err(self.just_before(format!(
                        "Illegal unquoted character ({desc}): has to be escaped using backslash to be included in {what}"
                    )));
                }
                Some(_) => {}
                None => return Err(self.here(format!("Unexpected end-of-input{at_end}"))),
            }
        }
    }

    fn escape(&mut self) -> Scanned<()> {
        match self.next() {
            Some('b' | 't' | 'n' | 'f' | 'r' | '"' | '/' | '\\') => Ok(()),
            Some('u') => (0..4).try_for_each(|_| self.hex_digit()),
            Some(char) => Err(self.just_before(format!("Unrecognized character escape {}", describe(char)))),
            None => Err(self.here("Unexpected end-of-input in character escape sequence".to_owned())),
        }
    }

    fn hex_digit(&mut self) -> Scanned<()> {
        match self.next() {
            Some(char) if char.is_ascii_hexdigit() => Ok(()),
            Some(char) => Err(self.unexpected(char, "expected a hex-digit for character escape sequence")),
            None => Err(self.here("Unexpected end-of-input in character escape sequence".to_owned())),
        }
    }

    fn number(&mut self, first: char) -> Scanned<&'static str> {
        let first = if first == '-' { self.after_minus()? } else { first };
        if first == '0' && self.peek().is_some_and(|next| next.is_ascii_digit()) {
            return Err(self.here("Invalid numeric value: Leading zeroes not allowed".to_owned()));
        }
        self.digits();
        let has_fraction = self.fraction()?;
        let has_exponent = self.exponent()?;
        match self.peek() {
            Some(next) if self.open.is_empty() && !matches!(next, ' ' | '\t' | '\r' | '\n') => {
                self.next();
                Err(self.unexpected(next, "Expected space separating root-level values"))
            }
            Some(_) | None if has_fraction || has_exponent => Ok("VALUE_NUMBER_FLOAT"),
            Some(_) | None => Ok("VALUE_NUMBER_INT"),
        }
    }

    fn after_minus(&mut self) -> Scanned<char> {
        match self.next() {
            Some(digit) if digit.is_ascii_digit() => Ok(digit),
            Some(char) => {
                Err(self
                    .unexpected_in_number(char, "expected digit (0-9) to follow minus sign, for valid numeric value"))
            }
            None => Err(self.here("Unexpected end-of-input: No digit following minus sign".to_owned())),
        }
    }

    fn fraction(&mut self) -> Scanned<bool> {
        if !self.eat('.') {
            return Ok(false);
        }
        if self.digits() == 0 {
            let found = self.next().unwrap_or('.');
            return Err(self.unexpected_in_number(found, "Decimal point not followed by a digit"));
        }
        Ok(true)
    }

    fn exponent(&mut self) -> Scanned<bool> {
        if !(self.eat('e') || self.eat('E')) {
            return Ok(false);
        }
        if !self.eat('-') {
            self.eat('+');
        }
        if self.digits() == 0 {
            return Err(match self.next() {
                Some(found) => self.unexpected_in_number(found, "Exponent indicator not followed by a digit"),
                None => self.here("Unexpected end-of-input: expected a digit for number exponent".to_owned()),
            });
        }
        Ok(true)
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|next| next.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    /// Reads space, then the character after it.
    fn skip_space(&mut self) -> Scanned<Option<char>> {
        while let Some(char) = self.next() {
            match char {
                ' ' | '\t' => {}
                '\n' => self.new_line(),
                '\r' => {
                    self.eat('\n');
                    self.new_line();
                }
                '/' => {
                    return Err(self.unexpected(
                        '/',
                        "maybe a (non-standard) comment? (not recognized as one since Feature 'ALLOW_COMMENTS' not enabled for parser)",
                    ));
                }
                _ if char < ' ' => {
                    let desc = describe(char);
                    return Err(self.just_before(format!(
                        "Illegal character ({desc}): only regular white space (\\r, \\n, \\t) is allowed between tokens"
                    )));
                }
                _ => return Ok(Some(char)),
            }
        }
        Ok(None)
    }

    fn new_line(&mut self) {
        self.line += 1;
        self.line_start = self.at;
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let char = self.peek()?;
        self.at += char.len_utf8();
        Some(char)
    }

    fn eat(&mut self, char: char) -> bool {
        let eaten = self.peek() == Some(char);
        if eaten {
            self.at += char.len_utf8();
        }
        eaten
    }

    fn unexpected(&self, char: char, comment: &str) -> ParseError {
        self.just_before(format!("Unexpected character ({}): {comment}", describe(char)))
    }

    fn unexpected_in_number(&self, char: char, comment: &str) -> ParseError {
        self.just_before(format!("Unexpected character ({}) in numeric value: {comment}", describe(char)))
    }

    /// An error noticed at the next character.
    fn here(&self, message: String) -> ParseError {
        self.at_place(message, Place { line: self.line, line_start: self.line_start, at: self.at })
    }

    /// An error of the character just read.
    fn just_before(&self, message: String) -> ParseError {
        self.at_place(message, self.last_place())
    }

    fn at_place(&self, message: String, place: Place) -> ParseError {
        ParseError { message, line: place.line, column: self.column(place) }
    }

    /// The place of the character just read.
    fn last_place(&self) -> Place {
        let read = self.text[..self.at].chars().next_back().map_or(0, char::len_utf8);
        Place { line: self.line, line_start: self.line_start, at: self.at - read }
    }

    /// In UTF-16 units, as Java counts.
    fn column(&self, place: Place) -> usize {
        self.text[place.line_start..place.at].encode_utf16().count() + 1
    }
}

fn token_type(first: char) -> &'static str {
    match first {
        '"' => "VALUE_STRING",
        '[' => "START_ARRAY",
        '{' => "START_OBJECT",
        't' => "VALUE_TRUE",
        'f' => "VALUE_FALSE",
        'n' => "VALUE_NULL",
        _ => "NOT_AVAILABLE",
    }
}

/// A character as Jackson names it. It sees UTF-16 units, so of a pair only the first half.
fn describe(char: char) -> String {
    let mut units = [0; 2];
    let unit = char.encode_utf16(&mut units)[0];
    match unit {
        _ if char.is_control() => format!("(CTRL-CHAR, code {unit})"),
        0..=255 => format!("'{char}' (code {unit})"),
        0xD800..=0xDFFF => format!("'?' (code {unit} / 0x{unit:x})"),
        _ => format!("'{char}' (code {unit} / 0x{unit:x})"),
    }
}

/// `Character.isJavaIdentifierStart`, near enough: letters, currency signs and the underscore.
fn is_identifier_start(char: char) -> bool {
    let is_single_unit = char.len_utf16() == 1;
    is_single_unit && (char.is_alphabetic() || matches!(char, '_' | '$' | '¢'..='¥' | '€'))
}

/// `Character.isJavaIdentifierPart`, near enough: also digits and controls that a reader does not see.
fn is_identifier_part(char: char) -> bool {
    let is_single_unit = char.len_utf16() == 1;
    is_identifier_start(char)
        || (is_single_unit && char.is_numeric())
        || matches!(char, '\0'..='\u{8}' | '\u{e}'..='\u{1b}' | '\u{7f}'..='\u{9f}')
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use crate::Json;

    /// One line for each text: line, column and message.
    fn check(texts: &[&str], expected: Expect) {
        let explain = |text: &&str| match Json::parse(text) {
            Ok(value) => format!("{text:?} is {value}\n"),
            Err(error) => {
                format!("{text:?}\n  {}:{} {}\n", error.line, error.column, error.message)
            }
        };
        expected.assert_eq(&texts.iter().map(explain).collect::<String>());
    }

    #[test]
    fn recorded_of_aws() {
        check(
            &[
                "not a definition",
                "this is valid json but not a dict",
                "{'bad': 'quotation'}",
                r#"{"not": closed mark""#,
            ],
            expect![[r#"
                "not a definition"
                  1:4 Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')
                "this is valid json but not a dict"
                  1:5 Unrecognized token 'this': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')
                "{'bad': 'quotation'}"
                  1:2 Unexpected character (''' (code 39)): was expecting double-quote to start field name
                "{\"not\": closed mark\""
                  1:15 Unrecognized token 'closed': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')
            "#]],
        );
    }

    #[test]
    fn tokens() {
        check(
            &[
                "nope",
                "truex",
                "tru",
                "nul ",
                "NaN",
                "Nan",
                "Infinity",
                "'a'",
                "undefined",
                "=",
                "é",
                "😀",
                "\u{feff}{}",
                "TRUE",
            ],
            expect![[r#"
                "nope"
                  1:5 Unrecognized token 'nope': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')
                "truex"
                  1:6 Unrecognized token 'truex': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')
                "tru"
                  1:4 Unrecognized token 'tru': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')
                "nul "
                  1:4 Unrecognized token 'nul': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')
                "NaN"
                  1:4 Non-standard token 'NaN': enable JsonParser.Feature.ALLOW_NON_NUMERIC_NUMBERS to allow
                "Nan"
                  1:4 Unrecognized token 'Nan': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')
                "Infinity"
                  1:9 Non-standard token 'Infinity': enable JsonParser.Feature.ALLOW_NON_NUMERIC_NUMBERS to allow
                "'a'"
                  1:1 Unexpected character (''' (code 39)): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')
                "undefined"
                  1:10 Unrecognized token 'undefined': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')
                "="
                  1:1 Unexpected character ('=' (code 61)): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')
                "é"
                  1:2 Unrecognized token 'é': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')
                "😀"
                  1:1 Unexpected character ('?' (code 55357 / 0xd83d)): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')
                "\u{feff}{}"
                  1:1 Unexpected character ('﻿' (code 65279 / 0xfeff)): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')
                "TRUE"
                  1:5 Unrecognized token 'TRUE': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')
            "#]],
        );
    }

    #[test]
    fn structure() {
        check(
            &[
                "",
                " \n ",
                "{",
                "[",
                "[1",
                "[1,",
                "[1 2]",
                "[1,]",
                "[,1]",
                "[}",
                "{]",
                "]",
                "}",
                "{}}",
                "{} {}",
                "{} x",
                "1 2",
                "[] \"",
                "{\"a\"",
                "{\"a\":",
                "{\"a\":}",
                "{\"a\" 1}",
                "{\"a\":1,}",
                "{\"a\":1 \"b\":2}",
                "{a:1}",
                "{,}",
                "[1]]",
                "{\n  \"a\": 1,\r\n  \"b\": ?\r}",
                "// no",
                "{ # no\n}",
                "[1,\u{1}2]",
                "[1,}",
            ],
            expect![[r#"
                ""
                  1:0 No content to map due to end-of-input
                " \n "
                  1:0 No content to map due to end-of-input
                "{"
                  1:2 Unexpected end-of-input: expected close marker for Object (start marker at [Source: (String)"{"; line: 1, column: 1])
                "["
                  1:2 Unexpected end-of-input: expected close marker for Array (start marker at [Source: (String)"["; line: 1, column: 1])
                "[1"
                  1:3 Unexpected end-of-input: expected close marker for Array (start marker at [Source: (String)"[1"; line: 1, column: 1])
                "[1,"
                  1:4 Unexpected end-of-input within/between Array entries
                "[1 2]"
                  1:4 Unexpected character ('2' (code 50)): was expecting comma to separate Array entries
                "[1,]"
                  1:4 Unexpected character (']' (code 93)): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')
                "[,1]"
                  1:2 Unexpected character (',' (code 44)): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')
                "[}"
                  1:2 Unexpected close marker '}': expected ']' (for Array starting at [Source: (String)"[}"; line: 1, column: 1])
                "{]"
                  1:2 Unexpected close marker ']': expected '}' (for Object starting at [Source: (String)"{]"; line: 1, column: 1])
                "]"
                  1:1 Unexpected close marker ']': expected '}' (for root starting at [Source: (String)"]"; line: 1, column: 0])
                "}"
                  1:1 Unexpected close marker '}': expected ']' (for root starting at [Source: (String)"}"; line: 1, column: 0])
                "{}}"
                  1:3 Unexpected close marker '}': expected ']' (for root starting at [Source: (String)"{}}"; line: 1, column: 0])
                "{} {}"
                  1:4 Trailing token (of type START_OBJECT) found after value (bound as `com.fasterxml.jackson.databind.JsonNode`): not allowed as per `DeserializationFeature.FAIL_ON_TRAILING_TOKENS`
                "{} x"
                  1:5 Unrecognized token 'x': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')
                "1 2"
                  1:3 Trailing token (of type VALUE_NUMBER_INT) found after value (bound as `com.fasterxml.jackson.databind.JsonNode`): not allowed as per `DeserializationFeature.FAIL_ON_TRAILING_TOKENS`
                "[] \""
                  1:4 Trailing token (of type VALUE_STRING) found after value (bound as `com.fasterxml.jackson.databind.JsonNode`): not allowed as per `DeserializationFeature.FAIL_ON_TRAILING_TOKENS`
                "{\"a\""
                  1:5 Unexpected end-of-input within/between Object entries
                "{\"a\":"
                  1:6 Unexpected end-of-input within/between Object entries
                "{\"a\":}"
                  1:6 Unexpected character ('}' (code 125)): expected a value
                "{\"a\" 1}"
                  1:6 Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value
                "{\"a\":1,}"
                  1:8 Unexpected character ('}' (code 125)): was expecting double-quote to start field name
                "{\"a\":1 \"b\":2}"
                  1:8 Unexpected character ('"' (code 34)): was expecting comma to separate Object entries
                "{a:1}"
                  1:2 Unexpected character ('a' (code 97)): was expecting double-quote to start field name
                "{,}"
                  1:2 Unexpected character (',' (code 44)): was expecting double-quote to start field name
                "[1]]"
                  1:4 Unexpected close marker ']': expected '}' (for root starting at [Source: (String)"[1]]"; line: 1, column: 0])
                "{\n  \"a\": 1,\r\n  \"b\": ?\r}"
                  3:8 Unexpected character ('?' (code 63)): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')
                "// no"
                  1:1 Unexpected character ('/' (code 47)): maybe a (non-standard) comment? (not recognized as one since Feature 'ALLOW_COMMENTS' not enabled for parser)
                "{ # no\n}"
                  1:3 Unexpected character ('#' (code 35)): was expecting double-quote to start field name
                "[1,\u{1}2]"
                  1:4 Illegal character ((CTRL-CHAR, code 1)): only regular white space (\r, \n, \t) is allowed between tokens
                "[1,}"
                  1:4 Unexpected character ('}' (code 125)): expected a value
            "#]],
        );
    }

    #[test]
    fn texts() {
        check(
            &[
                "\"abc",
                "\"a\nb\"",
                "\"\\x\"",
                "\"\\u12g4\"",
                "\"\\",
                "\"\\u12",
                "{\"a",
                "{\"a\tb\":1}",
                "\"\\ud800\"",
                "[\"é😀\" x]",
            ],
            expect![[r#"
                "\"abc"
                  1:5 Unexpected end-of-input: was expecting closing quote for a string value
                "\"a\nb\""
                  1:3 Illegal unquoted character ((CTRL-CHAR, code 10)): has to be escaped using backslash to be included in string value
                "\"\\x\""
                  1:3 Unrecognized character escape 'x' (code 120)
                "\"\\u12g4\""
                  1:6 Unexpected character ('g' (code 103)): expected a hex-digit for character escape sequence
                "\"\\"
                  1:3 Unexpected end-of-input in character escape sequence
                "\"\\u12"
                  1:6 Unexpected end-of-input in character escape sequence
                "{\"a"
                  1:4 Unexpected end-of-input in field name
                "{\"a\tb\":1}"
                  1:4 Illegal unquoted character ((CTRL-CHAR, code 9)): has to be escaped using backslash to be included in name
                "\"\\ud800\""
                  1:8 unexpected end of hex escape
                "[\"é😀\" x]"
                  1:8 Unexpected character ('x' (code 120)): was expecting comma to separate Array entries
            "#]],
        );
    }

    #[test]
    fn numbers() {
        check(
            &[
                "-", "-x", "+1", "+", "01", "-01", "1.", "1.x", ".5", "1e", "1e+", "1ex", "1a", "[1a]", "1.5.5",
                "1e999", "-0",
            ],
            expect![[r#"
                "-"
                  1:2 Unexpected end-of-input: No digit following minus sign
                "-x"
                  1:2 Unexpected character ('x' (code 120)) in numeric value: expected digit (0-9) to follow minus sign, for valid numeric value
                "+1"
                  1:2 Unexpected character ('+' (code 43)) in numeric value: JSON spec does not allow numbers to have plus signs: enable `JsonReadFeature.ALLOW_LEADING_PLUS_SIGN_FOR_NUMBERS` to allow
                "+"
                  1:2 Unexpected end-of-input in a Number value
                "01"
                  1:2 Invalid numeric value: Leading zeroes not allowed
                "-01"
                  1:3 Invalid numeric value: Leading zeroes not allowed
                "1."
                  1:2 Unexpected character ('.' (code 46)) in numeric value: Decimal point not followed by a digit
                "1.x"
                  1:3 Unexpected character ('x' (code 120)) in numeric value: Decimal point not followed by a digit
                ".5"
                  1:1 Unexpected character ('.' (code 46)): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')
                "1e"
                  1:3 Unexpected end-of-input: expected a digit for number exponent
                "1e+"
                  1:4 Unexpected end-of-input: expected a digit for number exponent
                "1ex"
                  1:3 Unexpected character ('x' (code 120)) in numeric value: Exponent indicator not followed by a digit
                "1a"
                  1:2 Unexpected character ('a' (code 97)): Expected space separating root-level values
                "[1a]"
                  1:3 Unexpected character ('a' (code 97)): was expecting comma to separate Array entries
                "1.5.5"
                  1:4 Unexpected character ('.' (code 46)): Expected space separating root-level values
                "1e999"
                  1:5 number out of range
                "-0" is 0
            "#]],
        );
    }

    #[test]
    fn depth_has_an_end_with_a_text_of_its_own() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Json::parse(&nested(super::DEPTH_MAX)).is_ok());
        let error = Json::parse(&nested(super::DEPTH_MAX + 1)).expect_err("too deep");
        expect!["Document nesting depth (128) exceeds the maximum allowed (127)"].assert_eq(&error.message);
        assert!(Json::parse(&"{\"a\":".repeat(1_000_000)).is_err());
    }

    #[test]
    fn a_long_line_is_scanned_in_one_go() {
        let error = Json::parse(&format!("[{}x]", "[0],".repeat(500_000))).expect_err("not JSON");
        assert_eq!(error.column, 2_000_003);
    }

    #[test]
    fn a_location_shows_the_beginning_of_the_text() {
        let text = format!("\u{7}{}é", "x".repeat(600));
        let error = Json::parse(&text).expect_err("not JSON");
        let location = error.location(&text);
        assert!(location.starts_with("[Source: (String)\"\\u0007xxx"), "{location}");
        assert!(location.ends_with("x\"[truncated 102 chars]; line: 1, column: 1]"), "{location}");
    }

    proptest! {
        #[test]
        fn every_text_is_explained(text in "\\PC*") {
            let _ = Json::parse(&text);
        }

        #[test]
        fn whatever_is_nearly_json_is_explained(text in r#"([\[\]{}:,"0-9.eE+\-truefalsn\\ \n😀]|null|"a":){0,40}"#) {
            // Where the scanner finds nothing, the message would be our parser's.
            if let Err(error) = Json::parse(&text) {
                let ours = ["number out of range", "lone leading surrogate in hex escape", "unexpected end of hex escape"];
                let is_jacksons = error.message.starts_with(|first: char| first.is_uppercase());
                prop_assert!(is_jacksons || ours.contains(&error.message.as_str()), "{text:?}: {}", error.message);
            }
        }
    }
}
