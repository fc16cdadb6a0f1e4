//! `assay grant-time ATTEMPT MINUTES`: more time for one person, at any moment of a timed attempt.

use std::process::ExitCode;

use assay_core::ids::AttemptId;
use assay_store::{
    commands::GrantTime,
    queries::{AttemptAlone, WhoseAttempt},
};

use crate::{
    beside::{Beside, Where},
    failure::Failure,
    out,
};

/// Most minutes at once: a day.
const MINUTES_MAX: u16 = 24 * 60;

#[derive(clap::Args)]
#[command(after_help = "Exit status: 0 granted; 1 not found, over, or without a time limit; 64 wrong usage.")]
pub(crate) struct Args {
    /// The attempt's link or its number (the person finds it in the address of every question).
    #[arg(value_name = "ATTEMPT")]
    attempt: String,
    /// Minutes on top of the time that is left.
    #[arg(value_name = "MINUTES", value_parser = clap::value_parser!(u16).range(1..=i64::from(MINUTES_MAX)))]
    minutes: u16,
    #[command(flatten)]
    place: Where,
}

/// Runs the subcommand.
pub(crate) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let attempt = attempt_id(&args.attempt)?;
    let beside = args.place.open().await?;
    let result = grant(&beside, attempt, args.minutes).await;
    beside.store.close().await;
    result
}

async fn grant(beside: &Beside, attempt: AttemptId, minutes: u16) -> Result<ExitCode, Failure> {
    let nothing = |why: &str| Failure::Words(format!("{why}; nothing was done"));
    let whose = beside.store.read(WhoseAttempt { issuer: beside.issuer, attempt }).await?;
    let learner = whose.ok_or_else(|| nothing(&format!("there is no attempt {attempt}")))?;
    let row = beside.store.read(AttemptAlone { learner, attempt }).await?;
    let deadline = row.and_then(|r| r.deadline).ok_or_else(|| nothing("this attempt has no time limit"))?;
    let extra_seconds = i64::from(minutes) * 60;
    if !beside.store.run(GrantTime { learner, attempt, extra_seconds, act: beside.act() }).await? {
        return Err(nothing("this attempt is over"));
    }
    out::line(format_args!("Granted {minutes} minutes: attempt {attempt} now ends on {}.", deadline.plus_seconds(extra_seconds)));
    Ok(ExitCode::SUCCESS)
}

/// From any address of the attempt, or the bare number.
fn attempt_id(typed: &str) -> Result<AttemptId, Failure> {
    let part = typed.split_once("/attempts/").map_or(typed, |(_, rest)| rest).split(['/', '?', '#']).next().unwrap_or_default();
    part.trim().parse().map_err(|_| Failure::Usage(format!("“{typed}” is neither an attempt's link nor its number")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_or_a_number() {
        let id = "b79b5955-36b1-48c2-aeba-27e6bfc2604e";
        for typed in [id.to_owned(), format!("https://x.org/attempts/{id}/questions/3"), format!("/attempts/{id}?x")] {
            assert_eq!(attempt_id(&typed).unwrap().to_string(), id, "{typed}");
        }
        assert!(attempt_id("https://x.org/attempts/none").is_err());
    }
}
