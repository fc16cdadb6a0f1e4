//! The drill: people are revoked, erased, replaced, failed, passed and mailed after a backup, and bringing it back undoes none of it. Over
//! PostgreSQL where `ASSAY_TEST_ENGINE` says so.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod house;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use assay_core::{
    Clock, UtcMillis,
    ids::{AttemptId, AwardId, Learner},
};
use assay_fixtures::{postgres_database, psql};
use assay_store::{
    commands::Lane,
    queries::{AttemptOf, RevokedIndexes, StandingOf},
};
use house::{
    House, address, assay, done,
    journal::{lines, write_chained},
    now, text,
};
use serde_json::Value;

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
    halls_award: AwardId,
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
    for name in ["Ada", "Bob", "Cai", "Dan", "Eve", "Fay", "Hal", "Ivy"] {
        people.insert(name, house.person(name).await);
    }
    for name in ["Ada", "Dan", "Fay"] {
        house.sit(people[name], name, true).await;
    }
    house.work().await;
    let bobs = house.begin(people["Bob"], "Bob").await;
    let halls = house.begin(people["Hal"], "Hal").await;
    // Signed before the backup, mailed after it.
    house.sit(people["Ivy"], "Ivy", true).await;
    while house.worker.turn(Lane::Work).await {}
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
    let halls_award = house.badge(people["Hal"]).await.unwrap().award;
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
    Drill { folder, backup, journal, old_journal, people, bobs, halls, halls_award, used, strangers_index, mails, fails_until, postgres }
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
        let revoked = RevokedIndexes { issuer: house.issuer, status_list: 1 };
        // Before anything was signed anew: lists are given from the first moment on.
        let at_once = house.store.read(revoked.clone()).await.unwrap().unwrap();
        house.work().await;
        let mut faults = Vec::new();
        let mut fault = |wrong: bool, words: &'static str| {
            if wrong {
                faults.push(words);
            }
        };
        let list = house.store.read(revoked).await.unwrap().unwrap();
        let ada = house.badge(self.people["Ada"]).await.unwrap();
        let index = |award: &str, revision| self.used[&(award.to_owned(), revision)];
        fault(ada.revoked_at.is_none() || !list.contains(&index(&ada.award.to_string(), 1)), "a revoked badge is valid again");
        fault(dan_is_there(&house).await, "an erased person is back");
        let fay = house.badge(self.people["Fay"]).await.unwrap();
        let old = [index(&fay.award.to_string(), 1), index(&fay.award.to_string(), 2)];
        fault(!at_once.contains(&old[0]) || !list.contains(&old[0]), "a badge that was replaced is valid again");
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
        fault(hal.as_ref().is_none_or(|badge| badge.document.is_none()) || hals.outcome.is_none(), "an award that was earned is gone");
        let standing = StandingOf { learner: self.people["Hal"], programme: "sample".into(), at: now() };
        fault(house.store.read(standing).await.unwrap().passed_version.is_none(), "who passed may sit again");
        fault(hal.is_some_and(|badge| badge.award != self.halls_award), "an award is made a second time");
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
            "who passed may sit again",
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
