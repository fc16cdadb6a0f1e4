//! Good settings are read, and every fault is told.

use super::*;

const GOOD: &str = r#"
data = "data"
listen = "127.0.0.1:8080"
public_url = "https://Badges.example.org/"
packs = ["packs/a", "/packs/b"]

[issuer]
name = "Example Office"
slug = "example"
contact = "badges@example.org"

[smtp]
url = "smtp://127.0.0.1:2525"
from = "Badges <badges@example.org>"

[entry.a]
who = "domains"
domains = ["Example.ORG"]
tries_a_year = 3
"#;

fn read(text: &str) -> Result<Settings, Vec<Fault>> {
    Settings::from_bytes(text.as_bytes(), Path::new("/etc/assay"))
}

#[test]
fn good_settings_are_read() {
    let settings = read(GOOD).unwrap();
    assert_eq!(settings.public_url, "https://badges.example.org");
    assert_eq!(settings.host, "badges.example.org");
    assert_eq!(settings.packs, [Path::new("/etc/assay/packs/a"), Path::new("/packs/b")]);
    let mut entry = Entry { who: EntryRule::Anyone, tries_a_year: None, pool_share_percent: 40 };
    settings.entry[0].1.apply(&mut entry);
    assert_eq!(entry, Entry { who: EntryRule::Domains(vec!["example.org".into()]), tries_a_year: Some(3), pool_share_percent: 40 });
}

#[test]
fn every_fault_is_told_with_its_line() {
    let text = GOOD
        .replace("127.0.0.1:8080", "localhost")
        .replace("packs = ", "log = \"xml\"\nmetrics = \"here\"\nconnections = 0\npacks = ")
        .replace("slug = \"example\"", "slug = \"Example Org\"\ncolour = \"red\"")
        .replace("from = \"Badges <badges@example.org>\"", "from = \"nobody\"")
        .replace("who = \"domains\"", "who = \"everyone\"");
    let faults = read(&text).unwrap_err();
    let lines: Vec<u32> = faults.iter().map(|f| f.line).collect();
    for line in [3, 5, 6, 7, 12, 13, 18, 21] {
        assert!(lines.contains(&line), "{line} in {faults:#?}");
    }
    assert!(read("").unwrap_err().len() >= 5);
    assert!(read("data = \n[").unwrap_err().len() >= 2);
}

#[test]
fn plain_http_is_for_loopback_only() {
    let with = |url: &str, listen: &str| read(&GOOD.replace("https://Badges.example.org/", url).replace("127.0.0.1:8080", listen));
    for url in ["http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080"] {
        assert!(with(url, "127.0.0.1:8080").is_ok(), "{url}");
    }
    for url in ["http://badges.example.org", "http://192.168.1.5", "http://localhost.example.org", "http://127.0.0.1.example.org"] {
        let faults = with(url, "127.0.0.1:8080").unwrap_err();
        assert!(
            faults.iter().any(|f| f.line == 4 && f.what.contains("could read sign-in links") && f.instead.contains("TLS")),
            "{url}: {faults:?}"
        );
    }
    let faults = with("http://localhost:8080", "0.0.0.0:8080").unwrap_err();
    assert!(faults.iter().any(|f| f.line == 3 && f.what.contains("other machines")), "{faults:?}");
    assert!(with("https://badges.example.org", "0.0.0.0:8080").is_ok());
    for url in ["badges.example.org", "https://", "ftp://x", "https://x/path", "https://x/?q", "https://u@x", "https://x:"] {
        assert!(with(url, "127.0.0.1:8080").is_err(), "{url}");
    }
}

#[test]
fn a_database_and_what_it_promises() {
    let with = |lines: &str| read(&GOOD.replacen("data = \"data\"", &format!("data = \"data\"\n{lines}"), 1));
    assert_eq!(read(GOOD).unwrap().server, None);
    let server = |lines: &str| with(lines).unwrap().server.unwrap();
    assert_eq!(server("database = \"postgres://u@h/d\""), ("postgres://u@h/d".into(), Promise::Disk));
    assert_eq!(server("database = \"postgresql://u@h/d\"\ndurability = \"standby\"").1, Promise::Standby);
    let faults = with("database = \"mysql://u:sesame@h/d\"\ndurability = \"sure\"").unwrap_err();
    assert_eq!(faults.iter().map(|f| f.line).collect::<Vec<_>>(), [3, 4], "{faults:?}");
    assert!(!format!("{faults:?}").contains("sesame"), "a password is repeated");
    assert!(with("durability = \"standby\"").unwrap_err()[0].what.contains("no `database`"));
}
