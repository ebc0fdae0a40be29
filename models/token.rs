//! A token: everything that walks a trail again, in one word.

use crate::threads::Schedule;
use crate::{Case, Workload};
use highwater_sim::{Device, Failure, Model, Settings, Trail};
use std::fmt;
use std::str::FromStr;

/// What fails besides the power and the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// One thing, as the failure says.
    One(Failure),
    /// Every sync says `Ok` and does nothing: the control.
    Deaf,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::None => f.write_str("none"),
            Fault::One(failure) => failure.fmt(f),
            Fault::Deaf => f.write_str("deaf"),
        }
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Fault, String> {
        match text {
            "none" => Ok(Fault::None),
            "deaf" => Ok(Fault::Deaf),
            _ => {
                let failure = text.parse().map(Fault::One);
                failure.map_err(|why: String| format!("{why}; or none, or deaf"))
            }
        }
    }
}

/// What is run: a case of a store, or which operations of a museum piece, and under which schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// A workload on a store.
    Store(Case),
    /// The operations of a piece that are left, by number, from 0.
    Piece(Vec<usize>),
    /// The operations of a program of several threads that are left, by number, and its schedule.
    Threads(Vec<usize>, Schedule),
}

impl Task {
    /// Setup and workload as one word each.
    fn words(&self) -> [String; 2] {
        match self {
            Task::Store(case) => [case.setup.to_string(), case.workload.compact()],
            Task::Piece(acts) => [PIECE.to_string(), joined(acts)],
            Task::Threads(acts, schedule) => {
                [THREADS.to_string(), format!("{}~{schedule}", joined(acts))]
            }
        }
    }

    fn from_words(setup: &str, workload: &str) -> Result<Task, String> {
        let wrong = |field: &str, why: String| format!("the token's {field}: {why}");
        if setup == PIECE {
            return Ok(Task::Piece(numbers(workload)?));
        }
        if setup == THREADS {
            let (acts, schedule) = workload.split_once('~').unwrap_or((workload, ""));
            let schedule = schedule.parse().map_err(|why| wrong("workload", why))?;
            return Ok(Task::Threads(numbers(acts)?, schedule));
        }
        Ok(Task::Store(Case {
            setup: setup.parse().map_err(|why| wrong("setup", why))?,
            workload: Workload::from_compact(workload)
                .map_err(|why| wrong("workload", why.to_string()))?,
        }))
    }
}

/// The setup of a piece.
const PIECE: &str = "piece";

/// The setup of a program of several threads.
const THREADS: &str = "threads";

fn joined(acts: &[usize]) -> String {
    acts.iter().map(usize::to_string).collect::<Vec<String>>().join("-")
}

fn numbers(text: &str) -> Result<Vec<usize>, String> {
    let number = |text: &str| {
        text.parse().map_err(|_| format!("the token's workload: {text:?} is no number"))
    };
    text.split('-').filter(|text| !text.is_empty()).map(number).collect()
}

/// A finding in one word:
/// `hw1.<engine>.<model>.<fault>.<crashes>.<setup>.<workload>.<trail>`.
///
/// It begins with its version. It holds letters, digits and `-._~` only, so it needs no quotes in a
/// shell and no escapes in a URL. What stands for what: `~` for an engine's `/`, for what separates
/// a model from its device and a program from its schedule, for a fault's and a trail's `+`; `-`
/// for a device's `=`, a fault's `:` and a trail's `:`; `_` for a device's `,` and a trail's `/`.
///
/// ```
/// use highwater_models::Token;
/// let text = "hw1.payload.posix.keep-new.2.fsync_2048_2.p1-x16_d1.p7_0-4.1-2k3~1_";
/// let token: Token = text.parse()?;
/// assert_eq!(token.engine, "payload");
/// assert_eq!(token.trail.to_string(), "p7/0:4.1:2k3+1/");
/// assert_eq!(token.to_string(), text);
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The engine's name in the registry.
    pub engine: String,
    /// The disk model.
    pub model: Model,
    /// The device, if it is not the plain one.
    pub device: Device,
    /// What fails besides.
    pub fault: Fault,
    /// Crashes of the exploration: the life behind the last of them only recovers.
    pub crashes: u32,
    /// Workload and options.
    pub task: Task,
    /// The choices.
    pub trail: Trail,
}

const VERSION: &str = "hw1";
const FIELDS: [&str; 8] =
    ["version", "engine", "model", "fault", "crashes", "setup", "workload", "trail"];

