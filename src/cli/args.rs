//! The command line.

use crate::inspect::System;
use clap::{Args, Parser, Subcommand, ValueEnum};
use highwater::Durability;
use highwater_models::litmus::LEAVES_MAX;
use highwater_models::setup;
use highwater_sim::{Device, Failure, Model, Verdict};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(version, about = ABOUT, args_conflicts_with_subcommands = true, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Without a command: run.
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

const ABOUT: &str = "\
Explores every disk that a power cut may leave, and says which promise broke.

Without a command it runs the default exploration: the payload store under the
posix disk model, eight operations, two crashes. Every other engine has models
of its own (list engines).";

const EXIT_CODES: &str = "\
Exit codes:
  0 held                      75 the environment failed us
  2 usage or invalid file    100 violated, or damaged files
  4 nothing selected         102 a replay diverged
  5 incomplete               103 blind: the control was not caught,
 70 a bug of ours                or not what was expected
                             104 broken without a crash";

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Explore the crash states of an engine
    Run(RunArgs),
    /// Walk the trail of a finding again
    Replay(ReplayArgs),
    /// Leave out each sync of an engine: is it needed?
    Audit(AuditArgs),
    /// Look at a store's or another system's files
    Inspect(InspectArgs),
    /// Take another system's files into a new store
    Import(ImportArgs),
    /// Write a store as another system's files
    Export(ExportArgs),
    /// Run litmus programs: what may a power cut leave?
    Litmus(LitmusArgs),
    /// List engines, bugs, disk models, faults or commands
    List(ListArgs),
}

/// Who reads the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// People, on stderr
    Human,
    /// Programs, on stdout
    Json,
}

/// `highwater run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Engine, or many: museum/*
    #[arg(long, default_value = "payload", value_name = "NAME")]
    pub(crate) engine: String,
    /// Disk models, or all [default: posix, or its own]
    #[arg(long, value_name = "MODEL", value_delimiter = ',')]
    pub(crate) model: Vec<Models>,
    /// Such as sector=4096,tear=prefix
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<Device>,
    /// Operations to run, as text or JSON; - for stdin
    #[arg(long, value_name = "FILE", conflicts_with = "ops")]
    pub(crate) workload: Option<PathBuf>,
    /// Operations of the standard workload [default: 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) ops: Option<u16>,
    /// Crashes in a run
    #[arg(long, default_value_t = 2, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=8))]
    pub(crate) crashes: u32,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Seed of the random trails
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
    /// Larger disks are sampled
    #[arg(long, default_value_t = 20_000, value_name = "N")]
    pub(crate) node_limit: u64,
    /// Stop each run after 10s or 50000 recoveries
    #[arg(long, default_value = "all", value_name = "BUDGET", hide_default_value = true)]
    pub(crate) budget: Budget,
    /// fsync (the default), flush-only, none, interval
    #[arg(long, value_name = "MODE", value_parser = setup::durability)]
    pub(crate) durability: Option<Durability>,
    /// Do not check that dropped syncs are noticed
    #[arg(long)]
    pub(crate) no_control: bool,
    /// Drop every sync, and show what breaks
    #[arg(long, conflicts_with_all = ["no_control", "faults"])]
    pub(crate) drop_syncs: bool,
    /// What else fails (see list faults)
    #[arg(long, value_name = "FAULTS", value_delimiter = ',')]
    pub(crate) faults: Vec<Faults>,
    /// Exit 0 if all answer like this, or as stated
    #[arg(long, value_name = "VERDICT", value_parser = verdict, num_args = 0..=1)]
    pub(crate) expect: Option<Option<Verdict>>,
    /// Exit 5 unless every crash state was covered
    #[arg(long)]
    pub(crate) require_complete: bool,
    /// Exit 5 unless this was reached
    #[arg(long, value_name = "NAME")]
    pub(crate) require_reach: Vec<String>,
    /// Write report.json and the findings to this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// human or json
    #[arg(long, default_value = "human", value_enum, hide_possible_values = true)]
    pub(crate) format: Format,
}

/// `highwater audit`.
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// Engine, or many: museum/*
    #[arg(long, default_value = "payload", value_name = "NAME")]
    pub(crate) engine: String,
    /// Disk models, or all [default: posix, or its own]
    #[arg(long, value_name = "MODEL", value_delimiter = ',')]
    pub(crate) model: Vec<Models>,
    /// Operations to run instead of ours
    #[arg(long, value_name = "FILE")]
    pub(crate) workload: Option<PathBuf>,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Exit 100 if one is redundant and has no reason
    #[arg(long)]
    pub(crate) require_necessary: bool,
    /// human or json
    #[arg(long, default_value = "human", value_enum, hide_possible_values = true)]
    pub(crate) format: Format,
}

/// `highwater replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The token of a finding
    pub(crate) token: String,
    /// human or json
    #[arg(long, default_value = "human", value_enum, hide_possible_values = true)]
    pub(crate) format: Format,
}

/// `highwater inspect`.
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// A store's folder, or one file in it
    pub(crate) path: PathBuf,
    /// The system, where its files do not say it
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) system: Option<System>,
    /// Explain the bytes, also of more than 16 KiB
    #[arg(long)]
    pub(crate) bytes: bool,
    /// When to judge expiry [default: the newest time there]
    #[arg(long, value_name = "NS", allow_negative_numbers = true)]
    pub(crate) at: Option<i64>,
    /// human or json
    #[arg(long, default_value = "human", value_enum, hide_possible_values = true)]
    pub(crate) format: Format,
}

