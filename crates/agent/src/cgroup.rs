//! Groups of processes with limits of their own (cgroup v2), where the host lets us make them.
//!
//! That is: the agent is alone in a group called `agent`, whose parent was given to it (`Delegate=yes` with
//! `DelegateSubgroup=agent` in the unit). Elsewhere each process is limited for itself.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base::Id;
use document::Limits;

/// The group that the unit puts the agent into.
const OUR_GROUP: &str = "agent";

/// Microseconds in which a group may use so much processor time.
const CPU_PERIOD: u64 = 100_000;

const CONTROLLERS: &str = "+cpu +memory +pids";

/// A group of one job's processes. Removed when dropped.
#[derive(Debug)]
pub(crate) struct Cgroup(PathBuf);

impl Cgroup {
    /// A new group below `parent`, with these limits; none where it cannot be had.
    pub(crate) fn create(parent: &Path, attempt: &Path, limits: &Limits) -> Option<Cgroup> {
        let path = parent.join(format!("job-{}", Id::of("cgroup", &attempt.to_string_lossy())));
        match fs::create_dir(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return None,
            _ => (),
        }
        let group = Cgroup(path);
        group.limit(limits).ok().map(|()| group)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Kills all that is in it, wherever it went.
    pub(crate) fn kill(&self) {
        let _nothing_left = fs::write(self.0.join("cgroup.kill"), "1");
    }

    pub(crate) fn ran_out_of_memory(&self) -> bool {
        let events = fs::read_to_string(self.0.join("memory.events")).unwrap_or_default();
        let killed = events.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse::<u64>().ok());
        killed.is_some_and(|killed| killed > 0)
    }

    fn limit(&self, limits: &Limits) -> io::Result<()> {
        let set = |file: &str, value: String| fs::write(self.0.join(file), value);
        if let Some(mib) = limits.memory_mib {
            set("memory.max", mib.saturating_mul(1024 * 1024).to_string())?;
            // Without this it would only become slow. Not every host counts what is swapped.
            let _where_it_is = set("memory.swap.max", "0".to_owned());
        }
        if let Some(processes) = limits.processes {
            set("pids.max", processes.to_string())?;
        }
        if let Some(percent) = limits.cpu_percent {
            let quota = u64::from(percent).saturating_mul(CPU_PERIOD) / 100;
            set("cpu.max", format!("{} {CPU_PERIOD}", quota.max(1_000)))?;
        }
        Ok(())
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _left_for_later = fs::remove_dir(&self.0);
    }
}

/// Where groups of jobs may be made, and why not if not. Called once, when an agent starts.
pub fn prepare() -> Result<PathBuf, String> {
    let parent = of(std::process::id() as i32)?;
    fs::write(parent.join("cgroup.subtree_control"), CONTROLLERS)
        .map_err(|error| format!("{} is not ours to limit: {error}", parent.display()))?;
    Ok(parent)
}

/// Where an agent's groups belong, if it has such a place.
pub fn of(pid: i32) -> Result<PathBuf, String> {
    let group = group_of(pid)?;
    let parent = group.parent().filter(|_| group.ends_with(OUR_GROUP));
    parent
        .map(Path::to_owned)
        .ok_or_else(|| format!("the agent is not in a group of its own called {OUR_GROUP}, but in {}", group.display()))
}

/// The group that a process is in, as a directory.
fn group_of(pid: i32) -> Result<PathBuf, String> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).map_err(|error| error.to_string())?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/")).ok_or("this host has no cgroup v2")?;
    let mounts = fs::read_to_string("/proc/self/mounts").map_err(|error| error.to_string())?;
    let mut mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let mount = mounts.find(|fields| fields.get(2) == Some(&"cgroup2"));
    let mount = mount.and_then(|fields| fields.get(1).map(PathBuf::from)).ok_or("cgroup v2 is not mounted")?;
    Ok(mount.join(group))
}
