//! Verification: bytes in, nine named checks out. Offline: keys come from the caller's trust list and the status
//! list from the caller's function; nothing is taken from the badge on its own word.

use jiff::Timestamp;
use serde_json::Value;

use crate::bake::{Payload, unbake};
use crate::contexts::ContextSet;
use crate::json::{self, has_type, many, node_id};
use crate::keys::{KeyHistory, PublicKey, did_key_of_method};
use crate::proof::{Options, ProofError, parse_time};
use crate::rdf;
use crate::report::{CheckName, Facts, Outcome, Report, Status};
use crate::shape::{self, ContextProblem, Kind};
use crate::status::StatusList;

/// Most proofs of one document that are looked at.
const MAX_PROOFS: usize = 8;
/// Most status entries of one document that are looked up.
const MAX_STATUS_ENTRIES: usize = 4;

/// Everything a verification depends on.
pub struct VerifyOptions<'a> {
    /// The time to judge by.
    pub now: Timestamp,
    /// Issuers to trust, with their keys.
    pub trust: &'a [KeyHistory],
    /// Hands over the bytes of a status list, given its address; `None` when they cannot be had. It is only asked
    /// once the signature of the badge is found good.
    pub status: &'a dyn Fn(&str) -> Option<Vec<u8>>,
    /// Contexts to read by.
    pub contexts: &'a ContextSet,
    /// What kind of document is expected.
    pub kind: Kind,
}

impl<'a> VerifyOptions<'a> {
    /// Expects an Open Badge, with the bundled contexts.
    #[must_use]
    pub fn new(now: Timestamp, trust: &'a [KeyHistory], status: &'a dyn Fn(&str) -> Option<Vec<u8>>) -> Self {
        Self { now, trust, status, contexts: ContextSet::bundled(), kind: Kind::OpenBadge }
    }
}

/// Verifies a badge: a JSON document, or a PNG or SVG picture that carries one.
#[must_use]
pub fn verify(input: &[u8], options: &VerifyOptions<'_>) -> Report {
    let mut report = Report::new();
    match read(input) {
        Ok(document) => {
            report.set(CheckName::Readable, Outcome::Passed, "The document could be read.");
            report.facts = Some(facts(&document));
            check_document(&document, options, &mut report);
        }
        Err(Unread::Token(words)) => {
            report.set(CheckName::Readable, Outcome::Passed, "A signed token was found.");
            report.set(CheckName::Signature, Outcome::NotChecked, words);
        }
        Err(Unread::Words(words)) => report.set(CheckName::Readable, Outcome::Failed, words),
    }
    report.decide();
    report
}

enum Unread {
    Token(String),
    Words(String),
}

fn read(input: &[u8]) -> Result<Value, Unread> {
    let found = unbake(input).map_err(|e| Unread::Words(sentence(&e.to_string())))?;
    match found.payload {
        Payload::Json(text) => json::parse(text.as_bytes()).map_err(|e| Unread::Words(sentence(&e.to_string()))),
        Payload::Jws(_) => Err(Unread::Token(
            "The badge is a signed token (JWT). This verifier checks badges that carry their proof inside the document.".to_owned(),
        )),
    }
}

/// First letter large, full stop at the end.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string());
    let mut text = first.unwrap_or_default() + letters.as_str();
    if !text.ends_with('.') {
        text.push('.');
    }
    text
}

fn check_document(document: &Value, options: &VerifyOptions<'_>, report: &mut Report) {
    let problems = shape::check_shape(document, options.kind);
    if problems.is_empty() {
        report.set(CheckName::Shape, Outcome::Passed, "All parts that the standard asks for are there.");
    } else {
        report.set(CheckName::Shape, Outcome::Failed, problems.join(" "));
    }
    let by_dates = check_dates(document, options.now, report);
    let signed = check_signature(document, options, report);
    let listed = match signed {
        true => check_status(document, options, report),
        false => {
            let words = "Not looked up, because the signature was not found good.";
            report.set(CheckName::Status, Outcome::NotChecked, words);
            None
        }
    };
    let looked_up = report.outcome(CheckName::Status) == Outcome::Passed;
    report.status = match (listed, by_dates) {
        (Some(status), _) | (None, Some(status)) => status,
        (None, None) if signed && looked_up => Status::Active,
        (None, None) => Status::Unknown,
    };
}

