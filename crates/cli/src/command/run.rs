//! `dandori command run`: what was typed becomes a request; then what the hosts write is shown until it has ended.
//!
//! What scripts write goes where scripts write: to standard output and standard error. What became of the command is
//! told on standard error. Where JSON is wanted nothing is shown before the end, and then the command alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api::{Code, Command, CommandSend, CommandTarget, Instance, Invocation, Verdict};
use hyper::Method;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::words::{self, Told};
use super::{Tail, path, show};
use crate::args::{Format, SentRun};
use crate::client::{Client, encoded};
use crate::execution::{pages, read_file};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::output::Out;
use crate::words::Say;

/// Outputs that are followed at once; others wait for their turn.
const FOLLOWED_MAX: usize = 16;
/// How often it is asked how the command stands, on few instances and on many.
const LOOK_EVERY: Duration = Duration::from_millis(300);
const LOOK_EVERY_MANY: Duration = Duration::from_secs(2);
const FEW: usize = 10;
/// How often in a row the server may be out of reach.
const TRIES_MAX: u32 = 30;
/// After its end, how long an output may give nothing before it is waited for no longer.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(30);
/// How long the output of an attempt that is past may not have begun.
const PAST_SILENCE_MAX: Duration = Duration::from_secs(2);
/// Of a line that has a name before it.
const LINE_BYTES_MAX: usize = 64 << 10;
const PIECES_PENDING_MAX: usize = 64;
/// Instances that `--all` reaches: what one command may have.
const INSTANCES_MAX: u32 = 10_000;

pub(super) async fn run(client: &Client, out: &Out, asked: SentRun) -> Result<Exit, Fault> {
    let all = if asked.all { all_instances(client).await? } else { vec![] };
    if asked.script.as_deref() == Some("-") && asked.stdin.as_deref() == Some("-") {
        return Err(Fault::new(Code::Usage, "", words::text(Told::StdinTwice, out.look.lang)));
    }
    let script = asked.script.as_deref().map(read_file).transpose()?;
    let stdin = asked.stdin.as_deref().map(read_file).transpose()?;
    let send = request(&asked, Read { script, stdin, all });
    let sent: Command = client.send(Method::POST, "/commands", &send).await?;
    if asked.no_wait {
        show(out, &sent)?;
        out.message(&words::text(Told::HowToSee { id: &sent.id }, out.look.lang));
        return Ok(Exit::Ok);
    }
    let told = Told::Sent { id: &sent.id, document: &sent.document, instances: sent.invocations.len() };
    out.message(&words::text(told, out.look.lang));
    let follower = Follower::new(client, out, &sent);
    match follower.follow(asked.follow.timeout).await? {
        Stopped::Ended => end(client, out, &sent.id, asked.follow.warn_exit).await,
        Stopped::Detached => Ok(left(out, &sent.id, Told::Detached { id: &sent.id }, Exit::Interrupted)),
        Stopped::TimedOut => Ok(left(out, &sent.id, Told::TimedOut { id: &sent.id }, Exit::StillRunning)),
    }
}

async fn all_instances(client: &Client) -> Result<Vec<String>, Fault> {
    let (instances, _) = pages::<Instance>(client, "/instances", "", INSTANCES_MAX).await?;
    Ok(instances.into_iter().map(|instance| instance.id).collect())
}

/// What had to be read before there is a request.
#[derive(Default)]
struct Read {
    script: Option<String>,
    stdin: Option<String>,
    all: Vec<String>,
}

fn request(asked: &SentRun, read: Read) -> CommandSend {
    let script = read.script.unwrap_or_else(|| script_of(&asked.words));
    let is_job = asked.user.is_some() || asked.cwd.is_some() || !asked.env.is_empty() || read.stdin.is_some();
    let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut set = |name: &str, value: String| parameters.entry(name.to_owned()).or_default().push(value);
    let document = match &asked.document {
        Some(document) => document.clone(),
        None if is_job => {
            set("script", script);
            let environment: BTreeMap<_, _> = asked.env.iter().cloned().collect();
            let environment = serde_json::to_string(&environment).expect("texts have a JSON");
            let environment = Some(environment).filter(|_| !asked.env.is_empty());
            let given = [
                ("user", asked.user.clone()),
                ("workingDirectory", asked.cwd.clone()),
                ("environment", environment),
                ("stdin", read.stdin),
            ];
            given.into_iter().for_each(|(name, value)| value.into_iter().for_each(|value| set(name, value)));
            "Dandori-RunJob".to_owned()
        }
        None => {
            set("commands", script);
            "AWS-RunShellScript".to_owned()
        }
    };
    asked.parameters.iter().for_each(|(name, value)| set(name, value.clone()));
    CommandSend {
        document,
        document_version: asked.document_which.clone(),
        parameters,
        instances: asked.instances.clone(),
        targets: targets(asked, read.all),
        timeout: asked.delivery_timeout,
        max_concurrency: asked.max_concurrency.clone(),
        max_errors: asked.max_errors.clone(),
        comment: asked.comment.clone(),
    }
}

