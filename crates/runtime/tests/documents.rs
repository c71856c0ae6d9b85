//! Documents from their creation to the plan of a command, against a store in memory.

use std::sync::Arc;

use base::{Caller, Json, Secret};
use engine::Failure;
use expect_test::{Expect, expect};
use runtime::documents::{
    DocumentContent, DocumentCreate, DocumentFormat, DocumentShareChange, DocumentType, VersionChoice,
};
use runtime::parameters::{Existing, ParameterPut, ParameterType};
use runtime::tasks::{Replying, TaskCall, TaskPort};
use runtime::{Config, Page, Runtime};
use store::memory::MemoryStore;

struct Nobody;

impl TaskPort for Nobody {
    fn call<'a>(&'a self, _: &'a Runtime, _: TaskCall) -> Replying<'a> {
        Box::pin(std::future::pending())
    }

    fn abandon<'a>(&'a self, _: &'a Runtime, _: TaskCall) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(std::future::ready(()))
    }

    fn command_ended(&self, _: &fleet::Run) -> Result<Json, Failure> {
        Ok(Json::Null)
    }
}

struct World {
    runtime: Runtime,
    caller: Caller,
}

impl World {
    async fn new() -> World {
        let store = Arc::new(MemoryStore::default());
        let runtime = Runtime::open(Config::default(), store, Arc::new(Nobody)).await.expect("a store in memory opens");
        World { runtime, caller: Caller::new("111111111111", "us-east-1") }
    }

    async fn create(&self, name: &str, text: &str) {
        let content = DocumentContent { text: text.to_owned(), format: DocumentFormat::Yaml, ..Default::default() };
        let document_type = DocumentType::Command;
        let create = DocumentCreate { name: name.to_owned(), document_type, content, tags: vec![] };
        self.runtime.document_create(&self.caller, create).await.expect(name);
    }

    async fn put(&self, name: &str, kind: ParameterType, value: &str) {
        let put = ParameterPut {
            name: name.to_owned(),
            value: Secret::new(value),
            parameter_type: Some(kind),
            key_id: None,
            description: None,
            allowed_pattern: None,
            tier: None,
            policies: None,
            data_type: None,
            existing: Existing::Refuse,
            tags: vec![],
        };
        self.runtime.parameter_put(&self.caller, put).await.expect(name);
    }

    /// For each line (`DOCUMENT`, and `PARAMETER=VALUE` if there is one) the plan's steps with their scripts, or why there is
    /// no plan.
    async fn check(&self, caller: &Caller, lines: &[&str], expect: Expect) {
        let mut told = String::new();
        for line in lines {
            let (name, given) = line.split_once(' ').unwrap_or((line, ""));
            let given = given.split_once('=').map(|(name, value)| (name.to_owned(), vec![value.to_owned()]));
            let steps = match self.runtime.document_plan(caller, name, None, &given.into_iter().collect()).await {
                Ok(planned) => planned.plan.steps.iter().map(shown).collect(),
                Err(refusal) => format!("    {refusal}\n"),
            };
            told += &format!("{line}\n{steps}");
        }
        expect.assert_eq(&told);
    }
}

fn shown(step: &document::Step) -> String {
    match &step.action {
        document::Action::Shell(script) => format!("    {}: {}", step.name, script.text),
        other => format!("    {}: {}\n", step.name, other.name()),
    }
}

fn shell(command: &str) -> String {
    format!(
        "schemaVersion: '2.2'\nmainSteps:\n  - action: aws:runShellScript\n    name: say\n    inputs:\n      runCommand: ['{command}']\n"
    )
}

const OUTER: &str = "
schemaVersion: '2.2'
parameters:
  which: {type: String, default: Inner}
mainSteps:
  - {action: 'aws:runShellScript', name: before, inputs: {runCommand: [echo before]}}
  - {action: 'aws:runDocument', name: run, inputs: {documentType: SSMDocument, documentPath: '{{ which }}'}}
";

