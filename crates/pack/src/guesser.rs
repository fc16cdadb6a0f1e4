//! A reader who knows nothing and guesses by cues: how often would the habits of an author alone give the answer away?
//!
//! Each rule gives every option of an item a figure, and the guesser chooses the highest; among equals by chance, which is
//! counted as its expectation. Rules are also tried in every combination, because a person who sits a test uses them together.

use std::collections::BTreeMap;

use assay_items::{task_list::Asked, words::normalised};
use serde::Serialize;

/// What the best combination may get right, in per cent. Four options give 25 by chance.
pub(crate) const MOST_PERCENT: f64 = 35.0;

/// Fewer items than this say nothing about habits: the best of many combinations is then a matter of luck.
pub(crate) const ENOUGH_ITEMS: usize = 40;

/// What a guesser gets right in one way of guessing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Guess {
    /// Its rules, in words.
    pub rules: Vec<&'static str>,
    /// Of 100 items, how many it gets right.
    pub percent: f64,
}

/// What cues give away.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Guesses {
    /// Items that were guessed at.
    pub items: usize,
    /// Blind chance, in per cent.
    pub chance: f64,
    /// Each rule by itself.
    pub single: Vec<Guess>,
    /// The best of all rules and combinations.
    pub best: Guess,
    /// Items that the best one gets right for sure, by slug.
    pub given_away: Vec<String>,
}

type Figures = Vec<f64>;

/// The rules: their names, and what they make of an item's options.
const RULES: [&str; 7] = [
    "the longest",
    "the shortest",
    "the most specific",
    "no absolutes",
    "grammar and form",
    "position in the file",
    "echo of the question",
];

/// Guesses at a bank; none for an empty one. `items` are slugs with their questions.
pub(crate) fn guesses(items: &[(&str, &Asked)]) -> Option<Guesses> {
    let items: Vec<(&str, &Asked)> = items.iter().copied().filter(|(_, asked)| is_whole(asked)).collect();
    let places = places(&items);
    let figures: Vec<[Figures; RULES.len()]> = items.iter().map(|(_, asked)| figures(asked, &places)).collect();
    let try_out = |rules: usize| -> Vec<f64> {
        items.iter().zip(&figures).map(|((_, asked), figures)| right_by(&together(figures, rules), &key(asked))).collect()
    };
    let percent = |rights: &[f64]| 100.0 * rights.iter().sum::<f64>() / rights.len().max(1) as f64;
    let named = |rules: usize| (0..RULES.len()).filter(|rule| rules >> rule & 1 == 1).map(|rule| RULES[rule]).collect();
    let single = (0..RULES.len()).map(|rule| Guess { rules: vec![RULES[rule]], percent: percent(&try_out(1 << rule)) }).collect();
    // The first of equals, so that a report does not waver.
    let best = (1..1_usize << RULES.len()).map(|rules| (rules, percent(&try_out(rules)))).reduce(|a, b| if b.1 > a.1 { b } else { a })?;
    let sure = try_out(best.0);
    let given_away = items.iter().zip(&sure).filter(|(_, right)| **right > 0.99).map(|((id, _), _)| (*id).to_owned()).collect();
    (!items.is_empty()).then(|| Guesses {
        items: items.len(),
        chance: percent(&try_out(0)),
        single,
        best: Guess { rules: named(best.0), percent: best.1 },
        given_away,
    })
}

fn is_whole(asked: &Asked) -> bool {
    let right = asked.options.iter().filter(|option| option.right).count();
    right > 0 && right < asked.options.len()
}

fn key(asked: &Asked) -> Vec<bool> {
    asked.options.iter().map(|option| option.right).collect()
}

/// How probable it is that choosing the highest figures, equals by chance, gives exactly the key.
fn right_by(figures: &[f64], key: &[bool]) -> f64 {
    let wanted = key.iter().filter(|right| **right).count();
    let mut sorted = figures.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let Some(bar) = wanted.checked_sub(1).and_then(|last| sorted.get(last)) else { return 0.0 };
    let same = |figure: f64| (figure - bar).abs() < 1e-9;
    let pairs = || figures.iter().copied().zip(key.iter().copied());
    if pairs().any(|(figure, right)| !same(figure) && (figure > *bar) != right) {
        return 0.0;
    }
    let equals = pairs().filter(|(figure, _)| same(*figure)).count();
    let keys_among = pairs().filter(|(figure, right)| same(*figure) && *right).count();
    1.0 / choose(equals, keys_among)
}

