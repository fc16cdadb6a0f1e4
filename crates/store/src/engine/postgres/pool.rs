//! The connections: what is asked of a new one, and how one is given back.

use std::sync::Arc;

use sqlx::{PgPool, Postgres, pool::PoolConnection, postgres::PgPoolOptions};
use tokio::{runtime::Handle, time::timeout};

use super::{
    PATIENCE,
    durability::{self, Promise, Refusal},
    primary::{PROBE, Primary},
};

/// A pool's settings. Whoever writes keeps a promise; for reading, the primary is enough.
pub(super) fn options(most: u32, primary: &Arc<Primary>, writing: Option<(Promise, Arc<Refusal>)>) -> PgPoolOptions {
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

/// A connection in use. The driver asks every connection that comes back, also one whose work was cut off, whether it lives, and waits
/// for the answer without end: behind a server that fell silent its place would never be free again.
pub(super) struct Held {
    pub(super) conn: PoolConnection<Postgres>,
    /// Nothing stands on it that the driver does not know of; otherwise it is closed.
    pub(super) whole: bool,
}

impl Held {
    /// One from a pool.
    pub(super) async fn of(pool: &PgPool) -> sqlx::Result<Self> {
        Ok(Self { conn: pool.acquire().await?, whole: true })
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
        let today = options(1, &primary, None).connect_with(primary.options().clone()).await.unwrap();
        drop(Held::of(&today).await.unwrap());
        // The connection was begun before it was known that another one took over, and finished after it.
        primary.another_took_over();
        let old = options(1, &primary, None).acquire_timeout(PROBE).connect_lazy_with(primary.options().clone());
        assert!(Held::of(&old).await.is_err());
    }

    #[tokio::test]
    async fn a_connection_that_is_not_whole_is_closed_and_its_place_is_free() {
        let Some(url) = assay_fixtures::postgres_database().await else { return };
        let primary = Primary::find(&Address::read(&url).unwrap(), PATIENCE).await.unwrap();
        let pool = options(1, &primary, None).connect_with(primary.options().clone()).await.unwrap();
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
