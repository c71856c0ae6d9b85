//! Measures the product beside the least that a durable server must do.
//!
//! ```text
//! bench ──► ceiling   (a child: the floor under every durable server, see `ceiling`)
//!   │  └──► dandori server   (a child)
//!   └── clients, in one thread of this process
//! ```
//!
//! Absolute figures say as much about the machine as about the product, so each is shown beside that of a ceiling
//! which was measured just before and just after, with the load average of the moment.
//!
//! **It is not** a test: nothing fails for being slow. It does fail if an execution ends in any other way than it
//! should.
//!
//! In reading order: [`ceiling`] (what is compared with), [`client`], [`process`], [`server`], [`stats`], the
//! workloads [`load`] (W1, W4), [`single`] (W2, W3, synchronous Express), [`waiting`] (W5), [`activity`] (W6),
//! [`distributed`] (a distributed Map), [`cold`] (starting, and doing nothing) and [`agent`] (scripts on a host),
//! [`goals`], [`report`].

mod activity;
mod agent;
mod ceiling;
mod client;
mod cold;
mod distributed;
mod goals;
mod load;
mod process;
mod report;
mod server;
mod single;
mod stats;
mod waiting;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

use agent::Size;
use ceiling::Policy;
use client::{Operation, Status};
use load::{Load, Shape};
use report::Report;
use server::Who;
use single::Single;

#[derive(Debug, Parser)]
#[command(
    about = "Measures the product beside the least that a durable server must do",
    args_conflicts_with_subcommands = true
)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Shorter runs and fewer executions.
    #[arg(long)]
    quick: bool,
    /// Only these workloads.
    #[arg(long, value_delimiter = ',', ignore_case = true)]
    only: Vec<Workload>,
    /// The product; by default the `dandori` beside this program.
    #[arg(long, value_name = "PATH")]
    server: Option<PathBuf>,
    /// Measure the ceiling alone, under each policy.
    #[arg(long)]
    ceiling_only: bool,
    /// Also write everything that was measured as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves the ceiling until standard input ends.
    #[command(hide = true)]
    Ceiling {
        #[arg(long, value_enum)]
        policy: Policy,
        #[arg(long)]
        data: PathBuf,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Workload {
    /// Ten Pass states, by 128 clients and by one.
    W1,
    /// One inline Map of 1,000 items.
    W2,
    /// A loop of 100 rounds, in JSONPath and in JSONata.
    W3,
    /// Starts of a one-state machine by 128 clients.
    W4,
    /// Many executions in one Wait: memory, and how late they wake.
    W5,
    /// Activity tasks, taken and given back.
    W6,
    /// Ten Pass states of an Express machine, started synchronously.
    Sync,
    /// A distributed Map of 100,000 items.
    Map,
    /// The time to start, and the cost of doing nothing.
    Cold,
    /// One agent: commands, doing nothing, and a script with much to say.
    Agent,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("there is no product at {}\nhint: build it with `make build`, name it with --server PATH, or measure with --ceiling-only", path.display())]
    NoProduct { path: PathBuf },
    #[error("make a directory for what is measured")]
    Directory {
        #[source]
        source: io::Error,
    },
    #[error("serve the ceiling")]
    Ceiling {
        #[source]
        source: io::Error,
    },
    #[error("run the {who}")]
    Spawn {
        who: String,
        #[source]
        source: io::Error,
    },
    #[error("start the {who}: it did not say where it listens\n{said}")]
    Silent { who: String, said: String },
    #[error("talk to {address}")]
    Talk {
        address: std::net::SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("{operation:?}: the server hung up")]
    HungUp { operation: Operation },
    #[error("{operation:?}: the answer is not HTTP as this client knows it")]
    NotHttp { operation: Operation },
    #[error("{operation:?}: refused with {status}: {body}")]
    Refused { operation: Operation, status: u16, body: String },
    #[error("{operation:?}: the answer is not what it should be")]
    Answer {
        operation: Operation,
        #[source]
        source: serde_json::Error,
    },
    #[error("execution {execution} is {status:?} and should be {expected:?}")]
    Ended { execution: String, status: Status, expected: Status },
    #[error("the history of {execution} has {found} states entered and should have {expected}")]
    History { execution: String, found: usize, expected: usize },
    #[error("{succeeded} items of the Map succeeded and {expected} should have")]
    Items { succeeded: usize, expected: usize },
    #[error("{what}: not done after {} s", limit.as_secs())]
    TooLong { what: &'static str, limit: Duration },
    #[error("a client ended early")]
    Client {
        #[source]
        source: tokio::task::JoinError,
    },
    #[error("write the report")]
    Report {
        #[source]
        source: io::Error,
    },
}

fn main() -> ExitCode {
    let args = Args::parse();
    match execute(args) {
        Ok(code) => code,
        Err(fault) => {
            let mut text = format!("bench: {fault}");
            let mut source = std::error::Error::source(&fault);
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            let _closed = writeln!(io::stderr(), "{text}");
            ExitCode::FAILURE
        }
    }
}

fn execute(args: Args) -> Result<ExitCode, Fault> {
    if let Some(Command::Ceiling { policy, data }) = &args.command {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|source| Fault::Ceiling { source })?;
        return runtime.block_on(ceiling::serve(*policy, data)).map(|()| ExitCode::SUCCESS);
    }
    // One thread: the clients must leave the rest of the machine to the server.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|source| Fault::Directory { source })?;
    let place = Place::new()?;
    runtime.block_on(async {
        tokio::select! {
            done = measure(&args, &place) => done.map(|()| ExitCode::SUCCESS),
            // Dropping what is measured ends its processes; then the place goes.
            () = interrupted() => Ok(ExitCode::from(130)),
        }
    })
}

