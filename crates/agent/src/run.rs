//! The loop that acts: carries messages to the session, and does what the session says.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use api::agent::{AttemptReport, Failure, FromAgent, Hello, Output, PROTOCOL, ToAgent, failure};
use base::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use identity::PublicKey;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use crate::enrolment::Registration;
use crate::host::{self, Process};
use crate::journal::{self, IdentifyError, Journal, Lock, Standing, Status};
use crate::keyring::{KEY_AGE_MAX_DEFAULT, Keyring};
use crate::link::{self, Address, Known, Met, News};
use crate::policy::Policy;
use crate::session::{Action, Input, Recovered, Session};
use crate::supervisor::STARTING;
use crate::tls::Trust;

/// Scripts that run at a time: the `CommandWorkersLimit` of amazon-ssm-agent.
pub const CONCURRENCY_MAX_DEFAULT: usize = 5;

/// How often to look at a supervisor that is not our child.
const ADOPTED_LOOK: Duration = Duration::from_millis(200);

/// How long to wait before trying again what the disk refused.
const DISK_RETRY: Duration = Duration::from_secs(5);

/// How long an agent waits for another to let go of its directory, how long it says nothing, and how often it looks.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const LOCK_SILENCE: Duration = Duration::from_millis(500);
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// How often the agent looks whether it is time for another key, and what people of its host have changed.
const KEY_LOOK: Duration = Duration::from_secs(5);

/// How often to look what running scripts have written.
const OUTPUT_LOOK: Duration = Duration::from_millis(150);

/// News and inputs that wait for the loop. Whoever has more waits.
const WAITING_MAX: usize = 64;

/// What an agent is told at its start.
#[derive(Clone)]
pub struct Config {
    /// `ws://HOST:PORT`; see [`Address::parse`]. Empty: where the agent registered.
    pub server_url: String,
    /// The agent's own directory, for one agent only.
    pub data_dir: PathBuf,
    /// Made up at the first start, and kept, when none is given.
    pub instance_id: Option<String>,
    /// What people call this agent.
    pub name: String,
    pub concurrency_max: usize,
    /// The program that calls [`crate::supervise`], and its arguments; the attempt's directory follows.
    pub supervisor_command: Vec<OsString>,
    /// The account and the region that an agent which never registered works for, where the server has no keys.
    pub on_behalf: Option<(String, String)>,
    /// How long the agent uses a key before it makes another.
    pub key_age_max: Duration,
    /// What those who run attempts are told of this host.
    pub host: journal::Host,
}

impl Config {
    /// The defaults: this host's name, and this program with `agent-supervise`.
    pub fn new(server_url: impl Into<String>, data_dir: impl Into<PathBuf>) -> io::Result<Config> {
        Ok(Config {
            server_url: server_url.into(),
            data_dir: data_dir.into(),
            instance_id: None,
            name: host::computer_name(),
            concurrency_max: CONCURRENCY_MAX_DEFAULT,
            supervisor_command: vec![std::env::current_exe()?.into(), "agent-supervise".into()],
            on_behalf: None,
            key_age_max: KEY_AGE_MAX_DEFAULT,
            host: journal::Host::default(),
        })
    }
}

/// Why an agent cannot start. Once it has, nothing ends it but its shutdown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("use the server's address {url:?}: {reason}")]
    ServerUrl { url: String, reason: &'static str },
    #[error("find the server: this agent is not registered, and no address was given")]
    NoServer,
    #[error("use this agent's identity: its keys are damaged. Register the host anew, with --force")]
    Damaged,
    #[error("run a supervisor: no command is configured")]
    SupervisorCommand,
    #[error("open the agent's directory {}", path.display())]
    Data {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("open the agent's directory {}: another agent has it open", path.display())]
    Held { path: PathBuf },
    #[error(transparent)]
    Identity(#[from] IdentifyError),
    #[error("find out which start of the host this is")]
    BootId {
        #[source]
        source: io::Error,
    },
}

/// Runs an agent until `shutdown`. Scripts that run then go on, and the next agent finds them.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    let boot_id = host::boot_id().map_err(|source| Error::BootId { source })?;
    run_in_boot(config, boot_id, shutdown).await
}

