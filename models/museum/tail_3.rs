//! **TAIL-3**: the writer goes on at offset 0 of a log that ends where its file ends.
//!
//! etcd (2016). The reader reports where the records end when it meets the padding behind them; if
//! they end where the file ends it reports 0. The next life writes its first record there, over the
//! oldest one.
//!
//! The missing line: the end of the last record counts, whatever comes behind it.

use super::kit::{self, Disk, State, put};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv};
use highwater_vfs::{File, write_all_at};
use std::io;
use std::path::Path;
use std::sync::Arc;

pub(crate) const PIECE: Piece = Piece {
    bug: "TAIL-3",
    title: "the writer resumes at offset 0 when the file has no padding",
    source: "https://github.com/etcd-io/etcd/pull/4930",
    ops: 3,
    engine: || Easy::new::<Resumed<true>>(acts()).stops(),
    twin: || Easy::new::<Resumed<false>>(acts()).stops(),
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Put(2, vec![b'b'; 30])]
}

struct Resumed<const BUG: bool> {
    state: State,
    file: Arc<dyn File>,
    end: u64,
}

impl<const BUG: bool> Kv for Resumed<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let file = kit::open_or_create(&disk, "wal")?;
        let scan = kit::scan(&*file, 0)?;
        let padded = scan.end < scan.size;
        kit::cut_tail(&*file, scan.end)?;
        disk.sync_dir(Path::new(""))?;
        let mut state = State::new();
        kit::apply(&mut state, &scan.records);
        let end = if BUG && !padded { 0 } else { scan.end };
        Ok(Resumed { state, file, end })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let frame = kit::frame(0, &put(key, value));
        write_all_at(&*self.file, &frame, self.end)?;
        self.file.sync()?;
        self.end += frame.len() as u64;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
