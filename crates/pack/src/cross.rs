//! What only shows when all files of a pack are seen together.

use std::collections::{BTreeMap, BTreeSet};

use assay_items::task_list::Asked;

use crate::{
    Findings, ItemFile,
    alike::Likeness,
    bank::Closest,
    lesson_file::LessonReading,
    programme_file::{Draft, PROGRAMME},
    twins::{self, Vectors},
};

/// Shorter stems ("Which two are right?") may well be alike and ask different things.
const TELLING_WORDS: usize = 8;

/// Says what is wrong between files, and which two items that may meet in a form are most alike.
pub(crate) fn check(draft: &Draft, lessons: &BTreeMap<String, LessonReading>, items: &[ItemFile], found: &mut Findings) -> Option<Closest> {
    objectives_and_domains(draft, found);
    courses(draft, lessons, found);
    references(draft, lessons, items, found);
    slugs_and_enemies(items, found);
    taught_and_asked(draft, lessons, items, found);
    blueprint(draft, items, found);
    likeness(draft, lessons, items, found)
}

pub(crate) fn asked(item: &ItemFile) -> Option<&Asked> {
    item.reading.outline.asked.as_ref()
}

pub(crate) fn family(item: &ItemFile) -> &str {
    item.reading.outline.family.as_ref().map_or(&item.id, |family| &family.value)
}

fn objectives_and_domains(draft: &Draft, found: &mut Findings) {
    let domains: BTreeSet<&str> = draft.domains.iter().map(|domain| domain.value.id.as_str()).collect();
    // Without any domain each objective would be called stray, which says nothing.
    if domains.is_empty() {
        return;
    }
    let list = domains.iter().copied().collect::<Vec<_>>().join(", ");
    for objective in draft.objectives.iter().filter(|objective| !domains.contains(objective.value.domain.as_str())) {
        let what = format!("objective `{}` is in no domain: there is no `{}`", objective.value.id, objective.value.domain);
        found.fault(PROGRAMME, objective.line, what, format!("begin it with one of: {list}"));
    }
}

fn courses(draft: &Draft, lessons: &BTreeMap<String, LessonReading>, found: &mut Findings) {
    let mut used: BTreeMap<&str, u32> = BTreeMap::new();
    for lesson in draft.courses.iter().flat_map(|course| &course.lessons) {
        if let Some(first) = used.get(lesson.value.as_str()) {
            let what = format!("lesson `{}` is in the plan already, on line {first}", lesson.value);
            found.fault(PROGRAMME, lesson.line, what, "name each lesson once");
            continue;
        }
        used.insert(&lesson.value, lesson.line);
        if !lessons.contains_key(&lesson.value) {
            let what = format!("there is no lesson `{}`", lesson.value);
            found.fault(PROGRAMME, lesson.line, what, format!("write lessons/{}.md, or take it out of the course", lesson.value));
        }
    }
    if draft.courses.is_empty() {
        return;
    }
    for id in lessons.keys().filter(|id| !used.contains_key(id.as_str())) {
        let line = draft.courses.last().map_or(1, |course| course.line);
        let instead = format!("add \"{id}\" to the `lessons` of a course (the last one is on line {line} of {PROGRAMME})");
        found.fault(&format!("lessons/{id}.md"), 1, "this lesson is in no course", instead);
    }
}

