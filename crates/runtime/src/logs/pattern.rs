//! Filter patterns: which log events are meant (`CloudWatch Logs User Guide, Filter pattern syntax`).
//!
//! Pure: a pattern's text becomes a [`Pattern`], or why not; a pattern and a message give yes or no. Words match
//! wherever they stand in a message, as they are written. Patterns for messages in columns (`[a, b]`) and regular
//! expressions (`%…%`) are refused.

use base::Json;

/// A pattern that was understood.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Pattern {
    /// Every message.
    All,
    Terms(Vec<Term>),
    Json(Test),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Term {
    kind: TermKind,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TermKind {
    Wanted,
    /// `?`: one of these is enough.
    Either,
    /// `-`
    Unwanted,
}

/// What is asked of a message that is JSON.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Test {
    All(Vec<Test>),
    Any(Vec<Test>),
    Compare(Selector, Comparison, Literal),
    Is(Selector, Json),
    Exists(Selector, bool),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Selector(Vec<Segment>);

#[derive(Debug, Clone, PartialEq)]
enum Segment {
    Key(String),
    Index(usize),
    /// `[*]`: one of them is enough.
    Each,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// As written: a number where it reads as one, and a text in which `*` stands for anything.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Literal {
    number: Option<f64>,
    text: String,
}

/// How deep tests may be nested.
const DEPTH_MAX: usize = 32;

impl Pattern {
    /// Reads a pattern. The error is a sentence for whoever wrote it.
    pub(crate) fn parse(text: &str) -> Result<Pattern, String> {
        let text = text.trim();
        match text.chars().next() {
            None => Ok(Pattern::All),
            Some('{') => {
                let mut parser = Parser { rest: &text[1..] };
                let test = parser.any(0)?;
                parser.expect("}")?;
                if parser.peek().is_some() {
                    return Err(invalid(parser.rest));
                }
                Ok(Pattern::Json(test))
            }
            Some('[' | '%') => Err("Invalid filter pattern: this version knows terms and JSON patterns".to_owned()),
            Some(_) => terms(text).map(Pattern::Terms),
        }
    }

    pub(crate) fn matches(&self, message: &str) -> bool {
        match self {
            Pattern::All => true,
            Pattern::Terms(terms) => match_terms(terms, message),
            Pattern::Json(test) => Json::parse(message).is_ok_and(|json| test.holds(&json)),
        }
    }
}

fn match_terms(terms: &[Term], message: &str) -> bool {
    let of = |kind| terms.iter().filter(move |term| term.kind == kind);
    let has = |term: &Term| message.contains(&term.text);
    // Beside other terms, those with a question mark say nothing (as the guide notes).
    let either = of(TermKind::Either).count() < terms.len() || of(TermKind::Either).any(has);
    of(TermKind::Wanted).all(has) && !of(TermKind::Unwanted).any(has) && either
}

fn terms(text: &str) -> Result<Vec<Term>, String> {
    let mut parser = Parser { rest: text };
    let mut terms = vec![];
    while let Some(next) = parser.peek() {
        let kind = match next {
            '?' => TermKind::Either,
            '-' => TermKind::Unwanted,
            _ => TermKind::Wanted,
        };
        if kind != TermKind::Wanted {
            parser.skip(1);
        }
        let text = match parser.rest.starts_with('"') {
            true => parser.quoted()?,
            false => word(parser.until_space())?,
        };
        terms.push(Term { kind, text });
    }
    Ok(terms)
}

fn word(word: &str) -> Result<String, String> {
    let plain = |char: char| char.is_alphanumeric() || char == '_';
    match !word.is_empty() && word.chars().all(plain) {
        true => Ok(word.to_owned()),
        false => Err(format!("Invalid character(s) in term '{word}'")),
    }
}

fn invalid(rest: &str) -> String {
    format!("Invalid filter pattern near '{}'", rest.chars().take(20).collect::<String>())
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    /// The next character that is no space; those before it are gone.
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }

    fn take(&mut self, token: &str) -> bool {
        self.peek();
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.take(token) { Ok(()) } else { Err(invalid(self.rest)) }
    }

    fn until(&mut self, ends: impl Fn(char) -> bool) -> &'a str {
        let (taken, rest) = self.rest.split_at(self.rest.find(ends).unwrap_or(self.rest.len()));
        self.rest = rest;
        taken
    }

    fn until_space(&mut self) -> &'a str {
        self.until(char::is_whitespace)
    }

    /// A text in double quotes; a backslash takes the next character as it is.
    fn quoted(&mut self) -> Result<String, String> {
        let begin = self.rest;
        let mut text = String::new();
        let mut chars = begin.char_indices().skip(1);
        while let Some((at, char)) = chars.next() {
            match char {
                '"' => {
                    self.rest = &begin[at + 1..];
                    return Ok(text);
                }
                '\\' => text.extend(chars.next().map(|(_, char)| char)),
                char => text.push(char),
            }
        }
        Err(format!("Unclosed quotation in '{begin}'"))
    }

    fn any(&mut self, depth: usize) -> Result<Test, String> {
        let mut tests = vec![self.all(depth)?];
        while self.take("||") {
            tests.push(self.all(depth)?);
        }
        Ok(if tests.len() == 1 { tests.remove(0) } else { Test::Any(tests) })
    }

    fn all(&mut self, depth: usize) -> Result<Test, String> {
        let mut tests = vec![self.one(depth)?];
        while self.take("&&") {
            tests.push(self.one(depth)?);
        }
        Ok(if tests.len() == 1 { tests.remove(0) } else { Test::All(tests) })
    }

    fn one(&mut self, depth: usize) -> Result<Test, String> {
        if self.take("(") {
            if depth == DEPTH_MAX {
                return Err(invalid(self.rest));
            }
            let test = self.any(depth + 1)?;
            self.expect(")")?;
            return Ok(test);
        }
        let selector = self.selector()?;
        if let Some(test) = self.state(&selector)? {
            return Ok(test);
        }
        let comparison = self.comparison().ok_or_else(|| invalid(self.rest))?;
        Ok(Test::Compare(selector, comparison, self.literal()?))
    }

    /// `IS NULL`, `IS TRUE`, `IS FALSE`, `NOT EXISTS`, `EXISTS`.
    fn state(&mut self, selector: &Selector) -> Result<Option<Test>, String> {
        let selector = selector.clone();
        if self.take("NOT") {
            self.expect("EXISTS")?;
            return Ok(Some(Test::Exists(selector, false)));
        }
        if self.take("EXISTS") {
            return Ok(Some(Test::Exists(selector, true)));
        }
        if !self.take("IS") {
            return Ok(None);
        }
        let states = [("NULL", Json::Null), ("TRUE", Json::Bool(true)), ("FALSE", Json::Bool(false))];
        for (word, json) in states {
            if self.take(word) {
                return Ok(Some(Test::Is(selector, json)));
            }
        }
        Err(invalid(self.rest))
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let all = [
            ("!=", Comparison::Unequal),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("=", Comparison::Equal),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        all.into_iter().find(|(token, _)| self.take(token)).map(|(_, comparison)| comparison)
    }

    fn literal(&mut self) -> Result<Literal, String> {
        if self.peek() == Some('"') {
            return Ok(Literal { number: None, text: self.quoted()? });
        }
        let text = self.until(|char| char.is_whitespace() || "{}()&|\"".contains(char));
        let known = |char: char| char.is_alphanumeric() || "_*.+-:/".contains(char);
        if text.is_empty() || !text.chars().all(known) {
            return Err(invalid(if text.is_empty() { self.rest } else { text }));
        }
        let number = text.parse().ok().filter(|number: &f64| number.is_finite());
        Ok(Literal { number, text: text.to_owned() })
    }

    fn selector(&mut self) -> Result<Selector, String> {
        self.expect("$")?;
        let mut segments = vec![];
        loop {
            if self.rest.starts_with('[') || self.rest.starts_with(".[") {
                self.skip(self.rest.find('[').expect("it begins with one") + 1);
                segments.push(self.bracket()?);
            } else if self.rest.starts_with('.') {
                self.skip(1);
                let key = self.until(|char| char.is_whitespace() || ".[]=!<>(){}&|\"'".contains(char));
                if key.is_empty() {
                    return Err(invalid(self.rest));
                }
                segments.push(Segment::Key(key.to_owned()));
            } else {
                return Ok(Selector(segments));
            }
        }
    }

    fn bracket(&mut self) -> Result<Segment, String> {
        let quote = self.rest.chars().next().filter(|char| matches!(char, '\'' | '"'));
        if let Some(quote) = quote {
            self.skip(1);
            let key = self.until(|char| char == quote).to_owned();
            self.expect(if quote == '"' { "\"" } else { "'" })?;
            self.expect("]")?;
            return Ok(Segment::Key(key));
        }
        let inside = self.until(|char| char == ']');
        self.expect("]")?;
        match inside.trim() {
            "*" => Ok(Segment::Each),
            number => number.parse().map(Segment::Index).map_err(|_| invalid(inside)),
        }
    }
}

