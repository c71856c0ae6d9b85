//! What of a script's output is kept, and what AWS shows of it. The markers are those of amazon-ssm-agent.

use crate::limits::{
    CAUSE_CHARS_MAX, INSTANCES_MAX, NAME_CHARS_MAX, PLUGIN_OUTPUT_CHARS_MAX, STDERR_CHARS_MAX, STDOUT_CHARS_MAX,
    STEPS_MAX,
};
use crate::message::{Ended, Failure, Outcome, StepEnded};

const STDOUT_TRUNCATED: &str = "\n---Output truncated---";
const STDERR_TRUNCATED: &str = "\n---Error truncated----";
const STDERR_FOLLOWS: &str = "\n----------ERROR-------\n";

/// Cuts an outcome to what is kept of it in a run of so many invocations: the more there are, the less of each. The
/// steps share one more room like it.
pub(crate) fn bounded(mut outcome: Outcome, invocations: usize) -> Outcome {
    outcome.steps.truncate(STEPS_MAX);
    let (stdout_room, stderr_room) = rooms(&outcome.stdout, &outcome.stderr, invocations);
    outcome.stdout_truncated |= cut(&mut outcome.stdout, stdout_room);
    outcome.stderr_truncated |= cut(&mut outcome.stderr, stderr_room);
    let sharing = outcome.steps.len().max(1);
    for step in &mut outcome.steps {
        let (stdout_room, stderr_room) = rooms(&step.stdout, &step.stderr, invocations);
        step.stdout_truncated |= cut(&mut step.stdout, stdout_room / sharing);
        step.stderr_truncated |= cut(&mut step.stderr, stderr_room / sharing);
        cut(&mut step.name, NAME_CHARS_MAX);
        match &mut step.ended {
            StepEnded::ExitCode(_) => (),
            StepEnded::Failure(Failure { cause, .. }) | StepEnded::Skipped(cause) => drop(cut(cause, CAUSE_CHARS_MAX)),
        }
    }
    if let Ended::Failure(failure) = &mut outcome.ended {
        cut(&mut failure.cause, CAUSE_CHARS_MAX);
    }
    outcome
}

/// How much of both outputs is kept.
fn rooms(stdout: &str, stderr: &str, invocations: usize) -> (usize, usize) {
    if invocations <= INSTANCES_MAX {
        return (STDOUT_CHARS_MAX, STDERR_CHARS_MAX);
    }
    let room = PLUGIN_OUTPUT_CHARS_MAX;
    let stderr_room = (room / 2).max(room.saturating_sub(stdout.chars().count()));
    (room - stderr_room.min(stderr.chars().count()), stderr_room)
}

/// An outcome that another attempt follows: how it ended, and not what it wrote.
pub(crate) fn without(outcome: &Outcome) -> Outcome {
    Outcome {
        started_at: outcome.started_at,
        finished_at: outcome.finished_at,
        verdict: outcome.verdict,
        ..Outcome::of(outcome.ended.clone())
    }
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
    use crate::message::{FailureCode, StepOutcome};

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
        let kept = bounded(outcome(&"é".repeat(STDOUT_CHARS_MAX), &"é".repeat(STDERR_CHARS_MAX)), 1);
        assert_eq!((kept.stdout_truncated, kept.stderr_truncated), (false, false));
        let kept = bounded(outcome(&"é".repeat(STDOUT_CHARS_MAX + 1), &"é".repeat(STDERR_CHARS_MAX + 1)), 1);
        assert_eq!((kept.stdout_truncated, kept.stderr_truncated), (true, true));
        assert_eq!((kept.stdout.chars().count(), kept.stderr.chars().count()), (STDOUT_CHARS_MAX, STDERR_CHARS_MAX));
        let failed = bounded(Outcome::failed(FailureCode::StartFailed, "x".repeat(CAUSE_CHARS_MAX + 1)), 1);
        assert_eq!(failed.failure().map(|failure| failure.cause.len()), Some(CAUSE_CHARS_MAX));
    }

    #[test]
    fn of_many_invocations_less_is_kept_and_steps_share_the_room() {
        let chars = |text: &str| text.chars().count();
        let long = "é".repeat(9_000);
        for (stdout, stderr, kept) in
            [(&*long, &*long, (1_250, 1_250)), (&*long, "", (2_500, 0)), ("out", &*long, (3, 2_497))]
        {
            let of_many = bounded(outcome(stdout, stderr), INSTANCES_MAX + 1);
            assert_eq!((chars(&of_many.stdout), chars(&of_many.stderr)), kept);
        }
        let step = StepOutcome {
            name: "a".to_owned(),
            ended: StepEnded::ExitCode(0),
            verdict: Default::default(),
            stdout: long.repeat(3),
            stderr: long.clone(),
            stdout_truncated: false,
            stderr_truncated: false,
            started_at: None,
            finished_at: None,
        };
        let steps = bounded(Outcome { steps: vec![step; STEPS_MAX + 1], ..outcome("", "") }, 1).steps;
        assert_eq!(steps.len(), STEPS_MAX);
        assert_eq!(steps.iter().map(|step| chars(&step.stdout)).sum::<usize>(), STDOUT_CHARS_MAX);
        assert!(steps.iter().all(|step| step.stdout_truncated && step.stderr_truncated));
    }
}
