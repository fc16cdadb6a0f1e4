//! Rounds of many people at once.

use std::{
    sync::Barrier,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::json;

use crate::{
    LoadArgs,
    client::now,
    figures::{Figure, over_rounds, percentile_ms, table},
    outbox::Outbox,
    person::{Person, Trace},
    process::{Usage, Watched, idle},
};

/// Longest wait for the server to have nothing left to do.
const SETTLE: Duration = Duration::from_secs(5);
/// Faults that are said in words; the rest is only counted.
const SAID: usize = 20;

/// What one round gave.
struct Round {
    figures: Vec<Figure>,
    faults: Vec<String>,
}

/// Plays all rounds and prints the figures. `false` when any expectation failed.
///
/// # Errors
/// Words for the person at the terminal, when the server's process was named and cannot be read.
pub(crate) fn run(args: &LoadArgs) -> Result<bool, String> {
    let server = match args.pid {
        Some(pid) => {
            Some(Watched::with_pid(pid).ok_or_else(|| format!("process {pid} cannot be read; leave --pid out to look it up by port"))?)
        }
        None => Watched::listening_at(&args.target.url),
    };
    if server.is_none() {
        eprintln!("The server's process was not found on this machine, so its CPU and memory stay empty; name it by --pid.");
    }
    let mut rounds = Vec::new();
    for number in 1..=args.rounds {
        let started = now();
        let round = play(args, server, number);
        eprintln!(
            "round {number} of {}: {} people, {:.1} s, {} failed",
            args.rounds,
            args.people,
            started.elapsed().as_secs_f64(),
            round.faults.len()
        );
        rounds.push(round);
    }
    report(args, server, &rounds);
    Ok(rounds.iter().all(|round| round.faults.is_empty()))
}

/// A tag that no earlier run against the same data used, so that everybody is new.
#[expect(clippy::disallowed_methods, reason = "people of a benchmark must be new to the server, whatever ran before")]
pub(crate) fn fresh_tag() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:x}", since.as_micros())
}

/// One round: everybody signs in; when the server has settled, all begin at once.
fn play(args: &LoadArgs, server: Option<Watched>, number: u32) -> Round {
    let (tag, outbox) = (fresh_tag(), Outbox::new(&args.target.url));
    let (signed_in, go) = (Barrier::new(args.people as usize + 1), Barrier::new(args.people as usize + 1));
    let before_sign_in = settled(server);
    thread::scope(|scope| {
        let sit = |person: u32| {
            let (tag, outbox, signed_in, go) = (&tag, &outbox, &signed_in, &go);
            scope.spawn(move || {
                let mut person = Person::new(&args.target, tag, person, args.seed.wrapping_add(u64::from(number) << 32));
                let in_or_not = person.sign_in(outbox);
                let before = person.requests();
                // Everybody passes both barriers, or the others would wait for ever.
                signed_in.wait();
                go.wait();
                let trace = match in_or_not {
                    Ok(()) => person.attempt(),
                    Err(trouble) => Trace { faults: vec![trouble.to_string()], ..Trace::default() },
                };
                (trace, person.requests() - before)
            })
        };
        let people: Vec<_> = (1..=args.people).map(sit).collect();
        signed_in.wait();
        let own = Watched::own();
        let (before, own_before, idle_before) = (settled(server), own.and_then(Watched::usage), idle());
        let started = now();
        go.wait();
        let traces: Vec<_> = people.into_iter().map(|p| p.join().unwrap_or_else(|_| panicked())).collect();
        let wall = started.elapsed();
        let (own_after, idle_after) = (own.and_then(Watched::usage), idle());
        let server_at_end = server.and_then(Watched::usage);
        let readings = Readings {
            people: args.people,
            wall,
            sign_in: spent(before_sign_in, before),
            server_busy: spent(before, server_at_end),
            server: (before, settled(server)),
            own: spent(own_before, own_after),
            machine: busy(idle_before, idle_after, wall),
        };
        summed(&readings, traces)
    })
}

fn panicked() -> (Trace, u64) {
    (Trace { faults: vec!["the driver itself broke; please report this with the command line".to_owned()], ..Trace::default() }, 0)
}

/// Readings around one round.
struct Readings {
    people: u32,
    wall: Duration,
    /// CPU seconds: of the server for signing in, of the server until the last result, of the driver, of the whole machine.
    sign_in: Option<f64>,
    server_busy: Option<f64>,
    own: Option<f64>,
    machine: Option<f64>,
    /// The server before the start and once it is idle again.
    server: (Option<Usage>, Option<Usage>),
}

