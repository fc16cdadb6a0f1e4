//! Items that ask the same thing in other words: the likeness of whole items, stem and options together.
//!
//! Each item is a vector of its word stems (Snowball), weighted by how rare they are in the bank (term frequency, damped, times
//! inverse document frequency); the likeness of two is the cosine between them (G. Salton and C. Buckley, "Term-weighting approaches
//! in automatic text retrieval", Information Processing & Management 24(5), 1988, 513-523). 1 is the same words, 0 none in common.

use std::collections::BTreeMap;

use assay_items::{task_list::Asked, words::normalised};
use rust_stemmers::{Algorithm, Stemmer};

/// From here on two items are told. In both sample programmes (344 items, November 2026) pairs that share a situation and ask different
/// things reach 0.57; the same question with its words turned round lies above.
pub(crate) const ALIKE: f64 = 0.6;

/// The stems of a bank, by item.
pub(crate) struct Vectors {
    vectors: Vec<Vec<(usize, f64)>>,
}

impl Vectors {
    /// Makes a vector of each item. `language` is a tag such as `en` or `pt-BR`; where there is no stemmer for it, words count as they are.
    pub(crate) fn of(items: &[&Asked], language: &str) -> Self {
        let stemmer = stemmer(language);
        let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
        let mut counts: Vec<BTreeMap<usize, f64>> = Vec::with_capacity(items.len());
        for asked in items {
            let mut text = asked.stem_words.clone();
            for option in &asked.options {
                text.push(' ');
                text.push_str(&option.words);
            }
            let mut count = BTreeMap::new();
            for word in normalised(&text).split(' ').filter(|word| !word.is_empty()) {
                let stem = stemmer.as_ref().map_or_else(|| word.to_owned(), |stemmer| stemmer.stem(word).into_owned());
                let next = numbers.len();
                *count.entry(*numbers.entry(stem).or_insert(next)).or_insert(0.0) += 1.0;
            }
            counts.push(count);
        }
        let mut in_items = vec![0_usize; numbers.len()];
        counts.iter().flat_map(BTreeMap::keys).for_each(|&stem| in_items[stem] += 1);
        let rare = |stem: usize| (items.len() as f64 / in_items[stem] as f64).ln();
        let vectors = counts.into_iter().map(|count| {
            let weighted: Vec<(usize, f64)> = count.into_iter().map(|(stem, n)| (stem, (1.0 + n.ln()) * rare(stem))).collect();
            let length = weighted.iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt();
            if length > 0.0 { weighted.into_iter().map(|(stem, weight)| (stem, weight / length)).collect() } else { Vec::new() }
        });
        Self { vectors: vectors.collect() }
    }

    /// The likeness of two items, 0 to 1.
    pub(crate) fn likeness(&self, one: usize, other: usize) -> f64 {
        let (Some(one), Some(other)) = (self.vectors.get(one), self.vectors.get(other)) else { return 0.0 };
        let (mut a, mut b, mut sum) = (one.iter().peekable(), other.iter().peekable(), 0.0);
        while let (Some((left, weight)), Some((right, counter))) = (a.peek(), b.peek()) {
            if left == right {
                sum += weight * counter;
            }
            if left <= right {
                a.next();
            } else {
                b.next();
            }
        }
        sum
    }
}

fn stemmer(language: &str) -> Option<Stemmer> {
    let algorithm = match language.split('-').next()? {
        "ar" => Algorithm::Arabic,
        "da" => Algorithm::Danish,
        "de" => Algorithm::German,
        "el" => Algorithm::Greek,
        "en" => Algorithm::English,
        "es" => Algorithm::Spanish,
        "fi" => Algorithm::Finnish,
        "fr" => Algorithm::French,
        "hu" => Algorithm::Hungarian,
        "it" => Algorithm::Italian,
        "nb" | "nn" | "no" => Algorithm::Norwegian,
        "nl" => Algorithm::Dutch,
        "pt" => Algorithm::Portuguese,
        "ro" => Algorithm::Romanian,
        "ru" => Algorithm::Russian,
        "sv" => Algorithm::Swedish,
        "ta" => Algorithm::Tamil,
        "tr" => Algorithm::Turkish,
        _ => return None,
    };
    Some(Stemmer::create(algorithm))
}

#[cfg(test)]
mod tests {
    use assay_items::Html;

    use super::*;

    fn asked(stem: &str) -> Asked {
        Asked { line: 1, stem: Html::default(), stem_words: stem.to_owned(), options: vec![] }
    }

    #[test]
    fn the_same_in_other_forms_and_another_order_is_alike() {
        let bank = [
            asked("A function reads messages from a queue and fails after two minutes. What happens to the messages?"),
            asked("After two minutes the function fails that is reading a message from a queue. What happens to it?"),
            asked("A table is read by key and by date. Which index is needed?"),
            asked("A key was leaked in a log. Who rotates it?"),
            asked("A stage has a cache. Which requests are answered from it?"),
        ];
        let refs: Vec<&Asked> = bank.iter().collect();
        let vectors = Vectors::of(&refs, "en-GB");
        assert!(vectors.likeness(0, 1) > ALIKE, "{}", vectors.likeness(0, 1));
        for (one, other) in [(0, 2), (0, 3), (2, 3), (3, 4)] {
            assert!(vectors.likeness(one, other) < 0.3, "{one} {other}: {}", vectors.likeness(one, other));
        }
        assert!((vectors.likeness(2, 2) - 1.0).abs() < 1e-9);
        // Without stems, "reads messages" and "reading a message" are strangers.
        assert!(Vectors::of(&refs, "tlh").likeness(0, 1) < vectors.likeness(0, 1));
        assert_eq!(Vectors::of(&[], "en").likeness(0, 1), 0.0);
    }
}
