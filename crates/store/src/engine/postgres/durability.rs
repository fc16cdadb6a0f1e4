//! Whether the server keeps what it acknowledges: looked at on every new connection, since after a failover it is another server.

use std::sync::{Mutex, PoisonError};

use sqlx::Row;

use super::Conn;

/// What a commit is promised to survive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Promise {
    /// A crash or a power cut of the server.
    #[default]
    Disk,
    /// The loss of the server: a commit is acknowledged once a synchronous standby has it, too.
    Standby,
}

/// In one round, as one message: behind a pooler, two could meet different connections.
const LOOK: &str = "SELECT current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'), \
    current_setting('synchronous_standby_names'), CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE 'primary' END";
/// Settings in that order, and what a power cut or a crash can do when they are off.
const SETTINGS: [(&str, &str); 3] = [
    ("fsync", "a power cut of the database server can then lose or corrupt everything"),
    ("full_page_writes", "a power cut can then leave torn pages"),
    ("synchronous_commit", "a crash can then lose answers that were called saved"),
];
/// Words that the server itself says, in the middle of an error, when a transaction asks it for its promise (`MARKED`).
pub(super) const NO_STANDBY: &str = "the server waits for no standby";

/// Refuses a server that would break the promise, or, where none is asked for, one that cannot be written to; the reason in words.
pub(super) async fn check(conn: &mut Conn, promise: Option<Promise>) -> Result<(), String> {
    let row = sqlx::raw_sql(LOOK).fetch_one(conn).await.map_err(|e| format!("its settings cannot be read: {e}"))?;
    let value = |n: usize| row.try_get::<String, _>(n).map_err(|e| format!("its settings cannot be read: {e}"));
    for (n, (name, consequence)) in SETTINGS.into_iter().enumerate().filter(|_| promise.is_some()) {
        if value(n)? == "off" {
            return Err(format!("it runs with {name} = off: {consequence}; set {name} = on"));
        }
    }
    if promise == Some(Promise::Standby) && value(2)? == "local" {
        return Err("the settings say durability = \"standby\", and it runs with synchronous_commit = local, which does not wait for the standby; set synchronous_commit = on".to_owned());
    }
    if value(4)? == "standby" {
        return Err("it is a standby, which cannot be written to; name the primary, or promote this one".to_owned());
    }
    if promise == Some(Promise::Standby) && value(3)?.trim().is_empty() {
        return Err(format!(
            "the settings say durability = \"standby\", and {NO_STANDBY}: answers that were called saved would be lost with it; \
             set synchronous_standby_names, or write durability = \"disk\""
        ));
    }
    Ok(())
}

/// What stands in the way of every new connection, told once.
#[derive(Debug, Default)]
pub(super) struct Refusal(Mutex<Option<String>>);

impl Refusal {
    /// Takes down what a look found wrong, if anything.
    pub(super) fn note(&self, found: Option<&str>) {
        let mut standing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match found {
            None if standing.take().is_some() => tracing::warn!("the database server gives the durability that is promised again"),
            Some(words) if standing.as_deref() != Some(words) => {
                tracing::error!("ALARM: the database server cannot be used: {words}");
                *standing = Some(words.to_owned());
            }
            _ => {}
        }
        metrics::gauge!("assay_durability_given").set(f64::from(u8::from(standing.is_none())));
    }

    /// What stands in the way.
    pub(super) fn words(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
