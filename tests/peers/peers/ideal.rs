//! A hand-made log: what an engine that frames and checks could come to on this machine. It is none
//! itself: no segments, no errors that are handled, no torn tail.

use crate::load::{Load, VALUE, id};
use crate::peer::{Done, Kind, Log, Pairs, Peer, Place, Replayed, Use};
use parking_lot::{Condvar, Mutex};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

/// Bytes written at a time into a file that grows.
pub(crate) const CHUNK: usize = 16 << 10;
/// Bytes read at a time.
pub(crate) const READ: usize = 1 << 20;
/// Length, checksum, number.
const HEADER: usize = 16;

/// The log.
pub(crate) fn peer() -> Peer {
    Peer {
        name: "ideal",
        version: "",
        kind: Kind::Limit,
        note: "hand-made: 16 bytes of header, crc32fast, 16 KiB a write, group commit into a \
               zero-filled file; W6 a HashMap of offsets, W5 reads 1 MiB at a time",
        log: Some(open),
        replay: Some(replay),
        pairs: Some(|dir| Ok(Box::new(Map::open(dir)?))),
        bulk_only: false,
    }
}

/// A file of so many zeros, which are on the disk.
pub(crate) fn zeroed(path: &Path, room: u64) -> Done<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
    let zeros = [0; CHUNK];
    for at in (0..room).step_by(CHUNK) {
        file.write_all_at(&zeros, at)?;
    }
    file.sync_all()?;
    Ok(file)
}

fn frame(out: &mut Vec<u8>, lsn: u64, record: &[u8]) {
    let mut header = [0; HEADER];
    header[..4].copy_from_slice(&(record.len() as u32).to_le_bytes());
    header[4..8].copy_from_slice(&crc32fast::hash(record).to_le_bytes());
    header[8..].copy_from_slice(&lsn.to_le_bytes());
    out.extend_from_slice(&header);
    out.extend_from_slice(record);
}

#[derive(Default)]
struct State {
    buffer: Vec<u8>,
    spare: Vec<u8>,
    lsn: u64,
    end: u64,
    /// The batch that the buffer will be, and the first that is not durable.
    batch: u64,
    durable: u64,
    leading: bool,
}

struct Ideal {
    file: File,
    state: Mutex<State>,
    /// One for the even batches, one for the odd: whoever is woken has something to do.
    done: [Condvar; 2],
}

fn open(dir: &Path, used: Use) -> Done<Box<dyn Log>> {
    let file = match used {
        Use::Append => File::create_new(dir.join("log"))?,
        Use::Commit { room } => zeroed(&dir.join("log"), room)?,
    };
    Ok(Box::new(Ideal { file, state: Mutex::default(), done: Default::default() }))
}

impl Ideal {
    /// The first who finds nobody leading writes and syncs for all. Before it takes the buffer it
    /// yields once: those just woken by the batch before are about to come.
    fn commit_frames(&self, frames: impl FnOnce(&mut State)) -> Done {
        let mut state = self.state.lock();
        frames(&mut state);
        let mine = state.batch;
        let turn = |batch: u64| &self.done[(batch % 2) as usize];
        while state.leading && state.durable <= mine {
            turn(mine).wait(&mut state);
        }
        if state.durable > mine {
            return Ok(());
        }
        state.leading = true;
        drop(state);
        std::thread::yield_now();

        let mut state = self.state.lock();
        let State { buffer, spare, .. } = &mut *state;
        std::mem::swap(buffer, spare);
        let mut bytes = std::mem::take(&mut state.spare);
        let at = state.end;
        state.end += bytes.len() as u64;
        state.batch += 1;
        drop(state);
        self.file.write_all_at(&bytes, at)?;
        self.file.sync_data()?;
        bytes.clear();

        let mut state = self.state.lock();
        state.spare = bytes;
        state.durable = mine + 1;
        state.leading = false;
        drop(state);
        turn(mine).notify_all();
        turn(mine + 1).notify_one();
        Ok(())
    }
}

impl State {
    fn add(&mut self, record: &[u8]) {
        self.lsn += 1;
        frame(&mut self.buffer, self.lsn, record);
    }
}