/// Values of one tag stand together.
fn targets(asked: &SentRun, all: Vec<String>) -> Vec<CommandTarget> {
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (tag, value) in &asked.tags {
        values.entry(format!("tag:{tag}")).or_default().push(value.clone());
    }
    values.insert("group".to_owned(), asked.groups.clone());
    values.insert("name".to_owned(), asked.names.iter().cloned().chain(all).collect());
    let given = values.into_iter().filter(|(_, values)| !values.is_empty());
    given.map(|(key, values)| CommandTarget { key, values }).collect()
}

/// One word is a script; several are words of a shell that mean nothing but themselves.
fn script_of(words: &[String]) -> String {
    match words {
        [script] => script.clone(),
        words => words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "),
    }
}

fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_@%+:,./-".contains(&byte);
    match !word.is_empty() && word.bytes().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// Says how to come back to it.
fn left(out: &Out, id: &str, why: Told<'_>, exit: Exit) -> Exit {
    for told in [why, Told::HowToSee { id }, Told::HowToCancel { id }] {
        out.message(&words::text(told, out.look.lang));
    }
    exit
}

/// Tells what became of it, and of each instance where there is something to tell.
async fn end(client: &Client, out: &Out, id: &str, warn_exit: bool) -> Result<Exit, Fault> {
    let whole = matches!(out.format, Format::Json | Format::Jsonl);
    let command: Command = client.get(&format!("{}?output={whole}", path(id))).await?;
    if whole {
        show(out, &command)?;
    }
    if command.invocations.is_empty() && command.status == "Success" {
        out.message(&words::text(Told::NobodyThere, out.look.lang));
    }
    for invocation in command.invocations.iter().filter(|invocation| is_worth_a_word(invocation)) {
        out.message(&crate::table::clean(&words::invocation(invocation)));
    }
    let is_warning = command.invocations.iter().any(|invocation| invocation.verdict == Some(Verdict::Warning));
    Ok(match Exit::of_command(&command) {
        Exit::Ok if warn_exit && is_warning => Exit::Warning,
        exit => exit,
    })
}

fn is_worth_a_word(invocation: &Invocation) -> bool {
    invocation.status != "Success" || invocation.verdict.is_some_and(|verdict| verdict != Verdict::Normal)
}

/// Why it is followed no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopped {
    Ended,
    Detached,
    TimedOut,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum To {
    Stdout,
    Stderr,
}

/// A part of what an instance writes; nothing at the end of a stream.
struct Piece {
    instance: Arc<str>,
    to: To,
    bytes: Vec<u8>,
}

struct Follower<'a> {
    client: &'a Client,
    out: &'a Out,
    id: &'a str,
    screen: Screen<'a>,
    /// Attempts whose outputs are followed, or were; each is told when there is another after it.
    seen: BTreeMap<(String, u32), watch::Sender<bool>>,
    turns: Arc<Semaphore>,
    tails: JoinSet<()>,
    /// Answers in a row that did not come.
    tries: u32,
}

