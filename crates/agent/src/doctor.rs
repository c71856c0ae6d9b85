//! What an agent needs of its host, looked at from outside: for `dandori agent doctor`.
//!
//! **It changes nothing**, and works beside a running agent. What is found is a value; whoever shows it has the words.

use std::fs;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, Uid, User, access, geteuid};

use crate::journal::{self, Status};
use crate::policy::{Policy, PolicyFile};
use crate::{cgroup, enrolment};

/// How long to wait for a server.
const PATIENCE: Duration = Duration::from_secs(5);

/// Differences of the clocks that people should know of.
const CLOCK_MS_MAX: i64 = 60_000;

/// Free space below which the agent soon keeps nothing, and below which it should not be left alone.
const DISK_MIB_MIN: u64 = 64;
const DISK_MIB_ENOUGH: u64 = 1_024;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Ok,
    Warning,
    Failure,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    Data { path: PathBuf },
    DataMissing { path: PathBuf },
    DataNotOurs { path: PathBuf, owner: String },
    Private,
    ReadableByOthers { mode: u32 },
    Runs { pid: i32, version: String },
    RunsNot,
    Registered,
    NotRegistered,
    IdentityDamaged { why: String },
    Connected { server: String },
    ServerReached { server: String },
    ServerNotReached { server: String, why: String },
    NotLetIn { server: String },
    ServerUnknown,
    Clock { ahead_ms: i64 },
    PolicyNone,
    Policy { path: PathBuf },
    PolicyBroken { why: String },
    PolicyWritable { path: PathBuf },
    Root,
    NotRoot { user: String },
    Groups { path: PathBuf },
    NoGroups { why: String },
    Disk { mib: u64 },
    PowerShell,
    NoPowerShell,
    Drains,
}

impl Finding {
    pub fn severity(&self) -> Severity {
        match self {
            Finding::Data { .. }
            | Finding::Private
            | Finding::Runs { .. }
            | Finding::Registered
            | Finding::Connected { .. }
            | Finding::ServerReached { .. }
            | Finding::PolicyNone
            | Finding::Policy { .. }
            | Finding::Root
            | Finding::Groups { .. }
            | Finding::PowerShell
            // Most hosts do without.
            | Finding::NoPowerShell => Severity::Ok,
            Finding::Clock { ahead_ms } if ahead_ms.abs() <= CLOCK_MS_MAX => Severity::Ok,
            Finding::Disk { mib } if *mib >= DISK_MIB_ENOUGH => Severity::Ok,
            Finding::Disk { mib } if *mib < DISK_MIB_MIN => Severity::Failure,
            Finding::Disk { .. }
            | Finding::Clock { .. }
            | Finding::RunsNot
            | Finding::NotRegistered
            | Finding::NotRoot { .. }
            | Finding::NoGroups { .. }
            | Finding::ReadableByOthers { .. }
            | Finding::Drains => Severity::Warning,
            Finding::DataMissing { .. }
            | Finding::DataNotOurs { .. }
            | Finding::IdentityDamaged { .. }
            | Finding::ServerNotReached { .. }
            | Finding::NotLetIn { .. }
            | Finding::ServerUnknown
            | Finding::PolicyBroken { .. }
            | Finding::PolicyWritable { .. } => Severity::Failure,
        }
    }
}

/// Looks at everything, in the order in which a person would mend it. The server and the policy file are those that the
/// agent last had where none is given.
pub fn examine(data: &Path, server: Option<&str>, policy: Option<PolicyFile>) -> Vec<Finding> {
    let Ok(directory) = fs::metadata(data) else {
        return vec![Finding::DataMissing { path: data.to_owned() }];
    };
    let status = journal::status(data).ok().flatten().unwrap_or_default();
    let runs = status.process.filter(|process| process.is_alive());
    let mut found = vec![whose(data, &directory), how_open(&directory), disk(data)];
    found.push(match runs {
        Some(process) => Finding::Runs { pid: process.pid, version: status.version.clone() },
        None => Finding::RunsNot,
    });
    found.push(match enrolment::is_registered(data) {
        Ok(true) => Finding::Registered,
        Ok(false) => Finding::NotRegistered,
        Err(error) => Finding::IdentityDamaged { why: error.to_string() },
    });
    found.extend(connection(&status, runs.is_some(), server));
    found.extend(journal::drains(data).then_some(Finding::Drains));
    found.push(rules(policy.or(status.policy).unwrap_or_default()));
    found.push(rights(geteuid()));
    found.push(match runs.map_or_else(|| Err("the agent does not run".to_owned()), |one| cgroup::of(one.pid)) {
        Ok(path) => Finding::Groups { path },
        Err(why) => Finding::NoGroups { why },
    });
    found.push(if has_program("pwsh") { Finding::PowerShell } else { Finding::NoPowerShell });
    found
}

