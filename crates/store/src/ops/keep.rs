//! What a database that was set back must not forget: lines owed to the journal, and facts that come back from it.

use assay_core::{
    UtcMillis,
    clock::DAY_SECONDS,
    ids::{AwardId, IssuerId, JobId, PersonId},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Apply, Conn, Row,
    jobs::{FINISH, enqueue},
    query,
    rows::json as text,
};
use crate::{
    StoreError,
    commands::{
        BeginList, Closed, Fact, FinishLines, FinishMail, JournalPosition, NewJob, NoteJournals, Reconcile, RevocationWritten, Settled,
    },
    queries::{Compare, IsHalfFilled, JournalPositions, KnowsAny, NewestKey},
};

/// Days after which jobs that are done are forgotten, less one: older mails say nothing about what a database knows.
const MAILS_KNOWN_DAYS: i64 = 29;

/// Whether anything is found.
macro_rules! is_there {
    ($conn:expr, $query:expr) => {
        $query.fetch_optional(&mut *$conn).await?.is_some()
    };
}

/// Queues a line for the journal in the caller's transaction; `id` is one that no other job has.
pub(super) async fn owe(conn: &mut Conn, issuer: IssuerId, id: Uuid, name: String, at: UtcMillis, line: &Value) -> Result<(), StoreError> {
    let job = NewJob { id: JobId(id), kind: "journal", dedup: name, payload: line.to_string(), person: None, run_at: at };
    enqueue(conn, issuer, &job).await
}

const NAME_OF_MAIL: &str = "SELECT issuer_id, dedup, person_id FROM jobs WHERE job_id = $1";

impl Apply<Conn> for FinishMail {
    type Out = ();

    async fn apply(&self, conn: &mut Conn) -> Result<(), StoreError> {
        let finish = query(FINISH).bind(self.at.0).bind(self.job.0).bind(&self.owner);
        if finish.execute(&mut *conn).await?.rows_affected() == 0 {
            return Ok(());
        }
        let row = query(NAME_OF_MAIL).bind(self.job.0).fetch_one(&mut *conn).await?;
        let (issuer, name, person): (Uuid, String, Option<Uuid>) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        // A mail that is nobody's yet is named after an address, if only by a keyed hash: that is kept nowhere for ever.
        let name = person.map(|_| name);
        let line = json!({ "at": self.at, "event": "mailed", "mail": self.job, "name": name });
        owe(conn, IssuerId(issuer), self.line.0, format!("mailed/{}", self.job), self.at, &line).await
    }
}

const LINE_WRITTEN: &str = "DELETE FROM jobs WHERE job_id = $1 AND lease_owner = $2 AND kind = 'journal'";
const NOTE_JOURNAL: &str = "INSERT INTO journals (journal, length, last_sha256) VALUES ($1, $2, $3) \
    ON CONFLICT (journal) DO UPDATE SET length = excluded.length, last_sha256 = excluded.last_sha256 WHERE journals.length <= excluded.length";
const NOTED: &str = "SELECT length FROM journals WHERE journal = $1";
const FORGET_JOURNALS: &str = "DELETE FROM journals WHERE $1 = $1";
const JOURNALS: &str = "SELECT journal, length, last_sha256 FROM journals ORDER BY journal";

async fn note(conn: &mut Conn, position: &JournalPosition) -> Result<(), StoreError> {
    let note = query(NOTE_JOURNAL).bind(&position.journal[..]).bind(position.length).bind(&position.last_sha256[..]);
    note.execute(conn).await?;
    Ok(())
}

const REVOCATION_WRITTEN: &str = "DELETE FROM jobs WHERE job_id = $1 AND kind = 'journal-revoked' AND leased_until IS NULL";

impl Apply<Conn> for RevocationWritten {
    type Out = ();

    async fn apply(&self, conn: &mut Conn) -> Result<(), StoreError> {
        query(REVOCATION_WRITTEN).bind(self.row.0).execute(conn).await?;
        Ok(())
    }
}