/// The number of ways to choose `k` of `n`.
fn choose(n: usize, k: usize) -> f64 {
    (0..k.min(n)).map(|i| (n - i) as f64 / (i + 1) as f64).product()
}

/// The sum of some rules' figures, each brought to 0 to 1 first so that none shouts the others down.
fn together(figures: &[Figures; RULES.len()], rules: usize) -> Figures {
    let mut sum = vec![0.0; figures[0].len()];
    for one in figures.iter().enumerate().filter(|(rule, _)| rules >> rule & 1 == 1).map(|(_, one)| one) {
        let (low, high) = one.iter().fold((f64::MAX, f64::MIN), |(low, high), &x| (low.min(x), high.max(x)));
        for (into, figure) in sum.iter_mut().zip(one) {
            *into += if high > low { (figure - low) / (high - low) } else { 0.0 };
        }
    }
    sum
}

fn figures(asked: &Asked, places: &BTreeMap<usize, Vec<f64>>) -> [Figures; RULES.len()] {
    let each = |figure: &dyn Fn(&str) -> f64| asked.options.iter().map(|option| figure(&option.words)).collect::<Figures>();
    let length = |words: &str| words.chars().count() as f64;
    [
        each(&length),
        each(&|words| -length(words)),
        each(&specific),
        each(&|words| -absolutes(words)),
        form(asked),
        position(asked, places),
        each(&|words| echo(&asked.stem_words, words)),
    ]
}

/// Words by which authors make a right option safe.
const QUALIFIERS: [&str; 24] = [
    "usually",
    "often",
    "may",
    "can",
    "could",
    "might",
    "most",
    "mostly",
    "some",
    "sometimes",
    "typically",
    "generally",
    "probably",
    "unless",
    "until",
    "if",
    "when",
    "where",
    "while",
    "because",
    "so",
    "which",
    "only",
    "least",
];

/// Words by which authors make a wrong option wrong.
const ABSOLUTES: [&str; 21] = [
    "always",
    "never",
    "all",
    "none",
    "every",
    "everything",
    "everyone",
    "nothing",
    "nobody",
    "any",
    "must",
    "cannot",
    "no",
    "only",
    "completely",
    "entirely",
    "fully",
    "impossible",
    "guaranteed",
    "guarantees",
    "whole",
];

fn among(list: &[&str], words: &str) -> f64 {
    normalised(words).split(' ').filter(|word| list.contains(word)).count() as f64
}

fn specific(words: &str) -> f64 {
    let figures = words.split_whitespace().filter(|word| word.contains(|c: char| c.is_ascii_digit())).count() as f64;
    let asides = words.chars().filter(|c| matches!(c, ',' | ';' | '(' | ':' | '–' | '—')).count() as f64;
    among(&QUALIFIERS, words) + figures + asides
}

fn absolutes(words: &str) -> f64 {
    among(&ABSOLUTES, words)
}

/// How an option fits the end of the stem, and how many others are built as it is.
fn form(asked: &Asked) -> Figures {
    let last =
        asked.stem_words.trim_end_matches([':', '…', ' ', '\n']).rsplit(char::is_whitespace).next().unwrap_or_default().to_lowercase();
    let begins_with_vowel = |words: &str| words.trim_start().to_lowercase().starts_with(['a', 'e', 'i', 'o', 'u']);
    let fits = |words: &str| match last.as_str() {
        "a" => f64::from(u8::from(!begins_with_vowel(words))),
        "an" => f64::from(u8::from(begins_with_vowel(words))),
        _ => 0.0,
    };
    let shape = |words: &str| {
        let words = words.trim();
        (words.ends_with(['.', '!', '?']), words.chars().next().is_some_and(char::is_uppercase))
    };
    let alike = |words: &str| asked.options.iter().filter(|other| shape(&other.words) == shape(words)).count() as f64;
    // A key is often the one that was written with care: the odd one out.
    asked.options.iter().map(|option| 10.0 * fits(&option.words) - alike(&option.words)).collect()
}

/// How often each place was right, by the number of options.
fn places(items: &[(&str, &Asked)]) -> BTreeMap<usize, Vec<f64>> {
    let mut places: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for (_, asked) in items {
        let counts = places.entry(asked.options.len()).or_insert_with(|| vec![0.0; asked.options.len()]);
        for (count, option) in counts.iter_mut().zip(&asked.options) {
            *count += f64::from(u8::from(option.right));
        }
    }
    places
}

