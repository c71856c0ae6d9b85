//! A real agent, real supervisors and real scripts, against a server that each test plays by hand.

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use agent::Config;
use api::agent::{
    AttemptState, Content, Ended, Failure, Finished, FromAgent, Hello, Offer, OutputTaken, StepEnded, ToAgent,
    Variable, Welcome, failure,
};
use base::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use document::{
    Action, Download, Job, Judgement, JudgementRule, Limits, LocalDocument, NextStep, Plan, Platform, Program, Ranges,
    Script, Secret, Source, Step, Stream, Verdict,
};
use futures_util::stream::SplitSink;
use futures_util::{SinkExt, StreamExt};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

const PROGRAM: &str = env!("CARGO_BIN_EXE_agent-for-tests");

const INSTANCE: &str = "mi-00000000000000001";

/// Longer than anything here takes, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server's port and an agent's directory, and what was started in them.
struct Stage {
    listener: TcpListener,
    root: PathBuf,
    /// What the server has of outputs, whatever becomes of connections.
    outputs: Outputs,
}

/// Of each stream of each step: what came, and whether it is the whole.
type Outputs = Arc<Mutex<BTreeMap<(String, u32, Stream), (Vec<u8>, bool)>>>;

impl Stage {
    async fn new() -> Stage {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let root = std::env::temp_dir().join(format!("agent-test-{:x}", agent::host::random().expect("random")));
        fs::create_dir_all(&root).expect("a directory");
        Stage { listener, root, outputs: Outputs::default() }
    }

    fn url(&self) -> String {
        format!("ws://{}", self.listener.local_addr().expect("a port"))
    }

    fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn config(&self) -> Config {
        Config {
            supervisor_command: vec![PROGRAM.into(), "agent-supervise".into()],
            instance_id: Some(INSTANCE.to_owned()),
            ..Config::new(self.url(), self.data()).expect("a config")
        }
    }

    /// An agent in this process.
    fn agent(&self) -> Running {
        self.agent_in_boot(&agent::host::boot_id().expect("a boot id"))
    }

    fn agent_in_boot(&self, boot_id: &str) -> Running {
        let (stop, stopped) = oneshot::channel::<()>();
        let (config, boot_id) = (self.config(), boot_id.to_owned());
        let task = tokio::spawn(async move {
            let stopped = async { stopped.await.unwrap_or_default() };
            agent::run::run_in_boot(config, boot_id, stopped).await.expect("the agent runs");
        });
        Running { stop, task }
    }

    /// An agent in a process of its own.
    fn agent_process(&self) -> AgentProcess {
        AgentProcess(Command::new(PROGRAM).arg(self.url()).arg(self.data()).spawn().expect("an agent"))
    }

    /// The agent's next connection, up to its hello.
    async fn connection(&self) -> (Server, Hello) {
        let (stream, _) = soon(self.listener.accept()).await.expect("a connection");
        let socket = soon(tokio_tungstenite::accept_async(stream)).await.expect("a handshake");
        let mut server = Server::new(socket, self.outputs.clone());
        match server.hear().await {
            FromAgent::Hello(hello) => (server, hello),
            other => panic!("hello comes first, not {other:?}"),
        }
    }

    /// A welcomed agent.
    async fn welcomed(&self) -> Server {
        let (mut server, _) = self.connection().await;
        server.welcome().await;
        server
    }

    /// Runs one script to its end on a new agent.
    async fn run(&self, offer: Offer) -> Finished {
        let agent = self.agent();
        let mut server = self.welcomed().await;
        let finished = server.run(offer).await;
        self.emptied().await;
        agent.stop().await;
        finished
    }

    /// What the server has of a stream, and whether it is the whole.
    fn output(&self, attempt: &str, step: u32, stream: Stream) -> (Vec<u8>, bool) {
        let key = (attempt.to_owned(), step, stream);
        self.outputs.lock().expect("outputs").get(&key).cloned().unwrap_or_default()
    }

    /// Waits until the agent has forgotten every attempt.
    async fn emptied(&self) {
        soon(self.emptied_at_last()).await;
    }

    async fn emptied_at_last(&self) {
        while fs::read_dir(self.data().join("attempts")).expect("a journal").next().is_some() {
            sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Whatever a failed test left running stands in the journal.
        for entry in fs::read_dir(self.data().join("attempts")).into_iter().flatten().flatten() {
            for name in ["script.json", "starting"] {
                let text = fs::read_to_string(entry.path().join(name)).unwrap_or_default();
                let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
                let process = json.get("supervisor").unwrap_or(&json).clone();
                let process: Option<agent::host::Process> = serde_json::from_value(process).ok();
                if let Some(process) =
                    process.filter(|process| process.is_alive() && process.pid != std::process::id() as i32)
                {
                    let _already_gone = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
                }
            }
        }
        let _ = fs::remove_dir_all(&self.root);
    }
}

struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    async fn stop(self) {
        self.stop.send(()).expect("the agent listens");
        soon(self.task).await.expect("the agent stops");
    }
}

struct AgentProcess(Child);

impl AgentProcess {
    /// As `kill -9` does.
    fn kill(&mut self) {
        self.0.kill().expect("the agent is ours");
        self.0.wait().expect("the agent is gone");
    }
}

impl Drop for AgentProcess {
    fn drop(&mut self) {
        let _already_gone = self.0.kill();
        let _already_gone = self.0.wait();
    }
}

/// A supervisor without an agent, whose script waits for a gate.
struct Supervised {
    process: Child,
    directory: PathBuf,
    gate: PathBuf,
}

impl Supervised {
    async fn new(stage: &Stage) -> Supervised {
        let (directory, gate) = (stage.data().join("attempts/a"), stage.path("gate"));
        let script = format!("while [ ! -e {} ]; do sleep 0.05; done", gate.display());
        let stored = serde_json::json!({ "instance_id": INSTANCE, "offer": offer(&script) });
        fs::create_dir_all(directory.join("work")).expect("a directory");
        fs::write(directory.join("offer.json"), stored.to_string()).expect("an offer");
        fs::write(directory.join("script"), script).expect("a script");
        let log = fs::File::create(stage.path("log")).expect("a log");
        let mut command = Command::new(PROGRAM);
        command.arg("agent-supervise").arg(&directory).stdout(Stdio::null()).stderr(log);
        let process = command.spawn().expect("a supervisor");
        appears(&directory.join("script.json")).await;
        Supervised { process, directory, gate }
    }

