//! The frame of every page: title, style, who is signed in.

use askama::Template;
use assay_core::programme::Programme;
use axum::response::{Html, IntoResponse, Response};

use crate::{App, assets, error::Fault, session::Visitor};

/// What the layout needs.
pub(crate) struct Frame {
    /// Title of the page; the site's name is added.
    pub(crate) title: String,
    /// Address of the stylesheet, with the programme's colour.
    pub(crate) style: String,
    /// Address of the script, on pages that have one.
    pub(crate) script: Option<String>,
    /// Who is signed in.
    pub(crate) address: Option<String>,
    /// Whether this is a demonstration.
    pub(crate) demo: bool,
    /// The programme's line on affiliation.
    pub(crate) disclaimer: String,
    /// The issuer's name.
    pub(crate) issuer: String,
    /// How to reach the issuer.
    pub(crate) contact: String,
    /// What machines that show links read: title, description, picture.
    pub(crate) card: Option<Card>,
}

/// A link preview.
pub(crate) struct Card {
    /// Title.
    pub(crate) title: String,
    /// Description.
    pub(crate) words: String,
    /// Absolute address of a picture.
    pub(crate) image: String,
    /// Absolute address of the page.
    pub(crate) url: String,
}

impl Frame {
    /// A page outside any programme.
    pub(crate) fn new(app: &App, visitor: &Visitor, title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            style: assets::style_address(None),
            script: None,
            address: visitor.0.as_ref().map(|p| p.address.clone()),
            demo: app.demo.is_some(),
            disclaimer: String::new(),
            issuer: app.settings.issuer_name.clone(),
            contact: app.settings.contact.clone(),
            card: None,
        }
    }

    /// In a programme's colour, with its line on affiliation.
    pub(crate) fn of(mut self, programme: &Programme) -> Self {
        self.style = assets::style_address(Some(programme));
        self.disclaimer.clone_from(&programme.disclaimer);
        self
    }

    /// With the script.
    pub(crate) fn scripted(mut self) -> Self {
        self.script = Some(assets::script_address());
        self
    }

    /// With a link preview.
    pub(crate) fn card(mut self, card: Card) -> Self {
        self.card = Some(card);
        self
    }
}

/// Renders a page.
pub(crate) fn page(template: &impl Template) -> Result<Response, Fault> {
    Ok(Html(template.render()?).into_response())
}
