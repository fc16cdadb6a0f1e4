//! `assay backup`, `assay restore`, `assay reconcile`: nothing that was acknowledged is missing, and nothing that happened after a backup
//! is undone by bringing it back. Over PostgreSQL where `ASSAY_TEST_ENGINE` says so.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod house;
mod running;

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
};

use assay_core::{
    Clock, UtcMillis,
    ids::{AttemptId, Learner},
};
use assay_fixtures::{postgres_database, psql};
use assay_store::{
    commands::{JournalPosition, NoteJournals},
    queries::{AttemptOf, JournalPositions, QuestionOf, RevokedIndexes, StandingOf},
};
use house::{House, address, assay, done, now};
use running::{Browser, Server, begin, signed_in, wait_for};
use serde_json::Value;
use sha2::{Digest, Sha256};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn lines(journal: &Path) -> Vec<Value> {
    fs::read_to_string(journal).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Makes a journal of these lines, each with the hash of the one before it.
fn write_chained(journal: &Path, lines: Vec<Value>) {
    let (mut all, mut before) = (String::new(), String::new());
    for mut line in lines {
        line["before"] = Sha256::digest(&before).iter().map(|byte| format!("{byte:02x}")).collect::<String>().into();
        before = format!("{line}\n");
        all.push_str(&before);
    }
    fs::write(journal, all).unwrap();
}

/// Whom the drill is about, and what must be true of them after a restore.
struct Drill {
    folder: tempfile::TempDir,
    backup: PathBuf,
    /// The newest journal, saved from the machine that was lost.
    journal: PathBuf,
    /// The one inside the backup.
    old_journal: PathBuf,
    people: BTreeMap<&'static str, Learner>,
    bobs: AttemptId,
    halls: AttemptId,
    /// Status indexes by award and revision, from the newest journal.
    used: BTreeMap<(String, i64), i64>,
    /// Of somebody whom the backup does not know.
    strangers_index: i64,
    mails: Vec<(String, String)>,
    fails_until: BTreeMap<&'static str, UtcMillis>,
    postgres: bool,
}

/// Revoke, erase, issue, fail and mail after the backup.
async fn drill() -> Drill {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("old");
    let house = House::new(&root).await;
    let mut people = BTreeMap::new();
    for name in ["Ada", "Bob", "Cai", "Dan", "Eve", "Fay", "Hal"] {
        people.insert(name, house.person(name).await);
    }
    for name in ["Ada", "Dan", "Fay"] {
        house.sit(people[name], name, true).await;
    }
    house.work().await;
    let bobs = house.begin(people["Bob"], "Bob").await;
    let halls = house.begin(people["Hal"], "Hal").await;
    // Earned before the backup, signed after it.
    house.sit(people["Cai"], "Cai", true).await;
    let backup = folder.path().join("backup");
    let place = house.place();
    done(&["backup", text(&backup), &place[0], &place[1]]);
    let old_journal = folder.path().join("old.jsonl");
    fs::copy(house.journal(), &old_journal).unwrap();

    let badge = house.badge(people["Ada"]).await.unwrap().badge_id.to_string();
    done(&["revoke", &badge, "--reason", "a drill", &place[0], &place[1]]);
    house.erase(people["Dan"], "Dan").await;
    house.hand_in(people["Bob"], bobs, false).await;
    house.hand_in(people["Hal"], halls, true).await;
    house.sit(people["Eve"], "Eve", false).await;
    house.correct_name(people["Fay"], "Fay the Second").await;
    let gus = house.person("Gus").await;
    house.sit(gus, "Gus", true).await;
    let una = house.person("Una").await;
    house.sit(una, "Una", false).await;
    house.work().await;

    let mut fails_until = BTreeMap::new();
    for name in ["Bob", "Eve"] {
        let standing = StandingOf { learner: people[name], programme: "sample".into(), at: house.clock.now() };
        fails_until.insert(name, house.store.read(standing).await.unwrap().next_start_at.unwrap());
    }
    let gus = house.badge(gus).await.unwrap().award.to_string();
    house.store.close().await;
    let journal = folder.path().join("newest.jsonl");
    fs::copy(house.journal(), &journal).unwrap();
    let mut used = BTreeMap::new();
    for line in lines(&journal).iter().filter(|line| line["event"] == "signed") {
        let name = (line["award"].as_str().unwrap().to_owned(), line["revision"].as_i64().unwrap());
        used.insert(name, line["status"][1].as_i64().unwrap());
    }
    let strangers_index = used[&(gus, 1)];
    let (mails, postgres) = (house.post.all(), house.url.is_some());
    Drill { folder, backup, journal, old_journal, people, bobs, halls, used, strangers_index, mails, fails_until, postgres }
}

impl Drill {
    /// Brings the backup back by this journal; answers the folder, the database and what was said.
    async fn restore(&self, name: &str, journal: &Path) -> (PathBuf, Option<String>, String) {
        let root = self.folder.path().join(name);
        let url = if self.postgres { postgres_database().await } else { None };
        let mut args = vec!["restore", text(&self.backup), "--data", text(&root), "--journal", text(journal)];
        if let Some(url) = &url {
            args.extend(["--to", url]);
        }
        let words = done(&args);
        assert_eq!(root.join("assay.db").exists(), url.is_none());
        (root, url, words)
    }

    /// What a server makes of it, and what is wrong then.
    async fn faults(&self, root: &Path, url: Option<String>) -> Vec<&'static str> {
        let house = House::open(root, url.clone(), 2, &[self.strangers_index]).await;
        house.work().await;
        let mut faults = Vec::new();
        let mut fault = |wrong: bool, words: &'static str| {
            if wrong {
                faults.push(words);
            }
        };
        let list = house.store.read(RevokedIndexes { issuer: house.issuer, status_list: 1 }).await.unwrap().unwrap();
        let ada = house.badge(self.people["Ada"]).await.unwrap();
        let index = |award: &str, revision| self.used[&(award.to_owned(), revision)];
        fault(ada.revoked_at.is_none() || !list.contains(&index(&ada.award.to_string(), 1)), "a revoked badge is valid again");
        fault(dan_is_there(&house).await, "an erased person is back");
        let fay = house.badge(self.people["Fay"]).await.unwrap();
        let old = [index(&fay.award.to_string(), 1), index(&fay.award.to_string(), 2)];
        fault(!list.contains(&old[0]), "a badge that was replaced is valid again");
        // The lost correction is replaced by a later revision; none but that one is valid.
        fault(fay.signed_revision != Some(3) || !list.contains(&old[1]), "a lost revision stands beside another");
        for name in ["Bob", "Eve"] {
            let standing = StandingOf { learner: self.people[name], programme: "sample".into(), at: now() };
            let standing = house.store.read(standing).await.unwrap();
            fault(standing.next_start_at.is_none_or(|until| until < self.fails_until[name]), "a wait is over");
            fault(standing.starts_this_year != 1 || standing.open.is_some(), "a try is forgotten");
        }
        let bob = house.store.read(AttemptOf { learner: self.people["Bob"], attempt: self.bobs }).await.unwrap().unwrap();
        fault(bob.submitted_at.is_none() || bob.outcome.is_none_or(|outcome| outcome.passed), "an attempt that was closed is open");
        let hal = house.badge(self.people["Hal"]).await;
        let hals = house.store.read(AttemptOf { learner: self.people["Hal"], attempt: self.halls }).await.unwrap().unwrap();
        fault(hal.is_none_or(|badge| badge.document.is_none()) || hals.outcome.is_none(), "an award that was earned is gone");
        // Whatever was signed now has an index that no other credential ever had.
        let signed = lines(&house.journal());
        let signed = signed.iter().filter(|line| line["event"] == "signed");
        let reused = |line: &&Value| {
            let own = (line["award"].as_str().unwrap().to_owned(), line["revision"].as_i64().unwrap());
            self.used.iter().any(|(name, index)| *name != own && line["status"][1] == *index)
        };
        fault(signed.into_iter().any(|line| reused(&line)), "a status index is given again");
        // Fay's third revision is news to her.
        let again = house.post.all().into_iter().any(|mail| self.mails.contains(&mail) && mail.0 != address("Fay"));
        fault(again, "a mail is sent again");
        house.store.close().await;
        faults.dedup();
        faults
    }
}

