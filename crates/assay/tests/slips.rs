//! Slips at the command line, and files that went: what is wrong, where, and what to do, never the bare words of the operating system.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod house;

use std::{fs, path::Path};

use house::{House, assay};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Fails in these words, and in none of the system's.
fn is_told(args: &[&str], words: &str) {
    let (status, said) = assay(args);
    assert!(status != 0 && said.contains(words), "{args:?}, {words}: {said}");
    assert!(!said.contains("os error"), "{args:?}: {said}");
}

#[tokio::test]
async fn a_slip_is_told_with_the_place_and_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("data");
    let house = House::embedded(&root).await;
    let ada = house.person("Ada").await;
    house.sit(ada, "Ada", true).await;
    house.work().await;
    house.store.close().await;
    let (data, file, out) = (text(&root), folder.path().join("afile"), folder.path().join("out"));
    fs::write(&file, "x").unwrap();
    for command in [&["doctor"][..], &["reconcile"], &["backup", text(&out)]] {
        is_told(&[command, &["--data", text(&file)]].concat(), "is a file, and a data folder is wanted");
    }
    is_told(&["new", text(&file)], "is a file, so nothing was written");
    is_told(&["check", text(&file)], "name the one that holds programme.toml");
    is_told(&["restore", text(&out), "--journal-lost", "--data", text(&file)], "name an empty one");
    is_told(
        &["restore", text(&out), "--journal-lost", "--data", text(&folder.path().join("new"))],
        "out: it is not there; look at the path",
    );
    is_told(&["backup", text(&folder.path().join("no/where/out")), "--data", data], "no/where is not there: make it (mkdir -p)");
    is_told(&["backup", text(&root.join("keys/out")), "--data", data], "the data folder that it is a backup of");
    assert!(!root.join("keys/out").exists());

    let lost = |name: &str, args: &[&str], words: &str| {
        let (path, aside) = (root.join(name), folder.path().join("aside"));
        fs::rename(&path, &aside).unwrap();
        is_told(args, words);
        fs::rename(&aside, &path).unwrap();
    };
    lost("keys/signing.key", &["backup", text(&out), "--data", data], "keys/signing.key is missing, and a backup without it");
    lost("issuer", &["doctor", "--data", data], "issuer is missing, which says whose data this is");
    lost("issuer", &["reconcile", "--data", data], "issuer is missing, which says whose data this is");
    lost("assay.db", &["reconcile", "--data", data], "assay.db is missing or empty");
    assert!(!root.join("assay.db-wal").exists() || root.join("assay.db").exists());
}
