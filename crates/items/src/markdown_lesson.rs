//! The Markdown of a lesson: teaching, then `## Check yourself` with questions in the form of items.

use pulldown_cmark::{Event, HeadingLevel, Parser, Tag, TagEnd};

use crate::{
    Html, clean,
    fault::{Fault, Lines},
    task_list::{self, Asked, Placed},
    teaching::{self, OwnLink, Part},
};

/// The heading that ends the teaching.
pub const CHECKS_HEADING: &str = "Check yourself";

/// What came out of a lesson's Markdown.
#[derive(Clone, Debug)]
pub struct LessonText {
    /// The teaching, in order.
    pub body: Vec<Part>,
    /// Its links to other lessons and to the glossary.
    pub links: Vec<OwnLink>,
    /// Words in it, code included.
    pub words: usize,
    /// The questions, complete only where there are no faults.
    pub checks: Vec<Asked>,
    /// Every fault, by line.
    pub faults: Vec<Fault>,
}

/// Reads the Markdown of a lesson of `programme`, the first line of which has the number `first_line` in its file.
pub fn read(markdown: &str, first_line: u32, programme: &str) -> LessonText {
    let lines = Lines::new(markdown, first_line);
    let events: Vec<Placed<'_>> = Parser::new_ext(markdown, clean::options()).into_offset_iter().collect();
    let mut faults = Vec::new();
    let headings = headings(&events, &lines);
    for heading in &headings {
        if !(2..=4).contains(&heading.level) {
            let what = format!("a heading of level {}", heading.level);
            faults.push(Fault::new(heading.line, what, "use `##`, `###` or `####`; the title is in the front matter"));
        }
    }
    let start = headings.iter().find(|heading| heading.level == 2 && heading.words.eq_ignore_ascii_case(CHECKS_HEADING));
    let teaching = &events[..start.map_or(events.len(), |heading| heading.first)];
    let (teaching, asking) = events.split_at(teaching.len());
    task_list::prose(asking, &lines, &mut faults);
    let words = task_list::plain(teaching);
    if words.is_empty() {
        faults.push(Fault::new(first_line, "the lesson teaches nothing", "write it below the front matter"));
    }
    let checks = start.map_or_else(Vec::new, |start| checks(&events, start, &headings, &lines, &mut faults));
    let (body, links) = teaching::read(teaching, &lines, programme, &mut faults);
    faults.sort();
    faults.dedup();
    LessonText { body, links, words: words.split_whitespace().count(), checks, faults }
}

/// Renders Markdown without questions, such as a programme's description, and reports what a page would not show.
pub fn prose(markdown: &str, first_line: u32) -> (Html, Vec<Fault>) {
    let lines = Lines::new(markdown, first_line);
    let events: Vec<Placed<'_>> = Parser::new_ext(markdown, clean::options()).into_offset_iter().collect();
    let mut faults = Vec::new();
    task_list::prose(&events, &lines, &mut faults);
    (clean::render_block(events.into_iter().map(|(event, _)| event)), faults)
}

fn checks(events: &[Placed<'_>], start: &Heading, headings: &[Heading], lines: &Lines, faults: &mut Vec<Fault>) -> Vec<Asked> {
    let below: Vec<&Heading> = headings.iter().filter(|heading| heading.first > start.first && heading.level != 4).collect();
    if let Some(section) = below.iter().find(|heading| heading.level <= 2) {
        let what = format!("a section after `## {CHECKS_HEADING}`");
        faults.push(Fault::new(section.line, what, "make it the last section; each question in it begins with `###`"));
    }
    let questions: Vec<&&Heading> = below.iter().filter(|heading| heading.level == 3).collect();
    let first = questions.first().map_or(events.len(), |heading| heading.first);
    if let Some((_, range)) = events.get(start.last + 1..first).and_then(<[_]>::first) {
        faults.push(Fault::new(lines.of(range), format!("text below `## {CHECKS_HEADING}`"), "begin each question with `###`"));
    }
    if questions.is_empty() {
        faults.push(Fault::new(start.line, format!("`## {CHECKS_HEADING}` has no question"), "add one that begins with `###`"));
    }
    questions
        .iter()
        .map(|heading| {
            let end = below.iter().map(|other| other.first).filter(|&other| other > heading.first).min().unwrap_or(events.len());
            let events: Vec<Placed<'_>> = events[heading.first..end].iter().cloned().map(as_paragraph).collect();
            task_list::question(&events, lines, heading.line, faults)
        })
        .collect()
}

/// The `###` of a question is its stem's first paragraph.
fn as_paragraph((event, range): Placed<'_>) -> Placed<'_> {
    let event = match event {
        Event::Start(Tag::Heading { .. }) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::Heading(_)) => Event::End(TagEnd::Paragraph),
        other => other,
    };
    (event, range)
}

struct Heading {
    level: u8,
    line: u32,
    /// Indexes of its first and last event.
    first: usize,
    last: usize,
    words: String,
}

/// Headings that stand in no list or quotation.
fn headings(events: &[Placed<'_>], lines: &Lines) -> Vec<Heading> {
    let heading = |block: std::ops::Range<usize>| {
        let (Event::Start(Tag::Heading { level, .. }), range) = &events[block.start] else { return None };
        let level = match level {
            HeadingLevel::H1 => 1,
            HeadingLevel::H2 => 2,
            HeadingLevel::H3 => 3,
            HeadingLevel::H4 => 4,
            HeadingLevel::H5 => 5,
            HeadingLevel::H6 => 6,
        };
        let words = task_list::plain(&events[block.clone()]);
        Some(Heading { level, line: lines.of(range), first: block.start, last: block.end - 1, words })
    };
    task_list::top_level(events).into_iter().filter_map(heading).collect()
}
