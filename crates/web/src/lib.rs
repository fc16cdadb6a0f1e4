//! HTTP: pages, sign-in, sessions. `routes.rs` lists every URL; a handler extracts, runs one command or query, renders.
//!
//! **Invariants:** this room never names a key; it draws forms and shows questions, it does not score. Every page works with
//! scripts off. A GET changes nothing, but that it notes when a question was first shown and closes an attempt whose time is over.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "tests"))]

mod assets;
mod compress;
mod error;
mod frame;
mod guard;
mod limits;
mod pages;
mod routes;
mod session;
mod shed;
mod shown;
mod state;
mod told;

pub use limits::Limits;
pub use pages::health::Vitals;
pub use routes::app;
pub use shed::AtOnce;
pub use state::{App, Demo, Egress, Fetched, Fetching, Parts, SamplePerson, Settings};
