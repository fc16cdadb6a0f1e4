//! Running other programs: with their output passed through as it comes, and their closing lines counted.

use std::{
    io::{BufRead, BufReader, IsTerminal, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
};

use crate::tally::on_ci;

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// `cargo`, the one that runs this program, in the root.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    // Set by the outer `cargo run`; a nested cargo would take this crate's for its own.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") || text == "CARGO_BIN_NAME" {
            command.env_remove(&name);
        }
    }
    if on_ci() {
        // Nothing is built twice there; the files would only cost time and disk.
        command.env("CARGO_INCREMENTAL", "0");
    }
    if std::io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    command
}

/// Runs with inherited output. `Err` tells what went wrong in words.
pub(crate) fn pass_through(command: &mut Command) -> Result<(), String> {
    announce(command);
    match command.stdin(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{}` ended with {status}", words(command))),
        Err(error) => Err(format!("`{}` could not be started: {error}", words(command))),
    }
}

/// Runs, passes both streams through and hands each line (without colours) to `seen`.
pub(crate) fn watch(command: &mut Command, mut seen: impl FnMut(&str)) -> Result<(), String> {
    announce(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("`{}` could not be started: {error}", words(command)))?;
    let (sender, receiver) = mpsc::channel();
    let readers = [
        child.stdout.take().map(|stream| follow(stream, std::io::stdout(), sender.clone())),
        child.stderr.take().map(|stream| follow(stream, std::io::stderr(), sender)),
    ];
    for line in receiver {
        seen(&plain(&line));
    }
    for reader in readers.into_iter().flatten() {
        // A reader cannot fail in a way that the exit status does not show.
        drop(reader.join());
    }
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{}` ended with {status}", words(command))),
        Err(error) => Err(format!("`{}` was lost: {error}", words(command))),
    }
}

/// Runs quietly and gives standard output, or the error's words.
pub(crate) fn read(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("`{}` could not be started: {error}", words(command)))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("`{}`: {}", words(command), String::from_utf8_lossy(&output.stderr).trim()))
    }
}

/// The program of that name on the search path.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}

fn follow(stream: impl Read + Send + 'static, mut to: impl Write + Send + 'static, lines: mpsc::Sender<String>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut bytes = Vec::new();
        while matches!(reader.read_until(b'\n', &mut bytes), Ok(1..)) {
            // A closed terminal must not end the count.
            drop(to.write_all(&bytes));
            drop(lines.send(String::from_utf8_lossy(&bytes).into_owned()));
            bytes.clear();
        }
    })
}

fn announce(command: &Command) {
    println!("  $ {}", words(command));
}

fn words(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    std::iter::once(program).chain(command.get_args().map(|word| word.to_string_lossy().into_owned())).collect::<Vec<_>>().join(" ")
}

/// A line without terminal colours.
fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line.trim_end().chars();
    while let Some(character) = rest.next() {
        if character == '\u{1b}' {
            rest.by_ref().find(char::is_ascii_alphabetic);
        } else {
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_taken_out() {
        assert_eq!(plain("\u{1b}[32mok\u{1b}[0m. 3 passed\n"), "ok. 3 passed");
    }
}
