//! `/`: which badges there are; sign in; verify a badge.

use askama::Template;
use assay_store::queries::CurrentProgramme;
use axum::{extract::State, response::Response};

use crate::{
    App,
    error::Fault,
    frame::{Frame, page},
    session::Visitor,
};

#[derive(Template)]
#[template(path = "home.html")]
struct Home<'a> {
    frame: Frame,
    programmes: &'a [CurrentProgramme],
}

/// `GET /`.
pub(crate) async fn home(State(app): State<App>, visitor: Visitor) -> Result<Response, Fault> {
    page(&Home { frame: Frame::new(&app, &visitor, "Badges"), programmes: &app.programmes })
}
