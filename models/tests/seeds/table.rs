//! The page that says what became of each promise: `docs/seeds.md`.
//!
//! After a change: `UPDATE_DOCS=1 cargo test -p highwater-models --test seeds page`.

use crate::judge::{run, subject};
use crate::page::{self, letters};
use highwater_models::seeds::{Trial, trials};
use highwater_sim::Model;
use std::fmt::Write;

#[test]
fn the_page_is_what_the_trials_say() {
    let systems = ["velesdb", "velesdb-plan", "keyval", "stemedb", "data-bridge-kv"];
    let mut parts = vec![("count", count())];
    parts.extend(systems.map(|system| (system, table(system))));
    page::is_up_to_date("seeds.md", &parts);
}

fn count() -> String {
    let broken = trials().iter().filter(|trial| trial.rule.is_some()).count();
    let mended = trials().iter().filter(|trial| trial.twin.is_some()).count();
    let kept = trials().len() - broken;
    format!("{broken} promises are broken, {mended} of them mended in a twin; {kept} are kept.\n")
}

fn table(system: &str) -> String {
    let mut text = String::from("\n| on trial | promise | verdict | shows | what becomes of it |");
    text += " highwater instead | token |\n|---|---|---|---|---|---|---|\n";
    for trial in trials().iter().filter(|trial| trial.system() == system) {
        text += &line(trial);
    }
    text + "\n"
}

fn line(trial: &Trial) -> String {
    let model = trial.shows.first().copied().unwrap_or(Model::Posix);
    let outcome = run(subject(trial), model);
    let mut verdict = outcome.verdict.to_string();
    let mut token = String::new();
    match (&outcome.counterexample, outcome.tally.states_total) {
        (Some(found), _) => {
            let rule = found.broken.rule.to_string();
            verdict = format!("**{}**", rule.split(' ').next().unwrap_or_default());
            token = format!("`{}`", found.token);
        }
        (None, Some(states)) => write!(verdict, ", {states} states").expect("a string grows"),
        (None, None) => {}
    }
    if let Some(failure) = trial.needs {
        write!(verdict, " ({failure})").expect("a string grows");
    } else if trial.broken {
        verdict += " (no crash)";
    } else if trial.kill_only {
        verdict += " (kill)";
    }
    let twin = if trial.twin.is_some() { " ✓" } else { "" };
    let Trial { name, promise, source, about, native, .. } = trial;
    let shows = letters(trial.shows);
    format!(
        "| `seeds/{name}`{twin} | {promise} ({source}) | {verdict} | {shows} | {about} | {native} \
         | {token} |\n"
    )
}