impl Test {
    fn holds(&self, json: &Json) -> bool {
        match self {
            Test::All(tests) => tests.iter().all(|test| test.holds(json)),
            Test::Any(tests) => tests.iter().any(|test| test.holds(json)),
            Test::Compare(selector, comparison, literal) => {
                selector.any(json, &|value| comparison.holds(value, literal))
            }
            Test::Is(selector, wanted) => selector.any(json, &|value| value == wanted),
            Test::Exists(selector, wanted) => selector.any(json, &|_| true) == *wanted,
        }
    }
}

impl Selector {
    /// Whether one of the values that it selects is as wanted.
    fn any(&self, json: &Json, wanted: &dyn Fn(&Json) -> bool) -> bool {
        select(&self.0, json, wanted)
    }
}

fn select(segments: &[Segment], json: &Json, wanted: &dyn Fn(&Json) -> bool) -> bool {
    let Some((first, rest)) = segments.split_first() else { return wanted(json) };
    match first {
        Segment::Key(key) => json.get(key).is_some_and(|value| select(rest, value, wanted)),
        Segment::Index(index) => {
            json.as_array().and_then(|items| items.get(*index)).is_some_and(|value| select(rest, value, wanted))
        }
        Segment::Each => json.as_array().is_some_and(|items| items.iter().any(|value| select(rest, value, wanted))),
    }
}

