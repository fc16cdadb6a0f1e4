//! From a JSON document to the bytes that are signed: JSON-LD to statements, in safe mode, then RDFC-1.0.
//!
//! Architecture invariant: no data that a reader of the JSON would see may be missing from the signed statements.
//! Everything undefined or relative is driven under one made-up scheme and then refused; keys that would let the
//! same statements hide from a reader of the JSON (full IRIs, `@graph`, `@included`, …) are refused before.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use oxjsonld::{JsonLdParser, JsonLdRemoteDocument};
use oxrdf::{GraphName, NamedNode, NamedOrBlankNode, Quad, Term};
use rdf_canon::CanonicalizationError;
use serde_json::{Map, Value, json};

use crate::contexts::ContextSet;
use crate::json::{many, short};

/// Most blank nodes a document may have; canonicalization cost grows with them.
pub const MAX_BLANK_NODES: usize = 500;
/// Most statements a document may have.
pub const MAX_STATEMENTS: usize = 5_000;
/// Most URLs in one `@context`, and most `@context`s in one document: each costs a whole pass over its terms.
pub const MAX_CONTEXTS: usize = 8;
/// Most types of one node; a type may bring a context of its own.
pub const MAX_TYPES: usize = 8;
/// Most JSON values (objects, lists, texts, numbers, …) of a document, its proof aside.
pub const MAX_VALUES: usize = 10_000;

/// Everything that JSON-LD could not tie to a defined name ends up under this scheme.
const UNDEFINED: &str = "x-undefined:";
const UNDEFINED_VOCAB: &str = "x-undefined://term/";
const UNDEFINED_BASE: &str = "x-undefined://relative/";

/// Why a document has no canonical form that could be signed.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum RdfError {
    /// There is no `@context`, or it is not a list of URLs.
    #[error("the @context is missing or is not a URL or a list of URLs")]
    NoContext,
    /// A context written into the document itself.
    #[error("the document redefines terms with a context of its own, which is not accepted")]
    InlineContext,
    /// A context this library does not carry.
    #[error("the context {0} is not one of the bundled ones, and contexts are never fetched")]
    UnknownContext(String),
    /// More than [`MAX_CONTEXTS`] URLs in one `@context`.
    #[error("an @context lists {0} vocabularies; at most {MAX_CONTEXTS} are read")]
    LongContext(usize),
    /// The same URL twice in one `@context`.
    #[error("an @context lists {0} twice")]
    RepeatedContext(String),
    /// More than [`MAX_CONTEXTS`] `@context`s.
    #[error("the document has more than {MAX_CONTEXTS} parts with an @context of their own")]
    ManyContexts,
    /// More than [`MAX_TYPES`] types at one node.
    #[error("a part of the document has {0} types; at most {MAX_TYPES} are read")]
    ManyTypes(usize),
    /// Words that no context defines: a signature would not cover them.
    #[error("not covered by the signature, because no context defines them: {}", .0.join(", "))]
    NotSigned(Vec<String>),
    /// An `id` that is not an absolute IRI.
    #[error("not an absolute URL or URI: {0}")]
    RelativeId(String),
    /// A key that would let data hide from a reader of the JSON.
    #[error("the key \"{0}\" is not accepted in a signed document")]
    Key(String),
    /// The JSON shows other dates, issuer, subject or status than the signed statements.
    #[error("the signed statements about \"{0}\" are not the ones that the document shows")]
    Hidden(&'static str),
    /// Too many statements or blank nodes, or too much work.
    #[error("the document is too complex to check ({0})")]
    TooComplex(String),
    /// Refused by the JSON-LD processor.
    #[error("not valid JSON-LD: {0}")]
    JsonLd(String),
}

/// The URLs under `@context` of the document itself, in order.
pub(crate) fn context_urls(document: &Value) -> Result<Vec<&str>, RdfError> {
    match document.get("@context") {
        None => Err(RdfError::NoContext),
        Some(context) => urls_of(context),
    }
}

/// The URLs of one `@context`: at least one, at most [`MAX_CONTEXTS`], none twice.
fn urls_of(context: &Value) -> Result<Vec<&str>, RdfError> {
    let list = context.as_array().map_or(std::slice::from_ref(context), Vec::as_slice);
    if list.is_empty() {
        return Err(RdfError::NoContext);
    }
    if list.len() > MAX_CONTEXTS {
        return Err(RdfError::LongContext(list.len()));
    }
    let mut urls = Vec::with_capacity(list.len());
    for item in list {
        match item {
            Value::String(url) if urls.contains(&url.as_str()) => return Err(RdfError::RepeatedContext(short(url))),
            Value::String(url) => urls.push(url.as_str()),
            Value::Object(_) => return Err(RdfError::InlineContext),
            _ => return Err(RdfError::NoContext),
        }
    }
    Ok(urls)
}

