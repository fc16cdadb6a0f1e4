//! What must be right before a server starts, in one list: `assay serve` refuses by it, and `assay doctor` tells it.

use std::{net::SocketAddr, path::Path};

use assay_badge::did_web;
use assay_pack::Pack;

use crate::{
    failure::Failure,
    folder::{DataFolder, FolderError},
    packs, serve,
    settings::{Settings, SettingsError},
};

/// What was found about one thing: good words, or what is wrong and what to do.
pub(crate) type Finding = Result<String, String>;

/// Findings, each with the thing that it is about.
pub(crate) type Findings = Vec<(&'static str, Finding)>;

/// The settings against themselves and the packs that they name; and the programmes, with the settings' entry rules in them. `pages`:
/// where pages are asked for, which `listen` says unless a socket was handed over.
pub(crate) fn settings(settings: &Settings, file: &Path, pages: SocketAddr) -> (Findings, Vec<Pack>) {
    let (mut packs, mut wrong) = (Vec::<Pack>::new(), Vec::new());
    for folder in &settings.packs {
        match packs::load(folder) {
            Ok(pack) if packs.iter().any(|other| other.programme.id == pack.programme.id) => {
                wrong.push(format!(
                    "two packs are called “{}”: rename the folder of one of them, or name it once in `packs`",
                    pack.programme.id
                ));
            }
            Ok(pack) => packs.push(pack),
            Err(error) => wrong.push(error.to_string()),
        }
    }
    for (name, change) in &settings.entry {
        match packs.iter_mut().find(|pack| pack.programme.id == name.value) {
            Some(pack) => change.apply(&mut pack.programme.entry),
            // One that cannot be read is said already.
            None if !wrong.is_empty() => {}
            None => {
                let what = format!("[entry.{}] is for a programme that is not among the packs", name.value);
                wrong.push(SettingsError::one(file, name.line, what, "write the name of a pack's folder, or delete the table").to_string());
            }
        }
    }
    let programmes = packs.iter().map(|pack| pack.programme.id.as_str()).collect::<Vec<_>>().join(", ");
    let clash = settings.metrics.filter(|metrics| {
        let meets = metrics.ip() == pages.ip() || metrics.ip().is_unspecified() || pages.ip().is_unspecified();
        meets && metrics.port() == pages.port() && pages.port() != 0
    });
    let addresses = match clash {
        None => Ok(format!("pages at {pages}{}", settings.metrics.map(|at| format!(", figures at {at}")).unwrap_or_default())),
        Some(metrics) => {
            let by = if pages == settings.listen { "`listen` is" } else { "the socket that was handed over is" };
            Err(format!(
                "`metrics` is {metrics}, and {by} {pages}: both cannot have one port. Give `metrics` another, such as 127.0.0.1:9100"
            ))
        }
    };
    let found = if wrong.is_empty() { Ok(programmes) } else { Err(wrong.join("\n")) };
    (vec![("programmes", found), ("addresses", addresses)], packs)
}

/// A data folder that is claimed, as far as its files tell.
pub(crate) fn folder(folder: &DataFolder, settings: Option<&Settings>) -> Findings {
    let mut found = vec![("files", files(folder.root()))];
    if let Some(settings) = settings {
        found.push(("public_url", public_url(folder, settings)));
        // Keys are made after the database: one that is not there was lost.
        if settings.server.is_none() && folder.root().join(serve::HISTORY).exists() && !folder.has_database() {
            found.push(("database", Err(FolderError::NoDatabase(folder.root().display().to_string()).to_string())));
        }
    }
    found.push(("writing", writing(&folder.journal())));
    found
}

/// Refuses where anything is wrong, and says all of it.
pub(crate) fn refuse(findings: Findings) -> Result<(), Failure> {
    let wrong: Vec<String> = findings.into_iter().filter_map(|(_, found)| found.err()).collect();
    if wrong.is_empty() { Ok(()) } else { Err(Failure::Words(format!("nothing was started:\n  {}", wrong.join("\n  ")))) }
}

/// Badges name the address that they were signed under.
fn public_url(folder: &DataFolder, settings: &Settings) -> Finding {
    let wanted = did_web(&settings.host);
    match folder.history(serve::HISTORY).map_err(|e| e.to_string())?.filter(|history| history.issuer != wanted) {
        None => Ok(settings.public_url.clone()),
        Some(other) => Err(format!(
            "the badges of this data folder were signed by {}, and `public_url` now stands for {wanted}: they could no longer be verified. \
             Keep the old address, or begin with a new data folder; or keys/issuer-keys.json is another installation's: bring it back",
            other.issuer
        )),
    }
}

/// Nothing is signed without the journal.
fn writing(journal: &Path) -> Finding {
    match std::fs::File::options().append(true).open(journal) {
        Ok(_) => Ok("the journal can be written".to_owned()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok("the journal is made with its first line".to_owned()),
        Err(e) => Err(format!(
            "the journal {} cannot be written ({e}), and nothing is signed without it: give it and its folder to the server's user (chown), who \
             must be allowed to write it (chmod 600) and to go into the folder (chmod 700)",
            journal.display()
        )),
    }
}

/// What a data folder has; whatever else lies in it (a disk's `lost+found`, somebody's copies) is not this program's to judge.
#[cfg(unix)]
fn is_ours(part: &str, name: &str) -> bool {
    match part {
        "keys" => ["signing.key", "server.secret", "issuer-keys.json"].contains(&name),
        "journal" => name.ends_with(".jsonl"),
        _ => ["assay.db", "assay.db-wal", "assay.db-shm", "issuer", "server.lock"].contains(&name),
    }
}

/// Whose they are, and who may write them.
#[cfg(unix)]
fn files(root: &Path) -> Finding {
    use std::os::unix::fs::MetadataExt;
    let shown = |path: &Path| path.display().to_string();
    let owner_of = |path: &Path| std::fs::metadata(path).map(|found| found.uid());
    let owner = owner_of(root).map_err(|e| format!("{} cannot be looked at ({e})", shown(root)))?;
    let me = rustix::process::geteuid();
    let (mut wrong, mut good) = (Vec::new(), "all are the folder's owner's, and nobody else can change them".to_owned());
    // Who else may own what is in it: a folder that was given by its group, say, holds what the server made.
    let mut other = (!me.is_root()).then_some(me.as_raw());
    if me.is_root() && owner == 0 {
        other = owner_of(&root.join("assay.db")).ok();
    }
    if !me.is_root() && me.as_raw() != owner {
        use rustix::fs::{Access, AtFlags, CWD, accessat};
        if accessat(CWD, root, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS).is_err() {
            wrong.push(format!(
                "{} belongs to user {owner}, and this runs as user {}, who cannot write in it: run it as the folder's owner, or give the folder to this \
                 user (chown -R)",
                shown(root),
                me.as_raw()
            ));
        }
        good = format!("the folder belongs to user {owner}, and user {}, who this runs as, can write in it", me.as_raw());
    }
    for part in ["", "keys", "journal"] {
        let folder = if part.is_empty() { root.to_owned() } else { root.join(part) };
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let ours = entries.filter(|entry| is_ours(part, &entry.file_name().to_string_lossy())).map(|entry| entry.path());
        for path in std::iter::once(folder.clone()).chain(ours) {
            // What goes while it is looked at is nobody's.
            let Ok(found) = std::fs::metadata(&path) else { continue };
            if found.uid() != owner && Some(found.uid()) != other {
                wrong.push(format!(
                    "{} belongs to user {}, and the data folder to user {owner}: `chown --reference={} {}`",
                    shown(&path),
                    found.uid(),
                    shown(root),
                    shown(&path)
                ));
            }
            // Others could put their own key in the place of yours, or another database.
            let mode = found.mode() & 0o777;
            if mode & 0o022 != 0 && (part == "keys" || mode & 0o002 != 0) {
                wrong.push(format!(
                    "{} can be changed by others on this machine (mode {mode:o}): `chmod go-w {}`",
                    shown(&path),
                    shown(&path)
                ));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    if wrong.is_empty() { Ok(good) } else { Err(wrong.join("\n")) }
}

#[cfg(not(unix))]
fn files(_root: &Path) -> Finding {
    Ok("not looked at on this system".to_owned())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_journal_that_cannot_be_reached_is_not_one_that_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        assert!(writing(&folder.path().join("journal/signing.jsonl")).unwrap().contains("with its first line"));
        std::fs::write(folder.path().join("journal"), "").unwrap();
        assert!(writing(&folder.path().join("journal/signing.jsonl")).unwrap_err().contains("cannot be written"));
    }
}
