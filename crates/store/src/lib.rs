//! The only room with SQL.
//!
//! The unit of writing is a **command**: plain data in, plain data out, one transaction, replayable because it is data. Reads are
//! **queries** on read-only connections. [`Store`] takes both and knows which engine answers; the statements in `ops` are written
//! once, in the subset that SQLite and PostgreSQL share.
//!
//! **Invariant:** every "at most one" is a constraint of the schema or a compare-and-set inside one statement, never a check in code.
#![expect(clippy::duplicate_mod, reason = "`ops` is compiled once for each engine, with its own connection")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "tests"))]

/// A named place where fault tests stop the program or make a step fail. The program is built without.
macro_rules! fail_point {
    ($name:literal $(, $refuse:expr)?) => {
        #[cfg(feature = "failpoints")]
        fail::fail_point!($name $(, $refuse)?);
    };
}

mod bell;
pub mod commands;
mod engine;
mod error;
pub mod keeping;
pub mod moving;
pub mod queries;

pub use bell::{Bell, Listener};
pub use engine::{Apply, Command, Promise, Query, Store, create_database, sqlite::SqliteTuning};
pub use error::{EngineError, StoreError};
