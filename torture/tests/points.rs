//! Named points from the hand-in to the mail, some times each; `cargo xtask torture points` is the same, a thousand times each.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use assay_torture::points::{Killed, POINTS, inject, kill};

/// Points are the whole process's: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn kill_everywhere(postgres: bool) {
    let program = Path::new(env!("CARGO_BIN_EXE_assay-torture"));
    for point in POINTS {
        let mut died = 0;
        for (nth, seed) in [(1, 1), (2, 2), (3, 3)] {
            match kill(program, postgres, point, nth, seed) {
                Killed::Well => died += 1,
                Killed::NotReached => {}
                Killed::Badly(faults) => panic!("{point}, time {nth}: {faults:#?}"),
            }
        }
        println!("{point}: killed {died} times");
        assert!(died > 1, "{point} was hardly reached");
    }
}

#[test]
fn a_process_killed_at_any_named_point_loses_and_doubles_nothing() {
    let _alone = alone();
    kill_everywhere(false);
}

#[test]
fn a_process_killed_over_postgresql_loses_and_doubles_nothing() {
    if there_is_postgres() {
        let _alone = alone();
        kill_everywhere(true);
    }
}

fn there_is_postgres() -> bool {
    let found = std::env::var_os(assay_fixtures::POSTGRES).is_some();
    if !found {
        eprintln!("skipped: {} names no PostgreSQL; `cargo xtask postgres` starts one", assay_fixtures::POSTGRES);
    }
    found
}

fn fail_everywhere(postgres: bool) {
    for point in POINTS {
        let actions: &[&str] = match point {
            // There each command has a task of its own, and whoever asked is told that nobody can say what became of it. The embedded
            // engine's writer has the commit behind it: nothing there can be refused any more.
            "store::after_commit" if postgres => &["1*panic", "2*panic"],
            "store::after_commit" => &[],
            // Commits of a lease that fail leave no trace but the next try: some more, until a hand-in meets one.
            "store::before_commit" => &["1*return", "2*off->9*return"],
            // Outside of one job, a panic ends the lane, as the kill does.
            "job::after_lease" => &["1*return", "2*return", "1*off->1*return"],
            // The first job of all finishes itself.
            "job::before_finish" => &["8*return", "1*off->9*return"],
            _ => &["1*return", "2*return", "1*off->1*return", "1*panic", "1*off->1*panic"],
        };
        for (seed, action) in actions.iter().enumerate() {
            let found = inject(postgres, Some((point, action)), u8::try_from(seed).unwrap());
            println!("{point} {action}: {} hand-ins refused, a job took {} tries", found.refused, found.tries);
            assert_eq!(found.faults, Vec::<String>::new(), "{point} {action}");
            assert!(found.refused > 0 || found.tries > 1, "{point} {action} did nothing");
        }
    }
}

#[test]
fn a_step_that_fails_or_panics_is_tried_again_and_nothing_is_lost_or_doubled() {
    let _alone = alone();
    fail_everywhere(false);
}

#[test]
fn a_step_that_fails_or_panics_over_postgresql_is_tried_again_and_nothing_is_lost_or_doubled() {
    if there_is_postgres() {
        let _alone = alone();
        fail_everywhere(true);
    }
}

#[test]
fn people_who_go_away_before_the_answer_lose_and_double_nothing() {
    let _alone = alone();
    for postgres in [false, true] {
        for seed in (0..3).filter(|_| !postgres || there_is_postgres()) {
            assert_eq!(inject(postgres, None, seed).faults, Vec::<String>::new());
        }
    }
}
