//! `sh` and its family.

use super::{Part, Uncertain, next_char};

pub(super) fn render(parts: &[Part]) -> Result<String, Uncertain> {
    let (mut lexer, mut script) = (Lexer::new(parts), String::new());
    for (nth, part) in parts.iter().enumerate() {
        match part {
            Part::Script(text) => {
                script.push_str(text);
                lexer.read(text);
            }
            Part::Data { name, text } => {
                let fail = |place| Uncertain { name: name.clone(), place };
                let next = next_char(&parts[nth + 1..]);
                let put = lexer.place().and_then(|place| place.put(text, next, lexer.command.indexes)).map_err(fail)?;
                script.push_str(&put);
                lexer.data = Some(name.clone());
                lexer.read(&put);
            }
            Part::Variable { name, text } => {
                let fail = |place| Uncertain { name: name.clone(), place };
                let put = lexer
                    .place()
                    .and_then(|place| place.put_variable(name, text, lexer.command.indexes))
                    .map_err(fail)?;
                script.push_str(&put);
                lexer.data = Some(name.clone());
                lexer.read(&put);
            }
        }
        if let Some(fault) = lexer.fault.take() {
            return Err(fault);
        }
    }
    Ok(script)
}

/// Where a value may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Bare,
    Single,
    Double,
    /// In a here-document whose lines are expanded: variables are, data is not quoted.
    Expanded,
    /// Only what is harmless everywhere.
    Uncertain(&'static str),
    /// Only what may be part of a name or a number.
    Name(&'static str),
}

/// Words that mean something where a command begins.
const RESERVED: &[&str] = &[
    "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "in", "select", "then",
    "time", "until", "while",
];

/// Commands that read their arguments as script, here, on another host, or in a language of their own that can run
/// commands.
const EVALUATORS: &[&str] = &["awk", "eval", "gawk", "let", "mawk", "parallel", "rsh", "sed", "ssh", "trap", "watch"];

/// Commands that read one argument as script, where an option says so: `sh -c`, `perl -e`, `php -r`.
const INTERPRETERS: &[&str] = &["node", "perl", "php", "python", "python2", "python3", "ruby", "su", "zsh"];

/// Commands that evaluate the index in `name[index]`, commands in it and all, where an argument or a side of a
/// comparison is one.
const INDEXERS: &[&str] =
    &["[", "[[", "declare", "export", "local", "printf", "read", "readonly", "test", "typeset", "unset", "wait"];

const INDEXED: &str = "where an index is evaluated";

/// Whether a value has an index with something to run in it.
fn is_indexed(text: &str) -> bool {
    text.contains('[') && text.contains(['$', '`'])
}

impl Place {
    fn put(self, text: &str, next: Option<char>, indexes: bool) -> Result<String, &'static str> {
        if text.contains('\0') {
            return Err("with a NUL character");
        }
        if indexes && is_indexed(text) {
            return Err(INDEXED);
        }
        let reserved = RESERVED.contains(&text);
        match self {
            Place::Bare => {
                // `2>file` would take the 2 for itself.
                let redirects = matches!(next, Some('<' | '>')) && text.bytes().all(|byte| byte.is_ascii_digit());
                let pasted = !text.is_empty() && text.chars().all(harmless) && !reserved && !redirects;
                Ok(if pasted { text.to_owned() } else { format!("'{}'", single(text)) })
            }
            Place::Single => Ok(single(text)),
            Place::Double => Ok(double(text)),
            Place::Expanded if text.chars().all(harmless_anywhere) && !reserved => Ok(text.to_owned()),
            Place::Expanded => Err("in a here-document"),
            Place::Uncertain(_) if text.chars().all(harmless_anywhere) && !reserved => Ok(text.to_owned()),
            Place::Name(_) if text.chars().all(|char| char.is_ascii_alphanumeric() || char == '_') && !reserved => {
                Ok(text.to_owned())
            }
            Place::Uncertain(place) | Place::Name(place) => Err(place),
        }
    }

    fn put_variable(self, name: &str, text: &str, indexes: bool) -> Result<String, &'static str> {
        if indexes && is_indexed(text) {
            return Err(INDEXED);
        }
        match self {
            Place::Bare => Ok(format!("\"${{{name}}}\"")),
            Place::Single => Ok(format!("'\"${{{name}}}\"'")),
            Place::Double | Place::Expanded => Ok(format!("${{{name}}}")),
            Place::Uncertain(place) | Place::Name(place) => Err(place),
        }
    }
}

