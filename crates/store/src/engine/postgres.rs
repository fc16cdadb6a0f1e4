//! PostgreSQL: a pool, SERIALIZABLE transactions, replayed in one place when two of them met.
//!
//! A command is data, so a transaction that lost to another is simply applied again. What is "at most one" rests on constraints all
//! the same (`ops`), so that a weaker isolation elsewhere would cost nothing but the promise of an order.

use std::{
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use tokio::time::Instant;

use super::{Apply, Command, Query};
use crate::{EngineError, StoreError};

mod conn;
mod durability;
mod notice;

pub use durability::Promise;

pub(crate) use conn::Conn;
use conn::{EngineRow, Row, query};

/// What this engine says differently.
mod dialect {
    /// Rows that another worker is taking just now are left to it.
    macro_rules! skip_locked {
        () => {
            " FOR UPDATE SKIP LOCKED"
        };
    }
    pub(super) use skip_locked;
}

#[path = "../ops/mod.rs"]
mod ops;
#[cfg(test)]
pub(super) use ops::statements;

/// Connections that write, and that read: readers never keep a save waiting.
const WRITERS: u32 = 16;
const READERS: u32 = 8;
/// Commands under way or waiting for a connection; beyond this many a caller is told to come back.
const QUEUE: usize = 4096;
/// How long a command waits for a connection before its caller is told to come back.
const PATIENCE: Duration = Duration::from_secs(5);
/// Replays of one command before its caller is told to come back. Two that meet again and again part by their pauses.
const REPLAYS: u32 = 40;
/// Nodes that start at once bring the schema up to date one after another: whoever lost looks again.
const MIGRATION_TRIES: u32 = 10;

/// Nothing waits without end for a row or for a node that went silent in the middle of a transaction.
macro_rules! begin {
    ($($rest:literal)*) => {
        concat!(
            "BEGIN ISOLATION LEVEL SERIALIZABLE; SET LOCAL statement_timeout = '30s'; SET LOCAL idle_in_transaction_session_timeout = '30s'",
            $("; ", $rest),*
        )
    };
}

const BEGIN: &str = begin!();
/// With a standby: a mark in the log makes every commit wait for the standby, also one that found its work done already by a
/// transaction whose own wait was cut off.
const BEGIN_MARKED: &str = begin!("SELECT pg_logical_emit_message(true, 'assay', '')");
// The driver names what it prepares even when it keeps nothing, and behind a pooler the names of others may stand on the server's
// connection: each transaction begins by clearing them.
const BEGIN_POOLED: &str = begin!("DEALLOCATE ALL");
const BEGIN_MARKED_POOLED: &str = begin!("DEALLOCATE ALL" "SELECT pg_logical_emit_message(true, 'assay', '')");
const BEGIN_READ_POOLED: &str = "BEGIN READ ONLY; DEALLOCATE ALL";

/// See the module.
#[derive(Clone, Debug)]
pub struct Postgres(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    writers: PgPool,
    readers: PgPool,
    promise: Promise,
    /// Behind a pooler in transaction mode, a statement and its preparation must share a transaction.
    pooled: bool,
    replays: AtomicU64,
    under_way: AtomicUsize,
}

impl Postgres {
    pub(super) async fn open(url: &str, promise: Promise) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|e| cannot("the PostgreSQL database", format!("its URL cannot be read ({e}); write postgres://user@host/database")))?;
        let place = place(&options);
        let pooled = url.split_once('?').is_some_and(|(_, query)| query.split('&').any(|pair| pair == "statement-cache-capacity=0"));
        // No column is a float, and poolers refuse the parameter.
        let options = options.application_name("assay").extra_float_digits(None);
        let pool = |most: u32| PgPoolOptions::new().max_connections(most).acquire_timeout(PATIENCE).test_before_acquire(false);
        let writers = pool(WRITERS).connect_with(options.clone()).await.map_err(|e| cannot(&place, reason(&e)))?;
        migrate(&writers, pooled).await.map_err(|e| cannot(&place, e.to_string()))?;
        durability::check(&writers, promise, pooled).await.map_err(|words| cannot(&place, words))?;
        let readers = pool(READERS).connect_lazy_with(options);
        Ok(Self(Arc::new(Shared { writers, readers, promise, pooled, replays: AtomicU64::new(0), under_way: AtomicUsize::new(0) })))
    }

    /// The whole command in a task of its own: a caller that goes away does not cut a transaction in two.
    pub(super) async fn run<C>(&self, command: C) -> Result<<C as Command>::Out, StoreError>
    where
        C: Command + Apply<Conn, Out = <C as Command>::Out>,
    {
        if self.0.under_way.fetch_add(1, Ordering::Relaxed) >= QUEUE {
            self.0.under_way.fetch_sub(1, Ordering::Relaxed);
            return Err(StoreError::Busy);
        }
        let shared = Arc::clone(&self.0);
        let applied = tokio::spawn(async move {
            let _place = Place(&shared.under_way);
            shared.serialized(&command).await
        });
        applied.await.unwrap_or(Err(StoreError::Closed))
    }

    pub(super) fn queue(&self) -> (usize, usize) {
        (self.0.under_way.load(Ordering::Relaxed), QUEUE)
    }

    pub(super) async fn read<Q>(&self, query: Q) -> Result<<Q as Query>::Out, StoreError>
    where
        Q: Query + Apply<Conn, Out = <Q as Query>::Out>,
    {
        if !self.0.pooled {
            let mut conn = self.0.readers.acquire().await.map_err(busy)?;
            return query.apply(&mut conn).await;
        }
        let mut transaction = self.0.readers.begin_with(BEGIN_READ_POOLED).await.map_err(busy)?;
        let answer = query.apply(&mut transaction).await?;
        transaction.commit().await?;
        Ok(answer)
    }

    pub(super) fn replays(&self) -> u64 {
        self.0.replays.load(Ordering::Relaxed)
    }

    pub(super) async fn close(&self) {
        self.0.readers.close().await;
        self.0.writers.close().await;
    }
}

