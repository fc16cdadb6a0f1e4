//! Numerics of the assessment: which items stand in a form. Item statistics and leak detection come to live here too.
//!
//! **Invariant:** results follow from the arguments alone, seed included; nothing here knows who a person is or what a key says.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "tests"))]

mod draw;

pub use draw::{CannotDraw, DrawRequest, draw};
