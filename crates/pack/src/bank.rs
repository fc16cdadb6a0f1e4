//! The pool as a whole: what it counts, what it gives away, how it reads.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use assay_items::{Lookup, task_list::Asked, teaching::Part};
use serde::Serialize;

use crate::{
    Files, Findings, ItemFile,
    cross::{asked, family},
    guesser::{self, Guesses},
    habits, language,
    lesson_file::LessonReading,
    programme_file::Draft,
    teaching::GLOSSARY,
};

/// Words that a stem spends on its situation before it asks.
const SITUATION_WORDS: usize = 10;

/// Right options may be this much longer or shorter than wrong ones, in per cent, before it shows.
const LENGTHS_APART_PERCENT: f64 = 15.0;

/// Given-away items that a finding lists.
const LISTED: usize = 10;

/// Figures of a pool. They say nothing about which option of which item is right.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bank {
    /// Items with a question that could be read.
    pub items: usize,
    /// Of 100, how many tell a situation before they ask.
    pub scenarios_percent: f64,
    /// Of 100, how many one search answers.
    pub one_search_percent: f64,
    /// Families.
    pub families: usize,
    /// How often the blueprint can be filled without a family coming again.
    pub fillings: usize,
    /// How often each place holds a right option, by the number of options.
    pub places: BTreeMap<usize, Vec<usize>>,
    /// Mean length of right options over that of wrong ones, within items.
    pub length_ratio: f64,
    /// What cues alone give away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guesses: Option<Guesses>,
    /// The two most alike that may meet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closest: Option<Closest>,
    /// Mean LIX of items and of lessons.
    pub items_lix: f64,
    /// See `items_lix`.
    pub lessons_lix: f64,
}

/// The two items most alike of all that may meet in a form.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Closest {
    /// Slug.
    pub one: String,
    /// Slug.
    pub other: String,
    /// Likeness of their words.
    pub percent: f64,
}

/// Counts the pool and says what stands out.
pub(crate) fn look(
    draft: &Draft,
    lessons: &BTreeMap<String, LessonReading>,
    items: &[ItemFile],
    files: &dyn Files,
    closest: Option<Closest>,
    found: &mut Findings,
) -> Bank {
    let pool: Vec<(&ItemFile, &Asked)> = items.iter().filter_map(|item| Some((item, asked(item)?))).collect();
    let share = |n: usize| 100.0 * n as f64 / pool.len().max(1) as f64;
    let in_english = draft.head.as_ref().is_some_and(|head| head.language.split('-').next() == Some("en"));
    let named: Vec<(&str, &Asked)> = pool.iter().map(|(item, asked)| (item.id.as_str(), *asked)).collect();
    let guesses = guesser::guesses(&named);
    let ratio = length_ratio(pool.iter().map(|(_, asked)| *asked));
    cues(guesses.as_ref(), ratio, found);
    for (what, instead) in habits::warnings(pool.iter().map(|(_, asked)| *asked)) {
        found.warn("items/", 1, what, instead);
    }
    if in_english {
        wording(lessons, items, files, found);
    }
    Bank {
        items: pool.len(),
        scenarios_percent: share(pool.iter().filter(|(_, asked)| is_scenario(&asked.stem_words)).count()),
        one_search_percent: share(pool.iter().filter(|(item, _)| item.reading.outline.lookup == Some(Lookup::Yes)).count()),
        families: pool.iter().map(|(item, _)| family(item)).collect::<BTreeSet<_>>().len(),
        fillings: fillings(draft, &pool),
        places: places(pool.iter().map(|(_, asked)| *asked)),
        length_ratio: ratio,
        guesses,
        closest,
        items_lix: mean(pool.iter().filter_map(|(item, asked)| item_level(item, asked, found))),
        lessons_lix: mean(lessons.iter().filter_map(|(id, lesson)| lesson_level(id, lesson, found))),
    }
}

fn mean(figures: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = figures.fold((0.0, 0_usize), |(sum, n), figure| (sum + figure, n + 1));
    sum / n.max(1) as f64
}

/// Whether a stem has more than its question: at least ten words before its last paragraph or sentence.
fn is_scenario(stem: &str) -> bool {
    let before = match stem.trim().rsplit_once('\n') {
        Some((before, _)) => before,
        None => stem.trim().trim_end_matches(['?', '.', ':', '…']).rsplit_once(['.', '?', '!']).map_or("", |(before, _)| before),
    };
    before.split_whitespace().count() >= SITUATION_WORDS
}

fn fillings(draft: &Draft, pool: &[(&ItemFile, &Asked)]) -> usize {
    let of_domain =
        |id: &str| pool.iter().filter(|(item, _)| item.domain == id).map(|(item, _)| family(item)).collect::<BTreeSet<_>>().len();
    draft.domains.iter().map(|domain| of_domain(&domain.value.id) / usize::from(domain.value.items_in_form).max(1)).min().unwrap_or(0)
}

fn places<'a>(items: impl Iterator<Item = &'a Asked>) -> BTreeMap<usize, Vec<usize>> {
    let mut places: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for asked in items {
        let counts = places.entry(asked.options.len()).or_insert_with(|| vec![0; asked.options.len()]);
        counts.iter_mut().zip(&asked.options).for_each(|(count, option)| *count += usize::from(option.right));
    }
    places
}

fn length_ratio<'a>(items: impl Iterator<Item = &'a Asked>) -> f64 {
    let of = |asked: &Asked, right: bool| {
        mean(asked.options.iter().filter(|option| option.right == right).map(|option| option.words.chars().count() as f64))
    };
    let ratios: Vec<f64> =
        items.map(|asked| of(asked, true) / of(asked, false)).filter(|ratio| ratio.is_finite() && *ratio > 0.0).collect();
    if ratios.is_empty() { 1.0 } else { mean(ratios.into_iter()) }
}

