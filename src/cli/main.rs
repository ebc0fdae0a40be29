//! `highwater`: explore every crash state of a store, replay a finding, look at a store's files.
//!
//! Reports for people go to stderr, data goes to stdout. Every outcome has an exit code of its own
//! ([`exit`]), so that a script need not read either.

mod args;
mod audit;
mod convert;
mod exit;
mod human;
mod inspect;
mod list;
mod litmus;
mod out;
mod progress;
mod reason;
mod replay;
mod report;
mod run;
mod summary;
mod views;

use args::{Cli, Command};
use clap::Parser;
use exit::Failure;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

/// An exploration makes and drops small things: that is where much of its time goes.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What the last panics said. The hook only notes it: an engine that panics while it is explored is
/// a finding, and its panics may be many.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        let mut panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
        panics.truncate(1);
        panics.insert(0, panic.to_string());
    }));
    let cli = Cli::parse();
    let done = std::panic::catch_unwind(|| match cli.command {
        None => run::run(&cli.run),
        Some(Command::Run(args)) => run::run(&args),
        Some(Command::Audit(args)) => audit::audit(&args),
        Some(Command::Replay(args)) => replay::replay(&args),
        Some(Command::Inspect(args)) => inspect::run(&args),
        Some(Command::Import(args)) => convert::import(&args),
        Some(Command::Export(args)) => convert::export(&args),
        Some(Command::Litmus(args)) => litmus::run(&args),
        Some(Command::List(args)) => list::list(&args),
    });
    let done = done.unwrap_or_else(|_| {
        let panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
        let what = panics.join("\n");
        Err(Failure::new(exit::BUG, format!("this is a bug in highwater itself:\n{what}")))
    });
    let code = done.unwrap_or_else(|failure| {
        out::complain(&failure.message);
        failure.code
    });
    ExitCode::from(code)
}
