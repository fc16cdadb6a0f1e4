//! A clock that does not follow its machine's clock over a cliff.
//!
//! Somebody sets the machine's clock, or a bad time server does: deadlines would pass that have not, and badges would carry a wrong
//! time. So the wall clock is compared with one that cannot be set. A step of more than a minute is not followed: time goes on from
//! where it was, and an alarm stands until the wall clock comes back, or until an operator, who has looked, starts the program anew.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use super::{Clock, UtcMillis};

/// Steps up to this are followed: leap seconds, a time server's small corrections.
pub const STEP_SECONDS: i64 = 60;
/// Further ahead of the time since the start than this, nothing is signed.
pub(crate) const SIGN_AHEAD_SECONDS: i64 = 3600;
/// Further behind what is known than this, nothing is signed.
pub const SIGN_BEHIND_SECONDS: i64 = 300;

/// Why a clock is not to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockTrouble {
    /// How far the wall clock is from the time that is told instead, in seconds; negative: behind. 0 when it is followed.
    pub step_seconds: i64,
    /// How far the wall clock is from where it would be if nobody had set it since the start.
    pub since_start_seconds: i64,
}

impl ClockTrouble {
    /// Whether this is too much to sign anything.
    pub fn forbids_signing(&self) -> bool {
        self.since_start_seconds > SIGN_AHEAD_SECONDS || self.since_start_seconds < -SIGN_BEHIND_SECONDS
    }
}

/// See the module.
#[derive(Debug)]
pub struct WatchedClock<C> {
    inner: C,
    /// Wall time minus steady time, in milliseconds: at the start, and as it is followed.
    first: AtomicI64,
    followed: AtomicI64,
    /// The newest time that is known from elsewhere.
    floor: AtomicI64,
}

/// One look at both clocks.
struct Look {
    steady: i64,
    offset: i64,
}

impl<C: Clock> WatchedClock<C> {
    /// Trusts the clock as it is now.
    pub fn new(inner: C) -> Self {
        let offset = look(&inner).offset;
        Self { inner, first: AtomicI64::new(offset), followed: AtomicI64::new(offset), floor: AtomicI64::new(i64::MIN) }
    }

    /// What both clocks say, and whether the wall clock is followed.
    fn see(&self) -> (Look, i64) {
        let seen = look(&self.inner);
        let followed = self.followed.load(Ordering::SeqCst);
        if (seen.offset - followed).abs() <= STEP_SECONDS * 1000 {
            self.followed.store(seen.offset, Ordering::SeqCst);
            return (seen, 0);
        }
        // A clock that began in the past, before anything that is known, and was then put right: a machine without a battery.
        let behind = |time: i64| time.saturating_add(SIGN_BEHIND_SECONDS * 1000) < self.floor.load(Ordering::SeqCst);
        if behind(seen.steady + followed) && !behind(seen.steady + seen.offset) {
            self.first.store(seen.offset, Ordering::SeqCst);
            self.followed.store(seen.offset, Ordering::SeqCst);
            return (seen, 0);
        }
        let step = seen.offset - followed;
        (seen, step)
    }
}

/// Wall and steady clock at one moment: again, when the machine stood still in between.
fn look(clock: &impl Clock) -> Look {
    let steady = || i64::try_from(clock.steady().as_millis()).unwrap_or(i64::MAX);
    let mut before = steady();
    for _ in 0..3 {
        let (wall, after) = (clock.now().0, steady());
        if after - before < 1000 {
            return Look { steady: after, offset: wall - after };
        }
        before = after;
    }
    Look { steady: before, offset: clock.now().0 - before }
}

impl<C: Clock> Clock for WatchedClock<C> {
    fn now(&self) -> UtcMillis {
        let (seen, step) = self.see();
        UtcMillis(seen.steady + seen.offset - step)
    }

    fn steady(&self) -> Duration {
        self.inner.steady()
    }

    fn trouble(&self) -> Option<ClockTrouble> {
        let (seen, step) = self.see();
        let since_start = seen.offset - self.first.load(Ordering::SeqCst);
        let far = since_start.abs() > SIGN_AHEAD_SECONDS * 1000;
        (step != 0 || far).then_some(ClockTrouble { step_seconds: step / 1000, since_start_seconds: since_start / 1000 })
    }

    fn not_before(&self, known: UtcMillis) {
        self.floor.fetch_max(known.0, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{DAY_SECONDS, SetClock};

    const START: UtcMillis = UtcMillis(1_795_424_400_000);

    fn watched() -> (SetClock, WatchedClock<SetClock>) {
        let hands = SetClock::new(START);
        (hands.clone(), WatchedClock::new(hands))
    }

    #[test]
    fn time_that_passes_is_followed_however_much_it_is() {
        let (hands, clock) = watched();
        hands.advance_seconds(400 * DAY_SECONDS);
        assert_eq!(clock.now(), START.plus_seconds(400 * DAY_SECONDS));
        assert_eq!(clock.trouble(), None);
    }

    #[test]
    fn a_small_step_is_followed() {
        let (hands, clock) = watched();
        hands.step_seconds(60);
        assert_eq!((clock.now(), clock.trouble()), (START.plus_seconds(60), None));
        hands.step_seconds(-60);
        assert_eq!((clock.now(), clock.trouble()), (START, None));
    }

    #[test]
    fn a_step_is_not_followed_and_time_goes_on() {
        for step in [61, -61, 7200, -90 * DAY_SECONDS, 3650 * DAY_SECONDS] {
            let (hands, clock) = watched();
            hands.step_seconds(step);
            assert_eq!(clock.now(), START);
            hands.advance_seconds(10);
            assert_eq!(clock.now(), START.plus_seconds(10));
            assert_eq!(clock.trouble(), Some(ClockTrouble { step_seconds: step, since_start_seconds: step }));
            // The clock comes back.
            hands.step_seconds(-step);
            assert_eq!((clock.now(), clock.trouble()), (START.plus_seconds(10), None));
        }
    }

    #[test]
    fn many_small_steps_are_seen_in_the_end() {
        let (hands, clock) = watched();
        for _ in 0..61 {
            assert_eq!(clock.trouble(), None);
            hands.step_seconds(60);
        }
        assert_eq!(clock.trouble(), Some(ClockTrouble { step_seconds: 0, since_start_seconds: 3660 }));
        assert!(clock.trouble().unwrap().forbids_signing());
    }

    #[test]
    fn what_forbids_signing() {
        let forbids = |since_start_seconds| ClockTrouble { step_seconds: since_start_seconds, since_start_seconds }.forbids_signing();
        assert_eq!([3600, 3601, -300, -301].map(forbids), [false, true, false, true]);
    }

    #[test]
    fn a_clock_that_began_in_the_past_may_be_put_right() {
        let hands = SetClock::new(UtcMillis(0));
        let clock = WatchedClock::new(hands.clone());
        clock.not_before(START);
        hands.step_seconds(START.0 / 1000 - 86_400);
        assert_eq!(clock.now(), UtcMillis(0), "not right yet");
        hands.step_seconds(86_400 + 5);
        assert_eq!((clock.now(), clock.trouble()), (START.plus_seconds(5), None));
        hands.step_seconds(-1000);
        assert_eq!(clock.now(), START.plus_seconds(5), "and no other way");
    }
}
