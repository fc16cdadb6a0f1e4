//! The outline of a struck mark.

use std::f64::consts::{FRAC_PI_4, TAU};
use std::fmt::Write as _;

use crate::pen::Point;

/// Shape of the punch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cartouche {
    /// Eight equal sides.
    Octagon,
    /// Flat top, round sides that meet in a point below.
    Shield,
    /// A square on its corner, corners cut.
    Lozenge,
    /// Upright ellipse.
    Oval,
}

impl Cartouche {
    /// All shapes, in the order a seed picks from.
    pub const ALL: [Self; 4] = [Self::Octagon, Self::Shield, Self::Lozenge, Self::Oval];

    /// How large a round rosette sits inside, as a share of the half height, and how far it is moved up.
    pub(crate) fn room(self) -> (f64, f64) {
        match self {
            Self::Octagon => (0.84, 0.0),
            Self::Shield => (0.68, 0.14),
            Self::Lozenge => (0.66, 0.0),
            Self::Oval => (0.76, 0.0),
        }
    }

    /// Path data of the outline around the origin, `half` from centre to top, in units of the picture.
    pub(crate) fn path(self, half: f64) -> String {
        let at = |v: f64| format!("{:.1}", v * half);
        let mut out = String::new();
        match self {
            Self::Octagon => {
                for i in 0..8 {
                    let angle = TAU * (f64::from(i) + 0.5) / 8.0;
                    let r = 1.0 / (FRAC_PI_4 / 2.0).cos();
                    let (x, y) = (r * angle.sin(), -r * angle.cos());
                    let _ = write!(out, "{}{} {}", if i == 0 { 'M' } else { 'L' }, at(x), at(y));
                }
            }
            Self::Shield => {
                let _ = write!(
                    out,
                    "M{} {}Q{} {} {} {}Q{} {} {} {}L{} {}C{} {} {} {} {} {}C{} {} {} {} {} {}",
                    at(-0.86),
                    at(-0.9),
                    at(-0.4),
                    at(-0.9),
                    at(0.0),
                    at(-1.0),
                    at(0.4),
                    at(-0.9),
                    at(0.86),
                    at(-0.9),
                    at(0.86),
                    at(-0.1),
                    at(0.86),
                    at(0.5),
                    at(0.42),
                    at(0.82),
                    at(0.0),
                    at(1.06),
                    at(-0.42),
                    at(0.82),
                    at(-0.86),
                    at(0.5),
                    at(-0.86),
                    at(-0.1),
                );
            }
            Self::Lozenge => {
                let (long, cut) = (1.06, 0.12);
                for (i, (x, y)) in [
                    (cut, cut - long),
                    (long - cut, -cut),
                    (long - cut, cut),
                    (cut, long - cut),
                    (-cut, long - cut),
                    (cut - long, cut),
                    (cut - long, -cut),
                    (-cut, cut - long),
                ]
                .into_iter()
                .enumerate()
                {
                    let _ = write!(out, "{}{} {}", if i == 0 { 'M' } else { 'L' }, at(x), at(y));
                }
            }
            Self::Oval => {
                let (rx, ry) = (at(0.84), at(1.0));
                let _ = write!(out, "M{} 0A{rx} {ry} 0 0 1 {rx} 0A{rx} {ry} 0 0 1 {} 0", at(-0.84), at(-0.84));
            }
        }
        out.push('z');
        out
    }

    /// The outline as corners, for measuring.
    fn corners(self) -> Vec<Point> {
        let bend = |a: Point, b: Point, c: Point, d: Point, t: f64| {
            let s = 1.0 - t;
            let mix = |a: f64, b: f64, c: f64, d: f64| s * s * s * a + 3.0 * s * s * t * b + 3.0 * s * t * t * c + t * t * t * d;
            (mix(a.0, b.0, c.0, d.0), mix(a.1, b.1, c.1, d.1))
        };
        match self {
            Self::Octagon => (0..8)
                .map(|i| TAU * (f64::from(i) + 0.5) / 8.0)
                .map(|a| (a.sin() / (FRAC_PI_4 / 2.0).cos(), -a.cos() / (FRAC_PI_4 / 2.0).cos()))
                .collect(),
            Self::Lozenge => {
                vec![(0.12, -0.94), (0.94, -0.12), (0.94, 0.12), (0.12, 0.94), (-0.12, 0.94), (-0.94, 0.12), (-0.94, -0.12), (-0.12, -0.94)]
            }
            Self::Oval => (0..64).map(|i| TAU * f64::from(i) / 64.0).map(|a| (0.84 * a.sin(), -a.cos())).collect(),
            Self::Shield => {
                let mut right = vec![(0.0, -0.98), (0.4, -0.92), (0.86, -0.9), (0.86, -0.1)];
                right.extend((1..=16).map(|i| bend((0.86, -0.1), (0.86, 0.5), (0.42, 0.82), (0.0, 1.06), f64::from(i) / 16.0)));
                let left = right.iter().rev().skip(1).map(|(x, y)| (-x, *y));
                let left: Vec<_> = left.take(right.len() - 2).collect();
                right.extend(left);
                right
            }
        }
    }

    /// Distance from `(0, -up)` to the outline in a direction (0 is up, clockwise, radians), as a share of the half height.
    pub(crate) fn reach(self, up: f64, angle: f64) -> f64 {
        let corners = self.corners();
        let (dx, dy) = (angle.sin(), -angle.cos());
        let next = corners.iter().cycle().skip(1);
        corners
            .iter()
            .zip(next)
            .filter_map(|(a, b)| {
                let (ax, ay) = (a.0, a.1 + up);
                let (ex, ey) = (b.0 - a.0, b.1 - a.1);
                let across = dx * ey - dy * ex;
                let (along, side) = ((ax * ey - ay * ex) / across, (ax * dy - ay * dx) / across);
                (across.abs() > 1e-9 && along > 0.0 && (-1e-9..=1.0 + 1e-9).contains(&side)).then_some(along)
            })
            .fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outline_is_reached_in_every_direction() {
        for shape in Cartouche::ALL {
            let (room, up) = shape.room();
            for i in 0..720 {
                let reach = shape.reach(up, TAU * f64::from(i) / 720.0);
                assert!((room..1.35).contains(&reach), "{shape:?} {i} {reach}");
            }
        }
    }
}
