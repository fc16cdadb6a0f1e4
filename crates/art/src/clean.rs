//! The safe SVG subset: what a picture by somebody else may hold before it stands in one of our pages.
//!
//! The text is parsed, judged against lists of what is allowed, and written anew from the parsed tree; nothing of
//! the original text is passed through. An element, attribute or value outside the lists is a fault that says what it
//! is and what to do instead. Only comments, unused namespace declarations and white space go without a word.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use roxmltree::{Document, Node, NodeType, ParsingOptions};

use crate::chance::fingerprint;
use crate::rules::{self, Kind};

/// Largest picture that [`clean_svg`] takes, in bytes (200 KiB).
pub const MAX_SVG_BYTES: usize = 200 * 1024;

const SVG: &str = "http://www.w3.org/2000/svg";
const XLINK: &str = "http://www.w3.org/1999/xlink";

/// Nodes of the parsed document: elements, texts and comments.
const MAX_NODES: u32 = 40_000;
/// Elements inside one another.
const MAX_DEPTH: usize = 32;
/// Elements after every `use`, clip and mask has been written out.
const MAX_EXPANDED: u64 = 20_000;
/// Faults listed before "and more".
const MAX_FAULTS: usize = 40;

/// Checks an SVG picture against the safe subset and writes it anew.
///
/// The subset: `svg` (once, with a `viewBox`), `g`, `defs`, `title`, `desc`, the basic shapes, `path`, gradients,
/// `clipPath`, `mask` and `use`; geometry and presentation attributes with plain values; references only to ids of the
/// same picture. Ids are renamed to `a<hash>-<n>`, where the hash is over the picture, so that two pictures can stand
/// in one page. Cleaning a cleaned picture gives the same bytes.
///
/// # Errors
///
/// One sentence for each refused thing: the line, what it is, and what to do instead.
pub fn clean_svg(svg: &str) -> Result<String, Vec<String>> {
    clean_within(svg, MAX_SVG_BYTES).map(|cleaned| cleaned.to_svg())
}

/// A cleaned picture, taken apart so that it can be put into another.
pub(crate) struct Cleaned {
    /// Left, top, width, height.
    pub(crate) view_box: [f64; 4],
    /// Attributes of the root other than `viewBox`, each with a leading blank.
    root: String,
    /// Presentation attributes of the root, which its children inherit.
    pub(crate) inherited: String,
    /// Title and description of the root.
    words: String,
    /// Everything else inside the root.
    pub(crate) inner: String,
}

impl Cleaned {
    /// The picture as a document of its own.
    pub(crate) fn to_svg(&self) -> String {
        let [x, y, w, h] = self.view_box.map(number);
        format!(r#"<svg xmlns="{SVG}" viewBox="{x} {y} {w} {h}"{}{}>{}{}</svg>"#, self.root, self.inherited, self.words, self.inner)
    }
}

fn number(value: f64) -> String {
    // `Display` of f64 is the shortest text that reads back to the same number, never with an exponent.
    format!("{value}")
}

/// As [`clean_svg`], with another size limit, in bytes.
pub(crate) fn clean_within(svg: &str, max_bytes: usize) -> Result<Cleaned, Vec<String>> {
    clean_with(svg, max_bytes, false, |_, _| {})
}

/// As [`clean_svg`], with another size limit, with letters or without, and with rules beside its own: `also` gets the document and
/// a way to report a line's fault.
pub(crate) fn clean_with(
    svg: &str,
    max_bytes: usize,
    lettering: bool,
    also: impl FnOnce(&Document<'_>, &mut dyn FnMut(Node<'_, '_>, &str)),
) -> Result<Cleaned, Vec<String>> {
    if svg.len() > max_bytes {
        return Err(vec![format!(
            "the picture has {} bytes and at most {max_bytes} are taken; round its coordinates, simplify its paths",
            svg.len()
        )]);
    }
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(svg.trim_start_matches('\u{feff}'), options).map_err(|e| vec![parse_fault(&e)])?;
    let mut judge = Judge::new(&document);
    judge.lettering = lettering;
    let picture = judge.root();
    judge.references();
    also(&document, &mut |node, words| judge.fault(node, words));
    match (picture, judge.faults.is_empty()) {
        (Some(picture), true) => Ok(picture),
        _ => {
            if judge.faults.is_empty() {
                judge.faults.push("the picture is empty; draw something".to_owned());
            }
            Err(judge.faults)
        }
    }
}

fn parse_fault(error: &roxmltree::Error) -> String {
    match error {
        roxmltree::Error::DtdDetected => "a DOCTYPE is not taken; delete it: SVG needs none, and it can declare entities".to_owned(),
        roxmltree::Error::NodesLimitReached => {
            format!("the picture has more than {MAX_NODES} elements; join paths, simplify it")
        }
        other => format!("this is not well-formed XML: {other}; save the picture again as plain SVG"),
    }
}

/// Where an element leads: its own cost, and the ids that it draws in.
struct Judge<'a> {
    document: &'a Document<'a>,
    /// From the author's id to ours (without the hash) and to the element.
    ids: HashMap<&'a str, (usize, Node<'a, 'a>)>,
    faults: Vec<String>,
    /// Whether `text` is taken.
    lettering: bool,
}

/// Stands for the hash in ids until the hash is known; a character that XML cannot contain.
const HASH: char = '\u{1}';

impl<'a> Judge<'a> {
    fn new(document: &'a Document<'a>) -> Self {
        let mut judge = Self { document, ids: HashMap::new(), faults: Vec::new(), lettering: false };
        for node in document.descendants().filter(Node::is_element) {
            if let Some(id) = node.attribute("id") {
                let next = judge.ids.len() + 1;
                if judge.ids.insert(id, (next, node)).is_some() {
                    judge.fault(node, &format!("the id {} stands twice; make it unique", quoted(id)));
                }
            }
        }
        judge
    }

