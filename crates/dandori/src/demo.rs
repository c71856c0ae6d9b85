//! The demo: the backup job net runs for real on this machine, from nothing, and leaves nothing behind.
//!
//! It does what a newcomer would: starts a server with an agent inside, two real services, puts the definition
//! with the AWS API, starts it, follows it, and checks what the backups restore to.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use base::Json;
use cli::Lang;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::config::Config;
use crate::server::{self, AgentInside, Server, Settings, StoreKind};
use crate::words::Say;
use crate::{agents, args};

/// The scripts and definitions of `examples/backup-net`, so that the binary needs nothing beside it.
macro_rules! example {
    ($($name:literal),* $(,)?) => { [$(($name, include_str!(concat!("../../../examples/backup-net/", $name)))),*] };
}

const SCRIPTS: [(&str, &str); 14] = example![
    "bin/install.sh",
    "bin/common.sh",
    "bin/start-web.sh",
    "bin/stop-web.sh",
    "bin/start-db.sh",
    "bin/stop-db.sh",
    "bin/backup-web.sh",
    "bin/backup-db.sh",
    "bin/verify.sh",
    "bin/db.py",
    "bin/web.py",
    "bin/writer.py",
    "bin/service.py",
    "bin/fingerprint.py",
];
const SYNC: &str = include_str!("../../../examples/backup-net/backup-net.sync.asl.json");
const POLLING: &str = include_str!("../../../examples/backup-net/backup-net.polling.asl.json");

const NAME: &str = "backup-net";
const INSTANCE: &str = "mi-00000000000000de0";
const ACCOUNT: &str = "000000000000";
const REGION: &str = "us-east-1";

/// The jobs of the net, each with one script.
const JOBS: usize = 6;

/// How the demo ends.
enum End {
    Well,
    Badly,
    Interrupted,
}

type Fault = Box<dyn std::error::Error + Send + Sync>;

pub(crate) async fn main(options: args::Demo, global: cli::Global) -> ExitCode {
    let lang = Lang::choose(global.lang, |name| std::env::var(name).ok());
    let teller = Teller { lang };
    let home = match Home::make() {
        Ok(home) => home,
        Err(error) => {
            teller.say(&Say::Failed { why: &error.to_string() });
            return ExitCode::FAILURE;
        }
    };
    teller.say(&Say::Intro);
    let mut server = None;
    let end = tokio::select! {
        end = show(&options, &global, &home, &teller, &mut server) => end.unwrap_or_else(|fault| {
            teller.say(&Say::Failed { why: &chain(&*fault) });
            End::Badly
        }),
        () = agents::interrupted_or_hung_up() => End::Interrupted,
    };
    if matches!(end, End::Well) && std::io::stdin().is_terminal() {
        teller.say(&Say::Waiting);
        agents::interrupted_or_hung_up().await;
    }
    teller.say(&Say::Cleaning);
    home.stop_services().await;
    if let Some(server) = server {
        server.stop().await;
    }
    home.remove().await;
    match end {
        End::Well => ExitCode::SUCCESS,
        End::Badly => ExitCode::FAILURE,
        End::Interrupted => ExitCode::from(130),
    }
}

/// The whole show. `server` is left to whoever cleans up.
async fn show(
    options: &args::Demo,
    global: &cli::Global,
    home: &Home,
    teller: &Teller,
    server: &mut Option<Server>,
) -> Result<End, Fault> {
    let agent = AgentInside {
        instance_id: Some(INSTANCE.to_owned()),
        name: Some("demo".to_owned()),
        account: ACCOUNT.to_owned(),
        region: REGION.to_owned(),
    };
    let settings = Settings {
        listen: options.listen,
        data: home.data(),
        store: StoreKind::Sqlite,
        agent: Some(agent),
        tls: None,
        config: Config::default(),
    };
    let address = server.insert(server::start(settings).await?).address;
    let url = format!("http://{address}");
    teller.say(&Say::Server { url: &url });

    home.install().await?;
    teller.say(&Say::Services { home: &home.net().display().to_string() });

    let aws = Aws { address };
    aws.wait_for_instance().await?;
    let definition = if options.polling { POLLING } else { SYNC };
    let role = format!("arn:aws:iam::{ACCOUNT}:role/demo");
    let create = Json::object([
        ("name", Json::from(NAME)),
        ("definition", Json::from(definition)),
        ("roleArn", Json::from(role)),
    ]);
    let machine = aws.call("states", "AWSStepFunctions.CreateStateMachine", &create).await?;
    teller.say(&Say::Put { name: NAME });

    let input =
        Json::object([("instanceId", Json::from(INSTANCE)), ("home", Json::from(home.net().display().to_string()))]);
    let start = Json::object([
        ("stateMachineArn", text(&machine, "stateMachineArn")?),
        ("input", Json::from(input.to_string())),
    ]);
    let started = aws.call("states", "AWSStepFunctions.StartExecution", &start).await?;
    let arn = text(&started, "executionArn")?;
    let arn = arn.as_str().unwrap_or_default();
    teller.say(&Say::Started { arn });

    let mut follow = global.clone();
    follow.endpoint_url = Some(url.clone());
    follow.region = Some(REGION.to_owned());
    let watch = cli::args::ExecutionWatch { id: arn.to_owned(), follow: cli::args::Follow::default() };
    match cli::run(follow, cli::Command::Execution(cli::args::Execution::Watch(watch))).await {
        cli::Exit::Ok => (),
        cli::Exit::Interrupted => return Ok(End::Interrupted),
        _ => {
            teller.say(&Say::ExecutionFailed);
            return Ok(End::Badly);
        }
    }
    let succeeded = aws.jobs_succeeded().await?;
    if succeeded != JOBS {
        teller.say(&Say::JobsMissing { succeeded, wanted: JOBS });
        return Ok(End::Badly);
    }
    teller.say(&Say::Verifying);
    if !home.verify().await? {
        teller.say(&Say::VerifyFailed);
        return Ok(End::Badly);
    }
    teller.say(&Say::AllWell { jobs: JOBS });
    let program = std::env::args().next().unwrap_or_else(|| "dandori".to_owned());
    teller.say(&Say::Try { program: &program, url: &url, arn });
    Ok(End::Well)
}

