//! The configuration file: TOML, every field optional, none unknown.
//!
//! ```toml
//! listen = "127.0.0.1:8333"
//! data = "/var/lib/dandori"
//!
//! [[key]]                       # with keys, every request has to be signed with one
//! access_key = "AKIA…"
//! secret = "…"
//! account = "111111111111"
//!
//! [tls]                         # connections are encrypted; without files, with a certificate of our own
//! on = true
//! cert = "/etc/dandori/server.pem"
//! key = "/etc/dandori/server.key"
//!
//! [limits]                      # the defaults are AWS's quotas
//! history_events = 25000
//!
//! [secrets]                     # without it, master.key in the data directory, made when there is none
//! master_key_file = "/etc/dandori/master.key"
//!
//! [outputs]                     # the whole outputs of commands, in the data directory
//! keep_days = 30                # after their last byte
//! stream_mib_max = 4096         # of one stream of one step
//!
//! [log]                         # of this server, on standard error
//! form = "json"
//! level = "info"
//!
//! [buckets]                     # folders that are buckets to Maps and tasks
//! night = "/srv/night"
//!
//! [s3]                          # where all other buckets are; without keys nothing is signed
//! endpoint = "http://127.0.0.1:9000"
//! region = "us-east-1"
//! access_key = "…"
//! secret = "…"
//! path_style = true             # the bucket's name stands in the path, as most stores but Amazon's want it
//!
//! [sns]                         # publishes what becomes of commands (NotificationConfig); without it, nobody does
//! endpoint = "http://127.0.0.1:9911" # without it Amazon's own, in the topic's region
//! region = "us-east-1"          # what requests are signed for; without it the topic's
//! access_key = "…"
//! secret = "…"
//!
//! [telemetry]                   # a trace for each execution, by OTLP over HTTP; without an endpoint, none
//! otlp_endpoint = "http://127.0.0.1:4318"
//! otlp_headers = { authorization = "…" }
//! ```

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::args::LogForm;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) data: Option<PathBuf>,
    pub(crate) store: Option<String>,
    #[serde(rename = "key")]
    pub(crate) keys: Vec<Key>,
    pub(crate) limits: Limits,
    pub(crate) buckets: BTreeMap<String, PathBuf>,
    pub(crate) s3: S3,
    pub(crate) sns: Sns,
    pub(crate) agent: Agent,
    pub(crate) tls: Tls,
    pub(crate) telemetry: Telemetry,
    pub(crate) secrets: Secrets,
    pub(crate) outputs: Outputs,
    pub(crate) log: Log,
}

/// An access key of the AWS door and of our own API.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Key {
    pub(crate) access_key: String,
    pub(crate) secret: String,
    pub(crate) account: String,
}

/// A secret is never printed.
impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("access_key", &self.access_key)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    pub(crate) history_events: Option<u64>,
    pub(crate) payload_bytes: Option<usize>,
    pub(crate) map_concurrency: Option<u64>,
    pub(crate) map_run_children: Option<u64>,
    pub(crate) state_machines: Option<u64>,
    pub(crate) activities: Option<u64>,
    pub(crate) open_executions: Option<u64>,
    pub(crate) documents: Option<u64>,
    pub(crate) standard_parameters: Option<u64>,
    pub(crate) advanced_parameters: Option<u64>,
}

/// How secrets are kept.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Secrets {
    /// 32 bytes in base64.
    pub(crate) master_key_file: Option<PathBuf>,
}

/// How long, and how much of, the outputs of commands are kept.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Outputs {
    pub(crate) keep_days: Option<u32>,
    pub(crate) stream_mib_max: Option<u32>,
}

impl Outputs {
    /// In the data directory, where there is one.
    pub(crate) fn of_runtime(&self, data: Option<&Path>) -> runtime::outputs::OutputConfig {
        let default = runtime::outputs::OutputConfig::default();
        runtime::outputs::OutputConfig {
            directory: data.map(|data| data.join("outputs")),
            keep_days: self.keep_days.unwrap_or(default.keep_days),
            stream_bytes_max: self.stream_mib_max.map_or(default.stream_bytes_max, |mib| u64::from(mib) << 20),
        }
    }
}

/// The server's own log.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    pub(crate) form: Option<LogForm>,
    pub(crate) level: Option<String>,
}

/// Where buckets are that are no folders.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct S3 {
    /// Amazon's own in the region, where only that is given.
    pub(crate) endpoint: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) access_key: Option<String>,
    pub(crate) secret: Option<String>,
    pub(crate) session_token: Option<String>,
    pub(crate) path_style: Option<bool>,
}

/// A secret is never printed.
impl std::fmt::Debug for S3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3").field("endpoint", &self.endpoint).field("region", &self.region).finish_non_exhaustive()
    }
}

/// Where notifications of commands go.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Sns {
    /// Amazon's own where there are only keys.
    pub(crate) endpoint: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) access_key: Option<String>,
    pub(crate) secret: Option<String>,
    pub(crate) session_token: Option<String>,
}

/// A secret is never printed.
impl std::fmt::Debug for Sns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sns").field("endpoint", &self.endpoint).field("region", &self.region).finish_non_exhaustive()
    }
}

/// Where traces go.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Telemetry {
    pub(crate) otlp_endpoint: Option<String>,
    pub(crate) otlp_headers: BTreeMap<String, String>,
}

/// A header's value may be a secret.
impl std::fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Telemetry").field("otlp_endpoint", &self.otlp_endpoint).finish_non_exhaustive()
    }
}

/// Encrypted connections.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Tls {
    /// With a certificate of our own.
    pub(crate) on: bool,
    /// With the operator's, in PEM.
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

