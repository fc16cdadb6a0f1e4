//! `assay check FOLDER`: every fault of a pack, with file, line and what to write instead.

use std::{path::PathBuf, process::ExitCode};

use assay_core::{Clock, UtcMillis};
use assay_pack::{Bank, Coverage, Folder, PackFault, Report, coverage};
use serde::Serialize;

use crate::{failure::Failure, out, packs, progress, system::SystemClock};

/// Exit status when the folder cannot be read at all.
const UNREADABLE: u8 = 3;

#[derive(clap::Args)]
#[command(after_help = "Exit status: 0 sound, 1 faults, 3 the folder cannot be read, 64 wrong usage.")]
pub(crate) struct Args {
    /// The programme's folder; its name is the programme's id.
    folder: PathBuf,
    /// Print one JSON object instead of words.
    #[arg(long)]
    json: bool,
}

/// What machines get. The counts are missing while there are faults: nobody knows then what is in the pool.
#[derive(Serialize)]
struct Findings<'a> {
    sound: bool,
    items: Option<usize>,
    objectives: Option<usize>,
    lessons: Option<usize>,
    faults: &'a [PackFault],
    warnings: &'a [PackFault],
    coverage: Option<&'a Coverage>,
    bank: Option<&'a Bank>,
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let shown = args.folder.display();
    let files = match Folder::open(&args.folder) {
        Ok(files) => files,
        Err(_) if args.folder.is_file() => {
            eprintln!("assay: {shown} is a file, and a programme is a folder: name the one that holds programme.toml");
            return Ok(ExitCode::from(UNREADABLE));
        }
        Err(reason) => {
            eprintln!("assay: the folder {shown} cannot be read: {reason}");
            return Ok(ExitCode::from(UNREADABLE));
        }
    };
    let spinner = progress::spinner("Reading the pack");
    let mut report = packs::check(&files, files.name());
    let now = SystemClock.now();
    let day = |at: UtcMillis| at.rfc3339().chars().take(10).collect::<String>();
    report.warn_of_reviews(&day(now));
    // Where the day begins first, it is today 14 hours before it is in UTC.
    report.refuse_days_to_come(&day(now.plus_seconds(14 * 3600)));
    let coverage = report.pack.as_ref().map(coverage);
    spinner.finish_and_clear();

    if args.json {
        let findings = Findings {
            sound: report.faults.is_empty(),
            items: coverage.as_ref().map(|c| c.items),
            objectives: coverage.as_ref().map(|c| c.objectives),
            lessons: coverage.as_ref().map(|c| c.lessons),
            faults: &report.faults,
            warnings: &report.warnings,
            coverage: coverage.as_ref(),
            bank: report.bank.as_ref(),
        };
        out::line(serde_json::to_string_pretty(&findings).map_err(|e| Failure::while_doing("the findings cannot be written", e))?);
    } else {
        print_words(&shown.to_string(), &report, coverage.as_ref());
    }
    Ok(if report.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_words(folder: &str, report: &Report, coverage: Option<&Coverage>) {
    let Report { faults, warnings, bank, .. } = report;
    let folder = folder.trim_end_matches('/');
    let print = |kind: &str, found: &PackFault| {
        out::line(format_args!("{folder}/{}: {kind}: {}\n    {}", found.place(), found.what, found.instead))
    };
    faults.iter().for_each(|found| print("fault", found));
    warnings.iter().for_each(|found| print("warning", found));
    if !faults.is_empty() || !warnings.is_empty() {
        out::line("");
    }
    if let Some(coverage) = coverage {
        out::line(coverage);
    }
    if let Some(bank) = bank.as_ref().filter(|bank| bank.items > 0) {
        out::line(bank);
    }
    let count = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    match faults.len() {
        0 => out::line(format_args!("{folder} is sound ({}).", count(warnings.len(), "warning"))),
        n => out::line(format_args!("{folder} has {} and {}.", count(n, "fault"), count(warnings.len(), "warning"))),
    }
}
