//! A: one agent, and what it costs to run a script on it.
//!
//! ```text
//! StartExecution ──► server ──► agent ──► supervisor ──► /bin/sh script ──► "echo >fifo" ──► this program's clock
//! ```
//!
//! Beside each run stands its floor, measured in the same second: this program runs the same script itself, after as
//! many flushes of the same disk as running it at most once needs.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use crate::client::{Client, Status};
use crate::load::{count, create, expect, millis, start_of};
use crate::process::{self, Memory};
use crate::server::{Server, Who};
use crate::stats::Spread;
use crate::{Fault, Place};

/// What at-most-once has to have on disk before a script's first line, one after another: that the execution has started,
/// that the command was sent, that the agent has accepted it, that the server knows so, that it begins.
const FLUSHES: usize = 5;

/// Commands in flight where they are counted by the second.
const AT_A_TIME: usize = 8;

const WARM: usize = 5;
const LOOK_EVERY: Duration = Duration::from_millis(2);
const ONLINE_WITHIN: Duration = Duration::from_secs(30);
const LIMIT: Duration = Duration::from_secs(900);

/// Who the agent is.
const INSTANCE: &str = "mi-bench000000000001";

/// The last that the script with much to say says.
const LAST_WORDS: &str = "these are the last bytes\n";

/// How long and how much.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) rounds: usize,
    pub(crate) window: Duration,
    pub(crate) idle: Duration,
    pub(crate) bytes: u64,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Agents {
    pub(crate) rounds: usize,
    /// From asking for the execution to the script's first line.
    pub(crate) first_line_ms: Spread,
    /// The same script run by this program after so many flushes.
    pub(crate) floor_ms: Spread,
    pub(crate) flushes: usize,
    /// One flush of the same disk.
    pub(crate) flush_ms: Spread,
    /// Starting the script, without any.
    pub(crate) spawn_ms: Spread,
    /// From asking for the execution to seeing its end.
    pub(crate) end_to_end_ms: Spread,
    pub(crate) at_a_time: usize,
    pub(crate) commands_per_s: f64,
    pub(crate) idle_memory: Memory,
    /// Of one processor.
    pub(crate) idle_cpu: f64,
    pub(crate) idle_seconds: f64,
    pub(crate) large: Large,
    pub(crate) load_average: f64,
}

/// A script that writes much.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Large {
    pub(crate) bytes: u64,
    /// `sh script >file`
    pub(crate) floor_s: f64,
    /// To the execution's end.
    pub(crate) ended_s: f64,
    /// To the last byte in the server's hands.
    pub(crate) whole_s: f64,
    /// To the first byte that could be read while the script ran. None if there was none.
    pub(crate) live_s: Option<f64>,
    pub(crate) last_bytes_read: bool,
    pub(crate) server_peak_kib: u64,
    pub(crate) agent_peak_kib: u64,
}

/// An agent in a process of its own, which ends with this value.
struct Agent {
    _child: Child,
    pid: u32,
}