fn references(draft: &Draft, lessons: &BTreeMap<String, LessonReading>, items: &[ItemFile], found: &mut Findings) {
    let known: BTreeSet<&str> = draft.objectives.iter().map(|objective| objective.value.id.as_str()).collect();
    if known.is_empty() {
        return;
    }
    for (id, lesson) in lessons {
        let path = format!("lessons/{id}.md");
        for objective in lesson.objectives.iter().filter(|objective| !known.contains(objective.value.as_str())) {
            let what = format!("there is no objective `{}`", objective.value);
            found.fault(&path, objective.line, what, format!("name one of {PROGRAMME}"));
        }
    }
    for item in items {
        let Some(objective) = &item.reading.outline.objective else { continue };
        let domain = objective.value.split_once('.').map_or("", |(domain, _)| domain);
        if !known.contains(objective.value.as_str()) {
            let what = format!("there is no objective `{}`", objective.value);
            found.fault(&item.path, objective.line, what, format!("name one of {PROGRAMME}"));
        } else if domain != item.domain {
            let what = format!("objective `{}` is of another domain than the folder items/{}/", objective.value, item.domain);
            found.fault(&item.path, objective.line, what, format!("move the file to items/{domain}/, or name another objective"));
        }
    }
}

fn slugs_and_enemies(items: &[ItemFile], found: &mut Findings) {
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for item in items {
        if let Some(first) = seen.get(item.id.as_str()) {
            let what = format!("there is an item `{}` already: {first}", item.id);
            found.fault(&item.path, 1, what, "rename one: a slug is unique in the whole pool");
        } else {
            seen.insert(&item.id, &item.path);
        }
    }
    for item in items {
        for enemy in item.reading.outline.enemies.iter().filter(|enemy| !seen.contains_key(enemy.value.as_str())) {
            found.fault(
                &item.path,
                enemy.line,
                format!("there is no item `{}`", enemy.value),
                "name an item of this pool, or take it out of `enemies`",
            );
        }
    }
}

fn taught_and_asked(draft: &Draft, lessons: &BTreeMap<String, LessonReading>, items: &[ItemFile], found: &mut Findings) {
    let in_plan = draft.courses.iter().flat_map(|course| &course.lessons).filter_map(|lesson| lessons.get(&lesson.value));
    let taught: BTreeSet<&str> = in_plan.flat_map(|lesson| &lesson.objectives).map(|objective| objective.value.as_str()).collect();
    let asked: BTreeSet<&str> = items.iter().filter_map(|item| item.reading.outline.objective.as_ref()).map(|o| o.value.as_str()).collect();
    // A file whose objectives could not be read may be the very one that is looked for.
    let unread_lesson = lessons.values().any(|lesson| lesson.objectives.is_empty());
    let unread_items: BTreeSet<&str> =
        items.iter().filter(|item| item.reading.outline.objective.is_none()).map(|item| item.domain.as_str()).collect();
    for objective in &draft.objectives {
        let id = objective.value.id.as_str();
        if !taught.contains(id) && !unread_lesson {
            let instead = format!("add `{id}` to the `objectives` of a lesson that teaches it, or write one");
            found.fault(PROGRAMME, objective.line, format!("objective `{id}` is taught by no lesson of the plan"), instead);
        }
        if !asked.contains(id) && !unread_items.contains(objective.value.domain.as_str()) {
            let instead = format!("write an item with `objective: {id}` in items/{}/", objective.value.domain);
            found.fault(PROGRAMME, objective.line, format!("objective `{id}` is asked by no item"), instead);
        }
    }
    for (id, _) in lessons.iter().filter(|(_, lesson)| lesson.lesson.is_some() && lesson.checks.is_empty()) {
        found.warn(&format!("lessons/{id}.md"), 1, "this lesson has no knowledge check", "add `## Check yourself` with a question or two");
    }
}

