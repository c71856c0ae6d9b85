//! What can be typed. The words of its help are in [`crate::help`].

use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use crate::lang::Lang;

pub const URL_DEFAULT: &str = "http://127.0.0.1:8333";
pub const REGION_DEFAULT: &str = "us-east-1";

/// What every command takes.
#[derive(Debug, Clone, Default, Args)]
pub struct Global {
    #[arg(long, global = true, env = "DANDORI_URL", value_name = "URL")]
    pub endpoint_url: Option<String>,
    #[arg(long, global = true, env = "DANDORI_CA", value_name = "FILE")]
    pub ca: Option<String>,
    #[arg(long, global = true, value_name = "REGION")]
    pub region: Option<String>,
    #[arg(long, short, global = true, value_name = "FORM")]
    pub output: Option<Format>,
    #[arg(long, global = true)]
    pub no_headers: bool,
    #[arg(long, global = true, value_name = "LANG")]
    pub lang: Option<Lang>,
    #[arg(long, global = true, value_name = "WHEN")]
    pub color: Option<Color>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Json,
    Jsonl,
    Tsv,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    #[command(subcommand, visible_alias = "exec", alias = "x")]
    Execution(Execution),
    #[command(subcommand, visible_alias = "def")]
    Definition(Definition),
    #[command(subcommand, visible_alias = "doc")]
    Document(Document),
    #[command(subcommand)]
    Instance(Instance),
    #[command(subcommand)]
    Name(Name),
    #[command(subcommand)]
    Group(Group),
    #[command(subcommand)]
    Activation(Activation),
    #[command(subcommand)]
    Command(Sent),
}

#[derive(Debug, Clone, Subcommand)]
pub enum Execution {
    List(ExecutionList),
    Show {
        #[arg(value_name = "EXECUTION")]
        id: String,
    },
    Watch(ExecutionWatch),
    History(ExecutionHistory),
    Start(ExecutionStart),
    Stop(ExecutionStop),
}

#[derive(Debug, Clone, Args)]
pub struct ExecutionList {
    #[arg(long, value_name = "STATUS")]
    pub status: Option<StatusArg>,
    #[arg(long, value_name = "NAME")]
    pub definition: Option<String>,
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
}

#[derive(Debug, Clone, Args)]
pub struct ExecutionWatch {
    #[arg(value_name = "EXECUTION")]
    pub id: String,
    #[command(flatten)]
    pub follow: Follow,
}

/// How an execution is followed.
#[derive(Debug, Clone, Default, Args)]
pub struct Follow {
    #[arg(long)]
    pub warn_exit: bool,
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
}

#[derive(Debug, Clone, Args)]
pub struct ExecutionHistory {
    #[arg(value_name = "EXECUTION")]
    pub id: String,
    #[arg(long)]
    pub reverse: bool,
    #[arg(long)]
    pub data: bool,
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Clone, Args)]
#[command(group(ArgGroup::new("followed").args(["watch", "wait"])))]
// How to follow means nothing where nobody follows.
#[command(group(ArgGroup::new("following").args(["warn_exit", "timeout"]).multiple(true).requires("followed")))]
pub struct ExecutionStart {
    #[arg(value_name = "DEFINITION")]
    pub definition: String,
    #[arg(long, value_name = "JSON|@FILE|-")]
    pub input: Option<String>,
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    #[arg(long)]
    pub watch: bool,
    #[arg(long)]
    pub wait: bool,
    #[command(flatten)]
    pub follow: Follow,
}

#[derive(Debug, Clone, Args)]
pub struct ExecutionStop {
    #[arg(value_name = "EXECUTION")]
    pub id: String,
    #[arg(long, value_name = "NAME")]
    pub error: Option<String>,
    #[arg(long, visible_alias = "reason", value_name = "TEXT")]
    pub cause: Option<String>,
    #[arg(long, short)]
    pub yes: bool,
}

#[derive(Debug, Clone, Subcommand)]
pub enum Definition {
    List,
    Show {
        #[arg(value_name = "DEFINITION")]
        id: String,
    },
    Put {
        #[arg(value_name = "FILE")]
        file: String,
        #[arg(long, value_name = "NAME")]
        name: String,
        #[arg(long, value_name = "ARN")]
        role: Option<String>,
    },
    #[command(flatten)]
    Check(Check),
}

