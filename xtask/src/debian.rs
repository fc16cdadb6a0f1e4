//! Debian's packages: what tests need beside Rust, where that can be had without asking anybody.

use std::process::Command;

use crate::process::{find, pass_through, read};

/// Installs these packages, or says why not and what to do.
pub(crate) fn install(wanted: &[&str]) -> Result<(), String> {
    let list = wanted.join(" ");
    if std::env::var("ASSAY_INSTALL").is_ok_and(|value| value == "no") {
        return Err(format!("missing: {list}; ASSAY_INSTALL=no forbids installing them"));
    }
    if find("apt-get").is_none() {
        return Err(format!("missing: {list}; install them (this machine has no apt-get, so it was not tried)"));
    }
    let root = read(Command::new("id").arg("-u")).is_ok_and(|words| words.trim() == "0");
    if !root && read(Command::new("sudo").args(["-n", "true"])).is_err() {
        return Err(format!("missing: {list}; `sudo apt-get install {list}` (not tried: neither root nor sudo without a password)"));
    }
    println!("  installing {list} with apt-get (ASSAY_INSTALL=no forbids it)");
    pass_through(&mut apt(root, &["update", "-qq"]))?;
    let mut install = vec!["install", "-y", "-qq", "--no-install-recommends"];
    install.extend(wanted);
    pass_through(&mut apt(root, &install))
}

fn apt(root: bool, arguments: &[&str]) -> Command {
    let mut command = if root { Command::new("env") } else { Command::new("sudo") };
    if !root {
        command.args(["-n", "env"]);
    }
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]).args(arguments);
    command
}

/// The mail server of the mail tests, by Debian's own interpreter, which is the one that has Debian's package.
pub(crate) fn mail_server() -> Result<(), String> {
    let there = || ["/usr/bin/python3", "python3"].iter().any(|python| read(Command::new(python).args(["-c", "import aiosmtpd"])).is_ok());
    if there() {
        return Ok(());
    }
    install(&["python3-aiosmtpd"])?;
    if there() { Ok(()) } else { Err("python3-aiosmtpd is installed, but Python does not find it".to_owned()) }
}

/// What stands around several nodes: haproxy before them, pgbouncer before their database.
pub(crate) fn go_betweens() -> Result<(), String> {
    let missing = || {
        let there = |name: &&str| ["/usr/sbin", "/usr/bin"].iter().any(|folder| std::path::Path::new(folder).join(name).is_file());
        ["haproxy", "pgbouncer"].into_iter().filter(|name| !there(name)).collect::<Vec<_>>()
    };
    let wanted = missing();
    if wanted.is_empty() {
        return Ok(());
    }
    install(&wanted)?;
    if missing().is_empty() { Ok(()) } else { Err(format!("{} installed, but not where the tests look", wanted.join(", "))) }
}

/// What sets the clock of the program in the clock test.
pub(crate) fn false_time() -> Result<(), String> {
    let below = |folder: &str| {
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path().join("faketime/libfaketime.so.1"))
    };
    let there =
        || below("/usr/lib").chain(below("/usr/lib64")).chain(["/usr/lib/faketime/libfaketime.so.1".into()]).any(|path| path.is_file());
    if there() {
        return Ok(());
    }
    install(&["libfaketime"])?;
    if there() { Ok(()) } else { Err("libfaketime is installed, but not where the test looks for it".to_owned()) }
}
