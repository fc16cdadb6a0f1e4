//! Awards: what a badge says about the conditions, who may see it, and the name on it.

use serde::{Deserialize, Serialize};

/// Who may see a badge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Only its holder: the public address answers as if it did not exist.
    #[default]
    OnlyMe,
    /// Anyone with the link.
    Link,
    /// Anyone with the link, and it stands on the holder's page.
    Listed,
}

impl Visibility {
    /// As kept in the database and sent by forms.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OnlyMe => "only_me",
            Self::Link => "link",
            Self::Listed => "listed",
        }
    }

    /// Reads [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::OnlyMe, Self::Link, Self::Listed].into_iter().find(|v| v.as_str() == text)
    }
}

/// What is known of the conditions under which a badge was earned; part of every badge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assurance {
    /// The level's word.
    pub level: Level,
    /// A demonstration signs with a throw-away key.
    pub demonstration: bool,
    /// Pass mark, as whole numbers: `(40, 50)`.
    pub pass_mark: (u16, u16),
    /// Documentation, notes and search allowed.
    pub open_book: bool,
    /// Seconds allowed; none means no limit.
    pub time_limit_seconds: Option<i64>,
}

/// Assurance levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Taken from a programme whose questions anyone can read.
    Practice,
    /// Open book, nobody watched, identity by mail address.
    SelfTaken,
}

impl Level {
    /// The word on the badge.
    pub fn word(self) -> &'static str {
        match self {
            Self::Practice => "Practice",
            Self::SelfTaken => "Self-taken",
        }
    }

    /// What the word means, for a hiring manager.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Practice => "The questions of this programme are public, so the badge shows practice, not a test of unseen questions.",
            Self::SelfTaken => "Taken alone in a browser, with nobody watching.",
        }
    }
}

impl Assurance {
    /// The conditions in sentences, the same on the page and inside the signed badge.
    pub fn sentences(&self) -> Vec<String> {
        let (mark, of) = self.pass_mark;
        let book = if self.open_book {
            "Open book: documentation, notes and search were allowed."
        } else {
            "Closed book by rule; nobody checked."
        };
        let time = match self.time_limit_seconds {
            None => "No time limit.".to_owned(),
            Some(s) => format!("Time limit {} minutes.", s / 60),
        };
        let mut all = vec![
            format!("Assurance level: {}. {}", self.level.word(), self.level.meaning()),
            format!("Pass mark {mark} of {of}, on a form drawn for this person alone."),
            book.to_owned(),
            time,
            "Not supervised; help from other people or from AI tools was not prevented.".to_owned(),
            "The name is self-stated: the holder typed it and nobody checked it.".to_owned(),
        ];
        if self.demonstration {
            all.insert(0, "Demonstration: signed with a throw-away key, worth nothing outside the demonstration.".to_owned());
        }
        all
    }
}

/// Longest name on a badge, in characters.
pub const NAME_MAX: usize = 80;

/// Why a name cannot stand on a badge.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadName {
    /// Nothing typed.
    #[error("Type the name that the badge shall show.")]
    Empty,
    /// Too long.
    #[error("A badge shows at most {NAME_MAX} characters; this name has {0}.")]
    TooLong(usize),
    /// Characters that change how other text reads.
    #[error("The name holds a character that cannot be shown ({0}). Type it again without it.")]
    Unprintable(String),
}

/// Trims, folds white space and refuses control and direction-changing characters, which could make a badge read as another.
pub fn clean_name(typed: &str) -> Result<String, BadName> {
    let name = typed.split_whitespace().collect::<Vec<_>>().join(" ");
    let tricky = |c: char| {
        c.is_control()
            || matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}' | '\u{E000}'..='\u{F8FF}' | '<' | '>')
    };
    if let Some(c) = name.chars().find(|&c| tricky(c)) {
        return Err(BadName::Unprintable(c.escape_unicode().to_string()));
    }
    match name.chars().count() {
        0 => Err(BadName::Empty),
        n if n > NAME_MAX => Err(BadName::TooLong(n)),
        _ => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_as_people_write_them() {
        assert_eq!(clean_name("  Zoë   O’Connor-Ng ").unwrap(), "Zoë O’Connor-Ng");
        assert_eq!(clean_name("山田 太郎").unwrap(), "山田 太郎");
    }

    #[test]
    fn names_that_would_read_as_something_else_are_refused() {
        assert_eq!(clean_name("   "), Err(BadName::Empty));
        assert!(matches!(clean_name("Ada\u{202E}evil"), Err(BadName::Unprintable(_))));
        assert!(matches!(clean_name(&"x".repeat(81)), Err(BadName::TooLong(81))));
    }
}
