//! What can go wrong between a caller and the database.

/// A command or query that did not happen. Refusals by rule are not errors: they are part of a command's answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The queue of writes is full: nothing was done, try again shortly.
    #[error("the database is busy; nothing was saved")]
    Busy,
    /// The database did not answer or refused to write: nothing was acknowledged.
    #[error("the database is not available: {0}")]
    Unavailable(EngineError),
    /// It went wrong while it was committed: nothing was acknowledged, and the database may hold it all the same.
    #[error("it is not known whether this was saved: {0}")]
    Unknown(EngineError),
    /// The database could not be opened as it must be.
    #[error("the database at {path} cannot be used: {reason}")]
    CannotOpen {
        /// The file.
        path: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// Stored data that this program cannot read.
    #[error("stored {what} cannot be read: {reason}")]
    Unreadable {
        /// Which data.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// The writer is gone; the program is stopping.
    #[error("the database is closed")]
    Closed,
}

impl StoreError {
    pub(crate) fn unreadable(what: &'static str) -> impl FnOnce(serde_json::Error) -> Self {
        move |e| Self::Unreadable { what, reason: e.to_string() }
    }
}

/// What an engine said.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The embedded one.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// The server, or the way to it.
    #[error(transparent)]
    Postgres(#[from] sqlx::Error),
    /// Why what was done was not kept.
    #[error("{0}")]
    Words(String),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(error.into())
    }
}
