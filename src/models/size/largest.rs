//! The largest single tensor of a pass, which a graphics card has to hold in one buffer.

use super::{NetworkSizes, Shape, product};
use crate::Result;
use crate::device::Compute;
use crate::models::causal_batch::logit_positions;

/// A tensor that a pass holds in one piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LargestTensor {
    /// What it is, for a message: "attention scores".
    pub what: &'static str,
    /// Bytes in float32.
    pub bytes: u64,
}

impl LargestTensor {
    /// The larger of two.
    pub fn max(self, other: Self) -> Self {
        if other.bytes > self.bytes {
            other
        } else {
            self
        }
    }

    /// Refuses one that the device does not hold in one buffer. `whose`: "this run".
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`] with both numbers and `advice`.
    pub fn check(&self, compute: &Compute, whose: &str, advice: &str) -> Result<()> {
        compute.check_buffer(&format!("The {} of {whose}", self.what), self.bytes, advice)
    }
}

impl NetworkSizes {
    /// Of a pass of a whole batch, forward or backward.
    pub fn largest_tensor(&self, shape: Shape) -> LargestTensor {
        let positions = shape.positions();
        let words = usize::try_from(self.words).unwrap_or(usize::MAX);
        let at_once = match self.words {
            0 => 0,
            _ => (logit_positions(words) as u64).min(positions),
        };
        let [scores, vectors, logits] = [
            ("attention scores", self.score_bytes(shape)),
            ("hidden states", product([4, positions, self.widest])),
            ("logits", product([4, at_once, self.words])),
        ]
        .map(|(what, bytes)| LargestTensor { what, bytes });
        scores.max(vectors).max(logits)
    }

    /// The largest weight, in float32 as it is while it computes.
    pub fn largest_weight(&self) -> LargestTensor {
        LargestTensor {
            what: "largest weight",
            bytes: product([4, self.largest_piece]),
        }
    }

    /// Of a pass that reads a prompt in pieces.
    pub fn largest_tensor_in_pieces(&self, prompt: Shape) -> LargestTensor {
        self.largest_tensor(self.last_piece(prompt))
    }

    /// How many rows like `row` may pass together without a tensor that the device does not hold in one buffer: at most `most`, at least 1,
    /// which may still be refused.
    pub fn rows_in_a_buffer(&self, compute: &Compute, row: Shape, most: usize) -> usize {
        let fits = |rows: usize| {
            let rows = rows as u64;
            self.largest_tensor(Shape { rows, ..row }).bytes <= compute.max_binding
        };
        (2..=most).rev().find(|rows| fits(*rows)).unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::EngineKind;
    use crate::layers::Storage;
    use crate::models::BackboneConfig;

    fn bert() -> NetworkSizes {
        let json = serde_json::json!({
            "model_type": "bert", "vocab_size": 100, "hidden_size": 384, "num_hidden_layers": 2, "num_attention_heads": 12,
            "intermediate_size": 1536, "max_position_embeddings": 512, "type_vocab_size": 2
        });
        let config = BackboneConfig::parse(json.to_string().as_bytes()).unwrap();
        NetworkSizes::of_backbone(&config, Storage::F32, EngineKind::Webgpu)
    }

    #[test]
    fn long_rows_have_large_scores_and_short_ones_wide_vectors() {
        let sizes = bert();
        let long = sizes.largest_tensor(Shape::new(32, 512));
        assert_eq!(long.what, "attention scores");
        assert_eq!(long.bytes, 4 * 32 * 12 * 512 * 512);
        let short = sizes.largest_tensor(Shape::new(32, 64));
        assert_eq!(short.what, "hidden states");
        assert_eq!(short.bytes, 4 * 32 * 64 * 1536);
    }

    #[test]
    fn rows_pass_in_turn_if_their_scores_fill_a_buffer() {
        let sizes = bert();
        let with = |max_binding| Compute {
            max_binding,
            ..Compute::cpu()
        };
        let row = Shape::new(1, 512);
        let scores = sizes.score_bytes(row);
        let rows = |bytes| sizes.rows_in_a_buffer(&with(bytes), row, 32);
        assert_eq!(rows(u64::MAX), 32);
        assert_eq!(rows(10 * scores), 10);
        assert_eq!(rows(10 * scores - 1), 9);
        assert_eq!(rows(1), 1);
        let error = sizes
            .largest_tensor(row)
            .check(&with(1 << 20), "the longest text", "shorten it")
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "The attention scores of the longest text would take 12 MiB in one buffer, but this graphics card binds at most 1 MiB in one; shorten it"
        );
        assert_eq!(error.kind(), crate::error::ErrorCode::OutOfMemory);
    }
}
