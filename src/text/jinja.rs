//! An environment that renders a chat template as transformers' Jinja does.

use std::borrow::Cow;
use std::io;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, Value};
use regex::Regex;
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use super::repr::to_str;
use super::tags;

/// The date that `strftime_now` gives, (year, month, day): Llama 3's own where a template has no clock. A run could not be
/// repeated if its texts held the day on which it ran.
const TODAY: (u32, u32, u32) = (2024, 7, 26);

/// What one text may cost: a step of the template is one, and so are 64 bytes that it makes. A conversation of 200 turns is within it. A text that
/// is formatted exists four times for a moment, which is 64 MiB here.
const FUEL: u64 = 250_000;

/// Bytes that `tojson` writes at most, which is before they are counted as fuel.
const MOST_JSON: usize = 16 << 20;

/// Spaces that `tojson` puts before a line of each depth.
const WIDEST_INDENT: usize = 64;

/// Compiles `source` under `name`, with the blocks, filters, functions and methods that transformers gives to templates.
///
/// # Errors
/// minijinja's own, for a source that does not compile.
pub(super) fn compile(name: &str, source: &str) -> Result<Environment<'static>, Error> {
    let mut env = Environment::new();
    env.set_fuel(Some(FUEL));
    let mut syntax = SyntaxConfig::builder();
    let syntax = syntax.trim_blocks(true).lstrip_blocks(true).build()?;
    let source = without_generation(source)?;
    let source = tags::guarded(&source, syntax.clone())?;
    env.set_syntax(syntax);
    env.set_auto_escape_callback(|_| AutoEscape::None);
    env.set_formatter(write_value);
    env.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    env.add_filter("tojson", to_json);
    env.add_filter(tags::KEPT, tags::kept);
    env.add_filter("string", string);
    // Python can neither go through None nor count it; a string or a mapping has a length and items
    env.add_test("iterable", |value: &Value| {
        !value.is_none() && value.try_iter().is_ok()
    });
    env.add_test("sequence", |value: &Value| {
        let kinds = [ValueKind::Seq, ValueKind::String, ValueKind::Map];
        value.is_undefined() || kinds.contains(&value.kind())
    });
    env.add_function("raise_exception", raise_exception);
    env.add_function("strftime_now", strftime_now);
    env.add_template_owned(name.to_owned(), source)?;
    Ok(env)
}

/// transformers' `{% generation %}` blocks mark what the assistant wrote. Here they become blocks that always hold, which
/// keeps what their signs say about white space.
fn without_generation(source: &str) -> Result<Cow<'_, str>, Error> {
    let pattern = |tag: &str| {
        Regex::new(&format!(r"\{{%([-+]?)\s*{tag}\s*([-+]?)%\}}"))
            .map_err(|error| Error::new(ErrorKind::SyntaxError, error.to_string()))
    };
    if !source.contains("generation") {
        return Ok(Cow::Borrowed(source));
    }
    let opened = pattern("generation")?.replace_all(source, "{%$1 if true $2%}");
    let closed = pattern("endgeneration")?.replace_all(&opened, "{%$1 endif $2%}");
    Ok(Cow::Owned(closed.into_owned()))
}

/// Python writes `None`, `True` and `False`, and lists and mappings with what they hold quoted as in its code; all else is alike.
fn write_value(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    match value.kind() {
        ValueKind::None | ValueKind::Bool | ValueKind::Seq | ValueKind::Map => {
            out.write_str(&to_str(value)?).map_err(Error::from)
        }
        _ => minijinja::escape_formatter(out, state, value),
    }
}

/// The text of a value, counted as fuel.
fn string(state: &State, value: &Value) -> Result<String, Error> {
    let text = to_str(value)?;
    state.consume_fuel(text.len() as u64 / 64)?;
    Ok(text)
}

fn raise_exception(message: String) -> Result<String, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

