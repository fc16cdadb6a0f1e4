//! Does a request cost more when much has happened before? Two servers on the same core, one with few past attempts and one with
//! many, are asked the same things alternately; what counts is the ratio of the server's CPU for each, and of the median latency.

use std::{cell::RefCell, path::Path, rc::Rc, time::Instant};

use serde_json::json;

use crate::{
    HistoryArgs, Sitting, Target,
    client::Client,
    conditions::Conditions,
    crowd::{all_at_once, allow_connections, on_one_core, signed_in},
    figures::{Figure, over_rounds, percentile_ms, table},
    html::tags,
    meter::Meter,
    past::fill,
    person::{Person, Step},
    process::{Watched, pin},
    readings::{Kind, Reading, Trace, ever},
    server::Server,
};

/// Name of the database in a data folder.
pub(crate) const DATABASE: &str = "assay.db";
/// Questions that everybody looks at and saves in one round, and looks at results and badges.
const TIMES: u32 = 20;
/// How many ask for what may be very dear.
const FEW: usize = 4;

/// Prepares, measures and prints. `false` when an expectation failed.
///
/// # Errors
/// Words for the person at the terminal.
pub(crate) fn run(args: &HistoryArgs) -> Result<bool, String> {
    allow_connections(args.people * 2)?;
    let folders = [args.folder.join("few"), args.folder.join("many")];
    on_one_core(async {
        for (folder, wanted) in folders.iter().zip([args.few, args.many]) {
            prepare(&args.server, folder, wanted).await?;
        }
        Ok(())
    })?;
    let core = (!args.own.no_pin).then_some(args.own.server_core);
    let mut servers = Vec::new();
    for folder in &folders {
        servers.push(Server::start(&args.server, folder, core)?);
    }
    if !args.own.no_pin {
        pin(args.own.driver_core)?;
    }
    let (rounds, faults) = on_one_core(async {
        let (mut rounds, mut faults) = (Vec::new(), Vec::new());
        // The first round warms both up and is not counted.
        for number in 0..=args.rounds {
            let mut sides = Vec::new();
            for server in &servers {
                let (figures, failed) = play(args, server, number).await?;
                sides.push(figures);
                faults.extend(failed);
            }
            eprintln!("round {number} of {}, {} failed", args.rounds, faults.len());
            rounds.push(compared(&sides));
        }
        Ok((rounds, faults))
    })?;
    let rows = over_rounds(rounds.get(1..).unwrap_or_default());
    let conditions = Conditions::read(servers.first().and_then(Server::pid).and_then(Watched::with_pid));
    let bytes = folders.each_ref().map(|folder| size(&folder.join(DATABASE)));
    if args.own.json {
        let run = json!({ "mode": "history", "few": args.few, "many": args.many, "people": args.people, "rounds": args.rounds, "bytes": bytes, "machine": conditions });
        println!("{:#}", json!({ "conditions": run, "median": rows, "rounds": rounds, "faults": faults }));
    } else {
        let mib = bytes.map(|bytes| bytes / (1024 * 1024));
        println!(
            "{} past attempts ({} MiB) and {} ({} MiB), asked alternately; {} rounds",
            args.few, mib[0], args.many, mib[1], args.rounds
        );
        println!("{conditions}\n");
        print!("{}", table(&rows));
    }
    for fault in faults.iter().take(20) {
        eprintln!("failed: {fault}");
    }
    Ok(faults.is_empty())
}

/// Bytes of a file; 0 where there is none.
pub(crate) fn size(file: &Path) -> u64 {
    file.metadata().map_or(0, |data| data.len())
}

/// A data folder with so many past attempts; what a folder has already is kept.
pub(crate) async fn prepare(program: &Path, folder: &Path, wanted: u64) -> Result<(), String> {
    // The server makes its schema and its sample people itself.
    drop(Server::start(program, folder, None)?);
    let started: Instant = crate::client::now();
    let before = fill(&folder.join(DATABASE), wanted)?;
    if before > wanted {
        return Err(format!("{} holds {before} past attempts, which is more than {wanted}: name another folder", folder.display()));
    }
    eprintln!("{}: {wanted} past attempts, {before} of them from before; {:.0} s", folder.display(), started.elapsed().as_secs_f64());
    Ok(())
}

/// One kind of request with what it cost.
struct Side {
    key: &'static str,
    label: &'static str,
    cpu_ms: Option<f64>,
    p50_ms: Option<f64>,
}

/// The rows of both servers and their ratios.
fn compared(sides: &[Vec<Side>]) -> Vec<Figure> {
    let [few, many] = sides else { return Vec::new() };
    let mut figures = Vec::new();
    for (few, many) in few.iter().zip(many) {
        let (key, label) = (few.key, few.label);
        let ratio = |few: Option<f64>, many: Option<f64>| many.zip(few).map(|(many, few)| many / few);
        figures.extend([
            Figure::new(format!("{key}_few_cpu_ms"), format!("{label}, few: server CPU"), "ms", few.cpu_ms),
            Figure::new(format!("{key}_many_cpu_ms"), format!("{label}, many: server CPU"), "ms", many.cpu_ms),
            Figure::new(format!("{key}_cpu_ratio"), format!("{label}: ratio of CPU"), "", ratio(few.cpu_ms, many.cpu_ms)),
            Figure::new(format!("{key}_p50_ratio"), format!("{label}: ratio of p50"), "", ratio(few.p50_ms, many.p50_ms)),
        ]);
    }
    figures
}

