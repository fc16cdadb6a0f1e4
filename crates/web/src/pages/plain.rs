//! Rules in plain words and numbers; the same wherever they are shown.

use assay_core::{
    UtcMillis,
    programme::{Entry, EntryRule, Rules},
};

/// A moment for a page: words for people, a machine's form beside them (the script shows it in the reader's own time zone).
pub(crate) struct Moment {
    /// `2026-11-24T14:02:11Z`.
    pub(crate) machine: String,
    /// `Tuesday 24 November 2026, 14:02 UTC`.
    pub(crate) words: String,
}

impl From<UtcMillis> for Moment {
    fn from(at: UtcMillis) -> Self {
        Self { machine: at.rfc3339(), words: at.full() }
    }
}

fn counted(n: i64, one: &str, many: &str) -> String {
    if n == 1 { format!("{n} {one}") } else { format!("{n} {many}") }
}

/// `24 hours`, `2 days`, `90 minutes`.
pub(crate) fn span(seconds: i64) -> String {
    match seconds {
        86_400 => "24 hours".to_owned(),
        s if s % 86_400 == 0 => counted(s / 86_400, "day", "days"),
        s if s % 3600 == 0 => counted(s / 3600, "hour", "hours"),
        s if s % 60 == 0 => counted(s / 60, "minute", "minutes"),
        s => counted(s, "second", "seconds"),
    }
}

/// The wait after a failed attempt, in a sentence.
pub(crate) fn waits(rules: &Rules) -> String {
    match rules.retake_waits_seconds.as_slice() {
        [] => "Wait 24 hours after a failed attempt.".to_owned(),
        [one] => format!("Wait {} after a failed attempt, from the minute you handed it in.", span(*one)),
        many => {
            format!("Wait after failed attempts: {}; then always the last.", many.iter().map(|s| span(*s)).collect::<Vec<_>>().join(", "))
        }
    }
}

/// The time limit, in a sentence.
pub(crate) fn time(rules: &Rules) -> String {
    rules.time_limit_seconds.map_or_else(
        || "No time limit: leave and come back as often as you like, on any device.".to_owned(),
        |s| format!("Time limit: {}, from Begin.", span(s)),
    )
}

/// Who may sit, in a sentence.
pub(crate) fn entry(entry: &Entry) -> String {
    let who = match &entry.who {
        EntryRule::Anyone => "Anyone with a mail address may sit.".to_owned(),
        EntryRule::Domains(domains) => format!("Open to addresses at {}.", domains.join(", ")),
        EntryRule::Invited(_) => "Open to invited people.".to_owned(),
    };
    let tries = entry
        .tries_a_year
        .map_or_else(|| "As often as you like.".to_owned(), |n| format!("At most {} in 365 days.", counted(i64::from(n), "try", "tries")));
    format!("{who} {tries}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_say_them() {
        assert_eq!([86_400, 172_800, 3600, 5400, 45].map(span), ["24 hours", "2 days", "1 hour", "90 minutes", "45 seconds"]);
    }
}
