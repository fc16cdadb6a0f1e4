//! Every statement, once, as a `const`, in the subset that both engines share. Compiled by each engine with its own `Conn`.
//!
//! `$1` placeholders, `ON CONFLICT`, `RETURNING`, partial unique indexes; in an upsert the standing row's columns are written with
//! the table's name. No engine's own functions; the few words that differ are macros in each engine's `dialect`.

use super::{Apply, Conn, EngineRow, Row, dialect, query};

mod answers;
mod attempts;
mod badges;
mod jobs;
mod keep;
mod people;
mod programmes;
mod rows;
mod shared;
mod vitals;

/// Every statement, with its file's name.
#[cfg(test)]
pub(crate) fn statements() -> Vec<(&'static str, &'static str)> {
    let files = [
        ("answers", answers::STATEMENTS),
        ("attempts", attempts::STATEMENTS),
        ("badges", badges::STATEMENTS),
        ("jobs", jobs::STATEMENTS),
        ("keep", keep::STATEMENTS),
        ("people", people::STATEMENTS),
        ("programmes", programmes::STATEMENTS),
        ("shared", shared::STATEMENTS),
        ("vitals", vitals::STATEMENTS),
    ];
    files.into_iter().flat_map(|(file, lists)| lists.iter().flat_map(move |list| list.iter().map(move |&sql| (file, sql)))).collect()
}
