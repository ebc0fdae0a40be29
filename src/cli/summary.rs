//! Many runs in a few lines.

use crate::human::{table, text_of};
use crate::out::{coloured, thousands, wrapped};
use crate::report::Report;

/// One engine under several models: the verdicts, and the first edge that is missing.
pub(crate) fn by_model(reports: &[Report]) -> String {
    let engine = reports.first().map_or("", |report| report.engine);
    let mut table = table();
    for report in reports {
        let edges = report.findings.iter().flat_map(|finding| &finding.missing);
        let missing = edges.map(String::as_str).next().unwrap_or("-");
        table.add_row([&format!(" {}", report.model), &report.verdict, missing]);
    }
    format!("\n{engine}, by disk model, and the first edge that is missing\n{}\n", text_of(&table))
}

/// One run in a line.
pub(crate) fn line(report: &Report) -> String {
    let rule = report.findings.first().map_or(String::new(), |f| format!(" {}", f.rule));
    let (verdict, engine, model) = (&report.verdict, report.engine, &report.model);
    let kind = if report.verdict == "held" && report.exhaustive { ", exhaustive" } else { "" };
    coloured(&format!("{verdict}{rule}{kind}"), report.verdict == "held")
        + &format!(": {engine} under {model}, {} recoveries\n", thousands(report.recoveries))
        + &report.reason.as_ref().map_or(String::new(), |why| wrapped("  why ", why))
}

/// How many runs answered as they should, and which did not.
pub(crate) fn as_expected(runs: usize, surprises: &[String]) -> String {
    let good = runs - surprises.len();
    let names = match surprises {
        [] => String::new(),
        _ => format!(" ({})", surprises.join(", ")),
    };
    wrapped("", &format!("{good} as expected, {} not{names}", surprises.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_surprise_are_named() {
        assert_eq!(as_expected(3, &[]), "3 as expected, 0 not\n");
        let text = as_expected(3, &["museum/a under xfs: held".into()]);
        assert_eq!(text, "2 as expected, 1 not (museum/a under xfs: held)\n");
        let many = vec![String::from("museum/a under xfs: held"); 20];
        assert!(as_expected(30, &many).lines().all(|line| line.chars().count() <= 80));
    }
}
