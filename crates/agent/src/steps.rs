//! What follows from each step of a plan: which one runs next, and what the whole has come to.
//!
//! As amazon-ssm-agent: the next step runs whatever became of the one before, unless `onFailure` or `onSuccess` end the
//! document; `finallyStep` runs even then; the whole is as bad as its worst step. Exit code 194 is a code like others:
//! where AWS's agent restarts the host and runs the step again, ours would begin something twice.

use api::agent::{Ended, Failure, StepEnded, failure};
use document::{NextStep, Platform, Step, Verdict};

/// What is to be done about a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Turn {
    Run,
    /// It is not run, and that is well.
    Skip(String),
    /// It is not run, because the attempt was cancelled.
    Cancelled,
}

/// How a step went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Judged {
    pub(crate) ended: StepEnded,
    pub(crate) verdict: Verdict,
}

/// What has become of a plan so far.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    /// The step that ended the document.
    left_by: Option<String>,
    cancelled: bool,
    worst: Option<(Rank, String, Judged)>,
    steps: usize,
}

/// Worse is greater. As AWS's agent ranks the results of a document's plugins, and a cancellation is what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Normal,
    Warning,
    TimedOut,
    Failed,
    Indeterminate,
    Cancelled,
}

impl Judged {
    /// As a script is judged: only 0 is normal.
    pub(crate) fn plain(ended: Ended) -> Judged {
        match ended {
            Ended::ExitCode(0) => Judged { ended: StepEnded::ExitCode(0), verdict: Verdict::Normal },
            Ended::ExitCode(code) => Judged { ended: StepEnded::ExitCode(code), verdict: Verdict::Abnormal },
            Ended::Failure(failure) => Judged::failed(failure),
        }
    }

    pub(crate) fn failed(failure: Failure) -> Judged {
        Judged { ended: StepEnded::Failure(failure), verdict: Verdict::Abnormal }
    }

    fn rank(&self) -> Rank {
        match (&self.ended, self.verdict) {
            (StepEnded::Failure(why), _) => match why.code.as_str() {
                failure::CANCELLED => Rank::Cancelled,
                failure::INDETERMINATE => Rank::Indeterminate,
                failure::TIMED_OUT => Rank::TimedOut,
                _ => Rank::Failed,
            },
            (_, Verdict::Abnormal) => Rank::Failed,
            (_, Verdict::Warning) => Rank::Warning,
            (_, Verdict::Normal) => Rank::Normal,
        }
    }
}

impl Flow {
    /// What is to be done about the next step.
    pub(crate) fn turn(&self, step: &Step, here: Platform) -> Turn {
        match &self.left_by {
            _ if self.cancelled => Turn::Cancelled,
            Some(by) if !step.finally => {
                Turn::Skip(format!("Step execution skipped: step {by} ended the document. Step name: {}", step.name))
            }
            _ if step.never => {
                Turn::Skip(format!("Step execution skipped due to unsatisfied preconditions. Step name: {}", step.name))
            }
            _ if step.platform.is_some_and(|platform| platform != here) => {
                Turn::Skip(format!("Step execution skipped due to incompatible platform. Step name: {}", step.name))
            }
            _ => Turn::Run,
        }
    }

    /// Takes in how a step went.
    pub(crate) fn ended(&mut self, step: &Step, judged: &Judged) {
        self.steps += 1;
        let rank = judged.rank();
        let skipped = matches!(judged.ended, StepEnded::Skipped(_));
        let next = if rank <= Rank::Warning { step.on_success } else { step.on_failure };
        if rank == Rank::Cancelled {
            self.cancelled = true;
        }
        if !skipped && next != NextStep::Next && self.left_by.is_none() {
            self.left_by = Some(step.name.clone());
        }
        let forgiven = next == NextStep::SuccessAndExit && rank < Rank::Indeterminate;
        let worse = self.worst.as_ref().is_none_or(|(worst, _, _)| rank > *worst);
        if worse && !forgiven && !skipped {
            self.worst = Some((rank, step.name.clone(), judged.clone()));
        }
    }

    /// What the whole has come to.
    pub(crate) fn whole(self) -> (Ended, Verdict) {
        match self.worst {
            None => (Ended::ExitCode(0), Verdict::Normal),
            Some((_, name, Judged { ended, verdict })) => match ended {
                StepEnded::ExitCode(code) => (Ended::ExitCode(code), verdict),
                StepEnded::Skipped(_) => (Ended::ExitCode(0), verdict),
                StepEnded::Failure(failure) if self.steps > 1 => {
                    let message = format!("step {name}: {}", failure.message);
                    (Ended::Failure(Failure { message, ..failure }), verdict)
                }
                StepEnded::Failure(failure) => (Ended::Failure(failure), verdict),
            },
        }
    }
}

/// Where we are, as preconditions name it.
pub(crate) fn platform_here() -> Platform {
    if cfg!(target_os = "macos") {
        Platform::MacOS
    } else if cfg!(windows) {
        Platform::Windows
    } else {
        Platform::Linux
    }
}