impl Agent {
    async fn start(who: &Who, server: &Server, data: &Path, scripts: usize) -> Result<Agent, Fault> {
        let Who::Product(program) = who else { unreachable!("a ceiling has no agents") };
        let spawn = |source| Fault::Spawn { who: "agent".to_owned(), source };
        fs::create_dir_all(data).map_err(spawn)?;
        let mut command = Command::new(program);
        command.args(["agent", "--instance-id", INSTANCE, "--name", "bench", "--concurrency", &scripts.to_string()]);
        command.args(["--server", &format!("http://{}", server.address), "--data"]).arg(data);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(data.with_extension("stderr")).map_err(spawn)?);
        let child = command.kill_on_drop(true).process_group(0).spawn().map_err(spawn)?;
        let pid = child.id().unwrap_or_default();
        let mut client = Client::connect(server.address).await?;
        let asked = Instant::now();
        while asked.elapsed() < ONLINE_WITHIN {
            let online: Page<Instance> = client.get_json("/api/v1/instances").await?;
            if online.items.iter().any(|instance| instance.id == INSTANCE && instance.ping == "Online") {
                return Ok(Agent { _child: child, pid });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(Fault::TooLong { what: "an agent's first word", limit: ONLINE_WITHIN })
    }
}

#[derive(Debug, Deserialize)]
struct Page<T> {
    items: Vec<T>,
}

#[derive(Debug, Deserialize)]
struct Instance {
    id: String,
    ping: String,
}

#[derive(Debug, Deserialize)]
struct Sent {
    id: String,
}

pub(crate) async fn run(who: &Who, place: &Place, size: Size) -> Result<Agents, Fault> {
    let measured = tokio::time::timeout(LIMIT, measure(who, place, size)).await;
    measured.map_err(|_| Fault::TooLong { what: "the agent's workload", limit: LIMIT })?
}

async fn measure(who: &Who, place: &Place, size: Size) -> Result<Agents, Fault> {
    let server = Server::start(who, &place.directory("agent-server")).await?;
    let agent = Agent::start(who, &server, &place.directory("agent"), AT_A_TIME).await?;
    let rounds = rounds(&server, place, size.rounds).await?;
    let commands_per_s = at_once(&server, size.window).await?;
    let load_average = process::load();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (began, cpu) = (Instant::now(), process::cpu(agent.pid));
    tokio::time::sleep(size.idle).await;
    let idle_seconds = began.elapsed().as_secs_f64();
    let idle_cpu = process::cpu(agent.pid).saturating_sub(cpu).as_secs_f64() / idle_seconds;
    let idle_memory = process::memory(agent.pid);
    let large = large(&server, &agent, place, size.bytes).await?;
    drop(agent);
    server.kill().await?;
    Ok(Agents {
        rounds: size.rounds,
        first_line_ms: Spread::of(rounds.first_line),
        floor_ms: Spread::of(rounds.floor),
        flushes: FLUSHES,
        flush_ms: Spread::of(rounds.flush),
        spawn_ms: Spread::of(rounds.spawn),
        end_to_end_ms: Spread::of(rounds.end_to_end),
        at_a_time: AT_A_TIME,
        commands_per_s,
        idle_memory,
        idle_cpu,
        idle_seconds,
        large,
        load_average,
    })
}

/// In milliseconds.
#[derive(Debug, Default)]
struct Rounds {
    first_line: Vec<f64>,
    floor: Vec<f64>,
    flush: Vec<f64>,
    spawn: Vec<f64>,
    end_to_end: Vec<f64>,
}

/// One command after another, and before each its floor.
async fn rounds(server: &Server, place: &Place, count: usize) -> Result<Rounds, Fault> {
    let mut client = Client::connect(server.address).await?;
    let floor = Floor::new(&place.directory("floor")).await?;
    let mut lines = BufReader::new(floor.listen()?).lines();
    let said = floor.said();
    let machine = create(&mut client, "first-line", &machine(&said)).await?;
    let body = start_of(&machine, "{}");
    let mut rounds = Rounds::default();
    for round in 0..WARM + count {
        let mut heard = async || lines.next_line().await.map_err(floor_fault);
        let began = Instant::now();
        let flush = floor.flush()?;
        let spawning = Instant::now();
        let mut script = floor.spawn()?;
        heard().await?;
        let (spawn, whole) = (millis(spawning.elapsed()), millis(began.elapsed()));
        script.wait().await.map_err(floor_fault)?;

        let asked = Instant::now();
        let arn = client.start(&body).await?.arn;
        heard().await?;
        let first_line = millis(asked.elapsed());
        end_of(&mut client, &arn).await?;
        if round >= WARM {
            rounds.end_to_end.push(millis(asked.elapsed()));
            rounds.first_line.push(first_line);
            rounds.floor.push(whole);
            rounds.spawn.push(spawn);
            rounds.flush.extend(flush);
        }
    }
    Ok(rounds)
}

/// What running a script at most once costs without anything of the product.
struct Floor {
    script: PathBuf,
    fifo: PathBuf,
    log: File,
}

fn floor_fault(source: io::Error) -> Fault {
    Fault::Spawn { who: "floor".to_owned(), source }
}

impl Floor {
    async fn new(directory: &Path) -> Result<Floor, Fault> {
        fs::create_dir_all(directory).map_err(floor_fault)?;
        let fifo = directory.join("fifo");
        let made = Command::new("mkfifo").arg(&fifo).status().await.map_err(floor_fault)?;
        if !made.success() {
            return Err(floor_fault(io::Error::other("mkfifo failed")));
        }
        let log = OpenOptions::new().create(true).append(true).open(directory.join("log")).map_err(floor_fault)?;
        let floor = Floor { script: directory.join("script"), fifo, log };
        fs::write(&floor.script, floor.said()).map_err(floor_fault)?;
        Ok(floor)
    }

    /// The script: its first line tells this program's clock.
    fn said(&self) -> String {
        format!("echo >{}\n", self.fifo.display())
    }

    fn listen(&self) -> Result<pipe::Receiver, Fault> {
        // For writing too: so it does not end with the first who wrote.
        pipe::OpenOptions::new().read_write(true).open_receiver(&self.fifo).map_err(floor_fault)
    }

    fn flush(&self) -> Result<Vec<f64>, Fault> {
        let mut log = &self.log;
        let one = |_| {
            let began = Instant::now();
            log.write_all(&[b'.'; 512]).and_then(|()| log.sync_data()).map_err(floor_fault)?;
            Ok(millis(began.elapsed()))
        };
        (0..FLUSHES).map(one).collect()
    }

