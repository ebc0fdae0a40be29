//! Speed as ratios, each measured against a hand-made loop in the same run.
//!
//! The two sides of a ratio take turns, round by round, and the medians are compared: on a shared
//! machine the drift between two benchmarks that run one after the other is larger than most
//! effects. Run with `cargo bench -p highwater-tests`.

use highwater::{Durability, KvStore, Options, PayloadStore, SystemClock, Value};
use highwater_models::{Case, PayloadSubject, Setup, Workload};
use highwater_sim::{Explorer, Settings};
use highwater_vfs::{File, OpenMode, OsFs, Vfs, write_all_at};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

const ROUNDS: usize = 7;
const RECORDS: u64 = 1_000_000;
const SIZE: usize = 256;
const FRAME: usize = 32 + 16 + SIZE;

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Runs both sides in turn; each returns how many items it did.
fn compare(what: &str, bar: f64, ours: &mut dyn FnMut() -> u64, raw: &mut dyn FnMut() -> u64) {
    let rate = |side: &mut dyn FnMut() -> u64| {
        let start = Instant::now();
        let items = side();
        items as f64 / start.elapsed().as_secs_f64()
    };
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        a.push(rate(ours));
        b.push(rate(raw));
    }
    let (a, b) = (median(a), median(b));
    println!("{what:<44} {a:>12.0}/s {b:>12.0}/s  ratio {:>7.4} (bar {bar})", a / b);
}

fn disk(dir: &tempfile::TempDir) -> Arc<dyn Vfs> {
    Arc::new(OsFs::open(dir.path()).expect("a temporary directory"))
}

/// One segment: to rotate is to sync, which the raw loops do not.
fn options() -> Options {
    let (durability, segment_size) = (Durability::None, highwater::SEGMENT_SIZE_MAX);
    Options { durability, segment_size, auto_checkpoint: false, ..Options::default() }
}

/// Appends to `ids` ids in turn: the index of few stays in the processor's cache.
fn append_ours(ids: u64) -> u64 {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = PayloadStore::open(disk(&dir), options()).expect("a new store");
    let payload = [7; SIZE];
    for id in 0..RECORDS {
        store.store(id % ids, black_box(&payload)).expect("a store");
    }
    RECORDS
}

fn append_raw() -> u64 {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = disk(&dir).open("log".as_ref(), OpenMode::CreateNew).expect("a file");
    write_raw(&*file);
    RECORDS
}

/// A loop that frames, checksums and writes 16 KiB at a time.
fn write_raw(file: &dyn File) {
    let payload = [7; SIZE];
    let mut buffer = Vec::with_capacity(32 << 10);
    let mut offset = 0;
    for lsn in 1..=RECORDS {
        let crc = crc32fast::hash(black_box(&payload));
        buffer.extend_from_slice(&lsn.to_le_bytes());
        buffer.extend_from_slice(&(SIZE as u64).to_le_bytes());
        buffer.extend_from_slice(&[0; FRAME - SIZE - 20]);
        buffer.extend_from_slice(&crc.to_le_bytes());
        buffer.extend_from_slice(&payload);
        if buffer.len() >= 16 << 10 {
            write_all_at(file, &buffer, offset).expect("a write");
            offset += buffer.len() as u64;
            buffer.clear();
        }
    }
    write_all_at(file, &buffer, offset).expect("a write");
}

/// A loop that only reads 64 KiB at a time and checks each record.
fn read_raw(file: &dyn File) -> u64 {
    let mut buffer = vec![0; FRAME * 215];
    let (mut offset, mut good) = (0, 0);
    loop {
        let read = highwater_vfs::read_full_at(file, &mut buffer, offset).expect("a read");
        for record in buffer[..read].chunks_exact(FRAME) {
            let stored = &record[FRAME - SIZE - 4..FRAME - SIZE];
            good += u64::from(crc32fast::hash(&record[FRAME - SIZE..]).to_le_bytes() == *stored);
        }
        if read < buffer.len() {
            assert_eq!(good, RECORDS, "the raw loop checks what it reads");
            return good;
        }
        offset += read as u64;
    }
}

fn reopen() {
    let (ours, raw) =
        (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("one"));
    let (ours_disk, raw_disk) = (disk(&ours), disk(&raw));
    let store = PayloadStore::open(Arc::clone(&ours_disk), options()).expect("a new store");
    for id in 0..RECORDS {
        store.store(id, &[7; SIZE]).expect("a store");
    }
    store.close().expect("a clean end");
    write_raw(&*raw_disk.open("log".as_ref(), OpenMode::CreateNew).expect("a file"));
    compare(
        "reopen 1 M records of 256 B / read and check",
        0.5,
        &mut || {
            let store = PayloadStore::open(Arc::clone(&ours_disk), options()).expect("it opens");
            store.len() as u64
        },
        &mut || read_raw(&*raw_disk.open("log".as_ref(), OpenMode::Read).expect("a file")),
    );
}