impl Apply<Conn> for FinishLines {
    type Out = bool;

    async fn apply(&self, conn: &mut Conn) -> Result<bool, StoreError> {
        // A standby that lagged and was promoted does not know what this worker noted: noting more would hide what it lacks.
        if let Some(noted) = &self.noted {
            let row = query(NOTED).bind(&noted.journal[..]).fetch_optional(&mut *conn).await?;
            let known: Option<i64> = row.map(|row| row.try_get(0)).transpose()?;
            if known.is_none_or(|known| known < noted.length) {
                return Ok(false);
            }
        }
        for job in &self.jobs {
            query(LINE_WRITTEN).bind(job.0).bind(&self.owner).execute(&mut *conn).await?;
        }
        match &self.position {
            Some(position) => note(conn, position).await.map(|()| true),
            None => Ok(true),
        }
    }
}

impl Apply<Conn> for NoteJournals {
    type Out = ();

    async fn apply(&self, conn: &mut Conn) -> Result<(), StoreError> {
        if self.all {
            query(FORGET_JOURNALS).bind(0_i64).execute(&mut *conn).await?;
        }
        for position in &self.positions {
            note(conn, position).await?;
        }
        Ok(())
    }
}

fn hash(bytes: Vec<u8>) -> Result<[u8; 32], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Unreadable { what: "hash", reason: "it has not 32 bytes".into() })
}

impl Apply<Conn> for JournalPositions {
    type Out = Vec<JournalPosition>;

    async fn apply(&self, conn: &mut Conn) -> Result<Self::Out, StoreError> {
        let mut all = Vec::new();
        for row in query(JOURNALS).fetch_all(conn).await? {
            all.push(JournalPosition { journal: hash(row.try_get(0)?)?, length: row.try_get(1)?, last_sha256: hash(row.try_get(2)?)? });
        }
        Ok(all)
    }
}

const MARK: &str = "SELECT 1 FROM installation WHERE name = 'moving'";

impl Apply<Conn> for IsHalfFilled {
    type Out = bool;

    async fn apply(&self, conn: &mut Conn) -> Result<bool, StoreError> {
        Ok(query(MARK).fetch_optional(conn).await?.is_some())
    }
}

const NEWEST_KEY: &str = "SELECT verification_method, intended_at FROM credential_intents WHERE issuer_id = $1 \
    AND intended_at = (SELECT MAX(intended_at) FROM credential_intents WHERE issuer_id = $1) LIMIT 1";

impl Apply<Conn> for NewestKey {
    type Out = Option<(String, UtcMillis)>;

    async fn apply(&self, conn: &mut Conn) -> Result<Self::Out, StoreError> {
        let row = query(NEWEST_KEY).bind(self.issuer.0).fetch_optional(conn).await?;
        row.map(|row| Ok((row.try_get(0)?, UtcMillis(row.try_get(1)?)))).transpose()
    }
}

const BEGIN_LIST: &str = "INSERT INTO status_lists (issuer_id, status_list, used) \
    SELECT $1, CASE WHEN COALESCE(MAX(status_list), 0) >= $2 THEN MAX(status_list) + 1 ELSE $2 END, 0 FROM status_lists WHERE issuer_id = $1 RETURNING status_list";

const NEWEST_LIST: &str = "SELECT COALESCE(MAX(status_list), 0) FROM status_lists WHERE issuer_id = $1";

impl Apply<Conn> for BeginList {
    type Out = i64;

    async fn apply(&self, conn: &mut Conn) -> Result<i64, StoreError> {
        query(BEGIN_LIST).bind(self.issuer.0).bind(self.least).fetch_one(conn).await?.try_get(0)
    }
}

impl Apply<Conn> for Compare {
    type Out = Vec<bool>;

