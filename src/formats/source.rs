//! A place that holds a file (memory, a Blob, a URL) and gives ranges of its bytes.

use crate::error::{Error, Result};

/// A file that can be read in ranges. Implementations own no buffer of the whole file unless they are in memory anyway.
// Futures need not be Send: in a browser everything runs on one thread.
#[allow(async_fn_in_trait)]
pub trait Source {
    /// Path inside the model folder, with forward slashes, such as `model.safetensors`.
    fn path(&self) -> &str;

    /// Size of the file in bytes.
    fn size(&self) -> u64;

    /// Reads exactly `length` bytes from byte `offset` on.
    ///
    /// # Errors
    /// [`Error::ReadFailed`] when the range passes the end of the file or the place cannot be read.
    async fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>>;
}

impl<S: Source> Source for &S {
    fn path(&self) -> &str {
        S::path(self)
    }

    fn size(&self) -> u64 {
        S::size(self)
    }

    async fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>> {
        S::read(self, offset, length).await
    }
}

/// A file held in memory: small files, and tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemorySource {
    /// Path inside the model folder.
    pub path: String,
    /// The whole file.
    pub bytes: Vec<u8>,
}

impl MemorySource {
    /// A file of these bytes under this path.
    pub fn new(path: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self {
            path: path.into(),
            bytes,
        }
    }
}

impl Source for MemorySource {
    fn path(&self) -> &str {
        &self.path
    }

    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    async fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>> {
        let range = usize::try_from(offset)
            .ok()
            .and_then(|start| Some(start..start.checked_add(length)?));
        match range.and_then(|range| self.bytes.get(range)) {
            Some(bytes) => Ok(bytes.to_vec()),
            None => Err(Error::read(
                self.path.clone(),
                format!(
                    "cannot read {length} bytes from byte {offset} on: the file has {} bytes",
                    self.bytes.len()
                ),
            )),
        }
    }
}

/// Reads one range and checks that it came whole.
///
/// # Errors
/// What the source reports, and [`Error::ReadFailed`] when it gives more or fewer bytes than asked for.
pub(super) async fn read_exact<S: Source>(
    source: &S,
    offset: u64,
    length: usize,
) -> Result<Vec<u8>> {
    let bytes = source.read(offset, length).await?;
    if bytes.len() != length {
        return Err(Error::read(
            source.path(),
            format!(
                "expected {length} bytes from byte {offset} on, got {}",
                bytes.len()
            ),
        ));
    }
    Ok(bytes)
}

/// Reads a whole file; for small ones such as `config.json`.
///
/// # Errors
/// [`Error::ReadFailed`] when the file cannot be read whole or is larger than the address space.
pub async fn read_all<S: Source>(source: &S) -> Result<Vec<u8>> {
    let length = usize::try_from(source.size()).map_err(|_| {
        Error::read(
            source.path(),
            format!("its {} bytes are too many to hold in memory", source.size()),
        )
    })?;
    read_exact(source, 0, length).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A source that gives fewer bytes than asked for, as a cut connection does.
    struct Short;

    impl Source for Short {
        fn path(&self) -> &str {
            "short.bin"
        }

        fn size(&self) -> u64 {
            10
        }

        async fn read(&self, _offset: u64, length: usize) -> Result<Vec<u8>> {
            Ok(vec![0; length - 1])
        }
    }

    #[test]
    fn reads_ranges_and_whole_files() {
        let source = MemorySource::new("a.bin", vec![1, 2, 3]);
        assert_eq!(pollster::block_on(source.read(1, 2)), Ok(vec![2, 3]));
        assert_eq!(pollster::block_on(source.read(3, 0)), Ok(vec![]));
        assert_eq!(pollster::block_on(read_all(&&source)), Ok(vec![1, 2, 3]));
    }

    #[test]
    fn names_the_file_when_reading_past_its_end() {
        let source = MemorySource::new("a.bin", vec![1, 2, 3]);
        for (offset, length) in [(2, 2), (4, 0), (u64::MAX, 1), (1, usize::MAX)] {
            let error = pollster::block_on(source.read(offset, length)).unwrap_err();
            assert_eq!(error.code(), "readFailed");
            assert!(error.to_string().starts_with("a.bin: "), "{error}");
        }
    }

    #[test]
    fn refuses_a_range_that_came_short() {
        let error = pollster::block_on(read_all(&Short)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "short.bin: expected 10 bytes from byte 0 on, got 9"
        );
    }
}
