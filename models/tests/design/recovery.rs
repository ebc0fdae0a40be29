//! What recovery finds, as `src/store/recovery` has it: the newest whole snapshot, the segments
//! behind it by the override rule, statements, and the table.

use super::disk::{Disk, Epoch, Index, Item, Lsn, Name};
use super::flaw::Flaw;
use std::collections::BTreeMap;

/// Records have these ids in turn.
pub(crate) const IDS: u8 = 2;

pub(crate) fn id(lsn: Lsn) -> u8 {
    lsn % IDS
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Found {
    /// The last record that can be read.
    pub(crate) last: Lsn,
    /// The last one that is proven durable.
    pub(crate) proven: Lsn,
    /// Recovery would refuse: something is missing that is proven to have been there.
    pub(crate) refused: bool,
    /// A payload that the snapshot knows is in no file.
    pub(crate) missing: bool,
    pub(crate) torn: bool,
    /// The lives of the records that were read behind the snapshot.
    pub(crate) records: BTreeMap<Lsn, u8>,
    pub(crate) index: Index,
    /// Newest first.
    pub(crate) snapshots: Vec<Name>,
    /// Segments that count, by epoch: the first and the last record.
    pub(crate) slots: BTreeMap<Epoch, (Lsn, Lsn)>,
    pub(crate) unfounded: Vec<Name>,
    pub(crate) overridden: Vec<Name>,
    pub(crate) epoch: Epoch,
}

struct Piece {
    name: Name,
    first: Lsn,
    epoch: Epoch,
    founded: bool,
    /// The snapshot covers it to its end.
    covered: bool,
    records: Vec<(Lsn, u8)>,
    torn: bool,
    statement: Lsn,
}

pub(crate) fn look(disk: &Disk, flaw: Option<Flaw>) -> Found {
    let mut found =
        Found { epoch: disk.names().map(Name::epoch).max().unwrap_or(0), ..Found::default() };
    let (mut snapshot, mut statement) = ((0, None), 0);
    let mut names: Vec<(Lsn, Name)> = disk
        .names()
        .filter_map(|name| match name {
            Name::Snapshot(lsn, _) => Some((lsn, name)),
            _ => None,
        })
        .collect();
    names.sort_by_key(|(lsn, name)| std::cmp::Reverse((*lsn, name.epoch())));
    for (at, (lsn, name)) in names.iter().enumerate() {
        if let Some(Some(Item::Body { index, resume, within })) = disk.items(*name).first() {
            snapshot = (*lsn, Some((*resume, *within)));
            found.index = index.clone();
            found.snapshots = names[at..].iter().map(|(_, name)| *name).collect();
            break;
        }
        statement = statement.max(*lsn);
    }
    let mut pieces: Vec<Piece> = disk
        .names()
        .filter_map(|name| {
            let Name::Segment(first, epoch) = name else { return None };
            Some(piece(disk, name, (first, epoch), snapshot, flaw))
        })
        .collect();
    pieces.sort_by_key(|piece| piece.epoch);
    statement = pieces.iter().filter(|p| !p.covered).map(|p| p.statement).fold(statement, Lsn::max);
    let mut limit = Lsn::MAX;
    let mut limits = BTreeMap::new();
    if flaw == Some(Flaw::EarlierCounts) {
        pieces.sort_by_key(|piece| (piece.first, std::cmp::Reverse(piece.epoch)));
    }
    for piece in pieces.iter().rev() {
        if piece.founded && piece.first < limit {
            limits.insert(piece.epoch, limit);
            limit = piece.first;
        } else if piece.founded {
            found.overridden.push(piece.name);
        } else {
            found.unfounded.push(piece.name);
            found.torn = true;
        }
    }
    let mut order: Vec<&Piece> = pieces.iter().filter(|p| limits.contains_key(&p.epoch)).collect();
    order.sort_by_key(|piece| piece.first);
    let first = order.first().map_or(0, |piece| piece.first);
    (found.last, found.torn) = (snapshot.0, false);
    for piece in order {
        let limit = limits[&piece.epoch];
        let mut last = (limit - 1).min(snapshot.0);
        if !piece.covered && !found.torn {
            found.torn = piece.first > found.last + 1;
            for &(lsn, life) in piece.records.iter().filter(|(lsn, _)| *lsn < limit) {
                let skips = flaw == Some(Flaw::ScanSkips) && lsn > found.last;
                if skips || lsn == found.last + 1 {
                    found.last = lsn;
                    found.records.insert(lsn, life);
                    found.index.insert(id(lsn), (lsn, piece.epoch));
                }
                last = lsn;
            }
            found.torn |= piece.torn && piece.records.iter().all(|(lsn, _)| *lsn + 1 < limit);
        }
        found.slots.insert(piece.epoch, (piece.first, last));
    }
    found.proven = statement.max(snapshot.0);
    found.refused = first > snapshot.0 + 1 || found.proven > found.last;
    found.missing = found.index.values().any(|(lsn, epoch)| life_of(disk, *lsn, *epoch).is_none());
    found
}

fn piece(
    disk: &Disk,
    name: Name,
    (first, epoch): (Lsn, Epoch),
    snapshot: (Lsn, Option<(Epoch, bool)>),
    flaw: Option<Flaw>,
) -> Piece {
    let items = disk.items(name);
    let (mut records, mut statement, mut next) = (Vec::new(), 0, first);
    let mut through = None;
    for item in items.iter().flatten() {
        if let Item::Header { durable, .. } | Item::Frame { durable, .. } = item {
            statement = statement.max(*durable);
        }
    }
    if let Some(Some(Item::Header { through: copies, .. })) = items.first() {
        through = Some(*copies);
        for item in &items[1..] {
            let Some(Item::Frame { lsn, life, .. }) = item else {
                if flaw == Some(Flaw::ScanSkips) {
                    continue;
                }
                break;
            };
            records.push((*lsn, *life));
            next = lsn + 1;
        }
    }
    let resumed = |within: bool| {
        let is = |(resume, in_it): (Epoch, bool)| match within {
            true => in_it && resume == epoch,
            false => epoch < resume && first <= snapshot.0,
        };
        snapshot.1.is_some_and(is)
    };
    let whole = through.is_some_and(|through| next > through);
    let founded = match flaw {
        Some(Flaw::HalfCopiedCounts) => through.is_some(),
        _ => whole || resumed(true) || resumed(false),
    };
    let torn = records.len() + 1 < items.len();
    Piece { name, first, epoch, founded, covered: resumed(false), records, torn, statement }
}

/// The life that made the record, if it stands there.
pub(crate) fn life_of(disk: &Disk, wanted: Lsn, epoch: Epoch) -> Option<u8> {
    let is = |name: &Name| matches!(name, Name::Segment(_, e) if *e == epoch);
    disk.items(disk.names().find(is)?).iter().flatten().find_map(|item| match item {
        Item::Frame { lsn, life, .. } if *lsn == wanted => Some(*life),
        _ => None,
    })
}
