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

    fn steady(&self) -> Duration {
        steady()
    }
}

/// Time since the machine was started, sleep included. Straight from the kernel: nothing that fakes the wall clock reaches it.
#[cfg(target_os = "linux")]
fn steady() -> Duration {
    let at = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let part = |n: i64| u64::try_from(n).unwrap_or(0);
    Duration::from_secs(part(at.tv_sec)) + Duration::from_nanos(part(at.tv_nsec))
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::disallowed_methods, reason = "this is the real clock that everything else is given")]
fn steady() -> Duration {
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed()
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
