//! The Markdown of a glossary: each term a `##` heading, with what it means below.

use pulldown_cmark::{Event, HeadingLevel, Parser, Tag};

use crate::{
    Html, clean,
    fault::{Fault, Lines},
    task_list::{self, Placed},
    teaching::{self, OwnLink, Part},
    words,
};

/// One term as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TermText {
    /// The line of its heading.
    pub line: u32,
    /// What links call it: its words in lower case, joined by hyphens.
    pub slug: String,
    /// The term.
    pub name: String,
    /// What it means.
    pub text: Html,
}

/// What came out of a glossary.
#[derive(Clone, Debug, Default)]
pub struct GlossaryText {
    /// Its terms, in the author's order.
    pub terms: Vec<TermText>,
    /// Its links to lessons and to other terms.
    pub links: Vec<OwnLink>,
    /// Every fault, by line.
    pub faults: Vec<Fault>,
}

/// Reads the glossary of `programme`.
pub fn read(markdown: &str, programme: &str) -> GlossaryText {
    let lines = Lines::new(markdown, 1);
    let events: Vec<Placed<'_>> = Parser::new_ext(markdown, clean::options()).into_offset_iter().collect();
    let mut found = GlossaryText::default();
    let blocks = task_list::top_level(&events);
    let level = |at: usize| match events[blocks[at].start].0 {
        Event::Start(Tag::Heading { level, .. }) => Some(level),
        _ => None,
    };
    let heads: Vec<usize> = (0..blocks.len()).filter(|&at| level(at).is_some()).collect();
    for &at in heads.iter().filter(|&&at| level(at) != Some(HeadingLevel::H2)) {
        let line = lines.of(&events[blocks[at].start].1);
        found.faults.push(Fault::new(line, "a heading that is no term", "write each term as `## Term`, and no other heading"));
    }
    let first = heads.first().copied().unwrap_or(blocks.len());
    if first > 0 {
        let line = blocks.first().map_or(1, |block| lines.of(&events[block.start].1));
        found.faults.push(Fault::new(line, "text above the first term", "begin with `## Term`, and its meaning below"));
    } else if heads.is_empty() {
        found.faults.push(Fault::new(1, "the glossary has no term", "write `## Term` and its meaning below, or delete the file"));
    }
    for (index, &at) in heads.iter().enumerate() {
        let end = heads.get(index + 1).map_or(events.len(), |&next| blocks[next].start);
        let heading = &events[blocks[at].clone()];
        let line = lines.of(&heading[0].1);
        let name = task_list::plain(heading);
        let (parts, links) = teaching::read(&events[blocks[at].end..end], &lines, programme, &mut found.faults);
        found.links.extend(links);
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Prose(html) => text.push_str(html.as_str()),
                Part::Diagram(diagram) => {
                    found.faults.push(Fault::new(diagram.line, "a diagram in the glossary", "show it in a lesson, and link to that"));
                }
            }
        }
        if text.is_empty() {
            found.faults.push(Fault::new(line, format!("`{name}` has no meaning"), "write a paragraph below it"));
        }
        let slug = slug(&name).unwrap_or_else(|| format!("term-{}", index + 1));
        if let Some(twin) = found.terms.iter().find(|term| term.slug == slug) {
            found.faults.push(Fault::new(line, format!("`{name}` is explained already, on line {}", twin.line), "explain each term once"));
        }
        found.terms.push(TermText { line, slug, name, text: Html::trusted(text) });
    }
    found.faults.sort();
    found.faults.dedup();
    found
}

/// What links call a term; none where it has neither a Latin letter nor a digit.
fn slug(name: &str) -> Option<String> {
    let bare = words::normalised(name);
    let kept: Vec<String> = bare.split(' ').map(|word| word.chars().filter(char::is_ascii).collect()).collect();
    let slug = kept.into_iter().filter(|word: &String| !word.is_empty()).collect::<Vec<_>>().join("-");
    let slug = slug.get(..slug.len().min(64)).unwrap_or_default().trim_end_matches('-').to_owned();
    (!slug.is_empty()).then_some(slug)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::teaching::Target;

    #[test]
    fn terms_with_their_meaning_and_links() {
        let found = read(
            "## Cold start\n\nThe *first* use, see [limits](limits) and [more](glossary#warm-start).\n\n## Warm start\n\nThe rest.\n",
            "p",
        );
        assert_eq!(found.faults, []);
        let slugs: Vec<_> = found.terms.iter().map(|term| (term.slug.as_str(), term.name.as_str(), term.line)).collect();
        assert_eq!(slugs, [("cold-start", "Cold start", 1), ("warm-start", "Warm start", 5)]);
        assert!(found.terms[0].text.as_str().contains("<a href=\"/programmes/p/glossary#warm-start\""), "{}", found.terms[0].text);
        let to: Vec<_> = found.links.iter().map(|link| link.to.clone()).collect();
        assert_eq!(to, [Target::Lesson("limits".into()), Target::Term("warm-start".into())]);
    }

    #[test]
    fn faults_with_their_lines() {
        let said = |text: &str| read(text, "p").faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("|");
        assert!(said("").contains("line 1: the glossary has no term"));
        assert!(said("Words.\n\n## A\n\nb\n").contains("line 1: text above the first term"));
        assert!(said("# Glossary\n\n## A\n\nb\n").contains("line 1: a heading that is no term"));
        assert!(said("## A\n\n## B\n\nb\n").contains("line 1: `A` has no meaning"));
        assert!(said("## A\n\na\n\n## a\n\nb\n").contains("line 5: `a` is explained already, on line 1"));
        assert!(said("## A\n\n[b](/me)\n").contains("line 3: a link to `/me`"));
        assert!(said("## A\n\nb\n\n![c](../diagrams/d.svg)\n").contains("line 5: a diagram in the glossary"));
        assert_eq!(read("## \u{7528}\u{8a9e}\n\nb\n", "p").terms[0].slug, "term-1");
    }
}
