//! `assay verify`: what is told apart, and by which exit status.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod running;

use std::{
    fs,
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
};

use assay_badge::*;
use jiff::Timestamp;
use running::{assay, said};
use serde_json::Value;

const LIST: &str = "https://badges.example/status/1";
const METHOD: &str = "did:web:badges.example#key-1";
const INDEX: u32 = 4711;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn key() -> SigningKey {
    SigningKey::from_seed([42; 32])
}

fn history() -> KeyHistory {
    let record = KeyRecord {
        verification_method: METHOD.into(),
        public_key_multibase: key().public_multibase(),
        valid_from: time("2026-01-01T00:00:00Z"),
        valid_until: None,
    };
    KeyHistory { issuer: "did:web:badges.example".into(), name: "Example Office".into(), keys: vec![record] }
}

fn badge(valid_until: Option<&str>) -> Value {
    let spec = BadgeSpec {
        base_url: "https://badges.example".into(),
        credential_id: "abcdefghijklmnopqrstuvwxyz".into(),
        issuer: IssuerSpec {
            id: "did:web:badges.example".into(),
            name: "Example Office".into(),
            url: Some("https://badges.example".into()),
        },
        valid_from: time("2026-05-01T10:00:00Z"),
        valid_until: valid_until.map(time),
        awarded: time("2026-05-01T10:00:00Z"),
        holder: HolderSpec { subject_id: Some("urn:uuid:0190f5d4-7f6c-7a0a-9a55-2b1f2c3d4e5f".into()), name: Some("Ada Lovelace".into()) },
        achievement: AchievementSpec {
            id: "https://badges.example/programmes/serverless/standard#version-1".into(),
            version: "1".into(),
            name: "Serverless".into(),
            description: "Knows how serverless systems are built and run.".into(),
            criteria: "Answer at least 40 of 50 questions right.".into(),
            tags: vec!["serverless".into()],
            image: None,
        },
        assurance: vec!["Open book: looking things up was allowed.".into()],
        standing: Standing::Regular,
        score: None,
        status: StatusSpec { list_url: LIST.into(), index: INDEX },
    };
    sign(&build(&spec), &key(), METHOD, time("2026-05-01T10:00:01Z")).unwrap()
}

fn list(revoked: &[u32], at: &str) -> Value {
    let list = StatusList::from_revoked(revoked.iter().copied()).unwrap();
    let document = list_credential(&list, LIST, "did:web:badges.example", "revocation", time(at)).unwrap();
    sign(&document, &key(), METHOD, time(at)).unwrap()
}

/// Files in a folder of their own.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.put("keys.json", serde_json::to_string(&history()).unwrap());
        files.put("good.json", badge(None).to_string());
        files.put("clean-list.json", list(&[1, 2], "2026-06-01T12:00:00Z").to_string());
        files.put("list.json", list(&[1, INDEX], "2026-06-01T12:00:00Z").to_string());
        files
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs `assay verify`; words that name one of the files stand for its path. The day is 1 June 2026.
    fn verify(&self, words: &str) -> (i32, String) {
        let args =
            words.split_whitespace().map(|word| if word.contains('.') { self.path(word).display().to_string() } else { word.to_owned() });
        said(&assay(["verify".to_owned(), "--at=2026-06-01T13:00:00Z".to_owned()].into_iter().chain(args)))
    }
}

#[test]
fn a_good_badge_with_and_without_its_status() {
    let files = Files::new();
    let (status, words) = files.verify("good.json --trust keys.json");
    assert_eq!(status, 0, "{words}");
    for check in ["readable", "context", "all data signed", "signature", "key belongs to issuer", "issuer known", "shape", "dates"] {
        assert!(words.lines().any(|l| l.starts_with(check) && l.contains("passed")), "{check} in {words}");
    }
    assert!(words.lines().any(|l| l.starts_with("status") && l.contains("could not be checked")), "{words}");
    assert!(words.contains("Verdict: Valid by signature, issuer and dates."), "{words}");
    assert!(words.lines().any(|l| l.starts_with("Status:") && l.contains("not checked")), "{words}");
    assert!(words.contains("Ada Lovelace") && words.contains("name self-stated"), "{words}");

    assert_eq!(files.verify("good.json --trust keys.json --require-status").0, 2);
    let (status, words) = files.verify("good.json --trust keys.json --require-status --status-list clean-list.json");
    assert_eq!(status, 0, "{words}");
    assert!(words.contains("Verdict: Valid.\n"), "{words}");
}

