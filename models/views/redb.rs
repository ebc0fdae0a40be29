//! redb, as the Raft store's metadata uses it, and as its documentation has it used: what the
//! Raft store builds upon is explored by itself.
//!
//! Both keep a value by a number. [`InPlace`] opens one file again and again and commits in one
//! phase, redb's default; [`Copied`] is [`Metadata`], which reads the file of the life before and
//! writes its own.

use highwater_raft::{HardState, Metadata};
use highwater_sim::{Act, Easy, Kv};
use highwater_vfs::{File, OpenMode, Vfs, read_exact_at, write_all_at};
use redb::{Builder, Database, ReadableDatabase, StorageBackend, TableDefinition, TableError};
use std::io;
use std::path::Path;
use std::sync::Arc;

const TABLE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("values");

fn failed<E: std::fmt::Display>(error: E) -> io::Error {
    io::Error::other(error.to_string())
}

/// A file as redb asks for one, and nothing more.
#[derive(Debug)]
struct Plain(Arc<dyn File>);

impl StorageBackend for Plain {
    fn len(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        read_exact_at(&*self.0, out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        write_all_at(&*self.0, data, offset)
    }
}

/// A redb database in a file of its own; if `WHOLE`, the file gets its name once redb has made it,
/// else redb makes it under its name.
#[derive(Debug)]
pub struct InPlace<const WHOLE: bool>(Database);

const NAME: &str = "values.redb";

/// Opens what is there, or makes it under the name of `new`.
fn open(disk: &dyn Vfs, name: &str, new: &str) -> io::Result<Database> {
    let file = match disk.open(Path::new(name), OpenMode::Write) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            disk.open(Path::new(new), OpenMode::CreateNew)
        }
        opened => opened,
    }?;
    let mut builder = Builder::new();
    builder.set_cache_size(1 << 20).create_with_backend(Plain(file)).map_err(failed)
}

impl<const WHOLE: bool> InPlace<WHOLE> {
    fn change(&self, changes: &[(u64, Option<&[u8]>)]) -> Result<(), redb::Error> {
        let transaction = self.0.begin_write()?;
        let mut table = transaction.open_table(TABLE)?;
        for (key, value) in changes {
            match value {
                Some(value) => drop(table.insert(key, value)?),
                None => drop(table.remove(key)?),
            }
        }
        drop(table);
        Ok(transaction.commit()?)
    }

    fn read(&self, key: u64) -> Result<Option<Vec<u8>>, redb::Error> {
        let transaction = self.0.begin_read()?;
        match transaction.open_table(TABLE) {
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            table => Ok(table?.get(key)?.map(|value| value.value().to_vec())),
        }
    }
}

impl<const WHOLE: bool> Kv for InPlace<WHOLE> {
    fn open(disk: Arc<dyn Vfs>) -> io::Result<InPlace<WHOLE>> {
        let (root, new) = (Path::new(""), format!("{NAME}.new"));
        if WHOLE && !disk.list(root)?.contains(&NAME.to_string()) {
            match disk.remove(Path::new(&new)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => drop(open(&*disk, &new, &new)?),
            }
            disk.rename(Path::new(&new), Path::new(NAME))?;
        }
        let database = open(&*disk, NAME, NAME)?;
        disk.sync_dir(root)?;
        Ok(InPlace(database))
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.change(&[(key, Some(value))]).map_err(failed)
    }

    fn delete(&mut self, key: u64) -> io::Result<()> {
        self.change(&[(key, None)]).map_err(failed)
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        self.read(key).map_err(failed)
    }
}

/// The Raft store's metadata: one value, the vote; its key stands in its term.
#[derive(Debug)]
pub struct Copied(Metadata);

impl Kv for Copied {
    fn open(disk: Arc<dyn Vfs>) -> io::Result<Copied> {
        Ok(Copied(Metadata::open(&disk).map_err(failed)?))
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let hard = HardState { current_term: key, voted_for: Some(value.to_vec()) };
        let known = highwater_raft::Known { hard, ..self.0.known().clone() };
        self.0.save(known).map_err(failed)
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        let hard = &self.0.known().hard;
        Ok(hard.voted_for.clone().filter(|_| hard.current_term == key))
    }
}

/// One value, changed twice, and once more in later lives.
pub fn votes<K: Kv + 'static>() -> Easy {
    let put = |value: &str| Act::Put(1, value.as_bytes().to_vec());
    Easy::new::<K>(vec![put("node 1"), put("node 2")]).between(vec![put("between")])
}
