//! What the parts of a tokenizer.json may ask for: the library that runs them panics on some settings, and lets others make a short text endless.

use serde::Deserialize;
use serde_json::Value;

use super::charsmap;
use crate::json::{Few, check_values};

/// Twice those of the largest vocabularies.
const MOST_VALUES: usize = 4_000_000;
/// Of everything but vocabulary and merges.
const MOST_PART_VALUES: usize = 10_000;
/// Parts of one kind; real files have up to ten.
const MOST_PARTS: usize = 64;
/// Bytes that one byte may become before words are looked up, and after they are put together.
const MOST_GROWTH: f64 = 256.0;
/// Letters of a word whose pieces are searched, which takes time by their cube; BERT has 100.
const LONGEST_WORD: u64 = 400;

/// Bytes of an added token: the library's search for them takes time by their square where they repeat. Real ones have up to 60.
const LONGEST_ADDED: usize = 256;
/// Bytes that one may become before it is searched for.
const LONGEST_NORMALIZED: f64 = 8192.0;

type Reasoned<T> = Result<T, String>;

type Part = Few<MOST_PART_VALUES>;

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    normalizer: Part,
    #[serde(default)]
    pre_tokenizer: Part,
    #[serde(default)]
    post_processor: Part,
    #[serde(default)]
    decoder: Part,
    model: Option<ModelFile>,
    #[serde(default)]
    added_tokens: Vec<Added>,
}

#[derive(Deserialize)]
struct Added {
    content: String,
}

#[derive(Deserialize)]
struct ModelFile {
    continuing_subword_prefix: Option<String>,
    max_input_chars_per_word: Option<u64>,
}

/// Refuses a file that makes the library panic or fill the memory. Gives why it reads no two texts together, if it does not.
///
/// # Errors
/// The reason.
pub fn check(bytes: &[u8]) -> Reasoned<Option<String>> {
    check_values(bytes, MOST_VALUES)?;
    let file: File =
        serde_json::from_slice(bytes).map_err(|error| format!("expected JSON: {error}"))?;
    let mut before = Chain::default();
    before.add(&file.normalizer.0, Kind::Before)?;
    check_added(&file.added_tokens, before.growth)?;
    before.add(&file.pre_tokenizer.0, Kind::Before)?;
    Chain::default().add(&file.decoder.0, Kind::Decoder)?;
    let mut around = Chain::default();
    around.add(&file.post_processor.0, Kind::Around)?;
    file.model
        .map_or(Ok(()), |model| check_model(&model, bytes))?;
    Ok(around.no_pairs)
}

/// `growth`: bytes that one byte of them may become.
fn check_added(tokens: &[Added], growth: f64) -> Reasoned<()> {
    let longest = tokens.iter().map(|token| token.content.len()).max();
    let longest = longest.unwrap_or_default();
    if longest <= LONGEST_ADDED && longest as f64 * growth <= LONGEST_NORMALIZED {
        return Ok(());
    }
    Err(format!(
        "one of its added tokens has {longest} bytes, more than a tokenizer can be searched for quickly (up to {LONGEST_ADDED})"
    ))
}

