//! Long runs of the fault tests: `cargo xtask torture`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's program fails by panicking")]

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use assay_torture::{
    faulty::Rule,
    image::Cut,
    mail::five_days,
    outage::{Outage, SmallDisk, full_disk, no_descriptors, outage},
    points::{Killed, POINTS, kill, sit_and_die},
    power::{Cuts, Found, cut, tell},
    story::{Fault, Plan},
};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Fault tests of the embedded engine, and kills over PostgreSQL (ASSAY_TEST_ENGINE=postgres), as long as you like")]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Power cuts: every point of recorded stories, four manners
    Power {
        /// Attempts to record, 50 to a story
        #[arg(long, default_value_t = 1000)]
        attempts: usize,
        /// Most crash points of one story; by default every one
        #[arg(long, default_value_t = usize::MAX)]
        most: usize,
    },
    /// Kills at named points between a hand-in and the mail
    Points {
        /// Kills at each point
        #[arg(long, default_value_t = 1000)]
        times: usize,
    },
    /// Disks that fail: a story with a failing disk, cut everywhere, and outages of every kind
    Disk {
        /// Attempts to record, 50 to a story
        #[arg(long, default_value_t = 200)]
        attempts: usize,
        /// Outages of each kind
        #[arg(long, default_value_t = 50)]
        times: usize,
    },
    /// Five days without a mail server
    Mail {
        /// Mails
        #[arg(long, default_value_t = 10_000)]
        mails: usize,
        /// How often each is tried in the five days
        #[arg(long, default_value_t = 120)]
        looks: i64,
    },
    /// An outage of file descriptors, in a process with few
    #[command(hide = true)]
    Descriptors,
    /// The process that is killed
    #[command(hide = true)]
    Sit {
        #[arg(long)]
        folder: PathBuf,
        #[arg(long)]
        point: String,
        #[arg(long)]
        nth: usize,
        #[arg(long)]
        seed: u8,
        /// A PostgreSQL database, instead of the embedded one in the folder
        #[arg(long)]
        server: Option<String>,
    },
}

fn main() -> ExitCode {
    let faults = match Arguments::parse().what {
        What::Power { attempts, most } => power(attempts, most, Fault::None),
        What::Disk { attempts, times } => power(attempts, usize::MAX, Fault::FailingDisk) + outages(times),
        What::Mail { mails, looks } => five_days_of_mail(mails, looks),
        What::Descriptors => told("no descriptors", &runtime().block_on(no_descriptors())),
        What::Points { times } => points(times),
        What::Sit { folder, point, nth, seed, server } => {
            sit_and_die(&folder, server.as_deref(), &point, nth, seed);
            0
        }
    };
    if faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn power(attempts: usize, most: usize, fault: Fault) -> usize {
    let mut all = Found::default();
    for seed in 0..=u8::MAX {
        if all.attempts >= attempts {
            break;
        }
        let recording = tell(Plan { people: 25, seed, fault });
        let found = cut(&recording, seed, &Cuts { manners: Cut::ALL.to_vec(), most, enough: 100 });
        println!("story {seed}: {}", found.line());
        found.faults.iter().take(10).for_each(|fault| println!("  {fault}"));
        all.add(found);
        println!("so far: {}", all.line());
    }
    all.bad
}

/// Passings of a point at which processes are killed.
const PASSINGS: usize = 6;
/// So often in turn may a passing not be reached before it is left out.
const MISSES: usize = 3;

/// Every point by turns, at its first to sixth passing, until each has killed so many times; four processes at once.
fn points(times: usize) -> usize {
    let program = std::env::current_exe().unwrap();
    let postgres = std::env::var("ASSAY_TEST_ENGINE").is_ok_and(|engine| engine == "postgres");
    let next = AtomicUsize::new(0);
    // Kills that went well and badly, and runs that did not come that often to the point.
    let counts = Mutex::new([(0_usize, 0_usize, 0_usize); POINTS.len()]);
    let missed = Mutex::new([[0_usize; PASSINGS]; POINTS.len()]);
    let tally = |words: &str| {
        let counts = *counts.lock().unwrap();
        let each: Vec<String> =
            POINTS.iter().zip(counts).map(|(point, (well, badly, not))| format!("{point} {well}/{badly}/{not}")).collect();
        println!("{words}: well/badly/not reached: {}", each.join(", "));
        counts
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(run) = Some(next.fetch_add(1, Ordering::SeqCst)).filter(|run| run / POINTS.len() < times * 3) {
                    let (which, round) = (run % POINTS.len(), run / POINTS.len());
                    if counts.lock().unwrap()[which].0 >= times {
                        continue;
                    }
                    let misses = missed.lock().unwrap()[which];
                    let left: Vec<usize> = (1..=PASSINGS).filter(|nth| *nth == 1 || misses[nth - 1] < MISSES).collect();
                    let nth = left[round % left.len()];
                    let killed = kill(&program, postgres, POINTS[which], nth, u8::try_from(round % 256).unwrap());
                    let mut counts = counts.lock().unwrap();
                    let misses = &mut missed.lock().unwrap()[which][nth - 1];
                    *misses = if killed == Killed::NotReached { *misses + 1 } else { 0 };
                    match killed {
                        Killed::Well => counts[which].0 += 1,
                        Killed::NotReached => counts[which].2 += 1,
                        Killed::Badly(faults) => {
                            counts[which].1 += 1;
                            println!("{}, time {nth}: {}", POINTS[which], faults.join("; "));
                        }
                    }
                    drop(counts);
                    if run % (POINTS.len() * 50) == 0 {
                        tally(&format!("{run} runs"));
                    }
                }
            });
        }
    });
    tally("in the end").iter().map(|(well, badly, _)| badly + usize::from(*well < times)).sum()
}

fn told(name: &str, outage: &Outage) -> usize {
    println!("{name}: {outage:?}");
    outage.faults.len()
}

fn outages(times: usize) -> usize {
    let (runtime, mut bad) = (runtime(), 0);
    for rule in [Rule::NoSync, Rule::Full, Rule::NoWrite, Rule::ReadOnly, Rule::NoOpen] {
        let all: Vec<Outage> = (0..times).map(|_| runtime.block_on(outage(rule))).collect();
        bad += summary(&format!("{rule:?}"), &all);
    }
    let all: Result<Vec<Outage>, String> =
        (0..times).map(|_| SmallDisk::mount(3072).map(|disk| runtime.block_on(full_disk(&disk)))).collect();
    match all {
        Ok(all) => bad + summary("a full tmpfs", &all),
        Err(why) => {
            println!("a full tmpfs: skipped, {why}");
            bad
        }
    }
}

fn summary(name: &str, all: &[Outage]) -> usize {
    let faults: Vec<&String> = all.iter().flat_map(|outage| &outage.faults).collect();
    println!(
        "{name}: {} outages, {} saves refused (the slowest after {:?}), {} reads, back after {:?} at most, faults: {faults:?}",
        all.len(),
        all.iter().map(|outage| outage.refused).sum::<usize>(),
        all.iter().map(|outage| outage.slowest_refusal).max().unwrap_or_default(),
        all.iter().map(|outage| outage.read).sum::<usize>(),
        all.iter().map(|outage| outage.recovered_after).max().unwrap_or_default(),
    );
    faults.len()
}

fn five_days_of_mail(mails: usize, looks: i64) -> usize {
    let drained = runtime().block_on(five_days(mails, looks));
    println!("{drained:?}");
    usize::from(drained.went_out != mails || drained.different != mails || drained.left != 0 || drained.out_of_order != 0)
}
