//! Open Badges 3.0: build, sign, bake, revoke and verify. Pure: no network, no clock, no randomness.
//!
//! ```
//! use assay_badge::{KeyHistory, SigningKey, Verdict, VerifyOptions, did_key_method, verify};
//!
//! let key = SigningKey::from_seed([1; 32]);
//! let history = KeyHistory::of_did_key("Demo", &key.public_multibase(), jiff::Timestamp::UNIX_EPOCH);
//! assert_eq!(history.keys[0].verification_method, did_key_method(&key.public_multibase()));
//! let trust = [history];
//! let options = VerifyOptions::new(jiff::Timestamp::UNIX_EPOCH, &trust, &|_url| None);
//! assert_eq!(verify(b"not a badge", &options).verdict, Verdict::Unreadable);
//! ```
//!
//! An issuer runs [`build()`], [`lint()`], [`sign()`], then [`verify()`] on its own work, and only then hands it out,
//! as JSON or baked by [`png`] or [`svg`]. Withdrawals are published with [`StatusList`] and [`list_credential`].
//!
//! Architecture invariants: contexts are compiled in and never fetched; a key is never taken from the badge except
//! for `did:key`, where it is the issuer's id; what the caller hands in (time, trust, status lists) is all there is.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "tests"))]

mod bake;
mod build;
mod contexts;
#[cfg(test)]
mod differential;
mod issuer;
mod json;
mod keys;
mod lint;
mod proof;
mod rdf;
mod report;
mod shape;
mod status;
mod verify;
mod xml;

pub use bake::{BakeError, Carrier, MAX_IMAGE_BYTES, MAX_PNG_CHUNKS, MAX_SVG_BYTES, Payload, Unbaked, png, svg, unbake};
pub use build::{AchievementSpec, BadgeSpec, HolderSpec, ImageSpec, IssuerSpec, ScoreSpec, Standing, StatusSpec, build};
pub use contexts::{CREDENTIALS_V1, CREDENTIALS_V2, ContextSet, OPEN_BADGES};
pub use issuer::Issuer;
pub use json::{JsonError, MAX_DEPTH, MAX_DOCUMENT_BYTES, parse as parse_json};
pub use keys::{KeyError, KeyHistory, KeyRecord, PublicKey, SigningKey, did_key, did_key_method, did_web, did_web_document};
pub use lint::{Problem, lint};
pub use proof::{SignError, sign};
pub use rdf::{MAX_BLANK_NODES, MAX_CONTEXTS, MAX_STATEMENTS, MAX_TYPES, MAX_VALUES, RdfError, canonical, canonicalize};
pub use report::{Check, CheckName, Facts, Outcome, Report, Status, Verdict};
pub use shape::{Kind, conforms};
pub use status::{LIST_ENTRIES, LIST_VALID_HOURS, MAX_LIST_BYTES, StatusError, StatusList, list_credential};
pub use verify::{VerifyOptions, verify};