/// The demo's own directory, with the server's data and the services below it.
struct Home(PathBuf);

impl Home {
    fn make() -> std::io::Result<Home> {
        let path = std::env::temp_dir().join(format!("dandori-demo-{}", std::process::id()));
        std::fs::create_dir(&path)?;
        Ok(Home(path.canonicalize()?))
    }

    fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    fn net(&self) -> PathBuf {
        self.0.join("backup-net")
    }

    /// Writes the scripts down and starts both services.
    async fn install(&self) -> Result<(), Fault> {
        use std::os::unix::fs::PermissionsExt;
        for (name, text) in SCRIPTS {
            let path = self.net().join(name);
            std::fs::create_dir_all(path.parent().unwrap_or(&self.0))?;
            std::fs::write(&path, text)?;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
        }
        let installed = self.script("install.sh").arg(self.net()).status().await?;
        if installed.success() { Ok(()) } else { Err(format!("install.sh ended with {installed}").into()) }
    }

    async fn verify(&self) -> Result<bool, Fault> {
        Ok(self.script("verify.sh").arg(self.net()).status().await?.success())
    }

    async fn stop_services(&self) {
        for name in ["stop-web.sh", "stop-db.sh"] {
            if self.net().join("bin").join(name).exists() {
                // A service that was never started cannot be stopped; nothing is lost.
                let _stopped = self.script(name).arg(self.net()).output().await;
            }
        }
    }

    /// Ends whatever still works below this directory (a script that was under way, its supervisor, a service that it
    /// started meanwhile), then removes the directory.
    async fn remove(&self) {
        const ROUNDS_MAX: usize = 100;
        let mut quiet = 0;
        for round in 0..ROUNDS_MAX {
            let still_here = self.processes();
            // First asked, then made to; and looked for twice, since what is ended may just have started another.
            let signal = if round < 10 { Signal::SIGTERM } else { Signal::SIGKILL };
            for pid in &still_here {
                // It may have ended by itself in between.
                let _gone = kill(*pid, signal);
            }
            quiet = if still_here.is_empty() { quiet + 1 } else { 0 };
            if quiet == 2 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        // What cannot be removed is left in the system's directory for temporary files.
        let _left = std::fs::remove_dir_all(&self.0);
    }

    /// Processes other than this one whose command line names the demo's directory: it is this run's alone.
    fn processes(&self) -> Vec<Pid> {
        let name = self.0.as_os_str().as_encoded_bytes();
        let named = |pid: &i32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.windows(name.len()).any(|part| part == name)
        };
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let this = i32::try_from(std::process::id()).unwrap_or(0);
        pids.filter(|pid| *pid != this).filter(named).map(Pid::from_raw).collect()
    }

    fn script(&self, name: &str) -> Command {
        let mut command = Command::new("sh");
        // A group of its own: Ctrl-C is for the demo, which then stops the services in order.
        command.arg(self.net().join("bin").join(name)).process_group(0).env("TMPDIR", &self.0);
        command
    }
}

/// A client of the AWS door, as small as it can be.
struct Aws {
    address: SocketAddr,
}

impl Aws {
    async fn call(&self, service: &str, target: &str, body: &Json) -> Result<Json, Fault> {
        let body = body.to_string();
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: {target}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential={ACCOUNT}/20260101/{REGION}/{service}/aws4_request, SignedHeaders=host, Signature=0\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("the server did not answer")?;
        if !head.starts_with("HTTP/1.1 200") {
            return Err(format!("{target}: {body}").into());
        }
        Ok(Json::parse(body)?)
    }

    /// The agent inside needs a moment to say hello.
    async fn wait_for_instance(&self) -> Result<(), Fault> {
        for _ in 0..100 {
            let listed = self.call("ssm", "AmazonSSM.DescribeInstanceInformation", &Json::empty_object()).await?;
            if listed.get("InstanceInformationList").and_then(Json::as_array).is_some_and(|list| !list.is_empty()) {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        Err("the agent did not come".into())
    }

    async fn jobs_succeeded(&self) -> Result<usize, Fault> {
        let listed = self.call("ssm", "AmazonSSM.ListCommandInvocations", &Json::empty_object()).await?;
        let invocations = listed.get("CommandInvocations").and_then(Json::as_array).unwrap_or_default();
        Ok(invocations.iter().filter(|one| one.get("Status").and_then(Json::as_str) == Some("Success")).count())
    }
}

fn text(answer: &Json, member: &str) -> Result<Json, Fault> {
    answer.get(member).cloned().ok_or_else(|| format!("the answer has no {member}").into())
}

fn chain(fault: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(fault), |fault| fault.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Speaks to whoever watches.
struct Teller {
    lang: Lang,
}

impl Teller {
    fn say(&self, say: &Say<'_>) {
        // With standard output closed nobody watches.
        let _nobody = writeln!(std::io::stdout(), "{}", say.in_language(self.lang));
    }
}