fn blueprint(draft: &Draft, items: &[ItemFile], found: &mut Findings) {
    let mut domains_of: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for item in items {
        domains_of.entry(family(item)).or_default().insert(&item.domain);
    }
    for (family, domains) in domains_of.iter().filter(|(_, domains)| domains.len() > 1) {
        let list = domains.iter().copied().collect::<Vec<_>>().join(", ");
        found.warn(
            "items/",
            1,
            format!("family `{family}` spans the domains {list}"),
            "give each domain families of its own: only one of a family is in a form",
        );
    }
    let questions: u32 = draft.domains.iter().map(|domain| u32::from(domain.value.items_in_form)).sum();
    for located in &draft.domains {
        let (line, domain) = (located.line, &located.value);
        let in_form = usize::from(domain.items_in_form);
        let in_domain: Vec<&ItemFile> = items.iter().filter(|item| item.domain == domain.id).collect();
        let families: BTreeSet<&str> = in_domain.iter().map(|item| family(item)).collect();
        if families.len() < in_form {
            let what = format!("domain `{}` gives {in_form} items to a form, but its items have {} families", domain.id, families.len());
            found.fault(PROGRAMME, line, what, "write more items of different families, or lower `items_in_form`");
        } else if let Some(entry) = &draft.entry
            && in_domain.len() * usize::from(entry.pool_share_percent) < in_form * 100
        {
            let (all, share) = (in_domain.len(), entry.pool_share_percent);
            let what = format!(
                "domain `{}` shows {in_form} of its {all} items in one form, more than the {share} % of `pool_share_percent`",
                domain.id
            );
            found.warn(PROGRAMME, line, what, "write more items, or raise `pool_share_percent`");
        }
        let share = 100.0 * f64::from(domain.items_in_form) / f64::from(questions.max(1));
        if (share - f64::from(domain.weight_percent)).abs() > 2.0 {
            let what = format!("domain `{}` weighs {} %, but has {share:.0} % of a form", domain.id, domain.weight_percent);
            found.warn(PROGRAMME, line, what, "bring `weight_percent` and `items_in_form` together");
        }
    }
}

fn likeness(draft: &Draft, lessons: &BTreeMap<String, LessonReading>, items: &[ItemFile], found: &mut Findings) -> Option<Closest> {
    let pool: Vec<(&ItemFile, u32, Likeness)> =
        items.iter().filter_map(|item| asked(item).map(|asked| (item, asked.line, Likeness::of(&asked.stem_words)))).collect();
    for (id, lesson) in lessons {
        for check in &lesson.checks {
            let like = Likeness::of(&check.stem_words);
            for (item, _, _) in pool.iter().filter(|(_, _, stem)| stem.is_near(&like)) {
                let what = format!("this question is also in the pool ({})", item.path);
                found.fault(&format!("lessons/{id}.md"), check.line, what, "ask something else here, or take the item out of the pool");
            }
        }
    }
    let language = draft.head.as_ref().map_or("", |head| head.language.as_str());
    let mut closest: Option<Closest> = None;
    let vectors = Vectors::of(&items.iter().filter_map(asked).collect::<Vec<_>>(), language);
    for (index, (item, line, stem)) in pool.iter().enumerate() {
        let tells = stem.words.split(' ').count() >= TELLING_WORDS;
        for (at, (other, _, like)) in pool[..index].iter().enumerate().filter(|(_, (other, _, _))| !are_apart(item, other)) {
            let likeness = vectors.likeness(index, at);
            if !tells {
                continue;
            }
            if closest.as_ref().is_none_or(|closest| 100.0 * likeness > closest.percent) {
                closest = Some(Closest { one: other.id.clone(), other: item.id.clone(), percent: 100.0 * likeness });
            }
            let what = if like.is_near(stem) {
                format!("the stem is nearly that of {}", other.path)
            } else if likeness >= twins::ALIKE {
                format!("this item is much like {} ({:.0} % by its words)", other.path, 100.0 * likeness)
            } else {
                continue;
            };
            let instead =
                "make one item of them, or give both one `family` (or name one in the other's `enemies`): they never meet in a form then";
            found.warn(&item.path, *line, what, instead);
        }
    }
    closest
}

/// Whether a form can never hold both.
fn are_apart(one: &ItemFile, other: &ItemFile) -> bool {
    let names = |a: &ItemFile, b: &ItemFile| a.reading.outline.enemies.iter().any(|enemy| enemy.value == b.id);
    family(one) == family(other) || names(one, other) || names(other, one)
}
