//! TOML as [`Node`]s with lines, syntax faults collected instead of stopping at the first.

use assay_items::{
    fault::{Fault, Lines, Located},
    fields::{Node, Value},
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Reads TOML, or names its syntax faults, one a line. What the parser made of a faulty text is not handed out: it would only lead
/// to faults that are none.
pub(crate) fn parse(text: &str) -> Result<Node, Vec<Fault>> {
    let lines = Lines::new(text, 1);
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut faults: Vec<Fault> = errors
        .iter()
        .map(|error| {
            let line = error.span().map_or(1, |span| lines.of(&span));
            let said = error.message().lines().next().unwrap_or_default().to_owned();
            Fault::new(line, format!("not TOML: {said}"), "write `name = value`, one a line, texts in quotation marks")
        })
        .collect();
    faults.sort_by_key(|fault| fault.line);
    faults.dedup_by_key(|fault| fault.line);
    if faults.is_empty() { Ok(Node { line: 1, value: entries(table.get_ref(), &lines) }) } else { Err(faults) }
}

fn node(value: &Spanned<DeValue<'_>>, lines: &Lines) -> Node {
    let line = lines.of(&value.span());
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.replace("\r\n", "\n")),
        DeValue::Integer(whole) => i64::from_str_radix(whole.as_str(), whole.radix()).map_or(Value::Number(f64::INFINITY), Value::Whole),
        DeValue::Float(number) => Value::Number(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Datetime(date) => Value::Text(date.to_string()),
        DeValue::Array(list) => Value::List(list.iter().map(|value| node(value, lines)).collect()),
        DeValue::Table(table) => entries(table, lines),
    };
    Node { line, value }
}

fn entries(table: &DeTable<'_>, lines: &Lines) -> Value {
    let mut entries: Vec<_> = table.iter().collect();
    // Maps are sorted by name; messages follow the file.
    entries.sort_by_key(|(name, _)| name.span().start);
    let entry = |(name, value): (&Spanned<_>, &_)| {
        let name: &Spanned<std::borrow::Cow<'_, str>> = name;
        (Located { line: lines.of(&name.span()), value: name.get_ref().to_string() }, node(value, lines))
    };
    Value::Table(entries.into_iter().map(entry).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_everything() {
        let node = parse("[b]\nx = 1\n\n[[c]]\ny = \"\"\"\nz\"\"\"\n[[c]]\nd = 2026-11-20\ne = [\n1,\n'two']\n").unwrap();
        let Value::Table(entries) = &node.value else { panic!("{node:?}") };
        assert_eq!((entries[0].0.value.as_str(), entries[0].0.line, entries[0].1.line), ("b", 1, 1));
        let Value::List(tables) = &entries[1].1.value else { panic!("{node:?}") };
        assert_eq!(tables.iter().map(|table| table.line).collect::<Vec<_>>(), [4, 7]);
        let Value::Table(second) = &tables[1].value else { panic!("{node:?}") };
        assert_eq!(second[0].1, Node { line: 8, value: Value::Text("2026-11-20".into()) });
        let Value::List(list) = &second[1].1.value else { panic!("{node:?}") };
        assert_eq!(list[1], Node { line: 11, value: Value::Text("two".into()) });
    }

    #[test]
    fn several_syntax_faults() {
        let faults = parse("a = \nb = 1\nb = 2\nc = \"open\nd = 3\n").unwrap_err();
        assert_eq!(faults.iter().map(|fault| fault.line).collect::<Vec<_>>(), [1, 3, 4], "{faults:#?}");
        assert!(parse(&"[".repeat(10_000)).is_err());
        assert!(parse(&format!("a = {}", "[".repeat(10_000))).is_err());
    }
}
