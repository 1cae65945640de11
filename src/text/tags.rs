//! What the tags of a chat template may hold: minijinja goes down trees, of a template and of its values, without a look at the stack.

use minijinja::machinery::{Span, Token, tokenize};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, State, Value};

/// Bytes of a template: minijinja counts lines and columns in 16 bits, and published templates have up to a third of it.
const LONGEST: usize = u16::MAX as usize;

/// Words and signs of one tag, which `a.b.c` makes a tree as deep; the longest in published templates have a quarter of it.
const LONGEST_TAG: usize = 500;

/// Branches of all conditions together, each of which is inside the one before it.
const MOST_BRANCHES: usize = 200;

/// How deep a value is that is kept in a namespace. Loops could make one deeper and deeper.
const DEEPEST: usize = 8;

/// Values in a value that is kept in a namespace.
const MOST_VALUES: usize = 10_000;

/// The filter that a value passes on its way into a namespace.
pub(super) const KEPT: &str = "webtune_kept";

/// The template with every value that is kept in a namespace passing [`kept`].
///
/// # Errors
/// For tags that are too long, and too many branches.
pub(super) fn guarded(source: &str, syntax: SyntaxConfig) -> Result<String, Error> {
    let refused = |reason: String, span: Span| {
        let line = span.start_line;
        Error::new(ErrorKind::SyntaxError, format!("line {line}: {reason}"))
    };
    if source.len() > LONGEST {
        let reason = format!("it has {} bytes, more than {LONGEST}", source.len());
        return Err(Error::new(ErrorKind::SyntaxError, reason));
    }
    let mut out = String::with_capacity(source.len());
    let mut copied = 0;
    let (mut branches, mut words) = (0, 0);
    let mut tag = Tag::Other;
    // the parser says what is wrong from where this ends
    for (token, span) in tokenize(source, false, syntax).map_while(Result::ok) {
        words = match token {
            Token::VariableStart | Token::BlockStart | Token::TemplateData(_) => 0,
            _ => words + 1,
        };
        if words > LONGEST_TAG {
            let reason = format!("a tag has more than {LONGEST_TAG} words and signs");
            return Err(refused(reason, span));
        }
        branches += usize::from(words == 1 && matches!(token, Token::Ident("elif")));
        if branches > MOST_BRANCHES {
            let reason = format!("it has more than {MOST_BRANCHES} branches");
            return Err(refused(reason, span));
        }
        let [start, end] = [span.start_offset, span.end_offset].map(|at| at as usize);
        tag = match (tag, &token) {
            (_, Token::BlockStart) => Tag::Other,
            (Tag::Other, Token::Ident("set")) if words == 1 => Tag::Set,
            (Tag::Set, Token::Dot) => Tag::SetAttribute,
            (Tag::Set, Token::Assign | Token::Pipe) => Tag::Other,
            (Tag::SetAttribute, Token::Assign) => {
                out += &source[copied..end];
                out += " (";
                copied = end;
                Tag::Value
            }
            (Tag::SetAttribute, Token::Pipe) => {
                let reason = "a block with a filter cannot be kept in a namespace";
                return Err(refused(reason.into(), span));
            }
            (Tag::Value, Token::BlockEnd) => {
                out += &source[copied..start];
                out += &format!(") | {KEPT} ");
                copied = start;
                Tag::Other
            }
            (tag, _) => tag,
        };
    }
    out += &source[copied..];
    Ok(out)
}

/// Where in a tag a token is.
#[derive(Clone, Copy)]
enum Tag {
    Other,
    /// Before the `=` of `{% set name`.
    Set,
    /// The same after a dot.
    SetAttribute,
    /// Behind that `=`.
    Value,
}

/// The value, if it may be kept in a namespace; a sum of lists as a list, because it would hold the lists that it is of.
///
/// # Errors
/// For one that is deep, large, or a namespace itself.
pub(super) fn kept(state: &State, value: Value) -> Result<Value, Error> {
    let value = match value.kind() {
        ValueKind::Iterable => value
            .try_iter()?
            .take(MOST_VALUES)
            .collect::<Vec<_>>()
            .into(),
        _ => value,
    };
    let mut seen = 0;
    walk(&value, 0, &mut seen)?;
    state.consume_fuel(seen as u64)?;
    Ok(value)
}

fn walk(value: &Value, depth: usize, seen: &mut usize) -> Result<(), Error> {
    let refused = |reason: &str| {
        let reason = format!("a namespace cannot keep {reason}");
        Err(Error::new(ErrorKind::InvalidOperation, reason))
    };
    *seen += 1;
    if *seen > MOST_VALUES {
        return refused("so many values");
    }
    let keys = match value.kind() {
        ValueKind::Map => true,
        ValueKind::Seq => false,
        ValueKind::Iterable | ValueKind::Plain => return refused("a value of this kind"),
        _ => return Ok(()),
    };
    let object = value.as_object();
    if object.is_some_and(|object| object.type_name().contains("Namespace")) {
        return refused("a namespace");
    }
    if depth == DEEPEST {
        return refused("a value that is so deep");
    }
    for item in value.try_iter()? {
        let inner = if keys { value.get_item(&item)? } else { item };
        walk(&inner, depth + 1, seen)?;
    }
    Ok(())
}
