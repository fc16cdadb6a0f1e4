//! Open loop at one, two and three times a rate: does the server still do what it can when it is asked for more?
//!
//! One turn is a question page and the save of an answer on it. Turns are due at fixed moments and are not tried again.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::time::{Instant as Moment, sleep_until};

use crate::{
    OverloadArgs,
    client::{Trouble, now},
    crowd::{all_at_once, allow_connections, on_one_core, signed_in},
    figures::{Figure, percentile_ms},
    meter::Meter,
    person::{Person, Step},
    process::Watched,
    readings::{Kind, Reading, Trace, ever},
    report::{Report, Round, watched},
};

/// How long anybody waits for an answer; as the page's script does.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many find out what the server can carry, where no rate is given, and for how long.
const FINDERS: u32 = 64;
const FINDING: Duration = Duration::from_secs(5);
/// The rates, as multiples of the given one.
const TIMES: [u32; 3] = [1, 2, 3];
/// Goodput at the highest rate, as a share of that at the lowest, below which the server has collapsed.
const CARRIED: f64 = 0.8;

/// Plays everything and prints the figures. `false` when the server collapsed, or an expectation failed that being busy does
/// not explain.
///
/// # Errors
/// Words for the person at the terminal.
pub(crate) fn run(args: &OverloadArgs) -> Result<bool, String> {
    let sitting = &args.sitting;
    allow_connections(sitting.people)?;
    let server = watched(sitting)?;
    let (rate, rounds) = on_one_core(async {
        let (mut rate, mut rounds) = (args.rate, Vec::new());
        for number in 1..=sitting.rounds {
            let (people, absent) = ready(args, number).await;
            let (round, used) = play(args, server, rate, people, absent).await;
            // Found once, the rate stays: rounds are compared.
            rate = rate.or(Some(used));
            round.said(number, sitting);
            rounds.push(round);
        }
        Ok((rate.unwrap_or_default(), rounds))
    })?;
    let title =
        format!("{} people, {rate:.0} question pages and {rate:.0} saves a second, then twice and three times that", sitting.people);
    let conditions = json!({ "mode": "overload", "rate": rate, "rate_was_given": args.rate.is_some(), "seconds": args.seconds });
    let held = Report { title, sitting, server, conditions, rounds: &rounds }.print()?;
    let carried = rounds.iter().filter_map(|round| round.figures.iter().find(|figure| figure.key == "carried")?.value);
    let collapsed = carried.filter(|share| *share < CARRIED).count();
    if collapsed > 0 {
        eprintln!("collapsed: saves at three times the rate were below {CARRIED} of those at the rate itself in {collapsed} rounds");
    }
    Ok(held && collapsed == 0)
}

/// People with an open attempt each.
async fn ready(args: &OverloadArgs, number: u32) -> (Vec<Person>, Vec<String>) {
    let (people, mut faults) = signed_in(&args.sitting, number).await;
    let mut ready = Vec::new();
    for mut person in people {
        match person.perform(&Step::Begin).await {
            Ok(_) => ready.push(person),
            Err(trouble) => faults.push(trouble.to_string()),
        }
    }
    (ready, faults)
}

/// All rates, one after the other, with the same people.
async fn play(args: &OverloadArgs, server: Option<Watched>, rate: Option<f64>, people: Vec<Person>, absent: Vec<String>) -> (Round, f64) {
    let mut people: Vec<Option<Person>> = people.into_iter().map(Some).collect();
    let mut all = Trace { faults: absent, ..Trace::default() };
    let rate = match rate {
        Some(rate) => rate,
        None => {
            let (rate, faults) = found(&mut people, args, server).await;
            all.faults.extend(faults);
            rate
        }
    };
    let mut figures = vec![Figure::new("rate", "rate asked for, pages and saves each", "per s", Some(rate))];
    let mut goodputs = Vec::new();
    let mut last = crate::meter::Cost::default();
    for times in TIMES {
        let (mut trace, cost) = stretch(&mut people, Some(rate * f64::from(times)), seconds(args.seconds), args, server).await;
        figures.extend(rows(times, &mut trace, &cost, args.seconds, rate));
        goodputs.push(trace.count(Kind::Save) as f64);
        all.add(trace);
        last = cost;
    }
    let carried = goodputs.last().zip(goodputs.first()).map(|(last, first)| last / first);
    figures.push(Figure::new("carried", "saves at 3x, share of those at 1x", "", carried));
    figures.push(Figure::new("failed", "failed requests, busy ones aside", "", Some(all.faults.len() as f64)));
    (Round { figures, cost: last, trace: all }, rate)
}

/// The rows of one rate.
fn rows(times: u32, trace: &mut Trace, cost: &crate::meter::Cost, length: f64, rate: f64) -> Vec<Figure> {
    let (phase, mut figures) = (format!("{times}x"), Vec::new());
    let asked = rate * f64::from(times) * length;
    for kind in [Kind::Page, Kind::Save] {
        let (good, busy) = (trace.count(kind) as f64, trace.busy.iter().filter(|k| **k == kind).count() as f64);
        let unanswered = trace.unanswered.iter().filter(|k| **k == kind).count() as f64;
        let sent = good + busy + unanswered;
        let row = |key: &str, label: &str, unit, value: f64| {
            Figure::new(format!("{phase}_{}_{key}", kind.key()), format!("{phase}: {}, {label}", kind.label()), unit, Some(value))
        };
        figures.push(row("good_per_s", "good", "per s", good / length));
        figures.push(row("sent_share", "sent, of asked for", "", sent / asked));
        figures.push(row("busy_share", "busy (503), of sent", "", busy / sent));
        figures.push(row("unanswered_share", "no answer, of sent", "", unanswered / sent));
        figures.extend(trace.percentiles(&phase, kind, &ever()));
    }
    let late = percentile_ms(&mut trace.late, 0.99);
    figures.push(Figure::new(format!("{phase}_driver_cores"), format!("{phase}: driver CPU"), "cores", cost.driver_cores()));
    figures.push(Figure::new(format!("{phase}_driver_late_p99_ms"), format!("{phase}: driver's own lateness, p99"), "ms", late));
    figures.push(Figure::new(
        format!("{phase}_server_cpu_ms_per_turn"),
        format!("{phase}: server CPU a page and save"),
        "ms",
        cost.server_each(trace.count(Kind::Save) as f64).map(|s| s * 1000.0),
    ));
    figures
}

