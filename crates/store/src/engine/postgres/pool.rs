//! The connections: what is asked of a new one, and how one is given back.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::{PgPool, Postgres, pool::PoolConnection, postgres::PgPoolOptions};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout},
};

use super::{
    PATIENCE,
    durability::{self, Promise, Refusal},
    primary::{PROBE, Primary},
};

/// Rows are found by keys, or in the order of an index: a plan made once is right for every value, and the server would plan some statements
/// anew each time. A server that does not know the setting is left as it is.
const PLAN_ONCE: &str = "SELECT set_config(name, 'force_generic_plan', false) FROM pg_catalog.pg_settings WHERE name = 'plan_cache_mode'";

/// A pool's settings. Whoever writes keeps a promise; for reading, the primary is enough. Behind a pooler a connection is nobody's own, and
/// nothing is set on it.
pub(super) fn options(most: u32, primary: &Arc<Primary>, writing: Option<(Promise, Arc<Refusal>)>, pooled: bool) -> PgPoolOptions {
    let options = PgPoolOptions::new().max_connections(most).acquire_timeout(PATIENCE).test_before_acquire(false);
    let options = options.before_acquire({
        let primary = Arc::clone(primary);
        move |_, about| {
            let of_today = primary.is_of_today(about.age);
            Box::pin(async move { Ok(of_today) })
        }
    });
    let primary = Arc::clone(primary);
    options.after_connect(move |conn, _| {
        let (primary, writing) = (Arc::clone(&primary), writing.clone());
        Box::pin(async move {
            let mut found = durability::check(conn, writing.as_ref().map(|(promise, _)| *promise)).await;
            if found.is_ok() && !pooled {
                found = sqlx::raw_sql(PLAN_ONCE).execute(&mut *conn).await.map(drop).map_err(|e| format!("it takes no settings: {e}"));
            }
            // Last: nothing is waited for between this and the connection's birth, by which it is judged later.
            if found.is_ok() {
                found = primary.check(conn).await;
            }
            if let Some((_, refusal)) = writing {
                refusal.note(found.as_ref().err().map(String::as_str));
            }
            found.map_err(|words| {
                primary.doubt();
                sqlx::Error::Protocol(words)
            })
        })
    })
}

/// Connections for one purpose. The driver makes and replaces them; it also asks each one that comes back whether it lives, which costs
/// the server a round for each command and each query. So one whose work came to its end is kept here, and comes back to the driver when
/// something about it is in doubt.
#[derive(Debug)]
pub(super) struct Pool {
    driver: PgPool,
    /// One for each connection that there may be.
    places: Semaphore,
    idle: Mutex<Vec<Held>>,
    primary: Arc<Primary>,
}

/// How long one is kept from the driver, which replaces old ones, in all and without being used.
const KEPT: Duration = Duration::from_secs(20 * 60);
const UNUSED: Duration = Duration::from_secs(60);

impl Pool {
    pub(super) fn new(driver: PgPool, primary: &Arc<Primary>) -> Self {
        let most = driver.options().get_max_connections() as usize;
        Self { driver, places: Semaphore::new(most), idle: Mutex::default(), primary: Arc::clone(primary) }
    }

    /// The driver's part of it.
    pub(super) fn driver(&self) -> &PgPool {
        &self.driver
    }

    /// A connection to the primary of today, and the place that it takes.
    pub(super) async fn take(&self) -> sqlx::Result<(Held, SemaphorePermit<'_>)> {
        timeout(PATIENCE, self.taken()).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    async fn taken(&self) -> sqlx::Result<(Held, SemaphorePermit<'_>)> {
        let place = self.places.acquire().await.map_err(|_| sqlx::Error::PoolClosed)?;
        while let Some(mut held) = self.pop() {
            if !self.primary.is_of_today(held.since.elapsed()) {
                held.whole = false;
            } else if held.is_fresh() {
                return Ok((held, place));
            }
        }
        Ok((Held::of(&self.driver).await?, place))
    }

    fn pop(&self) -> Option<Held> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Keeps one whose work came to its end: nothing stands on it.
    pub(super) fn keep(&self, mut held: Held) {
        held.used = Instant::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.places.is_closed() {
            idle.push(held);
            // The one that was not used for longest: one after the other goes back when fewer are needed.
            if idle.first().is_some_and(|oldest| !oldest.is_fresh()) {
                idle.remove(0);
            }
        }
    }

    /// Waits for what is under way, and closes all.
    pub(super) async fn close(&self) {
        self.places.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.driver.close().await;
    }
}

/// A connection in use, or kept for the next. The driver asks every connection that comes back, also one whose work was cut off, whether it
/// lives, and waits for the answer without end: behind a server that fell silent its place would never be free again.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) conn: PoolConnection<Postgres>,
    /// Nothing stands on it that the driver does not know of; otherwise it is closed.
    pub(super) whole: bool,
    /// When it came from the driver, and when it was used last.
    since: Instant,
    used: Instant,
}

