//! "The plan covers what is tested", as figures.

use std::{collections::BTreeSet, fmt};

use assay_items::Lookup;
use serde::Serialize;

use crate::Pack;

/// How plan, pool and blueprint cover one another. Holds no question and no key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Coverage {
    /// Items in the pool.
    pub items: usize,
    /// Objectives.
    pub objectives: usize,
    /// Lessons.
    pub lessons: usize,
    /// Questions in lessons.
    pub knowledge_checks: usize,
    /// Items that one search answers, that a search helps with, that take understanding.
    pub lookup: LookupCounts,
    /// Right answers in a hundred that a barely competent person is expected to give on a form (modified Angoff).
    pub expected_percent: f64,
    /// By domain, in the programme's order.
    pub by_domain: Vec<DomainCoverage>,
    /// By objective, in the programme's order.
    pub by_objective: Vec<ObjectiveCoverage>,
}

/// Items by how well they can be looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LookupCounts {
    /// One search answers it.
    pub yes: usize,
    /// A search helps.
    pub partly: usize,
    /// It takes understanding.
    pub no: usize,
}

/// One domain's share of plan, pool and form.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DomainCoverage {
    /// Slug.
    pub id: String,
    /// Per cent of the assessment.
    pub weight_percent: u8,
    /// Items in the pool.
    pub items: usize,
    /// Families in the pool; of each at most one item is in a form.
    pub families: usize,
    /// Items it gives to a form.
    pub items_in_form: u16,
    /// Mean of the authors' estimates for a barely competent person, in per cent; 0 without items.
    pub expected_percent: f64,
}

/// Who teaches and who asks one objective.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ObjectiveCoverage {
    /// Slug, `domain.name`.
    pub id: String,
    /// Slugs of the lessons that teach it.
    pub lessons: Vec<String>,
    /// Items that ask it.
    pub items: usize,
}

/// Counts a sound pack.
pub fn coverage(pack: &Pack) -> Coverage {
    let programme = &pack.programme;
    let mut lookup = LookupCounts::default();
    for item in &pack.items {
        match item.about.lookup {
            Lookup::Yes => lookup.yes += 1,
            Lookup::Partly => lookup.partly += 1,
            Lookup::No => lookup.no += 1,
        }
    }
    let by_domain: Vec<DomainCoverage> = programme
        .domains
        .iter()
        .map(|domain| {
            let in_domain = |objective: &str| programme.domain_of(objective).is_some_and(|found| found.id == domain.id);
            let items: Vec<_> = pack.items.iter().filter(|item| in_domain(&item.about.objective)).collect();
            let families: BTreeSet<&str> = items.iter().map(|item| item.about.family.as_str()).collect();
            let sum: f64 = items.iter().map(|item| f64::from(item.about.barely_competent)).sum();
            DomainCoverage {
                id: domain.id.clone(),
                weight_percent: domain.weight_percent,
                items: items.len(),
                families: families.len(),
                items_in_form: domain.items_in_form,
                expected_percent: sum / items.len().max(1) as f64,
            }
        })
        .collect();
    let by_objective = programme
        .objectives
        .iter()
        .map(|objective| ObjectiveCoverage {
            id: objective.id.clone(),
            lessons: programme
                .lessons()
                .filter(|lesson| lesson.objectives.contains(&objective.id))
                .map(|lesson| lesson.id.clone())
                .collect(),
            items: pack.items.iter().filter(|item| item.about.objective == objective.id).count(),
        })
        .collect();
    let in_form: f64 = by_domain.iter().map(|domain| f64::from(domain.items_in_form)).sum();
    let expected: f64 = by_domain.iter().map(|domain| domain.expected_percent * f64::from(domain.items_in_form)).sum();
    Coverage {
        items: pack.items.len(),
        objectives: programme.objectives.len(),
        lessons: programme.lessons().count(),
        knowledge_checks: programme.lessons().map(|lesson| lesson.checks.len()).sum(),
        lookup,
        expected_percent: expected / in_form.max(1.0),
        by_domain,
        by_objective,
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}, {}, {} with {}",
            count(self.items, "item"),
            count(self.objectives, "objective"),
            count(self.lessons, "lesson"),
            count(self.knowledge_checks, "knowledge check")
        )?;
        let LookupCounts { yes, partly, no } = self.lookup;
        writeln!(f, "looked up in one search: yes {yes}, partly {partly}, no {no}")?;
        writeln!(f, "a barely competent person is expected to reach {:.0} %\n", self.expected_percent)?;
        let mut rows = vec![["domain", "weight", "items", "families", "in form", "expected"].map(str::to_owned)];
        rows.extend(self.by_domain.iter().map(|domain| {
            [
                domain.id.clone(),
                format!("{} %", domain.weight_percent),
                domain.items.to_string(),
                domain.families.to_string(),
                domain.items_in_form.to_string(),
                format!("{:.0} %", domain.expected_percent),
            ]
        }));
        table(f, &rows)?;
        writeln!(f)?;
        let mut rows = vec![["objective", "items", "lessons"].map(str::to_owned)];
        rows.extend(self.by_objective.iter().map(|one| [one.id.clone(), one.items.to_string(), one.lessons.join(", ")]));
        table(f, &rows)
    }
}

/// So many of something, in words.
pub(crate) fn count(n: usize, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}

/// First column to the left, figures to the right, a last column of words as it is.
fn table<const N: usize>(f: &mut fmt::Formatter<'_>, rows: &[[String; N]]) -> fmt::Result {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let is_words = column == 0 || (N == 3 && column == 2);
            let gap = if column == 0 { "" } else { "  " };
            let wide = widths[column];
            line.push_str(&if is_words { format!("{gap}{cell:<wide$}") } else { format!("{gap}{cell:>wide$}") });
        }
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}