/// The agent inside the server.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Agent {
    pub(crate) inside: bool,
    pub(crate) instance_id: Option<String>,
    pub(crate) name: Option<String>,
    /// For whom it works: an account and a region.
    pub(crate) account: Option<String>,
    pub(crate) region: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("read {}", path.display())]
    Form { path: PathBuf, source: Box<toml::de::Error> },
    #[error("use account '{0}': it has to have 12 digits")]
    Account(String),
    #[error("use access key '{0}': it is there twice")]
    Twice(String),
    #[error("use limits.{name} = {found}: at least {least} is needed")]
    Limit { name: &'static str, found: u64, least: u64 },
}

pub(crate) fn read(path: &Path) -> Result<Config, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    let config = parse(&text).map_err(|source| Error::Form { path: path.to_owned(), source: Box::new(source) })?;
    check(config)
}

fn parse(text: &str) -> Result<Config, toml::de::Error> {
    toml::from_str(text)
}

fn check(config: Config) -> Result<Config, Error> {
    let mut seen = std::collections::BTreeSet::new();
    for key in &config.keys {
        if key.account.len() != 12 || !key.account.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Error::Account(key.account.clone()));
        }
        if !seen.insert(&key.access_key) {
            return Err(Error::Twice(key.access_key.clone()));
        }
    }
    config.limits.check()?;
    Ok(config)
}

impl Limits {
    fn check(&self) -> Result<(), Error> {
        let payload_bytes = self.payload_bytes.map(|bytes| bytes as u64);
        // A history holds more than its beginning and its end, a payload at least `{}`.
        let given = [
            ("history_events", self.history_events, 10),
            ("payload_bytes", payload_bytes, 1_024),
            ("map_concurrency", self.map_concurrency, 1),
            ("map_run_children", self.map_run_children, 1),
            ("state_machines", self.state_machines, 1),
            ("activities", self.activities, 1),
            ("open_executions", self.open_executions, 1),
            ("documents", self.documents, 1),
            ("standard_parameters", self.standard_parameters, 1),
            ("advanced_parameters", self.advanced_parameters, 1),
        ];
        for (name, found, least) in given {
            if let Some(found) = found.filter(|found| *found < least) {
                return Err(Error::Limit { name, found, least });
            }
        }
        Ok(())
    }

    pub(crate) fn quotas(&self) -> runtime::Quotas {
        let default = runtime::Quotas::default();
        runtime::Quotas {
            state_machines_max: self.state_machines.unwrap_or(default.state_machines_max),
            activities_max: self.activities.unwrap_or(default.activities_max),
            open_executions_max: self.open_executions.unwrap_or(default.open_executions_max),
            documents_max: self.documents.unwrap_or(default.documents_max),
            standard_parameters_max: self.standard_parameters.unwrap_or(default.standard_parameters_max),
            advanced_parameters_max: self.advanced_parameters.unwrap_or(default.advanced_parameters_max),
        }
    }

    pub(crate) fn of_map_runs(&self) -> maprun::Limits {
        let default = maprun::Limits::default();
        maprun::Limits { children_max: self.map_run_children.unwrap_or(default.children_max) }
    }

    pub(crate) fn of_engine(&self) -> engine::Limits {
        let default = engine::Limits::default();
        engine::Limits {
            history_events_max: self.history_events.unwrap_or(default.history_events_max),
            payload_bytes_max: self.payload_bytes.unwrap_or(default.payload_bytes_max),
            map_concurrency_max: self.map_concurrency.unwrap_or(default.map_concurrency_max),
            ..default
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_optional_and_nothing_is_unknown() {
        assert!(parse("").is_ok());
        let config =
            parse("[[key]]\naccess_key = 'a'\nsecret = 's'\naccount = '111111111111'\n[limits]\nhistory_events = 50")
                .expect("valid");
        assert_eq!((config.keys.len(), config.limits.of_engine().history_events_max), (1, 50));
        assert!(!format!("{config:?}").contains("\"s\""), "a secret is never printed");
        assert!(parse("lisen = '127.0.0.1:1'").is_err());
    }

    #[test]
    fn the_log_has_a_form_and_a_level() {
        let config = parse("[log]\nform = 'json'\nlevel = 'debug'").expect("valid");
        assert_eq!((config.log.form, config.log.level.as_deref()), (Some(LogForm::Json), Some("debug")));
        assert!(parse("[log]\nform = 'xml'").is_err());
    }

    #[test]
    fn headers_for_a_collector_are_not_printed() {
        let config = parse("[telemetry]\notlp_endpoint = 'http://c'\notlp_headers = { a = 'canary' }").expect("valid");
        assert!(!format!("{config:?}").contains("canary"));
    }

    #[test]
    fn limits_leave_room_to_run() {
        let with = |limits: &str| check(parse(&format!("[limits]\n{limits}")).expect("valid"));
        for bad in ["history_events = 1", "payload_bytes = 0", "map_concurrency = 0", "open_executions = 0"] {
            assert!(matches!(with(bad), Err(Error::Limit { .. })), "{bad}");
        }
        assert!(with("history_events = 10").is_ok());
    }

    #[test]
    fn keys_are_checked() {
        let with = |account: &str| {
            check(parse(&format!("[[key]]\naccess_key = 'a'\nsecret = 's'\naccount = '{account}'")).expect("valid"))
        };
        assert!(matches!(with("12"), Err(Error::Account(_))));
        assert!(with("000000000000").is_ok());
        let key = "[[key]]\naccess_key = 'a'\nsecret = 's'\naccount = '000000000000'\n";
        assert!(matches!(check(parse(&format!("{key}{key}")).expect("valid")), Err(Error::Twice(_))));
    }
}
