//! A small pack that is sound and gives no warning, to be broken in one place at a time.

use assay_pack::Memory;

pub(crate) const PROGRAMME: &str = r##"[programme]
title = "Small"
tagline = "A small programme."
about = """
What it *is*.

And more.
"""
language = "en"
accent = "#0b6e5f"
accent_dark = "#5fd3bf"
disclaimer = "Not affiliated with anyone."
questions_public = true

[[domain]]
id = "alpha"
title = "Alpha"
weight_percent = 67
items_in_form = 2

[[domain]]
id = "beta"
title = "Beta"
weight_percent = 33
items_in_form = 1

[[objective]]
id = "alpha.one"
statement = "Do one"

[[objective]]
id = "beta.two"
statement = "Do two"

[[course]]
id = "first"
title = "First"
summary = "All of it."
lessons = ["one", "two"]

[rules]
questions = 3
pass_mark = 2

[badge]
version = "1"
title = "Small Skills"
description = "Has shown it."
criteria = "Two of three."
limits = "Not more."
tags = ["Smallness"]
art = "badge.svg"
"##;

pub(crate) const LESSON: &str = "---
title: Lesson
objectives: [alpha.one, beta.two]
sources: [\"Some Guide\"]
checked_on: 2026-11-20
---

Teaching.

## Check yourself

### How does NAME begin?

- [x] Well.
  > Yes.
- [ ] Badly.
  > No.
";

#[allow(dead_code, reason = "not every test has diagrams")]
pub(crate) const DIAGRAM: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 100 50\">
<title>The way</title><desc>From here to there.</desc>
<path d=\"M0 0 L9 9\" stroke=\"currentColor\"/><text x=\"1\" y=\"20\">here</text></svg>";

pub(crate) const ITEM: &str = "---
objective: OBJECTIVE
barely_competent: 60
lookup: partly
source: \"Some Guide\"
---

What is the use of NAME?

- [x] This one.
  > Yes.
- [ ] That one.
  > No.
";

pub(crate) const ITEMS: [(&str, &str, &str); 6] = [
    ("alpha", "alpha-1", "alpha.one"),
    ("alpha", "alpha-2", "alpha.one"),
    ("alpha", "alpha-3", "alpha.one"),
    ("alpha", "alpha-4", "alpha.one"),
    ("beta", "beta-1", "beta.two"),
    ("beta", "beta-2", "beta.two"),
];

pub(crate) fn item(id: &str, objective: &str) -> String {
    ITEM.replace("OBJECTIVE", objective).replace("NAME", id)
}

pub(crate) fn pack() -> Memory {
    let mut files = Memory::new();
    files.insert("programme.toml", PROGRAMME);
    files.insert("badge.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1 1\"/>");
    files.insert("README.md", "Not read.");
    files.insert("items/.hidden", "Not read.");
    files.insert("lessons/one.md", LESSON.replace("NAME", "one"));
    files.insert("lessons/two.md", LESSON.replace("NAME", "two"));
    for (domain, id, objective) in ITEMS {
        files.insert(format!("items/{domain}/{id}.md"), item(id, objective));
    }
    files
}
