//! What becomes of each single bit that is wrong.

use crate::{Codec, Files, Tail};

/// How many bits of some files have which effect when they are flipped, one at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flips {
    /// The reader says that something is wrong: corrupt.
    pub corrupt: u64,
    /// The reader says that a crash may have left it unfinished: torn.
    pub torn: u64,
    /// The reader says that all is well, and shows something else.
    pub silent: u64,
    /// The reader says that all is well, and shows the same: nobody reads that bit.
    pub harmless: u64,
}

impl Flips {
    /// All bits.
    pub fn total(self) -> u64 {
        self.detected() + self.silent + self.harmless
    }

    /// All that the reader says something about.
    pub fn detected(self) -> u64 {
        self.corrupt + self.torn
    }
}

impl std::ops::AddAssign for Flips {
    fn add_assign(&mut self, other: Flips) {
        self.corrupt += other.corrupt;
        self.torn += other.torn;
        self.silent += other.silent;
        self.harmless += other.harmless;
    }
}

/// Flips each bit of each file, one at a time, and asks the codec. The files must be clean.
///
/// ```
/// use highwater_formats::bridge::{Bridge, Form, State, write};
///
/// let flips = highwater_formats::flips(&Bridge, &write(&State::default(), Form::Log));
/// assert_eq!(flips.silent, 0);
/// ```
pub fn flips(codec: &dyn Codec, files: &Files) -> Flips {
    files.iter().fold(Flips::default(), |mut flips, (path, _)| {
        flips += flips_of(codec, files, path);
        flips
    })
}

/// The same for the bits of one of the files.
pub fn flips_of(codec: &dyn Codec, files: &Files, path: &str) -> Flips {
    let right = codec.examine(files, None);
    assert_eq!(right.verdict(), Tail::Clean, "only what is clean can show what a flip does");
    let bytes = files.get(path).unwrap_or_default();
    let (mut flips, mut flipped) = (Flips::default(), files.clone());
    for bit in 0..8 * bytes.len() {
        let mut wrong = bytes.to_vec();
        wrong[bit / 8] ^= 1 << (bit % 8);
        flipped.put(path, wrong);
        let found = codec.examine(&flipped, None);
        let same = (&found.state, &found.more) == (&right.state, &right.more);
        match (found.verdict(), same) {
            (Tail::Corrupt, _) => flips.corrupt += 1,
            (Tail::Torn, _) => flips.torn += 1,
            (Tail::Clean, false) => flips.silent += 1,
            (Tail::Clean, true) => flips.harmless += 1,
        }
    }
    flips
}