/// `highwater import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The folder of the other system
    pub(crate) path: PathBuf,
    /// The folder of the store: a new one, or empty
    #[arg(long, value_name = "NEW")]
    pub(crate) into: PathBuf,
    /// What to do about damage: refuse or quarantine
    #[arg(long, default_value = "refuse", value_enum, hide_possible_values = true)]
    pub(crate) damage: Damage,
    /// The system, where its files do not say it
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) system: Option<System>,
}

/// What an import does about files that are damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Damage {
    /// Import nothing
    Refuse,
    /// Import what is whole, and say what is not
    Quarantine,
}

/// `highwater export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The folder of the store
    pub(crate) store: PathBuf,
    /// The format, such as velesdb
    #[arg(long = "as", value_name = "FORMAT")]
    pub(crate) format: String,
    /// Where to write: a new folder, or an empty one
    #[arg(long, value_name = "NEW")]
    pub(crate) into: PathBuf,
}

/// `highwater litmus`.
#[derive(Debug, Args)]
pub(crate) struct LitmusArgs {
    /// Programs to run [default: all that are built in]
    pub(crate) files: Vec<PathBuf>,
    /// Disk models (list models), or all
    #[arg(long, default_value = "all", value_name = "MODEL", value_delimiter = ',')]
    pub(crate) model: Vec<Models>,
    /// Disks to ask per question and model
    #[arg(long, default_value_t = LEAVES_MAX, value_name = "N",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: u64,
    /// human or json
    #[arg(long, default_value = "human", value_enum, hide_possible_values = true)]
    pub(crate) format: Format,
}

/// `highwater list`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// engines, bugs, models, faults or commands; without it, all
    #[arg(value_enum, hide_possible_values = true)]
    pub(crate) what: Option<What>,
    /// human or json
    #[arg(long, default_value = "human", value_enum, hide_possible_values = true)]
    pub(crate) format: Format,
    /// The same as --format json
    #[arg(long)]
    pub(crate) json: bool,
}

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// What can be explored
    Engines,
    /// The catalogue of the museum
    Bugs,
    /// Which crash states are possible
    Models,
    /// What can fail besides the power
    Faults,
    /// What highwater can do
    Commands,
}

/// A disk model, or all of them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Models {
    /// All of them, the weakest first.
    All,
    /// This one.
    One(Model),
}

impl FromStr for Models {
    type Err = String;

    fn from_str(text: &str) -> Result<Models, String> {
        match text {
            "all" => Ok(Models::All),
            _ => text.parse().map(Models::One).map_err(|why: String| format!("{why}, or all")),
        }
    }
}

/// Something that fails, or nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Faults {
    /// Only the power and the process.
    None,
    /// One thing, like this.
    One(Failure),
}

impl FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Faults, String> {
        match text {
            "none" => Ok(Faults::None),
            _ => text.parse().map(Faults::One).map_err(|why: String| format!("{why}, or none")),
        }
    }
}

/// Where to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Budget {
    /// At the end.
    All,
    /// After this time.
    Time(Duration),
    /// After so many recoveries, or few more.
    Recoveries(u64),
}

impl FromStr for Budget {
    type Err = String;

    fn from_str(text: &str) -> Result<Budget, String> {
        let wrong = || format!("{text:?} is no budget: like 10s, 500ms, 2m, 50000 or all");
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        if text == "all" {
            return Ok(Budget::All);
        }
        let number: u64 = number.parse().map_err(|_| wrong())?;
        match unit {
            "" => Ok(Budget::Recoveries(number)),
            "ms" => Ok(Budget::Time(Duration::from_millis(number))),
            "s" => Ok(Budget::Time(Duration::from_secs(number))),
            "m" => Ok(Budget::Time(Duration::from_secs(number.saturating_mul(60)))),
            _ => Err(wrong()),
        }
    }
}

fn verdict(text: &str) -> Result<Verdict, String> {
    const ALL: [Verdict; 6] = [
        Verdict::Held,
        Verdict::Violated,
        Verdict::Inconclusive,
        Verdict::Blind,
        Verdict::Broken,
        Verdict::Diverged,
    ];
    let names = ALL.map(|verdict| verdict.to_string()).join(", ");
    let found = ALL.into_iter().find(|verdict| verdict.to_string() == text);
    found.ok_or_else(|| format!("no verdict {text:?}: {names}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn budgets_are_read() {
        assert_eq!("all".parse(), Ok(Budget::All));
        assert_eq!("50000".parse(), Ok(Budget::Recoveries(50_000)));
        assert_eq!("10s".parse(), Ok(Budget::Time(Duration::from_secs(10))));
        assert_eq!("500ms".parse(), Ok(Budget::Time(Duration::from_millis(500))));
        assert_eq!("2m".parse(), Ok(Budget::Time(Duration::from_secs(120))));
        for text in ["", "s", "10 s", "-1", "10h", "1.5s", "99999999999999999999", "allx", "é"] {
            assert!(text.parse::<Budget>().is_err(), "{text:?}");
        }
    }
}
