//! Mail addresses and the entry rule.

use crate::{
    chance::keyed_seed,
    programme::{Entry, EntryRule},
};

/// Why an address is not one we can send to.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0} is not a mail address we can send to; it looks like name@example.org")]
pub struct BadAddress(pub String);

/// Trims, lower-cases and checks the shape: the form in which addresses are compared and kept.
pub fn normalise_address(typed: &str) -> Result<String, BadAddress> {
    let address = typed.trim().to_lowercase();
    let bad = || BadAddress(format!("“{}”", typed.trim().chars().take(80).collect::<String>()));
    let (local, domain) = address.rsplit_once('@').ok_or_else(bad)?;
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '(' | ')' | ',' | ';' | ':' | '"' | '\\' | '[' | ']' | '@');
    let local_sound = !local.is_empty()
        && local.len() <= 64
        && local.chars().all(plain)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..");
    let label_sound =
        |l: &str| !l.is_empty() && !l.starts_with('-') && !l.ends_with('-') && l.chars().all(|c| c.is_alphanumeric() || c == '-');
    let domain_sound = domain.len() <= 190 && domain.contains('.') && domain.split('.').all(label_sound);
    if local_sound && domain_sound { Ok(address) } else { Err(bad()) }
}

/// Keyed hash of an address: by it a wait outlives an erased account.
pub fn address_mac(secret: &[u8; 32], address: &str) -> [u8; 32] {
    keyed_seed(secret, &[b"address", address.as_bytes()])
}

/// Whether this normalised address may sit. `Err` holds the words for the person.
pub fn may_enter(entry: &Entry, address: &str) -> Result<(), String> {
    match &entry.who {
        EntryRule::Anyone => Ok(()),
        EntryRule::Domains(domains) => {
            let domain = address.rsplit_once('@').map_or("", |(_, d)| d);
            if domains.iter().any(|d| d == domain) {
                return Ok(());
            }
            Err(format!("This assessment is open to addresses at {}. You are signed in with {address}.", domains.join(", ")))
        }
        EntryRule::Invited(people) if people.iter().any(|p| p == address) => Ok(()),
        EntryRule::Invited(_) => Err(format!(
            "This assessment is open to invited people, and {address} is not among them. Ask whoever told you about it to invite this address."
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_compared_without_case() {
        assert_eq!(normalise_address(" Ada@Example.ORG ").unwrap(), "ada@example.org");
    }

    #[test]
    fn what_is_no_address_is_refused_in_words() {
        for bad in [
            "",
            "ada",
            "ada@",
            "@example.org",
            "a b@example.org",
            "a@b@",
            "ada@example",
            "a\r\nBcc: x@y.z@example.org",
            "<a>@example.org",
            "ada@-x.org",
        ] {
            assert!(normalise_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_entry_rule_is_kept() {
        let entry = |who| Entry { who, tries_a_year: None, pool_share_percent: 50 };
        assert!(may_enter(&entry(EntryRule::Anyone), "a@b.c").is_ok());
        let domains = entry(EntryRule::Domains(vec!["example.org".into()]));
        assert!(may_enter(&domains, "a@example.org").is_ok());
        assert!(may_enter(&domains, "a@evil-example.org").unwrap_err().contains("example.org"));
        let invited = entry(EntryRule::Invited(vec!["a@b.c".into()]));
        assert!(may_enter(&invited, "a@b.c").is_ok());
        assert!(may_enter(&invited, "d@b.c").is_err());
    }
}