async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => (),
        _ = terminate.recv() => (),
    }
}

/// A directory under the system's temporary one, gone with this value.
pub(crate) struct Place {
    path: PathBuf,
}

impl Place {
    fn new() -> Result<Place, Fault> {
        let path = std::env::temp_dir().join(format!("dandori-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|source| Fault::Directory { source })?;
        Ok(Place { path })
    }

    /// A directory that nothing has used yet.
    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        let free = |number: &u32| !self.path.join(format!("{name}-{number}")).exists();
        let number = (0..).find(free).expect("there are more numbers than directories");
        self.path.join(format!("{name}-{number}"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A process that was just killed may still be writing its last file.
        for _ in 0..20 {
            if std::fs::remove_dir_all(&self.path).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

async fn measure(args: &Args, place: &Place) -> Result<(), Fault> {
    let mut out = io::stdout();
    let wants = |workload| args.only.is_empty() || args.only.contains(&workload);
    let seconds = Duration::from_secs;
    let mut report = Report::new(args.quick);
    report.head(&mut out)?;
    if args.ceiling_only {
        for shape in shapes(args.quick, wants) {
            for policy in [Policy::Mem, Policy::Ends, Policy::Each] {
                report.loads.push(load::run(&shape, &Who::Ceiling(policy), place).await?);
            }
            report.load(&mut out, &shape)?;
        }
        return report.write_json(args.json.as_deref());
    }
    let product = Who::Product(product(args)?);
    for shape in shapes(args.quick, wants) {
        for who in [Who::Ceiling(Policy::Ends), product.clone(), Who::Ceiling(Policy::Ends)] {
            report.loads.push(load::run(&shape, &who, place).await?);
        }
        report.load(&mut out, &shape)?;
    }
    for what in Single::ALL.into_iter().filter(|what| wants(workload_of(*what))) {
        report.singles.push(single::run(what, &product, place, if args.quick { 20 } else { 300 }).await?);
    }
    if wants(Workload::Sync) {
        let idle =
            shapes(args.quick, |workload| workload == Workload::W1).into_iter().find(|it| it.load == Load::W1Idle);
        let idle = idle.expect("W1 has an idle form");
        report.mem = Some(load::run(&idle, &Who::Ceiling(Policy::Mem), place).await?);
    }
    report.singles(&mut out)?;
    if wants(Workload::W6) {
        let window = Duration::from_secs(if args.quick { 3 } else { 8 });
        report.worked = Some(activity::run(&product, place, 64, window).await?);
        report.worked(&mut out)?;
    }
    if wants(Workload::Map) {
        let items = if args.quick { 5_000 } else { goals::MAPPED };
        report.mapped = Some(distributed::run(&product, place, items).await?);
        report.mapped(&mut out)?;
    }
    if wants(Workload::W5) {
        report.waking = Some(waiting::wake(&product, place, if args.quick { 2_000 } else { goals::WOKEN }).await?);
        report.waking(&mut out)?;
    }
    if wants(Workload::W5) || wants(Workload::Cold) {
        let count = if args.quick { 2_000 } else { goals::HELD };
        report.waiting = Some(waiting::hold(&product, place, count).await?);
        report.waiting(&mut out)?;
    }
    if wants(Workload::Cold) {
        report.cold = Some(cold::run(&product, place, args.quick).await?);
        report.cold(&mut out)?;
    }
    if wants(Workload::Agent) {
        let size = match args.quick {
            true => Size { rounds: 30, window: seconds(3), idle: seconds(5), bytes: 64 << 20 },
            false => Size { rounds: 300, window: seconds(8), idle: seconds(20), bytes: goals::LARGE_BYTES },
        };
        report.agents = Some(agent::run(&product, place, size).await?);
        report.agents(&mut out)?;
    }
    report.goals(&mut out)?;
    report.write_json(args.json.as_deref())
}

fn product(args: &Args) -> Result<PathBuf, Fault> {
    let beside = std::env::current_exe().map_err(|source| Fault::Directory { source })?.with_file_name("dandori");
    let path = args.server.clone().unwrap_or(beside);
    if path.is_file() { Ok(path) } else { Err(Fault::NoProduct { path }) }
}

fn workload_of(single: Single) -> Workload {
    match single {
        Single::Map => Workload::W2,
        Single::Loop | Single::LoopJsonata => Workload::W3,
        Single::Sync => Workload::Sync,
    }
}

/// The workloads that start executions as fast as they can.
fn shapes(quick: bool, wants: impl Fn(Workload) -> bool) -> Vec<Shape> {
    let seconds = |full: u64, short: u64| Duration::from_secs(if quick { short } else { full });
    let mut shapes = vec![];
    if wants(Workload::W1) {
        shapes.push(Shape {
            load: Load::W1Loaded,
            clients: 128,
            states: 10,
            warm: seconds(2, 1),
            window: seconds(8, 3),
        });
        shapes.push(Shape { load: Load::W1Idle, clients: 1, states: 10, warm: seconds(1, 1), window: seconds(5, 2) });
    }
    if wants(Workload::W4) {
        shapes.push(Shape { load: Load::W4, clients: 128, states: 1, warm: seconds(2, 1), window: seconds(6, 2) });
    }
    shapes
}
