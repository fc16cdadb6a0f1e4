//! A private PostgreSQL for the tests: its own folder, its own port, thrown away afterwards. No other server is touched.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::{
    debian,
    process::{find, pass_through, read},
};

/// Where tests find it: the URL of a superuser's maintenance database.
pub(crate) const VARIABLE: &str = "ASSAY_POSTGRES";
/// Where tests find its programs (`initdb`, `pg_basebackup`), for servers of their own.
pub(crate) const PROGRAMS: &str = "ASSAY_POSTGRES_BIN";

/// A server that ends with this value.
pub(crate) struct Server {
    child: Child,
    folder: PathBuf,
    pub(crate) url: String,
    pub(crate) programs: PathBuf,
}

impl Server {
    /// Finds PostgreSQL, or installs Debian's, and starts a server of our own.
    pub(crate) fn start() -> Result<Self, String> {
        let programs = match programs() {
            Some(found) => found,
            None => {
                debian::install(&["postgresql"])?;
                programs().ok_or("Debian's postgresql is installed, but its programs are not found")?
            }
        };
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).map_err(|e| e.to_string())?.port();
        let folder = std::env::temp_dir().join(format!("assay-postgres-{}-{port}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
        let user = user();
        if let Some(user) = &user {
            read(Command::new("chown").arg(user).arg(&folder))?;
        }
        let data = folder.join("data");
        let mut initdb = as_user(user.as_deref(), &programs.join("initdb"));
        initdb.args(["--username=assay", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "-D"]).arg(&data);
        read(initdb.current_dir(&folder))?;
        let mut postgres = as_user(user.as_deref(), &programs.join("postgres"));
        postgres.arg("-D").arg(&data).args(["-p", &port.to_string(), "-k"]).arg(&folder);
        postgres.args(["-c", "listen_addresses=127.0.0.1", "-c", "max_connections=400", "-c", "log_min_messages=fatal"]);
        let log = fs::File::create(folder.join("log")).map_err(|e| e.to_string())?;
        let child = postgres.current_dir(&folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let child = child.map_err(|e| format!("postgres could not be started: {e}"))?;
        let mut server = Self { child, url: format!("postgres://assay@127.0.0.1:{port}/postgres"), folder, programs };
        server.wait(port)?;
        Ok(server)
    }

    fn wait(&mut self, port: u16) -> Result<(), String> {
        let ready = self.programs.join("pg_isready");
        for _ in 0..300 {
            if read(Command::new(&ready).args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()])).is_ok() {
                return Ok(());
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                break_off(&self.folder, &status.to_string())?;
            }
            thread::sleep(Duration::from_millis(100));
        }
        break_off(&self.folder, "it did not answer in 30 s")
    }
}

fn break_off(folder: &Path, why: &str) -> Result<(), String> {
    let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
    Err(format!("the private PostgreSQL did not start ({why}): {}", log.lines().last().unwrap_or_default()))
}

impl Drop for Server {
    fn drop(&mut self) {
        // `runuser` does not pass this on; a fast shutdown takes well under a second.
        let postmaster = fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap_or_default();
        if let Some(pid) = postmaster.lines().next() {
            drop(Command::new("kill").args(["-INT", pid]).status());
        }
        drop(self.child.wait());
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// The folder with `initdb` and `postgres`: the newest of Debian's, or what is on the path.
fn programs() -> Option<PathBuf> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> =
        debian.filter_map(|entry| Some((entry.file_name().to_string_lossy().parse().ok()?, entry.path().join("bin")))).collect();
    versions.sort();
    let newest = versions.into_iter().rev().map(|(_, folder)| folder).find(|folder| folder.join("initdb").is_file());
    newest.or_else(|| find("initdb").and_then(|path| Some(fs::canonicalize(path).ok()?.parent()?.to_path_buf())))
}

/// `initdb` refuses root: then whoever Debian made for it, or nobody.
fn user() -> Option<String> {
    let root = read(Command::new("id").arg("-u")).is_ok_and(|words| words.trim() == "0");
    let there = |name: &&str| read(Command::new("id").args(["-u", name])).is_ok();
    root.then(|| ["postgres", "nobody"].iter().copied().find(there).unwrap_or("nobody").to_owned())
}

fn as_user(user: Option<&str>, program: &Path) -> Command {
    match user {
        None => Command::new(program),
        Some(user) => {
            let mut command = Command::new("runuser");
            command.args(["-u", user, "--"]).arg(program);
            command
        }
    }
}

/// `cargo xtask postgres`: a private server for working by hand, until Ctrl-C.
pub(crate) fn run() -> crate::tally::Step {
    let mut step = crate::tally::Step::default();
    match Server::start() {
        Ok(server) => {
            println!("export {VARIABLE}={} {PROGRAMS}={}", server.url, server.programs.display());
            // Ends with Ctrl-C, which reaches the server as well.
            drop(pass_through(Command::new("sleep").arg("infinity")));
        }
        Err(words) => step.fail(words),
    }
    step
}
