//! A picture of every page in every state: wide, 320 px, dark. For looking, not for comparing.

use crate::{
    browser::{Bench, Missing},
    process::{pass_through, root},
    tally::Step,
};

/// Into `./shots`, or the folder named first.
pub(crate) fn run(rest: &[String]) -> Step {
    let mut step = Step::default();
    let folder = rest.first().map_or_else(|| root().join("shots"), |name| root().join(name));
    match Bench::ready() {
        Ok(bench) => match pass_through(bench.node().arg("shots.mjs").arg(&folder)) {
            Ok(()) => step.pass(),
            Err(words) => step.fail(words),
        },
        Err(Missing::Skip(words)) => step.skip(words),
        Err(Missing::Broken(words)) => step.fail(words),
    }
    step
}
