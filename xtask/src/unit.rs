//! Unit, property, storage and documentation tests of the workspace.

use std::process::Command;

use crate::{
    debian, outside, postgres,
    process::{cargo, read, watch},
    tally::Step,
};

/// With nextest where it is installed (it runs all crates' tests side by side), else with cargo alone.
pub(crate) fn run(rest: &[String]) -> Step {
    let mut step = Step::default();
    if let Err(words) = debian::mail_server() {
        step.skip(format!("mail over a real server: {words}"));
    }
    if cfg!(target_os = "linux")
        && let Err(words) = debian::false_time()
    {
        step.skip(format!("a machine whose clock is set: {words}"));
    }
    if let Err(words) = debian::go_betweens() {
        step.skip(format!("several nodes, and a pooler: {words}"));
    }
    let server = postgres::Server::start().map_err(|words| step.skip(format!("everything over PostgreSQL: {words}"))).ok();
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    if read(&mut cargo(&["nextest", "--version"])).is_ok() {
        let mut command = cargo(&["nextest", "run", "--workspace", "--no-fail-fast", "--status-level=slow", "--final-status-level=fail"]);
        command.arg("--no-tests=pass").args(&rest);
        counted(&mut step, &mut command, &NEXTEST, server.as_ref());
        if rest.is_empty() {
            counted(&mut step, &mut cargo(&["test", "--workspace", "--doc", "--no-fail-fast", "--quiet"]), &CARGO, None);
        }
    } else {
        let mut command = cargo(&["test", "--workspace", "--no-fail-fast"]);
        command.args(&rest);
        counted(&mut step, &mut command, &CARGO, server.as_ref());
    }
    if server.is_some() {
        again_over_postgres(&mut step, &rest, server.as_ref());
    }
    step
}

/// The suites that stand on `assay_fixtures::World`, once more with every world in PostgreSQL.
const SUITES: [&str; 3] = ["assay-store", "assay-jobs", "assay-web"];
/// Of the program's own tests those that choose their engine.
const OF_PROGRAM: [&str; 5] = ["history", "backups", "drill", "set_back", "reconciling"];

fn again_over_postgres(step: &mut Step, rest: &[&str], server: Option<&postgres::Server>) {
    if read(&mut cargo(&["nextest", "--version"])).is_ok() {
        let named = |kind: &str, names: &[&str]| names.iter().map(|name| format!("{kind}({name})")).collect::<Vec<_>>().join(" | ");
        // The whole workspace and a filter: asked for some packages alone, cargo builds what they share anew.
        let which = format!("(({}) & kind(test)) | (package(assay) & ({}))", named("package", &SUITES), named("binary", &OF_PROGRAM));
        let mut command = cargo(&["nextest", "run", "--workspace", "--no-fail-fast", "--status-level=slow", "--final-status-level=fail"]);
        command.args(["--no-tests=pass", "-E", &which]).args(rest).env("ASSAY_TEST_ENGINE", "postgres");
        counted(step, &mut command, &NEXTEST, server);
        return;
    }
    let (suites, program) = (SUITES.map(|name| ["-p", name]), OF_PROGRAM.map(|name| ["--test", name]));
    for which in [[suites.as_flattened(), &["--test", "*"]].concat(), [&["-p", "assay"], program.as_flattened()].concat()] {
        let mut command = cargo(&["test", "--no-fail-fast"]);
        command.args(which).args(rest).env("ASSAY_TEST_ENGINE", "postgres");
        counted(step, &mut command, &CARGO, server);
    }
}

/// How a runner says what it found. Each reads its own lines only: nextest also prints those of a failed test's own runner.
struct Runner {
    counts: fn(&str) -> Option<Counts>,
    failed: fn(&str) -> Option<String>,
}

const CARGO: Runner = Runner { counts: cargo_counts, failed: cargo_failed };
const NEXTEST: Runner = Runner { counts: nextest_counts, failed: nextest_failed };

