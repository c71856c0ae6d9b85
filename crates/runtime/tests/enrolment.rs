//! Enrolment on a whole runtime: who is found by which tag, and what a restart knows.

use std::pin::Pin;
use std::sync::Arc;

use api::agent::Register;
use base::{Caller, Json};
use engine::Failure;
use futures_util::future::join_all;
use identity::KeyPair;
use runtime::activations::{ActivationCreate, ActivationCreated};
use runtime::parameters::TagChange;
use runtime::tasks::{Replying, TaskCall, TaskPort};
use runtime::{Page, Refusal, Runtime};
use store::Store;
use store::memory::MemoryStore;

/// There are no tasks here.
struct NoTasks;

impl TaskPort for NoTasks {
    fn call<'a>(&'a self, _: &'a Runtime, _: TaskCall) -> Replying<'a> {
        Box::pin(std::future::pending())
    }

    fn abandon<'a>(&'a self, _: &'a Runtime, _: TaskCall) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(std::future::ready(()))
    }

    fn command_ended(&self, _: &fleet::Run) -> Result<Json, Failure> {
        Ok(Json::Null)
    }
}

async fn open(store: &Arc<MemoryStore>) -> Runtime {
    let store: Arc<dyn Store> = store.clone();
    Runtime::open(runtime::Config::default(), store, Arc::new(NoTasks)).await.expect("the store opens")
}

fn alice() -> Caller {
    Caller::new("111111111111", "us-east-1")
}

async fn activation(runtime: &Runtime, limit: u32, role: &str) -> ActivationCreated {
    let tags = vec![("Role".to_owned(), role.to_owned())];
    let create = ActivationCreate {
        iam_role: "r".to_owned(),
        registration_limit: Some(limit),
        tags,
        ..ActivationCreate::default()
    };
    runtime.activation_create(&alice(), create).await.expect("an activation")
}

async fn register(runtime: &Runtime, activation: &ActivationCreated, key: &KeyPair) -> Result<String, Refusal> {
    let register = format!(
        r#"{{"activation_id":"{}","activation_code":"{}","public_key":"{}"}}"#,
        activation.activation_id,
        activation.code,
        key.public()
    );
    let register: Register = serde_json::from_str(&register).expect("a request");
    Ok(runtime.agent_register(register).await?.instance_id)
}

async fn target(runtime: &Runtime, key: &str, values: &[&str]) -> Vec<String> {
    let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
    runtime.instances_by_target(&alice(), key, &values).await.expect("a target")
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids
}

#[tokio::test]
async fn instances_are_found_by_their_tags_and_by_nothing_like_them() {
    let store = Arc::new(MemoryStore::default());
    let runtime = open(&store).await;
    let (webs, dbs) = (activation(&runtime, 1_000, "web").await, activation(&runtime, 1_000, "web-db").await);
    let keys: Vec<KeyPair> = (0..60).map(|_| KeyPair::generate()).collect();
    let ids = join_all(keys.iter().enumerate().map(|(at, key)| {
        let activation = if at % 3 == 0 { &dbs } else { &webs };
        register(&runtime, activation, key)
    }));
    let ids: Vec<String> = ids.await.into_iter().map(|id| id.expect("registered")).collect();
    let of = |db: bool| {
        sorted(ids.iter().enumerate().filter(|(at, _)| (at % 3 == 0) == db).map(|(_, id)| id.clone()).collect())
    };
    assert_eq!(target(&runtime, "tag:Role", &["web"]).await, of(false));
    assert_eq!(target(&runtime, "tag:Role", &["web-db", "none"]).await, of(true));
    assert_eq!(target(&runtime, "tag-key", &["Role"]).await, sorted(ids.clone()));
    assert!(
        target(&runtime, "tag:Rol", &["web"]).await.is_empty()
            && target(&runtime, "tag-key", &["role"]).await.is_empty()
    );

    let (one, other) = (&ids[0], &ids[1]);
    let tag = |value: &str| TagChange::Add(vec![("Role".to_owned(), value.to_owned())]);
    runtime.instance_tag(&alice(), one, tag("web")).await.expect("tagged");
    runtime.instance_tag(&alice(), other, TagChange::Remove(vec!["Role".to_owned()])).await.expect("untagged");
    runtime.instance_deregister(&alice(), &ids[2]).await.expect("deregistered");
    let web = target(&runtime, "tag:Role", &["web"]).await;
    assert!(web.contains(one) && !web.contains(other) && !web.contains(&ids[2]));
    assert_eq!(target(&runtime, "tag-key", &["Role"]).await.len(), ids.len() - 2);
    let bob = Caller::new("222222222222", "us-east-1");
    assert!(runtime.instances_by_target(&bob, "tag-key", &["Role".to_owned()]).await.expect("a target").is_empty());
    assert!(runtime.instance_tag(&bob, one, tag("theirs")).await.is_err());
}

#[tokio::test]
async fn a_restarted_server_knows_who_registered_and_how_many_more_may() {
    let store = Arc::new(MemoryStore::default());
    let first = open(&store).await;
    let activation = activation(&first, 2, "web").await;
    let (key, another, third) = (KeyPair::generate(), KeyPair::generate(), KeyPair::generate());
    let id = register(&first, &activation, &key).await.expect("registered");
    drop(first);
    let second = open(&store).await;
    assert_eq!(register(&second, &activation, &key).await.expect("the same"), id);
    register(&second, &activation, &another).await.expect("registered");
    assert!(register(&second, &activation, &third).await.is_err());
    let listed = second.instance_list(&alice(), Page { limit: 10, token: None }).await.expect("a list");
    assert_eq!(listed.items.len(), 2);
    assert!(listed.items.iter().all(|one| one.activation_id.as_ref() == Some(&activation.activation_id)));
}
