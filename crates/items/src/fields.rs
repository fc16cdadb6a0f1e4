//! Named values from YAML or TOML, read one by one so that every fault is found, not only the first.

use serde::{Deserialize, Deserializer, de};
use serde_saphyr::Spanned;

use crate::fault::{Fault, Located};

/// A value and the line it begins on.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The line, counted from 1.
    pub line: u32,
    /// The value.
    pub value: Value,
}

/// What a configuration file can hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Words; dates too.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// A number with a fraction.
    Number(f64),
    /// True or false.
    Flag(bool),
    /// A list.
    List(Vec<Node>),
    /// Names with values, in file order, names as often as they were written.
    Table(Vec<(Located<String>, Node)>),
    /// Nothing after the colon.
    Nothing,
}

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Whole(_) | Self::Number(_) => "a number",
            Self::Flag(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Nothing => "nothing",
        }
    }
}

/// One table while it is being read. A missing or wrong value becomes a fault, and the getter answers `None`.
#[derive(Debug)]
pub struct Fields<'n, 'f> {
    place: &'n str,
    line: u32,
    entries: &'n [(Located<String>, Node)],
    faults: &'f mut Vec<Fault>,
}

impl<'n, 'f> Fields<'n, 'f> {
    /// Starts to read a table called `place` in messages. Names outside `known` and names written twice are faults at once.
    pub fn new(place: &'n str, node: &'n Node, known: &[&str], faults: &'f mut Vec<Fault>) -> Self {
        let entries: &[_] = match &node.value {
            Value::Table(entries) => entries,
            Value::Nothing => &[],
            other => {
                let what = format!("{place} is {}", other.kind());
                faults.push(Fault::new(node.line, what, format!("write it as names with values: {}", known.join(", "))));
                &[]
            }
        };
        for (index, (name, _)) in entries.iter().enumerate() {
            if !known.contains(&name.value.as_str()) {
                let what = format!("`{}` is not a field of {place}", name.value);
                faults.push(Fault::new(name.line, what, format!("use one of: {}", known.join(", "))));
            } else if entries[..index].iter().any(|(earlier, _)| earlier.value == name.value) {
                faults.push(Fault::new(name.line, format!("`{}` stands twice in {place}", name.value), "keep one"));
            }
        }
        Self { place, line: node.line, entries, faults }
    }

    /// The line the table begins on.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// Reports a fault that the caller found.
    pub fn fault(&mut self, line: u32, what: impl Into<String>, instead: impl Into<String>) {
        self.faults.push(Fault::new(line, what, instead));
    }

