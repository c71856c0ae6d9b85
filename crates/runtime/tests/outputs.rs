//! Whole outputs, as agents tell them and as clients read them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use api::agent::{
    Content, Ended, Fetch, Finished, FromAgent, Hello, OUTPUT_BYTES_MAX, Output, OutputTaken, PROTOCOL, ToAgent,
};
use base::{Caller, Json, Timestamp};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use engine::Failure;
use runtime::agents::{AgentLink, Comes, Session};
use runtime::commands::CommandSend;
use runtime::documents::{DocumentContent, DocumentCreate, DocumentType};
use runtime::outputs::{OutputConfig, OutputOf, OutputPart, Stream};
use runtime::tasks::{Replying, TaskCall, TaskPort, TaskReply};
use runtime::{Config, Refusal, Runtime};
use store::Store;
use store::memory::MemoryStore;

struct NoTasks;

impl TaskPort for NoTasks {
    fn call<'a>(&'a self, _: &'a Runtime, _: TaskCall) -> Replying<'a> {
        Box::pin(std::future::ready(TaskReply::Failed(Failure::default())))
    }

    fn abandon<'a>(&'a self, _: &'a Runtime, _: TaskCall) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(std::future::ready(()))
    }

    fn command_ended(&self, _: &fleet::Run) -> Result<Json, Failure> {
        Ok(Json::Null)
    }
}

const INSTANCE: &str = "mi-0123456789abcdef0";
const OTHER: &str = "mi-0123456789abcdef1";

/// A server on a store and a directory that outlive it.
struct World {
    store: Arc<MemoryStore>,
    directory: PathBuf,
    runtime: Runtime,
    caller: Caller,
}

impl World {
    async fn new() -> World {
        let store = Arc::new(MemoryStore::default());
        let directory = std::env::temp_dir().join(format!("dandori-outputs-test-{}", unique()));
        let runtime = open(&store, &directory).await;
        World { store, directory, runtime, caller: Caller::new("111111111111", "us-east-1") }
    }

    /// The server is gone; another starts on the same store and the same files.
    async fn restart(&mut self) {
        self.runtime = open(&self.store, &self.directory).await;
    }

    async fn agent(&self, instance_id: &str) -> Agent {
        let hello = Hello {
            protocol: PROTOCOL,
            instance_id: instance_id.to_owned(),
            name: "web-1".into(),
            agent_version: "0.1.0".into(),
            platform_type: "Linux".into(),
            platform_name: "Debian GNU/Linux".into(),
            platform_version: "13".into(),
            ip: None,
            computer_name: "web-1".into(),
            boot_id: "b".into(),
            incarnation: 1,
            attempts: vec![],
            credentials: None,
            concurrency_max: None,
        };
        let link = self.runtime.agent_connect(&self.caller, hello, Comes::FromThisHost).await.expect("let in");
        Agent { runtime: self.runtime.clone(), session: link.session(), link }
    }

    async fn send(&self, instance_id: &str) -> String {
        self.send_to(instance_id, fleet::Destinations::default()).await
    }

    async fn send_to(&self, instance_id: &str, destinations: fleet::Destinations) -> String {
        let parameters = BTreeMap::from([("commands".to_owned(), vec!["true".to_owned()])]);
        self.send_document("AWS-RunShellScript", parameters, instance_id, destinations).await
    }

    async fn send_document(
        &self,
        name: &str,
        parameters: BTreeMap<String, Vec<String>>,
        instance_id: &str,
        destinations: fleet::Destinations,
    ) -> String {
        let send = CommandSend {
            document_name: name.into(),
            parameters,
            instance_ids: vec![instance_id.to_owned()],
            destinations,
            ..CommandSend::default()
        };
        let run = self.runtime.command_send(&self.caller, send).await.expect("sent");
        run.sent().expect("sent").0.command.to_string()
    }

