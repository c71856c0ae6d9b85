//! From words to a raw tree, by the precedence of operators (Pratt). [`shape`](super::shape) makes sense of it.

use std::sync::Arc;

use base::Number;

use super::error::{Details, Error, Outcome};
use super::regex::Pattern;
use super::signature::Signature;
use super::syntax::Name;
use super::token::{Lexer, Token};
use crate::limits::JSONATA_TREE_DEPTH_MAX;

/// A node as it is read.
pub(super) struct Raw {
    pub(super) kind: RawKind,
    pub(super) at: usize,
    /// `[]` stands behind it.
    pub(super) keep_array: bool,
    height: usize,
}

pub(super) enum RawKind {
    Name(Name),
    Variable(Name),
    Text(Name),
    Number(Number),
    Bool(bool),
    Null,
    Regex(Arc<Pattern>),
    Wildcard,
    Descendant,
    Parent,
    Negate(Box<Raw>),
    /// Also `.`, `[` (a predicate), `:=`, `@`, `#` and `~>`.
    Binary(&'static str, Box<Raw>, Box<Raw>),
    SortBy(Box<Raw>, Vec<(bool, Raw)>),
    GroupBy(Box<Raw>, Vec<(Raw, Raw)>),
    Array(Vec<Raw>),
    Object(Vec<(Raw, Raw)>),
    Block(Vec<Raw>),
    /// Nothing stands for a `?`: then the call is partial.
    Call(Box<Raw>, Vec<Option<Raw>>),
    Lambda(Vec<Name>, Option<Signature>, Box<Raw>),
    Condition(Box<Raw>, Box<Raw>, Option<Box<Raw>>),
    Transform(Box<Raw>, Box<Raw>, Option<Box<Raw>>),
    End,
}

pub(super) fn parse(text: &str) -> Outcome<Raw> {
    let mut lexer = Lexer::new(text);
    let (token, at) = lexer.next(false)?;
    let mut parser = Parser { lexer, token, at, depth: 0 };
    let raw = parser.expression(0)?;
    match &parser.token {
        Token::End => Ok(raw),
        other => Err(Error::of_token("S0201", &other.text()).at(parser.at)),
    }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token,
    at: usize,
    depth: usize,
}

impl Raw {
    fn new(kind: RawKind, at: usize) -> Raw {
        Raw { kind, at, keep_array: false, height: 1 }
    }

    /// A node above others.
    fn over(kind: RawKind, at: usize, height: usize) -> Outcome<Raw> {
        if height >= JSONATA_TREE_DEPTH_MAX {
            return Err(Error::plain("S0304").at(at));
        }
        Ok(Raw { kind, at, keep_array: false, height: height + 1 })
    }
}

fn tallest<'r>(raws: impl IntoIterator<Item = &'r Raw>) -> usize {
    raws.into_iter().map(|raw| raw.height).max().unwrap_or_default()
}

fn binding_power(token: &Token) -> u8 {
    match token {
        Token::Operator(operator) => match *operator {
            "[" | "(" | "@" | "#" => 80,
            "." => 75,
            "{" => 70,
            "*" | "/" | "%" => 60,
            "+" | "-" | "&" => 50,
            "=" | "!=" | "<" | "<=" | ">" | ">=" | "^" | "~>" | "in" => 40,
            "and" => 30,
            "or" => 25,
            "?" => 20,
            ":=" => 10,
            _ => 0,
        },
        Token::Name(_)
        | Token::Variable(_)
        | Token::Text(_)
        | Token::Number(_)
        | Token::Bool(_)
        | Token::Null
        | Token::Regex(_)
        | Token::End => 0,
    }
}

