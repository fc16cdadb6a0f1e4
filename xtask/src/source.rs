//! Rust files as tokens, so that a rule never trips over a word in a comment.

use std::{
    fs,
    path::{Path, PathBuf},
    str::FromStr,
};

use proc_macro2::{TokenStream, TokenTree};

/// One word or text of a file.
pub(crate) struct Token {
    pub(crate) line: usize,
    pub(crate) kind: Kind,
}

/// What the rules look at.
pub(crate) enum Kind {
    /// A name.
    Name(String),
    /// A literal as written, quotes included.
    Text(String),
}

/// All `.rs` files below a folder, sorted.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The names and literals of a file, comments and their documentation left out.
pub(crate) fn tokens(path: &Path) -> Result<Vec<Token>, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let stream = TokenStream::from_str(&text).map_err(|error| format!("{}: not Rust: {error}", path.display()))?;
    let mut found = Vec::new();
    flatten(stream, &mut found);
    Ok(found)
}

fn flatten(stream: TokenStream, found: &mut Vec<Token>) {
    let mut after_hash = false;
    for tree in stream {
        let line = tree.span().start().line;
        let hash = matches!(&tree, TokenTree::Punct(punct) if punct.as_char() == '#');
        match tree {
            TokenTree::Group(group) if after_hash && is_documentation(&group.stream()) => {}
            TokenTree::Group(group) => flatten(group.stream(), found),
            TokenTree::Ident(name) => found.push(Token { line, kind: Kind::Name(name.to_string()) }),
            TokenTree::Literal(literal) => found.push(Token { line, kind: Kind::Text(literal.to_string()) }),
            // `#![…]` has a mark between.
            TokenTree::Punct(punct) if punct.as_char() == '!' && after_hash => continue,
            TokenTree::Punct(_) => {}
        }
        after_hash = hash;
    }
}

fn is_documentation(stream: &TokenStream) -> bool {
    matches!(stream.clone().into_iter().next(), Some(TokenTree::Ident(name)) if name == "doc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_not_names() {
        let mut found = Vec::new();
        let text = "//! A Key.\n/// A Key.\nfn a() {\n // Key\n let b = \"Key\"; }";
        flatten(TokenStream::from_str(text).unwrap(), &mut found);
        let names: Vec<&str> =
            found.iter().filter_map(|token| if let Kind::Name(name) = &token.kind { Some(name.as_str()) } else { None }).collect();
        assert_eq!(names, ["fn", "a", "let", "b"]);
        let texts: Vec<(usize, &str)> = found
            .iter()
            .filter_map(|token| if let Kind::Text(text) = &token.kind { Some((token.line, text.as_str())) } else { None })
            .collect();
        assert_eq!(texts, [(5, "\"Key\"")]);
    }
}
