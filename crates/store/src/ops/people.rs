//! Issuers, people, sign-in links, sessions, erasure, the audit log.

use assay_core::{
    UtcMillis,
    attempt::wait_seconds,
    ids::{IssuerId, JobId, Learner, PersonId},
    programme::Rules,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    Apply, Conn, EngineRow, Row,
    jobs::enqueue,
    keep::owe,
    query,
    rows::{from_json, small},
};
use crate::{
    StoreError,
    commands::{
        Act, Audit, CloseSession, ConsumeSignIn, EnsureIssuer, Erase, Introduce, MarkLesson, NewJob, RequestSignIn, SetHandle, TokenHash,
    },
    queries::{AuditLine, AuditLog, LessonsDone, LinkAddress, OwnData, Person, SignedIn, WhoIs},
};

const NEW_ISSUER: &str = "INSERT INTO issuers (issuer_id, slug, created_at) VALUES ($1, $2, $3) ON CONFLICT (slug) DO NOTHING";
const ISSUER: &str = "SELECT issuer_id FROM issuers WHERE slug = $1";

impl Apply<Conn> for EnsureIssuer {
    type Out = IssuerId;

    async fn apply(&self, conn: &mut Conn) -> Result<IssuerId, StoreError> {
        query(NEW_ISSUER).bind(self.id.0).bind(&self.slug).bind(self.at.0).execute(&mut *conn).await?;
        let row = query(ISSUER).bind(&self.slug).fetch_one(&mut *conn).await?;
        Ok(IssuerId(row.try_get(0)?))
    }
}

const NEW_LINK: &str =
    "INSERT INTO sign_in_links (token_hash, issuer_id, address, next_path, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)";

impl Apply<Conn> for RequestSignIn {
    type Out = ();

    async fn apply(&self, conn: &mut Conn) -> Result<(), StoreError> {
        let link = query(NEW_LINK).bind(&self.token_hash[..]).bind(self.issuer.0).bind(&self.address).bind(&self.next_path);
        link.bind(self.at.0).bind(self.expires_at.0).execute(&mut *conn).await?;
        enqueue(conn, self.issuer, &self.mail).await
    }
}

// Compare-and-set: of two uses at once, one gets the row.
const USE_LINK: &str = "UPDATE sign_in_links SET used_at = $1 WHERE token_hash = $2 AND issuer_id = $3 AND used_at IS NULL AND expires_at > $1 RETURNING address, next_path";
// Older links to the same address are of no use any more.
const USE_OTHERS: &str = "UPDATE sign_in_links SET used_at = $1 WHERE address = $2 AND issuer_id = $3 AND used_at IS NULL";
const NEW_PERSON: &str =
    "INSERT INTO people (person_id, issuer_id, address, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (issuer_id, address) DO NOTHING";
const PERSON_BY_ADDRESS: &str = "SELECT person_id FROM people WHERE issuer_id = $1 AND address = $2";
const NEW_SESSION: &str = "INSERT INTO sessions (token_hash, issuer_id, person_id, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)";
const TAKE_UP_WAITS: &str = "INSERT INTO standings (person_id, issuer_id, programme, next_start_at, fails) \
    SELECT $1, issuer_id, programme, next_start_at, fails FROM kept_waits WHERE issuer_id = $2 AND address_mac = $3";

async fn open_session(conn: &mut Conn, learner: Learner, token_hash: &TokenHash, at: i64, expires_at: i64) -> Result<(), StoreError> {
    let query = query(NEW_SESSION).bind(&token_hash[..]).bind(learner.issuer.0).bind(learner.person.0);
    query.bind(at).bind(expires_at).execute(conn).await?;
    Ok(())
}

/// The person with this address, made if new; and whether they are new.
async fn person_at(conn: &mut Conn, issuer: IssuerId, address: &str, new: PersonId, at: i64) -> Result<(Learner, bool), StoreError> {
    let made = query(NEW_PERSON).bind(new.0).bind(issuer.0).bind(address).bind(at).execute(&mut *conn).await?;
    let row = query(PERSON_BY_ADDRESS).bind(issuer.0).bind(address).fetch_one(&mut *conn).await?;
    Ok((Learner { issuer, person: PersonId(row.try_get(0)?) }, made.rows_affected() > 0))
}

impl Apply<Conn> for ConsumeSignIn {
    type Out = Option<(SignedIn, String)>;

