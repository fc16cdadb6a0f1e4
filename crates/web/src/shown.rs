//! When questions were first shown is noted in the background, many at a time.
//!
//! It is no promise to anybody: a page does not wait for a commit, and can be read while nothing can be written. A crash forgets the
//! notes of the last fifth of a second, or those since the database took none; an answer is saved all the same.

use std::{
    mem::take,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use assay_store::commands::{NoteShown, Shown};

use crate::App;

/// Notes are gathered for so long.
const GATHER: Duration = Duration::from_millis(200);
/// Before notes that could not be written are tried again.
const PAUSE: Duration = Duration::from_secs(2);
/// Notes in one command: nobody else's waits long behind it.
const AT_ONCE: usize = 128;
/// Notes that wait at most; while the disk is full, further ones are forgotten.
const MOST: usize = 20_000;

/// What waits to be written.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    waiting: Mutex<Waiting>,
    /// Held while some are written.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Waiting {
    notes: Vec<Shown>,
    /// Somebody sees to it that they are written.
    seen_to: bool,
}

impl Notes {
    fn with<T>(&self, act: impl FnOnce(&mut Waiting) -> T) -> T {
        act(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl App {
    /// Notes that a question was shown, soon.
    pub(crate) fn note_shown(&self, shown: Shown) {
        let begin = self.notes().with(|waiting| {
            if waiting.notes.len() < MOST {
                waiting.notes.push(shown);
            }
            !std::mem::replace(&mut waiting.seen_to, true)
        });
        if begin {
            tokio::spawn(self.clone().write_notes());
        }
    }

    async fn write_notes(self) {
        let mut pause = GATHER;
        loop {
            tokio::time::sleep(pause).await;
            pause = if self.settle().await { GATHER } else { PAUSE };
            if self.notes().with(|waiting| {
                waiting.seen_to = !waiting.notes.is_empty();
                !waiting.seen_to
            }) {
                return;
            }
        }
    }

    /// Writes the notes that wait; `false` when the database does not take them: they wait on. A server that ends calls it last.
    pub async fn settle(&self) -> bool {
        let _one_at_a_time = self.notes().writing.lock().await;
        let mut notes = self.notes().with(|waiting| take(&mut waiting.notes));
        // The first time counts, also where a page was loaded again before anything could be written; and nodes take rows in one order.
        let place = |shown: &Shown| (shown.learner.person.0, shown.attempt.0, shown.position);
        notes.sort_unstable_by_key(|shown| (place(shown), shown.at));
        notes.dedup_by_key(|shown| place(shown));
        while !notes.is_empty() {
            let shown = notes[notes.len().saturating_sub(AT_ONCE)..].to_vec();
            let written = notes.len() - shown.len();
            if let Err(error) = self.store.run(NoteShown { shown }).await {
                tracing::warn!(%error, notes = notes.len(), "when questions were shown could not be noted");
                self.notes().with(|waiting| waiting.notes.append(&mut notes));
                return false;
            }
            notes.truncate(written);
        }
        true
    }
}
