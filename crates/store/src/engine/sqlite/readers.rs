//! Connections that only read. A read runs where it is asked for: it is done sooner than another thread would wake.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Semaphore;

use super::conn::{Conn, Opening};
use crate::StoreError;

/// Connections at least; a machine with more cores gets one for each, up to `MOST`.
const LEAST: usize = 4;
const MOST: usize = 32;

/// See the module.
#[derive(Debug)]
pub(super) struct Readers {
    free: Mutex<Vec<Conn>>,
    /// One for each connection: whoever has one finds a connection.
    places: Semaphore,
    all: u32,
}

impl Readers {
    /// Opens all of them now and for good: a page can then be read while no file can be opened.
    pub(super) fn open(opening: &Opening) -> Result<Self, StoreError> {
        let all = std::thread::available_parallelism().map_or(LEAST, |cores| cores.get().clamp(LEAST, MOST));
        let free = (0..all).map(|_| opening.reader()).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { free: Mutex::new(free), places: Semaphore::new(all), all: all as u32 })
    }

    /// Reads with one of them.
    pub(super) async fn with<T>(&self, read: impl FnOnce(&mut Conn) -> T + Send) -> Result<T, StoreError> {
        let _place = self.places.acquire().await.map_err(|_| StoreError::Closed)?;
        let mut conn = self.free().pop().ok_or(StoreError::Closed)?;
        let answer = catch_unwind(AssertUnwindSafe(|| read(&mut conn)));
        // Given back also by a read that panics.
        self.free().push(conn);
        answer.map_err(|panic| resume_unwind(panic))
    }

    fn free(&self) -> MutexGuard<'_, Vec<Conn>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for reads under way, and closes all.
    pub(super) async fn close(&self) {
        if let Ok(_all) = self.places.acquire_many(self.all).await {
            self.places.close();
            self.free().clear();
        }
    }
}
