use super::*;

const ID: Id = Id(0x3f0c_0000_0000_0000_0000_0000_0000_0007);

/// A directory that ends with the test.
struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        Place(std::env::temp_dir().join(format!("dandori-keep-{}", crate::clock::uuid())))
    }

    fn open(&self) -> Keep {
        Keep::new(Some(self.0.clone()), 1 << 40)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

fn part(offset: u64, bytes: &[u8]) -> Part<'_> {
    Part { offset, bytes, end: false, cut: false }
}

fn last(offset: u64, bytes: &[u8]) -> Part<'_> {
    Part { end: true, ..part(offset, bytes) }
}

fn told(keep: &Keep, part: Part<'_>) -> (u64, bool) {
    let extent = keep.add(ID, part).expect("a disk");
    (extent.bytes, extent.complete)
}

fn text(keep: &Keep, from: u64, max: usize) -> String {
    let (bytes, _) = keep.read(ID, from, max).expect("a disk").expect("a stream");
    String::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn only_what_follows_is_added() {
    let place = Place::new();
    let keep = place.open();
    assert_eq!(keep.extent(ID).expect("a disk"), None);
    assert_eq!(told(&keep, part(3, b"gap")), (0, false));
    assert_eq!(told(&keep, part(0, b"hello ")), (6, false));
    assert_eq!(told(&keep, part(0, b"hello ")), (6, false), "told twice");
    assert_eq!(told(&keep, part(4, b"o w")), (6, false), "an overlap");
    assert_eq!(told(&keep, part(7, b"world")), (6, false), "a gap");
    assert_eq!(told(&keep, last(6, b"world")), (11, true));
    assert_eq!(told(&keep, part(11, b"more")), (11, true), "after the end");
    assert_eq!(
        (text(&keep, 0, 99), text(&keep, 6, 3), text(&keep, 11, 9)),
        ("hello world".into(), "wor".into(), "".into())
    );
    assert_eq!(text(&place.open(), 0, 99), "hello world");
}

#[test]
fn a_stream_in_which_nothing_was_written_is_no_file() {
    let place = Place::new();
    assert_eq!(told(&place.open(), last(0, b"")), (0, true));
    assert!(!place.0.exists());
}

/// What a killed server had in memory is cut away, and the agent goes on from what is certain.
#[test]
fn an_output_is_cut_back_to_what_is_certain_after_a_kill() {
    let place = Place::new();
    let chunk = vec![b'x'; 1 << 20];
    let killed = place.open();
    for number in 0..10 {
        told(&killed, part(number << 20, &chunk));
    }
    assert_eq!(killed.extent(ID).expect("a disk").map(|extent| extent.bytes), Some(10 << 20));
    let next = place.open();
    assert_eq!(next.extent(ID).expect("a disk").map(|extent| extent.bytes), Some(8 << 20), "as far as the mark");
    assert_eq!(told(&next, part(10 << 20, b"end")), (8 << 20, false));
    assert_eq!(told(&next, last(8 << 20, b"end")), ((8 << 20) + 3, true));
    let file = fs::metadata(next.path(ID)).expect("a file");
    assert_eq!(file.len(), BYTES_BEGIN + (8 << 20) + 3);
}

#[test]
fn a_mark_that_was_being_written_is_not_believed() {
    let place = Place::new();
    let keep = place.open();
    told(&keep, part(0, b"one"));
    let adding = keep.adding(ID).expect("open");
    lock(&adding).mark().expect("marked");
    drop(adding);
    told(&keep, last(3, b" two"));
    let path = keep.path(ID);
    drop(keep);
    let file = OpenOptions::new().write(true).open(&path).expect("a file");
    // The second mark is the later one: half of it is another's.
    file.write_all_at(&[0; 20], MARKS[1] + 20).expect("written");
    let next = place.open();
    assert_eq!(next.extent(ID).expect("a disk"), Some(Extent { bytes: 3, complete: false, cut: false }));
    assert_eq!(told(&next, last(3, b" two")), (7, true));
    assert_eq!(text(&next, 0, 99), "one two");
}

#[test]
fn a_file_that_lost_its_end_is_said_to_be_cut() {
    let place = Place::new();
    let keep = place.open();
    told(&keep, last(0, b"0123456789"));
    OpenOptions::new().write(true).open(keep.path(ID)).and_then(|file| file.set_len(BYTES_BEGIN + 4)).expect("cut");
    assert_eq!(keep.extent(ID).expect("a disk"), Some(Extent { bytes: 4, complete: true, cut: true }));
    assert_eq!(text(&keep, 0, 99), "0123");
}

#[test]
fn a_stream_ends_at_its_quota() {
    let place = Place::new();
    let keep = Keep::new(Some(place.0.clone()), 10);
    assert_eq!(told(&keep, part(0, b"01234567")), (8, false));
    let extent = keep.add(ID, part(8, b"89ab")).expect("a disk");
    assert_eq!(extent, Extent { bytes: 10, complete: true, cut: true });
    assert_eq!(told(&keep, part(10, b"cd")), (10, true), "no more is wanted");
    assert_eq!(text(&keep, 0, 99), "0123456789");
}

#[test]
fn the_file_of_a_silent_stream_is_closed_and_goes_on() {
    let place = Place::new();
    let keep = place.open();
    told(&keep, part(0, b"a"));
    lock(&keep.adding(ID).expect("open")).touched = Instant::now() - IDLE_MAX * 2;
    keep.close_idle();
    assert!(!keep.is_open(ID));
    assert_eq!(place.open().extent(ID).expect("a disk").map(|extent| extent.bytes), Some(1), "it was marked");
    assert_eq!(told(&keep, last(1, b"b")), (2, true));
}

#[test]
fn only_so_many_files_are_open() {
    let place = Place::new();
    let keep = place.open();
    for number in 0..OPEN_MAX as u128 + 10 {
        let _extent = keep.add(Id(number), part(0, b"x")).expect("a disk");
    }
    assert!(lock(&keep.open).len() <= OPEN_MAX);
    for number in 0..OPEN_MAX as u128 + 10 {
        assert_eq!(keep.add(Id(number), last(1, b"y")).expect("a disk").bytes, 2);
    }
}

#[test]
fn what_is_old_is_removed() {
    let place = Place::new();
    let keep = place.open();
    told(&keep, last(0, b"x"));
    assert_eq!(keep.remove_older(Timestamp(1)).expect("a disk"), 0);
    assert_eq!(keep.remove_older(Timestamp(i64::MAX)).expect("a disk"), 1);
    assert_eq!(keep.extent(ID).expect("a disk"), None);
}

#[test]
fn a_temporary_directory_ends_with_the_server() {
    let keep = Keep::new(None, 1 << 20);
    told(&keep, last(0, b"x"));
    let directory = keep.directory.clone();
    assert!(directory.exists());
    drop(keep);
    assert!(!directory.exists());
}

/// Needs a small file system of its own, which only root may mount.
#[test]
fn a_full_disk_refuses_and_forgets_nothing() {
    let place = Place::new();
    fs::create_dir_all(&place.0).expect("a directory");
    let mount = |arguments: &[&str]| {
        std::process::Command::new(arguments[0])
            .args(&arguments[1..])
            .output()
            .is_ok_and(|ended| ended.status.success())
    };
    let path = place.0.to_str().expect("UTF-8");
    if !mount(&["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path]) {
        #[expect(clippy::print_stderr, reason = "whoever reads the tests' output should know")]
        {
            eprintln!("SKIPPED: a full disk needs a tmpfs, and this user may not mount one");
        }
        return;
    }
    let keep = place.open();
    let chunk = vec![b'x'; 100 << 10];
    let mut taken = 0;
    let error = loop {
        match keep.add(ID, part(taken, &chunk)) {
            Ok(extent) => taken = extent.bytes,
            Err(error) => break error,
        }
    };
    assert!(is_full(&error), "{error}");
    assert!(keep.add(ID, part(taken, &chunk)).is_err() || taken > 0);
    // What is certain is what was marked: here nothing. Whoever sent it begins again, when there is room.
    assert!(mount(&["mount", "-o", "remount,size=4m", path]));
    let there = keep.add(ID, part(u64::MAX, b"")).expect("room").bytes;
    assert!(there <= taken);
    let mut at = there;
    while at < 1 << 20 {
        at = keep.add(ID, part(at, &chunk)).expect("room").bytes;
    }
    assert!(told(&keep, last(at, b"")).1);
    drop(keep);
    assert!(mount(&["umount", path]));
}
