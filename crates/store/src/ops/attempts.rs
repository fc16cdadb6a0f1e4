//! Attempts: start, look, submit.

use assay_core::{
    UtcMillis,
    attempt::{AttemptState, StartRefused, wait_seconds},
    clock::DAY_SECONDS,
    form::{OptionToken, PlacedOption},
    ids::{AttemptId, IssuerId, Learner, PersonId},
    programme::Rules,
    score::{Marked, Outcome, outcome},
};
use assay_items::{Choice, Key, Mark, SealedKey};

use super::{
    Apply, Conn, EngineRow, Row,
    dialect::rows_of,
    jobs::enqueue,
    keep::owe,
    people::audit,
    programmes::programme_version,
    query,
    rows::{from_json, json, small},
};
use crate::{
    StoreError,
    commands::{GrantTime, NewJob, NoteShown, Shown, StartAttempt, Submit, Submitted},
    queries::{Attempt, AttemptAlone, AttemptOf, AttemptsOf, DrawnFrom, Overdue, QuestionState, Standing, StandingOf, WhoseAttempt},
};

const MAKE_STANDING: &str = "INSERT INTO standings (person_id, issuer_id, programme, next_start_at, fails) VALUES ($1, $2, $3, 0, 0) ON CONFLICT (person_id, programme) DO NOTHING";
// The start's compare-and-set: whoever loses a race finds the condition false in this very statement. It writes the row it
// compares, so that two starts at once meet there on any engine.
const CLAIM_START: &str = "UPDATE standings SET next_start_at = standings.next_start_at WHERE person_id = $1 AND issuer_id = $2 AND programme = $3 \
    AND next_start_at <= $4 AND (passed_version IS NULL OR passed_version <> $5) \
    AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.person_id = $1 AND a.programme = $3 AND a.state = 'open') \
    AND ($6 < 0 OR (SELECT COUNT(*) FROM attempts a WHERE a.person_id = $1 AND a.issuer_id = $2 AND a.programme = $3 AND a.started_at > $7) \
    + (SELECT COUNT(*) FROM lost_attempts l WHERE l.person_id = $1 AND l.issuer_id = $2 AND l.programme = $3 AND l.started_at > $7) < $6)";
// The partial unique index decides even where two such updates could both see no open attempt.
const NEW_ATTEMPT: &str = "INSERT INTO attempts (person_id, attempt_id, issuer_id, programme, programme_version, pool_version, badge_version, rules, draw, holder_name, state, started_at, deadline) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'open', $11, $12) ON CONFLICT DO NOTHING";
// The whole form at once: n its position, i the item, d its domain, o its options, s how often it was shown before. SQLite joins in the order
// of a CROSS JOIN: the other way round, it would read the list again for every item of the pool.
const NEW_FORM: &str = concat!(
    "INSERT INTO form_items (person_id, attempt_id, position, issuer_id, programme, item_id, item_version, domain, options, shown_before) \
     SELECT $1, $2, CAST(f.value ->> 'n' AS BIGINT), $3, $4, p.item_id, p.item_version, f.value ->> 'd', f.value ->> 'o', CAST(f.value ->> 's' AS BIGINT) FROM ",
    rows_of!("$6"),
    " f CROSS JOIN pool_items p WHERE p.issuer_id = $3 AND p.programme = $4 AND p.pool_version = $5 AND p.item_id = f.value ->> 'i'"
);

/// One item of a form, as `NEW_FORM` reads it.
#[derive(serde::Serialize)]
struct FormRow<'a> {
    n: i64,
    i: &'a str,
    d: &'a str,
    o: String,
    s: i64,
}

fn year_before(at: UtcMillis) -> UtcMillis {
    at.plus_seconds(-365 * DAY_SECONDS)
}

impl Apply<Conn> for StartAttempt {
    type Out = Result<(), StartRefused>;

