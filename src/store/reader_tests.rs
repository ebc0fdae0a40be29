//! Opening read-only: what is shown, and that nothing is changed.

use crate::error::Error;
use crate::payload_tests::{get, open};
use crate::recovery_tests::{fsync, only, unclosed};
use crate::test_disk::TestDisk;
use crate::{PayloadStore, Tail};
use std::collections::BTreeMap;

/// A store opened read-only shows what an open would recover, and changes nothing, not even on a
/// disk that refuses everything.
#[test]
fn read_only_shows_what_an_open_would_recover() {
    let mut image = unclosed(4);
    let name = only(&image).0.clone();
    let mut met = BTreeMap::<(u64, bool), u32>::new();
    for cut in 0..120 {
        let bytes = image.get_mut(&name).unwrap();
        bytes.truncate(bytes.len() - usize::from(cut > 0));
        let disk = TestDisk::of(&image);
        let reader = PayloadStore::open_read_only(disk.vfs()).unwrap();
        reader.check_invariants();
        let shown: Vec<_> = reader.ids().into_iter().map(|id| (id, get(&reader, id))).collect();
        let report = reader.report().clone();
        assert!(report.copied == 0 && report.unproven <= 1, "cut {cut}: {report}");
        *met.entry((report.unproven, matches!(report.tail, Tail::Torn { .. }))).or_default() += 1;
        let positions = reader.positions();
        assert_eq!(positions.appended().0 - positions.durable().0, report.unproven);
        for refused in [
            reader.store(1, b"x").map(drop),
            reader.store_batch(&[]).map(drop),
            reader.store_batch_deferred(&[(1, b"x")]).map(drop),
            reader.delete(77).map(drop),
            reader.flush().map(drop),
            reader.create_snapshot().map(drop),
        ] {
            assert!(matches!(refused, Err(Error::ReadOnly)), "{refused:?}");
        }
        reader.close().unwrap();
        assert_eq!((disk.kinds(), disk.image() == image), (String::new(), true), "cut {cut}");
        let store = open(&disk, &fsync());
        let opened: Vec<_> = store.ids().into_iter().map(|id| (id, get(&store, id))).collect();
        assert_eq!(opened, shown, "cut {cut}");
        assert_eq!((store.report().copied, &store.report().tail), (report.unproven, &report.tail));
        // The copies are proven by nothing either, until something is written behind them.
        assert_eq!(
            PayloadStore::open_read_only(disk.vfs()).unwrap().report().unproven,
            report.unproven
        );
        store.close().unwrap();
        assert_eq!(PayloadStore::open_read_only(disk.vfs()).unwrap().report().unproven, 0);
    }
    assert_eq!(met.into_keys().collect::<Vec<_>>(), [(0, true), (1, false), (1, true)]);
}

/// What a store refuses, it refuses to a reader too.
#[test]
fn read_only_refuses_damage() {
    let mut image = unclosed(4);
    image.values_mut().next().unwrap()[90] ^= 1;
    let refused = |result: Result<PayloadStore, Error>| match result {
        Err(Error::Corrupt(found)) => found,
        other => panic!("{other:?}"),
    };
    let disk = TestDisk::of(&image);
    let (a, b) =
        (PayloadStore::open_read_only(disk.vfs()), PayloadStore::open(disk.vfs(), fsync()));
    assert_eq!(refused(a), refused(b));
}
