//! Attempts: when one may start, what a save means, when one ends.

use serde::{Deserialize, Serialize};

use crate::{UtcMillis, form::OptionToken, programme::Rules};

/// Where an attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptState {
    /// Answers are taken.
    Open,
    /// Closed and scored.
    Submitted,
}

/// Why a start was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartRefused {
    /// The wait after a failed attempt is not over.
    Waiting {
        /// When it is.
        until: UtcMillis,
    },
    /// An attempt is open already: the page leads there.
    AlreadyOpen {
        /// That attempt.
        attempt: crate::ids::AttemptId,
    },
    /// This badge version is held already.
    AlreadyPassed,
    /// All tries of the last 365 days are used.
    TriesUsed {
        /// When the oldest of them is a year old.
        until: UtcMillis,
    },
}

/// Seconds to wait after the `fails`-th failed attempt (from 1): the n-th entry of the list, then the last one.
pub fn wait_seconds(rules: &Rules, fails: u32) -> i64 {
    let index = (fails.max(1) as usize - 1).min(rules.retake_waits_seconds.len().saturating_sub(1));
    rules.retake_waits_seconds.get(index).copied().unwrap_or(crate::clock::DAY_SECONDS)
}

/// One answer on its way to the database. The revision is the server's, the counter the device's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Save {
    /// Chosen options; empty means cleared.
    pub chosen: Vec<OptionToken>,
    /// The revision the learner saw when choosing; 0 when there was no answer.
    pub base_revision: i64,
    /// A random name of the browser (or of one page without scripts).
    pub device: String,
    /// Counts that device's saves of this question upwards: a repeat has the same number.
    pub counter: i64,
}

/// What became of a save.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saved {
    /// It stands, or stood already (a repeat).
    Stands {
        /// The revision to base the next save on.
        revision: i64,
        /// When the server took it.
        at: UtcMillis,
    },
    /// Another device answered since: nothing was changed, the learner decides.
    NewerExists {
        /// The revision that stands.
        revision: i64,
        /// What it chose.
        chosen: Vec<OptionToken>,
        /// When.
        at: UtcMillis,
    },
    /// The attempt is over: nothing was changed.
    Closed,
}

/// What to do with a save, given what stands. The same rule as the guard of the store's statement; there it decides, here it explains.
pub fn judge_save(save: &Save, standing: Option<(i64, &str, i64)>) -> SaveVerdict {
    match standing {
        None => SaveVerdict::Take,
        Some((_, device, counter)) if device == save.device && counter == save.counter => SaveVerdict::Repeat,
        Some((_, device, counter)) if device == save.device && counter > save.counter => SaveVerdict::Repeat,
        Some((_, device, _)) if device == save.device => SaveVerdict::Take,
        Some((revision, _, _)) if revision == save.base_revision => SaveVerdict::Take,
        Some(_) => SaveVerdict::Conflict,
    }
}

/// See [`judge_save`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaveVerdict {
    /// Write it.
    Take,
    /// This device said this, or something later, before.
    Repeat,
    /// Another device answered since.
    Conflict,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(waits: &[i64]) -> Rules {
        Rules { questions: 50, pass_mark: 40, retake_waits_seconds: waits.to_vec(), time_limit_seconds: None, open_book: true }
    }

    #[test]
    fn the_nth_wait_is_the_nth_entry_then_the_last() {
        let rules = rules(&[1, 2, 5]);
        assert_eq!([0, 1, 2, 3, 4, 99].map(|n| wait_seconds(&rules, n)), [1, 1, 2, 5, 5, 5]);
    }

    #[test]
    fn an_older_answer_never_hides_a_newer_one() {
        let save = |device: &str, base, counter| Save { chosen: vec![], base_revision: base, device: device.into(), counter };
        assert_eq!(judge_save(&save("a", 0, 1), None), SaveVerdict::Take);
        assert_eq!(judge_save(&save("a", 0, 1), Some((1, "a", 1))), SaveVerdict::Repeat);
        assert_eq!(judge_save(&save("a", 0, 2), Some((1, "a", 1))), SaveVerdict::Take);
        assert_eq!(judge_save(&save("a", 0, 1), Some((2, "a", 2))), SaveVerdict::Repeat);
        assert_eq!(judge_save(&save("b", 1, 1), Some((1, "a", 1))), SaveVerdict::Take);
        assert_eq!(judge_save(&save("b", 0, 1), Some((1, "a", 1))), SaveVerdict::Conflict);
    }
}