    async fn apply(&self, conn: &mut Conn) -> Result<Self::Out, StoreError> {
        let (person, issuer) = (self.learner.person.0, self.learner.issuer.0);
        query(MAKE_STANDING).bind(person).bind(issuer).bind(&self.programme).execute(&mut *conn).await?;
        let claim = query(CLAIM_START).bind(person).bind(issuer).bind(&self.programme).bind(self.at.0).bind(&self.badge_version);
        let claim = claim.bind(self.tries_a_year.map_or(-1, i64::from)).bind(year_before(self.at).0);
        if claim.execute(&mut *conn).await?.rows_affected() == 0 {
            return refusal(self, conn).await.map(Err);
        }
        let deadline = self.rules.time_limit_seconds.map(|s| self.at.plus_seconds(s).0);
        let new = query(NEW_ATTEMPT).bind(person).bind(self.attempt.0).bind(issuer).bind(&self.programme).bind(&self.programme_version);
        let new = new
            .bind(&self.pool_version)
            .bind(&self.badge_version)
            .bind(json(&self.rules)?)
            .bind(json(&self.drawn_from)?)
            .bind(&self.holder_name)
            .bind(self.at.0)
            .bind(deadline);
        if new.execute(&mut *conn).await?.rows_affected() == 0 {
            return refusal(self, conn).await.map(Err);
        }
        let mut form = Vec::with_capacity(self.form.len());
        for (item, n) in self.form.iter().zip(1..) {
            form.push(FormRow { n, i: &item.item.0, d: &item.domain, o: json(&item.options)?, s: item.shown_before });
        }
        let rows = query(NEW_FORM).bind(person).bind(self.attempt.0).bind(issuer).bind(&self.programme).bind(&self.pool_version);
        if rows.bind(json(&form)?).execute(&mut *conn).await?.rows_affected() != form.len() as u64 {
            let reason = format!("an item of this form is not in pool {}", self.pool_version);
            return Err(StoreError::Unreadable { what: "pool", reason });
        }
        enqueue(conn, self.learner.issuer, &self.fold).await?;
        Ok(Ok(()))
    }
}

async fn refusal(start: &StartAttempt, conn: &mut Conn) -> Result<StartRefused, StoreError> {
    let standing = standing_of(conn, start.learner, &start.programme, start.at).await?;
    Ok(match standing {
        Standing { open: Some(attempt), .. } => StartRefused::AlreadyOpen { attempt },
        Standing { passed_version: Some(v), .. } if v == start.badge_version => StartRefused::AlreadyPassed,
        Standing { next_start_at: Some(until), .. } => StartRefused::Waiting { until },
        Standing { oldest_start_this_year: oldest, .. } => {
            StartRefused::TriesUsed { until: oldest.unwrap_or(start.at).plus_seconds(365 * DAY_SECONDS) }
        }
    })
}

const STANDING: &str =
    "SELECT next_start_at, fails, passed_version FROM standings WHERE person_id = $1 AND issuer_id = $2 AND programme = $3";
const OPEN: &str = "SELECT attempt_id FROM attempts WHERE person_id = $1 AND issuer_id = $2 AND programme = $3 AND state = 'open'";
const STARTS: &str =
    "SELECT COUNT(*), MIN(started_at) FROM attempts WHERE person_id = $1 AND issuer_id = $2 AND programme = $3 AND started_at > $4";
const LOST_STARTS: &str =
    "SELECT COUNT(*), MIN(started_at) FROM lost_attempts WHERE person_id = $1 AND issuer_id = $2 AND programme = $3 AND started_at > $4";

async fn standing_of(conn: &mut Conn, learner: Learner, programme: &str, at: UtcMillis) -> Result<Standing, StoreError> {
    let (person, issuer) = (learner.person.0, learner.issuer.0);
    let mut standing = Standing::default();
    if let Some(row) = query(STANDING).bind(person).bind(issuer).bind(programme).fetch_optional(&mut *conn).await? {
        let next = UtcMillis(row.try_get(0)?);
        standing.next_start_at = (next > at).then_some(next);
        standing.fails = small("fails", row.try_get(1)?)?;
        standing.passed_version = row.try_get(2)?;
    }
    let open = query(OPEN).bind(person).bind(issuer).bind(programme).fetch_optional(&mut *conn).await?;
    standing.open = open.map(|r| r.try_get(0).map(AttemptId)).transpose()?;
    let mut starts = 0;
    for statement in [STARTS, LOST_STARTS] {
        let row = query(statement).bind(person).bind(issuer).bind(programme).bind(year_before(at).0).fetch_one(&mut *conn).await?;
        starts += row.try_get::<i64>(0)?;
        let oldest = row.try_get::<Option<i64>>(1)?.map(UtcMillis);
        standing.oldest_start_this_year = [standing.oldest_start_this_year, oldest].into_iter().flatten().min();
    }
    standing.starts_this_year = small("starts", starts)?;
    Ok(standing)
}

