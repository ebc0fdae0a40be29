//! A token: everything that walks a trail again, in one word.

use crate::{Case, Workload};
use highwater_sim::{FailedSync, Model, Settings, Trail};
use std::fmt;
use std::str::FromStr;

/// What fails besides the power and the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// One sync of the workload's life.
    Failed(FailedSync),
    /// Every sync says `Ok` and does nothing: the control.
    Deaf,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::None => f.write_str("none"),
            Fault::Failed(family) => family.fmt(f),
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
            _ => match text.parse() {
                Ok(family) => Ok(Fault::Failed(family)),
                Err(_) => {
                    let names = "none, keep-dirty, keep-new, revert or deaf";
                    Err(format!("no fault {text:?}: {names}"))
                }
            },
        }
    }
}

/// A finding in one word: `hw1.<engine>.<model>.<fault>.<crashes>.<setup>.<workload>.<trail>`.
///
/// It begins with its version. It holds letters, digits and `-._~` only, so it needs no quotes in a
/// shell and no escapes in a URL: an engine's `/` is written `~`; a trail's `/`, `:` and `+` are
/// written `_`, `-` and `~`.
///
/// ```
/// use highwater_models::Token;
/// let text = "hw1.payload.posix.keep-new.2.fsync_2048_2.p1-x16_d1.p7_0-4.1-2k3~1_";
/// let token: Token = text.parse()?;
/// assert_eq!(token.engine, "payload");
/// assert_eq!(token.case.workload.to_string(), "put 1 x16\ndelete 1\n");
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
    /// What fails besides.
    pub fault: Fault,
    /// Crashes of the exploration: the life behind the last of them only recovers.
    pub crashes: u32,
    /// Workload and options.
    pub case: Case,
    /// The choices.
    pub trail: Trail,
}

const VERSION: &str = "hw1";
const FIELDS: [&str; 8] =
    ["version", "engine", "model", "fault", "crashes", "setup", "workload", "trail"];

impl Token {
    /// The token of a trail that was found for `case` on `engine` under `settings`.
    pub fn new(engine: &str, settings: &Settings, case: Case, trail: Trail) -> Token {
        let fault = match settings.failed_sync {
            Some(family) => Fault::Failed(family),
            None if settings.deaf => Fault::Deaf,
            None => Fault::None,
        };
        let (model, crashes) = (settings.model, settings.crashes);
        Token { engine: engine.to_string(), model, fault, crashes, case, trail }
    }

    /// The settings under which the trail walks.
    pub fn settings(&self) -> Settings {
        Settings {
            model: self.model,
            crashes: self.crashes,
            failed_sync: match self.fault {
                Fault::Failed(family) => Some(family),
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
        let Token { model, fault, crashes, case, .. } = self;
        let engine = mapped(&self.engine, &[('/', '~')]);
        let trail = mapped(&self.trail.to_string(), &[('/', '_'), (':', '-'), ('+', '~')]);
        let workload = case.workload.compact();
        let setup = &case.setup;
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
        Ok(Token {
            engine: mapped(engine, &[('~', '/')]),
            model: model.parse().map_err(|why| wrong("model", why))?,
            fault: fault.parse().map_err(|why| wrong("fault", why))?,
            crashes: crashes
                .parse()
                .map_err(|_| wrong("crashes", format!("{crashes:?} is no number of crashes")))?,
            case: Case {
                setup: setup.parse().map_err(|why| wrong("setup", why))?,
                workload: Workload::from_compact(workload)
                    .map_err(|why| wrong("workload", why.to_string()))?,
            },
            trail: trail.parse().map_err(|why| wrong("trail", why))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Setup;
    use highwater::Durability;
    use highwater_sim::{Choice, CrashKind, CrashPoint, LifeTrail, Rng};

    fn random_trail(rng: &mut Rng) -> Trail {
        let lives = 1 + rng.below(3);
        let life = |rng: &mut Rng, last: bool| {
            let choice = |rng: &mut Rng| {
                let of = 2 + rng.below(5) as u32;
                Choice { taken: rng.below(u64::from(of)) as u32, of }
            };
            let choices = (0..rng.below(4)).map(|_| choice(rng)).collect();
            let kind = if rng.below(2) == 0 { CrashKind::Power } else { CrashKind::Kill };
            let cut = CrashPoint { call: rng.below(99) as u32, kind, part: rng.below(3) as u32 };
            LifeTrail { choices, cut: (!last).then_some(cut) }
        };
        Trail { lives: (0..lives).map(|n| life(rng, n + 1 == lives)).collect() }
    }

    #[test]
    fn tokens_round_trip_in_safe_characters() {
        let mut rng = Rng::new(11);
        for seed in 0..1_000 {
            let pick = |rng: &mut Rng, n: usize| rng.below(n as u64) as usize;
            let families = FailedSync::ALL.map(Fault::Failed);
            let faults = [&families[..], &[Fault::None, Fault::Deaf]].concat();
            let modes = [Durability::Fsync, Durability::FlushOnly, Durability::None];
            let setup = Setup {
                durability: modes[pick(&mut rng, 3)],
                segment_size: rng.below(1 << 32),
                snapshots_kept: pick(&mut rng, 9),
                checkpoint_bytes: Some(rng.word()).filter(|n| n % 2 == 0),
            };
            let token = Token {
                engine: ["payload", "museum/ack-1/twin"][pick(&mut rng, 2)].into(),
                model: Model::ALL[pick(&mut rng, Model::ALL.len())],
                fault: faults[pick(&mut rng, faults.len())],
                crashes: rng.below(4) as u32,
                case: Case { workload: Workload::random(seed, seed as usize % 5), setup },
                trail: random_trail(&mut rng),
            };
            let text = token.to_string();
            let safe = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
            assert!(text.chars().all(safe), "{text}");
            assert_eq!(text.parse().as_ref(), Ok(&token), "{text}");
            let again = Token::new(
                &token.engine,
                &token.settings(),
                token.case.clone(),
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
            ("hw1.payload.posix.some.2.fsync_2048_2.p1-x16.p7_", "the token's fault: no fault"),
            ("hw1.payload.posix.none.x.fsync_2048_2.p1-x16.p7_", "the token's crashes"),
            ("hw1.payload.posix.none.2.fsync.p1-x16.p7_", "the token's setup"),
            ("hw1.payload.posix.none.2.fsync_2048_2.z.p7_", "the token's workload: line 1, column"),
            ("hw1.payload.posix.none.2.fsync_2048_2.p1-x16.p7", "the token's trail: every life"),
            ("hw1.payload.posix.none.2.fsync_2048_2.p1-x16.p7_9-2", "the token's trail"),
            ("hw1.payload.posix.none.2.fsync_2048_2.p1-x16.é_", "the token's trail"),
        ] {
            let error = text.parse::<Token>().expect_err(text);
            assert!(error.contains(what), "{text}: {error}");
        }
    }
}