/// CPU seconds that the machine was not idle between two readings.
fn busy(before: Option<(Duration, usize)>, after: Option<(Duration, usize)>, wall: Duration) -> Option<f64> {
    let ((before, cores), (after, _)) = (before?, after?);
    Some(wall.as_secs_f64() * cores as f64 - after.saturating_sub(before).as_secs_f64())
}

/// CPU seconds between two readings.
fn spent(before: Option<Usage>, after: Option<Usage>) -> Option<f64> {
    Some(after?.cpu.saturating_sub(before?.cpu).as_secs_f64())
}

/// Waits until the server has used no CPU for three tenths of a second, so that jobs after the answer (mails, badges) are
/// counted to the people who caused them; then reads it.
fn settled(server: Option<Watched>) -> Option<Usage> {
    let started = now();
    let mut last = server?.usage()?;
    let mut quiet = 0;
    while quiet < 3 && started.elapsed() < SETTLE {
        thread::sleep(Duration::from_millis(100));
        let reading = server?.usage()?;
        quiet = if reading.cpu == last.cpu { quiet + 1 } else { 0 };
        last = reading;
    }
    Some(last)
}

/// The figures of a round.
fn summed(readings: &Readings, traces: Vec<(Trace, u64)>) -> Round {
    let mut all = Trace::default();
    let (mut finished, mut requests) = (0_u32, 0_u64);
    for (trace, sent) in traces {
        all.views.extend(trace.views);
        all.saves.extend(trace.saves);
        all.submits.extend(trace.submits);
        all.faults.extend(trace.faults);
        all.view_bytes += trace.view_bytes;
        finished += u32::from(trace.finished);
        requests += sent;
    }
    let wall = readings.wall.as_secs_f64();
    let per_attempt = |cpu: Option<f64>| cpu.map(|cpu| cpu / f64::from(finished));
    let peak = readings.server.1.map(|usage| usage.peak_bytes as f64 / (1024.0 * 1024.0));
    let others = readings.machine.zip(readings.server_busy).zip(readings.own).map(|((all, server), own)| all - server - own);
    let (views, saves) = (all.views.len() as f64, all.saves.len() as f64);
    let mut figures = vec![
        Figure::new("attempts_per_s", "attempts", "per s", Some(f64::from(finished) / wall)),
        Figure::new("saves_per_s", "saves", "per s", Some(saves / wall)),
        Figure::new("requests_per_s", "requests", "per s", Some(requests as f64 / wall)),
    ];
    for (readings, names) in [(&mut all.views, VIEWS), (&mut all.saves, SAVES), (&mut all.submits, SUBMITS)] {
        for ((key, label), share) in names.into_iter().zip([0.50, 0.95, 0.99]) {
            figures.push(Figure::new(key, label, "ms", percentile_ms(readings, share)));
        }
    }
    figures.extend([
        Figure::new("failed", "failed requests", "", Some(all.faults.len() as f64)),
        Figure::new("question_page_bytes", "question page, body on the wire", "bytes", Some((all.view_bytes as f64 / views).round())),
        Figure::new("server_cpu_s_per_attempt", "server CPU per attempt", "s", per_attempt(spent(readings.server.0, readings.server.1))),
        Figure::new("server_cpu_s_per_sign_in", "server CPU per sign-in", "s", readings.sign_in.map(|s| s / f64::from(readings.people))),
        Figure::new("driver_cpu_s_per_attempt", "driver CPU per attempt", "s", per_attempt(readings.own)),
        Figure::new("server_cores", "server CPU, share of one core", "cores", readings.server_busy.map(|s| s / wall)),
        Figure::new("driver_cores", "driver CPU, share of one core", "cores", readings.own.map(|s| s / wall)),
        Figure::new("others_cores", "all else on the machine", "cores", others.map(|s| s.max(0.0) / wall)),
        Figure::new("server_peak_rss_mib", "server peak memory", "MiB", peak),
    ]);
    Round { figures, faults: all.faults }
}

const VIEWS: [(&str, &str); 3] =
    [("view_p50_ms", "question page, p50"), ("view_p95_ms", "question page, p95"), ("view_p99_ms", "question page, p99")];
