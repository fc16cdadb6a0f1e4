//! What a credential must look like: the data-model rules of VC Data Model 1.1 and 2.0 and, for a badge, of
//! Open Badges 3.0 (AchievementCredential). Written from the specifications; no schema document is bundled.

use serde_json::Value;

use crate::contexts::{CREDENTIALS_V1, CREDENTIALS_V2, ContextSet, is_open_badges};
use crate::json::{has_type, many, node_id, short};
use crate::proof::parse_time;
use crate::rdf::{self, RdfError};

/// What kind of document is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// An Open Badges 3.0 AchievementCredential.
    #[default]
    OpenBadge,
    /// Any verifiable credential of VC Data Model 1.1 or 2.0.
    AnyCredential,
}

/// Everything wrong with an unsigned or signed document short of its signature: contexts, safe mode and shape.
///
/// # Errors
/// The problems, in words.
pub fn conforms(document: &Value, contexts: &ContextSet, kind: Kind) -> Result<(), Vec<String>> {
    let mut problems = Vec::new();
    if let Err(ContextProblem::Wrong(words) | ContextProblem::Unknown(words)) = check_context(document, contexts, kind) {
        problems.push(words);
    } else if let Err(error) = rdf::statements(document, contexts) {
        problems.push(error.to_string());
    }
    problems.extend(check_shape(document, kind));
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// What is wrong with the contexts.
pub(crate) enum ContextProblem {
    /// Against the standard: the document is not valid.
    Wrong(String),
    /// A further vocabulary that is not bundled: nothing can be said about the document.
    Unknown(String),
}

/// The contexts and their order (VC Data Model 2.0, 4.3; Open Badges 3.0, `@context`).
pub(crate) fn check_context(document: &Value, contexts: &ContextSet, kind: Kind) -> Result<(), ContextProblem> {
    let urls = rdf::context_urls(document).map_err(|e| ContextProblem::Wrong(e.to_string()))?;
    let wrong = |words: &str| Err(ContextProblem::Wrong(words.to_owned()));
    if !matches!(urls.first(), Some(&(CREDENTIALS_V1 | CREDENTIALS_V2))) {
        return wrong("The first @context is not the one of the verifiable-credentials standard.");
    }
    if kind == Kind::OpenBadge && !urls.get(1).is_some_and(|u| is_open_badges(u) && contexts.knows(u)) {
        return wrong("The second @context is not a known one of Open Badges 3.0.");
    }
    match urls.iter().find(|u| !contexts.knows(u)) {
        Some(url) => Err(ContextProblem::Unknown(RdfError::UnknownContext(short(url)).to_string())),
        None => Ok(()),
    }
}

/// Problems with the shape, in words; empty when all is well.
pub(crate) fn check_shape(document: &Value, kind: Kind) -> Vec<String> {
    let mut problems = Problems::default();
    credential(document, &mut problems);
    if kind == Kind::OpenBadge {
        badge(document, &mut problems);
    }
    problems.0
}

#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    fn unless(&mut self, holds: bool, words: &str) {
        if !holds && self.0.len() < 20 {
            self.0.push(words.to_owned());
        }
    }
}

fn is_v1(document: &Value) -> bool {
    many(document, "@context").first().and_then(|c| c.as_str()) == Some(CREDENTIALS_V1)
}

fn credential(document: &Value, problems: &mut Problems) {
    let types = many(document, "type");
    problems.unless(
        !types.is_empty() && types.iter().all(|t| t.as_str().is_some_and(|t| !t.is_empty())),
        "The types are missing or not texts.",
    );
    problems.unless(has_type(document, "VerifiableCredential"), "It is not of type VerifiableCredential.");
    problems.unless(document.get("id").is_none_or(Value::is_string), "The id is not one text.");
    let issuer = document.get("issuer");
    problems.unless(issuer.is_some_and(|i| !i.is_array() && node_id(i).is_some()), "It names no issuer with an id.");
    let subjects = many(document, "credentialSubject");
    problems.unless(
        !subjects.is_empty() && subjects.iter().all(|s| s.as_object().is_some_and(|s| !s.is_empty())),
        "It says nothing about its subject.",
    );
    dates(document, problems);
    for (key, needs_id) in
        [("credentialStatus", false), ("credentialSchema", true), ("termsOfUse", false), ("evidence", false), ("refreshService", false)]
    {
        for entry in many(document, key) {
            let typed = many(entry, "type");
            let typed = !typed.is_empty() && typed.iter().all(|t| t.is_string());
            problems.unless(typed, &format!("An entry of {key} has no type."));
            let id = entry.get("id");
            let id_ok = if needs_id { id.is_some_and(Value::is_string) } else { id.is_none_or(Value::is_string) };
            problems.unless(id_ok, &format!("An entry of {key} has no id or more than one."));
        }
    }
    for proof in many(document, "proof") {
        problems.unless(proof.get("type").is_some_and(Value::is_string), "A proof has no type.");
    }
    for entry in many(document, "credentialStatus") {
        status_entry(entry, problems);
    }
    let issuer = issuer.filter(|i| i.is_object());
    for owner in [Some(document), issuer].into_iter().flatten() {
        for key in ["name", "description"] {
            problems.unless(many(owner, key).iter().all(|v| is_text(v)), &format!("A {key} is not a text."));
        }
    }
}

