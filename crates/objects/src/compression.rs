//! GZIP and ZSTD, known by how a file begins: text in any of our formats begins otherwise.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use zstd::stream::raw::{Decoder as Zstd, InBuffer, Operation, OutBuffer};

/// Gives bytes as they were before they were compressed.
pub(crate) enum Expander {
    /// Too few bytes yet to know.
    Unknown(Vec<u8>),
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Zstd {
        decoder: Zstd<'static>,
        is_between_frames: bool,
    },
}

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

impl Expander {
    pub(crate) fn new() -> Expander {
        Expander::Unknown(vec![])
    }

    /// How many bytes to [`push`](Self::push) at once, so that what they become stays below some megabytes: a byte of
    /// GZIP stands for at most 1,032, four of ZSTD for at most 128 KiB.
    pub(crate) fn bytes_max(&self) -> usize {
        match self {
            Expander::Unknown(_) | Expander::Zstd { .. } => 256,
            Expander::Gzip(_) => 4 * 1024,
            Expander::Plain => usize::MAX,
        }
    }

    /// Adds to `out` what `bytes` stand for; what comes before a fault is there.
    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Expander::Unknown(head) => {
                head.extend_from_slice(bytes);
                if head.len() < ZSTD.len() {
                    return Ok(());
                }
                self.begin(out)
            }
            Expander::Plain => {
                out.extend_from_slice(bytes);
                Ok(())
            }
            Expander::Gzip(decoder) => {
                let written = decoder.write_all(bytes).and_then(|()| decoder.flush());
                out.append(decoder.get_mut());
                written
            }
            Expander::Zstd { decoder, is_between_frames } => {
                *is_between_frames = expand_zstd(decoder, bytes, *is_between_frames, out)?;
                Ok(())
            }
        }
    }

    /// There are no more bytes.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        if matches!(self, Expander::Unknown(_)) {
            self.begin(out)?;
        }
        match self {
            Expander::Gzip(decoder) => {
                let finished = decoder.try_finish();
                out.append(decoder.get_mut());
                finished
            }
            Expander::Zstd { is_between_frames: false, .. } => Err(io::ErrorKind::UnexpectedEof.into()),
            Expander::Unknown(_) | Expander::Plain | Expander::Zstd { .. } => Ok(()),
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        let Expander::Unknown(head) = self else { return Ok(()) };
        let head = std::mem::take(head);
        *self = if head.starts_with(GZIP) {
            Expander::Gzip(Box::new(MultiGzDecoder::new(vec![])))
        } else if head.starts_with(ZSTD) {
            Expander::Zstd { decoder: Zstd::new()?, is_between_frames: true }
        } else {
            Expander::Plain
        };
        self.push(&head, out)
    }
}

/// Returns whether a frame ends with `bytes`.
fn expand_zstd(decoder: &mut Zstd<'_>, bytes: &[u8], mut ended: bool, out: &mut Vec<u8>) -> io::Result<bool> {
    let mut input = InBuffer::around(bytes);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let all_taken = input.pos() == bytes.len();
        if all_taken && ended {
            return Ok(true);
        }
        let mut output = OutBuffer::around(&mut buffer);
        ended = decoder.run(&mut input, &mut output)? == 0;
        out.extend_from_slice(output.as_slice());
        if input.pos() == bytes.len() && output.pos() < output.capacity() {
            return Ok(ended);
        }
    }
}

#[cfg(test)]
mod tests {
    use flate2::write::GzEncoder;

    use super::*;

    fn expand(bytes: &[u8], piece: usize) -> io::Result<String> {
        let (mut expander, mut out) = (Expander::new(), vec![]);
        for piece in bytes.chunks(piece) {
            expander.push(piece, &mut out)?;
        }
        expander.finish(&mut out)?;
        Ok(String::from_utf8(out).expect("text"))
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(vec![], flate2::Compression::default());
        encoder.write_all(text.as_bytes()).expect("memory");
        encoder.finish().expect("memory")
    }

    fn zstd(text: &str) -> Vec<u8> {
        zstd::encode_all(text.as_bytes(), 0).expect("memory")
    }

    #[test]
    fn what_is_compressed_is_expanded_and_the_rest_left_alone() {
        let text = "0123456789".repeat(50_000);
        for piece in [1, 3, 4096] {
            assert_eq!(expand(b"[1,2]", piece).expect("plain"), "[1,2]");
            assert_eq!(expand(b"1", piece).expect("plain"), "1");
            assert_eq!(expand(b"", piece).expect("nothing"), "");
            assert_eq!(expand(&gzip(&text), piece).expect("gzip"), text);
            assert_eq!(expand(&zstd(&text), piece).expect("zstd"), text);
            assert_eq!(expand(&[gzip("a"), gzip("b")].concat(), piece).expect("two members"), "ab");
            assert_eq!(expand(&[zstd("a"), zstd("b")].concat(), piece).expect("two frames"), "ab");
        }
    }

    #[test]
    fn what_ends_too_early_is_an_error() {
        for whole in [gzip("some text"), zstd("some text")] {
            assert!(expand(&whole[..whole.len() - 3], 100).is_err());
        }
    }

    #[test]
    fn a_piece_never_becomes_much() {
        let zeros = "\0".repeat(64 * 1024 * 1024);
        for whole in [gzip(&zeros), zstd(&zeros)] {
            let (mut expander, mut at) = (Expander::new(), 0);
            while at < whole.len() {
                let piece = &whole[at..whole.len().min(at + expander.bytes_max())];
                let mut out = vec![];
                expander.push(piece, &mut out).expect("good");
                assert!(out.len() <= 16 * 1024 * 1024, "{}", out.len());
                at += piece.len();
            }
        }
    }
}
