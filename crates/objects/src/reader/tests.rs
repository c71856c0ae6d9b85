use std::num::NonZeroU64;
use std::path::Path;

use expect_test::{Expect, expect};

use super::*;
use crate::pointer::Pointer;
use crate::s3::{Addressing, Endpoint};
use crate::testing::TempDir;

fn json() -> Format {
    Format::Json { pointer: Pointer::default() }
}

fn csv() -> Format {
    Format::Csv(Csv { delimiter: Delimiter::Comma, header: Header::FirstRow })
}

fn object(key: &str, format: Format) -> Source {
    let object = ObjectName { bucket: BucketName::new("night"), key: key.to_owned(), version: None };
    Source { dataset: Dataset::Object { object, format }, items_max: None }
}

fn named(key: &str) -> ObjectName {
    ObjectName { bucket: BucketName::new("night"), key: key.to_owned(), version: None }
}

fn under(prefix: &str) -> Prefix {
    Prefix { bucket: BucketName::new("night"), prefix: prefix.to_owned() }
}

fn all(dataset: Dataset) -> Source {
    Source { dataset, items_max: None }
}

/// A bucket `night` with these files.
fn bucket(files: &[(&str, &[u8])]) -> (TempDir, Buckets) {
    let dir = TempDir::new();
    for (name, bytes) in files {
        dir.write(name, bytes);
    }
    let buckets = Buckets::none().with_folder("night", dir.path()).expect("a folder");
    (dir, buckets)
}

/// The items of `source` from `cursor`, one on each line: number, source, value; and what failed.
async fn read(buckets: &Buckets, source: &Source, cursor: u64) -> String {
    let mut text = String::new();
    let mut reader = match Reader::resume(buckets, source, Cursor(cursor)).await {
        Ok(reader) => reader,
        Err(failure) => return failure.to_string(),
    };
    loop {
        match reader.next().await {
            Ok(Some(item)) => text += &format!("{} {} {}\n", item.index, item.source, item.value),
            Ok(None) => return text,
            Err(failure) => return text + &failure.to_string(),
        }
    }
}

