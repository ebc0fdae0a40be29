//! Running a program: every disk that the power cut may leave is asked.

use super::bytes::shown;
use super::call::file_at;
use super::condition::whole;
use super::{Ask, Program, When};
use highwater_sim::{Choices, Count, Model, SimFs};
use highwater_vfs::{OpenMode, Vfs};
use std::io;
use std::path::Path;

/// Leaves of the trees of choices that one question is asked on, unless somebody says otherwise.
pub const LEAVES_MAX: u64 = 200_000;

/// What the disks of one model answered to one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether the program says that the answer may be yes.
    pub allowed: bool,
    /// Whether some disk answered with yes.
    pub reached: bool,
    /// Whether every disk was asked.
    pub complete: bool,
    /// How many crash states there are, over all points where the power fails; `None` if they
    /// cannot be counted.
    pub states: Count,
    /// In how many of those that were asked the answer is yes.
    pub found: Count,
    /// Disks that the question could tell apart.
    pub leaves: u64,
    /// A disk that answered with yes, a file or directory a line.
    pub witness: Option<Vec<String>>,
}

impl Answer {
    /// Whether the simulation does what the program says: where every disk was asked, what is
    /// allowed was found and nothing else; where not, at least nothing forbidden was found.
    pub fn agrees(&self) -> bool {
        if self.complete { self.reached == self.allowed } else { self.allowed || !self.reached }
    }
}

/// Asks every disk, up to `limit` leaves in all.
///
/// # Errors
/// In words: a call that fails, or a simulation that contradicts itself. It does if the states that
/// the leaves stand for do not add up to the number counted at the cut.
pub fn answer(program: &Program, ask: &Ask, model: Model, limit: u64) -> Result<Answer, String> {
    let disk = prepared(program, model)?;
    let mut answer = Answer {
        allowed: ask.allowed.contains(&model),
        reached: false,
        complete: true,
        states: Some(0),
        found: Some(0),
        leaves: 0,
        witness: None,
    };
    for (done, (_, call)) in program.calls.iter().enumerate() {
        if ask.when == When::AnyPoint {
            answer.cut(&disk, ask, limit).map_err(|why| format!("after {done} calls: {why}"))?;
        }
        call.run(&disk).map_err(|why| failed(call, why))?;
    }
    answer.cut(&disk, ask, limit)?;
    Ok(answer)
}

/// The disk as the program finds it: the calls of `init` are done and durable.
pub(super) fn prepared(program: &Program, model: Model) -> Result<SimFs, String> {
    let disk = SimFs::new(model);
    for (_, call) in &program.init {
        call.run(&disk).map_err(|why| failed(call, why))?;
        make_durable(&disk, "").map_err(|why| failed(&"init", why))?;
    }
    if disk.states_if_power_fails_now() != Some(1) {
        return Err("init: not everything is durable when the program begins".into());
    }
    Ok(disk)
}

fn failed(what: &dyn std::fmt::Display, why: io::Error) -> String {
    format!("{what}: {why}")
}

impl Answer {
    /// Asks every disk that a power cut at this moment may leave.
    fn cut(&mut self, disk: &SimFs, ask: &Ask, limit: u64) -> Result<(), String> {
        let total = disk.states_if_power_fails_now();
        let mut covered: Count = Some(0);
        let mut choices = Choices::enumerate();
        loop {
            if self.leaves == limit {
                self.complete = false;
                break;
            }
            self.leaves += 1;
            let cut = disk.power_cut(choices);
            let yes = ask.condition.holds(&cut).map_err(|why| why.to_string())?;
            let states = cut.states_left();
            covered = sum(covered, states);
            choices = cut.choices();
            if choices.diverged() {
                return Err("the same choices lead to another disk".into());
            }
            if yes {
                self.found = sum(self.found, states);
                self.reached = true;
            }
            if yes && self.witness.is_none() {
                let same = disk.power_cut(Choices::replay(choices.trail().to_vec()));
                let mut lines = Vec::new();
                describe(&same, "", &mut lines).map_err(|why| why.to_string())?;
                self.witness = Some(lines);
            }
            if !choices.advance() {
                break;
            }
        }
        let adds_up = if self.complete { covered == total } else { covered <= total };
        if !adds_up {
            return Err(format!("{total:?} crash states, but the leaves stand for {covered:?}"));
        }
        self.states = sum(self.states, total);
        Ok(())
    }
}

fn sum(a: Count, b: Count) -> Count {
    a?.checked_add(b?)
}

/// Syncs everything in a directory and below.
fn make_durable(disk: &SimFs, dir: &str) -> io::Result<()> {
    for name in disk.list(Path::new(dir))? {
        let path = join(dir, &name);
        match file_at(disk, &path)? {
            Some(_) => disk.open(Path::new(&path), OpenMode::Write)?.sync()?,
            None => make_durable(disk, &path)?,
        }
    }
    disk.sync_dir(Path::new(dir))
}

/// What is in a directory and below, a line each.
fn describe(disk: &SimFs, dir: &str, lines: &mut Vec<String>) -> io::Result<()> {
    for name in disk.list(Path::new(dir))? {
        let path = join(dir, &name);
        match file_at(disk, &path)? {
            Some(file) => {
                let bytes = whole(&*file, file.size()?)?;
                lines.push(format!("{path} = {}", shown(&bytes)));
            }
            None => {
                lines.push(format!("{path}/"));
                describe(disk, &path, lines)?;
            }
        }
    }
    if dir.is_empty() && lines.is_empty() {
        lines.push("nothing".into());
    }
    Ok(())
}

fn join(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_string() } else { format!("{dir}/{name}") }
}
