//! Data Integrity proofs: `eddsa-rdfc-2022` made and checked, `Ed25519Signature2020` checked only.
//!
//! Both sign SHA-256(canonical proof options) followed by SHA-256(canonical document) (W3C vc-di-eddsa, 3.2).
//! The proof options always expand to the same few statements, so their canonical form is written directly.

use std::fmt::Write as _;

use jiff::Timestamp;
use oxrdf::{Literal, NamedNode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::contexts::ContextSet;
use crate::keys::{PublicKey, SigningKey};
use crate::rdf::{self, RdfError};

const CRYPTOSUITE: &str = "eddsa-rdfc-2022";

/// Why a document could not be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The document is not a JSON object or already has a proof.
    #[error("only an unsigned credential can be signed; this one already has a proof or is no object")]
    NotUnsigned,
    /// The verification method is not an absolute URI.
    #[error("the verification method {0} is not an absolute URI")]
    Method(String),
    /// Some of its data would not be covered by the signature.
    #[error("the credential cannot be signed: {0}")]
    Document(#[from] RdfError),
}

/// Signs `document` with `eddsa-rdfc-2022` and returns it with a one-element `proof` array.
///
/// `verification_method` is the URI of the key's public half, `created` the time written into the proof (whole
/// seconds). The same input gives the same output, byte for byte: Ed25519 takes no randomness.
///
/// # Errors
/// [`SignError`] when it is signed already or some of its data would not be covered.
pub fn sign(document: &Value, key: &SigningKey, verification_method: &str, created: Timestamp) -> Result<Value, SignError> {
    let mut signed = document.clone();
    let Value::Object(map) = &mut signed else {
        return Err(SignError::NotUnsigned);
    };
    if map.contains_key("proof") {
        return Err(SignError::NotUnsigned);
    }
    let mut proof = json!({
        "type": "DataIntegrityProof",
        "cryptosuite": CRYPTOSUITE,
        "created": seconds(created),
        "verificationMethod": verification_method,
        "proofPurpose": "assertionMethod",
    });
    let options = Options::read(&proof).map_err(|_| SignError::Method(verification_method.to_owned()))?;
    let canonical = rdf::canonicalize(document, ContextSet::bundled())?;
    let signature = key.sign(&options.hash_data(&canonical));
    if let Value::Object(proof) = &mut proof {
        let value = format!("z{}", bs58::encode(signature).into_string());
        proof.insert("proofValue".to_owned(), value.into());
    }
    map.insert("proof".to_owned(), json!([proof]));
    Ok(signed)
}

/// RFC 3339 in UTC, whole seconds.
pub(crate) fn seconds(time: Timestamp) -> String {
    let whole = Timestamp::from_second(time.as_second()).unwrap_or(time);
    whole.to_string()
}

/// An RFC 3339 time with offset, as VC Data Model 2.0 asks of a `dateTimeStamp`.
pub(crate) fn parse_time(text: &str) -> Option<Timestamp> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'T' | b'Z' | b':' | b'+' | b'-' | b'.'));
    if !plain || text.as_bytes().get(10) != Some(&b'T') || text.len() > 40 {
        return None;
    }
    text.parse().ok()
}

/// What can go wrong with one proof before its signature is even looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProofError {
    /// Of a kind that is not known here: nothing can be said about it.
    Unsupported(String),
    /// Malformed: it can never verify.
    Malformed(String),
}

/// The parts of a proof that are signed.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    id: Option<NamedNode>,
    suite: Suite,
    created: Option<String>,
    expires: Option<String>,
    pub(crate) method: NamedNode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Suite {
    DataIntegrity,
    Ed25519Signature2020,
}

