//! Who gives way under load, what is counted, and what ties the lines of a request together.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use assay_core::chance::{Chance, SeededChance};
use assay_fixtures::{START, items, programme};
use assay_store::{StoreError, commands::ProveDurable, queries::OwnData};
use assay_web::{AtOnce, Limits};
use axum::http::{StatusCode, header};
use common::{Answer, Options, Server};
use futures_util::FutureExt;
use metrics_exporter_prometheus::PrometheusBuilder;

async fn server(at_once: AtOnce) -> Server {
    let sample = programme(4, 3);
    Server::with(&sample, items(&sample, 8, |_| 1), Options { limits: Limits::relaxed().with(at_once), ..Options::default() }).await
}

/// Refused for now, with words and the time to wait.
fn told_to_come_back(answer: &Answer) -> bool {
    let wait = answer.headers.get(header::RETRY_AFTER).map(|v| v.to_str().unwrap().parse::<u32>().unwrap());
    answer.status == StatusCode::SERVICE_UNAVAILABLE && wait.is_some_and(|seconds| (1..=10).contains(&seconds))
}

#[tokio::test]
async fn browsing_gives_way_and_attempts_do_not() {
    // No place for browsing at all; then as many attempts as are too many for it.
    let none = AtOnce { browse: 0, browse_waiting: 0, ..AtOnce::default() };
    let crowded = AtOnce { attempts: 0, ..AtOnce::default() };
    let quiet = server(AtOnce::default()).await;
    let mut person = quiet.signed_in("ada@example.org").await;
    let attempt = person.begin("Ada").await;
    let token = person.token(&attempt, 1, "Option 1").await;
    for path in ["/", "/sign-in", "/me", "/verify", "/programmes/sample/assessment"] {
        assert_eq!(person.get(path).await.status, StatusCode::OK, "{path}");
    }
    for at_once in [none, crowded] {
        let mut browser = quiet.browser();
        browser.door = quiet.door(Limits::relaxed().with(at_once), false).await;
        browser.cookie.clone_from(&person.cookie);
        for path in ["/", "/sign-in", "/me", "/verify", "/programmes/sample/assessment", "/nowhere"] {
            let answer = browser.get(path).await;
            assert!(told_to_come_back(&answer), "{path}: {}", answer.status);
            assert!(answer.text().contains("Many people are at work here"), "{}", answer.text());
        }
        assert_eq!(browser.get(&format!("{attempt}/questions/1")).await.status, StatusCode::OK);
        assert_eq!(browser.get(&format!("{attempt}/review")).await.status, StatusCode::OK);
        assert_eq!(browser.save(&attempt, 1, &token).await.status, StatusCode::OK);
        for path in ["/healthz", "/readyz", "/favicon.svg"] {
            assert_eq!(browser.get(path).await.status, StatusCode::OK, "{path}");
        }
    }
    let handed_in = person.form(&format!("{attempt}/submit"), "confirm=yes").await;
    assert_eq!(handed_in.location(), format!("{attempt}/result"));
}

#[tokio::test]
async fn a_short_rush_waits_for_a_place_and_is_served() {
    let server = server(AtOnce { browse: 1, ..AtOnce::default() }).await;
    let rush = (0..50).map(|_| async { server.browser().get("/").await.status });
    let all = futures_util::future::join_all(rush).await;
    assert!(all.iter().all(|status| *status == StatusCode::OK), "{all:?}");
}

#[tokio::test]
async fn a_full_queue_is_said_and_nothing_is_called_saved() {
    let server = server(AtOnce::default()).await;
    let mut person = server.signed_in("ada@example.org").await;
    let attempt = person.begin("Ada").await;
    let token = person.token(&attempt, 1, "Option 1").await;
    // Keeps the queue full, from beside.
    let over = Arc::new(AtomicBool::new(false));
    let (store, issuer, done) = (server.store.clone(), server.world.issuer, Arc::clone(&over));
    let filling = tokio::spawn(async move {
        let chance = SeededChance::new([5; 32]);
        let mut waiting = Vec::new();
        while !done.load(Ordering::SeqCst) {
            let mut one = Box::pin(store.run(ProveDurable { issuer, mark: (&chance as &dyn Chance).bytes() }));
            match one.as_mut().now_or_never() {
                None => waiting.push(one),
                Some(Err(StoreError::Busy)) => tokio::task::yield_now().await,
                Some(other) => panic!("{other:?}"),
            }
        }
        // Who waits too long for a connection is told to come back, too.
        let told = futures_util::future::join_all(waiting).await;
        assert!(told.iter().all(|told| matches!(told, Ok(()) | Err(StoreError::Busy))), "{told:?}");
    });
    let (mut refused, mut shed) = (false, false);
    for _ in 0..500 {
        let answer = person.save(&attempt, 1, &token).await;
        if answer.status != StatusCode::OK {
            assert!(told_to_come_back(&answer), "{}", answer.text());
            assert!(answer.text().contains("This was not saved") && !answer.text().contains("\"saved\":true"), "{}", answer.text());
            refused = true;
        }
        // Long before the queue is full, nobody browses; whoever sits an attempt reads on.
        shed |= told_to_come_back(&person.get("/").await);
        // The second was never shown before: that is noted when there is room.
        for position in [1, 2] {
            assert_eq!(person.get(&format!("{attempt}/questions/{position}")).await.status, StatusCode::OK);
        }
        if refused && shed {
            break;
        }
    }
    over.store(true, Ordering::SeqCst);
    filling.await.unwrap();
    assert!(refused && shed, "refused {refused}, shed {shed}");
    assert_eq!(person.save(&attempt, 1, &token).await.status, StatusCode::OK);
    assert_eq!(person.get("/").await.status, StatusCode::OK);
    assert!(server.app.settle().await);
    assert_eq!(shown(&server, "ada@example.org").await, [true, true]);
}

