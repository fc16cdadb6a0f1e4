//! Assay, the program: settings, one file per subcommand, and the only place that wires the rooms together.
//!
//! `assay demo` and `assay serve` run the same server (`server.rs`); they differ in what they hand it. the others do their work and leave. Exit status 64 is wrong usage everywhere.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "tests"))]

mod archive;
mod backup;
mod beside;
mod check;
mod connections;
mod demo;
mod doctor;
mod egress;
mod failure;
mod figures;
mod folder;
mod grant_time;
mod journals;
mod keys;
mod logging;
mod manager;
mod move_to;
mod new;
mod out;
mod packs;
mod progress;
mod reconcile;
mod restore;
mod revoke;
mod rotate;
mod sample;
mod serve;
mod server;
mod settings;
mod start;
mod system;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::{Failure, USAGE};

// A request makes and frees some hundred small things: the system's own allocator took a tenth of the server's CPU (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// From a learning plan through an open-book assessment to a badge that anyone can verify.
#[derive(Parser)]
#[command(name = "assay", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Try everything on this machine: sample programme, sample people, a clock that can be moved.
    Demo(demo::Args),
    /// Run the server for real use.
    Serve(serve::Args),
    /// Make the skeleton of a programme, which explains itself.
    New(new::Args),
    /// Report every fault of a programme's folder, and what its plan covers.
    Check(check::Args),
    /// Verify badges (JSON, PNG or SVG) without any network.
    Verify(verify::Args),
    /// Take a badge back.
    Revoke(revoke::Args),
    /// Give one person more time in a timed attempt.
    GrantTime(grant_time::Args),
    /// Is this installation well? Settings, keys, disk, database, clock, journal, mail, addresses.
    Doctor(doctor::Args),
    /// Take everything to one file, while the server works, and prove that it can be brought back.
    Backup(backup::Args),
    /// Bring an installation back from a backup, and reconcile it with the journal.
    Restore(restore::Args),
    /// Make good what the journal knows and the database does not.
    Reconcile(reconcile::Args),
    /// Change a key of a stopped installation; the only way to do it.
    Rotate(rotate::Args),
    /// Copy an installation to PostgreSQL or back, and compare.
    Move(move_to::Args),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing can be done about a closed terminal.
            let _closed = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let result = match cli.command {
        Command::Demo(args) => logged().and_then(|()| waiting(demo::run(args))),
        // Logs by its settings.
        Command::Serve(args) => waiting(serve::run(args)),
        Command::Revoke(args) => logged().and_then(|()| waiting(revoke::run(args))),
        Command::GrantTime(args) => logged().and_then(|()| waiting(grant_time::run(args))),
        Command::Rotate(args) => logged().and_then(|()| waiting(rotate::run(args))),
        Command::Move(args) => logged().and_then(|()| waiting(move_to::run(args))),
        Command::Doctor(args) => logged().and_then(|()| waiting(doctor::run(args))),
        Command::Backup(args) => logged().and_then(|()| waiting(backup::run(args))),
        Command::Restore(args) => logged().and_then(|()| waiting(restore::run(args))),
        Command::Reconcile(args) => logged().and_then(|()| waiting(reconcile::run(args))),
        Command::New(args) => new::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Verify(args) => verify::run(&args),
    };
    result.unwrap_or_else(|failure| {
        eprintln!("assay: {failure}");
        failure.exit_code()
    })
}

/// As people at a terminal want it.
fn logged() -> Result<(), Failure> {
    logging::start(logging::Form::Text, "warn")
}

/// Runs what waits for the network.
fn waiting(work: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Failure::while_doing("the operating system gives no threads", e))?;
    let result = runtime.block_on(work);
    // A mail server or a look-up that hangs must not keep the program from ending.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    result
}
