//! Ed25519 keys, their Multikey and `did:key` forms, and the key history an issuer publishes.

use std::fmt;

use ed25519_dalek::{Signer as _, VerifyingKey};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Multicodec prefix of an Ed25519 public key (`ed25519-pub`, 0xed as a varint).
const ED25519_PUB: [u8; 2] = [0xed, 0x01];

/// Why a key could not be read.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum KeyError {
    /// Not base58-btc multibase.
    #[error("the key is not written in multibase base58 (it should begin with z)")]
    Encoding,
    /// Another kind of key, or a wrong length.
    #[error("the key is not an Ed25519 public key (it should begin with z6Mk)")]
    NotEd25519,
}

/// A secret Ed25519 signing key. Its `Debug` form shows the public half only.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// The key that a 32-byte secret seed stands for (RFC 8032).
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(&seed))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// The public half as a Multikey (`z6Mk…`).
    #[must_use]
    pub fn public_multibase(&self) -> String {
        self.public().to_multibase()
    }

    /// Deterministic Ed25519 signature.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public_multibase())
    }
}

/// An Ed25519 public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Reads a Multikey (`z6Mk…`).
    ///
    /// # Errors
    /// [`KeyError`] when it is not an Ed25519 Multikey.
    pub fn from_multibase(text: &str) -> Result<Self, KeyError> {
        let encoded = text.strip_prefix('z').ok_or(KeyError::Encoding)?;
        // 34 bytes need at most 48 characters; longer texts are not decoded at all.
        if encoded.len() > 64 {
            return Err(KeyError::NotEd25519);
        }
        let bytes = bs58::decode(encoded).into_vec().map_err(|_| KeyError::Encoding)?;
        let key = bytes.strip_prefix(&ED25519_PUB).ok_or(KeyError::NotEd25519)?;
        let key: [u8; 32] = key.try_into().map_err(|_| KeyError::NotEd25519)?;
        VerifyingKey::from_bytes(&key).map(Self).map_err(|_| KeyError::NotEd25519)
    }

    /// Writes the Multikey form (`z6Mk…`).
    #[must_use]
    pub fn to_multibase(&self) -> String {
        let mut bytes = ED25519_PUB.to_vec();
        bytes.extend_from_slice(self.0.as_bytes());
        format!("z{}", bs58::encode(bytes).into_string())
    }

    /// Strict verification: small-order keys and non-canonical signatures are refused.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.0.verify_strict(message, &signature).is_ok()
    }
}

/// `did:key:z6Mk…`, the issuer id of a key that stands for itself.
#[must_use]
pub fn did_key(multibase: &str) -> String {
    format!("did:key:{multibase}")
}

/// The verification method of a `did:key`: `did:key:z…#z…`.
#[must_use]
pub fn did_key_method(multibase: &str) -> String {
    format!("did:key:{multibase}#{multibase}")
}

/// `did:web` of a host with an optional port (`badges.example`, `localhost:8080`).
///
/// The colon before a port is written `%3A`, as the did:web method asks.
#[must_use]
pub fn did_web(host: &str) -> String {
    format!("did:web:{}", host.to_ascii_lowercase().replace(':', "%3A"))
}

/// The Multikey inside a `did:key` verification method, if it is a well-formed one.
pub(crate) fn did_key_of_method(method: &str) -> Option<&str> {
    let rest = method.strip_prefix("did:key:")?;
    // Some issuers leave the fragment away; the DID itself already is the key.
    let (key, fragment) = rest.split_once('#').unwrap_or((rest, rest));
    (key == fragment).then_some(key)
}

/// One public key of an issuer and the time in which it signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyRecord {
    /// The full verification method, for example `did:web:badges.example#key-1`.
    pub verification_method: String,
    /// The public key as a Multikey (`z6Mk…`).
    pub public_key_multibase: String,
    /// First moment at which the key signs (RFC 3339).
    pub valid_from: Timestamp,
    /// Moment from which it signs no more (RFC 3339); absent while it is in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
}

/// What an issuer publishes about itself, and what a verifier is given to trust.
///
/// Retired keys stay in it for ever, or the badges they signed could no longer be verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyHistory {
    /// The issuer's id, as in `issuer.id` of its credentials (a DID or an https URL).
    pub issuer: String,
    /// The issuer's name, for people.
    pub name: String,
    /// All keys, past and present.
    pub keys: Vec<KeyRecord>,
}

impl KeyHistory {
    /// The record of a verification method.
    #[must_use]
    pub fn find(&self, verification_method: &str) -> Option<&KeyRecord> {
        self.keys.iter().find(|k| k.verification_method == verification_method)
    }

    /// The history of a key that is its own issuer (`did:key`), in use from `valid_from`.
    #[must_use]
    pub fn of_did_key(name: &str, multibase: &str, valid_from: Timestamp) -> Self {
        Self {
            issuer: did_key(multibase),
            name: name.to_owned(),
            keys: vec![KeyRecord {
                verification_method: did_key_method(multibase),
                public_key_multibase: multibase.to_owned(),
                valid_from,
                valid_until: None,
            }],
        }
    }
}

/// The DID document (`/.well-known/did.json`) of a key history (DID Core 1.0, Multikey).
///
/// Retired keys stay listed under `assertionMethod`: a verifier that reads only this document
/// must still accept the badges they signed. The time windows are in the key history.
#[must_use]
pub fn did_web_document(history: &KeyHistory) -> Value {
    let methods: Vec<Value> = history
        .keys
        .iter()
        .map(|k| {
            json!({
                "id": k.verification_method,
                "type": "Multikey",
                "controller": history.issuer,
                "publicKeyMultibase": k.public_key_multibase,
            })
        })
        .collect();
    let ids: Vec<&str> = history.keys.iter().map(|k| k.verification_method.as_str()).collect();
    json!({
        "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"],
        "id": history.issuer,
        "verificationMethod": methods,
        "assertionMethod": ids,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multikey_round_trip_and_refusals() {
        let key = SigningKey::from_seed([7; 32]);
        let text = key.public_multibase();
        assert!(text.starts_with("z6Mk"));
        assert_eq!(PublicKey::from_multibase(&text).unwrap(), key.public());
        assert!(PublicKey::from_multibase("").is_err());
        assert!(PublicKey::from_multibase("z").is_err());
        assert!(PublicKey::from_multibase(&text[1..]).is_err());
        assert!(PublicKey::from_multibase(&format!("{text}1")).is_err());
        assert!(!format!("{key:?}").contains("07"));
    }

    #[test]
    fn dids() {
        assert_eq!(did_web("LocalHost:8080"), "did:web:localhost%3A8080");
        assert_eq!(did_key_of_method("did:key:z1#z1"), Some("z1"));
        assert_eq!(did_key_of_method("did:key:z1"), Some("z1"));
        assert_eq!(did_key_of_method("did:key:z1#z2"), None);
    }

    #[test]
    fn history_is_plain_json() {
        let history = KeyHistory::of_did_key("Demo", "z6Mk", Timestamp::UNIX_EPOCH);
        let text = serde_json::to_string(&history).unwrap();
        assert!(text.contains("\"validFrom\":\"1970-01-01T00:00:00Z\""), "{text}");
        assert_eq!(serde_json::from_str::<KeyHistory>(&text).unwrap(), history);
        let document = did_web_document(&history);
        assert_eq!(document["assertionMethod"][0], "did:key:z6Mk#z6Mk");
    }
}
