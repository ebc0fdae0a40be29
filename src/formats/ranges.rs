//! The checksum of any range of a file in about the same short time, so that looking for a valid
//! record at every offset of a damaged file does not take the square of its size.

use std::cell::OnceCell;
use std::ops::Range;

/// Ranges up to this size are read; of longer ones only as much at either end.
const STEP: usize = 1024;

/// Which checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crc {
    /// IEEE 802.3, as in zlib.
    Crc32,
    /// Castagnoli.
    Crc32c,
}

impl Crc {
    /// The checksum of `bytes` behind others whose checksum is `before`.
    pub(crate) fn append(self, before: u32, bytes: &[u8]) -> u32 {
        match self {
            Crc::Crc32 => {
                let mut hasher = crc32fast::Hasher::new_with_initial(before);
                hasher.update(bytes);
                hasher.finalize()
            }
            Crc::Crc32c => crc32c::crc32c_append(before, bytes),
        }
    }

    /// The checksum of bytes with checksum `first`, followed by `size` bytes with `second`.
    pub(crate) fn combine(self, first: u32, second: u32, size: usize) -> u32 {
        match self {
            Crc::Crc32 => {
                let mut hasher = crc32fast::Hasher::new_with_initial(first);
                hasher.combine(&crc32fast::Hasher::new_with_initial_len(second, size as u64));
                hasher.finalize()
            }
            Crc::Crc32c => crc32c::crc32c_combine(first, second, size),
        }
    }
}

/// The checksums of a file's ranges.
pub(crate) struct Ranges<'a> {
    crc: Crc,
    bytes: &'a [u8],
    /// Of everything before each multiple of [`STEP`]; made when the first long range is asked for.
    before: OnceCell<Vec<u32>>,
}

impl<'a> Ranges<'a> {
    pub(crate) fn new(crc: Crc, bytes: &'a [u8]) -> Ranges<'a> {
        Ranges { crc, bytes, before: OnceCell::new() }
    }

    /// The checksum of `range`, which lies in the file.
    pub(crate) fn of(&self, range: Range<usize>) -> u32 {
        if range.len() <= 2 * STEP {
            return self.crc.append(0, &self.bytes[range]);
        }
        let (first, whole) = (self.up_to(range.start), self.up_to(range.end));
        // combine(first, second, n) = combine(first, 0, n) ^ second
        self.crc.combine(first, 0, range.len()) ^ whole
    }

    fn up_to(&self, end: usize) -> u32 {
        let before = self.before.get_or_init(|| {
            let (mut crc, mut before) = (0, Vec::with_capacity(self.bytes.len() / STEP + 1));
            for step in self.bytes.chunks(STEP) {
                before.push(crc);
                crc = self.crc.append(crc, step);
            }
            before.push(crc);
            before
        });
        let step = end / STEP;
        self.crc.append(before[step], &self.bytes[step * STEP..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_has_the_checksum_of_its_bytes() {
        let bytes: Vec<u8> = (0..5 * STEP as u32 + 7).map(|n| ((n * n) >> 3) as u8).collect();
        let ends = [0, 1, STEP - 1, STEP, STEP + 1, 3 * STEP, 3 * STEP + 5, 5 * STEP, bytes.len()];
        for crc in [Crc::Crc32, Crc::Crc32c] {
            for size in [bytes.len(), 4 * STEP] {
                let ranges = Ranges::new(crc, &bytes[..size]);
                for start in ends.into_iter().filter(|at| *at <= size) {
                    for end in ends.into_iter().filter(|at| (start..=size).contains(at)) {
                        let right = crc.append(0, &bytes[start..end]);
                        assert_eq!(ranges.of(start..end), right, "{crc:?} {start}..{end}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_checksums_are_the_published_ones() {
        assert_eq!(Crc::Crc32.append(0, b"123456789"), 0xcbf4_3926);
        assert_eq!(Crc::Crc32c.append(0, b"123456789"), 0xe306_9283);
        for crc in [Crc::Crc32, Crc::Crc32c] {
            let (first, second) = (crc.append(0, b"1234"), crc.append(0, b"56789"));
            assert_eq!(crc.combine(first, second, 5), crc.append(0, b"123456789"));
        }
    }
}
