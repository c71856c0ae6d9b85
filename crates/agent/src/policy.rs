//! The host's own rules: what the server may have done here at all.
//!
//! A file in TOML, written by whoever answers for the host. What it does not name is not restricted; a file that cannot
//! be read allows nothing. Rules are asked twice: before an attempt is accepted, so that what is refused never begins, and
//! by the supervisor before each action, because documents on the host are read only then, and links may change.
//!
//! ```toml
//! documents = ["AWS-RunShellScript", "Nightly-*"]
//! actions = ["aws:runShellScript", "dandori:runJob"]
//! users = ["batch"]                     # whom programs may run as, the agent's own user among them
//! shell = false                         # no script texts, only programs
//! programs = ["/opt/jobs"]              # files, or directories and all below
//! working_directories = ["/var/jobs"]
//! destinations = ["/var/jobs/in"]       # of downloads; below the attempt's own directory they always may
//! sources = ["/srv/share"]              # files on this host that are copied, or run as documents
//! environment = ["APP_*", "LANG"]
//! execution_seconds_max = 3600          # of one step
//! concurrency_max = 2
//! ```
//!
//! **Invariant:** paths are compared as what they lead to: links are followed, and `..` is refused.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use api::agent::Offer;
use document::{Action, Job, Plan, Program, Script, Source};
use serde::{Deserialize, Serialize};

/// Where the rules are looked for when nobody says where.
pub const PATH_DEFAULT: &str = "/etc/dandori/agent-policy.toml";

/// Bytes of rules that are read.
const BYTES_MAX: u64 = 1024 * 1024;

/// Which file has the rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyFile {
    pub path: PathBuf,
    /// Whether nothing is allowed where there is no such file.
    pub required: bool,
}

impl Default for PolicyFile {
    fn default() -> PolicyFile {
        PolicyFile { path: PATH_DEFAULT.into(), required: false }
    }
}

/// The rules as they are now.
#[derive(Debug)]
pub struct Policy {
    file: PolicyFile,
    seen: Option<Stamp>,
    state: State,
}

/// What tells a file from what it was.
type Stamp = (u64, u64, i64, i64, u64);

#[derive(Debug)]
enum State {
    /// There is no file, and there need not be one.
    Open,
    Rules(Box<Rules>),
    /// Why nothing is allowed.
    Broken(String),
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    documents: Option<Vec<String>>,
    actions: Option<Vec<String>>,
    users: Option<Vec<String>>,
    shell: Option<bool>,
    programs: Option<Vec<PathBuf>>,
    working_directories: Option<Vec<PathBuf>>,
    destinations: Option<Vec<PathBuf>>,
    sources: Option<Vec<PathBuf>>,
    environment: Option<Vec<String>>,
    execution_seconds_max: Option<u32>,
    concurrency_max: Option<usize>,
}

impl Policy {
    /// The rules in this file, read.
    pub fn read(file: PolicyFile) -> Policy {
        let mut policy = Policy { file, seen: None, state: State::Open };
        policy.reread();
        policy
    }

    /// Where the rules are, wherever whoever asks stands.
    pub fn file(&self) -> PolicyFile {
        let path = std::path::absolute(&self.file.path).unwrap_or_else(|_| self.file.path.clone());
        PolicyFile { path, required: self.file.required }
    }

    /// Reads the file again if it is another one. Tells whether it is.
    pub fn look(&mut self) -> bool {
        let changed = self.seen != stamp(&self.file.path);
        if changed {
            self.reread();
        }
        changed
    }

    fn reread(&mut self) {
        // Before it is read: what changes meanwhile is read again.
        self.seen = stamp(&self.file.path);
        self.state = match read(&self.file.path) {
            Ok(rules) => State::Rules(Box::new(rules)),
            Err(Unread::Missing) if !self.file.required => State::Open,
            Err(Unread::Missing) => State::Broken(format!("the agent has no policy file {}", self.file.path.display())),
            Err(Unread::Broken(why)) => {
                State::Broken(format!("the agent's policy file {} cannot be used: {why}", self.file.path.display()))
            }
        };
    }

    /// Why nothing is allowed, if that is so.
    pub fn broken(&self) -> Option<&str> {
        match &self.state {
            State::Broken(why) => Some(why),
            State::Open | State::Rules(_) => None,
        }
    }

    /// Whether there are rules.
    pub fn restricts(&self) -> bool {
        matches!(self.state, State::Rules(_))
    }

    pub fn concurrency_max(&self) -> Option<usize> {
        match &self.state {
            State::Rules(rules) => rules.concurrency_max,
            State::Open | State::Broken(_) => None,
        }
    }