fn check_model(model: &ModelFile, bytes: &[u8]) -> Reasoned<()> {
    if let Some(most) = model.max_input_chars_per_word
        && most > LONGEST_WORD
    {
        return Err(format!(
            "its max_input_chars_per_word is {most}, more than {LONGEST_WORD}"
        ));
    }
    let prefix = model
        .continuing_subword_prefix
        .as_deref()
        .unwrap_or_default();
    if prefix.is_empty() {
        return Ok(());
    }
    #[derive(Deserialize)]
    struct Merges {
        #[serde(default)]
        merges: Vec<Value>,
    }
    #[derive(Deserialize)]
    struct File {
        model: Merges,
    }
    let file: File =
        serde_json::from_slice(bytes).map_err(|error| format!("its merges: {error}"))?;
    let merges = file.model.merges;
    // the library cuts the prefix off without a look
    let cut = |word: &str| !word.is_char_boundary(prefix.len());
    // a line of two words, or a pair of them
    let second = |merge: &Value| match merge {
        Value::String(line) => line.split(' ').nth(1).map(String::from),
        pair => pair[1].as_str().map(String::from),
    };
    let short = merges.iter().filter_map(second).find(|word| cut(word));
    match short {
        Some(word) => Err(format!(
            "its merges join \"{word}\" to a word, which does not begin with \"{prefix}\""
        )),
        None => Ok(()),
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Before,
    Around,
    Decoder,
}

/// The parts of one kind so far.
struct Chain {
    parts: usize,
    growth: f64,
    /// Whether one of them puts tokens around a text.
    adds_tokens: bool,
    /// Why two texts cannot be read together.
    no_pairs: Option<String>,
}

impl Default for Chain {
    fn default() -> Self {
        Self {
            parts: 0,
            growth: 1.0,
            adds_tokens: false,
            no_pairs: None,
        }
    }
}

impl Chain {
    /// A part and those in it. Its settings say what it is, because the library reads old files by them alone.
    fn add(&mut self, part: &Value, kind: Kind) -> Reasoned<()> {
        // the library takes it for granted where the part is named
        if part["type"] == "Precompiled" && !part["precompiled_charsmap"].is_string() {
            return Err("its Precompiled normalizer cannot be read: it has no precompiled_charsmap that is a text".into());
        }
        let lists = ["normalizers", "pretokenizers", "processors", "decoders"];
        let mut inner = lists
            .iter()
            .filter_map(|key| part[*key].as_array())
            .peekable();
        if inner.peek().is_some() {
            return inner.flatten().try_for_each(|part| self.add(part, kind));
        }
        self.parts += 1;
        if self.parts > MOST_PARTS {
            return Err(format!(
                "it has more than {MOST_PARTS} parts of the same kind"
            ));
        }
        let growth = match kind {
            Kind::Before => growth_before(part)?,
            Kind::Decoder => growth_of_decoder(part, self.parts)?,
            Kind::Around => {
                // after a template the library finds more texts than any part of its own expects
                let adds = part["single"].is_array() || part["cls"].is_array();
                if adds && self.adds_tokens {
                    return Err(
                        "its post-processor puts tokens around a text more than once, which is not supported".into(),
                    );
                }
                self.adds_tokens |= adds;
                check_template(part, "single", &["A"])?;
                let pair = check_template(part, "pair", &["A", "B"]);
                self.no_pairs = self.no_pairs.take().or(pair.err());
                1.0
            }
        };
        self.growth *= growth.max(1.0);
        if self.growth > MOST_GROWTH {
            return Err(format!(
                "its parts together may make a text more than {MOST_GROWTH} times as long"
            ));
        }
        Ok(())
    }
}

/// How many bytes one byte may become in a normalizer or a pre-tokenizer.
fn growth_before(part: &Value) -> Reasoned<f64> {
    if let Some(map) = part["precompiled_charsmap"].as_str() {
        return charsmap::growth(map)
            .map_err(|reason| format!("its Precompiled normalizer cannot be read: {reason}"));
    }
    if let (Some(content), pattern) = (part["content"].as_str(), &part["pattern"]) {
        let shortest = match (pattern["String"].as_str(), pattern["Regex"].as_str()) {
            (Some(text), _) => text.len(),
            (_, Some(regex)) => shortest_match(regex)?,
            _ => return Ok(1.0),
        };
        if shortest == 0 {
            return Err(
                "its Replace normalizer has a pattern that an empty text matches, which is not supported".into(),
            );
        }
        return Ok(content.len() as f64 / shortest as f64);
    }
    if part["length"] == 0 {
        return Err("its FixedLength pre-tokenizer has a length of 0".into());
    }
    if let Some(replacement) = part["replacement"].as_str() {
        return Ok(replacement.len() as f64);
    }
    // every byte becomes a letter of up to two
    Ok(if part["type"] == "ByteLevel" {
        2.0
    } else {
        1.0
    })
}

/// The fewest bytes that a regular expression matches.
fn shortest_match(regex: &str) -> Reasoned<usize> {
    let parsed = regex_syntax::parse(regex).map_err(|error| {
        format!("the pattern of its Replace normalizer is not supported: {error}")
    })?;
    // none for an expression that matches nothing
    Ok(parsed.properties().minimum_len().unwrap_or(usize::MAX))
}

fn growth_of_decoder(part: &Value, number: usize) -> Reasoned<f64> {
    let empty = |key: &str| part[key] == "";
    if part["stop"].as_u64().is_some_and(|stop| stop > 0) {
        return Err("its Strip decoder cuts the ends of tokens, which is not supported".into());
    }
    if part["suffix"].is_string() && number > 1 {
        return Err("its BPEDecoder comes after another decoder, which is not supported".into());
    }
    if let (Some(content), pattern) = (part["content"].as_str(), &part["pattern"]) {
        let text = pattern["String"].as_str().map(str::len);
        let regex = || shortest_match(pattern["Regex"].as_str()?).ok();
        return Ok(match text.or_else(regex).unwrap_or(0) {
            0 => content.len() as f64 + 1.0,
            shortest => content.len() as f64 / shortest as f64,
        });
    }
    // a space between all letters
    let spaces = empty("suffix") || empty("word_delimiter_token");
    Ok(if spaces { 2.0 } else { 1.0 })
}

/// Each text is in its template once, and the library knows every token in it: it panics on others.
fn check_template(part: &Value, key: &str, texts: &[&str]) -> Reasoned<()> {
    let Some(pieces) = part[key].as_array() else {
        return Ok(());
    };
    let of = |kind: &'static str| {
        let pieces = pieces.iter();
        pieces.filter_map(move |piece| piece[kind]["id"].as_str())
    };
    let found: Vec<&str> = of("Sequence").collect();
    if !(found.is_empty() && key == "single") && found != texts {
        return Err(match texts {
            [_] => "the template for one text does not hold that text once".into(),
            _ => {
                "the template for two texts does not hold each of them once, in their order".into()
            }
        });
    }
    match of("SpecialToken").find(|token| part["special_tokens"][*token].is_null()) {
        Some(token) => Err(format!(
            "its template has a token \"{token}\" that its special_tokens lack"
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(part: &str, value: Value) -> String {
        let file = json!({"model": {"type": "BPE"}, part: value});
        check(file.to_string().as_bytes()).err().unwrap_or_default()
    }

    fn replace(pattern: Value, content: &str) -> Value {
        json!({"type": "Replace", "pattern": pattern, "content": content})
    }

    #[test]
    fn settings_that_the_library_panics_on_are_refused() {
        for pattern in ["", "^", "$", " *", "a|", "(?:)"] {
            let reason = refusal("normalizer", replace(json!({"Regex": pattern}), "x"));
            assert!(reason.contains("empty text"), "{pattern}: {reason}");
        }
        let reason = refusal("normalizer", replace(json!({"String": ""}), "x"));
        assert!(reason.contains("empty text"), "{reason}");
        let reason = refusal("normalizer", replace(json!({"Regex": "(?=a)"}), "x"));
        assert!(reason.contains("look-around"), "{reason}");
        for good in ["a", " {2,}", "\\s+", "^ +", "[\\n\\r]"] {
            assert_eq!(
                refusal("normalizer", replace(json!({"Regex": good}), "x")),
                ""
            );
        }
        for map in [json!(null), json!(3), json!(["a"])] {
            let part = json!({"type": "Precompiled", "precompiled_charsmap": map, "normalizers": [{"type": "NFC"}]});
            let reason = refusal(
                "normalizer",
                json!({"type": "Sequence", "normalizers": [part]}),
            );
            assert!(reason.contains("Precompiled"), "{reason}");
        }
        for (part, value, word) in [
            (
                "pre_tokenizer",
                json!({"type": "FixedLength", "length": 0}),
                "FixedLength",
            ),
            (
                "decoder",
                json!({"type": "Strip", "content": " ", "start": 0, "stop": 1}),
                "Strip",
            ),
            (
                "decoder",
                json!({"decoders": [{"type": "Fuse"}, {"suffix": "</w>"}]}),
                "BPEDecoder",
            ),
            (
                "post_processor",
                json!({"single": [{"Sequence": {"id": "B"}}]}),
                "template",
            ),
            (
                "model",
                json!({"continuing_subword_prefix": "##", "merges": ["a b"]}),
                "\"b\"",
            ),
            (
                "model",
                json!({"continuing_subword_prefix": "#", "merges": [["a", ""]]}),
                "merges",
            ),
            (
                "model",
                json!({"max_input_chars_per_word": 1000000}),
                "max_input",
            ),
        ] {
            let reason = refusal(part, value);
            assert!(reason.contains(word), "{part}: {reason}");
        }
    }

    #[test]
    fn a_text_may_not_grow_without_end() {
        let twice = replace(json!({"String": "a"}), "aa");
        let chain = |count: usize| json!({"normalizers": vec![twice.clone(); count]});
        assert_eq!(refusal("normalizer", chain(8)), "");
        assert!(refusal("normalizer", chain(9)).contains("times as long"));
        let inner = json!({"type": "Sequence", "normalizers": [chain(4), chain(5)]});
        assert!(refusal("normalizer", inner).contains("times as long"));
        let levels = json!({"pretokenizers": vec![json!({"type": "ByteLevel"}); 9]});
        assert!(refusal("pre_tokenizer", levels).contains("times as long"));
        for decoder in [
            json!({"suffix": ""}),
            json!({"word_delimiter_token": ""}),
            replace(json!({"String": ""}), "x"),
        ] {
            let chain = json!({"decoders": vec![decoder; 9]});
            assert_ne!(refusal("decoder", chain), "");
        }
        let both = json!([{"Sequence": {"id": "A"}}, {"Sequence": {"id": "A"}}]);
        assert!(refusal("post_processor", json!({"single": both})).contains("template"));
        let template = json!({"single": [{"Sequence": {"id": "A"}}]});
        for second in [template.clone(), json!({"cls": ["[CLS]", 1]})] {
            let chain = json!({"processors": [template, second]});
            assert!(refusal("post_processor", chain).contains("more than once"));
        }
        let added = |bytes: usize| json!([{"id": 0, "content": "a".repeat(bytes)}]);
        assert_eq!(refusal("added_tokens", added(256)), "");
        assert!(refusal("added_tokens", added(257)).contains("257 bytes"));
        let many = json!({"normalizers": vec![json!({"type": "Lowercase"}); 65]});
        assert!(refusal("normalizer", many).contains("parts"));
        let values = json!({"type": "Lowercase", "x": vec![0; 10_000]});
        assert!(refusal("normalizer", values).contains("values"));
    }
}
