//! The outbox: jobs are written in the transaction that decided on them, leased, and finished.

use assay_core::{
    clock::DAY_SECONDS,
    ids::{IssuerId, JobId},
};

use super::{Apply, Conn, Row, dialect::skip_locked, query, rows::small};
use crate::{
    StoreError,
    commands::{
        Enqueue, FinishJob, FoldExposure, FoldFigures, Forgettable, Lane, LeaseJobs, LeasedJob, NewJob, Prune, ReleaseLeases, RetryJob,
    },
    queries::{JobCounts, JobFigures, JobState},
};

// A job that carries a person's data is not queued for somebody who was erased meanwhile.
const ENQUEUE: &str = "INSERT INTO jobs (job_id, issuer_id, kind, dedup, payload, person_id, run_at) SELECT $1, $2, $3, $4, $5, $6, $7 \
    WHERE NOT EXISTS (SELECT 1 FROM people p WHERE p.person_id = $6 AND p.erased_at IS NOT NULL) ON CONFLICT (kind, dedup) DO NOTHING";

/// Queues a job in the caller's transaction.
pub(super) async fn enqueue(conn: &mut Conn, issuer: IssuerId, job: &NewJob) -> Result<(), StoreError> {
    let query = query(ENQUEUE).bind(job.id.0).bind(issuer.0).bind(job.kind).bind(&job.dedup).bind(&job.payload);
    query.bind(job.person.map(|p| p.0)).bind(job.run_at.0).execute(conn).await?;
    Ok(())
}

impl Apply<Conn> for Enqueue {
    type Out = ();

    async fn apply(&self, conn: &mut Conn) -> Result<(), StoreError> {
        enqueue(conn, self.issuer, &self.job).await
    }
}

const LEASE: &str = concat!(
    "UPDATE jobs SET leased_until = $1, lease_owner = $2, tries = jobs.tries + 1 WHERE job_id IN \
     (SELECT job_id FROM jobs WHERE done_at IS NULL AND run_at <= $3 AND (leased_until IS NULL OR leased_until <= $3) \
     AND CASE WHEN kind = 'mail' THEN 1 WHEN kind = 'journal' THEN 2 ELSE 0 END = $5 ORDER BY run_at LIMIT $4",
    skip_locked!(),
    ") AND done_at IS NULL AND (leased_until IS NULL OR leased_until <= $3) RETURNING job_id, issuer_id, kind, payload, tries, run_at"
);

impl Apply<Conn> for LeaseJobs {
    type Out = Vec<LeasedJob>;

    async fn apply(&self, conn: &mut Conn) -> Result<Vec<LeasedJob>, StoreError> {
        let until = self.at.plus_seconds(self.lease_seconds);
        let query = query(LEASE).bind(until.0).bind(&self.owner).bind(self.at.0).bind(i64::from(self.limit)).bind(match self.lane {
            Lane::Work => 0_i64,
            Lane::Mail => 1,
            Lane::Journal => 2,
        });
        let mut jobs = Vec::new();
        for row in query.fetch_all(conn).await? {
            let tries: u32 = small("tries", row.try_get(4)?)?;
            let (id, issuer) = (JobId(row.try_get(0)?), IssuerId(row.try_get(1)?));
            let job = LeasedJob { id, issuer, kind: row.try_get(2)?, payload: row.try_get(3)?, tries: tries.saturating_sub(1) };
            jobs.push((row.try_get::<i64>(5)?, job));
        }
        // RETURNING promises no order; mails and badges go out in the order they were asked for.
        jobs.sort_by_key(|(run_at, _)| *run_at);
        Ok(jobs.into_iter().map(|(_, job)| job).collect())
    }
}

const RELEASE: &str = "UPDATE jobs SET leased_until = NULL WHERE done_at IS NULL AND leased_until IS NOT NULL";

impl Apply<Conn> for ReleaseLeases {
    type Out = ();

    async fn apply(&self, conn: &mut Conn) -> Result<(), StoreError> {
        query(RELEASE).execute(conn).await?;
        Ok(())
    }
}

// Only whoever holds the lease: a worker that was too slow leaves the job to the one that took it over.
pub(super) const FINISH: &str = "UPDATE jobs SET done_at = $1, payload = '', leased_until = NULL, last_error = NULL WHERE job_id = $2 AND lease_owner = $3 AND done_at IS NULL";

impl Apply<Conn> for FinishJob {
    type Out = ();

    async fn apply(&self, conn: &mut Conn) -> Result<(), StoreError> {
        query(FINISH).bind(self.at.0).bind(self.job.0).bind(&self.owner).execute(conn).await?;
        Ok(())
    }
}

const RETRY: &str = "UPDATE jobs SET run_at = $1, leased_until = NULL, last_error = $2, tries = tries - $5 WHERE job_id = $3 AND lease_owner = $4 AND done_at IS NULL";

impl Apply<Conn> for RetryJob {
    type Out = ();

    async fn apply(&self, conn: &mut Conn) -> Result<(), StoreError> {
        let query = query(RETRY).bind(self.run_at.0).bind(&self.error).bind(self.job.0).bind(&self.owner);
        query.bind(i64::from(!self.counts)).execute(conn).await?;
        Ok(())
    }
}

