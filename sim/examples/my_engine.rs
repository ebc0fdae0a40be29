//! Test my engine: what it takes to put an existing engine on the disk that forgets.
//!
//! Run it: `cargo run --example my_engine -p highwater-sim`

use highwater_sim::{Campaign, Easy, Kv, Verdict};
use highwater_vfs::{OpenMode, Vfs, write_all_at};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

// ---- The engine: a map that is kept in one small file, replaced whole at every change. Its author
// knows that a rename is atomic; whether the author knows that a rename is not durable is the
// parameter.

struct Notes<const SYNCS_DIR: bool> {
    map: BTreeMap<u64, Vec<u8>>,
    disk: Arc<dyn Vfs>,
    /// A change has failed: nobody knows what the disk holds, and this handle takes no more.
    failed: bool,
}

impl<const SYNCS_DIR: bool> Notes<SYNCS_DIR> {
    fn load(disk: Arc<dyn Vfs>) -> io::Result<Self> {
        let mut map = BTreeMap::new();
        match disk.open(Path::new("notes"), OpenMode::Read) {
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(e),
            Ok(file) => {
                let mut bytes = vec![0; file.size()? as usize];
                highwater_vfs::read_exact_at(&*file, &mut bytes, 0)?;
                for line in String::from_utf8_lossy(&bytes).lines() {
                    let (key, value) = line.split_once(' ').ok_or(ErrorKind::InvalidData)?;
                    let key = key.parse().map_err(|_| ErrorKind::InvalidData)?;
                    map.insert(key, value.into());
                }
            }
        }
        let notes = Notes { map, disk, failed: false };
        // What was read may be in the cache only: it is written before it is shown.
        notes.save(&notes.map)?;
        Ok(notes)
    }

    fn set(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other("an earlier change failed; open again"));
        }
        // Readers see it once it is durable: what they have seen is a promise, too.
        let mut map = self.map.clone();
        map.insert(key, value.to_vec());
        self.save(&map).inspect_err(|_| self.failed = true)?;
        self.map = map;
        Ok(())
    }

    fn save(&self, map: &BTreeMap<u64, Vec<u8>>) -> io::Result<()> {
        let line = |(key, value): (&u64, &Vec<u8>)| {
            format!("{key} {}\n", String::from_utf8_lossy(value)).into_bytes()
        };
        let bytes: Vec<u8> = map.iter().flat_map(line).collect();
        match self.disk.remove(Path::new("notes.tmp")) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let file = self.disk.open(Path::new("notes.tmp"), OpenMode::CreateNew)?;
        write_all_at(&*file, &bytes, 0)?;
        file.sync()?;
        self.disk.rename(Path::new("notes.tmp"), Path::new("notes"))?;
        if SYNCS_DIR { self.disk.sync_dir(Path::new("")) } else { Ok(()) }
    }
}

// ---- The test: fifteen lines.

impl<const SYNCS_DIR: bool> Kv for Notes<SYNCS_DIR> {
    fn open(disk: Arc<dyn Vfs>) -> io::Result<Self> {
        Notes::load(disk)
    }
    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.set(key, value)
    }
    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.map.get(&key).cloned())
    }
}

fn main() {
    let report = Campaign::default().run(&Easy::puts::<Notes<false>>(3), &mut |_| ());
    println!("without sync_dir: {}", report.verdict);
    println!("{}", report.finding.expect("a counterexample"));

    let report = Campaign::default().run(&Easy::puts::<Notes<true>>(3), &mut |_| ());
    print!("with sync_dir: {} in {} recoveries, ", report.verdict, report.recoveries());
    let (covered, all) = (report.tally.states_covered, report.tally.states_total);
    println!("{} of {} crash states", covered.expect("a count"), all.expect("a count"));
    assert_eq!(report.verdict, Verdict::Held);
}
