//! `programme.toml`: read into a draft that remembers its lines, checked for all that one file can say.

use assay_core::programme::{Domain, Entry, EntryRule, Objective, Rules};
use assay_items::{
    Html,
    fault::{Fault, Located, is_slug, text_of},
    fields::{Fields, Node},
    markdown_lesson,
};

use crate::{contrast, duration, files::MAX_FILE_BYTES, toml_file};

/// The file that makes a folder a pack.
pub(crate) const PROGRAMME: &str = "programme.toml";

/// As much of the programme as could be read.
#[derive(Default)]
pub(crate) struct Draft {
    pub(crate) head: Option<Head>,
    pub(crate) domains: Vec<Located<Domain>>,
    pub(crate) objectives: Vec<Located<Objective>>,
    pub(crate) courses: Vec<CourseDraft>,
    pub(crate) rules: Option<Rules>,
    pub(crate) entry: Option<Entry>,
    pub(crate) badge: Option<BadgeDraft>,
}

pub(crate) struct Head {
    pub(crate) title: String,
    pub(crate) tagline: String,
    pub(crate) about: Html,
    pub(crate) language: String,
    pub(crate) accent: String,
    pub(crate) accent_dark: String,
    pub(crate) disclaimer: String,
    pub(crate) questions_public: bool,
}

pub(crate) struct CourseDraft {
    pub(crate) line: u32,
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) summary: String,
    pub(crate) lessons: Vec<Located<String>>,
}

pub(crate) struct BadgeDraft {
    pub(crate) version: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) criteria: String,
    pub(crate) limits: String,
    pub(crate) tags: Vec<String>,
    pub(crate) valid_months: Option<u16>,
    pub(crate) art: Located<String>,
}

/// Reads the file. Lists keep their sound entries beside faulty ones.
pub(crate) fn read(bytes: &[u8]) -> (Draft, Vec<Fault>) {
    let text = match text_of(bytes, usize::try_from(MAX_FILE_BYTES).unwrap_or(usize::MAX)) {
        Ok(text) => text,
        Err(faults) => return (Draft::default(), faults),
    };
    let root = match toml_file::parse(&text) {
        Ok(root) => root,
        Err(faults) => return (Draft::default(), faults),
    };
    let mut faults = Vec::new();
    let known = ["programme", "domain", "objective", "course", "rules", "entry", "badge"];
    let mut fields = Fields::new("programme.toml", &root, &known, &mut faults);
    let head = fields.required_table("programme");
    let domains = fields.required_tables("domain");
    let objectives = fields.required_tables("objective");
    let courses = fields.required_tables("course");
    let rules = fields.required_table("rules");
    let entry = fields.get("entry");
    let badge = fields.required_table("badge");

    let head = head.and_then(|node| read_head(node, &text, &mut faults));
    let domains: Vec<_> = domains.into_iter().map(|node| read_domain(node, &mut faults)).collect();
    let rules = rules.and_then(|node| read_rules(node, &domains, &mut faults));
    sum_of_weights(&domains, &mut faults);
    let domains: Vec<_> = domains.into_iter().flatten().collect();
    let objectives: Vec<_> = objectives.into_iter().filter_map(|node| read_objective(node, &mut faults)).collect();
    let courses: Vec<_> = courses.into_iter().filter_map(|node| read_course(node, &mut faults)).collect();
    twice("domain", domains.iter().map(|found| (found.line, found.value.id.as_str())), &mut faults);
    twice("objective", objectives.iter().map(|found| (found.line, found.value.id.as_str())), &mut faults);
    twice("course", courses.iter().map(|found| (found.line, found.id.as_str())), &mut faults);
    let entry = entry.map_or_else(|| Some(default_entry()), |node| read_entry(node, &mut faults));
    let badge = badge.and_then(|node| read_badge(node, &mut faults));
    (Draft { head, domains, objectives, courses, rules, entry, badge }, faults)
}

fn twice<'a>(kind: &str, ids: impl Iterator<Item = (u32, &'a str)>, faults: &mut Vec<Fault>) {
    let mut seen = std::collections::BTreeMap::new();
    for (line, id) in ids {
        if let Some(first) = seen.get(id) {
            faults.push(Fault::new(line, format!("{kind} `{id}` is there already, on line {first}"), "give it another id, or delete it"));
        } else {
            seen.insert(id, line);
        }
    }
}

