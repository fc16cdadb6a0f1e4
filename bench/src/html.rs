//! The little that is read out of a page: inputs, links, words.
//!
//! Not a parser: it reads the pages of one server, whose markup is regular, and a page that changes shape shows up as a
//! failed expectation. A real parser would cost more of the driver's core than all the rest.

/// The attributes of one start tag, values unescaped.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tag(Vec<(String, String)>);

impl Tag {
    /// The value of an attribute; empty for one without a value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }
}

/// All start tags of one element, in the order of the page.
pub(crate) fn tags<'a>(page: &'a str, element: &'a str) -> impl Iterator<Item = Tag> + 'a {
    page.split('<').filter_map(move |piece| {
        let rest = piece.strip_prefix(element)?;
        rest.starts_with([' ', '\n', '\t', '>', '/']).then(|| attributes(rest))
    })
}

fn attributes(mut rest: &str) -> Tag {
    let mut tag = Tag::default();
    loop {
        rest = rest.trim_start_matches([' ', '\n', '\t', '\r', '/']);
        let end = rest.find(|c: char| c.is_ascii_whitespace() || matches!(c, '=' | '>' | '/')).unwrap_or(rest.len());
        let name = &rest[..end];
        if name.is_empty() {
            return tag;
        }
        rest = &rest[end..];
        let mut value = "";
        if let Some(after) = rest.strip_prefix('=') {
            let (found, left) = match after.chars().next() {
                Some(quote @ ('"' | '\'')) => after[1..].split_once(quote).unwrap_or((&after[1..], "")),
                _ => after.split_at(after.find(|c: char| c.is_ascii_whitespace() || c == '>').unwrap_or(after.len())),
            };
            (value, rest) = (found, left);
        }
        tag.0.push((name.to_ascii_lowercase(), unescaped(value)));
    }
}

/// The usual character references of a template engine, undone.
fn unescaped(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    let pairs = [
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&lt;", "<"),
        ("&#60;", "<"),
        ("&gt;", ">"),
        ("&#62;", ">"),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ];
    pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// What can be chosen on a question page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Choices {
    /// Option tokens in the order of the page.
    pub(crate) tokens: Vec<String>,
    /// How many are to be chosen.
    pub(crate) count: usize,
    /// Revision that a save must be based on.
    pub(crate) revision: u64,
}

/// Reads the options and the revision of a question page; `None` when it has no options.
pub(crate) fn choices(page: &str) -> Option<Choices> {
    let mut found = Choices { tokens: Vec::new(), count: 1, revision: 0 };
    let mut several = false;
    for input in tags(page, "input") {
        match (input.get("name"), input.get("type"), input.get("value")) {
            (Some("choice"), Some(kind @ ("radio" | "checkbox")), Some(value)) => {
                several |= kind == "checkbox";
                found.tokens.push(value.to_owned());
            }
            (Some("revision"), _, Some(value)) => found.revision = value.parse().ok()?,
            _ => {}
        }
    }
    if several {
        found.count = told_to_choose(page).unwrap_or(1).min(found.tokens.len());
    }
    (!found.tokens.is_empty()).then_some(found)
}

/// The number of "Choose 2."
fn told_to_choose(page: &str) -> Option<usize> {
    page.match_indices("Choose ").find_map(|(at, word)| {
        let rest = &page[at + word.len()..];
        rest[..rest.find(|c: char| !c.is_ascii_digit())?].parse().ok().filter(|count| *count > 0)
    })
}

/// Number and count of "Question 12 of 50", wherever the page says it first.
pub(crate) fn question_of(page: &str) -> Option<(u32, u32)> {
    page.match_indices("Question ").find_map(|(at, word)| {
        let (number, rest) = page[at + word.len()..].split_once(" of ")?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        Some((number.parse().ok()?, rest[..digits].parse().ok()?))
    })
}

/// A short gist of a page or a JSON answer for a message: the first heading with the sentence after it, or the start.
pub(crate) fn gist(page: &str) -> Option<String> {
    let body = page.find("<h1").map_or(page, |at| &page[at..]);
    let mut words = String::new();
    let mut in_tag = false;
    for c in body.chars() {
        match c {
            '<' => in_tag = true,
            '>' if in_tag => {
                in_tag = false;
                words.push(' ');
            }
            _ if !in_tag => words.push(c),
            _ => {}
        }
        if words.len() > 400 {
            break;
        }
    }
    let mut line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((at, _)) = line.char_indices().nth(140) {
        line.truncate(at);
        line.push('…');
    }
    (!line.is_empty()).then(|| unescaped(&line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_found_in_any_attribute_order() {
        let page = r#"<title>Question 12 of 50</title><input type="hidden" name="revision" value="3">
            <input type=radio name=choice value=aB3 checked><input value="x&amp;y" name='choice' id="o" type="radio" /><inputs name=choice>"#;
        let choices = choices(page).unwrap();
        assert_eq!(choices, Choices { tokens: vec!["aB3".into(), "x&y".into()], count: 1, revision: 3 });
        assert_eq!(question_of(page), Some((12, 50)));
    }

    #[test]
    fn as_many_are_chosen_as_the_page_says() {
        let boxes =
            "<input type=checkbox name=choice value=a><input type=checkbox name=choice value=b><input type=checkbox name=choice value=c>";
        assert_eq!(choices(&format!("Choose well. <b>Choose 2.</b>{boxes}")).unwrap().count, 2);
        assert_eq!(choices(&format!("<b>Choose 9.</b>{boxes}")).unwrap().count, 3);
        assert_eq!(choices(boxes).unwrap().count, 1);
    }

    #[test]
    fn a_page_without_options_has_none() {
        assert_eq!(choices("<p>closed</p><input name=revision value=0>"), None);
        assert_eq!(question_of("Question of the day, Question 1"), None);
    }

    #[test]
    fn broken_markup_ends_quietly() {
        for page in ["<input", "<input name=", "<input name=\"choice", "<input ==>", "<input name='ü' / / ="] {
            assert_eq!(choices(page), None);
        }
    }

    #[test]
    fn a_gist_is_heading_and_words() {
        assert_eq!(gist("<head><title>t</title><h1>Not yet</h1><p>Wait until <b>noon</b>.").as_deref(), Some("Not yet Wait until noon ."));
        assert_eq!(gist(""), None);
    }
}
