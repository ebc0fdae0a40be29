//! Looking for a valid frame behind a bad one, in time that is linear in the file even if frames
//! with right checksums and no meaning were put into each other to prevent that.

/// How many bytes may be decoded for each byte of a file.
const EFFORT: u64 = 64;

/// What is left of the effort for one file.
#[derive(Debug)]
pub(crate) struct Search {
    left: u64,
}

/// What stands behind a bad place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behind {
    /// No valid frame.
    Nothing,
    /// The next valid frame, at this offset.
    Frame(usize),
    /// Too many candidates to try them all: so many are no accident, and the file counts as
    /// having something there.
    Unknown,
}

impl Search {
    /// For a file of so many bytes.
    pub(crate) fn new(size: usize) -> Search {
        Search { left: (size as u64).saturating_mul(EFFORT) }
    }

    /// The first offset in the range where a frame is valid. `checks` says in short time how many
    /// bytes a frame there has whose checksum is right, `valid` whether they mean something too.
    pub(crate) fn next(
        &mut self,
        range: std::ops::Range<usize>,
        checks: impl Fn(usize) -> Option<usize>,
        valid: impl Fn(usize) -> bool,
    ) -> Behind {
        for offset in range {
            let Some(size) = checks(offset) else { continue };
            match self.left.checked_sub(size as u64) {
                Some(left) => self.left = left,
                None => return Behind::Unknown,
            }
            if valid(offset) {
                return Behind::Frame(offset);
            }
        }
        Behind::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_valid_one_counts() {
        let found = Search::new(10).next(2..10, |_| Some(1), |offset| offset == 2 || offset == 7);
        assert_eq!(found, Behind::Frame(2));
        assert_eq!(Search::new(10).next(3..7, |_| Some(1), |at| at == 7), Behind::Nothing);
    }

    #[test]
    fn the_effort_is_bounded() {
        let tried = std::cell::Cell::new(0);
        let valid = |_| {
            tried.set(tried.get() + 1);
            false
        };
        let mut search = Search::new(1000);
        assert_eq!(search.next(0..1000, |_| Some(1000), valid), Behind::Unknown);
        assert_eq!(tried.get(), EFFORT);
    }
}
