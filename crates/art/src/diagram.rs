//! A lesson's diagram: the safe subset with letters, drawn so that it can be read by day, by night, on a phone and aloud.

use roxmltree::{Document, Node};

use crate::{
    chance::fingerprint,
    clean::{MAX_SVG_BYTES, clean_with, escape},
    rules,
};

/// Widest view box: on a screen of 320 px it is shown at seven tenths.
const WIDEST: f64 = 400.0;

/// Smallest letters, in units of the view box: about 10 px on that screen.
const SMALLEST: f64 = 14.0;

/// Contrast that a graphic needs with what it stands on (WCAG 2.2, 1.4.11).
const ENOUGH: f64 = 3.0;

/// Page backgrounds by day and by night.
const GROUNDS: [&str; 2] = ["#ffffff", "#14181b"];

/// A diagram that may stand in a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagram {
    /// The `svg` element, with its title as name and its description read after it.
    pub svg: String,
    /// Its title.
    pub title: String,
    /// What it shows, for whoever does not see it.
    pub description: String,
}

/// Checks a lesson's diagram and writes it anew, to be put into a page as it is.
///
/// The subset is that of [`crate::clean_svg`] with `text` and `tspan`. Beyond it: a `title` and a `desc` of its own, a view box of at
/// most 400 units' width, letters of at least 14 units in `currentColor`, and colours that hold on light and dark pages.
///
/// # Errors
///
/// One sentence for each refused thing: the line, what it is, and what to do instead.
pub fn clean_diagram(svg: &str) -> Result<Diagram, Vec<String>> {
    let (mut title, mut description) = (String::new(), String::new());
    let cleaned = clean_with(svg, MAX_SVG_BYTES, true, |document, fault| {
        let root = document.root_element();
        title = words_of(root, "title");
        description = words_of(root, "desc");
        if title.is_empty() {
            fault(root, "the diagram has no <title>; make it the first thing inside <svg>: what the diagram is, in a few words");
        }
        if description.is_empty() {
            fault(root, "the diagram has no <desc>; add it below <title>: all that the diagram shows, for whoever does not see it");
        }
        judge(document, fault);
    })?;
    let [_, _, width, height] = cleaned.view_box;
    if width > WIDEST {
        return Err(vec![format!(
            "the diagram is {width} units wide, at most {WIDEST} can be read on a phone; set it upright, or make two of it"
        )]);
    }
    let hash = fingerprint(cleaned.to_svg().as_bytes());
    let (mut name, mut shows) = (String::new(), String::new());
    escape(&mut name, &title);
    escape(&mut shows, &description);
    let [x, y, w, h] = cleaned.view_box;
    let fill = if cleaned.inherited.contains(" fill=") { "" } else { " fill=\"currentColor\"" };
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"{x} {y} {w} {h}\" width=\"{width}\" height=\"{height}\" role=\"img\" \
         aria-labelledby=\"a{hash}-t\" aria-describedby=\"a{hash}-d\"{fill}{}><title id=\"a{hash}-t\">{name}</title>\
         <desc id=\"a{hash}-d\">{shows}</desc>{}</svg>",
        cleaned.inherited, cleaned.inner
    );
    Ok(Diagram { svg, title, description })
}

