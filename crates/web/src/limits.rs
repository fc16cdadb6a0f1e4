//! One limiter for every way in.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
    time::Duration,
};

use assay_core::chance::keyed_seed;
use assay_store::commands::TakeTurn;
use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::request::Parts,
};
use governor::{DefaultKeyedRateLimiter, Quota, clock::Clock as _};

use crate::{App, AtOnce, error::Fault};

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Way {
    /// Asking for a sign-in link, from one place.
    AskForLink,
    /// Mails to one address, asked for from one place.
    MailTo,
    /// Mails to one address, from everywhere.
    MailToAnywhere,
    /// Trying a sign-in link.
    TryLink,
    /// Verifying, which costs the server work.
    Verify,
    /// Drawing a picture, or showing a badge, which verifies it.
    Picture,
    /// Beginning an attempt, reporting a problem: writing that no person does often.
    Write,
}

impl Way {
    /// What was counted, for whoever meets the limit. Mails are counted whether or not the address is known here.
    fn words(self) -> &'static str {
        match self {
            Self::AskForLink => "Too many sign-in links were asked for from here.",
            Self::MailTo | Self::MailToAnywhere => {
                "Several sign-in links were mailed to this address within the hour. Each works for 15 minutes; look into the spam folder too."
            }
            Self::TryLink => "Too many sign-in links were tried from here.",
            Self::Verify => "Too many badges were verified from here.",
            Self::Picture => "Too many badges were looked at from here.",
            Self::Write => "You have begun attempts or reported problems too often within the hour.",
        }
    }
}

/// Keys from which on the limiter forgets; then now and again, since forgetting looks at all of them.
const FORGET_FROM: usize = 100_000;