/// Context, safe mode, signature and key. True when the signature is good and the key is the issuer's.
fn check_signature(document: &Value, options: &VerifyOptions<'_>, report: &mut Report) -> bool {
    match shape::check_context(document, options.contexts, options.kind) {
        Ok(()) => report.set(CheckName::Context, Outcome::Passed, "The vocabularies are the standard ones."),
        Err(ContextProblem::Wrong(words)) => {
            report.set(CheckName::Context, Outcome::Failed, sentence(&words));
            return false;
        }
        Err(ContextProblem::Unknown(words)) => {
            report.set(CheckName::Context, Outcome::NotChecked, sentence(&words));
            return false;
        }
    }
    let canonical = match rdf::canonicalize(document, options.contexts) {
        Ok(canonical) => canonical,
        Err(error) => {
            report.set(CheckName::AllDataSigned, Outcome::Failed, sentence(&error.to_string()));
            return false;
        }
    };
    report.set(CheckName::AllDataSigned, Outcome::Passed, "Everything the document shows is covered by what is signed.");
    let Some(issuer) = document.get("issuer").and_then(node_id) else {
        report.set(CheckName::IssuerKnown, Outcome::NotChecked, "The document names no issuer.");
        return false;
    };
    let trusted = options.trust.iter().find(|h| h.issuer == issuer);
    match trusted {
        Some(history) => report.set(
            CheckName::IssuerKnown,
            Outcome::Passed,
            format!("The document names {} ({issuer}) as its issuer, which this verifier trusts.", history.name),
        ),
        None => report.set(
            CheckName::IssuerKnown,
            Outcome::NotChecked,
            format!("Nobody vouches for the issuer {issuer}: it is not in the list of trusted issuers."),
        ),
    }
    let proofs = many(document, "proof");
    if proofs.is_empty() {
        report.set(CheckName::Signature, Outcome::Failed, "The document is not signed.");
        return false;
    }
    if proofs.len() > MAX_PROOFS {
        report.set(CheckName::Signature, Outcome::Failed, format!("The document has more than {MAX_PROOFS} proofs."));
        return false;
    }
    let judge = Judge { document, contexts: options.contexts, issuer, trusted, canonical: &canonical, now: options.now };
    let results: Vec<ProofResult> = proofs.iter().map(|p| judge.proof(p)).collect();
    // One broken proof spoils the document; otherwise the best one decides.
    let decisive = results
        .iter()
        .find(|r| r.signature.0 == Outcome::Failed)
        .or_else(|| results.iter().find(|r| r.is_good()))
        .or_else(|| results.iter().find(|r| r.key.0 == Outcome::Failed))
        .or_else(|| results.first());
    let Some(result) = decisive else { return false };
    report.set(CheckName::Signature, result.signature.0, result.signature.1.clone());
    report.set(CheckName::KeyBelongsToIssuer, result.key.0, result.key.1.clone());
    result.is_good()
}

type Finding = (Outcome, String);

struct ProofResult {
    signature: Finding,
    key: Finding,
}

impl ProofResult {
    fn is_good(&self) -> bool {
        self.signature.0 == Outcome::Passed && self.key.0 == Outcome::Passed
    }
}

/// What one proof is held against.
struct Judge<'a> {
    document: &'a Value,
    contexts: &'a ContextSet,
    issuer: &'a str,
    trusted: Option<&'a KeyHistory>,
    canonical: &'a str,
    now: Timestamp,
}