    /// The raw value.
    pub fn get(&self, name: &str) -> Option<&'n Node> {
        self.entries.iter().find(|(key, _)| key.value == name).map(|(_, node)| node)
    }

    /// The line of a field, or of the table where it is missing.
    pub fn line_of(&self, name: &str) -> u32 {
        self.entries.iter().find(|(key, _)| key.value == name).map_or(self.line, |(key, _)| key.line)
    }

    fn wrong(&mut self, name: &str, node: &Node, wanted: &str) {
        let what = format!("`{name}` is {}", node.value.kind());
        self.fault(node.line, what, format!("write {wanted}"));
    }

    fn missing(&mut self, name: &str, example: &str) {
        let what = format!("{} has no `{name}`", self.place);
        self.fault(self.line, what, format!("add `{name}`, {example}"));
    }

    /// Text that may be left out. Blanks around it are cut; empty text is a fault.
    pub fn text(&mut self, name: &str) -> Option<Located<String>> {
        let node = self.get(name)?;
        let Value::Text(text) = &node.value else {
            self.wrong(name, node, "text, in quotation marks");
            return None;
        };
        let text = text.trim();
        if text.is_empty() {
            self.fault(node.line, format!("`{name}` is empty"), "write something, or leave the field out if it may be");
            return None;
        }
        Some(Located { line: node.line, value: text.to_owned() })
    }

    /// Text that must be there; `example` completes "add `name`, …".
    pub fn required_text(&mut self, name: &str, example: &str) -> Option<Located<String>> {
        if self.get(name).is_none() {
            self.missing(name, example);
        }
        self.text(name)
    }

    /// A whole number between `low` and `high`, both included, that may be left out.
    pub fn whole(&mut self, name: &str, low: i64, high: i64) -> Option<Located<i64>> {
        let node = self.get(name)?;
        match node.value {
            Value::Whole(value) if (low..=high).contains(&value) => Some(Located { line: node.line, value }),
            Value::Whole(value) => {
                self.fault(node.line, format!("`{name}` is {value}"), format!("write a whole number from {low} to {high}"));
                None
            }
            _ => {
                self.wrong(name, node, &format!("a whole number from {low} to {high}"));
                None
            }
        }
    }

    /// A whole number that must be there.
    pub fn required_whole(&mut self, name: &str, low: i64, high: i64) -> Option<Located<i64>> {
        if self.get(name).is_none() {
            self.missing(name, &format!("a whole number from {low} to {high}"));
        }
        self.whole(name, low, high)
    }

    /// True or false, that may be left out.
    pub fn flag(&mut self, name: &str) -> Option<bool> {
        let node = self.get(name)?;
        let Value::Flag(flag) = node.value else {
            self.wrong(name, node, "true or false, without quotation marks");
            return None;
        };
        Some(flag)
    }

    /// A list of texts; left out, it is empty.
    pub fn texts(&mut self, name: &str) -> Vec<Located<String>> {
        let Some(node) = self.get(name) else { return Vec::new() };
        let Value::List(nodes) = &node.value else {
            self.wrong(name, node, "a list of texts: [\"…\", \"…\"]");
            return Vec::new();
        };
        let mut texts = Vec::with_capacity(nodes.len());
        for node in nodes {
            match &node.value {
                Value::Text(text) if !text.trim().is_empty() => texts.push(Located { line: node.line, value: text.trim().to_owned() }),
                Value::Text(_) => self.fault(node.line, format!("`{name}` holds an empty text"), "write something, or delete it"),
                other => {
                    let what = format!("`{name}` holds {}", other.kind());
                    self.fault(node.line, what, "write texts, in quotation marks");
                }
            }
        }
        texts
    }

    /// A list of texts that must be there and not empty.
    pub fn required_texts(&mut self, name: &str, example: &str) -> Vec<Located<String>> {
        match self.get(name) {
            None => self.missing(name, example),
            Some(Node { line, value: Value::List(nodes) }) if nodes.is_empty() => {
                self.fault(*line, format!("`{name}` is empty"), format!("add {example}"));
            }
            Some(_) => {}
        }
        self.texts(name)
    }

    /// A table that must be there.
    pub fn required_table(&mut self, name: &str) -> Option<&'n Node> {
        let node = self.get(name);
        if node.is_none() {
            self.fault(self.line, format!("{} has no [{name}]", self.place), format!("add the table [{name}]"));
        }
        node
    }

    /// Tables of one name, `[[name]]`; there must be at least one.
    pub fn required_tables(&mut self, name: &str) -> Vec<&'n Node> {
        match self.get(name) {
            Some(Node { value: Value::List(nodes), .. }) if !nodes.is_empty() => nodes.iter().collect(),
            Some(node) => {
                self.fault(node.line, format!("`{name}` is not a list of tables"), format!("write [[{name}]] for each"));
                Vec::new()
            }
            None => {
                self.fault(self.line, format!("{} has no [[{name}]]", self.place), format!("add at least one [[{name}]]"));
                Vec::new()
            }
        }
    }
}

/// Reads a YAML mapping; `first_line` is the number of its first line in the file.
pub fn from_yaml(yaml: &str, first_line: u32) -> Result<Node, Fault> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: 16, flow_nesting_limit: 16, max_aliases: 0, max_anchors: 0 },
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins,
        with_snippet: false,
    };
    let shift = |line: u64| first_line.saturating_add(u32::try_from(line.saturating_sub(1)).unwrap_or(u32::MAX));
    if yaml.trim().is_empty() {
        return Ok(Node { line: first_line, value: Value::Nothing });
    }
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(yaml, options) {
        Ok(raw) => Ok(node(&raw, &shift)),
        Err(error) => {
            let line = error.location().map_or(first_line, |location| shift(location.line()));
            let said = error.to_string();
            let what = format!("the front matter is not YAML: {}", said.lines().next().unwrap_or_default());
            Err(Fault::new(line, what, "write `name: value`, one a line; put a value with `:` or `#` into quotation marks"))
        }
    }
}

