//! Open loop: an exam as people sit it. Everything is due at a moment that was fixed before the clock started, whatever the server
//! does, and latency counts from then: a server that stalls is charged for everybody who had to wait, not only for whom it
//! was stalling ("coordinated omission").

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::time::{Instant as Moment, sleep_until};

use crate::{
    ExamArgs,
    client::{Cut, Trouble, now},
    crowd::{all_at_once, allow_connections, on_one_core, signed_in},
    figures::{Figure, percentile_ms},
    meter::Meter,
    person::{Person, Step},
    process::Watched,
    readings::{Kind, Reading, Trace},
    report::{Report, Round, watched},
};

/// Spread of think times: the standard deviation of their logarithm. Half of all pauses are below 0.84 of the mean.
const SPREAD: f64 = 0.6;
/// Pause before the page is turned, as a share of the time for thinking before an answer.
const TURN: f64 = 0.1;
/// First pause before something is tried again, and the longest; as the page's script has them.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How often something is tried before a person would give up.
const TRIES: u32 = 8;

/// One thing that a person will do.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Planned {
    /// From the start of the clock. Where it follows at once on what came before: not before that is answered.
    due: Duration,
    follows: bool,
    act: Act,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Conditions,
    Begin,
    View(u32),
    /// Chooses on the page that is open, and saves.
    Save,
    Submit,
    Result,
}

/// Plays all rounds and prints the figures. `false` when any expectation failed.
///
/// # Errors
/// Words for the person at the terminal.
pub(crate) fn run(args: &ExamArgs) -> Result<bool, String> {
    let sitting = &args.sitting;
    allow_connections(sitting.people)?;
    let server = watched(sitting)?;
    let rounds = on_one_core(async {
        let mut rounds = Vec::new();
        for number in 1..=sitting.rounds {
            let round = play(args, server, number).await;
            round.said(number, sitting);
            rounds.push(round);
        }
        Ok(rounds)
    })?;
    let title = format!(
        "{} people arrive within {} s, think {} s for an answer on average, and hand in within {} s",
        sitting.people, args.herd, args.think, args.end
    );
    let conditions = json!({
        "mode": "exam", "herd_s": args.herd, "think_s": args.think, "steady_s": args.steady, "end_s": args.end,
        "jumps": args.jumps, "reloads": args.reloads, "lost": args.lost,
    });
    Report { title, sitting, server, conditions, rounds: &rounds }.print()
}

/// One round: everybody signs in before the clock starts; then the plan runs.
async fn play(args: &ExamArgs, server: Option<Watched>, number: u32) -> Round {
    let (mut people, absent) = signed_in(&args.sitting, number).await;
    let (plans, phases) = plans(args, &mut people);
    let meter = Meter::start(server).await;
    let (started, lost) = (meter.started, args.lost);
    let plan = |index: usize| plans.get(index).cloned().unwrap_or_default();
    let mut trace = all_at_once(people, |index, person| sit(person, plan(index), started, lost)).await;
    trace.faults.extend(absent);
    let cost = meter.stop().await;
    let mut figures = Vec::new();
    for (name, span) in phases.named() {
        for kind in Kind::ALL {
            figures.extend(trace.percentiles(name, kind, &span));
        }
    }
    figures.extend(totals(&mut trace, args.sitting.people));
    figures.extend(cost.figures(f64::from(trace.finished), trace.requests as f64));
    Round { figures, cost, trace }
}

/// The rows of the whole exam.
fn totals(trace: &mut Trace, people: u32) -> Vec<Figure> {
    let (pages, saves, sat) = (trace.count(Kind::Page) as f64, trace.count(Kind::Save) as f64, f64::from(people));
    vec![
        Figure::new("finished", "attempts finished", "", Some(f64::from(trace.finished))),
        Figure::new("views_per_attempt", "page views per attempt", "", Some(pages / sat)),
        Figure::new("saves_per_attempt", "saves per attempt", "", Some(saves / sat)),
        Figure::new("cuts", "connections cut on purpose", "", Some(trace.cuts as f64)),
        Figure::new("busy", "requests refused as busy", "", Some(trace.busy.len() as f64)),
        Figure::new("failed", "failed requests", "", Some(trace.faults.len() as f64)),
        Figure::new("driver_late_p99_ms", "driver's own lateness, p99", "ms", percentile_ms(&mut trace.late, 0.99)),
    ]
}

/// When the parts of the exam begin and end.
struct Phases {
    herd: Duration,
    end: Duration,
}

