//! The speed table of `docs/performance.md`: this store and its peers, side by side in one run.
//!
//! ```text
//! cd tests/peers
//! cargo run --release                          # all of it, some ten minutes; writes docs/
//! cargo run --release -- --quick               # whether everybody works; writes to target/
//! cargo run --release -- --only W3,W4 --peers highwater,okaywal,ideal
//! cargo run --release -- --from ../../docs/performance.json   # tables and plots again
//! cargo run --release --features rocksdb       # with RocksDB: 25 minutes of CPU, and libclang
//! ```

mod busy;
mod load;
mod machine;
mod measure;
mod peer;
mod peers;
mod plot;
mod report;
mod rows;
mod slice;
mod stats;
mod strace;

use clap::{Args, Parser, Subcommand};
use measure::{Plan, Results};
use peer::Done;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// highwater and its peers, measured side by side.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Run,
}

#[derive(Subcommand)]
enum Command {
    /// One step of one peer: what the run starts for each measurement.
    #[command(hide = true)]
    Slice(slice::SliceArgs),
}

#[derive(Args)]
struct Run {
    /// Rounds; in each, everybody takes a turn at everything.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only these rows, like W3,W4 or W3-64.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only these, like highwater,okaywal,ideal.
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
    /// One round of little: whether everybody works, not how fast.
    #[arg(long)]
    quick: bool,
    /// Records and pairs of W1, W5, W6.
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,
    /// Milliseconds of each measurement of W2, W3, W4.
    #[arg(long, default_value_t = 500)]
    millis: u64,
    /// Where to write performance.json, performance.md and the plots; docs/ for a whole run.
    #[arg(long)]
    out: Option<PathBuf>,
    /// A directory on the disk that is to be measured; it is emptied.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Writes tables and plots of an earlier run's JSON, and measures nothing.
    #[arg(long)]
    from: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.command {
        Some(Command::Slice(args)) => slice::run(args).map(|()| true),
        None => run(&arguments.run),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// Measures, writes, and draws; false if somebody could not be measured.
fn run(run: &Run) -> Done<bool> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = package.join("../../docs");
    let results = match &run.from {
        Some(file) => serde_json::from_str(&fs::read_to_string(file)?)?,
        None => {
            let names: Vec<&str> = peer::all().iter().map(|peer| peer.name).collect();
            if let Some(name) = run.peers.iter().find(|name| !names.contains(&name.as_str())) {
                return Err(format!("nobody is called {name}; there are {names:?}").into());
            }
            measure::run(&Plan {
                rounds: if run.quick { 1 } else { run.rounds },
                only: run.only.clone(),
                peers: run.peers.clone(),
                records: if run.quick { run.records.min(20_000) } else { run.records },
                millis: if run.quick { run.millis.min(100) } else { run.millis },
                repeats: if run.quick { 0 } else { 3 },
                dir: run.dir.clone().unwrap_or(package.join("target/disk")),
            })?
        }
    };
    // A part of the table does not replace the whole.
    let whole = !run.quick && run.only.is_empty() && run.peers.is_empty();
    let out = match (&run.out, whole || run.from.is_some()) {
        (Some(out), _) => out.clone(),
        (None, true) => docs.clone(),
        (None, false) => package.join("target/tables"),
    };
    write(&results, &docs.join("performance.md"), &out)?;
    print!("{}", report::in_text(&results));
    eprintln!("\nwritten to {}", out.display());
    Ok(results.complete())
}

fn write(results: &Results, page: &Path, out: &Path) -> Done {
    let plots = out.join("performance");
    fs::create_dir_all(&plots)?;
    fs::write(out.join("performance.json"), serde_json::to_string_pretty(results)? + "\n")?;
    let page = report::into_page(&fs::read_to_string(page)?, &report::tables(results, true))?;
    fs::write(out.join("performance.md"), page)?;
    for row in rows::ROWS {
        if let Some(svg) = plot::svg(results, &row) {
            fs::write(plots.join(format!("{}.svg", row.key.to_lowercase())), svg)?;
        }
    }
    Ok(())
}
