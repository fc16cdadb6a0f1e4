//! After a revocation: its holder is told, once, with the reason that was given and where to write to.

use assay_core::{
    ids::{IssuerId, JobId, Learner, PersonId, Secret128},
    mail::Mail,
};
use assay_store::{
    commands::{Enqueue, NewJob},
    queries::{Badge, BadgeById, ProgrammeVersion, WhereToMail},
};
use serde::Deserialize;

use crate::worker::{JobError, WorkerParts};

/// Payload of a `revoked-mail` job.
#[derive(Deserialize)]
pub(crate) struct RevokedMailJob {
    badge: Secret128,
    person: PersonId,
}

/// Writes the mail and queues it. Nobody is written to about a badge that stands, or that its holder withdrew.
pub(crate) async fn revoked_mail(parts: &WorkerParts, issuer: IssuerId, job: &RevokedMailJob) -> Result<(), JobError> {
    let store = &parts.store;
    let badge = store.read(BadgeById { issuer, badge_id: job.badge.clone() }).await?;
    let Some(badge) = badge.filter(|b| b.person == job.person && b.revoked_at.is_some() && b.withdrawn_at.is_none()) else {
        return Ok(());
    };
    let version = ProgrammeVersion { issuer, programme: badge.programme.clone(), version: badge.programme_version.clone() };
    let learner = Learner { issuer, person: job.person };
    let (Some(programme), Some(to)) = (store.read(version).await?, store.read(WhereToMail { learner }).await?) else { return Ok(()) };
    let title = &programme.badge.title;
    let subject = format!("Your badge was taken back: {title}");
    let mail = Mail { to, subject, text: words(parts, &badge, title), calendar: None, useless_after: None };
    let new = NewJob {
        id: JobId::random(&*parts.chance),
        kind: "mail",
        dedup: format!("revoked/{}", badge.award),
        payload: serde_json::to_string(&mail).map_err(|e| JobError::Never(e.to_string()))?,
        person: Some(job.person),
        run_at: parts.clock.now(),
    };
    Ok(store.run(Enqueue { issuer, job: new }).await?)
}

fn words(parts: &WorkerParts, badge: &Badge, title: &str) -> String {
    let (name, base) = (&parts.issuer.history.name, &parts.issuer.base_url);
    let on = badge.revoked_at.map(|at| format!(" on {}", at.day())).unwrap_or_default();
    let reason = badge.revoked_reason.as_deref().map(|reason| format!("The reason that was given:\n{reason}\n\n")).unwrap_or_default();
    let contact = if parts.contact.is_empty() { String::new() } else { format!(": {}", parts.contact) };
    format!(
        "{name} took your badge “{title}” back{on}. It is not valid any more, and its public page and the verifier say so. \
         The page does not say why.\n\n\
         {reason}\
         If you think that this is wrong, write to the issuer{contact}\n\
         and give this number:\n{id}\n\n\
         Your own page of the badge:\n{base}/me/badges/{id}\n",
        id = badge.badge_id
    )
}
