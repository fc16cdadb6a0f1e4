//! Outside test data: documents of other implementations, kept beside the repository and not in it.

use std::path::PathBuf;

use crate::{process::root, tally::Step};

/// The variable that names the folder.
pub(crate) const VARIABLE: &str = "ASSAY_OUTSIDE_DATA";

/// The folder, absolute: tests run in their own crate's folder.
pub(crate) fn folder() -> Option<PathBuf> {
    let given = PathBuf::from(std::env::var_os(VARIABLE)?);
    let path = if given.is_absolute() { given } else { root().join(given) };
    Some(path.canonicalize().unwrap_or(path))
}

/// A named folder that is not there is a failure; no name is no fault, since the tests then look beside the repository.
pub(crate) fn run() -> Step {
    let mut step = Step::default();
    match folder() {
        Some(path) if path.is_dir() => {
            println!("  {VARIABLE} is {}", path.display());
            step.pass();
        }
        Some(path) => step.fail(format!("{VARIABLE} names {}, which is no folder; unset it, or put the data there", path.display())),
        None => println!("  {VARIABLE} is not set; tests that need it look in ../shared/data and say so when they find nothing"),
    }
    step
}
