//! What a backup costs those who sit meanwhile, and how long it and bringing it back take, with a large database.
//!
//! Rounds as `load` plays them, by turns alone and beside `assay backup`, which runs on the driver's core: what is measured is what it
//! takes from the disk and from the database, not from the server's core.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::json;

use crate::{
    BackupArgs, LoadArgs, Sitting, Target,
    client::now,
    conditions::Conditions,
    crowd::{allow_connections, on_one_core},
    figures::{Figure, median, over_rounds, table},
    history::{DATABASE, prepare, size},
    load,
    process::{Watched, pin},
    server::Server,
};

/// Rounds alone before each backup.
const ALONE: u32 = 3;

/// Prepares, measures and prints. `false` when an expectation failed.
///
/// # Errors
/// Words for the person at the terminal.
pub(crate) fn run(args: &BackupArgs) -> Result<bool, String> {
    allow_connections(args.people)?;
    let data = args.folder.join("data");
    on_one_core(prepare(&args.server, &data, args.past))?;
    let core = (!args.own.no_pin).then_some(args.own.server_core);
    let server = Server::start(&args.server, &data, core)?;
    if !args.own.no_pin {
        pin(args.own.driver_core)?;
    }
    let target = Target { url: server.url.clone(), programme: args.own.programme.clone(), questions: args.own.questions };
    let load = LoadArgs { sitting: Sitting::plain(target, args.people, args.own.seed) };
    let watched = server.pid().and_then(Watched::with_pid);
    let mut faults = Vec::new();
    let mut rounds = Vec::new();
    for number in 1..=args.rounds {
        let mut played = 0;
        let mut play = |side: &mut Side| {
            played += 1;
            let round = on_one_core(async { Ok(load::play(&load, watched, number * 1000 + played).await) })?;
            side.add(&round.figures);
            faults.extend(round.trace.faults);
            Ok::<(), String>(())
        };
        let (mut alone, mut beside) = (Side::default(), Side::default());
        for _ in 0..ALONE {
            play(&mut alone)?;
        }
        let file = args.folder.join(format!("backup-{number}"));
        let mut backup = Running::start(&args.server, &["backup", "--data"], &[&data, &file])?;
        while backup.is_under_way()? {
            play(&mut beside)?;
        }
        let backup_seconds = backup.seconds;
        let bytes = size(&file);
        let restored = args.folder.join(format!("restored-{number}"));
        let restore_seconds = restore(&args.server, &file, &data, &restored)?;
        let cannot = |e: std::io::Error| format!("what was made for a round cannot be removed from {}: {e}", args.folder.display());
        std::fs::remove_file(&file).and_then(|()| std::fs::remove_dir_all(&restored)).map_err(cannot)?;
        eprintln!(
            "round {number} of {}: backup {backup_seconds:.1} s, restore {restore_seconds:.1} s, {} failed so far",
            args.rounds,
            faults.len()
        );
        rounds.push(figures(&alone, &beside, backup_seconds, restore_seconds, bytes));
    }
    let rows = over_rounds(&rounds);
    let conditions = Conditions::read(watched);
    let bytes = size(&data.join(DATABASE));
    if args.own.json {
        let run = json!({ "mode": "backup", "past": args.past, "people": args.people, "rounds": args.rounds, "bytes": bytes, "machine": conditions });
        println!("{:#}", json!({ "conditions": run, "median": rows, "rounds": rounds, "faults": faults }));
    } else {
        println!("{} past attempts ({} MiB), {} people; {} rounds", args.past, bytes / (1024 * 1024), args.people, args.rounds);
        println!("{conditions}\n");
        print!("{}", table(&rows));
    }
    for fault in faults.iter().take(20) {
        eprintln!("failed: {fault}");
    }
    Ok(faults.is_empty())
}

/// What people got who sat alone, or beside a backup.
#[derive(Default)]
struct Side {
    saves: Vec<f64>,
    p99: Vec<f64>,
}

impl Side {
    fn add(&mut self, figures: &[Figure]) {
        let value = |key: &str| figures.iter().find(|figure| figure.key == key).and_then(|figure| figure.value);
        self.saves.extend(value("saves_per_s"));
        self.p99.extend(value("save_p99_ms"));
    }
}

fn figures(alone: &Side, beside: &Side, backup: f64, restore: f64, bytes: u64) -> Vec<Figure> {
    let (without, with) = (median(alone.saves.clone()), median(beside.saves.clone()));
    let share = with.zip(without).map(|(with, without)| with / without);
    let mib = bytes as f64 / (1024.0 * 1024.0);
    vec![
        Figure::new("alone_saves_per_s", "saves, alone", "per s", without),
        Figure::new("beside_saves_per_s", "saves beside a backup", "per s", with),
        Figure::new("share", "share that is left beside a backup", "", share),
        Figure::new("alone_save_p99_ms", "save, p99, alone", "ms", median(alone.p99.clone())),
        Figure::new("beside_save_p99_ms", "save, p99, beside a backup", "ms", median(beside.p99.clone())),
        Figure::new("beside_rounds", "rounds beside it", "", Some(beside.saves.len() as f64)),
        Figure::new("backup_mib", "backup", "MiB", Some(mib.round())),
        Figure::new("backup_s", "backup, brought back once to prove it", "s", Some(backup)),
        Figure::new("restore_s", "restore", "s", Some(restore)),
        Figure::new("restore_mib_per_s", "restore", "MiB/s", Some(mib / restore)),
    ]
}

/// Brings the backup back and reconciles it with the journal as it is by now. How many seconds that took.
fn restore(program: &Path, file: &Path, data: &Path, to: &Path) -> Result<f64, String> {
    let journal = data.join("journal").join("signing.jsonl");
    let mut restore = Running::start(program, &["restore", "--journal"], &[&journal, Path::new("--data"), to, file])?;
    while restore.is_under_way()? {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    Ok(restore.seconds)
}

/// A command of the program under way.
struct Running {
    child: Child,
    what: String,
    began: std::time::Instant,
    seconds: f64,
}

impl Running {
    fn start(program: &Path, words: &[&str], paths: &[&Path]) -> Result<Self, String> {
        let what = format!("{} {}", program.display(), words.join(" "));
        let mut command = Command::new(program);
        command.args(words).args(paths).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().map_err(|e| format!("{what} cannot be started: {e}"))?;
        Ok(Self { child, what, began: now(), seconds: 0.0 })
    }

    /// Whether it still works. The seconds it took are good to one round of those who sit beside it.
    fn is_under_way(&mut self) -> Result<bool, String> {
        match self.child.try_wait().map_err(|e| format!("{}: {e}", self.what))? {
            None => Ok(true),
            Some(status) if status.success() => {
                self.seconds = self.began.elapsed().as_secs_f64();
                Ok(false)
            }
            Some(status) => Err(format!("{} ended with {status}; it said why above", self.what)),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}
