//! The embedded engine: one writer that drains its queue into one transaction and acknowledges after the commit; read-only readers.
//!
//! Measured before it was chosen: `synchronous=NORMAL` lost acknowledged answers at 531 of 613 simulated power cuts, `FULL` at
//! none of 763; group commit makes `FULL` affordable. A transaction that begins by reading fails under contention whatever the
//! busy timeout, hence one writer and `BEGIN IMMEDIATE`.

use std::{path::Path, pin::Pin, time::Duration};

use futures_util::FutureExt;
use sqlx::{
    ConnectOptions, Connection, Row, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{Apply, Command, Query};
use crate::StoreError;

/// The connection that `ops` is compiled with here.
pub(crate) type Conn = SqliteConnection;

/// What this engine says differently.
mod dialect {
    /// One writer: nobody else is taking rows.
    macro_rules! skip_locked {
        () => {
            ""
        };
    }
    pub(super) use skip_locked;
}

#[path = "../ops/mod.rs"]
mod ops;
#[cfg(test)]
pub(super) use ops::statements;

/// Commands waiting for the writer; beyond this many a caller is told to come back.
const QUEUE: usize = 4096;
/// Commands in one transaction.
const BATCH: usize = 128;
const READERS: u32 = 4;

/// See the module.
#[derive(Clone, Debug)]
pub struct Sqlite {
    queue: mpsc::Sender<Message>,
    readers: SqlitePool,
}

/// What fault tests change about an opened database. The program never does: the default is what it runs with.
#[derive(Clone, Debug)]
pub struct SqliteTuning {
    /// Name of a registered virtual file system; without one, SQLite's own.
    pub vfs: Option<String>,
    /// `PRAGMA synchronous=FULL`, without which a power cut loses answers; nothing less opens but from a fault test.
    pub full_sync: bool,
}

impl Default for SqliteTuning {
    fn default() -> Self {
        Self { vfs: None, full_sync: true }
    }
}

enum Message {
    Run(Box<dyn Waiting>),
    /// Folds the write-ahead log in, so that what was erased is not found there either.
    Fold(oneshot::Sender<()>),
    Close(oneshot::Sender<()>),
}

impl Sqlite {
    pub(super) async fn open(file: &Path, tuning: SqliteTuning) -> Result<Self, StoreError> {
        let cannot = |reason: String| StoreError::CannotOpen { path: file.display().to_string(), reason };
        let mut options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // Erased means overwritten, not only unlinked.
            .pragma("secure_delete", "ON")
            .busy_timeout(Duration::from_secs(5));
        if let Some(vfs) = tuning.vfs {
            options = options.vfs(vfs);
        }
        if !tuning.full_sync {
            options = options.synchronous(SqliteSynchronous::Normal);
        }
        let mut writer = options.connect().await.map_err(|e| cannot(format!("{e}. Check that the folder exists and may be written")))?;
        sqlx::migrate!("migrations/sqlite").run(&mut writer).await.map_err(|e| cannot(e.to_string()))?;
        if tuning.full_sync {
            assert_durable(&mut writer).await.map_err(cannot)?;
        }
        // All of them now and for good: a page can then be read while no file can be opened.
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .min_connections(READERS)
            .idle_timeout(None)
            .max_lifetime(None)
            // A file of this machine does not go away like a server; the question would cost each read a third of its trips.
            .test_before_acquire(false)
            .connect_with(options.clone().create_if_missing(false).read_only(true))
            .await?;
        let (queue, inbox) = mpsc::channel(QUEUE);
        tokio::spawn(write(writer, options, inbox));
        Ok(Self { queue, readers })
    }

    pub(super) async fn run<C>(&self, command: C) -> Result<<C as Command>::Out, StoreError>
    where
        C: Command + Apply<Conn, Out = <C as Command>::Out>,
    {
        let (reply, answer) = oneshot::channel();
        let waiting = Box::new(Typed { command, result: None, reply });
        self.queue.try_send(Message::Run(waiting)).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    pub(super) async fn read<Q>(&self, query: Q) -> Result<<Q as Query>::Out, StoreError>
    where
        Q: Query + Apply<Conn, Out = <Q as Query>::Out>,
    {
        let mut conn = self.readers.acquire().await?;
        query.apply(&mut conn).await
    }

    pub(super) fn queue(&self) -> (usize, usize) {
        (QUEUE - self.queue.capacity(), QUEUE)
    }

    pub(super) async fn fold(&self) {
        let (reply, folded) = oneshot::channel();
        if self.queue.send(Message::Fold(reply)).await.is_ok() {
            // A writer that is closing folds it anyway.
            let _gone = folded.await;
        }
    }

    pub(super) async fn close(&self) {
        // Readers first: the writer, closing last, then folds the write-ahead log in and removes it.
        self.readers.close().await;
        let (reply, closed) = oneshot::channel();
        if self.queue.send(Message::Close(reply)).await.is_ok() {
            // A writer that is gone already has nothing left to write.
            let _gone = closed.await;
        }
    }
}

/// A saved answer is promised to survive a power cut: a database that would not keep that promise is not used.
async fn assert_durable(conn: &mut Conn) -> Result<(), String> {
    let journal: String = pragma(conn, "PRAGMA journal_mode").await?;
    let synchronous: i64 = pragma(conn, "PRAGMA synchronous").await?;
    if journal != "wal" {
        return Err(format!("it runs with journal_mode={journal}, and answers need WAL; put the data folder on a local disk"));
    }
    if synchronous != 2 {
        return Err(format!("it runs with synchronous={synchronous}, and answers need FULL (2)"));
    }
    Ok(())
}

async fn pragma<T>(conn: &mut Conn, statement: &'static str) -> Result<T, String>
where
    T: for<'r> sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    let row = sqlx::query(statement).fetch_one(conn).await.map_err(|e| e.to_string())?;
    row.try_get(0).map_err(|e| e.to_string())
}

type Applying<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

/// A command in the queue, its type forgotten.
trait Waiting: Send {
    /// Applies it and keeps its answer; `false` when its effects must be undone.
    fn apply<'a>(&'a mut self, conn: &'a mut Conn) -> Applying<'a>;
    /// Hands the answer over, after the commit. `Err` when the commit failed.
    fn finish(self: Box<Self>, commit: Result<(), String>);
}

struct Typed<C: Apply<Conn>> {
    command: C,
    result: Option<Result<C::Out, StoreError>>,
    reply: oneshot::Sender<Result<C::Out, StoreError>>,
}

impl<C: Command + Apply<Conn, Out = <C as Command>::Out>> Waiting for Typed<C> {
    fn apply<'a>(&'a mut self, conn: &'a mut Conn) -> Applying<'a> {
        Box::pin(async move {
            let result = self.command.apply(conn).await;
            let keep = result.is_ok();
            self.result = Some(result);
            keep
        })
    }

    fn finish(self: Box<Self>, commit: Result<(), String>) {
        let answer = match (commit, self.result) {
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(StoreError::Closed),
            // The statement's own error says more than the commit's.
            (Err(_), Some(Err(e))) => Err(e),
            (Err(reason), _) => Err(StoreError::Unavailable(sqlx::Error::Protocol(reason))),
        };
        // A caller that went away does not need its answer.
        let _gone = self.reply.send(answer);
    }
}

async fn write(conn: Conn, options: SqliteConnectOptions, mut inbox: mpsc::Receiver<Message>) {
    let mut conn = Some(conn);
    while let Some(first) = inbox.recv().await {
        let mut batch: Vec<Box<dyn Waiting>> = Vec::new();
        let (mut closing, mut folding) = (None, None);
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Run(waiting) => batch.push(waiting),
                Message::Fold(reply) => folding = Some(reply),
                Message::Close(reply) => closing = Some(reply),
            }
            next = if batch.len() < BATCH && closing.is_none() { inbox.try_recv().ok() } else { None };
        }
        let began = Instant::now();
        let commit = match connected(&mut conn, &options).await {
            Ok(conn) => transaction(conn, &mut batch).await,
            Err(reason) => Err(reason),
        };
        if !batch.is_empty() {
            metrics::histogram!("assay_commit_seconds").record(began.elapsed());
            metrics::histogram!("assay_commit_commands").record(batch.len() as f64);
        }
        if let Err(reason) = &commit {
            metrics::counter!("assay_commits_failed_total").increment(1);
            tracing::error!(reason, commands = batch.len(), "a transaction failed; nothing of it was acknowledged");
            // The connection may hold half of it: a new one, made for the next command, holds nothing.
            conn = None;
        }
        fail_point!("store::after_commit");
        for waiting in batch {
            waiting.finish(commit.clone());
        }
        if let Some(reply) = folding {
            if let Some(conn) = &mut conn {
                fold_log(conn).await;
            }
            let _gone = reply.send(());
        }
        if let Some(reply) = closing {
            if let Some(conn) = conn
                && let Err(error) = conn.close().await
            {
                tracing::error!(%error, "the database did not close cleanly");
            }
            let _gone = reply.send(());
            return;
        }
    }
}