impl Apply<Conn> for StandingOf {
    type Out = Standing;

    async fn apply(&self, conn: &mut Conn) -> Result<Standing, StoreError> {
        standing_of(conn, self.learner, &self.programme, self.at).await
    }
}

const ATTEMPT: &str = "SELECT attempt_id, programme, programme_version, state, rules, holder_name, started_at, deadline, submitted_at, outcome, retake_at \
    FROM attempts WHERE person_id = $1 AND issuer_id = $2 AND attempt_id = $3";
const ATTEMPTS: &str = "SELECT attempt_id, programme, programme_version, state, rules, holder_name, started_at, deadline, submitted_at, outcome, retake_at \
    FROM attempts WHERE person_id = $1 AND issuer_id = $2 ORDER BY started_at DESC";
const QUESTIONS: &str = "SELECT f.position, f.flagged, r.chosen, i.question FROM form_items f \
    JOIN items i ON i.issuer_id = f.issuer_id AND i.programme = f.programme AND i.item_id = f.item_id AND i.version = f.item_version \
    LEFT JOIN responses r ON r.person_id = f.person_id AND r.attempt_id = f.attempt_id AND r.position = f.position \
    WHERE f.person_id = $1 AND f.issuer_id = $2 AND f.attempt_id = $3 ORDER BY f.position";

/// Open or submitted, from its column.
pub(super) fn state(text: &str) -> AttemptState {
    if text == "open" { AttemptState::Open } else { AttemptState::Submitted }
}

fn attempt(row: &EngineRow) -> Result<Attempt, StoreError> {
    let moment = |index: usize| row.try_get::<Option<i64>>(index).map(|at| at.map(UtcMillis));
    let result: Option<String> = row.try_get(9)?;
    Ok(Attempt {
        id: AttemptId(row.try_get(0)?),
        programme: row.try_get(1)?,
        programme_version: row.try_get(2)?,
        state: state(row.try_get(3)?),
        rules: from_json("rules", row.try_get::<&str>(4)?)?,
        holder_name: row.try_get(5)?,
        started_at: UtcMillis(row.try_get(6)?),
        deadline: moment(7)?,
        submitted_at: moment(8)?,
        outcome: result.map(|text| from_json("outcome", &text)).transpose()?,
        retake_at: moment(10)?,
        questions: Vec::new(),
    })
}

/// The part of a question that says how many options are asked for.
#[derive(serde::Deserialize)]
pub(super) struct Asked {
    pub(super) choice: Choice,
}

fn question_state(row: &EngineRow) -> Result<QuestionState, StoreError> {
    let chosen: Vec<OptionToken> = row.try_get::<Option<&str>>(2)?.map_or(Ok(Vec::new()), |t| from_json("answer", t))?;
    let Asked { choice } = from_json("question", row.try_get::<&str>(3)?)?;
    Ok(QuestionState {
        position: small("position", row.try_get(0)?)?,
        chosen: chosen.len(),
        asked: match choice {
            Choice::One => 1,
            Choice::Many(count) => usize::from(count),
        },
        flagged: row.try_get::<i64>(1)? != 0,
    })
}

impl Apply<Conn> for AttemptOf {
    type Out = Option<Attempt>;

    async fn apply(&self, conn: &mut Conn) -> Result<Option<Attempt>, StoreError> {
        let (person, issuer, id) = (self.learner.person.0, self.learner.issuer.0, self.attempt.0);
        let row = query(ATTEMPT).bind(person).bind(issuer).bind(id).fetch_optional(&mut *conn).await?;
        let Some(row) = row else { return Ok(None) };
        let mut attempt = attempt(&row)?;
        for row in query(QUESTIONS).bind(person).bind(issuer).bind(id).fetch_all(conn).await? {
            attempt.questions.push(question_state(&row)?);
        }
        Ok(Some(attempt))
    }
}

impl Apply<Conn> for AttemptAlone {
    type Out = Option<Attempt>;

    async fn apply(&self, conn: &mut Conn) -> Result<Option<Attempt>, StoreError> {
        let row = query(ATTEMPT).bind(self.learner.person.0).bind(self.learner.issuer.0).bind(self.attempt.0).fetch_optional(conn).await?;
        row.as_ref().map(attempt).transpose()
    }
}

impl Apply<Conn> for AttemptsOf {
    type Out = Vec<Attempt>;