/// What needs no server.
#[derive(Debug, Clone, Subcommand)]
pub enum Check {
    Lint(DefinitionLint),
    Test(DefinitionTest),
}

#[derive(Debug, Clone, Args)]
pub struct DefinitionLint {
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<String>,
    #[arg(long = "type", value_name = "TYPE", default_value = "standard")]
    pub kind: MachineType,
    #[arg(long)]
    pub strict: bool,
}

#[derive(Debug, Clone, Args)]
pub struct DefinitionTest {
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<String>,
    #[arg(long, value_name = "FILE")]
    pub definition: Option<String>,
    #[arg(long, value_name = "TEXT")]
    pub case: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MachineType {
    #[value(alias = "STANDARD")]
    Standard,
    #[value(alias = "EXPRESS")]
    Express,
}

#[derive(Debug, Clone, Subcommand)]
pub enum Document {
    List,
    Get {
        #[arg(value_name = "DOCUMENT")]
        id: String,
        #[arg(long = "version", value_name = "VERSION")]
        which: Option<String>,
        #[arg(long, value_name = "FORM")]
        form: Option<Form>,
    },
    Put {
        #[arg(value_name = "FILE")]
        file: String,
        #[arg(long, value_name = "NAME")]
        name: String,
        #[arg(long, value_name = "FORM")]
        form: Option<Form>,
        #[arg(long, value_name = "NAME")]
        version_name: Option<String>,
    },
    Delete {
        #[arg(value_name = "DOCUMENT")]
        id: String,
        #[arg(long = "version", value_name = "VERSION")]
        which: Option<String>,
        #[arg(long, short)]
        yes: bool,
    },
}

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    Json,
    Yaml,
}

impl Form {
    pub fn name(self) -> &'static str {
        match self {
            Form::Json => "json",
            Form::Yaml => "yaml",
        }
    }
}

#[derive(Debug, Clone, Subcommand)]
pub enum Instance {
    List,
    Show {
        #[arg(value_name = "AGENT")]
        agent: String,
    },
    Drain(InstanceChange),
    Resume(InstanceChange),
    Limit(InstanceLimit),
    Remove(InstanceRemove),
}

/// Why something is changed, or whether it is only tried.
#[derive(Debug, Clone, Default, Args)]
pub struct How {
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Clone, Args)]
pub struct InstanceChange {
    #[arg(value_name = "AGENT")]
    pub agent: String,
    #[command(flatten)]
    pub how: How,
}

#[derive(Debug, Clone, Args)]
#[command(group(ArgGroup::new("to").args(["jobs", "unset"]).required(true)))]
pub struct InstanceLimit {
    #[arg(value_name = "AGENT")]
    pub agent: String,
    #[arg(value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub jobs: Option<u32>,
    #[arg(long)]
    pub unset: bool,
    #[command(flatten)]
    pub how: How,
}

#[derive(Debug, Clone, Args)]
pub struct InstanceRemove {
    #[arg(value_name = "AGENT")]
    pub agent: String,
    #[arg(long, short)]
    pub yes: bool,
    #[command(flatten)]
    pub how: How,
}

/// Logical names of agents.
#[derive(Debug, Clone, Subcommand)]
pub enum Name {
    List,
    Set(NameSet),
    Delete(Named),
}

#[derive(Debug, Clone, Args)]
pub struct Named {
    #[arg(value_name = "NAME")]
    pub name: String,
    #[command(flatten)]
    pub how: How,
}

/// What is not given stays as it was.
#[derive(Debug, Clone, Args)]
pub struct NameSet {
    #[arg(value_name = "NAME")]
    pub name: String,
    #[arg(long, value_name = "INSTANCE")]
    pub instance: Option<String>,
    #[arg(long, value_name = "WHICH")]
    pub restriction: Option<RestrictionArg>,
    #[command(flatten)]
    pub bounds: Bounds,
    #[command(flatten)]
    pub how: How,
}

/// How many at a time, and what people are told.
#[derive(Debug, Clone, Default, Args)]
pub struct Bounds {
    #[arg(long = "limit", value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "no_limit")]
    pub jobs: Option<u32>,
    #[arg(long)]
    pub no_limit: bool,
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
}