/// Statements of `document` (its `proof` aside), in safe mode.
pub(crate) fn statements(document: &Value, contexts: &ContextSet) -> Result<Vec<Quad>, RdfError> {
    let (prepared, urls) = prepare(document, contexts)?;
    let loaded = contexts.reduced(&prepared, &urls);
    let quads = expand(&prepared, loaded)?;
    check_statements(&quads)?;
    check_present(&prepared, &quads)?;
    check_shown(&prepared, &quads)?;
    Ok(quads)
}

/// Canonical N-Quads of `document` without its `proof` (JSON-LD 1.1, RDFC-1.0 with SHA-256).
///
/// # Errors
/// [`RdfError`] when some of the data would not be covered, or the document is too complex.
pub fn canonicalize(document: &Value, contexts: &ContextSet) -> Result<String, RdfError> {
    canonical(statements(document, contexts)?)
}

/// RDFC-1.0 of a set of statements.
///
/// # Errors
/// [`RdfError::TooComplex`] when a limit is reached.
pub fn canonical(quads: Vec<Quad>) -> Result<String, RdfError> {
    let dataset: oxrdf_02::Dataset = quads.into_iter().map(convert).collect();
    rdf_canon::canonicalize(&dataset).map_err(|e| match e {
        CanonicalizationError::HndqCallLimitExceeded(_) => RdfError::TooComplex("too many unnamed nodes that are alike".to_owned()),
        other => RdfError::TooComplex(other.to_string()),
    })
}

/// Copies the document without proof, refuses what safe mode refuses, and puts the catch-all vocabulary first.
pub(crate) fn prepare(document: &Value, contexts: &ContextSet) -> Result<(Value, BTreeSet<String>), RdfError> {
    context_urls(document)?;
    let mut prepared = document.clone();
    if let Value::Object(map) = &mut prepared {
        map.remove("proof");
    }
    let mut guard = Guard { contexts, urls: BTreeSet::new(), contexts_seen: 0, values_seen: 0 };
    guard.walk(&mut prepared)?;
    Ok((prepared, guard.urls))
}

/// What was met on the walk through a document.
struct Guard<'a> {
    contexts: &'a ContextSet,
    urls: BTreeSet<String>,
    contexts_seen: usize,
    values_seen: usize,
}