fn whose(data: &Path, directory: &fs::Metadata) -> Finding {
    if directory.is_dir() && access(data, AccessFlags::R_OK | AccessFlags::W_OK | AccessFlags::X_OK).is_ok() {
        return Finding::Data { path: data.to_owned() };
    }
    Finding::DataNotOurs { path: data.to_owned(), owner: name_of(Uid::from_raw(directory.uid())) }
}

/// Others may pass through, where scripts run as other users; they may not read.
fn how_open(directory: &fs::Metadata) -> Finding {
    let mode = directory.permissions().mode() & 0o777;
    if mode & 0o066 == 0 { Finding::Private } else { Finding::ReadableByOthers { mode } }
}

fn disk(data: &Path) -> Finding {
    let free = statvfs(data).map_or(0, |disk| disk.blocks_available().saturating_mul(disk.fragment_size()));
    Finding::Disk { mib: free >> 20 }
}

fn connection(status: &Status, runs: bool, server: Option<&str>) -> Vec<Finding> {
    if runs && status.connected_since.is_some() {
        let server = status.server.clone();
        return vec![Finding::Connected { server }, Finding::Clock { ahead_ms: status.ahead_ms }];
    }
    let known = Some(&*status.server).filter(|known| !known.is_empty());
    let Some(server) = server.or(known).map(str::to_owned) else { return vec![Finding::ServerUnknown] };
    vec![match reach(&server) {
        Ok(()) if runs => Finding::NotLetIn { server },
        Ok(()) => Finding::ServerReached { server },
        Err(why) => Finding::ServerNotReached { server, why },
    }]
}

/// Whether somebody listens there.
fn reach(url: &str) -> Result<(), String> {
    let (scheme, rest) = url.split_once("://").ok_or("it is no address")?;
    let authority = rest.split('/').next().unwrap_or_default();
    let has_port = authority.rsplit(']').next().is_some_and(|after| after.contains(':'));
    let port = if matches!(scheme, "wss" | "https") { 443 } else { 80 };
    let dial = if has_port { authority.to_owned() } else { format!("{authority}:{port}") };
    let mut why = "it has no address".to_owned();
    for address in dial.to_socket_addrs().map_err(|error| error.to_string())? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) => return Ok(()),
            Err(error) => why = error.to_string(),
        }
    }
    Err(why)
}

fn rules(file: PolicyFile) -> Finding {
    let path = file.path.clone();
    let policy = Policy::read(file);
    if let Some(why) = policy.broken() {
        return Finding::PolicyBroken { why: why.to_owned() };
    }
    match fs::metadata(&path) {
        Ok(found) if found.permissions().mode() & 0o022 != 0 => Finding::PolicyWritable { path },
        Ok(_) => Finding::Policy { path },
        Err(_) => Finding::PolicyNone,
    }
}

fn rights(user: Uid) -> Finding {
    if user.is_root() { Finding::Root } else { Finding::NotRoot { user: name_of(user) } }
}

fn name_of(uid: Uid) -> String {
    User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name)
}

fn has_program(name: &str) -> bool {
    let search = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&search).any(|directory| access(&directory.join(name), AccessFlags::X_OK).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_that_the_agent_has_are_examined() {
        let data = std::env::temp_dir().join(format!("agent-doctor-{:x}", crate::host::random().expect("random")));
        fs::create_dir_all(&data).expect("a directory");
        let path = data.join("rules.toml");
        fs::write(&path, "shell = false\n").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("ours alone");
        let status = Status { policy: Some(PolicyFile { path: path.clone(), required: true }), ..Status::default() };
        let text = serde_json::to_vec(&status).expect("a text");
        fs::write(data.join("status.json"), text).expect("written");
        let found = examine(&data, None, None);
        let missing = PolicyFile { path: data.join("other.toml"), required: true };
        let given = examine(&data, None, Some(missing));
        fs::remove_dir_all(&data).expect("removed");
        assert!(found.contains(&Finding::Policy { path }), "{found:?}");
        assert!(given.iter().any(|one| matches!(one, Finding::PolicyBroken { .. })), "{given:?}");
    }
}
