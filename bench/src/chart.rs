//! Latency over time as a picture: for every slice of time the median and the 99th percentile, of pages and saves.

use std::{fmt::Write as _, time::Duration};

use crate::{
    figures::percentile_ms,
    readings::{Kind, Trace},
};

const WIDE: f64 = 860.0;
const HIGH: f64 = 420.0;
/// Margins around the plot: left, top, right, bottom.
const AROUND: (f64, f64, f64, f64) = (64.0, 56.0, 150.0, 48.0);
/// Slices of time.
const SLICES: u32 = 100;
/// What is drawn, and by which class.
const LINES: [(Kind, f64, &str, &str); 4] = [
    (Kind::Page, 0.50, "page p50", "page"),
    (Kind::Page, 0.99, "page p99", "page thin"),
    (Kind::Save, 0.50, "save p50", "save"),
    (Kind::Save, 0.99, "save p99", "save thin"),
];

/// The chart of one round. Readable on light and dark ground.
pub(crate) fn svg(title: &str, trace: &Trace) -> String {
    let length = trace.readings.iter().map(|reading| reading.due).max().unwrap_or_default().max(Duration::from_millis(1));
    let lines: Vec<Vec<(f64, f64)>> = LINES.iter().map(|(kind, share, ..)| points(trace, *kind, *share, length)).collect();
    let values = || lines.iter().flatten().map(|(_, ms)| *ms);
    // Latencies differ by powers of ten, so the axis counts in these.
    let low = values().reduce(f64::min).unwrap_or(1.0).max(0.01).log10().floor();
    let high = values().reduce(f64::max).unwrap_or(10.0).log10().ceil().max(low + 1.0);
    let (left, top, right, bottom) = AROUND;
    let x = |share: f64| left + share * (WIDE - left - right);
    let y = |ms: f64| HIGH - bottom - (ms.max(0.01).log10() - low) / (high - low) * (HIGH - top - bottom);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDE} {HIGH}\" role=\"img\" aria-label=\"Latency over time: {0}\">\
         <title>{0}</title><style>svg{{color:#1b1f24;background:#fff;font:13px system-ui,sans-serif}}text{{fill:currentColor}}\
         .grid{{stroke:currentColor;opacity:.2}}polyline{{fill:none;stroke-width:2.5}}.thin{{stroke-width:1;stroke-dasharray:5 3}}\
         .page{{stroke:#0b5cad}}.save{{stroke:#b3480a}}\
         @media (prefers-color-scheme:dark){{svg{{color:#e6e8eb;background:#14171a}}.page{{stroke:#6cb2ff}}.save{{stroke:#ffa35c}}}}</style>\n\
         <text x=\"{left}\" y=\"24\">{0}</text><text x=\"{left}\" y=\"44\">milliseconds, over seconds since the start</text>\n",
        escaped(title)
    );
    let mut power = low;
    while power <= high {
        let at = y(10_f64.powf(power));
        let _ = writeln!(
            out,
            "<line class=\"grid\" x1=\"{left}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            x(1.0),
            left - 8.0,
            at + 4.0,
            10_f64.powf(power)
        );
        power += 1.0;
    }
    for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let seconds = length.as_secs_f64() * share;
        let _ = writeln!(out, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{seconds:.1}</text>", x(share), HIGH - bottom + 20.0);
    }
    for ((points, (_, _, name, class)), row) in lines.iter().zip(LINES).zip(0_u8..) {
        let path: Vec<String> = points.iter().map(|(share, ms)| format!("{:.1},{:.1}", x(*share), y(*ms))).collect();
        let (from, at) = (WIDE - right + 16.0, top + 14.0 + 22.0 * f64::from(row));
        let _ = writeln!(
            out,
            "<polyline class=\"{class}\" points=\"{}\"/><polyline class=\"{class}\" points=\"{from:.1},{at:.1} {:.1},{at:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\">{name}</text>",
            path.join(" "),
            from + 28.0,
            from + 36.0,
            at + 4.0
        );
    }
    out + "</svg>\n"
}

/// Middle of every slice as a share of the whole, and the percentile in it; slices without a reading are left out.
fn points(trace: &Trace, kind: Kind, share: f64, length: Duration) -> Vec<(f64, f64)> {
    let mut slices: Vec<Vec<Duration>> = vec![Vec::new(); SLICES as usize];
    for reading in trace.readings.iter().filter(|reading| reading.kind == kind) {
        let at = reading.due.as_secs_f64() / length.as_secs_f64() * f64::from(SLICES);
        if let Some(slice) = slices.get_mut((at as usize).min(SLICES as usize - 1)) {
            slice.push(reading.took);
        }
    }
    let middle = |at: usize| (at as f64 + 0.5) / f64::from(SLICES);
    slices.iter_mut().enumerate().filter_map(|(at, slice)| Some((middle(at), percentile_ms(slice, share)?))).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readings::Reading;

    #[test]
    fn a_slice_shows_its_own_percentiles_and_nothing_is_drawn_where_nothing_was() {
        let reading = |due, took| Reading { kind: Kind::Save, due: Duration::from_millis(due), took: Duration::from_millis(took) };
        let trace = Trace { readings: vec![reading(0, 4), reading(1, 8), reading(1000, 100)], ..Trace::default() };
        assert_eq!(points(&trace, Kind::Save, 0.5, Duration::from_secs(1)), [(0.005, 4.0), (0.995, 100.0)]);
        assert_eq!(points(&trace, Kind::Save, 0.99, Duration::from_secs(1)), [(0.005, 8.0), (0.995, 100.0)]);
        assert!(points(&trace, Kind::Page, 0.5, Duration::from_secs(1)).is_empty());
        let picture = svg("a < b", &trace);
        assert!(picture.contains("a &lt; b") && picture.ends_with("</svg>\n") && !picture.contains("NaN"));
        assert!(!svg("empty", &Trace::default()).contains("NaN"));
    }
}
