//! The log without a snapshot: everything is verified when the store is opened.

use super::*;

/// A log of three segments or so, of every kind of record, and the state after each LSN.
fn made(closed: bool) -> (Image, Vec<State>, Options) {
    let options = options(320);
    let fs = SimFs::new(Model::Posix);
    let store = open(&fs, &options).unwrap();
    let mut states = vec![State::new()];
    let note = |store: &PayloadStore, states: &mut Vec<State>| states.push(state(store));
    store.store(1, b"one").unwrap();
    note(&store, &mut states);
    store.store(2, b"two, of thirty bytes or nearly").unwrap();
    note(&store, &mut states);
    store.store(1, b"another one").unwrap();
    note(&store, &mut states);
    store.store_batch(&[(3, b"three"), (4, b""), (5, b"a whole number of bytes.")]).unwrap();
    note(&store, &mut states);
    store.delete(2).unwrap().unwrap();
    note(&store, &mut states);
    store.store_batch_deferred(&[(6, b"six"), (1, b"uno")]).unwrap();
    note(&store, &mut states);
    store.store(7, b"seven").unwrap();
    note(&store, &mut states);
    store.store(8, b"eight bytes and some more of them, to fill a segment").unwrap();
    note(&store, &mut states);
    store.store(9, b"nine").unwrap();
    note(&store, &mut states);
    if closed {
        store.close().unwrap();
    }
    let image = image(&fs);
    assert!(image.len() >= 3, "{:?}", image.keys());
    (image, states, options)
}

fn every_flip(closed: bool) -> Classes {
    let (image, states, options) = made(closed);
    let parts = parts(&image);
    let mut classes = Classes::default();
    for file in image.keys() {
        for (byte, flipped) in flips(&image, file) {
            let (what, expected) = expected_of_flip(&parts, 0, file, byte);
            let found = outcome::<PayloadStore>(&flipped, &states, &options);
            assert_eq!(found, expected, "{file} byte {byte} ({what:?})");
            classes.count(format!("{what:?}: {}", found.name()));
        }
    }
    classes
}

/// P6, P11: of a closed log every bit but those of the mark itself is proven durable.
#[test]
fn every_bit_of_a_closed_log() {
    let classes = every_flip(true);
    println!("a bit flipped in a closed log: {classes:?}");
    let all = ["FrameHeader: corrupt", "Mark: torn", "Record: corrupt", "SegmentHeader: corrupt"];
    assert_eq!(classes.names(), all);
    assert_eq!(classes.0["Mark: torn"], 32 * 8, "the mark, and nothing else");
}

/// P5, P6: of a log that was not closed, the very last record is not proven.
#[test]
fn every_bit_of_a_log_that_was_not_closed() {
    let classes = every_flip(false);
    println!("a bit flipped in a log that was not closed: {classes:?}");
    let all = [
        "FrameHeader: corrupt",
        "FrameHeader: torn",
        "Record: corrupt",
        "Record: torn",
        "SegmentHeader: corrupt",
    ];
    assert_eq!(classes.names(), all);
    assert_eq!(classes.0["FrameHeader: torn"], 32 * 8, "the last header");
    assert_eq!(classes.0["Record: torn"], 24 * 8, "the last record: nine");
}

/// P5, P6: cut anywhere, a log is a prefix of itself, or refused where a later file proves more.
#[test]
fn every_cut_of_a_log() {
    for closed in [true, false] {
        let (image, states, options) = made(closed);
        let parts = parts(&image);
        let last = image.keys().next_back().unwrap().clone();
        let mut classes = Classes::default();
        for file in image.keys() {
            for (size, cut) in cuts(&image, file) {
                let found = outcome::<PayloadStore>(&cut, &states, &options);
                assert_eq!(found, expected_of_cut(&parts, 0, file, size), "{file} cut to {size}");
                let which = if *file == last { "last" } else { "earlier" };
                classes.count(format!("{which}: {}", found.name()));
            }
        }
        println!("a log cut ({}): {classes:?}", if closed { "closed" } else { "not closed" });
        assert_eq!(classes.names(), ["earlier: corrupt", "last: clean", "last: torn"]);
    }
}

/// A file that is gone altogether: the first is missed by the log itself, one in the middle by the
/// statement of the next, and the last by nobody. That is a limit (`docs/format.md`).
#[test]
fn a_segment_that_is_gone() {
    let (image, states, options) = made(true);
    let firsts: Vec<u64> =
        image.keys().map(|name| u64::from_str_radix(&name[..16], 16)).map(Result::unwrap).collect();
    let count = image.len();
    for (nth, name) in image.keys().enumerate() {
        let mut without = image.clone();
        without.remove(name);
        let found = outcome::<PayloadStore>(&without, &states, &options);
        if nth + 1 == count {
            assert_eq!(found, Outcome::Clean { last: firsts[nth] - 1 });
        } else {
            assert_eq!(found.name(), "corrupt", "{name}: {found:?}");
        }
    }
    let mut without = image.clone();
    without.remove(image.keys().next().unwrap());
    let error = open(&disk(&without), &options).unwrap_err().to_string();
    assert!(error.contains(&format!("expected LSN 1 to {}", firsts[1] - 1)), "{error}");
}

/// What was never acknowledged durable is never reported as damage (P5): a torn tail of deferred
/// records, cut and flipped everywhere, is a shorter tail.
#[test]
fn every_bit_of_an_unproven_tail() {
    let options = options(1 << 20);
    let fs = SimFs::new(Model::Posix);
    let store = open(&fs, &options).unwrap();
    store.store(1, b"durable").unwrap();
    let proven = image(&fs).values().next().unwrap().len();
    let mut states = vec![State::new(), state(&store)];
    for id in 2..=5 {
        store.store_batch_deferred(&[(id, b"deferred")]).unwrap();
        states.push(state(&store));
    }
    store.flush().unwrap();
    let image = image(&fs);
    let file = image.keys().next().unwrap();
    let mut torn = 0;
    for (byte, damaged) in flips(&image, file).chain(cuts(&image, file)) {
        if byte < proven {
            continue;
        }
        let found = outcome::<PayloadStore>(&damaged, &states, &options);
        let lsn = 2 + (byte - proven) as u64 / 56;
        assert!(!matches!(found, Outcome::Corrupt { .. }), "byte {byte}: {found:?}");
        torn += u64::from(matches!(found, Outcome::Torn { last, .. } if last == lsn - 1));
    }
    // Four frames of 56 bytes; a cut between two of them is no tear.
    assert_eq!(torn, 4 * 56 * 8 + 4 * 56 - 4);
}
