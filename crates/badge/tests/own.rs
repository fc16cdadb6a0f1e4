//! Our own badges: made, checked, altered, withdrawn.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use assay_badge::*;
use common::*;
use serde_json::{Value, json};

fn bytes(document: &Value) -> Vec<u8> {
    document.to_string().into_bytes()
}

#[test]
fn a_good_badge_is_valid_and_its_facts_are_read() {
    let badge = signed(&spec());
    lint(&build(&spec())).unwrap();
    lint(&badge).unwrap();
    let report = check(&bytes(&badge));
    assert_eq!(report.verdict, Verdict::Valid, "{report:#?}");
    assert_eq!(report.status, Status::Active);
    assert_eq!((report.exit_code(false), report.exit_code(true)), (0, 0));
    let facts = report.facts.clone().unwrap();
    assert_eq!(facts.holder_name.as_deref(), Some("Zoë O'Neill \"Z\" – 佐藤"));
    assert_eq!(facts.achievement_name.as_deref(), Some("Serverless (practice)"));
    assert_eq!(facts.issuer_name.as_deref(), Some("Example Office"));
    let names: Vec<&str> = report.checks.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(
        names,
        ["readable", "context", "all data signed", "signature", "key belongs to issuer", "issuer known", "shape", "dates", "status"]
    );
    let text = serde_json::to_string(&report).unwrap();
    assert!(text.contains("\"all data signed\"") && text.contains("\"valid\""), "{text}");
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
}

#[test]
fn signing_twice_gives_the_same_bytes() {
    assert_eq!(bytes(&signed(&spec())), bytes(&signed(&spec())));
    // A published text must not change under our feet: its signature is fixed here.
    let badge = signed(&spec());
    let value = badge["proof"][0]["proofValue"].as_str().unwrap();
    assert_eq!(value, KNOWN_PROOF);
}

const KNOWN_PROOF: &str = "zQbiRGayHQPYs5sQSWtzKaVFqBu3Zg51spidUFgG9oBZfdqSCC2SRaVxhq62YRZg1F4Ed49oiyNowVuox3JYhnJ6";

#[test]
fn a_badge_without_options_is_valid_too() {
    let mut spec = spec();
    spec.valid_until = None;
    spec.holder.subject_id = None;
    spec.achievement.tags.clear();
    spec.achievement.image = None;
    spec.score = None;
    spec.issuer.url = None;
    let badge = signed(&spec);
    lint(&badge).unwrap();
    assert_eq!(check(&bytes(&badge)).verdict, Verdict::Valid);
    spec.holder.name = None;
    assert!(lint(&build(&spec)).is_err());
}

#[test]
fn the_conditions_stand_in_the_signed_words() {
    let badge = signed(&spec());
    assert_eq!(badge["name"], "Serverless (practice)");
    for path in ["/evidence/0/narrative", "/credentialSubject/achievement/criteria/narrative"] {
        let words = badge.pointer(path).unwrap().as_str().unwrap();
        for part in ["Open book", "Not supervised", "self-stated", "50 questions"] {
            assert!(words.contains(part), "{part} in {words}");
        }
    }
}

