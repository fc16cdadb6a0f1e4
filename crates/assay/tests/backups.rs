//! `assay backup`: one private file, whole or refused, with everything that was acknowledged before it. Over PostgreSQL where
//! `ASSAY_TEST_ENGINE` says so; `ASSAY_BACKUPS` says how many are taken while people sit, 5 if it says nothing.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod house;

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
};

use assay_core::ids::{AttemptId, Learner};
use assay_fixtures::postgres_database;
use assay_store::queries::QuestionOf;
use house::{House, assay, done, text};
use serde_json::Value;

#[tokio::test]
async fn a_backup_is_one_private_file_and_a_damaged_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::new(&folder.path().join("old")).await;
    let ada = house.person("Ada").await;
    house.sit(ada, "Ada", true).await;
    house.work().await;
    let place = house.place();
    let backup = folder.path().join("backup");
    let words = done(&["backup", text(&backup), &place[0], &place[1]]);
    assert!(words.contains("1 people, 1 attempts, 4 answers, 1 badges"), "{words}");
    assert_eq!(fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o600);
    let left: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).filter(|n| n.to_string_lossy().starts_with('.')).collect();
    assert!(left.is_empty(), "{left:?}");
    let (status, words) = assay(&["backup", text(&backup), &place[0], &place[1]]);
    assert_eq!(status, 64);
    assert!(words.contains("is there already"), "{words}");
    house.store.close().await;

    let root = folder.path().join("new");
    let bytes = fs::read(&backup).unwrap();
    let damaged = folder.path().join("damaged");
    let journal = house.journal();
    let journal = text(&journal);
    let refused = |bytes: &[u8], words: &str| {
        fs::write(&damaged, bytes).unwrap();
        let (status, said) = assay(&["restore", text(&damaged), "--data", text(&root), "--journal", journal]);
        assert_eq!(status, 1, "{said}");
        assert!(said.contains(words), "{said}");
        assert!(!root.exists(), "nothing is left behind");
    };
    for cut in [0, 100, 5000, bytes.len() / 2] {
        refused(&bytes[..cut], "is no backup that can be used");
    }
    for at in [700, 20_000, bytes.len() / 2] {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        // In the manifest a changed count is found by counting.
        refused(&changed, " backup");
    }
    // Packed again as it is, it is none that is refused for that.
    fs::write(&damaged, repacked(&bytes, "")).unwrap();
    done(&["restore", text(&damaged), "--data", text(&folder.path().join("again")), "--journal", journal]);
    // A name that leads out of the folder is none that a data folder has, whatever header and manifest say of it; and a link is no file.
    for other in ["keys/../../x", "../x", "/tmp/assay-x", "link"] {
        refused(&repacked(&bytes, other), "in the place of");
        assert!(!folder.path().join("x").exists() && !Path::new("/tmp/assay-x").exists());
    }
    fs::create_dir_all(&root).unwrap();
    fs::write(root.join("mine"), "x").unwrap();
    let (status, words) = assay(&["restore", text(&backup), "--data", text(&root), "--journal", journal]);
    assert_eq!(status, 1);
    assert!(words.contains("is not empty") && root.join("mine").exists(), "{words}");
}

/// The archive once more, with the issuer's file under another name in header and manifest alike, or as a link to elsewhere.
fn repacked(bytes: &[u8], other: &str) -> Vec<u8> {
    let (mut from, mut to) = (tar::Archive::new(bytes), tar::Builder::new(Vec::new()));
    for entry in from.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o600);
        let mut shown = name.clone();
        match (name.as_str(), other) {
            (_, "") => {}
            ("issuer", "link") => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_link_name("/etc/passwd").unwrap();
                content.clear();
            }
            ("issuer", _) => shown = other.to_owned(),
            _ => {}
        }
        if name.ends_with(".json") && !name.contains('/') && !["", "link"].contains(&other) {
            let mut manifest: Value = serde_json::from_slice(&content).unwrap();
            if let Some(files) = manifest.get_mut("files") {
                let file = files.as_array_mut().unwrap().iter_mut().find(|file| file["name"] == "issuer").unwrap();
                file["name"] = other.into();
                content = serde_json::to_vec(&manifest).unwrap();
            }
        }
        header.set_size(content.len() as u64);
        // Not `set_path`, which refuses such names.
        header.as_gnu_mut().unwrap().name[..shown.len()].copy_from_slice(shown.as_bytes());
        header.set_cksum();
        to.append(&header, &content[..]).unwrap();
    }
    to.into_inner().unwrap()
}