    /// Whether an offer may be taken, or why not.
    pub fn allows(&self, offer: &Offer) -> Result<(), String> {
        let rules = match &self.state {
            State::Open => return Ok(()),
            State::Broken(why) => return Err(why.clone()),
            State::Rules(rules) => rules,
        };
        named(&rules.documents, &offer.document, "document")?;
        let Plan { steps } = &offer.plan;
        // The attempt's directory is not there yet: what lies below it is allowed.
        steps.iter().try_for_each(|step| rules.action(&step.action, None))
    }

    /// Whether an action may be performed, or why not. `work` is the attempt's own directory for files.
    pub(crate) fn allows_action(&self, action: &Action, work: &Path) -> Result<(), String> {
        match &self.state {
            State::Open => Ok(()),
            State::Broken(why) => Err(why.clone()),
            State::Rules(rules) => rules.action(action, Some(work)),
        }
    }
}

enum Unread {
    Missing,
    Broken(String),
}

fn read(path: &Path) -> Result<Rules, Unread> {
    let broken = |error: &dyn std::fmt::Display| Unread::Broken(error.to_string());
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Unread::Missing),
        Err(error) => return Err(broken(&error)),
        Ok(file) if file.len() > BYTES_MAX => return Err(broken(&"it is too long")),
        Ok(_) => (),
    }
    let text = fs::read_to_string(path).map_err(|error| broken(&error))?;
    toml::from_str(&text).map_err(|error| broken(&error.to_string().trim().replace('\n', " ")))
}

fn stamp(path: &Path) -> Option<Stamp> {
    let file = fs::metadata(path).ok()?;
    Some((file.dev(), file.ino(), file.mtime(), file.mtime_nsec(), file.len()))
}

impl Rules {
    fn action(&self, action: &Action, work: Option<&Path>) -> Result<(), String> {
        named(&self.actions, action.name(), "action")?;
        match action {
            Action::Shell(script) | Action::PowerShell(script) => self.script(script, work),
            Action::Job(job) => self.job(job, work),
            Action::Download(wanted) => {
                if let Source::Local { path } = &wanted.source {
                    within(&self.sources, path, work, "source")?;
                }
                within(&self.destinations, &wanted.destination, work, "destination")
            }
            Action::Document(wanted) => within(&self.sources, &wanted.path, work, "document's path"),
        }
    }

    fn script(&self, script: &Script, work: Option<&Path>) -> Result<(), String> {
        self.shell()?;
        self.user(None)?;
        within(&self.working_directories, &script.working_directory, work, "working directory")?;
        script.environment.iter().try_for_each(|variable| named(&self.environment, &variable.name, "variable"))?;
        self.seconds(script.execution_timeout_seconds)
    }

    fn job(&self, job: &Job, work: Option<&Path>) -> Result<(), String> {
        self.user(job.user.as_deref())?;
        match &job.program {
            Program::Script(_) => self.shell()?,
            Program::File(path) => self.program(path, job, work)?,
        }
        within(&self.working_directories, &job.working_directory, work, "working directory")?;
        let names = job.environment.iter().map(|variable| &variable.name);
        let mut names = names.chain(job.secrets.iter().map(|secret| &secret.name));
        names.try_for_each(|name| named(&self.environment, name, "variable"))?;
        self.seconds(job.execution_timeout_seconds)
    }

    fn shell(&self) -> Result<(), String> {
        match self.shell {
            Some(false) => Err("the host's policy allows no script texts".to_owned()),
            Some(true) | None => Ok(()),
        }
    }

    fn user(&self, user: Option<&str>) -> Result<(), String> {
        if self.users.is_none() {
            return Ok(());
        }
        let own = || nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten().map(|user| user.name);
        let name = user.map(str::to_owned).or_else(own).unwrap_or_default();
        named(&self.users, &name, "user")
    }

    fn seconds(&self, wanted: u32) -> Result<(), String> {
        match self.execution_seconds_max {
            Some(max) if wanted > max => {
                Err(format!("the host's policy allows {max} seconds for a step, and this one asks for {wanted}"))
            }
            _ => Ok(()),
        }
    }