    fn fault(&mut self, node: Node<'_, '_>, words: &str) {
        match self.faults.len() {
            n if n < MAX_FAULTS => {
                let at = self.document.text_pos_at(node.range().start);
                self.faults.push(format!("line {}: {words}", at.row));
            }
            n if n == MAX_FAULTS => self.faults.push("and more; mend these first".to_owned()),
            _ => {}
        }
    }

    fn root(&mut self) -> Option<Cleaned> {
        let root = self.document.root_element();
        for node in self.document.root().children().filter(Node::is_pi) {
            self.fault(node, "a processing instruction is not taken; delete it");
        }
        if root.tag_name().name() != "svg" || root.tag_name().namespace() != Some(SVG) {
            let what = format!("the outermost element is <{}>; it has to be <svg xmlns=\"{SVG}\">", brief(root.tag_name().name()));
            self.fault(root, &what);
            return None;
        }
        let view_box = self.view_box(root)?;
        let (mut own, mut inherited) = (String::new(), String::new());
        for (name, value) in self.attributes(root) {
            let into = if rules::is_presentation(name) { &mut inherited } else { &mut own };
            if name != "viewBox" {
                attribute(into, name, &value);
            }
        }
        let (mut words, mut inner) = (String::new(), String::new());
        for child in root.children() {
            let wordy = matches!(child.tag_name().name(), "title" | "desc");
            self.node(child, 1, false, if wordy { &mut words } else { &mut inner });
        }
        // The hash is over the picture with its ids numbered, not over the ids it came with.
        let mut whole = String::new();
        for part in [&own, &inherited, &words, &inner] {
            whole.push_str(part);
        }
        let hash = fingerprint(format!("{view_box:?}{whole}").as_bytes());
        let named = |text: String| text.replace(HASH, &hash);
        Some(Cleaned { view_box, root: named(own), inherited: named(inherited), words: named(words), inner: named(inner) })
    }

    fn view_box(&mut self, root: Node<'a, 'a>) -> Option<[f64; 4]> {
        let length = |name| root.attribute(name).and_then(rules::length);
        let four = match (root.attribute("viewBox"), length("width"), length("height")) {
            (Some(text), _, _) => rules::numbers(text).and_then(|n| <[f64; 4]>::try_from(n).ok()),
            (None, Some(width), Some(height)) => Some([0.0, 0.0, width, height]),
            _ => None,
        };
        let usable = |side: f64| (1.0..=10_000.0).contains(&side);
        match four {
            Some([x, y, w, h]) if usable(w) && usable(h) => Some([x, y, w, h]),
            _ => {
                self.fault(root, "<svg> needs a viewBox of four numbers with sides of 1 to 10000; write viewBox=\"0 0 600 600\"");
                None
            }
        }
    }

