//! PostgreSQL: a pool, SERIALIZABLE transactions, replayed in one place when two of them met.
//!
//! A command is data, so a transaction that lost to another is simply applied again. What is "at most one" rests on constraints all
//! the same (`ops`), so that a weaker isolation elsewhere would cost nothing but the promise of an order.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use address::Address;
use assay_core::UtcMillis;
use durability::Refusal;
use pool::{Held, Pool};
use primary::Primary;
use sqlx::{ConnectOptions, Connection, PgPool, postgres::PgConnectOptions};
use tokio::{
    sync::SemaphorePermit,
    time::{Instant, sleep},
};

use super::{Apply, Command, Query};
use crate::{EngineError, StoreError};

pub(crate) mod address;
mod conn;
mod durability;
mod notice;
mod pool;
mod primary;

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
    /// A list in JSON, bound as this parameter, as rows whose column `value` is each of its things.
    macro_rules! rows_of {
        ($parameter:literal) => {
            concat!("json_array_elements(CAST(", $parameter, " AS json))")
        };
    }
    pub(super) use {rows_of, skip_locked};
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
/// Before a connection that was found broken is replaced by another.
const PAUSE: Duration = Duration::from_millis(50);
/// Without an answer for so long, it is asked whether the server is the primary still.
const DOUBTFUL: Duration = Duration::from_secs(5);
/// Longest that a transaction or a query may take by this side's watch: the server's own limit needs a server that lives.
const LONGEST: Duration = Duration::from_secs(35);
/// Replays of one command before its caller is told to come back. Two that meet again and again part by their pauses.
const REPLAYS: u32 = 40;
/// Nodes that start at once bring the schema up to date one after another: whoever lost looks again.
const MIGRATION_TRIES: u32 = 10;

/// Nothing waits without end for a row or for a node that went silent in the middle of a transaction. Each asks for the disk itself:
/// somebody may switch `synchronous_commit` off while connections stand that were looked at before.
macro_rules! begin {
    ($($rest:expr),*) => {
        concat!(
            "BEGIN ISOLATION LEVEL SERIALIZABLE; SET LOCAL statement_timeout = '30s'; SET LOCAL idle_in_transaction_session_timeout = '30s'; \
             SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true)",
            $("; ", $rest),*
        )
    };
}

/// With a standby: a mark in the log makes every commit wait for the standby, also one that found its work done already by a
/// transaction whose own wait was cut off. A server that waits for none (settings may change, and behind a pooler the server itself)
/// fails on reading a number out of words; the words are `durability::NO_STANDBY`.
macro_rules! marked {
    () => {
        "SELECT pg_logical_emit_message(true, 'assay', ''); SELECT CASE WHEN current_setting('synchronous_standby_names') = '' \
         OR current_setting('synchronous_commit') IN ('off', 'local') \
         THEN CAST('the server waits for no standby' || current_setting('synchronous_standby_names') AS BIGINT) END"
    };
}

const BEGIN: &str = begin!();
const BEGIN_MARKED: &str = begin!(marked!());
// The driver names what it prepares even when it keeps nothing, and behind a pooler the names of others may stand on the server's
// connection: each transaction begins by clearing them.
const BEGIN_POOLED: &str = begin!("DEALLOCATE ALL");
const BEGIN_MARKED_POOLED: &str = begin!("DEALLOCATE ALL", marked!());
const BEGIN_READ_POOLED: &str = "BEGIN READ ONLY; DEALLOCATE ALL";

/// The server's clock, in milliseconds since 1970.
const TIME: &str = "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT";

/// See the module.
#[derive(Clone, Debug)]
pub struct Postgres(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    writers: Pool,
    readers: Pool,
    promise: Promise,
    /// Behind a pooler in transaction mode, a statement and its preparation must share a transaction.
    pooled: bool,
    primary: Arc<Primary>,
    refusal: Arc<Refusal>,
    replays: AtomicU64,
    under_way: AtomicUsize,
}

