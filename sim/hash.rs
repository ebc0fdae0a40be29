//! A 128-bit fingerprint for disks and promises: fast, seedless, the same on every machine.
//!
//! It decides which crash states are "the same" in the memo, so it is wide: with 10^7 distinct
//! disks a collision has a probability of about 10^-25. It is no defence against an adversary.

use std::hash::{Hash, Hasher};

const K0: u64 = 0x9e37_79b9_7f4a_7c15;
const K1: u64 = 0xd6e8_feb8_6659_fd93;

/// Two lanes of folded multiplication.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fingerprint {
    a: u64,
    b: u64,
}

impl Default for Fingerprint {
    fn default() -> Self {
        Fingerprint { a: K1, b: K0 }
    }
}

fn fold(x: u64, y: u64) -> u64 {
    let wide = u128::from(x) * u128::from(y);
    (wide as u64) ^ (wide >> 64) as u64
}

impl Fingerprint {
    pub(crate) fn add(&mut self, word: u64) {
        self.a = fold(self.a ^ word, K0).wrapping_add(word.rotate_left(32));
        self.b = fold(self.b.rotate_left(23) ^ word, K1).wrapping_add(word);
    }

    pub(crate) fn add_wide(&mut self, wide: u128) {
        self.add(wide as u64);
        self.add((wide >> 64) as u64);
    }

    pub(crate) fn add_bytes(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.add(u64::from_le_bytes(word.try_into().expect("a chunk of eight")));
        }
        let rest = words.remainder();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.add(u64::from_le_bytes(last));
        self.add(bytes.len() as u64);
    }

    pub(crate) fn value(self) -> u128 {
        u128::from(fold(self.a, self.b | 1)) << 64 | u128::from(self.a ^ self.b.rotate_left(32))
    }
}

impl Hasher for Fingerprint {
    fn finish(&self) -> u64 {
        self.a
    }

    fn write(&mut self, bytes: &[u8]) {
        self.add_bytes(bytes);
    }

    fn write_u8(&mut self, x: u8) {
        self.add(u64::from(x));
    }

    fn write_u32(&mut self, x: u32) {
        self.add(u64::from(x));
    }

    fn write_u64(&mut self, x: u64) {
        self.add(x);
    }

    fn write_usize(&mut self, x: usize) {
        self.add(x as u64);
    }
}

/// The fingerprint of any hashable value.
pub(crate) fn of(value: &impl Hash) -> u128 {
    let mut f = Fingerprint::default();
    value.hash(&mut f);
    f.value()
}