    /// A bare name is what it would be found as; any other begins where the job runs. What lies in the attempt's own
    /// directory is not allowed for that: whoever brings files there would choose what runs.
    fn program(&self, path: &str, job: &Job, work: Option<&Path>) -> Result<(), String> {
        if self.programs.is_none() {
            return Ok(());
        }
        if path.contains('/') {
            let base = PathBuf::from(&job.working_directory).join(path);
            // Where it begins is not known before there is an attempt: it is asked again then.
            let whole = work.map_or(base.clone(), |work| work.join(base));
            return within(&self.programs, &whole.to_string_lossy(), None, "program");
        }
        let names = job.environment.iter().map(|variable| &variable.name);
        if names.chain(job.secrets.iter().map(|secret| &secret.name)).any(|name| name == "PATH") {
            return Err(format!(
                "the host's policy does not allow the program {path:?} to be looked for in another PATH"
            ));
        }
        let search = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&search).map(|directory| directory.join(path)).find(|file| file.is_file());
        match found {
            Some(found) if found.is_absolute() => within(&self.programs, &found.to_string_lossy(), None, "program"),
            Some(_) | None => Err(format!("the host's policy does not allow the program {path:?}")),
        }
    }
}

fn named(allowed: &Option<Vec<String>>, name: &str, what: &str) -> Result<(), String> {
    match allowed {
        Some(allowed) if !allowed.iter().any(|pattern| matches(pattern, name)) => {
            Err(format!("the host's policy does not allow the {what} {name:?}"))
        }
        _ => Ok(()),
    }
}

/// Whether a name is like a pattern, in which `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Whether a path leads to what is allowed. What is relative lies in the attempt's own directory, where everything is
/// allowed that does not lead out of it.
fn within(allowed: &Option<Vec<PathBuf>>, path: &str, work: Option<&Path>, what: &str) -> Result<(), String> {
    let Some(allowed) = allowed else { return Ok(()) };
    let refused = || format!("the host's policy does not allow the {what} {path:?}");
    let wanted = Path::new(path);
    if wanted.components().any(|part| part == Component::ParentDir) || path.contains('\0') {
        return Err(refused());
    }
    let ours = match (work, wanted.is_relative()) {
        (None, true) => return Ok(()),
        (None, false) => None,
        (Some(work), _) => Some(leads_to(work).ok_or_else(refused)?),
    };
    let leads = leads_to(&work.map_or(wanted.to_owned(), |work| work.join(wanted))).ok_or_else(refused)?;
    let mut places = allowed.iter().filter_map(|place| leads_to(place)).chain(ours);
    if places.any(|place| leads.starts_with(place)) { Ok(()) } else { Err(refused()) }
}

