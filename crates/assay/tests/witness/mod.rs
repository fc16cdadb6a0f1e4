//! A witness: everything that was asked and answered, with the moments of both, and whether the rules can explain it.
//!
//! What the rules are is said here once more, apart from the program, so that a fault in it cannot hide itself. Nothing in here
//! knows of a network: [`explain`] is given what happened.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, reason = "shared by the parts of one test")]

use std::fmt;

pub mod line;
pub mod people;
mod planted;
mod search;
pub mod site;

/// Options of one question, as bits in the order of its page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Options(pub u32);

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters: String = (0..26_u8).filter(|bit| self.0 >> bit & 1 == 1).map(|bit| char::from(b'a' + bit)).collect();
        f.write_str(if letters.is_empty() { "nothing" } else { &letters })
    }
}

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// An answer to be saved. A repeat has the same device and counter.
    Save { device: u16, counter: i64, base: i64, chosen: Options },
    /// The question's page.
    Look,
    /// The end of the attempt.
    HandIn,
    /// What is kept, whether or not the attempt is over.
    Export,
}

/// What was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Nothing, or that it is not known: it may have been done, may be done yet, or never.
    Nothing,
    Saved {
        revision: i64,
    },
    Newer {
        revision: i64,
        chosen: Options,
    },
    Shows {
        revision: i64,
        chosen: Options,
    },
    HandedIn,
    Over,
}

/// One request about one question: when it was asked, and when answered, in any unit of one clock.
#[derive(Clone, Copy, Debug)]
pub struct Op {
    pub asked_at: u64,
    /// `u64::MAX` where nothing was answered.
    pub answered_at: u64,
    pub asked: Asked,
    pub said: Said,
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>10} ", self.asked_at)?;
        match self.answered_at {
            u64::MAX => write!(f, "         - ")?,
            at => write!(f, "{at:>10} ")?,
        }
        match self.asked {
            Asked::Save { device, counter, base, chosen } => write!(f, "device {device} save {counter} of {chosen} based on {base}")?,
            Asked::Look => write!(f, "look")?,
            Asked::HandIn => write!(f, "hand in")?,
            Asked::Export => write!(f, "export")?,
        }
        match self.said {
            Said::Nothing => write!(f, ": no answer"),
            Said::Saved { revision } => write!(f, ": saved as {revision}"),
            Said::Newer { revision, chosen } => write!(f, ": a newer answer exists, {revision}, {chosen}"),
            Said::Shows { revision, chosen } => write!(f, ": {revision}, {chosen}"),
            Said::HandedIn => write!(f, ": handed in"),
            Said::Over => write!(f, ": over"),
        }
    }
}

/// What stands of one question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stands {
    over: bool,
    revision: i64,
    device: u16,
    counter: i64,
    chosen: Options,
}

impl Stands {
    /// What a server that keeps the rules does and says.
    fn hear(self, asked: Asked) -> (Self, Said) {
        let Self { revision, chosen, .. } = self;
        match asked {
            Asked::Export => (self, Said::Shows { revision, chosen }),
            Asked::HandIn => (Self { over: true, ..self }, Said::HandedIn),
            Asked::Save { .. } | Asked::Look if self.over => (self, Said::Over),
            Asked::Look => (self, Said::Shows { revision, chosen }),
            Asked::Save { device, counter, base, chosen: wanted } => {
                let own = revision > 0 && device == self.device;
                let follows = if own { counter > self.counter } else { revision == 0 || base == revision };
                match (follows, own && wanted == chosen) {
                    (true, _) => {
                        (Self { revision: revision + 1, device, counter, chosen: wanted, ..self }, Said::Saved { revision: revision + 1 })
                    }
                    (false, true) => (self, Said::Saved { revision }),
                    (false, false) => (self, Said::Newer { revision, chosen }),
                }
            }
        }
    }
}

/// What kind of fault it is, as far as that can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// It was called done, and is not there.
    Lost,
    /// What is shown was no longer so when it was asked for.
    Stale,
    /// One request had more than one effect.
    Doubled,
    /// Something was taken after the end.
    Late,
    /// No order explains it.
    Unexplained,
}

/// Something that cannot be explained.
#[derive(Debug)]
pub struct Fault {
    pub kind: Kind,
    pub words: String,
}

