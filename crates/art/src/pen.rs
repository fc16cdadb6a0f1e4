//! Writes compact SVG path data: relative commands, rounded so that errors do not add up.

use std::fmt::Write as _;

/// A point or vector in the units of the picture.
pub(crate) type Point = (f64, f64);

/// Coordinates beyond this are clamped: no picture here is larger, and `as i64` stays exact.
const FAR: f64 = 1e6;

/// Builds the `d` attribute of one path.
pub(crate) struct Pen {
    out: String,
    /// Steps per unit: 10 keeps one decimal, 100 two.
    steps: f64,
    decimals: usize,
    at: (i64, i64),
    start: (i64, i64),
    last: char,
}

impl Pen {
    /// A pen that keeps `decimals` (0 to 3) places.
    pub(crate) fn new(decimals: usize) -> Self {
        let decimals = decimals.min(3);
        Self { out: String::new(), steps: [1.0, 10.0, 100.0, 1000.0][decimals], decimals, at: (0, 0), start: (0, 0), last: ' ' }
    }

    /// The finished path data.
    pub(crate) fn finish(self) -> String {
        self.out
    }

    fn grid(&self, (x, y): Point) -> (i64, i64) {
        let snap = |v: f64| {
            let v = if v.is_finite() { v } else { 0.0 };
            (v.clamp(-FAR, FAR) * self.steps).round() as i64
        };
        (snap(x), snap(y))
    }

    fn command(&mut self, letter: char) {
        // A repeated command letter may be left out, and after `m` comes an implied `l`.
        let implied = letter == self.last || (self.last == 'm' && letter == 'l');
        if !implied || matches!(letter, 'M' | 'm' | 'z') {
            self.out.push(letter);
        }
        self.last = letter;
    }

    fn number(&mut self, grid: i64) {
        if grid >= 0 && self.out.ends_with(|c: char| c.is_ascii_digit() || c == '.') {
            self.out.push(' ');
        }
        if grid < 0 {
            self.out.push('-');
        }
        let unit = self.steps as u64;
        let (whole, rest) = (grid.unsigned_abs() / unit, grid.unsigned_abs() % unit);
        if whole > 0 || rest == 0 {
            let _ = write!(self.out, "{whole}");
        }
        if rest > 0 {
            let digits = format!("{rest:0width$}", width = self.decimals);
            self.out.push('.');
            self.out.push_str(digits.trim_end_matches('0'));
        }
    }

    fn relative(&mut self, grid: (i64, i64)) {
        self.number(grid.0 - self.at.0);
        self.number(grid.1 - self.at.1);
    }

    /// Starts a new contour.
    pub(crate) fn move_to(&mut self, to: Point) {
        let to = self.grid(to);
        // The first one is absolute, so that finished paths can be put one after another.
        let letter = if self.out.is_empty() { 'M' } else { 'm' };
        self.command(letter);
        self.relative(to);
        self.at = to;
        self.start = to;
    }

    /// Draws a straight line.
    pub(crate) fn line_to(&mut self, to: Point) {
        let to = self.grid(to);
        self.command('l');
        self.relative(to);
        self.at = to;
    }

    /// Draws a quadratic curve.
    pub(crate) fn quad_to(&mut self, control: Point, to: Point) {
        let (control, to) = (self.grid(control), self.grid(to));
        self.command('q');
        self.relative(control);
        self.relative(to);
        self.at = to;
    }

    /// Draws a cubic curve.
    pub(crate) fn cubic_to(&mut self, one: Point, two: Point, to: Point) {
        let (one, two, to) = (self.grid(one), self.grid(two), self.grid(to));
        self.command('c');
        self.relative(one);
        self.relative(two);
        self.relative(to);
        self.at = to;
    }

    /// Draws a cubic curve whose first control mirrors the one before.
    fn smooth_to(&mut self, two: Point, to: Point) {
        let (two, to) = (self.grid(two), self.grid(to));
        self.command('s');
        self.relative(two);
        self.relative(to);
        self.at = to;
    }

    /// Closes the contour.
    pub(crate) fn close(&mut self) {
        self.command('z');
        self.at = self.start;
    }

    /// Draws the closed curve `f` over `0..turns` whole turns in `segments` cubic pieces.
    ///
    /// Each piece is the Hermite cubic through both ends with the curve's own tangents; with equal steps the
    /// tangents on both sides of a joint are equal, which is just what the short `s` command expresses.
    pub(crate) fn closed_curve(&mut self, turns: f64, segments: usize, f: impl Fn(f64) -> Point) {
        let span = turns * std::f64::consts::TAU;
        let step = span / segments.max(1) as f64;
        let tangent = |t: f64| {
            let h = step * 1e-3;
            let ((ax, ay), (bx, by)) = (f(t - h), f(t + h));
            ((bx - ax) / (2e-3) / 3.0, (by - ay) / (2e-3) / 3.0)
        };
        let begin = f(0.0);
        self.move_to(begin);
        let (mut from, mut lead) = (begin, tangent(0.0));
        for i in 1..=segments {
            let t = step * i as f64;
            let (to, tail) = (f(t), tangent(t));
            let two = (to.0 - tail.0, to.1 - tail.1);
            if i == 1 {
                self.cubic_to((from.0 + lead.0, from.1 + lead.1), two, to);
            } else {
                self.smooth_to(two, to);
            }
            (from, lead) = (to, tail);
        }
        self.close();
    }
}

/// A number with at most two decimals, as short as it can be written.
pub(crate) fn short(value: f64) -> String {
    let mut text = format!("{value:.2}");
    if text.contains('.') {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    }
    if text == "-0" { "0".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_relative() {
        let mut pen = Pen::new(1);
        pen.move_to((10.0, 0.5));
        pen.line_to((9.5, 0.75));
        pen.line_to((9.5, -3.0));
        pen.close();
        assert_eq!(pen.finish(), "M10 .5l-.5 .3 0-3.8z");
        assert_eq!(short(-0.001), "0");
        assert_eq!(short(12.50), "12.5");
    }

    #[test]
    fn nonsense_coordinates_do_not_panic() {
        let mut pen = Pen::new(2);
        pen.move_to((f64::NAN, f64::INFINITY));
        pen.line_to((1e300, -1e300));
        assert!(!pen.finish().contains("NaN"));
    }
}
