//! Pictures, pure: text and bytes in, text and bytes out.
//!
//! - [`clean_svg`] takes a picture by somebody else and gives back one that may stand in our pages, or says line by
//!   line why not.
//! - [`clean_diagram`] does the same for a lesson's diagram, which may hold letters and follows the page's colours.
//! - [`badge_svg`] draws the badge of one credential: the programme's art as the field of a medal, the title as its
//!   legend, the [`hallmark`] struck into its lower edge.
//! - [`raster`] makes a PNG of either.
//! - [`favicon_svg`] and [`logo_svg`] are the mark of the house.
//!
//! What is absent: clock, chance, disk, network, system fonts. Everything individual is drawn from a 32-byte seed, so
//! the same badge always looks the same. The hallmark is decoration: it is compared with nothing and shows nothing
//! that the credential's signature does not.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "tests"))]

mod badge;
mod cartouche;
mod chance;
mod clean;
mod colour;
mod diagram;
mod hallmark;
mod lettering;
mod mark;
mod pen;
mod raster;
mod rosette;
mod rules;

pub use badge::{BadgePicture, badge_svg};
pub use clean::{MAX_SVG_BYTES, clean_svg};
pub use diagram::{Diagram, clean_diagram, luminance};
pub use hallmark::{Cartouche, Hallmark, hallmark};
pub use mark::{favicon_svg, logo_svg};
pub use raster::{Error, MAX_PIXELS, raster};
