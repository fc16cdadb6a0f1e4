//! The engraver's curves: guilloche bands as waves wound around a centre.
//!
//! A band is one closed wave between an inner and an outer envelope, repeated by rotation. If the envelope has `s`
//! petals and the wave `n` crests with no common divisor, then the `s` turned copies lie at `s` evenly spread phases,
//! and their crossings make the lace of a banknote. So one path and a handful of `<use>` draw the whole band.

use std::f64::consts::TAU;
use std::fmt::Write as _;

use crate::chance::Chance;
use crate::pen::{Pen, Point, short};

/// The greatest common divisor.
fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The smallest number from `n` up without a common divisor with `s`.
pub(crate) fn coprime_from(n: usize, s: usize) -> usize {
    (n.max(1)..).find(|n| gcd(*n, s) == 1).unwrap_or(1)
}

fn polar(r: f64, angle: f64) -> Point {
    (r * angle.sin(), -r * angle.cos())
}

/// One wave between two envelopes, radii in units of the picture.
#[derive(Clone, Copy)]
pub(crate) struct Band {
    /// Petals of the envelopes, and copies of the wave.
    pub(crate) petals: usize,
    /// Crests of the wave.
    pub(crate) crests: usize,
    /// Largest radius, and how far the outer envelope dips between petals.
    pub(crate) outer: (f64, f64),
    /// Smallest radius, and how far the inner envelope rises under petals.
    pub(crate) inner: (f64, f64),
    /// How pointed the petals are; 1 is a plain cosine.
    pub(crate) point: f64,
    /// Lean of the crests, in radians between inner and outer edge.
    pub(crate) lean: f64,
}

impl Band {
    /// The path of one wave around the origin.
    pub(crate) fn wave(self, pen: &mut Pen) {
        let middle = (self.outer.0 + self.inner.0) / 2.0;
        let depth = (self.outer.0 - self.inner.0).max(0.1);
        let pieces = (self.crests * 4).max(24);
        pen.closed_curve(1.0, pieces, |t| {
            let petal = (0.5 + 0.5 * (self.petals as f64 * t).cos()).max(1e-9).powf(self.point);
            let outer = self.outer.0 - self.outer.1 * (1.0 - petal);
            let inner = self.inner.0 + self.inner.1 * petal;
            let wave = 0.5 + 0.5 * (self.crests as f64 * t).cos();
            let r = inner + (outer - inner) * wave;
            polar(r, t + self.lean * (r - middle) / depth)
        });
    }
}

/// The rosette of one seed, engraved in lines of one weight, radius `radius` around the origin.
pub(crate) struct Rosette {
    radius: f64,
    outer: Band,
    ring: Band,
    ring_copies: usize,
    floret: Band,
    boss: usize,
}

impl Rosette {
    /// Chooses the curves.
    pub(crate) fn new(seed: [u8; 32], radius: f64) -> Self {
        let mut chance = Chance::new(seed, "rosette");
        let petals = 7 + chance.below(8);
        let point = chance.between(0.7, 1.7);
        let hand = chance.one_of(&[-1.0, 1.0], 1.0);
        let lean = hand * chance.one_of(&[0.0, 0.0, 0.12, 0.24], 0.0);
        let waist = chance.between(0.56, 0.66);
        // Crests times copies is the number of lines across the band: more than this and the lace closes up.
        let crests = (120 + chance.below(60)) / petals;
        let outer = Band {
            petals,
            crests: coprime_from(crests, petals),
            outer: (radius, radius * chance.between(0.1, 0.2)),
            inner: (radius * waist, radius * chance.between(-0.04, 0.1)),
            point,
            lean,
        };
        let ring_edge = waist - 0.035;
        let ring_copies = 3 + chance.below(3);
        let ring_crests = petals * chance.one_of(&[1, 2, 2, 3], 2);
        let ring_foot = ring_edge - chance.between(0.13, 0.19);
        let ring = Band {
            petals: ring_crests,
            crests: ring_crests.clamp(12, 28),
            outer: (radius * ring_edge, 0.0),
            inner: (radius * ring_foot, 0.0),
            point: 1.0,
            lean: -lean,
        };
        let floret_petals = if petals > 10 { petals / 2 + 1 } else { petals };
        let floret = Band {
            petals: floret_petals,
            crests: coprime_from((40 + chance.below(30)) / floret_petals, floret_petals),
            outer: (radius * (ring_foot - 0.03), radius * chance.between(0.02, 0.12)),
            inner: (radius * chance.between(0.12, 0.17), 0.0),
            point: 1.0,
            lean: hand * chance.between(0.0, 0.9),
        };
        Self { radius, outer, ring, ring_copies, floret, boss: chance.below(4) }
    }

