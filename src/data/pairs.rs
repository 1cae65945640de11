//! Names that public data sets give to two texts which are judged together.

/// Names of two texts that are judged together, in the order in which a model reads them.
const PAIRS: [(&str, &str); 22] = [
    ("sentence1", "sentence2"),
    ("sentence_1", "sentence_2"),
    ("sentence_a", "sentence_b"),
    ("sent1", "sent2"),
    ("s1", "s2"),
    ("text1", "text2"),
    ("text_1", "text_2"),
    ("text_a", "text_b"),
    ("text", "text_pair"),
    ("text", "textpair"),
    ("question1", "question2"),
    ("premise", "hypothesis"),
    ("claim", "evidence"),
    ("question", "answer"),
    ("question", "sentence"),
    ("question", "context"),
    ("question", "passage"),
    ("query", "passage"),
    ("query", "document"),
    ("query", "product_title"),
    ("query", "title"),
    ("anchor", "positive"),
];

/// Whether the names of both texts of a pair are among these.
pub(super) fn names_both(names: &[&str]) -> bool {
    let holds = |known: &str| names.iter().any(|name| is(name, known));
    PAIRS
        .iter()
        .any(|(first, second)| holds(first) && holds(second))
}

/// The first column of the first known pair whose both columns are `found`.
pub(super) fn first(names: &[String], found: impl Fn(usize) -> bool) -> Option<usize> {
    let column = |known: &str| (0..names.len()).find(|one| is(&names[*one], known) && found(*one));
    PAIRS.iter().find_map(|(first, second)| {
        column(second)?;
        column(first)
    })
}

/// The places of a known pair that this column belongs to, if the other's column is `found`: the first text, then the second.
pub(super) fn with(
    names: &[String],
    column: usize,
    found: impl Fn(usize) -> bool,
) -> Option<(usize, usize)> {
    let other = |known: &str| {
        (0..names.len())
            .find(|other| is(&names[*other], known) && *other != column && found(*other))
    };
    PAIRS.iter().find_map(|(first, second)| {
        if is(&names[column], first) {
            Some((column, other(second)?))
        } else if is(&names[column], second) {
            Some((other(first)?, column))
        } else {
            None
        }
    })
}

fn is(name: &str, known: &str) -> bool {
    name.trim().eq_ignore_ascii_case(known)
}
