//! The master key: what seals secrets that are kept in the store.
//!
//! It stands in a file of its own, so that a copy of the store says nothing: keep it as you keep the backups, elsewhere.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use runtime::secrets::MasterKey;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("read the master key {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("read the master key {}: it is not 32 bytes in base64", .0.display())]
    Form(PathBuf),
    #[error("write the master key {}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// The key in the file that the configuration names, which has to be there; else in the data directory, where it is made
/// when there is none. Without a directory, one that ends with the server.
pub(crate) fn open(configured: Option<&Path>, data: Option<&Path>) -> Result<MasterKey, Error> {
    match (configured, data) {
        (Some(path), _) => read(path),
        (None, Some(data)) => match read(&data.join(NAME)) {
            Err(Error::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => make(data),
            read => read,
        },
        (None, None) => Ok(MasterKey::random()),
    }
}

const NAME: &str = "master.key";

fn read(path: &Path) -> Result<MasterKey, Error> {
    let cannot = |source| Error::Read { path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(cannot)?;
    let mode = path.metadata().map_err(cannot)?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "the master key can be read by others than this user: chmod 600");
    }
    MasterKey::parse(&text).ok_or_else(|| Error::Form(path.to_owned()))
}

/// Whole or not at all, and on the disk before anything is sealed with it.
fn make(data: &Path) -> Result<MasterKey, Error> {
    let path = data.join(NAME);
    let key = MasterKey::random();
    let write = || {
        let new = data.join(format!("{NAME}.new"));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        writeln!(file, "{}", key.to_text().expose())?;
        file.sync_all()?;
        std::fs::rename(&new, &path)?;
        File::open(data)?.sync_all()
    };
    write().map_err(|source| Error::Write { path: path.clone(), source })?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that is gone after the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("dandori-key-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).expect("a folder");
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _gone = std::fs::remove_dir_all(&self.0);
        }
    }

    fn text(key: Result<MasterKey, Error>) -> String {
        key.expect("a key").to_text().expose().to_owned()
    }

    #[test]
    fn a_key_is_made_once_and_for_its_user_only() {
        let folder = Folder::new("made");
        let made = text(open(None, Some(&folder.0)));
        assert_eq!(made, text(open(None, Some(&folder.0))));
        let path = folder.0.join(NAME);
        assert_eq!(path.metadata().expect("a file").permissions().mode() & 0o777, 0o600);
        assert_eq!(made, text(open(Some(&path), None)));
        assert_ne!(made, text(open(None, None)));
    }

    #[test]
    fn a_key_that_was_named_is_not_made() {
        let folder = Folder::new("named");
        let path = folder.0.join("key");
        assert!(matches!(open(Some(&path), Some(&folder.0)), Err(Error::Read { .. })));
        std::fs::write(&path, "not a key").expect("written");
        assert!(matches!(open(Some(&path), Some(&folder.0)), Err(Error::Form(_))));
    }
}
