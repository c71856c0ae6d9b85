//! Data in scripts: a value is put into a line so that whoever reads the line sees that value and nothing else.
//!
//! AWS pastes. Here a value of harmless characters is pasted too; any other is quoted for the place where it stands.
//! What a place is, a small lexer tells, which reads the whole script, for its lines are one file. Where it cannot
//! tell, or where no quoting helps (a here-document, a command substitution, a comment), the value is refused.
//!
//! **It does not know** what commands do with their arguments. A few that read them as script are known by name
//! (`eval`, `sh -c`, `ssh`) and take harmless values only; what others do with theirs is what the script says.
//!
//! **Invariant:** the lexer gives up rather than guess: wherever shells might read a script in two ways, every place
//! after it is an uncertain one.

mod posix;
mod powershell;

/// What reads the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Posix,
    PowerShell,
}

/// A piece of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Script(String),
    Data {
        name: String,
        text: String,
    },
    /// A variable of the environment, and what it holds.
    Variable {
        name: String,
        text: String,
    },
}

/// A value that cannot be put where it should stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Uncertain {
    pub(crate) name: String,
    /// `in a comment`
    pub(crate) place: &'static str,
}

/// The whole script.
pub(crate) fn render(parts: &[Part], dialect: Dialect) -> Result<String, Uncertain> {
    match dialect {
        Dialect::Posix => posix::render(parts),
        Dialect::PowerShell => powershell::render(parts),
    }
}

/// The first character of what follows a part.
fn next_char(rest: &[Part]) -> Option<char> {
    rest.iter().find_map(|part| match part {
        Part::Script(text) => text.chars().next(),
        Part::Data { .. } => Some('x'),
        Part::Variable { .. } => Some('$'),
    })
}

#[cfg(test)]
mod tests;