/// Groups of agents.
#[derive(Debug, Clone, Subcommand)]
pub enum Group {
    List,
    Show {
        #[arg(value_name = "GROUP")]
        name: String,
    },
    Put(GroupPut),
    Delete(Named),
}

/// What is not given stays as it was.
#[derive(Debug, Clone, Args)]
pub struct GroupPut {
    #[arg(value_name = "GROUP")]
    pub name: String,
    #[arg(long = "member", value_name = "AGENT[:PRIORITY]")]
    pub members: Vec<String>,
    #[arg(long, value_name = "WHICH")]
    pub policy: Option<PolicyArg>,
    #[command(flatten)]
    pub bounds: Bounds,
    #[command(flatten)]
    pub how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RestrictionArg {
    Effective,
    Ineffective,
    Hold,
    Blockade,
}

impl From<RestrictionArg> for api::agents::Restriction {
    fn from(restriction: RestrictionArg) -> api::agents::Restriction {
        match restriction {
            RestrictionArg::Effective => api::agents::Restriction::Effective,
            RestrictionArg::Ineffective => api::agents::Restriction::Ineffective,
            RestrictionArg::Hold => api::agents::Restriction::Hold,
            RestrictionArg::Blockade => api::agents::Restriction::Blockade,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PolicyArg {
    Balance,
    Failover,
    All,
}

impl From<PolicyArg> for api::agents::GroupPolicy {
    fn from(policy: PolicyArg) -> api::agents::GroupPolicy {
        match policy {
            PolicyArg::Balance => api::agents::GroupPolicy::Balance,
            PolicyArg::Failover => api::agents::GroupPolicy::Failover,
            PolicyArg::All => api::agents::GroupPolicy::All,
        }
    }
}

#[derive(Debug, Clone, Subcommand)]
pub enum Activation {
    Create(ActivationCreate),
    List,
    Delete {
        #[arg(value_name = "ACTIVATION")]
        id: String,
    },
}

#[derive(Debug, Clone, Args)]
pub struct ActivationCreate {
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub registrations: u32,
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=720))]
    pub hours: u32,
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = pair)]
    pub tags: Vec<(String, String)>,
    #[arg(long, value_name = "ROLE")]
    pub role: Option<String>,
}

/// Commands: sent to instances, followed, cancelled.
#[derive(Debug, Clone, Subcommand)]
pub enum Sent {
    Run(Box<SentRun>),
    Cancel(SentCancel),
    List {
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    Show {
        #[arg(value_name = "COMMAND")]
        id: String,
    },
    Output(SentOutput),
}

/// What is run, where and how.
#[derive(Debug, Clone, Default, Args)]
#[command(group(ArgGroup::new("where").args(["instances", "tags", "groups", "names", "all"]).required(true)))]
#[command(group(ArgGroup::new("what").args(["words", "script", "document"]).required(true)))]
// A document of one's own has parameters of its own.
#[command(group(ArgGroup::new("job").args(["user", "cwd", "env", "stdin"]).multiple(true).conflicts_with("document")))]
#[command(group(ArgGroup::new("following").args(["warn_exit", "timeout"]).multiple(true).conflicts_with("no_wait")))]
pub struct SentRun {
    #[arg(long = "instance", value_name = "INSTANCE")]
    pub instances: Vec<String>,
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = pair)]
    pub tags: Vec<(String, String)>,
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<String>,
    #[arg(long = "name", value_name = "NAME")]
    pub names: Vec<String>,
    #[arg(long)]
    pub all: bool,
    #[arg(long, value_name = "DOCUMENT")]
    pub document: Option<String>,
    #[arg(long = "document-version", value_name = "VERSION", requires = "document")]
    pub document_which: Option<String>,
    #[arg(long = "parameter", short, value_name = "NAME=VALUE", value_parser = pair)]
    pub parameters: Vec<(String, String)>,
    #[arg(long, value_name = "FILE")]
    pub script: Option<String>,
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    #[arg(long, value_name = "DIRECTORY")]
    pub cwd: Option<String>,
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub env: Vec<(String, String)>,
    #[arg(long, value_name = "FILE|-")]
    pub stdin: Option<String>,
    #[arg(long, value_name = "N|N%")]
    pub max_concurrency: Option<String>,
    #[arg(long, value_name = "N|N%")]
    pub max_errors: Option<String>,
    #[arg(long, value_name = "SECONDS")]
    pub delivery_timeout: Option<u64>,
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
    #[arg(long)]
    pub no_wait: bool,
    #[command(flatten)]
    pub follow: Follow,
    #[arg(last = true, value_name = "COMMAND")]
    pub words: Vec<String>,
}