    async fn apply(&self, conn: &mut Conn) -> Result<Vec<Attempt>, StoreError> {
        let rows = query(ATTEMPTS).bind(self.learner.person.0).bind(self.learner.issuer.0).fetch_all(conn).await?;
        rows.iter().map(attempt).collect()
    }
}

const NOTE_SHOWN: &str = "UPDATE form_items SET first_shown_at = $1 WHERE person_id = $2 AND attempt_id = $3 AND position = $4 AND issuer_id = $5 AND first_shown_at IS NULL";

impl Apply<Conn> for NoteShown {
    type Out = ();

    async fn apply(&self, conn: &mut Conn) -> Result<(), StoreError> {
        for Shown { learner, attempt, position, at } in &self.shown {
            let query = query(NOTE_SHOWN).bind(at.0).bind(learner.person.0).bind(attempt.0).bind(i64::from(*position));
            query.bind(learner.issuer.0).execute(&mut *conn).await?;
        }
        Ok(())
    }
}

// Compare-and-set: of two submits at once, one closes the attempt.
const CLOSE: &str = "UPDATE attempts SET state = 'submitted', submitted_at = $1 WHERE person_id = $2 AND issuer_id = $3 AND attempt_id = $4 AND state = 'open' \
    RETURNING programme, programme_version, badge_version, rules, holder_name, deadline, started_at";
const MARKS: &str = "SELECT f.domain, f.options, i.answer_key, r.chosen FROM form_items f \
    JOIN items i ON i.issuer_id = f.issuer_id AND i.programme = f.programme AND i.item_id = f.item_id AND i.version = f.item_version \
    LEFT JOIN responses r ON r.person_id = f.person_id AND r.attempt_id = f.attempt_id AND r.position = f.position \
    WHERE f.person_id = $1 AND f.issuer_id = $2 AND f.attempt_id = $3 ORDER BY f.position";
const RESULT: &str = "UPDATE attempts SET outcome = $1, retake_at = $2 WHERE person_id = $3 AND issuer_id = $4 AND attempt_id = $5";
const FAILED: &str = "UPDATE standings SET next_start_at = $1, fails = $2 WHERE person_id = $3 AND issuer_id = $4 AND programme = $5";
const FAILS: &str = "SELECT fails FROM standings WHERE person_id = $1 AND issuer_id = $2 AND programme = $3";
const PASSED: &str =
    "UPDATE standings SET passed_version = $1, next_start_at = 0, fails = 0 WHERE person_id = $2 AND issuer_id = $3 AND programme = $4";
const NEW_AWARD: &str = "INSERT INTO awards (person_id, award_id, issuer_id, programme, badge_version, attempt_id, badge_id, holder_name, visibility, awarded_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'only_me', $9) ON CONFLICT (person_id, programme, badge_version) DO NOTHING";
const STANDING_OUTCOME: &str = "SELECT outcome FROM attempts WHERE person_id = $1 AND issuer_id = $2 AND attempt_id = $3";

impl Apply<Conn> for Submit {
    type Out = Option<Submitted>;

