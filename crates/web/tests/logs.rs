//! A whole story with everything logged that can be logged, and a search for what must never stand there.
//!
//! One subscriber for the whole process, so that threads of the database are heard too; hence one test in this file.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use std::{
    io::Write,
    sync::{Arc, LazyLock, Mutex},
};

use assay_core::{UtcMillis, mail::Mail};
use assay_fixtures::{items, programme};
use assay_jobs::{Mailer, Outbox, Sending};
use axum::http::StatusCode;
use common::{Between, Options, Server};
use tracing_subscriber::{EnvFilter, fmt::MakeWriter, layer::SubscriberExt, util::SubscriberInitExt};

/// Everything that was logged.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

static CAPTURED: LazyLock<Captured> = LazyLock::new(Captured::default);

/// A part that somebody was careless with.
struct Careless(Arc<Outbox>);

impl Mailer for Careless {
    fn send<'a>(&'a self, id: &'a str, mail: &'a Mail, at: UtcMillis) -> Sending<'a> {
        tracing::debug!(to = mail.to, "a mail is sent");
        self.0.send(id, mail, at)
    }
}

/// From the first page to the badge, with mistakes and things that fail on the way. Answers what is personal or secret in it.
async fn story(mailer: Option<Between>) -> Vec<String> {
    let sample = programme(4, 3);
    let server = Server::with(&sample, items(&sample, 12, |_| 1), Options { mailer, ..Options::default() }).await;
    let (address, name) = ("quillfeather@canary.example", "Zebedee+Canarywharf");
    let mut person = server.signed_in(address).await;
    let mails = server.outbox.mails();
    let link = mails[0].1.text.split_whitespace().find_map(|word| word.strip_prefix("http://assay.test/sign-in/")).unwrap().to_owned();
    // A link that was used, by whoever finds it later.
    assert_eq!(server.browser().get(&format!("/sign-in/{link}")).await.status, StatusCode::GONE);
    person.form("/sign-in", "address=nobody-canary%40&next=/me").await;
    let attempt = person.begin(name).await;
    for position in 1..=4 {
        let token = person.token(&attempt, position, "Option 1").await;
        person.save(&attempt, position, &token).await;
    }
    // What cannot be read, what is refused, what is not there.
    let broken = serde_json::json!({ "chosen": "canary-in-a-body", "base_revision": "x" });
    person.json(&format!("{attempt}/questions/1/answer"), broken).await;
    person.form(&format!("{attempt}/questions/1/report"), "words=canary+words+of+a+report").await;
    person.get("/p/canary-page").await;
    person.form(&format!("{attempt}/submit"), "confirm=yes").await;
    server.worker.drain().await;
    let me = person.get("/me").await.text();
    let badge = me.split("/me/badges/").nth(1).unwrap()[..26].to_owned();
    person.get(&format!("/me/badges/{badge}")).await;
    person.form(&format!("/me/badges/{badge}"), "visibility=listed&name=Zebedee+Canarywharf").await;
    person.form("/me/page", "handle=canary-page").await;
    for end in ["", ".json", ".png", ".svg"] {
        person.get(&format!("/b/{badge}{end}")).await;
    }
    person.get("/p/canary-page").await;
    person.get("/me/data/export").await;
    let cookie = person.cookie.clone().unwrap().split_once('=').unwrap().1.to_owned();
    person.form("/me/data/erase", "confirm=ERASE").await;
    // The database goes away in the middle.
    server.store.close().await;
    person.get(&format!("/b/{badge}")).await;
    server.worker.drain().await;
    vec![address.to_owned(), "quillfeather".into(), "canary".into(), "Canarywharf".into(), link, cookie, badge, attempt[10..].to_owned()]
}

/// Which of these stand in the log.
fn found(secrets: &[String]) -> Vec<(String, String)> {
    let log = String::from_utf8_lossy(&CAPTURED.0.lock().unwrap()).into_owned();
    let lower = log.to_lowercase();
    let line =
        |secret: &String| lower.lines().find(|line| line.contains(&secret.to_lowercase())).map(|line| (secret.clone(), line.to_owned()));
    secrets.iter().filter_map(line).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_log_line_holds_anything_personal_or_secret() {
    let layer = tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(true).with_writer(CAPTURED.clone());
    tracing_subscriber::registry().with(EnvFilter::new("debug")).with(layer).init();

    let secrets = story(None).await;
    let log = String::from_utf8_lossy(&CAPTURED.0.lock().unwrap()).into_owned();
    // It was listened to: all rooms, at the level of debugging, and requests with all that ties their lines together.
    for part in [
        "\"level\":\"DEBUG\"",
        if std::env::var("ASSAY_TEST_ENGINE").is_ok_and(|engine| engine == "postgres") { "sqlx::query" } else { "assay_store::sql" },
        "\"target\":\"assay_web::told\"",
        "/attempts/{attempt}/questions/{position}/answer",
        "\"ms\":",
    ] {
        assert!(log.contains(part), "{part} is not in the log");
    }
    let answered =
        log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()).find(|line| line["message"] == "answered");
    let span = &answered.unwrap()["span"];
    assert!(span["id"].as_str().is_some_and(|id| id.len() == 10) && span["method"].is_string() && span["route"].is_string(), "{span}");
    assert_eq!(found(&secrets), [], "the log holds these");

    // The search finds what somebody careless logs, at the level of debugging.
    let secrets = story(Some(|outbox| Arc::new(Careless(outbox)))).await;
    assert!(found(&secrets).iter().any(|(secret, _)| secret == "quillfeather@canary.example"));
}
