//! Databases of earlier schemas open and keep what was in them. `golden/NNNN.sqlite.gz` is a demonstration's database as the program
//! of that schema left it; a new migration adds one and changes none.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

use std::io::Read;

use assay_core::{
    chance::SeededChance,
    ids::{AwardId, IssuerId, JobId, PersonId, Secret128},
};
use assay_fixtures::START;
use assay_store::{
    Store,
    commands::{EnsureIssuer, Introduce, Submit},
    queries::{AttemptOf, AttemptsOf, BadgesOf, CurrentProgrammes, Figures, RevokedIndexes, StandingOf},
};

/// Schema, items in the sample's pool, database.
const GOLDEN: [(&str, i64, &[u8]); 2] =
    [("0001", 100, include_bytes!("golden/0001.sqlite.gz")), ("0002", 265, include_bytes!("golden/0002.sqlite.gz"))];

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
async fn every_earlier_schema_opens_with_everything_in_it() {
    for (schema, pool, golden) in GOLDEN {
        println!("schema {schema}");
        opens_with_everything(golden, pool).await;
    }
}

/// Every schema but the newest has its database here.
#[test]
fn no_schema_is_missing() {
    let migrations = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    let names = std::fs::read_dir(migrations).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut numbers: Vec<String> = names.map(|name| name[..4].to_owned()).collect();
    numbers.sort();
    numbers.pop();
    for number in numbers {
        assert!(GOLDEN.iter().any(|(schema, ..)| *schema == number), "there is no golden database of schema {number}");
    }
}

async fn opens_with_everything(golden: &[u8], pool: i64) {
    let (_folder, store) = open(golden).await;
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
    let sample = programmes.iter().find(|current| current.programme.id == "serverless").unwrap();
    assert_eq!(sample.pool_size, pool);

    let holder = store.run(person("holder", 1)).await.unwrap().learner;
    let badges = store.read(BadgesOf { learner: holder }).await.unwrap();
    assert!(badges[0].document.as_ref().is_some_and(|document| document.contains("eddsa-rdfc-2022")));
    assert_eq!(store.read(RevokedIndexes { issuer, status_list: 1 }).await.unwrap(), Some(vec![]), "the list of that badge is known");

    let almost = store.run(person("almost", 2)).await.unwrap().learner;
    let attempt = store.read(AttemptsOf { learner: almost }).await.unwrap().remove(0);
    assert!(attempt.outcome.is_none(), "the open attempt is open still");
    let (began, attempt) = (attempt.started_at, attempt.id);
    let waiting = store.run(person("waiting", 3)).await.unwrap().learner;
    let standing = store.read(StandingOf { learner: waiting, programme: "serverless".into(), at: began }).await.unwrap();
    assert_eq!(standing.fails, 1);
    assert!(standing.next_start_at.is_some());
    let figures = store.read(Figures { issuer, programme: "serverless".into() }).await.unwrap();
    assert_eq!((figures.submitted, figures.passed), (2, 1));

    // An attempt begun on the old version ends on the new one: with the form, the answers and the rules that it began with.
    let chance = SeededChance::new([5; 32]);
    let at = began.plus_seconds(3600);
    let jobs = [(); 3].map(|()| JobId::random(&chance));
    let submit = Submit { learner: almost, attempt, award: AwardId::random(&chance), badge_id: Secret128::random(&chance), jobs, at };
    let submitted = store.run(submit).await.unwrap().unwrap();
    assert!(submitted.by_this_call);
    assert_eq!((submitted.outcome.right, submitted.outcome.of, submitted.outcome.passed), (49, 50, true));
    let ended = store.read(AttemptOf { learner: almost, attempt }).await.unwrap().unwrap();
    assert_eq!(ended.submitted_at, Some(at.whole_second()));
    assert_eq!(store.read(BadgesOf { learner: almost }).await.unwrap().len(), 1);
    store.close().await;
}