#[tokio::test]
async fn a_plan_has_all_that_its_document_refers_to() {
    let world = World::new().await;
    let own = world.caller.clone();
    world.put("/who", ParameterType::String, "us").await;
    world.put("secret", ParameterType::SecureString, "canary").await;
    world.put("chosen", ParameterType::String, "Other").await;
    world.create("Inner", &shell("echo {{ssm:/who}}")).await;
    world.create("Other", &shell("echo other")).await;
    world.create("Leaks", &shell("echo {{ssm:secret}}")).await;
    world.create("Outer", OUTER).await;
    let lines = [
        "Outer",
        "Outer which={{ssm:chosen}}",
        "Outer which=Leaks",
        "Outer which=None",
        "Outer which=Outer",
        "AWS-RunShellScript commands=ls",
        "AWS-RunShellScript",
    ];
    world
        .check(
            &own,
            &lines,
            expect![[r#"
        Outer
            before: echo before
            run.say: echo us
        Outer which={{ssm:chosen}}
            before: echo before
            run.say: echo other
        Outer which=Leaks
            {{ssm:secret}}: a parameter of the type SecureString cannot be referenced in a command.
        Outer which=None
            document None is not known
        Outer which=Outer
            document Outer runs itself
        AWS-RunShellScript commands=ls
            aws:runShellScript: ls
        AWS-RunShellScript
            parameter commands is required
    "#]],
        )
        .await;
}

#[tokio::test]
async fn another_accounts_document_is_there_when_it_is_shared() {
    let world = World::new().await;
    world.create("Inner", &shell("echo shared")).await;
    let other = Caller::new("222222222222", "us-east-1");
    let arn = "arn:aws:ssm:us-east-1:111111111111:document/Inner";
    world
        .check(
            &other,
            &[arn],
            expect![[r#"
        arn:aws:ssm:us-east-1:111111111111:document/Inner
            document arn:aws:ssm:us-east-1:111111111111:document/Inner is not known
    "#]],
        )
        .await;
    let change = DocumentShareChange { added: vec!["222222222222".to_owned()], ..Default::default() };
    world.runtime.document_share(&world.caller, "Inner", change).await.expect("accepted");
    // By its name it is still another's, and in another region it is not there.
    world
        .check(
            &other,
            &[arn, "Inner"],
            expect![[r#"
        arn:aws:ssm:us-east-1:111111111111:document/Inner
            say: echo shared
        Inner
            document Inner is not known
    "#]],
        )
        .await;
    world
        .check(
            &Caller::new("222222222222", "eu-west-1"),
            &[arn],
            expect![[r#"
        arn:aws:ssm:us-east-1:111111111111:document/Inner
            document arn:aws:ssm:us-east-1:111111111111:document/Inner is not known
    "#]],
        )
        .await;
}

#[tokio::test]
async fn what_is_put_is_created_or_gets_a_version_that_becomes_the_default() {
    let world = World::new().await;
    let put = async |text: &str| {
        let content = DocumentContent { text: shell(text), format: DocumentFormat::Yaml, ..Default::default() };
        world.runtime.document_put(&world.caller, "Put", content).await.expect("accepted").description.version
    };
    assert_eq!([put("echo 1").await, put("echo 2").await, put("echo 2").await, put("echo 1").await], [1, 2, 2, 3]);
    world.runtime.document_set_default(&world.caller, "Put", 1).await.expect("accepted");
    assert_eq!(put("echo 1").await, 3);
    let described = world.runtime.document_describe(&world.caller, "Put", &VersionChoice::default()).await;
    assert_eq!(described.expect("there").version, 3);
    let page = |limit, token| Page { limit, token };
    let first = world.runtime.document_versions(&world.caller, "Put", page(2, None)).await.expect("there");
    let second = world.runtime.document_versions(&world.caller, "Put", page(2, first.next)).await.expect("there");
    let numbers: Vec<u64> = first.items.iter().chain(&second.items).map(|version| version.version).collect();
    assert_eq!((numbers, second.next), (vec![3, 2, 1], None));
}
