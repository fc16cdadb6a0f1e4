//! Load driver: plays real attempts over HTTP against a running demo and says what they cost.
//!
//! Whether every answer was really saved comes before how fast it went: each expectation that fails is counted, said in
//! words, and makes the exit status 1.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "tests"))]

mod client;
mod figures;
mod html;
mod load;
mod outbox;
mod person;
mod process;
#[cfg(test)]
mod stub;
mod weigh;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Measures a running `assay demo`.
#[derive(Parser)]
#[command(name = "assay-bench", version, about)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Many people at once sign in, answer every question, submit and read their result.
    Load(LoadArgs),
    /// What one cold question page costs: every request a browser makes for it, with its bytes.
    Weigh(WeighArgs),
}

/// Where the server is and what is played there.
#[derive(Args, Clone, Debug)]
pub(crate) struct Target {
    /// Address of the demo, as it printed it: http://127.0.0.1:PORT
    #[arg(long)]
    url: String,
    /// Programme whose assessment is sat.
    #[arg(long, default_value = "serverless")]
    programme: String,
    /// Questions that a form must have.
    #[arg(long, default_value_t = 50)]
    questions: u32,
}

#[derive(Args, Debug)]
pub(crate) struct LoadArgs {
    #[command(flatten)]
    target: Target,
    /// People who sit at once, each on a connection of their own, without pauses for thought.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=4096))]
    people: u32,
    /// How often everything is played, each time with new people; the table gives medians.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Process id of the server; otherwise it is found by the port it listens on.
    #[arg(long)]
    pid: Option<i32>,
    /// Seed of the choices that people make, so that a run can be repeated.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print JSON, with every round, in place of the table.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct WeighArgs {
    #[command(flatten)]
    target: Target,
    /// Print JSON in place of the table.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Load(args) => load::run(&args),
        Task::Weigh(args) => weigh::run(&args),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(words) => {
            eprintln!("{words}");
            ExitCode::FAILURE
        }
    }
}
