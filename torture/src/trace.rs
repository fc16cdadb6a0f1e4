//! What was done to the disk, and what callers were told, in one order.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use assay_jobs::{Entry, FileJournal, Journal, JournalError};
use serde::{Deserialize, Serialize};

use crate::vfs::{Disk, Op, Verdict};

/// The files whose changes count. SQLite's shared memory is rebuilt at every start and its temporary files at every use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kept {
    /// `assay.db`
    Database,
    /// `assay.db-wal`
    Log,
    /// `assay.db-journal`, before the database is in WAL mode.
    Rollback,
    /// `signing.jsonl`
    Signing,
}

impl Kept {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Database, Self::Log, Self::Rollback, Self::Signing];

    /// The file's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Database => "assay.db",
            Self::Log => "assay.db-wal",
            Self::Rollback => "assay.db-journal",
            Self::Signing => "signing.jsonl",
        }
    }

    fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|file| file.name() == name)
    }
}

/// What somebody was told, so that it must stand from here on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Told {
    /// The programme is published.
    Published,
    /// Attempt number so and so is begun.
    Started(usize),
    /// An answer is saved.
    Saved {
        /// Number of the attempt.
        attempt: usize,
        /// From 1.
        position: u16,
        /// Of the answer.
        revision: i64,
    },
    /// An attempt is about to be handed in: no answer to that yet.
    HandingIn(usize),
    /// It is handed in.
    HandedIn(usize),
    /// A mail was handed to the mail server.
    Mailed {
        /// Its id, the same at every try.
        id: String,
        /// To whom, about what.
        mail: String,
    },
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A file was opened, and made if it was not there.
    Make(Kept),
    /// Bytes were written.
    Write(Kept, u64, Vec<u8>),
    /// A file got another length.
    Truncate(Kept, u64),
    /// A file was synced.
    Sync(Kept),
    /// A sync failed: what was written since the last is seen by the running system, and is on no disk. (Kernels take such pages
    /// for clean; a later sync of the file does not write them.)
    SyncFailed(Kept),
    /// A file was removed, and the folder synced or not.
    Delete(Kept, bool),
    /// Somebody was told something.
    Told(Told),
}

/// Writes everything down. As a disk it may also be one that lies about syncing.
#[derive(Debug, Default)]
pub struct Recorder {
    events: Mutex<Vec<Event>>,
    ignore_syncs: bool,
}

impl Recorder {
    /// A disk that does as it says; or, as a negative control, one that neither does nor writes down a sync.
    pub fn new(ignore_syncs: bool) -> Self {
        Self { events: Mutex::default(), ignore_syncs }
    }

    fn events(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody was told something.
    pub fn told(&self, told: Told) {
        self.events().push(Event::Told(told));
    }

    /// A sync failed.
    pub fn sync_failed(&self, file: &str) {
        self.events().extend(Kept::of(file).map(Event::SyncFailed));
    }

    /// Hands over what was written down.
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.events())
    }
}

impl Disk for Recorder {
    fn before(&self, op: Op<'_>) -> Verdict {
        match op {
            Op::Sync { .. } if self.ignore_syncs => {
                // A sync takes its time, else there is never a second command in the queue; this one takes it for nothing.
                pause();
                Verdict::Pretend
            }
            _ => Verdict::Do,
        }
    }

    fn after(&self, op: Op<'_>) {
        let event = match op {
            Op::Open { file, create } => Kept::of(file).filter(|_| create).map(Event::Make),
            Op::Write { file, offset, data } => Kept::of(file).map(|file| Event::Write(file, offset, data.to_vec())),
            Op::Truncate { file, size } => Kept::of(file).map(|file| Event::Truncate(file, size)),
            Op::Sync { file } => {
                pause();
                Kept::of(file).map(Event::Sync)
            }
            Op::Delete { file, durable } => Kept::of(file).map(|file| Event::Delete(file, durable)),
        };
        self.events().extend(event);
    }
}

/// Memory syncs in no time; disks do not, and commands gather meanwhile.
fn pause() {
    std::thread::sleep(std::time::Duration::from_micros(300));
}

/// The real signing journal, with its writes in the trace: each line written, then synced, then acknowledged.
pub struct RecordedJournal {
    inner: FileJournal,
    path: PathBuf,
    recorder: Arc<Recorder>,
    turn: Mutex<()>,
    syncs: bool,
}

impl RecordedJournal {
    /// In this file. Without `syncs` no line is ever on the disk: a negative control.
    pub fn new(path: &Path, recorder: Arc<Recorder>, syncs: bool) -> Self {
        Self { inner: FileJournal::new(path), path: path.to_owned(), recorder, turn: Mutex::new(()), syncs }
    }
}

impl Journal for RecordedJournal {
    fn append(&self, entry: &Entry) -> Result<(), JournalError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let length = || std::fs::metadata(&self.path).map_or(0, |about| about.len());
        let before = length();
        self.inner.append(entry)?;
        let line = std::fs::read(&self.path).unwrap().split_off(usize::try_from(before).unwrap());
        let mut events = self.recorder.events();
        events.push(Event::Write(Kept::Signing, before, line));
        if self.syncs {
            events.push(Event::Sync(Kept::Signing));
        }
        Ok(())
    }
}