#[test]
fn altered_revoked_expired_and_foreign_are_told_apart() {
    let files = Files::new();
    let good = badge(None).to_string();
    files.put("altered.json", good.replace("Ada Lovelace", "Ada Lovelacf"));
    let (status, words) = files.verify("altered.json --trust keys.json --status-list list.json");
    assert_eq!(status, 1, "{words}");
    assert!(words.contains("Verdict: Not valid. The signature does not fit"), "{words}");

    let (status, words) = files.verify("good.json --trust keys.json --status-list list.json");
    assert_eq!(status, 1, "{words}");
    assert!(words.contains("Verdict: Not valid. The issuer revoked it."), "{words}");

    files.put("old.json", badge(Some("2026-05-20T00:00:00Z")).to_string());
    let (status, words) = files.verify("old.json --trust keys.json --status-list clean-list.json");
    assert_eq!(status, 1, "{words}");
    assert!(words.contains("Verdict: Not valid. It expired on 2026-05-20"), "{words}");

    let (status, words) = files.verify("good.json");
    assert_eq!(status, 2, "{words}");
    assert!(words.contains("Verdict: Cannot be decided.") && words.contains("Nobody vouches for the issuer"), "{words}");

    let demo = Issuer::demonstration("Somebody", "https://badges.example", [7; 32], time("2026-01-01T00:00:00Z"));
    let mut foreign = badge(None);
    foreign.as_object_mut().unwrap().remove("proof");
    foreign["issuer"]["id"] = demo.history.issuer.clone().into();
    files.put("foreign.json", demo.sign(&foreign, time("2026-05-01T10:00:01Z")).unwrap().to_string());
    let (status, words) = files.verify("foreign.json --trust keys.json");
    assert_eq!(status, 2, "{words}");
    assert!(words.contains("Verdict: Self-consistent only"), "{words}");
}

#[test]
fn unreadable_files_several_files_and_standard_input() {
    let files = Files::new();
    files.put("words.txt", "not a badge");
    let (status, words) = files.verify("words.txt --trust keys.json");
    assert_eq!(status, 3, "{words}");
    assert!(words.contains("Verdict: Unreadable."), "{words}");
    assert_eq!(files.verify("nothing.json").0, 3);

    files.put("altered.json", badge(None).to_string().replace("Ada", "Eda"));
    let (status, words) = files.verify("good.json altered.json --trust keys.json");
    assert_eq!(status, 1, "{words}");
    assert_eq!(words.lines().filter(|l| l.starts_with("== ")).count(), 2, "{words}");
    assert_eq!(files.verify("good.json altered.json words.txt --trust keys.json").0, 3);
    assert_eq!(files.verify("good.json good.json --trust keys.json").0, 0);

    let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
    command.args(["verify", "-", "--trust"]).arg(files.path("keys.json")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(badge(None).to_string().as_bytes()).unwrap();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
}

#[test]
fn pictures_carry_badges() {
    let files = Files::new();
    let svg = assay_badge::svg("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 9 9\"></svg>", &badge(None).to_string()).unwrap();
    files.put("badge.svg", svg);
    let (status, words) = files.verify("badge.svg --trust keys.json");
    assert_eq!(status, 0, "{words}");
}

#[test]
fn json_for_machines() {
    let files = Files::new();
    let output = assay(["verify".into(), "--json".into(), files.path("good.json"), "--trust".into(), files.path("keys.json")]);
    let results: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(results[0]["exit_code"], 0);
    assert_eq!(results[0]["verdict"], "valid_status_unchecked");
    assert_eq!(results[0]["checks"].as_array().unwrap().len(), 9);
    assert_eq!(results[0]["facts"]["holder_name"], "Ada Lovelace");
}

#[test]
fn wrong_usage() {
    let files = Files::new();
    for words in
        ["", "good.json --trust nothing.json", "good.json --trust good.json", "good.json --status-list keys.json", "good.json --frobnicate"]
    {
        assert_eq!(files.verify(words).0, 64, "{words}");
    }
}
