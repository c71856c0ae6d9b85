//! What of a script's output is kept, and what AWS shows of it. The markers are those of amazon-ssm-agent.

use crate::limits::{CAUSE_CHARS_MAX, PLUGIN_OUTPUT_CHARS_MAX, STDERR_CHARS_MAX, STDOUT_CHARS_MAX};
use crate::message::{Ended, Outcome};

const STDOUT_TRUNCATED: &str = "\n---Output truncated---";
const STDERR_TRUNCATED: &str = "\n---Error truncated----";
const STDERR_FOLLOWS: &str = "\n----------ERROR-------\n";

/// Cuts an outcome to what is kept of it.
pub(crate) fn bounded(mut outcome: Outcome) -> Outcome {
    outcome.stdout_truncated |= cut(&mut outcome.stdout, STDOUT_CHARS_MAX);
    outcome.stderr_truncated |= cut(&mut outcome.stderr, STDERR_CHARS_MAX);
    if let Ended::Failure(failure) = &mut outcome.ended {
        cut(&mut failure.cause, CAUSE_CHARS_MAX);
    }
    outcome
}

/// A cause, cut to what is kept of it.
pub(crate) fn cause(mut text: String) -> String {
    cut(&mut text, CAUSE_CHARS_MAX);
    text
}

/// Both outputs in one text of at most [`PLUGIN_OUTPUT_CHARS_MAX`] characters. Where both are too long, each
/// gets half of the room.
pub fn plugin_output(outcome: &Outcome) -> String {
    both(&outcome.stdout, &outcome.stderr)
}

/// The same of two texts.
pub(crate) fn both(stdout: &str, stderr: &str) -> String {
    let room = PLUGIN_OUTPUT_CHARS_MAX;
    let (stdout_chars, stderr_chars) = (stdout.chars().count(), stderr.chars().count());
    let room = if stderr_chars > 0 { room.saturating_sub(STDERR_FOLLOWS.len()) } else { room };
    let stdout_room = (room / 2).max(room.saturating_sub(stderr_chars));
    let mut text = shown(stdout, stdout_room, STDOUT_TRUNCATED);
    if stderr_chars > 0 {
        text.push_str(STDERR_FOLLOWS);
        text.push_str(&shown(stderr, room - stdout_room.min(stdout_chars), STDERR_TRUNCATED));
    }
    text
}

fn shown(text: &str, room: usize, marker: &str) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room.saturating_sub(marker.len())).chain(marker.chars()).collect()
}

/// Keeps the first `chars` characters; tells whether there were more.
fn cut(text: &mut String, chars: usize) -> bool {
    match text.char_indices().nth(chars) {
        Some((end, _)) => {
            text.truncate(end);
            true
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::FailureCode;

    fn outcome(stdout: &str, stderr: &str) -> Outcome {
        Outcome { stdout: stdout.to_owned(), stderr: stderr.to_owned(), ..Outcome::of(Ended::ExitCode(0)) }
    }

    #[test]
    fn both_outputs_share_one_room() {
        assert_eq!(plugin_output(&outcome("out", "")), "out");
        assert_eq!(plugin_output(&outcome("out", "err")), "out\n----------ERROR-------\nerr");
        let long = "é".repeat(3000);
        for (stdout, stderr) in [(&*long, ""), ("", &*long), (&*long, &*long), ("out", &*long), (&*long, "err")] {
            let text = plugin_output(&outcome(stdout, stderr));
            assert!(text.chars().count() <= PLUGIN_OUTPUT_CHARS_MAX, "{}", text.chars().count());
            assert_eq!(text.contains(STDOUT_TRUNCATED), stdout.len() > 3);
            assert_eq!(text.contains(STDERR_TRUNCATED), stderr.len() > 3);
        }
    }

    #[test]
    fn what_is_kept_ends_at_awss_limits() {
        let kept = bounded(outcome(&"é".repeat(STDOUT_CHARS_MAX), &"é".repeat(STDERR_CHARS_MAX)));
        assert_eq!((kept.stdout_truncated, kept.stderr_truncated), (false, false));
        let kept = bounded(outcome(&"é".repeat(STDOUT_CHARS_MAX + 1), &"é".repeat(STDERR_CHARS_MAX + 1)));
        assert_eq!((kept.stdout_truncated, kept.stderr_truncated), (true, true));
        assert_eq!((kept.stdout.chars().count(), kept.stderr.chars().count()), (STDOUT_CHARS_MAX, STDERR_CHARS_MAX));
        let failed = bounded(Outcome::failed(FailureCode::StartFailed, "x".repeat(CAUSE_CHARS_MAX + 1)));
        assert_eq!(failed.failure().map(|failure| failure.cause.len()), Some(CAUSE_CHARS_MAX));
    }
}
