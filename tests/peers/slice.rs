//! One measurement, in a process of its own: so nobody pays for another's memory or threads, a
//! step that reads finds what a killed process left, and a panic is an empty field of the table.

use crate::busy::{Watch, resident};
use crate::load::{BATCH, Load, shuffled};
use crate::machine::{limits, syncs};
use crate::peer::{Done, Log, Peer, Place, Use, all};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What one process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// W1.
    Append,
    /// W5, of what `append` left.
    Replay,
    /// W2 and W3.
    Commit,
    /// W4.
    Batch,
    /// W6.
    Set,
    /// W6, of what `set` left.
    Get,
    /// So many commits, to be counted by strace.
    Count,
    /// The limits.
    Machine,
}

/// The arguments of that process.
#[derive(Clone, Debug, Args)]
pub(crate) struct SliceArgs {
    pub(crate) step: Step,
    pub(crate) peer: String,
    pub(crate) dir: PathBuf,
    #[arg(long, default_value_t = 0)]
    pub(crate) records: u64,
    #[arg(long, default_value_t = 1)]
    pub(crate) threads: u64,
    #[arg(long, default_value_t = 0)]
    pub(crate) millis: u64,
}

/// What it found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) values: BTreeMap<String, f64>,
    /// Raw syncs a second, just before and just after.
    pub(crate) raw: Option<f64>,
    /// The share of the processors that other processes had.
    pub(crate) others: f64,
}

impl Outcome {
    pub(crate) fn add(&mut self, key: &str, value: f64) {
        self.values.insert(key.to_string(), value);
    }

    fn of(values: &[(&str, f64)], watch: &Watch) -> Outcome {
        let values = values.iter().map(|(key, value)| (key.to_string(), *value)).collect();
        Outcome { values, raw: None, others: watch.others() }
    }
}

/// How long the raw loop runs before and after.
const BRACKET: Duration = Duration::from_millis(60);

/// Runs the step and prints what it found; the process then ends as if it had been killed.
pub(crate) fn run(args: &SliceArgs) -> Done {
    fs::create_dir_all(&args.dir)?;
    let outcome = if args.step == Step::Machine {
        limits(&args.dir, Duration::from_millis(args.millis), args.records * 256)?
    } else {
        let peers = all();
        let peer = peers.iter().find(|peer| peer.name == args.peer).ok_or("nobody of that name")?;
        step(peer, args)?
    };
    println!("{}", serde_json::to_string(&outcome)?);
    // Nothing is dropped, so nobody shuts down in order.
    std::process::exit(0);
}

fn step(peer: &Peer, args: &SliceArgs) -> Done<Outcome> {
    let dir = args.dir.join("data");
    fs::create_dir_all(&dir)?;
    let load = Load::new();
    match args.step {
        Step::Append => {
            let log = peer.log.ok_or("it is no log")?(&dir, Use::Append)?;
            let (watch, began) = (Watch::start(), Instant::now());
            log.append(args.records, &load)?;
            let rate = args.records as f64 / began.elapsed().as_secs_f64();
            let outcome = Outcome::of(&[("rate", rate)], &watch);
            std::mem::forget(log);
            Ok(outcome)
        }
        Step::Replay => {
            let (watch, began) = (Watch::start(), Instant::now());
            let replayed = peer.replay.ok_or("it cannot be read")?(&dir)?;
            let rate = args.records as f64 / began.elapsed().as_secs_f64();
            let open = (replayed.opened - began).as_secs_f64();
            let outcome = Outcome::of(&[("rate", rate), ("open", open)], &watch);
            std::mem::forget(replayed.kept);
            if replayed.records != args.records {
                return Err(format!("{} records of {}", replayed.records, args.records).into());
            }
            Ok(outcome)
        }
        Step::Commit | Step::Batch => durable(peer, args, &load),
        Step::Set => set(peer, args, &load),
        Step::Get => get(peer, args),
        Step::Count => {
            let log = peer.log.ok_or("it is no log")?(&dir, Use::Commit { room: 1 << 20 })?;
            for nth in 0..args.records {
                log.commit(Place { thread: 0, nth }, load.record(nth))?;
            }
            std::mem::forget(log);
            Ok(Outcome::default())
        }
        Step::Machine => unreachable!("it has no peer"),
    }
}

