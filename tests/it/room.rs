//! Room that is written, as `OsFs` does, where the disk model has a length: here every crash of the
//! store that reserves such room, piece by piece.

use highwater_models::{Case, PayloadSubject, Setup, Workload};
use highwater_sim::{Campaign, Model, Report, Verdict, Wrapped};
use highwater_vfs::{File, OpenMode, Vfs, write_all_at};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Pieces in which zeros are written: the length may be anything between.
const PIECE: usize = 200;

/// A disk that writes the zeros of the room.
#[derive(Debug)]
struct Written(Arc<dyn Vfs>);

#[derive(Debug)]
struct Zeroed(Arc<dyn File>);

impl Vfs for Written {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(Zeroed(self.0.open(path, mode)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.0.create_dir(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.0.list(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.sync_dir(dir)
    }
}

impl File for Zeroed {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(buf, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn reserve(&self, len: u64) -> io::Result<()> {
        for at in (self.size()?..len).step_by(PIECE) {
            let size = PIECE.min((len - at) as usize);
            write_all_at(self, &[0; PIECE][..size], at)?;
        }
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
}

fn explored(model: Model, written: bool) -> Report<Wrapped<PayloadSubject>> {
    let setup = Setup { reserve: 300, ..Setup::default() };
    let subject = PayloadSubject::new(Case { workload: Workload::standard(6), setup });
    let mut campaign = Campaign::default();
    campaign.settings.model = model;
    let wrap = move |disk| if written { Arc::new(Written(disk)) as Arc<dyn Vfs> } else { disk };
    campaign.run(&Wrapped::new(subject, wrap), &mut |_| ())
}

#[test]
fn room_that_is_written_is_no_worse_than_a_length() {
    for model in Model::ALL {
        let [length, written] = [false, true].map(|how| explored(model, how));
        println!("{model:?}: {} recoveries, {}", length.recoveries(), written.recoveries());
        assert_eq!((written.verdict, written.control_caught), (Verdict::Held, Some(true)));
        assert!(written.exhaustive(), "{model:?}");
        assert!(written.recoveries() > length.recoveries(), "{model:?}: more happens");
    }
}
