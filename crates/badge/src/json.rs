//! Strict JSON: one value, no duplicate keys, bounded size and depth.
//!
//! A plain parser keeps the last of two equal keys while another keeps the first; a signed document must
//! not mean two things, so such a document is refused before anything looks at it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Largest credential or status list that is read, in bytes.
pub const MAX_DOCUMENT_BYTES: usize = 2 * 1024 * 1024;
/// Deepest nesting of objects and arrays that is read.
pub const MAX_DEPTH: usize = 48;

/// Why a text is not a document this library reads.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum JsonError {
    /// Longer than [`MAX_DOCUMENT_BYTES`].
    #[error("the document is {bytes} bytes long; at most {} are read", MAX_DOCUMENT_BYTES)]
    TooLong {
        /// Length found, in bytes.
        bytes: usize,
    },
    /// Not JSON, a duplicate key, nested too deeply, or something after the value.
    #[error("the text is not a JSON document this verifier reads: {0}")]
    Syntax(String),
    /// JSON, but not an object.
    #[error("the document is not a JSON object")]
    NotAnObject,
}

/// Parses one JSON object.
///
/// # Errors
/// [`JsonError`] says what is wrong and, for syntax, where.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    if bytes.len() > MAX_DOCUMENT_BYTES {
        return Err(JsonError::TooLong { bytes: bytes.len() });
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0 }
        .deserialize(&mut reader)
        .and_then(|v| reader.end().map(|()| v))
        .map_err(|e| JsonError::Syntax(e.to_string()))?;
    if value.is_object() { Ok(value) } else { Err(JsonError::NotAnObject) }
}

/// The values at `key`, a single one counting as a list of one.
pub(crate) fn many<'a>(value: &'a Value, key: &str) -> Vec<&'a Value> {
    match value.get(key) {
        None => Vec::new(),
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one) => vec![one],
    }
}

/// Whether `type` of `value` holds `wanted`.
pub(crate) fn has_type(value: &Value, wanted: &str) -> bool {
    many(value, "type").iter().any(|t| t.as_str() == Some(wanted))
}

/// The id of a node that is given as a string or as an object with an `id`.
pub(crate) fn node_id(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("id").and_then(Value::as_str))
}

/// Words of a stranger, cut to a length that can be shown.
pub(crate) fn short(text: &str) -> String {
    const MOST: usize = 120;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: serde::de::Error>(&self) -> Result<Strict, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom(format!("nested more than {MAX_DEPTH} levels")));
        }
        Ok(Strict { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_f64<E: serde::de::Error>(self, v: f64) -> Result<Value, E> {
        Number::from_f64(v).map(Value::Number).ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_string<E>(self, v: String) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = seq.next_element_seed(self.deeper()?)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(A::Error::custom(format!("the key \"{}\" stands twice", short(&key))));
            }
            let value = map.next_value_seed(self.deeper()?)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_two_readers_could_read_differently() {
        assert!(parse(br#"{"a":1,"a":2}"#).unwrap_err().to_string().contains("twice"));
        assert!(parse(br#"{"a":{"b":1,"\u0062":2}}"#).is_err());
        assert!(parse(b"{} {}").is_err());
        assert_eq!(parse(b"[]"), Err(JsonError::NotAnObject));
        assert_eq!(parse(br#"{"a":[1,-2,1.5,null,true,"x"]}"#).unwrap()["a"][2], 1.5);
    }

    #[test]
    fn refuses_deep_and_long_texts() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100), "]".repeat(100));
        assert!(parse(deep.as_bytes()).is_err());
        let bomb = vec![b'['; 1_000_000];
        assert!(parse(&bomb).is_err());
        assert!(matches!(parse(&vec![b' '; MAX_DOCUMENT_BYTES + 1]), Err(JsonError::TooLong { .. })));
    }
}
