//! From columns to types, in one place.

use serde::{Serialize, de::DeserializeOwned};

use crate::StoreError;

/// Serializes a value for a TEXT column.
pub(super) fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(StoreError::unreadable("value"))
}

/// Reads a TEXT column that holds JSON.
pub(super) fn from_json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(StoreError::unreadable(what))
}

/// A count or revision that fits a smaller type; a stored value that does not is said rather than cut.
pub(super) fn small<T: TryFrom<i64>>(what: &'static str, value: i64) -> Result<T, StoreError> {
    T::try_from(value).map_err(|_| StoreError::Unreadable { what, reason: format!("{value} is out of range") })
}

/// A secret id from its column.
pub(super) fn secret(text: &str) -> Result<assay_core::ids::Secret128, StoreError> {
    assay_core::ids::Secret128::parse(text)
        .ok_or(StoreError::Unreadable { what: "badge id", reason: "not 26 characters of base 32".into() })
}
