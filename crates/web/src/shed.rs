//! Who gives way when there is too much to do.
//!
//! Browsing and signing in give way first: they can be done a little later and nothing is lost. Whoever sits an attempt is served
//! until the queue of writes is full, which says so itself. Whoever watches the server is always answered.
//!
//! tower has a limit of concurrency and a shedder, but they know one kind of request, and make whoever comes last wait or go,
//! whatever it is about.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::{sync::Semaphore, time::timeout};

use crate::{App, error::Fault};

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Reading, signing in, beginning, verifying.
    Browse,
    /// An attempt under way, and the style and script that its pages need.
    Attempt,
    /// Health, for machines that watch.
    Watch,
}

impl Class {
    /// By the pattern of the route, which says everything.
    pub(crate) fn of(route: &str) -> Self {
        match route {
            "/healthz" | "/readyz" => Self::Watch,
            "/assets/{name}" | "/favicon.svg" => Self::Attempt,
            _ if route.starts_with("/attempts/") => Self::Attempt,
            _ => Self::Browse,
        }
    }

    /// For figures.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Browse => "browse",
            Self::Attempt => "attempt",
            Self::Watch => "watch",
        }
    }
}

/// How much at one time. The figures are for a small machine; a larger one gets through more before they are reached.
#[derive(Clone, Copy, Debug)]
pub struct AtOnce {
    /// Requests of browsing that are worked on at one time.
    pub browse: usize,
    /// More of them that wait for a place, for `patience` at most; the next is told to come back.
    pub browse_waiting: usize,
    /// How long one waits.
    pub patience: Duration,
    /// Requests of attempts under way from which on nobody browses.
    pub attempts: usize,
    /// Writes waiting, of a hundred that may, from which on nobody browses.
    pub queue_percent: usize,
}

impl Default for AtOnce {
    fn default() -> Self {
        Self { browse: 64, browse_waiting: 2048, patience: Duration::from_secs(5), attempts: 512, queue_percent: 12 }
    }
}

/// What is under way.
#[derive(Debug)]
pub(crate) struct Load {
    at_once: AtOnce,
    places: Semaphore,
    waiting: AtomicUsize,
    attempts: AtomicUsize,
}

impl Load {
    pub(crate) fn new(at_once: AtOnce) -> Self {
        let places = Semaphore::new(at_once.browse.min(Semaphore::MAX_PERMITS));
        Self { at_once, places, waiting: AtomicUsize::new(0), attempts: AtomicUsize::new(0) }
    }
}

/// Counted until dropped.
struct Under<'a>(&'a AtomicUsize);

impl<'a> Under<'a> {
    /// And how many there were before.
    fn count(all: &'a AtomicUsize) -> (Self, usize) {
        let before = all.fetch_add(1, Ordering::Relaxed);
        (Self(all), before)
    }
}

impl Drop for Under<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The layer.
pub(crate) async fn shed(State(app): State<App>, request: Request, next: Next) -> Response {
    let class = request.extensions().get::<MatchedPath>().map_or(Class::Browse, |route| Class::of(route.as_str()));
    let load = app.load();
    match class {
        Class::Watch => next.run(request).await,
        Class::Attempt => {
            let _counted = Under::count(&load.attempts);
            next.run(request).await
        }
        Class::Browse => {
            let (waits, room) = app.store.queue();
            let crowded = waits * 100 > room * load.at_once.queue_percent || load.attempts.load(Ordering::Relaxed) >= load.at_once.attempts;
            if crowded {
                return come_back(&app, class);
            }
            let place = match load.places.try_acquire() {
                Ok(place) => place,
                Err(_) => {
                    let (_counted, before) = Under::count(&load.waiting);
                    let place = if before < load.at_once.browse_waiting {
                        timeout(load.at_once.patience, load.places.acquire()).await.ok().and_then(Result::ok)
                    } else {
                        None
                    };
                    let Some(place) = place else { return come_back(&app, class) };
                    place
                }
            };
            let response = next.run(request).await;
            drop(place);
            response
        }
    }
}

fn come_back(app: &App, class: Class) -> Response {
    metrics::counter!("assay_shed_total", "class" => class.as_str()).increment(1);
    // Not all at the same moment.
    let [spread]: [u8; 1] = app.chance.bytes();
    let words = "Many people are at work here right now, and those who sit an assessment come first. Try again in a few seconds.";
    Fault { retry_after: Some(3 + u32::from(spread % 5)), ..Fault::busy(words) }.into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_sits_an_attempt_is_told_by_the_route() {
        for route in ["/attempts/{attempt}/questions/{position}/answer", "/attempts/{attempt}/submit", "/assets/{name}"] {
            assert_eq!(Class::of(route), Class::Attempt, "{route}");
        }
        for route in ["/", "/sign-in", "/programmes/{programme}/assessment", "/b/{badge}", "/verify", "none"] {
            assert_eq!(Class::of(route), Class::Browse, "{route}");
        }
        assert_eq!(Class::of("/readyz"), Class::Watch);
    }
}
