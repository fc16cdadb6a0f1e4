//! One way to say what came out: conditions, table or JSON, chart, faults in words.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    Sitting, chart,
    conditions::Conditions,
    figures::{Figure, Row, over_rounds, short, table},
    meter::{Cost, bottleneck},
    process::Watched,
    readings::{Kind, Trace},
};

/// Faults that are said in words; the rest is only counted.
const SAID: usize = 20;

/// What one round gave.
pub(crate) struct Round {
    pub(crate) figures: Vec<Figure>,
    pub(crate) cost: Cost,
    pub(crate) trace: Trace,
}

impl Round {
    /// One line on standard error, so that a long run shows that it lives.
    pub(crate) fn said(&self, number: u32, sitting: &Sitting) {
        let (wall, failed) = (self.cost.wall.as_secs_f64(), self.trace.faults.len());
        eprintln!("round {number} of {}: {} people, {wall:.1} s, {failed} failed", sitting.rounds, sitting.people);
    }

    fn value(&self, key: &str) -> Option<f64> {
        self.figures.iter().find(|figure| figure.key == key)?.value
    }
}

/// The server's process: the one that was named, or whoever listens there.
///
/// # Errors
/// When it was named and cannot be read.
pub(crate) fn watched(sitting: &Sitting) -> Result<Option<Watched>, String> {
    let server = match sitting.pid {
        Some(pid) => {
            Some(Watched::with_pid(pid).ok_or_else(|| format!("process {pid} cannot be read; leave --pid out to look it up by port"))?)
        }
        None => Watched::listening_at(sitting.target.url()),
    };
    if server.is_none() {
        eprintln!("The server's process was not found on this machine, so its CPU and memory stay empty; name it by --pid.");
    }
    Ok(server)
}

/// Everything of a run.
pub(crate) struct Report<'a> {
    pub(crate) title: String,
    pub(crate) sitting: &'a Sitting,
    pub(crate) server: Option<Watched>,
    pub(crate) conditions: Value,
    pub(crate) rounds: &'a [Round],
}

impl Report<'_> {
    /// Prints it. `false` when any expectation failed.
    ///
    /// # Errors
    /// When the chart cannot be written.
    pub(crate) fn print(self) -> Result<bool, String> {
        let figures: Vec<Vec<Figure>> = self.rounds.iter().map(|round| round.figures.clone()).collect();
        let rows = over_rounds(&figures);
        let faults: Vec<&String> = self.rounds.iter().flat_map(|round| &round.trace.faults).collect();
        let conditions = Conditions::read(self.server);
        if self.sitting.json {
            let read = json!({
                "url": self.sitting.target.url(), "programme": self.sitting.target.programme, "questions": self.sitting.target.questions,
                "people": self.sitting.people, "rounds": self.sitting.rounds, "seed": self.sitting.seed, "machine": conditions,
                "run": self.conditions,
            });
            println!("{:#}", json!({ "conditions": read, "median": rows, "rounds": figures, "faults": faults }));
        } else {
            let s = if self.sitting.rounds == 1 { "" } else { "s" };
            println!("{}; {} round{s}\n{conditions}\n", self.title, self.sitting.rounds);
            print!("{}", grids(&rows));
        }
        if let Some(file) = &self.sitting.svg {
            self.draw(file)?;
        }
        self.warn();
        say(&faults);
        Ok(faults.is_empty())
    }

    fn draw(&self, file: &Path) -> Result<(), String> {
        let Some(last) = self.rounds.last() else { return Ok(()) };
        fs::write(file, chart::svg(&self.title, &last.trace)).map_err(|e| format!("{} cannot be written: {e}", file.display()))
    }

    /// Says once, of the worst round, when the driver was in its own way.
    fn warn(&self) {
        let most = |key: &str| self.rounds.iter().filter_map(|round| round.value(key)).reduce(f64::max);
        let driver =
            ["driver_cores", "1x_driver_cores", "2x_driver_cores", "3x_driver_cores"].into_iter().filter_map(most).reduce(f64::max);
        let late = ["driver_late_p99_ms", "1x_driver_late_p99_ms", "2x_driver_late_p99_ms", "3x_driver_late_p99_ms"];
        if let Some(words) = bottleneck(driver, late.into_iter().filter_map(most).reduce(f64::max)) {
            eprintln!("Warning: {words}");
        }
    }
}

fn say(faults: &[&String]) {
    for fault in faults.iter().take(SAID) {
        eprintln!("failed: {fault}");
    }
    if faults.len() > SAID {
        eprintln!("and {} more", faults.len() - SAID);
    }
}

/// Phases of an exam and rates of an overload: their latencies stand in a grid of their own.
const PHASES: [&str; 6] = ["start", "steady", "end", "1x", "2x", "3x"];

/// The table; with latencies of phases as a grid of their own, medians only, since they would be a hundred lines.
fn grids(rows: &[Row]) -> String {
    let phased = |row: &&Row| {
        row.unit == "ms"
            && PHASES.iter().any(|phase| row.key.starts_with(&format!("{phase}_")))
            && ["_p50_ms", "_p95_ms", "_p99_ms", "_max_ms"].iter().any(|end| row.key.ends_with(end))
            && !row.key.contains("driver")
    };
    if !rows.iter().any(|row| phased(&row)) {
        return table(rows);
    }
    let mut out = format!("{:<26}{:>11}{:>11}{:>11}{:>11}{:>11}\n", "medians, ms", "p50", "p95", "p99", "max", "count");
    for phase in PHASES {
        for kind in Kind::ALL {
            let value = |name: &str| {
                let key = format!("{phase}_{}_{name}", kind.key());
                short(rows.iter().find(|row| row.key == key).and_then(|row| row.median))
            };
            if value("count") != "-" {
                let label = format!("{phase}: {}", kind.label());
                let values = ["p50_ms", "p95_ms", "p99_ms", "max_ms", "count"].map(value);
                out.push_str(&format!(
                    "{label:<26}{:>11}{:>11}{:>11}{:>11}{:>11}\n",
                    values[0], values[1], values[2], values[3], values[4]
                ));
            }
        }
    }
    let rest: Vec<Row> = rows.iter().filter(|row| !phased(row) && !row.key.ends_with("_count")).cloned().collect();
    out + "\n" + &table(&rest)
}