impl Parser<'_> {
    /// Moves on to the next token and gives the one that was.
    fn advance(&mut self, after_value: bool) -> Outcome<(Token, usize)> {
        let (token, at) = self.lexer.next(after_value)?;
        if let Token::Operator(operator @ ("!" | "~")) = token {
            return Err(Error::of_token("S0204", operator).at(at));
        }
        Ok((std::mem::replace(&mut self.token, token), std::mem::replace(&mut self.at, at)))
    }

    fn is(&self, operator: &str) -> bool {
        matches!(self.token, Token::Operator(token) if token == operator)
    }

    fn expect(&mut self, operator: &str, after_value: bool) -> Outcome<()> {
        if !self.is(operator) {
            let code = if matches!(self.token, Token::End) { "S0203" } else { "S0202" };
            let value = Some(super::error::quoted(operator));
            let details = Details { token: Some(self.token.text()), value, ..Details::default() };
            return Err(Error::with(code, details).at(self.at));
        }
        self.advance(after_value).map(|_| ())
    }

    fn expression(&mut self, power: u8) -> Outcome<Raw> {
        self.depth += 1;
        if self.depth > JSONATA_TREE_DEPTH_MAX {
            return Err(Error::plain("S0304").at(self.at));
        }
        let (token, at) = self.advance(true)?;
        let mut left = self.prefix(token, at)?;
        while power < binding_power(&self.token) {
            let (token, at) = self.advance(false)?;
            let Token::Operator(operator) = token else { break };
            left = self.infix(operator, left, at)?;
        }
        self.depth -= 1;
        Ok(left)
    }

    fn prefix(&mut self, token: Token, at: usize) -> Outcome<Raw> {
        let kind = match token {
            Token::Name(name) => RawKind::Name(name),
            Token::Variable(name) => RawKind::Variable(name),
            Token::Text(text) => RawKind::Text(text),
            Token::Number(number) => RawKind::Number(number),
            Token::Bool(truth) => RawKind::Bool(truth),
            Token::Null => RawKind::Null,
            Token::Regex(pattern) => RawKind::Regex(pattern),
            Token::End => RawKind::End,
            Token::Operator(name @ ("and" | "or" | "in")) => RawKind::Name(name.into()),
            Token::Operator("*") => RawKind::Wildcard,
            Token::Operator("**") => RawKind::Descendant,
            Token::Operator("%") => RawKind::Parent,
            Token::Operator("-") => {
                let operand = self.expression(70)?;
                let height = operand.height;
                return Raw::over(RawKind::Negate(Box::new(operand)), at, height);
            }
            Token::Operator("(") => return self.block(at),
            Token::Operator("[") => return self.array(at),
            Token::Operator("{") => {
                let (pairs, height) = self.pairs()?;
                return Raw::over(RawKind::Object(pairs), at, height);
            }
            Token::Operator("|") => return self.transform(at),
            Token::Operator(other) => return Err(Error::of_token("S0211", other).at(at)),
        };
        Ok(Raw::new(kind, at))
    }

    fn infix(&mut self, operator: &'static str, left: Raw, at: usize) -> Outcome<Raw> {
        match operator {
            "(" => self.call(left, at),
            "[" => self.predicate(left, at),
            "^" => self.sort(left, at),
            "{" => {
                let (pairs, height) = self.pairs()?;
                let height = height.max(left.height);
                Raw::over(RawKind::GroupBy(Box::new(left), pairs), at, height)
            }
            "?" => self.condition(left, at),
            ":=" => {
                if !matches!(left.kind, RawKind::Variable(_)) {
                    return Err(Error::of_token("S0212", &name_of(&left)).at(left.at));
                }
                let right = self.expression(9)?;
                binary(operator, left, right, at)
            }
            "@" | "#" => {
                let right = self.expression(80)?;
                if !matches!(right.kind, RawKind::Variable(_)) {
                    return Err(Error::of_token("S0214", operator).at(right.at));
                }
                binary(operator, left, right, at)
            }
            _ => {
                let right = self.expression(binding_power(&Token::Operator(operator)))?;
                binary(operator, left, right, at)
            }
        }
    }

    fn block(&mut self, at: usize) -> Outcome<Raw> {
        let mut parts = Vec::new();
        while !self.is(")") {
            parts.push(self.expression(0)?);
            if !self.is(";") {
                break;
            }
            self.expect(";", false)?;
        }
        self.expect(")", true)?;
        let height = tallest(&parts);
        Raw::over(RawKind::Block(parts), at, height)
    }

    fn array(&mut self, at: usize) -> Outcome<Raw> {
        let mut items = Vec::new();
        if !self.is("]") {
            loop {
                let mut item = self.expression(0)?;
                if self.is("..") {
                    let at = self.at;
                    self.expect("..", false)?;
                    let end = self.expression(0)?;
                    item = binary("..", item, end, at)?;
                }
                items.push(item);
                if !self.is(",") {
                    break;
                }
                self.expect(",", false)?;
            }
        }
        self.expect("]", true)?;
        let height = tallest(&items);
        Raw::over(RawKind::Array(items), at, height)
    }

    fn pairs(&mut self) -> Outcome<(Vec<(Raw, Raw)>, usize)> {
        let mut pairs = Vec::new();
        if !self.is("}") {
            loop {
                let key = self.expression(0)?;
                self.expect(":", false)?;
                pairs.push((key, self.expression(0)?));
                if !self.is(",") {
                    break;
                }
                self.expect(",", false)?;
            }
        }
        self.expect("}", true)?;
        let height = tallest(pairs.iter().flat_map(|(key, value)| [key, value]));
        Ok((pairs, height))
    }

    fn transform(&mut self, at: usize) -> Outcome<Raw> {
        let pattern = self.expression(0)?;
        self.expect("|", false)?;
        let update = self.expression(0)?;
        let mut delete = None;
        if self.is(",") {
            self.expect(",", false)?;
            delete = Some(self.expression(0)?);
        }
        self.expect("|", false)?;
        let height = tallest([&pattern, &update].into_iter().chain(&delete));
        Raw::over(RawKind::Transform(Box::new(pattern), Box::new(update), delete.map(Box::new)), at, height)
    }

    fn call(&mut self, procedure: Raw, at: usize) -> Outcome<Raw> {
        let mut arguments = Vec::new();
        if !self.is(")") {
            loop {
                if self.is("?") {
                    self.expect("?", false)?;
                    arguments.push(None);
                } else {
                    arguments.push(Some(self.expression(0)?));
                }
                if !self.is(",") {
                    break;
                }
                self.expect(",", false)?;
            }
        }
        self.expect(")", true)?;
        if matches!(&procedure.kind, RawKind::Name(name) if matches!(&**name, "function" | "λ")) {
            return self.lambda(arguments, at);
        }
        let height = tallest(arguments.iter().flatten().chain([&procedure]));
        Raw::over(RawKind::Call(Box::new(procedure), arguments), at, height)
    }

    fn lambda(&mut self, arguments: Vec<Option<Raw>>, at: usize) -> Outcome<Raw> {
        let mut parameters = Vec::new();
        for (index, argument) in arguments.into_iter().enumerate() {
            match argument.map(|raw| (raw.kind, raw.at)) {
                Some((RawKind::Variable(name), _)) => parameters.push(name),
                other => {
                    let at = other.map_or(at, |(_, at)| at);
                    return Err(Error::of_value("S0208", (index + 1).to_string()).at(at));
                }
            }
        }
        let signature = if self.is("<") { Some(self.signature()?) } else { None };
        self.expect("{", false)?;
        let body = self.expression(0)?;
        self.expect("}", false)?;
        let height = body.height;
        Raw::over(RawKind::Lambda(parameters, signature, Box::new(body)), at, height)
    }

    fn signature(&mut self) -> Outcome<Signature> {
        let at = self.at;
        let mut text = "<".to_owned();
        let mut depth = 1;
        while depth > 0 && !self.is("{") && !matches!(self.token, Token::End) {
            self.advance(false)?;
            match self.token {
                Token::Operator(">") => depth -= 1,
                Token::Operator("<") => depth += 1,
                _ => {}
            }
            text.push_str(&self.token.text());
        }
        self.expect(">", false)?;
        Signature::parse(&text).map_err(|error| error.at(at))
    }

    fn predicate(&mut self, mut left: Raw, at: usize) -> Outcome<Raw> {
        if self.is("]") {
            let mut step = &mut left;
            while let RawKind::Binary("[", inner, _) = &mut step.kind {
                step = inner;
            }
            step.keep_array = true;
            self.expect("]", false)?;
            return Ok(left);
        }
        let filter = self.expression(0)?;
        self.expect("]", true)?;
        binary("[", left, filter, at)
    }

    fn sort(&mut self, left: Raw, at: usize) -> Outcome<Raw> {
        self.expect("(", false)?;
        let mut terms = Vec::new();
        loop {
            let descending = self.is(">");
            if descending || self.is("<") {
                self.advance(false)?;
            }
            terms.push((descending, self.expression(0)?));
            if !self.is(",") {
                break;
            }
            self.expect(",", false)?;
        }
        self.expect(")", false)?;
        let height = tallest(terms.iter().map(|(_, key)| key).chain([&left]));
        Raw::over(RawKind::SortBy(Box::new(left), terms), at, height)
    }

    fn condition(&mut self, left: Raw, at: usize) -> Outcome<Raw> {
        // Later versions of the language know `a ?? b` and `a ?: b`; the one that AWS speaks does not.
        for (sign, operator) in [("?", "??"), (":", "?:")] {
            if self.is(sign) {
                return Err(Error::of_token("S0204", operator).at(at));
            }
        }
        let then = self.expression(0)?;
        let mut otherwise = None;
        if self.is(":") {
            self.expect(":", false)?;
            otherwise = Some(self.expression(0)?);
        }
        let height = tallest([&left, &then].into_iter().chain(&otherwise));
        Raw::over(RawKind::Condition(Box::new(left), Box::new(then), otherwise.map(Box::new)), at, height)
    }
}

fn binary(operator: &'static str, left: Raw, right: Raw, at: usize) -> Outcome<Raw> {
    let height = tallest([&left, &right]);
    Raw::over(RawKind::Binary(operator, Box::new(left), Box::new(right)), at, height)
}

fn name_of(raw: &Raw) -> String {
    match &raw.kind {
        RawKind::Name(text) | RawKind::Variable(text) | RawKind::Text(text) => text.to_string(),
        RawKind::Number(number) => number.to_string(),
        _ => String::new(),
    }
}
