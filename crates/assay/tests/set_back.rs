//! A database that was set back: whoever knows more than it does signs, mails, begins and closes nothing, until the two are reconciled.
//! Over PostgreSQL where `ASSAY_TEST_ENGINE` says so.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod house;
mod running;

use std::fs;

use assay_fixtures::psql;
use assay_store::{
    commands::{JournalPosition, NoteJournals},
    queries::{AttemptOf, JournalPositions},
};
use house::{House, Yesterday, assay, done, journal::lines, text};
use running::{Browser, Server, begin, readiness, signed_in, site::Site, wait_for};
use serde_json::Value;

#[test]
fn a_server_whose_journal_knows_more_than_its_database_signs_and_mails_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let demo = ["demo", "--listen", "127.0.0.1:0", "--data", text(&data)];
    assert_eq!(Server::start(demo).terminate().code(), Some(0));
    // Somebody copies the folder back by hand: the database of yesterday under the journal of today.
    fs::copy(data.join("assay.db"), folder.path().join("yesterday.db")).unwrap();
    let server = Server::start(demo);
    assert_eq!(readiness(&server)["checks"]["journal"], "ok");
    let mut browser = signed_in(&server.url, "early@example.org");
    let attempt = begin(&mut browser, &server.url, "Early");
    assert_eq!(browser.post(&format!("{}{attempt}/submit", server.url), &[("confirm", "yes")]).unwrap().status, 303);
    let closed = |line: &Value| line["event"] == "closed" && line["outcome"]["right"] == 0;
    wait_for("the line", || lines(&data.join("journal/signing.jsonl")).iter().any(closed).then_some(()));
    assert_eq!(server.terminate().code(), Some(0));
    fs::copy(folder.path().join("yesterday.db"), data.join("assay.db")).unwrap();

    let (server, words) = Server::start_listening(demo);
    let said = words.words_until("ALARM");
    assert!(said.contains("database was set back") && said.contains("assay reconcile"), "{said}");
    let ready = readiness(&server);
    assert!(ready["ready"] == false && ready["checks"]["journal"].as_str().unwrap().contains("assay reconcile"), "{ready}");
    // People are served; but the link that they ask for waits.
    let mut browser = Browser::new();
    let (asked, length) = (format!("{}/sign-in", server.url), lines(&data.join("journal/signing.jsonl")).len());
    assert_eq!(browser.post(&asked, &[("address", "late@example.org"), ("next", "/me")]).unwrap().status, 200);
    std::thread::sleep(std::time::Duration::from_secs(2));
    let conn = rusqlite::Connection::open(data.join("assay.db")).unwrap();
    let tries: Vec<i64> = conn
        .prepare("SELECT tries FROM jobs WHERE kind = 'mail' AND done_at IS NULL")
        .and_then(|mut rows| rows.query_map([], |row| row.get(0))?.collect())
        .unwrap();
    assert_eq!(tries, [0], "it keeps its place");
    drop(conn);
    assert_eq!(browser.get(&format!("{}/status/1", server.url)).unwrap().status, 503);
    assert!(!browser.get(&format!("{}/demo/outbox", server.url)).unwrap().text().contains("late@example.org"));
    assert_eq!(lines(&data.join("journal/signing.jsonl")).len(), length, "nothing is added to a journal that is not understood");
    let (status, words) = assay(&["reconcile", "--data", text(&data)]);
    assert_eq!(status, 1, "{words}");
    assert!(words.contains("in use by another server"), "{words}");
    assert_eq!(server.terminate().code(), Some(0));

    let words = done(&["reconcile", "--data", text(&data)]);
    assert!(words.contains("about people who are not in this database"), "{words}");
    let server = Server::start(demo);
    assert_eq!(readiness(&server)["checks"]["journal"], "ok");
    signed_in(&server.url, "later@example.org");
    assert_eq!(server.terminate().code(), Some(0));

    // A journal that lost its end is noticed as well, and one that is gone.
    let journal = fs::read_to_string(data.join("journal/signing.jsonl")).unwrap();
    let short: String = journal.split_inclusive('\n').take(3).collect();
    fs::write(data.join("journal/signing.jsonl"), short).unwrap();
    let (server, words) = Server::start_listening(demo);
    words.words_until("it is shorter than it was");
    drop(server);
    fs::remove_file(data.join("journal/signing.jsonl")).unwrap();
    let (server, words) = Server::start_listening(demo);
    words.words_until("is not in");
    drop(server);
    let (status, words) = assay(&["reconcile", "--data", text(&data)]);
    assert!(status == 1 && words.contains("--journal-lost"), "{words}");
    let words = done(&["reconcile", "--data", text(&data), "--journal-lost"]);
    assert!(words.contains("go into status list"), "{words}");
    let server = Server::start(demo);
    assert_eq!(readiness(&server)["checks"]["journal"], "ok");
}

