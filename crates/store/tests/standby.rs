//! `durability = "standby"`: a commit whose wait for the standby was cut off is reported as done by PostgreSQL, and must not be
//! acknowledged here. A server of the test's own, which waits for a standby that never comes.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

use std::time::Duration;

use assay_core::ids::IssuerId;
use assay_fixtures::{PostgresServer, START, free_port};
use assay_store::{Promise, Store, StoreError, commands::EnsureIssuer};
use sqlx::{Connection, PgConnection, Row};

struct Server {
    server: PostgresServer,
    url: String,
}

impl Server {
    fn start() -> Option<Self> {
        let server = PostgresServer::start("alone", free_port(), &[])?;
        let url = format!("postgres://assay@{}/postgres", server.place());
        Some(Self { server, url })
    }

    /// Sets a setting of the whole server.
    async fn set(&self, setting: &'static str) {
        let mut conn = PgConnection::connect(&self.url).await.unwrap();
        sqlx::raw_sql(setting).execute(&mut conn).await.unwrap();
        sqlx::raw_sql("SELECT pg_reload_conf()").execute(&mut conn).await.unwrap();
        // The postmaster passes it on.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }

    /// Cuts off whoever waits for the standby; answers how many did.
    async fn cut_off(&self) -> usize {
        let mut conn = PgConnection::connect(&self.url).await.unwrap();
        for _ in 0..100 {
            let waiting = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
            let cut = sqlx::query(waiting).fetch_all(&mut conn).await.unwrap();
            if !cut.is_empty() {
                assert!(cut.iter().all(|row| row.get::<bool, _>(0)));
                return cut.len();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        0
    }
}

fn ensure(slug: &str) -> EnsureIssuer {
    EnsureIssuer { slug: slug.into(), id: IssuerId(uuid::Uuid::from_u128(slug.len() as u128)), at: START }
}

/// Runs a command while its wait is cut off.
async fn cut(server: &Server, store: &Store, slug: &'static str) -> Result<IssuerId, StoreError> {
    let (outcome, cut) = tokio::join!(store.run(ensure(slug)), server.cut_off());
    assert_eq!(cut, 1, "nobody waited for the standby");
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_was_not_waited_for_is_not_acknowledged() {
    let Some(server) = Server::start() else { return };
    let words = |refused: Result<Store, StoreError>| refused.err().map(|e| e.to_string()).unwrap_or_default();
    let refused = words(Store::open_postgres(&server.url, Promise::Standby).await);
    assert!(refused.contains("waits for no standby") && refused.contains("synchronous_standby_names"), "{refused}");
    for (setting, back, name) in [
        ("ALTER SYSTEM SET fsync = off", "ALTER SYSTEM RESET fsync", "fsync = off"),
        ("ALTER SYSTEM SET synchronous_commit = off", "ALTER SYSTEM RESET synchronous_commit", "synchronous_commit = off"),
    ] {
        server.set(setting).await;
        let refused = words(Store::open_postgres(&server.url, Promise::Disk).await);
        assert!(refused.contains(name), "{name}: {refused}");
        server.set(back).await;
    }

    // The tables come first: making them would wait, too.
    let disk = Store::open_postgres(&server.url, Promise::Disk).await.unwrap();
    server.set("ALTER SYSTEM SET synchronous_standby_names = 'somebody'").await;
    let standby = Store::open_postgres(&server.url, Promise::Standby).await.unwrap();

    let outcome = cut(&server, &standby, "promised").await;
    assert!(outcome.as_ref().is_err_and(|e| e.to_string().contains("not confirmed")), "{outcome:?}");
    // The trap: whoever does not listen to warnings is told that it is done.
    let mut plain = PgConnection::connect(&server.url).await.unwrap();
    let insert = sqlx::raw_sql("INSERT INTO installation (name, value) VALUES ('trap', '')").execute(&mut plain);
    let (done, cut_off) = tokio::join!(insert, server.cut_off());
    assert!(done.is_ok() && cut_off == 1);

    // Asked again, it finds its work done, and waits for the standby all the same.
    let again = cut(&server, &standby, "promised").await;
    assert!(again.is_err(), "acknowledged though no standby has it: {again:?}");

    let last = tokio::spawn({
        let standby = standby.clone();
        async move { standby.run(ensure("promised")).await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!last.is_finished(), "it does not wait");
    // Nobody has to be waited for any more: all who wait are let go.
    server.set("ALTER SYSTEM RESET synchronous_standby_names").await;
    assert!(last.await.unwrap().is_ok());

    // From now on nothing is acknowledged, though every connection was made while the server waited for a standby.
    let refused = standby.run(ensure("promised")).await.err().map(|e| e.to_string()).unwrap_or_default();
    assert!(refused.contains("waits for no standby"), "{refused}");

    // What was refused leaves nothing behind on its connection: once the standby is there, all is saved.
    for _ in 0..3 {
        assert!(standby.run(ensure("promised")).await.is_err());
    }
    server.set("ALTER SYSTEM SET synchronous_standby_names = 'somebody'").await;
    let somebody = PostgresServer::standby_of(&server.server, "somebody", free_port());
    server.server.wait_for_synchronous_standby();
    for n in 0..20 {
        let saved = standby.run(ensure("promised")).await;
        assert!(saved.is_ok(), "{n}: {saved:?}");
    }
    standby.close().await;
    server.set("ALTER SYSTEM RESET synchronous_standby_names").await;
    drop(somebody);

    // A connection that is made anew, as after a failover, is looked at like the first.
    for (setting, back, name) in [
        ("ALTER SYSTEM SET synchronous_commit = off", "ALTER SYSTEM RESET synchronous_commit", "synchronous_commit = off"),
        ("ALTER SYSTEM SET fsync = off", "ALTER SYSTEM RESET fsync", "fsync = off"),
    ] {
        assert!(disk.run(ensure("disk")).await.is_ok());
        server.set(setting).await;
        server.set("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'assay'").await;
        let refused = disk.run(ensure("disk")).await.err().map(|e| e.to_string()).unwrap_or_default();
        assert!(refused.contains(name), "{name}: {refused}");
        server.set(back).await;
    }
    assert!(disk.run(ensure("disk")).await.is_ok(), "it goes on when the server gives it again");
    disk.close().await;
}
