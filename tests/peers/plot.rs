//! Bars as SVG: by hand, for there is nothing to it but rectangles.

use crate::measure::Results;
use crate::report::bars;
use crate::rows::Row;
use crate::stats::{Unit, number};
use std::fmt::Write;

const WIDTH: f64 = 720.0;
const LINE: f64 = 24.0;
const LEFT: f64 = 120.0;
const RIGHT: f64 = 90.0;
const TOP: f64 = 40.0;

/// Readable on light and on dark pages.
const STYLE: &str = "<style>\
    text{font:13px system-ui,sans-serif;fill:#24292f}\
    .title{font-weight:600}.ours{fill:#0969da}.peer{fill:#8c959f}.limit{fill:#d0d7de}\
    .spread{stroke:#24292f;stroke-width:1.5}\
    @media(prefers-color-scheme:dark){text{fill:#e6edf3}.ours{fill:#4493f8}.peer{fill:#6e7681}\
    .limit{fill:#30363d}.spread{stroke:#e6edf3}}\
    </style>";

/// One row: a bar each, as long as the median, with a line from the least to the most.
pub(crate) fn svg(results: &Results, row: &Row) -> Option<String> {
    let bars = bars(results, row);
    let most = bars.iter().map(|bar| bar.2.max).reduce(f64::max)?;
    let scale = (WIDTH - LEFT - RIGHT) / most;
    let height = TOP + LINE * bars.len() as f64 + 8.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\n{STYLE}\n\
         <text class=\"title\" x=\"8\" y=\"22\">{}{}</text>\n",
        row.title,
        if row.unit.better(2.0, 1.0) { "" } else { " (less is better)" },
    );
    for (nth, (name, kind, spread)) in bars.iter().enumerate() {
        let top = TOP + LINE * nth as f64;
        let (length, middle) = (spread.median * scale, top + LINE / 2.0 - 2.0);
        let (low, high) = (LEFT + spread.min * scale, LEFT + spread.max * scale);
        let value = LEFT + spread.max.max(spread.median) * scale + 6.0;
        let base = middle + 4.5;
        let unit = if row.unit == Unit::Bytes { " B" } else { "" };
        let number = number(spread.median, row.unit);
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{base:.1}\" text-anchor=\"end\">{name}</text>\
             <rect class=\"{kind}\" x=\"{LEFT}\" y=\"{top:.1}\" width=\"{length:.1}\" \
             height=\"{:.1}\" rx=\"2\"/>\
             <line class=\"spread\" x1=\"{low:.1}\" x2=\"{high:.1}\" y1=\"{middle:.1}\" \
             y2=\"{middle:.1}\"/>\
             <text x=\"{value:.1}\" y=\"{base:.1}\">{number}{unit}</text>",
            LEFT - 8.0,
            LINE - 4.0,
        );
    }
    svg += "</svg>\n";
    Some(svg)
}
