//! What is written: text that does not compress away, the same for everybody.

/// Bytes of a record of W1 to W5.
pub(crate) const RECORD: usize = 256;
/// Bytes of a value of W6.
pub(crate) const VALUE: usize = 100;
/// Records of a batch of W4.
pub(crate) const BATCH: u64 = 100;

/// A text that records are cut from.
pub(crate) struct Load {
    text: Vec<u8>,
}

/// It stays in the processor's cache.
const TEXT: usize = 64 << 10;

impl Load {
    /// Letters and digits, so that they are as long in JSON.
    pub(crate) fn new() -> Load {
        const LETTERS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut word = 0x9e37_79b9_7f4a_7c15u64;
        let letter = |_| {
            word ^= word << 13;
            word ^= word >> 7;
            word ^= word << 17;
            LETTERS[(word >> 58) as usize]
        };
        Load { text: (0..TEXT + RECORD).map(letter).collect() }
    }

    /// The record with this number.
    pub(crate) fn record(&self, nth: u64) -> &[u8] {
        self.cut(nth, RECORD)
    }

    /// The value with this number.
    pub(crate) fn value(&self, nth: u64) -> &[u8] {
        self.cut(nth, VALUE)
    }

    fn cut(&self, nth: u64, length: usize) -> &[u8] {
        let at = (nth as usize).wrapping_mul(97) % TEXT;
        &self.text[at..at + length]
    }
}

/// The id of 16 bytes with this number.
pub(crate) fn id(nth: u64) -> [u8; 16] {
    u128::from(nth).to_be_bytes()
}

/// `count` numbers below `count` in an order of no use to any cache.
pub(crate) fn shuffled(count: u64, all: u64) -> Vec<u64> {
    let mut word = 0x2545_f491_4f6c_dd1du64;
    let number = |_| {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        (word >> 11) % all
    };
    (0..count).map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_differ_and_have_their_length() {
        let load = Load::new();
        assert_eq!((load.record(3).len(), load.value(3).len()), (RECORD, VALUE));
        assert_ne!(load.record(1), load.record(2));
        assert!(load.record(u64::MAX).iter().all(u8::is_ascii_graphic));
        assert!(shuffled(1000, 7).iter().all(|n| *n < 7));
    }
}
