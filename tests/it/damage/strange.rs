//! Files that are not what their names say, and names that are nobody's.

use super::*;

const LOG: &str = "0000000000000001-00000001.log";
const LATER: &str = "0000000000000003-00000002.log";

/// A store of two LSNs, closed.
fn made() -> (Image, State, Options) {
    let options = options(1 << 20);
    let fs = SimFs::new(Model::Posix);
    let store = open(&fs, &options).unwrap();
    store.store(1, b"one").unwrap();
    store.store(2, b"two").unwrap();
    let state = state(&store);
    store.close().unwrap();
    (image(&fs), state, options)
}

/// The shapes of a file that somebody else wrote, or nobody.
fn shapes() -> Vec<(&'static str, Vec<u8>)> {
    let garbage = (0..700u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    vec![
        ("empty", Vec::new()),
        ("one byte", vec![1]),
        ("zeros", vec![0; 700]),
        ("ones", vec![0xff; 700]),
        ("garbage", garbage),
    ]
}

/// In place of the next segment: its creation was cut, for all anybody can prove. P5.
#[test]
fn in_place_of_the_next_segment() {
    let (image, expected, options) = made();
    for (what, bytes) in shapes() {
        let mut strange = image.clone();
        strange.insert(LATER.into(), bytes);
        let fs = disk(&strange);
        let store = open(&fs, &options).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(state(&store), expected, "{what}");
        let torn =
            matches!(&store.report().tail, Tail::Torn { file, offset: 0, .. } if file == LATER);
        assert!(torn, "{what}: {}", store.report());
    }
}

/// In place of the only segment.
#[test]
fn in_place_of_the_whole_log() {
    let (_, _, options) = made();
    for (what, bytes) in shapes() {
        let fs = disk(&[(LOG.to_string(), bytes)].into());
        let store = open(&fs, &options).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(state(&store), State::new(), "{what}");
        store.store(5, b"five").unwrap();
        drop(store);
        assert_eq!(state(&open(&fs, &options).unwrap()).len(), 1, "{what}");
    }
}

/// Under a snapshot's final name: decay, since no crash leaves that.
#[test]
fn in_place_of_a_snapshot() {
    let (image, expected, options) = made();
    let name = |lsn: u64| format!("{lsn:016x}-00000001.snap");
    for (what, bytes) in shapes() {
        let mut strange = image.clone();
        strange.insert(name(2), bytes.clone());
        let store = open(&disk(&strange), &options).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(state(&store), expected, "{what}");
        assert_eq!(store.report().damaged_snapshots, [name(2)], "{what}");
        // One that says more than the log has: then something is missing.
        strange.insert(name(3), bytes);
        let fs = disk(&strange);
        let Err(Error::Corrupt(found)) = open(&fs, &options) else { panic!("{what}: opened") };
        assert_eq!(found.file, name(3), "{what}: {found}");
        assert_eq!(super::image(&fs), strange, "{what}: a refusal changes nothing");
    }
}

/// P12: a damaged snapshot goes when newer ones are there that hold.
#[test]
fn a_damaged_snapshot_goes() {
    let (image, _, options) = made();
    let name = "0000000000000002-00000001.snap";
    for (what, bytes) in shapes() {
        let mut strange = image.clone();
        strange.insert(name.into(), bytes);
        let fs = disk(&strange);
        for life in 0..3u8 {
            let store = open(&fs, &options).unwrap();
            assert_eq!(store.report().damaged_snapshots.len(), usize::from(life == 0), "{what}");
            store.store(1, &[life]).unwrap();
            store.create_snapshot().unwrap();
        }
        let names = super::image(&fs).into_keys();
        let snapshots: Vec<String> = names.filter(|name| name.ends_with(".snap")).collect();
        assert_eq!(snapshots.len(), options.snapshots_kept, "{what}: {snapshots:?}");
        assert!(!snapshots.contains(&name.to_string()), "{what}");
    }
}

/// A temporary file is nobody's promise: it goes.
#[test]
fn in_place_of_a_temporary_file() {
    let (image, expected, options) = made();
    let name = "0000000000000002-00000001.snap.tmp";
    for (what, bytes) in shapes() {
        let mut strange = image.clone();
        strange.insert(name.into(), bytes);
        let fs = disk(&strange);
        let store = open(&fs, &options).unwrap();
        assert_eq!(
            (state(&store), &store.report().removed[..]),
            (expected.clone(), &[name.to_string()][..]),
            "{what}"
        );
        assert_eq!(super::image(&fs), image, "{what}");
    }
}

/// Names that are not the store's are left alone, whatever they look like, and reported.
#[test]
fn foreign_files() {
    let (image, expected, options) = made();
    let mut strange = image.clone();
    let foreign = [
        "0000000000000001-00000001.LOG",
        "0000000000000001-00000001.log.bak",
        "LOCK",
        "data",
        "ünïcode and spaces",
    ];
    for (name, (_, bytes)) in foreign.iter().zip(shapes()) {
        strange.insert((*name).into(), bytes);
    }
    let fs = disk(&strange);
    let mut store = open(&fs, &options).unwrap();
    assert_eq!(state(&store), expected);
    assert_eq!(store.report().foreign, foreign);
    for round in 0..5 {
        store.store(1, &[round; 8]).unwrap();
        store.create_snapshot().unwrap();
        drop(store);
        store = open(&fs, &options).unwrap();
    }
    let after = super::image(&fs);
    assert!(foreign.iter().all(|name| after[*name] == strange[*name]));
}

/// Directories: foreign ones are left alone, one under a name of the store is an error that names
/// it, and nothing is changed.
#[test]
fn directories() {
    let (image, expected, options) = made();
    let fs = disk(&image);
    fs.create_dir("backup".as_ref()).unwrap();
    let store = open(&fs, &options).unwrap();
    assert_eq!(state(&store), expected);
    assert_eq!(store.report().foreign, ["backup"]);
    drop(store);
    for name in [LATER, "0000000000000002-00000001.snap", "0000000000000002-00000001.snap.tmp"] {
        let fs = disk(&image);
        fs.create_dir(name.as_ref()).unwrap();
        let before = fs.list("".as_ref()).unwrap();
        let error = open(&fs, &options).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
        assert_eq!(fs.list("".as_ref()).unwrap(), before);
    }
}

/// P11: lengths and counts that the file does not have. Each is under a valid checksum, so it is
/// the size of the file that refuses it.
#[test]
fn huge_lengths() {
    let (image, _, options) = made();
    let crc = |seed: u32, bytes: &[u8]| {
        bytes.iter().fold(!seed, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
            })
        }) ^ !0
    };
    let frame = 48..80;
    let stored = number(&image[LOG], 48..52) as u32;
    let seed = 1 ^ 48u32.wrapping_mul(0x9e37_79b1);
    assert_eq!(crc(seed, &image[LOG][52..80]), stored, "the checksum, computed by hand");
    for length in [0x40u32, 0x1000, 0x4000_0000, 0x7fff_fff8, u32::MAX - 7, u32::MAX] {
        let mut huge = image.clone();
        let bytes = huge.get_mut(LOG).unwrap();
        bytes[52..56].copy_from_slice(&length.to_le_bytes());
        let sum = crc(seed, &bytes[52..frame.end]);
        bytes[48..52].copy_from_slice(&sum.to_le_bytes());
        let opened = open(&disk(&huge), &options);
        if (0x1000..0x4000_0000).contains(&length) {
            // A frame that could be, cut by the end of the file: the search for statements hops
            // over it. Decay does not forge a checksum.
            let torn = Tail::Torn { file: LOG.into(), offset: 48, discarded: 144 };
            assert_eq!(opened.unwrap().report().tail, torn);
            continue;
        }
        let Err(Error::Corrupt(found)) = opened else { panic!("opened, length {length}") };
        assert_eq!((&found.file[..], found.offset), (LOG, 48), "{found}");
    }
    for (counts, name) in [(20..24, "segments"), (24..32, "ids")] {
        let snapshot = snapshot_with_counts(counts);
        let mut strange = image.clone();
        strange.insert("0000000000000002-00000001.snap".into(), snapshot);
        let store = open(&disk(&strange), &options).unwrap();
        assert_eq!(store.report().damaged_snapshots.len(), 1, "{name}");
    }
}

