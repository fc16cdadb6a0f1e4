//! Fault tests for hours: the same code that the unit tests run for minutes.

use std::process::Command;

use crate::{
    postgres,
    process::{cargo, pass_through},
    tally::Step,
};

/// What can be tortured, and with how much by default (`torture/src/main.rs`, `crates/assay/tests`).
const WHAT: [&str; 12] = [
    "power",
    "points",
    "kills",
    "cuts",
    "disk",
    "mail",
    "failover",
    "server",
    "history",
    "points-postgres",
    "kills-postgres",
    "history-postgres",
];
const KILLS: &str = "10000";
const FAILOVERS: &str = "20";
/// Power cuts of the program's disk.
const CUTS: &str = "1000";
/// Kills of the database server, and power cuts of its disk.
const SERVER_KILLS: &str = "100";
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
        match one(what, more) {
            Ok(()) => step.pass(),
            Err(words) => step.fail(words),
        }
    }
    step
}

fn one(what: &str, more: &[String]) -> Result<(), String> {
    if !WHAT.contains(&what) {
        return Err(format!("there is no torture by {what}; there is {}", WHAT.join(", ")));
    }
    let of_program = |test: &str, variable: &str, times: &str| {
        let mut command = cargo(&["test", "--release", "--package", "assay", "--test", test, "--", "--nocapture"]);
        // One file has two stories.
        match what {
            "cuts" => drop(command.arg("power")),
            "kills" | "kills-postgres" => drop(command.arg("awarded_twice")),
            _ => {}
        }
        command.env(variable, more.first().map_or(times, String::as_str));
        command
    };
    let mut command = match what {
        "kills" | "kills-postgres" => of_program("kill", "ASSAY_KILLS", KILLS),
        "cuts" => of_program("kill", "ASSAY_POWER_CUTS", CUTS),
        "history" | "history-postgres" => of_program("history", "ASSAY_HISTORY_SECONDS", HISTORY),
        "server" => of_program("server_killed", "ASSAY_SERVER_KILLS", SERVER_KILLS),
        "failover" => of_program("failover", "ASSAY_FAILOVERS", FAILOVERS),
        _ => {
            let mut command = cargo(&["run", "--release", "--package", "assay-torture", "--", what.trim_end_matches("-postgres")]);
            command.args(more);
            command
        }
    };
    let _server =
        if ["failover", "server"].contains(&what) || what.ends_with("-postgres") { Some(over_postgres(&mut command)?) } else { None };
    // `crates/fixtures/src/disk.rs`
    command.env("ASSAY_DISK", "must");
    if what.ends_with("-postgres") {
        command.env("ASSAY_TEST_ENGINE", "postgres");
    }
    pass_through(&mut command)
}

/// A private server, and where a test finds it and its programs.
fn over_postgres(command: &mut Command) -> Result<postgres::Server, String> {
    let server = postgres::Server::start()?;
    command.env(postgres::VARIABLE, &server.url).env(postgres::PROGRAMS, &server.programs);
    Ok(server)
}
