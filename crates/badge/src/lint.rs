//! The rules of our own issuing. They are stricter than what is asked of badges from elsewhere.

use serde_json::Value;

use crate::contexts::{CREDENTIALS_V2, ContextSet, OPEN_BADGES};
use crate::json::many;
use crate::proof::{Options, parse_time};
use crate::rdf;
use crate::shape::{Kind, check_shape};

/// One breach of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, as a JSON pointer; empty for the whole document.
    pub path: String,
    /// What, and what is wanted instead.
    pub words: String,
}

/// Checks a badge before or after it is signed.
///
/// # Errors
/// All breaches found.
pub fn lint(document: &Value) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    let mut say = |path: &str, words: &str| {
        problems.push(Problem { path: path.to_owned(), words: words.to_owned() });
    };
    let contexts = document.get("@context");
    if contexts != Some(&Value::from(vec![CREDENTIALS_V2, OPEN_BADGES])) {
        say("/@context", "must be the credentials v2 context, then the Open Badges 3.0.3 context, and no other");
    }
    for words in check_shape(document, Kind::OpenBadge) {
        say("", &words);
    }
    for path in [
        "/name",
        "/issuer/name",
        "/issuer/type",
        "/awardedDate",
        "/credentialSubject/achievement/version",
        "/credentialSubject/achievement/creator/id",
    ] {
        if document.pointer(path).is_none() {
            say(path, "is missing");
        }
    }
    let subject = document.get("credentialSubject");
    if subject.is_none_or(|s| s.get("id").is_none() && s.get("identifier").is_none()) {
        say("/credentialSubject", "names nobody: an id or a name is needed");
    }
    if document.pointer("/credentialSubject/achievement/criteria/narrative").and_then(Value::as_str).is_none_or(str::is_empty) {
        say("/credentialSubject/achievement/criteria/narrative", "is missing");
    }
    if document.pointer("/evidence/0/narrative").and_then(Value::as_str).is_none_or(str::is_empty) {
        say("/evidence/0/narrative", "is missing: a badge says how it was assessed");
    }
    if document.pointer("/credentialStatus/type").and_then(Value::as_str) != Some("BitstringStatusListEntry") {
        say("/credentialStatus", "is missing: every badge can be revoked");
    }
    dates(document, &mut say);
    proof(document, &mut say);
    plain(document, "", &mut say);
    if let Err(error) = rdf::canonicalize(document, ContextSet::bundled()) {
        say("", &error.to_string());
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn dates(document: &Value, say: &mut impl FnMut(&str, &str)) {
    let time = |key: &str| document.get(key).and_then(Value::as_str).and_then(parse_time);
    let Some(from) = time("validFrom") else {
        return say("/validFrom", "is missing or not a date and time");
    };
    match time("awardedDate") {
        None => say("/awardedDate", "is not a date and time"),
        Some(awarded) if awarded > from => say("/awardedDate", "is after the start of validity"),
        Some(_) => {}
    }
    if time("validUntil").is_some_and(|until| until <= from) {
        say("/validUntil", "is not after the start of validity");
    }
}

fn proof(document: &Value, say: &mut impl FnMut(&str, &str)) {
    let Some(proof) = document.get("proof") else { return };
    if !matches!(proof, Value::Array(list) if list.len() == 1) {
        return say("/proof", "must be an array with one entry");
    }
    for entry in many(document, "proof") {
        if Options::read(entry).is_err() || entry.get("cryptosuite").is_none() {
            say("/proof/0", "is not an eddsa-rdfc-2022 proof");
        }
    }
}

/// No null, no empty array or object or text, no number.
fn plain(value: &Value, path: &str, say: &mut impl FnMut(&str, &str)) {
    match value {
        Value::Null => say(path, "is null: leave it out"),
        Value::Number(_) => say(path, "is a number: write it as a text"),
        Value::String(text) if text.is_empty() => say(path, "is empty: leave it out"),
        Value::Array(list) if list.is_empty() => say(path, "is an empty list: leave it out"),
        Value::Object(map) if map.is_empty() => say(path, "is empty: leave it out"),
        Value::Array(list) => {
            for (i, item) in list.iter().enumerate() {
                plain(item, &format!("{path}/{i}"), say);
            }
        }
        Value::Object(map) => {
            for (key, item) in map {
                plain(item, &format!("{path}/{key}"), say);
            }
        }
        Value::Bool(_) | Value::String(_) => {}
    }
}
