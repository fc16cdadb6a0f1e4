//! `assay reconcile`: which journals it goes by (all nodes' and none less, a fresh list's, those of older programs), and whose the files
//! are afterwards. Over PostgreSQL where `ASSAY_TEST_ENGINE` says so.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod house;
mod running;

use std::{fs, path::Path};

use assay_core::Clock;
use assay_store::queries::{AttemptOf, JournalPositions, StandingOf};
use house::{
    House, assay, done,
    journal::{lines, write_chained},
    now, text,
};
use running::{Server, readiness};
use serde_json::Value;
use sha2::{Digest, Sha256};

#[test]
fn lines_of_the_first_version_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let demo = ["demo", "--listen", "127.0.0.1:0", "--data", text(&data)];
    assert_eq!(Server::start(demo).terminate().code(), Some(0));
    let journal = data.join("journal/signing.jsonl");
    let signed = lines(&journal).into_iter().find(|line| line["event"] == "signed").unwrap();
    // As an older program would have gone on: no word of why.
    let mut text_of_journal = fs::read_to_string(&journal).unwrap();
    let last = text_of_journal.split_inclusive('\n').next_back().unwrap();
    let before: String = Sha256::digest(last).iter().map(|byte| format!("{byte:02x}")).collect();
    let line = serde_json::json!({
        "at": now().0, "event": "revoked", "award": signed["award"], "revision": 1, "status": signed["status"], "sha256": "", "before": before,
    });
    text_of_journal.push_str(&format!("{line}\n"));
    fs::write(&journal, text_of_journal).unwrap();
    let (server, words) = Server::start_listening(demo);
    words.words_until("the journal knows 1 things");
    drop(server);
    assert!(done(&["reconcile", "--data", text(&data)]).contains(" 1 were made good"));
    let server = Server::start(demo);
    assert_eq!(readiness(&server)["checks"]["journal"], "ok");
}

#[tokio::test]
async fn an_upgrade_from_the_first_version_is_no_setting_back() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::embedded(&folder.path().join("old")).await;
    let ada = house.person("Ada").await;
    house.sit(ada, "Ada", true).await;
    house.work().await;
    house.erase(ada, "Ada").await;
    house.work().await;
    house.store.close().await;
    // The first version wrote of signing and revoking only, never said why, and noted no position.
    let mut old: Vec<Value> = lines(&house.journal());
    old.retain(|line| ["intent", "signed", "revoked"].contains(&line["event"].as_str().unwrap()));
    assert!(old.iter().any(|line| line["event"] == "revoked"));
    old.iter_mut().for_each(|line| drop(line.as_object_mut().unwrap().remove("by")));
    write_chained(&house.journal(), old);
    rusqlite::Connection::open(house.root.join("assay.db")).unwrap().execute("DELETE FROM journals", []).unwrap();
    let place = house.place();
    let words = assay(&["doctor", &place[0], &place[1]]).1;
    assert!(words.contains("journal and database agree"), "{words}");
    let words = done(&["reconcile", &place[0], &place[1]]);
    assert!(words.contains(" 0 were made good"), "{words}");
}

