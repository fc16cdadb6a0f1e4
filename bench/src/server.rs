//! A server of one's own for a run: started on a fresh folder and a core of its own, and stopped at the end.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::process::pin;

/// What the demo says when it can be asked.
const READY: &str = "Assay is ready at ";

/// A running server.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) url: String,
}

impl Server {
    /// Starts a program's `demo` on a data folder, on one core. The caller itself is on that core afterwards: threads and processes
    /// inherit their starter's core, and only so not one of the server's first threads runs elsewhere.
    ///
    /// # Errors
    /// Words for the person at the terminal.
    pub(crate) fn start(program: &Path, data: &Path, core: Option<usize>) -> Result<Self, String> {
        Self::start_on(program, data, core, None)
    }

    /// The same over a PostgreSQL database, which nobody used before.
    ///
    /// # Errors
    /// Words for the person at the terminal.
    pub(crate) fn start_on(program: &Path, data: &Path, core: Option<usize>, database: Option<&str>) -> Result<Self, String> {
        if let Some(core) = core {
            pin(core)?;
        }
        let mut command = Command::new(program);
        command.args(["demo", "--listen", "127.0.0.1:0", "--data"]).arg(data).stdout(Stdio::piped()).stderr(Stdio::null());
        if let Some(url) = database {
            command.args(["--database", url]);
        }
        let child = command.spawn().map_err(|e| format!("{} cannot be started: {e}", program.display()))?;
        // From here on it is stopped, whatever happens.
        let mut server = Self { child, url: String::new() };
        let output = server.child.stdout.take().ok_or("the server has no output")?;
        let ready = BufReader::new(output).lines().map_while(Result::ok).find_map(|line| line.strip_prefix(READY).map(str::to_owned));
        server.url =
            ready.ok_or_else(|| format!("{} ended without saying that it is ready; try `{0} demo` by itself", program.display()))?;
        Ok(server)
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> Option<i32> {
        i32::try_from(self.child.id()).ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Asked first, so that it closes its database; a server that is gone already need not be asked.
        if !crate::process::ask_to_stop(&self.child) {
            let _gone = self.child.kill();
        }
        let _status = self.child.wait();
    }
}

/// A fresh folder on a disk: where temporary folders are held in memory, `fsync` would cost nothing.
///
/// # Errors
/// Words for the person at the terminal.
pub(crate) fn fresh_folder() -> Result<tempfile::TempDir, String> {
    let on_disk = PathBuf::from("/var/tmp");
    let parent = if on_disk.is_dir() { on_disk } else { std::env::temp_dir() };
    let made = tempfile::Builder::new().prefix("assay-bench-").tempdir_in(&parent);
    made.map_err(|e| format!("no folder can be made in {}: {e}; name one with --data", parent.display()))
}
