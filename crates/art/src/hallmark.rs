//! The hallmark: a struck cartouche with an engraved rosette, individual to one credential. It is decoration; what can
//! be checked about a credential is its signature.

use std::fmt::Write as _;

pub use crate::cartouche::Cartouche;
use crate::chance::{Chance, fingerprint};
use crate::clean::escape;
use crate::colour::Colour;
use crate::pen::short;
use crate::rosette::{Rosette, rays};

/// Edge of the picture's view box; the origin is its centre.
const EDGE: f64 = 240.0;
/// Half height of the cartouche.
const HALF: f64 = 112.0;

/// How a hallmark is drawn.
#[derive(Clone, Debug, Default)]
pub struct Hallmark<'a> {
    /// Shape of the cartouche; `None` lets the seed choose.
    pub cartouche: Option<Cartouche>,
    /// Colour of the engraving as `#rgb` or `#rrggbb`; anything else means `currentColor`, which follows the page.
    pub accent: Option<&'a str>,
    /// What the picture is called for those who do not see it; `None` hides it from screen readers as decoration.
    pub title: Option<&'a str>,
    /// Set apart ids when the same hallmark stands twice in one page: letters, digits, `-` and `_`; others are dropped.
    pub id_suffix: &'a str,
}

/// Draws the hallmark of a seed as an inline SVG without width and height: size it by the page.
///
/// The same seed and settings always give the same text, at most 25 KB. Meant for 120 to 300 pixels. Lines are
/// `currentColor` unless `accent` says otherwise, on a transparent ground, so it works on light and dark pages.
pub fn hallmark(seed: [u8; 32], settings: &Hallmark<'_>) -> String {
    let shape = settings.cartouche.unwrap_or_else(|| chosen(seed));
    let ink = settings.accent.and_then(Colour::parse).map_or_else(|| "currentColor".to_owned(), |c| c.to_string());
    let suffix: String = settings.id_suffix.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).take(40).collect();
    let id = format!("h{}{suffix}", fingerprint(&seed));
    let half = EDGE / 2.0;
    let mut out = format!(r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="-{half} -{half} {EDGE} {EDGE}""#);
    match settings.title {
        Some(title) => {
            out.push_str(r#" role="img"><title>"#);
            escape(&mut out, title);
            out.push_str("</title>");
        }
        None => out.push_str(r#" aria-hidden="true">"#),
    }
    let outline = shape.path(HALF);
    let _ = write!(
        out,
        r#"<path d="{outline}" fill="{ink}" fill-opacity=".07" stroke="{ink}" stroke-width="3.4" stroke-linejoin="round"/><path d="{}" fill="none" stroke="{ink}" stroke-width="1" stroke-linejoin="round"/>"#,
        shape.path(HALF * 0.945),
    );
    out.push_str(&engraving(seed, shape, &id, &ink, 0.75));
    out.push_str("</svg>");
    out
}

/// The shape that a seed chooses.
pub(crate) fn chosen(seed: [u8; 32]) -> Cartouche {
    Chance::new(seed, "cartouche").one_of(&Cartouche::ALL, Cartouche::Octagon)
}

/// Rosette and ground for a cartouche of half height 112, without its outline; `weight` is the width of the finest lines.
pub(crate) fn engraving(seed: [u8; 32], shape: Cartouche, id: &str, ink: &str, weight: f64) -> String {
    let (room, up) = shape.room();
    let radius = HALF * room;
    let rosette = Rosette::new(seed, radius);
    let mut chance = Chance::new(seed, "ground");
    let count = 24 * (6 + chance.below(3));
    let near = |angle| rosette.edge(angle) + 3.2;
    let ground = rays(count, near, |a| HALF * shape.reach(up, a) * 0.91);
    let mut out = format!(
        r#"<g fill="none" stroke="{ink}" stroke-width="{}" stroke-linejoin="round"{}>"#,
        short(weight),
        if up > 0.0 { format!(r#" transform="translate(0 {})""#, short(-up * HALF)) } else { String::new() },
    );
    let _ = write!(
        out,
        r#"<path d="{ground}" stroke-opacity=".6"/>{}<g stroke-width="{}">{}</g><path d="{}" fill="{ink}" stroke="none"/></g>"#,
        rosette.lines(id),
        short(weight * 1.2),
        rosette.circles(),
        rosette.boss(),
    );
    out
}
