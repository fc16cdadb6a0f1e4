//! Every check and chore, so that a clone needs nothing but Rust, a C compiler and git: `cargo xtask help`.
//!
//! One file per command. `test` is the list of all the others, in order; it never stops at the first failing step,
//! because a person who waited ten minutes wants to know everything that is wrong.

mod browser;
mod debian;
mod e2e;
mod fmt;
mod licences;
mod lint;
mod metadata;
mod outside;
mod postgres;
mod process;
mod rules;
mod shots;
mod source;
mod tally;
mod test;
mod torture;
mod unit;

use std::process::ExitCode;

use tally::Step;

const HELP: &str = "\
cargo xtask COMMAND

  test       everything below but `torture`, `shots` and `postgres`, in order, with a summary
  fmt        formatting, as `cargo fmt --check`
  lint       clippy over every target, warnings are errors
  unit       unit, property, storage and documentation tests
  rules      which crate may depend on which, what may be named where
  licences   licences, bans and sources of every dependency
  e2e        the whole program in a real Chromium
  torture    fault tests for hours: power, points, kills, cuts, disk, mail, failover, server, history, points-postgres,
             kills-postgres, history-postgres, or one of them with how much
             (`torture power --attempts 5000`, `torture kills 20000`, `torture history 600`)
  shots      a picture of every page in every state, into ./shots
  postgres   a private PostgreSQL for working by hand, until Ctrl-C

Settings, by environment:
  ASSAY_INSTALL=no    never install anything; say what was skipped instead
  ASSAY_INSTALL=yes   also build cargo-deny, if it is not there (minutes)
  ASSAY_CHROMIUM      the browser to use
  ASSAY_OUTSIDE_DATA  folder with outside test data; when set, it must be there
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let command = arguments.first().map_or("help", String::as_str);
    let rest = arguments.get(1..).unwrap_or_default();
    if command == "test" {
        return test::run();
    }
    if matches!(command, "help" | "--help" | "-h") {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let step: Step = match command {
        "fmt" => fmt::run(),
        "lint" => lint::run(),
        "unit" => unit::run(rest),
        "rules" => rules::run(),
        "licences" => licences::run(),
        "e2e" => e2e::run(rest),
        "shots" => shots::run(rest),
        "postgres" => postgres::run(),
        "torture" => torture::run(rest),
        other => {
            eprintln!("No command `{other}`.\n\n{HELP}");
            return ExitCode::from(64);
        }
    };
    step.print_notes();
    println!("\n{}", step.closing_line());
    if step.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