impl Postgres {
    pub(super) async fn open(url: &str, promise: Promise) -> Result<Self, StoreError> {
        let address = Address::read(url).map_err(|words| cannot("the PostgreSQL database", words))?;
        // No column is a float, and poolers refuse the parameter.
        let address = address.with(|options| options.application_name("assay").extra_float_digits(None));
        let (place, pooled) = (address.to_string(), address.pooled);
        let primary = Primary::find(&address, PATIENCE).await;
        let primary = primary.map_err(|words| cannot(&place, format!("none of its servers can be written to: {words}")))?;
        let mut first = primary.options().connect().await.map_err(|e| cannot(&place, reason(&e)))?;
        durability::check(&mut first, Some(promise)).await.map_err(|words| cannot(&place, words))?;
        // It has done its work; how it ends tells nothing.
        let _ended = first.close().await;
        let refusal = Arc::new(Refusal::default());
        let writers =
            pool::options(WRITERS, &primary, Some((promise, Arc::clone(&refusal))), pooled).connect_with(primary.options().clone());
        let writers = writers.await.map_err(|e| cannot(&place, reason(&e)))?;
        let readers = pool::options(READERS, &primary, None, pooled).connect_lazy_with(primary.options().clone());
        tokio::spawn(Arc::clone(&primary).follow([writers.clone(), readers.clone()]));
        let (writers, readers) = (Pool::new(writers, &primary), Pool::new(readers, &primary));
        let shared =
            Shared { writers, readers, promise, pooled, primary, refusal, replays: AtomicU64::new(0), under_way: AtomicUsize::new(0) };
        migrate(shared.writers.driver(), pooled).await.map_err(|e| cannot(&place, e.to_string()))?;
        if pooled {
            tracing::info!("a pooler in transaction mode stands before the database: statements are not kept prepared");
        }
        Ok(Self(Arc::new(shared)))
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
        // A query changes nothing: asked again of another connection, it is the same query.
        let began = Instant::now();
        loop {
            match self.0.asked(&query).await {
                Err(error) if is_broken(&error) && began.elapsed() < PATIENCE => {
                    self.0.primary.doubt();
                    sleep(PAUSE).await;
                }
                outcome => return outcome,
            }
        }
    }

    pub(super) async fn time(&self) -> Result<UtcMillis, StoreError> {
        let (mut held, _place) = self.0.connection(&self.0.readers).await?;
        // As one message, so that it needs no transaction behind a pooler.
        let ask = async { sqlx::raw_sql(TIME).fetch_one(&mut *held.conn).await?.try_get::<i64>(0) };
        let asked = self.0.primary.wait_for(ask, DOUBTFUL, DOUBTFUL).await;
        held.whole = asked.is_some();
        let time = UtcMillis(asked.unwrap_or_else(|| Err(silent()))?);
        self.0.readers.keep(held);
        Ok(time)
    }

    pub(super) fn replays(&self) -> u64 {
        self.0.replays.load(Ordering::Relaxed)
    }

    pub(super) async fn close(&self) {
        self.0.readers.close().await;
        self.0.writers.close().await;
    }
}

/// How the server that can be written to is reached, once.
pub(crate) async fn primary_of(address: &Address) -> Result<PgConnectOptions, String> {
    Ok(Primary::find(address, PATIENCE).await?.options().clone())
}

/// A place among the commands under way, given back also when the command panics.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A command that was not applied.
enum Undone {
    /// The connection broke before anything was sent on it: another one will do.
    Before(StoreError),
    /// What was wrong.
    With(StoreError),
}

impl From<StoreError> for Undone {
    fn from(error: StoreError) -> Self {
        Self::With(error)
    }
}

impl Shared {
    /// Applies a command until no other transaction is in its way: the one place where anything is replayed.
    async fn serialized<C: Apply<Conn>>(&self, command: &C) -> Result<C::Out, StoreError> {
        let (began, mut replay) = (Instant::now(), 0);
        while replay < REPLAYS {
            match self.once(command).await {
                Err(Undone::With(error)) if was_in_the_way(&error) => {
                    let so_far = self.replays.fetch_add(1, Ordering::Relaxed);
                    metrics::counter!("assay_replays_total").increment(1);
                    tracing::debug!(replay, "a transaction met another one and is replayed");
                    // Spread by how many were replayed before, so that two that met do not meet again.
                    let spread = so_far.wrapping_mul(7) % 13;
                    sleep(Duration::from_millis((u64::from(replay.min(8)) << 1) + spread)).await;
                    replay += 1;
                }
                Err(Undone::Before(error)) if began.elapsed() < PATIENCE => {
                    tracing::debug!(%error, "a broken connection is replaced");
                    self.primary.doubt();
                    sleep(PAUSE).await;
                }
                Err(Undone::Before(error) | Undone::With(error)) => {
                    if is_broken(&error) {
                        self.primary.doubt();
                    }
                    return Err(error);
                }
                Ok(answer) => return Ok(answer),
            }
        }
        tracing::warn!("a transaction met others {REPLAYS} times and was given up; nothing of it was done");
        Err(StoreError::Busy)
    }

