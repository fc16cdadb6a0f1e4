//! A primary that falls silent (its machine is gone, no connection is broken off), and one that comes back when another has taken over.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

use std::time::Duration;

use assay_core::ids::IssuerId;
use assay_fixtures::{PostgresServer, START, free_port};
use assay_store::{Promise, Store, commands::EnsureIssuer, queries::IsThere};
use tokio::time::Instant;

fn ensure(slug: &str) -> EnsureIssuer {
    EnsureIssuer { slug: slug.into(), id: IssuerId(uuid::Uuid::from_u128(slug.len() as u128)), at: START }
}

/// Runs a command until it is taken; answers how long that took, and how often it was refused.
async fn patiently(store: &Store, slug: &str) -> (Duration, usize) {
    let began = Instant::now();
    for refused in 0..200 {
        if store.run(ensure(slug)).await.is_ok() {
            return (began.elapsed(), refused);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it is never taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_primary_is_left_for_the_one_that_took_over() {
    let (one, two) = (free_port(), free_port());
    let Some(old) = PostgresServer::start("one", one, &["synchronous_standby_names="]) else { return };
    let new = PostgresServer::standby_of(&old, "two", two);
    old.wait_for_any_standby();
    // The standby stands first in the URL: it is not the order that counts.
    let url = format!("postgres://assay@{},{}/postgres", new.place(), old.place());
    let store = Store::open_postgres(&url, Promise::Disk).await.unwrap();
    let issuer = store.run(ensure("before")).await.unwrap();
    assert!(store.read(IsThere { issuer }).await.unwrap());
    for _ in 0..200 {
        if new.try_sql("SELECT COUNT(*) FROM issuers").as_deref() == Some("1") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    old.freeze();
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.run(ensure("waiting")).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    new.promote();
    let (took, refused) = patiently(&store, "after").await;
    println!("after {took:?} and {refused} refusals the other one is written to");
    assert!(waiting.await.unwrap().is_err(), "nobody can say that it was done");
    assert!(store.read(IsThere { issuer }).await.unwrap());
    assert_eq!(new.sql("SELECT COUNT(*) FROM issuers WHERE slug = 'after'"), "1");

    // It wakes, and thinks that it is the primary still.
    old.thaw();
    for n in 0..20 {
        store.run(ensure(&"x".repeat(20 + n))).await.unwrap();
    }
    assert_eq!(new.sql("SELECT COUNT(*) FROM issuers WHERE slug LIKE 'xxx%'"), "20");
    let again = Store::open_postgres(&url, Promise::Disk).await.unwrap();
    again.run(ensure("whoever starts now finds the one that took over")).await.unwrap();
    assert_eq!(new.sql("SELECT COUNT(*) FROM issuers WHERE slug LIKE 'whoever%'"), "1");
    again.close().await;

    // Only the old one is left: it can be written to, but that would be going back.
    drop(new);
    let refused = store.run(ensure("never")).await.err().map(|e| e.to_string()).unwrap_or_default();
    assert!(!refused.is_empty(), "it went back to the old one");
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        assert!(store.run(ensure("never")).await.is_err(), "it went back to the old one");
    }
    assert_eq!(old.sql("SELECT COUNT(*) FROM issuers WHERE slug = 'never'"), "0");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_that_nobody_waits_for_any_more_hold_no_place() {
    let (one, two) = (free_port(), free_port());
    let Some(old) = PostgresServer::start("one", one, &["synchronous_standby_names="]) else { return };
    let new = PostgresServer::standby_of(&old, "two", two);
    old.wait_for_any_standby();
    let url = format!("postgres://assay@{},{}/postgres", old.place(), new.place());
    let store = Store::open_postgres(&url, Promise::Disk).await.unwrap();
    let issuer = store.run(ensure("before")).await.unwrap();
    let read = || {
        let store = store.clone();
        tokio::spawn(async move { store.read(IsThere { issuer }).await })
    };
    // All the readers have a connection.
    for answer in futures_util::future::join_all((0..50).map(|_| read())).await {
        assert!(answer.unwrap().unwrap());
    }
    for _ in 0..200 {
        if new.try_sql("SELECT COUNT(*) FROM issuers").as_deref() == Some("1") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    old.freeze();
    let asked: Vec<_> = (0..10).map(|_| read()).collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    for read in asked {
        assert!(!read.is_finished(), "the primary is not silent");
        read.abort();
    }
    new.promote();
    let mut read_at_last = false;
    for _ in 0..10 {
        read_at_last = store.read(IsThere { issuer }).await.is_ok();
        if read_at_last {
            break;
        }
    }
    assert!(read_at_last, "all places are taken for good");
    old.thaw();
    store.close().await;
}
