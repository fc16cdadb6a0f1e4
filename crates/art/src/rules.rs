//! The lists behind [`crate::clean_svg`]: elements, attributes, and what their values look like.

/// What a value has to be.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// A name given to an element.
    Id,
    /// `#id` of one of these elements.
    Href(&'static [&'static str]),
    /// `none` or `url(#id)` of one of these elements.
    Url(&'static [&'static str]),
    /// A colour, or `url(#id)` of a gradient.
    Paint,
    /// A colour.
    Colour,
    /// Numbers, each with an optional `%` or `px`.
    Numbers,
    /// Lengths of dashes and gaps.
    Dashes,
    /// Path data.
    Path,
    /// A list of transformations.
    Transform,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Words for people.
    Text,
}

/// What `fill` and `stroke` may lead to.
pub(crate) const GRADIENTS: &[&str] = &["linearGradient", "radialGradient"];

const ELEMENTS: &[&str] = &[
    "circle",
    "clipPath",
    "defs",
    "desc",
    "ellipse",
    "g",
    "line",
    "linearGradient",
    "mask",
    "path",
    "polygon",
    "polyline",
    "radialGradient",
    "rect",
    "stop",
    "svg",
    "title",
    "use",
];

/// Elements of diagrams beside those: letters are set in the page's own font.
const LETTERING: &[&str] = &["text", "tspan"];

const USABLE: &[&str] = &["circle", "ellipse", "g", "line", "path", "polygon", "polyline", "rect", "use"];

const SHAPES: &[&str] = &["circle", "ellipse", "line", "path", "polygon", "polyline", "rect"];

const UNITS: Kind = Kind::Word(&["userSpaceOnUse", "objectBoundingBox"]);
const RULE: Kind = Kind::Word(&["nonzero", "evenodd"]);

/// Whether an element may stand inside the picture; a second `svg` may not.
pub(crate) fn is_element(name: &str) -> bool {
    name != "svg" && ELEMENTS.contains(&name)
}

/// Whether an element holds letters, which only diagrams have: a badge's are drawn.
pub(crate) fn is_lettering(name: &str) -> bool {
    LETTERING.contains(&name)
}

const PRESENTATION: &[(&str, Kind)] = &[
    ("clip-path", Kind::Url(&["clipPath"])),
    ("clip-rule", RULE),
    ("color", Kind::Colour),
    ("fill", Kind::Paint),
    ("fill-opacity", Kind::Numbers),
    ("fill-rule", RULE),
    ("mask", Kind::Url(&["mask"])),
    ("opacity", Kind::Numbers),
    ("paint-order", Kind::Word(&["normal", "fill", "stroke", "stroke fill", "fill stroke"])),
    ("shape-rendering", Kind::Word(&["auto", "geometricPrecision", "crispEdges", "optimizeSpeed"])),
    ("stop-color", Kind::Colour),
    ("stop-opacity", Kind::Numbers),
    ("stroke", Kind::Paint),
    ("stroke-dasharray", Kind::Dashes),
    ("stroke-dashoffset", Kind::Numbers),
    ("stroke-linecap", Kind::Word(&["butt", "round", "square"])),
    ("stroke-linejoin", Kind::Word(&["miter", "round", "bevel"])),
    ("stroke-miterlimit", Kind::Numbers),
    ("stroke-opacity", Kind::Numbers),
    ("stroke-width", Kind::Numbers),
    ("transform", Kind::Transform),
    ("vector-effect", Kind::Word(&["none", "non-scaling-stroke"])),
    ("visibility", Kind::Word(&["visible", "hidden"])),
];

const LETTERS: &[(&str, Kind)] = &[
    ("x", Kind::Numbers),
    ("y", Kind::Numbers),
    ("dx", Kind::Numbers),
    ("dy", Kind::Numbers),
    ("font-size", Kind::Numbers),
    ("font-weight", Kind::Word(&["normal", "bold", "400", "500", "600", "700"])),
    ("text-anchor", Kind::Word(&["start", "middle", "end"])),
];