/// `json.dumps` with `ensure_ascii=False`, as transformers' `tojson`: `", "` and `": "` between values.
fn to_json(value: &Value, options: Kwargs) -> Result<Value, Error> {
    let indent: Option<usize> = options.get("indent")?;
    let ensure_ascii: Option<bool> = options.get("ensure_ascii")?;
    if ensure_ascii == Some(true) {
        let reason = "tojson: ensure_ascii=True is not supported";
        return Err(Error::new(ErrorKind::InvalidOperation, reason));
    }
    options.assert_all_used()?;
    if let Some(width) = indent
        && width > WIDEST_INDENT
    {
        let reason = format!("tojson: an indent of {width} is not supported");
        return Err(Error::new(ErrorKind::InvalidOperation, reason));
    }
    let written = match indent {
        None => written(value, PythonFormatter),
        Some(width) => written(
            value,
            PrettyFormatter::with_indent(" ".repeat(width).as_bytes()),
        ),
    };
    let text = written.map_err(|error| {
        Error::new(
            ErrorKind::InvalidOperation,
            format!("tojson failed: {error}"),
        )
    })?;
    Ok(Value::from(text))
}

fn written(value: &Value, formatter: impl Formatter) -> Result<String, serde_json::Error> {
    let mut bytes = Bounded(Vec::new());
    value.serialize(&mut Serializer::with_formatter(&mut bytes, formatter))?;
    Ok(String::from_utf8_lossy(&bytes.0).into_owned())
}

