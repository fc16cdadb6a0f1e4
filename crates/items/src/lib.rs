//! Questions: what a learner may see ([`Question`]), what decides right or wrong ([`Key`]), and the formats they come in.
//!
//! The split is the point of this room: a [`Key`] has no way out except [`Key::score`] and [`Key::seal`],
//! so no page, log line or API answer can carry one by accident.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "tests"))]

pub mod clean;
pub mod fault;
pub mod fields;
mod key;
pub mod markdown_glossary;
pub mod markdown_item;
pub mod markdown_lesson;
mod model;
pub mod task_list;
pub mod teaching;
pub mod words;

pub use key::{Key, KeyError, Mark, SealedKey};
pub use model::{About, Choice, Html, Item, ItemId, ItemVersion, Lookup, Question};
