//! The names that Rust code uses, read from its tokens.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Every path in the tokens, written out in full: groups of `use` are multiplied out. Comments and
/// strings are no tokens of their own, so they never count.
pub fn collect_paths(tokens: TokenStream, prefix: &str, found: &mut Vec<(String, usize)>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut index = 0;
    let mut path: Option<(String, usize)> = None;
    // Whether the next token goes on with the path, because `::` stood before it.
    let mut joined = !prefix.is_empty();
    let mut after_dot = false;
    while index < tokens.len() {
        match &tokens[index] {
            TokenTree::Ident(ident) => {
                let line = ident.span().start().line;
                let name = ident.to_string();
                let name = name.trim_start_matches("r#");
                match path.as_mut().filter(|_| joined) {
                    Some((path, _)) => *path = format!("{path}::{name}"),
                    None => {
                        // A field or a method may be called anything, except for `.await`.
                        let full = if after_dot && name != "await" {
                            String::new()
                        } else {
                            format!("{prefix}{name}")
                        };
                        found.extend(path.replace((full, line)));
                    }
                }
                (joined, after_dot) = (false, false);
            }
            TokenTree::Punct(punct)
                if punct.as_char() == ':' && is_colon(tokens.get(index + 1)) =>
            {
                index += 1;
                // `::name` after a keyword or at the start is an absolute path.
                joined = path.as_ref().is_some_and(|(path, _)| !is_keyword(path));
                after_dot = false;
            }
            TokenTree::Group(group) => {
                let brace = group.delimiter() == Delimiter::Brace;
                let inner = match path.take() {
                    Some((path, _)) if joined && brace => format!("{path}::"),
                    whole => {
                        found.extend(whole);
                        String::new()
                    }
                };
                collect_paths(group.stream(), &inner, found);
                (joined, after_dot) = (false, false);
            }
            other => {
                found.extend(path.take());
                joined = false;
                after_dot = matches!(other, TokenTree::Punct(punct) if punct.as_char() == '.');
            }
        }
        index += 1;
    }
    found.extend(path);
}

// Those that stand before a path without a sign between.
fn is_keyword(name: &str) -> bool {
    ["use", "as", "in", "for", "impl", "dyn", "mut", "return", "else", "match", "if", "while"]
        .contains(&name)
}

fn is_colon(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':')
}
