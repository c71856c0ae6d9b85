//! What is to be done on a host: steps in order, with every parameter filled in.
//!
//! Stored and sent to agents: fields are added, never altered.

use serde::{Deserialize, Serialize};

/// A document with its parameters filled in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plan {
    pub steps: Vec<Step>,
}

/// One step: what results call a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The step's name, or the plugin's where the schema has no names (`aws:runShellScript`, schema 1.2).
    pub name: String,
    /// Where else than on this platform it is skipped, with success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// A precondition that can never hold: skipped, with success.
    #[serde(default, skip_serializing_if = "is_false")]
    pub never: bool,
    #[serde(default, skip_serializing_if = "NextStep::is_next")]
    pub on_failure: NextStep,
    #[serde(default, skip_serializing_if = "NextStep::is_next")]
    pub on_success: NextStep,
    /// Runs even when an earlier step has ended the document; only steps at the end say so: the last one, or those of
    /// the document that it runs.
    #[serde(default, skip_serializing_if = "is_false")]
    pub finally: bool,
    pub action: Action,
}

/// `platformType` of a precondition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Platform {
    Linux,
    Windows,
    MacOS,
}

/// What follows a step (`onFailure`, `onSuccess`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum NextStep {
    /// The next one, whatever became of this.
    #[default]
    Next,
    /// The document ends as it stands.
    Exit,
    /// The document ends well: this step's failure does not count.
    SuccessAndExit,
}

impl NextStep {
    fn is_next(&self) -> bool {
        *self == NextStep::Next
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// `aws:runShellScript`
    Shell(Script),
    /// `aws:runPowerShellScript`
    PowerShell(Script),
    /// `dandori:runJob`
    Job(Box<Job>),
    /// `aws:downloadContent`
    Download(Download),
    /// `aws:runDocument` of a file that an earlier step has brought.
    Document(LocalDocument),
}

/// A script and how to run it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// The whole file.
    pub text: String,
    /// The agent's choice when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub working_directory: String,
    pub execution_timeout_seconds: u32,
    /// Parameters that are passed as variables (`interpolationType: ENV_VAR`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<Variable>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    pub name: String,
    pub value: String,
}

/// A variable whose value is a SecureString: looked up when the offer is made, never stored with the command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// The variable's name.
    pub name: String,
    /// The parameter's name in the Parameter Store, perhaps with `:version`.
    pub parameter: String,
}

/// A job as schedulers know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    pub program: Program,
    /// Each is one argument, whatever is in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
    /// The user to run as; the agent's own when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub working_directory: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<Variable>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Secret>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<String>,
    pub execution_timeout_seconds: u32,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub judgement: Judgement,
    /// Only where the plan has no other step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// How long to wait for an agent that is unheard of while this runs, before it is given up as `Agent.Lost`; when
    /// none, until the backstop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_after_seconds: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Program {
    /// A text for `/bin/sh`, or for the interpreter that its first line names.
    Script(String),
    /// A file on the host, executed directly.
    File(String),
}

/// What a job may use; none where there is no limit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Seconds of processor time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<u64>,
    /// Of one core: 250 is two and a half. Only with cgroups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u64>,
}

/// How an exit code, a file and an output become a verdict. JP1's `jd`, `wth`, `tho`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    pub normal: Ranges,
    pub warning: Ranges,
    /// Asked in order after the code; the worst verdict counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<JudgementRule>,
}

/// Only 0 is normal.
impl Default for Judgement {
    fn default() -> Judgement {
        Judgement { normal: Ranges(vec![(0, 0)]), warning: Ranges(vec![]), rules: vec![] }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum JudgementRule {
    /// When there is no such file at the end (JP1's `exf`): this verdict.
    FileMissing { path: String, verdict: Verdict },
    /// When the file was not modified during the run (JP1's `mdf`): this verdict.
    FileNotModified { path: String, verdict: Verdict },
    /// When a line of the output matches this regular expression: this verdict.
    Output { stream: Stream, pattern: String, verdict: Verdict },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// How a job ended, in the words of schedulers: 正常, 警告, 異常.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum Verdict {
    #[default]
    Normal,
    Warning,
    Abnormal,
}

/// Exit codes: `0,3-7`, each range with both its ends.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ranges(pub Vec<(i64, i64)>);

impl Ranges {
    pub fn has(&self, code: i64) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&code))
    }
}

impl Judgement {
    /// By the exit code alone. A code in both ranges is normal.
    pub fn of_code(&self, code: i64) -> Verdict {
        match (self.normal.has(code), self.warning.has(code)) {
            (true, _) => Verdict::Normal,
            (false, true) => Verdict::Warning,
            (false, false) => Verdict::Abnormal,
        }
    }
}