#[tokio::test]
async fn what_root_reconciled_is_the_owners() {
    use std::os::unix::fs::{MetadataExt, chown};
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let house = House::embedded(&folder.path().join("old")).await;
    let ada = house.person("Ada").await;
    house.sit(ada, "Ada", true).await;
    house.work().await;
    house.store.close().await;
    for path in [house.root.clone(), house.root.join("journal"), house.journal()] {
        chown(path, Some(4711), Some(4711)).unwrap();
    }
    let place = house.place();
    done(&["reconcile", "--journal-lost", &place[0], &place[1]]);
    let journals: Vec<_> = fs::read_dir(house.root.join("journal")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(journals.len(), 2);
    for path in journals.iter().chain([&house.root.join("server.lock")]) {
        assert_eq!(fs::metadata(path).unwrap().uid(), 4711, "{}", path.display());
    }
}

/// Two nodes over one database that is set back: what either of them wrote down is made good, and the journal of neither may be missing.
#[tokio::test]
async fn the_journals_of_all_nodes_are_gathered_and_a_missing_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("one");
    let house = House::new(&root).await;
    let url = house.url.clone();
    let (ada, bob, cai, dan) = (house.person("Ada").await, house.person("Bob").await, house.person("Cai").await, house.person("Dan").await);
    // Each node signs one badge, and the database knows how far each journal is.
    house.sit(ada, "Ada", true).await;
    house.worker.drain().await;
    house.sit(dan, "Dan", true).await;
    house.other.drain().await;
    let (bobs, cais) = (house.begin(bob, "Bob").await, house.begin(cai, "Cai").await);
    let (place, own, other) = (house.place(), house.journal(), house.other_journal());
    let whole = fs::read_to_string(&other).unwrap();
    let yesterday = house.yesterday().await;

    let house = House::open(&root, url.clone(), 2, &[]).await;
    house.hand_in(bob, bobs, false).await;
    house.worker.drain().await;
    let standing = StandingOf { learner: bob, programme: "sample".into(), at: house.clock.now() };
    let opens = house.store.read(standing.clone()).await.unwrap().next_start_at;
    house.hand_in(cai, cais, true).await;
    house.erase(dan, "Dan").await;
    house.other.drain().await;
    let events = |journal| lines(journal).iter().map(|line| line["event"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert!(!events(&own).contains(&"erased".to_owned()) && events(&other).contains(&"erased".to_owned()), "one wrote for both");
    house.store.close().await;
    yesterday.bring_back();

    let reconcile = |more: &[&str]| assay(&[&["reconcile", &place[0], &place[1]], more].concat());
    let (status, words) = reconcile(&[]);
    let name = name(&other);
    assert!(status == 1 && words.contains("knows 2 journals, and 1 of them are not here") && words.contains(&name), "{name}: {words}");
    // One that lost its end is none either.
    let short = folder.path().join("short.jsonl");
    fs::write(&short, whole.split_inclusive('\n').next().unwrap()).unwrap();
    let (status, words) = reconcile(&["--journal", text(&short)]);
    assert!(status == 1 && words.contains("is not the whole one"), "{words}");
    let house = House::open(&root, url.clone(), 3, &[]).await;
    let open = house.store.read(AttemptOf { learner: bob, attempt: bobs }).await.unwrap().unwrap();
    assert!(open.submitted_at.is_none(), "nothing is made good by halves");
    house.store.close().await;

    let words = reconcile(&["--journal", text(&other)]);
    assert!(words.0 == 0 && words.1.contains("1 people were erased again"), "{words:?}");
    let house = House::open(&root, url, 4, &[]).await;
    house.work().await;
    assert_eq!(house.store.read(standing).await.unwrap().next_start_at, opens, "of the one's journal");
    assert!(house.badge(cai).await.unwrap().document.is_some(), "of the other's journal");
    assert_ne!(house.person("Dan").await, dan, "who comes with that address is somebody new");
    assert_eq!(house.store.read(JournalPositions {}).await.unwrap().len(), 2);
    house.store.close().await;
    assert!(reconcile(&[]).1.contains(" 0 were made good, 0 people were erased again"));
}

/// A journal's name, as words say it.
fn name(journal: &Path) -> String {
    let text = fs::read_to_string(journal).unwrap();
    let first = text.split_inclusive('\n').next().unwrap();
    Sha256::digest(first).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn the_fresh_list_of_a_lost_journal_is_not_forgotten_with_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("old");
    let house = House::new(&root).await;
    let url = house.url.clone();
    let ada = house.person("Ada").await;
    house.sit(ada, "Ada", true).await;
    house.work().await;
    let place = house.place();
    let yesterday = house.yesterday().await;
    done(&["reconcile", "--journal-lost", &place[0], &place[1]]);
    let fresh = lines(&root.join("journal/signing.jsonl"))[0]["fresh_list"].as_i64().unwrap();
    yesterday.bring_back();

    let words = assay(&["doctor", &place[0], &place[1]]).1;
    assert!(words.contains("the journal knows 1 things that the database does not"), "{words}");
    assert!(done(&["reconcile", &place[0], &place[1]]).contains(" 1 were made good"));
    let house = House::open(&root, url, 2, &[]).await;
    let bob = house.person("Bob").await;
    house.sit(bob, "Bob", true).await;
    house.work().await;
    let signed = lines(&house.journal()).into_iter().rfind(|line| line["event"] == "signed").unwrap();
    assert_eq!(signed["status"][0], fresh, "its indexes may be given already in every list before");
    house.store.close().await;
}
