//! What has made a step, in the flat buffers of a GPU.

use burn::tensor::Tensor;

use crate::kernels::Flat;

/// The values and means of everything that has made a step, and where they are among each other.
#[derive(Debug, Clone)]
pub struct AtOnce {
    /// Sorted, in the order of `flat`.
    pub paths: Vec<String>,
    /// In buffers.
    pub flat: Flat,
}

impl AtOnce {
    /// A parameter's mean and mean square.
    pub fn means(&self, path: &str) -> Option<[Tensor<1>; 2]> {
        self.flat.means(place(&self.paths, path)?)
    }
}

/// A path's place among sorted ones.
pub fn place(paths: &[String], path: &str) -> Option<usize> {
    paths
        .binary_search_by(|other| other.as_str().cmp(path))
        .ok()
}
