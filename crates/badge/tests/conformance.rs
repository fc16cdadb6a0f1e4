//! Documents from outside, each with what must happen to it (`EXPECTED.tsv`).
//!
//! A `reject` counts when a caller that insists on the status does not accept. Most revoked DCC credentials name a
//! list signed by another issuer, which this library does not believe: they end as "status not checked".
//!
//! One specification example fails on purpose: it uses `alsoKnownAs`, which none of its contexts defines.
//!
//! Out of scope here, and why: JWT and JWS (embedded proofs only), Open Badges 2.0 (hosted, another data model),
//! ECDSA and JCS suites, proof chains, presentations, and documents whose context is not stored as it was signed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use assay_badge::*;
use jiff::Timestamp;
use serde_json::Value;

/// Where test data from outside lies; `None` skips the test, unless the folder was named and is missing.
fn outside() -> Option<PathBuf> {
    let named = std::env::var_os("ASSAY_OUTSIDE_DATA").map(PathBuf::from);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = named.clone().unwrap_or(root).join("credentials");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(named.is_none(), "ASSAY_OUTSIDE_DATA has no credentials folder");
    println!("skipped: no outside data");
    None
}

struct Row {
    path: String,
    expect: String,
    reason: String,
}

fn rows(folder: &Path, prefix: &str) -> Vec<Row> {
    let table = std::fs::read_to_string(folder.join("EXPECTED.tsv")).unwrap();
    let rows = table.lines().skip(1).filter(|l| l.starts_with(prefix));
    rows.map(|line| {
        let mut parts = line.split('\t').map(str::to_owned);
        let mut next = || parts.next().unwrap_or_default();
        Row { path: next(), expect: next(), reason: next() }
    })
    .collect()
}

#[derive(Default)]
struct Tally {
    passed: usize,
    failed: Vec<String>,
    out_of_scope: BTreeMap<&'static str, usize>,
}

impl Tally {
    fn count(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if holds {
            self.passed += 1;
        } else {
            self.failed.push(what());
        }
    }

    fn skip(&mut self, why: &'static str) {
        *self.out_of_scope.entry(why).or_default() += 1;
    }