impl Options {
    /// Reads a proof; its value is not looked at.
    pub(crate) fn read(proof: &Value) -> Result<Self, ProofError> {
        let malformed = |words: &str| ProofError::Malformed(words.to_owned());
        let map = proof.as_object().ok_or_else(|| malformed("the proof is not an object"))?;
        let text = |key: &str| match map.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(ProofError::Malformed(format!("\"{key}\" of the proof is not a text"))),
        };
        let suite = match (text("type")?, text("cryptosuite")?) {
            (Some("DataIntegrityProof"), Some(CRYPTOSUITE)) => Suite::DataIntegrity,
            (Some("Ed25519Signature2020"), None) => Suite::Ed25519Signature2020,
            (Some("DataIntegrityProof"), Some(other)) | (Some(other), _) => {
                let words = format!("signed by the method {other}, which is not checked here");
                return Err(ProofError::Unsupported(words));
            }
            (None, _) => return Err(malformed("the proof has no type")),
        };
        if let Some(key) = map.keys().find(|k| !KNOWN_KEYS.contains(&k.as_str())) {
            let words = format!("the proof uses \"{key}\", which is not checked here");
            return Err(ProofError::Unsupported(words));
        }
        if text("proofPurpose")? != Some("assertionMethod") {
            return Err(malformed("the purpose of the proof is not assertionMethod"));
        }
        let iri = |text: &str| NamedNode::new(text).ok();
        let method = text("verificationMethod")?
            .and_then(iri)
            .ok_or_else(|| malformed("the proof names no verification method by an absolute URI"))?;
        let id = match text("id")? {
            None => None,
            Some(id) => Some(iri(id).ok_or_else(|| malformed("the id of the proof is not a URI"))?),
        };
        for key in ["created", "expires"] {
            if text(key)?.is_some_and(|t| parse_time(t).is_none()) {
                return Err(ProofError::Malformed(format!("\"{key}\" of the proof is not a date and time")));
            }
        }
        Ok(Self { id, suite, created: text("created")?.map(str::to_owned), expires: text("expires")?.map(str::to_owned), method })
    }

    /// When the proof says it was made.
    pub(crate) fn created(&self) -> Option<Timestamp> {
        self.created.as_deref().and_then(parse_time)
    }

    /// When the proof says it ends.
    pub(crate) fn expires(&self) -> Option<Timestamp> {
        self.expires.as_deref().and_then(parse_time)
    }

    /// Canonical N-Quads of the proof options.
    pub(crate) fn canonical(&self) -> String {
        const SEC: &str = "https://w3id.org/security#";
        let subject = match &self.id {
            Some(id) => id.to_string(),
            None => "_:c14n0".to_owned(),
        };
        let time = |text: &str| Literal::new_typed_literal(text, oxrdf::vocab::xsd::DATE_TIME);
        let mut lines = Vec::new();
        if let Some(created) = &self.created {
            lines.push(format!("<http://purl.org/dc/terms/created> {}", time(created)));
        }
        let kind = match self.suite {
            Suite::DataIntegrity => "DataIntegrityProof",
            Suite::Ed25519Signature2020 => "Ed25519Signature2020",
        };
        lines.push(format!("{} <{SEC}{kind}>", oxrdf::vocab::rdf::TYPE));
        if self.suite == Suite::DataIntegrity {
            lines.push(format!("<{SEC}cryptosuite> \"{CRYPTOSUITE}\"^^<{SEC}cryptosuiteString>"));
        }
        if let Some(expires) = &self.expires {
            lines.push(format!("<{SEC}expiration> {}", time(expires)));
        }
        lines.push(format!("<{SEC}proofPurpose> <{SEC}assertionMethod>"));
        lines.push(format!("<{SEC}verificationMethod> {}", self.method));
        lines.sort();
        lines.iter().fold(String::new(), |mut all, line| {
            let _ = writeln!(all, "{subject} {line} .");
            all
        })
    }

    /// The 64 bytes that are signed.
    pub(crate) fn hash_data(&self, canonical_document: &str) -> [u8; 64] {
        let mut data = [0; 64];
        data[..32].copy_from_slice(&Sha256::digest(self.canonical()));
        data[32..].copy_from_slice(&Sha256::digest(canonical_document));
        data
    }

    /// Whether `proof`'s value is a signature of the document by `key`.
    pub(crate) fn holds(&self, proof: &Value, key: &PublicKey, canonical_document: &str) -> bool {
        let signature: Option<[u8; 64]> = proof
            .get("proofValue")
            .and_then(Value::as_str)
            .and_then(|t| t.strip_prefix('z'))
            .filter(|t| t.len() <= 128)
            .and_then(|t| bs58::decode(t).into_vec().ok())
            .and_then(|bytes| bytes.try_into().ok());
        signature.is_some_and(|s| key.verify(&self.hash_data(canonical_document), &s))
    }
}

/// Keys of a proof whose statements are known; any other would be signed in a way that is not written here.
const KNOWN_KEYS: [&str; 9] =
    ["@context", "type", "id", "cryptosuite", "created", "expires", "verificationMethod", "proofPurpose", "proofValue"];

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Value {
        json!({
            "@context": [crate::contexts::CREDENTIALS_V2],
            "id": "urn:uuid:1",
            "type": ["VerifiableCredential"],
            "issuer": "did:key:z6Mk",
            "credentialSubject": {"id": "urn:uuid:2", "name": "x"},
        })
    }

    #[test]
    fn signing_is_deterministic_and_covers_everything() {
        let key = SigningKey::from_seed([1; 32]);
        let at: Timestamp = "2026-01-02T03:04:05.678Z".parse().unwrap();
        let one = sign(&document(), &key, "did:key:z#z", at).unwrap();
        let two = sign(&document(), &key, "did:key:z#z", at).unwrap();
        assert_eq!(one.to_string(), two.to_string());
        assert_eq!(one["proof"][0]["created"], "2026-01-02T03:04:05Z");
        let mut undefined = document();
        undefined["credentialSubject"]["shoeSize"] = "43".into();
        let error = sign(&undefined, &key, "did:key:z#z", at).unwrap_err();
        assert!(error.to_string().contains("shoeSize"), "{error}");
        assert!(sign(&one, &key, "did:key:z#z", at).is_err());
        assert!(sign(&document(), &key, "key 1", at).is_err());
    }

    #[test]
    fn times_need_an_offset() {
        assert!(parse_time("2026-01-02T03:04:05Z").is_some());
        assert!(parse_time("2026-01-02T03:04:05.5+02:00").is_some());
        assert!(parse_time("2026-01-02T03:04:05").is_none());
        assert!(parse_time("2026-01-02 03:04:05Z").is_none());
        assert!(parse_time("2026-01-02T03:04:05Z[Europe/Oslo]").is_none());
    }
}