/// Attributes by element; `*` stands for every shape.
const GEOMETRY: &[(&str, &[(&str, Kind)])] = &[
    (
        "svg",
        &[
            ("viewBox", Kind::Numbers),
            ("width", Kind::Numbers),
            ("height", Kind::Numbers),
            ("version", Kind::Word(&["1.0", "1.1", "2", "2.0"])),
            ("preserveAspectRatio", Kind::Word(&["none", "xMidYMid", "xMidYMid meet", "xMidYMid slice"])),
            ("role", Kind::Word(&["img", "presentation", "none"])),
            ("aria-label", Kind::Text),
            ("aria-hidden", Kind::Word(&["true", "false"])),
            ("focusable", Kind::Word(&["false"])),
        ],
    ),
    ("path", &[("d", Kind::Path)]),
    (
        "rect",
        &[
            ("x", Kind::Numbers),
            ("y", Kind::Numbers),
            ("width", Kind::Numbers),
            ("height", Kind::Numbers),
            ("rx", Kind::Numbers),
            ("ry", Kind::Numbers),
        ],
    ),
    ("circle", &[("cx", Kind::Numbers), ("cy", Kind::Numbers), ("r", Kind::Numbers)]),
    ("ellipse", &[("cx", Kind::Numbers), ("cy", Kind::Numbers), ("rx", Kind::Numbers), ("ry", Kind::Numbers)]),
    ("line", &[("x1", Kind::Numbers), ("y1", Kind::Numbers), ("x2", Kind::Numbers), ("y2", Kind::Numbers)]),
    ("polyline", &[("points", Kind::Numbers)]),
    ("polygon", &[("points", Kind::Numbers)]),
    ("text", LETTERS),
    ("tspan", LETTERS),
    ("*", &[("pathLength", Kind::Numbers)]),
    ("use", &[("href", Kind::Href(USABLE)), ("x", Kind::Numbers), ("y", Kind::Numbers)]),
    (
        "linearGradient",
        &[
            ("x1", Kind::Numbers),
            ("y1", Kind::Numbers),
            ("x2", Kind::Numbers),
            ("y2", Kind::Numbers),
            ("gradientUnits", UNITS),
            ("gradientTransform", Kind::Transform),
            ("spreadMethod", Kind::Word(&["pad", "reflect", "repeat"])),
            ("href", Kind::Href(GRADIENTS)),
        ],
    ),
    (
        "radialGradient",
        &[
            ("cx", Kind::Numbers),
            ("cy", Kind::Numbers),
            ("r", Kind::Numbers),
            ("fx", Kind::Numbers),
            ("fy", Kind::Numbers),
            ("fr", Kind::Numbers),
            ("gradientUnits", UNITS),
            ("gradientTransform", Kind::Transform),
            ("spreadMethod", Kind::Word(&["pad", "reflect", "repeat"])),
            ("href", Kind::Href(GRADIENTS)),
        ],
    ),
    ("stop", &[("offset", Kind::Numbers)]),
    ("clipPath", &[("clipPathUnits", UNITS)]),
    (
        "mask",
        &[
            ("x", Kind::Numbers),
            ("y", Kind::Numbers),
            ("width", Kind::Numbers),
            ("height", Kind::Numbers),
            ("maskUnits", UNITS),
            ("maskContentUnits", UNITS),
        ],
    ),
];

/// Whether an attribute is one that children inherit or that paints the element itself.
pub(crate) fn is_presentation(name: &str) -> bool {
    PRESENTATION.iter().any(|(n, _)| *n == name)
}

/// The rule for an attribute of an element, or `None` if it is not allowed there.
pub(crate) fn attribute(element: &str, name: &str) -> Option<(&'static str, Kind)> {
    let find = |list: &'static [(&'static str, Kind)]| list.iter().find(|(n, _)| *n == name).copied();
    if name == "id" {
        return Some(("id", Kind::Id));
    }
    if matches!(element, "title" | "desc") {
        return None;
    }
    find(PRESENTATION).or_else(|| {
        GEOMETRY.iter().filter(|(e, _)| *e == element || (*e == "*" && SHAPES.contains(&element))).find_map(|(_, list)| find(list))
    })
}