impl Comparison {
    fn holds(self, value: &Json, literal: &Literal) -> bool {
        match self {
            Comparison::Equal => literal.is(value),
            Comparison::Unequal => !literal.is(value),
            Comparison::Less => literal.orders(value, |value, wanted| value < wanted),
            Comparison::LessOrEqual => literal.orders(value, |value, wanted| value <= wanted),
            Comparison::Greater => literal.orders(value, |value, wanted| value > wanted),
            Comparison::GreaterOrEqual => literal.orders(value, |value, wanted| value >= wanted),
        }
    }
}

impl Literal {
    fn is(&self, value: &Json) -> bool {
        match value {
            Json::String(text) => like(&self.text, text),
            Json::Number(_) => match self.number {
                Some(number) => value.as_f64() == Some(number),
                None => like(&self.text, &value.to_string()),
            },
            Json::Bool(truth) => self.text == truth.to_string(),
            Json::Null | Json::Array(_) | Json::Object(_) => false,
        }
    }

    fn orders(&self, value: &Json, holds: impl Fn(f64, f64) -> bool) -> bool {
        matches!((value, value.as_f64(), self.number), (Json::Number(_), Some(value), Some(wanted)) if holds(value, wanted))
    }
}

/// Whether `text` is `pattern`, in which each `*` stands for any text.
fn like(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').map_or(("", rest), |(middle, last)| (middle, last));
    for part in middle.split('*') {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const MESSAGES: [&str; 8] = [
        "[ERROR 400] BAD REQUEST",
        "[ERROR 401] UNAUTHORIZED REQUEST",
        "[WARN] slow \"query\"",
        r#"{"type":"ExecutionFailed","id":"3","code":400,"user":{"id":1,"name":"John Stiles"},"ok":true}"#,
        r#"{"type":"PassStateEntered","id":"2","code":301.5,"tags":["a","b"],"ok":false,"none":null}"#,
        r#"{"type":"ExecutionStarted","items":[{"n":1},{"n":7}],"a.b":"x"}"#,
        "plain",
        "",
    ];

    /// For each pattern: which of the messages it means, or what is wrong with it.
    fn check(patterns: &[&str], expect: Expect) {
        let line = |pattern: &&str| match Pattern::parse(pattern) {
            Err(why) => format!("{pattern}: {why}\n"),
            Ok(found) => {
                let matches = (0..).zip(MESSAGES).filter(|(_, message)| found.matches(message));
                format!("{pattern}: {:?}\n", matches.map(|(index, _): (usize, _)| index).collect::<Vec<_>>())
            }
        };
        expect.assert_eq(&patterns.iter().map(line).collect::<String>());
    }

    #[test]
    fn words_and_phrases() {
        check(
            &[
                "",
                "ERROR",
                "error",
                "ERROR REQUEST",
                "ERROR 401",
                "\"BAD REQUEST\"",
                "\"REQUEST BAD\"",
                r#""\"query\"""#,
                "?WARN ?plain",
                "ERROR -BAD",
                "-ERROR",
                r#"ERROR -"401] U""#,
                "?plain ERROR",
                "slow-query",
                "\"open",
                "-",
                "[a, b]",
                "%x%",
            ],
            expect![[r#"
                : [0, 1, 2, 3, 4, 5, 6, 7]
                ERROR: [0, 1]
                error: []
                ERROR REQUEST: [0, 1]
                ERROR 401: [1]
                "BAD REQUEST": [0]
                "REQUEST BAD": []
                "\"query\"": [2]
                ?WARN ?plain: [2, 6]
                ERROR -BAD: [1]
                -ERROR: [2, 3, 4, 5, 6, 7]
                ERROR -"401] U": [0]
                ?plain ERROR: [0, 1]
                slow-query: Invalid character(s) in term 'slow-query'
                "open: Unclosed quotation in '"open'
                -: Invalid character(s) in term ''
                [a, b]: Invalid filter pattern: this version knows terms and JSON patterns
                %x%: Invalid filter pattern: this version knows terms and JSON patterns
            "#]],
        );
    }

    #[test]
    fn fields_of_json() {
        check(
            &[
                r#"{ $.type = "ExecutionFailed" }"#,
                r#"{$.type="Execution*"}"#,
                r#"{ $.type = *Failed }"#,
                r#"{ $.type != "ExecutionFailed" }"#,
                "{ $.code = 400 }",
                "{ $.code = 4e2 }",
                "{ $.code > 301 }",
                "{ $.code >= 301.5 && $.code < 400 }",
                r#"{ $.id = 3 }"#,
                r#"{ ($.user.id = 1 || $.code < 302) && $.type = "*ed" }"#,
                r#"{ $.user.id = 1 || $.code < 302 && $.type = "x" }"#,
                "{ $.tags[1] = b }",
                "{ $.items[*].n > 6 }",
                "{ $.items[*].n = 5 }",
                "{ $['a.b'] = x }",
                "{ $.['a.b'] = x }",
                "{ $.ok IS TRUE }",
                "{ $.ok IS FALSE }",
                "{ $.none IS NULL }",
                "{ $.user NOT EXISTS }",
                "{ $.user EXISTS }",
                "{ $.type }",
                "{ $.type = }",
                "{ type = 1 }",
                "{ $.a = 1",
                "{ $.a = 1 } b",
                "{ $. = 1 }",
                "{ $.a[x] = 1 }",
            ],
            expect![[r#"
                { $.type = "ExecutionFailed" }: [3]
                {$.type="Execution*"}: [3, 5]
                { $.type = *Failed }: [3]
                { $.type != "ExecutionFailed" }: [4, 5]
                { $.code = 400 }: [3]
                { $.code = 4e2 }: [3]
                { $.code > 301 }: [3, 4]
                { $.code >= 301.5 && $.code < 400 }: [4]
                { $.id = 3 }: [3]
                { ($.user.id = 1 || $.code < 302) && $.type = "*ed" }: [3, 4]
                { $.user.id = 1 || $.code < 302 && $.type = "x" }: [3]
                { $.tags[1] = b }: [4]
                { $.items[*].n > 6 }: [5]
                { $.items[*].n = 5 }: []
                { $['a.b'] = x }: [5]
                { $.['a.b'] = x }: [5]
                { $.ok IS TRUE }: [3]
                { $.ok IS FALSE }: [4]
                { $.none IS NULL }: [4]
                { $.user NOT EXISTS }: [4, 5]
                { $.user EXISTS }: [3]
                { $.type }: Invalid filter pattern near '}'
                { $.type = }: Invalid filter pattern near '}'
                { type = 1 }: Invalid filter pattern near 'type = 1 }'
                { $.a = 1: Invalid filter pattern near ''
                { $.a = 1 } b: Invalid filter pattern near 'b'
                { $. = 1 }: Invalid filter pattern near ' = 1 }'
                { $.a[x] = 1 }: Invalid filter pattern near 'x'
            "#]],
        );
    }

    #[test]
    fn stars_stand_for_anything() {
        let yes = [("*", ""), ("a*", "a"), ("*a", "ba"), ("a*b*c", "a-b-b-c"), ("**", "x"), ("a*a", "aa")];
        let no = [("a*a", "a"), ("a*b*c", "acb"), ("a", "ab"), ("*b", "ba")];
        assert!(yes.iter().all(|(pattern, text)| like(pattern, text)));
        assert!(!no.iter().any(|(pattern, text)| like(pattern, text)));
    }
}
