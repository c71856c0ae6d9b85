//! Parameters as stories: what is asked, line by line, and what becomes of it.

use std::fmt::Write;

use expect_test::{Expect, expect};

use super::*;
use crate::secrets::MasterKey;

const ARN: &str = "arn:aws:ssm:us-east-1:111111111111:parameter/a";

/// Asks each line of one parameter, a second apart, and tells the answers and what there is in the end.
fn check(story: &str, expect: Expect) {
    let (vault, mut parameter, mut told) = (Vault::new(&MasterKey::random()), Parameter::default(), String::new());
    for (second, line) in story.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        let env = Env { now: Timestamp(second as i64 * 1000), vault: &vault };
        let answer = match decide(&parameter, command(line), env) {
            Ok(Some(event)) => {
                let stored = serde_json::to_vec(&event).expect("a text");
                parameter.apply(&serde_json::from_slice(&stored).expect("an event"));
                continue;
            }
            Ok(None) => "nothing".to_owned(),
            Err(Refused::NeedsPlace(tier)) => format!("needs a place in {tier:?}"),
            Err(Refused::For(refusal)) => refusal.to_string(),
        };
        writeln!(told, "{line}: {answer}").expect("a text takes all");
    }
    if let Some(now) = &parameter.now {
        for one in now.versions() {
            let text = now.open(one, &vault).expect("it opens");
            let Version { number, at, kept, description, pattern, tier, labels, .. } = one;
            let (kind, key_id) = (kept.kind(), kept.key_id());
            let text = text.expose().chars().take(20).collect::<String>();
            writeln!(
                told,
                "{number} at {} {kind:?} {text:?} {tier:?} {key_id:?} {description:?} {pattern:?} {labels:?}",
                at.0
            )
            .expect("a text takes all");
        }
        writeln!(told, "tags {:?}", now.tags).expect("a text takes all");
    }
    expect.assert_eq(&told);
}

/// `put VALUE option=…`, `delete`, `label [N] WORDS`, `unlabel N WORDS`, `tag k=v`, `untag k`, `expire`.
fn command(line: &str) -> Command {
    let mut words = line.split(' ');
    let verb = words.next().unwrap_or_default();
    let rest: Vec<&str> = words.collect();
    let labels = |words: &[&str]| words.iter().map(|word| Arc::from(*word)).collect();
    match (verb, &*rest) {
        ("put", [value, options @ ..]) => Command::Put(Box::new(put(value, options))),
        ("delete", []) => Command::Delete,
        ("label", [version, words @ ..]) => Command::Label { version: version.parse().ok(), labels: labels(words) },
        ("unlabel", [version, words @ ..]) => {
            Command::Unlabel { version: version.parse().expect("a number"), labels: labels(words) }
        }
        ("tag", [tag]) => Command::Tag(vec![pair(tag)]),
        ("untag", [key]) => Command::Untag(vec![(*key).to_owned()]),
        ("expire", []) => Command::Expire,
        _ => panic!("no command: {line}"),
    }
}

fn pair(text: &str) -> (String, String) {
    let (key, value) = text.split_once('=').expect("a key and a value");
    (key.to_owned(), value.to_owned())
}

fn put(value: &str, options: &[&str]) -> Put {
    let value = match value.strip_prefix('x').and_then(|count| count.parse().ok()) {
        Some(count) => "x".repeat(count),
        None => value.to_owned(),
    };
    let mut put = Put {
        name: "/a".into(),
        arn: ARN.into(),
        mode: Mode::Create { tags: vec![] },
        value: Secret::new(value),
        kind: None,
        key_id: None,
        description: None,
        pattern: None,
        tier: None,
        expiration: None,
        place: Some(Tier::Standard),
    };
    for option in options {
        match option.split_once('=').unwrap_or((option, "")) {
            ("over", _) => put.mode = Mode::Overwrite,
            ("type", name) => put.kind = Kind::ALL.into_iter().find(|kind| kind.name() == name),
            ("key", id) => put.key_id = Some(id.into()),
            ("description", text) => put.description = Some(text.into()),
            ("pattern", text) => put.pattern = Some(text.into()),
            ("tier", "Standard") => put.tier = Some(TierWish::This(Tier::Standard)),
            ("tier", "Advanced") => put.tier = Some(TierWish::This(Tier::Advanced)),
            ("tier", _) => put.tier = Some(TierWish::Intelligent),
            ("place", "Advanced") => put.place = Some(Tier::Advanced),
            ("place", _) => put.place = None,
            ("expires", "never") => put.expiration = Some(None),
            ("expires", at) => {
                let at = Timestamp(at.parse().expect("a number"));
                put.expiration = Some(Some(Expiration { at, text: "{}".into() }));
            }
            other => panic!("no option: {other:?}"),
        }
    }
    put
}

