//! Everything, in order, with a summary.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use crate::{e2e, fmt, licences, lint, outside, rules, tally::Step, unit};

struct Line {
    name: &'static str,
    took: Duration,
    step: Step,
}

/// Name, title, and what to do.
type Plan = (&'static str, &'static str, fn() -> Step);

/// Quick checks first, so that a slip in them shows within seconds; the browser last.
pub(crate) fn run() -> ExitCode {
    let steps: [Plan; 7] = [
        ("data", "outside test data", outside::run),
        ("fmt", "formatting", fmt::run),
        ("rules", "dependency rules", rules::run),
        ("licences", "licences, bans, sources", licences::run),
        ("lint", "clippy over every target", lint::run),
        ("unit", "unit, property, storage and documentation tests", || unit::run(&[])),
        ("e2e", "the whole program in a real Chromium", || e2e::run(&[])),
    ];
    let begun = now();
    let count = steps.len();
    let mut lines = Vec::new();
    for (index, (name, title, step)) in steps.into_iter().enumerate() {
        println!("\n== {} of {count}: {name} - {title}\n", index + 1);
        let started = now();
        let step = step();
        let took = started.elapsed();
        println!("\n-- {name}: {} ({})", step.closing_line(), seconds(took));
        lines.push(Line { name, took, step });
    }
    summary(lines, begun.elapsed())
}

fn summary(lines: Vec<Line>, took: Duration) -> ExitCode {
    println!("\n== Summary\n");
    println!("  {:<10} {:>8} {:>8} {:>8} {:>10}", "step", "passed", "failed", "skipped", "time");
    let mut all = Step::default();
    for Line { name, took, step } in lines {
        println!("  {name:<10} {:>8} {:>8} {:>8} {:>10}", step.passed, step.failed, step.skipped, seconds(took));
        all.add(step);
    }
    println!("  {:<10} {:>8} {:>8} {:>8} {:>10}\n", "all", all.passed, all.failed, all.skipped, seconds(took));
    all.print_notes();
    println!("\n{}", all.closing_line());
    if all.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn seconds(time: Duration) -> String {
    let whole = time.as_secs();
    if whole >= 60 { format!("{} min {:02} s", whole / 60, whole % 60) } else { format!("{:.1} s", time.as_secs_f32()) }
}

#[expect(clippy::disallowed_methods, reason = "a chore that tells how long it took")]
fn now() -> Instant {
    Instant::now()
}
