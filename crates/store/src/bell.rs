//! Rung when a job was queued, so that a worker need not wait for its next look.

use tokio::sync::watch;

/// A bell that everyone hears who was not listening when it rang.
#[derive(Debug)]
pub struct Bell(watch::Sender<()>);

/// Somebody who listens.
#[derive(Clone, Debug)]
pub struct Listener(watch::Receiver<()>);

impl Default for Bell {
    fn default() -> Self {
        Self(watch::Sender::new(()))
    }
}

impl Bell {
    /// Rings. A worker that is busy hears it afterwards.
    pub fn ring(&self) {
        self.0.send_replace(());
    }

    /// Listens from now on.
    pub fn listen(&self) -> Listener {
        Listener(self.0.subscribe())
    }
}

impl Listener {
    /// Waits until it rings, or returns at once if it rang since the last time. Never returns once the bell is gone.
    pub async fn heard(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