/// What to do in place of an element that is not allowed.
pub(crate) fn instead_of_element(name: &str) -> &'static str {
    match name {
        "script" => "delete it: a picture runs no code",
        "style" => "write fill, stroke and the like as attributes",
        "text" | "tspan" | "textPath" | "font" => "convert text to paths: fonts differ between machines",
        "image" | "feImage" => "draw it with shapes: a picture loads no other picture",
        "foreignObject" => "draw it with shapes: no HTML inside a picture",
        "animate" | "animateMotion" | "animateTransform" | "set" | "mpath" | "discard" => "delete it: a badge stands still",
        "a" => "delete it and keep what it holds: a picture is not a link",
        "filter" => "use gradients and opacity in its place",
        "pattern" => "draw the shapes, with <use> for the copies",
        "symbol" | "svg" => "use <g> with a transform",
        "metadata" => "delete it, or say it in <desc>",
        "switch" | "view" | "cursor" | "marker" => "delete it and keep the shapes",
        _ => "use plain shapes, paths and gradients",
    }
}

/// What to do in place of an attribute that is not allowed.
pub(crate) fn instead_of_attribute(name: &str) -> &'static str {
    if name.len() > 2 && name.get(..2).is_some_and(|on| on.eq_ignore_ascii_case("on")) {
        return "delete it: a picture runs no code";
    }
    match name {
        "style" => "write its parts as attributes: fill=\"…\", stroke=\"…\"",
        "font-family" => "delete it: letters are set in the page's own font",
        "class" => "delete it: the picture must look the same in every page",
        "href" | "src" => "only <use> and gradients have it, and only for ids of this picture",
        "filter" => "use gradients and opacity in its place",
        "space" | "lang" | "base" => "delete it: it changes nothing in a picture",
        "aria-labelledby" | "aria-describedby" => "delete it: <title> and <desc> say the same",
        _ if name.starts_with("data-") => "delete it: it changes nothing in a picture",
        _ => "delete it",
    }
}

/// Largest number taken: far outside any picture, far inside what a renderer can count.
const FAR: f64 = 100_000.0;

/// Whether a text can be an id.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=100).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'))
}

/// The id in `url(#id)`.
pub(crate) fn local_url(value: &str) -> Option<&str> {
    let inner = value.trim().strip_prefix("url(")?.strip_suffix(')')?.trim();
    let bare = ['"', '\''].iter().find_map(|q| inner.strip_prefix(*q)?.strip_suffix(*q)).unwrap_or(inner);
    bare.strip_prefix('#').filter(|id| is_id(id))
}

/// One number of a fair size, without unit.
fn one(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    let value: f64 = text.parse().ok().filter(|_| plain)?;
    (value.is_finite() && value.abs() <= FAR).then_some(value)
}

/// A length in pixels, with or without `px`.
pub(crate) fn length(text: &str) -> Option<f64> {
    let text = text.trim();
    one(text.strip_suffix("px").unwrap_or(text))
}

/// Numbers apart by commas or blanks, without units.
pub(crate) fn numbers(text: &str) -> Option<Vec<f64>> {
    split(text).map(one).collect()
}

fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c == ',' || c.is_ascii_whitespace()).filter(|part| !part.is_empty())
}

