//! Logs go to standard error, as text for people or as JSON for machines.
//!
//! Rooms of ours log nothing personal at any level, and tests hold them to it. What other people's crates say below `info` nobody here
//! has promised: hyper's tracing shows heads with cookies in them. It is never logged, whatever is asked for.

use std::io::IsTerminal;

use tracing::Level;
use tracing_subscriber::{EnvFilter, filter::filter_fn, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::failure::Failure;

/// What a line looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Form {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Begins to log. `ASSAY_LOG` (`info`, `assay_jobs=debug,warn`) says how much, else `default`.
pub(crate) fn start(form: Form, default: &str) -> Result<(), Failure> {
    let filter = match std::env::var("ASSAY_LOG") {
        Ok(wish) => EnvFilter::try_new(&wish)
            .map_err(|e| Failure::Usage(format!("ASSAY_LOG is “{wish}”, which cannot be read ({e}); write a level such as info")))?,
        Err(_) => EnvFilter::new(default),
    };
    let ours = filter_fn(|about| about.target().starts_with("assay") || *about.level() <= Level::INFO);
    let registry = tracing_subscriber::registry().with(filter).with(ours);
    let begun = match form {
        Form::Text => registry.with(fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal())).try_init(),
        Form::Json => registry
            .with(fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false).with_writer(std::io::stderr))
            .try_init(),
    };
    begun.map_err(|e| Failure::while_doing("logging could not begin", e))
}