    async fn delivered(&self, command: &str) -> fleet::Delivery {
        for _ in 0..500 {
            let run = self.runtime.command(&self.caller, command).await.expect("there");
            if let Some(delivery) = run.delivery(&fleet::InstanceId::from(INSTANCE)) {
                return delivery.clone();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the output of {command} is not delivered");
    }

    async fn logged(&self, group: &str, stream: &str) -> Vec<String> {
        let mut window = runtime::logs::LogWindow { from_head: true, ..Default::default() };
        let mut lines = vec![];
        loop {
            let page = self.runtime.log_events_get(&self.caller, group, stream, window.clone()).await.expect("there");
            if page.events.is_empty() {
                return lines;
            }
            lines.extend(page.events.iter().map(|event| event.message.to_string()));
            window.token = Some(page.forward);
        }
    }

    async fn read(&self, command: &str, from: i64, max: usize) -> Result<OutputPart, Refusal> {
        self.runtime.output_read(&self.caller, &of(command), from, max).await
    }

    async fn text(&self, command: &str, from: i64, max: usize) -> String {
        let part = self.read(command, from, max).await.expect("there");
        String::from_utf8(part.bytes).expect("UTF-8")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.directory);
    }
}

fn unique() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    format!("{}-{:?}", now.as_nanos(), std::thread::current().id())
}

async fn open(store: &Arc<MemoryStore>, directory: &Path) -> Runtime {
    open_with(store, directory, None).await
}

async fn open_with(store: &Arc<MemoryStore>, directory: &Path, bucket: Option<&Path>) -> Runtime {
    let store: Arc<dyn Store> = store.clone();
    let buckets = match bucket {
        Some(folder) => objects::Buckets::none().with_folder("night", folder).expect("a folder"),
        None => objects::Buckets::none(),
    };
    let outputs =
        OutputConfig { directory: Some(directory.to_owned()), stream_bytes_max: 20 << 20, ..OutputConfig::default() };
    let config = Config { outputs, buckets, ..Config::default() };
    Runtime::open(config, store, Arc::new(NoTasks)).await.expect("a store in memory opens")
}

fn of(command: &str) -> OutputOf {
    OutputOf {
        command_id: command.to_owned(),
        instance_id: INSTANCE.to_owned(),
        step: None,
        stream: Stream::Stdout,
        attempt: None,
    }
}

struct Agent {
    runtime: Runtime,
    session: Session,
    link: AgentLink,
}

impl Agent {
    async fn say(&self, message: FromAgent) {
        self.runtime.agent_message(&self.session, message).await.expect("taken");
    }

    async fn hear<T>(&mut self, mut wanted: impl FnMut(ToAgent) -> Option<T>) -> T {
        loop {
            let message = tokio::time::timeout(Duration::from_secs(10), self.link.outgoing.recv()).await;
            if let Some(found) = wanted(message.expect("in time").expect("connected")) {
                return found;
            }
        }
    }

    async fn take_offer(&mut self) -> String {
        let attempt = self.offer().await;
        self.accept(&attempt).await;
        attempt
    }

    async fn offer(&mut self) -> String {
        let attempt = self.hear(|message| match message {
            ToAgent::Offer(offer) => Some(offer.attempt),
            _ => None,
        });
        attempt.await
    }

    async fn accept(&self, attempt: &str) {
        self.say(FromAgent::Accepted { attempt: attempt.to_owned() }).await;
    }

    async fn output(&self, attempt: &str, offset: u64, bytes: &[u8], end: bool) {
        let output = Output {
            attempt: attempt.to_owned(),
            step: 0,
            stream: Stream::Stdout,
            offset,
            data: BASE64_STANDARD.encode(bytes),
            end,
            cut: false,
        };
        self.say(FromAgent::Output(output)).await;
    }

    async fn taken(&mut self) -> OutputTaken {
        self.hear(|message| match message {
            ToAgent::OutputTaken(taken) => Some(taken),
            _ => None,
        })
        .await
    }

    /// Says it and returns what is there by then, and whether it is all.
    async fn told(&mut self, attempt: &str, offset: u64, bytes: &[u8], end: bool) -> (u64, bool) {
        self.output(attempt, offset, bytes, end).await;
        let taken = self.taken().await;
        (taken.offset, taken.done)
    }

    async fn fetch(&mut self, attempt: &str, step: u32, file: u32, offset: u64) -> Content {
        self.say(FromAgent::Fetch(Fetch { attempt: attempt.to_owned(), step, file, offset })).await;
        self.hear(|message| match message {
            ToAgent::Content(content) => Some(content),
            _ => None,
        })
        .await
    }

