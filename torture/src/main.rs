//! Long runs of the fault tests: `cargo xtask torture`.

use std::process::ExitCode;

use assay_torture::{
    image::Cut,
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
}

fn main() -> ExitCode {
    let faults = match Arguments::parse().what {
        What::Power { attempts, most } => power(attempts, most),
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
