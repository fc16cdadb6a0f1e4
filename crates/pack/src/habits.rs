//! Habits of authors that give answers away: where the right option stands, and how long it is.

use std::collections::BTreeMap;

use assay_items::task_list::Asked;

/// Fewer items than this show nothing.
const ENOUGH: usize = 20;

/// Upper 1 % points of the chi-square distribution with 1 to 11 degrees of freedom.
const CHI_SQUARE_1_PERCENT: [f64; 11] = [6.63, 9.21, 11.34, 13.28, 15.09, 16.81, 18.48, 20.09, 21.67, 23.21, 24.72];

/// Upper 1 % point of the normal distribution.
const NORMAL_1_PERCENT: f64 = 2.33;

/// What stands out, each as words and the way out.
pub(crate) fn warnings<'a>(items: impl Iterator<Item = &'a Asked>) -> Vec<(String, String)> {
    let single: Vec<&Asked> =
        items.filter(|asked| asked.options.len() >= 2 && asked.options.iter().filter(|o| o.right).count() == 1).collect();
    positions(&single).into_iter().chain(longest(&single)).collect()
}

fn positions(items: &[&Asked]) -> Vec<(String, String)> {
    let mut by_count: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for asked in items {
        let counts = by_count.entry(asked.options.len()).or_insert_with(|| vec![0; asked.options.len()]);
        if let Some(place) = asked.options.iter().position(|option| option.right) {
            counts[place] += 1;
        }
    }
    let mut out = Vec::new();
    for (options, counts) in by_count {
        let total: usize = counts.iter().sum();
        let expected = total as f64 / options as f64;
        let chi_square: f64 = counts.iter().map(|&n| (n as f64 - expected).powi(2) / expected).sum();
        let bar = CHI_SQUARE_1_PERCENT.get(options - 2).copied().unwrap_or(f64::INFINITY);
        if total >= ENOUGH && chi_square > bar {
            let shares: Vec<String> = counts.iter().map(|&n| format!("{:.0} %", 100.0 * n as f64 / total as f64)).collect();
            let what = format!("the right one of {options} options is not evenly placed: {} over {total} items", shares.join(", "));
            out.push((what, "move right options about; pages shuffle them, but readers of the pack learn the habit".to_owned()));
        }
    }
    out
}

fn longest(items: &[&Asked]) -> Option<(String, String)> {
    let length = |words: &str| words.chars().count();
    let key_is_longest = |asked: &&&Asked| {
        let right = asked.options.iter().filter(|o| o.right).map(|o| length(&o.words)).max().unwrap_or(0);
        asked.options.iter().filter(|o| !o.right).all(|o| length(&o.words) < right)
    };
    let found = items.iter().filter(key_is_longest).count();
    let chances = items.iter().map(|asked| 1.0 / asked.options.len() as f64);
    let (expected, variance) = chances.fold((0.0, 0.0), |(sum, var), p| (sum + p, var + p * (1.0 - p)));
    let stands_out = items.len() >= ENOUGH && found as f64 > expected + NORMAL_1_PERCENT * variance.sqrt();
    stands_out.then(|| {
        let percent = |n: f64| 100.0 * n / items.len() as f64;
        let what = format!(
            "the right option is the longest in {found} of {} items ({:.0} %; chance gives {:.0} %)",
            items.len(),
            percent(found as f64),
            percent(expected)
        );
        (what, "shorten right options or lengthen wrong ones: who guesses the longest should not gain".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use assay_items::{Html, task_list::AskedOption};

    use super::*;

    fn asked(right: usize, long: usize) -> Asked {
        let option = |index: usize| AskedOption {
            line: 1,
            text: Html::default(),
            words: if index == long { "very long".into() } else { "short".into() },
            right: index == right,
            rationale: Html::default(),
        };
        Asked { line: 1, stem: Html::default(), stem_words: String::new(), options: (0..4).map(option).collect() }
    }

    #[test]
    fn even_banks_are_quiet() {
        let bank: Vec<Asked> = (0..64).map(|n| asked(n % 4, (n / 4) % 4)).collect();
        assert_eq!(warnings(bank.iter()), []);
    }

    #[test]
    fn habits_are_named_with_figures() {
        let bank: Vec<Asked> = (0..40).map(|n| asked(n % 2, n % 2)).collect();
        let said = warnings(bank.iter());
        assert!(said[0].0.contains("50 %, 50 %, 0 %, 0 % over 40 items"), "{said:?}");
        assert!(said[1].0.contains("longest in 40 of 40 items (100 %; chance gives 25 %)"), "{said:?}");
        assert_eq!(warnings(bank[..19].iter()), []);
    }
}