    async fn apply(&self, conn: &mut Conn) -> Result<Self::Out, StoreError> {
        let used = query(USE_LINK).bind(self.at.0).bind(&self.token_hash[..]).bind(self.issuer.0).fetch_optional(&mut *conn).await?;
        let Some(link) = used else { return Ok(None) };
        let (address, next_path): (String, String) = (link.try_get(0)?, link.try_get(1)?);
        query(USE_OTHERS).bind(self.at.0).bind(&address).bind(self.issuer.0).execute(&mut *conn).await?;
        let (learner, is_new) = person_at(conn, self.issuer, &address, self.new_person, self.at.0).await?;
        if is_new {
            query(TAKE_UP_WAITS).bind(learner.person.0).bind(self.issuer.0).bind(&self.address_mac[..]).execute(&mut *conn).await?;
        }
        open_session(conn, learner, &self.session_hash, self.at.0, self.session_expires_at.0).await?;
        Ok(Some((SignedIn { learner }, next_path)))
    }
}

impl Apply<Conn> for Introduce {
    type Out = SignedIn;

    async fn apply(&self, conn: &mut Conn) -> Result<SignedIn, StoreError> {
        let (learner, _) = person_at(conn, self.issuer, &self.address, self.new_person, self.at.0).await?;
        open_session(conn, learner, &self.session_hash, self.at.0, self.session_expires_at.0).await?;
        Ok(SignedIn { learner })
    }
}

const CLOSE_SESSION: &str = "DELETE FROM sessions WHERE token_hash = $1";

impl Apply<Conn> for CloseSession {
    type Out = ();

    async fn apply(&self, conn: &mut Conn) -> Result<(), StoreError> {
        query(CLOSE_SESSION).bind(&self.token_hash[..]).execute(conn).await?;
        Ok(())
    }
}

const SET_HANDLE: &str = "UPDATE people SET handle = $1 WHERE person_id = $2 AND issuer_id = $3 \
    AND NOT EXISTS (SELECT 1 FROM people other WHERE other.issuer_id = $3 AND other.handle = $1 AND other.person_id <> $2) \
    AND NOT EXISTS (SELECT 1 FROM released_handles r WHERE r.issuer_id = $3 AND r.handle_hash = $4 AND r.person_id <> $2)";
const OWN_HANDLE: &str = "SELECT handle FROM people WHERE person_id = $1 AND issuer_id = $2 AND handle IS NOT NULL";
const RELEASE_HANDLE: &str =
    "INSERT INTO released_handles (issuer_id, handle_hash, person_id) VALUES ($1, $2, $3) ON CONFLICT (issuer_id, handle_hash) DO NOTHING";

fn handle_hash(handle: &str) -> [u8; 32] {
    Sha256::digest(handle).into()
}

/// A handle that was given up is nobody else's: links to it stand in applications and on profiles.
async fn release_handle(conn: &mut Conn, learner: Learner) -> Result<(), StoreError> {
    let (person, issuer) = (learner.person.0, learner.issuer.0);
    if let Some(row) = query(OWN_HANDLE).bind(person).bind(issuer).fetch_optional(&mut *conn).await? {
        let hash = handle_hash(row.try_get(0)?);
        query(RELEASE_HANDLE).bind(issuer).bind(&hash[..]).bind(person).execute(conn).await?;
    }
    Ok(())
}

impl Apply<Conn> for SetHandle {
    type Out = bool;

    async fn apply(&self, conn: &mut Conn) -> Result<bool, StoreError> {
        release_handle(conn, self.learner).await?;
        let hash = handle_hash(self.handle.as_deref().unwrap_or_default());
        let set = query(SET_HANDLE).bind(&self.handle).bind(self.learner.person.0).bind(self.learner.issuer.0).bind(&hash[..]);
        Ok(set.execute(conn).await?.rows_affected() > 0)
    }
}

const WHO_IS: &str = "SELECT p.person_id, p.address, p.handle FROM sessions s JOIN people p ON p.person_id = s.person_id \
    WHERE s.token_hash = $1 AND s.issuer_id = $2 AND s.expires_at > $3 AND p.erased_at IS NULL";

impl Apply<Conn> for WhoIs {
    type Out = Option<Person>;

