//! The words of an expression.

use std::sync::Arc;

use base::Number;

use super::error::{Error, Outcome};
use super::regex::Pattern;

#[derive(Debug, Clone)]
pub(super) enum Token {
    Operator(&'static str),
    Name(Arc<str>),
    Variable(Arc<str>),
    Text(Arc<str>),
    Number(Number),
    Bool(bool),
    Null,
    Regex(Arc<Pattern>),
    End,
}

impl Token {
    /// How a message names it.
    pub(super) fn text(&self) -> String {
        match self {
            Token::Operator(text) => (*text).to_owned(),
            Token::Name(text) | Token::Variable(text) | Token::Text(text) => text.to_string(),
            Token::Number(number) => number.to_string(),
            Token::Bool(truth) => truth.to_string(),
            Token::Null => "null".to_owned(),
            Token::Regex(pattern) => pattern.source().to_owned(),
            Token::End => "(end)".to_owned(),
        }
    }
}

/// The longer ones first.
const OPERATORS: [&str; 36] = [
    "..", ":=", "!=", ">=", "<=", "**", "~>", ".", "[", "]", "{", "}", "(", ")", ",", "@", "#", ";", ":", "?", "+",
    "-", "*", "/", "%", "|", "=", "<", ">", "^", "&", "!", "~", "and", "or", "in",
];

/// Those that are made of signs; the rest are words.
const SIGNS: &[&str] = OPERATORS.as_slice().split_at(33).0;

const SPACE: [char; 5] = [' ', '\t', '\n', '\r', '\u{b}'];

pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Lexer<'a> {
        Lexer { text, at: 0 }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// The next token with its place. After a value a `/` divides, elsewhere it opens a regular expression.
    pub(super) fn next(&mut self, after_value: bool) -> Outcome<(Token, usize)> {
        self.skip()?;
        let at = self.at;
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok((Token::End, at)) };
        if first == '/' && !after_value {
            self.at += 1;
            return Ok((Token::Regex(self.regex()?), at));
        }
        if let Some(operator) = SIGNS.iter().find(|operator| rest.starts_with(**operator)) {
            self.at += operator.len();
            return Ok((Token::Operator(operator), at));
        }
        let token = match first {
            '"' | '\'' => self.quoted(first)?,
            '0'..='9' => self.number()?,
            '`' => self.backquoted()?,
            _ => self.word(),
        };
        Ok((token, at))
    }

    fn skip(&mut self) -> Outcome<()> {
        loop {
            self.at = self.text.len() - self.rest().trim_start_matches(SPACE).len();
            if !self.rest().starts_with("/*") {
                return Ok(());
            }
            match self.rest()[2..].find("*/") {
                Some(end) => self.at += 2 + end + 2,
                None => return Err(Error::plain("S0106").at(self.at)),
            }
        }
    }

    fn regex(&mut self) -> Outcome<Arc<Pattern>> {
        let start = self.at;
        let mut depth = 0i32;
        let mut escaped = false;
        for (offset, sign) in self.rest().char_indices() {
            match sign {
                '/' if depth == 0 && !escaped => {
                    let source = &self.text[start..start + offset];
                    let flags = &self.text[start + offset + 1..];
                    let flags = &flags[..flags.len() - flags.trim_start_matches(['i', 'm']).len()];
                    self.at = start + offset + 1 + flags.len();
                    return Pattern::parse(source, flags).map(Arc::new).map_err(|error| error.at(start));
                }
                '(' | '[' | '{' if !escaped => depth += 1,
                ')' | ']' | '}' if !escaped => depth -= 1,
                _ => {}
            }
            escaped = sign == '\\' && !escaped;
        }
        Err(Error::plain("S0302").at(self.text.len()))
    }

    fn quoted(&mut self, quote: char) -> Outcome<Token> {
        let mut text = String::new();
        let mut signs = self.rest().char_indices().skip(1);
        while let Some((offset, sign)) = signs.next() {
            let here = self.at + offset;
            match sign {
                '\\' => match signs.next() {
                    Some((_, 'u')) => {
                        let (unit, len) =
                            escaped_unit(&self.text[here..]).ok_or_else(|| Error::plain("S0104").at(here + 1))?;
                        text.push(unit);
                        for _ in 2..len {
                            signs.next();
                        }
                    }
                    Some((_, sign)) => text
                        .push(unescape(sign).ok_or_else(|| Error::of_token("S0103", &sign.to_string()).at(here + 1))?),
                    None => break,
                },
                sign if sign == quote => {
                    self.at = here + sign.len_utf8();
                    return Ok(Token::Text(text.into()));
                }
                sign => text.push(sign),
            }
        }
        Err(Error::plain("S0101").at(self.text.len()))
    }

    fn number(&mut self) -> Outcome<Token> {
        let text = &self.rest()[..number_len(self.rest())];
        let at = self.at;
        self.at += text.len();
        let whole = text.parse::<i64>().ok().map(Number::from);
        let number = whole.or_else(|| super::value::number_of(text.parse().ok()?));
        number.map(Token::Number).ok_or_else(|| Error::of_token("S0102", text).at(at))
    }

    fn backquoted(&mut self) -> Outcome<Token> {
        let rest = &self.rest()[1..];
        let Some(len) = rest.find('`') else { return Err(Error::plain("S0105").at(self.text.len())) };
        self.at += len + 2;
        Ok(Token::Name(rest[..len].into()))
    }

    fn word(&mut self) -> Token {
        let rest = self.rest();
        let ends = |sign: char| {
            SPACE.contains(&sign) || SIGNS.iter().any(|operator| operator.len() == 1 && operator.starts_with(sign))
        };
        let word = &rest[..rest.find(ends).unwrap_or(rest.len())];
        self.at += word.len();
        match word {
            "and" => Token::Operator("and"),
            "or" => Token::Operator("or"),
            "in" => Token::Operator("in"),
            "true" => Token::Bool(true),
            "false" => Token::Bool(false),
            "null" => Token::Null,
            _ => match word.strip_prefix('$') {
                Some(name) => Token::Variable(name.into()),
                None => Token::Name(word.into()),
            },
        }
    }
}

