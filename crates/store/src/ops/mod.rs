//! Every statement, once, as a `const`, in the subset that both engines share. Compiled by each engine with its own `Conn`.
//!
//! `$1` placeholders, `ON CONFLICT`, `RETURNING`, partial unique indexes; in an upsert the standing row's columns are written with
//! the table's name. No engine's own functions.

use super::{Apply, Conn};

mod answers;
mod attempts;
mod badges;
mod jobs;
mod people;
mod programmes;
mod rows;
mod vitals;
