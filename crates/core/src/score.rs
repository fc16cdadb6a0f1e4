//! From responses to a result: k of n, passed or not, a band for each domain.

use serde::{Deserialize, Serialize};

use crate::programme::{Domain, Programme, Rules};

/// How one item was answered, with its domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marked {
    /// Domain slug.
    pub domain: String,
    /// Right or not.
    pub right: bool,
}

/// A band: what a domain's share of right answers means for the learner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Band {
    /// From 80 %.
    Strong,
    /// From 60 %.
    OnTheWay,
    /// Below 60 %.
    StudyAgain,
}

/// A domain's share of a result. Counts are kept; pages show the band only, and only from five items on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainResult {
    /// Domain slug.
    pub domain: String,
    /// Right answers.
    pub right: u16,
    /// Items of the domain in the form.
    pub of: u16,
}

/// The result of one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Right answers.
    pub right: u16,
    /// Items in the form.
    pub of: u16,
    /// Whether the pass mark was reached.
    pub passed: bool,
    /// By domain, in the programme's order.
    pub domains: Vec<DomainResult>,
}

/// Fewest items for which a domain gets a band: below it a band says more about luck than about the person.
pub const BAND_MINIMUM_ITEMS: u16 = 5;

impl DomainResult {
    /// The band, or none with fewer than [`BAND_MINIMUM_ITEMS`] items. Whole-number arithmetic: no rounding at the border.
    pub fn band(&self) -> Option<Band> {
        let (right, of) = (u32::from(self.right) * 100, u32::from(self.of));
        match () {
            () if self.of < BAND_MINIMUM_ITEMS => None,
            () if right >= of * 80 => Some(Band::Strong),
            () if right >= of * 60 => Some(Band::OnTheWay),
            () => Some(Band::StudyAgain),
        }
    }
}

/// Adds the marks up.
pub fn outcome(rules: &Rules, domains: &[Domain], marks: &[Marked]) -> Outcome {
    let count = |keep: &dyn Fn(&&Marked) -> bool| u16::try_from(marks.iter().filter(keep).count()).unwrap_or(u16::MAX);
    let domain = |d: &Domain| DomainResult {
        domain: d.id.clone(),
        right: count(&|m| m.domain == d.id && m.right),
        of: count(&|m| m.domain == d.id),
    };
    let right = count(&|m| m.right);
    Outcome { right, of: count(&|_| true), passed: right >= rules.pass_mark, domains: domains.iter().map(domain).collect() }
}

/// Lessons to read again: those that teach an objective of a domain whose band is below strong, weakest domain first.
pub fn lessons_to_read(programme: &Programme, outcome: &Outcome) -> Vec<String> {
    let mut weak: Vec<&DomainResult> = outcome.domains.iter().filter(|d| d.of > 0 && d.right * 5 < d.of * 4).collect();
    weak.sort_by_key(|d| u32::from(d.right) * 1000 / u32::from(d.of));
    let mut ids = Vec::new();
    for domain in weak {
        let teaches = |objective: &String| programme.domain_of(objective).is_some_and(|d| d.id == domain.domain);
        for lesson in programme.lessons().filter(|l| l.objectives.iter().any(teaches)) {
            if !ids.contains(&lesson.id) {
                ids.push(lesson.id.clone());
            }
        }
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_have_whole_number_borders() {
        let band = |right, of| DomainResult { domain: String::new(), right, of }.band();
        assert_eq!(band(4, 5), Some(Band::Strong));
        assert_eq!(band(3, 5), Some(Band::OnTheWay));
        assert_eq!(band(2, 5), Some(Band::StudyAgain));
        assert_eq!(band(4, 4), None);
        assert_eq!(band(7, 12), Some(Band::StudyAgain));
        assert_eq!(band(8, 12), Some(Band::OnTheWay));
    }

    #[test]
    fn forty_of_fifty_passes_and_thirty_nine_does_not() {
        let rules = Rules { questions: 50, pass_mark: 40, retake_waits_seconds: vec![86_400], time_limit_seconds: None, open_book: true };
        let marks = |right: usize| (0..50).map(|i| Marked { domain: "d".into(), right: i < right }).collect::<Vec<_>>();
        let domain = [Domain { id: "d".into(), title: "D".into(), weight_percent: 100, items_in_form: 50 }];
        assert!(outcome(&rules, &domain, &marks(40)).passed);
        assert!(!outcome(&rules, &domain, &marks(39)).passed);
        assert_eq!(outcome(&rules, &domain, &marks(39)).domains[0].right, 39);
    }
}