    async fn apply(&self, conn: &mut Conn) -> Result<Self::Out, StoreError> {
        let row = query(WHO_IS).bind(&self.token_hash[..]).bind(self.issuer.0).bind(self.at.0).fetch_optional(conn).await?;
        let Some(row) = row else { return Ok(None) };
        let learner = Learner { issuer: self.issuer, person: PersonId(row.try_get(0)?) };
        Ok(Some(Person { learner, address: row.try_get::<Option<String>>(1)?.unwrap_or_default(), handle: row.try_get(2)? }))
    }
}

const LINK_ADDRESS: &str =
    "SELECT address FROM sign_in_links WHERE token_hash = $1 AND issuer_id = $2 AND used_at IS NULL AND expires_at > $3";

impl Apply<Conn> for LinkAddress {
    type Out = Option<String>;

    async fn apply(&self, conn: &mut Conn) -> Result<Self::Out, StoreError> {
        let row = query(LINK_ADDRESS).bind(&self.token_hash[..]).bind(self.issuer.0).bind(self.at.0).fetch_optional(conn).await?;
        row.map(|r| r.try_get(0)).transpose()
    }
}

const MARK_LESSON: &str = "INSERT INTO lesson_marks (person_id, issuer_id, programme, lesson, done_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (person_id, programme, lesson) DO NOTHING";
const UNMARK_LESSON: &str = "DELETE FROM lesson_marks WHERE person_id = $1 AND issuer_id = $2 AND programme = $3 AND lesson = $4";

impl Apply<Conn> for MarkLesson {
    type Out = ();

    async fn apply(&self, conn: &mut Conn) -> Result<(), StoreError> {
        let sql = if self.done { MARK_LESSON } else { UNMARK_LESSON };
        let mut query = query(sql).bind(self.learner.person.0).bind(self.learner.issuer.0).bind(&self.programme).bind(&self.lesson);
        if self.done {
            query = query.bind(self.at.0);
        }
        query.execute(conn).await?;
        Ok(())
    }
}

const LESSONS_DONE: &str = "SELECT lesson FROM lesson_marks WHERE person_id = $1 AND issuer_id = $2 AND programme = $3";

impl Apply<Conn> for LessonsDone {
    type Out = Vec<String>;

    async fn apply(&self, conn: &mut Conn) -> Result<Vec<String>, StoreError> {
        let rows =
            query(LESSONS_DONE).bind(self.learner.person.0).bind(self.learner.issuer.0).bind(&self.programme).fetch_all(conn).await?;
        rows.iter().map(|r| r.try_get(0)).collect()
    }
}

const AUDIT: &str = "INSERT INTO audit_log (row_id, issuer_id, at, actor, action, object, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)";

/// One line of the audit log; called by every command of a person with power.
pub(super) async fn audit(
    conn: &mut Conn,
    issuer: IssuerId,
    act: &Act,
    action: &str,
    object: &str,
    detail: &str,
) -> Result<(), StoreError> {
    let query = query(AUDIT).bind(act.row.0).bind(issuer.0).bind(act.at.0).bind(&act.actor);
    query.bind(action).bind(object).bind(detail).execute(conn).await?;
    Ok(())
}

const AUDIT_LOG: &str = "SELECT at, actor, action, object, detail FROM audit_log WHERE issuer_id = $1 ORDER BY at DESC, action LIMIT $2";

impl Apply<Conn> for AuditLog {
    type Out = Vec<AuditLine>;

    async fn apply(&self, conn: &mut Conn) -> Result<Vec<AuditLine>, StoreError> {
        let rows = query(AUDIT_LOG).bind(self.issuer.0).bind(i64::from(self.limit)).fetch_all(conn).await?;
        let line = |row: &EngineRow| {
            Ok(AuditLine {
                at: UtcMillis(row.try_get(0)?),
                actor: row.try_get(1)?,
                action: row.try_get(2)?,
                object: row.try_get(3)?,
                detail: row.try_get(4)?,
            })
        };
        rows.iter().map(line).collect()
    }
}

impl Apply<Conn> for Audit {
    type Out = ();

    async fn apply(&self, conn: &mut Conn) -> Result<(), StoreError> {
        audit(conn, self.issuer, &self.act, &self.action, &self.object, &self.detail).await
    }
}

const OPEN_ATTEMPTS: &str = "SELECT a.programme, a.rules, s.fails, a.attempt_id, a.badge_version, a.started_at FROM attempts a JOIN standings s ON s.person_id = a.person_id AND s.programme = a.programme \
    WHERE a.person_id = $1 AND a.issuer_id = $2 AND a.state = 'open'";
