//! One test for each kind of fault: its file, its line, its words.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod small;

use assay_pack::{Files, Memory, check};

/// The small pack with one text replaced in one file.
fn with(path: &str, from: &str, to: &str) -> Memory {
    let mut files = small::pack();
    let text = String::from_utf8(files.read(path).unwrap()).unwrap();
    assert!(text.contains(from), "{path} has no {from:?}");
    files.insert(path, text.replacen(from, to, 1));
    files
}

fn faults(files: &Memory) -> Vec<String> {
    let report = check(files, "small");
    assert_eq!(report.pack.is_some(), report.faults.is_empty());
    report.faults.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn assert_faults(files: &Memory, expected: &[&str]) {
    let found = faults(files);
    assert!(
        found.len() == expected.len() && found.iter().zip(expected).all(|(found, expected)| found.starts_with(expected)),
        "found:\n{}\nexpected:\n{}",
        found.join("\n"),
        expected.join("\n")
    );
}

#[track_caller]
fn programme_fault(from: &str, to: &str, expected: &str) {
    assert_faults(&with("programme.toml", from, to), &[expected]);
}

#[track_caller]
fn assert_warning(files: &Memory, expected: &str) {
    let report = check(files, "small");
    assert_eq!(report.faults, []);
    let found: Vec<String> = report.warnings.iter().map(ToString::to_string).collect();
    assert!(found.iter().any(|found| found.starts_with(expected)), "found:\n{}\nexpected:\n{expected}", found.join("\n"));
}

#[test]
fn missing_files_and_folders() {
    assert_faults(
        &Memory::new(),
        &["items/: it does not exist; make the folder", "lessons/: it does not exist", "programme.toml:1: it does not exist; put"],
    );
}

#[test]
fn a_name_that_is_no_slug() {
    let report = check(&small::pack(), "Small Pack");
    assert_eq!(
        report.faults[0].to_string(),
        "programme.toml:1: the pack is called `Small Pack`, which is not a slug; name the folder with lower-case letters, digits and single hyphens"
    );
    programme_fault("id = \"first\"", "id = \"First one\"", "programme.toml:36: `id` is `First one`, which is not a slug");
    let mut files = small::pack();
    files.insert("items/alpha/Alpha_5.md", small::item("alpha-5", "alpha.one"));
    assert_faults(&files, &["items/alpha/Alpha_5.md:1: `Alpha_5` is not a slug"]);
}

#[test]
fn toml_syntax_unknown_names_and_wrong_types() {
    programme_fault(
        "title = \"Small\"",
        "title = \"Small\"\ntitel = 1",
        "programme.toml:3: `titel` is not a field of [programme]; use one of: title, tagline",
    );
    programme_fault("title = \"Small\"", "title = 7", "programme.toml:2: `title` is a number; write text, in quotation marks");
    programme_fault("title = \"Small\"", "title = \"  \"", "programme.toml:2: `title` is empty");
    programme_fault("title = \"Small\"\n", "", "programme.toml:1: [programme] has no `title`; add `title`, the programme's name");
    programme_fault(
        "questions_public = true",
        "questions_public = \"yes\"",
        "programme.toml:13: `questions_public` is text; write true or false",
    );
    programme_fault("questions_public = true\n", "", "programme.toml:1: [programme] has no `questions_public`");
    programme_fault("tags = [\"Smallness\"]", "tags = []", "programme.toml:51: `tags` is empty; add the skills");
    programme_fault("[badge]", "[colours]\nx = 1\n[badge]", "programme.toml:45: `colours` is not a field of programme.toml");
    let broken = with("programme.toml", "tagline = \"A small programme.\"", "tagline = \"A small programme.");
    assert!(faults(&broken)[0].starts_with("programme.toml:3: not TOML: "), "{:?}", faults(&broken));
    let twice = with("programme.toml", "language = \"en\"", "language = \"en\"\nlanguage = \"de\"");
    assert!(faults(&twice)[0].starts_with("programme.toml:10: not TOML: duplicate key"), "{:?}", faults(&twice));
    // Nothing follows from a file that could not be read: neither in it nor in the others.
    let mut prose = small::pack();
    prose.insert("programme.toml", "This is a letter.\n\nIt is not TOML at all: not a line of it.\n");
    for files in [&broken, &twice, &prose] {
        let found = faults(files);
        assert!(!found.is_empty() && found.iter().all(|f| f.starts_with("programme.toml:") && f.contains(": not TOML: ")), "{found:#?}");
    }
}

#[test]
fn several_faults_at_once() {
    let mut files = with("programme.toml", "language = \"en\"", "language = \"English\"");
    files.insert("lessons/one.md", small::LESSON.replace("2026-11-20", "last week"));
    files.insert("items/beta/beta-1.md", small::item("beta-1", "beta.two").replace("60", "100"));
    files.insert("badge.svg", "no picture");
    assert_faults(
        &files,
        &[
            "badge.svg:1: the badge art is not an SVG",
            "items/beta/beta-1.md:3: `barely_competent` is 100; write a whole number from 1 to 99",
            "lessons/one.md:5: `checked_on` is `last week`",
            "programme.toml:9: `language` is `English`; write a language tag",
        ],
    );
}

#[test]
fn language_colours_and_text() {
    programme_fault("#0b6e5f", "#9bcec5", "programme.toml:10: `accent` has a contrast of 1.7");
    programme_fault("#5fd3bf", "#0b6e5f", "programme.toml:11: `accent_dark` has a contrast of 2.");
    programme_fault("#0b6e5f", "green", "programme.toml:10: `accent` is `green`; write a colour as #rrggbb");
    programme_fault("And more.", "<b>And</b> more.", "programme.toml:7: raw HTML (<b>)");
}

#[test]
fn sums_and_rules() {
    programme_fault("weight_percent = 33", "weight_percent = 32", "programme.toml:15: the domains' weights add up to 99; make");
    programme_fault("questions = 3", "questions = 4", "programme.toml:42: `questions` is 4, but the domains give 3 items to a form");
    programme_fault("pass_mark = 2", "pass_mark = 4", "programme.toml:43: `pass_mark` is 4 of 3 questions");
    programme_fault("pass_mark = 2", "pass_mark = 2\nretake_waits = []", "programme.toml:44: `retake_waits` is empty");
    programme_fault(
        "pass_mark = 2",
        "pass_mark = 2\nretake_waits = [\"soon\"]",
        "programme.toml:44: `retake_waits` has `soon`; write a whole number and s, min, h",
    );
    programme_fault("pass_mark = 2", "pass_mark = 2\ntime_limit = \"30 s\"", "programme.toml:44: `time_limit` is `30 s`");
    programme_fault("pass_mark = 2\n", "", "programme.toml:41: [rules] has no `pass_mark`");
}

#[test]
fn entry_rules() {
    let entry = |lines: &str| with("programme.toml", "[badge]", &format!("[entry]\n{lines}\n[badge]"));
    assert_faults(&entry("who = \"friends\""), &["programme.toml:46: `who` is `friends`; write \"anyone\", \"domains\" or \"invited\""]);
    assert_faults(&entry("who = \"domains\""), &["programme.toml:45: [entry] has no `domains`"]);
    assert_faults(
        &entry("who = \"domains\"\ndomains = [\"@example.org\"]"),
        &["programme.toml:47: `domains` has `@example.org`; write it like \"example.org\""],
    );
    assert_faults(&entry("who = \"invited\"\naddresses = [\"ada\"]"), &["programme.toml:47: `addresses` has `ada`"]);
    assert_faults(&entry("domains = [\"example.org\"]"), &["programme.toml:46: `domains` has no effect while `who` is \"anyone\""]);
    assert_faults(&entry("pool_share_percent = 0"), &["programme.toml:46: `pool_share_percent` is 0"]);
    assert_faults(&entry("tries_a_year = 0"), &["programme.toml:46: `tries_a_year` is 0"]);
}

#[test]
fn domains_and_objectives() {
    programme_fault(
        "[[objective]]\nid = \"alpha.one\"",
        "[[objective]]\nid = \"gamma\"\nstatement = \"x\"\n[[objective]]\nid = \"alpha.one\"",
        "programme.toml:28: `id` is `gamma`; write domain.name",
    );
    assert_faults(
        &with("programme.toml", "[[course]]", "[[objective]]\nid = \"gamma.x\"\nstatement = \"x\"\n[[course]]"),
        &[
            "programme.toml:36: objective `gamma.x` is asked by no item; write an item with `objective: gamma.x` in items/gamma/",
            "programme.toml:36: objective `gamma.x` is in no domain: there is no `gamma`; begin it with one of: alpha, beta",
            "programme.toml:36: objective `gamma.x` is taught by no lesson of the plan",
        ],
    );
    programme_fault(
        "[[course]]",
        "[[objective]]\nid = \"beta.two\"\nstatement = \"x\"\n[[course]]",
        "programme.toml:36: objective `beta.two` is there already, on line 32",
    );
}

#[test]
fn objectives_must_be_taught_and_asked() {
    let mut files = small::pack();
    for name in ["one", "two"] {
        files.insert(format!("lessons/{name}.md"), small::LESSON.replace("NAME", name).replace(", beta.two", ""));
    }
    assert_faults(&files, &["programme.toml:32: objective `beta.two` is taught by no lesson of the plan; add `beta.two` to"]);
    let mut files = with("programme.toml", "[[course]]", "[[objective]]\nid = \"beta.three\"\nstatement = \"x\"\n[[course]]");
    files.insert("lessons/one.md", small::LESSON.replace("NAME", "one").replace("beta.two", "beta.two, beta.three"));
    assert_faults(&files, &["programme.toml:36: objective `beta.three` is asked by no item"]);
}

#[test]
fn lessons_and_courses() {
    programme_fault(
        "[\"one\", \"two\"]",
        "[\"one\", \"two\", \"three\"]",
        "programme.toml:39: there is no lesson `three`; write lessons/three.md",
    );
    programme_fault(
        "[\"one\", \"two\"]",
        "[\"one\", \"two\", \"one\"]",
        "programme.toml:39: lesson `one` is in the plan already, on line 39",
    );
    assert_faults(
        &with("programme.toml", "[\"one\", \"two\"]", "[\"one\"]"),
        &["lessons/two.md:1: this lesson is in no course; add \"two\""],
    );
    assert_faults(
        &with("lessons/one.md", "beta.two", "beta.nine"),
        &["lessons/one.md:3: there is no objective `beta.nine`; name one of programme.toml"],
    );
    assert_faults(&with("lessons/one.md", "2026-11-20", "2026-02-30"), &["lessons/one.md:5: `checked_on` is `2026-02-30`"]);
    assert_faults(&with("lessons/one.md", "sources: [\"Some Guide\"]\n", ""), &["lessons/one.md:2: the front matter has no `sources`"]);
    assert_faults(&with("lessons/one.md", "  > No.", ""), &["lessons/one.md:16: this option has no rationale"]);
    let mut files = small::pack();
    files.insert("lessons/notes.txt", "x");
    assert_faults(&files, &["lessons/notes.txt:1: this is not a lesson"]);
}

#[test]
fn items_in_their_folders() {
    assert_faults(
        &with("items/alpha/alpha-1.md", "alpha.one", "alpha.nine"),
        &["items/alpha/alpha-1.md:2: there is no objective `alpha.nine`"],
    );
    assert_faults(
        &with("items/alpha/alpha-1.md", "alpha.one", "beta.two"),
        &["items/alpha/alpha-1.md:2: objective `beta.two` is of another domain than the folder items/alpha/; move the file to items/beta/"],
    );
    let mut files = small::pack();
    files.insert("items/beta/alpha-1.md", small::item("again", "beta.two"));
    assert_faults(&files, &["items/beta/alpha-1.md:1: there is an item `alpha-1` already: items/alpha/alpha-1.md; rename one"]);
    let mut files = small::pack();
    files.insert("items/stray.md", "x");
    files.insert("items/alpha/notes.txt", "x");
    assert_faults(&files, &["items/alpha/notes.txt:1: this is not an item", "items/stray.md:1: this file is in no domain's folder"]);
}

#[test]
fn faults_inside_items_keep_their_lines() {
    let cases = [
        ("barely_competent: 60", "barely_competent: 0", ":3: `barely_competent` is 0"),
        ("That one.", "This one.", ":12: this option is the same as the one on line 10"),
        ("That one.", "None of the above.", ":12: this option leans on the place of others"),
        ("  > No.", "  >", ":13: the rationale is empty"),
        ("lookup: partly", "lookup: partly\nenemies: [alpha-2, ghost]", ":5: there is no item `ghost`; name an item of this pool"),
    ];
    for (from, to, expected) in cases {
        assert_faults(&with("items/alpha/alpha-1.md", from, to), &[&format!("items/alpha/alpha-1.md{expected}")]);
    }
    assert_faults(
        &with("items/alpha/alpha-1.md", "lookup: partly", "lookup: partly\nchoose: 2"),
        &[
            "items/alpha/alpha-1.md:5: `choose` is 2 of 2 options; offer more options",
            "items/alpha/alpha-1.md:5: `choose` is 2, but 1 options are marked right; write `choose: 1`",
        ],
    );
}

#[test]
fn too_few_families_for_the_blueprint() {
    let mut files = small::pack();
    for id in ["alpha-1", "alpha-2", "alpha-3", "alpha-4"] {
        files
            .insert(format!("items/alpha/{id}.md"), small::item(id, "alpha.one").replace("lookup: partly", "lookup: partly\nfamily: same"));
    }
    assert_faults(&files, &["programme.toml:15: domain `alpha` gives 2 items to a form, but its items have 1 families"]);
}

#[test]
fn the_pool_must_not_hold_a_knowledge_check() {
    let expected = "lessons/one.md:12: this question is also in the pool (items/alpha/alpha-1.md); ask something else";
    assert_faults(&with("items/alpha/alpha-1.md", "What is the use of alpha-1?", "How does *one* begin"), &[expected]);
    let long = "A caller waits for one minute and then gives up. What does the function do in the meantime and after it?";
    let mut files = with("items/alpha/alpha-1.md", "What is the use of alpha-1?", long);
    files.insert("lessons/one.md", small::LESSON.replace("How does NAME begin?", &long.replace("one minute", "two minutes")));
    assert_faults(&files, &[expected]);
}

#[test]
fn badge_art_and_title() {
    programme_fault("badge.svg", "missing.svg", "programme.toml:52: `art` is `missing.svg`: it does not exist");
    programme_fault(
        "title = \"Small Skills\"",
        "title = \"Acme Cloud Skills\"\nreserved_words = [\"acme cloud\"]",
        "programme.toml:47: the badge's title has the reserved word \"acme cloud\"",
    );
    programme_fault("version = \"1\"", "version = \"one two\"", "programme.toml:46: `version` is `one two`");
    let mut files = small::pack();
    files.insert("badge.svg", [0xff, 0xfe].as_slice());
    assert_faults(&files, &["badge.svg:1: the badge art is not UTF-8"]);
    files.insert("badge.svg", vec![b' '; 200 * 1024 + 1]);
    assert_faults(&files, &["badge.svg:1: the badge art has 204801 bytes; at most 204800"]);
}

#[test]
fn warnings_leave_a_pack_sound() {
    let mut files = small::pack();
    files.remove("items/alpha/alpha-4.md");
    assert_warning(&files, "programme.toml:15: domain `alpha` shows 2 of its 3 items in one form, more than the 50 %");
    assert_warning(
        &with(
            "programme.toml",
            "weight_percent = 67\nitems_in_form = 2\n\n[[domain]]\nid = \"beta\"\ntitle = \"Beta\"\nweight_percent = 33",
            "weight_percent = 60\nitems_in_form = 2\n\n[[domain]]\nid = \"beta\"\ntitle = \"Beta\"\nweight_percent = 40",
        ),
        "programme.toml:15: domain `alpha` weighs 60 %, but has 67 % of a form",
    );
    let teaching = small::LESSON.split("## Check").next().unwrap();
    let mut files = small::pack();
    files.insert("lessons/one.md", teaching);
    assert_warning(&files, "lessons/one.md:1: this lesson has no knowledge check");
    let long = "A caller waits for one minute and then gives up. What does the function do?";
    let mut files = small::pack();
    for id in ["alpha-1", "alpha-2"] {
        files.insert(format!("items/alpha/{id}.md"), small::item(id, "alpha.one").replace(&format!("What is the use of {id}?"), long));
    }
    assert_warning(
        &files,
        "items/alpha/alpha-2.md:8: the stem is nearly that of items/alpha/alpha-1.md; make one item of them, or give both one `family`",
    );
    let mut files = small::pack();
    for n in 10..40 {
        files.insert(format!("items/alpha/a-{n}.md"), small::item(&format!("thing {n}"), "alpha.one"));
    }
    assert_warning(&files, "items/: the right one of 2 options is not evenly placed: 100 %, 0 % over 36 items");
    let mut files = small::pack();
    for (domain, id) in [("alpha", "alpha-1"), ("beta", "beta-1")] {
        let objective = if domain == "alpha" { "alpha.one" } else { "beta.two" };
        files.insert(
            format!("items/{domain}/{id}.md"),
            small::item(id, objective).replace("lookup: partly", "lookup: partly\nfamily: both"),
        );
    }
    assert_warning(&files, "items/: family `both` spans the domains alpha, beta");
}

#[test]
fn diagrams_links_and_terms_are_looked_up() {
    let lesson = |text: &str| with("lessons/one.md", "Teaching.", text);
    assert_faults(
        &lesson("See [three](three)."),
        &["lessons/one.md:8: a link to the lesson `three`, which is not there; write lessons/three.md"],
    );
    assert_faults(&lesson("See [odd](glossary#odd)."), &["lessons/one.md:8: a link to the term `odd`, which is not explained"]);
    assert_faults(&lesson("See [it](glossary)."), &["lessons/one.md:8: a link to the glossary, which is not there; write glossary.md"]);
    assert_faults(&lesson("![a](../diagrams/b.svg)"), &["lessons/one.md:8: there is no diagram `b`; draw diagrams/b.svg"]);

    let mut files = lesson("![a](../diagrams/b.svg)\n\n![a](../diagrams/b.svg)");
    files.insert("diagrams/b.svg", small::DIAGRAM);
    assert_faults(&files, &["lessons/one.md:10: the diagram `b` is shown twice"]);
    let mut files = lesson("![a](../diagrams/b.svg)");
    files.insert("diagrams/b.svg", small::DIAGRAM.replace("<text", "<script/>\n<text").replace("<desc>From here to there.</desc>", ""));
    assert_faults(&files, &["diagrams/b.svg:1: the diagram has no <desc>; add it", "diagrams/b.svg:3: <script> is not allowed; delete it"]);
    files.insert("diagrams/b.svg", [0xff, 0xfe]);
    files.insert("diagrams/c.png", "x");
    assert_faults(&files, &["diagrams/b.svg:1: it is not UTF-8", "diagrams/c.png:1: this is not a diagram"]);

    let mut files = small::pack();
    files.insert("diagrams/b.svg", small::DIAGRAM);
    assert_warning(&files, "diagrams/b.svg:1: this diagram is in no lesson; show it in a lesson, `![caption](../diagrams/b.svg)`");
    files.insert("glossary.md", "## A\n\nSee [b](three).\n");
    assert_faults(&files, &["glossary.md:3: a link to the lesson `three`, which is not there"]);
    files.insert("glossary.md", "Words.\n");
    assert_faults(&files, &["glossary.md:1: text above the first term"]);
    let mut files = small::pack();
    files.insert("lessons/glossary.md", small::LESSON);
    files.insert("programme.toml", small::PROGRAMME.replace("\"two\"]", "\"two\", \"glossary\"]"));
    assert_faults(&files, &["lessons/glossary.md:1: a lesson called `glossary`; rename it"]);
}

#[test]
fn a_day_of_review_is_a_day() {
    let files = with("items/alpha/alpha-1.md", "lookup: partly", "lookup: partly\nreview_by: next spring");
    assert_faults(&files, &["items/alpha/alpha-1.md:5: `review_by` is `next spring`; write a day of the calendar as YYYY-MM-DD"]);
}