fn read_head(node: &Node, source: &str, faults: &mut Vec<Fault>) -> Option<Head> {
    let known = ["title", "tagline", "about", "language", "accent", "accent_dark", "disclaimer", "questions_public"];
    let mut fields = Fields::new("[programme]", node, &known, faults);
    let title = fields.required_text("title", "the programme's name");
    let tagline = fields.required_text("tagline", "one sentence for the catalogue");
    let about = fields.required_text("about", "a few paragraphs for the programme's page");
    let language = fields.required_text("language", "the language of the content, such as \"en\"");
    if let Some(tag) = language.as_ref().filter(|tag| !is_language(&tag.value)) {
        fields.fault(tag.line, format!("`language` is `{}`", tag.value), "write a language tag (BCP 47), such as \"en\" or \"pt-BR\"");
    }
    let accent = colour(&mut fields, "accent", contrast::LIGHT);
    let accent_dark = colour(&mut fields, "accent_dark", contrast::DARK);
    let disclaimer = fields.required_text("disclaimer", "what the programme is not, such as \"Not affiliated with …\"");
    let questions_public = fields.flag("questions_public");
    if fields.get("questions_public").is_none() {
        fields.fault(node.line, "[programme] has no `questions_public`", "add true if anyone can read this pack, false otherwise");
    }
    let about = about.map(|about| {
        let opening = usize::try_from(about.line).ok().and_then(|line| source.lines().nth(line.saturating_sub(1))).unwrap_or_default();
        let first = about.line + u32::from(opening.ends_with("\"\"\"") || opening.ends_with("'''"));
        let (html, found) = markdown_lesson::prose(&about.value, first);
        faults.extend(found);
        html
    });
    Some(Head {
        title: title?.value,
        tagline: tagline?.value,
        about: about?,
        language: language?.value,
        accent: accent?,
        accent_dark: accent_dark?,
        disclaimer: disclaimer?.value,
        questions_public: questions_public?,
    })
}

fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    parts.next().is_some_and(|first| (2..=3).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_lowercase()))
        && parts.all(|part| (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
}

fn colour(fields: &mut Fields<'_, '_>, name: &str, page: &str) -> Option<String> {
    let colour = fields.required_text(name, "a colour such as \"#0b6e5f\"")?;
    let Some(ratio) = contrast::ratio(&colour.value, page) else {
        fields.fault(colour.line, format!("`{name}` is `{}`", colour.value), "write a colour as #rrggbb");
        return None;
    };
    if ratio < contrast::ENOUGH {
        let darker = if page == contrast::LIGHT { "darker" } else { "lighter" };
        // Rounded down, so that 4.499 does not read as enough.
        let what =
            format!("`{name}` has a contrast of {:.2} on {page}; text needs {:.1}", (ratio * 100.0).floor() / 100.0, contrast::ENOUGH);
        fields.fault(colour.line, what, format!("choose a {darker} colour"));
    }
    Some(colour.value.to_ascii_lowercase())
}

fn slug(fields: &mut Fields<'_, '_>, name: &str) -> Option<Located<String>> {
    let found = fields.required_text(name, "lower-case letters, digits and hyphens")?;
    if is_slug(&found.value) {
        return Some(found);
    }
    fields.fault(
        found.line,
        format!("`{name}` is `{}`, which is not a slug", found.value),
        "use lower-case letters, digits and single hyphens",
    );
    None
}

fn read_domain(node: &Node, faults: &mut Vec<Fault>) -> Option<Located<Domain>> {
    let mut fields = Fields::new("[[domain]]", node, &["id", "title", "weight_percent", "items_in_form"], faults);
    let id = slug(&mut fields, "id");
    let title = fields.required_text("title", "its name for people");
    let weight = fields.required_whole("weight_percent", 1, 100);
    let items = fields.required_whole("items_in_form", 1, 500);
    let domain = Domain {
        id: id?.value,
        title: title?.value,
        weight_percent: u8::try_from(weight?.value).ok()?,
        items_in_form: u16::try_from(items?.value).ok()?,
    };
    Some(Located { line: node.line, value: domain })
}

fn sum_of_weights(domains: &[Option<Located<Domain>>], faults: &mut Vec<Fault>) {
    // A domain that could not be read would only make the sum look wrong.
    let Some(all) = domains.iter().map(Option::as_ref).collect::<Option<Vec<_>>>() else { return };
    let sum: u32 = all.iter().map(|domain| u32::from(domain.value.weight_percent)).sum();
    if let Some(first) = all.first().filter(|_| sum != 100) {
        faults.push(Fault::new(
            first.line,
            format!("the domains' weights add up to {sum}"),
            "make the `weight_percent` of all domains add up to 100",
        ));
    }
}

fn read_objective(node: &Node, faults: &mut Vec<Fault>) -> Option<Located<Objective>> {
    let mut fields = Fields::new("[[objective]]", node, &["id", "statement"], faults);
    let id = fields.required_text("id", "domain.name");
    let statement = fields.required_text("statement", "one testable statement");
    let id = id?;
    let Some((domain, _)) = id.value.split_once('.').filter(|(domain, name)| is_slug(domain) && is_slug(name)) else {
        let what = format!("`id` is `{}`", id.value);
        faults.push(Fault::new(id.line, what, "write domain.name, each of lower-case letters, digits and single hyphens"));
        return None;
    };
    Some(Located { line: id.line, value: Objective { domain: domain.to_owned(), statement: statement?.value, id: id.value } })
}

fn read_course(node: &Node, faults: &mut Vec<Fault>) -> Option<CourseDraft> {
    let mut fields = Fields::new("[[course]]", node, &["id", "title", "summary", "lessons"], faults);
    let id = slug(&mut fields, "id");
    let title = fields.required_text("title", "its name for people");
    let summary = fields.required_text("summary", "one or two sentences");
    let lessons = fields.required_texts("lessons", "the slugs of its lessons in order");
    // Lessons are kept under a faulty head too: else each would be called unused.
    let known = |found: Option<Located<String>>| found.map(|found| found.value).unwrap_or_default();
    Some(CourseDraft { line: node.line, id: known(id), title: known(title), summary: known(summary), lessons })
}

fn read_rules(node: &Node, domains: &[Option<Located<Domain>>], faults: &mut Vec<Fault>) -> Option<Rules> {
    let known = ["questions", "pass_mark", "retake_waits", "time_limit", "open_book"];
    let mut fields = Fields::new("[rules]", node, &known, faults);
    let questions = fields.required_whole("questions", 1, 500);
    let pass_mark = fields.required_whole("pass_mark", 1, 500);
    if let (Some(questions), Some(pass_mark)) = (&questions, &pass_mark)
        && pass_mark.value > questions.value
    {
        let what = format!("`pass_mark` is {} of {} questions", pass_mark.value, questions.value);
        fields.fault(pass_mark.line, what, "ask for no more right answers than there are questions");
    }
    let waits = retake_waits(&mut fields);
    let limit = match fields.text("time_limit") {
        None => Some(None),
        Some(text) => match duration::seconds(&text.value).filter(|&seconds| seconds >= 60) {
            Some(seconds) => Some(Some(seconds)),
            None => {
                fields.fault(
                    text.line,
                    format!("`time_limit` is `{}`", text.value),
                    "write at least a minute, such as \"90 min\"; leave it out for no limit",
                );
                None
            }
        },
    };
    let open_book = fields.flag("open_book").unwrap_or(true);
    if let (Some(questions), Some(all)) = (&questions, domains.iter().map(Option::as_ref).collect::<Option<Vec<_>>>()) {
        let sum: i64 = all.iter().map(|domain| i64::from(domain.value.items_in_form)).sum();
        if sum != questions.value && !all.is_empty() {
            let what = format!("`questions` is {}, but the domains give {sum} items to a form", questions.value);
            fields.fault(questions.line, what, "make the `items_in_form` of all domains add up to `questions`");
        }
    }
    Some(Rules {
        questions: u16::try_from(questions?.value).ok()?,
        pass_mark: u16::try_from(pass_mark?.value).ok()?,
        retake_waits_seconds: waits?,
        time_limit_seconds: limit?,
        open_book,
    })
}

fn retake_waits(fields: &mut Fields<'_, '_>) -> Option<Vec<i64>> {
    let Some(node) = fields.get("retake_waits") else { return Some(vec![24 * 60 * 60]) };
    let texts = fields.texts("retake_waits");
    let mut waits = Vec::with_capacity(texts.len());
    for text in &texts {
        match duration::seconds(&text.value) {
            Some(seconds) => waits.push(seconds),
            None => {
                let instead = "write a whole number and s, min, h, days or weeks, such as \"24 h\"; at most 366 days";
                fields.fault(text.line, format!("`retake_waits` has `{}`", text.value), instead);
            }
        }
    }
    let is_empty_list = matches!(&node.value, assay_items::fields::Value::List(list) if list.is_empty());
    if is_empty_list {
        fields.fault(node.line, "`retake_waits` is empty", "write at least one wait, such as [\"24 h\"]");
    }
    (!waits.is_empty() && waits.len() == texts.len()).then_some(waits)
}

fn default_entry() -> Entry {
    Entry { who: EntryRule::Anyone, tries_a_year: None, pool_share_percent: 50 }
}

fn read_entry(node: &Node, faults: &mut Vec<Fault>) -> Option<Entry> {
    let known = ["who", "domains", "addresses", "tries_a_year", "pool_share_percent"];
    let mut fields = Fields::new("[entry]", node, &known, faults);
    let who = fields.text("who");
    let (domains_line, addresses_line) = (fields.line_of("domains"), fields.line_of("addresses"));
    let word = who.as_ref().map_or("anyone", |who| who.value.as_str());
    let rule = match word {
        "anyone" => Some(EntryRule::Anyone),
        "domains" => {
            let domains = fields.required_texts("domains", "mail domains, such as [\"example.org\"]");
            let is_domain = |name: &str| name.contains('.') && name.split('.').all(|part| is_slug(&part.to_lowercase()));
            Some(EntryRule::Domains(lower(&mut fields, "domains", domains, is_domain, "example.org")))
        }
        "invited" => {
            let addresses = fields.required_texts("addresses", "mail addresses, such as [\"ada@example.org\"]");
            let is_address =
                |name: &str| name.split_once('@').is_some_and(|(a, b)| !a.is_empty() && b.contains('.') && !b.contains(['@', ' ']));
            Some(EntryRule::Invited(lower(&mut fields, "addresses", addresses, is_address, "ada@example.org")))
        }
        other => {
            let what = format!("`who` is `{other}`");
            fields.fault(fields.line_of("who"), what, "write \"anyone\", \"domains\" or \"invited\"");
            None
        }
    };
    for (name, wanted, line) in [("domains", "domains", domains_line), ("addresses", "invited", addresses_line)] {
        if fields.get(name).is_some() && word != wanted {
            fields.fault(
                line,
                format!("`{name}` has no effect while `who` is \"{word}\""),
                format!("write who = \"{wanted}\", or delete `{name}`"),
            );
        }
    }
    let tries = fields.whole("tries_a_year", 1, 365);
    let share = match fields.get("pool_share_percent") {
        None => Some(50),
        Some(_) => fields.whole("pool_share_percent", 1, 100).map(|found| found.value),
    };
    Some(Entry {
        who: rule?,
        tries_a_year: tries.and_then(|found| u16::try_from(found.value).ok()),
        pool_share_percent: u8::try_from(share?).ok()?,
    })
}

fn lower(fields: &mut Fields<'_, '_>, name: &str, found: Vec<Located<String>>, good: impl Fn(&str) -> bool, example: &str) -> Vec<String> {
    let mut out = Vec::with_capacity(found.len());
    for text in found {
        if good(&text.value) {
            out.push(text.value.to_lowercase());
        } else {
            fields.fault(text.line, format!("`{name}` has `{}`", text.value), format!("write it like \"{example}\""));
        }
    }
    out
}

fn read_badge(node: &Node, faults: &mut Vec<Fault>) -> Option<BadgeDraft> {
    let known = ["version", "title", "description", "criteria", "limits", "tags", "valid_months", "art", "reserved_words"];
    let mut fields = Fields::new("[badge]", node, &known, faults);
    let version = fields.required_text("version", "such as \"1\"");
    if let Some(bad) =
        version.as_ref().filter(|v| v.value.len() > 32 || !v.value.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b)))
    {
        fields.fault(bad.line, format!("`version` is `{}`", bad.value), "use letters, digits, dots and hyphens, 32 at most");
    }
    let title = fields.required_text("title", "what stands on the badge");
    let reserved = fields.texts("reserved_words");
    if let Some(title) = &title {
        let words = format!(" {} ", assay_items::words::normalised(&title.value));
        for word in &reserved {
            if words.contains(&format!(" {} ", assay_items::words::normalised(&word.value))) {
                let what = format!("the badge's title has the reserved word \"{}\"", word.value);
                fields.fault(title.line, what, "name the skill without it");
            }
        }
    }
    let description = fields.required_text("description", "what a holder has shown");
    let criteria = fields.required_text("criteria", "how it is earned");
    let limits = fields.required_text("limits", "what it does not show");
    let tags = fields.required_texts("tags", "the skills as plain words");
    let months = fields.whole("valid_months", 1, 120);
    let art = fields.required_text("art", "the file of the badge art, \"badge.svg\"");
    Some(BadgeDraft {
        version: version?.value,
        title: title?.value,
        description: description?.value,
        criteria: criteria?.value,
        limits: limits?.value,
        tags: tags.into_iter().map(|tag| tag.value).collect(),
        valid_months: months.and_then(|found| u16::try_from(found.value).ok()),
        art: art?,
    })
}
