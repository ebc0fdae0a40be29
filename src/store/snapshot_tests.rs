//! Snapshots that say something else than was written: by decay, or because somebody made them.

use crate::payload_tests::{open, options};
use crate::test_disk::{Image, TestDisk};
use crate::{Durability, Journal, Lsn, Options, PayloadStore};
use highwater_vfs::Vfs;
use sha2::{Digest, Sha256};
use std::sync::Arc;

fn small() -> Options {
    Options { segment_size: 300, snapshots_kept: 1, ..options(Durability::Fsync) }
}

/// The image with every bit of its snapshot turned, one at a time; under a checksum that fits if
/// `sealed`.
fn turned(image: &Image, sealed: bool) -> impl Iterator<Item = Arc<dyn Vfs>> {
    let (name, bytes) = image.iter().find(|(name, _)| name.ends_with(".snap")).expect("a snapshot");
    (0..bytes.len() * 8).map(move |bit| {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        if sealed {
            let end = bytes.len() - 32;
            let (body, digest) = bytes.split_at_mut(end);
            digest.copy_from_slice(&Sha256::digest(body));
        }
        let mut image = image.clone();
        image.insert(name.clone(), bytes);
        TestDisk::of(&image).vfs()
    })
}

/// P11: whatever of it opens is lived in. How many do not open.
fn refused(image: &Image, lives: impl Fn(Arc<dyn Vfs>) -> Option<()>) -> usize {
    let lived: Vec<bool> = [false, true]
        .into_iter()
        .flat_map(|sealed| turned(image, sealed))
        .map(|vfs| lives(vfs).is_some())
        .collect();
    let opened = lived.iter().filter(|lived| **lived).count();
    assert!(opened > 0);
    lived.len() - opened
}

/// Twelve segments: two of them can be made one, or another.
#[test]
fn no_bit_of_a_payload_stores_snapshot_is_a_panic() {
    let disk = TestDisk::default();
    let store = open(&disk, &small());
    (1..=12).for_each(|id| store.store(id, &[7; 24]).map(drop).unwrap());
    store.create_snapshot().unwrap();
    (5..=8).for_each(|id| store.store(id, &[7; 24]).map(drop).unwrap());
    drop(store);
    let refused = refused(&disk.image(), |vfs| {
        let store = PayloadStore::open(vfs, small()).ok()?;
        let mut bytes = Vec::new();
        store.ids().into_iter().for_each(|id| drop(store.retrieve_into(id, &mut bytes)));
        assert!(bytes.capacity() < 1 << 20, "G1: {}", bytes.capacity());
        (4..=6).for_each(|id| drop(store.store(id, b"x")));
        drop((store.create_snapshot(), store.compact(90)));
        Some(())
    });
    assert!(refused > 100, "{refused}");
}

#[test]
fn nor_of_a_journals() {
    let disk = TestDisk::default();
    let journal = Journal::open(disk.vfs(), small()).unwrap();
    (0..6u8).for_each(|n| journal.append(&[n; 100]).map(drop).unwrap());
    journal.set_cursor("a", Lsn(2)).unwrap();
    journal.clean_up().unwrap();
    (0..2u8).for_each(|n| journal.append(&[n; 100]).map(drop).unwrap());
    drop(journal);
    let refused = refused(&disk.image(), |vfs| {
        let journal = Journal::open(vfs, small()).ok()?;
        (0..12).for_each(|lsn| drop(journal.read(Lsn(lsn))));
        drop((journal.append(b"x"), journal.set_cursor("a", Lsn(5)), journal.clean_up()));
        drop((journal.append(b"x"), journal.clean_up()));
        Some(())
    });
    assert!(refused > 1000, "{refused}");
}
