//! `assay check`, as its author types it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod running;

use std::{fs, path::Path};

use running::{assay, said, sample_pack};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn the_sample_programme_is_sound_and_counted() {
    let pack = sample_pack();
    let (status, words) = said(&assay(["check", pack.to_str().unwrap()]));
    assert_eq!(status, 0, "{words}");
    assert!(
        words.contains("items, ") && words.contains("objectives, ") && words.contains("lessons") && words.contains("is sound"),
        "{words}"
    );

    let output = assay(["check", "--json", pack.to_str().unwrap()]);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(found["items"].as_u64().unwrap() >= 100);
    assert!(found["objectives"].as_u64().unwrap() >= 6);
    assert!(found["lessons"].as_u64().unwrap() >= 8);
    assert_eq!(found["faults"], serde_json::json!([]));
    assert_eq!(found["coverage"]["items"], found["items"]);
}

#[test]
fn every_fault_has_a_file_and_a_line_and_none_hides_another() {
    let folder = tempfile::tempdir().unwrap();
    let pack = folder.path().join("broken");
    copy(&sample_pack(), &pack);
    let programme = fs::read_to_string(pack.join("programme.toml")).unwrap();
    let line = 1 + programme.lines().position(|l| l.starts_with("pass_mark")).unwrap();
    fs::write(pack.join("programme.toml"), programme.replace("pass_mark = 40", "pass_mark = 400")).unwrap();
    fs::write(pack.join("badge.svg"), "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 9 9\">\n\n<script/></svg>").unwrap();
    fs::write(pack.join("items/functions/empty.md"), "nothing\n").unwrap();

    let (status, words) = said(&assay(["check", pack.to_str().unwrap()]));
    assert_eq!(status, 1, "{words}");
    for place in [
        format!("broken/programme.toml:{line}: fault:"),
        "broken/badge.svg:3: fault:".into(),
        "broken/items/functions/empty.md:1: fault:".into(),
    ] {
        assert!(words.contains(&place), "{place} in {words}");
    }

    let output = assay(["check", "--json", pack.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(found["faults"].as_array().unwrap().len() >= 3);
    assert!(found["faults"][0]["instead"].as_str().is_some_and(|words| !words.is_empty()));
    assert!(found["items"].is_null());
}

#[test]
fn a_folder_that_is_none_and_wrong_usage_are_told_apart() {
    assert_eq!(said(&assay(["check", "/nowhere/at/all"])).0, 3);
    assert_eq!(said(&assay(["check"])).0, 64);
    assert_eq!(said(&assay(["check", ".", "--colour"])).0, 64);
    assert_eq!(said(&assay(["nonsense"])).0, 64);
    assert_eq!(said(&assay::<&str>([])).0, 64);
    assert_eq!(said(&assay(["--help"])).0, 0);
    assert_eq!(said(&assay(["--version"])).0, 0);
}

#[test]
fn a_new_programme_is_sound_explains_itself_and_writes_over_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let pack = folder.path().join("deep/first-aid");
    let path = pack.to_str().unwrap();
    let (status, words) = said(&assay(["new", path]));
    assert_eq!(status, 0, "{words}");
    assert!(words.contains("assay check"), "{words}");
    let (status, words) = said(&assay(["check", path]));
    assert_eq!(status, 0, "{words}");
    assert!(words.contains("is sound (0 warnings)"), "{words}");
    let programme = fs::read_to_string(pack.join("programme.toml")).unwrap();
    assert!(programme.contains("title = \"First aid\""), "{programme}");
    for file in ["programme.toml", "lessons/asking-well.md", "items/craft/number-that-ages.md"] {
        let text = fs::read_to_string(pack.join(file)).unwrap();
        assert!(text.lines().filter(|line| line.starts_with("# ")).count() >= 3, "{file} explains itself");
        assert!(!text.contains("TODAY") && !text.contains("\"NAME\""), "{text}");
    }

    // Four questions prove nothing about guessing, and the words claim nothing.
    assert!(words.contains("of so few items that is luck") && !words.contains("of at most"), "{words}");
    assert!(words.contains("1 lesson with"), "{words}");
    let lesson = fs::read_to_string(pack.join("lessons/asking-well.md")).unwrap();
    let line = 1 + lesson.lines().position(|line| line.starts_with("checked_on")).unwrap();
    let day = lesson.lines().nth(line - 1).unwrap().to_owned();
    fs::write(pack.join("lessons/asking-well.md"), lesson.replace(&day, "checked_on: 2999-01-01")).unwrap();
    let (status, words) = said(&assay(["check", path]));
    assert!(status == 1 && words.contains(&format!("asking-well.md:{line}: fault: `checked_on` is 2999-01-01")), "{words}");

    fs::write(pack.join("programme.toml"), "mine").unwrap();
    let (status, words) = said(&assay(["new", path]));
    assert!(status == 1 && words.contains("is not empty, so nothing was written"), "{status} {words}");
    assert_eq!(fs::read_to_string(pack.join("programme.toml")).unwrap(), "mine");
    let (status, words) = said(&assay(["new", folder.path().join("First Aid").to_str().unwrap()]));
    assert!(status == 64 && words.contains("cannot be one"), "{status} {words}");
    assert!(!folder.path().join("First Aid").exists());
}

#[test]
fn the_pool_is_counted_and_guessed_at() {
    for pack in ["serverless", "git-for-teams"] {
        let pack = sample_pack().with_file_name(pack);
        let (status, words) = said(&assay(["check", pack.to_str().unwrap()]));
        assert_eq!(status, 0, "{words}");
        for figure in [
            "scenarios: ",
            "one search answers: ",
            " families; the blueprint can be filled ",
            "right options by place, of 4: ",
            "LIX",
            "blind chance",
        ] {
            assert!(words.contains(figure), "{figure} in {words}");
        }
        let best = words.lines().find(|line| line.contains("the best of all combinations: ")).unwrap();
        let percent: f64 = best.split(": ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        assert!((10.0..=35.0).contains(&percent), "{best}");
        let found: serde_json::Value = serde_json::from_slice(&assay(["check", "--json", pack.to_str().unwrap()]).stdout).unwrap();
        assert!(found["bank"]["guesses"]["single"].as_array().unwrap().len() >= 6);
        assert!(found["bank"]["fillings"].as_u64().unwrap() >= 1);
    }
}
