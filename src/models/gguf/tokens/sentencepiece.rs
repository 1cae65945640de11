//! SentencePiece's BPE (`tokenizer.ggml.model` is `llama`): two pieces that lie side by side are joined where the vocabulary has both as one, the
//! best score first. Such a vocabulary has no merges, and they are found from the scores.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;

use serde_json::{Value, json};

use super::file::{Bpe, File, Vocabulary};
use super::vocabulary::{BYTE, CONTROL, Tokens, UNKNOWN};
use crate::Result;

/// What stands for a space.
const SPACE: &str = "\u{2581}";
/// Bytes of the longest piece that is joined of others; in known vocabularies 100.
const LONGEST: usize = 512;
/// Merges, and bytes of all of them; Gemma's vocabulary of 260,000 pieces has half a million, and more bytes are read of no tokenizer.json.
const MOST: usize = 2_000_000;
const MOST_BYTES: usize = 64 << 20;

/// `by_place`: the first pieces are joined first, whatever their scores are: Gemma's do not follow its merges.
pub(super) fn tokenizer_json(
    tokens: &Tokens<'_>,
    by_place: bool,
    around: Value,
) -> Result<Vec<u8>> {
    let words = tokens.tokens.iter().map(|token| {
        // Gemma's files have real spaces in tokens of spaces alone
        let spaces = by_place && token.contains(' ') && token.trim().is_empty();
        if spaces {
            Cow::from(SPACE.repeat(token.chars().count()))
        } else {
            Cow::from(token.as_str())
        }
    });
    let vocab = Vocabulary(words.collect());
    let merges = merges(tokens, &vocab.0, by_place)?;
    let mut added = tokens.added();
    // those are found by their merges
    added
        .retain(|token| token.special || !(by_place && token.content.trim_matches(' ').is_empty()));
    let unknown = tokens.named[2].map(|id| tokens.tokens[id].as_str());
    let model = Bpe {
        kind: "BPE",
        dropout: (),
        unk_token: unknown,
        continuing_subword_prefix: (),
        end_of_word_suffix: (),
        fuse_unk: true,
        byte_fallback: true,
        ignore_merges: false,
        vocab: &vocab,
        merges,
    };
    let asked = tokens.metadata.switch("tokenizer.ggml.add_space_prefix")?;
    let mut normalizers =
        vec![json!({"type": "Replace", "pattern": {"String": " "}, "content": SPACE})];
    let mut decoders = vec![
        json!({"type": "Replace", "pattern": {"String": SPACE}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    if asked.unwrap_or(true) {
        normalizers.insert(0, json!({"type": "Prepend", "prepend": SPACE}));
        decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    let parts = [
        json!({"type": "Sequence", "normalizers": normalizers}),
        Value::Null,
        around,
        json!({"type": "Sequence", "decoders": decoders}),
    ];
    File::new(added, parts, model).bytes()
}

/// A piece that is joined of two others.
struct Merge {
    score: f64,
    /// Letters of the two.
    letters: [usize; 2],
    ids: [usize; 2],
}

fn merges<'a>(
    tokens: &Tokens<'_>,
    words: &'a [Cow<'_, str>],
    by_place: bool,
) -> Result<Vec<(&'a str, &'a str)>> {
    let scores = if by_place {
        None
    } else {
        Some(scores(tokens)?)
    };
    let ids = words
        .iter()
        .enumerate()
        .map(|(id, word)| (word.as_ref(), id));
    let ids = ids.collect::<HashMap<&str, usize>>();
    let mut found = Vec::new();
    let mut bytes = 0;
    for (id, word) in words.iter().enumerate() {
        if [UNKNOWN, CONTROL, BYTE]
            .into_iter()
            .any(|kind| tokens.is(id, kind))
        {
            continue;
        }
        if word.len() > LONGEST {
            return Err(tokens.wrong(format!(
                "tokenizer.ggml.tokens: number {id} has {} bytes, more than {LONGEST}",
                word.len()
            )));
        }
        let score = scores.map_or(-(id as f64), |scores| scores[id]);
        let first = found.len();
        for (letters, (at, _)) in word.char_indices().enumerate().skip(1) {
            let (left, right) = word.split_at(at);
            if let (Some(&left), Some(&right)) = (ids.get(left), ids.get(right)) {
                bytes += word.len();
                found.push(Merge {
                    score,
                    letters: [letters, word.chars().count() - letters],
                    ids: [left, right],
                });
            }
        }
        found[first..].sort_by_key(|merge| merge.ids);
        if bytes > MOST_BYTES || found.len() > MOST {
            return Err(tokens.wrong(format!(
                "the pieces of its vocabulary join in more than {MOST} ways, or take more than {MOST_BYTES} bytes"
            )));
        }
    }
    // pieces of the same score in the order of the vocabulary, as in Transformers
    found.sort_by(|a, b| {
        let scores = b.score.total_cmp(&a.score);
        scores.then_with(|| Reverse(a.letters).cmp(&Reverse(b.letters)))
    });
    let pair = |merge: Merge| {
        let [left, right] = merge.ids.map(|id| words[id].as_ref());
        (left, right)
    };
    Ok(found.into_iter().map(pair).collect())
}

fn scores<'a>(tokens: &Tokens<'a>) -> Result<&'a [f64]> {
    let scores = tokens.metadata.numbers("tokenizer.ggml.scores")?;
    let scores = scores.unwrap_or_default();
    if scores.len() != tokens.tokens.len() {
        return Err(tokens.wrong(format!(
            "it has {} tokens, and tokenizer.ggml.scores is of {}",
            tokens.tokens.len(),
            scores.len()
        )));
    }
    Ok(scores)
}
