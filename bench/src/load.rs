//! Closed loop: rounds of many people at once, who never pause to think.

use std::time::Duration;

use serde_json::json;

use crate::{
    LoadArgs,
    crowd::{all_at_once, allow_connections, on_one_core, signed_in},
    figures::Figure,
    meter::Meter,
    person::{Person, Step},
    process::Watched,
    readings::{Kind, Reading, Trace, ever},
    report::{Report, Round, watched},
};

/// Plays all rounds and prints the figures. `false` when any expectation failed.
///
/// # Errors
/// Words for the person at the terminal, when the server's process was named and cannot be read.
pub(crate) fn run(args: &LoadArgs) -> Result<bool, String> {
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
    let title = format!("{} people at once, without pauses, {} questions each", sitting.people, sitting.target.questions);
    Report { title, sitting, server, conditions: json!({ "mode": "load" }), rounds: &rounds }.print()
}

/// One round: everybody signs in; when the server has settled, all begin at once.
pub(crate) async fn play(args: &LoadArgs, server: Option<Watched>, number: u32) -> Round {
    let signing = Meter::start(server).await;
    let (people, absent) = signed_in(&args.sitting, number).await;
    let signed_in = people.len() as f64;
    let sign_in = signing.stop().await;
    let meter = Meter::start(server).await;
    let (started, questions) = (meter.started, args.sitting.target.questions);
    let mut trace = all_at_once(people, |_, person| attempt(person, questions, started)).await;
    trace.faults.extend(absent);
    let cost = meter.stop().await;
    let wall = cost.wall.as_secs_f64();
    let (views, saves) = (trace.count(Kind::Page) as f64, trace.count(Kind::Save) as f64);
    let mut figures = vec![
        Figure::new("attempts_per_s", "attempts", "per s", Some(f64::from(trace.finished) / wall)),
        Figure::new("saves_per_s", "saves", "per s", Some(saves / wall)),
        Figure::new("requests_per_s", "requests", "per s", Some(trace.requests as f64 / wall)),
    ];
    for kind in [Kind::Page, Kind::Save, Kind::Submit] {
        figures.extend(trace.percentiles("", kind, &ever()).into_iter().filter(|figure| figure.unit == "ms"));
    }
    figures.extend([
        Figure::new("failed", "failed requests", "", Some(trace.faults.len() as f64)),
        Figure::new("question_page_bytes", "question page, body on the wire", "bytes", Some((trace.view_bytes as f64 / views).round())),
        Figure::new("server_cpu_s_per_sign_in", "server CPU per sign-in", "s", sign_in.server_each(signed_in)),
    ]);
    figures.extend(cost.figures(f64::from(trace.finished), trace.requests as f64));
    Round { figures, cost, trace }
}

/// A whole attempt. A question that goes wrong is written down and the next one is tried.
pub(crate) async fn attempt(mut person: Person, questions: u32, started: std::time::Instant) -> Trace {
    let mut trace = Trace::default();
    let before = person.requests();
    if sit(&mut person, questions, started, &mut trace).await.is_some() {
        trace.finished = 1;
    }
    trace.requests = person.requests() - before;
    trace
}

/// `None` when there is no result to be seen.
async fn sit(person: &mut Person, questions: u32, started: std::time::Instant, trace: &mut Trace) -> Option<()> {
    step(person, &Step::Conditions, started, trace).await?;
    step(person, &Step::Begin, started, trace).await?;
    for number in 1..=questions {
        if step(person, &Step::View(number), started, trace).await.is_some()
            && let Some(save) = person.choose()
        {
            step(person, &save, started, trace).await;
        }
    }
    step(person, &Step::Submit, started, trace).await?;
    step(person, &Step::Result, started, trace).await
}

async fn step(person: &mut Person, step: &Step, started: std::time::Instant, trace: &mut Trace) -> Option<()> {
    let due: Duration = started.elapsed();
    match person.perform(step).await {
        Ok(done) => {
            let kind = step.kind();
            trace.readings.push(Reading { kind, due, took: done.took });
            trace.view_bytes += if kind == Kind::Page { done.wire_bytes } else { 0 };
            Some(())
        }
        Err(trouble) => {
            trace.faults.push(trouble.to_string());
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Sitting,
        stub::{Fault, start},
    };

    fn round(fault: Fault) -> Round {
        let sitting = Sitting::for_tests(&start(fault), 3);
        on_one_core(async { Ok(play(&LoadArgs { sitting }, None, 1).await) }).unwrap()
    }

    fn value(round: &Round, key: &str) -> Option<f64> {
        round.figures.iter().find(|figure| figure.key == key).unwrap().value
    }

    #[test]
    fn a_good_server_has_no_faults_and_every_figure() {
        let round = round(Fault::None);
        assert_eq!(round.trace.faults, Vec::<String>::new());
        assert!(value(&round, "attempts_per_s").unwrap() > 0.0);
        let ratio = value(&round, "saves_per_s").unwrap() / value(&round, "attempts_per_s").unwrap();
        assert!((ratio - 50.0).abs() < 1e-6, "{ratio}");
        assert!(value(&round, "view_p99_ms") >= value(&round, "view_p50_ms"));
        assert_eq!(value(&round, "server_cpu_s_per_attempt"), None);
    }

    #[test]
    fn an_answer_that_was_not_saved_is_a_fault_for_everybody() {
        let round = round(Fault::NotSaved);
        assert_eq!(round.trace.faults.len(), 3);
        assert_eq!(round.trace.faults[0], "save of question 7: expected saved:true at revision 1, got status 200 ({\"saved\":false})");
        assert!(value(&round, "attempts_per_s").unwrap() > 0.0);
    }

    #[test]
    fn a_short_form_is_a_fault() {
        let round = round(Fault::ShortForm);
        assert_eq!(round.trace.faults.len(), 150);
        assert!(round.trace.faults[0].contains("expected \"Question 1 of 50\""), "{}", round.trace.faults[0]);
    }

    #[test]
    fn a_refused_submit_is_a_fault_and_no_attempt() {
        let round = round(Fault::Busy);
        assert_eq!(round.trace.faults, ["submit: expected status 303, got status 503 (Busy)"; 3]);
        assert_eq!(value(&round, "attempts_per_s"), Some(0.0));
        assert_eq!(value(&round, "submit_p50_ms"), None);
    }

    #[test]
    fn a_broken_connection_is_a_fault() {
        let round = round(Fault::HangsUp);
        assert_eq!(round.trace.faults.len(), 3);
        assert!(round.trace.faults[0].starts_with("page of question 50: no answer: "), "{}", round.trace.faults[0]);
    }

    #[test]
    fn nobody_waits_for_one_who_cannot_begin() {
        assert_eq!(round(Fault::NoBegin).trace.faults, ["begin: expected status 303, got status 409 (Not yet)"; 3]);
    }
}
