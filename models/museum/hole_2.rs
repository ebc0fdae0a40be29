//! **HOLE-2**: the flag that says "damaged" is lowered when the next segment is opened.
//!
//! Typhon (2026). The reader notices that a segment ends early and raises a flag. But opening a
//! segment resets the reader, flag and all, so recovery leaves out the end of a damaged segment and
//! goes on with the next one: the records in between are gone, and nobody says so.
//!
//! The missing line: look at the flag before the next segment is opened.

use super::kit::{self, Disk, Log, Record, State, put};
use super::piece::Piece;
use highwater_sim::{Act, Decay, Easy, Failure, Kv, Rule};
use highwater_vfs::{File, OpenMode};
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "HOLE-2",
    title: "the flag of a damaged segment is reset when the next one is opened",
    source: "https://github.com/Log2n-io/Typhon/issues/587",
    rule: Rule::P6Silence,
    needs: Some(Failure::Decay(Decay::Flipped)),
    ops: 4,
    engine: || Easy::new::<Store<true>>(acts()).stops(),
    twin: || Easy::new::<Store<false>>(acts()).stops(),
    claims: super::kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    let put = |key: u64| Act::Put(key, vec![b'a' + key as u8; 20]);
    vec![put(1), put(2), put(3)]
}

/// Reads one segment after the other.
#[derive(Default)]
struct Reader {
    records: Vec<Record>,
    /// Whether the segment ends before its file does.
    torn: bool,
}

impl Reader {
    fn read<const BUG: bool>(&mut self, segment: &dyn File, number: u64) -> io::Result<()> {
        if !BUG && self.torn {
            return Err(kit::damaged("a segment ends early, and there is another one"));
        }
        let mut scan = kit::scan(segment, number)?;
        self.torn = scan.end < scan.size;
        self.records.append(&mut scan.records);
        Ok(())
    }
}

struct Store<const BUG: bool> {
    state: State,
    disk: Disk,
    log: Log,
    /// Of records in the log.
    count: u32,
}

impl<const BUG: bool> Kv for Store<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (first, mut state) = kit::load_snapshot(&disk)?;
        let (mut reader, mut number) = (Reader::default(), first);
        let segments = kit::numbers(&disk, "log")?;
        for segment in segments.iter().copied().filter(|segment| *segment >= first) {
            number = segment;
            let file = disk.open(format!("log.{segment}").as_ref(), OpenMode::Read)?;
            reader.read::<BUG>(&*file, segment)?;
            if Some(&segment) == segments.last() {
                kit::scan_strict(&*file, segment)?;
            }
        }
        kit::apply(&mut state, &reader.records);
        kit::save_snapshot(&disk, number + 1, &state)?;
        let log = Log::empty(&disk, number + 1)?;
        Ok(Store { state, disk, log, count: 0 })
    }

    /// A segment is full with two records, all durable before the next one has a name.
    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        if self.count == 2 {
            self.log = Log::empty(&self.disk, self.log.number + 1)?;
            self.count = 0;
        }
        self.log.write(&[put(key, value)])?;
        self.log.sync()?;
        self.count += 1;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
