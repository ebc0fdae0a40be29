//! CRC-32 (IEEE) from a seed.
//!
//! Headers have 12 to 44 bytes, and there are three of them to a record. `crc32fast` takes a byte
//! at a time below 64, which an append felt; here it is eight at a time. Above that it is the
//! faster one by far.

const POLYNOMIAL: u32 = 0xedb8_8320;

/// From this length on the processor's own instructions win.
const LONG: usize = 64;

/// What a byte does to the checksum, with 0 to 7 bytes behind it.
static TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { POLYNOMIAL } else { 0 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut behind = 1;
    while behind < 8 {
        let mut byte = 0;
        while byte < 256 {
            let crc = tables[behind - 1][byte];
            tables[behind][byte] = crc >> 8 ^ tables[0][crc as usize & 0xff];
            byte += 1;
        }
        behind += 1;
    }
    tables
}

/// The checksum of `bytes`, seeded; seeded with that of what stands before them, it is that of
/// both. Of nothing it is the seed: a checksum of no bytes proves nothing, so every header has at
/// least one field that is never zero.
#[inline]
pub(crate) fn crc(seed: u32, bytes: &[u8]) -> u32 {
    if bytes.len() < LONG {
        return short(seed, bytes);
    }
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(bytes);
    hasher.finalize()
}

#[inline]
fn short(seed: u32, bytes: &[u8]) -> u32 {
    let mut crc = !seed;
    let at = |word: u32, shift: u32, behind: usize| TABLES[behind][(word >> shift) as usize & 0xff];
    let (eights, rest) = bytes.as_chunks::<8>();
    for &[a, b, c, d, e, f, g, h] in eights {
        let one = u32::from_le_bytes([a, b, c, d]) ^ crc;
        let two = u32::from_le_bytes([e, f, g, h]);
        crc = at(one, 0, 7) ^ at(one, 8, 6) ^ at(one, 16, 5) ^ at(one, 24, 4);
        crc ^= at(two, 0, 3) ^ at(two, 8, 2) ^ at(two, 16, 1) ^ at(two, 24, 0);
    }
    let (fours, rest) = rest.as_chunks::<4>();
    for &four in fours {
        let word = u32::from_le_bytes(four) ^ crc;
        crc = at(word, 0, 3) ^ at(word, 8, 2) ^ at(word, 16, 1) ^ at(word, 24, 0);
    }
    for byte in rest {
        crc = crc >> 8 ^ at(crc ^ u32::from(*byte), 0, 0);
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;
    use highwater_tests::properties;

    fn fast(seed: u32, bytes: &[u8]) -> u32 {
        let mut hasher = crc32fast::Hasher::new_with_initial(seed);
        hasher.update(bytes);
        hasher.finalize()
    }

    #[test]
    fn of_every_short_length_it_is_what_others_say() {
        let bytes: Vec<u8> =
            (0..200u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 9) as u8).collect();
        for length in 0..bytes.len() {
            for seed in [0, 1, 0x8000_0000, u32::MAX] {
                assert_eq!(crc(seed, &bytes[..length]), fast(seed, &bytes[..length]), "{length}");
            }
        }
        assert_eq!(crc(0, b"123456789"), 0xcbf4_3926, "the check value of the catalogue");
    }

    properties! {
        fn it_goes_on_where_it_stopped(seed: u32, a: Vec<u8>, b: Vec<u8>) -> bool {
            crc(crc(seed, &a), &b) == fast(seed, &[a, b].concat())
        }
    }
}