const FAIL_OPEN: &str =
    "UPDATE standings SET next_start_at = $1, fails = standings.fails + 1 WHERE person_id = $2 AND issuer_id = $3 AND programme = $4";

/// Erasing in the middle of an attempt counts as failing it: otherwise it would be a way to read a pool without a wait.
async fn fail_open_attempts(conn: &mut Conn, learner: Learner, at: UtcMillis) -> Result<(), StoreError> {
    let (person, issuer) = (learner.person.0, learner.issuer.0);
    for row in query(OPEN_ATTEMPTS).bind(person).bind(issuer).fetch_all(&mut *conn).await? {
        let rules: Rules = from_json("rules", row.try_get::<&str>(1)?)?;
        let fails: u32 = small("fails", row.try_get(2)?)?;
        let fails = fails.saturating_add(1);
        let next = at.whole_second().plus_seconds(wait_seconds(&rules, fails));
        query(FAIL_OPEN).bind(next.0).bind(person).bind(issuer).bind(row.try_get::<&str>(0)?).execute(&mut *conn).await?;
        let attempt: Uuid = row.try_get(3)?;
        let line = serde_json::json!({
            "at": at, "event": "closed", "person": person, "attempt": attempt, "programme": row.try_get::<&str>(0)?,
            "badge_version": row.try_get::<&str>(4)?, "started_at": row.try_get::<i64>(5)?, "closed_at": at.whole_second(),
            "next_start_at": next, "fails": fails, "outcome": null, "award": null,
        });
        owe(conn, learner.issuer, attempt, format!("closed/{attempt}"), at, &line).await?;
    }
    Ok(())
}

/// Sign-in mails belong to an address, not yet to a person: their name begins with its keyed hash.
const ERASE_SIGN_IN_MAILS: &str = "UPDATE jobs SET payload = '', last_error = NULL, done_at = COALESCE(done_at, $1) \
    WHERE kind = 'mail' AND dedup > $2 AND dedup < $3 AND issuer_id = $4";

fn hex(bytes: &TokenHash) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

const WITHDRAWN: &str = "SELECT badge_id, award_id FROM awards WHERE person_id = $1 AND issuer_id = $2 AND withdrawn_at IS NULL";
const KEEP_WAITS: &str = "INSERT INTO kept_waits (issuer_id, address_mac, programme, next_start_at, fails) \
    SELECT issuer_id, $1, programme, next_start_at, fails FROM standings WHERE person_id = $2 AND issuer_id = $3 AND next_start_at > $4 \
    ON CONFLICT (issuer_id, address_mac, programme) DO UPDATE SET next_start_at = excluded.next_start_at, fails = excluded.fails";
/// Statements of an erasure; each binds person, issuer and time, in this order, and may leave the last unused.
const ERASE: &[&str] = &[
    "DELETE FROM sign_in_links WHERE issuer_id = $2 AND address = (SELECT address FROM people WHERE person_id = $1) AND $3 = $3",
    "DELETE FROM sessions WHERE person_id = $1 AND issuer_id = $2 AND $3 = $3",
    "DELETE FROM lesson_marks WHERE person_id = $1 AND issuer_id = $2 AND $3 = $3",
    "DELETE FROM problem_reports WHERE person_id = $1 AND issuer_id = $2 AND $3 = $3",
    "DELETE FROM response_saves WHERE person_id = $1 AND issuer_id = $2 AND $3 = $3",
    "DELETE FROM responses WHERE person_id = $1 AND issuer_id = $2 AND $3 = $3",
    "UPDATE attempts SET holder_name = '', state = 'submitted', submitted_at = COALESCE(submitted_at, $3) WHERE person_id = $1 AND issuer_id = $2",
    "UPDATE credentials SET document = NULL, revoked_at = COALESCE(revoked_at, $3) WHERE person_id = $1 AND issuer_id = $2",
    "UPDATE spent_indexes SET revoked_at = COALESCE(revoked_at, $3) WHERE issuer_id = $2 AND award_id IN (SELECT award_id FROM awards WHERE person_id = $1)",
    "UPDATE credential_intents SET unsigned = '' WHERE person_id = $1 AND issuer_id = $2 AND $3 = $3",
    "UPDATE awards SET holder_name = NULL, revoked_reason = NULL, withdrawn_at = $3 WHERE person_id = $1 AND issuer_id = $2 AND withdrawn_at IS NULL",
    "UPDATE jobs SET payload = '', last_error = NULL, done_at = COALESCE(done_at, $3) WHERE person_id = $1 AND issuer_id = $2",
    "DELETE FROM standings WHERE person_id = $1 AND issuer_id = $2 AND $3 = $3",
    "UPDATE people SET address = NULL, handle = NULL, erased_at = $3 WHERE person_id = $1 AND issuer_id = $2",
];

