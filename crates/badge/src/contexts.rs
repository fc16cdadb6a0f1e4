//! The JSON-LD contexts this library knows. They are compiled in and pinned by hash; none is ever fetched.
//!
//! Processing the same two contexts again for each document is nine tenths of the cost of a signature, and the
//! processor offers no way to keep a processed context. So a document is given only those term definitions
//! whose name occurs somewhere in it (see [`ContextSet::reduced`]); a term that does not occur cannot take part.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

/// VC Data Model 2.0 context, which must come first.
pub const CREDENTIALS_V2: &str = "https://www.w3.org/ns/credentials/v2";
/// VC Data Model 1.1 context, accepted when verifying.
pub const CREDENTIALS_V1: &str = "https://www.w3.org/2018/credentials/v1";
/// Open Badges 3.0 context this library issues with, which must come second.
pub const OPEN_BADGES: &str = "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json";

/// One bundled context: URL, SHA-256 of the file, text.
struct Bundled {
    url: &'static str,
    sha256: &'static str,
    text: &'static str,
}

const BUNDLED: [Bundled; 11] = [
    Bundled {
        url: CREDENTIALS_V1,
        sha256: "00d7dd6d3ad8b920e3e550dd3a3d9090bffcac84cdbf943da6924b3e0a5c8bb8",
        text: include_str!("../contexts/credentials-v1.json"),
    },
    Bundled {
        url: CREDENTIALS_V2,
        sha256: "59955ced6697d61e03f2b2556febe5308ab16842846f5b586d7f1f7adec92734",
        text: include_str!("../contexts/credentials-v2.json"),
    },
    Bundled {
        url: "https://w3id.org/security/data-integrity/v1",
        sha256: "b5d829bd09aa7c42abc6efa0c8ed7635313b5487f37ccfce3ecd149ca9418554",
        text: include_str!("../contexts/data-integrity-v1.json"),
    },
    Bundled {
        url: "https://w3id.org/security/data-integrity/v2",
        sha256: "67f21e6e33a6c14e5ccfd2fc7865f7474fb71a04af7e94136cb399dfac8ae8f4",
        text: include_str!("../contexts/data-integrity-v2.json"),
    },
    Bundled {
        url: "https://w3id.org/security/suites/ed25519-2020/v1",
        sha256: "b9e1ab971fd8bf2c7553e0c4a9438e0b9450afde1ea1ca5b2492368b9f549588",
        text: include_str!("../contexts/ed25519-2020-v1.json"),
    },
    Bundled {
        url: "https://www.w3.org/ns/credentials/status/v1",
        sha256: "fd08cbf28ddd829ab2f1978c48f43ab07a112c1c90245a0cfac7ba721c65170c",
        text: include_str!("../contexts/status-v1.json"),
    },
    Bundled {
        url: "https://purl.imsglobal.org/spec/ob/v3p0/context.json",
        sha256: "732fca635996e6ce3d54f0690da08b8c41a3e88bec8e6d9f2edc5a577ecd8e81",
        text: include_str!("../contexts/ob-3.0.0.json"),
    },
    Bundled {
        url: "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.1.json",
        sha256: "3c9930f0b31932036968cba4c311196fa396625b8cc06de9f4d6c0fdabec174d",
        text: include_str!("../contexts/ob-3.0.1.json"),
    },
    Bundled {
        url: "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.2.json",
        sha256: "d0283fb47c9724001e9e60dd7fa5b74ecf7a295dbefba6c475dd04fa00a00e51",
        text: include_str!("../contexts/ob-3.0.2.json"),
    },
    Bundled {
        url: OPEN_BADGES,
        sha256: "ca836d808e9a9fb27124d2b83df15e31a4b63c910cab870bf48dc35cc70185f2",
        text: include_str!("../contexts/ob-3.0.3.json"),
    },
    Bundled {
        url: "https://purl.imsglobal.org/spec/ob/v3p0/extensions.json",
        sha256: "7c24eea3ee3398f7449f53270721e5e384e48d3c8c29516cf1e2f0e383024084",
        text: include_str!("../contexts/ob-extensions.json"),
    },
];

/// Whether `url` is one of the Open Badges 3.0 contexts.
pub(crate) fn is_open_badges(url: &str) -> bool {
    url.starts_with("https://purl.imsglobal.org/spec/ob/v3p0/context") && url.ends_with(".json")
}

/// The contexts a signature may be checked against.
#[derive(Debug, Clone, Default)]
pub struct ContextSet {
    documents: BTreeMap<String, Value>,
}

static BUILT_IN: LazyLock<ContextSet> = LazyLock::new(|| {
    let mut set = ContextSet::default();
    for bundled in &BUNDLED {
        if let Ok(document) = serde_json::from_str(bundled.text) {
            set.documents.insert(bundled.url.to_owned(), document);
        }
    }
    // Terms that 1EdTech added to the same URL later; see contexts/SOURCES.md.
    if let Some(Value::Object(terms)) = set.documents.get_mut(OPEN_BADGES).and_then(|d| d.get_mut("@context")) {
        terms.insert(
            "endorsementJwt".to_owned(),
            json!({"@id": "https://purl.imsglobal.org/spec/vc/ob/vocab.html#endorsementJwt", "@container": "@set"}),
        );
        terms.insert("jti".to_owned(), json!({"@id": "https://www.iana.org/assignments/jwt#jti", "@type": "@id"}));
    }
    set
});

