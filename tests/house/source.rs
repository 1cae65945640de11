//! Reads what a Rust file names: the paths of its `use` lines and of its code, resolved to files of the crate.
//!
//! Tokens rather than lines: a path in a comment or a string is none, and `use` lines may break anywhere. Items under
//! `#[cfg(test)]` are left out, because a unit test may look wherever it likes.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A path as written in one place of one file.
struct Named {
    /// The module that the path is written in.
    module: Vec<String>,
    segments: Vec<String>,
    line: usize,
    exported_as: Option<String>,
}

/// One file that names another, or a crate from outside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrow {
    pub from: String,
    pub line: usize,
    pub to: Target,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    File(String),
    Outside(String),
}

/// Every arrow between the files of one crate.
pub struct Crate {
    /// Module path, joined by `::` and without `crate`, to file.
    modules: BTreeMap<String, String>,
    named: BTreeMap<String, Vec<Named>>,
}

impl Crate {
    /// `files`: the path of each file inside the source folder, with `/`, and its text.
    pub fn read(files: &[(String, String)]) -> Result<Self, String> {
        let mut modules = BTreeMap::new();
        let mut named = BTreeMap::new();
        for (path, text) in files {
            let module = module_of(path);
            let tokens: TokenStream = text
                .parse()
                .map_err(|error| format!("{path}: not Rust: {error}"))?;
            let mut found = Vec::new();
            walk(tokens.into_iter().collect(), &module, &mut found);
            modules.insert(module.join("::"), path.clone());
            named.insert(path.clone(), found);
        }
        Ok(Self { modules, named })
    }

    pub fn arrows(&self) -> BTreeSet<Arrow> {
        let mut arrows = BTreeSet::new();
        for (from, paths) in &self.named {
            for path in paths {
                let Some(to) = self.target(path) else {
                    continue;
                };
                // A front door that shows what is in its own room depends on nothing by that.
                let own = to == Target::File(from.clone());
                if own || (path.exported_as.is_some() && is_front_door(from)) {
                    continue;
                }
                arrows.insert(Arrow {
                    from: from.clone(),
                    line: path.line,
                    to,
                });
            }
        }
        arrows
    }

    fn target(&self, path: &Named) -> Option<Target> {
        let Some(absolute) = self.absolute(path) else {
            return Some(Target::Outside(path.segments[0].clone()));
        };
        self.resolve(&absolute, 0).map(Target::File)
    }

    /// From the crate's root; `None` for a path that starts outside the crate or at a local name.
    fn absolute(&self, path: &Named) -> Option<Vec<String>> {
        let mut module = path.module.clone();
        let mut rest = path.segments.as_slice();
        match rest.first().map(String::as_str) {
            Some("crate") => {
                module.clear();
                rest = &rest[1..];
            }
            Some("self") => rest = &rest[1..],
            Some("super") => {}
            Some(first) => {
                module.push(first.to_owned());
                let is_child = self.modules.contains_key(&module.join("::"));
                module.pop();
                if !is_child {
                    return None;
                }
            }
            None => return None,
        }
        while rest.first().is_some_and(|segment| segment == "super") {
            module.pop();
            rest = &rest[1..];
        }
        module.extend_from_slice(rest);
        Some(module)
    }

    /// The file that defines a path: the deepest module on the way, through what front doors re-export.
    fn resolve(&self, absolute: &[String], depth: usize) -> Option<String> {
        let mut module: Vec<String> = Vec::new();
        for (index, segment) in absolute.iter().enumerate() {
            module.push(segment.clone());
            if self.modules.contains_key(&module.join("::")) {
                continue;
            }
            module.pop();
            let file = self.modules.get(&module.join("::"))?;
            let exported = self.named[file].iter().find(|path| {
                path.module == module && path.exported_as.as_deref() == Some(segment.as_str())
            });
            if let Some(exported) = exported.filter(|_| depth < 8)
                && let Some(mut target) = self.absolute(exported)
            {
                target.extend_from_slice(&absolute[index + 1..]);
                return self.resolve(&target, depth + 1);
            }
            break;
        }
        self.modules.get(&module.join("::")).cloned()
    }
}

/// `lib.rs` and every `mod.rs`.
fn is_front_door(file: &str) -> bool {
    file == "lib.rs" || file.ends_with("/mod.rs")
}

fn module_of(path: &str) -> Vec<String> {
    let stem = path.strip_suffix(".rs").unwrap_or(path);
    let mut segments: Vec<String> = stem.split('/').map(str::to_owned).collect();
    let last = segments.last().map(String::as_str);
    if last == Some("mod") || (segments.len() == 1 && last == Some("lib")) {
        segments.pop();
    }
    segments
}

