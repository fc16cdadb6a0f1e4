//! Long runs of the fault tests: `cargo xtask torture`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's program fails by panicking")]

use std::{path::PathBuf, process::ExitCode};

use assay_torture::{
    image::Cut,
    points::{Killed, POINTS, kill, sit_and_die},
    power::{Cuts, Found, cut, tell},
    story::{Fault, Plan},
};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Fault tests of the embedded engine, as long as you like")]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Power cuts: every point of recorded stories, four manners
    Power {
        /// Attempts to record, 50 to a story
        #[arg(long, default_value_t = 1000)]
        attempts: usize,
        /// Most crash points of one story; by default every one
        #[arg(long, default_value_t = usize::MAX)]
        most: usize,
    },
    /// Kills at named points between a hand-in and the mail
    Points {
        /// Kills at each point
        #[arg(long, default_value_t = 1000)]
        times: usize,
    },
    /// The process that is killed
    #[command(hide = true)]
    Sit {
        #[arg(long)]
        folder: PathBuf,
        #[arg(long)]
        point: String,
        #[arg(long)]
        nth: usize,
        #[arg(long)]
        seed: u8,
    },
}

fn main() -> ExitCode {
    let faults = match Arguments::parse().what {
        What::Power { attempts, most } => power(attempts, most),
        What::Points { times } => points(times),
        What::Sit { folder, point, nth, seed } => {
            sit_and_die(&folder, &point, nth, seed);
            0
        }
    };
    if faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn power(attempts: usize, most: usize) -> usize {
    let mut all = Found::default();
    for seed in 0..=u8::MAX {
        if all.attempts >= attempts {
            break;
        }
        let recording = tell(Plan { people: 25, seed, fault: Fault::None });
        let found = cut(&recording, seed, &Cuts { manners: Cut::ALL.to_vec(), most, enough: 100 });
        println!("story {seed}: {}", found.line());
        found.faults.iter().take(10).for_each(|fault| println!("  {fault}"));
        all.add(found);
        println!("so far: {}", all.line());
    }
    all.bad
}

/// Each point until it has killed so many times, at its first, second, third … passing, by turns.
fn points(times: usize) -> usize {
    let program = std::env::current_exe().unwrap();
    let mut bad = 0;
    for point in POINTS {
        let (mut died, mut not_reached, mut nth) = (0, 0, 0);
        for run in 0.. {
            if died >= times || not_reached > times + 10 {
                break;
            }
            nth += 1;
            match kill(&program, point, nth, u8::try_from(run % 256).unwrap()) {
                Killed::Well => died += 1,
                Killed::NotReached => {
                    not_reached += 1;
                    nth = 0;
                }
                Killed::Badly(faults) => {
                    bad += 1;
                    println!("{point}, time {nth}: {}", faults.join("; "));
                }
            }
        }
        println!("{point}: {died} kills went well, {bad} badly so far");
    }
    bad
}
