//! Clippy: the bans of `clippy.toml` and the lints of the workspace, as errors.

use crate::{
    process::{cargo, pass_through, read},
    tally::Step,
};

/// `cargo clippy --workspace --all-targets -- -D warnings`.
pub(crate) fn run() -> Step {
    let mut step = Step::default();
    if read(&mut cargo(&["clippy", "--version"])).is_err() {
        step.skip("lint: clippy is not installed; `rustup component add clippy`");
        return step;
    }
    match pass_through(&mut cargo(&["clippy", "--workspace", "--all-targets", "--keep-going", "--", "-D", "warnings"])) {
        Ok(()) => step.pass(),
        Err(words) => step.fail(words),
    }
    step
}
