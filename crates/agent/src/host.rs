//! Facts about this machine and its processes, as Linux tells them under `/proc` and `/etc`.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::time::UNIX_EPOCH;

use base::Timestamp;
use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// One process, told apart from a later one that was given the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Process {
    pub pid: i32,
    /// Clock ticks from the host's start to the process's.
    pub start_ticks: u64,
}

impl Process {
    pub fn current() -> Process {
        Process::of(std::process::id() as i32)
    }

    /// The process that has this number now. One that is gone never equals a living one.
    pub fn of(pid: i32) -> Process {
        Process { pid, start_ticks: start_ticks(pid).unwrap_or(0) }
    }

    pub fn is_alive(self) -> bool {
        self.start_ticks > 0 && start_ticks(self.pid) == Some(self.start_ticks)
    }
}

/// Field 22 of `/proc/PID/stat`; nothing for a process that is gone or only waits to be collected.
fn start_ticks(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in field 2 may hold anything, parentheses too.
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// Differs after each start of the host.
pub fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// Time since the host's start, which nobody can set and which goes on while the host sleeps: what the server's times are
/// read against.
pub fn steady_now() -> Timestamp {
    match clock_gettime(ClockId::CLOCK_BOOTTIME) {
        Ok(time) => Timestamp(time.tv_sec() * 1000 + time.tv_nsec() / 1_000_000),
        Err(_) => now(),
    }
}

/// When a file was last written.
pub(crate) fn modified(path: &Path) -> io::Result<Timestamp> {
    let since = fs::metadata(path)?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
}

/// The host's clock, as it is set.
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Tells this machine from others, without telling its own name for itself.
pub fn machine() -> String {
    let id = fs::read_to_string("/etc/machine-id").unwrap_or_default();
    if id.trim().is_empty() { String::new() } else { identity::fingerprint_of(id.trim().as_bytes()) }
}

pub fn computer_name() -> String {
    nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The system's name and version, as in `Debian GNU/Linux` and `12`.
pub fn platform() -> (String, String) {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let value = |key: &str| {
        let line = release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.map(|value| value.trim_matches('"').to_owned())
    };
    (value("NAME").unwrap_or_else(|| "Linux".to_owned()), value("VERSION_ID").unwrap_or_default())
}

pub fn random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_its_number_and_its_start() {
        let current = Process::current();
        assert!(current.is_alive());
        assert!(!Process { start_ticks: current.start_ticks + 1, ..current }.is_alive());
        let gone = Process::of(i32::MAX);
        assert!(!gone.is_alive());
    }

    #[test]
    fn a_process_that_waits_to_be_collected_is_gone() {
        let mut child = std::process::Command::new("/bin/sleep").arg("30").spawn().expect("sleep");
        let process = Process::of(child.id() as i32);
        assert!(process.is_alive());
        child.kill().expect("kill");
        while process.is_alive() {
            std::thread::yield_now();
        }
        child.wait().expect("wait");
    }
}
