//! Engines: how commands and queries reach a database.

use std::{fmt::Debug, future::Future, path::Path};

use assay_core::UtcMillis;

use crate::StoreError;

pub(crate) mod postgres;
pub(crate) mod sqlite;
#[cfg(test)]
pub(crate) mod statements;

pub use postgres::Promise;

/// Plain data that changes something, in one transaction.
pub trait Command: Clone + Debug + Send + Sync + 'static {
    /// What it answers.
    type Out: Send + 'static;
}

/// Plain data that reads something.
pub trait Query: Clone + Debug + Send + Sync + 'static {
    /// What it answers.
    type Out: Send + 'static;
}

/// A command or query over one engine's connection; implemented once in `ops` for whichever connection it is compiled with.
pub trait Apply<Conn>: Send + Sync {
    /// What it answers.
    type Out: Send + 'static;

    /// Runs its statements. The caller owns the transaction.
    fn apply(&self, conn: &mut Conn) -> impl Future<Output = Result<Self::Out, StoreError>> + Send;
}

/// Makes the PostgreSQL database that a URL names; its user must be allowed to.
///
/// # Errors
/// When the server refuses, or the database is there already.
pub async fn create_database(url: &str) -> Result<(), StoreError> {
    Ok(<sqlx::Postgres as sqlx::migrate::MigrateDatabase>::create_database(url).await?)
}

/// The database, whichever engine it is.
#[derive(Clone, Debug)]
pub enum Store {
    /// The embedded engine: one process, one file.
    Sqlite(sqlite::Sqlite),
    /// A PostgreSQL server that several nodes share.
    Postgres(postgres::Postgres),
}

impl Store {
    /// Opens (creating it if needed) the embedded database in this file and brings its schema up to date.
    ///
    /// # Errors
    /// When the file cannot be opened, or does not give the durability that a saved answer is promised.
    pub async fn open_sqlite(file: &Path) -> Result<Self, StoreError> {
        Self::open_sqlite_with(file, sqlite::SqliteTuning::default()).await
    }

    /// As [`Store::open_sqlite`], over another virtual file system or with less durability: for fault tests, which must be able
    /// to see a loss.
    ///
    /// # Errors
    /// As [`Store::open_sqlite`].
    pub async fn open_sqlite_with(file: &Path, tuning: sqlite::SqliteTuning) -> Result<Self, StoreError> {
        Ok(Self::Sqlite(sqlite::Sqlite::open(file, tuning).await?))
    }

    /// Opens an existing PostgreSQL database by its URL (`postgres://user:password@host/database`) and brings its schema up to date.
    /// `statement-cache-capacity=0` in the URL says that a pooler in transaction mode stands between.
    ///
    /// # Errors
    /// When it cannot be reached, or does not give the durability that was promised.
    pub async fn open_postgres(url: &str, promise: Promise) -> Result<Self, StoreError> {
        Ok(Self::Postgres(postgres::Postgres::open(url, promise).await?))
    }

    /// Whether this process has the database to itself.
    pub fn is_alone(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    /// Runs a command; when this returns `Ok`, its effects survive a crash and a power cut.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was done, or (when the connection broke while the transaction ended) nobody was told so.
    pub async fn run<C>(&self, command: C) -> Result<<C as Command>::Out, StoreError>
    where
        C: Command + Apply<sqlite::Conn, Out = <C as Command>::Out> + Apply<postgres::Conn, Out = <C as Command>::Out>,
    {
        match self {
            Self::Sqlite(engine) => engine.run(command).await,
            Self::Postgres(engine) => engine.run(command).await,
        }
    }

    /// Answers a query from a read-only connection.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read<Q>(&self, query: Q) -> Result<<Q as Query>::Out, StoreError>
    where
        Q: Query + Apply<sqlite::Conn, Out = <Q as Query>::Out> + Apply<postgres::Conn, Out = <Q as Query>::Out>,
    {
        match self {
            Self::Sqlite(engine) => engine.read(query).await,
            Self::Postgres(engine) => engine.read(query).await,
        }
    }

    /// What time it is by the database server's clock; nothing where that is this machine's.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn time(&self) -> Result<Option<UtcMillis>, StoreError> {
        match self {
            Self::Sqlite(_) => Ok(None),
            Self::Postgres(engine) => engine.time().await.map(Some),
        }
    }

    /// How many commands wait to be written, and how many may.
    pub fn queue(&self) -> (usize, usize) {
        match self {
            Self::Sqlite(engine) => engine.queue(),
            Self::Postgres(engine) => engine.queue(),
        }
    }

    /// How often a transaction was replayed since the start because another one was in its way; always 0 with the embedded engine,
    /// whose one writer meets nobody.
    pub fn replays(&self) -> u64 {
        match self {
            Self::Sqlite(_) => 0,
            Self::Postgres(engine) => engine.replays(),
        }
    }

    /// After an erasure: sees to it that the embedded engine's own log holds no copy of what was erased. PostgreSQL's log is the
    /// server's, and is recycled by it.
    pub async fn fold_log(&self) {
        if let Self::Sqlite(engine) = self {
            engine.fold().await;
        }
    }

    /// Waits until everything queued is written, and closes.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(engine) => engine.close().await,
            Self::Postgres(engine) => engine.close().await,
        }
    }
}
