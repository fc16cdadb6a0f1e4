//! Colours of the house: parsing, mixing, and shades with a known luminance.

use std::fmt;

/// An opaque sRGB colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Colour(pub(crate) [u8; 3]);

impl Colour {
    /// Reads `#rgb` or `#rrggbb`; anything else is `None`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let hex = text.trim().strip_prefix('#')?;
        if !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let two = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
        match hex.len() {
            6 => Some(Self([two(0)?, two(2)?, two(4)?])),
            3 => {
                let one = |at: usize| Some(u8::from_str_radix(hex.get(at..=at)?, 16).ok()? * 17);
                Some(Self([one(0)?, one(1)?, one(2)?]))
            }
            _ => None,
        }
    }

    /// `share` (0 to 1) of `other`, the rest of `self`, mixed per sRGB channel.
    pub(crate) fn mix(self, other: Self, share: f64) -> Self {
        let share = share.clamp(0.0, 1.0);
        let channel = |i: usize| (f64::from(self.0[i]) * (1.0 - share) + f64::from(other.0[i]) * share).round() as u8;
        Self([channel(0), channel(1), channel(2)])
    }

    /// Relative luminance, 0 to 1, as WCAG 2.2 defines it.
    pub(crate) fn luminance(self) -> f64 {
        let linear = |v: u8| {
            let v = f64::from(v) / 255.0;
            if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.0[0]) + 0.7152 * linear(self.0[1]) + 0.0722 * linear(self.0[2])
    }

    /// The same hue, darkened or lightened to the given luminance.
    pub(crate) fn at_luminance(self, wanted: f64) -> Self {
        let toward = if self.luminance() > wanted { Self([0, 0, 0]) } else { Self([255, 255, 255]) };
        let (mut low, mut high) = (0.0, 1.0);
        // Twelve halvings settle an 8-bit channel.
        for _ in 0..12 {
            let middle = (low + high) / 2.0;
            let overshot = if toward.0[0] == 0 {
                self.mix(toward, middle).luminance() < wanted
            } else {
                self.mix(toward, middle).luminance() > wanted
            };
            if overshot {
                high = middle;
            } else {
                low = middle;
            }
        }
        self.mix(toward, (low + high) / 2.0)
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [r, g, b] = self.0;
        write!(f, "#{r:02x}{g:02x}{b:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_only_hex() {
        assert_eq!(Colour::parse("#0b6e5f"), Some(Colour([11, 110, 95])));
        assert_eq!(Colour::parse("#fff"), Some(Colour([255; 3])));
        for bad in ["", "#", "#ggg", "teal", "#12345", "#é1234", "url(#a)"] {
            assert_eq!(Colour::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn shades_reach_their_luminance() {
        for colour in ["#0b6e5f", "#5fd3bf", "#000000", "#ffffff", "#aa2200"] {
            let colour = Colour::parse(colour).unwrap();
            assert!((colour.at_luminance(0.03).luminance() - 0.03).abs() < 0.01);
        }
    }
}
