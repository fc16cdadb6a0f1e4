//! Baking: a credential carried inside a PNG or SVG picture (Open Badges 3.0, document formats).
//!
//! PNG chunks are moved as they are, so no pixel and no other text of the picture changes; that is why this is
//! not done by decoding and encoding the picture with the `png` crate (a test reads the result with it).

use std::borrow::Cow;

use roxmltree::{Document, ParsingOptions};

use crate::json::{MAX_DOCUMENT_BYTES, parse, short};
use crate::xml::{self, MAX_ATTRIBUTES, MAX_MARKS, MAX_NAMESPACES};

/// Largest picture that is read, in bytes.
pub const MAX_IMAGE_BYTES: usize = 10 * 1024 * 1024;

/// Largest SVG picture that is read, in bytes; a parsed one takes many times its size.
pub const MAX_SVG_BYTES: usize = 4 * 1024 * 1024;
/// Most chunks of a PNG that are read.
pub const MAX_PNG_CHUNKS: usize = 20_000;

const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
const KEYWORD: &[u8] = b"openbadgecredential";
const SVG_NAMESPACE: &str = "https://purl.imsglobal.org/ob/v3p0";
const MAX_SVG_NODES: u32 = 200_000;

/// Why a picture could not be baked or read.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum BakeError {
    /// Larger than [`MAX_IMAGE_BYTES`].
    #[error("the file is {0} bytes long; at most {MAX_IMAGE_BYTES} are read")]
    TooLong(usize),
    /// An SVG larger than [`MAX_SVG_BYTES`].
    #[error("the SVG picture is {0} bytes long; at most {MAX_SVG_BYTES} are read")]
    SvgTooLong(usize),
    /// A credential larger than [`MAX_DOCUMENT_BYTES`].
    #[error("the document is {0} bytes long; at most {MAX_DOCUMENT_BYTES} are read")]
    DocumentTooLong(usize),
    /// Not a whole PNG.
    #[error("the PNG picture is damaged: {0}")]
    Png(&'static str),
    /// More chunks than [`MAX_PNG_CHUNKS`].
    #[error("the PNG picture has more than {MAX_PNG_CHUNKS} parts; save it anew with fewer")]
    PngChunks,
    /// Not a well-formed SVG.
    #[error("the SVG picture is damaged: {0}")]
    Svg(String),
    /// A DOCTYPE with an internal subset, which may declare entities.
    #[error("the SVG picture declares entities in its DOCTYPE, which is not read; save it as plain SVG")]
    SvgDeclarations,
    /// A tag with very many attributes.
    #[error("a tag of the SVG picture has more than {MAX_ATTRIBUTES} attributes")]
    SvgAttributes,
    /// Very many namespace declarations.
    #[error("the SVG picture declares namespaces more than {MAX_NAMESPACES} times")]
    SvgNamespaces,
    /// Very many tags or attributes.
    #[error("the SVG picture has more than {MAX_MARKS} tags or attributes")]
    SvgTags,
    /// A picture without a badge inside. Phones and chat programs often strip it on the way.
    #[error("the picture carries no badge; it may have been stripped when it was sent or saved")]
    NoBadge,
    /// An Open Badges 2.0 picture.
    #[error("the picture carries an Open Badges 2.0 badge, which this verifier does not read")]
    OpenBadges2,
    /// A compressed text chunk, which the standard forbids.
    #[error("the badge inside the PNG is compressed, which the standard does not allow")]
    Compressed,
    /// Not text, or not what a credential looks like.
    #[error("neither a badge document (JSON), a signed token (JWS), a PNG nor an SVG picture")]
    Unknown,
    /// What was to be baked is not a credential document.
    #[error("only a credential document (JSON) can be put into a picture")]
    NotJson,
}

/// In what the credential came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// The document itself.
    Document,
    /// A PNG picture.
    Png,
    /// An SVG picture.
    Svg,
}

/// The credential text found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// JSON text, not yet parsed.
    Json(String),
    /// A compact JWS.
    Jws(String),
}

/// What [`unbake`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unbaked {
    /// The credential.
    pub payload: Payload,
    /// In what it came.
    pub carrier: Carrier,
}

