use super::*;
use crate::source::BucketName;
use crate::store::Buckets;
use crate::testing::TempDir;

#[tokio::test]
async fn what_is_not_finished_is_not_there() {
    let dir = TempDir::new();
    let buckets = Buckets::none().with_folder("b", dir.path()).expect("a folder");
    let bucket = buckets.bucket(&BucketName::new("b")).expect("the folder");
    let keys = async || {
        let mut listing = bucket.list("");
        let mut keys = vec![];
        while let Some(page) = listing.next().await.expect("a page") {
            keys.extend(page.into_iter().map(|object| object.key));
        }
        keys
    };
    let mut upload = bucket.upload("a/b").await.expect("an upload");
    upload.write(b"12").await.expect("bytes");
    assert_eq!(keys().await, [""; 0]);
    upload.finish().await.expect("a file");
    assert_eq!(keys().await, ["a/b"]);
    drop(bucket.upload("a/c").await.expect("an upload"));
    assert_eq!(dir.files(), [("a/b".to_owned(), "12".to_owned())]);
}

#[tokio::test]
async fn keys_that_are_no_paths_cannot_be_written() {
    let dir = TempDir::new();
    let buckets = Buckets::none().with_folder("b", dir.path()).expect("a folder");
    let bucket = buckets.bucket(&BucketName::new("b")).expect("the folder");
    for key in ["", "/a", "a/", "a//b", "../a", "a/../b", ".", "a\0b", ".dandori-upload-1", "a/.dandori-upload-1"] {
        assert!(bucket.put(key, "x".into()).await.is_err(), "{key}");
    }
    bucket.put("a", "x".into()).await.expect("a file");
    assert!(bucket.put("a/b", "x".into()).await.is_err(), "a is a file");
    assert_eq!(dir.files(), [("a".to_owned(), "x".to_owned())]);
}

#[tokio::test]
async fn a_listing_has_pages() {
    let dir = TempDir::new();
    for number in 0..(PAGE + 1) {
        dir.write(&format!("{}/{number:04}", number % 2), b"");
    }
    let folder = Folder::open("b".to_owned(), dir.path()).expect("a folder");
    let mut listing = folder.list("");
    let mut pages = vec![];
    while let Some(page) = listing.next().await.expect("a page") {
        assert!(page.is_sorted_by(|one, other| one.key < other.key));
        pages.push(page.len());
    }
    assert_eq!(pages, [PAGE, 1]);
}
