//! A programme: one badge and all that leads to it. Plain data that a pack is read into, the store freezes and pages show.

use assay_items::Html;
use serde::{Deserialize, Serialize};

/// One badge and all that leads to it: learning plan, assessment, badge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Programme {
    /// Slug, as in `/programmes/{id}`.
    pub id: String,
    /// "Serverless foundations".
    pub title: String,
    /// One sentence for the catalogue.
    pub tagline: String,
    /// What it is, for the programme page.
    pub about: Html,
    /// BCP 47 tag of the content.
    pub language: String,
    /// The programme's one colour, `#rrggbb`, readable on white (contrast 4.5) as checked by the pack.
    pub accent: String,
    /// The same for dark pages, readable on near-black.
    pub accent_dark: String,
    /// "Not affiliated with …"; shown on every page of the programme.
    pub disclaimer: String,
    /// Questions anyone can read: badges are *practice* badges.
    pub questions_public: bool,
    /// Domains in order; weights add up to 100.
    pub domains: Vec<Domain>,
    /// Objectives in order.
    pub objectives: Vec<Objective>,
    /// The learning plan.
    pub courses: Vec<Course>,
    /// What its words mean, by name. Programmes kept by earlier versions have none.
    #[serde(default)]
    pub glossary: Vec<Term>,
    /// Rules of the assessment.
    pub rules: Rules,
    /// Who may sit.
    pub entry: Entry,
    /// The badge.
    pub badge: BadgeDesign,
}

/// A group of objectives with a weight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    /// Slug.
    pub id: String,
    /// Name for people.
    pub title: String,
    /// Per cent of the assessment.
    pub weight_percent: u8,
    /// Items it gives to a form (blueprint).
    pub items_in_form: u16,
}

/// One testable statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objective {
    /// Slug, `domain.name`.
    pub id: String,
    /// The domain it belongs to.
    pub domain: String,
    /// "Choose a timeout for a function behind an API".
    pub statement: String,
}

/// An ordered list of lessons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Course {
    /// Slug.
    pub id: String,
    /// Name for people.
    pub title: String,
    /// One or two sentences.
    pub summary: String,
    /// Lessons in order.
    pub lessons: Vec<Lesson>,
}

/// One page of teaching.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lesson {
    /// Slug, unique in the programme.
    pub id: String,
    /// Name for people.
    pub title: String,
    /// Reading time in minutes, counted from its words.
    pub minutes: u16,
    /// Objectives it teaches.
    pub objectives: Vec<String>,
    /// Documentation pages it rests on, by name.
    pub sources: Vec<String>,
    /// Date (ISO 8601) on which its facts were last checked.
    pub checked_on: String,
    /// The teaching.
    pub body: Html,
    /// Questions for the reader; public, and never in the pool.
    pub checks: Vec<KnowledgeCheck>,
}

/// A question inside a lesson, with its answer in the open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnowledgeCheck {
    /// The question.
    pub stem: Html,
    /// Options in order.
    pub options: Vec<CheckOption>,
}

/// One option of a knowledge check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckOption {
    /// The option.
    pub text: Html,
    /// Whether it is right.
    pub right: bool,
    /// Why.
    pub rationale: Html,
}

/// One term of the glossary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// Slug, its anchor on the glossary's page.
    pub id: String,
    /// The term.
    pub name: String,
    /// What it means.
    pub text: Html,
}

/// Rules of the assessment; every one shown before sign-in, frozen when an attempt starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Questions in a form.
    pub questions: u16,
    /// Right answers needed to pass, as a whole number.
    pub pass_mark: u16,
    /// The n-th entry is the wait in seconds after the n-th failed attempt; after the list's end its last entry. Never empty.
    pub retake_waits_seconds: Vec<i64>,
    /// Seconds from start to the end of an attempt; none by default.
    pub time_limit_seconds: Option<i64>,
    /// Documentation, notes and search allowed.
    pub open_book: bool,
}

/// Who may sit, and how much of the pool one person may see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Who.
    pub who: EntryRule,
    /// Attempts one person may start in 365 days; none means no limit.
    pub tries_a_year: Option<u16>,
    /// Per cent of the pool that one person ever sees; then seen items come again.
    pub pool_share_percent: u8,
}

/// The entry rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryRule {
    /// Anyone with a mail address.
    Anyone,
    /// Addresses of these domains (`example.org`), lower case.
    Domains(Vec<String>),
    /// These addresses, lower case.
    Invited(Vec<String>),
}

/// What the badge is and looks like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadgeDesign {
    /// Badge version: a new one opens the assessment again to those who hold an older one.
    pub version: String,
    /// Title on the badge; no vendor's name.
    pub title: String,
    /// What a holder has shown, in one or two sentences.
    pub description: String,
    /// How it is earned.
    pub criteria: String,
    /// What it does not show.
    pub limits: String,
    /// Skills as plain words.
    pub tags: Vec<String>,
    /// Months until it expires; none means never.
    pub valid_months: Option<u16>,
    /// The art, a cleaned square SVG without a name on it.
    pub art_svg: String,
}

impl Programme {
    /// All lessons in order.
    pub fn lessons(&self) -> impl Iterator<Item = &Lesson> {
        self.courses.iter().flat_map(|course| &course.lessons)
    }

    /// The lesson with this slug.
    pub fn lesson(&self, id: &str) -> Option<&Lesson> {
        self.lessons().find(|lesson| lesson.id == id)
    }

    /// The domain an objective belongs to.
    pub fn domain_of(&self, objective: &str) -> Option<&Domain> {
        let objective = self.objectives.iter().find(|o| o.id == objective)?;
        self.domains.iter().find(|domain| domain.id == objective.domain)
    }
}
