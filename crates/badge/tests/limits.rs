//! What a hostile upload may cost. Bounded by counts, so that the tests do not depend on the machine.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use assay_badge::*;
use common::*;
use serde_json::{Value, json};

fn words(input: &[u8]) -> String {
    unbake(input).unwrap_err().to_string()
}

fn refusal(document: &Value) -> String {
    canonicalize(document, ContextSet::bundled()).unwrap_err().to_string()
}

/// Whether the whole verifier does not call it valid.
fn is_refused(document: &Value) -> bool {
    check(document.to_string().as_bytes()).exit_code(false) != 0
}

const NS: &str = "xmlns=\"http://www.w3.org/2000/svg\"";

fn entities(length: usize, references: usize) -> String {
    format!("<!DOCTYPE svg [<!ENTITY a \"{}\">]><svg {NS}><desc>{}</desc></svg>", "A".repeat(length), "&a;".repeat(references))
}

fn attributes(many: usize) -> String {
    let attributes: String = (0..many).map(|i| format!(" a{i}=\"1\"")).collect();
    format!("<svg {NS}{attributes}/>")
}

fn namespaces(many: usize) -> String {
    let nested: String = (0..many).map(|i| format!("<g xmlns:a{i}=\"u{i}\">")).collect();
    format!("<svg {NS}>{nested}{}</svg>", "</g>".repeat(many))
}

#[test]
fn pictures_that_declare_entities_are_refused_and_a_bare_doctype_is_kept() {
    assert_eq!(unbake(entities(100_000, 5_000).as_bytes()), Err(BakeError::SvgDeclarations));
    assert!(words(entities(1, 1).as_bytes()).contains("plain SVG"));
    assert_eq!(svg(&entities(1, 1), "{}"), Err(BakeError::SvgDeclarations));
    // Without a declaration there is nothing to refer to.
    assert!(matches!(unbake(format!("<!DOCTYPE svg><svg {NS}>&a;</svg>").as_bytes()), Err(BakeError::Svg(_))));

    let line = "<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd\">";
    let badge = signed(&spec()).to_string();
    let drawing = format!("<?xml version=\"1.0\"?>\n{line}\n<svg {NS}><desc>é &amp; &#65;</desc></svg>");
    let baked = svg(&drawing, &badge).unwrap();
    assert!(baked.contains(line), "{baked}");
    assert_eq!(check(baked.as_bytes()).verdict, Verdict::Valid);
    assert_eq!(svg(&baked, &badge).unwrap(), baked);
}

#[test]
fn pictures_with_very_many_attributes_namespaces_or_bytes_are_refused() {
    assert_eq!(unbake(attributes(255).as_bytes()), Err(BakeError::NoBadge));
    assert_eq!(unbake(attributes(256).as_bytes()), Err(BakeError::SvgAttributes));
    assert_eq!(unbake(namespaces(255).as_bytes()), Err(BakeError::NoBadge));
    assert_eq!(unbake(namespaces(256).as_bytes()), Err(BakeError::SvgNamespaces));
    let nodes = |many: usize| format!("<svg {NS}>{}</svg>", "<g/>".repeat(many));
    assert_eq!(unbake(nodes(199_000).as_bytes()), Err(BakeError::NoBadge));
    assert!(matches!(unbake(nodes(200_000).as_bytes()), Err(BakeError::Svg(_))));
    assert_eq!(unbake(nodes(400_000).as_bytes()), Err(BakeError::SvgTags));
    let long = format!("<svg {NS}><desc>{}</desc></svg>", "x".repeat(MAX_SVG_BYTES));
    assert_eq!(unbake(long.as_bytes()), Err(BakeError::SvgTooLong(long.len())));
    assert_eq!(svg(&long, "{}"), Err(BakeError::SvgTooLong(long.len())));
    let dots = format!("ey{}", ".".repeat(MAX_DOCUMENT_BYTES));
    assert_eq!(unbake(dots.as_bytes()), Err(BakeError::DocumentTooLong(dots.len())));
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [kind.as_slice(), data].concat();
    let length = u32::try_from(data.len()).unwrap().to_be_bytes();
    [length.as_slice(), &body, &crc32fast::hash(&body).to_be_bytes()].concat()
}

fn picture(chunks: &[u8]) -> Vec<u8> {
    [b"\x89PNG\r\n\x1a\n".as_slice(), &chunk(b"IHDR", &[0; 13]), chunks, &chunk(b"IEND", b"")].concat()
}

