//! `assay reconcile`: which journals it goes by, those of older programs among them, and whose the files are afterwards.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod house;
mod running;

use std::fs;

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
