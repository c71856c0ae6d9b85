//! The tables, how they came to be, and how a connection to them is set up.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, ffi};

use crate::{OpenError, Options};

/// Older ones can lose a log that two connections restart at once.
const LIBRARY_MIN: (i32, &str) = (3_051_003, "3.51.3");

/// "Dndr": tells our database from others, for `file` and for people.
const APPLICATION: i32 = 0x446e_6472;

pub(crate) const PAGE_BYTES: u64 = 4096;

/// Each brings the tables from the version before to the next. Never change one that was released: add one.
const MIGRATIONS: &[&str] = &[V1];

/// A value has a number, `n`, so that its 16 random bytes are looked up once and stored once. What happens at one time
/// gets neighbouring numbers, and so rows that grow together stand together.
///
/// A chunk's key is its value's number and its first event in one integer: SQLite's tables by integer have wide nodes
/// whatever the rows hold, while those by other keys carry rows in their inner nodes.
const V1: &str = "
    CREATE TABLE shard (
        shard INTEGER PRIMARY KEY,
        epoch INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE value (
        n INTEGER PRIMARY KEY,
        id BLOB NOT NULL,
        kind INTEGER NOT NULL,
        shard INTEGER NOT NULL,
        owes INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        crc INTEGER NOT NULL,
        header BLOB NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX value_by_id ON value (id);
    CREATE INDEX value_owing ON value (shard, id) WHERE owes = 1;

    CREATE TABLE snapshot (
        n INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        crc INTEGER NOT NULL,
        bytes BLOB NOT NULL
    ) STRICT;

    CREATE TABLE chunk (
        place INTEGER PRIMARY KEY,
        count INTEGER NOT NULL,
        crc INTEGER NOT NULL,
        bytes BLOB NOT NULL
    ) STRICT;

    CREATE TABLE timer (
        shard INTEGER NOT NULL,
        due INTEGER NOT NULL,
        id BLOB NOT NULL,
        timer INTEGER NOT NULL,
        PRIMARY KEY (shard, due, id, timer)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE idx (
        list BLOB NOT NULL,
        key BLOB NOT NULL,
        crc INTEGER NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (list, key)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE claim (
        name BLOB NOT NULL PRIMARY KEY
    ) STRICT, WITHOUT ROWID;
";

pub(crate) fn check_library(directory: &Path) -> Result<(), OpenError> {
    let (number, wanted) = LIBRARY_MIN;
    if rusqlite::version_number() < number {
        return Err(OpenError::Library { directory: directory.to_owned(), found: rusqlite::version(), wanted });
    }
    Ok(())
}

/// The connection that writes. There is one.
pub(crate) fn open_to_write(database: &Path, options: &Options) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags)?;
    connection.pragma_update(None, "page_size", PAGE_BYTES.cast_signed())?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    // The writer decides when, so that no commit pays for it unasked.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    let pages_max = options
        .database_bytes_max
        .map_or(u32::MAX - 1, |bytes| u32::try_from(bytes / PAGE_BYTES).unwrap_or(u32::MAX - 1));
    connection.pragma_update(None, "max_page_count", pages_max)?;
    careful(&connection, options.cache_bytes)?;
    Ok(connection)
}

pub(crate) fn open_to_read(database: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags)?;
    connection.pragma_update(None, "query_only", true)?;
    // Whatever is committed in between empties it, so it only serves the one query.
    careful(&connection, 2 << 20)?;
    Ok(connection)
}

/// What every connection is told, whatever the library was built with.
fn careful(connection: &Connection, cache_bytes: u64) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    // A page mapped into memory shows failed reads as signals, and lets stray writes reach the file.
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "cache_size", -i64::try_from(cache_bytes >> 10).unwrap_or(i64::MAX))?;
    Ok(())
}

/// Whether there was no room: not for the data, or not for the little file by which the connections share the log.
pub(crate) fn is_full(error: &rusqlite::Error) -> bool {
    match error.sqlite_error() {
        Some(error) => error.code == ErrorCode::DiskFull || error.extended_code == ffi::SQLITE_IOERR_SHMSIZE,
        None => false,
    }
}

/// Brings the tables to this program's version; each migration is whole or not at all.
pub(crate) fn migrate(connection: &Connection, directory: &Path) -> Result<(), OpenError> {
    let database = |source| OpenError::Database { directory: directory.to_owned(), source };
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(database)?;
    let known = MIGRATIONS.len() as u32;
    if found > known {
        return Err(OpenError::Newer { directory: directory.to_owned(), found, known });
    }
    for (version, migration) in (1..).zip(MIGRATIONS).skip(found as usize) {
        apply(connection, version, migration).map_err(database)?;
    }
    Ok(())
}

fn apply(connection: &Connection, version: u32, migration: &str) -> rusqlite::Result<()> {
    let transaction: Transaction<'_> = connection.unchecked_transaction()?;
    transaction.execute_batch(migration)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", version)?;
    transaction.commit()
}