async fn dan_is_there(house: &House) -> bool {
    // Whoever comes with that address now is somebody new.
    let dan = house.person("Dan").await;
    let badges = house.badge(dan).await.is_some();
    let trace = "Dan of the House";
    let traces = match &house.url {
        None => {
            let file = fs::read(house.root.join("assay.db")).unwrap();
            file.windows(trace.len()).any(|bytes| bytes == trace.as_bytes())
        }
        // Every row of every table, as text.
        Some(url) => {
            let tables = psql(url, "SELECT string_agg(quote_ident(tablename), ' ') FROM pg_tables WHERE schemaname = 'public'");
            let rows = |table: &str| psql(url, &format!("SELECT COUNT(*) FROM {table} t WHERE t::text LIKE '%{trace}%'"));
            assert!(tables.split(' ').any(|table| table == "attempts"), "{tables}");
            tables.split(' ').any(|table| rows(table) != "0")
        }
    };
    badges || traces
}

#[tokio::test]
async fn what_happened_after_a_backup_is_not_undone_by_bringing_it_back() {
    let drill = drill().await;
    let (root, url, words) = drill.restore("new", &drill.journal).await;
    assert!(words.contains("1 people were erased again"), "{words}");
    // Una and Gus came after the backup: their lines are said, and Gus's badge is named.
    assert!(words.contains("about people who are not in this database"), "{words}");
    assert!(words.contains(&format!("status index {} of list 1", drill.strangers_index)), "{words}");
    assert_eq!(drill.faults(&root, url.clone()).await, Vec::<&str>::new());

    // Once more changes nothing.
    let place = House::open(&root, url.clone(), 3, &[]).await;
    place.store.close().await;
    let place = place.place();
    let words = done(&["reconcile", &place[0], &place[1]]);
    assert!(words.contains(" 0 were made good, 0 people were erased again"), "{words}");
    assert_eq!(drill.faults(&root, url).await, Vec::<&str>::new());
    // Nor does the journal hold anybody's name.
    let journal = fs::read_to_string(root.join("journal/signing.jsonl")).unwrap();
    for trace in ["example.org", "Dan", "House"] {
        assert!(!journal.contains(trace), "{trace}");
    }
}

