//! The operations of a workload with everything made that they need, once for all lives.

use crate::{Bytes, Op};
use highwater_sim::Effect;
use std::collections::BTreeSet;
use std::sync::Arc;

/// An operation with its bytes made.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) op: Op,
    pub(super) items: Vec<(u64, Vec<u8>)>,
    /// What it changes; `None` for one that only makes durable.
    pub(super) effect: Option<Arc<Effect>>,
    /// Whether a delete has something to delete.
    pub(super) present: bool,
}

/// The first id of the work between two crashes.
pub(super) const BETWEEN: u64 = 1_000_000;
/// Lives for which that work is prepared; later ones repeat the last.
pub(super) const LIVES: u64 = 8;

/// The work of life number `nth`, from 0, between two crashes: one put, of an id of its own, so
/// that none hides another. The first life's is what it tries after a failure.
pub(super) fn between(nth: u64) -> Step {
    let bytes = format!("work of life {:>3}", nth + 1).into_bytes();
    let op = Op::Put { id: BETWEEN + nth, bytes: Bytes::Literal(bytes) };
    let mut step = step(0, &op, &mut BTreeSet::new());
    let changes = step.items.iter().map(|(id, bytes)| (*id, Some(bytes.clone()))).collect();
    step.effect = Some(Effect::new(format!("put {} of life {}", BETWEEN + nth, nth + 1), changes));
    step
}

pub(super) fn steps(ops: &[Op]) -> Vec<Step> {
    let mut ids = BTreeSet::new();
    ops.iter().enumerate().map(|(nth, op)| step(nth, op, &mut ids)).collect()
}

/// `ids` are those that are there before the operation, and after it those that are there then.
fn step(nth: usize, op: &Op, ids: &mut BTreeSet<u64>) -> Step {
    let items = op.items().into_iter().enumerate();
    let items: Vec<(u64, Vec<u8>)> =
        items.map(|(item, (id, bytes))| (id, bytes.fill(nth, item))).collect();
    ids.extend(items.iter().map(|(id, _)| *id));
    let mut changes: Vec<(u64, Option<Vec<u8>>)> =
        items.iter().map(|(id, bytes)| (*id, Some(bytes.clone()))).collect();
    let mut present = false;
    let name = match op {
        Op::Put { id, .. } => Some(format!("put {id}")),
        Op::Batch(items) => Some(format!("batch of {}", items.len())),
        Op::Deferred(items) => Some(format!("deferred batch of {}", items.len())),
        Op::Delete { id } => {
            present = ids.remove(id);
            changes.push((*id, None));
            Some(format!("delete {id}"))
        }
        Op::Flush | Op::Checkpoint | Op::Reopen => None,
    };
    let effect = name.map(|name| Effect::new(format!("operation {} ({name})", nth + 1), changes));
    Step { op: op.clone(), items, effect, present }
}