#[tokio::test]
async fn an_attempt_that_was_closed_otherwise_since_a_setting_back_is_made_good() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("old");
    let yesterday = folder.path().join("yesterday.db");
    let house = House::embedded(&root).await;
    let (hal, ivy) = (house.person("Hal").await, house.person("Ivy").await);
    let attempt = house.begin(hal, "Hal").await;
    // Handed in, not signed yet.
    house.sit(ivy, "Ivy", true).await;
    house.store.close().await;
    fs::copy(root.join("assay.db"), &yesterday).unwrap();
    let house = House::open(&root, None, 2, &[]).await;
    house.hand_in(hal, attempt, true).await;
    // An award is taken back before it is signed.
    let badge = house.badge(ivy).await.unwrap();
    assert!(badge.document.is_none());
    let place = house.place();
    done(&["revoke", badge.badge_id.as_str(), "--reason", "a test", &place[0], &place[1]]);
    // The command's clock is ahead of this house's by some moments.
    house.clock.advance_seconds(60);
    house.work().await;
    assert!(house.badge(hal).await.unwrap().document.is_some());
    house.store.close().await;
    fs::copy(&yesterday, root.join("assay.db")).unwrap();

    let house = House::open(&root, None, 3, &[]).await;
    rusqlite::Connection::open(root.join("assay.db"))
        .unwrap()
        .execute("UPDATE attempts SET deadline = started_at + 1000 WHERE state = 'open'", [])
        .unwrap();
    house.clock.advance_seconds(60);
    house.worker.hold("set back".to_owned());
    house.work().await;
    let open = house.store.read(AttemptOf { learner: hal, attempt }).await.unwrap().unwrap();
    assert!(open.submitted_at.is_none(), "closed while it is held");
    assert!(house.badge(ivy).await.unwrap().document.is_none(), "signed while it is held");
    house.store.close().await;
    // A server of the version before closed it, as failed.
    let house = House::open(&root, None, 4, &[]).await;
    house.clock.advance_seconds(60);
    let journal = fs::read(house.journal()).unwrap();
    house.work().await;
    assert!(house.badge(hal).await.is_none());
    house.store.close().await;
    fs::write(house.journal(), journal).unwrap();
    rusqlite::Connection::open(root.join("assay.db")).unwrap().execute("DELETE FROM journals", []).unwrap();

    let place = house.place();
    done(&["reconcile", &place[0], &place[1]]);
    let house = House::open(&root, None, 5, &[]).await;
    house.work().await;
    assert!(house.badge(hal).await.unwrap().document.is_some());
    let closed = house.store.read(AttemptOf { learner: hal, attempt }).await.unwrap().unwrap();
    assert!(closed.outcome.unwrap().passed);
    assert!(house.badge(ivy).await.unwrap().revoked_at.is_some());
    house.store.close().await;
    assert!(done(&["reconcile", &place[0], &place[1]]).contains(" 0 were made good"));
}

/// A standby that lagged and was promoted: the worker that noted more than it knows writes, signs and mails nothing more.
#[tokio::test]
async fn a_worker_whose_database_is_set_back_under_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::new(&folder.path().join("old")).await;
    let (ada, bob) = (house.person("Ada").await, house.person("Bob").await);
    house.sit(ada, "Ada", false).await;
    house.work().await;
    let before = house.store.read(JournalPositions {}).await.unwrap();
    assert_eq!(before.len(), 1);
    let back = JournalPosition { length: before[0].length - 1, ..before[0].clone() };
    house.sit(bob, "Bob", true).await;
    house.store.run(NoteJournals { positions: vec![back.clone()], all: true }).await.unwrap();
    house.work().await;
    assert!(house.worker.held().is_some_and(|words| words.contains("set back")));
    assert_eq!(house.store.read(JournalPositions {}).await.unwrap(), [back], "nothing is noted over it");
    assert!(house.badge(bob).await.unwrap().document.is_none());
    house.store.close().await;
}

#[tokio::test]
async fn waiting_while_it_is_held_costs_a_badge_no_tries() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::new(&folder.path().join("old")).await;
    let ada = house.person("Ada").await;
    house.sit(ada, "Ada", true).await;
    let tries = || house.sql("SELECT tries || ' ' || COALESCE(last_error, '') FROM jobs WHERE kind = 'issue' AND done_at IS NULL");
    // The control: a journal that cannot be written costs a try.
    fs::create_dir(house.journal()).unwrap();
    house.work().await;
    assert!(tries().starts_with("1 the signing journal"), "{}", tries());
    fs::remove_dir(house.journal()).unwrap();
    house.worker.hold("the database was set back".to_owned());
    for _ in 0..3 {
        house.clock.advance_seconds(61);
        house.work().await;
        assert_eq!(tries(), "1 the database was set back");
        assert!(!house.journal().exists(), "nothing is written into a journal that is not understood");
    }
    let (root, url) = (house.root.clone(), house.url.clone());
    house.store.close().await;
    let house = House::open(&root, url, 2, &[]).await;
    house.clock.advance_seconds(300);
    house.work().await;
    assert!(house.badge(ada).await.unwrap().document.is_some());
    house.store.close().await;
}