/// The writer's connection, or a new one after a failed transaction. Whoever waits is told at once when there is none to be had,
/// and the next command tries again: the program works on as soon as the disk does.
async fn connected<'a>(conn: &'a mut Option<Conn>, options: &SqliteConnectOptions) -> Result<&'a mut Conn, String> {
    let ready = match conn.take() {
        Some(ready) => ready,
        None => options.connect().await.map_err(|error| format!("the database cannot be opened again: {error}"))?,
    };
    Ok(conn.insert(ready))
}

async fn fold_log(conn: &mut Conn) {
    // A reader may still need the log; it is then folded in at the next chance.
    if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(conn).await {
        tracing::warn!(%error, "the write-ahead log could not be folded in now");
    }
}

/// Applies a command; `false` when it must be undone. One that panics is undone like one that fails; the writer lives on.
async fn applied(waiting: &mut Box<dyn Waiting>, conn: &mut Conn) -> bool {
    std::panic::AssertUnwindSafe(waiting.apply(conn)).catch_unwind().await.unwrap_or(false)
}

async fn transaction(conn: &mut Conn, batch: &mut [Box<dyn Waiting>]) -> Result<(), String> {
    if batch.is_empty() {
        return Ok(());
    }
    let words = |e: sqlx::Error| e.to_string();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *conn).await.map_err(words)?;
    // One that is alone needs no savepoint: the transaction is its own.
    if let [alone] = batch {
        if !applied(alone, &mut *conn).await {
            sqlx::query("ROLLBACK").execute(&mut *conn).await.map_err(words)?;
            return Ok(());
        }
    } else {
        for waiting in batch {
            sqlx::query("SAVEPOINT one").execute(&mut *conn).await.map_err(words)?;
            if !applied(waiting, &mut *conn).await {
                sqlx::query("ROLLBACK TO one").execute(&mut *conn).await.map_err(words)?;
            }
            sqlx::query("RELEASE one").execute(&mut *conn).await.map_err(words)?;
        }
    }
    fail_point!("store::before_commit", |_| Err("a fail point".to_owned()));
    sqlx::query("COMMIT").execute(&mut *conn).await.map_err(words)?;
    Ok(())
}