impl Apply<Conn> for Erase {
    type Out = Vec<String>;

    async fn apply(&self, conn: &mut Conn) -> Result<Vec<String>, StoreError> {
        let (person, issuer, at) = (self.learner.person.0, self.learner.issuer.0, self.act.at.0);
        let rows = query(WITHDRAWN).bind(person).bind(issuer).fetch_all(&mut *conn).await?;
        let withdrawn = rows.iter().map(|r| r.try_get(0)).collect::<Result<Vec<String>, _>>()?;
        fail_open_attempts(conn, self.learner, self.act.at).await?;
        release_handle(conn, self.learner).await?;
        query(KEEP_WAITS).bind(&self.address_mac[..]).bind(person).bind(issuer).bind(at).execute(&mut *conn).await?;
        for &statement in ERASE {
            query(statement).bind(person).bind(issuer).bind(at).execute(&mut *conn).await?;
        }
        // The journal learns of it afterwards: a restored backup must not bring these badges back.
        for row in &rows {
            let award: Uuid = row.try_get(1)?;
            let payload = serde_json::json!({ "award": award, "person": person }).to_string();
            let dedup = format!("{award}/withdrawn");
            let job = NewJob { id: JobId(award), kind: "journal-revoked", dedup, payload, person: None, run_at: self.act.at };
            enqueue(conn, self.learner.issuer, &job).await?;
        }
        let line = serde_json::json!({ "at": self.act.at, "event": "erased", "person": person });
        owe(conn, self.learner.issuer, person, format!("erased/{person}"), self.act.at, &line).await?;
        // Everything that begins so: `0` is the character after `/`.
        let (from, to) = (format!("sign-in/{}/", hex(&self.address_mac)), format!("sign-in/{}0", hex(&self.address_mac)));
        query(ERASE_SIGN_IN_MAILS).bind(at).bind(from).bind(to).bind(issuer).execute(&mut *conn).await?;
        audit(conn, self.learner.issuer, &self.act, "erase", &person.to_string(), "by the person").await?;
        Ok(withdrawn)
    }
}

const OWN_PERSON: &str = "SELECT address, handle, created_at FROM people WHERE person_id = $1 AND issuer_id = $2";
const OWN_ANSWERS: &str = "SELECT f.attempt_id, f.position, i.question, f.options, f.first_shown_at, f.flagged, r.chosen, r.saved_at \
    FROM form_items f JOIN items i ON i.issuer_id = f.issuer_id AND i.programme = f.programme AND i.item_id = f.item_id AND i.version = f.item_version \
    JOIN attempts a ON a.person_id = f.person_id AND a.attempt_id = f.attempt_id \
    LEFT JOIN responses r ON r.person_id = f.person_id AND r.attempt_id = f.attempt_id AND r.position = f.position \
    WHERE f.person_id = $1 AND f.issuer_id = $2 AND (f.first_shown_at IS NOT NULL OR r.saved_at IS NOT NULL) ORDER BY a.started_at, f.attempt_id, f.position";
const OWN_SAVES: &str =
    "SELECT attempt_id, position, saved_at FROM response_saves WHERE person_id = $1 AND issuer_id = $2 ORDER BY saved_at";
const OWN_STANDINGS: &str = "SELECT programme, next_start_at, fails, passed_version FROM standings WHERE person_id = $1 AND issuer_id = $2";
const OWN_LESSONS: &str = "SELECT programme, lesson, done_at FROM lesson_marks WHERE person_id = $1 AND issuer_id = $2 ORDER BY done_at";
const OWN_REPORTS: &str =
    "SELECT attempt_id, position, words, reported_at FROM problem_reports WHERE person_id = $1 AND issuer_id = $2 ORDER BY reported_at";

fn moment(at: Option<i64>) -> serde_json::Value {
    at.map(|at| assay_core::UtcMillis(at).rfc3339()).into()
}

impl Apply<Conn> for OwnData {
    type Out = serde_json::Value;