/// Materialises a 1 KiB image and checks it, over and over: the ceiling of any explorer.
fn images(count: u64) -> u64 {
    let mut image = [0u8; 1024];
    let sector = [0x5a; 512];
    for n in 0..count {
        image[..512].copy_from_slice(black_box(&sector));
        image[512..].fill(n as u8);
        black_box(crc32fast::hash(&image));
    }
    count
}

fn explore(threads: usize) {
    let workload = Workload::standard(8);
    let subject = PayloadSubject::new(Case { workload, setup: Setup::default() });
    let settings = Settings { threads, crashes: 3, ..Settings::default() };
    compare(
        &format!("recoveries judged, {threads} thread(s) / 1 KiB images"),
        0.0,
        &mut || {
            let tally = Explorer::new(settings.clone()).run(&subject);
            assert!(tally.found.is_none() && tally.exhaustive, "the store holds");
            tally.recoveries
        },
        &mut || images(2_000_000),
    );
}

fn kv(dir: &tempfile::TempDir) -> KvStore {
    KvStore::open(disk(dir), options(), Arc::new(SystemClock)).expect("it opens")
}

/// A million operations on a million keys, and on a thousand.
fn recover_kv(keys: u64) {
    let (ours, raw) =
        (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("one"));
    let store = kv(&ours);
    for n in 0..RECORDS {
        let key = format!("key {}", n % keys);
        store.set(key, Value::Bytes(vec![7; 32]), None).expect("a set");
    }
    store.close().expect("a clean end");
    drop(store);
    let raw_disk = disk(&raw);
    write_raw(&*raw_disk.open("log".as_ref(), OpenMode::CreateNew).expect("a file"));
    let mut recovery = Duration::MAX;
    compare(
        &format!("recover 1 M operations, {keys} keys / read and check"),
        0.0,
        &mut || {
            let store = kv(&ours);
            assert_eq!(store.len() as u64, keys);
            recovery = recovery.min(store.stats().duration);
            RECORDS
        },
        &mut || read_raw(&*raw_disk.open("log".as_ref(), OpenMode::Read).expect("a file")),
    );
    println!("  the fastest recovery took {recovery:?}, without the end of the store");
}

/// A snapshot of a million keys while somebody writes, beside writing as many bytes.
fn snapshot_kv() {
    let (ours, raw) =
        (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("one"));
    let store = kv(&ours);
    for n in 0..RECORDS {
        store.set(format!("key {n}"), Value::Bytes(vec![7; 32]), None).expect("a set");
    }
    let raw_disk = disk(&raw);
    let mut nth = 0;
    let mut written = 0;
    compare(
        "snapshot 1 M keys beside a writer / write",
        0.0,
        &mut || {
            let done = std::sync::atomic::AtomicBool::new(false);
            std::thread::scope(|scope| {
                let writer = scope.spawn(|| {
                    let mut count = 0;
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        let key = format!("key {}", count * 7919 % RECORDS);
                        store.set(key, Value::Bytes(vec![8; 32]), None).expect("a set");
                        count += 1;
                    }
                    count
                });
                store.create_snapshot().expect("a snapshot");
                done.store(true, std::sync::atomic::Ordering::Relaxed);
                written += writer.join().expect("it ends");
            });
            RECORDS
        },
        &mut || {
            nth += 1;
            let name = format!("log {nth}");
            let file = raw_disk.open(name.as_ref(), OpenMode::CreateNew).expect("a file");
            write_raw(&*file);
            file.sync().expect("a sync");
            RECORDS
        },
    );
    println!("  the writer set {written} keys in {ROUNDS} snapshots");
}

fn main() {
    // By name: all, or those that contain an argument.
    let args: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let asked = |name: &str| args.is_empty() || args.iter().any(|arg| name.contains(&arg[..]));
    println!("{:<44} {:>14} {:>14}", "", "ours", "raw loop");
    if asked("explore") {
        explore(1);
        explore(2);
    }
    for (what, ids) in [("1,024 ids", 1024), ("1 M ids", RECORDS)] {
        let what = format!("append 256 B, {what} / frame and write");
        if asked(&what) {
            compare(&what, 0.7, &mut || append_ours(ids), &mut append_raw);
        }
    }
    if asked("reopen") {
        reopen();
    }
    if asked("recover") {
        recover_kv(RECORDS);
        recover_kv(1000);
    }
    if asked("snapshot") {
        snapshot_kv();
    }
}
