//! The rules of Assay, without a database, a network or a clock of their own.

pub mod programme;
