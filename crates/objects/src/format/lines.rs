//! JSON Lines: a JSON value on each line. Lines with nothing but spaces are no items.

use super::{Fault, ITEM_BYTES_MAX, Out, parse, too_large};

#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// The line so far.
    line: Vec<u8>,
    /// Lines before it.
    lines: u64,
}

impl Lines {
    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut Out) -> Result<(), Fault> {
        let mut parts = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(part) = parts.next() {
            if self.line.len() + part.len() > ITEM_BYTES_MAX {
                return Err(too_large("Line", self.lines + 1));
            }
            self.line.extend_from_slice(part);
            if parts.peek().is_some() {
                self.end(out)?;
            }
        }
        Ok(())
    }

    pub(crate) fn finish(&mut self, out: &mut Out) -> Result<(), Fault> {
        self.end(out)
    }

    fn end(&mut self, out: &mut Out) -> Result<(), Fault> {
        self.lines += 1;
        let line = self.line.trim_ascii();
        if !line.is_empty() {
            out.push_back(parse(line, "Line", self.lines)?.into());
        }
        self.line.clear();
        Ok(())
    }
}
