//! Lessons as Markdown: the teaching, the questions at its end, the faults.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use assay_items::{
    markdown_lesson::{LessonText, read as read_of},
    teaching::{Part, Target},
};
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

fn read(text: &str, first_line: u32) -> LessonText {
    read_of(text, first_line, "p")
}

fn body(lesson: &LessonText) -> String {
    let part = |part: &Part| match part {
        Part::Prose(html) => html.to_string(),
        Part::Diagram(diagram) => format!("({}: {})", diagram.name, diagram.caption),
    };
    lesson.body.iter().map(part).collect::<Vec<_>>().join("\n")
}

fn faults(text: &str) -> Vec<String> {
    read(text, 1).faults.iter().map(ToString::to_string).collect()
}

#[test]
fn a_good_lesson() {
    let lesson = read(GOOD, 10);
    assert_eq!(lesson.faults, []);
    let body = body(&lesson);
    assert!(body.starts_with("<p>Words.</p>\n<h2>First</h2>"));
    assert!(body.ends_with("<h3>Deeper</h3>\n<p>More words.</p>"), "{body}");
    assert!(!body.contains("Check"));
    assert_eq!(lesson.words, 9);
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
fn diagrams_and_links_of_the_own_programme() {
    let lesson = read("See [limits](the-limits).\n\n![How *it* goes](../diagrams/the-way.svg)\n\nThe [term](glossary#cold-start).\n", 3);
    assert_eq!(lesson.faults, []);
    let kinds: Vec<bool> = lesson.body.iter().map(|part| matches!(part, Part::Diagram(_))).collect();
    assert_eq!(kinds, [false, true, false]);
    assert!(body(&lesson).contains("<a href=\"/programmes/p/lessons/the-limits\""), "{}", body(&lesson));
    assert!(body(&lesson).contains("(the-way: How <em>it</em> goes)"), "{}", body(&lesson));
    let links: Vec<_> = lesson.links.iter().map(|link| (link.line, link.to.clone())).collect();
    assert_eq!(links, [(3, Target::Lesson("the-limits".into())), (7, Target::Term("cold-start".into()))]);
    for (bad, said) in [
        ("![a](../diagrams/b.png)", "line 1: a picture from `../diagrams/b.png`"),
        ("![a](https://b.example/c.svg)", "line 1: a picture from `https://b.example/c.svg`"),
        ("![](../diagrams/b.svg)", "line 1: a diagram without a caption"),
        ("Words ![a](../diagrams/b.svg) around.", "line 1: an image; show a diagram of this pack in a paragraph of its own"),
        ("[a](other.md)", "line 1: a link to `other.md`"),
        ("[a](/programmes/q/lessons/b)", "line 1: a link to `/programmes/q/lessons/b`"),
    ] {
        let found = faults(bad);
        assert!(found.iter().any(|found| found.starts_with(said)), "{bad}: {found:?}");
    }
    // Questions keep to the outside world: an item is read far from its lesson.
    let asked = faults("W.\n\n## Check yourself\n\n### See [a](b)?\n\n- [x] a\n  > b\n- [ ] c\n  > d\n");
    assert_eq!(asked.len(), 1, "{asked:?}");
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