/// [`run`] in a boot of the host that a test makes up.
#[doc(hidden)]
pub async fn run_in_boot(config: Config, boot_id: String, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    let parsed = |url: &str| Address::parse(url).map_err(|reason| Error::ServerUrl { url: url.to_owned(), reason });
    let typed = (!config.server_url.is_empty()).then(|| parsed(&config.server_url)).transpose()?;
    if config.supervisor_command.is_empty() {
        return Err(Error::SupervisorCommand);
    }
    let in_data = |source| Error::Data { path: config.data_dir.clone(), source };
    let (journal, _lock) = open_journal(&config.data_dir, &boot_id).await?;
    let identity = journal.identify(config.instance_id.clone())?;
    let address = match (typed, &identity.registration) {
        (Some(typed), _) => typed,
        (None, Some(registration)) => parsed(&registration.server_url)?,
        (None, None) => return Err(Error::NoServer),
    };
    let trust = identity.registration.as_ref().map_or(Trust::System, |registration| registration.trust.clone());
    let known =
        identity.registration.as_ref().map(|registration| known(&identity.instance_id, registration)).transpose()?;
    let (tell, mut told) = mpsc::channel(WAITING_MAX);
    let recovered = recover(&journal, &tell).map_err(in_data)?;
    let mut session = Session::new(config.concurrency_max, recovered);
    // Before anybody is heard.
    session.handle(Input::Drain(journal.drains()), host::steady_now());
    tracing::info!(instance_id = identity.instance_id, server = %address, "agent starts");

    let server = address.to_string();
    let (news_tell, mut news) = mpsc::channel(WAITING_MAX);
    let link = tokio::spawn(link::keep(address, trust, known, news_tell));
    let life = format!("{:016x}", host::random().map_err(in_data)?);
    let keyring = Keyring::new(identity, life, config.on_behalf.clone());
    let policy = Policy::read(config.host.policy.clone());
    if let Some(why) = policy.broken() {
        tracing::error!("{why}: nothing is allowed");
    }
    let mut agent = Agent {
        policy,
        server,
        status: Status::default(),
        config,
        boot_id,
        keyring,
        journal,
        session,
        tell,
        say: None,
        ip: None,
        met: None,
        rotation_said: false,
        supervisors: BTreeMap::new(),
    };
    let mut key_look = interval(KEY_LOOK);
    key_look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut output_look = Instant::now();
    tokio::pin!(shutdown);
    loop {
        let input = tokio::select! {
            () = &mut shutdown => break,
            Some(told) = told.recv() => match told {
                Told::Input(input) => Some(input),
                Told::Again { attempt, failure } => agent.conclude(attempt, failure).await,
            },
            Some(news) = news.recv() => Some(agent.read(news)),
            () = until(agent.session.wakes_at()) => Some(Input::Ticked),
            () = sleep_until(output_look), if agent.follows() => {
                output_look = Instant::now() + OUTPUT_LOOK;
                agent.look_at_output().await;
                None
            }
            // Only where nothing else waits to be said.
            () = all_said(agent.say.clone()), if agent.session.has_output(host::steady_now()) => agent.say_output().await,
            _ = key_look.tick() => {
                agent.look_after_key().await;
                for input in agent.look_around() {
                    agent.handle(input).await;
                }
                None
            }
        };
        if let Some(input) = input {
            agent.handle(input).await;
        }
        agent.note_status();
    }
    link.abort();
    Ok(())
}

fn known(instance_id: &str, registration: &Registration) -> Result<Known, Error> {
    let server = PublicKey::parse(&registration.server_key).map_err(|_| Error::Damaged)?;
    registration.key.pair().ok_or(Error::Damaged)?;
    Ok(Known { instance_id: instance_id.to_owned(), server })
}

/// A key that could not be kept is tried again: nothing was said of it.
fn told_of_key(kept: io::Result<()>) {
    if let Err(error) = kept {
        tracing::error!(%error, "failed to keep a key");
    }
}

/// Opens the journal. An agent that was killed while it started a supervisor leaves the lock for a moment in the
/// hands of the process that is about to become one.
pub(crate) async fn open_journal(data: &Path, boot_id: &str) -> Result<(Journal, Lock), Error> {
    let started = Instant::now();
    let mut warned = false;
    loop {
        match Journal::open(data, boot_id.to_owned()) {
            Ok(opened) => return Ok(opened),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => (),
            Err(source) => return Err(Error::Data { path: data.to_owned(), source }),
        }
        let waited = started.elapsed();
        if waited >= LOCK_PATIENCE {
            return Err(Error::Held { path: data.to_owned() });
        }
        if waited >= LOCK_SILENCE && !warned {
            tracing::warn!(directory = %data.display(), "another agent has the directory open; waiting for it");
            warned = true;
        }
        sleep(LOCK_PAUSE).await;
    }
}

