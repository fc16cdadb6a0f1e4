//! Formatting.

use crate::{
    process::{cargo, pass_through, read},
    tally::Step,
};

/// `cargo fmt --all --check`.
pub(crate) fn run() -> Step {
    let mut step = Step::default();
    if read(&mut cargo(&["fmt", "--version"])).is_err() {
        step.skip("formatting: rustfmt is not installed; `rustup component add rustfmt`");
        return step;
    }
    match pass_through(&mut cargo(&["fmt", "--all", "--", "--check"])) {
        Ok(()) => step.pass(),
        Err(words) => step.fail(format!("{words}; `cargo fmt --all` mends it")),
    }
    step
}