/// `NAME=VALUE`: what comes after the first `=` is the value.
fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err("NAME=VALUE".to_owned()),
    }
}

#[derive(Debug, Clone, Args)]
pub struct SentCancel {
    #[arg(value_name = "COMMAND")]
    pub id: String,
    #[arg(value_name = "INSTANCE")]
    pub instances: Vec<String>,
    #[arg(long, short)]
    pub yes: bool,
    #[command(flatten)]
    pub how: How,
}

/// The whole output of a command on one instance.
#[derive(Debug, Clone, Args)]
pub struct SentOutput {
    #[arg(value_name = "COMMAND")]
    pub id: String,
    #[arg(value_name = "INSTANCE")]
    pub instance: Option<String>,
    #[arg(long, value_name = "NAME|N")]
    pub step: Option<String>,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub attempt: Option<u32>,
    #[arg(long)]
    pub stderr: bool,
    #[arg(long, short)]
    pub follow: bool,
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(i64).range(1..))]
    pub tail: Option<i64>,
    #[arg(long, value_name = "BYTES", conflicts_with = "tail", value_parser = clap::value_parser!(i64).range(0..))]
    pub from: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum StatusArg {
    Running,
    Succeeded,
    Failed,
    TimedOut,
    #[value(alias = "stopped")]
    Aborted,
}

impl From<StatusArg> for api::Status {
    fn from(status: StatusArg) -> api::Status {
        match status {
            StatusArg::Running => api::Status::Running,
            StatusArg::Succeeded => api::Status::Succeeded,
            StatusArg::Failed => api::Status::Failed,
            StatusArg::TimedOut => api::Status::TimedOut,
            StatusArg::Aborted => api::Status::Aborted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_taken(typed: &str) -> bool {
        let command = Command::augment_subcommands(clap::Command::new("dandori"));
        command.try_get_matches_from(format!("dandori {typed}").split(' ')).is_ok()
    }

    #[test]
    fn how_to_follow_is_said_only_where_something_is_followed() {
        for taken in [
            "start net",
            "start net --watch --timeout 5",
            "start net --wait --timeout 5 --warn-exit",
            "watch x --timeout 5",
        ] {
            assert!(is_taken(&format!("execution {taken}")), "{taken}");
        }
        for refused in ["start net --timeout 5", "start net --warn-exit", "start net --watch --wait"] {
            assert!(!is_taken(&format!("execution {refused}")), "{refused}");
        }
    }

    #[test]
    fn a_tag_of_an_activation_has_a_value() {
        assert!(is_taken("activation create --tag a=b --tag c="));
        assert!(!is_taken("activation create --tag foo") && !is_taken("activation create --tag =b"));
    }

    #[test]
    fn a_command_says_what_and_where_once_each() {
        for taken in [
            "--instance mi-1 --instance mi-2 -- ls",
            "--tag a=b --tag a=c --timeout 5 --warn-exit -- ls -l --all",
            "--group web --user batch --env A=b=c --stdin - -- ls",
            "--name web --document Greet -p who=world --document-version 3",
            "--all --script a.sh --no-wait",
        ] {
            assert!(is_taken(&format!("command run {taken}")), "{taken}");
        }
        for refused in [
            "-- ls",
            "--all",
            "--all ls",
            "--all --instance mi-1 -- ls",
            "--all --document Greet -- ls",
            "--all --script a.sh -- ls",
            "--all --document Greet --user batch",
            "--all --no-wait --timeout 5 -- ls",
            "--tag a -- ls",
        ] {
            assert!(!is_taken(&format!("command run {refused}")), "{refused}");
        }
    }
}
