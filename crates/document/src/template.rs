//! Texts with references: `{{ name }}`, `{{ ssm:name }}`, `{{ global:DATE }}`.
//!
//! **Invariant:** a text is read for references once. What is put in their place is never read again.

/// A text in pieces.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Template {
    pub(crate) pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    /// A parameter of the document.
    Parameter(String),
    /// A parameter of the Parameter Store, perhaps with `:version` or `:label`.
    Store(String),
    /// What the server knows: date, region.
    Global(Global),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Global {
    Date,
    DateTime,
    Region,
}

/// Which references a text may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// A document's own text.
    Document,
    /// A value that somebody gave: only the Parameter Store is looked up in it.
    Given,
    /// A value in which everything was looked up already.
    Filled,
}

impl Template {
    pub(crate) fn parse(text: &str, from: From) -> Template {
        if from == From::Filled {
            return Template::text(text.to_owned());
        }
        let (mut pieces, mut rest, mut kept) = (vec![], text, String::new());
        while let Some(at) = rest.find("{{") {
            kept.push_str(&rest[..at]);
            rest = &rest[at..];
            match reference(rest, from) {
                Some((piece, len)) => {
                    push_text(&mut pieces, &mut kept);
                    pieces.push(piece);
                    rest = &rest[len..];
                }
                // One brace further: `{{{ name }}` has a reference at its second brace.
                None => {
                    kept.push('{');
                    rest = &rest[1..];
                }
            }
        }
        kept.push_str(rest);
        push_text(&mut pieces, &mut kept);
        Template { pieces }
    }

    pub(crate) fn text(text: String) -> Template {
        Template { pieces: vec![Piece::Text(text)] }
    }

    /// The only piece, where the text is one reference and nothing else.
    pub(crate) fn whole(&self) -> Option<&Piece> {
        match &*self.pieces {
            [Piece::Text(_)] => None,
            [piece] => Some(piece),
            _ => None,
        }
    }

    /// The text, where it has no reference.
    pub(crate) fn literal(&self) -> Option<String> {
        match &*self.pieces {
            [] => Some(String::new()),
            [Piece::Text(text)] => Some(text.clone()),
            _ => None,
        }
    }

    /// The names that it refers to.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Parameter(name) => Some(name.as_str()),
            Piece::Text(_) | Piece::Store(_) | Piece::Global(_) => None,
        })
    }

    /// What it asks the Parameter Store for.
    pub(crate) fn store(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Store(name) => Some(name.as_str()),
            Piece::Text(_) | Piece::Parameter(_) | Piece::Global(_) => None,
        })
    }
}

fn push_text(pieces: &mut Vec<Piece>, kept: &mut String) {
    if !kept.is_empty() {
        pieces.push(Piece::Text(std::mem::take(kept)));
    }
}

/// The reference that `text` begins with, and its length; none where the braces mean something else, such as
/// `{{ .Names }}` of another program.
fn reference(text: &str, from: From) -> Option<(Piece, usize)> {
    // No brace is part of a name, so that a text of many braces is read once.
    let end = 2 + text[2..].find(['{', '}'])?;
    if !text[end..].starts_with("}}") {
        return None;
    }
    let inner = text[2..end].trim_matches([' ', '\t']);
    let len = end + 2;
    if let Some(name) = inner.strip_prefix("ssm:") {
        return is_store_name(name).then(|| (Piece::Store(name.to_owned()), len));
    }
    if from == From::Given {
        return None;
    }
    if let Some(name) = inner.strip_prefix("global:") {
        let global = match name {
            "DATE" => Global::Date,
            "DATE_TIME" => Global::DateTime,
            "REGION" => Global::Region,
            _ => return None,
        };
        return Some((Piece::Global(global), len));
    }
    is_name(inner).then(|| (Piece::Parameter(inner.to_owned()), len))
}

/// What a parameter of a document may be called.
pub(crate) fn is_name(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=128).contains(&name.len()) && name.bytes().all(word) && !name.starts_with('-')
}

/// `/a/b`, `/a/b:3`, `name:label`.
fn is_store_name(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:".contains(&byte);
    (1..=2_048).contains(&name.len()) && name.bytes().all(word)
}
