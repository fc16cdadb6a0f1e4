//! Warnings that a server sends beside success.
//!
//! A commit whose wait for the standby was cancelled is reported as done, with a warning. The driver hands warnings to the log only,
//! so the log of this one future is read.

use std::sync::{Arc, Mutex, PoisonError};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    instrument::WithSubscriber,
    span,
};

/// Target of the driver's own log of what the server said.
const TARGET: &str = "sqlx::postgres::notice";

/// What a future answers, and the first warning that the server sent meanwhile.
pub(super) async fn warnings_of<T>(work: impl Future<Output = T>) -> (T, Option<String>) {
    let heard = Arc::new(Mutex::new(None));
    let answer = work.with_subscriber(Ear(Arc::clone(&heard))).await;
    let words = heard.lock().unwrap_or_else(PoisonError::into_inner).take();
    (answer, words)
}

struct Ear(Arc<Mutex<Option<String>>>);

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET && *metadata.level() <= Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        let mut words = Words(String::new());
        event.record(&mut words);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(words.0);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

struct Words(String);

impl Visit for Words {
    fn record_debug(&mut self, _: &Field, value: &dyn std::fmt::Debug) {
        self.0 = format!("{value:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_warning_is_heard_and_nothing_else() {
        let (answer, words) = warnings_of(async {
            tokio::task::yield_now().await;
            tracing::info!(target: TARGET, "some notice");
            tracing::warn!(target: "elsewhere", "another room");
            1
        })
        .await;
        assert_eq!((answer, words), (1, None));
        let (_, words) = warnings_of(async { tracing::warn!(target: TARGET, message = "canceling wait") }).await;
        assert!(words.is_some_and(|w| w.contains("canceling wait")));
    }
}
