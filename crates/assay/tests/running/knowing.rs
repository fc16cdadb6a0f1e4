//! People who know every answer.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, reason = "shared by tests that each use a part")]

use std::collections::BTreeSet;

use assay_items::{Choice, Item, Mark};

use super::between;

/// The options of a question's page, and which of their tokens to choose.
pub fn options_and_right(page: &str, pool: &[Item]) -> (Vec<(String, String)>, BTreeSet<String>) {
    let options = options(page);
    // Pages adorn code in a stem, so its first paragraph must do.
    let first = |item: &Item| item.question.stem.as_str().split("</p>").next().unwrap().to_owned();
    let same = |item: &Item| item.question.options.iter().all(|html| options.iter().any(|(_, words)| words == html.as_str()));
    let item = pool.iter().find(|item| same(item) && page.contains(&first(item))).unwrap();
    let right = right(item, &options);
    (options, right)
}

/// The sample programme's pool.
pub fn sample_pool() -> Vec<Item> {
    assay_pack::read(&assay_pack::Folder::open(super::sample_pack()).unwrap(), "serverless").unwrap().items
}

/// Tokens and words of a page's options.
fn options(page: &str) -> Vec<(String, String)> {
    let inputs = between(page, "name=\"choice\"", "</label>");
    let option = |input: &&str| {
        Some((
            between(input, "value=\"", "\"").first()?.to_string(),
            between(input, "<label", "\u{0}").first()?.split_once('>')?.1.to_owned(),
        ))
    };
    inputs.iter().filter_map(option).collect()
}

/// Asks the key about every set of options.
fn right(item: &Item, options: &[(String, String)]) -> BTreeSet<String> {
    let size = match item.question.choice {
        Choice::One => 1,
        Choice::Many(n) => u32::from(n),
    };
    let count = item.question.options.len();
    let sets = (0_u32..1 << count).filter(|bits| bits.count_ones() == size);
    let set = sets
        .map(|bits| (0..count as u8).filter(|i| bits >> i & 1 == 1).collect::<BTreeSet<u8>>())
        .find(|set| item.key.score(set) == Mark::Right)
        .unwrap();
    let words = |i: &u8| item.question.options[usize::from(*i)].as_str();
    set.iter().map(|i| options.iter().find(|(_, html)| html == words(i)).unwrap().0.clone()).collect()
}
