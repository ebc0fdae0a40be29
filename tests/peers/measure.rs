//! The rounds: in each, everybody takes a turn at everything.

use crate::machine::{Facts, LIMITS, facts};
use crate::peer::{Done, Kind, Peer, all};
use crate::rows::{CHAINS, Chain, ROWS, Row};
use crate::slice::{Outcome, Step};
use crate::stats::{Unit, number};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What is run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) only: Vec<String>,
    pub(crate) peers: Vec<String>,
    pub(crate) records: u64,
    pub(crate) millis: u64,
    /// How often a measurement is repeated that others disturbed; then the quietest counts.
    pub(crate) repeats: u32,
    /// On the disk that is to be measured.
    pub(crate) dir: PathBuf,
}

/// What one of them came to in one row, a value a round.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Series {
    pub(crate) values: Vec<f64>,
    /// Raw syncs a second around each of them, where that is asked.
    pub(crate) raw: Vec<f64>,
}

/// Somebody in the table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Who {
    pub(crate) name: String,
    pub(crate) version: String,
    /// `ours`, `peer` or `limit`.
    pub(crate) kind: String,
    pub(crate) note: String,
    /// Sync calls a durable append, as strace counts them, by name.
    pub(crate) syncs: Option<BTreeMap<String, f64>>,
    /// By key of the row.
    pub(crate) rows: BTreeMap<String, Series>,
    /// What went wrong, if anything did.
    pub(crate) failed: Vec<String>,
}

/// All that was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) rounds: usize,
    pub(crate) records: u64,
    pub(crate) millis: u64,
    pub(crate) machine: Facts,
    /// By key of the limit.
    pub(crate) limits: BTreeMap<String, Vec<f64>>,
    pub(crate) who: Vec<Who>,
    /// Measurements, those repeated because others had more than their share of the processors,
    /// and those that were kept all the same.
    pub(crate) measured: u32,
    pub(crate) repeated: u32,
    pub(crate) kept_busy: u32,
    pub(crate) seconds: f64,
}

/// Above this share for other processes, a measurement is repeated.
const OTHERS_MAX: f64 = 0.05;
/// Longer than any step should take.
const PATIENCE: Duration = Duration::from_secs(180);

/// Runs a plan; says on stderr how far it is.
pub(crate) fn run(plan: &Plan) -> Done<Results> {
    let began = Instant::now();
    fs::create_dir_all(&plan.dir)?;
    let peers: Vec<Peer> = all().into_iter().filter(|peer| plan.wants(peer)).collect();
    let mut results = plan.nothing_yet(&peers)?;
    for round in 0..plan.rounds {
        eprintln!("round {} of {}", round + 1, plan.rounds);
        let limits = results.quietest(plan.repeats, || plan.step((Step::Machine, 1), "machine"))?;
        for (key, value) in limits.values {
            results.limits.entry(key).or_default().push(value);
        }
        fs::remove_dir_all(&plan.dir)?;
        for chain in CHAINS {
            let rows: Vec<&Row> = ROWS
                .iter()
                .filter(|row| row.chain == chain.name && row.is_among(&plan.only))
                .collect();
            if rows.is_empty() {
                continue;
            }
            // Nobody is always the first after the limits.
            for nth in 0..peers.len() {
                let nth = (nth + round) % peers.len();
                if chain.suits(&peers[nth]) {
                    results.turn(plan, chain, &rows, nth, peers[nth].name);
                }
            }
        }
    }
    eprintln!("counting syncs");
    for who in &mut results.who {
        who.syncs = crate::strace::syncs(&who.name, &plan.dir);
    }
    let _ = fs::remove_dir_all(&plan.dir);
    results.seconds = began.elapsed().as_secs_f64();
    Ok(results)
}

impl Plan {
    fn wants(&self, peer: &Peer) -> bool {
        self.peers.is_empty() || self.peers.iter().any(|name| name == peer.name)
    }

    fn nothing_yet(&self, peers: &[Peer]) -> Done<Results> {
        let who = |peer: &Peer| Who {
            name: peer.name.into(),
            version: peer.version.into(),
            kind: match peer.kind {
                Kind::Ours => "ours".into(),
                Kind::Peer => "peer".into(),
                Kind::Limit => "limit".into(),
            },
            note: peer.note.into(),
            syncs: None,
            rows: BTreeMap::new(),
            failed: Vec::new(),
        };
        Ok(Results {
            rounds: self.rounds,
            records: self.records,
            millis: self.millis,
            machine: facts(&self.dir.canonicalize()?),
            limits: BTreeMap::new(),
            who: peers.iter().map(who).collect(),
            measured: 0,
            repeated: 0,
            kept_busy: 0,
            seconds: 0.0,
        })
    }

