//! The real clock and the real chance: the only place that asks the operating system for either.

use std::{thread, time::Duration};

use assay_core::{Chance, Clock, UtcMillis};

/// The operating system's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the real clock that everything else is given")]
    fn now(&self) -> UtcMillis {
        UtcMillis(jiff::Timestamp::now().as_millisecond())
    }
}

/// The operating system's random bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemChance;

impl Chance for SystemChance {
    #[expect(clippy::disallowed_methods, reason = "this is the real chance that everything else is given")]
    fn fill(&self, buffer: &mut [u8]) {
        // Waiting is right: going on with bytes that somebody could guess would give sessions and badges away.
        while let Err(error) = getrandom::fill(buffer) {
            tracing::error!(%error, "the operating system gives no random bytes; waiting for it");
            thread::sleep(Duration::from_millis(200));
        }
    }
}

/// A moment for the badge room, whole seconds: its dates have no fractions.
pub(crate) fn timestamp(at: UtcMillis) -> jiff::Timestamp {
    jiff::Timestamp::from_second(at.0.div_euclid(1000)).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}
