//! Lessons as Markdown: the teaching, the questions at its end, the faults.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use assay_items::markdown_lesson::read;
use proptest::prelude::*;

const GOOD: &str = "Words.

## First

|a|b|
|-|-|
|1|2|

### Deeper

More words.

## Check yourself

### What happens to the *second* request?

It arrives early.

- [x] It gets another environment.
  > One at a time.
- [ ] It waits.
  > No.

### And the third?

- [ ] It is lost.
  > No.
- [x] The same.
  > Yes.
";

fn faults(text: &str) -> Vec<String> {
    read(text, 1).faults.iter().map(ToString::to_string).collect()
}

#[test]
fn a_good_lesson() {
    let lesson = read(GOOD, 10);
    assert_eq!(lesson.faults, []);
    assert!(lesson.body.as_str().starts_with("<p>Words.</p>\n<h2>First</h2>"));
    assert!(lesson.body.as_str().ends_with("<h3>Deeper</h3>\n<p>More words.</p>"), "{}", lesson.body);
    assert!(!lesson.body.as_str().contains("Check"));
    assert_eq!(lesson.checks.len(), 2);
    let check = &lesson.checks[0];
    assert_eq!(check.stem.as_str(), "<p>What happens to the <em>second</em> request?</p>\n<p>It arrives early.</p>");
    assert_eq!((check.line, check.options.len()), (24, 2));
    assert_eq!(check.options[0].text.as_str(), "It gets another environment.");
    assert_eq!(check.options[0].rationale.as_str(), "<p>One at a time.</p>");
    assert!(check.options[0].right && !check.options[1].right);
}

#[test]
fn a_lesson_without_checks() {
    let lesson = read("Words.\n", 1);
    assert!(lesson.faults.is_empty() && lesson.checks.is_empty());
}

#[test]
fn faults_name_their_lines() {
    let cases = [
        ("## First", "# First", "line 3: a heading of level 1; use `##`"),
        ("### Deeper", "##### Deeper", "line 9: a heading of level 5"),
        ("### What", "Text.\n\n### What", "line 15: text below `## Check yourself`; begin each question with `###`"),
        ("### And", "## And", "line 24: a section after `## Check yourself`; make it the last section"),
        ("  > No.\n\n", "\n\n", "line 21: this option has no rationale"),
        ("- [x] The same", "- [ ] The same", "line 26: no option is marked right"),
        ("Words.", "<div>Words.</div>", "line 1: raw HTML"),
        ("Words.", "[Words](/here).", "line 1: a link to `/here`"),
    ];
    for (from, to, said) in cases {
        let found = faults(&GOOD.replacen(from, to, 1));
        assert!(found.len() == 1 && found[0].starts_with(said), "{to}: {found:#?}");
    }
    assert!(faults("")[0].starts_with("line 1: the lesson teaches nothing"));
    assert!(faults("a\n\n## Check yourself\n")[0].starts_with("line 3: `## Check yourself` has no question"));
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,400}", first in any::<u32>()) {
        read(&text, first);
    }

    #[test]
    fn shuffled_lessons_never_panic(picks in prop::collection::vec(0_usize..40, 0..60)) {
        let lines: Vec<&str> = GOOD.lines().collect();
        let text: Vec<&str> = picks.iter().filter_map(|&pick| lines.get(pick).copied()).collect();
        read(&text.join("\n"), 1);
    }
}
