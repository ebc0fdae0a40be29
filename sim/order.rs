//! Events and the order in which they may persist.
//!
//! While a life runs, its changes are [`Pending`]: events in issue order, and edges "must persist
//! before". A power cut freezes what is pending into a [`Frozen`] order of its own. From then on a
//! status says of each event whether it is kept, dropped or not decided yet; deciding one decides
//! what follows from it.
//!
//! Invariants
//! - O1: every edge runs from an earlier event to a later one, and edges stand in the order of
//!   their later end; so one pass over them closes a set, downwards from the back, upwards from
//!   the front.
//! - O2: at any moment the kept events are closed downwards and the dropped ones upwards.
//! - O3: the number of states of an order is the sum over the ways to decide one of its cells of
//!   the numbers that remain. (Checked in every exploration: covered equals total.)

use crate::count::{Count, Web, plus, times};
use crate::hash::Fingerprint;
use std::sync::Arc;

pub(crate) type Ino = u32;
pub(crate) type Id = u32;
pub(crate) const NONE: u32 = u32::MAX;

/// A place on the disk that holds one value at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum CellRef {
    Sector(Ino, u32),
    Length(Ino),
    /// A directory and the number of the name (interned by the disk).
    Name(Ino, u32),
}

impl CellRef {
    /// The file or directory that it is a part of.
    pub(crate) fn ino(self) -> Ino {
        match self {
            CellRef::Sector(ino, _) | CellRef::Length(ino) | CellRef::Name(ino, _) => ino,
        }
    }
}

/// A new value for a cell; a rename for two.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) id: Id,
    pub(crate) cells: [Option<CellRef>; 2],
    /// Which of its cells a successful sync has covered: a rename across directories needs two.
    pub(crate) covered: [bool; 2],
    /// The fill that shows if this event, the first of its cell, is dropped; or [`NONE`].
    pub(crate) fill: Id,
    /// For a fill: how many alternatives it has. 0 for an ordinary event.
    pub(crate) alternatives: u8,
    /// The process that made it, from 0, and the call, numbered within the process.
    pub(crate) call: (u32, u32),
}

/// The changes of a life that are not durable yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending {
    pub(crate) next: Id,
    pub(crate) events: Vec<Event>,
    pub(crate) edges: Vec<(Id, Id)>,
}

impl Pending {
    pub(crate) fn add(&mut self, cells: [Option<CellRef>; 2], call: (u32, u32)) -> Id {
        let id = self.next;
        self.next += 1;
        let (covered, fill, alternatives) = ([false; 2], NONE, 0);
        self.events.push(Event { id, cells, covered, fill, alternatives, call });
        id
    }

    /// O1: `to` is the event added last.
    pub(crate) fn edge(&mut self, from: Id, to: Id) {
        assert!(from < to && to + 1 == self.next, "O1: edges run forward, in order");
        self.edges.push((from, to));
    }

    pub(crate) fn get(&self, id: Id) -> Option<&Event> {
        let at = self.events.binary_search_by_key(&id, |e| e.id).ok()?;
        Some(&self.events[at])
    }

    pub(crate) fn get_mut(&mut self, id: Id) -> Option<&mut Event> {
        let at = self.events.binary_search_by_key(&id, |e| e.id).ok()?;
        Some(&mut self.events[at])
    }

    /// Closes `marked` (by id) downwards.
    pub(crate) fn close_down(&self, marked: &mut [bool]) {
        for &(from, to) in self.edges.iter().rev() {
            if marked[to as usize] {
                marked[from as usize] = true;
            }
        }
    }

    /// Takes out the events in `gone`. What had to persist before one of them and what had to
    /// persist after it keep their order: an order restricted to fewer events is still that order.
    pub(crate) fn remove(&mut self, gone: &[bool], bridge: bool) {
        self.events.retain(|e| !gone[e.id as usize]);
        if bridge {
            let mut bridged: Vec<(Id, Id)> = Vec::new();
            for &(from, to) in &self.edges {
                let direct = bridged.iter().filter(|(_, t)| *t == from).map(|(f, _)| (*f, to));
                let direct: Vec<_> = direct.collect();
                if gone[from as usize] {
                    bridged.extend(direct);
                } else {
                    bridged.push((from, to));
                }
            }
            bridged.dedup();
            self.edges = bridged;
        }
        self.edges.retain(|&(f, t)| !gone[f as usize] && !gone[t as usize]);
    }

