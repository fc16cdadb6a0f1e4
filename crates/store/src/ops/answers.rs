//! One question: how its learner sees it, and what a save does.

use assay_core::{
    UtcMillis,
    attempt::{SaveVerdict, Saved, StandingAnswer, judge_save},
    form::{OptionToken, PlacedOption, show},
};
use assay_items::{Choice, Question};

use super::{
    Apply, Conn, Row,
    attempts::{Asked, state},
    query,
    rows::{from_json, json, small},
};
use crate::{
    StoreError,
    commands::{ReportProblem, SaveAnswer, SetFlag},
    queries::{QuestionOf, QuestionRow},
};

const QUESTION: &str = "SELECT i.question, f.options, r.chosen, r.revision, r.saved_at, f.flagged, f.first_shown_at, a.state, a.deadline, a.programme, a.programme_version, \
    (SELECT COUNT(*) FROM form_items n WHERE n.person_id = f.person_id AND n.attempt_id = f.attempt_id) \
    FROM form_items f JOIN attempts a ON a.person_id = f.person_id AND a.attempt_id = f.attempt_id \
    JOIN items i ON i.issuer_id = f.issuer_id AND i.programme = f.programme AND i.item_id = f.item_id AND i.version = f.item_version \
    LEFT JOIN responses r ON r.person_id = f.person_id AND r.attempt_id = f.attempt_id AND r.position = f.position \
    WHERE f.person_id = $1 AND f.issuer_id = $2 AND f.attempt_id = $3 AND f.position = $4";

impl Apply<Conn> for QuestionOf {
    type Out = Option<QuestionRow>;

    async fn apply(&self, conn: &mut Conn) -> Result<Self::Out, StoreError> {
        let query =
            query(QUESTION).bind(self.learner.person.0).bind(self.learner.issuer.0).bind(self.attempt.0).bind(i64::from(self.position));
        let Some(row) = query.fetch_optional(conn).await? else { return Ok(None) };
        let question: Question = from_json("question", row.try_get::<&str>(0)?)?;
        let placed: Vec<PlacedOption> = from_json("form", row.try_get::<&str>(1)?)?;
        let chosen: Option<String> = row.try_get(2)?;
        Ok(Some(QuestionRow {
            shown: show(&question, &placed),
            chosen: chosen.map_or(Ok(Vec::new()), |t| from_json("answer", &t))?,
            revision: row.try_get::<Option<i64>>(3)?.unwrap_or(0),
            saved_at: row.try_get::<Option<i64>>(4)?.map(UtcMillis),
            flagged: row.try_get::<i64>(5)? != 0,
            shown_before: row.try_get::<Option<i64>>(6)?.is_some(),
            state: state(row.try_get(7)?),
            deadline: row.try_get::<Option<i64>>(8)?.map(UtcMillis),
            programme: row.try_get(9)?,
            programme_version: row.try_get(10)?,
            of: small("form size", row.try_get(11)?)?,
        }))
    }
}

const PLACED: &str = "SELECT f.options, i.question FROM form_items f \
    JOIN items i ON i.issuer_id = f.issuer_id AND i.programme = f.programme AND i.item_id = f.item_id AND i.version = f.item_version \
    WHERE f.person_id = $1 AND f.issuer_id = $2 AND f.attempt_id = $3 AND f.position = $4";
// One statement decides: the attempt is open and in time, and the save is based on what stands or comes later from the same
// device. It says in SQL what `judge_save` says in Rust; a property test holds the two together.
const SAVE: &str = "INSERT INTO responses (person_id, attempt_id, position, issuer_id, chosen, revision, device, counter, saved_at) \
    SELECT a.person_id, a.attempt_id, $4, a.issuer_id, $5, 1, $6, $7, $8 FROM attempts a \
    WHERE a.person_id = $1 AND a.issuer_id = $2 AND a.attempt_id = $3 AND a.state = 'open' AND (a.deadline IS NULL OR a.deadline > $8) \
    ON CONFLICT (person_id, attempt_id, position) DO UPDATE SET chosen = excluded.chosen, revision = responses.revision + 1, \
    device = excluded.device, counter = excluded.counter, saved_at = excluded.saved_at \
    WHERE (responses.device = excluded.device AND responses.counter < excluded.counter) \
    OR (responses.device <> excluded.device AND responses.revision = $9) RETURNING revision";
const LOG_SAVE: &str =
    "INSERT INTO response_saves (person_id, attempt_id, position, revision, issuer_id, saved_at) VALUES ($1, $2, $3, $4, $5, $6)";
const STANDS: &str = "SELECT r.revision, r.device, r.counter, r.saved_at, r.chosen, a.state, a.deadline FROM attempts a \
    LEFT JOIN responses r ON r.person_id = a.person_id AND r.attempt_id = a.attempt_id AND r.position = $4 \
    WHERE a.person_id = $1 AND a.issuer_id = $2 AND a.attempt_id = $3";

