//! Which of several servers is the primary, now and after it was lost.
//!
//! Nobody here promotes anything: an operator or a tool of theirs does. Whoever finds a connection broken, or waits for an answer
//! for long, wakes the one task that asks all hosts; it turns both pools to the one that can be written to, and lets everybody go who
//! still waits for the old one. Of two that can be written to, the later timeline is right: a primary that comes back unasked has the
//! earlier one, and is never gone back to.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use sqlx::{ConnectOptions, PgConnection, PgPool, Row, postgres::PgConnectOptions};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, timeout},
};

use super::address::{self, Address};

/// A host that says nothing for so long is not the primary.
pub(super) const PROBE: Duration = Duration::from_secs(2);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);
/// A look though nobody doubts: an old primary that breaks nothing off is found out, too.
const UNASKED: Duration = Duration::from_secs(60);
/// The server's part in the name of a log file: eight hexadecimal digits of its timeline.
const LOOK: &str = "SELECT CASE WHEN pg_is_in_recovery() THEN '' ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END";
/// Why a server is not the primary.
const STANDBY: &str = "it is a standby";
const OF_OLD: &str = "it is a primary of old, which another one has replaced";

/// See the module.
#[derive(Debug)]
pub(super) struct Primary {
    hosts: Vec<PgConnectOptions>,
    now: AtomicUsize,
    /// The latest timeline that was ever seen to be written to.
    timeline: AtomicI64,
    /// When the primary changed last.
    changed_at: Mutex<Option<Instant>>,
    /// How often it changed.
    changes: watch::Sender<u64>,
    wake: Notify,
}

impl Primary {
    /// Finds the primary, for `patience` at most. One host alone is not asked: it is what there is. A host that gave no answer may be
    /// the one that took over: as long as there is patience, it is asked again.
    pub(super) async fn find(address: &Address, patience: Duration) -> Result<Arc<Self>, String> {
        let found = Arc::new(Self {
            hosts: address.hosts.clone(),
            now: AtomicUsize::new(0),
            timeline: AtomicI64::new(0),
            changed_at: Mutex::new(None),
            changes: watch::Sender::new(0),
            wake: Notify::new(),
        });
        let began = Instant::now();
        while found.hosts.len() > 1 {
            match found.look().await {
                (Ok(host), all) if all || began.elapsed() > patience => {
                    found.now.store(host, Ordering::SeqCst);
                    break;
                }
                (Err(words), _) if began.elapsed() > patience => return Err(words),
                _ => sleep(PAUSE).await,
            }
        }
        Ok(found)
    }

    /// How the primary is reached.
    pub(super) fn options(&self) -> &PgConnectOptions {
        &self.hosts[self.now.load(Ordering::SeqCst)]
    }

    /// Something is wrong with a connection: the hosts are asked.
    pub(super) fn doubt(&self) {
        self.wake.notify_one();
    }

    /// Whether a connection of this age is to the primary of today.
    pub(super) fn is_of_today(&self, age: Duration) -> bool {
        self.changed_at.lock().unwrap_or_else(PoisonError::into_inner).is_none_or(|at| age < at.elapsed())
    }

