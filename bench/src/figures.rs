//! From readings to figures: percentiles of one round, medians over rounds, one table.

use std::time::Duration;

use serde::Serialize;

/// One measured figure of a round.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Figure {
    /// Name in JSON.
    pub(crate) key: String,
    /// Name in the table.
    #[serde(skip)]
    pub(crate) label: String,
    /// Unit of the value.
    pub(crate) unit: &'static str,
    /// The value; `None` where it could not be read.
    pub(crate) value: Option<f64>,
}

impl Figure {
    pub(crate) fn new(key: impl Into<String>, label: impl Into<String>, unit: &'static str, value: Option<f64>) -> Self {
        Self { key: key.into(), label: label.into(), unit, value: value.filter(|v| v.is_finite()) }
    }
}

/// The value below or at which this share of all readings lies (nearest rank), in milliseconds.
pub(crate) fn percentile_ms(readings: &mut [Duration], share: f64) -> Option<f64> {
    readings.sort_unstable();
    // Nearest rank: the smallest reading with at least this share at or below it.
    let rank = (share * readings.len() as f64).ceil().max(1.0) as usize;
    readings.get(rank - 1).map(|took| took.as_secs_f64() * 1000.0)
}

/// The middle value; the mean of the middle two of an even number.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 { Some(upper) } else { Some((values.get(values.len() / 2 - 1)? + upper) / 2.0) }
}

/// One row of the table: a figure over all rounds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Row {
    pub(crate) key: String,
    #[serde(skip)]
    pub(crate) label: String,
    pub(crate) unit: &'static str,
    pub(crate) median: Option<f64>,
    pub(crate) lowest: Option<f64>,
    pub(crate) highest: Option<f64>,
}

/// Summarises rounds, each of which has the same figures in the same order.
pub(crate) fn over_rounds(rounds: &[Vec<Figure>]) -> Vec<Row> {
    let Some(first) = rounds.first() else { return Vec::new() };
    let row = |(at, figure): (usize, &Figure)| {
        let values: Vec<f64> = rounds.iter().filter_map(|round| round.get(at)?.value).collect();
        let lowest = values.iter().copied().reduce(f64::min);
        let highest = values.iter().copied().reduce(f64::max);
        Row { key: figure.key.clone(), label: figure.label.clone(), unit: figure.unit, median: median(values), lowest, highest }
    };
    first.iter().enumerate().map(row).collect()
}

/// The table as text, one row a line.
pub(crate) fn table(rows: &[Row]) -> String {
    let line = |a: &str, b: &str, c: &str, d: &str, e: &str| format!("{a:<40}{b:>11}{c:>11}{d:>11}  {e}\n");
    let mut out = line("", "median", "lowest", "highest", "");
    for row in rows {
        out.push_str(&line(&row.label, &short(row.median), &short(row.lowest), &short(row.highest), row.unit));
    }
    out
}

/// Three or more significant digits, never more than the reading deserves; a dash for a missing value.
pub(crate) fn short(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(v) if v.fract() == 0.0 && v.abs() < 1e9 => format!("{v:.0}"),
        Some(v) if v.abs() >= 100.0 => format!("{v:.0}"),
        Some(v) if v.abs() >= 1.0 => format!("{v:.2}"),
        Some(v) => format!("{v:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_readings_that_happened() {
        let mut hundred: Vec<_> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile_ms(&mut hundred, 0.5), Some(50.0));
        assert_eq!(percentile_ms(&mut hundred, 0.95), Some(95.0));
        assert_eq!(percentile_ms(&mut hundred, 0.99), Some(99.0));
        assert_eq!(percentile_ms(&mut [Duration::from_millis(7)], 0.99), Some(7.0));
        assert_eq!(percentile_ms(&mut [], 0.5), None);
    }

    #[test]
    fn medians_of_odd_and_even_counts() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn a_missing_value_is_a_dash_and_does_not_move_the_median() {
        let round = |value| vec![Figure::new("cpu", "server CPU", "s", value)];
        let rows = over_rounds(&[round(Some(2.0)), round(None), round(Some(4.0)), round(Some(f64::NAN))]);
        assert_eq!(rows.first().unwrap().median, Some(3.0));
        assert!(table(&over_rounds(&[round(None)])).contains(" -"));
    }
}