/// A place among the commands under way, given back also when the command panics.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    /// Applies a command until no other transaction is in its way: the one place where anything is replayed.
    async fn serialized<C: Apply<Conn>>(&self, command: &C) -> Result<C::Out, StoreError> {
        for replay in 0..REPLAYS {
            match self.once(command).await {
                Err(error) if was_in_the_way(&error) => {
                    let so_far = self.replays.fetch_add(1, Ordering::Relaxed);
                    metrics::counter!("assay_replays_total").increment(1);
                    tracing::debug!(replay, "a transaction met another one and is replayed");
                    // Spread by how many were replayed before, so that two that met do not meet again.
                    let spread = so_far.wrapping_mul(7) % 13;
                    tokio::time::sleep(Duration::from_millis((u64::from(replay.min(8)) << 1) + spread)).await;
                }
                outcome => return outcome,
            }
        }
        tracing::warn!("a transaction met others {REPLAYS} times and was given up; nothing of it was done");
        Err(StoreError::Busy)
    }

    async fn once<C: Apply<Conn>>(&self, command: &C) -> Result<C::Out, StoreError> {
        let begin = match (self.promise, self.pooled) {
            (Promise::Disk, false) => BEGIN,
            (Promise::Disk, true) => BEGIN_POOLED,
            (Promise::Standby, false) => BEGIN_MARKED,
            (Promise::Standby, true) => BEGIN_MARKED_POOLED,
        };
        let mut transaction = self.writers.begin_with(begin).await.map_err(busy)?;
        let began = Instant::now();
        // Dropped, it is rolled back.
        let answer = command.apply(&mut transaction).await?;
        let (ended, warned) = notice::warnings_of(transaction.commit()).await;
        metrics::histogram!("assay_commit_seconds").record(began.elapsed());
        metrics::histogram!("assay_commit_commands").record(1.0);
        if ended.is_err() || warned.is_some() {
            metrics::counter!("assay_commits_failed_total").increment(1);
        }
        ended?;
        if let Some(words) = warned {
            // "canceling wait for synchronous replication" comes with success: here it is none.
            return Err(StoreError::Unavailable(EngineError::Words(format!("the commit was not confirmed: {words}"))));
        }
        Ok(answer)
    }
}

async fn migrate(writers: &PgPool, pooled: bool) -> Result<(), sqlx::migrate::MigrateError> {
    let mut migrator = sqlx::migrate!("migrations/postgres");
    // No advisory locks: not every server that speaks this protocol has them.
    migrator.set_locking(false);
    let mut tries = 0;
    loop {
        match migrated(&migrator, writers, pooled).await {
            Err(error) if tries < MIGRATION_TRIES && !matches!(error, sqlx::migrate::MigrateError::VersionMismatch(_)) => {
                tracing::info!(%error, "the schema is being changed by another node, or cannot be; looking again");
                tries += 1;
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            outcome => return outcome,
        }
    }
}

/// All that is missing, in one transaction: behind a pooler nothing else is sure to meet the same connection.
async fn migrated(migrator: &sqlx::migrate::Migrator, writers: &PgPool, pooled: bool) -> Result<(), sqlx::migrate::MigrateError> {
    let mut transaction = writers.begin_with(if pooled { "BEGIN; DEALLOCATE ALL" } else { "BEGIN" }).await?;
    migrator.run(&mut *transaction).await?;
    let (ended, warned) = notice::warnings_of(transaction.commit()).await;
    ended?;
    match warned {
        None => Ok(()),
        Some(words) => Err(sqlx::Error::Protocol(format!("the change of the schema was not confirmed: {words}")).into()),
    }
}

/// 40001 serialization failure, 40P01 deadlock, 23505 a unique key that another transaction took meanwhile (the second time it is seen
/// and decided on): nothing was done, and doing it again is right.
fn was_in_the_way(error: &StoreError) -> bool {
    let StoreError::Unavailable(EngineError::Postgres(sqlx::Error::Database(error))) = error else { return false };
    matches!(error.code().as_deref(), Some("40001" | "40P01" | "23505"))
}

fn busy(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::PoolTimedOut => StoreError::Busy,
        sqlx::Error::PoolClosed => StoreError::Closed,
        other => other.into(),
    }
}

fn cannot(path: &str, reason: String) -> StoreError {
    StoreError::CannotOpen { path: path.to_owned(), reason }
}

/// Where the server is, without its password.
fn place(options: &PgConnectOptions) -> String {
    format!("{}:{}/{}", options.get_host(), options.get_port(), options.get_database().unwrap_or_default())
}

fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::PoolTimedOut => "it did not answer in time. Check that the server runs and can be reached".to_owned(),
        other => format!("{other}. Check that the server runs, and that the database and its user exist"),
    }
}
