//! What a step found: how many checks passed, failed, were skipped, and the words for a person.

/// The outcome of one step.
#[derive(Default)]
pub(crate) struct Step {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
    /// What a person should read again at the end: each failure, each reason for skipping.
    pub(crate) notes: Vec<String>,
}

impl Step {
    /// One check that held.
    pub(crate) fn pass(&mut self) {
        self.passed += 1;
    }

    /// One check that did not hold, and what to do about it.
    pub(crate) fn fail(&mut self, note: impl Into<String>) {
        self.failed += 1;
        self.notes.push(format!("failed: {}", note.into()));
    }

    /// Something that could not be tried here. On CI that is a failure: a green run must have run everything.
    pub(crate) fn skip(&mut self, note: impl Into<String>) {
        if on_ci() {
            self.fail(format!("{} (skipping is not allowed on CI)", note.into()));
        } else {
            self.skipped += 1;
            self.notes.push(format!("skipped: {}", note.into()));
        }
    }

    /// Words that change no count.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(format!("note: {}", note.into()));
    }

    /// A check by its outcome: an empty list of faults passes.
    pub(crate) fn check(&mut self, name: &str, faults: Vec<String>) {
        if faults.is_empty() {
            println!("  ok      {name}");
            self.pass();
        } else {
            println!("  FAILED  {name}");
            for fault in &faults {
                println!("          {fault}");
            }
            self.fail(format!("{name}: {}", faults.join("; ")));
        }
    }

    /// Adds another step's counts and words to this one.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.notes.extend(other.notes);
    }

    /// The plain closing line.
    pub(crate) fn closing_line(&self) -> String {
        format!("{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }

    /// The notes, one a line.
    pub(crate) fn print_notes(&self) {
        for note in &self.notes {
            println!("  {note}");
        }
    }
}

/// True where the usual variable says that no person is looking.
pub(crate) fn on_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false" && value != "0")
}