#[test]
fn png_pictures_are_never_unpacked_and_their_parts_are_counted() {
    let packed = [0x78, 0x9c, 0xff, 0xff];
    let itxt = [b"openbadgecredential\0\x01\0\0\0".as_slice(), &packed].concat();
    let ztxt = [b"openbadgecredential\0\0".as_slice(), &packed].concat();
    assert_eq!(unbake(&picture(&chunk(b"iTXt", &itxt))), Err(BakeError::Compressed));
    assert_eq!(unbake(&picture(&chunk(b"zTXt", &ztxt))), Err(BakeError::Compressed));
    // Other compressed texts are nobody's business.
    assert_eq!(unbake(&picture(&chunk(b"zTXt", &[b"Comment\0\0".as_slice(), &packed].concat()))), Err(BakeError::NoBadge));
    let many = |n: usize| picture(&chunk(b"IDAT", b"").repeat(n));
    assert_eq!(unbake(&many(MAX_PNG_CHUNKS - 2)), Err(BakeError::NoBadge));
    assert_eq!(unbake(&many(MAX_PNG_CHUNKS - 1)), Err(BakeError::PngChunks));
    assert_eq!(assay_badge::png(&many(MAX_PNG_CHUNKS), "{}"), Err(BakeError::PngChunks));
    let text = [b"openbadgecredential\0\0\0\0\0".to_vec(), vec![b' '; MAX_DOCUMENT_BYTES + 1]].concat();
    assert_eq!(unbake(&picture(&chunk(b"iTXt", &text))), Err(BakeError::DocumentTooLong(MAX_DOCUMENT_BYTES + 1)));
}

fn with_evidence(one: impl Fn(usize) -> Value, many: usize) -> Value {
    let mut document = build(&spec());
    document["evidence"] = (0..many).map(one).collect();
    document
}

fn plain(i: usize) -> Value {
    json!({"id": format!("urn:e:{i}"), "type": "Evidence"})
}

fn with_context(i: usize) -> Value {
    json!({"@context": [CREDENTIALS_V2, OPEN_BADGES], "id": format!("urn:e:{i}"), "type": ["Evidence"]})
}

#[test]
fn contexts_are_bounded_in_length_and_number() {
    let mut document = build(&spec());
    document["@context"] = json!([CREDENTIALS_V2, OPEN_BADGES, OPEN_BADGES]);
    assert!(refusal(&document).ends_with("twice"), "{}", refusal(&document));
    assert!(is_refused(&document));
    let urls: Vec<String> = (0..MAX_CONTEXTS + 1).map(|i| format!("https://x.example/{i}")).collect();
    document["@context"] = json!(urls);
    assert!(refusal(&document).contains("lists 9 vocabularies"), "{}", refusal(&document));
    assert!(is_refused(&document));
    // The one of the document counts too.
    assert!(canonicalize(&with_evidence(with_context, MAX_CONTEXTS - 1), ContextSet::bundled()).is_ok());
    let over = with_evidence(with_context, MAX_CONTEXTS);
    assert!(refusal(&over).contains("@context of their own"), "{}", refusal(&over));
    assert!(is_refused(&over));
}

#[test]
fn types_values_and_statements_are_bounded() {
    let typed = |many: usize| with_evidence(move |_| json!({"id": "urn:e:1", "type": vec!["Evidence"; many]}), 1);
    assert!(canonicalize(&typed(MAX_TYPES), ContextSet::bundled()).is_ok());
    assert!(refusal(&typed(MAX_TYPES + 1)).contains("has 9 types"));
    assert!(canonicalize(&with_evidence(plain, 2_000), ContextSet::bundled()).is_ok());
    let statements = with_evidence(plain, MAX_STATEMENTS / 2);
    assert!(refusal(&statements).contains("5000 statements"), "{}", refusal(&statements));
    // Whatever makes no statement is counted as well.
    let empty = with_evidence(|_| Value::Null, MAX_VALUES);
    assert!(refusal(&empty).contains("10000 values"), "{}", refusal(&empty));
    let unnamed = |many: usize| with_evidence(|_| json!({"type": "Evidence"}), many);
    assert!(canonicalize(&unnamed(MAX_BLANK_NODES - 10), ContextSet::bundled()).is_ok());
    assert!(refusal(&unnamed(MAX_BLANK_NODES + 1)).contains("500 unnamed nodes"));
    let mut proof = signed(&spec());
    proof["proof"][0]["type"] = json!(vec!["DataIntegrityProof"; 100_000]);
    assert!(is_refused(&proof));
}