/// One round at one server: everybody does one kind of thing, then the next, each measured by itself.
async fn play(args: &HistoryArgs, server: &Server, number: u32) -> Result<(Vec<Side>, Vec<String>), String> {
    let target = Target { url: server.url.clone(), programme: args.own.programme.clone(), questions: args.own.questions };
    let sitting = Sitting::plain(target, args.people, args.own.seed);
    let process = server.pid().and_then(Watched::with_pid);
    let badge = badge(&server.url).await?;
    let (people, mut faults) = signed_in(&sitting, number).await;
    let mut seats: Vec<Seat> = people.into_iter().map(|person| Seat { person, saves: Vec::new() }).collect();
    let mut sides = Vec::new();
    for (key, label, task) in [
        ("draw", "begin (draw)", Task::Begin),
        ("page", "question page", Task::Pages),
        ("save", "save", Task::Saves),
        ("submit", "submit", Task::Submit),
        ("result", "result", Task::Results),
        ("badge", "badge page", Task::Path(format!("/b/{badge}"))),
        // Not one of a learner's pages, and the first suspect: it counts all attempts there are.
        ("figures", "page of public figures", Task::Once(format!("/programmes/{}/standard", args.own.programme))),
    ] {
        let back = Rc::new(RefCell::new(Vec::new()));
        let meter = Meter::start(process).await;
        let started = meter.started;
        let trace = seated(seats, task, started, &back).await;
        let cost = meter.stop().await;
        let count = trace.readings.len() as f64;
        let mut took: Vec<_> = Kind::ALL.into_iter().flat_map(|kind| trace.latencies(kind, &ever())).collect();
        sides.push(Side { key, label, cpu_ms: cost.server_each(count).map(|s| s * 1000.0), p50_ms: percentile_ms(&mut took, 0.5) });
        faults.extend(trace.faults);
        seats = back.take();
    }
    Ok((sides, faults))
}

/// Somebody and the answers they are about to save.
struct Seat {
    person: Person,
    saves: Vec<Step>,
}

#[derive(Clone)]
enum Task {
    Begin,
    Pages,
    Saves,
    Submit,
    Results,
    /// Everybody, again and again.
    Path(String),
    /// Few, and only once.
    Once(String),
}

/// Everybody does one task; they come back through `back`.
async fn seated(seats: Vec<Seat>, task: Task, started: Instant, back: &Rc<RefCell<Vec<Seat>>>) -> Trace {
    let (people, saves): (Vec<_>, Vec<_>) = seats.into_iter().map(|seat| (seat.person, seat.saves)).unzip();
    all_at_once(people, |index, person| {
        let mut seat = Seat { person, saves: saves.get(index).cloned().unwrap_or_default() };
        let (task, back) = (task.clone(), back.clone());
        async move {
            let mut trace = Trace::default();
            match &task {
                Task::Once(_) if index >= FEW => {}
                task => seat.perform(task, started, &mut trace).await,
            }
            back.borrow_mut().push(seat);
            trace
        }
    })
    .await
}

impl Seat {
    async fn perform(&mut self, task: &Task, started: Instant, trace: &mut Trace) {
        match task {
            Task::Begin => _ = self.step(&Step::Begin, started, trace).await,
            Task::Submit => _ = self.step(&Step::Submit, started, trace).await,
            Task::Results => {
                for _ in 0..TIMES {
                    self.step(&Step::Result, started, trace).await;
                }
            }
            Task::Pages => {
                for number in 1..=TIMES {
                    if self.step(&Step::View(number), started, trace).await {
                        self.saves.extend(self.person.choose());
                    }
                }
            }
            Task::Saves => {
                for save in std::mem::take(&mut self.saves) {
                    self.step(&save, started, trace).await;
                }
            }
            Task::Path(path) => {
                for _ in 0..TIMES {
                    self.look(path, started, trace).await;
                }
            }
            Task::Once(path) => self.look(path, started, trace).await,
        }
    }

    async fn look(&mut self, path: &str, started: Instant, trace: &mut Trace) {
        let due = started.elapsed();
        match self.person.browser().get(path, path).await.and_then(|answer| answer.expect_status(path, 200)) {
            Ok(answer) => trace.readings.push(Reading { kind: Kind::Page, due, took: answer.took }),
            Err(trouble) => trace.faults.push(trouble.to_string()),
        }
    }

    async fn step(&mut self, step: &Step, started: Instant, trace: &mut Trace) -> bool {
        let due = started.elapsed();
        match self.person.perform(step).await {
            Ok(done) => {
                trace.readings.push(Reading { kind: step.kind(), due, took: done.took });
                true
            }
            Err(trouble) => {
                trace.faults.push(trouble.to_string());
                false
            }
        }
    }
}

/// Public id of the badge of the demo's sample holder, whose page anybody may see.
async fn badge(url: &str) -> Result<String, String> {
    const WHAT: &str = "the sample holder's badge";
    let mut holder = Client::new(url, None);
    let page = async {
        holder.post_form(WHAT, "/demo/as/holder", &[]).await?.expect_status(WHAT, 303)?;
        holder.get(WHAT, "/me").await?.expect_status(WHAT, 200)
    };
    let page = page.await.map_err(|trouble| trouble.to_string())?;
    let id = tags(&page.text, "a").find_map(|a| Some(a.get("href")?.strip_prefix("/me/badges/")?.to_owned()));
    id.ok_or_else(|| "the sample holder has no badge; is this folder a demo's?".to_owned())
}
