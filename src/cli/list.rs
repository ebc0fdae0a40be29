//! `highwater list`: what can be asked for, and by which name.

use crate::args::{Cli, Format, ListArgs, What};
use crate::exit::{self, Done};
use crate::human::{table, text_of};
use crate::out::{data, json};
use crate::report::number_of;
use clap::CommandFactory;
use highwater_models::engines;
use highwater_models::museum::{Piece, catalogue};
use highwater_sim::{Decay, FailedSync, Model};
use serde_json::{Value, json};

const ALL: [What; 5] = [What::Engines, What::Bugs, What::Models, What::Faults, What::Commands];

/// Lists one thing, or everything.
pub(crate) fn list(args: &ListArgs) -> Done {
    let wanted: Vec<What> = args.what.map_or(ALL.to_vec(), |what| vec![what]);
    if args.json || args.format == Format::Json {
        let document = match &wanted[..] {
            [one] => values(*one),
            all => Value::Object(
                all.iter().map(|what| (name(*what).to_string(), values(*what))).collect(),
            ),
        };
        data(&json(&document))?;
        return Ok(exit::HELD);
    }
    let mut text = String::new();
    for what in &wanted {
        if wanted.len() > 1 {
            let gap = if text.is_empty() { "" } else { "\n" };
            text += &format!("{gap}{}\n", name(*what));
        }
        let mut table = table();
        values(*what).as_array().into_iter().flatten().for_each(|row| {
            table.add_row(if *what == What::Bugs { bug_cells(row) } else { cells(row) });
        });
        text += &text_of(&table);
    }
    data(&text)?;
    Ok(exit::HELD)
}

fn name(what: What) -> &'static str {
    match what {
        What::Engines => "engines",
        What::Bugs => "bugs",
        What::Models => "models",
        What::Faults => "faults",
        What::Commands => "commands",
    }
}

/// The name and what there is to say about it.
fn cells(row: &Value) -> [String; 2] {
    let text = |key: &str| row.get(key).and_then(Value::as_str);
    let name = text("engine").or(text("name")).unwrap_or_default();
    let mut about = text("about").unwrap_or_default().to_string();
    if let Some(expected) = text("expected") {
        let rule = text("rule").map_or(String::new(), |rule| format!(" ({rule})"));
        about = format!("{about}; expected: {expected}{rule}");
    }
    [format!(" {name}"), about]
}

/// A bug, and how to run it.
fn bug_cells(row: &Value) -> [String; 2] {
    let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default();
    let about = format!("{}; {} ({})", text("title"), text("engine"), text("rule"));
    [format!(" {}", text("bug")), about]
}

fn values(what: What) -> Value {
    match what {
        What::Engines => engines().iter().map(engine).collect(),
        What::Bugs => catalogue().into_iter().map(bug).collect(),
        What::Models => Model::ALL.iter().map(|m| named(&m.to_string(), model(*m))).collect(),
        What::Faults => {
            let families = FailedSync::ALL.iter().map(|f| named(&f.to_string(), fault(*f)));
            let decays = Decay::ALL.iter().map(|d| named(&d.to_string(), decay(*d)));
            let others = [
                named("lying", "every sync says Ok and does nothing (outside the promise)"),
                named("write:EIO", "one call fails: CALL:EIO, EIO+n, ENOSPC, EINTR or short+n"),
                named("none", "nothing fails but the power and the process"),
            ];
            families.chain(decays).chain(others).collect()
        }
        What::Commands => {
            let all = Cli::command();
            let about = |c: &clap::Command| c.get_about().map(ToString::to_string);
            let one = |c| named(clap::Command::get_name(c), &about(c).unwrap_or_default());
            all.get_subcommands().map(one).collect()
        }
    }
}

fn engine(engine: &highwater_models::Engine) -> Value {
    let models: Vec<String> = engine.models.iter().map(ToString::to_string).collect();
    json!({
        "engine": engine.name.as_str(),
        "expected": engine.expected.to_string(),
        "rule": engine.rule.map(number_of),
        "bug": engine.bug,
        "models": models,
        "about": engine.about,
    })
}

fn bug(piece: &Piece) -> Value {
    let models: Vec<String> = piece.shows.iter().map(ToString::to_string).collect();
    json!({
        "bug": piece.bug,
        "title": piece.title,
        "source": piece.source,
        "rule": number_of(piece.rule),
        "models": models,
        "needs": piece.needs.map(|failure| failure.to_string()),
        "engine": format!("museum/{}", piece.id()),
    })
}

fn named(name: &str, about: &str) -> Value {
    json!({ "name": name, "about": about })
}

fn model(model: Model) -> &'static str {
    match model {
        Model::Posix => "what POSIX promises and no more: any unsynced change may be lost",
        Model::Ext4Writeback => "ext4 with data=writeback: a directory in order, stale blocks",
        Model::Ext4Ordered => "ext4 with data=ordered: a directory in order, data before length",
        Model::Ext4Journal => "ext4 with data=journal: all changes in order",
        Model::Xfs => "XFS: all metadata in order, data before length, overwrites free",
        Model::Btrfs => "btrfs: names free, data before length and before a rename that replaces",
        Model::Strict => "all changes in order, and syncing a file persists its name",
        _ => "",
    }
}

fn fault(family: FailedSync) -> &'static str {
    match family {
        FailedSync::KeepDirty => "the changes stay pending: a retry writes them",
        FailedSync::KeepNew => "any of them is lost, the cache shows it, a retry says Ok",
        FailedSync::Revert => "any of them is lost, and the cache goes back too",
        FailedSync::Late => "this sync says Ok, the next one fails (outside the promise)",
        _ => "",
    }
}

fn decay(decay: Decay) -> &'static str {
    match decay {
        Decay::Flipped => "one bit of a sector at rest is another",
        Decay::Zeroed => "a sector at rest is all zeros",
        Decay::Stale => "a sector at rest is what it was before it was last written",
        Decay::Misdirected => "the last write of a sector went to another one",
        Decay::Lost => "a sector was never written",
        Decay::Unreadable => "a sector cannot be read until it is written again",
        _ => "",
    }
}
