//! Signs of life for what takes more than a moment: on a terminal only, on standard error, gone when done.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A spinner with words. It hides itself where standard error is not a terminal.
pub(crate) fn spinner(words: &str) -> ProgressBar {
    let spinner = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_message(words.to_owned());
    spinner.enable_steady_tick(Duration::from_millis(120));
    spinner
}

/// A bar over so many steps, with words.
pub(crate) fn bar(steps: u64, words: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr()).with_message(words.to_owned());
    // A template that could not be read would be a slip of ours; the default style does as well.
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len}") {
        bar.set_style(style);
    }
    bar
}
