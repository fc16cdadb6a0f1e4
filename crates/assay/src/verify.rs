//! `assay verify FILE…`: the verifier of the badge page, without any network.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    process::ExitCode,
};

use assay_badge::{KeyHistory, MAX_IMAGE_BYTES, Outcome, Report, Verdict, VerifyOptions};
use assay_core::Clock;
use serde::Serialize;

use crate::{
    failure::Failure,
    out, progress,
    system::{SystemClock, timestamp},
};

#[derive(clap::Args)]
#[command(after_help = "\
Exit status: 0 signature, issuer and dates hold; 1 not valid (also revoked or expired); 2 cannot be decided, or consistent only in
itself; 3 unreadable; 64 wrong usage. Several files: the worst, in the order 3, 1, 2, 0.")]
pub(crate) struct Args {
    /// Badges: JSON, or a PNG or SVG with one inside; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// An issuer to trust: its key history, as served at /issuer/keys.json.
    #[arg(long, value_name = "KEYS")]
    trust: Vec<PathBuf>,
    /// A status list, as served at /status/1; it is used for badges that name its address.
    #[arg(long, value_name = "FILE")]
    status_list: Vec<PathBuf>,
    /// A status that could not be checked ends with 2 instead of 0.
    #[arg(long)]
    require_status: bool,
    /// Judge by this moment (2026-11-24T14:02:11Z) instead of now: for badges of a demonstration whose clock was moved.
    #[arg(long, value_name = "TIME")]
    at: Option<jiff::Timestamp>,
    /// Print a JSON array instead of words.
    #[arg(long)]
    json: bool,
}

/// One file's result, for machines.
#[derive(Serialize)]
struct Verified {
    file: String,
    exit_code: u8,
    #[serde(flatten)]
    report: Report,
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let trust = args.trust.iter().map(|path| histories(path)).collect::<Result<Vec<_>, _>>()?.concat();
    let lists = args.status_list.iter().map(|path| status_list(path)).collect::<Result<HashMap<_, _>, _>>()?;
    let status = |url: &str| lists.get(url).cloned();
    let now = args.at.unwrap_or_else(|| timestamp(SystemClock.now()));
    let options = VerifyOptions::new(now, &trust, &status);
    let bar = progress::bar(args.files.len() as u64, "Verifying");
    let mut results = Vec::new();
    for path in &args.files {
        // A file that cannot be opened is unreadable like one that holds no badge; the others are still looked at.
        let report = match read(path) {
            Ok(bytes) => assay_badge::verify(&bytes, &options),
            Err(error) => unreadable(&format!("The file cannot be read: {error}.")),
        };
        results.push(Verified { file: path.display().to_string(), exit_code: report.exit_code(args.require_status), report });
        bar.inc(1);
    }
    bar.finish_and_clear();
    if args.json {
        out::line(serde_json::to_string_pretty(&results).map_err(|e| Failure::while_doing("the result cannot be written", e))?);
    } else {
        let several = results.len() > 1;
        let pages: Vec<String> = results.iter().map(|result| words(result, several)).collect();
        out::line(pages.join("\n").trim_end());
    }
    Ok(ExitCode::from(worst(results.iter().map(|r| r.exit_code))))
}

/// 3 before 1 before 2 before 0.
fn worst(codes: impl IntoIterator<Item = u8>) -> u8 {
    let rank = |code: &u8| [0, 2, 1, 3].iter().position(|c| c == code);
    codes.into_iter().max_by_key(rank).unwrap_or(0)
}

fn unreadable(reason: &str) -> Report {
    // The verifier's own report of nothing, with the better reason.
    let mut report = assay_badge::verify(b"", &VerifyOptions::new(jiff::Timestamp::UNIX_EPOCH, &[], &|_| None));
    if let Some(check) = report.checks.first_mut() {
        check.words = reason.to_owned();
    }
    report
}

/// A file, or standard input; one byte more than is accepted shows the verifier that it is too large.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = MAX_IMAGE_BYTES as u64 + 1;
    if path == Path::new("-") {
        io::stdin().take(limit).read_to_end(&mut bytes)?
    } else {
        File::open(path)?.take(limit).read_to_end(&mut bytes)?
    };
    Ok(bytes)
}

