//! Contrast of two colours, by the formula of WCAG 2.2 (definitions of relative luminance and contrast ratio).

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

fn luminance(colour: &str) -> Option<f64> {
    let hex = colour.strip_prefix('#').filter(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()?) / 255.0;
        Some(if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) })
    };
    Some(0.2126 * channel(0)? + 0.7152 * channel(2)? + 0.0722 * channel(4)?)
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