impl Held {
    /// One from the driver, as old as the wish for it.
    async fn of(driver: &PgPool) -> sqlx::Result<Self> {
        let now = Instant::now();
        Ok(Self { conn: driver.acquire().await?, whole: true, since: now, used: now })
    }

    /// Not so old, and not unused for so long, that it should be the driver's again.
    fn is_fresh(&self) -> bool {
        self.since.elapsed() < KEPT && self.used.elapsed() < UNUSED
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // It leaves its pool here; dropped in the middle or before it began, this closes it and sets its place free.
        let back = self.conn.return_to_pool();
        if self.whole
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(timeout(PROBE, back));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::address::Address, *};

    #[tokio::test]
    async fn a_connection_to_a_primary_of_old_is_refused() {
        let Some(url) = assay_fixtures::postgres_database().await else { return };
        let mut address = Address::read(&url).unwrap();
        address.hosts.push(address.hosts[0].clone());
        let primary = Primary::find(&address, PATIENCE).await.unwrap();
        let today = options(1, &primary, None, false).connect_with(primary.options().clone()).await.unwrap();
        drop(Held::of(&today).await.unwrap());
        // The connection was begun before it was known that another one took over, and finished after it.
        primary.another_took_over();
        let old = options(1, &primary, None, false).acquire_timeout(PROBE).connect_lazy_with(primary.options().clone());
        assert!(Held::of(&old).await.is_err());
    }

    #[tokio::test]
    async fn a_connection_is_kept_until_another_server_takes_over_and_a_closed_pool_keeps_none() {
        let Some(url) = assay_fixtures::postgres_database().await else { return };
        let primary = Primary::find(&Address::read(&url).unwrap(), PATIENCE).await.unwrap();
        let driver = options(2, &primary, None, false).connect_with(primary.options().clone()).await.unwrap();
        let pool = Pool::new(driver, &primary);
        let pid = async |held: &mut Held| sqlx::query_scalar::<_, i32>("SELECT pg_backend_pid()").fetch_one(&mut *held.conn).await.unwrap();
        let (mut first, place) = pool.take().await.unwrap();
        let one = pid(&mut first).await;
        let (mut second, other) = pool.take().await.unwrap();
        assert_ne!(pid(&mut second).await, one);
        assert!(timeout(PROBE, pool.take()).await.is_err(), "there are two places");
        pool.keep(first);
        drop(place);
        let (mut again, place) = pool.take().await.unwrap();
        assert_eq!(pid(&mut again).await, one);
        pool.keep(again);
        drop(place);
        primary.changed_now();
        let (mut of_today, place) = pool.take().await.unwrap();
        assert_ne!(pid(&mut of_today).await, one);
        // What is under way ends, and is not kept.
        let closing = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            pool.keep(of_today);
            pool.keep(second);
            drop((place, other));
        };
        timeout(PATIENCE, async { tokio::join!(pool.close(), closing) }).await.unwrap();
        assert!(matches!(pool.take().await, Err(sqlx::Error::PoolClosed)));
    }

    #[tokio::test]
    async fn a_connection_that_is_not_whole_is_closed_and_its_place_is_free() {
        let Some(url) = assay_fixtures::postgres_database().await else { return };
        let primary = Primary::find(&Address::read(&url).unwrap(), PATIENCE).await.unwrap();
        let pool = options(1, &primary, None, false).connect_with(primary.options().clone()).await.unwrap();
        let pid = async |whole: bool| {
            let mut held = Held::of(&pool).await.unwrap();
            held.whole = whole;
            sqlx::query_scalar::<_, i32>("SELECT pg_backend_pid()").fetch_one(&mut *held.conn).await.unwrap()
        };
        let first = pid(true).await;
        assert_eq!(pid(false).await, first, "given back, it is used again");
        assert_ne!(pid(true).await, first);
    }
}
