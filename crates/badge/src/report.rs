//! What a verification found, in named checks and plain words.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The checks, in the order in which they are made. Their names are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CheckName {
    /// The file holds a credential that can be read.
    #[serde(rename = "readable")]
    Readable,
    /// The vocabularies are the standard ones, in order.
    #[serde(rename = "context")]
    Context,
    /// Nothing the document shows is left out of what is signed.
    #[serde(rename = "all data signed")]
    AllDataSigned,
    /// The signature fits the document and the key.
    #[serde(rename = "signature")]
    Signature,
    /// The key is one of the issuer's, and was in use when it signed.
    #[serde(rename = "key belongs to issuer")]
    KeyBelongsToIssuer,
    /// The issuer is one that this verifier was told to trust.
    #[serde(rename = "issuer known")]
    IssuerKnown,
    /// The document has the parts that the standard asks for.
    #[serde(rename = "shape")]
    Shape,
    /// Now lies between start and end of validity.
    #[serde(rename = "dates")]
    Dates,
    /// Not revoked, not suspended.
    #[serde(rename = "status")]
    Status,
}

impl CheckName {
    /// All checks in order.
    pub const ALL: [CheckName; 9] = [
        Self::Readable,
        Self::Context,
        Self::AllDataSigned,
        Self::Signature,
        Self::KeyBelongsToIssuer,
        Self::IssuerKnown,
        Self::Shape,
        Self::Dates,
        Self::Status,
    ];

    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Readable => "readable",
            Self::Context => "context",
            Self::AllDataSigned => "all data signed",
            Self::Signature => "signature",
            Self::KeyBelongsToIssuer => "key belongs to issuer",
            Self::IssuerKnown => "issuer known",
            Self::Shape => "shape",
            Self::Dates => "dates",
            Self::Status => "status",
        }
    }
}

/// How one check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not hold.
    Failed,
    /// It could not be checked; the words say why.
    NotChecked,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Which check.
    pub name: CheckName,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, in words for a person.
    pub words: String,
}

/// The answer in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every check passed.
    Valid,
    /// Every check passed but the status, which could not be looked up.
    ValidStatusUnchecked,
    /// The signature fits the document, but nobody vouches for who the issuer is.
    SelfConsistentOnly,
    /// At least one check failed.
    NotValid,
    /// The signature could not be checked.
    CannotDecide,
    /// Not a credential this library can read.
    Unreadable,
}

/// The state of the credential, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// In force, and not on a revocation list.
    Active,
    /// Withdrawn for good by its issuer.
    Revoked,
    /// Withdrawn for a time by its issuer.
    Suspended,
    /// Its end has passed.
    Expired,
    /// Its beginning lies ahead.
    NotYetValid,
    /// Not known.
    Unknown,
}

/// What the document says. Only a verdict of valid makes it more than a claim.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Id of the credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Id of the issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer_id: Option<String>,
    /// Name the issuer gives itself in the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer_name: Option<String>,
    /// Name of the holder as the document has it (often self-stated).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder_name: Option<String>,
    /// Name of the achievement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub achievement_name: Option<String>,
    /// Start of validity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Timestamp>,
    /// End of validity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
}

/// The whole result of a verification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// All nine checks, in order.
    pub checks: Vec<Check>,
    /// The answer in one word.
    pub verdict: Verdict,
    /// The state of the credential.
    pub status: Status,
    /// What the document says, if it could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facts: Option<Facts>,
}

impl Report {
    pub(crate) fn new() -> Self {
        let checks = CheckName::ALL
            .map(|name| Check {
                name,
                outcome: Outcome::NotChecked,
                words: "Not checked, because an earlier check did not pass.".to_owned(),
            })
            .to_vec();
        Self { checks, verdict: Verdict::Unreadable, status: Status::Unknown, facts: None }
    }

    pub(crate) fn set(&mut self, name: CheckName, outcome: Outcome, words: impl Into<String>) {
        if let Some(check) = self.checks.iter_mut().find(|c| c.name == name) {
            check.outcome = outcome;
            check.words = words.into();
        }
    }

    /// How a check ended.
    #[must_use]
    pub fn outcome(&self, name: CheckName) -> Outcome {
        self.checks.iter().find(|c| c.name == name).map_or(Outcome::NotChecked, |c| c.outcome)
    }

    /// The words of a check.
    #[must_use]
    pub fn words(&self, name: CheckName) -> &str {
        self.checks.iter().find(|c| c.name == name).map_or("", |c| c.words.as_str())
    }

    pub(crate) fn decide(&mut self) {
        self.verdict = if self.outcome(CheckName::Readable) != Outcome::Passed {
            Verdict::Unreadable
        } else if self.checks.iter().any(|c| c.outcome == Outcome::Failed) {
            Verdict::NotValid
        } else if self.outcome(CheckName::Signature) != Outcome::Passed || self.outcome(CheckName::KeyBelongsToIssuer) != Outcome::Passed {
            Verdict::CannotDecide
        } else if self.outcome(CheckName::IssuerKnown) != Outcome::Passed {
            Verdict::SelfConsistentOnly
        } else if self.outcome(CheckName::Status) != Outcome::Passed {
            Verdict::ValidStatusUnchecked
        } else {
            Verdict::Valid
        };
    }

    /// The exit code of a command that verifies: 0 signature, issuer and dates hold; 1 not valid (also revoked or
    /// expired); 2 cannot be decided, or only consistent in itself; 3 unreadable.
    ///
    /// With `require_status` a status that could not be checked gives 2 in place of 0.
    #[must_use]
    pub fn exit_code(&self, require_status: bool) -> u8 {
        match self.verdict {
            Verdict::Valid => 0,
            Verdict::ValidStatusUnchecked => u8::from(require_status) * 2,
            Verdict::NotValid => 1,
            Verdict::SelfConsistentOnly | Verdict::CannotDecide => 2,
            Verdict::Unreadable => 3,
        }
    }
}