#[tokio::test]
async fn a_backup_that_is_told_to_stop_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::new(&folder.path().join("old")).await;
    let place = house.place();
    let target = folder.path().join("backups");
    fs::create_dir(&target).unwrap();
    let begun = || fs::read_dir(&target).unwrap().any(|e| e.unwrap().file_name().to_string_lossy().starts_with(".assay-backup-"));
    let mut cut_off = 0;
    // One that was quicker than the signal proves nothing.
    for n in 0..50 {
        let file = target.join(format!("backup-{n}"));
        let mut making = Command::new(env!("CARGO_BIN_EXE_assay")).args(["backup", text(&file), &place[0], &place[1]]).spawn().unwrap();
        while !begun() && making.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        Command::new("kill").arg(making.id().to_string()).status().unwrap();
        let status = making.wait().unwrap();
        assert!(!begun(), "something is left: {status}");
        cut_off += usize::from(status.code() == Some(130) && !file.exists());
        if cut_off == 3 {
            break;
        }
    }
    assert!(cut_off > 0);
    // What was killed outright is named by the next.
    fs::create_dir(target.join(".assay-backup-old")).unwrap();
    let words = done(&["backup", text(&target.join("last")), &place[0], &place[1]]);
    assert!(words.contains(".assay-backup-old was left") && words.contains("signing key"), "{words}");
    house.store.close().await;
}

/// Answers that were acknowledged, in order.
type Acknowledged = Arc<Mutex<Vec<(Learner, AttemptId, u16, i64)>>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_backup_taken_while_people_sit_has_all_that_was_acknowledged_before() {
    let backups: usize = std::env::var("ASSAY_BACKUPS").ok().and_then(|n| n.parse().ok()).unwrap_or(5);
    let folder = tempfile::tempdir().unwrap();
    let house = Arc::new(House::new(&folder.path().join("old")).await);
    let told: Acknowledged = Arc::default();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut sitting = Vec::new();
    for n in 0..8 {
        let name = format!("Person{n}");
        let learner = house.person(&name).await;
        let attempt = house.begin(learner, &name).await;
        let (house, told, stopped) = (Arc::clone(&house), Arc::clone(&told), stopped.clone());
        sitting.push(tokio::spawn(async move {
            let mut counter = 0;
            while !*stopped.borrow() {
                counter += 1;
                for position in 1..=4 {
                    let revision = house.answer(learner, attempt, position, counter % 2 == 0, counter).await;
                    told.lock().unwrap().push((learner, attempt, position, revision));
                }
            }
        }));
    }
    let (mut copied, mut lost_by_copying) = (0, 0);
    for n in 0..backups {
        while told.lock().unwrap().len() < (n + 1) * 40 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let before = told.lock().unwrap().clone();
        if house.url.is_none() {
            // What people do who do not know better.
            let copy = folder.path().join(format!("copy-{n}"));
            fs::create_dir_all(&copy).unwrap();
            fs::copy(house.root.join("assay.db"), copy.join("assay.db")).unwrap();
            copied += 1;
            lost_by_copying += usize::from(missing(&copy, None, &before).await > 0);
        }
        let (backup, root) = (folder.path().join(format!("backup-{n}")), folder.path().join(format!("restored-{n}")));
        let (place, journal) = (house.place(), house.journal());
        let url = if house.url.is_some() { postgres_database().await } else { None };
        let to = url.clone();
        let restored = root.clone();
        tokio::task::spawn_blocking(move || {
            done(&["backup", text(&backup), &place[0], &place[1]]);
            fs::write(&journal, fs::read(&journal).unwrap_or_default()).unwrap();
            let mut args = vec!["restore", text(&backup), "--data", text(&restored), "--journal-lost"];
            args.extend(to.as_deref().into_iter().flat_map(|url| ["--to", url]));
            done(&args);
            fs::remove_file(&backup).unwrap();
        })
        .await
        .unwrap();
        assert_eq!(missing(&root, url, &before).await, 0, "backup {n}");
        fs::remove_dir_all(&root).unwrap();
    }
    stop.send(true).unwrap();
    for person in sitting {
        person.await.unwrap();
    }
    println!(
        "{backups} backups, {} answers acknowledged, nothing missing; {lost_by_copying} of {copied} plain copies lost some",
        told.lock().unwrap().len()
    );
    assert!(copied == 0 || lost_by_copying > 0, "a plain copy would have to lose something, or this test sees nothing");
    house.store.close().await;
}

/// How many of these answers a restored installation does not have.
async fn missing(root: &Path, url: Option<String>, told: &[(Learner, AttemptId, u16, i64)]) -> usize {
    let house = match assay_store::keeping::look(&root.join("assay.db")).await {
        Err(_) if url.is_none() => return told.len(),
        _ => House::open(root, url, 5, &[]).await,
    };
    let mut newest: BTreeMap<(AttemptId, u16), (Learner, i64)> = BTreeMap::new();
    for (learner, attempt, position, revision) in told {
        newest.insert((*attempt, *position), (*learner, *revision));
    }
    let mut missing = 0;
    for ((attempt, position), (learner, revision)) in newest {
        let row = house.store.read(QuestionOf { learner, attempt, position }).await.unwrap();
        missing += usize::from(row.is_none_or(|row| row.revision < revision));
    }
    house.store.close().await;
    missing
}
