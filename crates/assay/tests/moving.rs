//! `assay move` as a process: a demonstration's data to PostgreSQL and back into a folder that a server then goes on with.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod running;

use std::fs;

use running::{Browser, Server, assay, said, sample_pack};

#[test]
fn a_demonstration_goes_there_and_back() {
    let Some(url) = tokio::runtime::Runtime::new().unwrap().block_on(assay_fixtures::postgres_database()) else { return };
    let root = tempfile::tempdir().unwrap();
    let (old, new) = (root.path().join("old"), root.path().join("new"));
    let (old_words, new_words) = (old.to_str().unwrap(), new.to_str().unwrap());
    let server = Server::demo(&old);

    let (status, words) = said(&assay(["move", "--data", old_words, "--to", &url]));
    assert_eq!(status, 1);
    assert!(words.contains("in use by another server"), "{words}");
    assert_eq!(server.terminate().code(), Some(0));

    let before = fs::read(old.join("assay.db")).unwrap();
    let (status, words) = said(&assay(["move", "--data", old_words, "--to", &url]));
    assert_eq!(status, 0, "{words}");
    assert!(words.contains("counts and hashes of every table are the same"), "{words}");
    assert!(words.contains("durability = \"disk\"") && words.contains("not the loss of it"), "{words}");
    assert!(fs::read(old.join("assay.db")).unwrap() == before, "the source was changed");
    // Again changes nothing and says so the same way.
    assert_eq!(said(&assay(["move", "--data", old_words, "--to", &url])).0, 0);

    let config = root.path().join("assay.toml");
    let settings = format!(
        "data = \"settings\"\ndatabase = \"{url}\"\nlisten = \"127.0.0.1:0\"\npublic_url = \"http://127.0.0.1:1\"\npacks = [\"{}\"]\n\n[issuer]\n\
         slug = \"demonstration\"\nname = \"D\"\ncontact = \"d@example.org\"\n\n[smtp]\nurl = \"smtp://127.0.0.1:2\"\nfrom = \"D <d@example.org>\"\n",
        sample_pack().display()
    );
    fs::write(&config, settings).unwrap();
    let (status, words) = said(&assay(["move", "--config", config.to_str().unwrap(), "--to", new_words]));
    assert_eq!(status, 0, "{words}");
    assert!(words.contains("keys") && words.contains("journal"), "{words}");
    for file in ["keys/signing.key", "keys/server.secret", "journal/signing.jsonl", "issuer-keys.json", "sample-people"] {
        fs::create_dir_all(new.join(file).parent().unwrap()).unwrap();
        fs::copy(old.join(file), new.join(file)).unwrap();
    }
    let server = Server::demo(&new);
    let mut almost = Browser::new();
    almost.post(&format!("{}/demo/as/almost", server.url), &[]).unwrap();
    assert!(almost.get(&format!("{}/me", server.url)).unwrap().text().contains("/attempts/"), "the open attempt came along");
    assert_eq!(server.terminate().code(), Some(0));
}

#[test]
fn a_copy_that_was_not_finished_is_served_by_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let (data, backup) = (folder.path().join("data"), folder.path().join("backup"));
    assert_eq!(Server::demo(&data).terminate().code(), Some(0));
    let conn = rusqlite::Connection::open(data.join("assay.db")).unwrap();
    conn.execute("INSERT INTO installation (name, value) VALUES ('moving', x'00')", []).unwrap();
    drop(conn);
    let data = data.to_str().unwrap();
    for args in [
        &["demo", "--listen", "127.0.0.1:0", "--data", data][..],
        &["grant-time", "b79b5955-36b1-48c2-aeba-27e6bfc2604e", "5", "--data", data],
    ] {
        let (status, words) = said(&assay(args));
        assert!(status == 1 && words.contains("has not finished"), "{words}");
    }
    let (status, words) = said(&assay(["backup", backup.to_str().unwrap(), "--data", data]));
    assert!(status == 1 && words.contains("not finished"), "{words}");
}