    pub(crate) fn freeze(&self) -> Frozen {
        Frozen::new(self)
    }
}

/// What is known of an event. For a fill: 0, or 1 + the alternative chosen.
pub(crate) type Status = u8;
pub(crate) const UNKNOWN: Status = 0;
pub(crate) const KEPT: Status = 1;
pub(crate) const DROPPED: Status = 2;

#[derive(Debug)]
enum Shape {
    /// One event after the other; the first may stand on a fill.
    Chain,
    /// Only a fill: a hole.
    Hole,
    Web,
}

/// Events that are connected by edges.
#[derive(Debug)]
struct Component {
    shape: Shape,
    events: Vec<Event>,
    edges: Vec<(Id, Id)>,
    /// A fingerprint of its structure.
    print: u128,
}

/// The pending changes of a life that a power cut has ended.
#[derive(Debug)]
pub(crate) struct Frozen {
    components: Vec<Component>,
    /// By id; [`NONE`] for events that were durable or lost.
    component_of: Vec<u32>,
}

impl Frozen {
    fn new(pending: &Pending) -> Frozen {
        let n = pending.next as usize;
        let mut root: Vec<u32> = (0..n as u32).collect();
        fn find(root: &mut [u32], mut i: u32) -> u32 {
            while root[i as usize] != i {
                root[i as usize] = root[root[i as usize] as usize];
                i = root[i as usize];
            }
            i
        }
        let fills = pending.events.iter().filter(|e| e.fill != NONE).map(|e| (e.fill, e.id));
        for (a, b) in pending.edges.iter().copied().chain(fills) {
            let (a, b) = (find(&mut root, a), find(&mut root, b));
            let (low, high) = (a.min(b), a.max(b));
            root[high as usize] = low;
        }
        let mut frozen = Frozen { components: Vec::new(), component_of: vec![NONE; n] };
        for event in &pending.events {
            let root = find(&mut root, event.id) as usize;
            if frozen.component_of[root] == NONE {
                frozen.component_of[root] = frozen.components.len() as u32;
                let (events, edges) = (Vec::new(), Vec::new());
                frozen.components.push(Component { shape: Shape::Web, events, edges, print: 0 });
            }
            let component = frozen.component_of[root];
            frozen.component_of[event.id as usize] = component;
            frozen.components[component as usize].events.push(*event);
        }
        for &(from, to) in &pending.edges {
            let component = frozen.component_of[to as usize] as usize;
            frozen.components[component].edges.push((from, to));
        }
        frozen.components.iter_mut().for_each(Component::finish);
        frozen
    }

    /// Statuses of a fresh order: what is not pending any more counts as kept.
    pub(crate) fn statuses(&self) -> impl Iterator<Item = Status> {
        self.component_of.iter().map(|&c| if c == NONE { KEPT } else { UNKNOWN })
    }

    pub(crate) fn decide_kept(&self, id: Id, status: &mut [Status]) {
        status[id as usize] = KEPT;
        let component = self.component_of[id as usize];
        if component != NONE {
            for &(from, to) in self.components[component as usize].edges.iter().rev() {
                if status[to as usize] == KEPT {
                    assert!(status[from as usize] != DROPPED, "O2: kept upon dropped");
                    status[from as usize] = KEPT;
                }
            }
        }
    }

    pub(crate) fn decide_dropped(&self, id: Id, status: &mut [Status]) {
        status[id as usize] = DROPPED;
        let component = self.component_of[id as usize];
        if component != NONE {
            for &(from, to) in &self.components[component as usize].edges {
                if status[from as usize] == DROPPED {
                    assert!(status[to as usize] != KEPT, "O2: kept upon dropped");
                    status[to as usize] = DROPPED;
                }
            }
        }
    }

    /// O3: how many crash states agree with `status`.
    pub(crate) fn count(&self, status: &[Status]) -> Count {
        let mut product = Some(1); // O3: components are independent
        for component in &self.components {
            product = times(product, component.count(status));
        }
        product
    }

    /// What must persist after `id`.
    pub(crate) fn after(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        let component = self.component_of[id as usize];
        let edges = self.components.get(component as usize).map_or(&[][..], |c| &c.edges);
        edges.iter().filter(move |edge| edge.0 == id).map(|edge| edge.1)
    }

