//! Keys: the one part of an item that must not travel.
//!
//! No `Serialize`, no public field, a `Debug` that prints nothing. `tests/compile_fail` holds the first,
//! the two-banks test in `web` holds the rest.

use std::{collections::BTreeSet, fmt};

use crate::Html;

/// The right options of an item and the reason for each option, right or wrong.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    right: BTreeSet<u8>,
    rationales: Vec<Html>,
}

/// Points for one response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// One point.
    Right,
    /// None: wrong, incomplete or not answered.
    Wrong,
}

/// A key as bytes for the database, and nothing else.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedKey(pub Vec<u8>);

/// Why a key could not be made or read back.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    /// No option is right.
    #[error("no option is marked right; mark at least one with [x]")]
    Empty,
    /// A right option that does not exist.
    #[error("option {0} is marked right but does not exist")]
    OutOfRange(u8),
    /// Stored bytes that are not a key.
    #[error("the stored key cannot be read back")]
    Unreadable,
}

impl Key {
    /// A key over `rationales.len()` options; `right` holds indexes into the author's order, from 0.
    pub fn new(right: impl IntoIterator<Item = u8>, rationales: Vec<Html>) -> Result<Self, KeyError> {
        let right: BTreeSet<u8> = right.into_iter().collect();
        if right.is_empty() {
            return Err(KeyError::Empty);
        }
        if let Some(&index) = right.iter().find(|&&i| usize::from(i) >= rationales.len()) {
            return Err(KeyError::OutOfRange(index));
        }
        Ok(Self { right, rationales })
    }

    /// All or nothing: right if exactly the right options were chosen (QTI `match_correct`).
    pub fn score(&self, chosen: &BTreeSet<u8>) -> Mark {
        if *chosen == self.right { Mark::Right } else { Mark::Wrong }
    }

    /// How many options are right; for checks of a bank, never for a page.
    pub fn count(&self) -> usize {
        self.right.len()
    }

    /// Bytes for the database.
    pub fn seal(&self) -> SealedKey {
        let right: Vec<u8> = self.right.iter().copied().collect();
        let rationales: Vec<&str> = self.rationales.iter().map(Html::as_str).collect();
        let text = serde_json::json!({ "right": right, "rationales": rationales }).to_string();
        SealedKey(text.into_bytes())
    }

    /// Reads [`Key::seal`]'s bytes back.
    pub fn unseal(sealed: &SealedKey) -> Result<Self, KeyError> {
        #[derive(serde::Deserialize)]
        struct Stored {
            right: Vec<u8>,
            rationales: Vec<String>,
        }
        let stored: Stored = serde_json::from_slice(&sealed.0).map_err(|_| KeyError::Unreadable)?;
        Self::new(stored.right, stored.rationales.into_iter().map(Html::trusted).collect())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl fmt::Debug for SealedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedKey(..)")
    }
}
