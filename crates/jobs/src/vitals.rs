//! Whether the worker lives, and whether its clock may be signed by.

use std::{
    sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    time::Duration,
};

use assay_core::{
    Clock, UtcMillis,
    clock::{ClockTrouble, SIGN_BEHIND_SECONDS, STEP_SECONDS},
};
use assay_store::commands::Lane;
use tokio::time::Instant;

/// Without a sign of life for so long a lane is held for dead: a mail server is given 20 s for each mail.
const SILENT: Duration = Duration::from_secs(90);

/// See the module.
#[derive(Debug)]
pub(crate) struct Vitals {
    began: Instant,
    /// Last sign of life of each lane, in milliseconds since the beginning.
    signs: [AtomicU64; 2],
    /// The newest time that the database, the journal and this worker know.
    newest: AtomicI64,
    /// By how many milliseconds the database's clock is ahead of this one.
    ahead: AtomicI64,
    /// Whether the alarm was sounded that stands now.
    sounded: AtomicBool,
    signing_stopped: AtomicBool,
}

fn number(lane: Lane) -> usize {
    usize::from(lane == Lane::Mail)
}

impl Vitals {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            signs: Default::default(),
            newest: AtomicI64::new(i64::MIN),
            ahead: AtomicI64::new(0),
            sounded: AtomicBool::new(false),
            signing_stopped: AtomicBool::new(false),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A lane is at work.
    pub(crate) fn sign(&self, lane: Lane) {
        self.signs[number(lane)].store(self.now(), Ordering::Relaxed);
    }

    /// The lane that does nothing any more, in words.
    pub(crate) fn silence(&self) -> Option<String> {
        let silent = |lane| {
            let since = Duration::from_millis(self.now().saturating_sub(self.signs[number(lane)].load(Ordering::Relaxed)));
            (since > SILENT).then(|| {
                format!("{} stand still for {} s", if lane == Lane::Mail { "mails" } else { "badges and other jobs" }, since.as_secs())
            })
        };
        silent(Lane::Work).or_else(|| silent(Lane::Mail))
    }

    /// A time that has been.
    pub(crate) fn know(&self, at: UtcMillis) {
        self.newest.fetch_max(at.0, Ordering::SeqCst);
    }

    /// What a comparison with the database's clock found.
    pub(crate) fn compared(&self, ahead_ms: i64) {
        self.ahead.store(ahead_ms, Ordering::SeqCst);
    }

    /// How far this clock is from the database's, when that is too far: seconds, and words.
    pub(crate) fn apart(&self) -> Option<(i64, String)> {
        let ahead = self.ahead.load(Ordering::SeqCst);
        let seconds = ahead.saturating_abs() / 1000;
        let whither = if ahead > 0 { "behind" } else { "ahead of" };
        (seconds > STEP_SECONDS).then(|| (seconds, format!("the machine's clock is {seconds} s {whither} the database server's")))
    }

    /// Why nothing may be signed by this clock, in words.
    pub(crate) fn no_signing(&self, clock: &dyn Clock) -> Option<String> {
        let newest = UtcMillis(self.newest.load(Ordering::SeqCst));
        let now = clock.now();
        if now.plus_seconds(SIGN_BEHIND_SECONDS) < newest {
            return Some(format!(
                "the machine's clock says {}, and something was already signed or noted at {}; nothing is signed until the clock is right",
                now.rfc3339(),
                newest.rfc3339()
            ));
        }
        if let Some((_, words)) = self.apart().filter(|(seconds, _)| *seconds > SIGN_BEHIND_SECONDS) {
            return Some(format!("{words}; nothing is signed until one of them is set right"));
        }
        let trouble = clock.trouble().filter(ClockTrouble::forbids_signing)?;
        Some(format!(
            "the machine's clock was set by {} s since the start; nothing is signed until it comes back or the server is started anew",
            trouble.since_start_seconds
        ))
    }

    /// What is wrong with the clock, in words.
    pub(crate) fn clock_trouble(&self, clock: &dyn Clock) -> Option<String> {
        let step = || {
            let trouble = clock.trouble()?;
            Some(format!(
                "the machine's clock was set by {} s since the start; time goes on here as before, and attempts are not closed by it, until the clock comes back or the server is started anew",
                trouble.since_start_seconds
            ))
        };
        let apart =
            || Some(format!("{}; leases, waits and deadlines are not what they say until one of them is set right", self.apart()?.1));
        self.no_signing(clock).or_else(step).or_else(apart)
    }

    /// Sounds the alarm when it begins, and says when it is over. `true` when the clock has just come back.
    pub(crate) fn watch(&self, clock: &dyn Clock) -> bool {
        let trouble = self.clock_trouble(clock);
        let stopped = self.no_signing(clock).is_some();
        metrics::gauge!("assay_clock_alarm").set(f64::from(u8::from(trouble.is_some())));
        metrics::gauge!("assay_clock_apart_seconds").set(self.ahead.load(Ordering::SeqCst) as f64 / -1000.0);
        metrics::gauge!("assay_signing_stopped").set(f64::from(u8::from(stopped)));
        if self.signing_stopped.swap(stopped, Ordering::SeqCst) != stopped {
            if stopped {
                tracing::error!("ALARM: signing has stopped because of the clock");
            } else {
                tracing::warn!("signing goes on");
            }
        }
        let stood = self.sounded.swap(trouble.is_some(), Ordering::SeqCst);
        match (stood, trouble) {
            (false, Some(words)) => {
                metrics::counter!("assay_clock_alarms_total").increment(1);
                tracing::error!("ALARM: {words}");
                false
            }
            (true, None) => {
                tracing::warn!("the clock is right again");
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use assay_core::clock::SetClock;

    use super::*;

    #[test]
    fn a_clock_that_is_far_from_the_databases_is_told_and_then_not_signed_by() {
        let (vitals, clock) = (Vitals::new(), SetClock::new(UtcMillis(1_800_000_000_000)));
        for (ahead_seconds, told, stopped) in [
            (0, false, false),
            (59, false, false),
            (-90, true, false),
            (301, true, true),
            (-400, true, true),
            (i64::MIN / 1000, true, true),
        ] {
            vitals.compared(ahead_seconds * 1000);
            assert_eq!(vitals.clock_trouble(&clock).is_some(), told, "{ahead_seconds}");
            assert_eq!(vitals.no_signing(&clock).is_some(), stopped, "{ahead_seconds}");
        }
        vitals.compared(400_000);
        assert!(vitals.no_signing(&clock).is_some_and(|words| words.contains("400 s behind the database server's")));
        vitals.compared(-400_000);
        assert!(vitals.no_signing(&clock).is_some_and(|words| words.contains("400 s ahead of the database server's")));
        vitals.watch(&clock);
        vitals.compared(0);
        assert!(vitals.watch(&clock), "it came back");
    }
}