fn cues(guesses: Option<&Guesses>, ratio: f64, found: &mut Findings) {
    let Some(guesses) = guesses.filter(|guesses| guesses.items >= guesser::ENOUGH_ITEMS) else { return };
    if guesses.best.percent > guesser::MOST_PERCENT {
        let what = format!(
            "a reader who knows nothing gets {:.0} % right by cues: {} ({:.0} % is taken, blind chance gives {:.0} %)",
            guesses.best.percent,
            guesses.best.rules.join(", "),
            guesser::MOST_PERCENT,
            guesses.chance
        );
        let some: Vec<&str> = guesses.given_away.iter().map(String::as_str).take(LISTED).collect();
        let more = guesses.given_away.len().saturating_sub(some.len());
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        let instead =
            format!("write right and wrong options alike in length, detail and form; it gets these by cues: {}{rest}", some.join(", "));
        found.fault("items/", 1, what, instead);
    }
    if (ratio - 1.0).abs() * 100.0 > LENGTHS_APART_PERCENT {
        let what = format!("right options have {:.0} % of the length of wrong ones", 100.0 * ratio);
        found.warn("items/", 1, what, "bring them together: between 85 % and 115 % nobody can use it");
    }
}

fn item_level(item: &ItemFile, asked: &Asked, found: &mut Findings) -> Option<f64> {
    let mut text = language::sentences(&asked.stem);
    for option in &asked.options {
        text.push('\n');
        text.push_str(language::sentences(&option.text).trim_end());
        if !text.ends_with(['.', '!', '?', ':', '…']) {
            text.push('.');
        }
    }
    let level = language::level(&text)?;
    too_heavy(&item.path, asked.line, &level, found);
    Some(level.lix)
}

fn lesson_level(id: &str, lesson: &LessonReading, found: &mut Findings) -> Option<f64> {
    let prose = lesson.parts.iter().filter_map(|part| if let Part::Prose(html) = part { Some(language::sentences(html)) } else { None });
    let level = language::level(&prose.collect::<String>())?;
    too_heavy(&format!("lessons/{id}.md"), 1, &level, found);
    Some(level.lix)
}

fn too_heavy(file: &str, line: u32, level: &language::Level, found: &mut Findings) {
    if level.lix > language::VERY_DIFFICULT {
        let what = format!("very difficult to read: LIX {:.0}, above {:.0}", level.lix, language::VERY_DIFFICULT);
        let instead = format!(
            "cut long sentences and take shorter words; the longest has {} words and begins \"{} …\"",
            level.longest_words, level.longest_begins
        );
        found.warn(file, line, what, instead);
    }
}

/// Words with a better one, in every text of the pack.
fn wording(lessons: &BTreeMap<String, LessonReading>, items: &[ItemFile], files: &dyn Files, found: &mut Findings) {
    let paths = lessons.keys().map(|id| format!("lessons/{id}.md")).chain(items.iter().map(|item| item.path.clone()));
    for path in paths.chain([GLOSSARY.to_owned()]) {
        let Some(text) = files.read(&path).ok().and_then(|bytes| String::from_utf8(bytes).ok()) else { continue };
        for (line, word, better) in language::unkind(&text) {
            found.warn(&path, line, format!("\"{word}\" leaves people out or belittles them"), format!("write {better}"));
        }
    }
}

impl fmt::Display for Bank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} items in {} families; the blueprint can be filled {} times without a family coming again",
            self.items, self.families, self.fillings
        )?;
        writeln!(f, "scenarios: {:.0} %; one search answers: {:.0} %", self.scenarios_percent, self.one_search_percent)?;
        for (options, counts) in &self.places {
            let counts: Vec<String> = counts.iter().map(ToString::to_string).collect();
            writeln!(f, "right options by place, of {options}: {}", counts.join(", "))?;
        }
        writeln!(f, "right options have {:.0} % of the length of wrong ones", 100.0 * self.length_ratio)?;
        writeln!(f, "reading level (LIX; 40 to 50 as a newspaper): items {:.0}, lessons {:.0}", self.items_lix, self.lessons_lix)?;
        if let Some(closest) = &self.closest {
            let Closest { one, other, percent } = closest;
            writeln!(f, "most alike of those that may meet: {one} and {other}, {percent:.0} % by their words (60 % is too much)")?;
        }
        let Some(guesses) = &self.guesses else { return Ok(()) };
        let single: Vec<String> = guesses.single.iter().map(|guess| format!("{} {:.0} %", guess.rules.join(""), guess.percent)).collect();
        writeln!(f, "guessing by cues: {}; blind chance {:.0} %", single.join(", "), guesses.chance)?;
        if guesses.items < guesser::ENOUGH_ITEMS {
            return writeln!(
                f,
                "guessing by cues, the best of all combinations: {:.0} % ({}); of so few items that is luck, and it is judged from {} on",
                guesses.best.percent,
                guesses.best.rules.join(", "),
                guesser::ENOUGH_ITEMS
            );
        }
        writeln!(
            f,
            "guessing by cues, the best of all combinations: {:.0} % of at most {:.0} % ({})",
            guesses.best.percent,
            guesser::MOST_PERCENT,
            guesses.best.rules.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_tells_something_before_it_asks() {
        assert!(is_scenario("A function reads from a queue and fails after two minutes of work.\nWhat happens?"));
        assert!(is_scenario("A function reads from a queue and fails after two minutes of work. What happens next?"));
        assert!(!is_scenario("What does a function do when it fails after two minutes of work on a message from a queue?"));
        assert!(!is_scenario("A queue is full. What happens?") && !is_scenario(""));
    }
}
