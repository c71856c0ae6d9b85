//! From text to path: a recursive descent over Jayway's tolerant grammar.

use std::sync::Arc;

use base::Json;

use super::function::{self, Function};
use super::syntax::{Call, Filter, OPERATORS, Operand, Operator, Pattern, Query, Root, Slice, Step};
use crate::SyntaxError;
use crate::limits::{FILTER_DEPTH_MAX, PATH_STEPS_MAX, PATTERN_BYTES_MAX};

type Parsed<T> = Result<T, SyntaxError>;

pub(super) fn query(text: &str) -> Parsed<Query> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    if !text.starts_with('$') {
        return parser.fail("a path starts with '$'");
    }
    let query = parser.query()?;
    match parser.peek() {
        None => Ok(query),
        Some(char) => parser.fail(&format!("unexpected '{char}' in a path")),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// Queries, parentheses and negations that are open.
    depth: usize,
}

impl<'a> Parser<'a> {
    fn query(&mut self) -> Parsed<Query> {
        self.nested(|parser| {
            let root = parser.root()?;
            let mut query = Query { root, steps: Vec::new(), call: None, odd_name: false };
            while query.call.is_none() && parser.steps(&mut query)? {
                if query.steps.len() > PATH_STEPS_MAX {
                    return parser.fail(&format!("a path has at most {PATH_STEPS_MAX} steps"));
                }
            }
            Ok(query)
        })
    }

    fn root(&mut self) -> Parsed<Root> {
        if self.eat("@") {
            return Ok(Root::Current);
        }
        if self.eat("$$") {
            return Ok(Root::Context);
        }
        self.expect("$")?;
        let name = self.take_while(|char| char.is_alphanumeric() || char == '_');
        if name.starts_with(char::is_numeric) {
            return self.fail("a variable's name does not begin with a digit");
        }
        Ok(if name.is_empty() { Root::Document } else { Root::Variable(name.into()) })
    }

