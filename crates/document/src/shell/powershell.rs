//! PowerShell.

use super::{Part, Uncertain, next_char};

pub(super) fn render(parts: &[Part]) -> Result<String, Uncertain> {
    let (mut lexer, mut script) = (Lexer::default(), String::new());
    for (nth, part) in parts.iter().enumerate() {
        let put = match part {
            Part::Script(text) => text.clone(),
            Part::Data { name, text } => {
                let next = next_char(&parts[nth + 1..]);
                lexer.put(text, next).map_err(|place| Uncertain { name: name.clone(), place })?
            }
            Part::Variable { name, .. } => {
                let next = next_char(&parts[nth + 1..]);
                lexer.put_variable(name, next).map_err(|place| Uncertain { name: name.clone(), place })?
            }
        };
        put.chars().for_each(|char| lexer.feed(char));
        script.push_str(&put);
    }
    Ok(script)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Mode {
    #[default]
    Bare,
    Single,
    Double,
    /// `#` until the line's end.
    Comment,
    /// `<# … #>`
    Block,
    /// `@' … '@` and `@" … "@`
    Here(bool),
}

/// PowerShell takes the quotes of typesetters for its own.
fn is_single(char: char) -> bool {
    matches!(char, '\'' | '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}')
}

fn is_double(char: char) -> bool {
    matches!(char, '"' | '\u{201c}' | '\u{201d}' | '\u{201e}')
}

/// Spaces, also those of typesetters.
fn is_space(char: char) -> bool {
    char.is_whitespace()
}

#[derive(Default)]
struct Lexer {
    mode: Mode,
    lost: bool,
    escaped: bool,
    dollar: bool,
    /// The last character, where it was not escaped.
    last: Option<char>,
    /// A quote in a quoted text that may be the first of two.
    quote: bool,
    /// What a line of a here-string begins with.
    line: String,
}

impl Lexer {
    fn put(&self, text: &str, next: Option<char>) -> Result<String, &'static str> {
        if text.contains('\0') {
            return Err("with a NUL character");
        }
        let word = |char: char| char.is_ascii_alphanumeric() || char == '_';
        let harmless =
            !text.is_empty() && text.chars().all(|char| word(char) || matches!(char, '.' | '/' | ':' | '\\' | '-'));
        let harmless = harmless && !text.starts_with('-');
        if let Some(place) = self.uncertain() {
            return if text.chars().all(word) { Ok(text.to_owned()) } else { Err(place) };
        }
        match self.mode {
            Mode::Bare if harmless => Ok(text.to_owned()),
            // `a'b'` is one argument, `'a'b` is two: a value has to be a whole one.
            Mode::Bare if !self.is_alone(next) => Err("next to other characters"),
            Mode::Bare => Ok(format!("'{}'", single(text))),
            Mode::Single if self.quote => Err("after a quote"),
            Mode::Single => Ok(single(text)),
            Mode::Double if self.quote => Err("after a quote"),
            Mode::Double => Ok(double(text)),
            Mode::Comment | Mode::Block => pasted(text, "in a comment"),
            Mode::Here(_) => pasted(text, "in a here-string"),
        }
    }

    fn put_variable(&self, name: &str, next: Option<char>) -> Result<String, &'static str> {
        if let Some(place) = self.uncertain() {
            return Err(place);
        }
        match self.mode {
            Mode::Bare if self.is_alone(next) => Ok(format!("$env:{name}")),
            Mode::Double if !self.quote => Ok(format!("$($env:{name})")),
            Mode::Bare => Err("next to other characters"),
            Mode::Single | Mode::Double => Err("in a text that is not expanded"),
            Mode::Comment | Mode::Block => Err("in a comment"),
            Mode::Here(_) => Err("in a here-string"),
        }
    }

    fn uncertain(&self) -> Option<&'static str> {
        match () {
            () if self.lost => Some("after what may be read in two ways"),
            () if self.escaped => Some("after a `"),
            () if self.dollar => Some("after a $"),
            () => None,
        }
    }

    fn is_alone(&self, next: Option<char>) -> bool {
        let before = self.last.is_none_or(|char| is_space(char) || matches!(char, '=' | '(' | ',' | ';' | '{'));
        let after = next.is_none_or(|char| is_space(char) || matches!(char, ')' | ',' | ';' | '}' | '|'));
        before && after
    }

    fn feed(&mut self, char: char) {
        if self.lost {
            return;
        }
        match self.mode {
            Mode::Bare => self.bare(char),
            Mode::Single => self.single(char),
            Mode::Double => self.double(char),
            Mode::Comment => {
                if matches!(char, '\n' | '\r') {
                    self.leave(char);
                }
            }
            Mode::Block => {
                if self.last == Some('#') && char == '>' {
                    self.leave(char);
                } else {
                    self.last = Some(char);
                }
            }
            Mode::Here(expands) => self.here(char, expands),
        }
    }

    fn leave(&mut self, char: char) {
        self.mode = Mode::Bare;
        self.last = Some(char);
    }

    fn bare(&mut self, char: char) {
        if std::mem::take(&mut self.escaped) {
            self.last = Some('`');
            return;
        }
        let dollar = std::mem::take(&mut self.dollar);
        let last = self.last.replace(char);
        let begins = last.is_none_or(|last| is_space(last) || "=(,;{|&)}".contains(last));
        match char {
            '`' => self.escaped = true,
            // `${a b}` holds any character.
            '{' if dollar => self.lost = true,
            '$' => self.dollar = true,
            // What follows `--%` is read in another way.
            '%' if last == Some('-') => self.lost = true,
            '#' if last == Some('<') => self.mode = Mode::Block,
            '#' if begins => self.mode = Mode::Comment,
            // Whether a comment may begin here depends on what stands before.
            '#' if !last.is_some_and(char::is_alphanumeric) => self.lost = true,
            _ if is_single(char) && last == Some('@') => self.here_begin(false),
            _ if is_double(char) && last == Some('@') => self.here_begin(true),
            _ if is_single(char) => self.mode = Mode::Single,
            _ if is_double(char) => self.mode = Mode::Double,
            _ => {}
        }
    }

    /// A doubled quote stands for one; a single one ends the text.
    fn single(&mut self, char: char) {
        match (std::mem::take(&mut self.quote), is_single(char)) {
            (false, true) => self.quote = true,
            (true, false) => self.ended(char),
            (true, true) | (false, false) => {}
        }
        self.last = Some(char);
    }

    fn double(&mut self, char: char) {
        let quote = std::mem::take(&mut self.quote);
        if std::mem::take(&mut self.escaped) {
            return;
        }
        let dollar = std::mem::take(&mut self.dollar);
        match char {
            _ if quote && !is_double(char) => self.ended(char),
            _ if quote => {}
            _ if is_double(char) => self.quote = true,
            '`' => self.escaped = true,
            '(' | '{' if dollar => self.lost = true,
            '$' => self.dollar = true,
            _ => {}
        }
    }

    fn ended(&mut self, char: char) {
        self.mode = Mode::Bare;
        self.last = Some('\'');
        self.bare(char);
    }

    fn here_begin(&mut self, expands: bool) {
        self.mode = Mode::Here(expands);
        self.line.clear();
    }

    /// It ends with the quote and `@` at the beginning of a line.
    fn here(&mut self, char: char, expands: bool) {
        if expands && std::mem::replace(&mut self.dollar, char == '$') && matches!(char, '(' | '{') {
            self.lost = true;
            return;
        }
        match char {
            '\n' => {
                self.line.clear();
                self.line.push('\n');
            }
            '@' if self.line.chars().count() == 2 && self.line.starts_with('\n') => {
                let quote = self.line.chars().nth(1).unwrap_or_default();
                if (expands && is_double(quote)) || (!expands && is_single(quote)) {
                    self.dollar = false;
                    self.leave(char);
                }
            }
            _ if self.line.chars().count() < 3 => self.line.push(char),
            _ => {}
        }
    }
}

fn pasted(text: &str, place: &'static str) -> Result<String, &'static str> {
    let harmless = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '.' | '/' | ':' | '-' | '\\');
    if text.chars().all(harmless) { Ok(text.to_owned()) } else { Err(place) }
}

fn single(text: &str) -> String {
    text.chars().flat_map(|char| [Some(char), is_single(char).then_some(char)]).flatten().collect()
}

fn double(text: &str) -> String {
    let escape = |char: char| is_double(char) || matches!(char, '`' | '$');
    text.chars().flat_map(|char| [escape(char).then_some('`'), Some(char)]).flatten().collect()
}
