//! Whether two questions are nearly the same.

use std::collections::BTreeMap;

use assay_items::words::normalised;

/// From here on two texts count as nearly equal. Changing one word of ten still reaches it.
const NEARLY: f64 = 0.8;

/// A text made ready for comparing.
pub(crate) struct Likeness {
    pub(crate) words: String,
    pairs: BTreeMap<(String, String), usize>,
    count: usize,
}

impl Likeness {
    pub(crate) fn of(text: &str) -> Self {
        let words = normalised(text);
        let list: Vec<&str> = words.split(' ').collect();
        let mut pairs = BTreeMap::new();
        for pair in list.windows(2) {
            *pairs.entry((pair[0].to_owned(), pair[1].to_owned())).or_default() += 1;
        }
        let count = list.len().saturating_sub(1);
        Self { words, pairs, count }
    }

    /// Equal words, or at least 80 % of neighbouring word pairs in common (Sørensen and Dice's coefficient).
    pub(crate) fn is_near(&self, other: &Self) -> bool {
        if self.words.is_empty() || other.words.is_empty() {
            return false;
        }
        // Even if the shorter lay wholly inside the longer it could not reach the bar.
        let possible = 2.0 * self.count.min(other.count) as f64 / (self.count + other.count).max(1) as f64;
        if self.words == other.words || possible < NEARLY {
            return self.words == other.words;
        }
        let common: usize = self.pairs.iter().map(|(pair, &n)| n.min(other.pairs.get(pair).copied().unwrap_or(0))).sum();
        2.0 * common as f64 / (self.count + other.count) as f64 >= NEARLY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(one: &str, other: &str) -> bool {
        Likeness::of(one).is_near(&Likeness::of(other))
    }

    #[test]
    fn nearly_equal_questions() {
        assert!(near("What is *a* queue?", "what is A queue"));
        let long = "A function reads from a queue and fails after two minutes of work. What happens to the message next?";
        assert!(near(long, &long.replace("two minutes", "two hours")));
        assert!(!near(long, "A function writes to a table. What happens next?"));
        assert!(!near("Which two are right?", "Which three are wrong?"));
        assert!(!near("", "") && !near("a", "b") && near("a", "A!"));
    }
}
