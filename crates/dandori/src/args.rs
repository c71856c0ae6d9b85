//! What can be typed, besides the commands of [`cli`].

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args as Arguments, Parser, Subcommand, ValueEnum};

/// Job management: state machines in the Amazon States Language, on your own machines.
#[derive(Debug, Parser)]
#[command(name = "dandori", version)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: cli::Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs a server: the AWS door, the API, and the engine behind them
    Server(Server),
    /// Runs an agent: connects to a server and runs the scripts that it sends
    Agent(Agent),
    /// Shows the backup job net run on this machine, from nothing
    Demo(Demo),
    #[command(flatten)]
    People(cli::Command),
}

#[derive(Debug, Clone, Arguments)]
pub(crate) struct Server {
    /// Where to listen; port 0 lets the system choose
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where everything is kept
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Which store: sqlite (in the data directory) or memory (forgets when it ends)
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<String>,
    /// A configuration file in TOML; what is typed wins over it
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// A folder that is a bucket to Maps and tasks; may be given again
    #[arg(long = "bucket", value_name = "NAME=DIR")]
    pub(crate) buckets: Vec<String>,
    /// The S3 endpoint of all other buckets, as in http://HOST:PORT
    #[arg(long, value_name = "URL", env = "DANDORI_S3_ENDPOINT")]
    pub(crate) s3_endpoint: Option<String>,
    /// Holds an agent for this machine inside
    #[arg(long)]
    pub(crate) agent: bool,
    /// Encrypts connections, with a certificate that is made at the first start
    #[arg(long)]
    pub(crate) tls: bool,
    /// Encrypts connections with this certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The certificate's key, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) log: Log,
}

#[derive(Debug, Clone, Arguments)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Agent {
    #[command(subcommand)]
    pub(crate) command: Option<AgentCommand>,
    /// The server's address, as in http://HOST:PORT; where the agent registered if not given
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// The agent's own directory
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) data: Option<PathBuf>,
    /// Made up at the first start, and kept
    #[arg(long, value_name = "ID")]
    pub(crate) instance_id: Option<String>,
    /// What people call this agent; the host's name if not given
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// After so many days the agent makes itself another key
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    pub(crate) rotate_key_days: u32,
    /// Scripts that run at a time
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) concurrency: usize,
    #[command(flatten)]
    pub(crate) policy: PolicyOption,
    /// Bytes of output that one attempt may keep
    #[arg(long, value_name = "BYTES", default_value_t = agent::spool::OUTPUT_BYTES_MAX_DEFAULT)]
    pub(crate) output_max: u64,
    /// Where the log goes instead of to standard error
    #[arg(long, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,
    /// Bytes after which the log goes on in another file; five are kept
    #[arg(long, value_name = "BYTES", default_value_t = 10_485_760)]
    pub(crate) log_file_max: u64,
    #[command(flatten)]
    pub(crate) log: Log,
}

#[derive(Debug, Clone, Arguments)]
pub(crate) struct PolicyOption {
    /// The host's own rules; /etc/dandori/agent-policy.toml, where it is there, if not given
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
}

impl PolicyOption {
    /// The file that was named: one that has to be there.
    pub(crate) fn file(self) -> Option<agent::policy::PolicyFile> {
        self.policy.map(|path| agent::policy::PolicyFile { path, required: true })
    }
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum AgentCommand {
    /// Makes this host a managed instance, with an activation
    Register(Register),
    /// Has the agent make itself another key
    RotateKey(RotateKey),
    /// Examines what the agent needs of this host
    Doctor(Doctor),
    /// Shows how the agent of this host stands
    Status(OfData),
    /// Has the agent take nothing new: what it has goes on to its end
    Drain(Drain),
    /// Has the agent take work again
    Resume(OfData),
}

#[derive(Debug, Clone, Arguments)]
pub(crate) struct Doctor {
    /// The agent's own directory
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The server's address; the one that the agent last used if not given
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
    #[command(flatten)]
    pub(crate) policy: PolicyOption,
}

#[derive(Debug, Clone, Arguments)]
pub(crate) struct OfData {
    /// The agent's own directory
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
}

#[derive(Debug, Clone, Arguments)]
pub(crate) struct Drain {
    /// The agent's own directory
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Waits until nothing runs any more
    #[arg(long)]
    pub(crate) wait: bool,
}

#[derive(Debug, Clone, Arguments)]
pub(crate) struct Register {
    /// The server's address, as in https://HOST:PORT
    #[arg(long, value_name = "URL", env = "DANDORI_URL", default_value = cli::args::URL_DEFAULT)]
    pub(crate) server: String,
    /// The activation's id
    #[arg(long, value_name = "ID")]
    pub(crate) id: String,
    /// The activation's code
    #[arg(long, value_name = "CODE", allow_hyphen_values = true)]
    pub(crate) code: String,
    /// The fingerprint of the server's key: nobody else is registered with
    #[arg(long, value_name = "FINGERPRINT")]
    pub(crate) server_key: Option<String>,
    /// What people call this agent; the host's name if not given
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// The agent's own directory
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Becomes another instance where this one is one already
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Clone, Arguments)]
pub(crate) struct RotateKey {
    /// The agent's own directory
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Waits so many seconds until the server has the key
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) wait: u64,
}

#[derive(Debug, Clone, Arguments)]
pub(crate) struct Demo {
    /// Where to listen; the system chooses if not given
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// The polling form of the job net, as it is built on AWS
    #[arg(long)]
    pub(crate) polling: bool,
}

#[derive(Debug, Clone, Arguments)]
pub(crate) struct Log {
    /// The form of the log on standard error
    #[arg(long = "log", alias = "log-format", value_name = "FORM")]
    pub(crate) log: Option<LogForm>,
    /// What is logged: a level, or one for each part, as in info,runtime=debug
    #[arg(long = "log-level", value_name = "LEVEL", env = "DANDORI_LOG")]
    pub(crate) level: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogForm {
    Text,
    Json,
}