impl Token {
    /// The token of a trail that was found for `task` on `engine` under `settings`.
    pub fn new(engine: &str, settings: &Settings, task: Task, trail: Trail) -> Token {
        let fault = match settings.failure {
            Some(failure) => Fault::One(failure),
            None if settings.deaf => Fault::Deaf,
            None => Fault::None,
        };
        let Settings { model, device, crashes, .. } = *settings;
        Token { engine: engine.to_string(), model, device, fault, crashes, task, trail }
    }

    /// The settings under which the trail walks.
    pub fn settings(&self) -> Settings {
        Settings {
            model: self.model,
            device: self.device,
            crashes: self.crashes,
            failure: match self.fault {
                Fault::One(failure) => Some(failure),
                Fault::None | Fault::Deaf => None,
            },
            deaf: self.fault == Fault::Deaf,
            ..Settings::default()
        }
    }
}

fn mapped(text: &str, pairs: &[(char, char)]) -> String {
    let swap = |c| pairs.iter().find(|(from, _)| *from == c).map_or(c, |(_, to)| *to);
    text.chars().map(swap).collect()
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Token { model, device, crashes, .. } = self;
        let engine = mapped(&self.engine, &[('/', '~')]);
        let trail = mapped(&self.trail.to_string(), &[('/', '_'), (':', '-'), ('+', '~')]);
        let fault = mapped(&self.fault.to_string(), &[(':', '-'), ('+', '~')]);
        let mut model = model.to_string();
        if *device != Device::PLAIN {
            model += &format!("~{}", mapped(&device.to_string(), &[('=', '-'), (',', '_')]));
        }
        let [setup, workload] = self.task.words();
        write!(f, "{VERSION}.{engine}.{model}.{fault}.{crashes}.{setup}.{workload}.{trail}")
    }
}

impl FromStr for Token {
    type Err = String;

    /// Reads a token; the error names the field that is wrong.
    fn from_str(text: &str) -> Result<Token, String> {
        let fields: Vec<&str> = text.splitn(FIELDS.len(), '.').collect();
        if fields[0] != VERSION {
            return Err(format!("a token of this version begins with {VERSION}."));
        }
        let [_, engine, model, fault, crashes, setup, workload, trail] = fields[..] else {
            let what = FIELDS[1..].join(">.<");
            return Err(format!("a token is {VERSION}.<{what}>: this has {} parts", fields.len()));
        };
        let wrong = |field: &str, why: String| format!("the token's {field}: {why}");
        let trail = mapped(trail, &[('_', '/'), ('-', ':'), ('~', '+')]);
        let (model, device) = model.split_once('~').unwrap_or((model, "plain"));
        let device = mapped(device, &[('-', '='), ('_', ',')]).replace("subset=", "subset-");
        Ok(Token {
            engine: mapped(engine, &[('~', '/')]),
            model: model.parse().map_err(|why| wrong("model", why))?,
            device: device.parse().map_err(|why| wrong("model", why))?,
            fault: fault_of(fault).map_err(|why| wrong("fault", why))?,
            crashes: crashes
                .parse()
                .map_err(|_| wrong("crashes", format!("{crashes:?} is no number of crashes")))?,
            task: Task::from_words(setup, workload)?,
            trail: trail.parse().map_err(|why| wrong("trail", why))?,
        })
    }
}

