//! The rules of Assay, without a database, a network or a clock of their own.
//!
//! **Invariant:** nothing here waits, reads a clock or draws chance; [`Clock`] and [`Chance`] are parameters, and what they
//! gave is data from then on. That is why a whole story (fail, wait, refused, retake, pass) runs in a test in milliseconds.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "tests"))]

pub mod attempt;
pub mod badge;
pub mod chance;
pub mod clock;
pub mod entry;
pub mod form;
pub mod ids;
pub mod mail;
pub mod programme;
pub mod score;

pub use chance::Chance;
pub use clock::{Clock, UtcMillis};
