//! Cleaning: the only way text from outside becomes [`Html`].
//!
//! Markdown is rendered without its raw HTML (that is shown as the text it is) and the result passes through an
//! allow-list all the same, so a fault in the renderer is not yet a hole. Nothing here depends on who wrote the text.
//!
//! What comes through: paragraphs, lists, quotations, code, tables, emphasis, headings `h2` to `h4`, and links to
//! `https:` and `mailto:`. What never does: `style`, `id`, `class` (but for `language-…` on code), images, scripts, forms.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use ammonia::{Builder, UrlRelative};
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use crate::{Html, fault::is_slug};

/// Deeper containers lose their markup and keep their words, so that no text can make a tower of tags.
const MAX_DEPTH: usize = 32;

/// Rounds until cleaning must have come to rest; ordinary text needs one.
const MAX_ROUNDS: usize = 4;

const INLINE_TAGS: [&str; 9] = ["a", "br", "code", "del", "em", "kbd", "strong", "sub", "sup"];

const BLOCK_TAGS: [&str; 18] =
    ["blockquote", "div", "h2", "h3", "h4", "hr", "li", "ol", "p", "pre", "table", "tbody", "td", "th", "thead", "tr", "ul", "tfoot"];

static INLINE: LazyLock<Builder<'static>> = LazyLock::new(|| builder(INLINE_TAGS.into_iter().collect()));

/// As [`BLOCK`], with links to lessons and glossaries of this server, which only the reader of lessons makes.
static TEACHING: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = without_filter(INLINE_TAGS.into_iter().chain(BLOCK_TAGS).collect());
    builder.url_relative(UrlRelative::PassThrough).attribute_filter(|tag, name, value| match (tag, name) {
        ("a", "href") if !is_link_allowed(value) && !is_own_address(value) => None,
        _ => kept(tag, name, value),
    });
    builder
});

static BLOCK: LazyLock<Builder<'static>> = LazyLock::new(|| builder(INLINE_TAGS.into_iter().chain(BLOCK_TAGS).collect()));

