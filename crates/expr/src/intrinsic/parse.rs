//! From text to call: `States.Name(argument, …)`.

use base::Json;

use super::{Argument, Call, functions};
use crate::limits::INTRINSIC_DEPTH_MAX;
use crate::{Path, SyntaxError};

type Parsed<T> = Result<T, SyntaxError>;

pub(super) fn call(text: &str) -> Parsed<Call> {
    let mut parser = Parser { text, at: 0 };
    parser.skip_space();
    let call = parser.call(1)?;
    parser.skip_space();
    if parser.at < text.len() {
        return parser.fail("unexpected text after the closing ')'");
    }
    Ok(call)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn call(&mut self, depth: usize) -> Parsed<Call> {
        let start = self.at;
        let name = self.take_while(|char| char.is_ascii_alphanumeric() || char == '.');
        let Some(function) = functions::find(name) else {
            return fail_at(start, format!("'{name}' is not an intrinsic function"));
        };
        if depth > INTRINSIC_DEPTH_MAX {
            return fail_at(start, format!("intrinsic functions nest at most {INTRINSIC_DEPTH_MAX} deep"));
        }
        self.skip_space();
        let arguments = self.arguments(depth)?;
        if !function.arguments.contains(&arguments.len()) {
            return fail_at(start, format!("the function '{name}' does not take {} arguments", arguments.len()));
        }
        function.check(&arguments).map_err(|message| SyntaxError { message, at: start })?;
        Ok(Call { function, arguments })
    }

    fn arguments(&mut self, depth: usize) -> Parsed<Vec<Argument>> {
        self.expect('(')?;
        let mut arguments = Vec::new();
        self.skip_space();
        if self.eat(')') {
            return Ok(arguments);
        }
        loop {
            self.skip_space();
            arguments.push(self.argument(depth)?);
            self.skip_space();
            if self.eat(')') {
                return Ok(arguments);
            }
            self.expect(',')?;
        }
    }

    fn argument(&mut self, depth: usize) -> Parsed<Argument> {
        match self.peek() {
            Some('\'') => self.quoted(),
            Some('$') => self.path(),
            Some('S') => Ok(Argument::Call(self.call(depth + 1)?)),
            Some('-' | '0'..='9' | 't' | 'f' | 'n') => self.scalar(),
            _ => self.fail("expected a path, a text in single quotes, a number, true, false, null or a function"),
        }
    }

    fn path(&mut self) -> Parsed<Argument> {
        let start = self.at;
        let text = &self.text[start..start + path_len(&self.text[start..])];
        self.at += text.len();
        match Path::parse(text.trim_end()) {
            Ok(path) => Ok(Argument::Path(path)),
            Err(error) => fail_at(start + error.at, error.message),
        }
    }

    fn scalar(&mut self) -> Parsed<Argument> {
        let start = self.at;
        let word = self.take_while(|char| char.is_ascii_alphanumeric() || matches!(char, '-' | '+' | '.'));
        match Json::parse(word) {
            Ok(value) => Ok(Argument::Value(value)),
            Err(_) => fail_at(start, format!("'{word}' is not a value")),
        }
    }

    /// A text in single quotes. Its escapes are `\'`, `\{`, `\}` and `\\`, and no others.
    fn quoted(&mut self) -> Parsed<Argument> {
        let start = self.at;
        self.expect('\'')?;
        let mut text = String::new();
        // Where in `text` a `{}` stands that was not escaped: there `States.Format` fills in.
        let mut holes = Vec::new();
        let mut open = None;
        while let Some(char) = self.next() {
            match char {
                '\'' => return Ok(quoted(text, &holes)),
                '\\' => match self.next() {
                    Some(escaped @ ('\'' | '{' | '}' | '\\')) => text.push(escaped),
                    Some(other) => {
                        return fail_at(self.at, format!("'\\{other}' is not an escape sequence"));
                    }
                    None => break,
                },
                '{' => {
                    open = Some(text.len());
                    text.push('{');
                    continue;
                }
                '}' => {
                    holes.extend(open);
                    text.push('}');
                }
                _ => text.push(char),
            }
            open = None;
        }
        fail_at(start, "a text is not closed".to_owned())
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

    fn expect(&mut self, char: char) -> Parsed<()> {
        if self.eat(char) { Ok(()) } else { self.fail(&format!("expected '{char}'")) }
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let rest = &self.text[self.at..];
        let len = rest.find(|char| !keep(char)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    fn skip_space(&mut self) {
        self.take_while(char::is_whitespace);
    }

    fn fail<T>(&self, message: &str) -> Parsed<T> {
        fail_at(self.at, message.to_owned())
    }
}

fn fail_at<T>(at: usize, message: String) -> Parsed<T> {
    Err(SyntaxError { message, at })
}

fn quoted(text: String, holes: &[usize]) -> Argument {
    if holes.is_empty() && !text.contains(['{', '}']) {
        return Argument::Value(Json::from(text));
    }
    let mut parts = Vec::with_capacity(holes.len() + 1);
    let mut from = 0;
    for hole in holes {
        parts.push(text[from..*hole].to_owned());
        from = hole + "{}".len();
    }
    parts.push(text[from..].to_owned());
    Argument::Template { value: Json::from(text), parts }
}

/// How much of `rest` is a path: up to the comma or parenthesis that is not the path's own.
fn path_len(rest: &str) -> usize {
    let mut open = 0_usize;
    let mut quote = None;
    let mut escaped = false;
    for (at, char) in rest.char_indices() {
        match (char, quote) {
            _ if escaped => escaped = false,
            ('\\', Some(_)) => escaped = true,
            (_, Some(quoting)) => quote = if char == quoting { None } else { quote },
            ('\'' | '"', None) if open > 0 => quote = Some(char),
            ('[' | '(', None) => open += 1,
            (',' | ')', None) if open == 0 => return at,
            (']' | ')', None) => open = open.saturating_sub(1),
            _ => {}
        }
    }
    rest.len()
}