    fn spawn(&self) -> Result<Child, Fault> {
        let mut command = Command::new("/bin/sh");
        command.arg(&self.script).stdin(Stdio::null()).kill_on_drop(true).spawn().map_err(floor_fault)
    }
}

/// Commands by the second with [`AT_A_TIME`] in flight.
async fn at_once(server: &Server, window: Duration) -> Result<f64, Fault> {
    let mut client = Client::connect(server.address).await?;
    let machine = create(&mut client, "at-once", &machine("true")).await?;
    let (began, mut tasks) = (Instant::now(), JoinSet::new());
    for _ in 0..AT_A_TIME {
        let (mut client, body) = (Client::connect(server.address).await?, start_of(&machine, "{}"));
        tasks.spawn(async move {
            let mut done = 0;
            while began.elapsed() < window {
                let arn = client.start(&body).await?.arn;
                end_of(&mut client, &arn).await?;
                done += 1;
            }
            Ok::<usize, Fault>(done)
        });
    }
    let mut done = 0;
    while let Some(finished) = tasks.join_next().await {
        done += finished.map_err(|source| Fault::Client { source })??;
    }
    Ok(count(done) / began.elapsed().as_secs_f64())
}

/// A script that writes `bytes`, by itself and as a command.
async fn large(server: &Server, agent: &Agent, place: &Place, bytes: u64) -> Result<Large, Fault> {
    let script =
        format!("yes 0123456789abcdef0123456789abcdef | head -c {bytes}\nprintf '{}'\n", LAST_WORDS.trim_end());
    let floor_s = written_to_a_file(&script, place).await?;
    let mut client = Client::connect(server.address).await?;
    let machine = create(&mut client, "large", &machine(&script)).await?;
    let began = Instant::now();
    let arn = client.start(&start_of(&machine, "{}")).await?.arn;
    let total = bytes + LAST_WORDS.trim_end().len() as u64;
    let (mut live_s, mut ended_s, mut path) = (None, None, None);
    let last = loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if ended_s.is_none() {
            let described = client.describe(&arn).await?;
            if described.status != Status::Running {
                expect(&arn, &described, Status::Succeeded)?;
                ended_s = Some(began.elapsed().as_secs_f64());
            }
        }
        if path.is_none() {
            let sent: Page<Sent> = client.get_json("/api/v1/commands").await?;
            let of = |sent: &Sent| format!("/api/v1/commands/{}/invocations/{INSTANCE}/output?from=-64", sent.id);
            path = sent.items.first().map(of);
        }
        // There is none before the script has begun.
        let Some(path) = &path else { continue };
        let Ok(end) = client.get(path).await else { continue };
        let has: u64 = end.header("x-dandori-total").and_then(|total| total.parse().ok()).unwrap_or_default();
        if ended_s.is_none() && live_s.is_none() && has > 0 {
            live_s = Some(began.elapsed().as_secs_f64());
        }
        if ended_s.is_some() && has >= total {
            break end.body;
        }
    };
    Ok(Large {
        bytes,
        floor_s,
        ended_s: ended_s.unwrap_or_default(),
        whole_s: began.elapsed().as_secs_f64(),
        live_s,
        last_bytes_read: last.ends_with(LAST_WORDS.trim_end().as_bytes()),
        server_peak_kib: process::peak_kib(server.pid),
        agent_peak_kib: process::peak_kib(agent.pid),
    })
}

async fn written_to_a_file(script: &str, place: &Place) -> Result<f64, Fault> {
    let directory = place.directory("large");
    fs::create_dir_all(&directory).map_err(floor_fault)?;
    fs::write(directory.join("script"), script).map_err(floor_fault)?;
    let out = File::create(directory.join("out")).map_err(floor_fault)?;
    let began = Instant::now();
    let mut command = Command::new("/bin/sh");
    command.arg(directory.join("script")).stdin(Stdio::null()).stdout(out).kill_on_drop(true);
    command.status().await.map_err(floor_fault)?;
    let seconds = began.elapsed().as_secs_f64();
    fs::remove_dir_all(&directory).map_err(floor_fault)?;
    Ok(seconds)
}

async fn end_of(client: &mut Client, arn: &str) -> Result<(), Fault> {
    loop {
        let described = client.describe(arn).await?;
        if described.status != Status::Running {
            return expect(arn, &described, Status::Succeeded);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn machine(script: &str) -> Value {
    let parameters = json!({
        "DocumentName": "AWS-RunShellScript",
        "InstanceIds": [INSTANCE],
        "Parameters": { "commands": [script] },
    });
    let resource = "arn:aws:states:::ssm:sendCommand.sync";
    json!({ "StartAt": "Run", "States": {
        "Run": { "Type": "Task", "Resource": resource, "Parameters": parameters, "End": true },
    } })
}
