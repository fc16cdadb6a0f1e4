//! `lessons/LESSON.md`: front matter, teaching, knowledge checks.

use assay_core::programme::{CheckOption, KnowledgeCheck, Lesson};
use assay_items::{
    Html,
    fault::{Fault, Located, is_slug, text_of},
    fields::{Fields, Node},
    markdown_item::Document,
    markdown_lesson,
    task_list::Asked,
    teaching::{GLOSSARY, OwnLink, Part},
};

/// The largest lesson, in bytes.
pub(crate) const MAX_LESSON_BYTES: usize = 256 * 1024;

/// As much of a lesson as could be read.
#[derive(Default)]
pub(crate) struct LessonReading {
    /// The lesson, if it has no fault; its body is put together when the diagrams are known.
    pub(crate) lesson: Option<Lesson>,
    /// The teaching, in order.
    pub(crate) parts: Vec<Part>,
    /// Links inside the programme.
    pub(crate) links: Vec<OwnLink>,
    /// When its facts were checked, as it says.
    pub(crate) checked_on: Option<Located<String>>,
    /// Objectives it says it teaches.
    pub(crate) objectives: Vec<Located<String>>,
    /// Its questions, with lines.
    pub(crate) checks: Vec<Asked>,
    pub(crate) faults: Vec<Fault>,
}

/// Words that people read in a minute, when they read to learn.
const WORDS_A_MINUTE: usize = 200;

pub(crate) fn read(id: &str, programme: &str, bytes: &[u8]) -> LessonReading {
    let text = match text_of(bytes, MAX_LESSON_BYTES) {
        Ok(text) => text,
        Err(faults) => return LessonReading { faults, ..LessonReading::default() },
    };
    let mut faults = Vec::new();
    if !is_slug(id) {
        faults.push(Fault::new(1, format!("`{id}` is not a slug"), "name the file with lower-case letters, digits and single hyphens"));
    }
    if id == GLOSSARY {
        faults.push(Fault::new(1, "a lesson called `glossary`", "rename it: links that say `glossary` lead to glossary.md"));
    }
    let document = match Document::split(&text) {
        Ok(document) => document,
        Err(fault) => {
            faults.push(fault);
            return LessonReading { faults, ..LessonReading::default() };
        }
    };
    let body = markdown_lesson::read(document.body(), document.body_line(), programme);
    faults.extend(body.faults);
    let front = match document.front() {
        Ok(node) => Front::read(&node, &mut faults),
        Err(fault) => {
            faults.push(fault);
            Front::default()
        }
    };
    let objectives = front.objectives.clone();
    let day = front.checked_on.clone();
    let whole = front.title.zip(front.checked_on.map(|day| day.value)).filter(|_| faults.is_empty());
    let lesson = whole.map(|(title, checked_on)| Lesson {
        id: id.to_owned(),
        title,
        minutes: u16::try_from(body.words.div_ceil(WORDS_A_MINUTE).max(1)).unwrap_or(u16::MAX),
        objectives: objectives.iter().map(|found| found.value.clone()).collect(),
        sources: front.sources,
        checked_on,
        body: Html::default(),
        checks: body.checks.iter().map(check).collect(),
    });
    LessonReading { lesson, parts: body.body, links: body.links, objectives, checked_on: day, checks: body.checks, faults }
}

fn check(asked: &Asked) -> KnowledgeCheck {
    let option = |option: &assay_items::task_list::AskedOption| CheckOption {
        text: option.text.clone(),
        right: option.right,
        rationale: option.rationale.clone(),
    };
    KnowledgeCheck { stem: asked.stem.clone(), options: asked.options.iter().map(option).collect() }
}

#[derive(Default)]
struct Front {
    title: Option<String>,
    objectives: Vec<Located<String>>,
    sources: Vec<String>,
    checked_on: Option<Located<String>>,
}

impl Front {
    fn read(node: &Node, faults: &mut Vec<Fault>) -> Self {
        // `minutes` was asked for once; now they are counted, and what is written is not read.
        let mut fields = Fields::new("the front matter", node, &["title", "minutes", "objectives", "sources", "checked_on"], faults);
        let title = fields.required_text("title", "the lesson's name").map(|found| found.value);
        let objectives = fields.required_texts("objectives", "what it teaches, such as [domain.name]");
        let sources = fields.required_texts("sources", "the documentation pages it rests on, by name");
        let checked_on = fields.required_text("checked_on", "the day its facts were last checked, such as 2026-11-20");
        if let Some(bad) = checked_on.as_ref().filter(|day| !is_day(&day.value)) {
            fields.fault(bad.line, format!("`checked_on` is `{}`", bad.value), "write a day of the calendar as YYYY-MM-DD");
        }
        let sources = sources.into_iter().map(|found| found.value).collect();
        Self { title, objectives, sources, checked_on }
    }
}

/// A day in the one form of ISO 8601 that people read without thinking.
pub(crate) fn is_day(text: &str) -> bool {
    text.len() == 10 && text.as_bytes().get(4) == Some(&b'-') && text.parse::<jiff::civil::Date>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days() {
        assert!(is_day("2026-11-20") && is_day("2024-02-29"));
        for bad in ["2026-02-29", "20261120", "2026-1-2", "20.11.2026", "2026-11-20T1", "tomorrow", "+002026-11"] {
            assert!(!is_day(bad), "{bad}");
        }
    }
}
