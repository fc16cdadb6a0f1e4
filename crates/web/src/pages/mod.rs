//! One file a page or a few that belong together; each holds its template's data and its handlers.

pub(crate) mod assessment;
pub(crate) mod badge;
pub(crate) mod data;
pub(crate) mod demo;
pub(crate) mod health;
pub(crate) mod holder;
pub(crate) mod home;
pub(crate) mod issuer;
pub(crate) mod lesson;
pub(crate) mod me;
pub(crate) mod plain;
pub(crate) mod programme;
pub(crate) mod question;
pub(crate) mod report;
pub(crate) mod result;
pub(crate) mod review;
pub(crate) mod sign_in;
pub(crate) mod verify;
