//! The whole program in a real Chromium: node's own test runner over `e2e/*.test.mjs`.

use std::fs;

use crate::{
    browser::{Bench, Missing, folder},
    process::watch,
    tally::Step,
};

/// All test files, or those whose names contain one of the words given.
pub(crate) fn run(rest: &[String]) -> Step {
    let mut step = Step::default();
    let bench = match Bench::ready() {
        Ok(bench) => bench,
        Err(Missing::Skip(words)) => {
            step.skip(words);
            return step;
        }
        Err(Missing::Broken(words)) => {
            step.fail(words);
            return step;
        }
    };
    let files = files(rest);
    if files.is_empty() {
        step.fail("no file in e2e/ fits");
        return step;
    }
    let mut command = bench.node();
    command.args(["--test", "--test-reporter=spec", "--test-reporter-destination=stdout"]).args(files);
    let mut failed = 0;
    let outcome = watch(&mut command, |line| match closing(line) {
        Some(("pass", count)) => step.passed += count,
        Some(("fail" | "cancelled", count)) => failed += count,
        Some(("skipped" | "todo", count)) => step.skipped += count,
        _ => {}
    });
    step.failed += failed;
    match outcome {
        Err(words) if failed == 0 => step.fail(words),
        Err(_) => step.notes.push("failed: browser tests; `cargo xtask e2e WORD` runs the files with WORD in their names".to_owned()),
        Ok(()) => {}
    }
    step
}

fn files(words: &[String]) -> Vec<String> {
    let entries = fs::read_dir(folder()).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).filter(|name| name.ends_with(".test.mjs")).collect();
    names.retain(|name| words.is_empty() || words.iter().any(|word| name.contains(word.as_str())));
    names.sort();
    names
}

/// The closing lines of node's runner: `ℹ pass 12`.
fn closing(line: &str) -> Option<(&str, u32)> {
    let (word, number) = line.trim().strip_prefix("ℹ ")?.split_once(' ')?;
    Some((word, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_read() {
        assert_eq!(closing("ℹ pass 12"), Some(("pass", 12)));
        assert_eq!(closing("ℹ duration_ms 93.2"), None);
        assert_eq!(closing("✔ pass 12"), None);
    }
}
