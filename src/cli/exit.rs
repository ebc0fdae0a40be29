//! The exit codes, and the failures that lead to them.

use highwater_sim::Verdict;

/// Everything held, or all was as expected.
pub(crate) const HELD: u8 = 0;
/// The command line, a file or a token makes no sense. (clap uses the same code.)
pub(crate) const USAGE: u8 = 2;
/// There was nothing to do, or nothing that we know.
pub(crate) const NOTHING: u8 = 4;
/// What was asked for was not completed.
pub(crate) const INCOMPLETE: u8 = 5;
/// A bug of ours.
pub(crate) const BUG: u8 = 70;
/// The surroundings failed us: a disk is full, a folder cannot be made.
pub(crate) const ENVIRONMENT: u8 = 75;
/// A promise is broken; or, of files, damage was found.
pub(crate) const VIOLATED: u8 = 100;
/// A replay did something else.
pub(crate) const DIVERGED: u8 = 102;
/// The control was not caught, or what was expected was not found.
pub(crate) const BLIND: u8 = 103;
/// It fails without any crash.
pub(crate) const BROKEN: u8 = 104;

/// Why a command ended early.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) code: u8,
    /// What a person needs to know.
    pub(crate) message: String,
}

impl Failure {
    /// A failure with that code.
    pub(crate) fn new(code: u8, message: impl Into<String>) -> Failure {
        Failure { code, message: message.into() }
    }

    /// A mistake on the command line, in a file or in a token.
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure::new(USAGE, message)
    }
}

/// What a command comes to: an exit code, or a failure.
pub(crate) type Done = Result<u8, Failure>;

/// The exit code of a verdict.
pub(crate) fn of(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Held | Verdict::Inconclusive => HELD,
        Verdict::Violated => VIOLATED,
        Verdict::Blind => BLIND,
        Verdict::Broken => BROKEN,
        Verdict::Diverged => DIVERGED,
    }
}

/// Of the exit codes of several runs, the one that matters most.
pub(crate) fn worst(codes: impl IntoIterator<Item = u8>) -> u8 {
    const ORDER: [u8; 6] = [HELD, INCOMPLETE, BLIND, DIVERGED, BROKEN, VIOLATED];
    let rank = |code: &u8| ORDER.iter().position(|c| c == code).unwrap_or(ORDER.len());
    codes.into_iter().max_by_key(rank).unwrap_or(HELD)
}
