//! Journals that are not what they should be: a last line that says nothing is named, rubbish elsewhere is refused, and so is the journal
//! of another installation. Over PostgreSQL where `ASSAY_TEST_ENGINE` says so.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod house;

use std::{fs, path::Path};

use house::{House, assay, done};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A house in which somebody earned a badge, closed; its place and its journal.
async fn house(root: &Path, name: &str) -> House {
    let house = House::new(root).await;
    let learner = house.person(name).await;
    house.sit(learner, name, true).await;
    house.work().await;
    house
}

#[tokio::test]
async fn a_last_line_that_says_nothing_is_named_by_restore_reconcile_and_doctor() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(&folder.path().join("old"), "Ada").await;
    let place = house.place();
    let backup = folder.path().join("backup");
    done(&["backup", text(&backup), &place[0], &place[1]]);
    house.store.close().await;
    let whole = fs::read(house.journal()).unwrap();
    let number = whole.iter().filter(|byte| **byte == b'\n').count() + 1;
    for (n, (rest, words)) in
        [(&b"{\"at\":17,\"event\":\"revo"[..], "is cut short"), (b"\0\0\xff\0\0", "is rubbish"), (b"rubbish\n", "is rubbish")]
            .into_iter()
            .enumerate()
    {
        let said = |words_said: &str| {
            let wanted = format!("(line {number}) {words}");
            assert!(words_said.contains(&wanted) && words_said.contains(".jsonl"), "{wanted}: {words_said}");
        };
        fs::write(house.journal(), [&whole[..], rest].concat()).unwrap();
        if house.url.is_none() {
            let (status, doctor) = assay(&["doctor", &place[0], &place[1]]);
            assert_eq!(status, 0, "{doctor}");
            said(&doctor);
        }
        said(&done(&["reconcile", &place[0], &place[1]]));
        let newest = folder.path().join("newest.jsonl");
        fs::copy(house.journal(), &newest).unwrap();
        let root = folder.path().join(format!("new-{n}"));
        said(&done(&["restore", text(&backup), "--data", text(&root), "--journal", text(&newest)]));
        // The journal goes on, and what went on says that it was so.
        let words = done(&["reconcile", "--data", text(&root)]);
        assert!(!words.contains("left out"), "{words}");
    }
    // Rubbish that is not the last line may have been anything.
    let line = |n: usize| whole.split_inclusive(|byte| *byte == b'\n').nth(n).unwrap();
    let hurt = [line(0), b"rubbish\n", &whole[line(0).len() + line(1).len()..]].concat();
    let newest = folder.path().join("newest.jsonl");
    fs::write(&newest, hurt).unwrap();
    let (status, words) = assay(&["restore", text(&backup), "--data", text(&folder.path().join("hurt")), "--journal", text(&newest)]);
    assert!(status == 1 && words.contains("was changed: line 3"), "{words}");
}

#[tokio::test]
async fn a_journal_of_another_installation_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let one = house(&folder.path().join("one/data"), "Ada").await;
    let place = one.place();
    one.store.close().await;
    let other = House::another(&folder.path().join("other/data"), 77).await;
    let bob = other.person("Bob").await;
    other.sit(bob, "Bob", true).await;
    other.work().await;
    other.store.close().await;
    let foreign = other.journal();
    let laid = || fs::read_dir(one.root.join("journal")).unwrap().count();
    let before = laid();
    let (status, words) = assay(&["reconcile", &place[0], &place[1], "--journal", text(&foreign)]);
    assert!(status == 1 && words.contains("is another installation's") && words.contains("--strangers"), "{words}");
    assert_eq!(laid(), before, "nothing was taken");
    assert!(done(&["reconcile", &place[0], &place[1]]).contains(" 0 were made good"));
    // A node's whose people all came since.
    let words = done(&["reconcile", &place[0], &place[1], "--strangers", "--journal", text(&foreign)]);
    assert!(words.contains("1 signed badges are not in this database"), "{words}");
    assert_eq!(laid(), before + 1);
}

#[tokio::test]
async fn a_badge_that_was_earned_after_the_backup_keeps_its_link() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::embedded(&folder.path().join("old")).await;
    let ada = house.person("Ada").await;
    let attempt = house.begin(ada, "Ada").await;
    let (place, backup) = (house.place(), folder.path().join("backup"));
    done(&["backup", text(&backup), &place[0], &place[1]]);
    house.hand_in(ada, attempt, true).await;
    house.work().await;
    let link = house.badge(ada).await.unwrap().badge_id;
    house.store.close().await;
    let root = folder.path().join("new");
    done(&["restore", text(&backup), "--data", text(&root), "--journal", text(&house.journal())]);
    let house = House::open(&root, None, 2, &[]).await;
    house.work().await;
    let again = house.badge(ada).await.unwrap();
    assert!(again.document.is_some() && again.badge_id == link, "signed again, under the link that its holder was told");
    house.store.close().await;
}
