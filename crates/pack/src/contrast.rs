//! Contrast of two colours, by the formula of WCAG 2.2 (definitions of relative luminance and contrast ratio).

use assay_art::luminance;

/// Page background by day.
pub(crate) const LIGHT: &str = "#ffffff";
/// Page background by night.
pub(crate) const DARK: &str = "#14181b";
/// What text of ordinary size needs (WCAG 2.2, 1.4.3, level AA).
pub(crate) const ENOUGH: f64 = 4.5;

/// Contrast ratio from 1 to 21 of two `#rrggbb` colours; `None` where one is written otherwise.
pub(crate) fn ratio(one: &str, other: &str) -> Option<f64> {
    let (one, other) = (luminance(one)?, luminance(other)?);
    Some((one.max(other) + 0.05) / (one.min(other) + 0.05))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_ratios() {
        assert!((ratio("#000000", "#ffffff").unwrap() - 21.0).abs() < 1e-9);
        assert!((ratio("#777777", "#FFFFFF").unwrap() - 4.48).abs() < 0.01);
        assert!(ratio("#0b6e5f", LIGHT).unwrap() > ENOUGH);
        assert_eq!(ratio("red", LIGHT), None);
        assert_eq!(ratio("#éé00", LIGHT), None);
    }
}
