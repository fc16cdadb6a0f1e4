//! What operators and the program itself ask: is the database well, what waits, what time has it been.

use assay_core::UtcMillis;

use super::{Apply, Conn, Row, query};
use crate::{
    StoreError,
    commands::{BringForward, ProveDurable},
    queries::{IsThere, JobsOfKind, NewestTime, WaitingJobs},
};

const ANSWERS: &str = "SELECT 1 FROM issuers WHERE issuer_id = $1";

impl Apply<Conn> for IsThere {
    type Out = bool;

    async fn apply(&self, conn: &mut Conn) -> Result<bool, StoreError> {
        Ok(query(ANSWERS).bind(self.issuer.0).fetch_optional(conn).await?.is_some())
    }
}

// The issuer's own id stands in for a person's: nobody has it.
const PROVE: &str = "INSERT INTO released_handles (issuer_id, handle_hash, person_id) VALUES ($1, $2, $1)";
const PROVED: &str = "DELETE FROM released_handles WHERE issuer_id = $1 AND handle_hash = $2";

impl Apply<Conn> for ProveDurable {
    type Out = ();

    async fn apply(&self, conn: &mut Conn) -> Result<(), StoreError> {
        for statement in [PROVE, PROVED] {
            query(statement).bind(self.issuer.0).bind(self.mark.as_slice()).execute(&mut *conn).await?;
        }
        Ok(())
    }
}

// Grouped by an expression, so that no planner walks all jobs, done ones too, in the order of their kind.
const WAITING: &str =
    "SELECT kind || '', COUNT(*), COUNT(last_error), MIN(run_at) FROM jobs WHERE done_at IS NULL AND run_at >= 0 GROUP BY kind || ''";

impl Apply<Conn> for WaitingJobs {
    type Out = Vec<JobsOfKind>;

    async fn apply(&self, conn: &mut Conn) -> Result<Vec<JobsOfKind>, StoreError> {
        let mut all = Vec::new();
        for row in query(WAITING).fetch_all(conn).await? {
            let (kind, open, troubled) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            all.push(JobsOfKind { kind, open, troubled, oldest: UtcMillis(row.try_get(3)?) });
        }
        Ok(all)
    }
}

const NEWEST_INTENT: &str = "SELECT MAX(intended_at) FROM credential_intents WHERE issuer_id = $1";
const NEWEST_ACT: &str = "SELECT MAX(at) FROM audit_log WHERE issuer_id = $1";

impl Apply<Conn> for NewestTime {
    type Out = Option<UtcMillis>;

    async fn apply(&self, conn: &mut Conn) -> Result<Option<UtcMillis>, StoreError> {
        let mut newest = None;
        for statement in [NEWEST_INTENT, NEWEST_ACT] {
            let row = query(statement).bind(self.issuer.0).fetch_one(&mut *conn).await?;
            newest = newest.max(row.try_get::<Option<i64>>(0)?);
        }
        Ok(newest.map(UtcMillis))
    }
}

const FORWARD: &str = "UPDATE jobs SET run_at = $1, leased_until = NULL WHERE done_at IS NULL AND (run_at > $2 OR leased_until > $2)";

impl Apply<Conn> for BringForward {
    type Out = u64;

    async fn apply(&self, conn: &mut Conn) -> Result<u64, StoreError> {
        let done = query(FORWARD).bind(self.at.0).bind(self.later_than.0).execute(conn).await?;
        Ok(done.rows_affected())
    }
}

/// Every statement of this file, for the test that prepares them on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: &[&[&str]] = &[&[ANSWERS, PROVE, PROVED, WAITING, NEWEST_INTENT, NEWEST_ACT, FORWARD]];
