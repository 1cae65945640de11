//! The Hugging Face repository that a GGUF file was made from.

use crate::Result;
use crate::formats::Metadata;

/// Where converters write the repository of the model that they converted.
const SOURCES: [&str; 4] = [
    "general.source.huggingface.repository",
    "general.source.repo_url",
    "general.repo_url",
    "general.source.url",
];

/// The repository of the very model that is in the file, `org/name`, if the metadata names it.
///
/// `general.base_model` is what that model was itself tuned from, `Qwen2.5-0.5B` for an instruct model: an adapter for the one does not fit the
/// other. It counts only where it has the name of the model in the file, as in files of whoever converted a copy.
pub(super) fn repository(metadata: &Metadata) -> Result<Option<String>> {
    for key in SOURCES {
        let found = metadata.text(key)?.and_then(repository_of);
        // a repository of GGUF files alone is none that PEFT could load
        if let Some(found) = found.filter(|found| !plain(found).ends_with("gguf")) {
            return Ok(Some(found));
        }
    }
    let base = metadata.text("general.base_model.0.repo_url")?;
    let (Some(name), Some(base)) = (metadata.text("general.name")?, base.and_then(repository_of))
    else {
        return Ok(None);
    };
    let same = base
        .rsplit('/')
        .next()
        .is_some_and(|end| plain(end) == plain(name));
    Ok(same.then_some(base))
}

/// `org/name` of an address on the hub, or of itself.
fn repository_of(text: &str) -> Option<String> {
    let path = match text.split_once("://") {
        Some((_, address)) => {
            let (host, path) = address.split_once('/')?;
            (host == "huggingface.co" || host == "hf.co").then_some(path)?
        }
        None => text,
    };
    let is_part = |part: &&str| {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !part.is_empty() && part.len() <= 96 && part.bytes().all(legal)
    };
    let mut parts = path.trim_end_matches('/').split('/');
    let (owner, name) = (parts.next().filter(is_part)?, parts.next().filter(is_part)?);
    parts.next().is_none().then(|| format!("{owner}/{name}"))
}

/// Letters and digits alone.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(|letter| letter.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_two_names() {
        for (text, expected) in [
            (
                "https://huggingface.co/org/name-1.5_b",
                Some("org/name-1.5_b"),
            ),
            ("https://hf.co/org/name/", Some("org/name")),
            ("org/name", Some("org/name")),
            ("https://github.com/org/name", None),
            ("https://huggingface.co/datasets/org/name", None),
            ("name", None),
            ("org/na me", None),
            ("/name", None),
        ] {
            assert_eq!(repository_of(text).as_deref(), expected, "{text}");
        }
        assert_eq!(plain("Gemma-3-270M It"), plain("gemma-3-270m-it"));
        assert_ne!(plain("Qwen2.5 0.5B Instruct"), plain("Qwen2.5-0.5B"));
    }
}