/// A snapshot's header with all ones in a count.
fn snapshot_with_counts(counts: Range<usize>) -> Vec<u8> {
    let mut bytes = vec![0; 96];
    bytes[..8].copy_from_slice(b"HWSNAP\0\x01");
    (bytes[8], bytes[16]) = (2, 1);
    bytes[counts].fill(0xff);
    bytes
}

/// Names that no store reaches, but a stray file may have: no panic, no wrap-around.
#[test]
fn absurd_numbers_in_names() {
    let (image, expected, options) = made();
    let mut strange = image.clone();
    strange.insert("7ffffffffffffffe-00000002.log".into(), Vec::new());
    let fs = disk(&strange);
    let store = open(&fs, &options).unwrap();
    assert_eq!(state(&store), expected);
    store.store(3, b"three").unwrap();
    drop(store);
    assert_eq!(open(&fs, &options).unwrap().len(), 3);
    for name in ["0000000000000001-ffffffff.log", "0000000000000001-ffffffff.snap.tmp"] {
        let mut strange = image.clone();
        strange.insert(name.into(), Vec::new());
        let fs = disk(&strange);
        let Err(Error::Corrupt(found)) = open(&fs, &options) else { panic!("opened") };
        assert_eq!((&found.file[..], &found.actual[..]), (name, "epoch 4294967295"));
        assert_eq!(super::image(&fs), strange);
    }
}