    /// A connection from a pool, or why there is none.
    async fn connection<'a>(&self, pool: &'a Pool) -> Result<(Held, SemaphorePermit<'a>), StoreError> {
        pool.take().await.map_err(|error| match (error, self.refusal.words()) {
            (sqlx::Error::PoolTimedOut, Some(words)) => StoreError::Unavailable(EngineError::Words(words)),
            (sqlx::Error::PoolTimedOut, None) => {
                self.primary.doubt();
                StoreError::Busy
            }
            (sqlx::Error::PoolClosed, _) => StoreError::Closed,
            (other, _) => other.into(),
        })
    }

    async fn once<C: Apply<Conn>>(&self, command: &C) -> Result<C::Out, Undone> {
        let (mut held, _place) =
            self.connection(&self.writers).await.map_err(|error| if is_broken(&error) { Undone::Before(error) } else { error.into() })?;
        let Some(done) = self.primary.wait_for(self.transaction(&mut held, command), DOUBTFUL, LONGEST).await else {
            // Closed at once: whatever stands on it is rolled back, or was committed and is not acknowledged.
            held.whole = false;
            metrics::counter!("assay_commits_failed_total").increment(1);
            return Err(Undone::With(unknown(silent())));
        };
        if done.is_ok() {
            self.writers.keep(held);
        }
        done
    }

    async fn transaction<C: Apply<Conn>>(&self, Held { conn, whole, .. }: &mut Held, command: &C) -> Result<C::Out, Undone> {
        let begin = match (self.promise, self.pooled) {
            (Promise::Disk, false) => BEGIN,
            (Promise::Disk, true) => BEGIN_POOLED,
            (Promise::Standby, false) => BEGIN_MARKED,
            (Promise::Standby, true) => BEGIN_MARKED_POOLED,
        };
        // Refused in the middle of its beginning, a transaction stands open of which the driver knows nothing.
        *whole = false;
        let mut transaction = conn.begin_with(begin).await.map_err(not_begun)?;
        *whole = true;
        let began = Instant::now();
        // Dropped, it is rolled back.
        let answer = command.apply(&mut transaction).await?;
        fail_point!("store::before_commit", |_| Err(StoreError::Unavailable(EngineError::Words("a fail point".to_owned())).into()));
        let (ended, warned) = notice::warnings_of(transaction.commit()).await;
        fail_point!("store::after_commit");
        metrics::histogram!("assay_commit_seconds").record(began.elapsed());
        metrics::histogram!("assay_commit_commands").record(1.0);
        if ended.is_err() || warned.is_some() {
            metrics::counter!("assay_commits_failed_total").increment(1);
        }
        ended.map_err(|error| {
            let error = StoreError::from(error);
            if is_broken(&error) { unknown(error) } else { error }
        })?;
        if let Some(words) = warned {
            // "canceling wait for synchronous replication" comes with success: here it is none.
            return Err(StoreError::Unknown(EngineError::Words(format!("the commit was not confirmed: {words}"))).into());
        }
        Ok(answer)
    }

    async fn asked<Q: Apply<Conn>>(&self, query: &Q) -> Result<Q::Out, StoreError> {
        let (mut held, _place) = self.connection(&self.readers).await?;
        let Held { conn, whole, .. } = &mut held;
        let work = async {
            if !self.pooled {
                return query.apply(conn).await;
            }
            *whole = false;
            let mut transaction = conn.begin_with(BEGIN_READ_POOLED).await?;
            *whole = true;
            let answer = query.apply(&mut transaction).await?;
            transaction.commit().await?;
            Ok(answer)
        };
        let Some(done) = self.primary.wait_for(work, DOUBTFUL, LONGEST).await else {
            held.whole = false;
            return Err(silent());
        };
        if done.is_ok() {
            self.readers.keep(held);
        }
        done
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

/// The connection is of no use, and the server behind it perhaps neither: broken off (class 08), being ended (57P01 to 57P03), not the
/// primary any more (25006), or in the middle of what somebody else left on it (25P02).
fn is_broken(error: &StoreError) -> bool {
    match error {
        StoreError::Unavailable(EngineError::Postgres(sqlx::Error::Io(_))) | StoreError::Unknown(EngineError::Postgres(_)) => true,
        StoreError::Unavailable(EngineError::Postgres(sqlx::Error::Database(error))) => {
            let code = error.code().unwrap_or_default();
            code.starts_with("08") || matches!(&*code, "57P01" | "57P02" | "57P03" | "25006" | "25P02")
        }
        _ => false,
    }
}

/// Why a transaction did not begin; nothing of it was done. A standby refuses to begin one that is serializable (0A000).
fn not_begun(error: sqlx::Error) -> Undone {
    let mut of_no_use = false;
    if let sqlx::Error::Database(said) = &error {
        if said.message().contains(durability::NO_STANDBY) {
            let words = format!("the settings say durability = \"standby\", and {}; nothing was saved", durability::NO_STANDBY);
            return Undone::With(StoreError::Unavailable(EngineError::Words(words)));
        }
        of_no_use = said.code().as_deref() == Some("0A000");
    }
    let error = StoreError::from(error);
    if of_no_use || is_broken(&error) { Undone::Before(error) } else { Undone::With(error) }
}

/// The same, of a transaction that may have been committed.
fn unknown(error: StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(why) => StoreError::Unknown(why),
        other => other,
    }
}

fn silent() -> StoreError {
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "the server did not answer in time, or is not the primary any more"))
        .into()
}

fn cannot(path: &str, reason: String) -> StoreError {
    StoreError::CannotOpen { path: path.to_owned(), reason }
}

fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::PoolTimedOut => "it did not answer in time. Check that the server runs and can be reached".to_owned(),
        other => format!("{other}. Check that the server runs, and that the database and its user exist"),
    }
}
