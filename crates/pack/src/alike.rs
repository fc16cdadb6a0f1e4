//! Whether two questions are nearly the same.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use assay_items::words::normalised;

/// From here on two texts count as nearly equal. Changing one word of ten still reaches it.
const NEARLY: f64 = 0.8;

/// A text made ready for comparing.
pub(crate) struct Likeness {
    pub(crate) words: String,
    /// A number for each pair of neighbouring words, in order: a pack compares tens of thousands of texts, each time it is read.
    pairs: Vec<u64>,
}

impl Likeness {
    pub(crate) fn of(text: &str) -> Self {
        let words = normalised(text);
        let list: Vec<&str> = words.split(' ').collect();
        let numbers = BuildHasherDefault::<DefaultHasher>::default();
        let mut pairs: Vec<u64> = list.windows(2).map(|pair| numbers.hash_one(pair)).collect();
        pairs.sort_unstable();
        Self { words, pairs }
    }

    /// Equal words, or at least 80 % of neighbouring word pairs in common (Sørensen and Dice's coefficient).
    pub(crate) fn is_near(&self, other: &Self) -> bool {
        if self.words.is_empty() || other.words.is_empty() {
            return false;
        }
        let (one, two, both) = (self.pairs.len(), other.pairs.len(), (self.pairs.len() + other.pairs.len()).max(1) as f64);
        // Even if the shorter lay wholly inside the longer it could not reach the bar.
        if self.words == other.words || 2.0 * one.min(two) as f64 / both < NEARLY {
            return self.words == other.words;
        }
        2.0 * in_common(&self.pairs, &other.pairs) as f64 / both >= NEARLY
    }
}

/// How many numbers two sorted lists share, each as often as both have it.
fn in_common(one: &[u64], other: &[u64]) -> usize {
    let (mut a, mut b, mut common) = (one.iter().peekable(), other.iter().peekable(), 0);
    while let (Some(left), Some(right)) = (a.peek(), b.peek()) {
        let order = left.cmp(right);
        common += usize::from(order.is_eq());
        if order.is_le() {
            a.next();
        }
        if order.is_ge() {
            b.next();
        }
    }
    common
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

    #[test]
    fn what_comes_twice_counts_twice_where_both_have_it_twice() {
        let twos: [(&[u64], &[u64], usize); 4] = [(&[1, 2, 2, 3], &[2, 2, 4], 2), (&[2, 2], &[2], 1), (&[], &[1], 0), (&[7], &[7], 1)];
        for (one, other, common) in twos {
            assert_eq!((in_common(one, other), in_common(other, one)), (common, common), "{one:?} {other:?}");
        }
    }
}
