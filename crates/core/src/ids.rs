//! Ids as newtypes, so that a person can never be passed where an attempt is meant.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Chance, chance::keyed_seed};

macro_rules! uuid_id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new random id (version 4).
            pub fn random(chance: &dyn Chance) -> Self {
                Self(uuid::Builder::from_random_bytes(chance.bytes()).into_uuid())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text).map(Self)
            }
        }
    )+};
}

uuid_id! {
    /// The organisation that runs programmes and signs badges: the tenant.
    IssuerId,
    /// One person at one issuer.
    PersonId,
    /// One sitting of one form.
    AttemptId,
    /// The decision that a person has earned a badge.
    AwardId,
    /// One piece of work after the answer.
    JobId,
    /// One line of the audit log, one problem report: rows that only need a name.
    RowId,
}

/// A person within their issuer: what every command that touches a person carries, so that no statement forgets the issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Learner {
    /// The issuer.
    pub issuer: IssuerId,
    /// The person.
    pub person: PersonId,
}

/// 128 random bits in 26 characters of lower-case base 32: an id that grants access by being known (`/b/{id}`, sign-in links).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret128(String);

impl Secret128 {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

    /// A new one.
    pub fn random(chance: &dyn Chance) -> Self {
        Self::of_bits(u128::from_be_bytes(chance.bytes()))
    }

    /// The public id of an award's badge. It follows from the award and the server's secret: an award that a restore makes again keeps its
    /// link, and no journal has to hold it.
    pub fn of_badge(secret: &[u8; 32], award: AwardId) -> Self {
        let mac = keyed_seed(secret, &[b"badge", award.0.as_bytes()]);
        Self::of_bits(mac.iter().take(16).fold(0, |bits, byte| bits << 8 | u128::from(*byte)))
    }

    fn of_bits(bits: u128) -> Self {
        let char_at = |i: u32| char::from(Self::ALPHABET[(bits >> (5 * i) & 31) as usize]);
        Self((0..26).map(char_at).collect())
    }

    /// Reads one from a URL; anything else than 26 characters of the alphabet is none.
    pub fn parse(text: &str) -> Option<Self> {
        let sound = text.len() == 26 && text.bytes().all(|b| Self::ALPHABET.contains(&b));
        sound.then(|| Self(text.to_owned()))
    }

    /// The 26 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Secret128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::SeededChance;

    #[test]
    fn secrets_have_26_characters_and_read_back() {
        let secret = Secret128::random(&SeededChance::new([7; 32]));
        assert_eq!(secret.as_str().len(), 26);
        assert_eq!(Secret128::parse(secret.as_str()), Some(secret));
        let award = |n| AwardId(Uuid::from_u128(n));
        assert_eq!(Secret128::of_badge(&[1; 32], award(1)), Secret128::of_badge(&[1; 32], award(1)));
        assert_ne!(Secret128::of_badge(&[1; 32], award(1)), Secret128::of_badge(&[1; 32], award(2)));
        assert_ne!(Secret128::of_badge(&[1; 32], award(1)), Secret128::of_badge(&[2; 32], award(1)));
        assert_eq!(Secret128::parse("short"), None);
        assert_eq!(Secret128::parse("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), None);
    }
}
