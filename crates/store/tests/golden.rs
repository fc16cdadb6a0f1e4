//! Databases of earlier schemas open and keep what was in them. `golden/NNNN.sqlite.gz` is a demonstration's database as the program
//! of that schema left it; a new migration adds one and changes none.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

use std::io::Read;

use assay_core::ids::{IssuerId, PersonId};
use assay_fixtures::START;
use assay_store::{
    Store,
    commands::{EnsureIssuer, Introduce},
    queries::{AttemptsOf, BadgesOf, CurrentProgrammes, Figures, RevokedIndexes, StandingOf},
};

async fn open(golden: &[u8]) -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("assay.db");
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(golden).read_to_end(&mut bytes).unwrap();
    std::fs::write(&file, bytes).unwrap();
    let store = Store::open_sqlite(&file).await.unwrap();
    (folder, store)
}

#[tokio::test]
async fn schema_0001_opens_with_everything_in_it() {
    let (_folder, store) = open(include_bytes!("golden/0001.sqlite.gz")).await;
    let none = uuid::Uuid::nil();
    let issuer = store.run(EnsureIssuer { slug: "demonstration".into(), id: IssuerId(none), at: START }).await.unwrap();
    assert_ne!(issuer.0, none, "the issuer is the one that was there");
    let person = |name: &str, hash: u8| Introduce {
        issuer,
        address: format!("{name}@example.org"),
        new_person: PersonId(none),
        session_hash: [hash; 32],
        session_expires_at: START,
        at: START,
    };
    let programmes = store.read(CurrentProgrammes { issuer }).await.unwrap();
    assert_eq!((programmes[0].programme.id.as_str(), programmes[0].pool_size), ("serverless", 100));

    let holder = store.run(person("holder", 1)).await.unwrap().learner;
    let badges = store.read(BadgesOf { learner: holder }).await.unwrap();
    assert!(badges[0].document.as_ref().is_some_and(|document| document.contains("eddsa-rdfc-2022")));
    assert_eq!(store.read(RevokedIndexes { issuer, status_list: 1 }).await.unwrap(), Some(vec![]), "the list of that badge is known");

    let almost = store.run(person("almost", 2)).await.unwrap().learner;
    let attempt = store.read(AttemptsOf { learner: almost }).await.unwrap().remove(0);
    assert!(attempt.outcome.is_none(), "the open attempt is open still");
    let waiting = store.run(person("waiting", 3)).await.unwrap().learner;
    let standing = store.read(StandingOf { learner: waiting, programme: "serverless".into(), at: attempt.started_at }).await.unwrap();
    assert_eq!(standing.fails, 1);
    assert!(standing.next_start_at.is_some());
    let figures = store.read(Figures { issuer, programme: "serverless".into() }).await.unwrap();
    assert_eq!((figures.submitted, figures.passed), (2, 1));
}
