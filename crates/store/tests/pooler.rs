//! pgbouncer in transaction mode (Debian's package) between the engine and PostgreSQL. Skipped, with words, where either is missing.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

use assay_core::ids::{IssuerId, JobId, PersonId};
use assay_fixtures::{Pooler, START, postgres_database};
use assay_store::{
    Promise, Store, StoreError,
    commands::{Enqueue, EnsureIssuer, FinishJob, Introduce, Lane, LeaseJobs, MarkLesson, NewJob},
    queries::{JobCounts, LessonsDone, OwnData},
};

/// Thirty people at once, each with reads, writes and jobs.
async fn story(url: &str) -> Result<(), StoreError> {
    let store = Store::open_postgres(url, Promise::Disk).await?;
    let issuer = store.run(EnsureIssuer { slug: "pooled".into(), id: IssuerId(uuid::Uuid::from_u128(1)), at: START }).await?;
    let one = |n: u8| {
        let store = store.clone();
        async move {
            let introduce = Introduce {
                issuer,
                address: format!("person-{n}@example.org"),
                new_person: PersonId(uuid::Uuid::from_u128(1000 + u128::from(n))),
                session_hash: [n; 32],
                session_expires_at: START.plus_seconds(600),
                at: START,
            };
            let learner = store.run(introduce).await?.learner;
            for lesson in 0..5 {
                let mark = MarkLesson { learner, programme: "p".into(), lesson: format!("l{lesson}"), done: true, at: START };
                store.run(mark).await?;
                store.read(LessonsDone { learner, programme: "p".into() }).await?;
            }
            assert!(store.read(OwnData { learner }).await?.to_string().contains(&format!("person-{n}@")));
            let id = JobId(uuid::Uuid::from_u128(5000 + u128::from(n)));
            let job = NewJob { id, kind: "mail", dedup: n.to_string(), payload: "{}".into(), person: None, run_at: START };
            store.run(Enqueue { issuer, job }).await?;
            let owner = format!("worker-{n}");
            let lease = LeaseJobs { owner: owner.clone(), lane: Lane::Mail, limit: 2, lease_seconds: 60, at: START };
            for job in store.run(lease).await? {
                store.run(FinishJob { job: job.id, owner: owner.clone(), at: START }).await?;
            }
            Ok::<_, StoreError>(())
        }
    };
    for outcome in futures_util::future::join_all((1..=30).map(one)).await {
        outcome?;
    }
    // What nobody met is left; it is leased and done like the rest.
    let lease = LeaseJobs { owner: "last".into(), lane: Lane::Mail, limit: 100, lease_seconds: 60, at: START };
    for job in store.run(lease).await? {
        store.run(FinishJob { job: job.id, owner: "last".into(), at: START }).await?;
    }
    let jobs = store.read(JobCounts { at: START }).await?;
    assert_eq!((jobs.open, jobs.done), (0, 30));
    store.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_works_through_a_pooler_when_it_is_told_of_it() {
    let Some(pooler) = postgres_database().await.and_then(|url| Pooler::before(&url)) else { return };
    story(&format!("{}?statement-cache-capacity=0", pooler.url)).await.unwrap();
}

/// The proof that the test above can fail: the same, not told.
#[tokio::test(flavor = "multi_thread")]
async fn without_being_told_statements_are_missed() {
    let Some(pooler) = postgres_database().await.and_then(|url| Pooler::before(&url)) else { return };
    let words = story(&pooler.url).await.unwrap_err().to_string();
    assert!(words.contains("prepared statement"), "{words}");
}