#[tokio::test]
async fn without_reconciling_every_one_of_these_is_found() {
    let drill = drill().await;
    // The journal of that time knows nothing of what came after.
    let (root, url, _) = drill.restore("forgetful", &drill.old_journal).await;
    assert_eq!(
        drill.faults(&root, url).await,
        [
            "a revoked badge is valid again",
            "an erased person is back",
            "a badge that was replaced is valid again",
            "a lost revision stands beside another",
            "a wait is over",
            "a try is forgotten",
            "a wait is over",
            "a try is forgotten",
            "an attempt that was closed is open",
            "an award that was earned is gone",
            "a status index is given again",
            "a mail is sent again"
        ]
    );
}

#[tokio::test]
async fn a_journal_that_is_not_the_newest_is_refused_and_a_lost_one_costs_a_fresh_list() {
    let drill = drill().await;
    let root = drill.folder.path().join("new");
    let restore = |extra: &[&str]| {
        let mut args = vec!["restore", text(&drill.backup), "--data", text(&root)];
        args.extend(extra);
        assay(&args)
    };
    let (status, words) = restore(&[]);
    assert_eq!(status, 64);
    assert!(words.contains("--journal") && words.contains("--journal-lost"), "{words}");

    let journal = fs::read_to_string(&drill.journal).unwrap();
    let whole: Vec<&str> = journal.split_inclusive('\n').collect();
    let other = drill.folder.path().join("other.jsonl");
    let before = lines(&drill.old_journal).len();
    fs::write(&other, whole[..before - 1].concat()).unwrap();
    let (status, words) = restore(&["--journal", text(&other)]);
    assert_eq!(status, 1);
    assert!(words.contains("is shorter than the one that is here already") && words.contains("--journal-lost"), "{words}");
    assert!(!root.exists(), "nothing is left behind");

    // One line changed far from the end.
    let changed = journal.replacen("\"event\":\"signed\"", "\"event\":\"intent\"", 1);
    fs::write(&other, changed).unwrap();
    let (status, words) = restore(&["--journal", text(&other)]);
    assert_eq!(status, 1);
    assert!(words.contains("was changed"), "{words}");

    // One that has nothing to do with it, as whole as it may be.
    write_chained(&other, lines(&drill.journal).split_off(1));
    let (status, words) = restore(&["--journal", text(&other)]);
    assert_eq!(status, 1);
    assert!(words.contains("goes on from the one in the backup") && words.contains("--journal-lost"), "{words}");

    let (status, words) = restore(&["--journal-lost"]);
    assert_eq!(status, 0, "{words}");
    assert!(words.contains("cannot be known") && words.contains("go into status list"), "{words}");
    // Before PostgreSQL or not: the folder's own database is the one that is looked at here.
    let house = House::open(&root, None, 2, &[drill.strangers_index]).await;
    house.work().await;
    house.store.close().await;
    let signed = lines(&house.journal());
    let lists: Vec<i64> = signed.iter().filter(|l| l["event"] == "signed").map(|l| l["status"][0].as_i64().unwrap()).collect();
    assert!(!lists.is_empty() && lists.iter().all(|list| *list > 1_000_000), "{lists:?}");
    assert_eq!(signed[0]["event"], "reconciled", "a journal of its own is begun");

    // The lost journal is found after all: nothing of it is forgotten any more.
    let words = done(&["reconcile", "--data", text(&root), "--journal", text(&drill.journal)]);
    assert!(words.contains("1 people were erased again"), "{words}");
    let house = House::open(&root, None, 4, &[]).await;
    assert!(house.badge(drill.people["Ada"]).await.unwrap().revoked_at.is_some());
    house.store.close().await;
}

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

/// `/readyz` of a server.
fn readiness(server: &Server) -> Value {
    Browser::new().get(&format!("{}/readyz", server.url)).unwrap().json()
}

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

#[test]
fn a_copy_that_was_not_finished_is_served_by_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let demo = ["demo", "--listen", "127.0.0.1:0", "--data", text(&data)];
    assert_eq!(Server::start(demo).terminate().code(), Some(0));
    let conn = rusqlite::Connection::open(data.join("assay.db")).unwrap();
    conn.execute("INSERT INTO installation (name, value) VALUES ('moving', x'00')", []).unwrap();
    drop(conn);
    for args in [&demo[..], &["grant-time", "b79b5955-36b1-48c2-aeba-27e6bfc2604e", "5", "--data", text(&data)]] {
        let (status, words) = assay(args);
        assert!(status == 1 && words.contains("has not finished"), "{words}");
    }
    let (status, words) = assay(&["backup", text(&folder.path().join("backup")), "--data", text(&data)]);
    assert!(status == 1 && words.contains("not finished"), "{words}");
}
