//! Fault tests of the embedded engine. The same code serves the tests (minutes) and long runs (`cargo xtask torture`, hours).
//!
//! What is tested is the program's own code: the store with its one writer, the worker with its jobs, the signing journal.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helper fails by panicking")]

pub mod check;
pub mod faulty;
pub mod image;
pub mod mail;
pub mod outage;
pub mod points;
pub mod power;
pub mod room;
pub mod story;
pub mod trace;
pub mod vfs;