/// Finds the credential in a file, going by its content: JSON, compact JWS, PNG or SVG.
///
/// # Errors
/// [`BakeError`] says what the file is not.
pub fn unbake(bytes: &[u8]) -> Result<Unbaked, BakeError> {
    if bytes.len() > MAX_IMAGE_BYTES {
        return Err(BakeError::TooLong(bytes.len()));
    }
    if bytes.starts_with(PNG_SIGNATURE) {
        let text = png_text(bytes)?;
        return payload(&text).map(|payload| Unbaked { payload, carrier: Carrier::Png });
    }
    let text = std::str::from_utf8(bytes).map_err(|_| BakeError::Unknown)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('<') {
        return payload(&svg_text(text)?).map(|payload| Unbaked { payload, carrier: Carrier::Svg });
    }
    payload(text).map(|payload| Unbaked { payload, carrier: Carrier::Document })
}

fn payload(text: &str) -> Result<Payload, BakeError> {
    let trimmed = text.trim();
    if trimmed.len() > MAX_DOCUMENT_BYTES {
        return Err(BakeError::DocumentTooLong(trimmed.len()));
    }
    if trimmed.starts_with('{') {
        return Ok(Payload::Json(trimmed.to_owned()));
    }
    let parts: Vec<&str> = trimmed.splitn(4, '.').collect();
    let is_base64url = |p: &&str| p.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if parts.len() == 3 && trimmed.starts_with("ey") && parts.iter().all(is_base64url) {
        return Ok(Payload::Jws(trimmed.to_owned()));
    }
    Err(BakeError::Unknown)
}

/// Puts a credential document into a PNG, in place of one that is there already.
///
/// # Errors
/// [`BakeError`] when the picture or the document cannot be read.
pub fn png(picture: &[u8], credential_json: &str) -> Result<Vec<u8>, BakeError> {
    parse(credential_json.as_bytes()).map_err(|_| BakeError::NotJson)?;
    let mut baked = PNG_SIGNATURE.to_vec();
    for chunk in Chunks::new(picture)? {
        let chunk = chunk?;
        if chunk.is_badge() {
            continue;
        }
        baked.extend_from_slice(chunk.raw);
        if chunk.kind == b"IHDR" {
            // Uncompressed, no language tag, no translated keyword.
            let mut data = KEYWORD.to_vec();
            data.extend_from_slice(&[0, 0, 0, 0, 0]);
            data.extend_from_slice(credential_json.as_bytes());
            push_chunk(&mut baked, b"iTXt", &data)?;
        }
    }
    Ok(baked)
}

fn push_chunk(out: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) -> Result<(), BakeError> {
    let length = u32::try_from(data.len()).map_err(|_| BakeError::TooLong(data.len()))?;
    out.extend_from_slice(&length.to_be_bytes());
    let start = out.len();
    out.extend_from_slice(kind);
    out.extend_from_slice(data);
    let crc = crc32fast::hash(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&crc.to_be_bytes());
    Ok(())
}

fn png_text(picture: &[u8]) -> Result<String, BakeError> {
    let mut found = None;
    let (mut is_older, mut is_compressed) = (false, false);
    for chunk in Chunks::new(picture)? {
        let chunk = chunk?;
        // Nothing is ever unpacked: a compressed text is told by its name alone.
        is_compressed |= chunk.kind == b"zTXt" && chunk.is_named(KEYWORD);
        is_older |= matches!(chunk.kind, b"iTXt" | b"tEXt" | b"zTXt") && chunk.is_named(b"openbadges");
        if found.is_none() && chunk.is_badge() {
            found = Some(chunk);
        }
    }
    let chunk = match found {
        Some(chunk) => chunk,
        None if is_compressed => return Err(BakeError::Compressed),
        None if is_older => return Err(BakeError::OpenBadges2),
        None => return Err(BakeError::NoBadge),
    };
    let rest = chunk.data.get(KEYWORD.len() + 1..).unwrap_or_default();
    let (compression, rest) = rest.split_at_checked(2).ok_or(BakeError::Png("the text is cut short"))?;
    if compression.first() != Some(&0) {
        return Err(BakeError::Compressed);
    }
    let mut parts = rest.splitn(3, |b| *b == 0);
    let text = parts.nth(2).ok_or(BakeError::Png("the text is cut short"))?;
    if text.len() > MAX_DOCUMENT_BYTES {
        return Err(BakeError::DocumentTooLong(text.len()));
    }
    String::from_utf8(text.to_vec()).map_err(|_| BakeError::Png("the text is not UTF-8"))
}