/// Where a path leads: links followed, as far as it is there.
fn leads_to(path: &Path) -> Option<PathBuf> {
    if !path.is_absolute() {
        return None;
    }
    let mut missing = vec![];
    for there in path.ancestors() {
        match fs::canonicalize(there) {
            Ok(there) => return Some(missing.iter().rev().fold(there, |path, name| path.join(name))),
            // A link that leads nowhere may lead somewhere tomorrow.
            Err(_) if fs::symlink_metadata(there).is_ok() => return None,
            Err(_) => missing.push(there.file_name()?.to_owned()),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use document::{Download, Judgement, Limits};

    use super::*;

    fn rules(text: &str) -> Rules {
        toml::from_str(text).expect("rules")
    }

    fn job(program: Program) -> Job {
        Job {
            program,
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

    fn file(path: &str) -> Job {
        job(Program::File(path.to_owned()))
    }

    #[test]
    fn a_star_stands_for_anything() {
        let all = |pattern: &str, names: &[&str]| names.iter().map(|name| matches(pattern, name)).collect::<Vec<_>>();
        assert_eq!(all("AWS-*", &["AWS-Run", "AWS-", "aws-run", "XAWS-"]), [true, true, false, false]);
        assert_eq!(all("a*b*c", &["abc", "a-b-c", "acb", "abcb"]), [true, true, false, false]);
        assert_eq!(all("*", &["", "x"]), [true, true]);
        assert_eq!(all("x", &["x", "xx", ""]), [true, false, false]);
        assert_eq!(all("ab*ba", &["aba", "abba"]), [false, true]);
    }

    #[test]
    fn a_path_is_what_it_leads_to() {
        let root = std::env::temp_dir().join(format!("agent-policy-{:x}", crate::host::random().expect("random")));
        let (allowed, other) = (root.join("allowed"), root.join("other"));
        fs::create_dir_all(&allowed).expect("a directory");
        fs::create_dir_all(&other).expect("a directory");
        fs::write(other.join("program"), "").expect("a file");
        fs::write(allowed.join("program"), "").expect("a file");
        std::os::unix::fs::symlink(&other, allowed.join("out")).expect("a link");
        std::os::unix::fs::symlink(root.join("nowhere"), allowed.join("broken")).expect("a link");
        std::os::unix::fs::symlink(&allowed, root.join("in")).expect("a link");
        let rules = rules(&format!("programs = [{:?}]\ndestinations = [{0:?}]", allowed.display().to_string()));
        let may = |path: PathBuf| rules.job(&file(&path.display().to_string()), None).is_ok();
        assert!(may(allowed.join("program")));
        assert!(may(root.join("in/program")));
        assert!(may(allowed.join("not/yet")));
        for no in ["other/program", "allowed/../other/program", "allowed/out/program", "allowed/broken", "allowedx"] {
            assert!(!may(root.join(no)), "{no}");
        }
        assert!(rules.job(&file("sh"), None).is_err());
        // What was brought into the attempt's own directory is not a program of the host's.
        for brought in ["./program", "program/../program", &other.join("program").display().to_string()] {
            assert!(rules.job(&file(brought), Some(&other)).is_err(), "{brought}");
        }
        let elsewhere = Job { working_directory: other.display().to_string(), ..file("./program") };
        assert!(rules.job(&elsewhere, Some(&allowed)).is_err() && rules.job(&elsewhere, None).is_err());
        std::os::unix::fs::symlink(allowed.join("program"), other.join("to-program")).expect("a link");
        assert!(rules.job(&file("./to-program"), Some(&other)).is_ok());
        let bin = Rules { programs: Some(vec!["/bin".into(), "/usr/bin".into()]), ..Rules::default() };
        assert!(bin.job(&file("sh"), None).is_ok() && bin.job(&file("no-such-program"), None).is_err());
        let path = document::Variable { name: "PATH".to_owned(), value: other.display().to_string() };
        assert!(bin.job(&Job { environment: vec![path], ..file("sh") }, None).is_err());
        let bring = |destination: &str, work: Option<&Path>| {
            let source = Source::S3 { bucket: "b".to_owned(), key: "k".to_owned() };
            rules.action(&Action::Download(Download { source, destination: destination.to_owned() }), work).is_ok()
        };
        let work = root.join("other");
        assert!(bring("", None) && bring("sub/", Some(&work)) && bring("", Some(&work)));
        assert!(!bring("../x", Some(&work)) && !bring("/etc", None) && !bring("/etc", Some(&work)));
        // A link that a step made in its own directory leads out of it.
        std::os::unix::fs::symlink("/etc", work.join("etc")).expect("a link");
        assert!(!bring("etc/cron.d", Some(&work)));
        fs::remove_dir_all(&root).expect("remove");
    }

    #[test]
    fn what_is_not_named_is_not_restricted_and_what_is_named_is() {
        let script = || job(Program::Script("id".to_owned()));
        assert!(rules("").job(&script(), None).is_ok());
        assert!(rules("shell = false").job(&script(), None).is_err());
        assert!(rules("shell = false").job(&file("/bin/true"), None).is_ok());
        assert!(rules("users = ['batch']").job(&script(), None).is_err());
        let as_batch = Job { user: Some("batch".to_owned()), ..script() };
        assert!(rules("users = ['batch']").job(&as_batch, None).is_ok());
        assert!(rules("execution_seconds_max = 59").job(&script(), None).is_err());
        assert!(rules("actions = ['aws:*']").action(&Action::Job(Box::new(script())), None).is_err());
        let variable = document::Variable { name: "LD_PRELOAD".to_owned(), value: String::new() };
        let preloads = Job { environment: vec![variable], ..script() };
        assert!(rules("environment = ['APP_*']").job(&preloads, None).is_err());
    }

    #[test]
    fn a_file_that_cannot_be_read_allows_nothing() {
        let path = std::env::temp_dir().join(format!("agent-policy-{:x}.toml", crate::host::random().expect("random")));
        let shell = Action::Job(Box::new(job(Program::Script("id".to_owned()))));
        let mut policy = Policy::read(PolicyFile { path: path.clone(), required: false });
        let mut may = |text: Option<&str>| {
            text.map_or_else(|| fs::remove_file(&path), |text| fs::write(&path, text)).expect("a file");
            assert!(policy.look());
            (policy.allows_action(&shell, Path::new("/")).is_ok(), policy.broken().is_some())
        };
        assert_eq!(may(Some("shell = true")), (true, false));
        assert_eq!(may(Some("shell = 3")), (false, true));
        assert_eq!(may(Some("shells = false")), (false, true));
        assert_eq!(may(Some("shell = false")), (false, false));
        assert_eq!(may(None), (true, false));
        assert!(Policy::read(PolicyFile { path, required: true }).broken().is_some());
    }
}