#[test]
fn each_way_to_fail_has_its_own_words() {
    let good = bytes(&signed(&spec()));
    let altered = String::from_utf8(good.clone()).unwrap().replace("Zoë", "Zoe").into_bytes();
    let fresh = |_: &str| Some(list_bytes(&[], "revocation", now()));
    let revoked = |_: &str| Some(list_bytes(&[4711], "revocation", now()));
    let none = |_: &str| None;

    let altered = check(&altered);
    assert_eq!(altered.outcome(CheckName::Signature), Outcome::Failed);
    assert_eq!(altered.status, Status::Unknown);
    let withdrawn = check_with(&good, &trust(), now(), &revoked);
    assert_eq!(withdrawn.status, Status::Revoked);
    let expired = check_with(&good, &trust(), time("2028-05-01T10:00:00Z"), &none);
    assert_eq!(expired.status, Status::Expired);
    let early = check_with(&good, &trust(), time("2026-04-30T00:00:00Z"), &none);
    assert_eq!(early.status, Status::NotYetValid);

    // Somebody else's key in the issuer's name, under the issuer's method or under their own.
    let other = SigningKey::from_seed([9; 32]);
    let forged = sign(&build(&spec()), &other, METHOD, time("2026-05-01T10:00:01Z")).unwrap();
    let forged = check_with(&bytes(&forged), &trust(), now(), &fresh);
    assert_eq!(forged.outcome(CheckName::Signature), Outcome::Failed);
    let method = did_key_method(&other.public_multibase());
    let foreign = sign(&build(&spec()), &other, &method, time("2026-05-01T10:00:01Z")).unwrap();
    let foreign = check_with(&bytes(&foreign), &trust(), now(), &fresh);
    assert_eq!(foreign.outcome(CheckName::Signature), Outcome::Passed);
    assert_eq!(foreign.outcome(CheckName::KeyBelongsToIssuer), Outcome::Failed);

    let mut words = Vec::new();
    for (report, name) in [
        (&altered, CheckName::Signature),
        (&withdrawn, CheckName::Status),
        (&expired, CheckName::Dates),
        (&early, CheckName::Dates),
        (&foreign, CheckName::KeyBelongsToIssuer),
    ] {
        assert_eq!(report.verdict, Verdict::NotValid, "{report:#?}");
        assert_eq!(report.exit_code(false), 1);
        words.push(report.words(name).to_owned());
    }
    let count = words.len();
    words.sort();
    words.dedup();
    assert_eq!(words.len(), count);
}

#[test]
fn unknown_issuers_are_not_called_valid() {
    let good = bytes(&signed(&spec()));
    let report = check_with(&good, &[], now(), &|_| panic!("no list is asked for before the signature is good"));
    assert_eq!(report.verdict, Verdict::CannotDecide, "{report:#?}");
    assert_eq!(report.exit_code(false), 2);

    // A did:key issuer vouches for itself only.
    let mut demo = spec();
    demo.issuer.id = did_key(&key().public_multibase());
    demo.standing = Standing::Demonstration;
    let method = did_key_method(&key().public_multibase());
    let badge = sign(&build(&demo), &key(), &method, now()).unwrap();
    lint(&badge).unwrap();
    let report = check_with(&bytes(&badge), &[], now(), &|_| None);
    assert_eq!(report.verdict, Verdict::SelfConsistentOnly, "{report:#?}");
    assert_eq!(report.exit_code(false), 2);
    let trust = [KeyHistory::of_did_key("Demo", &key().public_multibase(), time("2026-01-01T00:00:00Z"))];
    let report = check_with(&bytes(&badge), &trust, now(), &|_| None);
    assert_eq!(report.verdict, Verdict::ValidStatusUnchecked);
    assert_eq!((report.exit_code(false), report.exit_code(true)), (0, 2));
}

#[test]
fn a_key_out_of_its_time_is_refused() {
    let good = bytes(&signed(&spec()));
    for (from, until) in [("2026-05-02T00:00:00Z", None), ("2026-01-01T00:00:00Z", Some("2026-05-01T10:00:01Z"))] {
        let mut trust = trust();
        trust[0].keys[0].valid_from = time(from);
        trust[0].keys[0].valid_until = until.map(time);
        let report = check_with(&good, &trust, now(), &|_| None);
        assert_eq!(report.outcome(CheckName::KeyBelongsToIssuer), Outcome::Failed);
        assert_eq!(report.verdict, Verdict::NotValid);
    }
}