fn words_of(root: Node<'_, '_>, name: &str) -> String {
    let found = root.children().find(|child| child.tag_name().name() == name);
    let text: String = found.iter().flat_map(Node::descendants).filter_map(|node| node.is_text().then(|| node.text()).flatten()).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn judge(document: &Document<'_>, fault: &mut dyn FnMut(Node<'_, '_>, &str)) {
    for node in document.descendants().filter(Node::is_element) {
        for name in ["fill", "stroke", "color", "stop-color"] {
            let Some(value) = node.attribute(name) else { continue };
            if let Err(why) = colour(value.trim()) {
                fault(node, &format!("{name}=\"{value}\" {why}"));
            }
        }
        if rules::is_lettering(node.tag_name().name()) {
            lettering(node, fault);
        }
    }
}

fn colour(value: &str) -> Result<(), String> {
    if matches!(value, "none" | "currentColor") || rules::local_url(value).is_some() {
        return Ok(());
    }
    let instead = "write currentColor (with fill-opacity for a tint), none, or a colour of the middle, such as #0f8572";
    let Some(own) = luminance(value) else { return Err(format!("is not known on light and dark pages; {instead}")) };
    for ground in GROUNDS.into_iter().filter_map(luminance) {
        let ratio = (own.max(ground) + 0.05) / (own.min(ground) + 0.05);
        if ratio < ENOUGH {
            let page = if ground > 0.5 { "light" } else { "dark" };
            return Err(format!("has a contrast of {ratio:.1} on {page} pages, {ENOUGH:.0} is needed; {instead}"));
        }
    }
    Ok(())
}

fn lettering(node: Node<'_, '_>, fault: &mut dyn FnMut(Node<'_, '_>, &str)) {
    if let Some(size) = node.attribute("font-size") {
        match rules::length(size) {
            Some(size) if size >= SMALLEST => {}
            _ => fault(node, &format!("font-size=\"{size}\" is too small to read on a phone; write {SMALLEST} or more")),
        }
    }
    let painted = node.ancestors().find_map(|one| one.attribute("fill"));
    if painted.is_some_and(|fill| fill.trim() != "currentColor") {
        fault(node, "letters in a colour; leave `fill` out, or write fill=\"currentColor\"");
    }
    if node.ancestors().any(|one| one.has_attribute("opacity") || one.has_attribute("fill-opacity")) {
        fault(node, "pale letters; keep `opacity` and `fill-opacity` to shapes");
    }
}

/// Relative luminance of a colour by WCAG 2.2, from 0 to 1; `None` where it is not written `#rrggbb`.
#[must_use]
pub fn luminance(colour: &str) -> Option<f64> {
    let hex = colour.strip_prefix('#').filter(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()?) / 255.0;
        Some(if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) })
    };
    Some(0.2126 * channel(0)? + 0.7152 * channel(2)? + 0.0722 * channel(4)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagram(inner: &str) -> Result<Diagram, Vec<String>> {
        clean_diagram(&format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 360 200\">\n<title>A &amp; B</title><desc>A leads to B.</desc>\n{inner}</svg>"
        ))
    }

    #[track_caller]
    fn refused(inner: &str, words: &str) {
        let faults = diagram(inner).unwrap_err();
        assert!(faults.iter().any(|fault| fault.starts_with("line 3: ") && fault.contains(words)), "{faults:?}");
    }

    #[test]
    fn a_diagram_has_a_name_and_a_description() {
        let found = diagram("<rect width=\"9\" height=\"9\"/><text x=\"1\" font-size=\"16\">a <tspan>b</tspan></text>").unwrap();
        assert_eq!((found.title.as_str(), found.description.as_str()), ("A & B", "A leads to B."));
        assert!(found.svg.contains("-t\">A &amp; B</title><desc id=\"a"), "{}", found.svg);
        assert!(found.svg.contains(" role=\"img\" aria-labelledby=\"a"), "{}", found.svg);
        assert!(found.svg.contains(" width=\"360\" height=\"200\"") && found.svg.contains(" fill=\"currentColor\""), "{}", found.svg);
        assert!(found.svg.contains("<text font-size=\"16\" x=\"1\">a <tspan>b</tspan></text>"), "{}", found.svg);
        let bare = clean_diagram("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 9 9\"><g><title>inner</title></g></svg>");
        let faults = bare.unwrap_err();
        assert!(faults[0].contains("no <title>") && faults[1].contains("no <desc>") && faults.len() == 2, "{faults:?}");
    }

    #[test]
    fn what_cannot_be_read_somewhere_is_refused() {
        refused("<text font-size=\"9\">a</text>", "too small");
        refused("<g fill=\"#0f8572\"><text>a</text></g>", "letters in a colour");
        refused("<g opacity=\"0.4\"><text>a</text></g>", "pale letters");
        refused("<path d=\"M0 0\" stroke=\"#eeeeee\"/>", "on light pages");
        refused("<path d=\"M0 0\" stroke=\"#222222\"/>", "on dark pages");
        refused("<path d=\"M0 0\" stroke=\"teal\"/>", "is not known");
        diagram("<path d=\"M0 0\" stroke=\"#0f8572\" fill=\"none\"/>").unwrap();
        let wide = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 800 9\"><title>a</title><desc>b</desc></svg>";
        assert!(clean_diagram(wide).unwrap_err()[0].contains("set it upright"));
    }

    #[test]
    fn what_is_unsafe_in_a_badge_is_unsafe_here() {
        refused("<script>alert(1)</script>", "<script> is not allowed");
        refused("<text onclick=\"x\">a</text>", "onclick");
        refused("<text font-family=\"x\">a</text>", "the page's own font");
        refused("<text style=\"fill:red\">a</text>", "style");
        refused("<foreignObject/>", "foreignObject");
        let nested = diagram("<text>&lt;b&gt;</text>").unwrap().svg;
        assert!(nested.contains("<text>&lt;b&gt;</text>"), "{nested}");
        assert!(crate::clean_svg("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 9 9\"><text>a</text></svg>").is_err());
    }
}
