//! Load driver: plays real attempts over HTTP against a running demo and says what they cost.
//!
//! Whether every answer was really saved comes before how fast it went: each expectation that fails is counted, said in
//! words, and makes the exit status 1.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "tests"))]

mod backup;
mod chart;
mod client;
mod conditions;
mod crowd;
mod disk;
mod exam;
mod figures;
mod history;
mod html;
mod load;
mod meter;
mod outbox;
mod overload;
mod past;
mod person;
mod process;
mod raw;
mod readings;
mod report;
mod server;
#[cfg(test)]
mod stub;
mod weigh;
mod wire;

use std::{path::PathBuf, process::ExitCode};

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
    /// Many people at once sign in, answer every question, submit and read their result, without pauses.
    Load(LoadArgs),
    /// An exam: people arrive, think, jump back, reload, lose connections and hand in, at moments that are fixed beforehand.
    Exam(ExamArgs),
    /// One, two and three times a rate: whether the server still does what it can when it is asked for more.
    Overload(OverloadArgs),
    /// Whether a request costs more when there are a million past attempts.
    History(HistoryArgs),
    /// What a backup costs those who sit meanwhile, and how long it and bringing it back take.
    Backup(BackupArgs),
    /// What one cold question page costs: every request a browser makes for it, with its bytes.
    Weigh(WeighArgs),
    /// How often the disk can be written to for good.
    Disk(DiskArgs),
    /// The server on PostgreSQL beside upserts that are written by hand into the same PostgreSQL.
    Raw(RawArgs),
    /// Starts a server on a fresh folder and a core of its own, measures it from another core, and stops it.
    Run(RunArgs),
}

/// Where the server is and what is played there.
#[derive(Args, Clone, Debug)]
pub(crate) struct Target {
    /// Address of the demo, as it printed it: http://127.0.0.1:PORT. `run` knows it.
    #[arg(long)]
    url: String,
    /// Programme whose assessment is sat.
    #[arg(long, default_value = "serverless")]
    programme: String,
    /// Questions that a form must have.
    #[arg(long, default_value_t = 50)]
    questions: u32,
}

impl Target {
    fn url(&self) -> &str {
        &self.url
    }
}

/// Who sits, how often, and what is printed.
#[derive(Args, Debug)]
pub(crate) struct Sitting {
    #[command(flatten)]
    target: Target,
    /// People who sit at once, each on a connection of their own.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    people: u32,
    /// How often everything is played, each time with new people; the table gives medians.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Process id of the server; otherwise it is found by the port it listens on.
    #[arg(long)]
    pid: Option<i32>,
    /// Seed of what people leave to chance, so that a run can be repeated.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print JSON, with every round, in place of the table.
    #[arg(long)]
    json: bool,
    /// Draw the latencies of the last round over time into this file, as SVG.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

impl Sitting {
    fn plain(target: Target, people: u32, seed: u64) -> Self {
        Self { target, people, rounds: 1, pid: None, seed, json: false, svg: None }
    }

