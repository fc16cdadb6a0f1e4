//! One linear look at an SVG before it is parsed, because the parser's cost is not linear in what a stranger sends.
//!
//! It compares each attribute of a tag with all before it, hands the namespaces of a parent down to each child and
//! multiplies entities. The scan steps over comments, CDATA and instructions at the same marks as the parser does
//! (`roxmltree`), so that what it takes for a tag is what the parser takes for one.

use std::borrow::Cow;
use std::ops::Range;

use crate::bake::BakeError;

/// Most attributes, namespace declarations among them, of one tag.
pub(crate) const MAX_ATTRIBUTES: usize = 256;
/// Most namespace declarations in one picture.
pub(crate) const MAX_NAMESPACES: usize = 256;
/// Most `<`, and most `=`, anywhere in a picture: the parser reserves memory by counting them.
pub(crate) const MAX_MARKS: usize = 400_000;

/// `text` with its `<!DOCTYPE …>` blanked out, so that every other byte keeps its place.
///
/// # Errors
/// A DOCTYPE that declares something, and more tags, attributes or namespaces than are read.
pub(crate) fn without_doctype(text: &str) -> Result<Cow<'_, str>, BakeError> {
    for mark in [b'<', b'='] {
        if text.bytes().filter(|b| *b == mark).count() > MAX_MARKS {
            return Err(BakeError::SvgTags);
        }
    }
    Ok(match scan(text)? {
        None => Cow::Borrowed(text),
        Some(Range { start, end }) => {
            // Line ends stay, so that the parser's words name the right line.
            let (head, rest) = text.split_at_checked(start).ok_or_else(unended)?;
            let (line, tail) = rest.split_at_checked(end - start).ok_or_else(unended)?;
            let blank = line.bytes().map(|b| if b == b'\n' { '\n' } else { ' ' });
            Cow::Owned(head.chars().chain(blank).chain(tail.chars()).collect())
        }
    })
}

fn unended() -> BakeError {
    BakeError::Svg("a part of it has no end".to_owned())
}

/// Looks at each tag; says where the DOCTYPE line lies.
fn scan(text: &str) -> Result<Option<Range<usize>>, BakeError> {
    let (mut at, mut namespaces) = (0, 0);
    let mut doctype = None;
    let mut in_prolog = true;
    while let Some(rest) = text.get(at..) {
        let Some(open) = rest.find('<') else { break };
        let (start, rest) = (at + open, rest.get(open..).unwrap_or_default());
        let length = if rest.starts_with("<!--") {
            past(rest, 4, "-->")?
        } else if rest.starts_with("<![CDATA[") {
            past(rest, 9, "]]>")?
        } else if rest.starts_with("<?") {
            past(rest, 2, "?>")?
        } else if rest.starts_with("<!DOCTYPE") && in_prolog && doctype.is_none() {
            let length = doctype_length(rest)?;
            doctype = Some(start..start + length);
            length
        } else if rest.starts_with("<!") {
            return Err(BakeError::Svg("it holds a declaration where none may stand".to_owned()));
        } else {
            in_prolog = false;
            let tag = read_tag(rest)?;
            namespaces += tag.namespaces;
            if namespaces > MAX_NAMESPACES {
                return Err(BakeError::SvgNamespaces);
            }
            tag.length
        };
        at = start + length;
    }
    Ok(doctype)
}

/// Bytes up to and with `mark`, which may begin at `from` or later.
fn past(rest: &str, from: usize, mark: &str) -> Result<usize, BakeError> {
    let found = rest.get(from..).and_then(|r| r.find(mark)).ok_or_else(unended)?;
    Ok(from + found + mark.len())
}

/// Length of a DOCTYPE that declares nothing. Quoted addresses may hold any mark.
fn doctype_length(rest: &str) -> Result<usize, BakeError> {
    let mut quote = None;
    for (i, b) in rest.bytes().enumerate() {
        match (quote, b) {
            (Some(q), b) if q == b => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(b),
            (None, b'>') => return Ok(i + 1),
            (None, b'[') => return Err(BakeError::SvgDeclarations),
            // A second tag cannot begin inside of it.
            (None, b'<') if i > 0 => return Err(unended()),
            (None, _) => {}
        }
    }
    Err(unended())
}

struct Tag {
    length: usize,
    namespaces: usize,
}

