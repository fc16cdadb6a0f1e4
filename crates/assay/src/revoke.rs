//! `assay revoke BADGE --reason TEXT`: takes a badge back, beside a running server or without one.

use std::process::ExitCode;

use assay_badge::LIST_VALID_HOURS;
use assay_core::{
    UtcMillis,
    ids::{IssuerId, JobId, Secret128},
};
use assay_jobs::{Entry, Event, FileJournal, Journal};
use assay_store::{
    Store,
    commands::{RevocationWritten, Revoke},
    queries::{Badge, BadgeById, RevokedOf},
};

use crate::{
    beside::{Beside, Where},
    failure::Failure,
    folder::DataFolder,
    out,
    system::SystemChance,
};

/// Longest reason, in characters.
const REASON_MAX: usize = 500;

#[derive(clap::Args)]
#[command(after_help = "Exit status: 0 revoked, now or before; 1 not found or not done; 64 wrong usage.")]
pub(crate) struct Args {
    /// The badge's link or its id (the part after /b/).
    #[arg(value_name = "BADGE")]
    badge: String,
    /// Why; it stands in the audit log, and the holder is told it.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    place: Where,
}

/// Runs the subcommand.
pub(crate) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let badge_id = badge_id(&args.badge)?;
    let reason = args.reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_MAX || reason.contains(char::is_control) {
        return Err(Failure::Usage(format!("--reason: write one line of 1 to {REASON_MAX} characters")));
    }
    let beside = args.place.open().await?;
    let result = revoke(&beside, &badge_id, reason).await;
    beside.store.close().await;
    result
}

async fn revoke(beside: &Beside, badge_id: &Secret128, reason: &str) -> Result<ExitCode, Failure> {
    let Beside { folder, store, issuer, at } = beside;
    let (issuer, at) = (*issuer, *at);
    let Some(badge) = store.read(BadgeById { issuer, badge_id: badge_id.clone() }).await? else {
        return Err(Failure::Words(format!("there is no badge {badge_id} in {}; nothing was done", folder.root().display())));
    };
    let (job, line) = (JobId::random(&SystemChance), JobId::random(&SystemChance));
    let act = beside.act();
    let row = act.row;
    let revoked = store.run(Revoke { issuer, badge_id: badge_id.clone(), reason: reason.to_owned(), job, line, act }).await?;
    let written = write_down(store, folder, issuer, &badge, at).await?;
    store.run(RevocationWritten { row }).await?;
    match revoked {
        None => return Err(Failure::Words(format!("there is no badge {badge_id}; nothing was done"))),
        Some(false) => out::line(format_args!(
            "Badge {badge_id} was revoked before{}. Nothing was changed.",
            badge.revoked_at.map(|t| format!(", on {t}")).unwrap_or_default()
        )),
        Some(true) => {
            out::line(format_args!("Badge {badge_id} ({}) is revoked.", badge.programme));
            out::line(format_args!(
                "Its page says so from now on, and so does the status list; a verifier that kept an older list learns it within {LIST_VALID_HOURS} hours."
            ));
            out::line(format_args!("Reason, in the audit log: {reason}"));
            if badge.withdrawn_at.is_none() {
                out::line("A running server mails it to the holder, with the reason; one that is not running does so at its next start.");
            }
        }
    }
    if written {
        out::line(format_args!("Written into {}.", folder.journal().display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// A line in the journal for each revoked entry of the badge, unless there is one: a run that ended between the two is made
/// good by the next.
async fn write_down(store: &Store, folder: &DataFolder, issuer: IssuerId, badge: &Badge, at: UtcMillis) -> Result<bool, Failure> {
    let (award, path) = (badge.award.to_string(), folder.journal());
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    let mut written = false;
    for revoked in store.read(RevokedOf { issuer, person: badge.person, award: badge.award }).await? {
        let status = (revoked.status_list, revoked.status_index);
        let place = format!("\"status\":[{},{}]", status.0, status.1);
        if before.lines().any(|line| line.contains(&award) && line.contains("\"revoked\"") && line.contains(&place)) {
            continue;
        }
        let event = Event::Revoked { award: badge.award, revision: revoked.revision, status, by: Some(revoked.by) };
        let entry = Entry { at, event };
        FileJournal::new(&path)
            .append(&entry)
            .map_err(|e| Failure::Words(format!("the badge is revoked, but {e}. Run the same command again when it can be")))?;
        written = true;
    }
    Ok(written)
}

/// From a link, with or without `.json` and the like, or the bare id.
fn badge_id(typed: &str) -> Result<Secret128, Failure> {
    let path = typed.trim().split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let last = path.rsplit('/').next().unwrap_or_default();
    let id = last.split_once('.').map_or(last, |(id, _)| id);
    Secret128::parse(id).ok_or_else(|| {
        Failure::Usage(format!(
            "“{typed}” is neither a badge's link nor its id; an id has 26 letters and digits, the part after /b/ in the link"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_or_an_id() {
        let id = "abcdefghijklmnopqrstuvwxyz";
        for typed in [
            id.to_owned(),
            format!("https://x.org/b/{id}"),
            format!("http://127.0.0.1:80/b/{id}.json?x#y"),
            format!(" https://x.org/b/{id}/ "),
        ] {
            assert_eq!(badge_id(&typed).unwrap().as_str(), id, "{typed}");
        }
        for typed in ["", "https://x.org/b/", "https://x.org/me/badges/short"] {
            assert!(badge_id(typed).is_err(), "{typed}");
        }
    }
}
