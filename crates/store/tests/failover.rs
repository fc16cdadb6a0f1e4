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
        if new.sql("SELECT COUNT(*) FROM issuers") == "1" {
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
    store.close().await;

    // Only the old one is left: it can be written to, but that would be going back.
    drop(old);
    drop(new);
    let words = Store::open_postgres(&url, Promise::Disk).await.err().map(|e| e.to_string()).unwrap_or_default();
    assert!(words.contains("none of its servers can be written to"), "{words}");
}
