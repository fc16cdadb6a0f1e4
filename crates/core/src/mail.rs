//! A mail as data: written where the decision is made, sent by a job.

use serde::{Deserialize, Serialize};

use crate::UtcMillis;

/// One mail, plain text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// Normalised address.
    pub to: String,
    /// Subject line.
    pub subject: String,
    /// Text, lines of at most about 76 characters.
    pub text: String,
    /// A calendar file to go with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<String>,
    /// After this it is of no use and is not sent (a sign-in link that has run out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub useless_after: Option<UtcMillis>,
}

/// A calendar file (RFC 5545) with one event: when the next try opens.
pub fn retake_calendar(programme_title: &str, uid: &str, now: UtcMillis, opens_at: UtcMillis, url: &str) -> String {
    // RFC 5545, 3.3.11: backslash, semicolon and comma are escaped; line breaks are none here.
    let escape = |text: &str| text.replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,").replace(['\r', '\n'], " ");
    let lines = [
        "BEGIN:VCALENDAR".to_owned(),
        "VERSION:2.0".to_owned(),
        "PRODID:-//Assay//Assay//EN".to_owned(),
        "BEGIN:VEVENT".to_owned(),
        format!("UID:{uid}@assay"),
        format!("DTSTAMP:{}", now.ical()),
        format!("DTSTART:{}", opens_at.ical()),
        "DURATION:PT15M".to_owned(),
        format!("SUMMARY:{}", escape(&format!("You may take “{programme_title}” again"))),
        format!("URL:{url}"),
        "BEGIN:VALARM".to_owned(),
        "ACTION:DISPLAY".to_owned(),
        "TRIGGER:PT0S".to_owned(),
        "DESCRIPTION:Open for your next try".to_owned(),
        "END:VALARM".to_owned(),
        "END:VEVENT".to_owned(),
        "END:VCALENDAR".to_owned(),
    ];
    lines.iter().flat_map(|line| [fold(line), "\r\n".to_owned()]).collect()
}

/// Folds a content line to at most 75 octets (RFC 5545, 3.1).
fn fold(line: &str) -> String {
    let mut folded = String::new();
    let mut octets = 0;
    for c in line.chars() {
        if octets + c.len_utf8() > 73 {
            folded.push_str("\r\n ");
            octets = 1;
        }
        octets += c.len_utf8();
        folded.push(c);
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_file_keeps_to_the_standard() {
        let now = UtcMillis::parse_rfc3339("2026-11-23T09:00:00Z").unwrap();
        let title = "Serverless, with “long” names; and every kind of thing that makes a line longer than it may be";
        let file = retake_calendar(title, "a", now, now.plus_seconds(86_400), "https://example.org/x");
        assert!(file.contains("DTSTART:20261124T090000Z\r\n"));
        assert!(file.split("\r\n").all(|line| line.len() <= 75), "{file}");
        assert!(file.replace("\r\n ", "").contains("Serverless\\, with “long” names\\; and"));
    }
}