    async fn apply(&self, conn: &mut Conn) -> Result<Vec<bool>, StoreError> {
        let mut known = Vec::with_capacity(self.facts.len());
        for fact in &self.facts {
            known.push(is_known(conn, self.issuer, fact, self.at).await?);
        }
        Ok(known)
    }
}

impl Apply<Conn> for KnowsAny {
    type Out = bool;

    async fn apply(&self, conn: &mut Conn) -> Result<bool, StoreError> {
        for fact in &self.facts {
            let known = match fact {
                Fact::Mailed { mail, .. } => is_there!(conn, query(MAIL).bind(mail.0)),
                Fact::Closed(closed) => is_there!(conn, query(PERSON).bind(closed.person.0).bind(self.issuer.0)),
                Fact::Erased { person, .. } => is_there!(conn, query(PERSON).bind(person.0).bind(self.issuer.0)),
                Fact::Used { award, .. } | Fact::Revoked { award, .. } | Fact::Replaced { award, .. } => {
                    standing(conn, self.issuer, *award).await?.is_some()
                }
                Fact::FreshList { .. } => false,
            };
            if known {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Apply<Conn> for Reconcile {
    type Out = Vec<Settled>;

    async fn apply(&self, conn: &mut Conn) -> Result<Vec<Settled>, StoreError> {
        let mut settled = Vec::with_capacity(self.facts.len());
        for fact in &self.facts {
            // Here no mail is too old to matter: what would send it again may wait in this database since long ago.
            settled.push(match is_known(conn, self.issuer, fact, UtcMillis(i64::MIN)).await? {
                true => Settled::Known,
                false => settle(conn, self.issuer, fact, self.at).await?,
            });
        }
        Ok(settled)
    }
}

const MAIL: &str = "SELECT 1 FROM jobs WHERE job_id = $1";
const MAIL_DONE: &str = "SELECT 1 FROM jobs WHERE job_id = $1 AND done_at IS NOT NULL";
const NAMED_MAIL_DONE: &str = "SELECT 1 FROM jobs WHERE kind = 'mail' AND dedup = $1 AND done_at IS NOT NULL";
const MAIL_OPEN: &str = "SELECT 1 FROM jobs WHERE job_id = $1 AND done_at IS NULL";
const PERSON: &str = "SELECT erased_at FROM people WHERE person_id = $1 AND issuer_id = $2";
const ATTEMPT_CLOSED: &str = "SELECT 1 FROM attempts WHERE person_id = $1 AND attempt_id = $2 AND state = 'submitted'";
const ATTEMPT_LOST: &str = "SELECT 1 FROM lost_attempts WHERE person_id = $1 AND attempt_id = $2";
const EARNED: &str = "SELECT 1 FROM awards WHERE person_id = $1 AND issuer_id = $2 AND programme = $3 AND badge_version = $4";
const INDEX_HOLDER: &str =
    "SELECT award_id, revision, person_id FROM credential_intents WHERE issuer_id = $1 AND status_list = $2 AND status_index = $3";
const SPENT: &str = "SELECT revoked_at FROM spent_indexes WHERE issuer_id = $1 AND status_list = $2 AND status_index = $3";
const CREDENTIAL: &str = "SELECT revoked_at FROM credentials WHERE person_id = $1 AND award_id = $2 AND kind = 'ob3' AND revision = $3";
const AWARD: &str = "SELECT person_id, badge_id, revision, revoked_at, withdrawn_at FROM awards WHERE award_id = $1 AND issuer_id = $2";

async fn is_known(conn: &mut Conn, issuer: IssuerId, fact: &Fact, now: UtcMillis) -> Result<bool, StoreError> {
    Ok(match fact {
        Fact::Mailed { mail, name, at } => {
            let by_name = match name {
                Some(name) => is_there!(conn, query(NAMED_MAIL_DONE).bind(name)),
                None => false,
            };
            by_name
                || is_there!(conn, query(MAIL_DONE).bind(mail.0))
                || (*at < now.plus_seconds(-MAILS_KNOWN_DAYS * DAY_SECONDS) && !is_there!(conn, query(MAIL_OPEN).bind(mail.0)))
        }
        Fact::Closed(closed) => {
            let (person, attempt) = (closed.person.0, closed.attempt.0);
            let earned = match closed.award {
                None => true,
                Some(_) => is_there!(conn, query(EARNED).bind(person).bind(issuer.0).bind(&closed.programme).bind(&closed.badge_version)),
            };
            // Of an attempt that is lost no award can be made again: nobody knows the name it was for.
            (earned && is_there!(conn, query(ATTEMPT_CLOSED).bind(person).bind(attempt)))
                || is_there!(conn, query(ATTEMPT_LOST).bind(person).bind(attempt))
        }
        Fact::Used { award, revision, status, revoked_at } => {
            let spent = query(SPENT).bind(issuer.0).bind(status.0).bind(status.1).fetch_optional(&mut *conn).await?;
            let spent = spent.map(|row| row.try_get::<Option<i64>>(0)).transpose()?;
            let done = |standing: Option<Option<i64>>| standing.is_some_and(|revoked| revoked_at.is_none() || revoked.is_some());
            done(spent)
                || match holder(conn, issuer, *status).await? {
                    Some((whose, of, person)) if (whose, of) == (*award, *revision) => {
                        revoked_at.is_none() || done(credential(conn, person, *award, *revision).await?)
                    }
                    _ => false,
                }
        }
        Fact::FreshList { list } => query(NEWEST_LIST).bind(issuer.0).fetch_one(&mut *conn).await?.try_get::<i64>(0)? >= *list,
        // Old lines say "revoked" of what an erasure withdrew, too: it is over either way.
        Fact::Revoked { award, .. } => standing(conn, issuer, *award).await?.is_some_and(|award| award.over),
        Fact::Replaced { award, revision, .. } => {
            standing(conn, issuer, *award).await?.is_some_and(|award| award.over || award.revision >= *revision)
        }
        Fact::Erased { person, .. } => {
            let row = query(PERSON).bind(person.0).bind(issuer.0).fetch_optional(&mut *conn).await?;
            row.map(|row| row.try_get::<Option<i64>>(0)).transpose()?.flatten().is_some()
        }
    })
}

/// Whose credential has a status index here.
async fn holder(conn: &mut Conn, issuer: IssuerId, status: (i64, i64)) -> Result<Option<(AwardId, i64, PersonId)>, StoreError> {
    let row = query(INDEX_HOLDER).bind(issuer.0).bind(status.0).bind(status.1).fetch_optional(conn).await?;
    row.map(|row| Ok((AwardId(row.try_get(0)?), row.try_get(1)?, PersonId(row.try_get(2)?)))).transpose()
}

/// Since when a credential is revoked, if there is one.
async fn credential(conn: &mut Conn, person: PersonId, award: AwardId, revision: i64) -> Result<Option<Option<i64>>, StoreError> {
    let row = query(CREDENTIAL).bind(person.0).bind(award.0).bind(revision).fetch_optional(conn).await?;
    row.map(|row| row.try_get(0)).transpose()
}

struct Award {
    person: Uuid,
    badge_id: String,
    revision: i64,
    /// Revoked or withdrawn.
    over: bool,
}

async fn standing(conn: &mut Conn, issuer: IssuerId, award: AwardId) -> Result<Option<Award>, StoreError> {
    let Some(row) = query(AWARD).bind(award.0).bind(issuer.0).fetch_optional(conn).await? else { return Ok(None) };
    let (revoked, withdrawn): (Option<i64>, Option<i64>) = (row.try_get(3)?, row.try_get(4)?);
    let (person, badge_id, revision) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    Ok(Some(Award { person, badge_id, revision, over: revoked.or(withdrawn).is_some() }))
}

const MAIL_WENT_OUT: &str = "UPDATE jobs SET done_at = $1, payload = '', leased_until = NULL, last_error = NULL \
    WHERE kind = 'mail' AND done_at IS NULL AND (job_id = $2 OR dedup = $3)";
const KEEP_MAIL: &str = "INSERT INTO jobs (job_id, issuer_id, kind, dedup, payload, run_at, done_at) VALUES ($1, $2, 'mail', $3, '', $4, $4) ON CONFLICT DO NOTHING";
const SPEND: &str = "INSERT INTO spent_indexes (issuer_id, status_list, status_index, award_id, revision, revoked_at) VALUES ($1, $2, $3, $4, $5, $6) \
    ON CONFLICT (issuer_id, status_list, status_index) DO UPDATE SET revoked_at = COALESCE(spent_indexes.revoked_at, excluded.revoked_at)";
const COUNT_SPENT: &str = "INSERT INTO status_lists (issuer_id, status_list, used) VALUES ($1, $2, 1) \
    ON CONFLICT (issuer_id, status_list) DO UPDATE SET used = status_lists.used + 1";
const REVOKE_CREDENTIAL: &str = "UPDATE credentials SET revoked_at = COALESCE(revoked_at, $1) WHERE person_id = $2 AND award_id = $3 AND revision = $4 AND issuer_id = $5";
const REVOKE_AWARD: &str = "UPDATE awards SET revoked_at = $1 WHERE person_id = $2 AND award_id = $3 AND revoked_at IS NULL";
const REVOKE_ITS_CREDENTIALS: &str =
    "UPDATE credentials SET revoked_at = $1 WHERE person_id = $2 AND award_id = $3 AND issuer_id = $4 AND revoked_at IS NULL";
pub(super) const REVOKE_SPENT: &str =
    "UPDATE spent_indexes SET revoked_at = $1 WHERE award_id = $2 AND issuer_id = $3 AND revision < $4 AND revoked_at IS NULL";
const RAISE: &str = "UPDATE awards SET revision = $1 WHERE person_id = $2 AND award_id = $3 AND revision < $1";

async fn settle(conn: &mut Conn, issuer: IssuerId, fact: &Fact, now: UtcMillis) -> Result<Settled, StoreError> {
    match fact {
        Fact::Mailed { mail, name, .. } => {
            // Done as of now: it is forgotten a month from here, not before whatever would send it again was worked on.
            query(MAIL_WENT_OUT).bind(now.0).bind(mail.0).bind(name).execute(&mut *conn).await?;
            let name = name.clone().unwrap_or_else(|| mail.to_string());
            query(KEEP_MAIL).bind(mail.0).bind(issuer.0).bind(name).bind(now.0).execute(conn).await?;
            Ok(Settled::Done)
        }
        Fact::Closed(closed) => close(conn, issuer, closed, now).await,
        Fact::Used { award, revision, status, revoked_at } => {
            let known = standing(conn, issuer, *award).await?.is_some();
            let revoked = revoked_at.map(|at| at.0);
            let holder = holder(conn, issuer, *status).await?;
            let own = holder.filter(|(whose, of, _)| (whose, of) == (award, revision));
            if let (Some(_), None) = (holder, own) {
                return Ok(Settled::Clash);
            }
            if let (Some((.., person)), Some(at)) = (own, revoked) {
                let revoke = query(REVOKE_CREDENTIAL).bind(at).bind(person.0).bind(award.0).bind(*revision).bind(issuer.0);
                if revoke.execute(&mut *conn).await?.rows_affected() > 0 {
                    return Ok(Settled::Done);
                }
            }
            let counted = own.is_some() || is_there!(conn, query(SPENT).bind(issuer.0).bind(status.0).bind(status.1));
            let spend = query(SPEND).bind(issuer.0).bind(status.0).bind(status.1).bind(award.0).bind(*revision).bind(revoked);
            spend.execute(&mut *conn).await?;
            if !counted {
                query(COUNT_SPENT).bind(issuer.0).bind(status.0).execute(conn).await?;
            }
            Ok(if known { Settled::Done } else { Settled::Stranger })
        }
        Fact::Revoked { award, at, job } => {
            let Some(found) = standing(conn, issuer, *award).await? else { return Ok(Settled::Stranger) };
            query(REVOKE_AWARD).bind(at.0).bind(found.person).bind(award.0).execute(&mut *conn).await?;
            query(REVOKE_ITS_CREDENTIALS).bind(at.0).bind(found.person).bind(award.0).bind(issuer.0).execute(&mut *conn).await?;
            query(REVOKE_SPENT).bind(at.0).bind(award.0).bind(issuer.0).bind(i64::MAX).execute(&mut *conn).await?;
            let payload = json!({ "badge": found.badge_id, "person": found.person }).to_string();
            let person = Some(PersonId(found.person));
            let job = NewJob { id: *job, kind: "revoked-mail", dedup: award.to_string(), payload, person, run_at: now };
            enqueue(conn, issuer, &job).await?;
            Ok(Settled::Done)
        }
        Fact::Replaced { award, revision, job } => {
            let Some(found) = standing(conn, issuer, *award).await? else { return Ok(Settled::Stranger) };
            // The document of that revision is lost: another one, later than it, takes its place.
            let next = revision + 1;
            query(RAISE).bind(next).bind(found.person).bind(award.0).execute(&mut *conn).await?;
            issue(conn, issuer, *job, *award, PersonId(found.person), next, now).await?;
            Ok(Settled::Done)
        }
        Fact::FreshList { list } => {
            query(BEGIN_LIST).bind(issuer.0).bind(*list).fetch_one(conn).await?;
            Ok(Settled::Done)
        }
        // The caller erases: it takes the secret by which a wait outlives an account.
        Fact::Erased { .. } => Ok(Settled::Stranger),
    }
}

async fn issue(
    conn: &mut Conn,
    issuer: IssuerId,
    id: JobId,
    award: AwardId,
    person: PersonId,
    revision: i64,
    now: UtcMillis,
) -> Result<(), StoreError> {
    let payload = json!({ "award": award, "person": person }).to_string();
    let job = NewJob { id, kind: "issue", dedup: format!("{award}/{revision}"), payload, person: Some(person), run_at: now };
    enqueue(conn, issuer, &job).await
}

// Also one that was closed otherwise since the database was set back: what its person was told first stands.
const CLOSE_IT: &str = "UPDATE attempts SET state = 'submitted', submitted_at = $1, outcome = $2, retake_at = $3 \
    WHERE person_id = $4 AND attempt_id = $5 AND issuer_id = $6 RETURNING holder_name";
const LOSE: &str = "INSERT INTO lost_attempts (person_id, attempt_id, issuer_id, programme, started_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
const WAIT: &str = "INSERT INTO standings (person_id, issuer_id, programme, next_start_at, fails) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (person_id, programme) DO UPDATE SET \
    next_start_at = CASE WHEN standings.next_start_at > excluded.next_start_at THEN standings.next_start_at ELSE excluded.next_start_at END, \
    fails = CASE WHEN standings.fails > excluded.fails THEN standings.fails ELSE excluded.fails END";
const PASS: &str =
    "UPDATE standings SET passed_version = $1, next_start_at = 0, fails = 0 WHERE person_id = $2 AND issuer_id = $3 AND programme = $4";
const AWARD_AGAIN: &str = "INSERT INTO awards (person_id, award_id, issuer_id, programme, badge_version, attempt_id, badge_id, holder_name, visibility, awarded_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'only_me', $9) ON CONFLICT (person_id, programme, badge_version) DO NOTHING";

/// An attempt that was closed stays closed, its wait runs, and what it earned is earned.
async fn close(conn: &mut Conn, issuer: IssuerId, closed: &Closed, now: UtcMillis) -> Result<Settled, StoreError> {
    let (person, attempt) = (closed.person.0, closed.attempt.0);
    if !is_there!(conn, query(PERSON).bind(person).bind(issuer.0)) {
        return Ok(Settled::Stranger);
    }
    let outcome = closed.outcome.as_ref().map(text).transpose()?;
    let close = query(CLOSE_IT).bind(closed.closed_at.0).bind(outcome).bind(closed.next_start_at.map(|at| at.0));
    let found = close.bind(person).bind(attempt).bind(issuer.0).fetch_optional(&mut *conn).await?;
    let name: Option<String> = found.map(|row| row.try_get(0)).transpose()?;
    if name.is_none() {
        let lose = query(LOSE).bind(person).bind(attempt).bind(issuer.0).bind(&closed.programme).bind(closed.started_at.0);
        lose.execute(&mut *conn).await?;
    }
    if let Some(next) = closed.next_start_at {
        let wait = query(WAIT).bind(person).bind(issuer.0).bind(&closed.programme).bind(next.0).bind(i64::from(closed.fails));
        wait.execute(&mut *conn).await?;
    }
    let payload = json!({ "attempt": closed.attempt, "person": closed.person }).to_string();
    match (name, closed.award) {
        (Some(name), Some(award)) => {
            query(PASS).bind(&closed.badge_version).bind(person).bind(issuer.0).bind(&closed.programme).execute(&mut *conn).await?;
            let again = query(AWARD_AGAIN).bind(person).bind(award.0).bind(issuer.0).bind(&closed.programme);
            let again = again.bind(&closed.badge_version).bind(attempt).bind(closed.badge_id.as_str()).bind(name).bind(closed.closed_at.0);
            if again.execute(&mut *conn).await?.rows_affected() > 0 {
                issue(conn, issuer, closed.jobs[0], award, closed.person, 1, now).await?;
            }
        }
        (Some(_), None) if closed.next_start_at.is_some() => {
            let (id, dedup, person) = (closed.jobs[0], closed.attempt.to_string(), Some(closed.person));
            enqueue(conn, issuer, &NewJob { id, kind: "result-mail", dedup, payload, person, run_at: now }).await?;
        }
        _ => {}
    }
    if let Some(outcome) = &closed.outcome {
        let payload = json!({ "programme": closed.programme, "passed": outcome.passed }).to_string();
        let (id, dedup) = (closed.jobs[1], closed.attempt.to_string());
        enqueue(conn, issuer, &NewJob { id, kind: "fold-figures", dedup, payload, person: None, run_at: now }).await?;
    }
    Ok(Settled::Done)
}

/// Every statement of this file, for the test that prepares them on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: &[&[&str]] = &[&[
    NAME_OF_MAIL,
    LINE_WRITTEN,
    REVOCATION_WRITTEN,
    NOTE_JOURNAL,
    NOTED,
    NEWEST_LIST,
    FORGET_JOURNALS,
    JOURNALS,
    MARK,
    NEWEST_KEY,
    BEGIN_LIST,
    MAIL,
    MAIL_DONE,
    NAMED_MAIL_DONE,
    MAIL_OPEN,
    PERSON,
    ATTEMPT_CLOSED,
    ATTEMPT_LOST,
    EARNED,
    INDEX_HOLDER,
    SPENT,
    CREDENTIAL,
    AWARD,
    MAIL_WENT_OUT,
    KEEP_MAIL,
    SPEND,
    COUNT_SPENT,
    REVOKE_CREDENTIAL,
    REVOKE_AWARD,
    REVOKE_ITS_CREDENTIALS,
    REVOKE_SPENT,
    RAISE,
    CLOSE_IT,
    LOSE,
    WAIT,
    PASS,
    AWARD_AGAIN,
]];