/// What the journal says about the time before this start, made definite.
fn recover(journal: &Journal, tell: &mpsc::Sender<Told>) -> io::Result<Vec<Recovered>> {
    let mut recovered = vec![];
    for (offer, standing) in journal.survey()? {
        let attempt = offer.attempt.clone();
        recovered.push(match standing {
            Standing::Nothing => {
                journal.forget(&attempt)?;
                continue;
            }
            Standing::Accepted => Recovered::Accepted(offer),
            Standing::Running(_) => {
                tokio::spawn(watch_adopted(journal.clone(), attempt.clone(), tell.clone()));
                Recovered::Running(offer, journal.began_at(&attempt)?.unwrap_or_default())
            }
            Standing::Indeterminate => {
                kill_leftovers(journal, &attempt);
                journal
                    .conclude(&attempt, indeterminate("the host or the script's supervisor was killed while it ran"))?;
                Recovered::Finished(offer, journal.written(&attempt)?)
            }
            Standing::Finished => Recovered::Finished(offer, journal.written(&attempt)?),
        });
    }
    Ok(recovered)
}

/// What those who work beside the loop tell it.
enum Told {
    Input(Input),
    /// The disk refused a result a while ago.
    Again {
        attempt: String,
        failure: Failure,
    },
}

struct Agent {
    config: Config,
    boot_id: String,
    keyring: Keyring,
    journal: Journal,
    session: Session,
    policy: Policy,
    /// Where the server is.
    server: String,
    /// As it was last told.
    status: Status,
    /// For those who watch supervisors.
    tell: mpsc::Sender<Told>,
    /// The connection, while there is one.
    say: Option<mpsc::Sender<FromAgent>>,
    ip: Option<IpAddr>,
    /// The server, since it has shown who it is.
    met: Option<Met>,
    /// Whether the server was told of the next key, in this connection.
    rotation_said: bool,
    /// Supervisors that are our children, by attempt.
    supervisors: BTreeMap<String, Process>,
}

impl Agent {
    fn read(&mut self, news: News) -> Input {
        match news {
            News::Connected { say, ip, met } => {
                (self.say, self.ip, self.met, self.rotation_said) = (Some(say), ip, met, false);
                Input::Connected
            }
            News::Said(message) => {
                match &message {
                    ToAgent::Welcome(_) => {
                        tracing::info!("connected");
                        told_of_key(self.keyring.welcomed(&self.journal, host::now()));
                    }
                    ToAgent::Refused { code, message } => {
                        tracing::error!(code, message, "the server refuses this agent");
                        self.keyring.refused();
                    }
                    ToAgent::KeyRotated { public_key } => {
                        told_of_key(self.keyring.rotated(public_key, &self.journal, host::now()));
                    }
                    _ => (),
                }
                Input::Said(message)
            }
            News::Disconnected => {
                (self.say, self.met) = (None, None);
                Input::Disconnected
            }
        }
    }