#[test]
fn status_lists_that_prove_nothing_leave_the_status_unknown() {
    let good = bytes(&signed(&spec()));
    let fresh = list_bytes(&[], "revocation", now());
    let altered = String::from_utf8(fresh.clone()).unwrap().replace("2026-06-02", "2029-06-02").into_bytes();
    let by_other = {
        let list = StatusList::from_revoked([]).unwrap();
        let document = list_credential(&list, LIST, "did:web:badges.example", "revocation", now()).unwrap();
        let other = SigningKey::from_seed([9; 32]);
        bytes(&sign(&document, &other, METHOD, now()).unwrap())
    };
    let other_address = {
        let list = StatusList::from_revoked([]).unwrap();
        let document = list_credential(&list, "https://badges.example/status/2", "did:web:badges.example", "revocation", now()).unwrap();
        bytes(&sign(&document, &key(), METHOD, now()).unwrap())
    };
    let cases: [(&str, Option<Vec<u8>>); 8] = [
        ("not reachable", None),
        ("25 hours old", Some(list_bytes(&[], "revocation", time("2026-05-31T11:00:00Z")))),
        ("from the future", Some(list_bytes(&[], "revocation", time("2026-06-01T13:00:00Z")))),
        ("other purpose", Some(list_bytes(&[], "suspension", now()))),
        ("altered", Some(altered)),
        ("signed by another", Some(by_other)),
        ("another list", Some(other_address)),
        ("no JSON", Some(b"<html>".to_vec())),
    ];
    for (name, list) in cases {
        let report = check_with(&good, &trust(), now(), &|url| {
            assert_eq!(url, LIST);
            list.clone()
        });
        assert_eq!(report.verdict, Verdict::ValidStatusUnchecked, "{name}: {report:#?}");
        assert_eq!(report.status, Status::Unknown, "{name}");
        assert_eq!(report.exit_code(true), 2);
    }
    // A list that was signed while it was asked for is newer than the question.
    for list in [fresh, list_bytes(&[], "revocation", time("2026-06-01T12:00:05Z"))] {
        let report = check_with(&good, &trust(), now(), &|_| Some(list.clone()));
        assert_eq!(report.verdict, Verdict::Valid, "{report:#?}");
    }
}

#[test]
fn suspension_and_index_out_of_range() {
    let mut document = build(&spec());
    document["credentialStatus"]["statusPurpose"] = "suspension".into();
    let badge = bytes(&sign(&document, &key(), METHOD, now()).unwrap());
    let report = check_with(&badge, &trust(), now(), &|_| Some(list_bytes(&[4711], "suspension", now())));
    assert_eq!((report.status, report.verdict), (Status::Suspended, Verdict::NotValid));

    let mut document = build(&spec());
    document["credentialStatus"]["statusListIndex"] = "131072".into();
    let badge = bytes(&sign(&document, &key(), METHOD, now()).unwrap());
    let report = check(&badge);
    assert_eq!(report.verdict, Verdict::ValidStatusUnchecked, "{report:#?}");
}

