//! Chance is a parameter too.

use std::sync::atomic::{AtomicU64, Ordering};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// Where random bytes come from: the operating system in the program, a seed in tests.
pub trait Chance: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);
}

impl dyn Chance + '_ {
    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut buffer = [0; N];
        self.fill(&mut buffer);
        buffer
    }
}

/// A stream of bytes that follows from a seed: SHA-256 over seed and counter.
///
/// Used where a drawn form must be re-derivable in an appeal years later; general-purpose generator crates reserve the right
/// to change the values they give between versions.
#[derive(Debug)]
pub struct SeededChance {
    seed: [u8; 32],
    counter: AtomicU64,
}

impl SeededChance {
    /// A stream for this seed.
    pub fn new(seed: [u8; 32]) -> Self {
        Self { seed, counter: AtomicU64::new(0) }
    }

    /// A number below `bound` (at least 1), without bias that matters: 64 bits reduced by multiplication.
    pub fn below(&self, bound: usize) -> usize {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        let wide = u128::from(u64::from_be_bytes(bytes)) * bound.max(1) as u128;
        (wide >> 64) as usize
    }

    /// Fisher-Yates.
    pub fn shuffle<T>(&self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

impl Chance for SeededChance {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(32) {
            let block = self.counter.fetch_add(1, Ordering::SeqCst);
            let digest = Sha256::new().chain_update(self.seed).chain_update(block.to_be_bytes()).finalize();
            chunk.copy_from_slice(&digest[..chunk.len()]);
        }
    }
}

/// HMAC-SHA-256 of labelled parts (RFC 2104). Parts are length-prefixed, so no two lists of parts collide.
pub fn keyed_seed(secret: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // RFC 2104 pads a short key with zeros to the block's 64 bytes; done here because a fixed length cannot fail.
    let mut block = [0; 64];
    block[..32].copy_from_slice(secret);
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_stream() {
        let order = |seed| {
            let mut v: Vec<u32> = (0..20).collect();
            SeededChance::new([seed; 32]).shuffle(&mut v);
            v
        };
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
    }

    #[test]
    fn shuffles_are_even() {
        let chance = SeededChance::new([3; 32]);
        let mut first = [0u32; 4];
        for _ in 0..4000 {
            let mut v = [0usize, 1, 2, 3];
            chance.shuffle(&mut v);
            first[v[0]] += 1;
        }
        assert!(first.iter().all(|n| (850..1150).contains(n)), "{first:?}");
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(keyed_seed(&[0; 32], &[b"ab", b"c"]), keyed_seed(&[0; 32], &[b"a", b"bc"]));
    }
}