    async fn finish(&mut self, attempt: &str, stdout: &str) {
        let finished = Finished {
            attempt: attempt.to_owned(),
            ended: Ended::ExitCode(0),
            stdout: stdout.to_owned(),
            stderr: String::new(),
            stdout_truncated: false,
            stderr_truncated: false,
            started_at: Some(Timestamp(1)),
            finished_at: Some(Timestamp(2)),
            verdict: Default::default(),
            steps: vec![],
        };
        self.say(FromAgent::Finished(finished)).await;
    }
}

#[tokio::test]
async fn an_output_is_taken_in_order_and_read_in_ranges() {
    let world = World::new().await;
    let mut agent = world.agent(INSTANCE).await;
    let command = world.send(INSTANCE).await;
    let attempt = agent.take_offer().await;
    let part = world.read(&command, 0, 99).await.expect("there");
    assert_eq!((part.total, part.complete), (0, false));
    assert_eq!(agent.told(&attempt, 0, b"hello ", false).await, (6, false));
    assert_eq!(agent.told(&attempt, 9, b"gap", false).await, (6, false));
    assert_eq!(agent.told(&attempt, 0, b"hello ", false).await, (6, false));
    assert_eq!(world.text(&command, 0, 99).await, "hello ");
    assert_eq!(agent.told(&attempt, 6, b"world", true).await, (11, true));
    assert_eq!(world.text(&command, 6, 3).await, "wor");
    assert_eq!(world.text(&command, -3, 99).await, "rld");
    assert_eq!(world.text(&command, -99, 99).await, "hello world");
    let part = world.read(&command, 11, 99).await.expect("there");
    assert_eq!((part.from, part.total, part.complete, part.cut), (11, 11, true, false));
    let head = world.runtime.output_head(&world.caller, &of(&command), 5).await.expect("there");
    assert_eq!(head, ("hello".to_owned(), true));
}

#[tokio::test]
async fn what_no_agent_brought_is_what_the_run_keeps() {
    let world = World::new().await;
    let mut agent = world.agent(INSTANCE).await;
    let command = world.send(INSTANCE).await;
    let attempt = agent.take_offer().await;
    agent.finish(&attempt, "short").await;
    let part = world.read(&command, -3, 2).await.expect("there");
    assert_eq!((part.from, &*part.bytes, part.total, part.complete, part.cut), (2, &b"or"[..], 5, true, false));
}

#[tokio::test]
async fn only_the_instance_it_was_sent_to_adds_to_an_output() {
    let world = World::new().await;
    let (mut agent, mut other) = (world.agent(INSTANCE).await, world.agent(OTHER).await);
    let command = world.send(INSTANCE).await;
    let attempt = agent.take_offer().await;
    for strange in
        [attempt.clone(), format!("{attempt}0"), format!("{command}.{OTHER}.1"), "../../etc".into(), "".into()]
    {
        assert_eq!(other.told(&strange, 0, b"forged", false).await, (6, true), "{strange}");
    }
    let (command_part, _) = attempt.rsplit_once('.').expect("an attempt");
    for strange in ["2", "01", "+1", "0"] {
        assert_eq!(agent.told(&format!("{command_part}.{strange}"), 0, b"x", false).await, (1, true), "{strange}");
    }
    assert_eq!(world.read(&command, 0, 99).await.expect("there").total, 0);
    assert!(!world.directory.exists(), "nothing was written");
}

#[tokio::test]
async fn another_account_sees_nothing_of_an_output() {
    let world = World::new().await;
    let mut agent = world.agent(INSTANCE).await;
    let command = world.send(INSTANCE).await;
    let attempt = agent.take_offer().await;
    agent.told(&attempt, 0, b"secret", true).await;
    for stranger in [Caller::new("222222222222", "us-east-1"), Caller::new("111111111111", "eu-west-1")] {
        assert!(world.runtime.output_read(&stranger, &of(&command), 0, 9).await.is_err());
        assert!(world.runtime.output_follow(&stranger, of(&command), 0).await.is_err());
    }
    let elsewhere = OutputOf { instance_id: OTHER.to_owned(), ..of(&command) };
    assert!(world.runtime.output_read(&world.caller, &elsewhere, 0, 9).await.is_err());
    for step in ["1", "nowhere", "-1"] {
        let elsewhere = OutputOf { step: Some(step.to_owned()), ..of(&command) };
        assert!(world.runtime.output_read(&world.caller, &elsewhere, 0, 9).await.is_err(), "{step}");
    }
}