/// Texts that keep the signed statements but show something else, or show what is not signed.
#[test]
fn tricks_with_json_ld_are_refused() {
    let badge = signed(&spec());
    let cred = "https://www.w3.org/2018/credentials#";
    type Trick<'a> = (&'a str, Box<dyn Fn(&mut Value) + 'a>);
    let tricks: Vec<Trick<'_>> = vec![
        ("undefined term", Box::new(|d| d["revoked"] = json!(false))),
        ("undefined term deep", Box::new(|d| d["credentialSubject"]["achievement"]["grade"] = json!("A"))),
        (
            "hidden status by IRI",
            Box::new(move |d| {
                let status = d.as_object_mut().unwrap().remove("credentialStatus").unwrap();
                d[format!("{cred}credentialStatus")] = status;
            }),
        ),
        (
            "hidden end",
            Box::new(|d| {
                let end = d.as_object_mut().unwrap().remove("validUntil").unwrap();
                d["credentialSubject"]["achievement"]["creator"] = json!({"id": d["id"], "type": ["Profile"], "validUntil": end});
            }),
        ),
        ("@included", Box::new(|d| d["@included"] = json!([{"id": "urn:x:1", "name": "y"}]))),
        ("@graph", Box::new(|d| d["@graph"] = json!([]))),
        (
            "@id",
            Box::new(|d| {
                let id = d.as_object_mut().unwrap().remove("id").unwrap();
                d["@id"] = id;
            }),
        ),
        ("@direction", Box::new(|d| d["name"] = json!({"@value": "x", "@direction": "rtl"}))),
        ("inline context", Box::new(|d| d["@context"].as_array_mut().unwrap().push(json!({"grade": null})))),
        ("inner context", Box::new(|d| d["credentialSubject"]["@context"] = json!({"@vocab": "https://x.example/"}))),
        ("unknown context", Box::new(|d| d["@context"][1] = json!("https://x.example/context.json"))),
        ("swapped contexts", Box::new(|d| d["@context"].as_array_mut().unwrap().reverse())),
        ("relative id", Box::new(|d| d["id"] = json!("b/1"))),
        ("blank id", Box::new(|d| d["credentialSubject"]["id"] = json!("_:b0"))),
        ("dropped IRI", Box::new(|d| d["credentialSubject"]["image"] = json!("https://x y.example/"))),
        ("second issuer", Box::new(|d| d["issuer"] = json!([d["issuer"], "did:web:other.example"]))),
        ("no proof", Box::new(|d| drop(d.as_object_mut().unwrap().remove("proof")))),
        ("empty proofs", Box::new(|d| d["proof"] = json!([]))),
        ("proof purpose", Box::new(|d| d["proof"][0]["proofPurpose"] = json!("authentication"))),
        ("proof value empty", Box::new(|d| d["proof"][0]["proofValue"] = json!("z"))),
        (
            "second broken proof",
            Box::new(|d| {
                let mut proof = d["proof"][0].clone();
                proof["created"] = json!("2026-05-01T10:00:02Z");
                d["proof"].as_array_mut().unwrap().push(proof);
            }),
        ),
        ("other suite", Box::new(|d| d["proof"][0]["cryptosuite"] = json!("eddsa-jcs-2022"))),
        ("unknown part of the proof", Box::new(|d| d["proof"][0]["nonce"] = json!("1"))),
    ];
    for (name, trick) in tricks {
        let mut document = badge.clone();
        trick(&mut document);
        let report = check(&bytes(&document));
        assert!(matches!(report.verdict, Verdict::NotValid | Verdict::CannotDecide), "{name}: {report:#?}");
    }
    let twice = String::from_utf8(bytes(&badge)).unwrap().replacen("\"id\":", "\"id\":\"urn:x:1\",\"id\":", 1);
    assert_eq!(check(twice.as_bytes()).exit_code(false), 3);
    let trailing = [bytes(&badge), b"{}".to_vec()].concat();
    assert_eq!(check(&trailing).exit_code(false), 3);
}

/// Every byte of the badge is altered in two ways; none of the results may be taken for good.
#[test]
fn no_altered_byte_is_accepted() {
    let good = bytes(&signed(&spec()));
    let (trust, now) = (trust(), now());
    let list = list_bytes(&[], "revocation", now);
    let status = |_: &str| Some(list.clone());
    assert_eq!(check_with(&good, &trust, now, &status).verdict, Verdict::Valid);
    let halves = good.len() / 2;
    let run = |from: usize, to: usize| {
        let status = |_: &str| Some(list.clone());
        let mut accepted = Vec::new();
        for at in from..to {
            for mask in [0x01, 0x20] {
                let mut altered = good.clone();
                altered[at] ^= mask;
                let report = check_with(&altered, &trust, now, &status);
                if matches!(report.verdict, Verdict::Valid | Verdict::ValidStatusUnchecked | Verdict::SelfConsistentOnly) {
                    accepted.push(String::from_utf8_lossy(&altered[at.saturating_sub(20)..(at + 20).min(altered.len())]).into_owned());
                }
            }
        }
        accepted
    };
    let accepted = std::thread::scope(|scope| {
        let first = scope.spawn(|| run(0, halves));
        let second = run(halves, good.len());
        [first.join().unwrap(), second].concat()
    });
    println!("{} alterations, {} accepted", good.len() * 2, accepted.len());
    assert_eq!(accepted, Vec::<String>::new());
}