impl ContextSet {
    /// The contexts that are compiled in.
    #[must_use]
    pub fn bundled() -> &'static ContextSet {
        &BUILT_IN
    }

    /// A copy that also knows the context `document` under `url`.
    ///
    /// For callers that accept badges with further vocabulary. Whoever chooses the text chooses what a
    /// signature covers, so it must come from a pinned file, never from the badge.
    #[must_use]
    pub fn with(&self, url: &str, document: Value) -> ContextSet {
        let mut set = self.clone();
        set.documents.insert(url.to_owned(), document);
        set
    }

    /// Whether `url` is known.
    #[must_use]
    pub fn knows(&self, url: &str) -> bool {
        self.documents.contains_key(url)
    }

    /// Whether one of the contexts at `urls` has a definition for `term`.
    pub(crate) fn defines(&self, urls: &[&str], term: &str) -> bool {
        let contexts = urls.iter().filter_map(|u| self.documents.get(*u)?.get("@context"));
        contexts
            .flat_map(|c| c.as_array().map_or(std::slice::from_ref(c), Vec::as_slice))
            .any(|c| c.get(term).is_some() || c.get("@vocab").is_some())
    }

    /// The URL and SHA-256 (hex) of each bundled file.
    pub fn pinned() -> impl Iterator<Item = (&'static str, &'static str)> {
        BUNDLED.iter().map(|b| (b.url, b.sha256))
    }

    /// The contexts at `urls`, without the terms that cannot matter for `document`.
    ///
    /// Kept are keywords, every term whose name occurs in the document as a key, as a whole string or as the
    /// part before a colon, and every term that a kept definition refers to. The conformance test compares the
    /// statements with those under the full contexts.
    pub(crate) fn reduced(&self, document: &Value, urls: &BTreeSet<String>) -> BTreeMap<String, Vec<u8>> {
        let used: Vec<(&String, &Value)> = urls.iter().filter_map(|u| self.documents.get_key_value(u)).collect();
        let mut terms = HashSet::new();
        used.iter().for_each(|(_, d)| collect_terms(d, &mut terms));
        let mut words = Words { terms, found: HashSet::new() };
        words.collect(document);
        loop {
            let before = words.found.len();
            let reduced: Vec<(&String, Value)> = used.iter().map(|(u, d)| (*u, reduce(d, &words.found))).collect();
            reduced.iter().for_each(|(_, context)| words.collect(context));
            if words.found.len() == before {
                return reduced.into_iter().map(|(u, d)| (u.clone(), d.to_string().into_bytes())).collect();
            }
        }
    }

    /// The contexts at `urls` in full.
    #[cfg(test)]
    pub(crate) fn full(&self, urls: &BTreeSet<String>) -> BTreeMap<String, Vec<u8>> {
        urls.iter().filter_map(|u| Some((u.clone(), self.documents.get(u)?.to_string().into_bytes()))).collect()
    }
}

/// The names defined in a context, at any depth.
fn collect_terms<'a>(value: &'a Value, terms: &mut HashSet<&'a str>) {
    match value {
        Value::Array(list) => list.iter().for_each(|v| collect_terms(v, terms)),
        Value::Object(map) => {
            for (key, value) in map {
                terms.insert(key);
                collect_terms(value, terms);
            }
        }
        _ => {}
    }
}

/// The terms that occur somewhere.
struct Words<'a> {
    terms: HashSet<&'a str>,
    found: HashSet<&'a str>,
}

impl Words<'_> {
    fn add(&mut self, text: &str) {
        // A prefix counts as well, but never the one of a URL: `https://…` is not a compact form.
        let prefix = text.split_once(':').filter(|(_, rest)| !rest.starts_with("//")).map(|(prefix, _)| prefix);
        for word in [Some(text), prefix].into_iter().flatten() {
            if let Some(term) = self.terms.get(word) {
                self.found.insert(term);
            }
        }
    }

    fn collect(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.add(text),
            Value::Array(list) => list.iter().for_each(|v| self.collect(v)),
            Value::Object(map) => {
                for (key, value) in map {
                    self.add(key);
                    self.collect(value);
                }
            }
            _ => {}
        }
    }
}

fn reduce(document: &Value, words: &HashSet<&str>) -> Value {
    match document.get("@context") {
        Some(context) => json!({ "@context": reduce_context(context, words) }),
        None => document.clone(),
    }
}

fn reduce_context(context: &Value, words: &HashSet<&str>) -> Value {
    match context {
        Value::Array(list) => list.iter().map(|c| reduce_context(c, words)).collect(),
        Value::Object(map) => {
            let mut kept = Map::new();
            for (term, definition) in map {
                if term.starts_with('@') {
                    kept.insert(term.clone(), definition.clone());
                } else if words.contains(term.as_str()) {
                    kept.insert(term.clone(), reduce_definition(definition, words));
                }
            }
            Value::Object(kept)
        }
        other => other.clone(),
    }
}

fn reduce_definition(definition: &Value, words: &HashSet<&str>) -> Value {
    let Value::Object(map) = definition else { return definition.clone() };
    let parts = map.iter().map(|(key, value)| {
        let value = if key == "@context" { reduce_context(value, words) } else { value.clone() };
        (key.clone(), value)
    });
    Value::Object(parts.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn every_file_has_its_pinned_hash() {
        for bundled in &BUNDLED {
            let hash: String = Sha256::digest(bundled.text).iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(hash, bundled.sha256, "{}", bundled.url);
            assert!(ContextSet::bundled().knows(bundled.url));
        }
    }
}
