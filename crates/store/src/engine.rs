//! Engines: how commands and queries reach a database.

use std::{fmt::Debug, future::Future, path::Path};

use crate::StoreError;

pub(crate) mod sqlite;

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

/// The database, whichever engine it is.
#[derive(Clone, Debug)]
pub enum Store {
    /// The embedded engine.
    Sqlite(sqlite::Sqlite),
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

    /// Runs a command; when this returns `Ok`, its effects survive a crash and a power cut.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was done.
    pub async fn run<C>(&self, command: C) -> Result<<C as Command>::Out, StoreError>
    where
        C: Command + Apply<sqlite::Conn, Out = <C as Command>::Out>,
    {
        match self {
            Self::Sqlite(engine) => engine.run(command).await,
        }
    }

    /// Answers a query from a read-only connection.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read<Q>(&self, query: Q) -> Result<<Q as Query>::Out, StoreError>
    where
        Q: Query + Apply<sqlite::Conn, Out = <Q as Query>::Out>,
    {
        match self {
            Self::Sqlite(engine) => engine.read(query).await,
        }
    }

    /// After an erasure: sees to it that the engine's own log holds no copy of what was erased.
    pub async fn fold_log(&self) {
        match self {
            Self::Sqlite(engine) => engine.fold().await,
        }
    }

    /// Waits until everything queued is written, and closes.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(engine) => engine.close().await,
        }
    }
}