    /// Does everything that follows from `input`, in order.
    async fn handle(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            if let Input::Finished { attempt, .. } | Input::Gone { attempt, .. } = &input {
                self.supervisors.remove(attempt);
            }
            for action in self.session.handle(input, host::steady_now()) {
                inputs.extend(self.act(action).await);
            }
        }
    }

    async fn act(&mut self, action: Action) -> Option<Input> {
        match action {
            Action::Hello(attempts) => {
                let hello = self.hello(attempts);
                self.say(FromAgent::Hello(hello)).await;
                None
            }
            Action::Say(message) => {
                self.say(message).await;
                None
            }
            Action::SayResult { attempt } => {
                match self.on_disk(move |journal| journal.result(&attempt)).await {
                    Ok(finished) => self.say(FromAgent::Finished(finished)).await,
                    Err(error) => tracing::error!(%error, "failed to read a result"),
                }
                None
            }
            Action::Prepare(offer) => Some(match self.allow(&offer) {
                Ok(()) => self.prepare(offer.attempt).await,
                Err(cause) => Input::NotAllowed { attempt: offer.attempt, cause },
            }),
            Action::KeepContent(content) => Some(self.keep_content(content).await),
            Action::Keep(offer) => Some(match self.allow(&offer) {
                Ok(()) => self.keep(offer).await,
                Err(cause) => Input::NotAllowed { attempt: offer.attempt, cause },
            }),
            Action::Begin { attempt } => self.begin(attempt),
            Action::Kill { attempt } => {
                self.kill(&attempt);
                None
            }
            Action::Conclude { attempt, failure } => self.conclude(attempt, failure).await,
            Action::Forget { attempt } => self.forget(attempt).await,
            Action::Close => {
                self.say = None;
                None
            }
        }
    }

    async fn say(&self, message: FromAgent) {
        if let Some(say) = &self.say {
            // A connection that broke meanwhile says so itself, and the session says this again.
            let _broken = say.send(message).await;
        }
    }

    /// Whether there is anything to look at for [`Agent::look_at_output`].
    fn follows(&self) -> bool {
        !self.session.writing().is_empty()
    }

    /// Looks how far running scripts have come.
    async fn look_at_output(&mut self) {
        for attempt in self.session.writing() {
            let looked_at = attempt.clone();
            match self.on_disk(move |journal| journal.written(&looked_at)).await {
                Ok(written) => self.handle(Input::Wrote { attempt, written }).await,
                Err(error) => tracing::error!(attempt, %error, "failed to look at an output"),
            }
        }
    }

    /// Says one part of an output.
    async fn say_output(&mut self) -> Option<Input> {
        let piece = self.session.next_output(host::steady_now())?;
        let wanted = piece.clone();
        let read = move |journal: &Journal| {
            journal.read_output(&wanted.attempt, wanted.step, wanted.stream, wanted.offset, wanted.bytes)
        };
        match self.on_disk(read).await {
            Ok(data) => {
                self.say(FromAgent::Output(Output {
                    attempt: piece.attempt,
                    step: piece.step,
                    stream: piece.stream,
                    offset: piece.offset,
                    data: BASE64.encode(data),
                    end: piece.end,
                    cut: piece.cut,
                }))
                .await;
                None
            }
            Err(error) => {
                tracing::error!(attempt = piece.attempt, %error, "failed to read an output");
                Some(Input::Unreadable(piece))
            }
        }
    }

    async fn keep(&self, offer: api::agent::Offer) -> Input {
        let (attempt, instance_id) = (offer.attempt.clone(), self.keyring.identity().instance_id.clone());
        let host = self.config.host.clone();
        let kept = self.on_disk(move |journal| journal.accept(&instance_id, &host, &offer)).await;
        match kept {
            Ok(()) => Input::Kept { attempt },
            Err(error) => self.not_kept(attempt, error).await,
        }
    }

    /// Asks the host's own rules, as they are now.
    fn allow(&mut self, offer: &api::agent::Offer) -> Result<(), String> {
        self.policy.look();
        let allowed = self.policy.allows(offer);
        if let Err(cause) = &allowed {
            tracing::warn!(attempt = offer.attempt, document = offer.document, cause, "refused");
        }
        allowed
    }

    /// Looks at what people of this host have changed.
    fn look_around(&mut self) -> Vec<Input> {
        if self.policy.look() {
            match self.policy.broken() {
                Some(why) => tracing::error!("{why}: nothing is allowed"),
                None => tracing::info!("the policy file has changed"),
            }
        }
        vec![Input::Drain(self.journal.drains()), Input::Allowed(self.policy.concurrency_max())]
    }

    /// Tells people of this host how we stand, when it has changed.
    fn note_status(&mut self) {
        let welcome = self.session.is_welcome();
        let status = Status {
            process: Some(Process::current()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance_id: self.keyring.identity().instance_id.clone(),
            server: self.server.clone(),
            connected_since: welcome.then(|| self.status.connected_since.unwrap_or_else(host::now)),
            draining: self.session.is_draining(),
            ahead_ms: match (welcome, self.status.connected_since) {
                (true, None) => self.session.ahead_ms() + host::steady_now().0 - host::now().0,
                // As it was when the server let us in: nothing is written because time passes.
                (true, Some(_)) | (false, _) => self.status.ahead_ms,
            },
            policy: Some(self.policy.file()),
        };
        if status != self.status {
            if let Err(error) = self.journal.note_status(&status) {
                tracing::warn!(%error, "failed to note how the agent stands");
            }
            self.status = status;
        }
    }

    async fn prepare(&self, attempt: String) -> Input {
        let prepared = attempt.clone();
        match self.on_disk(move |journal| journal.prepare(&prepared)).await {
            Ok(()) => Input::Prepared { attempt },
            Err(error) => self.not_kept(attempt, error).await,
        }
    }

    async fn keep_content(&self, content: api::agent::Content) -> Input {
        let attempt = content.attempt.clone();
        match self.on_disk(move |journal| journal.keep_content(&content)).await {
            Ok(bytes) => Input::ContentKept { attempt, bytes },
            Err(error) => self.not_kept(attempt, error).await,
        }
    }

    async fn not_kept(&self, attempt: String, error: io::Error) -> Input {
        tracing::error!(attempt, %error, "failed to keep an offer");
        let forgotten = attempt.clone();
        if let Err(error) = self.on_disk(move |journal| journal.forget(&forgotten)).await {
            tracing::error!(attempt, %error, "failed to forget an offer");
        }
        Input::NotKept { attempt, cause: format!("agent cannot keep it: {error}") }
    }

    fn begin(&mut self, attempt: String) -> Option<Input> {
        match self.spawn(&attempt) {
            Ok(supervisor) => {
                let pid = supervisor.id().and_then(|pid| i32::try_from(pid).ok());
                self.supervisors.extend(pid.map(|pid| (attempt.clone(), Process::of(pid))));
                tokio::spawn(watch(self.journal.clone(), attempt, supervisor, self.tell.clone()));
                None
            }
            Err(error) => Some(Input::Gone { attempt, began: false, words: error.to_string() }),
        }
    }

    fn spawn(&self, attempt: &str) -> io::Result<Child> {
        let (program, arguments) =
            self.config.supervisor_command.split_first().expect("checked at the start: there is a command");
        let log = std::fs::File::create(self.journal.supervisor_log(attempt))?;
        let mut command = Command::new(program);
        command.args(arguments).arg(self.journal.directory(attempt));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        command.spawn()
    }

    fn kill(&self, attempt: &str) {
        let adopted = || match self.journal.standing(attempt) {
            Ok(Standing::Running(supervisor)) => Some(supervisor),
            _ => None,
        };
        let supervisor = self.supervisors.get(attempt).copied().filter(|child| child.is_alive()).or_else(adopted);
        if let Some(supervisor) = supervisor.filter(|supervisor| supervisor.is_alive()) {
            let _already_gone = kill(Pid::from_raw(supervisor.pid), Signal::SIGTERM);
        }
    }

    async fn conclude(&self, attempt: String, failure: Failure) -> Option<Input> {
        let (concluded, code) = (attempt.clone(), failure.code.clone());
        let again = failure.clone();
        let done = self.on_disk(move |journal| {
            let began = failure.code == failure::INDETERMINATE;
            if !began && !journal.prevent(&concluded)? {
                return Ok(None);
            }
            if began {
                kill_leftovers(journal, &concluded);
            }
            journal.conclude(&concluded, failure)?;
            journal.written(&concluded).map(Some)
        });
        match done.await {
            Ok(Some(written)) => Some(Input::Finished { attempt, written }),
            Ok(None) => Some(self.end_what_began(attempt)),
            Err(error) => {
                tracing::error!(attempt, code, %error, "failed to write a result; trying again");
                let tell = self.tell.clone();
                tokio::spawn(async move {
                    sleep(DISK_RETRY).await;
                    let _shut_down = tell.send(Told::Again { attempt, failure: again }).await;
                });
                None
            }
        }
    }

    async fn forget(&self, attempt: String) -> Option<Input> {
        let forgotten = attempt.clone();
        match self.on_disk(move |journal| journal.forget_unless_running(&forgotten)).await {
            Ok(true) => None,
            Ok(false) => Some(self.end_what_began(attempt)),
            Err(error) => {
                tracing::error!(attempt, %error, "failed to forget an attempt");
                None
            }
        }
    }

    /// A supervisor that an earlier agent started, just before it died, began what should not begin any more.
    fn end_what_began(&self, attempt: String) -> Input {
        tokio::spawn(watch_adopted(self.journal.clone(), attempt.clone(), self.tell.clone()));
        self.kill(&attempt);
        Input::Began { at: self.journal.began_at(&attempt).ok().flatten().unwrap_or_default(), attempt }
    }

    fn hello(&self, attempts: Vec<AttemptReport>) -> Hello {
        let (platform_name, platform_version) = host::platform();
        Hello {
            protocol: PROTOCOL,
            instance_id: self.keyring.identity().instance_id.clone(),
            name: self.config.name.clone(),
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            platform_type: "Linux".to_owned(),
            platform_name,
            platform_version,
            ip: self.ip.map(|ip| ip.to_string()),
            computer_name: host::computer_name(),
            boot_id: self.boot_id.clone(),
            concurrency_max: Some(u32::try_from(self.config.concurrency_max).unwrap_or(u32::MAX)),
            incarnation: self.keyring.identity().incarnation,
            attempts,
            credentials: self.keyring.credentials(self.met.as_ref()).map(Box::new),
        }
    }

    /// Makes the next key when it is time, and tells the server of it.
    async fn look_after_key(&mut self) {
        told_of_key(self.keyring.prepare(&self.journal, host::now(), self.config.key_age_max));
        let rotation = self.met.as_ref().filter(|_| self.session.is_welcome() && !self.rotation_said);
        if let Some(rotation) = rotation.and_then(|met| self.keyring.rotation(met)) {
            self.rotation_said = true;
            self.say(FromAgent::RotateKey(rotation)).await;
        }
    }

    /// Does what may wait for the disk where nobody else waits for it.
    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Journal) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let journal = self.journal.clone();
        tokio::task::spawn_blocking(move || work(&journal)).await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