struct Chunk<'a> {
    kind: &'a [u8],
    data: &'a [u8],
    /// Length, kind, data and checksum.
    raw: &'a [u8],
}

impl Chunk<'_> {
    fn is_badge(&self) -> bool {
        self.kind == b"iTXt" && self.is_named(KEYWORD)
    }

    /// Whether the keyword of a text chunk is `keyword`.
    fn is_named(&self, keyword: &[u8]) -> bool {
        self.data.strip_prefix(keyword).is_some_and(|rest| rest.first() == Some(&0))
    }
}

/// Walks the chunks up to and with `IEND`, checking each checksum.
struct Chunks<'a> {
    rest: &'a [u8],
    done: bool,
    read: usize,
}

impl<'a> Chunks<'a> {
    fn new(picture: &'a [u8]) -> Result<Self, BakeError> {
        if picture.len() > MAX_IMAGE_BYTES {
            return Err(BakeError::TooLong(picture.len()));
        }
        let rest = picture.strip_prefix(PNG_SIGNATURE).ok_or(BakeError::Png("it does not begin like a PNG"))?;
        if rest.get(4..8) != Some(b"IHDR") {
            return Err(BakeError::Png("it does not begin like a PNG"));
        }
        Ok(Self { rest, done: false, read: 0 })
    }

    fn next_chunk(&mut self) -> Result<Chunk<'a>, BakeError> {
        if self.read >= MAX_PNG_CHUNKS {
            return Err(BakeError::PngChunks);
        }
        self.read += 1;
        let cut = BakeError::Png("it is cut short");
        let length: [u8; 4] = self.rest.get(..4).and_then(|b| b.try_into().ok()).ok_or(cut.clone())?;
        let length = u32::from_be_bytes(length) as usize;
        let whole = length.checked_add(12).ok_or(cut.clone())?;
        let (raw, rest) = self.rest.split_at_checked(whole).ok_or(cut.clone())?;
        let (body, crc) = raw.get(4..).and_then(|b| b.split_at_checked(length + 4)).ok_or(cut.clone())?;
        if crc != crc32fast::hash(body).to_be_bytes() {
            return Err(BakeError::Png("a checksum does not fit"));
        }
        let (kind, data) = body.split_at_checked(4).ok_or(cut)?;
        self.rest = rest;
        self.done = kind == b"IEND";
        Ok(Chunk { kind, data, raw })
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Result<Chunk<'a>, BakeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let chunk = self.next_chunk();
        self.done |= chunk.is_err();
        Some(chunk)
    }
}

/// Refuses what would cost the parser more than its size says; the result keeps every byte in its place.
fn guarded(text: &str) -> Result<Cow<'_, str>, BakeError> {
    if text.len() > MAX_SVG_BYTES {
        return Err(BakeError::SvgTooLong(text.len()));
    }
    xml::without_doctype(text)
}

/// Parses what [`guarded`] let through.
fn svg_document(guarded: &str) -> Result<Document<'_>, BakeError> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MAX_SVG_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(guarded, options).map_err(|e| BakeError::Svg(short(&e.to_string())))?;
    if document.root_element().tag_name().name() != "svg" {
        return Err(BakeError::Svg("its root is not an svg element".to_owned()));
    }
    Ok(document)
}

