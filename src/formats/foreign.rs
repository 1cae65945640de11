//! Files that are not what a model folder needs, each by its own name and with what to do instead.

use super::source::{Source, read_exact};

/// How a Git LFS pointer begins, which a clone without Git LFS has in place of every large file.
const LFS: &[u8] = b"version https://git-lfs.github.com/spec";

/// Pointers have up to 200 bytes; a file of weights or words has more.
const LONGEST_POINTER: u64 = 1024;

/// What ends the name of a tensor that plain weights never have, and who writes it.
const QUANTISED: [(&str, &str); 11] = [
    (".qweight", "GPTQ or AWQ"),
    (".qzeros", "GPTQ or AWQ"),
    (".SCB", "bitsandbytes (8 bit)"),
    (".absmax", "bitsandbytes (4 bit)"),
    (".weight_scale_inv", "FP8"),
    (".weight_scale", "FP8 or compressed-tensors"),
    (".weight_packed", "compressed-tensors"),
    (".scales", "MLX or GPTQ"),
    (".W_q", "HQQ"),
    (".weight._data", "Quanto"),
    ("_blocks", "MXFP4"),
];

/// What takes the place of a model in fewer bits.
pub const UNQUANTISED: &str = "tuning needs the weights themselves: take the unquantised model that it was made from (its card names it), or a GGUF file of it";

/// Ends of files that hold weights in another format, and what wrote them.
const OTHER_FORMATS: [(&str, &str); 9] = [
    (".bin", "PyTorch's pickled weights"),
    (".pt", "PyTorch's pickled weights"),
    (".pth", "PyTorch's pickled weights"),
    (".ckpt", "pickled or TensorFlow weights"),
    (".h5", "TensorFlow's weights"),
    (".tflite", "TensorFlow's weights"),
    (".msgpack", "Flax's weights"),
    (".onnx", "an ONNX graph, which cannot be trained"),
    (".npz", "NumPy's arrays"),
];

/// Why a file that is a Git LFS pointer cannot be used; `None` for any other.
pub fn lfs_pointer(bytes: &[u8]) -> Option<String> {
    if !bytes.starts_with(LFS) || bytes.len() as u64 > LONGEST_POINTER {
        return None;
    }
    let text = String::from_utf8_lossy(bytes);
    let size = text.lines().find_map(|line| line.strip_prefix("size "));
    let size = size.map_or(String::new(), |size| format!(" of {} bytes", size.trim()));
    Some(format!(
        "it is a Git LFS pointer, not the file{size} that it stands for: run `git lfs pull` in the folder, or download the file itself"
    ))
}

/// The same of a file that is read in ranges.
///
/// # Errors
/// As [`Source::read`].
pub async fn lfs_pointer_in<S: Source>(source: &S) -> crate::Result<Option<String>> {
    let size = source.size();
    if size < LFS.len() as u64 || size > LONGEST_POINTER {
        return Ok(None);
    }
    let bytes = read_exact(source, 0, size as usize).await?;
    Ok(lfs_pointer(&bytes))
}

/// Why these tensors are no weights that can be tuned, if they were quantised.
pub fn quantised<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let found = names.filter_map(|name| {
        let end = QUANTISED.iter().find(|(end, _)| name.ends_with(end))?;
        Some((name, end.1))
    });
    let (name, writer) = found.min()?;
    Some(format!(
        "tensor {name} is a part of weights that were quantised by {writer}; {UNQUANTISED}"
    ))
}

/// What a folder without `model.safetensors` has instead, and what to do with it.
pub fn instead_of_weights(paths: &[&str]) -> Option<String> {
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_string();
    let named = |wanted: &str| paths.iter().find(|path| name(path) == wanted);
    if let Some(path) = named("model.safetensors").or(named("model.safetensors.index.json")) {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        return Some(format!("{path} is in a folder of its own: open {folder}"));
    }
    let first = |rule: &dyn Fn(&str) -> bool| paths.iter().find(|path| rule(&name(path)));
    if let Some(path) = first(&|name| name.ends_with(".gguf")) {
        return Some(format!(
            "{path} is a model of its own: open that file alone"
        ));
    }
    if let Some(path) = first(&|name| name.starts_with("adapter_model.")) {
        return Some(format!(
            "{path} is an adapter: load the model that it belongs to, then import the adapter"
        ));
    }
    if let Some(path) =
        first(&|name| name.starts_with("consolidated") && name.ends_with(".safetensors"))
    {
        return Some(format!(
            "{path} has the names of its maker's own code: take the folder that transformers loads, or convert it with the script for its family in \
             transformers"
        ));
    }
    let variant = |name: &str| name.starts_with("model.") && name.ends_with(".safetensors");
    if let Some(path) = first(&variant) {
        return Some(format!(
            "{path} holds a variant of the weights: name it model.safetensors, if it is the one that you want"
        ));
    }
    if let Some(path) = first(&|name| name.ends_with(".safetensors")) {
        return Some(format!(
            "{path} has another name: name it model.safetensors, if it holds the model's weights"
        ));
    }
    let (path, what) = paths.iter().find_map(|path| {
        let (_, what) = OTHER_FORMATS.iter().find(|(end, _)| path.ends_with(end))?;
        Some((path, what))
    })?;
    Some(format!(
        "{path} is {what}, and safetensors is needed: save the model with save_pretrained of transformers"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_layouts_are_told_apart() {
        for (path, words) in [
            ("checkpoint-10/model.safetensors", "open checkpoint-10"),
            ("a/b/model.safetensors.index.json", "open a/b"),
            ("model.fp16.safetensors", "name it model.safetensors"),
            ("model.fp16-00001-of-00002.safetensors", "variant"),
            ("weights.safetensors", "another name"),
            ("consolidated.safetensors", "maker's own"),
            ("consolidated.00.safetensors", "maker's own"),
            ("adapter_model.safetensors", "import the adapter"),
            ("adapter_model.bin", "import the adapter"),
            ("pytorch_model.bin", "save_pretrained"),
            ("pytorch_model-00001-of-00002.bin", "PyTorch"),
            ("tf_model.h5", "TensorFlow"),
            ("flax_model.msgpack", "Flax"),
            ("onnx/model.onnx", "ONNX"),
            ("model-Q4_0.gguf", "that file alone"),
        ] {
            let found = instead_of_weights(&["config.json", path]).unwrap();
            assert!(
                found.contains(path) && found.contains(words),
                "{path}: {found}"
            );
        }
        assert_eq!(instead_of_weights(&["config.json", "README.md"]), None);
    }

    #[test]
    fn a_pointer_is_known_by_all_of_its_first_line() {
        let pointer =
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 269060552\n";
        let reason = lfs_pointer(pointer).unwrap();
        assert!(
            reason.contains("269060552 bytes") && reason.contains("git lfs pull"),
            "{reason}"
        );
        assert_eq!(lfs_pointer(b"version 2"), None);
        assert_eq!(lfs_pointer(&[&pointer[..], &[b'x'; 2000]].concat()), None);
    }
}