    async fn apply(&self, conn: &mut Conn) -> Result<serde_json::Value, StoreError> {
        let (person, issuer) = (self.learner.person.0, self.learner.issuer.0);
        let row = query(OWN_PERSON).bind(person).bind(issuer).fetch_one(&mut *conn).await?;
        let (address, handle, created): (Option<String>, Option<String>, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let mut answers = Vec::new();
        for row in query(OWN_ANSWERS).bind(person).bind(issuer).fetch_all(&mut *conn).await? {
            answers.push(own_answer(&row)?);
        }
        let mut lessons = Vec::new();
        for row in query(OWN_LESSONS).bind(person).bind(issuer).fetch_all(&mut *conn).await? {
            let (programme, lesson, at): (String, String, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            lessons.push(serde_json::json!({ "programme": programme, "lesson": lesson, "done_at": moment(Some(at)) }));
        }
        let mut reports = Vec::new();
        for row in query(OWN_REPORTS).bind(person).bind(issuer).fetch_all(&mut *conn).await? {
            let (attempt, position, words, at): (Uuid, i64, String, i64) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
            reports.push(serde_json::json!({ "attempt": attempt, "question": position, "words": words, "at": moment(Some(at)) }));
        }
        let mut saves = Vec::new();
        for row in query(OWN_SAVES).bind(person).bind(issuer).fetch_all(&mut *conn).await? {
            let (attempt, position, at): (Uuid, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            saves.push(serde_json::json!({ "attempt": attempt, "question": position, "saved_at": moment(Some(at)) }));
        }
        let mut standings = Vec::new();
        for row in query(OWN_STANDINGS).bind(person).bind(issuer).fetch_all(&mut *conn).await? {
            let (programme, next, fails, passed): (String, i64, i64, Option<String>) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
            standings.push(serde_json::json!({ "programme": programme, "next_start_at": moment((next > 0).then_some(next)), "failed_attempts": fails, "passed_badge_version": passed }));
        }
        Ok(serde_json::json!({
            "saves": saves, "standings": standings,
            "person": { "address": address, "handle": handle, "since": moment(Some(created)) },
            "lessons": lessons, "answers": answers, "reports": reports,
        }))
    }
}

fn own_answer(row: &EngineRow) -> Result<serde_json::Value, StoreError> {
    use assay_core::form::{OptionToken, PlacedOption, show};
    let (attempt, position): (Uuid, i64) = (row.try_get(0)?, row.try_get(1)?);
    let question: assay_items::Question = from_json("question", row.try_get::<&str>(2)?)?;
    let placed: Vec<PlacedOption> = from_json("form", row.try_get::<&str>(3)?)?;
    let chosen: Vec<OptionToken> = row.try_get::<Option<&str>>(6)?.map_or(Ok(Vec::new()), |t| from_json("answer", t))?;
    let shown = show(&question, &placed);
    let words = |t: &OptionToken| shown.options.iter().find(|(token, _)| token == t).map(|(_, html)| html.as_str().to_owned());
    Ok(serde_json::json!({
        "attempt": attempt, "question": position, "first_shown_at": moment(row.try_get(4)?), "flagged": row.try_get::<i64>(5)? != 0,
        "stem": shown.stem, "chosen": chosen.iter().filter_map(words).collect::<Vec<_>>(), "saved_at": moment(row.try_get(7)?),
    }))
}

/// Every statement of this file, for the test that prepares them on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: &[&[&str]] = &[
    &[
        NEW_ISSUER,
        ISSUER,
        NEW_LINK,
        USE_LINK,
        USE_OTHERS,
        NEW_PERSON,
        PERSON_BY_ADDRESS,
        NEW_SESSION,
        TAKE_UP_WAITS,
        CLOSE_SESSION,
        SET_HANDLE,
        OWN_HANDLE,
        RELEASE_HANDLE,
        WHO_IS,
        LINK_ADDRESS,
        MARK_LESSON,
        UNMARK_LESSON,
        LESSONS_DONE,
        AUDIT,
        AUDIT_LOG,
        OPEN_ATTEMPTS,
        FAIL_OPEN,
        ERASE_SIGN_IN_MAILS,
        WITHDRAWN,
        KEEP_WAITS,
        OWN_PERSON,
        OWN_ANSWERS,
        OWN_SAVES,
        OWN_STANDINGS,
        OWN_LESSONS,
        OWN_REPORTS,
    ],
    ERASE,
];