/// A text, or one with a language (VC Data Model 2.0, 11.1).
fn is_text(value: &Value) -> bool {
    match value {
        Value::String(_) => true,
        Value::Object(map) => {
            map.get("@value").is_some_and(Value::is_string)
                && map.keys().all(|k| matches!(k.as_str(), "@value" | "@language" | "@direction"))
        }
        _ => false,
    }
}

/// Start and end of validity under either data model.
pub(crate) fn validity_keys(document: &Value) -> (&'static str, &'static str) {
    if is_v1(document) && document.get("validFrom").is_none() { ("issuanceDate", "expirationDate") } else { ("validFrom", "validUntil") }
}

fn dates(document: &Value, problems: &mut Problems) {
    let (from_key, until_key) = validity_keys(document);
    let mut read = |key: &str| match document.get(key) {
        None => None,
        Some(value) => {
            let time = value.as_str().and_then(parse_time);
            problems.unless(time.is_some(), &format!("{key} is not a date and time with a time zone."));
            time
        }
    };
    let (from, until) = (read(from_key), read(until_key));
    if let (Some(from), Some(until)) = (from, until) {
        problems.unless(from <= until, "It ends before it begins.");
    }
    problems.unless(!is_v1(document) || document.get(from_key).is_some(), "It has no issuance date.");
}

fn status_entry(entry: &Value, problems: &mut Problems) {
    if !has_type(entry, "BitstringStatusListEntry") {
        return;
    }
    let text = |key: &str| entry.get(key).and_then(Value::as_str);
    problems.unless(
        text("statusListIndex").is_some_and(|i| !i.is_empty() && i.len() <= 12 && i.bytes().all(|b| b.is_ascii_digit())),
        "The index of the status entry is not a whole number written as a text.",
    );
    problems.unless(text("statusPurpose").is_some_and(|p| !p.is_empty()), "The status entry has no purpose.");
    let list = text("statusListCredential");
    problems.unless(list.is_some_and(|l| !l.is_empty()), "The status entry names no status list.");
    problems.unless(text("id").is_none() || text("id") != list, "The status entry has the address of its list as its own id.");
}

fn badge(document: &Value, problems: &mut Problems) {
    problems.unless(
        has_type(document, "OpenBadgeCredential") || has_type(document, "AchievementCredential"),
        "It is not of type OpenBadgeCredential.",
    );
    problems.unless(document.get("id").is_some(), "The badge has no id.");
    problems.unless(document.get(validity_keys(document).0).is_some(), "The badge does not say from when it is valid.");
    let subjects = many(document, "credentialSubject");
    problems.unless(subjects.len() <= 1, "The badge has more than one subject.");
    for subject in subjects {
        problems.unless(has_type(subject, "AchievementSubject"), "The subject is not of type AchievementSubject.");
        let achievements = many(subject, "achievement");
        problems.unless(!achievements.is_empty(), "The badge names no achievement.");
        for achievement in achievements {
            problems.unless(has_type(achievement, "Achievement"), "The achievement is not of type Achievement.");
            for key in ["id", "name", "description"] {
                problems.unless(achievement.get(key).is_some_and(Value::is_string), &format!("The achievement has no {key}."));
            }
            problems.unless(achievement.get("criteria").is_some_and(Value::is_object), "The achievement has no criteria.");
        }
    }
    typed_parts(document, problems);
}

/// Properties whose objects have one fixed type in Open Badges 3.0.
const TYPED: [(&str, &str); 13] = [
    ("issuer", "Profile"),
    ("creator", "Profile"),
    ("parentOrg", "Profile"),
    ("source", "Profile"),
    ("otherIdentifier", "IdentifierEntry"),
    ("result", "Result"),
    ("resultDescription", "ResultDescription"),
    ("rubricCriterionLevel", "RubricCriterionLevel"),
    ("alignment", "Alignment"),
    ("evidence", "Evidence"),
    ("image", "Image"),
    ("related", "Related"),
    ("address", "Address"),
];

fn typed_parts(value: &Value, problems: &mut Problems) {
    let Value::Object(map) = value else { return };
    // An embedded endorsement is a credential of its own, with its own rules.
    let wanted = |key: &str| TYPED.iter().find(|(k, _)| *k == key).map(|(_, t)| *t);
    for key in map.keys().filter(|k| k.as_str() != "proof") {
        for part in many(value, key) {
            if part.is_object() {
                if let Some(kind) = wanted(key) {
                    problems.unless(has_type(part, kind), &format!("An entry of {key} is not of type {kind}."));
                }
                typed_parts(part, problems);
            }
        }
    }
    if has_type(value, "AchievementSubject") {
        for identity in many(value, "identifier") {
            problems.unless(has_type(identity, "IdentityObject"), "An identifier of the subject is not of type IdentityObject.");
        }
    }
}