impl Judge<'_> {
    fn proof(&self, proof: &Value) -> ProofResult {
        let unread_key = || (Outcome::NotChecked, "The proof could not be read.".to_owned());
        // An undefined kind would leave the proof itself outside of what JSON-LD reads.
        let urls = rdf::context_urls(self.document).unwrap_or_default();
        let kinds = many(proof, "type");
        if kinds.len() > rdf::MAX_TYPES {
            let words = format!("The proof names more than {} types.", rdf::MAX_TYPES);
            return ProofResult { signature: (Outcome::Failed, words), key: unread_key() };
        }
        let defined = |kind: &&Value| kind.as_str().is_some_and(|k| self.contexts.defines(&urls, k));
        if !kinds.iter().all(defined) {
            let words = "No context of the document defines this kind of proof.".to_owned();
            return ProofResult { signature: (Outcome::Failed, words), key: unread_key() };
        }
        let proof_options = match Options::read(proof) {
            Ok(read) => read,
            Err(ProofError::Malformed(words)) => {
                return ProofResult { signature: (Outcome::Failed, sentence(&words)), key: unread_key() };
            }
            Err(ProofError::Unsupported(words)) => {
                return ProofResult { signature: (Outcome::NotChecked, sentence(&words)), key: unread_key() };
            }
        };
        let (public, key) = self.key(&proof_options);
        let signature = match public {
            None => (
                Outcome::NotChecked,
                format!("The key {} is not known here, so the signature cannot be checked.", proof_options.method.as_str()),
            ),
            Some(public) if !proof_options.holds(proof, &public, self.canonical) => (
                Outcome::Failed,
                "The signature does not fit: the document was altered after it was signed, or another key signed it.".to_owned(),
            ),
            Some(_) => match proof_options.expires() {
                Some(end) if end <= self.now => (Outcome::Failed, format!("The proof ended on {}.", day(end))),
                _ => (Outcome::Passed, "The signature fits the document: not one character was altered.".to_owned()),
            },
        };
        ProofResult { signature, key }
    }

    /// The public key to check with, and whether it is the issuer's.
    fn key(&self, proof: &Options) -> (Option<PublicKey>, Finding) {
        let method = proof.method.as_str();
        let own_key = did_key_of_method(method).and_then(|k| PublicKey::from_multibase(k).ok());
        let foreign =
            || (Outcome::Failed, format!("The key {method} is not a key of the issuer {}: somebody else signed in its name.", self.issuer));
        if let Some(history) = self.trusted {
            let Some(record) = history.find(method) else {
                return (own_key, foreign());
            };
            let Ok(public) = PublicKey::from_multibase(&record.public_key_multibase) else {
                return (None, (Outcome::NotChecked, format!("The trusted key {method} is not written as an Ed25519 key.")));
            };
            let Some(created) = proof.created() else {
                return (
                    Some(public),
                    (
                        Outcome::NotChecked,
                        "The proof does not say when it was made, so it is not known whether the key was in use then.".to_owned(),
                    ),
                );
            };
            let in_use = record.valid_from <= created && record.valid_until.is_none_or(|end| created < end);
            if !in_use {
                let until = record.valid_until.map_or("now".to_owned(), day);
                return (
                    Some(public),
                    (
                        Outcome::Failed,
                        format!("The key signed on {}, but was in use from {} to {until}.", day(created), day(record.valid_from)),
                    ),
                );
            }
            return (Some(public), (Outcome::Passed, "The key is one of the issuer's and was in use when it signed.".to_owned()));
        }
        let controller = method.split_once('#').map_or(method, |(c, _)| c);
        if controller != self.issuer {
            return (own_key, foreign());
        }
        match own_key {
            Some(public) => (Some(public), (Outcome::Passed, "The issuer's id is this key.".to_owned())),
            None if method.starts_with("did:key:") => (None, (Outcome::Failed, format!("{method} is not a well-formed Ed25519 key."))),
            None => (None, (Outcome::NotChecked, format!("The keys of {} are not known here.", self.issuer))),
        }
    }
}