/// Another attempt after an exit code in a range. JP1's `rjs`, `rje`, `rec`, `rei`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    pub codes: Ranges,
    /// Further attempts at most.
    pub times: u32,
    pub interval_seconds: u32,
}

/// `aws:downloadContent`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Download {
    pub source: Source,
    /// A path on the host; the step's own directory when empty, below which relative ones lie.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub destination: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// An object, or all objects below a prefix that ends with `/`. The server reads it for the agent.
    S3 { bucket: String, key: String },
    /// A file or directory on the host.
    Local { path: String },
    /// A document's text, put into a file of this name.
    Document { file: String, text: String },
}

/// A document that is read on the host, when its turn comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalDocument {
    pub path: String,
    /// Parameters as JSON text, as `aws:runDocument` takes them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub parameters: String,
    /// How deep this document is in others.
    #[serde(default)]
    pub depth: u32,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl Plan {
    /// A plan of one `aws:runShellScript`, as the document `AWS-RunShellScript` makes it.
    pub fn shell(script: Script) -> Plan {
        Plan { steps: vec![Step::new("aws:runShellScript", Action::Shell(script))] }
    }

    /// The longest that all steps may take together, in seconds.
    pub fn execution_timeout_seconds(&self) -> u32 {
        self.steps.iter().map(|step| step.action.execution_timeout_seconds()).fold(0, u32::saturating_add)
    }

    /// The only step's, where it is a job.
    pub fn retry(&self) -> Option<&Retry> {
        match &*self.steps {
            [Step { action: Action::Job(job), .. }] => job.retry.as_ref(),
            _ => None,
        }
    }

    /// The shortest patience that a job asks for.
    pub fn lost_after_seconds(&self) -> Option<u32> {
        let asked = |step: &Step| match &step.action {
            Action::Job(job) => job.lost_after_seconds,
            Action::Shell(_) | Action::PowerShell(_) | Action::Download(_) | Action::Document(_) => None,
        };
        self.steps.iter().filter_map(asked).min()
    }

    /// The only step's, where it is a shell script that nothing is said of.
    pub fn first_script(&self) -> Option<&Script> {
        match &*self.steps {
            [Step { platform: None | Some(Platform::Linux), never: false, action: Action::Shell(script), .. }] => {
                Some(script)
            }
            _ => None,
        }
    }

    /// Bytes of text that it holds: what it costs to keep and to send.
    pub fn bytes(&self) -> usize {
        self.steps.iter().map(Step::bytes).sum()
    }
}

impl Step {
    /// A step without conditions.
    pub fn new(name: impl Into<String>, action: Action) -> Step {
        Step {
            name: name.into(),
            platform: None,
            never: false,
            on_failure: NextStep::Next,
            on_success: NextStep::Next,
            finally: false,
            action,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.name.len() + self.action.bytes()
    }
}

/// What a step may take that has no timeout of its own: a download, or a document read on the host.
const OTHER_SECONDS: u32 = 3_600;

impl Action {
    /// The action's name in documents.
    pub fn name(&self) -> &'static str {
        match self {
            Action::Shell(_) => "aws:runShellScript",
            Action::PowerShell(_) => "aws:runPowerShellScript",
            Action::Job(_) => "dandori:runJob",
            Action::Download(_) => "aws:downloadContent",
            Action::Document(_) => "aws:runDocument",
        }
    }

    fn execution_timeout_seconds(&self) -> u32 {
        match self {
            Action::Shell(script) | Action::PowerShell(script) => script.execution_timeout_seconds,
            Action::Job(job) => job.execution_timeout_seconds,
            Action::Download(_) | Action::Document(_) => OTHER_SECONDS,
        }
    }

    fn bytes(&self) -> usize {
        let variables = |all: &[Variable]| all.iter().map(|one| one.name.len() + one.value.len()).sum::<usize>();
        match self {
            Action::Shell(script) | Action::PowerShell(script) => {
                script.text.len() + script.working_directory.len() + variables(&script.environment)
            }
            Action::Job(job) => {
                let (Program::Script(program) | Program::File(program)) = &job.program;
                program.len()
                    + job.arguments.iter().map(String::len).sum::<usize>()
                    + variables(&job.environment)
                    + job.stdin.as_ref().map_or(0, String::len)
            }
            Action::Download(Download { source: Source::Document { text, .. }, .. }) => text.len(),
            Action::Download(_) => 0,
            Action::Document(document) => document.parameters.len(),
        }
    }
}