/// Watches a supervisor that is our child.
async fn watch(journal: Journal, attempt: String, mut supervisor: Child, tell: mpsc::Sender<Told>) {
    if let Some(stdout) = supervisor.stdout.take() {
        let mut lines = BufReader::new(stdout).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if line == STARTING {
                let at = journal.began_at(&attempt).ok().flatten().unwrap_or_else(host::now);
                let _shut_down = tell.send(Told::Input(Input::Began { attempt: attempt.clone(), at })).await;
            }
        }
    }
    if let Err(error) = supervisor.wait().await {
        tracing::error!(attempt, %error, "failed to wait for a supervisor");
    }
    watch_adopted(journal, attempt, tell).await;
}

/// Watches a supervisor that an earlier agent started, or says how it went when there is none.
async fn watch_adopted(journal: Journal, attempt: String, tell: mpsc::Sender<Told>) {
    let input = loop {
        match journal.standing(&attempt) {
            Ok(Standing::Running(_)) => sleep(ADOPTED_LOOK).await,
            Ok(Standing::Finished) => match journal.written(&attempt) {
                Ok(written) => break Input::Finished { attempt, written },
                Err(error) => {
                    tracing::error!(attempt, %error, "failed to read the journal");
                    sleep(DISK_RETRY).await;
                }
            },
            Ok(Standing::Indeterminate) => break Input::Gone { attempt, began: true, words: String::new() },
            Ok(Standing::Nothing | Standing::Accepted) => {
                break Input::Gone { words: journal.supervisor_words(&attempt), attempt, began: false };
            }
            Err(error) => {
                tracing::error!(attempt, %error, "failed to read the journal");
                sleep(DISK_RETRY).await;
            }
        }
    };
    let _shut_down = tell.send(Told::Input(input)).await;
}

/// A script whose supervisor is gone must not run beside the attempt that a Retry may start.
fn kill_leftovers(journal: &Journal, attempt: &str) {
    if let Some(script) = journal.script_process(attempt).filter(|script| script.is_alive()) {
        let _already_gone = killpg(Pid::from_raw(script.pid), Signal::SIGKILL);
    }
}

fn indeterminate(message: &str) -> Failure {
    Failure { code: failure::INDETERMINATE.to_owned(), message: message.to_owned(), exit_code: None }
}

/// Waits until everything that was to be said is on its way.
async fn all_said(say: Option<mpsc::Sender<FromAgent>>) {
    match say {
        // A connection that is closed is told of elsewhere.
        Some(say) => match say.reserve_many(say.max_capacity()).await {
            Ok(_all) => (),
            Err(_closed) => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

async fn until(at: Option<Timestamp>) {
    match at {
        Some(at) => {
            sleep(Duration::from_millis(u64::try_from(at.0.saturating_sub(host::steady_now().0)).unwrap_or(0))).await
        }
        None => std::future::pending().await,
    }
}
