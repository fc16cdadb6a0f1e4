//! Awards: what a badge says about the conditions, who may see it, and the name on it.

use serde::{Deserialize, Serialize};
use unicode_normalization::{UnicodeNormalization, char::canonical_combining_class};

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
    /// Signs only.
    #[error("A name needs at least one letter.")]
    NoLetter,
    /// Too long.
    #[error("A badge shows at most {NAME_MAX} characters; this name has {0}.")]
    TooLong(usize),
    /// Characters that change how other text reads.
    #[error("The name holds a character that cannot be shown ({0}). Type it again without it.")]
    Unprintable(String),
}

/// Characters that nobody sees or that change how others read: controls, direction marks, fillers, tags, private use.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}' | '\u{200B}'
            | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFF}' | '\u{E000}'..='\u{F8FF}' | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{10FFFF}')
}

/// Most combining marks on one letter: what living scripts need, and no towers.
const MARKS_MAX: usize = 4;

/// Trims, folds white space, composes (Unicode NFC), and refuses what could make a badge read as another: hidden and
/// direction-changing characters, towers of marks, names without a letter, addresses. Joiners stay where scripts need them,
/// between two letters outside ASCII.
pub fn clean_name(typed: &str) -> Result<String, BadName> {
    let name: String = typed.split_whitespace().collect::<Vec<_>>().join(" ").nfc().collect();
    let all: Vec<char> = name.chars().collect();
    let letter = |c: Option<&char>| c.is_some_and(|c| !c.is_ascii() && !is_hidden(*c) && !c.is_whitespace());
    let mut marks = 0;
    for (i, &c) in all.iter().enumerate() {
        let joiner = matches!(c, '\u{200C}' | '\u{200D}');
        let joins = joiner && letter(i.checked_sub(1).and_then(|i| all.get(i))) && letter(all.get(i + 1));
        marks = if canonical_combining_class(c) == 0 { 0 } else { marks + 1 };
        if is_hidden(c) || (joiner && !joins) || marks > MARKS_MAX || matches!(c, '<' | '>' | '@') {
            let words = if c.is_ascii_punctuation() { format!("the sign {c}") } else { "one that is invisible or stacked".to_owned() };
            return Err(BadName::Unprintable(words));
        }
    }
    if name.contains("://") {
        return Err(BadName::Unprintable("an address".to_owned()));
    }
    match all.len() {
        0 => Err(BadName::Empty),
        n if n > NAME_MAX => Err(BadName::TooLong(n)),
        _ if !all.iter().any(|c| c.is_alphanumeric()) => Err(BadName::NoLetter),
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
        assert_eq!(clean_name("شه\u{200C}ره").unwrap(), "شه\u{200C}ره", "a joiner between letters");
        assert_eq!(clean_name("Zoe\u{308}").unwrap(), "Zo\u{eb}");
        assert_eq!(clean_name("Nguyễn Thị Ánh").unwrap(), "Nguyễn Thị Ánh");
    }

    #[test]
    fn names_that_would_read_as_something_else_are_refused() {
        assert_eq!(clean_name("   "), Err(BadName::Empty));
        assert!(matches!(clean_name("Ada\u{202E}evil"), Err(BadName::Unprintable(_))));
        for hidden in [
            "\u{3164}",
            "\u{2800}\u{2800}",
            "\u{AD}",
            "A\u{61C}b",
            "Ada\u{E0041}",
            "a\u{200D}b",
            "...",
            "https://evil.example/verify",
            "a@b",
            "\u{FE0F}",
        ] {
            assert!(clean_name(hidden).is_err(), "{hidden:?}");
        }
        assert!(clean_name(&format!("Z{}", "\u{301}\u{302}\u{303}".repeat(20))).is_err(), "a tower of marks");
        assert!(matches!(clean_name(&"x".repeat(81)), Err(BadName::TooLong(81))));
    }
}