    #[cfg(test)]
    fn for_tests(url: &str, people: u32) -> Self {
        Self::plain(Target { url: url.to_owned(), programme: "serverless".to_owned(), questions: 50 }, people, 1)
    }
}

#[derive(Args, Debug)]
pub(crate) struct LoadArgs {
    #[command(flatten)]
    sitting: Sitting,
}

#[derive(Args, Debug)]
pub(crate) struct ExamArgs {
    #[command(flatten)]
    sitting: Sitting,
    /// Seconds within which everybody arrives and begins.
    #[arg(long, default_value_t = 10.0, value_parser = not_negative)]
    herd: f64,
    /// Seconds from seeing a question to answering it, on average (log-normal); turning the page takes a tenth of that.
    #[arg(long, default_value_t = 2.0, value_parser = not_negative)]
    think: f64,
    /// Seconds from the end of the start herd to the beginning of the end herd, whoever is through or not; without it, the end
    /// herd begins when the slowest has answered everything.
    #[arg(long, value_parser = not_negative)]
    steady: Option<f64>,
    /// Seconds within which everybody hands in.
    #[arg(long, default_value_t = 10.0, value_parser = not_negative)]
    end: f64,
    /// Share of questions after which somebody goes back to an earlier one.
    #[arg(long, default_value_t = 0.1, value_parser = share)]
    jumps: f64,
    /// Share of questions that are loaded once more.
    #[arg(long, default_value_t = 0.02, value_parser = share)]
    reloads: f64,
    /// Share of requests whose connection is cut, half of them in the request, half before the answer.
    #[arg(long, default_value_t = 0.01, value_parser = share)]
    lost: f64,
}

#[derive(Args, Debug)]
pub(crate) struct OverloadArgs {
    #[command(flatten)]
    sitting: Sitting,
    /// Question pages a second, and as many saves, that the server can carry; without it, that is found out first.
    #[arg(long, value_parser = above_zero)]
    rate: Option<f64>,
    /// Seconds at each of the three rates.
    #[arg(long, default_value_t = 10.0, value_parser = above_zero)]
    seconds: f64,
}

/// What every task is asked that starts its servers itself.
#[derive(Args, Debug)]
pub(crate) struct OwnServer {
    /// Programme whose assessment is sat.
    #[arg(long, default_value = "serverless")]
    programme: String,
    /// Questions that a form must have.
    #[arg(long, default_value_t = 50)]
    questions: u32,
    /// Core of what is measured.
    #[arg(long, default_value_t = 0)]
    server_core: usize,
    /// Core of the driver, and of whatever works beside the server.
    #[arg(long, default_value_t = 1)]
    driver_core: usize,
    /// Leave it to the system who runs where.
    #[arg(long)]
    no_pin: bool,
    /// Seed of what people leave to chance.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print JSON in place of the table.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct HistoryArgs {
    /// The program whose `demo` is measured.
    #[arg(long, value_name = "PROGRAM")]
    server: PathBuf,
    /// Where the two data folders are made and kept; on a disk with room for them.
    #[arg(long, value_name = "FOLDER")]
    folder: PathBuf,
    /// Past attempts of one server.
    #[arg(long, default_value_t = 1_000)]
    few: u64,
    /// Past attempts of the other; a million take 6.4 GiB.
    #[arg(long, default_value_t = 1_000_000)]
    many: u64,
    /// People who ask at once.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    people: u32,
    /// Rounds, each at both servers; one more warms up.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    #[command(flatten)]
    own: OwnServer,
}

#[derive(Args, Debug)]
pub(crate) struct BackupArgs {
    /// The program that is measured.
    #[arg(long, value_name = "PROGRAM")]
    server: PathBuf,
    /// Where the data folder is made and kept, and each backup for as long as it is needed; on a disk with room for four of them.
    #[arg(long, value_name = "FOLDER")]
    folder: PathBuf,
    /// Past attempts; a million take 8 GiB.
    #[arg(long, default_value_t = 1_000_000)]
    past: u64,
    /// People who sit at once.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1000))]
    people: u32,
    /// Backups, each of them brought back.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    #[command(flatten)]
    own: OwnServer,
}

#[derive(Args, Debug)]
pub(crate) struct DiskArgs {
    /// A folder on that disk; without it, /var/tmp.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Seconds of one round.
    #[arg(long, default_value_t = 3.0, value_parser = above_zero)]
    seconds: f64,
    /// Rounds.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Print JSON in place of the table.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct RawArgs {
    /// The program whose `demo` is measured.
    #[arg(long, value_name = "PROGRAM")]
    server: PathBuf,
    /// A PostgreSQL database that is empty: postgres://user@host/database.
    #[arg(long, value_name = "URL")]
    database: String,
    /// People who sit at once at the server.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    people: u32,
    /// Connections that write by hand; the server has as many.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=200))]
    connections: u32,
    /// Upserts in one transaction.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch: u32,
    /// Seconds of writing by hand, one by one and in batches.
    #[arg(long, default_value_t = 5.0, value_parser = above_zero)]
    seconds: f64,
    /// Rounds.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    #[command(flatten)]
    own: OwnServer,
}

#[derive(Args, Debug)]
pub(crate) struct WeighArgs {
    #[command(flatten)]
    target: Target,
    /// Print JSON in place of the table.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// The program whose `demo` is started.
    #[arg(long, value_name = "PROGRAM")]
    server: PathBuf,
    /// Data folder; without it, a fresh one that is removed at the end.
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Core of the server.
    #[arg(long, default_value_t = 0)]
    server_core: usize,
    /// Core of the driver.
    #[arg(long, default_value_t = 1)]
    driver_core: usize,
    /// Leave it to the system who runs where.
    #[arg(long)]
    no_pin: bool,
    /// What to measure, as without `run`, but for --url: `-- load --people 8`.
    #[arg(last = true, required = true)]
    task: Vec<String>,
}

fn number(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|n: &f64| n.is_finite()).ok_or_else(|| "not a number".to_owned())
}