    /// Radius of the outermost envelope in a direction (0 is up, clockwise, radians).
    pub(crate) fn edge(&self, angle: f64) -> f64 {
        let band = self.outer;
        let middle = (band.outer.0 + band.inner.0) / 2.0;
        let mut r = band.outer.0;
        // The lean turns each radius by its own angle; a few rounds settle which petal is met.
        for _ in 0..6 {
            let t = angle - band.lean * (r - middle) / (band.outer.0 - band.inner.0).max(0.1);
            let petal = (0.5 + 0.5 * (band.petals as f64 * t).cos()).max(1e-9).powf(band.point);
            r = (r + band.outer.0 - band.outer.1 * (1.0 - petal)) / 2.0;
        }
        r
    }

    /// Definitions and uses, for a group that sets the stroke; ids begin with `id`.
    pub(crate) fn lines(&self, id: &str) -> String {
        let mut out = String::new();
        let mut band = |name: &str, band: Band, copies: usize, turn: f64| {
            let mut pen = Pen::new(1);
            band.wave(&mut pen);
            let _ = write!(out, r#"<path id="{id}{name}" d="{}"/>"#, pen.finish());
            for copy in 1..copies {
                let angle = short(turn * copy as f64);
                let _ = write!(out, r##"<use href="#{id}{name}" transform="rotate({angle})"/>"##);
            }
        };
        let full = |copies: usize| 360.0 / copies as f64;
        band("o", self.outer, self.outer.petals, full(self.outer.petals));
        let crests = self.ring.crests * self.ring_copies;
        band("r", self.ring, self.ring_copies, full(crests));
        band("f", self.floret, self.floret.petals, full(self.floret.petals));
        out
    }

    /// The plain circles between the bands.
    pub(crate) fn circles(&self) -> String {
        let mut out = String::new();
        for r in [self.ring.outer.0, self.ring.inner.0] {
            let gap = self.radius * 0.016;
            for r in [r + gap, r - gap] {
                let _ = write!(out, r#"<circle r="{}"/>"#, short(r));
            }
        }
        out
    }

    /// The small solid figure in the middle, as path data.
    pub(crate) fn boss(&self) -> String {
        let r = self.floret.inner.0 * 0.72;
        let mut pen = Pen::new(1);
        let corners: &[f64] = match self.boss {
            // Lozenge, four-pointed star, octagon, six-pointed star: long and short radii in turn.
            0 => &[1.0, 0.62, 1.0, 0.62],
            1 => &[1.0, 0.34, 1.0, 0.34, 1.0, 0.34, 1.0, 0.34],
            2 => &[0.86; 8],
            _ => &[1.0, 0.52, 1.0, 0.52, 1.0, 0.52, 1.0, 0.52, 1.0, 0.52, 1.0, 0.52],
        };
        let turn = if self.boss == 2 { 0.5 } else { 0.0 };
        for (i, corner) in corners.iter().enumerate() {
            let at = polar(r * corner, TAU * (i as f64 + turn) / corners.len() as f64);
            if i == 0 {
                pen.move_to(at);
            } else {
                pen.line_to(at);
            }
        }
        pen.close();
        pen.finish()
    }
}

/// Path data of short rays from radius `from(angle)` to `to(angle)` around the origin.
pub(crate) fn rays(count: usize, from: impl Fn(f64) -> f64, to: impl Fn(f64) -> f64) -> String {
    let mut pen = Pen::new(1);
    for i in 0..count {
        let angle = TAU * (i as f64 + 0.5) / count as f64;
        let (near, far) = (from(angle), to(angle));
        if far - near > 0.8 {
            pen.move_to(polar(near, angle));
            pen.line_to(polar(far, angle));
        }
    }
    pen.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crests_share_no_divisor_with_petals() {
        for s in 1..40 {
            for n in 0..60 {
                assert_eq!(gcd(coprime_from(n, s), s), 1);
            }
        }
    }

    #[test]
    fn every_seed_stays_inside_its_radius() {
        for i in 0..=255_u8 {
            let rosette = Rosette::new([i; 32], 70.0);
            assert!(rosette.outer.inner.0 < rosette.outer.outer.0 - rosette.outer.outer.1);
            assert!(rosette.floret.inner.0 < rosette.floret.outer.0 - rosette.floret.outer.1);
        }
    }
}