const FOLD: &str = "INSERT INTO exposures (issuer_id, programme, item_id, shown) \
    SELECT issuer_id, programme, item_id, 1 FROM form_items WHERE person_id = $1 AND attempt_id = $2 AND issuer_id = $3 \
    ON CONFLICT (issuer_id, programme, item_id) DO UPDATE SET shown = exposures.shown + 1";
const TAKE_FOLD: &str =
    "UPDATE jobs SET done_at = $1, payload = '', leased_until = NULL, last_error = NULL WHERE job_id = $2 AND done_at IS NULL";

impl Apply<Conn> for FoldExposure {
    type Out = ();

    async fn apply(&self, conn: &mut Conn) -> Result<(), StoreError> {
        if query(TAKE_FOLD).bind(self.at.0).bind(self.job.0).execute(&mut *conn).await?.rows_affected() > 0 {
            query(FOLD).bind(self.person.0).bind(self.attempt.0).bind(self.issuer.0).execute(conn).await?;
        }
        Ok(())
    }
}

const FOLD_FIGURES: &str = "INSERT INTO programme_figures (issuer_id, programme, submitted, passed) VALUES ($1, $2, 1, $3) \
    ON CONFLICT (issuer_id, programme) DO UPDATE SET submitted = programme_figures.submitted + 1, passed = programme_figures.passed + excluded.passed";

impl Apply<Conn> for FoldFigures {
    type Out = ();

    async fn apply(&self, conn: &mut Conn) -> Result<(), StoreError> {
        if query(TAKE_FOLD).bind(self.at.0).bind(self.job.0).execute(&mut *conn).await?.rows_affected() > 0 {
            query(FOLD_FIGURES).bind(self.issuer.0).bind(&self.programme).bind(i64::from(self.passed)).execute(conn).await?;
        }
        Ok(())
    }
}

/// Each binds a moment and most rows, in the order of `Forgettable::ALL`. What was prolonged meanwhile stays. The order is for the planner: it
/// does not know how few are due.
const PRUNE: [&str; 5] = [
    "DELETE FROM kept_waits WHERE next_start_at <= $1 AND (issuer_id, address_mac, programme) IN \
     (SELECT issuer_id, address_mac, programme FROM kept_waits WHERE next_start_at <= $1 LIMIT $2)",
    "DELETE FROM sessions WHERE expires_at <= $1 AND token_hash IN (SELECT token_hash FROM sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
    "DELETE FROM sign_in_links WHERE expires_at <= $1 AND token_hash IN (SELECT token_hash FROM sign_in_links WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
    "DELETE FROM rate_marks WHERE due_at <= $1 AND (way, key_hash) IN (SELECT way, key_hash FROM rate_marks WHERE due_at <= $1 LIMIT $2)",
    "DELETE FROM jobs WHERE done_at IS NOT NULL AND done_at <= $1 AND job_id IN \
     (SELECT job_id FROM jobs WHERE done_at IS NOT NULL AND done_at <= $1 ORDER BY done_at LIMIT $2)",
];

impl Apply<Conn> for Prune {
    type Out = u64;

    async fn apply(&self, conn: &mut Conn) -> Result<u64, StoreError> {
        let [waits, sessions, links, marks, jobs] = PRUNE;
        let (statement, moment) = match self.what {
            Forgettable::Waits => (waits, self.at),
            Forgettable::Sessions => (sessions, self.at),
            Forgettable::Links => (links, self.at),
            Forgettable::Marks => (marks, self.at),
            Forgettable::Jobs => (jobs, self.at.plus_seconds(-30 * DAY_SECONDS)),
        };
        Ok(query(statement).bind(moment.0).bind(i64::from(self.most)).execute(conn).await?.rows_affected())
    }
}

const COUNTS: &str = "SELECT COUNT(CASE WHEN done_at IS NULL THEN 1 END), COUNT(CASE WHEN done_at IS NULL AND last_error IS NOT NULL THEN 1 END), COUNT(done_at) FROM jobs WHERE $1 = $1";

impl Apply<Conn> for JobCounts {
    type Out = JobFigures;

    async fn apply(&self, conn: &mut Conn) -> Result<JobFigures, StoreError> {
        let row = query(COUNTS).bind(self.at.0).fetch_one(conn).await?;
        Ok(JobFigures { open: row.try_get(0)?, troubled: row.try_get(1)?, done: row.try_get(2)? })
    }
}

const STATE: &str = "SELECT tries, last_error FROM jobs WHERE job_id = $1";

impl Apply<Conn> for JobState {
    type Out = Option<(u32, Option<String>)>;

    async fn apply(&self, conn: &mut Conn) -> Result<Self::Out, StoreError> {
        let Some(row) = query(STATE).bind(self.job.0).fetch_optional(conn).await? else { return Ok(None) };
        Ok(Some((small("tries", row.try_get(0)?)?, row.try_get(1)?)))
    }
}

/// Every statement of this file, for the test that prepares them on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: &[&[&str]] =
    &[&[ENQUEUE, LEASE, RELEASE, FINISH, RETRY, FOLD, TAKE_FOLD, FOLD_FIGURES, COUNTS, STATE], &PRUNE];
