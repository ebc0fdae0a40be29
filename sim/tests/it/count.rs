//! The number of crash states, by hand.
//!
//! n files are created, then each is filled with one sector, then each is synced, then their
//! directory is; then each is overwritten, and no sync follows. With E(k) the states at the cut
//! before the sync of file k (k = n: before that of the directory), and m = n - k files left:
//!
//! - `posix`: file by file. Not synced: its name is there or not, its length is 0 or 512, and its
//!   sector holds the data or, never having been durable, zeros or garbage: 2 · 2 · 3 = 12. Synced:
//!   its name is there or not: 2. E(k) = 2ᵏ · 12ᵐ.
//! - `ext4-writeback`: names in order of creation, so some j of the first are there; a length after
//!   its name; nothing was removed, so what is not there is zeros. With the name: data or not,
//!   length or not: 4; without: data or not: 2. What a sync covers takes its name along, and the
//!   names before it. E(k) = Σ 4ʲ · 2ᵐ⁻ʲ over j = 0..m, which is 2ᵐ · (2ᵐ⁺¹ - 1).
//! - `ext4-ordered`: the same, but data before the length that exposes it. With the name: nothing,
//!   data, data and length: 3. E(k) = Σ 3ʲ · 2ᵐ⁻ʲ, which is 3ᵐ⁺¹ - 2ᵐ⁺¹. (No name waits for a
//!   length here, and none would: the lengths are those of writes, which the file system delays.)
//! - `xfs`: one order of all names, and every length after the last of them, in no order among
//!   themselves. Not all names: data or not, in n ways to stop: n · 2ⁿ; all: nothing, data, data
//!   and length, 3ⁿ. The first sync takes a length along, hence all names: after it 3ᵐ.
//! - `btrfs`: names in no order. With the name 3, without 2: E(k) = 5ᵐ.
//! - `ext4-journal`, `strict`: a prefix of the events. Before the first sync 3n are pending (name,
//!   data, length), so E(0) = 3n + 1; every sync takes along all that came before: E(k) = 2m + 1.
//!
//! At the end n cells hold the old or the new sector: 2ⁿ, or in order n + 1.

use highwater_sim::{Explorer, Halt, Life, Model, Promise, Settings, SimFs, Subject, Tally};
use highwater_vfs::{OpenMode, Vfs, write_all_at};
use std::io;
use std::path::Path;

/// Nobody is promised anything: only the disk counts.
#[derive(Clone, Debug, Default)]
struct Nothing;

impl Promise for Nothing {
    fn power_cut(&mut self) {}

    fn fingerprint(&self) -> u128 {
        0
    }
}

struct Files {
    count: u32,
    /// Whether recovery reads everything, or nothing.
    looks: bool,
}

impl Files {
    fn write(&self, disk: &dyn Vfs) -> io::Result<()> {
        let name = |nth: u32| format!("f{nth}");
        let open = |nth| disk.open(name(nth).as_ref(), OpenMode::CreateNew);
        let files = (0..self.count).map(open).collect::<io::Result<Vec<_>>>()?;
        files.iter().try_for_each(|file| write_all_at(&**file, &[1; 512], 0))?;
        files.iter().try_for_each(|file| file.sync())?;
        disk.sync_dir(Path::new(""))?;
        files.iter().try_for_each(|file| write_all_at(&**file, &[2; 512], 0))
    }

    fn read(disk: &dyn Vfs) -> io::Result<()> {
        for name in disk.list(Path::new(""))? {
            disk.open(name.as_ref(), OpenMode::Read)?.read_at(&mut [0; 512], 0)?;
        }
        Ok(())
    }
}

impl Subject for Files {
    type Promise = Nothing;

    fn live(&self, life: &Life<'_, Nothing>) -> Result<(), Halt> {
        let done = match life.nth {
            0 => self.write(&*life.disk),
            _ if self.looks => Files::read(&*life.disk),
            _ => Ok(()),
        };
        done.map_err(|e| Halt::Failed(e.to_string()))
    }

    fn promises_durable(&self) -> bool {
        false
    }
}

fn explore(count: u32, model: Model, every_point: bool, looks: bool) -> Tally {
    let settings = Settings { model, every_point, crashes: 1, kill: false, ..Settings::default() };
    let tally = Explorer::new(settings).run(&Files { count, looks });
    assert!(tally.found.is_none() && tally.exhaustive && !tally.out_of_budget);
    assert_eq!(tally.states_covered, tally.states_total, "{model} {count} {looks}");
    tally
}

