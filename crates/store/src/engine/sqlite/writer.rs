//! The one writer, on a thread of its own: takes what waits in the queue into one transaction, and acknowledges after the commit.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{
    super::{Apply, Command},
    conn::{Conn, Opening},
};
use crate::{EngineError, StoreError};

/// Commands in one transaction.
const BATCH: usize = 128;
/// How long a fold waits for readers: nobody is served meanwhile.
const FOLD_PATIENCE: Duration = Duration::from_millis(100);
/// Before a fold that readers stood in the way of is tried again.
const FOLD_PAUSE: Duration = Duration::from_secs(1);

/// What the writer is asked.
pub(super) enum Message {
    Run(Box<dyn Waiting>),
    /// Folds the write-ahead log in, so that what was erased is not found there either.
    Fold(oneshot::Sender<()>),
    Close(oneshot::Sender<()>),
}

/// A command in the queue, its type forgotten.
pub(super) trait Waiting: Send {
    /// Applies it and keeps its answer; `false` when its effects must be undone.
    fn apply(&mut self, conn: &mut Conn) -> bool;
    /// Hands the answer over, after the commit. `Err` when the commit failed.
    fn finish(self: Box<Self>, commit: Result<(), Failed>);
}

/// Why a transaction was not acknowledged.
#[derive(Clone, Debug)]
pub(super) struct Failed {
    reason: String,
    /// It failed while it was committed: the disk may hold it all the same.
    committing: bool,
}

impl Failed {
    fn before(reason: impl ToString) -> Self {
        Self { reason: reason.to_string(), committing: false }
    }
}

/// A command with its type, and who waits for its answer.
pub(super) struct Typed<C: Apply<Conn>> {
    command: C,
    result: Option<Result<C::Out, StoreError>>,
    reply: oneshot::Sender<Result<C::Out, StoreError>>,
}

impl<C: Command + Apply<Conn, Out = <C as Command>::Out>> Typed<C> {
    pub(super) fn new(command: C, reply: oneshot::Sender<Result<<C as Command>::Out, StoreError>>) -> Self {
        Self { command, result: None, reply }
    }
}

impl<C: Command + Apply<Conn, Out = <C as Command>::Out>> Waiting for Typed<C> {
    fn apply(&mut self, conn: &mut Conn) -> bool {
        // Nothing in it waits: it is done, or it is no command of ours.
        self.result = self.command.apply(conn).now_or_never();
        matches!(self.result, Some(Ok(_)))
    }

    fn finish(self: Box<Self>, commit: Result<(), Failed>) {
        let answer = match (commit, self.result) {
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(StoreError::Closed),
            // The statement's own error says more than the commit's.
            (Err(_), Some(Err(e))) => Err(e),
            (Err(Failed { reason, committing: true }), _) => Err(StoreError::Unknown(EngineError::Words(reason))),
            (Err(Failed { reason, .. }), _) => Err(StoreError::Unavailable(EngineError::Words(reason))),
        };
        // A caller that went away does not need its answer.
        let _gone = self.reply.send(answer);
    }
}

/// What is counted; looked up once, where the program's figures are found: the writer's thread is nobody's.
pub(super) struct Meters {
    seconds: metrics::Histogram,
    commands: metrics::Histogram,
    failed: metrics::Counter,
}

impl Meters {
    pub(super) fn new() -> Self {
        Self {
            seconds: metrics::histogram!("assay_commit_seconds"),
            commands: metrics::histogram!("assay_commit_commands"),
            failed: metrics::counter!("assay_commits_failed_total"),
        }
    }
}

/// Writes until it is told to close, or nobody is left who could send anything.
pub(super) fn write(conn: Conn, opening: &Opening, meters: &Meters, mut inbox: mpsc::Receiver<Message>) {
    let mut conn = Some(conn);
    let mut fold = Fold::default();
    while let Some(first) = inbox.blocking_recv() {
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
        let commit = match connected(&mut conn, opening) {
            Ok(conn) => transaction(conn, &mut batch),
            Err(reason) => Err(reason),
        };
        if !batch.is_empty() {
            meters.seconds.record(began.elapsed());
            meters.commands.record(batch.len() as f64);
        }
        if let Err(Failed { reason, .. }) = &commit {
            meters.failed.increment(1);
            tracing::error!(reason, commands = batch.len(), "a transaction failed; nothing of it was acknowledged");
            // The connection may hold half of it: a new one, made for the next command, holds nothing.
            conn = None;
        }
        fail_point!("store::after_commit");
        for waiting in batch {
            waiting.finish(commit.clone());
        }
        fold.once(conn.as_ref(), folding.is_some());
        if let Some(reply) = folding {
            let _gone = reply.send(());
        }
        if let Some(reply) = closing {
            if let Some(conn) = conn
                && let Err(error) = conn.close()
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
fn connected<'a>(conn: &'a mut Option<Conn>, opening: &Opening) -> Result<&'a mut Conn, Failed> {
    let ready = match conn.take() {
        Some(ready) => ready,
        None => opening.writer_again().map_err(|error| Failed::before(format!("the database cannot be opened again: {error}")))?,
    };
    Ok(conn.insert(ready))
}

/// The fold that somebody asked for, until it is done: a reader may still need the log, and the connection may have to be made anew.
#[derive(Default)]
struct Fold {
    owed: bool,
    tried_at: Option<Instant>,
}

impl Fold {
    fn once(&mut self, conn: Option<&Conn>, asked: bool) {
        self.owed |= asked;
        let waits = !asked && self.tried_at.is_some_and(|at| at.elapsed() < FOLD_PAUSE);
        let Some(conn) = conn.filter(|_| self.owed && !waits) else { return };
        match conn.fold(FOLD_PATIENCE) {
            Ok(folded) => self.owed = !folded,
            Err(error) => tracing::warn!(%error, "the write-ahead log could not be folded in now"),
        }
        if asked && self.owed {
            tracing::info!("what was erased stands in the write-ahead log until readers let it be folded in");
        }
        self.tried_at = Some(Instant::now());
    }
}

/// Applies a command; `false` when it must be undone. One that panics is undone like one that fails; the writer lives on.
fn applied(waiting: &mut Box<dyn Waiting>, conn: &mut Conn) -> bool {
    catch_unwind(AssertUnwindSafe(|| waiting.apply(conn))).unwrap_or(false)
}

fn transaction(conn: &mut Conn, batch: &mut [Box<dyn Waiting>]) -> Result<(), Failed> {
    if batch.is_empty() {
        return Ok(());
    }
    let words = |e: StoreError| Failed::before(e);
    conn.step("BEGIN IMMEDIATE").map_err(words)?;
    // One that is alone needs no savepoint: the transaction is its own.
    if let [alone] = batch {
        if !applied(alone, conn) {
            return conn.step("ROLLBACK").map_err(words);
        }
    } else {
        for waiting in batch {
            conn.step("SAVEPOINT one").map_err(words)?;
            if !applied(waiting, conn) {
                conn.step("ROLLBACK TO one").map_err(words)?;
            }
            conn.step("RELEASE one").map_err(words)?;
        }
    }
    fail_point!("store::before_commit", |_| Err(Failed::before("a fail point")));
    conn.step("COMMIT").map_err(|error| Failed { reason: error.to_string(), committing: true })
}
