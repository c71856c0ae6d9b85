//! Parameters on a store in memory: what commands and agents are given, lists that are long, quotas.

use std::sync::Arc;

use base::{Caller, Json, Secret};
use engine::Failure;
use futures_util::future::join_all;
use runtime::parameters::{
    Decryption, Depth, Existing, ParameterFilter, ParameterPut, ParameterType, ParametersByPath, TagChange, Tier,
    TierWish,
};
use runtime::refusal::ParameterRefusal;
use runtime::secrets::MasterKey;
use runtime::tasks::{Replying, TaskCall, TaskPort};
use runtime::{Config, Page, Quotas, Refusal, Runtime};
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
    store: Arc<MemoryStore>,
    runtime: Runtime,
    caller: Caller,
}

impl World {
    async fn new(config: Config) -> World {
        let store = Arc::new(MemoryStore::default());
        let runtime = Runtime::open(config, store.clone(), Arc::new(Nobody)).await.expect("a store in memory opens");
        World { store, runtime, caller: Caller::new("111111111111", "us-east-1") }
    }

    async fn put(&self, name: &str, kind: ParameterType, value: &str) {
        self.runtime.parameter_put(&self.caller, put(name, kind, value)).await.expect(name);
    }

    async fn texts(&self, names: &[&str]) -> String {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        match self.runtime.parameter_texts(&self.caller, &names).await {
            Ok(texts) => format!("{texts:?}"),
            Err(refusal) => refusal.to_string(),
        }
    }
}

fn put(name: &str, kind: ParameterType, value: &str) -> ParameterPut {
    ParameterPut {
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
    }
}

#[tokio::test]
async fn what_a_command_references_is_a_text_and_no_secret() {
    let world = World::new(Config::default()).await;
    world.put("/net/a", ParameterType::String, "one").await;
    world.put("list", ParameterType::StringList, "1,2").await;
    world.put("secret", ParameterType::SecureString, "canary").await;
    let again = ParameterPut { existing: Existing::Overwrite, ..put("/net/a", ParameterType::String, "two") };
    world.runtime.parameter_put(&world.caller, again).await.expect("accepted");
    assert_eq!(
        world.texts(&["/net/a", "/net/a:1", "list"]).await,
        r#"{"/net/a": ["two"], "/net/a:1": ["one"], "list": ["1", "2"]}"#
    );
    for (name, why) in [
        ("none", "there is no such parameter in Parameter Store."),
        ("secret", "a parameter of the type SecureString cannot be referenced in a command."),
        ("/net/a:7", "Systems Manager could not find version 7 of /net/a. Verify the version and try again."),
    ] {
        assert_eq!(world.texts(&["list", name]).await, format!("{{{{ssm:{name}}}}}: {why}"));
    }
    assert!(world.texts(&["a b"]).await.starts_with("{{ssm:a b}}: Parameter name"));
}