impl Guard<'_> {
    fn walk(&mut self, value: &mut Value) -> Result<(), RdfError> {
        self.values_seen += 1;
        if self.values_seen > MAX_VALUES {
            return Err(RdfError::TooComplex(format!("more than {MAX_VALUES} values")));
        }
        match value {
            Value::Array(list) => list.iter_mut().try_for_each(|item| self.walk(item)),
            Value::Object(map) => {
                check_keys(map)?;
                for (key, item) in map.iter_mut() {
                    if key == "@context" {
                        *item = self.guarded_context(item)?;
                    } else {
                        self.walk(item)?;
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The same context list with the catch-all vocabulary in front; terms defined later win over it.
    fn guarded_context(&mut self, context: &Value) -> Result<Value, RdfError> {
        self.contexts_seen += 1;
        if self.contexts_seen > MAX_CONTEXTS {
            return Err(RdfError::ManyContexts);
        }
        let mut list = vec![json!({ "@vocab": UNDEFINED_VOCAB })];
        for url in urls_of(context)? {
            if !self.contexts.knows(url) {
                return Err(RdfError::UnknownContext(short(url)));
            }
            self.urls.insert(url.to_owned());
            list.push(url.into());
        }
        Ok(Value::Array(list))
    }
}

/// Refuses keys, types and ids of one object that safe mode refuses.
fn check_keys(map: &Map<String, Value>) -> Result<(), RdfError> {
    let is_value = map.contains_key("@value");
    for key in map.keys() {
        let keyword_ok = key == "@context" || is_value && matches!(key.as_str(), "@value" | "@language");
        if !keyword_ok && !is_term(key) {
            return Err(RdfError::Key(short(key)));
        }
    }
    let types = many_in(map, "type");
    if types.len() > MAX_TYPES {
        return Err(RdfError::ManyTypes(types.len()));
    }
    for kind in types.iter().chain(many_in(map, "proofPurpose")) {
        let text = kind.as_str().unwrap_or_default();
        if !is_term(text) && (text.starts_with("_:") || NamedNode::new(text).is_err()) {
            return Err(RdfError::RelativeId(short(&kind.to_string())));
        }
    }
    map.get("id").map_or(Ok(()), check_id)
}

fn many_in<'a>(map: &'a Map<String, Value>, key: &str) -> &'a [Value] {
    match map.get(key) {
        None => &[],
        Some(Value::Array(list)) => list,
        Some(one) => std::slice::from_ref(one),
    }
}

/// Whether a word can be a term. With any other character it may not give an IRI even under the catch-all
/// vocabulary, and the statement would be dropped without a trace.
fn is_term(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

fn check_id(id: &Value) -> Result<(), RdfError> {
    let wrong = || RdfError::RelativeId(short(&id.to_string()));
    let text = id.as_str().ok_or_else(wrong)?;
    if text.starts_with("_:") || NamedNode::new(text).is_err() {
        return Err(wrong());
    }
    Ok(())
}

pub(crate) fn expand(prepared: &Value, loaded: BTreeMap<String, Vec<u8>>) -> Result<Vec<Quad>, RdfError> {
    let text = prepared.to_string();
    let parser = JsonLdParser::new().with_base_iri(UNDEFINED_BASE).map_err(|e| RdfError::JsonLd(e.to_string()))?;
    let reader = parser.for_slice(&text).with_load_document_callback(move |url, _| match loaded.get(url) {
        Some(document) => Ok(JsonLdRemoteDocument { document: document.clone(), document_url: url.to_owned() }),
        None => Err(format!("the context {url} is not bundled").into()),
    });
    let mut quads = Vec::new();
    for quad in reader {
        quads.push(quad.map_err(|e| RdfError::JsonLd(e.to_string()))?);
        if quads.len() > MAX_STATEMENTS {
            return Err(RdfError::TooComplex(format!("more than {MAX_STATEMENTS} statements")));
        }
    }
    Ok(quads)
}

/// Refuses undefined words and too many blank nodes.
fn check_statements(quads: &[Quad]) -> Result<(), RdfError> {
    let mut undefined = BTreeSet::new();
    let mut blank = HashSet::new();
    for quad in quads {
        let mut iri = |iri: &str| {
            if let Some(rest) = iri.strip_prefix(UNDEFINED) {
                let word = rest.trim_start_matches("//term/");
                undefined.insert(word.trim_start_matches("//relative/").to_owned());
            }
        };
        match &quad.subject {
            NamedOrBlankNode::NamedNode(n) => iri(n.as_str()),
            NamedOrBlankNode::BlankNode(b) => drop(blank.insert(b.as_str())),
        }
        iri(quad.predicate.as_str());
        match &quad.object {
            Term::NamedNode(n) => iri(n.as_str()),
            Term::BlankNode(b) => drop(blank.insert(b.as_str())),
            Term::Literal(l) => iri(l.datatype().as_str()),
        }
        match &quad.graph_name {
            GraphName::NamedNode(n) => iri(n.as_str()),
            GraphName::BlankNode(b) => drop(blank.insert(b.as_str())),
            GraphName::DefaultGraph => {}
        }
    }
    if !undefined.is_empty() {
        return Err(RdfError::NotSigned(undefined.iter().take(10).map(|word| short(word)).collect()));
    }
    if blank.len() > MAX_BLANK_NODES {
        return Err(RdfError::TooComplex(format!("more than {MAX_BLANK_NODES} unnamed nodes")));
    }
    Ok(())
}

/// JSON-LD silently drops what is no well-formed IRI or language tag: each text of the document must be in a statement.
fn check_present(document: &Value, quads: &[Quad]) -> Result<(), RdfError> {
    fn each<'a>(value: &'a Value, visit: &mut impl FnMut(&'a str)) {
        match value {
            Value::String(text) => visit(text),
            Value::Array(list) => list.iter().for_each(|v| each(v, visit)),
            Value::Object(map) => {
                map.iter() // Types and purposes are terms; an undefined one is found under the catch-all vocabulary.
                    .filter(|(key, _)| !matches!(key.as_str(), "@context" | "@language" | "type" | "proofPurpose"))
                    .for_each(|(_, v)| each(v, visit))
            }
            _ => {}
        }
    }
    let mut signed = HashSet::new();
    for quad in quads {
        if let NamedOrBlankNode::NamedNode(n) = &quad.subject {
            signed.insert(n.as_str());
        }
        match &quad.object {
            Term::NamedNode(n) => drop(signed.insert(n.as_str())),
            Term::Literal(l) => drop(signed.insert(l.value())),
            Term::BlankNode(_) => {}
        }
    }
    let mut dropped = BTreeSet::new();
    each(document, &mut |text| {
        if !signed.contains(text) {
            dropped.insert(text.chars().take(80).collect::<String>());
        }
    });
    if dropped.is_empty() { Ok(()) } else { Err(RdfError::NotSigned(dropped.into_iter().take(10).collect())) }
}

/// What decides about a credential and may therefore not be moved to a place where a reader does not look.
const DECISIVE: [(&str, &str); 7] = [
    ("issuer", "https://www.w3.org/2018/credentials#issuer"),
    ("credentialStatus", "https://www.w3.org/2018/credentials#credentialStatus"),
    ("credentialSubject", "https://www.w3.org/2018/credentials#credentialSubject"),
    ("validFrom", "https://www.w3.org/2018/credentials#validFrom"),
    ("validUntil", "https://www.w3.org/2018/credentials#validUntil"),
    ("issuanceDate", "https://www.w3.org/2018/credentials#issuanceDate"),
    ("expirationDate", "https://www.w3.org/2018/credentials#expirationDate"),
];

/// JSON-LD may say the same statements with other keys or in other places. The dates, issuer, subject and status
/// of the credential must stand where the JSON shows them, or an altered text could keep its signature.
fn check_shown(document: &Value, quads: &[Quad]) -> Result<(), RdfError> {
    let Some(id) = document.get("id").and_then(Value::as_str) else {
        return Ok(());
    };
    for (key, predicate) in DECISIVE {
        let signed: HashSet<String> = quads
            .iter()
            .filter(|q| {
                q.predicate.as_str() == predicate
                    && q.graph_name == GraphName::DefaultGraph
                    && matches!(&q.subject, NamedOrBlankNode::NamedNode(n) if n.as_str() == id)
            })
            .map(|q| match &q.object {
                Term::Literal(l) => l.value().to_owned(),
                Term::NamedNode(n) => n.as_str().to_owned(),
                Term::BlankNode(b) => format!("_:{}", b.as_str()),
            })
            .collect();
        let shown = many(document, key);
        let named = shown.iter().filter_map(|v| crate::json::node_id(v));
        if signed.len() != shown.len() || named.into_iter().any(|n| !signed.contains(n)) {
            return Err(RdfError::Hidden(key));
        }
    }
    Ok(())
}

/// The same statement in the older `oxrdf` that the canonicalizer speaks. The parts are already checked.
fn convert(quad: Quad) -> oxrdf_02::Quad {
    fn named(node: NamedNode) -> oxrdf_02::NamedNode {
        oxrdf_02::NamedNode::new_unchecked(node.into_string())
    }
    fn blank(node: &oxrdf::BlankNode) -> oxrdf_02::BlankNode {
        oxrdf_02::BlankNode::new_unchecked(node.as_str())
    }
    let subject: oxrdf_02::Subject = match quad.subject {
        NamedOrBlankNode::NamedNode(n) => named(n).into(),
        NamedOrBlankNode::BlankNode(b) => blank(&b).into(),
    };
    let object: oxrdf_02::Term = match quad.object {
        Term::NamedNode(n) => named(n).into(),
        Term::BlankNode(b) => blank(&b).into(),
        Term::Literal(l) => match l.destruct() {
            (value, _, Some(language)) => oxrdf_02::Literal::new_language_tagged_literal_unchecked(value, language).into(),
            (value, Some(datatype), None) => oxrdf_02::Literal::new_typed_literal(value, named(datatype)).into(),
            (value, None, None) => oxrdf_02::Literal::new_simple_literal(value).into(),
        },
    };
    let graph: oxrdf_02::GraphName = match quad.graph_name {
        GraphName::NamedNode(n) => named(n).into(),
        GraphName::BlankNode(b) => blank(&b).into(),
        GraphName::DefaultGraph => oxrdf_02::GraphName::DefaultGraph,
    };
    oxrdf_02::Quad::new(subject, named(quad.predicate), object, graph)
}
