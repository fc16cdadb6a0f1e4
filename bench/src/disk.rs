//! What the disk itself can do: appends that are on it before the next one begins. No durable server commits more often than that.

use std::{
    fs::File,
    io::Write as _,
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    DiskArgs,
    client::now,
    conditions::Conditions,
    figures::{Figure, over_rounds, percentile_ms, table},
    server::fresh_folder,
};

/// One page of a database and its head, as the log takes it.
const BYTES: usize = 4096 + 24;

/// Measures and prints.
///
/// # Errors
/// Words for the person at the terminal.
pub(crate) fn run(args: &DiskArgs) -> Result<bool, String> {
    let folder = match &args.folder {
        Some(folder) => tempfile::tempdir_in(folder).map_err(|e| format!("{}: {e}", folder.display()))?,
        None => fresh_folder()?,
    };
    let file = folder.path().join("appended");
    let mut rounds = Vec::new();
    for _ in 0..args.rounds {
        rounds.push(round(&file, Duration::from_secs_f64(args.seconds)).map_err(|e| format!("{}: {e}", file.display()))?);
    }
    let rows = over_rounds(&rounds);
    let conditions = Conditions::of_file(&file);
    if args.json {
        let run = json!({ "mode": "disk", "seconds": args.seconds, "rounds": args.rounds, "bytes": BYTES, "machine": conditions });
        println!("{:#}", json!({ "conditions": run, "median": rows, "rounds": rounds }));
    } else {
        println!(
            "Appends of {BYTES} bytes, each on the disk before the next; {} rounds of {} s\n{conditions}\n",
            args.rounds, args.seconds
        );
        print!("{}", table(&rows));
    }
    Ok(true)
}

fn round(path: &PathBuf, length: Duration) -> std::io::Result<Vec<Figure>> {
    let mut file = File::create(path)?;
    let bytes = [0x5A; BYTES];
    let mut took = Vec::new();
    let started: Instant = now();
    while started.elapsed() < length {
        let began = now();
        file.write_all(&bytes)?;
        file.sync_data()?;
        took.push(began.elapsed());
    }
    let rate = took.len() as f64 / started.elapsed().as_secs_f64();
    Ok(vec![
        Figure::new("syncs_per_s", "durable appends", "per s", Some(rate)),
        Figure::new("sync_p50_ms", "one of them, p50", "ms", percentile_ms(&mut took, 0.5)),
        Figure::new("sync_p99_ms", "one of them, p99", "ms", percentile_ms(&mut took, 0.99)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_appended_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("appended");
        let figures = round(&file, Duration::from_millis(20)).unwrap();
        assert!(figures.iter().all(|figure| figure.value.unwrap() > 0.0), "{figures:?}");
        assert_eq!(file.metadata().unwrap().len() % BYTES as u64, 0);
    }
}