    pub(super) fn changed_now(&self) {
        *self.changed_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Refuses a server that another one has replaced: a connection may have been begun before anybody here knew.
    pub(super) async fn check(&self, conn: &mut PgConnection) -> Result<(), String> {
        if self.hosts.len() < 2 {
            return Ok(());
        }
        let found = timeline(conn).await?.ok_or(STANDBY)?;
        let known = self.timeline.load(Ordering::SeqCst);
        if found < known {
            return Err(OF_OLD.to_owned());
        }
        if found > known {
            self.doubt();
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn another_took_over(&self) {
        self.timeline.fetch_add(1, Ordering::SeqCst);
    }

    /// Waits for work on the primary: `None` when it took too long, or when the primary was lost meanwhile.
    pub(super) async fn wait_for<T>(&self, work: impl Future<Output = T>, doubtful: Duration, longest: Duration) -> Option<T> {
        let mut changes = self.changes.subscribe();
        let lost = async {
            sleep(doubtful).await;
            self.doubt();
            let _over = timeout(longest.saturating_sub(doubtful), changes.changed()).await;
        };
        tokio::pin!(work);
        tokio::select! {
            biased;
            done = &mut work => Some(done),
            () = lost => None,
        }
    }

    /// Asks whenever somebody doubts, until the pools are closed.
    pub(super) async fn follow(self: Arc<Self>, pools: [PgPool; 2]) {
        if self.hosts.len() < 2 {
            return;
        }
        let mut lost = false;
        loop {
            tokio::select! {
                () = self.wake.notified() => {}
                () = sleep(UNASKED) => {}
                () = pools[0].close_event() => return,
            }
            let before = self.timeline.load(Ordering::SeqCst);
            match self.look().await.0 {
                Ok(host) if host != self.now.load(Ordering::SeqCst) || self.timeline.load(Ordering::SeqCst) != before => {
                    self.now.store(host, Ordering::SeqCst);
                    pools.iter().for_each(|pool| pool.set_connect_options(self.hosts[host].clone()));
                    self.changed_now();
                    self.changes.send_modify(|changes| *changes += 1);
                    metrics::counter!("assay_primary_changes_total").increment(1);
                    tracing::warn!(primary = address::place(&self.hosts[host]), "the database has another primary now");
                    lost = false;
                }
                Ok(_) => {
                    if std::mem::take(&mut lost) {
                        tracing::warn!("the database's primary answers again");
                    }
                }
                Err(words) => {
                    if !std::mem::replace(&mut lost, true) {
                        tracing::error!("no database server can be written to: {words}");
                    }
                    self.doubt();
                }
            }
            sleep(PAUSE).await;
        }
    }

    /// The host that can be written to, or what each of them said; and whether all of them said something.
    async fn look(&self) -> (Result<usize, String>, bool) {
        let answers = join_all(self.hosts.iter().map(|host| async {
            match timeout(PROBE, ask(host)).await {
                Ok(answer) => answer,
                Err(_) => Err(format!("no answer within {} s", PROBE.as_secs())),
            }
        }))
        .await;
        let known = self.timeline.load(Ordering::SeqCst);
        let all = answers.iter().all(Result::is_ok);
        let best = answers.iter().enumerate().filter_map(|(host, answer)| Some((answer.as_ref().ok().copied().flatten()?, host))).max();
        if let Some((timeline, host)) = best
            && timeline >= known
        {
            self.timeline.store(timeline, Ordering::SeqCst);
            return (Ok(host), all);
        }
        let said = answers.iter().zip(&self.hosts).map(|(answer, host)| {
            let words = match answer {
                Ok(None) => STANDBY,
                Ok(Some(_)) => OF_OLD,
                Err(words) => words,
            };
            format!("{}: {words}", address::place(host))
        });
        (Err(said.collect::<Vec<_>>().join("; ")), all)
    }
}

/// A server's timeline; nothing if it is a standby.
async fn ask(host: &PgConnectOptions) -> Result<Option<i64>, String> {
    let mut conn = host.clone().application_name("assay-look").connect().await.map_err(|e| e.to_string())?;
    timeline(&mut conn).await
}

async fn timeline(conn: &mut PgConnection) -> Result<Option<i64>, String> {
    let row = sqlx::raw_sql(LOOK).fetch_one(conn).await.map_err(|e| e.to_string())?;
    let digits: String = row.try_get(0).map_err(|e| e.to_string())?;
    if digits.is_empty() {
        return Ok(None);
    }
    i64::from_str_radix(&digits, 16).map(Some).map_err(|e| format!("its timeline “{digits}” cannot be read ({e})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_waits_without_end() {
        let address = Address::read("postgres://one/db").unwrap();
        let primary = Primary::find(&address, PROBE).await.unwrap();
        let (short, long) = (Duration::from_millis(20), Duration::from_millis(80));
        assert_eq!(primary.wait_for(async { 1 }, short, long).await, Some(1));
        let began = Instant::now();
        assert_eq!(primary.wait_for(std::future::pending::<()>(), short, long).await, None);
        assert!(began.elapsed() >= long);
        // Once another server is the primary, nobody waits for the old one.
        let waiting = primary.wait_for(std::future::pending::<()>(), short, Duration::from_secs(3600));
        let (waited, ()) = tokio::join!(waiting, async { primary.changes.send_modify(|changes| *changes += 1) });
        assert_eq!(waited, None);
    }

    #[tokio::test]
    async fn a_host_that_gives_no_answer_is_waited_for() {
        let Some(url) = assay_fixtures::postgres_database().await else { return };
        let mut address = Address::read(&url).unwrap();
        let missing = address.hosts[0].clone().host("127.0.0.1").port(assay_fixtures::free_port());
        address.hosts.push(missing);
        let patience = Duration::from_secs(1);
        let began = Instant::now();
        let primary = Primary::find(&address, patience).await.unwrap();
        assert!(began.elapsed() >= patience, "it may be the one that took over");
        assert_eq!(primary.now.load(Ordering::SeqCst), 0);
    }
}