/// A colour: a name, hex, `rgb()`, `rgba()`, `hsl()` or `hsla()`.
pub(crate) fn colour(text: &str) -> Option<String> {
    let text = text.trim();
    if let Some(hex) = text.strip_prefix('#') {
        let good = matches!(hex.len(), 3 | 4 | 6 | 8) && hex.bytes().all(|b| b.is_ascii_hexdigit());
        return good.then(|| text.to_owned());
    }
    if !text.is_empty() && text.len() <= 24 && text.bytes().all(|b| b.is_ascii_alphabetic()) {
        return Some(text.to_owned());
    }
    let (name, inner) = text.strip_suffix(')')?.split_once('(')?;
    let good = matches!(name, "rgb" | "rgba" | "hsl" | "hsla")
        && inner.len() <= 60
        && split(inner).filter(|part| *part != "/").all(|part| one(part.strip_suffix('%').unwrap_or(part)).is_some());
    good.then(|| text.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
}

/// Judges a value that names nothing outside itself, and writes it with single blanks.
pub(crate) fn plain_value(kind: Kind, value: &str) -> Result<String, String> {
    let tidy = value.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    let good = match kind {
        Kind::Colour => {
            return colour(value).ok_or_else(|| "write a colour such as #0b6e5f, none or currentColor".to_owned());
        }
        Kind::Text => return Ok(tidy),
        Kind::Word(words) => {
            return words.contains(&tidy.as_str()).then_some(tidy).ok_or_else(|| format!("it may be one of: {}", words.join(", ")));
        }
        // Points and dashes may run together as in "1-2", which path data is allowed too.
        Kind::Numbers => tidy == "none" || numeric(&tidy, "%px", ""),
        Kind::Dashes => tidy == "none" || dashes(&tidy),
        Kind::Path => tidy == "none" || path(&tidy),
        Kind::Transform => tidy == "none" || transform(&tidy),
        Kind::Id | Kind::Href(_) | Kind::Url(_) | Kind::Paint => false,
    };
    good.then_some(tidy).ok_or_else(|| {
        match kind {
            Kind::Path => "path data has to be commands and numbers up to 100000",
            Kind::Transform => "write matrix, translate, scale, rotate, skewX or skewY with numbers up to 100000",
            Kind::Dashes => "dashes and gaps have to add up to at least 0.5",
            _ => "write plain numbers up to 100000, without units",
        }
        .to_owned()
    })
}

fn dashes(text: &str) -> bool {
    // A renderer walks every dash, so a path of dust would take it for ever.
    numbers(text).is_some_and(|n| n.iter().all(|v| *v >= 0.0) && n.iter().sum::<f64>() >= 0.5)
}

/// Reads numbers as path data writes them, with `letters` between; units may follow a number.
fn numeric(text: &str, units: &str, letters: &str) -> bool {
    let (mut digits, mut seen) = (String::new(), false);
    let mut previous = ' ';
    for c in text.chars().chain([' ']) {
        let exponent = matches!(previous, 'e' | 'E') && !digits.is_empty();
        let goes_on = c.is_ascii_digit()
            || (c == '.' && !digits.contains(['.', 'e', 'E']))
            || (matches!(c, 'e' | 'E') && !digits.is_empty() && !digits.contains(['e', 'E']))
            || (matches!(c, '+' | '-') && (exponent || digits.is_empty()));
        if goes_on {
            digits.push(c);
        } else {
            if !digits.is_empty() && one(&digits).is_none() {
                return false;
            }
            seen |= !digits.is_empty();
            digits.clear();
            match c {
                '+' | '-' | '.' => digits.push(c),
                ' ' | ',' => {}
                c if letters.contains(c) => {}
                c if units.contains(c) && (previous.is_ascii_digit() || previous == 'p') => {}
                _ => return false,
            }
        }
        previous = c;
    }
    seen
}

fn path(text: &str) -> bool {
    text.is_empty() || (text.starts_with(['M', 'm']) && numeric(text, "", "MmLlHhVvCcSsQqTtAaZz"))
}

fn transform(text: &str) -> bool {
    let mut rest = text.trim();
    for _ in 0..32 {
        if rest.is_empty() {
            return true;
        }
        let Some((name, after)) = rest.split_once('(') else { return false };
        let Some((inside, after)) = after.split_once(')') else { return false };
        let known = matches!(name.trim(), "matrix" | "translate" | "scale" | "rotate" | "skewX" | "skewY");
        if !known || !numeric(inside, "", "") {
            return false;
        }
        rest = after.trim_start_matches([' ', ',']);
    }
    false
}