/// Counts the `=` outside of quotes: an attribute has exactly one.
fn read_tag(rest: &str) -> Result<Tag, BakeError> {
    let mut quote = None;
    let (mut attributes, mut namespaces, mut name_from) = (0, 0, 1);
    for (i, b) in rest.bytes().enumerate().skip(1) {
        match (quote, b) {
            (_, b'<') => return Err(BakeError::Svg("a tag begins inside of another".to_owned())),
            (Some(q), b) if q == b => (quote, name_from) = (None, i + 1),
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(b),
            (None, b'>') => return Ok(Tag { length: i + 1, namespaces }),
            (None, b'=') => {
                attributes += 1;
                if attributes > MAX_ATTRIBUTES {
                    return Err(BakeError::SvgAttributes);
                }
                // The first name has the tag's own name before it.
                let name = rest.get(name_from..i).unwrap_or_default().split_ascii_whitespace().next_back().unwrap_or_default();
                namespaces += usize::from(name.starts_with("xmlns") || name.ends_with(":xmlns"));
            }
            (None, _) => {}
        }
    }
    Err(unended())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(many: usize) -> String {
        (0..many).map(|i| format!(" a{i}='='")).collect()
    }

    #[test]
    fn attributes_are_counted_where_the_parser_sees_them() {
        assert!(without_doctype(&format!("<svg{}/>", attributes(MAX_ATTRIBUTES))).is_ok());
        let many = attributes(MAX_ATTRIBUTES + 1);
        for refused in [
            format!("<svg{many}/>"),
            format!("<svg><!-- a '\" > --><g{many}></g></svg>"),
            format!("<svg><![CDATA[ ' <!-- ]]><g{many}></g></svg>"),
            format!("<?xml version='1.0?>'?><svg{many}/>"),
            format!("<?a '?><svg{many}/>"),
            format!("<!DOCTYPE svg SYSTEM '<!--'><svg{many}/>"),
            format!("<svg a='>' b=\"'\"><b{many}/></svg>"),
            format!("<svg{}/>", many.replace("='='", " \n=\t'\"'")),
        ] {
            assert_eq!(without_doctype(&refused), Err(BakeError::SvgAttributes), "{refused}");
        }
        // The parser takes no `<` in a declaration either, so nothing can hide behind one.
        assert!(without_doctype(&format!("<?xml version='1.0?><!--'?><svg{many}/>")).is_err());
        for fine in [format!("<svg><!--<g{many}/>--></svg>"), format!("<svg><![CDATA[<g{many}/>]]></svg>"), format!("<svg a=\"{many}\"/>")]
        {
            assert!(without_doctype(&fine).is_ok(), "{fine}");
        }
    }

    #[test]
    fn namespaces_are_counted_over_the_whole_picture() {
        for form in ["<g xmlns:a{}='u'>", "<g xmlns='{}'>", "<g x:xmlns = '{}'>", "<g a='xmlns'\nxmlns:b\t='{}'>"] {
            let nested = |many: usize| (0..many).map(|i| form.replace("{}", &i.to_string())).collect::<String>();
            assert!(without_doctype(&nested(MAX_NAMESPACES)).is_ok());
            assert_eq!(without_doctype(&nested(MAX_NAMESPACES + 1)), Err(BakeError::SvgNamespaces), "{form}");
        }
        assert_eq!(without_doctype(&"<".repeat(MAX_MARKS + 1)), Err(BakeError::SvgTags));
        assert_eq!(without_doctype(&"=".repeat(MAX_MARKS + 1)), Err(BakeError::SvgTags));
    }

    #[test]
    fn a_bare_doctype_is_cut_off_and_nothing_moves() {
        let head = "<?xml version='1.0'?>\n<!-- <!DOCTYPE a [ -->\n";
        let line = "<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\"\n \"http://www.w3.org/[é>.dtd\">";
        let text = format!("{head}{line}<svg/>");
        let cut = without_doctype(&text).unwrap();
        assert_eq!(cut.len(), text.len());
        assert_eq!(cut.find("<svg/>"), text.find("<svg/>"));
        assert_eq!(cut.lines().count(), text.lines().count());
        assert!(cut.starts_with(head) && !cut.contains("PUBLIC"));
        assert_eq!(without_doctype("<!DOCTYPE svg [<!ENTITY a 'b'>]><svg/>"), Err(BakeError::SvgDeclarations));
        assert_eq!(without_doctype("<!DOCTYPE svg SYSTEM 'a' []><svg/>"), Err(BakeError::SvgDeclarations));
        for damaged in [
            "<!DOCTYPE svg",
            "<!DOCTYPE svg <svg/>",
            "<!DOCTYPE a><!DOCTYPE b><svg/>",
            "<svg><!DOCTYPE a></svg>",
            "<svg a='",
            "<!--",
            "<![CDATA[",
            "<?",
            "<",
        ] {
            assert!(matches!(without_doctype(damaged), Err(BakeError::Svg(_))), "{damaged}");
        }
    }
}
