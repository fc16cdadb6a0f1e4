//! Words on standard output.

use std::{fmt::Display, io::Write};

/// One line, out at once. A reader that closed the pipe (`assay check … | head`) does not want to know.
pub(crate) fn line(words: impl Display) {
    let mut out = std::io::stdout().lock();
    let _unread = writeln!(out, "{words}").and_then(|()| out.flush());
}
