//! Time comes from one clock that tests can set.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

pub use watched::{ClockTrouble, SIGN_BEHIND_SECONDS, STEP_SECONDS, WatchedClock};

mod watched;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UtcMillis(pub i64);

/// One day in seconds.
pub const DAY_SECONDS: i64 = 86_400;

impl UtcMillis {
    /// This moment plus a number of seconds (negative: before).
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// Whole seconds from `earlier` to this moment, rounded down.
    pub fn seconds_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0).div_euclid(1000)
    }

    fn timestamp(self) -> Timestamp {
        Timestamp::from_millisecond(self.0).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn format(self, format: &str) -> String {
        self.timestamp().to_zoned(TimeZone::UTC).strftime(format).to_string()
    }

    /// `2026-11-24T14:02:11Z`, whole seconds.
    pub fn rfc3339(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%SZ")
    }

    /// `20261124T140211Z`, as calendar files want it (RFC 5545).
    pub fn ical(self) -> String {
        self.format("%Y%m%dT%H%M%SZ")
    }

    /// `24 November 2026`.
    pub fn day(self) -> String {
        self.format("%-d %B %Y")
    }

    /// `14:02`.
    pub fn time_of_day(self) -> String {
        self.format("%H:%M")
    }

    /// The whole second this moment lies in: what can be told exactly in words.
    #[must_use]
    pub fn whole_second(self) -> Self {
        Self(self.0.div_euclid(1000) * 1000)
    }

    /// `Tuesday 24 November 2026, 14:02 UTC`, with seconds where there are any: a start at the named time must not be too early.
    pub fn full(self) -> String {
        let whole_minute = self.0.rem_euclid(60_000) < 1000;
        self.format(if whole_minute { "%A %-d %B %Y, %H:%M UTC" } else { "%A %-d %B %Y, %H:%M:%S UTC" })
    }

    /// Year and month, `(2026, 11)`: what LinkedIn asks for.
    pub fn year_month(self) -> (i16, i8) {
        let zoned = self.timestamp().to_zoned(TimeZone::UTC);
        (zoned.year(), zoned.month())
    }

    /// The same day and time so many calendar months later (a 31st becomes the month's last day).
    #[must_use]
    pub fn plus_months(self, months: u16) -> Self {
        let zoned = self.timestamp().to_zoned(TimeZone::UTC);
        let later = zoned.checked_add(jiff::Span::new().months(i32::from(months)));
        later.map_or(self, |z| Self(z.timestamp().as_millisecond()))
    }

    /// Reads RFC 3339.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        text.parse::<Timestamp>().ok().map(|t| Self(t.as_millisecond()))
    }
}

impl fmt::Display for UtcMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full())
    }
}

/// The one clock.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> UtcMillis;

    /// Time since some moment that stays the same; setting the wall clock does not move it. A clock that nobody sets needs none.
    fn steady(&self) -> Duration {
        Duration::from_millis(self.now().0.try_into().unwrap_or(0))
    }

    /// Why this clock is not to be trusted at the moment, if it has a way to know.
    fn trouble(&self) -> Option<ClockTrouble> {
        None
    }

    /// Tells the clock of a time that has been, such as the newest in the database.
    fn not_before(&self, _known: UtcMillis) {}
}

/// A clock that stands still until it is set; for tests.
#[derive(Clone, Debug)]
pub struct SetClock {
    wall: Arc<AtomicI64>,
    stepped: Arc<AtomicI64>,
}

impl SetClock {
    /// Stands at `at`.
    pub fn new(at: UtcMillis) -> Self {
        Self { wall: Arc::new(AtomicI64::new(at.0)), stepped: Arc::default() }
    }

    /// Moves on by so many seconds: time passes.
    pub fn advance_seconds(&self, seconds: i64) {
        self.wall.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    /// Somebody sets the clock, and no time passes.
    pub fn step_seconds(&self, seconds: i64) {
        self.wall.fetch_add(seconds * 1000, Ordering::SeqCst);
        self.stepped.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> UtcMillis {
        UtcMillis(self.wall.load(Ordering::SeqCst))
    }

    fn steady(&self) -> Duration {
        let passed = self.wall.load(Ordering::SeqCst) - self.stepped.load(Ordering::SeqCst);
        Duration::from_millis(passed.try_into().unwrap_or(0))
    }
}

/// Another clock, moved by an offset: the demonstration's "a day ahead" button.
pub struct ShiftedClock<C> {
    inner: C,
    offset_seconds: AtomicI64,
}

impl<C: Clock> ShiftedClock<C> {
    /// Starts without an offset.
    pub fn new(inner: C) -> Self {
        Self { inner, offset_seconds: AtomicI64::new(0) }
    }

    /// Moves time ahead.
    pub fn advance_seconds(&self, seconds: i64) {
        self.offset_seconds.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl<C: Clock> Clock for ShiftedClock<C> {
    fn now(&self) -> UtcMillis {
        self.inner.now().plus_seconds(self.offset_seconds.load(Ordering::SeqCst))
    }

    fn steady(&self) -> Duration {
        // A shift on purpose is time that passes.
        let shifted = u64::try_from(self.offset_seconds.load(Ordering::SeqCst)).unwrap_or(0);
        self.inner.steady() + Duration::from_secs(shifted)
    }

    fn trouble(&self) -> Option<ClockTrouble> {
        self.inner.trouble()
    }

    fn not_before(&self, known: UtcMillis) {
        self.inner.not_before(known.plus_seconds(-self.offset_seconds.load(Ordering::SeqCst)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_as_people_and_machines_expect() {
        let moment = UtcMillis::parse_rfc3339("2026-11-24T14:02:11Z").unwrap();
        assert_eq!(moment.full(), "Tuesday 24 November 2026, 14:02:11 UTC");
        assert_eq!(moment.plus_seconds(-11).full(), "Tuesday 24 November 2026, 14:02 UTC");
        assert_eq!(UtcMillis(moment.0 + 999).whole_second(), moment);
        assert_eq!(moment.rfc3339(), "2026-11-24T14:02:11Z");
        assert_eq!(moment.ical(), "20261124T140211Z");
        assert_eq!(moment.plus_months(3).day(), "24 February 2027");
        assert_eq!(UtcMillis::parse_rfc3339("2026-01-31T00:00:00Z").unwrap().plus_months(1).day(), "28 February 2026");
    }

    #[test]
    fn a_moment_out_of_range_does_not_panic() {
        assert_eq!(UtcMillis(i64::MAX).day(), "1 January 1970");
        assert_eq!(UtcMillis(i64::MAX).plus_seconds(10), UtcMillis(i64::MAX));
    }
}