    /// Reads what comes next on the way down; false when the path is over.
    fn steps(&mut self, query: &mut Query) -> Parsed<bool> {
        if self.eat("..") {
            query.steps.push(Step::Descend);
            match self.peek() {
                Some('[') => query.steps.push(self.bracket()?),
                _ => self.name(query)?,
            }
        } else if self.eat(".") {
            match self.peek() {
                Some('[') => query.steps.push(self.bracket()?),
                _ => self.name(query)?,
            }
        } else if self.peek() == Some('[') {
            query.steps.push(self.bracket()?);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// What stands after a dot: a name, `*`, or a function.
    fn name(&mut self, query: &mut Query) -> Parsed<()> {
        let start = self.at;
        let in_filter = self.depth > 1;
        let name = self.take_while(|char| !ends_name(char, in_filter));
        if self.peek() == Some('(') {
            let call = self.call(name, start)?;
            // Jayway counts what is in the arrays that a search finds: `$..book.length()` is the number of books.
            if call.function.counts && matches!(query.steps.first(), Some(Step::Descend)) {
                query.steps.push(Step::Each);
            }
            query.call = Some(call);
            return Ok(());
        }
        match name {
            "" => return self.fail("a path must not end with a '.' or '..'"),
            "*" => query.steps.push(Step::Each),
            _ => {
                query.odd_name |= name.contains(['@', ':', '?', '*']);
                query.steps.push(Step::Name(name.into()));
            }
        }
        Ok(())
    }

    fn call(&mut self, name: &str, start: usize) -> Parsed<Call> {
        let Some(function) = function::find(name) else {
            return Err(SyntaxError { message: format!("there is no function '{name}()' in paths"), at: start });
        };
        self.expect("(")?;
        let mut arguments = Vec::new();
        self.skip_space();
        while !self.eat(")") {
            if !arguments.is_empty() {
                self.expect(",")?;
            }
            arguments.push(self.operand()?);
            self.skip_space();
        }
        self.check_arguments(function, &arguments, start)?;
        Ok(Call { function, arguments })
    }

    fn check_arguments(&self, function: &Function, arguments: &[Operand], at: usize) -> Parsed<()> {
        if function.arguments.contains(&arguments.len()) {
            return Ok(());
        }
        Err(SyntaxError {
            message: format!("the function '{}()' does not take {} arguments", function.name, arguments.len()),
            at,
        })
    }

    fn bracket(&mut self) -> Parsed<Step> {
        self.expect("[")?;
        self.skip_space();
        let step = match self.peek() {
            Some('\'' | '"') => self.names()?,
            Some('*') => {
                self.expect("*")?;
                Step::Each
            }
            Some('?') => self.filter()?,
            Some('0'..='9' | '-' | ':') => self.indexes()?,
            _ => return self.fail("after '[' comes a quoted name, an index, ':', '*' or '?('"),
        };
        self.skip_space();
        self.expect("]")?;
        Ok(step)
    }

    fn names(&mut self) -> Parsed<Step> {
        let mut names = vec![self.quoted_name()?];
        self.skip_space();
        while self.eat(",") {
            self.skip_space();
            names.push(self.quoted_name()?);
            self.skip_space();
        }
        Ok(match names.len() {
            1 => Step::Name(names.remove(0)),
            _ => Step::Names(names),
        })
    }

    /// A name in quotes. Only its own quote can be escaped: AWS takes any other backslash as it stands.
    fn quoted_name(&mut self) -> Parsed<Arc<str>> {
        let quote = match self.peek() {
            Some(quote @ ('\'' | '"')) => quote,
            _ => return self.fail("expected a quoted name"),
        };
        self.at += 1;
        let mut name = String::new();
        while let Some(char) = self.next() {
            match char {
                '\\' if self.peek() == Some(quote) => {
                    self.at += 1;
                    name.push(quote);
                }
                _ if char == quote => return Ok(name.into()),
                _ => name.push(char),
            }
        }
        self.fail("a quoted name is not closed")
    }

    fn indexes(&mut self) -> Parsed<Step> {
        let first = self.index()?;
        self.skip_space();
        if self.eat(":") {
            self.skip_space();
            let end = self.index()?;
            return match (first, end) {
                (Some(from), Some(to)) => Ok(Step::Slice(Slice::Between(from, to))),
                (Some(from), None) => Ok(Step::Slice(Slice::From(from))),
                (None, Some(to)) => Ok(Step::Slice(Slice::To(to))),
                (None, None) => self.fail("a slice has a start or an end"),
            };
        }
        let mut indexes = vec![self.some_index(first)?];
        while self.eat(",") {
            self.skip_space();
            let next = self.index()?;
            indexes.push(self.some_index(next)?);
            self.skip_space();
        }
        Ok(match indexes.as_slice() {
            [index] => Step::Index(*index),
            _ => Step::Indexes(indexes),
        })
    }

    fn index(&mut self) -> Parsed<Option<i64>> {
        let start = self.at;
        self.eat("-");
        self.take_while(|char| char.is_ascii_digit());
        match &self.text[start..self.at] {
            "" => Ok(None),
            // The sizes of Java's arrays: what does not fit there is not an index.
            digits => match digits.parse::<i32>() {
                Ok(index) => Ok(Some(index.into())),
                Err(_) => Err(SyntaxError { message: format!("'{digits}' is not an index"), at: start }),
            },
        }
    }

    fn some_index(&self, index: Option<i64>) -> Parsed<i64> {
        index.map_or_else(|| self.fail("expected an index"), Ok)
    }

    fn filter(&mut self) -> Parsed<Step> {
        self.expect("?")?;
        self.skip_space();
        self.expect("(")?;
        let filter = self.any()?;
        self.skip_space();
        self.expect(")")?;
        Ok(Step::Filter(filter))
    }

    /// `a || b`
    fn any(&mut self) -> Parsed<Filter> {
        let mut parts = vec![self.all()?];
        while self.eat_after_space("||") {
            parts.push(self.all()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::Or(parts) })
    }

    /// `a && b`
    fn all(&mut self) -> Parsed<Filter> {
        let mut parts = vec![self.condition()?];
        while self.eat_after_space("&&") {
            parts.push(self.condition()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::And(parts) })
    }

    fn condition(&mut self) -> Parsed<Filter> {
        if self.eat_after_space("!") {
            return self.nested(|parser| Ok(Filter::Not(Box::new(parser.condition()?))));
        }
        if self.eat_after_space("(") {
            return self.nested(|parser| {
                let inner = parser.any()?;
                parser.skip_space();
                parser.expect(")")?;
                Ok(inner)
            });
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Parsed<Filter> {
        if self.eat_pattern_ahead() {
            let pattern = self.pattern()?;
            self.skip_space();
            self.expect("=~")?;
            return Ok(Filter::Matches(self.operand()?, pattern));
        }
        let left = self.operand()?;
        self.skip_space();
        if self.eat("=~") {
            self.skip_space();
            return Ok(Filter::Matches(left, self.pattern()?));
        }
        match (self.operator(), left) {
            (Some(operator), left) => Ok(Filter::Compare(left, operator, self.operand()?)),
            (None, Operand::Path(query)) => Ok(Filter::Exists(query)),
            (None, Operand::Value(_)) => self.fail("expected an operator in a filter"),
        }
    }

    fn eat_pattern_ahead(&mut self) -> bool {
        self.skip_space();
        self.peek() == Some('/')
    }

    fn operator(&mut self) -> Option<Operator> {
        let rest = &self.text[self.at..];
        let (text, operator) = OPERATORS.iter().find(|(text, _)| starts_with_operator(rest, text))?;
        self.at += text.len();
        Some(*operator)
    }

    fn operand(&mut self) -> Parsed<Operand> {
        self.skip_space();
        match self.peek() {
            Some('@' | '$') => Ok(Operand::Path(self.query()?)),
            _ => Ok(Operand::Value(self.literal()?)),
        }
    }

    fn literal(&mut self) -> Parsed<Json> {
        self.skip_space();
        match self.peek() {
            Some(quote @ ('\'' | '"')) => Ok(Json::from(self.quoted_text(quote)?)),
            Some('[') => self.nested(Self::list),
            Some('{') => self.object(),
            Some(_) => self.scalar(),
            None => self.fail("the path ends inside a filter"),
        }
    }

    /// A text in a filter, with JavaScript's escapes.
    fn quoted_text(&mut self, quote: char) -> Parsed<String> {
        self.at += 1;
        let mut text = String::new();
        while let Some(char) = self.next() {
            match char {
                '\\' => match self.next() {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some('r') => text.push('\r'),
                    Some(other) => text.push(other),
                    None => break,
                },
                _ if char == quote => return Ok(text),
                _ => text.push(char),
            }
        }
        self.fail("a text is not closed")
    }

    fn list(&mut self) -> Parsed<Json> {
        self.expect("[")?;
        let mut items = Vec::new();
        self.skip_space();
        while !self.eat("]") {
            if !items.is_empty() {
                self.expect(",")?;
            }
            items.push(self.literal()?);
            self.skip_space();
        }
        Ok(Json::array(items))
    }

    fn object(&mut self) -> Parsed<Json> {
        let start = self.at;
        let rest = &self.text[start..];
        let end = object_len(rest);
        self.at += end;
        Json::parse(&rest[..end]).map_err(|error| SyntaxError { message: error.message, at: start })
    }

    fn scalar(&mut self) -> Parsed<Json> {
        let start = self.at;
        let word = self.take_while(|char| char.is_ascii_alphanumeric() || matches!(char, '-' | '+' | '.'));
        match Json::parse(word) {
            Ok(value) => Ok(value),
            Err(_) => Err(SyntaxError { message: format!("'{word}' is not a value in a filter"), at: start }),
        }
    }

    fn pattern(&mut self) -> Parsed<Pattern> {
        let start = self.at;
        self.expect("/")?;
        let mut source = String::new();
        loop {
            match self.next() {
                Some('/') => break,
                Some('\\') if self.eat("/") => source.push('/'),
                Some('\\') => {
                    source.push('\\');
                    source.extend(self.next());
                }
                Some(char) => source.push(char),
                None => return self.fail("a regular expression is not closed"),
            }
        }
        let flags = self.take_while(|char| char.is_ascii_alphabetic());
        compile(&source, flags).map_err(|message| SyntaxError { message, at: start })
    }

    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= FILTER_DEPTH_MAX {
            return self.fail(&format!("a filter nests at most {FILTER_DEPTH_MAX} deep"));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let char = self.peek()?;
        self.at += char.len_utf8();
        Some(char)
    }

    fn eat(&mut self, text: &str) -> bool {
        let eaten = self.text[self.at..].starts_with(text);
        if eaten {
            self.at += text.len();
        }
        eaten
    }

    fn eat_after_space(&mut self, text: &str) -> bool {
        self.skip_space();
        self.eat(text)
    }

    fn expect(&mut self, text: &str) -> Parsed<()> {
        if self.eat(text) { Ok(()) } else { self.fail(&format!("expected '{text}'")) }
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
        Err(SyntaxError { message: message.to_owned(), at: self.at })
    }
}

/// Names take hyphens, `@` and every letter there is; in a filter they end where an operator begins.
fn ends_name(char: char, in_filter: bool) -> bool {
    char.is_whitespace()
        || matches!(char, '.' | '[' | ']' | '(' | ')' | ',')
        || (in_filter && matches!(char, '=' | '!' | '<' | '>' | '~' | '&' | '|'))
}

/// An operator of letters ends where the letters end: `in`, not the beginning of `index`.
fn starts_with_operator(rest: &str, operator: &str) -> bool {
    let is_word = operator.starts_with(char::is_alphabetic);
    let Some(start) = rest.get(..operator.len()) else { return false };
    start.eq_ignore_ascii_case(operator) && !(is_word && rest[operator.len()..].starts_with(char::is_alphanumeric))
}

/// How much of `rest`, which begins with a brace, is up to the brace that closes it.
fn object_len(rest: &str) -> usize {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' if !in_text => depth += 1,
            b'}' if !in_text => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    rest.len()
}

fn compile(source: &str, flags: &str) -> Result<Pattern, String> {
    let mut inline = String::new();
    for flag in flags.chars() {
        match flag {
            'i' | 'm' | 's' | 'x' => inline.push(flag),
            // Unicode case and classes are not of this engine; what is left of these flags is nothing.
            'u' | 'U' | 'd' => {}
            _ => return Err(format!("there is no flag '{flag}' of regular expressions")),
        }
    }
    let flags = if inline.is_empty() { inline } else { format!("(?{inline})") };
    let pattern = format!("{flags}\\A(?:{source})\\z");
    match regex_lite::RegexBuilder::new(&pattern).size_limit(PATTERN_BYTES_MAX).build() {
        Ok(regex) => Ok(Pattern(regex)),
        Err(error) => Err(format!("'/{source}/' is not a regular expression: {error}")),
    }
}
