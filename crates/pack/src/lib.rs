//! A programme's folder: read it, name every fault in it, show how well plan and questions cover one another.
//!
//! Entry points: [`check`] (all faults and warnings), [`read`] (a sound pack or its faults), [`coverage`].
//! Nothing in a pack is executed, nothing outside its folder is read, and no fault hides another.
//! `docs/pack-format.md` is the author's side of this room.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "tests"))]

mod alike;
mod bank;
mod contrast;
mod coverage;
mod cross;
mod duration;
mod files;
mod guesser;
mod habits;
mod language;
mod lesson_file;
mod programme_file;
mod teaching;
mod toml_file;
mod twins;

use std::{collections::BTreeMap, fmt};

use assay_core::programme::{BadgeDesign, Course, Programme, Term};
use assay_items::{
    Item,
    fault::{Fault, is_slug},
    markdown_item,
};
use serde::Serialize;

pub use bank::{Bank, Closest};
pub use coverage::{Coverage, DomainCoverage, LookupCounts, ObjectiveCoverage, coverage};
pub use files::{Files, Folder, MAX_ENTRIES, MAX_FILE_BYTES, Memory, ReadError};
pub use guesser::{Guess, Guesses};

use crate::{lesson_file::LessonReading, programme_file::PROGRAMME};

/// A programme and its pool, without faults. The badge art is as it was found: it goes through the art room's cleaner before use.
#[derive(Clone, Debug)]
pub struct Pack {
    /// The programme; its id is the one given to [`read`].
    pub programme: Programme,
    /// The pool, by domain folder and slug.
    pub items: Vec<Item>,
}

/// One thing that is wrong in a pack, and the way out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PackFault {
    /// Path inside the pack; a folder's ends with `/`.
    pub file: String,
    /// The line, counted from 1; 1 where the fault is the whole file's.
    pub line: u32,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub instead: String,
}

impl PackFault {
    fn new(file: &str, line: u32, what: impl Into<String>, instead: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, what: what.into(), instead: instead.into() }
    }

    /// From the art room's "line 3: what; what to do" to a fault with its place.
    pub fn in_picture(file: &str, sentence: &str) -> Self {
        let placed = sentence.strip_prefix("line ").and_then(|rest| rest.split_once(": "));
        let placed = placed.and_then(|(line, words)| Some((line.parse().ok()?, words)));
        let (line, words) = placed.unwrap_or((1, sentence));
        let (what, instead) = words.split_once("; ").unwrap_or((words, "keep to the safe SVG subset of docs/pack-format.md"));
        Self::new(file, line, what, instead)
    }

    fn in_file(file: &str, fault: Fault) -> Self {
        Self::new(file, fault.line, fault.what, fault.instead)
    }
}

impl fmt::Display for PackFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.place(), self.what, self.instead)
    }
}

impl PackFault {
    /// File and line; a folder, which ends with `/`, has no lines.
    pub fn place(&self) -> String {
        if self.file.ends_with('/') { self.file.clone() } else { format!("{}:{}", self.file, self.line) }
    }
}

/// What a check found.
#[derive(Clone, Debug)]
pub struct Report {
    /// The pack, if it has no fault.
    pub pack: Option<Pack>,
    /// What must be mended, by file and line.
    pub faults: Vec<PackFault>,
    /// What ought to be looked at; a pack with warnings is sound.
    pub warnings: Vec<PackFault>,
    /// Items that somebody has to look at again by a day.
    pub reviews: Vec<Review>,
    /// When the facts of lessons were checked, as they say.
    pub checked: Vec<Review>,
    /// The pool as a whole, as far as it could be read; none without a `programme.toml`.
    pub bank: Option<Bank>,
}

/// A day by which somebody has to look at an item again: what it asks changes with the years.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Review {
    /// The day, YYYY-MM-DD.
    pub by: String,
    /// Path inside the pack.
    pub file: String,
    /// The line.
    pub line: u32,
}

impl Report {
    /// Warns of each item whose day of review is before `today` (YYYY-MM-DD). A pack knows no clock, so it is told the day.
    pub fn warn_of_reviews(&mut self, today: &str) {
        for review in self.reviews.iter().filter(|review| review.by.as_str() < today) {
            let what = format!("this item was to be looked at again by {}", review.by);
            let instead = "look its facts up, mend the item, and write the next day into `review_by`";
            self.warnings.push(PackFault::new(&review.file, review.line, what, instead));
        }
        self.warnings.sort();
    }

    /// Refuses lessons whose facts were checked on a day after `today` (YYYY-MM-DD): nobody did that yet.
    pub fn refuse_days_to_come(&mut self, today: &str) {
        for checked in self.checked.iter().filter(|checked| checked.by.as_str() > today) {
            let what = format!("`checked_on` is {}, and today is {today}", checked.by);
            self.faults.push(PackFault::new(&checked.file, checked.line, what, "write the day on which somebody did look the facts up"));
        }
        self.faults.sort();
    }
}

