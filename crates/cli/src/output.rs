//! Where words go: data to standard output, messages to standard error. Nothing else here writes to either.

use std::io::{IsTerminal, Write};

use serde::Serialize;

use crate::args::{Color, Format, Global};
use crate::fault::Fault;
use crate::lang::Lang;
use crate::table::{Fields, Look, Table};
use crate::time::Clock;
use crate::words::Say;

/// How this run of the command line speaks.
#[derive(Debug, Clone)]
pub struct Out {
    pub format: Format,
    pub look: Look,
    /// Whether a person looks at standard output.
    pub terminal: bool,
}

impl Out {
    pub fn new(global: &Global, variable: impl Fn(&str) -> Option<String>) -> Out {
        let terminal = std::io::stdout().is_terminal();
        let plain =
            variable("NO_COLOR").is_some_and(|value| !value.is_empty()) || variable("TERM").as_deref() == Some("dumb");
        let colour = match global.color.unwrap_or(Color::Auto) {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !plain,
        };
        let lang = Lang::choose(global.lang, variable);
        Out {
            format: global.output.unwrap_or(if terminal { Format::Table } else { Format::Tsv }),
            look: Look { lang, colour, headers: !global.no_headers, clock: Clock::local() },
            terminal,
        }
    }

    pub fn say(&self, say: Say<'_>) -> String {
        self.look.say(say)
    }

    /// Data, as it is.
    pub fn data(&self, text: &str) -> Result<(), Fault> {
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|_| Fault::OutputClosed)
    }

    /// What a script has written. A terminal is not told what to do by it.
    pub fn bytes(&self, bytes: &[u8]) -> Result<(), Fault> {
        let mut stdout = std::io::stdout().lock();
        let written = match self.terminal {
            true => stdout.write_all(&without_controls(bytes)),
            false => stdout.write_all(bytes),
        };
        written.and_then(|()| stdout.flush()).map_err(|_| Fault::OutputClosed)
    }

    /// What a script has written to its standard error: to ours.
    pub fn error_bytes(&self, bytes: &[u8]) {
        let mut stderr = std::io::stderr().lock();
        let _ = match stderr.is_terminal() {
            true => stderr.write_all(&without_controls(bytes)),
            false => stderr.write_all(bytes),
        };
    }

    /// A message on a line of its own.
    pub fn message(&self, text: &str) {
        // With nobody left to read it, there is nobody to tell that either.
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }

    /// A question, answered on the same line. None when nobody is there to answer.
    pub fn ask(&self, question: &str) -> Option<String> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            return None;
        }
        let mut stderr = std::io::stderr().lock();
        write!(stderr, "{question}").and_then(|()| stderr.flush()).ok()?;
        let mut answer = String::new();
        stdin.read_line(&mut answer).ok()?;
        Some(answer.trim().to_owned())
    }

    pub fn fault(&self, fault: &Fault) {
        for line in fault.lines(self.look.lang) {
            self.message(&line);
        }
    }

    /// A list. People who see none are told what to do about it.
    pub fn list<T: Serialize>(
        &self,
        items: &[T],
        table: impl FnOnce(&[T]) -> Table,
        none: Say<'_>,
    ) -> Result<(), Fault> {
        match self.format {
            Format::Table if items.is_empty() => {
                self.message(&self.say(none));
                Ok(())
            }
            Format::Table => self.data(&table(items).aligned(&self.look)),
            Format::Tsv => self.data(&table(items).tabbed(self.look.headers)),
            Format::Json => self.json(&items),
            Format::Jsonl => items.iter().try_for_each(|item| self.json_line(item)),
        }
    }

    /// One thing.
    pub fn one<T: Serialize>(&self, item: &T, fields: impl FnOnce() -> Fields) -> Result<(), Fault> {
        match self.format {
            Format::Table => self.data(&fields().aligned(&self.look)),
            Format::Tsv => self.data(&fields().tabbed()),
            Format::Json => self.json(item),
            Format::Jsonl => self.json_line(item),
        }
    }

    pub fn json<T: Serialize>(&self, item: &T) -> Result<(), Fault> {
        self.data(&(serde_json::to_string_pretty(item).expect("a wire type has a text") + "\n"))
    }

    pub fn json_line<T: Serialize>(&self, item: &T) -> Result<(), Fault> {
        self.data(&(serde_json::to_string(item).expect("a wire type has a text") + "\n"))
    }
}

/// Without what moves a terminal's cursor, changes its colours or worse.
fn without_controls(bytes: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [byte, after @ ..] = rest {
        rest = match (byte, after) {
            // The controls beyond ASCII, as UTF-8.
            (0xc2, [0x80..0xa0, behind @ ..]) => behind,
            (byte, _) if byte.is_ascii_control() && !matches!(byte, b'\n' | b'\t' | b'\r') => after,
            (byte, _) => {
                kept.push(*byte);
                after
            }
        };
    }
    kept
}
