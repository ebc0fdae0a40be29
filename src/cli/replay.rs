//! `highwater replay`: walks the trail of a finding twice, and says whether it still breaks.

use crate::args::{Format, ReplayArgs};
use crate::exit::{self, Done, Failure};
use crate::human;
use crate::out::{coloured, data, json, note, wrapped};
use crate::report::number_of;
use crate::run::unknown_engine;
use highwater_models::{Token, Walks, engine};
use serde::Serialize;

/// What a replay came to.
#[derive(Serialize)]
struct Replay {
    token: String,
    engine: String,
    model: String,
    verdict: &'static str,
    rule: Option<String>,
    title: Option<String>,
    lost: Vec<String>,
    diverged: Option<String>,
    trace: Vec<String>,
}

/// Walks a token's trail.
pub(crate) fn replay(args: &ReplayArgs) -> Done {
    let token: Token = args.token.parse().map_err(Failure::usage)?;
    let engine = engine(&token.engine).ok_or_else(|| unknown_engine(&token.engine))?;
    let walks = engine.replay(&token).map_err(Failure::usage)?;
    let broken = walks.first.broken.as_ref();
    let (verdict, code) = match (walks.agree(), broken) {
        (false, _) => ("diverged", exit::DIVERGED),
        (true, Some(_)) => ("violated", exit::VIOLATED),
        (true, None) => ("held", exit::HELD),
    };
    match args.format {
        Format::Human => note(&text(&token, &walks, verdict)),
        Format::Json => data(&json(&Replay {
            token: token.to_string(),
            engine: token.engine.clone(),
            model: token.model.to_string(),
            verdict,
            rule: broken.map(|broken| number_of(broken.rule)),
            title: broken.map(|broken| broken.what.clone()),
            lost: walks.first.lost.iter().map(|lost| lost.call.clone()).collect(),
            diverged: why_diverged(&walks),
            trace: walks.first.trace.to_string().lines().map(str::to_string).collect(),
        }))?,
    }
    Ok(code)
}

fn why_diverged(walks: &Walks) -> Option<String> {
    let twice = || (walks.first != walks.second).then(|| "two walks differ".to_string());
    walks.first.diverged.clone().or_else(twice)
}

fn text(token: &Token, walks: &Walks, verdict: &str) -> String {
    let Token { engine, model, fault, .. } = token;
    let mut text = coloured(verdict, verdict == "held");
    text += &format!(": {engine} under {model}, what fails: {fault}\n");
    text += match verdict {
        "held" => "The trail breaks no promise: it is repaired, or it never broke one.\n",
        "violated" => "The trail breaks the promise, twice in the same way.\n",
        _ => "The trail does not fit the engine: one of the two has changed.\n",
    };
    if let Some(why) = why_diverged(walks) {
        text += &wrapped("", &why);
    }
    if let Some(broken) = &walks.first.broken {
        text += &format!("\n{}", human::broken(broken));
    }
    text += "\nThe workload\n";
    text += &human::workload(&walks.workload);
    text + &human::walk(&walks.first)
}