/// The states at all cuts, as above.
fn by_hand(model: Model, n: u32) -> u128 {
    let two = |k: u32| 2u128.pow(k);
    let three = |k: u32| 3u128.pow(k);
    let in_order = |n: u32| u128::from((3 * n + 1) + (1..=n).map(|k| 2 * (n - k) + 1).sum::<u32>());
    let over_left = |of: &dyn Fn(u32) -> u128| (0..=n).map(of).sum::<u128>();
    let (before, at_end) = match model {
        Model::Posix => (over_left(&|m| two(n - m) * 12u128.pow(m)), two(n)),
        Model::Ext4Writeback => (over_left(&|m| two(m) * (two(m + 1) - 1)), two(n)),
        Model::Ext4Ordered => (over_left(&|m| three(m + 1) - two(m + 1)), two(n)),
        Model::Xfs => (u128::from(n) * two(n) + over_left(&three), two(n)),
        Model::Btrfs => (over_left(&|m| 5u128.pow(m)), two(n)),
        Model::Ext4Journal | Model::Strict => (in_order(n), u128::from(n + 1)),
        other => panic!("no formula for {other}"),
    };
    before + at_end
}

#[test]
fn the_states_are_those_of_the_formula() {
    for n in 1..=4 {
        for model in Model::ALL {
            for looks in [false, true] {
                let states = explore(n, model, false, looks).states_total;
                assert_eq!(states, Some(by_hand(model, n)), "{model}, {n}");
            }
        }
    }
}

/// With every boundary a crash point there are these as well: 2ʲ before the creation of file j;
/// 2ⁿ · 6ʲ before it is filled; 2ʲ before it is overwritten.
#[test]
fn every_point_has_the_states_of_every_boundary() {
    for n in 1..=3u32 {
        let syncs: u128 = (0..=n).map(|k| 2u128.pow(k) * 12u128.pow(n - k)).sum();
        let boundary = |j| 2u128.pow(j) + 2u128.pow(n) * 6u128.pow(j) + 2u128.pow(j);
        let others: u128 = (0..n).map(boundary).sum();
        let tally = explore(n, Model::Posix, true, true);
        assert_eq!(tally.states_total, Some(syncs + others + 2u128.pow(n)), "{n}");
        assert_eq!(tally.crash_points, u64::from(4 * n + 2), "{n}");
        assert_eq!(explore(n, Model::Posix, false, true).crash_points, u64::from(n + 2), "{n}");
    }
}

/// What recovery cannot tell apart is one recovery. Of a file that was not synced it sees: no
/// name; a name and no bytes; 512 bytes of three kinds: 5 of 12 states. A recovery that looks at
/// nothing is run once per crash point.
#[test]
fn recoveries_are_what_recovery_can_tell_apart() {
    for n in 1..=4u32 {
        let seen: u64 = (0..=n).map(|k| 2u64.pow(k) * 5u64.pow(n - k)).sum();
        let looking = explore(n, Model::Posix, false, true);
        assert_eq!(looking.recoveries, seen + 2u64.pow(n), "{n}");
        let blind = explore(n, Model::Posix, false, false);
        assert_eq!(blind.recoveries, u64::from(n + 2), "{n}");
        assert_eq!(blind.choices_max, 0);
    }
}

/// The worked example of `docs/fault-model.md`.
#[test]
fn four_changes_leave_as_many_disks_as_the_page_says() {
    for (model, by_hand) in Model::ALL.into_iter().zip([36, 24, 18, 6, 18, 18, 6]) {
        let disk = SimFs::new(model);
        let log = disk.open("log".as_ref(), OpenMode::CreateNew).unwrap();
        log.write_at(&[1; 512], 0).unwrap();
        log.sync().unwrap();
        disk.sync_dir(Path::new("")).unwrap(); // all of it is durable

        log.write_at(&[2; 512], 0).unwrap(); // 1 overwrite
        log.write_at(&[3; 100], 512).unwrap(); // 2 append
        disk.open("tmp".as_ref(), OpenMode::CreateNew).unwrap(); // 3 create
        disk.rename("tmp".as_ref(), "new".as_ref()).unwrap(); // 4 rename
        assert_eq!(disk.states_if_power_fails_now(), Some(by_hand), "{model}");

        log.sync().unwrap(); // only the names are left: none, `tmp`, `new`
        assert_eq!(disk.states_if_power_fails_now(), Some(3), "{model}");
        disk.sync_dir(Path::new("")).unwrap();
        assert_eq!(disk.states_if_power_fails_now(), Some(1), "{model}");
    }
}