    async fn ends(&mut self) {
        soon(async {
            while self.process.try_wait().expect("a child").is_none() {
                sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        let _lets_the_script_end = fs::write(&self.gate, "");
        let _already_gone = self.process.kill();
        let _already_gone = self.process.wait();
    }
}

/// The server's end of one connection. It answers to pings and takes outputs by itself.
struct Server {
    sink: Sink,
    said: mpsc::UnboundedReceiver<FromAgent>,
    answers: JoinHandle<()>,
}

type Sink = Arc<tokio::sync::Mutex<SplitSink<WebSocketStream<TcpStream>, Message>>>;

impl Drop for Server {
    fn drop(&mut self) {
        self.answers.abort();
    }
}

impl Server {
    fn new(socket: WebSocketStream<TcpStream>, outputs: Outputs) -> Server {
        let (sink, mut stream) = socket.split();
        let sink = Arc::new(tokio::sync::Mutex::new(sink));
        let (tell, said) = mpsc::unbounded_channel();
        let answer_by = sink.clone();
        let answers = tokio::spawn(async move {
            while let Some(Ok(message)) = stream.next().await {
                let Message::Text(text) = message else { continue };
                let answer = match serde_json::from_str(&text).expect("a message of ours") {
                    FromAgent::Ping => ToAgent::Pong,
                    FromAgent::Output(output) => ToAgent::OutputTaken(take(&outputs, output)),
                    message => {
                        let _nobody_hears = tell.send(message);
                        continue;
                    }
                };
                send(&answer_by, &answer).await;
            }
        });
        Server { sink, said, answers }
    }

    /// The next message that is neither a ping nor an output.
    async fn hear(&mut self) -> FromAgent {
        soon(self.said.recv()).await.expect("a sound connection")
    }

    async fn hear_nothing(&mut self) {
        if let Ok(message) = timeout(Duration::from_millis(300), self.hear()).await {
            panic!("nothing should be said, but {message:?}");
        }
    }

    async fn say(&mut self, message: ToAgent) {
        send(&self.sink, &message).await;
    }

    async fn welcome(&mut self) {
        let server_time = now();
        self.say(ToAgent::Welcome(Welcome {
            server_time,
            lost_after_seconds: 60,
            ping_seconds: 10,
            settings: Default::default(),
        }))
        .await;
    }

    async fn offer_and_go(&mut self, offer: Offer) {
        let attempt = offer.attempt.clone();
        self.say(ToAgent::Offer(offer)).await;
        assert_eq!(self.hear().await, FromAgent::Accepted { attempt: attempt.clone() });
        self.say(ToAgent::Go { attempt }).await;
    }

    async fn hear_started(&mut self) {
        let message = self.hear().await;
        assert!(matches!(message, FromAgent::Started { .. }), "{message:?}");
    }

    async fn hear_finished(&mut self) -> Finished {
        match self.hear().await {
            FromAgent::Finished(finished) => finished,
            other => panic!("a result is expected, not {other:?}"),
        }
    }

    async fn acknowledge(&mut self, finished: &Finished) {
        self.say(ToAgent::Acknowledged { attempt: finished.attempt.clone() }).await;
    }

    async fn run(&mut self, offer: Offer) -> Finished {
        self.offer_and_go(offer).await;
        self.hear_started().await;
        let finished = self.hear_finished().await;
        self.acknowledge(&finished).await;
        finished
    }
}

async fn send(sink: &Sink, message: &ToAgent) {
    let text = serde_json::to_string(message).expect("a message has a text");
    let _gone = soon(sink.lock().await.send(Message::text(text))).await;
}

/// Keeps a part of an output that fits to what came before.
fn take(outputs: &Outputs, output: api::agent::Output) -> OutputTaken {
    let mut outputs = outputs.lock().expect("outputs");
    let (bytes, done) = outputs.entry((output.attempt.clone(), output.step, output.stream)).or_default();
    if output.offset == bytes.len() as u64 {
        bytes.extend(BASE64.decode(output.data).expect("base 64"));
        *done |= output.end;
    }
    OutputTaken {
        attempt: output.attempt,
        step: output.step,
        stream: output.stream,
        offset: bytes.len() as u64,
        done: *done,
    }
}

/// What is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<(Instant, String)>>>);

impl Log {
    /// When each line that has `words` was said.
    fn times(&self, words: &str) -> Vec<Instant> {
        let lines = self.0.lock().expect("a log");
        lines.iter().filter(|(_, line)| line.contains(words)).map(|(at, _)| *at).collect()
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = event.metadata().level().to_string();
        event.record(&mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            line += &format!(" {field}={value:?}");
        });
        self.0.lock().expect("a log").push((Instant::now(), line));
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

fn offer(script: &str) -> Offer {
    scripted(Script { text: script.to_owned(), ..script_default() })
}

fn scripted(script: Script) -> Offer {
    Offer {
        attempt: "c.mi-1.1".to_owned(),
        document: "AWS-RunShellScript".to_owned(),
        plan: Plan::shell(script),
        secrets: vec![],
        expires_at: now().plus_seconds(60),
    }
}

fn script_default() -> Script {
    Script {
        text: "true".to_owned(),
        working_directory: String::new(),
        execution_timeout_seconds: 60,
        environment: vec![],
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    Timestamp(since.as_millis() as i64)
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it happens soon")
}

async fn appears(path: &Path) {
    soon(async {
        while !path.exists() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// A killed process takes a moment to be gone.
async fn goes(pid: i32) {
    soon(async {
        while agent::host::Process::of(pid).is_alive() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

fn failure_of(finished: &Finished) -> (&str, &str, Option<i64>) {
    match &finished.ended {
        Ended::Failure(failure) => (&failure.code, &failure.message, failure.exit_code),
        Ended::ExitCode(code) => panic!("a failure is expected, not exit code {code}"),
    }
}

#[tokio::test]
async fn a_script_runs_and_is_forgotten() {
    let stage = Stage::new().await;
    let agent = stage.agent();
    let (mut server, hello) = stage.connection().await;
    assert_eq!((hello.instance_id.as_str(), hello.platform_type.as_str(), hello.incarnation), (INSTANCE, "Linux", 1));
    assert_eq!((hello.ip.as_deref(), hello.attempts), (Some("127.0.0.1"), vec![]));
    server.welcome().await;

    let environment = vec![Variable { name: "GREETING".to_owned(), value: "$(id); 'hi'".to_owned() }];
    let script = "echo \"$GREETING $AWS_SSM_INSTANCE_ID $DANDORI_ATTEMPT\"; echo oh >&2; cat; ls -A; exit 3\n";
    let finished = server.run(scripted(Script { environment, text: script.to_owned(), ..script_default() })).await;
    assert_eq!(finished.ended, Ended::ExitCode(3));
    assert_eq!(finished.stdout, format!("$(id); 'hi' {INSTANCE} c.mi-1.1\n"));
    assert_eq!(
        (finished.stderr.as_str(), finished.stdout_truncated, finished.stderr_truncated),
        ("oh\n", false, false)
    );
    assert!(finished.started_at <= finished.finished_at);

    let finished = server.run(Offer { attempt: "second".to_owned(), ..offer("exit 0") }).await;
    assert_eq!(finished.ended, Ended::ExitCode(0));
    stage.emptied().await;
    agent.stop().await;
    let agent = stage.agent();
    let (_server, hello) = stage.connection().await;
    assert_eq!((hello.incarnation, hello.attempts), (2, vec![]));
    agent.stop().await;
}

#[tokio::test]
async fn the_first_line_runs_soon_after_go() {
    let stage = Stage::new().await;
    let agent = stage.agent();
    let mut server = stage.welcomed().await;
    let mut took: Vec<Duration> = vec![];
    for at in 0..10 {
        let path = stage.path(&format!("first-{at}"));
        let script = format!(": > {}", path.display());
        server.say(ToAgent::Offer(Offer { attempt: at.to_string(), ..offer(&script) })).await;
        server.hear().await;
        let gone = Instant::now();
        server.say(ToAgent::Go { attempt: at.to_string() }).await;
        soon(async {
            while !path.exists() {
                sleep(Duration::from_micros(200)).await;
            }
        })
        .await;
        took.push(gone.elapsed());
        server.hear_started().await;
        let finished = server.hear_finished().await;
        server.acknowledge(&finished).await;
    }
    took.sort();
    // It takes 6 ms where nothing else runs. This machine may be busy: the best of ten must do.
    assert!(took[0] < Duration::from_millis(50), "{took:?}");
    agent.stop().await;
}

#[tokio::test]
async fn a_script_names_its_interpreter() {
    let stage = Stage::new().await;
    let finished = stage.run(offer("#!/usr/bin/env -S cat -n\nhello")).await;
    assert_eq!(
        (finished.ended, finished.stdout.contains("2\thello")),
        (Ended::ExitCode(0), true),
        "{}",
        finished.stdout
    );
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let stage = Stage::new().await;
    let finished = stage.run(offer("#!/no/such/interpreter\n")).await;
    let (code, message, _) = failure_of(&finished);
    assert_eq!(code, failure::SCRIPT_MISSING);
    assert!(message.contains("#!/no/such/interpreter"), "{message}");

    let finished = stage.run(offer("#!/etc/passwd\n")).await;
    assert_eq!(failure_of(&finished).0, failure::NOT_EXECUTABLE);

    let finished = stage.run(scripted(Script { working_directory: "/no/such".to_owned(), ..script_default() })).await;
    assert_eq!(
        failure_of(&finished),
        (failure::WORKING_DIRECTORY_MISSING, "working directory /no/such does not exist", None)
    );

    // The shell's own words for what a script calls.
    let finished = stage.run(offer("echo before; /no/such/script.sh")).await;
    assert_eq!((finished.ended, finished.stdout.as_str()), (Ended::ExitCode(127), "before\n"));
    assert!(finished.stderr.contains("/no/such/script.sh"), "{}", finished.stderr);
    let finished = stage.run(offer("/etc/passwd")).await;
    assert_eq!(finished.ended, Ended::ExitCode(126));
}

#[tokio::test]
async fn a_working_directory_is_where_a_script_runs() {
    let stage = Stage::new().await;
    let finished = stage
        .run(scripted(Script { text: "pwd".to_owned(), working_directory: "/usr".to_owned(), ..script_default() }))
        .await;
    assert_eq!(finished.stdout, "/usr\n");
}

#[tokio::test]
async fn a_signal_is_a_failure_with_the_shells_code() {
    let stage = Stage::new().await;
    let finished = stage.run(offer("echo before; kill -KILL $$")).await;
    assert_eq!(failure_of(&finished), (failure::KILLED, "script was killed by SIGKILL", Some(137)));
    assert_eq!(finished.stdout, "before\n");
}

#[tokio::test]
async fn a_flood_is_kept_whole_and_comes_whole() {
    let stage = Stage::new().await;
    let mut agent = stage.agent_process();
    let mut server = stage.welcomed().await;
    let script = "head -c 64000000 /dev/zero | tr '\\0' 'y'; echo; echo the end; head -c 1000000 /dev/zero >&2";
    server.offer_and_go(offer(script)).await;
    server.hear_started().await;
    let finished = server.hear_finished().await;
    assert_eq!(finished.ended, Ended::ExitCode(0));
    assert_eq!((finished.stdout.chars().count(), finished.stdout_truncated), (24_000, true));
    assert_eq!((finished.stderr.chars().count(), finished.stderr_truncated), (8_000, true));
    server.acknowledge(&finished).await;
    // A connection that breaks costs nothing but what was on its way.
    drop(server);
    let _server = stage.welcomed().await;
    timeout(6 * PATIENCE, stage.emptied_at_last()).await.expect("all of it comes");
    let peak = fs::read_to_string(format!("/proc/{}/status", agent.0.id())).expect("a process");
    let peak = peak.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its memory");
    let peak_kb: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(peak_kb < 100_000, "{peak_kb} kB");
    let (stdout, whole) = stage.output("c.mi-1.1", 0, Stream::Stdout);
    assert!(whole && stdout.len() == 64_000_009 && stdout.ends_with(b"y\nthe end\n"), "{} bytes", stdout.len());
    assert_eq!(stage.output("c.mi-1.1", 0, Stream::Stderr).0.len(), 1_000_000);
    agent.kill();
}

#[tokio::test]
async fn output_follows_while_a_script_runs() {
    let stage = Stage::new().await;
    let agent = stage.agent();
    let mut server = stage.welcomed().await;
    let gate = stage.path("gate");
    server.offer_and_go(offer(&format!("echo first; while [ ! -e {} ]; do sleep 0.05; done", gate.display()))).await;
    server.hear_started().await;
    soon(async {
        while stage.output("c.mi-1.1", 0, Stream::Stdout) != (b"first\n".to_vec(), false) {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    fs::write(&gate, "").expect("a gate");
    let finished = server.hear_finished().await;
    server.acknowledge(&finished).await;
    stage.emptied().await;
    assert_eq!(stage.output("c.mi-1.1", 0, Stream::Stdout), (b"first\n".to_vec(), true));
    agent.stop().await;
}

fn walk(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn a_script_that_takes_too_long_is_killed_with_its_children() {
    let stage = Stage::new().await;
    let started = Instant::now();
    let script = "sleep 300 & echo $!; trap '' TERM; sleep 300";
    let finished =
        stage.run(scripted(Script { text: script.to_owned(), execution_timeout_seconds: 1, ..script_default() })).await;
    // The shell outlives the TERM, loses its sleep to it, and is at its end.
    assert_eq!(failure_of(&finished).0, failure::TIMED_OUT);
    assert!(started.elapsed() >= Duration::from_secs(1));
    let child: i32 = finished.stdout.trim().parse().expect("a process");
    goes(child).await;
}

#[tokio::test]
async fn a_script_that_will_not_end_is_killed_for_good() {
    let stage = Stage::new().await;
    let script = "trap '' TERM; while :; do sleep 1; done";
    let finished =
        stage.run(scripted(Script { text: script.to_owned(), execution_timeout_seconds: 1, ..script_default() })).await;
    assert_eq!(failure_of(&finished), (failure::TIMED_OUT, "script ran for longer than 1 seconds", Some(137)));
}

#[tokio::test]
async fn a_script_leaves_nothing_behind_and_a_daemon_holds_nothing_up() {
    let stage = Stage::new().await;
    let started = Instant::now();
    let finished = stage.run(offer("sleep 300 & echo $!; setsid sleep 9 & exit 0")).await;
    assert_eq!(finished.ended, Ended::ExitCode(0));
    assert!(started.elapsed() < Duration::from_secs(8));
    let child: i32 = finished.stdout.trim().parse().expect("a process");
    goes(child).await;
}

#[tokio::test]
async fn a_running_script_is_cancelled() {
    let stage = Stage::new().await;
    let agent = stage.agent();
    let mut server = stage.welcomed().await;
    let marker = stage.path("running");
    server.offer_and_go(offer(&format!("echo begun; : > {}; sleep 300", marker.display()))).await;
    server.hear_started().await;
    appears(&marker).await;
    server.say(ToAgent::Cancel { attempt: "c.mi-1.1".to_owned() }).await;
    let finished = server.hear_finished().await;
    assert_eq!(failure_of(&finished), (failure::CANCELLED, "cancelled while it ran", Some(143)));
    assert_eq!(finished.stdout, "begun\n");
    agent.stop().await;
}

#[tokio::test]
async fn what_is_cancelled_before_go_never_begins() {
    let stage = Stage::new().await;
    let agent = stage.agent();
    let mut server = stage.welcomed().await;
    let marker = stage.path("begun");
    let offer = offer(&format!(": > {}", marker.display()));
    server.say(ToAgent::Offer(offer.clone())).await;
    server.hear().await;
    server.say(ToAgent::Cancel { attempt: offer.attempt.clone() }).await;
    server.say(ToAgent::Go { attempt: offer.attempt }).await;
    let finished = server.hear_finished().await;
    assert_eq!((failure_of(&finished).0, finished.started_at), (failure::CANCELLED, None));
    server.acknowledge(&finished).await;
    sleep(Duration::from_millis(200)).await;
    assert!(!marker.exists());
    agent.stop().await;
}

#[tokio::test]
async fn what_is_said_twice_runs_once() {
    let stage = Stage::new().await;
    let agent = stage.agent();
    let mut server = stage.welcomed().await;
    let runs = stage.path("runs");
    let offer = offer(&format!("echo run >> {}; sleep 0.3", runs.display()));
    for _ in 0..3 {
        server.say(ToAgent::Offer(offer.clone())).await;
    }
    server.hear().await;
    for _ in 0..3 {
        server.say(ToAgent::Go { attempt: offer.attempt.clone() }).await;
    }
    let mut finished = None;
    while finished.is_none() {
        match server.hear().await {
            FromAgent::Finished(this) => finished = Some(this),
            FromAgent::Accepted { .. } | FromAgent::Started { .. } => server.say(ToAgent::Offer(offer.clone())).await,
            other => panic!("{other:?}"),
        }
    }
    let finished = finished.expect("it finished");
    // Said again until it is acknowledged, and then no more.
    server.say(ToAgent::Go { attempt: offer.attempt.clone() }).await;
    while server.hear().await != FromAgent::Finished(finished.clone()) {}
    server.acknowledge(&finished).await;
    stage.emptied().await;
    while timeout(Duration::from_millis(300), server.hear()).await.is_ok() {}
    server.say(ToAgent::Go { attempt: offer.attempt.clone() }).await;
    server.hear_nothing().await;
    assert_eq!(fs::read_to_string(&runs).expect("it ran"), "run\n");
    agent.stop().await;
}

#[tokio::test]
async fn a_server_that_was_away_gets_the_result() {
    let stage = Stage::new().await;
    let agent = stage.agent();
    let mut server = stage.welcomed().await;
    server.offer_and_go(offer("sleep 0.5; echo done")).await;
    server.hear_started().await;
    drop(server);
    sleep(Duration::from_secs(1)).await;

    let (mut server, hello) = stage.connection().await;
    assert_eq!(hello.attempts.iter().map(|report| report.attempt.as_str()).collect::<Vec<_>>(), ["c.mi-1.1"]);
    server.welcome().await;
    let first = server.hear_finished().await;
    assert_eq!((&first.ended, first.stdout.as_str()), (&Ended::ExitCode(0), "done\n"));
    // Gone again before the acknowledgement.
    drop(server);
    let (mut server, _) = stage.connection().await;
    server.welcome().await;
    let second = server.hear_finished().await;
    assert_eq!(second, first);
    server.acknowledge(&second).await;
    server.hear_nothing().await;
    drop(server);
    let (_server, hello) = stage.connection().await;
    assert_eq!(hello.attempts, []);
    agent.stop().await;
}

#[tokio::test]
async fn a_script_survives_the_agent_and_runs_once() {
    let stage = Stage::new().await;
    let mut agent = stage.agent_process();
    let mut server = stage.welcomed().await;
    let (runs, gate) = (stage.path("runs"), stage.path("gate"));
    let script =
        format!("echo run >> {}; while [ ! -e {} ]; do sleep 0.05; done; echo done", runs.display(), gate.display());
    server.offer_and_go(offer(&script)).await;
    server.hear_started().await;
    appears(&runs).await;
    agent.kill();
    drop(server);

    let _agent = stage.agent_process();
    let (mut server, hello) = stage.connection().await;
    assert_eq!(hello.attempts.iter().map(|report| report.state).collect::<Vec<_>>(), [AttemptState::Running]);
    server.welcome().await;
    server.say(ToAgent::Go { attempt: "c.mi-1.1".to_owned() }).await;
    server.hear_started().await;
    fs::write(&gate, "").expect("a gate");
    let finished = server.hear_finished().await;
    assert_eq!((finished.ended.clone(), finished.stdout.as_str()), (Ended::ExitCode(0), "done\n"));
    server.acknowledge(&finished).await;
    server.hear_nothing().await;
    assert_eq!(fs::read_to_string(&runs).expect("it ran"), "run\n");
}

#[tokio::test]
async fn an_agent_is_replaced_while_a_script_runs() {
    let stage = Stage::new().await;
    let program = stage.path("agent");
    let install = || {
        // As a package does it: another file under the same name.
        let aside = stage.path("agent.new");
        fs::copy(PROGRAM, &aside).expect("a copy");
        fs::rename(&aside, &program).expect("in its place");
        AgentProcess(Command::new(&program).arg(stage.url()).arg(stage.data()).spawn().expect("an agent"))
    };
    let mut agent = install();
    let mut server = stage.welcomed().await;
    let gate = stage.path("gate");
    let first = shell_step("one", &format!("echo one; while [ ! -e {} ]; do sleep 0.05; done", gate.display()));
    // The supervisor's own program is gone from its place by then.
    let limits = Limits { cpu_seconds: Some(60), ..Limits::default() };
    let second = Step::new("two", Action::Job(Box::new(Job { limits, ..job_script("echo two") })));
    server.offer_and_go(planned(vec![first, second])).await;
    server.hear_started().await;
    agent.kill();
    drop(server);

    let mut agent = install();
    let (mut server, hello) = stage.connection().await;
    assert_eq!(hello.attempts.iter().map(|report| report.state).collect::<Vec<_>>(), [AttemptState::Running]);
    server.welcome().await;
    fs::write(&gate, "").expect("a gate");
    let finished = server.hear_finished().await;
    assert_eq!((&finished.ended, &*finished.stdout), (&Ended::ExitCode(0), "one\ntwo\n"));
    server.acknowledge(&finished).await;
    stage.emptied().await;
    agent.kill();
}

#[tokio::test]
async fn an_agent_killed_at_any_moment_runs_a_script_at_most_once() {
    let stage = Stage::new().await;
    for round in 0..12_u64 {
        let runs = stage.path(&format!("runs-{round}"));
        let offer = Offer { attempt: format!("c.mi-1.{round}"), ..offer(&format!("echo run >> {}", runs.display())) };
        let mut agent = stage.agent_process();
        let mut server = stage.welcomed().await;
        server.say(ToAgent::Offer(offer.clone())).await;
        server.hear().await;
        server.say(ToAgent::Go { attempt: offer.attempt.clone() }).await;
        sleep(Duration::from_millis(round)).await;
        agent.kill();
        drop(server);

        // The server knows only that it said go, and says it again.
        let _agent = stage.agent_process();
        let (mut server, hello) = stage.connection().await;
        assert_eq!(hello.attempts.len(), 1, "{hello:?}");
        server.welcome().await;
        server.say(ToAgent::Go { attempt: offer.attempt.clone() }).await;
        let finished = loop {
            if let FromAgent::Finished(finished) = server.hear().await {
                break finished;
            }
        };
        assert_eq!(finished.ended, Ended::ExitCode(0), "round {round}");
        server.acknowledge(&finished).await;
        stage.emptied().await;
        assert_eq!(fs::read_to_string(&runs).expect("it ran"), "run\n", "round {round}");
    }
}

#[tokio::test]
async fn a_supervisor_that_is_killed_leaves_an_indeterminate_attempt_and_no_script() {
    let stage = Stage::new().await;
    let agent = stage.agent();
    let mut server = stage.welcomed().await;
    let pid = stage.path("pid");
    server.offer_and_go(offer(&format!("echo begun; echo $$ $PPID > {}; sleep 300", pid.display()))).await;
    server.hear_started().await;
    let pids = soon(async {
        loop {
            let text = fs::read_to_string(&pid).unwrap_or_default();
            if text.ends_with('\n') {
                break text;
            }
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    // The supervisor knows its script and has read what it wrote.
    let len = |name: &str| {
        walk(&stage.data())
            .iter()
            .filter(|path| path.ends_with(name))
            .map(|path| fs::metadata(path).map_or(0, |file| file.len()))
            .sum::<u64>()
    };
    soon(async {
        while len("script.json") == 0 || len("stdout") == 0 {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let pids: Vec<i32> = pids.split_whitespace().map(|pid| pid.parse().expect("a process")).collect();
    kill(Pid::from_raw(pids[1]), Signal::SIGKILL).expect("the supervisor is ours");
    let finished = server.hear_finished().await;
    assert_eq!(failure_of(&finished).0, failure::INDETERMINATE);
    assert_eq!((finished.stdout.as_str(), finished.started_at.is_some()), ("begun\n", true));
    goes(pids[0]).await;
    agent.stop().await;
}

#[tokio::test]
async fn a_supervisor_without_its_directory_gives_up() {
    let stage = Stage::new().await;
    let mut supervised = Supervised::new(&stage).await;
    fs::rename(&supervised.directory, stage.path("away")).expect("away");
    fs::write(&supervised.gate, "").expect("a gate");
    supervised.ends().await;
}

#[tokio::test]
async fn a_supervisor_that_cannot_write_its_result_tries_until_it_is_told_to_end() {
    let stage = Stage::new().await;
    let mut supervised = Supervised::new(&stage).await;
    let aside = format!("exit.tmp-{}", supervised.process.id());
    fs::create_dir(supervised.directory.join(aside)).expect("an obstacle");
    fs::write(&supervised.gate, "").expect("a gate");
    soon(async {
        while fs::read_to_string(stage.path("log")).expect("a log").lines().count() < 2 {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    kill(Pid::from_raw(supervised.process.id() as i32), Signal::SIGTERM).expect("the supervisor is ours");
    supervised.ends().await;
}

#[tokio::test]
async fn what_ran_when_the_host_went_down_is_indeterminate() {
    let stage = Stage::new().await;
    let agent = stage.agent_in_boot("boot 1");
    let mut server = stage.welcomed().await;
    let (marker, gate) = (stage.path("running"), stage.path("gate"));
    server
        .offer_and_go(offer(&format!(
            ": > {}; while [ ! -e {} ]; do sleep 0.05; done",
            marker.display(),
            gate.display()
        )))
        .await;
    server.hear_started().await;
    appears(&marker).await;
    agent.stop().await;
    drop(server);

    // The supervisor noted the true boot id, so that this agent's is another one.
    let agent = stage.agent_in_boot("boot 2");
    let (mut server, hello) = stage.connection().await;
    assert_eq!((hello.boot_id.as_str(), hello.attempts[0].state), ("boot 2", AttemptState::Finished));
    server.welcome().await;
    let finished = server.hear_finished().await;
    assert_eq!(failure_of(&finished).0, failure::INDETERMINATE);
    fs::write(&gate, "").expect("a gate");
    agent.stop().await;
}

#[tokio::test]
async fn what_was_accepted_before_the_host_went_down_may_still_go() {
    let stage = Stage::new().await;
    let agent = stage.agent_in_boot("boot 1");
    let mut server = stage.welcomed().await;
    server.say(ToAgent::Offer(offer("echo once"))).await;
    server.hear().await;
    agent.stop().await;
    drop(server);

    let agent = stage.agent();
    let (mut server, hello) = stage.connection().await;
    assert_eq!(hello.attempts[0].state, AttemptState::Accepted);
    server.welcome().await;
    server.say(ToAgent::Go { attempt: "c.mi-1.1".to_owned() }).await;
    server.hear_started().await;
    assert_eq!(server.hear_finished().await.stdout, "once\n");
    agent.stop().await;
}

#[tokio::test]
async fn more_than_the_workers_wait() {
    let stage = Stage::new().await;
    let config = Config { concurrency_max: 2, ..stage.config() };
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        agent::run(config, async { stopped.await.unwrap_or_default() }).await.expect("the agent runs")
    });
    let mut server = stage.welcomed().await;
    for attempt in ["a", "b", "c"] {
        server.say(ToAgent::Offer(Offer { attempt: attempt.to_owned(), ..offer("true") })).await;
    }
    assert_eq!(server.hear().await, FromAgent::Accepted { attempt: "a".to_owned() });
    assert_eq!(server.hear().await, FromAgent::Accepted { attempt: "b".to_owned() });
    server.hear_nothing().await;
    server.say(ToAgent::Go { attempt: "b".to_owned() }).await;
    server.hear_started().await;
    assert_eq!(server.hear_finished().await.attempt, "b");
    assert_eq!(server.hear().await, FromAgent::Accepted { attempt: "c".to_owned() });
    stop.send(()).expect("the agent listens");
    soon(task).await.expect("the agent stops");
}

#[tokio::test]
async fn a_supervisor_that_cannot_start_is_a_named_failure() {
    let stage = Stage::new().await;
    for (program, words) in [("/no/such/program", "No such file"), ("/bin/false", "supervisor did not start")] {
        let config = Config { supervisor_command: vec![program.into()], ..stage.config() };
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            agent::run(config, async { stopped.await.unwrap_or_default() }).await.expect("the agent runs")
        });
        let mut server = stage.welcomed().await;
        server.offer_and_go(Offer { attempt: program.to_owned(), ..offer("true") }).await;
        let finished = server.hear_finished().await;
        let (code, message, _) = failure_of(&finished);
        assert_eq!((code, message.contains(words)), (failure::START_FAILED, true), "{message}");
        assert_eq!(finished.started_at, None);
        server.acknowledge(&finished).await;
        stage.emptied().await;
        stop.send(()).expect("the agent listens");
        soon(task).await.expect("the agent stops");
    }
}

#[tokio::test]
async fn what_cannot_be_kept_is_undeliverable_and_the_agent_goes_on() {
    let stage = Stage::new().await;
    let agent = stage.agent();
    let mut server = stage.welcomed().await;
    let (attempts, aside) = (stage.data().join("attempts"), stage.path("aside"));
    fs::rename(&attempts, &aside).expect("aside");
    server.say(ToAgent::Offer(offer("true"))).await;
    let finished = server.hear_finished().await;
    assert_eq!(failure_of(&finished).0, failure::UNDELIVERABLE);
    fs::rename(&aside, &attempts).expect("back");
    server.acknowledge(&finished).await;
    assert_eq!(server.run(Offer { attempt: "second".to_owned(), ..offer("true") }).await.ended, Ended::ExitCode(0));
    agent.stop().await;
}

#[tokio::test]
async fn a_second_agent_says_that_it_waits_and_gives_up() {
    let stage = Stage::new().await;
    let first = stage.agent();
    let _server = stage.welcomed().await;
    let log = Log::default();
    let _logged = tracing::subscriber::set_default(log.clone());
    let started = Instant::now();
    let error = soon(agent::run(stage.config(), std::future::pending())).await.expect_err("the directory is held");
    let data = stage.data().display().to_string();
    assert_eq!(error.to_string(), format!("open the agent's directory {data}: another agent has it open"));
    assert!(started.elapsed() >= Duration::from_secs(5));
    let said =
        log.times(&format!("WARN message=another agent has the directory open; waiting for it directory={data}"));
    assert_eq!(said.len(), 1);
    assert!(said[0] - started < Duration::from_secs(1));
    first.stop().await;
}

fn planned(steps: Vec<Step>) -> Offer {
    Offer { plan: Plan { steps }, ..offer("") }
}

fn shell_step(name: &str, script: &str) -> Step {
    Step::new(name, Action::Shell(Script { text: script.to_owned(), ..script_default() }))
}

fn job_default() -> Job {
    Job {
        program: Program::Script(String::new()),
        arguments: vec![],
        user: None,
        working_directory: String::new(),
        environment: vec![],
        secrets: vec![],
        stdin: None,
        execution_timeout_seconds: 60,
        limits: Limits::default(),
        judgement: Judgement::default(),
        retry: None,
        lost_after_seconds: None,
    }
}

fn job(job: Job) -> Offer {
    planned(vec![Step::new("job", Action::Job(Box::new(job)))])
}

fn job_script(text: &str) -> Job {
    Job { program: Program::Script(text.to_owned()), ..job_default() }
}

/// What a list of texts looks like when each is a line of its own, with its length.
const SHOW: &str = r#"for one in "$@"; do printf '%s:%s\n' "${#one}" "$one"; done; cat; printf '%s' "$HOSTILE""#;

#[tokio::test]
async fn steps_run_in_order_and_each_is_told() {
    let stage = Stage::new().await;
    let steps = vec![
        shell_step("one", "echo 1 > shared; echo out one"),
        Step { platform: Some(Platform::Windows), ..shell_step("elsewhere", "echo never") },
        Step { on_failure: NextStep::Exit, ..shell_step("two", "cat shared; echo err two >&2; exit 4") },
        shell_step("three", "echo never"),
        Step { finally: true, ..shell_step("last", "echo out last") },
    ];
    let finished = stage.run(planned(steps)).await;
    assert_eq!(finished.ended, Ended::ExitCode(4));
    assert_eq!((finished.verdict, finished.stdout.as_str()), (Verdict::Abnormal, "out one\n1\nout last\n"));
    let told: Vec<_> = finished.steps.iter().map(|step| (step.name.as_str(), &step.ended, &*step.stdout)).collect();
    let skipped = |why: &str| StepEnded::Skipped(format!("Step execution skipped{why}"));
    assert_eq!(
        told,
        [
            ("one", &StepEnded::ExitCode(0), "out one\n"),
            ("elsewhere", &skipped(" due to incompatible platform. Step name: elsewhere"), ""),
            ("two", &StepEnded::ExitCode(4), "1\n"),
            ("three", &skipped(": step two ended the document. Step name: three"), ""),
            ("last", &StepEnded::ExitCode(0), "out last\n"),
        ]
    );
    assert_eq!(finished.steps[2].stderr, "err two\n");
    assert_eq!(stage.output("c.mi-1.1", 4, Stream::Stdout), (b"out last\n".to_vec(), true));
    assert_eq!(stage.output("c.mi-1.1", 1, Stream::Stdout), (vec![], false));
}

#[tokio::test]
async fn a_cancelled_attempt_runs_no_further_step() {
    let stage = Stage::new().await;
    let agent = stage.agent();
    let mut server = stage.welcomed().await;
    let marker = stage.path("running");
    let first = shell_step("one", &format!(": > {}; sleep 300", marker.display()));
    server.offer_and_go(planned(vec![first, shell_step("two", "echo never")])).await;
    server.hear_started().await;
    appears(&marker).await;
    server.say(ToAgent::Cancel { attempt: "c.mi-1.1".to_owned() }).await;
    let finished = server.hear_finished().await;
    assert_eq!(failure_of(&finished).0, failure::CANCELLED);
    assert_eq!(finished.steps.len(), 2);
    assert!(finished.steps[1].started_at.is_none());
    agent.stop().await;
}

#[tokio::test]
async fn hostile_texts_reach_a_job_as_they_are() {
    let stage = Stage::new().await;
    let canary = stage.path("canary");
    let touch = format!("touch {}", canary.display());
    let hostile: Vec<String> =
        ["", "-n", "--help", "-rf /", "*", "~", "%s%n", "\\", "\r", "a\nb\n", "é漢\u{1f600}", "$HOME"]
            .map(str::to_owned)
            .into_iter()
            .chain([format!("$({touch})"), format!("`{touch}`"), format!("; {touch}"), format!("| {touch}")])
            .chain([
                format!("' ; {touch} ; '"),
                format!("\" ; {touch} ; \""),
                format!("\n{touch}\n"),
                format!("&& {touch} #"),
            ])
            .collect();
    let expected: String = hostile.iter().map(|one| format!("{}\n", one)).collect();
    for program in [Program::Script(SHOW.to_owned()), Program::Script(format!("#!/bin/sh\n{SHOW}"))] {
        let stdin = hostile.join("\n");
        let environment = vec![Variable { name: "HOSTILE".to_owned(), value: hostile.concat() }];
        let arguments = hostile.clone();
        let finished =
            stage.run(job(Job { program, arguments, stdin: Some(stdin.clone()), environment, ..job_default() })).await;
        assert_eq!(finished.ended, Ended::ExitCode(0), "{}", finished.stderr);
        let lengths_away: String = expected.clone();
        assert!(finished.stdout.ends_with(&format!("{stdin}{}", hostile.concat())), "{}", finished.stdout);
        for one in lengths_away.lines() {
            assert!(finished.stdout.contains(one));
        }
    }
    let program = Program::File("/usr/bin/printf".to_owned());
    let arguments = ["%s|".to_owned()].into_iter().chain(hostile.clone()).collect();
    let finished = stage.run(job(Job { program, arguments, ..job_default() })).await;
    let joined: String = hostile.iter().map(|one| format!("{one}|")).collect();
    assert_eq!(finished.stdout, joined);
    assert!(!canary.exists());

    let nul = || "a\0b".to_owned();
    let variable = Variable { name: "A".to_owned(), value: nul() };
    for hopeless in [
        Job { arguments: vec![nul()], ..job_script("echo ran") },
        Job { stdin: Some(nul()), ..job_script("echo ran") },
        Job { environment: vec![variable], ..job_script("echo ran") },
        Job { program: Program::File(nul()), ..job_default() },
    ] {
        let finished = stage.run(job(hopeless)).await;
        assert_eq!((failure_of(&finished).0, &*finished.stdout), (failure::START_FAILED, ""));
    }
}

#[tokio::test]
async fn a_job_is_judged_by_its_code_its_files_and_its_output() {
    let stage = Stage::new().await;
    let warns = Judgement { warning: Ranges(vec![(1, 4)]), ..Judgement::default() };
    let finished = stage.run(job(Job { judgement: warns.clone(), ..job_script("exit 3") })).await;
    assert_eq!((&finished.ended, finished.verdict), (&Ended::ExitCode(3), Verdict::Warning));
    let finished = stage.run(job(Job { judgement: warns, ..job_script("exit 5") })).await;
    assert_eq!((&finished.ended, finished.verdict), (&Ended::ExitCode(5), Verdict::Abnormal));

    let judged = |rules: Vec<JudgementRule>| Judgement { rules, ..Judgement::default() };
    let missing = |path: &str| JudgementRule::FileMissing { path: path.to_owned(), verdict: Verdict::Abnormal };
    let finished = stage.run(job(Job { judgement: judged(vec![missing("out.csv")]), ..job_script("true") })).await;
    assert_eq!(failure_of(&finished), (failure::ABNORMAL, "job exited with 0, and there is no file out.csv", Some(0)));
    let finished =
        stage.run(job(Job { judgement: judged(vec![missing("out.csv")]), ..job_script(": > out.csv") })).await;
    assert_eq!((&finished.ended, finished.verdict), (&Ended::ExitCode(0), Verdict::Normal));

    let file = stage.path("old");
    fs::write(&file, "old").expect("a file");
    let stale = JudgementRule::FileNotModified { path: file.display().to_string(), verdict: Verdict::Warning };
    let finished = stage.run(job(Job { judgement: judged(vec![stale.clone()]), ..job_script("true") })).await;
    assert_eq!((&finished.ended, finished.verdict), (&Ended::ExitCode(0), Verdict::Warning));
    let touch = format!("echo new >> {}", file.display());
    let finished = stage.run(job(Job { judgement: judged(vec![stale]), ..job_script(&touch) })).await;
    assert_eq!((&finished.ended, finished.verdict), (&Ended::ExitCode(0), Verdict::Normal));

    let says = |stream| JudgementRule::Output { stream, pattern: "ORA-[0-9]+".to_owned(), verdict: Verdict::Abnormal };
    let script = "seq 100000; echo ORA-00942; seq 10";
    let finished = stage.run(job(Job { judgement: judged(vec![says(Stream::Stdout)]), ..job_script(script) })).await;
    assert_eq!(failure_of(&finished).0, failure::ABNORMAL);
    let finished = stage.run(job(Job { judgement: judged(vec![says(Stream::Stderr)]), ..job_script(script) })).await;
    assert_eq!((&finished.ended, finished.verdict), (&Ended::ExitCode(0), Verdict::Normal));
}

#[tokio::test]
async fn a_job_runs_as_another_user_with_nothing_of_the_agents() {
    let stage = Stage::new().await;
    let as_user = |user: &str, text: &str| job(Job { user: Some(user.to_owned()), ..job_script(text) });
    let finished = stage.run(as_user("no-such-user", "id")).await;
    assert_eq!(failure_of(&finished), (failure::USER_MISSING, "there is no user \"no-such-user\" on this host", None));
    if !nix::unistd::geteuid().is_root() {
        let finished = stage.run(as_user("root", "id")).await;
        assert_eq!(failure_of(&finished).0, failure::USER_MISSING);
        return;
    }
    let script = "id -un; id -u; id -G; echo $HOME $USER $LOGNAME $SHELL; : > mine; ls -ln mine | cut -d' ' -f3,4; \
                  env | grep -c CARGO; cat ../offer.json; echo $?";
    let finished = stage.run(as_user("nobody", script)).await;
    assert_eq!(
        finished.stdout, "nobody\n65534\n65534\n/nonexistent nobody nobody /usr/sbin/nologin\n65534 65534\n0\n1\n",
        "{finished:?}"
    );
    let finished = stage
        .run(job(Job { user: Some("nobody".to_owned()), working_directory: "/root".to_owned(), ..job_script("pwd") }))
        .await;
    assert_eq!(failure_of(&finished).0, failure::WORKING_DIRECTORY_MISSING);
}

#[tokio::test]
async fn what_a_job_may_use_is_limited() {
    let stage = Stage::new().await;
    let limited = |limits: Limits, text: &str| job(Job { limits, ..job_script(text) });
    let cpu = Limits { cpu_seconds: Some(1), ..Limits::default() };
    let finished = stage.run(limited(cpu, "while :; do :; done")).await;
    let (code, message, exit_code) = failure_of(&finished);
    assert_eq!((code, exit_code), (failure::LIMIT_EXCEEDED, Some(152)));
    assert_eq!(message, "job used more than 1 seconds of processor time");
    let memory = Limits { memory_mib: Some(64), ..Limits::default() };
    let finished = stage.run(limited(memory, "head -c 200000000 /dev/zero | tail -n 1 | wc -c")).await;
    assert_ne!(finished.stdout, "200000000\n");
    let none = Limits { cpu_seconds: Some(9), memory_mib: Some(4_000), ..Limits::default() };
    let missing = Job { limits: none, program: Program::File("/no/such/program".to_owned()), ..job_default() };
    let finished = stage.run(job(missing)).await;
    let (code, message, _) = failure_of(&finished);
    assert_eq!(code, failure::SCRIPT_MISSING);
    assert!(message.starts_with("/no/such/program could not be started"), "{message}");
}

#[tokio::test]
async fn a_secret_is_a_variable_and_gone_from_the_disk_when_it_is_used() {
    let stage = Stage::new().await;
    let agent = stage.agent();
    let mut server = stage.welcomed().await;
    let gate = stage.path("gate");
    let secrets = vec![Secret { name: "TOKEN".to_owned(), parameter: "/a/token".to_owned() }];
    let script = format!("echo ${{#TOKEN}}; while [ ! -e {} ]; do sleep 0.05; done", gate.display());
    let given = vec![Variable { name: "TOKEN".to_owned(), value: "s3cr3t-canary".to_owned() }];
    server.offer_and_go(Offer { secrets: given, ..job(Job { secrets: secrets.clone(), ..job_script(&script) }) }).await;
    server.hear_started().await;
    soon(async {
        while stage.output("c.mi-1.1", 0, Stream::Stdout).0 != b"13\n" {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    for path in walk(&stage.data()) {
        let bytes = fs::read(&path).unwrap_or_default();
        assert!(!bytes.windows(13).any(|part| part == b"s3cr3t-canary"), "{}", path.display());
    }
    fs::write(&gate, "").expect("a gate");
    let finished = server.hear_finished().await;
    server.acknowledge(&finished).await;
    stage.emptied().await;
    server.offer_and_go(job(Job { secrets, ..job_script("echo ran") })).await;
    server.hear_started().await;
    let finished = server.hear_finished().await;
    assert_eq!(failure_of(&finished), (failure::START_FAILED, "the value of secret TOKEN was not given", None));
    agent.stop().await;
}

#[tokio::test]
async fn files_are_brought_and_documents_are_run_on_the_host() {
    let stage = Stage::new().await;
    let source = stage.path("source");
    fs::create_dir_all(source.join("below")).expect("a directory");
    fs::write(source.join("one.sh"), "echo one \"$1\"\n").expect("a file");
    fs::write(source.join("below/two.txt"), "two\n").expect("a file");
    let download = |source: Source, destination: &str| {
        Step::new("bring", Action::Download(Download { source, destination: destination.to_owned() }))
    };
    let local = |path: &Path| Source::Local { path: path.display().to_string() };
    let text = r#"{"schemaVersion":"2.2","description":"d","parameters":{"who":{"type":"String"}},"mainSteps":[
        {"action":"aws:runShellScript","name":"inner","inputs":{"runCommand":["echo inner {{ who }}"]}},
        {"action":"aws:runShellScript","name":"failing","inputs":{"runCommand":["exit 6"]}}]}"#;
    let document = |path: &str| {
        let parameters = r#"{"who":"me"}"#.to_owned();
        Step::new("run", Action::Document(LocalDocument { path: path.to_owned(), parameters, depth: 0 }))
    };
    let steps = vec![
        download(local(&source.join("one.sh")), ""),
        download(local(&source), "tree/"),
        download(Source::Document { file: "inner.json".to_owned(), text: text.to_owned() }, ""),
        download(local(&stage.path("nowhere")), ""),
        shell_step("use", "sh one.sh 'a b'; cat tree/below/two.txt"),
        document("inner.json"),
        document("no-such.json"),
    ];
    let finished = stage.run(planned(steps)).await;
    let ended: Vec<String> = finished
        .steps
        .iter()
        .map(|step| match &step.ended {
            StepEnded::ExitCode(code) => code.to_string(),
            StepEnded::Failure(failure) => failure.code.clone(),
            StepEnded::Skipped(why) => why.clone(),
        })
        .collect();
    assert_eq!(ended, ["0", "0", "0", "Agent.ContentMissing", "0", "6", "Agent.ContentMissing"], "{finished:?}");
    assert_eq!(finished.steps[4].stdout, "one a b\ntwo\n");
    assert_eq!(finished.steps[5].stdout, "inner me\n");
}

#[tokio::test]
async fn what_a_bucket_holds_is_fetched_before_and_used_without_a_server() {
    let stage = Stage::new().await;
    let agent = stage.agent();
    let mut server = stage.welcomed().await;
    let download = |key: &str, destination: &str| {
        let source = Source::S3 { bucket: "b".to_owned(), key: key.to_owned() };
        Step::new("bring", Action::Download(Download { source, destination: destination.to_owned() }))
    };
    let steps = vec![
        download("jobs/", "tree"),
        download("none", ""),
        download("evil/", "evil"),
        shell_step("use", "sh tree/run.sh; cat tree/sub/data; ls evil ../escaped"),
    ];
    server.say(ToAgent::Offer(planned(steps))).await;
    let file = |name: &str, data: &str, last: bool| (name.to_owned(), data.to_owned(), last);
    let files = [
        vec![file("run.sh", "echo fetched\n", false), file("sub/data", "0123456789", true)],
        vec![],
        vec![file("../../../escaped", "x", true)],
    ];
    loop {
        let fetch = match server.hear().await {
            FromAgent::Fetch(fetch) => fetch,
            FromAgent::Accepted { .. } => break,
            other => panic!("{other:?}"),
        };
        let file = files[fetch.step as usize].get(fetch.file as usize).cloned();
        let (name, data, last) = file.clone().unwrap_or_default();
        // Five bytes at a time.
        let rest = &data.as_bytes()[fetch.offset as usize..];
        let part = &rest[..rest.len().min(5)];
        server
            .say(ToAgent::Content(Content {
                attempt: fetch.attempt,
                step: fetch.step,
                file: fetch.file,
                name,
                offset: fetch.offset,
                data: BASE64.encode(part),
                file_end: part.len() == rest.len(),
                last,
                failure: file.is_none().then(|| Failure {
                    code: failure::CONTENT_MISSING.to_owned(),
                    message: "there is no object none".to_owned(),
                    exit_code: None,
                }),
            }))
            .await;
    }
    server.say(ToAgent::Go { attempt: "c.mi-1.1".to_owned() }).await;
    server.hear_started().await;
    let finished = server.hear_finished().await;
    assert_eq!(failure_of(&finished).1, "step bring: there is no object none");
    assert_eq!(finished.steps[0].ended, StepEnded::ExitCode(0));
    let StepEnded::Failure(evil) = &finished.steps[2].ended else { panic!("{finished:?}") };
    assert!(evil.message.contains("leads elsewhere"), "{}", evil.message);
    assert_eq!(finished.steps[3].stdout, "fetched\n0123456789");
    server.acknowledge(&finished).await;
    stage.emptied().await;
    agent.stop().await;
}

#[tokio::test]
async fn the_hosts_own_rules_are_asked_before_anything_begins() {
    let stage = Stage::new().await;
    let policy = stage.path("policy.toml");
    fs::write(&policy, "documents = ['AWS-*']\nshell = false\nprograms = ['/bin/echo', '/usr/bin/echo']")
        .expect("rules");
    let mut config = stage.config();
    config.host.policy = agent::policy::PolicyFile { path: policy.clone(), required: true };
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        agent::run(config, async { stopped.await.unwrap_or_default() }).await.expect("the agent runs")
    });
    let mut server = stage.welcomed().await;
    let echo = |attempt: &str| Offer {
        attempt: attempt.to_owned(),
        ..job(Job { program: Program::File("/bin/echo".to_owned()), arguments: vec!["hi".to_owned()], ..job_default() })
    };
    let refused = [
        Offer { attempt: "shell".to_owned(), ..offer("echo ran") },
        Offer { document: "Other".to_owned(), ..echo("document") },
        Offer {
            attempt: "program".to_owned(),
            ..job(Job { program: Program::File("/bin/sh".to_owned()), ..job_default() })
        },
    ];
    for offer in refused {
        server.say(ToAgent::Offer(offer)).await;
        let finished = server.hear_finished().await;
        let (code, message, _) = failure_of(&finished);
        assert_eq!((code, finished.started_at), (failure::ACCESS_DENIED, None));
        assert!(message.starts_with("the host's policy"), "{message}");
        server.acknowledge(&finished).await;
    }
    assert_eq!(server.run(echo("allowed")).await.stdout, "hi\n");
    fs::write(&policy, "shell = maybe").expect("broken rules");
    server.say(ToAgent::Offer(echo("broken"))).await;
    let finished = server.hear_finished().await;
    assert!(failure_of(&finished).1.contains("policy.toml cannot be used"), "{finished:?}");
    server.acknowledge(&finished).await;

    // A document on the host is read when its turn comes: its actions are asked about then.
    fs::write(&policy, "users = ['*']\nactions = ['aws:*']").expect("rules");
    let text = r#"{"schemaVersion":"2.2","mainSteps":[{"action":"dandori:runJob","name":"inner",
        "inputs":{"script":"echo ran"}}]}"#;
    fs::write(stage.path("inner.json"), text).expect("a document");
    let path = stage.path("inner.json").display().to_string();
    let run = Action::Document(LocalDocument { path, parameters: String::new(), depth: 0 });
    let finished = server.run(Offer { attempt: "nested".to_owned(), ..planned(vec![Step::new("run", run)]) }).await;
    assert_eq!((failure_of(&finished).0, &*finished.stdout), (failure::ACCESS_DENIED, ""), "{finished:?}");
    stop.send(()).expect("the agent listens");
    soon(task).await.expect("the agent stops");
}

#[tokio::test]
async fn a_host_drains_through_a_file_and_that_persists() {
    let stage = Stage::new().await;
    let agent = stage.agent();
    let mut server = stage.welcomed().await;
    agent::journal::drain(&stage.data(), true).expect("a file");
    drop(server);
    agent.stop().await;
    let agent = stage.agent();
    server = stage.welcomed().await;
    server.say(ToAgent::Offer(offer("echo ran"))).await;
    server.hear_nothing().await;
    let status = agent::journal::status(&stage.data()).expect("a status").expect("a status");
    assert!(status.draining && status.connected_since.is_some() && status.process.is_some_and(|one| one.is_alive()));
    agent::journal::drain(&stage.data(), false).expect("no file");
    assert_eq!(server.hear().await, FromAgent::Accepted { attempt: "c.mi-1.1".to_owned() });
    agent.stop().await;
}