fn not_negative(text: &str) -> Result<f64, String> {
    number(text).and_then(|n| if n >= 0.0 { Ok(n) } else { Err("must not be below 0".to_owned()) })
}

fn above_zero(text: &str) -> Result<f64, String> {
    number(text).and_then(|n| if n > 0.0 { Ok(n) } else { Err("must be above 0".to_owned()) })
}

fn share(text: &str) -> Result<f64, String> {
    number(text).and_then(|n| if (0.0..=1.0).contains(&n) { Ok(n) } else { Err("a share is between 0 and 1".to_owned()) })
}

/// Starts a server for a task and plays it there.
fn with_server(args: &RunArgs) -> Result<bool, String> {
    let Some((name, rest)) = args.task.split_first() else { return Err("say after -- what to measure".to_owned()) };
    if ["history", "backup", "raw", "disk", "run"].contains(&name.as_str()) {
        return Err(format!("`{name}` starts the servers that it needs itself: leave `run` and -- out"));
    }
    let called = |url: &str| {
        let words = ["assay-bench", name, "--url", url].map(str::to_owned).into_iter().chain(rest.iter().cloned());
        Cli::try_parse_from(words).map_err(|e| e.to_string())
    };
    // Words that are wrong are said before a server is started; and it inherits the limits of its starter.
    match called("http://127.0.0.1:1")?.task {
        Task::Load(LoadArgs { sitting }) | Task::Exam(ExamArgs { sitting, .. }) | Task::Overload(OverloadArgs { sitting, .. }) => {
            crowd::allow_connections(sitting.people)?;
        }
        Task::Weigh(_) | Task::History(_) | Task::Backup(_) | Task::Disk(_) | Task::Raw(_) | Task::Run(_) => {}
    }
    let fresh = if args.data.is_none() { Some(server::fresh_folder()?) } else { None };
    let folder = args.data.clone().or_else(|| fresh.as_ref().map(|f| f.path().to_owned())).unwrap_or_default();
    let server = server::Server::start(&args.server, &folder, (!args.no_pin).then_some(args.server_core))?;
    if !args.no_pin {
        process::pin(args.driver_core)?;
    }
    play(called(&server.url)?.task)
}

fn play(task: Task) -> Result<bool, String> {
    match task {
        Task::Load(args) => load::run(&args),
        Task::Exam(args) => exam::run(&args),
        Task::Overload(args) => overload::run(&args),
        Task::History(args) => history::run(&args),
        Task::Backup(args) => backup::run(&args),
        Task::Weigh(args) => weigh::run(&args),
        Task::Disk(args) => disk::run(&args),
        Task::Raw(args) => raw::run(&args),
        Task::Run(args) => with_server(&args),
    }
}

fn main() -> ExitCode {
    match play(Cli::parse().task) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(words) => {
            eprintln!("{words}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_run_is_given_is_read_before_a_server_is_started() {
        let run = |task: &[&str]| {
            let words = ["assay-bench", "run", "--no-pin", "--server", "/nonexistent/program", "--"].iter().chain(task);
            play(Cli::try_parse_from(words).unwrap().task).unwrap_err()
        };
        assert!(run(&["load"]).contains("--people"), "{}", run(&["load"]));
        assert!(run(&["exam", "--people", "1", "--lost", "2"]).contains("between 0 and 1"));
        assert!(run(&["history"]).contains("starts the servers that it needs itself"));
        assert!(run(&["weigh"]).contains("/nonexistent/program cannot be started"), "{}", run(&["weigh"]));
    }
}