#[test]
fn a_version_keeps_what_is_not_said_anew() {
    check(
        "
        put one
        put one type=String description=d pattern=[a-z]+
        put again type=String
        put two over
        put three over description= pattern=t.*
        put 3 over
        put four over pattern=
        put five over type=StringList
        put six over key=k
        ",
        expect![[r#"
            put one: A parameter type is required when you create a parameter.
            put again type=String: The parameter already exists. To overwrite this value, set the overwrite option in the request to true.
            put 3 over: Parameter value, cannot be validated against allowedPattern: t.*
            put five over type=StringList: Parameter Store doesn't support changing a parameter type in a hierarchy: this parameter is of the type String, not StringList. Create a new, unique parameter.
            put six over key=k: KeyId is required for SecureString type parameter only.
            1 at 1000 String "one" Standard None Some("d") Some("[a-z]+") []
            2 at 3000 String "two" Standard None Some("d") Some("[a-z]+") []
            3 at 4000 String "three" Standard None None Some("t.*") []
            4 at 6000 String "four" Standard None None None []
            tags []
        "#]],
    );
}

#[test]
fn a_secret_is_sealed_and_names_its_key() {
    check(
        "
        put one type=SecureString
        put two over
        put three over key=alias/mine
        put four over
        put five over type=String
        ",
        expect![[r#"
            put five over type=String: Parameter Store doesn't support changing a parameter type in a hierarchy: this parameter is of the type SecureString, not String. Create a new, unique parameter.
            1 at 0 SecureString "one" Standard Some("alias/aws/ssm") None None []
            2 at 1000 SecureString "two" Standard Some("alias/aws/ssm") None None []
            3 at 2000 SecureString "three" Standard Some("alias/mine") None None []
            4 at 3000 SecureString "four" Standard Some("alias/mine") None None []
            tags []
        "#]],
    );
    let vault = Vault::new(&MasterKey::random());
    let env = Env { now: Timestamp(0), vault: &vault };
    let command = command("put canary type=SecureString");
    assert!(!format!("{command:?}").contains("canary"));
    let event = decide(&Parameter::default(), command, env).expect("accepted").expect("an event");
    assert!(!format!("{event:?} {}", serde_json::to_string(&event).expect("a text")).contains("canary"));
    let mut parameter = Parameter::default();
    parameter.apply(&event);
    let now = parameter.now.expect("there");
    let closed = now.open(&now.latest, &Vault::new(&MasterKey::random())).expect_err("another key");
    assert_eq!(
        closed.to_string(),
        "Version 1 of /a cannot be decrypted: it was encrypted with another master key than this server's."
    );
}

#[test]
fn a_tier_has_its_room_and_goes_up_only() {
    check(
        "
        put x4097 type=String
        put x4096 type=String place=none
        put x4096 type=String
        put x4097 over tier=Standard
        put x4097 over tier=Intelligent
        put x4097 over tier=Intelligent place=Advanced
        put x8193 over
        put x8192 over
        put x1 over tier=Standard
        put x2 over tier=Intelligent
        ",
        expect![[r#"
            put x4097 type=String: Standard tier parameters support a maximum parameter value of 4096 characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html
            put x4096 type=String place=none: needs a place in Standard
            put x4097 over tier=Standard: Standard tier parameters support a maximum parameter value of 4096 characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html
            put x4097 over tier=Intelligent: needs a place in Advanced
            put x8193 over: Advanced tier parameters support a maximum parameter value of 8192 characters.
            put x1 over tier=Standard: This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard parameter.
            1 at 2000 String "xxxxxxxxxxxxxxxxxxxx" Standard None None None []
            2 at 5000 String "xxxxxxxxxxxxxxxxxxxx" Advanced None None None []
            3 at 7000 String "xxxxxxxxxxxxxxxxxxxx" Advanced None None None []
            4 at 9000 String "xx" Advanced None None None []
            tags []
        "#]],
    );
}

#[test]
fn a_value_fits_its_pattern_and_nests_nothing() {
    check(
        "
        put {{ssm:b}} type=String
        put a{{ type=String
        put 12a over pattern=\\d+
        put 12 over pattern=\\d+|x
        put 1 over pattern=[
        put 1 over pattern=a)(b
        put 1 over pattern=(?=a)
        put 1 over pattern=(a{500}){500}
        ",
        expect![[r#"
            put {{ssm:b}} type=String: Parameter value can't nest another parameter. Do not use "{{}}" in the value.
            put 12a over pattern=\d+: Parameter value, cannot be validated against allowedPattern: \d+
            put 1 over pattern=[: The request does not meet the regular expression requirement: found unclosed character class
            put 1 over pattern=a)(b: The request does not meet the regular expression requirement: found closing ')' without matching '('
            put 1 over pattern=(?=a): The request does not meet the regular expression requirement: look-around is not supported
            put 1 over pattern=(a{500}){500}: The request does not meet the regular expression requirement: compiled regex exceeded size limit
            1 at 1000 String "a{{" Standard None None None []
            2 at 3000 String "12" Standard None None Some("\\d+|x") []
            tags []
        "#]],
    );
}

#[test]
fn labels_move_and_are_ten() {
    check(
        "
        label - prod
        put one type=String
        put two over
        label - prod
        label 1 prod test
        label 3 prod
        label 1 test
        label 2 a b c d e f g h i j
        label 2 k
        label 2 a
        unlabel 1 prod other
        unlabel 1 prod
        unlabel 7 prod
        ",
        expect![[r#"
            label - prod: the parameter does not exist
            label 3 prod: Systems Manager could not find version 3 of /a. Verify the version and try again.
            label 1 test: nothing
            label 2 k: A parameter version can have maximum 10 labels. Move one or more labels to another version and try again.
            label 2 a: nothing
            unlabel 1 prod: nothing
            unlabel 7 prod: Systems Manager could not find version 7 of /a. Verify the version and try again.
            1 at 1000 String "one" Standard None None None ["test"]
            2 at 2000 String "two" Standard None None None ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]
            tags []
        "#]],
    );
}

#[test]
fn tags_merge_and_go_with_the_parameter() {
    check(
        "
        put one type=String
        tag a=1
        tag b=2
        tag a=3
        tag a=3
        untag b
        delete
        delete
        untag a
        put two type=String
        ",
        expect![[r#"
            tag a=3: nothing
            delete: the parameter does not exist
            untag a: the parameter does not exist
            1 at 9000 String "two" Standard None None None []
            tags []
        "#]],
    );
}

#[test]
fn a_parameter_goes_when_it_expires_and_not_before() {
    check(
        "
        put one type=String expires=5000
        put one type=String tier=Intelligent expires=5000 place=Advanced
        put two over
        expire
        put three over expires=9000
        expire
        expire
        expire
        expire
        expire
        expire
        ",
        expect![[r#"
            put one type=String expires=5000: Parameter policies are available for parameters that use the advanced-parameter tier. To use them, upgrade the parameter to the advanced-parameter tier.
            expire: nothing
            expire: nothing
            expire: nothing
            expire: nothing
            expire: nothing
            expire: nothing
        "#]],
    );
    check(
        "
        put one type=String tier=Advanced expires=1000 place=Advanced
        put two over expires=never
        expire
        ",
        expect![[r#"
            expire: nothing
            1 at 0 String "one" Advanced None None None []
            2 at 1000 String "two" Advanced None None None []
            tags []
        "#]],
    );
}

#[test]
fn a_hundred_versions_are_kept_unless_a_label_holds_the_oldest() {
    let vault = Vault::new(&MasterKey::random());
    let mut parameter = Parameter::default();
    let ask = |line: &str, parameter: &mut Parameter| {
        let event = decide(parameter, command(line), Env { now: Timestamp(0), vault: &vault })?;
        event.iter().for_each(|event| parameter.apply(event));
        Ok::<(), Refused>(())
    };
    ask("put v type=String", &mut parameter).expect("accepted");
    for _ in 0..limits::PARAMETER_VERSIONS_MAX {
        ask("put v over", &mut parameter).expect("accepted");
    }
    let numbers = |parameter: &Parameter| {
        let now = parameter.now.as_ref().expect("there");
        (now.versions().count(), now.earlier[0].number, now.latest.number)
    };
    assert_eq!(numbers(&parameter), (100, 2, 101));
    ask("label 2 keep", &mut parameter).expect("accepted");
    let refused = ask("put v over", &mut parameter).expect_err("refused");
    let Refused::For(refused) = refused else { panic!("for a reason") };
    assert_eq!(
        refused.to_string(),
        "You attempted to create a new version of /a by calling the PutParameter API with the overwrite flag. Version 2, the oldest \
         version, can't be deleted because it has a label associated with it. Move the label to another version of the parameter, and \
         try again."
    );
    ask("label - keep", &mut parameter).expect("accepted");
    ask("put v over", &mut parameter).expect("accepted");
    assert_eq!(numbers(&parameter), (100, 3, 102));
}

#[test]
fn what_was_stored_before_is_read() {
    let stored = r#"{"Created":{"name":"/a","arn":"arn:aws:ssm:us-east-1:111111111111:parameter/a","tags":[["k","v"]],"version":{"number":1,"at":5,"kept":{"String":"one"},"tier":"Standard"}}}"#;
    let event: Event = serde_json::from_str(stored).expect("an event");
    assert_eq!(serde_json::to_string(&event).expect("a text"), stored);
    let line = r#"{"name":"/a","kind":"String","modified":5,"version":1,"tier":"Standard"}"#;
    assert_eq!(serde_json::to_string(&serde_json::from_str::<Line>(line).expect("a line")).expect("a text"), line);
}