/// Takes [`MOST_JSON`] bytes.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > MOST_JSON - self.0.len() {
            return Err(io::Error::other("the text is too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Separators of Python's `json.dumps`.
struct PythonFormatter;

impl Formatter for PythonFormatter {
    fn begin_array_value<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first {
            Ok(())
        } else {
            writer.write_all(b", ")
        }
    }

    fn begin_object_key<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first {
            Ok(())
        } else {
            writer.write_all(b", ")
        }
    }

    fn begin_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

/// [`TODAY`] at midnight, written as Python's `strftime` does.
fn strftime_now(format: String) -> Result<String, Error> {
    let (year, month, day) = TODAY;
    let mut text = String::new();
    let mut chars = format.chars();
    while let Some(char) = chars.next() {
        if char != '%' {
            text.push(char);
            continue;
        }
        let directive = chars.next();
        text += &match directive {
            Some('d') => format!("{day:02}"),
            Some('m') => format!("{month:02}"),
            Some('Y') => year.to_string(),
            Some('y') => format!("{:02}", year % 100),
            Some('b') => "Jul".into(),
            Some('B') => "July".into(),
            Some('a') => "Fri".into(),
            Some('A') => "Friday".into(),
            Some('H' | 'M' | 'S') => "00".into(),
            Some('%') => "%".into(),
            _ => {
                let reason = format!("strftime_now: the format \"{format}\" is not supported");
                return Err(Error::new(ErrorKind::InvalidOperation, reason));
            }
        };
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use minijinja::context;

    fn render(source: &str) -> String {
        let env = compile("t", source).unwrap();
        let messages = context! { value => context! { a => vec![1, 2], b => "é\"<", c => () } };
        env.get_template("t").unwrap().render(messages).unwrap()
    }

    #[test]
    fn values_are_written_as_python_does() {
        assert_eq!(
            render("{{ none }} {{ true }} {{ 1 == 2 }} {{ gone }}|"),
            "None True False |"
        );
        assert_eq!(
            render("{{ value | tojson }}"),
            r#"{"a": [1, 2], "b": "é\"<", "c": null}"#
        );
        assert_eq!(render("{{ [1] | tojson(indent=2) }}"), "[\n  1\n]");
        assert_eq!(render("{{ ' a,b '.strip().split(',')[-1] }}"), "b");
        assert_eq!(
            render("{{ value.items() | length }}{{ value.get('z', 'no') }}"),
            "3no"
        );
    }

    /// The texts are Jinja2's 3.1.
    #[test]
    fn lists_mappings_and_tests_are_pythons() {
        for (source, text) in [
            (
                "{{ none is iterable }} {{ gone is iterable }} {{ 'a' is iterable }} {{ 3 is iterable }}",
                "False True True False",
            ),
            (
                "{{ none is sequence }} {{ 'a' is sequence }} {{ {} is sequence }} {{ [] is sequence }} {{ 3 is sequence }}",
                "False True True True False",
            ),
            ("{{ value }}", "{'a': [1, 2], 'b': 'é\"<', 'c': None}"),
            (
                "{{ [\"it's\", 'say \"hi\"', 1.0, true, ['\\n']] }}",
                "[\"it's\", 'say \"hi\"', 1.0, True, ['\\n']]",
            ),
            (
                "{{ [1, none] | string }}|{{ 'a' | string }}|{{ true | string }}",
                "[1, None]|a|True",
            ),
            (
                "{% if tools is iterable and tools | length > 0 %}x{% endif %}y",
                "y",
            ),
        ] {
            let env = compile("t", source).unwrap();
            let values = context! { tools => (), value => context! { a => vec![1, 2], b => "é\"<", c => () } };
            assert_eq!(
                env.get_template("t").unwrap().render(values).unwrap(),
                text,
                "{source}"
            );
        }
    }

    #[test]
    fn generation_blocks_keep_their_white_space_signs() {
        assert_eq!(
            render("a  {%- generation %}  {{- 'b' }}\n  {%- endgeneration %}\nc"),
            "abc"
        );
        assert_eq!(render("a {% generation %}b{% endgeneration %} c"), "a b c");
        assert_eq!(
            render("a {%- generation -%} b {%- endgeneration -%} c"),
            "abc"
        );
    }

    #[test]
    fn a_template_that_never_ends_is_ended() {
        let loops =
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
        let doubling = "{% set n = namespace(x='aaaaaaaaaa') %}{% for i in range(40) %}{% set n.x = n.x ~ n.x %}{% endfor %}";
        let long = "{% for a in range(9999) %}{{ value | tojson(indent=64) * 99999 }}{% endfor %}";
        let wide = "{{ value | tojson(indent=4000000000) }}";
        let indented = "{{ 'a' | indent(4000000000) }}";
        for source in [loops, doubling, long, wide, indented] {
            let env = compile("t", source).unwrap();
            let values = context! { value => vec![vec![1]] };
            let error = env.get_template("t").unwrap().render(values).unwrap_err();
            let words = error.to_string();
            assert!(
                words.contains("fuel") || words.contains("indent"),
                "{source}: {words}"
            );
        }
    }

    #[test]
    fn a_template_that_is_too_deep_is_refused() {
        let long = |start: &str, middle: &str, end: &str| {
            let source = format!("{start}{}{end}", middle.repeat(20_000));
            compile("t", &source).err().map(|error| error.to_string())
        };
        for error in [
            long("{{ a", ".b", " }}"),
            long("{{ a", " | upper", " }}"),
            long("{% if a %}", "{% elif a %}", "{% endif %}"),
        ] {
            assert!(error.unwrap().contains("more than"));
        }
        for (source, words) in [
            (
                "{% set n = namespace(x=[]) %}{% for i in range(9) %}{% set n.x = [n.x] %}{% endfor %}",
                "deep",
            ),
            (
                "{% set n = namespace(x={}) %}{% for i in range(9) %}{%- set n.x = {'a': n.x} -%}{% endfor %}",
                "deep",
            ),
            ("{% set n = namespace() %}{% set n.x = n %}", "a namespace"),
            (
                "{% set n = namespace(x=[1]) %}{% for i in range(20) %}{% set n.x = n.x + n.x %}{% endfor %}",
                "many",
            ),
        ] {
            let env = compile("t", source).unwrap();
            let error = env.get_template("t").unwrap().render(()).unwrap_err();
            assert!(error.to_string().contains(words), "{source}: {error}");
        }
        let error = compile("t", "{% set n.x | default([n.x]) %}{% endset %}").unwrap_err();
        assert!(error.to_string().contains("filter"), "{error}");
        let kept = "{% set n = namespace(x=[], y='') %}{% for i in range(3) %}{% set n.x = n.x + [{'a': i}] %}{%- set n.y = 'b' if i else 'c' -%}\
                    {% endfor %}{% set n.z %}c{% endset %}{{ n.x | tojson }}{{ n.y }}{{ n.z }}";
        assert_eq!(render(kept), r#"[{"a": 0}, {"a": 1}, {"a": 2}]bc"#);
    }

    #[test]
    fn the_date_stands_still() {
        assert_eq!(render("{{ strftime_now('%d %b %Y') }}"), "26 Jul 2024");
        assert_eq!(
            render("{{ strftime_now('%Y-%m-%d %H:%M %A%%') }}"),
            "2024-07-26 00:00 Friday%"
        );
        let env = compile("t", "{{ strftime_now('%Q') }}").unwrap();
        let error = env.get_template("t").unwrap().render(()).unwrap_err();
        assert!(error.to_string().contains("%Q"), "{error}");
    }

    #[test]
    fn loops_can_be_left() {
        assert_eq!(
            render(
                "{% for x in [1, 2, 3] %}{% if x == 2 %}{% break %}{% endif %}{{ x }}{% endfor %}"
            ),
            "1"
        );
    }
}