    /// One step in a process of its own.
    fn step(&self, (step, threads): (Step, u64), peer: &str) -> Done<Outcome> {
        let mut command = child(step, peer, &self.dir)?;
        command.args(["--records", &self.records.to_string()]);
        command.args(["--threads", &threads.to_string(), "--millis", &self.millis.to_string()]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let code = wait(&mut child)?;
        let (mut out, mut err) = (String::new(), String::new());
        child.stdout.take().ok_or("no stdout")?.read_to_string(&mut out)?;
        child.stderr.take().ok_or("no stderr")?.read_to_string(&mut err)?;
        match serde_json::from_str(&out) {
            Ok(outcome) if code == Some(0) => Ok(outcome),
            _ => {
                let said = err.lines().find(|line| !line.trim().is_empty()).unwrap_or("nothing");
                Err(format!("{step:?} ended with {code:?}, and said: {said}").into())
            }
        }
    }

    /// The steps of a chain, in a fresh directory.
    fn chain(&self, chain: Chain, peer: &str) -> Done<Vec<(Step, Outcome)>> {
        if self.dir.exists() {
            fs::remove_dir_all(&self.dir)?;
        }
        // What others left to be written is not ours to wait for.
        rustix::fs::sync();
        let step = |&(step, threads): &(Step, u64)| Ok((step, self.step((step, threads), peer)?));
        let outcomes = chain.steps.iter().map(step).collect();
        fs::remove_dir_all(&self.dir)?;
        outcomes
    }
}

/// This program again, for one step.
pub(crate) fn child(step: Step, peer: &str, dir: &Path) -> Done<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["slice", &format!("{step:?}").to_lowercase(), peer]).arg(dir);
    Ok(command)
}

fn wait(child: &mut Child) -> Done<Option<i32>> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.code());
        }
        if began.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            return Err(format!("it took more than {PATIENCE:?}").into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What a measurement says of others that ran meanwhile.
trait Quiet {
    fn others(&self) -> f64;
}

impl Quiet for Outcome {
    fn others(&self) -> f64 {
        self.others
    }
}

impl Quiet for Vec<(Step, Outcome)> {
    fn others(&self) -> f64 {
        self.iter().map(|(_, outcome)| outcome.others).fold(0.0, f64::max)
    }
}

impl Results {
    /// Measures until nobody disturbed it; in the end the least disturbed.
    fn quietest<T: Quiet>(
        &mut self,
        repeats: u32,
        mut measure: impl FnMut() -> Done<T>,
    ) -> Done<T> {
        self.measured += 1;
        let mut best = measure()?;
        for _ in 0..repeats {
            if best.others() <= OTHERS_MAX {
                return Ok(best);
            }
            self.repeated += 1;
            let again = measure()?;
            if again.others() < best.others() {
                best = again;
            }
        }
        self.kept_busy += u32::from(best.others() > OTHERS_MAX);
        Ok(best)
    }

    fn turn(&mut self, plan: &Plan, chain: Chain, rows: &[&Row], nth: usize, peer: &str) {
        let outcomes = match self.quietest(plan.repeats, || plan.chain(chain, peer)) {
            Ok(outcomes) => outcomes,
            Err(why) => {
                eprintln!("  {:<6} {peer:<14} {why}", chain.name);
                return self.who[nth].failed.push(format!("{}: {why}", chain.name));
            }
        };
        let mut said = String::new();
        for row in rows {
            let outcome = outcomes.iter().find(|(step, _)| *step == row.step).map(|found| &found.1);
            let Some(outcome) = outcome else { continue };
            let Some(value) = outcome.values.get(row.value) else { continue };
            let series = self.who[nth].rows.entry(row.key.to_string()).or_default();
            series.values.push(*value);
            series.raw.extend(outcome.raw);
            said += &format!("  {} {}", row.key, number(*value, row.unit));
            if let Some(raw) = outcome.raw {
                said += &format!(" ({:.2} x raw, {})", value / raw, number(raw, Unit::PerSecond));
            }
        }
        if outcomes.others() > OTHERS_MAX {
            said += &format!("  (others had {:.0} %)", outcomes.others() * 100.0);
        }
        eprintln!("  {:<6} {peer:<14}{said}", chain.name);
    }

    /// Whether everything that was asked for was measured.
    pub(crate) fn complete(&self) -> bool {
        self.who.iter().all(|who| who.failed.is_empty())
    }

    /// The limits in the order of their table: words, unit, values.
    pub(crate) fn limits(&self) -> impl Iterator<Item = (&'static str, &'static str, &[f64])> {
        LIMITS.iter().filter_map(|(key, what, unit)| {
            Some((*what, *unit, self.limits.get(*key).map(Vec::as_slice)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing() -> Results {
        let dir = std::env::temp_dir();
        let plan = Plan {
            rounds: 1,
            only: Vec::new(),
            peers: Vec::new(),
            records: 1,
            millis: 1,
            repeats: 3,
            dir,
        };
        plan.nothing_yet(&[]).expect("a directory")
    }

    #[test]
    fn a_disturbed_measurement_is_repeated_and_the_quietest_counts() {
        for (shares, counted, repeated, kept) in [
            (&[0.01][..], 0.01, 0, 0),
            (&[0.5, 0.02], 0.02, 1, 0),
            (&[0.5, 0.3, 0.2, 0.4], 0.2, 3, 1),
        ] {
            let (mut results, mut nth) = (nothing(), 0);
            let measure = || {
                nth += 1;
                Ok(Outcome { others: shares[nth - 1], ..Outcome::default() })
            };
            let best = results.quietest(3, measure).unwrap();
            assert_eq!((best.others, nth), (counted, shares.len()));
            assert_eq!((results.repeated, results.kept_busy), (repeated, kept));
        }
    }
}