/// Means itself in a bare word.
fn harmless(char: char) -> bool {
    harmless_anywhere(char) || matches!(char, '@' | '%' | '+')
}

/// Means itself wherever it may stand.
fn harmless_anywhere(char: char) -> bool {
    char.is_ascii_alphanumeric()
        || matches!(char, '_' | '.' | '/' | ':' | '-')
        || (!char.is_ascii() && char.is_alphanumeric())
}

fn single(text: &str) -> String {
    text.replace('\'', r"'\''")
}

fn double(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for char in text.chars() {
        if matches!(char, '"' | '\\' | '$' | '`') {
            quoted.push('\\');
        }
        quoted.push(char);
    }
    quoted
}

/// What a character stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mode {
    /// The script itself.
    Root,
    /// `$(…)`, with the brackets that are open in it.
    Substitution(u32),
    /// `((…))` and `$((…))`.
    Arithmetic {
        open: u32,
        text: String,
    },
    Single,
    Double,
    /// `$'…'`
    Ansi,
    /// `${…}`, with the braces that are open.
    Brace {
        open: u32,
        quotes: Quotes,
    },
    Backtick(Quotes),
    Comment,
    /// The word after `<<`.
    HereWord(HereWord),
    HereBody {
        line: String,
        data: Option<String>,
    },
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Quotes {
    single: u32,
    double: u32,
}

impl Quotes {
    fn count(&mut self, char: char) {
        match char {
            '\'' => self.single += 1,
            '"' => self.double += 1,
            _ => {}
        }
    }