impl<'a> Follower<'a> {
    fn new(client: &'a Client, out: &'a Out, sent: &'a Command) -> Follower<'a> {
        let screen = Screen { out, named: sent.invocations.len() > 1, begun: BTreeMap::new() };
        let turns = Arc::new(Semaphore::new(FOLLOWED_MAX));
        Follower { client, out, id: &sent.id, screen, seen: BTreeMap::new(), turns, tails: JoinSet::new(), tries: 0 }
    }

    async fn follow(mut self, timeout: Option<u64>) -> Result<Stopped, Fault> {
        let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
        let deadline = timeout.and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds)));
        let (sender, mut pieces) = mpsc::channel(PIECES_PENDING_MAX);
        let (mut look, mut ended) = (Instant::now(), false);
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                biased;
                _ = &mut interrupted => return Ok(Stopped::Detached),
                () = until(deadline) => return Ok(Stopped::TimedOut),
                () = sleep_until(look), if !ended => {
                    let (over, every) = self.look(&sender).await?;
                    (ended, look, heard) = (over, Instant::now() + every, Instant::now());
                }
                Some(piece) = pieces.recv() => {
                    heard = Instant::now();
                    self.screen.show(&piece)?;
                }
                Some(_) = self.tails.join_next(), if ended => heard = Instant::now(),
                () = sleep_until(heard + DRAIN_TIME_MAX), if ended => {
                    self.out.message(&words::text(Told::NotAllShown { id: self.id }, self.out.look.lang));
                    self.tails.abort_all();
                    return Ok(Stopped::Ended);
                }
                () = sleep(Duration::ZERO), if ended && self.tails.is_empty() => {
                    while let Ok(piece) = pieces.try_recv() {
                        self.screen.show(&piece)?;
                    }
                    return Ok(Stopped::Ended);
                }
            }
        }
    }

    /// Whether it has ended, and when to look again.
    async fn look(&mut self, to: &mpsc::Sender<Piece>) -> Result<(bool, Duration), Fault> {
        let command: Command = match self.client.get(&format!("{}?output=false", path(self.id))).await {
            Ok(command) => command,
            Err(fault) if fault.exit() == Exit::Unreachable && self.tries < TRIES_MAX => {
                if self.tries == 0 {
                    self.out.message(&self.out.say(Say::Reconnecting));
                }
                self.tries += 1;
                return Ok((false, LOOK_EVERY_MANY));
            }
            Err(fault) => return Err(fault),
        };
        self.tries = 0;
        // Programs get it when it is whole.
        if matches!(self.out.format, Format::Table | Format::Tsv) {
            for invocation in &command.invocations {
                begun(invocation).into_iter().for_each(|attempt| self.tail(invocation, attempt, to));
                for attempt in &invocation.attempts {
                    if let Some(earlier) = self.seen.get(&(invocation.instance_id.clone(), attempt.number)) {
                        earlier.send_replace(true);
                    }
                }
            }
        }
        let every = if command.invocations.len() > FEW { LOOK_EVERY_MANY } else { LOOK_EVERY };
        Ok((command.ended.is_some(), every))
    }

    fn tail(&mut self, invocation: &Invocation, attempt: u32, to: &mpsc::Sender<Piece>) {
        let key = (invocation.instance_id.clone(), attempt);
        if self.seen.contains_key(&key) {
            return;
        }
        let (sender, past) = watch::channel(false);
        self.seen.insert(key, sender);
        let (client, to, turns) = (self.client.clone(), to.clone(), self.turns.clone());
        let instance: Arc<str> = invocation.instance_id.as_str().into();
        let steps = invocation.steps.len().max(1);
        let path = format!("{}/invocations/{}/output/live?attempt={attempt}", path(self.id), encoded(&instance));
        self.tails.spawn(async move {
            let _turn = turns.acquire().await;
            for step in 0..steps {
                let stream = |name: &str| format!("{path}&step={step}&stream={name}");
                tokio::join!(
                    copy(Tail::new(&client, stream("stdout")), past.clone(), &to, (&instance, To::Stdout)),
                    copy(Tail::new(&client, stream("stderr")), past.clone(), &to, (&instance, To::Stderr)),
                );
            }
        });
    }
}

/// Its attempts of which there is something to see.
fn begun(invocation: &Invocation) -> Vec<u32> {
    let earlier = invocation.attempts.iter().filter(|attempt| attempt.ending.started.is_some());
    let present = invocation.attempt.filter(|_| invocation.started.is_some());
    earlier.map(|attempt| attempt.number).chain(present).collect()
}

/// One stream to its end. What cannot be followed can be read later.
async fn copy(
    mut tail: Tail<'_>,
    mut past: watch::Receiver<bool>,
    pieces: &mpsc::Sender<Piece>,
    (instance, to): (&Arc<str>, To),
) {
    loop {
        let silent = tail.last.is_none();
        let next = tokio::select! {
            next = tail.next() => next,
            // Of an earlier attempt nobody says that it wrote nothing.
            () = superseded(&mut past), if silent => break,
        };
        let Ok(Some(bytes)) = next else { break };
        if pieces.send(Piece { instance: instance.clone(), to, bytes }).await.is_err() {
            return;
        }
    }
    let _ = pieces.send(Piece { instance: instance.clone(), to, bytes: vec![] }).await;
}

