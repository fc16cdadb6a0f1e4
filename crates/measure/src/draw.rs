//! The form draw: by blueprint; unseen by this person first, until their share of the pool is reached; then the least exposed;
//! never two of one family, never two enemies.

use std::collections::HashSet;

use assay_core::{
    chance::SeededChance,
    form::{Candidate, FormItem, place_options},
    programme::Domain,
};
use assay_items::ItemId;

/// What to draw from.
#[derive(Debug)]
pub struct DrawRequest<'a> {
    /// The blueprint: how many items each domain gives.
    pub domains: &'a [Domain],
    /// The pool, in any order: the draw orders it by id first.
    pub pool: &'a [Candidate],
    /// Per cent of the pool that one person ever sees.
    pub pool_share_percent: u8,
    /// HMAC of the server's secret, the person and the attempt.
    pub seed: [u8; 32],
}

/// The pool cannot fill the blueprint.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "the pool cannot fill a form: domain “{domain}” needs {needed} items that may stand together, and {found} were found; add items there or release enemies"
)]
pub struct CannotDraw {
    /// The domain that ran out.
    pub domain: String,
    /// Items its blueprint row asks for.
    pub needed: u16,
    /// Items found.
    pub found: u16,
}

/// Tries before giving up: a greedy pass can paint itself into a corner when enemies cross domains.
const TRIES: usize = 40;

/// Draws one form. The same request always gives the same form.
pub fn draw(request: &DrawRequest<'_>) -> Result<Vec<FormItem>, CannotDraw> {
    let chance = SeededChance::new(request.seed);
    let mut last = None;
    for _ in 0..TRIES {
        match attempt(request, &chance) {
            Ok(form) => return Ok(form),
            Err(reason) => last = Some(reason),
        }
    }
    Err(last.unwrap_or(CannotDraw { domain: String::new(), needed: 0, found: 0 }))
}

fn attempt(request: &DrawRequest<'_>, chance: &SeededChance) -> Result<Vec<FormItem>, CannotDraw> {
    let mut pool: Vec<&Candidate> = request.pool.iter().collect();
    pool.sort_by(|a, b| a.item.cmp(&b.item));
    chance.shuffle(&mut pool);
    // A stable sort after the shuffle: ties between equally exposed items stay random.
    pool.sort_by_key(|c| c.shown);

    let seen = pool.iter().filter(|c| c.seen).count();
    let mut fresh_left = (pool.len() * usize::from(request.pool_share_percent) / 100).saturating_sub(seen);
    let mut taken = Taken::default();
    let mut open: Vec<(&Domain, u16)> = request.domains.iter().map(|d| (d, d.items_in_form)).collect();
    // One item for each domain in turn, so that the last fresh items are shared fairly between domains.
    while open.iter().any(|(_, left)| *left > 0) {
        for (domain, left) in open.iter_mut().filter(|(_, left)| *left > 0) {
            let may = |fresh: bool| pool.iter().copied().find(|c| c.domain == domain.id && c.seen != fresh && taken.allows(c));
            let pick = if fresh_left > 0 { may(true).or_else(|| may(false)) } else { may(false).or_else(|| may(true)) };
            let Some(pick) = pick else {
                return Err(CannotDraw { domain: domain.title.clone(), needed: domain.items_in_form, found: domain.items_in_form - *left });
            };
            if !pick.seen {
                fresh_left = fresh_left.saturating_sub(1);
            }
            taken.take(pick);
            *left -= 1;
        }
    }
    let mut picked = taken.items;
    chance.shuffle(&mut picked);
    let form_item = |c: &Candidate| FormItem {
        item: c.item.clone(),
        domain: c.domain.clone(),
        shown_before: c.shown,
        options: place_options(c.options, chance),
    };
    Ok(picked.into_iter().map(form_item).collect())
}

#[derive(Default)]
struct Taken<'a> {
    items: Vec<&'a Candidate>,
    ids: HashSet<&'a ItemId>,
    families: HashSet<&'a str>,
    shunned: HashSet<&'a ItemId>,
}

impl<'a> Taken<'a> {
    fn allows(&self, c: &Candidate) -> bool {
        let clash = self.ids.contains(&c.item) || self.shunned.contains(&c.item) || c.enemies.iter().any(|e| self.ids.contains(e));
        !clash && !self.families.contains(c.family.as_str())
    }

