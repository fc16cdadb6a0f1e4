//! What lessons share beside their text: diagrams, the glossary, links from one to the other.

use std::collections::{BTreeMap, BTreeSet};

use assay_art::clean_diagram;
use assay_core::programme::Term;
use assay_items::{
    Html,
    fault::{is_slug, text_of},
    markdown_glossary::{self, GlossaryText},
    teaching::{OwnLink, Part, Target},
};

use crate::{Files, Findings, PackFault, ReadError, lesson_file::LessonReading};

/// The file that explains the programme's words.
pub(crate) const GLOSSARY: &str = "glossary.md";

/// The largest glossary, in bytes.
const MAX_GLOSSARY_BYTES: usize = 256 * 1024;

/// From a diagram's name to its cleaned picture; none where it has faults.
pub(crate) type Diagrams = BTreeMap<String, Option<String>>;

/// Reads `diagrams/`, which a pack may do without.
pub(crate) fn read_diagrams(files: &dyn Files, found: &mut Findings) -> Diagrams {
    let mut diagrams = Diagrams::new();
    if files.list("diagrams") == Err(ReadError::Missing) {
        return diagrams;
    }
    for file in crate::list(files, "diagrams", found) {
        let path = format!("diagrams/{file}");
        let Some(name) = file.strip_suffix(".svg").filter(|name| is_slug(name)) else {
            let instead = "keep only pictures, NAME.svg, in diagrams/, their names of lower-case letters, digits and single hyphens";
            found.fault(&path, 1, "this is not a diagram", instead);
            continue;
        };
        let svg = files.read(&path).map_err(|error| error.to_string());
        let svg = svg.and_then(|bytes| String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned()));
        let clean = match svg {
            Ok(svg) => clean_diagram(&svg).map_err(|faults| faults.iter().map(|fault| PackFault::in_picture(&path, fault)).collect()),
            Err(why) => Err(vec![PackFault::new(&path, 1, why, "save it as a plain SVG in UTF-8")]),
        };
        let clean = clean.map_err(|faults| found.faults.extend(faults)).ok();
        diagrams.insert(name.to_owned(), clean.map(|diagram| diagram.svg));
    }
    diagrams
}

/// Reads the glossary, which a pack may do without.
pub(crate) fn read_glossary(files: &dyn Files, programme: &str, found: &mut Findings) -> GlossaryText {
    let bytes = match files.read(GLOSSARY) {
        Ok(bytes) => bytes,
        Err(ReadError::Missing) => return GlossaryText::default(),
        Err(error) => {
            found.fault(GLOSSARY, 1, error.to_string(), "make it a plain Markdown file");
            return GlossaryText::default();
        }
    };
    match text_of(&bytes, MAX_GLOSSARY_BYTES) {
        Ok(text) => {
            let mut glossary = markdown_glossary::read(&text, programme);
            found.in_file(GLOSSARY, std::mem::take(&mut glossary.faults));
            glossary
        }
        Err(faults) => {
            found.in_file(GLOSSARY, faults);
            GlossaryText::default()
        }
    }
}

/// The glossary as pages show it: by name.
pub(crate) fn terms(glossary: GlossaryText) -> Vec<Term> {
    let mut terms: Vec<Term> = glossary.terms.into_iter().map(|term| Term { id: term.slug, name: term.name, text: term.text }).collect();
    terms.sort_by_cached_key(|term| (term.name.to_lowercase(), term.id.clone()));
    terms
}

/// Looks up every link inside the programme.
pub(crate) fn check_links(lessons: &BTreeMap<String, LessonReading>, glossary: &GlossaryText, found: &mut Findings) {
    for (id, lesson) in lessons {
        look_up(&format!("lessons/{id}.md"), &lesson.links, lessons, glossary, found);
    }
    look_up(GLOSSARY, &glossary.links, lessons, glossary, found);
}

fn look_up(file: &str, links: &[OwnLink], lessons: &BTreeMap<String, LessonReading>, glossary: &GlossaryText, found: &mut Findings) {
    for link in links {
        match &link.to {
            Target::Lesson(lesson) if !lessons.contains_key(lesson) => {
                let instead = format!("write lessons/{lesson}.md, or link to a lesson that is there");
                found.fault(file, link.line, format!("a link to the lesson `{lesson}`, which is not there"), instead);
            }
            Target::Term(term) if !glossary.terms.iter().any(|known| known.slug == *term) => {
                let instead = format!("explain it in {GLOSSARY}: its words in lower case, joined by hyphens, are the link");
                found.fault(file, link.line, format!("a link to the term `{term}`, which is not explained"), instead);
            }
            Target::Glossary if glossary.terms.is_empty() => {
                found.fault(file, link.line, "a link to the glossary, which is not there", format!("write {GLOSSARY}"));
            }
            _ => {}
        }
    }
}

/// Puts each lesson's body together.
pub(crate) fn set_bodies(lessons: &mut BTreeMap<String, LessonReading>, diagrams: &Diagrams, found: &mut Findings) {
    let mut shown: BTreeSet<String> = BTreeSet::new();
    for (id, reading) in lessons {
        let mut here: BTreeSet<&str> = BTreeSet::new();
        let mut body: Vec<String> = Vec::new();
        let path = format!("lessons/{id}.md");
        for part in &reading.parts {
            let diagram = match part {
                Part::Prose(html) => {
                    body.push(html.to_string());
                    continue;
                }
                Part::Diagram(diagram) => diagram,
            };
            shown.insert(diagram.name.clone());
            if !here.insert(&diagram.name) {
                let what = format!("the diagram `{}` is shown twice", diagram.name);
                found.fault(&path, diagram.line, what, "show it once, and speak of it afterwards");
            }
            match diagrams.get(&diagram.name) {
                None => {
                    let what = format!("there is no diagram `{}`", diagram.name);
                    found.fault(&path, diagram.line, what, format!("draw diagrams/{}.svg, or take it out", diagram.name));
                }
                // Its own faults are told already.
                Some(None) => {}
                Some(Some(svg)) => {
                    body.push(format!("<figure class=\"diagram\">{svg}<figcaption>{}</figcaption></figure>", diagram.caption));
                }
            }
        }
        if let Some(lesson) = &mut reading.lesson {
            lesson.body = Html::trusted(body.join("\n"));
        }
    }
    for name in diagrams.keys().filter(|name| !shown.contains(*name)) {
        let instead = format!("show it in a lesson, `![caption](../diagrams/{name}.svg)`, or delete it");
        found.warn(&format!("diagrams/{name}.svg"), 1, "this diagram is in no lesson", instead);
    }
}
