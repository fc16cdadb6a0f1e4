//! One item as a Markdown file: front matter, stem, options with rationales. The native format; see `docs/pack-format.md`.

use pulldown_cmark::{Event, Parser, Tag};
use sha2::{Digest, Sha256};

use crate::{
    About, Choice, Item, ItemId, ItemVersion, Key, Lookup, Question, clean,
    fault::{Fault, Lines, Located, is_slug, text_of},
    fields::{self, Fields, Node, Value},
    task_list::{self, Asked, Placed},
};

/// The largest item file, in bytes.
pub const MAX_ITEM_BYTES: usize = 64 * 1024;

const FIELDS: [&str; 8] = ["objective", "choose", "barely_competent", "lookup", "source", "family", "enemies", "review_by"];

/// What came out of one item file: the item if there is no fault, and what could be read of it in any case.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The item, if the file has no fault.
    pub item: Option<Item>,
    /// What a check over many items needs, as far as it could be read.
    pub outline: Outline,
    /// Every fault, by line.
    pub faults: Vec<Fault>,
}

/// What a check over many items needs to know of one. Says which options are right: for checks of a bank, never for a page.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    /// The objective it asks.
    pub objective: Option<Located<String>>,
    /// Its family, where one was written.
    pub family: Option<Located<String>>,
    /// Its enemies.
    pub enemies: Vec<Located<String>>,
    /// How well it can be looked up.
    pub lookup: Option<Lookup>,
    /// The day by which someone has to look at it again. Not a part of the item: a new day is no new version.
    pub review_by: Option<Located<String>>,
    /// The question as written.
    pub asked: Option<Asked>,
}

/// Reads one item file called `id` without `.md`. Never panics, and finds all faults, not only the first.
pub fn read(id: &str, bytes: &[u8]) -> Reading {
    let text = match text_of(bytes, MAX_ITEM_BYTES) {
        Ok(text) => text,
        Err(faults) => return Reading { item: None, outline: Outline::default(), faults },
    };
    let mut faults = Vec::new();
    if !is_slug(id) {
        faults.push(Fault::new(1, format!("`{id}` is not a slug"), "name the file with lower-case letters, digits and single hyphens"));
    }
    let document = match Document::split(&text) {
        Ok(document) => document,
        Err(fault) => {
            faults.push(fault);
            return Reading { item: None, outline: Outline::default(), faults };
        }
    };
    let asked = document.question(&mut faults);
    let front = match document.front() {
        Ok(node) => Front::read(id, &node, &asked, &mut faults),
        Err(fault) => {
            faults.push(fault);
            Front::default()
        }
    };
    faults.sort();
    faults.dedup();
    let outline = Outline {
        objective: front.objective.clone(),
        family: front.family.clone(),
        enemies: front.enemies.clone(),
        lookup: front.lookup,
        review_by: front.review_by.clone(),
        asked: Some(asked.clone()),
    };
    let item = if faults.is_empty() { assemble(id, front, asked) } else { None };
    if item.is_none() && faults.is_empty() {
        faults.push(Fault::new(1, "the item is not complete", "compare it with docs/pack-format.md"));
    }
    Reading { item, outline, faults }
}

fn assemble(id: &str, front: Front, asked: Asked) -> Option<Item> {
    let right: Vec<u8> = (0..).zip(&asked.options).filter(|(_, option)| option.right).map(|(index, _)| index).collect();
    let (texts, rationales) = asked.options.into_iter().map(|option| (option.text, option.rationale)).unzip();
    let question = Question { stem: asked.stem, choice: front.choice?, options: texts };
    let key = Key::new(right, rationales).ok()?;
    let about = About {
        objective: front.objective?.value,
        family: front.family.map_or_else(|| id.to_owned(), |family| family.value),
        enemies: front.enemies.into_iter().map(|enemy| ItemId(enemy.value)).collect(),
        barely_competent: front.barely_competent?,
        lookup: front.lookup?,
        source: front.source?,
    };
    Some(Item { id: ItemId(id.to_owned()), version: ItemVersion::of(&question, &key, &about), question, key, about })
}