fn node(raw: &Spanned<Raw>, shift: &impl Fn(u64) -> u32) -> Node {
    let value = match &raw.value {
        Raw::Text(text) => Value::Text(text.clone()),
        Raw::Whole(whole) => Value::Whole(*whole),
        Raw::Number(number) => Value::Number(*number),
        Raw::Flag(flag) => Value::Flag(*flag),
        Raw::Nothing => Value::Nothing,
        Raw::List(list) => Value::List(list.iter().map(|raw| node(raw, shift)).collect()),
        Raw::Table(entries) => Value::Table(
            entries
                .iter()
                .map(|(key, raw)| (Located { line: shift(key.referenced.line()), value: key.value.clone() }, node(raw, shift)))
                .collect(),
        ),
    };
    Node { line: shift(raw.referenced.line()), value }
}

enum Raw {
    Text(String),
    Whole(i64),
    Number(f64),
    Flag(bool),
    List(Vec<Spanned<Raw>>),
    Table(Vec<(Spanned<String>, Spanned<Raw>)>),
    Nothing,
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> de::Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, v: bool) -> Result<Raw, E> {
        Ok(Raw::Flag(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Raw, E> {
        Ok(Raw::Whole(v))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Raw, E> {
        Ok(i64::try_from(v).map_or(Raw::Number(f64::INFINITY), Raw::Whole))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Raw, E> {
        Ok(Raw::Number(v))
    }

    fn visit_str<E>(self, v: &str) -> Result<Raw, E> {
        Ok(Raw::Text(v.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Nothing)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Nothing)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = seq.next_element()? {
            list.push(value);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut table = Vec::new();
        while let Some(entry) = map.next_entry()? {
            table.push(entry);
        }
        Ok(Raw::Table(table))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_with_lines() {
        let node = from_yaml("a: b\nc: [1, two]\n\nd: no\ne: 2026-11-20\nf:\n", 2).unwrap();
        let Value::Table(entries) = &node.value else { panic!("{node:?}") };
        let lines: Vec<_> = entries.iter().map(|(key, node)| (key.value.as_str(), key.line, node.line)).collect();
        assert_eq!(lines[..4], [("a", 2, 2), ("c", 3, 3), ("d", 5, 5), ("e", 6, 6)]);
        assert_eq!(entries[4].0.line, 7);
        assert_eq!(entries[3].1.value, Value::Text("2026-11-20".into()));
        assert!(matches!(entries[4].1.value, Value::Nothing), "{:?}", entries[4]);
    }

    #[test]
    fn all_faults_at_once() {
        let node = from_yaml("a: 1\nb: x\na: 2\nzebra: 3\nc: [x, 4, '']\nd: 900\n", 1).unwrap();
        let mut faults = Vec::new();
        let mut fields = Fields::new("this item", &node, &["a", "b", "c", "d", "e"], &mut faults);
        assert_eq!(fields.text("a"), None);
        assert_eq!(fields.whole("b", 1, 9), None);
        assert_eq!(fields.texts("c").len(), 1);
        assert_eq!(fields.whole("d", 1, 99), None);
        assert_eq!(fields.required_text("e", "like this"), None);
        assert_eq!(fields.flag("b"), None);
        let said: Vec<String> = faults.iter().map(Fault::to_string).collect();
        assert_eq!(
            said,
            [
                "line 3: `a` stands twice in this item; keep one",
                "line 4: `zebra` is not a field of this item; use one of: a, b, c, d, e",
                "line 1: `a` is a number; write text, in quotation marks",
                "line 2: `b` is text; write a whole number from 1 to 9",
                "line 5: `c` holds a number; write texts, in quotation marks",
                "line 5: `c` holds an empty text; write something, or delete it",
                "line 6: `d` is 900; write a whole number from 1 to 99",
                "line 1: this item has no `e`; add `e`, like this",
                "line 2: `b` is text; write true or false, without quotation marks",
            ]
        );
    }

    #[test]
    fn broken_yaml_names_its_line() {
        let fault = from_yaml("a: b\nc: d: e\n", 2).unwrap_err();
        assert_eq!(fault.line, 3, "{fault}");
        assert!(from_yaml(&"[".repeat(50_000), 1).is_err());
        assert!(from_yaml("a: &x [1]\nb: *x\n", 1).is_err());
        assert!(from_yaml("just words", 1).is_ok_and(|node| matches!(node.value, Value::Text(_))));
    }
}