impl Log for Ideal {
    fn append(&self, count: u64, load: &Load) -> Done {
        append(&self.file, count, |nth, _, out| frame(out, nth + 1, load.record(nth)))?;
        Ok(self.file.sync_data()?)
    }

    fn commit(&self, _: Place, record: &[u8]) -> Done {
        self.commit_frames(|state| state.add(record))
    }

    fn commit_batch(&self, _: Place, records: &[&[u8]]) -> Done {
        self.commit_frames(|state| records.iter().for_each(|record| state.add(record)))
    }
}

/// Writes the first `count` frames that `add` makes, 16 KiB at a time. It is told where each goes.
fn append(file: &File, count: u64, mut add: impl FnMut(u64, u64, &mut Vec<u8>)) -> Done {
    let (mut buffer, mut at) = (Vec::with_capacity(CHUNK + 4096), 0);
    for nth in 0..count {
        let here = at + buffer.len() as u64;
        add(nth, here, &mut buffer);
        if buffer.len() >= CHUNK {
            file.write_all_at(&buffer, at)?;
            at += buffer.len() as u64;
            buffer.clear();
        }
    }
    Ok(file.write_all_at(&buffer, at)?)
}

/// Reads frames as long as they are good; `each` is told the offset and the record.
fn scan(file: &File, mut each: impl FnMut(u64, &[u8])) -> Done<u64> {
    let (mut buffer, mut at, mut records) = (vec![0; READ], 0, 0);
    loop {
        let mut filled = 0;
        while filled < READ {
            match file.read_at(&mut buffer[filled..], at + filled as u64)? {
                0 => break,
                count => filled += count,
            }
        }
        let mut here = 0;
        while let Some(header) = buffer[..filled].get(here..here + HEADER) {
            let word = |from: usize| u32::from_le_bytes(header[from..from + 4].try_into().unwrap());
            let (length, crc) = (word(0) as usize, word(4));
            let Some(record) = buffer[..filled].get(here + HEADER..here + HEADER + length) else {
                break;
            };
            if length == 0 || crc32fast::hash(record) != crc {
                return Ok(records);
            }
            each(at + here as u64, record);
            records += 1;
            here += HEADER + length;
        }
        if here == 0 {
            return Ok(records);
        }
        at += here as u64;
    }
}

fn replay(dir: &Path) -> Done<Replayed> {
    let file = File::open(dir.join("log"))?;
    let opened = Instant::now();
    Ok(Replayed { opened, records: scan(&file, |_, _| ())?, kept: Box::new(file) })
}

/// Ids and where their values are.
struct Map {
    file: File,
    offsets: HashMap<[u8; 16], u64>,
}

impl Map {
    fn open(dir: &Path) -> Done<Map> {
        let path = dir.join("pairs");
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut offsets = HashMap::new();
        scan(&file, |at, pair| {
            offsets.insert(pair[..16].try_into().expect("an id and a value"), at);
        })?;
        Ok(Map { file, offsets })
    }
}

impl Pairs for Map {
    fn set(&mut self, count: u64, load: &Load) -> Done {
        let offsets = &mut self.offsets;
        append(&self.file, count, |nth, at, out| {
            let mut pair = [0; 16 + VALUE];
            pair[..16].copy_from_slice(&id(nth));
            pair[16..].copy_from_slice(load.value(nth));
            offsets.insert(id(nth), at);
            frame(out, nth + 1, &pair);
        })
    }

    fn settle(&mut self) -> Done {
        Ok(self.file.sync_data()?)
    }

    fn get(&self, ids: &[u64]) -> Done<u64> {
        let (mut pair, mut bytes) = ([0; HEADER + 16 + VALUE], 0);
        for nth in ids {
            let at = self.offsets.get(&id(*nth)).ok_or("a pair is gone")?;
            self.file.read_exact_at(&mut pair, *at)?;
            let crc = u32::from_le_bytes(pair[4..8].try_into()?);
            if crc32fast::hash(&pair[HEADER..]) != crc {
                return Err("a pair is damaged".into());
            }
            bytes += VALUE as u64;
        }
        Ok(bytes)
    }
}
