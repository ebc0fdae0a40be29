//! The tables of the page, between two marks in it; and bars for a terminal.

use crate::load::BATCH;
use crate::measure::{Results, Series, Who};
use crate::peer::Done;
use crate::rows::{ROWS, Row};
use crate::slice::Step;
use crate::stats::{Spread, Unit, number};
use std::fmt::Write;

const BEGIN: &str = "<!-- measured: begin (written by tests/peers) -->";
const END: &str = "<!-- measured: end -->";

/// The page with `tables` between its marks.
pub(crate) fn into_page(page: &str, tables: &str) -> Done<String> {
    let (before, rest) = page.split_once(BEGIN).ok_or("the page has no mark to begin at")?;
    let (_, after) = rest.split_once(END).ok_or("the page has no mark to end at")?;
    Ok(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", tables.trim()))
}

/// Somebody's place in a row, best first.
struct Place<'a> {
    who: &'a Who,
    series: &'a Series,
    spread: Spread,
}

impl Place<'_> {
    fn is(&self, kind: &str) -> bool {
        self.who.kind == kind
    }

    /// In syncs of the raw loop just before and after; a batch of W4 is one.
    fn by_syncs(&self, row: &Row) -> Option<f64> {
        let operation = if row.step == Step::Batch { BATCH as f64 } else { 1.0 };
        let ratios = Spread::of_ratios(&self.series.values, &self.series.raw)?;
        Some(ratios.median / operation).filter(|_| row.by_syncs)
    }

    /// What it is compared by: a disk is not always as fast, and where syncs count, they tell.
    fn figure(&self, row: &Row) -> f64 {
        self.by_syncs(row).unwrap_or(self.spread.median)
    }
}

fn places<'a>(results: &'a Results, row: &Row) -> Vec<Place<'a>> {
    let place = |who: &'a Who| {
        let series = who.rows.get(row.key)?;
        if row.value == "open" && row.step == Step::Replay && who.kind == "limit" {
            return None; // they have nothing to do before they read
        }
        Some(Place { who, series, spread: Spread::of(&series.values)? })
    };
    let mut places: Vec<Place<'_>> = results.who.iter().filter_map(place).collect();
    let key = |place: &Place<'_>| row.unit.share(place.figure(row), 1.0);
    places.sort_by(|a, b| key(b).total_cmp(&key(a)));
    places
}

/// All tables of the page.
pub(crate) fn tables(results: &Results, plots: bool) -> String {
    let mut text = String::new();
    let machine = &results.machine;
    let _ = writeln!(
        text,
        "{} rounds in {:.0} s, {} records, slices of {} ms;\n\
         {} cores ({}), {} GiB, Linux {}, {}.\n\
         {} measurements, {} repeated because others had more than 5 % of the processors, {} kept\n\
         all the same.\n",
        results.rounds,
        results.seconds,
        number(results.records as f64, Unit::PerSecond),
        results.millis,
        machine.cores,
        machine.processor,
        machine.memory_gib,
        machine.kernel,
        machine.filesystem,
        results.measured,
        results.repeated,
        results.kept_busy,
    );
    text += "### At a glance\n\n";
    text += &glance(results);
    text += "\n### Limits of the machine\n\n| what | median [min .. max] | |\n|---|---|---|\n";
    for (what, unit, values) in results.limits() {
        let spread = Spread::of(values).map(|spread| spread.text(Unit::PerSecond));
        let _ = writeln!(text, "| {what} | {} | {unit} |", spread.unwrap_or_default());
    }
    for row in ROWS {
        let places = places(results, &row);
        if !places.is_empty() {
            text += &table(&row, &places);
            if plots {
                let key = row.key.to_lowercase();
                let _ = writeln!(text, "\n![{}](performance/{key}.svg)", row.title);
            }
        }
    }
    text += "\n### Who, and how\n\n| | version | syncs a durable append | how it is used |\n";
    text += "|---|---|---|---|\n";
    for who in &results.who {
        let Who { name, version, note, .. } = who;
        let _ = writeln!(text, "| {name} | {version} | {} | {note} |", durable(who));
        for why in &who.failed {
            let _ = writeln!(text, "| {name} | | | **not measured**: {why} |");
        }
    }
    text
}

/// What "durable" comes to.
fn durable(who: &Who) -> String {
    let Some(syncs) = &who.syncs else { return "not counted".into() };
    let says = syncs.iter().map(|(call, count)| format!("{count:.2} {call}"));
    let says = says.collect::<Vec<_>>().join(", ");
    let real: f64 = ["fsync", "fdatasync"].iter().filter_map(|call| syncs.get(*call)).sum();
    match real >= 1.0 {
        true => says,
        false => format!("{says} **not durable**").trim_start().to_string(),
    }
}

