//! A log in a file that is changed for another when it is long.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Files that are kept besides the one that is written: `agent.log.1` is the youngest.
const KEPT: usize = 5;

/// Appends to a file, and begins another when it would be longer than it may.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    bytes_max: u64,
}

impl LogFile {
    pub(crate) fn open(path: &Path, bytes_max: u64) -> io::Result<LogFile> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let bytes = file.metadata()?.len();
        Ok(LogFile { path: path.to_owned(), file, bytes, bytes_max })
    }

    fn turn(&mut self) -> io::Result<()> {
        let numbered = |number: usize| {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        for number in (1..KEPT).rev() {
            let _not_there_yet = fs::rename(numbered(number), numbered(number + 1));
        }
        fs::rename(&self.path, numbered(1))?;
        *self = LogFile::open(&self.path, self.bytes_max)?;
        Ok(())
    }
}

impl Write for LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.bytes > 0 && self.bytes.saturating_add(line.len() as u64) > self.bytes_max {
            // Better a long log than none.
            let _goes_on = self.turn();
        }
        let written = self.file.write(line)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_goes_on_in_another_file() {
        let directory = std::env::temp_dir().join(format!("log-file-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory");
        let path = directory.join("agent.log");
        for round in 0..4 {
            let mut log = LogFile::open(&path, 20).expect("a log");
            for line in 0..5 {
                writeln!(log, "line {round}.{line}").expect("a line");
            }
        }
        let read = |name: &str| fs::read_to_string(directory.join(name)).unwrap_or_default();
        assert_eq!(read("agent.log"), "line 3.3\nline 3.4\n");
        assert_eq!(read("agent.log.1"), "line 3.1\nline 3.2\n");
        assert_eq!(read("agent.log.6"), "");
        assert!(!read("agent.log.5").is_empty());
        fs::remove_dir_all(&directory).expect("remove");
    }
}
