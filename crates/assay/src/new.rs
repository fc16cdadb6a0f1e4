//! `assay new FOLDER`: a programme that passes `assay check` and explains itself, to be replaced piece by piece.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use assay_core::Clock;
use assay_items::fault::is_slug;
use include_dir::{Dir, include_dir};

use crate::{
    failure::{Failure, in_words},
    out,
    system::SystemClock,
};

static SKELETON: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/skeleton");

#[derive(clap::Args)]
#[command(after_help = "Exit status: 0 made, 1 not made, 64 wrong usage. Nothing that is there is ever written over.")]
pub(crate) struct Args {
    /// The folder to make; its name becomes the programme's id: lower-case letters, digits and single hyphens.
    folder: PathBuf,
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let folder = &args.folder;
    let shown = folder.display();
    let id = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if !is_slug(id) {
        return Err(Failure::Usage(format!(
            "the folder's name becomes the programme's id, and `{id}` cannot be one: use lower-case letters, digits and single hyphens, such as first-aid"
        )));
    }
    match fs::read_dir(folder).map(|entries| entries.count()) {
        Ok(there) if there > 0 => {
            return Err(Failure::Words(format!("{shown} is not empty, so nothing was written: name a folder that is not there yet")));
        }
        Err(_) if folder.is_file() => {
            return Err(Failure::Words(format!("{shown} is a file, so nothing was written: name a folder that is not there yet")));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Failure::while_doing(&format!("{shown} cannot be made"), in_words(&error)));
        }
        _ => {}
    }
    let today = SystemClock.now().rfc3339();
    write(&SKELETON, folder, &title(id), today.get(..10).unwrap_or_default()).map_err(|error| {
        Failure::while_doing(&format!("{shown} could not be written in full; delete it and try again"), in_words(&error))
    })?;
    out::line(format_args!("{shown} is a programme with one lesson and four questions. Read its programme.toml first, then:"));
    out::line(format_args!("  assay check {shown}"));
    Ok(ExitCode::SUCCESS)
}

/// `first-aid` becomes "First aid".
fn title(id: &str) -> String {
    let words = id.replace('-', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Paths inside the skeleton are from its root, so that one folder serves for all of them.
fn write(from: &Dir<'_>, folder: &Path, title: &str, today: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for file in from.files() {
        let target = folder.join(file.path());
        let text = file.contents_utf8().unwrap_or_default().replace("\"NAME\"", &format!("\"{title}\"")).replace("TODAY", today);
        // Never over something that came in between.
        let mut new = fs::File::create_new(target)?;
        io::Write::write_all(&mut new, text.as_bytes())?;
    }
    for dir in from.dirs() {
        fs::create_dir_all(folder.join(dir.path()))?;
        write(dir, folder, title, today)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles() {
        assert_eq!((title("first-aid").as_str(), title("x").as_str(), title("").as_str()), ("First aid", "X", ""));
    }
}
