//! Unit, property, storage and documentation tests of the workspace.

use std::process::Command;

use crate::{
    outside,
    process::{cargo, read, watch},
    tally::Step,
};

/// With nextest where it is installed (it runs all crates' tests side by side), else with cargo alone.
pub(crate) fn run(rest: &[String]) -> Step {
    let mut step = Step::default();
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    if read(&mut cargo(&["nextest", "--version"])).is_ok() {
        let mut command = cargo(&["nextest", "run", "--workspace", "--no-fail-fast", "--status-level=slow", "--final-status-level=fail"]);
        command.arg("--no-tests=pass").args(&rest);
        counted(&mut step, &mut command);
        if rest.is_empty() {
            counted(&mut step, &mut cargo(&["test", "--workspace", "--doc", "--no-fail-fast", "--quiet"]));
        }
    } else {
        let mut command = cargo(&["test", "--workspace", "--no-fail-fast"]);
        command.args(&rest);
        counted(&mut step, &mut command);
    }
    step
}

fn counted(step: &mut Step, command: &mut Command) {
    if let Some(folder) = outside::folder() {
        command.env(outside::VARIABLE, folder);
    }
    let mut found = Counts::default();
    let outcome = watch(command, |line| {
        if let Some(counts) = counts(line) {
            found.add(&counts);
        }
        if let Some(name) = failed_test(line) {
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

/// Reads the closing line of cargo's test runner, `test result: ok. 3 passed; 0 failed; 1 ignored; …`,
/// or of nextest, `Summary [ 1.2s] 4 tests run: 3 passed, 1 failed, 0 skipped`.
fn counts(line: &str) -> Option<Counts> {
    let line = line.trim();
    let numbers = line
        .strip_prefix("test result: ")
        .or_else(|| line.strip_prefix("Summary [").and_then(|rest| rest.split_once(" run: ")).map(|(_, rest)| rest))?;
    let mut counts = Counts::default();
    let words: Vec<&str> = numbers.split([' ', ';', ',', '.']).filter(|word| !word.is_empty()).collect();
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
    Some(counts)
}

/// `test a::b ... FAILED`, or nextest's `FAIL [ 0.01s] crate a::b`.
fn failed_test(line: &str) -> Option<String> {
    let line = line.trim();
    if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
        return Some(name.to_owned());
    }
    let rest = ["FAIL [", "TIMEOUT [", "SIGKILL [", "SIGSEGV [", "SIGABRT ["].iter().find_map(|word| line.strip_prefix(word))?;
    Some(rest.split_once(']')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three(line: &str) -> Option<(u32, u32, u32)> {
        counts(line).map(|counts| (counts.passed, counts.failed, counts.skipped))
    }

    #[test]
    fn closing_lines_are_read() {
        let cargo = "test result: FAILED. 7 passed; 2 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.11s";
        assert_eq!(three(cargo), Some((7, 2, 1)));
        let nextest = "     Summary [   0.412s] 12 tests run: 10 passed (1 slow), 2 failed, 3 skipped";
        assert_eq!(three(nextest), Some((10, 2, 3)));
        assert_eq!(three("     Summary [   0.412s] 1 test run: 1 passed, 0 skipped"), Some((1, 0, 0)));
        assert_eq!(three("running 3 tests"), None);
    }

    #[test]
    fn names_of_failed_tests_are_read() {
        assert_eq!(failed_test("test draw::never_two ... FAILED").as_deref(), Some("draw::never_two"));
        assert_eq!(
            failed_test("        FAIL [   0.010s] (1/4) assay-core draw::never_two").as_deref(),
            Some("(1/4) assay-core draw::never_two")
        );
        assert_eq!(failed_test("test draw::never_two ... ok"), None);
    }
}