    /// The number of states of the components that `reached` does not name.
    pub(crate) fn count_unreached(&self, status: &[Status], reached: &[u32]) -> Count {
        let mut product = Some(1);
        for (component, reached) in self.components.iter().zip(reached) {
            if *reached == 0 {
                product = times(product, component.count(status));
            }
        }
        product
    }

    /// All events that were pending, with the fills.
    pub(crate) fn events(&self) -> impl Iterator<Item = &Event> {
        self.components.iter().flat_map(|c| &c.events)
    }

    pub(crate) fn components(&self) -> usize {
        self.components.len()
    }

    pub(crate) fn component_of(&self, id: Id) -> usize {
        self.component_of[id as usize] as usize
    }

    /// The structure that `id` is part of and what is decided of it.
    pub(crate) fn print(&self, id: Id, status: &[Status], print: &mut Fingerprint) {
        let component = &self.components[self.component_of(id)];
        print.add(u64::from(id - component.events[0].id));
        if matches!(component.shape, Shape::Web) {
            print.add_wide(component.print);
            component.events.iter().for_each(|e| print.add(u64::from(status[e.id as usize])));
        }
    }
}

impl Component {
    fn finish(&mut self) {
        let real: Vec<&Event> = self.events.iter().filter(|e| e.alternatives == 0).collect();
        let mut linked = real.windows(2).map(|w| (w[0].id, w[1].id));
        let one_fill =
            self.events.len() <= real.len() + 1 && real.iter().skip(1).all(|e| e.fill == NONE);
        self.shape = if real.is_empty() {
            Shape::Hole
        } else if one_fill && linked.all(|edge| self.edges.contains(&edge)) {
            Shape::Chain
        } else {
            Shape::Web
        };
        let first = self.events[0].id;
        let mut print = Fingerprint::default();
        for &(from, to) in &self.edges {
            print.add(u64::from(from - first) << 32 | u64::from(to - first));
        }
        self.print = print.value();
    }

    fn alternatives(&self, fill: Id, status: &[Status]) -> u128 {
        let fill = self.events.iter().find(|e| e.id == fill && status[e.id as usize] == UNKNOWN);
        fill.map_or(1, |e| u128::from(e.alternatives))
    }

    fn count(&self, status: &[Status]) -> Count {
        match self.shape {
            Shape::Hole => Some(self.alternatives(self.events[0].id, status)),
            Shape::Chain => {
                let mut real = self.events.iter().filter(|e| e.alternatives == 0);
                let first = *real.next().expect("a chain has an event");
                let unknown = |e: &Event| e.alternatives == 0 && status[e.id as usize] == UNKNOWN;
                let open = self.events.iter().filter(|e| unknown(e)).count() as u128;
                let bottom = match status[first.id as usize] {
                    KEPT => 1,
                    _ => self.alternatives(first.fill, status),
                };
                plus(Some(open), Some(bottom))
            }
            Shape::Web => self.count_web(status),
        }
    }

    fn count_web(&self, status: &[Status]) -> Count {
        let mut constant = Some(1);
        let mut factor = Vec::new();
        let mut index: Vec<(Id, usize)> = Vec::new();
        for event in self.events.iter().filter(|e| e.alternatives == 0) {
            let fill = self.alternatives(event.fill, status);
            match status[event.id as usize] {
                UNKNOWN => {
                    index.push((event.id, factor.len()));
                    factor.push(fill);
                }
                DROPPED => constant = times(constant, Some(fill)),
                _ => {}
            }
        }
        // A lone fill of a hole never shares a component with events.
        let at = |id: Id| index.binary_search_by_key(&id, |p| p.0).ok().map(|i| index[i].1);
        let open = |&(f, t): &(Id, Id)| Some((at(f)?, at(t)?));
        let edges: Vec<(usize, usize)> = self.edges.iter().filter_map(open).collect();
        times(constant, Web::new(factor, &edges).and_then(|mut web| web.count()))
    }
}

/// A frozen order and where its statuses stand in the disk's table.
#[derive(Clone, Debug)]
pub(crate) struct Past {
    pub(crate) life: u32,
    pub(crate) frozen: Arc<Frozen>,
    pub(crate) at: usize,
}