/// A call's fault has a `-` where its text has a `:`, behind the name of the call.
fn fault_of(text: &str) -> Result<Fault, String> {
    if let Ok(fault) = text.parse() {
        return Ok(fault);
    }
    let (call, what) = text.rsplit_once('-').unwrap_or((text, ""));
    format!("{call}:{}", what.replace('~', "+")).parse().map_err(|_| {
        let why: Result<Fault, String> = text.parse();
        why.err().unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Setup;
    use crate::threads::Departure;
    use highwater::Durability;
    use highwater_sim::{Choice, CrashKind, CrashPoint, Decay, FailedSync, LifeTrail, Rng, Tear};

    fn random_trail(rng: &mut Rng) -> Trail {
        let lives = 1 + rng.below(3);
        let life = |rng: &mut Rng, last: bool| {
            let choice = |rng: &mut Rng| {
                let of = 2 + rng.below(5) as u32;
                Choice { taken: rng.below(u64::from(of)) as u32, of }
            };
            let choices = (0..rng.below(4)).map(|_| choice(rng)).collect();
            let kind = if rng.below(2) == 0 { CrashKind::Power } else { CrashKind::Kill };
            let early = rng.below(3) as u32;
            let whole = kind == CrashKind::Power || early > 0;
            let part = if whole { 0 } else { rng.below(3) as u32 };
            let cut = CrashPoint { call: rng.below(99) as u32, kind, part, early };
            LifeTrail { choices, cut: (!last).then_some(cut) }
        };
        Trail { lives: (0..lives).map(|n| life(rng, n + 1 == lives)).collect() }
    }

    #[test]
    fn tokens_round_trip_in_safe_characters() {
        let mut rng = Rng::new(11);
        for seed in 0..1_000 {
            let pick = |rng: &mut Rng, n: usize| rng.below(n as u64) as usize;
            let one = |text: &str| Fault::One(text.parse().unwrap());
            let families = FailedSync::ALL.map(|family| Fault::One(Failure::Sync(family)));
            let decays = Decay::ALL.map(|decay| Fault::One(Failure::Decay(decay)));
            let others = [one("write:EIO+100"), one("sync-dir:EIO"), one("read:short+3")];
            let plain = [Fault::None, Fault::Deaf, one("lying")];
            let faults = [&families[..], &decays, &others, &plain].concat();
            let modes = [Durability::Fsync, Durability::FlushOnly, Durability::None];
            let setup = Setup {
                durability: modes[pick(&mut rng, 3)],
                segment_size: rng.below(1 << 32),
                snapshots_kept: pick(&mut rng, 9),
                checkpoint_bytes: Some(rng.word()).filter(|n| n % 2 == 0),
                reserve: [0, rng.word()][pick(&mut rng, 2)],
            };
            let token = Token {
                engine: ["payload", "museum/ack-1/twin"][pick(&mut rng, 2)].into(),
                model: Model::ALL[pick(&mut rng, Model::ALL.len())],
                device: Device {
                    sector: [512, 4096][pick(&mut rng, 2)],
                    atomic: [8, 512][pick(&mut rng, 2)],
                    tear: Tear::ALL[pick(&mut rng, 4)].0,
                    powersafe: pick(&mut rng, 2) == 0,
                    atomic_rename: pick(&mut rng, 2) == 0,
                },
                fault: faults[pick(&mut rng, faults.len())],
                crashes: rng.below(4) as u32,
                task: match seed % 4 {
                    0 => Task::Piece((0..pick(&mut rng, 4)).map(|n| n * 3).collect()),
                    1 => {
                        let departure = |n: u64| Departure { at: n as u32 * 7, thread: 2 };
                        let departures = (0..rng.below(4)).map(departure).collect();
                        let kept = (0..pick(&mut rng, 4)).collect();
                        Task::Threads(kept, Schedule::new(departures))
                    }
                    _ => Task::Store(Case {
                        workload: Workload::random(seed, seed as usize % 5),
                        setup,
                    }),
                },
                trail: random_trail(&mut rng),
            };
            let text = token.to_string();
            let safe = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
            assert!(text.chars().all(safe), "{text}");
            assert_eq!(text.parse().as_ref(), Ok(&token), "{text}");
            let again = Token::new(
                &token.engine,
                &token.settings(),
                token.task.clone(),
                token.trail.clone(),
            );
            assert_eq!(again, token, "settings and back");
        }
    }

    #[test]
    fn errors_name_the_field() {
        let good = "hw1.payload.posix.none.2.fsync_2048_2.p1-x16.p7_";
        assert!(good.parse::<Token>().is_ok());
        for (text, what) in [
            ("", "begins with hw1"),
            ("hw2.payload.posix.none.2.fsync_2048_2.p1-x16.p7_", "begins with hw1"),
            ("hw1", "this has 1 parts"),
            ("hw1.payload.posix.none.2.fsync_2048_2.p1-x16", "this has 7 parts"),
            ("hw1.payload.zfs.none.2.fsync_2048_2.p1-x16.p7_", "the token's model: no disk model"),
            (
                "hw1.payload.posix.some.2.fsync_2048_2.p1-x16.p7_",
                "the token's fault: no failed-sync",
            ),
            ("hw1.payload.posix.none.x.fsync_2048_2.p1-x16.p7_", "the token's crashes"),
            ("hw1.payload.posix.none.2.fsync.p1-x16.p7_", "the token's setup"),
            ("hw1.payload.posix.none.2.fsync_2048_2.z.p7_", "the token's workload: line 1, column"),
            ("hw1.museum~race-1.posix.none.2.threads.0-1~4x.p7_", "no departure of a schedule"),
            ("hw1.museum~race-1.posix.none.2.threads.0-x~4t1.p7_", "\"x\" is no number"),
            ("hw1.payload.posix.none.2.fsync_2048_2.p1-x16.p7", "the token's trail: every life"),
            ("hw1.payload.posix.none.2.fsync_2048_2.p1-x16.p7_9-2", "the token's trail"),
            ("hw1.payload.posix.none.2.fsync_2048_2.p1-x16.é_", "the token's trail"),
        ] {
            let error = text.parse::<Token>().expect_err(text);
            assert!(error.contains(what), "{text}: {error}");
        }
    }
}