fn svg_text(text: &str) -> Result<String, BakeError> {
    let guarded = guarded(text)?;
    let document = svg_document(&guarded)?;
    let mut children = document.root_element().children();
    let is_named = |n: &roxmltree::Node<'_, '_>, name: &str| n.is_element() && n.tag_name().name() == name;
    let Some(element) = children.find(|n| is_named(n, "credential") && n.tag_name().namespace() == Some(SVG_NAMESPACE)) else {
        let older = document.root_element().children().any(|n| is_named(&n, "assertion"));
        return Err(if older { BakeError::OpenBadges2 } else { BakeError::NoBadge });
    };
    if let Some(token) = element.attribute("verify") {
        return Ok(token.to_owned());
    }
    let json: String = element.children().filter_map(|n| n.text()).collect();
    if json.len() > MAX_DOCUMENT_BYTES {
        return Err(BakeError::DocumentTooLong(json.len()));
    }
    Ok(json)
}

/// Puts a credential document into an SVG right after its start tag, in place of one that is there already.
///
/// # Errors
/// [`BakeError`] when the picture or the document cannot be read.
pub fn svg(picture: &str, credential_json: &str) -> Result<String, BakeError> {
    parse(credential_json.as_bytes()).map_err(|_| BakeError::NotJson)?;
    let picture = without_credentials(picture)?;
    let guarded = guarded(&picture)?;
    let document = svg_document(&guarded)?;
    let root = document.root_element();
    let damaged = || BakeError::Svg("its start tag has no end".to_owned());
    let start = root.range().start;
    let tag = picture.get(start..).ok_or_else(damaged)?;
    let tag = tag.get(..=tag_end(tag).ok_or_else(damaged)?).ok_or_else(damaged)?;
    let head = picture.get(..start).ok_or_else(damaged)?;
    let tail = picture.get(start + tag.len()..).ok_or_else(damaged)?;
    let (open, close) = match tag.strip_suffix("/>") {
        Some(open) => (format!("{open}>"), format!("</{}>", name_of(open))),
        None => (tag.to_owned(), String::new()),
    };
    let cdata = escape_cdata(credential_json);
    let declaration = format!(" xmlns:openbadges=\"{SVG_NAMESPACE}\"");
    // The standard declares the prefix on the svg element; a picture may use that prefix for something else.
    let (open, local) = match root.lookup_namespace_uri(Some("openbadges")) {
        Some(SVG_NAMESPACE) => (open, ""),
        Some(_) => (open, declaration.as_str()),
        None => {
            let at = name_of(&open).len() + 1;
            let (name, rest) = open.split_at_checked(at).ok_or_else(damaged)?;
            (format!("{name}{declaration}{rest}"), "")
        }
    };
    let baked = format!("{head}{open}<openbadges:credential{local}><![CDATA[{cdata}]]></openbadges:credential>{close}{tail}");
    // The result is read back: a picture that is not found again must not be handed out.
    svg_text(&baked)?;
    Ok(baked)
}

/// The qualified name in a start tag.
fn name_of(tag: &str) -> &str {
    let name = tag.trim_start_matches('<');
    name.split(|c: char| c.is_whitespace() || c == '/' || c == '>').next().unwrap_or("svg")
}

/// Byte index of the `>` that ends a start tag; quoted values may hold one.
fn tag_end(tag: &str) -> Option<usize> {
    let mut quote = None;
    for (i, b) in tag.bytes().enumerate() {
        match (quote, b) {
            (None, b'"' | b'\'') => quote = Some(b),
            (Some(q), b) if q == b => quote = None,
            (None, b'>') => return Some(i),
            _ => {}
        }
    }
    None
}

fn without_credentials(picture: &str) -> Result<String, BakeError> {
    let guarded = guarded(picture)?;
    let document = svg_document(&guarded)?;
    let mut kept = String::with_capacity(picture.len());
    let mut from = 0;
    for node in document.root_element().children() {
        if node.is_element() && node.tag_name().name() == "credential" && node.tag_name().namespace() == Some(SVG_NAMESPACE) {
            kept.push_str(picture.get(from..node.range().start).unwrap_or_default());
            from = node.range().end;
        }
    }
    kept.push_str(picture.get(from..).unwrap_or_default());
    Ok(kept)
}

/// JSON that XML can carry: the end mark of CDATA and characters that XML forbids become JSON escapes.
fn escape_cdata(json: &str) -> String {
    json.replace("]]>", "]]\\u003e").replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff").replace('\r', " ")
}
