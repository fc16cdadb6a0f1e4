//! A whole story moved from engine to engine and back.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

use std::{ops::ControlFlow, path::Path};

use assay_core::{
    attempt::Save,
    clock::DAY_SECONDS,
    ids::{AttemptId, AwardId, JobId, Learner, Secret128},
};
use assay_fixtures::{START, World, items, postgres_database, programme};
use assay_store::{
    Promise, Store,
    commands::{Revoke, SaveAnswer, StartAttempt, Submit},
    moving::{Copied, MoveError, Place, Progress, Step, copy},
    queries::{AttemptsOf, BadgesOf, Pool, QuestionOf},
};
use sqlx::Connection;

/// Sits a whole attempt with so many of four right.
async fn sit(world: &World, learner: Learner, published: &assay_store::commands::Published, right: u16, days: i64) -> bool {
    let at = START.plus_seconds(days * DAY_SECONDS);
    let programme = programme(4, 3);
    let pool = Pool { learner, programme: "sample".into(), pool_version: published.pool_version.clone() };
    let mut candidates = world.store.read(pool).await.unwrap();
    candidates.sort_by(|a, b| a.item.cmp(&b.item));
    let attempt = AttemptId::random(&world.chance);
    let seed = assay_core::chance::keyed_seed(&[1; 32], &[attempt.0.as_bytes()]);
    let request = assay_measure::DrawRequest { domains: &programme.domains, pool: &candidates, pool_share_percent: 50, seed };
    let start = StartAttempt {
        learner,
        attempt,
        programme: "sample".into(),
        programme_version: published.version.clone(),
        pool_version: published.pool_version.clone(),
        badge_version: "1".into(),
        rules: programme.rules.clone(),
        tries_a_year: None,
        form: assay_measure::draw(&request).unwrap(),
        drawn_from: candidates.iter().map(|c| (c.shown, c.seen)).collect(),
        holder_name: "Ada Éxample 🎓".into(),
        at,
        fold: world.job("fold-exposure", attempt.to_string()),
    };
    world.store.run(start).await.unwrap().unwrap();
    for position in 1..=4 {
        let row = world.store.read(QuestionOf { learner, attempt, position }).await.unwrap().unwrap();
        let wanted = format!("Option {} ", if position <= right { 1 } else { 2 });
        let token = row.shown.options.iter().find(|(_, html)| html.as_str().starts_with(&wanted)).unwrap().0.clone();
        let save = Save { chosen: vec![token], base_revision: 0, device: "d".into(), counter: 1 };
        world.store.run(SaveAnswer { learner, attempt, position, save, at }).await.unwrap().unwrap();
    }
    let jobs = [(); 3].map(|()| JobId::random(&world.chance));
    let submit = Submit { learner, attempt, award: AwardId::random(&world.chance), badge_id: Secret128::random(&world.chance), jobs, at };
    world.store.run(submit).await.unwrap().unwrap().outcome.passed
}

/// Twelve people; each fails, waits, passes; one badge is revoked. Closed, and where it is.
async fn story() -> (World, Place, Learner) {
    let world = World::new().await;
    let published = world.publish(&programme(4, 3), items(&programme(4, 3), 20, |_| 1)).await;
    let mut ada = None;
    for n in 0..12 {
        let learner = world.person(&format!("person{n}@example.org")).await;
        assert!(!sit(&world, learner, &published, 2, 0).await);
        assert!(sit(&world, learner, &published, 3, 1).await);
        ada.get_or_insert(learner);
    }
    let ada = ada.unwrap();
    let badge_id = world.store.read(BadgesOf { learner: ada }).await.unwrap()[0].badge_id.clone();
    let job = JobId::random(&world.chance);
    let revoke = Revoke {
        issuer: world.issuer,
        badge_id,
        reason: "a test".into(),
        job,
        line: JobId::random(&world.chance),
        act: world.act(START.plus_seconds(2 * DAY_SECONDS)),
    };
    assert_eq!(world.store.run(revoke).await.unwrap(), Some(true));
    world.store.close().await;
    let place = match &world.url {
        Some(url) => Place::Server(url.clone(), Promise::Disk),
        None => Place::File(world.folder.path().join("assay.db")),
    };
    (world, place, ada)
}

async fn server() -> Option<Place> {
    Some(Place::Server(postgres_database().await?, Promise::Disk))
}

async fn whole(from: &Place, to: &Place) -> Result<Vec<Copied>, MoveError> {
    copy(from, to, 7, &mut |_| ControlFlow::Continue(())).await
}

