//! The badge picture: the programme's art as the field of a medal, the title as its legend, and the hallmark of this
//! credential struck into its lower edge.

use std::f64::consts::PI;
use std::fmt::Write as _;

use crate::chance::fingerprint;
use crate::clean::{Cleaned, MAX_SVG_BYTES, clean_within, escape};
use crate::colour::Colour;
use crate::hallmark::{chosen, engraving};
use crate::lettering::{Arc, CAP, Lettering, Line};
use crate::pen::{Pen, short};
use crate::rosette::{Band, Rosette, coprime_from};

/// What a badge picture shows.
#[derive(Clone, Debug)]
pub struct BadgePicture<'a> {
    /// The programme's art, as [`crate::clean_svg`] returns it. Anything else is replaced by a large rosette.
    pub art_svg: &'a str,
    /// The programme's title.
    pub title: &'a str,
    /// A word across the medal, such as `PRACTICE` or `DEMONSTRATION`.
    pub ribbon: Option<&'a str>,
    /// The programme's colour, `#rgb` or `#rrggbb`; the house teal if it cannot be read.
    pub accent: &'a str,
    /// What the hallmark and the engraved rim are drawn from; one per credential.
    pub seed: [u8; 32],
    /// Day of the award, shown as given: `2026-11-23`.
    pub date: &'a str,
    /// Name of the issuer.
    pub issuer: &'a str,
}

const CENTRE: f64 = 300.0;
/// Radii of the medal, in units of the 600 wide picture.
const RIM: f64 = 292.0;
const BORDER: (f64, f64) = (281.0, 263.0);
const FIELD: f64 = 215.0;
/// Where the lettering stands: the middle of the legend between border and field.
const LEGEND: f64 = 239.5;
/// Height of the hallmark's centre, and its edge; a ribbon needs some of its room.
const MARK: (f64, f64) = (502.0, 178.0);
const MARK_BELOW_RIBBON: (f64, f64) = (512.0, 158.0);