fn day(time: Timestamp) -> String {
    crate::proof::seconds(time)
}

/// Start and end of validity, as far as they can be read.
fn validity(document: &Value) -> (Option<Timestamp>, Option<Timestamp>) {
    let (from, until) = shape::validity_keys(document);
    let time = |key| document.get(key).and_then(Value::as_str).and_then(parse_time);
    (time(from), time(until))
}

fn check_dates(document: &Value, now: Timestamp, report: &mut Report) -> Option<Status> {
    let (from_key, until_key) = shape::validity_keys(document);
    let (from, until) = validity(document);
    let unreadable = |key: &str, time: Option<Timestamp>| document.get(key).is_some() && time.is_none();
    if unreadable(from_key, from) || unreadable(until_key, until) {
        report.set(CheckName::Dates, Outcome::Failed, "A date of the document cannot be read.");
        return None;
    }
    if let Some(end) = until.filter(|end| *end <= now) {
        report.set(CheckName::Dates, Outcome::Failed, format!("It expired on {}.", day(end)));
        return Some(Status::Expired);
    }
    if let Some(start) = from.filter(|start| *start > now) {
        report.set(CheckName::Dates, Outcome::Failed, format!("It is not valid before {}.", day(start)));
        return Some(Status::NotYetValid);
    }
    let words = match until {
        Some(end) => format!("It is valid until {}.", day(end)),
        None => "It does not expire.".to_owned(),
    };
    report.set(CheckName::Dates, Outcome::Passed, words);
    None
}

/// Looks the document up in its status lists. Some state when a list says so.
fn check_status(document: &Value, options: &VerifyOptions<'_>, report: &mut Report) -> Option<Status> {
    let entries = many(document, "credentialStatus");
    if entries.is_empty() {
        report.set(CheckName::Status, Outcome::Passed, "It names no status list, so it cannot be withdrawn.");
        return None;
    }
    let mut unchecked = None;
    if entries.len() > MAX_STATUS_ENTRIES {
        unchecked = Some(format!("It names more than {MAX_STATUS_ENTRIES} status lists."));
    }
    let mut found: Option<(Status, String)> = None;
    for entry in entries.into_iter().take(MAX_STATUS_ENTRIES) {
        match look_up(document, entry, options) {
            Ok(None) => {}
            Ok(Some(listed)) => {
                // Revoked outweighs suspended.
                if found.as_ref().is_none_or(|f| f.0 != Status::Revoked) {
                    found = Some(listed);
                }
            }
            Err(words) => unchecked = Some(words),
        }
    }
    match (found, unchecked) {
        (Some((status, words)), _) => {
            report.set(CheckName::Status, Outcome::Failed, words);
            Some(status)
        }
        (None, Some(words)) => {
            report.set(CheckName::Status, Outcome::NotChecked, words);
            None
        }
        (None, None) => {
            report.set(CheckName::Status, Outcome::Passed, "The issuer's status list does not say that it was withdrawn.");
            None
        }
    }
}

fn look_up(document: &Value, entry: &Value, options: &VerifyOptions<'_>) -> Result<Option<(Status, String)>, String> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str);
    if !has_type(entry, "BitstringStatusListEntry") {
        let kind = many(entry, "type").first().and_then(|t| t.as_str()).unwrap_or("without a type");
        return Err(format!("Its status entry is of a kind that is not checked here ({kind})."));
    }
    if entry.get("statusSize").is_some_and(|s| s.as_u64() != Some(1)) {
        return Err("Its status entry has more than one bit, which is not read here.".to_owned());
    }
    let malformed = "Its status entry is malformed.";
    let (Some(url), Some(purpose)) = (text("statusListCredential"), text("statusPurpose")) else {
        return Err(malformed.to_owned());
    };
    let index: u64 = text("statusListIndex").and_then(|i| i.parse().ok()).ok_or(malformed)?;
    let (status, words) = match purpose {
        "revocation" => (Status::Revoked, "The issuer revoked it."),
        "suspension" => (Status::Suspended, "The issuer suspended it for the time being."),
        _ => return Err(format!("Its status entry has the purpose \"{purpose}\", which is not checked here.")),
    };
    let bytes = (options.status)(url).ok_or_else(|| format!("The status list at {url} could not be had."))?;
    let issuer = document.get("issuer").and_then(node_id).unwrap_or_default();
    let list =
        read_list(&bytes, url, purpose, issuer, options).map_err(|words| format!("The status list at {url} cannot be used: {words}"))?;
    let set = list.is_set(index).map_err(|e| sentence(&e.to_string()))?;
    Ok(set.then(|| (status, words.to_owned())))
}

