//! What the operating system says about a process.

use std::fs;
use std::time::Duration;

use serde::Serialize;

/// Linux counts a process's time in hundredths of a second towards user space, whatever the kernel ticks at.
const TICKS_PER_SECOND: u64 = 100;

/// How much memory a process holds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Memory {
    pub(crate) rss_kib: u64,
    /// Pages shared with others count in part.
    pub(crate) pss_kib: u64,
    /// Of the resident pages, those that no file backs.
    pub(crate) anonymous_kib: u64,
}

/// How long `pid` has been on a processor, in user space and in the kernel.
pub(crate) fn cpu(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The second field is the program's name in parentheses, and may hold anything.
    let after_name = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND)
}

/// How many bytes `pid` has had written to the disk.
pub(crate) fn disk_bytes(pid: u32) -> u64 {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|bytes| bytes.parse().ok()).unwrap_or_default()
}

pub(crate) fn memory(pid: u32) -> Memory {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let field = |name: &str| {
        let line = rollup.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
    };
    Memory { rss_kib: field("Rss:"), pss_kib: field("Pss:"), anonymous_kib: field("Anonymous:") }
}

/// The most memory that `pid` has held at any time.
pub(crate) fn peak_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}

/// The load average of the last minute: how many wanted a processor, this benchmark among them.
pub(crate) fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|field| field.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_process_uses_memory() {
        let memory = super::memory(std::process::id());
        assert!(memory.rss_kib > 0 && memory.pss_kib > 0 && memory.rss_kib >= memory.anonymous_kib, "{memory:?}");
    }
}