fn durable(peer: &Peer, args: &SliceArgs, load: &Load) -> Done<Outcome> {
    let span = Duration::from_millis(args.millis);
    // More than anybody can write in that time.
    let room = ((span.as_secs_f64() * 300e6) as u64).next_multiple_of(1 << 20) + (8 << 20);
    let log = peer.log.ok_or("it is no log")?(&args.dir.join("data"), Use::Commit { room })?;
    let before = syncs(&args.dir, "zeroed", BRACKET)?;
    let watch = Watch::start();
    let rate = match args.step {
        Step::Batch => BATCH as f64 * batches(&*log, load, span)?,
        _ => commits(&*log, load, args.threads, span)?,
    };
    let mut outcome = Outcome::of(&[("rate", rate)], &watch);
    std::mem::forget(log);
    outcome.raw = Some((before + syncs(&args.dir, "zeroed", BRACKET)?) / 2.0);
    Ok(outcome)
}

fn batches(log: &dyn Log, load: &Load, span: Duration) -> Done<f64> {
    let (began, mut nth) = (Instant::now(), 0);
    while began.elapsed() < span {
        let records: Vec<&[u8]> =
            (nth * BATCH..(nth + 1) * BATCH).map(|nth| load.record(nth)).collect();
        log.commit_batch(Place { thread: 0, nth }, &records)?;
        nth += 1;
    }
    Ok(nth as f64 / began.elapsed().as_secs_f64())
}

fn commits(log: &dyn Log, load: &Load, threads: u64, span: Duration) -> Done<f64> {
    let (ready, stop) = (Barrier::new(threads as usize + 1), AtomicBool::new(false));
    let work = |thread| -> Done<u64> {
        ready.wait();
        let mut nth = 0;
        while !stop.load(Ordering::Relaxed) {
            log.commit(Place { thread, nth }, load.record(nth * 7 + thread))?;
            nth += 1;
        }
        Ok(nth)
    };
    thread::scope(|scope| {
        let work = &work;
        let all: Vec<_> = (0..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        ready.wait();
        let began = Instant::now();
        thread::sleep(span);
        stop.store(true, Ordering::Relaxed);
        let mut count = 0;
        for one in all {
            count += one.join().map_err(|_| "a thread panicked")??;
        }
        Ok(count as f64 / began.elapsed().as_secs_f64())
    })
}

fn set(peer: &Peer, args: &SliceArgs, load: &Load) -> Done<Outcome> {
    let mut pairs = peer.pairs.ok_or("it has no pairs")?(&args.dir.join("data"))?;
    let before = resident();
    let (watch, began) = (Watch::start(), Instant::now());
    pairs.set(args.records, load)?;
    let rate = args.records as f64 / began.elapsed().as_secs_f64();
    let bytes = (resident() - before) / args.records as f64;
    let outcome = Outcome::of(&[("rate", rate), ("bytes", bytes)], &watch);
    pairs.settle()?;
    std::mem::forget(pairs);
    Ok(outcome)
}

fn get(peer: &Peer, args: &SliceArgs) -> Done<Outcome> {
    let ids = shuffled(args.records, args.records);
    let before = resident();
    let (watch, began) = (Watch::start(), Instant::now());
    let pairs = peer.pairs.ok_or("it has no pairs")?(&args.dir.join("data"))?;
    pairs.get(&ids[..1])?;
    let open = began.elapsed().as_secs_f64();
    let bytes = (resident() - before) / args.records as f64;
    let began = Instant::now();
    let found = pairs.get(&ids)?;
    let rate = args.records as f64 / began.elapsed().as_secs_f64();
    let outcome = Outcome::of(&[("rate", rate), ("open", open), ("bytes", bytes)], &watch);
    if found != args.records * crate::load::VALUE as u64 {
        return Err(format!("{found} bytes in {} values", args.records).into());
    }
    std::mem::forget(pairs);
    Ok(outcome)
}