const SAVES: [(&str, &str); 3] = [("save_p50_ms", "save, p50"), ("save_p95_ms", "save, p95"), ("save_p99_ms", "save, p99")];
const SUBMITS: [(&str, &str); 3] = [("submit_p50_ms", "submit, p50"), ("submit_p95_ms", "submit, p95"), ("submit_p99_ms", "submit, p99")];

fn cores(process: Option<Watched>) -> String {
    process.and_then(Watched::cores).unwrap_or_else(|| "unknown".to_owned())
}

fn report(args: &LoadArgs, server: Option<Watched>, rounds: &[Round]) {
    let faults: Vec<&String> = rounds.iter().flat_map(|round| &round.faults).collect();
    let figures: Vec<Vec<Figure>> = rounds.iter().map(|round| round.figures.clone()).collect();
    let rows = over_rounds(&figures);
    if args.json {
        let conditions = json!({
            "url": args.target.url, "programme": args.target.programme, "questions": args.target.questions,
            "people": args.people, "rounds": args.rounds, "seed": args.seed, "server_pid": server.map(Watched::pid),
            "server_cores": server.and_then(Watched::cores), "driver_cores": Watched::own().and_then(Watched::cores),
        });
        println!("{:#}", json!({ "conditions": conditions, "median": rows, "rounds": figures, "faults": faults }));
    } else {
        let (rounds, s) = (args.rounds, if args.rounds == 1 { "" } else { "s" });
        println!("{} people at once, {rounds} round{s}, {} questions each, {}", args.people, args.target.questions, args.target.url);
        println!("server may use cores {}, driver {}", cores(server), cores(Watched::own()));
        print!("{}", table(&rows));
    }
    for fault in faults.iter().take(SAID) {
        eprintln!("failed: {fault}");
    }
    if faults.len() > SAID {
        eprintln!("and {} more", faults.len() - SAID);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Target,
        stub::{Fault, start},
    };

    fn round(fault: Fault) -> Round {
        let target = Target { url: start(fault), programme: "serverless".to_owned(), questions: 50 };
        play(&LoadArgs { target, people: 3, rounds: 1, pid: None, seed: 1, json: false }, None, 1)
    }

    fn value(round: &Round, key: &str) -> Option<f64> {
        round.figures.iter().find(|figure| figure.key == key).unwrap().value
    }

    #[test]
    fn a_good_server_has_no_faults_and_every_figure() {
        let round = round(Fault::None);
        assert_eq!(round.faults, Vec::<String>::new());
        assert!(value(&round, "attempts_per_s").unwrap() > 0.0);
        let ratio = value(&round, "saves_per_s").unwrap() / value(&round, "attempts_per_s").unwrap();
        assert!((ratio - 50.0).abs() < 1e-6, "{ratio}");
        assert!(value(&round, "view_p99_ms") >= value(&round, "view_p50_ms"));
        assert_eq!(value(&round, "server_cpu_s_per_attempt"), None);
    }

    #[test]
    fn an_answer_that_was_not_saved_is_a_fault_for_everybody() {
        let round = round(Fault::NotSaved);
        assert_eq!(round.faults.len(), 3);
        assert_eq!(round.faults[0], "save of question 7: expected saved:true at revision 1, got status 200 ({\"saved\":false})");
        assert!(value(&round, "attempts_per_s").unwrap() > 0.0);
    }

    #[test]
    fn a_short_form_is_a_fault() {
        let round = round(Fault::ShortForm);
        assert_eq!(round.faults.len(), 150);
        assert!(round.faults[0].contains("expected \"Question 1 of 50\""), "{}", round.faults[0]);
    }

    #[test]
    fn a_refused_submit_is_a_fault_and_no_attempt() {
        let round = round(Fault::Busy);
        assert_eq!(round.faults, ["submit: expected status 303, got status 503 (Busy)"; 3]);
        assert_eq!(value(&round, "attempts_per_s"), Some(0.0));
        assert_eq!(value(&round, "submit_p50_ms"), None);
    }

    #[test]
    fn a_broken_connection_is_a_fault() {
        let round = round(Fault::HangsUp);
        assert_eq!(round.faults.len(), 3);
        assert!(round.faults[0].starts_with("page of question 50: no answer: "), "{}", round.faults[0]);
    }

    #[test]
    fn nobody_waits_for_one_who_cannot_begin() {
        assert_eq!(round(Fault::NoBegin).faults, ["begin: expected status 303, got status 409 (Not yet)"; 3]);
    }
}
