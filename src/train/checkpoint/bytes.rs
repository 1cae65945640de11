//! A checkpoint as bytes: a head, tensors in float32, a checksum. Whatever is cut or changed on the way is found.
//!
//! In order: 8 bytes of magic, the version of the format (u32, little-endian like every number here), the length of the head (u64), the head
//! (postcard), the values of each tensor that the head lists, and the FNV-1a hash of everything before it (u64).

use std::collections::HashMap;
use std::ops::Range;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::hash::Fnv;
use crate::{Error, Result};

const MAGIC: &[u8; 8] = b"webtune\0";
/// Raised with every change of the head.
const VERSION: u32 = 2;
const SUM_BYTES: usize = 8;

#[derive(Serialize, Deserialize)]
struct Head {
    /// The version of webtune that wrote it.
    engine: String,
    /// The task whose state it is.
    task: String,
    state: Vec<u8>,
    /// Name and number of values.
    tensors: Vec<(String, usize)>,
}

/// Puts the pieces of one checkpoint after one another.
#[derive(Debug, Default)]
pub struct Writer(Fnv);

impl Writer {
    /// The first piece. `tensors`: name and number of values of each tensor that follows, in order.
    ///
    /// # Errors
    /// None in practice: every state can be written.
    pub fn head(
        &mut self,
        task: &str,
        state: &impl Serialize,
        tensors: Vec<(String, usize)>,
    ) -> Result<Vec<u8>> {
        let head = Head {
            engine: env!("CARGO_PKG_VERSION").into(),
            task: task.into(),
            state: postcard::to_stdvec(state).map_err(Error::internal)?,
            tensors,
        };
        let head = postcard::to_stdvec(&head).map_err(Error::internal)?;
        let mut out = MAGIC.to_vec();
        out.extend(VERSION.to_le_bytes());
        out.extend((head.len() as u64).to_le_bytes());
        out.extend(head);
        self.0.write(&out);
        Ok(out)
    }

    /// A tensor's piece.
    pub fn tensor(&mut self, values: &[f32]) -> Vec<u8> {
        let out = values.iter().flat_map(|value| value.to_le_bytes());
        let out = out.collect::<Vec<_>>();
        self.0.write(&out);
        out
    }

    /// The last piece.
    pub fn end(&self) -> Vec<u8> {
        self.0.finish().to_le_bytes().to_vec()
    }
}

/// The tensors of a checkpoint by name, each read once.
#[derive(Debug, Default)]
pub struct Values {
    bytes: Vec<u8>,
    places: HashMap<String, Range<usize>>,
}

impl Values {
    /// # Errors
    /// [`Error::InvalidFile`] for a tensor that is missing or has another length.
    pub fn take(&mut self, name: &str, count: usize) -> Result<Vec<f32>> {
        let found = self.take_any(name).filter(|values| values.len() == count);
        found.ok_or_else(|| refused(format!("its tensor {name} does not fit this run")))
    }

    /// One that there need not be.
    pub fn take_any(&mut self, name: &str) -> Option<Vec<f32>> {
        let place = self.places.remove(name)?;
        let (values, _) = self.bytes.get(place)?.as_chunks::<4>();
        Some(
            values
                .iter()
                .map(|bytes| f32::from_le_bytes(*bytes))
                .collect(),
        )
    }
}