fn counted(step: &mut Step, command: &mut Command, runner: &Runner, server: Option<&postgres::Server>) {
    if let Some(server) = server {
        command.env(postgres::VARIABLE, &server.url).env(postgres::PROGRAMS, &server.programs);
    }
    if let Some(folder) = outside::folder() {
        command.env(outside::VARIABLE, folder);
    }
    let mut found = Counts::default();
    let outcome = watch(command, |line| {
        if let Some(counts) = (runner.counts)(line) {
            found.add(&counts);
        }
        if let Some(name) = (runner.failed)(line) {
            found.names.push(name);
        }
    });
    step.passed += found.passed;
    step.skipped += found.skipped;
    found.names.sort();
    found.names.dedup();
    for name in &found.names {
        step.notes.push(format!("failed: {name}"));
    }
    step.failed += found.failed;
    if let (Err(words), 0) = (outcome, found.failed) {
        step.fail(format!("{words}; no test is to blame, so something did not build"));
    }
}

#[derive(Default)]
struct Counts {
    passed: u32,
    failed: u32,
    skipped: u32,
    names: Vec<String>,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// `test result: ok. 3 passed; 0 failed; 1 ignored; …`, one for each crate.
fn cargo_counts(line: &str) -> Option<Counts> {
    Some(numbers(line.trim().strip_prefix("test result: ")?))
}

/// `Summary [ 1.2s] 4 tests run: 3 passed, 1 failed, 0 skipped`, one for all.
fn nextest_counts(line: &str) -> Option<Counts> {
    Some(numbers(line.trim().strip_prefix("Summary [")?.split_once(" run: ")?.1))
}

fn numbers(text: &str) -> Counts {
    let mut counts = Counts::default();
    let words: Vec<&str> = text.split([' ', ';', ',', '.']).filter(|word| !word.is_empty()).collect();
    for pair in words.windows(2) {
        let [number, word] = pair else { continue };
        let Ok(number) = number.parse::<u32>() else { continue };
        match *word {
            "passed" => counts.passed += number,
            "failed" | "timed" => counts.failed += number,
            "ignored" | "skipped" => counts.skipped += number,
            _ => {}
        }
    }
    counts
}

/// `test a::b ... FAILED`.
fn cargo_failed(line: &str) -> Option<String> {
    line.trim().strip_prefix("test ")?.strip_suffix(" ... FAILED").map(str::to_owned)
}

/// `FAIL [ 0.01s] (3/4) crate a::b`.
fn nextest_failed(line: &str) -> Option<String> {
    let rest = ["FAIL [", "TIMEOUT [", "SIGKILL [", "SIGSEGV [", "SIGABRT ["].iter().find_map(|word| line.trim().strip_prefix(word))?;
    let name = rest.split_once(']')?.1.trim();
    Some(name.split_once(") ").map_or(name, |(_, name)| name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three(counts: Option<Counts>) -> Option<(u32, u32, u32)> {
        counts.map(|counts| (counts.passed, counts.failed, counts.skipped))
    }

    #[test]
    fn closing_lines_are_read() {
        let cargo = "test result: FAILED. 7 passed; 2 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.11s";
        assert_eq!(three(cargo_counts(cargo)), Some((7, 2, 1)));
        assert_eq!(three(nextest_counts(cargo)), None);
        let nextest = "     Summary [   0.412s] 12 tests run: 10 passed (1 slow), 2 failed, 3 skipped";
        assert_eq!(three(nextest_counts(nextest)), Some((10, 2, 3)));
        assert_eq!(three(nextest_counts("     Summary [   0.412s] 1 test run: 1 passed, 0 skipped")), Some((1, 0, 0)));
        assert_eq!(three(cargo_counts("running 3 tests")), None);
    }

    #[test]
    fn names_of_failed_tests_are_read() {
        assert_eq!(cargo_failed("test draw::never_two ... FAILED").as_deref(), Some("draw::never_two"));
        assert_eq!(cargo_failed("test draw::never_two ... ok"), None);
        assert_eq!(
            nextest_failed("        FAIL [   0.010s] (  1/264) assay-core draw::never_two").as_deref(),
            Some("assay-core draw::never_two")
        );
    }
}
