//! The unsigned credential document of an award (Open Badges 3.0 AchievementCredential, VC Data Model 2.0).
//!
//! Architecture invariant: only defined terms, no null, no empty array, no number; what the badge is worth is said
//! in words inside the signed text.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::contexts::{CREDENTIALS_V2, OPEN_BADGES};
use crate::proof::seconds;

/// All that goes into one badge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadgeSpec {
    /// Public address of the server without a slash at the end, for example `https://badges.example`.
    pub base_url: String,
    /// Id of the credential; its address is `{base_url}/b/{credential_id}`.
    pub credential_id: String,
    /// Who signs.
    pub issuer: IssuerSpec,
    /// Start of validity. A correction gets a later one.
    pub valid_from: Timestamp,
    /// End of validity, if it ends.
    pub valid_until: Option<Timestamp>,
    /// When it was earned.
    pub awarded: Timestamp,
    /// Who earned it.
    pub holder: HolderSpec,
    /// What was achieved.
    pub achievement: AchievementSpec,
    /// What is known of the conditions under which it was earned, as sentences; they are part of what is signed.
    pub assurance: Vec<String>,
    /// How much weight it can carry at most.
    pub standing: Standing,
    /// The score, only if the holder wants it in the badge.
    pub score: Option<ScoreSpec>,
    /// Where it can be revoked.
    pub status: StatusSpec,
}

/// The issuer as it stands in the badge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerSpec {
    /// Its id: a DID (`did:web:…`, or `did:key:…` for a demonstration).
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its web page.
    pub url: Option<String>,
}

/// The holder as it stands in the badge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HolderSpec {
    /// An id that means this person for this issuer only (`urn:uuid:…`).
    pub subject_id: Option<String>,
    /// The name as the person gave it.
    pub name: Option<String>,
}

/// What was achieved; the same for every badge of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AchievementSpec {
    /// Absolute id of this version of the achievement.
    pub id: String,
    /// Version, as the programme writes it.
    pub version: String,
    /// Name of the badge.
    pub name: String,
    /// One paragraph on what it shows.
    pub description: String,
    /// What had to be done (Markdown).
    pub criteria: String,
    /// Keywords.
    pub tags: Vec<String>,
    /// The picture.
    pub image: Option<ImageSpec>,
}

/// A picture by address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSpec {
    /// Address of the picture.
    pub url: String,
    /// What it shows, for those who do not see it.
    pub caption: String,
}

/// How much weight the badge can carry at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A programme with questions of its own.
    Regular,
    /// The questions are public.
    Practice,
    /// Signed with a throw-away key.
    Demonstration,
}

/// A score, all parts as texts (numbers would be rewritten by some signers).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoreSpec {
    /// Points reached.
    pub score: String,
    /// Points that could be reached.
    pub max: String,
    /// Points needed to pass.
    pub required: String,
}

/// The entry in the status list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusSpec {
    /// Address of the list.
    pub list_url: String,
    /// Index in it; drawn at random, never used twice.
    pub index: u32,
}

/// Builds the unsigned document. It does not judge its parts: run [`crate::lint`] on the result.
#[must_use]
pub fn build(spec: &BadgeSpec) -> Value {
    let issuer = profile(&spec.issuer);
    let words = spec.assurance.join(" ");
    let suffix = match spec.standing {
        Standing::Regular => "",
        Standing::Practice => " (practice)",
        Standing::Demonstration => " (demonstration)",
    };
    let mut document = json!({
        "@context": [CREDENTIALS_V2, OPEN_BADGES],
        "id": format!("{}/b/{}", spec.base_url, spec.credential_id),
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "name": format!("{}{suffix}", spec.achievement.name),
        "issuer": issuer,
        "validFrom": seconds(spec.valid_from),
        "awardedDate": seconds(spec.awarded),
        "credentialSubject": subject(spec, &words, suffix),
        "evidence": [{
            "type": ["Evidence"],
            "name": "How this was assessed",
            "genre": "Conditions of the assessment",
            "narrative": words,
        }],
        "credentialStatus": {
            "id": format!("{}#{}", spec.status.list_url, spec.status.index),
            "type": "BitstringStatusListEntry",
            "statusPurpose": "revocation",
            "statusListIndex": spec.status.index.to_string(),
            "statusListCredential": spec.status.list_url,
        },
    });
    if let Value::Object(map) = &mut document {
        put(map, "validUntil", spec.valid_until.map(seconds));
    }
    document
}

fn put(map: &mut Map<String, Value>, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        map.insert(key.to_owned(), value.into());
    }
}

fn profile(issuer: &IssuerSpec) -> Value {
    let mut profile = Map::new();
    put(&mut profile, "id", Some(issuer.id.as_str()));
    put(&mut profile, "type", Some(vec!["Profile"]));
    put(&mut profile, "name", Some(issuer.name.as_str()));
    put(&mut profile, "url", issuer.url.as_deref());
    Value::Object(profile)
}

fn subject(spec: &BadgeSpec, words: &str, suffix: &str) -> Value {
    let mut subject = Map::new();
    put(&mut subject, "id", spec.holder.subject_id.as_deref());
    put(&mut subject, "type", Some(vec!["AchievementSubject"]));
    // IdentifierTypeEnum has "name"; unhashed, the property called identityHash holds the name itself.
    put(
        &mut subject,
        "identifier",
        spec.holder.name.as_deref().map(|name| {
            json!([{
                "type": "IdentityObject",
                "hashed": false,
                "identityHash": name,
                "identityType": "name",
            }])
        }),
    );
    put(&mut subject, "achievement", Some(achievement(spec, words, suffix)));
    let result = spec.score.as_ref().map(|score| {
        json!([{
            "type": ["Result"],
            "resultDescription": result_id(&spec.achievement),
            "value": score.score,
        }])
    });
    put(&mut subject, "result", result);
    Value::Object(subject)
}

fn result_id(achievement: &AchievementSpec) -> String {
    format!("{}#score", achievement.id)
}

fn achievement(spec: &BadgeSpec, words: &str, suffix: &str) -> Value {
    let from = &spec.achievement;
    let mut achievement = json!({
        "id": from.id,
        "type": ["Achievement"],
        "achievementType": "Badge",
        "version": from.version,
        "name": format!("{}{suffix}", from.name),
        "description": from.description,
        "criteria": {"narrative": format!("{}\n\n{words}", from.criteria)},
        // Id only: what is said twice of one node can be cut out once without breaking the signature.
        "creator": {"id": spec.issuer.id, "type": ["Profile"]},
    });
    if let Value::Object(map) = &mut achievement {
        let tags = (!from.tags.is_empty()).then(|| from.tags.clone());
        put(map, "tag", tags);
        let image = from.image.as_ref().map(|image| {
            let mut picture = Map::new();
            put(&mut picture, "id", Some(image.url.as_str()));
            put(&mut picture, "type", Some("Image"));
            let caption = Some(image.caption.as_str()).filter(|c| !c.is_empty());
            put(&mut picture, "caption", caption);
            Value::Object(picture)
        });
        put(map, "image", image);
        let description = spec.score.as_ref().map(|score| {
            json!([{
                "id": result_id(from),
                "type": ["ResultDescription"],
                "name": "Questions answered rightly",
                "resultType": "RawScore",
                "requiredValue": score.required,
                "valueMin": "0",
                "valueMax": score.max,
            }])
        });
        put(map, "resultDescription", description);
    }
    achievement
}
