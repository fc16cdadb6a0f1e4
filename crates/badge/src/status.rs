//! Bitstring Status List 1.0: one large shared list per issuer that says which credentials are withdrawn.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use jiff::{Span, Timestamp};
use serde_json::{Value, json};

use crate::contexts::CREDENTIALS_V2;
use crate::proof::seconds;

/// Entries of a list: 16 KiB of bits, the least that the standard allows, so that one entry hides among many.
pub const LIST_ENTRIES: u32 = 131_072;
/// Hours for which a signed list is valid; a verifier that is handed an older one says that it does not know.
pub const LIST_VALID_HOURS: i64 = 24;
/// Most bytes that a list may unpack to (2^26 entries).
pub const MAX_LIST_BYTES: usize = 8 * 1024 * 1024;

/// Why a status list could not be read or made.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum StatusError {
    /// An index beyond the end of the list (RANGE_ERROR).
    #[error("the index {index} lies outside of the status list, which has {entries} entries")]
    Range {
        /// Index asked for.
        index: u64,
        /// Entries in the list.
        entries: u64,
    },
    /// Fewer entries than the standard allows (STATUS_LIST_LENGTH_ERROR).
    #[error("the status list has {0} entries; the standard asks for at least {LIST_ENTRIES}")]
    TooShort(u64),
    /// Unpacks to more than [`MAX_LIST_BYTES`].
    #[error("the status list is larger than {MAX_LIST_BYTES} bytes")]
    TooLong,
    /// Not multibase base64url of a gzip stream.
    #[error("the status list is not a compressed list in multibase base64url")]
    Encoding,
    /// The moment lies outside of the calendar.
    #[error("the time of the status list is out of range")]
    Time,
}

/// One bit for each credential. Index 0 is the left-most bit of the first byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusList {
    bytes: Vec<u8>,
}

impl StatusList {
    /// A list of [`LIST_ENTRIES`] in which the given indexes are set.
    ///
    /// # Errors
    /// [`StatusError::Range`] for an index beyond the end.
    pub fn from_revoked(indexes: impl IntoIterator<Item = u32>) -> Result<Self, StatusError> {
        let mut bytes = vec![0_u8; LIST_ENTRIES as usize / 8];
        for index in indexes {
            let byte = bytes.get_mut(index as usize / 8).ok_or(StatusError::Range { index: index.into(), entries: LIST_ENTRIES.into() })?;
            *byte |= 0x80 >> (index % 8);
        }
        Ok(Self { bytes })
    }

    /// Number of entries.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.bytes.len() as u64 * 8
    }

    /// Whether the entry is set.
    ///
    /// # Errors
    /// [`StatusError::Range`] for an index beyond the end.
    pub fn is_set(&self, index: u64) -> Result<bool, StatusError> {
        let byte = usize::try_from(index / 8).ok().and_then(|i| self.bytes.get(i));
        match byte {
            Some(byte) => Ok(byte & (0x80 >> (index % 8)) != 0),
            None => Err(StatusError::Range { index, entries: self.entries() }),
        }
    }

    /// Gzip, then multibase base64url without padding (`u…`). The same list gives the same text.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        // Writing to memory does not fail.
        let _ = packed.write_all(&self.bytes);
        let packed = packed.finish().unwrap_or_default();
        format!("u{}", URL_SAFE_NO_PAD.encode(packed))
    }

    /// Reads the text of [`StatusList::encode`], never unpacking more than [`MAX_LIST_BYTES`].
    ///
    /// # Errors
    /// [`StatusError`] when it is no such text, too short or too long.
    pub fn decode(text: &str) -> Result<Self, StatusError> {
        let encoded = text.strip_prefix('u').ok_or(StatusError::Encoding)?;
        if encoded.len() > MAX_LIST_BYTES * 2 {
            return Err(StatusError::TooLong);
        }
        let packed = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| StatusError::Encoding)?;
        let mut bytes = Vec::new();
        MultiGzDecoder::new(packed.as_slice())
            .take(MAX_LIST_BYTES as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|_| StatusError::Encoding)?;
        if bytes.len() > MAX_LIST_BYTES {
            return Err(StatusError::TooLong);
        }
        let list = Self { bytes };
        if list.entries() < LIST_ENTRIES.into() {
            return Err(StatusError::TooShort(list.entries()));
        }
        Ok(list)
    }
}

/// How long before it is signed a list is valid already, in seconds: whoever looks at the clock and then asks for the list, or has a clock
/// that is a little behind, must not find one that begins in the future.
const LIST_BEGINS_BEFORE: i64 = 60;

/// The unsigned credential that publishes a list: valid until [`LIST_VALID_HOURS`] after `now`, when it is signed.
///
/// `url` is where it is served and its id; `purpose` is `revocation` or `suspension`. Sign it with
/// [`crate::sign`].
///
/// # Errors
/// [`StatusError::Time`] at either end of the calendar.
pub fn list_credential(list: &StatusList, url: &str, issuer: &str, purpose: &str, now: Timestamp) -> Result<Value, StatusError> {
    let until = now.checked_add(Span::new().hours(LIST_VALID_HOURS)).map_err(|_| StatusError::Time)?;
    let from = now.checked_sub(Span::new().seconds(LIST_BEGINS_BEFORE)).map_err(|_| StatusError::Time)?;
    Ok(json!({
        "@context": [CREDENTIALS_V2],
        "id": url,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": issuer,
        "validFrom": seconds(from),
        "validUntil": seconds(until),
        "credentialSubject": {
            "id": format!("{url}#list"),
            "type": "BitstringStatusList",
            "statusPurpose": purpose,
            "encodedList": list.encode(),
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_zero_is_the_left_most_bit() {
        let list = StatusList::from_revoked([0, 9, LIST_ENTRIES - 1]).unwrap();
        assert_eq!(list.bytes[..2], [0x80, 0x40]);
        assert_eq!(list.bytes.last(), Some(&1));
        let back = StatusList::decode(&list.encode()).unwrap();
        assert_eq!(back, list);
        assert_eq!(back.is_set(9), Ok(true));
        assert_eq!(back.is_set(10), Ok(false));
        assert!(matches!(back.is_set(LIST_ENTRIES.into()), Err(StatusError::Range { .. })));
        assert!(StatusList::from_revoked([LIST_ENTRIES]).is_err());
    }

    #[test]
    fn bombs_and_short_lists_are_refused() {
        let pack = |bytes: usize| StatusList { bytes: vec![0; bytes] }.encode();
        assert_eq!(StatusList::decode(&pack(MAX_LIST_BYTES + 1)), Err(StatusError::TooLong));
        assert_eq!(StatusList::decode(&pack(100)), Err(StatusError::TooShort(800)));
        assert_eq!(StatusList::decode("zabc"), Err(StatusError::Encoding));
        assert_eq!(StatusList::decode("u!!"), Err(StatusError::Encoding));
        let text = pack(20_000);
        assert_eq!(StatusList::decode(&text[..text.len() - 8]), Err(StatusError::Encoding));
    }
}