fn glance(results: &Results) -> String {
    let mut text = "| | highwater | best peer | ideal | raw | rank | of the ideal |\n".to_string();
    text += "|---|---|---|---|---|---|---|\n";
    for row in ROWS {
        let places = places(results, &row);
        let Some(ours) = places.iter().find(|place| place.who.name == "highwater") else {
            continue;
        };
        let say = |place: Option<&Place<'_>>| {
            let value = |place: &Place<'_>| {
                let value = number(place.spread.median, row.unit);
                match place.by_syncs(&row) {
                    Some(ratio) => format!("{value}, {ratio:.2} x raw"),
                    None => value,
                }
            };
            place.map_or("-".to_string(), value)
        };
        let named = |name: &str| places.iter().find(|place| place.who.name == name);
        let best = places.iter().find(|place| place.is("peer"));
        let rank = places.iter().filter(|place| place.is("peer"));
        let rank = rank.filter(|p| row.unit.better(p.figure(&row), ours.figure(&row))).count();
        let ideal = named("ideal").map(|p| row.unit.share(ours.figure(&row), p.figure(&row)));
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} |",
            row.key,
            say(Some(ours)),
            best.map_or("-".into(), |p| format!("{} {}", p.who.name, say(Some(p)))),
            say(named("ideal")),
            say(named("raw")),
            if best.is_some() { (rank + 1).to_string() } else { "-".into() },
            ideal.map_or("-".into(), |share| format!("{share:.2}")),
        );
    }
    text
}

fn table(row: &Row, places: &[Place<'_>]) -> String {
    let mut text = format!("\n### {}\n\n| | median [min .. max]", row.title);
    text += if row.by_syncs { " | x raw" } else { "" };
    text += " | of the ideal |\n|---|---";
    text += if row.by_syncs { "|---" } else { "" };
    text += "|---|\n";
    let ideal = places.iter().find(|place| place.who.name == "ideal");
    for place in places {
        let name = match place.is("ours") {
            true => format!("**{}**", place.who.name),
            false => place.who.name.clone(),
        };
        let _ = write!(text, "| {name} | {} |", place.spread.text(row.unit));
        if row.by_syncs {
            let ratio = place.by_syncs(row).map(|ratio| format!("{ratio:.2}"));
            let _ = write!(text, " {} |", ratio.unwrap_or_default());
        }
        let share = ideal.map(|i| row.unit.share(place.figure(row), i.figure(row)));
        let _ = writeln!(text, " {} |", share.map_or("-".into(), |share| format!("{share:.2}")));
    }
    text
}

/// What a plot shows: names, whether it is ours, spreads.
pub(crate) fn bars(results: &Results, row: &Row) -> Vec<(String, String, Spread)> {
    let bar = |place: Place<'_>| (place.who.name.clone(), place.who.kind.clone(), place.spread);
    places(results, row).into_iter().map(bar).collect()
}

/// The same for a terminal of 80 columns.
pub(crate) fn in_text(results: &Results) -> String {
    const WIDTH: f64 = 40.0;
    let mut text = String::new();
    for row in ROWS {
        let bars = bars(results, &row);
        let most = bars.iter().map(|bar| bar.2.median).fold(0.0, f64::max);
        if bars.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n{}", row.title);
        for (name, kind, spread) in bars {
            let filled = ((spread.median / most * WIDTH).round() as usize).max(1);
            let block = match kind.as_str() {
                "ours" => "█",
                "peer" => "▓",
                _ => "░",
            };
            let value = number(spread.median, row.unit);
            let _ = writeln!(text, "  {name:<14} {:<40} {value:>9}", block.repeat(filled));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn who(name: &str, kind: &str, row: &str, values: &[f64], raw: &[f64]) -> Who {
        let series = Series { values: values.to_vec(), raw: raw.to_vec() };
        Who {
            name: name.into(),
            version: String::new(),
            kind: kind.into(),
            note: String::new(),
            syncs: Some(BTreeMap::new()),
            rows: BTreeMap::from([(row.to_string(), series)]),
            failed: Vec::new(),
        }
    }

    fn results(who: Vec<Who>) -> Results {
        Results {
            rounds: 1,
            records: 1,
            millis: 1,
            machine: crate::machine::Facts::default(),
            limits: BTreeMap::new(),
            who,
            measured: 0,
            repeated: 0,
            kept_busy: 0,
            seconds: 0.0,
        }
    }

    #[test]
    fn tables_replace_what_stood_between_the_marks() {
        let page = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let new = into_page(&page, "new\n").unwrap();
        assert_eq!(new, format!("a\n{BEGIN}\n\nnew\n\n{END}\nb\n"));
        assert_eq!(into_page(&new, "new\n").unwrap(), new);
        assert!(into_page("a", "b").is_err());
    }

    #[test]
    fn ranks_count_peers_that_are_better() {
        let all = results(vec![
            who("highwater", "ours", "W2", &[900.0], &[1000.0]),
            who("fast", "peer", "W2", &[1000.0], &[1000.0]),
            who("slow", "peer", "W2", &[10.0], &[1000.0]),
            who("ideal", "limit", "W2", &[1000.0], &[1000.0]),
        ]);
        let line = "| W2 | 900, 0.90 x raw | fast 1000, 1.00 x raw | 1000, 1.00 x raw | - | 2 | \
                    0.90 |";
        assert!(glance(&all).contains(line), "{}", glance(&all));
        let fewer = results(vec![
            who("highwater", "ours", "W6-open", &[0.1], &[]),
            who("slow", "peer", "W6-open", &[0.2], &[]),
        ]);
        assert!(glance(&fewer).contains("| W6-open | 100 ms | slow 200 ms | - | - | 1 | - |"));
        assert!(in_text(&all).lines().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn an_append_without_a_sync_is_not_durable() {
        let mut who = who("x", "peer", "W2", &[], &[]);
        for (call, count, bad) in
            [("fdatasync", 1.0, false), ("fdatasync", 0.5, true), ("sync_file_range", 1.0, true)]
        {
            who.syncs = Some(BTreeMap::from([(call.to_string(), count)]));
            assert_eq!(durable(&who).contains("not durable"), bad, "{call} {count}");
        }
    }
}
