//! An issuer at work: its published history and the key it signs with today.

use jiff::Timestamp;
use serde_json::Value;

use crate::{KeyHistory, KeyRecord, SignError, SigningKey, did_web, sign};

/// What signs badges and status lists.
#[derive(Debug)]
pub struct Issuer {
    /// What it publishes about itself.
    pub history: KeyHistory,
    /// Public address of its server, without a slash at the end.
    pub base_url: String,
    /// Whether the key is a throw-away one and every badge a demonstration.
    pub demonstration: bool,
    key: SigningKey,
    method: String,
}

impl Issuer {
    /// A demonstration's issuer: a `did:key`, so that its badges can be checked anywhere, and last no longer than their key.
    #[must_use]
    pub fn demonstration(name: &str, base_url: &str, seed: [u8; 32], from: Timestamp) -> Self {
        let key = SigningKey::from_seed(seed);
        let history = KeyHistory::of_did_key(name, &key.public_multibase(), from);
        let method = history.keys.first().map(|k| k.verification_method.clone()).unwrap_or_default();
        Self { history, base_url: base_url.to_owned(), demonstration: true, key, method }
    }

    /// The issuer of a real server: `did:web` of its host, with every key it ever had. The key of `seed` is added if it is new.
    #[must_use]
    pub fn served(mut history: KeyHistory, base_url: &str, seed: [u8; 32], now: Timestamp) -> Self {
        let key = SigningKey::from_seed(seed);
        let multibase = key.public_multibase();
        let method = match history.keys.iter().find(|k| k.public_key_multibase == multibase) {
            Some(known) => known.verification_method.clone(),
            None => {
                let verification_method = format!("{}#key-{}", history.issuer, history.keys.len() + 1);
                let record = KeyRecord {
                    verification_method: verification_method.clone(),
                    public_key_multibase: multibase,
                    valid_from: now,
                    valid_until: None,
                };
                history.keys.push(record);
                verification_method
            }
        };
        Self { history, base_url: base_url.to_owned(), demonstration: false, key, method }
    }

    /// A history without keys yet, for a host with an optional port.
    #[must_use]
    pub fn new_history(name: &str, host: &str) -> KeyHistory {
        KeyHistory { issuer: did_web(host), name: name.to_owned(), keys: Vec::new() }
    }

    /// The verification method that signs today.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Signs with today's key.
    ///
    /// # Errors
    /// As [`sign()`].
    pub fn sign(&self, document: &Value, created: Timestamp) -> Result<Value, SignError> {
        sign(document, &self.key, &self.method, created)
    }
}
