//! The server's own key: with it the server shows agents who it is, and signs what they are to run.
//!
//! It stands in a file of its own and is never changed: every agent keeps its public half.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use identity::KeyPair;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("read the server's key {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("read the server's key {}: it is not one", .0.display())]
    Form(PathBuf),
    #[error("write the server's key {}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

const NAME: &str = "server.key";

/// The key in the data directory, made when there is none. Without a directory, one that ends with the server.
pub(crate) fn open(data: Option<&Path>) -> Result<KeyPair, Error> {
    let Some(data) = data else { return Ok(KeyPair::generate()) };
    let path = data.join(NAME);
    match std::fs::read(&path) {
        Ok(bytes) => KeyPair::from_pkcs8(&bytes).map_err(|_| Error::Form(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(data, path),
        Err(source) => Err(Error::Read { path, source }),
    }
}

fn make(data: &Path, path: PathBuf) -> Result<KeyPair, Error> {
    let pair = KeyPair::generate();
    match write_private(data, &path, pair.pkcs8()) {
        Ok(()) => Ok(pair),
        Err(source) => Err(Error::Write { path, source }),
    }
}

/// Whole or not at all, on the disk, and for nobody else to read.
pub(crate) fn write_private(directory: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    File::open(directory)?.sync_all()
}
