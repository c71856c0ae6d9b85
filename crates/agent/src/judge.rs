//! How a job is judged: by its exit code, by files, by what it wrote. The worst verdict counts.
//!
//! As JP1's judgements of a job: an exit code in a range (`jd`, `wth`, `tho`), a file that must be there or must have
//! been modified, a pattern in the output.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use api::agent::{Ended, Failure, StepEnded, failure};
use document::{Judgement, JudgementRule, Stream, Verdict};
use regex_lite::Regex;

use crate::steps::Judged;

/// Bytes of a line that are looked at; what follows is looked at as another line.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// Patterns of one stream, and the worst verdict that they have come to.
#[derive(Debug)]
pub(crate) struct Lines {
    patterns: Vec<(Regex, Verdict)>,
    line: Vec<u8>,
    worst: Verdict,
}

impl Lines {
    /// The patterns that look at `stream`: none where there are none. A pattern that cannot be read is the error.
    pub(crate) fn of(judgement: &Judgement, stream: Stream) -> Result<Option<Lines>, String> {
        let mut patterns = vec![];
        for rule in &judgement.rules {
            match rule {
                JudgementRule::Output { stream: of, pattern, verdict } if *of == stream => {
                    let regex = Regex::new(pattern).map_err(|error| format!("pattern {pattern:?}: {error}"))?;
                    patterns.push((regex, *verdict));
                }
                JudgementRule::Output { .. }
                | JudgementRule::FileMissing { .. }
                | JudgementRule::FileNotModified { .. } => (),
            }
        }
        Ok((!patterns.is_empty()).then_some(Lines { patterns, line: vec![], worst: Verdict::Normal }))
    }

    /// Looks at what comes, wherever it is cut.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.patterns.is_empty() {
            let room = LINE_BYTES_MAX - self.line.len();
            let end = bytes.iter().take(room).position(|byte| *byte == b'\n');
            let (part, rest) = bytes.split_at(end.unwrap_or(room.min(bytes.len())));
            self.line.extend_from_slice(part);
            bytes = if end.is_some() { &rest[1..] } else { rest };
            if end.is_some() || self.line.len() >= LINE_BYTES_MAX {
                self.look();
            }
        }
    }

    /// The worst that was found. The last line need not end.
    pub(crate) fn worst(mut self) -> Verdict {
        if !self.line.is_empty() {
            self.look();
        }
        self.worst
    }

    fn look(&mut self) {
        let text = String::from_utf8_lossy(&self.line);
        let text = text.strip_suffix('\r').unwrap_or(&text);
        let mut worst = self.worst;
        for (regex, verdict) in &self.patterns {
            if *verdict > worst && regex.is_match(text) {
                worst = *verdict;
            }
        }
        self.worst = worst;
        // What cannot make it worse is not looked for any more.
        self.patterns.retain(|(_, verdict)| *verdict > worst);
        self.line.clear();
    }
}

/// What the files of a judgement were before the job ran, in the order of its rules.
#[derive(Debug)]
pub(crate) struct Before(Vec<Option<File>>);

/// What tells a file from what it was: when it was changed, which file it is, and its length.
type File = (i64, i64, u64, u64);

impl Before {
    pub(crate) fn of(judgement: &Judgement, base: &Path) -> Before {
        Before(judgement.rules.iter().map(|rule| file(rule, base)).collect())
    }
}

fn file(rule: &JudgementRule, base: &Path) -> Option<File> {
    match rule {
        JudgementRule::FileNotModified { path, .. } | JudgementRule::FileMissing { path, .. } => {
            let file = fs::metadata(base.join(path)).ok()?;
            Some((file.mtime(), file.mtime_nsec(), file.ino(), file.len()))
        }
        JudgementRule::Output { .. } => None,
    }
}

/// What a job that ran to its end comes to. `written` is the worst that its output came to.
pub(crate) fn judge(judgement: &Judgement, ended: Ended, written: Verdict, before: &Before, base: &Path) -> Judged {
    let code = match ended {
        Ended::ExitCode(code) => code,
        Ended::Failure(failure) => return Judged::failed(failure),
    };
    let of_code = judgement.of_code(code);
    let found = judgement.rules.iter().zip(&before.0).filter_map(|(rule, before)| broken(rule, *before, base));
    let worst = found.max_by_key(|(verdict, _)| *verdict);
    let (of_files, why) = worst.unwrap_or((Verdict::Normal, String::new()));
    let verdict = of_code.max(of_files).max(written);
    // The code alone tells it, or it takes words.
    if verdict != Verdict::Abnormal || of_code == Verdict::Abnormal {
        return Judged { ended: StepEnded::ExitCode(code), verdict };
    }
    let message = if of_files == Verdict::Abnormal { why } else { "its output was judged abnormal".to_owned() };
    let message = format!("job exited with {code}, and {message}");
    Judged::failed(Failure { code: failure::ABNORMAL.to_owned(), message, exit_code: Some(code) })
}

/// The verdict of a rule about a file that is not as it should be, and why.
fn broken(rule: &JudgementRule, before: Option<File>, base: &Path) -> Option<(Verdict, String)> {
    let now = file(rule, base);
    match rule {
        JudgementRule::FileMissing { path, verdict } => {
            now.is_none().then(|| (*verdict, format!("there is no file {path}")))
        }
        JudgementRule::FileNotModified { path, verdict } => {
            (now.is_none() || now == before).then(|| (*verdict, format!("file {path} was not modified")))
        }
        JudgementRule::Output { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(pattern: &str, verdict: Verdict) -> JudgementRule {
        JudgementRule::Output { stream: Stream::Stdout, pattern: pattern.to_owned(), verdict }
    }

    fn verdict(rules: Vec<JudgementRule>, text: &[u8], piece: usize) -> Verdict {
        let judgement = Judgement { rules, ..Judgement::default() };
        let mut lines = Lines::of(&judgement, Stream::Stdout).expect("patterns").expect("some");
        text.chunks(piece).for_each(|piece| lines.take(piece));
        lines.worst()
    }

    #[test]
    fn lines_are_looked_at_wherever_they_are_cut() {
        let rules = || vec![output("^WARN", Verdict::Warning), output("ERROR [0-9]+$", Verdict::Abnormal)];
        for piece in [1, 2, 3, 7, 100] {
            assert_eq!(verdict(rules(), b"all is well\r\n", piece), Verdict::Normal);
            assert_eq!(verdict(rules(), b"x\nWARN y\nz", piece), Verdict::Warning);
            assert_eq!(verdict(rules(), b"WARN\n\xff ERROR 12\r\nno", piece), Verdict::Abnormal);
            assert_eq!(verdict(rules(), b"no\nERROR 12", piece), Verdict::Abnormal);
        }
    }

    #[test]
    fn a_line_without_an_end_takes_no_more_than_its_room() {
        let text = [vec![b'x'; 3 * LINE_BYTES_MAX], b"ERROR".to_vec()].concat();
        assert_eq!(verdict(vec![output("ERROR", Verdict::Abnormal)], &text, 1_000), Verdict::Abnormal);
    }

    #[test]
    fn a_pattern_that_cannot_be_read_is_said() {
        let judgement = Judgement { rules: vec![output("(", Verdict::Warning)], ..Judgement::default() };
        assert!(Lines::of(&judgement, Stream::Stdout).expect_err("a bad pattern").starts_with("pattern \"(\""));
        assert!(Lines::of(&judgement, Stream::Stderr).expect("no pattern").is_none());
    }
}