    fn take(&mut self, c: &'a Candidate) {
        self.items.push(c);
        self.ids.insert(&c.item);
        self.families.insert(&c.family);
        self.shunned.extend(&c.enemies);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn domains(counts: &[u16]) -> Vec<Domain> {
        let domain =
            |(i, &n): (usize, &u16)| Domain { id: format!("d{i}"), title: format!("Domain {i}"), weight_percent: 0, items_in_form: n };
        counts.iter().enumerate().map(domain).collect()
    }

    fn candidate(domain: usize, n: usize) -> Candidate {
        let id = format!("d{domain}-{n}");
        Candidate { item: ItemId(id.clone()), domain: format!("d{domain}"), family: id, enemies: vec![], options: 4, shown: 0, seen: false }
    }

    fn pool(sizes: &[usize]) -> Vec<Candidate> {
        sizes.iter().enumerate().flat_map(|(d, &n)| (0..n).map(move |i| candidate(d, i))).collect()
    }

    fn ids(form: &[FormItem]) -> HashSet<String> {
        form.iter().map(|f| f.item.0.clone()).collect()
    }

    #[test]
    fn the_same_seed_draws_the_same_form_whatever_the_order_of_the_pool() {
        let (domains, mut pool) = (domains(&[3, 2]), pool(&[10, 10]));
        let form = draw(&DrawRequest { domains: &domains, pool: &pool, pool_share_percent: 50, seed: [1; 32] }).unwrap();
        pool.reverse();
        let again = draw(&DrawRequest { domains: &domains, pool: &pool, pool_share_percent: 50, seed: [1; 32] }).unwrap();
        assert_eq!(form, again);
        let other = draw(&DrawRequest { domains: &domains, pool: &pool, pool_share_percent: 50, seed: [2; 32] }).unwrap();
        assert_ne!(ids(&form), ids(&other));
    }

    #[test]
    fn unseen_items_come_first_until_the_share_is_reached() {
        let domains = domains(&[5]);
        let mut pool = pool(&[20]);
        for c in &mut pool[..5] {
            c.seen = true;
        }
        let request = |share| DrawRequest { domains: &domains, pool: &pool, pool_share_percent: share, seed: [1; 32] };
        let fresh = |share| draw(&request(share)).unwrap().iter().filter(|f| !pool.iter().any(|c| c.seen && c.item == f.item)).count();
        assert_eq!(fresh(50), 5, "10 of 20 may be seen, 5 were: all five are fresh");
        assert_eq!(fresh(35), 2, "7 of 20 may be seen: two are fresh");
        assert_eq!(fresh(25), 0, "the share is used up: seen items come again");
    }

    #[test]
    fn the_least_exposed_come_first() {
        let domains = domains(&[5]);
        let mut pool = pool(&[20]);
        for c in &mut pool[..15] {
            c.shown = 3;
        }
        let form = draw(&DrawRequest { domains: &domains, pool: &pool, pool_share_percent: 100, seed: [1; 32] }).unwrap();
        assert!(form.iter().all(|f| f.shown_before == 0));
    }

    #[test]
    fn a_pool_that_is_too_small_is_said_with_the_domain() {
        let domains = domains(&[5]);
        let mut pool = pool(&[6]);
        for c in &mut pool[..3] {
            c.family = "one".into();
        }
        let refused = draw(&DrawRequest { domains: &domains, pool: &pool, pool_share_percent: 100, seed: [1; 32] }).unwrap_err();
        assert_eq!(refused, CannotDraw { domain: "Domain 0".into(), needed: 5, found: 4 });
    }

    proptest! {
        #[test]
        fn every_form_keeps_the_blueprint_and_the_families(seed in any::<[u8; 32]>(), shown in proptest::collection::vec(0i64..9, 60), seen in proptest::collection::vec(any::<bool>(), 60), share in 0u8..=100) {
            let domains = domains(&[4, 3, 3]);
            let mut pool = pool(&[20, 20, 20]);
            for (i, c) in pool.iter_mut().enumerate() {
                c.shown = shown[i];
                c.seen = seen[i];
                c.family = format!("{}-{}", c.domain, i % 20 / 2);
            }
            pool[0].enemies = vec![ItemId("d1-0".into()), ItemId("d2-5".into())];
            let form = draw(&DrawRequest { domains: &domains, pool: &pool, pool_share_percent: share, seed }).unwrap();
            prop_assert_eq!(ids(&form).len(), 10);
            for d in &domains {
                prop_assert_eq!(form.iter().filter(|f| f.domain == d.id).count(), usize::from(d.items_in_form));
            }
            let family = |f: &FormItem| pool.iter().find(|c| c.item == f.item).unwrap().family.clone();
            prop_assert_eq!(form.iter().map(family).collect::<HashSet<_>>().len(), 10);
            let ids = ids(&form);
            prop_assert!(!(ids.contains("d0-0") && (ids.contains("d1-0") || ids.contains("d2-5"))));
        }
    }
}
