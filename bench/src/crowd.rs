//! Many people on the driver's one core.

use std::{
    future::Future,
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::{runtime::Builder, task::JoinSet, task::LocalSet};

use crate::{Sitting, outbox::Outbox, person::Person, readings::Trace};

/// Descriptors that the driver needs beside one a person.
const SPARE_FILES: u64 = 64;

/// Runs everything on this one thread.
///
/// # Errors
/// Words for the person at the terminal.
pub(crate) fn on_one_core<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|e| format!("the driver cannot start: {e}"))?;
    LocalSet::new().block_on(&runtime, work)
}

/// A tag that no earlier run against the same data used, so that everybody is new.
#[expect(clippy::disallowed_methods, reason = "people of a benchmark must be new to the server, whatever ran before")]
pub(crate) fn fresh_tag() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:x}", since.as_micros())
}

/// New people of one round, signed in; and what went wrong, in words.
pub(crate) async fn signed_in(sitting: &Sitting, round: u32) -> (Vec<Person>, Vec<String>) {
    let (tag, outbox) = (fresh_tag(), Outbox::new(sitting.target.url()));
    let outbox = std::rc::Rc::new(outbox);
    let mut arriving = JoinSet::new();
    for number in 1..=sitting.people {
        let mut person = Person::new(&sitting.target, &tag, number, sitting.seed.wrapping_add(u64::from(round) << 32));
        let outbox = outbox.clone();
        arriving.spawn_local(async move { person.sign_in(&outbox).await.map(|()| person) });
    }
    let (mut people, mut faults) = (Vec::new(), Vec::new());
    while let Some(arrived) = arriving.join_next().await {
        match arrived {
            Ok(Ok(person)) => people.push(person),
            Ok(Err(trouble)) => faults.push(trouble.to_string()),
            Err(_) => faults.push(BROKE.to_owned()),
        }
    }
    (people, faults)
}

/// What is said when a task of the driver panicked.
const BROKE: &str = "the driver itself broke; please report this with the command line";

/// Lets everybody do the same at once; all that they left, summed.
pub(crate) async fn all_at_once<F, Fut>(people: Vec<Person>, sit: F) -> Trace
where
    F: Fn(usize, Person) -> Fut,
    Fut: Future<Output = Trace> + 'static,
{
    let mut sitting = JoinSet::new();
    for (index, person) in people.into_iter().enumerate() {
        sitting.spawn_local(sit(index, person));
    }
    let mut all = Trace::default();
    while let Some(trace) = sitting.join_next().await {
        all.add(trace.unwrap_or_else(|_| Trace { faults: vec![BROKE.to_owned()], ..Trace::default() }));
    }
    all
}

/// Raises the limit of open files to what so many people need, here and for whatever is started from here.
///
/// # Errors
/// What to do, when it cannot be raised so far.
#[cfg(target_os = "linux")]
pub(crate) fn allow_connections(people: u32) -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let needed = u64::from(people) + SPARE_FILES;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    if let Some(most) = limit.maximum.filter(|most| *most < needed) {
        return Err(format!(
            "{people} people need {needed} open files, and this shell allows {most}: raise it with `ulimit -Hn {needed}` as root, or play fewer people"
        ));
    }
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised)
        .map_err(|e| format!("the limit of open files cannot be raised ({e}): run `ulimit -n {needed}` first"))
}

/// Elsewhere the shell decides.
#[cfg(not(target_os = "linux"))]
pub(crate) fn allow_connections(_people: u32) -> Result<(), String> {
    let _spare = SPARE_FILES;
    Ok(())
}