pub(crate) fn because(code: &str, message: impl Into<String>) -> Failure {
    Failure { code: code.to_owned(), message: message.into(), exit_code: None }
}

#[cfg(test)]
mod tests {
    use document::{Action, Script};
    use expect_test::{Expect, expect};

    use super::*;

    /// Each line is a step: its name, what is said of it, and `= CODE` or `= FAILURE` if it is run.
    #[track_caller]
    fn check(plan: &str, expect: Expect) {
        let (mut flow, mut out) = (Flow::default(), String::new());
        for line in plan.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (step, result) = line.split_once('=').expect("a result");
            let step = read_step(step);
            match flow.turn(&step, Platform::Linux) {
                Turn::Run => {
                    let judged = match result.trim().parse() {
                        Ok(code) => Judged::plain(Ended::ExitCode(code)),
                        Err(_) if result.trim() == "warning" => {
                            Judged { ended: StepEnded::ExitCode(4), verdict: Verdict::Warning }
                        }
                        Err(_) => Judged::failed(because(result.trim(), "why")),
                    };
                    out += &format!("{} runs\n", step.name);
                    flow.ended(&step, &judged);
                }
                Turn::Skip(why) => {
                    out += &format!("{} is skipped\n", step.name);
                    flow.ended(&step, &Judged { ended: StepEnded::Skipped(why), verdict: Verdict::Normal });
                }
                Turn::Cancelled => out += &format!("{} is cancelled\n", step.name),
            }
        }
        let (ended, verdict) = flow.whole();
        let ended = match ended {
            Ended::ExitCode(code) => code.to_string(),
            Ended::Failure(failure) => format!("{}: {}", failure.code, failure.message),
        };
        expect.assert_eq(&format!("{out}{verdict:?} {ended}\n"));
    }

    fn read_step(line: &str) -> Step {
        let mut words = line.split_whitespace();
        let script = Script {
            text: String::new(),
            working_directory: String::new(),
            execution_timeout_seconds: 1,
            environment: vec![],
        };
        let mut step = Step::new(words.next().expect("a name"), Action::Shell(script));
        for word in words {
            match word {
                "windows" => step.platform = Some(Platform::Windows),
                "linux" => step.platform = Some(Platform::Linux),
                "never" => step.never = true,
                "finally" => step.finally = true,
                "fail-exit" => step.on_failure = NextStep::Exit,
                "fail-well" => step.on_failure = NextStep::SuccessAndExit,
                "well-exit" => step.on_success = NextStep::Exit,
                other => panic!("{other}"),
            }
        }
        step
    }

    #[test]
    fn the_next_runs_whatever_became_of_the_one_before() {
        check(
            "a = 0\nb = 3\nc = 0",
            expect![[r#"
                a runs
                b runs
                c runs
                Abnormal 3
            "#]],
        );
    }

    #[test]
    fn a_step_may_end_the_document_and_the_last_runs_even_then() {
        check(
            "a fail-exit = 3\nb = 0\nc finally = 0",
            expect![[r#"
                a runs
                b is skipped
                c runs
                Abnormal 3
            "#]],
        );
        check(
            "a fail-well = 3\nb = 1",
            expect![[r#"
                a runs
                b is skipped
                Normal 0
            "#]],
        );
        check(
            "a well-exit = 0\nb = 1\nc finally = Agent.TimedOut",
            expect![[r#"
                a runs
                b is skipped
                c runs
                Abnormal Agent.TimedOut: step c: why
            "#]],
        );
        check(
            "a well-exit = 3\nb = 0",
            expect![[r#"
                a runs
                b runs
                Abnormal 3
            "#]],
        );
    }

    #[test]
    fn what_is_for_another_platform_is_skipped() {
        check(
            "a windows well-exit = 0\nb linux = 0\nc never = 0",
            expect![[r#"
                a is skipped
                b runs
                c is skipped
                Normal 0
            "#]],
        );
    }

    #[test]
    fn the_whole_is_as_bad_as_its_worst_step() {
        check(
            "a = Agent.TimedOut\nb = warning\nc = 7\nd = 8",
            expect![[r#"
                a runs
                b runs
                c runs
                d runs
                Abnormal 7
            "#]],
        );
        check(
            "a = warning\nb = 0",
            expect![[r#"
                a runs
                b runs
                Warning 4
            "#]],
        );
        check(
            "a = 194",
            expect![[r#"
                a runs
                Abnormal 194
            "#]],
        );
    }

    #[test]
    fn nothing_runs_after_a_cancellation() {
        check(
            "a = 3\nb = Agent.Cancelled\nc = 0\nd finally = 0",
            expect![[r#"
                a runs
                b runs
                c is cancelled
                d is cancelled
                Abnormal Agent.Cancelled: step b: why
            "#]],
        );
    }
}