#[test]
fn removing_any_part_breaks_the_badge() {
    let badge = signed(&spec());
    fn paths(value: &Value, at: &str, out: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                for (k, v) in map {
                    let p = format!("{at}/{k}");
                    out.push(p.clone());
                    paths(v, &p, out);
                }
            }
            Value::Array(list) => {
                for (i, v) in list.iter().enumerate() {
                    let p = format!("{at}/{i}");
                    out.push(p.clone());
                    paths(v, &p, out);
                }
            }
            _ => {}
        }
    }
    let mut all = Vec::new();
    paths(&badge, "", &mut all);
    for path in all {
        let mut document = badge.clone();
        let (parent, last) = path.rsplit_once('/').unwrap();
        match document.pointer_mut(parent).unwrap() {
            Value::Object(map) => drop(map.remove(last)),
            Value::Array(list) => drop(list.remove(last.parse().unwrap())),
            _ => unreachable!(),
        }
        let report = check(&bytes(&document));
        assert!(matches!(report.verdict, Verdict::NotValid | Verdict::CannotDecide), "{path}: {report:#?}");
    }
}

#[test]
fn lint_names_each_breach() {
    type Breach = (&'static str, fn(&mut Value));
    let breaches: [Breach; 9] = [
        ("/@context", |d| d["@context"].as_array_mut().unwrap().reverse()),
        ("/issuer/url", |d| d["issuer"]["url"] = Value::Null),
        ("/credentialSubject/achievement/tag", |d| d["credentialSubject"]["achievement"]["tag"] = json!([])),
        ("/credentialSubject/result/0/value", |d| d["credentialSubject"]["result"][0]["value"] = json!(43.5)),
        ("/credentialStatus", |d| drop(d.as_object_mut().unwrap().remove("credentialStatus"))),
        ("/validUntil", |d| d["validUntil"] = json!("2020-01-01T00:00:00Z")),
        ("/awardedDate", |d| d["awardedDate"] = json!("2029-01-01T00:00:00Z")),
        ("/proof", |d| d["proof"] = json!({"type": "DataIntegrityProof"})),
        ("", |d| d["id"] = json!("/b/1")),
    ];
    for (path, breach) in breaches {
        let mut document = build(&spec());
        breach(&mut document);
        let problems = lint(&document).unwrap_err();
        assert!(problems.iter().any(|p| p.path == path), "{path}: {problems:?}");
    }
}

#[test]
#[ignore = "prints times; run with --release --ignored --nocapture"]
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn speed() {
    let document = build(&spec());
    let badge = bytes(&signed(&spec()));
    let (trust, now) = (trust(), now());
    let list = list_bytes(&[], "revocation", now);
    let rounds = 300;
    let each = |what: &str, work: &dyn Fn()| {
        let start = std::time::Instant::now();
        (0..rounds).for_each(|_| work());
        println!("{what}: {:.3} ms each", start.elapsed().as_secs_f64() * 1000.0 / f64::from(rounds));
    };
    each("sign", &|| drop(sign(&document, &key(), METHOD, now).unwrap()));
    each("verify without status", &|| drop(check_with(&badge, &trust, now, &|_| None)));
    each("verify with status list", &|| drop(check_with(&badge, &trust, now, &|_| Some(list.clone()))));
    each("lint", &|| lint(&document).unwrap());
}

/// Writes one badge and one status list, for other implementations to check.
#[test]
#[ignore = "writes files to the folder named by BADGE_OUT"]
fn hand_out() {
    let folder = std::path::PathBuf::from(std::env::var_os("BADGE_OUT").unwrap());
    let method = did_key_method(&key().public_multibase());
    let mut spec = spec();
    spec.issuer.id = did_key(&key().public_multibase());
    let badge = sign(&build(&spec), &key(), &method, now()).unwrap();
    std::fs::write(folder.join("badge.json"), badge.to_string()).unwrap();
    let list = StatusList::from_revoked([1, 4711]).unwrap();
    let list = list_credential(&list, LIST, &spec.issuer.id, "revocation", now()).unwrap();
    let list = sign(&list, &key(), &method, now()).unwrap();
    std::fs::write(folder.join("list.json"), list.to_string()).unwrap();
    std::fs::write(folder.join("unsigned.json"), build(&spec).to_string()).unwrap();
}
