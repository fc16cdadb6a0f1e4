//! The embedded engine: one writer that drains its queue into one transaction and acknowledges after the commit; read-only readers.
//!
//! Measured before it was chosen: `synchronous=NORMAL` lost acknowledged answers at 531 of 613 simulated power cuts, `FULL` at
//! none of 763; group commit makes `FULL` affordable. A transaction that begins by reading fails under contention whatever the
//! busy timeout, hence one writer and `BEGIN IMMEDIATE`.

use std::{path::Path, sync::Arc};

use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};

use super::{Apply, Command, Query};
use crate::StoreError;

pub(crate) mod conn;
mod readers;
pub(crate) mod schema;
mod writer;

pub(crate) use conn::Conn;
use conn::{EngineRow, Opening, Row, query};
use readers::Readers;
use writer::{Message, Meters, Typed};

/// What this engine says differently.
mod dialect {
    /// One writer: nobody else is taking rows.
    macro_rules! skip_locked {
        () => {
            ""
        };
    }
    /// A list in JSON, bound as this parameter, as rows whose column `value` is each of its things.
    macro_rules! rows_of {
        ($parameter:literal) => {
            concat!("json_each(", $parameter, ")")
        };
    }
    pub(super) use {rows_of, skip_locked};
}

#[path = "../ops/mod.rs"]
mod ops;
#[cfg(test)]
pub(super) use ops::statements;

/// Commands waiting for the writer; beyond this many a caller is told to come back.
const QUEUE: usize = 4096;

/// See the module.
#[derive(Clone, Debug)]
pub struct Sqlite {
    queue: mpsc::Sender<Message>,
    readers: Arc<Readers>,
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

impl Sqlite {
    pub(super) async fn open(file: &Path, tuning: SqliteTuning) -> Result<Self, StoreError> {
        let cannot = |reason: String| StoreError::CannotOpen { path: file.display().to_string(), reason };
        let opening = Opening { file: file.to_owned(), vfs: tuning.vfs, full_sync: tuning.full_sync };
        let mut writer = opening.writer().map_err(|e| cannot(format!("{e}. Check that the folder exists and may be written")))?;
        schema::migrate(&mut writer).await.map_err(cannot)?;
        if tuning.full_sync {
            assert_durable(&mut writer).await.map_err(cannot)?;
        }
        let readers = Arc::new(Readers::open(&opening)?);
        let (queue, inbox) = mpsc::channel(QUEUE);
        let meters = Meters::new();
        std::thread::Builder::new()
            .name("assay-writer".to_owned())
            .spawn(move || writer::write(writer, &opening, &meters, inbox))
            .map_err(|e| cannot(format!("its writer cannot be started: {e}")))?;
        Ok(Self { queue, readers })
    }