/// Reads a pack for use. `id` becomes the programme's id: the folder's name, as a rule.
///
/// Fails with every fault that [`check`] finds, but for those of the pool as a whole (cues): they are the author's business, cost
/// as much time as all else, and stop no server.
pub fn read(files: &dyn Files, id: &str) -> Result<Pack, Vec<PackFault>> {
    let report = examine(files, id, false);
    report.pack.ok_or(report.faults)
}

/// Reads a pack and reports everything that is wrong or odd. Never panics, never stops at the first fault.
pub fn check(files: &dyn Files, id: &str) -> Report {
    examine(files, id, true)
}

fn examine(files: &dyn Files, id: &str, whole_pool: bool) -> Report {
    let mut found = Findings::default();
    if !is_slug(id) {
        let instead = "name the folder with lower-case letters, digits and single hyphens";
        found.fault(PROGRAMME, 1, format!("the pack is called `{id}`, which is not a slug"), instead);
    }
    let draft = match files.read(PROGRAMME) {
        Ok(bytes) => {
            let (draft, faults) = programme_file::read(&bytes);
            found.in_file(PROGRAMME, faults);
            Some(draft)
        }
        Err(error) => {
            found.fault(PROGRAMME, 1, error.to_string(), "put the programme's file into the pack; see docs/pack-format.md");
            None
        }
    };
    let mut lessons = read_lessons(files, id, &mut found);
    let checked = lessons.iter().filter_map(|(id, lesson)| {
        let day = lesson.checked_on.as_ref()?;
        Some(Review { by: day.value.clone(), file: format!("lessons/{id}.md"), line: day.line })
    });
    let checked = checked.collect();
    let diagrams = teaching::read_diagrams(files, &mut found);
    let glossary = teaching::read_glossary(files, id, &mut found);
    teaching::set_bodies(&mut lessons, &diagrams, &mut found);
    teaching::check_links(&lessons, &glossary, &mut found);
    let items = read_items(files, &mut found);
    let reviews = reviews(&items, &mut found);
    let art = draft.as_ref().and_then(|draft| read_art(files, draft, &mut found));
    let bank = draft.as_ref().and_then(|draft| {
        let closest = cross::check(draft, &lessons, &items, &mut found);
        whole_pool.then(|| bank::look(draft, &lessons, &items, files, closest, &mut found))
    });
    found.faults.sort();
    found.faults.dedup();
    found.warnings.sort();
    found.warnings.dedup();
    let pack =
        draft.filter(|_| found.faults.is_empty()).and_then(|draft| assemble(id, draft, lessons, teaching::terms(glossary), items, art?));
    if pack.is_none() && found.faults.is_empty() {
        found.fault(PROGRAMME, 1, "the pack is not complete", "compare it with docs/pack-format.md");
    }
    Report { pack, faults: found.faults, warnings: found.warnings, reviews, checked, bank }
}

fn reviews(items: &[ItemFile], found: &mut Findings) -> Vec<Review> {
    let mut reviews = Vec::new();
    for item in items {
        let Some(day) = &item.reading.outline.review_by else { continue };
        if lesson_file::is_day(&day.value) {
            reviews.push(Review { by: day.value.clone(), file: item.path.clone(), line: day.line });
        } else {
            let what = format!("`review_by` is `{}`", day.value);
            found.fault(&item.path, day.line, what, "write a day of the calendar as YYYY-MM-DD");
        }
    }
    reviews.sort();
    reviews
}

#[derive(Default)]
struct Findings {
    faults: Vec<PackFault>,
    warnings: Vec<PackFault>,
}

impl Findings {
    fn fault(&mut self, file: &str, line: u32, what: impl Into<String>, instead: impl Into<String>) {
        self.faults.push(PackFault::new(file, line, what, instead));
    }

    fn warn(&mut self, file: &str, line: u32, what: impl Into<String>, instead: impl Into<String>) {
        self.warnings.push(PackFault::new(file, line, what, instead));
    }

    fn in_file(&mut self, file: &str, faults: Vec<Fault>) {
        self.faults.extend(faults.into_iter().map(|fault| PackFault::in_file(file, fault)));
    }
}

/// One item file with its place.
struct ItemFile {
    path: String,
    domain: String,
    id: String,
    reading: markdown_item::Reading,
}

/// Lists a folder; names that begin with a dot belong to editors and systems, not to the pack.
fn list(files: &dyn Files, folder: &str, found: &mut Findings) -> Vec<String> {
    match files.list(folder) {
        Ok(names) => names.into_iter().filter(|name| !name.starts_with('.')).collect(),
        Err(error) => {
            found.fault(&format!("{folder}/"), 1, error.to_string(), "make the folder, with at least one Markdown file in it");
            Vec::new()
        }
    }
}

