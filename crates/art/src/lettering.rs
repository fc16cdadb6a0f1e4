//! Engraved lettering: text turned into outlines, so that a badge needs no font where it is shown.

use ttf_parser::{Face, GlyphId, OutlineBuilder};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::pen::{Pen, Point};

/// Latin capitals, small letters, digits and punctuation of Quattrocento, under the OFL (`fonts/OFL.txt`).
const FONT: &[u8] = include_bytes!("../fonts/assay-lettering.otf");

/// Height of a capital, as a share of the type size.
pub(crate) const CAP: f64 = 0.66;

/// Longest text that is laid out, in characters; lines are shortened far below it.
const MAX_CHARS: usize = 400;

/// The parsed font.
pub(crate) struct Lettering {
    face: Face<'static>,
    units: f64,
}

/// Glyphs beside one another, at type size 1.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    /// Each glyph with its left edge and its advance.
    glyphs: Vec<(GlyphId, f64, f64)>,
    /// Whole width, without space after the last letter.
    pub(crate) width: f64,
}

/// Which way letters stand on a circle.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arc {
    /// Heads outward, read clockwise: the upper half.
    Over,
    /// Heads inward, read anticlockwise: the lower half.
    Under,
}

impl Lettering {
    /// Reads the built-in font; `None` would mean a broken build, and pictures then have no lettering.
    pub(crate) fn new() -> Option<Self> {
        let face = Face::parse(FONT, 0).ok()?;
        let units = f64::from(face.units_per_em());
        Some(Self { face, units })
    }

    /// What the font can show of a text: marks dropped from letters it lacks, near letters for a few others, one
    /// middle dot for each run of anything else. Empty when less than half of the letters can be shown.
    pub(crate) fn showable(&self, text: &str) -> String {
        let mut out = String::new();
        let (mut shown, mut lost) = (0_usize, 0_usize);
        for c in text.chars().take(MAX_CHARS).nfc() {
            if c.is_whitespace() || c.is_control() {
                if !out.ends_with(' ') && !out.is_empty() {
                    out.push(' ');
                }
                continue;
            }
            if is_combining_mark(c) || is_invisible(c) {
                continue;
            }
            let bare = std::iter::once(c).nfd().next().unwrap_or(c);
            let found = [c, bare, near(c)].into_iter().find(|c| self.face.glyph_index(*c).is_some());
            match found {
                Some(c) => {
                    shown += usize::from(c.is_alphanumeric());
                    out.push(c);
                }
                None => {
                    lost += 1;
                    if !out.ends_with('·') {
                        out.push('·');
                    }
                }
            }
        }
        if lost > shown { String::new() } else { out.trim().to_owned() }
    }

    /// Lays out a line with `tracking` (share of the type size) between letters.
    pub(crate) fn line(&self, text: &str, tracking: f64) -> Line {
        let mut line = Line::default();
        let mut previous = None;
        let mut x = 0.0;
        for glyph in text.chars().filter_map(|c| self.face.glyph_index(c)) {
            if let Some(left) = previous {
                x += tracking + self.kern(left, glyph);
            }
            let advance = f64::from(self.face.glyph_hor_advance(glyph).unwrap_or(0)) / self.units;
            line.glyphs.push((glyph, x, advance));
            x += advance;
            previous = Some(glyph);
        }
        line.width = x;
        line
    }

    fn kern(&self, left: GlyphId, right: GlyphId) -> f64 {
        let Some(kern) = self.face.tables().kern else { return 0.0 };
        let units = kern
            .subtables
            .into_iter()
            .filter(|table| table.horizontal && !table.variable)
            .find_map(|table| table.glyphs_kerning(left, right));
        f64::from(units.unwrap_or(0)) / self.units
    }

    /// Outlines of a line on a circle around `centre`, its middle at `angle` (0 is up, clockwise, radians).
    pub(crate) fn on_arc(&self, line: &Line, size: f64, centre: Point, radius: f64, angle: f64, arc: Arc) -> String {
        let mut pen = Pen::new(2);
        let way = if arc == Arc::Over { 1.0 } else { -1.0 };
        for (glyph, x, advance) in &line.glyphs {
            let half = advance / 2.0;
            let turn = angle + way * (x + half - line.width / 2.0) * size / radius;
            let (out, along) = ((turn.sin(), -turn.cos()), (way * turn.cos(), way * turn.sin()));
            let foot = (centre.0 + radius * out.0, centre.1 + radius * out.1);
            self.glyph(*glyph, &mut pen, |(gx, gy)| {
                let (gx, gy) = ((gx - half) * size, gy * size * way);
                (foot.0 + gx * along.0 + gy * out.0, foot.1 + gx * along.1 + gy * out.1)
            });
        }
        pen.finish()
    }

    fn glyph(&self, glyph: GlyphId, pen: &mut Pen, place: impl Fn(Point) -> Point) {
        let mut outline = Outline { pen, place, units: self.units };
        let _ = self.face.outline_glyph(glyph, &mut outline);
    }
}

/// Joiners, direction marks and the like, which have no shape of their own.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// A near letter for those that do not come apart into letter and mark.
fn near(c: char) -> char {
    match c {
        'Đ' | 'Ð' => 'D',
        'đ' => 'd',
        'Ħ' => 'H',
        'ħ' => 'h',
        'Ł' => 'L',
        'ł' => 'l',
        'Ŧ' => 'T',
        'ŧ' => 't',
        'ẞ' => 'S',
        'ı' => 'i',
        '‐' | '‑' | '‒' | '−' | '―' => '-',
        '′' | 'ʼ' | '‛' => '\'',
        '″' => '"',
        '∙' | '⋅' | '・' => '·',
        other => other,
    }
}

struct Outline<'a, F> {
    pen: &'a mut Pen,
    place: F,
    units: f64,
}

impl<F: Fn(Point) -> Point> Outline<'_, F> {
    fn at(&self, x: f32, y: f32) -> Point {
        (self.place)((f64::from(x) / self.units, f64::from(y) / self.units))
    }
}

impl<F: Fn(Point) -> Point> OutlineBuilder for Outline<'_, F> {
    fn move_to(&mut self, x: f32, y: f32) {
        let to = self.at(x, y);
        self.pen.move_to(to);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let to = self.at(x, y);
        self.pen.line_to(to);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let (control, to) = (self.at(x1, y1), self.at(x, y));
        self.pen.quad_to(control, to);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let (one, two, to) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.pen.cubic_to(one, two, to);
    }

    fn close(&mut self) {
        self.pen.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn falls_back_to_near_letters() {
        let letters = Lettering::new().unwrap();
        assert_eq!(letters.showable("Łódź  Čeština"), "Lódz Ceština");
        assert_eq!(letters.showable("C\u{327}a\u{301} \u{200f}ok"), "Çá ok");
        assert_eq!(letters.showable("Rust 日本 basics"), "Rust · basics");
        assert_eq!(letters.showable("日本語"), "");
        assert_eq!(letters.showable("\u{0}\u{1}"), "");
    }

    #[test]
    fn kerning_brings_letters_together() {
        let letters = Lettering::new().unwrap();
        let apart = letters.line("A", 0.0).width + letters.line("V", 0.0).width;
        assert!(letters.line("AV", 0.0).width < apart);
    }
}
