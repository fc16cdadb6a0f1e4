//! A disk that fails, by a rule that a test sets.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use assay_core::chance::SeededChance;
use libsqlite3_sys::{SQLITE_CANTOPEN, SQLITE_FULL, SQLITE_IOERR_FSYNC, SQLITE_IOERR_WRITE, SQLITE_READONLY};

use crate::{
    trace::Recorder,
    vfs::{Disk, Op, Verdict},
};

/// How it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Not at all.
    Well,
    /// Now and then: so many in a thousand syncs, so many in a thousand writes; of these, half write a part.
    Now {
        /// Failed syncs in a thousand.
        syncs: usize,
        /// Failed writes in a thousand.
        writes: usize,
    },
    /// Every sync fails (EIO).
    NoSync,
    /// No byte is taken any more (ENOSPC).
    Full,
    /// Every write fails (EIO).
    NoWrite,
    /// It has become read-only (EROFS).
    ReadOnly,
    /// No file can be opened (EMFILE), and the next sync fails, so that a new connection is needed.
    NoOpen,
}

/// See the module. What was really done goes to the recorder.
pub struct Faulty {
    recorder: Arc<Recorder>,
    rule: Mutex<Rule>,
    chance: SeededChance,
    failures: AtomicUsize,
}

impl Faulty {
    /// Works well, until told otherwise.
    pub fn new(recorder: Arc<Recorder>) -> Self {
        Self { recorder, rule: Mutex::new(Rule::Well), chance: SeededChance::new([17; 32]), failures: AtomicUsize::new(0) }
    }

    /// Fails like this from now on.
    pub fn set(&self, rule: Rule) {
        *self.rule.lock().unwrap_or_else(PoisonError::into_inner) = rule;
    }

    /// How often it failed.
    pub fn failures(&self) -> usize {
        self.failures.load(Ordering::SeqCst)
    }

    fn verdict(&self, op: Op<'_>) -> Verdict {
        let in_a_thousand = |n: usize| self.chance.below(1000) < n;
        match (*self.rule.lock().unwrap_or_else(PoisonError::into_inner), op) {
            (Rule::Now { syncs, .. }, Op::Sync { .. }) if in_a_thousand(syncs) => Verdict::Fail(SQLITE_IOERR_FSYNC),
            (Rule::Now { writes, .. }, Op::Write { data, .. }) if in_a_thousand(writes) => match self.chance.below(2) {
                0 => Verdict::Fail(SQLITE_IOERR_WRITE),
                _ => Verdict::Short(self.chance.below(data.len()), SQLITE_FULL),
            },
            (Rule::NoSync | Rule::NoOpen, Op::Sync { .. }) => Verdict::Fail(SQLITE_IOERR_FSYNC),
            (Rule::Full, Op::Write { .. }) => Verdict::Fail(SQLITE_FULL),
            (Rule::NoWrite, Op::Write { .. } | Op::Truncate { .. } | Op::Delete { .. }) => Verdict::Fail(SQLITE_IOERR_WRITE),
            (Rule::ReadOnly, Op::Write { .. } | Op::Truncate { .. } | Op::Delete { .. }) => Verdict::Fail(SQLITE_READONLY),
            (Rule::NoOpen, Op::Open { .. }) => Verdict::Fail(SQLITE_CANTOPEN),
            _ => Verdict::Do,
        }
    }
}

impl Disk for Faulty {
    fn before(&self, op: Op<'_>) -> Verdict {
        let verdict = self.verdict(op);
        if verdict == Verdict::Do {
            return self.recorder.before(op);
        }
        self.failures.fetch_add(1, Ordering::SeqCst);
        match (op, verdict) {
            (Op::Sync { file }, _) => self.recorder.sync_failed(file),
            (Op::Write { file, offset, data }, Verdict::Short(some, _)) => {
                self.recorder.after(Op::Write { file, offset, data: &data[..some] });
            }
            _ => {}
        }
        verdict
    }

    fn after(&self, op: Op<'_>) {
        self.recorder.after(op);
    }
}