fn read_lessons(files: &dyn Files, programme: &str, found: &mut Findings) -> BTreeMap<String, LessonReading> {
    let mut lessons = BTreeMap::new();
    for name in list(files, "lessons", found) {
        let path = format!("lessons/{name}");
        let Some(id) = name.strip_suffix(".md") else {
            found.fault(&path, 1, "this is not a lesson", "keep only Markdown files, LESSON.md, in lessons/");
            continue;
        };
        match files.read(&path) {
            Ok(bytes) => {
                let mut reading = lesson_file::read(id, programme, &bytes);
                found.in_file(&path, std::mem::take(&mut reading.faults));
                lessons.insert(id.to_owned(), reading);
            }
            Err(error) => found.fault(&path, 1, error.to_string(), "make it a plain Markdown file inside the pack"),
        }
    }
    lessons
}

fn read_items(files: &dyn Files, found: &mut Findings) -> Vec<ItemFile> {
    let mut items = Vec::new();
    for folder in list(files, "items", found) {
        let Some(domain) = folder.strip_suffix('/') else {
            found.fault(&format!("items/{folder}"), 1, "this file is in no domain's folder", "move it to items/DOMAIN/ITEM.md");
            continue;
        };
        for name in list(files, &format!("items/{domain}"), found) {
            let path = format!("items/{domain}/{name}");
            let Some(id) = name.strip_suffix(".md") else {
                found.fault(&path, 1, "this is not an item", "keep only Markdown files, ITEM.md, in a domain's folder");
                continue;
            };
            match files.read(&path) {
                Ok(bytes) => {
                    let mut reading = markdown_item::read(id, &bytes);
                    found.in_file(&path, std::mem::take(&mut reading.faults));
                    items.push(ItemFile { path, domain: domain.to_owned(), id: id.to_owned(), reading });
                }
                Err(error) => found.fault(&path, 1, error.to_string(), "make it a plain Markdown file inside the pack"),
            }
        }
    }
    items
}

/// The largest badge art, in bytes.
const MAX_ART_BYTES: usize = 200 * 1024;

fn read_art(files: &dyn Files, draft: &programme_file::Draft, found: &mut Findings) -> Option<String> {
    let art = &draft.badge.as_ref()?.art;
    let bytes = match files.read(&art.value) {
        Ok(bytes) => bytes,
        Err(error) => {
            found.fault(
                PROGRAMME,
                art.line,
                format!("`art` is `{}`: {error}", art.value),
                "name a square SVG inside the pack, such as \"badge.svg\"",
            );
            return None;
        }
    };
    if bytes.len() > MAX_ART_BYTES {
        let what = format!("the badge art has {} bytes; at most {MAX_ART_BYTES} are taken", bytes.len());
        found.fault(&art.value, 1, what, "simplify the drawing");
        return None;
    }
    let Ok(text) = String::from_utf8(bytes) else {
        found.fault(&art.value, 1, "the badge art is not UTF-8", "save it as a plain SVG in UTF-8");
        return None;
    };
    if !text.contains("<svg") {
        found.fault(&art.value, 1, "the badge art is not an SVG", "save it as a plain SVG in UTF-8");
    }
    Some(text)
}

fn assemble(
    id: &str,
    draft: programme_file::Draft,
    mut lessons: BTreeMap<String, LessonReading>,
    glossary: Vec<Term>,
    items: Vec<ItemFile>,
    art_svg: String,
) -> Option<Pack> {
    let (head, badge) = (draft.head?, draft.badge?);
    let mut courses = Vec::with_capacity(draft.courses.len());
    for course in draft.courses {
        let lessons: Option<Vec<_>> = course.lessons.iter().map(|lesson| lessons.remove(&lesson.value)?.lesson).collect();
        courses.push(Course { id: course.id, title: course.title, summary: course.summary, lessons: lessons? });
    }
    let programme = Programme {
        id: id.to_owned(),
        title: head.title,
        tagline: head.tagline,
        about: head.about,
        language: head.language,
        accent: head.accent,
        accent_dark: head.accent_dark,
        disclaimer: head.disclaimer,
        questions_public: head.questions_public,
        domains: draft.domains.into_iter().map(|found| found.value).collect(),
        objectives: draft.objectives.into_iter().map(|found| found.value).collect(),
        courses,
        glossary,
        rules: draft.rules?,
        entry: draft.entry?,
        badge: BadgeDesign {
            version: badge.version,
            title: badge.title,
            description: badge.description,
            criteria: badge.criteria,
            limits: badge.limits,
            tags: badge.tags,
            valid_months: badge.valid_months,
            art_svg,
        },
    };
    let items: Option<Vec<Item>> = items.into_iter().map(|file| file.reading.item).collect();
    Some(Pack { programme, items: items? })
}
