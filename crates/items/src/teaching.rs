//! What teaching may have and an item may not: links to lessons and terms of its own programme, and diagrams of its own pack.

use pulldown_cmark::{Event, Tag, TagEnd};

use crate::{
    Html, clean,
    fault::{Fault, Lines, is_slug},
    task_list::{self, Placed},
};

/// Where links that say `glossary` lead; no lesson may be called so.
pub const GLOSSARY: &str = "glossary";

/// A piece of teaching, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Text, as blocks.
    Prose(Html),
    /// A diagram stands here.
    Diagram(DiagramRef),
}

/// A diagram that a text names: `![caption](../diagrams/NAME.svg)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiagramRef {
    /// The line it is named on.
    pub line: u32,
    /// Its file's name without `.svg`.
    pub name: String,
    /// The words below it, running text.
    pub caption: Html,
}

/// A link inside the programme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnLink {
    /// The line it stands on.
    pub line: u32,
    /// Where it leads.
    pub to: Target,
}

/// Where a link inside the programme leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `[words](other-lesson)`.
    Lesson(String),
    /// `[words](glossary)`.
    Glossary,
    /// `[words](glossary#term)`.
    Term(String),
}

impl Target {
    fn parse(address: &str) -> Option<Self> {
        match address.split_once('#') {
            Some((GLOSSARY, term)) if is_slug(term) => Some(Self::Term(term.to_owned())),
            None if address == GLOSSARY => Some(Self::Glossary),
            None if is_slug(address) => Some(Self::Lesson(address.to_owned())),
            _ => None,
        }
    }

    fn address(&self, programme: &str) -> String {
        match self {
            Self::Lesson(lesson) => format!("/programmes/{programme}/lessons/{lesson}"),
            Self::Glossary => format!("/programmes/{programme}/{GLOSSARY}"),
            Self::Term(term) => format!("/programmes/{programme}/{GLOSSARY}#{term}"),
        }
    }
}

/// Reads teaching. Links of `programme` come back beside its parts, to be looked up by whoever knows all files.
pub(crate) fn read(events: &[Placed<'_>], lines: &Lines, programme: &str, faults: &mut Vec<Fault>) -> (Vec<Part>, Vec<OwnLink>) {
    let (mut parts, mut links) = (Vec::new(), Vec::new());
    let mut prose: Vec<Placed<'_>> = Vec::new();
    for block in task_list::top_level(events) {
        let block = &events[block];
        match diagram(block, lines) {
            None => prose.extend(block.iter().cloned()),
            Some(found) => {
                flush(&mut prose, &mut parts, &mut links, (lines, programme), faults);
                match found {
                    Ok(diagram) => parts.push(Part::Diagram(diagram)),
                    Err(fault) => faults.push(fault),
                }
            }
        }
    }
    flush(&mut prose, &mut parts, &mut links, (lines, programme), faults);
    (parts, links)
}

fn flush(
    prose: &mut Vec<Placed<'_>>,
    parts: &mut Vec<Part>,
    links: &mut Vec<OwnLink>,
    (lines, programme): (&Lines, &str),
    faults: &mut Vec<Fault>,
) {
    let instead = "show a diagram of this pack in a paragraph of its own: `![caption](../diagrams/NAME.svg)`";
    task_list::markup(prose, lines, instead, faults);
    let events: Vec<Event<'_>> = prose.drain(..).map(|placed| own_link(placed, lines, programme, links, faults)).collect();
    if !events.is_empty() {
        parts.push(Part::Prose(clean::render_teaching(events.into_iter())));
    }
}

fn own_link<'a>(
    (event, range): Placed<'a>,
    lines: &Lines,
    programme: &str,
    links: &mut Vec<OwnLink>,
    faults: &mut Vec<Fault>,
) -> Event<'a> {
    let Event::Start(Tag::Link { link_type, dest_url, title, id }) = event else { return event };
    let line = lines.of(&range);
    let dest_url = match Target::parse(&dest_url) {
        _ if clean::is_link_allowed(&dest_url) => dest_url,
        Some(to) => {
            let address = to.address(programme);
            links.push(OwnLink { line, to });
            address.into()
        }
        None => {
            let instead = "link to https: or mailto: addresses, to another lesson by its slug, or to `glossary#term`";
            faults.push(Fault::new(line, format!("a link to `{dest_url}`"), instead));
            dest_url
        }
    };
    Event::Start(Tag::Link { link_type, dest_url, title, id })
}

/// A paragraph that holds one picture and nothing else.
fn diagram(block: &[Placed<'_>], lines: &Lines) -> Option<Result<DiagramRef, Fault>> {
    let [(Event::Start(Tag::Paragraph), _), (Event::Start(Tag::Image { dest_url, .. }), range), caption @ .., last, _] = block else {
        return None;
    };
    let inner = |event: &Event<'_>| matches!(event, Event::End(TagEnd::Image) | Event::Start(Tag::Image { .. }));
    if !matches!(last.0, Event::End(TagEnd::Image)) || caption.iter().any(|(event, _)| inner(event)) {
        return None;
    }
    let line = lines.of(range);
    let name = dest_url.strip_prefix("../diagrams/").and_then(|file| file.strip_suffix(".svg")).filter(|name| is_slug(name));
    let Some(name) = name else {
        let instead = "show a diagram of this pack: `![caption](../diagrams/NAME.svg)`";
        return Some(Err(Fault::new(line, format!("a picture from `{dest_url}`"), instead)));
    };
    if task_list::plain(caption).is_empty() {
        return Some(Err(Fault::new(line, "a diagram without a caption", "write in its square brackets what it shows, in a few words")));
    }
    let linkless = |event: &Event<'_>| !matches!(event, Event::Start(Tag::Link { .. }) | Event::End(TagEnd::Link));
    let caption = clean::render_inline(caption.iter().map(|(event, _)| event.clone()).filter(linkless));
    Some(Ok(DiagramRef { line, name: name.to_owned(), caption }))
}
