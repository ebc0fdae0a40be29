//! The bugs of the catalogue that have no piece yet, and what they wait for.

/// A bug without a piece.
#[derive(Clone, Copy, Debug)]
pub struct Open {
    /// Its class and number in the catalogue.
    pub bug: &'static str,
    /// What went wrong, in a line.
    pub title: &'static str,
    /// Where it was reported.
    pub source: &'static str,
    /// What it takes to build it.
    pub waits_for: &'static str,
}

/// The bugs without a piece.
pub const OPEN: &[Open] = &[];