    fn node(&mut self, node: Node<'a, 'a>, depth: usize, in_mask: bool, out: &mut String) {
        match node.node_type() {
            NodeType::Element => self.element(node, depth, in_mask, out),
            NodeType::Text if self.lettering && node.parent_element().is_some_and(|p| rules::is_lettering(p.tag_name().name())) => {
                letters(node.text().unwrap_or_default(), out);
            }
            NodeType::Text => {
                if !node.text().unwrap_or_default().trim().is_empty() {
                    self.fault(node, "text between elements is not shown; delete it or put it into <title> or <desc>");
                }
            }
            NodeType::PI => self.fault(node, "a processing instruction is not taken; delete it"),
            NodeType::Comment | NodeType::Root => {}
        }
    }

    fn element(&mut self, node: Node<'a, 'a>, depth: usize, in_mask: bool, out: &mut String) {
        let name = node.tag_name().name();
        if node.tag_name().namespace() != Some(SVG) {
            let what = format!("<{}> is not an SVG element; delete it, or save as plain SVG without the editor's own data", brief(name));
            return self.fault(node, &what);
        }
        let is_letters = self.lettering && rules::is_lettering(name);
        if !rules::is_element(name) && !is_letters {
            let what = format!("<{}> is not allowed; {}", brief(name), rules::instead_of_element(name));
            return self.fault(node, &what);
        }
        if depth > MAX_DEPTH {
            return self.fault(node, "elements are nested too deep; ungroup some of them");
        }
        let parent = node.parent_element().map_or("", |p| p.tag_name().name());
        if name == "stop" && !matches!(parent, "linearGradient" | "radialGradient") {
            return self.fault(node, "<stop> stands outside a gradient; move it into one");
        }
        let cuts = matches!(name, "mask" | "clipPath");
        if in_mask && (cuts || node.has_attribute("mask") || node.has_attribute("clip-path")) {
            return self.fault(node, "a mask or clip inside a mask or clip is not allowed; cut the shapes themselves");
        }
        if cuts && (node.has_attribute("mask") || node.has_attribute("clip-path")) {
            return self.fault(node, "a mask or clip of a mask or clip is not allowed; cut the shapes themselves");
        }
        let _ = write!(out, "<{name}");
        for (attribute_name, value) in self.attributes(node) {
            attribute(out, attribute_name, &value);
        }
        let start = out.len();
        out.push('>');
        if matches!(name, "title" | "desc") {
            self.words(node, out);
        } else {
            for child in node.children() {
                self.node(child, depth + 1, in_mask || cuts, out);
            }
        }
        if out.len() == start + 1 {
            out.truncate(start);
            out.push_str("/>");
        } else {
            let _ = write!(out, "</{name}>");
        }
    }

    fn words(&mut self, node: Node<'a, 'a>, out: &mut String) {
        let mut words = String::new();
        for child in node.children() {
            match child.node_type() {
                NodeType::Text => words.push_str(child.text().unwrap_or_default()),
                NodeType::Comment => {}
                _ => self.fault(child, "<title> and <desc> hold words only; delete what else is in there"),
            }
        }
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        escape(out, &words);
    }

