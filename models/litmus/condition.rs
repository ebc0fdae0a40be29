//! What may be found on a disk, as a condition that looks at no more than it needs.
//!
//! A look decides a part of the disk that the power cut left open, so the order of looking is part
//! of the cost: existence, then size, then bytes, sector by sector up to the first that differs.

use super::call::{exists, file_at};
use highwater_vfs::{File, Vfs, read_full_at};
use std::io;

/// Bytes that are read at once: no more than a sector, so that a look decides one.
const STEP: usize = 512;

/// A condition. Whatever it says of the bytes or the size of a file that is not there is false.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It does not hold.
    Not(Box<Condition>),
    /// All hold.
    And(Vec<Condition>),
    /// At least one holds.
    Or(Vec<Condition>),
    /// There is a file or a directory of that name.
    Exists(String),
    /// The file's size stands in that relation to a number.
    Size(String, Relation, u64),
    /// The file holds these bytes and no others.
    Is(String, Vec<u8>),
    /// The file holds these bytes at that offset.
    At(String, u64, Vec<u8>),
    /// These bytes stand somewhere in the file.
    Contains(String, Vec<u8>),
    /// The file is what these bytes begin with.
    PrefixOf(String, Vec<u8>),
    /// Some byte of the file is none of these.
    Other(String, Vec<u8>),
}

/// How a size compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// `=`
    Equal,
    /// `<`
    Less,
    /// `>`
    Greater,
}

impl Condition {
    /// The paths it names.
    pub(super) fn paths(&self) -> Vec<&str> {
        match self {
            Condition::Not(one) => one.paths(),
            Condition::And(all) | Condition::Or(all) => {
                all.iter().flat_map(Condition::paths).collect()
            }
            Condition::Exists(path) | Condition::Size(path, ..) | Condition::Is(path, _) => {
                vec![path]
            }
            Condition::At(path, ..) | Condition::Contains(path, _) => vec![path],
            Condition::PrefixOf(path, _) | Condition::Other(path, _) => vec![path],
        }
    }

    /// Whether it holds on a disk.
    ///
    /// # Errors
    /// Those of the seam.
    pub fn holds(&self, vfs: &dyn Vfs) -> io::Result<bool> {
        let path = match self {
            Condition::Not(one) => return one.holds(vfs).map(|holds| !holds),
            Condition::And(all) => {
                for one in all {
                    if !one.holds(vfs)? {
                        return Ok(false);
                    }
                }
                return Ok(true);
            }
            Condition::Or(all) => {
                for one in all {
                    if one.holds(vfs)? {
                        return Ok(true);
                    }
                }
                return Ok(false);
            }
            Condition::Exists(path) => return exists(vfs, path),
            _ => self.paths()[0],
        };
        match file_at(vfs, path)? {
            Some(file) => self.holds_of(&*file),
            None => Ok(false),
        }
    }

    fn holds_of(&self, file: &dyn File) -> io::Result<bool> {
        let size = file.size()?;
        match self {
            Condition::Size(_, relation, number) => Ok(match relation {
                Relation::Equal => size == *number,
                Relation::Less => size < *number,
                Relation::Greater => size > *number,
            }),
            Condition::Is(_, bytes) => Ok(size == bytes.len() as u64 && same(file, bytes, 0)?),
            Condition::At(_, offset, bytes) => {
                Ok(size >= offset + bytes.len() as u64 && same(file, bytes, *offset)?)
            }
            Condition::PrefixOf(_, bytes) => {
                let size = size as usize;
                Ok(size <= bytes.len() && same(file, &bytes[..size], 0)?)
            }
            Condition::Contains(_, bytes) => {
                let all = whole(file, size)?;
                Ok(bytes.is_empty() || all.windows(bytes.len()).any(|part| part == bytes))
            }
            Condition::Other(_, bytes) => {
                Ok(whole(file, size)?.iter().any(|byte| !bytes.contains(byte)))
            }
            _ => unreachable!("it asks for more than one file"),
        }
    }
}

/// All bytes of a file.
pub(super) fn whole(file: &dyn File, size: u64) -> io::Result<Vec<u8>> {
    let mut all = vec![0; size as usize];
    read_full_at(file, &mut all, 0)?;
    Ok(all)
}

/// Whether these bytes stand at that offset of a file that is long enough.
fn same(file: &dyn File, bytes: &[u8], offset: u64) -> io::Result<bool> {
    let mut at = 0;
    while at < bytes.len() {
        let place = offset + at as u64;
        let count = (STEP - (place % STEP as u64) as usize).min(bytes.len() - at);
        let mut found = [0; STEP];
        read_full_at(file, &mut found[..count], place)?;
        if found[..count] != bytes[at..at + count] {
            return Ok(false);
        }
        at += count;
    }
    Ok(true)
}
