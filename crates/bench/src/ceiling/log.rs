//! A log with group commit: the cheapest way to make many small things durable.
//!
//! One thread writes. Whatever queued while the last flush ran goes out in the next one; nothing waits for a clock.
//! The segments are written with zeros beforehand and then used in turn, over and over, so that a flush need not
//! wait for the file system's journal.
//!
//! **It is not** a store: nobody reads it back, and what is overwritten is gone.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

use tokio::sync::oneshot;

use super::checksum::crc32;

const SEGMENTS: usize = 2;
const SEGMENT_BYTES: usize = 64 << 20;
const BATCH_FRAMES_MAX: usize = 4_096;
/// The length and the checksum.
const FRAME_HEAD_BYTES: usize = 8;

#[derive(Clone)]
pub(crate) struct Log {
    queue: Sender<Frame>,
}

struct Frame {
    bytes: Vec<u8>,
    durable: oneshot::Sender<()>,
}

impl Log {
    pub(crate) fn open(directory: &Path) -> io::Result<Log> {
        let segments: Vec<File> = (0..SEGMENTS)
            .map(|number| segment(&directory.join(format!("segment-{number}"))))
            .collect::<io::Result<_>>()?;
        let (queue, frames) = channel();
        std::thread::Builder::new().name("log".to_owned()).spawn(move || write(&segments, &frames))?;
        Ok(Log { queue })
    }

    /// Returns once `bytes` would survive a power cut.
    pub(crate) async fn commit(&self, bytes: Vec<u8>) {
        let (durable, flushed) = oneshot::channel();
        let _gone = self.queue.send(Frame { bytes, durable });
        flushed.await.expect("the log's thread lives as long as the process, or ends it");
    }
}

fn segment(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    // Page by page: the kernel keeps what was written together in one piece, and counts all of it as written again
    // when a little of it is.
    let zeros = [0; 4_096];
    for offset in (0..SEGMENT_BYTES).step_by(zeros.len()) {
        file.write_all_at(&zeros, offset as u64)?;
    }
    file.sync_all()?;
    Ok(file)
}

fn write(segments: &[File], frames: &Receiver<Frame>) {
    let (mut batch, mut waiting) = (Vec::new(), Vec::new());
    let (mut current, mut offset) = (0, 0);
    while let Ok(first) = frames.recv() {
        batch.clear();
        for frame in std::iter::once(first).chain(frames.try_iter().take(BATCH_FRAMES_MAX - 1)) {
            frame_into(&mut batch, &frame.bytes);
            waiting.push(frame.durable);
        }
        if offset + batch.len() > SEGMENT_BYTES {
            (current, offset) = ((current + 1) % segments.len(), 0);
        }
        segments[current].write_all_at(&batch, offset as u64).expect("the disk takes what the log writes");
        segments[current].sync_data().expect("the disk keeps what the log writes");
        offset += batch.len();
        for durable in waiting.drain(..) {
            let _gone = durable.send(());
        }
    }
}

fn frame_into(batch: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("a frame is a few events");
    batch.reserve(FRAME_HEAD_BYTES + bytes.len());
    batch.extend_from_slice(&length.to_le_bytes());
    batch.extend_from_slice(&crc32(bytes).to_le_bytes());
    batch.extend_from_slice(bytes);
}
