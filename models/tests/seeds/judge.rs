//! What is asked of a trial.

use highwater_models::seeds::Trial;
use highwater_models::{Counterexample, Engine, Job, Outcome, engine};
use highwater_sim::{Campaign, Model, Settings, Verdict};

pub(crate) fn run(engine: &Engine, model: Model) -> Outcome {
    let campaign = engine.campaign();
    let settings = Settings { model, ..campaign.settings.clone() };
    let campaign = Campaign { settings, ..campaign };
    engine.run(&Job { campaign, plan: engine.plan(), ..Job::default() }, &mut |_| ())
}

/// The subject of a trial.
pub(crate) fn subject(trial: &Trial) -> &'static Engine {
    engine(&format!("seeds/{}", trial.name)).expect("every trial is listed")
}

fn twin(trial: &Trial) -> Option<&'static Engine> {
    engine(&format!("seeds/{}/twin", trial.name))
}

/// Judges a trial and its twin under every model: what is not as the card says, a line each.
pub(crate) fn judge(trial: &Trial) -> Vec<String> {
    let began = std::time::Instant::now();
    let engine = subject(trial);
    let mut wrong = Vec::new();
    for model in Model::ALL {
        let what = format!("{} under {model}", trial.name);
        let outcome = run(engine, model);
        let expected = engine.expected_under(model);
        if outcome.verdict != expected {
            wrong.push(format!("{what}: {}, not {expected}: {}", outcome.verdict, why(&outcome)));
        } else if expected == Verdict::Held {
            wrong.extend(held(&what, &outcome));
        } else {
            let found = outcome.counterexample.as_ref().expect("a counterexample");
            wrong.extend(counterexample(trial, found).into_iter().map(|w| format!("{what}: {w}")));
        }
    }
    for model in Model::ALL {
        if let Some(twin) = twin(trial) {
            wrong.extend(held(&format!("{} under {model}", twin.name), &run(twin, model)));
        }
    }
    println!("{}: {:.2} s", trial.name, began.elapsed().as_secs_f64());
    wrong
}

fn why(outcome: &Outcome) -> String {
    let Some(found) = &outcome.counterexample else { return format!("{:?}", outcome.tally) };
    let Counterexample { broken, replayed, missing, token, .. } = found;
    let trace = &replayed.trace;
    format!("{}: {}\n{trace}{missing:#?}\n{token}", broken.rule, broken.what)
}

/// What is wrong with a subject that has to hold.
fn held(what: &str, outcome: &Outcome) -> Option<String> {
    if outcome.verdict != Verdict::Held {
        return Some(format!("{what}: {}: {}", outcome.verdict, why(outcome)));
    }
    let whole = outcome.exhaustive && outcome.control_caught.unwrap_or(true);
    (!whole).then(|| format!("{what}: not exhaustive: {:?}", outcome.tally))
}

/// What is wrong with a counterexample: it breaks what the card says, it is as small, its token
/// reads its own text, walks there twice with equal traces, and spares the twin.
fn counterexample(trial: &Trial, found: &Counterexample) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut ask = |is_so: bool, what: String| wrong.extend((!is_so).then_some(what));
    let (broken, ops) = (&found.broken, found.workload.len());
    let rule = format!("{}: {}\n{}", broken.rule, broken.what, found.replayed.trace);
    let rules = trial.rule.iter().chain(trial.also);
    ask(rules.into_iter().any(|rule| *rule == broken.rule), rule);
    ask(found.reproduced, "it was not walked twice".into());
    ask(ops <= trial.ops, format!("{ops} operations, not {}: {:?}", trial.ops, found.workload));
    let token = found.token.to_string().parse().expect("a token reads its own text");
    ask(found.token == token, format!("{token} reads as another token"));
    let engine = engine(&token.engine).expect("a token names its engine");
    let walks = engine.replay(&token).expect("a token's workload is its engine's");
    ask(walks.agree(), format!("the walks differ: {:?}", walks.first.diverged));
    ask(walks.first.broken.as_ref() == Some(broken), "the walk breaks something else".into());
    if let Some(twin) = twin(trial) {
        let spared = twin.replay(&token).expect("a twin has the same workload");
        ask(spared.first.broken.is_none(), "the trail breaks the twin".into());
    }
    wrong
}