/// Whether what happened to one question can be explained by the rules: by some order in which each request was done between its being
/// asked and its being answered.
pub fn explain(ops: &[Op]) -> Result<(), Fault> {
    let Err(stuck) = search::order(ops) else { return Ok(()) };
    let mut listed: Vec<&Op> = ops.iter().collect();
    listed.sort_by_key(|op| op.asked_at);
    let list: String = listed.iter().map(|op| format!("  {op}\n")).collect();
    let kind = kind(ops);
    Err(Fault { kind, words: format!("{kind:?}: no order explains this; the longest one goes as far as {stuck:?}:\n{list}") })
}

/// What an answer tells of the state: a revision, and what it is.
fn sight(op: &Op) -> Option<(i64, Options)> {
    match (op.said, op.asked) {
        (Said::Saved { revision }, Asked::Save { chosen, .. }) => Some((revision, chosen)),
        (Said::Newer { revision, chosen } | Said::Shows { revision, chosen }, _) => Some((revision, chosen)),
        _ => None,
    }
}

/// Names a fault that [`search::order`] found.
fn kind(ops: &[Op]) -> Kind {
    let over = ops.iter().filter(|op| op.said == Said::HandedIn).map(|op| op.answered_at).min().unwrap_or(u64::MAX);
    if ops.iter().any(|op| op.asked_at > over && matches!(op.said, Said::Saved { .. })) {
        return Kind::Late;
    }
    let mut makers: Vec<(u16, i64)> = Vec::new();
    for op in ops {
        if let (Asked::Save { device, counter, .. }, Said::Saved { .. } | Said::Nothing) = (op.asked, op.said) {
            makers.push((device, counter));
        }
    }
    makers.sort_unstable();
    makers.dedup();
    let highest = ops.iter().filter_map(sight).map(|(revision, _)| revision).max().unwrap_or(0);
    if highest > makers.len() as i64 {
        return Kind::Doubled;
    }
    let mut found = Kind::Unexplained;
    for told in ops {
        let Some((revision, chosen)) = sight(told) else { continue };
        let later: Vec<(i64, Options)> = ops.iter().filter(|op| op.asked_at > told.answered_at).filter_map(sight).collect();
        let behind = |&(seen, what): &(i64, Options)| seen < revision || seen == revision && what != chosen;
        let saved = matches!(told.said, Said::Saved { .. });
        if saved && !later.is_empty() && later.iter().all(behind) {
            return Kind::Lost;
        }
        if later.iter().any(|&(seen, _)| seen < revision) {
            found = Kind::Stale;
        } else if saved && later.iter().any(behind) {
            return Kind::Lost;
        }
    }
    found
}

/// What a person was told about beginning, handing in and badges, and what is kept of it at the end.
#[derive(Clone, Debug, Default)]
pub struct Whole {
    /// Attempts that an answer to a start named.
    pub told_begun: Vec<String>,
    /// Was told that it is handed in.
    pub told_handed_in: bool,
    /// Attempts that are kept, and whether they are handed in.
    pub kept: Vec<(String, bool)>,
    /// Whether the attempt passed, by what is kept; `None` while it is open.
    pub passed: Option<bool>,
    /// Whether every answer that stands is right.
    pub all_right: bool,
    /// Awards that are kept.
    pub badges: usize,
    /// Different signatures of one credential, for each.
    pub signed: Vec<usize>,
}

/// Whether what is kept of a person follows from what was told, and nothing is there twice.
pub fn settle(whole: &Whole) -> Result<(), Fault> {
    let fault = |kind, words: &str| Err(Fault { kind, words: format!("{words}: {whole:?}") });
    if whole.told_begun.iter().any(|told| !whole.kept.iter().any(|(kept, _)| kept == told)) {
        return fault(Kind::Lost, "an attempt was begun and is not there");
    }
    if whole.kept.len() > 1 {
        return fault(Kind::Doubled, "more than one attempt was begun");
    }
    if whole.told_handed_in && !whole.kept.iter().any(|(_, over)| *over) {
        return fault(Kind::Lost, "it was handed in, and is open");
    }
    if whole.all_right && whole.passed == Some(false) {
        return fault(Kind::Lost, "every answer that stands is right, and it was marked as failed");
    }
    if whole.passed == Some(true) && whole.badges == 0 {
        return fault(Kind::Lost, "it passed, and there is no badge");
    }
    if whole.badges > 1 || whole.signed.iter().any(|&signatures| signatures > 1) {
        return fault(Kind::Doubled, "there is more than one badge, or more than one signature");
    }
    if whole.passed != Some(true) && whole.badges > 0 {
        return fault(Kind::Unexplained, "a badge without a passed attempt");
    }
    Ok(())
}
