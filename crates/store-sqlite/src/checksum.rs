//! CRC-32C of a record: what it is, where it stands, and what it holds.
//!
//! It finds bits that turned and rows that changed places. It does not find a row that is not there.

const POLYNOMIAL: u32 = 0x82f6_3b78;

/// `TABLES[k][b]` is the effect of byte `b` that `k` more bytes follow: eight bytes cost eight look-ups and no loop.
static TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ (POLYNOMIAL * (crc & 1));
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut byte = 0;
    while byte < 256 {
        let mut table = 1;
        while table < 8 {
            let before: u32 = tables[table - 1][byte];
            tables[table][byte] = (before >> 8) ^ tables[0][(before & 0xff) as usize];
            table += 1;
        }
        byte += 1;
    }
    tables
}

/// The checksum of some numbers and some bytes, in order. Each part goes in with its length, so that what moves from
/// one part to the next is seen.
pub(crate) fn checksum(numbers: &[i64], parts: &[&[u8]]) -> u32 {
    let mut crc = !0;
    for number in numbers {
        crc = update(crc, &number.to_le_bytes());
    }
    for part in parts {
        crc = update(crc, &(part.len() as u64).to_le_bytes());
        crc = update(crc, part);
    }
    !crc
}

fn update(mut crc: u32, bytes: &[u8]) -> u32 {
    let (eights, rest) = bytes.as_chunks::<8>();
    for eight in eights {
        let mixed = u64::from_le_bytes(*eight) ^ u64::from(crc);
        crc =
            mixed.to_le_bytes().iter().rev().zip(&TABLES).fold(0, |crc, (byte, table)| crc ^ table[usize::from(*byte)]);
    }
    for byte in rest {
        crc = (crc >> 8) ^ TABLES[0][usize::from(crc as u8 ^ byte)];
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_crc_32c() {
        assert_eq!(!update(!0, b"123456789"), 0xe306_9283);
        assert_eq!(!update(!0, &[0xff; 32]), 0x62a8_ab43);
    }

    #[test]
    fn what_moves_between_parts_is_seen() {
        assert_ne!(checksum(&[1], &[b"ab", b"c"]), checksum(&[1], &[b"a", b"bc"]));
        assert_ne!(checksum(&[1], &[b"ab"]), checksum(&[2], &[b"ab"]));
    }
}
