//! Choices drawn from a seed: the same seed always gives the same picture.

use sha2::{Digest, Sha256};

/// A stream of choices, SHA-256 over seed, purpose and a counter.
pub(crate) struct Chance {
    seed: [u8; 32],
    purpose: &'static str,
    block: u32,
    bytes: Vec<u8>,
}

impl Chance {
    /// A stream for one purpose, so that a new choice in one place changes no other place.
    pub(crate) fn new(seed: [u8; 32], purpose: &'static str) -> Self {
        Self { seed, purpose, block: 0, bytes: Vec::new() }
    }

    fn byte(&mut self) -> u8 {
        if self.bytes.is_empty() {
            let digest = Sha256::new()
                .chain_update(self.seed)
                .chain_update(self.purpose.as_bytes())
                .chain_update(self.block.to_be_bytes())
                .finalize();
            self.bytes = digest.to_vec();
            self.block = self.block.wrapping_add(1);
        }
        self.bytes.pop().unwrap_or_default()
    }

    /// A whole number below `bound`; 0 for a bound of 0. The small bias is of no account in a decoration.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let value = usize::from(self.byte()) * 256 + usize::from(self.byte());
        value.checked_rem(bound).unwrap_or_default()
    }

    /// A number from `low` to `high`.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.below(65_536) as f64 / 65_535.0
    }

    /// One of the choices; the first if there were none to draw from.
    pub(crate) fn one_of<T: Copy>(&mut self, choices: &[T], otherwise: T) -> T {
        choices.get(self.below(choices.len())).copied().unwrap_or(otherwise)
    }
}

/// Eight hexadecimal digits of the SHA-256 of `bytes`: keeps ids of two pictures in one page apart.
pub(crate) fn fingerprint(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(4).map(|b| format!("{b:02x}")).collect()
}