/// Two nodes over PostgreSQL, which run by turns: each holds by its own journal, and only all together make good what was forgotten.
#[test]
fn a_node_whose_database_was_set_back_holds_until_all_journals_were_gathered() {
    let Some(database) = tokio::runtime::Runtime::new().unwrap().block_on(assay_fixtures::postgres_database()) else { return };
    let site = Site::over(&database, 2, "");
    let reconcile = |more: &[&str]| assay(&[&["reconcile", "--config", site.config(0)], more].concat());
    let submit =
        |browser: &mut Browser, url: &str, attempt: &str| browser.post(&format!("{url}{attempt}/submit"), &[("confirm", "yes")]).unwrap();
    let closed = |n| lines(&site.journal(n)).iter().filter(|line| line["event"] == "closed").count();
    let fail = |server: &Server, n: usize, address: &str| {
        let mut browser = site.sign_in(&server.url, address);
        let attempt = begin(&mut browser, &server.url, "Somebody");
        let before = closed(n);
        assert_eq!(submit(&mut browser, &server.url, &attempt).status, 303);
        wait_for("the line", || (closed(n) > before).then_some(()));
    };
    // Both databases' journals have a line that the database knows.
    let server = site.start(0);
    fail(&server, 0, "first@example.org");
    let mut open = site.sign_in(&server.url, "open@example.org");
    let attempt = begin(&mut open, &server.url, "Open");
    let mut new = site.sign_in(&server.url, "new@example.org");
    assert_eq!(server.terminate().code(), Some(0));
    let server = site.start(1);
    fail(&server, 1, "second@example.org");
    let (status, words) = reconcile(&[]);
    assert!(status == 1 && words.contains("stop them all first"), "{words}");
    assert_eq!(server.terminate().code(), Some(0));
    let yesterday = Yesterday::of(site.root(), Some(database.clone()));
    // Only the first node goes on.
    let server = site.start(0);
    assert_eq!(readiness(&server)["checks"]["journal"], "ok");
    assert_eq!(submit(&mut open, &server.url, &attempt).status, 303);
    wait_for("the line", || (closed(0) == 2).then_some(()));
    assert_eq!(server.terminate().code(), Some(0));
    yesterday.bring_back();

    let (before, server) = (lines(&site.journal(0)).len(), site.start(0));
    let ready = readiness(&server);
    assert!(ready["ready"] == false && ready["checks"]["journal"].as_str().unwrap().contains("gather all journals"), "{ready}");
    let ask = |address: &str| Browser::new().post(&format!("{}/sign-in", server.url), &[("address", address), ("next", "/me")]).unwrap();
    assert_eq!(ask("late@example.org").status, 200);
    // Nothing is begun, and nothing closed that was closed otherwise already.
    let begun = new.post(&format!("{}/programmes/serverless/assessment", server.url), &[("name", "New"), ("honesty", "yes")]).unwrap();
    assert_eq!((begun.status, submit(&mut open, &server.url, &attempt).status), (503, 503));
    std::thread::sleep(std::time::Duration::from_secs(2));
    let waiting = "SELECT tries FROM jobs WHERE kind = 'mail' AND done_at IS NULL";
    assert_eq!(psql(&database, waiting), "0", "the link that was asked for waits");
    assert_eq!(lines(&site.journal(0)).len(), before);
    assert_eq!(server.terminate().code(), Some(0));

    let other = site.journal(1);
    let (status, words) = reconcile(&[]);
    assert!(status == 1 && words.contains("1 of them are not here"), "{words}");
    let (status, words) = reconcile(&["--journal", text(&other)]);
    assert!(status == 0, "{words}");
    let server = site.start(0);
    assert_eq!(readiness(&server)["checks"]["journal"], "ok");
    // The link comes, and what was closed is closed.
    wait_for("the mail", || site.link(&mut Browser::new(), &server.url, "late@example.org"));
    assert!(open.get(&format!("{}{attempt}/result", server.url)).unwrap().text().contains("Not passed this time"));
    assert_eq!(psql(&database, "SELECT COUNT(*) FROM attempts WHERE state = 'open'"), "0");
    assert_eq!(server.terminate().code(), Some(0));
    let server = site.start(1);
    assert_eq!(readiness(&server)["checks"]["journal"], "ok", "the other goes on in its own");
    assert_eq!(server.terminate().code(), Some(0));
}
