//! A sample issuer and badge for the tests.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "shared by tests that each use a part")]

use assay_badge::*;
use jiff::Timestamp;
use serde_json::Value;

pub const LIST: &str = "https://badges.example/status/1";
pub const METHOD: &str = "did:web:badges.example#key-1";

pub fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn now() -> Timestamp {
    time("2026-06-01T12:00:00Z")
}

pub fn key() -> SigningKey {
    SigningKey::from_seed([42; 32])
}

pub fn trust() -> Vec<KeyHistory> {
    vec![KeyHistory {
        issuer: "did:web:badges.example".into(),
        name: "Example Office".into(),
        keys: vec![KeyRecord {
            verification_method: METHOD.into(),
            public_key_multibase: key().public_multibase(),
            valid_from: time("2026-01-01T00:00:00Z"),
            valid_until: Some(time("2027-01-01T00:00:00Z")),
        }],
    }]
}

pub fn spec() -> BadgeSpec {
    BadgeSpec {
        base_url: "https://badges.example".into(),
        credential_id: "5b6a0f6e2d5f4a3c9a7e".into(),
        issuer: IssuerSpec {
            id: "did:web:badges.example".into(),
            name: "Example Office".into(),
            url: Some("https://badges.example".into()),
        },
        valid_from: time("2026-05-01T10:00:00Z"),
        valid_until: Some(time("2028-05-01T10:00:00Z")),
        awarded: time("2026-05-01T10:00:00Z"),
        holder: HolderSpec {
            subject_id: Some("urn:uuid:0190f5d4-7f6c-7a0a-9a55-2b1f2c3d4e5f".into()),
            name: Some("Zoë O'Neill \"Z\" – 佐藤".into()),
        },
        achievement: AchievementSpec {
            id: "https://badges.example/programmes/serverless/versions/1".into(),
            version: "1".into(),
            name: "Serverless".into(),
            description: "Knows how serverless systems are built and run.".into(),
            criteria: "Answer at least 40 of 50 questions rightly.".into(),
            tags: vec!["serverless".into(), "cloud".into()],
            image: Some(ImageSpec {
                url: "https://badges.example/programmes/serverless/badge.png".into(),
                caption: "A seal with a cloud".into(),
            }),
        },
        assurance: vec![
            "Open book: looking things up was allowed.".into(),
            "Not supervised.".into(),
            "The name is self-stated.".into(),
            "50 questions, 40 right to pass, no time limit.".into(),
        ],
        standing: Standing::Practice,
        score: Some(ScoreSpec { score: "43".into(), max: "50".into(), required: "40".into() }),
        status: StatusSpec { list_url: LIST.into(), index: 4711 },
    }
}

pub fn signed(spec: &BadgeSpec) -> Value {
    sign(&build(spec), &key(), METHOD, time("2026-05-01T10:00:01Z")).unwrap()
}

pub fn list_bytes(revoked: &[u32], purpose: &str, made: Timestamp) -> Vec<u8> {
    let list = StatusList::from_revoked(revoked.iter().copied()).unwrap();
    let document = list_credential(&list, LIST, "did:web:badges.example", purpose, made).unwrap();
    sign(&document, &key(), METHOD, made).unwrap().to_string().into_bytes()
}

/// Verifies against the sample issuer with a fresh list in which nothing is revoked.
pub fn check(input: &[u8]) -> Report {
    check_with(input, &trust(), now(), &|_| Some(list_bytes(&[], "revocation", now())))
}

pub fn check_with(input: &[u8], trust: &[KeyHistory], now: Timestamp, status: &dyn Fn(&str) -> Option<Vec<u8>>) -> Report {
    verify(input, &VerifyOptions::new(now, trust, status))
}