/// What wide things carry so that they scroll by themselves, by keyboard too. Put on after cleaning, in one fixed order:
/// ammonia would add attributes in an order of chance, and an item's version is a hash over its words.
const SCROLLING: [(&str, &str); 2] = [
    ("<div>", r#"<div class="scroll" tabindex="0" role="region" aria-label="Table">"#),
    ("<pre>", r#"<pre tabindex="0" role="region" aria-label="Code">"#),
];

fn builder(tags: HashSet<&'static str>) -> Builder<'static> {
    let mut builder = without_filter(tags);
    builder.attribute_filter(kept);
    builder
}

/// A filter can be set once only.
fn without_filter(tags: HashSet<&'static str>) -> Builder<'static> {
    let mut attributes: HashMap<&str, HashSet<&str>> = HashMap::new();
    attributes.insert("a", HashSet::from(["href"]));
    attributes.insert("code", HashSet::from(["class"]));
    if tags.contains("ol") {
        attributes.insert("ol", HashSet::from(["start"]));
    }
    let mut builder = Builder::default();
    builder
        .tags(tags)
        .tag_attributes(attributes)
        .generic_attributes(HashSet::new())
        .url_schemes(HashSet::from(["https", "mailto"]))
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer"))
        .strip_comments(true);
    builder
}

fn kept<'u>(tag: &str, name: &str, value: &'u str) -> Option<Cow<'u, str>> {
    match (tag, name) {
        ("code", "class") if !is_language(value) => None,
        // A tag inside an address would be taken for one by what is put on afterwards.
        ("a", "href") if value.contains(['<', '>', '"']) => None,
        ("ol", "start") if !value.bytes().all(|b| b.is_ascii_digit()) => None,
        _ => Some(Cow::Borrowed(value)),
    }
}

fn is_language(class: &str) -> bool {
    class
        .strip_prefix("language-")
        .is_some_and(|name| (1..=32).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-#._".contains(&b)))
}

/// Renders Markdown (CommonMark with tables, strikethrough and task lists) as blocks.
pub fn markdown_block(markdown: &str) -> Html {
    render_block(Parser::new_ext(markdown, options()))
}

/// Renders Markdown as running text: emphasis, code and links stay, blocks are dissolved into words.
pub fn markdown_inline(markdown: &str) -> Html {
    render_inline(Parser::new_ext(markdown, options()))
}

/// Cleans HTML from outside by the same allow-list. Cleaning twice is cleaning once.
pub fn html(html: &str) -> Html {
    Html::trusted(settle(&BLOCK, html))
}

/// The dialect of Markdown that items, lessons and programme texts are written in.
pub(crate) fn options() -> Options {
    Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS
}

/// Whether a link's address is one that survives cleaning.
pub(crate) fn is_link_allowed(address: &str) -> bool {
    let address = address.trim();
    ["https://", "mailto:"]
        .iter()
        .any(|scheme| address.len() > scheme.len() && address.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
}

/// Whether this is the address of a lesson or of a glossary of this server, and nothing more.
fn is_own_address(address: &str) -> bool {
    let Some((programme, rest)) = address.strip_prefix("/programmes/").and_then(|rest| rest.split_once('/')) else { return false };
    let inside = match (rest.strip_prefix("lessons/"), rest.strip_prefix("glossary")) {
        (Some(lesson), _) => is_slug(lesson),
        (None, Some(term)) => term.is_empty() || term.strip_prefix('#').is_some_and(is_slug),
        (None, None) => false,
    };
    is_slug(programme) && inside
}

pub(crate) fn render_block<'a>(events: impl Iterator<Item = Event<'a>>) -> Html {
    blocks(&BLOCK, events)
}

/// As [`render_block`], keeping links that lead to lessons and glossaries of this server.
pub(crate) fn render_teaching<'a>(events: impl Iterator<Item = Event<'a>>) -> Html {
    blocks(&TEACHING, events)
}

fn blocks<'a>(builder: &Builder<'_>, events: impl Iterator<Item = Event<'a>>) -> Html {
    let mut depth = 0_usize;
    let events = events.flat_map(move |event| {
        let within = match &event {
            Event::Start(_) => {
                depth += 1;
                depth <= MAX_DEPTH
            }
            Event::End(_) => {
                let within = depth <= MAX_DEPTH;
                depth = depth.saturating_sub(1);
                within
            }
            _ => true,
        };
        block_event(event).into_iter().filter(move |event| within || !matches!(event, Event::Start(_) | Event::End(_) | Event::Html(_)))
    });
    let mut out = String::new();
    pulldown_cmark::html::push_html(&mut out, events);
    Html::trusted(settle(builder, out.trim_end()))
}

fn block_event(event: Event<'_>) -> Vec<Event<'_>> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => vec![Event::Text(text)],
        Event::Start(Tag::Image { .. } | Tag::HtmlBlock) | Event::End(TagEnd::Image | TagEnd::HtmlBlock) => vec![],
        Event::Start(Tag::Heading { level, .. }) => {
            vec![Event::Start(Tag::Heading { level: page_level(level), id: None, classes: vec![], attrs: vec![] })]
        }
        Event::End(TagEnd::Heading(level)) => vec![Event::End(TagEnd::Heading(page_level(level)))],
        Event::Start(Tag::Table(columns)) => vec![Event::Html("<div>".into()), Event::Start(Tag::Table(columns))],
        Event::End(TagEnd::Table) => vec![Event::End(TagEnd::Table), Event::Html("</div>".into())],
        Event::TaskListMarker(right) => vec![Event::Text(if right { "[x] ".into() } else { "[ ] ".into() })],
        other => vec![other],
    }
}

/// The page's own title is its `h1`; below `h4` a lesson wants cutting, not nesting.
fn page_level(level: HeadingLevel) -> HeadingLevel {
    level.clamp(HeadingLevel::H2, HeadingLevel::H4)
}

pub(crate) fn render_inline<'a>(events: impl Iterator<Item = Event<'a>>) -> Html {
    let mut depth = 0_usize;
    let mut in_code = false;
    let events = events.filter_map(move |event| match event {
        Event::Start(Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::Link { .. }) => {
            depth += 1;
            (depth <= MAX_DEPTH).then_some(event)
        }
        Event::End(TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link) => {
            let within = depth <= MAX_DEPTH;
            depth = depth.saturating_sub(1);
            within.then_some(event)
        }
        Event::Start(Tag::CodeBlock(_)) => {
            in_code = true;
            None
        }
        Event::End(TagEnd::CodeBlock) => {
            in_code = false;
            Some(Event::Text(" ".into()))
        }
        Event::Text(text) if in_code => Some(Event::Code(text.trim_end().to_owned().into())),
        Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
        Event::Text(_) | Event::Code(_) | Event::SoftBreak | Event::HardBreak => Some(event),
        Event::TaskListMarker(right) => Some(Event::Text(if right { "[x] ".into() } else { "[ ] ".into() })),
        Event::Start(_) | Event::End(TagEnd::Image) => None,
        Event::End(_) | Event::Rule => Some(Event::Text(" ".into())),
        _ => None,
    });
    let mut out = String::new();
    pulldown_cmark::html::push_html(&mut out, events);
    Html::trusted(settle(&INLINE, out.trim()))
}

