//! From an award to a signed badge: intent, lint, journal, sign, verify, store, mail.
//!
//! What is about to be signed is kept first; Ed25519 is deterministic and the time of signing is part of the intent, so a step that
//! crashed and is repeated gives the same bytes. Nothing is handed out that our own verifier does not accept.

use assay_badge::{
    AchievementSpec, BadgeSpec, HolderSpec, ImageSpec, IssuerSpec, Outcome, StatusSpec, Verdict, VerifyOptions, build, lint, verify,
};
use assay_core::{
    UtcMillis,
    badge::{Assurance, Level},
    ids::{AwardId, IssuerId, JobId, PersonId},
    mail::Mail,
};
use assay_store::{
    commands::{Intent, NewJob, PassOver, RecordIntent, StoreCredential},
    queries::{AwardForIssue, IssueFacts, RevokedOf, WhoseAward},
};
use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::{
    Entry, Event, Signing,
    journal::hex,
    worker::{JobError, WorkerParts},
};

/// Payload of an `issue` job.
#[derive(Deserialize)]
pub(crate) struct IssueJob {
    award: AwardId,
    person: PersonId,
}

/// Entries of one status list.
const LIST_ENTRIES: i64 = assay_badge::LIST_ENTRIES as i64;
/// The first status list.
const FIRST_LIST: i64 = 1;

/// The list that a new badge is entered in: the newest, until half of it is used; then a free index would be hard to find by chance.
fn list_for(newest: Option<(i64, i64)>) -> i64 {
    match newest {
        None => FIRST_LIST,
        Some((list, used)) if used * 2 > LIST_ENTRIES => list + 1,
        Some((list, _)) => list,
    }
}

