//! Refuses passes that fit into memory or buffers no more, before anything is allocated, and says how many rows do fit.

use super::largest::LargestTensor;
use super::{NetworkSizes, Shape, sum};
use crate::Result;
use crate::device::Compute;

impl NetworkSizes {
    /// Refuses a pass that does not fit next to the weights and `held`, the bytes that anything else holds. `what` names it in the message.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`] with both numbers.
    pub fn check_pass(&self, compute: &Compute, what: &str, shape: Shape, held: u64) -> Result<()> {
        let bytes = sum([held, self.forward_bytes(shape)]);
        self.check(compute, what, shape, bytes, self.largest_tensor(shape))
    }

    /// The same for writing this many tokens after a prompt.
    ///
    /// # Errors
    /// As [`Self::check_pass`].
    pub fn check_generation(
        &self,
        compute: &Compute,
        what: &str,
        prompt: Shape,
        new: u64,
        held: u64,
    ) -> Result<()> {
        let bytes = sum([held, self.generation_bytes(prompt, new)]);
        let largest = self.largest_tensor_in_pieces(prompt);
        self.check(compute, what, prompt, bytes, largest)
    }

    fn check(
        &self,
        compute: &Compute,
        what: &str,
        shape: Shape,
        bytes: u64,
        largest: LargestTensor,
    ) -> Result<()> {
        let needed = sum([self.weight_bytes(), bytes]);
        let rows = match shape.rows {
            1 => String::new(),
            rows => format!("{rows} times "),
        };
        let advice = format!(
            "it has {rows}{} tokens; shorten the text, store the weights in fewer bits, or choose a smaller model",
            sum([shape.past, shape.tokens])
        );
        compute.check_memory(what, needed, &advice)?;
        largest.check(compute, &lowered(what), &advice)
    }

    /// How many rows like `row` fit into one pass next to the weights and `held`: at most `most`, at least 1, which [`Self::check_pass`] may still
    /// refuse.
    pub fn rows_that_fit(&self, compute: &Compute, row: Shape, most: usize, held: u64) -> usize {
        let fits = |rows: usize| {
            let rows = rows as u64;
            let pass = self.forward_bytes(Shape { rows, ..row });
            sum([self.weight_bytes(), held, pass]) <= compute.memory_limit
        };
        let most = self.rows_in_a_buffer(compute, row, most);
        (2..=most).rev().find(|rows| fits(*rows)).unwrap_or(1)
    }
}

/// "The longest text" within a sentence.
fn lowered(what: &str) -> String {
    let mut letters = what.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}