#[test]
fn words_of_a_stranger_are_cut_short() {
    let long = "k".repeat(1_000_000);
    let mut documents = vec![build(&spec()); 4];
    documents[0][long.as_str()] = json!("v");
    documents[1][format!("{long} x")] = json!("v");
    documents[2]["@context"][1] = json!(long);
    documents[3]["id"] = json!(long);
    for document in documents {
        let words = refusal(&document);
        assert!(words.len() < 300, "{}", words.len());
    }
    let twice = format!("{{\"{long}\":1,\"{long}\":2}}");
    assert!(parse_json(twice.as_bytes()).unwrap_err().to_string().len() < 300);
}

/// The costliest uploads that get through or nearly so, and all files in the folder named by BADGE_HOSTILE.
#[test]
#[ignore = "prints times; run with --release --ignored --nocapture"]
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn times() {
    let print = |name: &str, input: &[u8]| {
        let start = std::time::Instant::now();
        let report = check(input);
        let spent = start.elapsed().as_secs_f64();
        let words = report.checks.iter().find(|c| c.outcome == Outcome::Failed).map(|c| c.words.chars().take(90).collect::<String>());
        println!("{spent:8.3} s  {name} ({} bytes): {}", input.len(), words.unwrap_or_default());
    };
    // Every term of the two contexts stands in the document, so that none of them is left out of the reading.
    let mut terms = std::collections::BTreeSet::new();
    for text in [include_str!("../contexts/credentials-v2.json"), include_str!("../contexts/ob-3.0.3.json")] {
        collect(&serde_json::from_str(text).unwrap(), &mut terms);
    }
    let full = |mut document: Value| {
        document["credentialSubject"]["achievement"]["tag"] = json!(terms);
        document.to_string()
    };
    let every = |types: &[&str], many: usize| full(with_evidence(|i| json!({"id": format!("urn:e:{i}"), "type": types}), many));
    print("plain evidence", full(with_evidence(plain, 2_300)).as_bytes());
    print("a context each", full(with_evidence(with_context, MAX_CONTEXTS - 1)).as_bytes());
    for kind in [
        "Achievement",
        "OpenBadgeCredential",
        "EndorsementCredential",
        "VerifiableCredential",
        "VerifiablePresentation",
        "DataIntegrityProof",
    ] {
        print(kind, every(&[kind], 2_300).as_bytes());
    }
    let mixed = [
        "Evidence",
        "Profile",
        "Achievement",
        "OpenBadgeCredential",
        "VerifiableCredential",
        "EndorsementCredential",
        "IdentityObject",
        "Result",
    ];
    print("eight types each", every(&mixed, 520).as_bytes());
    print("unnamed nodes", full(with_evidence(|_| json!({"type": ["Evidence"]}), 480)).as_bytes());
    // Two alike, with as many alike below each: the costliest naming of unnamed nodes.
    let mut alike = build(&spec());
    let achievement = alike["credentialSubject"]["achievement"].take();
    let below = vec![json!({"type": "IdentityObject"}); 245];
    let subject = json!({"type": ["AchievementSubject"], "achievement": achievement, "identifier": below});
    alike["credentialSubject"] = json!([subject, subject]);
    print("alike", alike.to_string().as_bytes());
    print(
        "attributes",
        format!("<svg {NS}>{}</svg>", format!("<g{}/>", (0..256).map(|i| format!(" a{i:x}=\"\"")).collect::<String>()).repeat(1_500))
            .as_bytes(),
    );
    let prefixes: String = (0..254).map(|i| format!(" xmlns:a{i}=\"u{i}\"")).collect();
    let prefixed = (0..180).map(|i| format!(" a253:b{i}=\"\"")).collect::<String>();
    print("prefixes", format!("<svg {NS}{prefixes}>{}</svg>", format!("<g{prefixed}/>").repeat(1_700)).as_bytes());
    print("text", format!("<svg {NS}>{}</svg>", "<![CDATA[x]]>".repeat(300_000)).as_bytes());
    let folder = std::env::var_os("BADGE_HOSTILE");
    for file in folder.map(|f| std::fs::read_dir(f).unwrap()).into_iter().flatten().flatten() {
        print(&file.file_name().to_string_lossy(), &std::fs::read(file.path()).unwrap());
    }
}

/// The names that a context defines, at any depth.
fn collect(value: &Value, terms: &mut std::collections::BTreeSet<String>) {
    for (key, value) in value.as_object().into_iter().flatten() {
        if !key.starts_with('@') {
            terms.insert(key.clone());
        }
        collect(value, terms);
    }
    value.as_array().into_iter().flatten().for_each(|v| collect(v, terms));
}
