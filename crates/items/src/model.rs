//! The item model: plain data, in the order the author wrote it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Key;

/// HTML that went through [`crate::clean`]; the only kind a page inserts unescaped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Html(String);

impl Html {
    /// Wraps HTML that is known to be clean. Only [`crate::clean`], code that puts cleaned pieces together
    /// (a lesson and its diagrams) and code that reads back stored content call this.
    pub fn trusted(html: impl Into<String>) -> Self {
        Self(html.into())
    }

    /// The markup.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An item's name: the author's slug, unique in its bank, stable over versions (`functions-timeout-1`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ItemId(pub String);

/// A content hash over the whole item, key included. It therefore says something about the key:
/// it is stored, never shown and never used to order anything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ItemVersion(pub String);

/// How many options a learner chooses. Authored beside the stem, not counted from the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Exactly one: radio buttons.
    One,
    /// Exactly this many: checkboxes, "Choose 2".
    Many(u8),
}

/// What a learner may see of an item, options in the author's order. Pages get it only through a form, which shuffles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The question itself.
    pub stem: Html,
    /// One or several.
    pub choice: Choice,
    /// Two or more options in the author's order.
    pub options: Vec<Html>,
}

/// Could someone look this up in one search? The author's own judgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lookup {
    /// One search answers it.
    Yes,
    /// A search helps.
    Partly,
    /// It takes understanding.
    No,
}

/// What is known about an item besides its words. Not shown to learners.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The objective it asks (`functions.limits`).
    pub objective: String,
    /// Items of one family never meet in one form; an item without a family is its own.
    pub family: String,
    /// Items that must not appear beside this one.
    pub enemies: Vec<ItemId>,
    /// Of 100 barely competent people, how many get it right (modified Angoff).
    pub barely_competent: u8,
    /// One-search look-up.
    pub lookup: Lookup,
    /// Documentation page and section it rests on.
    pub source: String,
}

/// One item: question, key and what is known about it.
#[derive(Clone, Debug)]
pub struct Item {
    /// Stable name.
    pub id: ItemId,
    /// Content hash, key included.
    pub version: ItemVersion,
    /// What a learner may see.
    pub question: Question,
    /// What decides.
    pub key: Key,
    /// Everything else.
    pub about: About,
}
