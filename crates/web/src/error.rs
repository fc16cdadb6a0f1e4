//! Refusals and faults: words a person can act on; internal text goes to the log under an id that the page shows.

use assay_store::StoreError;
use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

/// A page that could not be given.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// Status.
    pub(crate) status: StatusCode,
    /// Heading.
    pub(crate) title: String,
    /// What happened and what to do.
    pub(crate) words: String,
    /// Where to go: address and words of a link.
    pub(crate) way_out: Option<(String, String)>,
    /// For the log only.
    pub(crate) internal: Option<String>,
    /// Seconds after which to try again.
    pub(crate) retry_after: Option<u32>,
}

impl Fault {
    /// A refusal with words.
    pub(crate) fn new(status: StatusCode, title: impl Into<String>, words: impl Into<String>) -> Self {
        Self { status, title: title.into(), words: words.into(), way_out: None, internal: None, retry_after: None }
    }

    /// Adds a link.
    pub(crate) fn way_out(mut self, address: impl Into<String>, words: impl Into<String>) -> Self {
        self.way_out = Some((address.into(), words.into()));
        self
    }

    /// Nothing here, or nothing that this person may see: the same answer, so that addresses cannot be guessed.
    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Nothing here", "There is no page at this address, or you may not see it. Check the address.")
            .way_out("/", "To the start page")
    }

    /// A programme that is in the settings no more.
    pub(crate) fn no_longer_offered(id: &str) -> Self {
        let words = "This programme is not offered here any more. Attempts that are open can be finished, and badges stay as they are.";
        Self::new(StatusCode::NOT_FOUND, "No longer offered", words)
            .way_out(format!("/programmes/{id}/standard"), "The standard behind its badge")
    }

    /// A request that cannot be understood.
    pub(crate) fn bad(words: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "That could not be understood", words)
    }

    /// Too often; `what` says what was counted.
    pub(crate) fn too_often(what: &str, seconds: u32) -> Self {
        let words = format!(
            "{what} Wait {} and try again.",
            if seconds > 90 { format!("{} minutes", seconds.div_ceil(60)) } else { format!("{seconds} seconds") }
        );
        Self { retry_after: Some(seconds), ..Self::new(StatusCode::TOO_MANY_REQUESTS, "Please wait", words) }
    }

    /// Too much at once.
    pub(crate) fn busy(words: &str) -> Self {
        Self { retry_after: Some(3), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "The server is busy", words) }
    }

    /// Not before the operator has reconciled journal and database.
    pub(crate) fn held(words: &str) -> Self {
        Self { retry_after: Some(300), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "Waiting for the operator", words) }
    }

    /// Something broke on our side.
    pub(crate) fn internal(internal: String) -> Self {
        Self {
            internal: Some(internal),
            ..Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something broke on our side",
                "Nothing you saved is lost. Try again in a moment; if it stays, tell the issuer the number below.",
            )
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy | StoreError::Closed => Self {
                retry_after: Some(2),
                // A full queue is counted; a line for each refusal would only add to what there is to do.
                internal: matches!(error, StoreError::Closed).then(|| error.to_string()),
                ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "The server is busy", "This was not saved. Try again in a few seconds.")
            },
            StoreError::Unavailable(_) => Self {
                retry_after: Some(5),
                internal: Some(error.to_string()),
                ..Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "The server cannot save right now",
                    "This was not saved. What was saved before is safe. Try again in a moment.",
                )
            },
            StoreError::Unknown(_) => Self {
                retry_after: Some(5),
                internal: Some(error.to_string()),
                ..Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "The server cannot save right now",
                    "It is not known whether this was saved; doing it again is harmless. What was saved before is safe. Try again in a moment.",
                )
            },
            _ => Self::internal(error.to_string()),
        }
    }
}

impl From<askama::Error> for Fault {
    fn from(error: askama::Error) -> Self {
        Self::internal(error.to_string())
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        // `guard::faults` turns it into a page or JSON, and logs it.
        response.extensions_mut().insert(self);
        response
    }
}