    /// The attributes that may stay, in an order of their own names so that the author's order does not matter.
    fn attributes(&mut self, node: Node<'a, 'a>) -> Vec<(&'static str, String)> {
        let element = node.tag_name().name();
        let mut kept: Vec<(&'static str, String)> = Vec::new();
        for found in node.attributes() {
            let (name, value) = (found.name(), found.value());
            let known = match found.namespace() {
                None => rules::attribute(element, name),
                Some(XLINK) if name == "href" => rules::attribute(element, "href"),
                Some(_) => None,
            };
            let Some((name, kind)) = known else {
                let what = format!("{}=… on <{element}> is not allowed; {}", brief(name), rules::instead_of_attribute(name));
                self.fault(node, &what);
                continue;
            };
            match self.value(kind, value) {
                Ok(value) if kept.iter().any(|(other, _)| *other == name) => {
                    let _ = value;
                    self.fault(node, "href and xlink:href stand together; keep href");
                }
                Ok(value) => kept.push((name, value)),
                Err(why) => {
                    let what = format!("{name}={} on <{element}>: {why}", quoted(value));
                    self.fault(node, &what);
                }
            }
        }
        kept.sort_unstable_by_key(|(name, _)| *name);
        kept
    }

    fn value(&self, kind: Kind, value: &str) -> Result<String, String> {
        let own = |id: &str, wanted: &[&str]| match self.ids.get(id) {
            None => Err(format!("nothing here has the id {}; draw it or drop the reference", quoted(id))),
            Some((number, target)) if wanted.contains(&target.tag_name().name()) => Ok(format!("a{HASH}-{number}")),
            Some((_, target)) => Err(format!("it leads to a <{}>; it may lead to: {}", brief(target.tag_name().name()), wanted.join(", "))),
        };
        match kind {
            Kind::Id => match self.ids.get(value) {
                Some((number, _)) if rules::is_id(value) => Ok(format!("a{HASH}-{number}")),
                _ => Err("an id is 1 to 100 letters, digits, -, _, . or :".to_owned()),
            },
            Kind::Href(wanted) => match value.trim().strip_prefix('#') {
                Some(id) => own(id, wanted).map(|id| format!("#{id}")),
                None => Err("only things inside this picture can be used; write href=\"#id\"".to_owned()),
            },
            Kind::Paint | Kind::Url(_) => {
                let wanted = if let Kind::Url(wanted) = kind { wanted } else { rules::GRADIENTS };
                if let Some(id) = rules::local_url(value) {
                    return own(id, wanted).map(|id| format!("url(#{id})"));
                }
                let plain = match kind {
                    Kind::Url(_) => (value.trim() == "none").then(|| "none".to_owned()),
                    _ => rules::colour(value),
                };
                plain.ok_or_else(|| "write a colour such as #0b6e5f, none, currentColor, or url(#id) of this picture".to_owned())
            }
            plain => rules::plain_value(plain, value),
        }
    }

    /// Refuses references that go round in circles or multiply beyond measure.
    fn references(&mut self) {
        if !self.faults.is_empty() {
            return;
        }
        let mut known = HashMap::new();
        let mut open = HashSet::new();
        let root = self.document.root_element();
        match self.cost(root, 0, &mut open, &mut known) {
            Some(cost) if cost <= MAX_EXPANDED => {}
            Some(_) => self.fault(root, "its <use> elements multiply beyond measure; draw fewer copies"),
            None => self.fault(root, "its references go round in a circle, or too deep; take one of them out"),
        }
    }

    /// How many elements are drawn for `node`; `None` for a circle.
    fn cost(
        &self,
        node: Node<'a, 'a>,
        depth: usize,
        open: &mut HashSet<roxmltree::NodeId>,
        known: &mut HashMap<roxmltree::NodeId, u64>,
    ) -> Option<u64> {
        if let Some(cost) = known.get(&node.id()) {
            return Some(*cost);
        }
        if depth > 4 * MAX_DEPTH || !open.insert(node.id()) {
            return None;
        }
        let mut sum: u64 = 1;
        for found in node.attributes() {
            let value = found.value();
            let id = match found.name() {
                "href" => value.trim().strip_prefix('#'),
                "fill" | "stroke" | "clip-path" | "mask" => rules::local_url(value),
                _ => None,
            };
            if let Some((_, target)) = id.and_then(|id| self.ids.get(id)) {
                sum = sum.saturating_add(self.cost(*target, depth + 1, open, known)?);
            }
        }
        for child in node.children().filter(Node::is_element) {
            sum = sum.saturating_add(self.cost(child, depth + 1, open, known)?);
        }
        open.remove(&node.id());
        known.insert(node.id(), sum);
        Some(sum)
    }
}

/// Words inside `text`, with single blanks; those at the ends part it from a `tspan` beside.
fn letters(text: &str, out: &mut String) {
    let inner = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let blank = |there: bool| if there { " " } else { "" };
    let (before, after) = (text.starts_with(char::is_whitespace), text.ends_with(char::is_whitespace));
    escape(out, &format!("{}{inner}{}", blank(before), blank(after && !inner.is_empty())));
}

fn attribute(out: &mut String, name: &str, value: &str) {
    let _ = write!(out, " {name}=\"");
    if value.contains(HASH) {
        // An id of ours, which needs no escaping.
        out.push_str(value);
    } else {
        escape(out, value);
    }
    out.push('"');
}

/// Appends text so that it is safe inside an element and inside double quotes.
pub(crate) fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\r' | '\t' => out.push(' '),
            // XML 1.0 cannot contain the other control characters, U+FFFE and U+FFFF.
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
}

fn brief(text: &str) -> String {
    let mut short: String = text.chars().filter(|c| !c.is_control()).take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", brief(text))
}
