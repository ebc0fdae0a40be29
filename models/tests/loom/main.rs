//! Every order of a few threads over the store's concurrency core, with the loom checker: its own
//! files, compiled again with loom's locks and atomics, and a toy log behind them.
//!
//! ```text
//! cargo test -p highwater-models --test loom                          # 7 s
//! HIGHWATER_BOUNDS=full cargo test -p highwater-models --test loom    # 2.5 min
//! ```
//!
//! The bound is how often a thread is stopped that could go on. In the full run (2 cores, shared;
//! each model prints its own row, with the outcomes that it saw, under `--nocapture`):
//!
//! | model | bound | executions | time |
//! |---|---|---|---|
//! | refresh, 1 caller twice, 1 reader | 6 | 4,929 | 494.94ms |
//! | rotation, 1 caller twice, 1 reader | 6 | 5,482 | 512.76ms |
//! | shutdown, 2 callers | 4 | 12,859 | 2.94s |
//! | growth, 2 callers, checkpoint when due | 5 | 24,284 | 4.07s |
//! | snapshot, 2 callers | 4 | 53,753 | 6.56s |
//! | positions, 2 records, asked twice | none | 407 | 49.79ms |
//! | positions, 2 records, 1 reader | none | 3,177 | 403.34ms |
//! | positions, 1 record, 1 reader | none | 149 | 8.59ms |
//! | positions, 1 record, 2 readers | 4 | 34,726 | 5.10s |
//! | a publisher that reads | none | 36 | 2.13ms |
//! | the same with shadows | none | 3,521 | 673.81ms |
//! | positions, 2 publishers, 1 reader | none | 637 | 116.09ms |
//! | rotation, 3 callers, 1 record a segment | 4 | 262,377 | 38.53s |
//! | queue, 3 callers | 4 | 147,347 | 33.15s |
//! | queue, 2 callers | none | 224 | 34.35ms |
//! | queue, 3 callers, 1 of them twice | 3 | 171,104 | 39.43s |
//! | queue, 2 callers, 1 reader | 4 | 121,983 | 20.62s |
//! | queue, 3 callers, sync 1 fails | 5 | 5,236 | 1.04s |
//! | queue, 2 callers, 2 commits each | none | 177,263 | 25.85s |
//! | queue, 3 callers, sync 2 fails | 4 | 65,054 | 10.64s |
//! | queue, 2 callers, 1 impatient | 4 | 135,813 | 29.17s |
//! | queue, 2 callers, 1 called too late | 4 | 143,907 | 32.54s |
//! | queue, 2 callers, 1 alone | 5 | 57,406 | 10.70s |
//!
//! Every model states which outcomes must be reached. What that taught:
//!
//! - A leader without company waits for nobody, so the first of two callers never shares its sync:
//!   one sync for two is not among the outcomes, in any order. Full batching is two syncs for
//!   three callers, and two for four commits where a leader takes company along.
//! - loom 0.7 keeps one last access of each object. A publisher that reads its own atomic hides
//!   orders (A3; shown by a test), and so does a reader that looks before two threads publish: the
//!   reader is the last thread made, so that the first order tried has it at the end.
//! - A failing `try_lock` is never tried; the model of checkpoints has an atomic in its place.

mod broken;
mod engine;
mod explore;
mod log;
mod positions;
mod queue;
mod toy;