/// Cleans until nothing changes: parsing HTML and writing it again may take a second round to come to rest
/// (a line break at the start of `pre`, misnested tags), and what is stored must be what another cleaning gives.
fn settle(builder: &Builder<'_>, html: &str) -> String {
    SCROLLING.iter().fold(bare(builder, html), |text, (tag, dressed)| text.replace(tag, dressed))
}

fn bare(builder: &Builder<'_>, html: &str) -> String {
    let mut now = builder.clean(html).to_string();
    for _ in 0..MAX_ROUNDS {
        let next = builder.clean(&now).to_string();
        if next == now {
            return now;
        }
        now = next;
    }
    let text = html.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect::<String>();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\u{a0}', "&nbsp;")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn block(markdown: &str) -> String {
        markdown_block(markdown).to_string()
    }

    #[test]
    fn ordinary_text() {
        assert_eq!(block("A *b* **c** ~~d~~ `e`."), "<p>A <em>b</em> <strong>c</strong> <del>d</del> <code>e</code>.</p>");
        assert_eq!(
            block("```rust\nfn a() {}\n```"),
            "<pre tabindex=\"0\" role=\"region\" aria-label=\"Code\"><code class=\"language-rust\">fn a() {}\n</code></pre>"
        );
        assert_eq!(block("```\"onload=x\nb\n```"), "<pre tabindex=\"0\" role=\"region\" aria-label=\"Code\"><code>b\n</code></pre>");
        assert_eq!(block("3. a\n4. b"), "<ol start=\"3\">\n<li>a</li>\n<li>b</li>\n</ol>");
    }

    #[test]
    fn headings_stay_between_h2_and_h4() {
        assert_eq!(block("# a\n## b\n#### c\n###### d"), "<h2>a</h2>\n<h2>b</h2>\n<h4>c</h4>\n<h4>d</h4>");
        assert_eq!(block("## a {#id .class}"), "<h2>a {#id .class}</h2>");
    }

    #[test]
    fn links_are_https_or_mailto() {
        assert_eq!(block("[a](https://b.example)"), "<p><a href=\"https://b.example\" rel=\"noopener noreferrer\">a</a></p>");
        assert_eq!(block("[a](mailto:a@b.example)"), "<p><a href=\"mailto:a@b.example\" rel=\"noopener noreferrer\">a</a></p>");
        for bad in ["http://b.example", "javascript:alert(1)", "JaVaScRiPt:alert(1)", "/me", "//b.example", "data:text/html,x", "#a"] {
            assert_eq!(block(&format!("[a]({bad})")), "<p><a rel=\"noopener noreferrer\">a</a></p>", "{bad}");
            assert!(!is_link_allowed(bad), "{bad}");
        }
        assert!(is_link_allowed("HTTPS://b.example") && is_link_allowed("mailto:a@b.example"));
    }

    #[test]
    fn teaching_may_lead_to_lessons_and_terms() {
        let teach = |address: &str| {
            let markdown = format!("[a]({address})");
            render_teaching(Parser::new_ext(&markdown, options())).to_string()
        };
        for good in ["/programmes/p/lessons/l-1", "/programmes/p/glossary", "/programmes/p/glossary#cold-start", "https://b.example/"] {
            assert_eq!(teach(good), format!("<p><a href=\"{good}\" rel=\"noopener noreferrer\">a</a></p>"));
        }
        for bad in
            ["/me", "//b.example/programmes/p/lessons/l", "/programmes/p/lessons/../me", "/programmes/p/glossary?x", "l-1", "javascript:x"]
        {
            assert_eq!(teach(bad), "<p><a rel=\"noopener noreferrer\">a</a></p>", "{bad}");
        }
        assert_eq!(block("[a](/programmes/p/lessons/l-1)"), "<p><a rel=\"noopener noreferrer\">a</a></p>");
    }

    #[test]
    fn raw_html_is_text() {
        assert_eq!(block("a <b onclick=x>c</b>"), "<p>a &lt;b onclick=x&gt;c&lt;/b&gt;</p>");
        assert_eq!(block("<script>alert(1)</script>"), "&lt;script&gt;alert(1)&lt;/script&gt;");
        assert_eq!(markdown_inline("<i>a</i>").as_str(), "&lt;i&gt;a&lt;/i&gt;");
    }

    #[test]
    fn images_leave_their_words() {
        assert_eq!(block("![a plan](https://b.example/c.png)"), "<p>a plan</p>");
        assert_eq!(markdown_inline("![a plan](https://b.example/c.png)").as_str(), "a plan");
    }

    #[test]
    fn an_address_cannot_pose_as_a_tag() {
        let out = html(r#"<a href="https://x.example/<pre>onclick=y">a</a>"#).to_string();
        assert_eq!(out, r#"<a rel="noopener noreferrer">a</a>"#);
    }

    #[test]
    fn tables_scroll() {
        let html = block("|a|b|\n|-|-:|\n|1|2|");
        assert!(html.starts_with("<div "), "{html}");
        for attribute in ["class=\"scroll\"", "tabindex=\"0\"", "role=\"region\"", "aria-label=\"Table\""] {
            assert!(html.contains(attribute), "{html}");
        }
        assert!(html.ends_with("</table>\n</div>") && !html.contains("style"), "{html}");
    }

    #[test]
    fn inline_dissolves_blocks() {
        assert_eq!(markdown_inline("a *b*\n\n- c\n\n```\nd\n```").as_str(), "a <em>b</em> c  <code>d</code>");
        assert_eq!(markdown_inline("# a `b`").as_str(), "a <code>b</code>");
    }

    #[test]
    fn html_keeps_the_allow_list_only() {
        let dirty = "<p style=x id=y class=z onclick=w>a<script>b</script><img src=x onerror=y><svg><a xlink:href=q>c</a></svg>";
        assert_eq!(html(dirty).as_str(), "<p>a</p>");
        assert_eq!(
            html("<code class='language-c++ x'>a</code><code class='language-c++'>b</code>").as_str(),
            "<code>a</code><code class=\"language-c++\">b</code>"
        );
    }

    #[test]
    fn towers_of_tags_stay_small_and_quick() {
        for tower in
            [">".repeat(60_000), "*a".repeat(30_000), "[".repeat(60_000), "- ".repeat(30_000), "`".repeat(60_000), "<b>".repeat(20_000)]
        {
            let html = block(&tower);
            assert!(html.matches("<blockquote>").count() <= MAX_DEPTH);
            assert!(html.matches("<ul>").count() <= MAX_DEPTH);
        }
    }

    #[test]
    fn towers_of_html_end() {
        for tower in ["<b>".repeat(3_000), "<blockquote>".repeat(3_000), "<a><em>".repeat(1_000), "<table>".repeat(4_000)] {
            html(&tower);
        }
    }

    #[test]
    fn the_last_resort_is_plain_text() {
        let none: Builder<'_> = builder(HashSet::new());
        assert_eq!(settle(&none, "a &amp; b"), "a &amp; b");
    }

    /// Pieces that make odd nestings likely, where letters alone would not.
    fn scraps() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "[a-z \n]{0,6}",
            "\\PC{0,6}",
            prop::sample::select(vec![
                "<b>",
                "</b>",
                "<p>",
                "</p>",
                "<pre>\n\n",
                "<table>",
                "<td>",
                "<div>",
                "<a href='https://a.example'>",
                "<svg>",
                "<math>",
                "<style>",
                "</style>",
                "<script>",
                "<!--",
                "-->",
                "<![CDATA[",
                "&lt;",
                "&nbsp;",
                "&#0;",
                "<li>",
                "<ol start=3>",
                "<title>",
                "<select>",
                "<noscript>",
                "<template>",
                "<code class=language-a>",
                "`",
                "```\n",
                "> ",
                "- ",
                "# ",
                "|a|b|\n|-|-|\n",
                "[a](",
                ")",
                "**",
                "~~",
                "\u{a0}",
                "\r",
                "\0",
            ])
            .prop_map(str::to_owned),
        ];
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn cleaning_twice_is_cleaning_once(text in scraps()) {
            let once = html(&text);
            prop_assert_eq!(&html(once.as_str()), &once);
            let once = markdown_block(&text);
            prop_assert_eq!(&html(once.as_str()), &once);
            let once = markdown_inline(&text);
            prop_assert_eq!(&html(once.as_str()), &once);
        }

        #[test]
        fn nothing_dangerous_survives(text in scraps()) {
            for clean in [html(&text), markdown_block(&text), markdown_inline(&text)] {
                let lower = clean.as_str().to_lowercase();
                for bad in ["<script", "<style", "<svg", "<math", "<img", "<iframe", "<template", "<!--"] {
                    prop_assert!(!lower.contains(bad), "{}", lower);
                }
            }
        }
    }
}
