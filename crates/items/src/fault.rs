//! Faults with places: what every parser in this room reports instead of stopping.

use std::{fmt, ops::Range};

use serde::Serialize;

/// One thing that is wrong in a file, and the way out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fault {
    /// The line, counted from 1.
    pub line: u32,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub instead: String,
}

impl Fault {
    /// A fault at a line.
    pub fn new(line: u32, what: impl Into<String>, instead: impl Into<String>) -> Self {
        Self { line, what: what.into(), instead: instead.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}; {}", self.line, self.what, self.instead)
    }
}

/// A value and the line it stands on, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// The line.
    pub line: u32,
    /// The value.
    pub value: T,
}

/// From byte offsets to lines.
#[derive(Clone, Debug)]
pub struct Lines {
    starts: Vec<usize>,
    first: u32,
}

impl Lines {
    /// Lines of `text`, the first of which has the number `first` in its file.
    pub fn new(text: &str, first: u32) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { starts, first }
    }

    /// The line that holds this byte.
    pub fn at(&self, offset: usize) -> u32 {
        let index = self.starts.partition_point(|&start| start <= offset).saturating_sub(1);
        self.first.saturating_add(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// The line on which a range begins.
    pub fn of(&self, range: &Range<usize>) -> u32 {
        self.at(range.start)
    }
}

/// Bytes of a file as text with `\n` line ends and no byte-order mark.
///
/// Fails with one fault when the file is larger than `limit_bytes` or not UTF-8, and with one for each line that
/// holds a control character.
pub fn text_of(bytes: &[u8], limit_bytes: usize) -> Result<String, Vec<Fault>> {
    if bytes.len() > limit_bytes {
        let what = format!("the file has {} bytes; at most {limit_bytes} are read", bytes.len());
        return Err(vec![Fault::new(1, what, "shorten it, or split it into several files")]);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = 1 + good.iter().filter(|&&b| b == b'\n').count();
        vec![Fault::new(u32::try_from(line).unwrap_or(u32::MAX), "the file is not UTF-8", "save it as UTF-8")]
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
    let faults: Vec<Fault> = (1..)
        .zip(text.split('\n'))
        .filter_map(|(line, words)| {
            let odd = words.chars().find(|c| c.is_control() && *c != '\t')?;
            Some(Fault::new(line, format!("a control character (U+{:04X})", u32::from(odd)), "delete it"))
        })
        .collect();
    if faults.is_empty() { Ok(text) } else { Err(faults) }
}

/// Whether a word can be a slug: lower-case letters and digits in groups joined by single hyphens, 64 characters at most.
pub fn is_slug(word: &str) -> bool {
    word.len() <= 64 && word.split('-').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_from_offsets() {
        let lines = Lines::new("ab\nc\n", 7);
        assert_eq!([0, 2, 3, 4, 5, 99].map(|at| lines.at(at)), [7, 7, 8, 8, 9, 9]);
    }

    #[test]
    fn text_is_normalised() {
        assert_eq!(text_of("\u{feff}a\r\nb\rc".as_bytes(), 99).unwrap(), "a\nb\nc");
        assert_eq!(text_of(b"a\nb\xff", 99).unwrap_err(), [Fault::new(2, "the file is not UTF-8", "save it as UTF-8")]);
        assert_eq!(text_of(b"a\n\0", 99).unwrap_err()[0].to_string(), "line 2: a control character (U+0000); delete it");
        assert!(text_of(b"abc", 2).unwrap_err()[0].what.contains("3 bytes"));
    }

    #[test]
    fn slugs() {
        assert!(["a", "a-1", "functions-timeout-1"].into_iter().all(is_slug));
        assert!(!["", "-", "a-", "a--b", "A", "a_b", "a.b", "é", "a/b"].into_iter().any(is_slug));
        assert!(!is_slug(&"a".repeat(65)));
    }
}
