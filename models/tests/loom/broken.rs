//! Broken variants: each weakens one thing, and a model must catch it, for the reason stated.
//! Since loom aborts the process where it finds a deadlock, a variant runs in a process of its own.

use crate::{log, positions, queue};
use std::process::Command;
use std::sync::OnceLock;

const VARIABLE: &str = "HIGHWATER_BROKEN";

struct Broken {
    name: &'static str,
    model: fn(),
    /// Of what the checker says.
    caught: &'static str,
}

const fn broken(name: &'static str, model: fn(), caught: &'static str) -> Broken {
    Broken { name, model, caught }
}

const DEADLOCK: &str = "deadlock; threads =";

const ALL: &[Broken] = &[
    broken("appended relaxed", positions::one_reader, "A2: appended stands before its bytes"),
    broken("written relaxed", positions::two_publishers, "A2: written stands before its bytes"),
    broken("durable relaxed", queue::and_a_reader, "P10: durable is 0, a reader heard"),
    broken("snapshot relaxed", positions::only_grow, "A1: a snapshot of what is not durable"),
    broken("a reader asks for the larger first", positions::one_reader, "A1: "),
    broken("durable before written", queue::and_a_reader, "A1: "),
    broken("written before the bytes", log::refresh, "A2: a position ahead of the segments"),
    broken("durable before the sync returns", queue::and_a_reader, "P10: durable is 0"),
    broken(
        "the sync's end is taken after it",
        queue::and_a_reader,
        "P10: durable is 1, a reader heard 2",
    ),
    broken("a failed sync is tried again", queue::failing, "Q2: 1 was acknowledged, 0 is durable"),
    broken("a failure calls nobody", queue::failing, DEADLOCK),
    broken("one is called for all", queue::failing, DEADLOCK),
    broken("the next leader is not called", queue::three, DEADLOCK),
    broken("a call for one who has left", queue::over_at_any_moment, DEADLOCK),
    broken("who wants to be alone is not called", queue::alone, DEADLOCK),
    broken("rotates where it stands", log::rotation, "L4: durable to its end"),
    broken("memory is let go of when it is taken", log::reader, "L6: neither in memory nor"),
    broken("segments before the position", log::reader, "L6: neither in memory nor"),
    broken("a segment is listed when it is written", log::refresh, "A2: a position ahead of"),
    broken("a miss is not looked up again", log::refresh, "A2: a position ahead of"),
    broken("a snapshot waits for nobody", log::snapshot, "S6: not the state at"),
    broken("a shutdown waits for nobody", log::shutdown, "a write behind the mark"),
    broken("growth begins at nothing", log::growth, "growth since the snapshot of"),
];

/// Whether this process is to be weak there.
pub(crate) fn weak(name: &str) -> bool {
    static CHOSEN: OnceLock<Option<String>> = OnceLock::new();
    assert!(ALL.iter().any(|broken| broken.name == name), "no variant {name:?}");
    CHOSEN.get_or_init(|| std::env::var(VARIABLE).ok()).as_deref() == Some(name)
}

/// What the processes of [`loom_every_broken_variant_is_caught`] run; without a variant, nothing.
#[test]
fn one_variant() {
    let Ok(name) = std::env::var(VARIABLE) else { return };
    let broken = ALL.iter().find(|broken| broken.name == name).unwrap();
    (broken.model)();
}

#[test]
fn loom_every_broken_variant_is_caught() {
    let mut missed = Vec::new();
    for &Broken { name, caught, .. } in ALL {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "broken::one_variant", "--nocapture"]).env(VARIABLE, name);
        let output = child.output().unwrap();
        let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        let text = text.concat();
        if output.status.success() || !text.contains(caught) {
            missed.push(format!("== {name}: {}, without {caught:?}\n{text}", output.status));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
