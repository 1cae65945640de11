//! Several engines that do the same work side by side.
//!
//! All members make the same calls with the same arguments. Where work can be cut into parts ([`Team::share`]), each member computes some of them;
//! the first one gathers all, combines them in the order of the parts, and tells the others what came of it. Nothing depends on how many
//! members there are, and a lost one is missed by nobody: the first computes its parts itself.

use std::fmt::Debug;
use std::pin::Pin;
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// What comes later.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + 'a>>;

/// The way between members. What one sends arrives, in order.
pub trait Wire: Debug {
    /// For the first member: what each of the others sends, by rank, without its own; `None` for one that is lost.
    fn gather(&self) -> Later<'_, Vec<Option<Vec<u8>>>>;

    /// For the first member: tells all others.
    ///
    /// # Errors
    /// Failures of the way itself.
    fn tell(&self, bytes: &[u8]) -> Result<()>;

    /// For the others: sends this, and waits for what the first one tells.
    fn swap(&self, bytes: &[u8]) -> Later<'_, Vec<u8>>;
}

/// One engine's place among those that work together.
#[derive(Debug, Clone, Default)]
pub struct Team(Option<Place>);

#[derive(Debug, Clone)]
struct Place {
    rank: usize,
    size: usize,
    wire: Rc<dyn Wire>,
}

impl Team {
    /// Member `rank` of `size`, counted from 0.
    pub fn new(rank: usize, size: usize, wire: Rc<dyn Wire>) -> Self {
        Self((size > 1).then_some(Place { rank, size, wire }))
    }

    /// Whether there are no others.
    pub fn is_alone(&self) -> bool {
        self.0.is_none()
    }

    /// How many parts are computed at a time.
    pub fn size(&self) -> usize {
        self.0.as_ref().map_or(1, |place| place.size)
    }

    /// Parts `0..count` in their order. `compute` gives a part, the same one on every member.
    ///
    /// # Errors
    /// Those of `compute`; failures of the wire.
    pub async fn all<P>(
        &self,
        count: usize,
        compute: impl AsyncFnMut(usize) -> Result<P>,
    ) -> Result<Vec<P>>
    where
        P: Serialize + DeserializeOwned,
    {
        self.share(count, compute, |parts| parts).await
    }

    /// What `combine` makes of parts `0..count` in their order. `compute` gives a part, the same one on every member.
    ///
    /// # Errors
    /// Those of `compute`; failures of the wire.
    pub async fn share<P, R>(
        &self,
        count: usize,
        mut compute: impl AsyncFnMut(usize) -> Result<P>,
        combine: impl FnOnce(Vec<P>) -> R,
    ) -> Result<R>
    where
        P: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned,
    {
        let mut parts = (0..count).map(|_| None).collect::<Vec<Option<P>>>();
        if let Some(Place { rank, size, wire }) = &self.0 {
            let mut own = Vec::new();
            for part in (*rank..count).step_by(*size) {
                own.push(compute(part).await?);
            }
            if *rank > 0 {
                return unpack(&wire.swap(&pack(&own)?).await?);
            }
            let mut all = vec![own];
            for found in wire.gather().await? {
                all.push(found.map_or(Ok(Vec::new()), |bytes| unpack(&bytes))?);
            }
            for (rank, found) in all.into_iter().enumerate() {
                let places = (rank..count).step_by(*size);
                for (part, found) in places.zip(found) {
                    parts[part] = Some(found);
                }
            }
        }
        let mut whole = Vec::with_capacity(count);
        for (part, found) in parts.into_iter().enumerate() {
            whole.push(match found {
                Some(found) => found,
                None => compute(part).await?,
            });
        }
        let result = combine(whole);
        if let Some(Place { wire, .. }) = &self.0 {
            wire.tell(&pack(&result)?)?;
        }
        Ok(result)
    }
}

fn pack(value: &impl Serialize) -> Result<Vec<u8>> {
    postcard::to_stdvec(value).map_err(Error::internal)
}

fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    postcard::from_bytes(bytes).map_err(Error::internal)
}