/// Stops after so many batches were written.
async fn cut(from: &Place, to: &Place, batches: usize) -> Result<Vec<Copied>, MoveError> {
    let mut left = batches;
    let watch = &mut |progress: Progress| {
        left -= usize::from(progress.step == Step::Copying);
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    copy(from, to, 7, watch).await
}

fn bytes(place: &Place) -> Option<Vec<u8>> {
    match place {
        Place::File(file) => Some(std::fs::read(file).unwrap()),
        Place::Server(..) => None,
    }
}

fn file(folder: &Path, name: &str) -> Place {
    Place::File(folder.join(name))
}

#[tokio::test]
async fn there_and_back_is_the_same() {
    let (world, from, ada) = story().await;
    let Some(server) = server().await else { return };
    let before = bytes(&from);
    let there = whole(&from, &server).await.unwrap();
    assert_eq!(bytes(&from), before, "the source is as it was");
    let rows = |table: &str| there.iter().find(|copied| copied.table == table).unwrap().rows;
    assert_eq!((rows("people"), rows("attempts"), rows("responses"), rows("awards")), (12, 24, 96, 12));
    assert!(rows("jobs") > 24 && rows("audit_log") > 1);

    let back = file(world.folder.path(), "back.db");
    assert_eq!(whole(&server, &back).await.unwrap(), there);
    // And it works: what was there is found by the ordinary queries.
    let Place::File(path) = &back else { unreachable!() };
    let store = Store::open_sqlite(path).await.unwrap();
    assert_eq!(store.read(AttemptsOf { learner: ada }).await.unwrap().len(), 2);
    let badge = store.read(BadgesOf { learner: ada }).await.unwrap().remove(0);
    assert_eq!(badge.holder_name.as_deref(), Some("Ada Éxample 🎓"));
    assert!(badge.revoked_at.is_some());
    store.close().await;
    // Run once more, it finds everything done, and changes nothing.
    assert_eq!(whole(&from, &server).await.unwrap(), there);
}

#[tokio::test]
async fn a_move_that_was_cut_off_goes_on() {
    let (world, from, _) = story().await;
    let Some(server) = server().await else { return };
    let back = file(world.folder.path(), "back.db");
    // Cut after the first batch, in the middle of a table, and again and again until it comes through.
    for (from, to) in [(&from, &server), (&server, &back)] {
        let mut cuts = 0;
        let there = loop {
            match cut(from, to, 9).await {
                Err(MoveError::Stopped) => cuts += 1,
                done => break done.unwrap(),
            }
            assert!(cuts < 100, "every run must get further than the one before");
            if cuts == 1 {
                let half = whole(to, &file(world.folder.path(), "half.db")).await;
                assert!(matches!(half, Err(MoveError::Unfinished { .. })), "half a copy is not copied on: {half:?}");
            }
        };
        assert!(cuts > 3, "{cuts}");
        let fresh = file(world.folder.path(), if to == &back { "fresh2.db" } else { "fresh1.db" });
        assert_eq!(whole(from, &fresh).await.unwrap(), there, "as if it had been one run");
    }
}

/// Says something to a database behind the program's back.
async fn change(place: &Place, sql: &'static str) {
    let rows = match place {
        Place::File(file) => {
            let conn = rusqlite::Connection::open(file).unwrap();
            let rows = conn.execute(sql, []).unwrap() as u64;
            conn.close().unwrap();
            rows
        }
        Place::Server(url, _) => {
            let mut conn = sqlx::PgConnection::connect(url).await.unwrap();
            let rows = sqlx::query(sql).execute(&mut conn).await.unwrap().rows_affected();
            conn.close().await.unwrap();
            rows
        }
    };
    assert!(rows > 0, "{sql}");
}

#[tokio::test]
async fn a_changed_or_missing_row_is_noticed() {
    let (world, from, _) = story().await;
    let mut targets = vec![file(world.folder.path(), "copy.db")];
    targets.extend(server().await);
    for to in targets {
        // Enough for the first tables; a row of theirs is then changed before the rest comes.
        assert!(matches!(cut(&from, &to, 12).await, Err(MoveError::Stopped)));
        change(&to, "UPDATE items SET about = 'forged' WHERE item_id = 'alpha-000'").await;
        change(&to, "DELETE FROM sessions WHERE token_hash = (SELECT token_hash FROM sessions ORDER BY token_hash LIMIT 1)").await;
        let outcome = whole(&from, &to).await;
        assert!(matches!(&outcome, Err(MoveError::Differs { tables }) if tables == "sessions, items"), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_target_with_something_else_in_it_is_left_alone() {
    let (world, from, _) = story().await;
    let mut targets = vec![file(world.folder.path(), "copy.db")];
    targets.extend(server().await);
    for to in targets {
        // Another installation, be it ever so small.
        let other = World::new().await;
        other.store.close().await;
        let other = match &other.url {
            Some(url) => Place::Server(url.clone(), Promise::Disk),
            None => Place::File(other.folder.path().join("assay.db")),
        };
        if let Place::File(file) = &other {
            let before = std::fs::read(file);
            let refused = whole(&from, &other).await;
            assert!(matches!(refused, Err(MoveError::Occupied { .. })), "{refused:?}");
            assert_eq!(std::fs::read(file).ok(), before.ok());
        }
        // The same installation, moved before and lived on in.
        whole(&from, &to).await.unwrap();
        change(&to, "UPDATE standings SET fails = 9").await;
        assert!(matches!(whole(&from, &to).await, Err(MoveError::Occupied { .. })));
        let kept = whole(&to, &file(world.folder.path(), if matches!(to, Place::File(_)) { "a.db" } else { "b.db" })).await;
        assert!(kept.is_ok(), "{kept:?}");
    }
    // An unfinished copy of what the source no longer is.
    let half = file(world.folder.path(), "half.db");
    assert!(matches!(cut(&from, &half, 5).await, Err(MoveError::Stopped)));
    change(&from, "UPDATE standings SET fails = 7").await;
    assert!(matches!(whole(&from, &half).await, Err(MoveError::OtherCopy { .. })));
}

#[tokio::test]
async fn a_server_at_work_is_not_copied_nor_copied_over() {
    let Some(to) = server().await else { return };
    let Place::Server(url, promise) = &to else { unreachable!() };
    let (world, from, _) = story().await;
    let running = Store::open_postgres(url, *promise).await.unwrap();
    assert!(matches!(whole(&from, &to).await, Err(MoveError::InUse { .. })));
    assert!(matches!(whole(&to, &file(world.folder.path(), "copy.db")).await, Err(MoveError::InUse { .. })));
    running.close().await;
    assert!(whole(&from, &to).await.is_ok());
}

#[test]
fn a_password_is_never_said() {
    let place = Place::Server("postgres://ada:hush@db.example.org/assay".into(), Promise::Disk);
    assert_eq!(place.to_string(), "the PostgreSQL database db.example.org:5432/assay");
    assert!(!format!("{place:?}").contains("hush"));
}