#[tokio::test]
async fn an_output_goes_on_with_the_next_server() {
    let mut world = World::new().await;
    let mut agent = world.agent(INSTANCE).await;
    let command = world.send(INSTANCE).await;
    let attempt = agent.take_offer().await;
    let chunk = vec![b'x'; OUTPUT_BYTES_MAX];
    let mut at = 0;
    while at < 9 << 20 {
        (at, _) = agent.told(&attempt, at, &chunk, false).await;
    }
    world.restart().await;
    let mut agent = world.agent(INSTANCE).await;
    let (certain, done) = agent.told(&attempt, at, b"", false).await;
    assert_eq!((certain, done), (8 << 20, false), "what was not certain is asked for again");
    let mut at = certain;
    while at < 9 << 20 {
        (at, _) = agent.told(&attempt, at, &chunk, false).await;
    }
    assert_eq!(agent.told(&attempt, at, b"end", true).await, (at + 3, true));
    world.restart().await;
    assert_eq!(world.text(&command, -4, 9).await, "xend");
    assert_eq!(world.read(&command, 0, 0).await.expect("there").total, at + 3);
}

#[tokio::test]
async fn an_output_ends_at_its_quota() {
    let world = World::new().await;
    let mut agent = world.agent(INSTANCE).await;
    let command = world.send(INSTANCE).await;
    let attempt = agent.take_offer().await;
    let chunk = vec![b'x'; OUTPUT_BYTES_MAX];
    let (mut at, mut done) = (0, false);
    while !done {
        (at, done) = agent.told(&attempt, at, &chunk, false).await;
    }
    let part = world.read(&command, 0, 1).await.expect("there");
    assert_eq!((at, part.total, part.complete, part.cut), (20 << 20, 20 << 20, true, true));
}

/// More than the queue holds, without waiting: what was dropped is asked for again, and nothing is lost.
#[tokio::test]
async fn who_floods_is_told_from_where_to_say_it_again() {
    let world = World::new().await;
    let mut agent = world.agent(INSTANCE).await;
    let command = world.send(INSTANCE).await;
    let attempt = agent.take_offer().await;
    let chunk = vec![b'x'; OUTPUT_BYTES_MAX];
    for number in 0..200 {
        agent.output(&attempt, number * OUTPUT_BYTES_MAX as u64, &chunk, false).await;
    }
    agent.say(FromAgent::Ping).await;
    agent.hear(|message| (message == ToAgent::Pong).then_some(())).await;
    let all = 200 * OUTPUT_BYTES_MAX as u64;
    let mut at = agent.told(&attempt, u64::MAX, b"", false).await.0;
    while at < all {
        at = agent.told(&attempt, at, &chunk, false).await.0.max(at);
    }
    agent.output(&attempt, all, b"", true).await;
    while !agent.taken().await.done {}
    assert_eq!(world.read(&command, 0, 0).await.expect("there").total, all);
}

