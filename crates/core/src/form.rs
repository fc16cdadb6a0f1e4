//! A form: the frozen list of items that one attempt shows, and how a learner sees one of them.

use assay_items::{Choice, Html, ItemId, Question};
use serde::{Deserialize, Serialize};

use crate::chance::SeededChance;

/// What stands for an option on the page: 64 random bits in hexadecimal, individual to the attempt.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OptionToken(pub String);

/// One option of one form: its place on the page is its place in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedOption {
    /// What the page calls it.
    pub token: OptionToken,
    /// Its index in the author's order. Never leaves the server while the attempt is open.
    pub authored: u8,
}

/// An item that may be drawn.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The item.
    pub item: ItemId,
    /// Its domain's slug.
    pub domain: String,
    /// Its family; an item without one is its own.
    pub family: String,
    /// Items it must not stand beside.
    pub enemies: Vec<ItemId>,
    /// How many options it has.
    pub options: usize,
    /// How often it was shown to anyone.
    pub shown: i64,
    /// Whether this person has seen it.
    pub seen: bool,
}

/// One item of a form, as drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormItem {
    /// The item.
    pub item: ItemId,
    /// Its domain, for the result.
    pub domain: String,
    /// How often it had been shown when it was drawn: kept, so that the draw can be derived again.
    pub shown_before: i64,
    /// Options in the order of the page.
    pub options: Vec<PlacedOption>,
}

/// Draws the order and the tokens of an item's options.
pub fn place_options(count: usize, chance: &SeededChance) -> Vec<PlacedOption> {
    let mut order: Vec<u8> = (0..u8::try_from(count).unwrap_or(u8::MAX)).collect();
    chance.shuffle(&mut order);
    let place = |authored| PlacedOption {
        token: OptionToken(format!("{:016x}", u64::from_be_bytes((chance as &dyn crate::Chance).bytes()))),
        authored,
    };
    order.into_iter().map(place).collect()
}

/// A question as one learner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownQuestion {
    /// The question itself.
    pub stem: Html,
    /// One or several.
    pub choice: Choice,
    /// Options in the order of this form.
    pub options: Vec<(OptionToken, Html)>,
}

/// Puts a question into the order of a form.
pub fn show(question: &Question, placed: &[PlacedOption]) -> ShownQuestion {
    let option = |p: &PlacedOption| question.options.get(usize::from(p.authored)).map(|html| (p.token.clone(), html.clone()));
    ShownQuestion { stem: question.stem.clone(), choice: question.choice, options: placed.iter().filter_map(option).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_tell_nothing_about_the_authored_order() {
        // Over many draws, sorting by token must not sort by authored order: each authored index comes first equally often.
        let chance = SeededChance::new([9; 32]);
        let mut first_by_token = [0u32; 4];
        let mut first_on_page = [0u32; 4];
        for _ in 0..4000 {
            let mut placed = place_options(4, &chance);
            first_on_page[usize::from(placed[0].authored)] += 1;
            placed.sort_by(|a, b| a.token.cmp(&b.token));
            first_by_token[usize::from(placed[0].authored)] += 1;
        }
        for counts in [first_by_token, first_on_page] {
            assert!(counts.iter().all(|n| (850..1150).contains(n)), "{counts:?}");
        }
    }
}