/// Ends when another attempt has been made for so long that this one's output would be here.
async fn superseded(past: &mut watch::Receiver<bool>) {
    let is_past = past.wait_for(|past| *past).await.is_ok();
    match is_past {
        true => sleep(PAST_SILENCE_MAX).await,
        // Whoever would have said so is gone, and all else with it.
        false => std::future::pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Shows what one instance writes as it is, and what several write line by line, each with its instance before it.
struct Screen<'a> {
    out: &'a Out,
    named: bool,
    /// Lines that have no end yet.
    begun: BTreeMap<(Arc<str>, To), Vec<u8>>,
}

impl Screen<'_> {
    fn show(&mut self, piece: &Piece) -> Result<(), Fault> {
        let text = match self.named {
            true => lines(self.begun.entry((piece.instance.clone(), piece.to)).or_default(), piece),
            false => piece.bytes.clone(),
        };
        match piece.to {
            _ if text.is_empty() => Ok(()),
            To::Stdout => self.out.bytes(&text),
            To::Stderr => {
                self.out.error_bytes(&text);
                Ok(())
            }
        }
    }
}

/// The lines that are whole now, each with its instance.
fn lines(begun: &mut Vec<u8>, piece: &Piece) -> Vec<u8> {
    let mut text = vec![];
    let mut line = |begun: &mut Vec<u8>| {
        text.extend_from_slice(format!("{}: ", piece.instance).as_bytes());
        text.append(begun);
        text.push(b'\n');
    };
    for &byte in &piece.bytes {
        match byte {
            b'\n' => line(begun),
            _ => {
                begun.push(byte);
                if begun.len() >= LINE_BYTES_MAX {
                    line(begun);
                }
            }
        }
    }
    if piece.bytes.is_empty() && !begun.is_empty() {
        line(begun);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(asked: &SentRun, read: Read, expected: Expect) {
        expected.assert_eq(&serde_json::to_string(&request(asked, read)).expect("a text"));
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn words_are_a_script_or_a_program_with_its_arguments() {
        let script = |words: &[&str]| script_of(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
        assert_eq!(script(&["echo $HOME; ls"]), "echo $HOME; ls");
        assert_eq!(
            script(&["ls", "-l", "/tmp/a b", "it's", "", "$HOME", "夜"]),
            r"ls -l '/tmp/a b' 'it'\''s' '' '$HOME' '夜'"
        );
        // A word with = at the beginning would be an assignment.
        assert_eq!(script(&["A=b", "env"]), "'A=b' env");
    }

    #[test]
    fn what_was_typed_becomes_a_request() {
        let plain = SentRun {
            tags: vec![pair("env", "prod"), pair("env", "test"), pair("role", "web")],
            words: vec!["uptime".to_owned()],
            parameters: vec![pair("executionTimeout", "60")],
            max_errors: Some("10%".to_owned()),
            ..SentRun::default()
        };
        check(
            &plain,
            Read::default(),
            expect![[
                r#"{"document":"AWS-RunShellScript","parameters":{"commands":["uptime"],"executionTimeout":["60"]},"targets":[{"key":"tag:env","values":["prod","test"]},{"key":"tag:role","values":["web"]}],"max_errors":"10%"}"#
            ]],
        );
        let job = SentRun {
            groups: vec!["web".to_owned()],
            user: Some("batch".to_owned()),
            env: vec![pair("B", "2"), pair("A", "\"1\"")],
            ..SentRun::default()
        };
        let read = Read { script: Some("cat\n".to_owned()), stdin: Some("夜\n".to_owned()), all: vec![] };
        check(
            &job,
            read,
            expect![[
                r#"{"document":"Dandori-RunJob","parameters":{"environment":["{\"A\":\"\\\"1\\\"\",\"B\":\"2\"}"],"script":["cat\n"],"stdin":["夜\n"],"user":["batch"]},"targets":[{"key":"group","values":["web"]}]}"#
            ]],
        );
        let document = SentRun {
            all: true,
            document: Some("Greet".to_owned()),
            parameters: vec![pair("who", "a=b"), pair("who", "c")],
            ..SentRun::default()
        };
        check(
            &document,
            Read { all: vec!["mi-1".to_owned()], ..Read::default() },
            expect![[
                r#"{"document":"Greet","parameters":{"who":["a=b","c"]},"targets":[{"key":"name","values":["mi-1"]}]}"#
            ]],
        );
    }

    #[test]
    fn lines_of_several_instances_are_never_mixed() {
        let mut begun = vec![];
        let mut shown = |bytes: &[u8]| {
            let piece = Piece { instance: "mi-1".into(), to: To::Stdout, bytes: bytes.to_vec() };
            String::from_utf8(lines(&mut begun, &piece)).expect("text")
        };
        assert_eq!(shown(b"a\nb"), "mi-1: a\n");
        assert_eq!(shown(b"c\n\n"), "mi-1: bc\nmi-1: \n");
        assert_eq!(shown(b"end"), "");
        assert_eq!(shown(b""), "mi-1: end\n");
        assert_eq!(shown(b""), "");
    }
}