#[tokio::test]
async fn a_secret_is_told_to_who_is_to_have_it_and_stays_with_its_key() {
    let key = MasterKey::random();
    let config = || Config { master_key: Some(key.clone()), ..Config::default() };
    let mut world = World::new(config()).await;
    world.put("secret", ParameterType::SecureString, "canary").await;
    let secret = async |world: &World, name| world.runtime.parameter_secret(&world.caller, name).await;
    assert_eq!(secret(&world, "secret:1").await.expect("there").expose(), "canary");
    assert!(matches!(
        secret(&world, "secret:2").await,
        Err(Refusal::Parameter(ParameterRefusal::VersionNotFound { .. }))
    ));
    for (config, opens) in [(config(), true), (Config::default(), false)] {
        world.runtime = Runtime::open(config, world.store.clone(), Arc::new(Nobody)).await.expect("it opens");
        match secret(&world, "secret").await {
            Ok(text) => assert!(opens && text.expose() == "canary"),
            Err(Refusal::Parameter(ParameterRefusal::InvalidKeyId { .. })) => assert!(!opens),
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn tags_are_added_and_taken_away() {
    let world = World::new(Config::default()).await;
    world.put("/a", ParameterType::String, "v").await;
    let pairs = |texts: &[&str]| texts.iter().map(|key| ((*key).to_owned(), "v".to_owned())).collect::<Vec<_>>();
    let change = async |name, change| world.runtime.parameter_tag(&world.caller, name, change).await;
    change("/a", TagChange::Add(pairs(&["x", "y"]))).await.expect("accepted");
    change("a", TagChange::Remove(vec!["x".to_owned()])).await.expect("accepted");
    assert_eq!(world.runtime.parameter_tags(&world.caller, "/a").await.expect("there"), pairs(&["y"]));
    let none = change("/none", TagChange::Add(pairs(&["x"]))).await;
    assert!(matches!(none, Err(Refusal::Parameter(ParameterRefusal::NotFound))));
    let many: Vec<_> = (0..50).map(|number| (number.to_string(), String::new())).collect();
    let many = change("/a", TagChange::Add(many)).await;
    assert!(matches!(many, Err(Refusal::Parameter(ParameterRefusal::TooManyTags))));
}

/// More than are looked at for one page stand below one name; the list is the same however it is read.
#[tokio::test]
async fn a_long_list_is_read_a_part_at_a_time() {
    let world = World::new(Config::default()).await;
    let names = (0..2_300).map(|number| format!("/deep/{:02}/{number:04}", number / 100));
    let names: Vec<String> = names.chain(["/deep.a", "/deep/zz", "/deep0"].map(str::to_owned)).collect();
    join_all(names.iter().map(|name| world.put(name, ParameterType::String, "v"))).await;

    let described = async |filters: &[ParameterFilter], limit| {
        let (mut found, mut token, mut pages) = (vec![], None, 0);
        loop {
            let page = world.runtime.parameter_list(&world.caller, filters.to_vec(), Page { limit, token }).await;
            let page = page.expect("a page");
            pages += 1;
            found.extend(page.items.into_iter().map(|parameter| parameter.name));
            token = page.next;
            if token.is_none() {
                return (found, pages);
            }
        }
    };
    let filter = |key: &str, values: &[&str]| ParameterFilter {
        key: key.to_owned(),
        option: None,
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    let mut sorted = names.clone();
    sorted.sort();
    let (all, pages) = described(&[], 50).await;
    assert_eq!((all, pages), (sorted, 47));
    let (none, pages) = described(&[filter("Type", &["SecureString"])], 50).await;
    assert_eq!((none.len(), pages), (0, 2));
    // What is deeper is stepped over.
    let (level, pages) = described(&[filter("Path", &["/deep"])], 50).await;
    assert_eq!((level, pages), (vec!["/deep/zz".to_owned()], 1));
    let (top, pages) = described(&[filter("Path", &["/"])], 1).await;
    assert_eq!((top, pages), (vec!["/deep.a".to_owned(), "/deep0".to_owned()], 2));
    let (one, pages) = described(&[filter("Name", &["/deep/07/0777"])], 50).await;
    assert_eq!((one, pages), (vec!["/deep/07/0777".to_owned()], 1));

    let (mut found, mut token) = (vec![], None);
    loop {
        let by_path = ParametersByPath {
            path: "/deep/07".to_owned(),
            depth: Depth::Recursive,
            filters: vec![],
            decryption: Decryption::Sealed,
        };
        let page =
            world.runtime.parameters_by_path(&world.caller, by_path, Page { limit: 10, token }).await.expect("a page");
        found.extend(page.items.into_iter().map(|parameter| parameter.name));
        token = page.next;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(found, names[700..800]);
}

#[tokio::test]
async fn there_are_never_more_parameters_than_the_quota() {
    let quotas = Quotas { standard_parameters_max: 5, advanced_parameters_max: 3, ..Quotas::OF_AWS };
    let world = World::new(Config { quotas, ..Config::default() }).await;
    let many = async |wish: Option<TierWish>, range: std::ops::Range<usize>| {
        let puts = range.map(|number| {
            let put = ParameterPut { tier: wish, ..put(&format!("/p/{number}"), ParameterType::String, "v") };
            world.runtime.parameter_put(&world.caller, put)
        });
        join_all(puts).await
    };
    let tiers = |results: &[Result<(u64, Tier), Refusal>]| {
        let count = |tier| results.iter().filter(|result| matches!(result, Ok((1, found)) if *found == tier)).count();
        let full = |result: &&Result<(u64, Tier), Refusal>| {
            matches!(result, Err(Refusal::Parameter(ParameterRefusal::LimitExceeded { .. })))
        };
        (count(Tier::Standard), count(Tier::Advanced), results.iter().filter(full).count())
    };
    assert_eq!(tiers(&many(None, 0..20).await), (5, 0, 15));
    assert_eq!(tiers(&many(Some(TierWish::Intelligent), 20..40).await), (0, 3, 17));
    // What is there may change, and what is deleted makes room.
    let there =
        world.runtime.parameter_list(&world.caller, vec![], Page { limit: 50, token: None }).await.expect("a page");
    let first = &there.items[0].name;
    let again = ParameterPut { existing: Existing::Overwrite, ..put(first, ParameterType::String, "v") };
    assert_eq!(world.runtime.parameter_put(&world.caller, again).await.expect("accepted").0, 2);
    world.runtime.parameter_delete(&world.caller, first).await.expect("deleted");
    let tier = there.items[0].tier;
    assert_eq!(
        tiers(&many(Some(TierWish::This(tier)), 40..45).await),
        match tier {
            Tier::Standard => (1, 0, 4),
            Tier::Advanced => (0, 1, 4),
        }
    );
}

#[tokio::test]
async fn of_many_that_create_one_parameter_one_does() {
    let world = World::new(Config::default()).await;
    let put = || world.runtime.parameter_put(&world.caller, put("/a", ParameterType::String, "v"));
    let results = join_all((0..20).map(|_| put())).await;
    let refused =
        |result: &&Result<_, Refusal>| matches!(result, Err(Refusal::Parameter(ParameterRefusal::AlreadyExists)));
    assert_eq!(
        (results.iter().filter(|result| result.is_ok()).count(), results.iter().filter(refused).count()),
        (1, 19)
    );
}

/// So much that it is kept as a snapshot meanwhile.
#[tokio::test]
async fn a_hundred_long_secrets_are_there_after_a_restart() {
    let key = MasterKey::random();
    let config = || Config { master_key: Some(key.clone()), ..Config::default() };
    let mut world = World::new(config()).await;
    let value = |number: u64| format!("{number:08}").repeat(1024);
    for number in 1..=120 {
        let existing = if number == 1 { Existing::Refuse } else { Existing::Overwrite };
        let tier = Some(TierWish::This(Tier::Advanced));
        let put = ParameterPut { existing, tier, ..put("/long", ParameterType::SecureString, &value(number)) };
        assert_eq!(world.runtime.parameter_put(&world.caller, put).await.expect("accepted").0, number);
    }
    world.runtime.parameter_label(&world.caller, "/long", Some(21), vec!["old".to_owned()]).await.expect("labelled");
    world.runtime = Runtime::open(config(), world.store.clone(), Arc::new(Nobody)).await.expect("it opens");
    for (name, number) in [("/long", 120), ("/long:21", 21), ("/long:old", 21), ("/long:64", 64)] {
        let found = world.runtime.parameter(&world.caller, name, Decryption::Plain).await.expect(name);
        assert!(found.version == number && found.value.expose() == value(number), "{name}");
    }
    let gone = world.runtime.parameter(&world.caller, "/long:20", Decryption::Plain).await;
    assert!(matches!(gone, Err(Refusal::Parameter(ParameterRefusal::VersionNotFound { .. }))));
    let put = ParameterPut { existing: Existing::Overwrite, ..put("/long", ParameterType::SecureString, "v") };
    let full = world.runtime.parameter_put(&world.caller, put).await;
    assert!(matches!(full, Err(Refusal::Parameter(ParameterRefusal::TooManyVersions { oldest: 21, .. }))));
}