/// Checks a status list credential: readable, in force, of the right kind and purpose, signed by the same issuer.
fn read_list(bytes: &[u8], url: &str, purpose: &str, issuer: &str, options: &VerifyOptions<'_>) -> Result<StatusList, String> {
    let document = json::parse(bytes).map_err(|e| sentence(&e.to_string()))?;
    if document.get("issuer").and_then(node_id) != Some(issuer) {
        return Err("it is from another issuer.".to_owned());
    }
    if document.get("id").and_then(Value::as_str) != Some(url) {
        return Err("it is a list with another address.".to_owned());
    }
    let subjects = many(&document, "credentialSubject");
    let [subject] = subjects.as_slice() else {
        return Err("it does not hold one list.".to_owned());
    };
    if !has_type(&document, "BitstringStatusListCredential") || !has_type(subject, "BitstringStatusList") {
        return Err("it is not of the type of a status list.".to_owned());
    }
    if !many(subject, "statusPurpose").iter().any(|p| p.as_str() == Some(purpose)) {
        return Err(format!("it is not a list for {purpose}."));
    }
    let mut report = Report::new();
    let list_options = VerifyOptions { kind: Kind::AnyCredential, ..*options };
    let problems = shape::check_shape(&document, Kind::AnyCredential);
    if !problems.is_empty() {
        return Err(problems.join(" "));
    }
    check_dates(&document, options.now, &mut report);
    check_signature(&document, &list_options, &mut report);
    for name in [CheckName::Dates, CheckName::Context, CheckName::AllDataSigned, CheckName::Signature, CheckName::KeyBelongsToIssuer] {
        if report.outcome(name) != Outcome::Passed {
            return Err(report.words(name).to_owned());
        }
    }
    let encoded = subject.get("encodedList").and_then(Value::as_str).ok_or("it holds no list.")?;
    StatusList::decode(encoded).map_err(|e| sentence(&e.to_string()))
}

fn facts(document: &Value) -> Facts {
    let text = |value: Option<&Value>| value.and_then(text_of);
    let (valid_from, valid_until) = validity(document);
    let subject = many(document, "credentialSubject").first().copied();
    let named = subject.and_then(|s| {
        many(s, "identifier")
            .into_iter()
            .find(|i| i.get("identityType").and_then(Value::as_str) == Some("name") && i.get("hashed") == Some(&Value::Bool(false)))
    });
    let achievement = subject.and_then(|s| many(s, "achievement").first().copied());
    let issuer = document.get("issuer");
    Facts {
        id: text(document.get("id")),
        issuer_id: issuer.and_then(node_id).map(str::to_owned),
        issuer_name: text(issuer.and_then(|i| i.get("name"))),
        holder_name: text(named.and_then(|n| n.get("identityHash"))).or_else(|| text(subject.and_then(|s| s.get("name")))),
        achievement_name: text(achievement.and_then(|a| a.get("name"))),
        valid_from,
        valid_until,
    }
}

/// A text, the first of several, or the text of one with a language.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(list) => list.first().and_then(text_of),
        Value::Object(map) => map.get("@value").and_then(Value::as_str).map(str::to_owned),
        _ => None,
    }
}