fn unescape(sign: char) -> Option<char> {
    Some(match sign {
        '"' | '\\' | '/' => sign,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        _ => return None,
    })
}

/// The sign that `\uXXXX`, or two of them, stands for, and the escape's length. Half of a pair alone has no place in
/// UTF-8 and becomes U+FFFD.
fn escaped_unit(text: &str) -> Option<(char, usize)> {
    let unit = |text: &str| {
        let digits = text.strip_prefix("\\u")?.get(..4)?;
        digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
    };
    let first = unit(text)?;
    match char::decode_utf16([first]).next()? {
        Ok(sign) => Some((sign, 6)),
        Err(_) => {
            let pair = unit(&text[6..]).and_then(|second| char::decode_utf16([first, second]).next()?.ok());
            Some(pair.map_or((char::REPLACEMENT_CHARACTER, 6), |sign| (sign, 12)))
        }
    }
}

/// `(0|[1-9][0-9]*)(\.[0-9]+)?([Ee][-+]?[0-9]+)?`
fn number_len(text: &str) -> usize {
    let digits = |text: &str| text.len() - text.trim_start_matches(|sign: char| sign.is_ascii_digit()).len();
    let mut len = if text.starts_with('0') { 1 } else { digits(text) };
    if let Some(fraction) = text[len..].strip_prefix('.') {
        len += match digits(fraction) {
            0 => 0,
            some => 1 + some,
        };
    }
    if let Some(exponent) = text[len..].strip_prefix(['e', 'E']) {
        let sign = usize::from(exponent.starts_with(['+', '-']));
        len += match digits(&exponent[sign..]) {
            0 => 0,
            some => 1 + sign + some,
        };
    }
    len
}