/// Draws the badge picture of one credential: a self-contained 600 x 600 SVG of the safe subset, lettering as paths.
///
/// The same picture always gives the same text. A long title shrinks, then takes two lines, then ends in an ellipsis;
/// the full title stands in `<title>`. Letters outside the built-in Latin font lose their marks or become a dot, and a
/// title that it cannot show at all is left to `<title>`.
pub fn badge_svg(picture: &BadgePicture<'_>) -> String {
    let accent = Colour::parse(picture.accent).unwrap_or(Colour([0x0b, 0x6e, 0x5f]));
    let medal = Medal {
        id: format!("b{}", fingerprint(&picture.seed)),
        night: accent.at_luminance(0.012),
        deep: accent.at_luminance(0.028),
        tone: accent.at_luminance(0.13),
        seed: picture.seed,
    };
    let mut out =
        String::from(r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 600" width="600" height="600" role="img"><title>"#);
    escape(&mut out, picture.title);
    out.push_str("</title><desc>");
    escape(&mut out, &description(picture));
    out.push_str("</desc>");
    medal.defs(&mut out);
    medal.body(&mut out);
    medal.field(&mut out, picture.art_svg);
    let letters = Lettering::new();
    if let Some(word) = picture.ribbon {
        medal.ribbon(&mut out, letters.as_ref(), word);
    }
    medal.ring(&mut out);
    if let Some(letters) = &letters {
        medal.legend(&mut out, letters, picture);
    }
    medal.mark(&mut out, if picture.ribbon.is_some() { MARK_BELOW_RIBBON } else { MARK });
    out.push_str("</svg>");
    out
}

fn description(picture: &BadgePicture<'_>) -> String {
    let mut words = format!("Badge by {}, {}.", picture.issuer, picture.date);
    if let Some(word) = picture.ribbon {
        let _ = write!(words, " Marked {word}.");
    }
    words.push_str(" A round medal with a decorative hallmark.");
    words
}

struct Medal {
    id: String,
    night: Colour,
    deep: Colour,
    tone: Colour,
    seed: [u8; 32],
}

impl Medal {
    fn defs(&self, out: &mut String) {
        let (id, deep, night) = (&self.id, self.deep, self.night);
        let _ = write!(
            out,
            concat!(
                r##"<defs><linearGradient id="{id}g" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="#fbeec4"/><stop offset=".28" stop-color="#d9b361"/><stop offset=".52" stop-color="#a9772b"/><stop offset=".74" stop-color="#dcb765"/><stop offset="1" stop-color="#8a5c1f"/></linearGradient>"##,
                r##"<linearGradient id="{id}p" x1=".1" y1="0" x2=".8" y2="1"><stop offset="0" stop-color="#fbefc9"/><stop offset=".5" stop-color="#e3bf72"/><stop offset="1" stop-color="#b98a3c"/></linearGradient>"##,
                r##"<radialGradient id="{id}e" cx=".5" cy=".42" r=".62"><stop offset="0" stop-color="{deep}"/><stop offset="1" stop-color="{night}"/></radialGradient>"##,
                r##"<radialGradient id="{id}f" cx=".5" cy=".4" r=".62"><stop offset="0" stop-color="{tone}"/><stop offset="1" stop-color="{deep}"/></radialGradient>"##,
                r##"<linearGradient id="{id}w" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="#fffaf0"/><stop offset="1" stop-color="#eadfc6"/></linearGradient>"##,
                r##"<clipPath id="{id}c"><circle cx="300" cy="300" r="{field}"/></clipPath></defs>"##
            ),
            id = id,
            deep = deep,
            night = night,
            tone = self.tone,
            field = FIELD,
        );
    }

    fn body(&self, out: &mut String) {
        let id = &self.id;
        let _ = write!(
            out,
            r##"<circle cx="300" cy="300" r="{RIM}" fill="url(#{id}g)"/><circle cx="300" cy="300" r="{}" fill="url(#{id}e)"/>"##,
            BORDER.0 + 4.0,
        );
        // The engraved border: one wave and its turned copies.
        let petals = 9;
        let crests = coprime_from(72 + usize::from(self.seed[0] % 16), petals);
        let band = Band { petals, crests, outer: (BORDER.0, 0.0), inner: (BORDER.1, 0.0), point: 1.0, lean: 0.0 };
        let mut pen = Pen::new(1);
        band.wave(&mut pen);
        let _ = write!(
            out,
            r##"<g transform="translate(300 300)" fill="none" stroke="#dcb765"><g stroke-width=".7"><path id="{id}b" d="{}"/>"##,
            pen.finish(),
        );
        for copy in 1..4 {
            let turn = short(360.0 / crests as f64 / 4.0 * f64::from(copy));
            let _ = write!(out, r##"<use href="#{id}b" transform="rotate({turn})"/>"##);
        }
        let _ = write!(
            out,
            r##"</g><circle r="{}" stroke-width="1.4"/><circle r="{}" stroke-width="1.6"/></g>"##,
            BORDER.0 + 1.2,
            BORDER.1 - 1.6,
        );
    }

    fn field(&self, out: &mut String, art: &str) {
        let id = &self.id;
        let _ = write!(out, r##"<circle cx="300" cy="300" r="{FIELD}" fill="url(#{id}f)"/><g clip-path="url(#{id}c)">"##);
        match clean_within(art, MAX_SVG_BYTES) {
            Ok(Cleaned { view_box: [x, y, w, h], inherited, inner, .. }) => {
                // Cover the field: the shorter side of the art spans it.
                let scale = 2.0 * FIELD / w.min(h);
                let (dx, dy) = (CENTRE - (x + w / 2.0) * scale, CENTRE - (y + h / 2.0) * scale);
                let _ = write!(out, r#"<g transform="translate({dx:.3} {dy:.3}) scale({scale:.5})"><g{inherited}>{inner}</g></g>"#);
            }
            Err(_) => {
                let rosette = Rosette::new(self.seed, FIELD * 0.8);
                let _ = write!(
                    out,
                    r##"<g transform="translate(300 270)" fill="none" stroke="#f3dfa8" stroke-width="1">{}{}<path d="{}" fill="#f3dfa8"/></g>"##,
                    rosette.lines(&format!("{id}f")),
                    rosette.circles(),
                    rosette.boss(),
                );
            }
        }
        out.push_str("</g>");
    }

    /// The golden step between field and legend, with its shadow on the field.
    fn ring(&self, out: &mut String) {
        let _ = write!(
            out,
            r##"<g fill="none"><circle cx="300" cy="300" r="{}" stroke="{}" stroke-opacity=".45" stroke-width="3"/><circle cx="300" cy="300" r="{}" stroke="url(#{}g)" stroke-width="5"/></g>"##,
            FIELD - 1.5,
            self.night,
            FIELD + 2.5,
            self.id,
        );
    }

    fn legend(&self, out: &mut String, letters: &Lettering, picture: &BadgePicture<'_>) {
        let title = letters.showable(&picture.title.to_uppercase());
        let layout = lay_out(letters, &title);
        let mut d = String::new();
        for (line, size, radius) in &layout.lines {
            d.push_str(&letters.on_arc(line, *size, (CENTRE, CENTRE), *radius, 0.0, Arc::Over));
        }
        // Issuer and date share what the title and the hallmark leave, left and right.
        let mark = 0.40;
        let free = ((layout.half_angle + 0.14).max(1.38), PI - mark);
        let middle = (free.0 + free.1) / 2.0;
        let room = (free.1 - free.0 - 0.08) * LEGEND;
        for (words, side) in [(picture.issuer, -1.0), (picture.date, 1.0)] {
            let words = letters.showable(&words.to_uppercase());
            let (line, size) = fit(letters, &words, 0.09, 19.0, 11.5, room);
            d.push_str(&letters.on_arc(&line, size, (CENTRE, CENTRE), LEGEND + CAP * size / 2.0, side * middle, Arc::Under));
        }
        let id = &self.id;
        let _ = write!(out, r##"<path d="{d}" fill="url(#{id}p)" stroke="#e9c981" stroke-width="1" stroke-linejoin="round"/>"##);
        for side in [-1.0, 1.0] {
            let angle = side * (layout.half_angle + 0.14);
            let (x, y) = (CENTRE + LEGEND * angle.sin(), CENTRE - LEGEND * angle.cos());
            let _ = write!(
                out,
                r##"<path d="M0-7.5L4.6 0 0 7.5-4.6 0z" fill="url(#{id}p)" transform="translate({x:.1} {y:.1}) rotate({:.1})"/>"##,
                angle.to_degrees() + 90.0,
            );
        }
    }

    fn ribbon(&self, out: &mut String, letters: Option<&Lettering>, word: &str) {
        // A sash of flat curve, its ends tucked under the rim.
        let (radius, half, top, height) = (900.0, 0.25, 391.0, 46.0);
        let cy = top - radius;
        let (id, night, deep) = (&self.id, self.night, self.deep);
        let across = |r: f64| {
            let (x, y) = (r * f64::sin(half), cy + r * f64::cos(half));
            (format!("{:.1} {y:.1}", CENTRE - x), format!("{:.1} {y:.1}", CENTRE + x))
        };
        let low = radius + height;
        let ((tl, tr), (bl, br)) = (across(radius), across(low));
        let band = format!("M{tl}A{radius} {radius} 0 0 0 {tr}L{br}A{low} {low} 0 0 1 {bl}z");
        let _ = write!(
            out,
            r##"<g clip-path="url(#{id}c)"><path d="{band}" fill="{night}" fill-opacity=".45" transform="translate(0 6)"/><path d="{band}" fill="url(#{id}w)" stroke="{night}" stroke-width="2"/>"##
        );
        for r in [radius + 5.0, low - 5.0] {
            let (left, right) = across(r);
            let _ = write!(out, r##"<path d="M{left}A{r} {r} 0 0 0 {right}" fill="none" stroke="#b98a3c" stroke-width="1.4"/>"##);
        }
        out.push_str("</g>");
        if let Some(letters) = letters {
            let word = letters.showable(&word.to_uppercase());
            let (line, size) = fit(letters, &word, 0.12, 36.0, 14.0, 322.0);
            let base = radius + height / 2.0 + CAP * size / 2.0;
            let d = letters.on_arc(&line, size, (CENTRE, cy), base, PI, Arc::Under);
            let _ = write!(out, r##"<path d="{d}" fill="{deep}" stroke="{deep}" stroke-width="1.1" stroke-linejoin="round"/>"##);
        }
    }

    fn mark(&self, out: &mut String, (y, edge): (f64, f64)) {
        let (id, night, deep) = (&self.id, self.night, self.deep);
        // Engraved gold looks brown: lines of the pure accent would turn the mark green when it is small.
        let ink = deep.mix(Colour([0x7a, 0x4a, 0x10]), 0.62);
        let shape = chosen(self.seed);
        let scale = edge / 240.0;
        let _ = write!(
            out,
            r##"<g transform="translate(300 {y}) scale({scale:.4})" stroke-linejoin="round"><path d="{}" fill="{night}"/><path d="{}" fill="url(#{id}g)"/><path d="{}" fill="url(#{id}p)" stroke="{deep}" stroke-width="1.8"/>{}</g>"##,
            shape.path(121.0),
            shape.path(114.0),
            shape.path(106.0),
            engraving(self.seed, shape, &format!("{id}h"), &ink.to_string(), 0.8),
        );
    }
}

struct Legend {
    /// Line, type size and baseline radius.
    lines: Vec<(Line, f64, f64)>,
    half_angle: f64,
}

/// Half of the arc that a title may take.
const WIDEST: f64 = 1.75;

fn lay_out(letters: &Lettering, title: &str) -> Legend {
    let tracking = 0.07;
    let room = 2.0 * WIDEST * LEGEND;
    let whole = letters.line(title, tracking);
    let size = (room / whole.width.max(0.01)).min(37.0);
    if title.is_empty() {
        return Legend { lines: Vec::new(), half_angle: 1.2 };
    }
    if size >= 23.0 {
        let half_angle = whole.width * size / LEGEND / 2.0;
        return Legend { lines: vec![(whole, size, LEGEND - CAP * size / 2.0)], half_angle };
    }
    let (upper, lower) = halves(title);
    // The inner line is shorter by its radius; both share the smaller size.
    let (radius_upper, radius_lower) = (LEGEND + 4.0, LEGEND - 17.5);
    let (a, size_a) = fit(letters, &upper, tracking, 20.0, 12.5, 2.0 * WIDEST * radius_upper);
    let (b, size_b) = fit(letters, &lower, tracking, 20.0, 12.5, 2.0 * WIDEST * radius_lower);
    let size = size_a.min(size_b);
    let half_angle = (a.width * size / radius_upper).max(b.width * size / radius_lower) / 2.0;
    Legend { lines: vec![(a, size, radius_upper), (b, size, radius_lower)], half_angle }
}

/// Splits a text at the blank nearest to its middle.
fn halves(text: &str) -> (String, String) {
    let middle = text.len() / 2;
    let cut = text.match_indices(' ').map(|(at, _)| at).min_by_key(|at| at.abs_diff(middle));
    match cut {
        Some(at) => {
            let (a, b) = text.split_at(at);
            (a.to_owned(), b.trim_start().to_owned())
        }
        None => {
            let at = text.char_indices().map(|(at, _)| at).find(|at| *at >= middle).unwrap_or(0);
            let (a, b) = text.split_at(at);
            (a.to_owned(), b.to_owned())
        }
    }
}

/// A line no wider than `room`: smaller down to `least`, then shortened with an ellipsis.
fn fit(letters: &Lettering, text: &str, tracking: f64, most: f64, least: f64, room: f64) -> (Line, f64) {
    let line = letters.line(text, tracking);
    let size = (room / line.width.max(0.01)).min(most);
    if size >= least {
        return (line, size);
    }
    let kept: Vec<char> = text.chars().collect();
    let shortened = |count: usize| {
        let start: String = kept.iter().take(count).collect();
        letters.line(&format!("{}…", start.trim_end()), tracking)
    };
    // A longer start is never narrower, so halving finds the longest that fits.
    let (mut fits, mut exceeds) = (0, kept.len());
    while exceeds > fits + 1 {
        let count = (fits + exceeds) / 2;
        if shortened(count).width * least <= room {
            fits = count;
        } else {
            exceeds = count;
        }
    }
    if fits == 0 { (Line::default(), least) } else { (shortened(fits), least) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_split_near_the_middle() {
        assert_eq!(halves("one two three"), ("one two".to_owned(), "three".to_owned()));
        assert_eq!(halves("éééé"), ("éé".to_owned(), "éé".to_owned()));
        assert_eq!(halves(""), (String::new(), String::new()));
    }

    #[test]
    fn lines_never_exceed_their_room() {
        let letters = Lettering::new().unwrap();
        for count in [0, 1, 10, 100, 400] {
            let (line, size) = fit(&letters, &"W".repeat(count), 0.1, 30.0, 12.0, 300.0);
            assert!(line.width * size <= 300.0 + 1e-6);
        }
        for count in 1..80 {
            let legend = lay_out(&letters, &"AGILE ".repeat(count));
            assert!(legend.half_angle <= WIDEST + 1e-6);
        }
    }
}
