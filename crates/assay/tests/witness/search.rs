//! The search for an order (Wing and Gong's, with the memory that Lowe gave it): depth first, each state and set of done requests once.
//!
//! By hand: todc-utils asks for an answer to every request, and stateright's tester remembers no state that it has tried. Here a request
//! without an answer takes its place in the order, or none, and is only tried where it changes something.

use std::collections::HashSet;

use super::{Op, Said, Stands};

/// What was done so far, a bit for each request, and what stands then.
type Seen = (Box<[u64]>, Stands);
/// What may come next, with what is then.
type Next = std::vec::IntoIter<(usize, Seen)>;

fn is_done(done: &[u64], n: usize) -> bool {
    done[n / 64] >> (n % 64) & 1 == 1
}

/// An order that explains everything, as numbers of requests; or else the longest that explains a part.
pub(super) fn order(ops: &[Op]) -> Result<Vec<usize>, Vec<usize>> {
    let mut by_time: Vec<usize> = (0..ops.len()).collect();
    by_time.sort_by_key(|&n| ops[n].asked_at);
    let start: Seen = (vec![0; ops.len().div_ceil(64)].into(), Stands::default());
    let mut seen = HashSet::from([start.clone()]);
    // Each step of the order, and what else could be tried in its place.
    let mut path: Vec<(Option<usize>, Next)> = vec![(None, next(ops, &by_time, &start))];
    let (mut longest, mut answered): (Vec<usize>, usize) = (Vec::new(), 0);
    let wanted = ops.iter().filter(|op| op.said != Said::Nothing).count();
    loop {
        if path.len() > longest.len() + 1 || answered == wanted {
            longest = path.iter().filter_map(|step| step.0).collect();
        }
        if answered == wanted {
            return Ok(longest);
        }
        let Some((_, others)) = path.last_mut() else { return Err(longest) };
        if let Some((n, then)) = others.find(|(_, then)| !seen.contains(then)) {
            seen.insert(then.clone());
            answered += usize::from(ops[n].said != Said::Nothing);
            path.push((Some(n), next(ops, &by_time, &then)));
        } else if let Some((Some(n), _)) = path.pop() {
            answered -= usize::from(ops[n].said != Said::Nothing);
        }
    }
}

/// Every request that may come next: none that was answered before it was asked is left out.
fn next(ops: &[Op], by_time: &[usize], (done, stands): &Seen) -> Next {
    let left = by_time.iter().copied().filter(|&n| !is_done(done, n));
    let first_answer = left.clone().map(|n| ops[n].answered_at).min().unwrap_or(u64::MAX);
    let mut found: Vec<(usize, Seen)> = left
        .take_while(|&n| ops[n].asked_at <= first_answer)
        .filter_map(|n| {
            let (then, said) = stands.hear(ops[n].asked);
            let fits = if ops[n].said == Said::Nothing { then != *stands } else { said == ops[n].said };
            let mut done = done.clone();
            done[n / 64] |= 1 << (n % 64);
            fits.then_some((n, (done, then)))
        })
        .collect();
    // What was answered is tried before what may never have happened.
    found.sort_by_key(|&(n, _)| (ops[n].answered_at, n));
    found.into_iter()
}