/// Of each question in a person's own data, whether it says when it was first shown: now.
async fn shown(server: &Server, address: &str) -> Vec<bool> {
    let learner = server.world.person(address).await;
    let data = server.store.read(OwnData { learner }).await.unwrap();
    data["answers"].as_array().unwrap().iter().map(|answer| answer["first_shown_at"] == START.rfc3339()).collect()
}

#[tokio::test]
async fn what_was_shown_is_noted_once_and_nobody_waits_for_it() {
    let server = server(AtOnce::default()).await;
    let mut person = server.signed_in("ada@example.org").await;
    let attempt = person.begin("Ada").await;
    for position in [3, 1, 3] {
        assert_eq!(person.get(&format!("{attempt}/questions/{position}")).await.status, StatusCode::OK);
    }
    assert!(server.app.settle().await);
    server.clock.advance_seconds(60);
    assert_eq!(person.get(&format!("{attempt}/questions/3")).await.status, StatusCode::OK);
    assert!(server.app.settle().await);
    assert_eq!(shown(&server, "ada@example.org").await, [true, true], "the first time counts");
    // Without anybody who waits for it, it is written as well.
    assert_eq!(person.get(&format!("{attempt}/questions/2")).await.status, StatusCode::OK);
    for _ in 0..1500 {
        if shown(&server, "ada@example.org").await.len() == 3 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(shown(&server, "ada@example.org").await, [true, false, true]);
    // The database is gone: what it did not take is not called written.
    assert_eq!(person.get(&format!("{attempt}/questions/4")).await.status, StatusCode::OK);
    server.store.close().await;
    assert!(!server.app.settle().await);
}

#[tokio::test]
async fn what_becomes_of_answers_is_counted() {
    // For this thread only, on which everything of this test runs.
    let recorder = PrometheusBuilder::new().build_recorder();
    let figures = recorder.handle();
    let _here = metrics::set_default_local_recorder(&recorder);
    let server = server(AtOnce::default()).await;
    let mut person = server.signed_in("ada@example.org").await;
    let attempt = person.begin("Ada").await;
    let token = person.token(&attempt, 1, "Option 1").await;
    assert_eq!(person.save(&attempt, 1, &token).await.status, StatusCode::OK);
    let from_elsewhere = serde_json::json!({ "chosen": [token], "base_revision": 0, "device": "other", "counter": 1 });
    assert_eq!(person.json(&format!("{attempt}/questions/1/answer"), from_elsewhere.clone()).await.status, StatusCode::CONFLICT);
    for position in 1..=4 {
        let token = person.token(&attempt, position, "Option 1").await;
        person.save(&attempt, position, &token).await;
    }
    assert_eq!(person.form(&format!("{attempt}/submit"), "confirm=yes").await.status, StatusCode::SEE_OTHER);
    assert_eq!(person.json(&format!("{attempt}/questions/1/answer"), from_elsewhere).await.status, StatusCode::GONE);
    server.worker.drain().await;
    let text = figures.render();
    for line in [
        "assay_answers_saved_total 5",
        "assay_answers_refused_total{reason=\"conflict\"} 1",
        "assay_answers_refused_total{reason=\"closed\"} 1",
        "assay_requests_total{class=\"attempt\",status=\"409\"} 1",
        "assay_badges_issued_total 1",
        "assay_jobs_total{kind=\"issue\",outcome=\"done\"} 1",
        "assay_mails_total{outcome=\"sent\"} 2",
        "assay_clock_alarm 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    for name in ["assay_commit_seconds", "assay_commit_commands", "assay_request_seconds"] {
        assert!(text.contains(name), "{name} is not in\n{text}");
    }
    assert!(!text.contains("ada@example.org") && !text.contains(&attempt[10..]), "{text}");
}

#[tokio::test]
async fn a_request_has_one_id_from_log_to_page() {
    let server = server(AtOnce::default()).await;
    let mut browser = server.browser();
    let lost = browser.get("/nowhere").await;
    let id = lost.headers.get("x-request-id").unwrap().to_str().unwrap().to_owned();
    assert!(id.len() == 10 && lost.text().contains(&id), "{}", lost.text());
    // Not behind a proxy, nobody else says what a request is called.
    let request = browser.request("GET", "/nowhere").header("x-request-id", "mine").body(axum::body::Body::empty()).unwrap();
    assert_ne!(browser.send(request).await.headers.get("x-request-id").unwrap(), "mine");

    browser.door = server.door(Limits::relaxed(), true).await;
    for (sent, kept) in [("a1B2-c3_d4", true), ("", false), ("with space", false), (&"x".repeat(65), false), ("<b>", false)] {
        let request = browser.request("GET", "/nowhere").header("x-request-id", sent).body(axum::body::Body::empty()).unwrap();
        let answer = browser.send(request).await;
        assert_eq!(answer.headers.get("x-request-id").unwrap() == sent, kept, "{sent}");
    }
}