impl Apply<Conn> for SaveAnswer {
    type Out = Option<Saved>;

    async fn apply(&self, conn: &mut Conn) -> Result<Option<Saved>, StoreError> {
        let (person, issuer, id, position) = (self.learner.person.0, self.learner.issuer.0, self.attempt.0, i64::from(self.position));
        let placed = query(PLACED).bind(person).bind(issuer).bind(id).bind(position).fetch_optional(&mut *conn).await?;
        let Some(placed) = placed else { return Ok(None) };
        if !is_sound(self, placed.try_get(0)?, placed.try_get(1)?)? {
            return Ok(None);
        }
        let save = query(SAVE).bind(person).bind(issuer).bind(id).bind(position).bind(json(&self.save.chosen)?);
        let save = save.bind(&self.save.device).bind(self.save.counter).bind(self.at.0).bind(self.save.base_revision);
        if let Some(row) = save.fetch_optional(&mut *conn).await? {
            let revision: i64 = row.try_get(0)?;
            let log = query(LOG_SAVE).bind(person).bind(id).bind(position).bind(revision).bind(issuer).bind(self.at.0);
            log.execute(&mut *conn).await?;
            return Ok(Some(Saved::Stands { revision, at: self.at }));
        }
        let row = query(STANDS).bind(person).bind(issuer).bind(id).bind(position).fetch_optional(conn).await?;
        let Some(row) = row else { return Ok(None) };
        let in_time = row.try_get::<Option<i64>>(6)?.is_none_or(|deadline| deadline > self.at.0);
        let is_open = row.try_get::<&str>(5)? == "open";
        let Some(revision) = row.try_get::<Option<i64>>(0)?.filter(|_| in_time && is_open) else {
            return Ok(Some(Saved::Closed));
        };
        let at = UtcMillis(row.try_get(3)?);
        let chosen: Vec<OptionToken> = from_json("answer", row.try_get::<&str>(4)?)?;
        let standing = StandingAnswer { revision, device: row.try_get(1)?, counter: row.try_get(2)?, chosen: &chosen };
        Ok(Some(match judge_save(&self.save, Some(standing)) {
            SaveVerdict::Repeat => Saved::Stands { revision, at },
            SaveVerdict::Take | SaveVerdict::Conflict => Saved::NewerExists { revision, chosen, at },
        }))
    }
}

/// Whether every chosen token belongs to this question, none twice, and not more than may be chosen.
fn is_sound(save: &SaveAnswer, placed: &str, question: &str) -> Result<bool, StoreError> {
    let placed: Vec<PlacedOption> = from_json("form", placed)?;
    let Asked { choice } = from_json("question", question)?;
    let most = match choice {
        Choice::One => 1,
        Choice::Many(_) => placed.len(),
    };
    let known = |token: &OptionToken| placed.iter().any(|p| p.token == *token);
    let distinct: std::collections::HashSet<_> = save.save.chosen.iter().collect();
    Ok(save.save.chosen.len() <= most && distinct.len() == save.save.chosen.len() && save.save.chosen.iter().all(known))
}

const SET_FLAG: &str = "UPDATE form_items SET flagged = $1 WHERE person_id = $2 AND attempt_id = $3 AND position = $4 AND issuer_id = $5 \
    AND EXISTS (SELECT 1 FROM attempts a WHERE a.person_id = $2 AND a.attempt_id = $3 AND a.state = 'open')";

impl Apply<Conn> for SetFlag {
    type Out = bool;

    async fn apply(&self, conn: &mut Conn) -> Result<bool, StoreError> {
        let query = query(SET_FLAG).bind(i64::from(self.flagged)).bind(self.learner.person.0).bind(self.attempt.0);
        let done = query.bind(i64::from(self.position)).bind(self.learner.issuer.0).execute(conn).await?;
        Ok(done.rows_affected() > 0)
    }
}

const REPORT: &str = "INSERT INTO problem_reports (person_id, report_id, issuer_id, attempt_id, position, programme, item_id, item_version, words, reported_at) \
    SELECT person_id, $1, issuer_id, attempt_id, position, programme, item_id, item_version, $2, $3 FROM form_items \
    WHERE person_id = $4 AND attempt_id = $5 AND position = $6 AND issuer_id = $7";

impl Apply<Conn> for ReportProblem {
    type Out = bool;

    async fn apply(&self, conn: &mut Conn) -> Result<bool, StoreError> {
        let query = query(REPORT).bind(self.report.0).bind(&self.words).bind(self.at.0).bind(self.learner.person.0);
        let done = query.bind(self.attempt.0).bind(i64::from(self.position)).bind(self.learner.issuer.0).execute(conn).await?;
        Ok(done.rows_affected() > 0)
    }
}

/// Every statement of this file, for the test that prepares them on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: &[&[&str]] = &[&[QUESTION, PLACED, SAVE, LOG_SAVE, STANDS, SET_FLAG, REPORT]];