fn ident(token: Option<&TokenTree>) -> Option<String> {
    match token {
        Some(TokenTree::Ident(ident)) => Some(ident.to_string()),
        _ => None,
    }
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

fn group(token: Option<&TokenTree>, delimiter: Delimiter) -> Option<Vec<TokenTree>> {
    match token {
        Some(TokenTree::Group(group)) if group.delimiter() == delimiter => {
            Some(group.stream().into_iter().collect())
        }
        _ => None,
    }
}

fn line_of(token: &TokenTree) -> usize {
    token.span().start().line
}

/// `#[cfg(test)]` and `#[cfg(all(test, ...))]`.
fn is_for_tests(attribute: &[TokenTree]) -> bool {
    let names_test = |tokens: Vec<TokenTree>| {
        let text: TokenStream = tokens.into_iter().collect();
        text.to_string()
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|word| word == "test")
    };
    ident(attribute.first()).as_deref() == Some("cfg")
        && group(attribute.get(1), Delimiter::Parenthesis).is_some_and(names_test)
}

/// The index after the item at `index`: after its `;` or its block.
fn after_item(tokens: &[TokenTree], mut index: usize) -> usize {
    while index < tokens.len() {
        let token = tokens.get(index);
        index += 1;
        if is_punct(token, ';') || group(token, Delimiter::Brace).is_some() {
            break;
        }
    }
    index
}

fn walk(tokens: Vec<TokenTree>, module: &[String], found: &mut Vec<Named>) {
    let mut index = 0;
    let mut public = false;
    while index < tokens.len() {
        let token = &tokens[index];
        let next = tokens.get(index + 1);
        if is_punct(Some(token), '#')
            && let Some(attribute) = group(next, Delimiter::Bracket)
        {
            index += 2;
            if is_for_tests(&attribute) {
                index = after_item(&tokens, index);
            }
            continue;
        }
        match (ident(Some(token)).as_deref(), token) {
            (Some("pub"), _) => {
                public = true;
                index += 1;
                if group(next, Delimiter::Parenthesis).is_some() {
                    index += 1;
                }
                continue;
            }
            // not the `use<'a>` of a return type
            (Some("use"), _) if !is_punct(next, '<') => {
                let end = after_item(&tokens, index);
                use_tree(&tokens[index + 1..end], &[], module, public, found);
                index = end;
            }
            (Some("mod"), _) => {
                let inside = group(tokens.get(index + 2), Delimiter::Brace);
                if let (Some(name), Some(inside)) = (ident(next), inside) {
                    walk(inside, &[module, &[name]].concat(), found);
                }
                index = after_item(&tokens, index);
            }
            (Some(_), _) => index = path(&tokens, index, module, found),
            (None, TokenTree::Group(group)) => {
                walk(group.stream().into_iter().collect(), module, found);
                index += 1;
            }
            (None, _) => index += 1,
        }
        public = false;
    }
}

/// Reads `a::b::c` from `index` on and gives the index after it; a single name is no path.
fn path(
    tokens: &[TokenTree],
    mut index: usize,
    module: &[String],
    found: &mut Vec<Named>,
) -> usize {
    let line = line_of(&tokens[index]);
    let mut segments = Vec::new();
    while let Some(name) = ident(tokens.get(index)) {
        segments.push(name);
        index += 1;
        if !is_punct(tokens.get(index), ':') || !is_punct(tokens.get(index + 1), ':') {
            break;
        }
        index += 2;
    }
    if segments.len() > 1 {
        found.push(Named {
            module: module.to_vec(),
            segments,
            line,
            exported_as: None,
        });
    }
    index
}

/// `a::{b, c as d, e::*}`: one path for each name.
fn use_tree(
    tokens: &[TokenTree],
    prefix: &[String],
    module: &[String],
    public: bool,
    found: &mut Vec<Named>,
) {
    let separates = |token: &TokenTree| is_punct(Some(token), ',') || is_punct(Some(token), ';');
    for item in tokens.split(separates).filter(|item| !item.is_empty()) {
        let mut segments = prefix.to_vec();
        let mut alias = None;
        let mut inner = None;
        for (index, token) in item.iter().enumerate() {
            match token {
                TokenTree::Ident(name) if name == "as" => {
                    alias = ident(item.get(index + 1));
                    break;
                }
                TokenTree::Ident(name) => segments.push(name.to_string()),
                TokenTree::Group(group) => inner = Some(group.stream()),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
        if let Some(inner) = inner {
            let inner: Vec<TokenTree> = inner.into_iter().collect();
            use_tree(&inner, &segments, module, public, found);
            continue;
        }
        // `a::{self, b}` names a
        if segments.len() > 1 && segments.last().is_some_and(|last| last == "self") {
            segments.pop();
        }
        found.push(Named {
            module: module.to_vec(),
            line: line_of(&item[0]),
            exported_as: alias
                .or_else(|| segments.last().cloned())
                .filter(|_| public),
            segments,
        });
    }
}