/// The limiter.
pub struct Limits {
    limiters: Vec<(Way, DefaultKeyedRateLimiter<String>)>,
    /// Ways whose uses are counted over an hour, with a name for the database: these are shared by all nodes. What is counted by
    /// the minute shields one machine's processor, and stays with it.
    hourly: [(Way, &'static str, u32); 5],
    /// Longest that the whole body of a form may take.
    pub(crate) form_time: Duration,
    /// The same for an upload to the verifier: 24 MB at the pace of a slow phone line.
    pub(crate) upload_time: Duration,
    /// What is done at one time.
    pub(crate) at_once: AtOnce,
}

fn per(period: Duration, count: u32) -> Quota {
    let count = NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
    Quota::with_period(period / count.get()).unwrap_or(Quota::per_second(count)).allow_burst(count)
}

impl Limits {
    const HOUR: Duration = Duration::from_secs(3600);
    const MINUTE: Duration = Duration::from_secs(60);

    /// For a real server.
    pub fn strict() -> Self {
        Self::new([30, 3, 12, 60, 60, 240, 120])
    }

    /// For a demonstration on one's own machine and for load tests: as good as none.
    pub fn relaxed() -> Self {
        Self::new([1_000_000; 7])
    }

    /// The same, with so much at one time.
    #[must_use]
    pub fn with(self, at_once: AtOnce) -> Self {
        Self { at_once, ..self }
    }

    fn new([ask, mail, anywhere, link, verify, picture, write]: [u32; 7]) -> Self {
        let limiter = |way, quota| (way, DefaultKeyedRateLimiter::keyed(quota));
        Self {
            limiters: vec![
                limiter(Way::AskForLink, per(Self::HOUR, ask)),
                limiter(Way::MailTo, per(Self::HOUR, mail)),
                limiter(Way::MailToAnywhere, per(Self::HOUR, anywhere)),
                limiter(Way::TryLink, per(Self::HOUR, link)),
                limiter(Way::Verify, per(Self::MINUTE, verify)),
                limiter(Way::Picture, per(Self::MINUTE, picture)),
                limiter(Way::Write, per(Self::HOUR, write)),
            ],
            hourly: [
                (Way::AskForLink, "ask", ask),
                (Way::MailTo, "mail", mail),
                (Way::MailToAnywhere, "mail-anywhere", anywhere),
                (Way::TryLink, "link", link),
                (Way::Write, "write", write),
            ],
            form_time: Duration::from_secs(30),
            upload_time: Duration::from_secs(300),
            at_once: AtOnce::default(),
        }
    }

    /// Counts one use of a way by somebody, or refuses with words and the time to wait.
    pub(crate) fn take(&self, way: Way, who: &str) -> Result<(), Fault> {
        self.count(way, who).map_err(|seconds| Fault::too_often(way.words(), seconds))
    }

    /// The same, counted by all nodes together where there are several.
    pub(crate) async fn take_shared(app: &App, way: Way, who: &str) -> Result<(), Fault> {
        app.limits.take(way, who)?;
        let Some((_, name, count)) = app.limits.hourly.iter().find(|(w, ..)| *w == way).filter(|_| !app.store.is_alone()) else {
            return Ok(());
        };
        let take = TakeTurn {
            way: name,
            // A hash with the server's secret: whoever reads the table learns no address.
            key_hash: keyed_seed(&app.secret, &[b"limit", who.as_bytes()]),
            period_ms: 3_600_000 / i64::from((*count).max(1)),
            burst: *count,
            at: app.now(),
        };
        match app.store.run(take).await? {
            None => Ok(()),
            Some(free_at) => {
                let seconds = u32::try_from(free_at.seconds_since(app.now()).max(0)).unwrap_or(u32::MAX);
                Err(Fault::too_often(way.words(), seconds.saturating_add(1)))
            }
        }
    }

    /// The seconds to wait when it is one too many.
    fn count(&self, way: Way, who: &str) -> Result<(), u32> {
        let Some((_, limiter)) = self.limiters.iter().find(|(w, _)| *w == way) else { return Ok(()) };
        // Keys of long-gone visitors would pile up; the limiter forgets those that are full again.
        if limiter.len() > FORGET_FROM && limiter.len().is_multiple_of(1024) {
            limiter.retain_recent();
        }
        limiter.check_key(&who.to_owned()).map_err(|not_until| {
            let wait = not_until.wait_time_from(governor::clock::DefaultClock::default().now());
            u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1)
        })
    }
}

/// Where a request comes from, coarsely: an IPv4 address, or the /64 of an IPv6 one. Used for limits, never stored.
pub(crate) struct Place(pub(crate) String);

impl Place {
    /// Counts one use of a way from here.
    pub(crate) fn take(&self, app: &App, way: Way) -> Result<(), Fault> {
        app.limits.take(way, &self.0)
    }

    /// The same, counted by all nodes together.
    pub(crate) async fn take_shared(&self, app: &App, way: Way) -> Result<(), Fault> {
        Limits::take_shared(app, way, &self.0).await
    }
}

impl FromRequestParts<App> for Place {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let forwarded = parts.headers.get_all("x-forwarded-for").iter().next_back().and_then(|v| v.to_str().ok());
        let forwarded = forwarded.and_then(|v| v.rsplit(',').next()).and_then(|v| v.trim().parse().ok());
        let address = if app.settings.behind_proxy { forwarded.or(peer) } else { peer };
        Ok(Self(match address {
            None => "unknown".to_owned(),
            Some(IpAddr::V4(v4)) => v4.to_string(),
            Some(IpAddr::V6(v6)) => {
                v6.to_ipv4_mapped().map_or_else(|| Ipv6Addr::from(u128::from(v6) >> 64 << 64).to_string(), |v4| v4.to_string())
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fourth_mail_in_an_hour_is_refused_with_the_time_to_wait() {
        let limits = Limits::strict();
        for _ in 0..3 {
            assert_eq!(limits.count(Way::MailTo, "a@b.c"), Ok(()));
        }
        assert!(limits.count(Way::MailTo, "a@b.c").is_err_and(|seconds| (1..=1201).contains(&seconds)));
        assert_eq!(limits.count(Way::MailTo, "d@b.c"), Ok(()));
    }
}
