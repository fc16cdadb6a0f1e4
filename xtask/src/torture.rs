//! Fault tests for hours: the same code that the unit tests run for minutes.

use crate::{
    process::{cargo, pass_through},
    tally::Step,
};

/// What can be tortured, and with how much by default (`torture/src/main.rs`).
const WHAT: [&str; 6] = ["power", "points", "kills", "disk", "mail", "history"];
const KILLS: &str = "10000";
/// Seconds of the history.
const HISTORY: &str = "3600";

/// All of it, or the one named first, with what follows handed on: `cargo xtask torture power --attempts 5000`.
pub(crate) fn run(rest: &[String]) -> Step {
    let mut step = Step::default();
    let (what, more) = match rest.split_first() {
        Some((first, more)) => (vec![first.as_str()], more),
        None => (WHAT.to_vec(), rest),
    };
    for what in what {
        let mut command = match what {
            "kills" => {
                let mut command = cargo(&["test", "--release", "--package", "assay", "--test", "kill", "--", "--nocapture"]);
                command.env("ASSAY_KILLS", more.first().map_or(KILLS, String::as_str));
                command
            }
            "history" => {
                let mut command = cargo(&["test", "--release", "--package", "assay", "--test", "history", "--", "--nocapture"]);
                command.env("ASSAY_HISTORY_SECONDS", more.first().map_or(HISTORY, String::as_str));
                command
            }
            _ if WHAT.contains(&what) => {
                let mut command = cargo(&["run", "--release", "--package", "assay-torture", "--", what]);
                command.args(more);
                command
            }
            other => {
                step.fail(format!("there is no torture by {other}; there is {}", WHAT.join(", ")));
                continue;
            }
        };
        match pass_through(&mut command) {
            Ok(()) => step.pass(),
            Err(words) => step.fail(words),
        }
    }
    step
}
