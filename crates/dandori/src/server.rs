//! The server: a store, a runtime on it, the faces on one port, and an agent inside if it is wanted.

use std::collections::HashMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use base::Timestamp;
use runtime::Runtime;
use store::Store;
use store::memory::MemoryStore;
use store_sqlite::{Options, SqliteStore};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::{self, Config};
use crate::{agents, args, buckets, fail, identity_key, master_key, tls, topics};

const LISTEN_DEFAULT: &str = "127.0.0.1:8333";
const DATA_DEFAULT: &str = "./data";

/// `EX_SOFTWARE` of sysexits: only a new start can go on from what is on the disk.
const EXIT_POISONED: u8 = 70;

/// Everything that a server needs to know.
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) data: PathBuf,
    pub(crate) store: StoreKind,
    pub(crate) agent: Option<AgentInside>,
    /// Without one, connections are not encrypted.
    pub(crate) tls: Option<tls::Certificate>,
    pub(crate) config: Config,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreKind {
    Sqlite,
    Memory,
}

/// The agent that a server holds, and for whom it works.
pub(crate) struct AgentInside {
    pub(crate) instance_id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) account: String,
    pub(crate) region: String,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error(transparent)]
    Buckets(#[from] buckets::Error),
    #[error(transparent)]
    Topics(#[from] topics::Error),
    #[error(transparent)]
    MasterKey(#[from] master_key::Error),
    #[error(transparent)]
    IdentityKey(#[from] identity_key::Error),
    #[error(transparent)]
    Tls(#[from] tls::Error),
    #[error("find the certificate's key: both files have to be given")]
    TlsFiles,
    #[error("use the store '{0}': sqlite and memory are known")]
    Store(String),
    #[error(
        "listen on {0}: it can be reached from other hosts, and there are no keys. Configure a [[key]], or listen on 127.0.0.1"
    )]
    Open(SocketAddr),
    #[error("listen on {address}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("open the store")]
    OpenStore(#[from] store_sqlite::OpenError),
    #[error("read the store")]
    ReadStore(#[from] store::Error),
    #[error(transparent)]
    Log(crate::LogError),
    #[error(transparent)]
    Collector(#[from] telemetry::CollectorError),
    #[error("start the agent inside")]
    Agent(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// How an encrypted server is recognised.
struct Encrypted {
    /// The fingerprint of its key.
    server_key: String,
    /// The file that clients need, where the certificate is our own.
    authority: Option<PathBuf>,
}

/// A server that runs.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// What people compare, where connections are encrypted.
    encrypted: Option<Encrypted>,
    stop: watch::Sender<bool>,
    faces: JoinHandle<()>,
    poisoned: Poisoned,
    runtime: Runtime,
}

pub(crate) async fn main(options: args::Server) -> ExitCode {
    let log = options.log.clone();
    let logged = |settings: Settings| match crate::log(&log, &settings.config.log) {
        Ok(()) => Ok(settings),
        Err(error) => Err(Error::Log(error)),
    };
    let server = match settings(options).and_then(logged) {
        Ok(settings) => start(settings).await,
        Err(error) => Err(error),
    };
    let server = match server {
        Ok(server) => server,
        Err(error) => return fail("start the server", &error),
    };
    let interrupted = agents::interrupted();
    // Whoever started it waits for this line; with standard output closed nobody does.
    let scheme = if server.encrypted.is_some() { "https" } else { "http" };
    let _nobody = writeln!(std::io::stdout(), "dandori is listening on {scheme}://{}", server.address);
    if let Some(Encrypted { server_key, authority }) = &server.encrypted {
        let _nobody = writeln!(std::io::stdout(), "server key {server_key}");
        if let Some(authority) = authority {
            let _nobody = writeln!(std::io::stdout(), "certificate authority {}", authority.display());
        }
    }
    let _nobody = std::io::stdout().flush();
    tokio::select! {
        () = interrupted => {
            server.stop().await;
            ExitCode::SUCCESS
        }
        () = server.disk_failed() => {
            tracing::error!("the disk has failed a write: ending, so that nothing is acknowledged that may not be there");
            ExitCode::from(EXIT_POISONED)
        }
        () = server.runtime.failed() => ExitCode::from(EXIT_POISONED),
    }
}

/// What was typed wins over what the file says.
fn settings(options: args::Server) -> Result<Settings, Error> {
    let mut config = options.config.as_deref().map(config::read).transpose()?.unwrap_or_default();
    config.buckets.extend(buckets::typed(&options.buckets)?);
    config.s3.endpoint = options.s3_endpoint.or(config.s3.endpoint);
    let default = || LISTEN_DEFAULT.parse().expect("the default is an address");
    let store = match options.store.as_deref().or(config.store.as_deref()) {
        None | Some("sqlite") => StoreKind::Sqlite,
        Some("memory") => StoreKind::Memory,
        Some(other) => return Err(Error::Store(other.to_owned())),
    };
    let inside = options.agent || config.agent.inside;
    let agent = inside.then(|| agent_inside(&config));
    let files = (options.tls_cert.or(config.tls.cert.take()), options.tls_key.or(config.tls.key.take()));
    let tls = match files {
        (Some(certificate), Some(key)) => Some(tls::Certificate::Files { certificate, key }),
        (None, None) => (options.tls || config.tls.on).then_some(tls::Certificate::Own),
        (Some(_), None) | (None, Some(_)) => return Err(Error::TlsFiles),
    };
    Ok(Settings {
        tls,
        listen: options.listen.or(config.listen).unwrap_or_else(default),
        data: options.data.or_else(|| config.data.clone()).unwrap_or_else(|| DATA_DEFAULT.into()),
        store,
        agent,
        config,
    })
}

fn agent_inside(config: &Config) -> AgentInside {
    let of_first_key = || config.keys.first().map(|key| key.account.clone());
    AgentInside {
        instance_id: config.agent.instance_id.clone(),
        name: config.agent.name.clone(),
        account: config
            .agent
            .account
            .clone()
            .or_else(of_first_key)
            .unwrap_or_else(|| agents::ACCOUNT_DEFAULT.to_owned()),
        region: config.agent.region.clone().unwrap_or_else(|| "us-east-1".to_owned()),
    }
}

/// Opens the store, goes on with everything that is in it, and lets clients in.
pub(crate) async fn start(settings: Settings) -> Result<Server, Error> {
    if !settings.listen.ip().is_loopback() && settings.config.keys.is_empty() {
        return Err(Error::Open(settings.listen));
    }
    if !settings.listen.ip().is_loopback() && settings.tls.is_none() {
        tracing::warn!(
            "other hosts can reach this server and connections are not encrypted: use --tls, or a proxy that does it"
        );
    }
    raise_open_files();
    let cannot = |source| Error::Listen { address: settings.listen, source };
    let listener = TcpListener::bind(settings.listen).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    let collector = collector(&settings.config.telemetry)?;
    let (store, poisoned) = open_store(settings.store, &settings.data)?;
    let data = match settings.store {
        StoreKind::Sqlite => Some(&*settings.data),
        StoreKind::Memory => None,
    };
    let configured = settings.config.secrets.master_key_file.as_deref();
    let runtime_config = runtime::Config {
        limits: settings.config.limits.of_engine(),
        quotas: settings.config.limits.quotas(),
        log_form: Some(aws::log_event),
        map_runs: settings.config.limits.of_map_runs(),
        buckets: buckets::open(&settings.config)?,
        outputs: settings.config.outputs.of_runtime(data),
        announcer: topics::open(&settings.config.sns)?,
        master_key: Some(master_key::open(configured, data)?),
    };
    let runtime = Runtime::open(runtime_config, store, Arc::new(aws::Tasks::default())).await?;
    if let Some(collector) = collector {
        tokio::spawn(telemetry::export(runtime.clone(), runtime.ends(), collector));
    }
    let (stop, stopped) = watch::channel(false);
    let identity = Arc::new(identity_key::open(data)?);
    let certificate = settings.tls.as_ref();
    let tls =
        certificate.map(|certificate| tls::config(certificate, &identity, &settings.data, address)).transpose()?;
    let encrypted = certificate.map(|certificate| Encrypted {
        server_key: identity.public().fingerprint(),
        authority: (*certificate == tls::Certificate::Own).then(|| settings.data.join(tls::AUTHORITY)),
    });
    let web = web::Config { doors: doors(&settings.config), identity: identity.clone(), tls: tls.map(Arc::new) };
    let faces = tokio::spawn(web::serve(listener, runtime.clone(), web, until(stopped.clone())));
    if let Some(inside) = settings.agent {
        let scheme = if encrypted.is_some() { "wss" } else { "ws" };
        let url = format!("{scheme}://{address}");
        start_agent(&runtime, url, identity.public(), &settings.data, inside, stopped).await.map_err(Error::Agent)?;
    }
    Ok(Server { address, encrypted, stop, faces, poisoned, runtime })
}

fn collector(telemetry: &config::Telemetry) -> Result<Option<telemetry::Collector>, Error> {
    let headers: Vec<_> = telemetry.otlp_headers.clone().into_iter().collect();
    let collector = telemetry.otlp_endpoint.as_deref().map(|endpoint| telemetry::Collector::new(endpoint, &headers));
    Ok(collector.transpose()?)
}

/// As many open files as the system allows: every client is one.
fn raise_open_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised =
        getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "cannot raise the limit on open files");
    }
}

/// Turns true when the disk has failed; none where there is no disk.
type Poisoned = Option<watch::Receiver<bool>>;

fn open_store(kind: StoreKind, data: &Path) -> Result<(Arc<dyn Store>, Poisoned), Error> {
    match kind {
        StoreKind::Memory => Ok((Arc::new(MemoryStore::default()), None)),
        StoreKind::Sqlite => {
            let store = SqliteStore::open(&data.join("store"), Options::default())?;
            let poisoned = store.poisoned();
            Ok((Arc::new(store), Some(poisoned)))
        }
    }
}

fn doors(config: &Config) -> aws::Config {
    let key = |key: &config::Key| {
        let value = aws::Key { secret: sigv4::Secret::new(&*key.secret), account: key.account.clone() };
        (key.access_key.clone(), value)
    };
    let keys: HashMap<_, _> = config.keys.iter().map(key).collect();
    aws::Config { keys, ..aws::Config::open(now) }
}

/// The agent inside is registered by whoever runs the server: it needs no activation, and proves itself as any other.
async fn start_agent(
    runtime: &Runtime,
    server_url: String,
    server_key: identity::PublicKey,
    data: &Path,
    inside: AgentInside,
    stopped: watch::Receiver<bool>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let data = data.join("agent");
    let AgentInside { instance_id, name, account, region } = inside;
    let caller = base::Caller::new(&account, &region);
    let enrolling = agent::enrolment::Inside {
        server_url: server_url.clone(),
        server_key,
        account,
        region,
        instance_id: instance_id.clone(),
        name: name.clone(),
    };
    agent::enrolment::register_inside(&data, enrolling, async |id, register| {
        runtime.agent_register_inside(&caller, &id, register).await.map(drop)
    })
    .await?;
    let mut config = agent::Config::new(server_url, data)?;
    config.instance_id = instance_id;
    config.name = name.unwrap_or(config.name);
    tokio::spawn(async move {
        if let Err(error) = agent::run(config, until(stopped)).await {
            tracing::error!(%error, "the agent inside has ended");
        }
    });
    Ok(())
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // An error means that the server is gone.
    let _gone = stopped.wait_for(|stopped| *stopped).await;
}

fn now() -> Timestamp {
    agent::host::now()
}

impl Server {
    /// Lets clients finish and nobody else in. What runs on agents goes on without us.
    pub(crate) async fn stop(self) {
        self.runtime.release_workers();
        let _nobody = self.stop.send(true);
        if let Err(error) = self.faces.await {
            tracing::error!(%error, "the faces ended badly");
        }
    }

    async fn disk_failed(&self) {
        match self.poisoned.clone() {
            Some(poisoned) => until(poisoned).await,
            None => std::future::pending().await,
        }
    }
}
