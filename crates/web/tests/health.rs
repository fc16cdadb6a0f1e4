//! `/healthz` and `/readyz`, and what a clock that somebody sets does to attempts and badges.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use std::{
    fs,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use assay_core::{UtcMillis, programme::Rules};
use assay_fixtures::{START, items, programme, psql};
use assay_web::Vitals;
use axum::http::StatusCode;
use common::{Options, Server};
use tokio::time::Instant;

async fn server() -> Server {
    let sample = programme(4, 3);
    Server::new(&sample, items(&sample, 8, |_| 1)).await
}

/// Troubles that a test sets.
#[derive(Default)]
struct Told(Mutex<[Option<String>; 3]>);

impl Told {
    fn say(&self, which: usize) -> Result<(), String> {
        self.0.lock().unwrap()[which].clone().map_or(Ok(()), Err)
    }
}

impl Vitals for Told {
    fn worker(&self) -> Result<(), String> {
        self.say(0)
    }
    fn clock(&self) -> Result<(), String> {
        self.say(1)
    }
    fn journal(&self) -> Result<(), String> {
        self.say(2)
    }
}

#[tokio::test]
async fn readiness_names_the_check_that_fails() {
    let server = server().await;
    let told = Arc::new(Told::default());
    server.app.watched_by(told.clone());
    let mut browser = server.browser();
    let answer = browser.get("/readyz").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let well = serde_json::json!({ "reads": "ok", "durable_writes": "ok", "worker": "ok", "journal": "ok", "clock": "ok" });
    assert_eq!(answer.json(), serde_json::json!({ "ready": true, "checks": well }));

    for (which, name) in ["worker", "clock", "journal"].into_iter().enumerate() {
        told.0.lock().unwrap()[which] = Some("words".to_owned());
        let answer = browser.get("/readyz").await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        let mut checks = well.clone();
        checks[name] = "words".into();
        assert_eq!(answer.json(), serde_json::json!({ "ready": false, "checks": checks }));
        told.0.lock().unwrap()[which] = None;
    }

    server.store.close().await;
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(3)).await;
    let answer = browser.get("/readyz").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    for check in ["reads", "durable_writes"] {
        assert!(answer.json()["checks"][check].as_str().unwrap().contains("database"), "{}", answer.text());
    }
    assert_eq!(browser.get("/healthz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_ready_server_has_written_through_to_the_disk() {
    let server = server().await;
    if server.world.url.is_some() {
        // Its log is PostgreSQL's own.
        return;
    }
    let log = || fs::metadata(server.world.folder.path().join("assay.db-wal")).unwrap().len();
    let mut browser = server.browser();
    let before = log();
    browser.get("/robots.txt").await;
    assert_eq!(log(), before);
    assert_eq!(browser.get("/readyz").await.status, StatusCode::OK);
    let proved = log();
    assert!(proved > before, "nothing was written");
    // However often one asks, it is not proved more often than every other second.
    for _ in 0..20 {
        assert_eq!(browser.get("/readyz").await.status, StatusCode::OK);
    }
    assert!(log() < proved + 10 * (proved - before));
}

/// Over PostgreSQL only, where a table can be locked from outside.
#[tokio::test]
async fn while_a_proof_hangs_no_other_is_begun() {
    let server = server().await;
    let Some(url) = server.world.url.clone() else { return };
    let before = Instant::now();
    let (ask, lock) = (url.clone(), "BEGIN; LOCK TABLE released_handles; SELECT pg_sleep(8)");
    let locking = thread::spawn(move || psql(&ask, lock));
    let waiting = "SELECT COUNT(*) FROM pg_locks WHERE relation = 'released_handles'::regclass AND NOT granted";
    while psql(&url, "SELECT COUNT(*) FROM pg_locks WHERE relation = 'released_handles'::regclass") == "0" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for round in 0..2 {
        let asked = (0..3).map(|_| async { server.browser().get("/readyz").await });
        for answer in futures_util::future::join_all(asked).await {
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text());
            assert!(answer.json()["checks"]["durable_writes"].as_str().unwrap().contains("no answer"), "{}", answer.text());
        }
        if before.elapsed() < Duration::from_secs(7) {
            assert_eq!(psql(&url, waiting), "1", "round {round}: proofs that wait");
        }
    }
    locking.join().unwrap();
    // What hung is done, and counts.
    for _ in 0..100 {
        if server.browser().get("/readyz").await.status == StatusCode::OK {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it is never ready again");
}

/// With an hour for an attempt.
async fn timed(watched_clock: bool) -> Server {
    let mut sample = programme(4, 3);
    sample.rules = Rules { time_limit_seconds: Some(3600), ..sample.rules };
    Server::with(&sample, items(&sample, 8, |_| 1), Options { watched_clock, ..Options::default() }).await
}

#[tokio::test]
async fn a_clock_that_is_set_ahead_closes_no_attempt() {
    let server = timed(true).await;
    let mut browser = server.signed_in("ada@example.org").await;
    let attempt = browser.begin("Ada").await;
    let token = browser.token(&attempt, 1, "Option 1").await;
    for step in [7200, -7200, -90 * 86_400] {
        server.clock.step_seconds(step);
        server.worker.drain().await;
        assert_eq!(browser.get(&format!("{attempt}/questions/1")).await.status, StatusCode::OK, "step of {step} s");
        assert_eq!(browser.save(&attempt, 1, &token).await.status, StatusCode::OK, "step of {step} s");
        assert!(server.worker.clock_trouble().is_some_and(|words| words.contains(&format!("set by {step} s"))));
        server.clock.step_seconds(-step);
        assert_eq!(server.worker.clock_trouble(), None);
    }
    // Time that really passes closes it, alarm or not: whoever comes late finds it over.
    server.clock.step_seconds(7200);
    server.clock.advance_seconds(3601);
    server.worker.drain().await;
    assert_eq!(browser.save(&attempt, 1, &token).await.status, StatusCode::GONE);
    assert_eq!(browser.get(&format!("{attempt}/questions/1")).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn without_the_watch_a_clock_that_is_set_ahead_closes_it() {
    let server = timed(false).await;
    let mut browser = server.signed_in("ada@example.org").await;
    let attempt = browser.begin("Ada").await;
    let token = browser.token(&attempt, 1, "Option 1").await;
    server.clock.step_seconds(7200);
    server.worker.drain().await;
    assert_eq!(browser.save(&attempt, 1, &token).await.status, StatusCode::GONE);
}

#[tokio::test]
async fn overdue_attempts_are_closed_by_the_worker_but_not_while_the_alarm_stands() {
    let server = timed(true).await;
    server.signed_in("ada@example.org").await.begin("Ada").await;
    server.clock.step_seconds(7200);
    server.clock.advance_seconds(3601);
    server.worker.drain().await;
    let told = || server.outbox.mails().iter().any(|(_, mail)| mail.subject.contains("not passed"));
    assert!(!told(), "closed while the alarm stands");
    server.clock.step_seconds(-7200);
    server.worker.drain().await;
    assert!(told());
}

/// The signed document's own dates, once it is there.
async fn dates(browser: &mut common::Browser<'_>) -> Option<Vec<String>> {
    let me = browser.get("/me").await.text();
    let id = me.split("/me/badges/").nth(1).unwrap()[..26].to_owned();
    let answer = browser.get(&format!("/b/{id}.json")).await;
    if answer.status != StatusCode::OK {
        return None;
    }
    let badge = answer.json();
    let proof = badge["proof"].as_array().map_or(&badge["proof"], |all| &all[0]);
    Some(vec![badge["validFrom"].as_str().unwrap().to_owned(), proof["created"].as_str().unwrap().to_owned()])
}

#[tokio::test]
async fn nothing_is_signed_by_a_clock_that_is_wrong() {
    for step in [2 * 3600, -600, 3650 * 86_400] {
        let server = server().await;
        let mut browser = server.signed_in("ada@example.org").await;
        server.clock.step_seconds(step);
        browser.sit(4).await;
        assert_eq!(dates(&mut browser).await, None, "signed after a step of {step} s");
        let words = server.worker.clock_trouble().unwrap();
        assert!(words.contains("nothing is signed"), "{words}");
        // The clock comes back: signed within seconds, with the true time.
        server.clock.step_seconds(-step);
        server.clock.advance_seconds(6);
        server.worker.drain().await;
        let dates = dates(&mut browser).await.unwrap();
        assert!(
            dates.iter().all(|at| UtcMillis::parse_rfc3339(at).is_some_and(|at| (START..START.plus_seconds(60)).contains(&at))),
            "{dates:?}"
        );
    }
    // A step of less than an hour is an alarm, and stops no signing: the time told goes on as before.
    let server = server().await;
    let mut browser = server.signed_in("ada@example.org").await;
    server.clock.step_seconds(3000);
    browser.sit(4).await;
    assert!(server.worker.clock_trouble().is_some());
    let dates = dates(&mut browser).await.unwrap();
    assert!(dates.iter().all(|at| UtcMillis::parse_rfc3339(at).is_some_and(|at| at < START.plus_seconds(60))), "{dates:?}");
}

#[tokio::test]
async fn nothing_is_signed_before_what_was_signed() {
    let server = server().await;
    let mut browser = server.signed_in("ada@example.org").await;
    server.worker.know(START.plus_seconds(301));
    browser.sit(4).await;
    assert_eq!(dates(&mut browser).await, None);
    assert!(server.worker.clock_trouble().is_some_and(|words| words.contains("already signed or noted")));
    server.clock.advance_seconds(10);
    server.worker.drain().await;
    assert!(dates(&mut browser).await.is_some());
}

#[tokio::test]
async fn jobs_that_a_wrong_clock_put_off_are_brought_forward() {
    let server = timed(false).await;
    // A server that began with the clock years ahead.
    server.clock.step_seconds(3650 * 86_400);
    let mut browser = server.browser();
    browser.form("/sign-in", "address=ada%40example.org&next=/me").await;
    server.clock.step_seconds(-3650 * 86_400);
    server.worker.drain().await;
    assert_eq!(server.outbox.mails().len(), 0);
    // The next start takes over.
    server.worker.take_over().await.unwrap();
    server.worker.drain().await;
    assert_eq!(server.outbox.mails().len(), 1);
}