    fn finish(&self, suite: &str, floor: usize, most_failures: usize) {
        println!("{suite}: {} passed, {} failed, out of scope: {:?}", self.passed, self.failed.len(), self.out_of_scope);
        for failure in &self.failed {
            println!("    {failure}");
        }
        assert!(self.passed >= floor, "{suite}: {} passed, floor {floor}", self.passed);
        assert!(self.failed.len() <= most_failures, "{suite}: {:?}", self.failed);
    }
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The bundled contexts and some that only these documents use.
fn contexts(folder: &Path) -> ContextSet {
    [
        ("https://www.w3.org/ns/credentials/examples/v2", "w3c-vc-data-model/contexts/credentials/examples/v2"),
        ("https://purl.imsglobal.org/spec/clr/v2p0/context.json", "1edtech-public-validator/contexts/clr-v2p0.json"),
        ("https://purl.imsglobal.org/spec/clr/v2p0/context-2.0.1.json", "1edtech-public-validator/contexts/clr-v2p0-2.0.1.json"),
        ("https://w3id.org/dcc/v1", "npm-contexts/w3id.org_dcc_v1.json"),
    ]
    .iter()
    .fold(ContextSet::bundled().clone(), |set, (url, file)| set.with(url, json(&folder.join(file))))
}

fn issuer_of(document: &Value) -> Option<&str> {
    let issuer = document.get("issuer")?;
    issuer.as_str().or_else(|| issuer.get("id")?.as_str())
}

/// Trust as the suites themselves give it: the key named after the `#` of the verification method, if the part
/// before it is the issuer. (That says nothing about who owns the issuer's address; these tests only need keys.)
fn trust_by_fragment(document: &Value) -> Vec<KeyHistory> {
    let Some(issuer) = issuer_of(document) else { return Vec::new() };
    let proofs = match document.get("proof") {
        Some(Value::Array(list)) => list.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    };
    let keys = proofs
        .iter()
        .filter_map(|p| {
            let method = p.get("verificationMethod")?.as_str()?;
            let bare = method.strip_prefix("did:key:").filter(|k| !k.contains('#'));
            if let Some(key) = bare {
                // One document of the suite has a bare did:key as its key and an issuer that is a urn.
                return Some(record(method, key));
            }
            let (controller, key) = method.split_once('#')?;
            (controller == issuer).then(|| record(method, key))
        })
        .collect();
    vec![KeyHistory { issuer: issuer.to_owned(), name: "of the suite".to_owned(), keys }]
}

fn record(method: &str, key: &str) -> KeyRecord {
    KeyRecord {
        verification_method: method.to_owned(),
        public_key_multibase: key.to_owned(),
        valid_from: Timestamp::UNIX_EPOCH,
        valid_until: None,
    }
}

/// Accepted by a caller that insists on the status when something is expected to be rejected.
fn agrees(report: &Report, expect: &str) -> bool {
    match expect {
        "verify" | "warn" => report.exit_code(false) == 0,
        _ => report.exit_code(true) != 0,
    }
}

fn line(path: &str, expect: &str, report: &Report) -> String {
    let checks: Vec<String> =
        report.checks.iter().filter(|c| c.outcome != Outcome::Passed).map(|c| format!("{}: {}", c.name.as_str(), c.words)).collect();
    format!("{path}: expected {expect}, got {:?}; {}", report.verdict, checks.join(" | "))
}

#[test]
fn dcc_signed_credentials() {
    let Some(folder) = outside() else { return };
    let contexts = contexts(&folder);
    let now: Timestamp = "2026-02-01T00:00:00Z".parse().unwrap();
    let lists = folder.join("dcc-vc-test-fixtures/statusLists/didkey-ed25519Signature2020");
    let status = |url: &str| std::fs::read(lists.join(url.rsplit('/').next()?)).ok();
    // The published DID documents, not the keys that the credentials name.
    let mut by_document = Vec::new();
    for name in ["legacy", "oidf"] {
        let did = json(&folder.join(format!("dcc-vc-test-fixtures/dids/{name}/did.json")));
        let method = &did["assertionMethod"][0];
        by_document.push(KeyHistory {
            issuer: did["id"].as_str().unwrap().to_owned(),
            name: name.to_owned(),
            keys: vec![record(method["id"].as_str().unwrap(), method["publicKeyMultibase"].as_str().unwrap())],
        });
    }
    let mut tally = Tally::default();
    for row in rows(&folder, "dcc-vc-test-fixtures/verifiableCredentials") {
        let bytes = std::fs::read(folder.join(&row.path)).unwrap();
        let mut trust = by_document.clone();
        if let Ok(document) = serde_json::from_slice::<Value>(&bytes)
            && issuer_of(&document).is_some_and(|i| i.starts_with("did:key:"))
        {
            trust.extend(trust_by_fragment(&document));
        }
        // Some are no badges; the expectation is about the signature.
        let options = VerifyOptions { contexts: &contexts, kind: Kind::AnyCredential, ..VerifyOptions::new(now, &trust, &status) };
        let report = verify(&bytes, &options);
        tally.count(agrees(&report, &row.expect), || line(&row.path, &row.expect, &report));
    }
    tally.finish("DCC", 91, 0);
}

#[test]
fn one_edtech_validator() {
    let Some(folder) = outside() else { return };
    let contexts = contexts(&folder);
    let now: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
    let list = folder.join("1edtech-public-validator/vc/ob30/bit-string-list/testlist");
    let status = |url: &str| url.ends_with("testlist").then(|| std::fs::read(&list).ok()).flatten();
    let mut tally = Tally::default();
    for row in rows(&folder, "1edtech-public-validator") {
        if row.expect == "data" {
            tally.skip("not an expectation");
            continue;
        }
        if row.path.contains("/ob20/") {
            tally.skip("Open Badges 2.0");
            continue;
        }
        let bytes = std::fs::read(folder.join(&row.path)).unwrap();
        let found = unbake(&bytes);
        let document = match &found {
            Ok(Unbaked { payload: Payload::Json(text), .. }) => parse_json(text.as_bytes()).ok(),
            Ok(Unbaked { payload: Payload::Jws(_), .. }) if row.expect != "reject" => {
                tally.skip("JWT");
                continue;
            }
            _ => None,
        };
        let suite =
            document.as_ref().and_then(|d| d.pointer("/proof/0/cryptosuite").or(d.pointer("/proof/cryptosuite"))).and_then(Value::as_str);
        if row.expect != "reject" && suite.is_some_and(|s| s != "eddsa-rdfc-2022") {
            tally.skip("other suites");
            continue;
        }
        let trust = document.as_ref().map(trust_by_fragment).unwrap_or_default();
        let is_badge =
            document.as_ref().is_some_and(|d| d["type"].as_array().is_some_and(|t| t.iter().any(|t| t == "OpenBadgeCredential")));
        let kind = if is_badge { Kind::OpenBadge } else { Kind::AnyCredential };
        let options = VerifyOptions { contexts: &contexts, kind, ..VerifyOptions::new(now, &trust, &status) };
        let report = verify(&bytes, &options);
        tally.count(agrees(&report, &row.expect), || line(&row.path, &row.expect, &report));
    }
    tally.finish("1EdTech validator (OB 3.0, CLR 2.0)", 40, 0);
}

#[test]
fn one_edtech_specification() {
    let Some(folder) = outside() else { return };
    let contexts = contexts(&folder);
    let now: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
    let mut tally = Tally::default();
    let all = [rows(&folder, "1edtech-ob-spec"), rows(&folder, "impierce-openbadges")];
    for row in all.into_iter().flatten() {
        let bytes = std::fs::read(folder.join(&row.path)).unwrap();
        let document = parse_json(&bytes).unwrap();
        if row.expect == "verify" {
            let trust = trust_by_fragment(&document);
            let options = VerifyOptions { contexts: &contexts, kind: Kind::AnyCredential, ..VerifyOptions::new(now, &trust, &|_| None) };
            let report = verify(&bytes, &options);
            tally.count(agrees(&report, "verify"), || line(&row.path, "verify", &report));
            continue;
        }
        match canonicalize(&document, &contexts) {
            Err(RdfError::UnknownContext(_) | RdfError::InlineContext) => tally.skip("context not stored"),
            result => tally.count(result.is_ok(), || format!("{}: {result:?}", row.path)),
        }
    }
    tally.finish("1EdTech specification and schema examples", 25, 1);
}

#[test]
fn w3c_eddsa_vectors() {
    let Some(folder) = outside() else { return };
    let contexts = contexts(&folder);
    let now: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
    let vectors = folder.join("w3c-vc-di-eddsa/TestVectors");
    let document = json(&vectors.join("unsigned.json"));
    let expected = std::fs::read_to_string(vectors.join("eddsa-rdfc-2022/canonDocDataInt.txt")).unwrap();
    assert_eq!(canonicalize(&document, &contexts).unwrap(), expected);
    let mut tally = Tally::default();
    for row in rows(&folder, "w3c-vc-di-eddsa").into_iter().filter(|r| r.expect == "verify") {
        let bytes = std::fs::read(folder.join(&row.path)).unwrap();
        let document = parse_json(&bytes).unwrap();
        let text = document.to_string();
        if text.contains("eddsa-jcs-2022") || text.contains("previousProof") || row.reason.contains("citizenship") {
            tally.skip("JCS, proof chains, context not stored");
            continue;
        }
        // Here the issuer is an https URL and the keys are did:key: the suite says so, not the document.
        let proofs = document["proof"].as_array().cloned().unwrap_or_else(|| vec![document["proof"].clone()]);
        let methods = proofs.iter().filter_map(|p| p["verificationMethod"].as_str());
        let keys = methods.map(|m| record(m, m.split('#').next_back().unwrap())).collect();
        let trust = [KeyHistory { issuer: issuer_of(&document).unwrap().to_owned(), name: "W3C".to_owned(), keys }];
        let options = VerifyOptions { contexts: &contexts, kind: Kind::AnyCredential, ..VerifyOptions::new(now, &trust, &|_| None) };
        let report = verify(&bytes, &options);
        tally.count(agrees(&report, "verify"), || line(&row.path, "verify", &report));
    }
    tally.finish("W3C vc-di-eddsa", 4, 0);
}

/// The files are templates: the suite puts in the issuer and the dates before it sends them to an issuer.
fn fill_in(document: &mut Value, path: &str) {
    let Value::Object(map) = document else { return };
    let issuer = "https://issuer.example/1";
    match map.get_mut("issuer") {
        None if !path.contains("no-issuer") => drop(map.insert("issuer".into(), issuer.into())),
        Some(Value::Object(fields)) if !fields.contains_key("id") => {
            fields.insert("id".into(), issuer.into());
        }
        _ => {}
    }
    for key in ["validFrom", "validUntil"] {
        let date = match map.get(key).and_then(Value::as_str) {
            Some("PAST DATE") => "2020-01-01T00:00:00Z",
            Some("FUTURE DATE") => "2040-01-01T00:00:00Z",
            _ => continue,
        };
        map.insert(key.into(), date.into());
    }
}

#[test]
fn w3c_data_model() {
    let Some(folder) = outside() else { return };
    let contexts = contexts(&folder);
    let mut tally = Tally::default();
    for row in rows(&folder, "w3c-vcdm2-test-suite") {
        if row.expect == "data" {
            tally.skip("not an expectation");
            continue;
        }
        if row.path.contains("presentation") {
            tally.skip("presentations");
            continue;
        }
        let bytes = std::fs::read(folder.join(&row.path)).unwrap();
        let result = match parse_json(&bytes) {
            Ok(mut document) => {
                fill_in(&mut document, &row.path);
                conforms(&document, &contexts, Kind::AnyCredential)
            }
            Err(error) => Err(vec![error.to_string()]),
        };
        let inline = result.as_ref().is_err_and(|p| p.iter().any(|w| w.contains("context of its own") || w.contains("bundled")));
        if row.expect == "verify" && row.path.contains("direction") {
            tally.skip("@direction, refused because no signature suite here covers it");
            continue;
        }
        if row.expect == "verify" && inline {
            tally.skip("context not bundled");
            continue;
        }
        tally.count(result.is_ok() == (row.expect == "verify"), || format!("{}: expected {}, got {result:?}", row.path, row.expect));
    }
    tally.finish("W3C data model 2.0", 75, 0);
}

#[test]
fn w3c_rdf_canonicalization() {
    let Some(folder) = outside() else { return };
    let tests = folder.join("w3c-rdf-canon/rdfc10");
    let mut tally = Tally::default();
    let mut names: Vec<PathBuf> = std::fs::read_dir(&tests).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    for input in names.iter().filter(|p| p.to_string_lossy().ends_with("-in.nq")) {
        let name = input.file_name().unwrap().to_string_lossy().replace("-in.nq", "");
        let quads: Vec<oxrdf::Quad> =
            oxttl::NQuadsParser::new().for_slice(&std::fs::read(input).unwrap()).collect::<Result<_, _>>().unwrap();
        let expected = std::fs::read_to_string(tests.join(format!("{name}-rdfc10.nq")));
        if name == "test075" {
            tally.skip("SHA-384");
            continue;
        }
        match expected {
            Ok(expected) => {
                let found = canonical(quads);
                tally.count(found.as_deref() == Ok(expected.as_str()), || format!("{name}: {found:?}"));
            }
            // Without an expected result it is a document made to take for ever.
            Err(_) => {
                let found = canonical(quads);
                tally.count(found.is_err() || name == "test044", || format!("{name}: not refused"));
            }
        }
    }
    tally.finish("W3C RDFC-1.0", 64, 0);
}
