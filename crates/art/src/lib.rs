//! Stub.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "tests"))]

mod badge;
mod cartouche;
mod chance;
mod clean;
mod colour;
mod hallmark;
mod lettering;
mod pen;
mod raster;
mod rosette;
mod rules;

pub use badge::{BadgePicture, badge_svg};
pub use clean::{MAX_SVG_BYTES, clean_svg};
pub use hallmark::{Cartouche, Hallmark, hallmark};
pub use raster::{Error, MAX_PIXELS, raster};