    /// Whether every reading agrees that none is open: one kind of them, in pairs.
    fn are_closed(self) -> bool {
        (self.single == 0 || self.double == 0) && self.single.is_multiple_of(2) && self.double.is_multiple_of(2)
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct HereWord {
    text: String,
    /// Tabs before each line do not count: `<<-`.
    strips: bool,
    is_quoted: bool,
    begun: bool,
    /// The quote or backslash in which the next character stands.
    within: Option<char>,
}

/// What is known of the command that is being read.
#[derive(Debug, Default)]
struct Command {
    /// Runs its arguments.
    evaluates: bool,
    indexes: bool,
    /// Names what runs an argument, with an option.
    interprets: bool,
}

impl Command {
    fn word(&mut self, word: &str) {
        let base = word.rsplit('/').next().unwrap_or(word);
        let runs = word.starts_with('-') && word.contains(['c', 'e', 'E', 'r']);
        self.evaluates |= EVALUATORS.contains(&base) || (self.interprets && runs);
        self.indexes |= INDEXERS.contains(&word);
        self.interprets |= SHELLS.contains(&base) || INTERPRETERS.contains(&base);
    }
}

struct Lexer {
    /// Outermost first; never empty.
    modes: Vec<Mode>,
    /// Not certain of anything any more.
    lost: bool,
    /// After a backslash.
    escaped: bool,
    /// After a `$` that is not quoted away.
    dollar: bool,
    /// The last characters were so many `<`.
    less: u32,
    /// The last character was a `(`.
    bracket: bool,
    /// The bare word so far, with `'` for what is quoted in it.
    word: String,
    /// In an index: `name[`.
    index: bool,
    /// The last character was one of a name.
    named: bool,
    command: Command,
    /// Here-documents that begin after this line.
    heres: Vec<HereWord>,
    /// The parameter whose value is being read.
    data: Option<String>,
    fault: Option<Uncertain>,
}

impl Lexer {
    fn new(parts: &[Part]) -> Lexer {
        Lexer {
            modes: vec![Mode::Root],
            lost: !is_shell(parts),
            escaped: false,
            dollar: false,
            less: 0,
            bracket: false,
            word: String::new(),
            index: false,
            named: false,
            command: Command::default(),
            heres: vec![],
            data: None,
            fault: None,
        }
    }

    fn read(&mut self, text: &str) {
        text.chars().for_each(|char| self.feed(char));
        self.data = None;
    }

    fn place(&self) -> Result<Place, &'static str> {
        if self.lost {
            return Ok(Place::Name("after what may be read in two ways"));
        }
        if self.escaped {
            return Ok(Place::Name("after a backslash"));
        }
        if self.dollar {
            return Ok(Place::Name("after a $"));
        }
        Ok(match &*self.modes {
            _ if self.index => Place::Name("in an index"),
            _ if self.command.evaluates => Place::Uncertain("to a command that runs its arguments"),
            [Mode::Root] if self.less == 2 => Place::Uncertain("as the end of a here-document"),
            [Mode::Root] => Place::Bare,
            [Mode::Root, Mode::Single] => Place::Single,
            [Mode::Root, Mode::Double] => Place::Double,
            [Mode::Root, Mode::HereBody { .. }] => match self.heres.first() {
                Some(here) if !here.is_quoted => Place::Expanded,
                _ => Place::Uncertain("in a here-document"),
            },
            [.., Mode::Comment] => Place::Uncertain("in a comment"),
            [.., Mode::Arithmetic { .. }] => Place::Name("in (( ))"),
            [.., Mode::Brace { .. }] => Place::Name("in ${ }"),
            [.., Mode::Ansi] => Place::Uncertain("in $' '"),
            [.., Mode::Backtick(_)] => Place::Uncertain("in ` `"),
            [.., Mode::HereWord(_)] => Place::Uncertain("as the end of a here-document"),
            _ => Place::Uncertain("in $( )"),
        })
    }

    fn feed(&mut self, char: char) {
        if self.lost {
            return;
        }
        // Wherever it stands: some commands read indexes in quoted texts too.
        self.index = (self.index || (char == '[' && self.named)) && char != ']';
        self.named = char.is_ascii_alphanumeric() || char == '_';
        let top = self.modes.last_mut().expect("the script itself is never left");
        match top {
            Mode::Root | Mode::Substitution(_) => self.bare(char),
            Mode::Single => {
                if char == '\'' {
                    self.modes.pop();
                }
                self.newline_in_word(char);
            }
            Mode::Double => self.double(char),
            Mode::Ansi => match char {
                '\'' => drop(self.modes.pop()),
                // Only some shells let a backslash quote here.
                '\\' => self.lost = true,
                _ => self.newline_in_word(char),
            },
            Mode::Arithmetic { open, text } => {
                text.push(char);
                match char {
                    '(' if text.ends_with("$(") => self.lost = true,
                    '(' => *open += 1,
                    ')' => {
                        *open -= 1;
                        // Some shells read it as commands in two brackets.
                        if *open == 0 && (text.contains("case") || text.contains("<<")) {
                            self.lost = true;
                        } else if *open == 0 {
                            self.modes.pop();
                        }
                    }
                    '\'' | '"' | '\\' | '`' | '#' | '\n' | '{' => self.lost = true,
                    _ => {}
                }
            }
            Mode::Brace { open, quotes } => {
                let dollar = std::mem::replace(&mut self.dollar, char == '$');
                quotes.count(char);
                match char {
                    '{' if dollar => *open += 1,
                    '(' if dollar => self.lost = true,
                    '}' => {
                        *open -= 1;
                        match (quotes.are_closed(), *open) {
                            (false, _) => self.lost = true,
                            (true, 0) => drop(self.modes.pop()),
                            (true, _) => {}
                        }
                    }
                    '\\' | '`' => self.lost = true,
                    _ => self.newline_in_word(char),
                }
            }
            Mode::Backtick(quotes) => {
                quotes.count(char);
                match char {
                    '`' if quotes.are_closed() => drop(self.modes.pop()),
                    '`' | '\\' | '#' | '<' => self.lost = true,
                    _ => self.newline_in_word(char),
                }
            }
            Mode::Comment => {
                if char == '\n' {
                    self.modes.pop();
                    self.bare('\n');
                }
            }
            Mode::HereWord(_) => self.here_word(char),
            Mode::HereBody { .. } => self.here_body(char),
        }
    }

    /// A here-document begins after the next newline; which one that is, where a quoted one comes first, shells read
    /// in two ways.
    fn newline_in_word(&mut self, char: char) {
        if char == '\n' && !self.heres.is_empty() {
            self.lost = true;
        }
    }

    fn double(&mut self, char: char) {
        self.newline_in_word(char);
        if std::mem::take(&mut self.escaped) {
            return;
        }
        let dollar = std::mem::take(&mut self.dollar);
        match char {
            '\\' => self.escaped = true,
            '"' => drop(self.modes.pop()),
            '`' => self.modes.push(Mode::Backtick(Quotes::default())),
            '(' if dollar => self.substitution(),
            '{' if dollar => self.modes.push(Mode::Brace { open: 1, quotes: Quotes::default() }),
            '$' => self.dollar = true,
            _ => {}
        }
    }

    fn substitution(&mut self) {
        self.modes.push(Mode::Substitution(1));
        self.word.clear();
        // So that a second one is seen.
        self.bracket = true;
    }

    fn bare(&mut self, char: char) {
        if std::mem::take(&mut self.escaped) {
            match char {
                '\n' => self.newline_in_word(char),
                _ => self.word.push('\''),
            }
            return;
        }
        let dollar = std::mem::take(&mut self.dollar);
        let less = std::mem::take(&mut self.less);
        let bracket = std::mem::take(&mut self.bracket);
        if less == 2 && char != '<' {
            self.here_begin(char);
            return;
        }
        match char {
            '\'' if dollar => self.quote(Mode::Ansi),
            '(' if dollar => self.substitution(),
            '{' if dollar => self.quote(Mode::Brace { open: 1, quotes: Quotes::default() }),
            '\\' => self.escaped = true,
            '\'' => self.quote(Mode::Single),
            '"' => self.quote(Mode::Double),
            '`' => self.quote(Mode::Backtick(Quotes::default())),
            '$' => {
                self.word.push('$');
                self.dollar = true;
            }
            '#' if self.word.is_empty() => self.comment(),
            '\n' => self.newline(),
            '(' if bracket => self.arithmetic(),
            '(' => {
                self.command_end();
                self.bracket = true;
                if let Some(Mode::Substitution(open)) = self.modes.last_mut() {
                    *open += 1;
                }
            }
            ')' => {
                self.command_end();
                self.close();
            }
            '<' => {
                self.word_end();
                self.less = less + 1;
            }
            ';' | '&' | '|' => self.command_end(),
            ' ' | '\t' | '>' => self.word_end(),
            _ => {
                self.word.push(char);
            }
        }
    }

    fn quote(&mut self, mode: Mode) {
        self.word.push('\'');
        self.modes.push(mode);
    }

    fn comment(&mut self) {
        // Old shells look for the bracket's end in comments too.
        match self.modes.last() {
            Some(Mode::Root) => self.modes.push(Mode::Comment),
            _ => self.lost = true,
        }
    }

    fn word_end(&mut self) {
        // The `)` of its patterns closes no bracket.
        if self.word == "case" && self.modes.len() > 1 {
            self.lost = true;
        }
        self.command.word(&self.word);
        self.word.clear();
        self.index = false;
    }

    fn command_end(&mut self) {
        self.word_end();
        self.command = Command::default();
    }

    fn close(&mut self) {
        if let Some(Mode::Substitution(open)) = self.modes.last_mut() {
            *open -= 1;
            if *open == 0 {
                self.modes.pop();
                // The word goes on around it.
                self.word.push('\'');
            }
        }
    }

    fn arithmetic(&mut self) {
        match self.modes.last_mut() {
            // `$((`
            Some(Mode::Substitution(1)) => drop(self.modes.pop()),
            Some(Mode::Substitution(open)) => *open -= 1,
            _ => {}
        }
        self.word.push('\'');
        self.modes.push(Mode::Arithmetic { open: 2, text: String::new() });
    }

    fn newline(&mut self) {
        self.command_end();
        match (self.heres.is_empty(), self.modes.len()) {
            (true, _) => {}
            (false, 1) => self.modes.push(Mode::HereBody { line: String::new(), data: None }),
            (false, _) => self.lost = true,
        }
    }

    /// The first character after `<<`.
    fn here_begin(&mut self, char: char) {
        if self.modes.len() > 1 {
            self.lost = true;
            return;
        }
        let word = HereWord { strips: char == '-', ..HereWord::default() };
        self.modes.push(Mode::HereWord(word));
        if char != '-' {
            self.here_word(char);
        }
    }

    fn here_word(&mut self, char: char) {
        let Some(Mode::HereWord(word)) = self.modes.last_mut() else { return };
        match (word.within, char) {
            (_, '\n') if word.within.is_some() => self.lost = true,
            (Some('\\'), _) => {
                word.text.push(char);
                word.within = None;
            }
            (Some(quote), _) if quote == char => word.within = None,
            (Some('"'), '\\' | '$' | '`') => self.lost = true,
            (Some(_), _) => word.text.push(char),
            (None, ' ' | '\t') if !word.begun => {}
            (None, '\\' | '\'' | '"') => {
                word.within = Some(char);
                word.is_quoted = true;
                word.begun = true;
            }
            (None, '$' | '`') => self.lost = true,
            (None, ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')') => self.here_word_end(char),
            (None, _) => {
                word.text.push(char);
                word.begun = true;
            }
        }
    }

    fn here_word_end(&mut self, char: char) {
        let Some(Mode::HereWord(word)) = self.modes.pop() else { return };
        if !word.begun {
            self.lost = true;
            return;
        }
        self.heres.push(word);
        self.bare(char);
    }

    fn here_body(&mut self, char: char) {
        let now = self.data.clone();
        let (Some(Mode::HereBody { line, data }), Some(here)) = (self.modes.last_mut(), self.heres.first()) else {
            return;
        };
        if now.is_some() {
            *data = now;
        }
        if char != '\n' {
            line.push(char);
            return;
        }
        let text = if here.strips { line.trim_start_matches('\t') } else { line.as_str() };
        let slashes = text.len() - text.trim_end_matches('\\').len();
        if text == here.text {
            if let Some(name) = data.take() {
                self.fault = Some(Uncertain { name, place: "as the end of a here-document" });
            }
            self.heres.remove(0);
            self.modes.pop();
            if !self.heres.is_empty() {
                self.modes.push(Mode::HereBody { line: String::new(), data: None });
            }
        } else if !here.is_quoted && slashes % 2 == 1 {
            // The next line is joined to this one before anybody looks for the end.
            self.lost = true;
        } else {
            line.clear();
            *data = None;
        }
    }
}

/// Whose quoting is the same.
const SHELLS: &[&str] = &["sh", "bash", "dash", "ash", "ksh", "mksh"];

/// Whether a script is one for a shell: what else its first line may name reads quotes in its own way.
fn is_shell(parts: &[Part]) -> bool {
    let mut line = String::new();
    for part in parts {
        match part {
            Part::Script(text) => line.push_str(text),
            // It cannot begin with `#!` by data: that would be quoted.
            Part::Data { .. } | Part::Variable { .. } if !line.starts_with("#!") => return true,
            Part::Data { .. } | Part::Variable { .. } => return line.contains('\n') && names_shell(&line),
        }
        if line.contains('\n') {
            break;
        }
    }
    !line.starts_with("#!") || names_shell(&line)
}

fn names_shell(line: &str) -> bool {
    let line = line.trim_start_matches("#!").lines().next().unwrap_or_default();
    let mut words = line.split_whitespace().map(|word| word.rsplit('/').next().unwrap_or(word));
    let named = match words.next() {
        Some("env" | "busybox") => words.next(),
        name => name,
    };
    // An interactive one gives `!` a meaning.
    named.is_some_and(|name| SHELLS.contains(&name)) && !words.any(|word| word.starts_with('-') && word.contains('i'))
}
