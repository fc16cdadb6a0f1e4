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

/// The answer that stands when a save comes in.
#[derive(Clone, Copy, Debug)]
pub struct StandingAnswer<'a> {
    /// Its revision.
    pub revision: i64,
    /// The device that gave it.
    pub device: &'a str,
    /// That device's counter.
    pub counter: i64,
    /// What it chose.
    pub chosen: &'a [OptionToken],
}

/// What to do with a save, given what stands. The same rule as the guard of the store's statement; there it decides, here it explains.
///
/// A save that does not come later than what its own device said before is a repeat only if it says the same; a page that was left
/// and came back with another choice is told that a newer answer exists, never that it was saved.
pub fn judge_save(save: &Save, standing: Option<StandingAnswer<'_>>) -> SaveVerdict {
    let Some(s) = standing else { return SaveVerdict::Take };
    match s.device == save.device {
        true if s.counter < save.counter => SaveVerdict::Take,
        true if s.chosen == save.chosen => SaveVerdict::Repeat,
        false if s.revision == save.base_revision => SaveVerdict::Take,
        _ => SaveVerdict::Conflict,
    }
}

/// See [`judge_save`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaveVerdict {
    /// Write it.
    Take,
    /// This device said the same before.
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
        let tokens = |t: &str| vec![OptionToken(t.into())];
        let save = |device: &str, base, counter| Save { chosen: tokens("x"), base_revision: base, device: device.into(), counter };
        let judge = |save: Save, revision, device, counter, chosen: &str| {
            let chosen = tokens(chosen);
            judge_save(&save, Some(StandingAnswer { revision, device, counter, chosen: &chosen }))
        };
        assert_eq!(judge_save(&save("a", 0, 1), None), SaveVerdict::Take);
        assert_eq!(judge(save("a", 0, 1), 1, "a", 1, "x"), SaveVerdict::Repeat);
        assert_eq!(judge(save("a", 0, 2), 1, "a", 1, "y"), SaveVerdict::Take);
        assert_eq!(judge(save("b", 1, 1), 1, "a", 1, "y"), SaveVerdict::Take);
        assert_eq!(judge(save("b", 0, 1), 1, "a", 1, "y"), SaveVerdict::Conflict);
        assert_eq!(judge(save("a", 0, 1), 1, "a", 1, "y"), SaveVerdict::Conflict, "the same page, gone back to, with another choice");
        assert_eq!(judge(save("a", 0, 1), 2, "a", 2, "y"), SaveVerdict::Conflict, "a late copy says what stands");
    }
}
