//! Packs that are sound: what they become, how they are counted, and that no bytes make the reader panic.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod small;

use assay_core::programme::EntryRule;
use assay_pack::{Files, Folder, Memory, check, coverage, read};
use proptest::prelude::*;

#[test]
fn the_small_pack_passes_with_defaults() {
    let report = check(&small::pack(), "small");
    assert_eq!((report.faults, report.warnings), (vec![], vec![]));
    let pack = report.pack.unwrap();
    let programme = &pack.programme;
    assert_eq!((programme.id.as_str(), programme.title.as_str()), ("small", "Small"));
    assert_eq!(programme.about.as_str(), "<p>What it <em>is</em>.</p>\n<p>And more.</p>");
    assert_eq!(programme.rules.retake_waits_seconds, [86_400]);
    assert_eq!((programme.rules.time_limit_seconds, programme.rules.open_book), (None, true));
    assert_eq!((&programme.entry.who, programme.entry.tries_a_year, programme.entry.pool_share_percent), (&EntryRule::Anyone, None, 50));
    assert_eq!(programme.lessons().map(|lesson| lesson.id.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(programme.domain_of("beta.two").unwrap().id, "beta");
    let lesson = programme.lesson("one").unwrap();
    assert_eq!((lesson.minutes, lesson.checked_on.as_str(), lesson.checks.len()), (1, "2026-11-20", 1));
    assert!(lesson.checks[0].options[0].right);
    assert_eq!(pack.items.iter().map(|item| item.id.0.as_str()).collect::<Vec<_>>(), small::ITEMS.map(|(_, id, _)| id));
    assert!(programme.badge.art_svg.starts_with("<svg"));
}

#[test]
fn diagrams_terms_and_links_become_pages() {
    let mut files = small::pack();
    let teaching = "See [two](two) and the [term](glossary#odd-term).\n\n![How *it* goes](../diagrams/way.svg)\n";
    let long = format!("{teaching}\n{}\n", "A word is here. ".repeat(100));
    files.insert("lessons/one.md", small::LESSON.replace("NAME", "one").replace("Teaching.\n", &long));
    files.insert("diagrams/way.svg", small::DIAGRAM);
    files.insert("glossary.md", "## Odd term\n\nIt is odd, see [one](one).\n\n## a first\n\nBy name.\n");
    let report = check(&files, "small");
    assert_eq!((report.faults, report.warnings), (vec![], vec![]));
    let programme = report.pack.unwrap().programme;
    let lesson = programme.lesson("one").unwrap();
    // 400 words and the nine above, 200 a minute.
    assert_eq!(lesson.minutes, 3);
    let body = lesson.body.as_str();
    assert!(body.contains("<a href=\"/programmes/small/lessons/two\""), "{body}");
    assert!(body.contains("<a href=\"/programmes/small/glossary#odd-term\""), "{body}");
    assert!(body.contains("<figure class=\"diagram\"><svg ") && body.contains("<figcaption>How <em>it</em> goes</figcaption></figure>"));
    let terms: Vec<_> = programme.glossary.iter().map(|term| (term.id.as_str(), term.name.as_str())).collect();
    assert_eq!(terms, [("a-first", "a first"), ("odd-term", "Odd term")]);
    // A programme kept by an earlier version has no glossary, and is read all the same.
    let mut kept = serde_json::to_value(&programme).unwrap();
    kept.as_object_mut().unwrap().remove("glossary");
    let read: assay_core::programme::Programme = serde_json::from_value(kept).unwrap();
    assert!(read.glossary.is_empty());
}

#[test]
fn a_day_of_review_warns_when_it_is_past_and_makes_no_new_version() {
    let mut files = small::pack();
    let before = read(&files, "small").unwrap().items[0].version.clone();
    let item = small::item("alpha-1", "alpha.one").replace("lookup: partly", "lookup: partly\nreview_by: 2027-01-31");
    files.insert("items/alpha/alpha-1.md", item);
    let mut report = check(&files, "small");
    report.warn_of_reviews("2027-01-31");
    assert_eq!(report.warnings, []);
    report.warn_of_reviews("2027-02-01");
    assert!(
        report.warnings[0].to_string().starts_with("items/alpha/alpha-1.md:5: this item was to be looked at again by 2027-01-31; look")
    );
    assert_eq!(report.pack.unwrap().items[0].version, before);
}

#[test]
fn every_setting_can_be_given() {
    let mut files = small::pack();
    let rules = "pass_mark = 2\nretake_waits = [\"24 h\", \"2 days\"]\ntime_limit = \"90 min\"\nopen_book = false\n
[entry]\nwho = \"domains\"\ndomains = [\"Example.org\"]\ntries_a_year = 5\npool_share_percent = 70\n";
    let badge = "version = \"1\"\nvalid_months = 24\nreserved_words = [\"Acme\", \"small skill\"]\n";
    files.insert("programme.toml", small::PROGRAMME.replace("pass_mark = 2\n", rules).replace("version = \"1\"\n", badge));
    let programme = read(&files, "small").unwrap().programme;
    assert_eq!(programme.rules.retake_waits_seconds, [86_400, 172_800]);
    assert_eq!((programme.rules.time_limit_seconds, programme.rules.open_book), (Some(5400), false));
    assert_eq!(programme.entry.who, EntryRule::Domains(vec!["example.org".into()]));
    assert_eq!((programme.entry.tries_a_year, programme.entry.pool_share_percent), (Some(5), 70));
    assert_eq!(programme.badge.valid_months, Some(24));

    let invited = small::PROGRAMME.replace("[badge]", "[entry]\nwho = \"invited\"\naddresses = [\"Ada@Example.org\"]\n\n[badge]");
    files.insert("programme.toml", invited.replace('\n', "\r\n"));
    assert_eq!(read(&files, "small").unwrap().programme.entry.who, EntryRule::Invited(vec!["ada@example.org".into()]));
}

#[test]
fn coverage_counts_and_prints() {
    let pack = read(&small::pack(), "small").unwrap();
    let found = coverage(&pack);
    assert_eq!((found.items, found.objectives, found.lessons, found.knowledge_checks), (6, 2, 2, 2));
    assert_eq!(
        found.to_string(),
        "6 items, 2 objectives, 2 lessons with 2 knowledge checks
looked up in one search: yes 0, partly 6, no 0
a barely competent person is expected to reach 60 %

domain  weight  items  families  in form  expected
alpha     67 %      4         4        2      60 %
beta      33 %      2         2        1      60 %

objective  items  lessons
alpha.one      4  one, two
beta.two       2  one, two
"
    );
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json["by_domain"][1]["families"], 2);
    assert_eq!(json["by_objective"][0]["lessons"][1], "two");
}

#[test]
fn a_folder_on_disk_reads_like_memory() {
    let folder = tempfile::tempdir().unwrap();
    let files = small::pack();
    for path in ["programme.toml", "badge.svg", "lessons/one.md", "lessons/two.md"] {
        write(folder.path(), path, &files.read(path).unwrap());
    }
    for (domain, id, objective) in small::ITEMS {
        write(folder.path(), &format!("items/{domain}/{id}.md"), small::item(id, objective).as_bytes());
    }
    let from_disk = read(&Folder::open(folder.path()).unwrap(), "small").unwrap();
    let from_memory = read(&files, "small").unwrap();
    assert_eq!(from_disk.programme, from_memory.programme);
    let versions = |pack: &assay_pack::Pack| pack.items.iter().map(|item| item.version.clone()).collect::<Vec<_>>();
    assert_eq!(versions(&from_disk), versions(&from_memory));
}

fn write(root: &std::path::Path, path: &str, bytes: &[u8]) {
    let full = root.join(path);
    std::fs::create_dir_all(full.parent().unwrap()).unwrap();
    std::fs::write(full, bytes).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn arbitrary_packs_never_panic(
        id in "\\PC{0,8}",
        files in prop::collection::vec(("(programme.toml|badge.svg|glossary.md|diagrams/[a-z]{1,3}\\.svg|lessons/[a-z./]{1,6}|items/[a-z./]{1,8}|\\PC{0,9})", prop::collection::vec(any::<u8>(), 0..200)), 0..8),
    ) {
        let mut memory = Memory::new();
        for (path, bytes) in files {
            memory.insert(path, bytes);
        }
        let report = check(&memory, &id);
        prop_assert_eq!(report.pack.is_some(), report.faults.is_empty());
    }

    /// Sound files with a piece cut out or doubled reach deeper than noise does.
    #[test]
    fn damaged_packs_never_panic(file in 0_usize..6, from in 0_usize..1500, length in 0_usize..60, twice in any::<bool>()) {
        let mut memory = small::pack();
        memory.insert("glossary.md", "## Odd term\n\nIt is odd, see [one](one).\n\n## A first\n\nBy [name](glossary#odd-term).\n");
        memory.insert("diagrams/way.svg", small::DIAGRAM);
        memory.insert("lessons/one.md", small::LESSON.replace("Teaching.", "See [it](glossary).\n\n![How](../diagrams/way.svg)\n"));
        let path = ["programme.toml", "lessons/one.md", "items/alpha/alpha-1.md", "badge.svg", "glossary.md", "diagrams/way.svg"][file];
        let bytes = memory.read(path).unwrap();
        let (from, to) = (from.min(bytes.len()), (from + length).min(bytes.len()));
        let mut damaged = bytes[..from].to_vec();
        if twice {
            damaged.extend_from_slice(&bytes[from..to]);
            damaged.extend_from_slice(&bytes[from..to]);
        }
        damaged.extend_from_slice(&bytes[to..]);
        memory.insert(path, damaged);
        let report = check(&memory, "small");
        prop_assert_eq!(report.pack.is_some(), report.faults.is_empty());
    }
}

#[test]
fn sample_pack_is_sound() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packs/serverless");
    let report = check(&Folder::open(root).unwrap(), "serverless");
    for warning in &report.warnings {
        println!("warning: {warning}");
    }
    let faults: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
    assert!(faults.is_empty(), "{} faults in packs/serverless:\n{}", faults.len(), faults.join("\n"));
    let pack = report.pack.unwrap();
    println!("{}", coverage(&pack));
    // What is read twice has the same versions, or every start of the server would publish anew.
    let again = check(&Folder::open(root).unwrap(), "serverless").pack.unwrap();
    assert_eq!(pack.programme, again.programme);
    assert!(pack.items.iter().zip(&again.items).all(|(a, b)| a.version == b.version));
}