    async fn apply(&self, conn: &mut Conn) -> Result<Self::Out, StoreError> {
        let (person, issuer, id) = (self.learner.person.0, self.learner.issuer.0, self.attempt.0);
        // Hand-ins are timed in whole seconds, so that the next try opens exactly when pages and mails say.
        let handed_in = self.at.whole_second();
        let closed = query(CLOSE).bind(handed_in.0).bind(person).bind(issuer).bind(id).fetch_optional(&mut *conn).await?;
        let Some(closed) = closed else {
            let row = query(STANDING_OUTCOME).bind(person).bind(issuer).bind(id).fetch_optional(conn).await?;
            let text = row.map(|r| r.try_get::<Option<String>>(0)).transpose()?.flatten();
            let outcome = text.map(|t| from_json("outcome", &t)).transpose()?;
            return Ok(outcome.map(|outcome| Submitted { outcome, by_this_call: false }));
        };
        fail_point!("submit::closed", |_| Err(StoreError::Busy));
        let (programme, version): (String, String) = (closed.try_get(0)?, closed.try_get(1)?);
        let rules: Rules = from_json("rules", closed.try_get::<&str>(3)?)?;
        // Time that ran out ends the attempt at its deadline, whenever that is noticed.
        let ended = closed.try_get::<Option<i64>>(5)?.map_or(handed_in, |deadline| handed_in.min(UtcMillis(deadline)));
        let content = programme_version(conn, issuer, &programme, &version).await?;
        let domains = content.as_ref().map_or(&[][..], |p| &p.domains);
        let result = outcome(&rules, domains, &marks(self, conn).await?);
        let (retake_at, fails) = stand(self, conn, &programme, closed.try_get(2)?, &rules, &result, ended).await?;
        let write = query(RESULT).bind(json(&result)?).bind(retake_at.map(|at| at.0)).bind(person).bind(issuer).bind(id);
        write.execute(&mut *conn).await?;
        let earned = result.passed && award(self, conn, &programme, closed.try_get(2)?, closed.try_get(4)?).await?;
        let line = serde_json::json!({
            "at": self.at, "event": "closed", "person": self.learner.person, "attempt": self.attempt, "programme": programme,
            "badge_version": closed.try_get::<&str>(2)?, "started_at": closed.try_get::<i64>(6)?, "closed_at": handed_in,
            "next_start_at": retake_at, "fails": fails, "outcome": result, "award": earned.then_some(self.award),
        });
        owe(conn, self.learner.issuer, id, format!("closed/{}", self.attempt), self.at, &line).await?;
        let payload = serde_json::json!({ "programme": programme, "passed": result.passed }).to_string();
        queue(self, conn, "fold-figures", 2, payload, None).await?;
        fail_point!("submit::decided", |_| Err(StoreError::Busy));
        Ok(Some(Submitted { outcome: result, by_this_call: true }))
    }
}

async fn marks(submit: &Submit, conn: &mut Conn) -> Result<Vec<Marked>, StoreError> {
    let query = query(MARKS).bind(submit.learner.person.0).bind(submit.learner.issuer.0).bind(submit.attempt.0);
    let mut marks = Vec::new();
    for row in query.fetch_all(conn).await? {
        let placed: Vec<PlacedOption> = from_json("form", row.try_get::<&str>(1)?)?;
        let key = Key::unseal(&SealedKey(row.try_get(2)?)).map_err(|e| StoreError::Unreadable { what: "key", reason: e.to_string() })?;
        let chosen: Vec<OptionToken> = row.try_get::<Option<&str>>(3)?.map_or(Ok(Vec::new()), |t| from_json("answer", t))?;
        let authored = placed.iter().filter(|p| chosen.contains(&p.token)).map(|p| p.authored).collect();
        marks.push(Marked { domain: row.try_get(0)?, right: key.score(&authored) == Mark::Right });
    }
    Ok(marks)
}

/// What the result means for the next start. Answers when that is, after a fail, and how many fails there are.
async fn stand(
    submit: &Submit,
    conn: &mut Conn,
    programme: &str,
    badge_version: &str,
    rules: &Rules,
    result: &Outcome,
    ended: UtcMillis,
) -> Result<(Option<UtcMillis>, u32), StoreError> {
    let (person, issuer) = (submit.learner.person.0, submit.learner.issuer.0);
    if result.passed {
        query(PASSED).bind(badge_version).bind(person).bind(issuer).bind(programme).execute(conn).await?;
        return Ok((None, 0));
    }
    let row = query(FAILS).bind(person).bind(issuer).bind(programme).fetch_one(&mut *conn).await?;
    let fails = small::<u32>("fails", row.try_get(0)?)?.saturating_add(1);
    let next = ended.plus_seconds(wait_seconds(rules, fails));
    query(FAILED).bind(next.0).bind(i64::from(fails)).bind(person).bind(issuer).bind(programme).execute(&mut *conn).await?;
    tell(submit, conn, "result-mail", 1).await?;
    Ok((Some(next), fails))
}

/// Makes the award, and answers whether there was none before.
async fn award(submit: &Submit, conn: &mut Conn, programme: &str, badge_version: &str, name: &str) -> Result<bool, StoreError> {
    let (person, issuer) = (submit.learner.person.0, submit.learner.issuer.0);
    let new = query(NEW_AWARD).bind(person).bind(submit.award.0).bind(issuer).bind(programme).bind(badge_version);
    let new = new.bind(submit.attempt.0).bind(submit.badge_id.as_str()).bind(name).bind(submit.at.0).execute(&mut *conn).await?;
    if new.rows_affected() == 0 {
        return Ok(false);
    }
    tell(submit, conn, "issue", 0).await?;
    Ok(true)
}

