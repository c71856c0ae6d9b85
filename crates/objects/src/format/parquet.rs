//! Parquet: each row is an item, with the columns as its members.
//!
//! What is in a Parquet file is said at its end, so it is put on disk first; then a thread decodes it, some rows ahead of
//! whoever takes them.

use std::fs::File;

use base::Json;
use parquet::file::reader::SerializedFileReader;
use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{Fault, ITEM_BYTES_MAX, too_large};
use crate::store::Body;

/// The bytes of a file (Developer Guide, "Quotas": 10 GB).
const FILE_BYTES_MAX: u64 = 10_000_000_000;

/// Rows that are decoded ahead.
const AHEAD: usize = 16;

pub(crate) struct Rows {
    rows: mpsc::Receiver<Result<Json, Fault>>,
    /// Who decodes; nothing once that was asked how it ended.
    thread: Option<JoinHandle<()>>,
}

impl Rows {
    pub(crate) async fn open(body: Body) -> Result<Rows, Fault> {
        let file = on_disk(body).await?;
        let (sender, rows) = mpsc::channel(AHEAD);
        Ok(Rows { rows, thread: Some(spawn_blocking(move || decode(file, &sender))) })
    }

    pub(crate) async fn next(&mut self) -> Result<Option<Json>, Fault> {
        if let Some(row) = self.rows.recv().await {
            return row.map(Some);
        }
        match self.thread.take() {
            // The library takes some files that are broken for its own mistake.
            Some(thread) => thread.await.map(|()| None).map_err(|_| broken("it cannot be decoded")),
            None => Ok(None),
        }
    }
}

/// In a file that has no name, and is gone with its last user.
async fn on_disk(mut body: Body) -> Result<File, Fault> {
    let unwritten = |error: std::io::Error| format!("The Parquet file cannot be put on this server's disk: {error}");
    let mut file = tokio::fs::File::from_std(tempfile::tempfile().map_err(unwritten)?);
    let mut size = 0;
    while let Some(chunk) = body.next().await.map_err(|error| error.to_string())? {
        size += chunk.len() as u64;
        if size > FILE_BYTES_MAX {
            return Err(format!("The Parquet file is larger than {FILE_BYTES_MAX} bytes"));
        }
        file.write_all(&chunk).await.map_err(unwritten)?;
    }
    file.flush().await.map_err(unwritten)?;
    Ok(file.into_std().await)
}

/// Ends when all is decoded, or when nobody takes rows any more.
fn decode(file: File, rows: &mpsc::Sender<Result<Json, Fault>>) {
    let reader = match SerializedFileReader::new(file) {
        Ok(reader) => reader,
        Err(error) => return drop(rows.blocking_send(Err(broken(&error.to_string())))),
    };
    for (row, number) in reader.into_iter().zip(1..) {
        let row = row.map_err(|error| broken(&error.to_string())).and_then(|row| item(row.to_json_value(), number));
        let is_fault = row.is_err();
        if rows.blocking_send(row).is_err() || is_fault {
            return;
        }
    }
}

fn item(row: serde_json::Value, number: u64) -> Result<Json, Fault> {
    let row = Json::deserialize(row).map_err(|error| broken(&error.to_string()))?;
    if row.fits(ITEM_BYTES_MAX) { Ok(row) } else { Err(too_large("Row", number)) }
}

fn broken(reason: &str) -> Fault {
    format!("The Parquet file is broken: {reason}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::basic::Compression;
    use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use super::*;
    use crate::source::BucketName;
    use crate::store::Buckets;
    use crate::testing::TempDir;

    fn parquet(compression: Compression) -> Vec<u8> {
        let schema =
            parse_message_type("message m { required int64 id; optional binary name (UTF8); }").expect("a schema");
        let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
        let mut bytes = vec![];
        let mut writer = SerializedFileWriter::new(&mut bytes, Arc::new(schema), properties).expect("a writer");
        for ids in [[1, 2], [3, 4]] {
            let mut group = writer.next_row_group().expect("a group");
            let mut column = group.next_column().expect("a column").expect("id");
            column.typed::<Int64Type>().write_batch(&ids, None, None).expect("ids");
            column.close().expect("a column");
            let mut column = group.next_column().expect("a column").expect("name");
            let names = [ByteArray::from("あ")];
            column.typed::<ByteArrayType>().write_batch(&names, Some(&[1, 0]), None).expect("names");
            column.close().expect("a column");
            group.close().expect("a group");
        }
        writer.close().expect("a file");
        bytes
    }

    async fn read(bytes: &[u8]) -> String {
        let dir = TempDir::new();
        dir.write("a.parquet", bytes);
        let buckets = Buckets::none().with_folder("b", dir.path()).expect("a folder");
        let bucket = buckets.bucket(&BucketName::new("b")).expect("a bucket");
        let mut text = String::new();
        let mut rows = Rows::open(bucket.get("a.parquet", None).await.expect("a file")).await.expect("a disk");
        loop {
            match rows.next().await {
                Ok(Some(row)) => text += &format!("{row}\n"),
                Ok(None) => return text,
                Err(fault) => return text + &fault,
            }
        }
    }

    #[tokio::test]
    async fn each_row_is_an_item() {
        let rows = "{\"id\":1,\"name\":\"あ\"}\n{\"id\":2,\"name\":null}\n{\"id\":3,\"name\":\"あ\"}\n{\"id\":4,\"name\":null}\n";
        for compression in [
            Compression::UNCOMPRESSED,
            Compression::SNAPPY,
            Compression::GZIP(Default::default()),
            Compression::ZSTD(Default::default()),
        ] {
            assert_eq!(read(&parquet(compression)).await, rows);
        }
    }

    #[tokio::test]
    async fn what_is_broken_says_so() {
        let whole = parquet(Compression::UNCOMPRESSED);
        for broken in [&b"no parquet"[..], b"", &whole[..whole.len() - 9], &[&whole[..20], &whole[24..]].concat()] {
            let text = read(broken).await;
            assert!(text.contains("The Parquet file is broken: "), "{text}");
        }
    }
}