/// The habit that all *other* items show.
fn position(asked: &Asked, places: &BTreeMap<usize, Vec<f64>>) -> Figures {
    let counts = places.get(&asked.options.len()).map(Vec::as_slice).unwrap_or_default();
    asked.options.iter().zip(counts).map(|(option, count)| count - f64::from(u8::from(option.right))).collect()
}

/// Long words of the question that come again in the option.
fn echo(stem: &str, option: &str) -> f64 {
    let stem = normalised(stem);
    let stem: Vec<&str> = stem.split(' ').collect();
    normalised(option).split(' ').filter(|word| word.chars().count() > 4 && stem.contains(word)).count() as f64
}

#[cfg(test)]
mod tests {
    use assay_items::{Html, task_list::AskedOption};

    use super::*;

    fn asked(stem: &str, options: &[&str], right: &[usize]) -> Asked {
        let option = |(index, words): (usize, &&str)| AskedOption {
            line: 1,
            text: Html::default(),
            words: (*words).to_owned(),
            right: right.contains(&index),
            rationale: Html::default(),
        };
        Asked { line: 1, stem: Html::default(), stem_words: stem.to_owned(), options: options.iter().enumerate().map(option).collect() }
    }

    fn over(bank: &[Asked]) -> Guesses {
        let named: Vec<(&str, &Asked)> = bank.iter().map(|asked| ("item", asked)).collect();
        guesses(&named).unwrap()
    }

    fn single(found: &Guesses, rule: &str) -> f64 {
        found.single.iter().find(|guess| guess.rules == [rule]).unwrap().percent
    }

    /// Four options that differ in nothing but one planted cue, which stands at the key; keys go round.
    fn planted(plain: &str, cued: &str, stem: &str) -> Vec<Asked> {
        (0..40)
            .map(|n| {
                let mut options = [plain; 4];
                options[n % 4] = cued;
                asked(stem, &options, &[n % 4])
            })
            .collect()
    }

    #[test]
    fn each_planted_cue_is_found_by_its_rule_and_by_the_best() {
        for (rule, plain, cued, stem) in [
            ("the longest", "word", "words", "What?"),
            ("the shortest", "words", "word", "What?"),
            ("the most specific", "it stays on", "it stays 9", "What?"),
            ("no absolutes", "it always is", "it seldom is", "What?"),
            ("grammar and form", "queue", "event", "The thing is called an"),
            ("echo of the question", "it uses cached", "it uses tokens", "Where do the tokens go?"),
        ] {
            let found = over(&planted(plain, cued, stem));
            assert!(single(&found, rule) > 99.0, "{rule}: {found:?}");
            assert!(found.best.percent > 99.0 && found.given_away.len() == 40, "{rule}: {found:?}");
            assert!((found.chance - 25.0).abs() < 1e-9, "{found:?}");
        }
        // Keys in one place: the rule that looks for it, and no other.
        let bank: Vec<Asked> = (0..40).map(|_| asked("What?", &["aaaa", "bbbb", "cccc", "dddd"], &[2])).collect();
        let found = over(&bank);
        assert!(single(&found, "position in the file") > 99.0 && (single(&found, "the longest") - 25.0).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn a_bank_without_cues_gives_chance() {
        let bank: Vec<Asked> = (0..40).map(|n| asked("What?", &["aaaa", "bbbb", "cccc", "dddd"], &[n % 4])).collect();
        let found = over(&bank);
        for guess in found.single.iter().filter(|guess| guess.rules != ["position in the file"]) {
            assert!((guess.percent - 25.0).abs() < 1e-9, "{guess:?}");
        }
        assert!(found.best.percent <= MOST_PERCENT, "{found:?}");
    }

    #[test]
    fn several_keys_are_right_together_or_not_at_all() {
        let found = over(&[asked("What?", &["a", "b", "c", "d", "e"], &[0, 3])]);
        assert!((found.chance - 10.0).abs() < 1e-9, "{found:?}");
        assert_eq!(right_by(&[2.0, 1.0, 1.0, 0.0], &[true, true, false, false]), 0.5);
        assert_eq!(right_by(&[2.0, 1.0, 1.0, 0.0], &[false, true, true, false]), 0.0);
        assert_eq!(right_by(&[2.0, 3.0, 1.0, 0.0], &[true, true, false, false]), 1.0);
        assert!(guesses(&[]).is_none());
    }
}
