//! Payloads that are themselves bytes of a store: torn, they must prove nothing.

use super::*;

/// A store with a few records and then one payload, cut into what the disk held before that and
/// what the write of it added.
fn holding(payload: &[u8], options: &Options) -> (String, Vec<u8>, usize, State) {
    let fs = SimFs::new(Model::Posix);
    let store = open(&fs, options).unwrap();
    for id in 0..8 {
        store.store(id, &[1; 24]).unwrap();
    }
    let state = state(&store);
    let before = image(&fs).into_values().next().unwrap().len();
    store.store(99, payload).unwrap();
    drop(store);
    let (name, bytes) = image(&fs).into_iter().next().unwrap();
    (name, bytes, before, state)
}

/// A segment of another store: same name, same epoch, twenty records that state each other durable.
fn segment(options: &Options) -> Vec<u8> {
    let fs = SimFs::new(Model::Posix);
    let store = open(&fs, options).unwrap();
    for id in 0..20 {
        store.store(id, b"some payload").unwrap();
    }
    store.close().unwrap();
    image(&fs).into_values().next().unwrap()
}

/// P5: a write of a payload that is a segment is torn in every way that loses its first sectors and
/// keeps the others. What is inside was written somewhere else (G3): it proves nothing, and the
/// store opens with what was there before.
#[test]
fn g3_a_torn_payload_that_is_a_segment_proves_nothing() {
    let options = options(1 << 20);
    let inner = segment(&options);
    let mut torn = 0;
    // At each shift the inner frames stand at other offsets: all distances a payload can have.
    for shift in 0..64 {
        let payload = [vec![0; 8 * shift], inner.clone()].concat();
        let (name, bytes, before, expected) = holding(&payload, &options);
        let first = before / 512 * 512;
        for lost in (first + 512..bytes.len()).step_by(512) {
            let mut bytes = bytes.clone();
            bytes[before..lost].fill(0);
            let fs = disk(&[(name.clone(), bytes)].into());
            let store = open(&fs, &options).unwrap_or_else(|e| panic!("P5: {shift} {lost}: {e}"));
            assert_eq!(state(&store), expected, "shift {shift}, lost up to {lost}");
            torn += 1;
        }
    }
    assert!(torn > 150, "{torn}");
}