fn timestamp(at: UtcMillis) -> Timestamp {
    Timestamp::from_millisecond(at.0 / 1000 * 1000).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// What is known of the conditions of an award.
pub(crate) fn assurance(facts: &IssueFacts, demonstration: bool) -> Assurance {
    let rules = &facts.badge.rules;
    Assurance {
        level: if facts.programme.questions_public { Level::Practice } else { Level::SelfTaken },
        demonstration,
        pass_mark: (rules.pass_mark, rules.questions),
        open_book: rules.open_book,
        time_limit_seconds: rules.time_limit_seconds,
    }
}

fn spec(parts: &WorkerParts, facts: &IssueFacts, (list, index): (i64, i64), now: UtcMillis) -> BadgeSpec {
    let (badge, design, base) = (&facts.badge, &facts.programme.badge, &parts.issuer.base_url);
    // An update must begin later than what it replaces (Open Badges 3.0, equality and comparison).
    let valid_from = if badge.revision == 1 { badge.awarded_at } else { now };
    BadgeSpec {
        base_url: base.clone(),
        credential_id: badge.badge_id.to_string(),
        issuer: IssuerSpec { id: parts.issuer.history.issuer.clone(), name: parts.issuer.history.name.clone(), url: Some(base.clone()) },
        valid_from: timestamp(valid_from),
        valid_until: design.valid_months.map(|months| timestamp(badge.awarded_at.plus_months(months))),
        awarded: timestamp(badge.awarded_at),
        holder: HolderSpec { subject_id: Some(format!("urn:uuid:{}", badge.award)), name: badge.holder_name.clone() },
        achievement: AchievementSpec {
            id: format!("{base}/programmes/{}/standard#version-{}", badge.programme, design.version),
            version: design.version.clone(),
            name: design.title.clone(),
            description: format!("{} {}", design.description, design.limits),
            criteria: design.criteria.clone(),
            tags: design.tags.clone(),
            image: Some(ImageSpec {
                url: format!("{base}/programmes/{}/badge.svg", badge.programme),
                caption: format!("Badge art of {}", design.title),
            }),
        },
        assurance: assurance(facts, parts.issuer.demonstration).sentences(),
        standing: match (parts.issuer.demonstration, facts.programme.questions_public) {
            (true, _) => assay_badge::Standing::Demonstration,
            (false, true) => assay_badge::Standing::Practice,
            (false, false) => assay_badge::Standing::Regular,
        },
        score: None,
        status: StatusSpec { list_url: format!("{base}/status/{list}"), index: u32::try_from(index).unwrap_or(0) },
    }
}

/// Keeps the intent; draws another status index when one is taken.
async fn intend(parts: &WorkerParts, issuer: IssuerId, person: PersonId, facts: &IssueFacts) -> Result<Intent, JobError> {
    if let Some(intent) = &facts.intent {
        return Ok(intent.clone());
    }
    let list = list_for(facts.newest_list);
    for _ in 0..64 {
        // A clock that stepped back must not make a badge that is signed before it was earned.
        let now = parts.clock.now().max(facts.badge.awarded_at);
        let draw: [u8; 8] = parts.chance.bytes();
        let index = (u64::from_be_bytes(draw) % LIST_ENTRIES as u64) as i64;
        let unsigned = build(&spec(parts, facts, (list, index), now));
        checked(&unsigned)?;
        let unsigned = unsigned.to_string();
        let intent = Intent {
            status_list: list,
            status_index: index,
            unsigned,
            verification_method: parts.issuer.method().to_owned(),
            intended_at: now,
        };
        let record = RecordIntent { issuer, person, award: facts.badge.award, kind: "ob3", revision: facts.badge.revision, intent };
        if let Some(standing) = parts.store.run(record).await? {
            return Ok(standing);
        }
    }
    Err(JobError::Later("no free status index was found".into()))
}

/// What is to be signed, by today's key; `None` where it is signed already, or was taken back before.
async fn to_sign(parts: &WorkerParts, issuer: IssuerId, job: &IssueJob) -> Result<Option<(IssueFacts, Intent)>, JobError> {
    for _ in 0..2 {
        let facts = parts.store.read(AwardForIssue { issuer, award: job.award, person: job.person }).await?;
        let facts = facts.filter(|f| f.badge.signed_revision != Some(f.badge.revision) && f.badge.revoked_at.is_none());
        let Some(facts) = facts else { return Ok(None) };
        let intent = intend(parts, issuer, job.person, &facts).await?;
        if intent.verification_method == parts.issuer.method() {
            return Ok(Some((facts, intent)));
        }
        // The key was changed in between. Two signatures of one revision would be one too many, so another revision is signed.
        let revision = facts.badge.revision;
        parts.store.run(PassOver { issuer, person: job.person, award: job.award, revision, at: parts.clock.now() }).await?;
    }
    Err(JobError::Later("the badge was to be signed by a key that is not today's".into()))
}

/// Does an `issue` job.
pub(crate) async fn issue(parts: &WorkerParts, issuer: IssuerId, job: &IssueJob) -> Result<(), JobError> {
    let Some((facts, intent)) = to_sign(parts, issuer, job).await? else {
        // A run that was cut short may still owe the journal a line.
        return journal_revoked(parts, issuer, &RevokedJob { award: job.award, person: Some(job.person) }).await;
    };
    fail_point!("issue::after_intent", |_| Err(JobError::Later("a fail point".into())));
    let unsigned: serde_json::Value =
        serde_json::from_str(&intent.unsigned).map_err(|e| JobError::Later(format!("the intent cannot be read: {e}")))?;
    checked(&unsigned)?;
    let entry = |event: fn(Signing) -> Event, sha256| {
        let status = (intent.status_list, intent.status_index);
        Entry { at: parts.clock.now(), event: event(Signing { award: job.award, revision: facts.badge.revision, status, sha256 }) }
    };
    parts.write_down(entry(Event::Intent, hex(&Sha256::digest(&intent.unsigned)))).await?;
    fail_point!("issue::after_intent_line", |_| Err(JobError::Later("a fail point".into())));

    let created = timestamp(intent.intended_at);
    let signed = parts.issuer.sign(&unsigned, created).map_err(|e| JobError::Later(e.to_string()))?;
    fail_point!("issue::after_sign", |_| Err(JobError::Later("a fail point".into())));
    let document = serde_json::to_string_pretty(&signed).map_err(|e| JobError::Later(e.to_string()))?;
    check(parts, &document, created)?;
    let sha256: [u8; 32] = Sha256::digest(&document).into();
    let store = StoreCredential {
        issuer,
        person: job.person,
        award: job.award,
        kind: "ob3",
        revision: facts.badge.revision,
        document,
        sha256,
        mail: mail(parts, &facts),
        at: parts.clock.now(),
    };
    parts.write_down(entry(Event::Signed, hex(&sha256))).await?;
    fail_point!("issue::after_signed_line", |_| Err(JobError::Later("a fail point".into())));
    parts.store.run(store).await?;
    fail_point!("issue::after_store", |_| Err(JobError::Later("a fail point".into())));
    metrics::counter!("assay_badges_issued_total").increment(1);
    // An earlier revision that this one replaces; or this one, if it was taken back while it was being signed.
    journal_revoked(parts, issuer, &RevokedJob { award: job.award, person: Some(job.person) }).await
}

/// The rules of our own issuing.
fn checked(unsigned: &serde_json::Value) -> Result<(), JobError> {
    let words =
        |problems: Vec<assay_badge::Problem>| problems.iter().map(|p| format!("{}: {}", p.path, p.words)).collect::<Vec<_>>().join("; ");
    lint(unsigned).map_err(|problems| JobError::Later(words(problems)))
}

/// Payload of a `journal-revoked` job.
#[derive(Deserialize)]
pub(crate) struct RevokedJob {
    award: AwardId,
    /// Jobs that were queued under schema 0001 do not say.
    person: Option<PersonId>,
}

/// Writes down which status entries of an award are revoked. A line too many does no harm, one too few would.
pub(crate) async fn journal_revoked(parts: &WorkerParts, issuer: IssuerId, job: &RevokedJob) -> Result<(), JobError> {
    let person = match job.person {
        Some(person) => Some(person),
        None => parts.store.read(WhoseAward { issuer, award: job.award }).await?,
    };
    // An award that nobody has was never signed.
    let Some(person) = person else { return Ok(()) };
    for entry in parts.store.read(RevokedOf { issuer, person, award: job.award }).await? {
        let status = (entry.status_list, entry.status_index);
        let event = Event::Revoked { award: job.award, revision: entry.revision, status, by: Some(entry.by) };
        let entry = Entry { at: parts.clock.now(), event };
        parts.write_down(entry).await?;
    }
    Ok(())
}

/// Our own verifier has the last word before anything leaves.
fn check(parts: &WorkerParts, document: &str, now: Timestamp) -> Result<(), JobError> {
    let trust = [parts.issuer.history.clone()];
    let report = verify(document.as_bytes(), &VerifyOptions::new(now, &trust, &|_| None));
    if matches!(report.verdict, Verdict::Valid | Verdict::ValidStatusUnchecked) {
        return Ok(());
    }
    let failed = report.checks.iter().filter(|c| c.outcome == Outcome::Failed);
    let words: Vec<String> = failed.map(|c| format!("{}: {}", c.name.as_str(), c.words)).collect();
    Err(JobError::Later(format!("our own verifier does not accept the badge: {}", words.join("; "))))
}

fn mail(parts: &WorkerParts, facts: &IssueFacts) -> Option<NewJob> {
    let (badge, base) = (&facts.badge, &parts.issuer.base_url);
    let title = &facts.programme.badge.title;
    let corrected = format!(
        "Your badge “{title}” is signed anew, with the corrected name. Copies of the old one are not valid any more:\nload them again.\n\n{base}/me/badges/{}\n",
        badge.badge_id
    );
    let first = format!(
        "Your badge “{title}” is signed and ready.\n\n\
         Look at it, correct the name if you must, and choose who may see it:\n{base}/me/badges/{id}\n\n\
         Until you choose, only you can see it. Afterwards this is its public address:\n{base}/b/{id}\n",
        id = badge.badge_id
    );
    let text = match (badge.signed_revision, badge.revision) {
        (Some(_), _) => corrected,
        (None, 1) => first,
        // What went before it is unknown here, but may be in somebody's hands.
        (None, _) => format!("{first}\nIf you have a copy already, load it again: an older one is not valid any more.\n"),
    };
    let mail = Mail { to: facts.address.clone()?, subject: format!("Your badge: {title}"), text, calendar: None, useless_after: None };
    Some(NewJob {
        id: JobId::random(&*parts.chance),
        kind: "mail",
        dedup: format!("badge/{}/{}", badge.award, badge.revision),
        payload: serde_json::to_string(&mail).ok()?,
        person: Some(badge.person),
        run_at: parts.clock.now(),
    })
}