async fn check(files: &[(&str, &[u8])], source: Source, expected: Expect) {
    let (_dir, buckets) = bucket(files);
    expected.assert_eq(&read(&buckets, &source, 0).await);
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, text.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

#[tokio::test]
async fn each_format_from_a_folder() {
    check(
        &[("a/items.json", b"[1,{\"b\":2}]")],
        object("a/items.json", json()),
        expect![[r#"
        0 S3://night/a/items.json 1
        1 S3://night/a/items.json {"b":2}
    "#]],
    )
    .await;
    check(
        &[("items.jsonl", b"1\n2\n")],
        object("items.jsonl", Format::JsonLines),
        expect![[r#"
        0 S3://night/items.jsonl 1
        1 S3://night/items.jsonl 2
    "#]],
    )
    .await;
    check(
        &[("items.csv", b"n,v\n1,x\n")],
        object("items.csv", csv()),
        expect![[r#"
            0 S3://night/items.csv {"v":"x","n":"1"}
        "#]],
    )
    .await;
    check(
        &[("items.json.gz", &gzip("[1,2]"))],
        object("items.json.gz", json()),
        expect![[r#"
        0 S3://night/items.json.gz 1
        1 S3://night/items.json.gz 2
    "#]],
    )
    .await;
    let zstd = zstd::encode_all(&b"n\n1\n"[..], 0).expect("memory");
    check(
        &[("items.csv.zst", &zstd)],
        object("items.csv.zst", csv()),
        expect![[r#"
        0 S3://night/items.csv.zst {"n":"1"}
    "#]],
    )
    .await;
}

#[tokio::test]
async fn what_is_not_there_says_so_as_s3_does() {
    check(&[], object("none.json", json()), expect!["States.ItemReaderFailed: The specified key does not exist. (Service: S3, Status Code: 404, Request ID: null)"]).await;
    check(&[("a/b", b"[]")], object("a", json()), expect!["States.ItemReaderFailed: The specified key does not exist. (Service: S3, Status Code: 404, Request ID: null)"]).await;
    let version = ObjectName { version: Some("v1".to_owned()), ..named("a") };
    check(
        &[("a", b"[]")],
        all(Dataset::Object { object: version, format: json() }),
        expect![
            "States.ItemReaderFailed: Invalid version id specified (Service: S3, Status Code: 400, Request ID: null)"
        ],
    )
    .await;
    let elsewhere = ObjectName { bucket: BucketName::new("day"), ..named("a") };
    check(&[], all(Dataset::Object { object: elsewhere, format: json() }), expect![[r#"States.ItemReaderFailed: Bucket "day" has no place: it is mapped to no folder, and no S3 endpoint is configured for the others"#]]).await;
}

#[tokio::test]
async fn broken_objects_give_what_they_have() {
    check(
        &[("a", b"[1,2")],
        object("a", json()),
        expect![[r#"
        0 S3://night/a 1
        States.ItemReaderFailed: The JSON document ends before its items do"#]],
    )
    .await;
    let whole = gzip("[1]\n[2]\n");
    check(&[("a", &whole[..whole.len() - 4])], object("a", Format::JsonLines), expect![[r#"
        0 S3://night/a [1]
        1 S3://night/a [2]
        States.ItemReaderFailed: The compressed object is broken: corrupt gzip stream does not have a matching checksum"#]]).await;
}

/// The second object cannot be read; the third is not read in its place.
#[tokio::test]
async fn a_reader_never_goes_on_behind_a_gap() {
    let (_dir, buckets) = bucket(&[("1", b"[1]"), ("2", b"none"), ("3", b"[3]")]);
    let source = all(Dataset::Loaded { prefix: under(""), format: json() });
    let mut reader = Reader::open(&buckets, &source).await.expect("a listing");
    reader.next().await.expect("an item").expect("the first");
    let failure = reader.next().await.expect_err("no item");
    assert_eq!(reader.next().await, Err(failure));

    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    let endpoint = Endpoint { url, region: "r".to_owned(), keys: None, addressing: Addressing::Path };
    let buckets = Buckets::none().with_endpoint(endpoint).expect("an endpoint");
    let mut reader = Reader::open(&buckets, &source).await.expect("a listing");
    let dropped = tokio::time::timeout(std::time::Duration::from_millis(10), reader.next()).await;
    assert!(dropped.is_err(), "nobody answers");
    assert!(reader.next().await.expect_err("no item").cause.contains("interrupted"));
}

#[tokio::test]
async fn no_more_than_max_items() {
    let two = Source { items_max: NonZeroU64::new(2), ..object("a", csv()) };
    check(
        &[("a", b"n\n1\n2\n3\n")],
        two.clone(),
        expect![[r#"
        0 S3://night/a {"n":"1"}
        1 S3://night/a {"n":"2"}
    "#]],
    )
    .await;
    check(
        &[("a", b"n\n1\n")],
        two,
        expect![[r#"
        0 S3://night/a {"n":"1"}
    "#]],
    )
    .await;
}

#[tokio::test]
async fn a_cursor_goes_on_where_it_was() {
    let (_dir, buckets) = bucket(&[("a", b"[10,20,30,40]")]);
    let source = Source { items_max: NonZeroU64::new(3), ..object("a", json()) };
    expect![[r#"
        1 S3://night/a 20
        2 S3://night/a 30
    "#]]
    .assert_eq(&read(&buckets, &source, 1).await);
    expect![""].assert_eq(&read(&buckets, &source, 3).await);
    expect![""].assert_eq(&read(&buckets, &source, 9).await);
}

#[tokio::test]
async fn a_listing_in_the_order_of_keys() {
    let files: &[(&str, &[u8])] = &[("b/2", b""), ("b.txt", b"12345"), ("b/1/x", b"1"), ("a", b""), ("あ", b"")];
    let (_dir, buckets) = bucket(files);
    let keys = async |prefix: &str| {
        let mut reader = Reader::open(&buckets, &all(Dataset::Listing(under(prefix)))).await.expect("a listing");
        let mut keys = String::new();
        while let Some(item) = reader.next().await.expect("an item") {
            let size = item.value.get("Size").expect("a size");
            keys += &format!("{} {} {size}\n", item.source, item.value.get("Key").expect("a key"));
        }
        keys
    };
    expect![[r#"
        S3://night "a" 0
        S3://night "b.txt" 5
        S3://night "b/1/x" 1
        S3://night "b/2" 0
        S3://night "あ" 0
    "#]]
    .assert_eq(&keys("").await);
    expect![[r#"
        S3://night "b/1/x" 1
        S3://night "b/2" 0
    "#]]
    .assert_eq(&keys("b/").await);
    expect![[r#"
        S3://night "b/1/x" 1
    "#]]
    .assert_eq(&keys("b/1").await);
    expect![""].assert_eq(&keys("none").await);
}

#[tokio::test]
async fn a_listed_object_has_what_s3_says_of_it() {
    let (dir, buckets) = bucket(&[("a", b"123")]);
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_millis(1_668_699_881_250);
    let file = std::fs::File::options().write(true).open(dir.path().join("a")).expect("a file");
    file.set_modified(at).expect("a time");
    expect![[r#"
        0 S3://night {"Etag":"\"3-172869b36aa48c80\"","LastModified":1668699881,"Key":"a","Size":3,"StorageClass":"STANDARD"}
    "#]].assert_eq(&read(&buckets, &all(Dataset::Listing(under(""))), 0).await);
}

#[tokio::test]
async fn what_is_listed_is_loaded_and_flattened() {
    let files: &[(&str, &[u8])] =
        &[("in/1.csv", b"n\n1\n2\n"), ("in/2.csv", b"n\n"), ("in/sub/3.csv", b"n\n3\n"), ("out/4.csv", b"n\n4\n")];
    check(
        files,
        all(Dataset::Loaded { prefix: under("in/"), format: csv() }),
        expect![[r#"
        0 S3://night/in/1.csv {"n":"1"}
        1 S3://night/in/1.csv {"n":"2"}
        2 S3://night/in/sub/3.csv {"n":"3"}
    "#]],
    )
    .await;
    let files: &[(&str, &[u8])] = &[("in/1", b"[1]"), ("in/2", b"[2"), ("in/3", b"[3]")];
    check(
        files,
        all(Dataset::Loaded { prefix: under("in/"), format: json() }),
        expect![[r#"
        0 S3://night/in/1 1
        States.ItemReaderFailed: The JSON document ends before its items do (S3://night/in/2)"#]],
    )
    .await;
}

#[tokio::test]
async fn the_rows_of_an_inventory() {
    let manifest = br#"{"sourceBucket":"src","destinationBucket":"arn:aws:s3:::night","version":"2016-11-30",
        "creationTimestamp":"1668560400000","fileFormat":"CSV","fileSchema":"Bucket, Key, Size, LastModifiedDate",
        "files":[{"key":"data/1.csv.gz","size":90,"MD5checksum":"a"},{"key":"data/2.csv.gz","size":90,"MD5checksum":"b"}]}"#;
    let one = gzip(
        "\"src\",\"csvDataset/\",\"0\",\"2022-11-16T00:27:19.000Z\"\n\"src\",\"csvDataset/titles.csv\",\"3399671\",\"2022-11-16T00:29:32.000Z\"\n",
    );
    let two = gzip("\"src\",\"z%2Cz\",\"1\",\"2022-11-16T00:29:32.000Z\"\n");
    let files: &[(&str, &[u8])] = &[("manifest.json", manifest), ("data/1.csv.gz", &one), ("data/2.csv.gz", &two)];
    check(files, all(Dataset::Inventory(named("manifest.json"))), expect![[r#"
        0 S3://night/data/1.csv.gz {"LastModifiedDate":"2022-11-16T00:27:19.000Z","Bucket":"src","Size":"0","Key":"csvDataset/"}
        1 S3://night/data/1.csv.gz {"LastModifiedDate":"2022-11-16T00:29:32.000Z","Bucket":"src","Size":"3399671","Key":"csvDataset/titles.csv"}
        2 S3://night/data/2.csv.gz {"LastModifiedDate":"2022-11-16T00:29:32.000Z","Bucket":"src","Size":"1","Key":"z%2Cz"}
    "#]]).await;
    check(&files[..2], all(Dataset::Inventory(named("manifest.json"))), expect![[r#"
        0 S3://night/data/1.csv.gz {"LastModifiedDate":"2022-11-16T00:27:19.000Z","Bucket":"src","Size":"0","Key":"csvDataset/"}
        1 S3://night/data/1.csv.gz {"LastModifiedDate":"2022-11-16T00:29:32.000Z","Bucket":"src","Size":"3399671","Key":"csvDataset/titles.csv"}
        States.ItemReaderFailed: The specified key does not exist. (Service: S3, Status Code: 404, Request ID: null) (S3://night/data/2.csv.gz)"#]]).await;
    let parquet = br#"{"fileFormat":"Parquet","fileSchema":"x","destinationBucket":"b","files":[]}"#;
    check(
        &[("m", parquet)],
        all(Dataset::Inventory(named("m"))),
        expect!["States.ItemReaderFailed: The inventory is in Parquet; only CSV inventories can be read"],
    )
    .await;
    check(
        &[("m", b"[]")],
        all(Dataset::Inventory(named("m"))),
        expect!["States.ItemReaderFailed: The object is not the manifest of an S3 inventory: fileFormat is missing"],
    )
    .await;
    check(&[("m", b"a,b")], all(Dataset::Inventory(named("m"))), expect!["States.ItemReaderFailed: The object is not the manifest of an S3 inventory: Unrecognized token 'a': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"]).await;
}

#[tokio::test]
async fn the_objects_that_an_athena_manifest_names() {
    let files: &[(&str, &[u8])] = &[
        ("m.csv", b"s3://night/data/1.jsonl\ns3://night/data/2.jsonl\n"),
        ("data/1.jsonl", b"{\"a\":1}\n"),
        ("data/2.jsonl", b"{\"a\":2}\n"),
        ("bad.csv", b"1.jsonl\n"),
    ];
    let athena = |key| all(Dataset::Athena { manifest: named(key), format: Format::JsonLines });
    check(
        files,
        athena("m.csv"),
        expect![[r#"
        0 S3://night/data/1.jsonl {"a":1}
        1 S3://night/data/2.jsonl {"a":2}
    "#]],
    )
    .await;
    check(
        files,
        athena("bad.csv"),
        expect![[r#"States.ItemReaderFailed: The manifest names "1.jsonl", which is no s3://bucket/key"#]],
    )
    .await;
}

#[tokio::test]
async fn nothing_outside_of_the_folder_is_an_object() {
    let outside = TempDir::new();
    outside.write("secret.json", b"[\"secret\"]");
    let (dir, buckets) = bucket(&[("in/a.json", b"[1]")]);
    link(&outside.path().join("secret.json"), &dir.path().join("link.json"));
    link(outside.path(), &dir.path().join("linked"));
    link(Path::new("in/a.json"), &dir.path().join("inside.json"));
    let name = outside.path().file_name().expect("a name").to_str().expect("text");
    for key in [
        &format!("../{name}/secret.json"),
        "link.json",
        "linked/secret.json",
        "/etc/passwd",
        "in/../in/a.json",
        "in//a.json",
    ] {
        let text = read(&buckets, &object(key, json()), 0).await;
        assert!(text.starts_with("States.ItemReaderFailed: "), "{key}: {text}");
    }
    expect![[r#"
        0 S3://night/inside.json 1
    "#]]
    .assert_eq(&read(&buckets, &object("inside.json", json()), 0).await);
    expect![[r#"
        0 S3://night/in/a.json 1
        1 S3://night/inside.json 1
    "#]]
    .assert_eq(&read(&buckets, &all(Dataset::Loaded { prefix: under(""), format: json() }), 0).await);
}

fn link(to: &Path, at: &Path) {
    std::os::unix::fs::symlink(to, at).expect("a link");
}

/// Fifty megabytes of items pass through a few.
#[tokio::test]
async fn a_hundred_thousand_items() {
    let item = format!("{{\"text\":\"{}\"}}", "x".repeat(500));
    let document = format!("[{}]", vec![item; 100_000].join(","));
    let (_dir, buckets) = bucket(&[("a", document.as_bytes())]);
    let mut reader = Reader::open(&buckets, &object("a", json())).await.expect("an object");
    while let Some(item) = reader.next().await.expect("an item") {
        assert_eq!(item.index + 1, reader.cursor().0);
    }
    assert_eq!(reader.cursor(), Cursor(100_000));
}

#[tokio::test]
async fn a_few_bytes_that_stand_for_much_are_decoded_few_at_a_time() {
    let header = (0..1_000).map(|column| format!("c{column}")).collect::<Vec<_>>().join(",");
    let file = format!("{header}{}", "\n".repeat(60_000));
    let (_dir, buckets) = bucket(&[("wide.csv", file.as_bytes())]);
    let mut reader = Reader::open(&buckets, &object("wide.csv", csv())).await.expect("it opens");
    let item = reader.next().await.expect("good").expect("a row");
    assert_eq!(item.value.as_object().map(|members| members.len()), Some(1_000));
    let Items::Object(Object { items: ObjectItems::Stream(stream), .. }) = &reader.items else { panic!("a stream") };
    assert!(stream.out.len() <= DECODED_AT_ONCE, "{}", stream.out.len());
}