/// What some people without pauses get out of the server: the rate that it can carry; and what went wrong.
async fn found(people: &mut [Option<Person>], args: &OverloadArgs, server: Option<Watched>) -> (f64, Vec<String>) {
    let few = people.len().min(FINDERS as usize);
    let (trace, _) = stretch(&mut people[..few], None, FINDING, args, server).await;
    (trace.count(Kind::Save) as f64 / FINDING.as_secs_f64(), trace.faults)
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// So many turns a second, spread evenly over the people, for so long; without a rate, as many as they get.
async fn stretch(
    people: &mut [Option<Person>],
    rate: Option<f64>,
    length: Duration,
    args: &OverloadArgs,
    server: Option<Watched>,
) -> (Trace, crate::meter::Cost) {
    let (count, questions) = (people.len() as f64, args.sitting.target.questions);
    let here: Vec<Person> = people.iter_mut().filter_map(Option::take).collect();
    let returned = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let meter = Meter::start(server).await;
    let started = meter.started;
    let trace = all_at_once(here, |index, mut person| {
        let (offset, period) = rate.map_or((0.0, 0.0), |rate| (index as f64 / rate, count / rate));
        let returned = returned.clone();
        async move {
            let trace = turns(&mut person, questions, started, (seconds(offset), seconds(period)), length).await;
            returned.borrow_mut().push(person);
            trace
        }
    })
    .await;
    let cost = meter.stop().await;
    for (place, person) in people.iter_mut().zip(returned.take()) {
        *place = Some(person);
    }
    (trace, cost)
}

/// One person's turns. A turn that is due while the last one is not over waits for it, and is late.
async fn turns(person: &mut Person, questions: u32, started: Instant, (offset, period): (Duration, Duration), length: Duration) -> Trace {
    let mut trace = Trace::default();
    let before = person.requests();
    person.set_patience(PATIENCE);
    let (mut due, mut number) = (offset, person.chance.u32(1..=questions));
    loop {
        due = if period.is_zero() { started.elapsed() } else { due };
        if due >= length || started.elapsed() >= length {
            break;
        }
        let moment = started + due;
        if moment > now() {
            sleep_until(Moment::from_std(moment)).await;
            trace.late.push(now().saturating_duration_since(moment));
        }
        if once(person, &Step::View(number), due, started, &mut trace).await
            && let Some(save) = person.choose()
        {
            let due = started.elapsed();
            once(person, &save, due, started, &mut trace).await;
        }
        due += period;
        number = number % questions + 1;
    }
    trace.requests = person.requests() - before;
    trace
}

async fn once(person: &mut Person, step: &Step, due: Duration, started: Instant, trace: &mut Trace) -> bool {
    match person.perform(step).await {
        Ok(_) => {
            trace.readings.push(Reading { kind: step.kind(), due, took: started.elapsed().saturating_sub(due) });
            return true;
        }
        Err(trouble) if trouble.is_busy() => trace.busy.push(step.kind()),
        Err(Trouble::NoAnswer { .. }) => trace.unanswered.push(step.kind()),
        Err(trouble) => trace.faults.push(trouble.to_string()),
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Sitting,
        stub::{self, Fault},
    };

    fn round(fault: Fault, rate: Option<f64>) -> (Round, f64) {
        let args = OverloadArgs { sitting: Sitting::for_tests(&stub::start(fault), 3), rate, seconds: 1.5 };
        on_one_core(async {
            let (people, absent) = ready(&args, 1).await;
            Ok(play(&args, None, args.rate, people, absent).await)
        })
        .unwrap()
    }

    fn value(round: &Round, key: &str) -> f64 {
        round.figures.iter().find(|figure| figure.key == key).unwrap().value.unwrap()
    }

    #[test]
    fn every_turn_is_counted_once() {
        let (round, rate) = round(Fault::None, Some(20.0));
        assert_eq!(rate, 20.0);
        assert_eq!(round.trace.faults, Vec::<String>::new());
        assert_eq!(value(&round, "1x_view_busy_share"), 0.0);
        // Thirty turns in 1.5 s at 20 a second, sixty at 40, ninety at 60; a slow machine has fewer.
        assert!((1..=180).contains(&round.trace.count(Kind::Save)), "{}", round.trace.count(Kind::Save));
        assert!(value(&round, "carried") > 0.0);
    }

    #[test]
    fn what_is_refused_as_busy_is_no_fault_and_no_goodput() {
        let (round, _) = round(Fault::AlwaysBusy, Some(20.0));
        assert_eq!(round.trace.faults, Vec::<String>::new());
        assert_eq!(round.trace.count(Kind::Save), 0);
        assert_eq!(value(&round, "1x_save_busy_share"), 1.0);
    }
}