async fn tell(submit: &Submit, conn: &mut Conn, kind: &'static str, job: usize) -> Result<(), StoreError> {
    let payload = serde_json::json!({ "award": submit.award, "person": submit.learner.person, "attempt": submit.attempt }).to_string();
    queue(submit, conn, kind, job, payload, Some(submit.learner.person)).await
}

async fn queue(
    submit: &Submit,
    conn: &mut Conn,
    kind: &'static str,
    job: usize,
    payload: String,
    person: Option<PersonId>,
) -> Result<(), StoreError> {
    let dedup = if kind == "issue" { format!("{}/1", submit.award) } else { submit.attempt.to_string() };
    let job = NewJob { id: submit.jobs[job], kind, dedup, payload, person, run_at: submit.at };
    enqueue(conn, submit.learner.issuer, &job).await
}

const GRANT: &str =
    "UPDATE attempts SET deadline = deadline + $1 WHERE person_id = $2 AND issuer_id = $3 AND attempt_id = $4 AND state = 'open'";

impl Apply<Conn> for GrantTime {
    type Out = bool;

    async fn apply(&self, conn: &mut Conn) -> Result<bool, StoreError> {
        let (person, issuer) = (self.learner.person.0, self.learner.issuer);
        let done =
            query(GRANT).bind(self.extra_seconds * 1000).bind(person).bind(issuer.0).bind(self.attempt.0).execute(&mut *conn).await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        audit(conn, issuer, &self.act, "grant-time", &self.attempt.to_string(), &format!("{} s", self.extra_seconds)).await?;
        Ok(true)
    }
}

const WHOSE: &str = "SELECT person_id FROM attempts WHERE attempt_id = $1 AND issuer_id = $2";

impl Apply<Conn> for WhoseAttempt {
    type Out = Option<Learner>;

    async fn apply(&self, conn: &mut Conn) -> Result<Option<Learner>, StoreError> {
        let row = query(WHOSE).bind(self.attempt.0).bind(self.issuer.0).fetch_optional(conn).await?;
        row.map(|r| Ok(Learner { issuer: self.issuer, person: PersonId(r.try_get(0)?) })).transpose()
    }
}

const DRAWN_FROM: &str = "SELECT draw FROM attempts WHERE person_id = $1 AND issuer_id = $2 AND attempt_id = $3";

impl Apply<Conn> for DrawnFrom {
    type Out = Option<Vec<(i64, bool)>>;

    async fn apply(&self, conn: &mut Conn) -> Result<Self::Out, StoreError> {
        let query = query(DRAWN_FROM).bind(self.learner.person.0).bind(self.learner.issuer.0).bind(self.attempt.0);
        let row = query.fetch_optional(conn).await?;
        row.map(|r| from_json("draw", r.try_get::<&str>(0)?)).transpose()
    }
}

const OVERDUE: &str = "SELECT issuer_id, person_id, attempt_id, deadline FROM attempts WHERE state = 'open' AND deadline IS NOT NULL AND deadline <= $1 ORDER BY deadline LIMIT 200";

impl Apply<Conn> for Overdue {
    type Out = Vec<(Learner, AttemptId, UtcMillis)>;

    async fn apply(&self, conn: &mut Conn) -> Result<Self::Out, StoreError> {
        let mut all = Vec::new();
        for row in query(OVERDUE).bind(self.at.0).fetch_all(conn).await? {
            let learner = Learner { issuer: IssuerId(row.try_get(0)?), person: PersonId(row.try_get(1)?) };
            all.push((learner, AttemptId(row.try_get(2)?), UtcMillis(row.try_get(3)?)));
        }
        Ok(all)
    }
}

/// Every statement of this file, for the test that prepares them on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: &[&[&str]] = &[&[
    MAKE_STANDING,
    CLAIM_START,
    NEW_ATTEMPT,
    NEW_FORM,
    STANDING,
    OPEN,
    STARTS,
    LOST_STARTS,
    ATTEMPT,
    ATTEMPTS,
    QUESTIONS,
    NOTE_SHOWN,
    CLOSE,
    MARKS,
    RESULT,
    FAILED,
    FAILS,
    PASSED,
    NEW_AWARD,
    STANDING_OUTCOME,
    GRANT,
    WHOSE,
    DRAWN_FROM,
    OVERDUE,
]];