    pub(super) async fn run<C>(&self, command: C) -> Result<<C as Command>::Out, StoreError>
    where
        C: Command + Apply<Conn, Out = <C as Command>::Out>,
    {
        let (reply, answer) = oneshot::channel();
        let waiting = Box::new(Typed::new(command, reply));
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
        // Nothing in it waits: it is done, or it is no query of ours.
        self.readers.with(|conn| query.apply(conn).now_or_never()).await?.unwrap_or(Err(StoreError::Closed))
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
    let words = |e: StoreError| e.to_string();
    let journal = query("PRAGMA journal_mode").fetch_one(conn).await.map_err(words)?;
    let synchronous = query("PRAGMA synchronous").fetch_one(conn).await.map_err(words)?;
    let (journal, synchronous) = (journal.try_get::<String>(0).map_err(words)?, synchronous.try_get::<i64>(0).map_err(words)?);
    if journal != "wal" {
        return Err(format!("it runs with journal_mode={journal}, and answers need WAL; put the data folder on a local disk"));
    }
    if synchronous != 2 {
        return Err(format!("it runs with synchronous={synchronous}, and answers need FULL (2)"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, mpsc::Receiver};

    use super::*;

    #[derive(Clone, Debug)]
    enum Deed {
        Wait(Arc<Mutex<Receiver<()>>>),
        Write(&'static str),
        WriteAndFail(&'static str),
        WriteAndPanic(&'static str),
        Sleep,
    }

    impl Command for Deed {
        type Out = ();
    }

    impl Apply<Conn> for Deed {
        type Out = ();

        async fn apply(&self, conn: &mut Conn) -> Result<(), StoreError> {
            match self {
                Self::Wait(go) => go.lock().unwrap().recv().unwrap(),
                Self::Sleep => tokio::task::yield_now().await,
                Self::Write(name) | Self::WriteAndFail(name) | Self::WriteAndPanic(name) => {
                    query("INSERT INTO installation (name, value) VALUES ($1, x'00')").bind(*name).execute(conn).await?;
                }
            }
            match self {
                Self::WriteAndFail(_) => Err(StoreError::Busy),
                Self::WriteAndPanic(_) => panic!("on purpose"),
                _ => Ok(()),
            }
        }
    }

    #[derive(Clone, Debug)]
    enum Look {
        Names,
        Panic,
    }

    impl Query for Look {
        type Out = Vec<String>;
    }

    impl Apply<Conn> for Look {
        type Out = Vec<String>;

        async fn apply(&self, conn: &mut Conn) -> Result<Vec<String>, StoreError> {
            assert!(matches!(self, Self::Names), "on purpose");
            let rows = query("SELECT name FROM installation ORDER BY name").fetch_all(conn).await?;
            rows.iter().map(|row| row.try_get(0)).collect()
        }
    }

    async fn opened() -> (tempfile::TempDir, Sqlite) {
        let folder = tempfile::tempdir().unwrap();
        let engine = Sqlite::open(&folder.path().join("assay.db"), SqliteTuning::default()).await.unwrap();
        (folder, engine)
    }

    #[tokio::test]
    async fn one_transaction_keeps_what_succeeds_and_undoes_the_rest() {
        let (_folder, engine) = opened().await;
        let (go, gate) = std::sync::mpsc::channel();
        let gate = Arc::new(Mutex::new(gate));
        // The first keeps the writer busy until all others wait in the queue; they come once it has begun, or they would be taken with it.
        let mut waits = Box::pin(engine.run(Deed::Wait(Arc::clone(&gate))));
        assert!((&mut waits).now_or_never().is_none());
        while gate.try_lock().is_ok() {
            tokio::task::yield_now().await;
        }
        let others = [Deed::Write("a"), Deed::WriteAndFail("b"), Deed::WriteAndPanic("c"), Deed::Sleep, Deed::Write("d"), Deed::Write("a")];
        let others = futures_util::future::join_all(others.map(|deed| engine.run(deed)));
        let queued = async {
            while engine.queue().0 < 6 {
                tokio::task::yield_now().await;
            }
            go.send(()).unwrap();
        };
        let (first, answers, ()) = tokio::join!(waits, others, queued);
        first.unwrap();
        assert!(answers[0].is_ok() && answers[4].is_ok(), "{answers:?}");
        assert!(matches!(answers[1], Err(StoreError::Busy)), "{answers:?}");
        assert!(matches!((&answers[2], &answers[3]), (Err(StoreError::Closed), Err(StoreError::Closed))), "{answers:?}");
        assert!(matches!(answers[5], Err(StoreError::Unavailable(_))), "{answers:?}");
        assert_eq!(engine.read(Look::Names).await.unwrap(), ["a", "d"]);
        // Alone in its transaction, too.
        for deed in [Deed::WriteAndFail("e"), Deed::WriteAndPanic("f"), Deed::Sleep] {
            assert!(engine.run(deed).await.is_err());
        }
        engine.run(Deed::Write("g")).await.unwrap();
        assert_eq!(engine.read(Look::Names).await.unwrap(), ["a", "d", "g"]);
        engine.close().await;
        assert!(matches!(engine.read(Look::Names).await, Err(StoreError::Closed)));
        assert!(matches!(engine.run(Deed::Write("h")).await, Err(StoreError::Closed)));
        engine.close().await;
    }

    #[tokio::test]
    async fn a_fold_that_a_reader_stands_in_the_way_of_is_made_up_for() {
        let (folder, engine) = opened().await;
        let file = folder.path().join("assay.db");
        let log = || std::fs::metadata(folder.path().join("assay.db-wal")).unwrap().len();
        let reader = Opening { file, vfs: None, full_sync: true }.reader().unwrap();
        reader.batch("BEGIN; SELECT COUNT(*) FROM installation").unwrap();
        engine.run(Deed::Write("a")).await.unwrap();
        engine.fold().await;
        assert!(log() > 0, "the reader does not stand in the way");
        reader.batch("COMMIT").unwrap();
        for _ in 0..100 {
            engine.run(Deed::Sleep).await.unwrap_err();
            if log() == 0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("it is never folded in");
    }

    #[tokio::test]
    async fn a_writer_is_never_opened_again_on_an_empty_database() {
        let (folder, engine) = opened().await;
        engine.close().await;
        let opening = |name: &str| Opening { file: folder.path().join(name), vfs: None, full_sync: true };
        assert!(opening("assay.db").writer_again().is_ok());
        assert!(opening("missing.db").writer_again().is_err() && !folder.path().join("missing.db").exists());
        std::fs::write(folder.path().join("empty.db"), "").unwrap();
        let words = opening("empty.db").writer_again().unwrap_err();
        assert!(words.contains("_sqlx_migrations"), "{words}");
    }

    #[tokio::test]
    async fn a_read_that_panics_gives_its_connection_back() {
        let (_folder, engine) = opened().await;
        for _ in 0..100 {
            let engine = engine.clone();
            assert!(tokio::spawn(async move { engine.read(Look::Panic).await.is_ok() }).await.is_err());
        }
        assert!(engine.read(Look::Names).await.unwrap().is_empty());
    }
}