#[tokio::test]
async fn a_follower_sees_all_of_it_and_the_end() {
    let world = World::new().await;
    let mut agent = world.agent(INSTANCE).await;
    let command = world.send(INSTANCE).await;
    let attempt = agent.take_offer().await;
    let mut follow = world.runtime.output_follow(&world.caller, of(&command), 0).await.expect("there");
    let following = tokio::spawn(async move {
        let mut seen = vec![];
        while let Some(part) = follow.next().await.expect("there") {
            assert_eq!(part.from, seen.len() as u64);
            seen.extend(part.bytes);
            if part.complete {
                assert!(!part.cut);
            }
        }
        seen
    });
    let mut whole = vec![];
    for number in 0..50_u64 {
        let line = format!("line {number}\n");
        agent.told(&attempt, whole.len() as u64, line.as_bytes(), false).await;
        whole.extend(line.into_bytes());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    agent.finish(&attempt, "line 0\n").await;
    agent.told(&attempt, whole.len() as u64, b"", true).await;
    let seen = tokio::time::timeout(Duration::from_secs(5), following).await.expect("in time").expect("no panic");
    assert_eq!(seen, whole);
}

/// A folder that is the bucket `night`.
async fn with_bucket() -> (World, PathBuf) {
    let mut world = World::new().await;
    let folder = world.directory.with_extension("bucket");
    std::fs::create_dir_all(&folder).expect("a folder");
    world.runtime = open_with(&world.store, &world.directory, Some(&folder)).await;
    (world, folder)
}

fn to_night(instance_id: &str) -> fleet::Destinations {
    assert!(!instance_id.is_empty());
    fleet::Destinations {
        bucket: "night".into(),
        key_prefix: "logs".into(),
        region: String::new(),
        log_group: Some(String::new()),
    }
}

#[tokio::test]
async fn an_output_is_brought_to_a_bucket_and_a_log_group() {
    let (world, folder) = with_bucket().await;
    let mut agent = world.agent(INSTANCE).await;
    let command = world.send_to(INSTANCE, to_night(INSTANCE)).await;
    let attempt = agent.take_offer().await;
    let lines: String = (0..30_000).map(|number| format!("line {number}\n")).collect();
    let mut at = 0;
    for chunk in lines.as_bytes().chunks(OUTPUT_BYTES_MAX) {
        (at, _) = agent.told(&attempt, at, chunk, false).await;
    }
    agent.finish(&attempt, "line 0\n").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let object = folder.join(format!("logs/{command}/{INSTANCE}/awsrunShellScript/0.awsrunShellScript/stdout"));
    assert!(!object.exists(), "not before all of it is there");
    agent.told(&attempt, at, b"", true).await;
    let delivery = world.delivered(&command).await;
    assert_eq!(delivery.problem, None);
    assert_eq!(std::fs::read_to_string(&object).expect("an object"), lines);
    assert!(!object.with_file_name("stderr").exists(), "nothing was written to it");
    let logged =
        world.logged("/aws/ssm/AWS-RunShellScript", &format!("{command}/{INSTANCE}/aws-runShellScript/stdout")).await;
    assert_eq!(logged.join("\n") + "\n", lines);
    let _gone = std::fs::remove_dir_all(folder);
}

#[tokio::test]
async fn what_a_server_left_in_the_midst_is_brought_by_the_next_and_nothing_twice() {
    let (mut world, folder) = with_bucket().await;
    let mut agent = world.agent(INSTANCE).await;
    let command = world.send_to(INSTANCE, to_night(INSTANCE)).await;
    let attempt = agent.take_offer().await;
    agent.told(&attempt, 0, b"one\ntwo\nthree\n", false).await;
    agent.finish(&attempt, "one\n").await;
    // The next server finds the first line written by this one, which then ended.
    let (group, stream) = ("/aws/ssm/AWS-RunShellScript", format!("{command}/{INSTANCE}/aws-runShellScript/stdout"));
    let create = runtime::logs::LogGroupCreate { name: group.to_owned(), class: None, tags: vec![] };
    world.runtime.log_group_create(&world.caller, create).await.expect("made");
    world.runtime.log_stream_create(&world.caller, group, &stream).await.expect("made");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let at = Timestamp(i64::try_from(now.as_millis()).expect("in time"));
    let line = runtime::logs::LogLine { at, message: "one".into() };
    world.runtime.log_events_put(&world.caller, group, &stream, vec![line]).await.expect("put");
    world.runtime = open_with(&world.store, &world.directory, Some(&folder)).await;
    let mut agent = world.agent(INSTANCE).await;
    let (at, _) = agent.told(&attempt, 0, b"one\ntwo\nthree\n", false).await;
    agent.told(&attempt, at, b"", true).await;
    assert_eq!(world.delivered(&command).await.problem, None);
    assert_eq!(world.logged(group, &stream).await, ["one", "two", "three"]);
    let _gone = std::fs::remove_dir_all(folder);
}

#[tokio::test]
async fn what_cannot_be_brought_is_said_and_fails_nothing() {
    let (world, folder) = with_bucket().await;
    let mut agent = world.agent(INSTANCE).await;
    let command = world.send_to(INSTANCE, to_night(INSTANCE)).await;
    // It was there when the command was sent.
    std::fs::remove_dir_all(&folder).expect("removed");
    std::fs::write(&folder, b"").expect("written");
    let attempt = agent.take_offer().await;
    agent.finish(&attempt, "text").await;
    let problem = world.delivered(&command).await.problem.expect("a problem");
    std::fs::remove_file(&folder).expect("removed");
    assert!(problem.starts_with("bucket night: "), "{problem}");
    let run = world.runtime.command(&world.caller, &command).await.expect("there");
    assert_eq!(run.status().status(), "Success");
}

#[tokio::test]
async fn an_agent_fetches_what_its_own_step_names_and_nothing_else() {
    let (world, folder) = with_bucket().await;
    std::fs::create_dir_all(folder.join("scripts/sub")).expect("a folder");
    let large: Vec<u8> = (0..200_000_u32).map(|number| number as u8).collect();
    std::fs::write(folder.join("scripts/a.bin"), &large).expect("written");
    std::fs::write(folder.join("scripts/sub/b.sh"), b"true\n").expect("written");
    std::fs::write(folder.join("scripts/sub/empty"), b"").expect("written");
    std::fs::write(folder.join("secret"), b"no").expect("written");
    let (mut agent, mut other) = (world.agent(INSTANCE).await, world.agent(OTHER).await);
    let step = |name: &str, key: &str| {
        format!(
            r#"{{"action":"aws:downloadContent","name":"{name}","inputs":{{"sourceType":"S3","sourceInfo":"{{\"path\":\"https://s3.amazonaws.com/night/{key}\"}}"}}}}"#
        )
    };
    let steps = [step("one", "scripts/"), step("two", "nowhere")].join(",");
    let text = format!(r#"{{"schemaVersion":"2.2","description":"d","mainSteps":[{steps}]}}"#);
    let create = DocumentCreate {
        name: "Fetch".into(),
        document_type: DocumentType::Command,
        content: DocumentContent { text, ..DocumentContent::default() },
        tags: vec![],
    };
    world.runtime.document_create(&world.caller, create).await.expect("created");
    let command = world.send_document("Fetch", BTreeMap::new(), INSTANCE, fleet::Destinations::default()).await;
    // Before it accepts: what it cannot bring here it does not promise.
    let attempt = agent.offer().await;
    let (mut files, mut file, mut bytes) = (vec![], 0, vec![]);
    loop {
        let content = agent.fetch(&attempt, 0, file, bytes.len() as u64).await;
        assert_eq!(content.failure, None);
        bytes.extend(BASE64_STANDARD.decode(&content.data).expect("Base64"));
        if content.file_end {
            files.push((content.name.clone(), std::mem::take(&mut bytes)));
            file += 1;
        }
        if content.last {
            break;
        }
    }
    let expected = [("a.bin", large), ("sub/b.sh", b"true\n".to_vec()), ("sub/empty", vec![])];
    assert_eq!(files, expected.map(|(name, bytes)| (name.to_owned(), bytes)));
    let failure = async |agent: &mut Agent, attempt: &str, step, file| {
        agent.fetch(attempt, step, file, 0).await.failure.expect("a failure").message
    };
    let missing = failure(&mut agent, &attempt, 1, 0).await;
    assert!(missing.starts_with("s3://night/nowhere: The specified key does not exist."), "{missing}");
    for (step, file) in [(0, 3), (2, 0), (u32::MAX, 0), (0, u32::MAX)] {
        assert_eq!(failure(&mut agent, &attempt, step, file).await, "this attempt has no such content");
    }
    assert_eq!(failure(&mut other, &attempt, 0, 0).await, "this attempt has no such content");
    assert_eq!(failure(&mut agent, &format!("{command}.{INSTANCE}.2"), 0, 0).await, "this attempt has no such content");
    agent.accept(&attempt).await;
    agent.hear(|message| matches!(message, ToAgent::Go { .. }).then_some(())).await;
    assert_eq!(agent.fetch(&attempt, 0, 0, 0).await.failure, None, "it runs");
    agent.finish(&attempt, "").await;
    assert_eq!(failure(&mut agent, &attempt, 0, 0).await, "this attempt has no such content", "it has ended");
    let _gone = std::fs::remove_dir_all(folder);
}