/// The state, and the tensors.
///
/// # Errors
/// [`Error::InvalidFile`] for bytes that are no checkpoint, are of another version or task, or were cut or changed.
pub fn read<S: DeserializeOwned>(bytes: Vec<u8>, task: &str) -> Result<(S, Values)> {
    let damaged = || refused("it is damaged: some of it is missing or was changed");
    let rest = bytes
        .strip_prefix(MAGIC)
        .ok_or_else(|| refused("it is no checkpoint of webtune"))?;
    let (version, rest) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
    let (body, sum) = bytes.split_last_chunk::<SUM_BYTES>().ok_or_else(damaged)?;
    let mut expected = Fnv::default();
    expected.write(body);
    if u64::from_le_bytes(*sum) != expected.finish() {
        return Err(damaged());
    }
    let version = u32::from_le_bytes(*version);
    if version != VERSION {
        return Err(refused(format!(
            "expected version {VERSION} of the format, found {version}: another version of webtune wrote it"
        )));
    }
    let rest = &rest[..rest.len().saturating_sub(SUM_BYTES)];
    let (length, rest) = rest.split_first_chunk::<8>().ok_or_else(damaged)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| damaged())?;
    let (head, data) = rest.split_at_checked(length).ok_or_else(damaged)?;
    let head: Head = postcard::from_bytes(head).map_err(|_| damaged())?;
    let engine = env!("CARGO_PKG_VERSION");
    if head.engine != engine {
        return Err(refused(format!(
            "webtune {} wrote it, and this is {engine}",
            head.engine
        )));
    }
    if head.task != task {
        return Err(refused(format!(
            "expected a run that tunes a {task}, found one of a {}",
            head.task
        )));
    }
    let end = bytes.len() - SUM_BYTES;
    let mut start = end - data.len();
    let mut places = HashMap::new();
    for (name, count) in head.tensors {
        let next = count
            .checked_mul(4)
            .and_then(|size| start.checked_add(size));
        let next = next.filter(|next| *next <= end).ok_or_else(damaged)?;
        places.insert(name, start..next);
        start = next;
    }
    let state = postcard::from_bytes(&head.state).map_err(|_| damaged())?;
    if start == end {
        Ok((state, Values { bytes, places }))
    } else {
        Err(damaged())
    }
}

/// What is wrong with a checkpoint.
pub fn refused(reason: impl std::fmt::Display) -> Error {
    Error::file("checkpoint", reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Vec<u8> {
        let mut writer = Writer::default();
        let tensors = vec![("a".to_string(), 2), ("b".to_string(), 0)];
        let mut bytes = writer
            .head("model", &[1.5, f64::INFINITY], tensors)
            .unwrap();
        bytes.extend(writer.tensor(&[1.0, f32::NAN]));
        bytes.extend(writer.tensor(&[]));
        bytes.extend(writer.end());
        bytes
    }

    #[test]
    fn what_is_written_is_read() {
        let (state, mut tensors) = read::<[f64; 2]>(written(), "model").unwrap();
        assert_eq!(state, [1.5, f64::INFINITY]);
        let a = tensors.take("a", 2).unwrap();
        assert!(a[0] == 1.0 && a[1].is_nan());
        assert!(tensors.take("a", 2).is_err(), "only once");
        assert!(tensors.take("b", 1).is_err());
    }

    #[test]
    fn every_cut_and_every_changed_bit_is_found() {
        let bytes = written();
        for end in 0..bytes.len() {
            let error = read::<[f64; 2]>(bytes[..end].to_vec(), "model").unwrap_err();
            assert_eq!(error.code(), "invalidFile", "{end}");
        }
        for index in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[index] ^= 1 << bit;
                assert!(
                    read::<[f64; 2]>(changed, "model").is_err(),
                    "bit {bit} of byte {index}"
                );
            }
        }
        let error = read::<()>(b"{}".to_vec(), "model").unwrap_err().to_string();
        assert_eq!(error, "checkpoint: it is no checkpoint of webtune");
        let longer = [bytes, vec![0]].concat();
        assert!(read::<[f64; 2]>(longer, "model").is_err());
    }

    #[test]
    fn another_version_and_another_task_are_named() {
        let mut bytes = written();
        bytes[8] = 9;
        let end = bytes.len() - SUM_BYTES;
        let mut sum = Fnv::default();
        sum.write(&bytes[..end]);
        bytes[end..].copy_from_slice(&sum.finish().to_le_bytes());
        let error = read::<[f64; 2]>(bytes, "model").unwrap_err().to_string();
        let expected = format!("expected version {VERSION} of the format, found 9");
        assert!(error.contains(&expected), "{error}");
        let error = read::<()>(written(), "dog").unwrap_err().to_string();
        assert!(
            error.contains("expected a run that tunes a dog, found one of a model"),
            "{error}"
        );
    }
}