/// One key history, or several in an array.
fn histories(path: &Path) -> Result<Vec<KeyHistory>, Failure> {
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(KeyHistory),
        Many(Vec<KeyHistory>),
    }
    let shown = path.display();
    let bytes = read(path).map_err(|e| Failure::Usage(format!("--trust {shown}: the file cannot be read: {e}")))?;
    let read = serde_json::from_slice(&bytes);
    let read = read.map_err(|_| {
        Failure::Usage(format!("--trust {shown}: this is not an issuer's key history; take the file from the issuer's /issuer/keys.json"))
    })?;
    Ok(match read {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    })
}

/// A status list under the address it gives itself.
fn status_list(path: &Path) -> Result<(String, Vec<u8>), Failure> {
    let shown = path.display();
    let bytes = read(path).map_err(|e| Failure::Usage(format!("--status-list {shown}: the file cannot be read: {e}")))?;
    let document: Option<serde_json::Value> = serde_json::from_slice(&bytes).ok();
    let id = document.and_then(|d| d.get("id")?.as_str().map(str::to_owned));
    let id = id.ok_or_else(|| {
        Failure::Usage(format!(
            "--status-list {shown}: this is not a status list credential; take the file from the address in the badge's credentialStatus"
        ))
    })?;
    Ok((id, bytes))
}

fn words(result: &Verified, heading: bool) -> String {
    let report = &result.report;
    let mut lines = Vec::new();
    if heading {
        lines.push(format!("== {}", result.file));
    }
    for check in &report.checks {
        let outcome = match check.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "FAILED",
            Outcome::NotChecked => "could not be checked",
        };
        lines.push(format!("{:<21} {outcome:<21} {}", check.name.as_str(), check.words));
    }
    lines.push(String::new());
    lines.push(format!("Verdict: {}", verdict(report)));
    if report.verdict == Verdict::ValidStatusUnchecked {
        lines.push("Status:  not checked. Whether the issuer revoked it is in its status list (--status-list FILE).".to_owned());
    }
    if let Some(claim) = claim(report) {
        lines.push(claim);
    }
    lines.iter().map(|line| plain(line) + "\n").collect()
}

/// One plain sentence; for a badge that is not valid, the check that decides comes first.
fn verdict(report: &Report) -> String {
    let failed = || report.checks.iter().find(|c| c.outcome == Outcome::Failed).map_or("", |c| c.words.as_str());
    match report.verdict {
        Verdict::Valid => "Valid.".to_owned(),
        Verdict::ValidStatusUnchecked => "Valid by signature, issuer and dates.".to_owned(),
        Verdict::SelfConsistentOnly => "Self-consistent only: the signature fits, but nobody vouches for the issuer. With its key history (--trust KEYS) this can be decided.".to_owned(),
        Verdict::NotValid => format!("Not valid. {}", failed()),
        Verdict::CannotDecide => format!("Cannot be decided. {}", report.checks.iter().find(|c| c.outcome == Outcome::NotChecked).map_or("", |c| c.words.as_str())),
        Verdict::Unreadable => format!("Unreadable. {}", failed()),
    }
}

/// What the document says of itself.
fn claim(report: &Report) -> Option<String> {
    let facts = report.facts.as_ref()?;
    let word = if matches!(report.verdict, Verdict::Valid | Verdict::ValidStatusUnchecked) { "It says" } else { "It claims" };
    let unnamed = || "(not named)".to_owned();
    let day = |t: &jiff::Timestamp| t.strftime("%-d %B %Y").to_string();
    Some(format!(
        "{word}: “{}”, held by {} (name self-stated), issued by {}, valid from {}.",
        facts.achievement_name.clone().unwrap_or_else(unnamed),
        facts.holder_name.clone().unwrap_or_else(unnamed),
        facts.issuer_name.clone().or_else(|| facts.issuer_id.clone()).unwrap_or_else(unnamed),
        facts.valid_from.as_ref().map_or_else(unnamed, day),
    ))
}

/// A badge is written by strangers: what could move the cursor, recolour or reverse the text of a terminal is shown as its number.
fn plain(line: &str) -> String {
    let tricky =
        |c: char| c.is_control() || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}');
    line.chars().map(|c| if tricky(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_status_counts() {
        assert_eq!(worst([0, 2, 1, 3]), 3);
        assert_eq!(worst([0, 2, 1]), 1);
        assert_eq!(worst([2, 0]), 2);
        assert_eq!(worst([0, 0]), 0);
    }

    #[test]
    fn a_strangers_words_cannot_drive_the_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\u{202e}c"), "a\\u{1b}[2Jb\\u{202e}c");
        assert_eq!(plain("Zoë 佐藤"), "Zoë 佐藤");
    }
}