impl ItemVersion {
    /// SHA-256 (FIPS 180-4), in lower-case hex, over the item's canonical form: one line that names the form, then
    /// question, sealed key and the rest as compact JSON in the order of their declaration, enemies sorted.
    pub fn of(question: &Question, key: &Key, about: &About) -> Self {
        let mut about = about.clone();
        about.enemies.sort();
        about.enemies.dedup();
        let mut hash = Sha256::new();
        hash.update(b"assay item 1\n");
        for part in [serde_json::to_vec(question), Ok(key.seal().0), serde_json::to_vec(&about)] {
            // Plain structs of strings and numbers: writing them to memory does not fail.
            hash.update(part.unwrap_or_default());
            hash.update(b"\n");
        }
        Self(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

#[derive(Default)]
struct Front {
    objective: Option<Located<String>>,
    family: Option<Located<String>>,
    enemies: Vec<Located<String>>,
    choice: Option<Choice>,
    barely_competent: Option<u8>,
    lookup: Option<Lookup>,
    source: Option<String>,
    review_by: Option<Located<String>>,
}

impl Front {
    fn read(id: &str, node: &Node, asked: &Asked, faults: &mut Vec<Fault>) -> Self {
        let mut fields = Fields::new("the front matter", node, &FIELDS, faults);
        let objective = fields.required_text("objective", "an objective of programme.toml: `objective: domain.name`");
        let choice = choice(&mut fields, asked);
        let barely_competent = fields.required_whole("barely_competent", 1, 99).and_then(|found| u8::try_from(found.value).ok());
        let lookup = lookup(&mut fields);
        let source = fields.required_text("source", "the documentation page and section it rests on").map(|found| found.value);
        let family = fields.text("family").filter(|found| slug_or_fault(&mut fields, "family", found));
        let mut enemies = fields.texts("enemies");
        enemies.retain(|found| slug_or_fault(&mut fields, "enemies", found));
        if let Some(own) = enemies.iter().find(|enemy| enemy.value == id) {
            fields.fault(own.line, "the item is its own enemy", "name other items, or leave `enemies` out");
        }
        let review_by = fields.text("review_by");
        Self { objective, family, enemies, choice, barely_competent, lookup, source, review_by }
    }
}

fn slug_or_fault(fields: &mut Fields<'_, '_>, name: &str, found: &Located<String>) -> bool {
    let good = is_slug(&found.value);
    if !good {
        let what = format!("`{name}` has `{}`, which is not a slug", found.value);
        fields.fault(found.line, what, "use lower-case letters, digits and single hyphens");
    }
    good
}

fn choice(fields: &mut Fields<'_, '_>, asked: &Asked) -> Option<Choice> {
    let highest = i64::try_from(task_list::MAX_OPTIONS).unwrap_or(i64::MAX) - 1;
    let choose = match fields.get("choose") {
        None => 1,
        Some(_) => usize::try_from(fields.whole("choose", 1, highest)?.value).ok()?,
    };
    let right = asked.options.iter().filter(|option| option.right).count();
    let line = fields.line_of("choose");
    if right > 0 && choose != right {
        let what = format!("`choose` is {choose}, but {right} options are marked right");
        fields.fault(line, what, format!("write `choose: {right}`, or mend the boxes"));
    }
    if !asked.options.is_empty() && choose >= asked.options.len() {
        let what = format!("`choose` is {choose} of {} options", asked.options.len());
        fields.fault(line, what, "offer more options than are to be chosen");
    }
    Some(match choose {
        1 => Choice::One,
        many => Choice::Many(u8::try_from(many).ok()?),
    })
}

fn lookup(fields: &mut Fields<'_, '_>) -> Option<Lookup> {
    // YAML 1.1 readers take a bare yes or no for a truth value; both spellings mean the same here.
    let found = match fields.get("lookup").map(|node| &node.value) {
        Some(Value::Flag(true)) => return Some(Lookup::Yes),
        Some(Value::Flag(false)) => return Some(Lookup::No),
        _ => fields.required_text("lookup", "one of: yes, partly, no")?,
    };
    match found.value.as_str() {
        "yes" => Some(Lookup::Yes),
        "partly" => Some(Lookup::Partly),
        "no" => Some(Lookup::No),
        other => {
            fields.fault(found.line, format!("`lookup` is `{other}`"), "write yes, partly or no");
            None
        }
    }
}

/// A Markdown file with front matter, not yet understood.
#[derive(Clone, Copy, Debug)]
pub struct Document<'t> {
    front: &'t str,
    body: &'t str,
    body_line: u32,
}

impl<'t> Document<'t> {
    /// Splits a text (from [`text_of`]) at its two `---` lines.
    pub fn split(text: &'t str) -> Result<Self, Fault> {
        let instead = "begin the file with `---`, the fields one a line, and `---`";
        let Some(rest) = text.strip_prefix("---").and_then(after_blank_line_end) else {
            return Err(Fault::new(1, "the file has no front matter", instead));
        };
        let mut offset = 0;
        for (line, words) in (2_u32..).zip(rest.split_inclusive('\n')) {
            if words.trim_end() == "---" {
                let body = rest.get(offset + words.len()..).unwrap_or_default();
                return Ok(Self { front: &rest[..offset], body, body_line: line + 1 });
            }
            offset += words.len();
        }
        Err(Fault::new(1, "the front matter does not end", instead))
    }

    /// The front matter's values.
    pub fn front(&self) -> Result<Node, Fault> {
        fields::from_yaml(self.front, 2)
    }

    /// The Markdown below the front matter.
    pub fn body(&self) -> &'t str {
        self.body
    }

    /// The line of the file on which [`Document::body`] begins.
    pub fn body_line(&self) -> u32 {
        self.body_line
    }

    fn question(&self, faults: &mut Vec<Fault>) -> Asked {
        let lines = Lines::new(self.body, self.body_line);
        let events: Vec<Placed<'_>> = Parser::new_ext(self.body, clean::options()).into_offset_iter().collect();
        for (event, range) in &events {
            if matches!(event, Event::Start(Tag::Heading { .. })) {
                let instead = "write a plain paragraph (a line of `---` below words makes a heading too)";
                faults.push(Fault::new(lines.of(range), "a heading inside an item", instead));
            }
        }
        task_list::prose(&events, &lines, faults);
        task_list::question(&events, &lines, self.body_line, faults)
    }
}

fn after_blank_line_end(rest: &str) -> Option<&str> {
    let (line, rest) = rest.split_once('\n')?;
    line.trim().is_empty().then_some(rest)
}