impl Phases {
    fn named(&self) -> [(&'static str, Range<Duration>); 3] {
        [("start", Duration::ZERO..self.herd), ("steady", self.herd..self.end), ("end", self.end..Duration::MAX)]
    }
}

/// Everybody's plan, in their order. The end herd begins when the last person is through, or when it was told to.
fn plans(args: &ExamArgs, people: &mut [Person]) -> (Vec<Vec<Planned>>, Phases) {
    let herd = seconds(args.herd);
    let questions = args.sitting.target.questions;
    let mut plans: Vec<Vec<Planned>> = people.iter_mut().map(|person| answering(args, questions, &mut person.chance)).collect();
    let through = plans.iter().flatten().map(|planned| planned.due).max().unwrap_or_default();
    let end = args.steady.map_or(through, |steady| herd + seconds(steady));
    for (plan, person) in plans.iter_mut().zip(people) {
        plan.retain(|planned| planned.due < end);
        let due = end + seconds(args.end * person.chance.f64());
        plan.extend([Planned { due, follows: false, act: Act::Submit }, Planned { due, follows: true, act: Act::Result }]);
    }
    (plans, Phases { herd, end })
}

/// From arriving to the last answer: in order, now and then back to a question seen before, now and then the same page again.
fn answering(args: &ExamArgs, questions: u32, chance: &mut fastrand::Rng) -> Vec<Planned> {
    let mut due = seconds(args.herd * chance.f64());
    let mut plan = vec![Planned { due, follows: false, act: Act::Conditions }];
    due += think(args.think * TURN, chance);
    plan.push(Planned { due, follows: false, act: Act::Begin });
    // The first page is where beginning leads.
    let mut follows = true;
    for number in 1..=questions {
        plan.push(Planned { due, follows, act: Act::View(number) });
        follows = false;
        due += think(args.think, chance);
        if chance.f64() < args.reloads {
            plan.push(Planned { due, follows, act: Act::View(number) });
            due += think(args.think * TURN, chance);
        }
        plan.push(Planned { due, follows, act: Act::Save });
        due += think(args.think * TURN, chance);
        if chance.f64() < args.jumps {
            plan.push(Planned { due, follows, act: Act::View(chance.u32(1..=number)) });
            due += think(args.think * TURN, chance);
            // Every second time they change their mind.
            if chance.bool() {
                plan.push(Planned { due, follows, act: Act::Save });
                due += think(args.think * TURN, chance);
            }
        }
    }
    plan
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// A pause from a log-normal distribution with this mean, in seconds.
fn think(mean: f64, chance: &mut fastrand::Rng) -> Duration {
    // Box and Muller; 1 - x is never 0.
    let normal = (-2.0 * (1.0 - chance.f64()).ln()).sqrt() * (std::f64::consts::TAU * chance.f64()).cos();
    seconds(mean * (SPREAD * normal - SPREAD * SPREAD / 2.0).exp())
}

/// Carries one person's plan out.
async fn sit(mut person: Person, plan: Vec<Planned>, started: Instant, lost: f64) -> Trace {
    let mut trace = Trace::default();
    let before = person.requests();
    for planned in plan {
        let due = if planned.follows { planned.due.max(started.elapsed()) } else { planned.due };
        wait(started, due, &mut trace).await;
        let step = match planned.act {
            Act::Conditions => Step::Conditions,
            Act::Begin => Step::Begin,
            Act::View(number) => Step::View(number),
            Act::Submit => Step::Submit,
            Act::Result => Step::Result,
            Act::Save => match person.choose() {
                Some(save) => save,
                // The page did not come; that was noted then.
                None => continue,
            },
        };
        let good = until_good(&mut person, &step, due, started, lost, &mut trace).await;
        match step.kind() {
            // Without an attempt there is nothing to do.
            Kind::Begin if !good => break,
            Kind::Result if good => trace.finished = 1,
            _ => {}
        }
    }
    trace.requests = person.requests() - before;
    trace
}

/// Waits for a moment, and notes how late the driver woke up.
async fn wait(started: Instant, due: Duration, trace: &mut Trace) {
    let moment = started + due;
    if moment > now() {
        sleep_until(Moment::from_std(moment)).await;
        trace.late.push(now().saturating_duration_since(moment));
    }
}

/// Tries a step until it went as it should, as a page's script and its person would; `false` when it never did.
async fn until_good(person: &mut Person, step: &Step, due: Duration, started: Instant, lost: f64, trace: &mut Trace) -> bool {
    let (mut counted_from, mut pause) = (due, PAUSE);
    if person.chance.f64() < lost {
        let cut = if person.chance.bool() { Cut::Half } else { Cut::Unread };
        person.cut_next(cut);
    }
    for _ in 0..TRIES {
        match person.perform(step).await {
            Ok(done) => {
                let (kind, took) = (step.kind(), started.elapsed().saturating_sub(counted_from));
                trace.readings.push(Reading { kind, due: counted_from, took });
                trace.view_bytes += if kind == Kind::Page { done.wire_bytes } else { 0 };
                return true;
            }
            // The line was bad and not the server: what counts is how soon it answers once the line is back.
            Err(Trouble::Cut { .. }) => {
                trace.cuts += 1;
                counted_from = started.elapsed() + pause;
            }
            Err(trouble) if trouble.is_busy() => {
                trace.busy.push(step.kind());
                trace.faults.push(trouble.to_string());
            }
            Err(trouble) => {
                trace.faults.push(trouble.to_string());
                if !matches!(trouble, Trouble::NoAnswer { .. }) {
                    return false;
                }
            }
        }
        wait(started, started.elapsed() + pause, trace).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    trace.faults.push(format!("{}: given up after {TRIES} tries", step.kind().label()));
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Sitting,
        stub::{self, Fault},
    };

    fn args(fault: Fault) -> ExamArgs {
        let sitting = Sitting::for_tests(&stub::start(fault), 3);
        ExamArgs { sitting, herd: 0.1, think: 0.002, steady: None, end: 0.1, jumps: 0.2, reloads: 0.1, lost: 0.0 }
    }

    fn round(args: &ExamArgs) -> Round {
        on_one_core(async { Ok(play(args, None, 1).await) }).unwrap()
    }

    fn value(round: &Round, key: &str) -> f64 {
        round.figures.iter().find(|figure| figure.key == key).unwrap().value.unwrap()
    }

    #[test]
    fn thinking_is_as_long_as_asked_on_average_and_mostly_shorter() {
        let mut chance = fastrand::Rng::with_seed(7);
        let pauses: Vec<f64> = (0..20_000).map(|_| think(2.0, &mut chance).as_secs_f64()).collect();
        let mean = pauses.iter().sum::<f64>() / pauses.len() as f64;
        assert!((mean - 2.0).abs() < 0.05, "{mean}");
        let below = pauses.iter().filter(|p| **p < 2.0 * (-SPREAD * SPREAD / 2.0).exp()).count();
        assert!((9_700..10_300).contains(&below), "{below}");
    }

    #[test]
    fn a_plan_answers_every_question_in_time_and_hands_in_within_the_end() {
        let args = args(Fault::None);
        let mut people: Vec<Person> = (1..=9).map(|n| Person::new(&args.sitting.target, "t", n, 1)).collect();
        let (plans, phases) = plans(&args, &mut people);
        for plan in &plans {
            assert!(plan.windows(2).all(|pair| pair[0].due <= pair[1].due));
            assert!(plan[0].due < phases.herd);
            for number in 1..=50 {
                assert!(plan.iter().any(|planned| planned.act == Act::View(number)));
            }
            assert!(plan.iter().filter(|planned| planned.act == Act::Save).count() >= 50);
            let submit = plan.iter().find(|planned| planned.act == Act::Submit).unwrap();
            assert!(submit.due >= phases.end && submit.due <= phases.end + seconds(args.end));
        }
    }

    #[test]
    fn an_exam_at_a_good_server_has_no_faults() {
        let round = round(&args(Fault::None));
        assert_eq!(round.trace.faults, Vec::<String>::new());
        assert_eq!(value(&round, "finished"), 3.0);
        assert!(value(&round, "saves_per_attempt") >= 50.0 && value(&round, "views_per_attempt") > 50.0);
        assert!(value(&round, "end_submit_p99_ms") > 0.0);
        assert!(round.trace.requests as usize >= round.trace.readings.len());
    }

    #[test]
    fn cut_connections_are_made_good_and_nothing_is_counted_twice() {
        let mut args = args(Fault::None);
        args.lost = 0.02;
        let round = round(&args);
        assert!(round.trace.cuts > 0);
        assert_eq!(round.trace.faults, Vec::<String>::new());
        assert_eq!(value(&round, "finished"), 3.0);
    }

    #[test]
    fn a_busy_server_is_asked_again_and_still_counts_as_failed() {
        let round = round(&args(Fault::BusyOnce));
        assert_eq!(round.trace.busy, [Kind::Save]);
        assert_eq!(round.trace.faults, ["save of question 7: expected saved:true at revision 1, got status 503 (Busy)"]);
        assert_eq!(value(&round, "finished"), 3.0);
        assert!(
            round.trace.latencies(Kind::Save, &crate::readings::ever()).iter().any(|took| *took >= PAUSE),
            "counted from when it was due"
        );
    }
}
