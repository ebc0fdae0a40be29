//! What is asked of a piece.

use highwater_models::museum::Piece;
use highwater_models::{Engine, Job, Outcome, engine};
use highwater_sim::{Campaign, Model, Settings, Verdict};
use std::time::Instant;

fn run(engine: &Engine, model: Model) -> Outcome {
    let campaign = engine.campaign();
    let settings = Settings { model, ..campaign.settings.clone() };
    let campaign = Campaign { settings, ..campaign };
    engine.run(&Job { campaign, plan: engine.plan(), ..Job::default() }, &mut |_| ())
}

fn why(outcome: &Outcome) -> String {
    let Some(found) = &outcome.counterexample else { return format!("{:?}", outcome.tally) };
    let (broken, trace) = (&found.broken, &found.replayed.trace);
    format!("{}: {}\n{trace}{:#?}\n{}", broken.rule, broken.what, found.missing, found.token)
}

/// Judges a bug and its twin under every model, and asserts all that the card says.
pub(crate) fn judge(piece: &Piece) {
    let id = piece.id();
    let bug = engine(&format!("museum/{id}")).expect("every piece is listed");
    let twin = engine(&format!("museum/{id}/twin")).expect("every piece has a twin");
    let began = Instant::now();
    for model in Model::ALL {
        let outcome = run(bug, model);
        let expected = bug.expected_under(model);
        assert_eq!(outcome.verdict, expected, "{id} under {model}\n{}", why(&outcome));
        if expected == Verdict::Held {
            held(&format!("{id} under {model}"), &outcome);
        } else {
            counterexample(piece, twin, model, &outcome);
        }
    }
    let between = Instant::now();
    for model in Model::ALL {
        held(&format!("{id}/twin under {model}"), &run(twin, model));
    }
    let (bug, twin) = (between - began, between.elapsed());
    println!("{id}: {:.2} s, twin {:.2} s", bug.as_secs_f64(), twin.as_secs_f64());
}

fn held(what: &str, outcome: &Outcome) {
    assert_eq!(outcome.verdict, Verdict::Held, "{what}\n{}", why(outcome));
    assert!(outcome.control_caught.unwrap_or(true), "{what}: the control");
    assert!(outcome.exhaustive, "{what}: {:?} {:?}", outcome.tally, outcome.failures);
}

fn counterexample(piece: &Piece, twin: &Engine, model: Model, outcome: &Outcome) {
    let what = format!("{} under {model}", piece.bug);
    let found = outcome.counterexample.as_ref().expect("what is violated has a counterexample");
    assert_eq!(found.broken.rule, piece.rule, "{what}\n{}", why(outcome));
    assert!(found.reproduced, "{what}\n{}", why(outcome));
    let ops = found.workload.len();
    assert!(ops <= piece.ops, "{what}: {ops} operations, not {}\n{}", piece.ops, why(outcome));
    let token = found.token.to_string().parse().expect("a token reads its own text");
    assert_eq!(found.token, token, "{what}");
    let bug = engine(&token.engine).expect("a token names its engine");
    let walks = bug.replay(&token).expect("a token's workload is its engine's");
    assert!(walks.agree(), "{what}: {:?}", walks.first.diverged);
    assert_eq!(walks.first.broken.as_ref(), Some(&found.broken), "{what}");
    let spared = twin.replay(&token).expect("a twin has the same workload");
    assert_eq!(spared.first.broken, None, "{what}: the twin on the bug's trail");
    if model == Model::Posix {
        insta::assert_snapshot!(piece.id(), text(piece, outcome));
    }
}

/// The counterexample as people read it, and what it cost to find.
fn text(piece: &Piece, outcome: &Outcome) -> String {
    let found = outcome.counterexample.as_ref().expect("a counterexample");
    let mut text = format!("{}: {}\n{}\n\n", piece.bug, piece.title, piece.source);
    text += &format!("{}: {}\n", found.broken.rule, found.broken.what);
    text += &format!("found by {} recoveries\n\n", outcome.recoveries);
    text += &found.replayed.trace.to_string();
    for missing in &found.missing {
        text += &format!("missing: {missing}\n");
    }
    if let Some(remedy) = &found.remedy {
        text += &format!("remedy: {remedy}\n");
    }
    text + &format!("token: {}\n", found.token)
}
